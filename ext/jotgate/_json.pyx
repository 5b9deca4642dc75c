"""The strict JSON scanner.

It accepts one JSON object and refuses what parsers read differently: invalid UTF-8, a byte-order mark, a lone
surrogate, a member name twice in one object (compared after unescaping), nesting beyond 32, an integer outside
[-2**63, 2**64), a number beyond the largest finite double, and anything around the object but white space
(RFC 8259; RFC 7515 section 5.2 steps 3 and 4, section 10.12; RFC 7519 section 4).
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memset

from jotgate._codec cimport Span, load_word, lowest_byte, mix, slice_span, span, span_of, tail_word
from jotgate._fault cimport BAD_JSON, DUPLICATE_NAME, NUMBER_RANGE, OK, TOO_DEEP, UNDECIDED, Fault

from jotgate.errors import BY_FAULT

# 2**1024 - 2**970, the smallest number that rounds to infinity; 309 digits, so its decimal exponent is 308.
_INFINITE = str(2**1024 - 2**970).encode()
cdef const uint8_t* INFINITE = <const uint8_t*>PyBytes_AS_STRING(_INFINITE)
cdef int INFINITE_DIGITS = len(_INFINITE)


# -- strings ---------------------------------------------------------------------------------------------------------

cdef inline int hex_value(uint8_t c) noexcept nogil:
    if <uint8_t>(c - 48) < 10:
        return c - 48
    c |= 0x20
    if <uint8_t>(c - 97) < 6:
        return c - 87
    return -1


cdef inline int four_hex(const uint8_t* at) noexcept nogil:
    """The code unit of \\uXXXX, -1 if it is not four hex digits. Stops at the document's end byte."""
    cdef int unit = 0
    cdef int i, digit
    for i in range(4):
        digit = hex_value(at[i])
        if digit < 0:
            return -1
        unit = unit << 4 | digit
    return unit


cdef const uint8_t* skip_escape(const uint8_t* at) noexcept nogil:
    """Past one escape that begins at `at` with a backslash; NULL when it is none."""
    cdef int unit
    cdef uint8_t c = at[1]
    if c == 117:                                                  # u
        unit = four_hex(at + 2)
        if unit < 0 or 0xDC00 <= unit <= 0xDFFF:
            return NULL
        if unit < 0xD800 or unit > 0xDBFF:
            return at + 6
        if at[6] != 92 or at[7] != 117:                           # a high surrogate must be followed by a low one
            return NULL
        unit = four_hex(at + 8)
        return at + 12 if 0xDC00 <= unit <= 0xDFFF else NULL
    # one of: " \ / b f n r t
    if c == 34 or c == 92 or c == 47 or c == 98 or c == 102 or c == 110 or c == 114 or c == 116:
        return at + 2
    return NULL


cdef inline bint is_continuation(uint8_t c) noexcept nogil:
    return c & 0xC0 == 0x80


cdef const uint8_t* skip_utf8(const uint8_t* at) noexcept nogil:
    """Past one multi-byte character; NULL when it is not well-formed (RFC 3629 section 4)."""
    cdef uint8_t c = at[0]
    if 0xC2 <= c <= 0xDF:
        return at + 2 if is_continuation(at[1]) else NULL
    if 0xE0 <= c <= 0xEF:
        if (not is_continuation(at[1]) or (c == 0xE0 and at[1] < 0xA0) or (c == 0xED and at[1] > 0x9F)
                or not is_continuation(at[2])):
            return NULL
        return at + 3
    if 0xF0 <= c <= 0xF4:
        if (not is_continuation(at[1]) or (c == 0xF0 and at[1] < 0x90) or (c == 0xF4 and at[1] > 0x8F)
                or not is_continuation(at[2]) or not is_continuation(at[3])):
            return NULL
        return at + 4
    return NULL


