#include "store.h"

/* What an overlong key reads as: longer than any store takes, so that every call refuses it, and
 * real memory, so that copying it is harmless. */
static const char overlong[STORE_KEY_MAX + 1];

struct skey skey(void)
{
    struct skey k;
    k.n = 0;
    k.over = false;
    return k;
}

static void add(struct skey *k, const void *p, size_t n)
{
    if (k->over || n > sizeof k->p - k->n) {
        k->over = true;
        return;
    }
    if (n > 0)
        memcpy(k->p + k->n, p, n);
    k->n += n;
}

void key_str(struct skey *k, struct str part)
{
    while (part.n > 0 && !k->over) {
        const char *zero = memchr(part.p, 0, part.n);
        size_t plain = zero != NULL ? (size_t)(zero - part.p) : part.n;
        add(k, part.p, plain);
        part = str_skip(part, plain);
        if (part.n > 0) {
            add(k, "\x00\xff", 2);
            part = str_skip(part, 1);
        }
    }
    add(k, "\x00\x01", 2);
}

void key_c(struct skey *k, const char *part)
{
    key_str(k, str_c(part));
}

void key_u64(struct skey *k, uint64_t v)
{
    unsigned char b[8];
    for (int i = 0; i < 8; i++)
        b[i] = (unsigned char)(v >> (56 - 8 * i));
    add(k, b, sizeof b);
}

void key_u32(struct skey *k, uint32_t v)
{
    unsigned char b[4];
    for (int i = 0; i < 4; i++)
        b[i] = (unsigned char)(v >> (24 - 8 * i));
    add(k, b, sizeof b);
}

void key_tail(struct skey *k, struct str part)
{
    add(k, part.p, part.n);
}

struct str key_of(const struct skey *k)
{
    return k->over ? str_of(overlong, sizeof overlong) : str_of(k->p, k->n);
}

bool key_take_str(struct arena *a, struct str *rest, struct str *out)
{
    char *text = arena_alloc(a, rest->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < rest->n; i++) {
        if (rest->p[i] != '\0') {
            text[n++] = rest->p[i];
            continue;
        }
        if (++i == rest->n)
            return false;
        unsigned char mark = (unsigned char)rest->p[i];
        if (mark == 0xff) {
            text[n++] = '\0';
        } else if (mark == 0x01) {
            text[n] = '\0';
            *out = str_of(text, n);
            *rest = str_skip(*rest, i + 1);
            return true;
        } else {
            return false;
        }
    }
    return false;
}

static bool take_int(struct str *rest, size_t n, uint64_t *out)
{
    if (rest->n < n)
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | (unsigned char)rest->p[i];
    *out = v;
    *rest = str_skip(*rest, n);
    return true;
}

bool key_take_u64(struct str *rest, uint64_t *out)
{
    return take_int(rest, 8, out);
}

bool key_take_u32(struct str *rest, uint32_t *out)
{
    uint64_t v = 0;
    if (!take_int(rest, 4, &v))
        return false;
    *out = (uint32_t)v;
    return true;
}
