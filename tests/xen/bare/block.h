#ifndef BARE_BLOCK_H
#define BARE_BLOCK_H

#include "xenbus.h"

/* Disks, as NetBSD's xbd(4) speaks with their backends: xen/include/public/io/blkif.h. */
extern const struct driver xbd;

/* Writes to each connected disk (sectors 8 to 23) what no round wrote before, and reads it back. */
void verify_disks(uint32_t round);

#endif
