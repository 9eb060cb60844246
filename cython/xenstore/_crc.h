/*
 * CRC-32C (Castagnoli), as in iSCSI (RFC 3720, section 12.1): by the processor's instruction where it has one,
 * else eight bytes a step through eight tables.
 */
#ifndef XENSTORE_CRC_H
#define XENSTORE_CRC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static uint32_t crc32c_tables[8][256];

/* The checksum of more bytes; `crc` is that of the bytes before them, 0 to begin with. */
static uint32_t crc32c_by_tables(uint32_t crc, const void *data, size_t size)
{
    const unsigned char *at = data;

    crc = ~crc;
    for (; size >= 8; at += 8, size -= 8) {
        uint32_t low = crc ^ ((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24);

        crc = crc32c_tables[7][low & 255] ^ crc32c_tables[6][low >> 8 & 255] ^
              crc32c_tables[5][low >> 16 & 255] ^ crc32c_tables[4][low >> 24] ^
              crc32c_tables[3][at[4]] ^ crc32c_tables[2][at[5]] ^
              crc32c_tables[1][at[6]] ^ crc32c_tables[0][at[7]];
    }
    for (; size > 0; at++, size--)
        crc = (crc >> 8) ^ crc32c_tables[0][(crc ^ *at) & 255];
    return ~crc;
}

#if defined(__x86_64__) && defined(__GNUC__)
#define CRC32C_HAS_INSTRUCTION __builtin_cpu_supports("sse4.2")

__attribute__((target("sse4.2")))
static uint32_t crc32c_by_instruction(uint32_t crc, const void *data, size_t size)
{
    const unsigned char *at = data;
    uint64_t eight, wide = (uint32_t)~crc;

    for (; size >= 8; at += 8, size -= 8) {
        memcpy(&eight, at, 8);
        wide = __builtin_ia32_crc32di(wide, eight);
    }
    crc = (uint32_t)wide;
    for (; size > 0; at++, size--)
        crc = __builtin_ia32_crc32qi(crc, *at);
    return ~crc;
}
#else
#define CRC32C_HAS_INSTRUCTION 0
#define crc32c_by_instruction crc32c_by_tables
#endif

static int crc32c_has_instruction;

static void crc32c_prepare(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;

        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? (crc >> 1) ^ 0x82f63b78 : crc >> 1;
        crc32c_tables[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int t = 1; t < 8; t++) {
            uint32_t before = crc32c_tables[t - 1][i];

            crc32c_tables[t][i] = (before >> 8) ^ crc32c_tables[0][before & 255];
        }
    crc32c_has_instruction = CRC32C_HAS_INSTRUCTION;
}

static inline uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
    return crc32c_has_instruction ? crc32c_by_instruction(crc, data, size) : crc32c_by_tables(crc, data, size);
}

#endif
