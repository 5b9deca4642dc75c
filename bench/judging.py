"""What the gates have in common: a line of the table, sweeping until it holds, and the unit of time."""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import hashes, hmac
from timing import Row, sweep
from tokens import Corpus, tile

HMAC_US = 0.77  # AMD EPYC, CPython 3.11.7, cryptography 50.0.2
MEBIBYTE = 1 << 20
COUNT = 512
ROUNDS = 60
ATTEMPTS = 4


class Gate(NamedTuple):
    """One line of the table. A line without a limit is shown and not judged; one without a figure says in `detail`
    why it could not be measured."""

    name: str
    measured: float | None
    limit: float | None
    unit: str
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether the limit holds."""
        return self.limit is None or self.measured is None or self.measured <= self.limit


def settle(rows: dict[str, Row], judge: Callable[[], list[Gate]], rounds: int = ROUNDS) -> list[Gate]:
    """Sweep, and sweep on while a gate fails: minima only ever get truer, so more rounds forgive noise and
    nothing else."""
    for _ in range(ATTEMPTS):
        sweep(rows, rounds)
        gates = judge()
        if all(gate.passed for gate in gates):
            break
    return gates


def microseconds(limit_us: float) -> float:
    """Turn a limit set in microseconds into prepared HMACs."""
    return limit_us / HMAC_US


def check_answers(call: Callable[[Any], Any], claims: Callable[[Any], dict[str, Any]], corpus: Corpus) -> None:
    """Refuse to time a library that accepts the wrong things: every row's answers, and its reject twins."""
    for text, token in zip(corpus.fresh(len(corpus.signed)), corpus.signed, strict=True):
        if claims(call(text)) != token.claims:
            raise SystemExit(f"{corpus.alg}: wrong claims")
    for name, twin in corpus.twins.items():
        try:
            call(twin.decode())
        except Exception:
            continue
        raise SystemExit(f"{corpus.alg}: accepted a token that is {name}")


def prepared_hmac(corpus: Corpus, count: int = COUNT) -> Row:
    """Return the row of the unit: copy a keyed context, update, finalize."""
    copy = hmac.HMAC(corpus.key, hashes.SHA256()).copy

    def call(data: bytes) -> None:
        mac = copy()
        mac.update(data)
        mac.finalize()

    return Row(call, lambda: tile([token.signing_input for token in corpus.signed], count))


def resident_bytes() -> int:
    """Return this process's resident set."""
    with open("/proc/self/statm") as pages:
        return int(pages.read().split()[1]) * os.sysconf("SC_PAGESIZE")
