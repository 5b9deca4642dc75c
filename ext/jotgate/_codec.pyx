"""The text of a token: compact split, strict base64url, constant-time comparison.

Strict means: one byte string has exactly one text. No padding (but for one named opt-in), no white space, no other
alphabet, no unused bits set (RFC 7515 section 2, RFC 4648 sections 3.2, 3.3 and 3.5).
"""

import os

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memchr

from jotgate._fault cimport BAD_CHARACTER, NOT_THREE_PARTS, OK, Fault

from jotgate.errors import MalformedTokenError

cdef extern from "base64url_avx2.h" nogil:
    bint have_avx2 "jg_have_avx2"() noexcept
    bint only_alphabet_avx2 "jg_only_alphabet_avx2"(const uint8_t* at, size_t size) noexcept
    size_t decode_avx2 "jg_decode_avx2"(const uint8_t* at, size_t size, uint8_t* out, int* outside_found) noexcept

cdef bint AVX2 = have_avx2()

# Tables over what an attacker sends (member names, token text) are hashed under a secret of this process, so that
# nobody can choose what collides. Not the interpreter's own secret: PYTHONHASHSEED may fix that one.
_secret = os.urandom(16)
SECRET_WORD = load_word(<const uint8_t*>PyBytes_AS_STRING(_secret))
SECRET_STATE = load_word(<const uint8_t*>PyBytes_AS_STRING(_secret) + 8)
del _secret

cdef const uint8_t* ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

# Four tables, one for each position in a group of four, hold the six bits already shifted into place, so that a group
# is three ORs. Anything outside the alphabet sets bits above the 24 used: errors are gathered by OR and looked at once.
cdef uint32_t NOT_IN_ALPHABET = 0xFF000000
cdef uint32_t[256] FIRST
cdef uint32_t[256] SECOND
cdef uint32_t[256] THIRD
cdef uint32_t[256] FOURTH


cdef void fill_tables() noexcept nogil:
    cdef uint32_t value
    for value in range(256):
        FIRST[value] = SECOND[value] = THIRD[value] = FOURTH[value] = NOT_IN_ALPHABET
    for value in range(64):
        FIRST[ALPHABET[value]] = value << 18
        SECOND[ALPHABET[value]] = value << 12
        THIRD[ALPHABET[value]] = value << 6
        FOURTH[ALPHABET[value]] = value

fill_tables()


cdef bint only_alphabet(Span text) noexcept nogil:
    cdef uint8_t outside = 0
    cdef uint8_t c, lower
    cdef Py_ssize_t i
    if AVX2 and text.size >= 32:
        return only_alphabet_avx2(text.start, text.size)
    # no branch and no table in the loop: compilers turn it into 16 bytes a step
    for i in range(text.size):
        c = text.start[i]
        lower = c | 0x20
        outside |= not ((<uint8_t>(lower - 97) < 26) | (<uint8_t>(c - 48) < 10) | (c == 45) | (c == 95))
    return not outside


cdef bint strip_padding(Span* part) noexcept nogil:
    """Drop the `=` that fill the last group, if they are there; False when they are too few or too many."""
    cdef Py_ssize_t size = part.size
    while size > 0 and part.size - size < 2 and part.start[size - 1] == 61:
        size -= 1
    if size == part.size:
        return True
    if part.size % 4 != 0:
        return False
    part.size = size
    return True


cdef Fault split_compact(Span text, bint allow_padding, Compact* parts) noexcept nogil:
    """Cut at exactly two dots; refuse every byte that base64url does not use (RFC 7515 section 7.1)."""
    cdef const uint8_t* end = text.start + text.size
    cdef const uint8_t* first
    cdef const uint8_t* second
    cdef Py_ssize_t whole
    first = <const uint8_t*>memchr(text.start, 46, text.size)
    if first == NULL:
        return NOT_THREE_PARTS
    second = <const uint8_t*>memchr(first + 1, 46, end - first - 1)
    if second == NULL:
        return NOT_THREE_PARTS
    parts.header = span(text.start, first - text.start)
    parts.payload = span(first + 1, second - first - 1)
    parts.signature = span(second + 1, end - second - 1)
    parts.signing_input = span(text.start, second - text.start)
    parts.padded = False
    if allow_padding:
        if not (strip_padding(&parts.header) and strip_padding(&parts.payload) and strip_padding(&parts.signature)):
            return BAD_CHARACTER
        whole = parts.header.size + parts.payload.size + parts.signature.size + 2
        parts.padded = whole != text.size
    if only_alphabet(parts.header) and only_alphabet(parts.payload) and only_alphabet(parts.signature):
        return OK
    # a third dot is searched for only where something is wrong already: it is not in the alphabet
    return BAD_CHARACTER if memchr(second + 1, 46, end - second - 1) == NULL else NOT_THREE_PARTS


cdef Py_ssize_t decoded_size(Py_ssize_t text_size) noexcept nogil:
    if text_size % 4 == 1:
        return -1
    return text_size // 4 * 3 + (text_size % 4 * 3) // 4


cdef Py_ssize_t encoded_size(Py_ssize_t byte_count) noexcept nogil:
    return byte_count // 3 * 4 + (byte_count % 3 * 4 + 2) // 3


cdef bint is_canonical_tail(Span text) noexcept nogil:
    cdef Py_ssize_t rest = text.size % 4
    if rest == 0:
        return True
    if rest == 1:
        return False
    # 2 characters carry 12 bits for one byte, 3 carry 18 for two: the unused 4 or 2 must be zero
    return not (FOURTH[text.start[text.size - 1]] & (0xF if rest == 2 else 0x3))


