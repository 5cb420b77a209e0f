/* Checking a signature, and making one. */
#include "sigv4_internal.h"

#include "../core/clock.h"
#include "../core/enc.h"

void sig_derive_key(const struct secret *secret, struct str date, struct str region,
                    struct str service, unsigned char out[SHA256_SIZE])
{
    char first[4 + SECRET_MAX];
    size_t n = secret_size(secret);
    CHECK(n <= SECRET_MAX);
    memcpy(first, "AWS4", 4);
    memcpy(first + 4, secret_bytes(secret), n);
    unsigned char k1[SHA256_SIZE], k2[SHA256_SIZE];
    hmac_sha256(str_of(first, 4 + n), date, k1);
    hmac_sha256(str_of(k1, sizeof k1), region, k2);
    hmac_sha256(str_of(k2, sizeof k2), service, k1);
    hmac_sha256(str_of(k1, sizeof k1), STR(SIG_TERMINATOR), out);
    secret_wipe(first, 4 + n);
    secret_wipe(k1, sizeof k1);
    secret_wipe(k2, sizeof k2);
}

struct str sig_hmac_hex(struct arena *a, const unsigned char key[SHA256_SIZE], struct str text)
{
    unsigned char mac[SHA256_SIZE];
    hmac_sha256(str_of(key, SHA256_SIZE), text, mac);
    return enc_hex(a, str_of(mac, sizeof mac));
}

/* An x-amz-* header that is not signed could be put there by anybody on the way. The content hash
 * is bound by the canonical request's last line when it comes from that header, and does not count
 * in the presigned form unless it is signed. */
static bool must_be_signed(const struct sig *s, struct str header)
{
    struct str prefix = str_take(header, 6);
    if (!str_is_i(prefix, "x-amz-"))
        return false;
    return !str_is_i(header, "x-amz-content-sha256") || (s->s3 && !s->presigned);
}

static struct err *unsigned_header(const struct sig *s, const char *name)
{
    if (s->s3)
        return err_aws(403, "AccessDenied",
                       "There were headers present in the request which were not signed");
    return err_aws(403, "SignatureDoesNotMatch",
                   "%s must be a 'SignedHeader' in the AWS Authorization.", name);
}

static struct err *check_signed_headers(const struct sig_request *r, const struct sig *s)
{
    if (!sig_list_has(s->signed_headers, STR("host")))
        return unsigned_header(s, "'Host' or ':authority'");
    bool dated = s->presigned || sig_header(r, "x-amz-date", NULL).p != NULL;
    if (!dated && !sig_list_has(s->signed_headers, STR("date")))
        return unsigned_header(s, "'Date'");
    for (size_t i = 0; i < r->n_headers; i++) {
        struct str name = r->headers[i].name;
        if (!must_be_signed(s, name) || sig_list_has(s->signed_headers, name))
            continue;
        if (str_is_i(name, "x-amz-date"))
            return unsigned_header(s, "'X-Amz-Date'");
        if (str_is_i(name, "x-amz-security-token"))
            return unsigned_header(s, "'X-Amz-Security-Token'");
        return unsigned_header(s, "Every 'X-Amz-*' header");
    }
    return NULL;
}

/* "20261122T031000Z (20261122T032500Z - 15 min.)": the limit, and how it comes from the time. */
struct limit_text {
    char limit[TIME_TEXT_MAX], now[TIME_TEXT_MAX];
};

static struct limit_text limit_text(int64_t now_ms, int64_t offset_ms)
{
    struct limit_text t;
    time_basic(now_ms + offset_ms, t.limit);
    time_basic(now_ms, t.now);
    return t;
}

static struct err *too_skewed(void)
{
    return err_aws(403, "RequestTimeTooSkewed", "The difference between the request time and the "
                                                "current time is too large.");
}

static struct err *check_not_early(const struct sig *s, int64_t now_ms)
{
    if (s->time_ms <= now_ms + SIG_SKEW_MS)
        return NULL;
    if (s->s3 && s->presigned)
        return err_aws(403, "AccessDenied", "Request is not valid yet");
    if (s->s3)
        return too_skewed();
    struct limit_text t = limit_text(now_ms, SIG_SKEW_MS);
    return err_aws(403, "SignatureDoesNotMatch",
                   "Signature not yet current: %.*s is still later than %s (%s + %d min.)",
                   STR_ARG(s->amz_date), t.limit, t.now, SIG_SKEW_MS / 60000);
}

static struct err *check_not_late(const struct sig *s, int64_t now_ms)
{
    int64_t valid_ms = s->presigned ? s->expires_s * 1000 : SIG_SKEW_MS;
    if (s->time_ms + valid_ms >= now_ms)
        return NULL;
    if (s->s3 && s->presigned)
        return err_aws(403, "AccessDenied", "Request has expired");
    if (s->s3)
        return too_skewed();
    struct limit_text t = limit_text(now_ms, -valid_ms);
    bool minutes = valid_ms % 60000 == 0;
    return err_aws(403, "SignatureDoesNotMatch",
                   "Signature expired: %.*s is now earlier than %s (%s - %lld %s.)",
                   STR_ARG(s->amz_date), t.limit, t.now,
                   (long long)(valid_ms / (minutes ? 60000 : 1000)), minutes ? "min" : "sec");
}

