/* record_int.h: shared by record.c (walking), value.c (values at paths) and path.c. */
#ifndef WARD_SCAN_RECORD_INT_H
#define WARD_SCAN_RECORD_INT_H

#include "record.h"

static inline bool blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline void trim(const char *p, uint32_t *from, uint32_t *to)
{
    while (*from < *to && blank(p[*from]))
        (*from)++;
    while (*from < *to && blank(p[*to - 1]))
        (*to)--;
}

/* What a byte of structure does to the depth. */
static inline int bracket(char c)
{
    static const signed char of[256] = {['{'] = 1, ['['] = 1, ['}'] = -1, [']'] = -1};
    return of[(unsigned char)c];
}

/* Names are told apart by length and the first eight bytes, and then compared. `room`: bytes that
 * may be read from p on. */
static inline uint32_t key_hash(const char *p, size_t n, size_t room)
{
    uint64_t head = 0;
    if (room >= 8) {
        memcpy(&head, p, 8);
    } else {
        for (size_t i = 0; i < n; i++)
            head |= (uint64_t)(unsigned char)p[i] << (8 * i);
    }
    if (n < 8)
        head &= ((uint64_t)1 << (8 * n)) - 1;
    return (uint32_t)(((head ^ n) * 0x9E3779B97F4A7C15ULL) >> 32);
}

/* The index behind the container that opens at at[i]; n + 1: it does not close; n + 2: too deep. */
size_t record_skip(const char *p, const struct split *sp, size_t i);

/* What is wrong with the text of a value that is no container, or NULL. */
const char *record_scalar_fault(const char *p, uint32_t from, uint32_t to);

/* The object whose brace is at split.at[at]: r->fields[from, from + n) are its members, up to the
 * first fault. Valid until the next call; the fields may move then, too. */
const struct object *record_object(struct record *r, uint32_t at);

/* [from, from + n) with its escapes decoded. */
struct str record_decoded(struct record *r, uint32_t from, uint32_t n);

/* The SLOT_ of a top member's name, SLOT_IDENTITY for "userIdentity" itself; -1: none. */
int record_key_slot(struct str key);

#endif
