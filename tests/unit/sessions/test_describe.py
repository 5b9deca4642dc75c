"""What a session manager tells of a refresh token: as much as an introspection may know, and only of one that works."""

from collections.abc import Callable
from typing import Any

import pytest
from session_world import (
    OLD_SECRET,
    SECRET,
    SESSION,
    Down,
    Stumbling,
    Untouched,
    forged,
    issuer,
    manager,
    sid_rule,
    started,
)
from support import AUDIENCE, ISSUER, NOW, SUBJECT, MovingClock, error_of, signing_key

from jotgate import Issuer
from jotgate.errors import StoreUnavailableError
from jotgate.sessions.secrets import FixedSecrets
from jotgate.stores.memory import MemoryEpochs, MemoryStore
from jotgate.stores.protocol import RefreshTokens
from jotgate.stores.rules import NEVER, Rule

pytestmark = pytest.mark.usefixtures("clock")
DAY = 86_400


def test_the_current_token(clock: MovingClock) -> None:
    sessions: RefreshTokens = manager()
    first = started(sessions, client_id="app", scope="read write")
    clock.advance(100.5)
    second = sessions.refresh(first.refresh)
    told = {"sid": first.session, "iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "client_id": "app"}
    told |= {"scope": "read write", "iat": NOW + 100, "exp": NOW + 100 + 7 * DAY}
    assert sessions.describe(second.refresh) == told
    clock.advance(7 * DAY - 1)
    assert sessions.describe(second.refresh) == told, "it is not used by this"
    assert sessions.refresh(second.refresh)


def test_what_there_is_not_is_not_told() -> None:
    sessions = manager()
    described = sessions.describe(sessions.start(SUBJECT, [AUDIENCE, "other"]).refresh)
    assert described is not None
    assert described.keys() == {"sid", "iss", "sub", "aud", "exp", "iat"}
    assert described["aud"] == [AUDIENCE, "other"]


@pytest.mark.parametrize("grace", [30, 0.25, 300])
def test_the_previous_token_as_long_as_it_works(grace: float, clock: MovingClock) -> None:
    sessions = manager(grace=grace, idle_lifetime=301)
    first = started(sessions)
    clock.advance(10)
    second = sessions.refresh(first.refresh)
    clock.advance(grace - 0.001)
    described = sessions.describe(first.refresh)
    assert described is not None
    assert "iat" not in described
    assert clock.now < described["exp"] <= NOW + 10 + grace + 1
    clock.advance(0.001)
    assert sessions.describe(first.refresh) is None
    assert sessions.refresh(second.refresh), "asking about a token that is used up ends nothing"


def test_a_text_that_no_secret_vouches_for_costs_no_question() -> None:
    sessions = manager(Untouched())
    for text in (
        "", "x", "a.b.c", forged(SESSION, 0, version=7), forged(SESSION, 0, secret=OLD_SECRET), forged(SESSION, 0)[:-1],
        forged(SESSION, 0) + "A", None, 7,
    ):  # fmt: skip
        assert sessions.describe(text) is None  # type: ignore[arg-type]
    assert sessions.stats()["refused"] == 0, "nobody has tried to refresh"


def test_what_would_not_work_now(clock: MovingClock) -> None:
    store = MemoryStore()
    sessions = manager(store, idle_lifetime=DAY, absolute_lifetime=DAY + 100)
    first = started(sessions)
    second = sessions.refresh(sessions.refresh(first.refresh).refresh)
    other = manager(store, of=Issuer("https://other.example.com", signing_key("Ed25519")))
    assert sessions.describe(forged(SESSION, 0)) is None, "the store does not know it"
    assert other.describe(second.refresh) is None, "another issuer's"
    assert sessions.describe(first.refresh) is None, "used up"
    assert sessions.describe(forged(first.session, 9)) is None, "not made yet"
    both = FixedSecrets({1: SECRET, 2: OLD_SECRET})
    assert manager(store, secrets=both).describe(forged(first.session, 2, version=2, secret=OLD_SECRET)) is None
    assert sessions.describe(second.refresh), "and none of this has ended the session"
    clock.advance(DAY)
    assert sessions.describe(second.refresh) is None, "idle for too long"
    anew = sessions.refresh(started(sessions).refresh)
    clock.advance(DAY - 1)
    anew = sessions.refresh(anew.refresh)
    clock.advance(101)
    assert sessions.describe(anew.refresh) is None, "too old"
    assert sid_rule(store, anew.session) is None


OBJECTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "session_revoked": lambda world, tokens: world.store.write([Rule("sid", ISSUER, tokens.session, NEVER, NEVER)]),
    "subject_revoked": lambda world, tokens: world.store.write([Rule("sub", "", SUBJECT, NOW + 6, NEVER)]),
    "old_epoch": lambda world, tokens: world.epochs.advance(),
    "subject_disabled": lambda world, tokens: world.disabled.add(SUBJECT),
}


