"""Many clients present one refresh token at the same moment, again and again, on any store.

``python -m tests.services.session_race --store sqlite --rounds 10000``; a store is also named by its URL.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from session_world import forged, manager, started, verified

from jotgate import SessionManager
from jotgate.errors import RefreshError
from jotgate.sessions.answers import Tokens
from jotgate.stores import open_store
from jotgate.stores.memory import MemoryStore

CLIENTS = 64
PATIENCE = 30
"""Seconds, of the store: long enough for all clients on a busy machine. A store that is too slow is another test."""


class Race(NamedTuple):
    """What a race has shown."""

    rounds: int
    rotated: int
    benign: int
    seconds: float


class Clients:
    """Threads that do the same thing at the same moment, round after round."""

    def __init__(self, work: Callable[[int], Any], clients: int) -> None:
        self.work = work
        self.results: list[Any] = [None] * clients
        self.begin, self.done = threading.Barrier(clients + 1), threading.Barrier(clients + 1)
        self.over = False
        self.threads = [threading.Thread(target=self.run, args=(number,), daemon=True) for number in range(clients)]

    def run(self, number: int) -> None:
        while True:
            self.begin.wait()
            if self.over:
                return
            try:
                self.results[number] = self.work(number)
            except BaseException as error:
                self.results[number] = error
            self.done.wait()

    def round(self) -> list[Any]:
        self.begin.wait()
        self.done.wait()
        return self.results

    def __enter__(self) -> Clients:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over = True
        self.begin.wait()
        for thread in self.threads:
            thread.join()


def race(store: Any, rounds: int, *, clients: int = CLIENTS, managers: int = 4, **options: Any) -> Race:
    """Refresh each token by all clients at once: within the grace there is exactly one successor, and all get it.

    Args:
        store: Any ``Store``; a function makes one for each manager, as if each were in a process of its own.
        rounds: How many tokens.
        clients: How many threads.
        managers: How many managers share the store.
        options: Of the managers.
    """
    sessions = managers_on(store, managers, **options)
    token = started(sessions[0])
    presented = token.refresh
    begun = time.perf_counter()
    with Clients(lambda number: sessions[number % managers].refresh(presented), clients) as threads:
        for number in range(1, rounds + 1):
            results = threads.round()
            failed = [result for result in results if not isinstance(result, Tokens)]
            assert not failed, f"round {number}: {failed[0]!r} and {len(failed) - 1} more"
            successors = {result.refresh for result in results}
            assert successors == {forged(token.session, number)}, f"round {number}: {len(successors)} successors"
            assert {result.session for result in results} == {token.session}
            assert len({result.access for result in results}) == clients
            presented = results[0].refresh
        assert verified(results[-1].access)["sid"] == token.session
    stats = [each.stats() for each in sessions]
    rotated, benign = (sum(each[name] for each in stats) for name in ("rotated", "benign_reuse"))
    assert rotated == rounds, "one winner a round"
    assert benign == rounds * (clients - 1)
    assert not any(sum(each["replay"].values()) + each["refused"] + each["ended"] for each in stats)
    return Race(rounds, rotated, benign, time.perf_counter() - begun)


def race_without_grace(store: Any, rounds: int, *, clients: int = CLIENTS, managers: int = 4) -> None:
    """The same outside the grace: one client wins, and the session is over, each time."""
    sessions = managers_on(store, managers, grace=0)
    presented = ""
    with Clients(lambda number: sessions[number % managers].refresh(presented), clients) as threads:
        for number in range(rounds):
            first = started(sessions[0])
            presented = first.refresh
            results = threads.round()
            winners = [result for result in results if isinstance(result, Tokens)]
            others = [result for result in results if isinstance(result, RefreshError)]
            assert (len(winners), len(others)) == (1, clients - 1), f"round {number}: {results}"
            # the last: read before it was over, and the rules after that
            assert {error.cause for error in others} <= {"recent", "ended", "session_revoked"}
            assert sum(error.cause == "recent" for error in others) == 1
            assert not sessions[0].end(first.session), "it is over"


def managers_on(store: Any, count: int, **options: Any) -> list[SessionManager]:
    return [manager(store() if callable(store) else store, **options) for _ in range(count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", default="sqlite", help="memory, sqlite, or a URL (default: sqlite)")
    parser.add_argument("--rounds", type=int, default=10_000)
    options = parser.parse_args()
    logging.getLogger("jotgate").addHandler(logging.NullHandler())  # each session that ends by reuse is a warning
    with tempfile.TemporaryDirectory() as directory:
        url = f"sqlite:{directory}/sessions.db" if options.store == "sqlite" else options.store
        made = MemoryStore() if url == "memory" else open_store(url, timeout=PATIENCE)
        kind, few = url.partition(":")[0], max(1, options.rounds // 100)
        shown = race(made, options.rounds)
        print(f"{kind}: {CLIENTS} clients, {shown}: one successor each, no session ended", flush=True)
        race_without_grace(made, few)
        print(f"{kind}: without grace, {few} sessions: one winner, each ended")
        made.close()


if __name__ == "__main__":
    main()
