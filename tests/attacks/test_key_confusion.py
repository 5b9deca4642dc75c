"""Group B, the part about confusion: what is one kind of key is never taken for another."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from key_forms import ENCODINGS, KINDS, prefixes, private_forms, private_jwk, public_forms, public_jwk, spki
from support import ALGORITHMS, HMAC, b64u, claims, compact, dumps, policy, refuses, rejects, secret_key

from jotgate import KeySet, SigningKey, VerificationKey, Verifier
from jotgate.keys.secrets import find_key

pytestmark = pytest.mark.usefixtures("frozen_clock")


def is_no_secret(data: bytes, name: object) -> None:
    """Assert that no door takes `data` for an HMAC secret, and for the right reason."""
    assert len(data) >= 32, name
    error = rejects("invalid_key", lambda: VerificationKey.from_secret(data, alg="HS256"))
    assert str(error).startswith("the HMAC secret is "), name


def every_public_form() -> list[Any]:
    return [pytest.param(alg, form, id=f"{alg}-{form}") for alg in KINDS for form in public_forms(alg)]


@pytest.mark.parametrize(("alg", "form"), every_public_form())
def test_b1_a_public_key_in_any_encoding_is_no_secret(alg: str, form: str) -> None:
    data = public_forms(alg)[form]
    is_no_secret(data, form)
    for name, encode in ENCODINGS.items():
        is_no_secret(encode(data), name)
    for tail in (b"\n", b"\r\n", b"\0", b" ", b"# trailing"):
        # Bare coordinates are known by their exact length alone.
        if form != "coordinates":
            is_no_secret(data + tail, tail)


@pytest.mark.parametrize("alg", KINDS)
def test_b1_nor_is_it_under_another_hmac_algorithm_or_by_another_door(alg: str) -> None:
    data = public_forms(alg)["spki_pem"]
    doors: list[Callable[[], object]] = [lambda: SigningKey.from_secret(data, alg="HS256")]
    for name in HMAC:
        jwk = {"kty": "oct", "alg": name, "k": b64u(data)}
        doors += [
            lambda name=name: VerificationKey.from_secret(data, alg=name),
            lambda jwk=jwk: VerificationKey.from_jwk(jwk),
            lambda jwk=jwk: SigningKey.from_jwk(jwk),
            lambda jwk=jwk: KeySet.from_jwks({"keys": [jwk]}),
        ]
    for door in doors:
        rejects("invalid_key", door)


@pytest.mark.parametrize("form", ["spki_pem", "certificate_pem", "pkcs1_pem"])
def test_b1_line_ends_comments_and_text_around_a_pem_key_change_nothing(form: str) -> None:
    pem = public_forms("RS256")[form]
    for text in (
        pem.replace(b"\n", b"\r\n"),
        pem.replace(b"\n", b"\r"),
        pem.replace(b"\n", b"\\n"),
        pem.replace(b"\n", b""),
        pem.rstrip(),
        b"# our key\n" + pem,
        b"subject=CN=x\nissuer=CN=x\n" + pem,
        b"   " + pem.replace(b"\n", b"\n   "),
        pem.decode().encode("utf-16"),
        json.dumps({"key": pem.decode()}).encode(),
        b"".join(pem.splitlines()[1:-1]),
        b"# our key\n" + b"\n".join(pem.splitlines()[1:-1]),
    ):
        is_no_secret(text, form)


def test_b2_a_pkcs1_public_key_is_no_secret() -> None:
    for form in ("pkcs1_pem", "pkcs1_der"):
        is_no_secret(public_forms("RS256")[form], form)


@pytest.mark.parametrize("alg", ["RS256", "ES256", "ES384", "ES512", "Ed25519"])
def test_b3_an_openssh_public_key_is_no_secret(alg: str) -> None:
    line, blob = public_forms(alg)["ssh_line"], public_forms(alg)["ssh_blob"]
    for data in (line, blob, line.split()[1], b" ".join(line.split()[1:]), b'command="x",no-pty ' + line):
        is_no_secret(data, alg)


@pytest.mark.parametrize("alg", KINDS)
def test_b4_jwk_text_is_no_secret(alg: str) -> None:
    jwk = public_jwk(secret_key(alg).public_key())
    for text in (
        json.dumps(jwk),
        json.dumps(jwk | {"kid": "1", "use": "sig"}),
        json.dumps(dict(reversed(jwk.items()))),
        json.dumps(jwk).replace(":", " \t:\r\n "),
        json.dumps(jwk).replace('"kty"', r'"\u006b\u0074\u0079"'),
    ):
        is_no_secret(text.encode(), text[:10])


@pytest.mark.parametrize("alg", KINDS)
def test_b5_jwk_sets_arrays_boms_and_encoded_forms_are_no_secrets(alg: str) -> None:
    jwk = public_jwk(secret_key(alg).public_key())
    for value in ({"keys": [jwk]}, [jwk], {"keys": []} | {"keys": [jwk, jwk]}, {"jwk": jwk}):
        text = json.dumps(value)
        for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"):
            is_no_secret(text.encode(encoding), encoding)
            is_no_secret(base64.b64encode(text.encode(encoding)), encoding)


_PREFIXED = [
    (
        "RS256",
        (
            "spki_pem",
            "spki_der",
            "pkcs1_der",
            "certificate_der",
            "ssh_line",
            "ssh_blob",
            "jwk",
            "jwk_escaped",
        ),
    ),
    ("ES256", ("spki_pem", "spki_der", "point", "ssh_blob", "jwks")),
    ("ES512", ("point", "spki_der")),
    ("Ed25519", ("spki_pem", "spki_der", "ssh_line", "jwk_array")),
    ("Ed448", ("spki_der",)),
    ("ML-DSA-44", ("jwk",)),
]


@pytest.mark.parametrize(
    ("alg", "form"),
    [pytest.param(alg, form, id=f"{alg}-{form}") for alg, forms in _PREFIXED for form in forms],
)
def test_b6_no_prefix_hides_a_key(alg: str, form: str) -> None:
    data = public_forms(alg)[form]
    encoded = [data, base64.b64encode(data), base64.urlsafe_b64encode(data).rstrip(b"="), data.hex().encode()]
    for prefix in prefixes():
        for text in encoded:
            assert find_key(prefix + text) is not None, (prefix, text[:4])


@pytest.mark.parametrize("alg", KINDS)
def test_b7_a_private_key_is_no_secret_either(alg: str) -> None:
    for form, data in private_forms(alg).items():
        is_no_secret(data, form)
        for name in ("base64", "base64url_unpadded", "hex", "base64_lines"):
            is_no_secret(ENCODINGS[name](data), name)


@pytest.mark.parametrize("kind", [*KINDS, "HS512"])
@pytest.mark.parametrize("alg", [*ALGORITHMS, "EdDSA"])
def test_b8_a_key_serves_only_the_algorithms_of_its_kind(alg: str, kind: str) -> None:
    key = secret_key(kind)
    if kind == "HS512":
        doors: list[Callable[[], object]] = [
            lambda: VerificationKey.from_secret(key, alg=alg),
            lambda: SigningKey.from_secret(key, alg=alg),
            lambda: VerificationKey.from_jwk({"kty": "oct", "k": b64u(key)}, alg=alg),
            lambda: VerificationKey.from_jwk({"kty": "oct", "k": b64u(key), "alg": alg}),
        ]
    else:
        jwk = public_jwk(key.public_key())
        doors = [
            lambda: VerificationKey.from_cryptography(key.public_key(), alg=alg),
            lambda: VerificationKey.from_der(spki(key.public_key()), alg=alg),
            lambda: SigningKey.from_cryptography(key, alg=alg),
            lambda: VerificationKey.from_jwk(jwk, alg=alg),
            lambda: VerificationKey.from_jwk({"alg": alg} | jwk, alg=alg),
            lambda: SigningKey.from_jwk(private_jwk(key), alg=alg),
        ]
    fits = {
        "RS256": alg[:2] in ("RS", "PS"),
        "HS512": alg.startswith("HS"),
        "Ed25519": alg in ("Ed25519", "EdDSA"),
        "Ed448": alg in ("Ed448", "EdDSA"),
    }.get(kind, alg == kind)
    for door in doors:
        if fits:
            door()
        else:
            rejects("invalid_key", door)


def test_b9_an_rsa_key_without_algorithm_never_becomes_an_hmac_key() -> None:
    jwk = public_jwk(secret_key("RS256").public_key())
    rejects("invalid_key", lambda: VerificationKey.from_jwk(jwk))
    for name in HMAC:
        rejects("invalid_key", lambda name=name: VerificationKey.from_jwk(jwk, alg=name))
        rejects("invalid_key", lambda name=name: VerificationKey.from_jwk(jwk | {"alg": name}))
        rejects("invalid_key", lambda name=name: KeySet.from_jwks({"keys": [jwk]}, algorithms=[name]))
        rejects("invalid_key", lambda name=name: KeySet.from_jwks({"keys": [jwk]})._bind((name,)))
        rejects("invalid_key", lambda name=name: Verifier(KeySet.from_jwks({"keys": [jwk]}), policy(name)))


def test_b9_a_token_made_with_the_public_key_as_secret_is_refused() -> None:
    private = secret_key("RS256")
    verifier = Verifier(VerificationKey.from_cryptography(private.public_key(), alg="RS256"), policy("RS256", "HS256"))
    for secret in (*public_forms("RS256").values(), b""):
        forged = compact({"alg": "HS256"}, dumps(claims()), alg="HS256", key=secret)
        refuses(verifier, forged, "unknown_key")


@pytest.mark.parametrize("alg", HMAC)
@pytest.mark.parametrize("nothing", [b"", "", None, [None], [], 0, False, b"\0" * 0], ids=repr)
def test_b10_an_empty_or_missing_secret_is_no_key(alg: str, nothing: Any) -> None:
    rejects("invalid_key", lambda: VerificationKey.from_secret(nothing, alg=alg))
    rejects("invalid_key", lambda: SigningKey.from_secret(nothing, alg=alg))
    for jwk in (
        {"kty": "oct", "alg": alg, "k": ""},
        {"kty": "oct", "alg": alg, "k": nothing},
        {"kty": "oct", "alg": alg},
    ):
        if jwk.get("k") != b"":
            rejects("invalid_key", lambda jwk=jwk: VerificationKey.from_jwk(jwk))
            rejects("invalid_key", lambda jwk=jwk: SigningKey.from_jwk(jwk))
            rejects("invalid_key", lambda jwk=jwk: KeySet.from_jwks({"keys": [jwk]}))


@pytest.mark.parametrize("nothing", [None, "", b"", [], [None], {}, 0], ids=repr)
def test_b10_nothing_is_no_key_set(nothing: Any) -> None:
    rejects("invalid_key", lambda: KeySet(nothing))
    rejects("invalid_key", lambda: KeySet.from_jwks(nothing))
    rejects("invalid_key", lambda: KeySet.from_jwks({"keys": nothing}))


@pytest.mark.parametrize(
    "path",
    [
        "/etc/jotgate/keys/production-public.pem",
        "keys/production-signing-key-2026.pem",
        "C:\\keys\\production-public-key-2026.pem",
        "file:///etc/jotgate/keys/production-public.pem",
    ],
)
def test_b12_a_path_is_never_a_key(path: str, tmp_path: Path) -> None:
    for alg in ("HS256", "RS256"):
        rejects("invalid_key", lambda alg=alg: VerificationKey.from_secret(path, alg=alg))
        rejects("invalid_key", lambda alg=alg: VerificationKey.from_secret(Path(path), alg=alg))
    rejects("invalid_key", lambda: VerificationKey.from_secret(b"file://" + path.encode(), alg="HS256"))
    for door in (VerificationKey.from_pem, SigningKey.from_pem):
        for given in (path, path.encode(), Path(path)):
            error = rejects("invalid_key", lambda door=door, given=given: door(given, alg="RS256"))
            assert "read the file" in str(error)
            assert path not in str(error)
    rejects("invalid_key", lambda: KeySet.from_jwks(path))
    # A path that exists is not opened either.
    existing = tmp_path / "key.pem"
    existing.write_bytes(public_forms("RS256")["spki_pem"])
    rejects("invalid_key", lambda: VerificationKey.from_pem(str(existing), alg="RS256"))


def test_b1_a_random_secret_is_never_refused() -> None:
    source = random.Random(4711)
    for size in (32, 33, 44, 48, 64, 65, 96, 97, 128, 132, 133, 270):
        for _ in range(150):
            secret = source.randbytes(size)
            texts = (
                secret,
                secret.hex().encode(),
                base64.b64encode(secret),
                base64.urlsafe_b64encode(secret).rstrip(b"="),
            )
            for text in texts:
                assert find_key(text) is None
    for first in b"\x02\x03\x04\x06\x07\x30{[-\xef\xfe\xff":
        for _ in range(150):
            assert find_key(bytes([first]) + source.randbytes(140)) is None
    printable = bytes(range(0x20, 0x7F))
    for _ in range(300):
        assert find_key(bytes(source.choices(printable, k=64))) is None
