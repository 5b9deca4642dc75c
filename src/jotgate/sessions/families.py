"""The sessions in a store: written by compare-and-set only, listed by subject, and announced when they are over."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from .._codec import b64url_encode
from ..errors import StoreUnavailableError
from ..stores.encoding import name_bytes
from ..stores.rules import Rule, keys_about
from ..stores.taking_back import LONGEST_TOKEN, MARGIN, before_now, session_rule, subject_rule
from . import family as record
from .family import Family

if TYPE_CHECKING:
    from ..stores.protocol import Store

TRIES: Final = 64
"""How often a step is tried again because somebody else took one meanwhile. Each time somebody got further."""


class Stored(NamedTuple):
    """A session, and the bytes that the next one must replace."""

    family: Family
    text: bytes

    def __repr__(self) -> str:
        return f"Stored({self.family!r})"


class Families:
    """The sessions of one issuer in a store.

    A session ends in three steps, each of which may be the last one before a crash: the record says so, and from then
    on nothing refreshes it; the store's rules tell every verifier; the record says that they do. Whoever touches a
    session that is over but not announced announces it.

    Args:
        store: Where they are.
        issuer: ``iss``.
    """

    __slots__ = ("_issuer", "_store")

    def __init__(self, store: Store, issuer: str) -> None:
        self._store = store
        self._issuer = issuer

    def find(self, session: str) -> Stored | None:
        """Return a session as it is now; None: there is none, or it is another issuer's."""
        text = self._store.read(_name(session))
        if text is None:
            return None
        family = record.parse(text)
        return Stored(family, text) if family.issuer == self._issuer else None

    def begin(self, session: str, family: Family) -> None:
        """Store a new session.

        It is listed before it is there: whoever ends all sessions of the subject misses none.
        """
        self._store.join(self._group(family.subject), session, _kept_until(family))
        if not self._store.swap(_name(session), None, record.dump(family), _kept_until(family)):
            raise StoreUnavailableError("the session could not be begun: try again")

    def put(self, session: str, before: Stored, after: Family) -> bool:
        """Put a session in the place of what it was; False: it is not that any more."""
        return self._store.swap(_name(session), before.text, record.dump(after), _kept_until(after))

    def end(self, session: str, cause: str) -> Family | None:
        """End a session, and tell verifiers; one that is over is announced if that was not done.

        Returns:
            The session if this call ended it.
        """
        for _ in range(TRIES):
            stored = self.find(session)
            if stored is None:
                # Perhaps the store lost it; its access tokens may live.
                self._store.write([self._rule(session)])
                return None
            if stored.family.cause is not None:
                self.announce(session, stored)
                return None
            after = stored.family.ended(cause)
            if self.put(session, stored, after):
                self.announce(session, Stored(after, record.dump(after)))
                return after
        raise busy()

    def announce(self, session: str, stored: Stored) -> None:
        """Tell verifiers that a session is over, unless it is known that they were told."""
        if not stored.family.announced:
            self._store.write([self._rule(session)])
            # Lost to somebody who announced it as well: nothing else happens to a session that is over.
            self.put(session, stored, stored.family._replace(announced=True))
        self._store.leave(self._group(stored.family.subject), session)

    def of(self, subject: str) -> Iterator[tuple[str, Stored]]:
        """Yield the sessions of a subject that are not over; finish what is left to do about the others."""
        group = self._group(subject)
        for session in self._store.members(group):
            stored = self.find(session)
            if stored is None:
                continue  # it is about to begin, or has run out, as its membership will
            if stored.family.cause is not None:
                self.announce(session, stored)
            else:
                yield session, stored

    def take_back(self, subject: str) -> None:
        """Take back what was issued to a subject until now, and what its sessions could still get."""
        before = before_now(self._store, *self.rules(subject, None)[0])
        self._store.write([subject_rule(self._issuer, subject, before)])

    def rules(self, subject: str, session: str | None) -> tuple[list[Rule], list[Rule]]:
        """Return the rules there are about a subject, and those about a session."""
        keys = keys_about("sub", self._issuer, subject)
        if session is not None:
            keys += keys_about("sid", self._issuer, session)
        found = [rule for rule in self._store.rules(keys) if rule is not None]
        return [rule for rule in found if rule.kind == "sub"], [rule for rule in found if rule.kind == "sid"]

    def _rule(self, session: str) -> Rule:
        return session_rule(self._issuer, session, before_now(self._store))

    def _group(self, subject: str) -> str:
        # A digest: a name of bounded length and plain characters, in which nobody reads who it is.
        digest = hashlib.sha256(name_bytes(f"{len(self._issuer)}:{self._issuer}{subject}")).digest()
        return f"subject/{b64url_encode(digest)}"


def busy() -> StoreUnavailableError:
    """Return the error for a session that changes faster than it can be written."""
    return StoreUnavailableError("the session changes faster than it can be written: try again")


def _name(session: str) -> str:
    return f"family/{session}"


def _kept_until(family: Family) -> int:
    return family.absolute_until + LONGEST_TOKEN + MARGIN
