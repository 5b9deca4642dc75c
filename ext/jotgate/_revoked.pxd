"""What was taken back: an index that answers without I/O and without the GIL."""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from jotgate._codec cimport Span
from jotgate._json cimport Value


cdef struct RevokedId:
    uint64_t high                              # 0: a free place
    uint64_t low
    int64_t until                              # Unix seconds: from then on it need not be known


cdef struct RevokedTable:
    # Published whole, so that a reader without the GIL sees one table or another and nothing between.
    RevokedTable* outdated                     # those it took the place of
    uint32_t mask
    RevokedId* places


@cython.final
cdef class RevocationIndex:
    cdef readonly uint64_t generation          # grows with every change
    cdef RevokedTable* _table
    cdef uint32_t _count
    cdef int _readers                          # batches that may read without the GIL: outdated tables stay for them
    cdef void add_reader(self) noexcept
    cdef void drop_reader(self) noexcept
    cdef bint revokes(self, Span document, const Value* values) noexcept nogil
    cdef int make_room(self) except -1
    cdef void free_outdated(self) noexcept


cdef RevokedId* place_of(const RevokedTable* table, uint64_t high, uint64_t low) noexcept nogil
