"""The honest side of the demonstration: an issuer's keys and tokens as identity providers make them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from jotgate import SigningKey, jws

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

ISSUER = "https://auth.example.com"
AUDIENCE = "https://billing.example.com"
ACCEPTED = "accepted"
HONEST = "honest"
SECRET_ALGORITHM = "HS256"  # noqa: S105 - the name of an algorithm
ALGORITHMS_SHOWN = (SECRET_ALGORITHM, "RS256", "PS256", "ES256", "ES384", "EdDSA", "ML-DSA-44")

_SMALLEST_TOKEN_BYTES, _LARGEST_TOKEN_BYTES = 300, 4096
_LIFETIME_SECONDS = 3600
_NAMES = ("Ann Lee", "Zoë Müller", "Đặng Thị Hà", "José García", "佐藤 花子", "Олена Шевченко")
_SCOPES = (
    "openid",
    "profile",
    "email",
    "invoices:read",
    "invoices:write",
    "payments:refund",
    "reports:export",
)


class Trial(NamedTuple):
    """One token and the verdict it must get. ``lane`` is the algorithm whose tokens it stands among."""

    lane: str
    kind: str
    text: str | bytes
    expected: str
    claims: dict[str, Any] | None = None


def make_keys() -> dict[str, SigningKey]:
    """Make one key for each algorithm of the demonstration that this machine's ``cryptography`` has."""
    from jotgate.keys.algorithms import ALGORITHMS

    return {
        name: SigningKey.generate(name, kid=f"2026-11-{name.lower()}")
        for name in ALGORITHMS_SHOWN
        if name in ALGORITHMS or name == "EdDSA"
    }


def honest(keys: dict[str, SigningKey], count: int, now: int, random: Random) -> list[Trial]:
    """Issue tokens with every key in turn, their sizes spread evenly on a logarithmic scale."""
    lanes = list(keys)
    trials = []
    for number in range(count):
        lane = lanes[number % len(lanes)]
        ratio = _LARGEST_TOKEN_BYTES / _SMALLEST_TOKEN_BYTES
        wanted = int(_SMALLEST_TOKEN_BYTES * ratio ** random.random())
        claims = make_claims(now, random, token_bytes=wanted - _overhead_bytes(lane))
        text = jws.sign(orjson.dumps(claims), keys[lane], header={"typ": random.choice(("JWT", "at+jwt"))})
        trials.append(Trial(lane, HONEST, text, ACCEPTED, claims))
    return trials


def make_claims(now: int, random: Random, *, token_bytes: int = 0) -> dict[str, Any]:
    """Make the claims of one access token.

    Args:
        now: Unix seconds; the token was issued within the last five minutes and lives an hour.
        random: What the claims are drawn from.
        token_bytes: How much of the token the claims should fill; claims are added until they do.
    """
    issued = now - random.randrange(300)
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE if random.random() < 0.7 else [AUDIENCE, f"{ISSUER}/userinfo"],
        "sub": f"user-{random.randrange(10**6)}",
        "iat": issued,
        "exp": issued + _LIFETIME_SECONDS,
        "jti": _uuid(random),
    }
    payload_bytes = token_bytes * 3 // 4
    for name, value in _further_claims(issued, random):
        if len(orjson.dumps(claims)) + len(name) + 40 > payload_bytes:
            break
        claims[name] = value
    missing = payload_bytes - len(orjson.dumps(claims)) - len('"groups":[],')
    # 39 bytes: a UUID, its quotes and the comma.
    if missing >= 39:
        claims["groups"] = [_uuid(random) for _ in range(missing // 39)]
    return claims


def _further_claims(issued: int, random: Random) -> Iterator[tuple[str, Any]]:
    name = random.choice(_NAMES)
    yield "scope", " ".join(random.sample(_SCOPES, random.randint(1, len(_SCOPES))))
    yield "azp", random.choice(("web-portal", "mobile-app", "nightly-export"))
    yield "sid", _uuid(random)
    yield "auth_time", issued - random.randrange(3600)
    yield "amr", random.choice((["pwd"], ["pwd", "otp"], ["hwk", "user"]))
    yield "name", name
    yield "email", f"user{random.randrange(10**4)}@example.com"
    yield "email_verified", random.random() < 0.9
    yield "tid", _uuid(random)
    yield "realm_access", {"roles": random.sample(("user", "auditor", "manager", "offline_access"), 2)}
    yield "resource_access", {"billing": {"roles": ["reader"]}, "account": {"roles": ["view-profile"]}}
    yield "cnf", {"jkt": _uuid(random).replace("-", "")}


def _uuid(random: Random) -> str:
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


def _overhead_bytes(lane: str) -> int:
    """Roughly what header, dots and signature take of a token."""
    signature = {"HS256": 43, "RS256": 342, "PS256": 342, "ES384": 128, "ML-DSA-44": 3227}.get(lane, 86)
    return 90 + signature
