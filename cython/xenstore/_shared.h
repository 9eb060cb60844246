/*
 * Words that another domain reads and writes at the same time.
 *
 * Each access is one load or store of four bytes, ordered: an index read means that the data before it
 * may be read, an index written means that the data is there.  The full barriers also keep the other
 * direction apart (a store to one index from a load of another), as xs_wire.h and ring.h ask.
 */
#ifndef XENSTORE_SHARED_H
#define XENSTORE_SHARED_H

#include <stdint.h>

static inline uint32_t shared_load(const char *at)
{
    uint32_t value = __atomic_load_n((const uint32_t *)at, __ATOMIC_RELAXED);

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return value;
}

static inline void shared_store(char *at, uint32_t value)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n((uint32_t *)at, value, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
