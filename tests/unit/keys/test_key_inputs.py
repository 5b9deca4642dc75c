"""Whatever a loader of keys is given, it loads a key or raises an error of ours."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from key_forms import private_forms, private_jwk, public_forms
from support import secret_key

from jotgate import KeySet, SigningKey, VerificationKey
from jotgate.errors import InvalidKeyError
from jotgate.keys.secrets import find_key

BASES = [
    *public_forms("ES256").values(),
    *public_forms("Ed25519").values(),
    *private_forms("ES256").values(),
    *private_forms("Ed25519").values(),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def altered(draw: st.DrawFn) -> bytes:
    """Draw a key file with some bytes replaced, dropped or inserted."""
    data = bytearray(draw(st.sampled_from(BASES)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 1))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
        data = data or bytearray(b"x")
    return bytes(data)


def loads_or_refuses(load: Any, *args: Any, **options: Any) -> None:
    with suppress(InvalidKeyError):
        load(*args, **options)


@given(altered() | st.binary(max_size=300), st.sampled_from(["ES256", "EdDSA", "RS256", "HS256"]))
def test_bytes(data: bytes, alg: str) -> None:
    for kind in (VerificationKey, SigningKey):
        loads_or_refuses(kind.from_pem, data, alg=alg)
        loads_or_refuses(kind.from_pem, data.decode("latin-1"), alg=alg)
        loads_or_refuses(kind.from_der, data, alg=alg)
        loads_or_refuses(kind.from_secret, data, alg=alg)
    loads_or_refuses(KeySet.from_jwks, data)


@given(JSON)
def test_values(value: Any) -> None:
    for kind in (VerificationKey, SigningKey):
        loads_or_refuses(kind.from_jwk, value)
        loads_or_refuses(kind.from_secret, value, alg="HS256")
        loads_or_refuses(kind.from_pem, value, alg="RS256")
        loads_or_refuses(kind.from_der, value, alg="RS256")
        loads_or_refuses(kind.from_cryptography, value, alg="RS256")
    loads_or_refuses(KeySet.from_jwks, value)
    loads_or_refuses(KeySet.from_jwks, {"keys": [value]})


MEMBERS = [
    "kty",
    "crv",
    "alg",
    "use",
    "key_ops",
    "kid",
    "n",
    "e",
    "d",
    "p",
    "q",
    "dp",
    "dq",
    "qi",
    "x",
    "y",
    "k",
    "pub",
    "priv",
]
JWKS = [{"alg": alg} | private_jwk(secret_key(alg)) for alg in ("RS256", "ES256", "Ed448", "ML-DSA-44")]


@given(
    st.sampled_from(JWKS),
    st.dictionaries(st.sampled_from([*MEMBERS, "x5c", "oth"]), JSON, max_size=3),
    st.sets(st.sampled_from(MEMBERS)),
)
def test_altered_jwks(jwk: dict[str, str], changes: dict[str, Any], dropped: set[str]) -> None:
    for members in (
        jwk | changes,
        {name: value for name, value in jwk.items() if name not in dropped} | changes,
    ):
        loads_or_refuses(SigningKey.from_jwk, members)
        loads_or_refuses(VerificationKey.from_jwk, members)
        loads_or_refuses(KeySet.from_jwks, {"keys": [members]})


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace")))
def test_the_search_for_keys_ends(data: bytes) -> None:
    find_key(data)
    find_key(b"\\u00" + data)
    find_key(json.dumps(data.hex()).encode())


@pytest.mark.parametrize("size", [10_000, 100_000])
def test_a_long_secret_is_searched_in_time_that_grows_with_its_length(size: int) -> None:
    for unit in (
        b"\x30",
        b"\x04",
        b"A",
        b"0",
        b"\\u00",
        b"\0",
        b"\x30\x82\x01\x00",
        b"-----BEGIN",
        bytes(range(256)),
    ):
        find_key(unit * (size // len(unit)))
