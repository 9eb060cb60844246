/*
 * The null server:  null SOCKET DIRECTORY_BYTES [fanout]
 *
 * Answers every request with a fixed reply at the least possible cost: no store, no path is looked at.
 * With `fanout` every write sends each watcher its event.  What a real server could reach at best.
 */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

#define BATCH_SIZE 65536

struct client {
    int fd;
    unsigned char *rest, *unsent;  /* the start of a request, the end of replies; NULL when none */
    size_t rest_size, unsent_size;
    unsigned char *event;          /* of a watcher: what its last WATCH asked for */
    size_t event_size;
    struct client *next;           /* watcher */
};

static int poller, fanout;
static struct client *watchers;
static unsigned char listing[PAYLOAD_MAX], *replies;
static size_t listing_size, replies_size, replies_room;

void fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    exit(1);
}

static unsigned char *copy(const unsigned char *bytes, size_t size)
{
    unsigned char *copied = malloc(size + 1);

    if (copied == NULL)
        fail("out of memory\n");
    return memcpy(copied, bytes, size);
}

/* A failed send is not handled: the receiver is gone, and its next recv says so. */
static void put(struct client *c, const unsigned char *bytes, size_t size)
{
    ssize_t n = c->unsent == NULL ? send(c->fd, bytes, size, MSG_NOSIGNAL) : 0;
    size_t sent = n > 0 ? (size_t)n : 0;

    if (sent == size || (n < 0 && errno != EAGAIN))
        return;
    if (c->unsent == NULL)
        poller_want_output(poller, c->fd, c, 1);
    c->unsent = realloc(c->unsent, c->unsent_size + size - sent);
    if (c->unsent == NULL)
        fail("out of memory\n");
    memcpy(c->unsent + c->unsent_size, bytes + sent, size - sent);
    c->unsent_size += size - sent;
}

static void put_unsent(struct client *c)
{
    unsigned char *unsent = c->unsent;
    size_t size = c->unsent_size;

    c->unsent = NULL, c->unsent_size = 0;
    poller_want_output(poller, c->fd, c, 0);
    put(c, unsent, size);
    free(unsent);
}

static void reply(const struct header *request, const void *payload, size_t size)
{
    struct header header = *request;

    if (replies_size + MESSAGE_MAX > replies_room) {
        replies_room += BATCH_SIZE;
        replies = realloc(replies, replies_room);
        if (replies == NULL)
            fail("out of memory\n");
    }
    header.len = (uint32_t)size;
    memcpy(replies + replies_size, &header, HEADER_SIZE);
    memcpy(replies + replies_size + HEADER_SIZE, payload, size);
    replies_size += HEADER_SIZE + size;
}

/* The payload of a WATCH, path and token, is that of its events. */
static void watch(struct client *c, const struct header *request, const unsigned char *payload)
{
    struct header header = {WATCH_EVENT, 0, 0, request->len};

    reply(request, "OK", 3);
    reply(&header, payload, request->len);
    if (c->event == NULL) {
        c->next = watchers;
        watchers = c;
    }
    free(c->event);
    c->event_size = HEADER_SIZE + request->len;
    c->event = copy(replies + replies_size - c->event_size, c->event_size);
}

static void answer(struct client *c, const struct header *request, const unsigned char *payload)
{
    struct client *w;

    switch (request->type) {
    case READ:
        reply(request, "0123456789abcdef", VALUE_SIZE);
        return;
    case DIRECTORY:
        reply(request, listing, listing_size);
        return;
    case TRANSACTION_START:
        reply(request, "1", 2);
        return;
    case WATCH:
        watch(c, request, payload);
        return;
    case WRITE:
        for (w = fanout ? watchers : NULL; w != NULL; w = w->next)
            put(w, w->event, w->event_size);
        /* fall through */
    default:
        reply(request, "OK", 3);
    }
}

static void forget(struct client *c)
{
    struct client **w = &watchers;

    while (*w != NULL && *w != c)
        w = &(*w)->next;
    if (*w != NULL)
        *w = c->next;
    close(c->fd);
    free(c->rest);
    free(c->unsent);
    free(c->event);
    free(c);
}

static void serve(struct client *c)
{
    static unsigned char input[BATCH_SIZE + MESSAGE_MAX];
    struct header request;
    size_t size = c->rest_size, at = 0;
    ssize_t n;

    if (c->unsent != NULL)
        put_unsent(c);
    if (c->unsent != NULL)
        return;
    if (size > 0)
        memcpy(input, c->rest, size);
    n = recv(c->fd, input + size, BATCH_SIZE, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        forget(c);
        return;
    }
    free(c->rest);
    c->rest = NULL;
    size += (size_t)n;
    replies_size = 0;
    while (size - at >= HEADER_SIZE) {
        memcpy(&request, input + at, HEADER_SIZE);
        if (request.len > PAYLOAD_MAX) {
            forget(c);
            return;
        }
        if (size - at < HEADER_SIZE + request.len)
            break;
        answer(c, &request, input + at + HEADER_SIZE);
        at += HEADER_SIZE + request.len;
    }
    c->rest_size = size - at;
    if (c->rest_size > 0)
        c->rest = copy(input + at, c->rest_size);
    if (replies_size > 0)
        put(c, replies, replies_size);
}

static int listen_on(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (strlen(path) >= sizeof address.sun_path)
        fail("socket path too long: %s\n", path);
    strcpy(address.sun_path, path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1024) != 0)
        fail("cannot listen on %s: %s\n", path, strerror(errno));
    return fd;
}

static void accept_client(int listener)
{
    struct client *c = calloc(1, sizeof *c);

    if (c == NULL)
        fail("out of memory\n");
    c->fd = accept(listener, NULL, NULL);
    if (c->fd < 0 || fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0)
        fail("accept: %s\n", strerror(errno));
    poller_add(poller, c->fd, c);
}

int main(int argc, char **argv)
{
    void *ready[256];
    int listener, i, n;

    if (argc < 3 || argc > 4)
        fail("usage: null SOCKET DIRECTORY_BYTES [fanout]\n");
    listing_size = strtoul(argv[2], NULL, 10);
    if (listing_size > PAYLOAD_MAX)
        fail("a listing has at most %d bytes\n", PAYLOAD_MAX);
    fanout = argc == 4;
    listener = listen_on(argv[1]);
    poller = poller_open();
    poller_add(poller, listener, NULL);
    for (;;) {
        n = poller_wait(poller, ready, 256, -1);
        for (i = 0; i < n; i++) {
            if (ready[i] == NULL)
                accept_client(listener);
            else
                serve(ready[i]);
        }
    }
}
