/* Whose keys: the environment, a profile, the container's endpoint, the instance's role; in the
 * order that the SDKs have.
 * https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html */
#include "aws_int.h"
#include "cli.h"

enum { ROLE_NAME_MAX = 256, TOKEN_FILE_MAX = 64 * 1024, ANSWER_ARENA = 4 * 1024 * 1024 };

static const char *const endpoint_services[] = {"s3", "cloudtrail"};

struct aws {
    struct arena *a;
    struct str region, base_endpoint, endpoints[ARRAY_LEN(endpoint_services)];
    const char *ca_file;
    bool instance; /* keys come from the container's or the instance's endpoint */
    pthread_mutex_t lock; /* of what follows; never held while somebody is asked */
    pthread_cond_t stop;
    struct aws_keys *keys;
    bool renewing, stopped;
};

/* -- keys -------------------------------------------------------------------------------------- */
static void keys_free(struct aws_keys *k)
{
    if (k == NULL)
        return;
    free(k->id);
    secret_free(k->secret);
    secret_free(k->token);
    free(k);
}

/* A copy of the id; takes the secrets. */
static struct aws_keys *keys_new(struct str id, struct secret *secret, struct secret *token,
                                 int64_t expires_ms)
{
    struct aws_keys *k = calloc(1, sizeof *k);
    CHECK(k != NULL);
    *k = (struct aws_keys){.id = strndup(id.p, id.n), .secret = secret, .token = token,
                           .expires_ms = expires_ms, .refs = 1};
    CHECK(k->id != NULL);
    return k;
}

static struct err *keys_of_texts(struct str id, struct str secret, struct str token,
                                 int64_t expires_ms, struct aws_keys **out)
{
    struct secret *s = NULL, *t = NULL;
    if (id.n == 0 || id.n > AWS_VALUE_MAX || secret.n == 0 || secret.n > AWS_VALUE_MAX ||
        token.n > AWS_VALUE_MAX)
        return err_new(ERR_INVALID, "The AWS access key is not whole: its id or its secret is "
                                    "missing, or too long.");
    TRY(secret_new(secret, &s));
    struct err *e = token.n > 0 ? secret_new(token, &t) : NULL;
    if (e != NULL) {
        secret_free(s);
        return e;
    }
    *out = keys_new(id, s, t, expires_ms);
    return NULL;
}

/* -- the endpoints of containers and instances ------------------------------------------------- */
/* {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}: both answer so. */
static struct err *keys_of_answer(struct arena *a, struct str body, struct aws_keys **out)
{
    struct jv *j = NULL;
    TRY(json_parse(a, body, 8, &j));
    struct str id = jv_s(jv_get(j, "AccessKeyId")), secret = jv_s(jv_get(j, "SecretAccessKey"));
    struct str token = jv_s(jv_get(j, "Token"));
    int64_t expires;
    if (!time_parse_iso8601(jv_s(jv_get(j, "Expiration")), &expires))
        expires = INT64_MAX;
    struct err *e = keys_of_texts(id, secret, token, expires, out);
    secret_wipe((void *)(uintptr_t)secret.p, secret.n);
    secret_wipe((void *)(uintptr_t)token.p, token.n);
    secret_wipe((void *)(uintptr_t)body.p, body.n);
    return e;
}

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

/* Plain http only where nobody is in between, as the SDKs have it. */
static bool container_url_ok(struct str url)
{
    static const char *const hosts[] = {"http://127.", "http://localhost", "http://[::1]",
                                        "http://169.254.170.2/", "http://169.254.170.23/",
                                        "http://[fd00:ec2::23]"};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
        if (str_starts_c(url, hosts[i]))
            return true;
    return str_starts_c(url, "https://");
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
    if (!container_url_ok(url))
        return err_new(ERR_DENIED, "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor an "
                                   "address of this machine.");
    TRY(container_token(a, &token));
    struct http_header h = {STR("Authorization"), token};
    TRY(ask(a, "GET", url, &h, token.n > 0 ? 1 : 0, &body));
    return keys_of_answer(a, body, out);
}

