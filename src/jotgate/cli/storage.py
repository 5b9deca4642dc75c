"""The store that a command line names: where it is said what was taken back, and where sessions are."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jotgate.cli import UsageError
from jotgate.cli.wording import for_the_command_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from jotgate.revocation.revocations import Revocations
    from jotgate.stores.protocol import Store

VARIABLE = "JOTGATE_STORE"
# A person waits longer than a request may.
_PATIENCE_SECONDS = 2.0
_FORMS = "sqlite:FILE, redis://HOST:PORT/DB, rediss://, redis+sentinel:// or redis+cluster://"
ABOUT = f"""\
The store is the one that your verifiers and sessions were given, as a URL:
{_FORMS}. A URL with a password belongs into the environment variable
{VARIABLE}, which takes the place of --store: other users of this machine can read a command line."""


def add_store(parser: argparse.ArgumentParser, purpose: str) -> None:
    """Add the option that names the store."""
    store = parser.add_argument_group("store")
    store.add_argument("--store", metavar="URL", help=f"{purpose}; else the variable {VARIABLE} says it")
    add_settings(store)


def add_settings(store: argparse._ActionsContainer) -> None:
    """Add what a store is given besides its URL; it has to be what the services give it."""
    store.add_argument("--namespace", metavar="NAME", help="Redis: as your services have it (jotgate)")
    store.add_argument("--replicas", metavar="N", type=int, help="Redis: how many must acknowledge each write (0)")
    store.add_argument("--allow-data-loss", action="store_true", help="Redis: use a server that could lose what it has")


def add_issuer(parser: argparse.ArgumentParser, purpose: str) -> None:
    """Add the options that say whose tokens it is about."""
    issuers = parser.add_mutually_exclusive_group()
    issuers.add_argument("--issuer", metavar="ISS", help=purpose)
    issuers.add_argument(
        "--any-issuer", action="store_true", help="epochs: those counted for every issuer of the store at once"
    )


def require_issuer(arguments: argparse.Namespace) -> None:
    """Refuse to guess whose epoch it is: that of every issuer would shut out, for ever, those who do not count here.

    Raises:
        UsageError: It is not said.
    """
    if arguments.issuer is None and not arguments.any_issuer:
        raise UsageError(
            "say whose epoch the store counts: --issuer ISS, as your Revocations were given it, or --any-issuer, if "
            "they were given none"
        )


def is_named(arguments: argparse.Namespace) -> bool:
    """Whether there is a store."""
    return arguments.store is not None or bool(os.environ.get(VARIABLE))


@contextmanager
def store_of(arguments: argparse.Namespace) -> Iterator[Store]:
    """Open the store that the command line or the environment names, and let go of it at the end.

    Raises:
        UsageError: None is named, the URL is none of a store, has a password, or names a file that is not there.
    """
    from jotgate.errors import PolicyError
    from jotgate.stores import open_store

    if arguments.store is not None:
        url = arguments.store
        _refuse_password(url)
    else:
        url = os.environ.get(VARIABLE, "")
    if not url:
        raise UsageError(f"no store given: name it with --store URL, or in the environment variable {VARIABLE}")
    _refuse_missing_file(url)
    given = {"namespace": arguments.namespace, "replicas": arguments.replicas}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    options["timeout"] = _PATIENCE_SECONDS
    if arguments.allow_data_loss:
        options["allow_data_loss"] = True
    try:
        store = open_store(url, **options)
    except PolicyError as error:
        raise UsageError(f"the store cannot be used: {for_the_command_line(str(error))}") from None
    try:
        yield store
    finally:
        store.close()


@contextmanager
def revocations_of(arguments: argparse.Namespace) -> Iterator[Revocations]:
    """Open the store, for taking back what is of the issuer that the command line names, or of every one."""
    from jotgate.revocation.revocations import Revocations

    if arguments.issuer == "":
        raise UsageError("--issuer is empty: leave it out to mean every issuer")
    with store_of(arguments) as store:
        yield Revocations(store, issuer=arguments.issuer)


def _refuse_password(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return  # whoever opens it says what is wrong
    if parts.password is not None or "password=" in parts.query:
        raise UsageError(
            f"a URL with a password is not taken from the command line, where other users of this machine can read it: "
            f"put it into the environment variable {VARIABLE}"
        )


def _refuse_missing_file(url: str) -> None:
    """A mistyped name would make a new store, in which nobody looks for what was taken back."""
    scheme, _, rest = url.partition(":")
    if scheme == "memory":
        raise UsageError("a store in memory is another one in each process: a command reaches none of them")
    if scheme == "sqlite" and rest and not os.path.exists(rest.removeprefix("//")):
        raise UsageError(
            "there is no store in the file that the URL names; it is made by whoever is given it first, "
            "such as your issuer"
        )
