#include "contexts.h"

#include <openssl/rand.h>
#include <stdatomic.h>

/* Tests: 0 is the real source; otherwise the state of a SplitMix64 sequence. */
static _Atomic bool fake;
static _Atomic uint64_t fake_state;

void rand_set_fake(uint64_t seed)
{
    atomic_store(&fake_state, seed);
    atomic_store(&fake, seed != 0);
}

static uint64_t fake_next(void)
{
    uint64_t z = atomic_fetch_add(&fake_state, 0x9e3779b97f4a7c15u) + 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void fake_bytes(unsigned char *p, size_t n)
{
    while (n > 0) {
        uint64_t v = fake_next();
        size_t part = n < sizeof v ? n : sizeof v;
        memcpy(p, &v, part);
        p += part;
        n -= part;
    }
}

void rand_bytes(void *out, size_t n)
{
    if (atomic_load_explicit(&fake, memory_order_relaxed)) {
        fake_bytes(out, n);
        return;
    }
    CHECK(n <= INT32_MAX);
    CHECK(RAND_bytes(out, (int)n) == 1);
}

/* Drawn ahead, since each draw has a price of its own (locks, a generator's update, a system call
 * to notice forks) and a request takes several. */
void rand_id(void *out, size_t n)
{
    struct contexts *c = contexts_mine();
    CHECK(n <= RAND_POOL_BYTES);
    if (atomic_load_explicit(&fake, memory_order_relaxed)) {
        fake_bytes(out, n);
        return;
    }
    if (c->rand_left < n) {
        CHECK(RAND_bytes(c->rand_pool, RAND_POOL_BYTES) == 1);
        c->rand_left = RAND_POOL_BYTES;
    }
    c->rand_left -= n;
    memcpy(out, c->rand_pool + c->rand_left, n);
    secret_wipe(c->rand_pool + c->rand_left, n);
}

uint64_t rand_u64(void)
{
    uint64_t v;
    rand_id(&v, sizeof v);
    return v;
}

/* RFC 9562 section 5.4 */
void rand_uuid(char out[37])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char b[16];
    rand_id(b, sizeof b);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    char *p = out;
    for (size_t i = 0; i < sizeof b; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = digits[b[i] >> 4];
        *p++ = digits[b[i] & 15];
    }
    *p = '\0';
}

struct str rand_text(struct arena *a, size_t n, const char *alphabet)
{
    size_t letters = strlen(alphabet);
    CHECK(letters >= 1 && letters <= 256);
    /* Bytes at or above the largest multiple of `letters` would favour the first letters. */
    size_t limit = 256 - 256 % letters;
    char *out = arena_alloc(a, n + 1);
    unsigned char pool[64];
    size_t left = 0;
    for (size_t i = 0; i < n;) {
        if (left == 0) {
            rand_bytes(pool, sizeof pool);
            left = sizeof pool;
        }
        unsigned char b = pool[--left];
        if (b < limit)
            out[i++] = alphabet[b % letters];
    }
    secret_wipe(pool, sizeof pool);
    out[n] = '\0';
    return str_of(out, n);
}
