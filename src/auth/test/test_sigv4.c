/* SigV4: our own cases (made with botocore), the AWS signing test suite where it is at hand, and
 * every way a claim can be wrong. */
#include "../../core/clock.h"
#include "../../core/enc.h"
#include "../../core/json.h"
#include "../sigv4_internal.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#define KEY_ID "AKIAIOSFODNN7EXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

static struct arena *arena;
static struct secret *secret;

struct expected {
    struct str canonical, string_to_sign, signature;
};

static void no_error(const char *label, const char *stage, struct err *e)
{
    if (e != NULL)
        fail_msg("%s: %s: %s: %s", label, stage, e->code == NULL ? "-" : e->code, e->message);
}

static void same(const char *label, const char *stage, struct str got, struct str want)
{
    if (!str_eq(got, want))
        fail_msg("%s: %s differs\n--- got\n%.*s\n--- want\n%.*s", label, stage, STR_ARG(got),
                 STR_ARG(want));
}

static const struct secret *secret_of(struct str text)
{
    secret_free(secret);
    secret = NULL;
    no_error("secret", "secret_new", secret_new(text, &secret));
    return secret;
}

/* Each stage by itself, so that a failure names it. `normalise` overrules the service's way. */
static void stages(const char *label, const struct sig_request *r, struct str body, struct str key,
                   const bool *normalise, const struct expected *want, struct sig *out)
{
    struct sig s;
    no_error(label, "parse", sigv4_parse(arena, r, &s));
    if (!s.present)
        fail_msg("%s: parse: no signature seen", label);
    if (normalise != NULL)
        s.keep_path = !*normalise;
    if (s.payload_hash.p == NULL)
        s.payload_hash = sha256_hex(arena, body);
    else if (s.payload == SIG_PAYLOAD_HASH)
        same(label, "payload hash", s.payload_hash, sha256_hex(arena, body));
    struct str canonical = sigv4_canonical_request(arena, r, &s);
    same(label, "canonical request", canonical, want->canonical);
    struct str text = sigv4_string_to_sign(arena, &s, canonical);
    same(label, "string to sign", text, want->string_to_sign);
    unsigned char derived[32];
    sig_derive_key(secret_of(key), s.date, s.region, s.service, derived);
    same(label, "signature", sig_hmac_hex(arena, derived, text), want->signature);
    same(label, "signature in the request", s.signature, want->signature);
    *out = s;
}

static struct str read_file(const char *dir, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        fail_msg("cannot open %s", path);
    char *p = arena_alloc(arena, 1 << 18);
    size_t n = fread(p, 1, 1 << 18, f);
    fclose(f);
    return str_of(p, n);
}

/* -- our own cases ---------------------------------------------------------------------------- */

static struct http_header *headers_of(const struct jv *list, size_t *n)
{
    *n = jv_len(list);
    struct http_header *h = ARENA_ARRAY(arena, *n + 4, struct http_header);
    for (size_t i = 0; i < *n; i++)
        h[i] = (struct http_header){jv_s(jv_at(jv_at(list, i), 0)), jv_s(jv_at(jv_at(list, i), 1))};
    return h;
}

static struct sig_request request_of(const struct jv *c)
{
    struct sig_request r = {.method = jv_s(jv_get(c, "method")),
                            .path = jv_s(jv_get(c, "path")),
                            .query = jv_s(jv_get(c, "query"))};
    r.headers = headers_of(jv_get(c, "headers"), &r.n_headers);
    return r;
}

static const struct jv *own_cases(void)
{
    struct jv *doc;
    struct str text = read_file(AUTH_TEST_DIR, "sigv4_cases.json");
    no_error("cases", "json", json_parse(arena, text, 8, &doc));
    return doc;
}

