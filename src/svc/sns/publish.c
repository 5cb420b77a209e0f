/* Publish and PublishBatch: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
 *
 * The message and one job for each subscription that it is for are one transaction: what was
 * answered with 200 is delivered, or ends in the subscription's dead-letter queue or in its
 * retries' end, whatever happens to this process. */
#include "filter.h"
#include "room.h"

#include "crypto/crypto.h"

struct outgoing {
    struct str message, subject, structure;
    const struct sns_MessageAttributeMap *attributes;
    struct str group, dedup;
};

/* -- checks ------------------------------------------------------------------------------------ */

static struct err *bad_attribute(const char *what, struct str name)
{
    return err_aws(400, "ParameterValueInvalid", "The message attribute '%.*s' %s",
                   STR_ARG(str_take(name, 100)), what);
}

static bool base_is(struct str type, const char *base)
{
    size_t n = strlen(base);
    return str_starts_c(type, base) && (type.n == n || type.p[n] == '.');
}

static bool string_array(struct call *c, struct str text)
{
    struct jv *v = NULL;
    struct err *e = json_parse(c->arena, text, 4, &v);
    bool ok = e == NULL && v->type == JV_ARR;
    err_free(e);
    for (size_t i = 0; ok && i < jv_len(v); i++)
        ok = jv_at(v, i)->type != JV_OBJ && jv_at(v, i)->type != JV_ARR;
    return ok;
}

static struct err *check_attribute(struct call *c, const struct sns_MessageAttributeMap_item *at,
                                   size_t *bytes)
{
    struct str name = at->key, type = at->value.DataType;
    bool binary = base_is(type, "Binary");
    double number;
    bool named = name.n >= 1 && name.n <= 256;
    for (size_t i = 0; named && i < name.n; i++)
        named = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.",
                       name.p[i]) != NULL && name.p[i] != '\0';
    if (!named)
        return err_aws(400, "ParameterValueInvalid",
                       "The name of a message attribute can only include alphanumeric characters, "
                       "hyphens, underscores, or periods. 1 to 256 in length.");
    if (!binary && !base_is(type, "String") && !base_is(type, "Number"))
        return bad_attribute("has an invalid message attribute type, the set of supported type "
                             "prefixes is Binary, Number, and String.", name);
    struct str value = binary ? at->value.BinaryValue : at->value.StringValue;
    if (value.n == 0)
        return bad_attribute("must contain non-empty message attribute value for its type.", name);
    if (base_is(type, "Number") && !str_to_double(value, &number))
        return bad_attribute("has a value that cannot be cast to a number.", name);
    if (base_is(type, "String.Array") && !string_array(c, value))
        return bad_attribute("must contain a JSON array of strings, numbers, booleans or nulls.",
                             name);
    *bytes += name.n + type.n + value.n;
    return NULL;
}

static struct err *check_subject(struct str s)
{
    if (s.p == NULL)
        return NULL;
    bool ok = s.n >= 1 && s.n <= SNS_SUBJECT_MAX && s.p[0] != ' ';
    for (size_t i = 0; ok && i < s.n; i++)
        ok = s.p[i] >= ' ' && s.p[i] < 127;
    return ok ? NULL : sns_invalid("Subject");
}

static struct err *check_structure(struct call *c, const struct outgoing *m)
{
    struct jv *v = NULL;
    if (m->structure.n == 0)
        return NULL;
    if (!str_is(m->structure, "json"))
        return sns_invalid("MessageStructure");
    struct err *e = json_parse(c->arena, m->message, JSON_DEPTH_DEFAULT, &v);
    if (e != NULL || v->type != JV_OBJ) {
        err_free(e);
        return sns_invalid("Message Structure - JSON message body failed to parse");
    }
    return jv_is(jv_get(v, "default"), JV_STR)
               ? NULL
               : sns_invalid("Message Structure - No default entry in JSON message body");
}

static struct err *check_message(struct call *c, const struct outgoing *m, size_t *out_bytes)
{
    size_t bytes = m->message.n;
    if (m->message.n == 0)
        return sns_invalid("Empty message");
    if (!str_utf8_valid(m->message))
        return sns_invalid("Message Reason: not UTF-8");
    if (m->group.n > 0 || m->dedup.n > 0)
        return err_not_implemented(c, "MessageGroupId and MessageDeduplicationId");
    TRY(check_subject(m->subject));
    for (size_t i = 0; i < m->attributes->n; i++)
        TRY(check_attribute(c, &m->attributes->v[i], &bytes));
    if (bytes > SNS_MESSAGE_MAX)
        return sns_invalid("Message too long");
    *out_bytes = bytes;
    return check_structure(c, m);
}

