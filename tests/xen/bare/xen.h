/*
 * The least that a paravirtual guest needs of Xen: the pages it was started with, the time, an end.
 * The store's page: xen/include/public/io/xs_wire.h.
 */
#ifndef BARE_XEN_H
#define BARE_XEN_H

#include <stdint.h>

#include "abi.h"

struct store_page {
    uint8_t req[1024];
    uint8_t rsp[1024];
    volatile uint32_t req_cons, req_prod, rsp_cons, rsp_prod;
    volatile uint32_t server_features, connection, error;
};

/* Xen's, from start_info; set before `run`. */
extern struct store_page *store;
extern uint32_t store_port;

/* The guest, with what stands behind `extra` in its configuration. */
void run(const char *command);

uint64_t now_ns(void);
/* The machine frame behind one of the program's own pages. */
word frame_of(const void *page);
/* Put a machine frame where one of the program's own pages was. */
void map_frame(void *page, word frame);

/* SHUTDOWN_* in sched.h. */
enum { POWEROFF = 0, REBOOT = 1, CRASH = 3 };

/* The domain's end. */
void leave(uint32_t reason) __attribute__((noreturn));

#endif
