#include "finding.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

struct head { /* as stored: this, then the texts one after another */
    uint32_t size, rule;
    int64_t time_ms;
    uint64_t offset;
    uint32_t n[F_TEXTS];
};

struct lane {
    char *p;
    size_t n, cap;
    uint32_t *at; /* where each begins */
    size_t count, at_cap;
};

struct run {
    int64_t from, n; /* in the file */
};

struct findings {
    struct lane *lanes;
    int n_lanes;
    pthread_mutex_t lock;
    int fd;
    int64_t end;
    struct run *runs;
    size_t n_runs, runs_cap;
};

/* More runs than RUNS_TOGETHER are made fewer first: each that is read needs its room. */
enum { RUNS_MAX = 1 << 20, RUNS_TOGETHER = 128, READ_BYTES = 32 * 1024, WRITE_BYTES = 64 * 1024,
       TEXT_BYTES_MAX = 2 * 1024 * 1024 };

struct err *findings_new(int lanes, size_t lane_bytes, struct findings **out)
{
    struct findings *fs = calloc(1, sizeof *fs);
    CHECK(fs != NULL);
    fs->fd = -1;
    fs->n_lanes = lanes;
    fs->lanes = calloc((size_t)lanes, sizeof *fs->lanes);
    CHECK(fs->lanes != NULL);
    for (int i = 0; i < lanes; i++)
        fs->lanes[i].cap = lane_bytes;
    pthread_mutex_init(&fs->lock, NULL);
    *out = fs;
    return NULL;
}

void findings_free(struct findings *fs)
{
    if (fs == NULL)
        return;
    for (int i = 0; i < fs->n_lanes; i++) {
        free(fs->lanes[i].p);
        free(fs->lanes[i].at);
    }
    free(fs->lanes);
    free(fs->runs);
    if (fs->fd >= 0)
        close(fs->fd);
    pthread_mutex_destroy(&fs->lock);
    free(fs);
}

static void unpack(const char *p, struct finding *f)
{
    struct head h;
    memcpy(&h, p, sizeof h);
    f->time_ms = h.time_ms;
    f->rule = h.rule;
    f->offset = h.offset;
    p += sizeof h;
    for (int i = 0; i < F_TEXTS; i++) {
        f->text[i] = str_of(p, h.n[i]);
        p += h.n[i];
    }
}

