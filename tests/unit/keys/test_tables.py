"""Who gets a table, and when nobody does. What ends tables for a process is in tests/isolated/tables_disagree.py."""

import gc
import threading

import pytest
from support import lane_material, policy, rejects, sign, verification_key

from jotgate import Verifier, _ecdsa, _points
from jotgate._lanes import PublicKeyLane
from jotgate._table_lane import TableLane
from jotgate.keys import lanes, tables

pytestmark = pytest.mark.skipif(_points.missing() is not None, reason=f"the library has no {_points.missing()}")
DATA = b"x" * 300


@pytest.fixture(autouse=True)
def room_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever tables other tests hold on to."""
    monkeypatch.setattr(tables, "MOST_TABLES", _ecdsa.count() + tables.MOST_TABLES)


def busy_lane(keeper: tables.Keeper) -> TableLane:
    """Return a lane that has just told its keeper that it is busy."""
    made = lanes.signature_lane("ES256", lane_material("ES256"))
    assert isinstance(made, TableLane)
    lane = TableLane(made.plain, made.material, keeper)
    signature = sign("ES256", DATA)
    for _ in range(1024):
        assert lane.verify(DATA, signature)
    return lane


def wait_for(keeper: tables.Keeper) -> None:
    patience = threading.Event()
    for _ in range(2_000):
        if not keeper._asked:
            return
        patience.wait(0.005)
    raise AssertionError("it takes too long")


def test_a_busy_key_gets_a_table_in_the_background() -> None:
    keeper = tables.Keeper()
    lane = busy_lane(keeper)
    wait_for(keeper)
    assert lane.table is not None
    assert keeper.reason() is None
    assert lane.verify(DATA, sign("ES256", DATA))
    assert not lane.verify(DATA + b"x", sign("ES256", DATA))
    table = lane.table
    keeper.busy(lane)
    assert not keeper._asked, "it has one"
    assert lane.table is table


def test_a_key_takes_its_table_along() -> None:
    keeper = tables.Keeper()
    lane = busy_lane(keeper)
    wait_for(keeper)
    before = _ecdsa.count()
    assert before
    del lane
    gc.collect()
    assert _ecdsa.count() == before - 1


def test_tables_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = tables.Keeper()
    monkeypatch.setattr(tables, "MOST_TABLES", _ecdsa.count())
    lane = busy_lane(keeper)
    wait_for(keeper)
    assert lane.table is None
    monkeypatch.setattr(tables, "MOST_TABLES", _ecdsa.count() + 1)
    keeper.busy(lane)
    wait_for(keeper)
    assert lane.table is not None


def test_many_wait_for_one_thread() -> None:
    keeper = tables.Keeper()
    plain = busy_lane(keeper).plain
    many = [TableLane(plain, lane_material("ES256"), keeper) for _ in range(5)]
    for lane in many * 3:
        keeper.busy(lane)
    builder = keeper._builder
    wait_for(keeper)
    assert keeper._builder is builder
    assert all(lane.table is not None for lane in many)


def test_no_thread_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object) -> None:
        raise RuntimeError("can't start new thread")

    keeper = tables.Keeper()
    with monkeypatch.context() as patched:
        patched.setattr(tables.threading.Thread, "start", fail)
        lane = busy_lane(keeper)
    assert lane.table is None
    keeper.busy(lane)
    wait_for(keeper)
    assert lane.table is not None


@pytest.mark.usefixtures("frozen_clock")
class TestTheSwitch:
    def test_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("JOTGATE_TABLES", "off")
        assert type(lanes.signature_lane("ES256", lane_material("ES256"))) is PublicKeyLane
        stats = Verifier(verification_key("ES256"), policy("ES256")).stats()
        assert stats["backend"]["ES256"] == "libcrypto"
        assert stats["tables"]["reason"] == "JOTGATE_TABLES is off"

    @pytest.mark.parametrize("setting", ["on", ""])
    def test_on(self, monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
        monkeypatch.setenv("JOTGATE_TABLES", setting)
        assert type(lanes.signature_lane("ES256", lane_material("ES256"))) is TableLane
        stats = Verifier(verification_key("ES256"), policy("ES256")).stats()["tables"]
        assert stats == {
            "count": _ecdsa.count(),
            "bytes": _ecdsa.count() * tables.TABLE_BYTES,
            "disagreements": 0,
            "reason": None,
        }

    @pytest.mark.parametrize("setting", ["0", "OFF", "no", "64"])
    def test_anything_else_is_a_mistake(self, monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
        monkeypatch.setenv("JOTGATE_TABLES", setting)
        rejects("invalid_policy", lambda: Verifier(verification_key("ES256"), policy("ES256")))

    def test_of_a_verifier(self) -> None:
        for tables_setting in (0, 1, None, "off"):
            key, rules = verification_key("ES256"), policy("ES256")
            rejects("invalid_policy", lambda: Verifier(key, rules, tables=tables_setting))  # noqa: B023
        for options in ({"tables": False}, {"backend": "cryptography"}):
            made = Verifier(verification_key("ES256"), policy("ES256"), **options)
            assert made.stats()["tables"]["reason"] == "this verifier uses none"


def test_other_algorithms_have_none() -> None:
    for alg in ("ES384", "ES512", "ES256K", "RS256", "HS256"):
        assert not isinstance(lanes.signature_lane(alg, lane_material(alg)), TableLane)
