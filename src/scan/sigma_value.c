/* Sigma's values and their modifiers.
 * https://github.com/SigmaHQ/sigma-specification (rules, appendix "modifiers") */
#include <math.h>

#include "../core/enc.h"
#include "sigma_int.h"

enum how { MATCH_EQ, MATCH_CONTAINS, MATCH_START, MATCH_END, MATCH_RE, MATCH_CIDR, MATCH_LT,
           MATCH_LTE, MATCH_GT, MATCH_GTE };

/* What changes a text, in the order in which the modifiers stand. */
enum change { CHANGE_EXPAND, CHANGE_WINDASH, CHANGE_UTF16LE, CHANGE_UTF16BE, CHANGE_UTF16,
              CHANGE_BASE64, CHANGE_BASE64OFFSET };

struct item {
    uint32_t path;
    struct str key;
    enum how how;
    enum change changes[SIGMA_MODIFIERS_MAX];
    size_t n_changes;
    bool all, cased, negate, exists, fieldref, keyword, encoded, time;
    bool re_i, re_m, re_s;
    enum time_unit unit;
};

/* Lists are looked through, so the marks that other tools put behind a list's name say nothing
 * more: a{}.b of Splunk, a[].b of jq, a[*].b of JSONPath. No member of a record ends so. */
uint32_t sigma_path(struct sigma_maker *m, struct str dotted)
{
    static const char *const marks[] = {"{}", "[]", "[*]"};
    struct str rest = dotted;
    uint32_t at = 0;
    while (rest.p != NULL) {
        struct str part = str_cut(&rest, '.');
        for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
            if (str_ends_c(part, marks[i]) && part.n > strlen(marks[i]))
                part = str_take(part, part.n - strlen(marks[i]));
        }
        at = path_key(m->paths, at, part, true);
    }
    return at;
}

/* -- modifiers -- */
static bool is_flag(struct item *it, struct str s)
{
    const struct {
        const char *name;
        bool *on;
    } flags[] = {{"all", &it->all}, {"cased", &it->cased}, {"neq", &it->negate},
                 {"exists", &it->exists}, {"fieldref", &it->fieldref}};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        if (str_is(s, flags[i].name))
            return *flags[i].on = true;
    }
    const struct {
        const char *name;
        bool *on;
    } re[] = {{"i", &it->re_i}, {"ignorecase", &it->re_i}, {"m", &it->re_m},
              {"multiline", &it->re_m}, {"s", &it->re_s}, {"dotall", &it->re_s}};
    for (size_t i = 0; it->how == MATCH_RE && i < ARRAY_LEN(re); i++) {
        if (str_is(s, re[i].name))
            return *re[i].on = true;
    }
    return false;
}

static bool is_change(struct item *it, struct str s)
{
    static const struct {
        const char *name;
        enum change change;
    } changes[] = {{"expand", CHANGE_EXPAND},   {"windash", CHANGE_WINDASH},
                   {"wide", CHANGE_UTF16LE},    {"utf16le", CHANGE_UTF16LE},
                   {"utf16be", CHANGE_UTF16BE}, {"utf16", CHANGE_UTF16},
                   {"base64", CHANGE_BASE64},   {"base64offset", CHANGE_BASE64OFFSET}};
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        if (str_is(s, changes[i].name) && it->n_changes < SIGMA_MODIFIERS_MAX) {
            it->changes[it->n_changes++] = changes[i].change;
            it->encoded = it->encoded || changes[i].change >= CHANGE_UTF16LE;
            return true;
        }
    }
    return false;
}

static bool is_time(struct item *it, struct str s)
{
    static const char *const units[] = {"minute", "hour", "day", "week", "month", "year"};
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (str_is(s, units[i])) {
            it->unit = (enum time_unit)i;
            return it->time = true;
        }
    }
    return false;
}

/* NULL, or what is wrong. */
static const char *modifier(struct item *it, struct str s)
{
    static const struct {
        const char *name;
        enum how how;
    } hows[] = {{"contains", MATCH_CONTAINS}, {"startswith", MATCH_START},
                {"endswith", MATCH_END},      {"re", MATCH_RE},
                {"cidr", MATCH_CIDR},         {"lt", MATCH_LT},
                {"lte", MATCH_LTE},           {"gt", MATCH_GT},
                {"gte", MATCH_GTE}};
    for (size_t i = 0; i < ARRAY_LEN(hows); i++) {
        if (!str_is(s, hows[i].name))
            continue;
        if (it->how != MATCH_EQ)
            return "two modifiers that say how to compare";
        it->how = hows[i].how;
        return NULL;
    }
    return is_flag(it, s) || is_change(it, s) || is_time(it, s)
               ? NULL : "a modifier that is not known";
}

