/*
 * A kqueue over epoll, for the two filters and three calls the poller uses, so that its kqueue branch is
 * compiled and run on Linux.  Stricter than a real one: what the poller has no business doing is EINVAL.
 */
#ifndef FAKE_SYS_EVENT_H
#define FAKE_SYS_EVENT_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

enum { EVFILT_READ = 0, EVFILT_WRITE = 1 }; /* NetBSD's numbers */
enum { EV_ADD = 1, EV_DELETE = 2, EV_EOF = 0x8000 };

struct kevent {
    uintptr_t ident;
    uint32_t filter, flags, fflags;
    int64_t data;
#if defined(FAKE_UDATA_NUMBER)
    intptr_t udata; /* NetBSD before 10 */
#else
    void *udata;
#endif
};

#define EV_SET(k, i, fi, fl, ff, d, u)                                                                 \
    ((k)->ident = (i), (k)->filter = (fi), (k)->flags = (fl), (k)->fflags = (ff), (k)->data = (d), (k)->udata = (u))

enum { FAKE_KQUEUES = 1024, FAKE_DESCRIPTORS = 65536 };
static unsigned char *fake_filters[FAKE_KQUEUES]; /* [kq][fd]: bit 1 << filter */

static int kqueue(void)
{
    int kq = epoll_create1(0);

    if (kq < 0 || kq >= FAKE_KQUEUES)
        return -1;
    free(fake_filters[kq]);
    fake_filters[kq] = calloc(1, FAKE_DESCRIPTORS);
    return kq;
}

static int fake_change(int kq, const struct kevent *change)
{
    unsigned char *had = &fake_filters[kq][change->ident], bit = 1 << change->filter, has;
    struct epoll_event event;

    if (change->filter > EVFILT_WRITE || change->fflags || change->data || change->udata)
        return errno = EINVAL, -1;
    if (change->flags == EV_ADD)
        has = *had | bit;
    else if (change->flags == EV_DELETE && *had & bit)
        has = *had & ~bit;
    else
        return errno = change->flags == EV_DELETE ? ENOENT : EINVAL, -1;
    memset(&event, 0, sizeof event);
    event.data.fd = (int)change->ident;
    event.events = (has & 1 << EVFILT_READ ? EPOLLIN : 0) | (has & 1 << EVFILT_WRITE ? EPOLLOUT : 0);
    if (epoll_ctl(kq, !has ? EPOLL_CTL_DEL : *had ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, event.data.fd, &event) < 0)
        return -1;
    *had = has;
    return 0;
}

static int fake_report(struct kevent *out, int fd, int filter, int hung_up)
{
    EV_SET(out, fd, filter, hung_up ? EV_EOF : 0, 0, 0, 0);
    return 1;
}

static int kevent(int kq, const struct kevent *changes, int change_count, struct kevent *out, int out_count,
                  const struct timespec *timeout)
{
    struct epoll_event events[64];
    int i, n, reported = 0, wait_ms = !timeout ? -1 : (int)(timeout->tv_sec * 1000 + timeout->tv_nsec / 1000000);

    for (i = 0; i < change_count; i++)
        if (fake_change(kq, &changes[i]) < 0)
            return -1;
    if (out_count == 0)
        return 0;
    /* A descriptor may be ready for both filters, each an event of its own. */
    n = epoll_wait(kq, events, out_count / 2 < 64 ? out_count / 2 : 64, wait_ms);
    for (i = 0; i < n; i++) {
        int fd = events[i].data.fd, over = events[i].events & (EPOLLHUP | EPOLLERR);
        if (fake_filters[kq][fd] & 1 << EVFILT_WRITE && (over || events[i].events & EPOLLOUT))
            reported += fake_report(&out[reported], fd, EVFILT_WRITE, over);
        if (fake_filters[kq][fd] & 1 << EVFILT_READ && (over || events[i].events & EPOLLIN))
            reported += fake_report(&out[reported], fd, EVFILT_READ, over);
    }
    return n < 0 ? -1 : reported;
}

#endif
