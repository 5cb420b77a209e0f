/* A streamed body on its way in: counted, summed, encrypted, verified at its end. */
#include "internal.h"

#include "../../core/enc.h"
#include "../../crypto/crypto.h"

static struct err *invalid_sum(enum s3_alg alg)
{
    return err_aws(400, "InvalidRequest", "Value for %s header is invalid.", s3_alg_header(alg));
}

/* One algorithm at most: a header with a value, a trailer announced, or only its name. */
static struct err *find_claim(struct call *c, const struct s3_body_request *r, enum s3_alg *out,
                              struct str *out_value)
{
    enum s3_alg found = ALG_NONE;
    *out_value = STR_NONE;
    if (r->sums.unbuilt)
        return err_not_implemented(c, "XXHASH checksums");
    for (enum s3_alg g = ALG_CRC32; g < ALG_COUNT; g++) {
        struct str raw;
        if (r->sums.v[g].p == NULL)
            continue;
        if (found != ALG_NONE)
            return err_aws(400, "InvalidRequest",
                           "Expecting a single x-amz-checksum- header. Multiple checksum Types are "
                           "not allowed.");
        if (!dec_base64(c->arena, r->sums.v[g], &raw) || raw.n != s3_alg_size(g))
            return invalid_sum(g);
        found = g;
        *out_value = r->sums.v[g];
    }
    struct str trailer = c->wire != NULL ? wire_req_header(c->wire, "x-amz-trailer") : STR_NONE;
    if (found != ALG_NONE && s3_alg_of_header(str_trim(trailer)) != ALG_NONE)
        return err_aws(400, "InvalidRequest",
                       "Expecting a single x-amz-checksum- header. Multiple checksum Types are "
                       "not allowed.");
    if (found == ALG_NONE && trailer.p != NULL) {
        found = s3_alg_of_header(str_trim(trailer));
        if (found == ALG_NONE)
            return err_aws(400, "InvalidRequest",
                           "The value specified in the x-amz-trailer header is not supported");
    }
    if (r->algorithm.p != NULL) {
        enum s3_alg named = s3_alg_of(r->algorithm);
        if (named == ALG_NONE)
            return err_not_implemented(c, "This checksum algorithm");
        if (found != ALG_NONE && found != named)
            return err_aws(400, "InvalidRequest",
                           "Value for x-amz-sdk-checksum-algorithm header is invalid.");
        /* A name without a value: sum it all the same. Nothing is left to verify. */
        if (found == ALG_NONE && trailer.p == NULL)
            *out_value = STR("");
        found = named;
    }
    *out = found;
    return NULL;
}

/* What the object's length will be: aws-chunked bodies are longer on the wire. */
static struct err *check_length(struct call *c)
{
    int64_t n = 0;
    if (c->wire == NULL) /* an internal call */
        return NULL;
    struct str text = wire_req_header(c->wire, "x-amz-decoded-content-length");
    if (text.p == NULL)
        text = wire_req_header(c->wire, "Content-Length");
    if (text.p == NULL)
        return err_aws(411, "MissingContentLength",
                       "You must provide the Content-Length HTTP header.");
    if (!str_to_i64(text, 0, S3_PUT_MAX, &n))
        return err_aws(400, "EntityTooLarge",
                       "Your proposed upload exceeds the maximum allowed size");
    return NULL;
}

struct err *s3_body_begin(struct call *c, struct s3_body *b, const struct s3_body_request *r,
                          bool small)
{
    struct str raw;
    if (r->streamed)
        TRY(check_length(c));
    if (r->md5.p != NULL && (!dec_base64(c->arena, r->md5, &raw) || raw.n != MD5_SIZE))
        return err_aws(400, "InvalidDigest", "The Content-MD5 you specified is not valid.");
    TRY(find_claim(c, r, &b->claimed, &b->claim));
    b->md5 = r->md5;
    b->kept = r->keep != ALG_NONE ? r->keep : b->claimed != ALG_NONE ? b->claimed : ALG_CRC64NVME;
    b->sums = s3_sums_new(1u << b->kept | 1u << b->claimed);
    arena_on_free(c->arena, (void (*)(void *))s3_sums_free, b->sums);
    b->writer = s3_writer_new(c, b->bucket.id, b->key, small);
    c->state = b;
    return NULL;
}

