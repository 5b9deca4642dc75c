"""A process forks while its threads are inside lanes: child, grandchild and parent go on verifying."""

import os
import sys
import threading
import warnings

from measure import failures, guarded, in_child
from support import lane_material, served_algorithms, sign

from jotgate.keys import lanes

if not hasattr(os, "fork"):
    sys.exit(0)
warnings.simplefilter("ignore", DeprecationWarning)

KEYS = {alg: lanes.signature_lane(alg, lane_material(alg)) for alg in served_algorithms()}
DATA = b"data" * 100
LONG = bytes(1 << 20)
SIGNATURES = {alg: sign(alg, DATA) for alg in KEYS}
LONG_MAC = sign("HS256", LONG)
done = threading.Event()


def verify_all() -> None:
    for alg, key in KEYS.items():
        assert key.verify(DATA, SIGNATURES[alg]), alg
        assert not key.verify(DATA + b"x", SIGNATURES[alg]), alg
        assert lanes.signature_lane(alg, lane_material(alg)).verify(DATA, SIGNATURES[alg]), alg


def keep_busy(own: int) -> None:
    while not done.is_set():
        # most of the time of three threads goes into one HMAC key, so that a fork finds its slots taken
        if own < 3 and "HS256" in KEYS:
            assert KEYS["HS256"].verify(LONG, LONG_MAC)
        else:
            verify_all()


def child_work() -> None:
    for _ in range(3):
        verify_all()
    assert "HS256" not in KEYS or KEYS["HS256"].verify(LONG, LONG_MAC)
    # threads of the child's own
    workers = [threading.Thread(target=verify_all) for _ in range(2)]
    for worker in workers:
        worker.start()
    grandchild = in_child(verify_all)
    assert os.waitpid(grandchild, 0)[1] == 0
    for worker in workers:
        worker.join()


workers = [guarded(lambda own=own: keep_busy(own)) for own in range(4)]
for worker in workers:
    worker.start()
for _ in range(25):
    assert os.waitpid(in_child(child_work), 0)[1] == 0
# a child that leaves through the interpreter's exit and the handlers of C
child = os.fork()
if child == 0:
    verify_all()
    done.set()
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
done.set()
for worker in workers:
    worker.join()
verify_all()
if failures:
    raise SystemExit("\n".join(failures))
