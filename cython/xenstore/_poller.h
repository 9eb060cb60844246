/*
 * One interface over epoll, kqueue and poll(2): which descriptors are ready, level-triggered.
 *
 * The caller says what a descriptor was watched for and what it is to be watched for, so that nothing is
 * kept twice; watched for nothing means unknown to the kernel (epoll reports a hang-up even of descriptors
 * nobody asked about).  Ready descriptors are reported by number: the caller's table says whose they are,
 * and an event that outlived its descriptor costs its successor one needless recv.
 *
 * Failures return -1 and leave errno.  Only poller_wait may run without the GIL.
 */
#ifndef XENSTORE_POLLER_H
#define XENSTORE_POLLER_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__)
#define POLLER_EPOLL
#include <sys/epoll.h>
#endif

/* POLLER_KQUEUE may also come from the command line: the tests compile it against a kqueue of their own. */
#if defined(__NetBSD__) || defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__DragonFly__) || \
    defined(__APPLE__)
#define POLLER_KQUEUE
#endif
#if defined(POLLER_KQUEUE)
#include <sys/event.h>
#include <sys/time.h>
#endif

enum { POLLER_READ = 1, POLLER_WRITE = 2 };

/* Most ready descriptors one wait reports; the others come first in the next. */
enum { POLLER_EVENTS = 64 };

/* Descriptors that only poll(2) can wait for, at most. */
enum { POLLER_BESIDE = 2 };

/* How many places poller_wait wants. */
enum { POLLER_PLACES = POLLER_EVENTS + POLLER_BESIDE };

struct poller_event {
    int fd;
    int ready; /* POLLER_READ, POLLER_WRITE; errors and hang-ups show as both or either */
};

struct poller {
    const struct poller_backend *backend;
    int fd;                /* the kernel's queue, or -1: poll(2) has none */
    struct pollfd beside[1 + POLLER_BESIDE]; /* the queue itself, then what it refuses */
    int besides;                             /* how many those are */
    struct pollfd *polled; /* poll(2) only, as are the rest */
    int *place;            /* place[fd]: its index in polled, or -1 */
    int count, room, places, next;
};

struct poller_backend {
    const char *name;
    int (*open)(struct poller *);
    int (*set)(struct poller *, int fd, int was, int want);
    int (*wait)(struct poller *, struct poller_event *, int timeout_ms);
};

#if defined(POLLER_EPOLL)

static int epoll_open(struct poller *p)
{
    p->fd = epoll_create1(EPOLL_CLOEXEC);
    return p->fd < 0 ? -1 : 0;
}

static int epoll_set(struct poller *p, int fd, int was, int want)
{
    struct epoll_event event;

    memset(&event, 0, sizeof event);
    event.data.fd = fd;
    event.events = (want & POLLER_READ ? EPOLLIN : 0) | (want & POLLER_WRITE ? EPOLLOUT : 0);
    return epoll_ctl(p->fd, !want ? EPOLL_CTL_DEL : was ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
}

static int epoll_turn(struct poller *p, struct poller_event *out, int timeout_ms)
{
    struct epoll_event events[POLLER_EVENTS];
    int i, n = epoll_wait(p->fd, events, POLLER_EVENTS, timeout_ms);

    for (i = 0; i < n; i++) {
        out[i].fd = events[i].data.fd;
        out[i].ready = (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP) ? POLLER_READ : 0) |
                       (events[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP) ? POLLER_WRITE : 0);
    }
    return n;
}

#endif

#if defined(POLLER_KQUEUE)

static int kqueue_open(struct poller *p)
{
    p->fd = kqueue();
    return p->fd < 0 ? -1 : fcntl(p->fd, F_SETFD, FD_CLOEXEC);
}

static int kqueue_set(struct poller *p, int fd, int was, int want)
{
    struct kevent changes[2];
    int n = 0;

    /* udata is a pointer on some systems and a number on NetBSD before 10: 0 is both. */
    if ((was ^ want) & POLLER_READ) {
        EV_SET(&changes[n], fd, EVFILT_READ, want & POLLER_READ ? EV_ADD : EV_DELETE, 0, 0, 0);
        n++;
    }
    if ((was ^ want) & POLLER_WRITE) {
        EV_SET(&changes[n], fd, EVFILT_WRITE, want & POLLER_WRITE ? EV_ADD : EV_DELETE, 0, 0, 0);
        n++;
    }
    return kevent(p->fd, changes, n, NULL, 0, NULL) < 0 ? -1 : 0;
}

static int kqueue_turn(struct poller *p, struct poller_event *out, int timeout_ms)
{
    struct kevent events[POLLER_EVENTS];
    struct timespec limit;
    int i, n;

    limit.tv_sec = timeout_ms / 1000;
    limit.tv_nsec = timeout_ms % 1000 * 1000000L;
    n = kevent(p->fd, NULL, 0, events, POLLER_EVENTS, timeout_ms < 0 ? NULL : &limit);
    for (i = 0; i < n; i++) {
        out[i].fd = (int)events[i].ident;
        out[i].ready = events[i].filter == EVFILT_READ ? POLLER_READ : POLLER_WRITE;
    }
    return n;
}

