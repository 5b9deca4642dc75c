"""The lane of an ES256 key that gets a table once it is busy."""

cimport cython
from libc.stdint cimport int64_t, uint8_t

from jotgate._codec cimport Span
from jotgate._ecdsa cimport PointTable
from jotgate._fault cimport Fault
from jotgate._key cimport SignatureLane
from jotgate._lanes cimport PublicKeyLane


@cython.final
cdef class TableLane(SignatureLane):
    cdef readonly PublicKeyLane plain          # the library's own verification: what counts when the two disagree
    cdef readonly bytes material
    cdef readonly PointTable table             # or None; set once
    cdef void* _serving                        # the same, for the nogil steps; NULL until it serves
    cdef int64_t _accepted                     # by `plain`
    cdef object _keeper
    cdef Fault confirm(self, Fault fault, Span signature, Span data) noexcept nogil
