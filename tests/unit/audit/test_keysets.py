"""What a verifier that fetched a set does with each key."""

import json
from pathlib import Path

import pytest
from support import verification_key
from unit.audit.keysets import WEAK_MODULUS, document, jwk, rsa_jwk, x5c

from jotgate import KeySet
from jotgate.audit.keysets import view
from jotgate.errors import InvalidKeyError, PolicyError

IDP = Path(__file__).parents[2] / "vectors" / "idp"


def only(*keys, **options):
    (key,) = view(document(*keys), **options).keys
    return key


@pytest.mark.parametrize(
    "alg", ["RS256", "PS512", "ES256", "ES384", "ES512", "ES256K", "Ed25519", "Ed448", "ML-DSA-44"]
)
def test_a_sound_key_is_used(alg):
    key = only(jwk(alg, kid="k"))
    assert (key.outcome, key.serves, key.reason, key.kid) == ("used", (alg,), "", "k")
    assert key.thumbprint == verification_key(alg).thumbprint()
    assert key.name == "key 0 (kid 'k')"


def test_sizes():
    assert [only(jwk(alg)).size for alg in ("RS256", "ES384", "Ed25519", "ML-DSA-44")] == [
        "2048 bits", "P-384", "Ed25519", "ML-DSA-44"
    ]  # fmt: skip
    assert only(rsa_jwk(WEAK_MODULUS)).size == ""


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (jwk(private=True), "private members"),
        ({"kty": "oct", "k": "A" * 43, "alg": "HS256"}, "secret"),
        ({"kty": "oct"}, "secret"),
        ({"kty": "LMS", "pub": "x"}, "key type"),
        ({"kty": 1}, '"kty"'),
        ({}, '"kty"'),
        (jwk(use="enc"), "another use"),
        (jwk(key_ops=["encrypt"]), "contradict"),
        (jwk(use=None, key_ops=["sign"]), "key_ops"),
        (jwk(alg="ECDH-ES"), "not a signature algorithm"),
        (jwk(alg="HS256"), "does not go with"),
        (jwk(alg="ES384"), "does not go with"),
        (jwk(alg=1), '"alg" is not a string'),
        (jwk(crv="P-192"), "curve"),
        (jwk(x="AAAA"), '"x"'),
        (jwk(kid=""), "kid"),
        (jwk(kid="k" * 257), "kid"),
        (jwk(kid=7), "kid"),
        (jwk(x5c=x5c("ES384")), "another key"),
        (rsa_jwk(WEAK_MODULUS), "2048 bits"),
    ],
)
def test_what_is_left_out(key, reason):
    seen = only(key)
    assert seen.outcome == "skipped"
    assert reason in seen.reason
    assert seen.serves == ()
    # The others stay.
    keys = view(document(key, jwk(kid="sound", which=1))).keys
    assert [each.outcome for each in keys] == ["skipped", "used"]


def test_a_key_that_is_left_out_for_its_metadata_has_a_thumbprint():
    whole = only(jwk()).thumbprint
    for changed in (jwk(private=True), jwk(use="enc"), jwk(x5c=x5c("ES384")), jwk(kid="")):
        assert only(changed).thumbprint == whole
    assert only({"kty": "oct", "k": "A" * 43}).thumbprint is None


class TestAlgorithms:
    def test_without_alg_it_is_open(self):
        key = only(jwk("RS256", alg=None))
        assert (key.outcome, key.serves) == ("open", ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"))

    def test_the_only_allowed_one_is_taken(self):
        assert only(jwk("RS256", alg=None), algorithms=["ES256", "PS256"]).serves == ("PS256",)

    def test_of_two_none_is(self):
        key = only(jwk("RS256", alg=None), algorithms=["RS256", "PS256"])
        assert key.outcome == "skipped"
        assert "RS256, PS256 are all allowed" in key.reason

    def test_none_that_goes_with_it(self):
        assert "no algorithm" in only(jwk("RS256", alg=None), algorithms=["ES256"]).reason

    def test_named_and_not_allowed(self):
        assert "ES256, is not allowed" in only(jwk(), algorithms=["RS256"]).reason

    def test_the_curve_decides(self):
        assert only(jwk(alg=None)).serves == ("ES256",)

    def test_both_names_of_an_edwards_key(self):
        for name in ("EdDSA", "Ed25519"):
            assert only(jwk("Ed25519", alg=name), algorithms=["EdDSA"]).serves == ("Ed25519",)

    def test_unknown_names(self):
        with pytest.raises(PolicyError) as caught:
            view(document(jwk()), algorithms=["none"])
        assert caught.value.code == "invalid_policy"


class TestConflicts:
    def test_one_kid_and_algorithm_for_two_keys_drops_both(self):
        keys = view(document(jwk(kid="a"), jwk(kid="a", which=1), jwk("ES384", kid="a"))).keys
        assert [key.outcome for key in keys] == ["skipped", "skipped", "used"]
        assert [key.cause for key in keys] == ["conflict", "conflict", None]

    def test_two_keys_without_kid(self):
        assert [key.outcome for key in view(document(jwk(), jwk(which=1))).keys] == ["skipped", "skipped"]

    def test_the_same_key_twice_is_one(self):
        assert [key.outcome for key in view(document(jwk(kid="a"), jwk(kid="a"))).keys] == ["used", "used"]


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": [], "keys": []}', b"\xff",
     b"<html>", b'{"keys": []}x'],
)  # fmt: skip
def test_what_is_no_set(text):
    with pytest.raises(InvalidKeyError) as caught:
        view(text)
    assert caught.value.code == "invalid_key"


def test_entries_that_are_no_keys_are_left_out():
    keys = view(document(1, "x", None, [], {"keys": []}, jwk(kid="a"))).keys
    assert [(key.outcome, key.cause) for key in keys] == [("skipped", "kind")] * 5 + [("used", None)]


def test_one_jwk_is_a_set_of_one_where_that_is_wanted():
    assert len(view(json.dumps(jwk()).encode(), lone=True).keys) == 1
    assert view(jwk(), lone=True).size_bytes is None
    with pytest.raises(InvalidKeyError):
        view(jwk())
    assert view(document()).usable == ()


@pytest.mark.parametrize("provider", sorted(path.parent.name for path in IDP.glob("*/jwks.json")))
def test_it_agrees_with_the_key_set_on_what_providers_publish(provider):
    text = (IDP / provider / "jwks.json").read_bytes()
    seen, keys = view(text), KeySet.from_jwks(text)
    used = [(key.kid, key.thumbprint) for key in seen.keys if key.outcome == "used"]
    assert sorted(used, key=str) == sorted(((key.kid, key.thumbprint()) for key in keys), key=str)
    assert len(seen.keys) - len(seen.usable) == len(keys.skipped)
