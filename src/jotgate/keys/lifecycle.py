"""The life of an issuer's keys, next -> active -> retiring -> gone, as plain state and the steps that change it.

No I/O and no clock: every step takes the state and the time, and returns the state after it. A key is published before
it signs, long enough for every cache to have it, and stays published until nothing it signed can still be valid.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from ..errors import PolicyError
from .algorithms import ALGORITHMS, expand

State = Literal["next", "active", "retiring", "gone"]
Protection = Literal["none", "passphrase", "wrap", "elsewhere"]

NOTICE_SECONDS = 2.0
"""Within this time every process that has the ring open has noticed a change; they look every half second."""
LEAST_PUBLISH_AHEAD = 3600
LONGEST_SECONDS = 10 * 366 * 86400


class Settings(NamedTuple):
    """What a ring was made with; seconds."""

    algorithm: str = "ES256"
    publish_ahead: float = 86400
    token_lifetime: float = 900
    leeway: float = 60
    cache_time: float = 3600
    allow_short_times: bool = False

    @property
    def retention(self) -> float:
        """How long after its last signature a key is still needed."""
        return self.token_lifetime + self.leeway + self.cache_time


class KeyRecord(NamedTuple):
    """What a ring tells of a key; times are Unix seconds."""

    kid: str
    alg: str
    state: State
    created_at: float
    published_at: float
    active_from: float | None
    retiring_from: float | None
    gone_at: float | None
    """When it leaves the JWKS; None before it retires."""
    thumbprint: str


class Key(NamedTuple):
    """One key pair of a ring; of the private key only whether there is one."""

    kid: str
    alg: str
    jwk: dict[str, str]
    thumbprint: str
    created_at: float
    published_at: float
    retention: float = 0.0
    """The longest that settings have asked for while it signed."""
    active_from: float | None = None
    retiring_from: float | None = None
    gone_at: float | None = None
    has_private: bool = True

    def state(self, now: float) -> State:
        """Return where in its life the key is."""
        if self.gone_at is not None and now >= self.gone_at:
            return "gone"
        if self.retiring_from is not None:
            return "retiring"
        return "next" if self.active_from is None else "active"

    def record(self, now: float) -> KeyRecord:
        """Return what is told of the key."""
        return KeyRecord(
            self.kid,
            self.alg,
            self.state(now),
            self.created_at,
            self.published_at,
            self.active_from,
            self.retiring_from,
            self.gone_at,
            self.thumbprint,
        )


class Compromise(NamedTuple):
    """What ``KeyRing.compromise`` did, and what it could not do; times are Unix seconds."""

    kid: str
    alg: str
    thumbprint: str
    was: State
    at: float
    active_kid: str
    next_kid: str | None
    """The new waiting key; None if it could not be made, which ``maintain`` will."""
    epoch: int | None
    """The epoch begun, before which no token counts; None: the counter that is kept elsewhere has yet to advance."""
    residual_until: float
    """Until then somebody else's JWKS cache may still hold the key. A ``RemoteKeySet`` that cannot reach your endpoint
    holds it for its ``lifetime`` and ``max_stale``."""
    refused_until: float | None
    """Until then somebody else's JWKS cache may not hold the new active key yet, and refuse good tokens; None: all have
    it."""

    @property
    def residual_seconds(self) -> float:
        """How long after the compromise somebody else's JWKS cache may still hold the key."""
        return self.residual_until - self.at

    @property
    def active_was_published_long_enough(self) -> bool:
        """Whether every cache knows the new active key, so that no good token is refused meanwhile."""
        return self.refused_until is None


class Maintained(NamedTuple):
    """What ``KeyRing.maintain`` did."""

    rotated_to: str | None
    """The kid that signs from now on, if it is another one."""
    made_next: str | None
    """The kid of a waiting key that was missing."""
    removed: tuple[str, ...]
    """Kids that left the ring because they were gone."""
    epoch: int | None
    """The epoch begun, if a compromise still waited for it."""


