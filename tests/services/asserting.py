"""A process with an introspection endpoint, to which 16 threads present one client assertion at once when told to."""

from __future__ import annotations

import json
import sys
from functools import partial

from introspecting import partners_responder, post
from session_world import at_once

from jotgate.stores import open_store

THREADS = 16


def main() -> None:
    orders = json.loads(sys.stdin.readline())
    store = open_store(orders["store"], timeout=20)
    endpoint = partners_responder(store)
    store.now()  # connected, or opened
    print("ready", flush=True)
    form = json.loads(sys.stdin.readline())
    print(json.dumps([answer.status for answer in at_once([partial(post, endpoint, form, {})] * THREADS)]))


if __name__ == "__main__":
    main()
