#include "engine.h"

#include <pthread.h>
#include <time.h>

#include "../core/clock.h"
#include "../core/enc.h"
#include "../crypto/crypto.h"
#include "baseline.h"
#include "records.h"
#include "unpack.h"

enum { OUT_BYTES_TOTAL = 24 * 1024 * 1024, OUT_BYTES_MAX = 12 * 1024 * 1024,
       OUT_BYTES_MIN = 1024 * 1024, NAME_BYTES_MAX = 64 * 1024, NOTE_ARENA = 8 * 1024 * 1024,
       PROGRESS_MS = 250, KEPT_MAX = 4096,
       /* Read together (unpack.h): about what stays in a core's second cache. */
       PACK_FILES = 64, PACK_BYTES = 768 * 1024 };

struct run {
    struct engine *en;
    struct scan_source source;
    struct source_notes *notes;
    pthread_mutex_t lock; /* the source, the counts, the faults */
    pthread_cond_t done;
    int running;
    struct err *failed;
};

enum { APART = 128 }; /* two lines of the cache, which are fetched together */

struct packed {
    struct scan_object object;
    struct unpacked file;
};

struct worker {
    _Alignas(APART) struct run *run; /* what one writes is no line of another's */
    int lane;
    struct match_worker *match;
    struct feed feed;
    struct unpack unpack;
    struct packed pack[PACK_FILES];
    size_t n_pack;
    const struct scan_object *object; /* the file at hand, */
    struct str raw;                   /* as it was read; STR_NONE: not kept */
    void *handle;
    char sha[65];
    bool sha_known;
    uint64_t record_faults; /* of the file at hand */
    struct arena *a;
    struct engine_counts counts; /* not yet told */
    struct err *failed;
};

/* -- faults -- */
static void add_fault(struct engine *en, const char *name, uint64_t offset, const char *what)
{
    en->counts.faults++;
    if (en->n_faults == FAULTS_LISTED_MAX)
        return;
    if (en->fault_list == NULL) {
        en->fault_list = calloc(FAULTS_LISTED_MAX, sizeof *en->fault_list);
        CHECK(en->fault_list != NULL);
    }
    struct fault *f = &en->fault_list[en->n_faults++];
    f->file = strdup(name);
    f->text = strdup(what);
    f->offset = offset;
    CHECK(f->file != NULL && f->text != NULL);
}

/* From the source's next(), which runs under the lock. */
void engine_fault(void *engine, const char *name, const char *what)
{
    add_fault(engine, name, 0, what);
}

static void worker_fault_at(void *x, uint64_t offset, const char *what)
{
    struct worker *w = x;
    pthread_mutex_lock(&w->run->lock);
    add_fault(w->run->en, w->object->name.p, offset, what);
    pthread_mutex_unlock(&w->run->lock);
}

static void worker_fault(void *x, const char *what)
{
    worker_fault_at(x, 0, what);
}

/* Of records there may be many in a file. */
static void record_fault(struct worker *w, uint64_t offset, const char *what)
{
    if (w->record_faults++ < FEED_FAULTS_TOLD)
        worker_fault_at(w, offset, what);
}

static void tell_more_faults(struct worker *w)
{
    char text[96];
    if (w->record_faults <= FEED_FAULTS_TOLD)
        return;
    snprintf(text, sizeof text, "%llu more records of this file have such faults",
             (unsigned long long)(w->record_faults - FEED_FAULTS_TOLD));
    worker_fault(w, text);
}

static int by_file(const void *x, const void *y)
{
    const struct fault *a = x, *b = y;
    int d = strcmp(a->file, b->file);
    if (d != 0)
        return d;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return strcmp(a->text, b->text);
}

/* -- what a record says -- */
enum known { K_RESOURCE_ARN, K_KEY, K_ACCOUNT, K_ID, K_TIME, K_NAME, K_SOURCE, K_ADDRESS, K_REGION,
             K_RECIPIENT, K_AGENT, K_WHO, K_RESOURCE = K_WHO + 5, K_END = K_RESOURCE + 15 };
