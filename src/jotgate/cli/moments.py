"""Durations and points in time, as people write and read them."""

from __future__ import annotations

import argparse
import math
import re
from datetime import UTC, datetime
from typing import TypeGuard

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(?:[0-9]+[smhdw]){1,5}|[0-9]+", re.ASCII)
_PIECE = re.compile(r"([0-9]+)([smhdw]?)", re.ASCII)
LATEST_NUMERIC_DATE = 253402300799
_LONGEST_SECONDS = 100 * 365 * 86400
_MOST_DIGITS = 12
_FIRST_YEAR = 1970


def duration(text: str) -> int:
    """Read a duration such as ``90``, ``90s``, ``15m``, ``1h30m`` or ``7d``.

    Args:
        text: Digits (seconds), or digits each followed by one of ``s m h d w``.

    Returns:
        Seconds, from 0 to a hundred years.

    Raises:
        argparse.ArgumentTypeError: For anything else; argparse names the option beside it.
    """
    if len(text) <= 24 and _DURATION.fullmatch(text):
        seconds = sum(int(count) * _UNITS[unit or "s"] for count, unit in _PIECE.findall(text))
        if seconds <= _LONGEST_SECONDS:
            return seconds
    raise argparse.ArgumentTypeError("write a duration as seconds or like 90s, 15m, 1h30m, 7d")


def lifetime(text: str) -> int:
    """Read a duration that is longer than nothing; see `duration`."""
    seconds = duration(text)
    if not seconds:
        raise argparse.ArgumentTypeError("must be more than 0 seconds")
    return seconds


def moment(text: str, now: float) -> int:
    """Read a point in time: Unix seconds, ``2026-11-24T15:00:00Z``, or a duration from now such as ``15m``.

    Args:
        text: What was written. Digits alone are Unix seconds.
        now: The Unix time that durations count from.

    Returns:
        Unix seconds, rounded up.

    Raises:
        argparse.ArgumentTypeError: For anything else, also a date without its zone.
    """
    if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and int(text) <= LATEST_NUMERIC_DATE:
        return int(text)
    if text[-1:] in _UNITS:
        return math.ceil(now) + duration(text)
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        read = None
    if read is not None and read.tzinfo is not None and read.year > _FIRST_YEAR:
        return math.ceil(read.timestamp())
    raise argparse.ArgumentTypeError(
        "write a time as Unix seconds, like 2026-11-24T15:00:00Z, or from now like 15m or 1h30m"
    )


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a number of JSON, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def in_milliseconds(value: object, now: float) -> bool:
    """Whether a claim that should be Unix seconds is most likely a time in milliseconds."""
    return is_number(value) and LATEST_NUMERIC_DATE < value < 10_000 * now


def utc(seconds: float) -> str:
    """Show a Unix time as a UTC date, e.g. ``2026-11-23 21:04:10Z``; fractions are dropped."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return "no date before the year 10000"


def how_long(seconds: float) -> str:
    """Show a length of time in its two largest units, e.g. ``1 h 58 min``; the sign is dropped."""
    rest = int(abs(seconds))
    if rest >= 2 * 365 * 86400:
        return f"{rest / (365.2425 * 86400):.1f} years"
    for size, name, part, part_name in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if rest >= size:
            lesser = rest % size // part
            return f"{rest // size} {name} {lesser} {part_name}" if lesser else f"{rest // size} {name}"
    return f"{rest} s"


def from_now(then: float, now: float) -> str:
    """Say where a point in time lies from now, e.g. ``in 14 min`` or ``1 h 58 min ago``."""
    if abs(then - now) < 1:
        return "now"
    return f"in {how_long(then - now)}" if then > now else f"{how_long(then - now)} ago"
