/* The scheduler: background work as rows with a due time.
 *
 * Tables: job (due_ms, kind, id) -> generation, attempt, created_ms, payload; job.id (kind, id) ->
 * due_ms. One thread finds what is due and hands it to a small pool; a set in memory keeps a job
 * from running twice at once. A crash in the middle leaves the row, and the job runs again. */
#include "line.h"
#include "../core/log.h"
#include "../core/map.h"
#include "../core/memory.h"

#include <stdatomic.h>

#define T_JOB "job"
#define T_JOB_ID "job.id"
#define OWNER_WARD STR("ward")

enum {
    JOB_THREADS = 8,
    JOB_QUEUE = 4096,
    JOB_BATCH = 256,      /* started in one look */
    JOB_LOOK_MAX = 20000, /* rows seen in one look: due jobs of a busy kind hide no others */
    JOB_IDLE_MS = 5000,   /* longest nap between looks at the table */
    JOB_JOIN_MS = 5000,   /* between joins of the ledger */
    JOB_FAIL_MS = 1000,   /* after the store failed */
    JOB_RESTS = 2,        /* times that memory is given back once it is quiet… */
    JOB_HEAD = 8 + 4 + 8,
};

struct scheduler {
    struct ward *ward;
    struct pool *pool;
    pthread_t thread;
    pthread_mutex_t lock; /* guards running, counts, poked; never held across I/O */
    pthread_cond_t cond;
    struct map running;   /* kind NUL id -> itself */
    bool poked, stopping;
    int in_flight;
};

static _Atomic(struct scheduler *) the_scheduler;

struct running_job {
    struct scheduler *s;
    const struct job_kind *kind;
    uint64_t due_ms, generation;
    struct job job;
    struct str name; /* the key in `running` */
};

static const struct job_kind *kind_by_name(const struct ward *w, struct str name)
{
    for (size_t i = 0; i < w->n_rooms; i++)
        for (const struct job_kind *k = w->rooms[i]->jobs; k != NULL && k->name != NULL; k++)
            if (str_is(name, k->name))
                return k;
    return NULL;
}

static void poke(void *arg UNUSED)
{
    struct scheduler *s = atomic_load(&the_scheduler);
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    s->poked = true;
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->lock);
}

static struct skey job_key(uint64_t due_ms, struct str kind, struct str id)
{
    struct skey k = skey();
    key_u64(&k, due_ms);
    key_str(&k, kind);
    key_str(&k, id);
    return k;
}

static struct skey id_key(struct str kind, struct str id)
{
    struct skey k = skey();
    key_str(&k, kind);
    key_str(&k, id);
    return k;
}

/* The due time under which the job stands now; false: it does not. */
static struct err *find_job(struct txn *t, struct str kind, struct str id, bool *out_found,
                            uint64_t *out_due)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(4096);
    struct skey k = id_key(kind, id);
    struct str v;
    TRY(txn_get(t, T_JOB_ID, key_of(&k), a, &v));
    *out_found = v.p != NULL && key_take_u64(&v, out_due);
    return NULL;
}

static struct err *write_job(struct txn *t, struct str owner, struct str kind, struct str id,
                             uint64_t due_ms, uint64_t generation, uint32_t attempt,
                             int64_t created_ms, struct str payload)
{
    struct buf v CLEANUP(buf_clear) = BUF_INIT(STORE_VALUE_MAX);
    buf_u64(&v, generation);
    buf_u32(&v, attempt);
    buf_u64(&v, (uint64_t)created_ms);
    buf_char(&v, (char)owner.n);
    buf_str(&v, owner);
    buf_str(&v, payload);
    TRY(buf_check(&v));
    struct buf due CLEANUP(buf_clear) = BUF_INIT(8);
    buf_u64(&due, due_ms);
    struct skey k = job_key(due_ms, kind, id), by_id = id_key(kind, id);
    TRY(txn_put(t, T_JOB, owner, key_of(&k), buf_view(&v)));
    return txn_put(t, T_JOB_ID, OWNER_WARD, key_of(&by_id), buf_view(&due));
}

