"""A key ring on a screen or as JSON: its keys, what may happen when, and what a compromise did."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from jotgate.cli import EXIT_OK
from jotgate.cli.moments import from_now, how_long, utc
from jotgate.cli.terminal import Screen, printable

if TYPE_CHECKING:
    import argparse

    from jotgate.incident import IncidentReport
    from jotgate.keys.ring import Compromise, KeyRecord, KeyRing

LOCKED = {
    "passphrase": "the private keys are encrypted: name the variable that has the passphrase with --password-env",
}
MAINTAIN = "jotgate keys rotate DIR --if-due 90"
_WIDEST = 98
_STATE_STYLES = {"done": "green", "failed": "red", "left_out": "yellow"}


def show_incident(report: IncidentReport, ring: KeyRing | None, *, as_json: bool) -> None:
    """Say what was done about a key that got out, what is out of reach, and what to do next."""
    screen = Screen()
    if as_json:
        screen.json_line(report.as_dict())
        return
    for step in report.steps:
        state = screen.style(step.state.replace("_", " ").ljust(8), _STATE_STYLES[step.state])
        first, *rest = step.message.split("; ") if len(step.message) > _WIDEST else [step.message]
        screen.line(f"{state}  {step.name.ljust(8)}  {printable(first)}")
        for part in rest:
            screen.line(f"{' ' * 20}{printable(part)}")
        advice = _no_key_waits(ring) if step.name == "drop" and step.state == "done" and step.advice else step.advice
        if advice:
            screen.line(f"{' ' * 20}{screen.style('to do:', 'dim')} {printable(advice)}")
    if report.dropped is not None:
        for line in _out_of_reach(report.dropped):
            screen.line(line)
    if not report.complete:
        screen.line(screen.style("not complete: run it again, what is done stays done", "red"))


def _out_of_reach(report: Compromise) -> list[str]:
    lines = [
        f"dropped at {utc(report.at)}; what is out of reach",
        f"  other people's JWKS caches may hold the key for {how_long(report.residual_seconds)}, until "
        f"{utc(report.residual_until)}",
        "  a verifier without your store that cannot reach your JWKS holds it for its lifetime and max_stale",
    ]
    if report.refused_until is None:
        lines.append("  the key that signs now was published long enough: they have it")
    else:
        lines.append(f"  until {utc(report.refused_until)} they may not have the new key yet, and refuse good tokens")
    return [
        *lines,
        "what to do next",
        "  publish the new JWKS now, if a file holds it: jotgate keys jwks DIR --out FILE; purge CDN caches",
        "  tell those who verify your tokens to drop the key and to fetch the JWKS again",
        "  find out how the key got out before the next one does; users must sign in again",
    ]


def _no_key_waits(ring: KeyRing | None) -> str:
    if ring is not None and ring.protection in ("none", *LOCKED):
        return f"{MAINTAIN}{password_option(ring)} makes a key that waits"
    return "the issuer's maintain() makes a key that waits"


def password_option(ring: KeyRing) -> str:
    """Return the option that the passphrase of a ring is given by, if it has one."""
    return " --password-env NAME" if ring.protection in LOCKED else ""


def show(
    ring: KeyRing,
    arguments: argparse.Namespace,
    *,
    done: bool | None = None,
    said: str | None = None,
    more: dict[str, Any] | None = None,
) -> int:
    """Print the ring as it is now, and whether the action did anything."""
    from jotgate._clock import now

    moment = now()
    screen = Screen()
    if arguments.json:
        screen.json_line(
            ({} if done is None else {"done": done})
            | {
                "keys": [record._asdict() for record in ring.keys],
                "epoch": epoch_of(ring),
                "may_rotate_at": ring.may_rotate_at,
                "distrusted": [each._asdict() for each in ring.distrusted],
                "undestroyed": list(ring.undestroyed),
                "settings": ring.settings._asdict(),
            }
            | (more or {})
        )
        return EXIT_OK
    if said is not None:
        screen.line(said)
    rows: list[tuple[str, ...]] = [("kid", "alg", "state", "made", "what next")]
    rows += [
        (
            printable(record.kid),
            record.alg,
            record.state,
            from_now(record.created_at, moment),
            _what_next(record, ring, moment),
        )
        for record in ring.keys
    ]
    for line in screen.table(rows, numbers=0):
        screen.line(line)
    epoch = epoch_of(ring)
    screen.line(f"epoch {'counted elsewhere' if epoch is None else epoch}")
    for each in ring.distrusted:
        screen.line(f"distrusted: {printable(each.kid)} ({each.alg}), compromised {from_now(each.at, moment)}")
    if ring.undestroyed:
        screen.line(f"private keys still to be destroyed: {', '.join(map(printable, ring.undestroyed))}")
    return EXIT_OK


def _what_next(record: KeyRecord, ring: KeyRing, moment: float) -> str:
    if record.state == "next":
        ready = ring.may_rotate_at
        return "may sign" if ready is None or ready <= moment else not_before(ready, moment)
    if record.state == "active":
        return f"signs since {utc(record.active_from or 0)}"
    if record.state == "retiring":
        return f"gone {from_now(record.gone_at or 0, moment)}"
    return "prune removes it"


def not_before(ready: float, moment: float) -> str:
    """Say from when on the waiting key may sign, which it may not yet."""
    return f"may not sign before {utc(math.ceil(ready))} (in {how_long(max(1, math.ceil(ready - moment)))})"


def epoch_of(ring: KeyRing) -> int | None:
    """Return the epoch of a ring; None if it is counted elsewhere."""
    from jotgate.errors import PolicyError

    try:
        return ring.epoch
    except PolicyError:
        return None