/* -- the message's row ------------------------------------------------------------------------- */

static struct jv *attributes_json(struct arena *a, const struct sns_MessageAttributeMap *m)
{
    struct jv *o = jv_new_obj(a);
    for (size_t i = 0; i < m->n; i++) {
        const struct sns_MessageAttributeValue *v = &m->v[i].value;
        struct jv *x = jv_new_obj(a);
        sns_set(a, x, "t", v->DataType);
        if (base_is(v->DataType, "Binary"))
            sns_set(a, x, "b", enc_base64(a, v->BinaryValue));
        else
            sns_set(a, x, "s", v->StringValue);
        jv_set(a, o, m->v[i].key, x);
    }
    return o;
}

static struct jv *message_json(struct call *c, const struct outgoing *m, struct str id)
{
    struct arena *a = c->arena;
    struct jv *o = jv_new_obj(a);
    char when[TIME_TEXT_MAX];
    time_iso8601_ms(c->now_ms, when);
    sns_set(a, o, "id", id);
    sns_set(a, o, "message", m->message);
    if (m->subject.n > 0)
        sns_set(a, o, "subject", m->subject);
    if (m->structure.n > 0)
        sns_set(a, o, "structure", m->structure);
    sns_set(a, o, "timestamp", arena_str(a, str_c(when)));
    if (m->attributes->n > 0)
        jv_set(a, o, STR("attributes"), attributes_json(a, m->attributes));
    return o;
}

/* With MessageStructure json, each protocol has its own text, or the default. */
bool message_text_for(struct arena *a, const struct jv *message, struct str protocol,
                      struct str *out)
{
    struct str text = jv_s(jv_get(message, "message"));
    struct jv *v = NULL;
    if (!str_is(jv_s(jv_get(message, "structure")), "json")) {
        *out = text;
        return text.p != NULL;
    }
    struct err *e = json_parse(a, text, JSON_DEPTH_DEFAULT, &v);
    err_free(e);
    struct str own = e == NULL ? jv_s(jv_get_str(v, protocol)) : STR_NONE;
    *out = own.p != NULL ? own : jv_s(jv_get(v, "default"));
    return out->p != NULL;
}

/* -- to a topic -------------------------------------------------------------------------------- */

enum { PROTOCOLS_MAX = 10, SCRATCH_BYTES = 16 * 1024 * 1024 };

struct fan_out {
    struct call *c;
    const struct topic *topic;
    const struct jv *message;
    const struct filter_attribute *attributes;
    size_t n_attributes;
    VEC(struct str) ids; /* of the subscriptions that get it */
    struct arena *scratch; /* of one subscription's filter */
    struct {               /* as subscriptions of each protocol get it */
        struct str protocol;
        const struct jv *tree;
    } bodies[PROTOCOLS_MAX];
    size_t n_bodies;
};

/* What policies over the body look at; parsed once for a protocol, however many there are. */
static const struct jv *body_for(struct fan_out *f, struct str protocol)
{
    struct str text;
    for (size_t i = 0; i < f->n_bodies; i++)
        if (str_eq(f->bodies[i].protocol, protocol))
            return f->bodies[i].tree;
    struct arena *a = f->c->arena;
    const struct jv *tree =
        message_text_for(a, f->message, protocol, &text) ? filter_body(a, text) : NULL;
    CHECK(f->n_bodies < PROTOCOLS_MAX);
    f->bodies[f->n_bodies].protocol = protocol;
    f->bodies[f->n_bodies++].tree = tree;
    return tree;
}

static bool wants(struct fan_out *f, const struct sub *s)
{
    struct str text = jv_s(jv_get(s->attrs, "FilterPolicy"));
    bool by_body = str_is(jv_s(jv_get(s->attrs, "FilterPolicyScope")), "MessageBody");
    struct jv *policy;
    if (text.n == 0)
        return true;
    struct err *e =
        filter_parse(f->scratch, text, by_body ? FILTER_BODY : FILTER_ATTRIBUTES, &policy);
    if (e != NULL) { /* it was checked when it was set */
        err_free(e);
        return false;
    }
    return by_body ? filter_match_body(policy, body_for(f, s->protocol))
                   : filter_match_attributes(f->scratch, policy, f->attributes, f->n_attributes);
}

static struct err *choose(void *ctx, struct sub *s)
{
    struct fan_out *f = ctx;
    if (s->state == SUB_CONFIRMED && wants(f, s))
        VEC_PUSH(f->c->arena, &f->ids, s->id);
    arena_reset(f->scratch);
    return arena_check(f->c->arena);
}

