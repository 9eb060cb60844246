/* Nodes of the store: texts and numbers.  A node is a name in a folder; "" is the folder itself. */
#ifndef BARE_STORE_H
#define BARE_STORE_H

#include <stdint.h>

/* False if there is no such node, or none that may be read; a value that is too long is cut. */
int read_text(uint32_t tx_id, const char *folder, const char *name, char *value, uint32_t size);
/* False also if it does not begin with a decimal digit. */
int read_number(const char *folder, const char *name, uint64_t *number);
void write_text(uint32_t tx_id, const char *folder, const char *name, const char *value);
void write_number(uint32_t tx_id, const char *folder, const char *name, uint64_t number);
/* False if that is refused. */
int remove_node(uint32_t tx_id, const char *folder, const char *name);
/* The names in a folder, each with a NUL behind it, and "" after the last one. */
void list(const char *folder, char *names, uint32_t size);

uint32_t begin_transaction(void);
/* False if it has to be done again. */
int commit(uint32_t tx_id);

/* Its events set bit `number`, below ten, of `fired_watches`. */
void watch(const char *folder, const char *name, uint32_t number);
void unwatch(const char *folder, const char *name, uint32_t number);

#endif
