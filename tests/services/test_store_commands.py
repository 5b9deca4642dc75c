"""`jotgate store check`, `revoke` and `compromise` on real servers of Redis and Valkey."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout

import pytest
from services.redis_servers import Server, binaries, names
from support import ISSUER

from jotgate import KeyRing
from jotgate.cli import main
from jotgate.revocation.revocations import Revocations
from jotgate.stores import open_store
from jotgate.stores.rules import RuleKey


def run(*argv):
    """Return the exit code, the output and the errors of a command."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(word) for word in argv])
    return code, out.getvalue(), err.getvalue()


pytestmark = pytest.mark.parametrize("name", names())


def test_a_server_that_keeps_what_it_is_given(tmp_path, name):
    with Server(tmp_path / "redis", binaries()[name], appendfsync="always") as server:
        code, out, _ = run("store", "check", server.url)
        assert (code, out.splitlines()[-1]) == (0, "fit")
        code, out, _ = run("store", "check", server.url, "--replicas", 1, "--json")
        wrong = [finding["code"] for finding in json.loads(out)["findings"] if not finding["ok"]]
        assert (code, wrong) == (1, ["replicas"])
        with server.paused():
            code, out, _ = run("store", "check", server.url, "--json")
            assert (code, json.loads(out)["verdict"]) == (3, "silent")
            code, out, _ = run("revoke", "--subject", "x", "--store", server.url)
            assert (code, out) == (3, "")


@pytest.mark.parametrize(
    ("settings", "wrong", "told"),
    [
        ({"maxmemory_policy": "allkeys-lru", "maxmemory": "100mb"}, "evicts", "maxmemory-policy noeviction"),
        ({"appendonly": "no"}, "not_durable", "appendonly yes"),
    ],
)
def test_a_server_that_does_not(tmp_path, name, settings, wrong, told):
    with Server(tmp_path / "redis", binaries()[name], **settings) as server:
        code, out, _ = run("store", "check", server.url)
        assert code == 1
        assert any(line.startswith(f"wrong  {wrong}") and told in line for line in out.splitlines())
        code, out, err = run("revoke", "--subject", "x", "--store", server.url)
        assert (code, out) == (2, "")
        assert told in err
        if wrong == "not_durable":
            assert "--allow-data-loss" in err
            assert run("revoke", "--subject", "x", "--store", server.url, "--allow-data-loss")[0] == 0


def test_a_password_comes_from_the_environment(tmp_path, name, monkeypatch):
    with Server(tmp_path / "redis", binaries()[name], requirepass="hunter2") as server:
        with_password = server.url.replace("redis://", "redis://:hunter2@")
        code, out, err = run("store", "check", with_password)
        assert (code, out) == (2, "")
        assert "hunter2" not in err
        monkeypatch.setenv("JOTGATE_STORE", with_password)
        code, out, err = run("store", "check")
        assert (code, err) == (0, "")
        assert "hunter2" not in out
        monkeypatch.setenv("JOTGATE_STORE", with_password.replace("hunter2", "hunter3"))
        code, out, err = run("revoke", "--subject", "x", "--json")
        assert code in (2, 3)
        assert "hunter" not in out + err


def test_a_key_that_got_out(tmp_path, name):
    with Server(tmp_path / "redis", binaries()[name]) as server:
        store = open_store(server.url, namespace="auth")
        ring = KeyRing(tmp_path / "ring", create=True, epochs=Revocations(store, issuer=ISSUER).epochs)
        lost = ring.keys[0]
        argv = ["compromise", "--ring", tmp_path / "ring", "--kid", lost.kid, "--issuer", ISSUER, "--json"]
        code, out, _ = run(*argv, "--store", server.url, "--namespace", "auth")
        assert (code, json.loads(out)["epoch"]) == (0, 1)
        key, epoch = store.rules([RuleKey("key", "", lost.thumbprint), RuleKey("epoch", ISSUER, "")])
        assert (key is not None, epoch and epoch.value) == (True, 1)
        with server.paused():
            second = KeyRing(tmp_path / "ring", check_keys=False).keys[0].kid
            argv[4] = second
            code, out, _ = run(*argv, "--store", server.url, "--namespace", "auth")
            assert (code, json.loads(out)["complete"]) == (3, False)
            assert second not in [key.kid for key in KeyRing(tmp_path / "ring", check_keys=False).keys]
        code, out, _ = run(*argv, "--store", server.url, "--namespace", "auth")
        assert (code, json.loads(out)["epoch"]) == (0, 2)
        store.close()
