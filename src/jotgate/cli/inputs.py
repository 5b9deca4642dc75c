"""Reading what a command line names: files, standard input, secrets, tokens."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from jotgate.cli import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

STDIN = "-"
# Far beyond any key or key set; keeps a wrong path such as /dev/zero from filling the memory.
_LARGEST_FILE_BYTES = 4 << 20
# A longer line cannot be a token that any policy admits; the rest of it is read and dropped.
_LONGEST_LINE_BYTES = 1 << 20


class TokenText(NamedTuple):
    """A token as it came, and the line of the file or stream it came from (None for an argument)."""

    text: str | bytes
    line: int | None


def read_bytes(path: str, what: str) -> bytes:
    """Read a whole file, or standard input for ``-``.

    Args:
        path: The file's name, or ``-``.
        what: What the file should hold, for the error, e.g. ``key``.

    Raises:
        UsageError: It cannot be read, is empty, or is larger than 4 MiB.
    """
    if path.startswith(("http://", "https://")):
        raise UsageError(f"the {what} is read from a file; fetch it first, e.g. with curl, and name the file")
    try:
        with _opened(path, what) as stream:
            data = stream.read(_LARGEST_FILE_BYTES + 1)
    except OSError as error:  # a directory opens, but does not read
        raise UsageError(f"cannot read the {what} {path}: {error.strerror}") from None
    if not data:
        raise UsageError(f"the {what} {_named(path)} is empty")
    if len(data) > _LARGEST_FILE_BYTES:
        raise UsageError(f"the {what} {_named(path)} is larger than {_LARGEST_FILE_BYTES >> 20} MiB")
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
        data = read_bytes(arguments.secret_file, "secret")
        text = data.removesuffix(b"\n").removesuffix(b"\r")
        return text if all(0x20 <= byte <= 0x7E for byte in text) else data
    if arguments.secret_env is not None:
        value = os.environ.get(arguments.secret_env)
        if value is None:
            raise UsageError(f"the environment variable {arguments.secret_env} is not set")
        return os.fsencode(value)
    return None


def add_secret_options(group: argparse._ActionsContainer) -> None:
    """Add the two ways to name a shared secret; there is none that shows it to other users of the machine."""
    group.add_argument("--secret-file", metavar="FILE", help="shared secret (HMAC) in a file; - reads standard input")
    group.add_argument("--secret-env", metavar="NAME", help="shared secret (HMAC) in an environment variable")


def tokens(words: list[str], file: str | None) -> Iterator[TokenText]:
    """Open the inputs of the command line and return their tokens in order, each as soon as it can be read.

    Args:
        words: The arguments; ``-`` stands for standard input, one token a line.
        file: A file with one token a line, read after the arguments; or ``-``.

    Returns:
        The texts unchanged, but for the line's end. Empty lines are left out.

    Raises:
        UsageError: There is no token, or the file cannot be read.
    """
    if not words and file is None:
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError("no token given: pass it as an argument, with --file, or on standard input")
        words = [STDIN]
    # Opened before the first verdict falls, and only once: it may be a pipe.
    return _texts(words, None if file is None else _opened(file, "tokens"))


def _texts(words: list[str], stream: BinaryIO | _Stdin | None) -> Iterator[TokenText]:
    for word in words:
        if word == STDIN:
            yield from _token_lines(_Stdin())
        else:
            yield TokenText(word, None)
    if stream is not None:
        yield from _token_lines(stream)


def one_token(word: str | None, file: str | None) -> str:
    """Read the one token that ``inspect`` shows, with the line breaks inside it."""
    if word is not None and file is not None:
        raise UsageError("give the token either as an argument or with --file")
    if word is not None and word != STDIN:
        return word
    path = file if file is not None else STDIN
    if path == STDIN and word is None and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("no token given: pass it as an argument, with --file, or on standard input")
    text = read_bytes(path, "token").decode("utf-8", "surrogateescape")
    return text.removesuffix("\n").removesuffix("\r")


def _token_lines(opened: BinaryIO | _Stdin) -> Iterator[TokenText]:
    with opened as stream:
        for number, line in enumerate(_bounded_lines(stream), start=1):
            if line.strip():
                yield TokenText(line, number)


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
        raise UsageError(f"the {what} cannot be used: {error}") from None
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


def _opened(path: str, what: str) -> BinaryIO | _Stdin:
    if path == STDIN:
        return _Stdin()
    try:
        return open(path, "rb")
    except OSError as error:
        raise UsageError(f"cannot read the {what} {path}: {error.strerror}") from None


def _named(path: str) -> str:
    return "on standard input" if path == STDIN else path
