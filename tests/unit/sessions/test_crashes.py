"""A session whose process, or whose store, fails between any two steps: no fork, no replay, nothing half ended."""

from collections.abc import Callable
from typing import Any

import pytest
from session_world import Stumbling, forged, manager, refreshed_twice, sid_rule, started
from support import ISSUER, SUBJECT, MovingClock, outcome

from jotgate.errors import JotgateError, RefreshError, StoreUnavailableError
from jotgate.stores.memory import MemoryStore
from jotgate.stores.rules import RuleKey

pytestmark = pytest.mark.usefixtures("clock")


class Crash(BaseException):
    """The process ends here: no handler of errors runs."""


FAILURES: list[Callable[[], BaseException]] = [lambda: StoreUnavailableError("the store fails here"), Crash]


def tried(sessions: Any, token: str) -> JotgateError | None:
    return outcome(lambda: sessions.refresh(token))


def refused(sessions: Any, token: str) -> RefreshError:
    error = tried(sessions, token)
    assert isinstance(error, RefreshError)
    return error


def each_step(prepare: Callable[[Any], Any], act: Callable[[Any, Any], Any]) -> Any:
    """Yield a world for every way in which a call of the store fails: before or after, by an error or a crash."""
    probe = Stumbling(MemoryStore())
    sessions = manager(probe)
    prepared = prepare(sessions)
    probe.arm(None)
    act(sessions, prepared)
    steps = len(probe.calls)
    assert steps >= 2
    for failure in FAILURES:
        for after in (False, True):
            for step in range(steps):
                store = Stumbling(MemoryStore())
                sessions = manager(store)
                prepared = prepare(sessions)
                store.failure = failure
                store.arm(step, after=after)
                with pytest.raises((StoreUnavailableError, Crash)):
                    act(sessions, prepared)
                store.arm(None)
                yield sessions, prepared, store


def test_start(clock: MovingClock) -> None:
    """A log-in that failed leaves nothing that anybody could refresh, and can be repeated."""
    for sessions, _, store in each_step(lambda _: None, lambda sessions, _: started(sessions)):
        assert len(sessions.sessions(SUBJECT)) <= 1
        tokens = started(sessions)
        assert sessions.refresh(tokens.refresh).session == tokens.session
        # Whatever there is of the one that failed, ending all ends it.
        sessions.end_all(SUBJECT)
        assert sessions.sessions(SUBJECT) == []
        for name in store.store._records:
            assert refused(sessions, forged(name.removeprefix("family/"), 0))


def test_refresh(clock: MovingClock) -> None:
    """An honest client tries again and gets the one successor there is; whoever replays later is refused."""
    for sessions, tokens, _ in each_step(started, lambda sessions, tokens: sessions.refresh(tokens.refresh)):
        clock.advance(29)
        second = sessions.refresh(tokens.refresh)
        assert second.refresh == forged(tokens.session, 1)
        third = sessions.refresh(second.refresh)
        assert third.refresh == forged(tokens.session, 2)
        assert refused(sessions, tokens.refresh).cause == "stale_lineage"
        assert refused(sessions, third.refresh).cause == "ended"


def test_reuse(clock: MovingClock) -> None:
    """A replay whose handling failed is handled again, by the replay or by the honest client."""

    def replay(sessions: Any, tokens: list[Any]) -> None:
        error = tried(sessions, tokens[0].refresh)
        assert error is not None
        if not isinstance(error, RefreshError):
            raise error

    for sessions, tokens, store in each_step(refreshed_twice, replay):
        assert refused(sessions, tokens[0].refresh)
        assert refused(sessions, tokens[2].refresh).cause == "ended"
        assert sid_rule(store, tokens[0].session) is not None
    for sessions, tokens, store in each_step(refreshed_twice, replay):
        # The honest client comes first. If nothing was written yet, the session goes on until the next replay.
        if tried(sessions, tokens[2].refresh) is None:
            assert refused(sessions, tokens[0].refresh)
        assert sid_rule(store, tokens[0].session) is not None
        assert refused(sessions, tokens[2].refresh).cause == "ended"
        assert sessions.sessions(SUBJECT) == []


@pytest.mark.parametrize("touch", ["end", "log_out", "refresh", "end_all", "sessions"])
def test_end(touch: str, clock: MovingClock) -> None:
    """A log-out that failed half-way is completed by whoever touches the session next."""
    ends = {
        "end": lambda sessions, tokens: sessions.end(tokens.session),
        "log_out": lambda sessions, tokens: sessions.log_out(tokens.refresh),
        "refresh": lambda sessions, tokens: tried(sessions, tokens.refresh),
        "end_all": lambda sessions, tokens: sessions.end_all(SUBJECT),
        "sessions": lambda sessions, tokens: sessions.sessions(SUBJECT),
    }
    for sessions, tokens, store in each_step(started, lambda sessions, tokens: sessions.end(tokens.session)):
        was_written = b'"cause":null' not in store.store.read(f"family/{tokens.session}")
        ends[touch](sessions, tokens)
        if was_written or touch in ("end", "log_out", "end_all"):
            assert sid_rule(store, tokens.session) is not None
            assert refused(sessions, tokens.refresh).cause == "ended"
        sessions.end(tokens.session)
        assert sid_rule(store, tokens.session) is not None
        assert sessions.sessions(SUBJECT) == []


def test_end_all(clock: MovingClock) -> None:
    def three(sessions: Any) -> list[Any]:
        return [started(sessions) for _ in range(3)]

    for sessions, tokens, store in each_step(three, lambda sessions, _: sessions.end_all(SUBJECT)):
        rule = store.rules([RuleKey("sub", ISSUER, SUBJECT)])[0]
        if rule is not None:
            # The first step counts for all of them at once.
            assert refused(sessions, tokens[2].refresh)
        sessions.end_all(SUBJECT)
        for each in tokens:
            assert refused(sessions, each.refresh)
            assert sid_rule(store, each.session) is not None
        assert sessions.sessions(SUBJECT) == []


def test_what_was_announced_is_not_written_again(clock: MovingClock) -> None:
    store = Stumbling(MemoryStore())
    sessions = manager(store)
    tokens = started(sessions)
    sessions.end(tokens.session)
    store.arm(None)
    assert refused(sessions, tokens.refresh).cause == "ended"
    assert store.calls == ["read"]
