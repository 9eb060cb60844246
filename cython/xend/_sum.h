/* The checksum of a saved domain: XXH64 with the seed 0, as xxHash's specification has it, which costs little beside
 * copying the bytes.  x86 alone has domains here: words are little-endian. */
#ifndef XEND_SUM_H
#define XEND_SUM_H

#include <stdint.h>
#include <string.h>

#define XEND_SUM_STRIPE 32
#define XEND_PRIME_1 UINT64_C(11400714785074694791)
#define XEND_PRIME_2 UINT64_C(14029467366897019727)
#define XEND_PRIME_3 UINT64_C(1609587929392839161)
#define XEND_PRIME_4 UINT64_C(9650029242287828579)
#define XEND_PRIME_5 UINT64_C(2870177450012600261)

/* Plain bytes, as it goes from one process to another. */
typedef struct {
    uint64_t length;
    uint64_t lanes[4];
    unsigned char rest[XEND_SUM_STRIPE]; /* length % XEND_SUM_STRIPE bytes that are no stripe yet */
} xend_sum;

static inline uint64_t xend_sum_rotated(uint64_t word, int bits)
{
    return word << bits | word >> (64 - bits);
}

static inline uint64_t xend_sum_word(const unsigned char *data)
{
    uint64_t word;

    memcpy(&word, data, sizeof(word));
    return word;
}

static inline uint64_t xend_sum_round(uint64_t lane, uint64_t word)
{
    return xend_sum_rotated(lane + word * XEND_PRIME_2, 31) * XEND_PRIME_1;
}

static inline void xend_sum_begin(xend_sum *sum)
{
    memset(sum, 0, sizeof(*sum));
    sum->lanes[0] = XEND_PRIME_1 + XEND_PRIME_2;
    sum->lanes[1] = XEND_PRIME_2;
    sum->lanes[3] = -XEND_PRIME_1;
}

static void xend_sum_stripes(xend_sum *sum, const unsigned char *data, size_t count)
{
    /* Not in the array, as they then stay in registers. */
    uint64_t a = sum->lanes[0], b = sum->lanes[1], c = sum->lanes[2], d = sum->lanes[3];

#pragma GCC unroll 4
    for (; count; count--, data += XEND_SUM_STRIPE) {
        a = xend_sum_round(a, xend_sum_word(data));
        b = xend_sum_round(b, xend_sum_word(data + 8));
        c = xend_sum_round(c, xend_sum_word(data + 16));
        d = xend_sum_round(d, xend_sum_word(data + 24));
    }
    sum->lanes[0] = a, sum->lanes[1] = b, sum->lanes[2] = c, sum->lanes[3] = d;
}

/* More bytes. */
static void xend_sum_add(xend_sum *sum, const unsigned char *data, size_t size)
{
    size_t begun = sum->length % XEND_SUM_STRIPE, missing = XEND_SUM_STRIPE - begun;

    sum->length += size;
    if (begun) {
        if (size < missing) {
            memcpy(sum->rest + begun, data, size);
            return;
        }
        memcpy(sum->rest + begun, data, missing);
        xend_sum_stripes(sum, sum->rest, 1);
        data += missing;
        size -= missing;
    }
    xend_sum_stripes(sum, data, size / XEND_SUM_STRIPE);
    memcpy(sum->rest, data + size - size % XEND_SUM_STRIPE, size % XEND_SUM_STRIPE);
}

/* That of all bytes that came. */
static inline uint64_t xend_sum_value(const xend_sum *sum)
{
    const unsigned char *data = sum->rest, *end = data + sum->length % XEND_SUM_STRIPE;
    const uint64_t *lanes = sum->lanes;
    uint64_t value = XEND_PRIME_5;
    uint32_t half;

    if (sum->length >= XEND_SUM_STRIPE) {
        value = xend_sum_rotated(lanes[0], 1) + xend_sum_rotated(lanes[1], 7) + xend_sum_rotated(lanes[2], 12) +
                xend_sum_rotated(lanes[3], 18);
        for (int lane = 0; lane < 4; lane++)
            value = (value ^ xend_sum_round(0, lanes[lane])) * XEND_PRIME_1 + XEND_PRIME_4;
    }
    value += sum->length;
    for (; end - data >= 8; data += 8)
        value = xend_sum_rotated(value ^ xend_sum_round(0, xend_sum_word(data)), 27) * XEND_PRIME_1 + XEND_PRIME_4;
    if (end - data >= 4) {
        memcpy(&half, data, sizeof(half));
        value = xend_sum_rotated(value ^ half * XEND_PRIME_1, 23) * XEND_PRIME_2 + XEND_PRIME_3;
        data += 4;
    }
    for (; data < end; data++)
        value = xend_sum_rotated(value ^ *data * XEND_PRIME_5, 11) * XEND_PRIME_1;
    value = (value ^ value >> 33) * XEND_PRIME_2;
    value = (value ^ value >> 29) * XEND_PRIME_3;
    return value ^ value >> 32;
}

#endif
