"""What the providers' files are made of: a key pair to sign with once, and the way they are written."""

import base64
import hashlib
import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

HERE = Path(__file__).parent
ISSUED = 1_767_225_600
"""2026-01-01T00:00:00Z: every token was issued then, and the tests' clock stands a minute later."""

JSON = dict[str, Any]


def b64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def uint(number: int, size: int | None = None) -> str:
    return b64url(number.to_bytes(size or (number.bit_length() + 7) // 8, "big"))


def compact_json(value: JSON) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class Signer:
    """A key pair of a provider: the members its JWK is made of, and one way to sign."""

    def __init__(self, alg: str = "RS256") -> None:
        self.alg = alg
        self.private: Any
        if alg == "ES256":
            self.private = ec.generate_private_key(ec.SECP256R1())
            point = self.private.public_key().public_numbers()
            self.members: JSON = {"crv": "P-256", "x": uint(point.x, 32), "y": uint(point.y, 32)}
        else:
            self.private = rsa.generate_private_key(65537, 2048)
            self.members = {"n": uint(self.private.public_key().public_numbers().n), "e": "AQAB"}

    def certificate(self, common_name: str) -> bytes:
        """Return a self-signed certificate in DER, as `x5c` holds it."""
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
        builder = x509.CertificateBuilder(
            issuer_name=name,
            subject_name=name,
            public_key=self.private.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=datetime(2025, 10, 1, tzinfo=UTC),
            not_valid_after=datetime(2030, 10, 1, tzinfo=UTC),
        )
        return builder.sign(self.private, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def token(self, header: str, claims: JSON) -> str:
        signing_input = f"{b64url(header.encode())}.{b64url(compact_json(claims).encode())}"
        return f"{signing_input}.{b64url(self.sign(signing_input.encode()))}"

    def sign(self, data: bytes) -> bytes:
        if self.alg == "ES256":
            r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())


def standard_base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def sha1_of(certificate: bytes) -> str:
    return b64url(hashlib.sha1(certificate, usedforsecurity=False).digest())


def guid() -> str:
    return str(uuid.uuid4())


def write(provider: str, documents: dict[str, JSON], tokens: dict[str, JSON]) -> None:
    """Write one provider's directory.

    Args:
        provider: Name of the directory.
        documents: JWKS documents by file name.
        tokens: For each token its text, its policy, which JWKS it belongs to, and what it must be read as.
    """
    directory = HERE / provider
    directory.mkdir(exist_ok=True)
    for name, document in documents.items():
        (directory / name).write_text(json.dumps(document, indent=2) + "\n")
    written: JSON = {}
    for name, entry in tokens.items():
        (directory / f"{name}.jwt").write_text(entry.pop("text") + "\n")
        written[name] = {"now": ISSUED + 60, "jwks": "jwks.json", **entry}
    (directory / "policy.json").write_text(json.dumps(written, indent=2, ensure_ascii=False) + "\n")
