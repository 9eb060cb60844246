/* Rings of requests and answers, one page each, that begin so: xen/include/public/io/ring.h. */
#ifndef BARE_RING_H
#define BARE_RING_H

#include <stdint.h>

struct ring {
    volatile uint32_t req_prod, req_event, rsp_prod, rsp_event;
    uint8_t pad[48];
};

void open_ring(struct ring *ring);
/* The backend sees all requests before `end`; true if it wants to be notified of them. */
int publish(struct ring *ring, uint32_t end);
/* True if there are answers from `consumed` on; if not, the next one ends waiting. */
int has_answers(struct ring *ring, uint32_t consumed);

#endif
