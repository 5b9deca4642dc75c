"""What is of the SQLite store alone: its file, other processes, and what of it is kept."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from store_contract import ISSUER, LATER, jti, refused, some, unavailable
from support import clock_at

from jotgate.errors import StoreUnavailableError
from jotgate.stores.rules import RuleKey
from jotgate.stores.sqlite import SqliteStore

posix = pytest.mark.skipif(os.name != "posix", reason="Windows has neither modes nor open files that can be removed")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path)) as opened:
        yield opened


@pytest.mark.parametrize("path", ["", ":memory:", "file:x", "a\0b"])
def test_a_path_is_that_of_a_file(path: str) -> None:
    assert "path" in refused(lambda: SqliteStore(path))


@pytest.mark.parametrize("options", [{"timeout": 0}, {"timeout": 61}, {"timeout": float("nan")}, {"history": 0}])
def test_options_out_of_range_are_refused(path: Path, options: dict[str, float]) -> None:
    assert next(iter(options)) in refused(lambda: SqliteStore(path, **options))


def test_construction_does_not_touch_the_file(path: Path) -> None:
    SqliteStore(path)
    assert not path.exists()


@posix
def test_only_its_owner_reads_the_file(store: SqliteStore, path: Path) -> None:
    before = os.umask(0)
    try:
        store.write([jti("a")])
    finally:
        os.umask(before)
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["state", "state-shm", "state-wal"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


@posix
@pytest.mark.parametrize("end", ["", "-wal", "-shm"])
def test_a_file_open_to_others_is_refused(store: SqliteStore, path: Path, end: str) -> None:
    store.write([jti("a")])
    Path(f"{path}{end}").chmod(0o640)
    with closing(SqliteStore(path)) as other:
        assert "chmod 600" in refused(lambda: other.read("a"))
        Path(f"{path}{end}").chmod(0o600)
        assert other.rules([jti("a").key]) == [jti("a")]


@posix
def test_a_directory_in_its_place_is_refused(store: SqliteStore, path: Path) -> None:
    path.mkdir(0o700)
    assert "regular file" in refused(lambda: store.read("a"))


def test_of_what_is_something_else_nothing_is_touched(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs(x)")
    path.chmod(0o600)
    content = path.read_bytes()
    store = SqliteStore(path)
    assert "something else" in refused(lambda: store.write([jti("a")]))
    assert path.read_bytes() == content


def test_another_version_is_refused(store: SqliteStore, path: Path) -> None:
    store.write([jti("a")])
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")
    assert "version" in refused(lambda: store.read("a"))


def test_what_is_no_database_is_unavailable(store: SqliteStore, path: Path) -> None:
    path.write_bytes(b"secret" * 1000)
    path.chmod(0o600)
    assert unavailable(lambda: store.read("a")) == "the SQLite store could not do it (SQLITE_NOTADB)"
    assert [(finding.code, finding.ok) for finding in store.check()] == [("reachable", False)]


def test_a_missing_directory_is_unavailable(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "none" / "state")
    message = unavailable(lambda: store.read("a"))
    assert "No such file" in message
    assert str(tmp_path) not in message


def test_a_writer_waits_as_long_as_it_was_told(path: Path) -> None:
    store = SqliteStore(path, timeout=0.2)
    store.write([jti("a")])
    with closing(store), closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        assert "SQLITE_BUSY" in unavailable(lambda: store.write([jti("b")]))
        assert 0.1 < time.monotonic() - begun < 1
        assert store.rules([jti("a").key]) == [jti("a")]  # readers do not wait
        other.execute("ROLLBACK")
        store.write([jti("b")])


def test_a_full_disk_is_unavailable_and_keeps_what_was_there(store: SqliteStore) -> None:
    store.write([jti("a")])
    position, _ = store.snapshot()
    with store._file.use() as (connection, *_):
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreUnavailableError, match="SQLITE_FULL"):
        store.write([jti("x" * 1000 + str(number)) for number in range(100)])
    assert some(store.changes(position, 0)).rules == ()
    store.write([jti("b")])  # by a connection that knows no such limit
    assert some(store.changes(position, 0)).rules == (jti("b"),)


@posix
@pytest.mark.parametrize("others", ["nobody", "another process"])
def test_a_file_that_was_made_anew_is_another_history(store: SqliteStore, path: Path, others: str) -> None:
    store.write([jti("a")])
    position, _ = store.snapshot()
    for file in path.parent.iterdir():
        file.unlink()
    if others == "another process":
        with closing(SqliteStore(path)) as other:
            other.write([jti("b")])
            assert other.snapshot().position.place == position.place
    assert store.changes(position, 1) is None
    assert store.rules([jti("a").key]) == [None]
    store.write([jti("a")])
    assert set(SqliteStore(path).rules([jti("a").key])) == {jti("a")}


@posix
def test_a_backup_that_was_put_back_is_noticed(store: SqliteStore, path: Path) -> None:
    store.write([jti("a")])
    early, _ = store.snapshot()
    backup = path.with_name("backup")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    backup.chmod(0o600)
    store.write([jti("lost")])
    late, _ = store.snapshot()
    for end in ("-wal", "-shm"):
        Path(f"{path}{end}").unlink()
    backup.rename(path)
    assert store.changes(late, 0) is None
    store.write([jti("new")])
    assert store.snapshot().position.place == late.place
    assert store.changes(late, 0) is None
    assert some(store.changes(early, 0)).rules == (jti("new"),)


def test_the_file_stays_bounded(path: Path) -> None:
    with closing(SqliteStore(path, history=100)) as store:

        def work(begin: int) -> None:
            for number in range(begin, begin + 500):
                with clock_at(1_700_000_000 + number):
                    until = 1_700_000_000 + number + 100
                    store.write([jti(f"{number} {extra}", until) for extra in range(10)])
                    store.swap(f"record {number}", None, b"x" * 100, until)
                    store.join(f"group {number}", "member", until)

        work(0)
        with store._file.use() as (connection, *_):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = path.stat().st_size
        work(500)
        with store._file.use() as (connection, *_):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            assert connection.execute("SELECT count(*) FROM records").fetchone()[0] < 210
            assert connection.execute("SELECT count(*) FROM members").fetchone()[0] < 210
        assert path.stat().st_size <= size * 1.1
        assert all(finding.ok for finding in store.check())


WRITER = """
import sys
from jotgate.stores.sqlite import SqliteStore
from jotgate.stores.rules import Rule
path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = SqliteStore(path, timeout=20)
for number in range(count):
    store.write([Rule("jti", "https://auth.example.com", f"{name} {number}", 0, 4_000_000_000)])
    store.advance_epoch("https://auth.example.com")
    print(number, flush=True)
