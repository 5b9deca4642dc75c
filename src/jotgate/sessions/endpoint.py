"""The two routes of a session, refresh and log-out, whatever the framework: headers in, an answer out.

No body is read and no address: a refresh token comes in its cookie or not at all.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..errors import JotgateError, RefreshError, RequestRefusedError, UndecidedError
from .cookies import NO_STORE, RefreshCookie
from .origin import Headers, RequestGuard, collected

if TYPE_CHECKING:
    from .answers import Tokens
    from .manager import SessionManager

RETRY_AFTER: Final = 2
"""Seconds that a client waits when the store, or what else decides, is down."""


class Answer(NamedTuple):
    """An HTTP answer. ``repr`` shows its status alone."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def __repr__(self) -> str:
        return f"Answer(status={self.status})"


class SessionEndpoint:
    """Answers the requests of a page for its session.

    Every refusal of a refresh token is the same answer. Where nothing could be decided it is 503, which a client tries
    again and does not take for a log-out.

    Args:
        manager: Refreshes and ends.
        cookie: Carries the refresh token.
        guard: Says which requests count.
    """

    __slots__ = ("_cookie", "_guard", "_manager")

    def __init__(self, manager: SessionManager, cookie: RefreshCookie, guard: RequestGuard) -> None:
        self._manager = manager
        self._cookie = cookie
        self._guard = guard

    def started(self, tokens: Tokens, headers: Headers) -> Answer:
        """Return the answer to a log-in that ``SessionManager.start`` gave these tokens for."""
        return self._answer(200, headers, self._given(tokens), [("Set-Cookie", self._cookie.set(tokens))])

    def refresh(self, method: str, headers: Headers) -> Answer:
        """Answer a request for fresh tokens.

        Returns:
            200 with ``access_token``, ``token_type``, ``expires_in`` and ``refresh_token_expires_in``, and the cookie;
            401 ``invalid_grant``: sign in again; 503: try again; 403 and 405: not a request of ours; 204: a preflight.

        Raises:
            JotgateError: the operator's mistakes, such as a policy that refuses what is issued.

        Spec: RFC 6749 sections 5.1, 5.2 and 6.
        """

        def run() -> Answer:
            token = self._cookie.read(_cookies(headers))
            if token is None:
                raise RefreshError("there is no cookie with a refresh token", "invalid_grant", None, "no_cookie")
            tokens = self._manager.refresh(token)
            return self._answer(200, headers, self._given(tokens), [("Set-Cookie", self._cookie.set(tokens))])

        # The cookie stays where the token was refused: an answer that comes late would take away that of a new log-in.
        return self._guarded(method, headers, run)

    def log_out(self, method: str, headers: Headers) -> Answer:
        """Answer a request to end the session.

        Returns:
            204 and a cookie that clears it, whether there was a session or not; 503: it may live, try again; 403 and
            405: not a request of ours; 204 without a cookie: a preflight.
        """

        def run() -> Answer:
            tokens: list[str] = []
            with suppress(RefreshError):  # too long to be read
                tokens = self._cookie.read_all(_cookies(headers))
            # Of several cookies nobody knows which one is from here, and each genuine token is of this browser.
            for token in tokens:
                with suppress(RefreshError):  # there is nothing to end
                    self._manager.log_out(token)
            return self._answer(204, headers, None, [("Set-Cookie", self._cookie.clear())])

        return self._guarded(method, headers, run)

    def _guarded(self, method: str, headers: Headers, run: Any) -> Answer:
        try:
            preflight = self._guard.preflight(method, headers)
            if preflight is not None:
                return Answer(204, preflight, b"")
            self._guard.check(method, headers)
            answer: Answer = run()
        except UndecidedError as error:
            return self._failed(error, headers, "temporarily_unavailable", [("Retry-After", str(RETRY_AFTER))])
        except RefreshError as error:
            challenge = [("WWW-Authenticate", error.www_authenticate())]
            return self._failed(error, headers, error.code, challenge)
        except RequestRefusedError as error:
            allow = [("Allow", "POST")] if error.http_status == 405 else []
            return self._failed(error, headers, error.code, allow)
        return answer

    @staticmethod
    def _given(tokens: Tokens) -> dict[str, Any]:
        return {
            "access_token": tokens.access,
            "token_type": "Bearer",
            "expires_in": tokens.expires_in,
            "refresh_token_expires_in": tokens.refresh_expires_in,
        }

    def _failed(self, error: JotgateError, headers: Headers, code: str, more: list[tuple[str, str]]) -> Answer:
        return self._answer(error.http_status, headers, {"error": code}, more)

    def _answer(
        self, status: int, headers: Headers, members: dict[str, Any] | None, more: list[tuple[str, str]]
    ) -> Answer:
        import orjson

        body = b"" if members is None else orjson.dumps(members)
        content = [] if members is None else [("Content-Type", "application/json")]
        return Answer(status, [*content, *NO_STORE, *self._guard.cors(headers), *more], body)

    def __repr__(self) -> str:
        return f"SessionEndpoint({self._cookie.name!r})"


def _cookies(headers: Headers) -> str | None:
    found = collected(headers).get("cookie")
    return None if found is None else "; ".join(found)