static int order(const struct finding *x, const struct finding *y)
{
    if (x->time_ms != y->time_ms)
        return x->time_ms < y->time_ms ? -1 : 1;
    int d = str_cmp(x->text[F_EVENT_ID], y->text[F_EVENT_ID]);
    if (d != 0)
        return d;
    if (x->rule != y->rule)
        return x->rule < y->rule ? -1 : 1;
    d = str_cmp(x->text[F_NOTE], y->text[F_NOTE]);
    if (d == 0)
        d = str_cmp(x->text[F_FILE], y->text[F_FILE]);
    if (d != 0)
        return d;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int by_order(const void *a, const void *b, void *base)
{
    struct finding x, y;
    unpack((char *)base + *(const uint32_t *)a, &x);
    unpack((char *)base + *(const uint32_t *)b, &y);
    return order(&x, &y);
}

static struct err *write_all(int fd, const char *p, size_t n, int64_t at)
{
    while (n > 0) {
        ssize_t w = pwrite(fd, p, n, at);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return err_errno(w < 0 ? errno : ENOSPC, "writing findings to the temporary folder");
        p += w;
        n -= (size_t)w;
        at += w;
    }
    return NULL;
}

static struct err *open_file(struct findings *fs)
{
    if (fs->fd >= 0)
        return NULL;
    const char *dir = getenv("TMPDIR");
    struct buf b = BUF_INIT(4096);
    buf_fmt(&b, "%s/ward-scan-XXXXXX", dir == NULL || dir[0] == '\0' ? P_tmpdir : dir);
    buf_char(&b, '\0');
    if (!buf_ok(&b)) {
        buf_clear(&b);
        return err_new(ERR_INVALID, "TMPDIR is too long.");
    }
    fs->fd = mkostemp(b.p, O_CLOEXEC);
    int was = errno;
    if (fs->fd >= 0)
        unlink(b.p);
    buf_clear(&b);
    return fs->fd < 0 ? err_errno(was, "opening a file in the temporary folder") : NULL;
}

static void sort_lane(struct lane *l)
{
    qsort_r(l->at, l->count, sizeof *l->at, by_order, l->p);
}

static struct err *note_run(struct findings *fs, int64_t from, int64_t n)
{
    if (fs->n_runs == fs->runs_cap) {
        if (fs->n_runs >= RUNS_MAX)
            return err_new(ERR_LIMIT, "There are too many findings to sort.");
        fs->runs_cap = fs->runs_cap == 0 ? 64 : fs->runs_cap * 2;
        fs->runs = realloc(fs->runs, fs->runs_cap * sizeof *fs->runs);
        CHECK(fs->runs != NULL);
    }
    fs->runs[fs->n_runs++] = (struct run){from, n};
    return NULL;
}

/* -- writing a run -- */
struct writer {
    struct findings *fs;
    int64_t at; /* in the file, where p[0] comes */
    size_t n;
    struct err *failed;
    char p[WRITE_BYTES];
};

static void flush(struct writer *w)
{
    if (w->failed == NULL)
        w->failed = write_all(w->fs->fd, w->p, w->n, w->at);
    w->at += (int64_t)w->n;
    w->n = 0;
}

static void put(struct writer *w, const char *p, size_t n)
{
    while (n > 0) {
        size_t some = sizeof w->p - w->n < n ? sizeof w->p - w->n : n;
        memcpy(w->p + w->n, p, some);
        w->n += some;
        p += some;
        n -= some;
        if (w->n == sizeof w->p)
            flush(w);
    }
}

static struct writer *writer_new(struct findings *fs, int64_t at)
{
    struct writer *w = malloc(sizeof *w);
    CHECK(w != NULL);
    w->fs = fs;
    w->at = at;
    w->n = 0;
    w->failed = NULL;
    return w;
}

/* Where the run ends. */
static struct err *writer_end(struct writer *w, int64_t *out_end)
{
    flush(w);
    *out_end = w->at;
    struct err *e = w->failed;
    free(w);
    return e;
}

static struct err *spill(struct findings *fs, struct lane *l)
{
    sort_lane(l);
    pthread_mutex_lock(&fs->lock);
    struct err *e = open_file(fs);
    int64_t at = fs->end, end;
    fs->end += (int64_t)l->n;
    if (e == NULL)
        e = note_run(fs, at, (int64_t)l->n);
    pthread_mutex_unlock(&fs->lock);
    TRY(e);
    struct writer *w = writer_new(fs, at);
    for (size_t i = 0; i < l->count; i++) {
        uint32_t size;
        memcpy(&size, l->p + l->at[i], sizeof size);
        put(w, l->p + l->at[i], size);
    }
    l->n = l->count = 0;
    return writer_end(w, &end);
}

/* -- packing -- */
static size_t head_of(const struct finding *f, struct head *out)
{
    *out = (struct head){.rule = f->rule, .time_ms = f->time_ms, .offset = f->offset};
    size_t size = sizeof *out;
    for (int i = 0; i < F_TEXTS; i++) {
        out->n[i] = (uint32_t)f->text[i].n;
        size += f->text[i].n;
    }
    size = (size + 7) & ~(size_t)7;
    out->size = (uint32_t)size;
    return size;
}

struct err *findings_add(struct findings *fs, int lane, const struct finding *f)
{
    struct lane *l = &fs->lanes[lane];
    struct head h;
    size_t size = head_of(f, &h);
    if (size > l->cap)
        return err_new(ERR_LIMIT, "A finding is too large to keep.");
    if (l->n + size > l->cap)
        TRY(spill(fs, l));
    if (l->p == NULL) {
        l->p = malloc(l->cap);
        CHECK(l->p != NULL);
    }
    if (l->count == l->at_cap) {
        l->at_cap = l->at_cap == 0 ? 1024 : l->at_cap * 2;
        l->at = realloc(l->at, l->at_cap * sizeof *l->at);
        CHECK(l->at != NULL);
    }
    l->at[l->count++] = (uint32_t)l->n;
    char *p = l->p + l->n;
    memcpy(p, &h, sizeof h);
    p += sizeof h;
    for (int i = 0; i < F_TEXTS; i++) {
        if (f->text[i].n > 0)
            memcpy(p, f->text[i].p, f->text[i].n);
        p += f->text[i].n;
    }
    l->n += size;
    return NULL;
}

static void put_finding(void *ctx, const struct finding *f)
{
    static const char zeros[8];
    struct writer *w = ctx;
    struct head h;
    size_t size = head_of(f, &h), n = sizeof h;
    put(w, (const char *)&h, sizeof h);
    for (int i = 0; i < F_TEXTS; i++) {
        put(w, f->text[i].p, f->text[i].n);
        n += f->text[i].n;
    }
    put(w, zeros, size - n);
}

/* -- merging -- */
struct reader {
    struct finding now;
    struct lane *lane; /* in memory; else from the file */
    size_t next;
    int64_t at, end;
    char *p;
    size_t n, cap, pos;
};

static struct err *refill(struct findings *fs, struct reader *r, size_t need)
{
    memmove(r->p, r->p + r->pos, r->n - r->pos);
    r->n -= r->pos;
    r->pos = 0;
    if (r->cap < need) {
        r->p = realloc(r->p, need);
        CHECK(r->p != NULL);
        r->cap = need;
    }
    while (r->n < need) {
        size_t room = r->cap - r->n;
        if ((int64_t)room > r->end - r->at)
            room = (size_t)(r->end - r->at);
        ssize_t got = pread(fs->fd, r->p + r->n, room, r->at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return err_errno(got < 0 ? errno : EIO, "reading findings back");
        r->n += (size_t)got;
        r->at += got;
    }
    return NULL;
}

static struct err *advance(struct findings *fs, struct reader *r, bool *out_more)
{
    *out_more = false;
    if (r->lane != NULL) {
        if (r->next < r->lane->count) {
            unpack(r->lane->p + r->lane->at[r->next++], &r->now);
            *out_more = true;
        }
        return NULL;
    }
    if (r->pos == r->n && r->at == r->end)
        return NULL;
    if (r->n - r->pos < sizeof(struct head))
        TRY(refill(fs, r, sizeof(struct head)));
    uint32_t size;
    memcpy(&size, r->p + r->pos, sizeof size);
    if (r->n - r->pos < size)
        TRY(refill(fs, r, size));
    unpack(r->p + r->pos, &r->now);
    r->pos += size;
    *out_more = true;
    return NULL;
}

static void sift(struct reader **heap, size_t n, size_t i)
{
    for (;;) {
        size_t least = i;
        for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < n; k++) {
            if (order(&heap[k]->now, &heap[least]->now) < 0)
                least = k;
        }
        if (least == i)
            return;
        struct reader *t = heap[i];
        heap[i] = heap[least];
        heap[least] = t;
        i = least;
    }
}

static struct err *merge(struct findings *fs, struct reader **heap, size_t n, findings_see *see,
                         void *ctx, uint64_t *doubles)
{
    struct buf last_id = BUF_INIT(TEXT_BYTES_MAX), last_note = BUF_INIT(TEXT_BYTES_MAX);
    int64_t last_time = 0;
    uint32_t last_rule = UINT32_MAX;
    struct err *e = NULL;
    for (size_t i = n; i-- > 0;)
        sift(heap, n, i);
    while (n > 0 && e == NULL) {
        const struct finding *f = &heap[0]->now;
        bool twin = last_rule == f->rule && last_time == f->time_ms && f->text[F_EVENT_ID].n > 0 &&
                    str_eq(f->text[F_EVENT_ID], buf_view(&last_id)) &&
                    str_eq(f->text[F_NOTE], buf_view(&last_note));
        if (twin) {
            *doubles += 1;
        } else {
            last_rule = f->rule;
            last_time = f->time_ms;
            buf_reset(&last_id);
            buf_str(&last_id, f->text[F_EVENT_ID]);
            buf_reset(&last_note);
            buf_str(&last_note, f->text[F_NOTE]);
            see(ctx, f);
        }
        bool more = false;
        e = advance(fs, heap[0], &more);
        if (!more)
            heap[0] = heap[--n];
        sift(heap, n, 0);
    }
    buf_clear(&last_id);
    buf_clear(&last_note);
    return e;
}

/* Where some are on disk the rest may be too: the room is needed for reading them. */
static struct err *spill_rest(struct findings *fs)
{
    for (int i = 0; fs->n_runs > 0 && i < fs->n_lanes; i++) {
        struct lane *l = &fs->lanes[i];
        if (l->count > 0)
            TRY(spill(fs, l));
        free(l->p);
        free(l->at);
        *l = (struct lane){.cap = l->cap};
    }
    return NULL;
}

static void reader_open(struct reader *r, const struct run *run)
{
    r->at = run->from;
    r->end = run->from + run->n;
    r->cap = READ_BYTES;
    r->p = malloc(READ_BYTES);
    CHECK(r->p != NULL);
}

/* `runs` of them, and with `lanes` what is in memory. */
static struct err *merge_some(struct findings *fs, const struct run *runs, size_t n_runs,
                              bool lanes, findings_see *see, void *ctx, uint64_t *doubles)
{
    size_t total = n_runs + (lanes ? (size_t)fs->n_lanes : 0), n = 0;
    struct reader *readers = calloc(total + 1, sizeof *readers);
    struct reader **heap = calloc(total + 1, sizeof *heap);
    CHECK(readers != NULL && heap != NULL);
    struct err *e = NULL;
    for (size_t i = 0; i < total && e == NULL; i++) {
        struct reader *r = &readers[i];
        if (i < n_runs) {
            reader_open(r, &runs[i]);
        } else {
            r->lane = &fs->lanes[i - n_runs];
            if (r->lane->count > 0)
                sort_lane(r->lane);
        }
        bool more = false;
        e = advance(fs, r, &more);
        if (more)
            heap[n++] = r;
    }
    if (e == NULL)
        e = merge(fs, heap, n, see, ctx, doubles);
    for (size_t i = 0; i < total; i++)
        free(readers[i].p);
    free(readers);
    free(heap);
    return e;
}

/* One run of the first ones, behind the others. */
static struct err *merge_first(struct findings *fs, uint64_t *doubles)
{
    struct run one = {.from = fs->end};
    int64_t end = 0;
    struct writer *w = writer_new(fs, one.from);
    struct err *e = merge_some(fs, fs->runs, RUNS_TOGETHER, false, put_finding, w, doubles);
    struct err *late = writer_end(w, &end);
    if (e != NULL) {
        err_free(late);
        return e;
    }
    TRY(late);
    /* Their room on the disk is given back where the filesystem can do that. */
    for (size_t i = 0; i < RUNS_TOGETHER; i++)
        (void)fallocate(fs->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, fs->runs[i].from,
                        fs->runs[i].n);
    one.n = end - one.from;
    fs->end = end;
    fs->n_runs -= RUNS_TOGETHER;
    memmove(fs->runs, fs->runs + RUNS_TOGETHER, fs->n_runs * sizeof *fs->runs);
    fs->runs[fs->n_runs++] = one;
    return NULL;
}

struct err *findings_merge(struct findings *fs, findings_see *see, void *ctx, uint64_t *out_doubles)
{
    uint64_t doubles = 0;
    TRY(spill_rest(fs));
    while (fs->n_runs > RUNS_TOGETHER)
        TRY(merge_first(fs, &doubles));
    TRY(merge_some(fs, fs->runs, fs->n_runs, true, see, ctx, &doubles));
    if (out_doubles != NULL)
        *out_doubles = doubles;
    return NULL;
}
