"""Request traces for the study of eviction: deterministic, seeded, and each with a reason to be hard for some policy.

A request is `(time_s, token_id, size_bytes, expires_s)`. Honest tokens have ids below `ATTACKER`, the tokens of a flood
have ids from there on, so that the hit rate of honest users can be told apart. No trace asks for a token after it has
expired: a verifier rejects such a token before it looks at any policy of eviction.
"""

from __future__ import annotations

import bisect
import itertools
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

ATTACKER = 1 << 40
NEVER_S = 1e12
REQUESTS_A_SECOND = 50.0


class Request(NamedTuple):
    """One verification: when, which token, what the entry would take, and until when it may be believed."""

    time_s: float
    token_id: int
    size_bytes: int
    expires_s: float


@dataclass(frozen=True)
class Trace:
    """A named list of requests; `judged_from` is the first request of the flood, or 0 where there is none."""

    name: str
    requests: list[Request]
    judged_from: int = 0

    @property
    def footprint(self) -> int:
        """Return the number of distinct honest tokens."""
        return len({request.token_id for request in self.requests if request.token_id < ATTACKER})

    @property
    def mean_size(self) -> float:
        """Return the mean size of the distinct tokens, in bytes."""
        sizes = {request.token_id: request.size_bytes for request in self.requests}
        return sum(sizes.values()) / len(sizes)

    def head(self, count: int) -> Trace:
        """Return the first `count` requests, for tests that have seconds and not minutes."""
        return Trace(self.name, self.requests[:count], min(self.judged_from, count))


def _rng(seed: int) -> random.Random:
    """Return a generator; TRACE_SEED in the environment makes other traces of the same kinds."""
    return random.Random(seed + int(os.environ.get("TRACE_SEED", "0")))


def _size(token: int) -> int:
    """Return 700 to 1099 bytes, fixed for a token."""
    return 700 + token * 2654435761 % 2**32 % 400


def _zipf(rng: random.Random, population: int, alpha: float) -> Callable[[], int]:
    """Return a sampler of 0..population-1, rank r with a weight of (r + 1) ** -alpha, ranks shuffled over the ids."""
    cumulative = list(itertools.accumulate((rank + 1) ** -alpha for rank in range(population)))
    ids = list(range(population))
    rng.shuffle(ids)
    total = cumulative[-1]
    return lambda: ids[bisect.bisect_left(cumulative, rng.random() * total)]


def _lasting(name: str, tokens: Iterator[int], count: int) -> Trace:
    """Return `count` of the tokens as a trace in which nothing expires."""
    clock = itertools.count()
    return Trace(
        name,
        [Request(next(clock) / REQUESTS_A_SECOND, t, _size(t), NEVER_S) for t in itertools.islice(tokens, count)],
    )


def zipf(alpha: float, count: int = 100_000) -> Trace:
    """Independent users, a few of them busy."""
    sample = _zipf(_rng(1), 10_000, alpha)
    return _lasting(f"zipf-{alpha}", iter(sample, -1), count)


def scan(alpha: float, count: int = 120_000) -> Trace:
    """Zipf, and after each 12 000 requests one pass over 4 000 tokens never seen before or after."""
    sample = _zipf(_rng(2), 8_000, alpha)

    def tokens() -> Iterator[int]:
        fresh = itertools.count(1_000_000)
        while True:
            yield from itertools.islice(iter(sample, -1), 12_000)
            yield from itertools.islice(fresh, 4_000)

    return _lasting(f"zipf-{alpha}+scan", tokens(), count)


def scan_mixed(count: int = 120_000) -> Trace:
    """Zipf with a slow crawler in between: every third request is a token never seen before or after."""
    sample = _zipf(_rng(3), 8_000, 0.9)
    fresh = itertools.count(1_000_000)
    return _lasting("zipf-0.9+crawler", (next(fresh) if n % 3 == 2 else sample() for n in itertools.count()), count)


