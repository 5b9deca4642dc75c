"""Many tokens at once."""

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from jotgate._engine cimport Engine, Work
from jotgate._judge cimport Judge, Scratch
from jotgate._token cimport VerifiedToken


cdef struct Item:
    # The verdict on one text. Zeroes are UNDECIDED.
    PyObject* token                 # VerifiedToken, owned: from the cache, or made when somebody looked; or NULL
    int64_t exp                     # Unix seconds; 0 where there is none or it was not looked at
    uint32_t first                  # of equal texts, the one that was verified
    uint32_t issuer                 # which binding decided, by index in `_bindings`
    int32_t claim                   # the Claim that a refusal is about; of an accepted text, the index of its key
    uint8_t fault


@cython.final
cdef class BatchResult:
    cdef Engine _engine
    cdef Judge _judge               # the keys and policies that decide now
    cdef list _bindings             # by Item.issuer: those of every judge there was
    cdef uint32_t _first_binding    # of them, the first of this judge
    cdef int64_t _began_ns          # the wall clock of that moment
    cdef list _parts                # tuples of the caller's texts, each but the last of `_part` many
    cdef Py_ssize_t _part
    cdef PyObject* _texts           # the part at work, and the index of its first text
    cdef Py_ssize_t _start
    cdef Item* _items
    cdef Py_ssize_t _count
    cdef uint32_t* _todo            # indices of what is to be verified in this part
    cdef int64_t _todo_count
    cdef int64_t _next              # of them, the first that no thread has taken; atomic
    cdef int64_t _next_undone       # of them, the first that is not decided for good; the others were moved before it
    cdef int64_t _shares            # into how many chunks what is left is cut
    cdef uint64_t _generation       # of the revocations when this part began
    cdef int _seats                 # how many threads may help with this part, and how many do
    cdef int _helpers
    cdef void* _idle                # a lock that is held while any does
    cdef int _stopped               # no more chunks are taken; atomic

    cdef int appoint(self) except -1
    cdef int note(self, Py_ssize_t start) except -1
    cdef bint run_chunk(self, Scratch* scratch) noexcept nogil
    cdef void look_ahead(self, int64_t at, int64_t end, Scratch* scratch) noexcept nogil
    cdef tuple renewal_at(self, Py_ssize_t todo)
    cdef VerifiedToken token_at(self, Py_ssize_t index)
    cdef VerifiedToken make(self, Py_ssize_t index, Work* work)
    cdef object result_at(self, Py_ssize_t index)
    cdef list tally(self)
