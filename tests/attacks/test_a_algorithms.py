"""Group A: `none`, the choice of the algorithm, and every way to fail open."""

import asyncio
import inspect
import itertools
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from support import (
    ALGORITHMS,
    AUDIENCE,
    HMAC,
    ISSUER,
    PUBLIC_ALGORITHMS,
    SIGNATURE_BYTES,
    JWSDoor,
    b64u,
    claims,
    compact,
    doors,
    dumps,
    header,
    policy,
    refuses,
    rejects,
    resign,
    secret_key,
    sign,
    token,
    verification_key,
    verifier,
)

import jotgate
from jotgate import KeySet, Policy, VerificationKey, VerifiedToken, Verifier, jws, unverified
from jotgate.errors import InvalidKeyError, PolicyError

pytestmark = pytest.mark.usefixtures("frozen_clock")

NONE_SPELLINGS = ["".join(letters) for letters in itertools.product("nN", "oO", "nN", "eE")]
# What else has been taken for "no algorithm" somewhere: raw JSON of the member's value.
NO_ALGORITHM = [
    *(json.dumps(spelling) for spelling in NONE_SPELLINGS),
    '""', "null", "0", "1", "false", "true", "[]", "{}", '["none"]', '["HS256"]', '{"alg":"HS256"}',
    '" none"', '"none "', '"none\\u0000"', '"\\u006eone"', '"null"', '"NULL"', '"undefined"', '"plain"',
]  # fmt: skip


def unsigned(alg_json: str, third: str | None) -> str:
    """Write a token whose header holds this JSON as `alg`; `third` None means no third segment at all."""
    signing_input = b64u(b'{"alg":%s}' % alg_json.encode()) + "." + b64u(dumps(claims()))
    return signing_input if third is None else f"{signing_input}.{third}"


@pytest.mark.parametrize("door", ["verifier", "issuers", "jws"])
@pytest.mark.parametrize("alg_json", NO_ALGORITHM)
def test_a1_none_in_any_spelling(alg_json: str, door: str) -> None:
    way_in = doors("HS256")[door]
    signing_input = unsigned(alg_json, None)
    refuses(way_in, signing_input, "malformed")
    for third in ("", "AA", b64u(sign("HS256", signing_input.encode()))):
        refuses(way_in, unsigned(alg_json, third), "algorithm_not_allowed")


@pytest.mark.parametrize("door", ["verifier", "issuers", "jws"])
def test_a1_alg_missing(door: str) -> None:
    way_in = doors("HS256")[door]
    for head in (b"{}", b'{"typ":"JWT"}', b'{"ALG":"HS256"}', b'{"Alg":"HS256"}', b'{"alg ":"HS256"}'):
        signed = compact(head)
        refuses(way_in, signed, "algorithm_not_allowed")
        refuses(way_in, signed.rpartition(".")[0] + ".", "algorithm_not_allowed")


@pytest.mark.parametrize("name", [*NONE_SPELLINGS, "", "null", " none", "none ", "none\0"])
def test_a1_none_cannot_be_allowed(name: str) -> None:
    rejects("invalid_policy", lambda: policy(name))
    rejects("invalid_policy", lambda: policy("HS256", name))
    rejects("invalid_policy", lambda: jws.verify(token(), verification_key("HS256"), algorithms=[name]))


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a2_none_with_a_blank_signature(alg: str) -> None:
    for name in ("none", "None", "NONE"):
        refuses(verifier(alg), unsigned(f'"{name}"', ""), "algorithm_not_allowed")


def test_a3_no_algorithms_given() -> None:
    with pytest.raises(TypeError):
        Policy(issuer=ISSUER, audience=AUDIENCE)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        jws.verify(token(), verification_key("HS256"))  # type: ignore[call-arg]


@pytest.mark.parametrize("algorithms", [None, [], (), set(), "", "HS256", b"HS256", [""], [None], [b"HS256"], 1, True])
def test_a3_algorithms_that_say_nothing(algorithms: Any) -> None:
    rejects("invalid_policy", lambda: Policy(algorithms=algorithms, issuer=ISSUER, audience=AUDIENCE))
    rejects("invalid_policy", lambda: jws.verify(token(), verification_key("HS256"), algorithms=algorithms))


