/* Event channels.  There are no interrupts: a handler runs where the program waits. */
#ifndef BARE_EVENTS_H
#define BARE_EVENTS_H

#include <stdint.h>

void notify(uint32_t port);
void notify_store(void);
/* A new port of ours that a domain may bind to. */
uint32_t new_port(uint16_t remote_domid);
/*
 * From now on a port ends waiting, and a handler (0: none) is called with its owner.  It must not ask the store:
 * it may run where an answer of the store is waited for.
 */
void on_event(uint32_t port, void (*handler)(void *), void *owner);
/* Closes a port of `new_port`. */
void close_port(uint32_t port);
/* Until a port fires, or for some milliseconds at most; 0: until one fires. */
void wait_for_events(uint64_t at_most_ms);
/* Calls no handler. */
void sleep_ms(uint64_t duration_ms);

#endif