struct err *sigv4_check(struct arena *a, const struct sig_request *r, const struct sig *s,
                        const struct secret *secret, int64_t now_ms,
                        unsigned char out_signing_key[32])
{
    return sigv4_check_kept(a, r, s, secret, NULL, now_ms, out_signing_key);
}

struct err *sigv4_check_kept(struct arena *a, const struct sig_request *r, const struct sig *s,
                             const struct secret *secret, struct sig_keys *kept, int64_t now_ms,
                             unsigned char out_signing_key[32])
{
    CHECK(s->present && s->payload_hash.p != NULL);
    TRY(check_signed_headers(r, s));
    TRY(check_not_early(s, now_ms));
    TRY(check_not_late(s, now_ms));
    struct str canonical = sigv4_canonical_request(a, r, s);
    if (canonical.p == NULL)
        return err_new(ERR_LIMIT, "The request line and headers are too long.");
    unsigned char key[SHA256_SIZE];
    sig_keys_derive(kept, secret, s->date, s->region, s->service, key);
    struct str ours = sig_hmac_hex(a, key, sigv4_string_to_sign(a, s, canonical));
    bool same = str_eq_secret(ours, s->signature);
    if (same)
        memcpy(out_signing_key, key, sizeof key);
    secret_wipe(key, sizeof key);
    return same ? NULL : err_aws(403, "SignatureDoesNotMatch", SIG_MISMATCH);
}

/* -- signing ---------------------------------------------------------------------------------- */

/* Proxies and HTTP stacks rewrite these on the way, so no SDK signs them. */
static bool is_unsignable(struct str name)
{
    static const char *const names[] = {"authorization", "connection", "expect", "user-agent",
                                        "transfer-encoding", "x-amzn-trace-id"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_is_i(name, names[i]))
            return true;
    return false;
}

static int name_order(const void *x, const void *y)
{
    const struct str *a = x, *b = y;
    return str_cmp(*a, *b);
}

static struct str lower(struct arena *a, struct str s)
{
    char *p = arena_cstr(a, s);
    for (size_t i = 0; i < s.n; i++)
        if (p[i] >= 'A' && p[i] <= 'Z')
            p[i] = (char)(p[i] | 0x20);
    return str_of(p, s.n);
}

static struct str names_to_sign(struct arena *a, const struct sig_request *r)
{
    struct str *names = ARENA_ARRAY(a, r->n_headers + 1, struct str);
    size_t n = 0, room = 1;
    for (size_t i = 0; i < r->n_headers; i++) {
        if (is_unsignable(r->headers[i].name))
            continue;
        names[n++] = lower(a, r->headers[i].name);
        room += r->headers[i].name.n + 1;
    }
    qsort(names, n, sizeof *names, name_order);
    char *list = arena_alloc(a, room);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && str_eq(names[i], names[i - 1]))
            continue;
        if (at > 0)
            list[at++] = ';';
        memcpy(list + at, names[i].p, names[i].n);
        at += names[i].n;
    }
    return str_of(list, at);
}

struct err *sigv4_sign(struct arena *a, const struct sig_request *r, struct str access_key_id,
                       const struct secret *secret, struct str region, struct str service,
                       struct str amz_date, struct str payload_hash, struct str *out)
{
    int64_t time_ms;
    if (!time_parse_basic(amz_date, &time_ms))
        return err_new(ERR_INVALID, "The signing time must look like 20261122T025000Z.");
    bool s3 = str_is(service, "s3");
    struct sig s = {.present = true,
                    .access_key_id = access_key_id,
                    .date = str_take(amz_date, 8),
                    .region = region,
                    .service = service,
                    .signed_headers = names_to_sign(a, r),
                    .amz_date = amz_date,
                    .payload_hash = payload_hash,
                    .s3 = s3,
                    .keep_path = s3};
    s.scope = arena_fmt(a, "%.*s/%.*s/%.*s/" SIG_TERMINATOR, STR_ARG(s.date), STR_ARG(region),
                        STR_ARG(service));
    struct str canonical = sigv4_canonical_request(a, r, &s);
    if (canonical.p == NULL)
        return err_new(ERR_LIMIT, "The request to sign is too long.");
    unsigned char key[SHA256_SIZE];
    sig_derive_key(secret, s.date, region, service, key);
    struct str signature = sig_hmac_hex(a, key, sigv4_string_to_sign(a, &s, canonical));
    secret_wipe(key, sizeof key);
    *out = arena_fmt(a,
                     SIG_ALGORITHM " Credential=%.*s/%.*s, SignedHeaders=%.*s, Signature=%.*s",
                     STR_ARG(access_key_id), STR_ARG(s.scope), STR_ARG(s.signed_headers),
                     STR_ARG(signature));
    return NULL;
}