static struct err *put_job(struct fan_out *f, struct str message_id, size_t i)
{
    struct arena *a = f->c->arena;
    struct jv *p = jv_new_obj(a);
    sns_set(a, p, "account", f->topic->account);
    sns_set(a, p, "region", f->topic->region);
    sns_set(a, p, "name", f->topic->name);
    sns_set(a, p, "uid", f->topic->uid);
    sns_set(a, p, "sub", f->ids.v[i]);
    sns_set(a, p, "message", message_id);
    jv_set(a, p, STR("i"), jv_new_int(a, (int64_t)i));
    struct str id = arena_fmt(a, "%.*s/%.*s", STR_ARG(message_id), STR_ARG(f->ids.v[i]));
    return job_put(f->c->txn, topic_owner(a, f->topic), "sns.deliver", id, f->c->now_ms,
                   jv_text(a, p));
}

/* One bit for each delivery: the last to be cleared takes the message's row with it. */
static struct err *put_left(struct fan_out *f, struct str message_id)
{
    size_t n = f->ids.n;
    char *bits = arena_alloc(f->c->arena, n / 8 + 1);
    for (size_t i = 0; i < n; i++)
        bits[i / 8] = (char)((unsigned char)bits[i / 8] | 1u << (i % 8));
    return txn_put_new(f->c->txn, SNS_T_LEFT, topic_owner(f->c->arena, f->topic), message_id,
                       str_of(bits, n / 8 + 1));
}

static const struct filter_attribute *filter_attributes(struct arena *a, const struct outgoing *m)
{
    struct filter_attribute *v = ARENA_ARRAY(a, m->attributes->n + 1, struct filter_attribute);
    for (size_t i = 0; i < m->attributes->n; i++)
        v[i] = (struct filter_attribute){m->attributes->v[i].key,
                                         m->attributes->v[i].value.DataType,
                                         m->attributes->v[i].value.StringValue};
    return v;
}

static struct err *to_topic(struct call *c, const struct topic *t, const struct outgoing *m,
                            struct str *out_id)
{
    char id[37];
    rand_uuid(id);
    *out_id = arena_str(c->arena, str_c(id));
    struct fan_out f = {.c = c, .topic = t, .message = message_json(c, m, *out_id),
                        .attributes = filter_attributes(c->arena, m),
                        .n_attributes = m->attributes->n};
    struct arena *scratch CLEANUP(arena_free_ptr) = arena_new(SCRATCH_BYTES);
    f.scratch = scratch;
    TRY(subs_each(c->txn, c->arena, t, choose, &f));
    if (f.ids.n == 0)
        return NULL;
    TRY(txn_put_new(c->txn, SNS_T_MESSAGE, topic_owner(c->arena, t), *out_id,
                    jv_text(c->arena, f.message)));
    TRY(put_left(&f, *out_id));
    for (size_t i = 0; i < f.ids.n; i++)
        TRY(put_job(&f, *out_id, i));
    return NULL;
}

/* -- to one telephone or device ---------------------------------------------------------------- */

static struct err *to_one(struct call *c, const struct outgoing *m, const char *kind,
                          struct str to, struct str *out_id)
{
    char id[37];
    rand_uuid(id);
    *out_id = arena_str(c->arena, str_c(id));
    struct jv *p = message_json(c, m, *out_id);
    sns_set(c->arena, p, "account", c->account);
    sns_set(c->arena, p, "kind", str_c(kind));
    sns_set(c->arena, p, "to", to);
    return job_put(c->txn, c->account, "sns.direct", *out_id, c->now_ms, jv_text(c->arena, p));
}

static struct err *to_device(struct call *c, const struct outgoing *m, struct str arn,
                             struct str *out_id)
{
    struct device d;
    bool found;
    if (!endpoint_arn_parts(arn, &d) || !str_eq(d.region, c->region))
        return sns_invalid("TargetArn Reason: No endpoint found for the target arn specified");
    TRY(device_read(c->txn, c->arena, arn, &d, &found));
    if (!found)
        return err_aws(404, "NotFound", "Endpoint does not exist");
    if (!d.enabled)
        return err_aws(400, "EndpointDisabled", "Endpoint is disabled");
    TRY(provider_need(c, "application"));
    return to_one(c, m, "push", d.arn, out_id);
}

static struct err *to_phone(struct call *c, const struct outgoing *m, struct str number,
                            struct str *out_id)
{
    if (!phone_valid(number))
        return sns_invalid("PhoneNumber Reason: it is not valid to publish to");
    TRY(provider_need(c, "sms"));
    return to_one(c, m, "sms", number, out_id);
}

/* -- handlers ---------------------------------------------------------------------------------- */

