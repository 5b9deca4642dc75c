"""What `cryptography` is asked to do for each algorithm: prepare to verify, sign, make keys."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from ..errors import InvalidKeyError
from .algorithms import ALGORITHMS, Algorithm
from .strength import MAX_RSA_BITS, MIN_RSA_BITS

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import mldsa

    MLDSAPublicKey: TypeAlias = mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey
    MLDSAPrivateKey: TypeAlias = mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey
    PublicKey: TypeAlias = (
        rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey | MLDSAPublicKey
    )
    PrivateKey: TypeAlias = (
        rsa.RSAPrivateKey
        | ec.EllipticCurvePrivateKey
        | ed25519.Ed25519PrivateKey
        | ed448.Ed448PrivateKey
        | MLDSAPrivateKey
    )

NO_ML_DSA = "the OpenSSL that cryptography uses here has no ML-DSA: it needs version 3.5"

HASHES: dict[str, hashes.HashAlgorithm] = {
    "SHA256": hashes.SHA256(),
    "SHA384": hashes.SHA384(),
    "SHA512": hashes.SHA512(),
}
CURVES: dict[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
    "secp256k1": ec.SECP256K1(),
}
EDWARDS_PUBLIC: dict[str, type[ed25519.Ed25519PublicKey] | type[ed448.Ed448PublicKey]] = {
    "Ed25519": ed25519.Ed25519PublicKey,
    "Ed448": ed448.Ed448PublicKey,
}
EDWARDS_PRIVATE: dict[str, type[ed25519.Ed25519PrivateKey] | type[ed448.Ed448PrivateKey]] = {
    "Ed25519": ed25519.Ed25519PrivateKey,
    "Ed448": ed448.Ed448PrivateKey,
}


def ml_dsa_public(name: str) -> type[MLDSAPublicKey]:
    """Return the public key class of an ML-DSA parameter set; only called for those in `ALGORITHMS`."""
    from cryptography.hazmat.primitives.asymmetric import mldsa

    return cast("type[MLDSAPublicKey]", getattr(mldsa, f"MLDSA{name[-2:]}PublicKey"))


def ml_dsa_private(name: str) -> type[MLDSAPrivateKey]:
    """Return the private key class of an ML-DSA parameter set; only called for those in `ALGORITHMS`."""
    from cryptography.hazmat.primitives.asymmetric import mldsa

    return cast("type[MLDSAPrivateKey]", getattr(mldsa, f"MLDSA{name[-2:]}PrivateKey"))


@functools.cache
def has_ml_dsa() -> bool:
    """Tell whether the OpenSSL of `cryptography` has ML-DSA; asked only when such a key turns up."""
    try:
        ml_dsa_public("ML-DSA-44").from_public_bytes(bytes(1312))
    except UnsupportedAlgorithm:
        return False
    return True


def verification_context(algorithm: Algorithm, key: PublicKey | bytes) -> tuple[Any, ...]:
    """Return what the native engine needs to verify with a key: the arguments of `KeyHandle`, by family."""
    if algorithm.family == "HMAC":
        return (hmac.HMAC(cast("bytes", key), HASHES[cast("str", algorithm.hash)]),)
    if algorithm.family in ("RSA-PKCS1", "RSA-PSS"):
        return (key, *_rsa_scheme(algorithm))
    if algorithm.family == "ECDSA":
        return (key, ec.ECDSA(HASHES[cast("str", algorithm.hash)]))
    return (key,)


def lane_material(key: PublicKey | bytes) -> bytes:
    """Return a key as another library takes it: the secret, or the public key as SubjectPublicKeyInfo in DER."""
    if isinstance(key, bytes):
        return key
    from cryptography.hazmat.primitives import serialization  # here: it loads dataclasses and inspect

    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def signature_bytes(algorithm: Algorithm, key: PublicKey | bytes) -> int:
    """Return the exact length of a signature made for this key."""
    if algorithm.kty == "RSA":
        return (cast("rsa.RSAPublicKey", key).key_size + 7) // 8
    return algorithm.signature_bytes


def sign(algorithm: Algorithm, key: PrivateKey | bytes, data: bytes) -> bytes:
    """Return the raw JWS signature of `data`.

    ECDSA signs deterministically where OpenSSL can (RFC 8725 section 3.2) and answers R || S (RFC 7518
    section 3.4).
    """
    if algorithm.family == "HMAC":
        mac = hmac.HMAC(cast("bytes", key), HASHES[cast("str", algorithm.hash)])
        mac.update(data)
        return mac.finalize()
    if algorithm.family in ("RSA-PKCS1", "RSA-PSS"):
        return cast("rsa.RSAPrivateKey", key).sign(data, *_rsa_scheme(algorithm))
    if algorithm.family == "ECDSA":
        scheme = _signing_ecdsa(HASHES[cast("str", algorithm.hash)])
        r, s = decode_dss_signature(cast("ec.EllipticCurvePrivateKey", key).sign(data, scheme))
        return r.to_bytes(algorithm.key_bytes, "big") + s.to_bytes(algorithm.key_bytes, "big")
    return cast("ed25519.Ed25519PrivateKey", key).sign(data)


def generate(algorithm: Algorithm, bits: int | None = None) -> PrivateKey | bytes:
    """Make a new private key, or a secret as long as the hash.

    Args:
        algorithm: What the key is for.
        bits: Size of an RSA modulus, 2048 to 8192 in steps of 8; 2048 if None. Nothing else takes a size.

    Raises:
        InvalidKeyError: ``invalid_key``: `bits` is out of range, or given for a kind of key of fixed size.
    """
    if algorithm.kty == "RSA":
        size = MIN_RSA_BITS if bits is None else bits
        if type(size) is not int or not MIN_RSA_BITS <= size <= MAX_RSA_BITS or size % 8:
            raise InvalidKeyError(f"bits must be {MIN_RSA_BITS} to {MAX_RSA_BITS} in steps of 8")
        return rsa.generate_private_key(65537, size)
    if bits is not None:
        raise InvalidKeyError(f"bits is for RSA keys; the size of an {algorithm.name} key is fixed")
    if algorithm.kty == "oct":
        return os.urandom(algorithm.key_bytes)
    if algorithm.kty == "EC":
        return ec.generate_private_key(CURVES[cast("str", algorithm.crv)])
    if algorithm.kty == "OKP":
        return EDWARDS_PRIVATE[cast("str", algorithm.crv)].generate()
    if not has_ml_dsa():
        raise InvalidKeyError(NO_ML_DSA)
    return ml_dsa_private(algorithm.name).generate()


def is_private_key(key: object) -> bool:
    """Tell whether an object is a private key that signs for one of our algorithms."""
    kinds: list[type] = [
        rsa.RSAPrivateKey,
        ec.EllipticCurvePrivateKey,
        *EDWARDS_PRIVATE.values(),
        *(ml_dsa_private(name) for name, row in ALGORITHMS.items() if row.kty == "AKP"),
    ]
    return isinstance(key, tuple(kinds))


def _rsa_scheme(algorithm: Algorithm) -> tuple[padding.AsymmetricPadding, hashes.HashAlgorithm]:
    digest = HASHES[cast("str", algorithm.hash)]
    if algorithm.family == "RSA-PKCS1":
        return padding.PKCS1v15(), digest
    # RFC 7518 section 3.5: MGF1 with the same hash, a salt as long as the hash, and no other length.
    return padding.PSS(padding.MGF1(digest), digest.digest_size), digest


def _signing_ecdsa(digest: hashes.HashAlgorithm) -> ec.ECDSA:
    try:
        return ec.ECDSA(digest, deterministic_signing=True)
    except UnsupportedAlgorithm:
        return ec.ECDSA(digest)
