"""Libraries in processes of their own, and rows of a sweep that they time."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rivals
from timing import Row
from tokens import AUDIENCE, ISSUER, Corpus


class Worker:
    """A library's process: bench/worker.py, or another program that answers as it does."""

    def __init__(self, command: Sequence[str | Path]) -> None:
        environment = dict(os.environ)
        if command[0] != sys.executable:
            environment.pop("PYTHONPATH", None)  # it may lead to a build for the interpreter that runs this
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    @classmethod
    def python(cls, module: str, source: str | None, python: str | Path = sys.executable) -> "Worker":
        """Start an adapter under an interpreter; `source` names the directory of rivals that it imports from."""
        command = [python, rivals.BENCH / "worker.py", module]
        if source is not None:
            command.append(rivals.directory(source, python))
        return cls(command)

    @classmethod
    def fast_jwt(cls, directory: Path, mode: str) -> "Worker":
        """Start fast-jwt on Node, `cached` or `uncached`."""
        return cls(["node", rivals.FAST_JWT / "worker.js", directory, mode])

    def ask(self, **request: Any) -> Any:
        """Send one request and wait for its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a worker ended early: {self._process.args!r}")
        return json.loads(line)

    def bind(self, corpus: Corpus) -> Any:
        """Hand over tokens, key and policy; the answer says what the library gets wrong."""
        return self.ask(op="bind", corpus=corpus.to_json(), policy={"issuer": ISSUER, "audience": AUDIENCE})

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


class RemoteRow(Row):
    """A row whose rounds another process times, on strings that it makes just before: as `slices`, or as a `batch`."""

    def __init__(self, worker: Worker, corpus: Corpus, count: int, op: str = "slices") -> None:
        super().__init__(len, list)
        answer = worker.bind(corpus)
        if answer["faults"]:
            raise SystemExit(f"a worker gave wrong answers: {answer['faults']}")
        self._request = {"op": op, "alg": corpus.alg, "count": count}
        self._worker = worker

    def run(self) -> None:
        """Have one round timed and fold it in."""
        self.fold(self._worker.ask(**self._request)["ns"], self._request["count"])
