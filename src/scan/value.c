/* What a record has at a path, and its texts decoded. */
#include "record_int.h"

static int hex4(const char *p, const char *end)
{
    int v = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
              : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (d < 0)
            return -1;
        v = v * 16 + d;
    }
    return v;
}

static char *utf8_put(char *o, uint32_t c)
{
    if (c < 0x80) {
        *o++ = (char)c;
    } else if (c < 0x800) {
        *o++ = (char)(0xC0 | c >> 6);
        *o++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *o++ = (char)(0xE0 | c >> 12);
        *o++ = (char)(0x80 | (c >> 6 & 63));
        *o++ = (char)(0x80 | (c & 63));
    } else {
        *o++ = (char)(0xF0 | c >> 18);
        *o++ = (char)(0x80 | (c >> 12 & 63));
        *o++ = (char)(0x80 | (c >> 6 & 63));
        *o++ = (char)(0x80 | (c & 63));
    }
    return o;
}

static const char *unicode_escape(const char *p, const char *end, char **o)
{
    int hi = hex4(p, end);
    if (hi < 0) {
        *(*o)++ = 'u';
        return p;
    }
    p += 4;
    uint32_t c = (uint32_t)hi;
    if (c >= 0xD800 && c < 0xDC00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
        int lo = hex4(p + 2, end);
        if (lo >= 0xDC00 && lo < 0xE000) {
            c = 0x10000 + ((c - 0xD800) << 10) + ((uint32_t)lo - 0xDC00);
            p += 6;
        }
    }
    if (c >= 0xD800 && c < 0xE000)
        c = 0xFFFD;
    *o = utf8_put(*o, c);
    return p;
}

/* Broken escapes stay as they stand; the full check names them. */
static struct str unescape(struct arena *a, struct str s)
{
    char *out = arena_alloc_raw(a, s.n + 1);
    char *o = out;
    const char *p = s.p, *end = s.p + s.n;
    while (p < end) {
        if (*p != '\\' || p + 1 == end) {
            *o++ = *p++;
            continue;
        }
        char c = p[1];
        p += 2;
        switch (c) {
        case 'b': *o++ = '\b'; break;
        case 'f': *o++ = '\f'; break;
        case 'n': *o++ = '\n'; break;
        case 'r': *o++ = '\r'; break;
        case 't': *o++ = '\t'; break;
        case 'u': p = unicode_escape(p, end, &o); break;
        default: *o++ = c; break;
        }
    }
    return str_of(out, (size_t)(o - out));
}

struct str record_unescape(struct record *r, struct str raw)
{
    return unescape(r->a, raw);
}

struct str record_text_decoded(struct record *r)
{
    return unescape(r->a, record_text(r));
}

struct str record_decoded(struct record *r, uint32_t from, uint32_t n)
{
    struct str s = str_of(r->p + from, n);
    if (split_slash(r->sp, from, from + n) && memchr(s.p, '\\', n) != NULL)
        return unescape(r->a, s);
    return s;
}

static struct val val_of(struct record *r, const struct field *f)
{
    struct val v = {.s = str_of(r->p + f->val, f->val_n), .at = f->at};
    switch (r->p[f->val]) {
    case '{': v.kind = VAL_OBJ; break;
    case '[': v.kind = VAL_ARR; break;
    case '"':
        v.kind = VAL_STR;
        v.s = record_decoded(r, f->val + 1, f->val_n - 2);
        break;
    case 't': v.kind = VAL_TRUE; break;
    case 'f': v.kind = VAL_FALSE; break;
    case 'n': v.kind = VAL_NULL; break;
    default: v.kind = VAL_NUM; break;
    }
    return v;
}

struct gather {
    struct record *r;
    struct vals *to;
    size_t cap;
    bool flatten;
    int depth;
};