def loops(count: int = 100_000) -> Trace:
    """Four loops over 5.5, 22, 66 and 100 % of the tokens: each a little larger than one of the caches."""

    def tokens() -> Iterator[int]:
        for length in (275, 1_100, 3_300, 5_000):
            for n in range(count // 4):
                yield n % length

    return _lasting("loops", tokens(), count)


def loop_zipf(count: int = 100_000) -> Trace:
    """Half a loop over 2 500 tokens (a cron that walks all its accounts), half Zipf users."""
    sample = _zipf(_rng(4), 5_000, 1.0)
    return _lasting("loop+zipf", (n // 2 % 2_500 + 1_000_000 if n % 2 else sample() for n in itertools.count()), count)


def shift_abrupt(count: int = 120_000) -> Trace:
    """Eight phases, each with 1 500 users of its own (Zipf 0.8); nobody comes back."""
    rng = _rng(5)

    def tokens() -> Iterator[int]:
        for phase in itertools.count():
            sample = _zipf(rng, 1_500, 0.8)
            for _ in range(count // 8):
                yield phase * 1_500 + sample()

    return _lasting("shift-abrupt", tokens(), count)


def shift_gradual(count: int = 120_000) -> Trace:
    """2 000 users at a time (Zipf 0.8); in each 15 requests one leaves for good and a new one comes."""
    rng = _rng(6)
    sample = _zipf(rng, 2_000, 0.8)
    present = list(range(2_000))
    fresh = itertools.count(2_000)

    def tokens() -> Iterator[int]:
        for n in itertools.count():
            if n % 15 == 14:
                present[rng.randrange(2_000)] = next(fresh)
            yield present[sample()]

    return _lasting("shift-gradual", tokens(), count)


def shift_day(count: int = 120_000) -> Trace:
    """Three regions of 2 000 users (Zipf 0.9) that wake and sleep in turn, twice around; a tenth are awake always."""
    rng = _rng(7)
    samples = [_zipf(rng, 2_000, 0.9) for _ in range(3)]

    def tokens() -> Iterator[int]:
        for n in itertools.count():
            region = n // (count // 6) % 3
            if rng.random() < 0.1:
                region = rng.randrange(3)
            yield region * 2_000 + samples[region]()

    return _lasting("shift-day", tokens(), count)


def recency(count: int = 100_000) -> Trace:
    """The home ground of LRU: 80 % reuse a recent token (stack distance log-uniform), 20 % a new token."""
    rng = _rng(8)

    def tokens() -> Iterator[int]:
        seen: list[int] = []
        fresh = itertools.count()
        while True:
            if not seen or rng.random() < 0.2:
                token = next(fresh)
            else:
                token = seen[-min(len(seen), int(2 ** (rng.random() * 14)))]
            seen.append(token)
            yield token

    return _lasting("recency", tokens(), count)


def bursts(count: int = 120_000) -> Trace:
    """4 000 users (Zipf 0.7); each visit is 3 to 8 calls of one token, interleaved with some 20 other visits."""
    rng = _rng(9)
    sample = _zipf(rng, 4_000, 0.7)
    return _lasting("bursts", _bursts(rng, sample), count)


def bursts_fresh(count: int = 120_000) -> Trace:
    """Bursts as a single-page application makes them, and two visits of three come with a token never seen again."""
    rng = _rng(10)
    sample = _zipf(rng, 3_000, 0.8)
    fresh = itertools.count(1_000_000)
    return _lasting("bursts-fresh", _bursts(rng, lambda: sample() if rng.random() < 0.33 else next(fresh)), count)


def _bursts(rng: random.Random, sample: Callable[[], int]) -> Iterator[int]:
    """Yield the calls of 20 visits at a time, in a random order."""
    active: list[list[int]] = []
    while True:
        while len(active) < 20:
            active.append([sample(), rng.randint(3, 8)])
        place = rng.randrange(20)
        visit = active[place]
        yield visit[0]
        visit[1] -= 1
        if not visit[1]:
            active[place] = active[-1]
            active.pop()


def one_hit_wonders(count: int = 120_000) -> Trace:
    """Of the tokens 70 % are used once: Zipf users, and between them tokens that never come back."""
    sample = _zipf(_rng(11), 9_000, 0.9)
    fresh = itertools.count(1_000_000)
    # 120 000 requests: about 7 500 of the 9 000 users are seen, and 17 500 tokens come once.
    rng = _rng(12)
    return _lasting("one-hit", iter(lambda: next(fresh) if rng.random() < 0.146 else sample(), -1), count)


def sizes(alpha: float, count: int = 100_000) -> Trace:
    """Zipf users whose tokens take 300 to 3 000 bytes, whatever their popularity."""
    base = zipf(alpha, count)
    return Trace(
        f"sizes-{alpha}",
        [r._replace(size_bytes=300 + r.token_id * 2654435761 % 2**32 % 2_701) for r in base.requests],
    )


class _Users:
    """Zipf users whose tokens live 300 to 900 s; who comes after that has a new token with a new id."""

    def __init__(self, rng: random.Random, population: int, alpha: float) -> None:
        self._rng = rng
        self._sample = _zipf(rng, population, alpha)
        self._tokens: dict[int, tuple[int, float]] = {}
        self._fresh = itertools.count()

    def user(self) -> int:
        """Return a user who comes now."""
        return self._sample()

    def request(self, now: float, user: int) -> Request:
        """Return the user's request, with a new token where the old one is about to expire."""
        token, expires = self._tokens.get(user, (0, 0.0))
        if expires <= now + 1.0:
            token, expires = next(self._fresh), now + self._rng.uniform(300.0, 900.0)
            self._tokens[user] = token, expires
        return Request(now, token, _size(token), expires)


def expiry(alpha: float, count: int = 120_000) -> Trace:
    """Users whose tokens are replaced every 5 to 15 minutes, for an hour and a half."""
    rng = _rng(13)
    users = _Users(rng, 3_000, alpha)
    return Trace(f"expiry-{alpha}", [users.request(n / 20.0, users.user()) for n in range(count)])


def expiry_bursts(count: int = 120_000) -> Trace:
    """Tokens replaced every 5 to 15 minutes, each visit 3 to 8 calls of one user."""
    rng = _rng(14)
    users = _Users(rng, 3_000, 0.7)
    calls = _bursts(rng, users.user)
    return Trace("expiry-bursts", [users.request(n / 20.0, next(calls)) for n in range(count)])


def flood(times: int, uses: int = 1, spaced: bool = False, dies: bool = False) -> Trace:
    """Honest Zipf users, and from a quarter on an attacker who mints valid tokens.

    Args:
        times: requests of the attacker for each honest one.
        uses: how often each token of the attacker is used.
        spaced: a token's uses lie up to 1 000 requests of the attacker apart, instead of one behind the other.
        dies: the honest tokens live 300 to 900 s, the attacker's 900 s; otherwise nothing expires.
    """
    rng = _rng(15)
    honest = 20_000 if times < 20 else 8_000
    begins = honest // 4
    users = _Users(rng, 800, 0.9)
    sample = _zipf(rng, 800, 0.9)
    minted = _minted(_rng(16), uses, spaced)
    requests: list[Request] = []
    judged_from = 0
    ends = begins + min(honest, 220_000 // times)
    for n in range(min(honest, ends)):
        now = n / 5.0
        if n == begins:
            judged_from = len(requests)
        if dies:
            requests.append(users.request(now, users.user()))
        else:
            token = sample()
            requests.append(Request(now, token, _size(token), NEVER_S))
        if n >= begins:
            life = 900.0 if dies else NEVER_S
            requests.extend(Request(now, t, _size(t), now + life) for t in itertools.islice(minted, times))
    kind = "flood" if uses == 1 else f"flood-{uses}uses-{'spaced' if spaced else 'row'}"
    return Trace(f"{'expiry+' if dies else ''}{kind}-{times}x", requests, judged_from)


def _minted(rng: random.Random, uses: int, spaced: bool) -> Iterator[int]:
    """Yield the attacker's tokens, each `uses` times."""
    if not spaced:
        for token in itertools.count(ATTACKER):
            yield from itertools.repeat(token, uses)
    pending: list[int] = []
    fresh = itertools.count(ATTACKER)
    while True:
        while len(pending) < 1_000:
            pending.extend([next(fresh)] * uses)
        place = rng.randrange(len(pending))
        pending[place], pending[-1] = pending[-1], pending[place]
        yield pending.pop()


def without_flood(trace: Trace) -> Trace:
    """Return the honest requests alone, judged over the same time."""
    honest = [r for r in trace.requests if r.token_id < ATTACKER]
    before = sum(r.token_id < ATTACKER for r in trace.requests[: trace.judged_from])
    return Trace(f"{trace.name} (no flood)", honest, before)


TRACES: dict[str, Callable[[], Trace]] = {
    "zipf-0.6": lambda: zipf(0.6),
    "zipf-0.8": lambda: zipf(0.8),
    "zipf-1.0": lambda: zipf(1.0),
    "zipf-1.2": lambda: zipf(1.2),
    "zipf-0.7+scan": lambda: scan(0.7),
    "zipf-1.0+scan": lambda: scan(1.0),
    "zipf-0.9+crawler": scan_mixed,
    "loops": loops,
    "loop+zipf": loop_zipf,
    "shift-abrupt": shift_abrupt,
    "shift-gradual": shift_gradual,
    "shift-day": shift_day,
    "recency": recency,
    "bursts": bursts,
    "bursts-fresh": bursts_fresh,
    "one-hit": one_hit_wonders,
    "sizes-0.8": lambda: sizes(0.8),
    "sizes-1.0": lambda: sizes(1.0),
    "expiry-0.7": lambda: expiry(0.7),
    "expiry-1.0": lambda: expiry(1.0),
    "expiry-bursts": expiry_bursts,
    "flood-1x": lambda: flood(1),
    "flood-10x": lambda: flood(10),
    "flood-50x": lambda: flood(50),
    "flood-2uses-row-10x": lambda: flood(10, 2),
    "flood-4uses-row-10x": lambda: flood(10, 4),
    "flood-2uses-spaced-10x": lambda: flood(10, 2, spaced=True),
    "flood-4uses-spaced-10x": lambda: flood(10, 4, spaced=True),
    "expiry+flood-1x": lambda: flood(1, dies=True),
    "expiry+flood-10x": lambda: flood(10, dies=True),
    "expiry+flood-50x": lambda: flood(50, dies=True),
}
