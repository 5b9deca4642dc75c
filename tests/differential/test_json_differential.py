"""The native JSON scanner and base64url decoder against the oracle and the readers that build the claims."""

import json
from typing import Any

import orjson
from hypothesis import event, example, given
from hypothesis import strategies as st
from reference import base64url, strict_json

from jotgate import _codec, _json
from jotgate.errors import MalformedTokenError

from . import hostile

REFUSED = object()


def native_takes(document: bytes) -> bool:
    try:
        _json.check(document)
    except MalformedTokenError:
        return False
    return True


def reference_value(document: bytes) -> Any:
    try:
        return strict_json.parse(document)
    except ValueError:
        return REFUSED


def canonical(value: Any) -> str:
    """Write a value so that 1, 1.0 and True differ."""
    return json.dumps(value, sort_keys=True)


def agree(document: bytes) -> None:
    value = reference_value(document)
    event("refused" if value is REFUSED else "taken")
    assert native_takes(document) is (value is not REFUSED)
    if value is not REFUSED:
        assert canonical(value) == canonical(json.loads(document)) == canonical(orjson.loads(document))


@given(hostile.json_documents())
def test_documents(document: bytes) -> None:
    agree(document)


@given(st.lists(st.tuples(hostile.member_names, hostile.scalars), max_size=8))
def test_flat_objects(members: list[tuple[bytes, bytes]]) -> None:
    agree(b"{" + b",".join(name + b":" + value for name, value in members) + b"}")


@given(hostile.numbers, st.integers(0, 30), st.sampled_from([b"", b"-"]))
@example(
    b"1.7976931348623158079372897140530341507993413271003782693617377898044496829276475094664901797758720709e308",
    0,
    b"",
)
@example(
    b"1.7976931348623158079372897140530341507993413271003782693617377898044496829276475094664901797758720710e308",
    0,
    b"",
)
def test_numbers(number: bytes, zeros: int, sign: bytes) -> None:
    agree(b'{"n":' + sign + number + b"}")
    agree(b'{"n":' + number + b"0" * zeros + b"}")


@given(st.text(st.characters(codec="utf-8"), max_size=20), st.text(st.characters(codec="utf-8"), max_size=20))
def test_every_text_survives(name: str, text: str) -> None:
    for ensure_ascii in (True, False):
        agree(json.dumps({name: text, name + "x": [text, {text: name}]}, ensure_ascii=ensure_ascii).encode())


@given(st.binary(max_size=60))
def test_random_octets(octets: bytes) -> None:
    agree(octets)
    agree(b'{"a":"' + octets + b'"}')


@given(st.text('{}[]:,"\\ue0123456789+-.truefalsn \t\n\r\x0b', max_size=40))
def test_random_json_letters(text: str) -> None:
    agree(text.encode())
    agree(b'{"a":' + text.encode() + b"}")


@given(hostile.base64url_texts, st.booleans())
def test_base64url(text: str, as_bytes: bool) -> None:
    given_text = text.encode() if as_bytes else text
    try:
        expected = base64url.decode(text.encode())
    except ValueError:
        expected = None
    try:
        decoded = _codec.b64url_decode(given_text)
    except MalformedTokenError:
        decoded = None
    assert decoded == expected
    if decoded is not None:
        assert _codec.b64url_encode(decoded) == text
