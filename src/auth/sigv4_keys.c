/* Derived signing keys, kept: a client signs with the same one all day, and deriving it costs five
 * HMACs where the signature itself takes one. */
#include "sigv4_internal.h"

#include "../core/buf.h"

#include <pthread.h>

enum { KEPT = 8, SCOPE_MAX = 160 };

struct kept {
    size_t scope_n; /* 0: free */
    char scope[SCOPE_MAX];
    struct secret *key;
};

struct sig_keys {
    pthread_mutex_t lock; /* a leaf; nothing is derived under it */
    struct kept kept[KEPT];
    size_t next; /* to be overwritten */
};

struct sig_keys *sig_keys_new(void)
{
    struct sig_keys *k = calloc(1, sizeof *k);
    CHECK(k != NULL);
    pthread_mutex_init(&k->lock, NULL);
    return k;
}

void sig_keys_free(struct sig_keys *k)
{
    if (k == NULL)
        return;
    for (size_t i = 0; i < KEPT; i++)
        secret_free(k->kept[i].key);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

static bool find(struct sig_keys *k, struct str scope, unsigned char out[SHA256_SIZE])
{
    bool found = false;
    pthread_mutex_lock(&k->lock);
    for (size_t i = 0; i < KEPT && !found; i++) {
        found = str_eq(str_of(k->kept[i].scope, k->kept[i].scope_n), scope);
        if (found)
            memcpy(out, secret_bytes(k->kept[i].key), SHA256_SIZE);
    }
    pthread_mutex_unlock(&k->lock);
    return found;
}

static void keep(struct sig_keys *k, struct str scope, const unsigned char key[SHA256_SIZE])
{
    struct secret *fresh = NULL;
    struct err *e = secret_new(str_of(key, SHA256_SIZE), &fresh);
    if (e != NULL) { /* no room for secrets: it is derived again next time */
        err_free(e);
        return;
    }
    pthread_mutex_lock(&k->lock);
    struct kept *to = &k->kept[k->next++ % KEPT];
    struct secret *old = to->key;
    memcpy(to->scope, scope.p, scope.n);
    to->scope_n = scope.n;
    to->key = fresh;
    pthread_mutex_unlock(&k->lock);
    secret_free(old);
}

void sig_keys_derive(struct sig_keys *k, const struct secret *secret, struct str date,
                     struct str region, struct str service, unsigned char out[SHA256_SIZE])
{
    struct buf scope CLEANUP(buf_clear) = BUF_INIT(SCOPE_MAX);
    buf_str(&scope, date);
    buf_char(&scope, '/'); /* none of the parts has one: they were cut at it */
    buf_str(&scope, region);
    buf_char(&scope, '/');
    buf_str(&scope, service);
    bool fits = k != NULL && buf_ok(&scope);
    if (fits && find(k, buf_view(&scope), out))
        return;
    sig_derive_key(secret, date, region, service, out);
    if (fits)
        keep(k, buf_view(&scope), out);
}
