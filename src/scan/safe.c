#include "safe.h"

/* The code point that s begins with, and its length; a byte that is not UTF-8 gives
 * 0x110000 + it. */
static uint32_t next_char(struct str s, size_t *n)
{
    const unsigned char *p = (const unsigned char *)s.p;
    *n = str_utf8_next(s);
    switch (*n) {
    case 1: return p[0];
    case 2: return (p[0] & 31u) << 6 | (p[1] & 63u);
    case 3: return (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
    case 4: return (p[0] & 7u) << 18 | (p[1] & 63u) << 12 | (p[2] & 63u) << 6 | (p[3] & 63u);
    default: *n = 1; return 0x110000u + p[0];
    }
}

/* Controls (C0, DEL, C1), marks of direction (UAX #9), separators of lines, tags, not UTF-8. */
static bool harmful(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xe0000 && c < 0xe0080) || c >= 0x110000;
}

static void escaped(char out[12], uint32_t c)
{
    if (c >= 0x110000)
        snprintf(out, 12, "\\x%02x", (unsigned)(c - 0x110000));
    else if (c < 0x100)
        snprintf(out, 12, "\\x%02x", (unsigned)c);
    else
        snprintf(out, 12, "\\u%04x", (unsigned)c);
}

void safe_text(struct buf *b, struct str s)
{
    for (size_t i = 0, n; i < s.n; i += n) {
        uint32_t c = next_char(str_skip(s, i), &n);
        char e[12];
        if (harmful(c)) {
            escaped(e, c);
            buf_c(b, e);
        } else {
            buf_add(b, s.p + i, n);
        }
    }
}

static size_t width_of(uint32_t c)
{
    char e[12];
    if (!harmful(c))
        return 1;
    escaped(e, c);
    return strlen(e);
}

size_t safe_width(struct str s)
{
    size_t w = 0;
    for (size_t i = 0, n; i < s.n; i += n)
        w += width_of(next_char(str_skip(s, i), &n));
    return w;
}

void safe_cell(struct buf *b, struct str s, size_t width)
{
    size_t w = 0, i = 0, n;
    bool cut = safe_width(s) > width;
    size_t room = cut && width > 0 ? width - 1 : width;
    for (; i < s.n; i += n) {
        uint32_t c = next_char(str_skip(s, i), &n);
        if (w + width_of(c) > room)
            break;
        w += width_of(c);
        safe_text(b, str_take(str_skip(s, i), n));
    }
    if (cut && width > 0) {
        buf_c(b, "\u2026");
        w++;
    }
    for (; w < width; w++)
        buf_char(b, ' ');
}

/* OWASP, "CSV Injection": a cell that begins with one of these is a formula to a spreadsheet. */
void safe_csv(struct buf *b, struct str s)
{
    buf_char(b, '"');
    if (s.n > 0 && strchr("=+-@\t\r\n|%", s.p[0]) != NULL)
        buf_char(b, '\'');
    struct buf t = BUF_INIT(s.n * 6 + 16);
    safe_text(&t, s);
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] == '"')
            buf_char(b, '"');
        buf_char(b, t.p[i]);
    }
    buf_clear(&t);
    buf_char(b, '"');
}

void safe_html(struct buf *b, struct str s)
{
    struct buf t = BUF_INIT(s.n * 6 + 16);
    safe_text(&t, s);
    for (size_t i = 0; i < t.n; i++) {
        switch (t.p[i]) {
        case '<': buf_c(b, "&lt;"); break;
        case '>': buf_c(b, "&gt;"); break;
        case '&': buf_c(b, "&amp;"); break;
        case '"': buf_c(b, "&quot;"); break;
        case '\'': buf_c(b, "&#39;"); break;
        default: buf_char(b, t.p[i]); break;
        }
    }
    buf_clear(&t);
}

static void json_escape(struct buf *b, uint32_t c)
{
    if (c >= 0x10000)
        buf_fmt(b, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((c - 0x10000) >> 10)),
                (unsigned)(0xdc00 + ((c - 0x10000) & 0x3ff)));
    else
        buf_fmt(b, "\\u%04x", (unsigned)c);
}

void safe_json_line(struct buf *b, struct str json)
{
    for (size_t i = 0, n; i < json.n; i += n) {
        uint32_t c = next_char(str_skip(json, i), &n);
        if (c >= 0x7f && c < 0x110000 && harmful(c))
            json_escape(b, c);
        else if (c >= 0x20)
            buf_add(b, json.p + i, n);
    }
}

void safe_json(struct buf *b, struct str s)
{
    if (s.p == NULL) {
        buf_c(b, "null");
        return;
    }
    buf_char(b, '"');
    for (size_t i = 0, n; i < s.n; i += n) {
        uint32_t c = next_char(str_skip(s, i), &n);
        if (c >= 0x110000)
            buf_c(b, "\\ufffd");
        else if (harmful(c))
            json_escape(b, c);
        else if (c == '"' || c == '\\')
            buf_fmt(b, "\\%c", (int)c);
        else
            buf_add(b, s.p + i, n);
    }
    buf_char(b, '"');
}
