#include "xenbus.h"
#include "block.h"
#include "console.h"
#include "net.h"
#include "store.h"
#include "text.h"

static const struct driver *const drivers[] = {&xbd, &xennet};
static struct frontend frontends[FRONTENDS];

static int is_known(const char *path)
{
    for (uint32_t slot = 0; slot < FRONTENDS; slot++)
        if (frontends[slot].driver && same(frontends[slot].path, path))
            return 1;
    return 0;
}

static struct frontend *unused(void)
{
    for (uint32_t slot = 0; slot < FRONTENDS; slot++)
        if (!frontends[slot].driver)
            return &frontends[slot];
    return 0;
}

static void attach(const struct driver *driver, const char *path, const char *devid)
{
    struct frontend *frontend = unused();
    uint64_t state, domid;

    if (!frontend || !read_number(path, "state", &state) || state != INITIALISING)
        return;
    if (!read_number(path, "backend-id", &domid) ||
        !read_text(0, path, "backend", frontend->backend, sizeof frontend->backend))
        return;
    frontend->backend_domid = (uint16_t)domid;
    frontend->devid = (uint32_t)number_at(&devid, 10);
    copy(frontend->path, path, length(path) + 1);
    if (!driver->attach(frontend))
        return;
    frontend->driver = driver;
    watch(frontend->backend, "state", (uint32_t)(frontend - frontends));
}

static void find_frontends_of(const struct driver *driver)
{
    char folder[16] = "device/", devids[256], path[sizeof frontends->path];
    uint32_t size;

    copy(folder + 7, driver->type, length(driver->type) + 1);
    list(folder, devids, sizeof devids);
    for (const char *devid = devids; *devid; devid += length(devid) + 1) {
        size = length(folder);
        copy(path, folder, size);
        path[size++] = '/';
        if (size + length(devid) >= sizeof path)
            continue;
        copy(path + size, devid, length(devid) + 1);
        if (!is_known(path))
            attach(driver, path, devid);
    }
}

void find_frontends(void)
{
    for (uint32_t at = 0; at < sizeof drivers / sizeof *drivers; at++)
        find_frontends_of(drivers[at]);
}

static void look_at_backend(struct frontend *frontend)
{
    uint64_t state;

    if (!read_number(frontend->backend, "state", &state))
        state = CLOSED;
    if (state != CLOSED) {
        frontend->driver->backend_changed(frontend, (uint32_t)state);
        return;
    }
    frontend->driver->detach(frontend);
    unwatch(frontend->backend, "state", (uint32_t)(frontend - frontends));
    switch_state(frontend, CLOSED);
    say_text("bare: detached", frontend->path);
    frontend->driver = 0;
}

void look_at_backends(uint32_t fired)
{
    for (uint32_t slot = 0; slot < FRONTENDS; slot++)
        if (fired & 1u << slot && frontends[slot].driver)
            look_at_backend(&frontends[slot]);
}

void switch_state(struct frontend *frontend, uint32_t state)
{
    uint64_t current;

    if (read_number(frontend->path, "state", &current) && current != state)
        write_number(0, frontend->path, "state", state);
}

void close_frontends(void)
{
    for (uint32_t slot = 0; slot < FRONTENDS; slot++)
        if (frontends[slot].driver)
            switch_state(&frontends[slot], CLOSING);
}
