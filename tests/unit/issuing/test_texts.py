"""Secrets and card numbers in the forms in which they are copied, and what only looks like them."""

import base64
import json
import subprocess
import time

import pytest
from support import PUBLIC_ALGORITHMS, signing_key, verification_key

from jotgate.issuing.guard import MAX_TEXT, findings
from jotgate.issuing.texts import card_numbers, has_bearer_token, has_credential, has_private_key, is_private_jwk

CARD = "4111111111111111"


def kinds(claims):
    return {found.path: found.kind for found in findings(claims)}


def body_of(pem: str | bytes) -> str:
    text = pem.decode() if isinstance(pem, bytes) else pem
    return "".join(line for line in text.splitlines() if not line.startswith("-----"))


@pytest.mark.parametrize("alg", PUBLIC_ALGORITHMS)
def test_a_private_key_in_every_dress(alg):
    key = signing_key(alg)
    pem = key.to_pem()
    body = body_of(pem)
    jwk = json.dumps(key.to_jwk(private=True))
    dresses = {
        "pem": pem.decode(),
        "pem in base64": base64.b64encode(pem).decode(),
        "pkcs8": body,
        "pkcs8 as base64url": body.replace("+", "-").replace("/", "_").rstrip("="),
        "pkcs8 in lines": "\n".join(body[start : start + 64] for start in range(0, len(body), 64)),
        "pkcs8 in a text": f"the key is {body}, keep it",
        "encrypted": body_of(key.to_pem(b"hunter2hunter2")),
        "jwk": jwk,
        "jwk without spaces": jwk.replace(" ", ""),
        "jwk as a literal": str(key.to_jwk(private=True)),
        "jwk in JSON": json.dumps({"key": jwk}),
        "jwk in a text": f"use {jwk} here",
    }
    for dress, text in dresses.items():
        assert has_private_key(text), dress
        assert kinds({"x": text}) == {"x": "secret"}, dress
        assert kinds({"x": [{"y": text}]}) == {"x[0].y": "secret"}, dress
    public = verification_key(alg)
    for text in (json.dumps(public.to_jwk()), json.dumps({"keys": [public.to_jwk()]}), str(public.to_jwk())):
        assert not has_private_key(text)


def test_a_shared_secret_as_jwk():
    jwk = signing_key("HS256").to_jwk(private=True)
    assert kinds({"x": json.dumps(jwk)}) == {"x": "secret"}
    assert kinds({"x": {"keys": [jwk]}}) == {"x.keys[0]": "secret"}
    assert kinds(jwk) == {"k": "secret"}
    assert not kinds(jwk | {"k": ""})
    assert [found.path for found in findings(jwk, ["k"])] == []


@pytest.mark.parametrize(
    ("members", "private"),
    [
        ({"kty": "EC", "d": "x"}, True),
        ({"crv": "P-256", "d": "x"}, True),
        ({"kty": "oct", "k": "x"}, True),
        ({"kty": "AKP", "priv": "x"}, True),
        ({"kty": "EC", "d": ""}, False),
        ({"kty": "EC", "x": "x"}, False),
        ({"d": "x"}, False),
        ({"kty": 1, "d": "x"}, False),
    ],
)
def test_what_is_a_private_jwk(members, private):
    assert is_private_jwk(members) is private


OPENSSL = {
    "PKCS #1": ["genrsa", "-traditional", "2048"],
    "SEC 1": ["ecparam", "-name", "prime256v1", "-genkey", "-noout"],
    "PKCS #8": ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "X25519": ["genpkey", "-algorithm", "X25519"],
}


@pytest.mark.parametrize("form", OPENSSL)
def test_what_openssl_writes(form):
    pem = subprocess.run(["openssl", *OPENSSL[form]], capture_output=True, check=True).stdout
    for text in (pem.decode(), body_of(pem), base64.b64encode(pem).decode()):
        assert has_private_key(text)
    public = subprocess.run(["openssl", "pkey", "-pubout"], input=pem, capture_output=True, check=True).stdout
    for text in (public.decode(), body_of(public), base64.b64encode(public).decode()):
        assert not has_private_key(text)


def test_certificates_and_requests_are_public(tmp_path):
    for more in ((), ("-x509",)):
        command = ["openssl", "req", "-new", *more, "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x"]
        made = subprocess.run([*command, "-keyout", tmp_path / "key"], capture_output=True, check=True).stdout
        for text in (made.decode(), body_of(made), base64.b64encode(made).decode()):
            assert not has_private_key(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Basic dXNlcjpodW50ZXIy", "secret"),
        ("Authorization: basic dXNlcjpodW50ZXIy", "secret"),
        ("Basic dXNlcjpodW50ZXI=", "secret"),
        ("Bearer mF_9.B5f-4.1JqM-0123456789", "token"),
        ("Authorization: BEARER 0123456789abcdef0123", "token"),
        ("password=hunter2", "secret"),
        ("user=app;Password=hunter2;Database=x", "secret"),
        ("db_password=hunter2", "secret"),
        ("https://example.com/login?password=hunter2&x=1", "secret"),
        ('{"password": "hunter2"}', "secret"),
        ("{'pwd':'hunter2'}", "secret"),
        ("client_secret=abcd1234", "secret"),
        ("otpauth://totp/x?secret=JBSWY3DPEHPK3PXP", "secret"),
        ("api-key=0123456789", "secret"),
        ("my card is 4111 1111 1111 1111, thanks", "payment"),
        ("card: 4111-1111-1111-1111.", "payment"),
        ("4111.1111.1111.1111", "payment"),
        ("3782 822463 10005", "payment"),
        (f"paid by {CARD}", "payment"),
        (f"card={CARD};cvv=1", "payment"),
        (f"({CARD})", "payment"),
        ("４１１１ １１１１ １１１１ １１１１", "payment"),
    ],
)
def test_within_a_text(text, kind):
    assert kinds({"x": text}) == {"x": kind}
    assert kinds({"x": f"see: {text} (copied)"}) == {"x": kind}