def test_a3_no_policy_given() -> None:
    for missing in (None, {}, "HS256", ["HS256"]):
        rejects("invalid_policy", lambda missing=missing: Verifier(verification_key("HS256"), missing))


@pytest.mark.parametrize("keys", [None, "", b"", 0, [], (), {}, [None], [b""], "secret", b"secret" * 10, object()])
def test_a4_a_key_that_is_nothing(keys: Any) -> None:
    with pytest.raises((PolicyError, InvalidKeyError)):
        Verifier(keys, policy("HS256"))
    with pytest.raises((PolicyError, InvalidKeyError)):
        jws.verify(token(), keys, algorithms=["HS256"])


def test_a4_a_resolver_is_not_a_key() -> None:
    async def resolver(*_: Any) -> bytes:
        return b""

    for keys in (resolver, lambda *_: b"", lambda *_: None):
        with pytest.raises((PolicyError, InvalidKeyError)):
            Verifier(keys, policy("HS256"))  # type: ignore[arg-type]


@pytest.mark.parametrize("alg", HMAC)
def test_a4_an_empty_secret(alg: str) -> None:
    for secret in (b"", None, "", bytearray(), 0, [], b"\0"):
        rejects("invalid_key", lambda secret=secret: VerificationKey.from_secret(secret, alg=alg))
    rejects("invalid_key", lambda: VerificationKey.from_jwk({"kty": "oct", "k": "", "alg": alg}))


@pytest.mark.parametrize(
    "name",
    ["hs256", "Hs256", "hS256", "HS256\0", "\0HS256", "HS256 ", " HS256", "HS256\n", "HS256\t", "HS\u200b256",
     "\uff28\uff33256", "HS\u0662\u0665\u0666", "HS2560", "HS25", "HS", "HS256,RS256", "HS-256", "sha256",
     "HMAC"],
)  # fmt: skip
def test_a5_a_name_that_is_almost_the_one_allowed(name: str) -> None:
    for way_in in doors("HS256").values():
        refuses(way_in, compact(header(name)), "algorithm_not_allowed")


def test_a5_the_name_is_compared_after_unescaping() -> None:
    escaped = compact(rb'{"\u0061lg":"\u0048S256"}')
    for way_in in doors("HS256").values():
        assert way_in.verify(escaped).alg == "HS256"


