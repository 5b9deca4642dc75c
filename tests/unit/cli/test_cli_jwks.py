"""`jotgate jwks`: show, lint, diff, thumbprint of files, standard input and addresses."""

import json

import pytest
import support
from services import certificates, wire
from unit.audit.keysets import WEAK_MODULUS, document, jwk, rsa_jwk, x5c

A, B = jwk(kid="a"), jwk(kid="b", which=1)
SECRET = support.b64u(b"canary" * 8)


@pytest.fixture
def sets(file):
    """Write a set of keys and return its path."""

    def write(*keys, name="set.json"):
        return file(document(*keys), name)

    return write


class TestShow:
    def test_text(self, run, sets):
        ran = run("jwks", "show", sets(A, jwk("RS256", alg=None, kid="open"), {"kty": "LMS"}))
        assert (ran.code, ran.err) == (0, "")
        lines = ran.out.splitlines()
        assert lines[0] == "kid a  used for ES256"
        assert lines[1] == "  EC P-256, alg ES256, use sig"
        assert lines[2] == f"  thumbprint {support.verification_key('ES256').thumbprint()}"
        assert "kid open  used if exactly one of RS256, RS384, RS512, PS256, PS384, PS512 is allowed" in lines
        assert any(line.startswith("key 2, no kid  left out: its key type") for line in lines)
        assert lines[-1].startswith("3 keys, 2 used, ")

    def test_json(self, run, sets):
        ran = run("jwks", "show", "--json", sets(A, rsa_jwk(WEAK_MODULUS)))
        first, second = ran.json()["keys"]
        assert first == {
            "position": 0,
            "kid": "a",
            "kty": "EC",
            "alg": "ES256",
            "size": "P-256",
            "use": "sig",
            "thumbprint": support.verification_key("ES256").thumbprint(),
            "certificate": None,
            "outcome": "used",
            "algorithms": ["ES256"],
            "reason": None,
        }
        assert (second["outcome"], second["thumbprint"]) == ("skipped", None)
        assert "2048 bits" in second["reason"]

    def test_the_epoch(self, run, file):
        path = file(json.dumps({"keys": [A], "jotgate_epoch": 7}).encode())
        assert "epoch 7: tokens of an earlier one, or without one, are refused\n" in run("jwks", "show", path).out
        assert run("jwks", "show", "--json", path).json()["epoch"] == 7
        wrong = file(json.dumps({"keys": [A], "jotgate_epoch": "7"}).encode(), "wrong.json")
        assert "epoch not a whole number" in run("jwks", "show", wrong).out
        ran = run("jwks", "lint", wrong)
        assert ran.code == 1
        assert "error    epoch" in ran.out

    def test_certificates(self, run, sets):
        path = sets(jwk(kid="a", x5c=x5c()))
        assert "  certificate from 2024-01-01 00:00:00Z to 2034-01-01 00:00:00Z\n" in run("jwks", "show", path).out
        (key,) = run("jwks", "show", "--json", path).json()["keys"]
        assert key["certificate"] == {"begins": 1704067200, "ends": 2019686400}

    def test_algorithms(self, run, sets):
        path = sets(A, jwk("RS256", alg=None, kid="r"))
        ran = run("jwks", "show", "--alg", "RS256,ES384", path)
        assert "kid r  used for RS256" in ran.out
        assert "kid a  left out: its algorithm, ES256, is not allowed" in ran.out
        ran = run("jwks", "show", "--alg", "RSA", path)
        assert (ran.code, ran.out) == (2, "")

    def test_nothing_private_is_shown(self, run, sets):
        private = jwk(kid="a", private=True)
        path = sets(private, {"kty": "oct", "k": SECRET, "kid": "s"}, jwk("RS256", kid="r", private=True))
        for words in (
            ["show"],
            ["show", "--json"],
            ["lint"],
            ["lint", "--json"],
            ["thumbprint"],
            ["thumbprint", "--json"],
        ):
            ran = run("jwks", *words, path)
            assert private["d"] not in ran.out + ran.err
            assert SECRET not in ran.out + ran.err
        for words in (["diff"], ["diff", "--json"]):
            ran = run("jwks", *words, path, sets(A, name="other"))
            assert private["d"] not in ran.out + ran.err
            assert SECRET not in ran.out + ran.err

    def test_text_of_the_document_is_escaped(self, run, sets):
        ran = run("jwks", "show", sets(jwk(kid="\x1b[2J"), jwk("ES384", kid="b" * 200)))
        assert "\x1b" not in ran.out
        assert "kid \\x1b[2J" in ran.out
        assert "b" * 101 not in ran.out

    def test_one_jwk_and_standard_input(self, run):
        assert "kid a  used" in run("jwks", "show", "-", stdin=json.dumps(A)).out


