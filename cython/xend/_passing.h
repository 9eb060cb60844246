/* The stream of a domain's memory is summed as it passes: another look at gigabytes would cost as much as a third of
 * the copying.
 *
 * libxenguest reads and writes it by three functions that libxenctrl exports to it (xc_private.h).  This module is
 * what loads both, so that the dynamic linker looks for them here before there, and finds these, which do the same
 * and sum what passes through one descriptor.  A library that has them otherwise passes them by: whoever has the
 * sum sees by its length how much it is of. */
#ifndef XEND_PASSING_H
#define XEND_PASSING_H

#include <errno.h>
#include <limits.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include "_sum.h"

/* One at a time, as all in this module. */
static int xend_passing_fd = -1;
static xend_sum xend_passing;

static void xend_passes(int fd, const void *data, size_t size)
{
    if (fd == xend_passing_fd)
        xend_sum_add(&xend_passing, data, size);
}

/* 0: all of it was read; -1: errno says why not, 0 that there was no more. */
int read_exact(int fd, void *data, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t count = read(fd, (char *)data + done, size - done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count == 0)
            errno = 0;
        if (count <= 0)
            return -1;
        done += count;
    }
    xend_passes(fd, data, size);
    return 0;
}

static int xend_write_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t count = write(fd, data, size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return -1;
        data += count;
        size -= count;
    }
    return 0;
}

/* 0: all of it was written; -1: errno says why not. */
int write_exact(int fd, const void *data, size_t size)
{
    if (xend_write_all(fd, data, size))
        return -1;
    xend_passes(fd, data, size);
    return 0;
}

/* As write_exact, of parts. */
int writev_exact(int fd, const struct iovec *parts, int count)
{
    int at = 0;

    while (at < count) {
        size_t left;
        ssize_t done;
        if (!parts[at].iov_len) {
            at++;
            continue;
        }
        done = writev(fd, parts + at, count - at < IOV_MAX ? count - at : IOV_MAX);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return -1;
        for (left = done; at < count && left >= parts[at].iov_len; at++)
            left -= parts[at].iov_len;
        if (left) {
            if (xend_write_all(fd, (const char *)parts[at].iov_base + left, parts[at].iov_len - left))
                return -1;
            at++;
        }
    }
    for (at = 0; at < count; at++)
        xend_passes(fd, parts[at].iov_base, parts[at].iov_len);
    return 0;
}

#endif
