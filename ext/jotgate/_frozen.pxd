"""Parsed JSON that nobody can change."""

cimport cython


@cython.final
cdef class Claims:
    cdef dict _members                         # values are immutable all the way down; never handed out


cdef Claims parse(bytes document)
cdef object thawed(object value)                              # the reverse: fresh dicts and lists all the way down
cdef object refuse_copy(object self)
cdef int forbid_construction(type made) except -1

cdef Py_ssize_t bytes_of(object value) noexcept               # memory of a frozen value
cdef Py_ssize_t allocated(Py_ssize_t size) noexcept nogil     # what the allocators make of so many bytes
