"""Keys and a policy made into what the engine runs."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import NamedTuple

from ._binding import Binding
from ._key import KeySource as TrustSource
from ._key import SignatureLane, TrustCell
from ._revoked import RevocationIndex
from .errors import PolicyError
from .keys import lanes
from .keys.feed import KeyFeed, Supply
from .keys.key import SigningKey, VerificationKey
from .keys.keyset import KeySet
from .keys.tables import without_table
from .policy import AnyValue, Policy

KeySource = VerificationKey | KeySet | KeyFeed
IssuerMap = Mapping[str, tuple[KeySource, Policy]]

BACKENDS = ("auto", "cryptography", "libcrypto")


class _Parts(NamedTuple):
    """Keys that suit their policy; nothing of a verifier is changed yet."""

    feed: KeyFeed | None
    supply: Supply
    keys: KeySet
    policy: Policy
    lanes: tuple[SignatureLane | None, ...]


class _Issuer(NamedTuple):
    """What one issuer's tokens are decided by now."""

    parts: _Parts
    source: TrustSource
    cells: tuple[TrustCell, ...]
    """Of the keys, in their order."""
    binding: Binding


class Binder:
    """Makes the bindings of one verifier, and makes them anew when keys change.

    It remembers the source of each issuer's keys, so that a key that stays keeps what was verified with it, and a key
    that goes takes it along.

    Args:
        backend: One of `BACKENDS`.
        tables: Whether busy ES256 keys get a table.
        revoked: Says which keys are distrusted.

    Raises:
        PolicyError: ``invalid_policy``: no such backend.
    """

    __slots__ = ("_backend", "_issuers", "_leaving", "_revoked", "_tables")

    def __init__(self, backend: str, tables: bool = True, revoked: RevocationIndex | None = None) -> None:
        if backend not in BACKENDS:
            raise PolicyError(f"backend is one of: {', '.join(BACKENDS)}")
        if type(tables) is not bool:
            raise PolicyError("tables is True or False")
        self._backend = backend
        self._tables = tables
        self._revoked = revoked
        self._issuers: dict[bytes, _Issuer] = {}
        self._leaving: list[TrustSource] = []

    def bind(self, keys: object, policy: Policy) -> Binding:
        """Bind keys to one policy.

        Raises:
            PolicyError: ``invalid_policy``: ``keys`` is nothing to verify with, or the backend does not serve what the
                policy allows.
            InvalidKeyError: ``invalid_key``: a key without ``alg`` could serve several of the policy's algorithms.
        """
        return self._published({b"": self._parts(b"", keys, policy)})[b""]

    def bind_issuers(self, issuers: object) -> dict[bytes, Binding]:
        """Bind each issuer's keys to its policy; the issuers as UTF-8.

        Raises:
            PolicyError: ``invalid_policy``: not a mapping from issuer to ``(keys, policy)``, or a policy that does not
                expect its issuer; or as ``bind``.
            InvalidKeyError: as ``bind``.
        """
        if not isinstance(issuers, Mapping):
            raise PolicyError("this verifier serves several issuers: they are a mapping from issuer to (keys, policy)")
        if not issuers:
            raise PolicyError("the mapping of issuers is empty: give each issuer its (keys, policy)")
        parts = {}
        for issuer, entry in issuers.items():
            name = _issuer_name(issuer)
            parts[name] = self._parts(name, *_checked_entry(issuer, entry))
        return self._published(parts)

    def rebind(self) -> dict[bytes, Binding]:
        """Bind what the feeds vouch for now; an issuer whose keys and epoch have not changed keeps its binding."""
        return self._published(
            {
                name: each.parts if each.parts.feed is None else self._parts(name, each.parts.feed, each.parts.policy)
                for name, each in self._issuers.items()
            }
        )

    def suspend(self) -> None:
        """Let no key of a feed count until the feed says so again."""
        for each in self._issuers.values():
            if each.parts.feed is not None:
                each.source.expire_at(0)

    def ready(self, now: int) -> bool:
        """Whether each issuer has keys that count at a moment of the monotonic clock."""
        for each in self._issuers.values():
            if each.parts.feed is not None:
                until = each.parts.feed._supply().usable_until
                if not len(each.parts.keys) or (until is not None and now >= until):
                    return False
        return True

    def feeds(self) -> dict[str, KeyFeed]:
        """Return the feeds by issuer; of the only one under the empty name."""
        found = {name: each.parts.feed for name, each in self._issuers.items()}
        return {name.decode(): feed for name, feed in found.items() if feed is not None}

    def settle(self) -> None:
        """Let the keys that are gone no longer count: called when what was bound last serves."""
        leaving, self._leaving = self._leaving, []
        for source in (*leaving, *(each.source for each in self._issuers.values())):
            source.settle()

    def distrust(self) -> None:
        """Let nothing count that a distrusted key signed; called whenever there is another one. Nothing here fails."""
        names = frozenset() if self._revoked is None else self._revoked.distrusted
        for each in self._issuers.values() if names else ():
            for key, cell in zip(each.parts.keys, each.cells, strict=True):
                if key._identity()[2] in names:
                    cell.distrust()

    def _leave(self, issuer: _Issuer) -> None:
        issuer.source.announce(())
        self._leaving.append(issuer.source)

    def _parts(self, name: bytes, keys: object, policy: Policy) -> _Parts:
        feed = keys if isinstance(keys, KeyFeed) else None
        supply = _supply_of(keys)
        before = self._issuers.get(name)
        if (
            before is not None
            and before.parts.supply.keys is supply.keys
            and before.parts.policy == policy
            and before.parts.feed is feed
        ):
            return before.parts._replace(supply=supply)
        bound = _EMPTY if supply.keys is None else supply.keys._bind(policy._canonical)
        if before is not None:
            bound = bound._with_known(before.parts.keys)
        return _Parts(feed, supply, bound, policy, self._lanes(bound, policy))

    def _lanes(self, bound: KeySet, policy: Policy) -> tuple[SignatureLane | None, ...]:
        if self._backend == "cryptography":
            return (None,) * len(bound)
        if self._backend == "libcrypto":
            missing = [name for name in policy._canonical if not lanes.serves(name)]
            if missing:
                raise PolicyError(f"backend='libcrypto' cannot serve {', '.join(missing)}: {lanes.reason()}")
        prepared = (_lane_of(key) for key in bound)
        return tuple(prepared if self._tables else map(without_table, prepared))

    def _published(self, parts: dict[bytes, _Parts]) -> dict[bytes, Binding]:
        """Tell the sources which keys there are now, and make the bindings. Nothing here fails."""
        for name in self._issuers.keys() - parts.keys():
            self._leave(self._issuers.pop(name))
        for name, each in parts.items():
            before = self._issuers.get(name)
            if before is not None and before.parts.feed is not each.feed:
                self._leave(before)
                before = None
            self._issuers[name] = _served(each, before)
        self.distrust()  # a key that was gone and came back is as distrusted as it was
        return {name: self._issuers[name].binding for name in parts}


