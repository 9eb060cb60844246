#include "events.h"
#include "xen.h"

#define MANY 16

/* Xen is shown the first `count`. */
static uint32_t ports[MANY], count;
static struct {
    void (*act)(void *);
    void *owner;
} handlers[MANY];

void notify(uint32_t port)
{
    hypercall(EVENT_CHANNEL_OP, EVTCHNOP_SEND, (word)&port, 0);
}

void notify_store(void)
{
    notify(store_port);
}

uint32_t new_port(uint16_t remote_domid)
{
    struct {
        uint16_t domid, remote_domid;
        uint32_t port;
    } request = {DOMID_SELF, remote_domid, 0};

    hypercall(EVENT_CHANNEL_OP, EVTCHNOP_ALLOC_UNBOUND, (word)&request, 0);
    return request.port;
}

void on_event(uint32_t port, void (*handler)(void *), void *owner)
{
    ports[count] = port;
    handlers[count].act = handler;
    handlers[count++].owner = owner;
}

void close_port(uint32_t port)
{
    hypercall(EVENT_CHANNEL_OP, EVTCHNOP_CLOSE, (word)&port, 0);
    for (uint32_t at = 0; at < count; at++)
        if (ports[at] == port) {
            ports[at] = ports[--count];
            handlers[at] = handlers[count];
        }
}

/* Whether a port has fired since it was asked last. */
static int fired(uint32_t port)
{
    word bit = (word)1 << port % WORD_BITS;

    return !!(__atomic_fetch_and(&shared.info.pending[port / WORD_BITS], ~bit, __ATOMIC_SEQ_CST) & bit);
}

/* Until one of the first `many` ports has fired, or for some milliseconds at most; 0: without an end. */
static void poll(uint32_t many, uint64_t at_most_ms)
{
    struct {
        uint32_t *ports;
        uint32_t many;
        uint64_t end_ns;
    } request = {ports, many, at_most_ms ? now_ns() + at_most_ms * 1000000 : 0};

    hypercall(SCHED_OP, SCHEDOP_POLL, (word)&request, 0);
}

void sleep_ms(uint64_t duration_ms)
{
    poll(0, duration_ms);
}

void wait_for_events(uint64_t at_most_ms)
{
    poll(count, at_most_ms);
    for (uint32_t at = 0; at < count; at++)
        if (fired(ports[at]) && handlers[at].act)
            handlers[at].act(handlers[at].owner);
}
