/* The calls: ListObjectsV2, GetObject, and ListPublicKeys. */
#include "bucket.h"

#include "core/clock.h"
#include "core/enc.h"
#include "core/xml.h"

enum { CALL_ARENA = 32 * 1024 * 1024, PAGE_KEYS = 1000, PAGE_KEYS_SMALL = 100, HOPS_MAX = 3,
       KEY_PAGES_MAX = 100, REGION_SET_MAX = 63 };

#define REGION_DEFAULT "us-east-1"
#define LIST_KEYS_TARGET                                                                           \
    "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.ListPublicKeys"

/* -- whose keys -------------------------------------------------------------------------------- */
static struct aws *shared; /* of the main thread, which opens sources and asks for public keys */

static struct err *open_shared(struct aws **out)
{
    if (shared == NULL)
        TRY(aws_open(&shared));
    *out = shared;
    return NULL;
}

void bucket_end(void)
{
    aws_close(shared);
    shared = NULL;
}

/* -- where a bucket is ------------------------------------------------------------------------- */
static bool bucket_name_ok(struct str name)
{
    if (name.n < 3 || name.n > BUCKET_NAME_MAX || name.p[0] == '.' || name.p[0] == '-')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '-' || c == '_'))
            return false;
    }
    return str_find(name, STR("..")) < 0;
}

/* A name with dots does not fit the certificate, one with capitals or '_' is not a host's. */
static bool fits_host(struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-')
            return false;
    }
    return name.n <= 63;
}

struct err *bucket_at_init(struct bucket_at *b, struct str name)
{
    if (!bucket_name_ok(name))
        return err_new(ERR_INVALID, "%.*s is not the name of a bucket: s3://BUCKET/PREFIX.",
                       STR_ARG(str_take(name, 100)));
    *b = (struct bucket_at){0};
    TRY(open_shared(&b->aws));
    TRY(aws_ask_now(b->aws));
    pthread_mutex_init(&b->lock, NULL);
    snprintf(b->name, sizeof b->name, "%.*s", STR_ARG(name));
    b->endpoint = aws_endpoint(b->aws, "s3");
    struct str region = aws_region(b->aws);
    if (region.n == 0 || region.n > REGION_SET_MAX)
        region = STR(REGION_DEFAULT);
    snprintf(b->region, sizeof b->region, "%.*s", STR_ARG(region));
    return NULL;
}

void bucket_at_clear(struct bucket_at *b)
{
    if (b->aws == NULL)
        return;
    pthread_mutex_destroy(&b->lock);
}

static struct str region_of(struct bucket_at *b, struct arena *a)
{
    pthread_mutex_lock(&b->lock);
    struct str r = arena_str(a, str_c(b->region));
    pthread_mutex_unlock(&b->lock);
    return r;
}

static void address(struct bucket_at *b, struct arena *a, struct str key, struct aws_request *r)
{
    bool host = b->endpoint.p == NULL && fits_host(str_c(b->name));
    struct str path = enc_uri(a, key, true);
    r->endpoint = b->endpoint;
    if (b->endpoint.p == NULL)
        r->endpoint = arena_fmt(a, "https://%s%ss3.%.*s.%s", host ? b->name : "", host ? "." : "",
                                STR_ARG(r->region), aws_domain(r->region));
    r->path = host ? arena_fmt(a, "/%.*s", STR_ARG(path))
                   : arena_fmt(a, "/%s%s%.*s", b->name, path.n > 0 ? "/" : "", STR_ARG(path));
}

/* Whether the answer says that the bucket is in another region; then that one is taken. */
static bool moved(struct bucket_at *b, struct arena *a, const struct http_in *in, struct str from)
{
    if (in->status != 301 && in->status != 307 && in->status != 400 && in->status != 403)
        return false;
    struct str region = aws_fault_of(a, in).region;
    if (region.n == 0 || region.n > REGION_SET_MAX || str_eq(region, from))
        return false;
    for (size_t i = 0; i < region.n; i++) /* it becomes part of a host's name */
        if (!fits_host(str_of(region.p + i, 1)))
            return false;
    pthread_mutex_lock(&b->lock);
    snprintf(b->region, sizeof b->region, "%.*s", STR_ARG(region));
    pthread_mutex_unlock(&b->lock);
    return true;
}

static struct err *get(struct bucket_at *b, struct arena *a, struct str key, struct aws_request *r,
                       struct http_in *out)
{
    r->service = "s3";
    r->method = "GET";
    for (int hop = 0; hop < HOPS_MAX; hop++) {
        r->region = region_of(b, a);
        address(b, a, key, r);
        TRY(aws_send(b->aws, a, r, out));
        if (!moved(b, a, out, r->region))
            return NULL;
    }
    return NULL;
}

