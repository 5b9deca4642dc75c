"""How fresh keys that were fetched are: the times of a remote key set, without clock, threads or network."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from ..errors import PolicyError

SECOND = 1_000_000_000


class KeyState(StrEnum):
    """What a remote key set is worth at one moment."""

    EMPTY = "empty"
    """No keys have ever been fetched."""
    FRESH = "fresh"
    """As good as new."""
    AGING = "aging"
    """Good, and being refreshed ahead of time."""
    STALE = "stale"
    """Past their lifetime, because the endpoint fails; still used."""
    DEAD = "dead"
    """Past ``max_stale``: nothing is decided by them."""


class KeyEvent(NamedTuple):
    """Something that happened to a remote key set."""

    kind: str
    """``fetched``: new keys, or the same ones in another document. ``unchanged``: the endpoint said so. ``failed``."""
    state: KeyState
    detail: str
    """Why it failed; else empty."""


class Times(NamedTuple):
    """The times that a user sets; seconds."""

    lifetime: float
    shortest: float
    longest: float
    cooldown: float
    max_stale: float


REFRESH_AT = 0.8
"""The part of their lifetime after which keys are fetched again..."""
JITTER = 0.1
"""...give or take half of this part, so that many verifiers that began together do not all ask at once."""


MOST_SECONDS = 10**7
EARLIEST_REFRESH = REFRESH_AT - JITTER / 2


def seconds(name: str, value: float, *, least: float = 0.0) -> float:
    """Return a number of seconds, or refuse it.

    Raises:
        PolicyError: ``invalid_policy``.
    """
    if type(value) not in (int, float) or not least <= value <= MOST_SECONDS:
        raise PolicyError(f"{name} is a number of seconds from {least:g} to {MOST_SECONDS}")
    return float(value)


def whole_number(name: str, value: int) -> int:
    """Return a number of things, at least one, or refuse it.

    Raises:
        PolicyError: ``invalid_policy``.
    """
    if type(value) is not int or value < 1:
        raise PolicyError(f"{name} is a whole number of at least 1")
    return value


def checked_times(lifetime: float, cache_control: tuple[float, float], cooldown: float, max_stale: float) -> Times:
    """Return the times of a remote key set, if keys can be kept fresh by them.

    Raises:
        PolicyError: ``invalid_policy``.
    """
    if not isinstance(cache_control, tuple | list) or len(cache_control) != 2:
        raise PolicyError("cache_control is a pair: the shortest and the longest lifetime in seconds")
    shortest, longest = (seconds("cache_control", each, least=0.01) for each in cache_control)
    times = Times(
        lifetime=seconds("lifetime", lifetime, least=0.01),
        shortest=shortest,
        longest=longest,
        cooldown=seconds("cooldown", cooldown),
        max_stale=seconds("max_stale", max_stale),
    )
    if shortest > longest:
        raise PolicyError("cache_control is the shortest lifetime, then the longest")
    least = min(times.lifetime, shortest)
    if times.cooldown > least * EARLIEST_REFRESH:
        raise PolicyError(
            f"keys that live for {least:g} s may be due after {least * EARLIEST_REFRESH:g} s, and a cooldown of "
            f"{times.cooldown:g} s forbids to fetch them then: give a cooldown of at most that, or a longer lifetime "
            "and cache_control"
        )
    return times


class Freshness:
    """When to fetch, and how long what was fetched counts. All moments are nanoseconds of a monotonic clock."""

    __slots__ = ("_attempted_at", "_ended_at", "_failing", "_fetched_at", "_fresh_until", "_refresh_at", "_times")

    def __init__(self, times: Times) -> None:
        self._times = times
        self._attempted_at: int | None = None
        self._ended_at = 0
        self._failing = False
        self._fetched_at: int | None = None
        self._fresh_until = 0
        self._refresh_at = 0

    def begin(self, now: int) -> None:
        """Note that a fetch begins. The cooldown counts from here, whatever comes of it."""
        self._attempted_at = now

    def end(self, now: int) -> None:
        """Note that a fetch has ended, whatever came of it."""
        self._ended_at = now

    def succeed(self, began: int, allowed: float | None, jitter: float) -> None:
        """Note that keys came, or the word that they are unchanged.

        Args:
            began: When the fetch that brought them began: they may be as old as that.
            allowed: What the endpoint's cache headers allow, in seconds; None where they say nothing.
            jitter: A random number from -0.5 to 0.5.
        """
        times = self._times
        lifetime = times.lifetime if allowed is None else min(max(allowed, times.shortest), times.longest)
        self._failing = False
        self._fetched_at = began
        self._fresh_until = began + int(lifetime * SECOND)
        self._refresh_at = began + int(lifetime * (REFRESH_AT + JITTER * jitter) * SECOND)

    def seed(self, now: int) -> None:
        """Note that the user gave keys to begin with: they count as fetched now, and newer ones are due at once."""
        self._fetched_at = self._refresh_at = now
        self._fresh_until = now + int(self._times.lifetime * SECOND)

    def abandon(self) -> None:
        """Forget the fetch that began: this process will never hear of it."""
        self._attempted_at = self._fetched_at

    def fail(self) -> None:
        """Note that the endpoint gave nothing to use."""
        self._failing = True

    @property
    def failing(self) -> bool:
        """Whether the last fetch that ended brought nothing."""
        return self._failing

    @property
    def usable_until(self) -> int:
        """From when on the keys no longer count; 0 while there are none."""
        return 0 if self._fetched_at is None else self._fresh_until + int(self._times.max_stale * SECOND)

    @property
    def due_at(self) -> int:
        """When to fetch next; 0: at once."""
        if self._attempted_at is None:
            return 0
        rested = self._attempted_at + int(self._times.cooldown * SECOND)
        return rested if self._failing else max(rested, self._refresh_at)

    def may_ask(self, now: int) -> bool:
        """Whether a request may have keys fetched: the cooldown is over since the last attempt, and since that ended.

        Else a request that has waited for an attempt longer than the cooldown would wait for a second one.
        """
        if self._attempted_at is None:
            return True
        return now >= max(self._attempted_at, self._ended_at) + int(self._times.cooldown * SECOND)

    def state(self, now: int) -> KeyState:
        """What the keys are worth."""
        if self._fetched_at is None:
            return KeyState.EMPTY
        if now >= self.usable_until:
            return KeyState.DEAD
        if now >= self._fresh_until:
            return KeyState.STALE
        return KeyState.AGING if now >= self._refresh_at else KeyState.FRESH

    def age(self, now: int) -> float | None:
        """Seconds since the keys were fetched; None while there are none."""
        return None if self._fetched_at is None else round((now - self._fetched_at) / SECOND, 3)
