"""The floor: what `cryptography` takes for the signature alone, over bytes that somebody else cut out of the
token.

HS256 is a keyed HMAC context copied per token, which is the fastest way the library offers. ECDSA signatures
arrive in DER already. Nothing is parsed and no policy is checked, so only the `tampered` twin applies.
"""

from collections.abc import Callable
from typing import Any

import cryptography
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

VERSION = cryptography.__version__
Parts = tuple[bytes, bytes]


def bind(alg: str, key: bytes) -> Callable[[Parts], None]:
    """Return a callable that takes (signing input, signature) and raises on a wrong signature."""
    if alg == "HS256":
        copy = hmac.HMAC(key, hashes.SHA256()).copy

        def verify(parts: Parts) -> None:
            mac = copy()
            mac.update(parts[0])
            if mac.finalize() != parts[1]:
                raise InvalidSignature

        return verify
    public: Any = serialization.load_pem_public_key(key)
    check = public.verify
    if alg == "RS256":
        pkcs1, sha256 = padding.PKCS1v15(), hashes.SHA256()
        return lambda parts: check(parts[1], parts[0], pkcs1, sha256)
    if alg == "ES256":
        ecdsa = ec.ECDSA(hashes.SHA256())
        return lambda parts: check(parts[1], parts[0], ecdsa)
    return lambda parts: check(parts[1], parts[0])


def parts(alg: str, signing_input: bytes, signature: bytes) -> Parts:
    """Bring one token's pieces into the form that `bind`'s callable takes."""
    if alg == "ES256":
        r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        signature = encode_dss_signature(r, s)
    return signing_input, signature
