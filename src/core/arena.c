#include "arena.h"

#include <stdalign.h>
#include <stdarg.h>

/* Under AddressSanitizer what is not handed out is poisoned, with a gap behind each piece, so that
 * an overrun inside a block is caught like one of malloc's. */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISON 1
#endif
#endif
#ifdef ARENA_POISON
#include <sanitizer/asan_interface.h>
enum { GAP = alignof(max_align_t) };
#define POISON(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#else
enum { GAP = 0 };
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

/* A piece of LONELY bytes or more gets a block to itself, so that the room left in the current
 * block is not lost. */
enum { FIRST_BLOCK = 8 * 1024, BLOCK_MAX = 256 * 1024, LONELY = 32 * 1024 };

/* An arena with a large cap is a request's, which usually needs no second block then. */
enum { LARGE_CAP = 16 * 1024 * 1024, LARGE_FIRST_BLOCK = 24 * 1024 };

struct block {
    struct block *next;
    size_t size, used;
    alignas(max_align_t) char data[];
};

struct cleanup {
    struct cleanup *next;
    void (*fn)(void *);
    void *arg;
};

struct arena {
    struct block *head;  /* the block in use; blocks of one piece stand behind it */
    struct block *first; /* kept by reset */
    struct cleanup *cleanups;
    size_t cap, total;
};

static struct block *block_new(size_t size)
{
    struct block *b = malloc(sizeof *b + size);
    CHECK(b != NULL);
    b->next = NULL;
    b->size = size;
    b->used = 0;
    POISON(b->data, size);
    return b;
}

static void block_free(struct block *b)
{
    UNPOISON(b->data, b->size);
    free(b);
}

struct arena *arena_new(size_t cap_bytes)
{
    struct arena *a = calloc(1, sizeof *a);
    CHECK(a != NULL);
    a->cap = cap_bytes;
    a->head = a->first = block_new(cap_bytes >= LARGE_CAP ? LARGE_FIRST_BLOCK : FIRST_BLOCK);
    return a;
}

static void run_cleanups(struct arena *a)
{
    while (a->cleanups != NULL) {
        struct cleanup *c = a->cleanups;
        a->cleanups = c->next;
        c->fn(c->arg);
    }
}

void arena_reset(struct arena *a)
{
    run_cleanups(a);
    for (struct block *b = a->head, *next; b != NULL; b = next) {
        next = b->next;
        if (b != a->first)
            block_free(b);
    }
    a->head = a->first;
    a->first->next = NULL;
    a->first->used = 0;
    POISON(a->first->data, a->first->size);
    a->total = 0;
}

void arena_free(struct arena *a)
{
    if (a == NULL)
        return;
    arena_reset(a);
    block_free(a->first);
    free(a);
}

void arena_free_ptr(struct arena **a)
{
    arena_free(*a);
}

static struct block *block_for(struct arena *a, size_t need)
{
    if (need >= LONELY) {
        struct block *b = block_new(need);
        b->next = a->head->next;
        a->head->next = b;
        return b;
    }
    size_t size = a->head->size * 2 > BLOCK_MAX ? BLOCK_MAX : a->head->size * 2;
    struct block *b = block_new(size < LONELY ? LONELY : size);
    b->next = a->head;
    a->head = b;
    return b;
}

void *arena_alloc_raw(struct arena *a, size_t n)
{
    CHECK(n < SIZE_MAX / 4);
    size_t need = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    a->total += need;
    need += GAP;
    struct block *b = a->head;
    if (b->size - b->used < need)
        b = block_for(a, need);
    void *p = b->data + b->used;
    b->used += need;
    UNPOISON(p, n);
    return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
    return memset(arena_alloc_raw(a, n), 0, n);
}

void *arena_alloc_array(struct arena *a, size_t count, size_t size)
{
    size_t n;
    CHECK(!__builtin_mul_overflow(count, size, &n));
    return arena_alloc(a, n);
}

struct str arena_str(struct arena *a, struct str s)
{
    if (s.p == NULL)
        return s;
    return (struct str){arena_cstr(a, s), s.n};
}

char *arena_cstr(struct arena *a, struct str s)
{
    char *p = arena_alloc_raw(a, s.n + 1);
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

struct str arena_fmt(struct arena *a, const char *fmt, ...)
{
    /* Most texts are short: format once, on the stack. */
    char text[256];
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    CHECK(n >= 0);
    struct str out;
    if ((size_t)n < sizeof text) {
        out = arena_str(a, str_of(text, (size_t)n));
    } else {
        char *p = arena_alloc_raw(a, (size_t)n + 1);
        vsnprintf(p, (size_t)n + 1, fmt, again);
        out = str_of(p, (size_t)n);
    }
    va_end(again);
    return out;
}

struct str arena_concat(struct arena *a, struct str x, struct str y)
{
    char *p = arena_alloc_raw(a, x.n + y.n + 1);
    if (x.n > 0)
        memcpy(p, x.p, x.n);
    if (y.n > 0)
        memcpy(p + x.n, y.p, y.n);
    p[x.n + y.n] = '\0';
    return (struct str){p, x.n + y.n};
}

void arena_on_free(struct arena *a, void (*fn)(void *), void *arg)
{
    struct cleanup *c = ARENA_NEW(a, struct cleanup);
    c->fn = fn;
    c->arg = arg;
    c->next = a->cleanups;
    a->cleanups = c;
}

bool arena_over(const struct arena *a)
{
    return a->total > a->cap;
}

bool arena_fits(const struct arena *a, size_t n)
{
    return a->total <= a->cap && n <= a->cap - a->total;
}

size_t arena_used(const struct arena *a)
{
    return a->total;
}

struct err *arena_check(const struct arena *a)
{
    if (!arena_over(a))
        return NULL;
    return err_new(ERR_LIMIT, "The request needs more memory than one request may use.");
}

void *vec_grow(struct arena *a, void *v, size_t n, size_t *cap, size_t size)
{
    size_t bigger = *cap == 0 ? 8 : *cap * 2, bytes;
    CHECK(!__builtin_mul_overflow(bigger, size, &bytes));
    char *p = arena_alloc_raw(a, bytes);
    if (n > 0)
        memcpy(p, v, n * size);
    memset(p + n * size, 0, bytes - n * size);
    *cap = bigger;
    return p;
}
