/* Tags of keys, kept in the key's row as a list of {key, value}. */
#include "room.h"

struct err *kms_check_tags(const struct kms_TagList *tags)
{
    if (tags->n > KMS_TAGS_MAX)
        return err_aws(400, "LimitExceededException", "A key has at most %d tags.", KMS_TAGS_MAX);
    for (size_t i = 0; i < tags->n; i++) {
        if (str_starts_c(tags->v[i].TagKey, "aws:"))
            return err_aws(400, "TagException", "Tag keys that begin with aws: are reserved.");
        for (size_t j = 0; j < i; j++)
            if (str_eq(tags->v[i].TagKey, tags->v[j].TagKey))
                return err_aws(400, "TagException", "A tag key is given twice.");
    }
    return NULL;
}

static const struct jv *tag_at(const struct jv *tags, struct str key)
{
    for (size_t i = 0; i < jv_len(tags); i++)
        if (str_eq(jv_s(jv_get(jv_at(tags, i), "key")), key))
            return jv_at(tags, i);
    return NULL;
}

static void push_tag(struct arena *a, struct jv *tags, struct str key, struct str value)
{
    struct jv *t = jv_new_obj(a);
    jv_set(a, t, STR("key"), jv_new_str(a, key));
    jv_set(a, t, STR("value"), jv_new_str(a, value.p != NULL ? value : STR("")));
    jv_push(a, tags, t);
}

void kms_set_tags(struct call *c, struct key *k, const struct kms_TagList *tags)
{
    struct arena *a = c->arena;
    struct jv *all = jv_new_arr(a);
    for (size_t i = 0; i < tags->n; i++)
        push_tag(a, all, tags->v[i].TagKey, tags->v[i].TagValue);
    const struct jv *former = jv_get(k->row, "tags");
    for (size_t i = 0; i < jv_len(former); i++)
        if (tag_at(all, jv_s(jv_get(jv_at(former, i), "key"))) == NULL)
            jv_push(a, all, jv_at(former, i));
    jv_set(a, k->row, STR("tags"), all);
}

OP_HANDLER_NO_OUT(kms, TagResource, TagResourceRequest)
{
    struct key k;
    TRY(key_need(c, in->KeyId, &k));
    TRY(key_not_pending(&k));
    TRY(kms_check_tags(&in->Tags));
    kms_set_tags(c, &k, &in->Tags);
    if (jv_len(jv_get(k.row, "tags")) > KMS_TAGS_MAX)
        return err_aws(400, "LimitExceededException", "A key has at most %d tags.", KMS_TAGS_MAX);
    return key_save(c, &k);
}

static bool listed(const struct kms_TagKeyList *keys, struct str key)
{
    for (size_t i = 0; i < keys->n; i++)
        if (str_eq(keys->v[i], key))
            return true;
    return false;
}

OP_HANDLER_NO_OUT(kms, UntagResource, UntagResourceRequest)
{
    struct key k;
    TRY(key_need(c, in->KeyId, &k));
    TRY(key_not_pending(&k));
    const struct jv *former = jv_get(k.row, "tags");
    struct jv *left = jv_new_arr(c->arena);
    for (size_t i = 0; i < jv_len(former); i++)
        if (!listed(&in->TagKeys, jv_s(jv_get(jv_at(former, i), "key"))))
            jv_push(c->arena, left, jv_at(former, i));
    jv_set(c->arena, k.row, STR("tags"), left);
    return key_save(c, &k);
}

OP_HANDLER(kms, ListResourceTags, ListResourceTagsRequest, ListResourceTagsResponse)
{
    struct key k;
    TRY(key_need(c, in->KeyId, &k));
    const struct jv *tags = jv_get(k.row, "tags");
    size_t n = jv_len(tags);
    out->Tags.v = ARENA_ARRAY(c->arena, n + 1, struct kms_Tag);
    for (size_t i = 0; i < n; i++) {
        out->Tags.v[i].TagKey = jv_s(jv_get(jv_at(tags, i), "key"));
        out->Tags.v[i].TagValue = jv_s(jv_get(jv_at(tags, i), "value"));
    }
    out->Tags.n = n;
    out->Tags.set = true;
    out->Truncated = some_bool(false);
    return NULL;
}
