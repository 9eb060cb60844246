/* One connection: building requests, sending them, taking replies apart and checking them. */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

#define IN_ROOM 65536

/* Blocking while it connects: a server with a short backlog makes others wait, it does not refuse. */
void connection_open(struct connection *c)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {SILENCE_MS / 1000, 0};

    memset(c, 0, sizeof *c);
    c->poller = -1;
    if (strlen(options.socket) >= sizeof address.sun_path)
        fail("socket path too long: %s", options.socket);
    strcpy(address.sun_path, options.socket);
    c->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (c->fd < 0)
        fail("socket: %s (raise the limit on open files?)", strerror(errno));
    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("cannot connect to %s: %s", options.socket, strerror(errno));
    if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0)
        fail("fcntl: %s", strerror(errno));
}

void connection_attach(struct connection *c, int poller)
{
    c->poller = poller;
    poller_add(poller, c->fd, c);
}

void connection_close(struct connection *c)
{
    if (c->poller >= 0)
        poller_remove(c->poller, c->fd);
    close(c->fd);
    free(c->in);
    free(c->out);
    memset(c, 0, sizeof *c);
    c->fd = -1;
}

static void make_room(unsigned char **bytes, size_t *room, size_t needed)
{
    if (needed <= *room)
        return;
    *room = needed * 2;
    *bytes = realloc(*bytes, *room);
    if (*bytes == NULL)
        fail("out of memory");
}

/* The request is copied and given the next request id. */
void connection_queue(struct connection *c, const unsigned char *request, size_t size)
{
    make_room(&c->out, &c->out_room, c->out_tail + size);
    memcpy(c->out + c->out_tail, request, size);
    memcpy(c->out + c->out_tail + offsetof(struct header, req_id), &c->next_req_id, 4);
    c->next_req_id++;
    c->out_tail += size;
}

static void want_output(struct connection *c, int on)
{
    if (c->wants_output == on || c->poller < 0)
        return;
    c->wants_output = on;
    poller_want_output(c->poller, c->fd, c, on);
}

void connection_flush(struct connection *c)
{
    while (c->out_head < c->out_tail) {
        ssize_t n = send(c->fd, c->out + c->out_head, c->out_tail - c->out_head, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            want_output(c, 1);
            return;
        }
        if (n < 0)
            fail("sending to the server: %s", strerror(errno));
        c->out_head += (size_t)n;
    }
    c->out_head = c->out_tail = 0;
    want_output(c, 0);
}

/* One recv; what it brings is there for connection_next. */
void connection_fill(struct connection *c)
{
    ssize_t n;

    if (c->in_head > 0) {
        memmove(c->in, c->in + c->in_head, c->in_tail - c->in_head);
        c->in_tail -= c->in_head;
        c->in_head = 0;
    }
    if (c->in == NULL)
        make_room(&c->in, &c->in_room, IN_ROOM);
    n = recv(c->fd, c->in + c->in_tail, c->in_room - c->in_tail, 0);
    if (n == 0)
        fail("the server closed a connection");
    if (n < 0 && errno != EAGAIN)
        fail("receiving from the server: %s", strerror(errno));
    if (n > 0)
        c->in_tail += (size_t)n;
}

int connection_next(struct connection *c, struct message *m)
{
    size_t there = c->in_tail - c->in_head;

    if (there < HEADER_SIZE)
        return 0;
    memcpy(&m->header, c->in + c->in_head, HEADER_SIZE);
    /* oxenstored sends listings longer than the protocol allows; no workload here asks for one. */
    if (m->header.len > PAYLOAD_MAX)
        fail("a message of %u bytes; the protocol allows %d", m->header.len, PAYLOAD_MAX);
    if (there < HEADER_SIZE + m->header.len)
        return 0;
    m->payload = c->in + c->in_head + HEADER_SIZE;
    c->in_head += HEADER_SIZE + m->header.len;
    return 1;
}

int error_is(const struct message *m, const char *name)
{
    return m->header.type == ERROR && m->header.len == strlen(name) + 1
        && memcmp(m->payload, name, m->header.len) == 0;
}

/* The oldest request without an answer is the one that m answers. */
void check_order(struct connection *c, const struct message *m)
{
    if (m->header.req_id != c->next_reply_id)
        fail("reply to request %u, expected one to %u", m->header.req_id, c->next_reply_id);
    c->next_reply_id++;
}

/* Order, type and, unless len is -1, the length of the payload. */
void check_reply(struct connection *c, const struct message *m, enum type type, long len)
{
    check_order(c, m);
    if (m->header.type == ERROR)
        fail("request of type %d refused: %.*s", type, (int)m->header.len, (const char *)m->payload);
    if (m->header.type != (uint32_t)type)
        fail("reply of type %u to a request of type %d", m->header.type, type);
    if (len >= 0 && m->header.len != (uint32_t)len)
        fail("reply of %u bytes to a request of type %d, expected %ld", m->header.len, type, len);
}

size_t build(unsigned char *into, enum type type, uint32_t tx_id, const void *payload, size_t len)
{
    struct header header = {type, 0, tx_id, (uint32_t)len};

    if (len > PAYLOAD_MAX)
        fail("a request of %zu bytes", len);
    memcpy(into, &header, HEADER_SIZE);
    memcpy(into + HEADER_SIZE, payload, len);
    return HEADER_SIZE + len;
}

size_t build_write(unsigned char *into, const char *path, const char *value)
{
    char payload[PAYLOAD_MAX];
    size_t length = strlen(path) + 1;

    memcpy(payload, path, length);
    memcpy(payload + length, value, strlen(value));
    return build(into, WRITE, 0, payload, length + strlen(value));
}

size_t build_path(unsigned char *into, enum type type, const char *path)
{
    return build(into, type, 0, path, strlen(path) + 1);
}

size_t build_watch(unsigned char *into, const char *path, const char *token)
{
    char payload[PAYLOAD_MAX];
    size_t length = strlen(path) + 1;

    memcpy(payload, path, length);
    memcpy(payload + length, token, strlen(token) + 1);
    return build(into, WATCH, 0, payload, length + strlen(token) + 1);
}
