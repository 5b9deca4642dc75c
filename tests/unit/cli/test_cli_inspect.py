"""`jotgate inspect`: everything that can be read is shown, nothing is called verified, faults are found."""

import json

import pytest
import support
from support import NOW, b64u, dumps

from jotgate.cli.lenient import read


def token(head: object = None, payload: object = None, signature: bytes = b"s" * 64) -> str:
    head = {"alg": "ES256", "kid": "main"} if head is None else head
    payload = support.claims() if payload is None else payload
    return f"{b64u(dumps(head))}.{b64u(dumps(payload))}.{b64u(signature)}"


@pytest.fixture
def codes(run):
    """Inspect a token and return its findings as {code: severity}."""

    def found(text: str) -> dict[str, str]:
        return {each["code"]: each["severity"] for each in run("inspect", "--json", text).json()["findings"]}

    return found


def test_the_banner_comes_first(run):
    ran = run("inspect", token())
    assert ran.code == 0
    assert ran.out.startswith(" NOTHING IN THIS TOKEN WAS VERIFIED \n")
    assert "jotgate verify" in ran.out


def test_clean_token(run):
    lines = run("inspect", token()).out.splitlines()
    assert '  alg  "ES256"' in lines
    assert '  iss  "https://auth.example.com"' in lines
    assert "  exp  1700000300  2023-11-14 22:18:20Z, in 5 min" in lines
    assert "signature  64 bytes, not checked" in lines
    assert lines[-1] == "findings  none. That does not make the token genuine"


def test_json(run):
    shown = run("inspect", "--json", token()).json()
    assert shown["verified"] is False
    assert shown["readable"] is True
    assert shown["header"] == {"alg": "ES256", "kid": "main"}
    assert shown["claims"] == support.claims()
    assert shown["times"]["exp"] == {"utc": "2023-11-14 22:18:20Z", "seconds_from_now": 300}
    assert shown["signature_bytes"] == 64
    assert shown["findings"] == []


def test_inputs(run, tmp_path):
    path = tmp_path / "token"
    path.write_text(token() + "\n")
    for argv, stdin in (([token()], None), (["-"], token()), ([], token() + "\n"), (["--file", path], None)):
        assert run("inspect", "--json", *argv, stdin=stdin).json()["findings"] == []
    assert "no token given" in run("inspect").err
    assert run("inspect", "--file", path, token()).code == 2
    assert run("inspect", "--file", "nowhere").code == 2
    assert run("inspect", stdin=b"").code == 2


FAULTS = {
    "alg_none": token({"alg": "nOnE"}),
    "no_alg": token({}),
    "alg_type": token({"alg": 1}),
    "alg_case": token({"alg": "es256"}),
    "unknown_alg": token({"alg": "ES999"}),
    "crit": token({"alg": "ES256", "crit": ["x"]}),
    "b64": token({"alg": "ES256", "b64": False}),
    "typ": token({"alg": "ES256", "typ": 1}),
    "kid": token({"alg": "ES256", "kid": 7}),
    "signature_size": token(signature=b"s" * 63),
    "no_signature": token(signature=b""),
    "expired": token(payload=support.claims(exp=NOW)),
    "not_yet_valid": token(payload=support.claims(nbf=NOW + 1)),
    "issued_in_future": token(payload=support.claims(iat=NOW + 1)),
    "milliseconds": token(payload=support.claims(exp=NOW * 1000)),
    "invalid_claim": token(payload=support.claims(exp=-1)),
    "wrong_type": token(payload=support.claims(exp=str(NOW))),
    "bad_base64": token() + "!",
    "padding": token() + "==",
    "standard_base64": token(signature=b"\xff" * 64).replace("_", "/"),
    "non_canonical_base64": token()[:-1] + "x",
    "white_space": f" {token()}",
    "bearer_prefix": f"Bearer {token()}",
    "quotes": f'"{token()}"',
    "empty": "",
    "not_a_jwt": "opaque-token",
    "part_count": token() + ".x",
    "encrypted": f"{b64u(dumps({'alg': 'dir', 'enc': 'A256GCM'}))}....",
    "json_serialization": '{"payload":"x.y.z"}',
    "duplicate_member": token(b'{"alg":"ES256","\\u0061lg":"none"}'),
    "bad_json": token(payload=b"{'a':1}"),
    "number_range": token(payload=b'{"x":1e999}'),
    "trailing_data": token(payload=b"{} {}"),
    "not_an_object": token(payload=b"[1]"),
    "byte_order_mark": token(payload=b"\xef\xbb\xbf{}"),
    "not_utf8": token(payload=b'{"x":"\xff"}'),
    "too_deep": token(payload=b"[" * 100_000),
}


