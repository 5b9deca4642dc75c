"""Durations and dates as people write and read them."""

import argparse

import pytest

from jotgate.cli.moments import duration, from_now, how_long, in_milliseconds, lifetime, moment, utc


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90", 90), ("90s", 90), ("15m", 900), ("1h30m", 5400), ("7d", 604800), ("2w", 1209600)],
)
def test_durations(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "-1", "1.5h", "m", "1x", "1h 30m", "h1", "30m5", "٣", "9" * 30, "99999999d", "1h\n"]
)
def test_what_is_no_duration(text):
    with pytest.raises(argparse.ArgumentTypeError):
        duration(text)


def test_a_lifetime_is_longer_than_nothing():
    assert lifetime("1") == 1
    for text in ("0", "0m", "soon"):
        with pytest.raises(argparse.ArgumentTypeError):
            lifetime(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("1700000900", 1700000900),
        ("253402300799", 253402300799),
        ("15m", 1700000901),
        ("1h30m", 1700005401),
        ("2023-11-14T22:13:20Z", 1700000000),
        ("2023-11-15T00:13:20.1+02:00", 1700000001),
    ],
)
def test_points_in_time(text, seconds):
    assert moment(text, 1_700_000_000.5) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "m",
        "-1",
        "1.5",
        "253402300800",
        "9" * 20,
        "2023-11-14",
        "2023-11-14T22:13:20",
        "0001-01-01T00:00Z",
        "٣",
    ],
)
def test_what_is_no_point_in_time(text):
    with pytest.raises(argparse.ArgumentTypeError):
        moment(text, 1_700_000_000)


def test_milliseconds_are_told_from_seconds():
    now = 1_700_000_000
    assert in_milliseconds(now * 1000, now)
    assert in_milliseconds(now * 1000.5, now)
    assert not any(
        in_milliseconds(value, now) for value in (now, 253402300799, now * 10**9, True, None, "1700000000000")
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (7080, "1 h 58 min"),
        (86400, "1 d"),
        (90000, "1 d 1 h"),
        (-7080, "1 h 58 min"),
        (10 * 365.2425 * 86400, "10.0 years"),
    ],
)
def test_lengths_of_time(seconds, text):
    assert how_long(seconds) == text


def test_dates():
    assert utc(0) == "1970-01-01 00:00:00Z"
    assert utc(1700000000.9) == "2023-11-14 22:13:20Z"
    assert utc(253402300799) == "9999-12-31 23:59:59Z"
    assert utc(10**30) == utc(float("1e300")) == "no date before the year 10000"


def test_distance_from_now():
    assert from_now(100, 100.5) == "now"
    assert from_now(160, 100) == "in 1 min"
    assert from_now(40, 100) == "1 min ago"
