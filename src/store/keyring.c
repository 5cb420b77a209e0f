/* Rows of the table "keyring" (after "keyring" 00):
 *     a ACCOUNT, o OWNER   the id of the account's or the owner's key
 *     k ID                 version 1, id of the wrapping key (zeros: the root key), length of the
 *                          name (2 bytes), name (the row above, with its letter), wrapped key
 *     s NAME               a secret, wrapped by the root key */
#include "keyring.h"

#include "../core/buf.h"
#include "../core/map.h"
#include "store.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    ROW_VERSION = 1,
    NAME_MAX_N = 1 + STORE_OWNER_MAX,
    ROW_HEAD = 1 + KEY_ID_SIZE + 2,
    TRIES_MAX = 64,
    SCRATCH_BYTES = 64 * 1024,
};

struct data_key {
    _Atomic int refs;
    _Atomic bool used; /* since the clock's hand last passed */
    _Atomic bool destroyed;
    unsigned char id[KEY_ID_SIZE];
    struct secret *secret;
    size_t name_n;
    char name[]; /* a letter and the account or owner */
};

struct keyring {
    struct engine *engine;
    const struct secret *root;
    unsigned char store_id[STORE_ID_SIZE];
    pthread_rwlock_t gate; /* taken before `lock`, never after it */
    pthread_rwlock_t lock; /* guards all below */
    struct map by_id, by_name;
    struct map destroying;  /* names; values are not looked at */
    uint64_t generation;    /* moves with every destruction, so that loaders can tell */
    struct data_key *ring[KEYRING_CACHED_MAX]; /* what is cached, for the clock */
    size_t cached, hand;
};

struct keyring *keyring_new(struct engine *e, const struct secret *root_key,
                            const unsigned char store_id[STORE_ID_SIZE])
{
    struct keyring *k = calloc(1, sizeof *k);
    CHECK(k != NULL);
    k->engine = e;
    k->root = root_key;
    memcpy(k->store_id, store_id, STORE_ID_SIZE);
    pthread_rwlockattr_t attr;
    pthread_rwlockattr_init(&attr);
    /* Otherwise an unbroken stream of commits would keep a destruction waiting for ever. */
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&k->gate, &attr);
    pthread_rwlock_init(&k->lock, &attr);
    pthread_rwlockattr_destroy(&attr);
    return k;
}

struct data_key *data_key_ref(struct data_key *d)
{
    atomic_fetch_add(&d->refs, 1);
    return d;
}

void data_key_unref(struct data_key *d)
{
    if (d == NULL || atomic_fetch_sub(&d->refs, 1) > 1)
        return;
    secret_free(d->secret);
    free(d);
}

void keyring_free(struct keyring *k)
{
    if (k == NULL)
        return;
    for (size_t i = 0; i < k->cached; i++)
        data_key_unref(k->ring[i]);
    map_clear(&k->by_id);
    map_clear(&k->by_name);
    map_clear(&k->destroying);
    pthread_rwlock_destroy(&k->gate);
    pthread_rwlock_destroy(&k->lock);
    free(k);
}

const unsigned char *data_key_id(const struct data_key *d)
{
    return d->id;
}

const unsigned char *data_key_bytes(const struct data_key *d)
{
    return secret_bytes(d->secret);
}

static struct str name_of(const struct data_key *d)
{
    return str_of(d->name, d->name_n);
}

struct str data_key_owner(const struct data_key *d)
{
    return str_skip(name_of(d), 1);
}

bool data_key_destroyed(const struct data_key *d)
{
    return atomic_load(&d->destroyed);
}

void keyring_gate_enter(struct keyring *k)
{
    pthread_rwlock_rdlock(&k->gate);
}

void keyring_gate_leave(struct keyring *k)
{
    pthread_rwlock_unlock(&k->gate);
}

/* -- the cache --------------------------------------------------------------------------------- */

static struct str id_str(const unsigned char id[KEY_ID_SIZE])
{
    return str_of(id, KEY_ID_SIZE);
}