cdef const uint8_t* skip_string(const uint8_t* at, const uint8_t* end, bint* escaped) noexcept nogil:
    """From the byte after the opening quote to the closing quote; NULL when the string is not valid."""
    cdef uint64_t word, special
    escaped[0] = False
    while True:
        # Eight bytes at a time while none is a quote, a backslash, a control or a non-ASCII byte. A borrow can flag
        # a byte above a real hit only, and only the lowest flag is used.
        while end - at >= 8:
            word = load_word(at)
            special = (
                ((word ^ 0x2222222222222222ULL) - 0x0101010101010101ULL)
                | ((word ^ 0x5C5C5C5C5C5C5C5CULL) - 0x0101010101010101ULL)
                | (word - 0x2020202020202020ULL)
                | word
            ) & 0x8080808080808080ULL
            if special:
                at += lowest_byte(special)
                break
            at += 8
        if at[0] == 34:
            return at
        if at[0] == 92:
            escaped[0] = True
            at = skip_escape(at)
        elif at[0] >= 0x80:
            at = skip_utf8(at)
        elif at[0] < 0x20:                                        # also the end byte
            return NULL
        else:
            at += 1
        if at == NULL:
            return NULL


cdef struct Unescaper:
    # Yields the UTF-8 bytes of a valid JSON string's value, one at a time.
    const uint8_t* at
    const uint8_t* end
    bint escaped                    # False: a backslash is a byte like any other
    uint8_t held[4]                 # bytes of the character just unescaped
    int held_count
    int held_at


cdef inline Unescaper unescaper(Span text, bint escaped) noexcept nogil:
    cdef Unescaper made
    made.escaped = escaped
    made.at = text.start
    made.end = text.start + text.size
    made.held_count = 0
    made.held_at = 0
    return made


cdef void hold_character(Unescaper* reader, uint32_t character) noexcept nogil:
    cdef uint8_t* held = reader.held
    reader.held_at = 0
    if character < 0x80:
        held[0] = <uint8_t>character
        reader.held_count = 1
    elif character < 0x800:
        held[0] = <uint8_t>(0xC0 | character >> 6)
        held[1] = <uint8_t>(0x80 | character & 63)
        reader.held_count = 2
    elif character < 0x10000:
        held[0] = <uint8_t>(0xE0 | character >> 12)
        held[1] = <uint8_t>(0x80 | character >> 6 & 63)
        held[2] = <uint8_t>(0x80 | character & 63)
        reader.held_count = 3
    else:
        held[0] = <uint8_t>(0xF0 | character >> 18)
        held[1] = <uint8_t>(0x80 | character >> 12 & 63)
        held[2] = <uint8_t>(0x80 | character >> 6 & 63)
        held[3] = <uint8_t>(0x80 | character & 63)
        reader.held_count = 4


cdef uint32_t unescape(const uint8_t** at) noexcept nogil:
    """The character of one valid escape, and step past it."""
    cdef uint8_t c = at[0][1]
    cdef uint32_t unit
    if c == 117:
        unit = <uint32_t>four_hex(at[0] + 2)
        at[0] += 6
        if 0xD800 <= unit <= 0xDBFF:
            unit = 0x10000 + ((unit - 0xD800) << 10) + (<uint32_t>four_hex(at[0] + 2) - 0xDC00)
            at[0] += 6
        return unit
    at[0] += 2
    if c == 98:
        return 8
    if c == 102:
        return 12
    if c == 110:
        return 10
    if c == 114:
        return 13
    if c == 116:
        return 9
    return c


cdef int next_byte(Unescaper* reader) noexcept nogil:
    """The next byte of the value, -1 at its end."""
    if reader.held_at < reader.held_count:
        reader.held_at += 1
        return reader.held[reader.held_at - 1]
    if reader.at >= reader.end:
        return -1
    if reader.at[0] != 92 or not reader.escaped:
        reader.at += 1
        return reader.at[-1]
    hold_character(reader, unescape(&reader.at))
    reader.held_at = 1
    return reader.held[0]


