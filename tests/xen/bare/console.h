/* Lines for people, and for tests, on the console. */
#ifndef BARE_CONSOLE_H
#define BARE_CONSOLE_H

#include <stdint.h>

/* On a ring as io/console.h describes it. */
void open_console(void *page, uint32_t port);
void say(const char *text);
void say_text(const char *text, const char *more);
void say_number(const char *text, uint64_t number);

#endif
