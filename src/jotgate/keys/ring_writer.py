"""The writing side of a key ring: the state that a writer is about to leave, and the keys it makes for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from .._clock import now
from ..errors import JotgateError, PolicyError
from ..stores.protocol import PrivateKeys, Signer
from . import lifecycle
from .key import SigningKey
from .lifecycle import Key, KeyRecord, Protection, RingState, Settings
from .ring_store import RingStore
from .signers import FileKeys, loaded, prove, record_of

_T = TypeVar("_T")


class Draft:
    """What one writer does to the state, step by step. Nothing counts before it is committed.

    Args:
        state: The state there is.
        keys: Who keeps the private keys.
    """

    def __init__(self, state: RingState, keys: PrivateKeys) -> None:
        self.state = state
        self.keys = keys
        self.now = now()

    def create(self, algorithm: str) -> Key:
        """Make a key pair that lasts."""
        return self._entered(self.keys.create(algorithm))

    def take(self, key: SigningKey) -> Key:
        """Take in a key that was made elsewhere.

        Raises:
            PolicyError: ``invalid_policy``: not a SigningKey, compromised once, of a used kid, or the private keys are
                not kept in the directory.
        """
        if not isinstance(key, SigningKey):
            raise PolicyError("a key that is taken into the ring is a SigningKey")
        if not isinstance(self.keys, FileKeys):
            raise PolicyError("only a ring that keeps its private keys in its directory takes in a key made elsewhere")
        record = self._entered(key)
        self.keys.put(key)
        return record

    def _entered(self, signer: Signer) -> Key:
        key = record_of(signer, self.now)
        if self.state.is_distrusted(key.thumbprint):
            raise PolicyError("this key was compromised once: it never comes back")
        if any(each.thumbprint == key.thumbprint for each in self.state.keys):
            raise PolicyError("this key is in the ring already: dropping it must drop all of it")
        if self.state.find(key.kid) is not None or any(each.kid == key.kid for each in self.state.distrusted):
            raise PolicyError(f"there is or was a key {key.kid!r} in the ring: a kid names one key for ever")
        return key

    def rotate(self) -> None:
        """Let the waiting key sign, the active one retire, and a new one wait."""
        waiting = lifecycle.waiting_to_rotate(self.state, self.now)
        prove(loaded(self.keys, waiting))  # a key that cannot sign would be found out by users
        self.state = lifecycle.rotated(self.state, self.create(self.state.settings.algorithm), self.now)

    def is_due(self, rotate_every: float) -> bool:
        """Tell whether the active key has signed for as many seconds, and the waiting one may."""
        ready, since = self.state.may_rotate_at, self.state.active.active_from
        return ready is not None and since is not None and self.now >= max(ready, since + rotate_every)

    def drop(self, kid: str) -> None:
        """Drop a compromised key; no failure to make or to load another one keeps it in the ring.

        Raises:
            PolicyError: ``invalid_policy``: there is no such key.
        """
        state = self.state
        lost = state.find(kid)
        if lost is None:
            kids = ", ".join(repr(key.kid) for key in state.keys)
            raise PolicyError(f"the key ring has no such key; it has {kids}")
        fresh: Key | None = None
        successor: Key | None = None
        if lost is state.active:
            successor, fresh = self._successor()
        elif lost is state.waiting or state.waiting is None:
            fresh = _tried(lambda: self.create(state.settings.algorithm))
        self.state = lifecycle.compromised(state, lost, successor, fresh, self.now)

    def _successor(self) -> tuple[Key, Key | None]:
        """Return what signs in place of a lost active key, and what waits."""
        algorithm, waiting = self.state.settings.algorithm, self.state.waiting
        if waiting is None:
            return self.create(algorithm), _tried(lambda: self.create(algorithm))
        fresh = _tried(lambda: self.create(algorithm))
        if fresh is not None and _tried(lambda: prove(loaded(self.keys, waiting))) is None:
            return fresh, None  # the waiting key cannot sign; it goes on waiting for `stage`
        return waiting, fresh

    def record(self, key: Key) -> KeyRecord:
        """Return what is told of a key of the draft."""
        return key.record(self.now)

    def gone(self) -> tuple[str, ...]:
        """Return the kids that are about to leave the ring because their time is over."""
        return tuple(key.kid for key in self.state.keys if key.state(self.now) == "gone")


@contextmanager
def writing(store: RingStore, keys: PrivateKeys, *, proved: bool) -> Iterator[Draft]:
    """Keep other writers out, give a draft, and commit what it has become.

    Args:
        store: The directory.
        keys: Who keeps the private keys.
        proved: Whether a private key was loaded by this passphrase or wrapping already.

    Raises:
        JotgateError: as `RingStore.writing` and `RingStore.commit`.
    """
    with store.writing() as state:
        if isinstance(keys, FileKeys):
            if not proved and state.protection != "none" and not keys.is_locked:
                _refuse_another_seal(state, keys)
            keys.sweep({key.kid for key in state.keys if key.has_private})
        draft = Draft(state._replace(condemned=_destroyed(keys, state.condemned)), keys)
        yield draft
        draft.state = lifecycle.tidied(draft.state, draft.now)
        if draft.state != state:
            committed = store.commit(draft.state)
            left = _destroyed(keys, committed.condemned)
            if left != committed.condemned:
                store.commit(committed._replace(condemned=left))


def found(
    store: RingStore,
    keys: PrivateKeys,
    settings: Settings,
    protection: Protection,
    *,
    counts_epochs: bool,
    adopt: SigningKey | None,
) -> None:
    """Make a ring, unless another process has just made one.

    Raises:
        PolicyError: ``invalid_policy``: the settings cannot keep what a ring promises.
        JotgateError: as `RingStore.founding` and `RingStore.commit`.
    """
    lifecycle.check_settings(settings)
    with store.founding() as is_new:
        if not is_new:
            return
        if isinstance(keys, FileKeys):
            keys.sweep(set())
        empty = RingState(settings, protection, counts_epochs, 0, ())
        draft = Draft(empty, keys)
        active = draft.create(settings.algorithm) if adopt is None else draft.take(adopt)
        waiting = draft.create(settings.algorithm)
        store.commit(lifecycle.founded(empty, active, waiting, now()))


def _refuse_another_seal(state: RingState, keys: PrivateKeys) -> None:
    """A key sealed by a mistyped passphrase would be lost to every other process."""
    held = [key for key in state.keys if key.has_private]
    for key in held:
        try:
            loaded(keys, key)
            return
        except JotgateError:
            if key is held[-1]:
                raise


def _tried(make: Callable[[], _T]) -> _T | None:
    """Return what could be made, None for what could not: dropping a compromised key goes before all else."""
    try:
        return make()
    except Exception:
        return None


def _destroyed(keys: PrivateKeys, kids: tuple[str, ...]) -> tuple[str, ...]:
    """Destroy private keys, and return the kids of those that could not be."""
    left = []
    for kid in kids:
        try:
            keys.destroy(kid)
        except Exception:
            left.append(kid)
    return tuple(left)
