"""Issuing tokens that the issuer's own verifiers would accept, and no others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from os import urandom
from typing import TYPE_CHECKING, Any, Final, Protocol, final

from .._claims import check_claims
from .._clock import wall_ns_now
from .._codec import b64url_encode
from .._engine import verify_payload
from ..binding import binding_for
from ..errors import (
    InvalidKeyError,
    InvalidSignatureError,
    PolicyError,
    StoreUnavailableError,
    TokenError,
)
from ..jws import encoded, sign
from ..keys.algorithms import ALGORITHMS, expand
from ..keys.ring_feed import asked
from ..keys.signers import public_of
from ..policy import ANY, Policy
from .dating import asked_from, dated
from .guard import Guard, Mode

if TYPE_CHECKING:
    from ..stores.protocol import EpochCounter, Signer, SubjectRules

__all__ = ["Issuer", "SigningKeys"]

MAX_LIFETIME: Final = 900
"""Seconds that a token lives at most where the policy does not say."""
DEFAULT_LIFETIME: Final = 600

_RFC9068_TYP: Final = "at+jwt"
_RESERVED: Final = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "epoch", "sid", "client_id"})
_NBF_BEFORE: Final = 5  # seconds: the verifier's clock may be behind ours
_FAR: Final = 2**62
_SECOND: Final = 1_000_000_000
_TRIES: Final = 20
_PROBE: Final = b"Jotgate asks each key for one signature before it signs tokens."


class SigningKeys(Protocol):
    """Keys that change while they sign, such as a ``KeyRing``."""

    @property
    def epoch(self) -> int:
        """The epoch that new tokens carry."""

    def signer(self) -> Signer:
        """Return what signs now; asked for every token."""


@final
class Issuer:
    """Issues the tokens of one issuer. Threads may share it.

    Every token has ``iss``, ``sub``, ``aud``, ``iat``, ``exp``, ``jti`` (128 random bits) and ``epoch``. What a
    verifier under `policy` would refuse is not issued: the policy itself decides, at the moment of issuing. A signed
    token can be read by whoever holds it, so names and values that do not belong there are refused as well.

    A key signs once before its first token, and that signature is verified under the policy.

    Args:
        issuer: ``iss``.
        keys: A ``SigningKey``; a ``Signer``, for a key in a KMS or an HSM; or a ``KeyRing``, whose ``signer`` is asked
            for every token. With an HMAC secret whoever verifies can issue as well.
        policy: What those who verify demand. None: any audience and type, and lifetimes up to 900 seconds, which is
            also the limit where a policy has no ``max_lifetime``. If the waiting key of a ring gets an algorithm later
            that it does not allow, that is logged once, as a warning of ``jotgate.issuing``.
        typ: The ``typ`` header. ``at+jwt`` is the profile of RFC 9068: every token names its ``client_id``.
        epochs: Counts the epochs for a key that does not; without it they are 0.
        guard: What happens to a claim that does not belong into a readable token: ``raise``, ``warn`` or ``off``.
        readable: Claims that may be read by whoever holds the token: names, or dotted paths to a nested one.
        revocations: A ``Revocations``: asked for every token from when on one of its subject and session may be dated.
            After the tokens of a subject were taken back, the next one is dated a second ahead where it must be. Only
            verifiers with ``revocations`` accept that.

    Raises:
        PolicyError: ``invalid_policy``: an argument is not what it should be; ``wrong_issuer``, ``invalid_claim`` (the
            ``typ``), ``algorithm_not_allowed``, ``too_large``: the policy would refuse every token, or those of the
            key that signs next.
        InvalidKeyError: ``invalid_key``: `keys` does not sign, or its signature is not one of its public key.
        UndecidedError: ``undecided``, ``store_unavailable``: the signer or the key ring failed.

    Spec: RFC 7519 section 4.1; RFC 8725 section 3; RFC 9068 section 2.
    """

    __slots__ = (
        "_epoch_now",
        "_guard",
        "_issuer",
        "_next_algorithm",
        "_policy",
        "_proved",
        "_revocations",
        "_ring",
        "_signer_now",
        "_typ",
        "_without_limit",
    )

    def __init__(
        self,
        issuer: str,
        keys: Signer | SigningKeys,
        *,
        policy: Policy | None = None,
        typ: str = "JWT",
        epochs: EpochCounter | None = None,
        guard: Mode = "raise",
        readable: Collection[str] = (),
        revocations: SubjectRules | None = None,
    ) -> None:
        self._issuer = _text("issuer", issuer)
        self._typ = _text("typ", typ)
        self._policy = _effective(policy)
        self._without_limit = policy is None or policy.max_lifetime is None
        self._guard = Guard(guard, readable)
        if revocations is not None and not callable(getattr(revocations, "valid_from", None)):
            raise PolicyError("revocations takes a Revocations")
        if getattr(revocations, "issuer", issuer) != issuer:
            raise PolicyError(
                "the revocations are another issuer's, or everybody's: name this one, Revocations(issuer=)"
            )
        self._revocations = revocations
        self._signer_now, self._epoch_now = _sources(keys, epochs)
        self._ring: Any = keys if hasattr(keys, "settings") else None
        self._proved: Signer | None = None
        self._refuse_own_claims()
        self._prove(self._signing()[0])
        self._next_algorithm: str | None = None
        if self._ring is not None:
            self._next_algorithm = self._ring.settings.algorithm
            refused = self._refused_next()
            if refused is not None:
                raise PolicyError(refused, "algorithm_not_allowed")

    @property
    def issuer(self) -> str:
        """``iss``."""
        return self._issuer

    def issue(
        self,
        subject: str,
        audience: str | Collection[str],
        claims: Mapping[str, Any] | None = None,
        lifetime: int | None = None,
        *,
        client_id: str | None = None,
        not_before: bool = False,
        session: str | None = None,
    ) -> str:
        """Issue a token.

        Args:
            subject: ``sub``: whom the token is about, by an identifier that says nothing else.
            audience: ``aud``: whom it is for, one or several.
            claims: More claims; none of those that the issuer writes.
            lifetime: Whole seconds from now until it expires: at most the policy's ``max_lifetime`` (900 without
                one), and with a ``KeyRing`` its ``token_lifetime``. None: 600, or the lowest of these if that is less.
            client_id: ``client_id``: the OAuth client that asked for it; must be given with ``typ="at+jwt"``.
            not_before: Write ``nbf``, five seconds before ``iat``. Leave it out unless somebody demands it: a verifier
                whose clock is behind refuses such a token.
            session: ``sid``: the session that it belongs to, so that it ends with that.

        Returns:
            The token.

        Raises:
            PolicyError: ``invalid_policy``: an argument is not what it should be. ``readable_claim``: the guard found
                what must not be readable; ``claim`` is its path. Else the code by which a verifier would refuse the
                token: ``lifetime_too_long``, ``wrong_audience``, ``missing_claim``, ``wrong_type``, ``malformed``,
                ``too_large``, ``revoked`` (the session is over) and others.
            InvalidKeyError: ``invalid_key``: the signer's signature is not one.
            UndecidedError: ``undecided``, ``store_unavailable``: signer, key ring, epoch counter or store failed; try
                again.

        Cost: one signature, and some 30 us for a few claims; half of it is the guard. With ``revocations`` one question
            to the store.
        """
        now_ns = wall_ns_now()  # before the store is asked: a rule that is written after it answered refuses the token
        floor_s = 0
        if self._revocations is not None:
            floor_s = asked_from(
                self._revocations, _text("subject", subject), None if session is None else _text("session", session)
            )
        return self._issue_from(
            now_ns,
            floor_s,
            subject,
            audience,
            claims,
            lifetime,
            client_id=client_id,
            not_before=not_before,
            session=session,
        )

    def _issue_from(
        self,
        now_ns: int,
        floor_s: int,
        subject: str,
        audience: str | Collection[str],
        claims: Mapping[str, Any] | None,
        lifetime: int | None,
        *,
        client_id: str | None,
        not_before: bool,
        session: str | None,
    ) -> str:
        """Issue a token dated at a moment, in Unix nanoseconds, or at the second from which on one may be dated.

        The moment is read before that second is asked for. The other arguments are those of `issue`.
        """
        lifetime = self._lifetime(lifetime)
        signer, epoch = self._signing()
        members = self._members(subject, audience, client_id, epoch)
        if session is not None:
            members["sid"] = _text("session", session)
        issued = dated(now_ns, floor_s)
        members |= {"iat": issued, "exp": min(issued + lifetime, _FAR)}
        if not_before:
            members["nbf"] = issued - _NBF_BEFORE
        members |= _own_claims(claims)
        payload = _written(members)
        self._check_size(payload)  # before anything reads it: the guard is slow where there is a lot
        _as_verified(check_claims, self._policy._compiled, payload, max(now_ns, issued * _SECOND))
        self._guard.check(payload)
        self._prove(signer)
        token = sign(payload, signer, header={"typ": self._typ})
        self._check_size(token)
        return token

    def _members(
        self, subject: str, audience: str | Collection[str], client_id: str | None, epoch: int
    ) -> dict[str, Any]:
        members: dict[str, Any] = {
            "iss": self._issuer,
            "sub": _text("subject", subject),
            "aud": _audience(audience),
            "jti": b64url_encode(urandom(16)),
            "epoch": epoch,
        }
        if client_id is not None:
            members["client_id"] = _text("client_id", client_id)
        elif self._typ.lower().removeprefix("application/") == _RFC9068_TYP:
            raise PolicyError(
                "an access token by RFC 9068 names the client: give client_id", "missing_claim", "client_id"
            )
        return members

    def _check_size(self, text: str | bytes) -> None:
        if len(text) > self._policy.max_token_bytes:
            raise PolicyError("the token is longer than the policy's max_token_bytes: look it up by sub", "too_large")

    def _lifetime(self, lifetime: int | None) -> int:
        """Return how long a token lives; what the policy itself says of it, it says later."""
        longest: float | None = None
        if self._ring is not None:
            settings = self._ring.settings
            longest = settings.token_lifetime
            if settings.algorithm != self._next_algorithm:
                self._next_algorithm = settings.algorithm
                self._warn_of_next()
        if lifetime is None:
            return max(
                1,
                int(min(DEFAULT_LIFETIME, self._policy.max_lifetime or DEFAULT_LIFETIME, longest or DEFAULT_LIFETIME)),
            )
        if type(lifetime) is not int or lifetime < 1:
            raise PolicyError("lifetime takes a whole number of seconds above 0")
        wanted = min(lifetime, _FAR)  # a number of many digits cannot be written
        if self._without_limit and lifetime > MAX_LIFETIME:
            raise PolicyError(
                f"lifetime is {wanted} s, and {MAX_LIFETIME} s is the limit where no policy sets max_lifetime: give "
                f"the issuer the verifiers' policy with max_lifetime={wanted}",
                "lifetime_too_long",
                "exp",
            )
        if longest is not None and lifetime > longest:
            raise PolicyError(
                f"lifetime is {wanted} s, and the key ring publishes its keys for tokens of up to {longest:g} s: "
                f"reconfigure(token_lifetime={wanted}) of the ring raises that",
                "lifetime_too_long",
                "exp",
            )
        return lifetime

    def _refused_next(self) -> str | None:
        """What is wrong with the algorithm of the ring's new keys, which the waiting one has; None for nothing."""
        if not set(expand(self._next_algorithm)).isdisjoint(self._policy._canonical):
            return None
        return (
            f"the key ring's next key signs with {self._next_algorithm}, which the policy does not allow: every token "
            "will be refused once it signs; allow both algorithms, at every verifier first"
        )

    def _warn_of_next(self) -> None:
        """Say it of an algorithm that was staged since: refusing would be the outage that it warns of."""
        refused = self._refused_next()
        if refused is not None:
            import logging

            logging.getLogger("jotgate.issuing").warning(refused)

    def _signing(self) -> tuple[Signer, int]:
        """Return a signer and the epoch in which it signs: a token of one with another would be refused."""
        for _ in range(_TRIES):
            epoch = self._epoch_now()
            signer = self._signer_now()
            if self._epoch_now() == epoch:
                return signer, epoch
        raise StoreUnavailableError("the epoch changes faster than it can be read")

    def _prove(self, signer: Signer) -> None:
        """Have a key that is new here sign, under the header that tokens will have, and verify it by the policy."""
        if signer is self._proved:
            return
        text = sign(_PROBE, signer, header={"typ": self._typ})
        try:
            _as_verified(verify_payload, text, binding_for(public_of(signer), self._policy))
        except InvalidSignatureError:
            raise InvalidKeyError("the signer's signature is not one of its public key") from None
        self._proved = signer

    def _refuse_own_claims(self) -> None:
        """Say now if the policy refuses what is the same in every token; the rest depends on what is issued."""
        now_ns = wall_ns_now()
        second = now_ns // _SECOND
        try:
            check_claims(
                self._policy._compiled,
                _written({"iss": self._issuer, "nbf": 0, "iat": second, "exp": second + 1}),
                now_ns,
            )
        except TokenError as error:
            if error.claim == "iss":
                raise _refusal(error) from None

    def __repr__(self) -> str:
        return f"Issuer({self._issuer!r}, typ={self._typ!r})"


