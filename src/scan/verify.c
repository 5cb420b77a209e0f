/* ward verify: the chain of digests, and every log file, without a network. */
#include "verify.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "../core/clock.h"
#include "../core/enc.h"
#include "safe.h"
#include "scan.h"
#include "scan_int.h"

static const char usage[] =
    "usage: ward verify [--keys FILE|DIR]... [--json] [--threads N] [--until TIME] PATH...\n"
    "Proves that the log files below PATH are those that CloudTrail delivered,\n"
    "all of them, unaltered.\n"
    "  --keys FILE|DIR  public keys: what `aws cloudtrail list-public-keys` prints, PEM or DER\n"
    "  --until TIME     up to when digests must reach (else: up to the newest log file)\n"
    "The signature of the newest digest is metadata of its object, which a copy of the bucket\n"
    "loses: "
    "keep what `aws s3api head-object` prints beside it as NAME.metadata.json.\n"
    "Exit code: 0 a whole chain, 1 something is wrong or missing, 2 something could not be read.\n";

enum { HOUR_MS = 3600 * 1000, OUT_MAX = 64 * 1024 * 1024, ARENA_BYTES = 2000000000,
       GAPS_LISTED_MAX = 1000 };

void verify_note(struct verify *v, struct str file, const char *kind, const char *fmt, ...)
{
    struct buf text = BUF_INIT(8192);
    va_list ap;
    va_start(ap, fmt);
    buf_vfmt(&text, fmt, ap);
    va_end(ap);
    if (v->findings++ < VERIFY_FINDINGS_MAX) {
        if (v->json) {
            buf_c(&v->out, v->findings > 1 ? ",\n  {\"kind\":" : "\n  {\"kind\":");
            safe_json(&v->out, str_c(kind));
            buf_c(&v->out, ",\"file\":");
            safe_json(&v->out, file);
            buf_c(&v->out, ",\"text\":");
            safe_json(&v->out, buf_view(&text));
            buf_c(&v->out, "}");
        } else {
            safe_text(&v->out, file);
            buf_fmt(&v->out, ": %s: ", kind);
            safe_text(&v->out, buf_view(&text));
            buf_c(&v->out, "\n");
        }
    }
    buf_clear(&text);
}

/* -- signatures -- */
static void hex(const unsigned char *p, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++)
        snprintf(out + 2 * i, 3, "%02x", p[i]);
}

enum signed_by { SIGNED, NOT_SIGNED, NO_KEY, NO_SIGNATURE };

static enum signed_by check_signature(struct verify *v, const struct digest *d)
{
    char sum[2 * SHA256_SIZE + 1];
    struct str sig;
    struct str have = d->signature.p != NULL ? d->signature
                    : d->next != NULL ? d->next->prev_signature : STR_NONE;
    if (have.n == 0)
        return NO_SIGNATURE;
    if (!dec_hex(v->a, have, &sig))
        return NOT_SIGNED;
    hex(d->sha, SHA256_SIZE, sum);
    struct str text = arena_fmt(v->a, "%.*s\n%.*s/%.*s\n%s\n%.*s", STR_ARG(d->end_text),
                                STR_ARG(d->bucket), STR_ARG(d->key), sum,
                                STR_ARG(d->prev_signature.p == NULL ? STR("null")
                                                                    : d->prev_signature));
    bool tried = false;
    for (size_t i = 0; i < v->keys.n; i++) {
        const struct public_key *k = &v->keys.v[i];
        if (k->fingerprint.n > 0 && d->fingerprint.n > 0 &&
            !str_ieq(k->fingerprint, d->fingerprint))
            continue;
        tried = true;
        if (rsa_verify(k->der, HASH_SHA256, text, sig))
            return SIGNED;
    }
    return tried ? NOT_SIGNED : NO_KEY;
}

static void judge_signature(struct verify *v, struct digest *d)
{
    switch (check_signature(v, d)) {
    case SIGNED:
        d->good = true;
        return;
    case NOT_SIGNED:
        verify_note(v, d->path, "digest-altered", "the signature does not fit: the digest, or its "
                    "signature, was altered");
        return;
    case NO_KEY:
        verify_note(v, d->path, "no-key", "no public key has the fingerprint %.*s: the signature "
                    "could not be checked", STR_ARG(str_take(d->fingerprint, 64)));
        return;
    case NO_SIGNATURE:
        verify_note(v, d->path, "no-signature",
                    "the newest digest of a chain, and its signature is "
                    "not beside it: whether it was altered is not known");
        return;
    }
}

