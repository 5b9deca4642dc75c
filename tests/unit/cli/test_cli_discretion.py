"""No error repeats a secret or a token, at whatever option it was put by mistake."""

import argparse
import itertools
import json
from importlib import import_module

import pytest
import support

from jotgate import SigningKey
from jotgate.cli import COMMANDS, _Parser, discretion
from jotgate.cli.discretion import closest, shown_path, unknown_options, without_operand

SECRET = "Hunter2/hunter2+HUNTER2/c0rrect=="
TOKEN = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJzb21lYm9keSJ9.bm8gc2lnbmF0dXJlIG9mIHRoaXMgdG9rZW4"
# A secret of many kinds: base64, a token, a word, a name that a variable could have, one with quotes and a line break.
MARKERS = [SECRET, TOKEN, "hunterhunter", "HUNTER_HUNTER", "it's\"hunter\n(choose-from'x')"]
ANYBODY = ["--any-issuer", "--any-audience"]


def assert_silent(ran, marker, *, told=""):
    """The marker is not in the output, nor any longer piece of it."""
    for piece in {marker, marker[:12], marker[-12:], marker.strip("-")[:8]}:
        assert piece not in ran.out + ran.err
    for word in ("unter", "UNTER"):
        assert word not in ran.out + ran.err
    assert told in ran.err
    assert ran.err.count("\n") <= 1


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["-s{}"], "unknown option -s; a secret is not taken from the command line"),
        (["-p{}"], "unknown option -p; a secret is not taken from the command line"),
        (["-x{}"], "unknown option -x (see jotgate verify --help)"),
        (["--secret={}"], "unknown option --secret; a secret is not taken"),
        (["--secret", "{}"], "use --secret-file FILE or --secret-env NAME"),
        (["--secret{}"], "use --secret-file FILE or --secret-env NAME"),
        (["--{}"], "unknown option, which is not repeated because it may hold a secret"),
        (["--json={}"], "argument --json: takes no value"),
        (["--help={}"], "argument -h/--help: takes no value"),
        (["--max-token-bytes", "{}"], "argument --max-token-bytes: a whole number is expected"),
        (["--max-token-bytes={}"], "argument --max-token-bytes: a whole number is expected"),
        (["--leeway", "{}"], "argument --leeway: write a duration as seconds or like 90s"),
        (["--alg", "{}"], "--alg: there is no such algorithm; choose from HS256, "),
        (["--optional", "{}"], "--optional takes exp, iss or aud"),
        (["--file", "{}"], "(--file takes the name of a file)"),
    ],
)
def test_options_of_verify(run, trust, argv, told, marker):
    ran = run("verify", *trust, "junk", *(word.format(marker) for word in argv))
    assert ran.code == 2
    assert_silent(ran, marker, told=told)


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--bits", "{}"], "argument --bits: a whole number is expected"),
        (["--format", "{}"], "argument --format: choose from jwk, pem"),
        (["--format={}"], "argument --format: choose from jwk, pem"),
        (["--password", "{}"], "unknown option --password; a secret is not taken"),
        (["-p{}"], "use --password-env NAME"),
        (["--format", "pem", "--password-env", "{}"], "the"),
        (["--out", "{}/x"], "cannot write the file of --out: "),
    ],
)
def test_options_of_keygen(run, argv, told, marker):
    ran = run("keygen", "--alg", "ES256", *(word.format(marker) for word in argv))
    assert ran.code == 2
    assert_silent(ran, marker, told=told)


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("command", ["verify", "sign"])
@pytest.mark.parametrize("form", [["--secret-file", "{}"], ["--secret-file={}"]])
def test_the_secret_instead_of_the_file_that_has_it(run, command, form, marker):
    rest = [*ANYBODY, "junk"] if command == "verify" else ["--subject", "x"]
    ran = run(command, "--alg", "HS256", *(word.format(marker) for word in form), *rest)
    assert ran.code == 2
    assert_silent(ran, marker, told="(--secret-file takes the name of a file, never the secret itself)")
    assert ran.err.startswith(f"jotgate {command}: cannot read the secret: ")


def test_the_name_of_a_secret_file_is_never_repeated(run, file):
    for content, told in ((b"", "the secret is empty"), (b"x" * (5 << 20), "the secret is larger than 4 MiB")):
        path = file(content, "hunterhunter.txt")
        ran = run("verify", "--alg", "HS256", "--secret-file", path, *ANYBODY, "junk")
        assert ran.code == 2
        assert_silent(ran, str(path), told=told)


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("command", ["verify", "sign", "keygen"])
def test_the_secret_instead_of_the_variable_that_has_it(run, command, marker, file):
    option, argv = {
        "verify": ("--secret-env", ["--alg", "HS256", *ANYBODY, "junk"]),
        "sign": ("--secret-env", ["--alg", "HS256", "--subject", "x"]),
        "keygen": ("--password-env", ["--alg", "ES256", "--format", "pem"]),
    }[command]
    ran = run(command, option, marker, *argv)
    assert ran.code == 2
    assert_silent(ran, marker, told=option)
    assert ("does not look like such a name" in ran.err) == (marker != "HUNTER_HUNTER")
    assert "not set" in ran.err


