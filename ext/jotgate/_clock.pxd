"""The one place that reads time."""

from libc.stdint cimport int64_t

cdef int64_t wall_ns() noexcept nogil    # Unix time in nanoseconds; what every verdict about exp, nbf and iat uses
