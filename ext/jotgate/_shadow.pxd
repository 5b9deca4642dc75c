"""What plain LRU would hold: fingerprints in order of last use."""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t


cdef struct Shade:
    uint32_t* holder                # where the cache's entry keeps the index of this, or NULL: only LRU would hold it
    uint32_t print                  # of the token's hash
    uint32_t charge                 # bytes
    uint32_t newer
    uint32_t older
    uint32_t chained                # the next of those that start at the same head, or of the free ones


@cython.final
cdef class Shadow:
    cdef Shade* _shades             # from 1 on: index 0 is none
    cdef uint32_t* _heads           # by fingerprint, the first of a chain
    cdef uint32_t _room             # shades there is memory for, index 0 included
    cdef uint32_t _head_mask
    cdef uint32_t _count
    cdef uint32_t _made             # as many as were ever in use at once
    cdef uint32_t _newest, _oldest, _free
    cdef int64_t _bytes

    cdef bint see(self, uint64_t hash, uint32_t charge, uint32_t* holder, int64_t bytes_limit,
                  Py_ssize_t count_limit) noexcept
    cdef void expect(self, uint64_t hash) noexcept
    cdef void touch(self, uint32_t at) noexcept
    cdef void grow(self, uint32_t at, Py_ssize_t by_bytes) noexcept
    cdef void let_go(self, uint32_t at) noexcept
    cdef void clear(self) noexcept
    cdef Py_ssize_t make_room(self, uint32_t count, uint32_t heads) noexcept

    cdef uint32_t* head_of(self, uint32_t print) noexcept
    cdef void link(self, uint32_t at) noexcept
    cdef void unlink(self, uint32_t at) noexcept
    cdef void drop_oldest(self) noexcept
