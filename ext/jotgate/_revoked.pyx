"""The revocation index: ids under a keyed 128-bit hash, so that it holds no id in clear and nobody can choose what
collides.

A change moves the generation on. Whoever remembers "not revoked" remembers the generation read before looking, and
looks again when the two differ.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from jotgate._clock cimport wall_ns
from jotgate._codec cimport Span, keyed_hash, span_of
from jotgate._fault cimport JTI
from jotgate._json cimport STRING, Value, string_text

cdef int64_t NANOSECONDS = 1_000_000_000
cdef int64_t MOST_LEEWAY = 600                         # seconds; what a policy may forgive
cdef uint64_t OTHER_SEED = 0x9E3779B97F4A7C15ULL      # for the second half of the hash; any constant but 0


cdef inline RevokedId hashed(Span text) noexcept nogil:
    cdef RevokedId made
    made.high = keyed_hash(text) | 1                   # 0 is a free place
    made.low = keyed_hash(text, OTHER_SEED)
    made.until = 0
    return made


@cython.final
cdef class RevocationIndex:
    """Ids of revoked tokens (``jti``), each kept until the token has expired anyway (RFC 7519 section 4.1.7)."""

    def __cinit__(self):
        self._table = new_table(63)
        if self._table == NULL:
            raise MemoryError

    def __dealloc__(self):
        if self._table != NULL:
            self.free_outdated()
            free(self._table.places)
            free(self._table)

    cdef void add_reader(self) noexcept:
        self._readers += 1

    cdef void drop_reader(self) noexcept:
        self._readers -= 1
        self.free_outdated()

    cdef void free_outdated(self) noexcept:
        cdef RevokedTable* table
        while self._readers == 0 and self._table.outdated != NULL:
            table = self._table.outdated
            self._table.outdated = table.outdated
            free(table.places)
            free(table)

    def revoke(self, token_id, until):
        """Refuse every token with this ``jti`` from now on.

        Args:
            token_id: The ``jti``, a str.
            until: Unix seconds, an int: when the last token with this id has expired. Kept at least until then.
        """
        cdef bytes text = (<str>token_id).encode("utf-8")
        cdef RevokedId made = hashed(span_of(text))
        cdef RevokedId* place
        if type(until) is not int:                     # a float would be rounded down, and the id forgotten too early
            raise TypeError("until is a whole number of Unix seconds")
        made.until = until + MOST_LEEWAY               # a verifier may accept it that much longer
        self.make_room()
        place = place_of(self._table, made.high, made.low)
        if place.high == 0:
            self._count += 1
        elif place.until > made.until:                 # never shortened
            made.until = place.until
        place[0] = made
        self.generation += 1

    def __len__(self):
        return self._count

    def __repr__(self):
        return f"<RevocationIndex of {self._count} ids>"

    cdef bint revokes(self, Span document, const Value* values) noexcept nogil:
        """Whether the claims are those of a revoked token. What cannot be found out for want of memory is revoked."""
        cdef Value value = values[<int>JTI]
        cdef Span text
        cdef RevokedId wanted
        cdef uint8_t* room
        if value.kind != STRING or self._count == 0:
            return False
        if not string_text(document, value, &text, &room):
            return True
        wanted = hashed(text)
        free(room)
        return place_of(self._table, wanted.high, wanted.low).high != 0

    cdef int make_room(self) except -1:
        """Keep a quarter of the places free: drop ids whose time is over, and double while more than half are taken."""
        cdef RevokedTable* old = self._table
        cdef RevokedTable* table
        cdef uint32_t at, kept = 0
        cdef uint32_t mask = old.mask
        cdef int64_t now_s = wall_ns() // NANOSECONDS
        if 4 * (<uint64_t>self._count + 1) <= 3 * <uint64_t>mask:
            return 0
        for at in range(old.mask + 1):
            kept += old.places[at].high != 0 and old.places[at].until > now_s
        while 2 * <uint64_t>kept >= mask:
            mask = 2 * mask + 1
        table = new_table(mask)
        if table == NULL:
            raise MemoryError
        for at in range(old.mask + 1):
            if old.places[at].high and old.places[at].until > now_s:
                place_of(table, old.places[at].high, old.places[at].low)[0] = old.places[at]
        table.outdated = old
        self._count = kept
        self._table = table                            # filled: from here on it may be read
        self.free_outdated()
        return 0


cdef RevokedTable* new_table(uint32_t mask) noexcept:
    cdef RevokedTable* table = <RevokedTable*>calloc(1, sizeof(RevokedTable))
    if table == NULL:
        return NULL
    table.mask = mask
    table.places = <RevokedId*>calloc(<size_t>mask + 1, sizeof(RevokedId))
    if table.places == NULL:
        free(table)
        return NULL
    return table


cdef RevokedId* place_of(const RevokedTable* table, uint64_t high, uint64_t low) noexcept nogil:
    """Where the id is, or the free place where it belongs."""
    cdef uint32_t at = <uint32_t>(high >> 32) & table.mask
    while table.places[at].high and not (table.places[at].high == high and table.places[at].low == low):
        at = (at + 1) & table.mask
    return &table.places[at]