def _sources(keys: Any, epochs: EpochCounter | None) -> tuple[Callable[[], Signer], Callable[[], int]]:
    """What to ask for the signer and for the epoch, each time."""
    if callable(getattr(keys, "signer", None)):
        if epochs is not None:
            raise PolicyError("a key ring knows its epoch: give epochs to the ring")
        return keys.signer, lambda: asked(lambda: keys.epoch)
    if not callable(getattr(keys, "sign", None)):
        raise PolicyError("keys are a SigningKey, a Signer or a KeyRing")
    return (lambda: keys), (lambda: 0) if epochs is None else (lambda: asked(epochs.current))


def _effective(policy: Policy | None) -> Policy:
    """The policy that decides on what is issued: always with a limit to the lifetime."""
    if policy is None:
        return Policy(algorithms=tuple(ALGORITHMS), issuer=ANY, audience=ANY, max_lifetime=MAX_LIFETIME)
    if not isinstance(policy, Policy):
        raise PolicyError("policy takes the Policy of those who verify")
    if policy.max_lifetime is not None:
        return policy
    return Policy(**(policy._facts() | {"max_lifetime": MAX_LIFETIME}))


def _as_verified(check: Callable[..., object], *arguments: object) -> None:
    """Run a check of the verifier's; what it would say of a token is here a mistake of whoever issues it."""
    try:
        check(*arguments)
    except InvalidSignatureError:
        raise
    except TokenError as error:
        raise _refusal(error) from None


