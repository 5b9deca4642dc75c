"""python-jose over its cryptography backend."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from jose import jwk, jwt
from tokens import AUDIENCE, ISSUER

VERSION = version("python-jose")
claims = dict


def bind(alg: str, key: bytes) -> Callable[[str], Any]:
    """Construct the key once. python-jose has no EdDSA."""
    if alg == "EdDSA":
        raise LookupError(alg)
    constructed = jwk.construct(key.decode() if alg != "HS256" else key, alg)
    options = {"require_exp": True, "require_iss": True, "require_aud": True}
    decode = jwt.decode

    def call(text: str) -> Any:
        return decode(text, constructed, algorithms=[alg], audience=AUDIENCE, issuer=ISSUER, options=options)

    return call
