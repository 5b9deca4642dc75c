"""Reading what a command line names: files, standard input, secrets, tokens."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from jotgate.cli import UsageError
from jotgate.cli.discretion import about_path, expected_path, missing_variable, shown_path

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

STDIN = "-"
ARGUMENT = "argument"
_NAMELESS_FILE = "file"
# Far beyond any key or key set; keeps a wrong path such as /dev/zero from filling the memory.
_LARGEST_FILE_BYTES = 4 << 20
# A longer line cannot be a token that any policy admits; the rest of it is read and dropped.
_LONGEST_LINE_BYTES = 1 << 20
_DOTS = 2


class TokenText(NamedTuple):
    """A token as it came, and where it came from.

    ``source`` is the file's name (``file`` if the name looks like a token), ``-`` for standard input, or
    ``argument``; ``line`` counts from 1 in it, empty lines too, and of arguments it is the position among the
    TOKENs of the command line.
    """

    text: str | bytes
    source: str
    line: int


def read_bytes(path: str, what: str, option: str) -> bytes:
    """Read a whole file, or standard input for ``-``.

    Args:
        path: The file's name, or ``-``.
        what: What the file should hold, for the error, e.g. ``key``.
        option: The option that names the file, for the error, which repeats the name only if it is no secret.

    Raises:
        UsageError: It cannot be read, is empty, or is larger than 4 MiB.
    """
    if path.startswith(("http://", "https://")):
        raise UsageError(f"the {what} is read from a file; fetch it first, e.g. with curl, and name the file")
    try:
        with _opened(path, what, option) as stream:
            data = stream.read(_LARGEST_FILE_BYTES + 1)
    except OSError as error:  # a directory opens, but does not read
        raise _unreadable(path, what, option, error) from None
    if not data:
        raise UsageError(f"the {what}{about_path(path, option)} is empty")
    if len(data) > _LARGEST_FILE_BYTES:
        raise UsageError(f"the {what}{about_path(path, option)} is larger than {_LARGEST_FILE_BYTES >> 20} MiB")
    return data


def stdin_once(*paths: str | None) -> None:
    """Refuse a command line that wants two different things from standard input."""
    if sum(path == STDIN for path in paths) > 1:
        raise UsageError("standard input (-) can serve only one of the inputs; put the other into a file")


def secret(arguments: argparse.Namespace) -> bytes | None:
    """Read the shared secret that ``--secret-file`` or ``--secret-env`` names; None where neither is given.

    A file of text may end in one line break, which editors and ``echo`` add: it is not part of the secret.
    A file of other bytes is taken as it is.

    Raises:
        UsageError: The file cannot be read, or the variable is not set.
    """
    if arguments.secret_file is not None:
        data = read_bytes(arguments.secret_file, "secret", "--secret-file")
        text = data.removesuffix(b"\n").removesuffix(b"\r")
        return text if all(0x20 <= byte <= 0x7E for byte in text) else data
    if arguments.secret_env is not None:
        value = os.environ.get(arguments.secret_env)
        if value is None:
            raise UsageError(missing_variable(arguments.secret_env, "--secret-env"))
        return os.fsencode(value)
    return None


def add_secret_options(group: argparse._ActionsContainer) -> None:
    """Add the two ways to name a shared secret; there is none that shows it to other users of the machine."""
    group.add_argument(
        "--secret-file",
        metavar="FILE",
        help="shared secret (HMAC) in a file; - reads standard input; one line break at the end of a text is dropped",
    )
    group.add_argument("--secret-env", metavar="NAME", help="shared secret (HMAC) in an environment variable")


def tokens(words: list[str], files: list[str]) -> Iterator[TokenText]:
    """Open the inputs of the command line and return their tokens in order, each as soon as it can be read.

    Args:
        words: The arguments; ``-`` stands for standard input, one token a line.
        files: Files with one token a line, read after the arguments; or ``-``.

    Returns:
        The texts unchanged, but for the line's end. Empty lines are left out.

    Raises:
        UsageError: There is no token, a file cannot be read, or an argument names a file.
    """
    if not words and not files:
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError("no token given: pass it as an argument, with --file, or on standard input")
        words = [STDIN]
    for position, word in enumerate(words, start=1):
        _refuse_file_name(word, f"TOKEN {position}: " if len(words) > 1 else "")
    # Opened before the first verdict falls, and only once: they may be pipes.
    with ExitStack() as opening:
        streams = [(path, opening.enter_context(_opened(path, "tokens", "--file"))) for path in files]
        return _texts(words, streams, opening.pop_all())


def _texts(words: list[str], streams: list[tuple[str, BinaryIO]], held: ExitStack) -> Iterator[TokenText]:
    with held:
        for position, word in enumerate(words, start=1):
            if word == STDIN:
                with _Stdin() as stream:
                    yield from _token_lines(STDIN, stream)
            else:
                yield TokenText(word, ARGUMENT, position)
        for path, stream in streams:
            yield from _token_lines(shown_path(path, "--file") or _NAMELESS_FILE, stream)


def _refuse_file_name(word: str, which: str) -> None:
    """Refuse a word that is no token, but a file's name: a verdict on it would hide the mistake."""
    if word != STDIN and os.path.exists(word) and not os.path.isdir(word):
        from jotgate.cli.lenient import begins_token

        if not begins_token(word):
            raise UsageError(f"{which}no token, but a file of that name: use --file")


