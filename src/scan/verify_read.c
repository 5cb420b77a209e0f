/* Reading: every digest, and behind each one the log files that it names, by several threads. */
#include <errno.h>
#include <time.h>

#include "../core/clock.h"
#include "../core/enc.h"
#include "verify.h"

enum { OUT_BYTES = 12 * 1024 * 1024, SIDE_BYTES_MAX = 1024 * 1024, PROGRESS_MS = 250,
       WORKER_ARENA_BYTES = 2000000000 };

/* -- one file ---------------------------------------------------------------------------------- */
enum got { GOT_ALL, GOT_BROKEN, GOT_NOTHING, GOT_GONE };

/* What one thread reads with, kept from file to file. */
struct reader {
    struct unpack unpack;
    struct hash *hash;
    struct buf text; /* of a digest */
    struct buf signature;
    bool keep_text, broken;
    const struct scan_source *source;
    void *handle;
    unsigned char sha[SHA256_SIZE]; /* of what it inflates to */
    char why[SOURCE_WHY_MAX];
};

static ptrdiff_t read_bytes(void *x, void *buf, size_t n)
{
    struct reader *r = x;
    return r->source->read(r->handle, buf, n);
}

static size_t take_text(void *x, const char *p, size_t n, bool last)
{
    struct reader *r = x;
    (void)last;
    if (n > 0)
        hash_add(r->hash, str_of(p, n));
    if (r->keep_text)
        buf_add(&r->text, p, n);
    return n;
}

static void take_fault(void *x, const char *what)
{
    struct reader *r = x;
    if (!r->broken)
        snprintf(r->why, sizeof r->why, "%s", what);
    r->broken = true;
}

static void reader_init(struct reader *r, const struct scan_source *source)
{
    *r = (struct reader){.source = source, .hash = hash_new(HASH_SHA256)};
    unpack_init(&r->unpack, OUT_BYTES);
    r->unpack.read = read_bytes;
    r->unpack.take = take_text;
    r->unpack.fault = take_fault;
    r->unpack.ctx = r->unpack.sink = r;
    buf_init(&r->text, DIGEST_BYTES_MAX);
    buf_init(&r->signature, DIGEST_MEMBER_MAX);
}

static void reader_clear(struct reader *r)
{
    unpack_clear(&r->unpack);
    hash_free(r->hash);
    buf_clear(&r->text);
    buf_clear(&r->signature);
}

/* The whole of a file, inflated if it is gzip, hashed, and with keep_text kept in r->text. What
 * keeps it from being whole is in r->why. */
static enum got read_whole(struct reader *r, const char *path, bool keep_text)
{
    r->keep_text = keep_text;
    r->broken = false;
    buf_clear(&r->text); /* large ones are rare, and not worth keeping */
    buf_clear(&r->signature);
    int e = r->source->open(r->source->ctx, path, &r->handle);
    if (e != 0) {
        source_why(r->source, path, e, r->why);
        return e == ENOENT ? GOT_GONE : GOT_NOTHING;
    }
    unpack_file(&r->unpack);
    hash_end(r->hash, r->sha);
    if (keep_text && r->source->meta != NULL)
        r->source->meta(r->handle, "signature", &r->signature);
    r->source->close(r->handle);
    if (r->unpack.read_error != 0) {
        source_why(r->source, path, r->unpack.read_error, r->why);
        return GOT_NOTHING;
    }
    if (keep_text && !buf_ok(&r->text))
        take_fault(r, "it inflates to more than 32 MiB");
    return r->broken ? GOT_BROKEN : GOT_ALL;
}

/* -- digests ----------------------------------------------------------------------------------- */
struct worker {
    struct verify *v;
    struct reader r;
    struct arena *a;    /* of the digests: lives as long as they do */
    struct arena *once; /* for one digest at a time */
    struct crowd *crowd;
};

struct crowd {
    atomic_size_t next;
    int running; /* under the lock */
    pthread_cond_t done;
    struct digest **slots; /* in the order of the paths; NULL: not one that counts */
};

static void note(struct worker *w, struct str file, const char *kind, const char *what)
{
    verify_note(w->v, file, kind, "%s", what);
}

