"""RFC 7517, 7518, 8037, 9864 and the key half of RFC 8725: one test a MUST."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, x448, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from support import (
    CURVES,
    ECDSA,
    HMAC,
    RSA,
    SIGNATURE_BYTES,
    b64u,
    compact,
    header,
    policy,
    refuses,
    rejects,
    secret_key,
    token,
    unb64u,
    verification_key,
    verifier,
)

from jotgate import KeySet, SigningKey, VerificationKey, Verifier, _codec

pytestmark = pytest.mark.usefixtures("frozen_clock")


@pytest.mark.parametrize("alg", HMAC)
def test_rfc7518_3_2_hmac_key_size(alg: str) -> None:
    least = int(alg[2:]) // 8
    secret = bytes(range(100, 100 + least))
    for loader in (VerificationKey.from_secret, SigningKey.from_secret):
        assert loader(secret, alg=alg).alg == alg
        for size in (0, 1, least // 2, least - 1):
            rejects("invalid_key", lambda loader=loader, size=size: loader(secret[:size], alg=alg))
    rejects("invalid_key", lambda: VerificationKey.from_jwk({"kty": "oct", "alg": alg, "k": b64u(secret[:-1])}))


def test_rfc7518_3_2_hmac_comparison_takes_constant_time() -> None:
    """The measurements are in `attacks/test_g_timing.py`."""
    mac = bytes(range(32))
    for at in range(32):
        wrong = mac[:at] + bytes([mac[at] ^ 1]) + mac[at + 1 :]
        assert not _codec.constant_time_equal(mac, wrong)
    assert _codec.constant_time_equal(mac, bytes(range(32)))
    assert not _codec.constant_time_equal(mac, mac[:-1])


@pytest.mark.parametrize("alg", RSA)
def test_rfc7518_3_3_rsa_key_size(alg: str) -> None:
    for bits in (1024, 2040):
        small = rsa.generate_private_key(65537, bits)
        rejects("invalid_key", lambda small=small: VerificationKey.from_cryptography(small.public_key(), alg=alg))
        rejects("invalid_key", lambda small=small: SigningKey.from_cryptography(small, alg=alg))
    assert VerificationKey.from_cryptography(secret_key(alg).public_key(), alg=alg).alg == alg


@pytest.mark.parametrize("alg", ECDSA)
def test_rfc7518_3_4_ecdsa_signature_size(alg: str) -> None:
    text = token(alg)
    signing_input, _, encoded = text.rpartition(".")
    signature = unb64u(encoded)
    assert len(signature) == SIGNATURE_BYTES[alg]
    for wrong in (signature[:-1], signature[1:], b"\0" + signature, signature + b"\0"):
        refuses(verifier(alg), f"{signing_input}.{b64u(wrong)}", "bad_signature")
    for _ in range(50):
        assert len(SigningKey.from_cryptography(secret_key(alg), alg=alg).sign(b"x")) == SIGNATURE_BYTES[alg]


@pytest.mark.parametrize("alg", ["PS256", "PS384", "PS512"])
def test_rfc7518_3_5_pss_parameters(alg: str) -> None:
    text = token(alg)
    signing_input = text.rpartition(".")[0]
    digest = {"PS256": hashes.SHA256(), "PS384": hashes.SHA384(), "PS512": hashes.SHA512()}[alg]
    assert verifier(alg).verify(text).alg == alg
    for mgf, salt in (
        (hashes.SHA1(), digest.digest_size),
        (digest, 0),
        (digest, digest.digest_size - 1),
        (digest, digest.digest_size + 1),
    ):
        signature = secret_key(alg).sign(signing_input.encode(), padding.PSS(padding.MGF1(mgf), salt), digest)
        refuses(verifier(alg), f"{signing_input}.{b64u(signature)}", "bad_signature")
    public = secret_key(alg).public_key()
    signature = SigningKey.from_cryptography(secret_key(alg), alg=alg).sign(b"x")
    public.verify(signature, b"x", padding.PSS(padding.MGF1(digest), digest.digest_size), digest)


def ec_jwk(alg: str, /, *, shift: int = 0, **members: Any) -> dict[str, Any]:
    curve = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "secp256k1"}[alg]
    size = (CURVES[alg].key_size + 7) // 8 + shift
    numbers = secret_key(alg).public_key().public_numbers()
    coordinates = {name: b64u(getattr(numbers, name).to_bytes(size, "big")) for name in ("x", "y")}
    return {"kty": "EC", "crv": curve, "alg": alg} | coordinates | members


@pytest.mark.parametrize("alg", ECDSA)
def test_rfc7518_6_2_1_2_ec_coordinates_have_their_full_length(alg: str) -> None:
    assert VerificationKey.from_jwk(ec_jwk(alg)).alg == alg
    for wrong in (
        ec_jwk(alg, shift=1),
        ec_jwk(alg, x=ec_jwk(alg, shift=1)["x"]),
        ec_jwk(alg, y=b64u(unb64u(ec_jwk(alg)["y"])[1:])),
        ec_jwk(alg, x=b64u(unb64u(ec_jwk(alg)["x"])[:-1])),
        ec_jwk(alg, y=""),
    ):
        rejects("invalid_key", lambda wrong=wrong: VerificationKey.from_jwk(wrong))
    # What we write is full-length too, leading zeros included.
    for which in range(40):
        jwk = verification_key(alg, which=which).to_jwk()
        assert {len(unb64u(jwk[name])) for name in ("x", "y")} == {(CURVES[alg].key_size + 7) // 8}


def okp_jwk(alg: str, /, **members: Any) -> dict[str, Any]:
    raw = secret_key(alg).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {"kty": "OKP", "crv": "Ed25519" if alg == "EdDSA" else alg, "x": b64u(raw)} | members


@pytest.mark.parametrize("alg", ["EdDSA", "Ed448"])
def test_rfc8037_2_okp_keys(alg: str) -> None:
    for members in ({}, {"alg": "EdDSA"}, {"alg": "Ed448" if alg == "Ed448" else "Ed25519"}):
        key = VerificationKey.from_jwk(okp_jwk(alg, **members))
        assert Verifier(key, policy(alg)).verify(token(alg))
    raw = unb64u(okp_jwk(alg)["x"])
    for wrong in (
        okp_jwk(alg, kty="EC"),
        okp_jwk(alg, crv="Ed448" if alg == "EdDSA" else "Ed25519"),
        okp_jwk(alg, crv="P-256"),
        okp_jwk(alg, x=b64u(raw[:-1])),
        okp_jwk(alg, x=b64u(raw + b"\0")),
        okp_jwk(alg, x=""),
        {name: value for name, value in okp_jwk(alg).items() if name != "crv"},
        {name: value for name, value in okp_jwk(alg).items() if name != "x"},
    ):
        rejects("invalid_key", lambda wrong=wrong: VerificationKey.from_jwk(wrong))


def test_rfc8037_3_1_eddsa_only_for_edwards_curves() -> None:
    for curve, public in (
        ("X25519", x25519.X25519PrivateKey.from_private_bytes(b"\1" * 32).public_key()),
        ("X448", x448.X448PrivateKey.from_private_bytes(b"\1" * 56).public_key()),
    ):
        jwk = {"kty": "OKP", "crv": curve, "x": b64u(public.public_bytes_raw()), "alg": "EdDSA"}
        rejects("invalid_key", lambda jwk=jwk: VerificationKey.from_jwk(jwk))
        rejects("invalid_key", lambda public=public: VerificationKey.from_cryptography(public, alg="EdDSA"))  # type: ignore[arg-type]
    for alg in ("ES256", "RS256"):
        public = secret_key(alg).public_key()
        rejects("invalid_key", lambda public=public: VerificationKey.from_cryptography(public, alg="EdDSA"))
    for alg in ("Ed25519", "Ed448"):
        public = secret_key(alg).public_key()
        rejects("invalid_key", lambda public=public: VerificationKey.from_cryptography(public, alg="ES256"))


def test_rfc9864_both_names_are_read() -> None:
    for key_name in ("EdDSA", "Ed25519"):
        for allowed in ("EdDSA", "Ed25519"):
            way_in = Verifier(verification_key(key_name), policy(allowed))
            for written in ("EdDSA", "Ed25519"):
                assert way_in.verify(compact(header(written), alg="Ed25519"))
            refuses(
                way_in,
                compact(header("Ed448"), alg="Ed25519"),
                "algorithm_not_allowed" if allowed == "Ed25519" else "unknown_key",
            )
    both = KeySet([verification_key("Ed25519"), verification_key("Ed448")])
    way_in = Verifier(both, policy("EdDSA"))
    for alg in ("Ed25519", "Ed448"):
        assert way_in.verify(compact(header(alg), alg=alg))
    # A name that two keys answer to names neither.
    refuses(way_in, compact(header("EdDSA"), alg="Ed25519"), "unknown_key")
    one_kid = KeySet([verification_key("Ed25519", kid="k"), verification_key("Ed448", kid="k")])
    for alg in ("Ed25519", "Ed448"):
        refuses(Verifier(one_kid, policy("EdDSA")), compact(header("EdDSA", kid="k"), alg=alg), "unknown_key")
        assert Verifier(one_kid, policy(alg)).verify(compact(header("EdDSA", kid="k"), alg=alg))
    only = Verifier(both, policy("Ed25519"))
    assert only.verify(compact(header("Ed25519"), alg="Ed25519"))
    refuses(only, compact(header("Ed448"), alg="Ed448"), "algorithm_not_allowed")
    refuses(only, compact(header("EdDSA"), alg="Ed448"), "bad_signature")


@pytest.mark.parametrize("password", ["correct horse battery staple and a lot more of it", "x" * 64, "hunter2", ""])
def test_rfc8725_3_5_a_password_is_no_hmac_key(password: str) -> None:
    """Text is refused by its type: random bytes are not text, and most text is not random."""
    for loader in (VerificationKey.from_secret, SigningKey.from_secret):
        error = rejects("invalid_key", lambda loader=loader: loader(password, alg="HS256"))
        assert not password or password not in str(error)
    with pytest.raises(TypeError):
        SigningKey.generate("HS256", password=password)  # type: ignore[call-arg]


def test_rfc7517_4_2_use_is_respected() -> None:
    jwk = ec_jwk("ES256")
    assert VerificationKey.from_jwk(jwk | {"use": "sig"}).alg == "ES256"
    for use in ("enc", "", "SIG", 1, None, ["sig"]):
        rejects("invalid_key", lambda use=use: VerificationKey.from_jwk(jwk | {"use": use}))
    keys = KeySet.from_jwks({"keys": [jwk | {"use": "enc", "kid": "e"}, jwk | {"use": "sig", "kid": "s"}]})
    assert [key.kid for key in keys] == ["s"]
    assert [kid for kid, _ in keys.skipped] == ["e"]


def test_rfc7517_4_3_key_ops_is_respected() -> None:
    jwk = ec_jwk("ES256")
    for operations in (["verify"], ["verify", "sign"]):
        assert VerificationKey.from_jwk(jwk | {"key_ops": operations}).alg == "ES256"
    for operations in (
        ["encrypt"],
        [],
        ["sign"],
        "verify",
        [1],
        None,
        ["verify", "verify"],
        {"verify": True},
    ):
        rejects(
            "invalid_key",
            lambda operations=operations: VerificationKey.from_jwk(jwk | {"key_ops": operations}),
        )
    rejects("invalid_key", lambda: VerificationKey.from_jwk(jwk | {"use": "enc", "key_ops": ["verify"]}))
    rejects("invalid_key", lambda: VerificationKey.from_jwk(jwk | {"use": "sig", "key_ops": ["encrypt"]}))


def test_rfc7517_5_jwk_set_members() -> None:
    jwk = ec_jwk("ES256", kid="k")
    good = {"keys": [jwk], "unknown": {"x": [1]}}
    assert len(KeySet.from_jwks(good)) == len(KeySet.from_jwks(json.dumps(good))) == 1
    assert len(KeySet.from_jwks({"keys": [jwk | {"unknown": 1, "x-y": {}}]})) == 1
    mixed = KeySet.from_jwks({"keys": [{"kty": "NEW", "kid": "n"}, jwk]})
    assert [key.kid for key in mixed] == ["k"]
    assert [kid for kid, _ in mixed.skipped] == ["n"]
    for wrong in (
        {},
        {"keys": None},
        {"keys": jwk},
        {"keys": "x"},
        {"keys": [1]},
        {"keys": [[jwk]]},
        [jwk],
        None,
        1,
        {"Keys": [jwk]},
    ):
        rejects("invalid_key", lambda wrong=wrong: KeySet.from_jwks(wrong))


def test_rfc7517_4_5_conflicting_kids_are_refused() -> None:
    one, other = verification_key("ES256", kid="k"), verification_key("ES256", kid="k", which=1)
    rejects("invalid_key", lambda: KeySet([one, other]))
    rejects("invalid_key", lambda: KeySet.from_jwks({"keys": [one.to_jwk(), other.to_jwk()]}))
    assert len(KeySet([one, verification_key("ES256", kid="k")])) == 1
    assert len(KeySet([one, verification_key("ES384", kid="k")])) == 2
