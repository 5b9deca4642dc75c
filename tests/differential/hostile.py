"""Hypothesis strategies for input that is nearly right: JSON, base64url, spelling, order.

Most of what they draw must be accepted, or the interesting faults hide behind the dull ones: a hostile
spelling is one choice among many.
"""

import base64

from hypothesis import strategies as st


def words(text: str) -> list[bytes]:
    """Split a table of texts without blanks."""
    return [word.encode() for word in text.split()]


def lines(text: str) -> list[bytes]:
    """Split a table of texts, one a line."""
    return [line.strip().encode() for line in text.strip().split("\n")]


WHITE_SPACE = st.sampled_from(
    [b""] * 12 + [b" ", b"\n", b"\t", b"\r", b" \r\n\t"] * 2 + [b"\x0b", b"\x00", b"\xc2\xa0"]
)

GOOD_PIECES = words(
    r"""
    a exp iss / é € 😀 eight888 a_string_longer_than_two_words
    \" \\ \/ \b\f\n\r\t \u0061 \u0000 \u00e9 \u20AC \ud83d\ude00 \uffff
    """
)
GOOD_PIECES += [b"\x7f", "\ud7ff\ue000\uffff\u2028".encode()]
BAD_PIECES = words(r'\ud800 \udc00 \ud800\u0061 \ud800\ud800 \udc00\ud800 \u00g0 \u12 \x61 \U0061 \ "')
BAD_PIECES += [b"\n", b"\x00", b"\x1f", b"\x80", b"\xc0\x80", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xed\xa0\x80"]
BAD_PIECES += [b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xff", b"\xe2\x82", b"\xf0\x9f\x98"]
pieces = st.sampled_from(GOOD_PIECES * 12 + BAD_PIECES)
strings = st.lists(pieces, max_size=6).map(lambda chosen: b'"' + b"".join(chosen) + b'"')

# A small set, so that one object often draws a name twice, in two spellings.
member_names = st.sampled_from(
    lines(
        r"""
        "exp"
        "\u0065xp"
        "e\u0078\u0070"
        "exp\u0000"
        "iss"
        "a"
        "A"
        ""
        "a/b"
        "a\/b"
        "é"
        "\u00e9"
        "😀"
        "\ud83d\ude00"
        "eightabc"
        "a name longer than eight"
        "n1"
        "n2"
        "n3"
        "n4"
        "n5"
        """
    )
)

GOOD_NUMBERS = words(
    """
    0 -0 -0.0 1 -1 1700000000 1700000000.5 1e3 1E+3 1.5e-3 0e0
    9223372036854775807 -9223372036854775808 18446744073709551615 18446744073709551616.0
    1.7976931348623157e308 1.7976931348623158e308 4.9e-324 1e-400
    0e999999999999999999999 1e-999999999999999999999 0.1000000000000000055511151231257827
    179769313486231570000000000e282 0.00000000000000000000000000000017976931348623157e339
    """
)
BAD_NUMBERS = words(
    """
    01 -01 +1 .5 1. 1.e1 1e 1e+ - --1 0x1 1_0 NaN Infinity -Infinity １
    1e400 -1e309 1.7976931348623159e308 17976931348623159e292 1e99999999999999999999
    18446744073709551616 -9223372036854775809 123456789012345678901234567890
    """
)
digits = st.from_regex(rb"-?(0|[1-9][0-9]{0,22})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
numbers = st.one_of(st.sampled_from(GOOD_NUMBERS * 4 + BAD_NUMBERS), digits)

literals = st.sampled_from([b"true", b"false", b"null"] * 10 + [b"True", b"nul", b"nulll", b"undefined", b""])
scalars = st.one_of(strings, numbers, literals)

_SEPARATORS = st.sampled_from([b","] * 60 + [b",,", b"", b";", b", ,"])
_COLONS = st.sampled_from([b":"] * 30 + [b" : "] * 5 + [b"", b"::", b","])
_TRAILERS = st.sampled_from([b""] * 30 + [b",", b"]", b"}"])


@st.composite
def _container(draw: st.DrawFn, opening: bytes, closing: bytes, items: st.SearchStrategy[bytes]) -> bytes:
    text = opening + draw(WHITE_SPACE)
    for index, item in enumerate(draw(st.lists(items, max_size=5))):
        text += (draw(_SEPARATORS) if index else b"") + draw(WHITE_SPACE) + item + draw(WHITE_SPACE)
    return text + draw(_TRAILERS) + closing


def _extend(values: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    members = st.tuples(member_names, _COLONS, values).map(b"".join)
    return st.one_of(_container(b"{", b"}", members), _container(b"[", b"]", values))


json_values = st.recursive(scalars, _extend, max_leaves=12)


@st.composite
def json_documents(draw: st.DrawFn) -> bytes:
    """Draw a text that is a JSON object, or nearly: misspelt, cut, or with something around it."""
    members = draw(st.lists(st.tuples(member_names, json_values), max_size=6))
    text = b"{" + b",".join(name + b":" + value for name, value in members) + b"}"
    nesting = draw(st.sampled_from([0] * 12 + [1, 29, 30, 31, 32, 200]))
    if nesting:
        opening, closing = draw(st.sampled_from([(b'{"a":', b"}"), (b"[", b"]")]))
        text = b'{"deep":' + opening * nesting + text + closing * nesting + b"}"
    before = draw(st.sampled_from([b""] * 20 + [b" ", b"\n"] * 3 + [b"\xef\xbb\xbf", b"\x00", b"[", b"\xff\xfe"]))
    after = draw(st.sampled_from([b""] * 20 + [b" ", b"\n"] * 3 + [b"\x00", b"{}", b"x", b",", b"\xe2\x82"]))
    return draw(mutated(before + text + after))


@st.composite
def mutated(draw: st.DrawFn, octets: bytes) -> bytes:
    """Draw the octets as they are, mostly; else one byte changed, put in, taken out, or all after it cut."""
    kind = draw(st.sampled_from(["none"] * 9 + ["flip", "insert", "delete", "cut", "repeat"]))
    if kind == "none" or not octets:
        return octets
    at = draw(st.integers(0, len(octets) - 1))
    if kind == "flip":
        return octets[:at] + bytes([octets[at] ^ 1 << draw(st.integers(0, 7))]) + octets[at + 1 :]
    if kind == "insert":
        return octets[:at] + draw(st.binary(min_size=1, max_size=2)) + octets[at:]
    if kind == "repeat":
        return octets[: draw(st.integers(at, min(len(octets), at + 12)))] + octets[at:]
    return octets[:at] + (octets[at + 1 :] if kind == "delete" else b"")


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def padded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode()


base64url_texts = st.one_of(
    st.binary(max_size=40).map(lambda octets: padded(octets).rstrip("=")),
    st.text(LETTERS, max_size=40),
    st.text(LETTERS + "+/=. \n\x00\x7fé\uff21", max_size=12),
    st.binary(max_size=40).map(padded),
)


def encoded(octets: bytes) -> st.SearchStrategy[str]:
    """Base64url of the octets: canonical, or rarely padded, with trailing bits, or with a letter too many."""
    right = padded(octets).rstrip("=")
    wrong = [padded(octets), right + "=", right + "==", right + "A", right + "\n", right[:-1], right + "é"]
    if right:
        last = LETTERS.index(right[-1])
        wrong += [right[:-1] + LETTERS[last ^ bit] for bit in (1, 2, 4, 8)]
    return st.sampled_from([right] * (6 * len(wrong)) + wrong)


def spelt(value: str) -> st.SearchStrategy[bytes]:
    """A JSON string of the value, plain or with one character escaped."""
    spellings = [f'"{value}"'] * max(4, 3 * len(value))
    for at, character in enumerate(value):
        units = character.encode("utf-16-be").hex()
        escaped = "".join("\\u" + units[i : i + 4] for i in range(0, len(units), 4))
        spellings.append(f'"{value[:at]}{escaped}{value[at + 1 :]}"')
    return st.sampled_from([spelling.encode() for spelling in spellings])


Texts = dict[str, bytes]
"""Members of an object: names and the JSON text of their values."""
Table = dict[str, st.SearchStrategy[bytes]]


@st.composite
def changed(draw: st.DrawFn, right: Texts, others: Table) -> Texts:
    """Draw the members with one to three of them replaced, added or left out."""
    members = dict(right)
    for name in draw(st.lists(st.sampled_from(sorted(others)), min_size=1, max_size=3, unique=True)):
        if name in members and not draw(st.integers(0, 3)):
            del members[name]
        else:
            members[name] = draw(others[name])
    return members


@st.composite
def object_of(draw: st.DrawFn, members: Texts) -> bytes:
    """Draw an object of the members, rarely in another order, with a name escaped, or with a name twice."""
    written = [(f'"{name}"'.encode(), text) for name, text in members.items()]
    twist = draw(st.sampled_from(["none"] * 6 + ["order", "order", "spelling", "spelling", "twice"]))
    if twist == "order":
        written = draw(st.permutations(written))
    elif twist != "none" and members:
        name = draw(st.sampled_from(sorted(members)))
        again = [(draw(spelt(name)), members[name])]
        rest = [(spelling, text) for spelling, text in written if spelling != f'"{name}"'.encode()]
        written = (written if twist == "twice" else rest) + again
    return b"{" + b",".join([name + b":" + text for name, text in written]) + b"}"