static const char *const known_paths[] = {
    "resources.ARN", "requestParameters.key", "userIdentity.accountId", "eventID", "eventTime",
    "eventName", "eventSource", "sourceIPAddress", "awsRegion", "recipientAccountId", "userAgent",
    /* who, the best first */
    "userIdentity.arn", "userIdentity.userName", "userIdentity.invokedBy",
    "userIdentity.principalId", "userIdentity.type",
    /* what, the first that is there */
    "requestParameters.bucketName", "requestParameters.keyId", "requestParameters.userName",
    "requestParameters.roleName", "requestParameters.policyArn", "requestParameters.groupName",
    "requestParameters.instanceId", "requestParameters.snapshotId", "requestParameters.groupId",
    "requestParameters.name", "requestParameters.functionName", "requestParameters.pipelineId",
    "requestParameters.gatewayARN", "requestParameters.secretId", "requestParameters.roleArn"};

void engine_paths(struct rules *rs)
{
    CHECK(ARRAY_LEN(known_paths) == K_END && (int)K_END <= (int)KNOWN_MAX);
    for (size_t i = 0; i < ARRAY_LEN(known_paths); i++)
        rs->known[i] = path_dotted(&rs->paths, str_c(known_paths[i]), true);
}

static struct str at(const struct rules *rs, struct record *r, int known)
{
    return record_str(r, rs->known[known]);
}

static struct str slot_text(const struct rules *rs, struct record *r, enum slot slot, int known)
{
    if (!r->odd)
        return record_slot(r, slot);
    return at(rs, r, known);
}

/* Exports drop the zone, which is UTC in all of CloudTrail's times. */
static int64_t time_of(struct str s)
{
    char zoned[40];
    int64_t ms;
    if (s.p == NULL)
        return INT64_MIN;
    if (time_parse_iso8601(s, &ms))
        return ms;
    if (s.n < 19 || s.n + 1 > sizeof zoned || s.p[s.n - 1] < '0' || s.p[s.n - 1] > '9')
        return INT64_MIN;
    memcpy(zoned, s.p, s.n);
    zoned[s.n] = 'Z';
    return time_parse_iso8601(str_of(zoned, s.n + 1), &ms) ? ms : INT64_MIN;
}

static struct str first_of(const struct rules *rs, struct record *r, int from, int to)
{
    for (int i = from; i < to; i++) {
        struct str s = at(rs, r, i);
        if (s.n > 0)
            return s;
    }
    return STR_NONE;
}

static struct str resource_of(const struct rules *rs, struct record *r)
{
    struct str s = at(rs, r, K_RESOURCE_ARN);
    if (s.n > 0)
        return s;
    s = first_of(rs, r, K_RESOURCE, K_END);
    struct str key = at(rs, r, K_KEY);
    if (s.n > 0 && key.n > 0)
        return arena_fmt(r->a, "%.*s/%.*s", STR_ARG(s), STR_ARG(str_take(key, 1024)));
    return s;
}

void engine_describe(const struct rules *rs, struct record *r, struct finding *out)
{
    struct str source = slot_text(rs, r, SLOT_SOURCE, K_SOURCE);
    struct str name = slot_text(rs, r, SLOT_NAME, K_NAME);
    ptrdiff_t dot = str_find_char(source, '.');
    out->time_ms = time_of(slot_text(rs, r, SLOT_TIME, K_TIME));
    if (out->time_ms == INT64_MIN)
        out->time_ms = time_of(record_slot(r, SLOT_STAMP));
    out->text[F_EVENT_ID] = slot_text(rs, r, SLOT_ID, K_ID);
    out->text[F_ADDRESS] = slot_text(rs, r, SLOT_ADDRESS, K_ADDRESS);
    out->text[F_REGION] = slot_text(rs, r, SLOT_REGION, K_REGION);
    out->text[F_ACCOUNT] = slot_text(rs, r, SLOT_ACCOUNT, K_RECIPIENT);
    if (out->text[F_ACCOUNT].n == 0)
        out->text[F_ACCOUNT] = at(rs, r, K_ACCOUNT);
    out->text[F_PRINCIPAL] = first_of(rs, r, K_WHO, K_RESOURCE);
    out->text[F_ACTION] = arena_fmt(r->a, "%.*s:%.*s",
                                    STR_ARG(dot < 0 ? source : str_take(source, (size_t)dot)),
                                    STR_ARG(name));
    out->text[F_RESOURCE] = resource_of(rs, r);
    for (int i = 0; i < F_RECORD; i++)
        out->text[i] = str_take(out->text[i], 4096);
}

