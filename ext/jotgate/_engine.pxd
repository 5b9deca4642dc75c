"""The pipeline: from text to verdict."""

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from jotgate._cache cimport HeaderMemo
from jotgate._claims cimport CompiledPolicy
from jotgate._codec cimport Compact, Span
from jotgate._fault cimport CLAIM_COUNT, FAULT_COUNT, Fault
from jotgate._json cimport Names, Value
from jotgate._key cimport KeyTable
from jotgate._token cimport Header


cdef struct Work:
    # What one verification knows; lives on the caller's stack.
    Compact parts
    Value values[CLAIM_COUNT]       # where the registered claims lie in the payload
    Names names                     # the payload's member names
    Py_ssize_t size                 # of the whole text
    int claim                       # the Claim that a refusal is about


@cython.final
cdef class Binding:
    # One policy over one snapshot of keys, and the headers seen under the two. Replaced whole, never changed.
    cdef CompiledPolicy policy
    cdef KeyTable keys
    cdef HeaderMemo memo

    cdef Header read_header(self, Work* work, Fault* fault)
    cdef Fault check_header(self, Span document, const Value* values, const Names* names, int* claim) noexcept nogil
    cdef Fault check_crit(self, Span document, Value crit, const Names* names) noexcept nogil
    cdef Fault check_typ(self, Span document, Value typ, int* claim) noexcept nogil


cdef struct Outcome:
    # Owned references, or NULL.
    PyObject* token                 # a VerifiedToken; set only together with OK
    PyObject* claim                 # name of the claim that a refusal is about


cdef class Engine:
    cdef Binding _binding                 # the only binding, or None
    cdef dict _bindings                # issuer in UTF-8 -> Binding, or None
    cdef Py_ssize_t _max_token_bytes
    cdef bint _allow_padding
    cdef uint64_t _verdicts[FAULT_COUNT]

    cdef Fault decide(self, object text, Outcome* outcome) noexcept
    cdef Fault decide_by_issuer(self, Work* work, Outcome* outcome) noexcept
