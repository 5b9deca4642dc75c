"""keys/jwk.py, metadata.py and material.py: rules for members, thumbprints, the choice of the algorithm."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import mldsa
from key_forms import KINDS, private_jwk, public_jwk
from support import ALGORITHMS, b64u, rejects, secret_key, unb64u

from jotgate import KeySet, SigningKey, VerificationKey
from jotgate.errors import InvalidKeyError

COOKBOOK = Path(__file__).parents[2] / "vectors" / "jose-cookbook"


def cookbook(name: str) -> dict[str, Any]:
    jwk: dict[str, Any] = json.loads((COOKBOOK / "jwk" / name).read_text())
    return jwk


def jwk_of(alg: str, /, **members: Any) -> dict[str, Any]:
    """Return the public JWK (or the secret's) of an algorithm's test key, with members added."""
    key = secret_key(alg)
    public = {"kty": "oct", "k": b64u(key)} if alg.startswith("HS") else public_jwk(key.public_key())
    return {"alg": alg} | public | members


def load(jwk: Any, **options: Any) -> VerificationKey:
    return VerificationKey.from_jwk(jwk, **options)


def refused(jwk: Any, **options: Any) -> str:
    return str(rejects("invalid_key", lambda: load(jwk, **options)))


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_jwk_goes_in_and_comes_out(alg: str) -> None:
    if alg.startswith("HS"):
        key = load(jwk_of(alg, kid="1"))
    elif alg.startswith("ML-DSA"):
        public = b64u(secret_key(alg).public_key().public_bytes_raw())
        key = load({"kty": "AKP", "alg": alg, "pub": public, "kid": "1"})
        assert key.to_jwk() == {"kty": "AKP", "alg": alg, "pub": public, "kid": "1", "use": "sig"}
    else:
        key = load(jwk_of(alg, kid="1"))
        shown = "EdDSA" if alg.startswith("Ed") else alg
        assert key.to_jwk() == jwk_of(alg, alg=shown, kid="1", use="sig")
        assert load(key.to_jwk()) == key
    assert (key.alg, key.kid) == (alg, "1")


@pytest.mark.parametrize(
    ("name", "alg"),
    [
        ("3_1.ec_public_key.json", None),
        ("3_3.rsa_public_key.json", "RS256"),
        ("3_5.symmetric_key_mac_computation.json", None),
    ],
)
def test_the_keys_of_rfc_7520_load(name: str, alg: str | None) -> None:
    assert load(cookbook(name), alg=alg).kid == cookbook(name)["kid"]


def test_the_private_keys_of_rfc_7520_load_for_signing_only() -> None:
    for name, alg in (("3_2.ec_private_key.json", "ES512"), ("3_4.rsa_private_key.json", "PS384")):
        jwk = cookbook(name)
        key = SigningKey.from_jwk(jwk, alg=alg)
        assert key.to_jwk(private=True) == jwk | {"alg": alg}
        assert "SigningKey.from_jwk" in refused(jwk, alg=alg)
        public = {member: value for member, value in jwk.items() if member in key.to_jwk()}
        assert load(public, alg=alg) == key.public()


# RFC 7638 section 3.1
RFC_7638 = {
    "kty": "RSA",
    "n": (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_B"
        "JECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_F"
        "DW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4"
        "vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    ),
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}


def test_the_thumbprint_of_rfc_7638() -> None:
    assert load(RFC_7638).thumbprint() == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_the_thumbprint_of_rfc_8037() -> None:
    jwk = json.loads((COOKBOOK / "curve25519" / "jws.json").read_text())["input"]["key"]
    assert SigningKey.from_jwk(jwk).thumbprint() == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_thumbprint_of_rfc_9964() -> None:
    key = SigningKey.from_jwk(private_jwk(mldsa.MLDSA44PrivateKey.from_seed_bytes(bytes(32))))
    assert key.thumbprint() == "T4xl70S7MT6Zeq6r9V9fPJGVn76wfnXJ21-gyo0Gu6o"


@pytest.mark.parametrize("alg", [*KINDS, "HS256"])
def test_a_thumbprint_depends_on_the_key_members_only(alg: str) -> None:
    one, two = (
        load(jwk_of(alg)),
        load(jwk_of(alg, kid="7", use="sig", key_ops=["verify"], x5t="AAAA", note=1)),
    )
    assert one.thumbprint() == two.thumbprint() != load(_other(alg)).thumbprint()
    assert len(unb64u(one.thumbprint())) == 32
    if not alg.startswith("HS"):
        assert SigningKey.from_cryptography(secret_key(alg), alg=alg).thumbprint() == one.thumbprint()


def _other(alg: str) -> dict[str, Any]:
    key = secret_key(alg, 1)
    return {"alg": alg} | ({"kty": "oct", "k": b64u(key)} if alg == "HS256" else public_jwk(key.public_key()))


NOT_CANONICAL = [
    "",
    "=",
    "A",
    "AAAA\n",
    " AAAA",
    "AA==",
    "AAA+",
    "AA/A",
    "AB",
    "AAB",
    "A A A",
    "é",
    "\ud800",
    "AAAA.AAAA",
]


@pytest.mark.parametrize("alg", [*KINDS, "HS256"])
def test_key_members_are_canonical_base64url_strings(alg: str) -> None:
    good = jwk_of(alg)
    for name in sorted(set(good) & {"n", "e", "x", "y", "pub", "k"}):
        for wrong in (
            *NOT_CANONICAL,
            None,
            5,
            True,
            [good[name]],
            {"": ""},
            good[name].encode(),
            good[name] + "=",
        ):
            refused(good | {name: wrong})
        refused({member: value for member, value in good.items() if member != name})


@pytest.mark.parametrize("alg", KINDS)
def test_private_members_are_canonical_base64url_strings(alg: str) -> None:
    good = {"alg": alg} | private_jwk(secret_key(alg))
    for name in sorted(set(good) & {"d", "p", "q", "dp", "dq", "qi", "priv"}):
        for wrong in (
            *NOT_CANONICAL,
            None,
            5,
            good[name] + "=",
            b64u(b"\0" + unb64u(good[name])),
            b64u(unb64u(good[name])[1:]),
        ):
            rejects("invalid_key", lambda name=name, wrong=wrong: SigningKey.from_jwk(good | {name: wrong}))


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "ES256K", "Ed25519", "Ed448", "ML-DSA-44"])
def test_members_of_fixed_size_have_exactly_that_size(alg: str) -> None:
    good = jwk_of(alg)
    for name in sorted(set(good) & {"x", "y", "pub"}):
        octets = unb64u(good[name])
        for wrong in (b"\0" + octets, octets + b"\0", octets[1:], octets[:-1], b"\0"):
            assert str(len(octets)) in refused(good | {name: b64u(wrong)})


def test_rsa_members_have_no_leading_zeros() -> None:
    good = jwk_of("RS256")
    for name in ("n", "e"):
        assert "leading zeros" in refused(good | {name: b64u(b"\0" + unb64u(good[name]))})
    refused(good | {"e": "AAEAAQ"})


@pytest.mark.parametrize("alg", KINDS)
@pytest.mark.parametrize("name", ["d", "p", "q", "dp", "dq", "qi", "oth", "priv", "k"])
@pytest.mark.parametrize("value", ["AAAA", None, "", []], ids=repr)
def test_any_private_member_makes_a_public_key_invalid(alg: str, name: str, value: Any) -> None:
    assert "private members" in refused(jwk_of(alg, **{name: value}))
    rejects("invalid_key", lambda: KeySet.from_jwks({"keys": [jwk_of(alg, **{name: value})]}))


@pytest.mark.parametrize("name", ["n", "e", "crv", "x", "y", "pub", "x5c"])
def test_a_secret_has_no_members_of_a_public_key(name: str) -> None:
    refused(jwk_of("HS256", **{name: "AAAA"}))


@pytest.mark.parametrize("alg", KINDS)
def test_a_public_jwk_does_not_sign(alg: str) -> None:
    error = rejects("invalid_key", lambda: SigningKey.from_jwk(jwk_of(alg)))
    assert "VerificationKey" in str(error)


@pytest.mark.parametrize("kty", [None, 5, [], {}, "", "rsa", "ec", "Oct", "XYZ", "RSA "])
def test_the_key_type_is_a_known_name(kty: Any) -> None:
    refused(jwk_of("RS256", kty=kty))
    refused({"n": "AQAB", "e": "AQAB", "alg": "RS256"})


def test_members_under_another_key_type_are_refused() -> None:
    for kty in ("RSA", "EC", "OKP", "AKP", "oct"):
        for alg in (*KINDS, "HS256"):
            if jwk_of(alg)["kty"] != kty:
                refused(jwk_of(alg, kty=kty))


@pytest.mark.parametrize("crv", ["Ed448", "X25519", "P-256", "ed25519", "", None, 5, []])
def test_the_curve_of_an_okp_key_is_its_own(crv: Any) -> None:
    refused({"kty": "OKP", "crv": crv, "x": jwk_of("Ed25519")["x"]})
    refused(jwk_of("Ed25519", crv=crv))


@pytest.mark.parametrize("kid", ["1", "a" * 256, "é" * 128, "\0", "../../etc/passwd", "' OR 1=1 --", " "])
def test_a_key_id_is_any_text_of_1_to_256_bytes(kid: str) -> None:
    assert load(jwk_of("ES256", kid=kid)).kid == kid
    assert VerificationKey.from_secret(secret_key("HS256"), alg="HS256", kid=kid).kid == kid


@pytest.mark.parametrize("kid", ["", "a" * 257, "é" * 129, "\ud800", 1, True, b"1", ["1"], {}])
def test_anything_else_is_no_key_id(kid: Any) -> None:
    refused(jwk_of("ES256", kid=kid))
    rejects("invalid_key", lambda: VerificationKey.from_secret(secret_key("HS256"), alg="HS256", kid=kid))
    rejects("invalid_key", lambda: SigningKey.generate("HS256", kid=kid))


def test_null_is_no_key_id_and_none_is_no_key_id_at_all() -> None:
    refused(jwk_of("ES256", kid=None))
    assert load(jwk_of("ES256")).kid is None
    assert VerificationKey.from_secret(secret_key("HS256"), alg="HS256", kid=None).kid is None


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "ES256K"])
def test_the_curve_decides_the_algorithm(alg: str) -> None:
    jwk = public_jwk(secret_key(alg).public_key())
    assert load(jwk).alg == alg
    assert load(jwk, alg=alg) == load(jwk)


@pytest.mark.parametrize("crv", ["Ed25519", "Ed448"])
def test_edwards_keys_have_two_names(crv: str) -> None:
    jwk = public_jwk(secret_key(crv).public_key())
    keys = [
        load(jwk),
        load(jwk, alg="EdDSA"),
        load(jwk, alg=crv),
        load(jwk | {"alg": "EdDSA"}),
        load(jwk | {"alg": crv}),
    ]
    keys += [load(jwk | {"alg": crv}, alg="EdDSA"), load(jwk | {"alg": "EdDSA"}, alg=crv)]
    assert [key.alg for key in keys] == ["EdDSA", "EdDSA", crv, "EdDSA", crv, "EdDSA", crv]
    assert len(set(keys)) == 1
    assert {key.to_jwk()["alg"] for key in keys} == {"EdDSA"}


@pytest.mark.parametrize("alg", ["RS256", "HS256"])
def test_where_the_type_leaves_a_choice_it_must_be_made(alg: str) -> None:
    jwk = jwk_of(alg)
    del jwk["alg"]
    assert "alg=" in refused(jwk)
    assert load(jwk, alg=alg) == load(jwk | {"alg": alg})


def test_an_akp_key_names_its_algorithm_itself() -> None:
    jwk = jwk_of("ML-DSA-44")
    assert load(jwk).alg == "ML-DSA-44"
    assert load(jwk, alg="ML-DSA-44") == load(jwk)
    for alg in ("ML-DSA-65", "EdDSA", "RS256", "ml-dsa-44"):
        refused(jwk | {"alg": alg})
        refused(jwk, alg=alg)
    del jwk["alg"]
    assert "alg" in refused(jwk, alg="ML-DSA-44")


def test_an_algorithm_said_twice_is_the_same_twice() -> None:
    assert load(jwk_of("RS256"), alg="RS256").alg == "RS256"
    for alg in ("RS384", "PS256", "HS256", "ES256", "none", "", 5):
        refused(jwk_of("RS256"), alg=alg)


@pytest.mark.parametrize("alg", ["none", "", "rs256", "RSA-OAEP", "A256GCM", "ES521", None, 5, ["RS256"]], ids=repr)
def test_an_algorithm_that_is_none_of_ours_is_refused(alg: Any) -> None:
    refused(jwk_of("RS256", alg=alg))
    refused(jwk_of("RS256", alg=alg), alg="RS256")


class Broken(Mapping[str, Any]):
    """A mapping that cannot be read."""

    def __getitem__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(["kty"])

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize(
    "jwk",
    [
        None,
        5,
        "",
        "{}",
        b"{}",
        [],
        [("kty", "RSA")],
        {},
        {1: "RSA"},
        {"kty": "RSA", None: 1},
        object(),
        Broken(),
        {"keys": []},
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_jwk_is_a_mapping_with_names(jwk: Any) -> None:
    refused(jwk)
    rejects("invalid_key", lambda: SigningKey.from_jwk(jwk))


def test_a_set_given_as_a_key_is_answered_with_advice() -> None:
    assert "KeySet.from_jwks" in refused({"keys": [jwk_of("ES256")]})
    assert "KeySet.from_jwks" in refused(json.dumps({"keys": []}))


def test_members_nobody_knows_are_ignored_and_the_mapping_is_left_alone() -> None:
    jwk = jwk_of("ES256", ext=True, x5t="AAAA", **{"x5t#S256": 5, "iat": 1, "exp": 2, "": None})
    before = json.dumps(jwk)
    assert load(jwk) == load(jwk_of("ES256"))
    assert json.dumps(jwk) == before


@pytest.mark.parametrize("alg", [*KINDS, "HS256"])
def test_a_refusal_shows_nothing_of_the_key(alg: str) -> None:
    good = jwk_of(alg) if alg == "HS256" else {"alg": alg} | private_jwk(secret_key(alg))
    values = [value for name, value in good.items() if name not in ("kty", "crv", "alg", "e")]
    for name in set(good) - {"kty", "crv", "alg"}:
        for wrong in (good[name] + "A", good[name][:-4], good[name] + "=", good[name][::-1]):
            with pytest.raises(InvalidKeyError) as caught:
                SigningKey.from_jwk(good | {name: wrong}, alg="RS512" if alg == "HS256" else None)
            told = repr(caught.value) + str(caught.value) + repr(caught.value.args)
            assert not any(value[i : i + 8] in told for value in (*values, wrong) for i in range(0, len(value) - 8, 4))
            assert caught.value.__cause__ is None
            assert caught.value.__suppress_context__ or caught.value.__context__ is None
