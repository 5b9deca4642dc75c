"""The ``jotgate`` command: one module a command, loaded only when that command is asked for.

A command module offers ``configure(parser)``, which adds its arguments, and ``run(arguments) -> int``,
which does the work and returns the exit code; ``IDENTIFIERS`` are those of its options whose values may begin with a
dash. Whatever is heavy (cryptography, the engine) it imports
inside ``run``, so that help and usage errors answer in milliseconds.

Exit codes, the same for every command:

- 0: accepted (``verify``), readable (``inspect``), as expected (``demo``), sound (``jwks``, ``doctor``, ``store``),
  done (``keygen``, ``sign``, ``keys``, ``compromise``, ``revoke``, ``sessions``, ``bench``)
- 1: refused, unreadable, not sound, not as expected, or not yet (``keys rotate``)
- 2: usage: a bad option, key, policy or file
- 3: cannot decide, or not all of it could be done: do it again
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, cast

from jotgate.cli.discretion import is_option, unknown_options, without_operand
from jotgate.cli.terminal import printable
from jotgate.cli.wording import for_the_command_line

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

EXIT_OK = 0
EXIT_REFUSED = 1
EXIT_USAGE = 2
EXIT_UNDECIDED = 3
# What a shell reports for a process that a closed pipe or Ctrl-C has ended.
EXIT_BROKEN_PIPE = 141
EXIT_INTERRUPTED = 130

COMMANDS = {
    "verify": "check tokens against keys and a policy",
    "inspect": "show what a token says, without verifying it",
    "keygen": "make a signing key",
    "sign": "issue a token",
    "jwks": "look at a published key set: show, lint, diff, thumbprint",
    "doctor": "examine the address that an issuer publishes its keys at",
    "keys": "keep an issuer's keys: rotate them, drop one that was compromised",
    "compromise": "a signing key got out: end its power, in one command",
    "revoke": "take back a token, a subject, a session, an epoch or a key",
    "sessions": "list the sessions of a user, and end them",
    "store": "look at a store of revocations and sessions: is it fit?",
    "demo": "see the whole engine at work on this machine",
    "bench": "measure it on this machine, beside the other libraries here",
}

_DESCRIPTION = """\
Verify, read and issue JSON Web Tokens, strictly.

What counts as a good token is said by you (keys, algorithms, issuer, audience), never by the token."""

_EPILOG = """\
exit codes
  0  accepted (or: read, made, as expected)    2  usage: a bad option, key, policy or file
  1  refused (or: unreadable, unexpected)      3  cannot decide

