"""Tables built, used and dropped: nothing stays behind, and one takes what `stats()` says it does."""

import sys

from measure import assert_steady, resident_bytes
from support import lane_material, served_algorithms, sign

from jotgate import _points
from jotgate._ecdsa import PointTable, signed_digest
from jotgate._points import inverses
from jotgate.keys import lanes, tables

if "ES256" not in served_algorithms() or _points.missing() is not None:
    sys.exit(0)
DATA = b"x" * 500
MATERIAL, SIGNATURE = lane_material("ES256"), sign("ES256", DATA)
lane = lanes.signature_lane("ES256", MATERIAL)
tables.KEEPER.build(lane)
numbers = [bytes([n]) * 32 for n in range(60)]


def check() -> None:
    assert lane.verify(DATA, SIGNATURE)
    assert not lane.verify(DATA, bytes(64))
    assert not lane.verify(DATA, SIGNATURE[:-1] + b"\0")


def fail_to_build() -> None:
    for wrong in (b"", bytes(91), lane_material("ES384")):
        try:
            PointTable(wrong)
        except LookupError:
            continue
        raise AssertionError


def build() -> None:
    made = lanes.signature_lane("ES256", MATERIAL)
    tables.KEEPER.build(made)
    assert made.verify(DATA, SIGNATURE)


assert_steady("check with a table", check, 3_000)
assert_steady("inverses", lambda: inverses(numbers), 3_000)
assert_steady("a digest with its signature", lambda: signed_digest(MATERIAL, numbers[3], numbers[4]), 3_000)
assert_steady("fail to build", fail_to_build, 2_000)
assert_steady("build, use and drop", build, 60)

if resident_bytes():
    before, kept = resident_bytes(), [PointTable(MATERIAL) for _ in range(60)]
    each = (resident_bytes() - before) / len(kept)
    print(f"a table takes {each / 1024:.0f} KiB")
    assert 0.8 * each < tables.TABLE_BYTES < 1.3 * each, each
    assert tables.MOST_TABLES * tables.TABLE_BYTES <= 10 << 20
