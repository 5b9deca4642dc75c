"""The frame around the commands: help, usage errors, exit codes."""

import pytest

from jotgate import errors
from jotgate.cli import COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(run, command):
    ran = run(command, "--help")
    assert ran.code == 0
    assert f"usage: jotgate {command}" in ran.out
    assert not ran.err


def test_help_lists_commands_and_exit_codes(run):
    ran = run("--help")
    assert ran.code == 0
    assert all(f"    {name} " in ran.out for name in COMMANDS)
    assert "3  cannot decide" in ran.out


def test_no_argument_shows_help_and_is_a_usage_error(run):
    ran = run()
    assert ran.code == 2
    assert "usage: jotgate" in ran.out


def test_version(run):
    ran = run("--version")
    assert ran.code == 0
    assert ran.out.startswith("jotgate ")


@pytest.mark.parametrize(
    "argv",
    [
        ["verify"],
        ["verify", "--jwks", "x"],
        ["verify", "--jwks", "x", "--issuer", "i"],
        ["verify", "--jwks", "x", "--key", "y", "--any-issuer", "--any-audience"],
        ["verify", "--jwks", "x", "--any-issuer", "--issuer", "i", "--any-audience"],
        ["verify", "--jwks", "x", "--any-issuer", "--any-audience", "--leeway", "soon"],
        ["verify", "--jwks", "x", "--any-issuer", "--any-audience", "--json", "--quiet"],
        ["keygen"],
        ["keygen", "--alg"],
        ["sign"],
        ["demo", "--tokens", "many"],
        ["demo", "--tokens", "0"],
        ["--unknown"],
    ],
)
def test_usage_errors_are_one_line_on_standard_error(run, argv):
    ran = run(*argv)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith("jotgate")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("option", ["--secret", "--secret=hunter2hunter2", "--password"])
def test_secret_on_the_command_line_is_not_repeated(run, option):
    ran = run("verify", "--any-issuer", "--any-audience", "--secret-env", "X", option, "hunter2hunter2")
    assert ran.code == 2
    assert "--secret-file" in ran.err
    assert "hunter2" not in ran.err


def test_unknown_options_and_words_are_not_repeated(run, es256):
    token = es256()
    for argv in (["inspect", "--tokem=" + token], ["inspect", token, token], [token], ["--tokem", token]):
        ran = run(*argv)
        assert ran.code == 2
        assert token[:20] not in ran.err + ran.out


def test_options_are_not_abbreviated(run, trust):
    assert run("verify", *trust, "--quie", "x").code == 2


def test_undecided_is_3_and_refused_wins(run, trust, es256, monkeypatch):
    token = es256()
    from jotgate.cli import verdicts

    class Unreachable(verdicts.Verifier):
        def verify(self, text, *, fresh=False):
            if text == token:
                raise errors.KeyFetchError("the keys could not be fetched", "key_fetch_failed")
            return super().verify(text, fresh=fresh)

    monkeypatch.setattr(verdicts, "Verifier", Unreachable)
    ran = run("verify", *trust, token)
    assert ran.code == 3
    assert ran.out.startswith("undecided: key_fetch_failed")
    assert run("verify", *trust, token, es256(jti="1")).code == 3
    assert run("verify", *trust, token, "junk").code == 1


def test_undecided_outside_verify_is_3(run, monkeypatch):
    def fail(_):
        raise errors.StoreUnavailableError("the store does not answer", "store_unavailable")

    monkeypatch.setattr("jotgate.cli.inspect.run", fail)
    ran = run("inspect", "x")
    assert ran.code == 3
    assert ran.err == "jotgate inspect: the store does not answer\n"


def test_our_own_bugs_are_not_hidden(run, monkeypatch):
    def fail(_):
        raise ZeroDivisionError

    monkeypatch.setattr("jotgate.cli.inspect.run", fail)
    with pytest.raises(ZeroDivisionError):
        run("inspect", "x")


def test_closed_standard_input(run, trust, monkeypatch):
    for argv in (["inspect"], ["inspect", "-"], ["verify", *trust], ["verify", *trust, "-"]):
        with monkeypatch.context() as patch:
            patch.setattr("jotgate.cli.inputs.sys", type("sys", (), {"stdin": None}))
            assert run(*argv).code == 2


def test_interrupt_ends_quietly(run, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("jotgate.cli.inspect.run", interrupt)
    assert run("inspect", "x").code == 130