/* IMDSv2: a session's token first. */
static struct err *from_instance(struct arena *a, struct aws_keys **out)
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
    return keys_of_answer(a, body, out);
}

static bool in_container(void)
{
    return aws_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != NULL ||
           aws_env("AWS_CONTAINER_CREDENTIALS_FULL_URI") != NULL;
}

static struct err *fetch(struct aws_keys **out)
{
    const char *off = aws_env("AWS_EC2_METADATA_DISABLED");
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(ANSWER_ARENA);
    if (in_container())
        return from_container(a, out);
    struct err *e = off != NULL && str_is_i(str_c(off), "true")
                        ? err_new(ERR_NOT_FOUND, "AWS_EC2_METADATA_DISABLED is set")
                        : from_instance(a, out);
    if (e == NULL)
        return NULL;
    struct err *none =
        err_new(ERR_DENIED, "No AWS credentials were found: neither AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, nor a profile in the shared files, nor a container's or an "
                "instance's endpoint (%.200s).", e->message);
    err_free(e);
    return none;
}

struct err *aws_keys_get(struct aws *w, const struct aws_keys *old, struct aws_keys **out)
{
    pthread_mutex_lock(&w->lock);
    /* One asks; the others go on with what there is, unless that is nothing, or was refused. */
    while ((w->keys == NULL || w->keys == old) && w->renewing)
        pthread_cond_wait(&w->stop, &w->lock);
    const struct aws_keys *k = w->keys;
    bool ends = k == NULL || k == old ||
                (k->expires_ms != INT64_MAX && clock_now_ms() > k->expires_ms - AWS_RENEW_MS);
    bool mine = w->instance && !w->renewing && ends;
    w->renewing |= mine;
    pthread_mutex_unlock(&w->lock);
    struct aws_keys *fresh = NULL;
    struct err *e = mine ? fetch(&fresh) : NULL;
    pthread_mutex_lock(&w->lock);
    if (mine) {
        w->renewing = false;
        pthread_cond_broadcast(&w->stop);
    }
    if (fresh != NULL) {
        if (w->keys != NULL && --w->keys->refs == 0)
            keys_free(w->keys);
        w->keys = fresh;
    }
    bool have = w->keys != NULL && (e == NULL || w->keys->expires_ms > clock_now_ms());
    if (have) {
        w->keys->refs++;
        *out = w->keys;
    }
    pthread_mutex_unlock(&w->lock);
    if (have) {
        err_free(e);
        return NULL;
    }
    return e != NULL ? e : err_new(ERR_DENIED, "No AWS credentials could be had.");
}

