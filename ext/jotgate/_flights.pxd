"""Verifications under way without the GIL."""

cimport cython
from libc.stdint cimport uint64_t

from jotgate._codec cimport Span

cdef enum:
    FLIGHTS = 8                     # at the same time; one more goes unannounced


cdef struct Flight:
    void* lock                      # held by whoever verifies
    uint64_t hash
    Span text
    int waiting
    bint busy
    int process                     # a flight of the parent's threads never lands in a forked child


@cython.final
cdef class Flights:
    cdef Flight _flights[FLIGHTS]
    cdef int _flying

    cdef Flight* board(self, Span text, uint64_t hash) noexcept
    cdef void land(self, Flight* flight) noexcept
    cdef bint wait_for(self, Span text, uint64_t hash) noexcept
