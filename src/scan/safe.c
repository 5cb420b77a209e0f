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

struct span {
    uint32_t from, to;
};

static bool within(const struct span *v, size_t n, uint32_t c)
{
    for (size_t i = 0; i < n; i++) {
        if (c >= v[i].from && c <= v[i].to)
            return true;
    }
    return false;
}

/* Controls (C0, DEL, C1), marks of direction (UAX #9), separators of lines, what is not seen at all
 * (fillers, variation selectors, annotations, tags), not UTF-8. */
static bool harmful(uint32_t c)
{
    static const struct span spans[] = {
        {0x7f, 0x9f},     {0xad, 0xad},     {0x34f, 0x34f},   {0x61c, 0x61c},
        {0x115f, 0x1160}, {0x180b, 0x180f}, {0x200b, 0x200f}, {0x2028, 0x202e},
        {0x2060, 0x206f}, {0x3164, 0x3164}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff},
        {0xffa0, 0xffa0}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff}, {0x110000, UINT32_MAX}};
    return c < 0x20 || (c >= 0x7f && within(spans, ARRAY_LEN(spans), c));
}

/* Of East Asian scripts and pictures two columns, of marks that combine none: near enough to keep a
 * table straight. */
static size_t columns_of(uint32_t c)
{
    static const struct span wide[] = {
        {0x1100, 0x115e}, {0x2e80, 0x303e}, {0x3041, 0xa4cf},   {0xac00, 0xd7a3},
        {0xf900, 0xfaff}, {0xfe30, 0xfe6f}, {0xff01, 0xff60},   {0xffe0, 0xffe6},
        {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1faff}, {0x20000, 0x3fffd}};
    static const struct span none[] = {{0x300, 0x36f}, {0x483, 0x489}, {0x20d0, 0x20f0}};
    if (c < 0x300)
        return 1;
    return within(none, ARRAY_LEN(none), c) ? 0 : within(wide, ARRAY_LEN(wide), c) ? 2 : 1;
}

/* How many bytes s begins with that every form leaves as they are, one column each; `also`: those
 * that this form does not. Nearly all text is of such. */
static inline size_t plain(struct str s, const char also[2])
{
    size_t i = 0;
    while (i < s.n && s.p[i] >= 0x20 && s.p[i] < 0x7f && s.p[i] != also[0] && s.p[i] != also[1])
        i++;
    return i;
}

static const char no_more[2] = {0x7f, 0x7f};

static inline size_t add_plain(struct buf *b, struct str s, const char also[2])
{
    size_t n = plain(s, also);
    buf_add(b, s.p, n);
    return n;
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
        n = add_plain(b, str_skip(s, i), no_more);
        if (n > 0)
            continue;
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
        return columns_of(c);
    escaped(e, c);
    return strlen(e);
}

size_t safe_width(struct str s)
{
    size_t w = plain(s, no_more);
    for (size_t i = w, n; i < s.n; i += n)
        w += width_of(next_char(str_skip(s, i), &n));
    return w;
}

void safe_cell(struct buf *b, struct str s, size_t width)
{
    bool cut = safe_width(s) > width;
    size_t room = cut && width > 0 ? width - 1 : width;
    size_t w = add_plain(b, str_take(s, room), no_more), i = w, n;
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

/* OWASP, "CSV Injection": a cell that begins with one of these, or with their full-width forms, is
 * a formula to a spreadsheet; some take blanks away first. */
static bool is_formula(struct str s)
{
    while (str_starts_c(s, " ") || str_starts_c(s, "\u00a0"))
        s = str_skip(s, s.p[0] == ' ' ? 1 : 2);
    return s.n > 0 && (strchr("=+-@\t\r\n|%", s.p[0]) != NULL || str_starts_c(s, "\uff1d") ||
                       str_starts_c(s, "\uff0b") || str_starts_c(s, "\uff0d") ||
                       str_starts_c(s, "\uff20"));
}

void safe_csv(struct buf *b, struct str s)
{
    buf_char(b, '"');
    if (is_formula(s))
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
        n = add_plain(b, str_skip(json, i), no_more);
        if (n > 0)
            continue;
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
        n = add_plain(b, str_skip(s, i), "\"\\");
        if (n > 0)
            continue;
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
