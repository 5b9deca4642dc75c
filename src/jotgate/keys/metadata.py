"""What a JWK says about itself: its type, its id, and what it is for.

Spec: RFC 7517 section 4. Stricter: ``null`` is no value, and a private member makes a public key invalid.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from ..errors import InvalidKeyError
from .algorithms import ALGORITHMS, expand
from .primitives import NO_ML_DSA, has_ml_dsa

Members: TypeAlias = Mapping[str, object]
Operation = Literal["sign", "verify"]

MAX_KID_BYTES = 256
"""A token's ``kid`` may not be longer, so that a longer one could never be found."""

KEY_TYPES = ("oct", "RSA", "EC", "OKP", "AKP")
PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "oth", "priv", "k")
_ASYMMETRIC_KEY_TYPES = KEY_TYPES[1:]
_CURVES = {row.crv for row in ALGORITHMS.values()}
# RFC 7517 section 4.3: what a key for signatures ("use": "sig") is not for.
_OTHER_OPERATIONS = frozenset({"encrypt", "decrypt", "wrapKey", "unwrapKey", "deriveKey", "deriveBits"})


def read_members(jwk: object) -> dict[str, object]:
    """Return the members of a JWK given as a mapping.

    Raises:
        InvalidKeyError: ``invalid_key``: not a mapping with names, or a JWK set.
    """
    if isinstance(jwk, str | bytes):
        raise InvalidKeyError("a JWK is a mapping such as json.loads gives; for the text of a set use KeySet.from_jwks")
    if not isinstance(jwk, Mapping):
        raise InvalidKeyError(f"a JWK is a mapping, not {type(jwk).__name__}")
    try:
        members: dict[str, object] = dict(jwk)
    except Exception:
        raise InvalidKeyError("the JWK mapping cannot be read") from None
    if not all(isinstance(name, str) for name in members):
        raise InvalidKeyError("the names of a JWK's members are str")
    if "keys" in members and "kty" not in members:
        raise InvalidKeyError("this is a JWK set: use KeySet.from_jwks")
    return members


def check_kid(kid: object) -> str | None:
    """Return a key id if it may be one.

    Raises:
        InvalidKeyError: ``invalid_key``: not a str, empty, longer than 256 bytes in UTF-8, or not encodable.
    """
    if kid is None:
        return None
    if not isinstance(kid, str):
        raise InvalidKeyError(f"kid is a str, not {type(kid).__name__}")
    try:
        size = len(kid.encode("utf-8"))
    except UnicodeEncodeError:
        raise InvalidKeyError("kid has a lone surrogate") from None
    if not 1 <= size <= MAX_KID_BYTES:
        raise InvalidKeyError(f"kid has 1 to {MAX_KID_BYTES} bytes")
    return str(kid)


def kid_of(jwk: Members) -> str | None:
    """Return the ``kid`` member, None if there is none; `null` is not none."""
    if "kid" in jwk and jwk["kid"] is None:
        raise InvalidKeyError('the JWK member "kid" is null')
    return check_kid(jwk.get("kid"))


def refuse_private(jwk: Members) -> None:
    """Refuse a JWK with private members where a public key belongs.

    Raises:
        InvalidKeyError: ``invalid_key``.
    """
    if jwk.get("kty") in _ASYMMETRIC_KEY_TYPES and any(name in jwk for name in PRIVATE_MEMBERS):
        raise InvalidKeyError(
            "the JWK has private members: treat the key as disclosed if it was published, and give verifiers "
            "the public members only; for signing use SigningKey.from_jwk"
        )


def unsuitable(jwk: Members, operation: Operation) -> str | None:
    """Say why a well-formed JWK is not a key for signatures of ours; None if it is.

    A set skips such keys (RFC 7517 section 5), a single one is refused.

    Args:
        jwk: The members.
        operation: What the key is wanted for; ``key_ops``, if present, must name it.

    Raises:
        InvalidKeyError: ``invalid_key``: a member that may not be there in this form in any key.
    """
    kty = jwk.get("kty")
    if not isinstance(kty, str):
        raise InvalidKeyError('the JWK has no "kty", or it is not a string')
    if kty not in KEY_TYPES:
        return "its key type (kty) is not one that signs for Jotgate"
    use = jwk.get("use", "sig")
    if not isinstance(use, str):
        raise InvalidKeyError('the JWK member "use" is not a string')
    operations = _operations_of(jwk)
    if use == "sig" and "use" in jwk and _OTHER_OPERATIONS.intersection(operations or ()):
        raise InvalidKeyError('the JWK members "use" and "key_ops" contradict each other')
    alg = jwk.get("alg", "")
    if not isinstance(alg, str):
        raise InvalidKeyError('the JWK member "alg" is not a string')
    crv = jwk.get("crv", "")
    if kty in ("EC", "OKP") and not isinstance(crv, str):
        raise InvalidKeyError('the JWK member "crv" is not a string')
    if use != "sig":
        return 'it is for another use ("use" is not "sig")'
    if operations is not None and operation not in operations:
        return f'"key_ops" does not have "{operation}"'
    if "alg" in jwk and not expand(alg):
        return 'its "alg" is not a signature algorithm that Jotgate knows'
    if kty in ("EC", "OKP") and "crv" in jwk and crv not in _CURVES:
        return "its curve (crv) does not sign for Jotgate"
    if kty == "AKP" and "alg" in jwk and not has_ml_dsa():
        return NO_ML_DSA
    return None


def _operations_of(jwk: Members) -> list[str] | None:
    if "key_ops" not in jwk:
        return None
    operations = jwk["key_ops"]
    if not isinstance(operations, list | tuple) or not all(isinstance(name, str) for name in operations):
        raise InvalidKeyError('the JWK member "key_ops" is not an array of strings')
    if len(set(operations)) != len(operations):
        raise InvalidKeyError('the JWK member "key_ops" has an operation twice')
    return list(operations)
