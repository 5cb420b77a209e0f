/* Delivery policies: https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
 *
 * Four phases follow each other: retries at once, retries after the least delay, retries whose
 * delay grows to the most (linear, arithmetic, geometric, exponential), retries after the most. */
#include "room.h"

#include "crypto/crypto.h"

#include <math.h>

enum {
    RETRIES_MAX = 100,
    DELAY_MAX_S = 3600,
    TOTAL_MAX_S = 3600, /* of all delays: AWS's limit for HTTP */
    CONTENT_TYPE_MAX = 100,
    POLICY_TEXT_LONGEST = 32 * 1024,
};

enum backoff { BACKOFF_LINEAR, BACKOFF_ARITHMETIC, BACKOFF_GEOMETRIC, BACKOFF_EXPONENTIAL };

struct retry {
    int64_t min_s, max_s, retries, none, least, most;
    enum backoff backoff;
};

static const char *const backoffs[] = {"linear", "arithmetic", "geometric", "exponential"};

static const struct retry http_default = {20, 20, 3, 0, 0, 0, BACKOFF_LINEAR};
/* Queues and functions: 23 days. */
static const struct retry inside = {1, 20, 100015, 3, 2, 100000, BACKOFF_EXPONENTIAL};
/* Mail, SMS, mobile push: 6 hours. */
static const struct retry people = {10, 600, 50, 0, 2, 38, BACKOFF_EXPONENTIAL};

/* -- reading ----------------------------------------------------------------------------------- */

static struct err *member(const struct jv *o, const char *name, int64_t min, int64_t max,
                          int64_t *out)
{
    const struct jv *v = jv_get(o, name);
    if (v == NULL)
        return NULL;
    if (!jv_is(v, JV_INT) || v->i < min || v->i > max)
        return sns_invalid("DeliveryPolicy: %s must be a number from %lld to %lld", name,
                           (long long)min, (long long)max);
    *out = v->i;
    return NULL;
}

static struct err *known_members(const struct jv *o, const char *const *names, size_t n)
{
    for (size_t i = 0; i < jv_len(o); i++) {
        bool known = false;
        for (size_t j = 0; j < n; j++)
            known |= str_is(o->obj.v[i].key, names[j]);
        if (!known)
            return sns_invalid("DeliveryPolicy: unexpected JSON member");
    }
    return NULL;
}

static double delay_sum(const struct retry *r);

static struct err *retry_read(const struct jv *o, struct retry *out)
{
    static const char *const names[] = {
        "minDelayTarget",     "maxDelayTarget",     "numRetries",     "numNoDelayRetries",
        "numMinDelayRetries", "numMaxDelayRetries", "backoffFunction"};
    struct retry r = http_default;
    if (!jv_is(o, JV_OBJ))
        return sns_invalid("DeliveryPolicy: the retry policy must be an object");
    TRY(known_members(o, names, ARRAY_LEN(names)));
    TRY(member(o, "minDelayTarget", 1, DELAY_MAX_S, &r.min_s));
    if (r.max_s < r.min_s)
        r.max_s = r.min_s;
    TRY(member(o, "maxDelayTarget", 1, DELAY_MAX_S, &r.max_s));
    TRY(member(o, "numRetries", 0, RETRIES_MAX, &r.retries));
    TRY(member(o, "numNoDelayRetries", 0, RETRIES_MAX, &r.none));
    TRY(member(o, "numMinDelayRetries", 0, RETRIES_MAX, &r.least));
    TRY(member(o, "numMaxDelayRetries", 0, RETRIES_MAX, &r.most));
    const struct jv *f = jv_get(o, "backoffFunction");
    bool known = f == NULL;
    for (size_t i = 0; i < ARRAY_LEN(backoffs); i++)
        if (str_is(jv_s(f), backoffs[i])) {
            r.backoff = (enum backoff)i;
            known = true;
        }
    if (!known)
        return sns_invalid("DeliveryPolicy: backoffFunction must be linear, arithmetic, geometric "
                           "or exponential");
    if (r.min_s > r.max_s)
        return sns_invalid("DeliveryPolicy: minDelayTarget must not be above maxDelayTarget");
    if (r.none + r.least + r.most > r.retries)
        return sns_invalid("DeliveryPolicy: numRetries must be greater than or equal to the sum of "
                           "the retries of its phases");
    if (delay_sum(&r) > TOTAL_MAX_S)
        return sns_invalid("DeliveryPolicy: the delays must not sum up to more than an hour");
    *out = r;
    return NULL;
}

