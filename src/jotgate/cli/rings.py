"""Opening the key ring that a command line names."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from jotgate.cli import UsageError
from jotgate.cli.discretion import shown_path
from jotgate.cli.ringreport import LOCKED, epoch_of
from jotgate.cli.storage import require_issuer
from jotgate.cli.terminal import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from jotgate.keys.ring import KeyRing
    from jotgate.revocation.revocations import Revocations
    from jotgate.stores.protocol import EpochCounter

_KEPT_BY_THE_ISSUER = "only the issuer itself reaches the private keys of this ring: have it {do}"


def opened(arguments: argparse.Namespace, *, reading: bool = False, epochs: EpochCounter | None = None) -> KeyRing:
    """Open the ring in the directory of the arguments.

    Args:
        arguments: ``directory``; unless `reading`, ``password_env``.
        reading: The private keys are not needed.
        epochs: Counts the epochs of a ring that does not.

    Raises:
        UsageError: There is no ring, or it has no passphrase and one was given.
        JotgateError: as ``KeyRing``.
    """
    from jotgate.cli.keyfiles import password_from
    from jotgate.keys.ring import KeyRing
    from jotgate.keys.ring_store import RingStore

    if not RingStore(arguments.directory).exists():
        raise UsageError(f"{shown_directory(arguments)} has no key ring; jotgate keys init makes one")
    passphrase = None if reading else password_from(arguments.password_env)
    ring = KeyRing(arguments.directory, check_keys=False, epochs=epochs)
    if passphrase is not None:
        if ring.protection == "none":
            raise UsageError("the ring is not encrypted: leave --password-env out")
        if ring.protection not in LOCKED:
            raise UsageError("the private keys of this ring have no passphrase: leave --password-env out")
        ring = KeyRing(arguments.directory, passphrase=passphrase, check_keys=False, epochs=epochs)
    return ring


def counted_in_the_store(
    ring: KeyRing, revocations: Revocations, arguments: argparse.Namespace, *, reading: bool = False
) -> KeyRing:
    """Open a ring that does not count its epochs once more, with the counter in the store; as it is if that is down.

    Raises:
        UsageError: Whose epochs they are is not said.
    """
    from jotgate.errors import UndecidedError

    if epoch_of(ring) is not None:
        return ring
    require_issuer(arguments)
    try:
        return opened(arguments, reading=reading, epochs=revocations.epochs)
    except UndecidedError:
        return ring


def refuse_locked(ring: KeyRing, arguments: argparse.Namespace, do: str, because: str = "") -> None:
    """Refuse what needs private keys that are encrypted by what was not given."""
    if ring.protection != "none" and arguments.password_env is None:
        raise UsageError(because + LOCKED.get(ring.protection, _KEPT_BY_THE_ISSUER.format(do=do)))


@contextmanager
def directory_kept_back(arguments: argparse.Namespace) -> Iterator[None]:
    """Take the directory out of an error of the library where a secret may have been given in its place."""
    from jotgate.errors import JotgateError

    try:
        yield
    except JotgateError as error:
        if arguments.directory is not None and shown_path(arguments.directory) is None:
            from pathlib import Path

            from jotgate.keys.files import quoted

            path = quoted(Path(arguments.directory).absolute())
            error.args = (str(error.args[0]).replace(path, "DIR"), *error.args[1:])
        raise


def shown_directory(arguments: argparse.Namespace) -> str:
    """Return the directory if it may be repeated."""
    shown = shown_path(arguments.directory)
    return "the directory" if shown is None else printable(shown)
