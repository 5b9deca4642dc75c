"""Tables of multiples of busy ES256 keys: who builds them, and what stops them.

A key that proves busy gets its table from a thread in the background. It serves once it has passed its self-test. A
table that cannot be built, fails, or ever gives another verdict than the library's own verification ends all of them
for this process: nothing but time is lost.
"""

from __future__ import annotations

import os
import threading
from queue import SimpleQueue
from typing import Any

from .. import _ecdsa, _points, _table_lane
from .._ecdsa import PointTable
from .._key import SignatureLane
from .._lanes import PublicKeyLane, library, reason
from .._table_lane import TableLane
from ..errors import PolicyError

MOST_TABLES = 64
"""Tables in one process. Further keys go without, until a key that has one is dropped."""

TABLE_BYTES = 160_000
"""What one takes, as tests/isolated/leak_tables.py weighs it."""


class Keeper:
    """Builds the tables of this process, one after the other, in a thread of its own.

    The thread is started for the first of them and never ends. A thread that ends gives back what libcrypto keeps for
    it, under a lock of libcrypto's that a fork at that moment leaves locked in the child.
    """

    def __init__(self) -> None:
        self._stopped: str | None = None
        self._worth_it = False
        self.forget()

    def forget(self) -> None:
        """Drop what was to be built, and the thread: in the child of a fork it is not there."""
        self._lock = threading.RLock()  # a signal handler or a finalizer may come here from within
        self._asked: list[TableLane] = []  # what is in the queue, and what is being built
        self._queue: SimpleQueue[TableLane] = SimpleQueue()
        self._builder: threading.Thread | None = None

    def reason(self) -> str | None:
        """Return why no key gets a table, or None.

        Raises:
            PolicyError: ``invalid_policy``: ``JOTGATE_TABLES`` is neither ``on`` nor ``off``; or as ``lanes.library``.
        """
        if self._stopped is not None:
            return self._stopped
        found = library()
        if found is None:
            return reason()
        if not _switched_on():
            return "JOTGATE_TABLES is off"
        missing = _points.missing()
        return None if missing is None else f"{found[1]} has no {missing}"

    def busy(self, lane: TableLane) -> None:
        """Have a table built for a key, unless there are enough. Called while somebody waits for a verdict."""
        with self._lock:
            if self._stopped is not None or lane.table is not None or lane in self._asked:
                return
            if _ecdsa.count() + len(self._asked) >= MOST_TABLES or not self._is_running():
                return
            self._asked.append(lane)
            self._queue.put(lane)

    def disagreed(self, lane: TableLane) -> None:
        """Stop, and say so: a table gave another verdict than the library's own verification."""
        self._stop("a table and libcrypto's own verification gave different verdicts")

    def build(self, lane: TableLane) -> None:
        """Build a key's table, test it and let it serve; stop if that fails."""
        from . import table_test  # here: a process whose keys are never busy needs none of it

        try:
            table = PointTable(lane.material)
            if not table_test.passes(table, lane.plain, lane.material):
                self._stop("a table failed its self-test")
            elif self._worth_it or table_test.is_faster(table, lane.plain):
                self._worth_it = True
                lane.adopt(table)
            else:
                self._stop("tables do not make this library faster")
        except (LookupError, MemoryError, RuntimeError, ValueError) as error:
            self._stop(f"a table could not be built: {error}")

    def _is_running(self) -> bool:
        if self._builder is None:
            builder = threading.Thread(target=self._build_all, name="jotgate-tables", daemon=True)
            try:
                builder.start()
            except RuntimeError:  # no more threads here, or the interpreter is ending
                return False
            self._builder = builder
        return True

    def _build_all(self) -> None:
        while True:
            lane = self._queue.get()
            if lane.table is None and self._stopped is None:
                self.build(lane)
            with self._lock:
                self._asked.remove(lane)
            del lane  # else it would live until the next comes

    def _stop(self, why: str) -> None:
        import logging

        _table_lane.turn_off()
        self._stopped = why
        logging.getLogger("jotgate").error("ES256 tables are off in this process: %s. Verification goes on.", why)


KEEPER = Keeper()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=KEEPER.forget)


def with_table(plain: PublicKeyLane, material: bytes) -> SignatureLane:
    """Return the lane of an ES256 key, which gets a table when it is busy; ``plain`` itself where there are none.

    Raises:
        PolicyError: as ``Keeper.reason``.
    """
    return plain if KEEPER.reason() is not None else TableLane(plain, material, KEEPER)


def without_table(lane: SignatureLane | None) -> SignatureLane | None:
    """Return the same key's lane that never uses a table."""
    return lane.plain if isinstance(lane, TableLane) else lane


def stats(wanted: bool) -> dict[str, Any]:
    """Return what there is in this process, and why not more, for one that wants tables or does not."""
    count = _ecdsa.count()
    return {
        "count": count,
        "bytes": count * TABLE_BYTES,
        "disagreements": _table_lane.disagreements(),
        "reason": KEEPER.reason() if wanted else "this verifier uses none",
    }


def _switched_on() -> bool:
    setting = os.environ.get("JOTGATE_TABLES") or "on"
    if setting not in ("on", "off"):
        raise PolicyError("JOTGATE_TABLES is on or off")
    return setting == "on"
