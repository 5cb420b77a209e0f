/* Who claims to have signed what: the Authorization header, or the X-Amz-… query parameters. */
#include "sigv4_internal.h"

#include "../core/clock.h"

#define SIGV4A "AWS4-ECDSA-P256-SHA256"

/* A malformed claim, in the words of the form and the family that it came in. */
static struct err *bad_claim(const struct sig *s, const char *text)
{
    if (s->presigned)
        return err_aws(400, "AuthorizationQueryParametersError", "%s", text);
    if (s->s3)
        return err_aws(400, "AuthorizationHeaderMalformed",
                       "The authorization header is malformed; %s", text);
    return err_aws(400, "IncompleteSignature", "%s", text);
}

/* Signature Version 2, and SigV4A. */
static struct err *unsupported(void)
{
    return err_aws(400, "InvalidRequest",
                   "The authorization mechanism you have provided is not supported. Please use "
                   "AWS4-HMAC-SHA256.");
}

static bool is_digits(struct str s, size_t n)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n == n;
}

/* AKID/date/region/service/aws4_request */
static struct err *parse_credential(struct str credential, struct sig *s)
{
    struct str rest = credential, terminator = STR_NONE;
    s->access_key_id = str_cut(&rest, '/');
    s->scope = rest;
    s->date = rest.p == NULL ? rest : str_cut(&rest, '/');
    s->region = rest.p == NULL ? rest : str_cut(&rest, '/');
    s->service = rest.p == NULL ? rest : str_cut(&rest, '/');
    terminator = rest;
    s->s3 = str_is(s->service, "s3");
    s->keep_path = s->s3;
    if (terminator.p == NULL || str_find_char(terminator, '/') >= 0)
        return bad_claim(s, "Credential must have exactly 5 slash-delimited elements, e.g. "
                            "keyid/date/region/service/term.");
    if (s->access_key_id.n == 0)
        return bad_claim(s, "a non-empty Access Key (AKID) must be provided in the credential.");
    if (!is_digits(s->date, 8))
        return bad_claim(s, "incorrect date format. The date in the credential must be in the "
                            "format \"yyyyMMdd\".");
    if (s->region.n == 0 || s->service.n == 0)
        return bad_claim(s, "the credential must name a region and a service.");
    if (!str_is(terminator, SIG_TERMINATOR))
        return bad_claim(s, "Credential should be scoped with a valid terminator: 'aws4_request'.");
    return NULL;
}

static struct err *check_signed_list(const struct sig *s)
{
    struct str seen[SIG_SIGNED_HEADERS_MAX];
    size_t n = 0;
    for (struct str rest = s->signed_headers; rest.p != NULL;) {
        struct str name = str_cut(&rest, ';');
        if (name.n == 0)
            return bad_claim(s, "SignedHeaders must be a list of header names with semicolons.");
        if (n == SIG_SIGNED_HEADERS_MAX)
            return bad_claim(s, "SignedHeaders names too many headers.");
        for (size_t i = 0; i < n; i++)
            if (str_eq(seen[i], name))
                return bad_claim(s, "SignedHeaders names a header twice.");
        for (size_t i = 0; i < name.n; i++)
            if ((unsigned char)name.p[i] <= ' ' || (unsigned char)name.p[i] >= 0x7f)
                return bad_claim(s, "SignedHeaders holds a character that no header name has.");
        seen[n++] = name;
    }
    return NULL;
}

/* The scope's day is the request's day. */
static struct err *check_day(const struct sig *s)
{
    struct str day = str_take(s->amz_date, 8);
    if (str_eq(s->date, day))
        return NULL;
    if (s->s3)
        return err_aws(400,
                       s->presigned ? "AuthorizationQueryParametersError"
                                    : "AuthorizationHeaderMalformed",
                       "Invalid credential date \"%.*s\". This date is not the same as X-Amz-Date: "
                       "\"%.*s\".",
                       STR_ARG(s->date), STR_ARG(day));
    return err_aws(403, "SignatureDoesNotMatch",
                   "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date "
                   "from HTTP: '%.*s' != '%.*s', from '%.*s'.",
                   STR_ARG(s->date), STR_ARG(day), STR_ARG(s->amz_date));
}

