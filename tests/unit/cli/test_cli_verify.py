"""`jotgate verify`: keys, policy, inputs, verdicts, exit codes."""

import json
import os

import pytest
import support
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from support import NOW

ANYBODY = ["--any-issuer", "--any-audience"]
SECRET = support.secret_key("HS256")[:40]


def public_pem(alg: str) -> bytes:
    return support.secret_key(alg).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private_pem(alg: str) -> bytes:
    return support.secret_key(alg).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def private_der(alg: str, encryption: KeySerializationEncryption | None = None) -> bytes:
    return support.secret_key(alg).private_bytes(Encoding.DER, PrivateFormat.PKCS8, encryption or NoEncryption())


def test_accepted(run, trust, es256):
    ran = run("verify", *trust, es256())
    assert ran == (0, 'accepted: ES256 kid="main"\n', "")


def test_refused(run, trust, es256):
    ran = run("verify", *trust, es256(exp=NOW - 1))
    assert ran.code == 1
    assert ran.out.startswith("refused: expired (exp), signature valid: ")
    assert ran.out.count("exp)") == ran.out.count("\n") == 1
    assert not ran.out.endswith(": exp\n")


def test_json_of_an_accepted_token_has_no_claims_unless_asked_for(run, trust, es256):
    ran = run("verify", *trust, "--json", es256(secret_claim="hush"))
    assert ran.code == 0
    assert ran.json() == {
        "ok": True,
        "code": None,
        "claim": None,
        "message": "accepted",
        "signature": "valid",
        "kid": "main",
        "alg": "ES256",
        "source": "argument",
        "line": 1,
        "hint": [],
    }
    ran = run("verify", *trust, "--json", "--claims", es256(secret_claim="hush"))
    assert ran.json()["claims"] == support.claims(secret_claim="hush")


def test_claims_of_an_accepted_token_on_its_line(run, trust, es256):
    out = run("verify", *trust, "--claims", es256()).out
    assert out.startswith('accepted: ES256 kid="main" {"iss":')
    assert json.loads(out.partition('"main" ')[2]) == support.claims()


@pytest.mark.parametrize("form", ["--json", "--explain", None])
def test_claims_of_a_refused_token_are_never_shown(run, trust, es256, form):
    token = es256(exp=NOW - 1, secret_claim="hush", iss="https://other.example", sub="someone")
    ran = run("verify", *trust, "--claims", *([form] if form else []), token)
    assert ran.code == 1
    assert not any(word in ran.out for word in ("hush", "other.example", "someone"))


