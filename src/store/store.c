/* The port over an engine: tables, owners, seals and limits. A value's stored form: version 1, the
 * id of its data key (16), nonce, ciphertext and tag; its associated data is its whole key, table
 * 00 key, so that a value moved elsewhere does not open. */
#include "store.h"

#include "../core/json.h"
#include "../crypto/crypto.h"
#include "files.h"
#include "keyfile.h"
#include "keyring.h"
#include "rowcache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <unistd.h>

enum {
    TABLE_MAX = 64,
    VALUE_VERSION = 1,
    VALUE_HEAD = 1 + KEY_ID_SIZE,
    SEALED_MAX = VALUE_HEAD + STORE_VALUE_MAX + GCM_OVERHEAD,
    SEALED_USUAL = 4096, /* room made with the first value that a transaction writes */
    CACHE_BYTES = 8 * 1024 * 1024,
    DOCUMENT_MAX = 64 * 1024 * 1024,
    DOCUMENT_OVERHEAD = 10 * 1024, /* an arena's first block, and the arena */
    /* Kept free for the engine's own files and for the operator's way out: the engine must not
     * meet a full disk in the middle of writing what it needs to open again. */
    DISK_RESERVE_BYTES = 16 * 1024 * 1024,
};

struct store {
    struct engine *engine;
    struct keyring *keyring;
    struct row_cache *rows;
    struct secret *root_key;
    int lock_fd;
    _Atomic long live; /* transactions */
};

struct hook {
    void (*fn)(void *);
    void *arg;
};

struct txn {
    struct store *store;
    struct engine_txn *engine; /* NULL: TXN_LOOK that had no need of it yet */
    enum txn_mode mode;
    uint64_t seen;          /* the count of commits that its snapshot shows at least */
    struct row_slots wrote; /* tables */
    size_t bytes;
    struct data_key **keys; /* of the owners it writes for, a reference each */
    size_t keys_n, keys_cap;
    struct data_key *last_read; /* most reads meet the key of the read before */
    struct hook *hooks;
    size_t hooks_n, hooks_cap;
    struct buf sealed; /* room for a value being written */
};

struct cursor {
    struct txn *txn;
    struct engine_cursor *engine; /* NULL: nothing can be found */
    size_t table_n;               /* with its 00 */
    bool keys_only;
    struct buf key, value;
};

static const struct engine_ops *ops(const struct txn *t)
{
    return t->store->engine->ops;
}

/* -- opening ---------------------------------------------------------------------------------- */

static struct err *take_lock(const char *dir, int *out_fd)
{
    char path[PATH_SIZE];
    TRY(path_join(dir, "ward.lock", path));
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(errno, "open lock file");
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int why = errno;
        close(fd);
        if (why == EWOULDBLOCK)
            return err_new(ERR_EXISTS, "Another Ward process has this data directory open.");
        return err_errno(why, "flock");
    }
    *out_fd = fd;
    return NULL;
}

static struct store *new_store(void)
{
    struct store *s = calloc(1, sizeof *s);
    CHECK(s != NULL);
    s->lock_fd = -1;
    s->rows = row_cache_new();
    return s;
}

static void on_engine_changes(void *rows)
{
    row_cache_all_changed(rows);
}

/* What stands above an opened engine. */
static void set_up(struct store *s, const unsigned char id[STORE_ID_SIZE])
{
    s->engine->changes = on_engine_changes;
    s->engine->changes_arg = s->rows;
    s->keyring = keyring_new(s->engine, s->root_key, id);
}

static struct err *open_engine(struct store *s, const struct store_options *o, struct secret **key)
{
    char rows[PATH_SIZE], current[PATH_SIZE];
    unsigned char id[STORE_ID_SIZE];
    TRY(path_join(o->dir, "rows", rows));
    TRY(path_join(rows, "CURRENT", current));
    bool has_data = access(current, F_OK) == 0;
    TRY(keyfile_open(o->dir, s->root_key, !has_data, id, key));
    struct rocks_options r = {.dir = rows,
                              .store_key = *key,
                              .store_id = id,
                              .cache_bytes = o->cache_bytes > 0 ? o->cache_bytes : CACHE_BYTES,
                              .reserve_bytes = DISK_RESERVE_BYTES};
    TRY(rocks_open(&r, &s->engine));
    set_up(s, id);
    return NULL;
}

