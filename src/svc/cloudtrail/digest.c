/* Digest files: each names what was delivered in its period, carries the hash and the signature of
 * the one before it, and is signed itself.
 *
 * https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
 * A chain for each Region: the trail's own always, another from its first log file on. A period
 * begins where the last one ended, so a chain has no gap though Ward was off in between. */
#include "room.h"

#include "crypto/crypto.h"

enum { DIGEST_FILES_MAX = 20000, /* log files in one digest; the rest is named by the next */
       DIGEST_REGIONS_MAX = 64, DIGEST_BYTES_MAX = 24 * 1024 * 1024 };

struct chain { /* the newest digest of a Region; signature STR_NONE: the next one starts a chain */
    struct str region;
    int64_t end_ms;
    struct str bucket, key, sha256, signature;
};

static struct skey region_key(const struct trail *t, struct str region)
{
    struct skey k = trail_id_key(t);
    key_str(&k, region);
    return k;
}

/* -- log files that wait to be named ----------------------------------------------------------- */

struct err *digest_add_file(struct txn *t, const struct delivery *d, const struct outgoing *o,
                            struct str key)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(STORE_VALUE_MAX);
    struct jw w = jw_to(&b);
    char oldest[32], newest[32];
    time_iso8601(o->oldest_ms, oldest);
    time_iso8601(o->newest_ms, newest);
    jw_obj(&w);
    jw_ks(&w, "s3Bucket", d->trail.bucket);
    jw_ks(&w, "s3Object", key);
    jw_ks(&w, "hashValue", o->sha256);
    jw_kc(&w, "hashAlgorithm", "SHA-256");
    jw_kc(&w, "newestEventTime", newest);
    jw_kc(&w, "oldestEventTime", oldest);
    jw_end(&w);
    TRY(buf_check(&b));
    struct skey k = region_key(&d->trail, o->region);
    key_u64(&k, o->n);
    return txn_put(t, TRAIL_T_FILE, d->trail.account, key_of(&k), buf_view(&b));
}

/* -- the chain --------------------------------------------------------------------------------- */

static struct err *chain_read(struct txn *t, struct arena *a, const struct trail *tr,
                              struct str region, struct chain *out)
{
    struct skey k = region_key(tr, region);
    struct str text;
    struct jv *row = NULL;
    TRY(txn_get(t, TRAIL_T_CHAIN, key_of(&k), a, &text));
    if (text.p != NULL)
        TRY(json_parse(a, text, JSON_DEPTH_DEFAULT, &row));
    int64_t begin = tr->started_ms > tr->validated_ms ? tr->started_ms : tr->validated_ms;
    *out = (struct chain){.region = region,
                          .end_ms = jv_i(jv_get(row, "end_ms"), begin / 1000 * 1000),
                          .bucket = jv_s(jv_get(row, "bucket")),
                          .key = jv_s(jv_get(row, "key")),
                          .sha256 = jv_s(jv_get(row, "sha256")),
                          .signature = jv_s(jv_get(row, "signature"))};
    return NULL;
}

/* Up to the file that the digest can name; UINT64_MAX: all. */
static struct err *drop_files(struct txn *t, const struct delivery *d, struct str region,
                              uint64_t upto)
{
    struct skey prefix = region_key(&d->trail, region);
    struct scan sc = {.prefix = key_of(&prefix), .keys_only = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(t, TRAIL_T_FILE, &sc, &cur));
    for (;;) {
        bool more;
        struct str key, value;
        uint64_t n;
        TRY(cursor_next(cur, &more, &key, &value));
        struct str rest = more ? str_skip(key, key_of(&prefix).n) : STR_NONE;
        if (!more || !key_take_u64(&rest, &n) || n > upto)
            return NULL;
        TRY(txn_del(t, TRAIL_T_FILE, key));
    }
}

struct err *digest_settle(struct txn *t, const struct delivery *d, const struct outgoing *o)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(STORE_VALUE_MAX);
    struct jw w = jw_to(&b);
    jw_obj(&w);
    jw_ki(&w, "end_ms", o->newest_ms);
    jw_ks(&w, "bucket", o->bucket);
    jw_ks(&w, "key", o->tail);
    jw_ks(&w, "sha256", o->sha256);
    jw_ks(&w, "signature", o->signature);
    jw_end(&w);
    TRY(buf_check(&b));
    struct skey k = region_key(&d->trail, o->region);
    TRY(txn_put(t, TRAIL_T_CHAIN, d->trail.account, key_of(&k), buf_view(&b)));
    return drop_files(t, d, o->region, o->upto);
}

