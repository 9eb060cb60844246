/* Lets Debian's own xl save and restore without a hypervisor, after xl_offline.so: its files, and what it makes of
 * ours, are its own; what would need a domain is said on the standard error and done by nobody.
 *
 *   JSON: the configuration of the domain that it is to save.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DOMID 5
#define STREAM "STREAM\n"

int libxl_domain_config_from_json(void *context, void *config, const char *json);

int libxl_domain_qualifier_to_domid(void *context, const char *name, uint32_t *domid)
{
    *domid = DOMID;
    return 0;
}

char *libxl_domid_to_name(void *context, uint32_t domid) { return strdup("guest"); }

int libxl_retrieve_domain_configuration(void *context, uint32_t domid, void *config, const void *how)
{
    return libxl_domain_config_from_json(context, config, getenv("JSON"));
}

int libxl_domain_suspend(void *context, uint32_t domid, int fd, int flags, const void *how)
{
    fprintf(stderr, "saved\n");
    return write(fd, STREAM, sizeof(STREAM) - 1) == sizeof(STREAM) - 1 ? 0 : -3;
}

int libxl_domain_destroy(void *context, uint32_t domid, const void *how)
{
    fprintf(stderr, "destroyed\n");
    return 0;
}

int libxl_domain_create_restore(void *context, void *config, uint32_t *domid, int fd, int back, const void *parameters,
                                const void *how, const void *progress)
{
    char bytes[16] = "";
    ssize_t count = read(fd, bytes, sizeof(bytes) - 1);

    fprintf(stderr, "restored from %zd bytes: %.8s\n", count, bytes);
    *domid = DOMID;
    return 0;
}

int libxl_domain_unpause(void *context, uint32_t domid, const void *how) { return 0; }
int libxl_cpu_bitmap_alloc(void *context, void *bitmap, int cpus) { return 0; }
