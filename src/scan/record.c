/* Walking: where a record ends, its top members, and the values that rules are told apart by. */
#include "record_int.h"

#include <stdatomic.h>

/* Where the split is handed on as `at` and `n`: they stay in registers over what is written. */
static inline size_t skip(const char *p, const uint32_t *at, size_t n, size_t i)
{
    int depth = 0;
    for (; i < n; i++) {
        depth += bracket(p[at[i]]);
        if ((unsigned)depth - 1 >= (unsigned)RECORD_DEPTH_MAX)
            return depth == 0 ? i + 1 : n + 2;
    }
    return n + 1;
}

size_t record_skip(const char *p, const struct split *sp, size_t i)
{
    return skip(p, sp->at, sp->n, i);
}

/* One member of an object whose key begins behind at[i]. */
struct member {
    struct field *f; /* where it is to stand: copying what was just written stalls */
    size_t next;     /* index of the ',' or '}' behind it */
};

const char *record_scalar_fault(const char *p, uint32_t from, uint32_t to)
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

static enum walk container(const char *p, const struct split *sp, size_t j, struct member *m,
                           const char **why)
{
    const uint32_t *at = sp->at;
    size_t k = record_skip(p, sp, j);
    if (k > sp->n + 1) {
        *why = "nested deeper than 128 levels";
        return WALK_BAD;
    }
    m->f->val = at[j];
    m->f->at = (uint32_t)j;
    if (k >= sp->n)
        return WALK_MORE;
    m->f->val_n = at[k - 1] + 1 - m->f->val;
    uint32_t rf = at[k - 1] + 1, rt = at[k];
    trim(p, &rf, &rt);
    if (rf != rt) {
        *why = "text behind a bracket";
        return WALK_BAD;
    }
    m->next = k;
    return WALK_OK;
}

static enum walk value_read(const char *p, const struct split *sp, size_t j, uint32_t vf,
                            struct member *m, const char **why)
{
    uint32_t vt = sp->at[j];
    char c = p[vt];
    trim(p, &vf, &vt);
    if (c == '{' || c == '[') {
        if (vf != vt) {
            *why = "text before a bracket";
            return WALK_BAD;
        }
        return container(p, sp, j, m, why);
    }
    m->f->val = vf;
    m->f->val_n = vt - vf;
    m->next = j;
    *why = record_scalar_fault(p, vf, vt);
    return *why == NULL ? WALK_OK : WALK_BAD;
}

static enum walk name_read(const char *p, uint32_t kf, uint32_t kt, struct member *m,
                           const char **why)
{
    if (p[kt] != ':') {
        *why = "a name without a value";
        return WALK_BAD;
    }
    trim(p, &kf, &kt);
    if (kt - kf < 2 || p[kf] != '"' || p[kt - 1] != '"') {
        *why = "a name is not a string";
        return WALK_BAD;
    }
    m->f->key = kf + 1;
    m->f->key_n = kt - kf - 2;
    return WALK_OK;
}

static inline bool ends_member(char c)
{
    return c == ',' || c == '}';
}

static enum walk member_slow(const char *p, const struct split *sp, size_t i, struct member *m,
                             const char **why)
{
    const uint32_t *at = sp->at;
    if (i + 1 >= sp->n)
        return WALK_MORE;
    enum walk w = name_read(p, at[i] + 1, at[i + 1], m, why);
    if (w != WALK_OK)
        return w;
    m->f->at = 0;
    if (i + 2 >= sp->n)
        return WALK_MORE;
    w = value_read(p, sp, i + 2, at[i + 1] + 1, m, why);
    if (w != WALK_OK)
        return w;
    if (!ends_member(p[at[m->next]])) {
        *why = "neither ',' nor '}' behind a value";
        return WALK_BAD;
    }
    return WALK_OK;
}

