"""Keys rotate every second, their endpoint fails, four processes verify: python -m tests.services.rotation_soak

An issuer with four key rings rotates one of them every second and publishes their keys over HTTP on the loopback, by
an endpoint that breaks on the wire. Four processes with 64 client threads verify by it: one forked after its verifier
was in use, one whose clocks jump, one with an event loop a thread, one that verifies batches. Once the endpoint fails
for longer than its keys may be used.

What must hold: no honest token is refused, but for ``key_fetch_failed`` while there are no keys that count; none is
accepted that should not be, in particular none of a key that was removed, once the keys were refreshed; no more than
one fetch a cooldown and process; nobody waits for a fetch while usable keys are held, and nobody longer than the
timeout. The log has every state of every process.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from services.soak.issuer import Endpoint, Issuer
from services.soak.plan import BLACKOUT, COOLDOWN, PROCESSES, TIMEOUT
from services.wire import Server

ROOT = Path(__file__).resolve().parents[2]
STATES = ("EMPTY", "FRESH", "AGING", "STALE", "DEAD")
JITTER = 0.2
"""By how much later one request may reach the endpoint than another; seconds."""
LONGEST_CALL = TIMEOUT + 0.25
LONGEST_WITH_KEYS = 0.4
"""What the scheduler may add to a call that waits for nothing, on a machine with other work; seconds."""
RECOVERED_AFTER = 2.0
UNKNOWN_KIDS_PER_S = 100_000 / 60


class Soak:
    """One run.

    Args:
        seconds: From the moment that all processes verify.
        blackout_at: When the endpoint begins to fail for everybody, in seconds from then.
        seed: Of the faults.
    """

    def __init__(self, seconds: float, blackout_at: float, seed: int) -> None:
        self.seconds, self.blackout_at = seconds, blackout_at
        self.origin = time.monotonic()
        self.lines: list[tuple[float, str]] = []
        self.reports: dict[str, dict[str, Any]] = {}
        self.failures: list[str] = []
        self.endpoint = Endpoint(seed, self._log)

    def _log(self, moment: float, who: str, text: str) -> None:
        self.lines.append((moment - self.origin, f"{who:<9} {text}"))

    def run(self) -> None:
        """Do it all, and judge."""
        with tempfile.TemporaryDirectory() as name, Server(self.endpoint) as server:
            directory = Path(name)
            issuer = Issuer(directory, self.endpoint)
            issuer.start()
            running = {each: _start(each, server.url(), directory, self.origin) for each in PROCESSES}
            try:
                self._wait_for_keys(running)
                began = time.monotonic()
                self._log(began, "soak", f"all processes verify; blackout in {self.blackout_at:g} s")
                self.endpoint.black_out(began + self.blackout_at)
                while time.monotonic() < began + self.seconds and issuer.failure is None:
                    if any(process.poll() is not None for process in running.values()):
                        break
                    time.sleep(0.1)
                self.measured = time.monotonic() - began
                self._log(time.monotonic(), "soak", "ends")
                issuer.stop()
                for each, process in running.items():
                    errors = process.communicate(timeout=30)[1]
                    if process.returncode or errors:
                        self.failures.append(f"{each} ended with {process.returncode}: {errors[-2000:]}")
            finally:
                for process in running.values():
                    process.kill()
            if issuer.failure is not None:
                raise issuer.failure
            self.issuer = issuer
            for each in PROCESSES:
                self._collect(directory, each)
        self.lines.sort()
        if len(self.reports) == len(PROCESSES):
            self._judge()

    def _wait_for_keys(self, running: dict[str, subprocess.Popen[str]]) -> None:
        deadline = time.monotonic() + 30
        while len(self.endpoint.served) < len(PROCESSES):
            ended = [each for each, process in running.items() if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise SystemExit(f"did not begin to verify: {ended or set(PROCESSES) - self.endpoint.served}")
            time.sleep(0.02)

    def _collect(self, directory: Path, name: str) -> None:
        log, report = directory / f"{name}.log", directory / f"{name}.json"
        for line in log.read_text().splitlines():
            self.lines.append((float(line[:9]), line[10:]))
        if report.exists():
            self.reports[name] = json.loads(report.read_text())
        else:
            self.failures.append(f"{name} left no report")

    # -- what must hold

    def _judge(self) -> None:
        for name in PROCESSES:
            report = self.reports[name]
            self.failures += report["offences"]
            self._judge_fetches(name, report["jumps"])
            self._judge_states(name)
            self._judge_latencies(name, report)
            if not report["hot_without_keys"]:
                self.failures.append(f"{name}: no remembered token was presented while the keys were dead")
        answers = self.answers
        for sort in ("honest accepted", "tampered bad_signature", "expired expired", "removed unknown_key"):
            if not answers[sort]:
                self.failures.append(f"nothing was seen of: {sort}")
        if self.unknown_kids < UNKNOWN_KIDS_PER_S * self.seconds:
            self.failures.append(f"only {self.unknown_kids} unknown kids were presented")
        if self.issuer.rotations < self.seconds - 3:
            self.failures.append(f"only {self.issuer.rotations} rotations")

    def _judge_fetches(self, name: str, jumps: list[float]) -> None:
        """No more than one fetch a cooldown; where a clock leaps, a cooldown ends early."""
        asked = self.endpoint.asked[name]
        for first in range(len(asked)):
            for last in range(first + 1, len(asked)):
                leaps = sum(asked[first] - JITTER <= jump <= asked[last] for jump in jumps)
                if asked[last] - asked[first] < (last - first - leaps) * COOLDOWN - JITTER:
                    self.failures.append(
                        f"{name}: {last - first + 1} fetches in {asked[last] - asked[first]:.3f} s from "
                        f"{asked[first] - self.origin:.3f} on"
                    )
                    return

    def _judge_states(self, name: str) -> None:
        changes = self.states(name)
        missing = set(STATES) - {state for _, state in changes}
        if missing:
            self.failures.append(f"{name} was never {', '.join(sorted(missing))}")
        start, end = (moment - self.origin for moment in self.endpoint.blackout)
        leaps = [jump - self.origin for jump in self.reports[name]["jumps"]]
        died = [moment for moment, state in changes if state == "DEAD"]
        if not any(start < moment < end for moment in died):
            self.failures.append(f"{name} was not dead while the endpoint was")
        for moment in died:
            if not start < moment < end and not any(leap - JITTER < moment < leap + 1 for leap in leaps):
                self.failures.append(f"{name} was dead at {moment:.3f}, and should not have been")
            back = next((later for later, state in changes if later > moment and state != "DEAD"), None)
            expected = max(end, moment) if start < moment < end else moment
            if back is None or back > expected + RECOVERED_AFTER:
                self.failures.append(f"{name} did not recover by itself: dead at {moment:.3f}, back at {back}")

    def _judge_latencies(self, name: str, report: dict[str, Any]) -> None:
        if report["held"]["max"] > LONGEST_WITH_KEYS:
            self.failures.append(f"{name}: a call with usable keys took {report['held']['max']:.3f} s")
        if report["all"]["max"] > LONGEST_CALL:
            self.failures.append(f"{name}: a call took {report['all']['max']:.3f} s, the timeout is {TIMEOUT} s")

    # -- what was seen

    @property
    def answers(self) -> Counter[str]:
        """How often each sort of token got each answer."""
        total: Counter[str] = Counter()
        for report in self.reports.values():
            total.update(report["answers"])
        return total

    @property
    def unknown_kids(self) -> int:
        """How many kids were presented that never existed."""
        return sum(count for sort, count in self.answers.items() if sort.startswith("unknown "))

    def states(self, name: str) -> list[tuple[float, str]]:
        """Return when a process came into which state, by the log."""
        found = ((moment, re.fullmatch(rf"{name} +state \S+ -> (\w+)", line)) for moment, line in self.lines)
        return [(moment, match[1]) for moment, match in found if match]

    def summary(self) -> str:
        """Return the figures as text."""
        text = [
            f"{self.measured:.1f} s, {self.issuer.rotations} rotations, {self.issuer.removed} keys removed, "
            f"{self.issuer.issued} tokens issued, blackout of {BLACKOUT} s"
        ]
        for name, report in sorted(self.reports.items()):
            states = Counter(state for _, state in self.states(name))
            held, every = report["held"], report["all"]
            text += [
                f"{name}: {every['calls']} calls, {report['hits']} hits; fetches {dict(report['events'])}, "
                f"waited {report['keys']['waited']}, turned away {report['keys']['turned_away']}",
                f"  states {dict(states)}; without keys {report['without_keys']} honest calls undecided, "
                f"{report['hot_without_keys']} of remembered tokens in DEAD",
                f"  honest calls with usable keys: {_milliseconds(held)}; all calls: {_milliseconds(every)}",
            ]
        text.append("answers: " + ", ".join(f"{sort} {count}" for sort, count in sorted(self.answers.items())))
        text.append("endpoint: " + ", ".join(f"{name} {count}" for name, count in self.endpoint.answered.most_common()))
        text += [f"FAILED {each}" for each in self.failures[:40]]
        text.append(f"{len(self.failures)} failures")
        return "\n".join(text)

    def log(self) -> str:
        """Return everything that happened, in order of time."""
        return "\n".join(f"{moment:9.3f} {line}" for moment, line in self.lines) + "\n"


def _start(name: str, url: str, directory: Path, origin: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-X", "faulthandler", "-W", "ignore::DeprecationWarning"]
    path = os.pathsep.join(filter(None, [str(ROOT), *sys.path]))
    return subprocess.Popen(
        [*command, "-m", "tests.services.soak.process", name, url, str(directory), repr(origin)],
        env=os.environ | {"PYTHONPATH": path},
        stderr=subprocess.PIPE,
        text=True,
    )


def _milliseconds(quantiles: dict[str, float]) -> str:
    return ", ".join(f"{name} {quantiles[name] * 1e3:.2f} ms" for name in ("p50", "p99", "p99.9", "max"))


def main() -> int:
    """Run the soak, write the log, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--blackout-at", type=float, default=25)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", type=Path)
    options = parser.parse_args()
    soak = Soak(options.seconds, options.blackout_at, options.seed)
    soak.run()
    if options.log:
        options.log.write_text(soak.log())
    print(soak.summary())
    return 1 if soak.failures else 0


if __name__ == "__main__":
    sys.exit(main())
