"""Sessions from log-in to log-out, on a stopped clock."""

import logging
from typing import Any

import pytest
from session_world import (
    OLD_SECRET,
    SECRET,
    SESSION,
    Down,
    Stumbling,
    Untouched,
    at_once,
    forged,
    issuer,
    manager,
    sid_rule,
    started,
    verified,
)
from support import AUDIENCE, ISSUER, NOW, SUBJECT, MovingClock, error_of, policy, rejects, signing_key

from jotgate import Issuer, SessionManager, unverified
from jotgate.errors import RefreshError, StoreUnavailableError, UndecidedError
from jotgate.sessions.answers import Tokens
from jotgate.sessions.events import SessionEvent
from jotgate.sessions.families import Families
from jotgate.sessions.secrets import FixedSecrets
from jotgate.stores.memory import MemoryEpochs, MemoryStore
from jotgate.stores.rules import NEVER, Rule, RuleKey

pytestmark = pytest.mark.usefixtures("clock")
DAY = 86_400


def refused(sessions: SessionManager, token: Any, cause: str) -> RefreshError:
    error = error_of(lambda: sessions.refresh(token))
    assert type(error) is RefreshError
    assert (error.code, error.cause) == ("invalid_grant", cause)
    assert error.http_status == 401
    assert error.args == (*refused.uniform, cause)  # type: ignore[attr-defined]
    return error


refused.uniform = (  # type: ignore[attr-defined]
    "the refresh token is not valid, or no longer: sign in again",
    "invalid_grant",
    None,
)


def test_a_session_starts() -> None:
    sessions = manager(access_lifetime=600)
    tokens = sessions.start(SUBJECT, AUDIENCE, {"roles": ["a"]}, client_id="app", scope="read write")
    token = verified(tokens.access)
    assert token.subject == SUBJECT
    assert token["sid"] == tokens.session == tokens.refresh.split(".")[1]
    assert (token["roles"], token["scope"], token["client_id"]) == (("a",), "read write", "app")
    assert token.issued_at == NOW
    assert token.expires_at == NOW + tokens.expires_in
    assert tokens.refresh_expires_in == 7 * DAY
    assert tokens.refresh.split(".")[2] == "0"


def test_a_refresh_rotates() -> None:
    sessions = manager()
    first = sessions.start(SUBJECT, [AUDIENCE, "other"], {"x": 1}, client_id="app", scope="a b")
    second = sessions.refresh(first.refresh)
    third = sessions.refresh(second.refresh)
    assert [tokens.refresh.split(".")[2] for tokens in (first, second, third)] == ["0", "1", "2"]
    assert first.session == second.session == third.session
    token = verified(third.access)
    assert (token.subject, token.audience, token["x"], token["client_id"], token["scope"], token["sid"]) == (
        SUBJECT, (AUDIENCE, "other"), 1, "app", "a b", first.session,
    )  # fmt: skip
    assert verified(first.access).token_id != token.token_id


def test_access_tokens_live_up_to_a_twentieth_shorter() -> None:
    sessions = manager(access_lifetime=600)
    lifetimes = {started(sessions).expires_in for _ in range(200)}
    assert min(lifetimes) >= 570
    assert max(lifetimes) <= 600
    assert len(lifetimes) > 10


def test_a_lost_answer_is_given_again(clock: MovingClock) -> None:
    sessions = manager(grace=30)
    first = started(sessions)
    second = sessions.refresh(first.refresh)
    clock.advance(29.9)
    again = sessions.refresh(first.refresh)
    assert again.refresh == second.refresh
    assert again.session == second.session
    assert verified(again.access).token_id != verified(second.access).token_id
    assert verified(again.access).issued_at == NOW + 29
    assert again.refresh_expires_in == 7 * DAY - 29
    assert sessions.stats()["benign_reuse"] == 1
    sessions.refresh(second.refresh)


