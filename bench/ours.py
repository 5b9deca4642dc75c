"""Jotgate's own adapter, of the shape that `others` describes: verify alone, and verify plus reading the
claims.

Every row is a cold one: the verifier has no cache, so no verdict is remembered between calls. The header memo is
part of a cold call, as it is for every server whose tokens share a header.
"""

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from tokens import AUDIENCE, ISSUER

from jotgate import Policy, VerificationKey, VerifiedToken, Verifier

VERSION = version("jotgate")


def verifier(
    alg: str, key: bytes, *, max_token_bytes: int | None = None, backend: str = "auto", **options: Any
) -> Verifier:
    """Build a verifier with the policy that every library of the comparison gets; `options` are `Verifier`'s own."""
    load = VerificationKey.from_secret if alg == "HS256" else VerificationKey.from_pem
    prepared = load(key, alg=alg)
    limits = {} if max_token_bytes is None else {"max_token_bytes": max_token_bytes}
    policy = Policy(algorithms=[alg], issuer=ISSUER, audience=AUDIENCE, **limits)
    return Verifier(prepared, policy, backend=backend, **options)


def bind(alg: str, key: bytes) -> Callable[[str], VerifiedToken]:
    """Return the native `verify` method itself, of a verifier without a cache."""
    return verifier(alg, key, cache=None).verify


def claims(result: VerifiedToken) -> dict[str, Any]:
    """Return the claims as a plain dict."""
    return result.to_dict()
