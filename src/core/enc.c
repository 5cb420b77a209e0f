#include "enc.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static void hex_of(char *to, struct str bytes)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.n; i++) {
        unsigned char c = (unsigned char)bytes.p[i];
        to[2 * i] = digits[c >> 4];
        to[2 * i + 1] = digits[c & 15];
    }
}

struct str enc_hex(struct arena *a, struct str bytes)
{
    char *p = arena_alloc_raw(a, bytes.n * 2 + 1);
    hex_of(p, bytes);
    p[bytes.n * 2] = '\0';
    return (struct str){p, bytes.n * 2};
}

void enc_hex_into(struct buf *b, struct str bytes)
{
    char *p = buf_reserve(b, bytes.n * 2);
    if (p == NULL)
        return;
    hex_of(p, bytes);
    buf_advance(b, bytes.n * 2);
}

/* Hashes and signatures have digits in no order that a processor could guess: without branches. */
bool dec_hex_into(struct str text, unsigned char *out)
{
    unsigned bad = 0;
    for (size_t i = 0; i + 1 < text.n; i += 2) {
        unsigned value = 0;
        for (size_t k = 0; k < 2; k++) {
            unsigned c = (unsigned char)text.p[i + k], digit = c - '0', letter = (c | 32) - 'a';
            bad |= (unsigned)(digit > 9) & (unsigned)(letter > 5);
            value = value << 4 | (digit <= 9 ? digit : (letter + 10) & 15);
        }
        out[i / 2] = (unsigned char)value;
    }
    return text.n % 2 == 0 && bad == 0;
}

bool dec_hex(struct arena *a, struct str text, struct str *out)
{
    char *p = arena_alloc_raw(a, text.n / 2 + 1);
    if (!dec_hex_into(text, (unsigned char *)p))
        return false;
    p[text.n / 2] = '\0';
    *out = (struct str){p, text.n / 2};
    return true;
}

static const char std64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static size_t base64_of(char *to, struct str s, const char *alphabet, bool pad)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t o = 0, i = 0;
    for (; s.n - i >= 3; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2];
        to[o++] = alphabet[v >> 18];
        to[o++] = alphabet[v >> 12 & 63];
        to[o++] = alphabet[v >> 6 & 63];
        to[o++] = alphabet[v & 63];
    }
    if (i == s.n)
        return o;
    bool two = s.n - i == 2;
    uint32_t v = (uint32_t)p[i] << 16 | (two ? (uint32_t)p[i + 1] << 8 : 0);
    to[o++] = alphabet[v >> 18];
    to[o++] = alphabet[v >> 12 & 63];
    if (two)
        to[o++] = alphabet[v >> 6 & 63];
    for (int n = two ? 1 : 2; pad && n > 0; n--)
        to[o++] = '=';
    return o;
}

static struct str base64_in_arena(struct arena *a, struct str s, const char *alphabet, bool pad)
{
    char *p = arena_alloc_raw(a, (s.n + 2) / 3 * 4 + 1);
    size_t n = base64_of(p, s, alphabet, pad);
    p[n] = '\0';
    return str_of(p, n);
}

struct str enc_base64(struct arena *a, struct str bytes)
{
    return base64_in_arena(a, bytes, std64, true);
}

void enc_base64_into(struct buf *b, struct str bytes)
{
    char *p = buf_reserve(b, (bytes.n + 2) / 3 * 4);
    if (p != NULL)
        buf_advance(b, base64_of(p, bytes, std64, true));
}

struct str enc_base64url(struct arena *a, struct str bytes)
{
    return base64_in_arena(a, bytes, url64, false);
}

