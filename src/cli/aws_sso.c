/* Keys by the IAM Identity Center (SSO): a sign-in that `aws sso login` left below ~/.aws/sso/cache
 * is handed in for the keys of a role, and renewed when it is about to end.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-sso-credentials.html
 * https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html
 * https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateToken.html */
#include "aws_int.h"
#include "cli.h"

#include "core/clock.h"
#include "core/enc.h"

#include <unistd.h>

#define CACHE_FOLDER ".aws/sso/cache"

enum { JSON_DEPTH = 8, TEXT_MAX = 2 * AWS_SSO_FILE_MAX };

struct sign_in {
    const char *path;
    struct jv *j; /* the whole file; what follows are views of it */
    struct str access, refresh, client, client_secret;
    int64_t ends_ms, client_ends_ms;
};

/* "…: aws sso login --profile NAME" */
static struct err *sign_in_first(const struct aws_link *l, const char *why)
{
    const char *quote = strpbrk(l->profile, " \t") != NULL ? "'" : "";
    return err_new(ERR_DENIED, "%.160s. Sign in: aws sso login --profile %s%.100s%s", why, quote,
                   l->profile, quote);
}

/* -- the sign-in's file ------------------------------------------------------------------------ */
static const char *path_of(struct arena *a, const struct aws_link *l)
{
    unsigned char hash[SHA1_SIZE];
    hash_once(HASH_SHA1, l->sso.session.n > 0 ? l->sso.session : l->sso.start_url, hash);
    struct str hex = enc_hex(a, str_of(hash, sizeof hash));
    return aws_home_path(a, arena_fmt(a, CACHE_FOLDER "/%.*s.json", STR_ARG(hex)).p);
}

/* As it goes into a header. */
static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return false;
    return s.n > 0 && s.n <= AWS_VALUE_MAX;
}

/* Older command lines wrote "…UTC" for "…Z". */
static bool time_of(struct arena *a, struct str s, int64_t *out_ms)
{
    if (str_ends_c(s, "UTC"))
        s = arena_fmt(a, "%.*sZ", (int)(s.n - 3), s.p);
    return time_parse_iso8601(s, out_ms);
}

static struct err *take_members(struct arena *a, struct sign_in *s)
{
    struct str ends = jv_s(jv_get(s->j, "expiresAt"));
    struct str client_ends = jv_s(jv_get(s->j, "registrationExpiresAt"));
    s->access = jv_s(jv_get(s->j, "accessToken"));
    s->refresh = jv_s(jv_get(s->j, "refreshToken"));
    s->client = jv_s(jv_get(s->j, "clientId"));
    s->client_secret = jv_s(jv_get(s->j, "clientSecret"));
    if (!time_of(a, client_ends, &s->client_ends_ms))
        s->client_ends_ms = 0;
    return is_token(s->access) && time_of(a, ends, &s->ends_ms)
               ? NULL : err_new(ERR_INVALID, "it has no accessToken and expiresAt");
}

/* Of the members that are secret, and of any other text. */
static void wipe_tree(const struct jv *j)
{
    for (size_t i = 0; jv_is(j, JV_OBJ) && i < j->obj.n; i++)
        aws_wipe(jv_s(&j->obj.v[i].value));
}

static struct err *read_sign_in(struct arena *a, const struct aws_link *l, struct sign_in *s)
{
    struct str text = STR_NONE;
    s->path = path_of(a, l);
    struct err *e = file_read(a, s->path, AWS_SSO_FILE_MAX, &text);
    if (err_is(e, ERR_NOT_FOUND)) {
        err_free(e);
        return sign_in_first(l, "There is no sign-in to the IAM Identity Center");
    }
    if (e != NULL)
        return e;
    e = json_parse(a, text, JSON_DEPTH, &s->j);
    aws_wipe(text);
    if (e == NULL)
        e = take_members(a, s);
    if (e == NULL)
        return NULL;
    err_free(e); /* the parser's words may quote the file */
    wipe_tree(s->j);
    struct str why = arena_fmt(a, "%.120s is no whole sign-in", s->path);
    return sign_in_first(l, why.p);
}

