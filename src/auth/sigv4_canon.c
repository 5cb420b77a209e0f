/* The canonical request and the string to sign: one spelling of a request that both sides agree on.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
#include "sigv4_internal.h"

#include "../core/enc.h"

struct param {
    struct str name, value; /* in canonical encoding */
};

struct str sig_header(const struct sig_request *r, const char *name, size_t *out_count)
{
    struct str first = STR_NONE;
    size_t count = 0;
    for (size_t i = 0; i < r->n_headers; i++) {
        if (!str_is_i(r->headers[i].name, name))
            continue;
        if (count++ == 0)
            first = r->headers[i].value;
    }
    if (out_count != NULL)
        *out_count = count;
    return first;
}

bool sig_list_has(struct str list, struct str name)
{
    while (list.p != NULL)
        if (str_ieq(str_cut(&list, ';'), name))
            return true;
    return false;
}

/* A broken escape stands for its own characters, so that every query has one canonical form. */
static struct str decoded(struct arena *a, struct str s, bool plus_is_space)
{
    struct str out;
    return dec_uri(a, s, plus_is_space, &out) ? out : s;
}

struct str sig_query_param(struct arena *a, struct str query, const char *name, size_t *out_count)
{
    struct str first = STR_NONE;
    size_t count = 0;
    while (query.p != NULL) {
        struct str value = str_cut(&query, '&');
        struct str key = str_cut(&value, '=');
        if (!str_is(key, name) && !str_is(decoded(a, key, true), name))
            continue;
        if (count++ == 0)
            first = value.p == NULL ? STR("") : decoded(a, value, true);
    }
    if (out_count != NULL)
        *out_count = count;
    return first;
}

/* RFC 3986, 5.2.4, and runs of slashes become one. */
static struct str normalised_path(struct arena *a, struct str path)
{
    VEC(struct str) kept = {0};
    bool slash_at_end = false;
    for (struct str rest = path; rest.p != NULL;) {
        struct str segment = str_cut(&rest, '/');
        bool dots = str_is(segment, "..");
        slash_at_end = segment.n == 0 || dots || str_is(segment, ".");
        if (dots && kept.n > 0)
            kept.n--;
        else if (!slash_at_end)
            VEC_PUSH(a, &kept, segment);
    }
    char *p = arena_alloc(a, path.n + 2);
    size_t n = 0;
    for (size_t i = 0; i < kept.n; i++) {
        p[n++] = '/';
        memcpy(p + n, kept.v[i].p, kept.v[i].n);
        n += kept.v[i].n;
    }
    if (n == 0 || slash_at_end)
        p[n++] = '/';
    return str_of(p, n);
}

static void canonical_path(struct arena *a, struct buf *b, const struct sig_request *r,
                           bool keep_path)
{
    struct str path = r->path.n == 0 ? STR("/") : r->path;
    enc_uri_into(b, keep_path ? decoded(a, path, false) : normalised_path(a, path), true);
}

static int param_order(const void *x, const void *y)
{
    const struct param *a = x, *b = y;
    int d = str_cmp(a->name, b->name);
    return d != 0 ? d : str_cmp(a->value, b->value);
}

static void canonical_query(struct arena *a, struct buf *b, struct str query)
{
    VEC(struct param) params = {0};
    while (query.p != NULL) {
        struct str value = str_cut(&query, '&');
        if (value.n == 0)
            continue;
        struct str name = decoded(a, str_cut(&value, '='), true);
        if (str_is(name, "X-Amz-Signature"))
            continue;
        struct param p = {.name = enc_uri(a, name, false),
                          .value = value.p == NULL ? STR("")
                                                   : enc_uri(a, decoded(a, value, true), false)};
        VEC_PUSH(a, &params, p);
    }
    if (params.n > 0)
        qsort(params.v, params.n, sizeof *params.v, param_order);
    for (size_t i = 0; i < params.n; i++) {
        if (i > 0)
            buf_char(b, '&');
        buf_str(b, params.v[i].name);
        buf_char(b, '=');
        buf_str(b, params.v[i].value);
    }
}

/* Trimmed, and each run of blanks as one. */
static void header_value(struct buf *b, struct str value)
{
    value = str_trim(value);
    bool blank = false;
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        bool is_blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';
        if (!is_blank)
            buf_char(b, c);
        else if (!blank)
            buf_char(b, ' ');
        blank = is_blank;
    }
}

static void canonical_headers(struct buf *b, const struct sig_request *r, struct str names)
{
    while (names.p != NULL) {
        struct str name = str_cut(&names, ';');
        buf_str(b, name);
        buf_char(b, ':');
        bool first = true;
        for (size_t i = 0; i < r->n_headers; i++) {
            if (!str_ieq(r->headers[i].name, name))
                continue;
            if (!first)
                buf_char(b, ',');
            header_value(b, r->headers[i].value);
            first = false;
        }
        buf_char(b, '\n');
    }
}

struct str sigv4_canonical_request(struct arena *a, const struct sig_request *r,
                                   const struct sig *s)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(SIG_CANONICAL_MAX);
    buf_str(&b, r->method);
    buf_char(&b, '\n');
    canonical_path(a, &b, r, s->keep_path);
    buf_char(&b, '\n');
    canonical_query(a, &b, r->query);
    buf_char(&b, '\n');
    canonical_headers(&b, r, s->signed_headers);
    buf_char(&b, '\n');
    buf_str(&b, s->signed_headers);
    buf_char(&b, '\n');
    buf_str(&b, s->payload_hash);
    return buf_ok(&b) ? arena_str(a, buf_view(&b)) : STR_NONE;
}

struct str sigv4_string_to_sign(struct arena *a, const struct sig *s, struct str canonical)
{
    struct str hash = sha256_hex(a, canonical);
    return arena_fmt(a, SIG_ALGORITHM "\n%.*s\n%.*s\n%.*s", STR_ARG(s->amz_date),
                     STR_ARG(s->scope), STR_ARG(hash));
}
