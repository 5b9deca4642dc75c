"""A process that verifies the same tokens over and over with a hot cache, and reports each verdict as it changes.

It reads its orders, one JSON object, from the first line of stdin, further tokens from later ones, and works until
stdin ends. Times are of the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import defaultdict
from typing import Any

from jotgate import KeySet, Policy, RemoteKeySet, Verifier
from jotgate.errors import JotgateError
from jotgate.revocation.revocations import Revocations
from jotgate.stores import open_store

PAUSE = 0.001


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def listen(tokens: dict[str, str], ended: threading.Event) -> None:
    for line in sys.stdin:
        tokens.update(json.loads(line))
    ended.set()


def verdict(verifier: Verifier, text: str, fresh: bool, batch: bool) -> str:
    if batch:
        return verifier.verify_batch([text], 1).code[0]
    try:
        verifier.verify(text, fresh=fresh)
    except JotgateError as error:
        return error.code
    return "accepted"


def main() -> None:
    orders = json.loads(sys.stdin.readline())
    ended = threading.Event()
    threading.Thread(target=listen, args=(orders["tokens"], ended), daemon=True).start()
    store = open_store(orders["store"], **orders["options"])
    revocations = Revocations(store, **orders["revocations"])
    url = orders["url"]
    policy = Policy(
        algorithms=["HS256" if url is None else "ES256"], issuer=orders["issuer"], audience=orders["audience"]
    )
    keys = KeySet.from_jwks(orders["jwks"]) if url is None else RemoteKeySet(url, allow_http=True)
    verifier = Verifier(keys, policy, revocations=revocations)
    fresh, batch = set(orders["fresh"]), orders["batch"]
    now: dict[str, str] = {}
    seconds: dict[str, dict[int, dict[str, int]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
    longest = {False: 0.0, True: 0.0}
    accepted: dict[str, tuple[float, float]] = {}
    calls = 0
    say(ready=True)
    while not ended.is_set():
        for name, text in list(orders["tokens"].items()):
            began = time.monotonic()
            code = verdict(verifier, text, name in fresh, batch)
            done = time.monotonic()
            calls += 1
            longest[name in fresh] = max(longest[name in fresh], done - began)
            seconds[name][int(done)][code] += 1
            if code == "accepted":
                accepted[name] = began, done
            if now.get(name) != code:
                now[name] = code
                say(at=done, began=began, name=name, code=code)
        time.sleep(PAUSE)
    say(
        calls=calls,
        longest=longest[False],
        longest_fresh=longest[True],
        seconds=seconds,
        accepted=accepted,
        stats=verifier.stats()["revocations"],
    )


if __name__ == "__main__":
    main()
