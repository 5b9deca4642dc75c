"""A session as the store keeps it, and the one decision about a refresh token: no clock, no store, no secret here."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

from ..errors import StoreUnavailableError

FORMAT: Final = 1

Outcome = Literal[
    "rotated", "benign_reuse", "recent", "stale_lineage", "state_lost", "ended", "expired", "idle_expired"
]
"""What becomes of a genuine refresh token; see `step`."""

REPLAYS: Final = ("recent", "stale_lineage", "state_lost")
"""The outcomes that end a session because somebody has a token that he should not have."""


class Family(NamedTuple):
    """One session: what was consented to, how far its refresh tokens have got, and whether it is over."""

    issuer: str
    subject: str
    audience: str | list[str]
    client_id: str | None
    scope: str | None
    claims: dict[str, Any]
    started: int
    """Unix second; not later than it was by any clock, and not before a rule that the subject begins anew by."""
    epoch: int
    """The issuer's when it began."""
    absolute_until: int
    idle_until: int
    counter: int
    """Of the one refresh token that rotates."""
    version: int
    """Of the server secret that this token was made with."""
    version_before: int
    """And of the one that the token before it was made with."""
    rotated_ms: int
    """Unix milliseconds."""
    cause: str | None = None
    """Why it is over; None: it is not."""
    announced: bool = False
    """Whether verifiers were told that it is over."""

    def ended(self, cause: str) -> Family:
        """Return the same session, over, and not yet announced."""
        return self._replace(cause=cause, announced=False)

    def __repr__(self) -> str:
        return f"Family(counter={self.counter}, cause={self.cause!r}, announced={self.announced})"


def step(
    family: Family,
    counter: int,
    version: int,
    now_ms: int,
    *,
    grace: float,
    idle_lifetime: int,
    signing_version: int,
) -> tuple[Family | None, Outcome]:
    """Decide about a genuine refresh token of a session. The first row that fits counts.

    ================================================== ================================== =================
    the session, and the counter that was presented    what becomes of the session        outcome
    ================================================== ================================== =================
    it is over                                         nothing (announced, if it was not) ``ended``
    its absolute lifetime has passed                   nothing                            ``expired``
    it was idle for too long                           nothing                            ``idle_expired``
    older than the previous one                        it is over                         ``stale_lineage``
    above the stored one                               it is over                         ``state_lost``
    current or previous, made with another secret      it is over                         ``state_lost``
    current                                            counter + 1, idle time anew        ``rotated``
    previous, rotated less than ``grace`` seconds ago  nothing: the same successor again  ``benign_reuse``
    previous, after that                               it is over                         ``recent``
    ================================================== ================================== =================

    A genuine token from above the stored counter shows that the store forgot a rotation, and one by another secret that
    it forgot or that the secret leaked: who has which token is not known any more.

    Args:
        family: As it is stored.
        counter: Of the token.
        version: Of the secret that the token was made with.
        now_ms: Unix milliseconds.
        grace: Seconds in which a client whose answer was lost gets it again; 0: never.
        idle_lifetime: Seconds that a session lives without being refreshed.
        signing_version: Of the secret that the next token will be made with.

    Returns:
        What to store in its place (None: leave it) and the outcome.
    """
    if family.cause is not None:
        return None, "ended"
    now = now_ms // 1000
    if now >= family.absolute_until:
        return None, "expired"
    if now >= family.idle_until:
        return None, "idle_expired"
    behind = family.counter - counter
    if behind > 1:
        return family.ended("stale_lineage"), "stale_lineage"
    if behind < 0 or version != (family.version, family.version_before)[behind]:
        return family.ended("state_lost"), "state_lost"
    if behind == 0:
        rotated = family._replace(
            counter=counter + 1,
            version=signing_version,
            version_before=version,
            rotated_ms=now_ms,
            idle_until=min(now + idle_lifetime, family.absolute_until),
        )
        return rotated, "rotated"
    # Also where another machine's clock is ahead of ours, but not by more than the grace.
    if abs(now_ms - family.rotated_ms) < grace * 1000:
        return None, "benign_reuse"
    return family.ended("recent"), "recent"


def dump(family: Family) -> bytes:
    """Return a session as the bytes of a record."""
    import orjson

    return orjson.dumps({"jotgate_session": FORMAT, **family._asdict()})


def parse(record: bytes) -> Family:
    """Return the session of a record.

    Raises:
        StoreUnavailableError: ``store_unavailable``: the record is damaged, or another version of Jotgate wrote it.
    """
    import orjson

    try:
        members = orjson.loads(record)
        if members.pop("jotgate_session") != FORMAT or members.keys() != _SHAPE.keys():
            raise ValueError
        if not all(type(members[name]) in kinds for name, kinds in _SHAPE.items()):
            raise ValueError
    except (ValueError, TypeError, AttributeError, LookupError):
        raise StoreUnavailableError("the store holds a session that this version of Jotgate cannot read") from None
    return Family(**members)


_SHAPE: Final[dict[str, tuple[type, ...]]] = {
    "issuer": (str,),
    "subject": (str,),
    "audience": (str, list),
    "client_id": (str, type(None)),
    "scope": (str, type(None)),
    "claims": (dict,),
    "started": (int,),
    "epoch": (int,),
    "absolute_until": (int,),
    "idle_until": (int,),
    "counter": (int,),
    "version": (int,),
    "version_before": (int,),
    "rotated_ms": (int,),
    "cause": (str, type(None)),
    "announced": (bool,),
}
