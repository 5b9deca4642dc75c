"""What is found in a set, how grave it is, and that the finding says what to do and shows no secret."""

import hashlib
import json
from pathlib import Path

import pytest
from support import NOW, b64u
from unit.audit.keysets import WEAK_MODULUS, certificate_of, document, jwk, rsa_jwk, x5c

from jotgate.audit.findings import ERROR, NOTE, WARNING, has_errors
from jotgate.audit.keylint import MAX_BYTES, MAX_KEYS, lint
from jotgate.audit.keysets import view

IDP = Path(__file__).parents[2] / "vectors" / "idp"
IN_2025 = 1_750_000_000
SOUND = [jwk(kid="a"), jwk(kid="b", which=1)]


def found(*keys, now=NOW, **options):
    return {(each.severity, each.code) for each in lint(view(document(*keys), **options), now)}


def test_a_sound_set_of_two_keys_has_no_findings():
    assert found(*SOUND) == set()


def weak():
    return rsa_jwk(WEAK_MODULUS)


def roca() -> int:
    """Return a modulus with the fingerprint: 65537^a modulo the product of the primes below 168."""
    primorial = 1
    for prime in (n for n in range(2, 168) if all(n % d for d in range(2, n))):
        primorial *= prime
    modulus = pow(65537, 1234567, primorial)
    return modulus + primorial * (1 << (2048 - primorial.bit_length()))


def thumbprints(key="ES256"):
    der = certificate_of(key)
    return {
        "x5t": b64u(hashlib.sha1(der).digest()),
        "x5t#S256": b64u(hashlib.sha256(der).digest()),
    }


# What is added to a sound set, and what must be found.
CASES = {
    "private": ([jwk("ES384", kid="c", private=True)], {(ERROR, "private_key_published")}),
    "private RSA": ([jwk("RS256", kid="c", private=True)], {(ERROR, "private_key_published")}),
    "secret": ([{"kty": "oct", "kid": "c", "k": b64u(b"s" * 32), "alg": "HS256"}], {(ERROR, "secret_published")}),
    "one kid and algorithm": (
        [jwk(kid="a", which=1)],
        {(ERROR, "duplicate_kid"), (NOTE, "same_key_twice"), (NOTE, "no_second_key")},
    ),
    "one kid": ([jwk("ES384", kid="a")], {(WARNING, "duplicate_kid")}),
    "same key, same kid": ([jwk(kid="a")], {(NOTE, "same_key_twice")}),
    "same key, other kid": ([jwk(kid="c")], {(NOTE, "same_key_twice")}),
    "no kid": ([jwk("ES384")], {(WARNING, "no_kid")}),
    "two without kid": ([jwk("ES384"), jwk("ES384", which=1)], {(ERROR, "duplicate_kid")}),
    "no alg, EC": ([jwk("ES384", kid="c", alg=None)], {(NOTE, "no_alg")}),
    "no alg, RSA": ([jwk("RS256", kid="c", alg=None)], {(WARNING, "no_alg")}),
    "no use": ([jwk("ES384", kid="c", use=None)], {(NOTE, "no_use")}),
    "key_ops": ([jwk("ES384", kid="c", use=None, key_ops=["verify"])], set()),
    "key_ops and use": ([jwk("ES384", kid="c", key_ops=["verify"])], {(NOTE, "use_and_key_ops")}),
    "key_ops of a private key": (
        [jwk("ES384", kid="c", use=None, key_ops=["sign", "verify"])],
        {(WARNING, "private_key_ops")},
    ),
    "key_ops without verify": ([jwk("ES384", kid="c", use=None, key_ops=["deriveKey"])], {(ERROR, "key_ops")}),
    "key_ops against use": ([jwk("ES384", kid="c", key_ops=["encrypt"])], {(ERROR, "key_ops")}),
    "for encryption": ([jwk("ES384", kid="c", use="enc", alg="ECDH-ES")], {(NOTE, "not_for_signatures")}),
    "1024 bits": ([weak()], {(ERROR, "weak_rsa")}),
    "ROCA": ([rsa_jwk(roca())], {(ERROR, "roca")}),
    "even modulus": ([rsa_jwk(1 << 2047)], {(ERROR, "invalid_key")}),
    "small exponent": ([jwk("RS256", kid="c", e="Aw")], {(WARNING, "small_exponent")}),
    "unknown kty": ([{"kty": "LMS", "kid": "c"}], {(NOTE, "unknown_kty")}),
    "no kty": ([{"kid": "c"}], {(ERROR, "invalid_key")}),
    "unknown alg": ([jwk("ES384", kid="c", alg="ES384K")], {(WARNING, "unknown_alg")}),
    "alg of another type": ([jwk("ES384", kid="c", alg="HS256")], {(ERROR, "invalid_key")}),
    "off the curve": ([jwk("ES384", kid="c", x=b64u(b"1" * 48))], {(ERROR, "invalid_key")}),
    "Ed25519 by its new name": ([jwk("Ed25519", kid="c")], {(WARNING, "new_algorithm_name")}),
    "Ed25519 by its old name": ([jwk("Ed25519", kid="c", alg="EdDSA")], {(NOTE, "old_algorithm_name")}),
    "long kid": ([jwk("ES384", kid="c" * 257)], {(ERROR, "invalid_key")}),
    "certificate": ([jwk("ES384", kid="c", x5c=x5c("ES384"))], {(WARNING, "x5c_not_yet_valid")}),
    "certificate of another key": (
        [jwk("ES384", kid="c", x5c=x5c("ES256"))],
        {(ERROR, "x5c"), (WARNING, "x5c_not_yet_valid")},
    ),
    "broken certificate": ([jwk("ES384", kid="c", x5c=["AAAA"])], {(ERROR, "x5c")}),
    "not base64": ([jwk("ES384", kid="c", x5c=["*"])], {(ERROR, "x5c")}),
    "no chain": ([jwk("ES384", kid="c", x5c=[])], {(ERROR, "x5c")}),
}


