"""Group K, sessions: refresh tokens that race, are replayed, outlive a log-out or a user, or leak."""

import inspect
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from services.session_race import race, race_without_grace
from session_world import SESSION, Stumbling, Untouched, forged, manager, sid_rule, started
from support import ISSUER, SUBJECT, MovingClock, error_of, moving_clock

from jotgate import SessionManager
from jotgate.errors import RefreshError, StoreUnavailableError
from jotgate.sessions import cookies, endpoint, origin
from jotgate.sessions.cookies import RefreshCookie
from jotgate.sessions.endpoint import SessionEndpoint
from jotgate.sessions.origin import RequestGuard
from jotgate.sessions.secrets import FixedSecrets, SessionSecrets
from jotgate.stores.memory import MemoryStore
from jotgate.stores.rules import NEVER, Rule
from jotgate.stores.sqlite import SqliteStore

APP = "https://app.example.com"
HEADERS = [("Origin", APP), ("Content-Type", "application/json")]


@pytest.fixture
def clock() -> Any:
    with moving_clock() as clock:
        yield clock


def refused(sessions: SessionManager, token: Any) -> str | None:
    error = error_of(lambda: sessions.refresh(token))
    assert type(error) is RefreshError
    assert error.code == "invalid_grant"
    return error.cause


def routes(sessions: SessionManager) -> SessionEndpoint:
    return SessionEndpoint(sessions, RefreshCookie(), RequestGuard([APP]))


def test_k1_refreshes_at_once_have_one_successor(tmp_path: Path) -> None:
    for store in (MemoryStore(), SqliteStore(tmp_path / "sessions.db", timeout=30)):
        race(store, 3)
        race_without_grace(store, 2)
        store.close()


def test_k1_check_and_update_are_one_step(clock: MovingClock) -> None:
    """Another process refreshes between the look and the step of this one."""
    store = Stumbling(MemoryStore())
    here, there = manager(store), manager(store.store)
    tokens = started(here)
    real = store.store.swap
    seen: list[str] = []

    def swap(*arguments: Any) -> bool:
        if not seen:
            seen.append("")
            seen[0] = there.refresh(tokens.refresh).refresh
        return real(*arguments)

    object.__setattr__(store, "swap", swap)
    assert here.refresh(tokens.refresh).refresh == seen[0] == forged(tokens.session, 1)
    assert here.stats()["rotated"] == 0
    assert here.stats()["benign_reuse"] == 1


def test_k2_a_restart_forgets_no_rotation(tmp_path: Path, clock: MovingClock) -> None:
    path = tmp_path / "sessions.db"
    store = SqliteStore(path)
    secrets = SessionSecrets(tmp_path / "secrets", create=True)
    first = started(manager(store, secrets=secrets))
    second = manager(store, secrets=secrets).refresh(first.refresh)
    store.close()
    store = SqliteStore(path)
    sessions = manager(store, secrets=SessionSecrets(tmp_path / "secrets"))
    clock.advance(30)
    assert refused(sessions, first.refresh) == "recent"
    assert refused(sessions, second.refresh) == "ended"
    store.close()


def test_k2_state_that_was_lost_ends_the_session(clock: MovingClock) -> None:
    """A replica takes over that has not seen the last rotation."""
    store = MemoryStore()
    sessions = manager(store)
    first = started(sessions)
    before = store.read(f"family/{first.session}")
    second = sessions.refresh(first.refresh)
    after = store.read(f"family/{first.session}")
    assert before is not None
    assert store.swap(f"family/{first.session}", after, before, NEVER)
    assert refused(sessions, second.refresh) == "state_lost"
    assert refused(sessions, first.refresh) == "ended"


def test_k2_a_crash_between_two_steps_lets_no_replay_through(clock: MovingClock) -> None:
    store = Stumbling(MemoryStore())
    sessions = manager(store)
    first = started(sessions)
    third = sessions.refresh(sessions.refresh(first.refresh).refresh)
    for step in range(6):
        store.arm(step, after=True)
        error = error_of(lambda: sessions.refresh(first.refresh))
        assert isinstance(error, RefreshError | StoreUnavailableError)
    store.arm(None)
    assert refused(sessions, third.refresh) == "ended"
    assert sid_rule(store, first.session) is not None


def test_k4_who_was_taken_back_gets_no_new_token(clock: MovingClock) -> None:
    ways = {
        "session_revoked": lambda store, tokens, sessions: store.write(
            [Rule("sid", ISSUER, tokens.session, NEVER, NEVER)]
        ),
        "subject_revoked": lambda store, tokens, sessions: store.write(
            [Rule("sub", "", SUBJECT, int(clock.now) + 1, NEVER)]
        ),
        "ended": lambda store, tokens, sessions: sessions.end(tokens.session),
    }
    for cause, take_back in ways.items():
        store = MemoryStore()
        sessions = manager(store)
        tokens = started(sessions)
        clock.advance(5)
        take_back(store, tokens, sessions)
        assert refused(sessions, tokens.refresh) == cause
        clock.advance(3600)
        assert refused(sessions, tokens.refresh) == "ended"


def test_k4_ending_all_sessions_while_one_is_refreshed(clock: MovingClock) -> None:
    """The rule is written between the look at the rules and the step: the token that comes out is from before it."""
    store = Stumbling(MemoryStore())
    sessions, other = manager(store), manager(store.store)
    tokens = started(sessions)
    real = store.store.rules

    def rules(keys: Any) -> Any:
        found = real(keys)
        clock.advance(1)
        if not ended:
            ended.append(other.end_all(SUBJECT))
        return found

    ended: list[int] = []
    object.__setattr__(store, "rules", rules)
    assert refused(sessions, tokens.refresh) == "ended"
    assert ended == [1]


