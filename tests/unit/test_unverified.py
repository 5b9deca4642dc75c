"""peek: reading without verifying, under a name and a type that say so."""

from typing import Any

import pytest
from support import b64u, claims, compact, dumps, error_of, header, refuses, token, unb64u, verifier

import jotgate
from jotgate import unverified
from jotgate.errors import MalformedTokenError
from jotgate.unverified import peek


def test_the_parts() -> None:
    text = token(sub="someone")
    head, payload, signature = text.split(".")
    for written in (text, text.encode()):
        seen = peek(written)
        assert seen.header == {"alg": "HS256"}
        assert seen.claims == claims(sub="someone")
        assert seen.payload == unb64u(payload)
        assert seen.signature == unb64u(signature)
        assert seen.signing_input == f"{head}.{payload}".encode()


def test_nothing_is_verified() -> None:
    head, payload, _ = token().split(".")
    assert peek(f"{head}.{payload}.").signature == b""
    assert peek(f"{b64u(b'{}')}.{payload}.AA").header == {}
    unsigned = f"{b64u(dumps({'alg': 'none'}))}.{payload}."
    assert peek(unsigned).header["alg"] == "none"
    assert peek(compact(header("HS256"), claims(exp=0))).claims == claims(exp=0)


@pytest.mark.parametrize("payload", [b"[]", b'"x"', b"null", b"", b"\xff", b"text", b'{"a":1,"a":2}'])
def test_a_payload_that_is_no_claims_object(payload: bytes) -> None:
    seen = peek(compact(header("HS256"), payload))
    assert seen.claims is None
    assert seen.payload == payload


@pytest.mark.parametrize(
    "text",
    [None, 1, "", "x", ".", "..", "a.b", "a.b.c.d", "é.é.é", bytearray(b"a.b.c"), token() + "=",
    token() + " ",
     f"{b64u(b'[]')}.AA.AA", f"{b64u(b'x')}.AA.AA", "AB.AA.AA", f"{b64u(b'{}')}.AB.AA",
     f"{b64u(b'{}')}.AA.AB",
     compact(b'{"alg":1,"alg":2}')],
)  # fmt: skip
def test_what_cannot_be_read(text: Any) -> None:
    error = error_of(lambda: peek(text))
    assert type(error) is MalformedTokenError
    assert error.code == "malformed"


def test_the_result_is_accepted_nowhere() -> None:
    seen = peek(token())
    refuses(verifier(), seen, "malformed")
    with pytest.raises((TypeError, MalformedTokenError)):
        peek(seen)  # type: ignore[arg-type]
    assert not isinstance(seen, jotgate.VerifiedToken | str | bytes | dict)
    for name in ("subject", "issuer", "audience", "expires_at", "token_id", "to_dict", "into", "get"):
        assert not hasattr(seen, name), "looks like a VerifiedToken"
    assert "peek" not in dir(jotgate)
    assert unverified.UnverifiedToken.__name__ == "UnverifiedToken"


def test_its_repr_shows_nothing_of_the_token() -> None:
    text = token(sub="Canary-4711")
    assert "Canary-4711" not in repr(peek(text))
    assert text.split(".")[1][:16] not in repr(peek(text))