static void test_own_cases(void **state)
{
    const struct jv *doc = own_cases(), *cases = jv_get(doc, "cases");
    struct str key = jv_s(jv_get(doc, "secret_access_key"));
    int64_t now;
    assert_true(time_parse_iso8601(jv_s(jv_get(doc, "time")), &now));
    for (size_t i = 0; i < jv_len(cases); i++) {
        const struct jv *c = jv_at(cases, i);
        const char *label = arena_cstr(arena, jv_s(jv_get(c, "name")));
        struct sig_request r = request_of(c);
        struct expected want = {jv_s(jv_get(c, "canonical")), jv_s(jv_get(c, "string_to_sign")),
                                jv_s(jv_get(c, "signature"))};
        struct sig s;
        stages(label, &r, jv_s(jv_get(c, "body")), key, NULL, &want, &s);
        unsigned char derived[32];
        no_error(label, "check", sigv4_check(arena, &r, &s, secret, now + 1000, derived));
        assert_true(str_is(s.access_key_id, KEY_ID));
    }
    print_message("sigv4: %zu own cases checked\n", jv_len(cases));
    assert_true(jv_len(cases) >= 15);
}

/* Every byte of what is signed matters: any change must be refused. */
static void test_every_change_is_refused(void **state)
{
    const struct jv *doc = own_cases(), *cases = jv_get(doc, "cases");
    const struct secret *key = secret_of(jv_s(jv_get(doc, "secret_access_key")));
    int64_t now;
    assert_true(time_parse_iso8601(jv_s(jv_get(doc, "time")), &now));
    size_t tried = 0;
    for (size_t i = 0; i < jv_len(cases); i++) {
        const struct jv *c = jv_at(cases, i);
        struct sig_request r = request_of(c);
        struct sig s;
        no_error("change", "parse", sigv4_parse(arena, &r, &s));
        if (s.payload_hash.p == NULL)
            s.payload_hash = sha256_hex(arena, jv_s(jv_get(c, "body")));
        struct sig_request other = r;
        other.method = STR("DELETE");
        struct sig bad_key = s, bad_region = s, bad_hash = s;
        bad_key.signature = arena_concat(arena, STR("0"), str_skip(s.signature, 1));
        if (str_eq(bad_key.signature, s.signature))
            bad_key.signature = arena_concat(arena, STR("1"), str_skip(s.signature, 1));
        bad_region.region = STR("eu-west-1");
        bad_hash.payload_hash = STR("UNSIGNED-PAYLOAD");
        if (str_eq(s.payload_hash, bad_hash.payload_hash))
            bad_hash.payload_hash = sha256_hex(arena, STR("x"));
        struct sig_request path = r, query = r, host = r;
        path.path = arena_concat(arena, r.path, STR("x"));
        query.query = r.query.n == 0 ? STR("x=1") : arena_concat(arena, r.query, STR("&x=1"));
        struct http_header *h = ARENA_ARRAY(arena, r.n_headers, struct http_header);
        memcpy(h, r.headers, r.n_headers * sizeof *h);
        h[0].value = STR("evil.example");
        host.headers = h;
        const struct sig_request *rs[] = {&other, &r, &r, &r, &path, &query, &host};
        const struct sig *ss[] = {&s, &bad_key, &bad_region, &bad_hash, &s, &s, &s};
        for (size_t k = 0; k < ARRAY_LEN(rs); k++, tried++) {
            unsigned char derived[32];
            struct err *e = sigv4_check(arena, rs[k], ss[k], key, now, derived);
            if (!err_has_code(e, "SignatureDoesNotMatch"))
                fail_msg("case %zu, change %zu was not refused", i, k);
            assert_string_equal(e->message, SIG_MISMATCH);
            assert_int_equal(e->status, 403);
            err_free(e);
        }
    }
    assert_true(tried >= 100);
}

/* -- the AWS signing test suite --------------------------------------------------------------- */

/* A request file: "METHOD target HTTP/1.1", headers (folded lines belong to the one above), blank
 * line, body. */
