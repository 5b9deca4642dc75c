"""Where state that outlives a process is kept, and what the layers below ask of it."""

from .urls import open_store

__all__ = ["open_store"]