struct err *store_open(const struct store_options *o, struct store **out)
{
    TRY(crypto_init());
    if (o->root_key == NULL || secret_size(o->root_key) != AES_KEY_SIZE)
        return err_new(ERR_INVALID, "The root key must have %d bytes.", AES_KEY_SIZE);
    struct store *s = new_store();
    struct secret *store_key = NULL;
    struct err *e = secret_ref(o->root_key, &s->root_key);
    if (e == NULL)
        e = folder_make(o->dir);
    if (e == NULL)
        e = take_lock(o->dir, &s->lock_fd);
    if (e == NULL)
        e = open_engine(s, o, &store_key);
    secret_free(store_key);
    if (e != NULL) {
        store_close(s);
        return e;
    }
    *out = s;
    return NULL;
}

struct err *store_open_memory(struct store **out)
{
    TRY(crypto_init());
    struct store *s = new_store();
    unsigned char id[STORE_ID_SIZE];
    rand_bytes(id, sizeof id);
    struct err *e = secret_random(AES_KEY_SIZE, &s->root_key);
    if (e == NULL)
        e = memory_open(&s->engine);
    if (e != NULL) {
        store_close(s);
        return e;
    }
    set_up(s, id);
    *out = s;
    return NULL;
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    CHECK(atomic_load(&s->live) == 0);
    row_cache_free(s->rows);
    keyring_free(s->keyring);
    if (s->engine != NULL)
        s->engine->ops->close(s->engine);
    secret_free(s->root_key);
    close_fd(&s->lock_fd);
    free(s);
}

void store_rest(struct store *s)
{
    s->engine->ops->rest(s->engine);
}

/* -- transactions ------------------------------------------------------------------------------ */

struct err *store_begin(struct store *s, enum txn_mode mode, struct txn **out)
{
    struct txn *t = calloc(1, sizeof *t);
    CHECK(t != NULL);
    t->store = s;
    t->mode = mode;
    buf_init(&t->sealed, SEALED_MAX);
    t->seen = row_cache_now(s->rows);
    struct err *e = NULL;
    if (mode != TXN_LOOK)
        e = s->engine->ops->begin(s->engine, mode == TXN_WRITE, &t->engine);
    if (e != NULL) {
        free(t);
        return e;
    }
    atomic_fetch_add(&s->live, 1);
    *out = t;
    return NULL;
}

/* A late snapshot. */
static struct err *need_engine(struct txn *t)
{
    if (t->engine != NULL)
        return NULL;
    return ops(t)->begin(t->store->engine, false, &t->engine);
}

static void free_txn(struct txn *t)
{
    for (size_t i = 0; i < t->keys_n; i++)
        data_key_unref(t->keys[i]);
    data_key_unref(t->last_read);
    free(t->keys);
    free(t->hooks);
    buf_clear(&t->sealed);
    atomic_fetch_sub(&t->store->live, 1);
    free(t);
}

void txn_abort(struct txn **t)
{
    if (*t == NULL)
        return;
    if ((*t)->engine != NULL)
        ops(*t)->abort((*t)->engine);
    free_txn(*t);
    *t = NULL;
}

/* A value sealed for an owner who is gone could never be read again. */
static bool keys_alive(const struct txn *t)
{
    for (size_t i = 0; i < t->keys_n; i++)
        if (data_key_destroyed(t->keys[i]))
            return false;
    return true;
}

struct err *txn_commit(struct txn **txn)
{
    struct txn *t = *txn;
    *txn = NULL;
    struct err *e = NULL;
    keyring_gate_enter(t->store->keyring);
    if (t->engine == NULL) {
        /* it looked at kept rows alone */
    } else if (keys_alive(t)) {
        row_cache_changing(t->store->rows, &t->wrote);
        e = ops(t)->commit(t->engine);
        row_cache_changed(t->store->rows, &t->wrote);
    } else {
        ops(t)->abort(t->engine);
        e = err_new(ERR_CONFLICT, "What owns this data was deleted meanwhile; try again.");
    }
    keyring_gate_leave(t->store->keyring);
    for (size_t i = 0; e == NULL && i < t->hooks_n; i++)
        t->hooks[i].fn(t->hooks[i].arg);
    free_txn(t);
    return e;
}