/* A text of a limited length; STR_NONE if it is not one. */
static struct str member(struct worker *w, const struct jv *d, const char *key)
{
    struct str s = jv_s(jv_get(d, key));
    return s.n > DIGEST_MEMBER_MAX ? STR_NONE : arena_str(w->a, s);
}

static bool is_null(const struct jv *d, const char *key)
{
    const struct jv *m = jv_get(d, key);
    return m == NULL || jv_is(m, JV_NULL);
}

/* A small file of the user's beside a digest; it need not be there. */
static struct str side_file(struct worker *w, struct str path, const char *end)
{
    void *handle;
    struct str name = arena_fmt(w->once, "%.*s%s", STR_ARG(path), end);
    size_t n = 0;
    ptrdiff_t got = 1;
    if (w->v->source.open(w->v->source.ctx, name.p, &handle) != 0)
        return STR_NONE;
    char *text = arena_alloc_raw(w->once, SIDE_BYTES_MAX);
    while (n < SIDE_BYTES_MAX && got > 0) {
        got = w->v->source.read(handle, text + n, SIDE_BYTES_MAX - n);
        n += got > 0 ? (size_t)got : 0;
    }
    w->v->source.close(handle);
    return got == 0 ? str_of(text, n) : STR_NONE;
}

/* The object's metadata, or what was kept of it beside the file: NAME.signature (the bare
 * hexadecimal) or NAME.metadata.json (as `aws s3api head-object` prints it). */
static struct str signature_of(struct worker *w, struct str path)
{
    if (w->v->source.meta != NULL)
        return w->r.signature.n == 0 ? STR_NONE : arena_str(w->a, buf_view(&w->r.signature));
    struct str s = str_trim(side_file(w, path, ".signature"));
    if (s.n > 0 && s.n <= DIGEST_MEMBER_MAX)
        return arena_str(w->a, s);
    struct jv *j = NULL;
    s = side_file(w, path, ".metadata.json");
    if (s.n == 0)
        return STR_NONE;
    err_free(json_parse(w->once, s, 16, &j));
    const struct jv *m = jv_get(j, "Metadata");
    return member(w, m != NULL ? m : j, "signature");
}

/* The members, with their types. NULL is good; else what is wrong. */
static const char *take_members(struct worker *w, const struct jv *j, struct digest *d)
{
    struct str start = jv_s(jv_get(j, "digestStartTime"));
    struct place p;
    d->key = member(w, j, "digestS3Object");
    d->bucket = member(w, j, "digestS3Bucket");
    d->account = member(w, j, "awsAccountId");
    d->end_text = member(w, j, "digestEndTime");
    d->fingerprint = member(w, j, "digestPublicKeyFingerprint");
    d->prev_bucket = member(w, j, "previousDigestS3Bucket");
    d->prev_key = member(w, j, "previousDigestS3Object");
    d->prev_hash = member(w, j, "previousDigestHashValue");
    d->prev_signature = member(w, j, "previousDigestSignature");
    if (!jv_is(j, JV_OBJ))
        return "it is not a JSON object";
    if (d->key.p == NULL || d->bucket.p == NULL || d->account.p == NULL || d->fingerprint.p == NULL)
        return "it lacks members, or they are not texts";
    if (!time_parse_iso8601(d->end_text, &d->end_ms) || !time_parse_iso8601(start, &d->start_ms) ||
        d->end_ms < d->start_ms)
        return "its times are not times, or the wrong way round";
    if (!place_of(d->key, &p) || !digest_name_of(p.name, &d->name))
        return "the key that it gives itself is not one of a digest";
    d->region = p.region;
    if (!str_eq(p.account, d->account))
        return "its account is not the one in its key";
    bool first = is_null(j, "previousDigestS3Object");
    if (!first && (d->prev_key.p == NULL || d->prev_bucket.p == NULL || d->prev_hash.p == NULL ||
                   d->prev_signature.p == NULL))
        return "what it says of the digest before it is not whole";
    if (first && !is_null(j, "previousDigestSignature"))
        return "it names no digest before it, but has that one's signature";
    return jv_is(jv_get(j, "logFiles"), JV_ARR) ? NULL : "its list of log files is not a list";
}

