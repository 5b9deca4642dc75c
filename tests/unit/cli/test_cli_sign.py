"""`jotgate sign`: tokens that `jotgate verify` accepts, and requests that cannot be met."""

import json

import pytest
import support
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from support import NOW

from jotgate import SigningKey, unverified

SECRET = b"s" * 40


@pytest.fixture
def jwk(tmp_path):
    """Write a private ES256 JWK with kid `main`, the key of the `jwks` fixture."""
    key = SigningKey.from_cryptography(support.secret_key("ES256"), alg="ES256", kid="main")
    path = tmp_path / "signing.jwk"
    path.write_text(json.dumps(key.to_jwk(private=True)))
    return path


@pytest.fixture
def signed(run, jwk):
    """Sign with that key and return what the token says."""

    def sign(*options: object) -> unverified.UnverifiedToken:
        ran = run("sign", "--key", jwk, *options)
        assert ran.code == 0, ran.err
        assert ran.out.count("\n") == 1
        return unverified.peek(ran.out.strip())

    return sign


def test_the_token_is_accepted(run, jwk, trust):
    claims = ["--issuer", support.ISSUER, "--audience", support.AUDIENCE, "--subject", "ann"]
    ran = run("sign", "--key", jwk, *claims, "--expires-in", "15m")
    assert ran.err == ""
    accepted = run("verify", *trust, "--json", "--claims", stdin=ran.out).json()
    assert accepted["claims"] == {
        "iss": support.ISSUER,
        "aud": support.AUDIENCE,
        "sub": "ann",
        "iat": NOW,
        "exp": NOW + 900,
    }
    assert accepted["kid"] == "main"


def test_header(signed):
    assert signed("--subject", "x").header == {"alg": "ES256", "kid": "main", "typ": "JWT"}
    header = signed("--subject", "x", "--typ", "at+jwt", "--header", "x=1", "--header", "y:=[1]").header
    assert header == {"alg": "ES256", "kid": "main", "typ": "at+jwt", "x": "1", "y": [1]}


def test_claims_from_everywhere(signed, tmp_path):
    path = tmp_path / "claims.json"
    path.write_text('{"sub": "file", "n": 1, "name": "Zoë"}')
    claims = signed("--claims", path, "--claim", "n=2", "--claim", "t:=true", "--claim", "u=a=b").claims
    assert claims == {"sub": "file", "n": "2", "name": "Zoë", "t": True, "u": "a=b"}
    assert signed("--claims", path, "--subject", "option").claims["sub"] == "option"
    assert signed("--audience", "a", "--audience", "b").claims == {"aud": ["a", "b"]}


def test_claims_from_standard_input(run, jwk):
    ran = run("sign", "--key", jwk, "--claims", "-", stdin='{"sub":"x"}')
    assert unverified.peek(ran.out.strip()).claims == {"sub": "x"}
    assert run("sign", "--key", "-", "--claims", "-", stdin="x").code == 2


def test_no_end_is_pointed_out(run, jwk):
    ran = run("sign", "--key", jwk, "--subject", "x")
    assert ran.code == 0
    assert "never expires" in ran.err


@pytest.mark.parametrize("alg", ["RS256", "ES384", "EdDSA", "ML-DSA-44"])
@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_pem_and_der_keys(run, tmp_path, alg, encoding):
    path = tmp_path / "key"
    path.write_bytes(support.secret_key(alg).private_bytes(encoding, PrivateFormat.PKCS8, NoEncryption()))
    ran = run("sign", "--key", path, "--alg", alg, "--kid", "k", "--subject", "x")
    assert unverified.peek(ran.out.strip()).header == {"alg": alg, "kid": "k", "typ": "JWT"}
    without = run("sign", "--key", path, "--subject", "x")
    assert without.code == (2 if alg == "RS256" else 0)


