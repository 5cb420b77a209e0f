#include "buf.h"

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf)BUF_INIT(max);
}

void buf_clear(struct buf *b)
{
    free(b->p);
    *b = (struct buf)BUF_INIT(b->max);
}

void buf_reset(struct buf *b)
{
    b->n = 0;
    b->over = false;
}

/* One byte more than the capacity is allocated: for vsnprintf's NUL, and so that even an empty
 * reservation has an address. */
static void grow(struct buf *b, size_t need)
{
    size_t cap = b->cap < 128 ? 256 : b->cap * 2;
    if (cap < need)
        cap = need;
    if (cap > b->max)
        cap = b->max;
    char *p = realloc(b->p, cap + 1);
    CHECK(p != NULL);
    b->p = p;
    b->cap = cap;
}

char *buf_reserve(struct buf *b, size_t n)
{
    if (b->over || n > b->max - b->n) {
        b->over = true;
        return NULL;
    }
    if (n > b->cap - b->n || b->p == NULL)
        grow(b, b->n + n);
    return b->p + b->n;
}

void buf_advance(struct buf *b, size_t n)
{
    CHECK(n <= b->cap - b->n);
    b->n += n;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
    if (n == 0)
        return;
    char *to = buf_reserve(b, n);
    if (to == NULL)
        return;
    memcpy(to, p, n);
    b->n += n;
}

void buf_str(struct buf *b, struct str s)
{
    buf_add(b, s.p, s.n);
}

void buf_c(struct buf *b, const char *c)
{
    buf_add(b, c, strlen(c));
}

void buf_char(struct buf *b, char c)
{
    if (b->n < b->cap && !b->over)
        b->p[b->n++] = c;
    else
        buf_add(b, &c, 1);
}

void buf_i64(struct buf *b, int64_t v)
{
    char text[24];
    size_t i = sizeof text;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        text[--i] = (char)('0' + u % 10);
        u /= 10;
    } while (u > 0);
    if (v < 0)
        text[--i] = '-';
    buf_add(b, text + i, sizeof text - i);
}

void buf_vfmt(struct buf *b, const char *fmt, va_list ap)
{
    if (b->over)
        return;
    va_list again;
    va_copy(again, ap);
    /* Most often the room that is there will do. */
    size_t room = b->p == NULL ? 0 : b->cap - b->n + 1;
    int n = vsnprintf(room == 0 ? NULL : b->p + b->n, room, fmt, ap);
    CHECK(n >= 0);
    if ((size_t)n < room) {
        b->n += (size_t)n;
    } else if (buf_reserve(b, (size_t)n) != NULL) {
        vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

void buf_fmt(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vfmt(b, fmt, ap);
    va_end(ap);
}

void buf_truncate(struct buf *b, size_t n)
{
    CHECK(n <= b->n);
    b->n = n;
}

static void big_endian(struct buf *b, uint64_t v, size_t bytes)
{
    unsigned char out[8];
    for (size_t i = 0; i < bytes; i++)
        out[i] = (unsigned char)(v >> (8 * (bytes - 1 - i)));
    buf_add(b, out, bytes);
}

void buf_u16(struct buf *b, uint16_t v)
{
    big_endian(b, v, 2);
}

void buf_u32(struct buf *b, uint32_t v)
{
    big_endian(b, v, 4);
}

void buf_u64(struct buf *b, uint64_t v)
{
    big_endian(b, v, 8);
}

struct str buf_view(const struct buf *b)
{
    return (struct str){b->p == NULL ? "" : b->p, b->n};
}

bool buf_ok(const struct buf *b)
{
    return !b->over;
}

struct err *buf_check(const struct buf *b)
{
    return b->over ? err_new(ERR_LIMIT, "The result is larger than %zu bytes.", b->max) : NULL;
}
