"""Answers of an introspection endpoint that are remembered for a short while."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from .._clock import monotonic_ns_now

MAX_TTL: Final = 300
"""Seconds for which an answer is remembered at most."""
ENTRY_BYTES: Final = 500
"""What an entry takes besides the answer's text."""


class Answers:
    """The texts of positive answers, by a key that stands for the whole token. Threads may share it.

    Texts, not tokens: each hit is judged anew, by the clock of then, and nobody is handed what another one holds.

    Args:
        ttl: Seconds for which an answer counts, from when it was asked for.
        most: Answers that are kept at most.
        most_bytes: Bytes that they take at most. The least recently used go first.
    """

    __slots__ = ("_bytes", "_entries", "_lock", "_most", "_most_bytes", "_ttl_ns")

    def __init__(self, ttl: float, most: int, most_bytes: int) -> None:
        self._ttl_ns = int(ttl * 1e9)
        self._most = most
        self._most_bytes = most_bytes
        self.clear()

    def clear(self) -> None:
        """Forget everything. Takes no lock: in the child of a fork nobody may be left to release it."""
        self._lock = threading.Lock()
        self._entries: OrderedDict[bytes, tuple[bytes, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: bytes) -> bytes | None:
        """Return an answer that still counts, by its age."""
        with self._lock:
            body, asked_at = self._entries.get(key, (b"", 0))
            if not body:
                return None
            if not 0 <= monotonic_ns_now() - asked_at < self._ttl_ns:
                self._drop(key)
                return None
            self._entries.move_to_end(key)
            return body

    def put(self, key: bytes, body: bytes, asked_at: int) -> None:
        """Remember an answer.

        Args:
            key: What it is about.
            body: Its text.
            asked_at: Moment of the monotonic clock, in nanoseconds, at which it was asked for.
        """
        size = len(body) + ENTRY_BYTES
        with self._lock:
            self._drop(key)
            if size > self._most_bytes:
                return
            self._entries[key] = body, asked_at
            self._bytes += size
            while len(self._entries) > self._most or self._bytes > self._most_bytes:
                self._drop(next(iter(self._entries)))

    def drop(self, key: bytes) -> None:
        """Forget an answer."""
        with self._lock:
            self._drop(key)

    def _drop(self, key: bytes) -> None:
        body, _ = self._entries.pop(key, (None, 0))
        if body is not None:
            self._bytes -= len(body) + ENTRY_BYTES

    @property
    def sizes(self) -> tuple[int, int]:
        """How many there are, and how many bytes they take."""
        return len(self._entries), self._bytes