/* A reference, or NULL; and the generation in which that was so. */
static struct data_key *cached(struct keyring *k, const struct map *m, struct str key,
                               uint64_t *out_generation)
{
    pthread_rwlock_rdlock(&k->lock);
    struct data_key *d = map_get(m, key);
    if (d != NULL) {
        atomic_fetch_add(&d->refs, 1);
        if (!atomic_load_explicit(&d->used, memory_order_relaxed))
            atomic_store_explicit(&d->used, true, memory_order_relaxed);
    }
    *out_generation = k->generation;
    pthread_rwlock_unlock(&k->lock);
    return d;
}

/* Under the write lock. The cache's reference goes to the caller. */
static struct data_key *uncache(struct keyring *k, size_t i)
{
    struct data_key *d = k->ring[i];
    (void)map_del(&k->by_id, id_str(d->id));
    (void)map_del(&k->by_name, name_of(d));
    k->ring[i] = k->ring[--k->cached];
    return d;
}

/* Under the write lock, with the cache full: the first that was not used since the hand's last
 * round (the "clock" approximation of least recently used). A key that somebody holds stays, since
 * a destruction finds and marks it here. NULL: all are held. */
static struct data_key *evict(struct keyring *k)
{
    for (size_t i = 0; i < 2 * k->cached; i++) {
        k->hand = (k->hand + 1) % k->cached;
        struct data_key *d = k->ring[k->hand];
        if (!atomic_exchange(&d->used, false) && atomic_load(&d->refs) == 1)
            return uncache(k, k->hand);
    }
    return NULL;
}

static struct err *damaged(const char *what)
{
    return err_detail(err_new(ERR_CORRUPT, "Stored data failed its integrity check."), "%s", what);
}

static struct err *gone(void)
{
    return damaged("keyring: the data key that sealed this is gone (its owner was destroyed)");
}

static struct err *being_destroyed(void)
{
    return err_new(ERR_CONFLICT, "What owns this data is being deleted; try again.");
}

/* Puts a loaded key into the cache and gives a reference to what is there then. ERR_CONFLICT: a
 * destruction came between; load again. ERR_CORRUPT: it is being destroyed. Takes `d` over. */
static struct err *remember(struct keyring *k, struct data_key *d, uint64_t generation,
                            struct data_key **out)
{
    struct data_key *evicted = NULL, *unneeded = NULL;
    struct err *e = NULL;
    pthread_rwlock_wrlock(&k->lock);
    struct data_key *there = map_get(&k->by_id, id_str(d->id));
    if (there != NULL) {
        unneeded = d;
        d = there;
    } else if (map_get(&k->destroying, name_of(d)) != NULL) {
        unneeded = d;
        e = gone();
    } else if (generation != k->generation) {
        unneeded = d;
        e = being_destroyed();
    } else if (k->cached == KEYRING_CACHED_MAX && (evicted = evict(k)) == NULL) {
        unneeded = d;
        e = err_new(ERR_FULL, "Too many owners of data are in use at once; try again.");
    } else {
        k->ring[k->cached++] = d;
        (void)map_put(&k->by_id, id_str(d->id), d);
        (void)map_put(&k->by_name, name_of(d), d);
    }
    if (e == NULL) {
        atomic_fetch_add(&d->refs, 1);
        *out = d;
    }
    pthread_rwlock_unlock(&k->lock);
    data_key_unref(evicted);
    data_key_unref(unneeded);
    return e;
}

/* -- rows -------------------------------------------------------------------------------------- */

struct row_key {
    size_t n;
    char p[sizeof KEYRING_TABLE + NAME_MAX_N + 1];
};

/* `letter` 0: `rest` carries its own. */
static struct row_key row_key(char letter, struct str rest)
{
    struct row_key r = {.n = sizeof KEYRING_TABLE};
    memcpy(r.p, KEYRING_TABLE, sizeof KEYRING_TABLE); /* with its NUL */
    if (letter != '\0')
        r.p[r.n++] = letter;
    CHECK(rest.n <= sizeof r.p - r.n);
    if (rest.n > 0)
        memcpy(r.p + r.n, rest.p, rest.n);
    r.n += rest.n;
    return r;
}

