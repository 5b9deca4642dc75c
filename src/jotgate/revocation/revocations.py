"""Taking tokens back."""

from __future__ import annotations

import re
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, final

from .._revoked import RevocationIndex
from ..errors import JotgateError, PolicyError, StoreUnavailableError
from ..keys.feed import Want, Watched, survive_forks
from ..keys.flight import in_a_thread
from ..stores.encoding import is_unicode
from ..stores.rules import NEVER, Rule, keys_about, latest
from ..stores.taking_back import before_now, key_rule, session_rule, subject_rule, token_rule
from .mirror import Mirror, Trust

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._token import VerifiedToken
    from ..stores.protocol import EpochCounter, Store

__all__ = ["Revocations"]

OnStale = Literal["refuse", "accept_until_exp", "accept_for"]

LEAST_LAG: Final = 2.0
"""Seconds: what is heard from a store in good health may be older than one, by the time of a question."""
_FIRST: Final = 1_000_000_000
"""In 2001: what is less is no date of a token, but a lifetime in the wrong place."""
KEPT: Final = 32 * 86_400
"""Seconds that rules about subjects and sessions are kept: longer than a session lives."""
_THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_-]{43}")


@final
class Revocations(Watched):
    """Takes tokens back, and tells verifiers of it.

    Give it to a ``Verifier``: a thread then mirrors the store's rules into a native index, which answers every
    verification without I/O. Whoever only takes tokens back needs no verifier, and no thread runs.

    What a rule says holds for tokens of `issuer`; a verifier looks at the rules of all issuers, whoever wrote them.

    Args:
        store: Where the rules are.
        issuer: Whose tokens are taken back, by ``iss``; None: those of every issuer. Name it where verifiers of the
            same store serve several issuers, because ids, subjects and epochs are each issuer's own.
        on_stale: What holds for tokens when nothing was heard from the store for `max_lag`: ``refuse`` answers
            ``store_unavailable`` (503), ``accept_until_exp`` goes on by what is known, ``accept_for`` does so for
            `accept_for` seconds more. There is no default; only who gives this to a verifier has to decide.
        accept_for: Seconds beyond `max_lag`.
        max_lag: Seconds, 2 at least.
        keep: Seconds that a rule about a subject or session is kept: no token, and no session that could get a new one,
            lives longer.

    Raises:
        PolicyError: ``invalid_policy``: an argument is not what it should be.

    Spec: RFC 7009 for what it serves; RFC 7519 section 4.1.7 for ``jti``.
    """

    __slots__ = ("_issuer", "_keep", "_mirror", "_on_stale", "_store", "index")

    index: RevocationIndex
    """What verifiers ask."""

    def __init__(
        self,
        store: Store,
        *,
        issuer: str | None = None,
        on_stale: OnStale | None = None,
        accept_for: float | None = None,
        max_lag: float = 10.0,
        keep: float = KEPT,
    ) -> None:
        super().__init__()
        if not callable(getattr(store, "changes", None)):
            raise PolicyError("a store is a RedisStore, a SqliteStore or a MemoryStore; open_store makes one of a URL")
        self._issuer = "" if issuer is None else _text("issuer", issuer)
        self._store = store
        self._on_stale = on_stale
        self._keep = _seconds("keep", keep, 60)
        self.index = RevocationIndex(self)
        self._mirror = Mirror(store, self.index, _trust(on_stale, accept_for, max_lag))
        survive_forks(self)

    # -- taking back

    def revoke(self, token_id: str, until: int) -> None:
        """Take back the tokens with this ``jti``.

        Args:
            token_id: The ``jti``.
            until: Their ``exp``, in whole Unix seconds. The rule is kept 600 seconds longer, which is what a policy may
                forgive.

        Raises:
            StoreUnavailableError: ``store_unavailable``: it is not known whether it was written; call again.
        """
        if type(until) is not int or not _FIRST <= until <= NEVER:
            raise PolicyError("until is the token's exp: whole seconds since 1970, no milliseconds and no lifetime")
        self._write(token_rule(self._issuer, _text("token_id", token_id), until))

    def revoke_token(self, token: VerifiedToken) -> None:
        """Take back one token, by its ``jti``, and all others that share it.

        Args:
            token: As a verifier returned it; of another issuer than `issuer`, the rule names its own.

        Raises:
            PolicyError: ``invalid_policy``: the token has no ``jti``; take back its session or subject.
            StoreUnavailableError: As `revoke`.
        """
        if not hasattr(token, "token_id"):
            raise PolicyError("revoke_token takes a token as a verifier returned it; revoke takes a jti")
        if token.token_id is None:
            raise PolicyError("the token has no jti by which it could be taken back: take back its session or subject")
        expires = token.expires_at
        until = NEVER if expires is None else int(expires) + 1
        self._write(token_rule(self._issuer and (token.issuer or ""), _text("token_id", token.token_id), until))

    def revoke_subject(self, subject: str) -> int:
        """Take back every token of a subject that was issued until now, and every session that began until now.

        Args:
            subject: The ``sub``.

        Returns:
            The Unix second below which an ``iat`` is refused.

        Raises:
            StoreUnavailableError: As `revoke`.
        """
        known = self._store.rules(keys_about("sub", self._issuer, _text("subject", subject)))
        before = before_now(self._store, *known)
        self._write(subject_rule(self._issuer, subject, before, int(self._keep)))
        return before

    def revoke_session(self, session: str) -> None:
        """Take back every token of a session, for ever.

        Args:
            session: The ``sid``.

        Raises:
            StoreUnavailableError: As `revoke`.
        """
        before = before_now(self._store)
        self._write(session_rule(self._issuer, _text("session", session), before, int(self._keep)))

    def revoke_key(self, thumbprint: str) -> None:
        """Distrust a key for ever: whatever it signed, whatever a JWKS says of it later.

        Args:
            thumbprint: Of the key, by RFC 7638: ``VerificationKey.thumbprint()``.

        Raises:
            PolicyError: ``invalid_policy``: it is no thumbprint; a ``kid`` would take nothing back.
            StoreUnavailableError: As `revoke`.
        """
        if not _THUMBPRINT.fullmatch(_text("thumbprint", thumbprint)):
            raise PolicyError("a key is taken back by its thumbprint (RFC 7638): 43 characters of base64url")
        self._write(key_rule(thumbprint))

    @property
    def epochs(self) -> EpochCounter:
        """The counter of the issuer's epochs, for ``KeyRing(epochs=)`` or ``Issuer(epochs=)``: ``advance`` takes back
        every token that was issued until now."""
        return _StoreEpochs(self)

    def valid_from(self, subject: str, session: str | None = None) -> int:
        """Return the Unix second below which an ``iat`` would be refused, 0 if there is none. Asks the store.

        Args:
            subject: The ``sub`` of a token to be issued.
            session: Its ``sid``.

        Raises:
            StoreUnavailableError: ``store_unavailable``.
        """
        keys = keys_about("sub", self._issuer, subject)
        if session is not None:
            keys += keys_about("sid", self._issuer, session)
        return latest(self._store.rules(keys))

    def _write(self, rule: Rule) -> None:
        self._store.write([rule])
        self.index.merge([rule])  # here it holds at once

    # -- what verifiers ask

    @property
    def issuer(self) -> str | None:
        """Whose tokens are taken back; None: every issuer's."""
        return self._issuer or None

    @property
    def lag(self) -> float | None:
        """Seconds since the store was last heard from, None while it never was."""
        return self._mirror.lag

    @property
    def ready(self) -> bool:
        """Whether tokens can be decided now."""
        return self.index.usable

    def warm(self) -> None:
        """Read what was taken back, before the first token is verified.

        Raises:
            StoreUnavailableError: ``store_unavailable``: it cannot be read now.
            PolicyError: ``invalid_policy``: the store must not be used as it is; waiting does not help.
        """
        if self._mirror.caught_up() is None:
            raise self._unavailable()

    async def warm_async(self) -> None:
        """Read what was taken back, as ``warm`` does, without holding up the event loop."""
        if await self._mirror.caught_up_async() is None:
            raise self._unavailable()

    def close(self) -> None:
        """Stop the thread. A verifier that asks again starts it again."""
        self._mirror.stop()

    def stats(self) -> dict[str, Any]:
        """Return what an operator wants to see.

        Returns:
            ``state``: ``unknown`` (no rules were read yet), ``current``, ``late`` (nothing heard for ``max_lag``;
            tokens are accepted by ``on_stale``) or ``refusing``. ``lag`` in seconds, or None. ``rules`` by kind, and
            their ``bytes``. ``snapshots``: how often everything was read. ``written_back``: rules that the store had
            lost. ``failures`` in a row, and the ``last_error``, empty while there is none.
        """
        facts = self._mirror.stats()
        lag = facts["lag"]
        if lag is None:
            state = "unknown"
        elif not self.index.usable:
            state = "refusing"
        else:
            state = "current" if lag < self._mirror.max_lag else "late"
        return {"state": state, "rules": self.index.counts(), "bytes": self.index.nbytes, **facts}

    def _watch(self, watcher: Callable[[], None]) -> None:
        if self._on_stale is None:
            raise PolicyError(
                "say what verifiers do when the store has been silent for max_lag: on_stale='refuse', "
                "'accept_until_exp', or 'accept_for' with accept_for="
            )
        super()._watch(watcher)

    def _rest(self) -> None:
        self._mirror.stop()

    def _newer(self, seen: None, want: Want) -> bool | None:
        return self._mirror.caught_up() if want == "usable" else self._mirror.look_ahead()

    async def _newer_async(self, seen: None, want: Want) -> bool | None:
        if want == "usable":
            return await self._mirror.caught_up_async()
        return await in_a_thread(self._mirror.look_ahead)

    def _asked_now(self) -> None:
        self._mirror.ask()

    def _forked(self) -> None:
        super()._forked()
        self._mirror.renew_locks()
        self.index.vouch_until(0)  # the first call starts a thread here

    def _unavailable(self) -> JotgateError:
        if isinstance(self._mirror.failure, PolicyError):
            return PolicyError(*self._mirror.failure.args)
        return StoreUnavailableError(
            f"what was taken back cannot be read: {self._mirror.failure or 'the store has not answered yet'}"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Revocations {self.stats()['state']}>"


class _StoreEpochs:
    """The epochs of an issuer, counted in the store."""

    __slots__ = ("_revocations",)

    def __init__(self, revocations: Revocations) -> None:
        self._revocations = revocations

    def current(self) -> int:
        owner = self._revocations
        if owner.ready:  # who asks on the request path is not made to wait for a store, while a mirror is vouched for
            return owner.index.epoch(owner._issuer)
        return self._by_store_and_index()

    def _by_store_and_index(self) -> int:
        """Return the higher of the two: an index may be behind, and a store may have lost what it is given back."""
        owner = self._revocations
        told = owner._store.rules(keys_about("epoch", owner._issuer, ""))
        return max(owner.index.epoch(owner._issuer), latest(told))

    def _highest(self) -> int:
        """Return the highest epoch that holds for a token of the issuer; of every issuer, if none is named."""
        owner = self._revocations
        if owner._issuer:
            return self._by_store_and_index()
        told = (rule for portion in owner._store.snapshot().rules for rule in portion)
        return max((value for kind, _, _, value, _ in chain(told, owner.index.rules()) if kind == "epoch"), default=0)

    def advance(self) -> int:
        owner = self._revocations
        before = self._highest()
        epoch = owner._store.advance_epoch(owner._issuer)
        if epoch <= before:
            # The others count on their own: an epoch that is not above theirs would take nothing back.
            owner._store.write([Rule("epoch", owner._issuer, "", before, NEVER)])
            epoch = owner._store.advance_epoch(owner._issuer)
        owner.index.merge([Rule("epoch", owner._issuer, "", epoch, NEVER)])
        return epoch


def _trust(on_stale: object, accept_for: object, max_lag: object) -> Trust:
    if on_stale not in ("refuse", "accept_until_exp", "accept_for", None):
        raise PolicyError("on_stale is 'refuse', 'accept_until_exp' or 'accept_for'")
    if (on_stale == "accept_for") != (accept_for is not None):
        raise PolicyError("accept_for takes seconds, together with on_stale='accept_for'")
    beyond = {"accept_until_exp": None, "accept_for": accept_for}.get(str(on_stale), 0.0)
    return Trust(
        _seconds("max_lag", max_lag, LEAST_LAG),
        None if beyond is None else _seconds("accept_for", beyond, 0),
    )


def _seconds(option: str, value: object, least: float) -> int | float:
    if type(value) not in (int, float) or not least <= value < 2**31:  # type: ignore[operator]
        raise PolicyError(f"{option} is a number of seconds, {least:g} at least")
    return value  # type: ignore[return-value]


def _text(argument: str, value: object) -> str:
    if type(value) is not str or not value:
        raise PolicyError(f"{argument} takes a non-empty str")
    if not is_unicode(value):
        raise PolicyError(f"{argument} takes valid Unicode: no token has another")
    return value
