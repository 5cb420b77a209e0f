/* Chains: what each digest says of the one before it, signatures, gaps and ends.
 *
 * A trail has a chain for each account and region, and one of its own for backfill digests, which
 * come only when a log file was late: these have no rhythm, so that only their links are judged. */
#include "../core/clock.h"
#include "../core/enc.h"
#include "../core/map.h"
#include "verify.h"

enum {
    GAPS_LISTED_MAX = 1000, /* digests of one gap */
    GRACE_MS = 2 * HOUR_MS, /* how late a digest may be, for what is measured against the clock */
    LATE_MS = 15 * 60 * 1000, /* how long after the time in its name a log file may arrive */
    KEY_SHOWN = 600,
};

static int by_chain(const void *x, const void *y)
{
    const struct digest *a = *(struct digest *const *)x, *b = *(struct digest *const *)y;
    int d = str_cmp(a->account, b->account);
    if (d == 0)
        d = str_cmp(a->name.chain, b->name.chain);
    if (d == 0)
        d = (int)a->name.backfill - (int)b->name.backfill;
    if (d != 0)
        return d;
    if (a->end_ms != b->end_ms)
        return a->end_ms < b->end_ms ? -1 : 1;
    return str_cmp(a->key, b->key);
}

static bool same_chain(const struct digest *a, const struct digest *b)
{
    return str_eq(a->account, b->account) && str_eq(a->name.chain, b->name.chain) &&
           a->name.backfill == b->name.backfill;
}

size_t verify_chain_end(const struct verify *v, size_t from)
{
    size_t to = from + 1;
    while (to < v->digests.n && same_chain(v->digests.v[from], v->digests.v[to]))
        to++;
    return to;
}

/* How often the chain's digests come: an hour, but for servers that are told otherwise. */
static int64_t interval_of(const struct verify *v, size_t from, size_t to)
{
    int64_t longest = 0;
    for (size_t i = from; i < to; i++) {
        int64_t took = v->digests.v[i]->end_ms - v->digests.v[i]->start_ms;
        longest = took > longest && took <= HOUR_MS ? took : longest;
    }
    return to - from < 2 || longest == 0 ? HOUR_MS : longest;
}

/* -- gaps -------------------------------------------------------------------------------------- */
/* The path that the digest of that end would have: the same as d's, with another date and time. */
static struct str path_at(struct arena *a, const struct digest *d, int64_t end_ms)
{
    struct place p;
    char time[TIME_TEXT_MAX];
    time_basic(end_ms, time);
    if (!place_of(d->path, &p))
        return d->path;
    size_t folder = d->path.n - p.name.n - strlen("YYYY/MM/DD/");
    return arena_fmt(a, "%.*s%.4s/%.2s/%.2s/%.*s%s%.*s", STR_ARG(str_take(d->path, folder)), time,
                     time + 4, time + 6, STR_ARG(d->name.head), time, STR_ARG(d->name.end));
}

/* One finding for each digest that should be there between the end of the one before and d; the
 * last of them is the one that d names. */
static void note_gap(struct verify *v, const struct digest *d, int64_t from, int64_t interval)
{
    char a[TIME_TEXT_MAX], b[TIME_TEXT_MAX];
    int64_t end;
    size_t listed = 0;
    for (int64_t t = from; t < d->start_ms; t = end) {
        /* What is left at the end, and is shorter than a half, belongs to the last one. */
        end = t + interval + interval / 2 < d->start_ms ? t + interval : d->start_ms;
        if (listed++ == GAPS_LISTED_MAX) {
            verify_note(v, d->path, "digest-missing", "and more digests before this one");
            return;
        }
        time_iso8601(t, a);
        time_iso8601(end, b);
        verify_note(v, end == d->start_ms ? d->prev_key : path_at(v->a, d, end), "digest-missing",
                    "the digest from %s to %s is not there", a, b);
    }
}

/* -- links ------------------------------------------------------------------------------------- */
/* The first digest that there is of its chain. */
static void judge_first(struct verify *v, const struct digest *d)
{
    if (d->prev_key.p == NULL || (v->since_ms != INT64_MIN && d->start_ms <= v->since_ms))
        return;
    verify_note(v, d->path, "chain-begins-late", "the digest before it, %.*s, is not there",
                STR_ARG(str_take(d->prev_key, KEY_SHOWN)));
}

static void judge_joined(struct verify *v, struct digest *before, struct digest *d)
{
    struct str sum = enc_hex(v->a, str_of(before->sha, SHA256_SIZE));
    d->prev = before;
    before->next = d;
    if (!str_ieq(d->prev_hash, sum))
        verify_note(v, before->path, "digest-altered", "its SHA-256 is not the one that the next "
                    "digest keeps of it (previousDigestHashValue)");
    if (before->signature.p != NULL && !str_ieq(before->signature, d->prev_signature))
        verify_note(v, before->path, "digest-altered", "its signature is not the one that the next "
                    "digest keeps of it (previousDigestSignature)");
    if (d->start_ms > before->end_ms && !d->name.backfill)
        verify_note(v, d->path, "gap", "it begins later than the one before it ends, at %.*s",
                    STR_ARG(before->end_text));
}

