"""State in Redis or Valkey: one server, Sentinel or Cluster."""

from .store import RedisStore

__all__ = ["RedisStore"]
