"""Stores by their URLs: what is understood, what is refused, and that no password is ever told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jotgate.errors import PolicyError
from jotgate.stores import open_store
from jotgate.stores.memory import MemoryStore
from jotgate.stores.redis import RedisStore
from jotgate.stores.redis.target import target_of
from jotgate.stores.sqlite import SqliteStore

SECRET = "hunter2"


def refused(url: object, **options: Any) -> str:
    with pytest.raises(PolicyError) as caught:
        open_store(url, **options) if isinstance(url, str) else RedisStore(url, **options)
    assert caught.value.code == "invalid_policy"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None  # redis-py's own errors tell values
    assert SECRET not in repr(caught.value.args)
    return str(caught.value)


def tries(retry: Any) -> int:
    """Return how often something is tried that always fails."""
    tried = []

    def fail() -> None:
        tried.append(1)
        raise TimeoutError

    with pytest.raises(TimeoutError):
        retry.call_with_retry(fail, lambda error: None)
    return len(tried)


def test_memory() -> None:
    assert isinstance(open_store("memory:", history=5), MemoryStore)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:state.db", Path("state.db").absolute()),
        ("sqlite:a/b c%20", Path("a/b c%20").absolute()),
        ("sqlite:/var/lib/state", Path(os.path.abspath("/var/lib/state"))),
        ("sqlite:///var/lib/state", Path(os.path.abspath("/var/lib/state"))),
    ],
)
def test_sqlite(url: str, path: Path) -> None:
    store = open_store(url, timeout=3)
    assert isinstance(store, SqliteStore)
    assert store._file.path == path
    assert store.timeout == 3


@pytest.mark.parametrize(
    ("url", "mode", "nodes", "options"),
    [
        ("redis://", "single", (), {}),
        ("redis://db.example:6380/3", "single", (), {"host": "db.example", "port": 6380, "db": 3}),
        ("valkey://db.example", "single", (), {"host": "db.example"}),
        (
            "redis://me:hunter2%2F%40@[::1]:1/?db=2",
            "single",
            (),
            {"host": "::1", "port": 1, "db": 2, "username": "me", "password": "hunter2/@"},
        ),
        ("rediss://:hunter2@h", "single", (), {"host": "h", "password": SECRET, "ssl_check_hostname": True}),
        ("valkeys://h", "single", (), {"host": "h", "ssl_check_hostname": True}),
        ("unix:///run/redis.sock?db=1", "single", (), {"path": "/run/redis.sock", "db": 1}),
        (
            "redis+sentinel://me:hunter2@a,b:1,[::1]:2/main?db=4",
            "sentinel",
            (("a", 26379), ("b", 1), ("::1", 2)),
            {"username": "me", "password": SECRET, "db": 4},
        ),
        ("rediss+sentinel://a/main", "sentinel", (("a", 26379),), {"ssl_check_hostname": True}),
        (
            "redis+cluster://:hunter2@a:1,b",
            "cluster",
            (("a", 1), ("b", 6379)),
            {"password": SECRET},
        ),
        ("valkeys+cluster://a", "cluster", (("a", 6379),), {"ssl_check_hostname": True}),
    ],
)
def test_redis(url: str, mode: str, nodes: tuple[Any, ...], options: dict[str, Any]) -> None:
    store = open_store(url, timeout=0.1)
    assert isinstance(store, RedisStore)
    assert SECRET not in repr(store)
    target = target_of(url)
    assert (target.mode, target.nodes) == (mode, nodes)
    found = target.server.options
    assert {name: found[name] for name in options} == options
    assert (found["protocol"], tries(found["retry"])) == (2, 1)
    assert ("ssl_check_hostname" in found) == ("SSL" in target.server.connection_class.__name__)
    assert SECRET not in repr(target) + repr(target.server) + repr(target.guide)


def test_sentinels_have_a_password_of_their_own() -> None:
    target = target_of("rediss+sentinel://me:hunter2@a/main?sentinel_username=s&sentinel_password=t&ssl_ca_certs=/ca")
    assert target.service == "main"
    assert {"username": "s", "password": "t", "ssl_ca_certs": "/ca"}.items() <= target.guide.options.items()
    assert {"username": "me", "password": SECRET, "ssl_ca_certs": "/ca"}.items() <= target.server.options.items()
    assert "password" not in target_of("redis+sentinel://:hunter2@a/main").guide.options


def test_the_times_of_a_url_do_not_count() -> None:
    server = target_of("redis://h?socket_timeout=30&retry_on_timeout=yes").server
    connection = server(None, 0.1)
    assert (connection.socket_timeout, connection.socket_connect_timeout) == (0.1, 0.1)
    assert tries(connection.retry) == 1


@pytest.mark.parametrize(
    "url",
    [
        "",
        "memory",
        "memory:x",
        "memory://",
        "sqlite",
        "sqlite:",
        "sqlite::memory:",
        "redis:",
        "redis:h",
        "http://h",
        "postgres://u:hunter2@h",
        "redis://u:hunter2@h:port",
        "redis://h:hunter2",
        "redis://h?nonsense=hunter2",
        "redis://h?db=hunter2",
        "redis+sentinel://:hunter2@a",
        "redis+sentinel://:hunter2@a/",
        "redis+sentinel://:hunter2@/main",
        "redis+sentinel://a:hunter2/main",
        "redis+sentinel://a,,b/main",
        "redis+cluster://:hunter2@a/1",
        "redis+cluster://a?db=1",
        "redis+nonsense://:hunter2@a",
        "unix+sentinel:///x",
        "rediss://:hunter2@h?ssl_cert_reqs=none",
        "rediss+cluster://:hunter2@h?ssl_cert_reqs=optional",
        "redis://:hunter2#@h",
        "redis://:hunter2[@h",
    ],
)
def test_what_is_not_understood_is_refused(url: str) -> None:
    assert SECRET not in refused(url)


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"timeout": 0.001},
        {"timeout": 61},
        {"timeout": float("nan")},
        {"replicas": -1},
        {"history": 0},
        {"namespace": ""},
        {"namespace": "a{b}"},
        {"socket_timeout": 5},
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    refused("redis://:hunter2@h", **options)


@pytest.mark.parametrize("url", ["memory:", "sqlite:x"])
def test_options_of_another_store_are_refused(url: str) -> None:
    assert "options" in refused(url, replicas=1)


def test_clients_that_cannot_be_used_are_refused() -> None:
    import redis.asyncio

    for client in (None, object(), redis.asyncio.Redis(), b"redis://h"):
        refused(client)


def test_without_redis_py_there_is_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.connection", None)
    assert "pip install 'jotgate[redis]'" in refused("redis://:hunter2@h")


LAZY = """
import sys
import jotgate.stores, jotgate.stores.memory, jotgate.stores.sqlite, jotgate.stores.redis
loaded = {"sqlite3", "redis", "asyncio", "ssl", "socket", "logging"} & set(sys.modules)
assert not loaded, loaded
jotgate.stores.open_store("memory:")
jotgate.stores.open_store("sqlite:x")
loaded = {"sqlite3", "redis"} & set(sys.modules)
assert not loaded, loaded
"""


def test_a_kind_of_store_loads_what_it_needs_and_no_more() -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", LAZY], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
