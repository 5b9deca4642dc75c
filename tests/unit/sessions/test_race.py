"""A slice of the race for one refresh token; `python -m tests.services.session_race` runs longer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from services.session_race import race, race_without_grace

from jotgate.stores.memory import MemoryStore
from jotgate.stores.sqlite import SqliteStore

STORES: dict[str, Callable[[Path], Any]] = {
    "memory": lambda _: MemoryStore(),
    # long enough for 64 writers on a busy machine; what a store does when it is too short is its own test
    "sqlite": lambda directory: SqliteStore(directory / "sessions.db", timeout=30),
}


@pytest.fixture(params=sorted(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    made = STORES[request.param](tmp_path)
    yield made
    made.close()


def test_one_successor_of_each_token(store: Any) -> None:
    race(store, 10)


def test_one_winner_and_the_end_of_the_session_without_grace(store: Any) -> None:
    race_without_grace(store, 5)
