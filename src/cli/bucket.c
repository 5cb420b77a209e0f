/* A bucket as a source: names listed ahead, objects fetched ahead. */
#include "bucket.h"

#include "core/clock.h"

#include <errno.h>

enum { GIVEN_MAX = 128, FAILURES_MAX = 128 };

/* A piece to fetch: WAITING in the queue, RUNNING with a fetcher, DONE. */
enum job_state { WAITING, RUNNING, DONE };

struct job {
    struct job *next_listed, *next_queued;
    char *key;
    uint64_t size, off;
    char etag[ETAG_MAX];
    enum job_state state;
    bool dropped; /* nobody wants it any more: who runs it frees it */
    bool counted; /* in ahead_bytes and ahead_objects */
    struct piece piece;
    int errnum;
    char why[SOURCE_WHY_MAX];
};

struct failure {
    char *key;
    char why[SOURCE_WHY_MAX];
};

struct bucket {
    struct bucket_at at;
    char *prefix;
    bool digests, ahead;
    struct source_notes *notes;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job *listed, **listed_end; /* names not given yet, in order */
    struct job *queue, **queue_end;   /* to be fetched */
    size_t n_listed, ahead_bytes, ahead_objects;
    struct job *given[GIVEN_MAX]; /* by next(), and not opened yet */
    size_t n_given;
    struct failure failures[FAILURES_MAX];
    size_t next_failure;
    uint64_t skipped;
    struct err *list_error;
    bool list_done, list_told, stop;
    pthread_t lister, fetchers[FETCHERS];
};

struct handle {
    struct bucket *b;
    struct job *now, *then; /* the piece that is read, and the one after it */
    size_t at;
};

/* -- jobs -------------------------------------------------------------------------------------- */
static struct job *job_new(const char *key, size_t n, uint64_t size, uint64_t off, const char *etag)
{
    struct job *j = calloc(1, sizeof *j);
    CHECK(j != NULL);
    j->key = strndup(key, n);
    CHECK(j->key != NULL);
    j->size = size;
    j->off = off;
    snprintf(j->etag, sizeof j->etag, "%s", etag);
    return j;
}

static size_t job_bytes(const struct job *j)
{
    return j->size < PIECE_BYTES ? (size_t)j->size : PIECE_BYTES;
}

/* It is not ahead any more. At the latest when it is opened: whoever waits in next() holds the
 * scan's lock, which a reader may need before it closes what it has open. */
static void uncount(struct bucket *b, struct job *j) /* under the lock */
{
    if (!j->counted)
        return;
    j->counted = false;
    b->ahead_bytes -= job_bytes(j);
    b->ahead_objects--;
    pthread_cond_broadcast(&b->changed);
}

static void job_free(struct job *j)
{
    if (j == NULL)
        return;
    piece_clear(&j->piece);
    free(j->key);
    free(j);
}

static int errnum_of(const struct err *e)
{
    switch (e->kind) {
    case ERR_DENIED:
        return EACCES;
    case ERR_NOT_FOUND:
        return ENOENT;
    case ERR_TIMEOUT:
        return ETIMEDOUT;
    case ERR_LIMIT:
        return EFBIG;
    default:
        return EIO;
    }
}

static void words_of(const struct err *e, const char *before, char out[SOURCE_WHY_MAX])
{
    snprintf(out, SOURCE_WHY_MAX, "%s%.240s%s%.40s", before, e->message,
             e->detail[0] != '\0' ? " " : "", e->detail);
}

static void job_run(struct bucket *b, struct job *j)
{
    struct err *e = bucket_get_piece(&b->at, j->key, j->off, j->etag, &j->piece);
    if (e == NULL)
        return;
    j->errnum = errnum_of(e);
    words_of(e, "", j->why);
    err_free(e);
}

static void queue_put(struct bucket *b, struct job *j, bool first) /* under the lock */
{
    if (first) {
        j->next_queued = b->queue;
        b->queue = j;
        if (b->queue_end == &b->queue)
            b->queue_end = &j->next_queued;
    } else {
        *b->queue_end = j;
        b->queue_end = &j->next_queued;
    }
    pthread_cond_broadcast(&b->changed);
}

