/* One aligned word that becomes visible after everything that was written before it, and all at once. */

#include <stdint.h>

static inline void publish(void *at, uint64_t word)
{
    __atomic_store_n((uint64_t *)at, word, __ATOMIC_RELEASE);
}
