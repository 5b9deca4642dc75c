"""The file of an SQLite store, and connections to it: private, of the known schema, none carried over a fork."""

from __future__ import annotations

import os
import stat
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import PolicyError, StoreUnavailableError
from .encoding import new_mark

if TYPE_CHECKING:
    from sqlite3 import Connection

_PRIVATE = 0o600
_OTHERS = 0o077
_APPLICATION, _VERSION = 0x4A4F5447, 1
_SCHEMA = (
    "CREATE TABLE rules(key BLOB PRIMARY KEY, value INTEGER NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX rules_until ON rules(until)",
    # Of a rule's change the whole rule: readers need no second look, and what has run out meanwhile is still told.
    "CREATE TABLE log(place INTEGER PRIMARY KEY, mark TEXT NOT NULL, key BLOB, value INTEGER, until INTEGER)",
    "CREATE TABLE records(name BLOB PRIMARY KEY, value BLOB NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX records_until ON records(until)",
    "CREATE TABLE members(of BLOB, member BLOB, until INTEGER NOT NULL, PRIMARY KEY(of, member)) WITHOUT ROWID",
    "CREATE INDEX members_until ON members(until)",
)
_BUSY_PAUSE_SECONDS = 0.01


class Opened(NamedTuple):
    """A connection that nobody else uses now."""

    connection: Connection
    number: int
    """Another for each connection that was ever opened."""
    file: tuple[int, int]
    """Device and inode of the file that it has open."""