static void put(struct gather *g, struct val v)
{
    struct vals *to = g->to;
    if (to->n == 0) { /* most often the only one */
        to->one = v;
        to->v = &to->one;
        g->cap = 1;
    } else if (to->n == g->cap) {
        to->v = vec_grow(g->r->a, to->v, to->n, &g->cap, sizeof *to->v);
    }
    if (to->n > 0)
        to->v[to->n] = v;
    to->n++;
}

static void gather_elements(struct gather *g, size_t at);

static void gather_one(struct gather *g, const struct field *f)
{
    g->to->present = true;
    if (g->to->n >= VALUES_MAX)
        return;
    struct val v = val_of(g->r, f);
    if (v.kind == VAL_ARR && g->flatten && g->depth < RECORD_DEPTH_MAX) {
        g->depth++;
        gather_elements(g, f->at);
        g->depth--;
        return;
    }
    put(g, v);
}

/* The element between at[i] and the next ',' or ']'; false at the end or at a fault. */
static bool element(struct record *r, size_t *i, struct field *f)
{
    const struct split *sp = r->sp;
    const char *p = r->p;
    if (*i + 1 >= sp->n || p[sp->at[*i]] == ']')
        return false;
    uint32_t from = sp->at[*i] + 1, to = sp->at[*i + 1];
    char c = p[to];
    trim(p, &from, &to);
    *f = (struct field){.val = from, .val_n = to - from};
    if (c == '{' || c == '[') {
        size_t k = record_skip(p, sp, *i + 1);
        if (k >= sp->n || from != to)
            return false;
        *f = (struct field){.val = sp->at[*i + 1], .val_n = sp->at[k - 1] + 1 - sp->at[*i + 1],
                            .at = (uint32_t)*i + 1};
        *i = k;
        return true;
    }
    *i += 1;
    return from != to && record_scalar_fault(p, from, to) == NULL;
}

static void gather_elements(struct gather *g, size_t at)
{
    struct field f;
    size_t i = at;
    while (element(g->r, &i, &f)) {
        if (g->r->p[f.val] == '{')
            g->to->spread = true;
        gather_one(g, &f);
    }
}

static bool key_equal(struct record *r, const struct field *f, const struct path *path)
{
    if (f->hash != path->hash)
        return false;
    if (f->key_n == path->key.n && memcmp(r->p + f->key, path->key.p, f->key_n) == 0)
        return true;
    return split_slash(r->sp, f->key, f->key + f->key_n) &&
           str_eq(record_decoded(r, f->key, f->key_n), path->key);
}

static void gather_fields(struct gather *g, const struct field *f, size_t n,
                          const struct path *path)
{
    for (size_t i = 0; i < n; i++) {
        if (key_equal(g->r, &f[i], path))
            gather_one(g, &f[i]);
    }
}

static void gather_key(struct gather *g, uint32_t at, const struct path *path)
{
    const struct object *o = record_object(g->r, at);
    gather_fields(g, g->r->fields + o->from, o->n, path);
}

static void gather_members(struct gather *g, uint32_t at)
{
    const struct object *o = record_object(g->r, at);
    for (uint32_t i = 0; i < o->n; i++)
        gather_one(g, &g->r->fields[o->from + i]);
}

static void gather_index(struct gather *g, const struct val *arr, uint32_t index)
{
    struct field f;
    size_t i = arr->at;
    for (uint32_t k = 0; element(g->r, &i, &f); k++) {
        if (k == index) {
            gather_one(g, &f);
            return;
        }
    }
}

static void gather_below(struct gather *g, const struct path *path)
{
    struct record *r = g->r;
    const struct vals *up = record_get(r, path->parent);
    g->to->spread = up->spread;
    for (uint32_t i = 0; i < up->n; i++) {
        if (path->kind == PATH_KEY && up->v[i].kind == VAL_OBJ)
            gather_key(g, up->v[i].at, path);
        else if (path->kind == PATH_INDEX && path->index == PATH_ANY && up->v[i].kind == VAL_OBJ)
            gather_members(g, up->v[i].at);
        else if (path->kind == PATH_INDEX && up->v[i].kind == VAL_ARR)
            gather_index(g, &up->v[i], path->index);
    }
}

