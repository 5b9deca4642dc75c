"""A forked child takes fetched keys along, refreshes them by itself, and never waits for what its parent held."""

import os
import sys
import threading
import time
import warnings

from measure import code_of, in_child
from publisher import A, B, Publisher
from support import policy

from jotgate import Verifier, jws

if not hasattr(os, "fork"):
    sys.exit(0)
warnings.simplefilter("ignore", DeprecationWarning)

CLAIMS = {"iss": "https://auth.example.com", "aud": "https://billing.example.com", "exp": 32503680000}
TEXT, OTHER = jws.sign(CLAIMS, A), jws.sign(CLAIMS, B)


def wait_for(children):
    end = time.monotonic() + 30
    while children:
        for child in tuple(children):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                assert status == 0, status
                children.remove(child)
        if time.monotonic() > end:
            raise SystemExit(f"{len(children)} children hang")
        time.sleep(0.005)


# a warm parent: its child decides by the keys it inherited, then by its own
publisher = Publisher(A)
remote = publisher.keys(lifetime=0.4, cache_control=(0.4, 1), cooldown=0.05, timeout=1)
way_in = Verifier(remote, policy("ES256"))
assert way_in.verify(TEXT)
assert way_in.verify(TEXT)


def inherits():
    fetches = len(publisher.calls)
    hits = way_in.stats()["hits"]
    assert way_in.verify(TEXT)
    assert way_in.stats()["hits"] == hits + 1, "what was remembered is still known"
    assert way_in.verify_batch([TEXT, "x"]).code == ("accepted", "malformed")
    publisher.publish(B)
    end = time.monotonic() + 10
    while code_of(lambda: way_in.verify(TEXT)) != "unknown_key":
        assert time.monotonic() < end, "the child never refreshed"
        time.sleep(0.01)
    assert len(publisher.calls) > fetches
    assert way_in.verify(OTHER).kid == "b"


wait_for([in_child(inherits) for _ in range(4)])
assert way_in.verify(TEXT)


# a cold parent, and one whose fetch is under way
def fetches():
    publisher.gate.set()
    assert cold.verify(TEXT)


cold = Verifier(publisher.keys(timeout=20), policy("ES256"))
wait_for([in_child(fetches) for _ in range(3)])
publisher.gate.clear()
waiting = threading.Thread(target=lambda: cold.verify(TEXT))
waiting.start()
for _ in range(len(publisher.calls) + 1):
    publisher.entered.acquire(timeout=0.2)
wait_for([in_child(fetches) for _ in range(3)])
publisher.gate.set()
waiting.join()

# forks at any moment of threads that verify, and of keys that change
stop = threading.Event()


def churn():
    turn = 0
    while not stop.is_set():
        turn += 1
        publisher.publish(*((A, B) if turn % 2 else (A,)))
        remote.refresh()
        code_of(lambda: way_in.verify(OTHER))
        assert way_in.verify(TEXT)


def verifies():
    publisher.gate.set()
    publisher.publish(A)
    assert way_in.verify(TEXT)
    assert way_in.verify(jws.sign(CLAIMS | {"jti": "new"}, A))


threads = [threading.Thread(target=churn) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(40):
    wait_for([in_child(verifies)])
stop.set()
for thread in threads:
    thread.join()
remote.close()
