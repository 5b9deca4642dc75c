"""Keys and a policy made into what the engine runs."""

from collections.abc import Mapping

from ._engine import Binding
from .errors import PolicyError
from .keys.key import SigningKey, VerificationKey
from .keys.keyset import KeySet
from .policy import AnyValue, Policy

KeySource = VerificationKey | KeySet
IssuerMap = Mapping[str, tuple[KeySource, Policy]]


def binding_for(keys: object, policy: Policy) -> Binding:
    """Bind keys to one policy.

    Raises:
        PolicyError: ``invalid_policy``: ``keys`` is neither a VerificationKey nor a KeySet.
        InvalidKeyError: ``invalid_key``: a key without ``alg`` could serve several of the policy's algorithms.
    """
    if isinstance(keys, VerificationKey):
        keys = KeySet([keys])
    if not isinstance(keys, KeySet):
        raise PolicyError(_advice(keys))
    return Binding(policy._compiled, keys._bind(policy._canonical)._table)


def bindings_for(issuers: object) -> dict[bytes, Binding]:
    """Bind each issuer's keys to its policy; the issuers as UTF-8.

    Raises:
        PolicyError: ``invalid_policy``: not a mapping from issuer to ``(keys, policy)``, or a policy that does not
            expect its issuer.
        InvalidKeyError: as ``binding_for``.
    """
    if not isinstance(issuers, Mapping) or not issuers:
        raise PolicyError("several issuers are given as a mapping from issuer to (keys, policy)")
    return {_issuer_name(issuer): _issuer_binding(issuer, entry) for issuer, entry in issuers.items()}


def _issuer_name(issuer: object) -> bytes:
    if type(issuer) is str and issuer:
        try:
            return issuer.encode("utf-8")
        except UnicodeEncodeError:
            pass
    raise PolicyError("an issuer is a non-empty str of valid Unicode text")


def _issuer_binding(issuer: str, entry: object) -> Binding:
    if not isinstance(entry, tuple) or len(entry) != 2 or not isinstance(entry[1], Policy):
        raise PolicyError("each issuer needs a pair of keys and Policy")
    keys, policy = entry
    expected = (policy.issuer,) if isinstance(policy.issuer, str) else policy.issuer
    if not isinstance(expected, AnyValue) and issuer not in expected:
        raise PolicyError(f"the policy under the issuer {issuer!r} must expect that very issuer, or ANY")
    return binding_for(keys, policy)


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
