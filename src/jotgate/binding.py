"""Keys and a policy made into what the engine runs."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import NamedTuple

from ._binding import Binding
from ._key import KeySource as TrustSource
from ._key import SignatureLane
from .errors import PolicyError
from .keys import lanes
from .keys.key import SigningKey, VerificationKey
from .keys.keyset import KeySet
from .policy import AnyValue, Policy

KeySource = VerificationKey | KeySet
IssuerMap = Mapping[str, tuple[KeySource, Policy]]

BACKENDS = ("auto", "cryptography", "libcrypto")


class _Parts(NamedTuple):
    """Keys that suit their policy; nothing of a verifier is changed yet."""

    keys: KeySet
    policy: Policy
    lanes: tuple[SignatureLane | None, ...]


class Binder:
    """Makes the bindings of one verifier.

    It remembers the source of each issuer's keys, so that a key that stays keeps what was verified with it, and a key
    that goes takes it along.

    Args:
        backend: One of `BACKENDS`.

    Raises:
        PolicyError: ``invalid_policy``: no such backend.
    """

    __slots__ = ("_backend", "_policies", "_sources")

    def __init__(self, backend: str) -> None:
        if backend not in BACKENDS:
            raise PolicyError(f"backend is one of: {', '.join(BACKENDS)}")
        self._backend = backend
        self._policies: dict[bytes, Policy] = {}
        self._sources: dict[bytes, TrustSource] = {}

    def bind(self, keys: object, policy: Policy) -> Binding:
        """Bind keys to one policy.

        Raises:
            PolicyError: ``invalid_policy``: ``keys`` is neither a VerificationKey nor a KeySet, or the backend does not
                serve what the policy allows.
            InvalidKeyError: ``invalid_key``: a key without ``alg`` could serve several of the policy's algorithms.
        """
        return self._published({b"": _parts(keys, policy, self._backend)})[b""]

    def bind_issuers(self, issuers: object) -> dict[bytes, Binding]:
        """Bind each issuer's keys to its policy; the issuers as UTF-8.

        Raises:
            PolicyError: ``invalid_policy``: not a mapping from issuer to ``(keys, policy)``, or a policy that does not
                expect its issuer; or as ``bind``.
            InvalidKeyError: as ``bind``.
        """
        if not isinstance(issuers, Mapping) or not issuers:
            raise PolicyError("several issuers are given as a mapping from issuer to (keys, policy)")
        return self._published(
            {_issuer_name(issuer): _issuer_parts(issuer, entry, self._backend) for issuer, entry in issuers.items()}
        )

    def _published(self, parts: dict[bytes, _Parts]) -> dict[bytes, Binding]:
        """Tell the sources which keys there are now, and make the bindings. Nothing here fails."""
        for name in self._sources.keys() - parts.keys():
            self._sources.pop(name).publish(())
        bindings = {}
        for name, each in parts.items():
            # an equal policy is the same policy: what was decided by it still holds
            known = self._policies.get(name)
            policy = self._policies[name] = known if known is not None and known == each.policy else each.policy
            cells = self._sources.setdefault(name, TrustSource()).publish([key._identity() for key in each.keys])
            bindings[name] = Binding(policy._compiled, each.keys._table, cells, each.lanes)
        return bindings


def binding_for(keys: object, policy: Policy) -> Binding:
    """Bind keys to a policy for once.

    Raises:
        PolicyError: as ``Binder.bind``.
        InvalidKeyError: as ``Binder.bind``.
    """
    return Binder("auto").bind(keys, policy)


def _parts(keys: object, policy: Policy, backend: str) -> _Parts:
    if isinstance(keys, VerificationKey):
        keys = KeySet([keys])
    if not isinstance(keys, KeySet):
        raise PolicyError(_advice(keys))
    bound = keys._bind(policy._canonical)
    if backend == "cryptography":
        return _Parts(bound, policy, (None,) * len(bound))
    if backend == "libcrypto":
        missing = [name for name in policy._canonical if not lanes.serves(name)]
        if missing:
            raise PolicyError(f"backend='libcrypto' cannot serve {', '.join(missing)}: {lanes.reason()}")
    return _Parts(bound, policy, tuple(_lane_of(key) for key in bound))


def _lane_of(key: VerificationKey) -> SignatureLane | None:
    return key._handle.in_lane(functools.partial(lanes.signature_lane, key._canonical))


def _issuer_name(issuer: object) -> bytes:
    if type(issuer) is str and issuer:
        try:
            return issuer.encode("utf-8")
        except UnicodeEncodeError:
            pass
    raise PolicyError("an issuer is a non-empty str of valid Unicode text")


def _issuer_parts(issuer: str, entry: object, backend: str) -> _Parts:
    if not isinstance(entry, tuple) or len(entry) != 2 or not isinstance(entry[1], Policy):
        raise PolicyError("each issuer needs a pair of keys and Policy")
    keys, policy = entry
    expected = (policy.issuer,) if isinstance(policy.issuer, str) else policy.issuer
    if not isinstance(expected, AnyValue) and issuer not in expected:
        raise PolicyError(f"the policy under the issuer {issuer!r} must expect that very issuer, or ANY")
    return _parts(keys, policy, backend)


def _advice(keys: object) -> str:
    if isinstance(keys, SigningKey):
        return "to verify takes a public key; use key.public()"
    if isinstance(keys, Mapping):
        return "load a JWKS document with KeySet.from_jwks, a single JWK with VerificationKey.from_jwk"
    if isinstance(keys, str | bytes):
        return (
            "keys are objects, not text: load a JWKS document with KeySet.from_jwks (nothing is fetched from a URL), a "
            "public key with VerificationKey.from_pem, a secret with VerificationKey.from_secret"
        )
    return "keys are a VerificationKey, a KeySet, or a mapping from issuer to (keys, policy)"


def looks_like_jwk(keys: object) -> bool:
    """Whether a mapping is a JWKS document or a JWK rather than a mapping of issuers."""
    return isinstance(keys, Mapping) and ("keys" in keys or "kty" in keys)