/* -- log files --------------------------------------------------------------------------------- */
static bool sha_of(struct str hex, unsigned char out[SHA256_SIZE])
{
    return hex.n == 2 * SHA256_SIZE && dec_hex_into(hex, out);
}

static const char *log_of(const struct jv *f, struct str *out_key, unsigned char *out_sha,
                          struct place *out_place)
{
    *out_key = jv_s(jv_get(f, "s3Object"));
    if (out_key->p == NULL)
        return "an entry of its list has no key";
    if (!str_is(jv_s(jv_get(f, "hashAlgorithm")), "SHA-256") ||
        !sha_of(jv_s(jv_get(f, "hashValue")), out_sha))
        return "an entry of its list has no SHA-256";
    if (!place_of(*out_key, out_place) || str_find(*out_key, STR("/../")) >= 0 ||
        str_starts_c(*out_key, "../") || out_key->p[0] == '/')
        return "an entry of its list is not a key of CloudTrail's; what it names is not looked at";
    return NULL;
}

static bool check_file(struct worker *w, const char *path, struct str key,
                       const unsigned char *sha)
{
    struct verify *v = w->v;
    struct str at = str_c(path);
    if (!place_fits(at, key)) {
        note(w, at, "log-moved", "it lies in another folder than its digest says");
        return false;
    }
    enum got got = read_whole(&w->r, path, false);
    atomic_fetch_add(&v->progress.files_done, 1);
    atomic_fetch_add(&v->progress.bytes_done, w->r.unpack.bytes_in);
    atomic_fetch_add(&v->progress.bytes_out, w->r.unpack.bytes_out);
    if (got == GOT_NOTHING)
        verify_fault(v, path, w->r.why);
    else if (got == GOT_GONE)
        note(w, at, "log-missing", "it was there at first, and was taken away meanwhile");
    else if (got == GOT_BROKEN)
        note(w, at, "log-altered", w->r.why);
    else if (memcmp(w->r.sha, sha, SHA256_SIZE) != 0)
        note(w, at, "log-altered", "its SHA-256 is not that of the digest: it was altered");
    else
        return true;
    return false;
}

static bool check_log(struct worker *w, const struct digest *d, const struct jv *entry)
{
    struct str key;
    unsigned char sha[SHA256_SIZE];
    struct place p;
    const char *bad = log_of(entry, &key, sha, &p);
    if (bad != NULL) {
        note(w, d->path, "digest-odd", bad);
        return false;
    }
    struct verify_file *f = verify_file_get(w->v, &p);
    if (f == NULL) {
        verify_note(w->v, key, "log-missing", "a digest names it, and it is not there; the digest "
                    "is %.*s", STR_ARG(d->path));
        return false;
    }
    if (atomic_fetch_add(&f->claims, 1) == 1)
        note(w, verify_file_path(w->once, f), "log-claimed-twice", "two digests name it");
    return check_file(w, verify_file_path(w->once, f).p, key, sha);
}

static void check_logs(struct worker *w, struct digest *d, const struct jv *list)
{
    for (size_t i = 0; i < jv_len(list); i++) {
        if (check_log(w, d, jv_at(list, i)))
            d->logs_good++;
        else
            d->logs_bad++;
    }
    atomic_fetch_add(&w->v->logs_good, d->logs_good);
    atomic_fetch_add(&w->v->logs_bad, d->logs_bad);
}

/* Of a digest behind the time asked for: a file from before it may have come late. */
static void only_claim(struct worker *w, const struct jv *list)
{
    for (size_t i = 0; i < jv_len(list); i++) {
        struct place p;
        struct str key = jv_s(jv_get(jv_at(list, i), "s3Object"));
        struct verify_file *f = place_of(key, &p) ? verify_file_get(w->v, &p) : NULL;
        if (f != NULL)
            atomic_fetch_add(&f->claims, 1);
    }
}

