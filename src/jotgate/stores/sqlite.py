"""State in one SQLite file: for services of one machine, of one process or many."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .._clock import now
from ..errors import PolicyError, StoreUnavailableError
from .encoding import check_rules, check_time, key_bytes, key_of, name_bytes, name_of, new_mark
from .protocol import Changes, Finding, Position, Snapshot
from .rules import NEVER, Rule, RuleKey, joined
from .sqlite_file import DatabaseFile

if TYPE_CHECKING:
    from sqlite3 import Connection

_PORTION = 1000
_POLL_SECONDS = 0.01
_SWEEP = 100  # how many rows of a kind that have run out go with each write, besides as many as it brings


class SqliteStore:
    """A ``Store`` in an SQLite file.

    The file is made when first used, for its owner alone. Each write is on the disk when it returns
    (``synchronous=FULL``). What has run out is removed by later writes, and its room used again.

    Args:
        path: Of the file, on a local file system: on a network file system SQLite's locks do not hold.
        timeout: Seconds to wait for other writers.
        history: How many changes are kept for those who follow; who falls behind by more reads everything again.

    Raises:
        PolicyError: ``invalid_policy``: an option out of range. When first used: the file is open to others, of
            something else, or of another version.
    """

    __slots__ = ("_file", "_history", "_pause")

    def __init__(self, path: str | os.PathLike[str], *, timeout: float = 1.0, history: int = 100_000) -> None:
        text = os.fspath(path)
        if not text or text.startswith((":", "file:")) or "\0" in text:
            raise PolicyError("an SQLite store needs the path of a file; what need not last is for MemoryStore")
        if not 0 < timeout <= 60:
            raise PolicyError("timeout must be more than 0 and at most 60 seconds")
        if history < 1:
            raise PolicyError("history must be at least 1")
        self._file = DatabaseFile(Path(os.path.abspath(text)), timeout)
        self._history = history
        self._pause = threading.Event()  # never set

    @property
    def timeout(self) -> float:
        """Seconds to wait for other writers."""
        return self._file.timeout

    def write(self, rules: Sequence[Rule]) -> None:
        check_rules(rules)
        with self._writing(len(rules)) as connection:
            self._join(connection, rules)

    def advance_epoch(self, issuer: str) -> int:
        key = RuleKey("epoch", issuer, "")
        with self._writing() as connection:
            known = _rule(connection, key)
            epoch = 1 if known is None else known.value + 1
            self._join(connection, [Rule(*key, epoch, NEVER)])
            return epoch

    def rules(self, keys: Sequence[RuleKey]) -> list[Rule | None]:
        with self._file.use() as (connection, *_), _reading(connection):
            return [_rule(connection, key) for key in keys]

    def snapshot(self) -> Snapshot:
        with self._file.use() as (connection, *_):
            place, mark = connection.execute("SELECT place, mark FROM log ORDER BY place DESC LIMIT 1").fetchone()
        return Snapshot(Position(str(place), mark), self._portions())

    def _portions(self) -> Iterator[Sequence[Rule]]:
        # In the order of the keys: what is there from beginning to end is met, whatever is written in between.
        after = b""
        while True:
            with self._file.use() as (connection, *_):
                rows = connection.execute(
                    "SELECT key, value, until FROM rules WHERE key > ? ORDER BY key LIMIT ?", (after, _PORTION)
                ).fetchall()
            if not rows:
                return
            yield [Rule(*key_of(key), value, until) for key, value, until in rows]
            after = rows[-1][0]

    def changes(self, since: Position, wait: float) -> Changes | None:
        try:
            place = int(since.place)
        except ValueError:
            return None
        seen, found = None, None
        for left in range(math.ceil(max(wait, 0) / _POLL_SECONDS), -1, -1):
            with self._file.use(watching=True) as (connection, number, _):
                # Read before the log: what is written in between shows at the next look.
                (version,) = connection.execute("PRAGMA data_version").fetchone()
                if (number, version) != seen:
                    seen, found = (number, version), _since(connection, place, since.mark)
                    if found is None or found.rules:
                        return found
            if left:
                self._pause.wait(_POLL_SECONDS)
        return found

    def read(self, name: str) -> bytes | None:
        with self._file.use() as (connection, *_):
            return _record(connection, name_bytes(name))

    def swap(self, name: str, old: bytes | None, new: bytes, until: int) -> bool:
        check_time(until)
        key = name_bytes(name)
        with self._writing() as connection:
            if _record(connection, key) != old:
                return False
            connection.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", (key, new, until))
            return True

    def join(self, group: str, member: str, until: int) -> None:
        check_time(until)
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO members VALUES (?, ?, ?)"
                " ON CONFLICT(of, member) DO UPDATE SET until = max(until, excluded.until)",
                (name_bytes(group), name_bytes(member), until),
            )

    def leave(self, group: str, member: str) -> None:
        with self._writing() as connection:
            connection.execute(
                "DELETE FROM members WHERE of = ? AND member = ?", (name_bytes(group), name_bytes(member))
            )

    def members(self, group: str) -> list[str]:
        with self._file.use() as (connection, *_):
            rows = connection.execute(
                "SELECT member FROM members WHERE of = ? AND until > ?", (name_bytes(group), now())
            ).fetchall()
        return [name_of(member) for (member,) in rows]

    def now(self) -> float:
        return now()

    def check(self) -> list[Finding]:
        """Look at the file: can it be written, how much is in it."""
        import sqlite3

        try:
            with self._writing():
                pass
            with self._file.use() as (connection, *_):  # a look at everything takes long, and keeps no writer waiting
                (rules,) = connection.execute("SELECT count(*) FROM rules").fetchone()
                (log,) = connection.execute("SELECT count(*) FROM log").fetchone()
                (damage,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except StoreUnavailableError as error:
            return [Finding("reachable", False, f"the store cannot be written: {error}")]
        return [
            Finding("reachable", True, f"the store can be written (SQLite {sqlite3.sqlite_version})"),
            Finding("damaged", damage == "ok", "SQLite finds no damage" if damage == "ok" else "the file is damaged"),
            Finding("rules", True, f"{rules} rules"),
            Finding("log", log <= self._history + _SWEEP, f"{log} changes are kept for those who follow"),
        ]

    def close(self) -> None:
        """Close the connections of this process that no call uses now. The store can still be used."""
        self._file.close()

    @contextmanager
    def _writing(self, brings: int = 1) -> Iterator[Connection]:
        """One transaction that no other writer comes between, and that also takes away some of what has run out."""
        with self._file.use() as (connection, *_):
            connection.execute("BEGIN IMMEDIATE")
            moment = math.floor(now())
            for statement in (
                "DELETE FROM rules WHERE key IN (SELECT key FROM rules WHERE until <= ? LIMIT ?)",
                "DELETE FROM records WHERE name IN (SELECT name FROM records WHERE until <= ? LIMIT ?)",
                "DELETE FROM members WHERE (of, member) IN (SELECT of, member FROM members WHERE until <= ? LIMIT ?)",
            ):
                connection.execute(statement, (moment, _SWEEP + brings))
            yield connection
            connection.execute("COMMIT")

    def _join(self, connection: Connection, rules: Iterable[Rule]) -> None:
        mark = new_mark()
        grown = 0
        for rule in rules:
            known = _rule(connection, rule.key)
            joint = joined(known, rule)
            if joint == known:
                continue
            row = (key_bytes(joint.key), joint.value, joint.until)
            connection.execute("INSERT OR REPLACE INTO rules VALUES (?, ?, ?)", row)
            connection.execute("INSERT INTO log(mark, key, value, until) VALUES (?, ?, ?, ?)", (mark, *row))
            grown += 1
        if grown:
            connection.execute(
                "DELETE FROM log WHERE place IN (SELECT place FROM log"
                " WHERE place <= (SELECT max(place) FROM log) - ? ORDER BY place LIMIT ?)",
                (self._history, grown + _SWEEP),
            )


@contextmanager
def _reading(connection: Connection) -> Iterator[None]:
    connection.execute("BEGIN")
    yield
    connection.execute("COMMIT")


def _rule(connection: Connection, key: RuleKey) -> Rule | None:
    row = connection.execute("SELECT value, until FROM rules WHERE key = ?", (key_bytes(key),)).fetchone()
    return None if row is None else Rule(*key, *row)


def _record(connection: Connection, name: bytes) -> bytes | None:
    row = connection.execute("SELECT value FROM records WHERE name = ? AND until > ?", (name, now())).fetchone()
    return None if row is None else bytes(row[0])


def _since(connection: Connection, place: int, mark: str) -> Changes | None:
    rows = connection.execute(
        "SELECT place, mark, key, value, until FROM log WHERE place >= ? ORDER BY place", (place,)
    ).fetchall()
    if not rows or rows[0][:2] != (place, mark):
        return None
    last = Position(str(rows[-1][0]), rows[-1][1])
    return Changes(last, tuple(Rule(*key_of(key), value, until) for _, _, key, value, until in rows[1:]))