class TestLint:
    def test_sound(self, run, sets):
        ran = run("jwks", "lint", sets(A, B))
        assert (ran.code, ran.out) == (0, "2 keys, 2 used; found: nothing\n")

    def test_notes_and_warnings_are_no_failure(self, run, sets):
        ran = run("jwks", "lint", sets(A, jwk("Ed25519", kid="e")))
        assert ran.code == 0
        assert "warning  new_algorithm_name" in ran.out
        assert "to do: write EdDSA" in ran.out

    def test_errors(self, run, sets):
        ran = run("jwks", "lint", sets(A, rsa_jwk(WEAK_MODULUS)))
        assert ran.code == 1
        assert ran.out.startswith("error    weak_rsa")
        assert "found: 1 error, 1 note" in ran.out

    def test_json(self, run, sets):
        ran = run("jwks", "lint", "--json", sets(A, A | {"x": B["x"], "y": B["y"]}))
        found = ran.json()
        assert (ran.code, found["ok"]) == (1, False)
        assert {each["code"] for each in found["findings"]} == {"duplicate_kid", "no_usable_key"}
        assert set(found["findings"][0]) == {"severity", "code", "where", "message", "advice"}

    def test_names_of_the_library_are_left_out(self, run, sets):
        ran = run("jwks", "show", sets(jwk(private=True)))
        assert "SigningKey" not in ran.out


class TestDiff:
    def test_the_same(self, run, sets):
        ran = run("jwks", "diff", sets(A, B), sets(B, A, name="after"))
        assert ran.code == 0
        assert all(line.startswith("same ") for line in ran.out.splitlines())

    def test_a_rotation(self, run, sets):
        ran = run("jwks", "diff", sets(A), sets(jwk("ES384", kid="c"), name="after"))
        assert ran.code == 1
        assert [line.split()[0] for line in ran.out.splitlines()] == ["removed", "added"]

    def test_an_alarm(self, run, sets):
        ran = run("jwks", "diff", sets(A), sets(B | {"kid": "a"}, name="after"))
        assert ran.code == 1
        assert ran.out.startswith("alarm    kid a (")
        assert "another key before" in ran.out

    def test_changed(self, run, sets):
        ran = run("jwks", "diff", sets(A), sets(A | {"kid": "z"}, name="after"))
        assert ": kid, it was kid a" in ran.out

    def test_json(self, run, sets):
        (change,) = run("jwks", "diff", "--json", sets(A), sets(A | {"use": "enc"}, name="after")).json()["changes"]
        assert (change["kind"], change["members"], change["after"]["outcome"]) == ("changed", ["use"], "skipped")

    @pytest.mark.parametrize(
        ("before", "after", "code", "told"),
        [
            (1, 1, 0, "same     epoch 1\n"),
            (1, 2, 1, "changed  epoch 1 -> 2: it went up, all earlier tokens are taken back\n"),
            (2, 1, 1, "alarm    epoch 2 -> 1: it went down"),
            (2, None, 1, "alarm    epoch 2 -> none: it is gone"),
        ],
    )
    def test_epochs(self, run, file, before, after, code, told):
        paths = [
            file(json.dumps({"keys": [A]} | ({} if epoch is None else {"jotgate_epoch": epoch})).encode(), name)
            for name, epoch in (("before", before), ("after", after))
        ]
        ran = run("jwks", "diff", *paths)
        assert ran.code == code
        assert ran.out.startswith(told)
        found = run("jwks", "diff", "--json", *paths).json()["epoch"]
        assert (found["kind"], found["before"], found["after"]) == (told.split()[0], before, after)

    def test_standard_input_serves_one(self, run):
        assert run("jwks", "diff", "-", "-", stdin="{}").code == 2


