"""Nothing from a token acts on a terminal; colour only where it is wanted."""

import io
import sys

import pytest

from jotgate.cli.terminal import Screen, printable

DANGEROUS = [
    "\x1b[2J",
    "\r",
    "\n",
    "\x00",
    "\x7f",
    "\x9b31m",
    "\u202e",
    "\u200b",
    "\u2028",
    "\ud800",
    "\ue000",
]


@pytest.mark.parametrize("mark", DANGEROUS)
def test_marks_that_a_terminal_acts_on_are_escaped(mark):
    shown = printable(f"a{mark}b")
    assert shown.isprintable()
    assert shown.startswith("a\\")
    assert shown.endswith("b")


def test_letters_of_every_script_stay():
    text = "Zoë 佐藤 Олена ñ €"
    assert printable(text) == text


class Stream(io.TextIOWrapper):
    def __init__(self, *, terminal: bool, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding, newline="\n")
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    def written(self) -> bytes:
        self.flush()
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue()


@pytest.mark.parametrize(
    ("terminal", "environment", "colour"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
    ],
)
def test_colour(terminal, environment, colour, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b" in Screen(Stream(terminal=terminal)).style("x", "red")) is colour


def test_encodings_without_the_letter_do_not_fail():
    stream = Stream(terminal=False, encoding="ascii")
    Screen(stream).line("Zoë")
    assert stream.written() == b"Zo\\xeb\n"


def test_json_is_ascii_and_one_line():
    stream = Stream(terminal=False)
    Screen(stream).json_line({"a": "ë\n\u2028"})
    assert stream.written() == b'{"a":"\\u00eb\\n\\u2028"}\n'


def test_tables_align():
    lines = Screen(Stream(terminal=False)).table([("name", "n"), ("a", "10"), ("long", "1")], numbers=1)
    assert lines == ["name   n", "a     10", "long   1"]


def test_standard_output_by_default():
    assert Screen().is_terminal == sys.stdout.isatty()
