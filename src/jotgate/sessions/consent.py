"""What a subject consented to when a session began: its access tokens may say less, never more (RFC 6749 section 6)."""

from __future__ import annotations

from collections.abc import Collection

from ..errors import PolicyError, RefreshError
from .family import Family


def narrowed_audience(family: Family, wanted: str | Collection[str] | None) -> str | list[str]:
    """Return the audience of one access token: some of the consented one, all of it if None is wanted.

    Raises:
        RefreshError: ``invalid_target``: more was wanted.
    """
    if wanted is None:
        return family.audience
    consented = [family.audience] if isinstance(family.audience, str) else family.audience
    audience = [wanted] if isinstance(wanted, str) else list(wanted)
    if not audience or not all(each in consented for each in audience):
        raise RefreshError("the session was not begun for this audience", "invalid_target")
    return wanted if isinstance(wanted, str) else audience


def narrowed_scope(family: Family, wanted: str | None) -> str | None:
    """Return the scope of one access token: some of the consented one, all of it if None is wanted.

    Raises:
        RefreshError: ``invalid_scope``: more was wanted, or none can be read.
    """
    if wanted is None:
        return family.scope
    try:
        within = family.scope is not None and scopes_of(wanted) <= scopes_of(family.scope)
    except PolicyError:
        within = False  # what a client asks for is no mistake of the caller's
    if not within:
        raise RefreshError("the session was not begun with this scope", "invalid_scope")
    return wanted


def scopes_of(scope: object) -> set[str]:
    """Return the names of a scope (RFC 6749 section 3.3).

    Raises:
        PolicyError: ``invalid_policy``: it is none.
    """
    names = scope.split(" ") if type(scope) is str else []
    if not names or not all(names) or not all("!" <= each <= "~" and each not in '"\\' for each in "".join(names)):
        raise PolicyError("scope takes names of visible ASCII, without quotes and backslashes, between single spaces")
    return set(names)
