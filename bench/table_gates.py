"""Limits of tables of busy ES256 keys; rows of `gates.py`.

usage: table_gates.py       only these
"""

import sys
from functools import partial

from judging import Gate, settle
from lane_gates import TOKENS, BatchRow, bound, newer_python
from remote import RemoteRow, Worker
from timing import Row
from tokens import make_corpus

from jotgate.workers import usable_cores

ROUNDS = 30


def against_plain() -> list[Gate]:
    """With a table and without, one by one and in batches, in one process."""
    corpus = make_corpus("ES256", TOKENS["ES256"])
    fresh = partial(corpus.fresh, len(corpus.signed))
    plain, busy = bound(corpus), bound(corpus, tables=True)
    rows: dict[str, Row] = {}
    for name, verifier in (("plain", plain), ("table", busy)):
        rows[name] = Row(verifier.verify, fresh)
        for word, threads in (("one", 1), ("two", 2)):
            rows[f"{name}, {word}"] = BatchRow(partial(verifier.verify_batch, threads=threads), fresh)
    return settle(rows, partial(_judge_plain, rows), ROUNDS)


def _judge_plain(rows: dict[str, Row]) -> list[Gate]:
    best = {name: row.best for name, row in rows.items()}

    def gate(name: str, here: str, other: str, limit: float | None) -> Gate:
        return Gate(name, best[here] / best[other], limit, "x", f"{best[here]:.2f} us against {best[other]:.2f} us")

    # the issue of threads does not arise on one core
    threads = 1 / 1.85 if usable_cores() >= 2 else None
    return [
        gate("ES256 with a table / without", "table", "plain", 0.6),
        gate("batch ES256 with a table / without", "table, one", "plain, one", 1 / 2.5),
        gate("  two threads / one", "table, two", "table, one", threads),
        gate("  two threads / one, without", "plain, two", "plain, one", None),
    ]


def against_ryjwt() -> list[Gate]:
    """With a table against the fastest peer's whole, each in its process under one interpreter."""
    python = newer_python()
    names = ("cold ES256 with a table / ryjwt", "batch ES256 with a table / ryjwt")
    if python is None:
        return [Gate(name, None, None, "x", "no interpreter for it") for name in names]
    corpus = make_corpus("ES256", TOKENS["ES256"])
    workers = [Worker.python("ours_tables", None, python), Worker.python("others.ryjwt", "main", python)]
    rows: dict[str, Row] = {
        "single": RemoteRow(workers[0], corpus, len(corpus.signed)),
        "batch": RemoteRow(workers[0], corpus, len(corpus.signed), "batch"),
        "ryjwt": RemoteRow(workers[1], corpus, len(corpus.signed)),
    }

    def judge() -> list[Gate]:
        best = {name: row.best for name, row in rows.items()}
        return [
            Gate(name, best[here] / best["ryjwt"], limit, "x", f"{best[here]:.2f} us against {best['ryjwt']:.2f} us")
            for name, here, limit in zip(names, ("single", "batch"), (0.7, 0.4), strict=True)
        ]

    gates = settle(rows, judge, ROUNDS)
    for worker in workers:
        worker.close()
    return gates


ALL = (against_plain, against_ryjwt)

if __name__ == "__main__":
    table = [gate for measure in ALL for gate in measure()]
    for gate in table:
        print(gate.name, gate.measured, gate.limit, gate.detail)
    sys.exit(not all(gate.passed for gate in table))