/* -- chains -- */
static int by_chain(const void *x, const void *y)
{
    const struct digest *a = *(struct digest *const *)x, *b = *(struct digest *const *)y;
    int d = str_cmp(a->account, b->account);
    if (d == 0)
        d = str_cmp(a->trail, b->trail);
    if (d != 0)
        return d;
    if (a->end_ms != b->end_ms)
        return a->end_ms < b->end_ms ? -1 : 1;
    return str_cmp(a->key, b->key);
}

static bool same_chain(const struct digest *a, const struct digest *b)
{
    return str_eq(a->account, b->account) && str_eq(a->trail, b->trail);
}

static void note_gap(struct verify *v, const struct digest *d, int64_t from, int64_t to)
{
    char a[TIME_TEXT_MAX], b[TIME_TEXT_MAX];
    size_t listed = 0;
    /* One line for each hour: each was a digest of its own. */
    for (int64_t t = from; t < to && listed < GAPS_LISTED_MAX; t += HOUR_MS, listed++) {
        time_iso8601(t, a);
        time_iso8601(t + HOUR_MS < to ? t + HOUR_MS : to, b);
        verify_note(v, d->path, "digest-missing", "the digest from %s to %s is missing: nothing "
                    "proves what was logged then", a, b);
    }
    if (listed == GAPS_LISTED_MAX)
        verify_note(v, d->path, "digest-missing", "and more, up to this digest");
}

static void judge_link(struct verify *v, struct digest *before, struct digest *d)
{
    char sum[2 * SHA256_SIZE + 1];
    bool joined = before != NULL && str_eq(d->prev_key, before->key);
    if (d->prev_key.p == NULL) {
        if (before != NULL)
            verify_note(v, d->path, "chain-restarts",
                        "this digest starts a chain anew, though there "
                        "is an older one: validation was switched off and on, or digests between "
                        "were taken away");
        return;
    }
    if (before == NULL) {
        verify_note(v, d->path, "chain-begins-late",
                    "the digest before this one, %.*s, is not there",
                    STR_ARG(str_take(d->prev_key, 300)));
        return;
    }
    if (!joined) {
        if (before->end_ms < d->start_ms)
            note_gap(v, d, before->end_ms, d->start_ms);
        else
            verify_note(v, d->path, "chain-forks",
                        "this digest does not follow the one before it in "
                        "time, %.*s",
                        STR_ARG(str_take(before->key, 300)));
        return;
    }
    d->prev = before;
    before->next = d;
    hex(before->sha, SHA256_SIZE, sum);
    if (!str_is_i(d->prev_hash, sum))
        verify_note(v, before->path, "digest-altered", "its SHA-256 is not the one that the next "
                    "digest keeps of it");
    if (before->signature.p != NULL && !str_ieq(before->signature, d->prev_signature))
        verify_note(v, before->path, "digest-altered", "its signature is not the one that the next "
                    "digest keeps of it");
    if (d->start_ms > before->end_ms)
        note_gap(v, d, before->end_ms, d->start_ms);
}

void verify_chains(struct verify *v)
{
    if (v->digests.n > 0)
        qsort(v->digests.v, v->digests.n, sizeof *v->digests.v, by_chain);
    for (size_t i = 0; i < v->digests.n; i++) {
        struct digest *d = v->digests.v[i];
        struct digest *before = i > 0 && same_chain(v->digests.v[i - 1], d) ? v->digests.v[i - 1]
                                                                           : NULL;
        judge_link(v, before, d);
    }
    for (size_t i = 0; i < v->digests.n; i++)
        judge_signature(v, v->digests.v[i]);
}

/* -- log files -- */
struct work {
    struct verify *v;
    atomic_size_t next;
};

static void *check_logs(void *x)
{
    struct work *w = x;
    struct verify_reader r;
    size_t i;
    verify_reader_init(&r);
    while ((i = atomic_fetch_add(&w->next, 1)) < w->v->digests.n) {
        struct digest *d = w->v->digests.v[i];
        for (size_t k = 0; k < d->n_logs; k++)
            verify_log(w->v, &r, &d->logs[k]);
    }
    verify_reader_clear(&r);
    return NULL;
}

