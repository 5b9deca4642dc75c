/* What keeps lanes apart from each other, from fork and from the end of the process.
 *
 * A lane runs without the GIL, so three things can happen under it that Python code never sees: another thread wants
 * the same context, a thread forks, the process exits and libcrypto frees its global state.
 */
#ifndef JOTGATE_LANE_GUARD_H
#define JOTGATE_LANE_GUARD_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "lane_types.h"

enum { JG_COUNTERS = 16 };
#define JG_ENDING 0x80000000u

#if defined(_WIN32)

/* There is no lane on Windows: nothing to guard. */
static unsigned jg_thread_number(void) { return 0; }
static int jg_enter(unsigned thread) { return (void)thread, 0; }
static void jg_leave(unsigned thread) { (void)thread; }
static uint32_t jg_generation(void) { return 1; }
static jg_slot *jg_take(jg_slot *slots, unsigned thread, int *orphaned) {
    return (void)slots, (void)thread, (void)orphaned, (jg_slot *)NULL;
}
static void jg_give_back(jg_slot *slot) { (void)slot; }
static int jg_watch_process(void) { return 0; }

#else

#include <pthread.h>
#include <time.h>

/* Threads that are inside a lane, counted in several places so that they do not pass one cache line around. */
static struct {
    uint32_t inside;
    char padding[60];
} jg_counters[JG_COUNTERS];
static uint32_t jg_closed;               /* how many threads are forking now, and JG_ENDING: 0 lets threads in */
static uint32_t jg_generation_now = 1;   /* goes up in the child of every fork */
static uint32_t jg_threads;              /* numbers given out */
static __thread unsigned jg_own_number;  /* 0: none yet */

/* A small number for the calling thread, the same for its life; neighbours differ. */
static inline unsigned jg_thread_number(void) {
    if (jg_own_number == 0)
        jg_own_number = __atomic_add_fetch(&jg_threads, 1, __ATOMIC_RELAXED) | JG_COUNTERS;
    return jg_own_number;
}

static inline void jg_leave(unsigned thread) {
    __atomic_fetch_sub(&jg_counters[thread % JG_COUNTERS].inside, 1, __ATOMIC_SEQ_CST);
}

static inline void jg_pause(void) {
    const struct timespec pause = {0, 50000};
    nanosleep(&pause, NULL);
}

/* Enter a lane, after a fork that is under way: whether libcrypto will stay as it is until jg_leave. Not to be nested:
 * who is inside is waited for. */
static inline int jg_enter(unsigned thread) {
    for (;;) {
        uint32_t closed;
        __atomic_fetch_add(&jg_counters[thread % JG_COUNTERS].inside, 1, __ATOMIC_SEQ_CST);
        /* both are sequentially consistent: either this sees the gate closed or the gate sees this thread inside */
        closed = __atomic_load_n(&jg_closed, __ATOMIC_SEQ_CST);
        if (!closed)
            return 1;
        jg_leave(thread);
        if (closed & JG_ENDING)
            return 0;
        jg_pause();
    }
}

/* Wait until no thread is inside, for two seconds at most. */
static void jg_wait_for_those_inside(void) {
    int i, tries;
    for (tries = 0; tries < 40000; tries++) {
        uint32_t inside = 0;
        for (i = 0; i < JG_COUNTERS; i++)
            inside += __atomic_load_n(&jg_counters[i].inside, __ATOMIC_SEQ_CST);
        if (inside == 0)
            return;
        jg_pause();
    }
}

static inline uint32_t jg_generation(void) { return __atomic_load_n(&jg_generation_now, __ATOMIC_RELAXED); }

/* Take a free slot, the thread's own first; NULL if every one is taken. If a thread was inside at a fork all the same,
 * what it held is held in the child by nobody, and half written: such a slot is taken too, and `orphaned` set, so that
 * its context is left alone. */
static inline jg_slot *jg_take(jg_slot *slots, unsigned thread, int *orphaned) {
    uint32_t now = jg_generation(), held;
    unsigned i;
    for (i = 0; i < JG_SLOTS; i++) {
        jg_slot *slot = &slots[(thread + i) % JG_SLOTS];
        held = __atomic_load_n(&slot->holder, __ATOMIC_RELAXED);
        if (held != now &&
            __atomic_compare_exchange_n(&slot->holder, &held, now, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            *orphaned = held != 0;
            return slot;
        }
    }
    return NULL;
}

static inline void jg_give_back(jg_slot *slot) { __atomic_store_n(&slot->holder, 0, __ATOMIC_RELEASE); }

/* While the process forks no thread is inside: a lock of libcrypto that one held would stay locked in the child. Without
 * this tests/isolated/lanes_fork.py hung on the sanitized build, at the lock of the random generator, which OpenSSL 3.0
 * asks to blind ECDSA. */
static void jg_before_fork(void) {
    __atomic_fetch_add(&jg_closed, 1, __ATOMIC_SEQ_CST);
    jg_wait_for_those_inside();
}

static void jg_after_fork_in_parent(void) { __atomic_fetch_sub(&jg_closed, 1, __ATOMIC_SEQ_CST); }

/* One thread is left here, and it is in no lane; forks of others did not come along. */
static void jg_after_fork_in_child(void) {
    int i;
    for (i = 0; i < JG_COUNTERS; i++)
        jg_counters[i].inside = 0;
    jg_generation_now++;
    jg_closed &= JG_ENDING;
}

/* At exit no thread enters any more. libcrypto frees what lanes work with in an exit handler (OpenSSL 3) or a
 * destructor (OpenSSL 4); both run after this, which was registered later. */
static void jg_close(void) {
    __atomic_fetch_or(&jg_closed, JG_ENDING, __ATOMIC_SEQ_CST);
    jg_wait_for_those_inside();
}

/* Register the handlers, once, after libcrypto has registered its own; 0 on success. */
static int jg_watch_process(void) {
    static int watching;
    if (watching)
        return 0;
    if (pthread_atfork(jg_before_fork, jg_after_fork_in_parent, jg_after_fork_in_child) != 0 || atexit(jg_close) != 0)
        return -1;
    watching = 1;
    return 0;
}

#endif
#endif
