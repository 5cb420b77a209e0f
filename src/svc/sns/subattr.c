/* Subscription attributes:
 * https://docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html */
#include "filter.h"
#include "room.h"

struct tally {
    size_t subs, filters;
};

static struct err *tally_one(void *ctx, struct sub *s)
{
    struct tally *n = ctx;
    n->subs++;
    n->filters += jv_s(jv_get(s->attrs, "FilterPolicy")).n > 0;
    return NULL;
}

struct err *subs_count(struct call *c, const struct topic *t, size_t *out_subs,
                       size_t *out_filters)
{
    struct tally n = {0};
    TRY(subs_each(c->txn, c->arena, t, tally_one, &n));
    *out_subs = n.subs;
    *out_filters = n.filters;
    return NULL;
}

/* -- one attribute ----------------------------------------------------------------------------- */

static struct err *check_filter(struct call *c, struct str text, struct str scope)
{
    struct jv *policy;
    enum filter_scope s = str_is(scope, "MessageBody") ? FILTER_BODY : FILTER_ATTRIBUTES;
    if (text.n == 0)
        return NULL;
    struct err *e = filter_parse(c->arena, text, s, &policy);
    if (e == NULL)
        return NULL;
    struct err *named = sns_invalid("FilterPolicy: %s", e->message);
    err_free(e);
    return named;
}

static struct err *set_filter(struct call *c, const struct topic *t, struct sub *s,
                              struct str value)
{
    size_t subs, filters;
    TRY(check_filter(c, value, jv_s(jv_get(s->attrs, "FilterPolicyScope"))));
    if (value.n > 0 && jv_s(jv_get(s->attrs, "FilterPolicy")).n == 0) {
        TRY(subs_count(c, t, &subs, &filters));
        if (filters >= SNS_FILTERS_MAX)
            return err_aws(403, "FilterPolicyLimitExceeded",
                           "A topic has at most %d filter policies.", SNS_FILTERS_MAX);
    }
    return NULL;
}

static struct err *check_scope(struct call *c, const struct sub *s, struct str value)
{
    if (!str_is(value, "MessageAttributes") && !str_is(value, "MessageBody"))
        return sns_invalid("FilterPolicyScope: Invalid value. Please use either MessageBody or "
                           "MessageAttributes");
    return check_filter(c, jv_s(jv_get(s->attrs, "FilterPolicy")), value);
}

static struct err *check_raw(const struct sub *s, struct str value)
{
    if (!str_is_i(value, "true") && !str_is_i(value, "false"))
        return sns_invalid("Attributes Reason: RawMessageDelivery: Invalid value. Must be true or "
                           "false.");
    bool can = str_is(s->protocol, "sqs") || str_starts_c(s->protocol, "http");
    return can || str_is_i(value, "false")
               ? NULL
               : sns_invalid("Attributes Reason: Delivery protocol does not support raw message "
                             "delivery.");
}

static struct err *check_redrive(struct call *c, const struct topic *t, struct str value)
{
    struct jv *j;
    struct arn arn;
    if (value.n == 0)
        return NULL;
    struct err *e = json_parse(c->arena, value, 4, &j);
    if (e != NULL) {
        err_free(e);
        return sns_invalid("RedrivePolicy: failed to parse JSON.");
    }
    if (!arn_parse(jv_s(jv_get(j, "deadLetterTargetArn")), &arn) || !str_is(arn.service, "sqs") ||
        jv_len(j) != 1)
        return sns_invalid("RedrivePolicy: deadLetterTargetArn is an invalid arn");
    if (str_ends_c(arn.resource, ".fifo"))
        return sns_invalid("RedrivePolicy: must use a standard queue as DLQ");
    return str_eq(arn.region, t->region)
               ? NULL
               : sns_invalid("RedrivePolicy: the queue must be in the topic's Region");
}

