"""Records by kind, issuer and name, read without the GIL while one thread writes."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from jotgate._codec cimport Span


cdef enum RecordKind:
    JTI_RULE
    SUB_RULE
    SID_RULE
    EPOCH_RULE
    KEY_RULE
    ISSUER_NAME                     # no rule: the number that stands for an issuer in the other records
    KIND_COUNT

cdef enum:
    EVERY_ISSUER = 0                # as the number of an issuer: a rule about the tokens of all
    SHARDS = 64

cdef uint32_t FOR_EVER              # as a time in a record
cdef int64_t MOST_LEEWAY            # seconds; what a policy may forgive: a record is kept that much longer


cdef packed struct Record:
    # Then the value, of VALUE_BYTES[kind] bytes, then the name. Written before it is published and never changed after,
    # but for its mark, which only writers look at.
    uint32_t until                  # Unix seconds; FOR_EVER
    uint32_t shape                  # bytes of the name, shifted by three, and the kind
    uint16_t issuer
    uint8_t mark


cdef struct Fact:
    # What a record says, or what is looked for.
    int kind
    int issuer
    Span name
    uint64_t value
    uint32_t until
    uint8_t mark


cdef struct Tally:
    # How many records there are, by kind; of every issuer's tokens and of one issuer's. Read without the GIL.
    int64_t general[KIND_COUNT]
    int64_t own[KIND_COUNT]


cdef struct Shard:
    # One block of memory, places and records behind it. Published whole; then places and records are added, each with
    # one atomic store, until there is no room and another shard takes its place.
    Shard* outdated                 # the next in a row of shards that wait for their last reader
    uint64_t serial                 # tells it from one that had the same address before
    uint32_t room                   # how many places
    uint32_t count                  # how many of them are taken
    uint32_t used                   # bytes of records
    uint32_t capacity
    uint32_t dead                   # bytes of records that others took the place of
    uint64_t* places                # tag << 32 | 1 + where the record begins; 0: free
    uint8_t* records


cdef class Shards:
    cdef Shard* _shards[SHARDS]     # by the top bits of the hash; NULL: nothing yet
    cdef Tally _tally
    cdef uint32_t _copied           # records, since a writer last looked: more than a few hold up other threads
    cdef int _hand                  # the shard that is swept next
    cdef int _era                   # 0 or 1: where new readers are counted
    cdef int _readers[2]
    cdef Shard* _outdated[2]        # what had given way when the era began, and what has since; by era

    cdef const Record* find(self, Fact* wanted) noexcept nogil
    cdef int add_reader(self) noexcept                     # the era, for drop_reader
    cdef void drop_reader(self, int era) noexcept
    cdef void free_outdated(self) noexcept
    cdef bint enter(self, Fact* fact) except -1
    cdef int renew(self, int at, const Fact* room_for) except -1
    cdef int sweep_next(self) except -1
    cdef void clear_marks(self) noexcept
    cdef Py_ssize_t bytes_held(self) noexcept


cdef inline int64_t* counter(Tally* tally, int issuer, int kind) noexcept nogil:
    return &tally.general[kind] if issuer == EVERY_ISSUER else &tally.own[kind]


cdef void read_record(const Record* record, Fact* fact) noexcept nogil
cdef uint64_t value_of(const Record* record) noexcept nogil
cdef Record* record_at(const Shard* shard, uint32_t place) noexcept nogil    # NULL: a free place
cdef bint is_over(const Record* record, int64_t now_s) noexcept nogil
