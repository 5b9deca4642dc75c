"""Keys and findings on a screen or as JSON: what is shown of a key is never more than its public side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jotgate.cli.moments import utc
from jotgate.cli.terminal import Screen, printable
from jotgate.cli.wording import for_the_command_line
from jotgate.keys.algorithms import header_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jotgate.audit.findings import Finding
    from jotgate.audit.keysets import KeyView, SetView

_SEVERITY_STYLES = {"error": "red", "warning": "yellow", "note": "dim"}
_OUTCOME_STYLES = {"used": "green", "open": "yellow", "skipped": "red"}
_LONGEST = 100


def key_as_json(key: KeyView) -> dict[str, Any]:
    """Describe one key."""
    certificate = key.certificate
    return {
        "position": key.position,
        "kid": key.kid,
        "kty": _text(key, "kty"),
        "alg": _text(key, "alg"),
        "size": key.size or None,
        "use": _text(key, "use"),
        "thumbprint": key.thumbprint,
        "certificate": certificate and {"begins": int(certificate.begins), "ends": int(certificate.ends)},
        "outcome": key.outcome,
        "algorithms": list(key.serves),
        "reason": for_the_command_line(key.reason) or None,
    }


def finding_as_json(finding: Finding) -> dict[str, Any]:
    """Describe one finding."""
    return finding._asdict() | {"message": for_the_command_line(finding.message)}


def show_keys(screen: Screen, keys: SetView) -> None:
    """Write a few lines a key."""
    for key in keys.keys:
        screen.line(screen.style(title(key), "bold") + f"  {_outcome(screen, key)}")
        kind = " ".join(filter(None, (_text(key, "kty"), key.size))) or "no kty"
        says = [f"{name} {value}" for name in ("alg", "use") if (value := _text(key, name)) is not None]
        screen.line("  " + ", ".join([printable(kind), *map(printable, says)]))
        if key.thumbprint is not None:
            screen.line(f"  thumbprint {key.thumbprint}")
        if (certificate := key.certificate) is not None:
            screen.line(f"  certificate from {utc(certificate.begins)} to {utc(certificate.ends)}")


def title(key: KeyView) -> str:
    """Call a key by its kid, or by its place where it has none."""
    return f"key {key.position}, no kid" if key.kid is None else f"kid {cut(key.kid)}"


def count(keys: SetView) -> str:
    """Say how many keys there are, and how many of them are used."""
    return f"{len(keys.keys)} key{'' if len(keys.keys) == 1 else 's'}, {len(keys.usable)} used"


def epoch(keys: SetView) -> str | None:
    """Say what the set's epoch does; None where it has none."""
    if not keys.epoch_is_sound:
        return "not a whole number in range: verifiers refuse the whole document"
    return None if keys.epoch is None else f"{keys.epoch}: tokens of an earlier one, or without one, are refused"


def show_findings(screen: Screen, findings: Sequence[Finding]) -> None:
    """Write what was found and what to do about it."""
    width = max((len(finding.code) for finding in findings), default=0)
    for finding in findings:
        severity = screen.style(finding.severity.ljust(7), _SEVERITY_STYLES[finding.severity])
        message = printable(for_the_command_line(finding.message))
        screen.line(f"{severity}  {finding.code.ljust(width)}  {cut(finding.where)}: {message}")
        if finding.advice:
            screen.line(f"{' ' * (width + 11)}{screen.style('to do:', 'dim')} {printable(finding.advice)}")


def tally(findings: Sequence[Finding]) -> str:
    """Say how many findings of each severity there are."""
    counts = [(severity, sum(each.severity == severity for each in findings)) for severity in _SEVERITY_STYLES]
    return ", ".join(f"{number} {name}{'' if number == 1 else 's'}" for name, number in counts if number) or "nothing"


def cut(text: str) -> str:
    """Make text of a document safe to show, and not too long."""
    return printable(text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ...")


def _outcome(screen: Screen, key: KeyView) -> str:
    names = ", ".join(map(header_name, key.serves))
    if key.outcome == "skipped":
        told = f"left out: {printable(for_the_command_line(key.reason))}"
    elif key.outcome == "open":
        told = f"used if exactly one of {names} is allowed"
    else:
        told = f"used for {names}"
    return screen.style(told, _OUTCOME_STYLES[key.outcome])


def _text(key: KeyView, member: str) -> str | None:
    value = key.members.get(member)
    return cut(value) if isinstance(value, str) else None
