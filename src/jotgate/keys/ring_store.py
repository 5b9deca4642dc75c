"""The directory of a key ring: one atomic manifest, one lock for writers, private key files beside it.

Readers take no lock: a manifest is replaced as a whole. A private key is on the disk before the manifest names it, and
removed after it no longer does; so whatever moment a writer dies at, the keys of the manifest that is there are there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from ..errors import InvalidKeyError, PolicyError
from . import manifest
from .files import (
    PRIVATE_FILE,
    WriterLock,
    check_private_directory,
    create_private,
    make_private_directory,
    read_private,
    replace_file,
    require_posix,
    unavailable,
)
from .lifecycle import RingState
from .signers import ENDING

Mark: TypeAlias = tuple[int, int, int, int]
"""Tells one manifest from the next: device, inode, time and size of its file."""

MANIFEST, LOCK, FOUNDING = "ring.json", "lock", "founding"
_WHAT = "the manifest of the key ring"


class RingStore:
    """Reads and writes the state of a ring.

    Args:
        path: The directory.

    Raises:
        PolicyError: ``invalid_policy``: this system has no file locks, or `path` is no path.
    """

    __slots__ = ("_founding", "_lock", "_manifest", "path")

    def __init__(self, path: str | os.PathLike[str]) -> None:
        require_posix()
        if not isinstance(path, str | os.PathLike) or not os.fspath(path):
            raise PolicyError("path is that of the key ring's directory")
        self.path = Path(path).absolute()
        self._manifest = self.path / MANIFEST
        self._founding = self.path / FOUNDING
        self._lock = WriterLock(self.path / LOCK)

    def exists(self) -> bool:
        """Tell whether there is a ring."""
        return os.path.lexists(self._manifest)

    def mark(self) -> Mark:
        """Return the mark of the manifest that is there, without reading it.

        Raises:
            StoreUnavailableError: ``store_unavailable``: there is none any more.
        """
        try:
            return _mark(os.lstat(self._manifest))
        except OSError as error:
            raise unavailable(f"find {_WHAT}", error) from None

    def read(self) -> tuple[RingState, Mark]:
        """Return the state and the mark of its manifest.

        Raises:
            InvalidKeyError: ``invalid_key``: directory or manifest is open to others, a link, or damaged.
            StoreUnavailableError: ``store_unavailable``: it cannot be read.
        """
        check_private_directory(self.path)
        text, found = read_private(self._manifest, _WHAT)
        return manifest.parse(text), _mark(found)

    @contextmanager
    def writing(self) -> Iterator[RingState]:
        """Keep other writers out, and give the state there is.

        Raises:
            StoreUnavailableError: ``store_unavailable``: the lock cannot be had within 10 s.
            InvalidKeyError: as `read`.
        """
        check_private_directory(self.path)
        with self._lock:
            state = self.read()[0]
            self._founding.unlink(missing_ok=True)
            yield state

    @contextmanager
    def founding(self) -> Iterator[bool]:
        """Keep other writers out of a directory that is made if need be; gives whether it has no ring yet.

        Raises:
            InvalidKeyError: ``invalid_key``: there are keys and no manifest.
        """
        make_private_directory(self.path)
        with self._lock:
            if self.exists():
                self._founding.unlink(missing_ok=True)
                yield False
                return
            # A founder that was killed leaves this file. Without it the keys are of a ring whose manifest is lost.
            if not self._founding.exists():
                if any(path.suffix == ENDING for path in self.path.iterdir()):
                    raise InvalidKeyError(
                        "the directory has private keys and no manifest: restore it from a backup, or use another "
                        "directory"
                    )
                try:
                    create_private(self._founding, b"")
                except OSError as error:
                    raise unavailable("write to the key ring's directory", error) from None
            yield True
            self._founding.unlink(missing_ok=True)

    def commit(self, state: RingState) -> RingState:
        """Put a state in the place of the one there is; only while `writing` or `founding`.

        Returns:
            The state with its number.

        Raises:
            StoreUnavailableError: ``store_unavailable``: it cannot be written.
        """
        numbered = state._replace(sequence=state.sequence + 1)
        try:
            replace_file(self._manifest, manifest.dump(numbered), PRIVATE_FILE)
        except OSError as error:
            raise unavailable(f"write {_WHAT}", error) from None
        return numbered

    def forget_locks(self) -> None:
        """Let go of what a parent held when it forked this process."""
        self._lock.forget()


def _mark(found: os.stat_result) -> Mark:
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
