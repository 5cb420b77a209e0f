/* Which environment takes an invocation. D.lock guards the list of slots and what is in them;
 * U.lock guards the list of unpacked packages. Neither is held across I/O or with the other. */
#include "exec.h"

#include "core/log.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STACK_BYTES = 512 * 1024, SLOT_ARENA = 64 * 1024, PATH_BYTES = 4096 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    struct env_slot *slots;
    int n, leaving;
    int64_t memory_mb, memory_max_mb;
    bool stopping;
} D = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

static void wake(const struct env_slot *s)
{
    uint64_t one = 1;
    /* The counter cannot be full, and a failure would only mean that it is set already. */
    ssize_t n = write(s->wake, &one, sizeof one);
    (void)n;
}

/* -- invocations ------------------------------------------------------------------------------- */

struct invocation *invocation_new(struct ward *w, const struct function *f, struct str payload,
                                  struct str client_context)
{
    struct arena *a = arena_new(3 * (size_t)LAMBDA_PAYLOAD_MAX);
    struct invocation *v = ARENA_NEW(a, struct invocation);
    v->refs = 1;
    v->ward = w;
    v->arena = a;
    v->account = arena_str(a, f->account);
    v->region = arena_str(a, f->region);
    v->name = arena_str(a, f->name);
    v->arn = arena_str(a, f->arn);
    v->role = arena_str(a, f->role);
    v->payload = arena_str(a, payload.n > 0 ? payload : STR("{}"));
    v->client_context = arena_str(a, client_context);
    rand_uuid(v->id);
    return v;
}

void invocation_unref(void *arg)
{
    struct invocation *v = arg;
    if (v == NULL || atomic_fetch_sub(&v->refs, 1) != 1)
        return;
    err_free(v->refused);
    arena_free(v->arena); /* v lies in it */
}

void invocation_finish(struct invocation *v, struct err *refused, const char *function_error,
                       struct str result)
{
    v->refused = refused;
    v->function_error = function_error;
    v->result = result.n > 0 ? arena_str(v->arena, result) : STR("");
    atomic_store(&v->done, true);
    if (v->finished != NULL) {
        v->finished(v);
    } else {
        char key[64];
        snprintf(key, sizeof key, "lambda/%s", v->id);
        call_wake(str_c(key));
    }
    invocation_unref(v);
}

/* -- slots ------------------------------------------------------------------------------------- */

/* From now on it is no part of the counts; its thread ends it. */
static void retire(struct env_slot *s)
{
    if (s->retired)
        return;
    s->retired = true;
    D.memory_mb -= s->memory_mb;
    D.n--;
    D.leaving++;
    wake(s);
}

void dispatch_retire(void *arn)
{
    pthread_mutex_lock(&D.lock);
    for (struct env_slot *s = D.slots; s != NULL; s = s->next)
        if (str_is(s->arn, arn))
            retire(s);
    pthread_mutex_unlock(&D.lock);
}

static bool same_version(const struct env_slot *s, const struct function *f)
{
    return str_eq(s->id, f->id) && s->code_id == f->code_id && s->modified_ms == f->modified_ms;
}

static struct err *throttled(const char *why)
{
    return err_aws(429, "TooManyRequestsException", "Rate Exceeded. (%s)", why);
}

/* Room for one more: the environment that has been idle longest gives way. */
static bool make_room(int64_t memory_mb)
{
    while (D.n >= LAMBDA_ENVS_MAX || D.memory_mb + memory_mb > D.memory_max_mb) {
        struct env_slot *oldest = NULL;
        for (struct env_slot *s = D.slots; s != NULL; s = s->next)
            if (s->idle && !s->retired &&
                (oldest == NULL || s->idle_since_ms < oldest->idle_since_ms))
                oldest = s;
        if (oldest == NULL)
            return false;
        retire(oldest);
    }
    return D.leaving < LAMBDA_ENVS_MAX;
}

/* /tmp is memory here: what a function asks for beyond the default counts as such. */
static int64_t memory_of(const struct function *f)
{
    return f->memory_mb + f->ephemeral_mb - LAMBDA_EPHEMERAL_MIN_MB;
}