static void queue_take(struct bucket *b, struct job *j) /* under the lock; it is in it */
{
    struct job **at = &b->queue;
    while (*at != j)
        at = &(*at)->next_queued;
    *at = j->next_queued;
    if (b->queue_end == &j->next_queued)
        b->queue_end = at;
    j->next_queued = NULL;
}

static void *fetch(void *x)
{
    struct bucket *b = x;
    pthread_mutex_lock(&b->lock);
    for (;;) {
        while (b->queue == NULL && !b->stop)
            pthread_cond_wait(&b->changed, &b->lock);
        if (b->stop)
            break;
        struct job *j = b->queue;
        queue_take(b, j);
        j->state = RUNNING;
        pthread_mutex_unlock(&b->lock);
        job_run(b, j);
        pthread_mutex_lock(&b->lock);
        j->state = DONE;
        if (j->dropped)
            job_free(j);
        pthread_cond_broadcast(&b->changed);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

/* Fetched by now, or here and now if nobody else does it. */
static void job_await(struct bucket *b, struct job *j)
{
    pthread_mutex_lock(&b->lock);
    bool mine = j->state == WAITING;
    if (mine && b->ahead)
        queue_take(b, j);
    if (mine)
        j->state = RUNNING;
    while (!mine && j->state != DONE)
        pthread_cond_wait(&b->changed, &b->lock);
    pthread_mutex_unlock(&b->lock);
    if (!mine)
        return;
    job_run(b, j);
    j->state = DONE; /* nobody else looks at it */
}

static void job_drop(struct bucket *b, struct job *j)
{
    if (j == NULL)
        return;
    pthread_mutex_lock(&b->lock);
    if (j->state == WAITING && b->ahead)
        queue_take(b, j);
    j->dropped = j->state == RUNNING;
    bool mine = !j->dropped;
    pthread_mutex_unlock(&b->lock);
    if (mine)
        job_free(j);
}

/* -- listing ----------------------------------------------------------------------------------- */
static bool is_full(const struct bucket *b, const struct job *j)
{
    if (!b->ahead)
        return b->n_listed >= LISTED_AHEAD;
    return b->ahead_objects >= AHEAD_OBJECTS ||
           (b->ahead_objects > 0 && b->ahead_bytes + job_bytes(j) > AHEAD_BYTES);
}

static void see_key(void *x, struct str key, uint64_t size)
{
    struct bucket *b = x;
    bool takes = source_takes(key, b->digests) && memchr(key.p, '\0', key.n) == NULL;
    struct job *j = takes ? job_new(key.p, key.n, size, 0, "") : NULL;
    pthread_mutex_lock(&b->lock);
    while (j != NULL && is_full(b, j) && !b->stop)
        pthread_cond_wait(&b->changed, &b->lock);
    b->skipped += j == NULL;
    if (j != NULL) {
        *b->listed_end = j;
        b->listed_end = &j->next_listed;
        b->n_listed++;
        j->counted = b->ahead;
        b->ahead_bytes += b->ahead ? job_bytes(j) : 0;
        b->ahead_objects += b->ahead;
        if (b->ahead)
            queue_put(b, j, false);
        pthread_cond_broadcast(&b->changed);
    }
    pthread_mutex_unlock(&b->lock);
}

static bool stopped(struct bucket *b)
{
    pthread_mutex_lock(&b->lock);
    bool stop = b->stop;
    pthread_mutex_unlock(&b->lock);
    return stop;
}

static void *list(void *x)
{
    struct bucket *b = x;
    struct buf token CLEANUP(buf_clear) = BUF_INIT(AWS_VALUE_MAX);
    struct err *e;
    do
        e = bucket_list_page(&b->at, str_c(b->prefix), &token, see_key, b);
    while (e == NULL && token.n > 0 && !stopped(b));
    pthread_mutex_lock(&b->lock);
    b->list_error = e;
    b->list_done = true;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

static void tell_list_error(struct bucket *b)
{
    char name[BUCKET_NAME_MAX + BUCKET_KEY_MAX + 8], why[SOURCE_WHY_MAX];
    if (b->list_error == NULL || b->list_told)
        return;
    b->list_told = true;
    snprintf(name, sizeof name, "s3://%s/%s", b->at.name, b->prefix);
    words_of(b->list_error, "could not be listed: ", why);
    b->notes->fault(b->notes->ctx, name, why);
}

static bool bucket_next(void *ctx, struct scan_object *out)
{
    struct bucket *b = ctx;
    pthread_mutex_lock(&b->lock);
    while (b->listed == NULL && !b->list_done)
        pthread_cond_wait(&b->changed, &b->lock);
    struct job *j = b->listed;
    if (j != NULL) {
        b->listed = j->next_listed;
        if (b->listed == NULL)
            b->listed_end = &b->listed;
        b->n_listed--;
        if (b->ahead) {
            CHECK(b->n_given < GIVEN_MAX);
            b->given[b->n_given++] = j;
        }
        pthread_cond_broadcast(&b->changed);
    }
    b->notes->skipped = b->skipped;
    pthread_mutex_unlock(&b->lock);
    if (j == NULL) {
        tell_list_error(b);
        return false;
    }
    buf_reset(&out->name);
    buf_fmt(&out->name, "s3://%s/%s", b->at.name, j->key);
    buf_add(&out->name, "", 1);
    out->size = j->size;
    if (!b->ahead)
        job_free(j);
    return true;
}

/* -- reading ----------------------------------------------------------------------------------- */
static const char *key_in(const struct bucket *b, const char *name)
{
    return name + strlen("s3://") + strlen(b->at.name) + 1;
}

/* What open() or read() of a key failed of, until somebody asks: the last few. */
static void keep_failure(struct bucket *b, const struct job *j)
{
    pthread_mutex_lock(&b->lock);
    struct failure *f = &b->failures[b->next_failure++ % FAILURES_MAX];
    free(f->key);
    f->key = strdup(j->key);
    CHECK(f->key != NULL);
    snprintf(f->why, sizeof f->why, "%s", j->why);
    pthread_mutex_unlock(&b->lock);
}

static bool bucket_why(void *ctx, const char *name, char *out, size_t n)
{
    struct bucket *b = ctx;
    bool found = false;
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < FAILURES_MAX && !found; i++) {
        struct failure *f = &b->failures[i];
        found = f->key != NULL && strcmp(f->key, key_in(b, name)) == 0;
        if (found) {
            snprintf(out, n, "%s", f->why);
            free(f->key);
            f->key = NULL;
        }
    }
    pthread_mutex_unlock(&b->lock);
    return found;
}

/* The job that next() gave for a key; a new one, if it is opened again. */
static struct job *job_of(struct bucket *b, const char *key)
{
    struct job *j = NULL;
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->n_given && j == NULL; i++) {
        if (strcmp(b->given[i]->key, key) == 0) {
            j = b->given[i];
            b->given[i] = b->given[--b->n_given];
            uncount(b, j);
        }
    }
    if (j == NULL) {
        j = job_new(key, strlen(key), 0, 0, "");
        if (b->ahead)
            queue_put(b, j, true);
    }
    pthread_mutex_unlock(&b->lock);
    return j;
}

/* The piece behind the one that is read is fetched meanwhile. */
static void look_ahead(struct handle *h)
{
    struct bucket *b = h->b;
    struct job *j = h->now;
    uint64_t off = j->off + j->piece.n;
    if (off >= j->piece.total || h->then != NULL)
        return;
    h->then = job_new(j->key, strlen(j->key), j->piece.total - off, off, j->piece.etag);
    pthread_mutex_lock(&b->lock);
    if (b->ahead)
        queue_put(b, h->then, true);
    pthread_mutex_unlock(&b->lock);
}

static int bucket_open(void *ctx, const char *name, void **out_handle)
{
    struct bucket *b = ctx;
    struct job *j = job_of(b, key_in(b, name));
    job_await(b, j);
    if (j->errnum != 0) {
        int e = j->errnum;
        keep_failure(b, j);
        job_drop(b, j);
        return e;
    }
    struct handle *h = calloc(1, sizeof *h);
    CHECK(h != NULL);
    *h = (struct handle){.b = b, .now = j};
    look_ahead(h);
    *out_handle = h;
    return 0;
}

static ptrdiff_t bucket_read(void *handle, void *buf, size_t n)
{
    struct handle *h = handle;
    while (h->at == h->now->piece.n) {
        if (h->then == NULL)
            return 0;
        job_await(h->b, h->then);
        if (h->then->errnum != 0) {
            keep_failure(h->b, h->then);
            return -h->then->errnum;
        }
        job_drop(h->b, h->now);
        h->now = h->then;
        h->then = NULL;
        h->at = 0;
        look_ahead(h);
    }
    size_t left = h->now->piece.n - h->at;
    n = n < left ? n : left;
    memcpy(buf, h->now->piece.p + h->at, n);
    h->at += n;
    return (ptrdiff_t)n;
}

static void bucket_close(void *handle)
{
    struct handle *h = handle;
    job_drop(h->b, h->now);
    job_drop(h->b, h->then);
    free(h);
}

static bool bucket_meta(void *handle, const char *name, struct buf *out)
{
    struct handle *h = handle;
    struct str rest = h->now->piece.meta.n > 0 ? buf_view(&h->now->piece.meta) : STR_NONE;
    while (rest.p != NULL && rest.n > 0) {
        struct str key = str_cut(&rest, '\0'), value = str_cut(&rest, '\0');
        if (str_is_i(key, name)) {
            buf_str(out, value);
            return true;
        }
    }
    return false;
}

/* -- from start to end ------------------------------------------------------------------------- */
static void free_listed(struct bucket *b)
{
    while (b->listed != NULL) {
        struct job *j = b->listed;
        b->listed = j->next_listed;
        job_free(j);
    }
    while (b->n_given > 0)
        job_free(b->given[--b->n_given]);
    for (size_t i = 0; i < FAILURES_MAX; i++)
        free(b->failures[i].key);
}

static void bucket_clear(void *ctx)
{
    struct bucket *b = ctx;
    pthread_mutex_lock(&b->lock);
    b->stop = true;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    aws_stop(b->at.aws);
    pthread_join(b->lister, NULL);
    for (int i = 0; b->ahead && i < FETCHERS; i++)
        pthread_join(b->fetchers[i], NULL);
    free_listed(b);
    err_free(b->list_error);
    bucket_at_clear(&b->at);
    pthread_mutex_destroy(&b->lock);
    pthread_cond_destroy(&b->changed);
    free(b->prefix);
    free(b);
}

static void start(struct bucket *b)
{
    CHECK(pthread_create(&b->lister, NULL, list, b) == 0);
    for (int i = 0; b->ahead && i < FETCHERS; i++)
        CHECK(pthread_create(&b->fetchers[i], NULL, fetch, b) == 0);
}

struct err *bucket_source(const char *url, bool digests, struct source_notes *notes,
                          struct scan_source *out)
{
    struct str prefix = str_skip(str_c(url), strlen("s3://"));
    struct str name = str_cut(&prefix, '/');
    if (prefix.n > BUCKET_KEY_MAX)
        return err_new(ERR_INVALID, "The prefix is longer than a key can be, %d bytes.",
                       BUCKET_KEY_MAX);
    TRY(crypto_init());
    struct bucket *b = calloc(1, sizeof *b);
    CHECK(b != NULL);
    struct err *e = bucket_at_init(&b->at, name);
    if (e != NULL) {
        free(b);
        return e;
    }
    b->prefix = strndup(prefix.n > 0 ? prefix.p : "", prefix.n);
    CHECK(b->prefix != NULL);
    b->digests = digests;
    b->ahead = !digests;
    b->notes = notes;
    b->listed_end = &b->listed;
    b->queue_end = &b->queue;
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, NULL);
    start(b);
    *out = (struct scan_source){.ctx = b, .next = bucket_next, .open = bucket_open,
                                .read = bucket_read, .close = bucket_close, .clear = bucket_clear,
                                .meta = digests ? bucket_meta : NULL, .why = bucket_why,
                                .readers = digests ? VERIFY_READERS : 0};
    return NULL;
}
