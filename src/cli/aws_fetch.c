/* Asking for keys: a program, the container's and the instance's endpoint, and STS for roles.
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html */
#include "aws_int.h"
#include "cli.h"

#include "core/clock.h"
#include "core/enc.h"
#include "core/xml.h"

#include <arpa/inet.h>

enum { ROLE_NAME_MAX = 256, TOKEN_FILE_MAX = 64 * 1024, ANSWER_ARENA = 4 * 1024 * 1024,
       FORM_MAX = 256 * 1024, WEB_TOKEN_MIN = 4 };

/* {"AccessKeyId", "SecretAccessKey", "Token" or "SessionToken", "Expiration"} */
static struct err *keys_of_answer(struct arena *a, struct str body, const char *token_name,
                                  struct aws_keys **out)
{
    struct jv *j = NULL;
    struct err *e = json_parse(a, body, 8, &j);
    struct str id = jv_s(jv_get(j, "AccessKeyId")), secret = jv_s(jv_get(j, "SecretAccessKey"));
    struct str token = jv_s(jv_get(j, token_name)), end = jv_s(jv_get(j, "Expiration"));
    int64_t expires = INT64_MAX;
    if (e == NULL && end.n > 0 && !time_parse_iso8601(end, &expires))
        e = err_new(ERR_INVALID, "The time at which the AWS credentials end is not one.");
    if (e == NULL)
        e = aws_keys_of(id, secret, token, expires, out);
    aws_wipe(secret);
    aws_wipe(token);
    aws_wipe(body);
    return e;
}

/* -- a program --------------------------------------------------------------------------------- */
static struct err *from_process(struct aws *w, struct arena *a, const struct aws_link *l,
                                struct aws_keys **out)
{
    struct str text = STR_NONE;
    struct jv *j = NULL;
    TRY(aws_process_run(w, a, l->process, &text));
    struct err *e = json_parse(a, text, 8, &j);
    bool known = e == NULL && jv_i(jv_get(j, "Version"), 0) == 1;
    err_free(e);
    if (known)
        return keys_of_answer(a, text, "SessionToken", out);
    aws_wipe(jv_s(jv_get(j, "SecretAccessKey")));
    aws_wipe(text);
    return err_new(ERR_INVALID, "credential_process did not print credentials of version 1.");
}

/* -- the endpoints of containers and instances ------------------------------------------------- */
static struct err *ask(struct arena *a, const char *method, struct str url,
                       const struct http_header *h, size_t n, struct str *out)
{
    struct http_out req = {.method = method, .url = url, .headers = h, .n_headers = n,
                           .timeout_ms = AWS_KEYS_TIMEOUT_MS};
    struct http_in in;
    TRY(http_send(a, &req, &in));
    if (in.status != 200)
        return err_new(ERR_DENIED, "The endpoint for credentials answered with status %d.",
                       in.status);
    *out = in.body;
    return NULL;
}

/* Plain http only where nobody is in between, as the SDKs have it: loopback, and the addresses of
 * the containers' and pods' endpoints. */