def test_after_the_grace_the_previous_token_ends_the_session(
    clock: MovingClock, caplog: pytest.LogCaptureFixture
) -> None:
    store, events = MemoryStore(), []
    sessions = manager(store, on_event=events.append)
    first = started(sessions)
    second = sessions.refresh(first.refresh)
    clock.advance(30)
    with caplog.at_level(logging.WARNING, "jotgate.sessions"):
        refused(sessions, first.refresh, "recent")
    refused(sessions, second.refresh, "ended")
    refused(sessions, first.refresh, "ended")
    assert sid_rule(store, first.session) == Rule("sid", ISSUER, first.session, NEVER, NOW + 31 + 900 + 600)
    assert sessions.stats()["replay"] == {"recent": 1, "stale_lineage": 0, "state_lost": 0}
    assert sessions.stats()["refused"] == 2
    assert [(event.kind, event.cause) for event in events[-3:]] == [
        ("replay", "recent"),
        ("refused", "ended"),
        ("refused", "ended"),
    ]
    assert events[-3].session == first.session
    assert events[-3].subject == SUBJECT
    assert first.session in caplog.text
    assert "recent" in caplog.text
    for secret in (first.refresh, second.refresh, first.access, SUBJECT):
        assert secret not in caplog.text


def test_an_older_token_ends_the_session_within_the_grace() -> None:
    sessions = manager()
    first = started(sessions)
    last = sessions.refresh(sessions.refresh(first.refresh).refresh)
    refused(sessions, first.refresh, "stale_lineage")
    refused(sessions, last.refresh, "ended")


def test_a_token_from_above_means_that_the_store_lost_something() -> None:
    sessions = manager()
    first = started(sessions)
    refused(sessions, forged(first.session, 1), "state_lost")
    refused(sessions, first.refresh, "ended")


def test_without_grace_every_token_counts_once() -> None:
    sessions = manager(grace=0)
    first = started(sessions)
    sessions.refresh(first.refresh)
    refused(sessions, first.refresh, "recent")


@pytest.mark.parametrize(
    "text", ["", "a.b.c.d", None, 7, b"", forged(SESSION, 0)[:-1] + "_", forged(SESSION, 0, version=2)]
)
def test_what_nothing_vouches_for_is_refused_without_io(text: Any) -> None:
    sessions = manager(Untouched())
    error = error_of(lambda: sessions.refresh(text))
    assert type(error) is RefreshError
    assert error.code == "invalid_grant"
    assert error.cause in ("malformed", "bad_mac", "unknown_version")
    assert error.args == (*refused.uniform, error.cause)  # type: ignore[attr-defined]
    assert sessions.stats()["refused"] == 1
    for ask in (sessions.identify, sessions.log_out):
        assert type(error_of(lambda ask=ask: ask(text))) is RefreshError


def test_a_forged_token_changes_nothing() -> None:
    sessions = manager()
    first = started(sessions)
    version, session, _, mac = first.refresh.split(".")
    for counter in range(1, 5):
        refused(sessions, f"{version}.{session}.{counter}.{mac}", "bad_mac")
    assert sessions.refresh(first.refresh)


def test_a_session_that_is_not_known() -> None:
    refused(manager(), forged(SESSION, 0), "unknown_session")
    assert error_of(lambda: manager().identify(forged(SESSION, 0))).cause == "unknown_session"


def test_another_issuers_session_is_not_known() -> None:
    store = MemoryStore()
    tokens = started(manager(store))
    other = manager(store, of=Issuer("https://other.example.com", signing_key("Ed25519")))
    refused(other, tokens.refresh, "unknown_session")
    assert not other.end(tokens.session)
    assert other.sessions(SUBJECT) == []
    assert manager(store).refresh(tokens.refresh)


def test_a_session_is_over_when_idle(clock: MovingClock) -> None:
    sessions = manager(idle_lifetime=DAY)
    tokens = started(sessions)
    for _ in range(3):
        clock.advance(DAY - 1)
        tokens = sessions.refresh(tokens.refresh)
        assert tokens.refresh_expires_in == DAY
    clock.advance(DAY)
    refused(sessions, tokens.refresh, "idle_expired")
    assert sessions.stats()["expired"] == 1
    assert sessions.stats()["refused"] == 0