static struct str row_str(const struct row_key *r)
{
    return str_of(r->p, r->n);
}

/* One row, in the arena; STR_NONE when absent. */
static struct err *read_row(struct keyring *k, struct str key, struct arena *a, struct str *out)
{
    struct engine_txn *t;
    TRY(k->engine->ops->begin(k->engine, false, &t));
    struct str found = STR_NONE;
    struct err *e = k->engine->ops->get(t, key, false, &found);
    if (e == NULL)
        *out = arena_str(a, found);
    k->engine->ops->abort(t);
    return e;
}

/* What a wrapping is bound to: purpose, store, and the rest by its user. */
static struct str binding(const struct keyring *k, struct arena *a, const char *purpose,
                          struct str id, struct str name)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(1024);
    buf_add(&b, purpose, strlen(purpose) + 1);
    buf_add(&b, k->store_id, STORE_ID_SIZE);
    buf_str(&b, id);
    buf_str(&b, name);
    CHECK(buf_ok(&b));
    return arena_str(a, buf_view(&b));
}

/* -- loading ----------------------------------------------------------------------------------- */

static bool is_root(const unsigned char id[KEY_ID_SIZE])
{
    static const unsigned char zeros[KEY_ID_SIZE];
    return memcmp(id, zeros, KEY_ID_SIZE) == 0;
}

static struct err *unwrap(struct keyring *k, struct arena *a, const unsigned char *id,
                          struct str name, const unsigned char *wrapper, struct str wrapped,
                          struct secret **out)
{
    struct str aad = binding(k, a, "ward key", id_str(id), name);
    if (is_root(wrapper))
        return key_unwrap(k->root, aad, wrapped, out);
    if (name.p[0] != 'o')
        return damaged("keyring: an account's key is not wrapped by the root key");
    struct data_key *kek;
    TRY(keyring_by_id(k, wrapper, &kek));
    struct err *e = kek->name[0] == 'a' ? key_unwrap(kek->secret, aad, wrapped, out)
                                        : damaged("keyring: wrapped by a key of no account");
    data_key_unref(kek);
    return e;
}

static struct err *parse_row(struct keyring *k, struct arena *a, const unsigned char *id,
                             struct str row, struct data_key **out)
{
    const unsigned char *p = (const unsigned char *)row.p;
    if (row.n < ROW_HEAD || p[0] != ROW_VERSION)
        return damaged("keyring: a key's row is of no known form");
    const unsigned char *wrapper = p + 1;
    size_t name_n = (size_t)p[ROW_HEAD - 2] << 8 | p[ROW_HEAD - 1];
    if (name_n < 2 || name_n > NAME_MAX_N || name_n > row.n - ROW_HEAD)
        return damaged("keyring: a key's row is of no known form");
    struct str name = str_of(row.p + ROW_HEAD, name_n);
    struct secret *secret = NULL;
    TRY(unwrap(k, a, id, name, wrapper, str_skip(row, ROW_HEAD + name_n), &secret));
    if (secret_size(secret) != AES_KEY_SIZE) {
        secret_free(secret);
        return damaged("keyring: a key of another size");
    }
    struct data_key *d = calloc(1, sizeof *d + name_n);
    CHECK(d != NULL);
    atomic_init(&d->refs, 1);
    memcpy(d->id, id, KEY_ID_SIZE);
    d->secret = secret;
    d->name_n = name_n;
    memcpy(d->name, name.p, name_n);
    *out = d;
    return NULL;
}

static bool generation_is(struct keyring *k, uint64_t generation)
{
    pthread_rwlock_rdlock(&k->lock);
    bool same = k->generation == generation;
    pthread_rwlock_unlock(&k->lock);
    return same;
}