/* Modifiers that make no sense beside each other, or on the field. */
static const char *clash(const struct item *it)
{
    bool numbers = it->how >= MATCH_LT;
    if (it->exists && (it->how != MATCH_EQ || it->n_changes > 0 || it->fieldref || it->time))
        return "exists stands alone";
    if (it->fieldref && (it->how > MATCH_END || it->n_changes > 0 || it->time))
        return "fieldref goes with startswith, endswith, contains, cased, all and neq only";
    if (it->time && ((it->how != MATCH_EQ && !numbers) || it->n_changes > 0))
        return "a part of a time goes with lt, lte, gt, gte, all and neq only";
    if (it->n_changes > 0 && (numbers || (it->encoded && it->how > MATCH_END)))
        return "modifiers of texts beside others that take no text";
    if (it->keyword && (it->exists || it->fieldref || it->time || it->how > MATCH_RE))
        return "keywords are texts that may stand anywhere: name a field for this modifier";
    return NULL;
}

/* -- texts -- */
/* A value as the rule has it, or with no wildcards left to read in it. */
struct text {
    struct str s;
    bool plain;
};

struct texts {
    VEC(struct text) v;
};

static bool escapes(struct str s, size_t i)
{
    return s.p[i] == '\\' && i + 1 < s.n &&
           (s.p[i + 1] == '*' || s.p[i + 1] == '?' || s.p[i + 1] == '\\');
}

/* Has it a '*' or '?' that no backslash takes away? Writes the plain text if not. */
static bool has_wildcard(struct arena *a, struct str s, struct str *plain)
{
    char *out = arena_alloc_raw(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (escapes(s, i))
            i++;
        else if (s.p[i] == '*' || s.p[i] == '?')
            return true;
        out[n++] = s.p[i];
    }
    *plain = str_of(out, n);
    return false;
}

static uint32_t code_point(struct str s, size_t *n)
{
    const unsigned char *p = (const unsigned char *)s.p;
    *n = str_utf8_next(s);
    switch (*n) {
    case 2: return (p[0] & 31u) << 6 | (p[1] & 63u);
    case 3: return (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
    case 4: return (p[0] & 7u) << 18 | (p[1] & 63u) << 12 | (p[2] & 63u) << 6 | (p[3] & 63u);
    default: *n = 1; return p[0];
    }
}

static struct str to_utf16(struct arena *a, struct str s, enum change how)
{
    unsigned char *out = arena_alloc(a, s.n * 2 + 4);
    size_t n = 0;
    bool big = how == CHANGE_UTF16BE;
    if (how == CHANGE_UTF16) {
        out[n++] = 0xff;
        out[n++] = 0xfe;
    }
    for (size_t i = 0, step; i < s.n; i += step) {
        uint32_t c = code_point(str_skip(s, i), &step);
        uint32_t unit[2] = {c, 0};
        if (c >= 0x10000) {
            unit[0] = 0xd800 + ((c - 0x10000) >> 10);
            unit[1] = 0xdc00 + ((c - 0x10000) & 0x3ff);
        }
        for (int k = 0; k < 1 + (c >= 0x10000); k++) {
            out[n++] = (unsigned char)(big ? unit[k] >> 8 : unit[k] & 0xff);
            out[n++] = (unsigned char)(big ? unit[k] & 0xff : unit[k] >> 8);
        }
    }
    return str_of((char *)out, n);
}

/* The three ways that a text can stand within base64, without the characters that its
 * neighbours have a part in. */
static struct str base64_at(struct arena *a, struct str s, size_t offset)
{
    static const size_t skip_front[] = {0, 2, 3};
    static const size_t skip_back[] = {0, 3, 2};
    char *padded = arena_alloc(a, s.n + 3);
    memcpy(padded + offset, s.p, s.n);
    size_t n = s.n + offset;
    struct str e = enc_base64(a, str_of(padded, n));
    size_t front = skip_front[offset], back = skip_back[n % 3];
    return front + back > e.n ? STR("") : str_take(str_skip(e, front), e.n - front - back);
}

static bool word_char(struct str s, size_t i)
{
    unsigned char c = i < s.n ? (unsigned char)s.p[i] : ' ';
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static const char *const dashes[] = {"-", "/", "\u2013", "\u2014", "\u2015"};

/* The length of the dash at s[i] that begins a flag (no word before it, one behind it), or 0. */
static size_t flag_dash(struct str s, size_t i)
{
    for (size_t d = 0; d < ARRAY_LEN(dashes); d++) {
        size_t n = strlen(dashes[d]);
        if (str_starts_c(str_skip(s, i), dashes[d]) && (i == 0 || !word_char(s, i - 1)) &&
            word_char(s, i + n))
            return n;
    }
    return 0;
}

/* Each dash that begins a flag as each of the five. */
static bool windash(struct sigma_maker *m, struct texts *out, struct str s, size_t from, int left)
{
    size_t i = from, n = 0;
    while (i < s.n && (n = flag_dash(s, i)) == 0)
        i++;
    if (n == 0) {
        VEC_PUSH(m->a, &out->v, ((struct text){.s = s}));
        return true;
    }
    if (left == 0)
        return sigma_fail(m, s, "windash takes at most three dashes in a value") != NULL;
    for (size_t d = 0; d < ARRAY_LEN(dashes); d++) {
        struct str x = arena_fmt(m->a, "%.*s%s%.*s", STR_ARG(str_take(s, i)), dashes[d],
                                 STR_ARG(str_skip(s, i + n)));
        if (!windash(m, out, x, i + strlen(dashes[d]), left - 1))
            return false;
    }
    return true;
}

/* The next %name% of which neither mark is escaped: s[*from, *to). */
static bool placeholder(struct str s, size_t *from, size_t *to)
{
    size_t open = SIZE_MAX;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' && i + 1 < s.n) {
            i++;
            continue;
        }
        if (s.p[i] != '%')
            continue;
        if (open != SIZE_MAX && i > open + 1) {
            *from = open;
            *to = i + 1;
            return true;
        }
        open = i;
    }
    return false;
}

