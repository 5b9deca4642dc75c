"""``jotgate demo``: the main job end to end on this machine, with every verdict checked.

Keys are made, their public halves published over HTTP on the loopback address and fetched again, some
thousands of tokens of honest shape are issued, hostile ones are forged among them, and all are verified.
One verdict that is not the expected one fails the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jotgate.cli import EXIT_OK, EXIT_REFUSED, UsageError

if TYPE_CHECKING:
    import argparse

_DESCRIPTION = """\
Make keys, publish a JWKS document on 127.0.0.1, issue honest tokens, forge hostile ones, verify them all,
and compare every verdict with the one it must be. Nothing leaves this machine and no file is written."""

_EPILOG = """\
exit codes
  0  every verdict was the expected one    1  at least one was not    2  usage"""

_MOST_TOKENS = 200_000


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jotgate demo``."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("--tokens", metavar="N", type=int, default=4200, help="honest tokens to issue (4200)")
    parser.add_argument("--seed", metavar="N", type=int, default=1, help="what tokens to make, and their order (1)")
    parser.add_argument("--json", action="store_true", help="write one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Run the demonstration; 0 when every verdict was the expected one."""
    if not 1 <= arguments.tokens <= _MOST_TOKENS:
        raise UsageError(f"--tokens: from 1 to {_MOST_TOKENS:,}")
    from jotgate.cli.demo.report import write
    from jotgate.cli.demo.trial import hold
    from jotgate.cli.terminal import Screen

    screen = Screen()
    outcome = hold(arguments.tokens, arguments.seed, progress=None if arguments.json else screen)
    if arguments.json:
        screen.json_line(outcome.as_json())
    else:
        write(screen, outcome)
    return EXIT_OK if outcome.ok else EXIT_REFUSED
