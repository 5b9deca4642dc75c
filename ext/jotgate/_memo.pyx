"""The header memo: a header segment seen before leads straight to its key.

A gateway sees few different headers: one for each key and token kind. A memo belongs to one policy and one key snapshot
and dies with them, so nothing in it can outlive a key. It is filled only after a signature checked out: who cannot sign
cannot fill it. Bound: 64 headers of at most 2 KiB; a new one takes the place of the old one in its slot.
"""

cimport cython

from jotgate._codec cimport Span, keyed_hash, same_bytes, span_of
from jotgate._token cimport Header


cdef inline int slot_of(Span segment) noexcept nogil:
    return <int>(keyed_hash(segment) >> 58)


@cython.final
cdef class HeaderMemo:
    """Headers by their exact text."""

    def __cinit__(self):
        self._slots = [None] * MEMO_SLOTS

    cdef Header find(self, Span segment):
        """The header with this very text, or None."""
        cdef Header header = <Header>self._slots[slot_of(segment)]
        if header is not None and same_bytes(segment, span_of(header.segment)):
            return header
        return None

    cdef int add(self, Header header) except -1:
        cdef Span segment = span_of(header.segment)
        if segment.size > MEMO_SEGMENT_BYTES:
            return 0
        self._slots[slot_of(segment)] = header
        return 0
