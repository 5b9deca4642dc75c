"""A policy over a set of keys, ready to decide."""

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t

from jotgate._memo cimport HeaderMemo
from jotgate._claims cimport CompiledPolicy
from jotgate._codec cimport Compact, Span
from jotgate._fault cimport Fault
from jotgate._json cimport Names, Value
from jotgate._key cimport KeySource, KeyTable, Snapshot
from jotgate._token cimport Header


cdef struct HeaderFacts:
    # What a header that passed says.
    Value kid
    Value alg
    uint32_t algorithms             # what `alg` may mean under the policy: a bit mask
    int key                         # index of its key


@cython.final
cdef class Binding:
    # One policy over one snapshot of keys, and the headers seen under the two. Replaced whole, never changed.
    cdef CompiledPolicy policy
    cdef KeyTable keys
    cdef tuple cells                # whether each key is still vouched for
    cdef tuple lanes                # each key in another library, or None
    cdef PyObject** handle_refs     # by index of key, for the nogil steps; the three tuples keep them alive
    cdef PyObject** lane_refs
    cdef KeySource source           # where the keys come from
    cdef int64_t epoch              # what tokens must carry; negative: nothing
    cdef Snapshot snapshot
    cdef HeaderMemo memo

    cdef Fault resolve(self, Span document, HeaderFacts* facts, int* claim) noexcept nogil
    cdef Header read_header(self, Span segment, Fault* fault, int* claim)
    cdef Fault check_header(self, Span document, const Value* values, const Names* names, int* claim) noexcept nogil
    cdef Fault check_crit(self, Span document, Value crit, const Names* names) noexcept nogil
    cdef Fault check_typ(self, Span document, Value typ, int* claim) noexcept nogil
    cdef bint takes_inverses(self) noexcept
    cdef Fault check_signature(self, int key, const Compact* parts, const uint8_t* inverse) noexcept nogil


cdef struct IssuerSlot:
    Span name                       # no start: free
    PyObject* binding
    uint32_t index                  # in the order of `bindings`


@cython.final
cdef class Issuers:
    # Which binding decides on an issuer's tokens.
    cdef dict bindings              # issuer in UTF-8 -> Binding
    cdef IssuerSlot* _slots
    cdef uint32_t _mask
    cdef const IssuerSlot* find(self, Span document, Value issuer) noexcept nogil