bool aws_url_private(struct arena *a, struct str url)
{
    static const char *const hosts[] = {"localhost", "[::1]", "169.254.170.2", "169.254.170.23",
                                        "[fd00:ec2::23]"};
    struct in_addr v4;
    if (str_starts_c(url, "https://"))
        return true;
    if (!str_starts_c(url, "http://"))
        return false;
    struct str rest = str_skip(url, 7);
    size_t n = 0, host = 0;
    while (n < rest.n && strchr("/?#", rest.p[n]) == NULL)
        n++;
    rest = str_take(rest, n);
    bool bracket = n > 0 && rest.p[0] == '[';
    while (host < n && rest.p[host] != (bracket ? ']' : ':'))
        host++;
    host += bracket && host < n ? 1 : 0;
    struct str port = str_skip(rest, host), name = str_take(rest, host);
    int64_t number;
    if (port.n > 0 && (port.p[0] != ':' || !str_to_i64(str_skip(port, 1), 1, 65535, &number)))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
        if (str_is(name, hosts[i]))
            return true;
    return inet_pton(AF_INET, arena_cstr(a, name), &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

static struct err *container_token(struct arena *a, struct str *out)
{
    const char *file = aws_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    *out = str_c(aws_env("AWS_CONTAINER_AUTHORIZATION_TOKEN"));
    if (file == NULL)
        return NULL;
    TRY(file_read(a, file, TOKEN_FILE_MAX, out));
    *out = str_trim(*out);
    return NULL;
}

static struct err *from_container(struct arena *a, struct aws_keys **out)
{
    const char *relative = aws_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = aws_env("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    struct str url = relative != NULL ? arena_fmt(a, "http://169.254.170.2%s", relative)
                                      : str_c(full);
    struct str token, body;
    if (url.n == 0)
        return err_new(ERR_INVALID, "There is no container's endpoint for credentials: "
                       "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not set.");
    if (!aws_url_private(a, url))
        return err_new(ERR_DENIED, "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor an "
                                   "address of this machine.");
    TRY(container_token(a, &token));
    struct http_header h = {STR("Authorization"), token};
    TRY(ask(a, "GET", url, &h, token.n > 0 ? 1 : 0, &body));
    return keys_of_answer(a, body, "Token", out);
}

/* IMDSv2: a session's token first. */
static struct err *from_imds(struct arena *a, struct aws_keys **out)
{
    const char *base = aws_env("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = aws_env("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    if (base == NULL)
        base = mode != NULL && str_is_i(str_c(mode), "ipv6") ? "http://[fd00:ec2::254]"
                                                             : "http://169.254.169.254";
    struct str root = str_c(base), token, role, body;
    if (str_ends_c(root, "/"))
        root = str_take(root, root.n - 1);
    struct http_header ttl = {STR("x-aws-ec2-metadata-token-ttl-seconds"), STR("21600")};
    TRY(ask(a, "PUT", arena_fmt(a, "%.*s/latest/api/token", STR_ARG(root)), &ttl, 1, &token));
    struct http_header h = {STR("x-aws-ec2-metadata-token"), str_trim(token)};
    struct str at = arena_fmt(a, "%.*s/latest/meta-data/iam/security-credentials/", STR_ARG(root));
    TRY(ask(a, "GET", at, &h, 1, &role));
    role = str_trim(str_cut(&role, '\n'));
    if (role.n == 0 || role.n > ROLE_NAME_MAX)
        return err_new(ERR_NOT_FOUND, "This instance has no role.");
    TRY(ask(a, "GET", arena_concat(a, at, enc_uri(a, role, false)), &h, 1, &body));
    return keys_of_answer(a, body, "Token", out);
}

static struct err *from_instance(struct arena *a, bool last_resort, struct aws_keys **out)
{
    const char *off = aws_env("AWS_EC2_METADATA_DISABLED");
    struct err *e = off != NULL && str_is_i(str_c(off), "true")
                        ? err_new(ERR_NOT_FOUND, "AWS_EC2_METADATA_DISABLED is set")
                        : from_imds(a, out);
    if (e == NULL || !last_resort)
        return e;
    struct err *none =
        err_new(ERR_DENIED, "No AWS credentials were found: neither AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, nor a profile in the shared files, nor a container's or an "
                "instance's endpoint (%.200s).", e->message);
    err_free(e);
    return none;
}

/* -- STS --------------------------------------------------------------------------------------- */
static void form_add(struct buf *b, const char *name, struct str value)
{
    if (value.n == 0)
        return;
    buf_fmt(b, "&%s=", name);
    enc_uri_into(b, value, false);
}

/* <XResponse><XResult><Credentials>… */
static struct err *keys_of_sts(struct arena *a, const struct http_in *in, struct aws_keys **out)
{
    struct xml *x = NULL;
    struct err *e = xml_parse(a, in->body, &x);
    const struct xml *result = xml_child(x, "AssumeRoleResult");
    if (result == NULL)
        result = xml_child(x, "AssumeRoleWithWebIdentityResult");
    const struct xml *c = xml_child(result, "Credentials");
    struct str secret = xml_text(xml_child(c, "SecretAccessKey"));
    struct str token = xml_text(xml_child(c, "SessionToken"));
    int64_t expires = INT64_MAX;
    if (e == NULL && (c == NULL || token.n == 0 ||
                      !time_parse_iso8601(xml_text(xml_child(c, "Expiration")), &expires)))
        e = err_new(ERR_INVALID, "the answer has no credentials");
    if (e == NULL)
        e = aws_keys_of(xml_text(xml_child(c, "AccessKeyId")), secret, token, expires, out);
    aws_wipe(secret);
    aws_wipe(token);
    aws_wipe(in->body);
    return e;
}

/* The endpoint of the region, as the SDKs have it now: https://sts.REGION.amazonaws.com. */
static struct err *call_sts(struct aws *w, struct arena *a, const struct aws_keys *k,
                            struct str body, const char *what, struct aws_keys **out)
{
    struct str region = aws_region(w), endpoint = aws_endpoint(w, "sts");
    struct http_in in;
    if (region.n == 0)
        region = STR("us-east-1");
    if (endpoint.p == NULL)
        endpoint = arena_fmt(a, "https://sts.%.*s.%s", STR_ARG(region), aws_domain(region));
    struct aws_request r = {.service = "sts", .method = "POST", .region = region,
                            .endpoint = endpoint, .path = STR("/"), .query = STR_NONE,
                            .body = body, .n_headers = 1};
    r.headers[0] = (struct http_header){STR("content-type"),
                                        STR("application/x-www-form-urlencoded; charset=utf-8")};
    TRY(aws_send_as(w, a, k, &r, &in));
    return in.status == 200 ? keys_of_sts(a, &in, out) : aws_refused(a, what, &in);
}

static struct err *assume(struct aws *w, struct arena *a, const struct aws_link *l,
                          const struct aws_keys *k, struct aws_keys **out)
{
    bool web = l->from == AWS_FROM_WEB;
    const char *action = web ? "AssumeRoleWithWebIdentity" : "AssumeRole";
    struct str token = STR_NONE, code = STR_NONE;
    if (web) {
        TRY(file_read(a, arena_cstr(a, l->token_file), TOKEN_FILE_MAX, &token));
        token = str_trim(token);
        if (token.n < WEB_TOKEN_MIN)
            return err_new(ERR_INVALID, "The file of the web identity's token is empty.");
    }
    if (l->mfa_serial.n > 0)
        TRY(aws_mfa_ask(w, a, l, &code));
    struct buf b = BUF_INIT(FORM_MAX);
    buf_fmt(&b, "Action=%s&Version=2011-06-15", action);
    form_add(&b, "RoleArn", l->role_arn);
    form_add(&b, "RoleSessionName",
             l->session.n > 0 ? l->session
                              : arena_fmt(a, "ward-%lld", (long long)(clock_now_ms() / 1000)));
    form_add(&b, "ExternalId", l->external_id);
    form_add(&b, "DurationSeconds", l->duration);
    form_add(&b, "WebIdentityToken", token);
    form_add(&b, "SerialNumber", l->mfa_serial);
    form_add(&b, "TokenCode", code);
    struct err *e = buf_check(&b);
    if (e == NULL)
        e = call_sts(w, a, k, buf_view(&b), action, out);
    if (b.n > 0)
        secret_wipe(b.p, b.n);
    buf_clear(&b);
    aws_wipe(token);
    aws_wipe(code);
    return e;
}

/* -- along the chain --------------------------------------------------------------------------- */
static struct err *fetch_link(struct aws *w, struct arena *a, const struct aws_chain *c, size_t i,
                              const struct aws_keys *k, struct aws_keys **out)
{
    const struct aws_link *l = &c->v[i];
    switch (l->from) {
    case AWS_FROM_PROCESS: return from_process(w, a, l, out);
    case AWS_FROM_SSO: return aws_sso_fetch(w, a, l, out);
    case AWS_FROM_CONTAINER: return from_container(a, out);
    case AWS_FROM_INSTANCE: return from_instance(a, c->n == 1, out);
    case AWS_FROM_WEB:
    case AWS_FROM_ROLE: return assume(w, a, l, k, out);
    default: return err_new(ERR_INTERNAL, "The keys of a profile are not fetched.");
    }
}

static bool names_profile(enum aws_from from)
{
    return from == AWS_FROM_PROCESS || from == AWS_FROM_WEB || from == AWS_FROM_SSO ||
           from == AWS_FROM_ROLE;
}

struct err *aws_chain_fetch(struct aws *w, const struct aws_chain *c, struct aws_keys **out)
{
    struct aws_keys *k = NULL;
    for (size_t i = c->v[0].from == AWS_FROM_KEYS ? 1 : 0; i < c->n; i++) {
        struct arena *a CLEANUP(arena_free_ptr) = arena_new(ANSWER_ARENA);
        struct aws_keys *next = NULL;
        struct err *e = fetch_link(w, a, c, i, k != NULL ? k : c->keys, &next);
        aws_keys_free(k);
        if (e != NULL && names_profile(c->v[i].from)) {
            struct err *named = err_new(e->kind, "Credentials by the profile %.100s: %.300s",
                                        c->v[i].profile, e->message);
            err_free(e);
            e = named;
        }
        if (e != NULL)
            return e;
        k = next;
    }
    *out = k;
    return NULL;
}
