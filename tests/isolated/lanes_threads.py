"""Threads share every lane, more of them than a key has slots, good and bad signatures in turn: verdicts are exact."""

import sys
import threading

from measure import guarded, run_all
from support import lane_material, served_algorithms, sign

from jotgate.keys import lanes

sys.setswitchinterval(1e-5)
SERVED = served_algorithms()
KEYS = {alg: lanes.signature_lane(alg, lane_material(alg)) for alg in SERVED}
MESSAGES = [b"message %d " % number * 40 for number in range(6)]
SIGNATURES = {alg: [sign(alg, message) for message in MESSAGES] for alg in SERVED}


def work(own: int, start: threading.Barrier) -> None:
    start.wait()
    for step in range(60):
        for place in range(len(SERVED)):
            alg = SERVED[(place + own) % len(SERVED)]
            # HMAC is so quick that many rounds are needed for two threads to meet in one key
            for turn in range(40 if alg.startswith("HS") else 1):
                which = (own + step + turn) % len(MESSAGES)
                other = (which + 1) % len(MESSAGES)
                assert KEYS[alg].verify(MESSAGES[which], SIGNATURES[alg][which]), alg
                assert not KEYS[alg].verify(MESSAGES[other], SIGNATURES[alg][which]), alg
                assert not KEYS[alg].verify(MESSAGES[which], SIGNATURES[alg][which][:-1]), alg


def making_and_dropping(start: threading.Barrier) -> None:
    """Keys come and go while others are used."""
    start.wait()
    for _ in range(30):
        for alg in SERVED:
            made = lanes.signature_lane(alg, lane_material(alg))
            assert made.verify(MESSAGES[0], SIGNATURES[alg][0]), alg


def slots_run_out() -> None:
    """Twelve threads inside one HMAC key at once, each with megabytes to hash."""
    if not SERVED:
        return
    data = bytes(4 << 20)
    signature = sign("HS512", data)
    start = threading.Barrier(12)
    verdicts: list[tuple[bool, bool]] = []

    def hash_long() -> None:
        start.wait()
        key = KEYS["HS512"]
        verdicts.extend((key.verify(data, signature), key.verify(data, bytes(64))) for _ in range(3))

    run_all([guarded(hash_long) for _ in range(12)])
    assert verdicts == [(True, False)] * 36, verdicts


start = threading.Barrier(9)
run_all([*(guarded(lambda own=own: work(own, start)) for own in range(8)), guarded(lambda: making_and_dropping(start))])
slots_run_out()
