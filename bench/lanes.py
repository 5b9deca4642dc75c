"""Print what one signature check takes, lane against `cryptography`, and what a second thread adds.

    python bench/lanes.py [ALGORITHM ...]
    JOTGATE_LIBCRYPTO=/path/to/libcrypto.so python bench/lanes.py

Both rows are entered from Python with the same arguments: `EVPLane.verify` and `KeyHandle.verify`. Signatures are over
500 bytes. Rows take turns and the best of the rounds is kept, since noise only adds time.
"""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support import ALGORITHMS, lane_material, sign, verification_key

from jotgate.keys import lanes, tables

DATA = b"x" * 500
ROUNDS = 12
ROUND_SECONDS = 0.02


def seconds_each(check: Callable[[bytes, bytes], bool], signature: bytes, count: int, threads: int) -> float:
    """Return the seconds a check takes the whole process when each thread makes `count` of them."""
    start = threading.Barrier(threads + 1)

    def run() -> None:
        start.wait()
        for _ in range(count):
            check(DATA, signature)

    workers = [threading.Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    start.wait()
    begin = perf_counter()
    for worker in workers:
        worker.join()
    return (perf_counter() - begin) / count / threads


def main() -> None:
    print(f"{lanes.library() or lanes.reason()}")
    print(f"{'us a check':12}{'lane':>9}{'x2':>7}{'cryptography':>15}{'x2':>7}")
    for alg in sys.argv[1:] or ALGORITHMS:
        signature, checks = sign(alg, DATA), [verification_key(alg)._handle.verify]
        lane = tables.without_table(lanes.signature_lane(alg, lane_material(alg)))  # table_gates has those
        if lane is not None:
            checks.insert(0, lane.verify)
        if not all(check(DATA, signature) and not check(DATA + b"x", signature) for check in checks):
            raise SystemExit(f"{alg}: a wrong answer")
        count = max(10, int(ROUND_SECONDS / seconds_each(checks[-1], signature, 20, 1)))
        best = {(row, threads): 1.0 for row in range(len(checks)) for threads in (1, 2)}
        for _ in range(ROUNDS):
            for row, threads in best:
                taken = seconds_each(checks[row], signature, count, threads)
                best[row, threads] = min(best[row, threads], taken)
        cells = [(best[row, 1] * 1e6, best[row, 1] / best[row, 2]) for row in range(len(checks))]
        if lane is None:
            cells.insert(0, (float("nan"), float("nan")))
        print(f"{alg:12}{cells[0][0]:9.2f}{cells[0][1]:7.2f}{cells[1][0]:15.2f}{cells[1][1]:7.2f}")


if __name__ == "__main__":
    main()
