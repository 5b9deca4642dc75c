"""JSON Web Keys: checked key material out of their members, and members out of keys.

Every road into a key passes here: PEM, DER and objects of `cryptography` are first written as the members of
a JWK and then read like one, so that each rule stands once.

Spec: RFC 7518 section 6, RFC 8037 section 2, RFC 8812 section 3.1, RFC 9964 section 3. Stricter than these:
base64url must be canonical, and a secret has no members of a public key.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, cast

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from .._codec import b64url_decode, b64url_encode
from ..errors import InvalidKeyError, MalformedTokenError
from .algorithms import ALGORITHMS
from .material import Material, secret_material
from .metadata import PRIVATE_MEMBERS, Members, Operation, refuse_private, unsuitable
from .pem import certificate_key
from .primitives import (
    CURVES,
    EDWARDS_PRIVATE,
    EDWARDS_PUBLIC,
    NO_ML_DSA,
    has_ml_dsa,
    is_private_key,
    ml_dsa_private,
    ml_dsa_public,
)
from .strength import check_edwards, check_rsa

if TYPE_CHECKING:
    from .primitives import PrivateKey

_RSA_CRT_MEMBERS = ("p", "q", "dp", "dq", "qi")
_PUBLIC_MEMBERS = ("n", "e", "crv", "x", "y", "pub", "x5c")
_CURVE_SIZES = {row.crv: row.key_bytes for row in ALGORITHMS.values() if row.crv is not None}
_CURVE_TYPES = {row.crv: row.kty for row in ALGORITHMS.values() if row.crv is not None}


def load_public(jwk: Members) -> Material:
    """Load and check the public key of a JWK; private members are not looked at.

    Raises:
        InvalidKeyError: ``invalid_key``: a member missing or malformed, a key that is weak or not on its
            curve, a certificate (``x5c``) of another key.
    """
    material = _LOADERS[cast("str", jwk["kty"])](jwk)
    if "x5c" in jwk:
        _check_certificate(jwk["x5c"], material)
    return material


def load_secret_jwk(jwk: Members) -> Material:
    """Load and check the secret of an ``oct`` JWK, but for its length, which depends on the algorithm.

    Raises:
        InvalidKeyError: ``invalid_key``: no canonical ``k``, members of another key type, or what must not be
            a secret.
    """
    if any(name in jwk for name in _PUBLIC_MEMBERS):
        raise InvalidKeyError('a JWK of type "oct" has no members of a public key')
    return secret_material(_octets(jwk, "k"))


def load_verifying(jwk: Members) -> Material:
    """Load and check one JWK to verify with: a public key or a secret.

    Raises:
        InvalidKeyError: ``invalid_key``: private members, not a key for signatures, or what `load_public`
            refuses.
    """
    refuse_private(jwk)
    _refuse_unsuitable(jwk, "verify")
    return load_secret_jwk(jwk) if jwk["kty"] == "oct" else load_public(jwk)


def load_signing(jwk: Members) -> tuple[PrivateKey | bytes, Material]:
    """Load and check one JWK to sign with: a private key or a secret.

    Raises:
        InvalidKeyError: ``invalid_key``: no private members, not a key for signatures, or what `load_private`
            refuses.
    """
    _refuse_unsuitable(jwk, "sign")
    if jwk["kty"] != "oct":
        if not any(name in jwk for name in PRIVATE_MEMBERS):
            raise InvalidKeyError("the JWK has no private members: it cannot sign; use VerificationKey")
        return load_private(jwk)
    material = load_secret_jwk(jwk)
    return cast("bytes", material.key), material


def _refuse_unsuitable(jwk: Members, operation: Operation) -> None:
    reason = unsuitable(jwk, operation)
    if reason is not None:
        raise InvalidKeyError(f"the JWK cannot be used: {reason}")


def material_of(key: object) -> Material:
    """Check a public key object of `cryptography`.

    Raises:
        InvalidKeyError: ``invalid_key``: not a public key that signs for one of our algorithms, or a weak
            one.
    """
    try:
        members = public_members(key)
    except InvalidKeyError:
        raise
    except Exception:
        # An object that only calls itself a public key may raise anything.
        raise InvalidKeyError("the key does not give its public numbers") from None
    return load_public(members)


def material_of_private(key: object) -> tuple[PrivateKey, Material]:
    """Check a private key object of `cryptography` by its public key.

    Returns:
        The same object, and the public key.

    Raises:
        InvalidKeyError: ``invalid_key``: not a private key that signs for one of our algorithms, or a weak
            one.
    """
    if not is_private_key(key):
        raise InvalidKeyError(f"{type(key).__name__} is not a private key that signs for Jotgate")
    private = cast("PrivateKey", key)
    return private, material_of(private.public_key())


def public_members(key: object) -> dict[str, str]:
    """Write a public key of `cryptography` as the required members of a JWK.

    Raises:
        InvalidKeyError: ``invalid_key``: not a public key, or of a kind that does not sign for us.
    """
    if is_private_key(key):
        raise InvalidKeyError("this is a private key: pass its public_key(); for signing use SigningKey")
    if isinstance(key, rsa.RSAPublicKey):
        rsa_numbers = key.public_numbers()
        return {"e": _uint(rsa_numbers.e), "kty": "RSA", "n": _uint(rsa_numbers.n)}
    if isinstance(key, ec.EllipticCurvePublicKey):
        crv = next((crv for crv, curve in CURVES.items() if curve.name == key.curve.name), None)
        if crv is None:
            raise InvalidKeyError(f"the curve of the key is not one of {', '.join(CURVES)}")
        size, point = _CURVE_SIZES[crv], key.public_numbers()
        x, y = (b64url_encode(part.to_bytes(size, "big")) for part in (point.x, point.y))
        return {"crv": crv, "kty": "EC", "x": x, "y": y}
    for crv, edwards in EDWARDS_PUBLIC.items():
        if isinstance(key, edwards):
            return {"crv": crv, "kty": "OKP", "x": b64url_encode(key.public_bytes_raw())}
    for name in _ml_dsa_names():
        if isinstance(key, ml_dsa_public(name)):
            return {"alg": name, "kty": "AKP", "pub": b64url_encode(key.public_bytes_raw())}
    raise InvalidKeyError(f"{type(key).__name__} is not a public key that signs for Jotgate")


def _ml_dsa_names() -> list[str]:
    return [row.name for row in ALGORITHMS.values() if row.kty == "AKP"]


def _load_rsa(jwk: Members) -> Material:
    n, e = _positive(jwk, "n"), _positive(jwk, "e")
    check_rsa(n, e)
    return Material({"e": _uint(e), "kty": "RSA", "n": _uint(n)}, rsa.RSAPublicNumbers(e, n).public_key())


def _load_ec(jwk: Members) -> Material:
    crv = _curve(jwk, "EC")
    x, y = (_octets(jwk, name, _CURVE_SIZES[crv]) for name in ("x", "y"))
    try:
        # As an encoded point: `EllipticCurvePublicNumbers` would take a coordinate above the prime.
        key = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[crv], b"\x04" + x + y)
    except ValueError:
        raise InvalidKeyError(f"the point is not on {crv}") from None
    return Material({"crv": crv, "kty": "EC", "x": b64url_encode(x), "y": b64url_encode(y)}, key)


def _load_okp(jwk: Members) -> Material:
    crv = _curve(jwk, "OKP")
    x = _octets(jwk, "x", _CURVE_SIZES[crv])
    check_edwards(crv, x)
    return Material({"crv": crv, "kty": "OKP", "x": b64url_encode(x)}, EDWARDS_PUBLIC[crv].from_public_bytes(x))


def _load_akp(jwk: Members) -> Material:
    alg = jwk.get("alg")
    algorithm = ALGORITHMS.get(alg) if isinstance(alg, str) else None
    if algorithm is None or algorithm.kty != "AKP":
        raise InvalidKeyError('a JWK of type "AKP" needs an "alg" that is one of ML-DSA-44, ML-DSA-65, ML-DSA-87')
    pub = _octets(jwk, "pub", algorithm.key_bytes)
    if not has_ml_dsa():
        raise InvalidKeyError(NO_ML_DSA)
    key = ml_dsa_public(algorithm.name).from_public_bytes(pub)
    return Material({"alg": algorithm.name, "kty": "AKP", "pub": b64url_encode(pub)}, key)


_LOADERS = {"RSA": _load_rsa, "EC": _load_ec, "OKP": _load_okp, "AKP": _load_akp}


def _check_certificate(x5c: object, material: Material) -> None:
    """Hold the first certificate of ``x5c`` against the key (RFC 7517 section 4.7), without its chain."""
    if not isinstance(x5c, list | tuple) or not x5c or not all(isinstance(text, str) for text in x5c):
        raise InvalidKeyError('the JWK member "x5c" is not an array of strings')
    try:
        der = binascii.a2b_base64(x5c[0], strict_mode=True)
    except ValueError:
        raise InvalidKeyError('the first certificate of "x5c" is not base64') from None
    if public_members(certificate_key(der, pss=True)) != material.members:
        raise InvalidKeyError('the first certificate of "x5c" is for another key')


def load_private(jwk: Members) -> tuple[PrivateKey, Material]:
    """Load the private key of a JWK, with every private part checked against the public ones.

    Returns:
        The private key and the checked public one.

    Raises:
        InvalidKeyError: ``invalid_key``: what `load_public` refuses, a private part missing, malformed or of
            another key, or an RSA key of more than two primes (``oth``).
    """
    material = load_public(jwk)
    key = _private_key(jwk, material)
    if public_members(key.public_key()) != material.members:
        raise InvalidKeyError("the private member of the JWK belongs to another public key")
    return key, material


def _private_key(jwk: Members, material: Material) -> PrivateKey:
    if material.kty == "RSA":
        return _rsa_private(jwk, cast("rsa.RSAPublicKey", material.key).public_numbers())
    if material.kty == "AKP":
        return ml_dsa_private(material.members["alg"]).from_seed_bytes(_octets(jwk, "priv", 32))
    crv = material.members["crv"]
    d = _octets(jwk, "d", _CURVE_SIZES[crv])
    if material.kty == "OKP":
        return EDWARDS_PRIVATE[crv].from_private_bytes(d)
    try:
        return ec.derive_private_key(int.from_bytes(d, "big"), CURVES[crv])
    except ValueError:
        raise InvalidKeyError(f'the JWK member "d" is not a private key of {crv}') from None


def _rsa_private(jwk: Members, public: rsa.RSAPublicNumbers) -> rsa.RSAPrivateKey:
    if "oth" in jwk:
        raise InvalidKeyError('an RSA key has two primes: "oth" is not supported')
    d = _positive(jwk, "d")
    try:
        # RFC 7518 section 6.3.2: all of them or none.
        if any(name in jwk for name in _RSA_CRT_MEMBERS):
            p, q, dp, dq, qi = (_positive(jwk, name) for name in _RSA_CRT_MEMBERS)
        else:
            p, q = rsa.rsa_recover_prime_factors(public.n, public.e, d)
            dp, dq, qi = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
        return rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, public).private_key()
    except InvalidKeyError:
        raise
    except (ValueError, OverflowError, ZeroDivisionError):
        raise InvalidKeyError("the private members of the RSA JWK do not belong together") from None


def private_members(key: PrivateKey | bytes) -> dict[str, str]:
    """Write the private members of a JWK for a key or a secret, without the public ones."""
    if isinstance(key, bytes):
        return {"k": b64url_encode(key)}
    if isinstance(key, rsa.RSAPrivateKey):
        rsa_numbers = key.private_numbers()
        parts = (rsa_numbers.p, rsa_numbers.q, rsa_numbers.dmp1, rsa_numbers.dmq1, rsa_numbers.iqmp)
        return {"d": _uint(rsa_numbers.d)} | dict(zip(_RSA_CRT_MEMBERS, map(_uint, parts), strict=True))
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = (key.curve.key_size + 7) // 8
        return {"d": b64url_encode(key.private_numbers().private_value.to_bytes(size, "big"))}
    if isinstance(key, tuple(EDWARDS_PRIVATE.values())):
        return {"d": b64url_encode(key.private_bytes_raw())}
    return {"priv": b64url_encode(key.private_bytes_raw())}


def _curve(jwk: Members, kty: str) -> str:
    crv = jwk.get("crv")
    if not isinstance(crv, str) or _CURVE_TYPES.get(crv) != kty:
        raise InvalidKeyError(f'the JWK member "crv" is missing, or not a curve of key type "{kty}"')
    return crv


def _octets(jwk: Members, name: str, size: int | None = None) -> bytes:
    """Decode a base64url member of a fixed size, if one is given."""
    text = jwk.get(name)
    if not isinstance(text, str):
        raise InvalidKeyError(f'the JWK member "{name}" is missing, or not a string')
    try:
        octets = b64url_decode(text)
    except MalformedTokenError:
        raise InvalidKeyError(f'the JWK member "{name}" is not canonical base64url without padding') from None
    if size is not None and len(octets) != size:
        raise InvalidKeyError(f'the JWK member "{name}" must have {size} bytes, it has {len(octets)}')
    return octets


def _positive(jwk: Members, name: str) -> int:
    """Decode a Base64urlUInt member (RFC 7518 section 2): as few octets as can be, and not zero here."""
    octets = _octets(jwk, name)
    if not octets or octets[0] == 0:
        raise InvalidKeyError(f'the JWK member "{name}" is empty or has leading zeros')
    return int.from_bytes(octets, "big")


def _uint(number: int) -> str:
    return b64url_encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))
