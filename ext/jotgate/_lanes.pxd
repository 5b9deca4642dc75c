"""Signature lanes on a libcrypto found at run time: checks that hold no GIL."""

cimport cython
from libc.stdint cimport uint32_t

from jotgate._codec cimport Span
from jotgate._fault cimport Fault
from jotgate._key cimport SignatureLane

cdef extern from "libcrypto.h" nogil:
    ctypedef struct EVP_MD
    ctypedef struct EVP_MD_CTX
    ctypedef struct EVP_PKEY
    ctypedef struct HMAC_CTX

cdef extern from "lane_guard.h" nogil:
    enum: JG_SLOTS
    ctypedef struct Slot "jg_slot":
        uint32_t generation
        void* context


cdef class EVPLane(SignatureLane):
    cdef readonly int algorithm
    cdef readonly Py_ssize_t signature_bytes


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
