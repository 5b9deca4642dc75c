"""Answering about tokens: RFC 7662."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from ..errors import PolicyError, TokenError
from ..token import VerifiedToken
from ..verifier import Verifier
from .callers import Assertions, Callers, Client
from .endpoint import Caller, Endpoint, Response, Throttle, answered

if TYPE_CHECKING:
    from ..stores.protocol import RefreshTokens

MAX_REFRESH_TOKEN_BYTES: Final = 16384

_INACTIVE: Final = b'{"active":false}'
_MEMBERS: Final = ("scope", "client_id", "exp", "iat", "nbf", "sub", "aud", "iss", "jti", "cnf")
_VISIBLE = re.compile(r"[!-~]+")
_KNOWS: Final = ("describe", "session_of", "end")


class IntrospectionResponder(Endpoint):
    """Says to authenticated clients whether a token is active, and what it says.

    Whatever the reason why a token is not active for a caller (expired, taken back, forged, unknown, meant for
    somebody else), the answer is the same bytes. Threads may share it.

    Args:
        verifier: Decides on access tokens. Its policy says whose tokens and which algorithms; its ``audience`` is
            ``ANY`` where the callers are several services.
        clients: Who may ask, and about which tokens: a caller sees those whose ``aud`` names one of its audiences.
        claims: Names of further claims to tell; without them ``scope``, ``client_id``, ``exp``, ``iat``, ``nbf``,
            ``sub``, ``aud``, ``iss``, ``jti`` and ``cnf`` are told, as far as the token has them.
        sessions: Knows refresh tokens. A caller sees those of its own client_id; one with ``audience=ANY``, all.
        fresh: Ask the store of the verifier's revocations for each token.
        assertions: What the assertions of clients with keys must be.
        throttle: Says of a client_id how many seconds it has to wait; asked for each request of an authenticated
            client.
        realm: Named in the challenge to a caller that is not authenticated.

    Raises:
        PolicyError: ``invalid_policy``: an argument is not what it should be, or ``fresh`` with a verifier that has
            no revocations.

    Spec: RFC 7662 sections 2 and 4. POST only.
    """

    __slots__ = ("_claims", "_fresh", "_sessions", "_verifier")

    def __init__(
        self,
        verifier: Verifier,
        *,
        clients: Mapping[str, Client],
        claims: Collection[str] = (),
        sessions: RefreshTokens | None = None,
        fresh: bool = False,
        assertions: Assertions | None = None,
        throttle: Throttle | None = None,
        realm: str = "introspection",
    ) -> None:
        if not isinstance(verifier, Verifier):
            raise PolicyError("verifier is a Verifier")
        if isinstance(claims, str | bytes) or not all(isinstance(name, str) and name for name in claims):
            raise PolicyError("claims is a collection of names")
        if not {"active", "token_type"}.isdisjoint(claims):
            raise PolicyError("active and token_type are the responder's to say")
        check_sessions(sessions)
        super().__init__(Callers(clients, assertions), realm=realm, throttle=throttle)
        self._verifier = verifier
        self._claims = (*_MEMBERS, *claims)
        self._sessions = sessions
        self._fresh = bool(fresh)
        if fresh:
            _refuse_fresh_in_vain(verifier)

    def _answer(self, caller: Caller, text: str) -> Response:
        described = self._described(caller, text)
        if described is None:
            return answered(_INACTIVE)
        import orjson

        return answered(orjson.dumps({"active": True} | described))

    def _described(self, caller: Caller, text: str) -> dict[str, Any] | None:
        """What this caller may know of a token; None if it is not active for him."""
        try:
            token = self._verifier.verify(text, fresh=self._fresh)
        except TokenError:
            return self._refresh_token(caller, text)
        if caller.audiences is not None and caller.audiences.isdisjoint(token.audience):
            return None
        return _of_access_token(token, self._claims)

    def _refresh_token(self, caller: Caller, text: str) -> dict[str, Any] | None:
        if self._sessions is None or not may_be_refresh_token(text):
            return None
        found = self._sessions.describe(text)
        if found is None or (caller.audiences is not None and found.get("client_id") != caller.client_id):
            return None
        return {name: found[name] for name in self._claims if name in found}

    def __repr__(self) -> str:
        return f"<IntrospectionResponder {self._verifier!r}>"


def check_sessions(sessions: object) -> None:
    """Refuse what could not say anything of a refresh token.

    Raises:
        PolicyError: ``invalid_policy``.
    """
    if sessions is not None and not all(callable(getattr(sessions, name, None)) for name in _KNOWS):
        raise PolicyError(f"sessions is a SessionManager, or has {', '.join(_KNOWS)} as one does")


def may_be_refresh_token(text: str) -> bool:
    """Whether whoever knows refresh tokens is to be asked about a text."""
    return len(text) <= MAX_REFRESH_TOKEN_BYTES and _VISIBLE.fullmatch(text) is not None


def _of_access_token(token: VerifiedToken, names: Collection[str]) -> dict[str, Any]:
    claims = token.to_dict()
    described = {name: claims[name] for name in names if name in claims}
    scope = described.get("scope")
    if isinstance(scope, list):  # RFC 7662: one string, whatever the token has
        described["scope"] = " ".join(each for each in scope if isinstance(each, str))
    bound = described.get("cnf")
    described["token_type"] = "DPoP" if isinstance(bound, Mapping) and "jkt" in bound else "Bearer"
    return described


def _refuse_fresh_in_vain(verifier: Verifier) -> None:
    try:
        verifier.verify("", fresh=True)
    except TokenError:
        return
