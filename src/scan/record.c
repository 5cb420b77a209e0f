#include "record.h"

static const signed char depth_of[256] = {['{'] = 1, ['['] = 1, ['}'] = -1, [']'] = -1};

static inline bool blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The index behind the container that opens at at[i]; n + 1 when it does not close. */
static size_t skip(const char *p, const struct split *sp, size_t i)
{
    int depth = 0;
    const uint32_t *at = sp->at;
    size_t n = sp->n;
    for (; i < n; i++) {
        depth += depth_of[(unsigned char)p[at[i]]];
        if (depth == 0)
            return i + 1;
        if (depth > RECORD_DEPTH_MAX)
            return n + 2;
    }
    return n + 1;
}

static inline void trim(const char *p, uint32_t *from, uint32_t *to)
{
    while (*from < *to && blank(p[*from]))
        (*from)++;
    while (*from < *to && blank(p[*to - 1]))
        (*to)--;
}

/* One member of an object whose key begins behind at[i]. */
struct member {
    struct field f;
    size_t next; /* index of the ',' or '}' behind it */
};

static const char *scalar_fault(const char *p, uint32_t from, uint32_t to)
{
    if (from == to)
        return "a value is missing";
    char c = p[from];
    if (c == '"')
        return to - from >= 2 && p[to - 1] == '"' ? NULL : "a string does not end";
    if (c == '-' || (c >= '0' && c <= '9') || c == 't' || c == 'f' || c == 'n')
        return NULL;
    return "a value is not JSON";
}

static enum walk member_read(const char *p, const struct split *sp, size_t i, struct member *m,
                             const char **why)
{
    const uint32_t *at = sp->at;
    if (i + 2 >= sp->n + 0 && i + 1 >= sp->n)
        return WALK_MORE;
    uint32_t kf = at[i] + 1, kt = at[i + 1];
    if (p[kt] != ':') {
        *why = "a name without a value";
        return WALK_BAD;
    }
    trim(p, &kf, &kt);
    if (kt - kf < 2 || p[kf] != '"' || p[kt - 1] != '"') {
        *why = "a name is not a string";
        return WALK_BAD;
    }
    m->f.key = kf + 1;
    m->f.key_n = kt - kf - 2;
    size_t j = i + 2;
    if (j >= sp->n)
        return WALK_MORE;
    uint32_t vf = at[i + 1] + 1, vt = at[j];
    char c = p[vt];
    trim(p, &vf, &vt);
    m->f.val = vf;
    m->f.at = 0;
    if (c == '{' || c == '[') {
        if (vf != vt) {
            *why = "text before a bracket";
            return WALK_BAD;
        }
        m->f.val = at[j];
        m->f.at = (uint32_t)j;
        size_t k = skip(p, sp, j);
        if (k > sp->n + 1) {
            *why = "nested deeper than 128 levels";
            return WALK_BAD;
        }
        if (k >= sp->n)
            return WALK_MORE;
        m->f.val_n = at[k - 1] + 1 - m->f.val;
        uint32_t rf = at[k - 1] + 1, rt = at[k];
        trim(p, &rf, &rt);
        if (rf != rt) {
            *why = "text behind a bracket";
            return WALK_BAD;
        }
        m->next = k;
    } else {
        m->f.val_n = vt - vf;
        *why = scalar_fault(p, vf, vt);
        if (*why != NULL)
            return WALK_BAD;
        m->next = j;
    }
    char end = p[at[m->next]];
    if (end != ',' && end != '}') {
        *why = "neither ',' nor '}' behind a value";
        return WALK_BAD;
    }
    return WALK_OK;
}

static inline bool key_is(const char *p, const struct field *f, const char *name, size_t n)
{
    return f->key_n == n && memcmp(p + f->key, name, n) == 0;
}

static void slot_put(struct record *r, enum slot slot, const struct field *f)
{
    if (r->slot[slot].p != NULL) {
        r->odd = r->duplicate = true;
        return;
    }
    if (r->p[f->val] != '"') {
        /* null is like none only to some languages: let record_get() tell. */
        r->odd = r->odd || slot < SLOT_TUPLE;
        return;
    }
    r->slot[slot] = str_of(r->p + f->val + 1, f->val_n - 2);
    if (split_slash(r->sp, f->val, f->val + f->val_n) &&
        memchr(r->p + f->val, '\\', f->val_n) != NULL)
        r->odd = true;
}