struct err *s3_body_data(struct call *c, struct str piece)
{
    struct s3_body *b = c->state;
    if (s3_writer_size(b->writer) + piece.n > (uint64_t)S3_PUT_MAX)
        return err_aws(400, "EntityTooLarge",
                       "Your proposed upload exceeds the maximum allowed size");
    s3_sums_add(b->sums, piece);
    if (s3_writer_wants_key(b->writer, piece.n)) {
        struct secret *key = NULL;
        TRY(s3_key_new(c, &b->bucket, b->key, &b->sse, &key));
        s3_writer_key(b->writer, key);
    }
    return s3_writer_add(b->writer, piece);
}

void s3_body_abandon(struct call *c)
{
    struct s3_body *b = c->state;
    if (b != NULL && b->writer != NULL)
        s3_writer_abandon(b->writer);
}

struct err *s3_body_began(const struct call *c)
{
    const struct s3_body *b = c->state;
    if (b != NULL) {
        s3_writer_again(b->writer);
        return NULL;
    }
    return err_aws(400, "InvalidRequest",
                   "The body did not come as the bytes of an object; check the headers "
                   "Content-Type and X-Amz-Target.");
}

static struct err *verify(struct call *c, struct s3_body *b)
{
    if (b->md5.p != NULL && !str_eq(b->md5, s3_sums_text(b->sums, c->arena, ALG_MD5)))
        return err_aws(400, "BadDigest",
                       "The Content-MD5 you specified did not match what we received.");
    if (b->claimed == ALG_NONE)
        return NULL;
    struct str claim = b->claim;
    if (claim.p == NULL) {
        claim = call_trailer(c, s3_alg_header(b->claimed));
        if (claim.p == NULL)
            return err_aws(400, "MalformedTrailerError",
                           "The request contained trailing data that was not well-formed or did "
                           "not conform to our published schema.");
    }
    if (claim.n > 0 && !str_eq(claim, s3_sums_text(b->sums, c->arena, b->claimed)))
        return err_aws(400, "BadDigest",
                       "The %s you specified did not match the calculated checksum.",
                       s3_alg_name(b->claimed));
    return NULL;
}

struct err *s3_body_end(struct call *c, struct s3_body *b)
{
    if (b->ended)
        return NULL;
    s3_sums_end(b->sums);
    TRY(verify(c, b));
    if (s3_writer_wants_key(b->writer, 0)) { /* an empty part is a blob too */
        struct secret *key = NULL;
        TRY(s3_key_new(c, &b->bucket, b->key, &b->sse, &key));
        s3_writer_key(b->writer, key);
    }
    TRY(s3_writer_end(b->writer));
    struct str tag = s3_sums_value(b->sums, ALG_MD5);
    unsigned char opaque[MD5_SIZE];
    if (b->sse.kms) { /* AWS: no MD5 of the body then */
        rand_bytes(opaque, sizeof opaque);
        tag = str_of(opaque, sizeof opaque);
    }
    b->etag = enc_hex(c->arena, tag);
    b->ended = true;
    return NULL;
}

struct err *s3_body_verify(struct call *c, struct str md5, bool required)
{
    if (c->wire == NULL) /* an internal call */
        return NULL;
    unsigned char sum[MD5_SIZE];
    struct str raw;
    bool any = md5.p != NULL;
    if (md5.p != NULL) {
        if (!dec_base64(c->arena, md5, &raw) || raw.n != MD5_SIZE)
            return err_aws(400, "InvalidDigest", "The Content-MD5 you specified is not valid.");
        hash_once(HASH_MD5, c->wire->body, sum);
        if (!str_eq(raw, str_of(sum, sizeof sum)))
            return err_aws(400, "BadDigest",
                           "The Content-MD5 you specified did not match what we received.");
    }
    for (enum s3_alg g = ALG_CRC32; g < ALG_COUNT; g++) {
        struct str claim = wire_req_header(c->wire, s3_alg_header(g));
        if (claim.p == NULL)
            continue;
        any = true;
        struct s3_sums *s = s3_sums_new(1u << g);
        s3_sums_add(s, c->wire->body);
        s3_sums_end(s);
        bool same = str_eq(claim, s3_sums_text(s, c->arena, g));
        s3_sums_free(s);
        if (!same)
            return err_aws(400, "BadDigest",
                           "The %s you specified did not match the calculated checksum.",
                           s3_alg_name(g));
    }
    return any || !required ? NULL
                            : err_aws(400, "InvalidRequest",
                                      "Missing required header for this request: Content-MD5 OR "
                                      "x-amz-checksum-*");
}
