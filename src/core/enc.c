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
    char *p = arena_alloc(a, bytes.n * 2 + 1);
    hex_of(p, bytes);
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

bool dec_hex(struct arena *a, struct str text, struct str *out)
{
    if (text.n % 2 != 0)
        return false;
    char *p = arena_alloc(a, text.n / 2 + 1);
    for (size_t i = 0; i < text.n; i += 2) {
        int hi = hex_value(text.p[i]), lo = hex_value(text.p[i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        p[i / 2] = (char)(hi << 4 | lo);
    }
    *out = (struct str){p, text.n / 2};
    return true;
}

static const char std64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static size_t base64_of(char *to, struct str s, const char *alphabet, bool pad)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t o = 0;
    for (size_t i = 0; i < s.n; i += 3) {
        size_t left = s.n - i;
        uint32_t v = (uint32_t)p[i] << 16;
        if (left > 1)
            v |= (uint32_t)p[i + 1] << 8;
        if (left > 2)
            v |= p[i + 2];
        to[o++] = alphabet[v >> 18];
        to[o++] = alphabet[v >> 12 & 63];
        if (left > 1)
            to[o++] = alphabet[v >> 6 & 63];
        else if (pad)
            to[o++] = '=';
        if (left > 2)
            to[o++] = alphabet[v & 63];
        else if (pad)
            to[o++] = '=';
    }
    return o;
}

struct str enc_base64(struct arena *a, struct str bytes)
{
    char *p = arena_alloc(a, (bytes.n + 2) / 3 * 4 + 1);
    return (struct str){p, base64_of(p, bytes, std64, true)};
}

void enc_base64_into(struct buf *b, struct str bytes)
{
    char *p = buf_reserve(b, (bytes.n + 2) / 3 * 4);
    if (p != NULL)
        buf_advance(b, base64_of(p, bytes, std64, true));
}

struct str enc_base64url(struct arena *a, struct str bytes)
{
    char *p = arena_alloc(a, (bytes.n + 2) / 3 * 4 + 1);
    return (struct str){p, base64_of(p, bytes, url64, false)};
}

static bool base64_decode(struct arena *a, struct str text, const char *alphabet, struct str *out)
{
    signed char value[256];
    memset(value, -1, sizeof value);
    for (int i = 0; i < 64; i++)
        value[(unsigned char)alphabet[i]] = (signed char)i;
    if (text.n % 4 == 1)
        return false;
    char *p = arena_alloc(a, text.n / 4 * 3 + 3);
    uint32_t v = 0;
    size_t o = 0;
    int bits = 0;
    for (size_t i = 0; i < text.n; i++) {
        int d = value[(unsigned char)text.p[i]];
        if (d < 0)
            return false;
        v = v << 6 | (uint32_t)d;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            p[o++] = (char)(v >> bits & 0xff);
        }
    }
    if ((v & ((1u << bits) - 1)) != 0) /* bits that no encoder leaves */
        return false;
    *out = (struct str){p, o};
    return true;
}

bool dec_base64(struct arena *a, struct str text, struct str *out)
{
    if (text.n % 4 != 0)
        return false;
    for (int pad = 0; pad < 2 && text.n > 0 && text.p[text.n - 1] == '='; pad++)
        text.n--;
    return base64_decode(a, text, std64, out);
}

bool dec_base64url(struct arena *a, struct str text, struct str *out)
{
    for (int pad = 0; pad < 2 && text.n > 0 && text.p[text.n - 1] == '='; pad++)
        text.n--;
    return base64_decode(a, text, url64, out);
}

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

void enc_uri_into(struct buf *b, struct str s, bool keep_slash)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (is_unreserved(c) || (keep_slash && c == '/')) {
            buf_char(b, c);
        } else {
            char esc[3] = {'%', digits[(unsigned char)c >> 4], digits[(unsigned char)c & 15]};
            buf_add(b, esc, 3);
        }
    }
}

struct str enc_uri(struct arena *a, struct str s, bool keep_slash)
{
    struct buf b = BUF_INIT(s.n * 3 + 1);
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
    char *p = arena_alloc(a, s.n + 1);
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
    *out = (struct str){p, o};
    return true;
}