static struct sig_request parse_request_file(struct str text, struct str *out_body)
{
    struct sig_request r = {0};
    struct str line = str_cut(&text, '\n');
    r.method = str_cut(&line, ' ');
    struct str target = str_take(line, line.n - strlen(" HTTP/1.1"));
    r.query = target;
    r.path = str_cut(&r.query, '?');
    struct http_header *h = ARENA_ARRAY(arena, 32, struct http_header);
    while (text.p != NULL) {
        line = str_cut(&text, '\n');
        if (line.n == 0)
            break;
        if (line.p[0] == ' ') {
            struct http_header *last = &h[r.n_headers - 1];
            last->value.n = (size_t)(line.p + line.n - last->value.p);
            continue;
        }
        struct str value = line;
        struct str name = str_cut(&value, ':');
        h[r.n_headers++] = (struct http_header){name, value};
    }
    r.headers = h;
    *out_body = text.p == NULL ? STR("") : text;
    return r;
}

struct context {
    struct str key, service;
    int64_t now;
    bool normalise, token_after;
};

static struct context context_of(const char *dir)
{
    struct jv *c;
    no_error(dir, "context.json", json_parse(arena, read_file(dir, "context.json"), 8, &c));
    struct context x = {.key = jv_s(jv_get(jv_get(c, "credentials"), "secret_access_key")),
                        .service = jv_s(jv_get(c, "service")),
                        .normalise = jv_b(jv_get(c, "normalize"), true),
                        .token_after = jv_b(jv_get(c, "omit_session_token"), false)};
    assert_true(time_parse_iso8601(jv_s(jv_get(c, "timestamp")), &x.now));
    return x;
}

static struct str without_param(struct str query, const char *name)
{
    struct str out = STR("");
    while (query.p != NULL) {
        struct str pair = str_cut(&query, '&');
        if (!str_starts_c(pair, name))
            out = out.n == 0 ? pair : arena_fmt(arena, "%.*s&%.*s", STR_ARG(out), STR_ARG(pair));
    }
    return out;
}

static void suite_case(const char *dir, const char *form)
{
    struct context x = context_of(dir);
    const char *name = strrchr(dir, '/') + 1;
    const char *label = arena_fmt(arena, "%s (%s)", name, form).p;
    struct str body;
    struct str file = read_file(dir, arena_fmt(arena, "%s-signed-request.txt", form).p);
    struct sig_request r = parse_request_file(file, &body), signed_r = r;
    struct expected want = {
        read_file(dir, arena_fmt(arena, "%s-canonical-request.txt", form).p),
        read_file(dir, arena_fmt(arena, "%s-string-to-sign.txt", form).p),
        read_file(dir, arena_fmt(arena, "%s-signature.txt", form).p),
    };
    if (x.token_after) /* the token was put into the query after signing */
        signed_r.query = without_param(r.query, "X-Amz-Security-Token");
    struct sig s;
    stages(label, &signed_r, body, x.key, &x.normalise, &want, &s);
    unsigned char derived[32];
    struct err *e = sigv4_check(arena, &r, &s, secret, x.now, derived);
    if (!x.token_after) {
        no_error(label, "check", e);
        return;
    }
    /* A token that is not signed is what IoT alone allows; we refuse it. */
    assert_true(err_has_code(e, "SignatureDoesNotMatch"));
    err_free(e);
}

static void test_aws_suite(void **state)
{
    const char *vectors = getenv("WARD_VECTORS");
    char root[512], dir[1024];
    snprintf(root, sizeof root, "%s/sigv4/tests/aws-signing-test-suite/v4",
             vectors == NULL ? AUTH_SOURCE_ROOT "/../shared/data/vectors" : vectors);
    DIR *d = opendir(root);
    if (d == NULL) {
        print_message("sigv4: no AWS signing test suite (set WARD_VECTORS): skipped\n");
        skip();
    }
    size_t cases = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        struct stat st;
        snprintf(dir, sizeof dir, "%s/%s", root, e->d_name);
        if (e->d_name[0] == '.' || stat(dir, &st) != 0 || !S_ISDIR(st.st_mode))
            continue;
        suite_case(dir, "header");
        suite_case(dir, "query");
        cases += 2;
        arena_reset(arena);
    }
    closedir(d);
    print_message("sigv4: %zu cases of the AWS signing test suite checked\n", cases);
    assert_true(cases > 0);
}

