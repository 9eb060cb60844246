/*
 * Frontends as NetBSD's xenbus(4) finds, connects and detaches them: a driver attaches a device that is in state 1
 * without waiting for its backend, hears of each of the backend's states, and detaches when that is closed or gone.
 */
#ifndef BARE_XENBUS_H
#define BARE_XENBUS_H

#include <stdint.h>

enum { UNKNOWN, INITIALISING, INIT_WAIT, INITIALISED, CONNECTED, CLOSING, CLOSED };

struct driver;

struct frontend {
    const struct driver *driver; /* 0: this one stands for no device */
    char path[48];
    char backend[64];
    uint16_t backend_domid;
    uint32_t devid;
    void *device; /* the driver's */
};

struct driver {
    const char *type;
    /* Sets `device`; false if it cannot take one more. */
    int (*attach)(struct frontend *frontend);
    void (*backend_changed)(struct frontend *frontend, uint32_t state);
    void (*detach)(struct frontend *frontend);
};

/* As many watches of backends, from 0 on: see `fired_watches`. */
#define FRONTENDS 8

/* Attaches devices that are new. */
void find_frontends(void);
/* The backends whose watches fired are looked at. */
void look_at_backends(uint32_t fired);
/* Writes a frontend's state, if it still has one, and another one. */
void switch_state(struct frontend *frontend, uint32_t state);
/* As the kernel does before its end; waits for nobody. */
void close_frontends(void);

#endif