def first_token(word: str | None, file: str | None) -> tuple[str, int]:
    """Read the one token that ``inspect`` shows.

    Returns:
        The token, with the line breaks inside it if it was wrapped, and how many lines follow it that are
        not empty.
    """
    if word is not None and file is not None:
        raise UsageError("give the token either as an argument or with --file")
    if word is not None and word != STDIN:
        _refuse_file_name(word, "")
        return _without_further_tokens(word)
    path = file if file is not None else STDIN
    if path == STDIN and word is None and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("no token given: pass it as an argument, with --file, or on standard input")
    text = read_bytes(path, "token", "--file").decode("utf-8", "surrogateescape")
    return _without_further_tokens(text.removesuffix("\n").removesuffix("\r"))


def _without_further_tokens(text: str) -> tuple[str, int]:
    from jotgate.cli.lenient import begins_token

    lines = [line for line in text.split("\n") if line.strip()]
    second = next((number for number, line in enumerate(lines) if number and begins_token(line)), None)
    if second is None:
        return text, 0
    # A first line with all the dots is whole: what stands between it and the next token is not part of it.
    taken = 1 if lines[0].count(".") >= _DOTS else second
    return "\n".join(lines[:taken]).removesuffix("\r"), len(lines) - taken


def _token_lines(source: str, stream: BinaryIO) -> Iterator[TokenText]:
    for number, line in enumerate(_bounded_lines(stream), start=1):
        if line.strip():
            yield TokenText(line, source, number)


def _bounded_lines(stream: BinaryIO) -> Iterator[bytes]:
    while line := stream.readline(_LONGEST_LINE_BYTES):
        rest = line
        while not rest.endswith(b"\n") and len(rest) == _LONGEST_LINE_BYTES:
            rest = stream.readline(_LONGEST_LINE_BYTES)
        yield line.removesuffix(b"\n").removesuffix(b"\r")


def strict_object(data: bytes, what: str) -> dict[str, Any]:
    """Read a JSON object by the engine's rules, so that what is signed here can be verified there.

    Raises:
        UsageError: It is not strict JSON, or not an object.
    """
    from jotgate._json import check
    from jotgate.errors import MalformedTokenError

    try:
        check(data)
    except MalformedTokenError as error:
        from jotgate.cli.lenient import fault_of_json

        raise UsageError(f"the {what} cannot be used: {fault_of_json(data) or error.args[0]}") from None
    value: dict[str, Any] = json.loads(data)
    return value


class _Stdin:
    """Standard input as a context that leaves it open."""

    def __enter__(self) -> BinaryIO:
        if sys.stdin is None:
            raise UsageError("standard input is closed")
        return sys.stdin.buffer

    def __exit__(self, *_: object) -> None:
        return


def _opened(path: str, what: str, option: str) -> BinaryIO | _Stdin:
    if path == STDIN:
        return _Stdin()
    try:
        return open(path, "rb")
    except OSError as error:
        raise _unreadable(path, what, option, error) from None


def _unreadable(path: str, what: str, option: str, error: OSError) -> UsageError:
    about, expected = about_path(path, option), expected_path(path, option)
    return UsageError(f"cannot read the {what}{about}: {error.strerror}{expected}")
