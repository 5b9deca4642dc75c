"""One verdict without the GIL."""

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t

from jotgate._binding cimport Binding, Issuers
from jotgate._codec cimport Compact, Span
from jotgate._fault cimport CLAIM_COUNT, Fault
from jotgate._json cimport Names, Value
from jotgate._points cimport Inverses
from jotgate._revoked cimport RevocationIndex


cdef struct Verdict:
    int64_t exp                     # Unix seconds; 0 where there is none or it was not looked at
    uint32_t issuer                 # which binding decided
    int claim                       # the Claim that a refusal is about
    int key                         # index of the key that an accepted token was signed with


cdef struct KnownHeader:
    # A header that led to a valid signature for this thread, in this batch.
    Span segment
    PyObject* binding
    int key

cdef enum:
    KNOWN_HEADERS = 32


cdef struct Scratch:
    # What one thread works with.
    Compact parts
    Value values[CLAIM_COUNT]       # where the registered claims lie in the payload
    Names names                     # the payload's member names
    uint8_t* header
    uint8_t* payload
    Py_ssize_t header_room
    Py_ssize_t payload_room
    KnownHeader known[KNOWN_HEADERS]
    Inverses inverses               # of the signatures of the tokens that come next
    const uint8_t* inverse          # of the one that is judged now; or NULL


cdef void scratch_init(Scratch* scratch) noexcept nogil
cdef void scratch_free(Scratch* scratch) noexcept nogil


@cython.final
cdef class Judge:
    cdef Binding binding            # or None
    cdef Issuers issuers            # or None
    cdef list bindings              # by Verdict.issuer
    cdef RevocationIndex revoked    # or None
    cdef int era                    # in which it began to read that
    cdef int64_t ahead_ns
    cdef Py_ssize_t max_token_bytes
    cdef bint allow_padding
    cdef bint looks_ahead           # whether a key takes inverses

    cdef Fault decide(self, Span text, int64_t now_ns, Scratch* scratch, Verdict* verdict) noexcept nogil
    cdef Fault judge(self, Span text, int64_t now_ns, Scratch* scratch, Verdict* verdict) noexcept nogil
    cdef Fault scan(self, Scratch* scratch, Span* payload) noexcept nogil


cdef bint last_number(Span text, uint8_t* number) noexcept nogil
cdef int64_t seconds_of(Span document, const Value* values) noexcept nogil
