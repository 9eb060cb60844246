/*
 * What a paravirtual guest and Xen have to agree about: numbers and layouts, of
 * xen/include/public/{xen,event_channel,sched}.h.  What differs between the ABIs is in xen64.h and xen32.h.
 */
#ifndef BARE_ABI_H
#define BARE_ABI_H

#include <stdint.h>

enum { UPDATE_VA_MAPPING = 14, GRANT_TABLE_OP = 20, SCHED_OP = 29, EVENT_CHANNEL_OP = 32 };
enum { EVTCHNOP_CLOSE = 3, EVTCHNOP_SEND = 4, EVTCHNOP_ALLOC_UNBOUND = 6 };
enum { SCHEDOP_SHUTDOWN = 2, SCHEDOP_POLL = 3 };
enum { UVMF_INVLPG = 2, PTE_PRESENT_RW_USER = 7 };

#define DOMID_SELF 0x7ff0
#define PAGE 4096

/* Xen's code, 32 bytes for each hypercall. */
extern const char hypercalls[];

#ifdef __x86_64__
#include "xen64.h"
#else
#include "xen32.h"
#endif

#define WORD_BITS (8 * sizeof(word))

struct start_info {
    char magic[32];
    word nr_pages;
    word shared_info; /* machine address */
    uint32_t flags;
    word store_mfn;
    uint32_t store_evtchn;
    word console_mfn;
    uint32_t console_evtchn;
    word pt_base;
    word nr_pt_frames;
    word mfn_list;
    word mod_start;
    word mod_len;
    char cmd_line[1024];
};

struct clock {
    volatile uint32_t version, pad;
    volatile uint64_t tsc_timestamp, system_time;
    volatile uint32_t tsc_to_system_mul;
    volatile int8_t tsc_shift;
    uint8_t rest[3];
};

struct shared_info {
    uint8_t upcall_pending, upcall_mask;
    uint8_t rest_of_vcpu[30];
    struct clock clock;
    uint8_t other_vcpus[64 * 31];
    volatile word pending[WORD_BITS], mask[WORD_BITS];
    uint32_t wall_clock[3 + BEFORE_ARCH];
    word max_pfn, frame_list_list;
};

#define PAGE_ALIGNED __attribute__((aligned(PAGE)))

/* Xen maps the real page over this one. */
extern union shared_page {
    struct shared_info info;
    char whole[PAGE];
} shared;

#endif
