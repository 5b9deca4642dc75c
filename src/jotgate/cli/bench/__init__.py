"""``jotgate bench``: what Jotgate does on this machine, beside the other JWT libraries that are installed here.

``workload`` makes keys and tokens, ``peers`` and ``ours`` say how each library is asked, ``worker`` is the process
that one library runs in and ``process`` the other end of it, ``measure`` lets the workers take turns, ``report``,
``summary`` and ``plot`` show what came out.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

from jotgate.cli import EXIT_OK, EXIT_REFUSED, UsageError
from jotgate.cli.discretion import shown_path

if TYPE_CHECKING:
    import argparse

_DESCRIPTION = """\
Measure what Jotgate does on this machine: a token that is new (cold), one that it knows (a hit in its cache), and
batches on one core and on more. Other JWT libraries that are installed in this environment are measured on the
same tokens under the same policy (issuer, audience and expiry checked), each in a process of its own. Before a
library is timed its answers are checked: the right claims for good tokens, and a refusal for tampered, expired and
foreign ones. One that answers wrongly is named and not timed.

Keys and tokens are made for the run. Nothing leaves this machine, and no file is written but that of --plot."""

_EPILOG = """\
what the numbers are
  All rows take turns, round by round, on strings made just before the round. A row shows its fastest round and
  its median round: other work on the machine only ever adds time. Only rows of one algorithm in one run compare.
  Not measured: the network, your framework, fetching keys, memory, and requests that contend for the GIL.

exit codes
  0  measured    1  a library answered wrongly    2  usage

examples
  jotgate bench
  jotgate bench --algorithms ES256,RS256 --seconds 60 --plot bench.png
  jotgate bench --all --no-peers --json > bench.json"""

_DEFAULT = "HS256,RS256,ES256,EdDSA"
_MOST_SECONDS = 3600
_LEAST_TOKEN_BYTES, _MOST_TOKEN_BYTES = 300, 16_000


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jotgate bench``."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--algorithms", metavar="NAMES", help=f"what to measure, with commas ({_DEFAULT})")
    which.add_argument("--all", action="store_true", help="measure every algorithm of this installation")
    parser.add_argument("--seconds", metavar="N", help="how long the run takes, roughly (20; with --all 90)")
    parser.add_argument("--token-bytes", metavar="N", type=int, default=700, help="length of a token (700)")
    parser.add_argument("--no-peers", action="store_true", help="measure Jotgate alone")
    parser.add_argument("--json", action="store_true", help="write one JSON object")
    parser.add_argument("--plot", metavar="FILE", help="draw the times for one new token into this .svg or .png file")


def run(arguments: argparse.Namespace) -> int:
    """Measure and report; 0 when every answer was right."""
    seconds = _seconds(arguments.seconds or ("90" if arguments.all else "20"))
    if not _LEAST_TOKEN_BYTES <= arguments.token_bytes <= _MOST_TOKEN_BYTES:
        raise UsageError(f"--token-bytes: from {_LEAST_TOKEN_BYTES} to {_MOST_TOKEN_BYTES:,}")
    if arguments.plot is not None:
        _refuse_plot(arguments.plot)

    from jotgate.cli.bench import measure, peers, report, workload
    from jotgate.cli.bench.progress import Progress
    from jotgate.cli.terminal import Screen

    names = list(workload.NAMES) if arguments.all else _algorithms(arguments.algorithms, workload.NAMES)
    screen = Screen()
    others = [] if arguments.no_peers else peers.installed()
    with Progress(wanted=screen.is_terminal and not arguments.json) as progress:
        findings = measure.hold(names, seconds, arguments.token_bytes, others, progress)
    if not findings.sections:
        raise UsageError("none of these algorithms is there: this machine's cryptography or OpenSSL is too old")
    if arguments.json:
        screen.json_line(report.as_json(findings))
    else:
        report.write(screen, findings)
    if arguments.plot is not None:
        _draw(arguments.plot, report.plot(findings))
        if not arguments.json:
            screen.line(f"wrote {_shown(arguments.plot)}")
    return EXIT_REFUSED if findings.wrong else EXIT_OK


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _MOST_SECONDS:
        raise UsageError(f"--seconds: a number above 0, at most {_MOST_SECONDS:,}")
    return seconds


def _algorithms(text: str | None, known: tuple[str, ...]) -> list[str]:
    """Split ``--algorithms`` into names, each once."""
    names = [name.strip() for name in (text if text is not None else _DEFAULT).split(",") if name.strip()]
    # Both are one algorithm; EdDSA with the other curve is called Ed448 here.
    names = ["EdDSA" if name == "Ed25519" else name for name in names]
    if not names or any(name not in known for name in names):
        raise UsageError(f"--algorithms: choose from {', '.join(known)}")
    return list(dict.fromkeys(names))


def _refuse_plot(path: str) -> None:
    """Find out before the measurement, not after it, that the plot cannot be written."""
    if not path.lower().endswith((".svg", ".png")):
        raise UsageError("--plot draws SVG or PNG: give it a file name that ends in .svg or .png")
    if path.lower().endswith(".png") and find_spec("PIL") is None:
        raise UsageError("--plot draws PNG with Pillow, which is not installed: pip install 'jotgate[plot]', or .svg")
    if not os.access(os.path.dirname(path) or ".", os.W_OK):
        raise UsageError("--plot: there is no such directory, or it cannot be written to")


def _draw(path: str, drawing: str | None) -> None:
    if drawing is None:
        raise UsageError("--plot: nothing was timed, so there is nothing to draw")
    content = drawing.encode()
    if path.lower().endswith(".png"):
        from jotgate.cli.bench.png import png

        content = png(drawing)
    try:
        with open(path, "wb") as stream:
            stream.write(content)
    except OSError as error:
        raise UsageError(f"cannot write {_shown(path)}: {error.strerror}") from None


def _shown(path: str) -> str:
    from jotgate.cli.terminal import printable

    return printable(shown_path(path) or "the file of --plot")