def binding_for(keys: object, policy: Policy) -> Binding:
    """Bind keys to a policy for once; of a feed, the keys that it vouches for now.

    Raises:
        PolicyError: as ``Binder.bind``.
        InvalidKeyError: as ``Binder.bind``.
    """
    return Binder("auto").bind(keys, policy)


def _served(parts: _Parts, before: _Issuer | None) -> _Issuer:
    if before is not None and before.parts.policy == parts.policy:
        # an equal policy is the same policy: what was decided by it still holds
        parts = parts._replace(policy=before.parts.policy)
    source = TrustSource(parts.feed) if before is None else before.source
    cells, binding = ((), None) if before is None else (before.cells, _unchanged(before, parts))
    if binding is None:
        epoch = parts.supply.epoch
        # a key in another epoch is another key: what was remembered under it was issued in that epoch
        cells = source.announce([(*key._identity(), epoch) for key in parts.keys])
        binding = Binding(parts.policy._compiled, parts.keys._table, cells, parts.lanes, source, epoch, parts.supply)
    # keys that serve nothing decide nothing: whoever published them made a mistake, and no token is to blame for it
    serving = parts.feed is None or len(parts.keys) > 0
    source.expire_at(parts.supply.usable_until if serving else 0)
    return _Issuer(parts, source, cells, binding)


def _unchanged(before: _Issuer, parts: _Parts) -> Binding | None:
    same = (
        before.parts.keys is parts.keys
        and before.parts.policy is parts.policy
        and before.parts.supply.epoch == parts.supply.epoch
    )
    return before.binding if same else None


def _supply_of(keys: object) -> Supply:
    if isinstance(keys, KeyFeed):
        supply = keys._supply()
        return supply if supply.keys is not None else supply._replace(usable_until=0)
    if isinstance(keys, VerificationKey):
        keys = KeySet([keys])
    if not isinstance(keys, KeySet):
        raise PolicyError(_advice(keys))
    return Supply(keys, None)


def _lane_of(key: VerificationKey) -> SignatureLane | None:
    return key._handle.in_lane(functools.partial(lanes.signature_lane, key._canonical))


def _issuer_name(issuer: object) -> bytes:
    if type(issuer) is str and issuer:
        try:
            return issuer.encode("utf-8")
        except UnicodeEncodeError:
            pass
    raise PolicyError("an issuer is a non-empty str of valid Unicode text")


def _checked_entry(issuer: str, entry: object) -> tuple[object, Policy]:
    if not isinstance(entry, tuple) or len(entry) != 2 or not isinstance(entry[1], Policy):
        raise PolicyError("each issuer needs a pair of keys and Policy")
    keys, policy = entry
    expected = (policy.issuer,) if isinstance(policy.issuer, str) else policy.issuer
    if not isinstance(expected, AnyValue) and issuer not in expected:
        raise PolicyError(f"the policy under the issuer {issuer!r} must expect that very issuer, or ANY")
    return keys, policy


def _advice(keys: object) -> str:
    if isinstance(keys, SigningKey):
        return "to verify takes a public key; use key.public()"
    if isinstance(keys, Mapping) and not looks_like_jwk(keys):
        return "this verifier has one policy: a mapping of issuers is for one that was built with such a mapping"
    if isinstance(keys, Mapping):
        return "load a JWKS document with KeySet.from_jwks, a single JWK with VerificationKey.from_jwk"
    if isinstance(keys, str | bytes):
        return (
            "keys are objects, not text: keys at a URL are a RemoteKeySet, a JWKS document is loaded with "
            "KeySet.from_jwks, a public key with VerificationKey.from_pem, a secret with VerificationKey.from_secret"
        )
    return "keys are a VerificationKey, a KeySet, a RemoteKeySet, a KeyRing, or a mapping from issuer to (keys, policy)"


def looks_like_jwk(keys: object) -> bool:
    """Whether a mapping is a JWKS document or a JWK rather than a mapping of issuers."""
    return isinstance(keys, Mapping) and ("keys" in keys or "kty" in keys)


_EMPTY = KeySet._empty()
