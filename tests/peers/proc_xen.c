/*
 * Preloaded into other people's scripts and all that they start: what they look for below /proc/xen is there, in the
 * directory $PROC_XEN.  Nothing can be mounted at a place in /proc that the kernel does not have.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLACE "/proc/xen/"
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Where a path leads; the answer may be `buffer`. */
static const char *elsewhere(const char *path, char buffer[PATH_MAX])
{
    const char *directory = getenv("PROC_XEN");

    if (path == NULL || directory == NULL || strncmp(path, PLACE, strlen(PLACE)) != 0)
        return path;
    snprintf(buffer, PATH_MAX, "%s/%s", directory, path + strlen(PLACE));
    return buffer;
}

int stat(const char *path, struct stat *status)
{
    char buffer[PATH_MAX];

    return NEXT(stat)(elsewhere(path, buffer), status);
}

int stat64(const char *path, struct stat64 *status)
{
    char buffer[PATH_MAX];

    return NEXT(stat64)(elsewhere(path, buffer), status);
}

int faccessat(int directory, const char *path, int mode, int flags)
{
    char buffer[PATH_MAX];

    return NEXT(faccessat)(directory, elsewhere(path, buffer), mode, flags);
}

int openat(int directory, const char *path, int flags, ...)
{
    char buffer[PATH_MAX];
    va_list more;
    mode_t mode;

    va_start(more, flags);
    mode = va_arg(more, mode_t);
    va_end(more);
    return NEXT(openat)(directory, elsewhere(path, buffer), flags, mode);
}