cdef bint same_string(Span one, bint one_escaped, Span other, bint other_escaped) noexcept nogil:
    """Whether two valid JSON strings (without quotes) have the same value (RFC 7515 section 5.3)."""
    cdef Unescaper a, b
    cdef int c
    if not one_escaped and not other_escaped:
        return one.size == other.size and memcmp(one.start, other.start, one.size) == 0
    a = unescaper(one, one_escaped)
    b = unescaper(other, other_escaped)
    while True:
        c = next_byte(&a)
        if c != next_byte(&b):
            return False
        if c < 0:
            return True


cdef bint string_is(Span document, Value value, Span expected) noexcept nogil:
    return same_string(slice_span(document, value.start, value.end), value.escaped, expected, False)


cdef Py_ssize_t copy_string(Span document, Value value, uint8_t* out, Py_ssize_t room) noexcept nogil:
    """Write a string's value, unescaped, and return its size; -1 when it takes more than `room` bytes."""
    cdef Unescaper reader = unescaper(slice_span(document, value.start, value.end), value.escaped)
    cdef Py_ssize_t size = 0
    cdef int c
    while True:
        c = next_byte(&reader)
        if c < 0:
            return size
        if size == room:
            return -1
        out[size] = <uint8_t>c
        size += 1


# -- names -----------------------------------------------------------------------------------------------------------

cdef void names_init(Names* names) noexcept nogil:
    names.slots = names.inline_slots
    names.mask = INLINE_NAMES - 1
    names.count = 0
    memset(names.inline_slots, 0, sizeof(names.inline_slots))


cdef void names_free(Names* names) noexcept nogil:
    if names.slots != names.inline_slots:
        free(names.slots)
        names.slots = names.inline_slots


cdef uint64_t hash_name(Span text, bint escaped, uint32_t object_serial) noexcept nogil:
    """Hash a name's value: the same for every spelling of it. Never 0, which marks a free slot."""
    cdef uint64_t state = object_serial
    cdef const uint8_t* at = text.start
    cdef Py_ssize_t left = text.size
    cdef uint64_t word = 0
    cdef Unescaper reader
    cdef int c, filled = 0
    cdef Py_ssize_t size = 0
    if escaped:
        reader = unescaper(text, True)
        while True:
            c = next_byte(&reader)
            if c < 0:
                break
            word |= <uint64_t>c << (8 * filled)
            filled += 1
            size += 1
            if filled == 8:
                state = mix(state, word)
                word = 0
                filled = 0
    else:
        size = left
        while left >= 8:
            state = mix(state, load_word(at))
            at += 8
            left -= 8
        word = tail_word(at, left)
    state = mix(mix(state, word), <uint64_t>size)
    return state | 1


cdef bint grow(Names* names) noexcept nogil:
    """Double the table; False when there is no memory."""
    cdef uint32_t old_size = names.mask + 1
    cdef uint32_t mask = old_size * 2 - 1
    cdef uint32_t i, slot
    cdef Name* slots = <Name*>calloc(<size_t>mask + 1, sizeof(Name))
    if slots == NULL:
        return False
    for i in range(old_size):
        if names.slots[i].hash:
            slot = <uint32_t>(names.slots[i].hash >> 32) & mask
            while slots[slot].hash:
                slot = (slot + 1) & mask
            slots[slot] = names.slots[i]
    names_free(names)
    names.slots = slots
    names.mask = mask
    return True


cdef Fault add_name(Names* names, Span document, Name name) noexcept nogil:
    """Enter a name; DUPLICATE_NAME when its object already has it."""
    cdef uint32_t slot = <uint32_t>(name.hash >> 32) & names.mask
    cdef Name* other
    while names.slots[slot].hash:
        other = &names.slots[slot]
        if other.hash == name.hash and other.object == name.object and same_string(
                slice_span(document, name.start, name.end), name.escaped,
                slice_span(document, other.start, other.end), other.escaped):
            return DUPLICATE_NAME
        slot = (slot + 1) & names.mask
    names.slots[slot] = name
    names.count += 1
    if names.count * 2 > names.mask and not grow(names):
        return UNDECIDED
    return OK