/* -- refusals --------------------------------------------------------------------------------- */

#define NOW_TEXT "20261122T025000Z"
#define SCOPE(service) "/20261122/us-east-1/" service "/aws4_request"
#define SIG64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define AUTH(service, headers)                                                                     \
    "AWS4-HMAC-SHA256 Credential=" KEY_ID SCOPE(service) ", SignedHeaders=" headers                \
    ", Signature=" SIG64
#define QUERY(service, extra)                                                                      \
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" KEY_ID "%2F20261122%2Fus-east-1%2F"       \
    service "%2Faws4_request&X-Amz-Date=" NOW_TEXT "&X-Amz-SignedHeaders=host&X-Amz-Signature="    \
    SIG64 extra

struct claim {
    const char *what, *authorization, *query;
    const char *name[4], *value[4]; /* more headers */
    int late_s;                     /* how long after NOW_TEXT it is checked */
    int status;                     /* 0: parse and time are fine, only the signature is wrong */
    const char *code, *text;        /* text: a part of the message */
};

#define DATED .name = {"x-amz-date"}, .value = {NOW_TEXT}
#define DATED_HASHED                                                                               \
    .name = {"x-amz-date", "x-amz-content-sha256"}, .value = {NOW_TEXT, "UNSIGNED-PAYLOAD"}