@pytest.mark.parametrize("code", FAULTS)
def test_faults(run, codes, code):
    assert codes(FAULTS[code])[code] == "refused"
    assert f"refused  {code}" in run("inspect", FAULTS[code]).out


RISKS = {
    "no_exp": ("risk", token(payload={"iss": "x"})),
    "no_iss": ("risk", token(payload={"exp": NOW + 9})),
    "no_aud": ("risk", token(payload={"iss": "x"})),
    "empty_aud": ("risk", token(payload=support.claims(aud=[]))),
    "long_lifetime": ("risk", token(payload=support.claims(exp=NOW + 86401))),
    "no_lifetime": ("risk", token(payload=support.claims(iat=NOW - 5, exp=NOW - 5))),
    "embedded_key": ("risk", token({"alg": "ES256", "jku": "https://evil.example"})),
    "kid_shape": ("risk", token({"alg": "ES256", "kid": "../../dev/null"})),
    "zip": ("risk", token({"alg": "ES256", "zip": "DEF"})),
    "too_large": ("risk", token(payload=support.claims(x="y" * 20000))),
    "secret_claim": ("risk", token(payload=support.claims(password="x"))),
    "weak_algorithm": ("risk", f"{b64u(dumps({'alg': 'RSA1_5', 'enc': 'x'}))}.a.a.a.a"),
    "large": ("note", token(payload=support.claims(x="y" * 5000))),
    "shared_secret": ("note", token({"alg": "HS256", "kid": "x"}, signature=b"s" * 32)),
    "no_kid": ("note", token({"alg": "ES256"})),
    "nested": ("note", token({"alg": "ES256", "cty": "JWT"})),
}


@pytest.mark.parametrize("code", RISKS)
def test_risks_and_notes(codes, code):
    severity, text = RISKS[code]
    assert codes(text)[code] == severity


@pytest.mark.parametrize("kid", ["' OR 1=1 --", "a;b", "`id`", "$(id)", "file:///etc", "a\x1b"])
def test_shapes_of_kid(codes, kid):
    assert codes(token({"alg": "ES256", "kid": kid}))["kid_shape"] == "risk"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("kid", token({"alg": "ES256", "kid": "x" * 257})),
        ("wrong_type", token(payload=support.claims(sub=7))),
        ("wrong_type", token(payload=support.claims(exp=[1]))),
        ("wrong_type", token(payload=support.claims(aud=[1]))),
        ("number_range", token(payload=b'{"x":' + b"9" * 5000 + b"}")),
        ("number_range", token(payload=b'{"x":-9223372036854775809}')),
        ("bad_json", token(payload=b'{"x":NaN}')),
    ],
)
def test_more_faults(codes, code, text):
    assert codes(text)[code] == "refused"


def test_kid_that_is_an_address(codes):
    assert codes(token({"alg": "ES256", "kid": "https://auth.example.com/k1"}))["kid_shape"] == "note"


@pytest.mark.parametrize("kid", ["2026-11-a", "abc.def_ghi", "urn:key:1"])
def test_ordinary_kids(codes, kid):
    assert codes(token({"alg": "ES256", "kid": kid})) == {}


@pytest.mark.parametrize(
    ("alg", "size"), [("EdDSA", 64), ("EdDSA", 114), ("RS256", 256), ("RS256", 512), ("ES512", 132)]
)
def test_sizes_of_signatures(codes, alg, size):
    assert codes(token({"alg": alg, "kid": "x"}, signature=b"s" * size)) == {}


def test_der_signature_and_short_rsa_are_explained(run):
    assert "it looks like DER" in run("inspect", token(signature=b"\x30" * 70)).out
    assert "less than 2048 bits" in run("inspect", token({"alg": "RS256"}, signature=b"s" * 128)).out


def test_positions_are_those_of_the_part(run):
    header, payload, signature = token().split(".")
    shown = run("inspect", "--json", f"{header}.{payload[:9]}*{payload[10:]}.{signature}").json()
    found = next(each for each in shown["findings"] if each["code"] == "bad_base64")
    assert (found["part"], found["position"]) == ("payload", 10)


def test_gravest_findings_come_first(run):
    text = token({"alg": "HS256", "jku": "x"}, {"exp": 1}, b"s" * 32)
    order = [each["severity"] for each in run("inspect", "--json", text).json()["findings"]]
    assert order == sorted(order, key=["refused", "risk", "note"].index)
    assert set(order) == {"refused", "risk", "note"}


READABLE = [
    f"Bearer {token()}",
    f"Authorization: bearer {token()}",
    f'"{token()}"',
    token()[:50] + "\n   " + token()[50:],
    token() + "==",
    token().rpartition(".")[0],
    token({"alg": "none"}, signature=b""),
    f"{b64u(dumps({'alg': 'dir'}))}.x.x.x.x",
    token(b'{"alg":"ES256","alg":"none"}'),
    token(payload=b"\xef\xbb\xbf{}"),
    token(payload='{"a":1}'.encode("utf-16-le")),
    token(payload='{"a":1}'.encode("utf-16")),
    token(payload='{"a":1}'.encode("utf-16-be")),
]
UNREADABLE = ["", "x", "..", "a.b.c", token(payload=b"not json"), token(b"[]"), token(payload=b"\xff" * 30)]


