"""The reading side of a key ring: what its manifest said at the last look, and verifiers that are told of news."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from .._clock import monotonic_ns_now, now
from ..errors import InvalidKeyError, JotgateError, PolicyError, StoreUnavailableError
from .document import MOST_EPOCHS
from .feed import KeyFeed, Supply, Want, survive_forks, told
from .fetch import fetch_failed
from .key import VerificationKey
from .keyset import KeySet
from .lifecycle import RingState
from .manifest import verification_key
from .ring_store import Mark, RingStore

if TYPE_CHECKING:
    from ..stores.protocol import EpochCounter

_SECOND = 1_000_000_000
_LOOK_NS = _SECOND // 2
_LEASE_NS = _SECOND
_ORDER = {"active": 0, "next": 1, "retiring": 2}
EPOCHS_ELSEWHERE = "the epochs of this ring are counted elsewhere: give epochs"


class Snapshot(NamedTuple):
    """What was found at the last look."""

    state: RingState
    mark: Mark
    keys: dict[str, VerificationKey]
    """What is published, by kid."""
    key_set: KeySet
    """The same; the active key first."""
    epoch: int | None
    """None: it is counted elsewhere, and no counter was given."""
    next_gone: float
    """The wall time from which on one of the keys is gone."""


class RingFeed(KeyFeed):
    """A feed of the published keys of a ring, on a lease of one second: a ring that cannot be read is not trusted.

    A look costs one ``lstat``. Nothing here waits for a writer.

    Args:
        store: The directory.
        epochs: Counts the epochs where the ring does not.

    Raises:
        JotgateError: as `RingStore.read`.
        PolicyError: ``invalid_policy``: a counter is given, and the ring counts by itself.
    """

    __slots__ = ("_epochs", "_failure", "_lock", "_look_at", "_snapshot", "_store", "_usable_until")

    def __init__(self, store: RingStore, epochs: EpochCounter | None) -> None:
        super().__init__()
        self._store = store
        self._epochs = epochs
        self._lock = threading.Lock()
        self._failure: JotgateError | None = None
        state, mark = store.read()
        if epochs is not None and state.counts_epochs:
            raise PolicyError("the key ring counts its epochs itself: it was made without a counter")
        self._adopt(self._taken(state, mark, None))
        survive_forks(self)

    def _supply(self) -> Supply:
        snapshot = self._snapshot
        return Supply(snapshot.key_set, self._usable_until, known_epoch(snapshot.epoch))

    def _renew(self, want: Want) -> bool | None:
        before = self._snapshot
        told = self._look()
        if self._failure is not None:
            return None
        if want == "usable" and not told:
            self._tell()  # who finds that the keys do not count has not heard of it yet, or is a child of a fork
        return want == "usable" or self._snapshot is not before

    async def _renew_async(self, want: Want) -> bool | None:
        return self._renew(want)  # one look at a local file

    def stats(self) -> dict[str, Any]:
        """Return what verifiers are given now.

        Returns:
            ``path``; ``state``, ``fresh`` or ``dead``; ``keys`` that are published; ``epoch``, None where it is not
            known; ``last_error``, empty while the ring can be read.
        """
        self._look()
        snapshot, failure = self._snapshot, self._failure
        return {
            "path": str(self._store.path),
            "state": "fresh" if failure is None else "dead",
            "keys": len(snapshot.key_set),
            "epoch": snapshot.epoch,
            "last_error": "" if failure is None else str(failure),
        }

    def warm(self) -> None:
        """Look at the ring now.

        Raises:
            KeyFetchError: ``key_fetch_failed``: it cannot be read; the message says why.
        """
        if self._renew("usable") is None:
            raise fetch_failed(str(self._failure))

    async def warm_async(self) -> None:
        """As `warm`: one look at a local file."""
        self.warm()

    def _current(self) -> Snapshot:
        """Return what the ring is, at most half a second ago.

        Raises:
            JotgateError: It cannot be read any more.
        """
        if self._failure is not None or monotonic_ns_now() >= self._look_at or now() >= self._snapshot.next_gone:
            self._look()
        failure = self._failure
        if failure is not None:
            raise type(failure)(*failure.args)
        return self._snapshot

    def _look(self) -> bool:
        """See whether the manifest has changed, read it if it has, and tell whoever watches; return whether it did."""
        with self._lock:
            news = self._take_news()
        if news:
            self._tell()
        return news

    def _take_news(self) -> bool:
        before = self._snapshot
        try:
            mark = self._store.mark()
            if mark != before.mark:
                state, mark = self._store.read()
                _refuse_older(state, before.state)
                snapshot = self._taken(state, mark, before)
            elif now() >= before.next_gone:
                snapshot = self._taken(before.state, mark, before)
            else:
                epoch = self._epoch_of(before.state)
                snapshot = before if epoch == before.epoch else before._replace(epoch=epoch)
        except JotgateError as error:
            was_usable = self._failure is None
            self._failure = error.with_traceback(None)
            self._usable_until = 0
            return was_usable
        if snapshot is before and self._failure is None and monotonic_ns_now() < self._look_at:
            return False  # nothing new, and the lease is young
        self._adopt(snapshot)
        return True

    def _adopt(self, snapshot: Snapshot) -> None:
        moment = monotonic_ns_now()
        self._snapshot = snapshot
        self._usable_until = moment + _LEASE_NS
        self._look_at = moment + _LOOK_NS
        self._failure = None

    def _taken(self, state: RingState, mark: Mark, before: Snapshot | None) -> Snapshot:
        moment = now()
        known = {} if before is None else before.keys
        published = sorted(state.published(moment), key=lambda key: (_ORDER[key.state(moment)], -key.published_at))
        keys = {}
        for key in published:
            # A key that stays is the same object: what was prepared for it need not be prepared again.
            held = known.get(key.kid)
            keys[key.kid] = held if held is not None and held.thumbprint() == key.thumbprint else verification_key(key)
        next_gone = min((key.gone_at for key in published if key.gone_at is not None), default=float("inf"))
        # The same set tells verifiers that they need not bind it again.
        same = before is not None and list(known.values()) == list(keys.values())
        key_set = before.key_set if before is not None and same else KeySet(keys.values())
        return Snapshot(state, mark, keys, key_set, self._epoch_of(state), next_gone)

    def _epoch_of(self, state: RingState) -> int | None:
        if state.counts_epochs:
            return state.epoch
        return None if self._epochs is None else asked(self._epochs.current)

    def _forked(self) -> None:
        super()._forked()
        self._lock = threading.Lock()
        self._look_at = self._usable_until = 0
        self._store.forget_locks()


def _refuse_older(state: RingState, held: RingState) -> None:
    """Refuse a manifest out of a backup: it knows nothing of what was compromised since.

    Raises:
        InvalidKeyError: ``invalid_key``: it is older than the one held, or has a key that was compromised since.
    """
    if (
        state.sequence < held.sequence
        or state.epoch < held.epoch
        or any(held.is_distrusted(key.thumbprint) for key in state.keys)
    ):
        raise InvalidKeyError(
            "the manifest of the key ring is older than the one this process has read, as if a backup was restored: "
            "what was compromised since would count again; put the newer one back, or if you mean it, restart every "
            "process that has the ring open"
        )


def known_epoch(epoch: int | None) -> int:
    """Return an epoch that is known.

    Raises:
        PolicyError: ``invalid_policy``: it is counted elsewhere, and no counter was given.
    """
    if epoch is None:
        raise PolicyError(EPOCHS_ELSEWHERE)
    return epoch


def asked(counter: Callable[[], int]) -> int:
    """Ask a counter of the caller's for an epoch.

    Raises:
        StoreUnavailableError: ``store_unavailable``: it raised.
        PolicyError: ``invalid_policy``: what it returned is no epoch.
    """
    epoch = told(counter, "the epoch counter cannot be asked ({})")
    if type(epoch) is not int:
        raise PolicyError("an epoch is an int")
    if not 0 <= epoch < MOST_EPOCHS:
        raise StoreUnavailableError("the epoch counter does not count: it answered a number out of range")
    return epoch
