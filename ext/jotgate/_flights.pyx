"""One verification of one new token at a time.

A token that many requests bring at the same moment would be verified by each of them, because none finds it in the
cache yet. So whoever lets go of the GIL to check a signature says which text it is about, and who comes with the same
text waits, then looks into the cache again. A flight that ends in a refusal leaves nothing there: each waiter then
decides for itself.
"""

cimport cython
from libc.stdint cimport uint64_t

from jotgate._codec cimport Span, same_bytes
from jotgate._sync cimport (
    PyThread_acquire_lock, PyThread_allocate_lock, PyThread_free_lock, PyThread_release_lock,
)

cdef extern from *:
    """
    #ifdef _WIN32
      #define jg_process() 0
    #else
      #include <unistd.h>
      #define jg_process() ((int)getpid())
    #endif
    """
    int this_process "jg_process"() noexcept nogil


@cython.final
cdef class Flights:
    """The verifications under way in one verifier."""

    def __dealloc__(self):
        cdef int i
        for i in range(FLIGHTS):
            if self._flights[i].lock != NULL:
                PyThread_free_lock(self._flights[i].lock)

    cdef Flight* board(self, Span text, uint64_t hash) noexcept:
        """Announce a verification; NULL where there is no place left to announce it."""
        cdef Flight* flight
        cdef int process = this_process()
        cdef int i
        with cython.critical_section(self):
            for i in range(FLIGHTS):
                flight = &self._flights[i]
                if flight.process != process:       # forked: what the parent's threads hold is held for ever
                    flight.lock = NULL
                    flight.waiting = 0
                    flight.busy = False
                    flight.process = process
                if flight.busy or flight.waiting:
                    continue
                if flight.lock == NULL:
                    flight.lock = PyThread_allocate_lock()
                if flight.lock == NULL or not PyThread_acquire_lock(flight.lock, 0):
                    return NULL
                flight.text = text
                flight.hash = hash
                flight.busy = True
                self._flying += 1
                return flight
        return NULL

    cdef void land(self, Flight* flight) noexcept:
        with cython.critical_section(self):
            flight.busy = False
            self._flying -= 1
            PyThread_release_lock(flight.lock)

    cdef bint wait_for(self, Span text, uint64_t hash) noexcept:
        """Wait until another thread has verified this very text; False at once when none is about to."""
        cdef Flight* flight = NULL
        cdef int process
        cdef int i
        if self._flying == 0:
            return False
        process = this_process()
        with cython.critical_section(self):
            for i in range(FLIGHTS):
                flight = &self._flights[i]
                if (flight.busy and flight.hash == hash and flight.process == process
                        and same_bytes(flight.text, text)):
                    flight.waiting += 1
                    break
            else:
                return False
        with nogil:
            PyThread_acquire_lock(flight.lock, 1)
            PyThread_release_lock(flight.lock)
        with cython.critical_section(self):
            flight.waiting -= 1
        return True