@pytest.mark.parametrize(
    "text",
    [
        "Basic subscription",
        "Basic authentication is not enough",
        "basic plan",
        "Bearer authentication",
        "bearer_methods_supported",
        "Bearer of internationalisation",
        "grant_type=password&scope=read",
        "prompt=password",
        "password=",
        "password=***",
        "password=<password>",
        "password=${PASSWORD}",
        "password=true",
        "password=required",
        "password == x",
        "passwordless=enabled",
        "the password: it must have 12 characters",
        "scope:secret.read secret:write",
        '{"password": true, "password_policy": "strong"}',
        "5f2b8c3e-4111-4111-8111-123456789012",
        "12345678-4111-1111-1111-111111111111",
        f"urn:order:{CARD}",
        f"https://example.com/orders/{CARD}",
        f"/accounts/{CARD}/x",
        f"0{CARD}1",
        f"{CARD}.25",
        f"1.{CARD}",
        f"build-{CARD}",
        "order 4111 1111 1111 1112",
        "4111 1111-1111 1111 and so on",
        "1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6",
        "51.05105105105100",
        "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA" + "a1B2" * 8,
        "MC4CAQ",
        "M" * 80,
        "MAAA" * 30,
        "LS0tLS1CRUdJTi" + "A" * 40,
        '{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"}',
        '{"kty":"EC","d":"short"}',
    ],
)
def test_what_only_looks_like_it(text):
    assert kinds({"x": text}) == {}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("user_email", "personal"),
        ("userEmail", "personal"),
        ("customerPhone", "personal"),
        ("customer-phone-number", "personal"),
        ("user.email", "personal"),
        ("db_password", "secret"),
        ("userPassword", "secret"),
        ("USER_PASSWORD", "secret"),
        ("password1", "secret"),
        ("password_2", "secret"),
        ("client_secret_2", "secret"),
        ("oauth2AccessToken", "token"),
        ("stripeAPIKey", "secret"),
        ("backup_email2", "personal"),
        ("address1", "personal"),
        ("https://example.com/user_email", "personal"),
        ("custom:billingEmail", "personal"),
        ("ｅmail", "personal"),
        ("user_ｅｍａｉｌ", "personal"),
        ("employeeIBAN", "payment"),
    ],
)
def test_names_by_their_words(name, kind):
    assert kinds({name: "x"}) == {name: kind}
    assert kinds({name: True}) == {}
    assert kinds({name: ""}) == {}


@pytest.mark.parametrize(
    "name",
    [
        "email_verified",
        "emailVerified",
        "email_domain",
        "password_changed_at",
        "passwordPolicy",
        "ip_address",
        "macAddress",
        "wallet_address",
        "map_pin",
        "report_card",
        "repo_full_name",
        "load_balance",
        "secretary",
        "emailer",
        "phonetics",
        "token_type",
        "access_token_hash",
        "at_hash",
        "c_hash",
        "s_hash",
        "secrets_manager_region",
        "trace",
        "embrace",
        "spin",
        "company",
        "japan",
        "2",
        "",
        "12345",
    ],
)
def test_names_of_something_else(name):
    assert kinds({name: "x"}) == {}


def test_card_numbers():
    assert card_numbers("4111 1111 1111 1111, 3782-822463-10005") == [CARD, "378282246310005"]
    assert card_numbers("x") == []
    assert not has_bearer_token("Bearer")
    assert not has_credential("Basic")


def test_nothing_is_slow():
    began = time.process_time()
    for piece in (
        "M",
        "MA",
        "MIIE",
        "LS0tLS1CRUdJTi",
        "basic ",
        "basic aaaa",
        "bearer ",
        "Bearer a",
        "password",
        'password"   ',
        "password=",
        '"kty":"EC"',
        '"kty\\\\',
        '"d":"',
        "4111 ",
        "4111-1111-1111-",
        "A",
        "aA",
        "A_",
        "Aa1",
        "１",
        "\ufdfa",
    ):
        text = piece * (MAX_TEXT // len(piece))
        list(findings({"x": [text] * 20, text: 1}))
        list(findings({"x": piece * (16 * MAX_TEXT // len(piece))}))
    assert time.process_time() - began < 2
