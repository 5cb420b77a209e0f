#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* A worker that was idle for so long gives back what lies below its place on the stack, but for
 * what the next calls use at once. */
enum { LEAN_AFTER_S = 2, STACK_KEPT_BYTES = 16 * 1024 };

struct item {
    void (*fn)(void *);
    void *arg;
};

struct worker {
    struct pool *pool;
    pthread_t id;
    pthread_cond_t wake;
    struct worker *below; /* on the stack of idle workers */
    struct item item;     /* handed over while idle; fn NULL: none */
};

/* Idle workers stand on a stack, and work goes to the one that was busy last: its stack, buffers
 * and contexts are still in the processor's caches, and workers that are not needed stay
 * untouched. */
struct pool {
    pthread_mutex_t lock;
    struct worker *idle;
    struct item *ring; /* work that waits: only while nobody is idle */
    size_t max, head, n;
    bool stopping;
    int threads;
    struct worker workers[];
};

static bool take_waiting(struct pool *p, struct item *out)
{
    if (p->n == 0)
        return false;
    *out = p->ring[p->head];
    p->head = (p->head + 1) % p->max;
    p->n--;
    return true;
}

static void stack_lean(void)
{
    pthread_attr_t attr;
    void *low;
    size_t size;
    if (pthread_getattr_np(pthread_self(), &attr) != 0)
        return;
    if (pthread_attr_getstack(&attr, &low, &size) == 0) {
        uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
        uintptr_t here = (uintptr_t)__builtin_frame_address(0) & ~(page - 1);
        if (here > (uintptr_t)low + STACK_KEPT_BYTES)
            (void)madvise(low, here - (uintptr_t)low - STACK_KEPT_BYTES, MADV_DONTNEED);
    }
    pthread_attr_destroy(&attr);
}

/* On the stack of idle workers, until there is work or an end; with the lock held. */
static void wait_for_item(struct worker *w)
{
    struct pool *p = w->pool;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LEAN_AFTER_S;
    while (w->item.fn == NULL && !p->stopping) {
        if (pthread_cond_timedwait(&w->wake, &p->lock, &until) != ETIMEDOUT)
            continue;
        pthread_mutex_unlock(&p->lock);
        stack_lean();
        pthread_mutex_lock(&p->lock);
        while (w->item.fn == NULL && !p->stopping)
            pthread_cond_wait(&w->wake, &p->lock);
    }
}

/* Waits for work. false: there will be none. */
static bool next_item(struct worker *w, struct item *out)
{
    struct pool *p = w->pool;
    pthread_mutex_lock(&p->lock);
    bool got = take_waiting(p, out);
    if (!got && !p->stopping) {
        w->below = p->idle;
        p->idle = w;
        wait_for_item(w);
        got = w->item.fn != NULL;
        *out = w->item;
        w->item.fn = NULL;
    }
    pthread_mutex_unlock(&p->lock);
    return got;
}

static void *work(void *arg)
{
    struct item it;
    while (next_item(arg, &it))
        it.fn(it.arg);
    return NULL;
}

struct err *pool_new(int threads, size_t queue_max, struct pool **out_pool)
{
    CHECK(threads > 0 && queue_max > 0);
    struct pool *p = calloc(1, sizeof *p + (size_t)threads * sizeof p->workers[0]);
    CHECK(p != NULL);
    p->ring = calloc(queue_max, sizeof *p->ring);
    CHECK(p->ring != NULL);
    p->max = queue_max;
    pthread_mutex_init(&p->lock, NULL);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, POOL_STACK_BYTES);
    pthread_condattr_t steady;
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    int rc = 0;
    while (p->threads < threads && rc == 0) {
        struct worker *w = &p->workers[p->threads];
        w->pool = p;
        pthread_cond_init(&w->wake, &steady);
        rc = pthread_create(&w->id, &attr, work, w);
        p->threads += rc == 0;
    }
    pthread_attr_destroy(&attr);
    pthread_condattr_destroy(&steady);
    if (rc != 0) {
        pool_free(p);
        return err_errno(rc, "pthread_create");
    }
    *out_pool = p;
    return NULL;
}

bool pool_submit(struct pool *p, void (*fn)(void *), void *arg)
{
    pthread_mutex_lock(&p->lock);
    bool taken = !p->stopping && (p->idle != NULL || p->n < p->max);
    struct worker *w = taken ? p->idle : NULL;
    if (w != NULL) {
        p->idle = w->below;
        w->item = (struct item){fn, arg};
    } else if (taken) {
        p->ring[(p->head + p->n) % p->max] = (struct item){fn, arg};
        p->n++;
    }
    pthread_mutex_unlock(&p->lock);
    if (w != NULL) /* outside the lock, which it takes first */
        pthread_cond_signal(&w->wake);
    return taken;
}

void pool_free(struct pool *p)
{
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    for (int i = 0; i < p->threads; i++)
        pthread_cond_signal(&p->workers[i].wake);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->threads; i++) {
        pthread_join(p->workers[i].id, NULL);
        pthread_cond_destroy(&p->workers[i].wake);
    }
    pthread_mutex_destroy(&p->lock);
    free(p->ring);
    free(p);
}
