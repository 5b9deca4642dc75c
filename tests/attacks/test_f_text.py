"""Group F: base64url and the text of a token. One token has one text."""

from typing import Any

import pytest
from support import (
    JWSDoor,
    b64u,
    claims,
    compact,
    doors,
    dumps,
    header,
    outcome,
    refuses,
    resign,
    sign,
    token,
    unb64u,
    verification_key,
    verifier,
)

from jotgate import _codec
from jotgate.errors import MalformedTokenError

pytestmark = pytest.mark.usefixtures("frozen_clock")

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
OUTSIDE = [byte for byte in range(256) if chr(byte) not in ALPHABET]
DOORS = ["verifier", "issuers", "jws"]


def positions(text: str) -> list[int]:
    """Return a place at the start, in the middle and at the end of each segment."""
    first, second = text.index("."), text.rindex(".")
    return [
        0,
        first // 2,
        first,
        first + 1,
        (first + second) // 2,
        second,
        second + 1,
        second + 20,
        len(text),
    ]


@pytest.mark.parametrize("byte", OUTSIDE)
def test_f1_a_byte_outside_the_alphabet(byte: int) -> None:
    way_in, text = verifier(), token()
    for at in positions(text):
        refuses(way_in, text[:at] + chr(byte) + text[at:], "malformed")
        refuses(way_in, text[:at].encode() + bytes([byte]) + text[at:].encode(), "malformed")
        if at < len(text) and text[at] != chr(byte):
            refuses(way_in, text[:at] + chr(byte) + text[at + 1 :], "malformed")


@pytest.mark.parametrize(
    "junk", [" ", "\n", "\r\n", "\t", "=", "==", "%3D", "\0", "\x0b", "\xa0", "\u2028", "\u200b", "\ufeff"]
)
@pytest.mark.parametrize("door", DOORS)
def test_f1_white_space_padding_and_junk_even_when_signed(junk: str, door: str) -> None:
    way_in = doors("HS256")[door]
    head, payload, signature = token().split(".")
    refuses(way_in, f"{junk}{head}.{payload}.{signature}", "malformed")
    refuses(way_in, f"{head}.{payload}.{signature}{junk}", "malformed")
    for signing_input in (
        f"{junk}{head}.{payload}",
        f"{head}{junk}.{payload}",
        f"{head}.{junk}{payload}",
        f"{head}.{payload}{junk}",
    ):
        refuses(way_in, resign(signing_input), "malformed")
    refuses(way_in, f"Bearer {head}.{payload}.{signature}", "malformed")


def wrong_tails(segment: str) -> list[str]:
    """Return the other spellings of a segment: the same bytes, unused bits of the last character set."""
    unused = {2: 4, 3: 2}[len(segment) % 4]
    last = ALPHABET.index(segment[-1])
    assert last % (1 << unused) == 0
    return [segment[:-1] + ALPHABET[last + extra] for extra in range(1, 1 << unused)]


def filled(target: int, document: dict[str, Any]) -> str:
    """Encode a document with a member that makes the segment's length `target` modulo 4."""
    for size in range(4):
        segment = b64u(dumps(document | {"fill": "x" * size}))
        if len(segment) % 4 == target:
            return segment
    raise AssertionError("a segment of no byte string has this length")


@pytest.mark.parametrize("remainder", [2, 3])
@pytest.mark.parametrize("door", DOORS)
def test_f2_unused_bits_of_a_segment_must_be_zero(remainder: int, door: str) -> None:
    way_in = doors("HS256")[door]
    head, payload = filled(remainder, header("HS256")), filled(remainder, claims())
    assert way_in.verify(resign(f"{head}.{payload}"))
    tails = wrong_tails(head)
    assert len(tails) == (15 if remainder == 2 else 3)
    for other in tails:
        assert unb64u(other) == unb64u(head)
        refuses(way_in, resign(f"{other}.{payload}"), "malformed")
    for other in wrong_tails(payload):
        if door == "jws":
            refuses(way_in, resign(f"{head}.{other}"), "malformed")
        else:
            refuses(verifier(), resign(f"{head}.{other}"), "malformed")


