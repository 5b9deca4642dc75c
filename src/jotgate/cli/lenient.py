"""Read a token as far as it can be read, and say where it is broken.

This is for people who look at a token, never for code that trusts one: white space, padding, a ``Bearer``
prefix, duplicate members and the like are read through here and reported, where the engine refuses them.
"""

from __future__ import annotations

import binascii
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from jotgate.cli.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Callable

_ALPHABET = "A-Z a-z 0-9 - _"
_NOT_BASE64URL = re.compile(r"[^A-Za-z0-9_-]")
_WHITE_SPACE = re.compile(r"\s")
_SCHEME = re.compile(r"\s*(?:authorization\s*:\s*)?bearer\s+", re.IGNORECASE)
_TO_BASE64 = str.maketrans("-_", "+/")
_TO_BASE64URL = str.maketrans("+/", "-_")
_LARGEST_INTEGER, _SMALLEST_INTEGER = 2**64 - 1, -(2**63)
# Longer integers are kept as text: Python refuses to convert more than 4300 digits.
_MOST_DIGITS = 400

REFUSED, RISK, NOTE = "refused", "risk", "note"


class Finding(NamedTuple):
    """One thing that is wrong or worth knowing.

    ``severity`` is ``refused`` (Jotgate refuses it under every policy), ``risk`` (refused by the usual
    policies, or dangerous in itself) or ``note``. ``part`` is ``token``, ``header``, ``payload`` or
    ``signature``; ``position`` counts the characters of that part from 1, as they stand in the token.
    ``detail`` is a piece of the token that the message is about; the message itself quotes nothing.
    """

    severity: str
    code: str
    part: str
    message: str
    position: int | None = None
    detail: str | None = None

    @property
    def where(self) -> str:
        """The part, and the character where there is one."""
        return self.part if self.position is None else f"{self.part}, character {self.position}"


class Part(NamedTuple):
    """One part of the token: its text, its bytes, and the JSON object in them, None where there is none."""

    text: str
    data: bytes | None = None
    members: dict[str, Any] | None = None


class Reading(NamedTuple):
    """What a token's text holds. ``encrypted`` stands for a JWE: its payload is hidden without the key."""

    header: Part
    payload: Part
    signature: Part
    encrypted: bool
    size_bytes: int
    findings: list[Finding]

    @property
    def readable(self) -> bool:
        """Whether header and claims could be read (of a JWE: the header)."""
        return self.header.members is not None and (self.encrypted or self.payload.members is not None)


def read(text: str) -> Reading:
    """Take a token apart.

    Args:
        text: What somebody passes for a token, with all its dirt.

    Returns:
        The parts and the findings about their form. Never raises for what is in the text.
    """
    findings: list[Finding] = []
    bare = _without_wrapping(text, findings)
    nothing = Part("")
    size = len(bare.encode("utf-8", "surrogatepass"))
    parts = bare.split(".")
    encrypted = len(parts) == 5
    if not _count_is_readable(bare, len(parts), findings):
        return Reading(nothing, nothing, nothing, False, size, findings)
    header = _object(parts[0], "header", findings)
    if encrypted:
        return Reading(header, nothing, nothing, True, size, findings)
    payload = _object(parts[1], "payload", findings)
    rest = parts[2] if len(parts) > 2 else ""
    signature = Part(rest, _bytes(rest, "signature", findings))
    return Reading(header, payload, signature, False, size, findings)


