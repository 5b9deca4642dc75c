"""The run: a worker process a library, all taking turns in every round until the time is up."""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from jotgate import Verifier
from jotgate.batch import LEAST_SHARE
from jotgate.cli.bench import ours, workload
from jotgate.cli.bench.peers import Installed
from jotgate.cli.bench.process import WorkerError, WorkerProcess
from jotgate.errors import InvalidKeyError
from jotgate.workers import usable_cores

if TYPE_CHECKING:
    from jotgate.cli.bench.progress import Progress
    from jotgate.cli.bench.workload import Workload

OURS = "Jotgate"
_ADAPTER = f"{ours.__name__}:rows"

_TURN_SECONDS, _BATCH_SECONDS = 0.003, 0.01
_LEAST_ROUNDS = 3
_LEAST_COUNT, _MOST_COUNT = 16, 4096
# The share of an algorithm's time that may go into signing tokens; and how many a library other than ours gets.
_SIGNING_SHARE, _PEER_TOKENS = 0.08, 32


class Figure(NamedTuple):
    """What one row came to: microseconds a token, in its fastest round and in its median one."""

    library: str
    version: str
    what: str
    """A row of ``ours`` or ``peers``."""
    best: float
    median: float
    hits: float | None
    """The share of look-ups that a cache answered, for the rows that have one."""


class Section(NamedTuple):
    """What was found out about one algorithm."""

    algorithm: str
    backend: str
    token_bytes: int
    rounds: int
    figures: list[Figure]
    unsupported: list[str]
    """Libraries that do not have the algorithm."""

    def ours(self, what: str) -> Figure | None:
        """Return a row of Jotgate's."""
        return next((each for each in self.figures if each.library == OURS and each.what == what), None)

    @property
    def peers(self) -> list[Figure]:
        """The rows of other libraries, fastest first."""
        return sorted((each for each in self.figures if each.library != OURS), key=lambda each: each.best)

    @property
    def batches(self) -> list[tuple[int, Figure]]:
        """The rows of batches, with their numbers of threads."""
        rows = [each for each in self.figures if each.what.startswith(ours.BATCH)]
        return [(int(each.what.removeprefix(ours.BATCH)), each) for each in rows]


class Wrong(NamedTuple):
    """A library that answered wrongly."""

    library: str
    algorithm: str
    faults: list[str]


class Findings(NamedTuple):
    """All that a run has shown."""

    sections: list[Section]
    wrong: list[Wrong]
    unavailable: list[str]
    """Algorithms that this machine's ``cryptography`` cannot do."""
    failed: list[str]
    """Libraries whose process ended."""
    peers: list[Installed]
    libcrypto: dict[str, str] | None
    reason: str | None
    """Why libcrypto is not used."""
    seconds: float


class _Row(NamedTuple):
    worker: WorkerProcess
    what: str
    tokens: int
    hits: float | None
    times: list[float]

    @property
    def figure(self) -> Figure:
        library = self.worker.library
        return Figure(library.name, library.version, self.what, min(self.times), median(self.times), self.hits)


