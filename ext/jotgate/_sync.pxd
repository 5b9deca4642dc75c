"""Between threads, without the GIL: locks of the interpreter, a counter, a flag, a pointer, a word."""

from libc.stdint cimport int64_t, uint64_t

cdef extern from "pythread.h":
    cdef enum PyLockStatus:
        PY_LOCK_ACQUIRED
    void* PyThread_allocate_lock() noexcept
    void PyThread_free_lock(void* lock) noexcept
    int PyThread_acquire_lock(void* lock, int wait) noexcept nogil
    PyLockStatus PyThread_acquire_lock_timed(void* lock, long long microseconds, int stop_for_signals) noexcept nogil
    void PyThread_release_lock(void* lock) noexcept nogil

cdef extern from *:
    """
    #if defined(_MSC_VER)
      #include <intrin.h>
      #define jg_take(counter, by) _InterlockedExchangeAdd64((volatile long long *)(counter), (by))
      #define jg_peek(counter) (*(volatile long long *)(counter))
      #define jg_set(flag) ((void)_InterlockedExchange((volatile long *)(flag), 1))
      #define jg_is_set(flag) (*(volatile long *)(flag))
      #define jg_publish(place, pointer) ((void)_InterlockedExchangePointer((void *volatile *)(place), (pointer)))
      #define jg_published(place) _InterlockedCompareExchangePointer((void *volatile *)(place), NULL, NULL)
      #define jg_put_word(place, word) ((void)_InterlockedExchange64((volatile long long *)(place), (long long)(word)))
      #define jg_get_word(place) \
          ((unsigned long long)_InterlockedCompareExchange64((volatile long long *)(place), 0, 0))
    #else
      #define jg_take(counter, by) __atomic_fetch_add((counter), (by), __ATOMIC_RELAXED)
      #define jg_peek(counter) __atomic_load_n((counter), __ATOMIC_RELAXED)
      #define jg_set(flag) __atomic_store_n((flag), 1, __ATOMIC_RELAXED)
      #define jg_is_set(flag) __atomic_load_n((flag), __ATOMIC_RELAXED)
      #define jg_publish(place, pointer) __atomic_store_n((place), (pointer), __ATOMIC_RELEASE)
      #define jg_published(place) __atomic_load_n((place), __ATOMIC_ACQUIRE)
      #define jg_put_word(place, word) __atomic_store_n((place), (word), __ATOMIC_RELEASE)
      #define jg_get_word(place) __atomic_load_n((place), __ATOMIC_ACQUIRE)
    #endif
    """
    int64_t take "jg_take"(int64_t* counter, int64_t by) noexcept nogil
    int64_t peek "jg_peek"(int64_t* counter) noexcept nogil
    void set_flag "jg_set"(int* flag) noexcept nogil
    bint is_set "jg_is_set"(int* flag) noexcept nogil
    void publish "jg_publish"(void** place, void* pointer) noexcept nogil     # who sees it sees what it points to
    void* published "jg_published"(void** place) noexcept nogil
    void store_word_published "jg_put_word"(uint64_t* place, uint64_t word) noexcept nogil    # likewise; 8-byte aligned
    uint64_t load_word_published "jg_get_word"(const uint64_t* place) noexcept nogil