class RingState(NamedTuple):
    """All that a manifest holds."""

    settings: Settings
    protection: Protection
    counts_epochs: bool
    """Whether the epoch is counted here; else by a counter that is given."""
    epoch: int
    keys: tuple[Key, ...]
    distrusted: tuple[Compromise, ...] = ()
    condemned: tuple[str, ...] = ()
    """Kids of private keys that are to be destroyed."""
    sequence: int = 0

    def find(self, kid: str) -> Key | None:
        """Return the key of a kid, whatever its state."""
        return next((key for key in self.keys if key.kid == kid), None)

    @property
    def active(self) -> Key:
        """The one key that signs."""
        return next(key for key in self.keys if key.active_from is not None and key.retiring_from is None)

    @property
    def waiting(self) -> Key | None:
        """The key that will sign next."""
        return next((key for key in self.keys if key.active_from is None), None)

    @property
    def may_rotate_at(self) -> float | None:
        """When the waiting key has been published long enough; None without one."""
        waiting = self.waiting
        return None if waiting is None else waiting.published_at + self.settings.publish_ahead

    def published(self, now: float) -> tuple[Key, ...]:
        """Return the keys that belong into the JWKS."""
        return tuple(key for key in self.keys if key.state(now) != "gone")

    def records(self, now: float) -> tuple[KeyRecord, ...]:
        """Return what is told of each key."""
        return tuple(key.record(now) for key in self.keys)

    def is_distrusted(self, thumbprint: str) -> bool:
        """Tell whether a key was compromised once."""
        return any(each.thumbprint == thumbprint for each in self.distrusted)


