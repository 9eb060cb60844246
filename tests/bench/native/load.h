/*
 * What the parts of the load generator share, and the null server with it.
 *
 * One thread, one poller, many non-blocking connections.  Everything is bounded: set-up by
 * options.limit_s, silence of the server by SILENCE_MS, the run by options.ms.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stddef.h>
#include <stdint.h>

#define HEADER_SIZE 16
#define PAYLOAD_MAX 4096
#define MESSAGE_MAX (HEADER_SIZE + PAYLOAD_MAX)
#define VALUE_SIZE 16     /* bytes of every value written and read, unless "bytes" says otherwise */
#define SILENCE_MS 20000  /* a server that says nothing for so long has failed */

enum type {
    DIRECTORY = 1, READ = 2, WATCH = 4, TRANSACTION_START = 6, TRANSACTION_END = 7,
    WRITE = 11, RM = 13, WATCH_EVENT = 15, ERROR = 16
};

struct header { uint32_t type, req_id, tx_id, len; };

struct message { struct header header; const unsigned char *payload; };

/* main.c: what was asked for, and how to stop. */
struct options {
    const char *socket;
    const char *kind;
    long clients, depth, ms, pid, limit_s;
    long watches, holders, idle, nodes, children, accounts, shared, beside, beside_depth, deaf, bytes;
};
extern struct options options;

void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* The server is too slow for this workload: a result, not an error. */
void give_up(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void print_number(const char *name, double value);

/* clock.c */
int64_t now_ns(void);
int64_t server_cpu_ns(void);  /* user and system time of process options.pid so far; 0 without one */
void settle(void);            /* wait until the server is done with what setting up has left it to do */
void setup_begins(void);
int64_t setup_left_ns(void);

/* histogram.c: 64 buckets per power of two (1.6%), values in nanoseconds. */
#define HISTOGRAM_BUCKETS (64 * 44)
struct histogram { uint64_t count, max, buckets[HISTOGRAM_BUCKETS]; };
void histogram_clear(struct histogram *h);
void histogram_add(struct histogram *h, int64_t ns);
double histogram_quantile(const struct histogram *h, double q);  /* ns; 0 when empty */

/* poller.c: level-triggered epoll or kqueue. */
int poller_open(void);
void poller_add(int poller, int fd, void *owner);
void poller_remove(int poller, int fd);
void poller_want_output(int poller, int fd, void *owner, int on);
int poller_wait(int poller, void **owners, int room, int timeout_ms);

/* connection.c */
struct connection {
    int fd, poller, wants_output;
    unsigned char *out, *in;
    size_t out_head, out_tail, out_room;  /* unsent bytes lie between head and tail */
    size_t in_head, in_tail, in_room;     /* unparsed bytes lie between head and tail */
    uint32_t next_req_id, next_reply_id;  /* replies come in the order of the requests */
    long events;                          /* WATCH_EVENTs received */
    void *owner;                          /* whom the connection works for */
};
void connection_open(struct connection *c);
void connection_attach(struct connection *c, int poller);
void connection_close(struct connection *c);
void connection_queue(struct connection *c, const unsigned char *request, size_t size);
void connection_flush(struct connection *c);
void connection_fill(struct connection *c);
int connection_next(struct connection *c, struct message *m);  /* 1: a whole message */
void check_order(struct connection *c, const struct message *m);
void check_reply(struct connection *c, const struct message *m, enum type type, long len);
int error_is(const struct message *m, const char *name);
size_t build(unsigned char *into, enum type type, uint32_t tx_id, const void *payload, size_t len);
size_t build_write(unsigned char *into, const char *path, const char *value);
size_t build_path(unsigned char *into, enum type type, const char *path);
size_t build_watch(unsigned char *into, const char *path, const char *token);

/* setup.c: each returns when the server has answered everything. */
typedef size_t (*maker)(long index, unsigned char *into, void *context);
struct message ask(struct connection *c, const unsigned char *request, size_t size);
void bulk(struct connection *c, long count, enum type type, maker make, void *context, long events);
typedef void (*pather)(long index, char *into);
void write_nodes(long count, pather path);
void hold_watches(pather path);           /* options.watches of them, spread over the holders */
void node_path(long index, char *into);   /* one of options.nodes, 100 to a directory */
void prepare_background(void);            /* nodes, watches, idle and deaf connections */
void check_background(void);              /* no unrelated watch has fired */
extern const char VALUE[], OTHER_VALUE[];
extern struct connection *holders;        /* options.holders connections */

/* The workloads: each runs, and prints its figures. */
void closed_loop(void);
void fan_out(void);
void remove_tree(void);
void remove_wide(void);
void close_holders(void);
void hold(void);

#endif
