/* The engine for tests: sorted arrays, row versions and one mutex. Nothing is written anywhere. */
#include "engine.h"

#include "../core/buf.h"

#include <pthread.h>

/* One state of a row: newest first in its list. */
struct version {
    struct version *older;
    uint64_t seq;
    bool deleted;
    struct str value;
    char bytes[];
};

struct row {
    struct str key;
    struct version *newest; /* in a table; NULL in a list of tracked keys */
};

/* Rows in the order of their keys. */
struct rows {
    struct row *v;
    size_t n, cap;
};

struct memory {
    struct engine base;
    pthread_mutex_t lock; /* guards all below, and the versions' lists */
    struct rows rows;
    size_t dead; /* rows whose newest version is a deletion */
    uint64_t seq;
    struct engine_txn *live;
};

struct engine_txn {
    struct memory *m;
    struct engine_txn *next, **link; /* among the live */
    bool write;
    uint64_t snapshot;
    struct rows writes;  /* one version each */
    struct rows tracked; /* keys alone */
};

struct engine_cursor {
    struct engine_txn *t;
    struct buf lower, upper, last;
    bool reverse, started;
};

/* -- rows ------------------------------------------------------------------------------------- */

/* The index of the first key that is not below `key` (or, with `above`, that is above it). */
static size_t find(const struct rows *r, struct str key, bool above)
{
    size_t lo = 0, hi = r->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int d = str_cmp(r->v[mid].key, key);
        if (d < 0 || (above && d == 0))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct row *at(const struct rows *r, struct str key)
{
    size_t i = find(r, key, false);
    return i < r->n && str_eq(r->v[i].key, key) ? &r->v[i] : NULL;
}

static struct row *at_or_new(struct rows *r, struct str key)
{
    size_t i = find(r, key, false);
    if (i < r->n && str_eq(r->v[i].key, key))
        return &r->v[i];
    if (r->n == r->cap) {
        r->cap = r->cap == 0 ? 8 : r->cap * 2;
        r->v = realloc(r->v, r->cap * sizeof *r->v);
        CHECK(r->v != NULL);
    }
    memmove(&r->v[i + 1], &r->v[i], (r->n - i) * sizeof *r->v);
    r->n++;
    char *copy = malloc(key.n + 1);
    CHECK(copy != NULL);
    if (key.n > 0)
        memcpy(copy, key.p, key.n);
    r->v[i] = (struct row){str_of(copy, key.n), NULL};
    return &r->v[i];
}

static void free_versions(struct version *v)
{
    while (v != NULL) {
        struct version *older = v->older;
        free(v);
        v = older;
    }
}

static void free_row(struct row *r)
{
    free_versions(r->newest);
    free((char *)r->key.p); /* made by at_or_new */
}

static void clear_rows(struct rows *r)
{
    for (size_t i = 0; i < r->n; i++)
        free_row(&r->v[i]);
    free(r->v);
    *r = (struct rows){NULL, 0, 0};
}

static struct version *new_version(struct str value, bool deleted)
{
    struct version *v = calloc(1, sizeof *v + value.n);
    CHECK(v != NULL);
    if (value.n > 0)
        memcpy(v->bytes, value.p, value.n);
    v->value = str_of(v->bytes, value.n);
    v->deleted = deleted;
    return v;
}

static const struct version *visible(const struct row *r, uint64_t snapshot)
{
    const struct version *v = r->newest;
    while (v != NULL && v->seq > snapshot)
        v = v->older;
    return v;
}

/* -- transactions ------------------------------------------------------------------------------ */

static struct err *memory_begin(struct engine *e, bool write, struct engine_txn **out)
{
    struct memory *m = (struct memory *)e;
    struct engine_txn *t = calloc(1, sizeof *t);
    CHECK(t != NULL);
    t->m = m;
    t->write = write;
    pthread_mutex_lock(&m->lock);
    t->snapshot = m->seq;
    t->link = &m->live;
    t->next = m->live;
    if (t->next != NULL)
        t->next->link = &t->next;
    m->live = t;
    pthread_mutex_unlock(&m->lock);
    *out = t;
    return NULL;
}

/* Under the lock. */
static void leave(struct engine_txn *t)
{
    *t->link = t->next;
    if (t->next != NULL)
        t->next->link = t->link;
}

static void free_txn(struct engine_txn *t)
{
    clear_rows(&t->writes);
    clear_rows(&t->tracked);
    free(t);
}

static void memory_abort(struct engine_txn *t)
{
    pthread_mutex_lock(&t->m->lock);
    leave(t);
    pthread_mutex_unlock(&t->m->lock);
    free_txn(t);
}

static uint64_t oldest_snapshot(const struct memory *m)
{
    uint64_t least = m->seq;
    for (const struct engine_txn *t = m->live; t != NULL; t = t->next)
        if (t->snapshot < least)
            least = t->snapshot;
    return least;
}

/* Frees the versions that no snapshot can see. */
static void trim(struct row *r, uint64_t oldest)
{
    struct version *v = r->newest;
    while (v != NULL && v->seq > oldest)
        v = v->older;
    if (v != NULL) {
        free_versions(v->older);
        v->older = NULL;
    }
}

/* Deleted rows stay for the conflict detection of transactions that may have seen them. */
static void sweep_dead(struct memory *m)
{
    if (m->live != NULL || m->dead < 64 || m->dead < m->rows.n / 2)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < m->rows.n; i++) {
        if (m->rows.v[i].newest->deleted)
            free_row(&m->rows.v[i]);
        else
            m->rows.v[kept++] = m->rows.v[i];
    }
    m->rows.n = kept;
    m->dead = 0;
}

