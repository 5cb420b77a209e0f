#include "expr.h"

#include <arpa/inet.h>

#include "../core/buf.h"
#include "../core/clock.h"
#include "regex.h"
#include "same.h"

struct expr *expr_test(struct arena *a, const struct test *t)
{
    struct expr *e = ARENA_NEW(a, struct expr);
    e->kind = EXPR_TEST;
    e->test = ARENA_NEW(a, struct test);
    *e->test = *t;
    return e;
}

struct expr *expr_list(struct arena *a, enum expr_kind kind)
{
    struct expr *e = ARENA_NEW(a, struct expr);
    e->kind = kind;
    return e;
}

void expr_add(struct arena *a, struct expr *list, struct expr *kid)
{
    if ((list->n & (list->n - 1)) == 0) {
        struct expr **v = ARENA_ARRAY(a, list->n == 0 ? 1 : list->n * 2, struct expr *);
        if (list->n > 0)
            memcpy(v, list->kids, list->n * sizeof *v);
        list->kids = v;
    }
    list->kids[list->n++] = kid;
}

struct expr *expr_not(struct arena *a, struct expr *kid)
{
    struct expr *e = expr_list(a, EXPR_NOT);
    expr_add(a, e, kid);
    return e;
}

struct expr *expr_const(struct arena *a, bool value)
{
    struct test t = {.op = OP_CONST, .lo = value, .label = value ? "always" : "never"};
    return expr_test(a, &t);
}

