#include "json.h"

#include <float.h>
#include <math.h>

struct jw jw_to(struct buf *b)
{
    return (struct jw){.b = b};
}

static uint64_t bit_of(int depth)
{
    return (uint64_t)1 << ((depth - 1) % 64);
}

static size_t word_of(int depth)
{
    return (size_t)(depth - 1) / 64;
}

static bool too_deep(const struct jw *w)
{
    return w->depth > JW_DEPTH_MAX;
}

static bool in_object(const struct jw *w)
{
    return w->depth > 0 && !too_deep(w) && (w->is_obj[word_of(w->depth)] & bit_of(w->depth)) != 0;
}

static void comma(struct jw *w)
{
    if (w->depth == 0 || too_deep(w))
        return;
    uint64_t *word = &w->has_items[word_of(w->depth)], bit = bit_of(w->depth);
    if ((*word & bit) != 0)
        buf_char(w->b, ',');
    *word |= bit;
}

static void before_value(struct jw *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    CHECK(!in_object(w));
    comma(w);
}

static void open_container(struct jw *w, bool object)
{
    before_value(w);
    w->depth++;
    if (too_deep(w)) {
        w->b->over = true;
        return;
    }
    w->has_items[word_of(w->depth)] &= ~bit_of(w->depth);
    if (object)
        w->is_obj[word_of(w->depth)] |= bit_of(w->depth);
    else
        w->is_obj[word_of(w->depth)] &= ~bit_of(w->depth);
    buf_char(w->b, object ? '{' : '[');
}

void jw_obj(struct jw *w)
{
    open_container(w, true);
}

void jw_arr(struct jw *w)
{
    open_container(w, false);
}

void jw_end(struct jw *w)
{
    CHECK(w->depth > 0 && !w->after_key);
    buf_char(w->b, in_object(w) ? '}' : ']');
    w->depth--;
}

/* True if some byte of the word must not be written as it is: a control character, a quote, a
 * backslash, or one above 0x7f. Borrows may mark a clean byte above a marked one, never hide one
 * (the "haszero" idea; false alarms only cost the slow path). */
static bool word_needs_care(uint64_t v)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = UINT64_C(0x8080808080808080);
    uint64_t quote = v ^ (ones * '"'), slash = v ^ (ones * '\\');
    uint64_t hit = (v - ones * 0x20) | (quote - ones) | (slash - ones) | v;
    return (hit & high) != 0;
}

/* The length of the run at the start of s that goes out as it is. */
static size_t clean_run(struct str s)
{
    size_t i = 0;
    for (;;) {
        uint64_t word;
        while (i + sizeof word <= s.n) {
            memcpy(&word, s.p + i, sizeof word);
            if (word_needs_care(word))
                break;
            i += sizeof word;
        }
        if (i == s.n)
            return i;
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == '"' || c == '\\')
            return i;
        size_t len = c < 0x80 ? 1 : str_utf8_next(str_skip(s, i));
        if (len == 0)
            return i;
        i += len;
    }
}

static void escape(struct buf *b, unsigned char c)
{
    static const char digits[] = "0123456789abcdef", shorts[] = "btn?fr"; /* from \b to \r */
    char text[6] = {'\\', (char)c};
    if (c >= 0x80) {
        buf_add(b, "\xef\xbf\xbd", 3); /* U+FFFD for a byte that is not UTF-8 */
    } else if (c >= 0x20) {
        buf_add(b, text, 2);
    } else if (c >= '\b' && c <= '\r' && c != '\v') {
        text[1] = shorts[c - '\b'];
        buf_add(b, text, 2);
    } else {
        memcpy(text, "\\u00", 4);
        text[4] = digits[c >> 4];
        text[5] = digits[c & 15];
        buf_add(b, text, 6);
    }
}

