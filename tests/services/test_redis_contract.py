"""Redis and Valkey do what every store does: each server there is, Sentinel, and Cluster."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from services.redis_servers import names, serving
from store_contract import *  # noqa: F403
from store_contract import Opened

from jotgate.stores.redis import RedisStore

numbers = itertools.count()
WORLDS = [*names(), *(["sentinel", "cluster"] if names() else [])]


@pytest.fixture(scope="module", params=WORLDS)
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., RedisStore]]:
    """What opens a store on servers that all tests of the module share."""
    with serving(request.param, tmp_path_factory.mktemp("redis")) as (servers, options):
        yield lambda **others: RedisStore(servers.url, **options, **others)


@pytest.fixture
def opened(world: Callable[..., RedisStore]) -> Iterator[Opened]:
    namespace = f"test{next(numbers)}"
    with ExitStack() as stack:

        def opened(timeout: float = 2, **options: Any) -> RedisStore:
            return stack.enter_context(closing(world(namespace=namespace, timeout=timeout, **options)))

        yield opened
