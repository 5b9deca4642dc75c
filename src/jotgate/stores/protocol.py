"""What lower layers need of higher ones, by shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from .._token import VerifiedToken
from .rules import Rule, RuleKey

if TYPE_CHECKING:
    from .._revoked import RevocationIndex
    from ..keys.feed import Want


class RevocationCheck(Protocol):
    """Says whether a token was taken back."""

    def is_revoked(self, token: VerifiedToken, *, fresh: bool) -> bool:
        """Return whether a token that passed every other check was taken back.

        Asked under the GIL on every verification, also of a remembered token: answer from memory.

        Args:
            token: Verified in every other respect.
            fresh: Rely on nothing that was read earlier; ask whoever knows.

        Returns:
            True or False. Anything else, and any exception, refuses the token as ``store_unavailable``.
        """


class Signer(Protocol):
    """Signs with one key by one algorithm, wherever the key is: a ``SigningKey``, or a key that never leaves its KMS
    or HSM.
    """

    @property
    def alg(self) -> str:
        """The algorithm, as ``jotgate`` names it."""

    @property
    def kid(self) -> str | None:
        """The key id."""

    def sign(self, data: bytes) -> bytes:
        """Return the raw JWS signature over ``data`` (ECDSA: R || S, each of the curve's size)."""

    def public_jwk(self) -> Mapping[str, str]:
        """Return the public JWK, with ``kid`` and ``alg``."""


class EpochCounter(Protocol):
    """Counts the times an issuer has taken everything back: a token of an earlier epoch no longer counts."""

    def current(self) -> int:
        """Return the epoch that new tokens carry and verifiers demand; 0 before the first ``advance``."""

    def advance(self) -> int:
        """Begin the next epoch, for every process that shares the counter, and return it."""


class PrivateKeys(Protocol):
    """Makes and keeps the private keys of a key ring where they are: a directory, a KMS, an HSM."""

    def create(self, algorithm: str) -> Signer:
        """Make a key pair that outlives the process, and return what signs with it.

        Its ``kid`` is one that no key of the issuer ever had; whoever keeps the key finds it again by it. A key that
        was made but that the ring then could not enter into its manifest stays behind.
        """

    def load(self, kid: str, algorithm: str) -> Signer:
        """Return what signs with a key that ``create`` made, in this process or another."""

    def destroy(self, kid: str) -> None:
        """Destroy a private key; one that is not there is destroyed. Called again until it has not raised."""


class KeyWrap(Protocol):
    """Encrypts what is written to disk, by a key that is kept elsewhere."""

    def wrap(self, data: bytes) -> bytes:
        """Return ``data`` encrypted and authenticated."""

    def unwrap(self, data: bytes) -> bytes:
        """Return what was wrapped, or raise if it was not wrapped by this key or was altered."""


class Position(NamedTuple):
    """A place in the history of a store's rules. Opaque: only the store that made it reads it."""

    place: str
    mark: str
    """Random: tells a history from another one that took its place, after a flush, a restart or a failover."""


class Changes(NamedTuple):
    """What a store was told since a position."""

    position: Position
    """Where to go on."""
    rules: tuple[Rule, ...]
    """Complete up to the position: everything whose writing had returned before the store was asked for the last time.
    A rule may come again."""


class Snapshot(NamedTuple):
    """Every rule of a store."""

    position: Position
    """Read before the rules, so that what is written meanwhile comes again among the changes since it."""
    rules: Iterator[Sequence[Rule]]
    """In portions; reading on may raise what `Store.snapshot` raises."""


class Finding(NamedTuple):
    """What a store says of its own fitness."""

    code: str
    """Stable, such as ``evicts`` or ``not_durable``."""
    ok: bool
    message: str
    """What is so, what it means and what to do."""


class Store(Protocol):
    """Keeps what outlives a process: rules about what was taken back, and records of sessions.

    Methods raise ``StoreUnavailableError`` (``store_unavailable``) when the store does not answer within its own short
    timeout, or cannot keep what it was given; then a write may have happened or not, and can be repeated: every one
    here is idempotent or compares first. A store that must not be used (one that evicts) raises ``PolicyError``
    (``invalid_policy``). Threads share a store; a forked child may go on with it. Construction does no I/O.
    """

    @property
    def timeout(self) -> float:
        """Seconds after which a call gives up."""

    def write(self, rules: Sequence[Rule]) -> None:
        """Join rules to those there are, in one step that every other process sees whole or not at all.

        Returns when they are as durable as the store was asked to make them. Rules that say nothing new change nothing.
        """

    def advance_epoch(self, issuer: str) -> int:
        """Begin the next epoch of an issuer in one step, and return it; the first is 1."""

    def rules(self, keys: Sequence[RuleKey]) -> list[Rule | None]:
        """Return the rules about these things as they are now, from whoever takes the writes; None where there are
        none. What has run out may still be there."""

    def snapshot(self) -> Snapshot:
        """Return every rule."""

    def changes(self, since: Position, wait: float) -> Changes | None:
        """Return what was written since a position, waiting for something up to `wait` seconds.

        With replicas it also makes sure, about once a second, that they still acknowledge what is written.

        Args:
            since: Of an earlier snapshot or earlier changes, of this process or another.
            wait: Seconds; 0 does not wait.

        Returns:
            None: this position is not in the store's history: what came before and after it was forgotten, was never
            there or has been left out. Only a snapshot helps.
        """

    def read(self, name: str) -> bytes | None:
        """Return a record as it is now; None: there is none, or it has run out."""

    def swap(self, name: str, old: bytes | None, new: bytes, until: int) -> bool:
        """Put a record in the place of `old`, in one step, if that is what is there.

        Args:
            name: Of the record.
            old: What must be there; None: nothing.
            new: What shall be there.
            until: Unix seconds: from then on it is as if it were not there.

        Returns:
            Whether it was done. False: something else is there, and nothing was changed.
        """

    def join(self, group: str, member: str, until: int) -> None:
        """Put a member into a group until a time in Unix seconds; the later one counts."""

    def leave(self, group: str, member: str) -> None:
        """Take a member out of a group, if it is in it."""

    def members(self, group: str) -> list[str]:
        """Return who is in a group now."""

    def now(self) -> float:
        """Return the store's own Unix time in seconds."""

    def check(self) -> list[Finding]:
        """Look at how the store is set up."""

    def close(self) -> None:
        """Let go of connections. The store can still be used, and makes new ones."""


class Records(Protocol):
    """The part of a `Store` that remembers one-time things."""

    def swap(self, name: str, old: bytes | None, new: bytes, until: int) -> bool:
        """As `Store.swap`."""


class RevocationFeed(Protocol):
    """A native index that is kept up to date from elsewhere, as verifiers see it."""

    @property
    def index(self) -> RevocationIndex:
        """What answers, natively."""

    def _watch(self, watcher: Callable[[], None]) -> None:
        """Note a verifier, by a bound method of it that is held weakly; the index tells it of distrusted keys.

        Raises:
            PolicyError: ``invalid_policy``: nobody has said what holds for tokens when the index may not know.
        """

    def _unwatch(self, watcher: Callable[[], None]) -> None:
        """Note that a verifier asks no more; what nobody asks rests."""

    def _newer(self, seen: None, want: Want) -> bool | None:
        """Bring the index up to date on the request path.

        Args:
            seen: Nothing.
            want: ``usable``: it says that it does not know. ``newer``: a token's epoch is ahead of it.

        Returns:
            True: ask the index again. False: there is nothing newer, the verdict stands. None: that cannot be known.
        """

    async def _newer_async(self, seen: None, want: Want) -> bool | None:
        """As `_newer`, without holding up the event loop."""

    def _asked_now(self) -> None:
        """Bring the index up to what the store holds at a moment after this call began, or raise
        ``StoreUnavailableError``. For ``fresh=True``; waits as long as the store's timeout."""

    def warm(self) -> None:
        """See to it that the index knows, or raise ``StoreUnavailableError``."""

    async def warm_async(self) -> None:
        """As `warm`, without holding up the event loop."""

    def stats(self) -> dict[str, Any]:
        """Return what an operator wants to see of it."""


class SubjectRules(Protocol):
    """Says from when on a new token of somebody may be dated."""

    def valid_from(self, subject: str, session: str | None) -> int:
        """Return the Unix second below which an ``iat`` would be refused, 0 if there is none, from whoever takes the
        writes.

        Raises:
            StoreUnavailableError: ``store_unavailable``.
        """


class TokenRevocations(Protocol):
    """Takes single tokens back."""

    def revoke_token(self, token: VerifiedToken) -> None:
        """Take back a token that has a ``jti``, until it expires.

        Raises:
            StoreUnavailableError: ``store_unavailable``: it is not known whether it was.
        """


class RefreshTokens(Protocol):
    """Knows refresh tokens, and the sessions they belong to."""

    def describe(self, refresh_token: str) -> Mapping[str, Any] | None:
        """Return what an introspection may tell of a refresh token that could be used now; None for any other text.

        Asked about everything that is not an access token, forgeries too: look at the store only for a token that is
        ours by its own form. The token is not used by this.

        Returns:
            At least ``sid``, its session; and as far as there is one: ``sub``, ``client_id``, ``scope``, ``aud``,
            ``exp``, ``iat``, ``iss``, named and typed as claims.

        Raises:
            StoreUnavailableError: ``store_unavailable``.
        """

    def session_of(self, refresh_token: str) -> Mapping[str, Any] | None:
        """Return the session of any genuine refresh token, whether the token still works or not: who takes back the
        one before the last means the session. None for any other text; a forgery is not worth a look at the store.

        Returns:
            ``sid``; and ``client_id``, if it is a client's.

        Raises:
            StoreUnavailableError: ``store_unavailable``.
        """

    def end(self, session: str) -> object:
        """End a session, by the ``sid`` of `describe`: its refresh token and its access tokens no longer count.

        Raises:
            StoreUnavailableError: ``store_unavailable``: it is not known whether it has ended.
        """
