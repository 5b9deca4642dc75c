"""ext/jotgate/_claims.pyx: what it shows to Python. The checks themselves are tested through verifiers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ABSENT, AUDIENCE, NOW, claims, clock_at, compact, dumps, header, outcome, policy, verification_key

from jotgate import Policy, Verifier
from jotgate._claims import check_claims

POLICIES = [
    policy("HS256"),
    policy("HS256", leeway=30, max_age=60),
    policy("HS256", max_lifetime=300, require=["iat", "nonce", "jti"]),
    policy("HS256", subject="x", authorized_party=["app", "web"]),
]
VALUES = st.sampled_from(
    [ABSENT, NOW, NOW + 1, NOW - 61, NOW + 301, NOW + 0.5, -1, 1e300, "x", "app", AUDIENCE, None, True, [AUDIENCE], []]
)


def same(demands: Policy, payload: bytes) -> None:
    """Assert that the claims alone are decided on as the whole token is."""
    verifier = Verifier(verification_key("HS256"), demands, cache=None)
    with clock_at(NOW):
        whole = outcome(lambda: verifier.verify(compact(header("HS256"), payload)))
    alone = outcome(lambda: check_claims(demands._compiled, payload, NOW * 1_000_000_000))
    assert type(whole) is type(alone)
    assert whole is None or alone is None or whole.args == alone.args


@given(
    demands=st.sampled_from(POLICIES),
    **dict.fromkeys(("exp", "nbf", "iat", "sub", "aud", "azp", "jti", "nonce"), VALUES),
)
def test_a_payload_is_decided_on_as_a_verifier_would(demands: Policy, **changes: Any) -> None:
    same(demands, dumps(claims(**changes)))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"{",
        b'{"a":1,"a":2}',
        b'{"iss":"a","iss":"b"}',
        b'{"a":18446744073709551616}',
        b'{"a":"\\ud800"}',
        b"\xef\xbb\xbf{}",
        b"{}",
        b'{"a":' * 40 + b"1" + b"}" * 40,
        dumps(claims()) + b" ",
        dumps(claims()),
    ],
)
def test_so_is_what_is_no_json_of_ours(payload: bytes) -> None:
    same(POLICIES[0], payload)


def test_types() -> None:
    for wrong in ("{}", bytearray(b"{}"), None):
        with pytest.raises(TypeError):
            check_claims(POLICIES[0]._compiled, wrong, 0)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        check_claims(None, b"{}", 0)  # type: ignore[arg-type]
