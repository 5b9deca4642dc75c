"""Letting clients take their tokens back: RFC 7009."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import PolicyError, TokenError
from ..token import VerifiedToken
from ..verifier import Verifier
from .callers import Assertions, Callers, Client
from .endpoint import Caller, Endpoint, Response, Throttle, answered, refused, unavailable
from .responder import check_sessions, may_be_refresh_token

if TYPE_CHECKING:
    from ..stores.protocol import RefreshTokens, TokenRevocations

_COUNTS_LATER = {("not_yet_valid", "nbf"), ("invalid_claim", "iat")}


class RevocationEndpoint(Endpoint):
    """Takes tokens back on the word of the client that they were issued to. Threads may share it.

    A refresh token ends its session, and with it every access token of that session. An access token is taken back by
    its ``jti``. Both kinds are tried, whatever the hint says. A token that does not count anyway is answered 200, as
    one that was taken back.

    Args:
        verifier: Decides on access tokens; its audience is ``ANY`` where the tokens are for several services.
        clients: Who may call. A token belongs to the client that its ``client_id`` names.
        revocations: Takes access tokens back: ``Revocations``, which the verifiers of the tokens know too.
        sessions: Knows refresh tokens and ends their sessions.
        assertions: What the assertions of clients with keys must be.
        throttle: Says of a client_id how many seconds it has to wait; asked for each request of an authenticated
            client.
        realm: Named in the challenge to a caller that is not authenticated.

    Raises:
        PolicyError: ``invalid_policy``: an argument is not what it should be, or there is nothing to take back with.

    Spec: RFC 7009 section 2. While the store does not answer: 503 and ``Retry-After``, and the token lives.
    """

    __slots__ = ("_revocations", "_sessions", "_verifier")

    def __init__(
        self,
        verifier: Verifier,
        *,
        clients: Mapping[str, Client],
        revocations: TokenRevocations | None = None,
        sessions: RefreshTokens | None = None,
        assertions: Assertions | None = None,
        throttle: Throttle | None = None,
        realm: str = "revocation",
    ) -> None:
        if not isinstance(verifier, Verifier):
            raise PolicyError("verifier is a Verifier")
        if revocations is None and sessions is None:
            raise PolicyError("a revocation endpoint needs revocations, sessions, or both")
        check_sessions(sessions)
        super().__init__(Callers(clients, assertions), realm=realm, throttle=throttle)
        self._verifier = verifier
        self._revocations = revocations
        self._sessions = sessions

    def _answer(self, caller: Caller, text: str) -> Response:
        try:
            token = self._verifier.verify(text)
        except TokenError as error:
            if self._sessions is not None and may_be_refresh_token(text):
                session = self._sessions.session_of(text)
                if session is not None:
                    return self._end(caller, self._sessions, session)
            counts_later = (error.code, error.claim) in _COUNTS_LATER  # 200 would be untrue
            return unavailable() if counts_later else answered(b"")
        return self._revoke(caller, token)

    def _revoke(self, caller: Caller, token: VerifiedToken) -> Response:
        if token.get("client_id") != caller.client_id:
            return refused("invalid_grant")
        if self._revocations is None or token.token_id is None:
            return refused("unsupported_token_type")
        self._revocations.revoke_token(token)
        return answered(b"")

    def _end(self, caller: Caller, sessions: RefreshTokens, session: Mapping[str, Any]) -> Response:
        if session.get("client_id") != caller.client_id:
            return refused("invalid_grant")
        sessions.end(session["sid"])
        return answered(b"")

    def __repr__(self) -> str:
        return f"<RevocationEndpoint {self._verifier!r}>"
