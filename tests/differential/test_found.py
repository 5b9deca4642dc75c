"""Tokens on which engine and oracle once disagreed, or easily could: each with the verdict it must get."""

from typing import Any

import pytest
import reference
from support import AUDIENCE, ISSUER, NOW, b64u, clock_at, secret_key, sign

from jotgate import Policy, Verifier
from jotgate.errors import JotgateError

from . import tokens

Verdict = tuple[str, str | None] | None
"""Code and claim of a refusal; None for an accepted token."""

RIGHT = b'"iss":"%s","aud":"%s"' % (ISSUER.encode(), AUDIENCE.encode())

# header, payload without iss and aud, kid of the key, options of the policy, verdict
FOUND: dict[str, tuple[bytes, bytes, str | None, dict[str, Any], Verdict]] = {
    # Encoders of other languages escape the solidus; RFC 7515 section 5.3: values are compared unescaped.
    "typ_with_an_escaped_solidus": (
        b'{"alg":"HS256","typ":"application\\/at+jwt"}',
        b'"exp":1700000001',
        None,
        {"typ": "at+jwt"},
        None,
    ),
    "typ_with_an_escaped_letter": (
        b'{"alg":"HS256","typ":"at+jw\\u0074"}',
        b'"exp":1700000001',
        None,
        {"typ": "at+jwt"},
        None,
    ),
    "kid_is_measured_unescaped": (
        b'{"alg":"HS256","kid":"' + b"\\u00e9" * 128 + b'"}',
        b'"exp":1700000001',
        "é" * 128,
        {},
        None,
    ),
    "kid_too_long_unescaped": (
        b'{"alg":"HS256","kid":"' + b"\\u00e9" * 129 + b'"}',
        b'"exp":1700000001',
        None,
        {},
        ("malformed", None),
    ),
    "exp_a_ten_billionth_after_now": (
        b'{"alg":"HS256"}',
        b'"exp":1700000000.0000000001',
        None,
        {},
        None,
    ),
    "exp_written_with_an_exponent": (b'{"alg":"HS256"}', b'"exp":17e8', None, {}, ("expired", "exp")),
    "iat_a_ten_billionth_after_now": (
        b'{"alg":"HS256"}',
        b'"exp":1700000001,"iat":1700000000.0000000001',
        None,
        {},
        ("invalid_claim", "iat"),
    ),
    "nbf_a_ten_billionth_after_leeway": (
        b'{"alg":"HS256"}',
        b'"exp":1700000001,"nbf":1700000010.0000000001',
        None,
        {"leeway": 10},
        ("not_yet_valid", "nbf"),
    ),
    "exp_smaller_than_any_double_and_negative": (
        b'{"alg":"HS256"}',
        b'"exp":-1e-400',
        None,
        {},
        ("invalid_claim", "exp"),
    ),
    "exp_just_beyond_the_last_second": (
        b'{"alg":"HS256"}',
        b'"exp":253402300799.00000000000000000001',
        None,
        {},
        ("invalid_claim", "exp"),
    ),
    "lifetime_at_its_limit": (
        b'{"alg":"HS256"}',
        b'"iat":1700000000,"exp":1700000060',
        None,
        {"max_lifetime": 60},
        None,
    ),
    "lifetime_a_ten_billionth_too_long": (
        b'{"alg":"HS256"}',
        b'"iat":1700000000,"exp":1700000060.0000000001',
        None,
        {"max_lifetime": 60},
        ("lifetime_too_long", "exp"),
    ),
    "lifetime_at_its_limit_with_digits_below_the_nanosecond": (
        b'{"alg":"HS256"}',
        b'"iat":1699999999.9999999999,"exp":1700000059.9999999999',
        None,
        {"max_lifetime": 60},
        ("lifetime_too_long", "exp"),
    ),
    "lifetime_of_centuries": (
        b'{"alg":"HS256"}',
        b'"iat":1700000000,"exp":9900000000',
        None,
        {"max_lifetime": 8_000_000_000},
        ("lifetime_too_long", "exp"),
    ),
}


def verdict(verifier: Verifier, text: str) -> Verdict:
    with clock_at(NOW):
        try:
            verifier.verify(text)
        except JotgateError as error:
            return error.code, error.claim
    return None


@pytest.mark.parametrize("name", FOUND)
def test_found(name: str) -> None:
    header, times, kid, options, expected = FOUND[name]
    signing_input = f"{b64u(header)}.{b64u(b'{' + RIGHT + b',' + times + b'}')}"
    text = f"{signing_input}.{b64u(sign('HS256', signing_input.encode(), secret_key('HS256')))}"
    entries = ((kid, "HS256", 0),)
    given = {"algorithms": ["HS256"], "issuer": ISSUER, "audience": AUDIENCE} | options
    oracle = reference.verify(text, tokens.reference_keys(entries), tokens.plain_policy(given), NOW * 10**9)
    assert (oracle if isinstance(oracle, tuple) else None) == expected
    assert verdict(Verifier(tokens.native_keys(entries), Policy(**given)), text) == expected


def test_text_that_is_not_ascii_is_malformed_at_any_length() -> None:
    entries = ((None, "HS256", 0),)
    policy = Policy(algorithms=["HS256"], issuer=ISSUER, audience=AUDIENCE, max_token_bytes=100)
    verifier = Verifier(tokens.native_keys(entries), policy)
    for text in ("é", "é" * 101, "a" * 101 + "\uff21"):
        assert reference.verify(text, tokens.reference_keys(entries), policy, 0) == ("malformed", None)
        assert verdict(verifier, text) == ("malformed", None)
