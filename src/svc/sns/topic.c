/* Topics: made, found, listed, deleted. */
#include "room.h"

#include <stdarg.h>

struct err *sns_invalid(const char *fmt, ...)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(ERR_MESSAGE_MAX);
    va_list ap;
    va_start(ap, fmt);
    buf_vfmt(&b, fmt, ap);
    va_end(ap);
    return err_aws(400, "InvalidParameter", "Invalid parameter: %.*s", STR_ARG(buf_view(&b)));
}

void sns_set(struct arena *a, struct jv *o, const char *name, struct str v)
{
    jv_set(a, o, str_c(name), jv_new_str(a, v));
}

static bool name_valid(struct str n)
{
    bool ok = n.n >= 1 && n.n <= SNS_NAME_MAX;
    for (size_t i = 0; ok && i < n.n; i++)
        ok = n.p[i] != '\0' && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789-_", n.p[i]) != NULL;
    return ok;
}

static bool sns_arn(struct str text, struct arn *out)
{
    return text.n <= 1024 && arn_parse(text, out) && str_is(out->partition, IDENTITY_PARTITION) &&
           str_is(out->service, "sns") && out->region.n > 0 && out->account.n == 12;
}

bool topic_arn_parts(struct str text, struct arn *out)
{
    return sns_arn(text, out) && name_valid(out->resource);
}

bool sub_arn_parts(struct str text, struct arn *out, struct str *out_id)
{
    if (!sns_arn(text, out))
        return false;
    struct str rest = out->resource, name = str_cut(&rest, ':');
    out->resource = name;
    *out_id = rest;
    return name_valid(name) && rest.n > 0 && rest.n <= 64 && str_find_char(rest, ':') < 0;
}

/* -- rows -------------------------------------------------------------------------------------- */

static struct skey topic_key(struct str account, struct str region, struct str name)
{
    struct skey k = skey();
    key_str(&k, account);
    key_str(&k, region);
    key_str(&k, name);
    return k;
}

static void from_row(struct arena *a, const struct arn *at, struct jv *row, struct topic *out)
{
    *out = (struct topic){.account = arena_str(a, at->account),
                          .region = arena_str(a, at->region),
                          .name = arena_str(a, at->resource),
                          .uid = jv_s(jv_get(row, "uid")),
                          .row = row,
                          .attrs = (struct jv *)jv_get(row, "attributes")};
    out->arn = arena_fmt(a, "arn:%s:sns:%.*s:%.*s:%.*s", IDENTITY_PARTITION, STR_ARG(out->region),
                         STR_ARG(out->account), STR_ARG(out->name));
}

static struct err *read_row(struct txn *t, struct arena *a, const struct arn *at, bool watch,
                            struct topic *out, bool *out_found)
{
    struct skey k = topic_key(at->account, at->region, at->resource);
    struct str text;
    struct jv *row;
    TRY(watch ? txn_get(t, SNS_T_TOPIC, key_of(&k), a, &text)
              : txn_peek(t, SNS_T_TOPIC, key_of(&k), a, &text));
    *out_found = text.p != NULL;
    if (!*out_found)
        return NULL;
    TRY(json_parse(a, text, JSON_DEPTH_DEFAULT, &row));
    from_row(a, at, row, out);
    return NULL;
}

struct err *topic_read(struct txn *t, struct arena *a, const struct arn *at, struct topic *out,
                       bool *out_found)
{
    return read_row(t, a, at, false, out, out_found);
}

struct err *topic_need(struct call *c, struct str text, bool watch, struct topic *out)
{
    struct arn at;
    bool found;
    if (!topic_arn_parts(text, &at))
        return str_ends_c(text, ".fifo") ? err_not_implemented(c, "A FIFO topic")
                                         : sns_invalid("TopicArn");
    /* An unsigned link names its region in the ARN alone. */
    if (c->id.who.kind != PRINCIPAL_ANONYMOUS && !str_eq(at.region, c->region))
        return sns_invalid("TopicArn Reason: the topic is of another Region");
    TRY(read_row(c->txn, c->arena, &at, watch, out, &found));
    return found ? NULL : err_aws(404, "NotFound", "Topic does not exist");
}

struct str topic_owner(struct arena *a, const struct topic *t)
{
    return arena_fmt(a, "%.*s/sns/%.*s", STR_ARG(t->account), STR_ARG(t->uid));
}

struct err *topic_write(struct call *c, const struct topic *t)
{
    struct skey k = topic_key(t->account, t->region, t->name);
    return row_put(c, SNS_T_TOPIC, topic_owner(c->arena, t), key_of(&k), t->row);
}

/* -- create ------------------------------------------------------------------------------------ */

static struct err *check_new(struct call *c, const struct sns_CreateTopicInput *in)
{
    if (str_ends_c(in->Name, ".fifo"))
        return err_not_implemented(c, "A FIFO topic");
    if (!name_valid(in->Name))
        return sns_invalid("Topic Name");
    if (in->DataProtectionPolicy.n > 0)
        return err_not_implemented(c, "DataProtectionPolicy");
    return tags_check(&in->Tags);
}

