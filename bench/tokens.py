"""The tokens that every bench row verifies: made afresh for each run, with `cryptography` alone.

One token is what a gateway sees all day: eight claims in a payload of 254 bytes. The library under test takes
no part in making it, so a fault that signs and verifies alike cannot hide.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ALGORITHMS = ("HS256", "RS256", "ES256", "EdDSA")
ISSUER = "https://auth.example.com"
AUDIENCE = "https://api.example.com"
PAYLOAD_BYTES = 254
LONGER_PAYLOAD_BYTES = 464  # makes an HS256 token of 700 characters
LIFETIME = 6 * 3600


class Signed(NamedTuple):
    """One token in its parts: what the bare primitive needs beside what a library needs."""

    text: bytes
    claims: dict[str, Any]
    signing_input: bytes
    signature: bytes


class Corpus(NamedTuple):
    """Everything one algorithm's rows share.

    `key` is what a verifier is configured with: the secret for HS256, a public key in PEM otherwise. `twins`
    are tokens that differ from an acceptable one in a single respect each; a row counts only if all of them
    are refused.
    """

    alg: str
    key: bytes
    signed: tuple[Signed, ...]
    twins: dict[str, bytes]

    def fresh(self, count: int) -> list[str]:
        """Return `count` strings, each a new object: a re-used one has its hash cached and flatters every
        look-up."""
        blobs = [token.text for token in self.signed]
        return [str(blobs[i % len(blobs)], "ascii") for i in range(count)]

    def to_json(self) -> str:
        """Serialize for a worker process."""
        return json.dumps(
            {
                "alg": self.alg,
                "key": self.key.hex(),
                "signed": [
                    [t.text.decode(), t.claims, t.signing_input.decode(), t.signature.hex()] for t in self.signed
                ],
                "twins": {name: text.decode() for name, text in self.twins.items()},
            }
        )

    @classmethod
    def from_json(cls, document: str) -> "Corpus":
        """Rebuild what `to_json` wrote."""
        raw = json.loads(document)
        return cls(
            raw["alg"],
            bytes.fromhex(raw["key"]),
            tuple(
                Signed(text.encode(), claims, data.encode(), bytes.fromhex(signature))
                for text, claims, data, signature in raw["signed"]
            ),
            {name: text.encode() for name, text in raw["twins"].items()},
        )


def b64url(data: bytes) -> bytes:
    """Encode as RFC 7515 section 2 wants it: URL alphabet, no padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def claims_set(now: int, payload_bytes: int = PAYLOAD_BYTES, **changes: Any) -> dict[str, Any]:
    """Return eight claims whose compact JSON is exactly `payload_bytes` long."""
    claims = {
        "iss": ISSUER,
        "sub": secrets.token_hex(12),
        "aud": AUDIENCE,
        "exp": now + LIFETIME,
        "nbf": now - 60,
        "iat": now - 60,
        "jti": secrets.token_hex(16),
        "scope": "",
    }
    room = payload_bytes - len(_compact(claims))
    claims["scope"] = "orders:read orders:write invoices:read".ljust(room, "x")[:room]
    return claims | changes


class Signer:
    """Signs compact tokens for one algorithm with a key made on the spot."""

    def __init__(self, alg: str) -> None:
        self.alg = alg
        self.header = b64url(_compact({"alg": alg, "typ": "JWT"}))
        self._secret = secrets.token_bytes(32)
        if alg == "HS256":
            self.key = self._secret
            return
        self._private: Any
        if alg == "RS256":
            self._private = rsa.generate_private_key(65537, 2048)
        elif alg == "ES256":
            self._private = ec.generate_private_key(ec.SECP256R1())
        else:
            self._private = ed25519.Ed25519PrivateKey.generate()
        self.key = self._private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def signature(self, data: bytes) -> bytes:
        """Return the JWS signature bytes over `data`."""
        if self.alg == "HS256":
            return hmac.digest(self._secret, data, hashlib.sha256)
        if self.alg == "RS256":
            return self._private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        if self.alg == "ES256":
            r, s = decode_dss_signature(self._private.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return self._private.sign(data)

    def sign(self, claims: dict[str, Any]) -> Signed:
        """Sign one claims set."""
        data = self.header + b"." + b64url(_compact(claims))
        signature = self.signature(data)
        return Signed(data + b"." + b64url(signature), claims, data, signature)


def make_corpus(alg: str, count: int = 64, payload_bytes: int = PAYLOAD_BYTES) -> Corpus:
    """Make a key, `count` distinct tokens and their reject twins for one algorithm."""
    signer = Signer(alg)
    now = int(time.time())
    signed = tuple(signer.sign(claims_set(now, payload_bytes)) for _ in range(count))
    good = signed[0]
    flipped = bytes([good.signature[0] ^ 1]) + good.signature[1:]
    twins = {
        "tampered": good.signing_input + b"." + b64url(flipped),
        "wrong audience": signer.sign(claims_set(now, aud="https://other.example.com")).text,
        "wrong issuer": signer.sign(claims_set(now, iss="https://evil.example.com")).text,
        "expired": signer.sign(claims_set(now, exp=now - 3600)).text,
    }
    return Corpus(alg, signer.key, signed, twins)


def hostile(corpus: Corpus, start: int, count: int) -> Iterator[str]:
    """Yield `count` different tokens that all must be refused, the way somebody who floods a gateway would
    make them.

    Each is new in the part that a careless verifier would remember: signature, header, kid, algorithm name or
    text.
    """
    header, payload, signature = (str(part, "ascii") for part in corpus.signed[0].text.split(b"."))
    for i in range(start, start + count):
        tag = f"{i:011x}"
        kind = i % 8
        if kind == 0:
            yield f"{header}.{payload}.{tag}{signature[11:]}"
        elif kind == 1:
            kid = b64url(b'{"alg":"%s","kid":"%s"}' % (corpus.alg.encode(), tag.encode())).decode()
            yield f"{kid}.{payload}.{signature}"
        elif kind == 2:
            name = b64url(b'{"alg":"%s"}' % tag.encode()).decode()
            yield f"{name}.{payload}.{signature}"
        elif kind == 3:
            yield f"{header}.{tag}{payload}.{signature}"
        elif kind == 4:
            yield f"{tag}{header}.{payload}.{signature}"
        elif kind == 5:
            yield tag * 40
        elif kind == 6:
            yield f"{header}.{payload}.{tag}"
        else:
            yield f"{header}.{payload}.{signature[:-11]}{tag[:-1]}*"


def tile(texts: Sequence[Any], count: int) -> list[Any]:
    """Repeat `texts` to exactly `count` entries, in the order that `Corpus.fresh` uses."""
    return [texts[i % len(texts)] for i in range(count)]


def _compact(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
