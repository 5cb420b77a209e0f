/* ListObjects, ListObjectsV2, ListObjectVersions: ordered scans that skip over common prefixes. */
#include "internal.h"

#include "../../core/enc.h"

struct str s3_listed(struct call *c, struct str encoding, struct str text)
{
    if (text.p == NULL || !str_is(encoding, "url"))
        return text;
    return enc_uri(c->arena, text, true);
}

struct str s3_after_prefix(struct arena *a, struct str prefix)
{
    char *p = arena_cstr(a, prefix);
    size_t n = prefix.n;
    while (n > 0 && (unsigned char)p[n - 1] == 0xff)
        n--;
    if (n == 0)
        return STR_NONE;
    p[n - 1] = (char)((unsigned char)p[n - 1] + 1);
    return str_of(p, n);
}

struct str s3_common_prefix(struct str key, struct str prefix, struct str delimiter)
{
    if (delimiter.n == 0)
        return STR_NONE;
    ptrdiff_t at = str_find(str_skip(key, prefix.n), delimiter);
    return at < 0 ? STR_NONE : str_take(key, prefix.n + (size_t)at + delimiter.n);
}

struct err *s3_list_max(struct opt_int given, const char *name, int64_t *out)
{
    if (given.set && (given.v < 0 || given.v > INT32_MAX))
        return err_aws(400, "InvalidArgument",
                       "Argument %s must be an integer between 0 and 2147483647", name);
    *out = given.set && given.v < S3_LIST_MAX ? given.v : S3_LIST_MAX;
    return NULL;
}

/* A walk over the latest rows of a bucket's keys. */
struct walk {
    struct call *c;
    uint64_t bucket;
    struct str prefix;
    struct cursor *cur;
    int64_t steps;
};

static void walk_end(struct walk *w)
{
    cursor_free(w->cur);
    w->cur = NULL;
}

/* The next key that walk_next gives is `from` or, `after`, behind it. */
static struct err *walk_seek(struct walk *w, struct str from, bool after)
{
    struct skey prefix, at;
    walk_end(w);
    s3_key_object(&prefix, w->bucket, w->prefix);
    s3_key_object(&at, w->bucket, from);
    struct scan sc = {.prefix = key_of(&prefix)};
    if (from.n > 0 && str_cmp(from, w->prefix) >= 0) {
        sc.from = key_of(&at);
        sc.after = after;
    }
    return txn_scan(w->c->txn, T_OBJECT, &sc, &w->cur);
}

static struct err *walk_next(struct walk *w, bool *more, struct str *key, struct str *value)
{
    struct str at;
    TRY(cursor_next(w->cur, more, &at, value));
    w->steps++;
    if (*more)
        *key = arena_str(w->c->arena, str_skip(at, 8));
    return NULL;
}

/* -- current objects --------------------------------------------------------------------------- */

struct listing {
    struct str prefix, delimiter, encoding;
    int64_t max;
    struct str owner_account; /* STR_NONE: no owners in the answer */
    /* out */
    VEC(struct s3_Object) objects;
    VEC(struct s3_CommonPrefix) prefixes;
    bool truncated;
    struct str last; /* the last key or common prefix given, or looked at */
};

static void add_sum(struct arena *a, const struct s3_object *o,
                    struct s3_ChecksumAlgorithmList *alg, struct str *type)
{
    if (o->sum_alg == ALG_NONE)
        return;
    alg->v = ARENA_NEW(a, struct str);
    alg->v[0] = str_c(s3_alg_name(o->sum_alg));
    alg->n = 1;
    alg->set = true;
    *type = o->sum_composite ? STR("COMPOSITE") : STR("FULL_OBJECT");
}

static void add_object(struct call *c, struct listing *l, struct str key, const struct s3_object *o)
{
    struct s3_Object item = {.Key = s3_listed(c, l->encoding, key),
                             .LastModified = some_int(o->modified_ms),
                             .ETag = s3_quoted(c->arena, o->etag),
                             .Size = some_int((int64_t)o->size),
                             .StorageClass = STR("STANDARD")};
    add_sum(c->arena, o, &item.ChecksumAlgorithm, &item.ChecksumType);
    if (l->owner_account.p != NULL)
        item.Owner = s3_owner(c->arena, l->owner_account);
    VEC_PUSH(c->arena, &l->objects, item);
}

/* Behind a whole common prefix; false in *more: nothing can be there. */
static struct err *skip_prefix(struct walk *w, struct str common, bool *more)
{
    struct str next = s3_after_prefix(w->c->arena, common);
    *more = next.p != NULL;
    return *more ? walk_seek(w, next, false) : NULL;
}

