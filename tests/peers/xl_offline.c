/* Lets Debian's own xl judge configurations without a hypervisor: what it asks of one is answered with
 * nothing, and what it reads and prints of a file is its own.
 *
 *   LD_PRELOAD=xl_offline.so /usr/lib/xen-VERSION/bin/xl -N create -q FILE
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#define PHYSINFO_BYTES 112
#define XENVER_PAGESIZE 7

static long handle[512];

void *xc_interface_open(void *logger, void *build_logger, unsigned flags) { return handle; }
int xc_interface_close(void *xch) { return 0; }
int xc_get_max_cpus(void *xch) { return 8; }
int xc_get_max_nodes(void *xch) { return 1; }

int xc_physinfo(void *xch, void *info)
{
    memset(info, 0, PHYSINFO_BYTES);
    return 0;
}

int xc_version(void *xch, int command, void *argument) { return command == XENVER_PAGESIZE ? 4096 : 0; }

void *xs_open(unsigned long flags) { return handle; }
void *xs_daemon_open(void) { return handle; }
void xs_close(void *xsh) {}
int xs_fileno(void *xsh) { return 0; }

void *xs_read(void *xsh, uint32_t tx, const char *path, unsigned *length)
{
    errno = ENOENT;
    return NULL;
}

void *xs_directory(void *xsh, uint32_t tx, const char *path, unsigned *count)
{
    errno = ENOENT;
    return NULL;
}

int libxl_domain_need_memory(void *context, void *config, uint32_t domid, uint64_t *need_kib)
{
    *need_kib = 1;
    return 0;
}

int libxl_get_free_memory(void *context, uint64_t *free_kib)
{
    *free_kib = 1 << 30;
    return 0;
}

int libxl_get_physinfo(void *context, void *info)
{
    memset(info, 0, sizeof(uint32_t));
    return 0;
}
