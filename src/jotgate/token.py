"""What a verification returns.

``VerifiedToken`` is made by a verifier and by nothing else, so a function that takes one need not ask whether its token
was checked. ``Claims`` is its read-only mapping. Both are native; see ``help(VerifiedToken)``. ``Token`` is for
functions that leave open how the token was checked: by a verifier, or by asking its issuer.
"""

from typing import Any, Protocol, TypeVar, overload

from ._frozen import Claims
from ._token import VerifiedPayload, VerifiedToken

__all__ = ["Claims", "Token", "VerifiedPayload", "VerifiedToken"]

_T = TypeVar("_T")
_Model = TypeVar("_Model")


class Token(Protocol):
    """What is known of a token that counts: a ``VerifiedToken`` or an ``IntrospectedToken``."""

    @property
    def claims(self) -> Claims:
        """Read-only mapping of all claims."""

    @property
    def issuer(self) -> str | None:
        """``iss``, or None."""

    @property
    def subject(self) -> str | None:
        """``sub``, or None."""

    @property
    def token_id(self) -> str | None:
        """``jti``, or None."""

    @property
    def audience(self) -> tuple[str, ...]:
        """``aud`` as a tuple of str: empty when absent, one entry when it is a string."""

    @property
    def expires_at(self) -> int | float | None:
        """``exp`` in Unix seconds, or None."""

    @property
    def issued_at(self) -> int | float | None:
        """``iat`` in Unix seconds, or None."""

    def __getitem__(self, name: str, /) -> Any: ...

    def __contains__(self, name: object, /) -> bool: ...

    @overload
    def get(self, name: str) -> Any | None: ...

    @overload
    def get(self, name: str, default: _T) -> Any | _T: ...

    def to_dict(self) -> dict[str, Any]:
        """Return the claims as a fresh ``dict``."""

    def into(self, model: type[_Model]) -> _Model:
        """Return the claims as an instance of ``model``."""
