"""What was taken back: an index that answers without I/O and without the GIL."""

cimport cython
from libc.stdint cimport int64_t, uint64_t

from jotgate._clock cimport monotonic_ns
from jotgate._codec cimport Span
from jotgate._fault cimport Fault
from jotgate._json cimport Value
from jotgate._key cimport FOREVER
from jotgate._shards cimport Fact, Shards


cdef enum Asking:
    # What a caller relies on beyond the rules that are known here.
    VOUCHED                         # that the feed vouches for there being no others
    UNASKED                         # that the store was asked during this call: it was not yet
    ASKED                           # the same: it was

cdef enum:
    NO_EPOCH = -1                   # the keys tell of none


@cython.final
cdef class RevocationIndex(Shards):
    cdef readonly uint64_t generation          # grows with every change
    cdef readonly object distrusted            # frozenset of thumbprints; replaced whole
    cdef int64_t _usable_until                 # monotonic ns; past it there may be rules that are not known here
    cdef object _feed                          # weak reference to what keeps this up to date, or None
    cdef object __weakref__
    cdef list _issuers                         # names by number
    cdef dict _numbers                         # and numbers by name
    cdef int _mark                             # of the last snapshot, 1 to 255
    cdef dict _watchers                        # weak references by their ids

    cdef Fault check(self, Span document, const Value* values, int64_t epoch, Asking asking, int* claim) noexcept nogil
    cdef Fault look_up(self, Span document, const Value* values, int64_t epoch, int* claim) noexcept nogil
    cdef bint refuses(self, Fact* wanted, int issuer, Span document, const Value* values) noexcept nogil
    cdef int number_in(self, Span document, Value issuer) noexcept nogil
    cdef int64_t epoch_of(self, int issuer) noexcept nogil

    cdef int settle(self, bint changed, set keys) except -1
    cdef int number_of(self, bytes issuer) except -1
    cdef object tell(self)
    cdef tuple portion(self, int at, uint64_t serial, uint64_t place, int mark, Py_ssize_t at_most)


cdef inline bint is_current(RevocationIndex index) noexcept nogil:
    """Whether what is known here is vouched for now."""
    return index._usable_until == FOREVER or monotonic_ns() < index._usable_until