cdef bint has_member(const Names* names, Span document, Span name) noexcept nogil:
    cdef uint64_t wanted = hash_name(name, False, 1)
    cdef uint32_t slot = <uint32_t>(wanted >> 32) & names.mask
    while names.slots[slot].hash:
        if (names.slots[slot].hash == wanted and names.slots[slot].object == 1 and same_string(
                slice_span(document, names.slots[slot].start, names.slots[slot].end), names.slots[slot].escaped,
                name, False)):
            return True
        slot = (slot + 1) & names.mask
    return False


cdef void add_word(Vocabulary* vocabulary, bytes name) noexcept:
    """Add a name of one to eight ASCII bytes."""
    vocabulary.word[vocabulary.count] = tail_word(<const uint8_t*>PyBytes_AS_STRING(name), len(name))
    vocabulary.count += 1


cdef inline int wanted_index(const Vocabulary* vocabulary, Span text, bint escaped) noexcept nogil:
    """Which wanted name this is, -1 for none."""
    cdef uint64_t word = 0
    cdef Unescaper reader
    cdef int c, i, size = 0
    if escaped:
        reader = unescaper(text, True)
        while True:
            c = next_byte(&reader)
            if c < 0:
                break
            if size == 8:
                return -1
            word |= <uint64_t>c << (8 * size)
            size += 1
    elif text.size > 8:
        return -1
    else:
        word = tail_word(text.start, text.size)
    for i in range(vocabulary.count):
        if vocabulary.word[i] == word:
            # "exp" and "exp\\u0000" pack into the same word; a NUL can only come from an escape
            return i if not escaped or size == word_size(word) else -1
    return -1


cdef inline int word_size(uint64_t word) noexcept nogil:
    cdef int size = 0
    while word:
        word >>= 8
        size += 1
    return size


# -- numbers ---------------------------------------------------------------------------------------------------------

cdef inline bint is_digit(uint8_t c) noexcept nogil:
    return <uint8_t>(c - 48) < 10


cdef Fault integer_in_range(const uint8_t* at, const uint8_t* end, bint negative) noexcept nogil:
    """Whether the digits are below 2**64, or for a negative number at most 2**63."""
    cdef uint64_t value = 0
    cdef uint64_t digit
    cdef uint64_t limit = <uint64_t>1 << 63 if negative else ~<uint64_t>0
    if end - at > 20:
        return NUMBER_RANGE
    while at < end:
        digit = at[0] - 48
        if value > (limit - digit) // 10:
            return NUMBER_RANGE
        value = value * 10 + digit
        at += 1
    return OK


cdef Fault double_is_finite(const uint8_t* at, const uint8_t* end) noexcept nogil:
    """Whether digits[.digits][e[+-]digits] rounds to a finite double; exact, without converting it."""
    cdef const uint8_t* mantissa = at
    cdef const uint8_t* mantissa_end
    cdef int64_t before_point = 0   # digits before the point, counted from the first that is not zero
    cdef int64_t exponent = 0
    cdef bint seen = False          # a digit other than zero
    cdef bint after = False
    cdef bint negative
    cdef int i = 0
    while at < end and (at[0] | 0x20) != 101:
        if at[0] == 46:
            after = True
        else:
            seen = seen or at[0] != 48
            if seen and not after:
                before_point += 1
            elif not seen and after:
                before_point -= 1
        at += 1
    mantissa_end = at
    if not seen:
        return OK                   # zero, whatever its exponent
    if at < end:
        at += 1
        negative = at[0] == 45
        if at[0] == 45 or at[0] == 43:
            at += 1
        while at < end and exponent < 2 * MAX_DOCUMENT:
            exponent = exponent * 10 + (at[0] - 48)
            at += 1
        before_point += -exponent if negative else exponent
    if before_point != INFINITE_DIGITS:
        return OK if before_point < INFINITE_DIGITS else NUMBER_RANGE
    # as many digits as the limit has: compare digit by digit, missing ones being zeros
    seen = False
    at = mantissa
    while i < INFINITE_DIGITS:
        if at < mantissa_end and at[0] == 46:
            at += 1
            continue
        if at < mantissa_end and at[0] == 48 and not seen:
            at += 1
            continue
        seen = True
        if (at[0] if at < mantissa_end else 48) != INFINITE[i]:
            return OK if (at[0] if at < mantissa_end else 48) < INFINITE[i] else NUMBER_RANGE
        at += 1
        i += 1
    return NUMBER_RANGE


