"""The signature layer alone: JWS compact serialization for payloads that need not be claims."""

import math
from collections.abc import Collection, Mapping
from typing import Any

from ._codec import b64url_encode
from ._engine import verify_payload
from ._json import check
from ._token import VerifiedPayload
from .binding import KeySource, binding_for
from .errors import MalformedTokenError
from .keys.key import SigningKey
from .policy import ANY, DEFINED_PARAMETERS, Policy

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


def sign(payload: bytes | Mapping[str, Any], key: SigningKey, *, header: Mapping[str, Any] | None = None) -> str:
    """Sign a payload and return the JWS in compact form.

    The header gets ``alg`` and, if the key has one, ``kid`` from the key. A mapping is written as JSON and gets
    ``typ: JWT`` unless ``header`` says otherwise.

    Args:
        payload: Bytes as they are, or claims.
        key: The private key or secret.
        header: More header parameters; neither ``alg`` nor ``kid``.

    Returns:
        The token.

    Raises:
        ValueError: ``header`` names ``alg``, ``kid`` or ``b64``, has a useless ``crit``, or payload or header cannot be
            written as JSON.
        TypeError: ``key`` is not a SigningKey.

    Spec: RFC 7515 sections 4.1.11 and 5.1; RFC 9864 section 2.2 (``EdDSA`` is written for both curves, which every
        peer reads).
    """
    import orjson  # here, so that importing the package does not load it

    if not isinstance(key, SigningKey):
        raise TypeError("only a SigningKey signs")
    full: dict[str, Any] = {"alg": key.header_alg}
    if key.kid is not None:
        full["kid"] = key.kid
    if not isinstance(payload, bytes):
        full["typ"] = "JWT"
    full.update(_checked(header) if header is not None else {})
    try:
        # a datetime would become text, which is no NumericDate
        written = (
            payload
            if isinstance(payload, bytes)
            else orjson.dumps(dict(payload), option=orjson.OPT_PASSTHROUGH_DATETIME)
        )
        head = orjson.dumps(full)
        check(head)
        if not isinstance(payload, bytes):
            check(written)
            _refuse_non_finite(payload)
        _refuse_non_finite(full)
    except (TypeError, ValueError, MalformedTokenError):
        # orjson's message may quote what it could not write
        raise ValueError("header and claims must be mappings of JSON values; dates are Unix seconds") from None
    signing_input = f"{b64url_encode(head)}.{b64url_encode(written)}"
    return f"{signing_input}.{b64url_encode(key.sign(signing_input.encode('ascii')))}"


def _refuse_non_finite(value: object) -> None:
    """NaN and the infinities have no JSON; orjson would write null, and a token without the date it was given."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError
    if isinstance(value, Mapping):
        value = list(value.values())
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