struct err *job_cancel(struct txn *t, const char *kind, struct str id)
{
    bool found;
    uint64_t due;
    TRY(find_job(t, str_c(kind), id, &found, &due));
    if (!found)
        return NULL;
    struct skey k = job_key(due, str_c(kind), id), by_id = id_key(str_c(kind), id);
    TRY(txn_del(t, T_JOB, key_of(&k)));
    return txn_del(t, T_JOB_ID, key_of(&by_id));
}

struct err *job_put(struct txn *t, struct str owner, const char *kind, struct str id,
                    int64_t due_ms, struct str payload)
{
    TRY(job_cancel(t, kind, id));
    TRY(write_job(t, owner, str_c(kind), id, (uint64_t)due_ms, rand_u64(), 0, clock_now_ms(),
                  payload));
    txn_on_commit(t, poke, NULL);
    return NULL;
}

/* Whether the row that this run began with still stands: it may have been put anew meanwhile. */
static struct err *still_ours(struct running_job *r, struct txn *t, bool *out,
                              struct str *out_owner)
{
    struct skey k = job_key(r->due_ms, r->job.kind, r->job.id);
    struct str v;
    uint64_t generation;
    TRY(txn_get(t, T_JOB, key_of(&k), r->job.arena, &v));
    *out = v.p != NULL && v.n > JOB_HEAD && key_take_u64(&v, &generation) &&
           generation == r->generation;
    if (*out)
        *out_owner = str_take(str_skip(v, 4 + 8 + 1), (unsigned char)v.p[12]);
    return NULL;
}

struct err *job_done_in(struct job *j, struct txn *t)
{
    struct running_job *r = j->priv;
    bool ours;
    struct str owner;
    TRY(still_ours(r, t, &ours, &owner));
    j->done = true;
    if (!ours)
        return NULL;
    struct skey k = job_key(r->due_ms, j->kind, j->id), by_id = id_key(j->kind, j->id);
    TRY(txn_del(t, T_JOB, key_of(&k)));
    return txn_del(t, T_JOB_ID, key_of(&by_id));
}

static struct err *settle_once(struct running_job *r, enum job_next next, int64_t again_ms)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    TRY(store_begin(r->s->ward->store, TXN_WRITE, &t));
    bool ours;
    struct str owner;
    TRY(still_ours(r, t, &ours, &owner));
    if (!ours)
        return NULL;
    struct skey k = job_key(r->due_ms, r->job.kind, r->job.id);
    struct skey by_id = id_key(r->job.kind, r->job.id);
    TRY(txn_del(t, T_JOB, key_of(&k)));
    if (next == JOB_AGAIN)
        TRY(write_job(t, owner, r->job.kind, r->job.id, (uint64_t)again_ms, r->generation,
                      (uint32_t)r->job.attempt + 1, r->job.created_ms, r->job.payload));
    else
        TRY(txn_del(t, T_JOB_ID, key_of(&by_id)));
    return txn_commit(&t);
}

static void settle(struct running_job *r, enum job_next next, int64_t again_ms)
{
    for (int i = 0; i < CALL_ATTEMPTS; i++) {
        struct err *e = settle_once(r, next, again_ms);
        if (!err_is(e, ERR_CONFLICT)) {
            log_err(LOG_ERROR, "a job's end could not be stored; it will run again", e);
            return;
        }
        err_free(e);
    }
    log_warn("a job's end could not be stored for conflicts; it will run again");
}

/* The look that found the row read a snapshot: a run that ended since, and with it its claim, has
 * deleted the row or put it off. Now that the claim is ours the row stays as it is. */
static bool still_stands(struct running_job *r)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    struct str owner;
    bool ours = false;
    struct err *e = store_begin(r->s->ward->store, TXN_READ, &t);
    if (e == NULL)
        e = still_ours(r, t, &ours, &owner);
    log_err(LOG_ERROR, "a job's row could not be read; it will run later", e);
    return ours;
}

