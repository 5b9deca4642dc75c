"""The long form of a verdict: what, why, what to do, and whether the signature was valid."""

import json

import pytest
import support
from support import ABSENT, NOW


@pytest.fixture
def explain(run, trust):
    """Verify one token with the long form and return its lines by name."""

    def lines(token: str, *options: object) -> dict[str, str]:
        ran = run("verify", *trust, "--explain", *options, token)
        assert not ran.err
        first, *rest = ran.out.splitlines()
        rows: dict[str, str] = {"": first}
        for line in rest:
            name, _, text = line.strip().partition(" ")
            rows[name] = f"{rows[name]} | {text.strip()}" if name in rows else text.strip()
        return rows

    return lines


def test_accepted(explain, es256):
    rows = explain(es256())
    assert rows == {
        "": "accepted",
        "key": 'kid="main"  ES256   signature: valid',
        "exp": "2023-11-14 22:18:20Z   (in 5 min)",
        "issuer": f"{support.ISSUER} (matched)",
        "audience": f"{support.AUDIENCE} (matched)",
    }


def test_expired(explain, es256):
    rows = explain(es256(exp=NOW - 7080), "--leeway", "30")
    assert rows[""].startswith("refused: ")
    assert rows[""].endswith("  [expired: exp]")
    assert rows[""].count("exp]") == 1
    assert rows["key"] == 'kid="main"  ES256   signature: valid'
    assert rows["exp"] == "2023-11-14 20:15:20Z   (1 h 58 min ago; leeway 30 s)"
    assert rows["issuer"] == f"{support.ISSUER} (matched)"
    assert "hint" not in rows


def test_expired_by_little_may_be_the_clocks(explain, es256):
    assert "--leeway" in explain(es256(exp=NOW - 20))["hint"]


def test_not_yet_valid_and_issued_ahead(explain, es256):
    rows = explain(es256(nbf=NOW + 60))
    assert rows["nbf"] == "2023-11-14 22:14:20Z   (in 1 min)"
    assert "clocks" in rows["hint"]
    rows = explain(es256(iat=NOW + 7200))
    assert "(in 2 h)" in rows["iat"]
    assert "hint" not in rows


def test_lifetime_and_age_show_both_ends(explain, es256):
    rows = explain(es256(), "--max-lifetime", "10")
    assert {"iat", "exp", "hint"} <= set(rows)
    rows = explain(es256(iat=NOW - 100), "--max-age", "10")
    assert "--max-age" in rows["hint"]


def test_expectations_come_from_the_configuration_only(explain, es256):
    rows = explain(es256(iss="https://evil.example", aud=["evil"]), "--issuer", "https://two.example")
    assert rows["issuer"] == f"{support.ISSUER}, https://two.example (the token's is another)"
    assert rows["audience"] == f"{support.AUDIENCE} (the token's is another)"
    assert "evil" not in json.dumps(rows)


@pytest.mark.parametrize("issuer", [support.ISSUER + "/", support.ISSUER.upper()])
def test_near_misses_are_named_without_being_shown(explain, es256, issuer):
    rows = explain(es256(iss=issuer))
    assert rows["issuer"].endswith("(the token's differs only in case or in a trailing slash)")
    assert issuer not in json.dumps(rows)


def test_missing_claims(explain, es256):
    rows = explain(es256(iss=ABSENT))
    assert rows["issuer"].endswith("(the token names none)")
    assert rows["hint"] == "the issuer has to put it into its tokens"
    assert "--optional exp" in explain(es256(exp=ABSENT))["hint"]


def test_claims_of_a_wrong_type_do_not_disturb(explain, es256):
    for changes in ({"iss": 1}, {"aud": {"a": 1}}, {"aud": [1]}, {"exp": "soon"}, {"exp": True}, {"sub": []}):
        assert "[wrong_type: " in explain(es256(**changes))[""]


def test_bad_signature(explain, run, es256, tmp_path):
    rows = explain(es256()[:-4] + "AAAA")
    assert rows["key"].endswith("signature: invalid, so nothing else in it means anything")
    assert "exp" not in rows
    assert "issuer" not in rows
    secret = tmp_path / "secret"
    secret.write_bytes(b"s" * 40)
    argv = ["--secret-file", secret, "--alg", "HS256", "--any-issuer", "--any-audience"]
    assert "compare every byte" in run("verify", *argv, "--explain", support.token("HS256")).out


def test_unknown_kid_lists_the_kids_we_have(explain, es256):
    rows = explain(es256({"kid": "x"}))
    assert rows["key"] == 'kid="x"  ES256   signature: unknown'
    assert rows["we"] == 'have   "main" ES256, "second" EdDSA'
    assert "rotated" in rows["hint"]


def test_kid_of_another_algorithm(explain, es256):
    assert "with another algorithm" in json.dumps(explain(es256({"kid": "second"})))


def test_no_kid_among_several_keys(run, tmp_path, es256):
    from jotgate import KeySet

    keys = [support.verification_key("ES256", kid=kid, which=which) for which, kid in enumerate("ab")]
    path = tmp_path / "two.json"
    skipped = {"kty": "XYZ", "kid": "odd"}
    path.write_text(json.dumps({"keys": [*KeySet(keys).to_jwks()["keys"], skipped]}))
    token = support.compact({"alg": "ES256"}, alg="ES256")
    out = run("verify", "--jwks", path, "--any-issuer", "--any-audience", "--explain", token).out
    assert "names no kid" in out
    assert 'skipped   "odd"' in out


