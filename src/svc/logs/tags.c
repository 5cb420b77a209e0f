/* Tags of log groups, by name (the older calls) and by ARN. Kept in the group's row: {key:value}.
 */
#include "room.h"

struct err *logs_set_tags(struct call *c, struct group *g, const struct logs_Tags *tags)
{
    struct arena *a = c->arena;
    struct jv *all = jv_new_obj(a);
    const struct jv *former = jv_get(g->row, "tags");
    for (size_t i = 0; i < jv_len(former); i++)
        jv_set(a, all, former->obj.v[i].key, &former->obj.v[i].value);
    for (size_t i = 0; i < tags->n; i++) {
        struct str value = tags->v[i].value;
        if (str_starts_c(tags->v[i].key, "aws:"))
            return err_aws(400, "InvalidParameterException",
                           "Tag keys that begin with aws: are reserved.");
        jv_set(a, all, tags->v[i].key, jv_new_str(a, value.p != NULL ? value : STR("")));
    }
    if (jv_len(all) > LOGS_TAGS_MAX)
        return err_aws(400, "TooManyTagsException", "A log group has at most %d tags.",
                       LOGS_TAGS_MAX);
    jv_set(a, g->row, STR("tags"), all);
    return NULL;
}

static struct err *add(struct call *c, struct str name, const struct logs_Tags *tags)
{
    struct group g;
    TRY(group_need(c, name, &g));
    TRY(logs_set_tags(c, &g, tags));
    return group_save(c, &g);
}

static struct err *drop(struct call *c, struct str name, const struct str *keys, size_t n)
{
    struct group g;
    struct jv *left = jv_new_obj(c->arena);
    TRY(group_need(c, name, &g));
    const struct jv *former = jv_get(g.row, "tags");
    for (size_t i = 0; i < jv_len(former); i++) {
        bool listed = false;
        for (size_t k = 0; k < n; k++)
            listed |= str_eq(keys[k], former->obj.v[i].key);
        if (!listed)
            jv_set(c->arena, left, former->obj.v[i].key, &former->obj.v[i].value);
    }
    jv_set(c->arena, g.row, STR("tags"), left);
    return group_save(c, &g);
}

static struct err *list(struct call *c, struct str name, struct logs_Tags *out)
{
    struct group g;
    TRY(group_need(c, name, &g));
    const struct jv *tags = jv_get(g.row, "tags");
    out->v = ARENA_ARRAY(c->arena, jv_len(tags) + 1, struct logs_Tags_item);
    out->set = true;
    for (size_t i = 0; i < jv_len(tags); i++)
        out->v[out->n++] = (struct logs_Tags_item){.key = tags->obj.v[i].key,
                                                   .value = jv_s(&tags->obj.v[i].value)};
    return NULL;
}

OP_HANDLER_NO_OUT(logs, TagLogGroup, TagLogGroupRequest)
{
    return add(c, in->logGroupName, &in->tags);
}

OP_HANDLER_NO_OUT(logs, UntagLogGroup, UntagLogGroupRequest)
{
    return drop(c, in->logGroupName, in->tags.v, in->tags.n);
}

OP_HANDLER(logs, ListTagsLogGroup, ListTagsLogGroupRequest, ListTagsLogGroupResponse)
{
    return list(c, in->logGroupName, &out->tags);
}

OP_HANDLER_NO_OUT(logs, TagResource, TagResourceRequest)
{
    return add(c, in->resourceArn, &in->tags);
}

OP_HANDLER_NO_OUT(logs, UntagResource, UntagResourceRequest)
{
    return drop(c, in->resourceArn, in->tagKeys.v, in->tagKeys.n);
}

OP_HANDLER(logs, ListTagsForResource, ListTagsForResourceRequest, ListTagsForResourceResponse)
{
    return list(c, in->resourceArn, &out->tags);
}