struct err *digest_forget(struct txn *t, const struct trail *tr)
{
    TRY(trail_rows_drop(t, tr, TRAIL_T_CHAIN));
    return trail_rows_drop(t, tr, TRAIL_T_FILE);
}

/* -- writing ----------------------------------------------------------------------------------- */

struct regions {
    struct str v[DIGEST_REGIONS_MAX];
    size_t n;
};

static void add_region(struct regions *r, struct str region)
{
    for (size_t i = 0; i < r->n; i++)
        if (str_eq(r->v[i], region))
            return;
    if (r->n < DIGEST_REGIONS_MAX)
        r->v[r->n++] = region;
}

/* The Regions that the table has rows of. */
static struct err *regions_in(struct txn *t, struct delivery *d, const char *table,
                              struct regions *out)
{
    struct skey prefix = trail_id_key(&d->trail);
    struct scan sc = {.prefix = key_of(&prefix), .keys_only = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(t, table, &sc, &cur));
    for (;;) {
        bool more;
        struct str key, value, region;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        struct str rest = str_skip(key, key_of(&prefix).n);
        if (key_take_str(d->arena, &rest, &region))
            add_region(out, region);
    }
}

struct draft { /* a digest in the making */
    struct chain last;
    int64_t end_ms;
    struct str key, fingerprint;
    struct str files;           /* the elements of logFiles */
    struct str oldest, newest;  /* event times; STR_NONE without files */
    uint64_t upto;
};

static struct err *collect_files(struct txn *t, struct delivery *d, struct draft *g)
{
    struct skey prefix = region_key(&d->trail, g->last.region);
    struct scan sc = {.prefix = key_of(&prefix)};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    struct buf b CLEANUP(buf_clear) = BUF_INIT(DIGEST_BYTES_MAX);
    TRY(txn_scan(t, TRAIL_T_FILE, &sc, &cur));
    for (size_t i = 0; i < DIGEST_FILES_MAX; i++) {
        bool more;
        struct str key, value;
        struct jv *row;
        TRY(cursor_next(cur, &more, &key, &value));
        struct str rest = more ? str_skip(key, key_of(&prefix).n) : STR_NONE;
        if (!more || !key_take_u64(&rest, &g->upto))
            break;
        TRY(json_parse(d->arena, value, JSON_DEPTH_DEFAULT, &row));
        struct str oldest = jv_s(jv_get(row, "oldestEventTime"));
        struct str newest = jv_s(jv_get(row, "newestEventTime"));
        if (g->oldest.p == NULL || str_cmp(oldest, g->oldest) < 0)
            g->oldest = oldest;
        if (g->newest.p == NULL || str_cmp(newest, g->newest) > 0)
            g->newest = newest;
        if (i > 0)
            buf_char(&b, ',');
        buf_str(&b, value);
    }
    TRY(buf_check(&b));
    g->files = arena_str(d->arena, buf_view(&b));
    return NULL;
}

static struct str digest_key_of(struct delivery *d, struct str region, int64_t end_ms)
{
    const struct trail *t = &d->trail;
    struct time_parts p = time_parts_of(end_ms);
    struct str tail = arena_fmt(
        d->arena,
        "AWSLogs/%.*s/CloudTrail-Digest/%.*s/%04d/%02d/%02d/"
        "%.*s_CloudTrail-Digest_%.*s_%.*s_%.*s_%04d%02d%02dT%02d%02d%02dZ.json.gz",
        STR_ARG(t->account), STR_ARG(region), p.year, p.month, p.day, STR_ARG(t->account),
        STR_ARG(region), STR_ARG(t->name), STR_ARG(t->region), p.year, p.month, p.day, p.hour,
        p.minute, p.second);
    return trail_prefixed(d->arena, t, tail);
}

