"""Limits of the GIL-free signature lanes and of batches; rows of `gates.py`.

usage: lane_gates.py --record     times batches by the number of threads and draws bench/plots/batch.svg
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import ours
import ours_tables
import rivals
from judging import COUNT, Gate, check_answers, settle
from remote import RemoteRow, Worker
from run import environment
from timing import Row, sweep
from tokens import Corpus, make_corpus

from jotgate.cli.bench.plot import bars
from jotgate.workers import usable_cores

TOKENS = {"HS256": 2048, "RS256": 1024, "ES256": 512, "EdDSA": 512}  # of a batch, all different


class BatchRow(Row):
    """A batch of fresh strings, timed whole."""

    def __init__(self, call: Callable[[Sequence[str]], Any], fresh: Callable[[], Sequence[str]]) -> None:
        super().__init__(call, fresh)

    def run(self) -> None:
        """Time one batch and fold it in."""
        texts = self.fresh()
        start = perf_counter_ns()
        self.call(texts)
        self.fold([perf_counter_ns() - start], len(texts))


def bound(corpus: Corpus, tables: bool = False) -> Any:
    """Return a verifier without a cache whose every answer was checked, by one call each and in a batch; where there is
    a table to be had, that is there."""
    verifier = ours.verifier(corpus.alg, corpus.key, cache=None, tables=tables)
    if tables and corpus.alg == "ES256":
        ours_tables.make_busy(verifier, corpus)
    backends = verifier.stats()["backend"]
    if {backends[name] for name in ("HS256", "RS256", "ES256", "Ed25519")} != {"libcrypto"}:
        raise SystemExit(f"the lanes do not serve here: {verifier.stats()['reason']}")
    check_answers(verifier.verify, ours.claims, corpus)
    results = verifier.verify_batch([*corpus.fresh(len(corpus.signed)), *map(bytes.decode, corpus.twins.values())])
    if results.accepted != len(corpus.signed) or results.rejected != len(corpus.twins):
        raise SystemExit(f"{corpus.alg}: a batch has wrong answers")
    return verifier


@cache
def newer_python() -> str | Path | None:
    """Return an interpreter that all rivals run under, with Jotgate built for it; None where there is none."""
    try:
        return environment("3.13") if sys.version_info < (3, 12) else sys.executable
    except subprocess.CalledProcessError as failure:
        print(f"no environment for Python 3.13: {failure}")
        return None


def against_rivals() -> list[Gate]:
    """Cold verification by the lanes against the closest rivals' whole, each in its process under one interpreter."""
    gates = []
    newer = newer_python()
    # rival, its interpreter, limits by algorithm; None is shown
    table = (
        ("oxyjwt", sys.executable, {"HS256": 0.3, "RS256": 0.95, "ES256": None, "EdDSA": None}),
        ("ryjwt", newer, {"HS256": 0.8, "RS256": 1.1, "EdDSA": None}),  # ES256: table_gates
    )
    for rival, python, limits in table:
        for alg, limit in limits.items():
            name = f"cold {alg} by the lanes / {rival}"
            if python is None:
                gates.append(Gate(name, None, limit, "x", "no interpreter for it"))
                continue
            corpus = make_corpus(alg)
            workers = [Worker.python("ours", None, python), Worker.python(f"others.{rival}", "main", python)]
            rows: dict[str, Row] = {
                who: RemoteRow(worker, corpus, COUNT if alg == "HS256" else len(corpus.signed))
                for who, worker in zip(("ours", rival), workers, strict=True)
            }
            gates += settle(rows, partial(_ratio, name, rows, limit))
            for worker in workers:
                worker.close()
    return gates


def _ratio(name: str, rows: dict[str, Row], limit: float | None) -> list[Gate]:
    here, other = (row.best for row in rows.values())
    return [Gate(name, here / other, limit, "x", f"{here:.2f} us against {other:.2f} us")]


def batches() -> list[Gate]:
    """Batches: a thread against a single call, two threads against one, two threads against the closest peer."""
    sys.path.append(str(rivals.directory()))
    from others import oxyjwt

    gates = []
    for alg in ("HS256", "RS256", "ES256", "EdDSA"):
        corpus = make_corpus(alg, TOKENS[alg])
        verifier = bound(corpus)
        fresh = partial(corpus.fresh, len(corpus.signed))
        rows = {
            "single": Row(verifier.verify, fresh),
            "one": BatchRow(partial(verifier.verify_batch, threads=1), fresh),
            "two": BatchRow(partial(verifier.verify_batch, threads=2), fresh),
        }
        if alg == "RS256":
            rows["oxyjwt"] = Row(oxyjwt.bind(alg, corpus.key), fresh)
        gates += settle(rows, partial(_judge_batches, alg, rows), 30)
    return gates


def _judge_batches(alg: str, rows: dict[str, Row]) -> list[Gate]:
    best = {name: row.best for name, row in rows.items()}
    detail = f"{best['one']:.2f} us, {best['two']:.2f} us"
    # the issue of threads does not arise on one core
    two_cores = usable_cores() >= 2
    limit = 1 / 1.85 if two_cores and alg != "HS256" else None
    gates = [Gate(f"batch {alg}, two threads / one", best["two"] / best["one"], limit, "x", detail)]
    if alg == "HS256":
        single = f"{best['one']:.2f} us against {best['single']:.2f} us"
        gates.append(Gate("batch HS256, one thread / single cold", best["one"] / best["single"], 1.0, "x", single))
    if alg == "RS256":
        limit = 1 / 1.6 if two_cores else None
        peer = f"{best['two']:.2f} us against {best['oxyjwt']:.2f} us"
        gates.append(Gate("batch RS256, two threads / oxyjwt, one", best["two"] / best["oxyjwt"], limit, "x", peer))
    return gates


ALL = (against_rivals, batches)


def by_threads(alg: str) -> dict[str, float]:
    """Return the microseconds a token: single calls, then batches on one thread, two, and so on to the last core."""
    corpus = make_corpus(alg, TOKENS[alg])
    verifier = bound(corpus, tables=True)
    fresh = partial(corpus.fresh, len(corpus.signed))
    rows: dict[str, Row] = {"verify": Row(verifier.verify, fresh)}
    for threads in range(1, usable_cores() + 1):
        name = f"batch, {threads} thread{'s' if threads > 1 else ''}"
        rows[name] = BatchRow(partial(verifier.verify_batch, threads=threads), fresh)
    sweep(rows, 40)
    return {name: row.best for name, row in rows.items()}


def record() -> None:
    """Draw the plot."""
    panels = {alg: list(by_threads(alg).items()) for alg in TOKENS}
    subtitle = f"us a token, all different, CPython {sys.version.split()[0]}, no cache"
    drawing = bars("Batches by threads", subtitle, panels, {"verify"}, set())
    (Path(__file__).parent / "plots" / "batch.svg").write_text(drawing)
    for alg, rows in panels.items():
        print(alg, ", ".join(f"{name} {us:.2f} us" for name, us in rows))


if __name__ == "__main__":
    record()
