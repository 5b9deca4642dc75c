"""What must not be readable: names, shapes, real providers' claims, and what the message says."""

import json
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
from support import b64u, compact, header, rejects, signing_key, unb64u

from jotgate import Issuer
from jotgate.errors import PolicyError
from jotgate.issuing.guard import (
    MAX_TEXT,
    MOST_PERMISSIONS,
    NAMES,
    Finding,
    Guard,
    ReadableClaimWarning,
    findings,
)

PEM = "-----BEGIN PRIVATE KEY-----\nMIGHAgEA\n-----END PRIVATE KEY-----"
JWT = compact(header("HS256"))
JWE = "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.OKOawDo13gRp2ojaHV7L.48V1_ALb6US04U3b.5eym8TW_c8SuK0lt.XFBoMYUZod"


def kinds(claims: dict[str, Any], *readable: str) -> dict[str, str]:
    return {found.path: found.kind for found in findings(claims, readable)}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_name_whatever_it_says(name: str) -> None:
    for value in ("x", 7, ["x"], {"x": 1}):
        assert kinds({name: value}) == {name: NAMES[name]}
        assert kinds({f"https://example.com/{name}": value, f"custom:{name.upper()}": value}) == {
            f"https://example.com/{name}": NAMES[name],
            f"custom:{name.upper()}": NAMES[name],
        }
    # a flag and an empty value tell nothing
    assert not kinds(dict.fromkeys((name, f"x/{name}"), True))
    for nothing in (None, "", [], {}, False):
        assert not kinds({name: nothing})


@pytest.mark.parametrize("name", ["phone_number", "phoneNumber", "Phone-Number", "PHONE NUMBER", "phone.number"])
def test_a_name_in_every_style(name: str) -> None:
    assert kinds({name: "1"}) == {name: "personal"}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (PEM, "secret"),
        ("x" * 2000 + PEM.replace("PRIVATE", "RSA PRIVATE"), "secret"),
        ("-----BEGIN EC PRIVATE KEY-----", "secret"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----", "secret"),
        (JWT, "token"),
        (f"Bearer {JWT}", "token"),
        (f"It was {JWT}.", "token"),
        (compact(header("HS256"), {}), "token"),
        (b64u(b'{"alg":"none"}') + "..", "token"),
        (b64u(b'{"alg":"HS256"}') + ".eA.", "token"),
        (b64u(b'{ "typ":"x", "alg":"HS256"}') + "..c2ln", "token"),
        (f"eyJmb28iOjEsIngiOjF9.{JWT}", "token"),
        (JWE, "token"),  # whoever holds it can use it
        (f"Bearer {JWE}", "token"),
        (f"https://example.com/?token={JWT}", "token"),
        ("4111111111111111", "payment"),
        ("4111 1111 1111 1111", "payment"),
        ("5555-5555-5555-4444", "payment"),
        ("378282246310005", "payment"),
        ("30569309025904", "payment"),
        ("6011111111111117", "payment"),
        ("2223003122003222", "payment"),
        ("3530111333300000", "payment"),
        (4111111111111111, "payment"),
        ("DE89370400440532013000", "payment"),
        ("GB29 NWBK 6016 1331 9268 19", "payment"),
        ("NO9386011117947", "payment"),
        ("MT84MALT011000012345MTLCAST001S", "payment"),
        ("zoe@example.com", "personal"),
        ("mailto:zoe@example.com", "personal"),
        ("zoë.ångström+x@mail.exämple.co.uk", "personal"),
        ("Zoë <zoe@x.example>", "personal"),
        ("asked by zoe@example.com.", "personal"),
        ("svc@project.iam.gserviceaccount.com for zoe@example.com", "personal"),
        ("acct:zoe@example.com, owner", "personal"),
        ("AKIAIOSFODNN7EXAMPLE", "secret"),
        ("key AKIAIOSFODNN7EXAMPLE;", "secret"),
        ("ghp_" + "a1B2" * 9, "secret"),
        ("github_pat_" + "a1B2" * 9, "secret"),
        ("sk_live_" + "a1B2" * 6, "secret"),
        ("sk-ant-api03-" + "a1B2" * 10, "secret"),
        ("xoxb-1234567890-abcdef", "secret"),
        ("AIza" + "a1B2c" * 7, "secret"),
        ("npm_" + "a1B2" * 9, "secret"),
        ("DefaultEndpointsProtocol=https;AccountKey=" + "a1B2" * 21 + "==", "secret"),
        ("$2b$12$" + "a1B2" * 13, "secret"),
        ("$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$aGFzaA", "secret"),
        ("postgres://app:hunter2@db.example.com/main", "secret"),
        ("x" * (MAX_TEXT + 1), "long"),
    ],
)
def test_each_shape_whatever_it_is_called(value: Any, kind: str) -> None:
    assert kinds({"x": value}) == {"x": kind}
    assert kinds({"a": {"b": [1, {"c": value}]}}) == {"a.b[1].c": kind}
    assert kinds({"a": [[value]]}) == {"a[0][0]": kind}
    if isinstance(value, str):
        assert kinds({value: 1}) == {"*": kind}
        assert kinds({"a": {value: {"email": 1}}}) == {"a.*": kind}


