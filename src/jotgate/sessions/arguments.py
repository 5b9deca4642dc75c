"""What a session manager is told, checked where it is told."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from ..errors import PolicyError
from ..issuing.issuer import Issuer
from ..stores.encoding import is_unicode
from ..stores.taking_back import LONGEST_SESSION, LONGEST_TOKEN

_LONGEST_GRACE: Final = 300
_CO_COROUTINE: Final = 0x80  # of a code object, as the inspect module has it
_OWN_CLAIMS: Final = ("sid", "scope")


def check_parts(store: object, issuer: object, secrets: object, hooks: Mapping[str, object]) -> None:
    """Refuse what a session manager cannot stand on.

    Raises:
        PolicyError: ``invalid_policy``.
    """
    if not callable(getattr(store, "swap", None)):
        raise PolicyError("store takes a store, such as SqliteStore")
    if not isinstance(issuer, Issuer):
        raise PolicyError("issuer takes an Issuer")
    if not callable(getattr(secrets, "secret", None)) or not callable(getattr(secrets, "current", None)):
        raise PolicyError("secrets takes SessionSecrets, or what keeps server secrets like it")
    for name, hook in hooks.items():
        if hook is not None and not callable(hook):
            raise PolicyError(f"{name} takes a function")
        if getattr(getattr(hook, "__code__", None), "co_flags", 0) & _CO_COROUTINE:
            raise PolicyError(f"{name} takes a function that is not async: it is called where nobody can await it")


def check_times(issuer: Issuer, access: object, idle: object, absolute: object, grace: object) -> None:
    """Refuse lifetimes that contradict each other or what the issuer may issue.

    Raises:
        PolicyError: ``invalid_policy``, ``lifetime_too_long``.
    """
    if type(grace) not in (int, float) or not 0 <= grace <= _LONGEST_GRACE:  # type: ignore[operator]  # a number
        raise PolicyError(f"grace takes 0 to {_LONGEST_GRACE} seconds")
    access = _seconds("access_lifetime", access, 1, LONGEST_TOKEN)
    absolute = _seconds("absolute_lifetime", absolute, 1, LONGEST_SESSION)
    _seconds("idle_lifetime", idle, int(grace) + 1, absolute)  # type: ignore[call-overload]
    longest = issuer._policy.max_lifetime
    if longest is not None and access > longest:
        raise PolicyError("access_lifetime is longer than the issuer's policy allows", "lifetime_too_long")
    issuer._lifetime(access)


def subject_of(subject: object) -> str:
    """Return a subject that is one.

    Raises:
        PolicyError: ``invalid_policy``.
    """
    if type(subject) is not str or not subject:
        raise PolicyError("subject takes a non-empty str")
    if not is_unicode(subject):
        raise PolicyError("subject takes Unicode text")
    return subject


def claims_of(claims: object) -> dict[str, Any]:
    """Return the claims of a session, of which the issuer checks the rest.

    Raises:
        PolicyError: ``invalid_policy``.
    """
    if not isinstance(claims, Mapping | None):
        raise PolicyError("claims takes a mapping")
    given = dict(claims or {})
    for name in _OWN_CLAIMS:
        if name in given:
            raise PolicyError("the session manager writes this claim itself", "invalid_policy", name)
    return given


def kept(audience: str | Collection[str]) -> str | list[str]:
    """Return an audience as a record holds it; what stands in it the issuer checks.

    Raises:
        PolicyError: ``invalid_policy``.
    """
    if isinstance(audience, str):
        return audience
    if not isinstance(audience, Collection) or isinstance(audience, bytes | Mapping):
        raise PolicyError("audience takes a non-empty str, or a non-empty collection of them")
    return list(audience)


def _seconds(name: str, value: object, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise PolicyError(f"{name} takes whole seconds, {least} to {most}")
    return value