CASES = {
    "expired": (lambda sign: sign(exp=NOW - 1), "expired", "exp", "valid"),
    "other audience": (lambda sign: sign(aud="x"), "wrong_audience", "aud", "valid"),
    "tampered": (lambda sign: sign()[:-6] + "AAAAAA", "bad_signature", None, "invalid"),
    "unknown kid": (lambda sign: sign({"kid": "x"}), "unknown_key", None, "unknown"),
    "other algorithm": (lambda sign: sign({"alg": "HS256"}), "algorithm_not_allowed", None, "unknown"),
    "none": (lambda sign: sign({"alg": "none"}), "algorithm_not_allowed", None, "unknown"),
    "crit": (lambda sign: sign({"crit": ["x"], "x": 1}), "unsupported_critical_header", None, "unknown"),
    "junk": (lambda _: "junk", "malformed", None, "unknown"),
    "long": (lambda sign: sign(pad="x" * 20000), "too_large", None, "unknown"),
    "not claims": (
        lambda _: support.compact({"alg": "ES256", "kid": "main"}, b"[]", alg="ES256"),
        "malformed",
        None,
        "valid",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_whether_the_signature_was_valid(run, trust, es256, case):
    make, code, claim, signature = CASES[case]
    row = run("verify", *trust, "--json", make(es256)).json()
    assert (row["ok"], row["code"], row["claim"], row["signature"]) == (False, code, claim, signature)


def test_typ_is_refused_before_the_signature_but_it_is_looked_at(run, trust, es256):
    row = run("verify", *trust, "--json", "--typ", "at+jwt", es256()).json()
    assert (row["code"], row["claim"], row["signature"]) == ("missing_claim", "typ", "valid")


def test_names_of_a_refused_token_are_bounded(run, trust, es256):
    row = run("verify", *trust, "--json", es256({"kid": "x" * 257})).json()
    assert row["kid"] is None
    assert row["alg"] == "ES256"


def test_quiet(run, trust, es256):
    assert run("verify", *trust, "--quiet", es256()) == (0, "", "")
    assert run("verify", *trust, "--quiet", "junk") == (1, "", "")


def test_bearer_prefix_is_refused_and_pointed_out(run, trust, es256):
    ran = run("verify", *trust, "--explain", f"Bearer {es256()}")
    assert ran.code == 1
    assert 'begins with "Bearer "' in ran.out


# Keys


@pytest.mark.parametrize("alg", ["RS256", "PS384", "ES256", "ES512", "EdDSA", "ML-DSA-44"])
def test_public_key_in_pem_der_and_jwk(run, file, alg):
    token = support.token(alg)
    pem = public_pem(alg)
    der = support.secret_key(alg).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    jwk = support.verification_key(alg).to_jwk()
    for content in (pem, der, json.dumps(jwk)):
        ran = run("verify", "--key", file(content), "--alg", alg, *ANYBODY, token)
        assert (ran.code, ran.err) == (0, "")


@pytest.mark.parametrize("alg", ["ES256", "ES384", "EdDSA", "Ed448"])
def test_algorithm_is_needless_where_the_key_fixes_it(run, file, alg):
    token = support.compact({"alg": "EdDSA" if alg == "Ed448" else alg}, alg=alg)
    assert run("verify", "--key", file(public_pem(alg)), *ANYBODY, token).code == 0
    jwk = {name: value for name, value in support.verification_key(alg).to_jwk().items() if name != "alg"}
    assert run("verify", "--key", file(json.dumps(jwk)), *ANYBODY, token).code == 0


def test_algorithm_of_an_rsa_key_must_be_said(run, file):
    path = file(public_pem("RS256"), "rsa.pem")
    ran = run("verify", "--key", path, *ANYBODY, "junk")
    assert ran.code == 2
    assert "rsa.pem: a key of type RSA can serve RS256," in ran.err
    assert "say the one with --alg" in ran.err
    assert run("verify", "--key", path, "--alg", "RS256,PS256", *ANYBODY, "junk").code == 2
    ran = run("verify", "--key", path, "--alg", "ES256", *ANYBODY, "junk")
    assert "names no algorithm for a key of type RSA" in ran.err


def test_several_keys(run, file):
    paths = [file(public_pem(alg), alg) for alg in ("RS256", "ES256")]
    argv = ["--key", paths[0], "--key", paths[1], "--alg", "RS256", "--alg", "ES256", *ANYBODY]
    for alg in ("RS256", "ES256"):
        assert run("verify", *argv, support.token(alg)).code == 0


def test_key_that_the_algorithms_leave_out(run, file, jwks):
    ran = run("verify", "--jwks", jwks, "--alg", "RS256", *ANYBODY, "junk")
    assert ran.code == 2
    assert "the keys are for ES256, EdDSA" in ran.err


def test_jwks_without_alg(run, file):
    jwk = {name: value for name, value in support.verification_key("RS256", kid="k").to_jwk().items() if name != "alg"}
    path = file(json.dumps({"keys": [jwk]}))
    token = support.compact({"alg": "RS256", "kid": "k"}, alg="RS256")
    assert run("verify", "--jwks", path, "--alg", "RS256", *ANYBODY, token).code == 0
    ran = run("verify", "--jwks", path, *ANYBODY, token)
    assert ran.code == 2
    assert "name no algorithm" in ran.err


def test_jwks_from_standard_input(run, jwks, es256):
    assert run("verify", "--jwks", "-", *ANYBODY, es256(), stdin=jwks.read_bytes()).code == 0
    ran = run("verify", "--jwks", "-", *ANYBODY, "-", stdin=jwks.read_bytes())
    assert ran.code == 2
    assert "only one of the inputs" in ran.err
    assert run("verify", "--jwks", "-", *ANYBODY, stdin=jwks.read_bytes()).code == 2


BAD_KEYS = {
    "empty": (b"", "is empty"),
    "text": (b"hello", "no PEM key"),
    "private": (private_pem("ES256"), "pass the public key (keygen --public writes it)"),
    "private DER": (private_der("ES256"), "pass the public key (keygen --public writes it)"),
    "encrypted DER": (private_der("ES256", BestAvailableEncryption(b"x")), "pass the public key"),
    "an array": (b"[]", "cannot be used"),
    "escaped line breaks": (public_pem("ES256").replace(b"\n", b"\\n"), "line breaks"),
    "broken JSON": (b'{"kty":', "cannot be used"),
    "duplicate members": (b'{"kty":"EC","kty":"oct"}', "cannot be used"),
    "a set": (b'{"keys":[]}', "use --jwks"),
    "a number": (b'{"kty":1}', "kty"),
    "damaged": (public_pem("ES256")[:60], ""),
    "damaged DER": (b"\x30\x59\x30", ""),
    "huge": (b"x" * (5 << 20), "larger than"),
    "private JWK": (
        json.dumps(support.verification_key("ES256").to_jwk() | {"d": "AAAA"}).encode(),
        "pass the public key",
    ),
    "SSH": (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ", "OpenSSH"),
}


@pytest.mark.parametrize("case", BAD_KEYS)
def test_bad_keys_are_a_usage_error_in_one_line(run, file, case):
    content, message = BAD_KEYS[case]
    ran = run("verify", "--key", file(content), "--alg", "ES256", *ANYBODY, "junk")
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert ran.err.count("\n") == 1


def test_keys_where_a_key_set_belongs(run, file):
    jwk = json.dumps(support.verification_key("ES256").to_jwk())
    for document in (jwk.encode(), public_pem("ES256")):
        ran = run("verify", "--jwks", file(document), *ANYBODY, "junk")
        assert ran.code == 2
        assert ran.err.endswith("use --key\n")


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"{}", b'{"keys":[]}', b'{"keys":[{"kty":"RSA","n":"AQ","e":"AQ"}]}', b"\xff"]
)
def test_bad_key_sets(run, file, document):
    ran = run("verify", "--jwks", file(document), *ANYBODY, "junk")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1


def test_missing_files_directories_and_addresses(run, tmp_path):
    for path in ("nowhere", tmp_path):
        assert "cannot read the JWKS document" in run("verify", "--jwks", path, *ANYBODY, "junk").err
    ran = run("verify", "--jwks", "https://auth.example.com/jwks.json", *ANYBODY, "junk")
    assert ran.code == 2
    assert "fetch it first" in ran.err


# Secrets


def test_secret_from_file_environment_and_standard_input(run, file, monkeypatch):
    token = support.token("HS256", key=SECRET)
    argv = ["verify", "--alg", "HS256", *ANYBODY, token]
    monkeypatch.setenv("JOTGATE_TEST_SECRET", os.fsdecode(b"s" * 40))
    assert run(*argv, "--secret-file", file(SECRET)).code == 0
    assert run(*argv, "--secret-file", "-", stdin=SECRET).code == 0
    assert run(*argv, "--secret-env", "JOTGATE_TEST_SECRET").code == 1
    text_token = support.token("HS256", key=b"s" * 40)
    assert run("verify", "--alg", "HS256", *ANYBODY, text_token, "--secret-env", "JOTGATE_TEST_SECRET").code == 0


def test_line_break_after_a_text_secret_is_not_part_of_it(run, file):
    for secret, content in ((b"t" * 40, b"t" * 40 + b"\n"), (b"t" * 40, b"t" * 40 + b"\r\n")):
        token = support.token("HS256", key=secret)
        assert run("verify", "--alg", "HS256", *ANYBODY, token, "--secret-file", file(content)).code == 0
    binary = b"\x80" * 39 + b"\n"
    token = support.token("HS256", key=binary)
    assert run("verify", "--alg", "HS256", *ANYBODY, token, "--secret-file", file(binary)).code == 0


def test_secrets_that_cannot_be_used(run, file, monkeypatch):
    monkeypatch.setenv("JOTGATE_TEST_SECRET", "")
    monkeypatch.delenv("JOTGATE_TEST_NOTHING", raising=False)
    cases = [
        (["--secret-env", "JOTGATE_TEST_NOTHING"], "not set"),
        (["--secret-env", "JOTGATE_TEST_SECRET"], "empty"),
        (["--secret-file", file(b"\n", "newline")], "empty"),
        (["--secret-file", file(b"tooshort", "short")], "32 bytes"),
        (["--secret-file", file(public_pem("RS256"), "pem")], "PEM"),
    ]
    for argv, message in cases:
        ran = run("verify", "--alg", "HS256", *ANYBODY, "junk", *argv)
        assert ran.code == 2
        assert message in ran.err
        assert "tooshort" not in ran.err
    for algorithms in ([], ["--alg", "HS256,HS384"], ["--alg", "RS256"]):
        ran = run("verify", *algorithms, *ANYBODY, "junk", "--secret-file", file(SECRET))
        assert ran.code == 2


def test_no_secret_and_no_token_in_any_output(run, file):
    secret = b"correct-horse-battery-staple-0123456789"
    token = support.token("HS256", key=secret, sub="subject-of-the-token")
    for form in ([], ["--json"], ["--explain"]):
        for text in (token, token[:-3] + "AAA"):
            ran = run("verify", "--alg", "HS256", *ANYBODY, "--secret-file", file(secret), *form, text)
            assert not any(part in ran.out + ran.err for part in (secret.decode(), "subject-of", *text.split(".")))


# Policy

POLICIES = [
    (["--leeway", "30"], {"exp": NOW - 20}, 0),
    (["--leeway", "10s"], {"exp": NOW - 20}, 1),
    (["--max-age", "5m"], {"iat": NOW - 200}, 0),
    (["--max-age", "2m"], {"iat": NOW - 200}, 1),
    (["--max-lifetime", "1h"], {"exp": NOW + 3600}, 0),
    (["--max-lifetime", "30m"], {"exp": NOW + 3600}, 1),
    (["--require", "jti"], {"jti": "x"}, 0),
    (["--require", "jti,sub"], {}, 1),
    (["--optional", "exp"], {"exp": support.ABSENT}, 0),
    ([], {"exp": support.ABSENT}, 1),
    (["--subject", support.SUBJECT], {}, 0),
    (["--subject", "other"], {}, 1),
    (["--authorized-party", "web"], {"azp": "web"}, 0),
    (["--authorized-party", "web"], {"azp": "app"}, 1),
    (["--max-token-bytes", "100"], {}, 1),
    (["--audience", "other"], {}, 0),
    (["--issuer", "other"], {}, 0),
]


@pytest.mark.parametrize(("options", "claims", "code"), POLICIES)
def test_policy(run, trust, es256, options, claims, code):
    ran = run("verify", *trust, *options, es256(**claims))
    assert (ran.code, ran.err) == (code, "")


def test_typ(run, trust, es256):
    assert run("verify", *trust, "--typ", "at+jwt", es256({"typ": "application/AT+JWT"})).code == 0
    assert run("verify", *trust, "--typ", "at+jwt", es256({"typ": "JWT"})).code == 1


def test_padding(run, trust, es256):
    header, payload, signature = es256().split(".")
    padded = f"{header}.{payload}.{signature}=="
    assert run("verify", *trust, padded).code == 1
    assert run("verify", *trust, "--allow-padding", padded).code == 0


def test_anybody(run, jwks, es256):
    assert run("verify", "--jwks", jwks, *ANYBODY, es256(iss="x", aud="y")).code == 0
    token = es256(iss=support.ABSENT, aud=support.ABSENT)
    assert run("verify", "--jwks", jwks, *ANYBODY, token).code == 1
    assert run("verify", "--jwks", jwks, *ANYBODY, "--optional", "iss,aud", token).code == 0


@pytest.mark.parametrize(
    "options",
    [
        ["--alg", "none"],
        ["--alg", "es256"],
        ["--alg", ","],
        ["--leeway", "20m"],
        ["--max-age", "0"],
        ["--max-token-bytes", "0"],
        ["--optional", "iss"],
        ["--optional", "sub"],
        ["--issuer", ""],
    ],
)
def test_policies_that_are_none(run, trust, options):
    ran = run("verify", *trust, *options, "junk")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
