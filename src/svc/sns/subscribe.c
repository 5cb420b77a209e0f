/* Subscribe: https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html */
#include "room.h"

#include "crypto/crypto.h"

bool phone_valid(struct str s)
{
    if (s.n > 0 && s.p[0] == '+')
        s = str_skip(s, 1);
    bool ok = s.n >= 7 && s.n <= 15; /* E.164 */
    for (size_t i = 0; ok && i < s.n; i++)
        ok = s.p[i] >= '0' && s.p[i] <= '9';
    return ok;
}

static bool printable(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] == 127)
            return false;
    return s.n > 0;
}

/* What mail_send() takes: it refuses the rest when it is too late to say so. */
static bool mail_valid(struct str s)
{
    ptrdiff_t at = str_rfind_char(s, '@');
    if (s.n > 320 || at <= 0 || (size_t)at == s.n - 1 || str_find_char(s, '@') != at)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (strchr("<>()[]\\,;:\"", s.p[i]) != NULL)
            return false;
    return printable(s);
}

/* Any host may be named, Ward's own network included: who may subscribe decides (sns:Endpoint). */
static struct err *check_url(struct str protocol, struct str url)
{
    size_t head = protocol.n + 3;
    bool ok = url.n > head && str_starts(url, protocol) &&
              str_starts_c(str_skip(url, protocol.n), "://") && printable(url) &&
              url.p[head] != '/' && url.p[head] != '?' && url.p[head] != '#';
    return ok ? NULL : sns_invalid("Endpoint must match the specified protocol");
}

static struct err *check_sqs(struct str endpoint)
{
    struct arn arn;
    if (!arn_parse(endpoint, &arn) || !str_is(arn.service, "sqs") || arn.account.n != 12)
        return sns_invalid("SQS endpoint ARN");
    return str_ends_c(arn.resource, ".fifo")
               ? sns_invalid("Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be "
                             "subscribed to standard SNS topics")
               : NULL;
}

static struct err *check_lambda(struct str endpoint)
{
    struct arn arn;
    return arn_parse(endpoint, &arn) && str_is(arn.service, "lambda") &&
                   str_starts_c(arn.resource, "function:")
               ? NULL
               : sns_invalid("Lambda endpoint ARN");
}

static struct err *check_device(struct call *c, struct str endpoint)
{
    struct device d;
    bool found = false;
    TRY(provider_need(c, "application"));
    if (!endpoint_arn_parts(endpoint, &d) || !str_eq(d.account, c->account))
        return sns_invalid("Application endpoint arn invalid");
    TRY(device_read(c->txn, c->arena, endpoint, &d, &found));
    return found ? NULL : sns_invalid("Endpoint Reason: Endpoint does not exist for endpoint arn");
}

static struct err *check_endpoint(struct call *c, struct str protocol, struct str endpoint)
{
    if (protocol.n == 0)
        return sns_invalid("Protocol");
    if (str_is(protocol, "firehose"))
        return err_not_implemented(c, "Delivery to Firehose");
    if (endpoint.n == 0 || endpoint.n > SNS_ENDPOINT_MAX)
        return sns_invalid("Endpoint");
    if (str_is(protocol, "http") || str_is(protocol, "https"))
        return check_url(protocol, endpoint);
    if (str_is(protocol, "email") || str_is(protocol, "email-json")) {
        if (c->ward->smtp_url == NULL)
            return sns_invalid("Protocol Reason: %.*s needs a mail server: start Ward with "
                               "--smtp URL", STR_ARG(protocol));
        return mail_valid(endpoint) ? NULL : sns_invalid("Email address");
    }
    if (str_is(protocol, "sms")) {
        TRY(provider_need(c, "sms"));
        return phone_valid(endpoint) ? NULL : sns_invalid("Invalid SMS endpoint");
    }
    if (str_is(protocol, "sqs"))
        return check_sqs(endpoint);
    if (str_is(protocol, "lambda"))
        return check_lambda(endpoint);
    if (str_is(protocol, "application"))
        return check_device(c, endpoint);
    return sns_invalid("Amazon SNS does not support this protocol string: %.*s",
                       STR_ARG(str_take(protocol, 40)));
}

