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

enum { RUNS_MAX = 1 << 20, MERGE_BYTES = 4 * 1024 * 1024, READ_MIN = 4096, READ_MAX = 256 * 1024 };

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

static struct err *spill(struct findings *fs, struct lane *l)
{
    sort_lane(l);
    char *sorted = malloc(l->n);
    CHECK(sorted != NULL);
    size_t n = 0;
    for (size_t i = 0; i < l->count; i++) {
        uint32_t size;
        memcpy(&size, l->p + l->at[i], sizeof size);
        memcpy(sorted + n, l->p + l->at[i], size);
        n += size;
    }
    pthread_mutex_lock(&fs->lock);
    struct err *e = open_file(fs);
    int64_t at = fs->end;
    fs->end += (int64_t)n;
    if (e == NULL)
        e = note_run(fs, at, (int64_t)n);
    pthread_mutex_unlock(&fs->lock);
    if (e == NULL)
        e = write_all(fs->fd, sorted, n, at);
    free(sorted);
    l->n = l->count = 0;
    return e;
}

struct err *findings_add(struct findings *fs, int lane, const struct finding *f)
{
    struct lane *l = &fs->lanes[lane];
    struct head h = {.rule = f->rule, .time_ms = f->time_ms, .offset = f->offset};
    size_t size = sizeof h;
    for (int i = 0; i < F_TEXTS; i++) {
        h.n[i] = (uint32_t)f->text[i].n;
        size += f->text[i].n;
    }
    size = (size + 7) & ~(size_t)7;
    h.size = (uint32_t)size;
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
    struct buf last_id = BUF_INIT(READ_MAX * 8), last_note = BUF_INIT(READ_MAX * 8);
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

struct err *findings_merge(struct findings *fs, findings_see *see, void *ctx, uint64_t *out_doubles)
{
    TRY(spill_rest(fs));
    size_t total = fs->n_runs + (size_t)fs->n_lanes, n = 0;
    struct reader *readers = calloc(total, sizeof *readers);
    struct reader **heap = calloc(total, sizeof *heap);
    CHECK(readers != NULL && heap != NULL);
    size_t each = MERGE_BYTES / (fs->n_runs + 1);
    each = each < READ_MIN ? READ_MIN : each > READ_MAX ? READ_MAX : each;
    struct err *e = NULL;
    for (size_t i = 0; i < total && e == NULL; i++) {
        struct reader *r = &readers[i];
        if (i < fs->n_runs) {
            r->at = fs->runs[i].from;
            r->end = r->at + fs->runs[i].n;
            r->cap = each;
            r->p = malloc(each);
            CHECK(r->p != NULL);
        } else {
            r->lane = &fs->lanes[i - fs->n_runs];
            if (r->lane->count > 0)
                sort_lane(r->lane);
        }
        bool more = false;
        e = advance(fs, r, &more);
        if (more)
            heap[n++] = r;
    }
    uint64_t doubles = 0;
    if (e == NULL)
        e = merge(fs, heap, n, see, ctx, &doubles);
    for (size_t i = 0; i < total; i++)
        free(readers[i].p);
    free(readers);
    free(heap);
    if (e == NULL && out_doubles != NULL)
        *out_doubles = doubles;
    return e;
}
