"""Authlib's `authlib.jose`: deprecated in favour of joserfc, and still what many services run."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from authlib.jose import ECKey, JsonWebToken, OctKey, OKPKey, RSAKey
from tokens import AUDIENCE, ISSUER

VERSION = version("Authlib")
KEY_TYPES = {"HS256": OctKey, "RS256": RSAKey, "ES256": ECKey, "EdDSA": OKPKey}
claims = dict


def bind(alg: str, key: bytes) -> Callable[[str], Any]:
    """Import the key once; `validate` checks the claims that `claims_options` names."""
    imported = KEY_TYPES[alg].import_key(key)
    options = {
        "exp": {"essential": True},
        "iss": {"essential": True, "value": ISSUER},
        "aud": {"essential": True, "value": AUDIENCE},
    }
    decode = JsonWebToken([alg]).decode

    def call(text: str) -> Any:
        decoded = decode(text, imported, claims_options=options)
        decoded.validate()
        return decoded

    return call
