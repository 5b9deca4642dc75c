"""What a token must be: one frozen object, checked when it is built and compiled once."""

from collections.abc import Collection, Iterable
from typing import Any, Final, final

from ._claims import CompiledPolicy
from .errors import PolicyError
from .keys.algorithms import algorithm_mask, resolve_algorithms

MAX_LEEWAY: Final = 600
"""Seconds. More than ten minutes is not clock skew."""

_LAST_SECOND: Final = 253402300799  # 9999-12-31T23:59:59Z
_MAX_TOKEN_BYTES: Final = 2**30 - 1  # offsets in the native scanner are 30 bits
_MAX_CRIT: Final = 64
_NANOSECONDS: Final = 1_000_000_000
_CAP_SECONDS: Final = 9_000_000_000  # what 64-bit nanoseconds hold; no token is older before the year 2255

DEFINED_PARAMETERS: Final = frozenset(
    {
        *("alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit", "b64"),
        *("enc", "zip", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c"),
    }
)
"""Header parameters that a ``crit`` may not name: what the specifications define (RFC 7515 section 4.1.11), and ``b64``
in a JWT (RFC 7797 section 7)."""


@final
class AnyValue:
    """Type of ``ANY``: whatever the token says. Written out, so that it can be searched for."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ANY"

    def __reduce__(self) -> str:
        return "ANY"


ANY: Final = AnyValue()


@final
class Policy:
    """What a token must satisfy. Frozen, keyword-only, and checked when it is built.

    Nothing here can turn verification off. A configured ``issuer``, ``audience``, ``subject``, ``typ`` or
    ``authorized_party`` makes its claim mandatory whatever ``require`` says.

    Args:
        algorithms: Names from the algorithm table, at least one. ``"EdDSA"`` admits Ed25519 and Ed448, each with its
            own key; ``"Ed25519"`` and ``"Ed448"`` admit one.
        issuer: Expected ``iss``: a str, a collection of str, or ``ANY``. Compared byte for byte.
        audience: Who we are: a str, a collection of str, or ``ANY``. One match with the token's ``aud`` is enough.
        typ: Expected ``typ`` header, a str or a collection; compared as a media type, so ``"at+jwt"`` also means
            ``"application/at+jwt"`` in any case. None: any or none.
        subject: Expected ``sub``, a str or a collection. None: any or none.
        authorized_party: Expected ``azp``, a str or a collection. None: any or none.
        require: Claims that must be there. It can add names, drop ``exp``, or drop one whose expectation is ``ANY``;
            what else it leaves out stays mandatory.
        leeway: Seconds of clock skew to forgive in ``exp``, ``nbf``, ``iat`` and ``max_age``; 0 to 600.
        max_age: Seconds since ``iat`` after which a token is too old; makes ``iat`` mandatory.
        max_lifetime: Most seconds between ``iat`` and ``exp``; makes both mandatory.
        max_token_bytes: Longer text is refused unread.
        allow_padding: Accept ``=`` at the end of a part (AWS load balancers write it). Nothing else is loosened.
        crit: Header extensions your application understands and handles. Any other ``crit`` is refused.

    Raises:
        PolicyError: ``invalid_policy``: an argument has the wrong type, is out of range, or contradicts another.

    Spec: RFC 7519 section 4.1; RFC 8725 sections 3.1, 3.8, 3.9, 3.11; RFC 7515 sections 4.1.9, 4.1.11.
    """

    __slots__ = (
        "_canonical",
        "_compiled",
        "algorithms",
        "allow_padding",
        "audience",
        "authorized_party",
        "crit",
        "issuer",
        "leeway",
        "max_age",
        "max_lifetime",
        "max_token_bytes",
        "require",
        "subject",
        "typ",
    )

    _canonical: tuple[str, ...]
    _compiled: CompiledPolicy
    algorithms: tuple[str, ...]
    issuer: str | tuple[str, ...] | AnyValue
    audience: str | tuple[str, ...] | AnyValue
    typ: str | tuple[str, ...] | None
    subject: str | tuple[str, ...] | None
    authorized_party: str | tuple[str, ...] | None
    require: tuple[str, ...]
    leeway: float
    max_age: float | None
    max_lifetime: float | None
    max_token_bytes: int
    allow_padding: bool
    crit: tuple[str, ...]

    def __init__(
        self,
        *,
        algorithms: Collection[str],
        issuer: str | Collection[str] | AnyValue,
        audience: str | Collection[str] | AnyValue,
        typ: str | Collection[str] | None = None,
        subject: str | Collection[str] | None = None,
        authorized_party: str | Collection[str] | None = None,
        require: Collection[str] = ("exp", "iss", "aud"),
        leeway: float = 0,
        max_age: float | None = None,
        max_lifetime: float | None = None,
        max_token_bytes: int = 16384,
        allow_padding: bool = False,
        crit: Collection[str] = (),
    ) -> None:
        if hasattr(self, "_compiled"):
            raise PolicyError("a Policy is frozen; build another one")
        put = object.__setattr__
        if isinstance(algorithms, Iterable) and not isinstance(algorithms, str | bytes):
            algorithms = tuple(algorithms)
        put(self, "_canonical", resolve_algorithms(algorithms))
        put(self, "algorithms", tuple(algorithms))
        put(self, "issuer", _expected("issuer", issuer))
        put(self, "audience", _expected("audience", audience))
        put(self, "typ", _optional("typ", typ))
        put(self, "subject", _optional("subject", subject))
        put(self, "authorized_party", _optional("authorized_party", authorized_party))
        put(self, "require", _names("require", require))
        put(self, "leeway", _seconds("leeway", leeway, 0, MAX_LEEWAY))
        put(self, "max_age", _limit("max_age", max_age))
        put(self, "max_lifetime", _limit("max_lifetime", max_lifetime))
        put(self, "max_token_bytes", _size("max_token_bytes", max_token_bytes))
        put(self, "allow_padding", _flag("allow_padding", allow_padding))
        put(self, "crit", _crit(crit))
        put(self, "_compiled", self._compile())

    def _compile(self) -> CompiledPolicy:
        lifetime_s, lifetime_ns = -1, 0
        if self.max_lifetime is not None:
            lifetime_s, lifetime_ns = divmod(_nanoseconds(self.max_lifetime), _NANOSECONDS)
        return CompiledPolicy(
            algorithms=algorithm_mask(self._canonical),
            max_token_bytes=self.max_token_bytes,
            allow_padding=self.allow_padding,
            typ=_as_tuple(self.typ),
            crit=self.crit,
            issuer=_as_tuple(self.issuer),
            audience=_as_tuple(self.audience),
            subject=_as_tuple(self.subject),
            authorized_party=_as_tuple(self.authorized_party),
            require=self.require,
            leeway_ns=_nanoseconds(self.leeway),
            max_age_ns=-1 if self.max_age is None else _nanoseconds(min(self.max_age, _CAP_SECONDS)),
            max_lifetime_s=lifetime_s,
            max_lifetime_ns=lifetime_ns,
        )

    def _facts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__ if not name.startswith("_")}

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Policy is frozen; build another one")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a Policy is frozen; build another one")

    def __eq__(self, other: object) -> bool:
        return type(other) is Policy and self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash(tuple(self._facts().values()))

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self._facts(),)

    def __repr__(self) -> str:
        return f"Policy({', '.join(f'{name}={value!r}' for name, value in self._facts().items())})"


def _rebuild(facts: dict[str, Any]) -> Policy:
    return Policy(**facts)


def _names(option: str, value: object) -> tuple[str, ...]:
    """A collection of distinct non-empty str, as a tuple."""
    if isinstance(value, str | bytes) or not isinstance(value, Collection):
        raise PolicyError(f"{option} takes a collection of str")
    names = tuple(value)
    for name in names:
        if type(name) is not str or not name:
            raise PolicyError(f"{option} takes non-empty str values")
        try:
            name.encode("utf-8")
        except UnicodeEncodeError:
            raise PolicyError(f"{option} has a value that is not valid Unicode text") from None
    return tuple(dict.fromkeys(names))


def _one_or_more(option: str, value: object) -> str | tuple[str, ...]:
    if isinstance(value, str):
        return _names(option, (value,))[0]
    names = _names(option, value)
    if not names:
        raise PolicyError(f"{option} must name at least one value")
    return names


def _expected(option: str, value: object) -> str | tuple[str, ...] | AnyValue:
    if isinstance(value, AnyValue):
        return ANY
    if value is None:
        raise PolicyError(f"{option} must be decided: name what you expect, or write ANY to accept every {option}")
    return _one_or_more(option, value)


def _optional(option: str, value: object) -> str | tuple[str, ...] | None:
    return None if value is None else _one_or_more(option, value)


def _as_tuple(value: str | tuple[str, ...] | AnyValue | None) -> tuple[str, ...] | None:
    """None for ANY, empty for "not configured": how the native side tells them apart."""
    if isinstance(value, AnyValue):
        return None
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


def _seconds(option: str, value: object, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PolicyError(f"{option} takes a number of seconds")
    if not least <= value <= most:  # false for NaN, too
        raise PolicyError(f"{option} must be between {least} and {most} seconds")
    return value


def _limit(option: str, value: object) -> float | None:
    if value is None:
        return None
    seconds = _seconds(option, value, 0, _LAST_SECOND)
    if not seconds:
        raise PolicyError(f"{option} must be more than 0 seconds; None means no limit")
    return seconds


def _nanoseconds(seconds: float) -> int:
    return round(seconds * _NANOSECONDS)


def _size(option: str, value: object) -> int:
    if type(value) is not int or not 1 <= value <= _MAX_TOKEN_BYTES:
        raise PolicyError(f"{option} takes a number of bytes from 1 to {_MAX_TOKEN_BYTES}")
    return value


def _flag(option: str, value: object) -> bool:
    if type(value) is not bool:
        raise PolicyError(f"{option} takes True or False")
    return value


def _crit(value: object) -> tuple[str, ...]:
    names = _names("crit", value)
    for name in names:
        if name in DEFINED_PARAMETERS:
            raise PolicyError("crit cannot list a parameter that the specifications define, nor b64")
    if len(names) > _MAX_CRIT:
        raise PolicyError(f"crit takes at most {_MAX_CRIT} names")
    return names
