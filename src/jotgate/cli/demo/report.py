"""The outcome of the demonstration, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jotgate.cli.demo.population import ACCEPTED
from jotgate.cli.demo.trial import versions

if TYPE_CHECKING:
    from collections import Counter

    from jotgate.cli.demo.trial import Outcome
    from jotgate.cli.terminal import Screen

_MOST_MISMATCHES_SHOWN = 20


def write(screen: Screen, outcome: Outcome) -> None:
    """Write the tables of verdicts, of hostile kinds and of throughput, and the result."""
    _heading(screen, "hostile tokens by kind")
    rows: list[tuple[str, ...]] = [("kind", "must be", "tokens", "so judged")]
    rows += [
        (kind, expected, f"{count:,}", f"{verdicts[expected]:,}") for kind, expected, count, verdicts in outcome.kinds()
    ]
    _table(screen, rows, numbers=2)

    _heading(screen, "verdicts by code")
    _table(
        screen,
        [
            ("verdict", "expected", "got"),
            *((code, f"{want:,}", f"{got:,}") for code, want, got in outcome.codes()),
        ],
        numbers=2,
    )

    _heading(screen, "throughput", "cold (each token seen for the first time), one thread, signature included")
    rows = [("algorithm", "tokens", "us a token", "tokens a second")]
    rows += [
        (row.alg, f"{row.tokens:,}", f"{row.us_per_token:,.1f}", f"{row.per_second:,.0f}") for row in outcome.throughput
    ]
    _table(screen, rows, numbers=3)
    screen.line(f"  {versions()}")
    if outcome.unavailable:
        screen.line(f"  not on this machine: {', '.join(outcome.unavailable)} (an older cryptography or OpenSSL)")

    life = outcome.life
    _heading(screen, "keys in motion")
    rows = [("tokens", "must be", "verdicts", "accepted")]
    rows += [
        (f"honest, over {life.rotations} rotations", ACCEPTED, *_accepted(life.honest)),
        ("outstanding when a key is stolen, by the issuer's verifier", "refused", *_accepted(life.near)),
        ("the same, by a verifier elsewhere after its next fetch", "refused", *_accepted(life.far)),
        ("signed by the thief, any epoch", "refused", *_accepted(life.forged)),
        ("issued afterwards", ACCEPTED, *_accepted(life.after)),
    ]
    _table(screen, rows, numbers=2)

    screen.line()
    if outcome.ok:
        screen.line(screen.style(f"all {len(outcome.judged) + life.verdicts:,} verdicts as expected", "green"))
        return
    if not life.ok:
        screen.line(screen.style("keys in motion: a verdict is wrong", "red"))
    wrong = outcome.mismatches
    screen.line(screen.style(f"{len(wrong):,} of {len(outcome.judged):,} verdicts are wrong", "red"))
    for trial, got in wrong[:_MOST_MISMATCHES_SHOWN]:
        screen.line(f"  {trial.lane}, {trial.kind}: {got} instead of {trial.expected}")
    if len(wrong) > _MOST_MISMATCHES_SHOWN:
        screen.line(f"  and {len(wrong) - _MOST_MISMATCHES_SHOWN:,} more")


def _accepted(verdicts: Counter[str]) -> tuple[str, str]:
    return f"{verdicts.total():,}", f"{verdicts[ACCEPTED]:,}"


def _heading(screen: Screen, title: str, remark: str = "") -> None:
    screen.line()
    screen.line(screen.style(title, "bold") + (f": {remark}" if remark else ""))


def _table(screen: Screen, rows: list[tuple[str, ...]], *, numbers: int) -> None:
    for line in screen.table(rows, numbers=numbers):
        screen.line(f"  {line}")
