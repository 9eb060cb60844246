/* What a workload finds in place: nodes, watches of others, connections that do nothing. */
#include "load.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW 64  /* requests without an answer while setting up */

const char VALUE[] = "0123456789abcdef", OTHER_VALUE[] = "fedcba9876543210";
struct connection *holders;

static void wait_for(struct connection *c)
{
    struct pollfd p = {c->fd, c->out_tail > 0 ? POLLIN | POLLOUT : POLLIN, 0};
    int n = poll(&p, 1, SILENCE_MS);

    if (n == 0)
        fail("no answer for %d s", SILENCE_MS / 1000);
}

/* Makes and sends count requests, WINDOW at a time, and waits for their replies and for as many events. */
void bulk(struct connection *c, long count, enum type type, maker make, void *context, long events)
{
    unsigned char request[MESSAGE_MAX];
    long sent = 0, done = 0, wanted = c->events + events;
    struct message m;

    while (done < count || c->events < wanted) {
        while (sent < count && sent - done < WINDOW) {
            connection_queue(c, request, make(sent, request, context));
            sent++;
        }
        connection_flush(c);
        wait_for(c);
        if (setup_left_ns() < 0)
            give_up("%ld of %ld set-up requests answered in %ld s", done, count, options.limit_s);
        connection_fill(c);
        while (connection_next(c, &m)) {
            if (m.header.type == WATCH_EVENT) {
                c->events++;
            } else {
                check_reply(c, &m, type, -1);
                done++;
            }
        }
    }
}

/* One request and its reply, which is valid until the connection is used again. */
struct message ask(struct connection *c, const unsigned char *request, size_t size)
{
    struct message m;
    struct header header;

    memcpy(&header, request, HEADER_SIZE);
    connection_queue(c, request, size);
    do {
        connection_flush(c);
        wait_for(c);
        connection_fill(c);
    } while (!connection_next(c, &m));
    check_reply(c, &m, header.type, -1);
    return m;
}

static size_t make_node(long index, unsigned char *into, void *context)
{
    char path[256];

    (*(pather *)context)(index, path);
    return build_write(into, path, VALUE);
}

void write_nodes(long count, pather path)
{
    struct connection c;

    connection_open(&c);
    bulk(&c, count, WRITE, make_node, &path, 0);
    connection_close(&c);
}

void node_path(long index, char *into)
{
    sprintf(into, "/bench/node/%02ld/%02ld/%02ld", index / 10000, index / 100 % 100, index % 100);
}

static void unrelated_path(long index, char *into) { sprintf(into, "/bench/watched/%ld", index); }

struct watch_range { pather path; long first; };

static size_t make_watch(long index, unsigned char *into, void *context)
{
    struct watch_range *range = context;
    char path[256], token[32];

    range->path(range->first + index, path);
    sprintf(token, "w%ld", range->first + index);
    return build_watch(into, path, token);
}

void hold_watches(pather path)
{
    long each = options.watches / options.holders, i;

    if (options.watches == 0)
        return;
    holders = calloc((size_t)options.holders, sizeof *holders);
    for (i = 0; i < options.holders; i++) {
        struct watch_range range = {path, i * each};
        connection_open(&holders[i]);
        bulk(&holders[i], each, WATCH, make_watch, &range, each);
        holders[i].events = 0;
    }
}

static void deaf_path(long index, char *into) { (void)index, strcpy(into, "/bench/deaf"); }

/* A client that sets watches, and does not read the events that one write then brings. */
static void open_deaf(void)
{
    static struct connection deaf;
    struct watch_range range = {deaf_path, 0};

    connection_open(&deaf);
    bulk(&deaf, options.deaf, WATCH, make_watch, &range, options.deaf);
    write_nodes(1, deaf_path);
}

void prepare_background(void)
{
    struct connection *idle = calloc((size_t)options.idle + 1, sizeof *idle);
    long i;

    for (i = 0; i < options.idle; i++)
        connection_open(&idle[i]);
    write_nodes(options.nodes, node_path);
    hold_watches(unrelated_path);
    if (options.deaf > 0)
        open_deaf();
}

void check_background(void)
{
    long i;

    for (i = 0; options.watches > 0 && i < options.holders; i++) {
        connection_fill(&holders[i]);
        if (holders[i].in_tail > 0)
            fail("an unrelated watch fired");
    }
}

/* Only the background: the runner looks at the server's memory. */
void hold(void)
{
    prepare_background();
    write_nodes(1, deaf_path);  /* answered: so every connection before was accepted */
    print_number("setup_s", (double)options.limit_s - (double)setup_left_ns() / 1e9);
}
