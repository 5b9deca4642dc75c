"""Public keys from JWKs, for vectors that come with one (RFC 7518 section 6, RFC 8037 section 2)."""

from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from . import base64url
from .keys import Key

_CURVES = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
    "secp256k1": ec.SECP256K1(),
}


def load(jwk: Mapping[str, Any], alg: str) -> Key:
    """Load one JWK for one algorithm; private members are not looked at."""
    kid = jwk.get("kid")
    if jwk["kty"] == "oct":
        return Key(kid, alg, _octets(jwk["k"]))
    if jwk["kty"] == "RSA":
        return Key(kid, alg, rsa.RSAPublicNumbers(_uint(jwk["e"]), _uint(jwk["n"])).public_key())
    if jwk["kty"] == "EC":
        point = ec.EllipticCurvePublicNumbers(_uint(jwk["x"]), _uint(jwk["y"]), _CURVES[jwk["crv"]])
        return Key(kid, alg, point.public_key())
    if jwk["crv"] == "Ed25519":
        return Key(kid, "Ed25519", ed25519.Ed25519PublicKey.from_public_bytes(_octets(jwk["x"])))
    return Key(kid, "Ed448", ed448.Ed448PublicKey.from_public_bytes(_octets(jwk["x"])))


def _octets(text: str) -> bytes:
    return base64url.decode(text.encode())


def _uint(text: str) -> int:
    return int.from_bytes(_octets(text), "big")
