"""A progress bar on standard error: one line that is painted over, and is gone at the end."""

from __future__ import annotations

import os
import sys
from time import monotonic
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

_WIDTH = 30
_SECONDS_BETWEEN = 0.1
_CLEAR = "\r\x1b[K"


class Progress:
    """Shows how far a run is, where somebody watches.

    Args:
        wanted: Whether standard output is a terminal and for reading. With standard output in a pipe a bar would run
            across what the pipe's end prints.
    """

    def __init__(self, *, wanted: bool) -> None:
        self._stream = sys.stderr
        self._shown = wanted and self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._last = 0.0

    def show(self, share: float, what: str) -> None:
        """Paint the bar, at most ten times a second.

        Args:
            share: How much is done, 0 to 1.
            what: What is being done now.
        """
        now = monotonic()
        if not self._shown or now - self._last < _SECONDS_BETWEEN:
            return
        self._last = now
        filled = round(min(max(share, 0.0), 1.0) * _WIDTH)
        self._stream.write(f"{_CLEAR}[{'#' * filled}{'.' * (_WIDTH - filled)}] {what}")
        self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            self._stream.write(_CLEAR)
            self._stream.flush()
