"""A JSON parser that reads RFC 8259 to the letter, and refuses what two readers could read differently.

Stricter than the grammar, each for a reason that RFC 7493 (I-JSON) or RFC 7515 section 4 gives: member
names are unique in every object after unescaping, strings hold no lone surrogates, numbers are ones that
every reader reads the same.
"""

import math
import re
from decimal import Decimal
from fractions import Fraction

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_HEX4 = re.compile(r"[0-9A-Fa-f]{4}")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_LITERALS = {"true": True, "false": False, "null": None}
_WHITE_SPACE = " \t\n\r"

# 20 digits and a sign hold every integer in [-2**63, 2**64); longer ones need not be converted to be refused.
_LONGEST_INTEGER = 21


class Real(float):
    """A number with a fraction or an exponent: a double for arithmetic, and the text it was written as."""

    text: str

    def __new__(cls, text: str) -> "Real":
        self = super().__new__(cls, text)
        self.text = text
        return self


def exact(number: int | float) -> Fraction:
    """Return the number exactly as it was written in decimal, not as the nearest double.

    A number that a double rounds to zero is returned as any number between zero and the smallest double,
    with its sign: its exponent may be too long to compute with, and no limit that it is compared with lies
    there.
    """
    if not isinstance(number, Real):
        return Fraction(number)
    if number == 0.0:
        mantissa = re.split("[eE]", number.text)[0]
        if not mantissa.strip("-0."):
            return Fraction(0)
        return Fraction(-1 if mantissa.startswith("-") else 1, 10**400)
    return Fraction(Decimal(number.text))


def parse(data: bytes, depth: int = 32, object_only: bool = True) -> object:
    """Parse one JSON text.

    Args:
        data: The text in UTF-8; a byte order mark is not white space and so not JSON (RFC 8259 section 8.1).
        depth: How many objects and arrays may be open at once; the document's own counts as one.
        object_only: Refuse a text that is not an object.

    Raises:
        ValueError: the text is not JSON, or is JSON that is refused here.
    """
    reader = _Reader(data.decode("utf-8", "strict"), depth)
    reader.skip_white_space()
    if object_only and reader.peek() != "{":
        raise ValueError("not an object")
    value = reader.value(0)
    reader.skip_white_space()
    if reader.position != len(reader.text):
        raise ValueError("something follows the value")
    return value


def members_before_fault(data: bytes) -> dict[str, object]:
    """Return the members of an object that stand before the first fault of the text, all if there is none."""
    try:
        text = data.decode("utf-8", "strict")
    except UnicodeDecodeError as fault:
        text = data[: fault.start].decode("utf-8")
    reader = _Reader(text, depth=32)
    reader.skip_white_space()
    members: dict[str, object] = {}
    try:
        reader.object(1, members)
    except ValueError:
        return members
    return members


class _Reader:
    def __init__(self, text: str, depth: int) -> None:
        self.text = text
        self.depth = depth
        self.position = 0

    def peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def take(self, expected: str) -> None:
        if not self.text.startswith(expected, self.position):
            raise ValueError(f"expected {expected}")
        self.position += len(expected)

    def skip_white_space(self) -> None:
        while self.peek() and self.peek() in _WHITE_SPACE:
            self.position += 1

    def value(self, open_already: int) -> object:
        first = self.peek()
        if first and first in "{[":
            if open_already == self.depth:
                raise ValueError("nested too deeply")
            return self.object(open_already + 1, {}) if first == "{" else self.array(open_already + 1)
        if first == '"':
            return self.string()
        for literal, meaning in _LITERALS.items():
            if self.text.startswith(literal, self.position):
                self.position += len(literal)
                return meaning
        return self.number()

    def object(self, open_already: int, members: dict[str, object]) -> dict[str, object]:
        self.take("{")
        self.skip_white_space()
        if self.peek() == "}":
            self.take("}")
            return members
        while True:
            name = self.string()
            if name in members:
                raise ValueError("a member name appears twice")
            self.skip_white_space()
            self.take(":")
            self.skip_white_space()
            members[name] = self.value(open_already)
            self.skip_white_space()
            if self.peek() == "}":
                self.take("}")
                return members
            self.take(",")
            self.skip_white_space()

    def array(self, open_already: int) -> list[object]:
        elements: list[object] = []
        self.take("[")
        self.skip_white_space()
        if self.peek() == "]":
            self.take("]")
            return elements
        while True:
            elements.append(self.value(open_already))
            self.skip_white_space()
            if self.peek() == "]":
                self.take("]")
                return elements
            self.take(",")
            self.skip_white_space()

    def string(self) -> str:
        self.take('"')
        characters: list[str] = []
        while True:
            character = self.peek()
            if character < " ":  # the end of the text, too
                raise ValueError("a control character, or no end, in a string")
            self.position += 1
            if character == '"':
                return "".join(characters)
            characters.append(self.escape() if character == "\\" else character)

    def escape(self) -> str:
        letter = self.peek()
        self.position += 1
        if letter != "u":
            if letter not in _ESCAPES:
                raise ValueError("no such escape")
            return _ESCAPES[letter]
        unit = self.code_unit()
        if 0xDC00 <= unit <= 0xDFFF:
            raise ValueError("a low surrogate without its high one")
        if 0xD800 <= unit <= 0xDBFF:
            self.take("\\u")
            low = self.code_unit()
            if not 0xDC00 <= low <= 0xDFFF:
                raise ValueError("a high surrogate without its low one")
            unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
        return chr(unit)

    def code_unit(self) -> int:
        digits = _HEX4.match(self.text, self.position)
        if digits is None:
            raise ValueError("four hexadecimal digits belong here")
        self.position = digits.end()
        return int(digits[0], 16)

    def number(self) -> int | float:
        written = _NUMBER.match(self.text, self.position)
        if written is None:
            raise ValueError("no value here")
        self.position = written.end()
        if written[1] is None and written[2] is None:
            if len(written[0]) > _LONGEST_INTEGER or not -(2**63) <= int(written[0]) < 2**64:
                raise ValueError("an integer that not every reader holds")
            return int(written[0])
        number = Real(written[0])
        if not math.isfinite(number):
            raise ValueError("a number that no finite double holds")
        return number