static struct err *refused(struct arena *a, const char *what, const struct http_in *in)
{
    if (in->status != 301 && in->status != 307)
        return aws_refused(a, what, in);
    return err_new(ERR_IO, "%s: the bucket is at another endpoint (%d), and the answer does not "
                   "say in which region: set AWS_REGION or AWS_ENDPOINT_URL_S3.", what,
                   in->status);
}

/* -- listing ----------------------------------------------------------------------------------- */
static struct err *take_page(struct arena *a, struct str body, struct buf *token,
                             void (*take)(void *ctx, struct str key, uint64_t size), void *ctx)
{
    struct xml *x = NULL;
    TRY(xml_parse(a, body, &x));
    if (!str_is(x->name, "ListBucketResult"))
        return err_new(ERR_IO, "ListObjectsV2: the answer is not a list of objects; is this an S3 "
                               "endpoint?");
    bool encoded = str_is(xml_text(xml_child(x, "EncodingType")), "url");
    for (const struct xml *c = xml_child(x, "Contents"); c != NULL; c = xml_next(c)) {
        struct str key = xml_text(xml_child(c, "Key"));
        int64_t size = 0;
        if (encoded && !dec_uri(a, key, true, &key))
            return err_new(ERR_IO, "ListObjectsV2: a key in the answer is not encoded well.");
        (void)str_to_i64(xml_text(xml_child(c, "Size")), 0, INT64_MAX, &size);
        if (key.n > 0 && key.n <= BUCKET_KEY_MAX)
            take(ctx, key, (uint64_t)size);
    }
    buf_reset(token);
    if (str_is(xml_text(xml_child(x, "IsTruncated")), "true"))
        buf_str(token, xml_text(xml_child(x, "NextContinuationToken")));
    return buf_check(token);
}

static struct str list_query(struct arena *a, struct str prefix, struct str token, int keys)
{
    struct str p = enc_uri(a, prefix, false), t = enc_uri(a, token, false);
    return arena_fmt(a, "%s%.*s%sencoding-type=url&list-type=2&max-keys=%d&prefix=%.*s",
                     t.n > 0 ? "continuation-token=" : "", STR_ARG(t), t.n > 0 ? "&" : "", keys,
                     STR_ARG(p));
}

struct err *bucket_list_page(struct bucket_at *b, struct str prefix, struct buf *token,
                             void (*take)(void *ctx, struct str key, uint64_t size), void *ctx)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(CALL_ARENA);
    struct str from = token->n > 0 ? buf_view(token) : STR("");
    struct aws_request r = {.query = list_query(a, prefix, from, PAGE_KEYS)};
    struct http_in in;
    struct err *e = get(b, a, STR(""), &r, &in);
    if (err_is(e, ERR_LIMIT)) { /* a thousand very long keys */
        err_free(e);
        r.query = list_query(a, prefix, from, PAGE_KEYS_SMALL);
        e = get(b, a, STR(""), &r, &in);
    }
    if (e != NULL)
        return e;
    if (in.status != 200)
        return refused(a, "ListObjectsV2", &in);
    return take_page(a, in.body, token, take, ctx);
}

/* -- objects ----------------------------------------------------------------------------------- */
/* "bytes FROM-TO/TOTAL" (RFC 9110, 14.4). */
static bool content_range(struct str s, uint64_t off, size_t n, uint64_t *out_total)
{
    int64_t from, to, total;
    if (!str_starts_c(s, "bytes "))
        return false;
    struct str rest = str_skip(s, 6), a = str_cut(&rest, '-'), b = str_cut(&rest, '/');
    if (!str_to_i64(a, 0, INT64_MAX, &from) || !str_to_i64(b, 0, INT64_MAX, &to) ||
        !str_to_i64(rest, 0, INT64_MAX, &total) || (uint64_t)from != off || to < from ||
        (uint64_t)(to - from) + 1 != n || to >= total)
        return false;
    *out_total = (uint64_t)total;
    return true;
}

static void take_meta(const struct http_in *in, struct buf *out)
{
    buf_init(out, META_MAX);
    for (size_t i = 0; i < in->n_headers; i++) {
        struct str name = in->headers[i].name;
        if (name.n <= 11 || !str_ieq(str_take(name, 11), STR("x-amz-meta-")))
            continue;
        buf_str(out, str_skip(name, 11));
        buf_add(out, "", 1);
        buf_str(out, in->headers[i].value);
        buf_add(out, "", 1);
    }
}

