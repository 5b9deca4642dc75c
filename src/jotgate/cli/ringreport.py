"""A key ring on a screen or as JSON: its keys, what may happen when, and what a compromise did."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from jotgate.cli import EXIT_OK
from jotgate.cli.moments import from_now, how_long, utc
from jotgate.cli.terminal import Screen, printable

if TYPE_CHECKING:
    import argparse

    from jotgate.keys.ring import Compromise, KeyRecord, KeyRing

LOCKED = {
    "passphrase": "the private keys are encrypted: name the variable that has the passphrase with --password-env",
}
MAINTAIN = "jotgate keys rotate DIR --if-due 90"


def told(report: Compromise, ring: KeyRing) -> list[str]:
    """Say what a compromise did, what it could not do, and what to do next."""
    epoch = (
        f"epoch {report.epoch} has begun: every token issued before is refused"
        if report.epoch is not None
        else "the epoch is counted elsewhere and has NOT advanced: have the issuer call maintain() now"
    )
    lines = [
        f"dropped {report.alg} key {printable(report.kid)} ({report.was}) for ever, at {utc(report.at)}",
        f"  {printable(report.active_kid)} signs; {_waiting(report, ring)} waits",
        f"  {epoch}",
        "residual exposure",
        f"  other people's JWKS caches may hold the key for {how_long(report.residual_seconds)}, until "
        f"{utc(report.residual_until)}",
        "  a verifier of Jotgate's that cannot reach your JWKS holds it for its lifetime and max_stale",
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


def _waiting(report: Compromise, ring: KeyRing) -> str:
    if report.next_kid is not None:
        return printable(report.next_kid)
    if ring.protection in ("none", *LOCKED):
        return f"no key ({MAINTAIN}{password_option(ring)} makes one)"
    return "no key (the issuer's maintain() makes one)"


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
