"""Something done on a thread from time to time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ..errors import PolicyError

if TYPE_CHECKING:
    import logging


class Maintenance:
    """Does something now and then on a thread of its own, until ``close``; what fails is tried again next time.

    The thread does not survive a fork: start it in each process.

    Args:
        work: What to do.
        interval: Seconds from one time to the next.
        on_error: Gets what `work` raises; if None, it is logged. What it raises itself is logged too, and ends nothing.

    Raises:
        PolicyError: ``invalid_policy``: `interval` is not a number above 0.
    """

    __slots__ = ("_closed", "_interval", "_on_error", "_thread", "_work")

    def __init__(
        self, work: Callable[[], object], interval: float, on_error: Callable[[Exception], object] | None
    ) -> None:
        if type(interval) not in (int, float) or not 0 < interval < threading.TIMEOUT_MAX:
            raise PolicyError("interval is a number of seconds above 0")
        self._work = work
        self._interval = interval
        self._on_error = _log if on_error is None else on_error
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jotgate-key-ring", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, and wait for what is being done; a second time does nothing."""
        self._closed.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._work()
            except Exception as error:
                self._tell(error)
            self._closed.wait(self._interval)

    def _tell(self, error: Exception) -> None:
        try:
            self._on_error(error)
        except Exception as failure:
            # A callback that fails must not end what rotates keys.
            _log(error)
            _logger().warning("on_error itself failed (%s); maintenance goes on", type(failure).__name__)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()


def _log(error: Exception) -> None:
    _logger().warning("the key ring could not be maintained: %s", error)


def _logger() -> logging.Logger:
    import logging

    return logging.getLogger("jotgate.keys")
