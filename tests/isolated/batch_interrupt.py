"""Ctrl-C during a long batch: KeyboardInterrupt soon, no thread works on, and the verifier goes on to serve."""

import _thread
import itertools
import os
import signal
import sys
import threading
import time

from cryptography.hazmat.primitives.asymmetric import rsa
from support import NOW, b64u, claims, clock_at, compact, dumps, header, policy, token, verifier

from jotgate import TokenCache, VerificationKey, Verifier

if sys.platform == "win32":
    sys.exit(0)
COUNT = 20_000


def forgeries(alg: str, size: int) -> list[str]:
    """Texts whose signature is checked in full and is wrong: signing that many would take minutes."""
    head = b64u(dumps(header(alg)))
    signature = b64u(b"\0" * (size // 2 - 1) + b"\x07" + b"\0" * (size // 2 - 1) + b"\x07")
    return [f"{head}.{b64u(dumps(claims(n=number)))}.{signature}" for number in range(COUNT)]


def interrupted(way_in: Verifier, texts: object, threads: int, after: float) -> float:
    """Run a batch, send SIGINT; return how long after it the batch was over."""
    sent = []

    def send() -> None:
        time.sleep(after)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        way_in.verify_batch(texts, threads=threads)
    except KeyboardInterrupt:
        took = time.monotonic() - sent[0]
    else:
        raise SystemExit("the batch was over before the interrupt")
    finally:
        sender.join()
    return took


def is_quiet(way_in: Verifier) -> None:
    """No thread works on: nothing is counted, and the process uses no time."""
    before, spent = way_in.stats(), time.process_time()
    time.sleep(0.15)
    assert way_in.stats() == before
    assert time.process_time() - spent < 0.1, time.process_time() - spent


with clock_at(NOW):
    # 1. public-key checks, in one thread and in several
    for alg, size in (("ES512", 132), ("RS256", 512)):
        if alg == "RS256":
            private = rsa.generate_private_key(65537, 4096)
            way_in = Verifier(VerificationKey.from_cryptography(private.public_key(), alg=alg), policy(alg))
            good = compact(header(alg), alg=alg, key=private)
        else:
            way_in, good = verifier(alg), token(alg)
        texts = forgeries(alg, size)
        for threads in (1, 2, 3):
            took = interrupted(way_in, texts, threads, 0.1)
            print(f"{alg}, {threads} threads: interrupted after {took * 1000:.0f} ms")
            assert took < 1, took
            is_quiet(way_in)
            assert way_in.verify(good).alg == alg
            batch = way_in.verify_batch([good, *texts[:100]], threads=threads)
            assert batch.counts == {"accepted": 1, "bad_signature": 100}, batch.counts

    # 2. many parts of cheap tokens, at moments spread over the phases of a part
    cheap = verifier(cache=TokenCache(max_entries=100))
    texts = [token(n=number) for number in range(5000)]
    for after in (0.01, 0.02, 0.035, 0.05, 0.06, 0.08):
        took = interrupted(cheap, itertools.cycle(texts), 2, after)
        assert took < 1, took
        is_quiet(cheap)
        assert cheap.verify_batch(texts[:100]).accepted == 100

    # 3. within the caller's own check
    class Slow:
        def is_revoked(self, _: object, *, fresh: bool) -> bool:
            time.sleep(0.002)
            return False

    for cached in (False, True):
        slow = verifier(revocations=Slow())
        asked = [token(n=number) for number in range(2000)]
        if cached:
            for text in asked:
                slow.verify_batch([text])
        took = interrupted(slow, asked, 2, 0.05)
        assert took < 1, took
        is_quiet(slow)

    # 4. a signal that says nothing is waited through
    noticed = []
    signal.signal(signal.SIGUSR1, lambda *_: noticed.append(1))
    way_in = verifier("ES512", cache=None)
    texts = forgeries("ES512", 132)[:1500]
    timer = threading.Thread(
        target=lambda: [(time.sleep(0.01), os.kill(os.getpid(), signal.SIGUSR1)) for _ in range(9)]
    )
    timer.start()
    assert way_in.verify_batch(texts, threads=2).rejected == 1500
    timer.join()
    assert noticed

    # 5. at any moment at all: in lending, joining, finishing
    small = [token(n=number) for number in range(200)]
    door = verifier(cache=None)
    raised, armed = 0, False

    def interrupt(*_: object) -> None:
        if armed:
            raise KeyboardInterrupt

    def press(seconds: float) -> None:
        time.sleep(seconds)
        _thread.interrupt_main()

    signal.signal(signal.SIGINT, interrupt)
    for number in range(300):
        presser = threading.Thread(target=press, args=((number % 50) * 1e-4,))
        presser.start()
        try:
            armed = True
            try:
                for _ in range(20):
                    assert door.verify_batch(small, threads=3).accepted == 200
            finally:
                armed = False
        except KeyboardInterrupt:
            armed = False
            raised += 1
        presser.join()
    assert raised > 100, raised
    is_quiet(door)
    assert door.verify_batch(small, threads=3).accepted == 200
    names = [thread.name for thread in threading.enumerate()]
    assert len(names) <= 3, names