@pytest.mark.parametrize("text", READABLE)
def test_exit_0_when_header_and_claims_could_be_read(run, text):
    assert run("inspect", text).code == 0
    assert run("inspect", "--json", text).code == 0


@pytest.mark.parametrize("text", UNREADABLE)
def test_exit_1_when_they_could_not(run, text):
    assert run("inspect", text).code == 1
    assert run("inspect", "--json", text).code == 1


def test_payload_that_is_no_object_is_shown_as_text(run):
    ran = run("inspect", token(payload=b"hello \x1b[31m" + b"x" * 1000))
    assert "hello \\x1b[31m" in ran.out
    assert ran.out.count("x") < 700
    shown = run("inspect", "--json", token(payload=b"hello")).json()
    assert (shown["payload_text"], shown["claims"]) == ("hello", None)


def test_nothing_of_a_hostile_token_reaches_the_terminal(run, terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    evil = "\x1b]0;owned\x07\x9b2J\u202e\u2066\r\n\ud83d"
    hostile = [
        token(
            json.dumps({"alg": evil, "kid": evil, evil: evil}).encode(),
            json.dumps({evil: {evil: [evil] * 9}, "sub": evil}).encode(),
        ),
        token(payload=evil.encode("utf-8", "surrogatepass") * 9),
        token(payload=json.dumps({evil: 1})[:-1].encode() + b"," + json.dumps({evil: 2})[1:].encode()),
        f"a.{evil}.c",
        evil,
    ]
    for text in hostile:
        for form in ([], ["--json"]):
            out = run("inspect", *form, text).out
            assert all(line.isprintable() for line in out.split("\n"))


def test_long_values_are_laid_out(run):
    roles = {"roles": [f"role-{number}" for number in range(20)], "more": {"a": 1}}
    lines = run("inspect", token(payload=support.claims(access=roles))).out.splitlines()
    assert '              "role-0",' in lines
    assert "  access  {" in lines


def test_every_text_is_read_without_an_error(run):
    import random

    source = random.Random(5)
    base = token()
    for _ in range(300):
        text = list(base)
        for _ in range(source.randint(1, 4)):
            text[source.randrange(len(text))] = chr(source.choice([*range(128), 0x20AC, 0xD800]))
        reading = read("".join(text))
        assert reading.readable or reading.findings


def test_what_the_engine_refuses_is_never_called_clean(run, codes):
    """The lenient reader must not miss a fault of form that `peek` sees."""
    for payload in (b'{"a":"\\ud800"}', b'{"a":' * 40 + b"1" + b"}" * 40, b'{"a":12345678901234567890123}'):
        assert "refused" in codes(token(payload=payload)).values()


def test_of_several_lines_the_first_token_is_shown(run, tmp_path):
    path = tmp_path / "tokens"
    path.write_text(f"\n{token(payload={'sub': 'first'})}\r\n\njunk\n{token(payload={'sub': 'second'})}\n")
    for argv, stdin in ((["--file", path], None), ([], path.read_bytes()), ([path.read_text()], None)):
        ran = run("inspect", *argv, stdin=stdin)
        assert ran.code == 0
        assert '"first"' in ran.out
        assert "second" not in ran.out
        assert "This is the first token of several: 2 more lines follow it." in ran.out
        shown = run("inspect", "--json", *argv, stdin=stdin).json()
        assert (shown["claims"], shown["more_lines"]) == ({"sub": "first"}, 2)
        assert "white_space" not in [finding["code"] for finding in shown["findings"]]
    two = f"{token()}\n{token()}"
    assert "1 more line follows it" in run("inspect", stdin=two).out


def test_a_wrapped_token_is_read_as_one(run):
    text = token()
    for width in (20, 64, 76):
        wrapped = "\n".join(text[at : at + width] for at in range(0, len(text), width))
        shown = run("inspect", "--json", stdin=wrapped + "\n").json()
        assert (shown["claims"], shown["more_lines"]) == (support.claims(), 0)
        shown = run("inspect", "--json", stdin=f"{wrapped}\n{text}\n").json()
        assert shown["more_lines"] == 1


def test_what_a_message_is_about_stands_beside_it(run):
    shown = run("inspect", "--json", token() + "!").json()
    found = next(each for each in shown["findings"] if each["code"] == "bad_base64")
    assert found["detail"] == "'!'"
    assert "!" not in found["message"]
