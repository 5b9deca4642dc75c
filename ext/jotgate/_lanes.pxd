"""Signature lanes on a libcrypto found at run time: checks that hold no GIL."""

cimport cython
from libc.stdint cimport uint32_t

from jotgate._codec cimport Span
from jotgate._fault cimport Fault
from jotgate._key cimport SignatureLane

cdef extern from "lane_types.h" nogil:
    ctypedef struct EVP_MD
    ctypedef struct EVP_MD_CTX
    ctypedef struct EVP_PKEY
    ctypedef struct EVP_PKEY_CTX
    ctypedef struct HMAC_CTX
    enum: JG_SLOTS
    ctypedef struct Slot "jg_slot":
        uint32_t generation
        void* context


# Between `begin` and `end`, in whatever module, a thread is inside libcrypto: the process neither forks nor ends
# meanwhile, and what the calls leave in the error queue goes. `begin` is False if the process is ending. Never nested.
cdef unsigned int this_thread() noexcept nogil                  # for the two
cdef bint begin(unsigned int thread) noexcept nogil
cdef void end(unsigned int thread) noexcept nogil
cdef void* symbol_of(const char* name) noexcept nogil           # a function of the library that was found, or NULL
cdef const EVP_MD* digest_of(int algorithm) except NULL         # of an HMAC, RSA or ECDSA algorithm


cdef class EVPLane(SignatureLane):
    pass


@cython.final
cdef class MACLane(EVPLane):
    cdef HMAC_CTX* _keyed                      # written once; contexts are copies of it
    cdef Slot _slots[JG_SLOTS]
    cdef HMAC_CTX* context_of(self, Slot* slot, bint orphaned) noexcept nogil
    cdef HMAC_CTX* copied(self) noexcept nogil
    cdef Fault compare(self, HMAC_CTX* context, Span signature, Span data) noexcept nogil


@cython.final
cdef class PublicKeyLane(EVPLane):
    cdef EVP_PKEY* _key
    cdef EVP_MD_CTX* _prepared                 # written once; each check works on a copy
    cdef bint prepare(self, bytes material, const EVP_MD* digest) noexcept
