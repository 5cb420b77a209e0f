#include "crc.h"

#include <endian.h>
#include <pthread.h>

/* All three are reflected, start with all bits set and end inverted, so one loop serves them. It
 * takes eight bytes at a time ("slicing by 8", Kounavis and Berry): row k holds what a byte adds
 * when k more bytes follow it. */
struct table {
    uint64_t row[8][256];
};

static struct table ieee, castagnoli, nvme;
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void fill(struct table *t, uint64_t reflected_polynomial)
{
    for (uint64_t i = 0; i < 256; i++) {
        uint64_t v = i;
        for (int bit = 0; bit < 8; bit++)
            v = v >> 1 ^ ((v & 1) != 0 ? reflected_polynomial : 0);
        t->row[0][i] = v;
    }
    for (int k = 1; k < 8; k++)
        for (int i = 0; i < 256; i++)
            t->row[k][i] = t->row[k - 1][i] >> 8 ^ t->row[0][t->row[k - 1][i] & 0xff];
}

static void make_tables(void)
{
    fill(&ieee, 0xedb88320);
    fill(&castagnoli, 0x82f63b78);
    fill(&nvme, UINT64_C(0x9a6c9329ac4bc9b5));
}

static uint64_t update(const struct table *t, uint64_t crc, struct str s)
{
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t v;
        memcpy(&v, s.p + i, 8);
        v = le64toh(v) ^ crc;
        crc = t->row[7][v & 0xff] ^ t->row[6][v >> 8 & 0xff] ^ t->row[5][v >> 16 & 0xff] ^
              t->row[4][v >> 24 & 0xff] ^ t->row[3][v >> 32 & 0xff] ^ t->row[2][v >> 40 & 0xff] ^
              t->row[1][v >> 48 & 0xff] ^ t->row[0][v >> 56];
    }
    for (; i < s.n; i++)
        crc = crc >> 8 ^ t->row[0][(crc ^ (unsigned char)s.p[i]) & 0xff];
    return crc;
}

uint32_t crc32_ieee(uint32_t crc, struct str s)
{
    pthread_once(&tables_once, make_tables);
    return ~(uint32_t)update(&ieee, (uint32_t)~crc, s);
}

uint32_t crc32c(uint32_t crc, struct str s)
{
    pthread_once(&tables_once, make_tables);
    return ~(uint32_t)update(&castagnoli, (uint32_t)~crc, s);
}

uint64_t crc64nvme(uint64_t crc, struct str s)
{
    pthread_once(&tables_once, make_tables);
    return ~update(&nvme, ~crc, s);
}