def test_no_refresh_extends_the_absolute_lifetime(clock: MovingClock) -> None:
    sessions = manager(idle_lifetime=DAY, absolute_lifetime=3 * DAY)
    tokens = started(sessions)
    for _ in range(5):
        clock.advance(DAY // 2)
        tokens = sessions.refresh(tokens.refresh)
    assert tokens.refresh_expires_in == DAY // 2
    clock.advance(DAY // 2 - 100)
    tokens = sessions.refresh(tokens.refresh)
    assert tokens.refresh_expires_in == tokens.expires_in == 100, "the access token does not outlive it either"
    clock.advance(99)
    tokens = sessions.refresh(tokens.refresh)
    assert tokens.expires_in == 1
    clock.advance(1)
    refused(sessions, tokens.refresh, "expired")
    clock.advance(2000)
    refused(sessions, tokens.refresh, "unknown_session")


def test_ending_a_session(clock: MovingClock) -> None:
    store, events = MemoryStore(), []
    sessions = manager(store, on_event=events.append)
    tokens = started(sessions)
    clock.advance(0.5)
    assert sessions.end(tokens.session) is True
    assert sid_rule(store, tokens.session) == Rule("sid", ISSUER, tokens.session, NEVER, NOW + 1 + 1500)
    refused(sessions, tokens.refresh, "ended")
    assert sessions.end(tokens.session) is False
    assert sessions.sessions(SUBJECT) == []
    assert [event.kind for event in events] == ["started", "ended", "refused"]
    assert events[1].cause == "log_out"
    assert sessions.stats()["ended"] == 1


def test_logging_out_with_any_token_of_the_session() -> None:
    sessions = manager()
    first = started(sessions)
    second = sessions.refresh(sessions.refresh(first.refresh).refresh)
    assert sessions.log_out(first.refresh) is True
    refused(sessions, second.refresh, "ended")
    assert sessions.log_out(second.refresh) is False


def test_ending_what_the_store_has_lost_takes_its_access_tokens_back() -> None:
    store = MemoryStore()
    sessions = manager(store)
    assert sessions.log_out(forged(SESSION, 3)) is False
    assert sid_rule(store, SESSION) == Rule("sid", ISSUER, SESSION, NEVER, NOW + 1 + 1500)


@pytest.mark.parametrize("session", ["", "x", None, 7, SESSION + "A", SESSION[:-1] + "=", forged(SESSION, 0)])
def test_only_a_session_is_ended(session: Any) -> None:
    rejects("invalid_policy", lambda: manager(Untouched()).end(session))


def test_ending_all_sessions_of_a_subject(clock: MovingClock) -> None:
    store = MemoryStore()
    sessions = manager(store)
    mine = [started(sessions) for _ in range(3)]
    other = started(sessions, "somebody else")
    sessions.end(mine[0].session)
    assert sessions.end_all(SUBJECT) == 2
    rule = store.rules([RuleKey("sub", ISSUER, SUBJECT)])[0]
    assert rule == Rule("sub", ISSUER, SUBJECT, NOW + 1, NOW + 1 + 30 * DAY + 900 + 600)
    assert sessions.end_all(SUBJECT) == 0
    for tokens in mine:
        refused(sessions, tokens.refresh, "ended")
    assert sessions.refresh(other.refresh)


def test_who_begins_anew_in_the_same_second_is_not_taken_back() -> None:
    """Dates have whole seconds: a rule of this second refuses iat below the next one."""
    store = MemoryStore()
    sessions = manager(store)
    old = started(sessions)
    sessions.end_all(SUBJECT)
    tokens = started(sessions)
    assert unverified.peek(tokens.access).claims["iat"] == NOW + 1
    assert sessions.sessions(SUBJECT)[0].started == NOW + 1
    tokens = sessions.refresh(tokens.refresh)
    assert unverified.peek(tokens.access).claims["iat"] == NOW + 1
    refused(sessions, old.refresh, "ended")


def test_who_began_anew_in_the_same_second_is_taken_back_by_a_second_rule() -> None:
    store = MemoryStore()
    sessions = manager(store)
    sessions.end_all(SUBJECT)
    began = started(sessions)
    Families(store, ISSUER).take_back(SUBJECT)  # a rule alone, which knows no sessions
    refused(sessions, began.refresh, "subject_revoked")
    tokens = sessions.refresh(started(sessions).refresh)
    assert unverified.peek(tokens.access).claims["iat"] == NOW + 2


@pytest.mark.parametrize("of", [ISSUER, ""])
def test_a_rule_about_the_subject_ends_its_sessions(of: str, clock: MovingClock) -> None:
    store, events = MemoryStore(), []
    sessions = manager(store, on_event=events.append)
    tokens = started(sessions)
    clock.advance(10)
    store.write([Rule("sub", of, SUBJECT, NOW + 11, NOW + 100)])
    refused(sessions, tokens.refresh, "subject_revoked")
    refused(sessions, tokens.refresh, "ended")
    assert sid_rule(store, tokens.session) is not None
    assert [(event.kind, event.cause) for event in events[1:3]] == [
        ("ended", "subject_revoked"),
        ("refused", "subject_revoked"),
    ]
    assert started(sessions).refresh


def test_a_rule_of_another_issuer_says_nothing() -> None:
    store = MemoryStore()
    sessions = manager(store)
    tokens = started(sessions)
    store.write([Rule("sub", "other", SUBJECT, NOW + 99, NEVER), Rule("sid", "other", tokens.session, NEVER, NEVER)])
    assert sessions.refresh(tokens.refresh)


@pytest.mark.parametrize("of", [ISSUER, ""])
def test_a_rule_about_the_session_ends_it(of: str) -> None:
    store = MemoryStore()
    sessions = manager(store)
    tokens = started(sessions)
    store.write([Rule("sid", of, tokens.session, NOW + 1, NOW + 100)])
    refused(sessions, tokens.refresh, "session_revoked")
    refused(sessions, tokens.refresh, "ended")


def test_a_session_does_not_outlive_its_epoch() -> None:
    """After a compromise everybody signs in again."""
    epochs = MemoryEpochs()
    sessions = manager(of=issuer(epochs))
    tokens = started(sessions)
    epochs.advance()
    refused(sessions, tokens.refresh, "old_epoch")
    refused(sessions, tokens.refresh, "ended")
    fresh = started(sessions)
    assert unverified.peek(sessions.refresh(fresh.refresh).access).claims["epoch"] == 1


def test_the_subject_is_asked_about_each_time() -> None:
    asked, active = [], True

    def status(subject: str) -> bool:
        asked.append(subject)
        return active

    sessions = manager(subject_status=status)
    tokens = started(sessions)
    tokens = sessions.refresh(tokens.refresh)
    assert asked == [SUBJECT, SUBJECT]
    active = False
    refused(sessions, tokens.refresh, "subject_disabled")
    active = True
    refused(sessions, tokens.refresh, "ended")
    active = False
    error = error_of(lambda: started(sessions))
    assert (type(error), error.code, error.cause) == (RefreshError, "invalid_grant", "subject_disabled")
    assert sessions.sessions(SUBJECT) == []


@pytest.mark.parametrize("answer", [False, None, 1, "yes"])
def test_anything_but_true_is_no(answer: Any) -> None:
    assert error_of(lambda: started(manager(subject_status=lambda _: answer))).cause == "subject_disabled"


def test_a_status_that_cannot_be_had_uses_up_nothing(clock: MovingClock) -> None:
    broken: Exception | None = None

    def status(subject: str) -> bool:
        if broken is not None:
            raise broken
        return True

    sessions = manager(subject_status=status)
    tokens = started(sessions)
    for failure, kind in ((RuntimeError(SUBJECT), StoreUnavailableError), (UndecidedError("later"), UndecidedError)):
        broken = failure
        for _ in range(2):
            error = error_of(lambda: sessions.refresh(tokens.refresh))
            assert type(error) is kind
            assert error.http_status == 503
            assert SUBJECT not in str(error)
            clock.advance(3600)
    broken = None
    assert sessions.refresh(tokens.refresh).refresh == forged(tokens.session, 1)


class Signer:
    """A key in a KMS that can be down."""

    def __init__(self) -> None:
        self.key, self.down = signing_key("Ed25519", "kms"), False
        self.alg, self.kid = self.key.alg, self.key.kid

    def public_jwk(self) -> Any:
        return self.key.public().to_jwk()

    def sign(self, data: bytes) -> bytes:
        if self.down:
            raise OSError
        return self.key.sign(data)


def test_a_signer_that_is_down_uses_up_nothing(clock: MovingClock) -> None:
    signer = Signer()
    sessions = manager(of=Issuer(ISSUER, signer))
    tokens = started(sessions)
    signer.down = True
    for _ in range(3):
        assert error_of(lambda: sessions.refresh(tokens.refresh)).code == "undecided"
        clock.advance(600)
    signer.down = False
    assert sessions.refresh(tokens.refresh).refresh == forged(tokens.session, 1)


def test_a_store_that_is_down_refuses_nothing() -> None:
    sessions = manager(Down())
    tries = {
        "start": lambda: started(sessions), "refresh": lambda: sessions.refresh(forged(SESSION, 0)),
        "end": lambda: sessions.end(SESSION), "log_out": lambda: sessions.log_out(forged(SESSION, 0)),
        "end_all": lambda: sessions.end_all(SUBJECT), "sessions": lambda: sessions.sessions(SUBJECT),
        "identify": lambda: sessions.identify(forged(SESSION, 0)),
    }  # fmt: skip
    for run in tries.values():
        error = error_of(run)
        assert (type(error), error.code) == (StoreUnavailableError, "store_unavailable")


def test_secrets_rotate_under_sessions() -> None:
    store = MemoryStore()
    old = manager(store, secrets=FixedSecrets({1: OLD_SECRET}))
    both = manager(store, secrets=FixedSecrets({1: OLD_SECRET, 2: SECRET}))
    first = started(old)
    second = both.refresh(first.refresh)
    assert (first.refresh[:2], second.refresh[:2]) == ("1.", "2.")
    assert both.refresh(first.refresh).refresh == second.refresh
    assert both.refresh(second.refresh).refresh == forged(first.session, 2, version=2)
    refused(manager(store, secrets=FixedSecrets({1: OLD_SECRET})), second.refresh, "unknown_version")


def test_a_process_that_has_not_heard_of_a_new_secret_goes_on_with_the_old_one() -> None:
    store = MemoryStore()
    secrets = {1: OLD_SECRET, 2: SECRET}
    first, late = manager(store, secrets=FixedSecrets(secrets)), manager(store, secrets=Late(secrets))
    tokens = first.refresh(started(first).refresh)
    tokens = late.refresh(tokens.refresh)
    assert tokens.refresh.startswith("1.")
    assert first.refresh(tokens.refresh).refresh == forged(tokens.session, 3, version=2)


class Late:
    def __init__(self, secrets: dict[int, bytes]) -> None:
        self.secret = secrets.get
        self.current = lambda: (1, secrets[1])


def test_a_secret_that_leaked_does_not_forge_for_sessions_that_went_on() -> None:
    store = MemoryStore()
    sessions = manager(store, secrets=FixedSecrets({1: OLD_SECRET, 2: SECRET}))
    tokens = sessions.refresh(started(sessions).refresh)
    refused(sessions, forged(tokens.session, 1, version=1, secret=OLD_SECRET), "state_lost")


def test_a_successor_whose_secret_is_gone() -> None:
    store = MemoryStore()
    tokens = started(manager(store, secrets=FixedSecrets({1: OLD_SECRET})))
    manager(store, secrets=FixedSecrets({1: OLD_SECRET, 2: SECRET})).refresh(tokens.refresh)
    refused(manager(store, secrets=FixedSecrets({1: OLD_SECRET})), tokens.refresh, "unknown_version")


def test_less_may_be_asked_for_and_not_more() -> None:
    sessions = manager()
    tokens = sessions.start(SUBJECT, [AUDIENCE, "b"], scope="read write delete")
    for wanted in ({"scope": "read admin"}, {"scope": "read  write"}, {"scope": ""}, {"scope": "READ"}):
        assert error_of(lambda wanted=wanted: sessions.refresh(tokens.refresh, **wanted)).code == "invalid_scope"
    for wanted in ({"audience": "c"}, {"audience": [AUDIENCE, "c"]}, {"audience": []}, {"audience": ""}):
        assert error_of(lambda wanted=wanted: sessions.refresh(tokens.refresh, **wanted)).code == "invalid_target"
    less = sessions.refresh(tokens.refresh, scope="write read", audience=[AUDIENCE])
    assert (verified(less.access)["scope"], verified(less.access).audience) == ("write read", (AUDIENCE,))
    assert verified(sessions.refresh(less.refresh, audience=AUDIENCE).access)["scope"] == "read write delete"
    plain = started(sessions)
    assert error_of(lambda: sessions.refresh(plain.refresh, scope="read")).code == "invalid_scope"


@pytest.mark.parametrize("scope", ["", " a", "a ", "a  b", 'a"b', "a\\b", "é", "a\n", 7, ["a"]])
def test_a_scope_is_a_scope(scope: Any) -> None:
    rejects("invalid_policy", lambda: started(manager(Untouched()), scope=scope))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("", AUDIENCE), "invalid_policy"), ((None, AUDIENCE), "invalid_policy"), ((SUBJECT, ""), "invalid_policy"),
        ((SUBJECT, []), "invalid_policy"), ((SUBJECT, 7), "invalid_policy"), ((SUBJECT, b"a"), "invalid_policy"),
        ((SUBJECT, {"a": 1}), "invalid_policy"), ((SUBJECT, AUDIENCE, [1]), "invalid_policy"),
        ((SUBJECT, AUDIENCE, {"sid": "x"}), "invalid_policy"), ((SUBJECT, AUDIENCE, {"scope": "x"}), "invalid_policy"),
        ((SUBJECT, AUDIENCE, {"iss": "x"}), "invalid_policy"), ((SUBJECT, AUDIENCE, {"x": {1}}), "malformed"),
        ((SUBJECT, AUDIENCE, {"password": "x"}), "readable_claim"),
    ],
)  # fmt: skip
def test_what_cannot_be_issued_begins_no_session(arguments: tuple[Any, ...], code: str) -> None:
    store = MemoryStore()
    assert error_of(lambda: manager(store).start(*arguments)).code == code
    assert store._records == {}


