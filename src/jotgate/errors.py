"""Every error Jotgate raises, with a stable code each.

::

    JotgateError                         .code .claim .http_status .www_authenticate()
    +-- TokenError                       the token's fault: 401
    |   +-- MalformedTokenError          malformed, too_large, unsupported_critical_header
    |   +-- AlgorithmNotAllowedError     algorithm_not_allowed
    |   +-- UnknownKeyError              unknown_key
    |   +-- InvalidSignatureError        bad_signature
    |   +-- RevokedTokenError            revoked
    |   +-- RefreshError                 invalid_grant, invalid_scope, invalid_target      .cause
    |   +-- InactiveTokenError           inactive
    |   +-- ClaimError                   the signature was valid, a claim is not
    |       +-- MissingClaimError        missing_claim
    |       +-- InvalidClaimError        invalid_claim, wrong_type, wrong_subject, wrong_authorized_party,
    |       |                            too_old, lifetime_too_long
    |       +-- ExpiredTokenError        expired
    |       +-- NotYetValidError         not_yet_valid
    |       +-- WrongIssuerError         wrong_issuer
    |       +-- WrongAudienceError       wrong_audience
    +-- RequestRefusedError              perhaps another site's request: 403 (wrong_origin, wrong_content_type)
    |   +-- MethodNotAllowedError        405 (method_not_allowed)
    +-- UndecidedError                   the world's fault: 503, try again (undecided)
    |   +-- KeyFetchError                key_fetch_failed
    |   +-- StoreUnavailableError        store_unavailable
    |   +-- IntrospectionError           introspection_failed
    +-- InvalidKeyError                  your mistake, at construction (also a ValueError): invalid_key
    +-- PolicyError                      your mistake, at construction (also a ValueError): invalid_policy; where a
                                         token is issued: readable_claim, or the code by which it would be refused

Codes are part of the interface and do not change. No message holds token text, secrets or claim values: a message says
what was expected and what to do. The classes have no ``__init__`` of their own, so that a refusal costs no Python call;
what an error knows travels in ``args`` as ``(message, code, claim)`` and survives pickling.
"""

from ._fault import FAULTS


class JotgateError(Exception):
    """Root of every error that Jotgate raises."""

    __slots__ = ()

    _default_code = "error"
    http_status = 500
    """int: the HTTP status a resource server answers with."""

    @property
    def code(self) -> str:
        """Stable machine-readable reason."""
        return self.args[1] if len(self.args) > 1 else self._default_code

    @property
    def claim(self) -> str | None:
        """Name of the claim (or ``typ``) that the error is about, else None. Never its value."""
        return self.args[2] if len(self.args) > 2 else None

    def www_authenticate(self, realm: str | None = None) -> str:
        """Return the value of a ``WWW-Authenticate`` header for this refusal.

        The answer names the RFC 6750 error code and nothing else: why a token was refused is for the operator's log,
        not for whoever sent it.

        Args:
            realm: Protection space to name in the challenge; must be visible ASCII without quotes or backslashes.

        Returns:
            ``Bearer error="invalid_token"`` for a refused token; an empty string where no challenge belongs (5xx).

        Raises:
            ValueError: ``realm`` cannot be written as a quoted string.

        Spec: RFC 6750 section 3.
        """
        if self.http_status != 401:
            return ""
        if realm is None:
            return 'Bearer error="invalid_token"'
        if not realm.isascii() or not realm.isprintable() or '"' in realm or "\\" in realm:
            raise ValueError("realm must be visible ASCII without quotes or backslashes")
        return f'Bearer realm="{realm}", error="invalid_token"'

    def __str__(self) -> str:
        message = str(self.args[0]) if self.args else self.code
        return message if self.claim is None else f"{message}: {self.claim}"

    def __repr__(self) -> str:
        about = "" if self.claim is None else f", claim={self.claim!r}"
        return f"{type(self).__name__}(code={self.code!r}{about})"


class TokenError(JotgateError):
    """The token is refused, and sending it again will not help."""

    __slots__ = ()
    _default_code = "malformed"
    http_status = 401


class MalformedTokenError(TokenError):
    """The text is not a token that can be read safely."""

    __slots__ = ()


class AlgorithmNotAllowedError(TokenError):
    """The token's ``alg`` is not one that the policy allows (RFC 8725 section 3.1)."""

    __slots__ = ()
    _default_code = "algorithm_not_allowed"


class UnknownKeyError(TokenError):
    """No single key of the set answers to the token's ``kid`` and ``alg``."""

    __slots__ = ()
    _default_code = "unknown_key"


class InvalidSignatureError(TokenError):
    """The signature does not match; nothing else about the token was looked at."""

    __slots__ = ()
    _default_code = "bad_signature"