static struct str percent_plain(struct arena *a, struct str s)
{
    char *out = arena_alloc_raw(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (!(s.p[i] == '\\' && i + 1 < s.n && s.p[i + 1] == '%'))
            out[n++] = s.p[i];
    }
    return str_of(out, n);
}

static bool expand(struct sigma_maker *m, struct texts *out, struct str s, int depth)
{
    size_t from, to;
    if (!placeholder(s, &from, &to)) {
        VEC_PUSH(m->a, &out->v, ((struct text){.s = percent_plain(m->a, s)}));
        return true;
    }
    struct str name = str_take(str_skip(s, from + 1), to - from - 2);
    const struct jv *v = rules_placeholder(m->src->rs, name);
    if (v == NULL)
        return sigma_fail(m, str_take(str_skip(s, from), to - from),
                          "no values are given for this placeholder (\"placeholders:\" in a file "
                          "named placeholders.yml, or in a document before the rule)") != NULL;
    if (depth > SIGMA_MODIFIERS_MAX || out->v.n > SIGMA_EXPAND_MAX)
        return sigma_fail(m, s, "placeholders expand to too many values") != NULL;
    size_t n = jv_is(v, JV_ARR) ? jv_len(v) : 1;
    for (size_t i = 0; i < n; i++) {
        const struct jv *x = jv_is(v, JV_ARR) ? jv_at(v, i) : v;
        struct str text = jv_is(x, JV_STR) ? x->s : jv_text(m->a, x);
        if (s.n + text.n > SIGMA_TEXT_MAX)
            return sigma_fail(m, name, "a placeholder makes a text of more than 16 KiB") != NULL;
        if (!expand(m, out, arena_fmt(m->a, "%.*s%.*s%.*s", STR_ARG(str_take(s, from)),
                                      STR_ARG(text), STR_ARG(str_skip(s, to))), depth + 1))
            return false;
    }
    return true;
}

