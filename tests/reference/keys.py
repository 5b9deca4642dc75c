"""Which key a token is checked with, and whether the signature is right."""

import hashlib
import hmac
from collections.abc import Iterable
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

from .refusal import Refused


class Key(NamedTuple):
    """A key as the oracle takes it."""

    kid: str | None
    alg: str
    """Canonical name: a key for Edwards curves says which one, ``Ed25519`` or ``Ed448``."""
    material: Any
    """The secret's bytes for HMAC, else a public key of `cryptography`."""


def select(keys: Iterable[Key], algorithms: tuple[str, ...], kid: str | None) -> Key:
    """Find the one key that a token's ``kid`` and ``alg`` mean.

    A ``kid`` names its key. A key without ``kid`` answers to any, and a token without ``kid`` is answered,
    only where the set leaves no choice: one key of the algorithm (for ``EdDSA``, of both curves together).
    ``jwk``, ``jku``, ``x5u`` and ``x5c`` of the header never choose a key.
    """
    candidates = [key for key in keys if key.alg in algorithms]
    named = [key for key in candidates if key.kid == kid is not None]
    if not named and len(candidates) == 1 and (kid is None or candidates[0].kid is None):
        named = candidates
    if len(named) != 1:
        raise Refused("unknown_key")
    return named[0]


_HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
# RFC 7518 section 3.4, RFC 8812 section 3.2: R and S, each as long as the curve's order.
_COORDINATE_BYTES = {"ES256": 32, "ES384": 48, "ES512": 66, "ES256K": 32}
_FIXED_BYTES = {"Ed25519": 64, "Ed448": 114, "ML-DSA-44": 2420, "ML-DSA-65": 3309, "ML-DSA-87": 4627}


def check_signature(key: Key, signing_input: bytes, signature: bytes) -> None:
    """Verify; a signature of the wrong length is as wrong as one of the wrong value."""
    try:
        right = _verify(key, signing_input, signature)
    except InvalidSignature:
        right = False
    if not right:
        raise Refused("bad_signature")


def _verify(key: Key, signing_input: bytes, signature: bytes) -> bool:
    alg, material = key.alg, key.material
    if alg.startswith("HS"):
        expected = hmac.new(material, signing_input, getattr(hashlib, "sha" + alg[2:])).digest()
        return hmac.compare_digest(expected, signature)
    if alg in _COORDINATE_BYTES:
        size = _COORDINATE_BYTES[alg]
        if len(signature) != 2 * size:
            return False
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        digest = _HASHES[alg[2:5]]
        material.verify(utils.encode_dss_signature(r, s), signing_input, ec.ECDSA(digest))
        return True
    if alg[:2] in ("RS", "PS"):
        if len(signature) != (material.key_size + 7) // 8:
            return False
        digest = _HASHES[alg[2:]]
        pss = padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH)
        material.verify(signature, signing_input, padding.PKCS1v15() if alg[0] == "R" else pss, digest)
        return True
    if len(signature) != _FIXED_BYTES[alg]:
        return False
    material.verify(signature, signing_input)
    return True