first steps
  jotgate keygen --alg ES256 --out signing.jwk --jwks jwks.json
  jotgate sign --key signing.jwk --issuer https://auth.example.com --audience api --expires-in 15m > token
  jotgate verify --jwks jwks.json --issuer https://auth.example.com --audience api < token
  jotgate inspect < token"""


class Command(Protocol):
    """What a module of this package offers as a command."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments, its description and its examples."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do the work and return the exit code."""


class UsageError(Exception):
    """A mistake on the command line or in a file it names; the message says what to do. Exit code 2."""


class _Parser(argparse.ArgumentParser):
    """argparse with one-line errors that never repeat an argument's value, and no option that silently wins."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name in (None, "store"):
            self.register("action", name, _Once)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{without_operand(message, self._actions)} (see {self.prog} --help)")

    @property
    def spellings(self) -> set[str]:
        """All option strings that have been declared, in groups and for the words below this one too."""
        below = [action for action in self._actions if isinstance(action, argparse._SubParsersAction)]
        return set(self._option_string_actions).union(
            *(parser.spellings for action in below for parser in action.choices.values())
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The arguments after the program's name; ``sys.argv`` when None.

    Returns:
        The exit code, also for usage errors and ``--help``: 0 done or accepted, 1 refused, 2 usage, 3
        cannot decide.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    prog = f"jotgate {chosen}" if chosen in COMMANDS else "jotgate"
    try:
        try:
            return _dispatch(arguments, chosen)
        finally:
            # A closed pipe must show here, where it is caught, not when the interpreter flushes at its end.
            sys.stdout.flush()
    except UsageError as error:
        return _fail(prog, str(error), EXIT_USAGE)
    except SystemExit as leaving:  # argparse leaves this way after --help and --version
        return leaving.code if isinstance(leaving.code, int) else EXIT_OK
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:
        # Asked by module name so that a usage error does not load the package.
        errors = sys.modules.get("jotgate.errors")
        if errors is None or not isinstance(error, errors.JotgateError):
            raise
        undecided = isinstance(error, errors.UndecidedError)
        return _fail(prog, for_the_command_line(str(error)), EXIT_UNDECIDED if undecided else EXIT_USAGE)


def _dispatch(arguments: list[str], chosen: str | None) -> int:
    parser = _Parser(
        prog="jotgate",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=_Listing,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    loaded: Command | None = None
    for name, summary in COMMANDS.items():
        entry = commands.add_parser(
            name,
            help=summary,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if name == chosen:
            loaded = cast(Command, import_module(f"jotgate.cli.{name}"))
            loaded.configure(entry)
    if chosen is not None and loaded is None:
        # argparse would repeat the word, which may be a token.
        raise UsageError(f"no such command; there are {', '.join(COMMANDS)} (see jotgate --help)")
    if not arguments:
        parser.print_help()
        return EXIT_USAGE
    identifiers = getattr(loaded, "IDENTIFIERS", ())
    known, unknown = parser.parse_known_args(_bound(arguments, identifiers, parser.spellings))
    if unknown:
        raise UsageError(_unknown(unknown, chosen, parser.spellings))
    if loaded is None:
        raise UsageError("no command given (see jotgate --help)")
    return loaded.run(known)


def _bound(words: list[str], identifiers: Collection[str], spellings: Collection[str]) -> list[str]:
    """Bind to its option an id that begins with a dash, as one of 64 does that are base64url: it is no option."""
    bound: list[str] = []
    for word in words:
        follows = bool(bound) and bound[-1] in identifiers
        if follows and is_option(word) and not word.startswith("--") and word not in spellings:
            bound[-1] += f"={word}"
        else:
            bound.append(word)
    return bound


def _unknown(words: list[str], chosen: str | None, general: set[str]) -> str:
    """Say what is wrong with words that the parser could not use, which may be secrets or tokens."""
    where = f"(see jotgate {chosen} --help)" if chosen in COMMANDS else "(see jotgate --help)"
    if not any(map(is_option, words)):
        return f"too many arguments: {len(words)} more than expected {where}"
    spellings = {name: _spellings(name) for name in COMMANDS}
    declared = general | spellings.get(chosen or "", set())
    return f"{unknown_options(words, declared, general.union(*spellings.values()))} {where}"


def _spellings(command: str) -> set[str]:
    parser = _Parser()
    cast(Command, import_module(f"jotgate.cli.{command}")).configure(parser)
    return parser.spellings


def _fail(prog: str, message: str, code: int) -> int:
    print(f"{prog}: {printable(message)}", file=sys.stderr)
    return code


class _Listing(argparse.RawDescriptionHelpFormatter):
    """Has room for the longest command, which argparse measures before it indents it."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog)
        self._action_max_length = max(map(len, COMMANDS)) + 4


class _Once(argparse.Action):
    """Stores a value like argparse's own action, which would let the last of several values win."""

    _given = False

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        if option is not None and self._given:
            raise UsageError(f"{option} may be given once (see {parser.prog} --help)")
        self._given = True
        setattr(namespace, self.dest, values)


class _Version(argparse.Action):
    """``--version``; reading the metadata of the distribution is slow, so only when asked."""

    def __init__(self, option_strings: list[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest=argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        print(f"jotgate {version('jotgate')}")
        raise SystemExit(EXIT_OK)
