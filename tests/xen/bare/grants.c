#include "grants.h"
#include "events.h"
#include "xen.h"

#define GNTTABOP_SETUP_TABLE 2
#define FRAMES 2

/* The first ones are the toolstack's, for the store and the console. */
enum { RESERVED = 8, IN_USE = 8 | 16, PERMIT_ACCESS = 1 };

static struct {
    volatile uint16_t flags;
    uint16_t domid;
    uint32_t frame;
} table[FRAMES * PAGE / 8] PAGE_ALIGNED;

void open_grants(void)
{
    word frames[FRAMES];
    struct {
        uint16_t domid;
        uint32_t count;
        int16_t status;
        word *frames;
    } request = {DOMID_SELF, FRAMES, 0, frames};

    hypercall(GRANT_TABLE_OP, GNTTABOP_SETUP_TABLE, (word)&request, 1);
    for (uint32_t at = 0; at < FRAMES; at++)
        map_frame((char *)table + at * PAGE, frames[at]);
}

uint32_t grant(uint16_t domid, const void *page, uint16_t access)
{
    uint32_t reference = RESERVED;

    while (table[reference].flags)
        reference++;
    table[reference].domid = domid;
    table[reference].frame = (uint32_t)frame_of(page);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    table[reference].flags = PERMIT_ACCESS | access;
    return reference;
}

int revoke(uint32_t reference)
{
    uint16_t flags = table[reference].flags;

    do
        if (flags & IN_USE)
            return 0;
    while (!__atomic_compare_exchange_n(&table[reference].flags, &flags, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    return 1;
}

void revoke_in_time(uint32_t reference)
{
    while (!revoke(reference))
        sleep_ms(10);
}
