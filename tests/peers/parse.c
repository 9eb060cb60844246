/* Has the installed libxenguest read a kernel, on no hypervisor: what it says, as the helper sees it.
   parse pv|pvh FILE LARGEST: "STEP ERRNO" of what failed, or "parsed", then lines of "LEVEL TEXT". */

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "_guest.h"

int main(int count, char **words)
{
    static struct xend_log log;
    struct stat status;
    struct xc_dom_image *dom;
    const char *step = "kernel";
    xc_interface *xch;
    unsigned int line;
    void *file;
    int fd;

    if (count != 4 || (fd = open(words[2], O_RDONLY)) < 0 || fstat(fd, &status) < 0)
        return 2;
    file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (xend_open(&log) != NULL)
        return 3;  /* there is a Xen */
    xch = xc_interface_open(&log.logger, &log.logger, XC_OPENFLAG_DUMMY);
    if (xch == NULL || (dom = xc_dom_allocate(xch, "", NULL)) == NULL)
        return 4;
    dom->container_type = strcmp(words[1], "pv") ? XC_DOM_HVM_CONTAINER : XC_DOM_PV_CONTAINER;
    strcpy(dom->xen_caps, "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 ");
    xc_dom_kernel_max_size(dom, strtoul(words[3], NULL, 10));
    errno = 0;
    if (xc_dom_kernel_mem(dom, file, (size_t)status.st_size) == 0) {
        step = "parse";
        errno = 0;
        if (xc_dom_parse_image(dom) == 0)
            step = "parsed";
    }
    printf("%s %d\n", step, errno);
    for (line = log.count > XEND_LINES ? log.count - XEND_LINES : 0; line < log.count; line++)
        printf("%d %s\n", log.levels[line % XEND_LINES], log.lines[line % XEND_LINES]);
    xc_dom_release(dom);
    return 0;
}