static bool lost_a_race(const struct memory *m, const struct engine_txn *t)
{
    for (size_t i = 0; i < t->tracked.n; i++) {
        const struct row *r = at(&m->rows, t->tracked.v[i].key);
        if (r != NULL && r->newest->seq > t->snapshot)
            return true;
    }
    return false;
}

static void apply(struct memory *m, struct engine_txn *t)
{
    uint64_t oldest = oldest_snapshot(m);
    uint64_t seq = ++m->seq;
    for (size_t i = 0; i < t->writes.n; i++) {
        struct version *v = t->writes.v[i].newest;
        t->writes.v[i].newest = NULL;
        struct row *r = at_or_new(&m->rows, t->writes.v[i].key);
        m->dead -= r->newest != NULL && r->newest->deleted;
        m->dead += v->deleted;
        v->seq = seq;
        v->older = r->newest;
        r->newest = v;
        trim(r, oldest);
    }
}

static struct err *memory_commit(struct engine_txn *t)
{
    struct memory *m = t->m;
    pthread_mutex_lock(&m->lock);
    leave(t);
    bool lost = t->writes.n > 0 && lost_a_race(m, t);
    if (!lost && t->writes.n > 0)
        apply(m, t);
    sweep_dead(m);
    pthread_mutex_unlock(&m->lock);
    free_txn(t);
    return lost ? err_new(ERR_CONFLICT, "Another request changed the same data; try again.") : NULL;
}

static struct err *memory_get(struct engine_txn *t, struct str key, bool track, struct str *out)
{
    if (track && t->write)
        (void)at_or_new(&t->tracked, key);
    const struct row *own = at(&t->writes, key);
    if (own != NULL) {
        *out = own->newest->deleted ? STR_NONE : own->newest->value;
        return NULL;
    }
    pthread_mutex_lock(&t->m->lock);
    const struct row *r = at(&t->m->rows, key);
    const struct version *v = r != NULL ? visible(r, t->snapshot) : NULL;
    *out = v != NULL && !v->deleted ? v->value : STR_NONE;
    pthread_mutex_unlock(&t->m->lock);
    return NULL;
}

static void write_row(struct engine_txn *t, struct str key, struct version *v, bool track)
{
    CHECK(t->write);
    if (track)
        (void)at_or_new(&t->tracked, key);
    struct row *r = at_or_new(&t->writes, key);
    free_versions(r->newest);
    r->newest = v;
}

static struct err *memory_put(struct engine_txn *t, struct str key, struct str value, bool track)
{
    write_row(t, key, new_version(value, false), track);
    return NULL;
}

static struct err *memory_del(struct engine_txn *t, struct str key)
{
    write_row(t, key, new_version(STR_NONE, true), true);
    return NULL;
}

/* -- cursors ----------------------------------------------------------------------------------- */

