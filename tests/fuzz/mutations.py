"""Ways to break a token: bytes of anything, and members of a JSON document."""

import json
import random
from typing import Any

from support import AUDIENCE, ISSUER, NOW, dumps

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

# What breaks parsers: bytes with a meaning somewhere, numbers at an edge, names that matter.
TOKENS = [
    b".", b"..", b"=", b"==", b"+", b"/", b"-", b"_", b"\0", b"\n", b" ", b"\xff", b"\x80", b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\", b"\\u0000",
    b"\\ud800", b"\\ud83d\\ude00",
    b"\\\"", b"\\u", b"null", b"true", b"false", b"NaN", b"-0", b"1e400", b"1e-400", b"1E5", b"0.1", b"-",
    b"00", b"1.", b".5",
    b"9223372036854775807", b"18446744073709551615", b"18446744073709551616", b"-9223372036854775809",
    b"253402300799",
    b"253402300800", b"1700000000", b"1700000000.000000001", b"179769313486231570000e304", b'"alg"',
    b'"none"', b'"HS256"',
    b'"kid"', b'"crit"', b'"b64"', b'"typ"', b'"exp"', b'"nbf"', b'"iat"', b'"iss"', b'"aud"', b'"sub"',
    b'"jti"', b'"azp"',
    b'"\\u0065xp"', b'"a":1,"a":2', b"{}", b"[]", b'{"a":' * 33, b"[" * 33, b"]" * 33,
    b'"' + b"a" * 300 + b'"',
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, NOW, NOW - 1, NOW + 1, NOW + 0.5, 1e30, 2**63, 2**64 - 1, -(2**63), "", "x",
    ISSUER, AUDIENCE, "none",
    "HS256", "at+jwt", [], [""], [AUDIENCE], [AUDIENCE, 1], ["x"] * 20, {}, {"a": {"b": [1]}}, "\u20ac",
    "\U0001f600", "\n\"\\", "\0",
]  # fmt: skip
NAMES = [
    "alg",
    "kid",
    "crit",
    "b64",
    "typ",
    "jwk",
    "jku",
    "exp",
    "nbf",
    "iat",
    "iss",
    "aud",
    "sub",
    "jti",
    "azp",
    "x",
    "",
    "é",
]


class Mutator:
    """Breaks bytes and documents by the choices of one random sequence."""

    def __init__(self, chooser: random.Random) -> None:
        self.chooser = chooser

    def bytes_mutated(self, data: bytes) -> bytes:
        """Change some bytes of anything."""
        chooser = self.chooser
        for _ in range(chooser.choice((1, 1, 1, 2, 3, 8))):
            at = chooser.randrange(len(data) + 1)
            action = chooser.randrange(9)
            if action == 0:
                data = data[:at] + bytes([chooser.randrange(256)]) + data[at + 1 :]
            elif action == 1:
                data = data[:at] + bytes([chooser.randrange(256)]) + data[at:]
            elif action == 2:
                data = data[:at] + data[at + chooser.choice((1, 1, 2, 4, 16)) :]
            elif action == 3:
                data = data[:at] + chooser.choice(TOKENS) + data[at:]
            elif action == 4 and data:
                at = min(at, len(data) - 1)
                data = data[:at] + bytes([data[at] ^ 1 << chooser.randrange(8)]) + data[at + 1 :]
            elif action == 5:
                end = chooser.randrange(len(data) + 1)
                data = data[:at] + data[min(at, end) : max(at, end)] + data[at:]
            elif action == 6:
                data = data[:at]
            elif action == 7:
                data = data[:at] + chooser.choice(TOKENS) + data[at + chooser.choice((1, 2, 5)) :]
            else:
                data = data[:at] + bytes([chooser.choice(ALPHABET)]) + data[at + 1 :]
        return data[:300_000]

    def document_mutated(self, raw: bytes) -> bytes:
        """Change a JSON document: as a value if it is one, else as bytes."""
        chooser = self.chooser
        try:
            value = json.loads(raw)
        except ValueError:
            return self.bytes_mutated(raw)
        if not isinstance(value, dict) or chooser.random() < 0.4:
            return self.bytes_mutated(raw)
        action = chooser.randrange(6)
        name = chooser.choice(NAMES)
        if action == 0 and value:
            value.pop(chooser.choice(list(value)))
        elif action in (1, 2):
            value[name] = chooser.choice(VALUES)
        elif action == 3 and value:
            value[chooser.choice(list(value))] = chooser.choice(VALUES)
        elif action == 4:
            return raw[:-1] + b"," + dumps({name: chooser.choice(VALUES)})[1:]
        else:
            for number in range(chooser.choice((3, 70, 300))):
                value[f"{number}{chooser.random()}"] = chooser.choice(VALUES)
        return json.dumps(value, ensure_ascii=chooser.random() < 0.5, indent=chooser.choice((None, None, 1))).encode(
            "utf-8", "surrogatepass"
        )
