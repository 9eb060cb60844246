#include "timing.h"
#include "client.h"
#include "console.h"
#include "events.h"
#include "xen.h"

#define SAMPLES 200
#define SETTLE_MS 3000

static uint64_t samples[SAMPLES];

/* The time that a tenth of all take at most: more of it is the machine's other work. */
static uint64_t lowest_tenth(void)
{
    for (uint32_t at = 1; at < SAMPLES; at++)
        for (uint32_t left = at; left && samples[left - 1] > samples[left]; left--) {
            uint64_t larger = samples[left - 1];

            samples[left - 1] = samples[left];
            samples[left] = larger;
        }
    return samples[SAMPLES / 10];
}

static void read_name(void)
{
    ask(READ, 0, STRING("name"));
    reply();
}

/* Four requests: start, read, write, commit. */
static void transaction(void)
{
    uint32_t id = 0;
    const struct message *started;

    ask(TRANSACTION_START, 0, STRING(""));
    started = reply();
    for (uint32_t at = 0; at + 1 < started->header.size; at++)
        id = id * 10 + (uint32_t)(started->payload[at] - '0');
    ask(READ, id, STRING("name"));
    reply();
    ask(WRITE, id, BYTES("data/timed\0x"));
    reply();
    ask(TRANSACTION_END, id, STRING("T"));
    reply();
}

static void measure(const char *name, void (*act)(void))
{
    for (uint32_t at = 0; at < SAMPLES; at++) {
        uint64_t begin = now_ns();

        act();
        samples[at] = now_ns() - begin;
    }
    say_number(name, lowest_tenth());
}

void time_round_trips(void)
{
    /* Until whoever made this domain is done with it. */
    for (uint64_t begin = now_ns(); now_ns() - begin < SETTLE_MS * 1000000ull;)
        wait_for_events(SETTLE_MS);
    measure("bare: read ns", read_name);
    measure("bare: transaction ns", transaction);
    notify_always = 1;
    measure("bare: chatty read ns", read_name);
    measure("bare: chatty transaction ns", transaction);
}
