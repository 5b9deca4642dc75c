"""A process forks while a table is built and another is in use: child and parent go on, the child builds its own."""

import os
import sys
import threading
import warnings

from measure import failures, guarded, in_child, until
from support import lane_material, served_algorithms, sign

from jotgate import _points
from jotgate._table_lane import disagreements
from jotgate.keys import lanes, tables

if not hasattr(os, "fork") or "ES256" not in served_algorithms() or _points.missing() is not None:
    sys.exit(0)
warnings.simplefilter("ignore", DeprecationWarning)

DATA = b"data" * 100
SIGNATURE = sign("ES256", DATA)
MATERIAL = lane_material("ES256")
ready = lanes.signature_lane("ES256", MATERIAL)
tables.KEEPER.build(ready)
assert ready.table is not None
done = threading.Event()


def verify(lane) -> None:
    for _ in range(20):
        assert lane.verify(DATA, SIGNATURE)
        assert not lane.verify(DATA + b"x", SIGNATURE)


def keep_busy() -> None:
    while not done.is_set():
        verify(ready)


def keep_building() -> None:
    while not done.is_set():
        lane = lanes.signature_lane("ES256", MATERIAL)
        tables.KEEPER.busy(lane)
        until(lambda: not tables.KEEPER._asked)
        assert lane.table is not None
        verify(lane)


def child_work() -> None:
    verify(ready)
    own = lanes.signature_lane("ES256", MATERIAL)
    for _ in range(1024):
        assert own.verify(DATA, SIGNATURE)
    until(lambda: not tables.KEEPER._asked)
    assert own.table is not None
    verify(own)
    assert disagreements() == 0


workers = [guarded(keep_busy), guarded(keep_busy), guarded(keep_building)]
for worker in workers:
    worker.start()
for turn in range(12):
    assert os.waitpid(in_child(child_work), 0)[1] == 0, turn
# a child that leaves through the interpreter's exit and the handlers of C
child = os.fork()
if child == 0:
    verify(ready)
    done.set()
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
done.set()
for worker in workers:
    worker.join()
verify(ready)
if failures:
    raise SystemExit("\n".join(failures))