static void quoted(struct buf *b, struct str s)
{
    size_t n = clean_run(s);
    if (n == s.n) { /* nearly always */
        char *to = buf_reserve(b, n + 2);
        if (to == NULL)
            return;
        to[0] = '"';
        if (n > 0)
            memcpy(to + 1, s.p, n);
        to[n + 1] = '"';
        buf_advance(b, n + 2);
        return;
    }
    buf_char(b, '"');
    while (s.n > 0) {
        buf_add(b, s.p, n);
        s = str_skip(s, n);
        if (s.n > 0) {
            escape(b, (unsigned char)s.p[0]);
            s = str_skip(s, 1);
            n = clean_run(s);
        }
    }
    buf_char(b, '"');
}

void jw_key_str(struct jw *w, struct str key)
{
    CHECK((in_object(w) || too_deep(w)) && !w->after_key);
    comma(w);
    quoted(w->b, key);
    buf_char(w->b, ':');
    w->after_key = true;
}

void jw_key(struct jw *w, const char *key)
{
    jw_key_str(w, str_c(key));
}

void jw_raw(struct jw *w, struct str json)
{
    before_value(w);
    buf_str(w->b, json);
}

void jw_str(struct jw *w, struct str s)
{
    if (s.p == NULL) {
        jw_null(w);
        return;
    }
    before_value(w);
    quoted(w->b, s);
}

void jw_c(struct jw *w, const char *c)
{
    jw_str(w, str_c(c));
}

void jw_i64(struct jw *w, int64_t v)
{
    before_value(w);
    buf_i64(w->b, v);
}

void jw_double(struct jw *w, double v)
{
    if (isnan(v) || isinf(v)) {
        jw_c(w, isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity");
        return;
    }
    if (v == 0 && signbit(v)) {
        jw_raw(w, STR("-0.0")); /* "-0" would read back as an integer without a sign */
        return;
    }
    if (fabs(v) < 1e15 && trunc(v) == v) {
        jw_i64(w, (int64_t)v);
        return;
    }
    /* 15 digits always survive the way through a double, and %g drops trailing zeros, so fewer
     * need not be tried; only subnormal numbers carry less. */
    char text[32];
    for (int digits = fabs(v) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (digits == 17 || strtod(text, NULL) == v)
            break;
    }
    jw_raw(w, str_c(text));
}

void jw_bool(struct jw *w, bool v)
{
    jw_raw(w, v ? STR("true") : STR("false"));
}

void jw_null(struct jw *w)
{
    jw_raw(w, STR("null"));
}

void jw_value(struct jw *w, const struct jv *v)
{
    switch (v == NULL ? JV_NULL : v->type) {
    case JV_NULL:
        jw_null(w);
        break;
    case JV_BOOL:
        jw_bool(w, v->b);
        break;
    case JV_INT:
        jw_i64(w, v->i);
        break;
    case JV_NUM:
        jw_double(w, v->d);
        break;
    case JV_STR:
        jw_str(w, v->s);
        break;
    case JV_ARR:
        jw_arr(w);
        for (size_t i = 0; i < v->arr.n && buf_ok(w->b); i++)
            jw_value(w, &v->arr.v[i]);
        jw_end(w);
        break;
    case JV_OBJ:
        jw_obj(w);
        for (size_t i = 0; i < v->obj.n && buf_ok(w->b); i++) {
            jw_key_str(w, v->obj.v[i].key);
            jw_value(w, &v->obj.v[i].value);
        }
        jw_end(w);
        break;
    }
}

struct str jv_text(struct arena *a, const struct jv *v)
{
    struct buf b = BUF_INIT(JV_TEXT_MAX);
    struct jw w = jw_to(&b);
    jw_value(&w, v);
    struct str out = buf_ok(&b) ? arena_str(a, buf_view(&b)) : STR_NONE;
    buf_clear(&b);
    return out;
}

void jw_ks(struct jw *w, const char *key, struct str s)
{
    jw_key(w, key);
    jw_str(w, s);
}

void jw_kc(struct jw *w, const char *key, const char *c)
{
    jw_key(w, key);
    jw_c(w, c);
}

void jw_ki(struct jw *w, const char *key, int64_t v)
{
    jw_key(w, key);
    jw_i64(w, v);
}

void jw_kb(struct jw *w, const char *key, bool v)
{
    jw_key(w, key);
    jw_bool(w, v);
}
