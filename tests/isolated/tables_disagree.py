"""A table that gives other verdicts than the library's own verification ends all tables of the process.

Such a table is one of another key: a lane is told to check with it.
"""

import logging
import os
import subprocess
import sys

from support import compact, header, lane_material, policy, secret_key, served_algorithms, sign, verification_key

from jotgate import Verifier, _clock, _points
from jotgate._ecdsa import PointTable
from jotgate._table_lane import TableLane, disagreements
from jotgate.keys import lanes, tables

DATA = b"data" * 100
SIGNATURE = sign("ES256", DATA)
OF_OTHER_KEY = sign("ES256", DATA, secret_key("ES256", 1))
WHY = "a table and libcrypto's own verification gave different verdicts"
lines: list[str] = []


class Listener(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        lines.append(record.getMessage())


def crossed() -> TableLane:
    """The first key's lane, which checks with the second key's table."""
    lane = lanes.signature_lane("ES256", lane_material("ES256"))
    assert isinstance(lane, TableLane)
    lane.adopt(PointTable(lane_material("ES256", 1)))
    return lane


def nothing_serves(lane: TableLane) -> None:
    assert disagreements() == 1
    assert tables.KEEPER.reason() == WHY
    assert lines == [f"ES256 tables are off in this process: {WHY}. Verification goes on."]
    # with the wrong table in use any of these would be another disagreement
    for _ in range(3):
        assert lane.verify(DATA, SIGNATURE)
        assert not lane.verify(DATA, OF_OTHER_KEY)
    assert disagreements() == 1
    keys = Verifier(verification_key("ES256"), policy("ES256"), cache=None)
    for n in range(1100):
        assert lane.verify(DATA, SIGNATURE)
        if n % 100 == 0:
            assert keys.verify(compact(header("ES256"), alg="ES256"))
    stats = keys.stats()
    assert stats["backend"]["ES256"] == "libcrypto"
    assert stats["tables"]["disagreements"] == 1
    assert stats["tables"]["reason"] == WHY
    assert not isinstance(lanes.signature_lane("ES256", lane_material("ES256")), TableLane)
    assert not tables.KEEPER._asked


def refuses() -> None:
    """It refuses what is good: nobody hears of that."""
    lane = crossed()
    assert lane.verify(DATA, SIGNATURE)
    nothing_serves(lane)


def accepts() -> None:
    """It accepts what is bad: one in a thousand is looked at twice."""
    lane = crossed()
    accepted = 0
    while lane.verify(DATA, OF_OTHER_KEY):
        accepted += 1
        # the clock takes part in the choice; here it is the only thing that changes
        _clock.set_monotonic_clock_for_tests(accepted)
        assert accepted < 30_000, "one in 1024 on average: e to the -29"
    nothing_serves(lane)


def ends_with(reason: str, material: bytes) -> None:
    """The keeper is given a lane whose parts do not belong together."""
    lane = lanes.signature_lane("ES256", lane_material("ES256"))
    assert isinstance(lane, TableLane)
    broken = TableLane(lane.plain, material, tables.KEEPER)
    tables.KEEPER.build(broken)
    assert broken.table is None
    assert tables.KEEPER.reason() == reason
    assert lines == [f"ES256 tables are off in this process: {reason}. Verification goes on."]
    assert lane.verify(DATA, SIGNATURE)
    tables.KEEPER.busy(lane)
    assert not tables.KEEPER._asked


def fails_its_self_test() -> None:
    ends_with("a table failed its self-test", lane_material("ES256", 1))


def cannot_be_built() -> None:
    ends_with("a table could not be built: the library makes no table of this key", lane_material("ES384"))


SCENES = {scene.__name__: scene for scene in (refuses, accepts, fails_its_self_test, cannot_be_built)}
if len(sys.argv) > 1:
    if "ES256" in served_algorithms() and _points.missing() is None:
        _clock.set_wall_clock_for_tests(1_700_000_000 * 1_000_000_000)
        logging.getLogger("jotgate").addHandler(Listener())
        SCENES[sys.argv[1]]()
else:
    for name in SCENES:
        done = subprocess.run([sys.executable, __file__, name], env=os.environ, check=False)
        assert done.returncode == 0, name