class World:
    def __init__(self) -> None:
        self.store, self.epochs = Stumbling(MemoryStore()), MemoryEpochs()
        self.disabled: set[str] = set()
        self.events: list[Any] = []
        self.sessions = manager(
            self.store,
            of=issuer(self.epochs),
            subject_status=lambda subject: subject not in self.disabled,
            on_event=self.events.append,
        )


@pytest.mark.parametrize("cause", OBJECTIONS)
def test_a_session_to_which_somebody_objects_is_over(cause: str, clock: MovingClock) -> None:
    """None is the whole truth: no access token of it lives on, and it does not come back with its subject."""
    world = World()
    tokens = started(world.sessions)
    clock.advance(5)
    OBJECTIONS[cause](world, tokens)
    assert world.sessions.describe(tokens.refresh) is None
    assert (world.events[-1].kind, world.events[-1].cause) == ("ended", cause)
    assert sid_rule(world.store, tokens.session) is not None
    world.disabled.clear()
    assert error_of(lambda: world.sessions.refresh(tokens.refresh)).cause == "ended"


def test_a_log_out_that_broke_off_is_completed() -> None:
    world = World()
    tokens = started(world.sessions)
    world.store.arm(3)  # read, swap, now, and then the rule
    assert error_of(lambda: world.sessions.end(tokens.session)).code == "store_unavailable"
    assert world.store.calls[3] == "write"
    world.store.arm(None)
    assert sid_rule(world.store, tokens.session) is None
    assert world.sessions.describe(tokens.refresh) is None
    assert sid_rule(world.store, tokens.session) is not None


def test_who_cannot_be_asked_is_not_answered_for() -> None:
    def fails(subject: str) -> bool:
        raise OSError

    store = MemoryStore()
    tokens = started(manager(store))
    stumbling = Stumbling(store)
    for sessions in (manager(Down()), manager(store, subject_status=fails), manager(stumbling)):
        stumbling.arm(1)  # the record was read, the rules are not
        error = error_of(lambda sessions=sessions: sessions.describe(tokens.refresh))
        assert (type(error), error.code) == (StoreUnavailableError, "store_unavailable")
    assert manager(store).describe(tokens.refresh)


def test_any_genuine_token_has_its_session(clock: MovingClock) -> None:
    sessions = manager()
    first = started(sessions, client_id="app")
    newest = sessions.refresh(sessions.refresh(first.refresh).refresh)
    clock.advance(1000)
    for text in (first.refresh, newest.refresh):
        assert sessions.session_of(text) == {"sid": first.session, "client_id": "app"}
    assert sessions.describe(newest.refresh), "asking ended nothing"
    other = started(sessions)
    assert sessions.session_of(other.refresh) == {"sid": other.session}
    for text in ("", "x", first.access, forged(first.session, 1, secret=b"x" * 32)):
        assert sessions.session_of(text) is None
    assert sessions.session_of(forged(SESSION, 0)) is None, "the store does not know it"