def _without_wrapping(text: str, findings: list[Finding]) -> str:
    """Take off what tools and people leave around a token."""
    scheme = _SCHEME.match(text)
    if scheme:
        text = text[scheme.end() :]
        findings.append(
            Finding(REFUSED, "bearer_prefix", "token", 'the text begins with "Bearer "; the token is what follows')
        )
    stripped = text.strip()
    if len(stripped) >= 2 and stripped[0] == stripped[-1] and stripped[0] in "\"'`":
        stripped = stripped[1:-1]
        findings.append(Finding(REFUSED, "quotes", "token", "the token stands in quotes; leave them out"))
    elif stripped != text:
        findings.append(Finding(REFUSED, "white_space", "token", "white space around the token"))
    inner = _WHITE_SPACE.search(stripped)
    if inner and not stripped.startswith("{"):
        findings.append(
            Finding(
                REFUSED,
                "white_space",
                "token",
                "white space or a line break inside the token; read as if it were not there",
                inner.start() + 1,
            )
        )
        stripped = _WHITE_SPACE.sub("", stripped)
    return stripped


def _count_is_readable(text: str, count: int, findings: list[Finding]) -> bool:
    """Judge the number of parts; False where there is nothing to decode."""
    message = ""
    if not text:
        code, message = "empty", "there is no token"
    elif text.startswith("{"):
        code = "json_serialization"
        message = "this is a JSON object (perhaps the JSON serialization of a JWS); Jotgate reads compact tokens"
    elif count == 1:
        code = "not_a_jwt"
        message = "no dots: not a JWT. Opaque tokens are for their issuer to look up (token introspection)"
    if message:
        findings.append(Finding(REFUSED, code, "token", message))
        return False
    if count == 5:
        message = "five parts: an encrypted token (JWE). Only its header can be read without the key"
        findings.append(Finding(REFUSED, "encrypted", "token", message))
    elif count == 2:
        message = "two parts: the signature and its dot are missing"
        findings.append(Finding(REFUSED, "no_signature", "token", message))
    elif count != 3:
        message = f"{count} parts; a signed token has three, joined by two dots"
        findings.append(Finding(REFUSED, "part_count", "token", message))
    return True


def _bytes(text: str, part: str, findings: list[Finding]) -> bytes:
    """Decode base64url, through padding and the standard alphabet, up to the first other character."""
    bare = text.rstrip("=")
    if bare != text:
        message = "ends with = padding, which a token does not have"
        findings.append(Finding(REFUSED, "padding", part, message, len(bare) + 1))
    standard = re.search(r"[+/]", bare)
    if standard:
        message = "uses + or / of plain base64 instead of - and _"
        findings.append(Finding(REFUSED, "standard_base64", part, message, standard.start() + 1))
        bare = bare.translate(_TO_BASE64URL)
    wrong = _NOT_BASE64URL.search(bare)
    if wrong:
        message = f"not one of {_ALPHABET}; what follows it was not read"
        shown = repr(printable(wrong.group()))
        findings.append(Finding(REFUSED, "bad_base64", part, message, wrong.start() + 1, shown))
        bare = bare[: wrong.start()]
    if len(bare) % 4 == 1:
        if not wrong:
            message = "one character too many or too few: the text was cut off or changed"
            findings.append(Finding(REFUSED, "bad_base64", part, message, len(bare)))
        bare = bare[:-1]
    data = binascii.a2b_base64(bare.translate(_TO_BASE64) + "=" * (-len(bare) % 4))
    if not wrong and bare and _last_mark_has_spare_bits(bare, data):
        message = "the last character carries bits that belong to no byte: a second spelling of another token"
        findings.append(Finding(REFUSED, "non_canonical_base64", part, message, len(bare)))
    return data


def _last_mark_has_spare_bits(bare: str, data: bytes) -> bool:
    canonical = binascii.b2a_base64(data, newline=False).decode("ascii").translate(_TO_BASE64URL).rstrip("=")
    return canonical != bare


def _object(text: str, part: str, findings: list[Finding]) -> Part:
    """Read a part that should hold one JSON object."""
    before = len(findings)
    if not text:
        findings.append(Finding(REFUSED, "empty", part, "is empty"))
        return Part(text)
    data = _bytes(text, part, findings)
    members = _json_object(data, part, findings)
    if len(findings) == before and members is not None:
        _ask_the_engine(data, part, findings)
    return Part(text, data, members)