cdef bint decode_base64url(Span text, uint8_t* out) noexcept nogil:
    """Decode canonical base64url; False when the text is anything else (RFC 4648 section 5)."""
    cdef const uint8_t* at = text.start
    cdef Py_ssize_t rest = text.size % 4
    cdef Py_ssize_t done = 0
    cdef uint32_t seen = 0
    cdef uint32_t bits
    cdef int outside = False
    if AVX2:
        done = decode_avx2(at, text.size, out, &outside)
        if outside:
            return False
        at += done
        out += done // 4 * 3
    for _ in range((text.size - done) // 4):
        bits = FIRST[at[0]] | SECOND[at[1]] | THIRD[at[2]] | FOURTH[at[3]]
        seen |= bits
        out[0] = <uint8_t>(bits >> 16)
        out[1] = <uint8_t>(bits >> 8)
        out[2] = <uint8_t>bits
        at += 4
        out += 3
    if rest:
        if not is_canonical_tail(text):
            return False
        bits = FIRST[at[0]] | SECOND[at[1]]
        out[0] = <uint8_t>(bits >> 16)
        if rest == 3:
            bits |= THIRD[at[2]]
            out[1] = <uint8_t>(bits >> 8)
        seen |= bits
    return not seen & NOT_IN_ALPHABET


cdef void encode_base64url(Span data, uint8_t* out) noexcept nogil:
    cdef const uint8_t* at = data.start
    cdef Py_ssize_t rest = data.size % 3
    cdef uint32_t bits
    for _ in range(data.size // 3):
        bits = <uint32_t>at[0] << 16 | <uint32_t>at[1] << 8 | at[2]
        out[0] = ALPHABET[bits >> 18]
        out[1] = ALPHABET[bits >> 12 & 63]
        out[2] = ALPHABET[bits >> 6 & 63]
        out[3] = ALPHABET[bits & 63]
        at += 3
        out += 4
    if rest:
        bits = <uint32_t>at[0] << 16
        if rest == 2:
            bits |= <uint32_t>at[1] << 8
            out[2] = ALPHABET[bits >> 6 & 63]
        out[0] = ALPHABET[bits >> 18]
        out[1] = ALPHABET[bits >> 12 & 63]


cdef bint constant_time_same(const uint8_t* one, const uint8_t* other, size_t size) noexcept nogil:
    """Compare without telling by its duration where the first difference lies (RFC 7518 section 3.2)."""
    # volatile: no compiler may leave the loop early once the outcome is known
    cdef volatile uint64_t difference = 0
    cdef size_t i = 0
    while i + 8 <= size:
        difference |= load_word(one + i) ^ load_word(other + i)
        i += 8
    while i < size:
        difference |= one[i] ^ other[i]
        i += 1
    return difference == 0


cdef bytes ascii_bytes(object text):
    if type(text) is str and text.isascii():
        return (<str>text).encode("ascii")
    if type(text) is bytes:
        return text
    raise MalformedTokenError("base64url is ASCII text, as str or bytes", "malformed")


def b64url_decode(text):
    """Decode strict base64url: canonical, unpadded, nothing ignored.

    Args:
        text: ASCII ``str`` or ``bytes``.

    Returns:
        The decoded bytes.

    Raises:
        MalformedTokenError: ``malformed``: any other type, character, length, or non-zero unused bits.

    Spec: RFC 7515 section 2; RFC 4648 section 3.5 (where it leaves unused bits open, they must be zero here).
    """
    cdef bytes written = ascii_bytes(text)
    cdef Span source = span_of(written)
    cdef Py_ssize_t size = decoded_size(source.size)
    cdef bytes out
    if size >= 0:
        out = PyBytes_FromStringAndSize(NULL, size)
        if decode_base64url(source, <uint8_t*>PyBytes_AS_STRING(out)):
            return out
    raise MalformedTokenError("not canonical unpadded base64url", "malformed")


def b64url_encode(data):
    """Encode ``bytes`` as unpadded base64url text (RFC 7515 section 2)."""
    cdef bytes source = data
    cdef bytes out = PyBytes_FromStringAndSize(NULL, encoded_size(len(source)))
    encode_base64url(span_of(source), <uint8_t*>PyBytes_AS_STRING(out))
    return PyUnicode_DecodeASCII(PyBytes_AS_STRING(out), len(out), NULL)


def constant_time_equal(one, other):
    """Compare two ``bytes`` objects in a time that depends on their lengths only."""
    cdef bytes a = one
    cdef bytes b = other
    if len(a) != len(b):
        return False
    return constant_time_same(<const uint8_t*>PyBytes_AS_STRING(a), <const uint8_t*>PyBytes_AS_STRING(b), len(a))


def split(text):
    """Cut a compact token into its three base64url parts, as ``bytes``.

    Args:
        text: ASCII ``str`` or ``bytes``.

    Returns:
        ``(header, payload, signature)`` as written.

    Raises:
        MalformedTokenError: ``malformed``: not three parts of base64url characters.

    Spec: RFC 7515 section 7.1.
    """
    cdef Compact parts
    cdef bytes written = ascii_bytes(text)
    if split_compact(span_of(written), False, &parts) != OK:
        raise MalformedTokenError("a token is three parts of base64url joined by two dots", "malformed")
    return (
        PyBytes_FromStringAndSize(<const char*>parts.header.start, parts.header.size),
        PyBytes_FromStringAndSize(<const char*>parts.payload.start, parts.payload.size),
        PyBytes_FromStringAndSize(<const char*>parts.signature.start, parts.signature.size),
    )


def use_avx2_for_tests(wanted):
    """Choose the portable loops (False) or, where the processor has it, AVX2 (True); return what is in use now."""
    global AVX2
    AVX2 = bool(wanted) and have_avx2()
    return bool(AVX2)
