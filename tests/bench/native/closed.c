/*
 * Clients that each keep `depth` requests on the way: read, write, directory, create, transaction,
 * transfer, counter.  A client repeats a script of requests built beforehand.  What is counted and timed is a
 * unit: one request, or a whole transaction from its first start to its commit, retries included.
 */
#include "closed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int stopping;

static void send_next(struct client *c, int64_t now)
{
    struct request *r = &c->script[c->to_send];

    if (r->flags & BEGINS && !c->retrying)
        c->began[c->sent % c->group->depth] = now;
    if (r->flags & BEGINS)
        c->unit = c->to_send;
    if (r->flags & INSIDE)
        memcpy(r->bytes + offsetof(struct header, tx_id), &c->tx_id, 4);
    if (r->flags & PUTS_NEXT) {
        char digits[32];
        sprintf(digits, "%0*ld", COUNTER_DIGITS, c->counter + 1);
        memcpy(r->bytes + r->size - COUNTER_DIGITS, digits, COUNTER_DIGITS);
    }
    connection_queue(&c->connection, r->bytes, r->size);
    c->sent++;
    c->to_send = (c->to_send + 1) % c->length;
}

static long number_in(const struct message *m)
{
    char digits[32] = "";

    memcpy(digits, m->payload, m->header.len < 31 ? m->header.len : 31);
    return strtol(digits, NULL, 10);
}

static void unit_ends(struct client *c, int64_t now)
{
    struct group *group = c->group;

    group->units++;
    group->units_ever++;
    c->retrying = 0;
    histogram_add(&group->latency, now - c->began[c->answered % group->depth]);
}

static void take_reply(struct client *c, const struct message *m, int64_t now)
{
    struct request *r = &c->script[c->to_answer];

    if (r->flags & COMMITS && error_is(m, "EAGAIN")) {
        check_order(&c->connection, m);
        c->group->eagain++;
        c->retrying = 1;
        c->to_send = c->to_answer = c->unit;
        return;
    }
    check_reply(&c->connection, m, r->type, r->reply_len);
    if (r->flags & STARTS)
        c->tx_id = (uint32_t)number_in(m);
    if (r->flags & TAKES)
        c->counter = number_in(m);
    if (r->flags & ENDS)
        unit_ends(c, now);
    c->answered++;
    c->to_answer = (c->to_answer + 1) % c->length;
}

/* As many requests follow as replies came. */
static void serve(struct client *c)
{
    struct message m;
    int64_t now;

    connection_fill(&c->connection);
    now = now_ns();
    while (connection_next(&c->connection, &m)) {
        take_reply(c, &m, now);
        if (!stopping)
            send_next(c, now);
    }
    connection_flush(&c->connection);
}

static void open_group(struct group *group, int poller, long count, long depth)
{
    long i;

    group->count = count;
    group->depth = depth;
    group->clients = calloc((size_t)count + 1, sizeof *group->clients);
    for (i = 0; i < count; i++) {
        struct client *c = &group->clients[i];
        c->group = group;
        c->began = calloc((size_t)depth, sizeof *c->began);
        connection_open(&c->connection);
        c->connection.owner = c;
        connection_attach(&c->connection, poller);
    }
}

static void start_group(struct group *group)
{
    long i, d;

    for (i = 0; i < group->count; i++) {
        for (d = 0; d < group->depth; d++)
            send_next(&group->clients[i], now_ns());
        connection_flush(&group->clients[i].connection);
    }
}

static void begin_measuring(struct group *group)
{
    group->units = group->eagain = 0;
    histogram_clear(&group->latency);
}

static int all_answered(const struct group *group)
{
    long i;

    for (i = 0; i < group->count; i++) {
        const struct connection *c = &group->clients[i].connection;
        if (c->next_req_id != c->next_reply_id)
            return 0;
    }
    return 1;
}

static void turn(int poller)
{
    void *ready[256];
    int i, n = poller_wait(poller, ready, 256, SILENCE_MS);

    if (n == 0)
        fail("no answer for %d s", SILENCE_MS / 1000);
    for (i = 0; i < n; i++)
        serve(((struct connection *)ready[i])->owner);
}

/* Also until something was counted: without that there is no figure. */
static void run_until(int poller, const struct group *group, int64_t end)
{
    while (now_ns() < end || group->units == 0)
        turn(poller);
}

/* No request stays without its answer: a late one may still be an error. */
static void drain(int poller, const struct group *group, const struct group *beside)
{
    int64_t end = now_ns() + SILENCE_MS * 1000000LL;

    stopping = 1;
    while (!all_answered(group) || !all_answered(beside)) {
        turn(poller);
        if (now_ns() > end)
            fail("requests still without answer %d s after the end", SILENCE_MS / 1000);
    }
}

static void print_results(const struct group *group, const struct group *beside, int64_t ns, int64_t cpu_ns)
{
    double seconds = (double)ns / 1e9, units = (double)group->units, all = units + (double)beside->units;

    print_number("ops", units);
    print_number("seconds", seconds);
    print_number("ops_per_s", units / seconds);
    print_number("p50_us", histogram_quantile(&group->latency, 0.5) / 1e3);
    print_number("p99_us", histogram_quantile(&group->latency, 0.99) / 1e3);
    print_number("max_us", (double)group->latency.max / 1e3);
    print_number("cpu_us_per_op", all > 0 ? (double)cpu_ns / 1e3 / all : 0);
    print_number("server_busy", (double)cpu_ns / (double)ns);
    print_number("eagain", (double)group->eagain);
    print_number("eagain_share", group->eagain > 0 ? (double)group->eagain / (units + (double)group->eagain) : 0);
    print_number("beside_ops_per_s", (double)beside->units / seconds);
}

static void check_counter(long committed)
{
    unsigned char request[MESSAGE_MAX];
    struct connection c;
    struct message m;

    connection_open(&c);
    m = ask(&c, request, build_path(request, READ, "/bench/counter"));
    if (number_in(&m) != committed)
        fail("the counter says %ld after %ld commits", number_in(&m), committed);
    connection_close(&c);
}

static void prepare_clients(struct group *group, struct group *beside, int poller)
{
    long i;

    open_group(group, poller, options.clients, options.depth);
    open_group(beside, poller, options.beside, options.beside_depth);
    for (i = 0; i < group->count; i++)
        write_script(&group->clients[i], i);
    for (i = 0; i < beside->count; i++)
        write_script_beside(&beside->clients[i], i);
}

void closed_loop(void)
{
    static struct group group, beside;
    int poller = poller_open();
    int64_t begin, cpu, end, cpu_end;

    if (options.depth > 1 && !is_kind("read") && !is_kind("write") && !is_kind("directory"))
        fail("depth must be 1");
    prepare_background();
    prepare_nodes();
    if (options.nodes > 0)
        settle();
    prepare_clients(&group, &beside, poller);
    start_group(&group);
    start_group(&beside);
    run_until(poller, &group, now_ns() + options.ms * 200000LL);  /* warm-up: a fifth */
    begin_measuring(&group);
    begin_measuring(&beside);
    begin = now_ns(), cpu = server_cpu_ns();
    run_until(poller, &group, begin + options.ms * 1000000LL);
    end = now_ns(), cpu_end = server_cpu_ns();
    print_results(&group, &beside, end - begin, cpu_end - cpu);
    drain(poller, &group, &beside);
    check_background();
    if (is_kind("counter"))
        check_counter(group.units_ever);
}
