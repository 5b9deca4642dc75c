"""``jotgate store``: is a store fit for what was taken back, and for sessions?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jotgate.cli import EXIT_OK, EXIT_REFUSED
from jotgate.cli.keysource import failures_as_json
from jotgate.cli.storage import ABOUT, store_of
from jotgate.cli.terminal import Screen, printable

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


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jotgate store``."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    check = actions.add_parser("check", help="say what is to be set otherwise", allow_abbrev=False)
    check.add_argument("store", metavar="URL", nargs="?", help="the store; else the variable JOTGATE_STORE says it")
    check.add_argument("--json", action="store_true", help="write one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Look at one store."""
    with failures_as_json(arguments.json), store_of(arguments) as store:
        findings = store.check()
    fit = all(finding.ok for finding in findings)
    screen = Screen()
    if arguments.json:
        screen.json_line({"ok": fit, "findings": [finding_as_json(finding) for finding in findings]})
    else:
        show_findings(screen, findings)
        screen.line(screen.style("fit", "green") if fit else screen.style("not fit: set it otherwise", "red"))
    return EXIT_OK if fit else EXIT_REFUSED


def finding_as_json(finding: Finding) -> dict[str, Any]:
    """Describe one finding."""
    return finding._asdict()


def show_findings(screen: Screen, findings: list[Finding]) -> None:
    """Write one finding a line."""
    width = max((len(finding.code) for finding in findings), default=0)
    for finding in findings:
        state = screen.style("ok   ", "green") if finding.ok else screen.style("wrong", "red")
        screen.line(f"{state}  {finding.code.ljust(width)}  {printable(finding.message)}")
