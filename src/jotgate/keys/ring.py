"""An issuer's keys through their life: published before they sign, and until nothing they signed can be valid."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, final

from .._clock import now
from ..errors import JotgateError, PolicyError, StoreUnavailableError
from . import lifecycle
from .document import EPOCH_MEMBER
from .files import quoted
from .key import SigningKey
from .lifecycle import Compromise, KeyRecord, Maintained, Protection, Settings
from .ring_arguments import given_settings, keeper_of, protection_of, refuse_other_settings
from .ring_feed import EPOCHS_ELSEWHERE, RingFeed, asked, known_epoch
from .ring_store import RingStore
from .ring_writer import Draft, found, writing
from .signers import FileKeys, loaded, look_at

if TYPE_CHECKING:
    from ..stores.protocol import EpochCounter, KeyWrap, PrivateKeys, Signer
    from .maintenance import Maintenance

__all__ = ["Compromise", "KeyRecord", "KeyRing", "Maintained", "Settings"]

_TRIES = 20


@final
class KeyRing(RingFeed):
    """The signing keys of one issuer in a directory that several processes share.

    A key is made and published (next), signs once every cache has it (active), is still published until nothing it
    signed can be valid (retiring), and is gone. A running process notices what another one changed within a second.
    Give it to a ``Verifier`` in place of a ``KeySet`` to verify what the issuer signs. Threads may share it. It needs
    POSIX.

    Args:
        path: The directory: mode 0700, files 0600, yours.
        create: Make a ring if there is none there.
        algorithm: What new keys sign with; not of shared secrets. None: as `adopt` does, else ``ES256``.
        publish_ahead: Seconds that a key is published before it signs (86400); at least 3600 and `cache_time`.
        token_lifetime: Seconds that a token lives at most (900).
        leeway: Seconds of clock skew that verifiers forgive (60).
        cache_time: Seconds that anybody's cache may hold the JWKS (3600).
        allow_short_times: Allow a `publish_ahead` under 3600: for tests, and for those who own every cache.
        passphrase: Encrypts the private key files, `str` (taken as UTF-8) or `bytes`.
        wrap: Encrypts them instead by a key that is kept elsewhere, such as in a KMS.
        private_keys: Keeps the private keys instead of the directory: a KMS or an HSM.
        epochs: Counts the epochs instead of the manifest, for issuers on several machines. ``current`` is asked on the
            request path, so it answers from memory.
        adopt: A key that already signs, with its kid: the first active key of a ring that is made. With `create` only;
            a ring that is there has its own.
        check_keys: Load the active private key at once; False opens a ring that is to be repaired.

    The settings are kept in the ring when it is made, and need not be given again. Without what its private keys are
    kept by, a ring can be opened to publish, to verify, and to drop a key while another waits.

    Raises:
        PolicyError: ``invalid_policy``: there is no ring and `create` is not True; a setting is out of range, or given
            again and different; what protects the keys is not what the ring was made with.
        InvalidKeyError: ``invalid_key``: directory, manifest or key file is open to others, somebody else's, a link,
            damaged, or the passphrase is wrong.
        StoreUnavailableError: ``store_unavailable``: it cannot be read or written.

    Spec: RFC 7517 section 5; RFC 7638 for thumbprints, which are the kids of keys made here.
    """

    __slots__ = ("_keeper", "_maintenance", "_proved", "_signer")

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        create: bool = False,
        algorithm: str | None = None,
        publish_ahead: float | None = None,
        token_lifetime: float | None = None,
        leeway: float | None = None,
        cache_time: float | None = None,
        allow_short_times: bool | None = None,
        passphrase: bytes | str | None = None,
        wrap: KeyWrap | None = None,
        private_keys: PrivateKeys | None = None,
        epochs: EpochCounter | None = None,
        adopt: SigningKey | None = None,
        check_keys: bool = True,
    ) -> None:
        given = given_settings(
            algorithm=algorithm,
            publish_ahead=publish_ahead,
            token_lifetime=token_lifetime,
            leeway=leeway,
            cache_time=cache_time,
            allow_short_times=allow_short_times,
        )
        protection = protection_of(passphrase, wrap, private_keys)
        store = RingStore(path)
        keys = FileKeys(store.path, protection, passphrase, wrap) if private_keys is None else private_keys
        if adopt is not None and not create:
            raise PolicyError("adopt is for a ring that is made; stage lets a key of yours wait")
        if not store.exists():
            if not create:
                raise PolicyError(f"there is no key ring in {quoted(store.path)}; create=True makes one")
            as_adopted = {"algorithm": adopt.alg} if isinstance(adopt, SigningKey) else {}
            made_with = Settings(**(as_adopted | given))
            found(store, keys, made_with, protection, counts_epochs=epochs is None, adopt=adopt)
        super().__init__(store, epochs)
        state = self._snapshot.state
        refuse_other_settings(state, given)
        self._keeper = keeper_of(state, protection, keys, store)
        self._maintenance: list[Maintenance] = []
        self._proved = False
        self._signer: Signer | None = None
        if check_keys and protection == state.protection:
            self.signer()
            self._proved = True

    @property
    def settings(self) -> Settings:
        """What the ring was made with."""
        return self._current().state.settings

    @property
    def protection(self) -> Protection:
        """How the private keys are kept: ``none`` (files of mode 0600), ``passphrase``, ``wrap``, or ``elsewhere``."""
        return self._current().state.protection

    @property
    def keys(self) -> tuple[KeyRecord, ...]:
        """Every key of the ring, those that are gone until ``prune``."""
        return self._current().state.records(now())

    @property
    def distrusted(self) -> tuple[Compromise, ...]:
        """The keys that were compromised, for ever."""
        return self._current().state.distrusted

    @property
    def undestroyed(self) -> tuple[str, ...]:
        """Kids of private keys that are still to be destroyed; the next writer tries again."""
        return self._current().state.condemned

    def problems(self) -> dict[str, str]:
        """Look at every private key that is still kept: is it there, its owner's alone, and the manifest's?

        Returns:
            What is wrong, by kid; empty if nothing is. Without the passphrase or wrap only that the file is there and
            its owner's alone is known, without the keeper nothing.
        """
        wrong = {}
        for key in self._current().state.keys:
            try:
                if key.has_private:
                    look_at(self._keeper, key)
            except JotgateError as error:
                wrong[key.kid] = str(error)
        self._look()
        kept = {key.kid for key in self._current().state.keys if key.has_private}
        return {kid: problem for kid, problem in wrong.items() if kid in kept}  # not what went meanwhile

    @property
    def may_rotate_at(self) -> float | None:
        """The Unix time from which on ``rotate`` may be called; None while no key waits."""
        return self._current().state.may_rotate_at

    @property
    def epoch(self) -> int:
        """The epoch that new tokens carry and verifiers demand.

        Raises:
            PolicyError: ``invalid_policy``: it is counted elsewhere, and no counter was given.
        """
        return known_epoch(self._current().epoch)

    @property
    def epochs(self) -> EpochCounter:
        """The counter of epochs: ``advance`` takes back every token that was issued until now."""
        return _RingEpochs(self) if self._epochs is None else self._epochs

    def signer(self) -> Signer:
        """Return what signs with the active key; ask again for every token.

        Cost: a look at the manifest twice a second, else two clock readings.

        Raises:
            StoreUnavailableError: ``store_unavailable``: the manifest or the private key is not there any more.
            InvalidKeyError: ``invalid_key``: one of them is damaged or open to others.
            PolicyError: ``invalid_policy``: the passphrase, wrap or keeper of the private keys was not given.
        """
        for attempt in range(_TRIES):
            active = self._current().state.active
            held = self._signer
            if held is not None and held.kid == active.kid:
                return held
            try:
                self._signer = loaded(self._keeper, active)
            except JotgateError:
                # Perhaps the key was compromised between the two reads, and its file is gone.
                self._look()
                if attempt == _TRIES - 1 or self._current().state.active.kid == active.kid:
                    raise
        raise StoreUnavailableError("the key ring changes faster than it can be read")

    def jwks(self) -> dict[str, Any]:
        """Return the JWKS to publish: ``{"keys": [...], "jotgate_epoch": ...}``.

        Public members only, the active key first. A ``RemoteKeySet`` reads the epoch, and refuses tokens of an earlier
        one; others ignore it (RFC 7517 section 5).

        Raises:
            PolicyError: ``invalid_policy``: the epoch is counted elsewhere, and no counter was given.
        """
        now_is = self._current()
        return {**now_is.key_set.to_jwks(), EPOCH_MEMBER: known_epoch(now_is.epoch)}

    def rotate(self) -> KeyRecord:
        """Let the waiting key sign, the active one retire, and a new one wait.

        Returns:
            The key that signs now.

        Raises:
            PolicyError: ``invalid_policy``: the waiting key has not been published for long enough; the message says
                when it will have.
        """
        with self._writing() as draft:
            draft.rotate()
            return draft.record(draft.state.active)

    def stage(self, algorithm: str | None = None, *, key: SigningKey | None = None) -> KeyRecord:
        """Replace the waiting key, whose wait begins anew; so an issuer changes its algorithm.

        Args:
            algorithm: Of the new key and of those after it; the ring's if None.
            key: A key that was made elsewhere, in place of a new one.

        Returns:
            The key that waits now.

        Raises:
            PolicyError: ``invalid_policy``: not an algorithm of key pairs; both arguments; `key` was compromised once
                or its kid used; `key`, where the private keys are not kept in the directory.
        """
        with self._writing() as draft:
            if key is None:
                fresh = draft.create(lifecycle.check_algorithm(algorithm or draft.state.settings.algorithm))
            elif algorithm is not None:
                raise PolicyError("a key has its algorithm: give one of algorithm and key")
            else:
                fresh = draft.take(key)
            draft.state = lifecycle.staged(draft.state, fresh)
            return draft.record(fresh)

    def compromise(self, kid: str) -> Compromise:
        """Drop a key at once and for ever, and take back every token issued until now.

        The key leaves the JWKS and its private key is destroyed. If it was the active one, the waiting key signs from
        now on, however long it has waited. A new key waits. The next epoch begins. Verifiers fed by the ring in this
        process know it when the call returns, those in others within a second. What it cannot do is reach other
        people's JWKS caches: the report says until when they may hold the key.

        Called again for the same key, it does what a crash or an unreachable epoch counter left undone, and reports
        the same.

        Args:
            kid: Of a key in any state.

        Raises:
            PolicyError: ``invalid_policy``: the ring has no such key.
            StoreUnavailableError: ``store_unavailable``: the ring cannot be written; or the key was dropped, but the
                epoch counter could not be asked: call again.
        """
        with self._writing() as draft:
            if not any(each.kid == kid for each in draft.state.distrusted):
                draft.drop(kid)
        self._finish_epochs()
        return next(each for each in self.distrusted if each.kid == kid)

    def prune(self) -> tuple[str, ...]:
        """Remove what is gone: keys from the manifest, private keys that will not sign again, files nobody names.

        Returns:
            The kids that left the ring.
        """
        with self._writing() as draft:
            return draft.gone()

    def maintain(self, *, rotate_every: float | None = None) -> Maintained:
        """Do what is due: prune, make a missing waiting key, finish a compromise, rotate.

        Call it as often as you like, from as many processes as you like.

        Args:
            rotate_every: Rotate if the active key has signed for as many seconds and the waiting one may; None: never.

        Raises:
            PolicyError: ``invalid_policy``: `rotate_every` is not a number above 0.
        """
        if rotate_every is not None and not (type(rotate_every) in (int, float) and rotate_every > 0):
            raise PolicyError("rotate_every is a number of seconds above 0")
        made = rotated = None
        with self._writing() as draft:
            if draft.state.waiting is None:
                fresh = draft.create(draft.state.settings.algorithm)
                draft.state = lifecycle.staged(draft.state, fresh)
                made = fresh.kid
            if rotate_every is not None and draft.is_due(rotate_every):
                draft.rotate()
                rotated = draft.state.active.kid
            removed = draft.gone()
        return Maintained(rotated, made, removed, self._finish_epochs())

    def start_maintaining(
        self,
        interval: float = 60.0,
        *,
        rotate_every: float | None = None,
        on_error: Callable[[Exception], object] | None = None,
    ) -> Maintenance:
        """Call ``maintain`` on a thread, now and every `interval` seconds, until ``close``.

        Args:
            interval: Seconds from one time to the next.
            rotate_every: As for ``maintain``.
            on_error: Gets what ``maintain`` raises; if None, it is logged as a warning of ``jotgate.keys``. It is tried
                again after `interval` in any case.

        Returns:
            The running maintenance, to be closed by itself; it is a context manager.
        """
        from .maintenance import Maintenance

        started = Maintenance(lambda: self.maintain(rotate_every=rotate_every), interval, on_error)
        self._maintenance.append(started)
        return started

    def close(self) -> None:
        """Stop the threads of ``start_maintaining``. The ring can still be used."""
        while self._maintenance:
            self._maintenance.pop().close()

    def reconfigure(
        self,
        *,
        publish_ahead: float | None = None,
        token_lifetime: float | None = None,
        leeway: float | None = None,
        cache_time: float | None = None,
        allow_short_times: bool | None = None,
    ) -> Settings:
        """Change times of the ring; what was signed under longer ones is still waited for.

        Args:
            publish_ahead: Seconds; None leaves it as it is, as for the others. The algorithm is changed by `stage`.
            token_lifetime: Seconds.
            leeway: Seconds.
            cache_time: Seconds.
            allow_short_times: Allow a `publish_ahead` under 3600.

        Raises:
            PolicyError: ``invalid_policy``: out of range.
        """
        given = given_settings(
            publish_ahead=publish_ahead,
            token_lifetime=token_lifetime,
            leeway=leeway,
            cache_time=cache_time,
            allow_short_times=allow_short_times,
        )
        with self._writing() as draft:
            changed = draft.state.settings._replace(**given)
            lifecycle.check_settings(changed)
            draft.state = lifecycle.reconfigured(draft.state, changed)
            return changed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        keys = ", ".join(f"{key.kid!r}: {key.state(now())}" for key in self._snapshot.state.keys)
        return f"KeyRing({keys})"

    @contextmanager
    def _writing(self) -> Iterator[Draft]:
        try:
            with writing(self._store, self._keeper, proved=self._proved) as draft:
                yield draft
        finally:
            self._look()  # also after a failure: the disk may have taken the change, and failed to say so

    def _finish_epochs(self) -> int | None:
        """Begin the epoch that a compromise still waits for, where it is counted elsewhere."""
        if self._epochs is None or all(each.epoch is not None for each in self._current().state.distrusted):
            return None
        epoch = asked(self._epochs.advance)
        with self._writing() as draft:
            draft.state = lifecycle.epoch_begun(draft.state, epoch)
        return epoch


class _RingEpochs:
    """The counter in the manifest."""

    __slots__ = ("_ring",)

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def current(self) -> int:
        return self._ring.epoch

    def advance(self) -> int:
        with self._ring._writing() as draft:
            if not draft.state.counts_epochs:
                raise PolicyError(EPOCHS_ELSEWHERE)
            epoch = draft.state.epoch + 1
            draft.state = draft.state._replace(epoch=epoch)
        return epoch