static bool encode(struct sigma_maker *m, struct texts *out, const struct text *t, enum change how)
{
    struct str s = t->s;
    if (!t->plain && has_wildcard(m->a, t->s, &s))
        return sigma_fail(m, t->s, "a text with wildcards cannot be encoded") != NULL;
    struct text x = {.plain = true};
    for (size_t offset = 0; offset < (size_t)(how == CHANGE_BASE64OFFSET ? 3 : 1); offset++) {
        x.s = how == CHANGE_BASE64OFFSET ? base64_at(m->a, s, offset)
              : how == CHANGE_BASE64     ? enc_base64(m->a, s)
                                         : to_utf16(m->a, s, how);
        VEC_PUSH(m->a, &out->v, x);
    }
    return true;
}

/* All that one value becomes. */
static bool changed(struct sigma_maker *m, const struct item *it, struct str s, struct texts *out)
{
    struct texts now = {0};
    if (it->n_changes > 0 && s.n > SIGMA_TEXT_MAX)
        return sigma_fail(m, s, "a text of more than 16 KiB is not changed by modifiers") != NULL;
    VEC_PUSH(m->a, &now.v, ((struct text){.s = s}));
    for (size_t c = 0; c < it->n_changes; c++) {
        struct texts next = {0};
        for (size_t i = 0; i < now.v.n; i++) {
            const struct text *t = &now.v.v[i];
            enum change how = it->changes[c];
            bool ok = how == CHANGE_EXPAND    ? expand(m, &next, t->s, 0)
                      : how == CHANGE_WINDASH ? windash(m, &next, t->s, 0, SIGMA_DASHES_MAX)
                                              : encode(m, &next, t, how);
            if (!ok)
                return false;
            if (next.v.n > SIGMA_EXPAND_MAX)
                return sigma_fail(m, s, "modifiers make too many values of this one") != NULL;
        }
        now = next;
    }
    *out = now;
    return true;
}

/* -- tests -- */
/* Public rules look for texts in "requestParameters" as a whole, as a store of logs that keeps it
 * as one text has it. */
static bool may_be_container(const struct paths *ps, uint32_t path)
{
    static const char *const tops[] = {"requestParameters", "responseElements",
                                       "additionalEventData", "serviceEventDetails", "resources",
                                       "insightDetails", "addendum", "tlsDetails"};
    uint32_t top = path;
    while (top != 0 && ps->v[top].parent != 0)
        top = ps->v[top].parent;
    for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
        if (str_is(ps->v[top].key, tops[i]))
            return true;
    }
    return str_is(ps->v[path].text, "userIdentity") ||
           str_starts_c(ps->v[path].text, "userIdentity.sessionContext");
}

static struct test test_of(struct sigma_maker *m, const struct item *it, struct str s)
{
    struct test t = {.path = it->path, .icase = !it->cased && !it->encoded, .loose = true};
    t.whole = !it->keyword && may_be_container(m->paths, it->path);
    t.label = arena_fmt(m->a, "%.*s: %.*s", STR_ARG(it->key), STR_ARG(str_take(s, 120))).p;
    if (it->keyword)
        t.op = OP_KEYWORD;
    else
        t.op = it->how == MATCH_CONTAINS ? OP_CONTAINS : it->how == MATCH_START ? OP_PREFIX
             : it->how == MATCH_END ? OP_SUFFIX : OP_EQ;
    return t;
}

/* The stars of contains, startswith and endswith beside the value's own. */
static void open_ends(struct arena *a, struct wild *w, bool front, bool back)
{
    uint16_t *code = ARENA_ARRAY(a, w->n + 2, uint16_t);
    size_t n = 0;
    if (front)
        code[n++] = WILD_ANY;
    memcpy(code + n, w->code, w->n * sizeof *code);
    n += w->n;
    if (back)
        code[n++] = WILD_ANY;
    w->code = code;
    w->n = n;
    wild_finish(a, w);
}

static struct expr *text_test(struct sigma_maker *m, const struct item *it, const struct text *x)
{
    struct test t = test_of(m, it, x->s);
    struct str plain = x->s;
    if (x->plain || !has_wildcard(m->a, x->s, &plain)) {
        test_texts(m->a, &t, &plain, 1);
        return expr_test(m->a, &t);
    }
    enum test_op op = t.op;
    test_wild(m->a, &t, x->s, true);
    open_ends(m->a, &t.wild, it->keyword || it->how == MATCH_CONTAINS || it->how == MATCH_END,
              it->keyword || it->how == MATCH_CONTAINS || it->how == MATCH_START);
    if (t.wild.singles > WILD_SINGLES_MAX)
        return sigma_fail(m, x->s, "a part with ? behind a * is longer than 128 bytes");
    if (op == OP_KEYWORD)
        t.op = op;
    return expr_test(m->a, &t);
}

