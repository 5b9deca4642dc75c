"""``jotgate inspect``: show what a token says, and say loudly that nobody has verified it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jotgate.cli import EXIT_OK, EXIT_REFUSED
from jotgate.cli.terminal import Screen, printable

if TYPE_CHECKING:
    import argparse

    from jotgate.cli.lenient import Finding, Part, Reading

_BANNER = "NOTHING IN THIS TOKEN WAS VERIFIED"
_WARNING = "Anyone can write a token that looks like this one. To check it: jotgate verify"
_SEVERITY_STYLES = {"refused": "red", "risk": "yellow", "note": "dim"}
_TIMES = ("exp", "nbf", "iat", "auth_time", "updated_at")
_WIDEST_VALUE = 88
_LONGEST_RAW = 600

_DESCRIPTION = """\
Show the header and the claims of a token, its times as dates, and what is wrong with it.

Nothing is verified: no key is asked for, and no line of the output is proof of anything. Broken tokens are
shown as far as they can be read. Everything stays on this machine."""

_EPILOG = """\
exit codes
  0  header and claims could be read (of an encrypted token: the header)    1  they could not    2  usage

examples
  jotgate inspect eyJhbGciOi...
  pbpaste | jotgate inspect
  jotgate inspect --json < token | jq .claims.exp"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jotgate inspect``."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("token", nargs="?", metavar="TOKEN", help="the token; - or nothing reads standard input")
    parser.add_argument("--file", metavar="FILE", help="read the token from a file; of several, the first")
    parser.add_argument("--json", action="store_true", help="write one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Show one token; 0 when it could be read, else 1."""
    from jotgate._clock import now as wall_clock
    from jotgate.cli.findings import judge
    from jotgate.cli.inputs import first_token
    from jotgate.cli.lenient import read

    text, more_lines = first_token(arguments.token, arguments.file)
    reading = read(text)
    now = wall_clock()
    findings = judge(reading, now)
    screen = Screen()
    if arguments.json:
        screen.json_line(_as_json(reading, findings, now) | {"more_lines": more_lines})
    else:
        _show(screen, reading, findings, now, more_lines)
    return EXIT_OK if reading.readable else EXIT_REFUSED


def _as_json(reading: Reading, findings: list[Finding], now: float) -> dict[str, object]:
    from jotgate.cli.moments import utc

    signature = reading.signature.data
    claims = reading.payload.members
    return {
        "verified": False,
        "warning": "nothing was verified",
        "readable": reading.readable,
        "encrypted": reading.encrypted,
        "size_bytes": reading.size_bytes,
        "header": reading.header.members,
        "claims": claims,
        "payload_text": _raw_text(reading.payload),
        "signature_bytes": None if signature is None else len(signature),
        "times": {
            name: {"utc": utc(claims[name]), "seconds_from_now": round(claims[name] - now)}
            for name in _TIMES
            if claims is not None and _is_date(claims.get(name))
        },
        "findings": [finding._asdict() for finding in findings],
    }


def _show(screen: Screen, reading: Reading, findings: list[Finding], now: float, more_lines: int) -> None:
    screen.line(screen.style(f" {_BANNER} ", "warning"))
    screen.line(_WARNING)
    if more_lines:
        lines = "1 more line follows" if more_lines == 1 else f"{more_lines} more lines follow"
        screen.line(f"This is the first token of several: {lines} it.")
    if reading.header.text:
        _show_part(screen, "header", reading.header, now)
        _show_rest(screen, reading, now)
    _heading(screen, "findings", "" if findings else "none. That does not make the token genuine")
    width = max((len(finding.code) for finding in findings), default=0)
    for finding in findings:
        detail = f"{finding.detail}: " if finding.detail else ""
        severity = screen.style(finding.severity.ljust(7), _SEVERITY_STYLES[finding.severity])
        screen.line(f"  {severity}  {finding.code.ljust(width)}  {finding.where}: {detail}{finding.message}")


def _show_rest(screen: Screen, reading: Reading, now: float) -> None:
    if reading.encrypted:
        _heading(screen, "claims", "encrypted")
        return
    _show_part(screen, "claims", reading.payload, now)
    signature = reading.signature.data
    _heading(screen, "signature", f"{len(signature)} bytes, not checked" if signature else "none")


def _heading(screen: Screen, name: str, remark: str = "") -> None:
    screen.line()
    screen.line(screen.style(name, "bold") + (f"  {remark}" if remark else ""))


def _show_part(screen: Screen, name: str, part: Part, now: float) -> None:
    if part.members is None:
        raw = _raw_text(part)
        _heading(screen, name, "could not be read" if raw is None else "not a JSON object; its text:")
        if raw is not None:
            screen.line(f"  {printable(raw)}")
        return
    _heading(screen, name, "" if part.members else "empty")
    width = min(max((len(printable(key)) for key in part.members), default=0), 24)
    for key, value in part.members.items():
        lines = _value_lines(value)
        remark = _date_remark(value, now) if name == "claims" and key in _TIMES else ""
        screen.line(f"  {printable(key).ljust(width)}  {lines[0]}{remark and screen.style(remark, 'dim')}")
        for line in lines[1:]:
            screen.line(f"  {' ' * width}  {line}")


def _value_lines(value: object) -> list[str]:
    """Write a value as JSON, on one line where it fits, with nothing in it that a terminal would act on."""
    short = json.dumps(value, ensure_ascii=False)
    if len(short) <= _WIDEST_VALUE or not isinstance(value, dict | list):
        return [printable(short)]
    return [printable(line) for line in json.dumps(value, ensure_ascii=False, indent=2).splitlines()]


def _date_remark(value: Any, now: float) -> str:
    from jotgate.cli.moments import from_now, utc

    return f"  {utc(value)}, {from_now(value, now)}" if _is_date(value) else ""


def _is_date(value: object) -> bool:
    from jotgate.cli.moments import LATEST_NUMERIC_DATE, is_number

    return is_number(value) and 0 <= value <= LATEST_NUMERIC_DATE


def _raw_text(part: Part) -> str | None:
    """The beginning of a part that is not a JSON object, so that one sees what it is."""
    if part.data is None or not part.data or part.members is not None:
        return None
    text = part.data[:_LONGEST_RAW].decode("utf-8", "replace")
    return text + " ..." if len(part.data) > _LONGEST_RAW else text
