/* buf.h: a growing byte buffer with a maximum.
 *
 * Appends never fail one by one: passing the maximum sets a sticky mark and later appends do
 * nothing. Check once, at the end, with buf_check() or buf_ok(). Heap memory; clear it, or let
 * CLEANUP(buf_clear) do so. Thread rule: one thread at a time. */
#ifndef WARD_CORE_BUF_H
#define WARD_CORE_BUF_H

#include "str.h"

#include <stdarg.h>

struct buf {
    char *p;
    size_t n, cap, max;
    bool over;
};

#define BUF_INIT(max_bytes) {.p = NULL, .n = 0, .cap = 0, .max = (max_bytes), .over = false}

void buf_init(struct buf *b, size_t max);
void buf_clear(struct buf *b); /* frees; the maximum stays, so it can be used again */
void buf_reset(struct buf *b); /* empties, keeps the memory */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, struct str s);
void buf_c(struct buf *b, const char *c);
void buf_char(struct buf *b, char c);
void buf_i64(struct buf *b, int64_t v);
void buf_fmt(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vfmt(struct buf *b, const char *fmt, va_list ap);
void buf_truncate(struct buf *b, size_t n); /* n <= b->n */

/* Room for n more bytes at b->p + b->n (count them with buf_advance); NULL when over. */
char *buf_reserve(struct buf *b, size_t n);
void buf_advance(struct buf *b, size_t n);

/* Big-endian integers, for keys whose byte order is their order. */
void buf_u16(struct buf *b, uint16_t v);
void buf_u32(struct buf *b, uint32_t v);
void buf_u64(struct buf *b, uint64_t v);

struct str buf_view(const struct buf *b); /* valid until the next append */
bool buf_ok(const struct buf *b);
struct err *buf_check(const struct buf *b) MUST_CHECK;

#endif
