"""Group E, row 12: bytes that JSON does not have, around a document and inside its strings."""

import pytest
from support import accepts_both, claims, compact, dumps, header, refuses, refuses_both, verifier

pytestmark = pytest.mark.usefixtures("frozen_clock")

WHITESPACE = b" \t\r\n"


@pytest.mark.parametrize("byte", range(256))
def test_e12_a_byte_before_or_after_the_json_text(byte: int) -> None:
    extra = bytes([byte])
    for head, payload in (
        (dumps(header("HS256")) + extra, dumps(claims())),
        (extra + dumps(header("HS256")), dumps(claims())),
        (dumps(header("HS256")), dumps(claims()) + extra),
        (dumps(header("HS256")), extra + dumps(claims())),
    ):
        text = compact(head, payload)
        if extra in WHITESPACE:
            assert verifier().verify(text).to_dict() == claims()
        else:
            refuses(verifier(), text, "malformed")


def test_e12_trailing_garbage() -> None:
    for garbage in (b"x", b"{}", b"[]", b',"x":1', b"}", b"]", b"\0\0", b"//", b"/**/", b"#", b"null", b" 1"):
        refuses(verifier(), compact(dumps(header("HS256")) + garbage), "malformed")
        refuses(verifier(), compact(header("HS256"), dumps(claims()) + garbage), "malformed")


@pytest.mark.parametrize("char", [*range(0x20), 0x7F])
def test_e12_control_characters_in_a_string(char: int) -> None:
    raw = b'"x":"a' + bytes([char]) + b'b"'
    if char == 0x7F:
        accepts_both(raw)
    else:
        refuses_both(raw)


ESCAPES = [
    b"\\x",
    b"\\u",
    b"\\u0",
    b"\\u00g0",
    b"\\U0041",
    b"\\'",
    b"\\a",
    b"\\0",
    b"\\",
    b"\\u{41}",
    b"\\u 041",
    b"\\u+041",
]


@pytest.mark.parametrize("escape", ESCAPES, ids=repr)
def test_e12_escapes_that_json_does_not_have(escape: bytes) -> None:
    refuses_both(b'"x":"' + escape + b'"')
    refuses_both(b'"' + escape + b'":"x"')