struct err *sub_set_attribute(struct call *c, const struct topic *t, struct sub *s, struct str name,
                              struct str value)
{
    if (value.p == NULL)
        value = STR("");
    if (value.n > SNS_DOCUMENT_MAX)
        return sns_invalid("AttributeValue Reason: too long");
    if (str_is(name, "FilterPolicy"))
        TRY(set_filter(c, t, s, value));
    else if (str_is(name, "FilterPolicyScope"))
        TRY(check_scope(c, s, value));
    else if (str_is(name, "RawMessageDelivery"))
        TRY(check_raw(s, value));
    else if (str_is(name, "RedrivePolicy"))
        TRY(check_redrive(c, t, value));
    else if (str_is(name, "DeliveryPolicy"))
        TRY(value.n == 0 ? NULL : retry_check_sub(c, value));
    else if (str_is(name, "SubscriptionRoleArn") || str_is(name, "ReplayPolicy"))
        return value.n == 0 ? NULL : err_not_implemented(c, arena_cstr(c->arena, name));
    else
        return sns_invalid("AttributeName");
    sns_set(c->arena, s->attrs, arena_cstr(c->arena, name), value);
    return NULL;
}

OP_HANDLER_NO_OUT(sns, SetSubscriptionAttributes, SetSubscriptionAttributesInput)
{
    struct topic t;
    struct sub s;
    TRY(sub_need(c, in->SubscriptionArn, &t, &s));
    TRY(sub_set_attribute(c, &t, &s, in->AttributeName, in->AttributeValue));
    return sub_write(c->txn, c->arena, &t, &s);
}

/* -- reading ----------------------------------------------------------------------------------- */

static void list_text(struct sns_SubscriptionAttributesMap *m, const char *name, struct str v)
{
    m->v[m->n].key = str_c(name);
    m->v[m->n++].value = v.p != NULL ? v : STR("");
}

static struct str truth(bool v)
{
    return v ? STR("true") : STR("false");
}

OP_HANDLER(sns, GetSubscriptionAttributes, GetSubscriptionAttributesInput,
           GetSubscriptionAttributesResponse)
{
    static const char *const texts[] = {"FilterPolicy", "DeliveryPolicy", "RedrivePolicy"};
    struct topic t;
    struct sub s;
    TRY(sub_need(c, in->SubscriptionArn, &t, &s));
    struct sns_SubscriptionAttributesMap *m = &out->Attributes;
    m->v = ARENA_ARRAY(c->arena, 20, struct sns_SubscriptionAttributesMap_item);
    m->set = true;
    list_text(m, "SubscriptionArn", s.arn);
    list_text(m, "TopicArn", t.arn);
    list_text(m, "Owner", s.owner);
    list_text(m, "Protocol", s.protocol);
    list_text(m, "Endpoint", sub_endpoint_shown(c->arena, &s));
    list_text(m, "SubscriptionPrincipal", jv_s(jv_get(s.row, "principal")));
    list_text(m, "PendingConfirmation", truth(s.state != SUB_CONFIRMED));
    list_text(m, "ConfirmationWasAuthenticated",
              truth(jv_b(jv_get(s.row, "authenticated"), false)));
    struct str raw = jv_s(jv_get(s.attrs, "RawMessageDelivery"));
    list_text(m, "RawMessageDelivery", truth(str_is_i(raw, "true")));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct str v = jv_s(jv_get(s.attrs, texts[i]));
        if (v.n > 0)
            list_text(m, texts[i], v);
    }
    struct str scope = jv_s(jv_get(s.attrs, "FilterPolicyScope"));
    if (scope.n > 0 || jv_s(jv_get(s.attrs, "FilterPolicy")).n > 0)
        list_text(m, "FilterPolicyScope", scope.n > 0 ? scope : STR("MessageAttributes"));
    if (str_starts_c(s.protocol, "http"))
        list_text(m, "EffectiveDeliveryPolicy",
                  retry_effective_sub(c->arena, jv_s(jv_get(t.attrs, "DeliveryPolicy")),
                                      jv_s(jv_get(s.attrs, "DeliveryPolicy"))));
    return NULL;
}
