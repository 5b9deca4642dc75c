"""The verified-token cache.

A text that was accepted before leads to its VerifiedToken, as long as everything that was decided then still holds;
the engine asks for that on every hit (``Engine.known``). What an entry means is that these exact bytes were accepted,
and nothing else: the place in the table comes from a keyed hash over the end of the signature, the hit from comparing
the whole text. Refusals are never remembered.

    look-up    two buckets of seven tagged entries: a cache line each, then the entry
    memory     max_bytes over all that an entry keeps alive: text, token, payload, claims once built, header, tables
    eviction   plain LRU is the judge. Two lists, both in order of last use: the window for newcomers, main for tokens
               that were asked for again when others had come after them. The victim is the one used longest ago, as in
               LRU, unless the window takes more than its cap: then it is the window's. A shadow holds what plain LRU
               would hold, as fingerprints: a hit here that LRU would have missed lowers the cap, a miss here that LRU
               would have hit raises it. So tokens used once, however many and however valid, come to pass through a
               tenth of the bytes, and where LRU is the best there is the cache is LRU (bench/eviction compares)
    expiry     for each new token one bucket is looked through for what has expired
"""

cimport cython
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from jotgate._clock cimport wall_ns
from jotgate._codec cimport Span, keyed_hash, prefetch, span
from jotgate._fault cimport EXP
from jotgate._frozen cimport allocated
from jotgate._json cimport ABSENT
from jotgate._shadow cimport Shadow
from jotgate._table cimport (
    WAYS, Bucket, Entry, emptier, filling, other_place, put_into, table_find, table_remove, table_resize, text_of,
)
from jotgate._token cimport Header, Holder, VerifiedToken

from jotgate.errors import PolicyError

cdef enum:
    TAIL_BYTES = 64                 # of the text: what the place in the table is computed from
    FIRST_BUCKETS = 32
    ENTRIES_PER_BUCKET = 3          # on average at most, of 7: with two buckets to choose from none gets full
    HEADS_PER_BUCKET = 4            # of the shadow's chains; a power of two
    BIGGEST_SHARE = 8               # an entry of more than an eighth of the bytes is not worth what it would push out

# The figures of bench/eviction/RESULTS.md
cdef double FLOOR = 0.10            # the cap is never less than this share of the bytes
cdef double CEILING = 0.70          # nor more, and starts here
cdef double STEP = 4.0              # entries by which one piece of evidence moves the cap
cdef double LATE = 0.10             # a hit moves a token to main if this share of the window came after it

cdef Py_ssize_t DEFAULT_MAX_BYTES = 64 << 20
cdef Py_ssize_t LEAST_MAX_BYTES = 16 << 10
cdef int64_t MOST_MAX_BYTES = (<int64_t>32 << 30) - 1    # an eighth of it fits into 32 bits
cdef int64_t NANOSECONDS = 1_000_000_000
cdef int64_t HOUR_NS = 3600 * NANOSECONDS


cdef uint64_t slot_hash(Span text) noexcept nogil:
    """Where a token stands: hash of its last 64 characters, which are signature or, under a short MAC, nearly so."""
    if text.size > TAIL_BYTES:
        return keyed_hash(span(text.start + text.size - TAIL_BYTES, TAIL_BYTES))
    return keyed_hash(text)


cdef void entry_grew(Holder* holder, Py_ssize_t by_bytes) noexcept:
    cdef Entry* entry = <Entry*>holder
    cdef TokenCache cache = <TokenCache>holder.owner
    with cython.critical_section(cache):
        if entry.holder.owner == NULL:
            return
        if entry.charge + by_bytes > cache.max_bytes // BIGGEST_SHARE:
            cache._evictions += 1
            cache.remove(entry)
            return
        entry.charge += <uint32_t>by_bytes
        if entry.shade:
            cache._shadow.grow(entry.shade, by_bytes)
        cache._queues[entry.queue].bytes += by_bytes
        cache._bytes += by_bytes
        cache.shrink(0, 0, wall_ns())