/* A queue of another account is asked first: its owner has not said yes yet. */
static bool confirmed_at_once(struct call *c, struct str protocol, struct str endpoint)
{
    struct arn arn;
    if (str_starts_c(protocol, "http") || str_starts_c(protocol, "email"))
        return false;
    return !str_is(protocol, "sqs") ||
           (arn_parse(endpoint, &arn) && str_eq(arn.account, c->account));
}

static struct err *set_attributes(struct call *c, const struct topic *t, struct sub *s,
                                  const struct sns_SubscriptionAttributesMap *m)
{
    /* The scope says how the filter policy is to be read. */
    for (int scope = 1; scope >= 0; scope--)
        for (size_t i = 0; i < m->n; i++)
            if (str_is(m->v[i].key, "FilterPolicyScope") == (scope == 1))
                TRY(sub_set_attribute(c, t, s, m->v[i].key, m->v[i].value));
    return NULL;
}

static struct err *make(struct call *c, const struct topic *t, const struct sns_SubscribeInput *in,
                        struct sub *out)
{
    struct arena *a = c->arena;
    char id[37];
    size_t subs, filters;
    TRY(subs_count(c, t, &subs, &filters));
    if (subs >= SNS_SUBSCRIPTIONS_MAX)
        return err_aws(403, "SubscriptionLimitExceeded", "A topic has at most %d subscriptions.",
                       SNS_SUBSCRIPTIONS_MAX);
    rand_uuid(id);
    struct jv *row = jv_new_obj(a);
    sns_set(a, row, "owner", c->account);
    sns_set(a, row, "principal", c->id.who.arn.p != NULL ? c->id.who.arn : c->id.who.service);
    sns_set(a, row, "protocol", in->Protocol);
    sns_set(a, row, "endpoint", in->Endpoint);
    sns_set(a, row, "state", STR("pending"));
    jv_set(a, row, STR("created_ms"), jv_new_int(a, c->now_ms));
    jv_set(a, row, STR("attributes"), jv_new_obj(a));
    CHECK(sub_from_row(a, t, str_c(id), row, out));
    return set_attributes(c, t, out, &in->Attributes);
}

static struct err *same_attributes(const struct sub *s,
                                   const struct sns_SubscriptionAttributesMap *m)
{
    for (size_t i = 0; i < m->n; i++) {
        struct str have = jv_s(jv_get_str(s->attrs, m->v[i].key));
        if (have.p == NULL && str_is(m->v[i].key, "RawMessageDelivery"))
            have = STR("false");
        if (!str_eq(have, m->v[i].value))
            return sns_invalid("Attributes Reason: Subscription already exists with different "
                               "attributes");
    }
    return NULL;
}

OP_HANDLER(sns, Subscribe, SubscribeInput, SubscribeResponse)
{
    struct topic t;
    struct sub s;
    struct str id;
    bool found = false;
    TRY(topic_need(c, in->TopicArn, true, &t));
    TRY(check_endpoint(c, in->Protocol, in->Endpoint));
    struct skey at = sub_at_key(&t, in->Protocol, in->Endpoint);
    TRY(txn_get(c->txn, SNS_T_SUB_AT, key_of(&at), c->arena, &id));
    if (id.p != NULL)
        TRY(sub_read(c->txn, c->arena, &t, id, true, &s, &found));
    if (!found)
        TRY(make(c, &t, in, &s));
    else
        TRY(same_attributes(&s, &in->Attributes));
    out->SubscriptionArn = s.arn;
    if (found && s.state == SUB_CONFIRMED)
        return NULL;
    if (confirmed_at_once(c, in->Protocol, in->Endpoint)) {
        jv_set(c->arena, s.row, STR("authenticated"), jv_new_bool(c->arena, true));
        sub_set_state(c->arena, &s, SUB_CONFIRMED);
        return sub_write(c->txn, c->arena, &t, &s);
    }
    if (!in->ReturnSubscriptionArn.v)
        out->SubscriptionArn = STR("pending confirmation");
    sub_set_state(c->arena, &s, SUB_PENDING);
    return confirmation_ask(c, &t, &s, "SubscriptionConfirmation");
}
