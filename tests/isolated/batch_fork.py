"""A child forked while the pool exists, or while a batch runs in another thread, runs batches of its own."""

import os
import sys
import threading
import warnings

from support import NOW, clock_at, token, verifier

if not hasattr(os, "fork"):
    sys.exit(0)
warnings.simplefilter("ignore", DeprecationWarning)

way_in = verifier("ES256", cache=None)
cached = verifier("ES256")


def pool_threads() -> int:
    return sum(thread.name.removeprefix("jotgate-").isdigit() for thread in threading.enumerate())


def forked() -> None:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            assert pool_threads() == 0
            for door in (way_in, cached):
                assert door.verify_batch(texts, threads=3).accepted == len(texts)
            assert pool_threads() == 2
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


with clock_at(NOW):
    texts = [token("ES256", n=number) for number in range(300)]
    forked()
    assert way_in.verify_batch(texts, threads=3).accepted == 300
    assert pool_threads() == 2
    forked()

    results: list[int] = []
    done = threading.Event()

    def run() -> None:
        while not done.is_set():
            results.append(way_in.verify_batch(texts * 4, threads=2).accepted)
            results.append(cached.verify_batch(texts, threads=2).accepted - 300 + 1200)

    runner = threading.Thread(target=run)
    runner.start()
    for _ in range(10):
        forked()
    done.set()
    runner.join()
    assert results, results
    assert set(results) == {1200}, results
    assert way_in.verify_batch(texts, threads=3).accepted == 300
    assert pool_threads() == 2
