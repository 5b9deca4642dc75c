"""The header memo: a header segment seen before leads straight to its key.

A gateway sees few different headers: one for each key and token kind. A memo belongs to one policy and one key
snapshot and dies with them, so nothing in it can outlive a key. It is filled only after a signature checked out: who
cannot sign cannot fill it. Bound: 64 headers of at most 2 KiB; a new one takes the place of the old one in its slot.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint8_t, uint64_t

from jotgate._codec cimport Span, load_word, same_bytes, span, tail_word
from jotgate._token cimport Header


cdef int slot_of(Span segment) noexcept nogil:
    cdef const uint8_t* at = segment.start
    cdef Py_ssize_t left = segment.size
    cdef uint64_t state = <uint64_t>left
    while left >= 8:
        state = (state ^ load_word(at)) * 0x9E3779B97F4A7C15ULL
        at += 8
        left -= 8
    state = (state ^ tail_word(at, left)) * 0x9E3779B97F4A7C15ULL
    return <int>(state >> 58)


@cython.final
cdef class HeaderMemo:
    """Headers by their exact text."""

    def __cinit__(self):
        self._slots = [None] * MEMO_SLOTS

    cdef Header find(self, Span segment):
        """The header with this very text, or None."""
        cdef Header header = <Header>self._slots[slot_of(segment)]
        if header is not None and same_bytes(
                segment, span(<const uint8_t*>PyBytes_AS_STRING(header.segment), len(header.segment))):
            return header
        return None

    cdef int add(self, Header header) except -1:
        cdef Span segment = span(<const uint8_t*>PyBytes_AS_STRING(header.segment), len(header.segment))
        if segment.size > MEMO_SEGMENT_BYTES:
            return 0
        self._slots[slot_of(segment)] = header
        return 0
