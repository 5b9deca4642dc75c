"""Whatever was taken back, and whatever a token says: the index agrees with the reference."""

import json
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from reference.revocation import LAST, verdict
from support import AUDIENCE, ISSUER, NOW, clock_at, compact, header, policy, verification_key

from jotgate import ANY, Verifier
from jotgate._revoked import RevocationIndex
from jotgate.errors import JotgateError

OTHER = "https://other.example.com/ü"
NEVER = 253_402_300_799
NAMES = ["", "a", "b", "ab", "é", "0123456789abcdef", "0123456789abcdeg", "x" * 300]

issuers = st.sampled_from(["", ISSUER, OTHER, "https://third.example.com"])
moments = st.one_of(
    st.integers(NOW - 3, NOW + 3), st.sampled_from([0, 1, LAST - 1, LAST, LAST + 1, NEVER, NEVER + 1, 2**63 - 1])
)
epochs = st.sampled_from([0, 1, 2, 3, 10**15 - 1, 10**15])
rules = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["jti", "sub", "sid"]), issuers, st.sampled_from(NAMES), moments, st.just(NOW + 5_000)
        ),
        st.tuples(st.just("epoch"), issuers, st.just(""), epochs, st.just(NEVER)),
        st.tuples(st.just("key"), st.just(""), st.sampled_from(NAMES), st.just(0), st.just(NEVER)),
    ),
    max_size=8,
)
dates = st.one_of(
    st.integers(NOW - 3, NOW),
    st.sampled_from([0, NOW - 0.5, NOW - 1.5, NOW - 1e-6]),
    st.decimals(NOW - 3, NOW, places=9, allow_nan=False),
)
written_epochs = st.one_of(epochs, st.sampled_from([10**15 + 1, 2**63, -1, -0.0, 1.0, "1", None, True, [1]]))
claims = st.fixed_dictionaries(
    {"iss": st.sampled_from([ISSUER, OTHER]), "aud": st.just(AUDIENCE), "exp": st.just(NOW + 300)},
    optional={
        "jti": st.sampled_from(NAMES),
        "sub": st.sampled_from(NAMES),
        "sid": st.one_of(st.sampled_from(NAMES), st.sampled_from([1, None, True, ["a"], {"a": "a"}])),
        "iat": dates,
        "epoch": written_epochs,
    },
)


def written(token: dict[str, Any], escaped: bool) -> str:
    """Write it as JSON, numbers with all their digits, in one spelling of strings or the other."""
    place = "a place for a number"
    text = json.dumps({k: place if isinstance(v, Decimal) else v for k, v in token.items()}, ensure_ascii=escaped)
    text = text.replace(json.dumps(place), f"{token.get('iat')}")
    if escaped:
        text = text.replace('"a"', '"\\u0061"')
    return compact(header("HS256"), text.encode())


def found(way_in: Verifier, text: str) -> tuple[str, str | None]:
    try:
        way_in.verify(text)
    except JotgateError as error:
        return error.code, error.claim
    return "accepted", None


@settings(max_examples=1500)
@given(rules, claims, st.booleans(), st.integers(0, 8))
def test_the_index_says_what_the_rules_say(taken_back: Any, token: Any, escaped: bool, cut: int) -> None:
    text = written(token, escaped)
    index = RevocationIndex()
    plain = {"algorithms": ("HS256",)}
    with clock_at(NOW):
        bare = policy(*plain["algorithms"], issuer=ANY)
        remembering = Verifier(verification_key("HS256"), bare, revocations=index)
        forgetful = Verifier(verification_key("HS256"), bare, revocations=index, cache=None)
        for part in (taken_back[:cut], taken_back[cut:]):  # the second time the token is remembered, or refused
            index.merge(part)
            expected = verdict(index.rules(), token)
            assert found(remembering, text) == expected
            assert found(remembering, text) == expected
            assert found(forgetful, text) == expected
            assert forgetful.verify_batch([text]).code == (expected[0],)
            assert remembering.verify_batch([text, text]).code == (expected[0],) * 2
        assert verdict(taken_back, token) == expected
        joined: dict[Any, Any] = {}
        for kind, issuer, name, value, until in taken_back:
            before = joined.get((kind, issuer, name), (0, 0))
            kept = 0 if kind in ("jti", "key") else value if kind == "epoch" or value < LAST else NEVER
            joined[kind, issuer, name] = max(before[0], kept), max(before[1], until)
        assert {rule[:3]: rule[3:] for rule in index.rules()} == joined
        assert len(index) == len(joined) == sum(index.counts().values())
        assert index.distrusted == {name for kind, _, name, _, _ in taken_back if kind == "key"}