def test_sessions_are_listed(clock: MovingClock) -> None:
    sessions = manager(idle_lifetime=DAY)
    idle = started(sessions)
    clock.advance(DAY - 10)
    one = sessions.start(SUBJECT, ["a", "b"], client_id="app", scope="x")
    clock.advance(5)
    two = started(sessions)
    clock.advance(5)
    one = sessions.refresh(one.refresh)
    found = sessions.sessions(SUBJECT)
    assert [info.session for info in found] == [one.session, two.session]
    assert idle.session not in [info.session for info in found]
    first = found[0]
    assert (first.subject, first.client_id, first.audience, first.scope) == (SUBJECT, "app", ("a", "b"), "x")
    assert (first.started, first.refreshed) == (NOW + DAY - 10, NOW + DAY)
    assert (first.expires_at, first.ends_at) == (NOW + 2 * DAY, NOW + DAY - 10 + 30 * DAY)
    assert found[1].audience == AUDIENCE
    assert sessions.sessions("nobody") == []
    assert sessions.identify(one.refresh) == first
    rejects("invalid_policy", lambda: sessions.sessions(""))
    rejects("invalid_policy", lambda: sessions.end_all(None))  # type: ignore[arg-type]


def test_identifying_changes_nothing(clock: MovingClock) -> None:
    store = Stumbling(MemoryStore())
    sessions = manager(store)
    first = started(sessions)
    second = sessions.refresh(first.refresh)
    third = sessions.refresh(second.refresh)
    store.arm(None)
    assert sessions.identify(second.refresh).session == first.session, "within the grace it would work"
    for token, cause in ((first.refresh, "stale_lineage"), (forged(first.session, 3), "state_lost")):
        assert error_of(lambda token=token: sessions.identify(token)).cause == cause
    clock.advance(30)
    assert error_of(lambda: sessions.identify(second.refresh)).cause == "recent"
    assert set(store.calls) == {"read"}
    sessions.refresh(third.refresh)
    sessions.end(first.session)
    assert error_of(lambda: sessions.identify(third.refresh)).cause == "ended"


