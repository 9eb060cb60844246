/* The scripts of closed-loop clients: requests built beforehand, with what to do at each. */
#include "closed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPT_SPREAD 65536  /* random nodes, over all clients of a workload */
#define TRANSFERS 256        /* different ones in a client's script */

static struct request make(unsigned char *bytes, size_t size, long reply_len, int flags)
{
    struct request r = {malloc(size), size, 0, reply_len, flags};
    struct header header;

    memcpy(r.bytes, bytes, size);
    memcpy(&header, bytes, HEADER_SIZE);
    r.type = header.type;
    return r;
}

static void add(struct client *c, unsigned char *bytes, size_t size, long reply_len, int flags)
{
    if ((c->length & (c->length - 1)) == 0)  /* full: the room is the next power of two */
        c->script = realloc(c->script, (size_t)(c->length > 0 ? 2 * c->length : 1) * sizeof *c->script);
    c->script[c->length++] = make(bytes, size, reply_len, flags);
}

static void client_path(long index, char *into)
{
    sprintf(into, "/local/domain/%ld/device/vif/0/state", index + 1);
}

static void child_path(long index, char *into) { sprintf(into, "/bench/children/%ld", index); }

/* The three nodes of a client's transactions: /local/domain/N/device/vif/0/state and two beside it. */
static void transaction_path(long index, char *into)
{
    static const char *const names[] = {"state", "mac", "bridge"};

    sprintf(into, "/local/domain/%ld/device/vif/0/%s", index / 3 + 1, names[index % 3]);
}

static long random_below(long limit)
{
    static uint64_t state = 88172645463325252ULL;

    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (long)(state % (uint64_t)limit);
}

static void add_read(struct client *c, const char *path)
{
    unsigned char r[MESSAGE_MAX];

    add(c, r, build_path(r, READ, path), VALUE_SIZE, BEGINS | ENDS);
}

/* Two values in turn, so that no server can take a write for no change. */
static void add_writes(struct client *c, const char *path)
{
    unsigned char r[MESSAGE_MAX];
    static char value[2][PAYLOAD_MAX];
    long i;

    if (strlen(path) + 1 + options.bytes > PAYLOAD_MAX)
        fail("bytes=%ld: with its path, a value does not fit in a message", options.bytes);
    for (i = 0; i < options.bytes; i++) {
        value[0][i] = OTHER_VALUE[i % VALUE_SIZE];
        value[1][i] = VALUE[i % VALUE_SIZE];
    }
    add(c, r, build_write(r, path, value[0]), 3, BEGINS | ENDS);
    add(c, r, build_write(r, path, value[1]), 3, BEGINS | ENDS);
}

static void add_directory(struct client *c)
{
    unsigned char r[MESSAGE_MAX];
    char name[256];
    long i, bytes = 0;

    for (i = 0; i < options.children; i++)
        bytes += sprintf(name, "%ld", i) + 1;
    add(c, r, build_path(r, DIRECTORY, "/bench/children"), bytes, BEGINS | ENDS);
}

/* A node that is new, and its removal, so that the store keeps its size; only the creation is timed. */
static void add_create(struct client *c, const char *parent)
{
    unsigned char r[MESSAGE_MAX];
    char path[300];

    sprintf(path, "%s/new%ld", parent, (long)(c - c->group->clients));
    add(c, r, build_write(r, path, VALUE), 3, BEGINS | ENDS);
    add(c, r, build_path(r, RM, path), 3, 0);
}

static void add_start(struct client *c)
{
    unsigned char r[MESSAGE_MAX];

    add(c, r, build(r, TRANSACTION_START, 0, "", 1), -1, BEGINS | STARTS);
}

static void add_commit(struct client *c)
{
    unsigned char r[MESSAGE_MAX];

    add(c, r, build(r, TRANSACTION_END, 0, "T", 2), 3, INSIDE | ENDS | COMMITS);
}

/* Start, read, three writes, commit; on nodes of its own, or all on one node that is written as it is. */
static void add_transaction(struct client *c, long index)
{
    unsigned char r[MESSAGE_MAX];
    char path[256];
    long i;

    add_start(c);
    transaction_path(options.shared ? 0 : index * 3, path);
    add(c, r, build_path(r, READ, path), VALUE_SIZE, INSIDE);
    for (i = 0; i < 3; i++) {
        transaction_path(options.shared ? 0 : index * 3 + i, path);
        add(c, r, build_write(r, path, VALUE), 3, INSIDE);
    }
    add_commit(c);
}

static void account_path(long index, char *into) { sprintf(into, "/bench/account/%ld", index); }

/* Start, read two of options.accounts nodes, write both, commit: conflicts are real, but seldom. */
static void add_transfer(struct client *c)
{
    unsigned char r[MESSAGE_MAX];
    char path[2][64];
    long first = random_below(options.accounts), i;

    account_path(first, path[0]);
    account_path((first + 1 + random_below(options.accounts - 1)) % options.accounts, path[1]);
    add_start(c);
    for (i = 0; i < 2; i++)
        add(c, r, build_path(r, READ, path[i]), VALUE_SIZE, INSIDE);
    for (i = 0; i < 2; i++)
        add(c, r, build_write(r, path[i], random_below(2) ? VALUE : OTHER_VALUE), 3, INSIDE);
    add_commit(c);
}

static void add_counter(struct client *c)
{
    unsigned char r[MESSAGE_MAX];

    add_start(c);
    add(c, r, build_path(r, READ, "/bench/counter"), -1, INSIDE | TAKES);
    add(c, r, build_write(r, "/bench/counter", "0000000000"), 3, INSIDE | PUTS_NEXT);
    add_commit(c);
}

int is_kind(const char *kind) { return strcmp(options.kind, kind) == 0; }

static void add_on_nodes(struct client *c)
{
    long i;

    for (i = 0; i < SCRIPT_SPREAD / options.clients; i++) {
        char path[256];
        node_path(random_below(options.nodes), path);
        if (is_kind("read"))
            add_read(c, path);
        else if (is_kind("write"))
            add_writes(c, path);
        else
            add_create(c, path);
    }
}

void write_script(struct client *c, long index)
{
    char path[256];
    long i;

    client_path(index, path);
    if (is_kind("directory"))
        add_directory(c);
    else if (is_kind("transaction"))
        add_transaction(c, index);
    else if (is_kind("counter"))
        add_counter(c);
    else if (is_kind("transfer"))
        for (i = 0; i < TRANSFERS; i++)
            add_transfer(c);
    else if (options.nodes > 0)
        add_on_nodes(c);
    else if (is_kind("read"))
        add_read(c, path);
    else if (is_kind("write"))
        add_writes(c, path);
    else
        add_create(c, "/bench/children");
}

/* Clients beside the measured ones write, each its own node. */
void write_script_beside(struct client *c, long index)
{
    char path[256];

    client_path(options.clients + index, path);
    add_writes(c, path);
}

static size_t make_counter(long index, unsigned char *into, void *context)
{
    (void)index, (void)context;
    return build_write(into, "/bench/counter", "0000000000");
}

void prepare_nodes(void)
{
    struct connection c;

    write_nodes(options.clients + options.beside, client_path);
    if (is_kind("directory") || is_kind("create"))
        write_nodes(options.children, child_path);
    if (is_kind("transaction"))
        write_nodes(options.clients * 3, transaction_path);
    if (is_kind("transfer"))
        write_nodes(options.accounts, account_path);
    if (is_kind("counter")) {
        connection_open(&c);
        bulk(&c, 1, WRITE, make_counter, NULL, 0);
        connection_close(&c);
    }
}
