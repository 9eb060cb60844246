/* A guest that is one small program: where Xen's domain builder starts it, and what it asks of Xen. */

#include "xen.h"
#include "console.h"
#include "events.h"

struct store_page *store;
uint32_t store_port;
union shared_page shared PAGE_ALIGNED;
/* The machine frame of each of our pages, in the order of their addresses. */
static const word *frames;

/*
 * What the builder looks for: the image begins at address 0 of a guest whose pages lie in order, and Xen
 * fills the page of hypercalls.
 */
__asm__(".pushsection .note.Xen, \"a\", @note\n"
        ".balign 4\n"
        ".macro number type, value\n .long 4, 4, \\type\n .asciz \"Xen\"\n .long \\value\n .endm\n"
        ".macro text type, value\n .long 4, 8, \\type\n .asciz \"Xen\"\n .ascii \"\\value\"\n .endm\n"
        "number 1, _start\n"
        "number 2, hypercalls\n"
        "number 3, 0\n"
        "number 4, 0\n"
        "text 5, xen-3.0\\0\n"
        "text 6, bare\\0\\0\\0\\0\n"
        "text 8, generic\\0\n"
        "text 9, yes\\0\\0\\0\\0\\0\n"
        ".popsection\n"
        ".text\n"
        ".globl _start\n" ENTRY
        ".balign 4096\n"
        ".globl hypercalls\n"
        "hypercalls: .skip 4096\n"
        ".bss\n"
        ".balign 16\n"
        ".skip 32768\n"
        "stack_end:\n"
        ".text\n");

word frame_of(const void *page)
{
    return frames[(word)page / PAGE];
}

void map_frame(void *page, word frame)
{
    update_va_mapping(page, (uint64_t)frame * PAGE | PTE_PRESENT_RW_USER);
}

uint64_t now_ns(void)
{
    const struct clock *clock = &shared.info.clock;
    uint32_t version, low, high, mul;
    uint64_t passed, result;

    do {
        version = clock->version;
        __asm__ volatile("lfence\n rdtsc" : "=a"(low), "=d"(high)::"memory");
        passed = ((uint64_t)high << 32 | low) - clock->tsc_timestamp;
        passed = clock->tsc_shift < 0 ? passed >> -clock->tsc_shift : passed << clock->tsc_shift;
        mul = clock->tsc_to_system_mul;
        /* The product has 96 bits, of which the upper 64 count. */
        result = clock->system_time + (passed >> 32) * mul + ((passed & 0xffffffff) * mul >> 32);
    } while (version & 1 || version != clock->version);
    return result;
}

/*
 * Tells whoever saves this domain where the list of its frames lies: the frames of the list's own pages are listed
 * in a page, whose frame is listed in another one.
 */
static void tell_savers(const struct start_info *info)
{
    static word frame_list[PAGE / sizeof(word)] PAGE_ALIGNED, frame_list_list[PAGE / sizeof(word)] PAGE_ALIGNED;
    const char *list = (const char *)info->mfn_list;

    for (word at = 0; at * PAGE < info->nr_pages * sizeof(word); at++)
        frame_list[at] = frame_of(list + at * PAGE);
    frame_list_list[0] = frame_of(frame_list);
    shared.info.max_pfn = info->nr_pages;
    shared.info.frame_list_list = frame_of(frame_list_list);
}

void leave(uint32_t reason)
{
    for (;;)
        hypercall(SCHED_OP, SCHEDOP_SHUTDOWN, (word)&reason, 0);
}

/* Where a machine frame is mapped: the builder maps the pages in the order of its list, from address 0. */
static void *mapped(word mfn)
{
    word page = 0;

    while (frames[page] != mfn)
        page++;
    return (void *)(page * PAGE);
}

void start(const struct start_info *info)
{
    frames = (const word *)info->mfn_list;
    store = mapped(info->store_mfn);
    store_port = info->store_evtchn;
    open_console(mapped(info->console_mfn), info->console_evtchn);
    map_frame(&shared, info->shared_info / PAGE);
    shared.info.upcall_mask = 1;
    tell_savers(info);
    on_event(store_port, 0, 0);
    say_number("bare: bits", WORD_BITS);
    run(info->cmd_line);
    say("bare: done");
    for (;;)
        wait_for_events(1000);
}
