"""`jotgate keygen`: keys that load again, files that only their owner reads, nothing overwritten."""

import json
import os
import stat

import pytest

from jotgate import KeySet, SigningKey, VerificationKey


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "Ed448", "RS256", "ML-DSA-44", "HS512"])
def test_private_jwk_on_standard_output(run, alg):
    ran = run("keygen", "--alg", alg)
    assert (ran.code, ran.err) == (0, "")
    key = SigningKey.from_jwk(ran.json())
    assert key.kid == key.thumbprint()


def test_files(run, tmp_path):
    private, public, jwks = (tmp_path / name for name in ("private", "public", "jwks"))
    ran = run("keygen", "--alg", "ES256", "--kid", "k1", "--out", private, "--public", public, "--jwks", jwks)
    assert (ran.code, ran.err) == (0, "")
    assert '"d"' not in ran.out
    assert "kid=k1" in ran.out
    key = SigningKey.from_jwk(json.loads(private.read_text()))
    assert VerificationKey.from_jwk(json.loads(public.read_text())) == key.public()
    assert next(iter(KeySet.from_jwks(jwks.read_text()))) == key.public()
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert "d" not in json.loads(public.read_text())


def test_private_file_is_0600_under_any_umask(run, tmp_path):
    before = os.umask(0)
    try:
        run("keygen", "--alg", "ES256", "--out", tmp_path / "key")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_pem(run, tmp_path):
    private, public = tmp_path / "private", tmp_path / "public"
    ran = run("keygen", "--alg", "RS256", "--format", "pem", "--out", private, "--public", public)
    key = SigningKey.from_pem(private.read_bytes(), alg="RS256")
    assert VerificationKey.from_pem(public.read_bytes(), alg="RS256") == key.public()
    assert f"kid={key.thumbprint()}" in ran.err
    out = run("keygen", "--alg", "ES256", "--format", "pem").out
    assert out.startswith("-----BEGIN PRIVATE KEY-----\n")


def test_encrypted_pem(run, tmp_path, monkeypatch):
    monkeypatch.setenv("JOTGATE_TEST_PASSWORD", "hunter2")
    options = ["--format", "pem", "--password-env", "JOTGATE_TEST_PASSWORD"]
    ran = run("keygen", "--alg", "ES256", *options, "--public", tmp_path / "public")
    assert SigningKey.from_pem(ran.out, alg="ES256", password="hunter2").alg == "ES256"
    assert "hunter2" not in ran.out + ran.err
    assert run("keygen", "--alg", "ES256", "--password-env", "JOTGATE_TEST_PASSWORD").code == 2
    monkeypatch.delenv("JOTGATE_TEST_PASSWORD")
    assert run("keygen", "--alg", "ES256", *options).code == 2


def test_bits(run):
    key = run("keygen", "--alg", "PS256", "--bits", "2056").json()
    assert len(key["n"]) == 343


@pytest.mark.parametrize("existing", ["private", "public", "jwks"])
def test_nothing_is_overwritten_and_nothing_half_written(run, tmp_path, existing):
    (tmp_path / existing).write_text("precious")
    names = {"--out": "private", "--public": "public", "--jwks": "jwks"}
    options = [word for option, name in names.items() for word in (option, tmp_path / name)]
    ran = run("keygen", "--alg", "ES256", *options)
    assert (ran.code, ran.out) == (2, "")
    assert "never overwritten" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_text() == "precious"


def test_a_symbolic_link_is_not_followed(run, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert run("keygen", "--alg", "ES256", "--out", tmp_path / "link").code == 2
    assert not (tmp_path / "target").exists()


def test_places_that_cannot_be_written(run, tmp_path):
    ran = run("keygen", "--alg", "ES256", "--out", tmp_path / "none" / "key")
    assert ran.code == 2
    assert "cannot write" in ran.err


@pytest.mark.parametrize(
    "options",
    [
        ["--alg", "none"],
        ["--alg", "hs256"],
        ["--alg", "HS256", "--format", "pem"],
        ["--alg", "HS256", "--jwks", "x"],
        ["--alg", "HS256", "--public", "x"],
        ["--alg", "RS256", "--bits", "1024"],
        ["--alg", "ES256", "--bits", "2048"],
        ["--alg", "ES256", "--kid", ""],
        ["--alg", "ES256", "--kid", "x" * 257],
        ["--alg", "ES256", "--format", "der"],
    ],
)
def test_wishes_that_cannot_be_met(run, options):
    ran = run("keygen", *options)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1


def test_private_key_on_a_terminal_brings_a_warning(run, terminal):
    assert "--out FILE" in run("keygen", "--alg", "ES256").err
