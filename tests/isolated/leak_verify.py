"""Verifying leaks neither memory nor references."""

import sys

from measure import assert_steady
from support import ISSUER, NOW, clock_at, policy, token, verification_key, verifier

from jotgate import Verifier

with clock_at(NOW):
    for alg, rounds in (("HS256", 200_000), ("HS512", 20_000), ("RS256", 4_000), ("PS256", 2_000), ("ES256",
    2_000),
                        ("ES512", 500), ("Ed25519", 1_000), ("Ed448", 500), ("ML-DSA-44", 300)):  # fmt: skip
        way_in, text = verifier(alg), token(alg)
        for form in (text, text.encode()):
            assert_steady(
                f"verify {alg} {type(form).__name__}",
                lambda form=form, way_in=way_in: way_in.verify(form),
                rounds,
            )

    several = Verifier({ISSUER: (verification_key("HS256"), policy())})
    text = token()
    assert_steady("verify with several issuers", lambda: several.verify(text), 100_000)

    way_in = verifier()
    texts = [token(x=number) for number in range(1000)]
    assert_steady("verify a thousand different tokens", lambda: [way_in.verify(text) for text in texts], 50)

    held = verifier()
    counted = [text, None, held, type(held)]
    before = [sys.getrefcount(thing) for thing in counted]
    for _ in range(10_000):
        held.verify(text)
    after = [sys.getrefcount(thing) for thing in counted]
    for one, other in zip(before, after, strict=True):
        assert abs(one - other) < 20, (before, after)