/* -- one digest and all that it names ---------------------------------------------------------- */
static struct jv *digest_json(struct worker *w, struct str path)
{
    struct jv *j = NULL;
    enum got got = read_whole(&w->r, path.p, true);
    atomic_fetch_add(&w->v->progress.files_done, 1);
    atomic_fetch_add(&w->v->progress.bytes_done, w->r.unpack.bytes_in);
    if (got == GOT_NOTHING)
        verify_fault(w->v, path.p, w->r.why);
    else if (got == GOT_GONE)
        note(w, path, "digest-missing", "it was there at first, and was taken away meanwhile");
    else if (got == GOT_BROKEN)
        note(w, path, "digest-altered", w->r.why);
    if (got != GOT_ALL)
        return NULL;
    struct err *e = json_parse(w->once, buf_view(&w->r.text), DIGEST_DEPTH_MAX, &j);
    if (e != NULL)
        verify_note(w->v, path, "digest-odd", "it is not JSON that can be read: %s", e->message);
    err_free(e);
    return j;
}

static struct digest *one_digest(struct worker *w, struct str path)
{
    if (arena_over(w->a)) {
        verify_fault(w->v, path.p, "more digests than there is memory for: verify a part of them");
        return NULL;
    }
    struct jv *j = digest_json(w, path);
    if (j == NULL)
        return NULL;
    struct digest *d = ARENA_NEW(w->a, struct digest);
    d->path = path;
    memcpy(d->sha, w->r.sha, sizeof d->sha);
    const char *bad = take_members(w, j, d);
    if (bad != NULL) {
        note(w, path, "digest-odd", bad);
        return NULL;
    }
    if (w->v->until_set && d->start_ms >= w->v->until_ms) {
        only_claim(w, jv_get(j, "logFiles"));
        return NULL;
    }
    d->signature = signature_of(w, path);
    if (!place_fits(path, d->key))
        verify_note(w->v, path, "digest-moved", "it says that it is %.*s", STR_ARG(d->key));
    check_logs(w, d, jv_get(j, "logFiles"));
    return d;
}

static void *work(void *x)
{
    struct worker *w = x;
    struct verify *v = w->v;
    size_t i;
    while ((i = atomic_fetch_add(&w->crowd->next, 1)) < v->digest_paths.n) {
        w->crowd->slots[i] = one_digest(w, v->digest_paths.v[i]);
        arena_reset(w->once);
    }
    pthread_mutex_lock(&v->lock);
    w->crowd->running--;
    pthread_cond_signal(&w->crowd->done);
    pthread_mutex_unlock(&v->lock);
    return NULL;
}

static void wait_for(struct verify *v, struct crowd *c)
{
    pthread_mutex_lock(&v->lock);
    while (c->running > 0) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_nsec += PROGRESS_MS * 1000000L;
        if (t.tv_nsec >= 1000000000L) {
            t.tv_sec++;
            t.tv_nsec -= 1000000000L;
        }
        pthread_cond_timedwait(&c->done, &v->lock, &t);
        verify_show_progress(v);
    }
    pthread_mutex_unlock(&v->lock);
}

void verify_read_all(struct verify *v)
{
    struct crowd c = {.running = v->threads, .done = PTHREAD_COND_INITIALIZER};
    struct worker *w = calloc((size_t)v->threads, sizeof *w);
    pthread_t ids[VERIFY_THREADS_MAX];
    CHECK(w != NULL && v->threads <= VERIFY_THREADS_MAX);
    c.slots = ARENA_ARRAY(v->a, v->digest_paths.n, struct digest *);
    for (int i = 0; i < v->threads; i++) {
        w[i] = (struct worker){.v = v, .crowd = &c, .a = arena_new(WORKER_ARENA_BYTES)};
        w[i].once = arena_new((size_t)DIGEST_BYTES_MAX * 8);
        v->worker_arenas[i] = w[i].a;
        reader_init(&w[i].r, &v->source);
    }
    for (int i = 0; i < v->threads; i++)
        CHECK(pthread_create(&ids[i], NULL, work, &w[i]) == 0);
    wait_for(v, &c);
    for (int i = 0; i < v->threads; i++) {
        pthread_join(ids[i], NULL);
        arena_free(w[i].once);
        reader_clear(&w[i].r);
    }
    free(w);
    for (size_t i = 0; i < v->digest_paths.n; i++) {
        if (c.slots[i] != NULL)
            VEC_PUSH(v->a, &v->digests, c.slots[i]);
    }
}