static void run_job(void *arg)
{
    struct running_job *r = arg;
    struct scheduler *s = r->s;
    struct arena *a = r->job.arena;
    int64_t again_ms = clock_now_ms() + JOB_IDLE_MS;
    if (still_stands(r)) {
        enum job_next next = r->kind->run(&r->job, &again_ms);
        if (!r->job.done)
            settle(r, next, again_ms);
    }
    pthread_mutex_lock(&s->lock);
    map_del(&s->running, r->name);
    s->in_flight--;
    s->poked = true;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->lock);
    arena_free(a); /* r lives in it */
}

static int running_of_kind(struct scheduler *s, const struct job_kind *kind)
{
    int n = 0;
    const struct map_slot *slot;
    for (size_t i = 0; (slot = map_each(&s->running, &i)) != NULL;)
        n += ((struct running_job *)slot->value)->kind == kind;
    return n;
}

/* Claims the job in memory; false: it runs already, or enough of its kind do. */
static bool claim(struct scheduler *s, struct running_job *r)
{
    pthread_mutex_lock(&s->lock);
    bool ok = map_get(&s->running, r->name) == NULL && s->in_flight < JOB_QUEUE &&
              (r->kind->parallel == 0 || running_of_kind(s, r->kind) < r->kind->parallel);
    if (ok) {
        map_put(&s->running, r->name, r);
        s->in_flight++;
    }
    pthread_mutex_unlock(&s->lock);
    return ok;
}

/* false: it runs already, enough of its kind do, or nobody knows the kind. */
static bool start_job(struct scheduler *s, struct str key, struct str value)
{
    struct arena *a = arena_new(CALL_ARENA_MAX);
    struct running_job *r = ARENA_NEW(a, struct running_job);
    uint64_t due;
    struct str kind, id;
    uint64_t generation, created;
    uint32_t attempt;
    bool ok = key_take_u64(&key, &due) && key_take_str(a, &key, &kind) &&
              key_take_str(a, &key, &id) && key_take_u64(&value, &generation) &&
              key_take_u32(&value, &attempt) && key_take_u64(&value, &created) && value.n > 0;
    const struct job_kind *k = ok ? kind_by_name(s->ward, kind) : NULL;
    if (k == NULL) {
        arena_free(a);
        return false;
    }
    *r = (struct running_job){.s = s, .kind = k, .due_ms = due, .generation = generation};
    r->name = arena_fmt(a, "%.*s/%.*s", STR_ARG(kind), STR_ARG(id));
    r->job = (struct job){.ward = s->ward, .arena = a, .kind = kind, .id = id,
                          .payload = arena_str(a, str_skip(value, 1 + (unsigned char)value.p[0])),
                          .attempt = (int)attempt, .created_ms = (int64_t)created, .priv = r};
    if (!claim(s, r)) {
        arena_free(a);
        return false;
    }
    if (pool_submit(s->pool, run_job, r))
        return true;
    pthread_mutex_lock(&s->lock);
    map_del(&s->running, r->name);
    s->in_flight--;
    pthread_mutex_unlock(&s->lock);
    arena_free(a);
    return false;
}

/* Starts what is due; *out_next_ms: when the next one will be. */
static struct err *look(struct scheduler *s, int64_t *out_next_ms)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    TRY(store_begin(s->ward->store, TXN_READ, &t));
    struct cursor *c CLEANUP(cursor_free_ptr) = NULL;
    struct scan sc = {0};
    TRY(txn_scan(t, T_JOB, &sc, &c));
    int64_t now = clock_now_ms();
    *out_next_ms = now + JOB_IDLE_MS;
    for (int seen = 0, n = 0; n < JOB_BATCH && seen < JOB_LOOK_MAX; seen++) {
        bool more;
        struct str key, value;
        uint64_t due;
        TRY(cursor_next(c, &more, &key, &value));
        if (!more)
            return NULL;
        struct str rest = key;
        if (key_take_u64(&rest, &due) && (int64_t)due > now) {
            if ((int64_t)due < *out_next_ms)
                *out_next_ms = (int64_t)due;
            return NULL;
        }
        n += start_job(s, key, value);
    }
    return NULL;
}

