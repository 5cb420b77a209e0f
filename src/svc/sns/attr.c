/* Topic attributes: https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html */
#include "room.h"

#include "../../auth/principals.h"

/* As AWS makes it. It lets in nobody but services that send on behalf of the topic's account under
 * AWS:SourceOwner (ops.c); the account's own users need an identity policy. */
struct str topic_default_policy(struct call *c, const struct topic *t)
{
    static const char *const actions[] = {
        "GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission",
        "DeleteTopic",        "Subscribe",          "ListSubscriptionsByTopic", "Publish"};
    struct buf b CLEANUP(buf_clear) = BUF_INIT(8192);
    struct jw w = jw_to(&b);
    jw_obj(&w);
    jw_kc(&w, "Version", "2008-10-17");
    jw_kc(&w, "Id", "__default_policy_ID");
    jw_key(&w, "Statement");
    jw_arr(&w);
    jw_obj(&w);
    jw_kc(&w, "Sid", "__default_statement_ID");
    jw_kc(&w, "Effect", "Allow");
    jw_key(&w, "Principal");
    jw_obj(&w);
    jw_kc(&w, "AWS", "*");
    jw_end(&w);
    jw_key(&w, "Action");
    jw_arr(&w);
    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        jw_str(&w, arena_fmt(c->arena, "SNS:%s", actions[i]));
    jw_end(&w);
    jw_ks(&w, "Resource", t->arn);
    jw_key(&w, "Condition");
    jw_obj(&w);
    jw_key(&w, "StringEquals");
    jw_obj(&w);
    jw_ks(&w, "AWS:SourceOwner", t->account);
    jw_end(&w);
    jw_end(&w);
    jw_end(&w);
    jw_end(&w);
    jw_end(&w);
    return arena_str(c->arena, buf_view(&b));
}

/* Checked and bound to whom it names. */
static struct err *set_policy(struct call *c, struct topic *t, struct str text)
{
    struct policy *p = NULL;
    if (text.n > SNS_POLICY_MAX)
        return sns_invalid("Policy Error: longer than %d bytes", SNS_POLICY_MAX);
    struct err *e = policy_compile(text, POLICY_RESOURCE, &p);
    policy_unref(p);
    if (e != NULL) {
        struct err *named = sns_invalid("Policy Error: %s", e->message);
        err_free(e);
        return named;
    }
    bool known;
    TRY(principals_keep(c->txn, c->arena, t->row, text, &known));
    t->attrs = (struct jv *)jv_get(t->row, "attributes"); /* the row may have moved */
    return known ? NULL : sns_invalid("Policy Error: PrincipalNotFound");
}

static struct err *check_display_name(struct str text)
{
    bool ok = str_utf8_valid(text) && str_utf8_count(text) <= SNS_DISPLAY_NAME_MAX;
    for (size_t i = 0; ok && i < text.n; i++)
        ok = (unsigned char)text.p[i] >= 0x20 && text.p[i] != 0x7f;
    return ok ? NULL : sns_invalid("DisplayName");
}

/* Attributes that stand for something that is not built; their neutral value changes nothing. */
static const struct {
    const char *name, *neutral, *what;
} others[] = {
    {"FifoTopic", "false", "A FIFO topic"},
    {"ContentBasedDeduplication", "false", "A FIFO topic"},
    {"FifoThroughputScope", "", "A FIFO topic"},
    {"KmsMasterKeyId", "", "SSE-KMS of a topic"},
    {"TracingConfig", "", "TracingConfig"},
    {"ArchivePolicy", "", "ArchivePolicy"},
    {"DataProtectionPolicy", "", "DataProtectionPolicy"},
};

static struct err *set_other(struct call *c, struct str name, struct str value)
{
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (str_is(name, others[i].name))
            return str_is(value, others[i].neutral) ? NULL
                                                    : err_not_implemented(c, others[i].what);
    if (str_ends_c(name, "FeedbackRoleArn") || str_ends_c(name, "FeedbackSampleRate"))
        return value.n == 0 ? NULL : err_not_implemented(c, "Delivery status logging");
    return sns_invalid("AttributeName");
}

struct err *topic_set_attribute(struct call *c, struct topic *t, struct str name,
                                struct str value)
{
    if (str_is(name, "Policy")) {
        TRY(set_policy(c, t, value));
    } else if (str_is(name, "DisplayName")) {
        TRY(check_display_name(value));
    } else if (str_is(name, "DeliveryPolicy")) {
        if (value.n > 0)
            TRY(retry_check_topic(c, value));
    } else if (str_is(name, "SignatureVersion")) {
        if (!str_is(value, "1") && !str_is(value, "2"))
            return sns_invalid("SignatureVersion");
    } else {
        return set_other(c, name, value);
    }
    sns_set(c->arena, t->attrs, arena_cstr(c->arena, name), value.p != NULL ? value : STR(""));
    return NULL;
}

OP_HANDLER_NO_OUT(sns, SetTopicAttributes, SetTopicAttributesInput)
{
    struct topic t;
    TRY(topic_need(c, in->TopicArn, true, &t));
    TRY(topic_set_attribute(c, &t, in->AttributeName,
                            in->AttributeValue.p != NULL ? in->AttributeValue : STR("")));
    return topic_write(c, &t);
}

/* -- reading ----------------------------------------------------------------------------------- */

struct counts {
    int64_t confirmed, pending, deleted;
};

static struct err *count(void *ctx, struct sub *s)
{
    struct counts *n = ctx;
    int64_t *which = s->state == SUB_CONFIRMED ? &n->confirmed
                     : s->state == SUB_PENDING ? &n->pending
                                               : &n->deleted;
    (*which)++;
    return NULL;
}

static void list_text(struct sns_TopicAttributesMap *m, const char *name, struct str v)
{
    m->v[m->n].key = str_c(name);
    m->v[m->n++].value = v.p != NULL ? v : STR("");
}

OP_HANDLER(sns, GetTopicAttributes, GetTopicAttributesInput, GetTopicAttributesResponse)
{
    struct topic t;
    struct counts n = {0};
    struct arena *a = c->arena;
    TRY(topic_need(c, in->TopicArn, false, &t));
    TRY(subs_each(c->txn, a, &t, count, &n));
    struct sns_TopicAttributesMap *m = &out->Attributes;
    m->v = ARENA_ARRAY(a, 16, struct sns_TopicAttributesMap_item);
    m->set = true;
    struct str policy = jv_s(jv_get(t.attrs, "DeliveryPolicy"));
    struct str version = jv_s(jv_get(t.attrs, "SignatureVersion"));
    list_text(m, "TopicArn", t.arn);
    list_text(m, "Owner", t.account);
    list_text(m, "DisplayName", jv_s(jv_get(t.attrs, "DisplayName")));
    struct str shown;
    TRY(principals_shown_of(c->txn, a, t.row, jv_s(jv_get(t.attrs, "Policy")), &shown));
    list_text(m, "Policy", shown);
    list_text(m, "SubscriptionsConfirmed", arena_fmt(a, "%lld", (long long)n.confirmed));
    list_text(m, "SubscriptionsPending", arena_fmt(a, "%lld", (long long)n.pending));
    list_text(m, "SubscriptionsDeleted", arena_fmt(a, "%lld", (long long)n.deleted));
    if (policy.n > 0)
        list_text(m, "DeliveryPolicy", policy);
    list_text(m, "EffectiveDeliveryPolicy", retry_effective_topic(a, policy));
    if (version.n > 0)
        list_text(m, "SignatureVersion", version);
    return NULL;
}
