"""Jotgate with its cache, and one claim read: the claims of a known token are built once, by the first who asks."""

from collections.abc import Callable

import ours
import ours_hit
from ours_claims import reading

from jotgate import VerifiedToken

VERSION = ours.VERSION
claims = ours.claims


def bind(alg: str, key: bytes) -> Callable[[str], VerifiedToken]:
    """Return `verify` of a verifier with the default cache, followed by a claim look-up."""
    return reading(ours_hit.bind(alg, key))