/* …after so long: soon, and when what a burst leaves to the store (compactions) is surely done. */
static const int64_t rest_after_ms[JOB_RESTS] = {1000, 10000};

struct quiet {
    uint64_t requests; /* when it was last looked at */
    int64_t since_ms;
    int rests;
};

static void rest_if_quiet(struct scheduler *s, struct quiet *q)
{
    uint64_t requests = line_requests();
    int64_t now = clock_mono_ms();
    pthread_mutex_lock(&s->lock);
    bool busy = s->in_flight > 0 || requests != q->requests;
    pthread_mutex_unlock(&s->lock);
    if (busy) {
        *q = (struct quiet){.requests = requests, .since_ms = now};
    } else if (q->rests < JOB_RESTS && now - q->since_ms >= rest_after_ms[q->rests]) {
        store_rest(s->ward->store);
        memory_give_back();
        q->rests++;
    }
}

static void *scheduler_thread(void *arg)
{
    struct scheduler *s = arg;
    int64_t joined_ms = clock_mono_ms();
    struct quiet quiet = {.since_ms = joined_ms};
    for (;;) {
        int64_t next_ms = clock_now_ms() + JOB_FAIL_MS;
        pthread_mutex_lock(&s->lock);
        s->poked = false;
        bool stop = s->stopping;
        pthread_mutex_unlock(&s->lock);
        if (stop)
            return NULL;
        log_err(LOG_ERROR, "the job table could not be read", look(s, &next_ms));
        if (clock_mono_ms() - joined_ms >= JOB_JOIN_MS) {
            log_err(LOG_ERROR, "the ledger's shards could not be joined",
                    ledger_join(s->ward->ledger));
            joined_ms = clock_mono_ms();
        }
        rest_if_quiet(s, &quiet);
        int64_t until = clock_mono_ms() + (next_ms - clock_now_ms());
        if (quiet.rests < JOB_RESTS && until > quiet.since_ms + rest_after_ms[quiet.rests])
            until = quiet.since_ms + rest_after_ms[quiet.rests];
        struct timespec ts = {until / 1000, until % 1000 * 1000000};
        pthread_mutex_lock(&s->lock);
        while (!s->poked && !s->stopping && clock_mono_ms() < until)
            pthread_cond_timedwait(&s->cond, &s->lock, &ts);
        pthread_mutex_unlock(&s->lock);
    }
}

struct err *scheduler_start(struct ward *w)
{
    struct scheduler *s = calloc(1, sizeof *s);
    CHECK(s != NULL);
    s->ward = w;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->cond, &attr);
    pthread_condattr_destroy(&attr);
    struct err *e = pool_new(JOB_THREADS, JOB_QUEUE, &s->pool);
    if (e == NULL) {
        w->scheduler = s;
        atomic_store(&the_scheduler, s);
        int rc = pthread_create(&s->thread, NULL, scheduler_thread, s);
        if (rc == 0)
            return NULL;
        e = err_errno(rc, "pthread_create");
    }
    atomic_store(&the_scheduler, NULL);
    w->scheduler = NULL;
    pool_free(s->pool);
    free(s);
    return e;
}

void scheduler_stop(struct ward *w)
{
    struct scheduler *s = w->scheduler;
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    pool_free(s->pool); /* runs what was started to its end */
    atomic_store(&the_scheduler, NULL);
    log_err(LOG_ERROR, "the ledger's shards could not be joined", ledger_join(w->ledger));
    map_clear(&s->running);
    pthread_cond_destroy(&s->cond);
    pthread_mutex_destroy(&s->lock);
    free(s);
    w->scheduler = NULL;
}

int64_t job_backoff_ms(int attempt, int64_t base_ms, int64_t cap_ms)
{
    int64_t most = base_ms;
    for (int i = 0; i < attempt && most < cap_ms; i++)
        most *= 2;
    if (most > cap_ms)
        most = cap_ms;
    return most / 2 + (int64_t)(rand_u64() % (uint64_t)(most / 2 + 1));
}
