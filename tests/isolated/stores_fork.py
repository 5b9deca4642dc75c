"""Processes fork while threads use stores in memory and in a file: parent and children go on, and lose nothing."""

import os
import sys
import tempfile
import threading
import warnings
from pathlib import Path

from measure import failures, guarded, in_child

from jotgate.stores.memory import MemoryStore
from jotgate.stores.rules import Rule
from jotgate.stores.sqlite import SqliteStore

if not hasattr(os, "fork"):
    sys.exit(0)
warnings.simplefilter("ignore", DeprecationWarning)

FORKS, WRITES = 8, 20


def rule(name: str) -> Rule:
    return Rule("jti", "issuer", name, 0, 4_000_000_000)


def connections_of(store: SqliteStore) -> int:
    return sum(map(len, store._file._idle.values()))


with tempfile.TemporaryDirectory() as directory:
    path = Path(directory) / "state"
    store = SqliteStore(path, timeout=20)
    memory = MemoryStore()
    memory.write([rule("before")])
    start, _ = store.snapshot()
    start_of_memory, _ = memory.snapshot()
    done = threading.Event()
    written: list[str] = []

    def keep_writing(name: str) -> None:
        number = 0
        while not done.is_set():
            store.write([rule(f"{name} {number}")])
            memory.write([rule(f"{name} {number}")])
            written.append(f"{name} {number}")
            number += 1
            done.wait(0.001)  # leave the file to the others now and then

    def keep_following() -> None:
        position = start
        while not done.is_set():
            changes = store.changes(position, 0.05)
            assert changes is not None
            position = changes.position

    threads = [guarded(lambda name=name: keep_writing(name)) for name in ("t1", "t2")]
    threads.append(guarded(keep_following))
    for thread in threads:
        thread.start()

    def child(number: int) -> None:
        assert connections_of(store) == 0, "a connection was carried over"
        for count in range(WRITES):
            store.write([rule(f"child {number} {count}")])
        changes = store.changes(start, 0)
        assert changes is not None
        names = {told.name for told in changes.rules}
        assert {f"child {number} {count}" for count in range(WRITES)} <= names
        # The copy of what was in memory is whole, and a history of its own.
        assert memory.rules([rule("before").key]) == [rule("before")]
        assert memory.changes(start_of_memory, 0) is None
        memory.write([rule("in the child")])

    for number in range(FORKS):
        _, status = os.waitpid(in_child(lambda number=number: child(number)), 0)
        assert status == 0, number
    done.set()
    for thread in threads:
        thread.join()
    wanted = {*written, *(f"child {number} {count}" for number in range(FORKS) for count in range(WRITES))}
    changes = store.changes(start, 0)
    assert changes is not None
    assert {told.name for told in changes.rules} == wanted
    assert memory.rules([rule("in the child").key]) == [None]
    memory_changes = memory.changes(start_of_memory, 0)
    assert memory_changes is not None
    assert {told.name for told in memory_changes.rules} == set(written)
    store.close()
    assert not failures, failures
    print(f"{len(written)} writes beside {FORKS} forks")