def test_nothing_shows_a_token_or_whom_it_is_about() -> None:
    events: list[SessionEvent] = []
    sessions = manager(on_event=events.append)
    tokens = started(sessions)
    shown = f"{sessions!r}{tokens!r}{tokens}{sessions.sessions(SUBJECT)!r}{events!r}{sessions.stats()!r}"
    for secret in (tokens.access, tokens.refresh, tokens.refresh.rpartition(".")[2], SUBJECT):
        assert secret not in shown
    assert tokens.session in shown


def test_a_listener_that_fails_holds_nothing_up(caplog: pytest.LogCaptureFixture) -> None:
    def listener(event: SessionEvent) -> None:
        raise RuntimeError(SUBJECT)

    sessions = manager(on_event=listener)
    assert sessions.refresh(started(sessions).refresh)
    assert "on_event failed (RuntimeError)" in caplog.text
    assert SUBJECT not in caplog.text


@pytest.mark.parametrize(
    "options",
    [
        {"secrets": None}, {"secrets": SECRET}, {"secrets": {1: SECRET}}, {"grace": -1}, {"grace": 301},
        {"grace": True}, {"grace": "30"}, {"grace": float("nan")}, {"access_lifetime": 0}, {"access_lifetime": 901},
        {"access_lifetime": 600.0}, {"access_lifetime": True}, {"absolute_lifetime": 30 * DAY + 1},
        {"absolute_lifetime": 0}, {"idle_lifetime": 30}, {"idle_lifetime": 30 * DAY + 1},
        {"absolute_lifetime": DAY, "idle_lifetime": DAY + 1}, {"subject_status": 1}, {"on_event": "x"},
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused(options: dict[str, Any]) -> None:
    rejects("invalid_policy", lambda: manager(**options))


def test_it_stands_on_a_store_and_an_issuer() -> None:
    rejects("invalid_policy", lambda: manager(object()))
    rejects("invalid_policy", lambda: manager(of=signing_key("Ed25519")))  # type: ignore[arg-type]
    short = Issuer(ISSUER, signing_key("HS256"), policy=policy("HS256", max_lifetime=300))
    assert error_of(lambda: started(manager(of=short, access_lifetime=301))).code == "lifetime_too_long"
    assert started(manager(of=short, access_lifetime=300))
    with pytest.raises(TypeError):
        SessionManager(MemoryStore(), issuer())  # type: ignore[call-arg]


def test_the_smallest_and_the_largest_settings_work() -> None:
    assert started(manager(access_lifetime=1, idle_lifetime=1, absolute_lifetime=1, grace=0)).expires_in == 1
    widest = started(manager(access_lifetime=900, idle_lifetime=30 * DAY, absolute_lifetime=30 * DAY, grace=300))
    assert widest.refresh_expires_in == 30 * DAY


def test_a_session_that_changes_too_fast_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = manager()
    tokens = started(sessions)
    monkeypatch.setattr(Families, "put", lambda *_: False)
    for run in (lambda: sessions.refresh(tokens.refresh), lambda: sessions.end(tokens.session)):
        error = error_of(run)
        assert (type(error), error.code) == (StoreUnavailableError, "store_unavailable")


def test_an_id_that_is_taken_begins_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = manager()
    monkeypatch.setattr("jotgate.sessions.manager.urandom", lambda size: bytes(size))
    first = started(sessions)
    assert error_of(lambda: started(sessions)).code == "store_unavailable"
    assert sessions.refresh(first.refresh)


def test_a_clock_that_is_ahead_dates_no_session_after_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose clock is 100 s ahead begins a session; then another machine, by the store's clock, ends all."""
    store = MemoryStore()
    monkeypatch.setattr(MemoryStore, "now", lambda _: float(NOW - 100))
    ahead = manager(store)
    tokens = started(ahead)
    store.write([Rule("sub", ISSUER, SUBJECT, NOW - 100 + 1, NEVER)])
    refused(ahead, tokens.refresh, "subject_revoked")


def test_one_refresh_of_many_at_once_wins() -> None:
    sessions = manager()
    tokens = started(sessions)
    results = at_once([lambda: sessions.refresh(tokens.refresh)] * 16)
    assert {type(result) for result in results} == {Tokens}
    assert {result.refresh for result in results} == {forged(tokens.session, 1)}
    assert sessions.stats()["rotated"] == 1
    assert sessions.stats()["benign_reuse"] == 15


def test_a_child_of_a_fork_does_not_wait_for_its_parents_threads() -> None:
    sessions = manager()
    sessions._events._lock.acquire()  # as a thread of the parent held it
    sessions._forked()
    assert started(sessions)
    assert sessions.stats()["started"] == 1


def test_an_epoch_that_begins_while_a_session_is_refreshed_ends_it() -> None:
    epochs, store = MemoryEpochs(), MemoryStore()
    asked: list[str] = []

    def status(subject: str) -> bool:
        asked.append(subject)
        if len(asked) > 1:  # after the epoch was looked at, before the token is signed
            epochs.advance()
        return True

    sessions = SessionManager(
        store,
        Issuer(ISSUER, signing_key("ES256"), epochs=epochs),
        secrets=FixedSecrets({1: SECRET}),
        subject_status=status,
    )
    refused(sessions, sessions.start(SUBJECT, AUDIENCE).refresh, "old_epoch")
