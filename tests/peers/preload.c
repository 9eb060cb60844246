/*
 * Preloaded into Debian's xenstored and oxenstored so that they run on a machine without Xen.
 *
 * It answers only what the hypervisor would: event channels that never fire, grants that cannot be
 * mapped, and a host with domain 0 alone.  The daemons' sockets, and all that happens between a
 * request and its reply, are untouched.  Interfaces: xenevtchn.h, xengnttab.h, xenctrl.h of Xen 4.17.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PORT 1

static int handle;                      /* what every open call hands out a pointer to */

/* Event channels: one descriptor that never becomes readable. */

static int event_fd(void)
{
    static int fd = -1;

    if (fd < 0)
        fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd;
}

void *xenevtchn_open(void *logger, unsigned int flags) { return &handle; }
void *xenevtchn_fdopen(void *logger, int fd, unsigned int flags) { return &handle; }
int xenevtchn_close(void *xce) { return 0; }
int xenevtchn_fd(void *xce) { return event_fd(); }
int xenevtchn_notify(void *xce, uint32_t port) { return 0; }
int xenevtchn_bind_interdomain(void *xce, uint32_t domid, uint32_t port) { return PORT; }
int xenevtchn_bind_unbound_port(void *xce, uint32_t domid) { return PORT; }
int xenevtchn_bind_virq(void *xce, unsigned int virq) { return PORT; }
int xenevtchn_unbind(void *xce, uint32_t port) { return 0; }
int xenevtchn_unmask(void *xce, uint32_t port) { return 0; }

int xenevtchn_pending(void *xce)
{
    errno = EAGAIN;
    return -1;
}

/* Grants: none can be mapped. */

void *xengnttab_open(void *logger, unsigned int flags) { return &handle; }
int xengnttab_close(void *xgt) { return 0; }
int xengnttab_set_max_grants(void *xgt, uint32_t count) { return 0; }
int xengnttab_unmap(void *xgt, void *start, uint32_t count) { return 0; }

void *xengnttab_map_grant_ref(void *xgt, uint32_t domid, uint32_t ref, int prot)
{
    errno = ENOSYS;
    return NULL;
}

/* Domains: number 0 only.  The first 16 bytes of xc_dominfo_t are domid, ssidref, state bits, ... */

void *xc_interface_open(void *logger, void *dombuild_logger, unsigned int flags) { return &handle; }
int xc_interface_close(void *xch) { return 0; }

int xc_domain_getinfo(void *xch, uint32_t first, unsigned int max, void *info)
{
    if (first != 0 || max < 1)
        return 0;
    memset(info, 0, 16);
    return 1;
}

/* Dom0's own ring, which Linux offers as two files under /proc/xen. */

static int ends_with(const char *path, const char *end)
{
    size_t length = strlen(path), tail = strlen(end);

    return length >= tail && strcmp(path + length - tail, end) == 0;
}

static int memory_file(const char *content, size_t size)
{
    int fd = memfd_create("xsd", MFD_CLOEXEC);

    if (fd < 0)
        return -1;
    if (ftruncate(fd, size) < 0 || pwrite(fd, content, strlen(content), 0) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    mode_t mode = 0;

    if (ends_with(path, "/xsd_port"))
        return memory_file("1\n", 2);
    if (ends_with(path, "/xsd_kva"))
        return memory_file("", 4096);
    if (flags & (O_CREAT | __O_TMPFILE)) {
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        va_end(rest);
    }
    return openat(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

/* oxenstored insists on raising its limit of open files, which needs a privilege in a container. */

int setrlimit(__rlimit_resource_t resource, const struct rlimit *wanted)
{
    struct rlimit own;
    int result = prlimit(0, resource, wanted, NULL);

    if (result == 0 || resource != RLIMIT_NOFILE || errno != EPERM)
        return result;
    if (getrlimit(resource, &own) < 0)
        return -1;
    own.rlim_cur = own.rlim_max;
    return prlimit(0, resource, &own, NULL);
}
