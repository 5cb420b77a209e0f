#include "secret.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum { HEAP_LEAST_BLOCK = 32 };

/* The whole object, length included, lives in the secure heap. */
struct secret {
    size_t n;
    unsigned char p[];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool heap_ready, heap_locked;

static void raise_lock_limit(void)
{
    struct rlimit lim;
    if (getrlimit(RLIMIT_MEMLOCK, &lim) == 0 && lim.rlim_cur < lim.rlim_max) {
        lim.rlim_cur = lim.rlim_max;
        (void)setrlimit(RLIMIT_MEMLOCK, &lim); /* a refusal shows in secret_locked() */
    }
}

static void set_up(void)
{
    struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* no core file, and no ptrace by other programs */
    raise_lock_limit();
    /* 1: all well; 2: usable, but not locked or without guard pages */
    int rc = CRYPTO_secure_malloc_init(SECRET_HEAP_BYTES, HEAP_LEAST_BLOCK);
    heap_ready = rc != 0 || CRYPTO_secure_malloc_initialized();
    heap_locked = rc == 1;
}

struct err *secret_init(void)
{
    pthread_once(&once, set_up);
    if (!heap_ready)
        return err_new(ERR_FULL, "Ward could not set up locked memory for its keys.");
    return NULL;
}

bool secret_locked(void)
{
    return heap_locked;
}

static struct err *alloc(size_t n, struct secret **out)
{
    if (n > SECRET_MAX)
        return err_new(ERR_LIMIT, "A secret may have at most %d bytes.", SECRET_MAX);
    TRY(secret_init());
    struct secret *s = OPENSSL_secure_malloc(sizeof *s + n);
    if (s == NULL)
        return err_detail(err_new(ERR_FULL, "Ward has no room left for keys in locked memory."),
                          "secure heap used: %zu", CRYPTO_secure_used());
    s->n = n;
    *out = s;
    return NULL;
}

struct err *secret_new(struct str bytes, struct secret **out)
{
    struct secret *s = NULL;
    TRY(alloc(bytes.n, &s));
    if (bytes.n > 0)
        memcpy(s->p, bytes.p, bytes.n);
    *out = s;
    return NULL;
}

struct err *secret_random(size_t n, struct secret **out)
{
    struct secret *s = NULL;
    TRY(alloc(n, &s));
    CHECK(n == 0 || RAND_priv_bytes(s->p, (int)n) == 1);
    *out = s;
    return NULL;
}

struct err *secret_ref(const struct secret *s, struct secret **out)
{
    return secret_new(str_of(s->p, s->n), out);
}

void secret_free(struct secret *s)
{
    if (s != NULL)
        OPENSSL_secure_clear_free(s, sizeof *s + s->n);
}

void secret_free_ptr(struct secret **s)
{
    secret_free(*s);
    *s = NULL;
}

size_t secret_size(const struct secret *s)
{
    return s->n;
}

const unsigned char *secret_bytes(const struct secret *s)
{
    return s->p;
}

void secret_wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}
