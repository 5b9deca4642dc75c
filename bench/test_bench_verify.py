"""Cold verification by algorithm: alone, with the claims read, and the bare primitive as the floor beneath
it."""

import ours
import ours_claims
import primitive
import pytest
from tokens import ALGORITHMS

from jotgate.errors import ExpiredTokenError, InvalidSignatureError, JotgateError, WrongAudienceError

REASONS = {
    "tampered": InvalidSignatureError,
    "wrong audience": WrongAudienceError,
    "expired": ExpiredTokenError,
}
CALLS = {"HS256": 512, "RS256": 64, "ES256": 64, "EdDSA": 64}


def check(call, corpus):
    """Check the answers of the call about to be timed, and that the twin of each kind is refused for its own
    reason."""
    for text, token in zip(corpus.fresh(len(corpus.signed)), corpus.signed, strict=True):
        assert ours.claims(call(text)) == token.claims
    for name, twin in corpus.twins.items():
        with pytest.raises(REASONS.get(name, JotgateError)):
            call(twin.decode())


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize("adapter", [ours, ours_claims], ids=["verify", "verify_and_read"])
def test_verification(adapter, alg, corpus_of, per_item):
    corpus = corpus_of(alg)
    call = adapter.bind(alg, corpus.key)
    check(call, corpus)
    per_item(call, lambda: corpus.fresh(CALLS[alg]))


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_floor(alg, corpus_of, per_item):
    corpus = corpus_of(alg)
    call = primitive.bind(alg, corpus.key)
    items = [primitive.parts(alg, token.signing_input, token.signature) for token in corpus.signed]
    data, signature = items[0]
    with pytest.raises(primitive.InvalidSignature):
        call((data + b"x", signature))
    per_item(call, lambda: items * (CALLS[alg] // len(items)))