def test_encrypted_key(run, tmp_path, monkeypatch):
    path = tmp_path / "key.pem"
    encryption = BestAvailableEncryption(b"hunter2")
    path.write_bytes(support.secret_key("ES256").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    monkeypatch.setenv("JOTGATE_TEST_PASSWORD", "hunter2")
    argv = ["sign", "--key", path, "--subject", "x"]
    assert run(*argv, "--password-env", "JOTGATE_TEST_PASSWORD").code == 0
    assert "--password-env" in run(*argv).err
    monkeypatch.setenv("JOTGATE_TEST_PASSWORD", "wrong")
    ran = run(*argv, "--password-env", "JOTGATE_TEST_PASSWORD")
    assert ran.code == 2
    assert "wrong" not in ran.err.replace("password is wrong", "")


def test_secrets(run, tmp_path, monkeypatch):
    path = tmp_path / "secret"
    path.write_bytes(SECRET + b"\n")
    monkeypatch.setenv("JOTGATE_TEST_SECRET", SECRET.decode())
    tokens = {
        run("sign", *source, "--alg", "HS256", "--subject", "x", stdin=SECRET).out
        for source in (
            ["--secret-file", path],
            ["--secret-file", "-"],
            ["--secret-env", "JOTGATE_TEST_SECRET"],
        )
    }
    assert tokens == {support.compact({"alg": "HS256", "typ": "JWT"}, {"sub": "x"}, key=SECRET) + "\n"}
    assert run("sign", "--secret-file", path, "--subject", "x").code == 2


def test_oct_jwk(run, tmp_path):
    path = tmp_path / "secret.jwk"
    key = SigningKey.from_secret(SECRET, alg="HS256", kid="k")
    path.write_text(json.dumps(key.to_jwk(private=True)))
    assert run("sign", "--key", path, "--subject", "x").code == 0


def test_kid_replaces_the_one_of_the_key(signed):
    assert signed("--kid", "other", "--subject", "x").header["kid"] == "other"


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--claim", "x"],
        ["--claim", "=x"],
        ["--claim", ":=1"],
        ["--claim", "x:="],
        ["--claim", "x:=nope"],
        ["--claim", "x:=NaN"],
        ["--claim", "x:=1e999"],
        ["--claim", "x:=18446744073709551616"],
        ["--claim", 'x:=1,"y":2'],
        ["--claim", 'x:={"a":1,"a":2}'],
        ["--claim", "x=\udcff"],
        ["--subject", "x", "--header", "alg=none"],
        ["--subject", "x", "--header", "kid=k"],
        ["--subject", "x", "--alg", "RS256"],
        ["--subject", "x", "--expires-in", "soon"],
        ["--subject", "x", "--expires-in", "0"],
        ["--subject", "x", "--expires-in", "0s"],
        ["--subject", "x", "--expires-in", "-5"],
        ["--subject", "x", "--expires-in=-5m"],
        ["--claims", "nowhere"],
    ],
)
def test_requests_that_cannot_be_met(run, jwk, options):
    ran = run("sign", "--key", jwk, *options)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("claim", ["exp=tomorrow", "nbf=1767225600", "iat:=true", "exp:=null", "iat:=[1]"])
def test_times_that_are_no_numbers(run, jwk, claim):
    ran = run("sign", "--key", jwk, "--subject", "x", "--claim", claim)
    assert (ran.code, ran.out) == (2, "")
    assert f"{claim[:3]} is a number of seconds since 1970" in ran.err
    assert f"--claim {claim[:3]}:=" in ran.err
    assert "tomorrow" not in ran.err


def test_times_that_are_numbers(signed):
    claims = signed("--claim", "exp:=1767225600.5", "--claim", "nbf:=0").claims
    assert claims == {"exp": 1767225600.5, "nbf": 0}


def test_no_lifetime_names_the_option(run, jwk):
    assert "--expires-in: must be more than 0" in run("sign", "--key", jwk, "--expires-in", "0").err


@pytest.mark.parametrize("content", [b"[]", b"{", b"\xff", b'{"a":1,"a":2}', b'{"a":NaN}'])
def test_claims_files_that_are_no_strict_json(run, jwk, tmp_path, content):
    path = tmp_path / "claims"
    path.write_bytes(content)
    ran = run("sign", "--key", jwk, "--claims", path)
    assert ran.code == 2
    assert "the claims cannot be used" in ran.err


def test_public_key_cannot_sign(run, jwks, tmp_path):
    path = tmp_path / "public.jwk"
    path.write_text(json.dumps(json.loads(jwks.read_text())["keys"][0]))
    key = support.secret_key("ES256").public_key()
    contents = [
        path.read_bytes(),
        *(key.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo) for encoding in (Encoding.PEM, Encoding.DER)),
    ]
    for content in contents:
        path.write_bytes(content)
        ran = run("sign", "--key", path, "--subject", "x")
        assert ran.code == 2
        assert ran.err.endswith("this is a public key: sign needs the private key file\n")
    ran = run("sign", "--key", jwks, "--subject", "x")
    assert ran.code == 2
    assert ran.err.endswith("a JWKS holds public keys; sign needs the private key file\n")


def test_what_is_wrong_with_a_claims_file_is_said(run, jwk, tmp_path):
    path = tmp_path / "claims"
    for content, message in (
        ("{", "not JSON: expecting property name enclosed in double quotes, at character 2\n"),
        ('{"a":1,"a":2}', "'a': a member stands twice\n"),
        ("[]", "a JSON array, where an object is needed\n"),
        ('{"a":"\\ud800"}', "the claims cannot be used: "),
    ):
        path.write_text(content)
        assert message in run("sign", "--key", jwk, "--claims", path).err
