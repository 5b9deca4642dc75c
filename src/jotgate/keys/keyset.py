"""The keys a verifier looks up by kid and algorithm, from one place and of one kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Self, final

from .._json import check
from .._key import KeyTable
from ..errors import InvalidKeyError, MalformedTokenError
from .algorithms import resolve_algorithms
from .frozen import Frozen
from .jwk import load_verifying
from .key import SigningKey, VerificationKey
from .material import Material, bind
from .metadata import KEY_TYPES, MAX_KID_BYTES, kid_of, read_members, refuse_private, unsuitable

Skipped = tuple[str | None, str]


class _Unbound:
    """A key of a JWK set whose algorithm the verifier's policy will decide."""

    __slots__ = ("kid", "material")

    def __init__(self, kid: str | None, material: Material) -> None:
        self.kid = kid
        self.material = material

    def bound_to(self, algorithms: tuple[str, ...]) -> VerificationKey | None:
        """Return the key for the only one of these algorithms that it can serve, None if there is none.

        Raises:
            InvalidKeyError: ``invalid_key``: there are several.
        """
        fits = [row.name for row in self.material.candidates() if row.name in algorithms]
        if not fits:
            return None
        if len(fits) > 1:
            names = ", ".join(fits)
            who = "a key without kid" if self.kid is None else f"the key with kid {self.kid!r}"
            raise InvalidKeyError(
                f"{who} has no alg, and {names} are all allowed: allow one of them only, in the policy or by "
                "KeySet.from_jwks(document, algorithms=[...])"
            )
        return VerificationKey._bound(self.material, *bind(self.material, fits[0]), self.kid)


class _Parts(NamedTuple):
    keys: tuple[VerificationKey, ...]
    unbound: tuple[_Unbound, ...]
    skipped: tuple[Skipped, ...]


