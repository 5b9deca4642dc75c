"""Several processes that verify the same tokens while a test does things to their store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from support import AUDIENCE, ISSUER, b64u

from jotgate import SigningKey, jws

_SECRET = b"a secret of the tests, of no use elsewhere!"
_KEY = SigningKey.from_secret(_SECRET, alg="HS256", kid="watch")
_TESTS = Path(__file__).parents[1]
PATIENCE = 20.0


class Change(NamedTuple):
    """A verdict that is not what it was."""

    at: float
    process: int
    name: str
    code: str


def token(name: str, **claims: Any) -> str:
    """Return a token that lives for an hour, with its name for a jti."""
    now = int(time.time())
    return jws.sign(
        {"iss": ISSUER, "aud": AUDIENCE, "sub": name, "jti": name, "iat": now - 5, "exp": now + 3600} | claims, _KEY
    )


class Watch:
    """Processes that verify tokens over and over.

    Args:
        store: URL and options of the store that they follow.
        tokens: By name.
        processes: How many.
        fresh: Names of the tokens that are verified with ``fresh=True``.
        batch: Whether they verify by batches.
        url: Where they fetch the keys of ES256 tokens; None: they have the one key of `token`.
        revocations: Arguments of their ``Revocations``.
    """

    def __init__(
        self,
        store: str,
        options: dict[str, Any],
        tokens: dict[str, str],
        *,
        processes: int = 4,
        fresh: tuple[str, ...] = (),
        batch: bool = False,
        url: str | None = None,
        **revocations: Any,
    ) -> None:
        self.changes: list[Change] = []
        self.reports: dict[int, dict[str, Any]] = {}
        self._now: dict[tuple[int, str], str] = {}
        self._told = threading.Condition()
        orders = {
            "store": store,
            "options": options,
            "tokens": tokens,
            "fresh": fresh,
            "batch": batch,
            "url": url,
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "jwks": {"keys": [{"kty": "oct", "alg": "HS256", "kid": "watch", "k": b64u(_SECRET)}]},
            "revocations": {"on_stale": "refuse"} | revocations,
        }
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(_TESTS), *sys.path])}
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-X", "faulthandler", str(_TESTS / "services" / "watchman.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
            for _ in range(processes)
        ]
        self._threads = [
            threading.Thread(target=self._listen, args=(number, process), daemon=True)
            for number, process in enumerate(self._processes)
        ]
        for process, thread in zip(self._processes, self._threads, strict=True):
            assert process.stdin is not None
            process.stdin.write(json.dumps(orders) + "\n")
            process.stdin.flush()
            thread.start()

    def _listen(self, number: int, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            facts = json.loads(line)
            with self._told:
                if "code" in facts:
                    self.changes.append(Change(facts["at"], number, facts["name"], facts["code"]))
                    self._now[number, facts["name"]] = facts["code"]
                elif "calls" in facts:
                    self.reports[number] = facts
                self._told.notify_all()

    def wait_for(self, name: str, code: str, seconds: float = PATIENCE) -> None:
        """Wait until every process gives this verdict on a token."""
        with self._told:
            done = self._told.wait_for(
                lambda: all(self._now.get((number, name)) == code for number in range(len(self._processes))), seconds
            )
            assert done, (name, code, self.verdicts(name), self._polls())

    def add(self, tokens: dict[str, str]) -> None:
        """Have more tokens verified from now on."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(json.dumps(tokens) + "\n")
            process.stdin.flush()

    def wait_for_any(self, names: Iterable[str], seconds: float = PATIENCE) -> None:
        """Wait until every process has given a verdict on each of these."""
        wanted = [(number, name) for number in range(len(self._processes)) for name in names]
        with self._told:
            assert self._told.wait_for(lambda: all(each in self._now for each in wanted), seconds), self._polls()

    def _polls(self) -> list[int | None]:
        return [process.poll() for process in self._processes]

    def verdicts(self, name: str) -> list[str | None]:
        return [self._now.get((number, name)) for number in range(len(self._processes))]

    def when(self, name: str, code: str, since: float) -> list[float]:
        """Return for each process the moment since then at which the verdict on a token became this."""
        moments = []
        for number in range(len(self._processes)):
            found = [change.at for change in self.changes if change[1:] == (number, name, code) and change.at >= since]
            assert found, (number, name, code, self.changes)
            moments.append(found[0])
        return moments

    def in_second(self, name: str, second: int) -> set[str]:
        """Return the verdicts on a token that any process gave in one whole second of the monotonic clock."""
        return {
            code for report in self.reports.values() for code in report["seconds"].get(name, {}).get(str(second), {})
        }

    def last_accepted(self, name: str) -> tuple[float, float]:
        """Return when the last call that accepted a token began, and when it ended, in any process."""
        moments = [report["accepted"][name] for report in self.reports.values() if name in report["accepted"]]
        return max((began for began, _ in moments), default=0.0), max((ended for _, ended in moments), default=0.0)

    def longest(self, fresh: bool = False) -> float:
        """Return the seconds of the longest call."""
        return max(report["longest_fresh" if fresh else "longest"] for report in self.reports.values())

    def close(self) -> None:
        """End the processes, and read what they report."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        for process, thread in zip(self._processes, self._threads, strict=True):
            assert process.wait(PATIENCE) == 0
            thread.join(PATIENCE)
            assert process.stdout is not None
            process.stdout.close()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.close()
            return
        for process in self._processes:
            with process:  # closes its pipes, and waits
                process.kill()
