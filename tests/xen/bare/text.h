/* Bytes, words and numbers without a C library. */
#ifndef BARE_TEXT_H
#define BARE_TEXT_H

#include <stdint.h>

uint32_t length(const char *text);
void copy(void *to, const void *from, uint32_t size);
void clear(void *at, uint32_t size);
/* False if two areas hold the same. */
int differ(const void *left, const void *right, uint32_t size);
/* The first of the words of a text, which are parted by blanks, is this one. */
int begins_with(const char *text, const char *word);
/* A text is this one. */
int same(const char *text, const char *other);
/* What follows the first word of a text. */
const char *after_first_word(const char *text);

/* Room for the digits of any number, and its end. */
#define DIGITS 21

/* A number's digits, written into the end of `room`. */
const char *decimal(uint64_t number, char room[DIGITS]);
/* The number that a text begins with; `*text` then is behind it. */
uint64_t number_at(const char **text, uint32_t base);

#endif
