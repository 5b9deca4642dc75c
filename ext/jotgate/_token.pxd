"""What a verification returns: tokens and payloads."""

cimport cython
from libc.stdint cimport uint32_t

from jotgate._codec cimport Span
from jotgate._fault cimport CLAIM_COUNT
from jotgate._json cimport Value
from jotgate._key cimport KeyHandle, Snapshot, TrustCell


@cython.final
cdef class Header:
    cdef bytes segment                         # as written in the token, base64url
    cdef bytes document                        # the JSON
    cdef readonly object kid                   # str or None
    cdef readonly str alg                      # as written in the token
    cdef KeyHandle key
    cdef int index                             # of the key, in the table that it was looked up in first
    cdef TrustCell cell                        # whether that key still counts
    cdef Snapshot snapshot                     # where it was looked up last
    cdef uint32_t algorithms                   # what `alg` may mean there: a bit mask
    cdef Py_ssize_t holders                    # how many entries of a cache share it
    cdef object _mapping                       # built when somebody asks

    cdef object mapping(self)
    cdef Py_ssize_t bytes_held(self) noexcept


cdef struct Holder:
    # Who keeps a token and is told when it grows: first member of a cache's entry.
    void (*grew)(Holder* holder, Py_ssize_t by_bytes) noexcept
    void* owner


@cython.final
cdef class VerifiedToken:
    cdef readonly bytes payload
    cdef Header _header
    cdef Value _values[CLAIM_COUNT]            # where the registered claims lie in the payload
    cdef object _claims                        # built when somebody asks
    cdef Holder* _holder                       # the cache entry that keeps it, or NULL

    cdef object built_claims(self)
    cdef Py_ssize_t bytes_held(self) noexcept
    cdef Span document(self) noexcept
    cdef object text_of(self, int claim)
    cdef object number_of(self, int claim)


@cython.final
cdef class VerifiedPayload:
    cdef readonly bytes payload
    cdef Header _header


cdef Header make_header(bytes segment, bytes document, object kid, str alg, uint32_t algorithms, KeyHandle key,
                        TrustCell cell, Snapshot snapshot)
cdef VerifiedToken make_token(bytes payload, Header header, const Value* values)
cdef VerifiedPayload make_payload(bytes payload, Header header)
cdef object string_value(Span document, Value value)
