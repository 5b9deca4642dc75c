"""What the cache does to a verification: a known token, its claims read, and a new token that pushes out an old one."""

import itertools
import time

import ours
import ours_hit
import ours_hit_claims
import pytest
from tokens import LONGER_PAYLOAD_BYTES, Signer, claims_set, make_corpus

from jotgate import TokenCache
from jotgate.errors import JotgateError


@pytest.fixture(scope="module")
def known():
    """Return 500 tokens of 700 characters."""
    return make_corpus("HS256", 500, LONGER_PAYLOAD_BYTES)


@pytest.mark.parametrize("adapter", [ours_hit, ours_hit_claims], ids=["verify", "verify_and_read"])
def test_hit(adapter, known, per_item):
    call = adapter.bind("HS256", known.key)
    for _ in range(2):
        for text, token in zip(known.fresh(500), known.signed, strict=True):
            assert ours.claims(call(text)) == token.claims
    for twin in known.twins.values():
        with pytest.raises(JotgateError):
            call(twin.decode())
    per_item(call, lambda: known.fresh(500))


def test_miss_and_insertion(per_item):
    signer = Signer("HS256")
    now = int(time.time())
    cache = TokenCache(max_bytes=1 << 20)
    verify = ours.verifier("HS256", signer.key, cache=cache).verify
    signed = [signer.sign(claims_set(now)) for _ in range(8192)]
    for token in signed:
        assert ours.claims(verify(token.text.decode())) == token.claims
    full = cache.stats()
    assert full["evictions"] > full["entries"]
    blobs = itertools.cycle([token.text for token in signed])
    per_item(verify, lambda: [str(next(blobs), "ascii") for _ in range(512)])
    # by the time a token comes again, it has long left
    assert cache.stats()["hits"] == full["hits"]