/* -- records -- */
static struct str file_sha(struct worker *w)
{
    if (w->sha_known)
        return str_c(w->sha);
    struct hash *h = hash_new(HASH_SHA256);
    unsigned char sum[SHA256_SIZE] = {0};
    bool ok = true;
    if (w->raw.p != NULL) {
        hash_add(h, w->raw);
    } else if (w->unpack.in_end && w->unpack.bytes_in == w->unpack.in_n) {
        hash_add(h, str_of(w->unpack.in, w->unpack.in_n));
    } else {
        void *handle;
        char block[16384];
        ptrdiff_t n = -1;
        if (w->run->source.open(w->run->source.ctx, w->object->name.p, &handle) == 0) {
            while ((n = w->run->source.read(handle, block, sizeof block)) > 0)
                hash_add(h, str_of(block, (size_t)n));
            w->run->source.close(handle);
        }
        ok = n == 0;
    }
    hash_end(h, sum);
    hash_free(h);
    w->sha[0] = '\0';
    for (int i = 0; ok && i < SHA256_SIZE; i++)
        snprintf(w->sha + 2 * i, 3, "%02x", sum[i]);
    w->sha_known = true;
    return str_c(w->sha);
}

static bool wild_ok(struct str pattern, struct str s)
{
    return pattern.p == NULL || str_wildcard(pattern, s);
}

/* Without a time that can be read nobody knows whether it is within --since and --until: it is told
 * of, and the finding too. */
static bool in_time(struct worker *w, const struct finding *f)
{
    const struct engine_filter *c = &w->run->en->filter;
    if (c->since_ms == INT64_MIN && c->until_ms == INT64_MAX)
        return true;
    if (f->time_ms != INT64_MIN)
        return f->time_ms >= c->since_ms && f->time_ms < c->until_ms;
    record_fault(w, f->offset, "the record has no time that can be read: --since and --until do "
                               "not leave it out");
    return true;
}

static bool passes(struct worker *w, struct record *r, const struct finding *f)
{
    const struct engine_filter *c = &w->run->en->filter;
    if (!in_time(w, f))
        return false;
    ptrdiff_t colon = str_find_char(f->text[F_ACTION], ':');
    return wild_ok(c->principal, f->text[F_PRINCIPAL]) &&
           (wild_ok(c->event, f->text[F_ACTION]) ||
            wild_ok(c->event, str_skip(f->text[F_ACTION], (size_t)colon + 1))) &&
           wild_ok(c->account, f->text[F_ACCOUNT]) && wild_ok(c->region, f->text[F_REGION]) &&
           (c->where == NULL || match_one(w->match, r, c->where));
}

static struct str kept(struct worker *w, struct record *r, const struct rule *rule)
{
    struct buf b = BUF_INIT(KEPT_MAX * 16);
    for (size_t i = 0; i < rule->n_keep; i++) {
        buf_str(&b, str_take(record_str(r, rule->keep[i]), KEPT_MAX / 8));
        buf_add(&b, "", 1);
    }
    struct str s = b.n == 0 ? STR_NONE : arena_str(w->a, buf_view(&b));
    buf_clear(&b);
    return s;
}

static void keep_finding(struct worker *w, const struct finding *f)
{
    struct err *e = findings_add(w->run->en->findings, w->lane, f);
    if (e == NULL)
        return;
    if (w->failed == NULL)
        w->failed = e;
    else
        err_free(e);
}

static void see_baseline(struct worker *w, struct record *r, struct finding *f)
{
    struct str notes[BASELINE_KINDS];
    struct str agent = slot_text(w->run->en->rules, r, SLOT_AGENT, K_AGENT);
    size_t n = baseline_see(w->run->en->baseline, w->lane, w->a, f, agent, notes);
    for (size_t i = 0; i < n; i++) {
        f->rule = w->run->en->baseline_rule;
        f->text[F_NOTE] = notes[i];
        f->text[F_KEPT] = STR_NONE;
        f->text[F_SHA256] = file_sha(w);
        keep_finding(w, f);
    }
    f->text[F_NOTE] = STR_NONE;
}

static void span_put(char to[32], struct str time)
{
    memcpy(to, time.p, time.n);
    to[time.n] = '\0';
}

static void span(struct engine_counts *c, struct str time)
{
    if (time.n < 20 || time.n >= sizeof c->first)
        return;
    bool first = c->first[0] == '\0' || str_cmp(time, str_c(c->first)) < 0;
    bool last = str_cmp(time, str_c(c->last)) > 0;
    /* What is of the same hour as the last one is a time as well. */
    if ((!first && !last) || (memcmp(time.p, c->last, strlen("YYYY-MM-DDTHH")) != 0 &&
                              time_of(time) == INT64_MIN))
        return;
    if (first)
        span_put(c->first, time);
    if (last)
        span_put(c->last, time);
}

