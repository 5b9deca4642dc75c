"""A store in the test's hand: it fails, forgets and counts as the test says, and never waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jotgate.errors import StoreUnavailableError
from jotgate.stores.memory import MemoryStore
from jotgate.stores.protocol import Changes, Position

METHODS = ("write", "advance_epoch", "rules", "snapshot", "read", "swap", "join", "leave", "members", "now", "check")


class HeldStore:
    """A ``MemoryStore`` behind a switch."""

    timeout = 0.05

    def __init__(self) -> None:
        self.inner = MemoryStore()
        self.down: BaseException | None = None
        self.calls: list[str] = []
        self.hidden: set[str] = set()

    def stop(self, error: BaseException | None = None) -> None:
        self.down = StoreUnavailableError("stopped by the test") if error is None else error

    def resume(self) -> None:
        self.down = None

    def forget(self) -> None:
        """Lose everything, as a flush does, and the history with it."""
        self.inner = MemoryStore()

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.down is not None:
            raise self.down

    def __getattr__(self, name: str) -> Any:
        if name not in METHODS:
            raise AttributeError(name)

        def call(*arguments: Any) -> Any:
            self._called(name)
            return getattr(self.inner, name)(*arguments)

        return call

    def changes(self, since: Position, wait: float) -> Changes | None:
        self._called("changes")
        return self.inner.changes(since, 0)

    def names(self) -> Sequence[str]:
        """What is taken back, in the store itself."""
        return sorted(rule.name for portion in self.inner.snapshot().rules for rule in portion)
