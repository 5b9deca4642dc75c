"""Making tokens that no honest issuer makes: raw parts, any header, the right key, the wrong key or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from jotgate._codec import b64url_decode, b64url_encode
from jotgate.cli.demo.population import make_claims

if TYPE_CHECKING:
    from random import Random

    from jotgate import SigningKey


class Forge:
    """Everything the makers of hostile tokens need for one algorithm.

    Args:
        key: The issuer's key of that algorithm; most forgeries carry its name.
        stranger: A key of the same algorithm that the verifier does not know.
        others: ``alg`` values of the verifier's other keys.
        now: Unix seconds.
        random: What claims and choices are drawn from.
    """

    def __init__(self, key: SigningKey, stranger: SigningKey, others: list[str], now: int, random: Random) -> None:
        self.key = key
        self.stranger = stranger
        self.others = others
        self.now = now
        self.random = random
        self.alg = key.header_alg

    def header(self, **members: Any) -> dict[str, Any]:
        """Return an honest header with some members replaced or added."""
        return {"alg": self.alg, "kid": self.key.kid, "typ": "JWT", **members}

    def claims(self, **members: Any) -> dict[str, Any]:
        """Return honest claims with some members replaced or added."""
        return {**make_claims(self.now, self.random, token_bytes=600), **members}

    def claims_without(self, name: str) -> dict[str, Any]:
        """Return honest claims that lack one."""
        claims = self.claims()
        del claims[name]
        return claims

    def signed(
        self,
        header: dict[str, Any] | bytes | None = None,
        payload: dict[str, Any] | bytes | None = None,
        key: SigningKey | None = None,
    ) -> str:
        """Sign any header and payload, however malformed, with a valid signature of the key."""
        text = self.unsigned(header, payload)
        return f"{text}.{b64url_encode((key or self.key).sign(text.encode('ascii')))}"

    def unsigned(
        self, header: dict[str, Any] | bytes | None = None, payload: dict[str, Any] | bytes | None = None
    ) -> str:
        """Join header and payload; honest ones where none are given."""
        head = _part(self.header() if header is None else header)
        return f"{head}.{_part(self.claims() if payload is None else payload)}"


def signature_of(text: str) -> bytes:
    """Return the signature bytes of a token."""
    return b64url_decode(text.rpartition(".")[2])


def with_signature(text: str, signature: bytes) -> str:
    """Return the token with another signature."""
    return f"{text.rpartition('.')[0]}.{b64url_encode(signature)}"


def _part(value: dict[str, Any] | bytes) -> str:
    return b64url_encode(value if isinstance(value, bytes) else orjson.dumps(value))
