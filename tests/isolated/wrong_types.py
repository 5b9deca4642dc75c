"""Whatever Python object is handed to verify(), only a JotgateError comes out, and nothing is accepted."""

import array
import gc
import sys

from support import NOW, clock_at, doors, outcome, token, verifier

from jotgate import unverified
from jotgate.errors import JotgateError, MalformedTokenError

TEXT = token()
seen_by_evil: list[str] = []


class Evil:
    """Every hook raises or lies."""

    def __eq__(self, other: object) -> bool:
        seen_by_evil.append("eq")
        raise RuntimeError

    def __hash__(self) -> int:
        seen_by_evil.append("hash")
        raise RuntimeError

    def __len__(self) -> int:
        seen_by_evil.append("len")
        raise RuntimeError

    def __bool__(self) -> bool:
        seen_by_evil.append("bool")
        raise RuntimeError

    def __str__(self) -> str:
        seen_by_evil.append("str")
        return TEXT

    def __repr__(self) -> str:
        seen_by_evil.append("repr")
        return TEXT

    def __bytes__(self) -> bytes:
        seen_by_evil.append("bytes")
        return TEXT.encode()

    def __getattr__(self, name: str) -> object:
        seen_by_evil.append(name)
        raise RuntimeError

    def __iter__(self) -> object:
        seen_by_evil.append("iter")
        raise RuntimeError


class LyingClass(Evil):
    """Says it is a str."""

    __class__ = str  # type: ignore[assignment]


class Text(str):
    def __len__(self) -> int:
        return 3

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __hash__(self) -> int:
        raise RuntimeError

    def encode(self, *_: object) -> bytes:
        raise RuntimeError

    def isascii(self) -> bool:
        raise RuntimeError


class Data(bytes):
    def __len__(self) -> int:
        return 3

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __hash__(self) -> int:
        raise RuntimeError


class MetaEvil(type):
    def __eq__(cls, other: object) -> bool:
        raise RuntimeError

    def __hash__(cls) -> int:
        raise RuntimeError

    def __instancecheck__(cls, instance: object) -> bool:
        raise RuntimeError


class EvilType(metaclass=MetaEvil):
    pass


class Buffer(bytearray):
    pass


def recursive() -> list[object]:
    made: list[object] = []
    made.append(made)
    return made


WRONG: list[object] = [
    None, ..., NotImplemented, True, False, 0, 1, -1, 10**400, 1.5, float("nan"), 1j, object(), object, type,
    str, bytes,
    bytearray(TEXT.encode()), memoryview(TEXT.encode()), memoryview(TEXT.encode())[::2], array.array("b",
    TEXT.encode()),
    Buffer(TEXT.encode()), Text(TEXT), Data(TEXT.encode()), Evil(), LyingClass(), EvilType, EvilType(),
    [TEXT], (TEXT,),
    {TEXT: TEXT}, {TEXT}, frozenset({TEXT}), iter(TEXT), (char for char in TEXT), range(3), slice(3),
    lambda: TEXT, print, sys, gc,
    RuntimeError(TEXT), recursive(), doors, verifier, verifier(), unverified.peek(TEXT), TEXT.encode,
    b"".join, type("T", (), {}),
]  # fmt: skip
STRANGE: list[str | bytes] = [
    "", b"", "\ud800", "\ud800." + TEXT, TEXT + "\udfff", "\0", TEXT + "\0", "😀" * 100, "é.é.é",
    "\u00ff" * 5000, "\uffff" * 5000,
    "\U0010ffff" * 5000, "x" * 10_000_000, b"x" * 10_000_000, "é" * 10_000_000, "." * 10_000_000,
    b"\xff" * 100, b"\0" * 100,
    TEXT.encode("utf-16"), sys.intern(TEXT + "x"), "".join(["a", ".", "b", ".", "c"]),
    (TEXT + "é")[: len(TEXT)] + " ",
]  # fmt: skip

with clock_at(NOW):
    ways_in = [door.verify for door in doors().values()]
    ways_in += [verifier(allow_padding=True, max_token_bytes=50_000_000).verify, unverified.peek]
    for way_in in ways_in:
        for wrong in WRONG:
            seen_by_evil.clear()
            error = outcome(lambda way_in=way_in, wrong=wrong: way_in(wrong))
            assert type(error) is MalformedTokenError, f"{type(wrong)} was accepted"
            assert (error.code, error.claim) == ("malformed", None)
            assert not seen_by_evil, f"a wrong object was asked for {seen_by_evil}"
        for strange in STRANGE:
            error = outcome(lambda way_in=way_in, strange=strange: way_in(strange))
            assert error is not None or way_in is unverified.peek, "a strange text was accepted"
            if error is not None:
                assert error.code in ("malformed", "too_large", "bad_signature"), error.code
                assert error.claim is None
    # A str that shares its buffer with a wider one is still compact ASCII after slicing.
    assert ways_in[0]((TEXT + "é")[: len(TEXT)]).alg == "HS256"
    # An option that is no bool is never asked for its truth.
    for option in (Evil(), EvilType()):
        try:
            verifier().verify(TEXT, fresh=option)
        except (TypeError, JotgateError):
            continue
