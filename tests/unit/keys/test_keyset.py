"""keys/keyset.py: KeySet and JWK sets."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from key_forms import KINDS, private_jwk, public_jwk
from support import b64u, rejects, secret_key, verification_key

from jotgate import KeySet, SigningKey, VerificationKey
from jotgate.keys.algorithms import algorithm_mask


def jwk_of(alg: str, which: int = 0, /, **members: Any) -> dict[str, Any]:
    """Return the JWK of a test key without `alg`, with members added."""
    key = secret_key(alg, which)
    return ({"kty": "oct", "k": b64u(key)} if alg.startswith("HS") else public_jwk(key.public_key())) | members


def from_jwks(*jwks: Any, **options: Any) -> KeySet:
    return KeySet.from_jwks({"keys": list(jwks)}, **options)


def refused(*jwks: Any, **options: Any) -> str:
    return str(rejects("invalid_key", lambda: from_jwks(*jwks, **options)))


def test_a_set_is_its_keys() -> None:
    keys = [verification_key(alg, kid=alg) for alg in KINDS]
    made = KeySet(iter(keys))
    assert list(made) == keys
    assert len(made) == len(keys)
    assert made
    assert made.skipped == ()
    for key in keys:
        assert made._table.lookup(key.kid, algorithm_mask([key._canonical])) is key._handle
        assert made._table.lookup("other", algorithm_mask([key._canonical])) is None


def test_equal_keys_are_one_key() -> None:
    assert len(KeySet([verification_key("ES256", kid="1"), verification_key("ES256", kid="1")])) == 1
    ed = secret_key("Ed25519").public_key()
    names = [VerificationKey.from_cryptography(ed, alg=alg, kid="1") for alg in ("EdDSA", "Ed25519")]
    assert len(KeySet(names)) == 1


def test_one_kid_may_stand_for_several_algorithms_and_one_key_under_several_kids() -> None:
    assert len(KeySet([verification_key("ES256", kid="1"), verification_key("RS256", kid="1")])) == 2
    assert len(KeySet([verification_key("RS256", kid="1"), verification_key("PS256", kid="1")])) == 2
    assert len(KeySet([verification_key("ES256", kid="1"), verification_key("ES256", kid="2")])) == 2
    assert len(KeySet([verification_key("ES256", kid="1"), verification_key("ES256", which=1)])) == 2


def test_conflicting_keys_are_refused() -> None:
    for kid in ("1", None):
        keys = [verification_key("ES256", kid=kid, which=which) for which in (0, 1)]
        error = rejects("invalid_key", lambda keys=keys: KeySet(keys))
        assert "ES256" in str(error)


@pytest.mark.parametrize("keys", [None, 5, [], (), [None], ["key"], "keys", b"keys", {}, [{}], object()], ids=repr)
def test_a_set_takes_a_list_of_keys(keys: Any) -> None:
    rejects("invalid_key", lambda: KeySet(keys))


def test_a_key_alone_and_a_signing_key_are_answered_with_advice() -> None:
    key = SigningKey.from_cryptography(secret_key("ES256"), alg="ES256")
    assert "list" in str(rejects("invalid_key", lambda: KeySet(key.public())))
    assert "public()" in str(rejects("invalid_key", lambda: KeySet([key])))


def test_a_document_is_text_bytes_or_a_mapping() -> None:
    document = {"keys": [jwk_of("ES256", kid="1"), jwk_of("RS256", kid="2", alg="RS256")], "note": 1}
    text = json.dumps(document)
    sets = [KeySet.from_jwks(each) for each in (document, text, text.encode(), json.dumps(document, indent=2))]
    assert all(list(each) == list(sets[0]) for each in sets)
    assert [(key.kid, key.alg) for key in sets[0]] == [("1", "ES256"), ("2", "RS256")]


@pytest.mark.parametrize(
    "document",
    [
        "",
        "null",
        "[]",
        "5",
        '"keys"',
        "{",
        '{"keys": [',
        '{"keys": []}x',
        '{"keys": [], "keys": []}',
        '{"keys": [{"kty": "EC", "kty": "EC"}]}',
        '{"keys": [], }',
        "{'keys': []}",
        '\ufeff{"keys": []}',
        '{"keys": ["\ud800"]}',
        '{"keys": ["\\ud800"]}',
        b'{"keys": ["\xff"]}',
        '{"keys": []}'.encode("utf-16"),
        "https://auth.example.com/.well-known/jwks.json",
        "/etc/jwks.json",
        "{}",
        '{"keys": null}',
        '{"keys": {}}',
        '{"keys": "x"}',
        '{"keys": []}',
        '{"keys": [null]}',
        '{"keys": [[]]}',
        '{"keys": ["x"]}',
        '{"keys": [{}]}',
        '{"keys": ' + "[" * 100 + "]" * 100 + "}",
        None,
        5,
        [],
        [{"kty": "EC"}],
        bytearray(b'{"keys": []}'),
        {"keys": [None]},
        {"keys": None},
        {"key": []},
        {},
        object(),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_anything_else_is_no_jwk_set(document: Any) -> None:
    rejects("invalid_key", lambda: KeySet.from_jwks(document))


def test_a_name_twice_makes_the_text_invalid() -> None:
    jwk = json.dumps(jwk_of("ES256", kid="1"))
    KeySet.from_jwks(f'{{"keys": [{jwk}]}}')
    for text in (
        f'{{"keys": [{jwk}], "keys": [{jwk}]}}',
        f'{{"keys": [{jwk}], "k\\u0065ys": [{jwk}]}}',
        f'{{"keys": [{jwk[:-1]}, "kid": "2"}}]}}',
        f'{{"keys": [{jwk}], "note": {{"a": 1, "a": 1}}}}',
    ):
        rejects("invalid_key", lambda text=text: KeySet.from_jwks(text))


def test_a_single_jwk_is_answered_with_advice() -> None:
    assert "from_jwk" in str(rejects("invalid_key", lambda: KeySet.from_jwks(jwk_of("ES256"))))


SKIPPED = [
    {"kty": "XYZ", "kid": "s"},
    {"kty": "XYZ", "kid": "s", "d": "AAAA", "k": 5, "alg": None},
    {"kty": "OKP", "crv": "X25519", "x": "AAAA", "kid": "s"},
    {"kty": "EC", "crv": "P-192", "x": "AAAA", "y": "AAAA", "kid": "s"},
    {"kty": "EC", "crv": "brainpoolP256r1", "kid": "s"},
    {"kty": "RSA", "n": "AQAB", "e": "AQAB", "use": "enc", "kid": "s"},
    {"kty": "RSA", "n": "AQAB", "e": "AQAB", "use": "other", "kid": "s"},
    {"kty": "RSA", "n": "AQAB", "e": "AQAB", "key_ops": ["encrypt"], "kid": "s"},
    {"kty": "RSA", "n": "AQAB", "e": "AQAB", "key_ops": [], "kid": "s"},
    {"kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "RSA-OAEP", "kid": "s"},
    {"kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "none", "kid": "s"},
    {"kty": "AKP", "alg": "SLH-DSA-SHA2-128s", "pub": "AAAA", "kid": "s"},
]


@pytest.mark.parametrize("jwk", SKIPPED, ids=lambda jwk: json.dumps(jwk)[:50])
def test_keys_of_another_kind_are_left_out_and_reported(jwk: dict[str, Any]) -> None:
    keys = from_jwks(jwk, jwk_of("ES256", kid="1"), jwk)
    assert [key.kid for key in keys] == ["1"]
    assert [kid for kid, _ in keys.skipped] == ["s", "s"]
    assert all(isinstance(reason, str) and reason for _, reason in keys.skipped)
    assert "no key" in refused(jwk)


def test_the_kid_of_a_skipped_key_is_told_if_it_is_one() -> None:
    keys = from_jwks({"kty": "XYZ"}, {"kty": "XYZ", "kid": 5}, jwk_of("ES256"))
    assert [kid for kid, _ in keys.skipped] == [None, None]


@pytest.mark.parametrize(
    "members",
    [
        {"kid": ""},
        {"kid": 5},
        {"kid": None},
        {"kid": "a" * 257},
        {"use": 5},
        {"key_ops": "verify"},
        {"key_ops": ["verify", "verify"]},
        {"key_ops": ["encrypt", "encrypt"]},
        {"alg": None},
        {"alg": 5},
        {"alg": "ES384"},
        {"alg": "RS256"},
        {"alg": "HS256"},
        {"crv": 5},
        {"x": "AAAA"},
        {"y": None},
        {"d": "AAAA"},
        {"x5c": []},
    ],
    ids=str,
)
def test_one_damaged_key_makes_the_set_invalid(members: dict[str, Any]) -> None:
    text = refused(jwk_of("RS256", kid="good", alg="RS256"), jwk_of("ES256", alg="ES256") | members)
    assert text.startswith("key 1 of the set")


def test_a_private_key_makes_the_set_invalid_even_if_it_would_be_skipped() -> None:
    for members in ({}, {"use": "enc"}, {"key_ops": ["sign"]}, {"alg": "ECDH-ES"}):
        text = refused(jwk_of("RS256", alg="RS256"), private_jwk(secret_key("ES256")) | {"kid": "k7"} | members)
        assert "private" in text
        assert "'k7'" in text


def test_a_set_of_secrets() -> None:
    keys = from_jwks(jwk_of("HS256", kid="1", alg="HS256"), jwk_of("HS512", kid="2", alg="HS512"))
    assert len(keys) == 2
    assert keys.to_jwks() == {"keys": []}
    assert b64u(secret_key("HS256")) not in repr(keys)


def test_secrets_and_public_keys_do_not_mix() -> None:
    secret = jwk_of("HS256", alg="HS256")
    for public in (
        jwk_of("ES256"),
        jwk_of("RS256"),
        jwk_of("ES256", use="enc"),
        {"kty": "RSA", "alg": "RSA-OAEP"},
    ):
        assert "mixes" in refused(secret, public)
    assert len(from_jwks(secret, {"kty": "XYZ"})) == 1
    mixed = [verification_key("HS256"), verification_key("ES256")]
    assert "mixes" in str(rejects("invalid_key", lambda: KeySet(mixed)))


def test_the_public_set_comes_out_and_goes_in_again() -> None:
    keys = KeySet([verification_key(alg, kid=alg) for alg in KINDS])
    document = keys.to_jwks()
    assert list(KeySet.from_jwks(json.dumps(document))) == list(keys)
    assert [jwk["kid"] for jwk in document["keys"]] == list(KINDS)
    document["keys"][0].clear()
    assert keys.to_jwks() != document


def test_an_ec_key_without_algorithm_takes_the_one_of_its_curve() -> None:
    keys = from_jwks(jwk_of("ES256"), jwk_of("ES512"), jwk_of("Ed25519"), jwk_of("ML-DSA-44"))
    assert [key.alg for key in keys] == ["ES256", "ES512", "EdDSA", "ML-DSA-44"]
    assert keys._bind(("RS256",)) is keys


@pytest.mark.parametrize("algorithms", [["RS256"], ["ES256", "PS512"], ["EdDSA", "HS256", "RS384"]])
def test_a_key_without_algorithm_takes_the_only_one_allowed_to_its_type(algorithms: list[str]) -> None:
    expected = next(name for name in algorithms if name[:2] in ("RS", "PS"))
    assert [key.alg for key in from_jwks(jwk_of("RS256"), algorithms=algorithms)] == [expected]


def test_of_two_that_are_allowed_none_is_chosen() -> None:
    assert "RS256, PS256" in refused(jwk_of("RS256"), algorithms=["PS256", "RS256"])
    assert "HS256, HS384" in refused(jwk_of("HS256"), algorithms=["HS256", "HS384"])


def test_a_key_that_no_allowed_algorithm_fits_is_left_out() -> None:
    keys = from_jwks(
        jwk_of("RS256", kid="1"), jwk_of("ES256", kid="2"), jwk_of("Ed448"), algorithms=["RS256", "Ed25519"]
    )
    assert [key.kid for key in keys] == ["1"]
    assert [kid for kid, _ in keys.skipped] == ["2", None]
    refused(jwk_of("RS256"), algorithms=["ES256"])


def test_a_key_with_an_algorithm_keeps_it_whatever_is_allowed() -> None:
    keys = from_jwks(jwk_of("RS256", alg="PS384"), algorithms=["ES256"])
    assert [key.alg for key in keys] == ["PS384"]


@pytest.mark.parametrize("algorithms", ["RS256", [], ["none"], [None], 5])
def test_the_allowed_algorithms_are_a_list_of_names(algorithms: Any) -> None:
    rejects("invalid_policy", lambda: from_jwks(jwk_of("RS256"), algorithms=algorithms))


def test_without_a_list_an_rsa_key_waits_for_the_policy() -> None:
    keys = from_jwks(jwk_of("RS256", kid="1"), jwk_of("ES256", kid="2"))
    assert (len(keys), [key.kid for key in keys]) == (1, ["2"])
    assert keys._table.lookup("1", algorithm_mask(["RS256"])) is None
    bound = keys._bind(("RS256", "ES256"))
    assert [(key.kid, key.alg) for key in bound] == [("2", "ES256"), ("1", "RS256")]
    assert bound._table.lookup("1", algorithm_mask(["RS256"])) is not None
    assert bound._bind(("PS256",)) is bound
    assert [(key.kid, key.alg) for key in keys._bind(("PS256",))] == [("2", "ES256"), ("1", "PS256")]


def test_a_set_of_waiting_keys_only_is_a_set() -> None:
    keys = from_jwks(jwk_of("RS256", kid="1"), jwk_of("RS256", 1, kid="2"))
    assert keys
    assert list(keys) == []
    assert keys.to_jwks() == {"keys": [jwk_of("RS256", kid="1", use="sig"), jwk_of("RS256", 1, kid="2", use="sig")]}
    assert len(keys._bind(("RS512",))) == 2


def test_binding_refuses_what_loading_would_have_refused() -> None:
    keys = from_jwks(jwk_of("RS256", kid="1"))
    assert "RS256, PS256" in str(rejects("invalid_key", lambda: keys._bind(("ES256", "RS256", "PS256"))))
    assert "no key" in str(rejects("invalid_key", lambda: keys._bind(("ES256",))))
    both = from_jwks(jwk_of("RS256", kid="1"), jwk_of("RS256", 1, kid="1", alg="RS256"))
    rejects("invalid_key", lambda: both._bind(("RS256",)))
    assert len(both._bind(("PS256",))) == 2
    skipped = from_jwks(jwk_of("RS256", kid="1"), jwk_of("ES256", kid="2"))._bind(("ES256",)).skipped
    assert [kid for kid, _ in skipped] == ["1"]


def test_a_waiting_secret_is_held_against_the_length_of_its_hash() -> None:
    keys = from_jwks({"kty": "oct", "k": b64u(bytes(range(48)))})
    assert keys.to_jwks() == {"keys": []}
    assert [key.alg for key in keys._bind(("HS384",))] == ["HS384"]
    assert "64" in str(rejects("invalid_key", lambda: keys._bind(("HS512",))))
    refused({"kty": "oct", "k": b64u(b"-----BEGIN PUBLIC KEY-----" * 2)})


def test_a_weak_key_is_refused_while_it_waits() -> None:
    assert "2048" in refused({"kty": "RSA", "n": b64u(b"\xff" * 128), "e": "AQAB"})


def test_the_repr_shows_kids_and_algorithms_only() -> None:
    keys = from_jwks(jwk_of("RS256", kid="1"), jwk_of("ES256", kid="2"), jwk_of("Ed25519"))
    assert repr(keys) == "KeySet('2': ES256, None: EdDSA, '1': ?)"


def test_a_set_does_not_change() -> None:
    keys = KeySet([verification_key("ES256")])
    for name in (*KeySet.__slots__, "skipped", "note"):
        with pytest.raises(AttributeError):
            setattr(keys, name, ())
        with pytest.raises(AttributeError):
            delattr(keys, name)
    assert not hasattr(keys, "__dict__")
    with pytest.raises(TypeError):
        keys[0] = verification_key("ES256", which=1)
    keys.__init__([verification_key("ES256", which=1)])
    assert list(keys) == [verification_key("ES256")]


def test_a_set_is_not_pickled_and_secrets_are_not_copied() -> None:
    public, secret = KeySet([verification_key("ES256")]), KeySet([verification_key("HS256")])
    waiting = from_jwks(jwk_of("HS256"))
    assert copy.copy(public) is public
    assert copy.deepcopy({"keys": public})["keys"] is public
    for keys in (public, secret, waiting):
        with pytest.raises(TypeError):
            pickle.dumps(keys)
    for keys in (secret, waiting):
        for duplicate in (copy.copy, copy.deepcopy):
            with pytest.raises(TypeError):
                duplicate(keys)
    with pytest.raises(TypeError):
        type("Sub", (KeySet,), {})


def test_a_refusal_shows_nothing_of_the_document() -> None:
    good = jwk_of("RS256", alg="RS256", kid="k")
    for jwk in (good | {"n": good["n"][:-3]}, good | {"d": "c2VjcmV0IHNlY3JldA"}, good | {"alg": "ES256"}):
        for document in ({"keys": [jwk]}, json.dumps({"keys": [jwk]})):
            text = str(rejects("invalid_key", lambda document=document: KeySet.from_jwks(document)))
            assert good["n"][:12] not in text
            assert "c2VjcmV0" not in text
    broken = json.dumps({"keys": [good]})[:-1]
    assert good["n"][:12] not in str(rejects("invalid_key", lambda: KeySet.from_jwks(broken)))
