"""State that lives and dies with the process: for tests, and for services of one process that accept to forget."""

import threading


class MemoryEpochs:
    """An ``EpochCounter`` in memory.

    Args:
        first: The epoch to begin with.
    """

    __slots__ = ("_epoch", "_lock")

    def __init__(self, first: int = 0) -> None:
        self._epoch = first
        self._lock = threading.Lock()

    def current(self) -> int:
        """Return the epoch that new tokens carry and verifiers demand."""
        return self._epoch

    def advance(self) -> int:
        """Begin the next epoch and return it."""
        with self._lock:
            self._epoch += 1
            return self._epoch