static inline uint16_t two(const char *p)
{
    uint16_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

#define TWO(a, b) (two((const char[2]){a, b}))

/* Names and values as CloudTrail writes them, without blanks. false: otherwise, or wrong, or not
 * whole. */
static inline bool name_fast(const char *p, const struct split *sp, size_t i, struct field *f)
{
    if (i + 2 >= sp->n)
        return false;
    uint32_t kf = sp->at[i] + 1, kt = sp->at[i + 1];
    f->key = kf + 1;
    f->key_n = kt - kf - 2;
    return two(p + kt - 1) == TWO('"', ':') && p[kf] == '"' && kt - kf >= 2;
}

/* The index behind the value; 0 for false. */
static inline size_t value_fast(const char *p, const uint32_t *at, size_t n, size_t i,
                                struct field *f)
{
    uint32_t vf = at[i + 1] + 1, vt = at[i + 2], opens = 0;
    size_t next = i + 2;
    char c = p[vf];
    if (__builtin_expect(c == '"', 1)) {
        if (p[vt - 1] != '"' || vt - vf < 2)
            return 0;
    } else if (c == '{' || c == '[') {
        opens = (uint32_t)next;
        next = skip(p, at, n, next);
        if (next >= n || at[next] != at[next - 1] + 1)
            return 0;
        vt = at[next];
    } else if (blank(p[vt - 1]) ||
               !(c == 't' || c == 'f' || c == 'n' || c == '-' || (c >= '0' && c <= '9'))) {
        return 0;
    }
    f->val = vf;
    f->val_n = vt - vf;
    f->at = opens;
    return ends_member(p[vt]) ? next : 0;
}

/* "event\u004eame" is eventName too. */
static inline bool escaped_name(const struct record *r, const struct field *f)
{
    return split_slash(r->sp, f->key, f->key + f->key_n) &&
           memchr(r->p + f->key, '\\', f->key_n) != NULL;
}

static inline void hash_name(struct record *r, struct field *f)
{
    if (__builtin_expect(escaped_name(r, f), 0)) {
        struct str s = record_decoded(r, f->key, f->key_n);
        f->hash = key_hash(s.p, s.n, s.n);
    } else {
        f->hash = key_hash(r->p + f->key, f->key_n, r->sp->at[r->sp->n] - f->key);
    }
}

/* -- the members of objects, kept for the record -- */
static inline struct field *field_room(struct record *r)
{
    if (r->n_fields == r->fields_cap) {
        r->fields_cap = r->fields_cap == 0 ? 256 : r->fields_cap * 2;
        r->fields = realloc(r->fields, r->fields_cap * sizeof *r->fields);
        CHECK(r->fields != NULL);
    }
    return &r->fields[r->n_fields];
}

/* The index of the closing brace; 0: there is a fault before it. */
static uint32_t read_fields(struct record *r, uint32_t at)
{
    const char *p = r->p, *why;
    const struct split *sp = r->sp;
    if (at + 1 < sp->n && p[sp->at[at + 1]] == '}') {
        uint32_t from = sp->at[at] + 1, to = sp->at[at + 1];
        trim(p, &from, &to);
        if (from == to)
            return at + 1;
    }
    for (size_t i = at;;) {
        struct member m = {.f = field_room(r)};
        if (name_fast(p, sp, i, m.f))
            m.next = value_fast(p, sp->at, sp->n, i, m.f);
        if (m.next == 0 && member_slow(p, sp, i, &m, &why) != WALK_OK)
            return 0;
        hash_name(r, m.f);
        r->n_fields++;
        i = m.next;
        if (p[sp->at[i]] == '}')
            return (uint32_t)i;
    }
}

const struct object *record_object(struct record *r, uint32_t at)
{
    struct object *o = &r->objects[at % RECORD_OBJECTS];
    if (o->walk != r->walks || o->at != at) {
        *o = (struct object){.walk = r->walks, .at = at, .from = (uint32_t)r->n_fields};
        o->end = read_fields(r, at);
        o->n = (uint32_t)r->n_fields - o->from;
    }
    return o;
}

static void fields_forget(struct record *r)
{
    r->n_fields = 0;
    if (r->fields_cap > RECORD_FIELDS_KEPT) {
        free(r->fields);
        r->fields = NULL;
        r->fields_cap = 0;
    }
    if (++r->walks == 0) { /* came round: no old mark may look new */
        memset(r->objects, 0, sizeof r->objects);
        r->walks = 1;
    }
}

/* -- slots -- */
static const struct {
    const char *key;
    enum slot slot;
} slot_keys[] = {
    {"eventSource", SLOT_SOURCE}, {"eventName", SLOT_NAME}, {"errorCode", SLOT_ERROR},
    {"eventType", SLOT_TYPE},     {"eventTime", SLOT_TIME}, {"eventID", SLOT_ID},
    {"awsRegion", SLOT_REGION},   {"recipientAccountId", SLOT_ACCOUNT},
    {"sourceIPAddress", SLOT_ADDRESS}, {"userAgent", SLOT_AGENT},
    {"@timestamp", SLOT_STAMP},   {"userIdentity", SLOT_IDENTITY},
};

int record_key_slot(struct str key)
{
    for (size_t i = 0; i < ARRAY_LEN(slot_keys); i++) {
        if (str_is(key, slot_keys[i].key))
            return (int)slot_keys[i].slot;
    }
    return -1;
}

static void slot_names(struct record *r)
{
    for (size_t i = 0; i < ARRAY_LEN(slot_keys); i++) {
        struct str key = str_c(slot_keys[i].key);
        uint32_t hash = key_hash(key.p, key.n, key.n), at = hash % RECORD_NAMES;
        while (r->names[at].key.p != NULL)
            at = (at + 1) % RECORD_NAMES;
        r->names[at] = (struct slot_name){key, hash, slot_keys[i].slot};
    }
}

static inline void slot_put(struct record *r, enum slot slot, const struct field *f)
{
    bool tells = slot < SLOT_TUPLE;
    if (r->slot[slot].p != NULL) {
        r->duplicate = true;
        r->odd = r->odd || tells;
        return;
    }
    const char *p = r->p + f->val;
    if (*p != '"') {
        /* null is like none only to some languages: let record_get() tell. */
        r->odd = r->odd || tells;
        return;
    }
    r->slot[slot] = (struct str){p + 1, f->val_n - 2};
    if (tells && split_slash(r->sp, f->val, f->val + f->val_n) &&
        memchr(p, '\\', f->val_n) != NULL)
        r->odd = true;
}

static void identity_slots(struct record *r, const struct field *f)
{
    if (f->at == 0)
        return;
    if (r->p[f->val] != '{') { /* a list may hold objects that have a type */
        r->odd = true;
        return;
    }
    const struct object *o = record_object(r, f->at);
    for (uint32_t i = 0; i < o->n; i++) {
        const struct field *v = &r->fields[o->from + i];
        if (v->key_n == 4 && memcmp(r->p + v->key, "type", 4) == 0)
            slot_put(r, SLOT_IDENTITY, v);
        else if (escaped_name(r, v))
            r->odd = true;
    }
    if (o->end == 0)
        r->odd = true; /* broken inside: the full check will say so */
}

/* Names of 8 to 24 bytes, as all slots but one have. */
static inline bool name_is(const char *p, const struct field *f, struct str key)
{
    uint64_t a[3], b[3];
    if (f->key_n != key.n)
        return false;
    if (key.n < 8 || key.n > 24)
        return memcmp(p + f->key, key.p, key.n) == 0;
    const char *q = p + f->key;
    size_t mid = (key.n - 8) / 2;
    memcpy(&a[0], q, 8), memcpy(&b[0], key.p, 8);
    memcpy(&a[1], q + mid, 8), memcpy(&b[1], key.p + mid, 8);
    memcpy(&a[2], q + key.n - 8, 8), memcpy(&b[2], key.p + key.n - 8, 8);
    return a[0] == b[0] && a[1] == b[1] && a[2] == b[2];
}

/* The slot of a top member's name; -1: none. */
static int name_slot(const struct record *r, const struct field *f)
{
    for (uint32_t at = f->hash % RECORD_NAMES; r->names[at].key.p != NULL;
         at = (at + 1) % RECORD_NAMES) {
        const struct slot_name *s = &r->names[at];
        if (s->hash == f->hash && name_is(r->p, f, s->key))
            return (int)s->slot;
    }
    return -1;
}

static inline void top_slot(struct record *r, int slot, const struct field *f)
{
    const struct identity *known = r->known_identity;
    if (slot < 0)
        return;
    if (slot != SLOT_IDENTITY) {
        slot_put(r, (enum slot)slot, f);
    } else if (known == NULL || f->val != r->known_at) {
        identity_slots(r, f);
    } else if (known->type_n > 0) {
        slot_put(r, SLOT_IDENTITY, &(struct field){.val = f->val + known->type,
                                                   .val_n = known->type_n});
    }
}

/* -- guesses: records of one kind have the same names in the same order -- */
enum { GUESS_MIN = 6, GUESS_MAX = 21 };

static inline uint64_t word(const char *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* The name between at[i] and at[i + 1], if it is written without blanks; *next: the guess to begin
 * with. Behind the last one there are some that no name is like. */
static inline const struct guess *guessed(const char *p, const uint32_t *at,
                                          const struct guess **next)
{
    uint32_t n = at[1] - at[0] - 1;
    p += at[0] + 1;
    for (const struct guess *g = *next; g < *next + GUESS_AHEAD; g++) {
        if (g->n == n && ((word(p) ^ g->head) | (word(p + g->mid_at) ^ g->mid) |
                          (word(p + n - 7) ^ g->tail)) == 0) {
            *next = g + 1;
            return g;
        }
    }
    return NULL;
}

static bool is_asked(const struct paths *ps, uint32_t hash)
{
    for (uint32_t i = 1; i < ps->n; i++) {
        if (ps->v[i].parent == 0 && ps->v[i].hash == hash)
            return true;
    }
    return false;
}

static void guesses_forget(struct record *r)
{
    for (size_t i = 0; i < ARRAY_LEN(r->guesses); i++)
        r->guesses[i].n = UINT32_MAX;
    r->n_guesses = 0;
    r->guesses_for = r->paths->n;
}

static void learn(struct record *r, const struct field *f, int slot, const struct guess **next)
{
    const char *p = r->p + f->key - 1;
    if (f->key_n < GUESS_MIN || f->key_n > GUESS_MAX || r->n_guesses == RECORD_GUESSES)
        return;
    struct guess g = {.n = f->key_n + 2, .hash = f->hash, .slot = slot,
                      .mid_at = f->key_n + 3 > 16 ? 8 : 0,
                      .asked = is_asked(r->paths, f->hash)};
    for (uint32_t i = 0; i < r->n_guesses; i++) {
        if (r->guesses[i].hash == f->hash && r->guesses[i].n == g.n)
            return; /* stands elsewhere in the order */
    }
    g.head = word(p);
    g.mid = word(p + g.mid_at);
    g.tail = word(p + g.n - 7);
    size_t at = (size_t)(*next - r->guesses);
    memmove(&r->guesses[at + 1], &r->guesses[at], (r->n_guesses - at) * sizeof *r->guesses);
    r->guesses[at] = g;
    r->n_guesses++;
    (*next)++;
}

/* -- identities -- */
enum { KNOWN_MIN = 16 };

static inline void known_is(struct record *r, const struct identity *x, uint32_t at)
{
    r->known_identity = x;
    r->known_at = at;
}

/* The index behind the identity that opens at at[j], if it stood in records before; else 0. */
static inline size_t known_end(struct record *r, size_t j)
{
    const struct split *sp = r->sp;
    const char *p = r->p + sp->at[j];
    size_t room = sp->at[sp->n] - sp->at[j];
    for (const struct identity *x = r->known; x < r->known + RECORD_KNOWN; x++) {
        if (x->n > 0 && x->n < room && j + x->structure < sp->n &&
            word(x->text + x->n / 2) == word(p + x->n / 2) && memcmp(x->text, p, x->n) == 0) {
            known_is(r, x, sp->at[j]);
            return j + x->structure;
        }
    }
    return 0;
}

static void learn_identity(struct record *r, const struct object *o)
{
    static atomic_uint_fast64_t last_id;
    const uint32_t *at = r->sp->at;
    uint32_t from = at[o->at], n = at[o->end] + 1 - from, types = 0;
    struct identity *x = &r->known[r->known_next];
    if (n < KNOWN_MIN || n > RECORD_KNOWN_BYTES || split_slash(r->sp, from, from + n))
        return;
    x->type = x->type_n = 0;
    for (uint32_t i = 0; i < o->n; i++) {
        const struct field *f = &r->fields[o->from + i];
        if (f->key_n == 4 && memcmp(r->p + f->key, "type", 4) == 0) {
            x->type = f->val - from;
            x->type_n = f->val_n;
            types++;
        }
    }
    x->n = 0;
    if (types > 1)
        return;
    memcpy(x->text, r->p + from, n);
    x->n = n;
    x->structure = o->end + 1 - o->at;
    x->id = atomic_fetch_add(&last_id, 1) + 1;
    r->known_next = (r->known_next + 1) % RECORD_KNOWN;
    known_is(r, x, from);
}

/* userIdentity is looked into anyway: that tells where it ends. As value_fast(). */
static size_t identity_value(struct record *r, size_t i, struct field *f)
{
    const char *p = r->p;
    const struct split *sp = r->sp;
    const uint32_t *at = sp->at;
    if (p[at[i + 2]] != '{' || at[i + 2] != at[i + 1] + 1)
        return 0;
    size_t k = known_end(r, i + 2);
    if (k == 0) {
        const struct object *o = record_object(r, (uint32_t)i + 2);
        if (o->end == 0)
            return 0;
        k = o->end + (size_t)1;
        learn_identity(r, o);
    }
    if (k >= sp->n || at[k] != at[k - 1] + 1)
        return 0;
    f->val = at[i + 2];
    f->val_n = at[k] - at[i + 2];
    f->at = (uint32_t)i + 2;
    return ends_member(p[at[k]]) ? k : 0;
}

static bool records_list(const char *p, const struct split *sp, size_t i)
{
    static const char name[] = "\"Records\":[";
    return i + 2 < sp->n && sp->at[i + 2] - sp->at[i] == sizeof name - 1 &&
           memcmp(p + sp->at[i] + 1, name, sizeof name - 1) == 0;
}

/* A member of a top object that is not written as CloudTrail does, or not a record's. */
static enum walk odd_member(struct record *r, size_t i, bool top, struct field *f, size_t *out_next,
                            size_t *out_list, const char **why)
{
    const char *p = r->p;
    const struct split *sp = r->sp;
    struct member m = {.f = f};
    enum walk w = member_slow(p, sp, i, &m, why);
    *out_next = m.next;
    if (!top || i + 2 >= sp->n || w == WALK_BAD || w == WALK_RECORDS || f->key_n != 7 ||
        memcmp(p + f->key, "Records", 7) != 0)
        return w;
    if (p[sp->at[i + 2]] == '[' && f->at == i + 2) {
        *out_list = i + 2;
        return WALK_RECORDS;
    }
    if (w == WALK_OK) {
        *why = "\"Records\" is not a list";
        return WALK_BAD;
    }
    return w;
}

/* A member that no guess was right about. The index behind it; 0: *out_walk says what it is. */
static size_t unguessed(struct record *r, size_t i, bool top, struct field *f,
                        const struct guess **next_guess, enum walk *out_walk, size_t *out_i,
                        const char **why)
{
    size_t next = name_fast(r->p, r->sp, i, f) ? value_fast(r->p, r->sp->at, r->sp->n, i, f) : 0;
    bool fast = next != 0;
    if (!fast || (top && f->key_n == 7 && memcmp(r->p + f->key, "Records", 7) == 0)) {
        *out_walk = odd_member(r, i, top, f, &next, out_i, why);
        if (*out_walk != WALK_OK)
            return 0;
    }
    hash_name(r, f);
    int slot = name_slot(r, f);
    if (escaped_name(r, f))
        r->odd = true;
    else if (fast)
        learn(r, f, slot, next_guess);
    top_slot(r, slot, f);
    return next;
}

/* userIdentity, as guessed_member(). */
static size_t guessed_identity(struct record *r, size_t i, const struct guess *g, struct field *f)
{
    const uint32_t *at = r->sp->at;
    size_t next = identity_value(r, i, f);
    if (next == 0)
        next = value_fast(r->p, at, r->sp->n, i, f);
    if (next == 0)
        return 0;
    f->key = at[i] + 2;
    f->key_n = g->n - 2;
    f->hash = g->hash;
    top_slot(r, SLOT_IDENTITY, f);
    return next;
}

/* One whose name was guessed, and whose value is written as CloudTrail does; 0: it is not. By far
 * the most are, so this is what a scan does most: nothing is written that nobody asks for. */
static inline __attribute__((always_inline)) size_t
guessed_member(struct record *r, const char *p, const uint32_t *at, size_t n, size_t i,
               const struct guess *g, struct field *to)
{
    if (g->slot == SLOT_IDENTITY)
        return guessed_identity(r, i, g, to);
    struct field f;
    size_t next = value_fast(p, at, n, i, &f);
    if (next == 0)
        return 0;
    if (g->asked)
        *to = (struct field){.key = at[i] + 2, .key_n = g->n - 2, .hash = g->hash, .val = f.val,
                             .val_n = f.val_n, .at = f.at};
    if (g->slot >= 0)
        slot_put(r, (enum slot)g->slot, &f);
    return next;
}

/* `top` is a constant where this is put to. */
static inline __attribute__((always_inline)) enum walk
walk_members(struct record *r, size_t i, const bool top, size_t *out_i, const char **why,
             size_t *where)
{
    const char *p = r->p;
    const struct split *sp = r->sp;
    const uint32_t *at = sp->at;
    const size_t n = sp->n;
    const struct guess *next_guess = r->guesses;
    uint32_t n_top = 0;
    for (;;) {
        struct field *f = &r->top[n_top]; /* the last one is spare */
        if (top && records_list(p, sp, i)) {
            *out_i = i + 2;
            return WALK_RECORDS;
        }
        const struct guess *g = i + 2 < n ? guessed(p, at + i, &next_guess) : NULL;
        size_t next = g != NULL ? guessed_member(r, p, at, n, i, g, f) : 0;
        if (__builtin_expect(next != 0, 1)) {
            n_top += g->asked;
        } else {
            const struct guess *learnt = next_guess;
            enum walk w = WALK_OK;
            next = unguessed(r, i, top, f, &learnt, &w, out_i, why);
            next_guess = learnt;
            if (w != WALK_OK) {
                *where = i < n ? at[i] : 0;
                return w;
            }
            n_top++;
        }
        if (__builtin_expect(n_top > RECORD_TOP_MAX, 0)) {
            n_top = RECORD_TOP_MAX;
            r->odd = true; /* record_get() will walk again */
        }
        i = next;
        if (p[at[i]] == '}') {
            r->last = i;
            r->n_top = n_top;
            return WALK_OK;
        }
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
    r->known_identity = NULL;
    if (r->guesses_for != r->paths->n)
        guesses_forget(r);
    for (size_t k = 0; k < SLOT_COUNT; k++)
        r->slot[k] = STR_NONE;
    fields_forget(r);
    *out_at = sp->at[i];
    if (i + 1 >= sp->n)
        return WALK_MORE;
    uint32_t from = sp->at[i] + 1, to = sp->at[i + 1];
    if (p[to] == '}') {
        trim(p, &from, &to);
        if (from == to) {
            r->last = i + 1;
            return WALK_OK;
        }
    }
    if (top)
        return walk_members(r, i, true, out_i, out_why, out_at);
    return walk_members(r, i, false, out_i, out_why, out_at);
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
    slot_names(r);
    guesses_forget(r);
}

void record_clear(struct record *r)
{
    free(r->memo);
    free(r->fields);
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
