"""`jotgate store check`: what a store says of itself, and the exit code."""

import pytest

from jotgate.stores.protocol import Finding
from jotgate.stores.sqlite import SqliteStore


def test_a_sound_store(run, url, monkeypatch):
    ran = run("store", "check", url)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith("\nfit\n")
    assert all(line.startswith("ok ") for line in ran.out.splitlines()[:-1])
    monkeypatch.setenv("JOTGATE_STORE", url)
    told = run("store", "check", "--json").json()
    assert told["ok"] is True
    assert told["findings"]
    assert all(finding.keys() == {"code", "ok", "message"} for finding in told["findings"])


def test_one_that_is_to_be_set_otherwise(run, url, monkeypatch):
    found = [Finding("evicts", False, "maxmemory-policy is allkeys-lru: set noeviction"), Finding("fsync", True, "all")]
    monkeypatch.setattr(SqliteStore, "check", lambda _: found)
    ran = run("store", "check", url)
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "wrong  evicts  maxmemory-policy is allkeys-lru: set noeviction",
        "ok     fsync   all",
        "not fit: set it otherwise, or what was taken back is accepted again",
    ]
    assert run("store", "check", url, "--json").json()["ok"] is False


def test_one_that_does_not_answer(run, url, monkeypatch, no_answer):
    monkeypatch.setattr(SqliteStore, "check", no_answer)
    ran = run("store", "check", url, "--json")
    assert (ran.code, ran.json()["code"]) == (3, "store_unavailable")


def test_a_server_that_is_not_there(run):
    ran = run("store", "check", "redis://127.0.0.1:1/0")
    assert ran.code == 3
    assert ran.out.startswith("wrong  reachable  ")
    assert ran.out.endswith("\nno answer: nothing is known\n")
    assert run("store", "check", "redis://127.0.0.1:1/0", "--json").json()["verdict"] == "silent"


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["check"],
        ["check", "hunter"],
        ["check", "hunter://"],
        ["check", "sqlite:hunter.db"],
        ["check", "sqlite:"],
        ["check", "redis://:hunter2@localhost:6379/0"],
        ["check", "redis://[hunter"],
        ["check", "redis+sentinel://localhost/x?sentinel_password=hunter2"],
        ["check", "memory:"],
        ["check", "redis://localhost", "--namespace", "{hunter}"],
        ["check", "redis://localhost", "--replicas", "-1"],
        ["check", "redis://localhost", "--replicas", "hunter"],
        ["hunter"],
    ],
)
def test_usage_errors_are_one_line(run, argv, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JOTGATE_STORE", raising=False)
    ran = run("store", *argv)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("jotgate store: ")
    assert ran.err.count("\n") == 1
    assert "hunter" not in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_password_may_stand_in_the_environment(run, monkeypatch):
    monkeypatch.setenv("JOTGATE_STORE", "redis://:hunter2@127.0.0.1:1/0")
    ran = run("store", "check")
    assert ran.code == 3
    assert "hunter2" not in ran.out + ran.err
