"""Threads share every lane, more of them than a key has slots, good and bad signatures in turn: verdicts are exact."""

import sys
import threading

from support import ALGORITHMS, lane_material, sign

from jotgate.keys import lanes

sys.setswitchinterval(1e-5)
SERVED = [alg for alg in ALGORITHMS if lanes.serves(alg)]
KEYS = {alg: lanes.signature_lane(alg, lane_material(alg)) for alg in SERVED}
MESSAGES = [b"message %d " % number * 40 for number in range(6)]
SIGNATURES = {alg: [sign(alg, message) for message in MESSAGES] for alg in SERVED}
failures: list[str] = []


def work(own: int, start: threading.Barrier) -> None:
    try:
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
    except BaseException as error:
        failures.append(repr(error))


def making_and_dropping() -> None:
    """Keys come and go while others are used."""
    try:
        for _ in range(30):
            for alg in SERVED:
                made = lanes.signature_lane(alg, lane_material(alg))
                assert made.verify(MESSAGES[0], SIGNATURES[alg][0]), alg
    except BaseException as error:
        failures.append(repr(error))


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

    workers = [threading.Thread(target=hash_long) for _ in range(12)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert verdicts == [(True, False)] * 36, verdicts


start = threading.Barrier(9)
workers = [threading.Thread(target=work, args=(own, start)) for own in range(8)]
workers.append(threading.Thread(target=lambda: (start.wait(), making_and_dropping())))
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
slots_run_out()
if failures:
    raise SystemExit("\n".join(failures[:10]))