static void on_record(void *x, struct record *r, uint64_t offset)
{
    struct worker *w = x;
    const struct engine *en = w->run->en;
    size_t n;
    w->counts.records++;
    span(&w->counts, r->slot[SLOT_TIME].p != NULL ? r->slot[SLOT_TIME] : r->slot[SLOT_STAMP]);
    const uint32_t *rules = match_record(w->match, r, &n);
    if (en->strict && n == 0) {
        struct str text = record_text(r);
        const char *bad = records_fault(text.p, text.n);
        if (bad != NULL)
            record_fault(w, offset, bad);
    }
    if (n == 0 && en->baseline == NULL)
        return;
    struct finding f = {.offset = offset};
    engine_describe(en->rules, r, &f);
    f.text[F_FILE] = str_c(w->object->name.p);
    if (!passes(w, r, &f))
        return;
    struct str text = record_text(r);
    const char *bad = records_fault(text.p, text.n);
    if (bad != NULL)
        record_fault(w, offset, bad);
    if (en->keep_records && bad == NULL)
        f.text[F_RECORD] = text;
    if (en->baseline != NULL)
        see_baseline(w, r, &f);
    for (size_t i = 0; i < n; i++) {
        f.rule = rules[i];
        f.text[F_KEPT] = kept(w, r, &en->rules->rules.v[rules[i]]);
        f.text[F_SHA256] = file_sha(w);
        keep_finding(w, &f);
    }
    if (arena_used(w->a) > NOTE_ARENA / 8)
        arena_reset(w->a);
}

/* -- files -- */
static ptrdiff_t read_object(void *x, void *buf, size_t n)
{
    struct worker *w = x;
    return w->run->source.read(w->handle, buf, n);
}

static size_t take_text(void *x, const char *p, size_t n, bool last)
{
    return feed_take(&((struct worker *)x)->feed, p, n, last);
}

static void at_hand(struct worker *w, const struct scan_object *object, struct str raw)
{
    w->object = object;
    w->raw = raw;
    w->sha_known = false;
    w->record_faults = 0;
    feed_start(&w->feed);
}

static void feed_pack(struct worker *w)
{
    for (size_t i = 0; i < w->n_pack; i++) {
        const struct packed *p = &w->pack[i];
        at_hand(w, &p->object, p->file.raw);
        feed_take(&w->feed, p->file.text.p, p->file.text.n, true);
        tell_more_faults(w);
    }
    w->n_pack = 0;
}

/* One that is large, or odd: as it is read. */
static void feed_rest(struct worker *w, const struct scan_object *object)
{
    char why[SOURCE_WHY_MAX];
    feed_pack(w);
    at_hand(w, object, STR_NONE);
    unpack_rest(&w->unpack);
    tell_more_faults(w);
    if (w->unpack.read_error != 0)
        worker_fault(w, source_why(&w->run->source, object->name.p, w->unpack.read_error, why));
}

/* Its object is the first of the pack that is free. */
static void one_file(struct worker *w)
{
    struct packed *p = &w->pack[w->n_pack];
    char why[SOURCE_WHY_MAX];
    w->object = &p->object;
    int e = w->run->source.open(w->run->source.ctx, p->object.name.p, &w->handle);
    if (e != 0) {
        worker_fault(w, source_why(&w->run->source, p->object.name.p, e, why));
        return;
    }
    if (unpack_keep(&w->unpack, &p->file))
        w->n_pack++;
    else
        feed_rest(w, &p->object);
    w->counts.files++;
    w->counts.bytes_in += w->unpack.bytes_in;
    w->counts.bytes_out += w->unpack.bytes_out;
    w->run->source.close(w->handle);
    if (w->n_pack == PACK_FILES || w->unpack.out_kept + w->unpack.in_kept >= PACK_BYTES) {
        feed_pack(w);
        unpack_forget(&w->unpack);
    }
}

static void add_counts(struct engine_counts *all, const struct engine_counts *c)
{
    all->files += c->files;
    all->bytes_in += c->bytes_in;
    all->bytes_out += c->bytes_out;
    all->records += c->records;
    span(all, str_c(c->first));
    span(all, str_c(c->last));
}

/* Under the lock. */
static void tell_counts(struct worker *w)
{
    add_counts(&w->run->en->counts, &w->counts);
    memset(&w->counts, 0, sizeof w->counts);
}

