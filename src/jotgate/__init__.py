"""Jotgate: token (JWT) verification for gateways. Strict by default, native where it counts."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._cache import TokenCache
    from .issuing.issuer import Issuer
    from .keys.key import SigningKey, VerificationKey
    from .keys.keyset import KeySet
    from .keys.remote import RemoteKeySet
    from .keys.ring import KeyRing
    from .policy import ANY, Policy
    from .revocation.revocations import Revocations
    from .sessions.manager import SessionManager
    from .token import VerifiedToken
    from .verifier import Verifier

_HOME = {
    "ANY": "policy",
    "Issuer": "issuing.issuer",
    "KeyRing": "keys.ring",
    "KeySet": "keys.keyset",
    "Policy": "policy",
    "RemoteKeySet": "keys.remote",
    "Revocations": "revocation.revocations",
    "SessionManager": "sessions.manager",
    "SigningKey": "keys.key",
    "TokenCache": "_cache",
    "VerificationKey": "keys.key",
    "VerifiedToken": "token",
    "Verifier": "verifier",
    "errors": "",
    "jws": "",
    "unverified": "",
}

__all__ = [
    "ANY",
    "Issuer",
    "KeyRing",
    "KeySet",
    "Policy",
    "RemoteKeySet",
    "Revocations",
    "SessionManager",
    "SigningKey",
    "TokenCache",
    "VerificationKey",
    "VerifiedToken",
    "Verifier",
    "errors",
    "jws",
    "unverified",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOME[name]
    value = getattr(import_module(f".{home}", __name__), name) if home else import_module(f".{name}", __name__)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