cdef Fault skip_number(const uint8_t** cursor) noexcept nogil:
    """Past one number (RFC 8259 section 6) that a 64-bit integer or a finite double holds."""
    cdef const uint8_t* at = cursor[0]
    cdef bint negative = at[0] == 45
    cdef bint whole = True
    cdef const uint8_t* digits
    if negative:
        at += 1
    digits = at
    if not is_digit(at[0]):
        return BAD_JSON
    if at[0] == 48:
        at += 1
    else:
        while is_digit(at[0]):
            at += 1
    if at[0] == 46:
        whole = False
        at += 1
        if not is_digit(at[0]):
            return BAD_JSON
        while is_digit(at[0]):
            at += 1
    if (at[0] | 0x20) == 101:
        whole = False
        at += 1
        if at[0] == 43 or at[0] == 45:
            at += 1
        if not is_digit(at[0]):
            return BAD_JSON
        while is_digit(at[0]):
            at += 1
    cursor[0] = at
    if whole:
        return OK if at - digits < 19 else integer_in_range(digits, at, negative)
    return double_is_finite(digits, at)


# -- the document ----------------------------------------------------------------------------------------------------

cdef inline const uint8_t* skip_space(const uint8_t* at) noexcept nogil:
    while at[0] == 32 or at[0] == 10 or at[0] == 13 or at[0] == 9:
        at += 1
    return at


cdef inline bint literal(const uint8_t* at, const uint8_t* end, const char* word, int size) noexcept nogil:
    return end - at >= size and memcmp(at, word, size) == 0


cdef Fault scan_object(Span document, const Vocabulary* vocabulary, Value* values, Names* names) noexcept nogil:
    """Read the whole document once (RFC 8259)."""
    cdef const uint8_t* base = document.start
    cdef const uint8_t* end = base + document.size
    cdef const uint8_t* at = base
    cdef const uint8_t* close
    cdef uint32_t serials[MAX_DEPTH + 1]       # serial of the object open at each depth, 0 for an array
    cdef uint32_t serial = 1                   # of the object opened last
    cdef int depth = 1
    cdef int wanted = -1                       # index of the outermost member being read
    cdef Name name
    cdef Value value
    cdef bint escaped = False
    cdef bint empty_allowed = True             # right after an opening bracket
    cdef Fault fault

    memset(values, 0, vocabulary.count * sizeof(Value))
    if document.size > MAX_DOCUMENT:
        return BAD_JSON
    at = skip_space(at)
    if at[0] != 123:
        return BAD_JSON
    at += 1
    serials[1] = 1

    while True:
        # a member or an element begins here, or the container that was just opened closes empty
        at = skip_space(at)
        if not (empty_allowed and at[0] == (125 if serials[depth] else 93)):
            if serials[depth]:
                if at[0] != 34:
                    return BAD_JSON
                at += 1
                close = skip_string(at, end, &escaped)
                if close == NULL:
                    return BAD_JSON
                name.start = <uint32_t>(at - base)
                name.end = <uint32_t>(close - base)
                name.escaped = escaped
                name.object = serials[depth]
                name.hash = hash_name(span(at, close - at), escaped, name.object)
                fault = add_name(names, document, name)
                if fault != OK:
                    return fault
                if depth == 1:
                    wanted = wanted_index(vocabulary, span(at, close - at), escaped)
                at = skip_space(close + 1)
                if at[0] != 58:
                    return BAD_JSON
                at = skip_space(at + 1)

            value.start = <uint32_t>(at - base)
            value.escaped = False
            if at[0] == 34:
                at += 1
                close = skip_string(at, end, &escaped)
                if close == NULL:
                    return BAD_JSON
                value.start = <uint32_t>(at - base)
                value.end = <uint32_t>(close - base)
                value.kind = STRING
                value.escaped = escaped
                at = close + 1
            elif at[0] == 123 or at[0] == 91:
                if depth == MAX_DEPTH:
                    return TOO_DEEP
                if depth == 1 and wanted >= 0:
                    values[wanted].start = value.start
                    values[wanted].kind = OBJECT if at[0] == 123 else ARRAY
                depth += 1
                if at[0] == 123:
                    serial += 1
                    serials[depth] = serial
                else:
                    serials[depth] = 0
                at += 1
                empty_allowed = True
                continue
            elif at[0] == 45 or is_digit(at[0]):
                fault = skip_number(&at)
                if fault != OK:
                    return fault
                value.end = <uint32_t>(at - base)
                value.kind = NUMBER
            else:
                if literal(at, end, "true", 4):
                    at += 4
                    value.kind = BOOLEAN
                elif literal(at, end, "false", 5):
                    at += 5
                    value.kind = BOOLEAN
                elif literal(at, end, "null", 4):
                    at += 4
                    value.kind = NULL_VALUE
                else:
                    return BAD_JSON
                value.end = <uint32_t>(at - base)
            if depth == 1 and wanted >= 0:
                values[wanted] = value
            at = skip_space(at)

        # behind a value, or at the end of an empty container: close what closes, then a comma or the end
        while at[0] == (125 if serials[depth] else 93):
            at += 1
            depth -= 1
            if depth == 0:
                return OK if skip_space(at) == end else BAD_JSON
            if depth == 1 and wanted >= 0:
                values[wanted].end = <uint32_t>(at - base)
            at = skip_space(at)
        if at[0] != 44:
            return BAD_JSON
        at += 1
        empty_allowed = False


