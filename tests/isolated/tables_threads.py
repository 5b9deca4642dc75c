"""Tables are built, begin to serve and are freed while threads verify with the same keys: verdicts are exact."""

import gc
import sys
import threading

from measure import guarded, run_all, until
from support import compact, header, lane_material, policy, secret_key, served_algorithms, sign, verification_key

from jotgate import Verifier, _clock, _ecdsa, _points
from jotgate._table_lane import disagreements
from jotgate.keys import lanes, tables

if "ES256" not in served_algorithms() or _points.missing() is not None:
    sys.exit(0)
sys.setswitchinterval(1e-5)
_clock.set_wall_clock_for_tests(1_700_000_000 * 1_000_000_000)
MESSAGES = [b"message %d " % number * 40 for number in range(6)]
SIGNATURES = [[sign("ES256", message, secret_key("ES256", which)) for message in MESSAGES] for which in range(3)]
TOKENS = [compact(header("ES256", n=n), alg="ES256") for n in range(96)]
BAD = [f"{text[:-4]}{'BAAA' if text[-4:-1] == 'AAA' else 'AAAA'}" for text in TOKENS]
shared = [lanes.signature_lane("ES256", lane_material("ES256", which)) for which in range(3)]


def use(own: int, start: threading.Barrier) -> None:
    """Keep shared keys busy: their tables come, from the thread of the keeper, under way."""
    start.wait()
    for step in range(900):
        which, number = (own + step) % 3, step % len(MESSAGES)
        lane = shared[which]
        assert lane.verify(MESSAGES[number], SIGNATURES[which][number])
        if step % 8 == 0:
            assert not lane.verify(MESSAGES[number - 1], SIGNATURES[which][number])


def outlive(lane) -> None:
    for _ in range(60):
        assert lane.verify(MESSAGES[0], SIGNATURES[0][0])


def come_and_go(start: threading.Barrier) -> None:
    """Keys with a table that live for a moment, the last of it in another thread's hands."""
    start.wait()
    for _ in range(12):
        lane = lanes.signature_lane("ES256", lane_material("ES256"))
        user = threading.Thread(
            target=lambda lane=lane: [lane.verify(MESSAGES[0], SIGNATURES[0][0]) for _ in range(60)]
        )
        user.start()
        tables.KEEPER.build(lane)
        assert lane.table is not None
        del lane
        user.join()


def in_batches(start: threading.Barrier) -> None:
    start.wait()
    for _ in range(4):
        way_in = Verifier(verification_key("ES256"), policy("ES256"), cache=None)
        for _ in range(8):
            batch = way_in.verify_batch(TOKENS + BAD[::4], threads=2)
            assert (batch.accepted, batch.rejected) == (96, 24), batch
            assert way_in.verify(TOKENS[0]).alg == "ES256"


def build_again() -> None:
    """What a keeper was asked for twice is there once."""
    for lane in shared * 4:
        tables.KEEPER.busy(lane)


start = threading.Barrier(7)
run_all(
    [
        *(guarded(lambda own=own: use(own, start)) for own in range(4)),
        guarded(lambda: come_and_go(start)),
        guarded(lambda: in_batches(start)),
        guarded(lambda: (start.wait(), build_again())),
    ]
)
until(lambda: not tables.KEEPER._asked)
assert all(lane.table is not None for lane in shared)
assert disagreements() == 0
assert tables.KEEPER.reason() is None
shared.clear()
gc.collect()
assert _ecdsa.count() <= 4, _ecdsa.count()  # those of the verifiers' keys