@cython.final
@cython.no_gc
cdef class TokenCache:
    """Remembers accepted tokens, so that a known one costs a look-up. Belongs to one verifier.

    Args:
        max_bytes: Most memory that it may keep alive, all counted; 16384 to 32 GiB less one.
        max_entries: Most tokens, or None for as many as ``max_bytes`` holds.
        ttl: Most seconds that a token is remembered, or None: as long as it is valid, and one without ``exp`` for an
            hour.

    Raises:
        PolicyError: ``invalid_policy``: an argument has the wrong type or is out of range.
    """

    def __cinit__(self, *, max_bytes=DEFAULT_MAX_BYTES, max_entries=None, ttl=None):
        if type(max_bytes) is not int or not LEAST_MAX_BYTES <= max_bytes <= MOST_MAX_BYTES:
            raise PolicyError("max_bytes is a number of bytes from 16384 to 32 GiB less one")
        if max_entries is not None and (type(max_entries) is not int or not 1 <= max_entries <= 1 << 40):
            raise PolicyError("max_entries is a number of tokens, at least 1, or None")
        if ttl is not None and (type(ttl) not in (int, float) or not 0 < ttl <= 1 << 32):
            raise PolicyError("ttl is a number of seconds above 0, or None")
        self.max_bytes = max_bytes
        self.max_entries = max_entries
        self.ttl = ttl
        self.ttl_ns = -1 if ttl is None else <int64_t>(ttl * 1e9)
        self._entry_limit = (1 << 40) if max_entries is None else max_entries
        self._cap = CEILING
        self._shadow = Shadow()
        self.grow_tables()
        if self._table.buckets == NULL or self._shadow._room == 0:
            raise MemoryError

    def __dealloc__(self):
        self.remove_all()
        free(self._table.buckets)

    def clear(self):
        """Forget every token. The counters go on."""
        with cython.critical_section(self):
            self.remove_all()
            self._shadow.clear()
            self._cap = CEILING

    def stats(self):
        """Return counters: ``hits``, ``misses``, ``evictions``, ``expired`` (expired, or their key was gone), and what
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
            entry = table_find(&self._table, text, hash)
            if entry == NULL:
                return False
            self.touch(entry)
            seen.token = entry.token
            seen.opens_ns = entry.opens_ns
            seen.closes_ns = entry.closes_ns
            seen.generation = entry.generation
            Py_INCREF(<object>entry.token)
        return True

    cdef void expect(self, uint64_t hash) noexcept:
        """A token that is not here is being verified: meanwhile fetch what entering it will touch.

        In a big cache that is memory which no processor cache holds: its buckets, the victim and what hangs on it, the
        entries that are swept next.
        """
        cdef Bucket* bucket
        cdef Entry* victim
        cdef int i
        with cython.critical_section(self):
            prefetch(&self._table.buckets[hash & self._table.mask])
            prefetch(&self._table.buckets[other_place(hash) & self._table.mask])
            self._shadow.expect(hash)
            bucket = &self._table.buckets[self._hand & self._table.mask]
            for i in range(filling(bucket)):
                prefetch(&bucket.entries[i].closes_ns)
            prefetch(&self._table.buckets[(self._hand + 1) & self._table.mask])
            victim = self.victim()
            if victim != NULL:
                prefetch(victim.token)
                prefetch(victim.newer)
                prefetch(&self._table.buckets[victim.hash & self._table.mask])
                prefetch(&self._table.buckets[other_place(victim.hash) & self._table.mask])

    cdef void add(self, Span text, uint64_t hash, VerifiedToken token, int64_t now, int64_t opens_ns,
                  int64_t closes_ns, uint64_t generation) noexcept:
        """Remember a token that was accepted by the clock of `now`. Where memory or room is short it is not."""
        cdef Entry* entry
        if self.ttl_ns >= 0:
            closes_ns = min(closes_ns, now + self.ttl_ns)
        elif token._values[<int>EXP].kind == ABSENT:
            closes_ns = min(closes_ns, now + HOUR_NS)
        with cython.critical_section(self):
            if closes_ns <= now or token._holder != NULL or table_find(&self._table, text, hash) != NULL:
                return                              # another thread may have been faster
            entry = self.make_entry(text, hash, token)
            if entry == NULL:
                return
            entry.opens_ns = opens_ns
            entry.closes_ns = closes_ns
            entry.generation = generation
            if self._count >= max(self._grow_at, ENTRIES_PER_BUCKET * <Py_ssize_t>(self._table.mask + 1)):
                self.grow_tables()
            self.sweep(now)
            self.shrink(entry.charge, 1, now)
            self.place(entry)
            self.shrink(0, 0, now)                  # a new header counts too

    cdef void forget(self, Span text, uint64_t hash) noexcept:
        """Drop a token that has expired, or whose key no longer counts."""
        cdef Entry* entry
        with cython.critical_section(self):
            entry = table_find(&self._table, text, hash)
            if entry != NULL:
                self._expired += 1
                self.remove(entry)

    cdef void still_unrevoked(self, Span text, uint64_t hash, uint64_t generation) noexcept:
        cdef Entry* entry
        with cython.critical_section(self):
            entry = table_find(&self._table, text, hash)
            if entry != NULL:
                entry.generation = generation

    # -- the table

    cdef Entry* make_entry(self, Span text, uint64_t hash, VerifiedToken token) noexcept:
        cdef Py_ssize_t size = sizeof(Entry) + text.size
        cdef Py_ssize_t charge = allocated(size) + token.bytes_held()
        cdef Entry* entry
        if charge + (0 if token._header.holders else token._header.bytes_held()) > self.max_bytes // BIGGEST_SHARE:
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

    cdef void place(self, Entry* entry) noexcept:
        """Put an entry into a bucket and a queue, and onto the account."""
        cdef Bucket* bucket = emptier(&self._table, entry.hash)
        cdef Header header = (<VerifiedToken>entry.token)._header
        if bucket.tags[WAYS - 1]:
            self.evict_from(bucket)
        put_into(bucket, entry)
        self._uses += 1
        self._arrivals += 1
        entry.used = self._uses
        entry.born = self._arrivals
        if self.judge(entry):
            # plain LRU would have had it, so that the window was too small for it; and it is one that comes back
            self._cap = min(CEILING, self._cap + STEP / max(1, self._count))
            self.push(entry, MAIN)
        else:
            self.push(entry, WINDOW)
        self._count += 1
        self._bytes += entry.charge
        if header.holders == 0:
            self._bytes += header.bytes_held()
        header.holders += 1

    cdef void remove(self, Entry* entry) noexcept:
        """Take an entry out of everything and let its token go."""
        cdef Header header = (<VerifiedToken>entry.token)._header
        table_remove(&self._table, entry)
        self.pull(entry)
        if entry.shade:
            self._shadow.let_go(entry.shade)
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
        """Double the buckets and the shadow's room; where there is no memory the old ones go on."""
        cdef uint64_t before = 0 if self._table.buckets == NULL else self._table.mask + 1
        cdef uint64_t size = 2 * before if before else FIRST_BUCKETS
        cdef Py_ssize_t more
        if table_resize(&self._table, size):
            more = (size - before) * sizeof(Bucket) + self._shadow.make_room(
                <uint32_t>(ENTRIES_PER_BUCKET * size), <uint32_t>(HEADS_PER_BUCKET * size))
            self._table_bytes += more
            self._bytes += more
        else:
            self._grow_at = self._count + self._count // 8 + 64      # not again for each token that comes in

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
        list.count += 1

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
        list.count -= 1

    cdef void touch(self, Entry* entry) noexcept:
        """An entry was asked for: put it in front, and note whether plain LRU would have had it."""
        cdef int queue = entry.queue
        self._uses += 1
        entry.used = self._uses
        if entry.shade:
            self._shadow.touch(entry.shade)
        else:
            self._cap = max(FLOOR, self._cap - STEP / self._count)
            self.judge(entry)
        if queue == WINDOW and self._arrivals - entry.born >= LATE * self._queues[<int>WINDOW].count:
            queue = MAIN
        if queue != entry.queue or entry.newer != NULL:
            self.pull(entry)
            self.push(entry, queue)

    cdef bint judge(self, Entry* entry) noexcept:
        """Ask plain LRU for a token that it was not known to have, and let it take it in."""
        return self._shadow.see(
            entry.hash, entry.charge, &entry.shade,
            self.max_bytes - (self._bytes - self._queues[0].bytes - self._queues[1].bytes), self._entry_limit)

    cdef void shrink(self, Py_ssize_t by_bytes, Py_ssize_t by_entries, int64_t now) noexcept:
        """Evict until there is room for so much more."""
        while self._count and (
                self._bytes + by_bytes > self.max_bytes or self._count + by_entries > self._entry_limit):
            self.evict(now)

    cdef void evict(self, int64_t now) noexcept:
        cdef Entry* victim = self.victim()
        if victim.closes_ns <= now:
            self._expired += 1
        else:
            self._evictions += 1
        self.remove(victim)

    cdef Entry* victim(self) noexcept:
        """The entry used longest ago; of the window, where that takes more than its cap. Headers count as the window's:
        most are shared, and whoever brings many brings them with new tokens."""
        cdef List* window = &self._queues[<int>WINDOW]
        cdef List* main = &self._queues[<int>MAIN]
        cdef Py_ssize_t tokens = self._bytes - self._table_bytes
        if window.oldest == NULL or main.oldest == NULL:
            return main.oldest if window.oldest == NULL else window.oldest
        if window.oldest.used < main.oldest.used or <double>(tokens - main.bytes) > self._cap * <double>tokens:
            return window.oldest
        return main.oldest

    cdef void evict_from(self, Bucket* bucket) noexcept:
        """Make room in a full bucket: the entry used longest ago goes."""
        cdef Entry* victim = bucket.entries[0]
        cdef int i
        for i in range(1, WAYS):
            if bucket.entries[i].used < victim.used:
                victim = bucket.entries[i]
        self._evictions += 1
        self.remove(victim)

    cdef void sweep(self, int64_t now_ns) noexcept:
        """Let go of what has expired in the next bucket."""
        cdef Bucket* bucket = &self._table.buckets[self._hand & self._table.mask]
        cdef int i
        self._hand += 1
        for i in range(filling(bucket) - 1, -1, -1):
            if bucket.entries[i].closes_ns <= now_ns:
                self._expired += 1
                self.remove(bucket.entries[i])
