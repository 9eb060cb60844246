/*
 * Preloaded into Debian's xenstored and oxenstored so that they run on a machine without Xen (peers.md 1).
 *
 * It answers only what the hypervisor would; the daemons' sockets, and all that happens between a
 * request and its reply, are untouched.  Beside domain 0 there are the domains that the tests make
 * (see ring.py) in the directory $XENSTORED_GUESTS:
 *
 *     N/store.page      domain N exists as long as this file does; it is the page it shares with the daemon
 *     N/shutdown        domain N has shut down
 *     N/store.channel   datagram socket of the guest; a datagram is a notification by the daemon
 *     store.channel     datagram socket of the daemon; a datagram is the number of a port that fired
 *
 * Interfaces: xenevtchn.h, xengnttab.h, xenctrl.h of Xen 4.17.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PORT_OF_VIRQ 1
#define PORT_OF_DOMAIN 16               /* plus the domain's number */
#define PAGE 4096

static int handle;                      /* what every open call hands out a pointer to */

/* The path of a domain's file, or of the daemon's own with domid -1. */

static const char *guest_file(char buffer[PATH_MAX], int domid, const char *name)
{
    const char *guests = getenv("XENSTORED_GUESTS");

    if (domid < 0)
        snprintf(buffer, PATH_MAX, "%s/%s", guests, name);
    else
        snprintf(buffer, PATH_MAX, "%s/%d/%s", guests, domid, name);
    return buffer;
}

static int has_file(int domid, const char *name)
{
    char path[PATH_MAX];

    return access(guest_file(path, domid, name), F_OK) == 0;
}

static int exists(int domid) { return domid == 0 || has_file(domid, "store.page"); }

/* Event channels: all ports arrive on one datagram socket. */

static void set_address(struct sockaddr_un *address, int domid)
{
    char path[PATH_MAX];

    address->sun_family = AF_UNIX;
    snprintf(address->sun_path, sizeof address->sun_path, "%s", guest_file(path, domid, "store.channel"));
}

static int channel_fd = -1;             /* survives exec, as /dev/xen/evtchn of a live update does */

static int channel(void)
{
    struct sockaddr_un own;
    int fd;

    if (channel_fd >= 0)
        return channel_fd;
    channel_fd = fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    set_address(&own, -1);
    unlink(own.sun_path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof own) < 0) {
        perror("preload.c: XENSTORED_GUESTS/store.channel");
        abort();
    }
    return fd;
}

void *xenevtchn_open(void *logger, unsigned int flags) { return &handle; }

void *xenevtchn_fdopen(void *logger, int fd, unsigned int flags)
{
    channel_fd = fd;
    return &handle;
}

int xenevtchn_close(void *xce) { return 0; }
int xenevtchn_fd(void *xce) { return channel(); }
int xenevtchn_bind_interdomain(void *xce, uint32_t domid, uint32_t port) { return PORT_OF_DOMAIN + domid; }
int xenevtchn_bind_unbound_port(void *xce, uint32_t domid) { return PORT_OF_DOMAIN + domid; }
int xenevtchn_bind_virq(void *xce, unsigned int virq) { return PORT_OF_VIRQ; }
int xenevtchn_unbind(void *xce, uint32_t port) { return 0; }
int xenevtchn_unmask(void *xce, uint32_t port) { return 0; }

int xenevtchn_pending(void *xce)
{
    uint32_t port;

    return recv(channel(), &port, sizeof port, 0) == sizeof port ? (int)port : -1;
}

int xenevtchn_notify(void *xce, uint32_t port)
{
    struct sockaddr_un guest;

    set_address(&guest, port - PORT_OF_DOMAIN);
    sendto(channel(), "", 1, MSG_DONTWAIT, (struct sockaddr *)&guest, sizeof guest);
    return 0;                           /* dom0 has no such socket; a full one has notifications enough */
}

/* Pages shared by the guests: by grant (xenstored) or by frame number (oxenstored). */

static void *map_page(int domid)
{
    char path[PATH_MAX];
    int fd = openat(AT_FDCWD, guest_file(path, domid, "store.page"), O_RDWR | O_CLOEXEC);
    void *page;

    if (fd < 0)
        return NULL;
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return page == MAP_FAILED ? NULL : page;
}

void *xengnttab_open(void *logger, unsigned int flags) { return &handle; }
int xengnttab_close(void *xgt) { return 0; }
int xengnttab_set_max_grants(void *xgt, uint32_t count) { return 0; }
void *xengnttab_map_grant_ref(void *xgt, uint32_t domid, uint32_t ref, int prot) { return map_page(domid); }
int xengnttab_unmap(void *xgt, void *start, uint32_t count) { return munmap(start, count * PAGE); }

void *xc_map_foreign_range(void *xch, uint32_t domid, int size, int prot, unsigned long mfn)
{
    return map_page(domid);
}

/* Domains. */

void *xc_interface_open(void *logger, void *dombuild_logger, unsigned int flags) { return &handle; }
int xc_interface_close(void *xch) { return 0; }

/* The start of an xc_dominfo_t: domid, ssidref, state bits (4 is shutdown), shutdown reason. */
int xc_domain_getinfo(void *xch, uint32_t first, unsigned int max, uint32_t *info)
{
    if (max < 1 || !exists(first))
        return 0;
    memset(info, 0, 16);
    info[0] = first;
    info[2] = has_file(first, "shutdown") ? 4 : 0;
    return 1;
}

/* The start of a xen_domctl_getdomaininfo: domid (16 bits), 16 spare, state bits (4 is shutdown), ... */
int xc_domain_getinfolist(void *xch, uint32_t first, unsigned int max, uint32_t *info)
{
    if (max < 1 || !exists(first))
        return 0;
    memset(info, 0, 104);
    info[0] = first;
    info[1] = has_file(first, "shutdown") ? 4 : 0;
    return 1;
}

/* Dom0's own ring, which Linux offers as two files under /proc/xen; the port without the newline that
 * oxenstored could not read. */

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
        return memory_file("1", 1);
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
