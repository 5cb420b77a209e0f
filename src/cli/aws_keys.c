/* What was set, and the keys of the moment. */
#include "aws_int.h"

#include "core/clock.h"

static const char *const endpoint_services[] = {"s3", "cloudtrail", "sts", "sso", "sso-oidc"};

struct aws {
    struct arena *a;
    struct str region, base_endpoint, endpoints[ARRAY_LEN(endpoint_services)];
    const char *ca_file;
    struct aws_chain chain;
    pthread_mutex_t lock; /* of what follows; never held while somebody is asked */
    pthread_cond_t stop;
    struct aws_keys *keys;
    bool renewing, stopped;
    int64_t asked_ms; /* when it was last asked for keys; 0: never */
    struct err *gave_up; /* a person was asked in vain, and is not asked again */
};

/* -- keys -------------------------------------------------------------------------------------- */
void aws_keys_free(struct aws_keys *k)
{
    if (k == NULL)
        return;
    free(k->id);
    secret_free(k->secret);
    secret_free(k->token);
    free(k);
}

struct aws_keys *aws_keys_new(struct str id, struct secret *secret, struct secret *token,
                              int64_t expires_ms)
{
    struct aws_keys *k = calloc(1, sizeof *k);
    CHECK(k != NULL);
    *k = (struct aws_keys){.id = strndup(id.p, id.n), .secret = secret, .token = token,
                           .expires_ms = expires_ms, .refs = 1};
    CHECK(k->id != NULL);
    return k;
}

struct err *aws_keys_of(struct str id, struct str secret, struct str token, int64_t expires_ms,
                        struct aws_keys **out)
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
    *out = aws_keys_new(id, s, t, expires_ms);
    return NULL;
}

/* -- the keys of the moment ------------------------------------------------------------------- */
static bool renewable(const struct aws *w)
{
    return w->chain.n > 1 || w->chain.v[0].from != AWS_FROM_KEYS;
}

static bool asks_person(const struct aws *w)
{
    for (size_t i = 0; i < w->chain.n; i++)
        if (w->chain.v[i].mfa_serial.n > 0)
            return true;
    return false;
}

/* Under the lock. Keys that come with little time left are not asked for at every request, and a
 * person not before they have ended. */
static bool are_wanted(const struct aws *w, const struct aws_keys *old)
{
    const struct aws_keys *k = w->keys;
    int64_t before_ms = asks_person(w) ? 0 : AWS_RENEW_MS;
    return k == NULL || k == old ||
           (k->expires_ms != INT64_MAX && clock_now_ms() > k->expires_ms - before_ms &&
            clock_mono_ms() > w->asked_ms + AWS_RENEW_PAUSE_MS);
}

/* Under the lock. */
static void note_asked(struct aws *w, const struct err *e)
{
    w->asked_ms = clock_mono_ms();
    w->renewing = false;
    if (e != NULL && asks_person(w))
        w->gave_up = err_new(e->kind, "%s", e->message);
    pthread_cond_broadcast(&w->stop);
}

struct err *aws_keys_get(struct aws *w, const struct aws_keys *old, struct aws_keys **out)
{
    pthread_mutex_lock(&w->lock);
    /* One asks; the others go on with what there is, unless that is nothing, or was refused. */
    while ((w->keys == NULL || w->keys == old) && w->renewing)
        pthread_cond_wait(&w->stop, &w->lock);
    bool wanted = renewable(w) && are_wanted(w, old);
    bool mine = wanted && !w->renewing && w->gave_up == NULL;
    struct err *e = wanted && w->gave_up != NULL
                        ? err_new(w->gave_up->kind, "%s", w->gave_up->message) : NULL;
    w->renewing |= mine;
    pthread_mutex_unlock(&w->lock);
    struct aws_keys *fresh = NULL;
    if (mine)
        e = aws_chain_fetch(w, &w->chain, &fresh);
    pthread_mutex_lock(&w->lock);
    if (mine)
        note_asked(w, e);
    if (fresh != NULL) {
        if (w->keys != NULL && --w->keys->refs == 0)
            aws_keys_free(w->keys);
        w->keys = fresh;
    }
    bool have = w->keys != NULL &&
                (e == NULL || (w->keys != old && w->keys->expires_ms > clock_now_ms()));
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

struct err *aws_ask_now(struct aws *w)
{
    struct aws_keys *k = NULL;
    if (!asks_person(w))
        return NULL;
    TRY(aws_keys_get(w, NULL, &k));
    aws_keys_unref(w, k);
    return NULL;
}

void aws_keys_unref(struct aws *w, struct aws_keys *k)
{
    if (k == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    bool last = --k->refs == 0;
    pthread_mutex_unlock(&w->lock);
    if (last)
        aws_keys_free(k);
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
    const char *names[] = {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_CLOUDTRAIL",
                           "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_SSO",
                           "AWS_ENDPOINT_URL_SSO_OIDC"};
    CHECK(ARRAY_LEN(names) == ARRAY_LEN(w->endpoints));
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

static struct err *set_all(struct aws *w)
{
    struct aws_profile p = {0};
    const char *name = aws_env("AWS_PROFILE"), *region = aws_env("AWS_REGION");
    if (name == NULL)
        name = aws_env("AWS_DEFAULT_PROFILE");
    if (region == NULL)
        region = aws_env("AWS_DEFAULT_REGION");
    TRY(aws_profile_read(w->a, name == NULL ? "default" : name,
                         name != NULL ? "AWS_PROFILE" : NULL, &p));
    w->region = region != NULL ? arena_str(w->a, str_c(region)) : p.region;
    w->ca_file = aws_env("AWS_CA_BUNDLE");
    if (w->ca_file == NULL && p.ca_bundle.n > 0)
        w->ca_file = p.ca_bundle.p;
    struct err *e = set_endpoints(w, &p);
    if (e == NULL)
        e = aws_chain_read(w->a, name == NULL ? "default" : name, &p, &w->chain);
    aws_profile_clear(&p);
    if (e == NULL && !renewable(w)) {
        w->keys = w->chain.keys;
        w->chain.keys = NULL;
    }
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
    aws_keys_free(w->keys);
    aws_keys_free(w->chain.keys);
    err_free(w->gave_up);
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
