"""ML-DSA where cryptography has the classes but its OpenSSL is older than 3.5."""

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import mldsa

from jotgate import SigningKey, VerificationKey
from jotgate.errors import InvalidKeyError


class Unsupported:
    @staticmethod
    def generate() -> None:
        raise UnsupportedAlgorithm("ML-DSA")

    @staticmethod
    def from_public_bytes(_: bytes) -> None:
        raise UnsupportedAlgorithm("ML-DSA")


def test_it_is_said_when_a_key_is_made_or_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    jwk = SigningKey.generate("ML-DSA-44").to_jwk()
    monkeypatch.setattr(mldsa, "MLDSA44PublicKey", Unsupported)
    monkeypatch.setattr(mldsa, "MLDSA44PrivateKey", Unsupported)
    with pytest.raises(InvalidKeyError, match=r"3\.5"):
        SigningKey.generate("ML-DSA-44")
    with pytest.raises(InvalidKeyError, match=r"3\.5"):
        VerificationKey.from_jwk(jwk)