static const struct claim claims[] = {
    {"header form", AUTH("kms", "host;x-amz-date"), NULL, DATED},
    {"blanks instead of commas", "AWS4-HMAC-SHA256 Credential=" KEY_ID SCOPE("kms")
     " SignedHeaders=host;x-amz-date Signature=" SIG64, NULL, DATED},
    {"no credential", "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=" SIG64, NULL, DATED,
     .status = 400, .code = "IncompleteSignature",
     .text = "Authorization header requires 'Credential' parameter."},
    {"no signature", "AWS4-HMAC-SHA256 Credential=" KEY_ID SCOPE("kms") ", SignedHeaders=host",
     NULL, DATED, .status = 400, .code = "IncompleteSignature", .text = "'Signature' parameter"},
    {"no list", "AWS4-HMAC-SHA256 Credential=" KEY_ID SCOPE("kms") ", Signature=" SIG64, NULL,
     DATED, .status = 400, .code = "IncompleteSignature", .text = "'SignedHeaders' parameter"},
    {"nothing but the scheme", "AWS4-HMAC-SHA256", NULL, DATED, .status = 400,
     .code = "IncompleteSignature", .text = "'Credential' parameter"},
    {"a part without =", "AWS4-HMAC-SHA256 Credential", NULL, DATED, .status = 400,
     .code = "IncompleteSignature", .text = "key=value"},
    {"a part twice", AUTH("kms", "host") ", Signature=" SIG64, NULL, DATED, .status = 400,
     .code = "IncompleteSignature", .text = "key=value"},
    {"short credential", "AWS4-HMAC-SHA256 Credential=" KEY_ID "/20261122/us-east-1/kms, "
     "SignedHeaders=host, Signature=" SIG64, NULL, DATED, .status = 400,
     .code = "IncompleteSignature", .text = "exactly 5"},
    {"long credential", "AWS4-HMAC-SHA256 Credential=" KEY_ID SCOPE("kms") "/x, "
     "SignedHeaders=host, Signature=" SIG64, NULL, DATED, .status = 400,
     .code = "IncompleteSignature", .text = "exactly 5"},
    {"wrong terminator", "AWS4-HMAC-SHA256 Credential=" KEY_ID "/20261122/us-east-1/kms/aws5, "
     "SignedHeaders=host, Signature=" SIG64, NULL, DATED, .status = 400,
     .code = "IncompleteSignature", .text = "valid terminator"},
    {"wrong terminator, S3", "AWS4-HMAC-SHA256 Credential=" KEY_ID "/20261122/us-east-1/s3/aws5, "
     "SignedHeaders=host, Signature=" SIG64, NULL, DATED_HASHED, .status = 400,
     .code = "AuthorizationHeaderMalformed", .text = "The authorization header is malformed"},
    {"no key id", "AWS4-HMAC-SHA256 Credential=" SCOPE("s3") ", SignedHeaders=host, Signature="
     SIG64, NULL, DATED_HASHED, .status = 400, .code = "AuthorizationHeaderMalformed",
     .text = "non-empty Access Key"},
    {"odd day", "AWS4-HMAC-SHA256 Credential=" KEY_ID "/2026/us-east-1/s3/aws4_request, "
     "SignedHeaders=host, Signature=" SIG64, NULL, DATED_HASHED, .status = 400,
     .code = "AuthorizationHeaderMalformed", .text = "yyyyMMdd"},
    {"another day", "AWS4-HMAC-SHA256 Credential=" KEY_ID "/20261121/us-east-1/kms/aws4_request, "
     "SignedHeaders=host, Signature=" SIG64, NULL, DATED, .status = 403,
     .code = "SignatureDoesNotMatch", .text = "'20261121' != '20261122'"},
    {"another day, S3",
     "AWS4-HMAC-SHA256 Credential=" KEY_ID "/20261121/us-east-1/s3/aws4_request, "
     "SignedHeaders=host, Signature=" SIG64, NULL, DATED_HASHED, .status = 400,
     .code = "AuthorizationHeaderMalformed", .text = "not the same as X-Amz-Date"},
    {"no date", AUTH("kms", "host"), NULL, .status = 400, .code = "IncompleteSignature",
     .text = "'X-Amz-Date' or a 'Date' header"},
    {"no date, S3", AUTH("s3", "host"), NULL, .status = 403, .code = "AccessDenied",
     .text = "valid Date or x-amz-date"},
    {"bad date", AUTH("kms", "host"), NULL, .name = {"X-Amz-Date"}, .value = {"yesterday"},
     .status = 400, .code = "IncompleteSignature", .text = "ISO-8601"},
    {"two dates", AUTH("kms", "host"), NULL, .name = {"X-Amz-Date", "x-amz-date"},
     .value = {NOW_TEXT, NOW_TEXT}, .status = 400, .code = "IncompleteSignature",
     .text = "more than one date"},
    {"Date header", AUTH("kms", "date;host"), NULL, .name = {"Date"},
     .value = {"Sun, 22 Nov 2026 02:50:00 GMT"}},
    {"Date header, unsigned", AUTH("kms", "host"), NULL, .name = {"Date"},
     .value = {"Sun, 22 Nov 2026 02:50:00 GMT"}, .status = 403, .code = "SignatureDoesNotMatch",
     .text = "'Date' must be a 'SignedHeader'"},
    {"host unsigned", AUTH("kms", "x-amz-date"), NULL, DATED, .status = 403,
     .code = "SignatureDoesNotMatch",
     .text = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
    {"date unsigned", AUTH("kms", "host"), NULL, DATED, .status = 403,
     .code = "SignatureDoesNotMatch", .text = "'X-Amz-Date' must be"},
    {"target unsigned", AUTH("kms", "host;x-amz-date"), NULL,
     .name = {"x-amz-date", "X-Amz-Target"}, .value = {NOW_TEXT, "TrentService.Decrypt"},
     .status = 403, .code = "SignatureDoesNotMatch", .text = "must be a 'SignedHeader'"},
    {"token unsigned", AUTH("kms", "host;x-amz-date"), NULL,
     .name = {"x-amz-date", "X-Amz-Security-Token"}, .value = {NOW_TEXT, "t"}, .status = 403,
     .code = "SignatureDoesNotMatch", .text = "'X-Amz-Security-Token' must be"},
    {"hash unsigned, S3", AUTH("s3", "host;x-amz-date"), NULL, DATED_HASHED, .status = 403,
     .code = "AccessDenied", .text = "headers present in the request which were not signed"},
    {"acl unsigned, presigned", NULL, QUERY("s3", "&X-Amz-Expires=60"), .name = {"x-amz-acl"},
     .value = {"public-read"}, .status = 403, .code = "AccessDenied", .text = "were not signed"},
    {"no hash, S3", AUTH("s3", "host;x-amz-date"), NULL, DATED, .status = 400,
     .code = "InvalidRequest", .text = "Missing required header for this request: "},
    {"odd hash, S3", AUTH("s3", "host;x-amz-date"), NULL,
     .name = {"x-amz-date", "x-amz-content-sha256"}, .value = {NOW_TEXT, "ABC"}, .status = 400,
     .code = "InvalidArgument", .text = "valid sha256 value"},
    {"streaming outside S3", AUTH("kms", "host;x-amz-date"), NULL,
     .name = {"x-amz-date", "x-amz-content-sha256"},
     .value = {NOW_TEXT, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}, .status = 400,
     .code = "InvalidRequest", .text = "valid sha256 value"},
    {"SigV4A payload", AUTH("s3", "host;x-amz-date"), NULL,
     .name = {"x-amz-date", "x-amz-content-sha256"},
     .value = {NOW_TEXT, "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"}, .status = 400,
     .code = "InvalidRequest", .text = "not supported"},
    {"empty name in the list", AUTH("kms", "host;;x-amz-date"), NULL, DATED, .status = 400,
     .code = "IncompleteSignature", .text = "SignedHeaders"},
    {"a name twice in the list", AUTH("kms", "host;host;x-amz-date"), NULL, DATED, .status = 400,
     .code = "IncompleteSignature", .text = "twice"},
    {"15 minutes late", AUTH("kms", "host;x-amz-date"), NULL, DATED, .late_s = 900},
    {"late", AUTH("kms", "host;x-amz-date"), NULL, DATED, .late_s = 2100, .status = 403,
     .code = "SignatureDoesNotMatch",
     .text = "Signature expired: 20261122T025000Z is now earlier than 20261122T031000Z "
             "(20261122T032500Z - 15 min.)"},
    {"early", AUTH("kms", "host;x-amz-date"), NULL, DATED, .late_s = -3600, .status = 403,
     .code = "SignatureDoesNotMatch",
     .text = "Signature not yet current: 20261122T025000Z is still later than 20261122T020500Z "
             "(20261122T015000Z + 15 min.)"},
    {"late, S3", AUTH("s3", "host;x-amz-content-sha256;x-amz-date"), NULL, DATED_HASHED,
     .late_s = 901, .status = 403, .code = "RequestTimeTooSkewed", .text = "too large"},
    {"early, S3", AUTH("s3", "host;x-amz-content-sha256;x-amz-date"), NULL, DATED_HASHED,
     .late_s = -901, .status = 403, .code = "RequestTimeTooSkewed", .text = "too large"},
    {"presigned", NULL, QUERY("s3", "&X-Amz-Expires=60"), .late_s = 60},
    {"presigned, expired", NULL, QUERY("s3", "&X-Amz-Expires=60"), .late_s = 61, .status = 403,
     .code = "AccessDenied", .text = "Request has expired"},
    {"presigned, early", NULL, QUERY("s3", "&X-Amz-Expires=60"), .late_s = -901, .status = 403,
     .code = "AccessDenied", .text = "Request is not valid yet"},
    {"presigned, STS", NULL, QUERY("sts", "&X-Amz-Expires=60"), .late_s = 61, .status = 403,
     .code = "SignatureDoesNotMatch", .text = "(20261122T025101Z - 1 min.)"},
    {"presigned, STS without expiry", NULL, QUERY("sts", ""), .late_s = 900},
    {"presigned without expiry", NULL, QUERY("s3", ""), .status = 400,
     .code = "AuthorizationQueryParametersError", .text = "should be a number"},
    {"expires: a week", NULL, QUERY("s3", "&X-Amz-Expires=604800")},
    {"expires: more", NULL, QUERY("s3", "&X-Amz-Expires=604801"), .status = 400,
     .code = "AuthorizationQueryParametersError", .text = "less than a week"},
    {"expires: negative", NULL, QUERY("s3", "&X-Amz-Expires=-1"), .status = 400,
     .code = "AuthorizationQueryParametersError", .text = "non-negative"},
    {"expires: words", NULL, QUERY("s3", "&X-Amz-Expires=soon"), .status = 400,
     .code = "AuthorizationQueryParametersError", .text = "should be a number"},
    {"a parameter twice", NULL, QUERY("s3", "&X-Amz-Expires=1&X-Amz-Expires=2"), .status = 400,
     .code = "AuthorizationQueryParametersError", .text = "twice"},
    {"half a query", NULL, "X-Amz-Signature=" SIG64, .status = 400,
     .code = "AuthorizationQueryParametersError", .text = "requires the X-Amz-Algorithm"},
    {"both forms", AUTH("s3", "host"), QUERY("s3", "&X-Amz-Expires=1"), DATED_HASHED, .status = 400,
     .code = "InvalidArgument", .text = "Only one auth mechanism allowed"},
    {"SigV2", "AWS " KEY_ID ":c2ln", NULL, .status = 400, .code = "InvalidRequest",
     .text = "Please use AWS4-HMAC-SHA256."},
    {"SigV2 query", NULL, "AWSAccessKeyId=" KEY_ID "&Expires=1&Signature=x", .status = 400,
     .code = "InvalidRequest", .text = "Please use AWS4-HMAC-SHA256."},
    {"SigV4A", "AWS4-ECDSA-P256-SHA256 Credential=a/b/c/d", NULL, DATED, .status = 400,
     .code = "InvalidRequest", .text = "not supported"},
    {"SigV4A query", NULL, "X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256&X-Amz-Credential=a",
     .status = 400, .code = "InvalidRequest", .text = "not supported"},
    {"unknown algorithm", "AWS4-HMAC-MD5 Credential=a", NULL, DATED, .status = 400,
     .code = "IncompleteSignature", .text = "Unsupported AWS 'algorithm'"},
};

static struct err *run_claim(const struct claim *c)
{
    struct http_header h[6] = {{STR("Host"), STR("127.0.0.1:4566")}};
    struct sig_request r = {.method = STR("GET"), .path = STR("/b/k"), .query = str_c(c->query),
                            .headers = h, .n_headers = 1};
    if (c->authorization != NULL)
        h[r.n_headers++] = (struct http_header){STR("authorization"), str_c(c->authorization)};
    for (size_t i = 0; i < 4 && c->name[i] != NULL; i++)
        h[r.n_headers++] = (struct http_header){str_c(c->name[i]), str_c(c->value[i])};
    struct sig s;
    TRY(sigv4_parse(arena, &r, &s));
    assert_true(s.present);
    if (s.payload_hash.p == NULL)
        s.payload_hash = sha256_hex(arena, STR(""));
    int64_t t;
    assert_true(time_parse_basic(STR(NOW_TEXT), &t));
    unsigned char derived[32];
    return sigv4_check(arena, &r, &s, secret, t + c->late_s * 1000, derived);
}

static void test_claims(void **state)
{
    secret_of(STR(SECRET));
    for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
        const struct claim *c = &claims[i];
        struct err *e = run_claim(c);
        const char *code = c->status == 0 ? "SignatureDoesNotMatch" : c->code;
        const char *text = c->status == 0 ? SIG_MISMATCH : c->text;
        if (!err_has_code(e, code) || strstr(e->message, text) == NULL ||
            e->status != (c->status == 0 ? 403 : c->status))
            fail_msg("%s: %s: %s", c->what, e == NULL ? "success" : e->code,
                     e == NULL ? "" : e->message);
        err_free(e);
    }
    print_message("sigv4: %zu claims checked\n", ARRAY_LEN(claims));
}

