"""The records of the revocation index, in shards, so that little is written anew at a time.

A look-up compares the whole name, so nothing collides. Where its search begins comes from a hash under the secret of
this process: nobody can choose names that make searches long.

One thread writes at a time; readers take no lock. They follow one pointer to a shard, one word to a record, and see an
old record or a new one, never half of one: a record that says more is added behind the others, and then its place is
switched. A shard that is full gives way to another, and is freed when all are gone who may have seen it: readers are
counted by era, and an era ends when those of the one before it have left.

A million ids of 22 characters: 33 bytes a record, places two thirds to three quarters full, room for an eighth more.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from jotgate._clock cimport wall_ns
from jotgate._codec cimport Span, keyed_hash, same_bytes, span
from jotgate._sync cimport load_word_published, publish, published, store_word_published, take

FOR_EVER = 0xFFFFFFFF
MOST_LEEWAY = 600

cdef int64_t NANOSECONDS = 1_000_000_000
cdef int64_t MOST_BYTES = 0xFFFFFFF0
cdef int[KIND_COUNT] VALUE_BYTES
VALUE_BYTES[<int>JTI_RULE] = 0
VALUE_BYTES[<int>SUB_RULE] = 4      # an `iat`: Unix seconds; FOR_EVER refuses each
VALUE_BYTES[<int>SID_RULE] = 4
VALUE_BYTES[<int>EPOCH_RULE] = 8
VALUE_BYTES[<int>KEY_RULE] = 0
VALUE_BYTES[<int>ISSUER_NAME] = 2


cdef inline int kind_of(const Record* record) noexcept nogil:
    return record.shape & 7


cdef inline Span name_of(const Record* record) noexcept nogil:
    return span(<const uint8_t*>record + sizeof(Record) + VALUE_BYTES[kind_of(record)], record.shape >> 3)


cdef inline Py_ssize_t record_bytes(const Record* record) noexcept nogil:
    return sizeof(Record) + VALUE_BYTES[kind_of(record)] + (record.shape >> 3)


cdef inline Py_ssize_t bytes_for(const Fact* fact) noexcept nogil:
    return sizeof(Record) + VALUE_BYTES[fact.kind] + fact.name.size


cdef uint64_t value_of(const Record* record) noexcept nogil:
    cdef const uint8_t* at = <const uint8_t*>record + sizeof(Record)
    cdef uint32_t seconds
    cdef uint16_t number
    cdef uint64_t value = 0
    cdef int size = VALUE_BYTES[kind_of(record)]
    if size == 4:
        memcpy(&seconds, at, 4)
        value = seconds
    elif size == 2:
        memcpy(&number, at, 2)
        value = number
    elif size == 8:
        memcpy(&value, at, 8)
    return value


cdef void write_value(Record* record, uint64_t value) noexcept nogil:
    cdef uint8_t* at = <uint8_t*>record + sizeof(Record)
    cdef uint32_t seconds = <uint32_t>value
    cdef uint16_t number = <uint16_t>value
    cdef int size = VALUE_BYTES[kind_of(record)]
    if size == 4:
        memcpy(at, &seconds, 4)
    elif size == 2:
        memcpy(at, &number, 2)
    elif size == 8:
        memcpy(at, &value, 8)


cdef void read_record(const Record* record, Fact* fact) noexcept nogil:
    fact.kind = kind_of(record)
    fact.issuer = record.issuer
    fact.name = name_of(record)
    fact.value = value_of(record)
    fact.until = record.until
    fact.mark = record.mark


cdef uint64_t hash_of(const Fact* fact) noexcept nogil:
    return keyed_hash(fact.name, <uint64_t>fact.issuer << 8 | <uint64_t>fact.kind)


cdef bint is_over(const Record* record, int64_t now_s) noexcept nogil:
    """Whether all that it is about has expired, whatever a policy forgives."""
    return record.until != FOR_EVER and record.until + MOST_LEEWAY <= now_s


# -- looking up ------------------------------------------------------------------------------------------------------

cdef inline uint32_t first_place(const Shard* shard, uint32_t tag) noexcept nogil:
    return <uint32_t>(<uint64_t>tag * shard.room >> 32)


cdef inline bint is_about(const Record* record, const Fact* wanted) noexcept nogil:
    return (
        kind_of(record) == wanted.kind and record.issuer == wanted.issuer
        and same_bytes(name_of(record), wanted.name)
    )


cdef inline Record* record_of(const Shard* shard, uint64_t word) noexcept nogil:
    return NULL if word == 0 else <Record*>(shard.records + (<uint32_t>word - 1))


cdef Record* record_at(const Shard* shard, uint32_t place) noexcept nogil:
    return record_of(shard, load_word_published(&shard.places[place]))


cdef Record* search(const Shard* shard, const Fact* wanted, uint64_t hash, uint32_t* place) noexcept nogil:
    """The record and its place, or NULL and the free place where it belongs; there always is one.

    Each place is read once: one that was free may have another record a moment later.
    """
    cdef uint32_t tag = <uint32_t>hash
    cdef uint32_t at = first_place(shard, tag)
    cdef uint64_t word
    while True:
        word = load_word_published(&shard.places[at])
        if word == 0 or (word >> 32 == tag and is_about(record_of(shard, word), wanted)):
            place[0] = at
            return record_of(shard, word)
        at += 1
        if at == shard.room:
            at = 0


cdef const Record* find_in(const Shard* shard, const Fact* wanted, uint64_t hash) noexcept nogil:
    cdef uint32_t place
    return NULL if shard == NULL else search(shard, wanted, hash, &place)


# -- writing ---------------------------------------------------------------------------------------------------------

cdef bint has_room(const Shard* shard, const Fact* fact) noexcept nogil:
    """Whether one more record fits: a quarter of the places stays free, so that searches are short and end."""
    return (
        shard != NULL and shard.used + bytes_for(fact) <= shard.capacity
        and 4 * (<uint64_t>shard.count + 1) <= 3 * <uint64_t>shard.room
    )


cdef void put(Shard* shard, const Fact* fact, uint64_t hash) noexcept nogil:
    cdef uint32_t at
    cdef Record* before = search(shard, fact, hash, &at)
    cdef Record* made = <Record*>(shard.records + shard.used)
    made.until = fact.until
    made.shape = <uint32_t>fact.name.size << 3 | <uint32_t>fact.kind
    made.issuer = <uint16_t>fact.issuer
    made.mark = fact.mark
    write_value(made, fact.value)
    memcpy(<uint8_t*>name_of(made).start, fact.name.start, fact.name.size)
    if before == NULL:
        shard.count += 1
    else:
        shard.dead += <uint32_t>record_bytes(before)
    store_word_published(&shard.places[at], <uint64_t>(<uint32_t>hash) << 32 | (<uint64_t>shard.used + 1))
    shard.used += <uint32_t>record_bytes(made)


cdef Shard* new_shard(uint64_t count, uint64_t live) noexcept nogil:
    """A shard for so many records of so many bytes, and an eighth more."""
    cdef uint64_t room = (count + count // 8 + 6) * 4 // 3
    cdef uint64_t capacity = live + live // 8
    cdef Shard* made
    if room >= MOST_BYTES or capacity >= MOST_BYTES:
        return NULL
    made = <Shard*>calloc(1, sizeof(Shard) + room * sizeof(uint64_t) + capacity)
    if made != NULL:
        made.room = <uint32_t>room
        made.capacity = <uint32_t>capacity
        made.places = <uint64_t*>(made + 1)
        made.records = <uint8_t*>(made.places + room)
    return made


cdef Py_ssize_t wasted_bytes(const Shard* shard, int64_t now_s) noexcept nogil:
    """Of the bytes of records, those that say nothing any more."""
    cdef const Record* record
    cdef Py_ssize_t wasted = shard.dead
    cdef uint32_t at
    for at in range(shard.room):
        record = record_at(shard, at)
        if record != NULL and is_over(record, now_s):
            wasted += record_bytes(record)
    return wasted


cdef Shard* without_the_past(const Shard* shard, int64_t now_s, const Fact* room_for, Tally* tally) noexcept nogil:
    """A copy of what still counts, with room for another record; what does not is taken off the tally. NULL: no memory,
    and nothing was changed."""
    cdef uint64_t count = 1
    cdef uint64_t live = 0 if room_for == NULL else bytes_for(room_for)
    cdef const Record* record
    cdef Shard* made
    cdef uint32_t at, to
    cdef uint64_t place
    if shard != NULL:
        for at in range(shard.room):
            record = record_at(shard, at)
            if record != NULL and not is_over(record, now_s):
                count += 1
                live += record_bytes(record)
    made = new_shard(count, live)
    if made == NULL:
        return NULL
    made.serial = 1 if shard == NULL else shard.serial + 1
    if shard == NULL:
        return made
    for at in range(shard.room):
        place = shard.places[at]
        record = record_at(shard, at)
        if record == NULL:
            continue
        if is_over(record, now_s):
            take(counter(tally, record.issuer, kind_of(record)), -1)
            continue
        to = first_place(made, <uint32_t>(place >> 32))
        while made.places[to]:
            to += 1
            if to == made.room:
                to = 0
        made.places[to] = place & 0xFFFFFFFF00000000ULL | (<uint64_t>made.used + 1)
        memcpy(made.records + made.used, record, record_bytes(record))
        made.used += <uint32_t>record_bytes(record)
        made.count += 1
    return made


cdef Py_ssize_t shard_bytes(const Shard* shard) noexcept nogil:
    """What it takes of memory, with the allocator's own word."""
    return 0 if shard == NULL else sizeof(Shard) + shard.room * sizeof(uint64_t) + shard.capacity + 16


