#ifndef BARE_SHUTDOWN_H
#define BARE_SHUTDOWN_H

#include <stdint.h>

/*
 * Heeds what control/shutdown asks for, as NetBSD's shutdown_xenbus does: takes the request away, then ends, or says
 * that it ignores it: "suspend" is answered so, and never done.
 */
void heed_shutdown(void);
/* Reads the request and leaves it where it is. */
void ignore_shutdown(void);
void watch_shutdown(uint32_t number);

#endif
