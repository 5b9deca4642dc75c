"""joserfc: `jwt.decode` checks the signature, a claims registry the rest."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from joserfc import jwk, jwt
from tokens import AUDIENCE, ISSUER

VERSION = version("joserfc")
KEY_TYPES = {"HS256": jwk.OctKey, "RS256": jwk.RSAKey, "ES256": jwk.ECKey, "EdDSA": jwk.OKPKey}


def bind(alg: str, key: bytes) -> Callable[[str], Any]:
    """Import the key and build the registry once."""
    imported = KEY_TYPES[alg].import_key(key)
    registry = jwt.JWTClaimsRegistry(
        exp={"essential": True},
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
    )
    decode, validate = jwt.decode, registry.validate

    def call(text: str) -> Any:
        token = decode(text, imported, algorithms=[alg])
        validate(token.claims)
        return token

    return call


def claims(result: Any) -> dict[str, Any]:
    """Return the claims of a decoded token."""
    return dict(result.claims)