def test_k5_a_lost_answer_is_the_same_answer_again(clock: MovingClock) -> None:
    sessions = manager()
    tokens = started(sessions)
    for _ in range(50):
        successor = sessions.refresh(tokens.refresh)
        for _ in range(5):
            clock.advance(5)
            assert sessions.refresh(tokens.refresh).refresh == successor.refresh
        tokens = successor
    assert sessions.stats()["replay"] == {"recent": 0, "stale_lineage": 0, "state_lost": 0}
    previous, tokens = tokens, sessions.refresh(tokens.refresh)
    clock.advance(30)
    assert refused(sessions, previous.refresh) == "recent"
    assert refused(sessions, tokens.refresh) == "ended"


def test_k5_an_outage_between_answer_and_retry_logs_nobody_out(clock: MovingClock) -> None:
    store = Stumbling(MemoryStore())
    sessions = manager(store)
    tokens = started(sessions)
    for step in range(2):  # reading the session, reading the rules
        store.arm(step)
        assert error_of(lambda: sessions.refresh(tokens.refresh)).code == "store_unavailable"
        clock.advance(3600)
    store.arm(None)
    assert sessions.refresh(tokens.refresh)


def test_k6_a_log_out_takes_the_access_tokens_back(clock: MovingClock) -> None:
    """The rule is in the store when the log-out returns; verifiers with ``revocations`` read it from there."""
    store = MemoryStore()
    sessions = manager(store)
    tokens = started(sessions)
    answer = routes(sessions).log_out("POST", [*HEADERS, ("Cookie", f"__Host-refresh={tokens.refresh}")])
    assert answer.status == 204
    rule = sid_rule(store, tokens.session)
    assert rule is not None
    assert rule.value == NEVER
    assert rule.until >= clock.now + 900
    assert refused(sessions, tokens.refresh) == "ended"


def test_k7_no_token_comes_out_of_an_address() -> None:
    """There is no way to hand in an address, and nothing but the cookie is read."""
    for route in (SessionEndpoint.refresh, SessionEndpoint.log_out):
        assert list(inspect.signature(route).parameters) == ["self", "method", "headers"]
    token = forged(SESSION, 0)
    for headers in (
        [(":path", f"/refresh?refresh_token={token}"), ("Referer", f"{APP}/?refresh_token={token}")],
        [("Authorization", f"Bearer {token}"), ("X-Original-URI", f"/?token={token}"), ("refresh_token", token)],
    ):
        answer = routes(manager(Untouched())).refresh("POST", [*HEADERS, *headers])
        assert (answer.status, answer.body) == (401, b'{"error":"invalid_grant"}')
    for module in (cookies, endpoint, origin):
        assert "query" not in inspect.getsource(module).replace("no query", "")


def test_k9_refusals_are_the_same_for_everybody(clock: MovingClock) -> None:
    store = MemoryStore()
    sessions = manager(store, subject_status=lambda subject: subject != "disabled")
    ended = started(sessions)
    sessions.end(ended.session)
    disabled = started(manager(store), "disabled")
    replayed = started(sessions)
    sessions.refresh(sessions.refresh(replayed.refresh).refresh)
    texts = (
        "", "x", forged(SESSION, 0), forged(SESSION, 0, version=7), ended.refresh, disabled.refresh, replayed.refresh,
    )  # fmt: skip
    shown, causes = set(), set()
    for text in texts:
        error = error_of(lambda text=text: sessions.refresh(text))
        causes.add(error.cause)
        shown.add((type(error), str(error), repr(error), error.code, error.claim, error.www_authenticate()))
    assert len(shown) == 1
    assert causes == {
        "malformed", "unknown_session", "unknown_version", "ended", "subject_disabled", "stale_lineage",
    }  # fmt: skip


def test_k8_sessions_show_no_token(clock: MovingClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    events: list[Any] = []
    store = Stumbling(MemoryStore())
    sessions = manager(store, on_event=events.append)
    first = started(sessions)
    second = sessions.refresh(first.refresh)
    shown = [repr(first), repr(second), repr(sessions)]
    store.arm(0)
    for text in (first.refresh, first.refresh[:-1] + "_", first.refresh, second.refresh, forged(first.session, 9)):
        error = error_of(lambda text=text: sessions.refresh(text))
        shown += [str(error), repr(error), repr(error.args)]
        clock.advance(31)
    everything = "\n".join([*shown, repr(events), caplog.text, json.dumps(sessions.stats())])
    for tokens in (first, second):
        assert tokens.access not in everything
        assert tokens.refresh.rpartition(".")[2] not in everything
    assert SUBJECT not in everything


def test_k10_there_is_no_secret_by_default() -> None:
    parameter = inspect.signature(SessionManager).parameters["secrets"]
    assert parameter.default is inspect.Parameter.empty
    assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
    for short in (b"secret", b"x" * 31):
        assert error_of(lambda short=short: FixedSecrets({1: short})).code == "invalid_key"


def test_k11_who_is_not_active_is_not_refreshed(clock: MovingClock) -> None:
    active = {SUBJECT}
    sessions = manager(subject_status=active.__contains__)
    tokens = sessions.refresh(started(sessions).refresh)
    active.clear()
    assert refused(sessions, tokens.refresh) == "subject_disabled"
    assert error_of(lambda: started(sessions)).code == "invalid_grant"
    active.add(SUBJECT)
    assert refused(sessions, tokens.refresh) == "ended", "once refused, the subject signs in again"


def test_k12_session_secrets_are_private(tmp_path: Path) -> None:
    SessionSecrets(tmp_path / "secrets", create=True).rotate()
    for path in (tmp_path / "secrets").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o644)
    assert error_of(lambda: SessionSecrets(tmp_path / "secrets")).code == "invalid_key"