def begins_token(line: str) -> bool:
    """Whether a line begins with the header of a token, which the rest of a wrapped token does not."""
    reading = read(line)
    return reading.header.members is not None


def fault_of_json(data: bytes) -> str:
    """Say what keeps a file from being one strict JSON object; an empty string where it cannot be told."""
    findings: list[Finding] = []
    _json_object(data, "text", findings)
    if not findings:
        return ""
    # A file is not decoded, and nothing of it is read after a fault.
    message = findings[0].message.replace(" of the decoded text", "").partition(";")[0]
    return f"{findings[0].detail}: {message}" if findings[0].detail else message


def _json_object(data: bytes, part: str, findings: list[Finding]) -> dict[str, Any] | None:
    def found(code: str, message: str, detail: str | None = None) -> None:
        findings.append(Finding(REFUSED, code, part, message, detail=detail))

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for name, value in pairs:
            if name in members:
                found("duplicate_member", "a member stands twice; the last one is read", repr(printable(name)))
            members[name] = value
        return members

    def integer(digits: str) -> int | str:
        if len(digits) > _MOST_DIGITS:
            found("number_range", f"an integer of {len(digits)} digits")
            return digits
        number = int(digits)
        if not _SMALLEST_INTEGER <= number <= _LARGEST_INTEGER:
            found("number_range", "an integer that does not fit 64 bits; parsers disagree on its value")
        return number

    def fraction(digits: str) -> float | str:
        number = float(digits)
        if number in (float("inf"), float("-inf")):
            found("number_range", "a number too large for a double")
            return digits
        return number

    def constant(name: str) -> str:
        found("bad_json", f"{name} is not JSON")
        return name

    text = _decoded(data, found)
    decoder = json.JSONDecoder(
        object_pairs_hook=unique, parse_int=integer, parse_float=fraction, parse_constant=constant
    )
    start = len(text) - len(text.lstrip(" \t\r\n"))
    try:
        value, end = decoder.raw_decode(text, start)
    except json.JSONDecodeError as error:
        found("bad_json", f"not JSON: {error.msg.lower()}, at character {error.pos + 1} of the decoded text")
        return None
    except RecursionError:
        found("too_deep", "nested too deeply to be read")
        return None
    if text[end:].strip(" \t\r\n"):
        found("trailing_data", f"more text follows the JSON value, from character {end + 1} of the decoded text")
    if not isinstance(value, dict):
        found("not_an_object", f"a JSON {_json_name(value)}, where an object is needed")
        return None
    return value


def _decoded(data: bytes, found: Callable[[str, str], None]) -> str:
    """Turn the bytes into text, through encodings that JSON in a token must not have."""
    if data.startswith(b"\xef\xbb\xbf"):
        found("byte_order_mark", "begins with a byte order mark")
        data = data[3:]
    elif data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in data[:2]:
        found("not_utf8", "is UTF-16 or UTF-32, not UTF-8")
        little = data[:2] == b"\xff\xfe" or data[1:2] == b"\x00"
        return data.decode("utf-16-le" if little else "utf-16-be", "replace").lstrip("\ufeff")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        found("not_utf8", f"byte {error.start + 1} of the decoded text is not valid UTF-8")
        return data.decode("utf-8", "replace")


def _ask_the_engine(data: bytes, part: str, findings: list[Finding]) -> None:
    """Report what only the strict scanner refuses, depth and lone surrogates among it."""
    from jotgate._json import check
    from jotgate.errors import MalformedTokenError

    try:
        check(data)
    except MalformedTokenError as error:
        findings.append(Finding(REFUSED, "bad_json", part, str(error)))


def _json_name(value: object) -> str:
    names = {
        bool: "boolean",
        int: "number",
        float: "number",
        str: "string",
        list: "array",
        type(None): "null",
    }
    return names.get(type(value), "value")
