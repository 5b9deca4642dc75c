"""Secrets and card numbers within a text, in the forms in which they are copied around.

Every pattern goes over a text once, whatever it repeats.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["card_numbers", "has_bearer_token", "has_credential", "has_private_key", "is_private_jwk"]

_PEM = re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----", re.ASCII)
# A PEM file as a whole in base64, as environment variables have it.
_PEM_IN_BASE64 = re.compile(r"LS0tLS1CRUdJTi[A-Za-z0-9+/_-]{34}", re.ASCII)
# The beginning of a DER SEQUENCE in base64 or base64url; the shortest private key (Ed25519) has 64 characters.
_SEQUENCE_IN_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])(M[A-P][A-Za-z0-9+/_-]{22})[A-Za-z0-9+/_-]{38}", re.ASCII)
# What follows the header of the SEQUENCE: a version, then what a private key has there and no public one, certificate
# or request: PKCS #8 (RFC 5208, RFC 5958), PKCS #1 (RFC 8017), SEC 1 (RFC 5915), PKCS #12; encrypted PKCS #8 begins
# with the OID of its encryption (RFC 8018).
_PRIVATE_DER = re.compile(
    rb"0(?:[\x00-\x7f]|\x81.|\x82..)"
    rb"(?:\x02\x01[\x00\x01\x03]0|\x02\x01\x00\x02[\x81\x82]|\x02\x01\x01\x04"
    rb"|0.\x06[\x09\x0a]\x2a\x86\x48\x86\xf7\x0d\x01[\x05\x0c])",
    re.DOTALL,
)
# A JWK as JSON text, also one that was quoted into other JSON.
_KEY_TYPE = re.compile(r"""["']kty\\*["']\s*:\s*\\*["'](?:EC|RSA|OKP|AKP|oct)\b""", re.ASCII)
_PRIVATE_MEMBER = re.compile(r"""["'](?:d|k|priv)\\*["']\s*:\s*\\*["'][A-Za-z0-9_-]{16}""", re.ASCII)

_BASIC = re.compile(r"(?<![\w-])basic +([A-Za-z0-9+/]{4,}={0,2})(?![\w+/-])", re.ASCII | re.IGNORECASE)
_BEARER = re.compile(r"(?<![\w-])bearer +([A-Za-z0-9._~+/-]{20,})", re.ASCII | re.IGNORECASE)
_ASSIGNED = re.compile(
    r"""(?<![A-Za-z])(?:password|passwd|pwd|passphrase|secret|secret[_-]?key|api[_-]?key)"""
    # Neither a placeholder nor what merely says whether there is one.
    r"""(?:=|["']\s*:\s*(?=["']))["']?(?!["'*<{$%\[=]|(?:true|false|yes|no|none|null|required|optional)\b)[^\s&;,"']{4}""",
    re.ASCII | re.IGNORECASE,
)
# In one piece or in the groups that are printed on cards, and no part of a longer number, a path or an identifier.
_CARD = re.compile(
    r"\d{4}(?<![\w/:.+-]....)(?:\d{10,12}|([ .-])\d{4}\1\d{4}\1\d{4}|([ .-])\d{6}\2\d{4,5})(?![\w/]|[.-]\w)", re.ASCII
)
_SHORTEST_KEY: Final = 44
_PRIVATE_MEMBERS: Final = ("d", "k", "priv")


def is_private_jwk(members: Mapping[str, Any]) -> bool:
    """Tell whether an object is a private or secret JWK; one without its type is none, but still a key by its curve.

    Spec: RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1, RFC 8037 section 2, RFC 9964 section 3.
    """
    if not isinstance(members.get("kty"), str) and not isinstance(members.get("crv"), str):
        return False
    return any(members.get(name) for name in _PRIVATE_MEMBERS)


def has_private_key(text: str) -> bool:
    """Tell whether there is a private key: PEM, DER in base64, or a JWK as JSON text."""
    if _PEM.search(text):
        return True
    if len(text) < _SHORTEST_KEY:
        return False
    if any(b"PRIVATE KEY" in _decoded(found[0]) for found in _PEM_IN_BASE64.finditer(text)):
        return True
    if any(_PRIVATE_DER.match(_decoded(found[1])) for found in _SEQUENCE_IN_BASE64.finditer(text)):
        return True
    return (
        '"kty' in text.replace("'", '"')
        and _KEY_TYPE.search(text) is not None
        and _PRIVATE_MEMBER.search(text) is not None
    )


def has_bearer_token(text: str) -> bool:
    """Tell whether there is ``Bearer`` and a token (RFC 6750 section 2.1), which has a digit where prose has none."""
    return " " in text and any(any(each.isdigit() for each in found[1]) for found in _BEARER.finditer(text))


def has_credential(text: str) -> bool:
    """Tell whether there is ``Basic`` and a name with its password (RFC 7617), or a ``password=``."""
    if " " in text and any(_is_user_and_password(_decoded(found[1])) for found in _BASIC.finditer(text)):
        return True
    return ("=" in text or ":" in text) and _ASSIGNED.search(text) is not None


def card_numbers(text: str) -> list[str]:
    """Return the digits of what is written as the number of a card, which its check digit may deny."""
    return ["".join(filter(str.isdigit, found[0])) for found in _CARD.finditer(text)]


def _is_user_and_password(decoded: bytes) -> bool:
    try:
        text = decoded.decode()
    except UnicodeDecodeError:
        return False
    return ":" in text and text.isprintable()


def _decoded(text: str) -> bytes:
    """The bytes of base64 in either alphabet, cut to whole groups unless it has padding."""
    text = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return binascii.a2b_base64(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""