/* -- the payload ------------------------------------------------------------------------------ */

static bool is_sha256_hex(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
            return false;
    return s.n == SIG_HEX;
}

static struct err *classify_payload(struct sig *s, struct str literal)
{
    static const struct {
        const char *text;
        enum sig_payload payload;
        bool streams;
    } forms[] = {
        {"UNSIGNED-PAYLOAD", SIG_PAYLOAD_UNSIGNED, false},
        {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", SIG_PAYLOAD_CHUNKED, true},
        {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", SIG_PAYLOAD_CHUNKED_TRAILER, true},
        {"STREAMING-UNSIGNED-PAYLOAD-TRAILER", SIG_PAYLOAD_UNSIGNED_TRAILER, true},
    };
    s->payload_hash = literal;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        if (str_is(literal, forms[i].text) && (s->s3 || !forms[i].streams)) {
            s->payload = forms[i].payload;
            return NULL;
        }
    if (is_sha256_hex(literal)) {
        s->payload = SIG_PAYLOAD_HASH;
        return NULL;
    }
    if (str_starts_c(literal, "STREAMING-" SIGV4A))
        return unsupported();
    return err_aws(400, s->s3 ? "InvalidArgument" : "InvalidRequest",
                   "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, %sor a valid sha256 value.",
                   s->s3 ? "STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
                           "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "
                           "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER "
                         : "");
}

static struct err *find_payload(struct arena *a, const struct sig_request *r, struct sig *s)
{
    struct str header = sig_header(r, "x-amz-content-sha256", NULL);
    s->payload = SIG_PAYLOAD_HASH;
    s->payload_hash = STR_NONE;
    if (s->presigned) {
        /* Whoever uses a presigned URL may add the header; it counts if the signer meant it. */
        struct str param = sig_query_param(a, r->query, "X-Amz-Content-Sha256", NULL);
        if (param.p != NULL)
            return classify_payload(s, param);
        if (header.p == NULL || !sig_list_has(s->signed_headers, STR("x-amz-content-sha256")))
            return s->s3 ? classify_payload(s, STR("UNSIGNED-PAYLOAD")) : NULL;
    }
    if (header.p != NULL)
        return classify_payload(s, str_trim(header));
    if (!s->s3)
        return NULL;
    return err_aws(400, "InvalidRequest", "Missing required header for this request: "
                                          "x-amz-content-sha256");
}

/* -- the header form -------------------------------------------------------------------------- */

static struct err *bad_date(const struct sig *s, const char *text)
{
    if (s->s3)
        return err_aws(403, "AccessDenied",
                       "AWS authentication requires a valid Date or x-amz-date header");
    return bad_claim(s, text);
}

static struct err *parse_date_headers(struct arena *a, const struct sig_request *r, struct sig *s)
{
    size_t n_amz, n_date;
    struct str amz = sig_header(r, "x-amz-date", &n_amz), date = sig_header(r, "date", &n_date);
    if (n_amz > 1 || (n_amz == 0 && n_date > 1))
        return bad_date(s, "The request carries more than one date.");
    struct str text = str_trim(n_amz == 1 ? amz : date);
    if (text.p == NULL)
        return bad_date(s, "Authorization header requires existence of either a 'X-Amz-Date' or a "
                           "'Date' header.");
    if (time_parse_basic(text, &s->time_ms)) {
        s->amz_date = text;
        return NULL;
    }
    bool other_form = time_parse_http(text, &s->time_ms) || time_parse_iso8601(text, &s->time_ms);
    if (n_amz == 1 || !other_form)
        return bad_date(s, "Date must be in ISO-8601 'basic format'.");
    char basic[TIME_TEXT_MAX];
    time_basic(s->time_ms, basic);
    s->amz_date = arena_str(a, str_c(basic));
    return NULL;
}

struct parts {
    struct str credential, signed_headers, signature;
};

/* Credential=…, SignedHeaders=…, Signature=… with commas or blanks between. */
static struct err *parse_parts(const struct sig *s, struct str text, struct parts *out)
{
    while (text.n > 0) {
        size_t n = 0;
        while (n < text.n && text.p[n] != ',' && text.p[n] != ' ' && text.p[n] != '\t')
            n++;
        struct str value = str_take(text, n);
        text = str_skip(text, n + 1);
        if (value.n == 0)
            continue;
        struct str key = str_cut(&value, '=');
        struct str *to = str_is(key, "Credential")      ? &out->credential
                         : str_is(key, "SignedHeaders") ? &out->signed_headers
                         : str_is(key, "Signature")     ? &out->signature
                                                        : NULL;
        if (value.p == NULL || to == NULL || to->p != NULL)
            return bad_claim(s, "The Authorization header holds something other than one "
                                "Credential, SignedHeaders and Signature, each a key=value pair.");
        *to = value;
    }
    return NULL;
}

static struct err *parse_header_form(struct arena *a, const struct sig_request *r, struct str text,
                                     struct sig *s)
{
    struct parts p = {0};
    TRY(parse_parts(s, text, &p));
    if (p.credential.n == 0 || p.signature.n == 0 || p.signed_headers.n == 0)
        return err_aws(400, "IncompleteSignature", "%s%s%s",
                       p.credential.n == 0
                           ? "Authorization header requires 'Credential' parameter. "
                           : "",
                       p.signature.n == 0 ? "Authorization header requires 'Signature' parameter. "
                                          : "",
                       p.signed_headers.n == 0
                           ? "Authorization header requires 'SignedHeaders' parameter. "
                           : "");
    s->signed_headers = p.signed_headers;
    s->signature = p.signature;
    TRY(parse_credential(p.credential, s));
    TRY(check_signed_list(s));
    TRY(parse_date_headers(a, r, s));
    TRY(check_day(s));
    size_t n_tokens;
    s->session_token = str_trim(sig_header(r, "x-amz-security-token", &n_tokens));
    if (n_tokens > 1)
        return bad_claim(s, "The request carries more than one security token.");
    return find_payload(a, r, s);
}

/* -- the query form --------------------------------------------------------------------------- */

static struct err *parse_expires(struct sig *s, struct str text)
{
    if (text.p == NULL && !s->s3) { /* optional outside S3 */
        s->expires_s = SIG_SKEW_MS / 1000;
        return NULL;
    }
    if (!str_to_i64(text, INT64_MIN, INT64_MAX, &s->expires_s))
        return bad_claim(s, "X-Amz-Expires should be a number");
    if (s->expires_s < 0)
        return bad_claim(s, "X-Amz-Expires must be non-negative");
    if (s->expires_s > SIG_PRESIGN_MAX_S)
        return bad_claim(s, "X-Amz-Expires must be less than a week (in seconds); that is, the "
                            "given X-Amz-Expires must be less than 604800 seconds");
    return NULL;
}

static struct err *parse_query_form(struct arena *a, const struct sig_request *r, struct sig *s)
{
    static const char *const names[] = {"X-Amz-Algorithm",     "X-Amz-Credential",
                                        "X-Amz-Date",          "X-Amz-SignedHeaders",
                                        "X-Amz-Signature",     "X-Amz-Expires",
                                        "X-Amz-Security-Token"};
    enum { ALGORITHM, CREDENTIAL, DATE, SIGNED_HEADERS, SIGNATURE, EXPIRES, TOKEN, N };
    struct str v[N];
    s->presigned = true;
    for (int i = 0; i < N; i++) {
        size_t count;
        v[i] = sig_query_param(a, r->query, names[i], &count);
        if (count > 1)
            return bad_claim(s, "A query parameter of the signature is given twice.");
    }
    if (str_is(v[ALGORITHM], SIGV4A))
        return unsupported();
    bool half = false;
    for (int i = ALGORITHM; i <= SIGNATURE; i++)
        half = half || v[i].n == 0;
    if (half)
        return bad_claim(s, "Query-string authentication version 4 requires the X-Amz-Algorithm, "
                            "X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, "
                            "and X-Amz-Expires parameters.");
    if (!str_is(v[ALGORITHM], SIG_ALGORITHM))
        return bad_claim(s, "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"");
    s->signed_headers = v[SIGNED_HEADERS];
    s->signature = v[SIGNATURE];
    s->amz_date = v[DATE];
    s->session_token = v[TOKEN];
    TRY(parse_credential(v[CREDENTIAL], s));
    TRY(check_signed_list(s));
    if (!time_parse_basic(s->amz_date, &s->time_ms))
        return bad_claim(s, "X-Amz-Date must be in the ISO8601 Long Format "
                            "\"yyyyMMdd'T'HHmmss'Z'\"");
    TRY(check_day(s));
    TRY(parse_expires(s, v[EXPIRES]));
    return find_payload(a, r, s);
}

/* -- which form ------------------------------------------------------------------------------- */

static struct err *check_sizes(const struct sig_request *r)
{
    size_t total = r->method.n + r->path.n + r->query.n;
    for (size_t i = 0; i < r->n_headers; i++)
        total += r->headers[i].name.n + r->headers[i].value.n;
    if (total > HTTP_HEAD_MAX || r->n_headers > HTTP_HEADERS_MAX)
        return err_new(ERR_LIMIT, "The request line and headers are too long.");
    size_t params = 1;
    for (size_t i = 0; i < r->query.n; i++)
        params += r->query.p[i] == '&';
    if (params > SIG_QUERY_PARAMS_MAX)
        return err_new(ERR_LIMIT, "The query has more than %d parameters.", SIG_QUERY_PARAMS_MAX);
    return NULL;
}

static bool has_param(struct arena *a, const struct sig_request *r, const char *name)
{
    return sig_query_param(a, r->query, name, NULL).p != NULL;
}

struct err *sigv4_parse(struct arena *a, const struct sig_request *r, struct sig *out)
{
    TRY(check_sizes(r));
    size_t n;
    struct str rest = str_trim(sig_header(r, "authorization", &n));
    struct str scheme = rest.p == NULL ? rest : str_cut(&rest, ' ');
    bool aws = str_starts_c(scheme, "AWS"); /* "AWS", "AWS3-HTTPS", "AWS4-HMAC-SHA256" … */
    bool query = has_param(a, r, "X-Amz-Algorithm") || has_param(a, r, "X-Amz-Credential") ||
                 has_param(a, r, "X-Amz-Signature");
    bool v2 = has_param(a, r, "AWSAccessKeyId") && has_param(a, r, "Signature");
    if ((aws || query) && (n > 1 || (aws && query)))
        return err_aws(400, "InvalidArgument",
                       "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "
                       "Signature query string parameter or the Authorization header should be "
                       "specified");
    if (v2 || str_is(scheme, "AWS") || str_starts_c(scheme, "AWS3"))
        return unsupported();
    if (str_is(scheme, SIGV4A))
        return unsupported();
    struct sig s = {.present = aws || query, .session_token = STR_NONE};
    if (aws && !str_is(scheme, SIG_ALGORITHM))
        return bad_claim(&s, "Unsupported AWS 'algorithm' (only AWS4-HMAC-SHA256 for now).");
    if (aws)
        TRY(parse_header_form(a, r, str_trim(rest), &s));
    else if (query)
        TRY(parse_query_form(a, r, &s));
    *out = s;
    return NULL;
}
