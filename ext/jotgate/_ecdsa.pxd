"""ES256 with a table of multiples of the key."""

cimport cython
from libc.stdint cimport uint8_t

from jotgate._codec cimport Span
from jotgate._fault cimport Fault
from jotgate._lanes cimport EVP_MD
from jotgate._points cimport BIGNUM, BN_CTX, EC_GROUP, EC_POINT


cdef struct Room:
    # What one check works with.
    BN_CTX* context
    EC_POINT* of_base               # u1 G
    EC_POINT* of_key                # u2 Q
    EC_POINT* sum
    BIGNUM* r
    BIGNUM* s
    BIGNUM* e
    BIGNUM* inverse                 # of s, in Montgomery form
    BIGNUM* u1
    BIGNUM* u2
    BIGNUM* x
    BIGNUM* z
    BIGNUM* helper


@cython.final
cdef class PointTable:
    cdef EC_GROUP* _group                      # P-256 with the key for its generator; written once
    cdef const EVP_MD* _hash
    cdef bint _counted
    cdef bint build(self, Span point) noexcept nogil
    cdef Fault check(self, Span signature, Span data, const uint8_t* inverse) noexcept nogil
    cdef Fault check_digest(self, Span signature, const uint8_t* digest, const uint8_t* inverse) noexcept nogil