static struct env_slot *slot_new(struct ward *w, const struct function *f, struct invocation *v)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return NULL;
    struct arena *a = arena_new(SLOT_ARENA);
    struct env_slot *s = ARENA_NEW(a, struct env_slot);
    *s = (struct env_slot){.account = arena_str(a, f->account), .region = arena_str(a, f->region),
                           .name = arena_str(a, f->name), .arn = arena_str(a, f->arn),
                           .id = arena_str(a, f->id), .code_id = f->code_id,
                           .modified_ms = f->modified_ms, .memory_mb = memory_of(f),
                           .given = v, .busy = true, .wake = fd, .arena = a,
                           .ward = w};
    return s;
}

static bool start_thread(struct env_slot *s)
{
    pthread_t thread;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int rc = pthread_create(&thread, &attr, env_main, s);
    pthread_attr_destroy(&attr);
    return rc == 0;
}

/* With D.lock held. */
static struct err *start_new(struct invocation *v, const struct function *f)
{
    if (!make_room(memory_of(f)))
        return throttled("every execution environment of this machine is in use");
    struct env_slot *s = slot_new(v->ward, f, v);
    if (s == NULL || !start_thread(s)) {
        if (s != NULL) {
            close(s->wake);
            arena_free(s->arena);
        }
        return throttled("no execution environment can be started");
    }
    s->next = D.slots;
    D.slots = s;
    D.n++;
    D.memory_mb += s->memory_mb;
    return NULL;
}

static struct err *give(struct invocation *v, const struct function *f)
{
    int64_t busy = 0;
    struct env_slot *ready = NULL;
    if (D.stopping)
        return err_aws(503, "ServiceException", "Ward is stopping.");
    for (struct env_slot *s = D.slots; s != NULL; s = s->next) {
        if (!str_eq(s->arn, f->arn))
            continue;
        busy += s->busy;
        if (!s->idle || s->retired)
            continue;
        if (same_version(s, f))
            ready = s;
        else
            retire(s);
    }
    if (f->reserved >= 0 && busy >= f->reserved)
        return throttled("the function's reserved concurrency is used up");
    if (ready == NULL)
        return start_new(v, f);
    ready->idle = false;
    ready->busy = true;
    ready->given = v;
    wake(ready);
    return NULL;
}

struct err *dispatch(struct invocation *v, const struct function *f)
{
    atomic_fetch_add(&v->refs, 1);
    pthread_mutex_lock(&D.lock);
    struct err *e = give(v, f);
    pthread_mutex_unlock(&D.lock);
    if (e != NULL)
        invocation_unref(v);
    return e;
}

struct invocation *slot_take(struct env_slot *s, enum slot_wish *out_wish)
{
    pthread_mutex_lock(&D.lock);
    struct invocation *v = s->given;
    s->given = NULL;
    *out_wish = D.stopping ? SLOT_STOP : s->retired ? SLOT_RETIRE : SLOT_STAY;
    pthread_mutex_unlock(&D.lock);
    return v;
}

bool slot_idle(struct env_slot *s)
{
    pthread_mutex_lock(&D.lock);
    bool stays = !s->retired;
    s->idle = stays;
    s->busy = false;
    s->idle_since_ms = clock_mono_ms();
    pthread_mutex_unlock(&D.lock);
    return stays;
}

bool slot_leave(struct env_slot *s)
{
    pthread_mutex_lock(&D.lock);
    bool leaves = s->given == NULL;
    if (leaves) {
        s->idle = s->busy = false;
        retire(s);
    }
    pthread_mutex_unlock(&D.lock);
    return leaves;
}

void slot_gone(struct env_slot *s)
{
    pthread_mutex_lock(&D.lock);
    retire(s);
    for (struct env_slot **at = &D.slots; *at != NULL; at = &(*at)->next)
        if (*at == s) {
            *at = s->next;
            break;
        }
    close(s->wake);
    arena_free(s->arena);
    D.leaving--;
    pthread_cond_broadcast(&D.ended);
    pthread_mutex_unlock(&D.lock);
}

/* -- unpacked packages ------------------------------------------------------------------------- */

struct unpacked {
    struct unpacked *next;
    uint64_t code_id;
    int refs;
    bool ready, failed;
    char dir[PATH_BYTES];
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct unpacked *all;
    char base[PATH_BYTES];
} U = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static struct unpacked *find_unpacked(uint64_t code_id)
{
    for (struct unpacked *u = U.all; u != NULL; u = u->next)
        if (u->code_id == code_id && !u->failed)
            return u;
    return NULL;
}

