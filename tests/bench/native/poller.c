/* Which connections are ready: epoll on Linux, kqueue elsewhere. */
#include "load.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BATCH 256

#ifdef __linux__
#include <sys/epoll.h>

int poller_open(void)
{
    int poller = epoll_create1(EPOLL_CLOEXEC);

    if (poller < 0)
        fail("epoll_create1: %s", strerror(errno));
    return poller;
}

static void control(int poller, int operation, int fd, void *owner, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = owner};

    if (epoll_ctl(poller, operation, fd, &event) != 0)
        fail("epoll_ctl: %s", strerror(errno));
}

void poller_add(int poller, int fd, void *owner) { control(poller, EPOLL_CTL_ADD, fd, owner, EPOLLIN); }

void poller_remove(int poller, int fd) { control(poller, EPOLL_CTL_DEL, fd, NULL, 0); }

void poller_want_output(int poller, int fd, void *owner, int on)
{
    control(poller, EPOLL_CTL_MOD, fd, owner, on ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

int poller_wait(int poller, void **owners, int room, int timeout_ms)
{
    struct epoll_event events[BATCH];
    int i, n = epoll_wait(poller, events, room < BATCH ? room : BATCH, timeout_ms);

    if (n < 0 && errno != EINTR)
        fail("epoll_wait: %s", strerror(errno));
    for (i = 0; i < n; i++)
        owners[i] = events[i].data.ptr;
    return n < 0 ? 0 : n;
}

#else
#include <sys/types.h>
#include <sys/event.h>
#include <sys/time.h>

int poller_open(void)
{
    int poller = kqueue();

    if (poller < 0)
        fail("kqueue: %s", strerror(errno));
    return poller;
}

static void control(int poller, int fd, int filter, int flags, void *owner)
{
    struct kevent change;

    EV_SET(&change, fd, filter, flags, 0, 0, owner);
    if (kevent(poller, &change, 1, NULL, 0, NULL) != 0)
        fail("kevent: %s", strerror(errno));
}

void poller_add(int poller, int fd, void *owner) { control(poller, fd, EVFILT_READ, EV_ADD, owner); }

void poller_remove(int poller, int fd) { control(poller, fd, EVFILT_READ, EV_DELETE, NULL); }

void poller_want_output(int poller, int fd, void *owner, int on)
{
    control(poller, fd, EVFILT_WRITE, on ? EV_ADD : EV_DELETE, owner);
}

int poller_wait(int poller, void **owners, int room, int timeout_ms)
{
    struct kevent events[BATCH];
    struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    int i, n = kevent(poller, NULL, 0, events, room < BATCH ? room : BATCH,
                      timeout_ms < 0 ? NULL : &timeout);

    if (n < 0 && errno != EINTR)
        fail("kevent: %s", strerror(errno));
    for (i = 0; i < n; i++)
        owners[i] = (void *)events[i].udata;
    return n < 0 ? 0 : n;
}
#endif
