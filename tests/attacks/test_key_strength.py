"""Group B, the part about strength: weak, malformed and contradictory keys do not load."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from key_forms import KINDS, certificate, private_jwk, public_jwk, spki, uint
from support import b64u, rejects, secret_key, unb64u

from jotgate import KeySet, SigningKey, VerificationKey

COOKBOOK = Path(__file__).parents[1] / "vectors" / "jose-cookbook" / "jwk"


def refused(jwk: dict[str, Any], *, private: bool = False) -> None:
    """Assert that a JWK is refused alone and in a set, or as a signing key."""
    if private:
        rejects("invalid_key", lambda: SigningKey.from_jwk(jwk))
    else:
        rejects("invalid_key", lambda: VerificationKey.from_jwk(jwk))
        rejects("invalid_key", lambda: KeySet.from_jwks({"keys": [jwk]}))


def rsa_jwk(n: int, e: int = 65537, **members: Any) -> dict[str, Any]:
    return {"kty": "RSA", "alg": "RS256", "n": uint(n), "e": uint(e)} | members


def cookbook(name: str) -> dict[str, Any]:
    jwk: dict[str, Any] = json.loads((COOKBOOK / name).read_text())
    return jwk


@pytest.mark.parametrize("bits", [1024, 2040])
def test_b11_a_short_rsa_key_is_refused(bits: int) -> None:
    key = rsa.generate_private_key(65537, bits)
    for door in (
        lambda: VerificationKey.from_cryptography(key.public_key(), alg="PS256"),
        lambda: VerificationKey.from_pem(spki(key.public_key(), Encoding.PEM), alg="RS256"),
        lambda: VerificationKey.from_pem(certificate(key).public_bytes(Encoding.PEM), alg="RS256"),
        lambda: VerificationKey.from_der(spki(key.public_key()), alg="RS256"),
        lambda: SigningKey.from_cryptography(key, alg="RS256"),
        lambda: SigningKey.from_jwk(private_jwk(key), alg="RS256"),
    ):
        assert "2048" in str(rejects("invalid_key", door))
    refused(rsa_jwk(key.public_key().public_numbers().n))


@pytest.mark.parametrize(("alg", "least"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_b11_a_secret_shorter_than_the_hash_is_refused(alg: str, least: int) -> None:
    secret = secret_key("HS512")[:least]
    for length in (1, 8, 16, 31, least - 1):
        short = secret[:length]
        error = rejects("invalid_key", lambda short=short: VerificationKey.from_secret(short, alg=alg))
        assert str(least) in str(error)
        rejects("invalid_key", lambda short=short: SigningKey.from_secret(short, alg=alg))
        refused({"kty": "oct", "alg": alg, "k": b64u(short)})
    VerificationKey.from_secret(secret, alg=alg)
    VerificationKey.from_jwk({"kty": "oct", "alg": alg, "k": b64u(secret)})


class Edwards:
    """Affine arithmetic on ax^2 + y^2 = 1 + dx^2y^2, to know the points of small order by themselves."""

    def __init__(self, p: int, a: int, d: int, size: int) -> None:
        self.p, self.a, self.d, self.size = p, a, d, size

    def add(self, one: tuple[int, int], two: tuple[int, int]) -> tuple[int, int]:
        (x1, y1), (x2, y2), p = one, two, self.p
        product = self.d * x1 * x2 * y1 * y2 % p
        x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, p) % p
        y = (y1 * y2 - self.a * x1 * x2) * pow(1 - product, -1, p) % p
        return x, y

    def times(self, n: int, point: tuple[int, int]) -> tuple[int, int]:
        total = (0, 1)
        for bit in bin(n)[2:]:
            total = self.add(total, total)
            if bit == "1":
                total = self.add(total, point)
        return total

    def recover(self, y: int) -> tuple[int, int] | None:
        p = self.p
        square = (1 - y * y) * pow(self.a - self.d * y * y, -1, p) % p
        root = pow(square, (p + 3) // 8, p) if p % 8 == 5 else pow(square, (p + 1) // 4, p)
        if root * root % p != square and p % 8 == 5:
            root = root * pow(2, (p - 1) // 4, p) % p
        return (root, y) if root * root % p == square else None

    def encode(self, point: tuple[int, int]) -> bytes:
        x, y = point
        return (y | (x & 1) << (8 * self.size - 1)).to_bytes(self.size, "little")

    def small_order(self, order: int, cofactor: int) -> set[tuple[int, int]]:
        """Return the points whose order divides the cofactor: `order` times any point of the curve."""
        found: set[tuple[int, int]] = set()
        y = 2
        while len(found) < cofactor:
            if (point := self.recover(y)) is not None:
                small = step = self.times(order, point)
                for _ in range(cofactor):
                    found.add(small)
                    small = self.add(small, step)
            y += 1
        return found


_P25519, _P448 = 2**255 - 19, 2**448 - 2**224 - 1
CURVES = {
    "Ed25519": Edwards(_P25519, -1, -121665 * pow(121666, -1, _P25519) % _P25519, 32),
    "Ed448": Edwards(_P448, 1, -39081 % _P448, 57),
}
ORDERS = {
    "Ed25519": (2**252 + 27742317777372353535851937790883648493, 8),
    "Ed448": (2**446 - 13818066809895115352007386748515426880336692474882178609894547503885, 4),
}


def edwards_is_refused(crv: str, encoded: bytes) -> None:
    refused({"kty": "OKP", "crv": crv, "x": b64u(encoded)})
    kind: Any = {"Ed25519": ed25519.Ed25519PublicKey, "Ed448": ed448.Ed448PublicKey}[crv]
    key = kind.from_public_bytes(encoded)
    for door in (
        lambda: VerificationKey.from_cryptography(key, alg="EdDSA"),
        lambda: VerificationKey.from_pem(spki(key, Encoding.PEM), alg=crv),
        lambda: VerificationKey.from_der(spki(key), alg="EdDSA"),
    ):
        rejects("invalid_key", door)


@pytest.mark.parametrize("crv", CURVES)
def test_b21_points_of_small_order_are_refused(crv: str) -> None:
    curve, (order, cofactor) = CURVES[crv], ORDERS[crv]
    points = curve.small_order(order, cofactor)
    assert len(points) == cofactor
    assert all(curve.times(cofactor, point) == (0, 1) for point in points)
    for point in points:
        edwards_is_refused(crv, curve.encode(point))
        # The other sign of x: another of the points, or for x = 0 an encoding that decodes to nothing.
        flipped = bytearray(curve.encode(point))
        flipped[-1] ^= 0x80
        edwards_is_refused(crv, bytes(flipped))


def test_b21_under_a_point_of_small_order_one_signature_is_good_for_every_message() -> None:
    identity = b"\x01" + bytes(31)
    key = ed25519.Ed25519PublicKey.from_public_bytes(identity)
    for message in (b"one", b"two"):
        key.verify(identity + bytes(32), message)  # does not raise: this is why we refuse the key


@pytest.mark.parametrize("crv", CURVES)
def test_b21_encodings_that_are_not_canonical_are_refused(crv: str) -> None:
    curve = CURVES[crv]
    top = 1 << (255 if crv == "Ed25519" else 448)
    for y in (curve.p, curve.p + 1, curve.p + 2, top - 2, top - 1):
        for sign in (0, 1):
            edwards_is_refused(crv, (y | sign << (8 * curve.size - 1)).to_bytes(curve.size, "little"))


def test_b21_the_last_byte_of_an_ed448_key_holds_the_sign_only() -> None:
    good = secret_key("Ed448").public_key().public_bytes_raw()
    for bit in range(7):
        edwards_is_refused("Ed448", good[:-1] + bytes([good[-1] ^ 1 << bit]))


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "ES256K"])
def test_b22_a_point_off_the_curve_is_refused(alg: str) -> None:
    jwk = {"alg": alg} | public_jwk(secret_key(alg).public_key())
    for name in ("x", "y"):
        octets = bytearray(unb64u(jwk[name]))
        octets[-1] ^= 1
        refused(jwk | {name: b64u(bytes(octets))})
        refused(jwk | {name: b64u(bytes(len(octets)))})
    # The point at infinity has no coordinates; all zeros is how some write it.
    refused(jwk | {"x": b64u(bytes(len(octets))), "y": b64u(bytes(len(octets)))})


def test_b22_a_coordinate_above_the_prime_is_refused() -> None:
    p521 = 2**521 - 1
    point = secret_key("ES512").public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-521", "alg": "ES512"} | public_jwk(secret_key("ES512").public_key())
    refused(jwk | {"x": b64u((point.x + p521).to_bytes(66, "big"))})
    refused(jwk | {"y": b64u((point.y + p521).to_bytes(66, "big"))})


@pytest.mark.parametrize("curve", [ec.SECP224R1(), ec.BrainpoolP256R1(), ec.BrainpoolP384R1()], ids=lambda c: c.name)
@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES256K"])
def test_b22_other_curves_are_refused(curve: ec.EllipticCurve, alg: str) -> None:
    key = ec.generate_private_key(curve)
    rejects("invalid_key", lambda: VerificationKey.from_cryptography(key.public_key(), alg=alg))
    rejects("invalid_key", lambda: VerificationKey.from_pem(spki(key.public_key(), Encoding.PEM), alg=alg))
    rejects("invalid_key", lambda: SigningKey.from_cryptography(key, alg=alg))


@pytest.mark.parametrize("crv", ["P-384", "P-521", "secp256k1", "P-192", "Ed25519", "p-256", "", None, 1])
def test_b22_coordinates_under_the_name_of_another_curve_are_refused(crv: Any) -> None:
    refused(public_jwk(secret_key("ES256").public_key()) | {"crv": crv, "alg": "ES256"})
    refused(public_jwk(secret_key("ES256").public_key()) | {"crv": crv})


def roca_modulus() -> int:
    """Make a modulus as the broken generator did, k * M + 65537^a mod M twice, prime or not."""
    primes = [n for n in range(2, 702) if all(n % d for d in range(2, math.isqrt(n) + 1))]
    m = math.prod(primes)
    p, q = ((k << 60) * m + pow(65537, a, m) for k, a in ((0xF0F1F2F3F, 12345), (0xF7F8F9FAF, 987654321)))
    assert p.bit_length() + q.bit_length() > 2048
    return p * q


def test_b23_a_roca_modulus_is_refused() -> None:
    n = roca_modulus()
    assert 2048 <= n.bit_length() <= 8192
    refused(rsa_jwk(n))
    key = rsa.RSAPublicNumbers(65537, n).public_key()
    error = rejects("invalid_key", lambda: VerificationKey.from_cryptography(key, alg="RS256"))
    assert "CVE-2017-15361" in str(error)
    # One step off the pattern it is an ordinary number.
    assert "CVE" not in str(rejects("invalid_key", lambda: VerificationKey.from_jwk(rsa_jwk(n + 1))))


@pytest.mark.parametrize("e", [0, 1, 2, 4, 65536, 2**64, 2**64 + 1, 2**70 + 1])
def test_b23_an_exponent_that_is_even_one_or_too_big_is_refused(e: int) -> None:
    n = secret_key("RS256").public_key().public_numbers().n
    refused(rsa_jwk(n, e) if e else rsa_jwk(n) | {"e": "AA"})


@pytest.mark.parametrize("e", [3, 17, 65537, 2**33 + 1, 2**64 - 1])
def test_b23_odd_exponents_below_2_to_the_64_are_taken(e: int) -> None:
    VerificationKey.from_jwk(rsa_jwk(secret_key("RS256").public_key().public_numbers().n, e))


def test_b23_an_even_modulus_or_one_of_the_wrong_size_is_refused() -> None:
    n = secret_key("RS256").public_key().public_numbers().n
    refused(rsa_jwk(n + 1))
    refused(rsa_jwk(n * 3))
    refused(rsa_jwk(n >> 1 | 1))
    refused(rsa_jwk(2**8192 + 1))
    refused(rsa_jwk((1 << 8193) + n))


@pytest.mark.parametrize("alg", KINDS)
def test_b24_every_altered_part_of_a_private_jwk_is_refused(alg: str) -> None:
    jwk = private_jwk(secret_key(alg))
    SigningKey.from_jwk({"alg": alg} | jwk)
    for name in set(jwk) - {"kty", "crv", "alg"}:
        octets = bytearray(unb64u(jwk[name]))
        octets[-1] ^= 2
        refused({"alg": alg} | jwk | {name: b64u(bytes(octets))}, private=True)


@pytest.mark.parametrize("alg", KINDS)
def test_b24_private_and_public_parts_of_two_keys_are_refused(alg: str) -> None:
    one, other = private_jwk(secret_key(alg)), private_jwk(secret_key(alg, 1))
    private = [name for name in one if name in ("d", "priv", "p", "q", "dp", "dq", "qi")]
    refused({"alg": alg} | one | {name: other[name] for name in private}, private=True)
    public = public_jwk(secret_key(alg, 1).public_key())
    refused({"alg": alg} | one | public, private=True)


def test_b24_rsa_private_parts_come_together_and_for_two_primes() -> None:
    jwk = {"alg": "RS256"} | private_jwk(secret_key("RS256"))
    for name in ("p", "q", "dp", "dq", "qi", "d"):
        refused({key: value for key, value in jwk.items() if key != name}, private=True)
    refused(jwk | {"oth": [{"r": "AQ", "d": "AQ", "t": "AQ"}]}, private=True)
    alone = {name: jwk[name] for name in ("kty", "alg", "n", "e", "d")}
    assert SigningKey.from_jwk(alone).to_jwk(private=True) == SigningKey.from_jwk(jwk).to_jwk(private=True)
    refused(alone | {"d": uint(5)}, private=True)


@pytest.mark.parametrize("alg", KINDS)
def test_b24_a_certificate_of_another_key_is_refused(alg: str) -> None:
    jwk = {"alg": alg} | public_jwk(secret_key(alg).public_key())
    own, foreign = (
        base64.b64encode(certificate(secret_key(alg, which)).public_bytes(Encoding.DER)).decode() for which in (0, 1)
    )
    VerificationKey.from_jwk(jwk | {"x5c": [own]})
    VerificationKey.from_jwk(jwk | {"x5c": [own, foreign]})
    for x5c in (
        [foreign],
        [foreign, own],
        [],
        None,
        own,
        [None],
        [own[:-8]],
        [own + "\n"],
        ["!!!!"],
        [b64u(b"x" * 99)],
        {},
    ):
        refused(jwk | {"x5c": x5c})


def test_b25_a_set_with_secrets_and_public_keys_is_refused() -> None:
    secret = {"kty": "oct", "alg": "HS256", "kid": "1", "k": b64u(secret_key("HS256"))}
    public = {"alg": "ES256", "kid": "2"} | public_jwk(secret_key("ES256").public_key())
    unnamed = {"kid": "3"} | public_jwk(secret_key("RS256").public_key())
    for other in (public, unnamed, public | {"use": "enc"}):
        rejects("invalid_key", lambda other=other: KeySet.from_jwks({"keys": [secret, other]}))
        rejects("invalid_key", lambda other=other: KeySet.from_jwks({"keys": [other, secret]}))
    keys = [VerificationKey.from_jwk(secret), VerificationKey.from_jwk(public)]
    rejects("invalid_key", lambda: KeySet(keys))
    KeySet.from_jwks({"keys": [secret, secret | {"kid": "4", "k": b64u(secret_key("HS256", 1))}]})


def test_b25_two_keys_under_one_kid_and_algorithm_are_refused() -> None:
    for alg in ("HS256", "ES256"):
        one, two = (_with_kid(alg, which) for which in (0, 1))
        rejects("invalid_key", lambda one=one, two=two: KeySet.from_jwks({"keys": [one, two]}))
        rejects("invalid_key", lambda one=one, two=two: KeySet([*map(VerificationKey.from_jwk, (one, two))]))
        assert len(KeySet.from_jwks({"keys": [one, one]})) == 1
        assert len(KeySet.from_jwks({"keys": [one, two | {"kid": "other"}]})) == 2


def test_b25_two_keys_without_kid_and_of_one_algorithm_are_refused() -> None:
    one, two = (public_jwk(secret_key("ES256", which).public_key()) for which in (0, 1))
    rejects("invalid_key", lambda: KeySet.from_jwks({"keys": [one, two]}))


def _with_kid(alg: str, which: int) -> dict[str, Any]:
    key = secret_key(alg, which)
    public = {"kty": "oct", "k": b64u(key)} if alg == "HS256" else public_jwk(key.public_key())
    return {"kid": "same", "alg": alg} | public


@pytest.mark.parametrize(
    "members",
    [
        {"use": "enc"},
        {"use": "tls"},
        {"use": ""},
        {"use": "SIG"},
        {"use": None},
        {"use": ["sig"]},
        {"key_ops": []},
        {"key_ops": ["sign"]},
        {"key_ops": ["encrypt", "wrapKey"]},
        {"key_ops": ["verify", "verify"]},
        {"key_ops": ["verify", "verify ", "verify"]},
        {"key_ops": "verify"},
        {"key_ops": ["verify", None]},
        {"key_ops": None},
        {"key_ops": {"verify": True}},
        {"use": "sig", "key_ops": ["verify", "encrypt"]},
        {"use": "enc", "key_ops": ["verify"]},
    ],
    ids=str,
)
def test_b26_a_key_for_something_else_does_not_verify(members: dict[str, Any]) -> None:
    refused({"alg": "RS256"} | public_jwk(secret_key("RS256").public_key()) | members)
    refused({"kty": "oct", "alg": "HS256", "k": b64u(secret_key("HS256"))} | members)


@pytest.mark.parametrize(
    "members", [{"use": "sig"}, {"key_ops": ["verify"]}, {"use": "sig", "key_ops": ["verify", "sign"]}]
)
def test_b26_a_key_for_signatures_verifies(members: dict[str, Any]) -> None:
    VerificationKey.from_jwk(public_jwk(secret_key("ES256").public_key()) | members)


def test_b26_a_key_that_may_only_verify_does_not_sign() -> None:
    jwk = private_jwk(secret_key("ES256"))
    refused(jwk | {"key_ops": ["verify"]}, private=True)
    refused(jwk | {"use": "enc"}, private=True)
    SigningKey.from_jwk(jwk | {"key_ops": ["sign"]})
    SigningKey.from_jwk(jwk | {"use": "sig", "key_ops": ["verify", "sign"]})


def test_b26_the_encryption_key_of_the_cookbook_is_refused() -> None:
    refused(cookbook("3_6.symmetric_key_encryption.json"))
    VerificationKey.from_jwk(cookbook("3_5.symmetric_key_mac_computation.json"))
