/* Tags of trails, kept in the trail's row as a list of {Key, Value}. */
#include "room.h"

static bool tag_is(const struct jv *tag, struct str key)
{
    return str_eq(jv_s(jv_get(tag, "Key")), key);
}

static bool tag_listed(const struct cloudtrail_TagsList *list, const struct jv *tag)
{
    for (size_t i = 0; i < list->n; i++)
        if (tag_is(tag, list->v[i].Key))
            return true;
    return false;
}

/* The trail's tags without those that the list names. */
static struct jv *without(struct call *c, const struct trail *t,
                          const struct cloudtrail_TagsList *list)
{
    struct jv *left = jv_new_arr(c->arena);
    for (size_t i = 0; i < jv_len(t->tags); i++)
        if (!tag_listed(list, jv_at(t->tags, i)))
            jv_push(c->arena, left, jv_at(t->tags, i));
    return left;
}

OP_HANDLER(cloudtrail, AddTags, AddTagsRequest, AddTagsResponse)
{
    struct trail t;
    TRY(trail_need_home(c, in->ResourceId, &t));
    t.tags = without(c, &t, &in->TagsList);
    for (size_t i = 0; i < in->TagsList.n; i++) {
        struct jv *tag = jv_new_obj(c->arena);
        jv_set(c->arena, tag, STR("Key"), jv_new_str(c->arena, in->TagsList.v[i].Key));
        jv_set(c->arena, tag, STR("Value"), jv_new_str(c->arena, in->TagsList.v[i].Value));
        jv_push(c->arena, t.tags, tag);
    }
    if (jv_len(t.tags) > TRAIL_TAGS_MAX)
        return err_aws(400, "TagsLimitExceededException", "A trail has at most %d tags.",
                       TRAIL_TAGS_MAX);
    return trail_write(c->txn, c->arena, &t);
}

OP_HANDLER(cloudtrail, RemoveTags, RemoveTagsRequest, RemoveTagsResponse)
{
    struct trail t;
    TRY(trail_need(c, in->ResourceId, &t));
    t.tags = without(c, &t, &in->TagsList);
    return trail_write(c->txn, c->arena, &t);
}

OP_HANDLER(cloudtrail, ListTags, ListTagsRequest, ListTagsResponse)
{
    size_t n = in->ResourceIdList.n;
    out->ResourceTagList.v = ARENA_ARRAY(c->arena, n + 1, struct cloudtrail_ResourceTag);
    out->ResourceTagList.set = true;
    for (size_t i = 0; i < n; i++) {
        struct trail t;
        TRY(trail_need(c, in->ResourceIdList.v[i], &t));
        struct cloudtrail_ResourceTag *r = &out->ResourceTagList.v[out->ResourceTagList.n++];
        r->ResourceId = t.arn;
        r->TagsList.v = ARENA_ARRAY(c->arena, jv_len(t.tags) + 1, struct cloudtrail_Tag);
        r->TagsList.set = true;
        for (size_t j = 0; j < jv_len(t.tags); j++) {
            struct cloudtrail_Tag *tag = &r->TagsList.v[r->TagsList.n++];
            tag->Key = jv_s(jv_get(jv_at(t.tags, j), "Key"));
            tag->Value = jv_s(jv_get(jv_at(t.tags, j), "Value"));
        }
    }
    return NULL;
}
