/* What a function prints, and the lines that tell of its calls, into CloudWatch Logs, as its role.
 *
 * An environment gathers lines into batches; one thread writes them. What does not fit is dropped
 * and counted, so that a function never waits for its log. */
#include "exec.h"

#include "core/log.h"

#include <pthread.h>
#include <stdarg.h>

enum {
    BATCH_ARENA = 4 * 1024 * 1024,
    CALL_ARENA = 16 * 1024 * 1024,
    LINE_OVERHEAD = 64, /* what a line costs beside its text, here and in the store */
    STREAM_NAME = 128,
    STREAM_BYTES = EXEC_QUEUE_BYTES / 4, /* queued of one environment: a loud one drops its own */
};

struct batch {
    struct batch *next;
    struct arena *arena; /* the batch lies in it */
    struct ward *ward;
    struct str account, region, name, role, stream;
    struct logs_InputLogEvents events;
    size_t bytes;
    bool make; /* the stream first */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t more;
    pthread_t thread;
    struct batch *first, **last;
    size_t bytes;
    bool running, stopping;
} Q = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};

/* -- writing ----------------------------------------------------------------------------------- */

static struct str group_name(struct arena *a, const struct batch *b)
{
    return arena_fmt(a, "/aws/lambda/%.*s", STR_ARG(b->name));
}

static struct err *make_group(const struct api_call *o, const struct batch *b)
{
    struct logs_CreateLogGroupRequest in = {.logGroupName = group_name(o->arena, b)};
    struct err *e = api_call(o, "logs", "CreateLogGroup", &in, NULL);
    if (err_has_code(e, "ResourceAlreadyExistsException")) {
        err_free(e);
        e = NULL;
    }
    return e;
}

static struct err *make_stream(const struct api_call *o, const struct batch *b)
{
    struct logs_CreateLogStreamRequest in = {.logGroupName = group_name(o->arena, b),
                                             .logStreamName = b->stream};
    struct err *e = api_call(o, "logs", "CreateLogStream", &in, NULL);
    if (err_has_code(e, "ResourceNotFoundException")) {
        err_free(e);
        TRY(make_group(o, b));
        e = api_call(o, "logs", "CreateLogStream", &in, NULL);
    }
    if (err_has_code(e, "ResourceAlreadyExistsException")) {
        err_free(e);
        e = NULL;
    }
    return e;
}

static struct err *write_batch(const struct batch *b, struct arena *a)
{
    struct api_call o = {.ward = b->ward, .as = AS_ROLE, .service = LAMBDA_SERVICE,
                         .role_arn = b->role, .session_name = b->name, .account = b->account,
                         .region = b->region, .arena = a};
    o.source_arn = arena_fmt(a, "arn:aws:lambda:%.*s:%.*s:function:%.*s", STR_ARG(b->region),
                             STR_ARG(b->account), STR_ARG(b->name));
    struct logs_PutLogEventsRequest in = {.logGroupName = group_name(a, b),
                                          .logStreamName = b->stream, .logEvents = b->events};
    if (b->make)
        TRY(make_stream(&o, b));
    struct err *e = api_call(&o, "logs", "PutLogEvents", &in, NULL);
    if (!err_has_code(e, "ResourceNotFoundException"))
        return e;
    err_free(e); /* somebody deleted it: made again, as on AWS */
    TRY(make_stream(&o, b));
    return api_call(&o, "logs", "PutLogEvents", &in, NULL);
}

/* The oldest of another stream than the last one's, if there is any: a loud function has its turn,
 * and no more. With Q.lock held, and the queue not empty. */
static struct batch *take_batch(char last[STREAM_NAME])
{
    struct batch **at = &Q.first;
    while (*at != NULL && str_is((*at)->stream, last))
        at = &(*at)->next;
    if (*at == NULL)
        at = &Q.first;
    struct batch *b = *at;
    *at = b->next;
    if (b->next == NULL)
        Q.last = at;
    Q.bytes -= b->bytes;
    snprintf(last, STREAM_NAME, "%.*s", STR_ARG(b->stream));
    return b;
}

static void *writer(void *arg UNUSED)
{
    char last[STREAM_NAME] = "";
    pthread_mutex_lock(&Q.lock);
    for (;;) {
        while (Q.first == NULL && !Q.stopping)
            pthread_cond_wait(&Q.more, &Q.lock);
        if (Q.first == NULL)
            break;
        struct batch *b = take_batch(last);
        pthread_mutex_unlock(&Q.lock);
        struct arena *a = arena_new(CALL_ARENA);
        struct err *e = write_batch(b, a);
        if (e != NULL) /* a role without logs:PutLogEvents has no logs, as on AWS */
            log_debug("a function's log lines could not be written (%s)",
                      e->code != NULL ? e->code : "InternalError");
        err_free(e);
        arena_free(a);
        arena_free(b->arena);
        pthread_mutex_lock(&Q.lock);
    }
    pthread_mutex_unlock(&Q.lock);
    return NULL;
}

struct err *output_start(struct ward *w UNUSED)
{
    Q.stopping = false;
    Q.last = &Q.first;
    int rc = pthread_create(&Q.thread, NULL, writer, NULL);
    if (rc != 0)
        return err_errno(rc, "pthread_create");
    Q.running = true;
    return NULL;
}