class TestThumbprint:
    def test_text(self, run, sets):
        ran = run("jwks", "thumbprint", sets(A, jwk("RS256")))
        expected = [support.verification_key(alg).thumbprint() for alg in ("ES256", "RS256")]
        assert (ran.code, ran.out.splitlines()) == (0, [f"{expected[0]}  a", expected[1]])

    def test_the_example_of_rfc_7638(self, run):
        n = (
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj"
            "hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQv"
            "RL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
        )  # fmt: skip
        key = {"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
        ran = run("jwks", "thumbprint", "-", stdin=json.dumps(key))
        assert ran.out == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs  2011-04-29\n"

    def test_keys_without(self, run, sets):
        ran = run("jwks", "thumbprint", sets(A, {"kty": "oct", "k": SECRET, "kid": "s"}))
        assert ran.code == 1
        assert "kid s: no thumbprint: it is a secret" in ran.out

    def test_json(self, run, sets):
        (key,) = run("jwks", "thumbprint", "--json", sets(A)).json()["keys"]
        assert key == {"position": 0, "kid": "a", "thumbprint": support.verification_key("ES256").thumbprint()}


class TestSources:
    def test_an_address(self, run):
        with wire.Server(lambda _: [wire.answer(document(A, B))]) as server:
            assert run("jwks", "lint", "--allow-http", server.url()).code == 0
            ran = run("jwks", "lint", server.url())
        assert (ran.code, ran.out) == (2, "")
        assert "--allow-http" in ran.err

    def test_tls(self, run, tmp_path, file):
        authority = certificates.Authority(tmp_path)
        ca = file(authority.pem(), "ca.pem")
        with wire.Server(lambda _: [wire.answer(document(A, B))], tls=authority.serving()) as server:
            assert run("jwks", "show", "--ca", ca, server.url()).code == 0
            ran = run("jwks", "show", server.url())
        assert ran.code == 3
        assert "not trusted" in ran.err
        assert "--ca FILE" in ran.err
        assert "SSLContext" not in ran.err

    @pytest.mark.parametrize(
        "ca", [b"", b"x", b"\xff", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    )
    def test_ca_files_that_are_none(self, run, file, ca):
        assert run("jwks", "show", "--ca", file(ca, "ca.pem"), "https://127.0.0.1:1/").code == 2

    @pytest.mark.parametrize(("name", "told"), [("not_found", "404"), ("hang", "took longer"), ("gzip", "compressed")])
    def test_addresses_that_do_not_answer(self, run, monkeypatch, name, told):
        monkeypatch.setattr("jotgate.cli.keysource._TIMEOUT_SECONDS", 0.2)
        with wire.Server(lambda _: wire.ANSWERS[name](b"")) as server:
            ran = run("jwks", "show", "--allow-http", server.url("/jwks.json?hunter2"))
        assert (ran.code, ran.out) == (3, "")
        assert told in ran.err
        assert server.origin in ran.err
        assert "hunter2" not in ran.err

    @pytest.mark.parametrize("text", [b"{]", b"[]", b"{}", b'{"keys": 1}', b"-----BEGIN PUBLIC KEY-----", b"", b"\xff"])
    @pytest.mark.parametrize("action", ["show", "lint", "thumbprint"])
    def test_files_that_are_no_set(self, run, file, action, text):
        ran = run("jwks", action, file(text, "set.json"))
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.count("\n") == 1

    @pytest.mark.parametrize("action", ["show", "lint", "thumbprint", "diff"])
    def test_failures_as_json(self, run, file, action):
        with wire.Server(lambda _: wire.ANSWERS["not_found"](b"")) as server:
            for source, exit_code, code in (
                (file(b"{]", "set.json"), 2, "invalid_key"),
                ("missing.json", 2, "usage"),
                ("file:///etc/passwd", 2, "invalid_policy"),
                (server.url(), 3, "key_fetch_failed"),
            ):
                ran = run("jwks", action, "--json", "--allow-http", *[source] * (2 if action == "diff" else 1))
                told = ran.json()
                assert (ran.code, told["ok"], told["code"]) == (exit_code, False, code)
                assert ran.err == f"jotgate jwks: {told['message']}\n"

    def test_a_file_that_is_not_there(self, run):
        ran = run("jwks", "show", "missing.json")
        assert ran.code == 2
        assert "missing.json" in ran.err

    def test_schemes(self, run):
        ran = run("jwks", "show", "file:///etc/passwd")
        assert ran.code == 2
        assert "https" in ran.err


def test_an_action_is_needed(run):
    assert "ACTION" in run("jwks").err
    ran = run("jwks", "hunter2")
    assert ran.code == 2
    assert "show, lint, diff, thumbprint" in ran.err
    assert "hunter2" not in ran.err


@pytest.mark.parametrize("action", ["show", "lint", "diff", "thumbprint"])
def test_help_of_each_action(run, action):
    ran = run("jwks", action, "--help")
    assert ran.code == 0
    assert f"usage: jotgate jwks {action}" in ran.out


def test_colours(run, terminal, sets):
    assert "\x1b[32mused for ES256" in run("jwks", "show", sets(A)).out