static struct expr *regex_or_cidr(struct sigma_maker *m, const struct item *it, struct str s)
{
    struct test t = test_of(m, it, s);
    t.icase = it->re_i;
    t.lines = it->re_m;
    t.whole = t.whole || it->keyword; /* a keyword: of the record as one text */
    if (it->how == MATCH_CIDR) {
        t.op = OP_CIDR;
        return test_cidr(s, &t.cidr) ? expr_test(m->a, &t) : sigma_fail(m, s, "not a network");
    }
    struct err *e = test_regex(m->a, &t, s, it->re_s);
    if (e != NULL) {
        sigma_fail(m, s, e->message);
        err_free(e);
        return NULL;
    }
    return expr_test(m->a, &t);
}

static struct expr *number_test(struct sigma_maker *m, const struct item *it, const struct jv *v)
{
    struct str s = jv_is(v, JV_STR) ? v->s : jv_text(m->a, v);
    struct test t = test_of(m, it, s);
    double d;
    if (jv_is(v, JV_BOOL) || !str_to_double(s, &d))
        return sigma_fail(m, s, "not a number");
    t.op = it->time ? OP_TIME : OP_NUMBER;
    t.unit = it->unit;
    t.lo = -INFINITY;
    t.hi = INFINITY;
    if (it->how == MATCH_LT || it->how == MATCH_LTE)
        t.hi = d, t.hi_open = it->how == MATCH_LT;
    else if (it->how == MATCH_GT || it->how == MATCH_GTE)
        t.lo = d, t.lo_open = it->how == MATCH_GT;
    else
        t.lo = t.hi = d;
    return expr_test(m->a, &t);
}

static struct expr *exists_test(struct sigma_maker *m, const struct item *it, const struct jv *v)
{
    if (!jv_is(v, JV_BOOL))
        return sigma_fail(m, it->key, "exists takes true or false");
    struct test t = {.op = OP_PRESENT, .path = it->path, .label = "is there"};
    struct expr *e = expr_test(m->a, &t);
    return v->b ? e : expr_not(m->a, e);
}

/* null: no such field, or no value in it. */
static struct expr *null_test(struct sigma_maker *m, const struct item *it)
{
    struct test t = {.op = OP_PRESENT, .path = it->path, .label = "is there"};
    struct expr *none = expr_list(m->a, EXPR_OR);
    expr_add(m->a, none, expr_not(m->a, expr_test(m->a, &t)));
    t.op = OP_NULL;
    t.label = "is null";
    expr_add(m->a, none, expr_test(m->a, &t));
    return none;
}

static struct expr *field_test(struct sigma_maker *m, const struct item *it, struct str s)
{
    struct test t = test_of(m, it, s);
    struct str plain;
    if (has_wildcard(m->a, s, &plain))
        return sigma_fail(m, s, "fieldref takes the name of a field, without wildcards");
    t.how = it->how == MATCH_CONTAINS ? FIELD_CONTAINS : it->how == MATCH_START ? FIELD_PREFIX
          : it->how == MATCH_END ? FIELD_SUFFIX : FIELD_EQ;
    t.op = OP_FIELD;
    t.other = sigma_path(m, plain);
    return t.other == UINT32_MAX ? sigma_fail(m, s, "the rules name more paths than the limit")
                                 : expr_test(m->a, &t);
}

/* A number is a number however it is written, and its text where the record has a text. */
static struct expr *number_or_text(struct sigma_maker *m, const struct item *it, const struct jv *v)
{
    struct text x = {.s = jv_text(m->a, v), .plain = true};
    struct expr *text = text_test(m, it, &x);
    if (it->how != MATCH_EQ || it->keyword)
        return text;
    struct expr *any = expr_list(m->a, EXPR_OR);
    struct test t = test_of(m, it, x.s);
    t.op = OP_NUMBER;
    t.loose = false;
    t.lo = t.hi = jv_d(v, 0);
    expr_add(m->a, any, text);
    expr_add(m->a, any, expr_test(m->a, &t));
    return any;
}

