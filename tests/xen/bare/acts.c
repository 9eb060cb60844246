/*
 * What a hostile domain does to the store through its own page, one thing in each life; the measurements of a
 * well-behaved one; lives and ends that a toolstack has to get on with.  The console says how it went.
 */

#include "client.h"
#include "console.h"
#include "events.h"
#include "netbsd.h"
#include "shutdown.h"
#include "text.h"
#include "timing.h"
#include "xen.h"

/* Longer than any daemon that still serves this page would take to notice. */
#define LONG_MS 3000

/* The page after the daemon gave it up: whatever happens to it, it changes no more. */
static void shall_be_left_alone(void)
{
    while (!store->error)
        wait_for_events(LONG_MS);
    say_number("bare: error", store->error);
    store->rsp_cons = store->rsp_prod;
    for (uint32_t round = 0; round < 20; round++) {
        struct store_page before;

        for (uint32_t at = 0; at < sizeof store->req; at++)
            store->req[at] = (uint8_t)(round * 37 + at * 11);
        store->req_prod = store->req_cons + 16 + round * 50;
        copy(&before, store, sizeof before);
        notify_store();
        wait_for_events(50);
        for (uint32_t at = 0; at < sizeof before; at++)
            if (((const uint8_t *)&before)[at] != ((const volatile uint8_t *)store)[at]) {
                say_number("bare: the page was changed at", at);
                return;
            }
    }
    say("bare: left alone");
}

static void index_too_far(void)
{
    store->req_prod = store->req_cons + sizeof store->req + 1;
    notify_store();
    shall_be_left_alone();
}

/* Claims to have read what was never written. */
static void reply_index_too_far(void)
{
    static const struct {
        struct header header;
        char path[5];
    } request = {{READ, 0, 0, 5}, "name"};

    store->rsp_cons = store->rsp_prod + 1;
    push(&request, sizeof request.header + sizeof request.path);
    shall_be_left_alone();
}

static void header_too_long(void)
{
    struct header header = {WRITE, 0, 0, 5000};

    push(&header, sizeof header);
    shall_be_left_alone();
}

/* Asks as long as that is taken, and reads no answer. */
static void never_read(void)
{
    static const struct {
        struct header header;
        char path[5];
    } request = {{READ, 0, 0, 5}, "name"};
    const uint32_t size = sizeof request.header + sizeof request.path;
    uint32_t sent = 0;

    for (;;) {
        uint32_t consumed = store->req_cons;
        uint32_t done = push((const char *)&request + sent % size, size - sent % size);

        sent += done;
        if (!done) {
            wait_for_events(LONG_MS);
            if (store->req_cons == consumed)
                break;
        }
    }
    say_number("bare: stopped after requests", sent / size);
    if (sent % size)
        push((const char *)&request + sent % size, 0);
    for (uint32_t answers = 0; answers < sent / size; answers++)
        receive();
    say_number("bare: all answered, error", store->error);
}

/* As many watches as it gets on one node, then writes to it, and reads no event while that is taken. */
static void flood_of_events(void)
{
    char watch[] = "data/flood\0000000";
    uint32_t watches = 0, writes = 0;

    for (;; watches++) {
        for (uint32_t digit = 0, rest = watches; digit < 4; digit++, rest /= 10)
            watch[sizeof watch - 2 - digit] = (char)('0' + rest % 10);
        ask(WATCH, 0, watch, sizeof watch);
        if (reply()->header.type == ERROR)
            break;
    }
    say_number("bare: watches", watches);
    for (;;) {
        static const struct {
            struct header header;
            char payload[12];
        } request = {{WRITE, 0, 0, 12}, "data/flood\0x"};
        uint32_t consumed = store->req_cons;

        if (sizeof store->req - (store->req_prod - consumed) >= sizeof request) {
            push(&request, sizeof request);
            writes++;
        } else {
            wait_for_events(LONG_MS);
            if (store->req_cons == consumed)
                break;
        }
    }
    say_number("bare: stopped after writes", writes);
}

/* Writes again and again, whatever becomes of the store. */
static void beat(void)
{
    for (;;) {
        ask(WRITE, 0, BYTES("data/beat\0x"));
        reply();
        for (uint64_t begin = now_ns(); now_ns() - begin < 1000000000;)
            wait_for_events(1000);
    }
}

/* Is asked to end, says so, and goes on. */
static void stubborn(void)
{
    watch_shutdown(0);
    for (;; wait_for_events(0))
        if (fired_watches())
            ignore_shutdown();
}

static void crash(void)
{
    leave(CRASH);
}

static void reboot(void)
{
    leave(REBOOT);
}

static void power_off(void)
{
    leave(POWEROFF);
}

static const char *arguments;

static void netbsd(void)
{
    live_as_netbsd(arguments);
}

void run(const char *command)
{
    static const struct {
        const char *name;
        void (*act)(void);
    } acts[] = {
        {"index", index_too_far},   {"reply-index", reply_index_too_far}, {"long", header_too_long},
        {"deaf", never_read},       {"flood", flood_of_events},           {"time", time_round_trips},
        {"beat", beat},             {"netbsd", netbsd},                   {"stubborn", stubborn},
        {"crash", crash},           {"reboot", reboot},                   {"poweroff", power_off},
    };

    arguments = after_first_word(command);
    ask(WRITE, 0, BYTES("data/state\0up"));
    reply();
    for (unsigned at = 0; at < sizeof acts / sizeof *acts; at++)
        if (begins_with(command, acts[at].name)) {
            acts[at].act();
            return;
        }
}
