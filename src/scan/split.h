/* split.h: finds the structure of JSON text, 64 bytes at a time.
 *
 * The positions of { } [ ] : , outside strings are written down in order; strings and numbers are
 * what stands between them. The method (a bit for each byte, quotes joined by a running exclusive
 * or) is that of Langdale and Lemire, "Parsing Gigabytes of JSON per Second", 2019. Nothing is
 * validated here. Thread rule: one thread at a time for each struct split. */
#ifndef WARD_SCAN_SPLIT_H
#define WARD_SCAN_SPLIT_H

#include "../core/str.h"

enum { SPLIT_BYTES_MAX = 16 * 1024 * 1024 };

struct split {
    uint32_t *at;    /* positions; at[n] is the text's length */
    size_t n, cap;
    uint64_t *slash; /* bit b: the block of 64 bytes at 64 * b has a backslash */
    size_t slash_cap;
    bool any_slash;
    bool ascii; /* no byte is above 127 */
};

void split_run(struct split *s, const char *p, size_t n); /* n <= SPLIT_BYTES_MAX */
void split_clear(struct split *s);

/* May the bytes [from, to) hold a backslash? */
static inline bool split_slash(const struct split *s, size_t from, size_t to)
{
    if (!s->any_slash || to <= from)
        return false;
    for (size_t b = from / 64; b <= (to - 1) / 64; b++) {
        if ((s->slash[b / 64] >> (b % 64)) & 1)
            return true;
    }
    return false;
}

/* Tests: no road better than this one, though the processor has it. */
enum split_road { SPLIT_PORTABLE, SPLIT_FAST /* AVX2 */, SPLIT_WIDE /* AVX-512 */ };
void split_limit(enum split_road road);

#endif