/* Puts a live key, or the common prefix that it falls under, on the page. */
static struct err *take_key(struct walk *w, struct listing *l, struct str key,
                            const struct s3_object *o, bool *more)
{
    struct call *c = w->c;
    struct str common = s3_common_prefix(key, l->prefix, l->delimiter);
    if (common.p == NULL) {
        add_object(c, l, key, o);
        l->last = key;
        return NULL;
    }
    struct s3_CommonPrefix item = {s3_listed(c, l->encoding, common)};
    VEC_PUSH(c->arena, &l->prefixes, item);
    l->last = common;
    return skip_prefix(w, common, more);
}

/* A page never ends on a key that is itself a common prefix without being on the page: the next
 * one would take it for told, and pass over all of it. */
static bool may_end_on(const struct listing *l, struct str key)
{
    return s3_common_prefix(key, l->prefix, l->delimiter).n != key.n;
}

static struct err *fill_listing(struct walk *w, struct listing *l, bool more)
{
    struct call *c = w->c;
    while (more && l->max > 0) {
        struct str key, value;
        struct s3_object o;
        TRY(walk_next(w, &more, &key, &value));
        if (!more)
            return NULL;
        TRY(s3_object_parse(c->arena, value, &o));
        TRY(arena_check(c->arena));
        if (!o.marker && (int64_t)(l->objects.n + l->prefixes.n) >= l->max) {
            l->truncated = true;
            return NULL;
        }
        if (!o.marker) {
            TRY(take_key(w, l, key, &o, &more));
        } else if (may_end_on(l, key)) {
            l->last = key;
            if (w->steps >= S3_LIST_SCAN_MAX) {
                l->truncated = true;
                return NULL;
            }
        }
    }
    return NULL;
}

/* Lists what comes behind `after`; if that is a common prefix of this listing, behind all of it. */
static struct err *list_after(struct call *c, const struct s3_bucket *b, struct listing *l,
                              struct str after)
{
    struct walk w = {.c = c, .bucket = b->id, .prefix = l->prefix};
    bool more = true;
    struct str common =
        str_starts(after, l->prefix) ? s3_common_prefix(after, l->prefix, l->delimiter) : STR_NONE;
    struct err *e = common.p != NULL && common.n == after.n ? skip_prefix(&w, common, &more)
                                                            : walk_seek(&w, after, true);
    if (e == NULL)
        e = fill_listing(&w, l, more);
    walk_end(&w);
    return e;
}

S3_HANDLER(ListObjects, ListObjectsRequest, ListObjectsOutput)
{
    struct s3_bucket b;
    struct listing l = {
        .prefix = in->Prefix, .delimiter = in->Delimiter, .encoding = in->EncodingType};
    TRY(s3_list_max(in->MaxKeys, "maxKeys", &l.max));
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    l.owner_account = b.account;
    TRY(list_after(c, &b, &l, in->Marker));
    out->Name = b.name;
    out->Prefix = s3_listed(c, l.encoding, in->Prefix.p != NULL ? in->Prefix : STR(""));
    out->Marker = s3_listed(c, l.encoding, in->Marker.p != NULL ? in->Marker : STR(""));
    out->Delimiter = s3_listed(c, l.encoding, in->Delimiter);
    out->MaxKeys = some_int(l.max);
    out->EncodingType = in->EncodingType;
    out->IsTruncated = some_bool(l.truncated);
    /* AWS names it only with a delimiter; when a page was cut short by the scan's limit it may end
     * on a key that is not in it. */
    if (l.truncated && (in->Delimiter.n > 0 || (int64_t)l.objects.n < l.max))
        out->NextMarker = s3_listed(c, l.encoding, l.last);
    out->Contents.v = l.objects.v;
    out->Contents.n = l.objects.n;
    out->Contents.set = l.objects.n > 0;
    out->CommonPrefixes.v = l.prefixes.v;
    out->CommonPrefixes.n = l.prefixes.n;
    out->CommonPrefixes.set = l.prefixes.n > 0;
    return NULL;
}