void output_stop(void)
{
    if (!Q.running)
        return;
    pthread_mutex_lock(&Q.lock);
    Q.stopping = true;
    pthread_cond_signal(&Q.more);
    pthread_mutex_unlock(&Q.lock);
    pthread_join(Q.thread, NULL);
    Q.running = false;
}

/* -- gathering --------------------------------------------------------------------------------- */

static void begin(struct output *o)
{
    o->arena = arena_new(BATCH_ARENA);
    o->events.v = NULL;
    o->events.n = o->events.cap = 0;
    o->bytes = 0;
    o->begun_ms = clock_mono_ms();
}

static void push(struct output *o, struct str text)
{
    int64_t now = clock_now_ms();
    o->last_ms = now > o->last_ms ? now : o->last_ms; /* a batch is in order of time */
    if (o->arena == NULL)
        begin(o);
    struct logs_InputLogEvent e = {.timestamp = some_int(o->last_ms),
                                   .message = arena_str(o->arena, text)};
    VEC_PUSH(o->arena, &o->events, e);
    o->bytes += text.n + LINE_OVERHEAD;
    if (o->bytes >= EXEC_BATCH_BYTES)
        output_flush(o);
}

static void keep_tail(struct output *o, struct str text)
{
    text = str_skip(text, text.n > LAMBDA_TAIL_BYTES ? text.n - LAMBDA_TAIL_BYTES : 0);
    while (text.n > 0) {
        struct str part = str_take(text, LAMBDA_TAIL_BYTES - o->ring_at);
        memcpy(o->ring + o->ring_at, part.p, part.n);
        o->ring_at = (o->ring_at + part.n) % LAMBDA_TAIL_BYTES;
        o->ring_n += part.n;
        text = str_skip(text, part.n);
    }
    if (o->ring_n > LAMBDA_TAIL_BYTES)
        o->ring_n = LAMBDA_TAIL_BYTES;
}

size_t output_tail(const struct output *o, char out[LAMBDA_TAIL_BYTES])
{
    size_t from = (o->ring_at + LAMBDA_TAIL_BYTES - o->ring_n) % LAMBDA_TAIL_BYTES;
    size_t first = LAMBDA_TAIL_BYTES - from < o->ring_n ? LAMBDA_TAIL_BYTES - from : o->ring_n;
    memcpy(out, o->ring + from, first);
    memcpy(out + first, o->ring, o->ring_n - first);
    return o->ring_n;
}

static void take_line(struct output *o, struct str line)
{
    keep_tail(o, line);
    keep_tail(o, STR("\n"));
    if (line.n > 0)
        push(o, line);
}

void output_add(struct output *o, struct str bytes)
{
    while (bytes.n > 0) {
        ptrdiff_t end = str_find_char(bytes, '\n');
        size_t n = end < 0 ? bytes.n : (size_t)end, room = EXEC_LINE_MAX - o->line.n;
        bool whole = end >= 0 && n <= room;
        n = n < room ? n : room;
        buf_str(&o->line, str_take(bytes, n));
        bytes = str_skip(bytes, whole ? n + 1 : n);
        if (whole || o->line.n >= EXEC_LINE_MAX) {
            take_line(o, buf_view(&o->line));
            buf_reset(&o->line);
        }
    }
}

void output_line(struct output *o, const char *fmt, ...)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(EXEC_LINE_MAX);
    va_list ap;
    if (o->line.n > 0) { /* what the function began stands before */
        take_line(o, buf_view(&o->line));
        buf_reset(&o->line);
    }
    va_start(ap, fmt);
    buf_vfmt(&b, fmt, ap);
    va_end(ap);
    take_line(o, buf_view(&b));
}

/* With Q.lock held. */
static bool has_room(const struct batch *b)
{
    size_t own = b->bytes;
    for (const struct batch *x = Q.first; x != NULL; x = x->next)
        own += str_eq(x->stream, b->stream) ? x->bytes : 0;
    return own <= STREAM_BYTES && Q.bytes + b->bytes <= EXEC_QUEUE_BYTES && Q.running;
}

void output_flush(struct output *o)
{
    if (o->arena == NULL)
        return;
    struct arena *a = o->arena;
    o->arena = NULL;
    struct batch *b = ARENA_NEW(a, struct batch);
    *b = (struct batch){.arena = a, .ward = o->ward, .account = arena_str(a, o->account),
                        .region = arena_str(a, o->region), .name = arena_str(a, o->name),
                        .role = arena_str(a, o->role), .stream = arena_str(a, o->stream),
                        .events = {.n = o->events.n, .v = o->events.v, .set = true},
                        .bytes = o->bytes, .make = !o->made};
    pthread_mutex_lock(&Q.lock);
    bool fits = has_room(b);
    if (fits) {
        *Q.last = b;
        Q.last = &b->next;
        Q.bytes += b->bytes;
        pthread_cond_signal(&Q.more);
    }
    pthread_mutex_unlock(&Q.lock);
    if (!fits) {
        o->dropped += b->events.n;
        arena_free(a);
        return;
    }
    o->made = true;
    if (o->dropped > 0) {
        size_t n = o->dropped;
        o->dropped = 0;
        output_line(o, "[WARNING] %zu log lines were dropped before this one.", n);
    }
}

void output_clear(struct output *o)
{
    output_flush(o);
    if (o->arena != NULL) /* the note of a drop, at the very end */
        arena_free(o->arena);
    o->arena = NULL;
    buf_clear(&o->line);
}
