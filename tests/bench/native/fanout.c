/*
 * One writer, many watchers of the node it writes.  The next write follows when the last event of the
 * one before has arrived; the latency is that of a whole round.
 */
#include "load.h"

#include <stdlib.h>
#include <string.h>

#define NODE "/bench/fan"
#define EVENT NODE "\0watcher"  /* the payload of an event: path and token */

struct round {
    struct connection writer, *watchers;
    long expected, arrived, number;
    int answered;
};

static size_t make_fan_watch(long index, unsigned char *into, void *context)
{
    (void)index, (void)context;
    return build_watch(into, NODE, "watcher");
}

static void open_watchers(struct round *r, int poller)
{
    long i;

    r->watchers = calloc((size_t)options.clients, sizeof *r->watchers);
    for (i = 0; i < options.clients; i++) {
        struct connection *c = &r->watchers[i];
        connection_open(c);
        bulk(c, 1, WATCH, make_fan_watch, NULL, 1);
        c->events = 0;
        connection_attach(c, poller);
    }
    connection_open(&r->writer);
    connection_attach(&r->writer, poller);
}

static void take_event(struct round *r, struct connection *c, const struct message *m)
{
    if (m->header.type != WATCH_EVENT || m->header.len != sizeof EVENT
        || memcmp(m->payload, EVENT, sizeof EVENT) != 0)
        fail("a watcher received something else than its event");
    if (++c->events != r->number)
        fail("a watcher received %ld events after %ld writes", c->events, r->number);
    r->arrived++;
}

static void take(struct round *r, struct connection *c)
{
    struct message m;

    connection_fill(c);
    while (connection_next(c, &m)) {
        if (c == &r->writer) {
            check_reply(c, &m, WRITE, 3);
            r->answered = 1;
        } else {
            take_event(r, c, &m);
        }
    }
}

static void play(struct round *r, int poller)
{
    unsigned char request[MESSAGE_MAX];
    void *ready[256];
    int i, n;

    r->number++;
    r->arrived = r->answered = 0;
    connection_queue(&r->writer, request, build_write(request, NODE, r->number & 1 ? VALUE : OTHER_VALUE));
    connection_flush(&r->writer);
    while (!r->answered || r->arrived < r->expected) {
        n = poller_wait(poller, ready, 256, SILENCE_MS);
        if (n == 0)
            fail("%ld of %ld events after %d s", r->arrived, r->expected, SILENCE_MS / 1000);
        for (i = 0; i < n; i++)
            take(r, ready[i]);
    }
}

static long play_until(struct round *r, int poller, int64_t end, struct histogram *latency)
{
    long rounds = 0;
    int64_t began;

    do {
        began = now_ns();
        play(r, poller);
        histogram_add(latency, now_ns() - began);
        rounds++;
    } while (now_ns() < end);
    return rounds;
}

void fan_out(void)
{
    static struct histogram latency;
    static struct round r;
    int poller = poller_open();
    int64_t begin, cpu;
    double events, seconds;

    prepare_background();
    r.expected = options.clients;
    open_watchers(&r, poller);
    play_until(&r, poller, now_ns() + options.ms * 200000LL, &latency);
    histogram_clear(&latency);
    begin = now_ns(), cpu = server_cpu_ns();
    events = (double)(play_until(&r, poller, begin + options.ms * 1000000LL, &latency) * options.clients);
    seconds = (double)(now_ns() - begin) / 1e9;
    cpu = server_cpu_ns() - cpu;
    print_number("ops", events);
    print_number("seconds", seconds);
    print_number("ops_per_s", events / seconds);
    print_number("p50_us", histogram_quantile(&latency, 0.5) / 1e3);
    print_number("p99_us", histogram_quantile(&latency, 0.99) / 1e3);
    print_number("max_us", (double)latency.max / 1e3);
    print_number("cpu_us_per_op", events > 0 ? (double)cpu / 1e3 / events : 0);
    print_number("server_busy", (double)cpu / 1e9 / seconds);
    check_background();
}
