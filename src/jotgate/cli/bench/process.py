"""The process of a worker, seen from the run that asks it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

    from jotgate.cli.bench.peers import Installed
    from jotgate.cli.bench.workload import Workload

# The worker sees the modules that this process sees, in the same places, wherever it is started.
_START = """\
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from jotgate.cli.bench.worker import main
main(sys.argv[2])
"""


class WorkerError(Exception):
    """The process of a library has ended; nothing more can be asked of it."""


class WorkerProcess:
    """A library's process."""

    def __init__(self, library: Installed) -> None:
        self.library = library
        command = [sys.executable, "-c", _START]
        # Its warnings and tracebacks go nowhere: they are the library's, and could quote a token.
        self._process = subprocess.Popen(
            [*command, json.dumps(sys.path), library.adapter],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def bind(self, work: Workload) -> dict[str, Any]:
        """Hand over a workload; the answer says which rows there are, and which answered wrongly."""
        answer: dict[str, Any] = self._ask(f"bind {json.dumps(work.as_json())}")
        return answer

    def time(self, row: str, count: int) -> float:
        """Return the microseconds for one token of ``count``."""
        return float(self._ask(f"time {count} {row}")) / 1000

    def _ask(self, request: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(request + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())
        except (OSError, ValueError):
            raise WorkerError from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
