"""Files that survive a kill at any byte: private ones that only their owner reads, and public ones never half-written.

POSIX only, and so is whoever imports this at its top; ``fcntl`` is imported on first use. Errors about the directory
name it, by `quoted`, which the command line takes out where a secret may stand in its place; others name no path.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from ..errors import InvalidKeyError, PolicyError, StoreUnavailableError

PRIVATE_FILE, PRIVATE_DIRECTORY = 0o600, 0o700
_OTHERS = 0o077
_LARGEST_BYTES = 4 << 20
_LOCK_TRIES, _LOCK_PAUSE_SECONDS = 1000, 0.01


def require_posix(what: str = "a key ring") -> None:
    """Refuse a system without POSIX file locks and modes.

    Args:
        what: What needs them, for the error.

    Raises:
        PolicyError: ``invalid_policy``.
    """
    if os.name != "posix":
        raise PolicyError(f"{what} in a directory needs POSIX file locks and modes, which this system has not")


def quoted(path: Path) -> str:
    """Return a path as it is written in errors, so that it can be pasted into a shell."""
    import shlex

    return shlex.quote(str(path))


def unavailable(doing: str, error: OSError) -> StoreUnavailableError:
    """Return the error for what the operating system refused, without the path."""
    return StoreUnavailableError(f"cannot {doing}: {error.strerror or type(error).__name__}")


def make_private_directory(path: Path) -> None:
    """Make a directory that only its owner enters; one that is there is checked.

    Raises:
        PolicyError: ``invalid_policy``: it cannot be made.
        InvalidKeyError: ``invalid_key``: as `check_private_directory`.
    """
    try:
        os.mkdir(path, PRIVATE_DIRECTORY)
        sync_directory(path.parent)
    except FileExistsError:
        pass
    except OSError as error:
        advice = "; make the parent directory first" if isinstance(error, FileNotFoundError) else ""
        raise PolicyError(f"cannot make the directory {quoted(path)}: {error.strerror}{advice}") from None
    check_private_directory(path)


def check_private_directory(path: Path) -> None:
    """Refuse a directory that others may enter, or that is somebody else's.

    Raises:
        InvalidKeyError: ``invalid_key``.
        StoreUnavailableError: ``store_unavailable``: it cannot be looked at.
    """
    try:
        found = os.stat(path)
    except OSError as error:
        raise unavailable(f"look at the directory {quoted(path)}", error) from None
    if not stat.S_ISDIR(found.st_mode):
        raise InvalidKeyError(f"{quoted(path)} is not a directory")
    _check_owner(found, f"the directory {quoted(path)}", f"chmod 700 {quoted(path)}")


def read_private(
    path: Path, what: str, *, where: str = "in the ring", if_open: str = ""
) -> tuple[bytes, os.stat_result]:
    """Read a file that nobody else can read.

    Args:
        path: Of the file.
        what: What it is, for errors.
        where: Where it is, for the same.
        if_open: What to do besides ``chmod`` if others could read it.

    Returns:
        Its content, and its state when it was opened.

    Raises:
        InvalidKeyError: ``invalid_key``: a symbolic link, no regular file, open to others, somebody else's, too large.
        StoreUnavailableError: ``store_unavailable``: it is not there or cannot be read.
    """
    try:
        # Not following: a link could name a file that others write. Not blocking: a pipe could be in its place.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if path.is_symlink():
            raise InvalidKeyError(f"{what} is a symbolic link: put the file itself in its place") from None
        raise unavailable(f"open {what}", error) from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise InvalidKeyError(f"{what} is not a regular file")
        _check_owner(found, what, f"chmod 600 {path.name} {where}{if_open}")
        if found.st_size > _LARGEST_BYTES:
            raise InvalidKeyError(f"{what} is larger than {_LARGEST_BYTES >> 20} MiB")
        with open(descriptor, "rb", closefd=False) as stream:
            return stream.read(_LARGEST_BYTES), found
    except OSError as error:
        raise unavailable(f"read {what}", error) from None
    finally:
        os.close(descriptor)


def create_private(path: Path, data: bytes) -> None:
    """Write a new file of mode 0600 and wait until the disk has it and its name.

    Raises:
        OSError: as the operating system says; a file in part may be left behind.
    """
    # O_EXCL: neither an older file nor a link that somebody put in the way is written to.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
    with open(descriptor, "wb") as stream:
        os.fchmod(descriptor, PRIVATE_FILE)  # a umask may have taken the owner's own rights
        stream.write(data)
        stream.flush()
        os.fsync(descriptor)
    sync_directory(path.parent)


def replace_file(path: Path, data: bytes | Callable[[], bytes], mode: int) -> None:
    """Put a file in the place of the one there: every reader, also after a crash, sees all of one of them.

    Several processes may do it at once, one after the other. What a killed one leaves is used again by the next.

    Args:
        path: Where it goes; a symbolic link there is replaced, not followed.
        data: The content, or what returns it. That is called when it is this writer's turn, so that a writer who was
            held up does not put what he read long ago in the place of what is newer.
        mode: Of the file.

    Raises:
        OSError: as the operating system says; the file that was there is still there.
        Exception: as `data` raises; it is too.
    """
    import fcntl

    unfinished = path.with_name(f".{path.name}.tmp")
    while True:
        descriptor = os.open(
            unfinished, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, PRIVATE_FILE
        )
        with open(descriptor, "wb") as stream:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            mine = os.fstat(descriptor)
            try:
                there = os.lstat(unfinished)
            except FileNotFoundError:
                continue  # whoever held the lock has put it in place
            if (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino):
                continue
            if mine.st_uid != os.geteuid() or not stat.S_ISREG(mine.st_mode):
                raise PermissionError(1, "an unfinished file of somebody else is in the way")
            try:
                content = data if isinstance(data, bytes) else data()
            except BaseException:
                os.unlink(unfinished)
                raise
            os.fchmod(descriptor, mode)
            os.ftruncate(descriptor, 0)
            stream.write(content)
            stream.flush()
            if mode & stat.S_IROTH:
                _later_than(path, descriptor)
            os.fsync(descriptor)
            os.rename(unfinished, path)
        sync_directory(path.parent)
        return


def _later_than(path: Path, descriptor: int) -> None:
    """Date a file by a later second than the one it replaces.

    Web servers make their ``ETag`` of second and size, and would call a new file of the same second unchanged.
    """
    try:
        before = int(os.lstat(path).st_mtime)
    except FileNotFoundError:
        return
    if int(os.fstat(descriptor).st_mtime) <= before:
        os.utime(descriptor, (before + 1, before + 1))


def sync_directory(path: Path) -> None:
    """Wait until the disk has the names of a directory.

    Raises:
        OSError: as the operating system says.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class WriterLock:
    """One writer at a time, over all threads and processes of the machine; a killed one holds nothing up.

    Args:
        path: A file that is made if it is not there, and never removed.
        what: What is written to, for errors.
    """

    __slots__ = ("_descriptor", "_path", "_threads", "_what")

    def __init__(self, path: Path, what: str = "the key ring") -> None:
        self._path = path
        self._what = what
        self._threads = threading.Lock()
        self._descriptor: int | None = None

    def __enter__(self) -> None:
        import fcntl

        if not self._threads.acquire(timeout=_LOCK_TRIES * _LOCK_PAUSE_SECONDS):
            raise StoreUnavailableError(f"another thread is writing to {self._what}, and does not end")
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._path, flags, PRIVATE_FILE)
            self._descriptor = descriptor
            for _ in range(_LOCK_TRIES):
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return
                except BlockingIOError:
                    threading.Event().wait(_LOCK_PAUSE_SECONDS)
            raise StoreUnavailableError(f"another process is writing to {self._what}, and does not end")
        except BaseException as error:
            self.__exit__(None, None, None)
            if isinstance(error, OSError):
                raise unavailable(f"lock {self._what}", error) from None
            raise

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        import fcntl

        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            # By name, as a child forked meanwhile has the same lock until it closes its copy.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)
        self._threads.release()

    def forget(self) -> None:
        """Let go of what a parent held when it forked this process."""
        self._threads = threading.Lock()
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _check_owner(found: os.stat_result, what: str, remedy: str) -> None:
    if found.st_uid != os.geteuid():
        raise InvalidKeyError(f"{what} belongs to user {found.st_uid}: run as that user")
    if found.st_mode & _OTHERS:
        raise InvalidKeyError(f"{what} is open to other users (mode {stat.S_IMODE(found.st_mode):04o}): {remedy}")