@pytest.mark.parametrize("case", CASES)
def test_findings(case):
    keys, expected = CASES[case]
    assert found(*SOUND, *keys) == expected


def test_every_finding_says_what_to_do_and_shows_nothing():
    secret = b64u(b"canary-secret" * 3)
    keys = [key for keys, _ in CASES.values() for key in keys]
    keys += [{"kty": "oct", "k": secret}, jwk("Ed25519", private=True) | {"d": secret}]
    findings = lint(view(document(*keys)), NOW)
    codes = {code for _, expected in CASES.values() for _, code in expected} - {"no_second_key"}
    assert codes <= {each.code for each in findings}
    for each in findings:
        assert each.advice or each.severity == NOTE
        assert each.message
        assert each.where
        assert secret not in str(each)


class TestCertificates:
    def test_dates(self):
        key = jwk(kid="c", x5c=x5c())
        assert found(key, SOUND[1], now=IN_2025) == set()
        assert found(key, SOUND[1], now=IN_2025 + 50_000_000) == {(NOTE, "old_key")}
        assert found(key, SOUND[1], now=2_100_000_000) == {(WARNING, "x5c_expired"), (NOTE, "old_key")}

    def test_thumbprints(self):
        good = jwk(kid="c", x5c=x5c(), **thumbprints())
        assert found(good, SOUND[1], now=IN_2025) == set()
        bad = jwk(kid="c", x5c=x5c(), **thumbprints("ES384"))
        assert found(bad, SOUND[1], now=IN_2025) == {(WARNING, "x5t")}
        assert found(jwk(kid="c", x5c=x5c(), x5t=1), SOUND[1], now=IN_2025) == {(WARNING, "x5t")}


class TestTheSet:
    def test_one_key(self):
        assert found(SOUND[0]) == {(NOTE, "no_second_key")}
        assert found(jwk()) == {(NOTE, "no_second_key"), (NOTE, "no_kid")}

    def test_none(self):
        assert found() == {(ERROR, "no_usable_key")}
        assert (ERROR, "no_usable_key") in found(weak())

    def test_too_many(self):
        keys = [{"kty": "LMS", "kid": str(number)} for number in range(MAX_KEYS - 2)]
        assert (ERROR, "too_many_keys") not in found(*SOUND, *keys)
        assert (ERROR, "too_many_keys") in found(*SOUND, *keys, {"kty": "LMS", "kid": "x"})

    def test_too_large(self):
        text = json.dumps({"keys": SOUND})
        padded = text.ljust(MAX_BYTES).encode()
        assert lint(view(padded), NOW) == []
        assert [each.code for each in lint(view(padded + b" "), NOW)] == ["too_large"]

    def test_not_allowed(self):
        assert found(*SOUND, jwk("ES384", kid="c"), algorithms=["ES256"]) == {(WARNING, "not_allowed")}

    @pytest.mark.parametrize(
        ("alg", "allowed", "advice"),
        [
            ("ES384", ["ES256"], "allow ES384, or publish an ES256 key"),
            ("ES384", ["PS256", "RS256", "HS256"], "allow ES384, or publish a PS256 or RS256 key"),
            ("ES384", ["HS256"], "allow ES384"),
            (None, ["RS256", "PS256"], "name its algorithm in the set, or allow exactly one of RS256, PS256"),
            (None, ["ES256"], "allow RS256 or RS384 or RS512 or PS256 or PS384 or PS512, or publish an ES256 key"),
        ],
    )
    def test_advice_on_what_is_not_allowed(self, alg, allowed, advice):
        key = jwk("RS256", kid="c", alg=None) if alg is None else jwk(alg, kid="c")
        findings = lint(view(document(key), algorithms=allowed), NOW)
        assert [each.advice for each in findings if each.code == "not_allowed"] == [advice]

    def test_large_rsa(self):
        # A modulus without known factors is enough: it is never used.
        modulus = next(n for n in range((1 << 4999) + 1, (1 << 4999) + 9999, 2) if all(n % d for d in range(3, 168, 2)))
        assert found(*SOUND, rsa_jwk(modulus)) == {(NOTE, "large_rsa")}


def test_gravest_first():
    findings = lint(view(document(jwk("Ed25519", kid="c"), weak(), jwk(use=None))), NOW)
    assert [each.severity for each in findings] == sorted(
        (each.severity for each in findings), key=(ERROR, WARNING, NOTE).index
    )
    assert has_errors(findings)
    assert not has_errors([each for each in findings if each.severity != ERROR])


@pytest.mark.parametrize("provider", sorted(path.parent.name for path in IDP.glob("*/jwks.json")))
def test_no_large_provider_publishes_an_error(provider):
    findings = lint(view((IDP / provider / "jwks.json").read_bytes()), IN_2025)
    assert not has_errors(findings), findings
