"""JWK sets from where a command line says: a file, standard input, or an address."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from jotgate.cli import UsageError
from jotgate.cli.inputs import read_bytes
from jotgate.cli.moments import lifetime
from jotgate.cli.terminal import Screen
from jotgate.cli.wording import for_the_command_line

if TYPE_CHECKING:
    import argparse
    import ssl
    from collections.abc import Iterator

SOURCE = "FILE|URL"
_TIMEOUT_SECONDS = 3
_OK = 200
_PEM_MARK = b"-----BEGIN "


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of whatever is fetched."""
    fetching = parser.add_argument_group("fetching")
    fetching.add_argument("--allow-http", action="store_true", help="take http:// too, on the loopback only")
    fetching.add_argument("--ca", metavar="FILE", help="trust these CA certificates (PEM), not those of the system")
    fetching.add_argument(
        "--timeout", metavar="TIME", type=lifetime, default=_TIMEOUT_SECONDS, help="for one request in all (3s)"
    )


@contextmanager
def failures_as_json(wanted: bool) -> Iterator[None]:
    """Write an object for whoever reads ``--json`` where the work fails too; the error goes on its way."""
    from jotgate.errors import JotgateError

    try:
        yield
    except (UsageError, JotgateError) as error:
        if wanted:
            code = "usage" if isinstance(error, UsageError) else error.code
            Screen().json_line({"ok": False, "code": code, "message": for_the_command_line(str(error))})
        raise


def add_algorithms(parser: argparse.ArgumentParser) -> None:
    """Add the option that says what the verifiers allow."""
    parser.add_argument(
        "--alg",
        metavar="NAME",
        action="append",
        help="an algorithm that the verifiers allow (repeatable, or with commas); any, if left out",
    )


def algorithms_from(arguments: argparse.Namespace) -> list[str] | None:
    """Read ``--alg``; None where it is left out."""
    from jotgate.cli.keyfiles import refuse_unknown_algorithms

    if arguments.alg is None:
        return None
    names = [name.strip() for value in arguments.alg for name in value.split(",") if name.strip()]
    refuse_unknown_algorithms(names)
    return names


def tls_from(arguments: argparse.Namespace) -> ssl.SSLContext | None:
    """Read ``--ca``; None where it is left out."""
    if arguments.ca is None:
        return None
    import ssl

    data = read_bytes(arguments.ca, "CA certificates", "--ca")
    try:
        return ssl.create_default_context(cadata=data.decode("ascii"))
    except (ValueError, ssl.SSLError):
        raise UsageError("--ca takes CA certificates as PEM") from None


def is_url(word: str) -> bool:
    """Whether a word is an address rather than the name of a file."""
    return "://" in word


def read_document(word: str, arguments: argparse.Namespace) -> bytes:
    """Read the text of a JWK set.

    Args:
        word: A file's name, ``-``, or an address.
        arguments: ``allow_http``, ``ca`` and ``timeout``.

    Raises:
        UsageError: It cannot be read, or is PEM.
        KeyFetchError: ``key_fetch_failed``: it cannot be fetched.
        PolicyError: ``invalid_policy``: an address that nothing may be fetched from.
    """
    data = _fetched(word, arguments) if is_url(word) else read_bytes(word, "JWKS document", SOURCE)
    if _PEM_MARK in data:
        raise UsageError("this is PEM, not a JWKS document")
    return data


def _fetched(url: str, arguments: argparse.Namespace) -> bytes:
    from jotgate.keys.fetch import fetch, fetch_failed
    from jotgate.keys.urls import address_of

    answer = fetch(url, {}, arguments.timeout, tls=tls_from(arguments), allow_http=arguments.allow_http)
    if answer.status != _OK:
        place = address_of(url, allow_http=arguments.allow_http).place
        raise fetch_failed(f"the status of {place} is {answer.status}, and must be 200; jotgate doctor says more")
    return answer.body
