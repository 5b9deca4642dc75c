"""Sources of keys that change while verifiers use them, and how verifiers learn of it.

A feed vouches for a set of keys until a moment of the monotonic clock. Whoever watches it is told when the set or the
moment has changed, and reads the supply of then; so what is told late, twice or out of order does no harm. A verifier
that cannot decide by the keys it has (none yet, too old, a kid it has never seen) asks the feed to renew them.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar

from ..errors import JotgateError, StoreUnavailableError

if TYPE_CHECKING:
    from .keyset import KeySet

Told = TypeVar("Told")

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


class Watched:
    """Base of what verifiers watch."""

    __slots__ = ("__weakref__", "_watchers", "_watchers_lock")

    def __init__(self) -> None:
        self._watchers: list[weakref.WeakMethod[Callable[[], None]]] = []
        self._watchers_lock = threading.Lock()

    def _watch(self, watcher: Callable[[], None]) -> None:
        """Call a bound method, held weakly, each time something has changed, on whatever thread noticed it."""
        with self._watchers_lock:
            self._watchers = [each for each in self._watchers if each() not in (None, watcher)]
            self._watchers.append(weakref.WeakMethod(watcher))

    def _unwatch(self, watcher: Callable[[], None]) -> None:
        """Tell it no more. What nobody watches rests."""
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


class KeyFeed(Watched):
    """Base of the feeds."""

    __slots__ = ()

    def _newer(self, seen: Supply | None, want: Want) -> bool | None:
        """Return what `_renew` does; True at once where there is other than what a verdict was reached by.

        Args:
            seen: What the verifier had been given when it decided.
            want: Why it asks.
        """
        try:
            return True if self._has_other_than(seen) else self._renew(want)
        except Exception as error:
            report(error, self)
            return None

    async def _newer_async(self, seen: Supply | None, want: Want) -> bool | None:
        """As `_newer`, without holding up the event loop."""
        try:
            return True if self._has_other_than(seen) else await self._renew_async(want)
        except Exception as error:
            report(error, self)
            return None

    def _has_other_than(self, seen: Supply | None) -> bool:
        """Whether the verifier has not been told yet of what there is; then it is told now."""
        now = self._supply()
        if seen is not None and now.keys is seen.keys and now.epoch == seen.epoch:
            return False
        self._tell()
        return True

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


def guarded(call: Callable[..., object], *arguments: object) -> None:
    """Call somebody else's code from a thread that must live on: what it raises is logged, not passed on."""
    try:
        call(*arguments)
    except Exception as error:
        report(error, call)


def told(ask: Callable[[], Told], failure: str) -> Told:
    """Ask what somebody else's code knows; where it raises something of its own, it is out of reach.

    Args:
        ask: It. What it raises of ours goes through.
        failure: What to say of another exception; ``{}`` is its type, because its text may quote anything.

    Raises:
        StoreUnavailableError: ``store_unavailable``.
    """
    try:
        return ask()
    except JotgateError:
        raise
    except Exception as error:
        raise StoreUnavailableError(failure.format(type(error).__name__)) from None


def report(error: Exception, where: object) -> None:
    """Log an exception that nobody is there to catch, by its type and place: its text may quote anything."""
    import logging
    import traceback

    places = traceback.extract_tb(error.__traceback__)
    place = f" at {places[-1].filename}:{places[-1].lineno}" if places else ""
    try:
        logging.getLogger("jotgate.keys").error("%s in %r%s", type(error).__name__, where, place)
    except Exception:
        return  # a log that cannot be written is no reason to stop


class _Forkable(Protocol):
    def _forked(self) -> None: ...


_survivors: weakref.WeakSet[_Forkable] = weakref.WeakSet()


def survive_forks(thing: _Forkable) -> None:
    """Call ``thing._forked()`` in each child process, first of all; the thing is whole, and held weakly."""
    _survivors.add(thing)


def _in_child() -> None:
    for thing in tuple(_survivors):
        guarded(thing._forked)  # one thing's trouble is not the others'


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
