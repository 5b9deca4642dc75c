"""Threads over one cache: honest and foreign tokens, keys replaced, everything cleared, claims read, all at once.

Then a stampede: many threads bring one new token in the same moment, and it is checked as often as the backend allows.
"""

import sys
import threading

from measure import code_of, failures, guarded, run_all
from support import NOW, claims, clock_at, compact, header, policy, secret_key, token, verification_key, verifier

from jotgate import KeySet, TokenCache, Verifier
from jotgate._revoked import RevocationIndex

sys.setswitchinterval(1e-5)
ROUNDS = 3_000


def everything_at_once() -> None:
    def text(kid: str, which: int, number: int, **more) -> str:
        return compact(header("HS256", kid=kid), dict(token_claims(number), **more), key=secret_key("HS256", which))

    def token_claims(number: int) -> dict:
        return claims(jti=f"j{number}", x=["y" * (number % 50), {"n": number}])

    stays = [text("k0", 0, number) for number in range(200)]
    comes_and_goes = [text("k1", 1, number) for number in range(200)]
    foreign = [text("k0", 1, number) for number in range(50)] + [text("k2", 0, number) for number in range(50)]
    revoked = [text("k0", 0, number) for number in range(1_000, 1_020)]
    index = RevocationIndex()
    for number in range(1_000, 1_020):
        index.revoke(f"j{number}", NOW + 1_000)
    k0, k1 = verification_key("HS256", kid="k0"), verification_key("HS256", kid="k1", which=1)
    sets = [KeySet([k0, k1]), KeySet([k0])]
    cache = TokenCache(max_bytes=128 << 10)
    way_in = Verifier(sets[0], policy(), cache=cache, revocations=index)
    done = threading.Event()
    seen: set[str | None] = set()

    def verify(start: int) -> None:
        for number in range(start, start + ROUNDS):
            made = way_in.verify(stays[number * 7 % 200])
            if number % 3 == 0:
                assert made.claims["x"][1]["n"] == number * 7 % 200
            assert made.token_id == f"j{number * 7 % 200}"
            verdict = code_of(lambda number=number: way_in.verify(comes_and_goes[number % 200]))
            assert verdict in (None, "unknown_key"), verdict
            seen.add(verdict)
            verdict = code_of(lambda number=number: way_in.verify(foreign[number % 100]))
            assert verdict == ("bad_signature" if number % 100 < 50 else "unknown_key")
            assert code_of(lambda number=number: way_in.verify(revoked[number % 20])) == "revoked"

    def disturb() -> None:
        number = 0
        while not done.is_set():
            way_in.replace_keys(sets[number & 1])
            if number % 50 == 0:
                cache.clear()
            if number % 5 == 0:
                index.revoke(f"nobody-{number}", NOW + 1_000)
            found = cache.stats()
            assert found["bytes"] <= cache.max_bytes, found
            number += 1

    disturber = guarded(disturb)
    disturber.start()
    try:
        run_all([guarded(lambda start=start: verify(start * 31)) for start in range(8)])
    finally:
        done.set()
        disturber.join()
    assert seen == {None, "unknown_key"}, seen
    assert cache.stats()["hits"] > 0
    if failures:
        raise SystemExit("\n".join(failures[:10]))


def stampede(alg: str, threads: int = 64) -> None:
    """Everybody gets the same token. With a lane it is checked a few times at most; who waited found it."""
    way_in = verifier(alg)
    in_lane = way_in.stats()["backend"][alg] == "libcrypto"
    for number in range(5):
        text = token(alg, jti=str(number))
        before = way_in.stats()["misses"]
        barrier = threading.Barrier(threads)
        made = []

        def bring(text=text, barrier=barrier, made=made) -> None:
            barrier.wait()
            made.append(way_in.verify(text))

        run_all([guarded(bring) for _ in range(threads)])
        misses = way_in.stats()["misses"] - before
        assert len(made) == threads
        assert len({id(each.payload) for each in made}) <= misses
        assert 1 <= misses <= (4 if in_lane else threads)
        assert way_in.verify(text) is way_in.verify(text)
    found = way_in.stats()
    assert found["cache_entries"] == 5
    assert found["hits"] + found["misses"] == 5 * threads + 10
    print(f"{alg}: {found['misses']} of {5 * threads} looks missed, 5 at the least")


with clock_at(NOW):
    everything_at_once()
    stampede("ES256")
    stampede("RS256")
