"""The interpreter ends while a daemon thread is within a batch: at once, and as if nothing had been."""

import os
import subprocess
import sys
import time

CHILD = """
import sys, threading, time
from support import NOW, clock_at, token, verifier

alg, threads, many = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
way_in = verifier(alg, cache=None)
texts = [token(alg, n=number) for number in range(many)]
begun = threading.Event()

def source():
    while True:
        yield from texts
        begun.set()

def run():
    if many > 1000:
        while True:
            way_in.verify_batch(texts * 5000, threads)
    way_in.verify_batch(source(), threads)

with clock_at(NOW):
    threading.Thread(target=run, daemon=True).start()
    if many > 1000:
        time.sleep(0.2)
    else:
        assert begun.wait(30)
    time.sleep(0.05)
    print(time.monotonic())
"""

for alg, threads, many in (("ES512", 2, 50), ("ES256", 1, 50), ("HS256", 2, 50), ("RS256", 4, 50), ("HS256", 3, 2000)):
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", CHILD, alg, str(threads), str(many)],
        env=os.environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    took = time.monotonic() - float(done.stdout)
    assert done.returncode == 0, (alg, threads, done.returncode, done.stderr[-3000:])
    assert not done.stderr, done.stderr[-3000:]
    print(f"{alg} in {threads} threads: {took:.2f} s")
    assert took < 5, (alg, threads, took)