static void check_all_logs(struct verify *v, int threads)
{
    struct work w = {.v = v};
    pthread_t ids[64];
    for (int i = 0; i < threads; i++)
        CHECK(pthread_create(&ids[i], NULL, check_logs, &w) == 0);
    for (int i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    for (size_t i = 0; i < v->digests.n; i++) {
        const struct digest *d = v->digests.v[i];
        for (size_t k = 0; k < d->n_logs; k++) {
            if (d->logs[k].fault == NULL) {
                v->logs_good++;
                continue;
            }
            v->logs_bad++;
            verify_note(v, d->logs[k].key, "log-file", "%s", d->logs[k].fault);
        }
    }
}

static int by_path(const void *x, const void *y)
{
    return str_cmp((*(struct on_disk *const *)x)->path, (*(struct on_disk *const *)y)->path);
}

/* The time in …_YYYYMMDDTHHmmZ_… */
static int64_t log_time(struct str path)
{
    struct str name = str_skip(path, (size_t)(str_rfind_char(path, '/') + 1));
    int64_t ms;
    while (name.p != NULL) {
        struct str part = str_cut(&name, '_');
        char full[20];
        if (part.n != 14 || part.p[13] != 'Z')
            continue;
        snprintf(full, sizeof full, "%.13s00Z", part.p);
        if (time_parse_basic(str_c(full), &ms))
            return ms;
    }
    return INT64_MIN;
}

static void unnamed_logs(struct verify *v, int64_t *out_newest)
{
    struct on_disk **list = calloc(v->logs.n + 1, sizeof *list);
    CHECK(list != NULL);
    size_t n = 0;
    const struct map_slot *s;
    for (size_t i = 0; (s = map_each(&v->logs, &i)) != NULL;) {
        struct on_disk *f = s->value;
        int64_t t = log_time(f->path);
        *out_newest = t > *out_newest ? t : *out_newest;
        if (!f->named)
            list[n++] = f;
    }
    qsort(list, n, sizeof *list, by_path);
    for (size_t i = 0; i < n; i++)
        verify_note(v, list[i]->path, "log-file",
                    "no digest names it: added by hand, or its digest "
                    "is missing");
    free(list);
}

/* The last digest of each chain must reach the newest log file, or --until. */
static void chain_ends(struct verify *v, int64_t until)
{
    char a[TIME_TEXT_MAX];
    for (size_t i = 0; i < v->digests.n; i++) {
        const struct digest *d = v->digests.v[i];
        if (i + 1 < v->digests.n && same_chain(d, v->digests.v[i + 1]))
            continue;
        if (until == INT64_MIN || d->end_ms + HOUR_MS > until)
            continue;
        time_iso8601(d->end_ms, a);
        verify_note(v, d->path, "newest-missing", "the chain ends at %s, and there are later log "
                    "files or hours asked for: the newest digests are missing", a);
    }
}

/* -- coverage -- */
static void coverage_row(struct verify *v, struct buf *b, size_t from, size_t to, bool *first)
{
    const struct digest *d = v->digests.v[from];
    int64_t covered = 0, start = d->start_ms, end = v->digests.v[to - 1]->end_ms;
    for (size_t i = from; i < to; i++) {
        const struct digest *x = v->digests.v[i];
        bool logs = x->good;
        for (size_t k = 0; k < x->n_logs; k++)
            logs = logs && x->logs[k].fault == NULL;
        covered += logs ? x->end_ms - x->start_ms : 0;
    }
    double hours = (double)(end - start) / HOUR_MS, good = (double)covered / HOUR_MS;
    char a[TIME_TEXT_MAX], z[TIME_TEXT_MAX];
    time_iso8601(start, a);
    time_iso8601(end, z);
    if (v->json) {
        buf_c(b, *first ? "\n  {\"account\":" : ",\n  {\"account\":");
        safe_json(b, d->account);
        buf_c(b, ",\"region\":");
        safe_json(b, d->region);
        buf_fmt(b, ",\"from\":\"%s\",\"to\":\"%s\",\"hours\":%.2f,\"proven_hours\":%.2f,"
                   "\"digests\":%zu}", a, z, hours, good, to - from);
    } else {
        buf_c(b, "  ");
        safe_text(b, d->account);
        buf_c(b, "  ");
        safe_cell(b, d->region, 16);
        buf_fmt(b, "  %s to %s  %.1f of %.1f hours proven by %zu digests\n", a, z, good, hours,
                to - from);
    }
    *first = false;
}

static void coverage(struct verify *v, struct buf *b)
{
    bool first = true;
    for (size_t i = 0; i < v->digests.n;) {
        size_t j = i + 1;
        while (j < v->digests.n && same_chain(v->digests.v[i], v->digests.v[j]))
            j++;
        coverage_row(v, b, i, j, &first);
        i = j;
    }
}

static void print(struct verify *v, bool whole)
{
    struct buf b = BUF_INIT(OUT_MAX);
    if (v->json) {
        buf_fmt(&b,
                "{\"whole\":%s,\"digests\":%zu,\"log_files_valid\":%zu,\"log_files_invalid\":%zu,"
                "\"coverage\":[",
                whole ? "true" : "false", v->digests.n, v->logs_good, v->logs_bad);
        coverage(v, &b);
        buf_c(&b, "],\n\"findings\":[");
        buf_str(&b, buf_view(&v->out));
        buf_c(&b, "]}\n");
    } else {
        buf_str(&b, buf_view(&v->out));
        buf_fmt(&b, "%s: %zu digests, %zu log files proven, %zu not, %zu findings\n",
                whole ? "The chain is whole" : "The chain is NOT whole", v->digests.n, v->logs_good,
                v->logs_bad, v->findings);
        coverage(v, &b);
    }
    if (b.n > 0)
        fwrite(b.p, 1, b.n, stdout);
    buf_clear(&b);
}

struct verify_options {
    char **paths;
    size_t n_paths;
    int64_t until, threads;
};

static struct err *verify_options(struct verify *v, struct verify_options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            v->json = true;
        } else if (i + 1 < argc && strcmp(argv[i], "--keys") == 0) {
            TRY(verify_keys(v, argv[++i]));
        } else if (i + 1 < argc && strcmp(argv[i], "--until") == 0) {
            if (!time_parse_iso8601(str_c(argv[++i]), &o->until))
                return err_new(ERR_INVALID, "--until is not a time.");
        } else if (i + 1 < argc && strcmp(argv[i], "--threads") == 0) {
            if (!str_to_i64(str_c(argv[++i]), 1, 64, &o->threads))
                return err_new(ERR_INVALID, "--threads is 1 to 64.");
        } else if (strncmp(argv[i], "--", 2) == 0) {
            return err_new(ERR_INVALID, "%s", usage);
        } else if (strncmp(argv[i], "s3://", 5) == 0) {
            return err_new(ERR_UNSUPPORTED, "Reading from buckets is not built in; copy the files "
                                            "first (aws s3 sync) and name the folder.");
        } else {
            o->paths[o->n_paths++] = argv[i];
        }
    }
    return o->n_paths > 0 ? NULL : err_new(ERR_INVALID, "%s", usage);
}