class Bench:
    """One run.

    Args:
        workers: Jotgate's process first, then those of the other libraries.
        progress: Where to show how far it is.
        seconds: When to be done, counted from now.
    """

    def __init__(self, workers: list[WorkerProcess], progress: Progress, seconds: float) -> None:
        self._workers = workers
        self._progress = progress
        self._seconds = seconds
        self._started = perf_counter()
        self.wrong: list[Wrong] = []
        self.failed: list[str] = []

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return perf_counter() - self._started

    def measure(self, work: Workload, backend: str, end: float) -> Section:
        """Bind all libraries to a workload and time those that answer rightly, until ``elapsed`` is ``end``."""
        rows: list[_Row] = []
        unsupported: list[str] = []
        for worker in [*self._workers]:
            self._progress.show(self.elapsed / self._seconds, f"{work.key.name}: checking {worker.library.name}")
            try:
                rows += self._rows(worker, work, unsupported)
            except WorkerError:
                self._drop(worker)
        rounds = 0
        while rows and (rounds < _LEAST_ROUNDS or self.elapsed < end):
            shift = rounds % len(rows)
            for row in rows[shift:] + rows[:shift]:
                self._progress.show(self.elapsed / self._seconds, f"{work.key.name}: round {rounds + 1}")
                if row.worker in self._workers:
                    try:
                        row.times.append(row.worker.time(row.what, row.tokens))
                    except WorkerError:
                        self._drop(row.worker)
            rows = [row for row in rows if row.worker in self._workers]
            rounds += 1
        figures = [row.figure for row in rows]
        return Section(work.key.name, backend, work.token_bytes, rounds, figures, unsupported)

    def _rows(self, worker: WorkerProcess, work: Workload, unsupported: list[str]) -> list[_Row]:
        """Check a library's answers and find out how many tokens make a turn."""
        mine = worker.library.name == OURS
        answer = worker.bind(work if mine else work.first(_PEER_TOKENS))
        if "unsupported" in answer:
            if mine:
                self.wrong.append(Wrong(OURS, work.key.name, [f"fails with {answer['unsupported']}"]))
            else:
                unsupported.append(worker.library.name)
            return []
        if answer["faults"]:
            told = [f"{fault} ({name})" for name, found in answer["faults"].items() for fault in found]
            self.wrong.append(Wrong(worker.library.name, work.key.name, told))
            return []
        return [
            _Row(worker, name, _count(worker, name, most, len(work.texts)), hits, [])
            for name, (most, hits) in answer["rows"].items()
        ]

    def _drop(self, worker: WorkerProcess) -> None:
        if worker.library.name == OURS:
            raise RuntimeError("the process that measures Jotgate has ended")
        self._workers.remove(worker)
        self.failed.append(worker.library.name)


def hold(names: list[str], seconds: float, token_bytes: int, others: list[Installed], progress: Progress) -> Findings:
    """Measure.

    Args:
        names: Of ``workload.NAMES``.
        seconds: How long it should take in all. Every algorithm gets an equal share, and three rounds at least.
        token_bytes: How long a token should be.
        others: The libraries to measure beside Jotgate.
        progress: Where to show how far it is.
    """
    from importlib.metadata import version

    libraries = [Installed(OURS, version("jotgate"), _ADAPTER), *others]
    sections, unavailable = [], []
    stats: dict[str, Any] = {"libcrypto": None, "reason": None}
    with ExitStack() as stack:
        bench = Bench([stack.enter_context(WorkerProcess(each)) for each in libraries], progress, seconds)
        for number, name in enumerate(names):
            progress.show(bench.elapsed / seconds, f"{name}: making tokens")
            share = max(0.0, seconds - bench.elapsed) / (len(names) - number)
            end = bench.elapsed + share
            try:
                work = workload.make(name, token_bytes, share * _SIGNING_SHARE)
            except InvalidKeyError:
                unavailable.append(name)
                continue
            stats = Verifier(ours.verification_key(work.key), ours.policy(work.key)).stats()
            sections.append(bench.measure(work, stats["backend"][workload.canonical(name)], end))
        took = bench.elapsed
    return Findings(sections, bench.wrong, unavailable, bench.failed, others, stats["libcrypto"], stats["reason"], took)


def _count(worker: WorkerProcess, row: str, most: int | None, tokens: int) -> int:
    """Return how many tokens a row takes a turn.

    Args:
        worker: Whom to ask how long one takes.
        row: The row's name.
        most: The row's own number of tokens, if it has one.
        tokens: How many tokens there are.
    """
    if most is not None:
        return most
    estimate = min(worker.time(row, _LEAST_COUNT) for _ in range(2)) / 1e6
    if row.startswith(ours.BATCH):
        # Equal texts of a batch are verified once, so it takes no more than there are; and enough for every thread.
        least = LEAST_SHARE * usable_cores()
        return min(tokens, max(least, int(_BATCH_SECONDS / estimate)))
    return max(min(_MOST_COUNT, int(_TURN_SECONDS / estimate)), _LEAST_COUNT)
