"""Published keys, sound and not, written without the code under test."""

import base64
import functools
import json
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from key_forms import certificate, private_jwk, public_jwk, uint
from support import secret_key

# 1024 bits, no small factor; nobody knows its factors, and nobody needs to.
WEAK_MODULUS = (1 << 1023) + 1155685395246619182673033 * 2 + 1


def jwk(kind: str = "ES256", /, *, which: int = 0, private: bool = False, **members: Any) -> dict[str, Any]:
    """Write the test key of an algorithm as a JWK with ``alg`` and ``use``; a member given as None is left out."""
    key = secret_key(kind, which)
    written = private_jwk(key) if private else public_jwk(key.public_key())
    written = {"alg": kind, "use": "sig"} | written | members
    return {name: value for name, value in written.items() if value is not None}


def rsa_jwk(n: int, e: int = 65537, **members: Any) -> dict[str, Any]:
    """Write an RSA key of any numbers."""
    return {"kty": "RSA", "n": uint(n), "e": uint(e), "alg": "RS256", "use": "sig", "kid": "rsa"} | members


@functools.cache
def certificate_of(kind: str = "ES256") -> bytes:
    """Return a certificate of a test key, valid from 2024 to 2034."""
    return certificate(secret_key(kind)).public_bytes(Encoding.DER)


def x5c(kind: str = "ES256") -> list[str]:
    """Return the chain of that certificate."""
    return [base64.b64encode(certificate_of(kind)).decode()]


def document(*keys: Any) -> bytes:
    """Write a set."""
    return json.dumps({"keys": keys}).encode()
