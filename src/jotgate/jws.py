"""The signature layer alone: JWS compact serialization for payloads that need not be claims."""

from collections.abc import Collection, Mapping
from typing import Any

from ._codec import b64url_encode
from ._engine import Lane, verify_payload
from ._token import VerifiedPayload
from .keys.key import SigningKey, VerificationKey
from .keys.keyset import KeySet
from .policy import ANY, Policy

__all__ = ["VerifiedPayload", "sign", "verify"]


def verify(
    text: str | bytes,
    keys: VerificationKey | KeySet,
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
        PolicyError: ``invalid_policy``: ``algorithms`` or ``max_token_bytes`` make no policy.

    Spec: RFC 7515 section 5.2.
    """
    policy = Policy(
        algorithms=algorithms, issuer=ANY, audience=ANY, require=(), max_token_bytes=max_token_bytes
    )
    keyset = KeySet([keys]) if isinstance(keys, VerificationKey) else keys
    return verify_payload(text, Lane(policy._compiled, keyset._bind(policy._canonical)._table))


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
        ValueError: ``header`` names ``alg`` or ``kid``, or payload or header cannot be written as JSON.

    Spec: RFC 7515 section 5.1; RFC 9864 section 2.2 (``EdDSA`` is written for both curves, which every peer reads).
    """
    import orjson  # here, so that importing the package does not load it

    extra = dict(header) if header is not None else {}
    if "alg" in extra or "kid" in extra:
        raise ValueError("alg and kid come from the key")
    full: dict[str, Any] = {"alg": key.header_alg}
    if key.kid is not None:
        full["kid"] = key.kid
    if not isinstance(payload, bytes):
        full["typ"] = "JWT"
    full.update(extra)
    try:
        written = payload if isinstance(payload, bytes) else orjson.dumps(dict(payload))
        head = orjson.dumps(full)
    except TypeError:
        # orjson's message may quote what it could not write
        raise ValueError("header and claims must be writable as JSON") from None
    signing_input = f"{b64url_encode(head)}.{b64url_encode(written)}"
    return f"{signing_input}.{b64url_encode(key.sign(signing_input.encode('ascii')))}"
