"""Hostile payloads under valid signatures: what the issuer's own key must not be able to get accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from jotgate.cli.demo.population import AUDIENCE, ISSUER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jotgate.cli.demo.forge import Forge


def _spliced(forge: Forge, member: bytes) -> str:
    """Sign honest claims with one more member, written as raw JSON at the front."""
    return forge.signed(payload=b"{" + member + b"," + orjson.dumps(forge.claims())[1:])


def _duplicates(forge: Forge) -> Iterator[str]:
    for member in (
        b'"exp":1',
        b'"\\u0065xp":1',
        b'"sub":"admin"',
        b'"x":{"a":1,"\\u0061":2}',
        b'"x":[{"a":1,"a":1}]',
    ):
        yield _spliced(forge, member)


def _not_json(forge: Forge) -> Iterator[str]:
    honest = orjson.dumps(forge.claims())
    for payload in (
        b"",
        b"{}x",
        honest + honest,
        honest[:-1],
        honest.replace(b'"', b"'"),
        honest[:-1] + b",}",
    ):
        yield forge.signed(payload=payload)
    for member in (
        b'"x":NaN',
        b'"x":Infinity',
        b'"x":01',
        b'"x":1e999',
        b'"x":' + b"9" * 30,
        b'"x":' + b"9" * 5000,
    ):
        yield _spliced(forge, member)
    yield _spliced(forge, b'"x":' + b"[" * 40 + b"]" * 40)


def _not_an_object(forge: Forge) -> Iterator[str]:
    for payload in (b"[]", b'"sub"', b"1", b"null", b"true", b"[" + orjson.dumps(forge.claims()) + b"]"):
        yield forge.signed(payload=payload)


def _not_utf8(forge: Forge) -> Iterator[str]:
    honest = orjson.dumps(forge.claims())
    for payload in (
        b"\xef\xbb\xbf" + honest,
        honest.decode().encode("utf-16"),
        honest.decode().encode("utf-32-be"),
    ):
        yield forge.signed(payload=payload)
    for member in (b'"x":"\xff"', b'"x":"\xc0\xaf"', b'"x":"\\ud800"', b'"\\udfff":1', b'"x":"\xed\xa0\x80"'):
        yield _spliced(forge, member)


def _claim(name: str, *values: Any) -> Any:
    """Make a maker that signs honest claims with one of them replaced, once for each value."""

    def make(forge: Forge) -> Iterator[str]:
        for value in values:
            yield forge.signed(payload=forge.claims(**{name: value}))

    return make


def _time(name: str, *offsets: float) -> Any:
    """Like ``_claim``, with values relative to now in seconds."""

    def make(forge: Forge) -> Iterator[str]:
        for offset in offsets:
            yield forge.signed(payload=forge.claims(**{name: forge.now + offset}))

    return make


def _missing(*names: str) -> Any:
    def make(forge: Forge) -> Iterator[str]:
        for name in names:
            yield forge.signed(payload=forge.claims_without(name))

    return make


def _wrong_types(forge: Forge) -> Iterator[str]:
    values: tuple[tuple[str, Any], ...] = (
        ("exp", str(forge.now + 900)),
        ("exp", True),
        ("exp", None),
        ("nbf", "0"),
        ("iat", [forge.now]),
        ("iss", [ISSUER]),
        ("aud", 1),
        ("aud", [AUDIENCE, 1]),
        ("aud", {"name": AUDIENCE}),
        ("sub", 1),
        ("jti", 1),
    )
    for name, value in values:
        yield forge.signed(payload=forge.claims(**{name: value}))


CLAIM_KINDS = (
    ("duplicate claims", "malformed", _duplicates),
    ("payload that is not strict JSON", "malformed", _not_json),
    ("payload that is not an object", "malformed", _not_an_object),
    ("payload that is not clean UTF-8", "malformed", _not_utf8),
    ("claims of a wrong JSON type", "wrong_type", _wrong_types),
    ("exp, iss or aud missing", "missing_claim", _missing("exp", "iss", "aud")),
    ("expired", "expired", _time("exp", -1, -60, -86400, -0.5)),
    (
        "exp in milliseconds or out of range",
        "invalid_claim",
        _claim("exp", 1_790_000_000_000, -1, 253402300800),
    ),
    ("not yet valid", "not_yet_valid", _time("nbf", 900, 86400)),
    ("issued in the future", "invalid_claim", _time("iat", 900, 86400)),
    (
        "wrong issuer",
        "wrong_issuer",
        _claim("iss", "https://evil.example", f"{ISSUER}/", ISSUER.upper(), "", f"{ISSUER}\0"),
    ),
    (
        "wrong audience",
        "wrong_audience",
        _claim("aud", "https://evil.example", f"{AUDIENCE}/", [], [""], ["a", "b"], AUDIENCE[:-1], f"{AUDIENCE} "),
    ),
)
