"""Sessions: short access tokens, and refresh tokens that rotate and give away whoever copied one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from os import urandom
from typing import TYPE_CHECKING, Any, Final, final

from .._clock import now, wall_ns_now
from .._codec import b64url_encode
from ..errors import PolicyError, RefreshError
from ..issuing.issuer import Issuer
from ..keys.feed import survive_forks
from .answers import SessionInfo, Tokens, claims_of_token, info_of, living
from .arguments import check_parts, check_times, claims_of, kept, subject_of
from .consent import narrowed_audience, narrowed_scope, scopes_of
from .events import Events, SessionEvent
from .families import TRIES, Families, Stored, busy
from .family import Family, Outcome, step
from .objections import Objections
from .refresh_token import FAMILY_BYTES, RefreshToken, authentic, is_session, made, refusal
from .vouching import Vouching

if TYPE_CHECKING:
    from ..stores.protocol import Store
    from .vouching import SecretSource

__all__ = ["SessionEvent", "SessionInfo", "SessionManager", "Tokens"]

_DAY: Final = 86_400
_JITTER: Final = 20
"""Access tokens live up to a 20th shorter, so that tabs and fleets do not refresh in step."""


@final
class SessionManager:
    """Starts, refreshes and ends sessions. Threads may share it; processes share the store and the secrets.

    Each refresh token works once. A client whose answer was lost may present it again within `grace` seconds and gets
    the very same successor; later, whoever presents it shows that there are two of them, and the session is over for
    both. A failure (store, signer, subject status) uses up nothing: the same refresh token works once it has passed.

    Args:
        store: Keeps the sessions: a ``Store``, shared with ``Revocations`` so that ending a session takes back its
            access tokens.
        issuer: Issues the access tokens.
        secrets: The server secrets: ``SessionSecrets``, or a ``SecretSource``. Not in the store.
        access_lifetime: Seconds that an access token lives, 1 to 900; up to 5 % less, at random.
        idle_lifetime: Seconds that a session lives without being refreshed; more than `grace`.
        absolute_lifetime: Seconds that a session lives however often it is refreshed; at most 30 days.
        grace: Seconds, 0 to 300, in which the previous refresh token gets the same successor again. The clocks of all
            machines agree far better than that. 0: never; every lost answer then ends a session.
        subject_status: Called with the subject at the start and at each refresh; anything but True ends the session,
            and what it raises is ``store_unavailable``.
        on_event: Called with a ``SessionEvent`` for whatever happens; it holds no token.

    Raises:
        PolicyError: ``invalid_policy``: an argument is not what it should be; ``lifetime_too_long``: the issuer's
            policy or key ring does not allow tokens of `access_lifetime`.

    Spec: RFC 9700 section 4.14.2; RFC 6749 section 6.
    """

    __slots__ = (
        "__weakref__",
        "_absolute_lifetime",
        "_access_lifetime",
        "_events",
        "_families",
        "_grace",
        "_idle_lifetime",
        "_issuer",
        "_objections",
        "_secrets",
        "_store",
    )

    def __init__(
        self,
        store: Store,
        issuer: Issuer,
        *,
        secrets: SecretSource,
        access_lifetime: int = 600,
        idle_lifetime: int = 7 * _DAY,
        absolute_lifetime: int = 30 * _DAY,
        grace: float = 30,
        subject_status: Callable[[str], bool] | None = None,
        on_event: Callable[[SessionEvent], object] | None = None,
    ) -> None:
        check_parts(store, issuer, secrets, {"subject_status": subject_status, "on_event": on_event})
        check_times(issuer, access_lifetime, idle_lifetime, absolute_lifetime, grace)
        self._store = store
        self._issuer = issuer
        self._families = Families(store, issuer.issuer)
        self._objections = Objections(self._families, issuer, subject_status)
        self._secrets = Vouching(secrets)
        self._access_lifetime = access_lifetime
        self._idle_lifetime = idle_lifetime
        self._absolute_lifetime = absolute_lifetime
        self._grace = grace
        self._events = Events(on_event)
        survive_forks(self)

    def start(
        self,
        subject: str,
        audience: str | Collection[str],
        claims: Mapping[str, Any] | None = None,
        *,
        client_id: str | None = None,
        scope: str | None = None,
    ) -> Tokens:
        """Start a session for a subject who has just proved to be it.

        Args:
            subject: ``sub``.
            audience: ``aud`` of its access tokens: what the subject consented to, for good.
            claims: More claims for each access token; neither ``sid`` nor ``scope``.
            client_id: The OAuth client.
            scope: ``scope`` of the access tokens, names between single spaces.

        Returns:
            The first tokens.

        Raises:
            PolicyError: as ``Issuer.issue``; ``invalid_policy``: ``scope`` is none.
            RefreshError: ``invalid_grant``: `subject_status` does not say True.
            UndecidedError: ``store_unavailable`` and others: try again.
        """
        subject, consented, given = subject_of(subject), kept(audience), claims_of(claims)
        if scope is not None:
            scopes_of(scope)
        session = b64url_encode(urandom(FAMILY_BYTES))
        # The earlier of two clocks: a session must not seem to be from after a rule that is written later.
        moment = int(min(now(), self._store.now()))
        now_ns = wall_ns_now()
        second = now_ns // 1_000_000_000
        floor = self._objections.floor(subject)
        if not self._objections.has_status(subject):
            raise self._refused(None, None, "subject_disabled")
        version, secret = self._secrets.current()
        family = Family(
            issuer=self._issuer.issuer,
            subject=subject,
            audience=consented,
            client_id=client_id,
            scope=scope,
            claims=given,
            started=max(moment, floor),
            epoch=self._issuer._epoch_now(),
            absolute_until=second + self._absolute_lifetime,
            idle_until=second + self._idle_lifetime,
            counter=0,
            version=version,
            version_before=version,
            rotated_ms=now_ns // 1_000_000,
        )
        access, expires_in = self._issued(session, family, now_ns, floor, consented, scope)
        self._families.begin(session, family)
        self._events.tell("started", session, family)
        return Tokens(access, made(version, secret, session, 0), session, expires_in, family.idle_until - second)

    def refresh(self, token: str, *, audience: str | Collection[str] | None = None, scope: str | None = None) -> Tokens:
        """Take a refresh token and return its successor with a fresh access token.

        Args:
            token: The refresh token.
            audience: Some of what the subject consented to, for this access token; None: all of it.
            scope: The same for ``scope``.

        Returns:
            The tokens. The client forgets the one it presented.

        Raises:
            RefreshError: ``invalid_grant``: sign in again; why is the `cause`, for the operator alone.
                ``invalid_scope``, ``invalid_target``: more was asked for than the subject consented to; nothing was
                used up.
            UndecidedError: ``store_unavailable`` and others: nothing was used up, or the same token gets the same
                answer again; try again.
            PolicyError: as ``Issuer.issue``, if its policy has changed since the session began.

        Cost: two reads and one write of the store, one signature, two HKDF. A token that no secret vouches for costs
            one HKDF at most.

        Spec: RFC 6749 section 6; RFC 9700 section 4.14.2.
        """
        presented = self._authentic(token)
        session = presented.family
        issued: tuple[str, int] | None = None
        for _ in range(TRIES):
            stored = self._families.find(session)
            if stored is None:
                raise self._refused(session, None, "unknown_session")
            signing = self._secrets.current()
            moment_ms = wall_ns_now() // 1_000_000
            after, outcome = self._step(presented, stored.family, moment_ms, signing[0])
            if outcome not in ("rotated", "benign_reuse"):
                if after is not None and not self._families.put(session, stored, after):
                    continue
                raise self._over(session, stored, after, outcome)
            # Everything that can fail comes before the step that uses the token up. What is issued here and then lost
            # to another thread's step goes with that step's successor: it is the same session.
            if issued is None:
                issued = self._checked_and_issued(session, stored, audience, scope)
            if after is not None and not self._families.put(session, stored, after):
                continue
            family = stored.family if after is None else after
            secret = signing[1] if after is not None else self._secrets.secret(family.version)
            if secret is None:
                raise self._refused(session, family, "unknown_version")
            self._events.tell("rotated" if after is not None else "benign_reuse", session, family)
            left = max(0, family.idle_until - moment_ms // 1000)
            return Tokens(issued[0], made(family.version, secret, session, family.counter), session, issued[1], left)
        raise busy()

    def end(self, session: str) -> bool:
        """End a session by its id, and take back its access tokens.

        Done twice it does no harm. Verifiers with ``revocations`` refuse its access tokens from the moment their mirror
        has heard of it. An id is not secret: whoever may end a session with it is for the caller to say.

        Returns:
            Whether this call ended it; False if it was over or is not known.

        Raises:
            PolicyError: ``invalid_policy``: this can be no session id.
            UndecidedError: ``store_unavailable``: the session may be over or not; end it again.
        """
        if type(session) is not str or not is_session(session):
            raise PolicyError("the id of a session is what start returned as session, and the sid of its access tokens")
        return self._end(session, "log_out")

    def log_out(self, token: str) -> bool:
        """End the session of a refresh token, whether the token still counts or not; otherwise as `end`.

        Raises:
            RefreshError: ``invalid_grant``: no server secret vouches for the token.
            UndecidedError: ``store_unavailable``: the session may be over or not; do it again.
        """
        return self._end(self._authentic(token).family, "log_out")

    def end_all(self, subject: str) -> int:
        """End all sessions of a subject, and take back every token issued to it until now.

        Returns:
            How many sessions this call ended.

        Raises:
            UndecidedError: ``store_unavailable``: some may be over; do it again.
        """
        self._families.take_back(subject_of(subject))
        return sum(self._end(session, "log_out_everywhere") for session, _ in self._families.of(subject))

    def sessions(self, subject: str) -> list[SessionInfo]:
        """Return the sessions of a subject that live, in the order in which they began.

        Raises:
            UndecidedError: ``store_unavailable``.
        """
        moment = now()
        return living(self._families.of(subject_of(subject)), moment)

    def identify(self, token: str) -> SessionInfo:
        """Return the session of a refresh token that would work now. Changes nothing, whatever the token is.

        Rules about the subject, and its status, are not looked at.

        Raises:
            RefreshError: ``invalid_grant``.
            UndecidedError: ``store_unavailable``.
        """
        presented = self._authentic(token)
        stored = self._families.find(presented.family)
        if stored is None:
            raise self._refused(presented.family, None, "unknown_session")
        _, outcome = self._step(presented, stored.family, wall_ns_now() // 1_000_000, presented.version)
        if outcome not in ("rotated", "benign_reuse"):
            raise self._refused(presented.family, stored.family, outcome)
        return info_of(presented.family, stored.family)

    def describe(self, refresh_token: str) -> dict[str, Any] | None:
        """Return what an introspection may tell of a refresh token that would work now; None for any other text.

        The token is not used by this. A session to which the store's rules, the epoch or `subject_status` object is
        ended, as a refresh would end it, so that None never hides access tokens that live on.

        Returns:
            ``sid``, ``iss``, ``sub``, ``aud``, ``exp``; and ``client_id``, ``scope``, ``iat`` as far as there is one.

        Raises:
            UndecidedError: ``store_unavailable``.

        Cost: two reads of the store; none for a text that no server secret vouches for.

        Spec: RFC 7662 section 2.2.
        """
        try:
            presented = authentic(refresh_token, self._secrets)
        except RefreshError:
            return None
        session, moment_ms = presented.family, wall_ns_now() // 1_000_000
        stored = self._families.find(session)
        if stored is None:
            return None
        _, outcome = self._step(presented, stored.family, moment_ms, presented.version)
        if outcome == "ended" and not stored.family.announced:
            self._families.announce(session, stored)
        if outcome not in ("rotated", "benign_reuse"):
            return None
        cause, _ = self._objections.against(session, stored.family)
        if cause is not None:
            self._end(session, cause)
            return None
        return claims_of_token(session, stored.family, None if outcome == "rotated" else self._grace)

    def session_of(self, refresh_token: str) -> dict[str, Any] | None:
        """Return the session of a refresh token that is ours, whether the token still works or not; None for any other
        text, which costs no I/O. Changes nothing and counts nothing.

        Returns:
            ``sid``; and ``client_id`` if it has one.

        Raises:
            UndecidedError: ``store_unavailable``.

        Spec: RFC 7009 section 2.1.
        """
        try:
            session = authentic(refresh_token, self._secrets).family
        except RefreshError:
            return None
        stored = self._families.find(session)
        if stored is None:
            return None
        client_id = stored.family.client_id
        return {"sid": session} if client_id is None else {"sid": session, "client_id": client_id}

    def stats(self) -> dict[str, Any]:
        """Return how often what happened in this process.

        Returns:
            ``started``, ``rotated``, ``benign_reuse``, ``ended``; ``replay`` by cause: ``recent``, ``stale_lineage``,
            ``state_lost``; ``expired``; ``refused``, for every other reason.
        """
        return self._events.stats()

    def _authentic(self, token: str) -> RefreshToken:
        try:
            return authentic(token, self._secrets)
        except RefreshError as error:
            self._events.tell("refused", None, None, error.cause)
            raise

    def _step(
        self, presented: RefreshToken, family: Family, moment_ms: int, signing_version: int
    ) -> tuple[Family | None, Outcome]:
        return step(
            family,
            presented.counter,
            presented.version,
            moment_ms,
            grace=self._grace,
            idle_lifetime=self._idle_lifetime,
            signing_version=signing_version,
        )

    def _over(self, session: str, stored: Stored, after: Family | None, outcome: str) -> RefreshError:
        """Return the error for a session that is over, of which verifiers have been told when this returns."""
        if after is None:
            if outcome == "ended" and not stored.family.announced:
                self._families.announce(session, stored)
            return self._refused(session, stored.family, outcome)
        self._events.tell("replay", session, after, outcome)  # first, so that no failing store hides it
        self._families.end(session, outcome)  # has ended: announces
        return refusal(outcome)

    def _refused(self, session: str | None, family: Family | None, cause: str) -> RefreshError:
        self._events.tell("refused", session, family, cause)
        return refusal(cause)

    def _end(self, session: str, cause: str) -> bool:
        ended = self._families.end(session, cause)
        if ended is not None:
            self._events.tell("ended", session, ended, cause)
        return ended is not None

    def _checked_and_issued(
        self, session: str, stored: Stored, audience: str | Collection[str] | None, scope: str | None
    ) -> tuple[str, int]:
        """Ask everybody who may object, end the session if somebody does, and issue an access token.

        The moment is read before the rules are: one that is written later takes the token back.
        """
        family = stored.family
        target = narrowed_audience(family, audience)
        narrowed = narrowed_scope(family, scope)
        now_ns = wall_ns_now()
        cause, floor = self._objections.against(session, family)
        if cause is None:
            issued = self._issued(session, family, now_ns, floor, target, narrowed)
            # Once more: had an epoch begun meanwhile, this token would be of the new one, and the session is not.
            if family.epoch >= self._issuer._epoch_now():
                return issued
            cause = "old_epoch"
        self._end(session, cause)
        raise self._refused(session, family, cause)

    def _issued(
        self, session: str, family: Family, now_ns: int, floor: int, audience: str | list[str], scope: str | None
    ) -> tuple[str, int]:
        """Return an access token and its lifetime: it does not outlive the session."""
        left = family.absolute_until - max(now_ns // 1_000_000_000, floor)
        longest = self._issuer._lifetime(self._access_lifetime)
        lifetime = max(1, min(longest - _random_below(longest // _JITTER + 1), left))
        claims = family.claims if scope is None else {**family.claims, "scope": scope}
        access = self._issuer._issue_from(
            now_ns,
            floor,
            family.subject,
            audience,
            claims,
            lifetime,
            client_id=family.client_id,
            not_before=False,
            session=session,
        )
        return access, lifetime

    def _forked(self) -> None:
        self._events.forked()

    def __repr__(self) -> str:
        return f"SessionManager(issuer={self._issuer.issuer!r})"


def _random_below(bound: int) -> int:
    return int.from_bytes(urandom(4), "big") % bound
