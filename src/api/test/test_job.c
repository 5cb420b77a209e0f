/* Jobs against a store in memory: each runs as often as it is put, whatever the scheduler sees. */
#include "../line.h"

#include "../../core/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <time.h>

#include <cmocka.h>

enum { JOBS = 8000, BURST = 20, AGAIN = 3, WAIT_S = 60 };

static _Atomic int runs[JOBS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static int ended; /* under the lock */

static void ok(struct err *e)
{
    if (e != NULL)
        fail_msg("%s: %s", e->code != NULL ? e->code : "error", e->message);
}

static void note_end(void)
{
    pthread_mutex_lock(&lock);
    ended++;
    pthread_cond_signal(&more);
    pthread_mutex_unlock(&lock);
}

static enum job_next run_once(struct job *j, int64_t *again_ms UNUSED)
{
    int64_t i = 0;
    CHECK(str_to_i64(j->id, 0, JOBS - 1, &i));
    atomic_fetch_add(&runs[i], 1);
    note_end();
    return JOB_DONE;
}

static enum job_next run_again(struct job *j, int64_t *again_ms)
{
    CHECK(j->attempt == atomic_load(&runs[0]));
    *again_ms = clock_now_ms();
    int n = atomic_fetch_add(&runs[0], 1) + 1;
    note_end();
    return n < AGAIN ? JOB_AGAIN : JOB_DONE;
}

static const struct job_kind kinds[] = {
    {"test.once", run_once, 0}, {"test.again", run_again, 0}, {0}};
static const struct room room = {.name = "test", .jobs = kinds};
static const struct room *const rooms[] = {&room};

static int set_up(void **state)
{
    static struct ward w;
    w = (struct ward){.rooms = rooms, .n_rooms = 1, .data_dir = "/", .region = "us-east-1"};
    memset(runs, 0, sizeof runs);
    ended = 0;
    ok(crypto_init());
    ok(store_open_memory(&w.store));
    ok(ledger_open(w.store, &w.ledger));
    ok(scheduler_start(&w));
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct ward *w = *state;
    ledger_close(w->ledger);
    store_close(w->store);
    return 0;
}

/* Those from `from` on, due at once. */
static void put(struct ward *w, const char *kind, int from, int n)
{
    char id[16];
    struct txn *t CLEANUP(txn_abort) = NULL;
    ok(store_begin(w->store, TXN_WRITE, &t));
    for (int i = from; i < from + n; i++) {
        snprintf(id, sizeof id, "%d", i);
        ok(job_put(t, STR("ward"), kind, str_c(id), clock_now_ms(), STR("")));
    }
    ok(txn_commit(&t));
}

static void await(int n)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&lock);
    while (ended < n && pthread_cond_timedwait(&more, &lock, &until) == 0)
        ;
    int got = ended;
    pthread_mutex_unlock(&lock);
    assert_true(got >= n);
}

/* A look at the table reads a snapshot, in which a job that has ended since still stands. */
static void test_each_once(void **state)
{
    struct ward *w = *state;
    for (int i = 0; i < JOBS; i += BURST)
        put(w, "test.once", i, BURST);
    await(JOBS);
    scheduler_stop(w); /* what was started runs to its end */
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(atomic_load(&runs[i]), 1);
}

static void test_again_until_done(void **state)
{
    struct ward *w = *state;
    put(w, "test.again", 0, 1);
    await(AGAIN);
    scheduler_stop(w);
    assert_int_equal(atomic_load(&runs[0]), AGAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_again_until_done, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
