"""The base64url decoder at every length and position: it works in blocks, and none may hide a byte."""

import base64

import pytest
from reference import base64url as reference

from jotgate import _codec
from jotgate.errors import MalformedTokenError

LONGEST = 136
"""Characters: more than four blocks of 32 and a rest."""
OUTSIDE = [byte for byte in range(256) if byte not in reference.ALPHABET]


def decodes(text: bytes) -> bool:
    try:
        _codec.b64url_decode(text)
    except MalformedTokenError:
        return False
    return True


@pytest.mark.parametrize("length", range(LONGEST + 1))
def test_every_length(length: int) -> None:
    for start in range(0, 64, 7):
        text = bytes(reference.ALPHABET[(start + index * 11) % 64] for index in range(length))
        try:
            expected = reference.decode(text)
        except ValueError:
            assert not decodes(text)
        else:
            assert _codec.b64url_decode(text) == _codec.b64url_decode(text.decode()) == expected
            assert _codec.b64url_encode(expected) == text.decode()


@pytest.mark.parametrize("length", range(1, LONGEST + 1))
def test_no_position_hides_a_byte_outside_the_alphabet(length: int) -> None:
    text = bytearray(b"A" * length)
    for position in range(length):
        for byte in OUTSIDE:
            text[position] = byte
            assert not decodes(bytes(text)), f"byte {byte} at {position}"
        text[position] = ord("A")


@pytest.mark.parametrize("letter", reference.ALPHABET)
def test_every_letter_at_every_position(letter: int) -> None:
    for position in range(64):
        text = bytearray(b"A" * 64)
        text[position] = letter
        assert _codec.b64url_decode(bytes(text)) == base64.urlsafe_b64decode(bytes(text))


@pytest.mark.parametrize("octets", [1, 2, 22, 23, 46, 47, 94, 95])
def test_every_last_letter_with_bits_to_spare(octets: int) -> None:
    """RFC 4648 section 3.5: of the texts that differ in unused bits only, one is right."""
    right = _codec.b64url_encode(bytes(octets))
    spare = 16 if octets % 3 == 1 else 4
    taken = [letter for letter in reference.ALPHABET if decodes(right[:-1].encode() + bytes([letter]))]
    assert len(taken) == 64 // spare
    assert all(reference.ALPHABET.index(letter) % spare == 0 for letter in taken)


@pytest.mark.parametrize("size", [*range(100), 1000, 4096, 12_287, 12_288])
def test_round_trip(size: int) -> None:
    octets = bytes((index * 167 + size) % 256 for index in range(size))
    text = _codec.b64url_encode(octets)
    assert text == base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
    assert _codec.b64url_decode(text) == octets


@pytest.mark.parametrize("text", [None, 1, bytearray(b"QQ"), memoryview(b"QQ"), ["QQ"], "Q\u212a", "ＱＱ"])
def test_other_types_and_letters_are_malformed(text: object) -> None:
    with pytest.raises(MalformedTokenError) as caught:
        _codec.b64url_decode(text)
    assert caught.value.code == "malformed"