static struct err *save(const struct sign_in *s)
{
    struct buf b = BUF_INIT(TEXT_MAX);
    buf_reserve(&b, TEXT_MAX); /* at once: what grows leaves copies behind */
    struct jw w = jw_to(&b);
    jw_value(&w, s->j);
    struct err *e = buf_check(&b);
    if (e == NULL)
        e = file_write(s->path, buf_view(&b), 0600);
    secret_wipe(b.p, b.n);
    buf_clear(&b);
    return e;
}

/* -- the two calls ----------------------------------------------------------------------------- */
/* Tokens are no signatures: who reads one on the way has it. */
static struct err *endpoint_of(struct aws *w, struct arena *a, const char *service,
                               const char *host, struct str region, struct str *out)
{
    *out = aws_endpoint(w, service);
    if (out->p == NULL)
        *out = arena_fmt(a, "https://%s.%.*s.%s", host, STR_ARG(region), aws_domain(region));
    return aws_url_private(a, *out)
               ? NULL
               : err_new(ERR_DENIED, "The endpoint that is set for %s is neither https nor an "
                         "address of this machine.", service);
}

static struct err *ask_token(struct aws *w, struct arena *a, const struct aws_link *l,
                             const struct sign_in *s, struct http_in *out)
{
    struct aws_request r = {.service = "sso-oidc", .method = "POST", .region = l->sso.region,
                            .path = STR("/token"), .query = STR_NONE, .n_headers = 1};
    TRY(endpoint_of(w, a, "sso-oidc", "oidc", l->sso.region, &r.endpoint));
    r.headers[0] = (struct http_header){STR("content-type"), STR("application/json")};
    struct buf b = BUF_INIT(TEXT_MAX);
    buf_reserve(&b, TEXT_MAX);
    struct jw j = jw_to(&b);
    jw_obj(&j);
    jw_ks(&j, "clientId", s->client);
    jw_ks(&j, "clientSecret", s->client_secret);
    jw_kc(&j, "grantType", "refresh_token");
    jw_ks(&j, "refreshToken", s->refresh);
    jw_end(&j);
    r.body = buf_view(&b);
    struct err *e = buf_check(&b);
    if (e == NULL)
        e = aws_send_as(w, a, NULL, &r, out);
    secret_wipe(b.p, b.n);
    buf_clear(&b);
    return e;
}

static struct err *ask_keys(struct aws *w, struct arena *a, const struct aws_link *l,
                            struct str token, struct http_in *out)
{
    struct str account = enc_uri(a, l->sso.account, false), role = enc_uri(a, l->sso.role, false);
    struct aws_request r = {.service = "sso", .method = "GET", .region = l->sso.region,
                            .path = STR("/federation/credentials"), .n_headers = 1};
    TRY(endpoint_of(w, a, "sso", "portal.sso", l->sso.region, &r.endpoint));
    r.query = arena_fmt(a, "account_id=%.*s&role_name=%.*s", STR_ARG(account), STR_ARG(role));
    r.headers[0] = (struct http_header){STR("x-amz-sso_bearer_token"), token};
    return aws_send_as(w, a, NULL, &r, out);
}

/* -- renewing a sign-in ------------------------------------------------------------------------ */
/* The file with the new token in it; what else the command line keeps there stays. */
static struct err *put_token(struct arena *a, const struct aws_link *l, const struct jv *answer,
                             struct sign_in *s)
{
    struct str access = jv_s(jv_get(answer, "accessToken"));
    struct str refresh = jv_s(jv_get(answer, "refreshToken"));
    int64_t seconds = jv_i(jv_get(answer, "expiresIn"), 0);
    if (!is_token(access) || seconds <= 0 || seconds > AWS_SSO_SECONDS_MAX)
        return err_new(ERR_INVALID, "CreateToken: the answer has no token");
    struct str ends = time_iso8601_str(a, clock_now_ms() + seconds * 1000);
    jv_set(a, s->j, STR("startUrl"), jv_new_str(a, l->sso.start_url)); /* a copy, as all are */
    jv_set(a, s->j, STR("region"), jv_new_str(a, l->sso.region));
    jv_set(a, s->j, STR("accessToken"), jv_new_str(a, access));
    jv_set(a, s->j, STR("expiresAt"), jv_new_str(a, ends));
    if (refresh.n > 0)
        jv_set(a, s->j, STR("refreshToken"), jv_new_str(a, refresh));
    return take_members(a, s);
}

