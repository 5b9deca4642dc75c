"""Jotgate again, with the claims built and one of them read: what a library that returns a dict has done as
well."""

from collections.abc import Callable

import ours

from jotgate import VerifiedToken

VERSION = ours.VERSION
claims = ours.claims


def reading(verify: Callable[[str], VerifiedToken]) -> Callable[[str], VerifiedToken]:
    """Return a call that verifies and looks up a claim."""

    def call(text: str) -> VerifiedToken:
        token = verify(text)
        token.claims["sub"]
        return token

    return call


def bind(alg: str, key: bytes) -> Callable[[str], VerifiedToken]:
    """Return `verify` followed by a claim look-up."""
    return reading(ours.bind(alg, key))
