#include "text.h"

uint32_t length(const char *text)
{
    uint32_t size = 0;

    while (text[size])
        size++;
    return size;
}

void copy(void *to, const void *from, uint32_t size)
{
    while (size--)
        ((uint8_t *)to)[size] = ((const uint8_t *)from)[size];
}

void clear(void *at, uint32_t size)
{
    while (size--)
        ((volatile uint8_t *)at)[size] = 0;
}

int differ(const void *left, const void *right, uint32_t size)
{
    while (size--)
        if (((const uint8_t *)left)[size] != ((const uint8_t *)right)[size])
            return 1;
    return 0;
}

int begins_with(const char *text, const char *word)
{
    while (*word && *word == *text)
        word++, text++;
    return !*word && (!*text || *text == ' ');
}

int same(const char *text, const char *other)
{
    uint32_t size = length(text);

    return size == length(other) && !differ(text, other, size);
}

const char *after_first_word(const char *text)
{
    while (*text && *text != ' ')
        text++;
    while (*text == ' ')
        text++;
    return text;
}

/* Divides by ten in pieces that a 32-bit processor can divide by itself; the remainder. */
static uint32_t divide_by_ten(uint64_t *number)
{
    uint64_t quotient = 0;
    uint32_t rest = 0;

    for (int shift = 48; shift >= 0; shift -= 16) {
        uint32_t piece = rest << 16 | (uint16_t)(*number >> shift);

        quotient |= (uint64_t)(piece / 10) << shift;
        rest = piece % 10;
    }
    *number = quotient;
    return rest;
}

const char *decimal(uint64_t number, char room[DIGITS])
{
    char *at = room + DIGITS - 1;

    *at = 0;
    do
        *--at = (char)('0' + divide_by_ten(&number));
    while (number);
    return at;
}

static uint32_t digit_of(char byte)
{
    if (byte >= '0' && byte <= '9')
        return (uint32_t)(byte - '0');
    if (byte >= 'a' && byte <= 'f')
        return (uint32_t)(byte - 'a' + 10);
    return 99;
}

uint64_t number_at(const char **text, uint32_t base)
{
    uint64_t number = 0;

    for (; digit_of(**text) < base; ++*text)
        number = number * base + digit_of(**text);
    return number;
}