static struct err *check_request(const struct jv *o)
{
    static const char *const names[] = {"headerContentType"};
    if (o == NULL)
        return NULL;
    TRY(known_members(o, names, ARRAY_LEN(names)));
    struct str type = jv_s(jv_get(o, "headerContentType"));
    bool ok = jv_is(o, JV_OBJ) && type.n > 0 && type.n <= CONTENT_TYPE_MAX &&
              str_find_char(type, '/') > 0;
    for (size_t i = 0; ok && i < type.n; i++)
        ok = type.p[i] >= ' ' && type.p[i] < 127;
    return ok ? NULL : sns_invalid("DeliveryPolicy: headerContentType");
}

static struct err *open_policy(struct arena *a, struct str text, struct jv **out)
{
    if (text.n > POLICY_TEXT_LONGEST)
        return sns_invalid("DeliveryPolicy: too long");
    struct err *e = json_parse(a, text, 8, out);
    if (e == NULL && jv_is(*out, JV_OBJ))
        return NULL;
    err_free(e);
    return sns_invalid("DeliveryPolicy: failed to parse JSON.");
}

struct err *retry_check_topic(struct call *c, struct str text)
{
    static const char *const top[] = {"http"};
    static const char *const names[] = {"defaultHealthyRetryPolicy", "disableSubscriptionOverrides",
                                        "defaultThrottlePolicy", "defaultRequestPolicy"};
    struct jv *policy;
    struct retry r;
    TRY(open_policy(c->arena, text, &policy));
    TRY(known_members(policy, top, ARRAY_LEN(top)));
    const struct jv *http = jv_get(policy, "http");
    if (http == NULL)
        return NULL;
    TRY(known_members(http, names, ARRAY_LEN(names)));
    if (jv_get(http, "defaultThrottlePolicy") != NULL)
        return err_not_implemented(c, "A throttle policy");
    if (jv_get(http, "defaultHealthyRetryPolicy") != NULL)
        TRY(retry_read(jv_get(http, "defaultHealthyRetryPolicy"), &r));
    return check_request(jv_get(http, "defaultRequestPolicy"));
}

struct err *retry_check_sub(struct call *c, struct str text)
{
    static const char *const names[] = {"healthyRetryPolicy", "throttlePolicy", "requestPolicy",
                                        "sicklyRetryPolicy", "guaranteed"};
    struct jv *policy;
    struct retry r;
    TRY(open_policy(c->arena, text, &policy));
    TRY(known_members(policy, names, ARRAY_LEN(names)));
    const struct jv *throttle = jv_get(policy, "throttlePolicy");
    if (throttle != NULL && throttle->type != JV_NULL)
        return err_not_implemented(c, "A throttle policy");
    if (jv_get(policy, "healthyRetryPolicy") != NULL)
        TRY(retry_read(jv_get(policy, "healthyRetryPolicy"), &r));
    return check_request(jv_get(policy, "requestPolicy"));
}

/* -- what is in force -------------------------------------------------------------------------- */

struct in_force {
    struct retry retry;
    struct str content_type;
    bool no_overrides;
};

static const struct jv *stored(struct arena *a, struct str text)
{
    struct jv *v = NULL;
    if (text.n > 0)
        err_free(json_parse(a, text, 8, &v)); /* it was checked when it was set */
    return v;
}

static void take(const struct jv *retry, const struct jv *request, struct in_force *f)
{
    if (retry != NULL)
        err_free(retry_read(retry, &f->retry));
    struct str type = jv_s(jv_get(request, "headerContentType"));
    if (type.n > 0)
        f->content_type = type;
}

static struct in_force resolve(struct arena *a, struct str topic_policy, struct str sub_policy)
{
    struct in_force f = {.retry = http_default, .content_type = STR("text/plain; charset=UTF-8")};
    const struct jv *http = jv_get(stored(a, topic_policy), "http");
    const struct jv *own = stored(a, sub_policy);
    f.no_overrides = jv_b(jv_get(http, "disableSubscriptionOverrides"), false);
    take(jv_get(http, "defaultHealthyRetryPolicy"), jv_get(http, "defaultRequestPolicy"), &f);
    if (!f.no_overrides)
        take(jv_get(own, "healthyRetryPolicy"), jv_get(own, "requestPolicy"), &f);
    return f;
}