S3_HANDLER(ListObjectsV2, ListObjectsV2Request, ListObjectsV2Output)
{
    struct s3_bucket b;
    struct str after = STR_NONE;
    struct listing l = {
        .prefix = in->Prefix, .delimiter = in->Delimiter, .encoding = in->EncodingType};
    TRY(s3_list_max(in->MaxKeys, "maxKeys", &l.max));
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    if (in->ContinuationToken.p != NULL && in->ContinuationToken.n == 0)
        return err_aws(400, "InvalidArgument", "The continuation token provided is incorrect");
    TRY(page_position(c, in->ContinuationToken, "InvalidArgument", &after));
    if (after.p == NULL)
        after = in->StartAfter;
    if (in->FetchOwner.v)
        l.owner_account = b.account;
    TRY(list_after(c, &b, &l, after));
    out->Name = b.name;
    out->Prefix = s3_listed(c, l.encoding, in->Prefix.p != NULL ? in->Prefix : STR(""));
    out->Delimiter = s3_listed(c, l.encoding, in->Delimiter);
    out->StartAfter = s3_listed(c, l.encoding, in->StartAfter);
    out->MaxKeys = some_int(l.max);
    out->EncodingType = in->EncodingType;
    out->KeyCount = some_int((int64_t)(l.objects.n + l.prefixes.n));
    out->ContinuationToken = in->ContinuationToken;
    out->IsTruncated = some_bool(l.truncated);
    if (l.truncated)
        out->NextContinuationToken = page_token(c, l.last);
    out->Contents.v = l.objects.v;
    out->Contents.n = l.objects.n;
    out->Contents.set = l.objects.n > 0;
    out->CommonPrefixes.v = l.prefixes.v;
    out->CommonPrefixes.n = l.prefixes.n;
    out->CommonPrefixes.set = l.prefixes.n > 0;
    return NULL;
}

/* -- versions ---------------------------------------------------------------------------------- */

struct version_listing {
    struct str prefix, delimiter, encoding, account;
    int64_t max, n;
    VEC(struct s3_ObjectVersion) versions;
    VEC(struct s3_DeleteMarkerEntry) markers;
    VEC(struct s3_CommonPrefix) prefixes;
    bool truncated;
    struct str last_key, last_version;
};

/* false: the page was full before it. */
static bool add_version(struct call *c, struct version_listing *l, struct str key,
                        const struct s3_object *o, bool latest)
{
    if (l->n >= l->max) {
        l->truncated = true;
        return false;
    }
    l->n++;
    l->last_key = key;
    l->last_version = s3_version_marker(c->arena, o->seq);
    if (o->marker) {
        struct s3_DeleteMarkerEntry m = {.Owner = s3_owner(c->arena, l->account),
                                         .Key = s3_listed(c, l->encoding, key),
                                         .VersionId = o->version,
                                         .IsLatest = some_bool(latest),
                                         .LastModified = some_int(o->modified_ms)};
        VEC_PUSH(c->arena, &l->markers, m);
        return true;
    }
    struct s3_ObjectVersion v = {.ETag = s3_quoted(c->arena, o->etag),
                                 .Size = some_int((int64_t)o->size),
                                 .StorageClass = STR("STANDARD"),
                                 .Key = s3_listed(c, l->encoding, key),
                                 .VersionId = o->version,
                                 .IsLatest = some_bool(latest),
                                 .LastModified = some_int(o->modified_ms),
                                 .Owner = s3_owner(c->arena, l->account)};
    add_sum(c->arena, o, &v.ChecksumAlgorithm, &v.ChecksumType);
    VEC_PUSH(c->arena, &l->versions, v);
    return true;
}

/* The versions below the latest, newest first, from SEQ on (0: all). */
static struct err *add_history(struct walk *w, struct version_listing *l, struct str key,
                               uint64_t below)
{
    struct call *c = w->c;
    struct skey prefix, from;
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    s3_key_version(&prefix, w->bucket, key, 0);
    s3_key_version(&from, w->bucket, key, below);
    struct scan sc = {.prefix = key_of(&prefix)};
    if (below != 0) {
        sc.from = key_of(&from);
        sc.after = true;
    }
    TRY(txn_scan(c->txn, T_VERSION, &sc, &cur));
    for (;;) {
        bool more = false;
        struct str at, value;
        struct s3_object o;
        TRY(cursor_next(cur, &more, &at, &value));
        if (!more)
            return NULL;
        TRY(s3_object_parse(c->arena, value, &o));
        TRY(arena_check(c->arena));
        if (!add_version(c, l, key, &o, false))
            return NULL;
    }
}

