"""ML-DSA where cryptography has the classes but its OpenSSL is older than 3.5."""

from collections.abc import Iterator

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import mldsa

from jotgate import KeySet, SigningKey, VerificationKey
from jotgate.errors import InvalidKeyError
from jotgate.keys import primitives


class Unsupported:
    @staticmethod
    def from_public_bytes(_: bytes) -> None:
        raise UnsupportedAlgorithm("ML-DSA")


@pytest.fixture
def jwk(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    made = SigningKey.generate("ML-DSA-44").to_jwk()
    primitives.has_ml_dsa.cache_clear()
    monkeypatch.setattr(mldsa, "MLDSA44PublicKey", Unsupported)
    yield made
    primitives.has_ml_dsa.cache_clear()


def test_it_is_said_when_a_key_is_made_or_loaded(jwk: dict[str, str]) -> None:
    with pytest.raises(InvalidKeyError, match=r"3\.5"):
        SigningKey.generate("ML-DSA-44")
    with pytest.raises(InvalidKeyError, match=r"3\.5"):
        VerificationKey.from_jwk(jwk)


def test_a_set_leaves_such_a_key_out(jwk: dict[str, str]) -> None:
    other = SigningKey.generate("ES256").to_jwk()
    keys = KeySet.from_jwks({"keys": [jwk, other]})
    assert [key.alg for key in keys] == ["ES256"]
    assert "3.5" in keys.skipped[0][1]