static struct err *load(struct keyring *k, const unsigned char *id, uint64_t generation,
                        struct data_key **out)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(SCRATCH_BYTES);
    struct row_key key = row_key('k', id_str(id));
    struct str row = STR_NONE;
    TRY(read_row(k, row_str(&key), a, &row));
    if (row.p == NULL && !generation_is(k, generation))
        return being_destroyed(); /* perhaps since its id was read: look again */
    if (row.p == NULL)
        return gone();
    struct data_key *d = NULL;
    TRY(parse_row(k, a, id, row, &d));
    return remember(k, d, generation, out);
}

struct err *keyring_by_id(struct keyring *k, const unsigned char id[KEY_ID_SIZE],
                          struct data_key **out)
{
    for (int i = 0;; i++) {
        uint64_t generation;
        struct data_key *d = cached(k, &k->by_id, id_str(id), &generation);
        if (d != NULL) {
            *out = d;
            return NULL;
        }
        struct err *e = load(k, id, generation, out);
        if (!err_is(e, ERR_CONFLICT) || i == TRIES_MAX)
            return e;
        err_free(e);
    }
}

/* -- making ------------------------------------------------------------------------------------ */

static struct err *by_name(struct keyring *k, struct str name, struct data_key **out);

static struct str account_of(struct str owner)
{
    ptrdiff_t slash = str_find_char(owner, '/');
    return slash < 0 ? owner : str_take(owner, (size_t)slash);
}

/* The row of a new key, wrapped. */
static struct err *new_row(struct keyring *k, struct arena *a, struct str name,
                           const unsigned char *id, struct str *out)
{
    struct data_key *kek = NULL;
    if (name.p[0] == 'o') {
        struct str account = arena_concat(a, STR("a"), account_of(str_skip(name, 1)));
        TRY(by_name(k, account, &kek));
    }
    struct secret *fresh = NULL;
    struct err *e = secret_random(AES_KEY_SIZE, &fresh);
    if (e == NULL) {
        struct buf b CLEANUP(buf_clear) = BUF_INIT(1024);
        static const unsigned char root_id[KEY_ID_SIZE];
        buf_char(&b, ROW_VERSION);
        buf_add(&b, kek != NULL ? kek->id : root_id, KEY_ID_SIZE);
        buf_u16(&b, (uint16_t)name.n);
        buf_str(&b, name);
        buf_str(&b, key_wrap(a, kek != NULL ? kek->secret : k->root,
                             binding(k, a, "ward key", id_str(id), name), fresh));
        CHECK(buf_ok(&b));
        *out = arena_str(a, buf_view(&b));
    }
    secret_free(fresh);
    data_key_unref(kek);
    return e;
}

/* ERR_CONFLICT: somebody else made it. */
static struct err *make(struct keyring *k, struct str name)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(SCRATCH_BYTES);
    unsigned char id[KEY_ID_SIZE];
    rand_bytes(id, sizeof id);
    struct str row = STR_NONE;
    TRY(new_row(k, a, name, id, &row));
    struct row_key by_name_key = row_key('\0', name), by_id_key = row_key('k', id_str(id));
    const struct engine_ops *ops = k->engine->ops;
    struct engine_txn *t;
    TRY(ops->begin(k->engine, true, &t));
    struct str there = STR_NONE, id_taken = STR_NONE;
    struct err *e = ops->get(t, row_str(&by_name_key), true, &there);
    bool taken = there.p != NULL;
    if (e == NULL)
        e = ops->get(t, row_str(&by_id_key), true, &id_taken);
    if (e == NULL && (taken || id_taken.p != NULL))
        e = err_new(ERR_CONFLICT, "Another request made the same key; try again.");
    if (e == NULL)
        e = ops->put(t, row_str(&by_name_key), id_str(id), true);
    if (e == NULL)
        e = ops->put(t, row_str(&by_id_key), row, true);
    if (e == NULL)
        return ops->commit(t);
    ops->abort(t);
    return e;
}

