"""``jotgate sessions``: list the sessions of a user, and end them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jotgate.cli import EXIT_OK, EXIT_REFUSED, UsageError
from jotgate.cli.keysource import failures_as_json
from jotgate.cli.moments import from_now, utc
from jotgate.cli.storage import ABOUT, add_store, store_of
from jotgate.cli.terminal import Screen, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

_DESCRIPTION = f"""\
List the sessions of a user, and end them: nothing refreshes an ended session, and every verifier on the store refuses
its access tokens. No secret of the server is needed, and no token is shown.

{ABOUT}"""

_EPILOG = """\
exit codes
  0  done    1  end --session: it was over, or is not known    2  usage    3  the store does not answer: repeat it

examples
  jotgate sessions list --issuer https://auth.example.com --subject user-4711
  jotgate sessions end --issuer https://auth.example.com --session SID
  jotgate sessions end --issuer https://auth.example.com --subject user-4711 --all"""

IDENTIFIERS = ("--subject", "--session")
_CAUSE = "operator"
_NOT_ENDED = "it was over, or is not known to the store; its access tokens are taken back all the same"
_ACTIONS = {"list": "show the sessions that live", "end": "end one session, or all of a user"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jotgate sessions``."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    for name, summary in _ACTIONS.items():
        action = actions.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", allow_abbrev=False
        )
        action.add_argument("--issuer", metavar="ISS", required=True, help="the issuer that began them")
        action.add_argument("--subject", metavar="SUB", required=name == "list", help="whose they are, by sub")
        if name == "end":
            action.add_argument("--session", metavar="SID", help="the one session, as list shows it")
            action.add_argument("--all", action="store_true", help="with --subject: all of them")
        add_store(action, "where they are")
        action.add_argument("--json", action="store_true", help="write one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Do one action."""
    actions: dict[str, Callable[[argparse.Namespace], int]] = {"list": _list, "end": _end}
    with failures_as_json(arguments.json):
        for option in ("issuer", "subject", "session"):
            if getattr(arguments, option, None) == "":
                raise UsageError(f"--{option} is empty")
        return actions[arguments.action](arguments)


def _list(arguments: argparse.Namespace) -> int:
    from jotgate._clock import now
    from jotgate.sessions.answers import living
    from jotgate.sessions.families import Families

    moment = now()
    with store_of(arguments) as store:
        found = living(Families(store, arguments.issuer).of(arguments.subject), moment)
    screen = Screen()
    if arguments.json:
        screen.json_line({"sessions": [info._asdict() for info in found]})
        return EXIT_OK
    rows: list[tuple[str, ...]] = [("session", "began", "refreshed", "ends, unless refreshed", "ends", "client")]
    rows += [
        (
            printable(info.session),
            utc(info.started),
            from_now(info.refreshed, moment),
            from_now(info.expires_at, moment),
            utc(info.ends_at),
            printable(info.client_id or "-"),
        )
        for info in found
    ]
    for line in screen.table(rows, numbers=0) if found else ["no session of this subject lives"]:
        screen.line(line)
    return EXIT_OK


def _end(arguments: argparse.Namespace) -> int:
    if (arguments.session is None) == (arguments.subject is None) or arguments.all != (arguments.subject is not None):
        raise UsageError("say which: --session SID, or --subject SUB --all")
    from jotgate.sessions.families import Families
    from jotgate.sessions.refresh_token import is_session

    if arguments.session is not None and not is_session(arguments.session):
        raise UsageError("--session takes the id of a session, as list shows it: the sid of its access tokens")
    with store_of(arguments) as store:
        families = Families(store, arguments.issuer)
        if arguments.all:
            # First, so that no session that is being refreshed meanwhile gets away.
            families.take_back(arguments.subject)
            which = [session for session, _ in families.of(arguments.subject)]
        else:
            which = [arguments.session]
        ended = sum(families.end(session, _CAUSE) is not None for session in which)
    screen = Screen()
    if arguments.json:
        screen.json_line({"ok": arguments.all or ended > 0, "ended": ended})
    elif arguments.all:
        screen.line(f"ended {ended} session{'' if ended == 1 else 's'}; every token of the subject is taken back")
    else:
        screen.line("ended; its access tokens are taken back" if ended else _NOT_ENDED)
    return EXIT_OK if arguments.all or ended else EXIT_REFUSED