static void judge_link(struct verify *v, struct digest *before, struct digest *d, int64_t interval)
{
    if (d->prev_key.p == NULL) {
        if (d->name.backfill) /* each may stand by itself */
            return;
        verify_note(v, d->path, "chain-restarts", "it begins a chain, though there are older "
                    "digests, up to %.*s", STR_ARG(before->end_text));
    } else if (str_eq(d->prev_key, before->key) && str_eq(d->prev_bucket, before->bucket)) {
        judge_joined(v, before, d);
    } else if (d->name.backfill) {
        verify_note(v, d->prev_key, "digest-missing", "the backfill digest %.*s names it, and it "
                    "is not there", STR_ARG(d->path));
    } else if (before->end_ms < d->start_ms) {
        note_gap(v, d, before->end_ms, interval);
    } else {
        verify_note(v, d->path, "chain-forks", "it follows %.*s, and not the digest before it in "
                    "time", STR_ARG(str_take(d->prev_key, KEY_SHOWN)));
    }
}

/* -- signatures -------------------------------------------------------------------------------- */
static struct str signature_at_hand(const struct digest *d)
{
    if (d->signature.p != NULL || d->next == NULL)
        return d->signature;
    return d->next->prev_signature;
}

static struct str string_to_sign(struct arena *a, const struct digest *d)
{
    struct str sum = enc_hex(a, str_of(d->sha, SHA256_SIZE));
    struct str before = d->prev_signature.p == NULL ? STR("null") : d->prev_signature;
    return arena_fmt(a, "%.*s\n%.*s/%.*s\n%.*s\n%.*s", STR_ARG(d->end_text), STR_ARG(d->bucket),
                     STR_ARG(d->key), STR_ARG(sum), STR_ARG(before));
}

/* `a`: for the time of the call. */
static void judge_signature(struct verify *v, struct arena *a, struct digest *d)
{
    struct str text = signature_at_hand(d), sig = STR_NONE;
    if (text.n == 0) {
        verify_note(v, d->path, "no-signature", "its signature is not at hand, and no digest that "
                    "follows it keeps it: whether it was altered is not known");
        return;
    }
    bool tried = !dec_hex(a, text, &sig);
    struct str message = string_to_sign(a, d);
    for (size_t i = 0; sig.p != NULL && i < v->keys.n && !d->good; i++) {
        const struct public_key *k = &v->keys.v[i];
        if (k->fingerprint.n > 0 && !str_ieq(k->fingerprint, d->fingerprint))
            continue;
        tried = true;
        d->good = k->rsa != NULL && rsa_public_verify(k->rsa, HASH_SHA256, message, sig);
    }
    if (d->good)
        return;
    if (tried)
        verify_note(v, d->path, "digest-altered", "its signature does not fit");
    else
        verify_note(v, d->path, "no-key", "none of the %zu public keys has its fingerprint, %.*s",
                    v->keys.n, STR_ARG(str_take(d->fingerprint, 128)));
}

struct signatures {
    struct verify *v;
    atomic_size_t next;
};

static void *judge_some(void *x)
{
    struct signatures *s = x;
    struct arena *once = arena_new(1024 * 1024);
    size_t i;
    while ((i = atomic_fetch_add(&s->next, 1)) < s->v->digests.n) {
        judge_signature(s->v, once, s->v->digests.v[i]);
        arena_reset(once);
    }
    arena_free(once);
    return NULL;
}

/* Each costs as much as hashing some 50 kB: by all threads. */
static void judge_signatures(struct verify *v)
{
    struct signatures s = {.v = v};
    pthread_t ids[VERIFY_THREADS_MAX];
    for (int i = 1; i < v->threads; i++)
        CHECK(pthread_create(&ids[i], NULL, judge_some, &s) == 0);
    judge_some(&s);
    for (int i = 1; i < v->threads; i++)
        pthread_join(ids[i], NULL);
}

/* -- ends -------------------------------------------------------------------------------------- */
/* What the archive shows by itself of one account and region, and of one trail over its regions. */
struct ends {
    struct map places; /* "ACCOUNT/CloudTrail/REGION" -> struct extent */
    struct map trails; /* "ACCOUNT/TRAIL_HOME" -> struct extent */
    int64_t now_ms;
};

struct extent {
    int64_t digest_ms;  /* end of its newest digest; INT64_MIN: it has none */
    int64_t unnamed_ms; /* its newest log file that no digest names */
    int64_t interval_ms;
    size_t logs; /* that no digest names */
};

static struct extent *extent_of(struct verify *v, struct map *m, struct str key)
{
    struct extent *x = map_get(m, key);
    if (x == NULL) {
        x = ARENA_NEW(v->a, struct extent);
        *x = (struct extent){.digest_ms = INT64_MIN, .unnamed_ms = INT64_MIN,
                             .interval_ms = HOUR_MS};
        map_put(m, key, x);
    }
    return x;
}

static struct str place_key(struct verify *v, const struct digest *d)
{
    return arena_fmt(v->a, "%.*s/CloudTrail/%.*s", STR_ARG(d->account), STR_ARG(d->region));
}

