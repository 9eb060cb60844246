/* A closed-loop client and its script: script.c writes it, closed.c runs it. */
#ifndef CLOSED_H
#define CLOSED_H

#include "load.h"

enum {  /* what a request of a script does besides being sent and answered */
    BEGINS = 1,      /* a unit's clock starts */
    ENDS = 2,        /* and stops */
    STARTS = 4,      /* the reply is the transaction id of what follows */
    INSIDE = 8,      /* sent with that id */
    COMMITS = 16,    /* EAGAIN is allowed: the unit starts again */
    TAKES = 32,      /* the reply is the counter */
    PUTS_NEXT = 64   /* the value sent is one more */
};

struct request { unsigned char *bytes; size_t size; enum type type; long reply_len; int flags; };

struct group {
    struct client *clients;
    long count, depth;
    long units, eagain, units_ever;  /* the first two since the measurement began */
    struct histogram latency;
};

struct client {
    struct connection connection;
    struct group *group;
    struct request *script;
    long length, to_send, to_answer;   /* indices into the script */
    long unit;                         /* where the last unit sent begins */
    long sent, answered;
    int64_t *began;                    /* of the units on the way, by number modulo depth */
    int retrying;
    uint32_t tx_id;
    long counter;
};

#define COUNTER_DIGITS 10

int is_kind(const char *kind);
void prepare_nodes(void);                        /* what the scripts expect to find */
void write_script(struct client *c, long index);
void write_script_beside(struct client *c, long index);

#endif
