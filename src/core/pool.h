/* pool.h: a fixed pool of worker threads and a bounded queue of work.
 *
 * Work is a plain function that may block on the disk, never on a client. Thread rule: pool_submit
 * is safe from any thread, workers included. */
#ifndef WARD_CORE_POOL_H
#define WARD_CORE_POOL_H

#include "err.h"

struct pool;

enum { POOL_STACK_BYTES = 512 * 1024 };

/* `queue_max` counts work that waits. */
struct err *pool_new(int threads, size_t queue_max, struct pool **out_pool) MUST_CHECK;

/* false: the queue is full (answer "slow down") or the pool is stopping; fn will not be called. */
bool pool_submit(struct pool *p, void (*fn)(void *), void *arg) MUST_CHECK;

/* Runs what is queued, waits for the workers to end, frees. NULL is fine. */
void pool_free(struct pool *p);

#endif
