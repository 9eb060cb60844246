/*
 * The least that a paravirtual guest needs of Xen: hypercalls, the pages it was started with, the time.
 * Layouts and numbers: xen/include/public/{xen,event_channel,sched}.h, io/{xs_wire,console}.h.
 */
#ifndef BARE_XEN_H
#define BARE_XEN_H

#include <stdint.h>

struct start_info {
    char magic[32];
    uint64_t nr_pages;
    uint64_t shared_info; /* machine address */
    uint32_t flags;
    uint64_t store_mfn;
    uint32_t store_evtchn;
    uint64_t console_mfn;
    uint32_t console_evtchn;
    uint64_t pt_base;
    uint64_t nr_pt_frames;
    uint64_t mfn_list;
    uint64_t mod_start;
    uint64_t mod_len;
    char cmd_line[1024];
};

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

void notify_store(void);
/* Until the store's port fires, or for some milliseconds at most; 0: until it fires. */
void wait_for_store(uint64_t at_most_ms);
uint64_t now_ns(void);
/* A line on the console. */
void say(const char *text);
void say_number(const char *text, uint64_t number);

#endif
