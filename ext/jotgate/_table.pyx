"""The table of the token cache: buckets of seven tagged entries, two of them for each hash.

A look-up touches two cache lines and then, with hardly an exception, only the entry it was looking for. With two
buckets to choose from none gets full at the load that the cache allows.
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp

from jotgate._codec cimport Span

cdef enum:
    MOST_BUCKETS = 1 << 28          # a billion tokens


cdef inline uint8_t tag_of(uint64_t hash) noexcept nogil:
    return <uint8_t>(hash >> 56) | 1                # 0 is a free place


cdef uint64_t other_place(uint64_t hash) noexcept nogil:
    return hash >> 28


cdef inline Entry* entry_in(const Bucket* bucket, Span text, uint64_t hash) noexcept nogil:
    cdef uint8_t tag = tag_of(hash)
    cdef Entry* entry
    cdef int i
    for i in range(WAYS):
        if bucket.tags[i] == tag:
            entry = bucket.entries[i]
            if entry.hash == hash and entry.size == text.size and memcmp(
                    text_of(entry), text.start, text.size) == 0:
                return entry
    return NULL


cdef int filling(const Bucket* bucket) noexcept nogil:
    cdef int count = 0
    while count < WAYS and bucket.tags[count]:
        count += 1
    return count


cdef Bucket* emptier(const Table* table, uint64_t hash) noexcept nogil:
    """Of the two buckets where an entry may stand, the one with more room. So hardly any gets full."""
    cdef Bucket* one = &table.buckets[hash & table.mask]
    cdef Bucket* other = &table.buckets[other_place(hash) & table.mask]
    return one if filling(one) <= filling(other) else other


cdef bint put_into(Bucket* bucket, Entry* entry) noexcept nogil:
    """False: the bucket is full."""
    cdef int at = filling(bucket)
    if at == WAYS:
        return False
    bucket.tags[at] = tag_of(entry.hash)
    bucket.entries[at] = entry
    return True


cdef bint take_out_of(Bucket* bucket, Entry* entry) noexcept nogil:
    """Close the gap with the last one: a bucket is filled from the left. False: it does not stand here."""
    cdef int last = filling(bucket) - 1
    cdef int i
    for i in range(last + 1):
        if bucket.entries[i] == entry:
            bucket.tags[i] = bucket.tags[last]
            bucket.entries[i] = bucket.entries[last]
            bucket.tags[last] = 0
            bucket.entries[last] = NULL
            return True
    return False


cdef uint8_t* text_of(Entry* entry) noexcept nogil:
    return <uint8_t*>(entry + 1)


cdef Entry* table_find(const Table* table, Span text, uint64_t hash) noexcept nogil:
    cdef Entry* entry = entry_in(&table.buckets[hash & table.mask], text, hash)
    if entry == NULL:
        entry = entry_in(&table.buckets[other_place(hash) & table.mask], text, hash)
    return entry


cdef void table_remove(Table* table, Entry* entry) noexcept nogil:
    if not take_out_of(&table.buckets[entry.hash & table.mask], entry):
        take_out_of(&table.buckets[other_place(entry.hash) & table.mask], entry)


cdef bint table_resize(Table* table, uint64_t size) noexcept nogil:
    """Go over to `size` buckets, a power of two and more than before; False and no change where that cannot be.

    It cannot for want of memory, or if a bucket gets full on the way: many tokens with one signature can do that.
    """
    cdef Table larger
    cdef uint64_t at
    cdef int i
    if size > MOST_BUCKETS:
        return False
    larger.mask = size - 1
    larger.buckets = <Bucket*>calloc(size, sizeof(Bucket))
    if larger.buckets == NULL:
        return False
    if table.buckets != NULL:
        for at in range(table.mask + 1):
            for i in range(filling(&table.buckets[at])):
                if not put_into(emptier(&larger, table.buckets[at].entries[i].hash), table.buckets[at].entries[i]):
                    free(larger.buckets)
                    return False
        free(table.buckets)
    table[0] = larger
    return True