static void identity_slots(struct record *r, const struct field *f)
{
    const char *p = r->p;
    if (f->at == 0 || p[f->val] != '{')
        return;
    size_t i = f->at;
    const char *why;
    struct member m;
    uint32_t open = r->sp->at[i] + 1, close = r->sp->at[i + 1];
    trim(p, &open, &close);
    if (p[r->sp->at[i + 1]] == '}' && open == close)
        return;
    while (member_read(p, r->sp, i, &m, &why) == WALK_OK) {
        if (key_is(p, &m.f, "type", 4))
            slot_put(r, SLOT_IDENTITY, &m.f);
        else if (split_slash(r->sp, m.f.key, m.f.key + m.f.key_n) &&
                 memchr(p + m.f.key, '\\', m.f.key_n) != NULL)
            r->odd = true;
        if (p[r->sp->at[m.next]] == '}')
            return;
        i = m.next;
    }
    r->odd = true; /* broken inside: the full check will say so */
}

static void top_member(struct record *r, const struct field *f)
{
    const char *p = r->p;
    const char *k = p + f->key;
    switch (f->key_n) {
    case 7:
        if (memcmp(k, "eventID", 7) == 0)
            slot_put(r, SLOT_ID, f);
        break;
    case 9:
        if (memcmp(k, "eventName", 9) == 0)
            slot_put(r, SLOT_NAME, f);
        else if (memcmp(k, "eventTime", 9) == 0)
            slot_put(r, SLOT_TIME, f);
        else if (memcmp(k, "eventType", 9) == 0)
            slot_put(r, SLOT_TYPE, f);
        else if (memcmp(k, "errorCode", 9) == 0)
            slot_put(r, SLOT_ERROR, f);
        else if (memcmp(k, "awsRegion", 9) == 0)
            slot_put(r, SLOT_REGION, f);
        else if (memcmp(k, "userAgent", 9) == 0)
            slot_put(r, SLOT_AGENT, f);
        break;
    case 10:
        if (memcmp(k, "@timestamp", 10) == 0)
            slot_put(r, SLOT_STAMP, f);
        break;
    case 11:
        if (memcmp(k, "eventSource", 11) == 0)
            slot_put(r, SLOT_SOURCE, f);
        break;
    case 12:
        if (memcmp(k, "userIdentity", 12) == 0)
            identity_slots(r, f);
        break;
    case 15:
        if (memcmp(k, "sourceIPAddress", 15) == 0)
            slot_put(r, SLOT_ADDRESS, f);
        break;
    case 18:
        if (memcmp(k, "recipientAccountId", 18) == 0)
            slot_put(r, SLOT_ACCOUNT, f);
        break;
    default: break;
    }
    /* "event\u004eame" is eventName too. */
    if (split_slash(r->sp, f->key, f->key + f->key_n) && memchr(k, '\\', f->key_n) != NULL)
        r->odd = true;
}

static enum walk walk_members(struct record *r, size_t i, bool top, size_t *out_i,
                              const char **why, size_t *where)
{
    const char *p = r->p;
    const struct split *sp = r->sp;
    for (;;) {
        struct member m;
        *where = i < sp->n ? sp->at[i] : 0;
        enum walk w = member_read(p, sp, i, &m, why);
        if (top && i + 2 < sp->n && (w == WALK_OK || w == WALK_MORE) &&
            key_is(p, &m.f, "Records", 7)) {
            if (p[sp->at[i + 2]] == '[' && m.f.at == i + 2) {
                *out_i = i + 2;
                return WALK_RECORDS;
            }
            if (w == WALK_OK) {
                *why = "\"Records\" is not a list";
                return WALK_BAD;
            }
        }
        if (w != WALK_OK)
            return w;
        if (r->n_top < RECORD_TOP_MAX)
            r->top[r->n_top++] = m.f;
        else
            r->odd = true; /* record_get() will walk again */
        top_member(r, &m.f);
        if (p[sp->at[m.next]] == '}') {
            r->last = m.next;
            return WALK_OK;
        }
        i = m.next;
    }
}

enum walk record_walk(struct record *r, const char *p, const struct split *sp, size_t i, bool top,
                      size_t *out_i, const char **out_why, size_t *out_at)
{
    r->p = p;
    r->sp = sp;
    r->first = i;
    r->n_top = 0;
    r->odd = r->duplicate = false;
    for (int s = 0; s < SLOT_COUNT; s++)
        r->slot[s] = STR_NONE;
    *out_at = sp->at[i];
    if (i + 1 >= sp->n)
        return WALK_MORE;
    uint32_t from = sp->at[i] + 1, to = sp->at[i + 1];
    trim(p, &from, &to);
    if (p[sp->at[i + 1]] == '}' && from == to) {
        r->last = i + 1;
        return WALK_OK;
    }
    return walk_members(r, i, top, out_i, out_why, out_at);
}

struct str record_text(const struct record *r)
{
    uint32_t from = r->sp->at[r->first];
    return str_of(r->p + from, r->sp->at[r->last] + 1 - from);
}

