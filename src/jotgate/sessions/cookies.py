"""The cookie that carries a refresh token, whatever the framework."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ..errors import PolicyError
from .refresh_token import refusal

if TYPE_CHECKING:
    from .answers import Tokens

NO_STORE: Final = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))
"""Headers of every answer that sets a cookie or holds a token."""

_MOST_CHARACTERS: Final = 16_384
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Segments without dots at their ends: what the browser compares is what was written here.
_PATH = re.compile(r"(?:/[A-Za-z0-9_-]+)+")


class RefreshCookie:
    """Writes and reads the cookie of a refresh token. Always ``Secure``, ``HttpOnly`` and ``SameSite=Strict``.

    ``SameSite=Strict`` sends it only from pages of the same registrable domain: the application on
    ``app.example.com`` and this service on ``auth.example.com``, not on ``auth.example.net``.

    Args:
        host_only: The service has a host of its own: the cookie is named ``__Host-...``, and no other host can set or
            get it. False: it shares a host with others; then the cookie is named ``__Secure-...`` and goes to `path`
            alone.
        path: Without ``host_only``: the path of the refresh and log-out routes, such as ``/auth/session``.
        name: What follows the prefix.

    Raises:
        PolicyError: ``invalid_policy``: a path with ``host_only``; without it none, or the root; a name that is none.

    Spec: RFC 6265bis sections 4.1.2 and 4.1.3.
    """

    __slots__ = ("_attributes", "name")

    def __init__(self, *, host_only: bool = True, path: str | None = None, name: str = "refresh") -> None:
        if type(name) is not str or not _NAME.fullmatch(name) or name.startswith("__"):
            raise PolicyError("the name of a cookie has letters, digits, - and _, and its prefix is written here")
        if host_only and path is not None:
            raise PolicyError("a cookie of a host of its own has the path /: give host_only=False with a path")
        if not host_only and (type(path) is not str or not _PATH.fullmatch(path)):
            raise PolicyError(
                "path takes that of the refresh route, such as /auth/session: no root, no slash at its end"
            )
        self.name = f"{'__Host-' if host_only else '__Secure-'}{name}"
        self._attributes = f"Path={path or '/'}; Secure; HttpOnly; SameSite=Strict"

    def set(self, tokens: Tokens) -> str:
        """Return the value of the ``Set-Cookie`` header that gives a browser its refresh token."""
        return f"{self.name}={tokens.refresh}; Max-Age={max(0, tokens.refresh_expires_in)}; {self._attributes}"

    def clear(self) -> str:
        """Return the value of the ``Set-Cookie`` header that takes it away again."""
        return f"{self.name}=; Max-Age=0; {self._attributes}"

    def read(self, header: str | None) -> str | None:
        """Return the refresh token of a ``Cookie`` header, unchecked.

        Args:
            header: The value; several headers joined by ``"; "``. None: there was none.

        Returns:
            The token; None: there is no cookie of this name.

        Raises:
            RefreshError: ``invalid_grant``: there are several of this name, so that one is not from here; or the header
                is too long to be read.
        """
        values = self.read_all(header)
        if len(values) > 1:
            raise refusal("several_cookies")
        return values[0] if values else None

    def read_all(self, header: str | None) -> list[str]:
        """Return the values of all cookies of this name, unchecked: for logging out, where each of them may be ended.

        Raises:
            RefreshError: ``invalid_grant``: the header is too long to be read.
        """
        if header is None:
            return []
        if type(header) is not str or len(header) > _MOST_CHARACTERS:
            raise refusal("malformed")
        pairs = (pair.strip(" \t").partition("=") for pair in header.split(";"))
        return [value for name, _, value in pairs if name == self.name]

    def __repr__(self) -> str:
        return f"RefreshCookie({self.name!r})"
