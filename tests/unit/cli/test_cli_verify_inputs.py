"""`jotgate verify`: where tokens come from, in what order, and how their verdicts are told apart."""

import os

import pytest


def test_one_refusal_among_many_is_1(run, trust, es256):
    ran = run("verify", *trust, es256(), "junk", es256(jti="x"))
    assert ran.code == 1
    assert [line.split(":")[:2] for line in ran.out.splitlines()] == [
        ["1", " accepted"],
        ["2", " refused"],
        ["3", " accepted"],
    ]


def test_standard_input_one_a_line(run, trust, es256):
    text = f"{es256()}\r\n\n{es256(exp=1)}\n   \n{es256(jti='x')}"
    for argv in ([], ["-"], ["--file", "-"]):
        ran = run("verify", *trust, "--json", *argv, stdin=text)
        assert ran.code == 1
        assert [(row["ok"], row["line"]) for row in ran.rows()] == [(True, 1), (False, 3), (True, 5)]


def test_file_and_arguments_in_order(run, trust, es256, file):
    path = file(f"{es256()}\n{es256(exp=1)}\n")
    ran = run("verify", *trust, "--json", "--file", path, "junk", "-", stdin=es256())
    assert [(row["ok"], row["source"], row["line"]) for row in ran.rows()] == [
        (False, "argument", 1),
        (True, "-", 1),
        (True, str(path), 1),
        (False, str(path), 2),
    ]


def test_bytes_that_are_no_text_are_refused_not_fatal(run, trust):
    ran = run("verify", *trust, stdin=b"\xff\xfe\x00junk\n" + b"A" * (3 << 20) + b"\n")
    assert ran.code == 1
    assert [line.split()[2] for line in ran.out.splitlines()] == ["malformed,", "too_large,"]


def test_surrogates_of_the_command_line_are_refused_not_fatal(run, trust):
    for form in ("--json", "--explain"):
        ran = run("verify", *trust, form, os.fsdecode(b"\xff.\xfe.\x1b"))
        assert ran.code == 1
        assert "\x1b" not in ran.out


def test_no_token(run, trust, file):
    assert "no token given" in run("verify", *trust).err
    assert "no token" in run("verify", *trust, stdin=b"\n").err
    assert run("verify", *trust, stdin=b"").code == 2
    ran = run("verify", *trust, "--file", "nowhere/tokens.txt", "junk")
    assert (ran.code, ran.out) == (2, "")
    assert "cannot read the tokens nowhere/tokens.txt: " in ran.err


def test_several_files_in_order(run, trust, es256, file):
    first, second = file(es256(), "first"), file(f"\n{es256(exp=1)}\n{es256()}", "second")
    ran = run("verify", *trust, "--json", "--file", first, "--file", second)
    assert ran.code == 1
    assert [(row["ok"], row["source"], row["line"]) for row in ran.rows()] == [
        (True, str(first), 1),
        (False, str(second), 2),
        (True, str(second), 3),
    ]


def test_a_file_that_cannot_be_read_stops_all(run, trust, es256, file):
    ran = run("verify", *trust, "--file", file(es256()), "--file", "nowhere")
    assert (ran.code, ran.out) == (2, "")


def test_standard_input_serves_one_file(run, trust):
    assert "only one of the inputs" in run("verify", *trust, "--file", "-", "--file", "-", stdin="x").err


def test_lines_are_numbered_as_in_json(run, trust, es256, file):
    path = file(f"\n{es256()}\n\n{es256(exp=1)}\n")
    for argv, source in (
        (["--file", path], ""),
        (["-"], ""),
        (["--file", path, "--file", path], ""),
        (["--file", path, "junk"], "source"),
        (["--file", path, "-", "junk"], "source"),
    ):
        lines = run("verify", *trust, *argv, stdin=path.read_bytes()).out.splitlines()
        rows = run("verify", *trust, "--json", *argv, stdin=path.read_bytes()).rows()
        assert len(rows) > 1
        for line, row in zip(lines, rows, strict=True):
            prefix = f"{row['source']}:{row['line']}: " if source else f"{row['line']}: "
            assert line.startswith(prefix + ("accepted: " if row["ok"] else "refused: "))


def test_one_token_is_not_numbered(run, trust, es256, file):
    for argv in ([], ["--file", file(f"\n{es256()}\n\n")], [es256()]):
        assert run("verify", *trust, *argv, stdin=f"\n\n{es256()}\n").out.startswith("accepted: ")