cdef bint string_text(Span document, Value value, Span* text, uint8_t** room) noexcept nogil:
    """The value of a string, in place or unescaped into memory that the caller frees; False when there is none."""
    room[0] = NULL
    text[0] = slice_span(document, value.start, value.end)
    if value.escaped:
        room[0] = <uint8_t*>malloc(text.size)           # no value is longer than it is written
        if room[0] == NULL:
            return False
        text[0] = span(room[0], copy_string(document, value, room[0], text.size))
    return True


cdef bint next_string(Span document, Value array, Value* item) noexcept nogil:
    """Step to the next element of a scanned array; False at its end.

    `item` starts zeroed. An element that is not a string has another kind than STRING, and nothing after it is read.
    """
    cdef const uint8_t* base = document.start
    cdef const uint8_t* at
    cdef const uint8_t* close
    cdef bint escaped = False
    at = base + (item.end + 1 if item.kind == STRING else array.start + 1)   # behind the closing quote, or the bracket
    at = skip_space(at)
    if at[0] == 44:
        at = skip_space(at + 1)
    if at[0] == 93:
        return False
    if at[0] != 34:
        item.kind = NULL_VALUE
        return True
    at += 1
    close = skip_string(at, base + document.size, &escaped)
    if close == NULL:                                              # not reached: the scanner has been here
        item.kind = NULL_VALUE
        return True
    item.start = <uint32_t>(at - base)
    item.end = <uint32_t>(close - base)
    item.kind = STRING
    item.escaped = escaped
    return True


def check(data):
    """Check that ``data`` is one JSON object that every parser reads the same way.

    Args:
        data: The document, as ``bytes``.

    Raises:
        MalformedTokenError: ``malformed``: invalid JSON or UTF-8, a byte-order mark, a lone surrogate, a duplicate
            member name at any level, more than 32 levels, or a number outside 64-bit integers and finite doubles.

    Spec: RFC 8259; RFC 7515 section 10.12. Stricter: RFC 8259 section 4 only says that names SHOULD be unique.
    """
    cdef bytes document = data
    cdef Vocabulary nothing
    cdef Value unused
    cdef Names names
    cdef Fault fault
    nothing.count = 0
    names_init(&names)
    fault = scan_object(span_of(document), &nothing, &unused, &names)
    names_free(&names)
    if fault != OK:
        error, code, message = BY_FAULT[fault]
        raise error(message, code)
