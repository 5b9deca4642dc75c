"""ES256 with a table of multiples of the key: the equation, inverses computed together, signatures without a secret."""

import ctypes
import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from reference.p256 import G, N, P, multiply, verifies
from support import lane_material, secret_key, sign

from jotgate import _ecdsa, _lanes, _points
from jotgate._ecdsa import PointTable, signed_digest, verify_plainly
from jotgate._key import ALGORITHM_NUMBERS
from jotgate._points import inverses
from jotgate.keys import lanes, table_test
from tests.differential import tables as differential

pytestmark = pytest.mark.skipif(_points.missing() is not None, reason=f"the library has no {_points.missing()}")
DATA = b"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ1c2VyLTQ3MTEifQ"
DIGEST = hashlib.sha256(DATA).digest()


def bytes_of(number: int) -> bytes:
    return number.to_bytes(32, "big")


def plain_lane(material: bytes, alg: str = "ES256") -> Any:
    return _lanes.prepare(ALGORITHM_NUMBERS[alg], material)


@pytest.fixture(scope="module")
def table() -> PointTable:
    return PointTable(lane_material("ES256"))


def test_cases_that_are_known_by_the_way_they_were_made() -> None:
    counts = differential.run(20_000, 1)
    kinds = {kind for kind, _ in counts}
    assert {"x is r", "x is r + n", "equal summands", "opposite summands", "edge", "wrong key", "n - s"} <= kinds
    assert counts["x is r + n", True] > 100
    assert not any(counts[kind, True] for kind in ("opposite summands", "equal summands, another r", "flipped r"))


def test_the_cases_are_what_the_textbook_says(table: PointTable) -> None:
    """A few of them by affine arithmetic in plain Python, which shares nothing with any library."""
    key = secret_key("ES256")
    numbers = key.public_key().public_numbers()
    signature = sign("ES256", DATA)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    e = int.from_bytes(DIGEST, "big")
    for case in ((e, r, s), (e + 1, r, s), (e, r + 1, s), (e, r, N - s), (e, s, r), (0, r, s), (e, 1, 1)):
        expected = verifies((numbers.x, numbers.y), *case)
        assert table.verify_digest(bytes_of(case[0]), bytes_of(case[1]) + bytes_of(case[2])) is expected


def test_the_length_is_exact(table: PointTable) -> None:
    signature = sign("ES256", DATA)
    assert table.verify_digest(DIGEST, signature)
    for wrong in (b"", signature[:-1], signature + b"\0", b"\0" + signature, signature * 2, bytes(100_000)):
        assert not table.verify_digest(DIGEST, wrong)
    with pytest.raises(ValueError, match="32 bytes"):
        table.verify_digest(DIGEST[:-1], signature)
    with pytest.raises(ValueError, match="32 bytes"):
        table.verify_digest(DIGEST, signature, bytes(31))
    with pytest.raises(TypeError):
        table.verify_digest(bytearray(DIGEST), signature)  # type: ignore[arg-type]


def test_an_inverse_decides_nothing(table: PointTable) -> None:
    signature = sign("ES256", DATA)
    flipped = signature[:-1] + bytes([signature[-1] ^ 1])
    right, of_flipped = inverses([signature[32:], flipped[32:]])
    assert right
    assert of_flipped
    n_more = int.from_bytes(right, "big") + N
    wrong = [of_flipped, bytes(32), bytes_of(1), b"\xff" * 32, bytes_of(N), bytes_of(P), signature[32:]]
    for inverse in [None, right, *wrong, *([bytes_of(n_more)] if n_more < 2**256 else [])]:
        assert table.verify_digest(DIGEST, signature, inverse)
        assert not table.verify_digest(DIGEST, flipped, inverse)


class TestInverses:
    def test_are_inverses_in_montgomery_form(self) -> None:
        numbers = [
            1,
            2,
            N - 1,
            N // 2,
            2**255,
            *(int.from_bytes(hashlib.sha256(bytes([i])).digest()) for i in range(50)),
        ]
        numbers = [number % N for number in numbers]
        for count in (1, 2, 3, len(numbers)):
            found = inverses([bytes_of(number) for number in numbers[:count]])
            assert found == [bytes_of(pow(number, -1, N) * 2**256 % N) for number in numbers[:count]]

    def test_what_has_none_has_none_and_spoils_nothing(self) -> None:
        bad = [bytes(32), bytes_of(N), bytes_of(N + 1), bytes_of(P), b"\xff" * 32, b"", b"\x01", bytes(33)]
        for number in bad:
            before, none, after = inverses([bytes_of(3), number, bytes_of(5)])
            assert none is None
            assert [before, after] == inverses([bytes_of(3), bytes_of(5)])
        assert inverses(bad) == [None] * len(bad)
        assert inverses([]) == []

    def test_there_is_room_for_64(self) -> None:
        assert None not in inverses([bytes_of(3)] * 64)
        with pytest.raises(ValueError, match="too many"):
            inverses([bytes_of(3)] * 65)


