/* A guest that is one small program: where Xen's domain builder starts it, and what it asks of Xen. */

#include "xen.h"

#define EVENT_CHANNEL_OP 32
#define EVTCHNOP_SEND 4
#define SCHED_OP 29
#define SCHEDOP_POLL 3
#define UPDATE_VA_MAPPING 14
#define UVMF_INVLPG 2
#define PTE_PRESENT_RW_USER 7

struct console_page {
    uint8_t in[1024];
    uint8_t out[2048];
    volatile uint32_t in_cons, in_prod, out_cons, out_prod;
};

struct clock {
    volatile uint32_t version, pad;
    volatile uint64_t tsc_timestamp, system_time;
    volatile uint32_t tsc_to_system_mul;
    volatile int8_t tsc_shift;
};

struct shared_info {
    uint8_t upcall_pending, upcall_mask;
    uint8_t rest_of_vcpu[30];
    struct clock clock;
    uint8_t other_vcpus[64 * 31];
    volatile uint64_t pending[64];
    uint8_t rest[1536];
};

/* Xen's code, 32 bytes for each hypercall. */
extern const char hypercalls[];

struct store_page *store;
uint32_t store_port;
static struct console_page *console;
static uint32_t console_port;
/* Xen maps the real page over this one. */
static struct shared_info shared __attribute__((aligned(4096)));
_Static_assert(sizeof shared == 4096, "a page of its own");

/*
 * What the builder looks for: the image begins at address 0 of a guest whose pages lie in order, Xen fills
 * the page of hypercalls, and the first instruction gets the start_info's address in %rsi.
 */
__asm__(".pushsection .note.Xen, \"a\", @note\n"
        ".balign 4\n"
        ".macro number type, value\n .long 4, 8, \\type\n .asciz \"Xen\"\n .quad \\value\n .endm\n"
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
        ".globl _start\n"
        "_start: lea stack_end(%rip), %rsp\n"
        " mov %rsi, %rdi\n"
        " call start\n"
        ".balign 4096\n"
        "hypercalls: .skip 4096\n"
        ".bss\n"
        ".balign 16\n"
        ".skip 16384\n"
        "stack_end:\n"
        ".text\n");

static inline int64_t hypercall(uint64_t number, uint64_t a, uint64_t b, uint64_t c)
{
    register uint64_t first __asm__("rdi") = a, second __asm__("rsi") = b, third __asm__("rdx") = c;
    int64_t result;

    __asm__ volatile("call *%%rax"
                     : "=a"(result), "+r"(first), "+r"(second), "+r"(third)
                     : "0"(hypercalls + number * 32)
                     : "memory", "rcx", "r11", "r10", "r8", "r9");
    return result;
}

static void notify(uint32_t port)
{
    hypercall(EVENT_CHANNEL_OP, EVTCHNOP_SEND, (uint64_t)&port, 0);
}

void notify_store(void)
{
    notify(store_port);
}

void wait_for_store(uint64_t at_most_ms)
{
    struct {
        uint32_t *ports;
        uint32_t count;
        uint64_t timeout;
    } poll = {&store_port, 1, at_most_ms ? now_ns() + at_most_ms * 1000000 : 0};

    hypercall(SCHED_OP, SCHEDOP_POLL, (uint64_t)&poll, 0);
    __atomic_and_fetch(&shared.pending[store_port / 64], ~(1ul << store_port % 64), __ATOMIC_SEQ_CST);
}

uint64_t now_ns(void)
{
    uint32_t version, low, high;
    uint64_t passed, result;

    do {
        version = shared.clock.version;
        __asm__ volatile("lfence\n rdtsc" : "=a"(low), "=d"(high)::"memory");
        passed = ((uint64_t)high << 32 | low) - shared.clock.tsc_timestamp;
        passed = shared.clock.tsc_shift < 0 ? passed >> -shared.clock.tsc_shift : passed << shared.clock.tsc_shift;
        result = shared.clock.system_time +
                 (uint64_t)((unsigned __int128)passed * shared.clock.tsc_to_system_mul >> 32);
    } while (version & 1 || version != shared.clock.version);
    return result;
}

static void put(char byte)
{
    while (console->out_prod - console->out_cons >= sizeof console->out)
        __asm__ volatile("pause");
    console->out[console->out_prod % sizeof console->out] = (uint8_t)byte;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    console->out_prod++;
}

void say(const char *text)
{
    while (*text)
        put(*text++);
    put('\r');
    put('\n');
    notify(console_port);
}

void say_number(const char *text, uint64_t number)
{
    char line[80], digits[20];
    unsigned at = 0, count = 0;

    while (at < 58 && *text)
        line[at++] = *text++;
    line[at++] = ' ';
    do
        digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count)
        line[at++] = digits[--count];
    line[at] = 0;
    say(line);
}

/* Where a machine frame is mapped: the builder maps the pages in the order of its list, from address 0. */
static void *mapped(const struct start_info *info, uint64_t mfn)
{
    const uint64_t *frames = (const uint64_t *)info->mfn_list;
    uint64_t page = 0;

    while (frames[page] != mfn)
        page++;
    return (void *)(page * 4096);
}

void start(const struct start_info *info)
{
    store = mapped(info, info->store_mfn);
    store_port = info->store_evtchn;
    console = mapped(info, info->console_mfn);
    console_port = info->console_evtchn;
    hypercall(UPDATE_VA_MAPPING, (uint64_t)&shared, info->shared_info | PTE_PRESENT_RW_USER, UVMF_INVLPG);
    shared.upcall_mask = 1;
    run(info->cmd_line);
    say("bare: done");
    for (;;)
        wait_for_store(1000);
}
