#include "arena.h"

#include <stdarg.h>
#include <stdalign.h>

enum { FIRST_BLOCK = 8 * 1024, BLOCK_MAX = 256 * 1024 };

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
    struct block *head; /* newest first; the last one is the first block, kept by reset */
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
    return b;
}

struct arena *arena_new(size_t cap_bytes)
{
    struct arena *a = calloc(1, sizeof *a);
    CHECK(a != NULL);
    a->cap = cap_bytes;
    a->head = block_new(FIRST_BLOCK);
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
    while (a->head->next != NULL) {
        struct block *b = a->head;
        a->head = b->next;
        free(b);
    }
    a->head->used = 0;
    a->total = 0;
}

void arena_free(struct arena *a)
{
    if (a == NULL)
        return;
    arena_reset(a);
    free(a->head);
    free(a);
}

void arena_free_ptr(struct arena **a)
{
    arena_free(*a);
}

void *arena_alloc(struct arena *a, size_t n)
{
    CHECK(n < SIZE_MAX / 4);
    size_t need = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (a->head->size - a->head->used < need) {
        size_t size = a->head->size * 2 > BLOCK_MAX ? BLOCK_MAX : a->head->size * 2;
        struct block *b = block_new(size < need ? need : size);
        b->next = a->head;
        a->head = b;
    }
    void *p = a->head->data + a->head->used;
    a->head->used += need;
    a->total += need;
    memset(p, 0, n);
    return p;
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
    char *p = arena_alloc(a, s.n + 1);
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    return p;
}

struct str arena_fmt(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    CHECK(n >= 0);
    char *p = arena_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return (struct str){p, (size_t)n};
}

struct str arena_concat(struct arena *a, struct str x, struct str y)
{
    char *p = arena_alloc(a, x.n + y.n + 1);
    if (x.n > 0)
        memcpy(p, x.p, x.n);
    if (y.n > 0)
        memcpy(p + x.n, y.p, y.n);
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
    size_t bigger = *cap == 0 ? 8 : *cap * 2;
    void *p = arena_alloc_array(a, bigger, size);
    if (n > 0)
        memcpy(p, v, n * size);
    *cap = bigger;
    return p;
}