@pytest.mark.parametrize(
    "value",
    [
        "eyJhbGciOiJIUzI1NiJ9",
        "eyJhbGciOiJIUzI1NiJ9.e30",
        "eyJmb28iOjEsIngiOjF9.e30.c2ln",  # an object, and no alg
        "eyJhbGciOjcsIngiOjF9.e30.c2ln",
        "example.export.jotgate.internal",
        "-----BEGIN PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----",
        "4111111111111112",  # Luhn
        "1767139200123456",  # microseconds
        1767225600,
        1767139200123,
        1767139200123456,
        1767139200123456789,
        "104857600000000000001",
        "9999999999999995",  # Luhn, but no network begins so
        "5f2b8c3e-4111-4111-8111-123456789012",
        "12345678-4111-1111-1111-111111111111",
        "DE88370400440532013000",  # check digits
        "DE8937040044053201300",  # length
        "ZZ89370400440532013000",
        "svc@project.iam.gserviceaccount.com",
        "qRC3mwk1wrMQ3zEajgayKtQTwQu@clients",
        "@scope/package",
        "package@1.2.3",
        "https://medium.com/@some.one",
        "git@host:repo/x.git",
        "git@github.com:jotgate/jotgate.git",
        "ssh://git@github.com/jotgate/jotgate.git",
        "run as svc@project.iam.gserviceaccount.com",
        "a@b",
        "https://example.com:8443/path?x=1:2@3",
        "urn:ietf:params:oauth:token-type:jwt",
        "arn:aws:iam::123456789012:role/Admin",
        "spiffe://example.com/ns/default/sa/web",
        "SK",
        "sk-user",
        "AKIA",
        "x" * MAX_TEXT,
        "E2ZgYFhj7JSJmAVe/ZOSplL/iMzJQi/lF0pT",
        True,
        None,
        1.5,
    ],
)
def test_what_only_looks_like_it(value: Any) -> None:
    assert kinds({"x": value}) == {}


def test_private_keys_as_jwk() -> None:
    for alg, member in (("ES256", "d"), ("RS256", "d"), ("HS256", "k"), ("Ed25519", "d"), ("ML-DSA-44", "priv")):
        private = signing_key(alg).to_jwk(private=True)
        assert member in private
        assert kinds({"cnf": {"jwk": private}}) == {"cnf.jwk": "secret"}
    # the public half is how a token is bound to a key (RFC 7800)
    assert not kinds({"cnf": {"jwk": signing_key("ES256").public_jwk()}})


@pytest.mark.parametrize("name", sorted(MOST_PERMISSIONS))
def test_permissions_that_go_stale(name: str) -> None:
    most = MOST_PERMISSIONS[name]
    assert not kinds({name: [f"p{number}" for number in range(most)]})
    many = [f"p{number}" for number in range(most + 1)]
    for value in (many, " ".join(many), {"a": many[:1], "b": many[1:]}, dict.fromkeys(many, True)):
        assert kinds({name: value}) == {name: "permissions"}
        assert kinds({"realm": {name: value}}) == {f"realm.{name}": "permissions"}


def test_readable_names_exceptions() -> None:
    claims = {"email": "zoe@example.com", "profile": {"email": "a@example.com", "phone": "1"}, "list": [{"email": "x"}]}
    assert kinds(claims) == {
        "email": "personal",
        "profile.email": "personal",
        "profile.phone": "personal",
        "list[0].email": "personal",
    }
    assert kinds(claims, "email") == {name: kind for name, kind in kinds(claims).items() if name != "email"}
    assert kinds(claims, "email", "profile.email", "list.email") == {"profile.phone": "personal"}
    assert kinds(claims, "email", "profile", "list") == {}
    assert kinds({"https://example.com/email": "x"}, "https://example.com/email") == {}


REAL = {
    "apple/client_secret": {},
    "apple/id": {"email": "personal"},
    "auth0/access": {},
    "auth0/access_rfc9068": {},
    "cognito/access": {},
    "cognito/id": {"email": "personal"},
    "entra/access_v1": {"unique_name": "personal"},
    "entra/access_v2": {"preferred_username": "personal"},
    "google/id": {"email": "personal", "given_name": "personal", "family_name": "personal"},
    "keycloak/access": {"email": "personal", "given_name": "personal", "family_name": "personal"},
    "okta/access": {"sub": "personal"},
}
PROVIDERS = Path(__file__).parents[2] / "vectors" / "idp"


