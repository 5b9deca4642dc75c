"""What a session manager hands out. No ``repr`` shows a token or whom it is about."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from .family import Family

if TYPE_CHECKING:
    from .families import Stored


class Tokens(NamedTuple):
    """What a client gets. ``repr`` shows no token."""

    access: str
    """The access token, for the memory of the page."""
    refresh: str
    """The refresh token, for a cookie that no script reads."""
    session: str
    """The id of the session, the ``sid`` of its access tokens. Not secret."""
    expires_in: int
    """Seconds that the access token lives."""
    refresh_expires_in: int
    """Seconds until the refresh token is too old, unless it is used before."""

    def __repr__(self) -> str:
        return f"Tokens(session={self.session!r}, expires_in={self.expires_in})"


class SessionInfo(NamedTuple):
    """A session that lives. ``repr`` shows its id alone."""

    session: str
    subject: str
    client_id: str | None
    audience: str | tuple[str, ...]
    scope: str | None
    started: int
    """Unix second."""
    refreshed: int
    """Unix second of the last rotation, or of the start."""
    expires_at: int
    """Unix second from which on it is over unless it is refreshed before."""
    ends_at: int
    """Unix second from which on it is over, refreshed or not."""

    def __repr__(self) -> str:
        return f"SessionInfo(session={self.session!r})"


def info_of(session: str, family: Family) -> SessionInfo:
    """Return what there is to know of a session."""
    return SessionInfo(
        session,
        family.subject,
        family.client_id,
        family.audience if isinstance(family.audience, str) else tuple(family.audience),
        family.scope,
        family.started,
        family.rotated_ms // 1000,
        family.idle_until,
        family.absolute_until,
    )


def living(found: Iterable[tuple[str, Stored]], moment: float) -> list[SessionInfo]:
    """Return what there is to know of the sessions that live at a moment, in the order in which they began."""
    infos = [info_of(session, stored.family) for session, stored in found]
    return sorted((info for info in infos if moment < info.expires_at), key=lambda info: info.started)


def claims_of_token(session: str, family: Family, grace: float | None) -> dict[str, Any]:
    """Return what there is to tell of a refresh token that would work now, as claims.

    Args:
        session: Its id.
        family: The session.
        grace: Seconds for which it still works after the rotation, for the previous token; None: it is the current one.
    """
    expires = family.idle_until
    if grace is not None:
        expires = min(expires, math.ceil(family.rotated_ms / 1000 + grace))
    claims = {
        "sid": session,
        "iss": family.issuer,
        "sub": family.subject,
        "aud": family.audience,
        "exp": expires,
        "client_id": family.client_id,
        "scope": family.scope,
        # When the previous token was made is not known any more.
        "iat": family.rotated_ms // 1000 if grace is None else None,
    }
    return {name: value for name, value in claims.items() if value is not None}