def _refusal(error: TokenError) -> PolicyError:
    return PolicyError(f"a verifier would refuse this token: {error.args[0]}", error.code, error.claim)


def _own_claims(claims: Mapping[str, Any] | None) -> dict[str, Any]:
    if claims is None:
        return {}
    if not isinstance(claims, Mapping):
        raise PolicyError("claims takes a mapping")
    for name in sorted(_RESERVED):
        if name in claims:
            raise PolicyError(
                "the issuer writes this claim itself, from an argument or by rule", "invalid_policy", name
            )
    return dict(claims)


def _written(members: dict[str, Any]) -> bytes:
    try:
        return encoded(members)
    except ValueError:
        raise PolicyError(
            "claims are JSON that every parser reads alike: names are str, dates Unix seconds, integers of 64 bits, "
            "numbers finite, 32 levels at most",
            "malformed",
        ) from None


def _audience(audience: str | Collection[str]) -> str | list[str]:
    if isinstance(audience, str):
        return _text("audience", audience)
    if not isinstance(audience, Collection) or isinstance(audience, bytes | Mapping) or not audience:
        raise PolicyError("audience takes a non-empty str, or a non-empty collection of them")
    return [_text("audience", each) for each in audience]


def _text(argument: str, value: object) -> str:
    if type(value) is not str or not value:
        raise PolicyError(f"{argument} takes a non-empty str")
    return value
