"""The JOSE header of a token, checked before any key is looked for (RFC 7515 section 5.2)."""

from typing import Any

from . import base64url, strict_json
from .refusal import Refused, expected_names

# Names that RFC 7515 section 4.1, RFC 7516 section 4.1 and RFC 7518 sections 4.6 to 4.8 define: section
# 4.1.11 forbids them in `crit`.
_JWS_NAMES = ("alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit")
_JWE_NAMES = ("enc", "zip", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c")
REGISTERED = frozenset([*_JWS_NAMES, *_JWE_NAMES])

LONGEST_KID = 256
"""Bytes of UTF-8 that a `kid` may have."""


def read(segment: bytes) -> dict[str, Any]:
    """Decode and parse the header: strict JSON, so no parameter name appears twice (section 4)."""
    try:
        header = strict_json.parse(base64url.decode(segment))
    except ValueError:
        raise Refused("malformed") from None
    assert isinstance(header, dict)
    return header


def check(header: dict[str, Any], policy: Any) -> tuple[tuple[str, ...], str | None]:
    """Check the parameters in the order in which their faults are told.

    Returns:
        The algorithms that the token may mean (more than one only for ``EdDSA``), and its ``kid``.
    """
    algorithms = allowed_algorithms(header.get("alg"), policy.algorithms)
    check_crit(header, policy.crit)
    check_typ(header, policy.typ)
    # RFC 7797 section 7: a JWT must not use `b64`; nothing else of ours understands it either.
    if "b64" in header:
        raise Refused("malformed")
    kid = header.get("kid")
    if "kid" in header and not (isinstance(kid, str) and 1 <= len(kid.encode()) <= LONGEST_KID):
        raise Refused("malformed")
    return algorithms, kid


def canonical_names(name: str) -> tuple[str, ...]:
    """Return the algorithms of one key each that a name stands for (RFC 9864 section 2.2)."""
    return ("Ed25519", "Ed448") if name == "EdDSA" else (name,)


def allowed_algorithms(alg: object, allow_list: Any) -> tuple[str, ...]:
    """Keep the algorithms that the header's ``alg`` means and the policy allows (RFC 8725 section 3.1)."""
    allowed = {name for entry in allow_list for name in canonical_names(entry)}
    if not isinstance(alg, str):
        raise Refused("algorithm_not_allowed")
    meant = tuple(name for name in canonical_names(alg) if name in allowed)
    if not meant:
        raise Refused("algorithm_not_allowed")
    return meant


def check_crit(header: dict[str, Any], understood: Any) -> None:
    """RFC 7515 section 4.1.11: a list, not empty, of distinct extensions, each present and understood."""
    if "crit" not in header:
        return
    crit = header["crit"]
    if not isinstance(crit, list) or not crit or not all(isinstance(name, str) for name in crit):
        raise Refused("unsupported_critical_header")
    if len(set(crit)) != len(crit):
        raise Refused("unsupported_critical_header")
    for name in crit:
        if name in REGISTERED or name not in header or name not in understood:
            raise Refused("unsupported_critical_header")


def check_typ(header: dict[str, Any], expectation: Any) -> None:
    """RFC 8725 section 3.11: explicit typing, when the policy asks for it."""
    if "typ" in header and not isinstance(header["typ"], str):
        raise Refused("malformed")
    expected = expected_names(expectation)
    if expected is None:
        return
    if "typ" not in header:
        raise Refused("missing_claim", "typ")
    if media_type(header["typ"]) not in map(media_type, expected):
        raise Refused("invalid_claim", "typ")


def media_type(name: str) -> str:
    """Fold a media type: RFC 7515 section 4.1.9 lets ``application/`` be left out, RFC 2045 ignores ASCII
    case.
    """
    folded = "".join(chr(ord(letter) + 32) if "A" <= letter <= "Z" else letter for letter in name)
    return folded.removeprefix("application/")
