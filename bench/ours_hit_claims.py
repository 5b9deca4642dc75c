"""Jotgate with its cache, and one claim read: the claims of a known token are built once, by the first who asks."""

from collections.abc import Callable

import ours
import ours_hit

from jotgate import VerifiedToken

VERSION = ours.VERSION
claims = ours.claims


def bind(alg: str, key: bytes) -> Callable[[str], VerifiedToken]:
    """Return `verify` followed by a claim look-up."""
    verify = ours_hit.bind(alg, key)

    def call(text: str) -> VerifiedToken:
        token = verify(text)
        token.claims["sub"]
        return token

    return call
