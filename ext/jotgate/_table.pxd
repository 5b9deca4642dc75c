"""The table of the token cache."""

from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from jotgate._codec cimport Span
from jotgate._token cimport Holder

cdef enum:
    WAYS = 7                        # entries a bucket holds: with their tags one cache line


cdef struct Entry:
    # One verified token. What follows the struct is its text, byte for byte.
    Holder holder                   # first: the token's way back to here
    PyObject* token                 # owned
    uint64_t hash
    int64_t opens_ns                # accepted while opens <= now < closes
    int64_t closes_ns
    uint64_t generation             # of the revocations when it was last found not revoked
    Entry* newer
    Entry* older
    uint32_t size                   # of the text
    uint32_t charge                 # bytes of memory it answers for
    uint8_t queue
    uint32_t shade                  # its place in the shadow, or 0
    uint64_t used                   # when it was last asked for, counted in uses of the cache
    uint64_t born                   # when it came, counted in arrivals


cdef struct Bucket:
    uint8_t tags[WAYS]              # 0: free
    uint8_t unused
    Entry* entries[WAYS]


cdef struct Table:
    Bucket* buckets
    uint64_t mask


cdef uint64_t other_place(uint64_t hash) noexcept nogil       # the second bucket, before the mask
cdef uint8_t* text_of(Entry* entry) noexcept nogil
cdef int filling(const Bucket* bucket) noexcept nogil         # how many entries it holds
cdef Bucket* emptier(const Table* table, uint64_t hash) noexcept nogil
cdef bint put_into(Bucket* bucket, Entry* entry) noexcept nogil

cdef Entry* table_find(const Table* table, Span text, uint64_t hash) noexcept nogil
cdef void table_remove(Table* table, Entry* entry) noexcept nogil
cdef bint table_resize(Table* table, uint64_t size) noexcept nogil
