#include "needs.h"

#include "grams.h"
#include "regex.h"

int needs_slot(const struct paths *ps, uint32_t path)
{
    const struct path *p = &ps->v[path];
    if (p->kind == PATH_VIRTUAL)
        return p->index == VIRT_SOURCE ? SLOT_SOURCE : -1;
    return p->slot >= 0 && p->slot < SLOT_TUPLE ? p->slot : -1;
}

/* -- how rare -- */
static int slot_rank(const struct cond *c, int slot)
{
    bool whole = c->kind == COND_WHOLE;
    switch ((enum slot)slot) {
    case SLOT_NAME: return whole ? 90 : 80;
    case SLOT_ERROR: return whole ? 70 : 60;
    case SLOT_SOURCE:
        /* "amazonaws" is in every one */
        if (!whole && memmem(".amazonaws.com", 14, c->text.p, c->text.n) != NULL)
            return 1;
        return whole ? 50 : 48;
    case SLOT_TYPE: return whole && !str_is_i(c->text, "AwsApiCall") ? 46 : 2;
    case SLOT_IDENTITY: return whole && str_is_i(c->text, "Root") ? 55 : 20;
    default: return 1;
    }
}

static int value_rank(const struct cond *c, const struct path *p)
{
    if (c->path == 0) /* a look at the whole text */
        return 35;
    if (p->slot == SLOT_REGION || p->slot == SLOT_ACCOUNT || p->slot == SLOT_TIME)
        return 20;
    switch (c->kind) {
    case COND_WHOLE: return c->text.n <= 5 ? 25 : 95; /* true, false, null, small numbers */
    case COND_PART: return c->text.n < 6 ? 40 : c->text.n > 20 ? 80 : 60 + (int)c->text.n;
    case COND_NET: return c->net->bits >= 16 ? 60 : 30;
    }
    return 0;
}

static void rank(struct conds *cs, const struct paths *ps)
{
    int least = 100, many = 0;
    for (size_t i = 0; i < cs->n; i++) {
        int slot = needs_slot(ps, cs->v[i].path);
        int r = slot >= 0 ? slot_rank(&cs->v[i], slot)
                          : value_rank(&cs->v[i], &ps->v[cs->v[i].path]);
        least = r < least ? r : least;
    }
    for (size_t n = cs->n; n > 1; n /= 4)
        many++;
    cs->rank = least - many > 0 ? least - many : 1;
}

/* -- of one test -- */
static struct conds of_texts(struct arena *a, const struct test *t, const struct str *texts,
                             size_t n, enum cond_kind kind)
{
    struct conds out = {0};
    if (n == 0 || n > CONDS_MAX)
        return out;
    out.v = ARENA_ARRAY(a, n, struct cond);
    for (size_t i = 0; i < n; i++) {
        struct str s = kind == COND_PART ? str_take(texts[i], PART_BYTES_MAX) : texts[i];
        if (kind == COND_PART && s.n < GRAM_BYTES)
            return (struct conds){0};
        out.v[i] = (struct cond){.path = t->path, .kind = kind, .text = s, .containers = t->whole};
    }
    out.n = n;
    return out;
}

/* The longest run between the wildcards. */
static struct conds of_wild(struct arena *a, const struct test *t)
{
    size_t best = 0, best_n = 0, from = 0;
    for (size_t i = 0; i <= t->wild.n; i++) {
        if (i < t->wild.n && t->wild.code[i] < 256)
            continue;
        if (i - from > best_n)
            best = from, best_n = i - from;
        from = i + 1;
    }
    best_n = best_n > PART_BYTES_MAX ? PART_BYTES_MAX : best_n;
    char *p = arena_alloc_raw(a, best_n + 1);
    for (size_t i = 0; i < best_n; i++)
        p[i] = (char)t->wild.code[best + i];
    struct str s = str_of(p, best_n);
    return of_texts(a, t, &s, 1, COND_PART);
}

/* Where values are not found by the names that lead to them. */
static bool off_index(const struct test *t, const struct paths *ps)
{
    for (uint32_t p = t->path; p != 0; p = ps->v[p].parent) {
        if (ps->v[p].kind == PATH_INDEX && ps->v[p].index == PATH_ANY)
            return true;
    }
    return t->path == 0 && t->op != OP_KEYWORD;
}

static struct conds of_test(struct arena *a, const struct test *t, const struct paths *ps,
                            int where)
{
    const struct path *p = &ps->v[t->path];
    bool tuple = needs_slot(ps, t->path) >= 0;
    struct conds out = {0};
    const struct str *texts;
    if (t->negate || (where & (tuple ? NEEDS_TUPLE : NEEDS_VALUES)) == 0 ||
        (p->kind == PATH_VIRTUAL && !tuple) || off_index(t, ps))
        return out;
    switch (t->op) {
    case OP_EQ: out = of_texts(a, t, t->texts, t->n_texts, COND_WHOLE); break;
    case OP_PREFIX:
    case OP_SUFFIX:
    case OP_CONTAINS:
        out = of_texts(a, t, t->texts, t->n_texts, COND_PART);
        break;
    case OP_WILD: out = of_wild(a, t); break;
    case OP_REGEX: {
        size_t n = t->own == NULL ? 0 : regex_texts(t->own, &texts);
        out = of_texts(a, t, texts, n, COND_PART);
        break;
    }
    case OP_KEYWORD: {
        struct test anywhere = *t;
        anywhere.path = 0;
        out = t->wild.n > 0 ? of_wild(a, &anywhere)
                            : of_texts(a, &anywhere, t->texts, t->n_texts, COND_PART);
        break;
    }
    case OP_CIDR:
        out.v = ARENA_NEW(a, struct cond);
        out.v[0] = (struct cond){.path = t->path, .kind = COND_NET, .net = &t->cidr};
        out.n = tuple ? 0 : 1;
        break;
    default: break;
    }
    if (out.n > 0)
        rank(&out, ps);
    return out;
}

struct conds expr_needs(struct arena *a, const struct expr *e, const struct paths *ps, int where)
{
    struct conds out = {0};
    switch (e->kind) {
    case EXPR_TEST: return of_test(a, e->test, ps, where);
    case EXPR_NOT: return out;
    case EXPR_AND:
    case EXPR_SAME:
        for (size_t i = 0; i < e->n; i++) {
            struct conds c = expr_needs(a, e->kids[i], ps, where);
            if (c.n > 0 && (out.n == 0 || c.rank > out.rank))
                out = c;
        }
        return out;
    case EXPR_OR: break;
    }
    VEC(struct cond) all = {0};
    for (size_t i = 0; i < e->n; i++) {
        struct conds c = expr_needs(a, e->kids[i], ps, where);
        if (c.n == 0 || all.n + c.n > CONDS_MAX)
            return (struct conds){0};
        for (size_t k = 0; k < c.n; k++)
            VEC_PUSH(a, &all, c.v[k]);
    }
    out = (struct conds){.v = all.v, .n = all.n};
    if (out.n > 0)
        rank(&out, ps);
    return out;
}
