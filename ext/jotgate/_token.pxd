"""What a verification returns: tokens, payloads, and read-only claims."""

cimport cython

from jotgate._codec cimport Span
from jotgate._fault cimport CLAIM_COUNT
from jotgate._json cimport Value
from jotgate._key cimport KeyHandle


@cython.final
cdef class Header:
    cdef bytes segment                         # as written in the token, base64url
    cdef bytes document                        # the JSON
    cdef readonly object kid                   # str or None
    cdef readonly str alg                      # as written in the token
    cdef KeyHandle key
    cdef object _mapping                       # built when somebody asks

    cdef object mapping(self)


@cython.final
cdef class Claims:
    cdef dict _members                         # values are immutable all the way down; never handed out


@cython.final
cdef class VerifiedToken:
    cdef readonly bytes payload
    cdef Header _header
    cdef Value _values[CLAIM_COUNT]            # where the registered claims lie in the payload
    cdef object _claims                        # built when somebody asks

    cdef object built_claims(self)
    cdef Span document(self) noexcept
    cdef object text_of(self, int claim)
    cdef object number_of(self, int claim)


@cython.final
cdef class VerifiedPayload:
    cdef readonly bytes payload
    cdef Header _header


cdef Header make_header(bytes segment, bytes document, object kid, str alg, KeyHandle key)
cdef VerifiedToken make_token(bytes payload, Header header, const Value* values)
cdef VerifiedPayload make_payload(bytes payload, Header header)
cdef object string_value(Span document, Value value)