@final
class KeySet(Frozen):
    """An immutable set of keys, looked up by (kid, algorithm).

    The set is refused as a whole if one of its keys is weak or damaged, if two different keys claim one kid
    and algorithm (two without kid and of one algorithm do), if secrets and public keys are mixed, or if it is
    empty. The same key twice is one key. Iteration and `len` are over the keys that have an algorithm.

    Args:
        keys: VerificationKey objects.

    Raises:
        InvalidKeyError: ``invalid_key``.
    """

    __slots__ = ("_keys", "_lenient", "_skipped", "_table", "_unbound")

    _keys: tuple[VerificationKey, ...]
    _lenient: bool
    _skipped: tuple[Skipped, ...]
    _table: KeyTable
    _unbound: tuple[_Unbound, ...]

    def __new__(cls, keys: Iterable[VerificationKey]) -> Self:
        if isinstance(keys, Mapping | str | bytes):
            raise InvalidKeyError("KeySet takes VerificationKey objects; a JWKS document is loaded by KeySet.from_jwks")
        if isinstance(keys, VerificationKey) or not isinstance(keys, Iterable):
            raise InvalidKeyError("KeySet takes a list of VerificationKey")
        given = tuple(keys)
        for key in given:
            if isinstance(key, SigningKey):
                raise InvalidKeyError("KeySet takes verification keys: pass the public() of a signing key")
            if not isinstance(key, VerificationKey):
                raise InvalidKeyError(f"KeySet takes VerificationKey objects, not {type(key).__name__}")
        return cls._assembled(_Parts(given, (), ()))

    def __init_subclass__(cls) -> None:
        raise TypeError("KeySet is final")

    @classmethod
    def from_jwks(cls, document: str | bytes | Mapping[str, Any], *, algorithms: Iterable[str] | None = None) -> Self:
        """Load a JWK set.

        Keys of another kind are left out and listed in `skipped`: an unknown ``kty`` or curve, a ``use``
        other than ``sig``, ``key_ops`` without ``verify``, an ``alg`` that is not a signature algorithm of
        ours.

        Args:
            document: ``{"keys": [...]}`` as JSON text (strict: UTF-8, no member name twice) or parsed.
                Secrets (``oct``) are taken only if every key is one.
            algorithms: What a key without ``alg`` may serve: it takes the only one that its type and curve
                allow. If None, its type and curve decide alone; where they leave several (RSA, oct), the
                verifier binds the key to the only one that its policy allows.

        Raises:
            InvalidKeyError: ``invalid_key``: not a JWK set, private members, a damaged or weak key, a key
                without ``alg`` that `algorithms` leaves a choice for, or what `KeySet` refuses.
            PolicyError: ``invalid_policy``: `algorithms` is not a list of known names.

        Spec: RFC 7517 section 5, RFC 8725 section 3.1.
        """
        allowed = None if algorithms is None else resolve_algorithms(algorithms)
        entries = [read_members(entry) for entry in _listed(_read_document(document))]
        _refuse_mixed_types(entries)
        keys: list[VerificationKey] = []
        unbound: list[_Unbound] = []
        skipped: list[Skipped] = []
        for index, entry in enumerate(entries):
            try:
                outcome = _load(entry, allowed)
            except InvalidKeyError as error:
                raise InvalidKeyError(f"key {index} of the set{_named(entry)}: {error}") from None
            if isinstance(outcome, VerificationKey):
                keys.append(outcome)
            elif isinstance(outcome, _Unbound):
                unbound.append(outcome)
            else:
                skipped.append((_shown_kid(entry), outcome))
        return cls._assembled(_Parts(tuple(keys), tuple(unbound), tuple(skipped)))

    @classmethod
    def _from_remote(
        cls, document: bytes, algorithms: tuple[str, ...] | None, *, max_keys: int
    ) -> tuple[Self, Mapping[str, Any]]:
        """Load what somebody else publishes: a key that cannot be used is skipped and says why, and the others serve.

        Secrets and private keys are never taken. Two different keys under one kid and algorithm are both left out. The
        set may end up empty.

        Args:
            document: The text.
            algorithms: Canonical names: what a key without ``alg`` may serve. None: what the policy allows.
            max_keys: The most keys that are read.

        Returns:
            The set, and the members of the document.

        Raises:
            InvalidKeyError: ``invalid_key``: not a JWK set, or one of more keys than that.
        """
        members = _read_document(document)
        entries = _listed(members)
        if len(entries) > max_keys:
            raise InvalidKeyError(f"the JWK set has more than {max_keys} keys")
        keys: list[VerificationKey] = []
        unbound: list[_Unbound] = []
        skipped: list[Skipped] = []
        for entry in entries:
            try:
                outcome = _load_published(entry, algorithms)
            except InvalidKeyError as error:
                outcome = str(error)
            if isinstance(outcome, VerificationKey):
                keys.append(outcome)
            elif isinstance(outcome, _Unbound):
                unbound.append(outcome)
            else:
                skipped.append((_shown_kid(entry) if isinstance(entry, Mapping) else None, outcome))
        return cls._assembled(_Parts(tuple(keys), tuple(unbound), tuple(skipped)), lenient=True), members

    @classmethod
    def _empty(cls) -> Self:
        return cls._assembled(_Parts((), (), ()), lenient=True)

    @classmethod
    def _assembled(cls, parts: _Parts, *, lenient: bool = False) -> Self:
        if lenient:
            return cls._built(_without_conflicts(parts), lenient=True)
        distinct: dict[tuple[str | None, str], VerificationKey] = {}
        for key in parts.keys:
            same = distinct.setdefault((key.kid, key._canonical), key)
            if same != key:
                who = "two keys without kid" if key.kid is None else f"two different keys with kid {key.kid!r}"
                raise InvalidKeyError(f"{who} claim {key._canonical}: no token could tell them apart")
        keys = tuple(distinct.values())
        if not keys and not parts.unbound:
            reasons = "".join(f"; {reason}" for reason in dict.fromkeys(reason for _, reason in parts.skipped))
            raise InvalidKeyError(f"the key set has no key to verify with{reasons}")
        symmetric = {key._members is None for key in keys} | {each.material.is_secret for each in parts.unbound}
        if len(symmetric) > 1:
            raise InvalidKeyError("the key set mixes secrets and public keys: keep them in different sets")
        return cls._built(parts._replace(keys=keys), lenient=False)

    @classmethod
    def _built(cls, parts: _Parts, *, lenient: bool) -> Self:
        return cls._build(
            _keys=parts.keys,
            _lenient=lenient,
            _skipped=parts.skipped,
            _table=KeyTable([key._handle for key in parts.keys]),
            _unbound=parts.unbound,
        )

    def _bind(self, algorithms: tuple[str, ...]) -> KeySet:
        """Return the set in which every key has an algorithm, given the canonical names a policy allows."""
        if not self._unbound:
            return self
        keys, skipped = list(self._keys), list(self._skipped)
        for each in self._unbound:
            reason = _NOT_ALLOWED
            try:
                key = each.bound_to(algorithms)
            except InvalidKeyError as error:
                if not self._lenient:
                    raise
                key, reason = None, str(error)
            if key is None:
                skipped.append((each.kid, reason))
            else:
                keys.append(key)
        return self._assembled(_Parts(tuple(keys), (), tuple(skipped)), lenient=self._lenient)

    def _with_known(self, known: KeySet) -> KeySet:
        """Return the set with the objects of `known` for its equal keys: they are prepared already."""
        before = {key: key for key in known}
        keys = tuple(before.get(key, key) for key in self._keys)
        return self._built(_Parts(keys, self._unbound, self._skipped), lenient=self._lenient)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The keys of the document that were left out: kid (or None) and reason of each."""
        return self._skipped

    def to_jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return ``{"keys": [...]}`` with public members only; a set of secrets has no public keys."""
        keys = [key.to_jwk() for key in self._keys if key._members is not None]
        for each in self._unbound:
            if not each.material.is_secret:
                kid = {} if each.kid is None else {"kid": each.kid}
                keys.append(each.material.members | kid | {"use": "sig"})
        return {"keys": keys}

    def __len__(self) -> int:
        return len(self._keys)

    def __bool__(self) -> bool:
        # all its keys may still be without algorithm
        return bool(self._keys or self._unbound)

    def __iter__(self) -> Iterator[VerificationKey]:
        return iter(self._keys)

    def __copy__(self) -> Self:
        if any(key._members is None for key in self._keys) or any(each.material.is_secret for each in self._unbound):
            raise TypeError("HMAC secrets are not copied")
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self.__copy__()

    def __repr__(self) -> str:
        shown = [f"{key.kid!r}: {key.alg}" for key in self._keys] + [f"{each.kid!r}: ?" for each in self._unbound]
        return f"KeySet({', '.join(shown)})"