static struct err *memory_scan(struct engine_txn *t, struct str lower, struct str upper,
                               bool reverse, struct engine_cursor **out)
{
    struct engine_cursor *c = calloc(1, sizeof *c);
    CHECK(c != NULL);
    c->t = t;
    c->reverse = reverse;
    buf_init(&c->lower, SIZE_MAX);
    buf_init(&c->upper, SIZE_MAX);
    buf_init(&c->last, SIZE_MAX);
    buf_str(&c->lower, lower);
    buf_str(&c->upper, upper);
    *out = c;
    return NULL;
}

/* The row of `rows` that follows the cursor's position, as far as its bounds; its index may be
 * moved on with step(). */
static const struct row *ahead(const struct engine_cursor *c, const struct rows *rows, size_t *i)
{
    if (c->started)
        *i = find(rows, buf_view(&c->last), !c->reverse);
    else if (!c->reverse)
        *i = find(rows, buf_view(&c->lower), false);
    else
        *i = c->upper.n > 0 ? find(rows, buf_view(&c->upper), false) : rows->n;
    *i -= c->reverse; /* wraps below 0, and is then not < n */
    return *i < rows->n ? &rows->v[*i] : NULL;
}

static const struct row *step(const struct engine_cursor *c, const struct rows *rows, size_t *i)
{
    *i += c->reverse ? (size_t)-1 : 1;
    return *i < rows->n ? &rows->v[*i] : NULL;
}

static bool within(const struct engine_cursor *c, struct str key)
{
    return c->reverse ? str_cmp(key, buf_view(&c->lower)) >= 0
                      : c->upper.n == 0 || str_cmp(key, buf_view(&c->upper)) < 0;
}

/* The next row that exists, from the two sides merged; own writes win. Under the lock. */
static const struct row *next_row(struct engine_cursor *c, const struct version **out)
{
    size_t i, j;
    const struct row *base = ahead(c, &c->t->m->rows, &i);
    const struct row *own = ahead(c, &c->t->writes, &j);
    while (base != NULL || own != NULL) {
        int d = base == NULL ? 1 : own == NULL ? -1 : str_cmp(base->key, own->key);
        if (c->reverse && base != NULL && own != NULL)
            d = -d;
        const struct row *r = d < 0 ? base : own;
        if (!within(c, r->key))
            return NULL;
        const struct version *v = d < 0 ? visible(base, c->t->snapshot) : own->newest;
        if (v != NULL && !v->deleted) {
            *out = v;
            return r;
        }
        if (d <= 0)
            base = step(c, &c->t->m->rows, &i);
        if (d >= 0)
            own = step(c, &c->t->writes, &j);
    }
    return NULL;
}

static struct err *memory_next(struct engine_cursor *c, struct str *key, struct str *value)
{
    pthread_mutex_lock(&c->t->m->lock);
    const struct version *v = NULL;
    const struct row *r = next_row(c, &v);
    if (r != NULL) {
        buf_reset(&c->last);
        buf_str(&c->last, r->key);
        c->started = true;
    }
    pthread_mutex_unlock(&c->t->m->lock);
    *key = r != NULL ? buf_view(&c->last) : STR_NONE;
    *value = r != NULL ? v->value : STR_NONE;
    return NULL;
}

static void memory_cursor_free(struct engine_cursor *c)
{
    buf_clear(&c->lower);
    buf_clear(&c->upper);
    buf_clear(&c->last);
    free(c);
}

/* -- the engine -------------------------------------------------------------------------------- */

static struct err *memory_scrub(struct engine *e, struct str lower, struct str upper)
{
    return NULL;
}

static void memory_close(struct engine *e)
{
    struct memory *m = (struct memory *)e;
    CHECK(m->live == NULL);
    clear_rows(&m->rows);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static void memory_rest(struct engine *e UNUSED)
{
    /* It caches nothing. */
}

static const struct engine_ops memory_ops = {
    .begin = memory_begin,
    .abort = memory_abort,
    .commit = memory_commit,
    .get = memory_get,
    .put = memory_put,
    .del = memory_del,
    .scan = memory_scan,
    .next = memory_next,
    .cursor_free = memory_cursor_free,
    .scrub = memory_scrub,
    .rest = memory_rest,
    .close = memory_close,
};

struct err *memory_open(struct engine **out)
{
    struct memory *m = calloc(1, sizeof *m);
    CHECK(m != NULL);
    m->base.ops = &memory_ops;
    pthread_mutex_init(&m->lock, NULL);
    *out = &m->base;
    return NULL;
}