enum { RECORD_ARENA_BYTES = 8 * 1024 * 1024 };

void record_init(struct record *r, const struct paths *paths)
{
    memset(r, 0, sizeof *r);
    r->paths = paths;
    r->a = arena_new(RECORD_ARENA_BYTES);
    r->gen = 1;
}

void record_clear(struct record *r)
{
    free(r->memo);
    arena_free(r->a);
    memset(r, 0, sizeof *r);
}

void record_next(struct record *r)
{
    if (r->memo_n < r->paths->n) {
        free(r->memo);
        r->memo_n = r->paths->n;
        r->memo = calloc(r->memo_n, sizeof *r->memo);
        CHECK(r->memo != NULL);
        r->gen = 0;
    }
    r->gen++;
    if (r->gen == 0) { /* came round: no old mark may look new */
        memset(r->memo, 0, r->memo_n * sizeof *r->memo);
        r->gen = 1;
    }
    if (arena_used(r->a) > 0)
        arena_reset(r->a);
}

/* -- values -- */
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

static struct str decoded(struct record *r, uint32_t from, uint32_t n)
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
        v.s = decoded(r, f->val + 1, f->val_n - 2);
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
    VEC(struct val) out;
    bool present, spread, flatten;
    int depth;
};

static void gather_elements(struct gather *g, size_t at);

static void gather_one(struct gather *g, const struct field *f)
{
    g->present = true;
    if (g->out.n >= VALUES_MAX)
        return;
    struct val v = val_of(g->r, f);
    if (v.kind == VAL_ARR && g->flatten && g->depth < RECORD_DEPTH_MAX) {
        g->depth++;
        gather_elements(g, f->at);
        g->depth--;
        return;
    }
    VEC_PUSH(g->r->a, &g->out, v);
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
        size_t k = skip(p, sp, *i + 1);
        if (k >= sp->n || from != to)
            return false;
        *f = (struct field){.val = sp->at[*i + 1], .val_n = sp->at[k - 1] + 1 - sp->at[*i + 1],
                            .at = (uint32_t)*i + 1};
        *i = k;
        return true;
    }
    *i += 1;
    return from != to && scalar_fault(p, from, to) == NULL;
}

static void gather_elements(struct gather *g, size_t at)
{
    struct field f;
    size_t i = at;
    while (element(g->r, &i, &f)) {
        if (g->r->p[f.val] == '{')
            g->spread = true;
        gather_one(g, &f);
    }
}

static bool key_equal(struct record *r, const struct field *f, struct str key)
{
    if (f->key_n == key.n && memcmp(r->p + f->key, key.p, key.n) == 0)
        return true;
    return split_slash(r->sp, f->key, f->key + f->key_n) &&
           str_eq(decoded(r, f->key, f->key_n), key);
}

static void gather_key(struct gather *g, const struct val *obj, struct str key)
{
    struct record *r = g->r;
    struct member m;
    const char *why;
    size_t i = obj->at;
    while (i + 1 < r->sp->n && member_read(r->p, r->sp, i, &m, &why) == WALK_OK) {
        if (key_equal(r, &m.f, key))
            gather_one(g, &m.f);
        if (r->p[r->sp->at[m.next]] == '}')
            return;
        i = m.next;
    }
}