void txn_on_commit(struct txn *t, void (*fn)(void *), void *arg)
{
    if (t->hooks_n == t->hooks_cap) {
        t->hooks_cap = t->hooks_cap == 0 ? 4 : t->hooks_cap * 2;
        t->hooks = realloc(t->hooks, t->hooks_cap * sizeof *t->hooks);
        CHECK(t->hooks != NULL);
    }
    t->hooks[t->hooks_n++] = (struct hook){fn, arg};
}

/* -- keys and seals ---------------------------------------------------------------------------- */

struct full_key {
    size_t n;
    char p[TABLE_MAX + 1 + STORE_KEY_MAX + 1]; /* room for a 00 that makes the next key */
};

static struct str full_str(const struct full_key *k)
{
    return str_of(k->p, k->n);
}

static struct err *full_key(const char *table, struct str key, struct full_key *out)
{
    size_t table_n = strlen(table);
    CHECK(table_n > 0 && table_n <= TABLE_MAX && strcmp(table, KEYRING_TABLE) != 0);
    if (key.n > STORE_KEY_MAX)
        return err_new(ERR_LIMIT, "A name in the request is too long to be stored.");
    memcpy(out->p, table, table_n + 1);
    if (key.n > 0)
        memcpy(out->p + table_n + 1, key.p, key.n);
    out->n = table_n + 1 + key.n;
    return NULL;
}

static struct err *damaged(const char *table, const char *what)
{
    return err_detail(err_new(ERR_CORRUPT, "Stored data failed its integrity check."),
                      "table %s: %s", table, what);
}

static void seal_into(const struct data_key *d, struct str aad, struct str plain,
                      unsigned char *out)
{
    out[0] = VALUE_VERSION;
    memcpy(out + 1, data_key_id(d), KEY_ID_SIZE);
    gcm_seal(data_key_bytes(d), aad, plain, out + VALUE_HEAD);
}

/* The key that a transaction writes with for an owner; it lives as long as the transaction. */
static struct err *writing_key(struct txn *t, struct str owner, const struct data_key **out)
{
    for (size_t i = t->keys_n; i-- > 0;)
        if (str_eq(data_key_owner(t->keys[i]), owner)) {
            *out = t->keys[i];
            return NULL;
        }
    struct data_key *d = NULL;
    TRY(keyring_of_owner(t->store->keyring, owner, &d));
    if (t->keys_n == t->keys_cap) {
        t->keys_cap = t->keys_cap == 0 ? 4 : t->keys_cap * 2;
        t->keys = realloc(t->keys, t->keys_cap * sizeof *t->keys);
        CHECK(t->keys != NULL);
    }
    t->keys[t->keys_n++] = d;
    *out = d;
    return NULL;
}

/* The key that sealed a stored value. */
static struct err *reading_key(struct txn *t, struct str stored, const struct data_key **out)
{
    const unsigned char *id = (const unsigned char *)stored.p + 1;
    struct data_key *last = t->last_read;
    if (last != NULL && memcmp(data_key_id(last), id, KEY_ID_SIZE) == 0 &&
        !data_key_destroyed(last)) {
        *out = last;
        return NULL;
    }
    struct data_key *d = NULL;
    TRY(keyring_by_id(t->store->keyring, id, &d));
    data_key_unref(last);
    t->last_read = d;
    *out = d;
    return NULL;
}

static bool has_form(struct str stored)
{
    return stored.n >= VALUE_HEAD + GCM_OVERHEAD && stored.p[0] == VALUE_VERSION;
}

static size_t plain_size(struct str stored)
{
    return stored.n - VALUE_HEAD - GCM_OVERHEAD;
}

static struct err *open_value(struct txn *t, const char *table, struct str key, struct str stored,
                              struct arena *a, struct str *out)
{
    if (!has_form(stored))
        return damaged(table, "a value is of no known form");
    const struct data_key *d = NULL;
    TRY(reading_key(t, stored, &d));
    char *plain = arena_alloc(a, plain_size(stored) + 1);
    if (!gcm_open(data_key_bytes(d), key, str_skip(stored, VALUE_HEAD), (unsigned char *)plain))
        return damaged(table, "a value does not open: it was altered or moved");
    *out = str_of(plain, plain_size(stored));
    return NULL;
}

/* -- rows -------------------------------------------------------------------------------------- */

