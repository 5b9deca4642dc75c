"""`jotgate sessions`: who is signed in, and who is not any more."""

import pytest
from support import AUDIENCE, ISSUER, NOW, clock_at, rejects, signing_key

from jotgate import Issuer
from jotgate.sessions.manager import SessionManager
from jotgate.sessions.secrets import FixedSecrets
from jotgate.stores import open_store
from jotgate.stores.rules import NEVER
from jotgate.stores.sqlite import SqliteStore

DAY = 86400


@pytest.fixture
def url(tmp_path):
    return f"sqlite:{tmp_path / 'jotgate.db'}"


@pytest.fixture
def manager(url, frozen_clock):
    sessions = SessionManager(
        open_store(url), Issuer(ISSUER, signing_key("ES256", "k")), secrets=FixedSecrets({1: b"s" * 32})
    )
    sessions.start("somebody else", AUDIENCE)
    return sessions


@pytest.fixture
def sessions(run, url):
    return lambda action, *argv: run("sessions", action, "--store", url, "--issuer", ISSUER, *argv)


def test_list(sessions, manager):
    first = manager.start("user-1", AUDIENCE, client_id="app\x1b[31m")
    with clock_at(NOW + DAY):
        second = manager.start("user-1", AUDIENCE)
        ran = sessions("list", "--subject", "user-1")
        assert (ran.code, ran.err) == (0, "")
        heading, one, two = ran.out.splitlines()
        assert heading.split()[:3] == ["session", "began", "refreshed"]
        assert one.startswith(f"{first.session}  2023-11-14 22:13:20Z  1 d ago")
        assert "in 6 d" in one
        assert one.endswith("app\\x1b[31m")
        assert two.startswith(second.session)
        told = sessions("list", "--subject", "user-1", "--json").json()["sessions"]
        assert [info["session"] for info in told] == [first.session, second.session]
        assert (told[0]["started"], told[0]["expires_at"], told[0]["ends_at"]) == (NOW, NOW + 7 * DAY, NOW + 30 * DAY)
        text = ran.out + str(told)
        for tokens in (first, second):
            assert tokens.refresh not in text
            assert tokens.access not in text
    with clock_at(NOW + 8 * DAY):
        assert sessions("list", "--subject", "user-1").out == "no session of this subject lives\n"


def test_end_one(sessions, manager, rule):
    one, other = manager.start("user-1", AUDIENCE), manager.start("user-1", AUDIENCE)
    ran = sessions("end", "--session", one.session)
    assert (ran.code, ran.out) == (0, "ended; its access tokens are taken back\n")
    assert rejects("invalid_grant", lambda: manager.refresh(one.refresh)).cause == "ended"
    assert rule("sid", one.session, ISSUER).value == NEVER
    assert manager.refresh(other.refresh).session == other.session
    ran = sessions("end", "--session", one.session)
    assert (ran.code, "it was over" in ran.out) == (1, True)
    assert sessions("end", "--session", one.session, "--json").json() == {"ok": False, "ended": 0}
    assert sessions("end", "--session", other.session, "--json").json() == {"ok": True, "ended": 1}


def test_end_all(sessions, manager, rule):
    tokens = [manager.start("user-1", AUDIENCE) for _ in range(3)]
    ran = sessions("end", "--subject", "user-1", "--all")
    assert (ran.code, ran.out) == (0, "ended 3 sessions; every token of the subject is taken back\n")
    for each in tokens:
        rejects("invalid_grant", lambda each=each: manager.refresh(each.refresh))
    assert rule("sub", "user-1", ISSUER).value == NOW + 1
    assert len(manager.sessions("somebody else")) == 1
    assert sessions("end", "--subject", "user-1", "--all", "--json").json() == {"ok": True, "ended": 0}


def test_another_issuers_sessions_are_not_seen(run, url, manager):
    tokens = manager.start("user-1", AUDIENCE)
    options = ["--store", url, "--issuer", "https://other.example"]
    assert run("sessions", "list", *options, "--subject", "user-1").out == "no session of this subject lives\n"
    assert run("sessions", "end", *options, "--session", tokens.session).code == 1
    assert manager.refresh(tokens.refresh)


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["list"], "--subject"),
        (["list", "--subject", ""], "--subject is empty"),
        (["end"], "say which"),
        (["end", "--subject", "hunter"], "say which"),
        (["end", "--all"], "say which"),
        (["end", "--all", "--session", "hunterhunterhunterhunt"], "say which"),
        (["end", "--session", "hunter", "--subject", "hunter", "--all"], "say which"),
        (["end", "--session", "hunter"], "--session takes the id of a session"),
    ],
)
def test_what_is_not_understood(sessions, manager, argv, told):
    ran = sessions(*argv)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert ran.err.count("\n") == 1
    assert "hunter" not in ran.err


def test_an_issuer_is_named(run, url, manager):
    assert run("sessions", "list", "--store", url, "--subject", "user-1").code == 2
    assert run("sessions", "list", "--store", url, "--subject", "user-1", "--issuer", "").code == 2


def test_a_store_that_does_not_answer(sessions, manager, monkeypatch, no_answer):
    monkeypatch.setattr(SqliteStore, "members", no_answer)
    ran = sessions("list", "--subject", "user-1", "--json")
    assert (ran.code, ran.json()["code"]) == (3, "store_unavailable")
