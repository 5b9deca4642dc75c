"""B19, J3 and J4: what hostile tokens, and verifiers beside each other, can make of keys that are fetched."""

import asyncio
import threading

from publisher import A, B, Publisher, stopped_monotonic
from support import AUDIENCE, ISSUER, compact, header, policy, refuses

from jotgate import Verifier, jws

CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "exp": 32503680000}
TEXT = jws.sign(CLAIMS, A)
_, PAYLOAD, SIGNATURE = TEXT.split(".")


def named(kid: str) -> str:
    return f"{compact(header('ES256', kid=kid), alg='HS256').split('.')[0]}.{PAYLOAD}.{SIGNATURE}"


def test_j3_random_kids_cause_one_fetch_a_cooldown_and_no_memory() -> None:
    publisher = Publisher(A)
    with publisher.keys() as remote, Verifier(remote, policy("ES256")) as way_in, stopped_monotonic() as clock:
        assert way_in.verify(TEXT)
        for cooldown in range(2):
            for number in range(50_000):
                refuses(way_in, named(f"{cooldown}-{number}"), "unknown_key")
            assert len(publisher.calls) == 1 + cooldown
            clock.forward(31)
        assert way_in.verify_batch([named(f"b{number}") for number in range(10_000)]).counts == {"unknown_key": 10_000}
        assert len(publisher.calls) == 3
        assert way_in.verify(TEXT)
        assert way_in.stats()["cache_entries"] == 1


def test_j4_fetches_that_end_while_others_begin_and_waiters_that_give_up() -> None:
    publisher = Publisher(A)
    with publisher.keys(cooldown=0) as remote, Verifier(remote, policy("ES256")) as way_in:
        stop = threading.Event()

        def refresh() -> None:
            turn = 0
            while not stop.is_set():
                turn += 1
                publisher.publish(*((A, B) if turn % 2 else (A,)))
                remote.refresh()

        async def impatient() -> None:
            for number in range(300):
                waiting = asyncio.create_task(way_in.verify_async(named(f"k{number}")))
                await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
                assert (await way_in.verify_async(TEXT)).kid == "a"

        threads = [threading.Thread(target=refresh) for _ in range(3)]
        for thread in threads:
            thread.start()
        asyncio.run(impatient())
        stop.set()
        for thread in threads:
            thread.join()
        assert way_in.verify(TEXT).kid == "a"
        assert remote.stats()["failed"] == 0


def test_b19_each_verifier_decides_by_its_own_policy_on_keys_that_another_fetched() -> None:
    publisher = Publisher(A)
    with publisher.keys() as remote:
        lax = Verifier(remote, policy("ES256", audience="anybody", typ=None))
        strict = Verifier(remote, policy("ES256", typ="at+jwt"))
        other = Verifier(remote, policy("RS256"))
        for way_in in (lax, strict, other, lax, strict, other):
            code = {lax: "wrong_audience", strict: "invalid_claim", other: "algorithm_not_allowed"}[way_in]
            refuses(way_in, TEXT, code)
        access = jws.sign(CLAIMS, A, header={"typ": "at+jwt"})
        assert strict.verify(access)
        refuses(other, access, "algorithm_not_allowed")
    assert len(publisher.calls) == 1