static struct err *read_row(struct txn *t, const char *table, struct str key, bool track,
                            struct arena *a, struct str *out)
{
    struct full_key k;
    TRY(full_key(table, key, &k));
    struct str stored = STR_NONE;
    TRY(need_engine(t));
    TRY(ops(t)->get(t->engine, full_str(&k), track, &stored));
    if (stored.p == NULL) {
        *out = STR_NONE;
        return NULL;
    }
    return open_value(t, table, full_str(&k), stored, a, out);
}

struct err *txn_get(struct txn *t, const char *table, struct str key, struct arena *a,
                    struct str *out)
{
    return read_row(t, table, key, t->mode == TXN_WRITE, a, out);
}

struct err *txn_peek(struct txn *t, const char *table, struct str key, struct arena *a,
                     struct str *out)
{
    return read_row(t, table, key, false, a, out);
}

static struct err *count_bytes(struct txn *t, size_t n)
{
    CHECK(t->mode == TXN_WRITE);
    if (n > STORE_TXN_BYTES_MAX - t->bytes)
        return err_new(ERR_LIMIT, "The request changes more than %d MiB at once; split it.",
                       STORE_TXN_BYTES_MAX >> 20);
    t->bytes += n;
    return NULL;
}

static struct err *write_row(struct txn *t, const char *table, struct str owner, struct str key,
                             struct str value, bool track)
{
    struct full_key k;
    TRY(full_key(table, key, &k));
    if (value.n > STORE_VALUE_MAX)
        return err_new(ERR_LIMIT, "A value may have at most %d MiB.", STORE_VALUE_MAX >> 20);
    const struct data_key *d = NULL;
    TRY(writing_key(t, owner, &d));
    size_t n = VALUE_HEAD + value.n + GCM_OVERHEAD;
    TRY(count_bytes(t, k.n + n));
    row_slots_add(&t->wrote, row_slot(table));
    buf_reset(&t->sealed);
    char *sealed = buf_reserve(&t->sealed, n < SEALED_USUAL ? SEALED_USUAL : n);
    CHECK(sealed != NULL);
    seal_into(d, full_str(&k), value, (unsigned char *)sealed);
    return ops(t)->put(t->engine, full_str(&k), str_of(sealed, n), track);
}

struct err *txn_put(struct txn *t, const char *table, struct str owner, struct str key,
                    struct str value)
{
    return write_row(t, table, owner, key, value, true);
}

struct err *txn_put_new(struct txn *t, const char *table, struct str owner, struct str key,
                        struct str value)
{
    return write_row(t, table, owner, key, value, false);
}

struct err *txn_del(struct txn *t, const char *table, struct str key)
{
    struct full_key k;
    TRY(full_key(table, key, &k));
    TRY(count_bytes(t, k.n));
    row_slots_add(&t->wrote, row_slot(table));
    return ops(t)->del(t->engine, full_str(&k));
}

/* -- rows kept decoded ------------------------------------------------------------------------- */

/* The plain text leaves no copy behind. */
static struct err *decode_row(struct txn *t, const char *table, const struct row_form *form,
                              struct str key, struct str stored, void **out, size_t *out_bytes)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(2 * STORE_VALUE_MAX);
    struct str text;
    TRY(open_value(t, table, key, stored, a, &text));
    struct err *e = form->decode(text, out, out_bytes);
    secret_wipe((char *)(uintptr_t)text.p, text.n);
    return e;
}

static void drop_entry(void *e)
{
    row_entry_unref(e);
}

struct own_row { /* one that is not kept */
    const struct row_form *form;
    void *object;
};

static void drop_own(void *arg)
{
    struct own_row *o = arg;
    o->form->free(o->object);
}

/* Not kept: a row of a table that this transaction has written to. */
static struct err *look_own(struct txn *t, const char *table, const struct row_form *form,
                            struct str key, struct str stored, struct arena *a, const void **out)
{
    struct own_row *o = ARENA_NEW(a, struct own_row);
    size_t bytes;
    o->form = form;
    TRY(decode_row(t, table, form, key, stored, &o->object, &bytes));
    arena_on_free(a, drop_own, o);
    *out = o->object;
    return NULL;
}

static struct err *look_kept(struct txn *t, const char *table, const struct row_form *form,
                             struct str key, struct str stored, struct row_entry **entry)
{
    if (*entry != NULL && row_entry_confirm(*entry, stored, t->seen))
        return NULL;
    void *object;
    size_t bytes;
    TRY(decode_row(t, table, form, key, stored, &object, &bytes));
    row_entry_unref(*entry);
    *entry = row_cache_put(t->store->rows, form, key, stored, t->seen,
                           data_key_ref(t->last_read), object, bytes);
    return NULL;
}

