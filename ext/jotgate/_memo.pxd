"""Headers seen before."""

cimport cython

from jotgate._codec cimport Span
from jotgate._token cimport Header

cdef enum:
    MEMO_SLOTS = 64                 # at most this many headers, one per slot
    MEMO_SEGMENT_BYTES = 2048       # a longer one is read anew each time


@cython.final
cdef class HeaderMemo:
    cdef list _slots

    cdef Header find(self, Span segment)
    cdef int add(self, Header header) except -1
