"""The judge of the token cache: the tokens that plain LRU, under the same bounds, would hold now, as fingerprints of 32
bits in order of last use. Where two tokens share one, the later has it; the worst that comes of it is one entry that is
judged wrongly.
"""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from jotgate._codec cimport prefetch


@cython.final
cdef class Shadow:
    """An LRU list without values. Every operation is O(1)."""

    def __dealloc__(self):
        free(self._shades)
        free(self._heads)

    cdef bint see(self, uint64_t hash, uint32_t charge, uint32_t* holder, int64_t bytes_limit,
                  Py_ssize_t count_limit) noexcept:
        """Ask LRU for a token and let it take the token in; True if it had it. `holder` gets the index."""
        cdef uint32_t print = <uint32_t>(hash >> 24)
        cdef uint32_t at = self.head_of(print)[0]
        cdef uint32_t* head
        cdef bint had
        while at and self._shades[at].print != print:
            at = self._shades[at].chained
        had = at != 0
        if had:
            self.unlink(at)
            self._bytes -= self._shades[at].charge
            if self._shades[at].holder != NULL:
                self._shades[at].holder[0] = 0
        while self._oldest and (
                self._bytes + charge > bytes_limit
                or not had and (self._count >= count_limit or self._count + 1 >= self._room)):
            self.drop_oldest()
        if not had:
            at = self._free
            if at:
                self._free = self._shades[at].chained
            else:
                self._made += 1
                at = self._made
            head = self.head_of(print)
            self._shades[at].print = print
            self._shades[at].chained = head[0]
            head[0] = at
            self._count += 1
        self._shades[at].charge = charge
        self._shades[at].holder = holder
        self._bytes += charge
        holder[0] = at
        self.link(at)
        return had

    cdef void expect(self, uint64_t hash) noexcept:
        """Fetch what `see` will touch for a token that is not here."""
        cdef Shade* oldest = &self._shades[self._oldest]
        prefetch(self.head_of(<uint32_t>(hash >> 24)))
        prefetch(self.head_of(oldest.print))
        prefetch(&self._shades[oldest.newer])

    cdef void touch(self, uint32_t at) noexcept:
        """The token was asked for."""
        if at != self._newest:
            self.unlink(at)
            self.link(at)

    cdef void grow(self, uint32_t at, Py_ssize_t by_bytes) noexcept:
        """The token takes more memory than before."""
        self._shades[at].charge += <uint32_t>by_bytes
        self._bytes += by_bytes

    cdef void let_go(self, uint32_t at) noexcept:
        """The cache dropped the token; LRU would not have."""
        self._shades[at].holder = NULL

    cdef void clear(self) noexcept:
        while self._oldest:
            self.drop_oldest()

    cdef Py_ssize_t make_room(self, uint32_t count, uint32_t head_count) noexcept:
        """Make room for `count` tokens in all, with a power of two of heads; return how many bytes more that takes.

        0: there is no memory for it, and all stays as it was.
        """
        cdef uint32_t room = count + 1
        cdef Shade* shades = <Shade*>calloc(room, sizeof(Shade))
        cdef uint32_t* heads = <uint32_t*>calloc(head_count, sizeof(uint32_t))
        cdef Py_ssize_t before = self._room * sizeof(Shade) + (self._head_mask + (self._room > 0)) * sizeof(uint32_t)
        cdef uint32_t at
        cdef uint32_t* head
        if shades == NULL or heads == NULL:
            free(shades)
            free(heads)
            return 0
        if self._room:
            memcpy(shades, self._shades, self._room * sizeof(Shade))
        free(self._shades)
        free(self._heads)
        self._shades = shades
        self._heads = heads
        self._room = room
        self._head_mask = head_count - 1
        at = self._oldest
        while at:
            head = self.head_of(shades[at].print)
            shades[at].chained = head[0]
            head[0] = at
            at = shades[at].newer
        return room * sizeof(Shade) + head_count * sizeof(uint32_t) - before

    cdef uint32_t* head_of(self, uint32_t print) noexcept:
        return &self._heads[print & self._head_mask]

    cdef void link(self, uint32_t at) noexcept:
        self._shades[at].older = self._newest
        self._shades[at].newer = 0
        if self._newest:
            self._shades[self._newest].newer = at
        else:
            self._oldest = at
        self._newest = at

    cdef void unlink(self, uint32_t at) noexcept:
        cdef uint32_t newer = self._shades[at].newer
        cdef uint32_t older = self._shades[at].older
        if newer:
            self._shades[newer].older = older
        else:
            self._newest = older
        if older:
            self._shades[older].newer = newer
        else:
            self._oldest = newer

    cdef void drop_oldest(self) noexcept:
        cdef uint32_t at = self._oldest
        cdef uint32_t* link = self.head_of(self._shades[at].print)
        while link[0] != at:
            link = &self._shades[link[0]].chained
        link[0] = self._shades[at].chained
        self.unlink(at)
        if self._shades[at].holder != NULL:
            self._shades[at].holder[0] = 0
            self._shades[at].holder = NULL
        self._shades[at].chained = self._free
        self._free = at
        self._count -= 1
        self._bytes -= self._shades[at].charge
