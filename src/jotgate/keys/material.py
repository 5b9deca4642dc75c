"""Checked key material, and the one algorithm it is bound to."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from .._codec import b64url_encode
from ..errors import InvalidKeyError
from .algorithms import ALGORITHMS, Algorithm, algorithms_of_key, header_name
from .secrets import load_secret

if TYPE_CHECKING:
    from .primitives import PublicKey


class Material:
    """A public key or a secret that passed every check, not bound to an algorithm yet. No repr shows it."""

    __slots__ = ("key", "kty", "members")

    def __init__(self, members: dict[str, str], key: PublicKey | bytes) -> None:
        self.kty = members["kty"]
        self.members = members
        """The members that RFC 7638 names as required, of the secret too."""
        self.key = key

    @property
    def is_secret(self) -> bool:
        """Whether the material is symmetric, so that no member of it may be shown."""
        return self.kty == "oct"

    def thumbprint(self) -> str:
        """Return the SHA-256 thumbprint as base64url (RFC 7638)."""
        import hashlib  # here: a gateway's import time is counted in milliseconds

        # Names and values are ASCII without quotes or backslashes: this is the canonical JSON of section 3.3.
        text = ",".join(f'"{name}":"{value}"' for name, value in sorted(self.members.items()))
        return b64url_encode(hashlib.sha256(f"{{{text}}}".encode("ascii")).digest())

    def serves(self, algorithm: Algorithm) -> bool:
        """Tell whether type, curve and parameter set are those of an algorithm."""
        return (
            self.kty == algorithm.kty
            and self.members.get("crv") == algorithm.crv
            and self.members.get("alg", algorithm.name) == algorithm.name
        )

    def candidates(self) -> tuple[Algorithm, ...]:
        """Return every algorithm the material could be bound to."""
        return tuple(row for row in ALGORITHMS.values() if self.serves(row))

    def describe(self) -> str:
        """Name the kind of key, for messages."""
        return "a secret" if self.is_secret else f"a key of type {self._kind()}"

    def _kind(self) -> str:
        return self.members.get("crv") or self.members.get("alg") or self.kty


def bind(material: Material, alg: object, *, jwk_alg: object = None) -> tuple[Algorithm, str]:
    """Choose the one algorithm of a key.

    Args:
        material: The key.
        alg: The ``alg`` argument of the caller, or None.
        jwk_alg: The ``alg`` member of the JWK, or None.

    Returns:
        The algorithm, and its name as it was given (``EdDSA`` stays ``EdDSA``).

    Raises:
        InvalidKeyError: ``invalid_key``: no such algorithm, not one for this kind of key, two different ones,
            or none given where the kind of key leaves a choice.
    """
    found = None
    for name in (jwk_alg, alg):
        if name is None:
            continue
        fits = [row for row in algorithms_of_key(name) if material.serves(row)]
        if not fits:
            raise InvalidKeyError(f"{name} does not go with {material.describe()}")
        if found is not None and found is not fits[0]:
            raise InvalidKeyError(f"the JWK says its alg is {found.name}, the argument says {name}")
        found = fits[0]
    if found is not None:
        return found, cast("str", jwk_alg if alg is None else alg)
    possible = material.candidates()
    if len(possible) != 1:
        names = ", ".join(row.name for row in possible)
        raise InvalidKeyError(
            f"a key has one algorithm and {material.describe()} leaves several: pass alg= one of {names}"
        )
    return possible[0], header_name(possible[0].name)


def secret_material(secret: object) -> Material:
    """Check an HMAC secret, but for its length, which depends on the algorithm (see `load_secret`)."""
    checked = load_secret(secret)
    return Material({"k": b64url_encode(checked), "kty": "oct"}, checked)
