"""What reviewers found: doors that were open, pinned shut."""

from __future__ import annotations

import gc
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pydantic
import pytest
from support import (
    NOW,
    claims,
    clock_at,
    compact,
    header,
    policy,
    signing_key,
    token,
    verification_key,
    verifier,
)

from jotgate import ANY, Policy, VerificationKey, Verifier, _json, jws
from jotgate._claims import CompiledPolicy
from jotgate._key import KeyTable
from jotgate.errors import InvalidClaimError, InvalidKeyError, PolicyError
from jotgate.keys.secrets import find_key


def test_a_policy_is_not_rebuilt_in_place() -> None:
    strict = policy("HS256")
    before = (hash(strict), repr(strict))
    with pytest.raises(PolicyError):
        strict.__init__(algorithms=["HS512"], issuer=ANY, audience=ANY)  # type: ignore[misc]
    assert (hash(strict), repr(strict)) == before


def test_a_verifier_is_not_rebuilt_in_place_not_even_by_halves() -> None:
    way_in = verifier()
    loose = Policy(algorithms=["HS256"], issuer=ANY, audience=ANY, require=())
    for keys in ("bad", verification_key("HS256")):
        with pytest.raises(PolicyError):
            way_in.__init__(keys, loose)  # type: ignore[misc]
    way_in.replace_keys(verification_key("HS256"))
    with clock_at(NOW), pytest.raises(Exception, match="audience"):
        way_in.verify(token(aud="https://evil.example.com"))


def test_native_parts_refuse_none() -> None:
    with pytest.raises(TypeError):
        KeyTable([None])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        verifier()._bind_issuers({b"a": None})  # type: ignore[dict-item]


class Lying:
    """Says it has one item and yields thousands."""

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Any:
        return iter(["x"] * 5000)


def test_a_compiled_policy_counts_for_itself() -> None:
    facts: dict[str, Any] = dict.fromkeys(("typ", "crit", "audience", "subject", "authorized_party", "require"), ())
    facts |= {"algorithms": 1, "max_token_bytes": 100, "allow_padding": False}
    facts |= {"leeway_ns": 0, "max_age_ns": -1, "max_lifetime_s": -1, "max_lifetime_ns": 0}
    assert CompiledPolicy(issuer=Lying(), **facts)
    with pytest.raises(ValueError, match="crit"):
        CompiledPolicy(issuer=(), **(facts | {"crit": tuple(map(str, range(65)))}))


def test_the_issuers_are_our_own_mapping() -> None:
    entries = {"https://auth.example.com": (verification_key("HS256"), policy("HS256"))}
    way_in = Verifier(entries)
    entries.clear()
    with clock_at(NOW):
        assert way_in.verify(token()).issuer == "https://auth.example.com"


def test_names_that_differ_in_high_bits_are_told_apart_quickly() -> None:
    names = [
        bytes([65 + (i >> 12 & 15), 65 + (i >> 8 & 15), 65 + (i >> 4 & 15), 65 + (i & 15)]) * 4 for i in range(20000)
    ]
    _json.check(b"{" + b",".join(b'"%s":0' % name for name in names) + b"}")


def test_a_model_is_told_about_its_own_names_only() -> None:
    class Closed(pydantic.BaseModel, extra="forbid"):
        sub: str

    class Root(pydantic.RootModel[dict[str, str]]):
        pass

    with clock_at(NOW):
        verified = verifier().verify(token(SECRETVALUE=1))
    for model in (Closed, Root):
        with pytest.raises(InvalidClaimError) as caught:
            verified.into(model)
        assert "SECRETVALUE" not in str(caught.value) + repr(caught.value)
        assert caught.value.claim is None


def test_a_set_of_what_cannot_be_in_a_set() -> None:
    @dataclass
    class Model:
        roles: set[Any]

    Model.__annotations__ = {"roles": set[Any]}
    with clock_at(NOW):
        verified = verifier().verify(token(roles=[{"a": 1}]))
    with pytest.raises(InvalidClaimError):
        verified.into(Model)


def test_an_escaped_kid_is_read_without_the_json_library() -> None:
    script = (
        "import sys; from support import *; import jotgate; way = verifier(kid='k1');"
        'text = compact(rb\'{"alg":"HS256","kid":"\\u006b1"}\'); clock = clock_at(NOW); clock.__enter__();'
        "sys.modules.pop('orjson', None); way.verify(text); assert 'orjson' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_has_no_json_is_not_signed_as_null(value: float) -> None:
    for payload in ({"exp": value}, {"a": [{"b": value}]}):
        with pytest.raises(ValueError, match="JSON"):
            jws.sign(payload, signing_key("HS256"))
    with pytest.raises(ValueError, match="JSON"):
        jws.sign({}, signing_key("HS256"), header={"x": value})


@pytest.mark.parametrize("head", [{"typ": 5}, {"cty": None}, {"typ": ["JWT"]}])
def test_a_header_that_we_would_refuse_is_not_signed(head: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="typ and cty"):
        jws.sign({}, signing_key("HS256"), header=head)


def test_claims_that_we_would_refuse_are_not_signed() -> None:
    deep: list[Any] = []
    for _ in range(40):
        deep = [deep]
    with pytest.raises(ValueError, match="JSON"):
        jws.sign({"a": deep}, signing_key("HS256"))


def test_the_collector_does_not_hand_out_the_claims() -> None:
    with clock_at(NOW):
        verified = verifier().verify(token(marker_of_this_test=[1, {"x": [2]}]))
    assert verified["marker_of_this_test"] == (1, {"x": [2]})
    found = [each for each in gc.get_objects() if type(each) is dict and "marker_of_this_test" in each]
    assert found == []


def test_a_key_shows_no_state() -> None:
    for key in (signing_key("HS256"), verification_key("HS256"), signing_key("ES256")):
        with pytest.raises(TypeError):
            key.__getstate__()


def test_a_long_header_is_not_kept() -> None:
    long = compact(header("HS256", x="y" * 4000), claims())
    way_in = verifier()
    with clock_at(NOW):
        assert way_in.verify(long).alg == "HS256"
        assert way_in.verify(long).alg == "HS256"


PEM = b"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"
JWK = b'{"kty":"RSA","n":"AQAB","e":"AQAB"}'


@pytest.mark.parametrize(
    "secret",
    [
        "".join(f"%{byte:02x}" for byte in PEM).encode(),
        PEM.replace(b" ", b"%20").replace(b"\n", b"%0A"),
        JWK.replace(b'"', b"%22"),
        JWK.replace(b'"', b"&quot;"),
        JWK.replace(b'"', b"&#34;"),
        "-".join(f"{byte:02x}" for byte in PEM).encode(),
        ", ".join(f"0x{byte:02x}" for byte in PEM).encode(),
        "".join(f"\\x{byte:02x}" for byte in PEM).encode(),
    ],
)
def test_a_public_key_in_other_people_s_escapes_is_no_secret(secret: bytes) -> None:
    assert find_key(secret) is not None
    with pytest.raises(InvalidKeyError):
        VerificationKey.from_secret(secret, alg="HS256")