/* Loads by name; *out NULL when there is no such key. */
static struct err *load_named(struct keyring *k, struct str name, uint64_t generation,
                              struct data_key **out)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(SCRATCH_BYTES);
    struct row_key key = row_key('\0', name);
    struct str id = STR_NONE;
    TRY(read_row(k, row_str(&key), a, &id));
    if (id.p == NULL) {
        *out = NULL;
        return NULL;
    }
    if (id.n != KEY_ID_SIZE)
        return damaged("keyring: a name's row is of no known form");
    struct data_key *d = NULL;
    TRY(load(k, (const unsigned char *)id.p, generation, &d));
    if (!str_eq(name_of(d), name)) {
        data_key_unref(d);
        return damaged("keyring: a name's row points to another's key");
    }
    *out = d;
    return NULL;
}

static bool is_destroying(struct keyring *k, struct str name)
{
    pthread_rwlock_rdlock(&k->lock);
    bool yes = map_get(&k->destroying, name) != NULL;
    pthread_rwlock_unlock(&k->lock);
    return yes;
}

static struct err *by_name(struct keyring *k, struct str name, struct data_key **out)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        uint64_t generation;
        struct data_key *d = cached(k, &k->by_name, name, &generation);
        if (d != NULL) {
            *out = d;
            return NULL;
        }
        if (is_destroying(k, name))
            return being_destroyed();
        struct err *e = load_named(k, name, generation, &d);
        if (e == NULL && d != NULL) {
            *out = d;
            return NULL;
        }
        if (e == NULL)
            e = make(k, name); /* and then load what is stored, which proves that it opens */
        /* A key that was found gone may have been so by a destruction that is over by now. */
        bool again = e == NULL || err_is(e, ERR_CONFLICT) ||
                     (err_is(e, ERR_CORRUPT) &&
                      (is_destroying(k, name) || !generation_is(k, generation)));
        if (!again)
            return e;
        err_free(e);
    }
    return being_destroyed();
}

static bool is_account(struct str s)
{
    if (str_is(s, "ward"))
        return true;
    if (s.n != 12)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return true;
}

static struct err *owner_name(struct str owner, char out[NAME_MAX_N], struct str *name)
{
    if (owner.n > STORE_OWNER_MAX)
        return err_new(ERR_LIMIT, "An owner's name may have at most %d bytes.", STORE_OWNER_MAX);
    if (!is_account(account_of(owner)))
        return err_new(ERR_INVALID, "An owner begins with an account of 12 digits, or is ward's.");
    out[0] = 'o';
    memcpy(out + 1, owner.p, owner.n);
    *name = str_of(out, owner.n + 1);
    return NULL;
}

struct err *keyring_of_owner(struct keyring *k, struct str owner, struct data_key **out)
{
    char text[NAME_MAX_N];
    struct str name;
    TRY(owner_name(owner, text, &name));
    return by_name(k, name, out);
}

/* -- destroying -------------------------------------------------------------------------------- */

static struct err *delete_rows(struct keyring *k, struct str name)
{
    struct row_key by_name_key = row_key('\0', name);
    const struct engine_ops *ops = k->engine->ops;
    struct engine_txn *t;
    TRY(ops->begin(k->engine, true, &t));
    struct str id = STR_NONE;
    struct err *e = ops->get(t, row_str(&by_name_key), true, &id);
    if (e != NULL || id.p == NULL) {
        ops->abort(t);
        return e;
    }
    struct row_key by_id_key = row_key('k', str_take(id, KEY_ID_SIZE));
    e = ops->del(t, row_str(&by_name_key));
    if (e == NULL)
        e = ops->del(t, row_str(&by_id_key));
    if (e != NULL) {
        ops->abort(t);
        return e;
    }
    TRY(ops->commit(t));
    /* A deleted row's bytes would stay in the engine's files until some compaction. */
    struct row_key behind = by_id_key;
    behind.p[behind.n++] = '\0';
    return ops->scrub(k->engine, row_str(&by_id_key), row_str(&behind));
}

