"""The signature layer alone, and making tokens with it."""

import dataclasses
import enum
import json
from typing import Any

import pytest
from support import (
    ALGORITHMS,
    b64u,
    canonical,
    claims,
    compact,
    header,
    policy,
    refuses,
    rejects,
    secret_key,
    sign,
    signing_key,
    token,
    unb64u,
    verification_key,
    verifier,
)

from jotgate import KeySet, VerifiedToken, Verifier, jws
from jotgate.errors import InvalidKeyError, JotgateError, PolicyError

pytestmark = pytest.mark.usefixtures("frozen_clock")


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize("payload", [b"", b"x", b"\0\xff" * 50, b"[1,2]", b'{"a":1,"a":2}'])
def test_any_payload_is_bytes(alg: str, payload: bytes) -> None:
    verified = jws.verify(
        compact(header(alg, kid="k"), payload, alg=alg), verification_key(alg, kid="k"), algorithms=[alg]
    )
    assert verified.payload == payload
    assert verified.header == {"alg": alg, "kid": "k"}
    assert (verified.kid, verified.alg) == ("k", alg)


def test_a_verified_payload_is_no_verified_token() -> None:
    verified = jws.verify(token(), verification_key("HS256"), algorithms=["HS256"])
    assert type(verified).__name__ == "VerifiedPayload"
    assert not isinstance(verified, VerifiedToken)
    refuses(verifier(), verified, "malformed")
    for name in ("claims", "subject", "issuer", "audience", "to_dict", "into", "get"):
        assert not hasattr(verified, name)
    with pytest.raises(TypeError):
        type(verified)()
    with pytest.raises(TypeError):
        type("Sub", (type(verified),), {})
    with pytest.raises(AttributeError):
        verified.payload = b"x"
    with pytest.raises(TypeError):
        verified.header["alg"] = "none"


def test_keys_may_be_a_key_or_a_set() -> None:
    keys = KeySet([verification_key("ES256", kid="a"), verification_key("RS256", kid="b")])
    for kid, alg in (("a", "ES256"), ("b", "RS256")):
        text = compact(header(alg, kid=kid), alg=alg)
        assert jws.verify(text, keys, algorithms=["ES256", "RS256"]).kid == kid
        assert jws.verify(text.encode(), keys, algorithms=("ES256", "RS256")).kid == kid
    for wrong in (None, [], {}, "x", b"secret" * 8, 1, [verification_key("ES256")]):
        with pytest.raises((PolicyError, InvalidKeyError)):
            jws.verify(token(), wrong, algorithms=["HS256"])


@pytest.mark.parametrize(
    "text",
    [None, 1, "", "x", "..", "a.b.c.d", bytearray(b"a.b.c"), "é", "x" * 20_000, b"x" * 20_000, [token()]],
)
def test_wrong_texts(text: Any) -> None:
    code = "too_large" if isinstance(text, str | bytes) and len(text) > 16_384 else "malformed"
    with pytest.raises(JotgateError) as caught:
        jws.verify(text, verification_key("HS256"), algorithms=["HS256"])
    assert caught.value.code == code
    assert caught.value.claim is None


@pytest.mark.parametrize("alg", [*ALGORITHMS, "EdDSA"])
def test_sign_and_verify(alg: str) -> None:
    text = jws.sign(claims(), signing_key(alg, kid="k"))
    head, payload, signature = text.split(".")
    written = json.loads(unb64u(head))
    assert canonical(written.pop("alg")) == canonical("EdDSA" if alg == "Ed25519" else alg) or alg == "Ed448"
    assert written == {"kid": "k", "typ": "JWT"}
    assert json.loads(unb64u(payload)) == claims()
    assert "=" not in signature
    assert Verifier(signing_key(alg, kid="k").public(), policy(alg)).verify(text).to_dict() == claims()


def test_sign_bytes_adds_no_typ() -> None:
    text = jws.sign(b"payload", signing_key("HS256"))
    assert json.loads(unb64u(text.split(".")[0])) == {"alg": "HS256"}
    assert jws.verify(text, verification_key("HS256"), algorithms=["HS256"]).payload == b"payload"
    # The bytes are the ones the standard library would sign.
    signing_input = text.rpartition(".")[0]
    assert text == f"{signing_input}.{b64u(sign('HS256', signing_input.encode()))}"


def test_header_members_of_the_caller() -> None:
    text = jws.sign(claims(), signing_key("HS256"), header={"typ": "at+jwt", "cty": "x"})
    assert json.loads(unb64u(text.split(".")[0])) == {"alg": "HS256", "typ": "at+jwt", "cty": "x"}
    assert verifier(typ="at+jwt").verify(text)


@pytest.mark.parametrize(
    "head", [{"alg": "none"}, {"alg": "HS256"}, {"alg": None}, {"b64": False}, {"crit": []}, "x", [1], {1: 2}]
)
def test_header_members_that_are_not_the_caller_s(head: Any) -> None:
    with pytest.raises((JotgateError, ValueError, TypeError)):
        jws.sign(claims(), signing_key("HS256"), header=head)


@pytest.mark.parametrize("key", [None, b"x" * 32, "x", verification_key("HS256"), secret_key("RS256")])
def test_only_a_signing_key_signs(key: Any) -> None:
    with pytest.raises((JotgateError, TypeError)):
        jws.sign(claims(), key)


def test_algorithms_are_the_caller_s_decision() -> None:
    rejects("invalid_policy", lambda: jws.verify(token(), verification_key("HS256"), algorithms="HS256"))
    with pytest.raises((JotgateError,)) as caught:
        jws.verify(token(), verification_key("HS256"), algorithms=["ES256"])
    assert caught.value.code in ("invalid_policy", "algorithm_not_allowed")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_no_number_that_json_has_not_becomes_null(number: float) -> None:
    """orjson also writes dataclasses and enumerations, and in them as well it would write null."""

    @dataclasses.dataclass
    class Position:
        latitude: float

    class Limit(enum.Enum):
        NONE = number

    for value in (
        number,
        [number],
        {"a": (number,)},
        Position(number),
        [Position(number)],
        Limit.NONE,
        {"a": [Limit.NONE]},
    ):
        with pytest.raises(ValueError, match="JSON values"):
            jws.sign({"x": value}, signing_key("HS256"))
    text = jws.sign({"x": [Position(1.5), enum.Enum("Small", {"ONE": 0.5}).ONE]}, signing_key("HS256"))
    assert json.loads(unb64u(text.split(".")[1])) == {"x": [{"latitude": 1.5}, 0.5]}