def test_what_real_providers_write() -> None:
    texts = {f"{path.parent.name}/{path.stem}": path.read_text() for path in PROVIDERS.glob("*/*.jwt")}
    assert {name: kinds(json.loads(unb64u(text.split(".")[1]))) for name, text in texts.items()} == REAL


def test_the_message_names_the_claim_and_a_way_out_and_no_value() -> None:
    issuer = Issuer("i", signing_key("HS256"))
    for value in (PEM, JWT, "4111111111111111", "DE89370400440532013000", "zoe@example.com", "hunter2" * 200):
        for claims, path in (({"x": [{"y": value}]}, "x[0].y"), ({"x": {value: 1}}, "x.*")):
            error = rejects_readable(lambda claims=claims: issuer.issue("s", "a", claims))
            assert error.claim == path
            for text in (str(error), repr(error), *map(str, error.args)):
                assert value not in text
            assert "readable" in str(error)
            assert any(way in str(error) for way in ("JWE", "server"))
    (claims, path) = ({"profile": {"email": "x"}}, "profile.email")
    assert str(rejects_readable(lambda: issuer.issue("s", "a", claims))) == (
        "the token would hold personal data, which whoever holds the token can read: encrypt the token (JWE), let "
        "resource servers ask for it (introspection, userinfo), or look it up on the server by sub; readable lets a "
        f"claim through; found in: {path}"
    )
    ways = {kind: Finding("x", kind).message for kind in ("personal", "secret", "stale", "permissions", "token")}
    assert "JWE" in ways["personal"]
    assert "introspection" in ways["permissions"]
    assert "by sub" in ways["stale"]


def rejects_readable(run: Any) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        run()
    assert caught.value.code == "readable_claim"
    return caught.value


def test_modes() -> None:
    claims = {"email": "zoe@example.com", "balance": 7}
    key = signing_key("HS256")
    assert rejects_readable(lambda: Issuer("i", key).issue("s", "a", claims)).claim == "email"
    assert rejects_readable(lambda: Issuer("i", key, readable=("email",)).issue("s", "a", claims)).claim == "balance"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Issuer("i", key, readable=("email", "balance")).issue("s", "a", claims)
        assert Issuer("i", key, guard="off").issue("s", "a", claims)
    with pytest.warns(ReadableClaimWarning) as caught:
        assert Issuer("i", key, guard="warn").issue("s", "a", claims)
    assert [str(each.message).rpartition(": ")[2] for each in caught] == ["email", "balance"]
    assert {each.filename for each in caught} == {__file__}
    assert not [each for each in caught if "zoe" in str(each.message)]


def test_what_is_written_is_looked_at_not_what_was_given() -> None:
    """orjson writes dataclasses and enumerations: the guard sees what they become."""
    from dataclasses import dataclass

    @dataclass
    class Profile:
        email: str

    issuer = Issuer("i", signing_key("HS256"))
    assert rejects_readable(lambda: issuer.issue("s", "a", {"profile": Profile("x")})).claim == "profile.email"


@pytest.mark.parametrize("subject", ["zoe@example.com", "4111111111111111"])
def test_the_arguments_are_looked_at_too(subject: str) -> None:
    issuer = Issuer("i", signing_key("HS256"))
    assert rejects_readable(lambda: issuer.issue(subject, "a")).claim == "sub"
    assert Issuer("i", signing_key("HS256"), readable=["sub"]).issue(subject, "a")


@pytest.mark.parametrize("readable", ["email", b"email", None, [1], [""], 7])
def test_readable_is_a_collection_of_names(readable: Any) -> None:
    rejects("invalid_policy", lambda: Guard("raise", readable))
    rejects("invalid_policy", lambda: Issuer("i", signing_key("HS256"), readable=readable))


@pytest.mark.parametrize("mode", ["", "Raise", None, True, "ignore"])
def test_modes_that_do_not_exist(mode: Any) -> None:
    rejects("invalid_policy", lambda: Issuer("i", signing_key("HS256"), guard=mode))


def test_no_value_is_slow_to_look_at() -> None:
    """No pattern goes over a text more than a few times, whatever it repeats."""
    began = time.process_time()
    for piece in (
        "a",
        "a.",
        "a-",
        "sk-a-",
        "eyJ",
        "eyJaaaaaaaa.",
        "a@",
        "a@a.",
        "a@a.aa ",
        "a@a.aa:",
        "eyJaaaaaaaaaaaa.",
        "eyJhbGciOiJub25lIn0.",
        "eyJhbGciOjcsIngiOjF9..",
        "4 ",
        "DE89 ",
        "://",
        "a:a@",
        "$2b$",
        "-----BEGIN A ",
    ):
        text = piece * (MAX_TEXT // len(piece))
        list(findings({"x": [text] * 20}))
    assert time.process_time() - began < 2
