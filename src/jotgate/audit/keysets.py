"""A published JWK set as a verifier sees it: what becomes of each key, and why.

The rules are those for a set that comes over the network: a key that cannot be used is left out, and the others stay.
(`KeySet.from_jwks`, which is given a document by whoever answers for it, refuses the whole document instead.)
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from ..errors import InvalidKeyError, KeyFetchError
from ..keys.algorithms import resolve_algorithms
from ..keys.discovery import parse_object
from ..keys.document import EPOCH_MEMBER, MOST_EPOCHS
from ..keys.jwk import load_public
from ..keys.material import Material, bind
from ..keys.metadata import KEY_TYPES, kid_of, read_members, refuse_private, unsuitable

Outcome = Literal["used", "open", "skipped"]
USED: Outcome = "used"
OPEN: Outcome = "open"
"""The key names no algorithm and could serve several: used where the policy allows exactly one of them."""
SKIPPED: Outcome = "skipped"

Cause = Literal["secret", "private", "kind", "kid", "key", "certificate", "algorithm", "policy", "conflict"]
"""The steps that may leave a key out, in their order; ``kind`` is by what the key says that it is for."""

_SECRET = "it is a secret (oct): a verifier never takes one from a published set"  # noqa: S105
_NOT_ALLOWED = "it names no algorithm, and none of the allowed ones goes with it"
_CONFLICT = "another key of the set has the same kid and algorithm: no token could tell them apart"


class Certificate(NamedTuple):
    """The first certificate of ``x5c``, of which nothing is checked."""

    der: bytes
    begins: float
    """Unix time from which on it is valid: about as old is the key."""
    ends: float


class KeyView(NamedTuple):
    """One key of a set."""

    position: int
    """In the set, from 0."""
    members: Mapping[str, Any]
    """As published; private ones among them, which nobody may show."""
    kid: str | None
    outcome: Outcome
    serves: tuple[str, ...]
    """The canonical algorithms that it is used for (one), or that are open."""
    cause: Cause | None
    """Which step left it out; None where it is used."""
    reason: str
    """Why, in words; empty where it is used."""
    material: Material | None
    """The public key, where it is sound."""
    candidates: tuple[str, ...] = ()
    """The canonical algorithms that it is for by itself, whatever the policy allows."""

    @property
    def name(self) -> str:
        """The key, as findings call it."""
        return f"key {self.position}" + ("" if self.kid is None else f" (kid {self.kid!r})")

    @property
    def thumbprint(self) -> str | None:
        """The RFC 7638 thumbprint of a sound public key; None of a secret, which it would help to guess."""
        return None if self.material is None else self.material.thumbprint()

    @property
    def size(self) -> str:
        """The size or curve, such as ``2048 bits`` or ``P-256``."""
        if self.material is not None and self.material.kty == "RSA":
            return f"{self.material.key.key_size} bits"  # type: ignore[union-attr]
        named = self.members.get("crv") or (self.members.get("alg") if self.members.get("kty") == "AKP" else None)
        return named if isinstance(named, str) else ""

    @property
    def certificate(self) -> Certificate | None:
        """The key's certificate, if it has one that can be read."""
        return _certificate(self.members.get("x5c"))


class SetView(NamedTuple):
    """A set, key by key."""

    keys: tuple[KeyView, ...]
    size_bytes: int | None
    """Of the document; None where it was given as objects."""
    epoch: int | None = None
    """The issuer's epoch: tokens of lower ones are refused. None where there is none, or a wrong one."""
    epoch_is_sound: bool = True
    """Whether the epoch is a whole number in range; verifiers refuse a document with any other."""
    allowed: tuple[str, ...] | None = None
    """What the verifier's policy allows, where that was said."""

    @property
    def usable(self) -> tuple[KeyView, ...]:
        """The keys that tokens may be verified with, under one policy or another."""
        return tuple(key for key in self.keys if key.outcome != SKIPPED)


def view(
    document: bytes | Mapping[str, Any], *, algorithms: Iterable[str] | None = None, lone: bool = False
) -> SetView:
    """Read a JWK set as a verifier that fetched it would.

    Args:
        document: JSON text or its object.
        algorithms: What the verifier's policy allows; None leaves open what the keys leave open.
        lone: Take one JWK alone for a set of one.

    Raises:
        InvalidKeyError: ``invalid_key``: not a strict JSON object with an array under ``keys``.
        PolicyError: ``invalid_policy``: `algorithms` is not a list of known names.
    """
    allowed = None if algorithms is None else resolve_algorithms(algorithms)
    members = _members(document)
    views = [_view(position, entry, allowed) for position, entry in enumerate(_entries(members, lone))]
    size = len(document) if isinstance(document, bytes) else None
    epoch = members.get(EPOCH_MEMBER)
    sound = epoch is None or (type(epoch) is int and 0 <= epoch < MOST_EPOCHS)
    return SetView(tuple(_without_conflicts(views)), size, epoch if sound else None, sound, allowed)


