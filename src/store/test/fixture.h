/* fixture.h: shared by the store's tests: a folder of its own, a root key, both engines. */
#ifndef WARD_STORE_TEST_FIXTURE_H
#define WARD_STORE_TEST_FIXTURE_H

#include "../../crypto/crypto.h"
#include "../store.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define OWNER STR("123456789012/s3/bucket")
#define OTHER STR("210987654321")

static const unsigned char root_bytes[AES_KEY_SIZE] = "a root key for tests, 32 bytes.";

struct fixture {
    bool on_disk;
    char dir[64];
    struct secret *root;
    struct store *store;
    struct arena *arena;
};

#define OK(call)                                                                                   \
    do {                                                                                           \
        struct err *ok_err_ = (call);                                                              \
        if (ok_err_ != NULL)                                                                       \
            fail_msg("%s: %s (%s)", #call, ok_err_->message, ok_err_->detail);                     \
    } while (0)

static inline void assert_kind(struct err *e, enum err_kind kind)
{
    if (!err_is(e, kind))
        fail_msg("kind %d expected, not %d: %s (%s)", (int)kind, e == NULL ? 0 : (int)e->kind,
                 e == NULL ? "success" : e->message, e == NULL ? "" : e->detail);
    err_free(e);
}

static inline void assert_str(struct str got, const char *want)
{
    if (!str_is(got, want))
        fail_msg("\"%s\" expected, not \"%.*s\"", want, STR_ARG(got));
}

static inline int remove_one(const char *path, const struct stat *st, int kind, struct FTW *f)
{
    return remove(path);
}

static inline void remove_tree(const char *dir)
{
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void make_folder(char out[64])
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(out, 64, "%.40s/ward-test-XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(out));
}

static inline void open_store(struct fixture *f)
{
    struct store_options o = {.dir = f->dir, .root_key = f->root};
    if (f->on_disk)
        OK(store_open(&o, &f->store));
    else
        OK(store_open_memory(&f->store));
}

static inline void close_store(struct fixture *f)
{
    store_close(f->store);
    f->store = NULL;
}

static inline struct fixture *fixture_new(bool on_disk)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->on_disk = on_disk;
    OK(crypto_init());
    OK(secret_new(str_of(root_bytes, sizeof root_bytes), &f->root));
    f->arena = arena_new(64 << 20);
    if (on_disk)
        make_folder(f->dir);
    open_store(f);
    return f;
}

static inline void fixture_free(struct fixture *f)
{
    store_close(f->store);
    if (f->on_disk)
        remove_tree(f->dir);
    secret_free(f->root);
    arena_free(f->arena);
    free(f);
}

static inline struct txn *begin(struct fixture *f, enum txn_mode mode)
{
    struct txn *t = NULL;
    OK(store_begin(f->store, mode, &t));
    return t;
}

static inline void put(struct fixture *f, const char *table, const char *key, const char *value)
{
    struct txn *t = begin(f, TXN_WRITE);
    OK(txn_put(t, table, OWNER, str_c(key), str_c(value)));
    OK(txn_commit(&t));
}

static inline struct str get_in(struct fixture *f, struct txn *t, const char *table,
                                const char *key)
{
    struct str v = STR_NONE;
    OK(txn_get(t, table, str_c(key), f->arena, &v));
    return v;
}

static inline struct str get(struct fixture *f, const char *table, const char *key)
{
    struct txn *t = begin(f, TXN_READ);
    struct str v = get_in(f, t, table, key);
    txn_abort(&t);
    return v;
}

#endif