def check_settings(settings: Settings) -> None:
    """Refuse settings that cannot keep what a ring promises.

    Raises:
        PolicyError: ``invalid_policy``.
    """
    check_algorithm(settings.algorithm)
    for name in ("publish_ahead", "token_lifetime", "leeway", "cache_time"):
        value = getattr(settings, name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise PolicyError(f"{name} is a number of seconds")
        if not 0 <= value <= LONGEST_SECONDS:
            raise PolicyError(f"{name} is 0 to {LONGEST_SECONDS} seconds")
    if not isinstance(settings.allow_short_times, bool):
        raise PolicyError("allow_short_times is True or False")
    if not settings.token_lifetime:
        raise PolicyError("token_lifetime is more than 0 seconds")
    if settings.publish_ahead < settings.cache_time:
        raise PolicyError(
            f"publish_ahead ({settings.publish_ahead:g} s) is shorter than cache_time ({settings.cache_time:g} s): "
            "a key would sign before every cache has it"
        )
    if settings.publish_ahead < LEAST_PUBLISH_AHEAD and not settings.allow_short_times:
        raise PolicyError(
            f"publish_ahead is at least {LEAST_PUBLISH_AHEAD} seconds, as other people's caches hold a JWKS for 5 to "
            "60 minutes; allow_short_times is for those who own every cache"
        )


def check_algorithm(algorithm: object) -> str:
    """Return the name of an algorithm that a ring may sign with.

    Raises:
        PolicyError: ``invalid_policy``: not a name of ours, or one of shared secrets.
    """
    names = expand(algorithm)
    if not names:
        raise PolicyError("algorithm is the name of a signature algorithm such as ES256")
    if ALGORITHMS[names[0]].kty == "oct":
        raise PolicyError(
            "a key ring publishes its keys, and the secrets of HS256, HS384 and HS512 have no public half"
        )
    return str(algorithm)


def rotated(state: RingState, fresh: Key, now: float) -> RingState:
    """Let the waiting key sign, the active one retire, and a fresh one wait.

    Raises:
        PolicyError: ``invalid_policy``: the waiting key has not been published for long enough.
    """
    waiting = waiting_to_rotate(state, now)
    keys = []
    for key in state.keys:
        if key is waiting:
            key = _activated(key, state.settings, now)
        elif key is state.active:
            key = key._replace(retiring_from=now, gone_at=now + NOTICE_SECONDS + key.retention)
        keys.append(key)
    return state._replace(keys=(*keys, fresh))


def waiting_to_rotate(state: RingState, now: float) -> Key:
    """Return the waiting key if it may sign.

    Raises:
        PolicyError: ``invalid_policy``: it has not been published for long enough, or there is none.
    """
    waiting, ready = state.waiting, state.may_rotate_at
    if waiting is None or ready is None:
        raise PolicyError("no key waits in the ring; maintain() makes one")
    if now < ready:
        raise PolicyError(
            f"the waiting key may sign in {math.ceil(ready - now)} s (Unix time {math.ceil(ready)}), when it has been "
            f"published for {state.settings.publish_ahead:g} s; only compromise(kid) is faster, and takes back every "
            "token"
        )
    return waiting


def staged(state: RingState, fresh: Key) -> RingState:
    """Let a fresh key wait in place of the one that does; what is made later has its algorithm."""
    waiting = state.waiting
    keys = tuple(key for key in state.keys if key is not waiting)
    condemned = state.condemned if waiting is None else (*state.condemned, waiting.kid)
    return state._replace(
        settings=state.settings._replace(algorithm=fresh.alg), keys=(*keys, fresh), condemned=condemned
    )


def reconfigured(state: RingState, settings: Settings) -> RingState:
    """Change the settings; a key that signed under longer times keeps them."""
    keys = tuple(
        key._replace(retention=max(key.retention, settings.retention)) if key is state.active else key
        for key in state.keys
    )
    return state._replace(settings=settings, keys=keys)


def compromised(state: RingState, lost: Key, successor: Key | None, fresh: Key | None, now: float) -> RingState:
    """Drop a key for ever, and begin the next epoch.

    Args:
        state: The state.
        lost: The key, whatever its state.
        successor: The key that signs from now on if `lost` did; None: `lost` did not.
        fresh: A new waiting key, or None if none is needed or could be made.
        now: The time.
    """
    settings = state.settings
    kept = [key for key in state.keys if key is not lost]
    if successor is not None:
        kept = [_activated(successor, settings, now), *(key for key in kept if key.kid != successor.kid)]
    if fresh is not None:
        kept.append(fresh)
    after = state._replace(keys=tuple(kept))
    active, waiting = after.active, after.waiting
    known_from = active.published_at + settings.cache_time + NOTICE_SECONDS
    epoch = state.epoch + 1 if state.counts_epochs else None
    report = Compromise(
        lost.kid,
        lost.alg,
        lost.thumbprint,
        lost.state(now),
        now,
        active.kid,
        None if waiting is None else waiting.kid,
        epoch,
        now + NOTICE_SECONDS + settings.cache_time,
        known_from if successor is not None and known_from > now else None,
    )
    return after._replace(
        epoch=state.epoch if epoch is None else epoch,
        distrusted=(*state.distrusted, report),
        condemned=(*state.condemned, lost.kid) if lost.has_private else state.condemned,
    )


def epoch_begun(state: RingState, epoch: int) -> RingState:
    """Note the epoch that compromises waited for."""
    return state._replace(
        distrusted=tuple(each if each.epoch is not None else each._replace(epoch=epoch) for each in state.distrusted)
    )


def tidied(state: RingState, now: float) -> RingState:
    """Drop keys that are gone, and the private keys of those that will not sign again."""
    keys, condemned = [], list(state.condemned)
    for key in state.keys:
        # A process that has not noticed yet may still sign with a key that has only just retired.
        if key.has_private and key.retiring_from is not None and now >= key.retiring_from + NOTICE_SECONDS:
            condemned.append(key.kid)
            key = key._replace(has_private=False)
        if key.state(now) != "gone":
            keys.append(key)
    return state._replace(keys=tuple(keys), condemned=tuple(condemned))


def founded(empty: RingState, active: Key, waiting: Key, now: float) -> RingState:
    """Return the state of a new ring: nobody has cached anything yet, so its first key signs at once."""
    return empty._replace(keys=(_activated(active, empty.settings, now), waiting))


def _activated(key: Key, settings: Settings, now: float) -> Key:
    return key._replace(active_from=now, retention=settings.retention)
