#include "pool.h"

#include <pthread.h>

struct item {
    void (*fn)(void *);
    void *arg;
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t some;
    struct item *ring;
    size_t max, head, n;
    bool stopping;
    int threads;
    pthread_t ids[];
};

static void *worker(void *arg)
{
    struct pool *p = arg;
    for (;;) {
        pthread_mutex_lock(&p->lock);
        while (p->n == 0 && !p->stopping)
            pthread_cond_wait(&p->some, &p->lock);
        if (p->n == 0) {
            pthread_mutex_unlock(&p->lock);
            return NULL;
        }
        struct item it = p->ring[p->head];
        p->head = (p->head + 1) % p->max;
        p->n--;
        pthread_mutex_unlock(&p->lock);
        it.fn(it.arg);
    }
}

struct err *pool_new(int threads, size_t queue_max, struct pool **out_pool)
{
    CHECK(threads > 0 && queue_max > 0);
    struct pool *p = calloc(1, sizeof *p + (size_t)threads * sizeof(pthread_t));
    CHECK(p != NULL);
    p->ring = calloc(queue_max, sizeof *p->ring);
    CHECK(p->ring != NULL);
    p->max = queue_max;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->some, NULL);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, POOL_STACK_BYTES);
    int rc = 0;
    for (; p->threads < threads && rc == 0; p->threads += rc == 0)
        rc = pthread_create(&p->ids[p->threads], &attr, worker, p);
    pthread_attr_destroy(&attr);
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
    bool room = p->n < p->max && !p->stopping;
    if (room) {
        p->ring[(p->head + p->n) % p->max] = (struct item){fn, arg};
        p->n++;
        pthread_cond_signal(&p->some);
    }
    pthread_mutex_unlock(&p->lock);
    return room;
}

void pool_free(struct pool *p)
{
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->some);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->threads; i++)
        pthread_join(p->ids[i], NULL);
    pthread_cond_destroy(&p->some);
    pthread_mutex_destroy(&p->lock);
    free(p->ring);
    free(p);
}