static struct expr *one_value(struct sigma_maker *m, const struct item *it, const struct jv *v)
{
    if (it->exists)
        return exists_test(m, it, v);
    if (jv_is(v, JV_ARR) || jv_is(v, JV_OBJ))
        return sigma_fail(m, it->key, "a list or map within the values");
    if (jv_is(v, JV_NULL)) {
        if (it->keyword || it->how != MATCH_EQ || it->n_changes > 0 || it->fieldref || it->time)
            return sigma_fail(m, it->key, "null stands alone, without modifiers, in a field");
        return null_test(m, it);
    }
    if (it->time || it->how >= MATCH_LT)
        return number_test(m, it, v);
    if ((jv_is(v, JV_INT) || jv_is(v, JV_NUM)) && it->how <= MATCH_END && !it->fieldref &&
        it->n_changes == 0)
        return number_or_text(m, it, v);
    struct str s = jv_is(v, JV_STR) ? v->s : jv_text(m->a, v);
    if (it->fieldref)
        return field_test(m, it, s);
    struct texts texts;
    if (!changed(m, it, s, &texts))
        return NULL;
    m->made += it->n_changes > 0 ? texts.v.n : 0;
    if (m->made > SIGMA_MADE_MAX || arena_over(m->a))
        return sigma_fail(m, it->key, "modifiers make more than 100000 values in this rule, or the "
                                      "rules take more than 1 GiB");
    struct expr *any = expr_list(m->a, EXPR_OR);
    for (size_t i = 0; i < texts.v.n; i++) {
        struct expr *e = it->how >= MATCH_RE ? regex_or_cidr(m, it, texts.v.v[i].s)
                                             : text_test(m, it, &texts.v.v[i]);
        if (e == NULL)
            return NULL;
        expr_add(m->a, any, e);
    }
    return any->n == 1 ? any->kids[0] : any;
}

/* Plain texts of a list are one test: that is what the index and the binary search live on. */
static struct expr *joined_texts(struct sigma_maker *m, const struct item *it,
                                 const struct jv *list)
{
    if (it->how > MATCH_END || it->all || it->n_changes > 0 || it->exists || it->fieldref ||
        it->time || jv_len(list) < 2)
        return NULL;
    struct str *texts = ARENA_ARRAY(m->a, jv_len(list), struct str);
    for (size_t i = 0; i < jv_len(list); i++) {
        const struct jv *v = jv_at(list, i);
        if (v->type != JV_STR || has_wildcard(m->a, v->s, &texts[i]))
            return NULL;
    }
    struct test t = test_of(m, it, STR("one of the texts listed"));
    test_texts(m->a, &t, texts, jv_len(list));
    return expr_test(m->a, &t);
}

static struct expr *values(struct sigma_maker *m, const struct item *it, const struct jv *v)
{
    if (!jv_is(v, JV_ARR))
        return one_value(m, it, v);
    if (jv_len(v) == 0 || jv_len(v) > SIGMA_VALUES_MAX)
        return sigma_fail(m, it->key, "a list of values is empty or too long");
    struct expr *e = joined_texts(m, it, v);
    if (e != NULL)
        return e;
    e = expr_list(m->a, it->all ? EXPR_AND : EXPR_OR);
    for (size_t i = 0; i < jv_len(v); i++) {
        struct expr *x = one_value(m, it, jv_at(v, i));
        if (x == NULL)
            return NULL;
        expr_add(m->a, e, x);
    }
    return e;
}

struct expr *sigma_item(struct sigma_maker *m, struct str key, const struct jv *v)
{
    struct item it = {0};
    struct str rest = key;
    m->src->hint = key;
    it.key = arena_str(m->a, str_cut(&rest, '|'));
    if (it.key.n == 0) {
        it.keyword = true;
        it.key = STR("keyword");
    } else if ((it.path = sigma_path(m, it.key)) == UINT32_MAX) {
        return sigma_fail(m, key, "the rules name more paths than the limit");
    }
    const char *wrong = NULL;
    while (rest.p != NULL && wrong == NULL)
        wrong = modifier(&it, str_cut(&rest, '|'));
    if (wrong == NULL)
        wrong = clash(&it);
    if (wrong != NULL)
        return sigma_fail(m, key, wrong);
    struct expr *e = values(m, &it, v);
    return e != NULL && it.negate ? expr_not(m->a, e) : e;
}

struct expr *sigma_keyword(struct sigma_maker *m, const struct jv *v)
{
    const struct item keyword = {.keyword = true, .key = STR("keyword")};
    return values(m, &keyword, v);
}