static struct str digest_text(struct delivery *d, const struct draft *g)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(DIGEST_BYTES_MAX + 64 * 1024);
    struct jw w = jw_to(&b);
    char start[32], end[32];
    bool first = g->last.signature.p == NULL;
    time_iso8601(g->last.end_ms, start);
    time_iso8601(g->end_ms, end);
    jw_obj(&w);
    jw_ks(&w, "awsAccountId", d->trail.account);
    jw_kc(&w, "digestStartTime", start);
    jw_kc(&w, "digestEndTime", end);
    jw_ks(&w, "digestS3Bucket", d->trail.bucket);
    jw_ks(&w, "digestS3Object", g->key);
    jw_ks(&w, "digestPublicKeyFingerprint", g->fingerprint);
    jw_kc(&w, "digestSignatureAlgorithm", "SHA256withRSA");
    jw_ks(&w, "newestEventTime", g->newest);
    jw_ks(&w, "oldestEventTime", g->oldest);
    jw_ks(&w, "previousDigestS3Bucket", g->last.bucket);
    jw_ks(&w, "previousDigestS3Object", g->last.key);
    jw_ks(&w, "previousDigestHashValue", g->last.sha256);
    jw_ks(&w, "previousDigestHashAlgorithm", first ? STR_NONE : STR("SHA-256"));
    jw_ks(&w, "previousDigestSignature", g->last.signature);
    jw_key(&w, "logFiles");
    jw_raw(&w, arena_fmt(d->arena, "[%.*s]", STR_ARG(g->files)));
    jw_end(&w);
    return buf_check(&b) == NULL ? arena_str(d->arena, buf_view(&b)) : STR_NONE;
}

static struct err *sign_digest(struct delivery *d, const struct draft *g, const struct secret *key,
                               struct str sha256_text, struct str *out_hex)
{
    struct str last = g->last.signature.p == NULL ? STR("null") : g->last.signature, signature;
    struct str to_sign = arena_fmt(
        d->arena, "%.*s\n%.*s/%.*s\n%.*s\n%.*s", STR_ARG(time_iso8601_str(d->arena, g->end_ms)),
        STR_ARG(d->trail.bucket), STR_ARG(g->key), STR_ARG(sha256_text), STR_ARG(last));
    TRY(rsa_sign(d->arena, key, HASH_SHA256, to_sign, &signature));
    *out_hex = enc_hex(d->arena, signature);
    return NULL;
}

/* One Region's digest as a row of the outbox. */
static struct err *draft_to_row(struct delivery *d, struct draft *g, struct outgoing *o)
{
    struct digest_key key = {0};
    TRY(digest_key_now(d, g->last.region, &key));
    struct secret *held CLEANUP(secret_free_ptr) = key.secret;
    g->fingerprint = key.fingerprint;
    g->key = digest_key_of(d, g->last.region, g->end_ms);
    struct str text = digest_text(d, g);
    if (text.p == NULL)
        return err_new(ERR_LIMIT, "A digest file would be longer than %d MiB.",
                       DIGEST_BYTES_MAX >> 20);
    *o = (struct outgoing){.digest = true, .region = g->last.region, .bucket = d->trail.bucket,
                           .tail = g->key, .sha256 = sha256_hex(d->arena, text),
                           .oldest_ms = g->last.end_ms, .newest_ms = g->end_ms, .upto = g->upto};
    TRY(sign_digest(d, g, held, o->sha256, &o->signature));
    return outbox_compress(d->arena, text, &o->body);
}

struct err *digest_due(struct delivery *d, int64_t *out_ms)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    struct chain home;
    *out_ms = INT64_MAX;
    if (!d->trail.validation)
        return NULL;
    TRY(store_begin(d->ward->store, TXN_READ, &t));
    TRY(chain_read(t, d->arena, &d->trail, d->trail.region, &home));
    *out_ms = home.end_ms + d->ward->digest_interval_ms;
    return NULL;
}

static struct err *write_rows(struct delivery *d, const struct outgoing *rows, size_t n)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    TRY(store_begin(d->ward->store, TXN_WRITE, &t));
    for (size_t i = 0; i < n; i++)
        TRY(outbox_add(t, d, &rows[i]));
    return txn_commit(&t);
}

struct err *digest_write(struct delivery *d)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    struct regions regions = {0};
    size_t n = 0;
    int64_t end_ms = d->now_ms / 1000 * 1000;
    TRY(store_begin(d->ward->store, TXN_READ, &t));
    add_region(&regions, d->trail.region);
    TRY(regions_in(t, d, TRAIL_T_CHAIN, &regions));
    TRY(regions_in(t, d, TRAIL_T_FILE, &regions));
    struct outgoing *rows = ARENA_ARRAY(d->arena, regions.n, struct outgoing);
    for (size_t i = 0; i < regions.n; i++) {
        struct draft *g = ARENA_NEW(d->arena, struct draft);
        g->end_ms = end_ms;
        TRY(chain_read(t, d->arena, &d->trail, regions.v[i], &g->last));
        if (g->last.end_ms >= end_ms)
            continue;
        TRY(collect_files(t, d, g));
        TRY(draft_to_row(d, g, &rows[n]));
        rows[n].n = n; /* the outbox is empty: the order is all that matters */
        n++;
    }
    txn_abort(&t);
    return write_rows(d, rows, n);
}
