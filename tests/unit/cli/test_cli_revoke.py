"""`jotgate revoke`: what is written to the store, and what is never repeated."""

import json

import pytest
import support
from support import ISSUER, NOW, clock_at, compact, dumps, signing_key

from jotgate.revocation.revocations import Revocations
from jotgate.stores import open_store
from jotgate.stores.rules import NEVER
from jotgate.stores.sqlite import SqliteStore

THUMBPRINT = signing_key("ES256", "theirs").public().thumbprint()


@pytest.fixture
def revoke(run, url):
    return lambda *argv, **options: run("revoke", "--store", url, *argv, **options)


@pytest.mark.parametrize(
    ("until", "seconds"),
    [
        (str(NOW + 900), NOW + 900),
        ("15m", NOW + 900),
        ("1h30m", NOW + 5400),
        ("2023-11-15T00:00:00Z", 1700006400),
        ("2023-11-15 01:00:00.5+01:00", 1700006401),
    ],
)
def test_a_token_by_its_id(revoke, until, seconds, rule):
    ran = revoke("--jti", "j-1", "--until", until)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("taken back: the token with this jti, until it expires at 2023-11-1")
    assert rule("jti", "j-1").until == seconds + 600
    ran = revoke("--jti", "j-1", "--until", until, "--json")
    assert ran.json() == {"ok": True, "kind": "jti", "issuer": None, "until": seconds}


def test_of_one_issuer(revoke, rule):
    ran = revoke("--jti", "j-1", "--until", "1h", "--issuer", ISSUER)
    assert ran.out.endswith(", of this issuer\n")
    assert rule("jti", "j-1", ISSUER)
    assert rule("jti", "j-1") is None


def test_a_subject_and_a_session(revoke, rule):
    ran = revoke("--subject", "user-1")
    assert (ran.code, ran.out) == (
        0,
        "taken back: every token of this subject issued before 2023-11-14 22:13:21Z, and every session begun before "
        "it\n",
    )
    assert rule("sub", "user-1").value == NOW + 1
    assert revoke("--subject", "user-1", "--json").json()["before"] == NOW + 2, "the second rule of this second"
    ran = revoke("--session", "s-1", "--issuer", ISSUER)
    assert (ran.code, ran.out) == (0, "taken back: every token of this session, for ever, of this issuer\n")
    assert rule("sid", "s-1", ISSUER).value == NEVER


def test_a_key(revoke, rule):
    assert revoke("--key", THUMBPRINT).code == 0
    assert rule("key", THUMBPRINT)


def test_an_epoch_says_what_the_first_one_means(revoke, rule):
    ran = revoke("--epoch", "--issuer", ISSUER)
    assert ran.code == 0
    assert "epoch 1 has begun" in ran.out
    assert "this is the first epoch that the store counts" in ran.out
    assert rule("epoch", "", ISSUER).value == 1
    ran = revoke("--epoch", "--issuer", ISSUER)
    assert ran.out == "epoch 2 has begun: every token and session of an earlier one is over, of this issuer\n"


def test_an_epoch_of_every_issuer_is_above_that_of_each(revoke, url):
    epochs = Revocations(open_store(url), issuer=ISSUER).epochs
    for number in range(1, 4):
        assert epochs.advance() == number
    assert revoke("--epoch", "--any-issuer", "--json").json()["epoch"] == 4
    assert epochs.current() == 4
    assert revoke("--epoch", "--issuer", ISSUER, "--json").json()["epoch"] == 5
    assert epochs.current() == 5


def test_a_token_on_standard_input(revoke, rule):
    token = compact(support.header("HS256"), support.claims(jti="j-9", exp=NOW + 60))
    ran = revoke("--token", "-", stdin=token + "\n")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith("nothing in it was verified)\n")
    assert rule("jti", "j-9").until == NOW + 61 + 600
    token = compact(support.header("HS256"), {"jti": "for-ever"})
    assert revoke("--token", "-", "--json", stdin=token).json()["until"] == NEVER
    assert rule("jti", "for-ever").until == NEVER


