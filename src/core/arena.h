/* arena.h: memory that dies together, one arena for each request.
 *
 * Allocation never returns NULL: memory comes zeroed and aligned for any type. What keeps a client
 * from using it up: every input has a size limit, and the arena has a cap. Passing the cap does not
 * fail the allocation; it leaves a sticky mark, arena_over(), which parsers look at in their loops
 * and the pipeline between its steps (the idea is Varnish's workspace). If the system itself has no
 * memory the process ends, as after a power cut, which the store survives.
 *
 * An arena also runs registered clean-ups, last registered first, when it is freed or reset.
 * Thread rule: one thread at a time. */
#ifndef WARD_CORE_ARENA_H
#define WARD_CORE_ARENA_H

#include "str.h"

struct arena;

struct arena *arena_new(size_t cap_bytes);
void arena_free(struct arena *a); /* NULL is fine */
void arena_free_ptr(struct arena **a); /* for CLEANUP() */
void arena_reset(struct arena *a); /* frees all but the first block */

void *arena_alloc(struct arena *a, size_t n) __attribute__((returns_nonnull));
void *arena_alloc_array(struct arena *a, size_t count, size_t size)
    __attribute__((returns_nonnull));
/* Not zeroed: for callers that fill all of it at once. */
void *arena_alloc_raw(struct arena *a, size_t n) __attribute__((returns_nonnull));
#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, count, type) ((type *)arena_alloc_array((a), (count), sizeof(type)))

/* Copies; the copy is followed by a NUL that is not counted. STR_NONE stays STR_NONE. */
struct str arena_str(struct arena *a, struct str s);
char *arena_cstr(struct arena *a, struct str s);
struct str arena_fmt(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
struct str arena_concat(struct arena *a, struct str x, struct str y);

void arena_on_free(struct arena *a, void (*fn)(void *), void *arg);

bool arena_over(const struct arena *a);
bool arena_fits(const struct arena *a, size_t n); /* n more bytes would not pass the cap */
size_t arena_used(const struct arena *a);

/* The error to return when arena_over(). */
struct err *arena_check(const struct arena *a) MUST_CHECK;

/* A growing array in an arena.
 *     VEC(struct str) names = {0};
 *     VEC_PUSH(arena, &names, s);      for (size_t i = 0; i < names.n; i++) names.v[i] … */
#define VEC(type)                                                                                  \
    struct {                                                                                       \
        type *v;                                                                                   \
        size_t n, cap;                                                                             \
    }
#define VEC_PUSH(arena, vec, item)                                                                 \
    do {                                                                                           \
        if ((vec)->n == (vec)->cap)                                                                \
            (vec)->v = vec_grow((arena), (vec)->v, (vec)->n, &(vec)->cap, sizeof *(vec)->v);       \
        (vec)->v[(vec)->n++] = (item);                                                             \
    } while (0)
void *vec_grow(struct arena *a, void *v, size_t n, size_t *cap, size_t size);

#endif
