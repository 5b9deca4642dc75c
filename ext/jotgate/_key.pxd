"""Keys prepared for verifying, and the index over them."""

cimport cython
from libc.stdint cimport uint8_t, uint32_t

from jotgate._codec cimport Span
from jotgate._fault cimport UNDECIDED, Fault
from jotgate._json cimport Value


cdef enum Algorithm:
    # One number per algorithm; Ed25519 and Ed448 are two although tokens may call both EdDSA (RFC 9864).
    HS256, HS384, HS512
    RS256, RS384, RS512
    PS256, PS384, PS512
    ES256, ES384, ES512, ES256K
    ED25519, ED448
    ML_DSA_44, ML_DSA_65, ML_DSA_87
    ALGORITHM_COUNT

cdef enum:
    MAX_SIGNATURE_BYTES = 4627      # ML-DSA-87; RSA keys end at 8192 bits, 1024 bytes


@cython.final
cdef class KeyHandle:
    cdef readonly int algorithm
    cdef readonly object kid                   # str or None
    cdef readonly Py_ssize_t signature_bytes
    cdef tuple _context
    cdef object _call                          # bound method of the key: HMAC copy, or verify
    cdef Fault check(self, Span signature, bytes data) noexcept
    cdef Fault check_mac(self, Span signature, bytes data) except? UNDECIDED
    cdef Fault check_public(self, Span signature, bytes data) except? UNDECIDED


@cython.final
cdef class KeyTable:
    cdef list _by_kid                          # for each algorithm a dict kid -> KeyHandle, or None
    cdef list _only                            # for each algorithm its only key, or None
    cdef int _count[ALGORITHM_COUNT]
    cdef KeyHandle find(self, object kid, uint32_t algorithms)


cdef uint32_t algorithms_named(Span document, Value name) noexcept nogil     # bit mask; 0: a name we do not know


cdef class SignatureLane:
    cdef Fault check(self, Span signature, Span data) noexcept nogil
