"""A store by its URL: for configuration files and command lines."""

from __future__ import annotations

from typing import Any

from ..errors import PolicyError
from .protocol import Store


def open_store(url: str, **options: Any) -> Store:
    """Return the store that a URL names. Nothing is opened or connected to before its first use.

    Args:
        url: ``memory:``; ``sqlite:path``, relative or absolute (also ``sqlite:///path``); or one of those that
            `RedisStore` takes.
        **options: Of `MemoryStore`, `SqliteStore` or `RedisStore`.

    Raises:
        PolicyError: ``invalid_policy``: no such kind of store, or options that it does not have.
    """
    if type(url) is not str:
        raise PolicyError("a store is named by a str, such as sqlite:path; is the setting there?")
    scheme, colon, rest = url.partition(":")
    try:
        if colon and scheme == "memory" and not rest:
            from .memory import MemoryStore

            return MemoryStore(**options)
        if colon and scheme == "sqlite":
            from .sqlite import SqliteStore

            return SqliteStore(rest.removeprefix("//"), **options)
        if "://" in url and scheme.partition("+")[0] in ("redis", "rediss", "valkey", "valkeys", "unix"):
            from .redis import RedisStore

            return RedisStore(url, **options)
    except TypeError:
        raise PolicyError("this kind of store does not have one of the options") from None
    raise PolicyError("a store is named by memory:, sqlite:path, or redis://host:port/db and the like")