class TestSignedDigest:
    def test_cryptography_accepts_it(self) -> None:
        material, key = lane_material("ES256"), secret_key("ES256").public_key()
        for u1, u2 in ((0, 1), (1, 1), (0, N - 1), (N - 1, N - 1), (5, 7)):
            digest, signature = signed_digest(material, bytes_of(u1), bytes_of(u2))
            halves = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
            key.verify(encode_dss_signature(*halves), digest, ec.ECDSA(Prehashed(SHA256())))

    def test_what_has_no_signature_is_refused(self) -> None:
        material = lane_material("ES256")
        for u1, u2 in ((1, 0), (N, 1), (1, N), (2**256 - 1, 1)):
            with pytest.raises(ValueError, match="no signature"):
                signed_digest(material, bytes_of(u1), bytes_of(u2))
        # u1 G + u2 Q at infinity
        secret = secret_key("ES256").private_numbers().private_value
        with pytest.raises(ValueError, match="no signature"):
            signed_digest(material, bytes_of(-secret % N), bytes_of(1))
        for key, u1 in ((b"", bytes(32)), (material[:-1], bytes(32)), (bytes(91), bytes(32)), (material, bytes(31))):
            with pytest.raises(ValueError, match=r"signature|numbers"):
                signed_digest(key, u1, bytes_of(1))


@pytest.mark.parametrize(
    "material",
    [b"", b"\x04", bytes(91), lane_material("ES256")[:-1], lane_material("ES384"), lane_material("Ed25519")],
)
def test_what_is_no_point_of_the_curve_has_no_table(material: bytes) -> None:
    before = _ecdsa.count()
    with pytest.raises(LookupError, match="no table"):
        PointTable(material)
    off_the_curve = bytearray(lane_material("ES256"))
    off_the_curve[-1] ^= 1
    with pytest.raises(LookupError, match="no table"):
        PointTable(bytes(off_the_curve))
    with pytest.raises(TypeError):
        PointTable(None)  # type: ignore[arg-type]
    assert _ecdsa.count() == before


@pytest.mark.parametrize("secret", [1, 2, N - 1])
def test_the_base_point_and_its_opposite_are_keys_too(secret: int) -> None:
    point = multiply(secret, G)
    assert point is not None
    key = ec.EllipticCurvePublicNumbers(*point, ec.SECP256R1()).public_key()
    private = ec.derive_private_key(secret, ec.SECP256R1())
    material = lane_material("ES256")[:-65] + b"\x04" + bytes_of(point[0]) + bytes_of(point[1])
    assert key == private.public_key()
    made = PointTable(material)
    assert table_test.passes(made, plain_lane(material), material)
    assert made.verify_digest(DIGEST, sign("ES256", DATA, private))


def test_the_table_of_another_key_fails_the_self_test(table: PointTable) -> None:
    one, other = lane_material("ES256"), lane_material("ES256", 1)
    assert table_test.passes(table, plain_lane(one), one)
    assert not table_test.passes(table, plain_lane(one), other)
    assert not table_test.passes(table, plain_lane(other), other)
    assert not table_test.passes(table, plain_lane(other), one), "the library's own verification has a say"


def test_a_table_must_be_worth_it(table: PointTable) -> None:
    assert table_test.is_faster(table, plain_lane(lane_material("ES256")))
    # refuses a signature by its length, at once
    assert not table_test.is_faster(table, plain_lane(lane_material("RS256"), "RS256"))


def test_the_library_verifies_digests_too() -> None:
    plain, signature = plain_lane(lane_material("ES256")), sign("ES256", DATA)
    assert verify_plainly(plain, DIGEST, signature)
    assert not verify_plainly(plain, DIGEST, bytes(64))
    assert not verify_plainly(plain, bytes(32), signature)
    for digest, wrong in ((DIGEST[1:], signature), (DIGEST, signature[1:]), (DIGEST, signature + b"\0")):
        with pytest.raises(ValueError, match="32 bytes"):
            verify_plainly(plain, digest, wrong)
    with pytest.raises(ValueError, match="not a key"):
        verify_plainly(plain_lane(lane_material("Ed25519"), "Ed25519"), DIGEST, signature)


def test_the_self_test_reaches_every_entry() -> None:
    """By the digits that OpenSSL's ecp_nistz256.c reads a number in."""
    reached = set()
    for number in table_test._FACTORS:
        assert 0 < number < N
        for row in range(37):
            window = (number << 1) >> 7 * row & 0xFF  # the carry of the row below is its top bit
            reached.add((row, (window + 1) // 2 if window < 128 else (256 - window) // 2))
    assert reached >= {(row, entry) for row in range(36) for entry in range(1, 65)}
    assert reached >= {(36, entry) for entry in range(1, 17)}


def test_tables_are_counted() -> None:
    before = _ecdsa.count()
    made = PointTable(lane_material("ES256"))
    assert _ecdsa.count() == before + 1
    del made
    assert _ecdsa.count() == before


def test_the_error_queue_stays_as_it_was(table: PointTable) -> None:
    crypto: Any = ctypes.CDLL(lanes.library()[0])  # type: ignore[index]
    signature = sign("ES256", DATA)
    for own_errors in range(3):
        crypto.ERR_clear_error()
        for _ in range(own_errors):
            assert not crypto.d2i_PUBKEY(None, ctypes.byref(ctypes.c_char_p(b"\x30\x00")), 2)
        before = crypto.ERR_peek_error(), crypto.ERR_peek_last_error()
        for _ in range(40):
            assert table.verify_digest(DIGEST, signature)
            assert not table.verify_digest(DIGEST, b"\xff" * 64)
        with pytest.raises(LookupError):
            PointTable(bytes(91))
        with pytest.raises(ValueError, match="no signature"):
            signed_digest(bytes(91), bytes(32), bytes_of(1))
        assert (crypto.ERR_peek_error(), crypto.ERR_peek_last_error()) == before
    crypto.ERR_clear_error()