class DatabaseFile:
    """Hands out connections, each to one thread at a time.

    SQLite forbids to carry a connection over a fork, and to open a second one beside it in the child: both processes
    would believe that they hold the locks of the other. So a fork waits for those in use and closes all of them.
    """

    __slots__ = ("__weakref__", "_busy", "_forking", "_gate", "_idle", "_number", "path", "timeout")

    def __init__(self, path: Path, timeout: float) -> None:
        self.path = path
        self.timeout = timeout
        self._gate = threading.Condition()
        self._idle: dict[bool, list[Opened]] = {False: [], True: []}
        self._busy = 0
        self._forking = False
        self._number = 0
        _files.add(self)

    def __del__(self) -> None:
        self.close()

    @contextmanager
    def use(self, watching: bool = False) -> Iterator[Opened]:
        """Lend a connection for a moment. After an exception it is closed, which takes back what was not committed.

        Args:
            watching: One of those that never write, which therefore see every write of this process by
                ``PRAGMA data_version``.

        Raises:
            StoreUnavailableError: ``store_unavailable``: SQLite said no, or the system.
            PolicyError: ``invalid_policy``: as `_open`.
        """
        import sqlite3

        with self._gate:
            while self._forking:
                self._gate.wait()
            opened = self._take(watching)
            self._busy += 1
            self._number += 1
            number = self._number
        whole = False
        try:
            if opened is None:
                opened = self._open(number)
            yield opened
            whole = True
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", type(error).__name__)
            raise StoreUnavailableError(f"the SQLite store could not do it ({name})") from None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise StoreUnavailableError(f"the file of the SQLite store cannot be used: {reason}") from None
        finally:
            if opened is not None and not whole:
                _close(opened)
            with self._gate:
                self._busy -= 1
                if opened is not None and whole:
                    self._idle[watching].append(opened)
                self._gate.notify_all()

    def close(self) -> None:
        """Close what nobody uses at this moment."""
        with self._gate:
            self._close_idle()

    def _close_idle(self) -> None:
        for idle in self._idle.values():
            while idle:
                _close(idle.pop())

    def _take(self, watching: bool) -> Opened | None:
        """Return an idle connection to the file that is there now: another may have taken the place of the one before,
        which would take what is written to it into its grave."""
        try:
            found = os.stat(self.path)
        except OSError:
            found = None
        idle = self._idle[watching]
        while idle:
            opened = idle.pop()
            if found is not None and opened.file == (found.st_dev, found.st_ino):
                return opened
            _close(opened)
        return None

    def _open(self, number: int) -> Opened:
        """Open the file, and make it first if it is not there.

        Raises:
            PolicyError: ``invalid_policy``: others may open it, it is of something else or of a later Jotgate.
        """
        import sqlite3

        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _PRIVATE))
        found = self._refuse_if_open_to_others()
        # "rw": SQLite itself makes no file, and so none that others may read. The files beside it are made like it.
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode=rw",
            uri=True,
            timeout=self.timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            self._set_up(connection)
        except BaseException:
            connection.close()
            raise
        return Opened(connection, number, (found.st_dev, found.st_ino))

    def _refuse_if_open_to_others(self) -> os.stat_result:
        found = os.stat(self.path)
        if os.name != "posix":
            return found
        for path in (self.path, *(self.path.with_name(self.path.name + end) for end in ("-wal", "-shm"))):
            with suppress(FileNotFoundError):
                state = os.stat(path)
                if not stat.S_ISREG(state.st_mode):
                    raise PolicyError("the path of an SQLite store must be that of a regular file")
                if state.st_mode & _OTHERS or state.st_uid != os.geteuid():
                    raise PolicyError(
                        "the file of an SQLite store, and those beside it, must be this user's and closed to others:"
                        " chown it, and chmod 600"
                    )
        return found

    def _set_up(self, connection: Connection) -> None:
        import sqlite3

        connection.execute("PRAGMA trusted_schema = OFF")
        if _is_new(connection):
            for left in range(int(self.timeout / _BUSY_PAUSE_SECONDS), -1, -1):
                try:
                    connection.execute("PRAGMA journal_mode = WAL")
                    break
                except sqlite3.OperationalError:  # another process does it; for this SQLite waits only sometimes
                    if not left:
                        raise
                    threading.Event().wait(_BUSY_PAUSE_SECONDS)
            connection.execute("BEGIN IMMEDIATE")
            if _is_new(connection):
                for statement in _SCHEMA:
                    connection.execute(statement)
                connection.execute("INSERT INTO log(place, mark) VALUES (0, ?)", (new_mark(),))
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.execute("COMMIT")
        ours = (_APPLICATION, _VERSION)
        if (_pragma(connection, "application_id"), _pragma(connection, "user_version")) != ours:
            raise PolicyError("this SQLite file is of something else, or of another version of Jotgate: name another")
        if _pragma(connection, "journal_mode") != "wal":
            raise PolicyError("an SQLite store needs the WAL mode, which this file or its file system has not")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA journal_size_limit = 16777216")

    def _before_fork(self) -> None:
        self._gate.acquire()
        self._forking = True
        self._gate.wait_for(lambda: not self._busy, 2 * self.timeout + 1)
        self._close_idle()

    def _after_fork(self) -> None:
        self._forking = False
        self._gate.notify_all()
        self._gate.release()

    def _forked(self) -> None:
        self._gate = threading.Condition()
        self._busy = 0
        self._forking = False


def _close(opened: Opened) -> None:
    with suppress(Exception):  # also while the interpreter ends, when nothing can be imported any more
        opened.connection.close()


def _is_new(connection: Connection) -> bool:
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return not tables and not _pragma(connection, "user_version") and not _pragma(connection, "application_id")


def _pragma(connection: Connection, name: str) -> int | str:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    found: int | str = value
    return found


_files: weakref.WeakSet[DatabaseFile] = weakref.WeakSet()
_forks = threading.Lock()  # two threads that fork at once take the gates one after the other
_held: list[DatabaseFile] = []


def _before_fork() -> None:
    _forks.acquire()
    _held[:] = _files
    for file in _held:
        file._before_fork()


def _after_in_parent() -> None:
    for file in _held:
        file._after_fork()
    _held.clear()
    _forks.release()


def _after_in_child() -> None:
    for file in _held:
        file._forked()
    _held.clear()
    _forks.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