static struct unpacked *new_unpacked(uint64_t code_id)
{
    static unsigned long long count;
    struct unpacked *u = calloc(1, sizeof *u);
    CHECK(u != NULL);
    u->code_id = code_id;
    int n = snprintf(u->dir, sizeof u->dir, "%s/%016llx-%llu", U.base,
                     (unsigned long long)code_id, count++);
    CHECK(n > 0 && (size_t)n < sizeof u->dir);
    u->next = U.all;
    U.all = u;
    return u;
}

/* Drops a reference; the last one removes the folder. */
static void drop_unpacked(struct unpacked *u)
{
    pthread_mutex_lock(&U.lock);
    bool last = --u->refs == 0;
    if (last)
        for (struct unpacked **at = &U.all; *at != NULL; at = &(*at)->next)
            if (*at == u) {
                *at = u->next;
                break;
            }
    pthread_mutex_unlock(&U.lock);
    if (!last)
        return;
    log_err(LOG_WARN, "a function's unpacked code could not be removed", dir_remove(u->dir));
    free(u);
}

static struct err *unpack(const struct function *f, struct txn *t, struct arena *a,
                          const char *dir)
{
    struct str zip;
    TRY(code_load(t, a, f, &zip));
    return code_unpack(zip, dir);
}

struct err *unpacked_get(struct ward *w UNUSED, const struct function *f, struct txn *t,
                         struct arena *a, const char **out_dir)
{
    pthread_mutex_lock(&U.lock);
    struct unpacked *u = find_unpacked(f->code_id);
    bool mine = u == NULL;
    if (mine)
        u = new_unpacked(f->code_id);
    u->refs++;
    while (!mine && !u->ready && !u->failed)
        pthread_cond_wait(&U.changed, &U.lock);
    bool failed = u->failed;
    pthread_mutex_unlock(&U.lock);
    struct err *e = NULL;
    if (mine) {
        e = unpack(f, t, a, u->dir);
        pthread_mutex_lock(&U.lock);
        u->ready = e == NULL;
        u->failed = e != NULL;
        pthread_cond_broadcast(&U.changed);
        pthread_mutex_unlock(&U.lock);
    } else if (failed) {
        e = err_new(ERR_IO, "The function's code could not be unpacked.");
    }
    if (e != NULL) {
        drop_unpacked(u);
        return e;
    }
    *out_dir = u->dir;
    return NULL;
}

void unpacked_put(const char *dir)
{
    pthread_mutex_lock(&U.lock);
    struct unpacked *u = U.all;
    while (u != NULL && u->dir != dir)
        u = u->next;
    pthread_mutex_unlock(&U.lock);
    CHECK(u != NULL);
    drop_unpacked(u);
}

/* -- start and stop ---------------------------------------------------------------------------- */

static struct err *make_base(const struct ward *w)
{
    char run[PATH_BYTES];
    int n = snprintf(run, sizeof run, "%s/run", w->data_dir);
    int m = snprintf(U.base, sizeof U.base, "%s/run/lambda", w->data_dir);
    if (n < 0 || m < 0 || (size_t)m >= sizeof U.base - 64)
        return err_new(ERR_LIMIT, "The data directory's path is too long.");
    TRY(dir_remove(U.base)); /* what a crash left */
    if (mkdir(run, 0700) != 0 && errno != EEXIST)
        return err_errno(errno, "mkdir");
    if (mkdir(U.base, 0700) != 0)
        return err_errno(errno, "mkdir");
    return NULL;
}

struct err *lambda_start(struct ward *w)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    TRY(make_base(w));
    cgroup_sweep();
    pthread_mutex_lock(&D.lock);
    D.stopping = false;
    D.memory_max_mb = (int64_t)pages * page / (1024 * 1024) / 2; /* half of the machine */
    pthread_mutex_unlock(&D.lock);
    return output_start(w);
}

void lambda_stop(struct ward *w UNUSED)
{
    pthread_mutex_lock(&D.lock);
    D.stopping = true;
    for (struct env_slot *s = D.slots; s != NULL; s = s->next)
        retire(s);
    while (D.slots != NULL)
        pthread_cond_wait(&D.ended, &D.lock);
    pthread_mutex_unlock(&D.lock);
    output_stop();
    log_err(LOG_WARN, "functions' unpacked code could not be removed", dir_remove(U.base));
}