@pytest.mark.parametrize("alg", ["HS256", "HS512", "RS256", "ES256", "ES384", "EdDSA"])
def test_f2_unused_bits_of_a_signature_must_be_zero(alg: str) -> None:
    text = token(alg)
    head, payload, signature = text.split(".")
    for way_in in doors(alg).values():
        assert way_in.verify(text)
        if len(signature) % 4:
            for other in wrong_tails(signature):
                refuses(way_in, f"{head}.{payload}.{other}", "malformed")


def test_f3_the_other_alphabet() -> None:
    # Segments in which both letters occur that the two alphabets spell differently.
    head = b64u(dumps(header("HS256", x="?>?>?>~~")))
    payload = b64u(dumps(claims(x="?>?>?>~~", y="??>>>~", z=" ~~~?>")))
    signed = resign(f"{head}.{payload}")
    assert verifier().verify(signed)
    assert "_" in payload + head
    assert "-" in payload + head
    for segment_head, segment_payload in (
        (head.replace("-", "+").replace("_", "/"), payload),
        (head, payload.replace("-", "+").replace("_", "/")),
        (head, payload.replace("_", "/")),
        (head, payload.replace("-", "+")),
    ):
        if (segment_head, segment_payload) != (head, payload):
            refuses(verifier(), resign(f"{segment_head}.{segment_payload}"), "malformed")
    for _ in range(200):
        payload = b64u(dumps(claims(n=_)))
        text = resign(f"{head}.{payload}")
        signature = text.rpartition(".")[2]
        if "-" in signature or "_" in signature:
            refuses(verifier(), f"{head}.{payload}.{signature.replace('-', '+').replace('_', '/')}", "malformed")
            break
    else:
        raise AssertionError("no signature with - or _")


@pytest.mark.parametrize("door", DOORS)
def test_f4_a_length_that_no_byte_string_has(door: str) -> None:
    way_in = doors("HS256")[door]
    head, payload = filled(0, header("HS256")), filled(0, claims())
    assert way_in.verify(resign(f"{head}.{payload}"))
    for letter in ("A", "Q", "_"):
        refuses(way_in, resign(f"{head}{letter}.{payload}"), "malformed")
        refuses(way_in, resign(f"{letter}.{payload}"), "malformed")
        text = resign(f"{head}.{payload}")
        refuses(way_in, f"{text[:-2]}", "malformed")  # 41 characters
        refuses(way_in, f"{head}.{payload}.{letter}", "malformed")
        refuses(way_in, f"{text}{letter * 2}", "malformed")  # 45 characters
    for other in (f"{payload}A", "A", payload[:-3]):
        refuses(verifier() if door != "jws" else way_in, resign(f"{head}.{other}"), "malformed")


def full_width(char: str) -> str:
    return chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char


