"""One process that verifies: its keys, its verifier, its clients, and its log.

usage: python -m tests.services.soak.process NAME URL DIRECTORY ORIGIN
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from services.soak.clients import Client, News, waits
from services.soak.plan import CLIENTS, LEEWAY, LIFETIME, MAX_STALE, REMOTE, policy

from jotgate import RemoteKeySet, Verifier, _clock
from jotgate.errors import JotgateError
from jotgate.keys.flight import Flight
from jotgate.keys.freshness import KeyState
from jotgate.keys.remote import KeyEvent

SAMPLE_EVERY = 0.004
BATCH = 16
JUMP_EVERY = 9.0
"""How often the monotonic clock of one process leaps past all that counts, as after a suspension."""


class Observed(RemoteKeySet):
    """Notes who waits for a fetch."""

    __slots__ = ()

    def _consider(self, want: Any, **options: Any) -> Any:
        found = super()._consider(want, **options)
        noted = waits.get()
        if isinstance(found, Flight) and noted is not None:
            noted.append(want)
        return found


class Process:
    """What the threads of the process share."""

    def __init__(self, name: str, url: str, directory: Path, origin: float) -> None:
        self.name = name
        self.news = News(directory / "news")
        self.vouched = 0.0
        self.jumped_at = 0.0
        self.jumps: list[float] = []
        self._directory = directory
        self._origin = origin
        self._log = (directory / f"{name}.log").open("a", buffering=1)
        self._event_at = 0.0
        self._events: Counter[str] = Counter()
        self._state: KeyState | None = None
        self._failures: list[str] = []
        self._clients: list[Client] = []
        self.keys = Observed(url, headers={"x-process": name}, on_event=self._happened, **REMOTE)
        self.verifier = Verifier(self.keys, policy())
        self.sample()

    def log(self, text: str) -> None:
        """Write a line, with the time since the soak began."""
        self._log.write(f"{time.monotonic() - self._origin:9.3f} {self.name:<9} {text}\n")

    def sample(self) -> None:
        """See what the keys are worth, and write it down if it has changed."""
        state = self.keys.state
        if state is not self._state:
            self.log(f"state {'-' if self._state is None else self._state.name} -> {state.name}")
            if state is KeyState.DEAD:
                self.log(f"{self.verifier.stats()['cache_entries']} tokens are remembered")
            elif self._state is KeyState.DEAD:
                undecided = sum(client.tally.hot_without_keys for client in self._clients)
                self.log(f"remembered tokens were presented {undecided} times so far to dead keys, and undecided")
            self._state = state

    def _happened(self, event: KeyEvent) -> None:
        # the fetch began after the one before had ended: what was removed then is not in its answer
        ended_before, self._event_at = self._event_at, time.monotonic()
        if event.kind != "failed":
            self.vouched = ended_before
        self._events[event.kind] += 1
        self.log(f"event {event.kind} {event.state.name} {event.detail}")

    def warm(self) -> None:
        """Use the verifier before any fork: fetch, verify, remember."""
        while self.keys.state is KeyState.EMPTY:
            self.sample()
            try:
                self.verifier.warm()
            except JotgateError as error:
                self.log(f"warm: {error.code}")
                time.sleep(REMOTE["cooldown"] + 0.01)
        self.sample()
        self.news.read()
        client = Client(self, 0)
        for _ in range(20):
            for each in client.turn():
                client._present([each])
        self.log(f"forks with {self.verifier.stats()['cache_entries']} tokens remembered")

    def run(self) -> None:
        """Let the clients work until the news say stop, and write the report."""
        parent = os.getppid()
        size = BATCH if self.name == "batch" else 1
        self._clients = [Client(self, number, size) for number in range(CLIENTS)]
        threads = [self._thread(self._sampling)]
        if self.name == "plain":
            threads.append(self._thread(self._clocks))
        threads += [self._thread(self._way(client)) for client in self._clients]
        while not self.news.stop:
            self.news.read()
            if os.getppid() != parent:
                self.news.stop = True
            time.sleep(0.05)
        for thread in threads:
            thread.join()
        self._report()
        self.verifier.close()

    def _way(self, client: Client) -> Callable[[], object]:
        if self.name == "async":
            return lambda: asyncio.run(client.run_async())
        return client.run_batches if self.name == "batch" else client.run

    def _thread(self, work: Callable[[], object]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except BaseException as error:
                self._failures.append(f"{self.name}: a thread ended with {error!r}")
                self.news.stop = True

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def _sampling(self) -> None:
        while not self.news.stop:
            self.sample()
            time.sleep(SAMPLE_EVERY)

    def _clocks(self) -> None:
        """Let both clocks go on, the wall clock forwards and back within the leeway, the other with leaps."""
        chooser = random.Random(7)
        leap_at = time.monotonic() + JUMP_EVERY
        leapt = drift = 0.0
        drift_until = 0.0
        while not self.news.stop:
            now = time.monotonic()
            if now >= drift_until:
                drift, drift_until = chooser.choice((-0.7, -0.3, 0.0, 0.7)) * LEEWAY, now + 0.5
            if now >= leap_at:
                leapt, leap_at = leapt + LIFETIME + MAX_STALE + 0.1, now + JUMP_EVERY
                self.jumped_at = now
                self.jumps.append(now)
                self.log("the monotonic clock leaps past all deadlines")
            _clock.set_monotonic_clock_for_tests(int((now + leapt) * 1e9))
            _clock.set_wall_clock_for_tests(int((time.time() + drift) * 1e9))
            time.sleep(SAMPLE_EVERY)

    def _report(self) -> None:
        tallies = [client.tally for client in self._clients]
        answers: Counter[str] = Counter()
        for tally in tallies:
            answers.update({f"{sort} {code}": count for (sort, code), count in tally.answers.items()})
        report = {
            "answers": answers,
            "offences": [*self._failures, *(each for tally in tallies for each in tally.offences)],
            "held": _quantiles([each for tally in tallies for each in tally.held]),
            "all": _quantiles([each for tally in tallies for each in tally.all]),
            "without_keys": sum(tally.without_keys for tally in tallies),
            "hot_without_keys": sum(tally.hot_without_keys for tally in tallies),
            "events": self._events,
            "jumps": self.jumps,
            "keys": self.keys.stats(),
            "hits": self.verifier.stats()["hits"],
        }
        (self._directory / f"{self.name}.json").write_text(json.dumps(report))


def _quantiles(seconds: list[float]) -> dict[str, float]:
    seconds.sort()
    at = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
    found = {name: seconds[min(len(seconds) - 1, int(len(seconds) * part))] for name, part in at.items()}
    return found | {"calls": len(seconds)}


def main() -> int:
    """Run the process; the pre-forked one goes on in a child."""
    name, url, directory, origin = sys.argv[1:]
    # The endpoint fails all the time, and each change for the worse is a warning: standard error is for the rest.
    logging.getLogger("jotgate.keys").addHandler(logging.NullHandler())
    process = Process(name, url, Path(directory), float(origin))
    if name != "preforked":
        process.run()
        return 0
    process.warm()
    child = os.fork()
    if child:
        process.verifier.close()  # the endpoint is to hear of the child only
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        process.run()
        status = 0
    finally:
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