struct err *txn_look(struct txn *t, const char *table, const struct row_form *form, struct str key,
                     struct arena *a, const void **out)
{
    struct full_key k;
    TRY(full_key(table, key, &k));
    unsigned slot = row_slot(table);
    bool own = row_slots_has(&t->wrote, slot);
    struct row_entry *entry = own ? NULL : row_cache_find(t->store->rows, form, full_str(&k));
    struct str stored = STR_NONE;
    struct err *e = NULL;
    if (entry == NULL || !row_entry_fresh(t->store->rows, entry, slot)) {
        e = need_engine(t);
        if (e == NULL)
            e = ops(t)->get(t->engine, full_str(&k), false, &stored);
        if (e == NULL && stored.p != NULL)
            e = own ? look_own(t, table, form, full_str(&k), stored, a, out)
                    : look_kept(t, table, form, full_str(&k), stored, &entry);
        if (e != NULL || stored.p == NULL || own) {
            row_entry_unref(entry);
            if (e == NULL && stored.p == NULL)
                *out = NULL;
            return e;
        }
    }
    arena_on_free(a, drop_entry, entry);
    *out = row_entry_object(entry);
    return NULL;
}

struct document {
    struct arena *arena;
    struct jv *root;
};

static struct err *document_decode(struct str text, void **out, size_t *out_bytes)
{
    struct arena *a = arena_new(DOCUMENT_MAX);
    struct document *d = ARENA_NEW(a, struct document);
    d->arena = a;
    struct err *e = json_parse(a, text, JSON_DEPTH_DEFAULT, &d->root);
    if (e != NULL) {
        arena_free(a);
        e->kind = ERR_CORRUPT;
        return err_detail(e, "a row that is no document");
    }
    *out = d;
    *out_bytes = DOCUMENT_OVERHEAD + arena_used(a);
    return NULL;
}

static void document_free(void *object)
{
    struct document *d = object;
    arena_free(d->arena);
}

struct err *txn_look_json(struct txn *t, const char *table, struct str key, struct arena *a,
                          const struct jv **out)
{
    static const struct row_form form = {document_decode, document_free};
    const void *object = NULL;
    TRY(txn_look(t, table, &form, key, a, &object));
    *out = object == NULL ? NULL : ((const struct document *)object)->root;
    return NULL;
}

/* -- scans ------------------------------------------------------------------------------------- */

/* The least key above all that begin with k. A table's name has no ff, so there is one. */
static void to_successor(struct full_key *k)
{
    while ((unsigned char)k->p[k->n - 1] == 0xff)
        k->n--;
    k->p[k->n - 1]++;
}

static void to_next(struct full_key *k)
{
    k->p[k->n++] = '\0';
}

static struct err *scan_bounds(const char *table, const struct scan *sc, struct full_key *lower,
                               struct full_key *upper)
{
    TRY(full_key(table, sc->prefix, lower));
    *upper = *lower;
    to_successor(upper);
    if (sc->from.p == NULL)
        return NULL;
    struct full_key from;
    TRY(full_key(table, sc->from, &from));
    if (sc->after != sc->reverse) /* forward after it, or reverse with it: bound just above it */
        to_next(&from);
    struct full_key *moved = sc->reverse ? upper : lower;
    int d = str_cmp(full_str(&from), full_str(moved));
    if (sc->reverse ? d < 0 : d > 0)
        *moved = from;
    return NULL;
}

struct err *txn_scan(struct txn *t, const char *table, const struct scan *sc, struct cursor **out)
{
    struct full_key lower, upper;
    TRY(scan_bounds(table, sc, &lower, &upper));
    struct engine_cursor *engine = NULL;
    TRY(need_engine(t));
    if (str_cmp(full_str(&lower), full_str(&upper)) < 0)
        TRY(ops(t)->scan(t->engine, full_str(&lower), full_str(&upper), sc->reverse, &engine));
    struct cursor *c = calloc(1, sizeof *c);
    CHECK(c != NULL);
    c->txn = t;
    c->engine = engine;
    c->table_n = strlen(table) + 1;
    c->keys_only = sc->keys_only;
    buf_init(&c->key, sizeof lower.p);
    buf_init(&c->value, STORE_VALUE_MAX + 1);
    *out = c;
    return NULL;
}