static struct err *take_token(struct arena *a, const struct aws_link *l, const struct http_in *in,
                              struct sign_in *s)
{
    struct jv *answer = NULL;
    if (in->status != 200)
        return aws_refused(a, "CreateToken", in);
    struct err *e = json_parse(a, in->body, JSON_DEPTH, &answer);
    aws_wipe(in->body);
    if (e != NULL) {
        err_free(e);
        return err_new(ERR_INVALID, "CreateToken: the answer is not JSON");
    }
    struct sign_in old = *s;
    e = put_token(a, l, answer, s);
    wipe_tree(answer);
    if (e != NULL)
        return e;
    aws_wipe(old.access);
    if (s->refresh.p != old.refresh.p)
        aws_wipe(old.refresh);
    return save(s);
}

static struct err *renew(struct aws *w, struct arena *a, const struct aws_link *l,
                         struct sign_in *s)
{
    struct http_in in;
    /* A refresh token may be of use only once: not spent where the new one cannot be kept. */
    if (access(aws_home_path(a, CACHE_FOLDER), W_OK | X_OK) != 0)
        return err_new(ERR_IO, "~/" CACHE_FOLDER " cannot be written");
    TRY(ask_token(w, a, l, s, &in));
    return take_token(a, l, &in, s);
}

/* Only sign-ins by a session are renewed, as the SDKs have it. What was good stays in use if it
 * cannot be. */
static struct err *good_sign_in(struct aws *w, struct arena *a, const struct aws_link *l,
                                struct sign_in *s)
{
    int64_t now = clock_now_ms();
    bool good = s->ends_ms > now;
    bool may = l->sso.session.n > 0 && s->refresh.n > 0 && s->client.n > 0 &&
               s->client_secret.n > 0 && s->client_ends_ms > now;
    if (s->ends_ms > now + AWS_SSO_REFRESH_MS)
        return NULL;
    struct err *e = may ? renew(w, a, l, s) : NULL;
    if (good || (may && e == NULL)) {
        err_free(e);
        return NULL;
    }
    if (e == NULL)
        return sign_in_first(l, "The sign-in to the IAM Identity Center has ended");
    struct str why = arena_fmt(a, "The sign-in has ended and was not renewed (%.100s)", e->message);
    err_free(e);
    return sign_in_first(l, why.p);
}

/* -- keys -------------------------------------------------------------------------------------- */
/* {"roleCredentials": {"accessKeyId", "secretAccessKey", "sessionToken", "expiration": ms}} */
static struct err *keys_of_role(struct arena *a, struct str body, struct aws_keys **out)
{
    struct jv *j = NULL;
    struct err *e = json_parse(a, body, JSON_DEPTH, &j);
    aws_wipe(body);
    const struct jv *c = jv_get(j, "roleCredentials");
    struct str token = jv_s(jv_get(c, "sessionToken"));
    int64_t ends_ms = jv_i(jv_get(c, "expiration"), 0);
    if (e != NULL || token.n == 0 || ends_ms <= 0) {
        err_free(e);
        e = err_new(ERR_INVALID, "GetRoleCredentials: the answer has no credentials");
    } else {
        e = aws_keys_of(jv_s(jv_get(c, "accessKeyId")), jv_s(jv_get(c, "secretAccessKey")), token,
                        ends_ms, out);
    }
    wipe_tree(c);
    return e;
}

static struct err *keys_by(struct aws *w, struct arena *a, const struct aws_link *l,
                           struct str token, struct aws_keys **out)
{
    struct http_in in;
    TRY(ask_keys(w, a, l, token, &in));
    if (in.status == 200)
        return keys_of_role(a, in.body, out);
    if (in.status == 401)
        return sign_in_first(l, "The IAM Identity Center does not know the sign-in any more");
    return aws_refused(a, "GetRoleCredentials", &in);
}

struct err *aws_sso_fetch(struct aws *w, struct arena *a, const struct aws_link *l,
                          struct aws_keys **out)
{
    struct sign_in s = {0};
    TRY(read_sign_in(a, l, &s));
    struct err *e = good_sign_in(w, a, l, &s);
    if (e == NULL)
        e = keys_by(w, a, l, s.access, out);
    wipe_tree(s.j);
    return e;
}