@pytest.mark.parametrize("door", DOORS)
def test_f5_letters_of_other_scripts(door: str) -> None:
    way_in, text = doors("HS256")[door], token()
    refuses(way_in, "".join(map(full_width, text)), "malformed")
    for at in (0, 5, len(text) // 2, len(text) - 1):
        for char in (
            full_width(text[at]) if text[at] != "." else "\uff0e",
            "\u0661",
            "é",
            "\u0100",
            "😀",
            "\ud800",
            "\u212a",
            "ſ",
        ):
            refuses(way_in, text[:at] + char + text[at + 1 :], "malformed")
            refuses(way_in, text[:at] + char + text[at:], "malformed")
    for encoding in ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7"):
        data = text.encode(encoding)
        if data != text.encode():
            refuses(way_in, data, "malformed")
    assert way_in.verify(text.encode()).alg == "HS256"


class Text(str):
    """A str subclass: its methods may lie, so it is not read at all."""


class Data(bytes):
    """A bytes subclass."""


@pytest.mark.parametrize("door", DOORS)
def test_f5_only_str_and_bytes(door: str) -> None:
    way_in, text = doors("HS256")[door], token()
    for wrong in (
        Text(text),
        Data(text.encode()),
        bytearray(text.encode()),
        memoryview(text.encode()),
        [text],
        (text,),
        None,
        1,
        ...,
    ):
        refuses(way_in, wrong, "malformed")


def padded(segment: str) -> str:
    return segment + "=" * (-len(segment) % 4)


def test_f6_padding_is_refused_by_default() -> None:
    head, payload = filled(2, header("HS256")), filled(3, claims())
    signature = resign(f"{head}.{payload}").rpartition(".")[2]
    for way_in in doors("HS256").values():
        refuses(way_in, f"{head}.{payload}.{padded(signature)}", "malformed")
        refuses(way_in, resign(f"{padded(head)}.{padded(payload)}"), "malformed")


def test_f6_padding_by_opt_in() -> None:
    way_in = verifier(allow_padding=True)
    for remainders in ((2, 3), (3, 2), (0, 2), (2, 0)):
        head, payload = filled(remainders[0], header("HS256")), filled(remainders[1], claims())
        signing_input = f"{padded(head)}.{padded(payload)}"
        signature = b64u(sign("HS256", signing_input.encode()))
        # The signature is over the text as written, padding included (AWS ALB does that).
        assert way_in.verify(f"{signing_input}.{padded(signature)}").subject
        assert way_in.verify(f"{signing_input}.{padded(signature)}".encode()).subject
        assert way_in.verify(resign(f"{head}.{payload}")).subject
        refuses(way_in, f"{head}.{payload}.{padded(signature)}", "bad_signature")


def test_f6_padding_by_opt_in_is_still_strict() -> None:
    way_in = verifier(allow_padding=True)
    head, payload = filled(2, header("HS256")), filled(3, claims())
    whole = filled(0, claims())
    for wrong_head in (
        f"{head}=",
        f"{head}===",
        f"{head}====",
        f"={head}",
        f"{head[:4]}={head[4:]}",
        f"{head}===",
    ):
        refuses(way_in, resign(f"{wrong_head}.{payload}"), "malformed")
    for wrong_payload in (f"{payload}==", f"{payload}===", f"{whole}=", f"{whole}==", f"{whole}====",
    f"={payload}",
                          f"{payload[:8]}={payload[8:]}", "=", "==", "===", "===="):  # fmt: skip
        refuses(way_in, resign(f"{head}.{wrong_payload}"), "malformed")
    for tail in wrong_tails(payload):
        refuses(way_in, resign(f"{head}.{tail}="), "malformed")
    text = resign(f"{head}.{payload}")
    for wrong in (
        f"{text}==",
        f"{text}===",
        f"{text} =",
        f"{text}= ",
        f"{text}=\n",
        f"={text}",
        f"{text}=.",
        f"{text}=A",
    ):
        refuses(way_in, wrong, "malformed")
    for junk in (" ", "\n", "+", "/", "%3D"):
        refuses(way_in, resign(f"{head}.{payload}{junk}"), "malformed")


@pytest.mark.parametrize(
    "text",
    ["A", "AAAAA", "AB", "AAB", "A=", "AA==", "AAA=", "=", " ", "A A", "+A", "/A", "A\0", "é", "AAAA\n"],
)
def test_f_codec_is_strict(text: str) -> None:
    for wrong in (text, text.encode()):
        with pytest.raises(MalformedTokenError):
            _codec.b64url_decode(wrong)


@pytest.mark.parametrize("size", [1, 2, 3, 24, 31, 47, 48, 96, 200])
def test_f_codec_looks_at_every_byte(size: int) -> None:
    """Decoders take 4, 16 or 32 characters a step: each place of each step must be checked."""
    text = bytearray(b64u(bytes(size)).encode())
    for at in range(len(text)):
        for byte in OUTSIDE:
            text[at] = byte
            assert outcome(lambda: _codec.b64url_decode(bytes(text))), (at, byte)
        text[at] = ord("A")
    for at in range(len(text) - 1):
        for letter in ALPHABET:
            text[at] = ord(letter)
            assert _codec.b64url_decode(bytes(text)) == unb64u(text.decode())
        text[at] = ord("A")


def test_f_codec_round_trip() -> None:
    for size in range(200):
        data = bytes((size * 7 + i * 31) & 255 for i in range(size))
        assert _codec.b64url_encode(data) == b64u(data)
        assert _codec.b64url_decode(b64u(data)) == data == _codec.b64url_decode(b64u(data).encode())


def test_f_the_signature_layer_is_as_strict() -> None:
    way_in = JWSDoor(verification_key("HS256"), ["HS256"])
    for payload in (b"", b"x", b"xy", b"xyz", bytes(range(256))):
        assert way_in.verify(compact(header("HS256"), payload)).payload == payload
