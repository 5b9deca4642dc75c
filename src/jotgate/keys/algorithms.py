"""The table of signature algorithms: their names, the keys they take, and the sizes fixed by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from types import MappingProxyType
from typing import Literal, NamedTuple

from .._key import ALGORITHM_NUMBERS
from ..errors import InvalidKeyError, PolicyError

Family = Literal["HMAC", "RSA-PKCS1", "RSA-PSS", "ECDSA", "EdDSA", "ML-DSA"]
HashName = Literal["SHA256", "SHA384", "SHA512"]


class Algorithm(NamedTuple):
    """One signature algorithm under its canonical name."""

    name: str
    """As in a header; a name for both Edwards curves (``EdDSA``) is not canonical."""
    family: Family
    kty: str
    """The JWK key type it takes."""
    crv: str | None
    """The JWK curve it takes, for EC and OKP."""
    hash: HashName | None
    key_bytes: int
    """HMAC: least length of a secret. ECDSA: of a coordinate. EdDSA and ML-DSA: of a public key.
    RSA: 0, the modulus decides."""
    signature_bytes: int
    """Exact length of a signature; RSA: 0, as long as the modulus."""


def _rows() -> Iterable[Algorithm]:
    # RFC 7518 section 3.1
    yield Algorithm("HS256", "HMAC", "oct", None, "SHA256", 32, 32)
    yield Algorithm("HS384", "HMAC", "oct", None, "SHA384", 48, 48)
    yield Algorithm("HS512", "HMAC", "oct", None, "SHA512", 64, 64)
    yield Algorithm("RS256", "RSA-PKCS1", "RSA", None, "SHA256", 0, 0)
    yield Algorithm("RS384", "RSA-PKCS1", "RSA", None, "SHA384", 0, 0)
    yield Algorithm("RS512", "RSA-PKCS1", "RSA", None, "SHA512", 0, 0)
    yield Algorithm("PS256", "RSA-PSS", "RSA", None, "SHA256", 0, 0)
    yield Algorithm("PS384", "RSA-PSS", "RSA", None, "SHA384", 0, 0)
    yield Algorithm("PS512", "RSA-PSS", "RSA", None, "SHA512", 0, 0)
    yield Algorithm("ES256", "ECDSA", "EC", "P-256", "SHA256", 32, 64)
    yield Algorithm("ES384", "ECDSA", "EC", "P-384", "SHA384", 48, 96)
    yield Algorithm("ES512", "ECDSA", "EC", "P-521", "SHA512", 66, 132)
    # RFC 8812 section 3.2
    yield Algorithm("ES256K", "ECDSA", "EC", "secp256k1", "SHA256", 32, 64)
    # RFC 9864 section 2.2; the sizes are those of RFC 8032
    yield Algorithm("Ed25519", "EdDSA", "OKP", "Ed25519", None, 32, 64)
    yield Algorithm("Ed448", "EdDSA", "OKP", "Ed448", None, 57, 114)
    if _ml_dsa_is_there():
        # RFC 9964; the sizes are those of FIPS 204, table 2
        yield Algorithm("ML-DSA-44", "ML-DSA", "AKP", None, None, 1312, 2420)
        yield Algorithm("ML-DSA-65", "ML-DSA", "AKP", None, None, 1952, 3309)
        yield Algorithm("ML-DSA-87", "ML-DSA", "AKP", None, None, 2592, 4627)


def _ml_dsa_is_there() -> bool:
    # Looked for, not loaded: loading it would double the time that importing this package takes. Where OpenSSL is too
    # old for it, loading a key says so.
    return find_spec("cryptography.hazmat.primitives.asymmetric.mldsa") is not None


ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType({row.name: row for row in _rows()})
"""Every algorithm Jotgate verifies and signs with here, by canonical name."""

# RFC 8037 named one algorithm for two curves; RFC 9864 names each. Inside, only the second kind exists.
_ALIASES: Mapping[str, tuple[str, ...]] = {"EdDSA": ("Ed25519", "Ed448")}


def expand(name: object) -> tuple[str, ...]:
    """Return the canonical names that an ``alg`` value stands for.

    Args:
        name: An ``alg`` value from configuration or from a key; any object, only an exact name is known.

    Returns:
        One name, both Edwards curves for ``EdDSA``, nothing for what is not one of our algorithms.
    """
    if not isinstance(name, str):
        return ()
    if name in ALGORITHMS:
        return (name,)
    return _ALIASES.get(name, ())


def header_name(name: str) -> str:
    """Return what a token's header calls a canonical algorithm.

    Ed25519 and Ed448 are issued as ``EdDSA``: verifiers in use today refuse the newer names of RFC 9864.
    """
    return next((alias for alias, names in _ALIASES.items() if name in names), name)


def resolve_algorithms(algorithms: object) -> tuple[str, ...]:
    """Turn a configured allow-list into canonical names.

    Args:
        algorithms: A collection of names as in ``alg`` headers.

    Returns:
        Canonical names in the order given, each once.

    Raises:
        PolicyError: ``invalid_policy``: not a collection, empty, or a name that is not one of our algorithms
            (``none`` among them, in whatever spelling: names are compared exactly).

    Spec: RFC 8725 section 3.1.
    """
    if isinstance(algorithms, str | bytes):
        raise PolicyError("algorithms takes a list of names, not a single name: put it in a list")
    if not isinstance(algorithms, Iterable):
        raise PolicyError('algorithms takes a list of names such as ["ES256"]')
    resolved: dict[str, None] = {}
    for name in algorithms:
        canonical = expand(name)
        if not canonical:
            raise PolicyError(_unknown(name))
        resolved.update(dict.fromkeys(canonical))
    if not resolved:
        raise PolicyError("algorithms is empty: name at least one algorithm")
    return tuple(resolved)


def algorithms_of_key(name: object) -> tuple[Algorithm, ...]:
    """Return the algorithms that the ``alg`` given with a key may mean: one, or two for ``EdDSA``.

    Raises:
        InvalidKeyError: ``invalid_key``: not the name of one of our algorithms.
    """
    canonical = expand(name)
    if not canonical:
        raise InvalidKeyError(_unknown(name))
    return tuple(ALGORITHMS[each] for each in canonical)


def algorithm_mask(names: Iterable[str]) -> int:
    """Return the set of canonical names as bits, numbered as in the native code."""
    mask = 0
    for name in names:
        mask |= 1 << ALGORITHM_NUMBERS[name]
    return mask


def _unknown(name: object) -> str:
    # A name comes from configuration and is short; anything longer may be a key in the wrong place.
    shown = repr(name) if isinstance(name, str) and len(name) <= 16 else "this"
    near = next((known for known in (*ALGORITHMS, "EdDSA") if shown != "this" and _alike(known, str(name))), None)
    advice = f"it knows {', '.join(ALGORITHMS)} and EdDSA" if near is None else f"did you mean {near}?"
    return f"{shown} is not an algorithm that Jotgate verifies with; {advice}"


def _alike(known: str, name: str) -> bool:
    return sorted(known.casefold()) == sorted(name.casefold())
