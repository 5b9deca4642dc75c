"""``jotgate jwks``: look at a published key set."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jotgate.cli import EXIT_OK, EXIT_REFUSED
from jotgate.cli.inputs import stdin_once
from jotgate.cli.keysource import SOURCE, add_algorithms, add_options, algorithms_from, failures_as_json, read_document
from jotgate.cli.terminal import Screen, printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from jotgate.audit.keydiff import Change, EpochChange

_DESCRIPTION = """\
Look at a JWK set in a file, on standard input (-) or at an address, as a verifier looks at it: one that
leaves out the keys it cannot use. No private member is ever shown."""

_EPILOG = """\
exit codes
  0  show, thumbprint: done; lint: no errors; diff: no difference    2  usage, or not a JWK set
  1  lint: errors; diff: a difference; thumbprint: a key has none    3  could not be fetched

examples
  jotgate jwks show jwks.json
  jotgate jwks lint https://auth.example.com/.well-known/jwks.json
  jotgate jwks diff before.json after.json
  jotgate jwks thumbprint - < jwks.json"""

_KIND_STYLES = {"alarm": "warning", "removed": "red", "added": "green", "changed": "yellow", "same": "dim"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jotgate jwks``."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    for name, (summary, _, sources) in _ACTIONS.items():
        action = actions.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", allow_abbrev=False
        )
        for source in sources:
            action.add_argument(source, metavar=SOURCE if len(sources) == 1 else source.upper(), help="a JWK set")
        if name in ("show", "lint"):
            add_algorithms(action)
        action.add_argument("--json", action="store_true", help="write one JSON object")
        add_options(action)


def run(arguments: argparse.Namespace) -> int:
    """Do what the action says."""
    _, work, sources = _ACTIONS[arguments.action]
    with failures_as_json(arguments.json):
        stdin_once(*(getattr(arguments, source) for source in sources))
        return work(arguments)


def _show(arguments: argparse.Namespace) -> int:
    from jotgate.audit.keysets import view
    from jotgate.cli.keyreport import count, epoch, key_as_json, show_keys

    keys = view(read_document(arguments.set, arguments), algorithms=algorithms_from(arguments), lone=True)
    screen = Screen()
    if arguments.json:
        rows = [key_as_json(key) for key in keys.keys]
        screen.json_line({"size_bytes": keys.size_bytes, "epoch": keys.epoch, "keys": rows})
    else:
        show_keys(screen, keys)
        if (told := epoch(keys)) is not None:
            screen.line(f"epoch {told}")
        screen.line(f"{count(keys)}, {keys.size_bytes:,} bytes")
    return EXIT_OK


def _thumbprint(arguments: argparse.Namespace) -> int:
    from jotgate.audit.keysets import view
    from jotgate.cli.keyreport import cut, key_as_json, title
    from jotgate.cli.wording import for_the_command_line

    keys = view(read_document(arguments.set, arguments), lone=True).keys
    screen = Screen()
    if arguments.json:
        members = ("position", "kid", "thumbprint")
        screen.json_line({"keys": [{name: key_as_json(key)[name] for name in members} for key in keys]})
    else:
        for key in keys:
            if key.thumbprint is None:
                screen.line(f"{title(key)}: no thumbprint: {printable(for_the_command_line(key.reason))}")
            else:
                screen.line(key.thumbprint + ("" if key.kid is None else f"  {cut(key.kid)}"))
    return EXIT_OK if all(key.thumbprint for key in keys) else EXIT_REFUSED


def _lint(arguments: argparse.Namespace) -> int:
    from jotgate._clock import now
    from jotgate.audit.findings import has_errors
    from jotgate.audit.keylint import lint
    from jotgate.audit.keysets import view
    from jotgate.cli.keyreport import count, finding_as_json, show_findings, tally

    keys = view(read_document(arguments.set, arguments), algorithms=algorithms_from(arguments), lone=True)
    findings = lint(keys, now())
    screen = Screen()
    if arguments.json:
        screen.json_line({"ok": not has_errors(findings), "findings": [finding_as_json(each) for each in findings]})
    else:
        show_findings(screen, findings)
        screen.line(f"{count(keys)}; found: {tally(findings)}")
    return EXIT_REFUSED if has_errors(findings) else EXIT_OK


def _diff(arguments: argparse.Namespace) -> int:
    from jotgate.audit.keydiff import diff, diff_epochs
    from jotgate.audit.keysets import view
    from jotgate.cli.keyreport import key_as_json

    before, after = (view(read_document(word, arguments), lone=True) for word in (arguments.before, arguments.after))
    changes, epochs = diff(before, after), diff_epochs(before, after)
    screen = Screen()
    if arguments.json:
        rows = [
            {
                "kind": change.kind,
                "before": None if change.before is None else key_as_json(change.before),
                "after": None if change.after is None else key_as_json(change.after),
                "members": list(change.members),
            }
            for change in changes
        ]
        screen.json_line({"epoch": epochs._asdict(), "changes": rows})
    else:
        lines = [(change.kind, _told(change)) for change in changes]
        if epochs.after is not None or epochs.kind != "same":
            lines.insert(0, (epochs.kind, _told_of_epochs(epochs)))
        for kind, told in lines:
            screen.line(screen.style(kind.ljust(7), _KIND_STYLES[kind]) + f"  {told}")
    same = epochs.kind == "same" and all(change.kind == "same" for change in changes)
    return EXIT_OK if same else EXIT_REFUSED


def _told_of_epochs(change: EpochChange) -> str:
    values = ["none" if value is None else str(value) for value in (change.before, change.after)]
    told = f"epoch {' -> '.join(dict.fromkeys(values))}"
    return f"{told}: {change.meaning}" if change.meaning else told


def _told(change: Change) -> str:
    from jotgate.cli.keyreport import cut, title

    before, after = change.before, change.after
    key = after or before
    assert key is not None
    told = f"{title(key)} ({key.thumbprint or 'no sound public key'})"
    if change.kind == "alarm":
        told += ": the kid named another key before; no rotation does that, make sure who wrote this set"
    elif change.members:
        told += f": {', '.join(map(cut, change.members))}"
        if "kid" in change.members and before is not None:
            told += f", it was {title(before)}"
    return told


_ACTIONS: dict[str, tuple[str, Callable[[argparse.Namespace], int], tuple[str, ...]]] = {
    "show": ("list the keys, and what a verifier does with each", _show, ("set",)),
    "lint": ("say what is wrong with a set, and what to do", _lint, ("set",)),
    "diff": ("compare two sets", _diff, ("before", "after")),
    "thumbprint": ("write the RFC 7638 thumbprint of each key", _thumbprint, ("set",)),
}
