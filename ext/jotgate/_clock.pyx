"""The one time seam: every verdict reads the clock here, so that a test can stop it.

``set_wall_clock_for_tests`` is the only way to change what the rest of the package believes the time to be.
"""

from libc.stdint cimport int64_t

cdef extern from "<time.h>" nogil:
    cdef struct timespec:
        long long tv_sec
        long tv_nsec
    int TIME_UTC
    int timespec_get(timespec* out, int base)

cdef extern from * nogil:
    """
    #include <time.h>
    #if defined(CLOCK_MONOTONIC_COARSE)
      #define JG_MONOTONIC CLOCK_MONOTONIC_COARSE
    #elif defined(CLOCK_MONOTONIC)
      #define JG_MONOTONIC CLOCK_MONOTONIC
    #endif
    static long long jg_monotonic_ns(void) {
    #ifdef JG_MONOTONIC
        struct timespec now;
        if (clock_gettime(JG_MONOTONIC, &now) != 0) return 0;
        return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
    #else
        return (long long)clock() * (1000000000 / CLOCKS_PER_SEC);      /* Windows: since the process began */
    #endif
    }
    static long long jg_thread_ns(void) {
    #ifdef CLOCK_THREAD_CPUTIME_ID
        struct timespec now;
        if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0) return 0;
        return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
    #else
        return 0;
    #endif
    }
    """
    long long jg_monotonic_ns() noexcept
    long long jg_thread_ns() noexcept

cdef int64_t NANOSECONDS = 1_000_000_000
cdef int64_t RUNNING = -1                # not a time: the real clock runs

cdef int64_t _stopped_at = RUNNING
cdef int64_t _monotonic_stopped_at = RUNNING


cdef int64_t wall_ns() noexcept nogil:
    cdef timespec now
    if _stopped_at != RUNNING:
        return _stopped_at
    # C11, so that one call serves Linux, macOS and Windows; fails only for an unknown base, and 0 then: every token
    # of this century is "not yet valid" in 1970 and none is accepted by accident.
    if timespec_get(&now, TIME_UTC) != TIME_UTC:
        return 0
    return <int64_t>now.tv_sec * NANOSECONDS + <int64_t>now.tv_nsec


cdef int64_t monotonic_ns() noexcept nogil:
    return jg_monotonic_ns() if _monotonic_stopped_at == RUNNING else _monotonic_stopped_at


def wall_ns_now():
    """Return Unix time in nanoseconds, as every verdict sees it."""
    return wall_ns()


def now():
    """Return Unix time in seconds, as every verdict sees it."""
    return wall_ns() / 1e9


def wait_until(ns):
    """Return when the wall clock has come to ``ns`` Unix nanoseconds; one that a test has stopped is not waited for."""
    from time import sleep

    left = ns - wall_ns()
    if left > 0 and _stopped_at == RUNNING:
        sleep(left / 1e9)


def set_wall_clock_for_tests(ns):
    """Stop the wall clock at ``ns`` Unix nanoseconds (an int >= 0), or let it run again with None.

    For tests only: it changes the time for every verifier of the process.
    """
    global _stopped_at
    if ns is None:
        _stopped_at = RUNNING
        return
    if ns < 0:
        raise ValueError("Unix nanoseconds must not be negative")
    _stopped_at = ns


def set_monotonic_clock_for_tests(ns):
    """Stop the monotonic clock at ``ns`` nanoseconds (an int >= 0), or let it run again with None."""
    global _monotonic_stopped_at
    if ns is not None and ns < 0:
        raise ValueError("nanoseconds must not be negative")
    _monotonic_stopped_at = RUNNING if ns is None else ns


def monotonic_ns_now():
    """Return the monotonic clock in nanoseconds, as every deadline sees it."""
    return monotonic_ns()


def thread_ns_now():
    """Return the nanoseconds that a processor has worked for this thread: what work costs, however busy the machine is.

    0 where the system does not tell.
    """
    return jg_thread_ns()