def test_long_key_sets_are_cut(run, tmp_path):
    from jotgate import KeySet

    keys = [support.verification_key("ES256", kid=f"k{which}", which=which) for which in range(15)]
    path = tmp_path / "many.json"
    path.write_text(json.dumps(KeySet(keys).to_jwks()))
    token = support.compact({"alg": "ES256", "kid": "x"}, alg="ES256")
    out = run("verify", "--jwks", path, "--any-issuer", "--any-audience", "--explain", token).out
    assert '"k11" ES256 and 3 more' in out


def test_algorithm(explain, es256):
    rows = explain(es256({"alg": "none"}))
    assert rows["key"] == 'kid="main"  none   signature: unknown'
    assert rows["allowed"] == "ES256, EdDSA"


def test_typ(explain, es256):
    rows = explain(es256({"typ": "JWT"}), "--typ", "at+jwt")
    assert rows["typ"] == "expected at+jwt"
    assert "ID token" in rows["hint"]


def test_malformed_says_where(explain, es256):
    rows = explain(es256() + "=")
    assert rows["why"] == "signature, character 87: ends with = padding, which a token does not have"
    assert rows["key"] == "unknown   signature: unknown"
    assert "no dots" in explain("opaque")["why"]


def test_malformed_bytes_from_a_file(run, trust):
    out = run("verify", *trust, "--explain", stdin=b"a.\xff.c\n").out
    assert "payload, character 1: not one of" in out
    assert "udcff" not in out


def test_line_number_of_a_file(run, trust, es256):
    out = run("verify", *trust, "--explain", stdin=f"\n{es256()}\n").out
    assert out.startswith("accepted  (line 2)\n")


def test_claims_are_shown_when_asked_for(run, trust, es256):
    out = run("verify", *trust, "--explain", "--claims", es256(name="a\x1bb\u202e")).out
    assert '    "name": "a\\u001bb\\u202e"\n' in out
    assert "\x1b" not in out


def test_terminal_gets_the_long_form_in_colour(run, trust, es256, terminal):
    out = run("verify", *trust, es256(exp=NOW - 1)).out
    assert out.startswith("\x1b[31mrefused\x1b[0m: ")
    assert "signature: \x1b[32mvalid\x1b[0m" in out


def test_terminal_without_colour(run, trust, es256, terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    out = run("verify", *trust, es256()).out
    assert out.startswith("accepted\n  key ")
    assert "\x1b" not in out


def test_nothing_of_a_hostile_token_reaches_the_terminal(run, trust, es256, monkeypatch):
    evil = "\x1b]0;owned\x07\x1b[2J\u202e\u2066\r\n"
    tokens = [
        es256({"kid": evil}),
        es256({"alg": evil}),
        es256({"typ": evil}, sub=evil, **{evil: evil}),
        es256(exp=NOW - 1, sub=evil),
        f"{es256()}{evil}",
    ]
    for form in (["--explain"], ["--explain", "--claims"], ["--claims"], ["--json", "--claims"], []):
        for token in tokens:
            out = run("verify", *trust, *form, token).out
            assert all(line.isprintable() for line in out.split("\n"))


def test_times_in_milliseconds_are_pointed_out(explain, run, trust, es256):
    for name in ("exp", "iat", "nbf"):
        token = es256(**{name: NOW * 1000})
        assert explain(token)["hint"].startswith(f"{name} seems to be in milliseconds")
        row = run("verify", *trust, "--json", token).json()
        assert row["code"] == "invalid_claim"
        assert row["hint"] == [f"{name} seems to be in milliseconds; the times of a token are seconds since 1970"]


HINTS = [
    (lambda token: f"Bearer {token}", 'begins with "Bearer "'),
    (lambda token: f"{token} ", "white space around the token"),
    (lambda token: f'"{token}"', "in quotes"),
    (lambda token: f"{token}.x.y", "five parts: an encrypted token (JWE)"),
    (lambda token: f"{token}=", "ends with = padding"),
    (lambda token: f"{token}%", "not one of A-Z"),
    (lambda token: token.rpartition(".")[0], "two parts"),
]


@pytest.mark.parametrize(("change", "hint"), HINTS)
def test_hints_of_the_long_form_stand_in_json_too(run, trust, es256, change, hint):
    token = change(es256(sub="subject-of-the-token"))
    row = run("verify", *trust, "--json", token).json()
    assert row["code"] == "malformed"
    assert hint in " | ".join(row["hint"])
    out = run("verify", *trust, "--explain", token).out
    for line in row["hint"]:
        assert line in out


def test_other_hints_in_json(run, trust, es256):
    for token, hint in (
        (es256(aud="x"), "another service"),
        (es256({"kid": "x"}), "rotated"),
        (es256({"alg": "RS256"}), "--alg"),
        (es256(exp=NOW - 20), "--leeway"),
    ):
        assert hint in " | ".join(run("verify", *trust, "--json", token).json()["hint"])
    assert run("verify", *trust, "--json", es256(exp=NOW - 7200)).json()["hint"] == []


def test_hints_quote_nothing_of_the_token(run, trust):
    header = support.b64u(b'{"alg":"ES256","member-of-the-token":1,"member-of-the-token":2}')
    payload = support.b64u(b'{"member-of-the-token":1,"member-of-the-token":2}')
    for token in (f"{header}.{payload}.AA", f"\u2603{header}.{payload}.AA"):
        for form in ("--json", "--explain"):
            out = run("verify", *trust, form, token).out
            assert "of-the-token" not in out
            assert "\u2603" not in out
            assert "u2603" not in out
    assert "'member-of-the-token': a member stands twice" in run("inspect", f"{header}.{payload}.AA").out
