"""A policy compiled once: what a header and the claims must look like, as plain C data."""

cimport cython
from libc.stdint cimport int64_t, uint32_t

from jotgate._codec cimport Span
from jotgate._fault cimport CLAIM_COUNT, Fault
from jotgate._json cimport Names, Value, Vocabulary


cdef enum:
    MAX_CRIT = 64                   # names of `crit` a policy may list: one bit each while a header is checked


cdef struct Strings:
    # Expected values of one claim; `anything` is ANY, no items is "not configured".
    Span* items
    Py_ssize_t count
    bint anything


cdef struct NumericDate:
    int64_t seconds                 # Unix seconds, 0 to 253402300799
    int64_t ns                      # and nanoseconds, 0 to 999999999
    bint more                       # and a little more: there are digits below the nanosecond


cdef Vocabulary CLAIMS              # word[i] is the name of Claim i


@cython.final
cdef class CompiledPolicy:
    cdef readonly uint32_t algorithms          # bit mask over the algorithm numbers
    cdef readonly Py_ssize_t max_token_bytes
    cdef readonly bint allow_padding
    cdef Strings typ
    cdef Strings crit
    cdef Strings issuer
    cdef Strings audience
    cdef Strings subject
    cdef Strings authorized_party
    cdef Strings required                      # names of `require` that are not registered claims
    cdef bint must_have[CLAIM_COUNT]
    cdef int64_t leeway_ns
    cdef int64_t max_age_ns                    # negative: no limit
    cdef int64_t max_lifetime_s                # whole seconds; negative: no limit
    cdef int64_t max_lifetime_ns               # and nanoseconds, 0 to 999999999
    cdef list _kept                            # the bytes objects that every Span above points into
    cdef tuple required_names

    cdef object claim_name(self, int claim)
    cdef int hold(self, Strings* strings, values) except -1

    cdef Fault check(self, Span document, const Value* values, const Names* names, int64_t now_ns, int64_t ahead_ns,
                     int* claim) noexcept nogil
    cdef void window(self, Span document, const Value* values, int64_t ahead_ns, int64_t* opens_ns,
                     int64_t* closes_ns) noexcept nogil


cdef Fault check_epoch(Span document, Value value, int64_t epoch, int* claim) noexcept nogil
cdef Fault read_numeric_date(Span number, NumericDate* date) noexcept nogil