/* For each byte the value it has as a digit, plus one; 0: it is no digit. */
#define LETTERS                                                                                    \
    ['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, \
    25, 26, ['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45,    \
    46, 47, 48, 49, 50, 51, 52, ['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62
static const unsigned char std64_digit[256] = {LETTERS, ['+'] = 63, ['/'] = 64};
static const unsigned char url64_digit[256] = {LETTERS, ['-'] = 63, ['_'] = 64};

/* `text` has no padding any more. */
static bool base64_decode(struct arena *a, struct str text, const unsigned char *digit,
                          struct str *out)
{
    const unsigned char *t = (const unsigned char *)text.p;
    if (text.n % 4 == 1)
        return false;
    char *p = arena_alloc_raw(a, text.n / 4 * 3 + 3);
    size_t o = 0, i = 0;
    for (; text.n - i >= 4; i += 4) {
        uint32_t x = digit[t[i]], y = digit[t[i + 1]], z = digit[t[i + 2]], w = digit[t[i + 3]];
        if (x == 0 || y == 0 || z == 0 || w == 0)
            return false;
        uint32_t v = (x - 1) << 18 | (y - 1) << 12 | (z - 1) << 6 | (w - 1);
        p[o++] = (char)(v >> 16);
        p[o++] = (char)(v >> 8);
        p[o++] = (char)v;
    }
    if (i < text.n) {
        bool three = text.n - i == 3;
        uint32_t x = digit[t[i]], y = digit[t[i + 1]], z = three ? digit[t[i + 2]] : 1;
        if (x == 0 || y == 0 || z == 0)
            return false;
        uint32_t v = (x - 1) << 18 | (y - 1) << 12 | (z - 1) << 6;
        p[o++] = (char)(v >> 16);
        if (three)
            p[o++] = (char)(v >> 8);
        if ((v & (three ? 0xff : 0xffff)) != 0) /* bits that no encoder leaves */
            return false;
    }
    p[o] = '\0';
    *out = str_of(p, o);
    return true;
}

static struct str without_padding(struct str text)
{
    for (int pad = 0; pad < 2 && text.n > 0 && text.p[text.n - 1] == '='; pad++)
        text.n--;
    return text;
}

bool dec_base64(struct arena *a, struct str text, struct str *out)
{
    return text.n % 4 == 0 && base64_decode(a, without_padding(text), std64_digit, out);
}

bool dec_base64url(struct arena *a, struct str text, struct str *out)
{
    struct str digits = without_padding(text);
    if (digits.n < text.n && text.n % 4 != 0)
        return false;
    return base64_decode(a, digits, url64_digit, out);
}

/* 1: unreserved (RFC 3986); 2: the slash. */
static const unsigned char uri_class[256] = {
    ['A'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    ['a'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    ['0'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, ['-'] = 1, ['.'] = 1, ['_'] = 1, ['~'] = 1, ['/'] = 2,
};

/* The length of the run at the start of s that stays as it is. */
static size_t uri_run(struct str s, bool keep_slash)
{
    size_t i = 0;
    for (; i < s.n; i++) {
        unsigned class = uri_class[(unsigned char)s.p[i]];
        if (class == 0 || (class == 2 && !keep_slash))
            break;
    }
    return i;
}

void enc_uri_into(struct buf *b, struct str s, bool keep_slash)
{
    static const char digits[] = "0123456789ABCDEF";
    while (s.n > 0) {
        size_t run = uri_run(s, keep_slash);
        buf_add(b, s.p, run);
        s = str_skip(s, run);
        if (s.n > 0) {
            unsigned char c = (unsigned char)s.p[0];
            s = str_skip(s, 1);
            char esc[3] = {'%', digits[c >> 4], digits[c & 15]};
            buf_add(b, esc, 3);
        }
    }
}

struct str enc_uri(struct arena *a, struct str s, bool keep_slash)
{
    if (uri_run(s, keep_slash) == s.n)
        return arena_str(a, s);
    struct buf b = BUF_INIT(s.n * 3);
    enc_uri_into(&b, s, keep_slash);
    struct str out = arena_str(a, buf_view(&b));
    buf_clear(&b);
    return out;
}

bool dec_uri(struct arena *a, struct str s, bool plus_is_space, struct str *out)
{
    if (str_find_char(s, '%') < 0 && (!plus_is_space || str_find_char(s, '+') < 0)) {
        *out = s;
        return true;
    }
    char *p = arena_alloc_raw(a, s.n + 1);
    size_t o = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '%') {
            if (s.n - i < 3)
                return false;
            int hi = hex_value(s.p[i + 1]), lo = hex_value(s.p[i + 2]);
            if (hi < 0 || lo < 0)
                return false;
            p[o++] = (char)(hi << 4 | lo);
            i += 2;
        } else {
            p[o++] = plus_is_space && s.p[i] == '+' ? ' ' : s.p[i];
        }
    }
    p[o] = '\0';
    *out = (struct str){p, o};
    return true;
}
