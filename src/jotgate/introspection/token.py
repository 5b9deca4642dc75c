"""What an introspection returns."""

from __future__ import annotations

from typing import Any, NoReturn, Self, TypeVar, final, overload

from .._claims import check_claims
from .._clock import wall_ns_now
from .._frozen import Claims, read
from .._models import build_model
from ..errors import ClaimError, InactiveTokenError, IntrospectionError, MalformedTokenError
from ..policy import Policy

_T = TypeVar("_T")
_Model = TypeVar("_Model")


@final
class IntrospectedToken:
    """A token that its issuer says is active, and what the issuer said of it.

    Has the read attributes of a ``VerifiedToken`` and is none. Only an ``IntrospectionClient`` makes one; it cannot be
    altered, subclassed, copied or pickled, and its ``repr`` shows nothing. Its claims are the members of the answer,
    ``active`` among them.

    Spec: RFC 7662 section 2.2.
    """

    __slots__ = ("_body", "_claims")

    _body: bytes
    _claims: Claims

    def __new__(cls, *_: object, **__: object) -> Self:
        raise TypeError("only an IntrospectionClient makes an IntrospectedToken")

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError("IntrospectedToken cannot be subclassed")

    @property
    def claims(self) -> Claims:
        """Read-only mapping of the whole answer."""
        return self._claims

    @property
    def issuer(self) -> str | None:
        """``iss``, or None."""
        found: str | None = self._claims.get("iss")
        return found

    @property
    def subject(self) -> str | None:
        """``sub``, or None."""
        found: str | None = self._claims.get("sub")
        return found

    @property
    def token_id(self) -> str | None:
        """``jti``, or None."""
        found: str | None = self._claims.get("jti")
        return found

    @property
    def audience(self) -> tuple[str, ...]:
        """``aud`` as a tuple of str: empty when absent, one entry when it is a string."""
        found: str | tuple[str, ...] = self._claims.get("aud", ())
        return (found,) if isinstance(found, str) else found

    @property
    def expires_at(self) -> int | float | None:
        """``exp`` in Unix seconds, or None."""
        found: int | float | None = self._claims.get("exp")
        return found

    @property
    def issued_at(self) -> int | float | None:
        """``iat`` in Unix seconds, or None."""
        found: int | float | None = self._claims.get("iat")
        return found

    def __getitem__(self, name: str) -> Any:
        return self._claims[name]

    def __contains__(self, name: object) -> bool:
        return name in self._claims

    @overload
    def get(self, name: str) -> Any | None: ...

    @overload
    def get(self, name: str, default: _T) -> Any | _T: ...

    def get(self, name: str, default: Any = None) -> Any:
        """Return the member called ``name``, or ``default``."""
        return self._claims.get(name, default)

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as a fresh ``dict``, with fresh dicts and lists inside."""
        return self._claims.to_dict()

    def into(self, model: type[_Model]) -> _Model:
        """Return the answer as an instance of ``model``, as ``VerifiedToken.into`` does.

        Raises:
            MissingClaimError: ``missing_claim``.
            InvalidClaimError: ``wrong_type``.
            TypeError: ``model`` is no msgspec ``Struct``, pydantic model or dataclass.
        """
        return build_model(model, self._body, self.to_dict())

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("an IntrospectedToken cannot be altered")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("an IntrospectedToken cannot be altered")

    def __repr__(self) -> str:
        return f"<IntrospectedToken with {len(self._claims)} members>"

    def __copy__(self) -> NoReturn:
        _refuse_copy()

    def __deepcopy__(self, memo: object) -> NoReturn:
        _refuse_copy()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        _refuse_copy()


def _refuse_copy() -> NoReturn:
    raise TypeError("IntrospectedToken can be neither copied nor pickled; use to_dict() for a copy of the claims")


def introspection_failed(message: str) -> IntrospectionError:
    """Return the error for a question that got no answer."""
    return IntrospectionError(message, "introspection_failed")


def judged(body: bytes, policy: Policy) -> IntrospectedToken:
    """Return what an answer says, if it says that the token counts, and the clock of now says so too.

    Args:
        body: The answer, as it came now or was remembered.
        policy: What it must satisfy. Its algorithms and ``typ`` are not looked at.

    Raises:
        InactiveTokenError: ``inactive``.
        ClaimError: As a verifier with this policy.
        IntrospectionError: ``introspection_failed``: it is no answer.
    """
    try:
        members = read(body)
    except MalformedTokenError:
        raise introspection_failed("the answer is not one strict JSON object: is this the introspection URL?") from None
    active = members.get("active")
    if active is False:
        raise InactiveTokenError("the issuer says that the token is not active; get a new one", "inactive")
    if active is not True:
        raise introspection_failed("the answer does not say whether the token is active: true or false")
    try:
        check_claims(policy._compiled, body, wall_ns_now())
    except ClaimError as error:
        if error.code != "wrong_type":
            raise
        raise introspection_failed(f"a member of the answer has the wrong type: {error.claim}") from None
    made = object.__new__(IntrospectedToken)
    object.__setattr__(made, "_body", body)
    object.__setattr__(made, "_claims", members)
    return made