def test_a_token_that_has_expired(revoke, rule):
    token = compact(support.header("HS256"), support.claims(jti="old", exp=NOW - 60))
    ran = revoke("--token", "-", stdin=token)
    assert (ran.code, ran.out.startswith("nothing to take back")) == (0, True)
    assert rule("jti", "old") is None


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        (dumps({"exp": NOW + 60}), "no jti"),
        (dumps({"jti": 7}), "no jti"),
        (dumps({"jti": ""}), "no jti"),
        (dumps({"jti": "j", "iss": "https://hunter"}), "--issuer"),
        (b"[]", "no token"),
        (b'{"jti":"a","jti":"b"}', "no token"),
    ],
)
def test_a_token_that_names_no_rule(revoke, claims, told):
    token = f"{support.b64u(dumps(support.header('HS256')))}.{support.b64u(claims)}.AA"
    ran = revoke("--token", "-", "--issuer", ISSUER, stdin=token)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert "hunter" not in ran.err
    assert token[:16] not in ran.err


@pytest.mark.parametrize("text", ["1.refresh.2.token", "", "hunter\nhunter"])
def test_no_token_on_standard_input(revoke, text):
    ran = revoke("--token", "-", stdin=text)
    assert (ran.code, ran.out) == (2, "")
    assert "hunter" not in ran.err


def test_a_token_is_not_taken_from_the_command_line(revoke, es256):
    token = es256(jti="1")
    ran = revoke("--token", token)
    assert (ran.code, ran.out) == (2, "")
    assert token[:16] not in ran.err
    assert "reads standard input" in ran.err


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ([], "one of the arguments"),
        (["--jti", "hunter"], "--jti and --until belong together"),
        (["--subject", "hunter", "--until", "1h"], "belong together"),
        (["--jti", "hunter", "--until", str(NOW)], "in the past"),
        (["--jti", "hunter", "--until", "0s"], "in the past"),
        (["--jti", "hunter", "--until", "tomorrow hunter"], "write a time"),
        (["--jti", "hunter", "--until", "2026-11-24T15:00:00"], "write a time"),
        (["--jti", "", "--until", "1h"], "--jti is empty"),
        (["--subject", ""], "--subject is empty"),
        (["--subject", "x", "--issuer", ""], "--issuer is empty"),
        (["--epoch"], "say whose epoch the store counts"),
        (["--epoch", "--issuer", ISSUER, "--any-issuer"], "not allowed with"),
        (["--key", "hunter"], "43 characters"),
        (["--key", THUMBPRINT[:-1] + "é"], "43 characters"),
        (["--subject", "hunter", "--session", "hunter"], "not allowed with"),
    ],
)
def test_what_is_not_understood(revoke, argv, told):
    ran = revoke(*argv)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert ran.err.count("\n") == 1
    assert "hunter" not in ran.err


def test_where_no_store_is_named(run, tmp_path, monkeypatch):
    monkeypatch.delenv("JOTGATE_STORE", raising=False)
    ran = run("revoke", "--subject", "x")
    assert (ran.code, "JOTGATE_STORE" in ran.err) == (2, True)
    monkeypatch.setenv("JOTGATE_STORE", f"sqlite:{tmp_path / 'hunter.db'}")
    ran = run("revoke", "--subject", "x")
    assert (ran.code, "no store in the file" in ran.err) == (2, True)
    assert "hunter" not in ran.err
    assert not (tmp_path / "hunter.db").exists()


def test_a_store_that_does_not_answer(revoke, monkeypatch, no_answer):
    monkeypatch.setattr(SqliteStore, "write", no_answer)
    ran = revoke("--subject", "x", "--json")
    assert ran.code == 3
    assert json.loads(ran.out) == {"ok": False, "code": "store_unavailable", "message": "the store does not answer"}


def test_a_rule_only_grows(revoke, rule):
    revoke("--subject", "user-1")
    with clock_at(NOW - 3600):
        revoke("--subject", "user-1")
    assert rule("sub", "user-1").value == NOW + 1
