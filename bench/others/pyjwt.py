"""PyJWT; which release is decided by the directory that the worker puts on `sys.path`."""

from collections.abc import Callable
from typing import Any

import jwt
from tokens import AUDIENCE, ISSUER

VERSION = jwt.__version__
claims = dict


def bind(alg: str, key: bytes) -> Callable[[str], Any]:
    """Prepare the key object once, as PyJWT's documentation advises for speed."""
    prepared = jwt.get_algorithm_by_name(alg).prepare_key(key)
    options = {"require": ["exp", "iss", "aud"]}
    decode = jwt.decode

    def call(text: str) -> Any:
        return decode(text, prepared, algorithms=[alg], audience=AUDIENCE, issuer=ISSUER, options=options)

    return call
