"""What every library is given: a key made for the run, tokens of one length, and the twins that must be refused."""

from __future__ import annotations

import json
import secrets
import uuid
from time import perf_counter, time
from typing import Any, NamedTuple, Self

from jotgate import SigningKey, jws
from jotgate._codec import b64url_decode, b64url_encode
from jotgate.batch import LEAST_SHARE
from jotgate.keys.algorithms import ALGORITHMS, header_name
from jotgate.workers import usable_cores

ISSUER = "https://auth.example.com"
AUDIENCE = "https://api.example.com"
NAMES = tuple("EdDSA" if name == "Ed25519" else name for name in ALGORITHMS)
"""What can be measured, under the names that people use: Ed25519 is EdDSA here, Ed448 is named apart."""

_LEAST_TOKENS, _MOST_TOKENS = 64, 4096
_LIFETIME_SECONDS = 6 * 3600
# A UUID, its quotes and the comma.
_GROUP_BYTES = 39


class Key(NamedTuple):
    """A verification key in the forms that libraries take. A secret has no ``pem`` and no ``jwk``."""

    name: str
    alg: str
    """As in the header: ``EdDSA`` for Ed448, too."""
    secret: bytes | None
    pem: bytes | None
    jwk: dict[str, str] | None

    @property
    def material(self) -> bytes:
        """The secret, or the public key in PEM."""
        return self.secret or self.pem or b""


class Workload(NamedTuple):
    """The key, good tokens with their claims, and twins that differ from a good token in one respect each."""

    key: Key
    texts: list[str]
    claims: list[dict[str, Any]]
    twins: dict[str, str]

    @property
    def token_bytes(self) -> int:
        """How long the tokens are: all alike, but for the signature of some algorithms."""
        return len(self.texts[0])

    def first(self, count: int) -> Workload:
        """Return the same with fewer tokens."""
        return self._replace(texts=self.texts[:count], claims=self.claims[:count])

    def as_json(self) -> dict[str, Any]:
        """Return what a worker process is sent; it goes through a pipe, never onto a command line."""
        key = self.key._asdict()
        for form in ("secret", "pem"):
            key[form] = key[form].hex() if key[form] else None
        return {"key": key, "texts": self.texts, "claims": self.claims, "twins": self.twins}

    @classmethod
    def from_json(cls, document: str) -> Self:
        """Rebuild what ``as_json`` made."""
        raw = json.loads(document)
        key = raw["key"]
        for form in ("secret", "pem"):
            key[form] = bytes.fromhex(key[form]) if key[form] else None
        return cls(Key(**key), raw["texts"], raw["claims"], raw["twins"])


def canonical(name: str) -> str:
    """Return what the table of algorithms calls one of ``NAMES``."""
    return "Ed25519" if name == "EdDSA" else name


def make(name: str, token_bytes: int, seconds: float) -> Workload:
    """Make a key and sign tokens with it, all of them different.

    Args:
        name: One of ``NAMES``.
        token_bytes: How long a token should be; it is longer where the signature leaves no room.
        seconds: How long to go on signing, once the least number is there.

    Raises:
        InvalidKeyError: ``cryptography`` or its OpenSSL is too old for the algorithm.
    """
    started = perf_counter()
    signing, key = _make_key(name)
    now = int(time())
    missing = max(0, token_bytes - len(jws.sign(_claims(now, 0), signing, header={"typ": "JWT"}))) * 3 // 4

    def sign(claims: dict[str, Any]) -> str:
        return jws.sign(claims, signing, header={"typ": "JWT"})

    least = min(max(_LEAST_TOKENS, LEAST_SHARE * usable_cores()), _MOST_TOKENS)
    texts: list[str] = []
    claims: list[dict[str, Any]] = []
    while len(texts) < least or (len(texts) < _MOST_TOKENS and perf_counter() - started < seconds):
        claims.append(_claims(now, missing))
        texts.append(sign(claims[-1]))
    header, payload, signature = texts[0].split(".")
    flipped = bytearray(b64url_decode(signature))
    flipped[0] ^= 1
    altered = b64url_decode(payload).replace(b'"sub":"user-', b'"sub":"root-')
    twins = {
        "a tampered signature": f"{header}.{payload}.{b64url_encode(bytes(flipped))}",
        "a tampered payload": f"{header}.{b64url_encode(altered)}.{signature}",
        "another issuer": sign(claims[0] | {"iss": "https://other.example.com"}),
        "another audience": sign(claims[0] | {"aud": "https://other.example.com"}),
        "an expired token": sign(claims[0] | {"exp": now - 3600}),
    }
    return Workload(key, texts, claims, twins)


def _make_key(name: str) -> tuple[SigningKey, Key]:
    algorithm = ALGORITHMS[canonical(name)]
    if algorithm.family == "HMAC":
        secret = secrets.token_bytes(algorithm.key_bytes)
        return SigningKey.from_secret(secret, alg=name, kid="bench"), Key(name, name, secret, None, None)
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    signing = SigningKey.generate(algorithm.name, kid="bench")
    public = load_pem_private_key(signing.to_pem(), None).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return signing, Key(name, header_name(algorithm.name), None, pem, signing.public().to_jwk())


def _claims(now: int, missing: int) -> dict[str, Any]:
    """Return claims of an access token, with ``missing`` bytes of groups and scope added to them."""
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": f"user-{secrets.token_hex(4)}",
        "iat": now - 60,
        "exp": now + _LIFETIME_SECONDS,
        "jti": str(uuid.uuid4()),
        "scope": "read",
    }
    missing -= len('"groups":[],')
    if missing >= _GROUP_BYTES:
        claims["groups"] = [str(uuid.uuid4()) for _ in range(missing // _GROUP_BYTES)]
        missing %= _GROUP_BYTES
    claims["scope"] += " write"[: max(0, missing)].ljust(max(0, missing), "x")
    return claims
