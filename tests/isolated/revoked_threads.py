"""Sixty-four threads verify, one by one and in batches, while rules come, grow, run out and are given back."""

import threading
import time
from functools import partial

from support import NOW, clock_at, outcome, token, verifier

from jotgate import _clock
from jotgate._revoked import RevocationIndex

SECONDS = 2.0
ISSUER = "https://auth.example.com"

with clock_at(NOW):
    index = RevocationIndex()
    out = [token(jti=f"out{n}", sub=f"u{n}") for n in range(50)]
    still = [token(jti=f"in{n}", sub=f"u{n}", sid=f"s{n}") for n in range(50)]
    index.merge([("jti", "", f"out{n}", 0, NOW + 10_000) for n in range(25)])
    index.merge([("jti", ISSUER, f"out{n}", 0, NOW + 10_000) for n in range(25, 50)])
    known = verifier(revocations=index)
    plain = verifier(revocations=index, cache=None)
    wrong: list[str] = []
    done = threading.Event()
    rounds = [0] * 64

    def one_by_one(number: int) -> None:
        way_in = known if number % 2 else plain
        while not done.is_set():
            at = (rounds[number] + number) % 50
            rounds[number] += 1
            error = outcome(partial(way_in.verify, out[at]))
            if error is None or error.code != "revoked":
                wrong.append(f"accepted out{at}: {error!r}")
            error = outcome(partial(way_in.verify, still[at]))
            if error is not None:
                wrong.append(f"refused in{at}: {error!r}")

    def in_batches(number: int) -> None:
        way_in = known if number % 2 else plain
        kept = []
        while not done.is_set():
            rounds[number] += 1
            batch = way_in.verify_batch(out + still, threads=1 + number % 3)
            if batch.code != ("revoked",) * 50 + ("accepted",) * 50:
                wrong.append(f"{batch.counts}")
            kept = [*kept[-5:], batch]

    threads = [threading.Thread(target=in_batches if n < 24 else one_by_one, args=(n,)) for n in range(64)]
    for thread in threads:
        thread.start()
    began, turn = time.monotonic(), 0
    try:
        while time.monotonic() - began < SECONDS:
            turn += 1
            _clock.set_wall_clock_for_tests((NOW + turn % 200) * 1_000_000_000)
            rules = [("jti", "", f"x{turn}-{n}", 0, NOW - 600 + (turn + n) % 200) for n in range(50)]
            rules += [("sub", ISSUER, f"u{n}", turn % NOW, NOW + turn) for n in range(turn % 50)]
            rules += [("sid", f"https://{turn % 7}.example.com", f"s{turn % 50}", NOW * 2, NOW + 900)]
            rules += [("jti", "", f"out{turn % 25}", 0, NOW + 10_000 + turn)]
            index.merge(rules)
            index.sweep()
            if turn % 20 == 0:
                mark = index.mark_snapshot()
                for portion in index.unmarked(mark, 100):
                    index.merge(portion, mark)
            if turn % 10 == 0:
                time.sleep(0.001)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not wrong, wrong[:5]
    assert min(rounds) > 0, rounds
    del threads
    size = index.nbytes
    assert size < 4_000_000, size