def test_a_variable_with_a_small_name_is_read(run, monkeypatch):
    monkeypatch.setenv("jotgate_test", "s" * 40)
    assert run("sign", "--secret-env", "jotgate_test", "--alg", "HS256", "--subject", "x").code == 0


@pytest.mark.parametrize("marker", [SECRET, TOKEN, "hunterhunter", "hunter" * 60])
@pytest.mark.parametrize(
    ("argv", "option"),
    [
        (["verify", *ANYBODY, "junk", "--jwks"], "--jwks"),
        (["verify", *ANYBODY, "junk", "--key"], "--key"),
        (["inspect", "--file"], "--file"),
        (["sign", "--subject", "x", "--key"], "--key"),
    ],
)
def test_a_key_or_token_instead_of_its_file(run, argv, option, marker):
    for words in ([*argv, marker], [*argv[:-1], f"{option}={marker}"]):
        ran = run(*words)
        assert ran.code == 2
        assert_silent(ran, marker, told=f"({option} takes the name of a file)")


def test_a_file_whose_name_is_a_token(run, file, trust, es256):
    path = file("junk", TOKEN)
    for form in ([], ["--json"], ["--explain"]):
        ran = run("verify", *trust, *form, "--file", path, es256())
        assert ran.code == 1
        assert TOKEN[:20] not in ran.out + ran.err
    for argv in (["verify", *ANYBODY, "x", "--jwks", path], ["sign", "--subject", "x", "--key", path]):
        ran = run(*argv)
        assert ran.code == 2
        assert TOKEN[:20] not in ran.out + ran.err
        assert f"{argv[-2]}: " in ran.err
    ran = run("keygen", "--alg", "ES256", "--out", path)
    assert ran.err.endswith("the file of --out exists; keys are never overwritten. Nothing was written\n")


def test_a_value_of_sign_that_is_no_json(run, file):
    for option in ("--claim", "--header"):
        ran = run("sign", "--key", "x", "--subject", "x", option, "hunter:=hunter")
        assert_silent(ran, "hunter:=hunter", told=f"{option}: the value after := is not JSON")


# The whole command line


def bases(command, jwks, tmp_path):
    """Command lines to add a wrong option to: empty ones, complete ones, and complete ones without a key."""
    key = tmp_path / "signing.jwk"
    signing_key = SigningKey.from_cryptography(support.secret_key("ES256"), alg="ES256")
    key.write_text(json.dumps(signing_key.to_jwk(private=True)))
    return {
        "verify": [
            [],
            ["--jwks", jwks, *ANYBODY, "junk"],
            ["--jwks", jwks, "--issuer", "i", "--audience", "a", "--explain", "junk"],
            ["--alg", "HS256", *ANYBODY, "junk"],
        ],
        "inspect": [[], ["a.b"]],
        "keygen": [[], ["--alg", "ES256"], ["--alg", "ES256", "--format", "pem"]],
        "sign": [
            [],
            ["--key", key, "--subject", "x", "--expires-in", "1h"],
            ["--alg", "HS256", "--subject", "x"],
        ],
        "jwks": [[], ["show"], ["show", jwks], ["diff", jwks], ["lint", jwks, "junk"], ["thumbprint", "--json"]],
        "doctor": [[], ["https://127.0.0.1:1/"]],
        "keys": [[], ["init", "none", "--alg", "HS256"], ["rotate", "none"], ["compromise", "none", "x"]],
        "compromise": [[], ["--ring", "none", "--kid", "x"], ["--thumbprint", "x"]],
        "revoke": [[], ["--subject", "x"], ["--jti", "x", "--until", "1h"], ["--key", "x", "--store", "sqlite:none"]],
        "sessions": [[], ["list", "--issuer", "i"], ["end", "--issuer", "i", "--subject", "x", "--all"]],
        "store": [[], ["check"], ["check", "sqlite:none"]],
        "demo": [[]],
        "bench": [[]],
    }[command]


def options_of(command):
    parser = _Parser(prog=command)
    import_module(f"jotgate.cli.{command}").configure(parser)
    return sorted(parser.spellings)