#endif

static int poll_open(struct poller *p)
{
    p->fd = -1;
    return 0;
}

static int poll_grow(struct poller *p, int fd)
{
    if (p->count == p->room) {
        int room = p->room ? p->room * 2 : 64;
        struct pollfd *polled = realloc(p->polled, room * sizeof *polled);
        if (!polled)
            return -1;
        p->polled = polled;
        p->room = room;
    }
    if (fd >= p->places) {
        int places = fd * 2 + 64;
        int *place = realloc(p->place, places * sizeof *place);
        if (!place)
            return -1;
        p->place = place;
        while (p->places < places)
            place[p->places++] = -1;
    }
    return 0;
}

static int poll_set(struct poller *p, int fd, int was, int want)
{
    if (poll_grow(p, fd) < 0)
        return -1;
    if (!want) {
        int at = p->place[fd];
        p->polled[at] = p->polled[--p->count];
        p->place[p->polled[at].fd] = at;
        p->place[fd] = -1;
        return 0;
    }
    if (!was) {
        p->place[fd] = p->count;
        p->polled[p->count++].fd = fd;
    }
    p->polled[p->place[fd]].events = (want & POLLER_READ ? POLLIN : 0) | (want & POLLER_WRITE ? POLLOUT : 0);
    return 0;
}

static int poll_turn(struct poller *p, struct poller_event *out, int timeout_ms)
{
    int i, at, n = 0, left = poll(p->polled, p->count, timeout_ms);

    if (left < 0)
        return -1;
    /* Each scan starts where the last one stopped: nobody at the end of the table is forgotten. */
    for (i = 0; i < p->count && left > 0 && n < POLLER_EVENTS; i++) {
        at = (p->next + i) % p->count;
        if (!p->polled[at].revents)
            continue;
        out[n].fd = p->polled[at].fd;
        out[n].ready = (p->polled[at].revents & ~POLLOUT ? POLLER_READ : 0) |
                       (p->polled[at].revents & ~POLLIN ? POLLER_WRITE : 0);
        n++;
        left--;
    }
    p->next = p->count ? (p->next + i) % p->count : 0;
    return n;
}

/* The best of this system first: it is the default. */
static const struct poller_backend poller_backends[] = {
#if defined(POLLER_EPOLL)
    {"epoll", epoll_open, epoll_set, epoll_turn},
#endif
#if defined(POLLER_KQUEUE)
    {"kqueue", kqueue_open, kqueue_set, kqueue_turn},
#endif
    {"poll", poll_open, poll_set, poll_turn},
};
enum { POLLER_BACKENDS = sizeof poller_backends / sizeof poller_backends[0] };

static int poller_open(struct poller *p, int backend)
{
    memset(p, 0, sizeof *p);
    p->backend = &poller_backends[backend];
    return p->backend->open(p);
}

static int poller_set(struct poller *p, int fd, int was, int want)
{
    return was == want ? 0 : p->backend->set(p, fd, was, want);
}

/*
 * Watches for reading, from now on, what the queue refuses or would never report, such as NetBSD's xenevt
 * (no kqueue): each wait is then one poll(2) of the queue and of those, for as long as there are any.
 */
static int poller_add_beside(struct poller *p, int fd)
{
    if (p->fd < 0)
        return poller_set(p, fd, 0, POLLER_READ);
    if (p->besides == POLLER_BESIDE) {
        errno = ENOSPC;
        return -1;
    }
    p->beside[0].fd = p->fd;
    p->beside[0].events = POLLIN;
    p->besides++;
    p->beside[p->besides].fd = fd;
    p->beside[p->besides].events = POLLIN;
    return 0;
}

/* Ends that; nothing happens where it was not begun. */
static void poller_remove_beside(struct poller *p, int fd)
{
    int i;

    if (p->fd < 0) {
        poller_set(p, fd, POLLER_READ, 0);
        return;
    }
    for (i = 1; i <= p->besides; i++)
        if (p->beside[i].fd == fd) {
            p->beside[i] = p->beside[p->besides--];
            return;
        }
}

static int poller_wait_beside(struct poller *p, struct poller_event *out, int timeout_ms)
{
    int i, more, n = 0;

    if (poll(p->beside, 1 + p->besides, timeout_ms) < 0)
        return -1;
    for (i = 1; i <= p->besides; i++)
        if (p->beside[i].revents) {
            out[n].fd = p->beside[i].fd;
            out[n].ready = POLLER_READ;
            n++;
        }
    if (!p->beside[0].revents)
        return n;
    more = p->backend->wait(p, out + n, 0);
    return more < 0 ? -1 : n + more;
}

/* Waits up to timeout_ms (negative: for ever); returns how many of the POLLER_PLACES places were filled. */
static int poller_wait(struct poller *p, struct poller_event *out, int timeout_ms)
{
    return p->besides ? poller_wait_beside(p, out, timeout_ms) : p->backend->wait(p, out, timeout_ms);
}

static void poller_close(struct poller *p)
{
    if (p->fd >= 0)
        close(p->fd);
    free(p->polled);
    free(p->place);
    memset(p, 0, sizeof *p);
    p->fd = -1;
}

#endif
