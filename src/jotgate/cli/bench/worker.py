"""The process that one library runs in: it answers requests, a JSON object a line, until its input ends.

A library that patches others, warns, prints or crashes does so here, alone. Only numbers and names go back.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import warnings
from importlib import import_module
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from jotgate.cli.bench.workload import Workload


class Row(NamedTuple):
    """One thing to time.

    ``call`` takes a token and gives an answer or raises; with ``whole`` it takes a list of tokens and gives a
    sequence of answers, errors among them. ``claims`` gives the claims of an answer, None for none. ``most`` is the
    number of the workload's tokens, from the first, that the row is about; None for all. ``hits`` is the share of them
    that a cache keeps, where there is one.
    """

    call: Callable[[Any], Any]
    claims: Callable[[Any], Any]
    whole: bool = False
    most: int | None = None
    hits: float | None = None

    def answers(self, texts: list[str]) -> list[Any]:
        """Return the claims that come out for each token, None for a refusal."""
        if self.whole:
            return [None if isinstance(one, Exception) else self.claims(one) for one in self.call(texts)]
        found = []
        for text in texts:
            try:
                found.append(self.claims(self.call(text)))
            except Exception:
                found.append(None)
        return found


class Worker:
    """A library bound to one workload after another.

    Args:
        adapter: Builds the library's rows, by name, for a workload. Whatever it raises means that the library does
            not do the workload's algorithm.
    """

    def __init__(self, adapter: Callable[[Workload], dict[str, Row]]) -> None:
        self._adapter = adapter
        self._rows: dict[str, Row] = {}
        self._blobs: list[bytes] = []

    def bind(self, work: Workload) -> dict[str, Any]:
        """Build the rows and check the answers of each."""
        self._blobs = [text.encode("ascii") for text in work.texts]
        try:
            self._rows = self._adapter(work)
        except Exception as error:
            return {"unsupported": type(error).__name__}
        faults = {name: found for name, row in self._rows.items() if (found := check(row, work))}
        # The collector runs before every timing: it need not look at what is there now.
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        return {"rows": {name: (row.most, row.hits) for name, row in self._rows.items()}, "faults": faults}

    def time(self, name: str, count: int) -> float:
        """Return the nanoseconds for one token, over ``count`` strings that nobody has seen before."""
        row, blobs = self._rows[name], self._blobs
        texts = [str(blobs[i % len(blobs)], "ascii") for i in range(count)]
        call = row.call
        gc.collect()
        gc.disable()
        if row.whole:
            started = perf_counter_ns()
            call(texts)
            taken = perf_counter_ns() - started
        else:
            started = perf_counter_ns()
            for text in texts:
                call(text)
            taken = perf_counter_ns() - started
        gc.enable()
        return taken / count


def check(row: Row, work: Workload) -> list[str]:
    """Return what is wrong with a row's answers: good tokens must give their claims, each twin a refusal."""
    answers = row.answers(work.texts[: row.most])
    faults = []
    if None in answers:
        faults.append("refuses a good token")
    elif answers != work.claims[: row.most]:
        faults.append("returns other claims")
    names = list(work.twins)
    accepted = zip(names, row.answers([work.twins[name] for name in names]), strict=True)
    return faults + [f"accepts {name}" for name, claims in accepted if claims is not None]


def load(path: str) -> Callable[[Workload], dict[str, Row]]:
    """Return the adapter that ``module:function`` names."""
    module, _, function = path.partition(":")
    adapter: Callable[[Workload], dict[str, Row]] = getattr(import_module(module), function)
    return adapter


def main(path: str) -> None:
    """Serve requests.

    Args:
        path: The adapter, as ``load`` takes it.
    """
    warnings.showwarning = lambda *_args, **_kwargs: None
    # What a library prints must not end up among the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    from jotgate.cli.bench.workload import Workload

    worker = Worker(load(path))
    for line in sys.stdin:
        kind, _, rest = line.partition(" ")
        answer: Any
        if kind == "bind":
            answer = worker.bind(Workload.from_json(rest))
        else:
            count, _, name = rest.strip().partition(" ")
            answer = worker.time(name, int(count))
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
