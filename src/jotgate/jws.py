"""The signature layer alone: JWS compact serialization for payloads that need not be claims."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

from ._codec import b64url_decode, b64url_encode
from ._engine import verify_payload
from ._json import check
from ._token import VerifiedPayload
from .binding import KeySource, binding_for
from .errors import InvalidKeyError, JotgateError, MalformedTokenError, UndecidedError
from .keys.algorithms import Algorithm, algorithms_of_key, header_name
from .keys.key import SigningKey
from .policy import ANY, DEFINED_PARAMETERS, Policy

if TYPE_CHECKING:
    from .stores.protocol import Signer

__all__ = ["VerifiedPayload", "sign", "verify"]


def verify(
    text: str | bytes,
    keys: KeySource,
    *,
    algorithms: Collection[str],
    max_token_bytes: int = 16384,
) -> VerifiedPayload:
    """Check the signature of a JWS in compact form and return its payload.

    Not checked: what the payload says. It need not be JSON. Header rules, base64url, key choice and algorithm rules
    are those of ``Verifier.verify``; ``crit`` and ``b64`` are refused.

    Args:
        text: The JWS, ``str`` or ``bytes``.
        keys: The key, or the set to choose from by (kid, alg).
        algorithms: Names that are allowed, at least one.
        max_token_bytes: Longer text is refused unread.

    Returns:
        VerifiedPayload: payload bytes, header, kid and alg.

    Raises:
        TokenError: as ``Verifier.verify``, but for claims.
        PolicyError: ``invalid_policy``: ``keys``, ``algorithms`` or ``max_token_bytes`` are not what they should be.

    Spec: RFC 7515 section 5.2.
    """
    policy = Policy(algorithms=algorithms, issuer=ANY, audience=ANY, require=(), max_token_bytes=max_token_bytes)
    return verify_payload(text, binding_for(keys, policy))


def sign(payload: bytes | Mapping[str, Any], key: Signer, *, header: Mapping[str, Any] | None = None) -> str:
    """Sign a payload and return the JWS in compact form.

    The header gets ``alg`` and, if the key has one, ``kid`` from the key. A mapping is written as JSON and gets
    ``typ: JWT`` unless ``header`` says otherwise.

    Args:
        payload: Bytes as they are, or claims.
        key: The private key or secret, or what signs with a key that is kept elsewhere.
        header: More header parameters; neither ``alg`` nor ``kid``.

    Returns:
        The token.

    Raises:
        ValueError: ``header`` names ``alg``, ``kid`` or ``b64``, has a useless ``crit``, or payload or header cannot be
            written as JSON.
        TypeError: ``key`` is no signer.
        InvalidKeyError: ``invalid_key``: the signer's algorithm is not one of ours, or its signature is not a raw JWS
            signature of its algorithm's exact length.
        UndecidedError: ``undecided``: the signer failed; what it raised is the cause.

    Spec: RFC 7515 sections 4.1.11 and 5.1; RFC 9864 section 2.2 (``EdDSA`` is written for both curves, which every
        peer reads).
    """
    algorithms = _algorithms_of(key)
    full: dict[str, Any] = {"alg": header_name(algorithms[0].name)}
    if key.kid is not None:
        full["kid"] = key.kid
    if not isinstance(payload, bytes):
        full["typ"] = "JWT"
    full.update(_checked(header) if header is not None else {})
    written = payload if isinstance(payload, bytes) else encoded(payload)
    signing_input = f"{b64url_encode(encoded(full))}.{b64url_encode(written)}"
    return f"{signing_input}.{b64url_encode(_signature(key, algorithms, signing_input.encode('ascii')))}"


def encoded(members: Mapping[str, Any]) -> bytes:
    """Write a header or claims as JSON that a strict verifier reads.

    Raises:
        ValueError: They cannot be written so.
    """
    import orjson  # here, so that importing the package does not load it

    try:
        # a datetime would become text, which is no NumericDate
        written = orjson.dumps(dict(members), option=orjson.OPT_PASSTHROUGH_DATETIME)
        check(written)
        _refuse_non_finite(members)
    except (TypeError, ValueError, MalformedTokenError):
        # orjson's message may quote what it could not write
        raise ValueError("header and claims must be mappings of JSON values; dates are Unix seconds") from None
    return written


def _algorithms_of(key: Signer) -> tuple[Algorithm, ...]:
    """The algorithm of a signer, or both that it may mean by ``EdDSA``: one name in a header."""
    if not isinstance(key, SigningKey) and not (callable(getattr(key, "sign", None)) and hasattr(key, "alg")):
        raise TypeError("only a SigningKey, or what signs like one, signs")
    if not isinstance(key.kid, str | None):
        raise InvalidKeyError("a signer's kid is str or None")
    return algorithms_of_key(key.alg)


def _signature(key: Signer, algorithms: tuple[Algorithm, ...], data: bytes) -> bytes:
    if isinstance(key, SigningKey):
        return key.sign(data)
    try:
        signature = key.sign(data)
        lengths = [each.signature_bytes or _modulus_bytes(key) for each in algorithms]
    except JotgateError:
        raise
    except Exception as error:
        raise UndecidedError(f"the signer could not sign ({type(error).__name__})") from error
    if not isinstance(signature, bytes) or len(signature) not in lengths:
        wanted = " or ".join(str(length) for length in lengths)
        raise InvalidKeyError(
            f"a signature of this signer is {wanted} bytes as in a JWS, and this is not (ECDSA: R || S expected, "
            "not DER)"
        )
    return signature


def _modulus_bytes(key: Signer) -> int:
    """How long an RSA signature is: exactly as the modulus (RFC 8017 section 8)."""
    return len(b64url_decode(key.public_jwk()["n"]))


def _refuse_non_finite(value: object) -> None:
    """NaN and the infinities have no JSON; orjson would write null, and a token without the date it was given."""
    if isinstance(value, (str, int)):
        return  # most values; asking them whether they are a Mapping takes longer
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError
    if isinstance(value, Mapping):
        value = list(value.values())
    else:
        fields = getattr(type(value), "__dataclass_fields__", ())  # orjson writes dataclasses, too
        value = [getattr(value, name, None) for name in fields] if fields else value
    if isinstance(value, list | tuple):
        for item in value:
            _refuse_non_finite(item)


def _checked(header: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's part of a header, which must leave nothing for a verifier to stumble over."""
    if not isinstance(header, Mapping) or not all(isinstance(name, str) for name in header):
        raise ValueError("a header is a mapping from names to values")
    if not header.keys().isdisjoint(("alg", "kid", "b64")):
        raise ValueError("alg and kid come from the key, and b64 is not supported")
    if not all(isinstance(header.get(name, ""), str) for name in ("typ", "cty")):
        raise ValueError("typ and cty are str")
    if "crit" in header:
        crit = header["crit"]
        if (
            not isinstance(crit, list)
            or not crit
            or not all(isinstance(name, str) for name in crit)
            or len(set(crit)) != len(crit)
            or not DEFINED_PARAMETERS.isdisjoint(crit)
            or not header.keys() >= set(crit)
        ):
            raise ValueError("crit lists header parameters that are there, each once, and none that is standard")
    return dict(header)
