"""Verifying locally, and asking the issuer as well where it matters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..errors import InvalidClaimError, PolicyError
from ..token import VerifiedToken
from ..verifier import Verifier
from .client import IntrospectionClient
from .token import IntrospectedToken

AGREED: Final = ("iss", "sub", "jti", "client_id")
"""What token and answer must say alike, where both say it."""


class HybridVerifier:
    """Verifies every token by its signature, and sensitive ones by introspection too.

    The issuer is asked about a token only when the verifier has accepted it, so that forgeries cost no request. It can
    refuse what the verifier accepts, never the other way round; if it does not answer, a sensitive token is refused
    (503).

    Args:
        verifier: Decides first.
        client: Asks the issuer.
        sensitive: Whether a call that does not say so is sensitive: True, False, or what a callable says of the
            verified token; anything but False is sensitive.

    Raises:
        PolicyError: ``invalid_policy``.
    """

    __slots__ = ("_client", "_sensitive", "_verifier")

    def __init__(
        self,
        verifier: Verifier,
        client: IntrospectionClient,
        *,
        sensitive: bool | Callable[[VerifiedToken], bool] = False,
    ) -> None:
        if not isinstance(verifier, Verifier) or not isinstance(client, IntrospectionClient):
            raise PolicyError("a HybridVerifier has a Verifier and an IntrospectionClient")
        if not isinstance(sensitive, bool) and not callable(sensitive):
            raise PolicyError("sensitive is True, False or a callable of a verified token")
        self._verifier = verifier
        self._client = client
        self._sensitive = sensitive

    def verify(self, text: str | bytes, *, sensitive: bool | None = None) -> VerifiedToken:
        """Return the verified token.

        Args:
            text: The token.
            sensitive: Whether the issuer must be asked; None: as the verifier was built.

        Raises:
            TokenError: As ``Verifier.verify`` and ``IntrospectionClient.introspect``; ``invalid_claim``: the issuer's
                answer is about another token, and ``claim`` is where they differ.
            UndecidedError: As both.
        """
        token = self._verifier.verify(text)
        if self._is_sensitive(token, sensitive):
            _agreed(token, self._client.introspect(text, fresh=True))
        return token

    async def verify_async(self, text: str | bytes, *, sensitive: bool | None = None) -> VerifiedToken:
        """As `verify`, without holding up the event loop."""
        token = await self._verifier.verify_async(text)
        if self._is_sensitive(token, sensitive):
            _agreed(token, await self._client.introspect_async(text, fresh=True))
        return token

    def _is_sensitive(self, token: VerifiedToken, sensitive: bool | None) -> bool:
        chosen = self._sensitive if sensitive is None else sensitive
        return (chosen(token) if callable(chosen) else chosen) is not False

    def __repr__(self) -> str:
        return f"<HybridVerifier {self._verifier!r} {self._client!r}>"


def _agreed(token: VerifiedToken, answer: IntrospectedToken) -> None:
    for name in AGREED:
        if name in token and name in answer and token[name] != answer[name]:
            raise InvalidClaimError("the issuer's answer is about another token than this one", "invalid_claim", name)