_NOT_ALLOWED = "it names no algorithm, and none that is allowed goes with its type"
_SYMMETRIC = "it is a secret (oct): whoever can read the set could sign"
_CONFLICT = "another key of the set has its kid and algorithm: no token could tell them apart"


def _without_conflicts(parts: _Parts) -> _Parts:
    """Leave out every key whose kid and algorithm are another key's, too; the same key twice is one key."""
    named: dict[tuple[str | None, str], set[VerificationKey]] = {}
    for key in parts.keys:
        named.setdefault((key.kid, key._canonical), set()).add(key)
    keys = tuple(key for group in named.values() for key in group if len(group) == 1)
    left_out = tuple((kid, _CONFLICT) for (kid, _), group in named.items() for _ in group if len(group) > 1)
    return parts._replace(keys=keys, skipped=parts.skipped + left_out)


def _load(entry: Mapping[str, object], allowed: tuple[str, ...] | None) -> VerificationKey | _Unbound | str:
    """Load one key of a document; a str says why it is skipped."""
    refuse_private(entry)
    reason = unsuitable(entry, "verify")
    if reason is not None:
        return reason
    kid = kid_of(entry)
    material = load_verifying(entry)
    alg = entry.get("alg")
    if alg is not None:
        return VerificationKey._bound(material, *bind(material, None, jwk_alg=alg), kid)
    unbound = _Unbound(kid, material)
    if allowed is not None:
        return unbound.bound_to(allowed) or _NOT_ALLOWED
    return VerificationKey._bound(material, *bind(material, None), kid) if len(material.candidates()) == 1 else unbound


def _load_published(entry: object, allowed: tuple[str, ...] | None) -> VerificationKey | _Unbound | str:
    members = read_members(entry)
    return _SYMMETRIC if members.get("kty") == "oct" else _load(members, allowed)


def _read_document(document: object) -> Mapping[str, Any]:
    members = _parse(document) if isinstance(document, str | bytes) else document
    if not isinstance(members, Mapping):
        raise InvalidKeyError(f"a JWK set is JSON text or a mapping, not {type(members).__name__}")
    return members


def _listed(members: Mapping[str, Any]) -> list[object]:
    keys = members.get("keys")
    if not isinstance(keys, list | tuple):
        advice = "; for a single JWK use VerificationKey.from_jwk" if "kty" in members else ""
        raise InvalidKeyError(f'a JWK set has an array of keys under "keys"{advice}')
    return list(keys)


def _parse(text: str | bytes) -> object:
    import orjson

    try:
        data = text.encode("utf-8") if isinstance(text, str) else bytes(text)
        check(data)
        return orjson.loads(data)
    except (MalformedTokenError, ValueError):
        raise InvalidKeyError(
            "the JWK set is not a strict JSON object (is it the text of a document, and not its path or URL?)"
        ) from None


def _refuse_mixed_types(entries: list[dict[str, object]]) -> None:
    types = {kty for entry in entries if isinstance(kty := entry.get("kty"), str) and kty in KEY_TYPES}
    if "oct" in types and len(types) > 1:
        raise InvalidKeyError(
            'the JWK set mixes secrets ("oct") and public keys: if it was published, the secrets are known'
        )


def _shown_kid(entry: Mapping[str, object]) -> str | None:
    kid = entry.get("kid")
    return kid if isinstance(kid, str) else None


def _named(entry: Mapping[str, object]) -> str:
    kid = _shown_kid(entry)
    return f" (kid {kid!r})" if kid is not None and len(kid) <= MAX_KID_BYTES else ""
