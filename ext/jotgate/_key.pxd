"""Keys prepared for verifying, and the index over them."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t

from jotgate._clock cimport monotonic_ns
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
    MAX_ECDSA_DER = 3 + 2 * (66 + 3)


@cython.final
cdef class KeyHandle:
    cdef readonly int algorithm
    cdef readonly object kid                   # str or None
    cdef readonly Py_ssize_t signature_bytes
    cdef tuple _context
    cdef object _material                      # makes the key's bytes for another library; never handed to anybody else
    cdef object _lane                          # the key in that library, or None
    cdef object _call                          # bound method of the key: HMAC copy, or verify
    cdef Fault check(self, Span signature, bytes data) noexcept
    cdef Fault check_mac(self, Span signature, bytes data) except? UNDECIDED
    cdef Fault check_public(self, Span signature, bytes data) except? UNDECIDED


cdef class SignatureLane:
    cdef readonly int algorithm
    cdef readonly Py_ssize_t signature_bytes
    cdef Fault check(self, Span signature, Span data, const uint8_t* inverse) noexcept nogil
    cdef bint takes_inverse(self) noexcept nogil   # whether an inverse would save it anything now


cdef int64_t FOREVER                           # past every moment of the monotonic clock


@cython.final
cdef class KeySource:
    cdef int64_t usable_until                  # monotonic ns; past it nothing it vouched for counts
    cdef readonly object feed                  # who can renew the keys, or None
    cdef dict _cells                           # identity of a key -> its TrustCell
    cdef list _leaving                         # the cells of keys that are gone, until `settle`


cdef inline bint is_usable(KeySource source) noexcept nogil:
    """Whether what the source vouched for counts now."""
    return source.usable_until == FOREVER or monotonic_ns() < source.usable_until


@cython.final
cdef class TrustCell:
    cdef readonly bint trusted
    cdef readonly bint distrusted              # for ever: whatever the key signed was taken back
    cdef KeySource source


@cython.final
cdef class Snapshot:
    cdef bint live                             # False from the moment another one took its place
    cdef object policy                         # the CompiledPolicy it belongs to


cdef struct KeySlot:
    Span kid                                   # no start: free
    int algorithm
    int index


@cython.final
cdef class KeyTable:
    cdef readonly tuple handles
    cdef list _kids                            # the bytes that every slot points into
    cdef KeySlot* _slots                       # keys that have a kid: open addressing, at most half full
    cdef uint32_t _mask
    cdef int _count[ALGORITHM_COUNT]
    cdef int _lone[ALGORITHM_COUNT]            # index of a key of the algorithm: where _count is 1, of the only one
    cdef bint _named[ALGORITHM_COUNT]          # and whether it has a kid
    cdef void enter(self, bytes kid, int algorithm, int index) noexcept
    cdef int find(self, Span kid, uint32_t algorithms) noexcept nogil


cdef uint32_t algorithms_named(Span document, Value name) noexcept nogil     # bit mask; 0: a name we do not know
cdef Py_ssize_t ecdsa_der(Span signature, uint8_t* out) noexcept nogil       # out: MAX_ECDSA_DER bytes