/* Takes the name out of use: the cached key is marked, and none is loaded until the end. */
static bool start_destroying(struct keyring *k, struct str name)
{
    struct data_key *dropped = NULL;
    pthread_rwlock_wrlock(&k->lock);
    bool mine = map_get(&k->destroying, name) == NULL;
    if (mine) {
        (void)map_put(&k->destroying, name, k);
        k->generation++;
        const struct data_key *d = map_get(&k->by_name, name);
        for (size_t i = 0; d != NULL && i < k->cached; i++)
            if (k->ring[i] == d) {
                atomic_store(&k->ring[i]->destroyed, true);
                dropped = uncache(k, i);
                break;
            }
    }
    pthread_rwlock_unlock(&k->lock);
    data_key_unref(dropped);
    return mine;
}

struct err *keyring_destroy(struct keyring *k, struct str owner)
{
    char text[NAME_MAX_N];
    struct str name;
    TRY(owner_name(owner, text, &name));
    if (!start_destroying(k, name))
        return being_destroyed();
    pthread_rwlock_wrlock(&k->gate); /* waits for the commits that found the key alive */
    pthread_rwlock_unlock(&k->gate);
    struct err *e = delete_rows(k, name);
    for (int i = 0; i < TRIES_MAX && err_is(e, ERR_CONFLICT); i++) {
        err_free(e);
        e = delete_rows(k, name);
    }
    pthread_rwlock_wrlock(&k->lock);
    (void)map_del(&k->destroying, name);
    k->generation++;
    pthread_rwlock_unlock(&k->lock);
    return e;
}

/* -- secrets ----------------------------------------------------------------------------------- */

static struct row_key secret_key(const char *name)
{
    CHECK(strlen(name) > 0 && strlen(name) < NAME_MAX_N);
    return row_key('s', str_c(name));
}

struct err *keyring_secret_get(struct keyring *k, const char *name, struct secret **out)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(SCRATCH_BYTES);
    struct row_key key = secret_key(name);
    struct str row = STR_NONE;
    TRY(read_row(k, row_str(&key), a, &row));
    if (row.p == NULL) {
        *out = NULL;
        return NULL;
    }
    return key_unwrap(k->root, binding(k, a, "ward secret", STR_NONE, str_c(name)), row, out);
}

/* only_new: ERR_CONFLICT when there is one already. */
static struct err *write_secret(struct keyring *k, const char *name, const struct secret *v,
                                bool only_new)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(SCRATCH_BYTES);
    struct row_key key = secret_key(name);
    struct str row = key_wrap(a, k->root, binding(k, a, "ward secret", STR_NONE, str_c(name)), v);
    const struct engine_ops *ops = k->engine->ops;
    struct engine_txn *t;
    TRY(ops->begin(k->engine, true, &t));
    struct str there = STR_NONE;
    struct err *e = ops->get(t, row_str(&key), true, &there);
    if (e == NULL && only_new && there.p != NULL)
        e = err_new(ERR_CONFLICT, "Another request made the same secret; try again.");
    if (e == NULL)
        e = ops->put(t, row_str(&key), row, true);
    if (e == NULL)
        return ops->commit(t);
    ops->abort(t);
    return e;
}

struct err *keyring_secret_put(struct keyring *k, const char *name, const struct secret *v)
{
    struct err *e = write_secret(k, name, v, false);
    for (int i = 0; i < TRIES_MAX && err_is(e, ERR_CONFLICT); i++) {
        err_free(e);
        e = write_secret(k, name, v, false);
    }
    return e;
}

struct err *keyring_secret_make(struct keyring *k, const char *name, size_t size,
                                struct secret **out)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        struct secret *s = NULL;
        TRY(keyring_secret_get(k, name, &s));
        if (s != NULL && secret_size(s) == size) {
            *out = s;
            return NULL;
        }
        if (s != NULL) {
            secret_free(s);
            return damaged("keyring: a secret of another size");
        }
        TRY(secret_random(size, &s));
        struct err *e = write_secret(k, name, s, true);
        secret_free(s);
        if (e != NULL && !err_is(e, ERR_CONFLICT))
            return e;
        err_free(e);
    }
    return err_new(ERR_CONFLICT, "Many requests make the same secret; try again.");
}
