"""A slice of the race for one refresh token; `python -m tests.services.session_race` runs longer."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from services.session_race import CLIENTS, managers_on, race, race_without_grace
from session_world import at_once, sid_rule, started

from jotgate.errors import RefreshError
from jotgate.sessions.answers import Tokens
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


def test_a_log_out_among_refreshes_is_the_last_word(store: Any) -> None:
    sessions = managers_on(store, 4)
    for _ in range(3):
        first = started(sessions[0])
        work: list[Callable[[], Any]] = [partial(each.refresh, first.refresh) for each in sessions]
        results = at_once([*(work * (CLIENTS // 4)), partial(sessions[0].end, first.session)])
        assert results[-1] is True
        assert {type(result) for result in results[:-1]} <= {Tokens, RefreshError}
        assert sid_rule(store, first.session) is not None
        for tokens in (first, *[result for result in results if isinstance(result, Tokens)][:1]):
            with pytest.raises(RefreshError) as caught:
                sessions[1].refresh(tokens.refresh)
            assert caught.value.cause == "ended"
