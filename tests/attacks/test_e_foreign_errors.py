"""Group E, row 13: only errors of ours leave, whatever goes in."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support import (
    NOW,
    clock_at,
    compact,
    doors,
    header,
    outcome,
    resign,
    verification_key,
)

from jotgate import errors, jws, unverified

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
NAMES = st.sampled_from(["alg", "kid", "typ", "crit", "b64", "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "azp"])


DOORS = list(doors("HS256").values())


def only_our_errors(text: Any) -> None:
    """Assert that a text is accepted or refused; anything else goes through and fails the test."""
    with clock_at(NOW):
        for way_in in DOORS:
            error = outcome(lambda way_in=way_in: way_in.verify(text))
            assert error is None or isinstance(error, errors.TokenError)
        error = outcome(lambda: unverified.peek(text))
        assert error is None or error.code in ("malformed", "too_large")


@given(st.binary(max_size=300) | st.text(max_size=300) | st.text(alphabet="aA0-_.=+/ \n", max_size=60))
def test_e13_any_text(text: Any) -> None:
    only_our_errors(text)


@given(JSON | st.dictionaries(NAMES, JSON), JSON | st.dictionaries(NAMES, JSON))
def test_e13_any_json_signed_or_not(head: Any, payload: Any) -> None:
    raw = [json.dumps(part, ensure_ascii=True).encode() for part in (head, payload)]
    only_our_errors(compact(raw[0], raw[1]))
    only_our_errors(compact({"alg": "HS256"}, raw[1]))
    if isinstance(head, dict):
        only_our_errors(compact(head | {"alg": "HS256"}))


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_e13_any_bytes_signed(head: bytes, payload: bytes) -> None:
    only_our_errors(compact(head, payload))
    only_our_errors(compact(header("HS256"), payload))
    only_our_errors(resign(f"{head.hex()}.{payload.hex()}"))
    verified = jws.verify(compact(header("HS256"), payload), verification_key("HS256"), algorithms=["HS256"])
    assert verified.payload == payload
