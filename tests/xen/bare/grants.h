/* Pages that other domains may use: xen/include/public/grant_table.h, version 1. */
#ifndef BARE_GRANTS_H
#define BARE_GRANTS_H

#include <stdint.h>

enum { READ_WRITE = 0, READ_ONLY = 4 };

/* Once, before the others. */
void open_grants(void);
/* A reference with which a domain may use one of our pages. */
uint32_t grant(uint16_t domid, const void *page, uint16_t access);
/* True when it is taken back; false while the other domain still maps the page. */
int revoke(uint32_t reference);
/* Taken back as soon as the other domain lets it go. */
void revoke_in_time(uint32_t reference);

#endif