# -- all shards ------------------------------------------------------------------------------------------------------

cdef class Shards:
    """Records by kind, issuer and name."""

    def __dealloc__(self):
        cdef int at
        self._readers[0] = self._readers[1] = 0
        self.free_outdated()
        for at in range(SHARDS):
            free(self._shards[at])

    cdef const Record* find(self, Fact* wanted) noexcept nogil:
        """What there is about this; NULL: nothing."""
        cdef uint64_t hash = hash_of(wanted)
        return find_in(<const Shard*>published(<void**>&self._shards[hash >> 58]), wanted, hash)

    cdef int add_reader(self) noexcept:
        self._readers[self._era] += 1
        return self._era

    cdef void drop_reader(self, int era) noexcept:
        self._readers[era] -= 1
        self.free_outdated()

    cdef void free_outdated(self) noexcept:
        """Free what nobody sees any more, and begin eras as long as there is something to wait for."""
        cdef int before = 1 - self._era
        cdef Shard* shard
        while self._readers[before] == 0 and (self._outdated[0] != NULL or self._outdated[1] != NULL):
            while self._outdated[before] != NULL:
                shard = self._outdated[before]
                self._outdated[before] = shard.outdated
                free(shard)
            # those who come from now on see nothing of what has gone until now
            self._era = before
            before = 1 - before

    cdef bint enter(self, Fact* fact) except -1:
        """Join one; whether it said anything new."""
        cdef uint64_t hash = hash_of(fact)
        cdef int at = <int>(hash >> 58)
        cdef Record* known = <Record*>find_in(self._shards[at], fact, hash)
        cdef Fact old
        if known != NULL:
            read_record(known, &old)
            if fact.value <= old.value and fact.until <= old.until:
                if fact.mark and fact.value == old.value and fact.until == old.until:
                    known.mark = fact.mark
                return False
            if fact.value < old.value or fact.until < old.until:
                fact.mark = 0                          # the snapshot does not have all of it
            fact.value = max(fact.value, old.value)
            fact.until = max(fact.until, old.until)
        if not has_room(self._shards[at], fact):
            self.renew(at, fact)
        if find_in(self._shards[at], fact, hash) == NULL:
            take(counter(&self._tally, fact.issuer, fact.kind), 1)
        put(self._shards[at], fact, hash)
        return True

    cdef int renew(self, int at, const Fact* room_for) except -1:
        """Have another shard take the place of this one: without what has run out, and with room for one more."""
        cdef Shard* old = self._shards[at]
        cdef Shard* made = without_the_past(old, wall_ns() // NANOSECONDS, room_for, &self._tally)
        if made == NULL:
            raise MemoryError
        publish(<void**>&self._shards[at], made)
        self._copied += made.count
        if old != NULL:
            old.outdated = self._outdated[self._era]
            self._outdated[self._era] = old
            self.free_outdated()
        return 0

    cdef int sweep_next(self) except -1:
        """Let go of what has run out in one shard, the next each time, where that is worth it."""
        cdef int at = self._hand
        cdef Shard* shard = self._shards[at]
        self._hand = (at + 1) % SHARDS
        if shard != NULL and 8 * <uint64_t>wasted_bytes(shard, wall_ns() // NANOSECONDS) > shard.used:
            self.renew(at, NULL)
        return 0

    cdef void clear_marks(self) noexcept:
        cdef Shard* shard
        cdef Record* record
        cdef int at
        cdef uint32_t place
        for at in range(SHARDS):
            shard = self._shards[at]
            for place in range(shard.room if shard != NULL else 0):
                record = record_at(shard, place)
                if record != NULL:
                    record.mark = 0

    cdef Py_ssize_t bytes_held(self) noexcept:
        cdef Py_ssize_t held = 0
        cdef int at
        for at in range(SHARDS):
            held += shard_bytes(self._shards[at])
        return held
