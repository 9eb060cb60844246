/*
 * Large things that go away: a subtree, a wide directory, the watches of closed connections.  While a
 * tree is removed a second client reads, one request at a time, and sees the longest pause.
 */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBE_EVERY_NS 200000    /* often enough to see a pause of 1 ms, seldom enough to cost little */
#define AFTER_NS 50000000        /* looked at after a removal, for what a server puts off */
#define QUIET_NS 100000000       /* a server that uses no processor for so long has finished */

struct probe { struct connection connection; int64_t sent; int waiting; struct histogram latency; };

static void probe_path(long index, char *into) { (void)index, strcpy(into, "/bench/probe"); }

static void probe_open(struct probe *p)
{
    write_nodes(1, probe_path);
    connection_open(&p->connection);
}

static void probe_turn(struct probe *p, int64_t now)
{
    unsigned char request[MESSAGE_MAX];
    struct message m;

    if (p->waiting) {
        connection_fill(&p->connection);
        if (connection_next(&p->connection, &m)) {
            check_reply(&p->connection, &m, READ, VALUE_SIZE);
            histogram_add(&p->latency, now_ns() - p->sent);
            p->waiting = 0;
        }
    } else if (now - p->sent >= PROBE_EVERY_NS) {
        connection_queue(&p->connection, request, build_path(request, READ, "/bench/probe"));
        connection_flush(&p->connection);
        p->sent = now;
        p->waiting = 1;
    }
}

static void tree_path(long index, char *into)
{
    sprintf(into, "/bench/doomed/%02ld/%02ld", index / 100, index % 100);
}

static void wide_path(long index, char *into) { sprintf(into, "/bench/doomed/%ld", index); }

static long events_of_holders(void)
{
    struct message m;
    long i, events = 0;

    for (i = 0; options.watches > 0 && i < options.holders; i++) {
        connection_fill(&holders[i]);
        while (connection_next(&holders[i], &m)) {
            if (m.header.type != WATCH_EVENT)
                fail("a watcher received a message of type %u", m.header.type);
            holders[i].events++;
        }
        events += holders[i].events;
    }
    return events;
}

static void await_events(long expected)
{
    int64_t end = now_ns() + SILENCE_MS * 1000000LL;
    long events;

    while ((events = events_of_holders()) < expected)
        if (now_ns() > end)
            fail("%ld of %ld events after %d s", events, expected, SILENCE_MS / 1000);
    if (events > expected)
        fail("%ld events, expected %ld", events, expected);
}

/* Spins instead of sleeping: the probe must not be late itself.  Returns what RM took, in ns. */
static int64_t remove_all(struct connection *c, struct probe *probe)
{
    unsigned char request[MESSAGE_MAX];
    int64_t began = now_ns(), now = began, ended = 0, limit = began + options.limit_s * 1000000000LL;
    struct message m;

    connection_queue(c, request, build_path(request, RM, "/bench/doomed"));
    connection_flush(c);
    while (ended == 0 || probe->waiting || now < ended + AFTER_NS) {
        probe_turn(probe, now);
        events_of_holders();
        now = now_ns();
        if (ended == 0) {
            connection_fill(c);
            if (connection_next(c, &m)) {
                check_reply(c, &m, RM, 3);
                ended = now;
            } else if (now > limit) {
                give_up("removing %ld nodes took more than %ld s", options.children, options.limit_s);
            }
        }
    }
    return ended - began;
}

/* Created and removed as often as options.ms allows, at least once. */
static void remove_repeatedly(pather path)
{
    static struct histogram created, removed;
    static struct probe probe;
    struct connection c;
    int64_t end, began;
    long events = 0;

    probe_open(&probe);
    connection_open(&c);
    hold_watches(path);
    end = now_ns() + options.ms * 1000000LL;
    do {
        began = now_ns();
        write_nodes(options.children, path);
        histogram_add(&created, (now_ns() - began) / options.children);
        await_events(events += options.watches);
        histogram_add(&removed, remove_all(&c, &probe));
        await_events(events += options.watches);
    } while (now_ns() < end);
    print_number("ops", (double)removed.count);
    print_number("create_us", histogram_quantile(&created, 0.5) / 1e3);
    print_number("remove_ms", histogram_quantile(&removed, 0.5) / 1e6);
    print_number("pause_ms", (double)probe.latency.max / 1e6);
}

void remove_tree(void) { remove_repeatedly(tree_path); }

void remove_wide(void) { remove_repeatedly(wide_path); }

static void unrelated(long index, char *into) { sprintf(into, "/bench/watched/%ld", index); }

/* When the server has last used its processor, as soon as it has used none for QUIET_NS. */
static int64_t quiet_since(void)
{
    int64_t used = server_cpu_ns(), changed = now_ns(), now = changed;
    int64_t limit = changed + options.limit_s * 1000000000LL;

    while (now < changed + QUIET_NS) {
        int64_t cpu = server_cpu_ns();
        now = now_ns();
        if (cpu != used)
            used = cpu, changed = now;
        if (now > limit)
            give_up("the server was still busy %ld s after the connections were closed", options.limit_s);
    }
    return changed;
}

/* From the first close until the server has nothing left to do. */
void close_holders(void)
{
    int64_t began;
    long i;

    if (options.pid == 0)
        fail("needs the server's pid");
    hold_watches(unrelated);
    quiet_since();
    began = now_ns();
    for (i = 0; options.watches > 0 && i < options.holders; i++)
        connection_close(&holders[i]);
    print_number("close_ms", (double)(quiet_since() - began) / 1e6);
    write_nodes(1, probe_path);  /* and it still answers */
}
