"""``jotgate store``: is a store fit for what was taken back, and for sessions?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jotgate.cli import EXIT_OK, EXIT_REFUSED, EXIT_UNDECIDED
from jotgate.cli.keysource import failures_as_json
from jotgate.cli.storage import ABOUT, add_settings, store_of
from jotgate.cli.terminal import Screen, printable
from jotgate.cli.wording import for_the_command_line

if TYPE_CHECKING:
    import argparse

    from jotgate.stores.protocol import Finding

_DESCRIPTION = f"""\
Look at how a store is set up: does it keep what it is told, on this machine and on its replicas?

{ABOUT}"""

_EPILOG = """\
exit codes
  0  fit    1  not fit: something is to be set otherwise    2  usage    3  the store does not answer

examples
  jotgate store check sqlite:/var/lib/auth/jotgate.db
  jotgate store check rediss://redis.example.com:6379/0
  jotgate store check --json | jq .findings                  # the store: JOTGATE_STORE"""

_SILENT = "reachable"
_VERDICTS = {
    "fit": ("fit", "green", EXIT_OK),
    "unfit": ("not fit: set it otherwise, or what was taken back is accepted again", "red", EXIT_REFUSED),
    "silent": ("no answer: nothing is known", "yellow", EXIT_UNDECIDED),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jotgate store``."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    check = actions.add_parser("check", help="say what is to be set otherwise", allow_abbrev=False)
    check.add_argument("store", metavar="URL", nargs="?", help="the store; else the variable JOTGATE_STORE says it")
    add_settings(check)
    check.add_argument("--json", action="store_true", help="write one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Look at one store."""
    with failures_as_json(arguments.json), store_of(arguments) as store:
        findings = store.check()
    wrong = {finding.code for finding in findings if not finding.ok}
    verdict = "silent" if _SILENT in wrong else "unfit" if wrong else "fit"
    screen = Screen()
    if arguments.json:
        rows = [finding._asdict() | {"message": for_the_command_line(finding.message)} for finding in findings]
        screen.json_line({"ok": verdict == "fit", "verdict": verdict, "findings": rows})
    else:
        _show(screen, findings)
        told, style, _ = _VERDICTS[verdict]
        screen.line(screen.style(told, style))
    return _VERDICTS[verdict][2]


def _show(screen: Screen, findings: list[Finding]) -> None:
    width = max((len(finding.code) for finding in findings), default=0)
    for finding in findings:
        state = screen.style("ok   ", "green") if finding.ok else screen.style("wrong", "red")
        screen.line(f"{state}  {finding.code.ljust(width)}  {printable(for_the_command_line(finding.message))}")
