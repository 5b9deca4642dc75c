"""Write one key in every form that somebody might mistake for an HMAC secret, and every form as text of text.

Nothing here calls `jotgate`.
"""

from __future__ import annotations

import base64
import datetime
import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from support import b64u, secret_key

EC_SIZES = {"secp256r1": 32, "secp384r1": 48, "secp521r1": 66, "secp256k1": 32}
EC_NAMES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp256k1": "secp256k1"}

KINDS = ("RS256", "ES256", "ES384", "ES512", "ES256K", "Ed25519", "Ed448", "ML-DSA-44")
"""One algorithm for each kind of key."""


def uint(number: int) -> str:
    return b64u(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def public_jwk(key: Any) -> dict[str, str]:
    """Write a public key of `cryptography` as a JWK without metadata (RFC 7518 section 6, 8037, 9964)."""
    if isinstance(key, rsa.RSAPublicKey):
        return {"kty": "RSA", "n": uint(key.public_numbers().n), "e": uint(key.public_numbers().e)}
    if isinstance(key, ec.EllipticCurvePublicKey):
        size, point = EC_SIZES[key.curve.name], key.public_numbers()
        x, y = (b64u(part.to_bytes(size, "big")) for part in (point.x, point.y))
        return {"kty": "EC", "crv": EC_NAMES[key.curve.name], "x": x, "y": y}
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        crv = "Ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else "Ed448"
        return {"kty": "OKP", "crv": crv, "x": b64u(key.public_bytes_raw())}
    assert isinstance(key, mldsa.MLDSA44PublicKey)
    return {"kty": "AKP", "alg": "ML-DSA-44", "pub": b64u(key.public_bytes_raw())}


def private_jwk(key: Any) -> dict[str, str]:
    """Write a private key of `cryptography` as a JWK without metadata."""
    public = public_jwk(key.public_key())
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.private_numbers()
        names = {"p": "p", "q": "q", "dp": "dmp1", "dq": "dmq1", "qi": "iqmp", "d": "d"}
        return public | {name: uint(getattr(numbers, attribute)) for name, attribute in names.items()}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = EC_SIZES[key.curve.name]
        return public | {"d": b64u(key.private_numbers().private_value.to_bytes(size, "big"))}
    if public["kty"] == "AKP":
        return public | {"priv": b64u(key.private_bytes_raw())}
    return public | {"d": b64u(key.private_bytes_raw())}


def certificate(key: Any) -> x509.Certificate:
    """Sign a certificate of the key with itself; Edwards and ML-DSA keys name no hash."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "jotgate test")])
    start = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(4711).not_valid_before(start).not_valid_after(start.replace(year=2034))
    hashed = isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    return builder.sign(key, hashes.SHA256() if hashed else None)


def spki(key: Any, encoding: Encoding = Encoding.DER) -> bytes:
    data: bytes = key.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
    return data


def pkcs8(key: Any, encoding: Encoding = Encoding.DER, password: bytes | None = None) -> bytes:
    scheme = serialization.BestAvailableEncryption(password) if password else NoEncryption()
    data: bytes = key.private_bytes(encoding, PrivateFormat.PKCS8, scheme)
    return data


def escaped(text: str) -> str:
    r"""Write every letter of a JSON text's names and values as \u00XX."""
    return "".join(f"\\u{ord(char):04x}" if char.isalpha() else char for char in text)


@functools.cache
def public_forms(alg: str) -> dict[str, bytes]:
    """Return the public key of an algorithm in every form it may be published in."""
    private = secret_key(alg)
    public = private.public_key()
    jwk = public_jwk(public)
    text = json.dumps(jwk)
    cert = certificate(private)
    forms = {
        "spki_pem": spki(public, Encoding.PEM),
        "spki_der": spki(public),
        "certificate_pem": cert.public_bytes(Encoding.PEM),
        "certificate_der": cert.public_bytes(Encoding.DER),
        "jwk": json.dumps(jwk, separators=(",", ":")).encode(),
        "jwk_pretty": json.dumps(jwk, indent=4).encode(),
        "jwk_escaped": escaped(text).encode(),
        "jwk_utf16": text.encode("utf-16"),
        "jwk_utf16_be": text.encode("utf-16-be"),
        "jwk_utf32": text.encode("utf-32"),
        "jwk_bom": text.encode("utf-8-sig"),
        "jwk_python": repr(jwk).encode(),
        "jwks": json.dumps({"keys": [jwk]}).encode(),
        "jwk_array": json.dumps([jwk, jwk]).encode(),
    }
    if isinstance(public, rsa.RSAPublicKey):
        forms["pkcs1_pem"] = public.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
        forms["pkcs1_der"] = public.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    if isinstance(public, ec.EllipticCurvePublicKey):
        point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        forms |= {
            "point": point,
            "hybrid_point": bytes([6 | point[-1] & 1]) + point[1:],
            "coordinates": point[1:],
        }
    if alg in ("RS256", "ES256", "ES384", "ES512", "Ed25519"):
        line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        forms |= {"ssh_line": line + b" user@host", "ssh_blob": base64.b64decode(line.split()[1])}
        forms["ssh2_file"] = b"---- BEGIN SSH2 PUBLIC KEY ----\n" + line.split()[1] + b"\n---- END SSH2 PUBLIC KEY ----"
    return forms


@functools.cache
def private_forms(alg: str) -> dict[str, bytes]:
    """Return the private key of an algorithm in every form that is read somewhere."""
    key = secret_key(alg)
    forms = {
        "pkcs8_pem": pkcs8(key, Encoding.PEM),
        "pkcs8_der": pkcs8(key),
        "encrypted_pem": pkcs8(key, Encoding.PEM, b"password"),
        "encrypted_der": pkcs8(key, Encoding.DER, b"password"),
        "private_jwk": json.dumps(private_jwk(key)).encode(),
    }
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        for name, encoding in (("traditional_pem", Encoding.PEM), ("traditional_der", Encoding.DER)):
            forms[name] = key.private_bytes(encoding, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    if alg in ("RS256", "ES256", "Ed25519"):
        forms["openssh_pem"] = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return forms


def _spaced(data: bytes) -> bytes:
    return b" \n".join(data[i : i + 60] for i in range(0, len(data), 60))


ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "base64": base64.b64encode,
    "base64_lines": base64.encodebytes,
    "base64_crlf": lambda data: base64.encodebytes(data).replace(b"\n", b"\r\n"),
    "base64_unpadded": lambda data: base64.b64encode(data).rstrip(b"="),
    "base64url": base64.urlsafe_b64encode,
    "base64url_unpadded": lambda data: base64.urlsafe_b64encode(data).rstrip(b"="),
    "base64_spaced": lambda data: _spaced(base64.b64encode(data)),
    "base64_json": lambda data: json.dumps(base64.b64encode(data).decode()).replace("/", "\\/").encode(),
    "base64_utf16": lambda data: base64.b64encode(data).decode().encode("utf-16"),
    "base64_twice": lambda data: base64.b64encode(base64.b64encode(data)),
    "hex": lambda data: data.hex().encode(),
    "hex_upper": lambda data: data.hex().upper().encode(),
    "hex_spaced": lambda data: data.hex(" ").encode(),
    "hex_colons": lambda data: data.hex(":").encode(),
    "hex_0x": lambda data: b"0x" + data.hex().encode(),
    "hex_base64": lambda data: base64.b64encode(data.hex().encode()),
}

ZERO_WIDTH = ("\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u180e", "\u00ad", "\u200b\ufeff\u2060")


def prefixes() -> Iterator[bytes]:
    """Yield every single byte, and characters that no terminal shows."""
    for value in range(256):
        yield bytes([value])
    for text in ZERO_WIDTH:
        yield text.encode()