static void test_unsigned(void **state)
{
    const char *values[] = {NULL, "", "Bearer abc", "Basic dTpw", "eyJhbGciOi.x.y"};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct http_header h = {STR("Authorization"), str_c(values[i])};
        struct sig_request r = {.method = STR("GET"), .path = STR("/"), .query = STR("a=b"),
                                .headers = &h, .n_headers = values[i] != NULL};
        struct sig s;
        no_error("unsigned", "parse", sigv4_parse(arena, &r, &s));
        assert_false(s.present);
    }
}

static void test_limits(void **state)
{
    char *big = arena_alloc(arena, HTTP_HEAD_MAX + 1);
    memset(big, '&', HTTP_HEAD_MAX + 1);
    struct sig s;
    struct sig_request r = {.method = STR("GET"), .path = STR("/"), .query = str_of(big, 2000)};
    struct err *e = sigv4_parse(arena, &r, &s);
    assert_true(err_is(e, ERR_LIMIT));
    err_free(e);
    r.query = str_of(big, HTTP_HEAD_MAX + 1);
    e = sigv4_parse(arena, &r, &s);
    assert_true(err_is(e, ERR_LIMIT));
    err_free(e);
}

/* What we sign, we accept. */
static void test_sign(void **state)
{
    secret_of(STR(SECRET));
    const char *services[] = {"s3", "execute-api"};
    for (size_t i = 0; i < ARRAY_LEN(services); i++) {
        struct http_header h[6] = {{STR("Host"), STR("example.com")},
                                   {STR("X-Amz-Date"), STR(NOW_TEXT)},
                                   {STR("x-amz-content-sha256"), sha256_hex(arena, STR("b"))},
                                   {STR("User-Agent"), STR("ward")},
                                   {STR("X-Amz-Security-Token"), STR("to ken")}};
        struct sig_request r = {.method = STR("PUT"), .path = STR("/a//b%20c/../d"),
                                .query = STR("z=1&a=%20&b"), .headers = h, .n_headers = 5};
        struct str value;
        no_error("sign", "sign", sigv4_sign(arena, &r, STR(KEY_ID), secret, STR("us-east-1"),
                                            str_c(services[i]), STR(NOW_TEXT), h[2].value, &value));
        h[r.n_headers++] = (struct http_header){STR("Authorization"), value};
        struct sig s;
        no_error("sign", "parse", sigv4_parse(arena, &r, &s));
        assert_true(str_is(s.signed_headers,
                           "host;x-amz-content-sha256;x-amz-date;x-amz-security-token"));
        assert_true(str_is(s.session_token, "to ken"));
        unsigned char derived[32];
        no_error("sign", "check", sigv4_check(arena, &r, &s, secret, s.time_ms, derived));
    }
}

static int setup(void **state)
{
    no_error("setup", "crypto_init", crypto_init());
    arena = arena_new(64 << 20);
    return 0;
}

static int teardown(void **state)
{
    arena_free(arena);
    secret_free(secret);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_cases), cmocka_unit_test(test_every_change_is_refused),
        cmocka_unit_test(test_aws_suite), cmocka_unit_test(test_claims),
        cmocka_unit_test(test_unsigned),  cmocka_unit_test(test_limits),
        cmocka_unit_test(test_sign),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
