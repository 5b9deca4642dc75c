"""The frame around the commands: help, usage errors, exit codes."""

import json
import re

import pytest
import support

from jotgate import errors
from jotgate.cli import COMMANDS
from jotgate.cli.wording import for_the_command_line


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


def test_advice_for_programmers_is_left_out():
    for message, told in (
        ("this is a set: use KeySet.from_jwks", "this is a set"),
        ("a key: keep it secret; for signing use SigningKey", "a key: keep it secret"),
        ("max_age must be more than 0 seconds; None means no limit", "--max-age must be more than 0 seconds"),
        ("algorithms is empty: name one", "--alg is empty: name one"),
        ("bits is for RSA keys", "--bits is for RSA keys"),
        ("nothing to change; none: at all", "nothing to change; none: at all"),
        ("SigningKey", "SigningKey"),
    ):
        assert for_the_command_line(message) == told


def test_no_name_of_the_library_in_a_message(run, file, monkeypatch):
    """Each of these reaches an error of the library that advises a program what to call."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = support.secret_key("RS256").public_key()
    pem, der = (
        public.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo) for encoding in (Encoding.PEM, Encoding.DER)
    )
    jwk = {name: value for name, value in support.verification_key("RS256").to_jwk().items() if name != "alg"}
    key_set = file(json.dumps({"keys": [jwk]}), "set")
    nested = file(json.dumps({"keys": [{"keys": []}]}), "nested")
    private = file(json.dumps({"keys": [jwk | {"d": "AA"}]}), "private")
    bound = ["--any-issuer", "--any-audience", "x"]
    commands = [
        ["verify", "--jwks", key_set, "--alg", "RS256,PS256", *bound],
        ["verify", "--jwks", nested, *bound],
        ["verify", "--jwks", private, *bound],
        ["verify", "--jwks", file("not a set", "text"), *bound],
        ["verify", "--secret-file", file(pem, "pem"), "--alg", "HS256", *bound],
        ["verify", "--secret-file", file(der, "der"), "--alg", "HS256", *bound],
        ["verify", "--secret-file", key_set, "--alg", "HS256", *bound],
        ["verify", "--key", file(b"[" + json.dumps(jwk).encode() + b"]", "array"), "--alg", "RS256", *bound],
        ["verify", "--key", file(b"0 certificate\n" + pem, "zero"), "--alg", "ES256", *bound],
        ["verify", "--key", file(json.dumps(jwk | {"alg": "PS256"}), "ps"), "--alg", "RS256", *bound],
        ["verify", "--jwks", key_set, "--alg", "RS256", "--max-age", "0", *bound],
        ["verify", "--jwks", key_set, "--alg", "RS256", "--leeway", "1h", *bound],
        ["verify", "--jwks", key_set, "--alg", ",", *bound],
        ["sign", "--key", file(der, "der"), "--subject", "x"],
        ["sign", "--secret-file", file(pem, "pem"), "--alg", "HS256", "--subject", "x"],
        ["keygen", "--alg", "ES256", "--bits", "2048"],
        ["keygen", "--alg", "RS256", "--bits", "1"],
        ["keygen", "--alg", "nothing"],
    ]
    names = re.compile(
        r"Key\b|KeySet|Policy|from_|\bNone\b|\bANY\b|max_|alg=|algorithms=|\bbits (?:is|must)\b(?<!--bits)"
    )
    for argv in commands:
        ran = run(*argv)
        assert (ran.code, ran.out) == (2, "")
        assert not names.search(ran.err.replace("--bits", "")), ran.err
    assert "allow only one of them with --alg" in run(*commands[0]).err
    assert "named with --key" in run(*commands[4]).err
