"""The real cache on the traces of `bench/eviction`, request by request beside true LRU."""

import sys
from pathlib import Path

from support import AUDIENCE, ISSUER, compact, header, policy, verification_key

from jotgate import TokenCache, Verifier, _clock

sys.path.append(str(Path(__file__).parents[1] / "bench" / "eviction"))

from policies import LRU
from traces import ATTACKER, TRACES, Trace, without_flood

__all__ = ["TRACES", "replay", "without_flood"]

EPOCH = 1_800_000_000
FAR = 1_000_000_000  # seconds; "never" for a trace of hours


def replay(trace: Trace, entries: int) -> tuple[int, int, int]:
    """Return the honest requests that count, and how many of them the cache and true LRU had.

    Only the number of entries binds; what a token's size would do is the simulators' part.
    """
    verifier = Verifier(verification_key("HS256"), policy(), cache=TokenCache(max_entries=entries, max_bytes=1 << 34))
    lru = LRU(entries, 1 << 60)
    texts: dict[int, str] = {}
    last: dict[int, object] = {}
    asked = had = lru_had = 0
    for number, (time_s, token, _, expires_s) in enumerate(trace.requests):
        text = texts.get(token)
        if text is None:
            expires = EPOCH + min(int(expires_s), FAR)
            text = texts[token] = compact(header("HS256"), _claims(token, expires))
        _clock.set_wall_clock_for_tests(int((EPOCH + time_s) * 1e9))
        verified = verifier.verify(text)
        lru_hit = lru.request(time_s, token, 1, float(min(int(expires_s), FAR)))
        if token < ATTACKER and number >= trace.judged_from:
            asked += 1
            had += verified is last.get(token)
            lru_had += lru_hit
        last[token] = verified
    _clock.set_wall_clock_for_tests(None)
    assert len(verifier.cache) <= entries
    return asked, had, lru_had


def _claims(token: int, expires: int) -> bytes:
    return f'{{"iss":"{ISSUER}","aud":"{AUDIENCE}","exp":{expires},"jti":"{token}"}}'.encode()
