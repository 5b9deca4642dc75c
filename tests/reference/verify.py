"""The steps in their order (RFC 7519 section 7.2, RFC 7515 section 5.2)."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from . import base64url, claims, header, keys, strict_json
from .keys import Key
from .refusal import Refused

Verdict = dict[str, Any] | tuple[str, str | None]


def verify(text: object, key_set: Iterable[Key], policy: Any, now_ns: int) -> Verdict:
    """Verify a token of one issuer.

    Args:
        text: The compact serialization; anything else is refused.
        key_set: The keys that the issuer is known by.
        policy: Any object with the attributes of a policy.
        now_ns: The moment, in nanoseconds since 1970-01-01T00:00:00Z.

    Returns:
        The claims of an accepted token, or the code and the claim of the refusal.
    """
    try:
        parts = split(text, policy)
        members = read_claims(_verified_payload(parts, key_set, policy))
        claims.check(members, policy, now_ns)
    except Refused as refusal:
        return refusal.code, refusal.claim
    return members


class _Loosest(NamedTuple):
    """What the text must satisfy before anybody knows whose policy counts."""

    max_token_bytes: int
    allow_padding: bool


def verify_for_issuers(text: object, issuers: Mapping[str, tuple[Iterable[Key], Any]], now_ns: int) -> Verdict:
    """Verify a token of one of several issuers.

    Before the signature only ``iss`` is used, by exact match, to choose whose keys and policy go on; even of
    a payload that has a fault behind it, since every other fault of the payload is told after the signature.
    """
    policies = [policy for _, policy in issuers.values()]
    loosest = _Loosest(
        max(policy.max_token_bytes for policy in policies), any(policy.allow_padding for policy in policies)
    )
    try:
        payload = decode(split(text, loosest)[1])
        issuer = strict_json.members_before_fault(payload).get("iss")
        if not isinstance(issuer, str):
            read_claims(payload)
            raise Refused("wrong_issuer", "iss")
        if issuer not in issuers:
            raise Refused("wrong_issuer", "iss")
    except Refused as refusal:
        return refusal.code, refusal.claim
    key_set, policy = issuers[issuer]
    return verify(text, key_set, policy, now_ns)


def verify_signature(text: object, key_set: Iterable[Key], policy: Any) -> bytes | tuple[str, str | None]:
    """Verify a JWS and nothing of what it says; return its payload."""
    try:
        return _verified_payload(split(text, policy), key_set, policy)
    except Refused as refusal:
        return refusal.code, refusal.claim


def split(text: object, policy: Any) -> list[bytes]:
    """Split at two dots (RFC 7515 section 7.1): three parts without padding, and fourth what was signed."""
    if type(text) is str:
        if not text.isascii():
            raise Refused("malformed")
        octets = text.encode("ascii")
    elif type(text) is bytes:
        octets = text
    else:
        raise Refused("malformed")
    if len(octets) > policy.max_token_bytes:
        raise Refused("too_large")
    parts = octets.split(b".")
    if len(parts) != 3:
        raise Refused("malformed")
    signing_input = octets[: octets.rindex(b".")]
    if policy.allow_padding:
        try:
            parts = [base64url.strip_padding(part) for part in parts]
        except ValueError:
            raise Refused("malformed") from None
    if any(byte not in base64url.ALPHABET for part in parts for byte in part):
        raise Refused("malformed")
    return [*parts, signing_input]


def decode(segment: bytes) -> bytes:
    """Decode a segment, or refuse."""
    try:
        return base64url.decode(segment)
    except ValueError:
        raise Refused("malformed") from None


def read_claims(payload: bytes) -> dict[str, Any]:
    """RFC 7519 section 7.2 step 10: the message is a JSON object."""
    try:
        members = strict_json.parse(payload)
    except ValueError:
        raise Refused("malformed") from None
    assert isinstance(members, dict)
    return members


def _verified_payload(parts: list[bytes], key_set: Iterable[Key], policy: Any) -> bytes:
    """Everything up to and including the signature; a fault in the payload is told only after it."""
    protected, payload, signature, signing_input = parts
    algorithms, kid = header.check(header.read(protected), policy)
    key = keys.select(key_set, algorithms, kid)
    keys.check_signature(key, signing_input, decode(signature))
    return decode(payload)