class RevokedTokenError(TokenError):
    """The token was taken back before it expired."""

    __slots__ = ()
    _default_code = "revoked"


class InactiveTokenError(TokenError):
    """The issuer says that the token does not count, and not why: expired, taken back, unknown, not for us (RFC 7662
    section 2.2).
    """

    __slots__ = ()
    _default_code = "inactive"


class ClaimError(TokenError):
    """A claim is missing or not what the policy expects."""

    __slots__ = ()
    _default_code = "invalid_claim"


class MissingClaimError(ClaimError):
    """A claim that the policy requires is absent."""

    __slots__ = ()
    _default_code = "missing_claim"


class InvalidClaimError(ClaimError):
    """A claim has the wrong type or a value that the policy does not admit."""

    __slots__ = ()


class ExpiredTokenError(ClaimError):
    """``exp`` has passed (RFC 7519 section 4.1.4)."""

    __slots__ = ()
    _default_code = "expired"


class NotYetValidError(ClaimError):
    """``nbf`` has not come (RFC 7519 section 4.1.5)."""

    __slots__ = ()
    _default_code = "not_yet_valid"


class WrongIssuerError(ClaimError):
    """``iss`` is not an issuer that this verifier trusts."""

    __slots__ = ()
    _default_code = "wrong_issuer"


class WrongAudienceError(ClaimError):
    """``aud`` names somebody else (RFC 7519 section 4.1.3)."""

    __slots__ = ()
    _default_code = "wrong_audience"


class RefreshError(TokenError):
    """The refresh token is refused: whoever sent it signs in again.

    Every one with the code ``invalid_grant`` shows the same message, so that whoever gets to see it cannot tell an
    unknown session from one that is over (RFC 6749 section 5.2).
    """

    __slots__ = ()
    _default_code = "invalid_grant"

    @property
    def cause(self) -> str | None:
        """Why, for the operator's log and never for an answer; None where the code says it all."""
        return self.args[3] if len(self.args) > 3 else None


class RequestRefusedError(JotgateError):
    """The request may have been made by another site, and nothing was done."""

    __slots__ = ()
    _default_code = "wrong_origin"
    http_status = 403


class MethodNotAllowedError(RequestRefusedError):
    """The request is no POST, and nothing was done."""

    __slots__ = ()
    _default_code = "method_not_allowed"
    http_status = 405


class UndecidedError(JotgateError):
    """Nothing is known about the token: neither accept it nor tell its holder that it is bad. Try again."""

    __slots__ = ()
    _default_code = "undecided"
    http_status = 503


class KeyFetchError(UndecidedError):
    """The keys that would decide could not be fetched."""

    __slots__ = ()
    _default_code = "key_fetch_failed"


class StoreUnavailableError(UndecidedError):
    """The store that would decide could not be asked."""

    __slots__ = ()
    _default_code = "store_unavailable"


class IntrospectionError(UndecidedError):
    """The issuer could not be asked about the token, or gave no answer that can be relied on."""

    __slots__ = ()
    _default_code = "introspection_failed"


class InvalidKeyError(JotgateError, ValueError):
    """A key, secret or key set that must not be used; raised where it is loaded."""

    _default_code = "invalid_key"


class PolicyError(JotgateError, ValueError):
    """A policy, verifier or option that contradicts itself, raised where it is built; or a token that must not be
    issued.
    """

    _default_code = "invalid_policy"


