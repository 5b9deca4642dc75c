"""The oracle's own corners, where nothing else would notice a mistake of both sides."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from reference import base64url, header, strict_json

TESTS = Path(__file__).parents[1]


def test_it_uses_nothing_of_the_engine() -> None:
    code = "import sys, reference; print([name for name in sys.modules if name.partition('.')[0] == 'jotgate'])"
    found = subprocess.run([sys.executable, "-c", code], cwd=TESTS, check=True, capture_output=True, text=True)
    assert found.stdout == "[]\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"1", Fraction(1)),
        (b"-0", Fraction(0)),
        (b"0.1", Fraction(1, 10)),
        (b"1e-3", Fraction(1, 1000)),
        (b"17e8", Fraction(1_700_000_000)),
        (b"-2.50", Fraction(-5, 2)),
        (b"0e99999999999999999999", Fraction(0)),
        (b"0." + b"0" * 5000 + b"1e5001", Fraction(1)),
    ],
)
def test_numbers_are_read_exactly(text: bytes, value: Fraction) -> None:
    number = strict_json.parse(text, object_only=False)
    assert isinstance(number, int | float)
    assert strict_json.exact(number) == value


@pytest.mark.parametrize("text", [b"1e-400", b"1e-99999999999999999999"])
def test_a_number_that_a_double_loses_keeps_its_sign(text: bytes) -> None:
    for sign, written in ((1, text), (-1, b"-" + text)):
        number = strict_json.parse(written, object_only=False)
        assert isinstance(number, float)
        assert 0 < sign * strict_json.exact(number) < Fraction(5e-324)


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        (b"", b""),
        (b"Zg", b"f"),
        (b"Zm8", b"fo"),
        (b"Zm9v", b"foo"),
        (b"-_-_", b"\xfb\xff\xbf"),
        (b"AAAA", b"\0\0\0"),
    ],
)
def test_base64url_of_rfc_4648(text: bytes, octets: bytes) -> None:
    assert base64url.decode(text) == octets


@pytest.mark.parametrize("text", [b"Z", b"Zh", b"Zm9", b"Zg==", b"Zm8=", b"+/+/", b"Zm 9", b"Zm9v\n"])
def test_base64url_refuses_other_spellings(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"length|alphabet|trailing"):
        base64url.decode(text)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("at+jwt", "application/at+jwt", True),
        ("AT+JWT", "Application/At+Jwt", True),
        ("JWT", "jwt", True),
        ("at+jwt", "text/at+jwt", False),
        ("\u212a", "k", False),
    ],
)
def test_media_types(one: str, other: str, same: bool) -> None:
    assert (header.media_type(one) == header.media_type(other)) is same
