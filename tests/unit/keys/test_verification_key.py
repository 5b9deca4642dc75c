"""keys/key.py: VerificationKey."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from key_forms import KINDS, certificate, public_jwk
from support import ALGORITHMS, HMAC, b64u, rejects, secret_key, sign, verification_key

from jotgate import SigningKey, VerificationKey
from jotgate.errors import InvalidKeyError

DATA = b"signing input"


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_key_verifies_what_its_private_half_signed_and_nothing_else(alg: str) -> None:
    key = verification_key(alg)
    signature = sign(alg, DATA)
    assert key._handle.verify(DATA, signature)
    assert not key._handle.verify(DATA + b"!", signature)
    assert not key._handle.verify(DATA, signature[:-1] + bytes([signature[-1] ^ 1]))
    assert not key._handle.verify(DATA, signature + b"\0")
    assert not verification_key(alg, which=1)._handle.verify(DATA, signature)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_the_handle_knows_kid_and_signature_length(alg: str) -> None:
    key = verification_key(alg, kid="k")
    assert (key.kid, key._handle.kid) == ("k", "k")
    assert key._handle.signature_bytes == len(sign(alg, DATA))


@pytest.mark.parametrize(("bits", "size"), [(2048, 256), (2056, 257), (2050, 257), (8192, 1024)])
def test_an_rsa_signature_is_as_long_as_the_modulus(bits: int, size: int) -> None:
    modulus = secret_key("RS256").public_key().public_numbers().n << (bits - 2048) | 1
    while modulus % 3 == 0 or not _has_no_small_factor(modulus):
        modulus += 2
    key = VerificationKey.from_cryptography(rsa.RSAPublicNumbers(65537, modulus).public_key(), alg="RS256")
    assert key._handle.signature_bytes == size


def _has_no_small_factor(n: int) -> bool:
    return all(n % d for d in range(3, 168, 2))


def test_pss_with_another_salt_length_or_hash_does_not_verify() -> None:
    private, key = secret_key("PS256"), verification_key("PS256")
    for salt, mgf in (
        (0, hashes.SHA256()),
        (20, hashes.SHA256()),
        (32, hashes.SHA1()),
        (32, hashes.SHA512()),
    ):
        scheme = padding.PSS(padding.MGF1(mgf), salt)
        assert not key._handle.verify(DATA, private.sign(DATA, scheme, hashes.SHA256()))


def test_the_algorithm_is_told_as_it_was_given() -> None:
    public = secret_key("Ed25519").public_key()
    old, new = (VerificationKey.from_cryptography(public, alg=alg) for alg in ("EdDSA", "Ed25519"))
    assert (old.alg, new.alg) == ("EdDSA", "Ed25519")
    assert old._canonical == new._canonical == "Ed25519"
    assert old == new
    ed448 = VerificationKey.from_cryptography(secret_key("Ed448").public_key(), alg="EdDSA")
    assert (ed448.alg, ed448._canonical) == ("EdDSA", "Ed448")


def test_keys_are_equal_when_kid_algorithm_and_key_are() -> None:
    key = verification_key("RS256", kid="1")
    assert key == verification_key("RS256", kid="1")
    assert hash(key) == hash(verification_key("RS256", kid="1"))
    for other in (
        verification_key("RS256", kid="2"),
        verification_key("RS256"),
        verification_key("PS256", kid="1"),
        verification_key("RS256", kid="1", which=1),
        key.to_jwk(),
        None,
        "RS256",
    ):
        assert key != other
    assert len({key, verification_key("RS256", kid="1"), verification_key("RS256", kid="2")}) == 2


@pytest.mark.parametrize("alg", ["HS256", "RS256", "EdDSA"])
def test_the_repr_shows_kid_and_algorithm_only(alg: str) -> None:
    assert repr(verification_key(alg, kid="a'b")) == f'VerificationKey(kid="a\'b", alg={alg!r})'
    assert repr(verification_key(alg)) == f"VerificationKey(kid=None, alg={alg!r})"


@pytest.mark.parametrize("alg", HMAC)
def test_a_secret_is_nowhere_to_be_read(alg: str) -> None:
    key, secret = verification_key(alg), secret_key(alg)
    shown = [
        repr(key),
        str(key),
        repr(key._handle),
        *(repr(getattr(key, name)) for name in VerificationKey.__slots__),
    ]
    for text in shown:
        assert repr(secret)[2:-1] not in text
        assert b64u(secret) not in text
        assert secret.hex() not in text
    assert "no public JWK" in str(rejects("invalid_key", key.to_jwk))


@pytest.mark.parametrize("alg", [*KINDS, "HS256"])
def test_a_key_does_not_change(alg: str) -> None:
    key = verification_key(alg, kid="1")
    for name in (*VerificationKey.__slots__, "alg", "kid", "note"):
        with pytest.raises(AttributeError):
            setattr(key, name, "x")
        with pytest.raises(AttributeError):
            delattr(key, name)
    assert not hasattr(key, "__dict__")
    if alg != "HS256":
        jwk = key.to_jwk()
        jwk.clear()
        assert key.to_jwk() == {"alg": alg} | public_jwk(secret_key(alg).public_key()) | _metadata(alg)


def _metadata(alg: str) -> dict[str, str]:
    return {"kid": "1", "use": "sig", "alg": "EdDSA" if alg.startswith("Ed") else alg}


@pytest.mark.parametrize("alg", ["RS256", "HS256"])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_keys_are_not_pickled(alg: str, protocol: int) -> None:
    with pytest.raises(TypeError):
        pickle.dumps(verification_key(alg), protocol)


def test_copying_gives_the_public_key_itself_and_no_secret() -> None:
    public, secret = verification_key("ES256"), verification_key("HS256")
    assert copy.copy(public) is public
    assert copy.deepcopy([public])[0] is public
    for duplicate in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            duplicate(secret)


def test_keys_are_loaded_and_not_constructed_or_subclassed() -> None:
    for args in ((), (1,), (secret_key("HS256"),)):
        with pytest.raises(TypeError, match="from_pem"):
            VerificationKey(*args)
    with pytest.raises(TypeError):
        type("Sub", (VerificationKey,), {})


def test_a_secret_with_an_algorithm_for_public_keys_is_refused() -> None:
    for alg in set(ALGORITHMS) - set(HMAC):
        rejects("invalid_key", lambda alg=alg: VerificationKey.from_secret(secret_key("HS256"), alg=alg))


@pytest.mark.parametrize("alg", [None, "", "none", "RS257", 5, b"RS256", ["RS256"], "rs256"], ids=repr)
def test_a_key_without_a_known_algorithm_is_refused(alg: Any) -> None:
    public = secret_key("ES256").public_key()
    for door in (
        lambda: VerificationKey.from_cryptography(public, alg=alg),
        lambda: VerificationKey.from_pem(b"", alg=alg),
        lambda: VerificationKey.from_der(b"", alg=alg),
        lambda: VerificationKey.from_secret(secret_key("HS256"), alg=alg),
    ):
        rejects("invalid_key", door)


class Fake(rsa.RSAPublicKey):
    """An object that calls itself an RSA key; `cryptography` lets anybody."""

    def public_numbers(self) -> Any:
        raise RuntimeError("secret text")


# What it does not implement is not called: without abstract methods it can be made.
Fake.__abstractmethods__ = frozenset()


@pytest.mark.parametrize("alg", ["RS256", "ES256", "HS256"])
def test_other_objects_are_no_public_keys(alg: str) -> None:
    private = secret_key("RS256")
    mac = hmac.HMAC(bytes(32), hashes.SHA256())
    for thing in (private, certificate(private), mac, None, b"", "", 5, object(), rsa.RSAPublicKey, Fake()):
        error = rejects("invalid_key", lambda thing=thing: VerificationKey.from_cryptography(thing, alg=alg))
        assert "secret text" not in str(error)
    error = rejects("invalid_key", lambda: VerificationKey.from_cryptography(private, alg="RS256"))
    assert "public_key()" in str(error)


def test_a_signing_key_is_no_verification_key() -> None:
    signing = SigningKey.from_cryptography(secret_key("ES256"), alg="ES256")
    rejects("invalid_key", lambda: VerificationKey.from_cryptography(signing, alg="ES256"))


def test_the_errors_are_value_errors_of_ours() -> None:
    error = rejects("invalid_key", lambda: VerificationKey.from_secret(b"", alg="HS256"))
    assert isinstance(error, InvalidKeyError)
    assert isinstance(error, ValueError)
    assert error.claim is None
