#include "test.h"

#include "core/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static atomic_int done;

static void count(void *arg)
{
    atomic_fetch_add(&done, *(int *)arg);
}

/* A gate that workers wait at until the test opens it. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open;
    int waiting;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void wait_at_gate(void *arg)
{
    pthread_mutex_lock(&gate.lock);
    gate.waiting++;
    pthread_cond_broadcast(&gate.changed);
    while (!gate.open)
        pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
    atomic_fetch_add(&done, 1);
}

static void await_waiting(int n)
{
    pthread_mutex_lock(&gate.lock);
    while (gate.waiting < n)
        pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

static void set_gate(bool open)
{
    pthread_mutex_lock(&gate.lock);
    gate.open = open;
    if (!open)
        gate.waiting = 0;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

static void all_work_is_done(void **state)
{
    struct pool *p = NULL;
    int one = 1;
    atomic_store(&done, 0);
    assert_ok(pool_new(4, 10000, &p));
    for (int i = 0; i < 10000; i++)
        assert_true(pool_submit(p, count, &one));
    pool_free(p); /* runs what is queued */
    assert_int_equal(atomic_load(&done), 10000);
    pool_free(NULL);
}

static void a_full_queue_refuses(void **state)
{
    struct pool *p = NULL;
    atomic_store(&done, 0);
    set_gate(false);
    assert_ok(pool_new(2, 3, &p));
    assert_true(pool_submit(p, wait_at_gate, NULL));
    assert_true(pool_submit(p, wait_at_gate, NULL));
    await_waiting(2); /* both workers are busy; from here on work waits */
    for (int i = 0; i < 3; i++)
        assert_true(pool_submit(p, wait_at_gate, NULL));
    assert_false(pool_submit(p, wait_at_gate, NULL));
    set_gate(true);
    pool_free(p);
    assert_int_equal(atomic_load(&done), 5);
}

/* Workers run side by side: four of them meet at the gate. */
static void workers_run_together(void **state)
{
    struct pool *p = NULL;
    set_gate(false);
    assert_ok(pool_new(4, 8, &p));
    for (int i = 0; i < 4; i++)
        assert_true(pool_submit(p, wait_at_gate, NULL));
    await_waiting(4);
    set_gate(true);
    pool_free(p);
}

static struct pool *chained;
static atomic_int links, refused;

static void submit_next(void *arg)
{
    if (atomic_fetch_add(&links, 1) < 99 && !pool_submit(chained, submit_next, NULL))
        atomic_fetch_add(&refused, 1);
    if (atomic_load(&links) == 100)
        set_gate(true);
}

static void workers_may_submit(void **state)
{
    set_gate(false);
    assert_ok(pool_new(1, 1, &chained));
    assert_true(pool_submit(chained, submit_next, NULL));
    pthread_mutex_lock(&gate.lock);
    while (!gate.open)
        pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
    pool_free(chained);
    assert_int_equal(atomic_load(&links), 100);
    assert_int_equal(atomic_load(&refused), 0);
}

static int order[50];
static int n_order;

static void note(void *arg)
{
    order[n_order++] = *(int *)arg; /* one worker: no lock needed */
}

static void one_worker_keeps_the_order(void **state)
{
    struct pool *p = NULL;
    int numbers[ARRAY_LEN(order)];
    assert_ok(pool_new(1, 7, &p));
    for (int i = 0; i < (int)ARRAY_LEN(order); i++) { /* the ring wraps around */
        numbers[i] = i;
        while (!pool_submit(p, note, &numbers[i]))
            sched_yield();
    }
    pool_free(p);
    assert_int_equal(n_order, ARRAY_LEN(order));
    for (int i = 0; i < n_order; i++)
        assert_int_equal(order[i], i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_work_is_done),     cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(workers_run_together), cmocka_unit_test(workers_may_submit),
        cmocka_unit_test(one_worker_keeps_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