def rsa_public_forms() -> list[bytes]:
    """Return what an attacker may know of an RSA key, as bytes somebody may have taken for an HMAC secret."""
    public = secret_key("RS256").public_key()
    encodings = Encoding
    forms = [
        public.public_bytes(encodings.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(encodings.PEM, PublicFormat.PKCS1),
        public.public_bytes(encodings.DER, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(encodings.DER, PublicFormat.PKCS1),
        public.public_bytes(encodings.OpenSSH, PublicFormat.OpenSSH),
        json.dumps(rsa_jwk()).encode(),
        dumps(rsa_jwk()),
        rsa_jwk()["n"].encode(),
        public.public_numbers().n.to_bytes(256, "big"),
        b"",
    ]
    return [*forms, *(form.strip() for form in forms[:2])]


def rsa_jwk(**members: Any) -> dict[str, Any]:
    numbers = secret_key("RS256").public_key().public_numbers()
    return {"kty": "RSA", "n": b64u(numbers.n.to_bytes(256, "big")), "e": "AQAB"} | members


def test_a6_a_jwk_without_alg_does_not_take_the_tokens() -> None:
    keys = KeySet.from_jwks({"keys": [rsa_jwk(kid="r")]})
    genuine = compact(header("RS256", kid="r"), claims(), alg="RS256")
    assert Verifier(keys, policy("RS256")).verify(genuine).alg == "RS256"
    for secret in rsa_public_forms():
        for alg in HMAC:
            forged = compact(header(alg, kid="r"), claims(), alg=alg, key=secret)
            refuses(Verifier(keys, policy("RS256")), forged, "algorithm_not_allowed")
            refuses(Verifier(keys, policy("RS256", alg)), forged, "unknown_key")


def test_a7_the_allow_list_holds_when_the_key_names_its_algorithm() -> None:
    pinned = verification_key("RS256")
    refuses(Verifier(pinned, policy("ES256")), token("RS256"), "algorithm_not_allowed")
    refuses(JWSDoor(pinned, ["ES256"]), token("RS256"), "algorithm_not_allowed")
    both = KeySet([pinned, verification_key("ES256")])
    refuses(Verifier(both, policy("ES256")), token("RS256"), "algorithm_not_allowed")
    refuses(JWSDoor(both, ["ES256"]), token("RS256"), "algorithm_not_allowed")


def test_a8_a_key_set_does_not_trust_the_header() -> None:
    keys = KeySet([verification_key("RS256"), verification_key("ES256")])
    way_in = Verifier(keys, policy(*ALGORITHMS))
    for alg in ALGORITHMS:
        if alg in ("RS256", "ES256"):
            assert way_in.verify(token(alg)).alg == alg
        else:
            refuses(way_in, token(alg), "unknown_key")
    # The right key under the wrong name.
    for named, signed_by in (("ES256", "RS256"), ("RS256", "ES256"), ("RS256", "PS256")):
        refuses(way_in, compact(header(named), claims(), alg=signed_by), "bad_signature")


def test_a9_kid_and_alg_must_belong_together() -> None:
    kids = {"RS256": "r", "PS384": "p", "ES256": "e", "EdDSA": "d", "ES512": "x"}
    way_in = Verifier(KeySet([verification_key(alg, kid=kid) for alg, kid in kids.items()]), policy(*kids))
    for (alg, own), kid in itertools.product(kids.items(), kids.values()):
        text = compact(header(alg, kid=kid), claims(), alg=alg)
        if kid == own:
            assert way_in.verify(text).kid == kid
        else:
            refuses(way_in, text, "unknown_key")


def test_a9_one_kid_two_algorithms() -> None:
    way_in = Verifier(
        KeySet([verification_key("RS256", kid="k"), verification_key("ES256", kid="k")]),
        policy("RS256", "ES256"),
    )
    for alg, other in (("RS256", "ES256"), ("ES256", "RS256")):
        assert way_in.verify(compact(header(alg, kid="k"), claims(), alg=alg)).alg == alg
        refuses(way_in, compact(header(alg, kid="k"), claims(), alg=other), "bad_signature")


@pytest.mark.parametrize("door", ["verifier", "issuers", "jws"])
def test_a10_alg_only_in_an_unprotected_header(door: str) -> None:
    way_in = doors("HS256")[door]
    head, payload, signature = compact({"typ": "JWT"}).split(".")
    flattened = {"protected": head, "header": {"alg": "HS256"}, "payload": payload, "signature": signature}
    refuses(way_in, json.dumps(flattened), "malformed")
    refuses(way_in, json.dumps({"payload": payload, "signatures": [flattened]}), "malformed")
    for inside in (
        {"header": {"alg": "HS256"}},
        {"unprotected": {"alg": "HS256"}},
        {"protected": {"alg": "HS256"}},
    ):
        refuses(way_in, compact(inside), "algorithm_not_allowed")


def test_a11_key_from_configuration_algorithm_from_the_token() -> None:
    pem = secret_key("RS256").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    key = VerificationKey.from_pem(pem, alg="RS256")
    ways_in = [
        Verifier(key, policy("RS256")),
        Verifier({ISSUER: (key, policy("RS256"))}),
        Verifier(KeySet([key]), policy("RS256", *HMAC)),
        JWSDoor(key, ["RS256"]),
        JWSDoor(key, ["RS256", *HMAC]),
    ]
    for secret, alg, way_in in itertools.product(rsa_public_forms(), HMAC, ways_in):
        forged = compact(header(alg), claims(), alg=alg, key=secret)
        with pytest.raises(jotgate.errors.TokenError) as caught:
            way_in.verify(forged)
        assert caught.value.code in ("algorithm_not_allowed", "unknown_key")
        if isinstance(way_in, Verifier):
            with pytest.raises(jotgate.errors.TokenError):
                asyncio.run(way_in.verify_async(forged))


@pytest.mark.parametrize(
    "name",
    ["HS1", "RS1", "HS2567", "HS224", "RS224", "PS255", "ES255", "ES256K1", "ES521", "ES128", "Ed25519ph",
    "Ed448ph",
     "X25519", "ML-DSA-43", "ML-DSA-440", "SLH-DSA-SHA2-128s", "dir", "A128KW", "A256GCMKW", "RSA-OAEP",
     "RSA1_5",
     "ECDH-ES", "PBES2-HS256+A128KW", "A128CBC-HS256", "ESB256", "sha256", "HS256RS256", "x" * 300, "*",
     ".*"],
)  # fmt: skip
def test_a13_an_unknown_algorithm_is_an_error(name: str) -> None:
    way_in = Verifier(KeySet([verification_key(alg) for alg in PUBLIC_ALGORITHMS]), policy(*ALGORITHMS))
    refuses(way_in, compact(header(name), claims(), alg="RS256"), "algorithm_not_allowed")
    rejects("invalid_policy", lambda: policy(name))
    rejects("invalid_key", lambda: VerificationKey.from_secret(b"s" * 64, alg=name))
    rejects("invalid_key", lambda: VerificationKey.from_cryptography(secret_key("RS256").public_key(), alg=name))


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a15_an_empty_or_null_signature(alg: str) -> None:
    signing_input = token(alg).rpartition(".")[0]
    exact = SIGNATURE_BYTES[alg]
    for size in (0, 1, exact - 1, exact, exact + 1, 2 * exact):
        for filler in (b"\0", b"\xff", b"\x01"):
            for way_in in doors(alg).values():
                refuses(way_in, f"{signing_input}.{b64u(filler * size)}", "bad_signature")


def test_a16_reading_without_verifying_gives_nothing_that_passes_for_verified() -> None:
    peeked = unverified.peek(token())
    assert peeked.claims == claims()
    assert not isinstance(peeked, VerifiedToken | str | bytes | dict)
    for way_in in doors("HS256").values():
        refuses(way_in, peeked, "malformed")
    assert not hasattr(jotgate, "peek")
    assert not hasattr(jotgate, "decode")
    with pytest.raises(TypeError):
        VerifiedToken(claims())  # type: ignore[call-arg]


def test_a17_no_switch_turns_verification_off() -> None:
    assert list(inspect.signature(Policy).parameters) == [
        "algorithms", "issuer", "audience", "typ", "subject", "authorized_party", "require", "leeway",
        "max_age",
        "max_lifetime", "max_token_bytes", "allow_padding", "crit",
    ]  # fmt: skip
    assert list(inspect.signature(jws.verify).parameters) == ["text", "keys", "algorithms", "max_token_bytes"]
    forbidden = ("insecure", "skip", "disable", "decode", "unsafe", "ignore", "without", "allow_none")
    for module in (jotgate, jws, jotgate.keys, jotgate.errors, jotgate.unverified):
        for name, value in vars(module).items():
            if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__:
                assert not any(word in name.lower() for word in forbidden), f"{module.__name__}.{name}"
    methods = [name for name in dir(Verifier) if not name.startswith("_") and "verify" in name]
    assert set(methods) <= {"verify", "verify_async", "verify_batch"}


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a18_an_unsigned_version_of_a_genuine_token(alg: str) -> None:
    head, payload, signature = token(alg).split(".")
    for name, way_in in doors(alg).items():
        assert way_in.verify(f"{head}.{payload}.{signature}").alg == alg
        refuses(way_in, f"{head}.{payload}", "malformed")
        refuses(way_in, f"{head}.{payload}.", "bad_signature")
        refuses(way_in, f"{head}.{payload}..", "malformed")
        # With several issuers `iss` is looked for first, and an empty payload has none.
        refuses(way_in, f"{head}..{signature}", "malformed" if name == "issuers" else "bad_signature")
        refuses(way_in, unsigned('"none"', ""), "algorithm_not_allowed")
        refuses(way_in, unsigned('"none"', "").encode(), "algorithm_not_allowed")


def test_a18_resigned_with_nothing() -> None:
    signing_input = token().rpartition(".")[0]
    for secret in (b"", b"\0", b"\0" * 32, b"secret", b"null", b"None", b"undefined"):
        refuses(verifier(), resign(signing_input, key=secret), "bad_signature")
