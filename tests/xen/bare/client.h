/* A client of the store on its ring, well behaved as long as it is asked to be. */
#ifndef BARE_CLIENT_H
#define BARE_CLIENT_H

#include <stdint.h>

enum {
    DIRECTORY = 1, READ = 2, WATCH = 4, UNWATCH = 5, TRANSACTION_START = 6, TRANSACTION_END = 7,
    WRITE = 11, RM = 13, WATCH_EVENT = 15, ERROR = 16,
};

struct header {
    uint32_t type, req_id, tx_id, size;
};

/* What was received has a NUL behind its payload. */
struct message {
    struct header header;
    char payload[4096 + 1];
};

/*
 * 0: as Linux does, of requests if none waited before, of taken replies if the ring was full.
 * 1: as NetBSD does, of all that is given and taken.
 */
extern int notify_always;

/* A request with a payload; what is not text has its size given.  Waits for room in the ring. */
void ask(uint32_t type, uint32_t tx_id, const char *payload, uint32_t size);
/* How many bytes of the request fit at once; the rest is not sent. */
uint32_t push(const void *bytes, uint32_t size);
/* The next message, events included. */
const struct message *receive(void);
/* The reply to the request just made. */
const struct message *reply(void);
/*
 * The watches that had an event since this was asked last, a bit each: a watch's token is a digit, which is the
 * bit's number.
 */
uint32_t fired_watches(void);

/* A literal with its NUL; and without. */
#define STRING(text) text, sizeof text
#define BYTES(text) text, sizeof text - 1

#endif
