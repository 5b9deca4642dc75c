"""What a reviewer of the cache and of batches found."""

import threading
from collections.abc import Iterator

import pytest
from support import (
    ABSENT,
    NOW,
    clock_at,
    compact,
    error_of,
    header,
    policy,
    secret_key,
    token,
    verification_key,
    verifier,
)

from jotgate import KeySet, TokenCache, Verifier
from jotgate._revoked import RevocationIndex

pytestmark = pytest.mark.usefixtures("frozen_clock")


def test_a_batch_never_accepts_what_is_revoked_while_the_index_is_rebuilt() -> None:
    index = RevocationIndex()
    texts = [token(jti=f"id-{number}") for number in range(500)]
    for number in range(500):
        index.revoke(f"id-{number}", NOW + 300)
    way_in = verifier(revocations=index, cache=None)
    done = threading.Event()

    def churn() -> None:
        number = 0
        while not done.is_set():
            index.revoke(f"over-{number}", NOW - 10_000)
            number += 1

    writer = threading.Thread(target=churn)
    writer.start()
    try:
        for _ in range(150):
            assert way_in.verify_batch(texts, threads=1).accepted == 0
    finally:
        done.set()
        writer.join()


def test_a_part_that_is_read_later_is_decided_by_the_keys_of_then() -> None:
    texts = [compact(header("HS256", kid=f"k{n}"), key=secret_key("HS256", n)) for n in (0, 1)]
    both = KeySet([verification_key("HS256", kid="k0"), verification_key("HS256", kid="k1", which=1)])
    way_in = Verifier(both, policy())

    def source() -> Iterator[str]:
        for _ in range(65_536):
            yield texts[0]
        way_in.replace_keys(KeySet([verification_key("HS256", kid="k0")]))
        yield texts[1]

    results = way_in.verify_batch(source())
    assert results[0].kid == "k0"
    assert results.code[-1] == "unknown_key"


def test_what_a_batch_remembers_lives_as_long_as_what_verify_remembers() -> None:
    for way_in, text in (
        (verifier(cache=TokenCache(ttl=10)), token()),
        (verifier(require=("iss", "aud")), token(exp=ABSENT)),
    ):
        way_in.verify_batch([text])
        with clock_at(NOW + 9):
            way_in.verify(text)
        assert way_in.stats()["hits"] == 1


def test_a_construction_that_failed_leaves_nothing_that_verifies() -> None:
    taken = verifier().cache
    index = RevocationIndex()
    index.revoke("id", NOW + 300)
    hollow = Verifier.__new__(Verifier)
    with pytest.raises(ValueError, match="one verifier"):
        hollow.__init__(verification_key("HS256"), policy(), cache=taken, revocations=index)
    assert error_of(lambda: hollow.verify(token(jti="id"))).code == "undecided"


def test_a_cache_is_not_taken_by_a_verifier_that_could_not_be_built() -> None:
    cache = TokenCache()
    with pytest.raises(ValueError, match="keys are objects"):
        Verifier("no keys", policy(), cache=cache)  # type: ignore[arg-type]
    assert Verifier(verification_key("HS256"), policy(), cache=cache).cache is cache
