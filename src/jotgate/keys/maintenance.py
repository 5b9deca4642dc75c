"""Something done on a thread from time to time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from ..errors import PolicyError


class Maintenance:
    """Does something now and then on a thread of its own, until ``close``; what fails is tried again next time.

    The thread does not survive a fork: start it in each process.

    Args:
        work: What to do.
        interval: Seconds from one time to the next.
        on_error: Gets what `work` raises; if None, it is logged.

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
                self._on_error(error)
            self._closed.wait(self._interval)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()


def _log(error: Exception) -> None:
    import logging

    logging.getLogger("jotgate.keys").warning("the key ring could not be maintained: %s", error)