static void gather_top(struct gather *g, struct str key)
{
    struct record *r = g->r;
    if (r->n_top == RECORD_TOP_MAX) {
        struct val root = {.kind = VAL_OBJ, .at = (uint32_t)r->first};
        gather_key(g, &root, key);
        return;
    }
    for (uint32_t i = 0; i < r->n_top; i++) {
        if (key_equal(r, &r->top[i], key))
            gather_one(g, &r->top[i]);
    }
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

const struct vals *record_get(struct record *r, uint32_t id)
{
    CHECK(id < r->memo_n);
    struct vals *m = &r->memo[id];
    if (m->gen == r->gen)
        return m;
    const struct path *path = &r->paths->v[id];
    struct gather g = {.r = r, .flatten = path->spread};
    if (path->kind == PATH_ROOT) {
        struct val root = {.kind = VAL_OBJ, .s = record_text(r), .at = (uint32_t)r->first};
        VEC_PUSH(r->a, &g.out, root);
    } else if (path->kind == PATH_VIRTUAL) {
        struct val v = {.kind = VAL_STR, .s = record_virtual(r, (enum virtual_kind)path->index)};
        if (v.s.p != NULL) {
            VEC_PUSH(r->a, &g.out, v);
            g.present = true;
        }
    } else if (path->kind == PATH_KEY && path->parent == 0) {
        gather_top(&g, path->key);
    } else {
        const struct vals *up = record_get(r, path->parent);
        g.spread = up->spread;
        for (uint32_t i = 0; i < up->n; i++) {
            if (path->kind == PATH_KEY && up->v[i].kind == VAL_OBJ)
                gather_key(&g, &up->v[i], path->key);
            else if (path->kind == PATH_INDEX && up->v[i].kind == VAL_ARR)
                gather_index(&g, &up->v[i], path->index);
        }
    }
    *m = (struct vals){.gen = r->gen, .n = (uint32_t)g.out.n, .v = g.out.v, .present = g.present,
                       .spread = g.spread};
    return m;
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
    if (s.p != NULL && memchr(s.p, '\\', s.n) != NULL)
        return unescape(r->a, s);
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

/* -- paths -- */
static const struct {
    const char *key;
    enum slot slot;
} slot_keys[] = {
    {"eventSource", SLOT_SOURCE}, {"eventName", SLOT_NAME}, {"errorCode", SLOT_ERROR},
    {"eventType", SLOT_TYPE},     {"eventTime", SLOT_TIME}, {"eventID", SLOT_ID},
    {"awsRegion", SLOT_REGION},   {"recipientAccountId", SLOT_ACCOUNT},
    {"sourceIPAddress", SLOT_ADDRESS}, {"userAgent", SLOT_AGENT},
};

static int slot_of(const struct paths *ps, const struct path *p)
{
    if (p->kind != PATH_KEY)
        return -1;
    if (p->parent == 0) {
        for (size_t i = 0; i < ARRAY_LEN(slot_keys); i++) {
            if (str_is(p->key, slot_keys[i].key))
                return (int)slot_keys[i].slot;
        }
        return -1;
    }
    const struct path *up = &ps->v[p->parent];
    if (up->kind == PATH_KEY && up->parent == 0 && str_is(up->key, "userIdentity") &&
        str_is(p->key, "type"))
        return SLOT_IDENTITY;
    return -1;
}

static uint32_t path_intern(struct paths *ps, struct path p)
{
    for (uint32_t i = 0; i < ps->n; i++) {
        const struct path *q = &ps->v[i];
        if (q->kind == p.kind && q->parent == p.parent && q->spread == p.spread &&
            q->index == p.index && str_eq(q->key, p.key))
            return i;
    }
    if (ps->n >= PATH_MAX_COUNT)
        return UINT32_MAX;
    if (ps->n == ps->cap) {
        uint32_t cap = ps->cap == 0 ? 64 : ps->cap * 2;
        struct path *v = ARENA_ARRAY(ps->a, cap, struct path);
        if (ps->n > 0)
            memcpy(v, ps->v, ps->n * sizeof *v);
        ps->v = v;
        ps->cap = cap;
    }
    p.key = arena_str(ps->a, p.key);
    p.slot = slot_of(ps, &p);
    struct str up = ps->n > 0 ? ps->v[p.parent].text : STR("");
    if (p.kind == PATH_INDEX)
        p.text = arena_fmt(ps->a, "%.*s[%u]", STR_ARG(up), p.index);
    else
        p.text = arena_fmt(ps->a, "%.*s%s%.*s", STR_ARG(up), up.n > 0 ? "." : "", STR_ARG(p.key));
    ps->v[ps->n] = p;
    return ps->n++;
}

void paths_init(struct paths *ps, struct arena *a)
{
    *ps = (struct paths){.a = a};
    path_intern(ps, (struct path){.kind = PATH_ROOT, .key = STR("")});
}

uint32_t path_key(struct paths *ps, uint32_t parent, struct str key, bool spread)
{
    if (parent == UINT32_MAX)
        return UINT32_MAX;
    return path_intern(ps, (struct path){.kind = PATH_KEY, .parent = parent, .key = key,
                                         .spread = spread});
}

uint32_t path_index(struct paths *ps, uint32_t parent, uint32_t index)
{
    if (parent == UINT32_MAX)
        return UINT32_MAX;
    return path_intern(ps, (struct path){.kind = PATH_INDEX, .parent = parent, .index = index,
                                         .key = STR("")});
}

uint32_t path_virtual(struct paths *ps, enum virtual_kind kind)
{
    static const char *const names[VIRT_COUNT] = {"source", "detail-type", "version"};
    return path_intern(ps, (struct path){.kind = PATH_VIRTUAL, .key = str_c(names[kind]),
                                         .index = (uint32_t)kind});
}

uint32_t path_dotted(struct paths *ps, struct str dotted, bool spread)
{
    uint32_t at = 0;
    struct str rest = dotted;
    while (rest.p != NULL)
        at = path_key(ps, at, str_cut(&rest, '.'), spread);
    return at;
}
