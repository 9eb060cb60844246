#ifndef BARE_NET_H
#define BARE_NET_H

#include "xenbus.h"

/* Interfaces, as NetBSD's xennet(4) speaks with their backends: xen/include/public/io/netif.h. */
extern const struct driver xennet;

/* The address of interface 0, as text; interface N has the Nth after it.  Without one nothing is answered. */
void set_address(const char *text);

#endif