static struct err *verify_run(struct verify *v, struct verify_options *o)
{
    int64_t newest = INT64_MIN;
    TRY(verify_collect(v, o->paths, o->n_paths));
    verify_chains(v);
    check_all_logs(v, (int)o->threads);
    unnamed_logs(v, &newest);
    chain_ends(v, o->until != INT64_MIN ? o->until : newest);
    if (v->digests.n == 0)
        verify_note(v, str_c(o->paths[0]), "no-digests", "there is no digest file: nothing proves "
                                                         "these logs");
    return arena_check(v->a);
}

int verify_main(int argc, char **argv)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    struct verify v = {.a = arena_new(ARENA_BYTES)};
    struct verify_options o = {.until = INT64_MIN, .threads = cpus < 1 ? 1 : cpus > 16 ? 16 : cpus};
    buf_init(&v.out, OUT_MAX / 2);
    verify_reader_init(&v.reader);
    o.paths = calloc((size_t)argc + 1, sizeof *o.paths);
    CHECK(o.paths != NULL);
    struct err *e = crypto_init();
    if (e == NULL)
        e = verify_options(&v, &o, argc, argv);
    if (e == NULL)
        e = verify_run(&v, &o);
    int code = 2;
    if (e != NULL) {
        fprintf(stderr, "ward verify: %s\n", e->message);
        err_free(e);
    } else {
        print(&v, v.findings == 0);
        code = v.faults > 0 ? 2 : v.findings > 0 ? 1 : 0;
    }
    map_clear(&v.logs);
    verify_reader_clear(&v.reader);
    buf_clear(&v.out);
    free(o.paths);
    arena_free(v.a);
    return code;
}