static struct err *fill_versions(struct walk *w, struct version_listing *l, bool more)
{
    struct call *c = w->c;
    while (more && !l->truncated) {
        struct str key, value;
        struct s3_object o;
        TRY(walk_next(w, &more, &key, &value));
        if (!more)
            return NULL;
        struct str common = s3_common_prefix(key, l->prefix, l->delimiter);
        if (common.p != NULL) {
            if (l->n++ >= l->max) {
                l->truncated = true;
                return NULL;
            }
            struct s3_CommonPrefix item = {s3_listed(c, l->encoding, common)};
            VEC_PUSH(c->arena, &l->prefixes, item);
            l->last_key = common;
            l->last_version = STR_NONE;
            TRY(skip_prefix(w, common, &more));
            continue;
        }
        TRY(s3_object_parse(c->arena, value, &o));
        TRY(arena_check(c->arena));
        if (!add_version(c, l, key, &o, true))
            return NULL;
        if (o.history)
            TRY(add_history(w, l, key, 0));
    }
    return NULL;
}

/* What remains of the key that the former page ended in: what is older than the version it names,
 * whether that one still exists or not (who empties a bucket deletes each page before the next). */
static struct err *rest_of_key(struct walk *w, const struct s3_bucket *b, struct version_listing *l,
                               struct str key, struct str version)
{
    struct s3_object latest, o;
    bool any = false, found = false;
    uint64_t seq = 0;
    TRY(s3_object_latest(w->c, b, key, &latest, &any));
    if (str_is(version, "null")) { /* not what a page gave, but what a client may ask for */
        TRY(s3_object_version(w->c, b, key, version, &o, &found));
        seq = found ? o.seq : 0;
    } else {
        TRY(s3_version_seq(w->c->arena, version, &seq));
    }
    if (!any || seq == 0)
        return NULL;
    if (latest.seq >= seq)
        return add_history(w, l, key, seq);
    if (!add_version(w->c, l, key, &latest, true) || !latest.history)
        return NULL;
    return add_history(w, l, key, 0);
}

S3_HANDLER(ListObjectVersions, ListObjectVersionsRequest, ListObjectVersionsOutput)
{
    struct s3_bucket b;
    struct version_listing l = {
        .prefix = in->Prefix, .delimiter = in->Delimiter, .encoding = in->EncodingType};
    struct str after = in->KeyMarker;
    bool more = true;
    if (in->VersionIdMarker.n > 0 && in->KeyMarker.n == 0)
        return err_aws(400, "InvalidArgument",
                       "A version-id marker cannot be specified without a key marker.");
    TRY(s3_list_max(in->MaxKeys, "maxKeys", &l.max));
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    l.account = b.account;
    struct walk w = {.c = c, .bucket = b.id, .prefix = in->Prefix};
    struct str common = str_starts(after, in->Prefix)
                            ? s3_common_prefix(after, in->Prefix, in->Delimiter)
                            : STR_NONE;
    struct err *e = NULL;
    if (l.max > 0) {
        /* A key outside the prefix is none of this listing: s3:prefix may be all that lets the
         * caller in. */
        if (in->VersionIdMarker.n > 0 && common.p == NULL && str_starts(after, in->Prefix))
            e = rest_of_key(&w, &b, &l, after, in->VersionIdMarker);
        if (e == NULL)
            e = common.p != NULL && common.n == after.n ? skip_prefix(&w, common, &more)
                                                        : walk_seek(&w, after, true);
        if (e == NULL)
            e = fill_versions(&w, &l, more);
    }
    walk_end(&w);
    TRY(e);
    out->Name = b.name;
    out->Prefix = s3_listed(c, l.encoding, in->Prefix.p != NULL ? in->Prefix : STR(""));
    out->Delimiter = s3_listed(c, l.encoding, in->Delimiter);
    out->KeyMarker = s3_listed(c, l.encoding, after.p != NULL ? after : STR(""));
    out->VersionIdMarker = in->VersionIdMarker.p != NULL ? in->VersionIdMarker : STR("");
    out->MaxKeys = some_int(l.max);
    out->EncodingType = in->EncodingType;
    out->IsTruncated = some_bool(l.truncated);
    if (l.truncated) {
        out->NextKeyMarker = s3_listed(c, l.encoding, l.last_key);
        out->NextVersionIdMarker = l.last_version;
    }
    out->Versions.v = l.versions.v;
    out->Versions.n = l.versions.n;
    out->Versions.set = l.versions.n > 0;
    out->DeleteMarkers.v = l.markers.v;
    out->DeleteMarkers.n = l.markers.n;
    out->DeleteMarkers.set = l.markers.n > 0;
    out->CommonPrefixes.v = l.prefixes.v;
    out->CommonPrefixes.n = l.prefixes.n;
    out->CommonPrefixes.set = l.prefixes.n > 0;
    return NULL;
}
