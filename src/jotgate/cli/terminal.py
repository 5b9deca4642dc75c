"""Writing to a terminal or a pipe: colour only where it is wanted, nothing from a token unescaped."""

from __future__ import annotations

import json
import os
import sys
from typing import TextIO

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "warning": "1;37;41"}


def printable(text: str) -> str:
    """Escape every character that does not stand for a mark of its own.

    A token may carry escape sequences, line breaks, direction overrides or lone surrogates: printed as they
    are they could repaint the screen or fake a line of ours. They come out as ``\\x1b`` or ``\\u202e``.

    Args:
        text: Anything, e.g. a claim of a token that nobody has verified.

    Returns:
        One line without control, format, private-use or unassigned characters.
    """
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else _escaped(mark) for mark in text)


def _escaped(mark: str) -> str:
    number = ord(mark)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


class Screen:
    """One output stream, with what may be done to it.

    Args:
        stream: Where to write; standard output when None.
    """

    __slots__ = ("_colour", "_stream", "is_terminal")

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stdout if stream is None else stream
        self.is_terminal = self._stream.isatty()
        # https://no-color.org: any non-empty value turns colour off.
        self._colour = self.is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def style(self, text: str, name: str) -> str:
        """Wrap the text in a colour, or return it as it is where colour is not wanted."""
        return f"\x1b[{_STYLES[name]}m{text}\x1b[0m" if self._colour else text

    def line(self, text: str = "") -> None:
        """Write one line. Characters that the stream's encoding lacks are escaped instead of failing."""
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")

    def json_line(self, value: object) -> None:
        """Write one JSON value on a line of its own, ASCII only, and flush it for whoever reads along."""
        self._stream.write(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")
        self._stream.flush()

    def flush(self) -> None:
        """Hand on what was written, so that a reader of a pipe sees each verdict as it falls."""
        self._stream.flush()

    def table(self, rows: list[tuple[str, ...]], *, numbers: int) -> list[str]:
        """Align rows of cells into lines.

        Args:
            rows: The heading first, then the rest; all of one length.
            numbers: How many columns at the right are numbers (aligned to the right).

        Returns:
            One string a row, the heading dimmed.
        """
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        words = len(widths) - numbers
        lines = []
        for row in rows:
            cells = [
                cell.ljust(width) if column < words else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append("  ".join(cells).rstrip())
        return [self.style(lines[0], "dim"), *lines[1:]]