/* The value is opened into the cursor's own room. */
static struct err *open_at(struct cursor *c, struct str stored)
{
    if (!has_form(stored) || plain_size(stored) > STORE_VALUE_MAX)
        return damaged(c->key.p, "a value is of no known form");
    const struct data_key *d = NULL;
    TRY(reading_key(c->txn, stored, &d));
    buf_reset(&c->value);
    char *plain = buf_reserve(&c->value, plain_size(stored) + 1);
    CHECK(plain != NULL);
    if (!gcm_open(data_key_bytes(d), buf_view(&c->key), str_skip(stored, VALUE_HEAD),
                  (unsigned char *)plain))
        return damaged(c->key.p, "a value does not open: it was altered or moved");
    plain[plain_size(stored)] = '\0';
    buf_advance(&c->value, plain_size(stored));
    return NULL;
}

struct err *cursor_next(struct cursor *c, bool *out_more, struct str *key, struct str *value)
{
    struct str found = STR_NONE, stored = STR_NONE;
    if (c->engine != NULL)
        TRY(ops(c->txn)->next(c->engine, &found, &stored));
    if (found.p == NULL) {
        *out_more = false;
        return NULL;
    }
    buf_reset(&c->key); /* a copy: writing may move the engine's */
    buf_str(&c->key, found);
    CHECK(buf_ok(&c->key) && found.n >= c->table_n);
    if (!c->keys_only)
        TRY(open_at(c, stored));
    *out_more = true;
    *key = str_skip(buf_view(&c->key), c->table_n);
    if (value != NULL)
        *value = c->keys_only ? STR_NONE : str_of(c->value.p, c->value.n);
    return NULL;
}

void cursor_free(struct cursor *c)
{
    if (c == NULL)
        return;
    if (c->engine != NULL)
        ops(c->txn)->cursor_free(c->engine);
    buf_clear(&c->key);
    buf_clear(&c->value);
    free(c);
}

void cursor_free_ptr(struct cursor **c)
{
    cursor_free(*c);
    *c = NULL;
}

/* -- owners and secrets ------------------------------------------------------------------------ */

struct err *store_owner_destroy(struct store *s, struct str owner)
{
    return keyring_destroy(s->keyring, owner);
}

struct err *store_secret(struct store *s, const char *name, size_t size, struct secret **out)
{
    return keyring_secret_make(s->keyring, name, size, out);
}

struct err *store_secret_put(struct store *s, const char *name, const struct secret *v)
{
    return keyring_secret_put(s->keyring, name, v);
}

struct err *store_secret_get(struct store *s, const char *name, struct secret **out)
{
    return keyring_secret_get(s->keyring, name, out);
}

/* No table's name begins with 00, so what is sealed here opens as no row. */
static struct str outside_aad(struct arena *a, struct str context)
{
    return arena_concat(a, str_of("\0sealed\0", 8), context);
}

struct err *store_seal(struct store *s, struct arena *a, struct str owner, struct str context,
                       struct str plain, struct str *out)
{
    if (plain.n > STORE_VALUE_MAX)
        return err_new(ERR_LIMIT, "A value may have at most %d MiB.", STORE_VALUE_MAX >> 20);
    struct data_key *d = NULL;
    TRY(keyring_of_owner(s->keyring, owner, &d));
    size_t n = VALUE_HEAD + plain.n + GCM_OVERHEAD;
    unsigned char *sealed = arena_alloc(a, n);
    seal_into(d, outside_aad(a, context), plain, sealed);
    data_key_unref(d);
    *out = str_of(sealed, n);
    return NULL;
}

struct err *store_unseal(struct store *s, struct arena *a, struct str context, struct str sealed,
                         struct str *out)
{
    if (!has_form(sealed))
        return damaged("(sealed)", "a value is of no known form");
    struct data_key *d = NULL;
    TRY(keyring_by_id(s->keyring, (const unsigned char *)sealed.p + 1, &d));
    unsigned char *plain = arena_alloc(a, plain_size(sealed) + 1);
    bool good = gcm_open(data_key_bytes(d), outside_aad(a, context), str_skip(sealed, VALUE_HEAD),
                         plain);
    data_key_unref(d);
    if (!good)
        return damaged("(sealed)", "a value does not open: it was altered or moved");
    *out = str_of(plain, plain_size(sealed));
    return NULL;
}