void aws_keys_unref(struct aws *w, struct aws_keys *k)
{
    if (k == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    bool last = --k->refs == 0;
    pthread_mutex_unlock(&w->lock);
    if (last)
        keys_free(k);
}

/* -- settings ---------------------------------------------------------------------------------- */
static struct str without_slash(struct arena *a, const char *url)
{
    struct str s = arena_str(a, str_c(url));
    while (s.n > 0 && s.p[s.n - 1] == '/')
        s.n--;
    return s;
}

/* Of the service, of all services, of the profile. */
static struct err *set_endpoints(struct aws *w, const struct aws_profile *p)
{
    const char *ignore = aws_env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    const char *names[] = {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_CLOUDTRAIL"};
    if (ignore != NULL && str_is_i(str_c(ignore), "true"))
        return NULL;
    w->base_endpoint = without_slash(w->a, aws_env("AWS_ENDPOINT_URL"));
    if (w->base_endpoint.p == NULL && p->endpoint_url.n > 0)
        w->base_endpoint = without_slash(w->a, p->endpoint_url.p);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *url = aws_env(names[i]);
        w->endpoints[i] = url != NULL ? without_slash(w->a, url) : w->base_endpoint;
        if (w->endpoints[i].p != NULL && !str_starts_c(w->endpoints[i], "https://") &&
            !str_starts_c(w->endpoints[i], "http://"))
            return err_new(ERR_INVALID, "The endpoint that is set (AWS_ENDPOINT_URL or %s) is not "
                           "a URL: it begins with https:// or http://.", names[i]);
    }
    return NULL;
}

static struct err *set_keys(struct aws *w, struct aws_profile *p, const char *profile)
{
    const char *id = aws_env("AWS_ACCESS_KEY_ID"), *secret = aws_env("AWS_SECRET_ACCESS_KEY");
    const char *not_built = aws_env("AWS_WEB_IDENTITY_TOKEN_FILE") != NULL
                                ? "AWS_WEB_IDENTITY_TOKEN_FILE" : p->not_built;
    if (id != NULL || secret != NULL)
        return keys_of_texts(str_c(id), str_c(secret), str_c(aws_env("AWS_SESSION_TOKEN")),
                             INT64_MAX, &w->keys);
    if (not_built != NULL)
        return err_new(ERR_UNSUPPORTED, "The profile %.100s asks for credentials by %s, which is "
                       "not built. Export them: eval \"$(aws configure export-credentials "
                       "--format env)\"", profile, not_built);
    if (p->id.n > 0 && p->secret != NULL) {
        w->keys = keys_new(p->id, p->secret, p->token, INT64_MAX);
        p->secret = p->token = NULL;
        return NULL;
    }
    w->instance = true;
    return NULL;
}

static struct err *set_all(struct aws *w)
{
    struct aws_profile p = {0};
    const char *name = aws_env("AWS_PROFILE"), *region = aws_env("AWS_REGION");
    if (name == NULL)
        name = aws_env("AWS_DEFAULT_PROFILE");
    if (region == NULL)
        region = aws_env("AWS_DEFAULT_REGION");
    TRY(aws_profile_read(w->a, name == NULL ? "default" : name, name != NULL, &p));
    w->region = region != NULL ? arena_str(w->a, str_c(region)) : p.region;
    w->ca_file = aws_env("AWS_CA_BUNDLE");
    if (w->ca_file == NULL && p.ca_bundle.n > 0)
        w->ca_file = p.ca_bundle.p;
    struct err *e = set_endpoints(w, &p);
    if (e == NULL)
        e = set_keys(w, &p, name == NULL ? "default" : name);
    aws_profile_clear(&p);
    return e;
}

struct err *aws_open(struct aws **out)
{
    struct aws *w = calloc(1, sizeof *w);
    CHECK(w != NULL);
    w->a = arena_new(4 * AWS_FILE_MAX);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->stop, NULL);
    struct err *e = set_all(w);
    if (e != NULL) {
        aws_close(w);
        return e;
    }
    *out = w;
    return NULL;
}

void aws_close(struct aws *w)
{
    if (w == NULL)
        return;
    keys_free(w->keys);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->stop);
    arena_free(w->a);
    free(w);
}

void aws_stop(struct aws *w)
{
    pthread_mutex_lock(&w->lock);
    w->stopped = true;
    pthread_cond_broadcast(&w->stop);
    pthread_mutex_unlock(&w->lock);
}

bool aws_wait(struct aws *w, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    int64_t ns = until.tv_nsec + ms % 1000 * 1000000;
    until.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_mutex_lock(&w->lock);
    int rc = 0;
    while (!w->stopped && rc == 0)
        rc = pthread_cond_timedwait(&w->stop, &w->lock, &until);
    bool on = !w->stopped;
    pthread_mutex_unlock(&w->lock);
    return on;
}

const char *aws_ca_file(const struct aws *w)
{
    return w->ca_file;
}

struct str aws_region(const struct aws *w)
{
    return w->region;
}

struct str aws_endpoint(const struct aws *w, const char *service)
{
    for (size_t i = 0; i < ARRAY_LEN(endpoint_services); i++)
        if (strcmp(endpoint_services[i], service) == 0)
            return w->endpoints[i];
    return w->base_endpoint;
}

const char *aws_domain(struct str region)
{
    return str_starts_c(region, "cn-") ? "amazonaws.com.cn" : "amazonaws.com";
}