OP_HANDLER(sns, Publish, PublishInput, PublishResponse)
{
    struct topic t;
    size_t bytes;
    struct outgoing m = {in->Message, in->Subject, in->MessageStructure, &in->MessageAttributes,
                         in->MessageGroupId, in->MessageDeduplicationId};
    int targets = (in->TopicArn.n > 0) + (in->TargetArn.n > 0) + (in->PhoneNumber.n > 0);
    if (targets == 0)
        return sns_invalid("TopicArn or TargetArn Reason: no value for required parameter");
    if (targets > 1)
        return sns_invalid("TopicArn or TargetArn Reason: name one target only");
    TRY(check_message(c, &m, &bytes));
    if (in->PhoneNumber.n > 0)
        return to_phone(c, &m, in->PhoneNumber, &out->MessageId);
    struct str arn = in->TopicArn.n > 0 ? in->TopicArn : in->TargetArn;
    struct device d;
    if (endpoint_arn_parts(arn, &d))
        return to_device(c, &m, arn, &out->MessageId);
    TRY(topic_need(c, arn, false, &t));
    return to_topic(c, &t, &m, &out->MessageId);
}

static struct err *check_batch(const struct sns_PublishBatchRequestEntryList *l)
{
    size_t bytes = 0;
    if (l->n == 0)
        return err_aws(400, "EmptyBatchRequest",
                       "The batch request doesn't contain any entries.");
    if (l->n > SNS_BATCH_MAX)
        return err_aws(400, "TooManyEntriesInBatchRequest",
                       "The batch request contains more entries than permissible.");
    for (size_t i = 0; i < l->n; i++) {
        struct str id = l->v[i].Id;
        bool ok = id.n >= 1 && id.n <= 80;
        for (size_t k = 0; ok && k < id.n; k++)
            ok = id.p[k] != '\0' && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                           "0123456789-_", id.p[k]) != NULL;
        if (!ok)
            return err_aws(400, "InvalidBatchEntryId",
                           "The Id of a batch entry in a batch request doesn't abide by the "
                           "specification.");
        for (size_t k = 0; k < i; k++)
            if (str_eq(id, l->v[k].Id))
                return err_aws(400, "BatchEntryIdsNotDistinct",
                               "Two or more batch entries in the request have the same Id.");
        bytes += l->v[i].Message.n;
        for (size_t k = 0; k < l->v[i].MessageAttributes.n; k++) {
            const struct sns_MessageAttributeMap_item *at = &l->v[i].MessageAttributes.v[k];
            bytes += at->key.n + at->value.DataType.n + at->value.StringValue.n +
                     at->value.BinaryValue.n;
        }
    }
    return bytes <= SNS_MESSAGE_MAX
               ? NULL
               : err_aws(400, "BatchRequestTooLong",
                         "The length of all the messages put together is more than the limit.");
}

static void batch_fail(struct call *c, struct sns_BatchResultErrorEntryList *l, struct str id,
                       struct err *e)
{
    struct sns_BatchResultErrorEntry *f = &l->v[l->n++];
    l->set = true;
    f->Id = id;
    f->Code = str_c(e->code != NULL ? e->code : "InternalError");
    f->Message = arena_str(c->arena, str_c(e->message));
    f->SenderFault = some_bool(err_http_status(e) < 500);
    err_free(e);
}

OP_HANDLER(sns, PublishBatch, PublishBatchInput, PublishBatchResponse)
{
    struct topic t;
    const struct sns_PublishBatchRequestEntryList *l = &in->PublishBatchRequestEntries;
    TRY(check_batch(l));
    TRY(topic_need(c, in->TopicArn, false, &t));
    out->Successful.v = ARENA_ARRAY(c->arena, l->n, struct sns_PublishBatchResultEntry);
    out->Failed.v = ARENA_ARRAY(c->arena, l->n, struct sns_BatchResultErrorEntry);
    out->Successful.set = out->Failed.set = true;
    for (size_t i = 0; i < l->n; i++) {
        const struct sns_PublishBatchRequestEntry *x = &l->v[i];
        struct outgoing m = {x->Message, x->Subject, x->MessageStructure, &x->MessageAttributes,
                             x->MessageGroupId, x->MessageDeduplicationId};
        struct str id;
        size_t bytes;
        struct err *e = check_message(c, &m, &bytes);
        if (e != NULL) {
            batch_fail(c, &out->Failed, x->Id, e);
            continue;
        }
        TRY(to_topic(c, &t, &m, &id));
        struct sns_PublishBatchResultEntry *r = &out->Successful.v[out->Successful.n++];
        r->Id = x->Id;
        r->MessageId = id;
    }
    return NULL;
}
