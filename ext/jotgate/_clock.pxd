"""The one place that reads time."""

from libc.stdint cimport int64_t

cdef int64_t wall_ns() noexcept nogil          # Unix time in nanoseconds: every verdict about exp, nbf and iat uses it
cdef int64_t monotonic_ns() noexcept nogil     # never set back, a few milliseconds coarse; for deadlines of our own
