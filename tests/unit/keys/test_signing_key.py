"""keys/key.py: SigningKey, and what keys/primitives.py signs."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from key_forms import KINDS, private_jwk, public_jwk
from support import (
    ALGORITHMS,
    HMAC,
    RSA,
    SIGNATURE_BYTES,
    b64u,
    rejects,
    secret_key,
    sign,
    unb64u,
    verification_key,
)

from jotgate import SigningKey, VerificationKey

COOKBOOK = Path(__file__).parents[2] / "vectors" / "jose-cookbook"
DATA = b"signing input"


def signing_key(alg: str, *, kid: str | None = None) -> SigningKey:
    key = secret_key(alg)
    if alg.startswith("HS"):
        return SigningKey.from_secret(key, alg=alg, kid=kid)
    return SigningKey.from_cryptography(key, alg=alg, kid=kid)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_signature_has_the_jws_form(alg: str) -> None:
    key = signing_key(alg)
    signature = key.sign(DATA)
    assert type(signature) is bytes
    assert len(signature) == SIGNATURE_BYTES[alg]
    assert verification_key(alg)._handle.verify(DATA, signature)
    assert key.public() == verification_key(alg)
    assert not verification_key(alg, which=1)._handle.verify(DATA, signature)


@pytest.mark.parametrize("alg", [*HMAC, "RS256", "RS384", "RS512", "Ed25519", "Ed448"])
def test_where_a_scheme_is_deterministic_the_signature_is_that_of_the_specification(alg: str) -> None:
    assert signing_key(alg).sign(DATA) == sign(alg, DATA)


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "ES256K"])
def test_ecdsa_is_deterministic_and_padded(alg: str) -> None:
    key, private = signing_key(alg), secret_key(alg)
    half = SIGNATURE_BYTES[alg] // 2
    for number in range(4000):
        data = str(number).encode()
        signature = key.sign(data)
        assert signature == key.sign(data)
        assert len(signature) == 2 * half
        r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
        private.public_key().verify(utils.encode_dss_signature(r, s), data, ec.ECDSA(_hash_of(alg)))
        if signature[0] == 0 or signature[half] == 0:
            return
    pytest.fail("of 8000 numbers one in 256 begins with a zero byte: the padding was never seen at work")


def _hash_of(alg: str) -> Any:
    return {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[alg[2:5]]


def test_the_signatures_of_rfc_7520_and_8037_come_out() -> None:
    for name in (
        "jws/4_1.rsa_v15_signature.json",
        "jws/4_4.hmac-sha2_integrity_protection.json",
        "curve25519/jws.json",
    ):
        case = json.loads((COOKBOOK / name).read_text())
        key = SigningKey.from_jwk(case["input"]["key"], alg=case["input"]["alg"])
        data = case["signing"]["sig-input"].encode()
        assert b64u(key.sign(data)) == case["signing"]["sig"]


@pytest.mark.parametrize("data", ["text", None, 5, bytearray(b"x"), memoryview(b"x"), [b"x"]], ids=repr)
@pytest.mark.parametrize("alg", ["HS256", "ES256"])
def test_only_bytes_are_signed(alg: str, data: Any) -> None:
    with pytest.raises(TypeError, match="bytes"):
        signing_key(alg).sign(data)


@pytest.mark.parametrize("alg", [*(set(ALGORITHMS) - set(RSA)), "EdDSA", "RS256"])
def test_a_new_key_has_its_thumbprint_for_kid(alg: str) -> None:
    key, other = SigningKey.generate(alg), SigningKey.generate(alg)
    assert key.alg == alg
    assert key.kid == key.thumbprint() == key.public().kid
    assert key.public() != other.public()
    assert key.public()._handle.verify(DATA, key.sign(DATA))
    assert not other.public()._handle.verify(DATA, key.sign(DATA))
    assert SigningKey.generate("HS256", kid="named").kid == "named"


def test_eddsa_makes_an_ed25519_key() -> None:
    assert SigningKey.generate("EdDSA").to_jwk()["crv"] == "Ed25519"
    assert SigningKey.generate("Ed448").to_jwk()["crv"] == "Ed448"


@pytest.mark.parametrize(("alg", "size"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_a_new_secret_is_as_long_as_the_hash(alg: str, size: int) -> None:
    assert len(unb64u(SigningKey.generate(alg).to_jwk(private=True)["k"])) == size


def test_the_size_of_a_new_rsa_key_is_chosen() -> None:
    assert len(SigningKey.generate("PS256").sign(b"")) == 256
    assert len(SigningKey.generate("RS256", bits=2056).sign(b"")) == 257


@pytest.mark.parametrize("bits", [0, 1024, 2047, 2049, 8193, 8200, 16384, 2048.0, "2048", True, -2048])
def test_other_sizes_are_refused(bits: Any) -> None:
    rejects("invalid_key", lambda: SigningKey.generate("RS256", bits=bits))


@pytest.mark.parametrize("alg", ["HS256", "ES256", "EdDSA", "ML-DSA-44"])
def test_only_rsa_keys_have_a_choice_of_size(alg: str) -> None:
    rejects("invalid_key", lambda: SigningKey.generate(alg, bits=2048))


@pytest.mark.parametrize("alg", [None, "", "none", "RS257", 5, b"RS256", ["RS256"]], ids=repr)
def test_an_unknown_algorithm_is_refused(alg: Any) -> None:
    for door in (
        lambda: SigningKey.generate(alg),
        lambda: SigningKey.from_cryptography(secret_key("ES256"), alg=alg),
        lambda: SigningKey.from_secret(secret_key("HS256"), alg=alg),
        lambda: SigningKey.from_pem(SigningKey.generate("ES256").to_pem(), alg=alg),
    ):
        rejects("invalid_key", door)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_the_header_of_a_token_gets_the_name_verifiers_know(alg: str) -> None:
    assert signing_key(alg).header_alg == ("EdDSA" if alg in ("Ed25519", "Ed448") else alg)


@pytest.mark.parametrize("alg", KINDS)
def test_to_jwk_is_public_unless_said_otherwise(alg: str) -> None:
    key = signing_key(alg, kid="1")
    metadata = {"kid": "1", "use": "sig", "alg": key.header_alg}
    assert key.to_jwk() == key.public().to_jwk() == public_jwk(secret_key(alg).public_key()) | metadata
    assert key.to_jwk(private=True) == private_jwk(secret_key(alg)) | metadata
    again = SigningKey.from_jwk(key.to_jwk(private=True))
    assert again.public() == key.public()
    assert VerificationKey.from_jwk(key.to_jwk()) == key.public()


def test_the_jwk_of_a_secret_is_private() -> None:
    key = signing_key("HS384")
    rejects("invalid_key", key.to_jwk)
    jwk = key.to_jwk(private=True)
    assert jwk == {"kty": "oct", "k": b64u(secret_key("HS384")), "alg": "HS384", "use": "sig"}
    assert SigningKey.from_jwk(jwk).public() == key.public()
    assert VerificationKey.from_jwk(jwk) == key.public()


@pytest.mark.parametrize("alg", KINDS)
@pytest.mark.parametrize("password", [None, "pässword", b"password"])
def test_pem_goes_out_and_comes_in(alg: str, password: Any) -> None:
    pem = signing_key(alg).to_pem(password)
    label = b"PRIVATE KEY" if password is None else b"ENCRYPTED PRIVATE KEY"
    assert pem.startswith(b"-----BEGIN " + label + b"-----\n")
    assert SigningKey.from_pem(pem, alg=alg, password=password).public() == verification_key(alg)


def test_pem_needs_a_key_pair_and_a_real_password() -> None:
    rejects("invalid_key", signing_key("HS256").to_pem)
    for password in ("", b"", 5, ["x"]):
        rejects("invalid_key", lambda password=password: signing_key("ES256").to_pem(password))


@pytest.mark.parametrize("alg", [*KINDS, "HS256"])
def test_a_signing_key_does_not_change_and_is_not_copied(alg: str) -> None:
    key = signing_key(alg, kid="1")
    for name in (*SigningKey.__slots__, "alg", "kid", "header_alg", "note"):
        with pytest.raises(AttributeError):
            setattr(key, name, "x")
        with pytest.raises(AttributeError):
            delattr(key, name)
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            attempt(key)
    assert not hasattr(key, "__dict__")


@pytest.mark.parametrize("alg", [*KINDS, "HS256"])
def test_the_repr_shows_kid_and_algorithm_only(alg: str) -> None:
    assert repr(signing_key(alg, kid="1")) == str(signing_key(alg, kid="1")) == f"SigningKey(kid='1', alg={alg!r})"


def test_signing_keys_are_loaded_and_not_constructed_or_subclassed() -> None:
    with pytest.raises(TypeError, match="generate"):
        SigningKey(secret_key("HS256"))
    with pytest.raises(TypeError):
        type("Sub", (SigningKey,), {})


@pytest.mark.parametrize("thing", [None, b"", "", 5, object()], ids=repr)
def test_other_objects_are_no_private_keys(thing: Any) -> None:
    rejects("invalid_key", lambda: SigningKey.from_cryptography(thing, alg="RS256"))
    rejects("invalid_key", lambda: SigningKey.from_pem(thing, alg="RS256"))
    rejects("invalid_key", lambda: SigningKey.from_cryptography(secret_key("RS256").public_key(), alg="RS256"))
