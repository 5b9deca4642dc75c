"""keys/pem.py: PEM and DER in, and the advice where the text holds something else."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from key_forms import KINDS, certificate, pkcs8, private_forms, public_forms, spki
from support import rejects, secret_key

from jotgate import SigningKey, VerificationKey

PASSWORD = "pässword"


def public_key(alg: str) -> VerificationKey:
    return VerificationKey.from_cryptography(secret_key(alg).public_key(), alg=alg)


def advice(text: Any, *, alg: str = "RS256") -> str:
    return str(rejects("invalid_key", lambda: VerificationKey.from_pem(text, alg=alg)))


@pytest.mark.parametrize("alg", KINDS)
def test_every_public_form_of_a_key_is_the_same_key(alg: str) -> None:
    expected, forms = public_key(alg), public_forms(alg)
    for name in ("spki_pem", "pkcs1_pem", "certificate_pem"):
        if name in forms:
            assert VerificationKey.from_pem(forms[name], alg=alg) == expected
            assert VerificationKey.from_pem(forms[name].decode(), alg=alg) == expected
    for name in ("spki_der", "pkcs1_der", "certificate_der"):
        if name in forms:
            assert VerificationKey.from_der(forms[name], alg=alg) == expected


@pytest.mark.parametrize("alg", KINDS)
def test_every_private_form_of_a_key_is_the_same_key(alg: str) -> None:
    expected, forms = public_key(alg), private_forms(alg)
    for name in ("pkcs8_pem", "traditional_pem"):
        if name in forms:
            assert SigningKey.from_pem(forms[name], alg=alg).public() == expected
            assert SigningKey.from_pem(forms[name].decode(), alg=alg).public() == expected
    for name in ("pkcs8_der", "traditional_der"):
        if name in forms:
            assert SigningKey.from_der(forms[name], alg=alg).public() == expected
    assert SigningKey.from_pem(forms["encrypted_pem"], alg=alg, password="password").public() == expected
    assert SigningKey.from_der(forms["encrypted_der"], alg=alg, password=b"password").public() == expected


def test_text_around_the_one_key_is_ignored() -> None:
    pem = public_forms("ES256")["spki_pem"]
    for text in (
        b"# \xc3\xa9\n" + pem,
        "\ufeff" + pem.decode(),
        pem.replace(b"\n", b"\r\n"),
        pem + b"\n\ntrailing words\n",
    ):
        assert VerificationKey.from_pem(text, alg="ES256") == public_key("ES256")


def test_escaped_line_breaks_are_answered_with_advice() -> None:
    for form in ("spki_pem", "certificate_pem"):
        pem = public_forms("ES256")[form]
        assert "escaped" in advice(pem.replace(b"\n", b"\\n"), alg="ES256")
        assert "escaped" in advice(pem.replace(b"\n", b"\\r\\n").decode(), alg="ES256")
        assert "escaped" in advice(pem.replace(b"\n", b"\\n\n"), alg="ES256")
    private = private_forms("ES256")["pkcs8_pem"].replace(b"\n", b"\\n")
    error = rejects("invalid_key", lambda: SigningKey.from_pem(private, alg="ES256"))
    assert "escaped" in str(error)
    around = b"a \\n b\n" + public_forms("ES256")["spki_pem"] + b"c \\n d"
    assert VerificationKey.from_pem(around, alg="ES256") == public_key("ES256")


def test_two_keys_in_one_text_are_refused() -> None:
    pem, other = public_forms("ES256")["spki_pem"], public_forms("ES256")["certificate_pem"]
    assert "2 parts" in advice(pem + other)
    assert "2 parts" in advice(private_forms("ES256")["pkcs8_pem"] + other)
    rejects("invalid_key", lambda: SigningKey.from_pem(private_forms("ES256")["pkcs8_pem"] * 2, alg="ES256"))


def test_the_parameters_that_openssl_writes_before_an_ec_key_are_ignored() -> None:
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    pem = parameters + private_forms("ES256")["traditional_pem"]
    assert SigningKey.from_pem(pem, alg="ES256").public() == public_key("ES256")
    rejects("invalid_key", lambda: SigningKey.from_pem(parameters, alg="ES256"))


@pytest.mark.parametrize("alg", KINDS)
def test_a_private_key_is_not_loaded_to_verify(alg: str) -> None:
    forms = private_forms(alg)
    for name, data in forms.items():
        if name.endswith("_pem"):
            assert "SigningKey" in advice(data, alg=alg)
            assert "SigningKey" in advice(data.decode(), alg=alg)
        if name.endswith("_der"):
            error = rejects("invalid_key", lambda data=data: VerificationKey.from_der(data, alg=alg))
            assert "SigningKey" in str(error)


@pytest.mark.parametrize("alg", KINDS)
def test_a_public_key_is_not_loaded_to_sign(alg: str) -> None:
    forms = public_forms(alg)
    for name in ("spki_pem", "pkcs1_pem", "certificate_pem"):
        if name in forms:
            error = rejects("invalid_key", lambda name=name: SigningKey.from_pem(forms[name], alg=alg))
            assert "VerificationKey" in str(error)
    rejects("invalid_key", lambda: SigningKey.from_der(forms["spki_der"], alg=alg))
    rejects("invalid_key", lambda: SigningKey.from_der(forms["certificate_der"], alg=alg))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("/etc/keys/jwt.pem", "read the file"),
        ("jwt.pem", "read the file"),
        (b"C:/keys/jwt.pub", "read the file"),
        (Path("/etc/keys/jwt.pem"), "read the file"),
        ('{"kty": "RSA"}', "from_jwk"),
        (' [{"kty": "RSA"}]', "from_jwk"),
        ("ssh-rsa AAAAB3NzaC1yc2E", "ssh-keygen"),
        ("ecdsa-sha2-nistp256 AAAA", "ssh-keygen"),
        ("", "BEGIN"),
        (b"", "BEGIN"),
        ("secret", "BEGIN"),
        ("-----BEGIN PUBLIC KEY----", "BEGIN"),
        ("\ud800", "BEGIN"),
        (None, "str or bytes"),
        (5, "str or bytes"),
        (bytearray(b"-----BEGIN"), "str or bytes"),
        (["-----BEGIN PUBLIC KEY-----"], "str or bytes"),
        ("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----", "CERTIFICATE"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----", "SigningKey"),
        ("-----BEGIN PUBLIC KEY-----\n!!!!\n-----END PUBLIC KEY-----", "damaged"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "damaged"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n", "damaged"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "damaged"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_no_pem_key_is_answered_with_advice(text: Any, word: str) -> None:
    assert word in advice(text)


def test_der_given_as_pem_and_pem_given_as_der_are_answered_with_advice() -> None:
    for alg in ("RS256", "Ed25519"):
        assert "from_der" in advice(public_forms(alg)["spki_der"], alg=alg)
    pem = public_forms("RS256")["spki_pem"]
    assert "from_pem" in str(rejects("invalid_key", lambda: VerificationKey.from_der(pem, alg="RS256")))


@pytest.mark.parametrize("data", [b"", b"\x30\x00", b"x" * 64, None, "MIIB", 5, bytearray(b"\x30\x00")], ids=repr)
def test_what_is_no_der_is_refused(data: Any) -> None:
    rejects("invalid_key", lambda: VerificationKey.from_der(data, alg="RS256"))
    rejects("invalid_key", lambda: SigningKey.from_der(data, alg="RS256"))


def test_der_has_nothing_before_or_behind_it() -> None:
    for name in ("spki_der", "pkcs1_der", "certificate_der"):
        for data in (public_forms("RS256")[name] + b"\n", b"\0" + public_forms("RS256")[name]):
            rejects("invalid_key", lambda data=data: VerificationKey.from_der(data, alg="RS256"))


def test_every_truncation_of_a_key_is_refused() -> None:
    der, pem = public_forms("ES256")["spki_der"], public_forms("ES256")["spki_pem"]
    for size in range(len(der)):
        rejects("invalid_key", lambda size=size: VerificationKey.from_der(der[:size], alg="ES256"))
    for size in range(len(pem) - 2):
        rejects("invalid_key", lambda size=size: VerificationKey.from_pem(pem[:size], alg="ES256"))


def test_a_key_under_the_label_of_a_certificate_is_refused_and_the_other_way_round() -> None:
    key, cert = public_forms("RS256")["spki_pem"], public_forms("RS256")["certificate_pem"]
    advice(key.replace(b"PUBLIC KEY", b"CERTIFICATE"))
    advice(cert.replace(b"CERTIFICATE", b"PUBLIC KEY"))


def test_passwords() -> None:
    key = secret_key("ES256")
    pem, der = (pkcs8(key, encoding, PASSWORD.encode()) for encoding in (Encoding.PEM, Encoding.DER))
    plain = pkcs8(key, Encoding.PEM)
    assert SigningKey.from_pem(pem, alg="ES256", password=PASSWORD).public() == public_key("ES256")
    assert SigningKey.from_der(der, alg="ES256", password=PASSWORD.encode()).public() == public_key("ES256")
    for text, password, word in (
        (pem, None, "pass its password"),
        (pem, "wrong", "password is wrong"),
        (pem, "", "password"),
        (pem, "\ud800", "password is wrong"),
        (pem, 5, "str or bytes"),
        (pem, bytearray(b"x"), "str or bytes"),
        (plain, PASSWORD, "no password"),
    ):
        error = rejects(
            "invalid_key",
            lambda text=text, given=password: SigningKey.from_pem(text, alg="ES256", password=given),
        )
        assert word in str(error)
        assert PASSWORD not in str(error)
    for password in (None, "wrong"):
        rejects("invalid_key", lambda given=password: SigningKey.from_der(der, alg="ES256", password=given))


def test_keys_of_other_kinds_are_refused() -> None:
    for key in (
        dsa.generate_private_key(1024),
        x25519.X25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP224R1()),
    ):
        for alg in ("RS256", "ES256", "EdDSA"):
            rejects(
                "invalid_key",
                lambda key=key, alg=alg: VerificationKey.from_der(spki(key.public_key()), alg=alg),
            )
            rejects("invalid_key", lambda key=key, alg=alg: SigningKey.from_der(pkcs8(key), alg=alg))


def test_openssh_private_keys_are_answered_with_the_way_to_convert_them() -> None:
    pem = secret_key("Ed25519").private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    assert "ssh-keygen" in str(rejects("invalid_key", lambda: SigningKey.from_pem(pem, alg="Ed25519")))


def test_an_ec_key_with_a_public_point_that_is_not_its_own_is_refused() -> None:
    der, points = pkcs8(secret_key("ES256")), []
    for which in (0, 1):
        public = secret_key("ES256", which).public_key()
        points.append(public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
    forged = der.replace(*points)
    assert forged != der
    rejects("invalid_key", lambda: SigningKey.from_der(forged, alg="ES256"))


RSA_ENCRYPTION = bytes.fromhex("300d06092a864886f70d0101010500")
RSASSA_PSS = bytes.fromhex("06092a864886f70d01010a")
SHA256_PARAMETERS = bytes.fromhex(
    "3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120"
)


def marked_for_pss(parameters: bytes) -> bytes:
    """Return the RSA key as SubjectPublicKeyInfo that says RSASSA-PSS (RFC 4055)."""
    der = spki(secret_key("RS256").public_key())
    assert der[4:19] == RSA_ENCRYPTION
    content = bytes([0x30, len(RSASSA_PSS + parameters)]) + RSASSA_PSS + parameters + der[19:]
    return b"\x30\x82" + len(content).to_bytes(2, "big") + content


def as_pem(der: bytes) -> bytes:
    return b"-----BEGIN PUBLIC KEY-----\r\n" + base64.encodebytes(der) + b"-----END PUBLIC KEY-----\n"


def test_a_key_marked_for_pss_serves_pss_only() -> None:
    free, bound = marked_for_pss(b""), marked_for_pss(SHA256_PARAMETERS)
    for alg in ("PS256", "PS512"):
        expected = public_key(alg)
        assert VerificationKey.from_der(free, alg=alg) == expected
        assert VerificationKey.from_pem(as_pem(free), alg=alg) == expected
        rejects("invalid_key", lambda alg=alg: VerificationKey.from_der(bound, alg=alg))
        rejects("invalid_key", lambda alg=alg: VerificationKey.from_pem(as_pem(bound), alg=alg))
    for der in (free, bound):
        assert "RSASSA-PSS" in str(rejects("invalid_key", lambda der=der: VerificationKey.from_der(der, alg="RS256")))
        rejects("invalid_key", lambda der=der: VerificationKey.from_pem(as_pem(der), alg="RS256"))


def test_how_a_certificate_is_signed_says_nothing_about_its_key() -> None:
    key = secret_key("RS256")
    own = certificate(key)
    builder = x509.CertificateBuilder().subject_name(own.subject).issuer_name(own.issuer).public_key(key.public_key())
    builder = (
        builder.not_valid_before(own.not_valid_before_utc).not_valid_after(own.not_valid_after_utc).serial_number(1)
    )
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    signed = builder.sign(key, hashes.SHA256(), rsa_padding=pss)
    assert VerificationKey.from_der(signed.public_bytes(Encoding.DER), alg="RS256") == public_key("RS256")


def with_another_key(der: bytes, old: bytes, new: bytes) -> bytes:
    """Put another SubjectPublicKeyInfo into a certificate; nobody checks its signature."""
    assert old in der
    grown = len(new) - len(old)
    assert der[:2] == der[4:6] == b"\x30\x82"
    outer, inner = (int.from_bytes(der[at : at + 2], "big") + grown for at in (2, 6))
    head = b"\x30\x82" + outer.to_bytes(2, "big") + b"\x30\x82" + inner.to_bytes(2, "big")
    return head + der[8:].replace(old, new)


def test_a_certificate_of_a_key_marked_for_pss_serves_pss_only() -> None:
    der, old = (
        certificate(secret_key("RS256")).public_bytes(Encoding.DER),
        spki(secret_key("RS256").public_key()),
    )
    free, bound = (with_another_key(der, old, marked_for_pss(parameters)) for parameters in (b"", SHA256_PARAMETERS))
    assert VerificationKey.from_der(free, alg="PS256") == public_key("PS256")
    for marked, alg in ((free, "RS256"), (bound, "RS256"), (bound, "PS256")):
        error = rejects("invalid_key", lambda marked=marked, alg=alg: VerificationKey.from_der(marked, alg=alg))
        assert "RSASSA-PSS" in str(error)
