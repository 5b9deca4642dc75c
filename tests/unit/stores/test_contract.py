"""The stores that need no server: in memory, and in an SQLite file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from store_contract import *  # noqa: F403
from store_contract import Opened

from jotgate.stores.memory import MemoryStore
from jotgate.stores.sqlite import SqliteStore


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    if request.param == "memory":
        stores: dict[tuple[Any, ...], MemoryStore] = {}

        def in_memory(timeout: float = 1.0, **options: Any) -> MemoryStore:
            return stores.setdefault(tuple(options.items()), MemoryStore(**options))

        yield in_memory
        return
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(closing(SqliteStore(tmp_path / "state", **options)))
