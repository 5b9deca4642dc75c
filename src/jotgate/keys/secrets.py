"""What must not be an HMAC secret: anything too short, and anything that is a key of another kind.

A verifier that takes a public key for a secret accepts tokens that anybody can make, because everybody has
the public key. The ways in have been found one encoding at a time (PEM, then DER, OpenSSH, JWK, base64 of
each, a byte in front of each), so this file does not compare beginnings: it looks for the structure of a key
anywhere in the secret, and again in whatever the secret decodes to.

Every structure is so long that a random secret, binary, hex or base64, has one with a probability below
2^-40. For the same reason some keys cannot be told from a secret and are not looked for: bare Ed25519, Ed448
and ML-DSA keys, bare RSA moduli, compressed points.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric import ec

from ..errors import InvalidKeyError
from .primitives import CURVES

_FILE_URL = b"file://"

# No single mark below is shorter than nine fixed characters, or has fewer than 54 fixed bits where it is
# binary.
_TEXT_FORMS = (
    (
        re.compile(rb"---- ?BEGIN |BEGIN CERTIFICATE|(?:PUBLIC|PRIVATE) KEY", re.IGNORECASE),
        "a PEM or SSH2 key file",
    ),
    (re.compile(rb"(['\"])kty\1\s*:\s*(['\"])(?:RSA|EC|OKP|AKP|oct)\2"), "a JWK or JWK set"),
    (re.compile(rb"openssh-key-v1|PuTTY-User-Key-File"), "an SSH private key"),
    (re.compile(rb"<RSAKeyValue"), "an XML RSA key"),
)
# RFC 4253 section 6.6: every SSH public key and certificate begins with the length and the name of its type.
_SSH_BLOB = re.compile(rb"\0\0\0.(?:ssh-|ecdsa-sha2-|sk-ssh-|sk-ecdsa-)", re.DOTALL)
# Object identifiers inside SubjectPublicKeyInfo, PKCS#8, SEC 1 and certificates, with their DER tag and
# length.
_KEY_OIDS = re.compile(
    b"|".join(
        re.escape(bytes.fromhex(oid))
        for oid in (
            "06092a864886f70d01",  # PKCS#1 to PKCS#12: RSA keys and signatures, encrypted keys, key stores
            "06072a8648ce3d0201",  # id-ecPublicKey
            "06082a8648ce3d0301",  # the prime curves of ANSI X9.62, P-256 among them
            "06072a8648ce3804",  # DSA
            "06052b8104000a",  # secp256k1
            "06052b81040021",  # P-224
            "06052b81040022",  # P-384
            "06052b81040023",  # P-521
            "06092b240303020801",  # Brainpool curves
            "300506032b656e",  # X25519
            "300506032b656f",  # X448
            "300506032b6570",  # Ed25519
            "300506032b6571",  # Ed448
            "060960864801650304",  # ML-DSA, SLH-DSA and ML-KEM
        )
    )
)

_WHITE_SPACE = b" \t\r\n\v\f\0"
_BASE64_RUN = re.compile(rb"[A-Za-z0-9+/_-]{24,}")
_HEX_RUN = re.compile(rb"[0-9A-Fa-f]{48,}")
_ESCAPED_TEXT = re.compile(rb"\\u00|\\[/nr\"]")
_JSON_ESCAPE = re.compile(rb"\\(?:u00([0-7][0-9A-Fa-f])|(.))", re.DOTALL)
_PERCENT_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_HTML_QUOTE = re.compile(rb"&(?:quot|#34|#[xX]22);")
_HEX_SEPARATOR = re.compile(rb"[:,-]|0x|\\x")
_TO_STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")
# base64 of hex of UTF-16 JSON with escapes is four deep.
_MAX_LAYERS = 4
# What may stand in front of a bare point; further inside it is not looked for, which bounds the work.
_POINT_OFFSETS = 64


def load_secret(secret: object) -> bytes:
    """Check that an object may be an HMAC secret, but for its length, and return it.

    Args:
        secret: The raw secret; exactly `bytes`.

    Returns:
        The same bytes.

    Raises:
        InvalidKeyError: ``invalid_key``: another type, empty, or a key of another kind in any encoding.

    Cost: some 10 us for a binary secret; about 1 ms where it is text that decodes to something.
    """
    if type(secret) is not bytes:
        if isinstance(secret, str):
            raise InvalidKeyError(
                "an HMAC secret is bytes, not str: decode it if it is base64 or hex, else call .encode()"
            )
        raise InvalidKeyError(f"an HMAC secret is a bytes object, not {type(secret).__name__}")
    if not secret:
        raise InvalidKeyError("the HMAC secret is empty")
    kind = find_key(secret)
    if kind is not None:
        raise InvalidKeyError(f"the HMAC secret is {kind}; load keys with from_pem, from_der or from_jwk")
    return secret


def check_length(secret: bytes, least_bytes: int) -> None:
    """Refuse a secret shorter than the hash (RFC 7518 section 3.2).

    Args:
        secret: The secret.
        least_bytes: 32, 48 or 64.

    Raises:
        InvalidKeyError: ``invalid_key``.
    """
    if len(secret) < least_bytes:
        raise InvalidKeyError(f"the HMAC secret must have at least {least_bytes} bytes, it has {len(secret)}")


def find_key(data: bytes) -> str | None:
    """Look for a public or private key anywhere in `data` and in what it decodes to.

    Returns:
        What was found, for a message; None if nothing.
    """
    layers = [(data, 0)]
    while layers:
        layer, depth = layers.pop()
        kind = _key_in(layer)
        if kind is not None:
            return kind
        if depth < _MAX_LAYERS:
            layers.extend((decoded, depth + 1) for decoded in _decodings(layer))
    return None


def _key_in(data: bytes) -> str | None:
    if data.startswith(_FILE_URL):
        return "the URL of a file"
    for form, kind in _TEXT_FORMS:
        if form.search(data):
            return kind
    if _SSH_BLOB.search(data):
        return "an OpenSSH public key"
    if _KEY_OIDS.search(data) or _has_pkcs1(data):
        return "a DER key or certificate"
    if _has_point(data):
        return "a point of an elliptic curve"
    return None


def _decodings(data: bytes) -> Iterator[bytes]:
    """Yield all that `data` may be the text of: UTF-16 or -32, JSON, percent and HTML escapes, base64(url), hex."""
    if _ESCAPED_TEXT.search(data):
        yield _JSON_ESCAPE.sub(_unescape, data)
    if data.count(0) * 3 > len(data):
        # ASCII in UTF-16 and UTF-32, either byte order, is ASCII among as many NULs or more.
        yield data.replace(b"\0", b"")
    if b"%" in data:
        yield _PERCENT_ESCAPE.sub(lambda escape: bytes([int(escape[1], 16)]), data)
    if b"&" in data:
        yield _HTML_QUOTE.sub(b'"', data)
    compact = data.translate(None, _WHITE_SPACE)
    for run in _BASE64_RUN.finditer(compact):
        text = run.group().translate(_TO_STANDARD_ALPHABET)
        # Characters before the text shift it: one of the four ways to group it is right.
        for start in range(4):
            yield _from_base64(text[start:])
    for run in _HEX_RUN.finditer(_HEX_SEPARATOR.sub(b"", compact)):
        for start in range(2):
            digits = run.group()[start:]
            yield binascii.unhexlify(digits[: len(digits) // 2 * 2])


def _from_base64(text: bytes) -> bytes:
    odd = len(text) % 4
    if odd == 1:
        text = text[:-1]
    elif odd:
        text += b"=" * (4 - odd)
    return binascii.a2b_base64(text)


def _unescape(escape: re.Match[bytes]) -> bytes:
    code, char = escape.groups()
    if code is not None:
        return bytes([int(code, 16)])
    return b" " if char in b"nrtbf" else bytes(char)


def _has_pkcs1(data: bytes) -> bool:
    """Find RSAPublicKey and RSAPrivateKey (RFC 8017 appendix A.1), which have no object identifier."""
    return any(_is_pkcs1(data, start.start()) for start in re.finditer(b"\x30", data))


def _is_pkcs1(data: bytes, start: int) -> bool:
    sequence = _element(data, start, 0x30)
    first = _element(data, sequence[0], 0x02) if sequence else None
    if sequence is None or first is None:
        return False
    private = data[first[0] : first[1]] == b"\0"
    if private:
        first = _element(data, first[1], 0x02)
    second = _element(data, first[1], 0x02) if first else None
    if first is None or second is None or second[1] > sequence[1]:
        return False
    if not private and second[1] != sequence[1]:
        return False
    modulus, exponent = data[first[0] : first[1]], data[second[0] : second[1]]
    if not modulus[-1] & 1 or not exponent[-1] & 1:
        return False
    # Fewer fixed bits than this are met by chance: the usual exponents with any size, others with a usual
    # size.
    if exponent in (b"\x01\x00\x01", b"\x03"):
        return len(modulus) >= 64
    return len(modulus) > 128 and modulus[0] == 0 and modulus[1] >= 0x80


def _element(data: bytes, start: int, tag: int) -> tuple[int, int] | None:
    """Return where the content of a DER element lies, if one with this tag starts here and ends in `data`."""
    if start + 2 > len(data) or data[start] != tag:
        return None
    length, content = data[start + 1], start + 2
    if length >= 0x80:
        octets = length - 0x80
        if not 1 <= octets <= 3:
            return None
        length = int.from_bytes(data[content : content + octets], "big")
        content += octets
    end = content + length
    return (content, end) if length and end <= len(data) else None


def _has_point(data: bytes) -> bool:
    """Find an uncompressed or hybrid point near the beginning, or nothing but bare coordinates (SEC 1)."""
    for curve, size in ((curve, (curve.key_size + 7) // 8 * 2) for curve in CURVES.values()):
        if len(data) == size and _is_point(curve, data):
            return True
        for mark in re.finditer(rb"[\x04\x06\x07]", data[:_POINT_OFFSETS]):
            coordinates = data[mark.end() : mark.end() + size]
            if len(coordinates) == size and _is_point(curve, coordinates):
                return True
    return False


def _is_point(curve: ec.EllipticCurve, coordinates: bytes) -> bool:
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\x04" + coordinates)
    except ValueError:
        return False
    return True
