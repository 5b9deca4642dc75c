"""A child that is forked while threads read the index in batches and others merge has a whole one of its own."""

import os
import sys
import threading
import warnings

from measure import code_of
from support import NOW, clock_at, token, verification_key, verifier

from jotgate._revoked import RevocationIndex

if not hasattr(os, "fork"):
    sys.exit(0)
warnings.simplefilter("ignore", DeprecationWarning)

with clock_at(NOW):
    index = RevocationIndex()
    index.merge([("jti", "", f"out{n}", 0, NOW + 1_000) for n in range(100)])
    way_in = verifier(revocations=index)
    texts = [token(jti=f"out{n}") for n in range(100)] + [token(jti=f"in{n}") for n in range(100)]
    expected = ("revoked",) * 100 + ("accepted",) * 100
    # loads what batches need: a child of a thread's first import would wait for that import for ever
    assert way_in.verify_batch(texts, threads=2).code == expected
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            assert way_in.verify_batch(texts, threads=2).code == expected

    def write() -> None:
        number = 0
        while not done.is_set():
            number += 1
            index.merge([("jti", "", f"{number}-{n}", 0, NOW + 1) for n in range(100)])
            index.merge([("key", "", f"thumbprint {number}", 0, NOW)])

    threads = [threading.Thread(target=read) for _ in range(3)] + [threading.Thread(target=write)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    for _ in range(3):
                        assert way_in.verify_batch(texts, threads=1).code == expected
                    assert way_in.verify(texts[150])
                    index.merge([("jti", "", f"child{n}", 0, NOW + 1_000) for n in range(5_000)])
                    index.merge([("jti", "", "in50", 0, NOW + 1_000)])
                    assert code_of(lambda: way_in.verify(texts[150])) == "revoked"
                    index.merge([("key", "", verification_key("HS256").thumbprint(), 0, NOW)])
                    assert code_of(lambda: way_in.verify(texts[151])) == "revoked"
                    status = 0
                finally:
                    os._exit(status)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert way_in.verify(texts[150]), "what a child takes back is the child's"