static struct err *take_piece(struct arena *a, const struct http_in *in, uint64_t off,
                              struct piece *out)
{
    struct piece p = {.n = in->body.n, .total = in->body.n};
    if (in->status == 416 && off == 0) { /* nothing is in it */
        p.n = 0;
        p.total = 0;
    } else if (in->status == 412) {
        return err_new(ERR_CONFLICT, "it was changed while it was read");
    } else if (in->status == 206) {
        if (!content_range(http_in_header(in, "content-range"), off, p.n, &p.total))
            return err_new(ERR_IO, "GetObject: the answer is not the part that was asked for");
    } else if (in->status != 200 || off > 0) {
        return refused(a, "GetObject", in);
    }
    snprintf(p.etag, sizeof p.etag, "%.*s",
             STR_ARG(str_take(http_in_header(in, "etag"), ETAG_MAX - 1)));
    take_meta(in, &p.meta);
    if (p.n > 0) {
        p.p = malloc(p.n);
        CHECK(p.p != NULL);
        memcpy(p.p, in->body.p, p.n);
    }
    *out = p;
    return NULL;
}

struct err *bucket_get_piece(struct bucket_at *b, const char *key, uint64_t off, const char *etag,
                             struct piece *out)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(CALL_ARENA);
    struct aws_request r = {.n_headers = 1};
    struct http_in in;
    r.headers[0] = (struct http_header){
        STR("range"), arena_fmt(a, "bytes=%llu-%llu", (unsigned long long)off,
                                (unsigned long long)(off + PIECE_BYTES - 1))};
    if (etag[0] != '\0')
        r.headers[r.n_headers++] = (struct http_header){STR("if-match"), str_c(etag)};
    TRY(get(b, a, str_c(key), &r, &in));
    return take_piece(a, &in, off, out);
}

void piece_clear(struct piece *p)
{
    free(p->p);
    buf_clear(&p->meta);
    *p = (struct piece){0};
}

/* -- public keys ------------------------------------------------------------------------------- */
/* One page; *out_token: STR_NONE at the last. */
static struct err *keys_page(struct aws *w, struct arena *a, struct str region, struct str body,
                             scan_take_key *take, void *ctx, struct str *out_token)
{
    struct http_in in;
    struct jv *j = NULL;
    struct aws_request r = {.service = "cloudtrail", .method = "POST", .region = region,
                            .endpoint = aws_endpoint(w, "cloudtrail"), .path = STR("/"),
                            .n_headers = 2, .body = body};
    if (r.endpoint.p == NULL)
        r.endpoint = arena_fmt(a, "https://cloudtrail.%.*s.%s", STR_ARG(region),
                               aws_domain(region));
    r.headers[0] = (struct http_header){STR("content-type"), STR("application/x-amz-json-1.1")};
    r.headers[1] = (struct http_header){STR("x-amz-target"), STR(LIST_KEYS_TARGET)};
    TRY(aws_send(w, a, &r, &in));
    if (in.status != 200)
        return aws_refused(a, "ListPublicKeys", &in);
    TRY(json_parse(a, in.body, 16, &j));
    const struct jv *list = jv_get(j, "PublicKeyList");
    for (size_t i = 0; i < jv_len(list); i++) {
        struct str der;
        const struct jv *k = jv_at(list, i);
        if (dec_base64(a, jv_s(jv_get(k, "Value")), &der))
            take(ctx, der, jv_s(jv_get(k, "Fingerprint")));
    }
    *out_token = jv_s(jv_get(j, "NextToken"));
    return NULL;
}

static struct err *all_keys(struct aws *w, struct str region, int64_t from_ms, int64_t to_ms,
                            scan_take_key *take, void *ctx)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(CALL_ARENA);
    struct str token = STR_NONE;
    for (int page = 0; page < KEY_PAGES_MAX; page++) {
        struct buf b CLEANUP(buf_clear) = BUF_INIT(64 * 1024);
        struct jw j = jw_to(&b);
        jw_obj(&j);
        jw_ki(&j, "StartTime", from_ms / 1000);
        jw_ki(&j, "EndTime", to_ms / 1000);
        if (token.n > 0)
            jw_ks(&j, "NextToken", token);
        jw_end(&j);
        TRY(buf_check(&b));
        TRY(keys_page(w, a, region, buf_view(&b), take, ctx, &token));
        if (token.n == 0)
            return NULL;
    }
    return err_new(ERR_LIMIT, "ListPublicKeys does not come to an end.");
}

struct err *bucket_public_keys(struct str region, int64_t from_ms, int64_t to_ms,
                               scan_take_key *take, void *ctx)
{
    struct aws *w = NULL;
    TRY(open_shared(&w));
    return all_keys(w, region, from_ms, to_ms, take, ctx);
}
