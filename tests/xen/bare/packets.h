/* What a host with one address says: answers to ARP requests and to pings. */
#ifndef BARE_PACKETS_H
#define BARE_PACKETS_H

#include <stdint.h>

struct host {
    uint8_t mac[6];
    uint8_t address[4];
};

/* The answer to a frame, made in `answer`, which has room for as much; its size, 0 for none. */
uint32_t answer_to(const struct host *host, const uint8_t *frame, uint32_t size, uint8_t *answer);

#endif