def test_places_in_the_long_form(run, trust, es256, file):
    path = file(es256())
    out = run("verify", *trust, "--explain", es256(), "-", "--file", path, stdin=f"\n{es256()}").out
    heads = [line for line in out.splitlines() if line.startswith("accepted")]
    assert heads == ["accepted  (argument 1)", "accepted  (-, line 2)", f"accepted  ({path}, line 1)"]
    assert run("verify", *trust, "--explain", es256()).out.startswith("accepted\n")
    assert "accepted  (argument 2)" in run("verify", *trust, "--explain", "junk", es256()).out


def test_names_of_files_are_escaped(run, trust, file):
    path = file("junk\njunk", "a\x1bb")
    for form in ([], ["--json"], ["--explain"]):
        assert "\x1b" not in run("verify", *trust, *form, "--file", path, "junk").out


def test_the_name_of_a_file_is_no_token(run, trust, es256, file, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    token = es256()
    file(token, "token.txt")
    file("", token[:60])
    for command in (["verify", *trust], ["inspect"]):
        ran = run(*command, "token.txt")
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.endswith("no token, but a file of that name: use --file\n")
        assert run(*command, "nowhere.txt").code == 1
    ran = run("verify", *trust, token, "token.txt")
    assert (ran.code, ran.out) == (2, "")
    assert "TOKEN 2: no token" in ran.err
    assert run("verify", *trust, ".").code == 1


def test_a_token_is_judged_though_a_file_has_its_name(run, trust, monkeypatch, tmp_path, file):
    monkeypatch.chdir(tmp_path)
    token = "eyJhbGciOiJub25lIn0.e30."
    file("", token)
    assert run("verify", *trust, token).code == 1


def test_help_says_what_comes_first(run):
    assert "Arguments are judged before --file" in " ".join(run("verify", "--help").out.split())


# Options


@pytest.mark.parametrize(
    "argv",
    [
        ["verify", "--jwks", "a", "--jwks", "b"],
        ["verify", "--secret-file", "a", "--secret-file=b"],
        ["verify", "--secret-env", "a", "--secret-env", "a"],
        ["verify", "--subject", "a", "--subject", "b"],
        ["verify", "--authorized-party", "a", "--authorized-party", "b"],
        ["verify", "--typ", "a", "--typ", "b"],
        ["verify", "--leeway", "1", "--leeway", "2"],
        ["verify", "--max-age", "1", "--max-age", "2"],
        ["verify", "--max-lifetime", "1", "--max-lifetime", "2"],
        ["verify", "--max-token-bytes", "1", "--max-token-bytes", "2"],
        ["inspect", "--file", "a", "--file", "b"],
        ["sign", "--key", "a", "--key", "b"],
        ["sign", "--secret-file", "a", "--secret-file", "b"],
        ["sign", "--alg", "a", "--alg", "b"],
        ["sign", "--kid", "a", "--kid", "b"],
        ["sign", "--password-env", "a", "--password-env", "b"],
        ["sign", "--claims", "a", "--claims", "b"],
        ["sign", "--issuer", "a", "--issuer", "b"],
        ["sign", "--subject", "a", "--subject", "b"],
        ["sign", "--expires-in", "1", "--expires-in", "2"],
        ["sign", "--typ", "a", "--typ", "b"],
        ["keygen", "--alg", "a", "--alg", "b"],
        ["keygen", "--bits", "1", "--bits", "2"],
        ["keygen", "--format", "jwk", "--format", "pem"],
        ["keygen", "--out", "a", "--out", "b"],
        ["keygen", "--jwks", "a", "--jwks", "b"],
        ["demo", "--tokens", "1", "--tokens", "1"],
        ["demo", "--seed", "1", "--seed", "1"],
    ],
    ids=" ".join,
)
def test_an_option_of_one_value_may_be_given_once(run, argv):
    ran = run(*argv)
    assert (ran.code, ran.out) == (2, "")
    assert f"{argv[1]} may be given once" in ran.err


def test_every_option_of_one_value_is_checked():
    """Whatever is added later is either repeatable, a flag, or refused when given twice."""
    import argparse
    from importlib import import_module

    from jotgate.cli import COMMANDS, _Once, _Parser

    harmless = ("_AppendAction", "_StoreTrueAction", "_HelpAction")
    for command in COMMANDS:
        parser = _Parser(prog=command)
        import_module(f"jotgate.cli.{command}").configure(parser)
        actions: list[argparse.Action] = list(parser._actions)
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                actions.remove(action)
                actions += [each for below in action.choices.values() for each in below._actions]
        assert len(actions) > 2
        assert all(isinstance(action, _Once) or type(action).__name__ in harmless for action in actions)
