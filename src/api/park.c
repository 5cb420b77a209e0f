/* Parked calls: who waits for what, and until when.
 *
 * A handler that finds nothing to answer with parks its call on a key; a commit that changes that
 * wakes it, and the whole transaction runs again. Nobody sleeps: the call holds no thread. A wake
 * between the handler's snapshot and the parking is not lost: wakes are counted, a line notes the
 * count before its snapshot, and each bucket of keys keeps the count of its last wake.
 *
 * Locks: `lock` guards buckets and heap and is never held across I/O or a call out. */
#include "line.h"
#include "../core/map.h"

#include <stdatomic.h>

enum { BUCKETS = 1024, PARKED_MAX = 20000 };

static struct err park_mark = {.kind = ERR_TIMEOUT, .message = "parked"};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t sooner;
    pthread_t thread;
    bool running, stopping;
    struct ward *ward;
    void (*resume)(struct line *l);
    _Atomic uint64_t last_wake[BUCKETS];
    struct line *bucket[BUCKETS];
    struct line **heap; /* by park_until_ms, the soonest first */
    size_t heap_n, heap_cap;
} P = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool is_park_signal(const struct err *e)
{
    return e == &park_mark;
}

static size_t bucket_of(struct str key)
{
    return map_hash(key) & (BUCKETS - 1);
}

struct err *call_park(struct call *c, struct str wake_key, int64_t until_ms)
{
    struct line *l = line_of(c);
    CHECK(wake_key.n <= sizeof l->park_key);
    memcpy(l->park_key, wake_key.p, wake_key.n);
    l->park_key_n = wake_key.n;
    l->park_until_ms = until_ms;
    return &park_mark;
}

static _Atomic uint64_t wakes;

void park_prepare(struct line *l)
{
    l->park_count = atomic_load(&wakes);
}

static void heap_swap(size_t i, size_t j)
{
    struct line *t = P.heap[i];
    P.heap[i] = P.heap[j];
    P.heap[j] = t;
    P.heap[i]->heap_at = i;
    P.heap[j]->heap_at = j;
}

static void heap_up(size_t i)
{
    while (i > 0 && P.heap[i]->park_until_ms < P.heap[(i - 1) / 2]->park_until_ms) {
        heap_swap(i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

static void heap_down(size_t i)
{
    for (;;) {
        size_t least = i;
        for (size_t kid = 2 * i + 1; kid <= 2 * i + 2 && kid < P.heap_n; kid++)
            if (P.heap[kid]->park_until_ms < P.heap[least]->park_until_ms)
                least = kid;
        if (least == i)
            return;
        heap_swap(i, least);
        i = least;
    }
}

static void unlink_line(struct line *l)
{
    *l->bucket_link = l->bucket_next;
    if (l->bucket_next != NULL)
        l->bucket_next->bucket_link = l->bucket_link;
    size_t at = l->heap_at;
    P.heap_n--;
    if (at != P.heap_n) {
        heap_swap(at, P.heap_n);
        heap_up(at);
        heap_down(at);
    }
    l->parked = false;
}

bool park_line(struct line *l)
{
    size_t b = bucket_of(str_of(l->park_key, l->park_key_n));
    pthread_mutex_lock(&P.lock);
    bool woken = atomic_load(&P.last_wake[b]) > l->park_count;
    bool full = P.heap_n >= PARKED_MAX || P.stopping;
    if (woken || full) {
        if (full)
            l->c.wait_over = true;
        pthread_mutex_unlock(&P.lock);
        return false;
    }
    if (P.heap_n == P.heap_cap) {
        P.heap_cap = P.heap_cap == 0 ? 64 : P.heap_cap * 2;
        P.heap = realloc(P.heap, P.heap_cap * sizeof *P.heap);
        CHECK(P.heap != NULL);
    }
    l->heap_at = P.heap_n;
    P.heap[P.heap_n++] = l;
    heap_up(l->heap_at);
    l->bucket_next = P.bucket[b];
    l->bucket_link = &P.bucket[b];
    if (l->bucket_next != NULL)
        l->bucket_next->bucket_link = &l->bucket_next;
    P.bucket[b] = l;
    l->parked = true;
    if (P.heap[0] == l)
        pthread_cond_signal(&P.sooner);
    pthread_mutex_unlock(&P.lock);
    return true;
}

/* Hands lines over outside the lock. */
static void resume_all(struct line *list)
{
    while (list != NULL) {
        struct line *next = list->bucket_next;
        P.resume(list);
        list = next;
    }
}

void call_wake(struct str wake_key)
{
    size_t b = bucket_of(wake_key);
    struct line *woken = NULL;
    pthread_mutex_lock(&P.lock);
    atomic_store(&P.last_wake[b], atomic_fetch_add(&wakes, 1) + 1);
    for (struct line *l = P.bucket[b], *next; l != NULL; l = next) {
        next = l->bucket_next;
        if (!str_eq(str_of(l->park_key, l->park_key_n), wake_key))
            continue;
        unlink_line(l);
        l->bucket_next = woken;
        woken = l;
    }
    pthread_mutex_unlock(&P.lock);
    resume_all(woken);
}

struct wake_note {
    size_t n;
    char key[];
};

static void wake_from_commit(void *arg)
{
    struct wake_note *w = arg;
    call_wake(str_of(w->key, w->n));
}

void call_wake_on_commit(struct txn *t, struct arena *a, struct str wake_key)
{
    struct wake_note *w = arena_alloc(a, sizeof *w + wake_key.n);
    w->n = wake_key.n;
    memcpy(w->key, wake_key.p, wake_key.n);
    txn_on_commit(t, wake_from_commit, w);
}

static void *clock_thread(void *arg UNUSED)
{
    pthread_mutex_lock(&P.lock);
    while (!P.stopping) {
        if (P.heap_n == 0) {
            pthread_cond_wait(&P.sooner, &P.lock);
            continue;
        }
        int64_t left = P.heap[0]->park_until_ms - clock_now_ms();
        if (left > 0) {
            int64_t until = clock_mono_ms() + (left < 1000 ? left : 1000);
            struct timespec ts = {until / 1000, until % 1000 * 1000000};
            pthread_cond_timedwait(&P.sooner, &P.lock, &ts);
            continue;
        }
        struct line *l = P.heap[0];
        unlink_line(l);
        l->c.wait_over = true;
        l->bucket_next = NULL;
        pthread_mutex_unlock(&P.lock);
        P.resume(l);
        pthread_mutex_lock(&P.lock);
    }
    struct line *all = NULL;
    while (P.heap_n > 0) {
        struct line *l = P.heap[0];
        unlink_line(l);
        l->c.wait_over = true;
        l->bucket_next = all;
        all = l;
    }
    pthread_mutex_unlock(&P.lock);
    resume_all(all);
    return NULL;
}

struct err *park_start(struct ward *w, void (*resume)(struct line *l))
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&P.sooner, &attr);
    pthread_condattr_destroy(&attr);
    P.ward = w;
    P.resume = resume;
    P.stopping = false;
    int rc = pthread_create(&P.thread, NULL, clock_thread, NULL);
    if (rc != 0)
        return err_errno(rc, "pthread_create");
    P.running = true;
    return NULL;
}

void park_stop(void)
{
    if (!P.running)
        return;
    pthread_mutex_lock(&P.lock);
    P.stopping = true;
    pthread_cond_signal(&P.sooner);
    pthread_mutex_unlock(&P.lock);
    pthread_join(P.thread, NULL);
    P.running = false;
    free(P.heap);
    P.heap = NULL;
    P.heap_cap = 0;
}