struct str retry_content_type(struct arena *a, struct str topic_policy, struct str sub_policy)
{
    return resolve(a, topic_policy, sub_policy).content_type;
}

static void write_retry(struct jw *w, const struct retry *r)
{
    jw_obj(w);
    jw_ki(w, "minDelayTarget", r->min_s);
    jw_ki(w, "maxDelayTarget", r->max_s);
    jw_ki(w, "numRetries", r->retries);
    jw_ki(w, "numMaxDelayRetries", r->most);
    jw_ki(w, "numNoDelayRetries", r->none);
    jw_ki(w, "numMinDelayRetries", r->least);
    jw_kc(w, "backoffFunction", backoffs[r->backoff]);
    jw_end(w);
}

static void write_request(struct jw *w, struct str content_type)
{
    jw_obj(w);
    jw_ks(w, "headerContentType", content_type);
    jw_end(w);
}

struct str retry_effective_topic(struct arena *a, struct str topic_policy)
{
    struct in_force f = resolve(a, topic_policy, STR_NONE);
    struct buf b CLEANUP(buf_clear) = BUF_INIT(4096);
    struct jw w = jw_to(&b);
    jw_obj(&w);
    jw_key(&w, "http");
    jw_obj(&w);
    jw_key(&w, "defaultHealthyRetryPolicy");
    write_retry(&w, &f.retry);
    jw_kb(&w, "disableSubscriptionOverrides", f.no_overrides);
    jw_key(&w, "defaultRequestPolicy");
    write_request(&w, f.content_type);
    jw_end(&w);
    jw_end(&w);
    return arena_str(a, buf_view(&b));
}

struct str retry_effective_sub(struct arena *a, struct str topic_policy, struct str sub_policy)
{
    struct in_force f = resolve(a, topic_policy, sub_policy);
    struct buf b CLEANUP(buf_clear) = BUF_INIT(4096);
    struct jw w = jw_to(&b);
    jw_obj(&w);
    jw_key(&w, "healthyRetryPolicy");
    write_retry(&w, &f.retry);
    jw_key(&w, "requestPolicy");
    write_request(&w, f.content_type);
    jw_end(&w);
    return arena_str(a, buf_view(&b));
}

/* -- delays ------------------------------------------------------------------------------------ */

/* The part of the way from the least to the most delay, after `x` (0 to 1) of the phase. */
static double growth(enum backoff f, double x)
{
    switch (f) {
    case BACKOFF_ARITHMETIC:
        return x * (x + 1) / 2;
    case BACKOFF_GEOMETRIC:
        return x * x;
    case BACKOFF_EXPONENTIAL:
        return (exp2(10 * x) - 1) / 1023;
    default:
        return x;
    }
}

static double delay_s(const struct retry *r, int64_t retry)
{
    int64_t growing = r->retries - r->none - r->least - r->most;
    if (retry < r->none)
        return 0;
    if (retry < r->none + r->least)
        return (double)r->min_s;
    int64_t step = retry - r->none - r->least;
    if (step >= growing)
        return (double)r->max_s;
    double x = growing < 2 ? 0 : (double)step / (double)(growing - 1);
    return (double)r->min_s + growth(r->backoff, x) * (double)(r->max_s - r->min_s);
}

static double delay_sum(const struct retry *r)
{
    double sum = 0;
    for (int64_t i = 0; i < r->retries; i++)
        sum += delay_s(r, i);
    return sum;
}

int64_t retry_delay_ms(struct arena *a, struct str protocol, struct str topic_policy,
                       struct str sub_policy, int64_t retry)
{
    struct in_force f = {0};
    if (str_starts_c(protocol, "http"))
        f = resolve(a, topic_policy, sub_policy);
    else
        f.retry = str_is(protocol, "sqs") || str_is(protocol, "lambda") ? inside : people;
    if (retry >= f.retry.retries)
        return -1;
    int64_t ms = (int64_t)(delay_s(&f.retry, retry) * 1000);
    /* Up to a tenth more, so that what failed together does not come back together. */
    return ms + (int64_t)(rand_u64() % (uint64_t)(ms / 10 + 1));
}