def _members(document: bytes | Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(document, bytes):
        return document
    try:
        return parse_object(document, "the JWK set")
    except KeyFetchError:
        raise InvalidKeyError(
            "this is not a strict JSON object (UTF-8, no member name twice, nothing behind it)"
        ) from None


def _entries(document: Mapping[str, Any], lone: bool) -> list[object]:
    if lone and "kty" in document and "keys" not in document:
        return [document]
    keys = document.get("keys")
    if not isinstance(keys, list | tuple):
        raise InvalidKeyError('a JWK set has an array of keys under "keys"')
    return list(keys)


def _view(position: int, entry: object, allowed: tuple[str, ...] | None) -> KeyView:
    members: dict[str, Any] = {}
    kid: str | None = None
    material: Material | None = None
    cause: Cause = "kind"
    names: tuple[str, ...] = ()
    try:
        members = read_members(entry)
        shown = members.get("kid")
        kid = shown if isinstance(shown, str) else None
        cause = "secret"
        if members.get("kty") == "oct":
            raise InvalidKeyError(_SECRET)
        # Not only of keys that are used: what is for encryption has a thumbprint, too.
        material = _sound(members)
        cause = "private"
        refuse_private(members)
        cause = "kind"
        reason = unsuitable(members, "verify")
        if reason is not None:
            raise InvalidKeyError(reason)
        cause = "kid"
        kid_of(members)
        cause = "key" if material is None else "certificate"
        material = load_public(members)
        cause = "algorithm"
        names = _candidates(material, members.get("alg"))
        cause = "policy"
        serves = _allowed(names, allowed)
    except InvalidKeyError as error:
        return KeyView(position, members, kid, SKIPPED, (), cause, str(error), material, names)
    return KeyView(position, members, kid, USED if len(serves) == 1 else OPEN, serves, None, "", material, names)


def _sound(entry: dict[str, object]) -> Material | None:
    """Return the public key of an entry, whatever else is wrong with it; None if it is not sound."""
    if entry.get("kty") not in KEY_TYPES:
        return None
    try:
        return load_public({name: value for name, value in entry.items() if name != "x5c"})
    except InvalidKeyError:
        return None


def _certificate(chain: object) -> Certificate | None:
    if not isinstance(chain, list | tuple) or not chain or not isinstance(chain[0], str):
        return None
    from cryptography import x509

    try:
        der = binascii.a2b_base64(chain[0], strict_mode=True)
        read = x509.load_der_x509_certificate(der)
        return Certificate(der, read.not_valid_before_utc.timestamp(), read.not_valid_after_utc.timestamp())
    except Exception:
        # Whatever the parser met: the key does not depend on it.
        return None


def _candidates(material: Material, alg: object) -> tuple[str, ...]:
    """Return the algorithms that a key is for: the one that it names, or all that go with it."""
    if alg is not None:
        return (bind(material, None, jwk_alg=alg)[0].name,)
    return tuple(row.name for row in material.candidates())


def _allowed(names: tuple[str, ...], allowed: tuple[str, ...] | None) -> tuple[str, ...]:
    if allowed is None:
        return names
    fits = tuple(name for name in names if name in allowed)
    if len(fits) == 1:
        return fits
    if fits:
        raise InvalidKeyError(f"it names no algorithm, and {', '.join(fits)} are all allowed")
    raise InvalidKeyError(f"its algorithm, {names[0]}, is not allowed" if len(names) == 1 else _NOT_ALLOWED)


def _without_conflicts(views: list[KeyView]) -> list[KeyView]:
    """Leave out both of two different keys under one kid and algorithm."""
    claimed: dict[tuple[str | None, str], set[str | None]] = {}
    for each in views:
        if each.outcome == USED:
            claimed.setdefault((each.kid, each.serves[0]), set()).add(each.thumbprint)
    return [
        each._replace(outcome=SKIPPED, serves=(), cause="conflict", reason=_CONFLICT)
        if each.outcome == USED and len(claimed[each.kid, each.serves[0]]) > 1
        else each
        for each in views
    ]
