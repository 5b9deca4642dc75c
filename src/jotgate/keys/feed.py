"""Sources of keys that change while verifiers use them, and how verifiers learn of it.

A feed vouches for a set of keys until a moment of the monotonic clock. Whoever watches it is told when the set or the
moment has changed, and reads the supply of then; so what is told late, twice or out of order does no harm. A verifier
that cannot decide by the keys it has (none yet, too old, a kid it has never seen) asks the feed to renew them.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from .keyset import KeySet

Want = Literal["usable", "newer"]
"""Why keys are to be renewed: there are none that still count; or a token names a kid or an epoch that they do not
know yet."""


class Supply(NamedTuple):
    """What a feed vouches for at one moment."""

    keys: KeySet | None
    """None while there never were any. The same object as before: nothing has changed."""
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
        survive_forks(self)

    def _supply(self) -> Supply:
        """Return what the feed vouches for now, without I/O."""
        raise NotImplementedError

    def _renew(self, want: Want) -> bool | None:
        """Look for newer keys, as far as the feed's own rules allow now.

        Called on the request path: it waits at most as long as the feed's documentation says, and never in a thread
        that runs an event loop.

        Returns:
            True: decide again. False: there are no newer keys, so the verdict stands. None: whether there are is not
            known.
        """
        raise NotImplementedError

    async def _renew_async(self, want: Want) -> bool | None:
        """As `_renew`, without holding up the event loop."""
        raise NotImplementedError

    def stats(self) -> dict[str, Any]:
        """Return what an operator wants to see of the feed."""
        raise NotImplementedError

    def warm(self) -> None:
        """See to it that there are keys.

        Raises:
            KeyFetchError: ``key_fetch_failed``: they cannot be had now.
        """
        raise NotImplementedError

    async def warm_async(self) -> None:
        """As `warm`, without holding up the event loop."""
        raise NotImplementedError

    def _watch(self, watcher: Callable[[], None]) -> None:
        """Call a bound method, held weakly, each time the supply has changed, on whatever thread noticed it."""
        with self._watchers_lock:
            self._watchers = [each for each in self._watchers if each() not in (None, watcher)]
            self._watchers.append(weakref.WeakMethod(watcher))

    def _unwatch(self, watcher: Callable[[], None]) -> None:
        """Tell it no more. A feed that nobody watches rests."""
        with self._watchers_lock:
            self._watchers = [each for each in self._watchers if each() not in (None, watcher)]
            left = len(self._watchers)
        if not left:
            self._rest()

    def _rest(self) -> None:
        """Stop what runs in the background, until somebody wants it again."""

    def _tell(self) -> None:
        for each in tuple(self._watchers):
            watcher = each()
            if watcher is not None:
                guarded(watcher)

    def _forked(self) -> None:
        """Begin anew in a child process: no thread of the parent is here, and what its threads held is held for ever.

        Called before anything else runs in the child, so it takes no lock and does little.
        """
        self._watchers_lock = threading.Lock()


def guarded(call: Callable[..., object], *arguments: object) -> None:
    """Call somebody else's code from a thread that must live on: what it raises is reported, not passed on."""
    try:
        call(*arguments)
    except Exception as error:
        sys.unraisablehook(
            SimpleNamespace(
                exc_type=type(error),
                exc_value=error,
                exc_traceback=error.__traceback__,
                err_msg="Exception ignored by a key feed, in",
                object=call,
            )
        )


class _Forkable(Protocol):
    def _forked(self) -> None: ...


_survivors: weakref.WeakSet[_Forkable] = weakref.WeakSet()


def survive_forks(thing: _Forkable) -> None:
    """Call ``thing._forked()`` in each child process, first of all; the thing is held weakly."""
    _survivors.add(thing)


def _in_child() -> None:
    for thing in tuple(_survivors):
        thing._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
