/* Tags of topics. */
#include "room.h"

struct err *tags_check(const struct sns_TagList *tags)
{
    if (tags->n > SNS_TAGS_MAX)
        return err_aws(400, "TagLimitExceeded", "Could not complete request: tag quota of per "
                                                "resource exceeded");
    for (size_t i = 0; i < tags->n; i++) {
        if (str_starts_c(tags->v[i].Key, "aws:"))
            return sns_invalid("Tags Reason: keys that begin with aws: are reserved");
        for (size_t j = 0; j < i; j++)
            if (str_eq(tags->v[i].Key, tags->v[j].Key))
                return sns_invalid("Duplicated keys are not allowed.");
    }
    return NULL;
}

struct jv *tags_json(struct arena *a, const struct sns_TagList *tags)
{
    struct jv *o = jv_new_obj(a);
    for (size_t i = 0; i < tags->n; i++)
        jv_set(a, o, tags->v[i].Key,
               jv_new_str(a, tags->v[i].Value.p != NULL ? tags->v[i].Value : STR("")));
    return o;
}

void tags_keys(struct call *c, const struct sns_TagList *tags)
{
    struct str *names = ARENA_ARRAY(c->arena, tags->n + 1, struct str);
    for (size_t i = 0; i < tags->n; i++) {
        names[i] = tags->v[i].Key;
        call_key(c, arena_fmt(c->arena, "aws:RequestTag/%.*s", STR_ARG(tags->v[i].Key)).p,
                 tags->v[i].Value);
    }
    if (tags->n > 0)
        call_key_list(c, "aws:TagKeys", names, tags->n);
}

static struct err *need_resource(struct call *c, struct str arn, struct topic *out)
{
    struct err *e = topic_need(c, arn, true, out);
    if (!err_has_code(e, "NotFound"))
        return e;
    err_free(e);
    return err_aws(404, "ResourceNotFound", "Resource does not exist");
}

OP_HANDLER(sns, TagResource, TagResourceRequest, TagResourceResponse)
{
    struct topic t;
    TRY(tags_check(&in->Tags));
    TRY(need_resource(c, in->ResourceArn, &t));
    struct jv *tags = (struct jv *)jv_get(t.row, "tags");
    for (size_t i = 0; i < in->Tags.n; i++)
        jv_set(c->arena, tags, in->Tags.v[i].Key,
               jv_new_str(c->arena, in->Tags.v[i].Value.p != NULL ? in->Tags.v[i].Value : STR("")));
    if (jv_len(tags) > SNS_TAGS_MAX)
        return err_aws(400, "TagLimitExceeded", "Could not complete request: tag quota of per "
                                                "resource exceeded");
    return topic_write(c, &t);
}

OP_HANDLER(sns, UntagResource, UntagResourceRequest, UntagResourceResponse)
{
    struct topic t;
    TRY(need_resource(c, in->ResourceArn, &t));
    jv_set(c->arena, t.row, STR("tags"),
           tags_without(c->arena, jv_get(t.row, "tags"), in->TagKeys.v, in->TagKeys.n));
    return topic_write(c, &t);
}

OP_HANDLER(sns, ListTagsForResource, ListTagsForResourceRequest, ListTagsForResourceResponse)
{
    struct topic t;
    TRY(need_resource(c, in->ResourceArn, &t));
    const struct jv *tags = jv_get(t.row, "tags");
    out->Tags.v = ARENA_ARRAY(c->arena, jv_len(tags) + 1, struct sns_Tag);
    out->Tags.set = true;
    for (size_t i = 0; i < jv_len(tags); i++) {
        out->Tags.v[out->Tags.n].Key = tags->obj.v[i].key;
        out->Tags.v[out->Tags.n++].Value = jv_s(&tags->obj.v[i].value);
    }
    return NULL;
}
