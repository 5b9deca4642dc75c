"""How gates time things: many short rounds, all rows taking turns in each, the fastest moment of each slice
kept.

The machines that run this are shared. Noise only ever adds time, so a minimum converges on the true cost, and
taking it per slice of a few calls converges far sooner than taking it over whole rounds. Only ratios and
differences of rows of one sweep mean anything; seconds do not carry from one machine, or one minute, to
another.
"""

import gc
from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter_ns
from typing import Any

SLICE = 8


def call_each(call: Callable[[Any], Any], items: Sequence[Any]) -> int:
    """Return the nanoseconds for `call` on every item."""
    start = perf_counter_ns()
    for item in items:
        call(item)
    return perf_counter_ns() - start


def refuse_each(call: Callable[[Any], Any], items: Sequence[Any]) -> int:
    """Return the nanoseconds for `call` on every item, each raising and being caught."""
    start = perf_counter_ns()
    for item in items:
        try:  # noqa: SIM105 - a context manager would be timed as well
            call(item)
        except Exception:
            pass
    return perf_counter_ns() - start


def bare_raise(_call: Callable[[Any], Any], items: Sequence[Any]) -> int:
    """Return the nanoseconds for raising and catching a bare `Exception` on the spot, once for each item."""
    start = perf_counter_ns()
    for _item in items:
        try:
            raise Exception
        except Exception:
            pass
    return perf_counter_ns() - start


def time_slices(
    call: Callable[[Any], Any],
    items: Sequence[Any],
    loop: Callable[[Callable[[Any], Any], Sequence[Any]], int] = call_each,
) -> list[int]:
    """Return the nanoseconds of each `SLICE` of the items."""
    slices = [items[i : i + SLICE] for i in range(0, len(items), SLICE)]
    return [loop(call, part) for part in slices]


class Row:
    """One thing timed in a sweep.

    Args:
        call: takes one item.
        fresh: makes the items of one round; called outside the timed part, so that no string is used twice.
        loop: `call_each`, `refuse_each` or `bare_raise`.
    """

    def __init__(
        self,
        call: Callable[[Any], Any],
        fresh: Callable[[], Sequence[Any]],
        loop: Callable[[Callable[[Any], Any], Sequence[Any]], int] = call_each,
    ) -> None:
        self.call = call
        self.fresh = fresh
        self.loop = loop
        self._best: list[float] = []
        self._rounds: list[float] = []

    def run(self) -> None:
        """Time one round and fold it in."""
        items = self.fresh()
        self.fold(time_slices(self.call, items, self.loop), len(items))

    def fold(self, taken: Sequence[int], count: int) -> None:
        """Take in one round of `count` calls: the nanoseconds of each slice."""
        self._rounds.append(sum(taken) / count)
        if self._best:
            self._best = [min(pair) for pair in zip(self._best, taken, strict=True)]
        else:
            self._best = [float(ns) for ns in taken]
        self._count = count

    @property
    def best(self) -> float:
        """Microseconds an item: the fastest run of each slice, added up."""
        return sum(self._best) / self._count / 1000

    @property
    def fastest(self) -> float:
        """Microseconds an item: the fastest round."""
        return min(self._rounds) / 1000

    @property
    def typical(self) -> float:
        """Microseconds an item: the median of the rounds."""
        return median(self._rounds) / 1000


def sweep(rows: dict[str, Row], rounds: int) -> None:
    """Run all rows `rounds` times, turn by turn, each round starting with another row. More calls refine the
    result."""
    order = list(rows.values())
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for turn in range(rounds):
            shift = turn % len(order)
            for row in order[shift:] + order[:shift]:
                row.run()
    finally:
        if collecting:
            gc.enable()