/* Made again with the same attributes and tags: the same topic. With others: an error. */
static struct err *same_topic(struct call *c, const struct topic *t,
                              const struct sns_CreateTopicInput *in)
{
    for (size_t i = 0; i < in->Attributes.n; i++) {
        struct str name = in->Attributes.v[i].key;
        struct str have = jv_s(jv_get_str(t->attrs, name));
        if (have.p == NULL)
            have = str_is(name, "SignatureVersion") ? STR("1")
                   : str_is(name, "FifoTopic")      ? STR("false")
                                                    : STR("");
        if (!str_eq(have, in->Attributes.v[i].value))
            return sns_invalid("Attributes Reason: Topic already exists with different attributes");
    }
    if (in->Tags.set && !jv_equal(jv_get(t->row, "tags"), tags_json(c->arena, &in->Tags)))
        return sns_invalid("Tags Reason: Topic already exists with different tags");
    return NULL;
}

OP_HANDLER(sns, CreateTopic, CreateTopicInput, CreateTopicResponse)
{
    struct topic t;
    bool found;
    struct arena *a = c->arena;
    TRY(check_new(c, in));
    struct arn at = {STR(IDENTITY_PARTITION), STR("sns"), c->region, c->account, in->Name};
    TRY(read_row(c->txn, a, &at, true, &t, &found)); /* two creators must conflict */
    if (found) {
        out->TopicArn = t.arn;
        return same_topic(c, &t, in);
    }
    char uid[37];
    rand_uuid(uid);
    struct jv *row = jv_new_obj(a);
    sns_set(a, row, "uid", arena_str(a, str_c(uid)));
    jv_set(a, row, STR("created_ms"), jv_new_int(a, c->now_ms));
    jv_set(a, row, STR("attributes"), jv_new_obj(a));
    jv_set(a, row, STR("tags"), tags_json(a, &in->Tags));
    from_row(a, &at, row, &t);
    sns_set(a, t.attrs, "Policy", topic_default_policy(c, &t));
    for (size_t i = 0; i < in->Attributes.n; i++)
        TRY(topic_set_attribute(c, &t, in->Attributes.v[i].key, in->Attributes.v[i].value));
    out->TopicArn = t.arn;
    return topic_write(c, &t);
}

/* -- delete ------------------------------------------------------------------------------------ */

struct removal {
    struct call *c;
    const struct topic *topic;
    VEC(struct sub) subs;
};

static struct err *collect(void *ctx, struct sub *s)
{
    struct removal *r = ctx;
    VEC_PUSH(r->c->arena, &r->subs, *s);
    return NULL;
}

/* What was published and is on its way goes with the topic: the jobs find nothing to deliver. A
 * topic that is not there is deleted already. */
OP_HANDLER_NO_OUT(sns, DeleteTopic, DeleteTopicInput)
{
    struct topic t;
    struct err *e = topic_need(c, in->TopicArn, true, &t);
    if (err_has_code(e, "NotFound")) {
        err_free(e);
        return NULL;
    }
    TRY(e);
    struct removal r = {.c = c, .topic = &t};
    TRY(subs_each(c->txn, c->arena, &t, collect, &r));
    for (size_t i = 0; i < r.subs.n; i++)
        TRY(sub_delete(c->txn, &t, &r.subs.v[i]));
    struct skey k = topic_key(t.account, t.region, t.name);
    return txn_del(c->txn, SNS_T_TOPIC, key_of(&k));
}

/* -- list -------------------------------------------------------------------------------------- */

OP_HANDLER(sns, ListTopics, ListTopicsInput, ListTopicsResponse)
{
    struct str position;
    TRY(page_position(c, in->NextToken, "InvalidParameter", &position));
    struct skey prefix = skey();
    key_str(&prefix, c->account);
    key_str(&prefix, c->region);
    struct scan sc = {.prefix = key_of(&prefix), .from = position, .after = true,
                      .keys_only = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, SNS_T_TOPIC, &sc, &cur));
    out->Topics.v = ARENA_ARRAY(c->arena, SNS_PAGE, struct sns_Topic);
    out->Topics.set = true;
    struct str last = STR_NONE;
    for (;;) {
        bool more;
        struct str key, value, account, region, name;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        if (out->Topics.n == SNS_PAGE) {
            out->NextToken = page_token(c, last);
            return NULL;
        }
        last = arena_str(c->arena, key);
        struct str rest = last;
        if (key_take_str(c->arena, &rest, &account) && key_take_str(c->arena, &rest, &region) &&
            key_take_str(c->arena, &rest, &name))
            out->Topics.v[out->Topics.n++].TopicArn = call_arn(c, "sns", "%.*s", STR_ARG(name));
    }
}
