"""Sources of keys that change while verifiers use them, and how verifiers learn of it.

A feed vouches for a set of keys until a moment of the monotonic clock. Whoever watches it is told when the set or the
moment has changed, and reads the supply of then; so what is told late, twice or out of order does no harm. A verifier
that cannot decide by the keys it has (none yet, too old, a kid it has never seen) asks the feed to renew them.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from .keyset import KeySet

Want = Literal["usable", "newer"]
"""Why keys are to be renewed: there are none that still count; or a token names a kid or an epoch that they do not
know yet."""


class Supply(NamedTuple):
    """What a feed vouches for at one moment."""

    keys: KeySet | None
    """None while there never were any."""
    usable_until: int | None
    """Moment of the monotonic clock in nanoseconds from which on the keys no longer count; None: they always will."""
    epoch: int | None = None
    """The epoch that tokens must carry; None where the issuer counts none."""


class KeyFeed:
    """Base of the feeds."""

    __slots__ = ("__weakref__", "_watchers", "_watchers_lock")

    def __init__(self) -> None:
        self._watchers: list[weakref.WeakMethod[Callable[[], None]]] = []
        self._watchers_lock = threading.Lock()

    def _supply(self) -> Supply:
        """Return what the feed vouches for now, without I/O."""
        raise NotImplementedError

    def _renew(self, want: Want) -> bool:
        """Look for newer keys, as far as the feed's own rules allow now; return whether it is worth looking again.

        Called on the request path: it waits at most as long as the feed's documentation says, and never in a thread
        that runs an event loop.
        """
        raise NotImplementedError

    async def _renew_async(self, want: Want) -> bool:
        """As `_renew`, without holding up the event loop."""
        raise NotImplementedError

    def _watch(self, watcher: Callable[[], None]) -> None:
        """Call a bound method, held weakly, each time the supply has changed, on whatever thread noticed it."""
        with self._watchers_lock:
            self._watchers = [each for each in self._watchers if each() is not None]
            self._watchers.append(weakref.WeakMethod(watcher))

    def _tell(self) -> None:
        for each in tuple(self._watchers):
            watcher = each()
            if watcher is not None:
                watcher()
