"""ryjwt, for Python 3.12 and later; key, algorithms, audience and issuer live in one object."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import ryjwt
from tokens import AUDIENCE, ISSUER

VERSION = version("ryjwt")
claims = dict


def bind(alg: str, key: bytes) -> Callable[[str], Any]:
    """Return the bound native method itself: no Python wrapper stands around the call."""
    kind = ryjwt.SecretKey if alg == "HS256" else ryjwt.PublicKey
    return kind(key, algorithms=[alg], audience=AUDIENCE, issuer=ISSUER).decode
