"""The pipeline: from text to verdict."""

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from jotgate._binding cimport Binding, Issuers
from jotgate._cache cimport TokenCache
from jotgate._codec cimport Compact, Span
from jotgate._fault cimport CLAIM_COUNT, FAULT_COUNT, UNDECIDED, Fault
from jotgate._flights cimport Flight, Flights
from jotgate._json cimport Names, Value
from jotgate._revoked cimport Asking, RevocationIndex
from jotgate._token cimport Header, VerifiedToken


cdef struct Work:
    # What one verification knows; lives on the caller's stack.
    Compact parts
    Value values[CLAIM_COUNT]       # where the registered claims lie in the payload
    Names names                     # the payload's member names
    Py_ssize_t size                 # of the whole text
    int claim                       # the Claim that a refusal is about
    uint64_t hash                   # where a cache would keep the token
    uint64_t generation             # of the revocations, read before they were asked
    int64_t now_ns                  # the wall clock by which the claims were judged
    Flight* flight                  # what others may be waiting for; NULL: nothing


cdef struct Outcome:
    # Owned references, or NULL; and how far the rules that are known here are relied on.
    PyObject* token                 # a VerifiedToken; set only together with OK
    PyObject* claim                 # name of the claim that a refusal is about
    PyObject* renewal               # whom to ask for newer keys or rules, where those of now did not decide
    PyObject* interrupt             # what was raised while it was asked for them: to be raised in place of a verdict
    Asking asking


cdef class Engine:
    cdef Binding _binding           # the only one, or None
    cdef Issuers _issuers           # or one for each issuer, or None
    cdef Py_ssize_t _max_token_bytes
    cdef bint _allow_padding
    cdef TokenCache _cache          # or None
    cdef Flights _flights           # beside a cache
    cdef RevocationIndex _revoked   # or None
    cdef object _feed               # what keeps that up to date, or None
    cdef int64_t _ahead_ns          # by which an `iat` may be ahead, whatever the leeway
    cdef object _is_revoked         # a callable that answers under the GIL, or None
    cdef uint64_t _verdicts[FAULT_COUNT]

    cdef void begin(self, Outcome* outcome, bint fresh) noexcept
    cdef Fault decide(self, object text, bint fresh, Outcome* outcome) noexcept
    cdef Fault decide_with_renewed(self, object text, bint fresh, Fault fault, Outcome* outcome) noexcept
    cdef Fault ask_for(self, Binding binding, Fault fault, Outcome* outcome) noexcept
    cdef tuple renewal_of(self, Binding binding, Fault fault)
    cdef PyObject* recall(self, Span text, uint64_t hash, bint fresh, Asking asking) noexcept
    cdef PyObject* known(self, Span text, uint64_t hash, bint fresh, Asking asking) noexcept
    cdef bint resolves_again(self, VerifiedToken token) noexcept
    cdef Fault decide_anew(self, Work* work, bint fresh, Outcome* outcome) noexcept
    cdef Fault decide_by_issuer(self, Work* work, bint fresh, Outcome* outcome) noexcept
    cdef Fault verify_token(self, Binding binding, Work* work, bytes payload, Fault payload_fault, bint fresh,
                            Outcome* outcome) noexcept
    cdef Fault check_signature(self, Binding binding, Header header, Work* work) noexcept
    cdef Fault ask(self, VerifiedToken token, bint fresh) except? UNDECIDED
    cdef Fault answer(self, VerifiedToken token, bint fresh) noexcept
    cdef void remember(self, Binding binding, Work* work, VerifiedToken token) noexcept


cdef Fault read_text(PyObject* text, Py_ssize_t max_bytes, Span* whole) noexcept nogil
cdef object wanted_for(Fault fault)
cdef Fault scan_payload(Work* work, PyObject** payload) noexcept