static inline char low(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

struct str fold(struct arena *a, struct str s)
{
    char *p = arena_alloc_raw(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        p[i] = low(s.p[i]);
    p[s.n] = '\0';
    return str_of(p, s.n);
}

static int by_bytes(const void *x, const void *y)
{
    return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

void test_texts(struct arena *a, struct test *t, const struct str *texts, size_t n)
{
    t->texts = ARENA_ARRAY(a, n, struct str);
    for (size_t i = 0; i < n; i++)
        t->texts[i] = t->icase ? fold(a, texts[i]) : arena_str(a, texts[i]);
    t->n_texts = n;
    if (t->op == OP_EQ)
        qsort(t->texts, n, sizeof *t->texts, by_bytes);
}

#define WILD_STEP UINT32_MAX        /* nothing fits here: one place on */
#define WILD_AGAIN (UINT32_MAX - 1) /* from the place behind the one where it began */

/* From each state of a part the next shorter one that fits as well. */
static void part_back(struct wild *w, size_t from, size_t to)
{
    bool single = false;
    for (size_t i = from; i < to; i++)
        single = single || w->code[i] == WILD_ONE;
    w->back[from] = WILD_STEP;
    if (single && from > 0 && to - from > w->singles)
        w->singles = to - from;
    for (size_t j = from + 1, k = from; j <= to; j++) {
        /* The part's first j - from codes end with its first k - from, and no more. */
        while (!single && j > from + 1 && k > from && w->code[k] != w->code[j - 1])
            k = w->back[k];
        if (!single && j > from + 1 && w->code[k] == w->code[j - 1])
            k++;
        w->back[j] = single ? WILD_AGAIN : (uint32_t)k;
    }
}

void wild_finish(struct arena *a, struct wild *w)
{
    w->back = ARENA_ARRAY(a, w->n + 1, uint32_t);
    w->singles = 0;
    for (size_t from = 0, to = 0; to <= w->n; to++) {
        if (to == w->n || w->code[to] == WILD_ANY) {
            part_back(w, from, to);
            from = to + 1;
        }
    }
}

void test_wild(struct arena *a, struct test *t, struct str pattern, bool single)
{
    t->op = OP_WILD;
    t->wild.code = ARENA_ARRAY(a, pattern.n + 1, uint16_t);
    size_t n = 0;
    for (size_t i = 0; i < pattern.n; i++) {
        char c = pattern.p[i];
        char next = i + 1 < pattern.n ? pattern.p[i + 1] : '\0';
        if (c == '\\' && (next == '*' || next == '\\' || (single && next == '?'))) {
            t->wild.code[n++] = (unsigned char)next;
            i++;
        } else if (c == '*') {
            if (n == 0 || t->wild.code[n - 1] != WILD_ANY)
                t->wild.code[n++] = WILD_ANY;
        } else if (c == '?' && single) {
            t->wild.code[n++] = WILD_ONE;
        } else {
            t->wild.code[n++] = (unsigned char)(t->icase ? low(c) : c);
        }
    }
    t->wild.n = n;
    wild_finish(a, &t->wild);
}

bool test_cidr(struct str text, struct cidr *out)
{
    char host[64];
    ptrdiff_t slash = str_find_char(text, '/');
    size_t n = slash < 0 ? text.n : (size_t)slash;
    if (n == 0 || n >= sizeof host)
        return false;
    memcpy(host, text.p, n);
    host[n] = '\0';
    struct cidr c = {0};
    if (inet_pton(AF_INET, host, c.addr) == 1)
        c.bits = 32;
    else if (inet_pton(AF_INET6, host, c.addr) == 1)
        c.bits = 128, c.v6 = true;
    else
        return false;
    int64_t bits = c.bits;
    if (slash >= 0 && !str_to_i64(str_skip(text, n + 1), 0, c.bits, &bits))
        return false;
    c.bits = (int)bits;
    *out = c;
    return true;
}

/* A network in the record is in another when all of it is; to EventBridge it is no address. */
static bool in_cidr(const struct test *t, struct str text)
{
    const struct cidr *net = &t->cidr;
    struct cidr a;
    if (text.n > 45 || !test_cidr(text, &a) || a.v6 != net->v6 || a.bits < net->bits)
        return false;
    if (!t->loose && str_find_char(text, '/') >= 0)
        return false;
    int bytes = net->bits / 8, rest = net->bits % 8;
    if (memcmp(a.addr, net->addr, (size_t)bytes) != 0)
        return false;
    return rest == 0 || (a.addr[bytes] >> (8 - rest)) == (net->addr[bytes] >> (8 - rest));
}

/* -- texts -- */
static inline bool same(const char *p, const char *q, size_t n, bool icase)
{
    if (!icase)
        return memcmp(p, q, n) == 0;
    for (size_t i = 0; i < n; i++) {
        if (low(p[i]) != q[i])
            return false;
    }
    return true;
}

static char *folded(struct str s)
{
    char *p = malloc(s.n + 1);
    CHECK(p != NULL);
    for (size_t i = 0; i < s.n; i++)
        p[i] = low(s.p[i]);
    return p;
}

/* For texts made to be slow: memmem() is linear, whatever they are. */
static bool contains_folded(struct str s, struct str needle)
{
    char *p = folded(s);
    bool yes = memmem(p, s.n, needle.p, needle.n) != NULL;
    free(p);
    return yes;
}

static bool contains(struct str s, struct str needle, bool icase)
{
    if (needle.n == 0)
        return true;
    if (needle.n > s.n)
        return false;
    if (!icase)
        return memmem(s.p, s.n, needle.p, needle.n) != NULL;
    size_t steps = 0;
    for (size_t i = 0; i + needle.n <= s.n; i++) {
        size_t k = 0;
        while (k < needle.n && low(s.p[i + k]) == needle.p[k])
            k++;
        if (k == needle.n)
            return true;
        steps += k;
        if (steps > 4 * s.n + 1024)
            return contains_folded(str_skip(s, i + 1), needle);
    }
    return false;
}

static int cmp_folded(struct str s, struct str t, bool icase)
{
    if (!icase)
        return str_cmp(s, t);
    size_t n = s.n < t.n ? s.n : t.n;
    for (size_t i = 0; i < n; i++) {
        int d = (unsigned char)low(s.p[i]) - (unsigned char)t.p[i];
        if (d != 0)
            return d;
    }
    return s.n < t.n ? -1 : s.n > t.n;
}

static bool in_texts(const struct test *t, struct str s)
{
    if (t->n_texts == 1)
        return t->texts[0].n == s.n && same(s.p, t->texts[0].p, s.n, t->icase);
    size_t lo = 0, hi = t->n_texts;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int d = cmp_folded(s, t->texts[mid], t->icase);
        if (d == 0)
            return true;
        if (d < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return false;
}

/* One star at a time: what was found for those before stands. '?' takes one character of UTF-8. */
static bool wild_match(const struct test *t, struct str s)
{
    const uint16_t *w = t->wild.code;
    size_t wn = t->wild.n, i = 0, j = 0, star = SIZE_MAX, mark = 0;
    while (i < s.n) {
        unsigned char c = (unsigned char)(t->icase ? low(s.p[i]) : s.p[i]);
        if (j < wn && w[j] == WILD_ONE) {
            size_t step = str_utf8_next(str_skip(s, i));
            i += step == 0 ? 1 : step;
            j++;
        } else if (j < wn && w[j] == WILD_ANY) {
            star = j++;
            mark = i;
            if (j == wn)
                return true;
        } else if (j < wn && w[j] == c) {
            i++;
            j++;
        } else if (star == SIZE_MAX) {
            return false;
        } else if (t->wild.back[j] == WILD_STEP) {
            i = ++mark;
        } else if (t->wild.back[j] == WILD_AGAIN) {
            j = star + 1;
            i = ++mark;
        } else {
            mark = i;
            j = t->wild.back[j];
        }
    }
    while (j < wn && w[j] == WILD_ANY)
        j++;
    return j == wn;
}

static int hit(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *x)
{
    (void)id, (void)from, (void)to, (void)flags;
    *(bool *)x = true;
    return 1;
}

static bool regex_match(const struct asker *k, const struct test *t, struct str s)
{
    bool found = false;
    if (t->own != NULL)
        return regex_search(t->own, s);
    hs_scan(t->regex, s.n == 0 ? "" : s.p, (unsigned)s.n, 0, k->scratch, hit, &found);
    return found;
}

static bool text_passes(const struct asker *k, const struct test *t, struct str s)
{
    switch (t->op) {
    case OP_EQ: return in_texts(t, s);
    case OP_PREFIX:
    case OP_SUFFIX:
    case OP_CONTAINS:
        for (size_t i = 0; i < t->n_texts; i++) {
            struct str x = t->texts[i];
            if (t->op == OP_CONTAINS ? contains(s, x, t->icase)
                : x.n <= s.n && same(t->op == OP_PREFIX ? s.p : s.p + s.n - x.n, x.p, x.n,
                                     t->icase))
                return true;
        }
        return false;
    case OP_WILD: return wild_match(t, s);
    case OP_REGEX: return regex_match(k, t, s);
    case OP_CIDR: return in_cidr(t, s);
    default: return false;
    }
}

static bool in_range(const struct test *t, double d)
{
    return (t->lo_open ? d > t->lo : d >= t->lo) && (t->hi_open ? d < t->hi : d <= t->hi);
}

static bool number_passes(const struct test *t, const struct val *v)
{
    double d;
    if (v->kind != VAL_NUM && !(t->loose && v->kind == VAL_STR))
        return false;
    return str_to_double(v->s, &d) && in_range(t, d);
}

/* ISO 8601: week 1 is the one with the year's first Thursday. */
static int week_of(int64_t ms)
{
    struct time_parts p = time_parts_of(ms);
    int64_t thursday = ms + (int64_t)(4 - (p.weekday == 0 ? 7 : p.weekday)) * 86400000;
    char text[TIME_TEXT_MAX];
    snprintf(text, sizeof text, "%04d-01-01", time_parts_of(thursday).year);
    int64_t first = 0;
    if (!time_parse_iso8601(str_c(text), &first))
        return 0;
    return (int)((thursday - first) / (7 * (int64_t)86400000)) + 1;
}

static bool time_passes(const struct test *t, const struct val *v)
{
    int64_t ms;
    if (v->kind != VAL_STR || !time_parse_iso8601(v->s, &ms))
        return false;
    struct time_parts p = time_parts_of(ms);
    switch (t->unit) {
    case UNIT_MINUTE: return in_range(t, p.minute);
    case UNIT_HOUR: return in_range(t, p.hour);
    case UNIT_DAY: return in_range(t, p.day);
    case UNIT_WEEK: return in_range(t, week_of(ms));
    case UNIT_MONTH: return in_range(t, p.month);
    case UNIT_YEAR: return in_range(t, p.year);
    }
    return false;
}

static bool related(struct str s, struct str part, const struct test *t)
{
    bool (*eq)(struct str, struct str) = t->icase ? str_ieq : str_eq;
    if (t->how == FIELD_EQ)
        return eq(s, part);
    if (part.n > s.n)
        return false;
    if (t->how == FIELD_PREFIX || t->how == FIELD_SUFFIX)
        return eq(t->how == FIELD_PREFIX ? str_take(s, part.n) : str_skip(s, s.n - part.n), part);
    if (!t->icase)
        return contains(s, part, false);
    char *p = folded(part); /* not in the record's arena: lists make many pairs */
    bool yes = contains(s, str_of(p, part.n), true);
    free(p);
    return yes;
}

static bool field_passes(struct asker *k, const struct test *t, const struct val *v)
{
    const struct vals *o = record_get(k->r, t->other);
    for (uint32_t i = 0; i < o->n; i++) {
        const struct val *w = &o->v[i];
        if (w->kind == VAL_OBJ || w->kind == VAL_ARR || v->kind == VAL_NULL || w->kind == VAL_NULL)
            continue;
        if (related(v->s, w->s, t))
            return true;
    }
    return false;
}

static bool value_passes(struct asker *k, const struct test *t, const struct val *v)
{
    switch (t->op) {
    case OP_NULL: return v->kind == VAL_NULL;
    case OP_BOOL: return v->kind == (t->lo != 0 ? VAL_TRUE : VAL_FALSE);
    case OP_NUMBER: return number_passes(t, v);
    case OP_TIME: return time_passes(t, v);
    case OP_FIELD: return field_passes(k, t, v);
    default: break;
    }
    if (v->kind == VAL_STR ||
        (t->loose && (v->kind == VAL_NUM || v->kind == VAL_TRUE || v->kind == VAL_FALSE)))
        return text_passes(k, t, v->s);
    return false;
}

static bool keyword_in(const struct test *t, struct str text)
{
    if (t->wild.n > 0)
        return wild_match(t, text);
    for (size_t i = 0; i < t->n_texts; i++) {
        if (contains(text, t->texts[i], t->icase))
            return true;
    }
    return false;
}

/* Sigma's keywords: in the record's text, as it stands and with its escapes decoded. */
static bool keyword_passes(struct asker *k, const struct test *t)
{
    struct str text = record_text(k->r);
    return keyword_in(t, text) || (memchr(text.p, '\\', text.n) != NULL &&
                                   keyword_in(t, record_text_decoded(k->r)));
}

bool test_value(struct asker *k, const struct test *t, const struct val *v)
{
    for (; t != NULL; t = t->also) {
        if (t->op != OP_LEAF && value_passes(k, t, v) == t->negate)
            return false;
    }
    return true;
}

static bool container_passes(struct asker *k, const struct test *t, const struct val *v)
{
    return text_passes(k, t, v->s) || (memchr(v->s.p, '\\', v->s.n) != NULL &&
                                       text_passes(k, t, record_unescape(k->r, v->s)));
}

static bool leaf(const struct val *v)
{
    return v->kind != VAL_OBJ && v->kind != VAL_ARR;
}

static enum verdict ask_slot(struct asker *k, const struct test *t, const struct path *p)
{
    struct str s;
    if (p->kind == PATH_VIRTUAL)
        s = record_virtual(k->r, (enum virtual_kind)p->index);
    else
        s = k->r->slot[p->slot];
    if (t->op == OP_PRESENT || t->op == OP_LEAF)
        return s.p != NULL ? YES : NO;
    if (s.p == NULL || t->op == OP_FIELD)
        return s.p == NULL ? NO : MAYBE;
    struct val v = {.kind = VAL_STR, .s = s};
    return test_value(k, t, &v) ? YES : NO;
}

enum verdict test_ask(struct asker *k, const struct test *t)
{
    if (t->op == OP_CONST)
        return t->lo != 0 ? YES : NO;
    const struct path *p = &k->r->paths->v[t->path];
    if (!k->r->odd && p->slot >= 0 && p->slot < SLOT_TUPLE && t->op != OP_KEYWORD) {
        enum verdict v = ask_slot(k, t, p);
        if (v != MAYBE || k->tuple_only)
            return v;
    }
    if (k->tuple_only)
        return p->kind == PATH_VIRTUAL ? ask_slot(k, t, p) : MAYBE;
    if (t->op == OP_KEYWORD)
        return keyword_passes(k, t) ? YES : NO;
    const struct vals *vs = record_get(k->r, t->path);
    if (t->op == OP_PRESENT)
        return vs->present ? YES : NO;
    for (uint32_t i = 0; i < vs->n; i++) {
        const struct val *v = &vs->v[i];
        if (leaf(v) ? test_value(k, t, v) : t->whole && container_passes(k, t, v))
            return YES;
    }
    return NO;
}

enum verdict expr_ask(struct asker *k, const struct expr *e)
{
    bool maybe = false;
    switch (e->kind) {
    case EXPR_TEST: return test_ask(k, e->test);
    case EXPR_SAME: return same_ask(k, e);
    case EXPR_NOT: {
        enum verdict v = expr_ask(k, e->kids[0]);
        return v == YES ? NO : v == NO ? YES : MAYBE;
    }
    case EXPR_AND:
        for (size_t i = 0; i < e->n; i++) {
            enum verdict v = expr_ask(k, e->kids[i]);
            if (v == NO)
                return NO;
            maybe |= v == MAYBE;
        }
        return maybe ? MAYBE : YES;
    case EXPR_OR:
        for (size_t i = 0; i < e->n; i++) {
            enum verdict v = expr_ask(k, e->kids[i]);
            if (v == YES)
                return YES;
            maybe |= v == MAYBE;
        }
        return maybe ? MAYBE : NO;
    }
    return NO;
}

/* -- regular expressions -- */
static bool plain_char(char c)
{
    return (unsigned char)c >= 0x80 || strchr("\\^$.|?*+()[]{}", c) == NULL;
}

/* ^?( alternatives of plain text )$? as texts; false: it needs an automaton. */
static bool plain_regex(struct arena *a, struct str re, struct test *t)
{
    bool head = str_starts_c(re, "^"), tail = re.n > (size_t)head && str_ends_c(re, "$");
    struct str body = str_take(str_skip(re, head), re.n - (size_t)head - (size_t)tail);
    bool group = body.n >= 2 && body.p[0] == '(' && body.p[body.n - 1] == ')';
    bool bars = str_find_char(body, '|') >= 0;
    if (bars && !group && (head || tail))
        return false; /* ^a|b$ binds tighter than it looks */
    if (group)
        body = str_take(str_skip(body, 1), body.n - 2);
    VEC(struct str) texts = {0};
    struct str rest = body;
    while (rest.p != NULL) {
        struct str piece = str_cut(&rest, '|');
        struct buf b = BUF_INIT(REGEX_MAX);
        bool ok = true;
        for (size_t i = 0; i < piece.n && ok; i++) {
            if (piece.p[i] == '\\' && i + 1 < piece.n && strchr(".-_/:*+?$^", piece.p[i + 1])) {
                buf_char(&b, piece.p[++i]);
                continue;
            }
            ok = plain_char(piece.p[i]);
            buf_char(&b, piece.p[i]);
        }
        VEC_PUSH(a, &texts, arena_str(a, buf_view(&b)));
        buf_clear(&b);
        if (!ok || (piece.n == 0 && body.n > 0))
            return false;
    }
    for (size_t i = 0; i < texts.n; i++) {
        if (texts.v[i].p == NULL)
            texts.v[i] = STR("");
    }
    t->op = head && tail ? OP_EQ : head ? OP_PREFIX : tail ? OP_SUFFIX : OP_CONTAINS;
    if (tail && !head && texts.n > 0 && texts.v[0].n == 0)
        return false;
    test_texts(a, t, texts.v, texts.n);
    return true;
}

static void regex_free(void *db)
{
    hs_free_database(db);
}

struct err *test_regex(struct arena *a, struct test *t, struct str regex, bool dot_all)
{
    if (regex.n > REGEX_MAX)
        return err_new(ERR_LIMIT, "a regular expression is longer than %d bytes", REGEX_MAX);
    if (memchr(regex.p, '\0', regex.n) != NULL)
        return err_new(ERR_INVALID, "a regular expression holds a NUL byte");
    if (str_is(regex, ".*") || regex.n == 0) {
        t->op = OP_LEAF;
        return NULL;
    }
    if (!t->lines && plain_regex(a, regex, t))
        return NULL;
    t->op = OP_REGEX;
    t->own = t->lines ? NULL : regex_new(a, regex, t->icase, dot_all);
    if (t->own != NULL)
        return NULL;
    char *text = arena_cstr(a, regex);
    hs_database_t *db = NULL;
    hs_compile_error_t *fault = NULL;
    unsigned flags = HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY | (t->icase ? HS_FLAG_CASELESS : 0) |
                     (dot_all ? HS_FLAG_DOTALL : 0) | (t->lines ? HS_FLAG_MULTILINE : 0);
    if (hs_compile(text, flags, HS_MODE_BLOCK, NULL, &db, &fault) != HS_SUCCESS) {
        struct err *e =
            err_new(ERR_INVALID, "the regular expression \"%.200s\" is not taken: %.200s", text,
                    fault != NULL ? fault->message : "out of memory");
        hs_free_compile_error(fault);
        return e;
    }
    arena_on_free(a, regex_free, db);
    t->regex = db;
    return NULL;
}
