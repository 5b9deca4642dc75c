"""What a verifier remembers between tokens.

The header memo: a header segment seen before leads straight to its key. A gateway sees few different headers: one for
each key and token kind. A memo belongs to one policy and one key snapshot and dies with them, so nothing in it can
outlive a key. It is filled only after a signature checked out: who cannot sign cannot fill it. Bound: 64 headers of at
most 2 KiB; a new one takes the place of the old one in its slot.

The token cache: a text that was accepted before leads to its VerifiedToken, as long as everything that was decided then
still holds; the engine asks for that on every hit (``Engine.recall``). What an entry means is that these exact bytes
were accepted, and nothing else: the place in the table comes from a keyed hash over the end of the signature, the hit
from comparing the whole text. Refusals are never remembered.

    look-up    two buckets of seven tagged entries: a cache line each, then the entry
    memory     max_bytes over all that an entry keeps alive: text, token, payload, claims once built, header, tables
    eviction   two queues. A new token stands in probation (PROBATION_SHARE of the bytes); one that was asked for again
               by the time it gets to the end moves to the main queue, the others leave, and leave a ghost: a
               fingerprint by which a token that comes back soon goes straight to the main queue. There a token that
               was asked for gets another round. So tokens used once, however many and however valid, pass through
               probation only (bench/eviction compares the policies). Work per insertion is bounded by MAX_ROUNDS.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy, memset

from jotgate._clock cimport wall_ns
from jotgate._codec cimport Span, keyed_hash, same_bytes, span
from jotgate._fault cimport EXP
from jotgate._frozen cimport allocated
from jotgate._json cimport ABSENT
from jotgate._token cimport Header, Holder, VerifiedToken

from jotgate.errors import PolicyError

# -- the header memo -------------------------------------------------------------------------------------------------

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


# -- the token cache -------------------------------------------------------------------------------------------------

cdef enum:
    TAIL_BYTES = 64                 # of the text: what the place in the table is computed from
    FIRST_BUCKETS = 16
    ENTRIES_PER_BUCKET = 3          # on average at most, of 7: with two buckets to choose from none gets full
    GHOSTS_PER_BUCKET = 2
    MAX_HITS = 3
    MAX_ROUNDS = 16                 # entries looked at for one eviction
    PROBATION_SHARE = 10            # one tenth of the bytes
    BIGGEST_SHARE = 8               # an entry of more than an eighth of the bytes is not worth what it would push out

cdef Py_ssize_t DEFAULT_MAX_BYTES = 64 << 20
cdef Py_ssize_t LEAST_MAX_BYTES = 16 << 10
cdef int64_t NANOSECONDS = 1_000_000_000
cdef int64_t HOUR_NS = 3600 * NANOSECONDS


cdef uint64_t slot_hash(Span text) noexcept nogil:
    """Where a token stands: hash of its last 64 characters, which are signature or, under a short MAC, nearly so."""
    if text.size > TAIL_BYTES:
        return keyed_hash(span(text.start + text.size - TAIL_BYTES, TAIL_BYTES))
    return keyed_hash(text)


cdef inline uint8_t tag_of(uint64_t hash) noexcept nogil:
    return <uint8_t>(hash >> 56) | 1                # 0 is a free place


cdef inline uint64_t other_place(uint64_t hash) noexcept nogil:
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


cdef inline int filling(const Bucket* bucket) noexcept nogil:
    cdef int count = 0
    while count < WAYS and bucket.tags[count]:
        count += 1
    return count


cdef inline Bucket* emptier(Bucket* buckets, uint64_t mask, uint64_t hash) noexcept nogil:
    """Of the two buckets where an entry may stand, the one with more room. So hardly any gets full."""
    cdef Bucket* one = &buckets[hash & mask]
    cdef Bucket* other = &buckets[other_place(hash) & mask]
    return one if filling(one) <= filling(other) else other


cdef inline void put_into(Bucket* bucket, Entry* entry) noexcept nogil:
    cdef int at = filling(bucket)
    bucket.tags[at] = tag_of(entry.hash)
    bucket.entries[at] = entry


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


cdef inline uint8_t* text_of(Entry* entry) noexcept nogil:
    return <uint8_t*>(entry + 1)


cdef void entry_grew(Holder* holder, Py_ssize_t by_bytes) noexcept:
    cdef Entry* entry = <Entry*>holder
    cdef TokenCache cache = <TokenCache>holder.owner
    with cython.critical_section(cache):
        if entry.holder.owner != NULL:
            entry.charge += <uint32_t>by_bytes
            cache._queues[entry.queue].bytes += by_bytes
            cache._bytes += by_bytes
            cache.shrink()


@cython.final
@cython.no_gc
cdef class TokenCache:
    """Remembers accepted tokens, so that a known one costs a look-up. Belongs to one verifier.

    Args:
        max_bytes: Most memory that it may keep alive, all counted; at least 16384.
        max_entries: Most tokens, or None for as many as ``max_bytes`` holds.
        ttl: Most seconds that a token is remembered, or None: as long as it is valid, and one without ``exp`` for an
            hour.

    Raises:
        PolicyError: ``invalid_policy``: an argument has the wrong type or is out of range.
    """

    def __cinit__(self, *, max_bytes=DEFAULT_MAX_BYTES, max_entries=None, ttl=None):
        if type(max_bytes) is not int or not LEAST_MAX_BYTES <= max_bytes <= 1 << 46:
            raise PolicyError("max_bytes is a number of bytes, at least 16384")
        if max_entries is not None and (type(max_entries) is not int or not 1 <= max_entries <= 1 << 40):
            raise PolicyError("max_entries is a number of tokens, at least 1, or None")
        if ttl is not None and (type(ttl) not in (int, float) or not 0 < ttl <= 1 << 32):
            raise PolicyError("ttl is a number of seconds above 0, or None")
        self.max_bytes = max_bytes
        self.max_entries = max_entries
        self.ttl = ttl
        self.ttl_ns = -1 if ttl is None else <int64_t>(ttl * 1e9)
        self._entry_limit = (1 << 40) if max_entries is None else max_entries
        self.grow_tables()
        if self._buckets == NULL:
            raise MemoryError

    def __dealloc__(self):
        self.remove_all()
        free(self._buckets)
        free(self._ghosts)

    def clear(self):
        """Forget every token. The counters go on."""
        with cython.critical_section(self):
            self.remove_all()
            memset(self._ghosts, 0, (self._ghost_mask + 1) * sizeof(Ghost))

    def stats(self):
        """Return counters: ``hits``, ``misses``, ``evictions``, ``expired`` (left because they had expired), and what
        is there now: ``entries``, ``bytes``."""
        with cython.critical_section(self):
            return {
                "hits": self._hits, "misses": self._misses, "evictions": self._evictions, "expired": self._expired,
                "entries": self._count, "bytes": self._bytes,
            }

    def __len__(self):
        return self._count

    def __repr__(self):
        return f"<TokenCache entries={self._count} bytes={self._bytes} max_bytes={self.max_bytes}>"

    def __reduce__(self):
        raise TypeError("a TokenCache can be neither copied nor pickled: it holds tokens and belongs to one verifier")

    # -- what the engine asks for

    cdef bint find(self, Span text, uint64_t hash, Sighting* seen) noexcept:
        """Look for the token with exactly this text. No check but that one."""
        cdef Entry* entry
        with cython.critical_section(self):
            entry = self.entry_of(text, hash)
            if entry == NULL:
                return False
            entry.hits += entry.hits < MAX_HITS
            seen.token = entry.token
            seen.opens_ns = entry.opens_ns
            seen.closes_ns = entry.closes_ns
            seen.generation = entry.generation
            Py_INCREF(<object>entry.token)
        return True

    cdef void add(self, Span text, uint64_t hash, VerifiedToken token, int64_t opens_ns, int64_t closes_ns,
                  uint64_t generation) noexcept:
        """Remember a token that was accepted. Where memory or room is short it is simply not remembered."""
        cdef Entry* entry
        cdef int64_t now = wall_ns()
        if self.ttl_ns >= 0:
            closes_ns = min(closes_ns, now + self.ttl_ns)
        elif token._values[<int>EXP].kind == ABSENT:
            closes_ns = min(closes_ns, now + HOUR_NS)
        with cython.critical_section(self):
            if closes_ns <= now or token._holder != NULL or self.entry_of(text, hash) != NULL:
                return                              # another thread may have been faster
            entry = self.make_entry(text, hash, token)
            if entry == NULL:
                return
            entry.opens_ns = opens_ns
            entry.closes_ns = closes_ns
            entry.generation = generation
            if self._count + 1 > ENTRIES_PER_BUCKET * <Py_ssize_t>(self._bucket_mask + 1):
                self.grow_tables()
            self.place(entry)
            self.shrink()

    cdef void forget(self, Span text, uint64_t hash) noexcept:
        """Drop a token that has expired, or whose key no longer counts."""
        cdef Entry* entry
        with cython.critical_section(self):
            entry = self.entry_of(text, hash)
            if entry != NULL:
                self._expired += 1
                self.remove(entry)

    cdef void still_unrevoked(self, Span text, uint64_t hash, uint64_t generation) noexcept:
        cdef Entry* entry
        with cython.critical_section(self):
            entry = self.entry_of(text, hash)
            if entry != NULL:
                entry.generation = generation

    # -- the table

    cdef Entry* entry_of(self, Span text, uint64_t hash) noexcept:
        cdef Entry* entry = entry_in(&self._buckets[hash & self._bucket_mask], text, hash)
        if entry == NULL:
            entry = entry_in(&self._buckets[other_place(hash) & self._bucket_mask], text, hash)
        return entry

    cdef Entry* make_entry(self, Span text, uint64_t hash, VerifiedToken token) noexcept:
        cdef Py_ssize_t size = sizeof(Entry) + text.size
        cdef Py_ssize_t charge = allocated(size) + token.bytes_held()
        cdef Entry* entry
        if charge > self.max_bytes // BIGGEST_SHARE:
            return NULL
        entry = <Entry*>malloc(size)
        if entry == NULL:
            return NULL
        memset(entry, 0, sizeof(Entry))
        memcpy(text_of(entry), text.start, text.size)
        entry.hash = hash
        entry.size = <uint32_t>text.size
        entry.charge = <uint32_t>charge
        entry.holder.grew = entry_grew
        entry.holder.owner = <void*>self
        entry.token = <PyObject*>token
        Py_INCREF(token)
        token._holder = &entry.holder
        return entry

    cdef bint place(self, Entry* entry) noexcept:
        """Put an entry into a bucket and a queue, and onto the account."""
        cdef Bucket* bucket = emptier(self._buckets, self._bucket_mask, entry.hash)
        cdef Header header = (<VerifiedToken>entry.token)._header
        if bucket.tags[WAYS - 1]:
            self.evict_from(bucket)
        put_into(bucket, entry)
        self._count += 1
        self._bytes += entry.charge
        if header.holders == 0:
            self._bytes += header.bytes_held()
        header.holders += 1
        self.push(entry, MAIN if self.was_here(entry.hash) else PROBATION)
        return True

    cdef void remove(self, Entry* entry) noexcept:
        """Take an entry out of everything and let its token go."""
        cdef Header header = (<VerifiedToken>entry.token)._header
        if not take_out_of(&self._buckets[entry.hash & self._bucket_mask], entry):
            take_out_of(&self._buckets[other_place(entry.hash) & self._bucket_mask], entry)
        self.pull(entry)
        self._count -= 1
        self._bytes -= entry.charge
        header.holders -= 1
        if header.holders == 0:
            self._bytes -= header.bytes_held()
        entry.holder.owner = NULL
        (<VerifiedToken>entry.token)._holder = NULL
        Py_DECREF(<object>entry.token)
        free(entry)

    cdef void remove_all(self) noexcept:
        cdef int queue
        for queue in range(2):
            while self._queues[queue].oldest != NULL:
                self.remove(self._queues[queue].oldest)

    cdef void grow_tables(self) noexcept:
        """Double the buckets and the ghosts; where there is no memory the old ones go on."""
        cdef uint64_t mask = FIRST_BUCKETS - 1 if self._buckets == NULL else 2 * self._bucket_mask + 1
        cdef uint64_t ghost_mask = GHOSTS_PER_BUCKET * (mask + 1) - 1
        cdef Bucket* old = self._buckets
        cdef uint64_t old_size = 0 if old == NULL else self._bucket_mask + 1
        cdef Bucket* buckets = <Bucket*>calloc(mask + 1, sizeof(Bucket))
        cdef Ghost* ghosts = <Ghost*>calloc(ghost_mask + 1, sizeof(Ghost))
        cdef Bucket* bucket
        cdef uint64_t at
        cdef int i
        if buckets == NULL or ghosts == NULL:
            free(buckets)
            free(ghosts)
            return
        for at in range(old_size):
            for i in range(filling(&old[at])):
                # with twice the room none of them gets full, but by a chance that is not worth a line
                bucket = emptier(buckets, mask, old[at].entries[i].hash)
                if bucket.tags[WAYS - 1] == 0:
                    put_into(bucket, old[at].entries[i])
        for at in range(old_size * GHOSTS_PER_BUCKET):
            # a ghost knows as many bits of its hash as it takes to find its new place
            ghosts[ghost_place(self._ghosts[at].print, ghost_mask)] = self._ghosts[at]
        free(old)
        free(self._ghosts)
        self._buckets = buckets
        self._ghosts = ghosts
        self._bucket_mask = mask
        self._ghost_mask = ghost_mask
        self._bytes += (mask + 1 - old_size) * (sizeof(Bucket) + GHOSTS_PER_BUCKET * sizeof(Ghost))

    # -- who stays

    cdef void push(self, Entry* entry, int queue) noexcept:
        cdef List* list = &self._queues[queue]
        entry.queue = <uint8_t>queue
        entry.older = list.newest
        entry.newer = NULL
        if list.newest != NULL:
            list.newest.newer = entry
        else:
            list.oldest = entry
        list.newest = entry
        list.bytes += entry.charge

    cdef void pull(self, Entry* entry) noexcept:
        cdef List* list = &self._queues[entry.queue]
        if entry.newer != NULL:
            entry.newer.older = entry.older
        else:
            list.newest = entry.older
        if entry.older != NULL:
            entry.older.newer = entry.newer
        else:
            list.oldest = entry.newer
        list.bytes -= entry.charge

    cdef void shrink(self) noexcept:
        """Evict until both bounds hold."""
        while self._count and (self._bytes > self.max_bytes or self._count > self._entry_limit):
            self.evict()

    cdef void evict(self) noexcept:
        """Let one entry go, after at most MAX_ROUNDS looked at."""
        cdef int64_t now = wall_ns()
        cdef Entry* entry
        cdef int rounds = 0
        cdef int queue
        while True:
            rounds += 1
            queue = PROBATION
            if self._queues[<int>PROBATION].oldest == NULL or (
                    self._queues[<int>MAIN].oldest != NULL
                    and self._queues[<int>PROBATION].bytes * PROBATION_SHARE
                    <= self._queues[<int>PROBATION].bytes + self._queues[<int>MAIN].bytes):
                queue = MAIN
            entry = self._queues[queue].oldest
            if entry.closes_ns <= now:
                self._expired += 1
                break
            if rounds < MAX_ROUNDS and entry.hits > (1 if queue == PROBATION else 0):
                self.pull(entry)
                entry.hits = 0 if queue == PROBATION else entry.hits - 1
                self.push(entry, MAIN)
                continue
            if queue == PROBATION:
                self.leave_ghost(entry.hash)
            self._evictions += 1
            break
        self.remove(entry)

    cdef void evict_from(self, Bucket* bucket) noexcept:
        """Make room in a full bucket: the entry that was asked for least goes."""
        cdef Entry* least = bucket.entries[0]
        cdef Entry* entry
        cdef int i
        for i in range(1, WAYS):
            entry = bucket.entries[i]
            if 256 * entry.queue + entry.hits < 256 * least.queue + least.hits:
                least = entry
        self._evictions += 1
        self.remove(least)

    cdef bint was_here(self, uint64_t hash) noexcept:
        """Whether the token left probation not long ago: within as many departures as there are entries now."""
        cdef uint32_t print = print_of(hash)
        cdef Ghost* ghost = &self._ghosts[ghost_place(print, self._ghost_mask)]
        if ghost.print != print or <uint32_t>(self._departures - ghost.stamp) > <uint32_t>self._count:
            return False
        ghost.print = 0
        return True

    cdef void leave_ghost(self, uint64_t hash) noexcept:
        cdef uint32_t print = print_of(hash)
        cdef Ghost* ghost = &self._ghosts[ghost_place(print, self._ghost_mask)]
        self._departures += 1
        ghost.print = print
        ghost.stamp = self._departures


cdef inline uint32_t print_of(uint64_t hash) noexcept nogil:
    return <uint32_t>(hash >> 24) | 1               # 0 is no ghost


cdef inline uint64_t ghost_place(uint32_t print, uint64_t mask) noexcept nogil:
    return (print >> 1) & mask