# Fault -> (class, code, message). The engine reads this table once, at import, and raises from nowhere else.
_REFUSALS: dict[str, tuple[type[JotgateError], str, str]] = {
    "UNDECIDED": (
        UndecidedError,
        "undecided",
        "an internal error kept the token from being decided; see the log",
    ),
    "WRONG_INPUT_TYPE": (
        MalformedTokenError,
        "malformed",
        "a token is a str or bytes object, without a Bearer prefix",
    ),
    "TOO_LARGE": (MalformedTokenError, "too_large", "the token is longer than the policy's max_token_bytes"),
    "NOT_THREE_PARTS": (
        MalformedTokenError,
        "malformed",
        "a signed token is three parts joined by two dots (an encrypted one has five)",
    ),
    "BAD_CHARACTER": (
        MalformedTokenError,
        "malformed",
        "the token has a character other than A-Z a-z 0-9 - _ and two dots; a Bearer prefix, white space and = do not "
        "belong to it",
    ),
    "BAD_BASE64URL": (
        MalformedTokenError,
        "malformed",
        "a part of the token is not canonical unpadded base64url",
    ),
    "BAD_JSON": (
        MalformedTokenError,
        "malformed",
        "header and payload must each be one JSON object in valid UTF-8",
    ),
    "DUPLICATE_NAME": (
        MalformedTokenError,
        "malformed",
        "a JSON object in the token has a member name twice",
    ),
    "TOO_DEEP": (MalformedTokenError, "malformed", "the JSON of the token is nested too deeply"),
    "NUMBER_RANGE": (
        MalformedTokenError,
        "malformed",
        "a number in the token is outside the range read exactly",
    ),
    "BAD_HEADER": (
        MalformedTokenError,
        "malformed",
        "a header parameter has the wrong type or is not allowed in a JWT",
    ),
    "CRITICAL_HEADER": (
        MalformedTokenError,
        "unsupported_critical_header",
        "the token demands header extensions (crit) that the policy does not list",
    ),
    "ALGORITHM_NOT_ALLOWED": (
        AlgorithmNotAllowedError,
        "algorithm_not_allowed",
        "the token's alg is not one of the policy's algorithms",
    ),
    "UNKNOWN_KEY": (UnknownKeyError, "unknown_key", "no key of the set has the token's kid and alg"),
    "AMBIGUOUS_KEY": (
        UnknownKeyError,
        "unknown_key",
        "the token has no kid, and not exactly one key of the set has its alg",
    ),
    "KEY_FETCH_FAILED": (
        KeyFetchError,
        "key_fetch_failed",
        "the issuer's keys could not be fetched, or are too old to count; try again (in an event loop, where verify "
        "does not wait: await verify_async)",
    ),
    "KEY_WITHDRAWN": (
        UnknownKeyError,
        "unknown_key",
        "the token's key was withdrawn while the token was being verified",
    ),
    "BAD_SIGNATURE": (
        InvalidSignatureError,
        "bad_signature",
        "the signature does not match the token and its key",
    ),
    "MISSING_CLAIM": (MissingClaimError, "missing_claim", "a claim that the policy requires is missing"),
    "IMPOSSIBLE_DATE": (
        InvalidClaimError,
        "invalid_claim",
        "a date is outside the years 1970 to 9999; dates are seconds, not milliseconds",
    ),
    "ISSUED_IN_FUTURE": (
        InvalidClaimError,
        "invalid_claim",
        "the token was issued in the future; check the clocks, or allow leeway",
    ),
    "WRONG_TYP": (
        InvalidClaimError,
        "invalid_claim",
        "the header names another type of token than the policy expects",
    ),
    "WRONG_TYPE": (InvalidClaimError, "wrong_type", "a claim has the wrong JSON type"),
    "EXPIRED": (ExpiredTokenError, "expired", "the token has expired; get a new one"),
    "NOT_YET_VALID": (NotYetValidError, "not_yet_valid", "the token is not valid yet; check the clocks"),
    "TOO_OLD": (InvalidClaimError, "too_old", "the token was issued longer ago than the policy's max_age"),
    "LIFETIME_TOO_LONG": (
        InvalidClaimError,
        "lifetime_too_long",
        "the token is valid for longer than the policy's max_lifetime",
    ),
    "WRONG_ISSUER": (
        WrongIssuerError,
        "wrong_issuer",
        "the token's issuer is not one that this verifier trusts",
    ),
    "WRONG_AUDIENCE": (WrongAudienceError, "wrong_audience", "the token is meant for another audience"),
    "WRONG_SUBJECT": (InvalidClaimError, "wrong_subject", "the token is about another subject"),
    "WRONG_AUTHORIZED_PARTY": (
        InvalidClaimError,
        "wrong_authorized_party",
        "the token was issued to another authorized party",
    ),
    "EPOCH_AHEAD": (
        InvalidClaimError,
        "invalid_claim",
        "the token's epoch is later than the one that the issuer's keys tell of",
    ),
    "REVOKED": (RevokedTokenError, "revoked", "the token was taken back; get a new one"),
    "STORE_UNAVAILABLE": (
        StoreUnavailableError,
        "store_unavailable",
        "whether the token was taken back could not be found out; try again",
    ),
    "EPOCH_UNKNOWN": (
        InvalidClaimError,
        "invalid_claim",
        "the token's epoch is later than the one that the store of revocations tells of",
    ),
    "RULES_STALE": (
        StoreUnavailableError,
        "store_unavailable",
        "what was taken back has not been heard for too long; try again",
    ),
    "RULES_UNASKED": (
        StoreUnavailableError,
        "store_unavailable",
        "the store has to be asked whether the token was taken back; try again",
    ),
}

BY_FAULT: dict[int, tuple[type[JotgateError], str, str]] = {FAULTS[name]: row for name, row in _REFUSALS.items()}