static bool next_file(struct worker *w)
{
    struct run *run = w->run;
    pthread_mutex_lock(&run->lock);
    tell_counts(w);
    bool more = w->failed == NULL && run->failed == NULL &&
                run->source.next(run->source.ctx, &w->pack[w->n_pack].object);
    pthread_mutex_unlock(&run->lock);
    return more;
}

static void *work(void *x)
{
    struct worker *w = x;
    struct run *run = w->run;
    while (next_file(w))
        one_file(w);
    feed_pack(w);
    pthread_mutex_lock(&run->lock);
    tell_counts(w);
    if (run->failed == NULL)
        run->failed = w->failed;
    else
        err_free(w->failed);
    run->running--;
    pthread_cond_signal(&run->done);
    pthread_mutex_unlock(&run->lock);
    return NULL;
}

static void worker_init(struct worker *w, struct run *run, int lane, int threads)
{
    struct feed_sink sink = {w, on_record, worker_fault_at};
    size_t out = OUT_BYTES_TOTAL / (size_t)threads;
    out = out > OUT_BYTES_MAX ? OUT_BYTES_MAX : out < OUT_BYTES_MIN ? OUT_BYTES_MIN : out;
    *w = (struct worker){.run = run, .lane = lane};
    w->match = match_worker_new(run->en->matcher);
    feed_init(&w->feed, &run->en->rules->paths, sink);
    unpack_init(&w->unpack, out);
    w->unpack.read = read_object;
    w->unpack.ctx = w->unpack.sink = w;
    w->unpack.take = take_text;
    w->unpack.fault = worker_fault;
    w->a = arena_new(NOTE_ARENA);
    for (size_t i = 0; i < PACK_FILES; i++)
        buf_init(&w->pack[i].object.name, NAME_BYTES_MAX);
}

static void worker_clear(struct worker *w)
{
    match_worker_free(w->match);
    feed_clear(&w->feed);
    unpack_clear(&w->unpack);
    arena_free(w->a);
    for (size_t i = 0; i < PACK_FILES; i++)
        buf_clear(&w->pack[i].object.name);
}

static void wait_for(struct run *run)
{
    struct engine *en = run->en;
    pthread_mutex_lock(&run->lock);
    while (run->running > 0) {
        if (en->progress == NULL) {
            pthread_cond_wait(&run->done, &run->lock);
            continue;
        }
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_nsec += PROGRESS_MS * 1000000L;
        if (t.tv_nsec >= 1000000000L) {
            t.tv_sec++;
            t.tv_nsec -= 1000000000L;
        }
        pthread_cond_timedwait(&run->done, &run->lock, &t);
        en->progress(en->progress_ctx, &en->counts);
    }
    pthread_mutex_unlock(&run->lock);
}

struct err *engine_run(struct engine *en, struct scan_source source, struct source_notes *notes)
{
    struct run run = {.en = en, .source = source, .notes = notes, .running = en->threads};
    struct worker *w = aligned_alloc(APART, (size_t)en->threads * sizeof *w);
    pthread_t *ids = calloc((size_t)en->threads, sizeof *ids);
    CHECK(w != NULL && ids != NULL);
    pthread_mutex_init(&run.lock, NULL);
    pthread_cond_init(&run.done, NULL);
    for (int i = 0; i < en->threads; i++)
        worker_init(&w[i], &run, i, en->threads);
    for (int i = 0; i < en->threads; i++)
        CHECK(pthread_create(&ids[i], NULL, work, &w[i]) == 0);
    wait_for(&run);
    for (int i = 0; i < en->threads; i++) {
        pthread_join(ids[i], NULL);
        worker_clear(&w[i]);
    }
    pthread_cond_destroy(&run.done);
    pthread_mutex_destroy(&run.lock);
    free(w);
    free(ids);
    en->counts.skipped = notes->skipped;
    if (en->n_faults > 0)
        qsort(en->fault_list, en->n_faults, sizeof *en->fault_list, by_file);
    return run.failed;
}

void engine_matched(struct engine *en)
{
    matcher_free(en->matcher);
    en->matcher = NULL;
}

void engine_clear(struct engine *en)
{
    for (size_t i = 0; i < en->n_faults; i++) {
        free(en->fault_list[i].file);
        free(en->fault_list[i].text);
    }
    free(en->fault_list);
    findings_free(en->findings);
    baseline_free(en->baseline);
    engine_matched(en);
}