const struct vals *record_get(struct record *r, uint32_t id)
{
    CHECK(id < r->memo_n);
    struct vals *m = &r->memo[id];
    if (m->gen == r->gen)
        return m;
    const struct path *path = &r->paths->v[id];
    struct gather g = {.r = r, .to = m, .flatten = path->spread};
    m->gen = r->gen;
    m->n = 0;
    m->present = m->spread = false;
    if (path->kind == PATH_ROOT) {
        put(&g, (struct val){.kind = VAL_OBJ, .s = record_text(r), .at = (uint32_t)r->first});
    } else if (path->kind == PATH_VIRTUAL) {
        struct val v = {.kind = VAL_STR, .s = record_virtual(r, (enum virtual_kind)path->index)};
        if (v.s.p != NULL)
            put(&g, v);
        m->present = v.s.p != NULL;
    } else if (path->slot >= 0 && r->slot[path->slot].p != NULL && !r->odd && !r->duplicate) {
        put(&g, (struct val){.kind = VAL_STR, .s = record_slot(r, (enum slot)path->slot)});
        m->present = true;
    } else if (path->kind != PATH_KEY || path->parent != 0) {
        gather_below(&g, path);
    } else if (r->n_top == RECORD_TOP_MAX) {
        gather_key(&g, (uint32_t)r->first, path);
    } else {
        gather_fields(&g, r->top, r->n_top, path);
    }
    return m;
}

bool record_element(struct record *r, const struct val *list, size_t *at, struct val *out)
{
    struct field f;
    if (*at == 0)
        *at = list->at;
    if (!element(r, at, &f))
        return false;
    *out = val_of(r, &f);
    return true;
}

bool record_member(struct record *r, const struct val *obj, struct str key, size_t *at,
                   struct val *out)
{
    const struct object *o = record_object(r, obj->at);
    const struct path path = {.key = key, .hash = key_hash(key.p, key.n, key.n)};
    while (*at < o->n) {
        const struct field *x = &r->fields[o->from + (*at)++];
        if (key_equal(r, x, &path)) {
            *out = val_of(r, x);
            return true;
        }
    }
    return false;
}

struct str record_str(struct record *r, uint32_t path)
{
    const struct vals *v = record_get(r, path);
    if (v->n == 0 || v->v[0].kind == VAL_OBJ || v->v[0].kind == VAL_ARR || v->v[0].kind == VAL_NULL)
        return STR_NONE;
    return v->v[0].s;
}

struct str record_slot(struct record *r, enum slot slot)
{
    struct str s = r->slot[slot];
    if (s.p != NULL)
        return record_decoded(r, (uint32_t)(s.p - r->p), (uint32_t)s.n);
    return s;
}

/* https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-cloudtrail-delivery.html */
static struct str detail_type(struct record *r)
{
    struct str type = record_slot(r, SLOT_TYPE);
    if (str_is(type, "AwsConsoleSignIn"))
        return STR("AWS Console Sign In via CloudTrail");
    if (str_is(type, "AwsConsoleAction"))
        return STR("AWS Console Action via CloudTrail");
    if (str_is(type, "AwsServiceEvent"))
        return STR("AWS Service Event via CloudTrail");
    if (str_is(type, "AwsCloudTrailInsight"))
        return STR("AWS Insight via CloudTrail");
    return STR("AWS API Call via CloudTrail");
}

struct str record_virtual(struct record *r, enum virtual_kind kind)
{
    if (kind == VIRT_DETAIL_TYPE)
        return detail_type(r);
    if (kind == VIRT_VERSION)
        return STR("0");
    struct str s = record_slot(r, SLOT_SOURCE);
    if (s.p == NULL)
        return STR_NONE;
    ptrdiff_t dot = str_find(s, STR(".amazonaws.com"));
    return arena_concat(r->a, STR("aws."), dot < 0 ? s : str_take(s, (size_t)dot));
}

