"""Keeping a native index up to date with the rules of a store, on a thread of its own.

::

    snapshot ----> changes ----> changes ----> ...      each complete up to the moment it began: "heard"
        ^             |
        +-- the store's history does not contain our position (flush, restart, failover, trimmed):
            read everything again; what the index has and the store has lost is written back

What the index once knew it keeps until it has run out: a store that forgets makes nobody accept again. How long the
last word of the store is trusted to be the whole truth is the operator's decision, and one deadline of the index.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .._clock import monotonic_ns_now, wall_ns_now
from ..errors import JotgateError, StoreUnavailableError
from ..keys.feed import guarded, report
from ..keys.flight import Flight, in_event_loop
from ..stores.encoding import is_unicode
from ..stores.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._revoked import RevocationIndex
    from ..stores.protocol import Position, Store

WAIT: Final = 0.5
"""Seconds that one question to the store waits for news."""
_PAUSES: Final = (0.05, 0.1, 0.2, 0.5)  # seconds after the first, second ... failure in a row
_COOLDOWN_NS: Final = 100_000_000  # tokens that claim to be ahead of the store make it be asked ten times a second
_PORTION: Final = 500
_SWEEP_NS: Final = 1_000_000_000
_FAR_NS: Final = 2**62
_BACK_NS: Final = 300_000_000_000  # a rule outlives by twice as much what it is about


class Trust(NamedTuple):
    """For how long after it was last heard from the store is taken to have told everything."""

    max_lag: float
    beyond: float | None
    """Seconds after `max_lag` for which tokens are still accepted; None: as long as they live."""


class Mirror:
    """Follows a store.

    Args:
        store: Whose rules.
        index: What is kept up to date; nobody else vouches for it.
        trust: How long a silent store is trusted.
    """

    __slots__ = (
        "__weakref__",
        "_ahead",
        "_asked_ns",
        "_asking",
        "_bell",
        "_first",
        "_given",
        "_heard",
        "_index",
        "_lock",
        "_owed",
        "_position",
        "_store",
        "_swept",
        "_thread",
        "_trust",
        "counts",
        "failure",
    )

    def __init__(self, store: Store, index: RevocationIndex, trust: Trust) -> None:
        self._store = store
        self._index = index
        self._trust = trust
        self._position: Position | None = None
        self._owed: int | None = None
        self._heard: int | None = None
        self._swept = 0
        self._ahead = _apart()
        self.failure: JotgateError | None = None
        self._given = 0  # of what was written back, what has been told in the log
        self.counts = {"snapshots": 0, "written_back": 0, "failures": 0}
        self.renew_locks()

    def renew_locks(self) -> None:
        """Begin anew in a child of a fork: the thread is not here, and what it held is held for ever."""
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._asked_ns = 0
        self._bell = threading.Event()
        self._thread: threading.Thread | None = None
        self._first = Flight()

    # -- what verifiers see

    @property
    def lag(self) -> float | None:
        """Seconds since the store was last heard from; None: never."""
        return None if self._heard is None else max(0, monotonic_ns_now() - self._heard) / 1e9

    @property
    def max_lag(self) -> float:
        """Seconds of silence after which the operator's decision holds."""
        return self._trust.max_lag

    def start(self) -> None:
        """Follow the store from now on."""
        with self._lock:
            if self._thread is not None:
                return
            self._bell.clear()
            self._first = Flight()
            thread = threading.Thread(target=_follow, args=(weakref.ref(self),), name="jotgate-revoked", daemon=True)
            self._thread = thread  # before it runs: a thread that does not find itself here ends
            try:
                thread.start()
            except Exception:  # no memory, too many threads, or the interpreter ends: then nothing is vouched for
                self._thread = None
                self._first.land(False)
                return
        if self._heard is not None and monotonic_ns_now() - self._heard < self._trust.max_lag * 1e9:
            self._vouch()  # a child of a fork knows what its parent knew; an old one has to hear the store first

    def stop(self) -> None:
        """Follow no more, and vouch for nothing."""
        with self._lock:
            thread, self._thread = self._thread, None
        self._bell.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(WAIT + 2 * self._store.timeout)
        self._heard = None
        self._index.vouch_until(0)

    def caught_up(self) -> bool | None:
        """Wait, at most as long as the store's timeout, for the first answer of the store."""
        self.start()
        if not self._index.usable and not in_event_loop():
            self._first.wait(self._store.timeout)
        return True if self._index.usable else None  # that it has once answered is long ago, perhaps

    async def caught_up_async(self) -> bool | None:
        """As `caught_up`, in an event loop."""
        self.start()
        if not self._index.usable:
            await self._first.wait_async(self._store.timeout)
        return True if self._index.usable else None

    def ask(self) -> None:
        """Bring the index up to what the store holds at a moment after this call began.

        Raises:
            StoreUnavailableError: ``store_unavailable``: the store does not say, or is just being read anew.
        """
        self.start()
        called = monotonic_ns_now()
        if self._position is None:
            self._first.wait(self._store.timeout)
        if not self._asking.acquire(timeout=self._store.timeout):
            raise StoreUnavailableError("the store has too many questions to answer")
        try:
            if self._asked_ns > called:  # another thread's question began after this call
                return
            began = monotonic_ns_now()
            if not self._read(0):
                self._bell.set()
                raise StoreUnavailableError("what was taken back is being read anew; try again")
            self._asked_ns = began
        finally:
            self._asking.release()

    def look_ahead(self) -> bool | None:
        """Ask because a token seems to know more than the index; too often is answered with what there is.

        Returns:
            Whether there is anything new; None: that cannot be found out.
        """
        if monotonic_ns_now() - self._asked_ns < _COOLDOWN_NS:
            return False
        if in_event_loop():
            return None
        before = self._index.generation
        try:
            self.ask()
        except JotgateError:  # also of a store that must not be used: that is no verdict on a token
            return None
        except Exception as error:
            report(error, self)
            return None
        return self._index.generation != before

    def stats(self) -> dict[str, Any]:
        """Return what an operator wants to see."""
        return {
            "lag": self.lag,
            "last_error": "" if self.failure is None else str(self.failure),
            **self.counts,
        }

    # -- following

    def step(self) -> float:
        """Take in what is new, waiting for it; return how many seconds to rest."""
        try:
            if self._position is None or self._clock_went_back() or not self._read(WAIT):
                self._read_everything()
            self._write_back()
            self._sweep()
        except Exception as error:
            return self._failed(error)
        if self.failure is not None:
            self.failure = None
            self._log("the store of what was taken back answers again")
        self.counts["failures"] = 0
        self._first.land(True)
        return 0

    def _read(self, wait: float) -> bool:
        """Take in what is new; False: the store's history does not contain our position."""
        position = self._position
        if position is None:
            return False
        began = monotonic_ns_now()
        changes = self._store.changes(position, wait)
        if changes is None:
            return False
        self._merge(changes.rules)
        # Two threads may do this at once, and the one behind set the position last: then rules come again.
        self._position = changes.position
        self._heard = max(began, self._heard or 0)
        self._vouch()
        return True

    def _clock_went_back(self) -> bool:
        """Whether the wall clock was set back: what had run out by it, and was let go of, says something again."""
        ahead = _apart()
        if ahead < self._ahead - _BACK_NS:
            return True
        self._ahead = max(ahead, self._ahead)
        return False

    def _merge(self, rules: Sequence[Rule], mark: int = 0) -> None:
        for first in range(0, len(rules), _PORTION):  # in between, other threads get the GIL
            portion = rules[first : first + _PORTION]
            try:
                self._index.merge(portion, mark)
            except UnicodeEncodeError:  # a store keeps any name, and no token has one that is no Unicode
                self._index.merge([rule for rule in portion if is_unicode(rule.issuer + rule.name)], mark)

    def _read_everything(self) -> None:
        ahead = _apart()
        snapshot = self._store.snapshot()
        mark = self._index.mark_snapshot()
        for rules in snapshot.rules:
            self._merge(rules, mark)
        self.counts["snapshots"] += 1
        self._owed = mark
        self._position = snapshot.position
        if not self._read(0):
            raise StoreUnavailableError("the store changes faster than it can be read")
        self._ahead = ahead

    def _write_back(self) -> None:
        """Give the store what it has lost, or a part of it: meanwhile it has to be heard."""
        if self._owed is None:
            return
        enough = monotonic_ns_now() + int(WAIT * 1e9)
        for portion in self._index.unmarked(self._owed, _PORTION):
            rules = [Rule(*rule) for rule in portion]
            self._store.write(rules)
            self._index.merge(rules, self._owed)
            self.counts["written_back"] += len(rules)
            if monotonic_ns_now() >= enough:
                return
        self._owed = None
        if self.counts["written_back"] > self._given:
            self._given = self.counts["written_back"]
            self._log("the store has lost what was taken back: rules were written to it again")

    def _failed(self, error: Exception) -> float:
        if not isinstance(error, JotgateError):
            report(error, self)
            error = StoreUnavailableError(f"the store failed ({type(error).__name__})")
        if self.failure is None:
            self.failure = error.with_traceback(None)
            self._log(f"the store of what was taken back does not answer: {error}")
        self.failure = error.with_traceback(None)
        self._vouch()
        self._first.land(False)
        failures = self.counts["failures"]
        self.counts["failures"] += 1
        return _PAUSES[min(failures, len(_PAUSES) - 1)]

    def _sweep(self) -> None:
        if monotonic_ns_now() - self._swept >= _SWEEP_NS:
            self._swept = monotonic_ns_now()
            self._index.sweep()

    def _vouch(self) -> None:
        if self._heard is None or self._thread is None:
            return
        if self._trust.beyond is None:
            self._index.vouch_until(None)
        else:
            seconds = self._trust.max_lag + self._trust.beyond
            self._index.vouch_until(min(self._heard + int(seconds * 1e9), _FAR_NS))

    def _log(self, what: str) -> None:
        import logging

        guarded(logging.getLogger("jotgate.revocation").warning, what)

    def _is_mine(self) -> bool:
        return self._thread is threading.current_thread()


def _apart() -> int:
    """By how much the wall clock is ahead of the monotonic one."""
    return wall_ns_now() - monotonic_ns_now()


def _follow(this: weakref.ref[Mirror]) -> None:
    while True:
        mirror = this()
        if mirror is None or not mirror._is_mine():
            return
        try:
            pause = mirror.step()
        except BaseException:  # no memory to say so, or a log handler that ends its thread: this one goes on
            pause = _PAUSES[-1]
        bell = mirror._bell
        del mirror  # one that nobody holds any more does not live on for its thread
        if pause:
            bell.wait(pause)
            bell.clear()