static struct str trail_key(struct verify *v, const struct digest *d)
{
    return arena_fmt(v->a, "%.*s/%.*s_%.*s", STR_ARG(d->account), STR_ARG(d->name.trail),
                     STR_ARG(d->name.home));
}

static void see_chain(struct verify *v, struct ends *e, size_t from, size_t to)
{
    const struct digest *last = v->digests.v[to - 1];
    struct extent *both[] = {extent_of(v, &e->places, place_key(v, last)),
                             extent_of(v, &e->trails, trail_key(v, last))};
    for (size_t i = 0; i < ARRAY_LEN(both) && !last->name.backfill; i++) {
        if (last->end_ms <= both[i]->digest_ms)
            continue;
        both[i]->digest_ms = last->end_ms;
        both[i]->interval_ms = interval_of(v, from, to);
    }
}

/* A log file that no digest names: one that the next digest will name is not due yet. */
static void judge_unnamed(struct verify *v, struct ends *e, const struct verify_file *f,
                          const struct place *p)
{
    struct str key = str_of(p->account.p, (size_t)(p->region.p + p->region.n - p->account.p));
    struct extent *x = extent_of(v, &e->places, key);
    int64_t late = x->interval_ms < HOUR_MS ? 0 : LATE_MS;
    bool newer = x->digest_ms == INT64_MIN || p->time_ms > x->digest_ms - late;
    if (newer && p->time_ms > e->now_ms - x->interval_ms - GRACE_MS &&
        (!v->until_set || v->until_now)) {
        v->logs_pending++;
        return;
    }
    x->unnamed_ms = p->time_ms > x->unnamed_ms ? p->time_ms : x->unnamed_ms;
    x->logs++;
    if (x->digest_ms != INT64_MIN)
        verify_note(v, verify_file_path(v->a, f), "log-unnamed", "no digest names it");
}

static void judge_logs(struct verify *v, struct ends *e)
{
    struct verify_file *f;
    struct place p;
    for (size_t i = 0; (f = verify_file_each(v, &i)) != NULL;) {
        if (atomic_load(&f->claims) > 0 || !verify_file_place(f, &p) ||
            str_is(p.kind, "CloudTrail-Digest"))
            continue;
        if (!str_is(p.kind, "CloudTrail"))
            v->n_unnamed_other++;
        else if (p.time_ms == INT64_MIN || (p.time_ms >= v->since_ms && p.time_ms < v->until_ms))
            judge_unnamed(v, e, f, &p);
    }
    const struct map_slot *s;
    for (size_t i = 0; (s = map_each(&e->places, &i)) != NULL;) {
        const struct extent *x = s->value;
        if (x->digest_ms == INT64_MIN && x->logs > 0)
            verify_note(v, arena_str(v->a, str_of(s->key, s->key_n)), "no-digests",
                        "%zu log files, and not one digest", x->logs);
    }
}

/* The last digest of a chain must reach --until; or else, the newest log file that no digest names,
 * and the digests of the trail's other regions. */
static void judge_end(struct verify *v, struct ends *e, size_t from, size_t to)
{
    const struct digest *d = v->digests.v[to - 1];
    const struct extent *place = extent_of(v, &e->places, place_key(v, d));
    const struct extent *trail = extent_of(v, &e->trails, trail_key(v, d));
    int64_t interval = interval_of(v, from, to), latest = e->now_ms - GRACE_MS;
    const char *why = NULL;
    if (v->until_set && d->end_ms + interval <= (v->until_now ? latest : v->until_ms))
        why = "the time given with --until";
    else if (d->end_ms == place->digest_ms && place->unnamed_ms >= d->end_ms)
        why = "the newest log file";
    else if (d->end_ms + interval <= trail->digest_ms && trail->digest_ms <= latest)
        why = "the digests of the trail in other regions";
    if (why != NULL)
        verify_note(v, d->path, "newest-missing", "its chain ends here, at %.*s, and does not "
                    "reach %s", STR_ARG(d->end_text), why);
}

static void judge_ends(struct verify *v)
{
    struct ends e = {.now_ms = clock_now_ms()};
    for (size_t i = 0, to; i < v->digests.n; i = to) {
        to = verify_chain_end(v, i);
        see_chain(v, &e, i, to);
    }
    judge_logs(v, &e);
    for (size_t i = 0, to; i < v->digests.n; i = to) {
        to = verify_chain_end(v, i);
        if (!v->digests.v[i]->name.backfill)
            judge_end(v, &e, i, to);
    }
    map_clear(&e.places);
    map_clear(&e.trails);
}

void verify_chains(struct verify *v)
{
    if (v->digests.n > 0)
        qsort(v->digests.v, v->digests.n, sizeof *v->digests.v, by_chain);
    for (size_t i = 0, to; i < v->digests.n; i = to) {
        to = verify_chain_end(v, i);
        int64_t interval = interval_of(v, i, to);
        judge_first(v, v->digests.v[i]);
        for (size_t k = i + 1; k < to; k++)
            judge_link(v, v->digests.v[k - 1], v->digests.v[k], interval);
    }
    judge_signatures(v);
    judge_ends(v);
}
