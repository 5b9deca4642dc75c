"""keys/secrets.py: what may be an HMAC secret; the disguises are in tests/attacks/test_key_confusion.py."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa, x448, x25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs12,
)
from key_forms import certificate, pkcs8, public_forms, spki
from support import rejects, secret_key

from jotgate.keys.secrets import check_length, find_key, load_secret

SECRET = bytes(range(100, 164))


class Bytes(bytes):
    """A subclass, which could answer differently to whoever asks."""


@pytest.mark.parametrize(
    "secret",
    [
        None,
        "a secret that is long enough to be one",
        bytearray(SECRET),
        memoryview(SECRET),
        Bytes(SECRET),
        1,
        [SECRET],
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_bytes_exactly_are_a_secret(secret: Any) -> None:
    error = rejects("invalid_key", lambda: load_secret(secret))
    assert "bytes" in str(error)
    assert "long enough" not in str(error)


def test_a_secret_comes_back_unchanged() -> None:
    assert load_secret(SECRET) is SECRET


def test_the_empty_secret_is_refused() -> None:
    assert "empty" in str(rejects("invalid_key", lambda: load_secret(b"")))


def test_the_length_is_held_against_the_hash() -> None:
    check_length(SECRET[:32], 32)
    assert "31" in str(rejects("invalid_key", lambda: check_length(SECRET[:31], 32)))


@pytest.mark.parametrize("form", ["spki_pem", "jwk", "ssh_line"])
def test_a_refusal_shows_nothing_of_the_secret(form: str) -> None:
    data = public_forms("RS256")[form]
    text = str(rejects("invalid_key", lambda: load_secret(data)))
    assert len(text) < 120
    assert not any(data[i : i + 12].decode() in text for i in range(len(data) - 12))


def der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag]) + (size if len(content) < 128 else bytes([0x80 + len(size)]) + size) + content


def integer(number: int) -> bytes:
    return der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


@pytest.mark.parametrize("bits", [512, 1016, 1024, 1032, 2048, 2050, 4096])
@pytest.mark.parametrize("exponent", [3, 65537])
def test_pkcs1_keys_of_every_size_are_found(bits: int, exponent: int) -> None:
    modulus = (1 << bits - 1) + (0x5A5A << 40) + 1
    key = der(0x30, integer(modulus), integer(exponent))
    assert find_key(key) is not None
    assert find_key(b"\0\0" + key + b"\n") is not None
    assert find_key(b"\0\0" + key[:-1]) is None


@pytest.mark.parametrize("exponent", [17, 35, 37, 257, 2**33 + 1])
def test_pkcs1_keys_with_other_exponents_are_found_from_1024_bits(exponent: int) -> None:
    for bits in (1024, 1536, 2048, 4096):
        assert find_key(der(0x30, integer((1 << bits - 1) + 12345), integer(exponent))) is not None


def test_der_that_is_no_key_is_not_taken_for_one() -> None:
    for data in (
        der(0x30, integer(5), integer(3)) + bytes(40),
        der(0x30, integer((1 << 2047) + 1), integer(65536)),
        der(0x30, integer((1 << 2047) + 2), integer(65537)),
        der(0x30, integer((1 << 2047) + 1), integer(65537), integer(1)),
        der(0x30, integer((1 << 2047) + 1)),
        der(0x31, integer((1 << 2047) + 1), integer(65537)),
        b"\x30\x80" * 40,
        b"\x30\x84\xff\xff\xff\xff" * 10,
        b"\x30" * 64,
        b"\x30\x02" * 32,
    ):
        assert find_key(data) is None


def other_keys() -> list[Any]:
    small = rsa.generate_private_key(65537, 1024)
    curves = [ec.generate_private_key(curve) for curve in (ec.SECP224R1(), ec.BrainpoolP256R1())]
    exchange = [x25519.X25519PrivateKey.generate(), x448.X448PrivateKey.generate()]
    return [small, dsa.generate_private_key(1024), *curves, *exchange]


def test_keys_that_we_do_not_verify_with_are_no_secrets_either() -> None:
    for key in other_keys():
        for data in (
            spki(key.public_key()),
            spki(key.public_key(), Encoding.PEM),
            pkcs8(key),
            pkcs8(key, Encoding.PEM),
        ):
            assert find_key(data) is not None, type(key)
            assert find_key(base64.b64encode(data)) is not None, type(key)


def test_key_stores_and_other_files_are_no_secrets() -> None:
    key = secret_key("RS256")
    store = pkcs12.serialize_key_and_certificates(b"name", key, certificate(key), None, NoEncryption())
    assert find_key(store) is not None
    ssh = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    assert find_key(base64.b64decode(b"".join(ssh.splitlines()[1:-1]))) is not None
    for text in (
        b"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none",
        b"<RSAKeyValue><Modulus>AQAB</Modulus><Exponent>AQAB</Exponent></RSAKeyValue>",
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQENBF",
        b"-----begin public key-----\nnot really, but who would",
        b"file:///etc/jotgate/secret-key-of-production",
    ):
        assert find_key(text) is not None


def test_a_key_is_found_four_layers_down_and_no_deeper() -> None:
    layer = public_forms("Ed25519")["spki_der"]
    for _ in range(4):
        layer = base64.b64encode(layer)
        assert find_key(layer) is not None
    assert find_key(base64.b64encode(layer)) is None


def test_a_point_is_looked_for_near_the_beginning() -> None:
    point = secret_key("ES256").public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert find_key(b"\xff" * 63 + point + b"\xff" * 100) is not None
    assert find_key(point[1:]) is not None
    assert find_key(point[:-1]) is None
    assert find_key(point[:40] + bytes(25)) is None


@pytest.mark.parametrize(
    "secret",
    [
        bytes(32),
        b"\xff" * 64,
        b"k" * 32,
        bytes(range(65)),
        b"correct horse battery staple, and then some more words",
        b"ssh-rsa is a name and this is only a phrase about it",
        json.dumps({"kty-like": "no", "secret": "0123456789abcdef"}).encode(),
        base64.b64encode(bytes(range(48))),
        bytes(range(200, 256)).hex().encode(),
        b"A" * 4096,
        b"\\u00" * 100,
        b"\0" * 4096,
    ],
    ids=lambda value: repr(value[:12]),
)
def test_ordinary_secrets_are_taken(secret: bytes) -> None:
    assert load_secret(secret) is secret