def is_shown_by_intent(command, option, marker):
    """keygen says what it made: the key's name, and files that it could write."""
    makes_file = option in ("--out", "--public", "--jwks") and marker not in (SECRET,)
    return command == "keygen" and (option == "--kid" or makes_file)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_option_repeats_a_value_that_was_given_wrongly(run, jwks, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    options = options_of(command)
    assert "--help" in options
    # argparse takes a word with a space in it for an operand, though it begins with a dash
    markers = [*MARKERS, "hunter (choose from 'hunter')"]
    for base, option, marker in itertools.product(bases(command, jwks, tmp_path), options, markers):
        words = [[f"{option}{marker}"]]
        if not is_shown_by_intent(command, option, marker):
            words += [[option, marker], [f"{option}={marker}"]]
        for wrong in words:
            ran = run(command, *base, *wrong)
            for piece in ("unter", "UNTER", marker[:12], marker[-12:]):
                assert piece not in ran.out + ran.err, (base, wrong)


@pytest.mark.parametrize("marker", MARKERS)
def test_nothing_before_the_command_is_repeated(run, marker):
    for option in ("--version", "--help", "-h", "--secret", "-s", "--", "-", "", "--jwks"):
        for words in ([f"{option}={marker}"], [f"{option}{marker}"], [option, marker]):
            for argv in (words, [*words, "verify"], [*words, "inspect", "x"]):
                assert_silent(run(*argv), marker)


# What is repeated


def test_what_is_close_to_an_option_is_named_and_the_option_suggested(run, trust):
    ran = run("verify", *trust, "junk", "--isuer", "hunter2", "--cliams", "--jsno=hunter2", "-quiet", "--zzz")
    assert ran.err == (
        "jotgate verify: unknown option --isuer (did you mean --issuer?), --cliams (did you mean --claims?), "
        "--jsno (did you mean --json?), -q (did you mean --quiet?) (see jotgate verify --help)\n"
    )
    assert "unknown option --issuer (see jotgate inspect --help)" in run("inspect", "x", "--issuer", "hunter2").err
    assert run("inspect", "x", "-sHUNTER").err == "jotgate inspect: unknown option -s (see jotgate inspect --help)\n"
    assert "did you mean --version?" in run("--verison").err


def test_an_algorithm_that_is_close_to_one_is_suggested(run):
    for typed, meant in (("es256", "ES256"), ("RSA256", "RS256"), ("eddsa", "EdDSA"), ("ML-DSA-45", "ML-DSA-44")):
        ran = run("keygen", "--alg", typed)
        assert ran.code == 2
        assert ran.err == f"jotgate keygen: --alg: there is no such algorithm; did you mean {meant}?\n"
    assert "choose from HS256, " in run("sign", "--key", "x", "--subject", "x", "--alg", "none").err


def test_closest():
    known = ["--issuer", "--alg", "--json"]
    for word in ("--issuer", "--isuer", "--issuers", "--iusser", "--issue"):
        assert closest(word, known) == "--issuer"
    for word in ("--abc", "--algab", "--issuerabc", "--jsonhunter", "", "--xs"):
        assert closest(word, known) is None
    assert closest("--aalg", known) == "--alg"
    assert closest("x", []) is None


def test_unknown_options_leave_out_values():
    assert unknown_options(["-Ωmega", "-1"], {"--json"}, set()).startswith("unknown option, which is not repeated")
    assert unknown_options(["--", "-", "x", "-a"], {"--json"}, set()) == "unknown option -a"


def test_wording_of_argparse_that_is_not_known_is_dropped():
    action = argparse.ArgumentParser().add_argument("--format", choices=("a", "b"))
    for message, told in (
        ("ambiguous option: hunter2 could match --a, --b", "the arguments cannot be understood"),
        ("argument --format: invalid choice: 'x' (choose from 'a', 'b')", "argument --format: choose from a, b"),
        ("argument --other: invalid choice: 'x' (choose from x)", "argument --other: there is no such choice"),
        ("argument --format: something about 'hunter2'", "argument --format: something about"),
        ('argument --format: something about "hunter2"', "argument --format: something about"),
        ("argument --format: expected one argument", "argument --format: expected one argument"),
        ("the following arguments are required: --alg", "the following arguments are required: --alg"),
    ):
        assert without_operand(message, [action]) == told


def test_names_of_files_that_are_plainly_that_are_repeated(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keys").mkdir()
    (tmp_path / "secretive").touch()
    for path in (
        "-",
        "signing.jwk",
        "keys/none",
        "./none",
        "../none",
        "secretive",
        str(tmp_path / "none"),
        "a.b.c.JSON",
    ):
        assert shown_path(path) == path
    for path in ("none", "none/none", "/none", "/none/none", SECRET, "/" + SECRET, TOKEN, TOKEN + ".json", ""):
        assert shown_path(path) is None
    for path in (f"{'a' * 16}.{'b' * 16}.json.pem", f"keys/{TOKEN.split('.')[0]}", "x" * 252 + ".pem"):
        assert shown_path(path) is None
    assert shown_path("x" * 251 + ".pem") is not None
    assert all(shown_path("secretive", option) is None for option in discretion._SECRET_OPTIONS)


def test_the_name_of_a_file_is_escaped(run):
    ran = run("verify", *ANYBODY, "junk", "--jwks", "a\x1b[31m\n.json")
    assert ran.err == "jotgate verify: cannot read the JWKS document a\\x1b[31m\\x0a.json: No such file or directory\n"