"""


def process(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", WRITER, str(path), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_processes_that_begin_at_once_share_a_file(path: Path) -> None:
    """None is there before; each makes it or finds it made; nothing is lost, also to one who follows."""
    writers = [process(path, name, 40) for name in "abcd"]
    while not path.exists():
        time.sleep(0.001)
    with closing(SqliteStore(path, timeout=20)) as store:
        position, portions = store.snapshot()
        found = {rule for portion in portions for rule in portion}
        while any(writer.poll() is None for writer in writers):
            position, told = some(store.changes(position, 0.05))
            found |= set(told)
        found |= set(some(store.changes(position, 0)).rules)
        for writer in writers:
            writer.communicate()
            assert writer.returncode == 0
        assert {rule for rule in found if rule.kind == "jti"} == {
            jti(f"{name} {number}") for name in "abcd" for number in range(40)
        }
        (epoch,) = store.rules([RuleKey("epoch", ISSUER, "")])
        assert epoch is not None
        assert epoch.value == 160


@posix
def test_what_was_written_outlives_a_kill(path: Path) -> None:
    writer = process(path, "a", 100_000)
    assert writer.stdout is not None
    for _ in range(20):
        last = writer.stdout.readline()
    writer.send_signal(signal.SIGKILL)
    last = [last, *writer.stdout.read().split()][-1]
    writer.communicate()
    with closing(SqliteStore(path)) as store:
        keys = [jti(f"a {number}").key for number in range(int(last) + 1)]
        assert None not in store.rules(keys)
        assert LATER in {rule.until for rule in store.rules(keys) if rule}


def test_looking_for_damage_keeps_no_writer_waiting(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    store.write([])
    said: list[str] = []
    (opened,) = store._file._idle[False]
    opened.connection.set_trace_callback(said.append)
    assert all(finding.ok for finding in store.check())
    begins, ends, looks = (said.index(each) for each in ("BEGIN IMMEDIATE", "COMMIT", "PRAGMA quick_check(1)"))
    assert begins < ends < looks
