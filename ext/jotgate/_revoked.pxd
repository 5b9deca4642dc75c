"""What was taken back: an index that answers without I/O and without the GIL."""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from jotgate._codec cimport Span
from jotgate._json cimport Value


cdef struct RevokedId:
    uint64_t high                              # 0: a free place
    uint64_t low
    int64_t until                              # Unix seconds: from then on it need not be known


@cython.final
cdef class RevocationIndex:
    cdef readonly uint64_t generation          # grows with every change
    cdef RevokedId* _places
    cdef uint32_t _mask
    cdef uint32_t _count
    cdef bint revokes(self, Span document, const Value* values) noexcept nogil
    cdef RevokedId* place_of(self, uint64_t high, uint64_t low) noexcept nogil
    cdef int make_room(self) except -1
