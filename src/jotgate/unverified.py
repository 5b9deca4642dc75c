"""Reading a token without verifying it: for logs, support tools and key discovery, never for a decision.

What ``peek`` returns is not a ``VerifiedToken`` and nothing that wants one accepts it.
"""

from typing import Any, Final, final

from ._codec import b64url_decode, split
from ._json import check
from .errors import MalformedTokenError

MAX_TEXT_BYTES: Final = 2**20
"""Longer text is refused unread."""


@final
class UnverifiedToken:
    """What a text claims to be. Anybody can have written it.

    Attributes:
        header: The JOSE header.
        claims: The payload as a ``dict``, or None when it is not one strict JSON object.
        payload: The decoded payload bytes.
        signature: The decoded signature bytes.
        signing_input: The bytes that the signature should be over.
    """

    __slots__ = ("claims", "header", "payload", "signature", "signing_input")

    def __init__(
        self,
        header: dict[str, Any],
        claims: dict[str, Any] | None,
        payload: bytes,
        signature: bytes,
        signing_input: bytes,
    ) -> None:
        self.header = header
        self.claims = claims
        self.payload = payload
        self.signature = signature
        self.signing_input = signing_input

    def __repr__(self) -> str:
        return "<UnverifiedToken: nothing about it was checked>"


def peek(text: str | bytes) -> UnverifiedToken:
    """Read a token without verifying it.

    Not checked: the signature, the algorithm, every claim. The form is as strict as for a verifier.

    Args:
        text: The token in compact form, at most 1 MiB.

    Returns:
        UnverifiedToken: the parts of the text.

    Raises:
        MalformedTokenError: ``malformed``, ``too_large``: the text cannot be read as a token.

    Spec: RFC 7515 section 7.1.
    """
    if type(text) is not str and type(text) is not bytes:
        raise MalformedTokenError("a token is a str or bytes object, without a Bearer prefix", "malformed")
    if len(text) > MAX_TEXT_BYTES:
        raise MalformedTokenError("the token is longer than 1 MiB", "too_large")
    header_part, payload_part, signature_part = split(text)
    header = b64url_decode(header_part)
    payload = b64url_decode(payload_part)
    signature = b64url_decode(signature_part)
    check(header)
    import orjson  # here, so that importing the package does not load it

    try:
        check(payload)
        claims = orjson.loads(payload)
    except MalformedTokenError:
        claims = None
    return UnverifiedToken(orjson.loads(header), claims, payload, signature, header_part + b"." + payload_part)
