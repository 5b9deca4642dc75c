"""The verified-token cache."""

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from jotgate._codec cimport Span
from jotgate._shadow cimport Shadow
from jotgate._table cimport Bucket, Entry, Table
from jotgate._token cimport VerifiedToken


cdef enum Queue:
    WINDOW                          # new, and not seen again since others came after it
    MAIN                            # seen again late, or soon after it left


cdef struct List:
    Entry* newest
    Entry* oldest
    int64_t bytes
    Py_ssize_t count


cdef struct Sighting:
    # What a look-up found; a copy, because the entry may be gone by the time it is looked at.
    PyObject* token                 # a VerifiedToken; owned by whoever asked
    int64_t opens_ns
    int64_t closes_ns
    uint64_t generation


@cython.final
cdef class TokenCache:
    cdef readonly Py_ssize_t max_bytes
    cdef readonly object max_entries           # int or None
    cdef readonly object ttl                   # seconds or None
    cdef int64_t ttl_ns                        # of an entry, however long its token lives
    cdef Py_ssize_t _entry_limit
    cdef bint _taken                           # it serves a verifier
    cdef Table _table
    cdef uint64_t _hand             # the bucket that is looked through next for what has expired
    cdef Shadow _shadow
    cdef double _cap                # share of the bytes that the window may take
    cdef uint64_t _uses, _arrivals
    cdef List _queues[2]
    cdef Py_ssize_t _count
    cdef Py_ssize_t _grow_at                   # entries from which a resize that failed is tried again
    cdef Py_ssize_t _table_bytes               # of the table and the shadow
    cdef Py_ssize_t _bytes                     # entries, headers and tables
    cdef uint64_t _hits, _misses, _evictions, _expired

    cdef bint find(self, Span text, uint64_t hash, Sighting* seen) noexcept
    cdef void expect(self, uint64_t hash) noexcept
    cdef void add(self, Span text, uint64_t hash, VerifiedToken token, int64_t now, int64_t opens_ns,
                  int64_t closes_ns, uint64_t generation) noexcept
    cdef void forget(self, Span text, uint64_t hash) noexcept
    cdef void still_unrevoked(self, Span text, uint64_t hash, uint64_t generation) noexcept

    cdef Entry* make_entry(self, Span text, uint64_t hash, VerifiedToken token) noexcept
    cdef void place(self, Entry* entry) noexcept
    cdef void remove(self, Entry* entry) noexcept
    cdef void remove_all(self) noexcept
    cdef void shrink(self, Py_ssize_t by_bytes, Py_ssize_t by_entries, int64_t now) noexcept
    cdef void evict(self, int64_t now) noexcept
    cdef Entry* victim(self) noexcept
    cdef void evict_from(self, Bucket* bucket) noexcept
    cdef void sweep(self, int64_t now_ns) noexcept
    cdef void grow_tables(self) noexcept
    cdef void push(self, Entry* entry, int queue) noexcept
    cdef void pull(self, Entry* entry) noexcept
    cdef void touch(self, Entry* entry) noexcept
    cdef bint judge(self, Entry* entry) noexcept


cdef uint64_t slot_hash(Span text) noexcept nogil
