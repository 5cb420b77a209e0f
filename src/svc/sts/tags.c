#include "room.h"

/* Session tags: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
 * Transitive tags go along when roles are chained, and stay as they were set first. */

static bool has_key(const struct jv *arr, struct str key)
{
    for (size_t i = 0; i < jv_len(arr); i++)
        if (str_ieq(jv_s(jv_at(arr, i)), key))
            return true;
    return false;
}

static bool asked_for(const struct sts_tagListType *tags, struct str key)
{
    for (size_t i = 0; i < tags->n; i++)
        if (str_ieq(tags->v[i].Key, key))
            return true;
    return false;
}

static struct err *check(struct call *c, const struct sts_AssumeRoleRequest *in)
{
    for (size_t i = 0; i < in->Tags.n; i++) {
        struct str key = in->Tags.v[i].Key;
        if (str_starts(key, STR("aws:")))
            return err_aws(400, "ValidationError", "Tag keys that begin with aws: are reserved.");
        for (size_t j = 0; j < i; j++)
            if (str_ieq(key, in->Tags.v[j].Key))
                return err_aws(400, "InvalidParameterValue",
                               "Duplicate tag keys found. Please note that Tag keys are case "
                               "insensitive.");
        if (has_key(c->id.transitive_tags, key))
            return err_aws(400, "InvalidParameterValue",
                           "One of the tags was handed on by the calling session and cannot be "
                           "set again.");
    }
    for (size_t i = 0; i < in->TransitiveTagKeys.n; i++)
        if (!asked_for(&in->Tags, in->TransitiveTagKeys.v[i]))
            return err_aws(400, "InvalidParameterValue",
                           "A transitive tag key must be among the requested tags.");
    return NULL;
}

struct err *sts_session_tags(struct call *c, const struct sts_AssumeRoleRequest *in,
                             const struct jv **out_tags, const struct jv **out_transitive)
{
    TRY(check(c, in));
    struct arena *a = c->arena;
    struct jv *tags = jv_new_obj(a), *transitive = jv_new_arr(a);
    const struct jv *before = c->id.session_tags;
    for (size_t i = 0; i < jv_len(before); i++) {
        const struct jv_member *m = &before->obj.v[i];
        if (!has_key(c->id.transitive_tags, m->key))
            continue;
        jv_set(a, tags, m->key, &m->value);
        jv_push(a, transitive, jv_new_str(a, m->key));
    }
    for (size_t i = 0; i < in->Tags.n; i++)
        jv_set(a, tags, in->Tags.v[i].Key, jv_new_str(a, in->Tags.v[i].Value));
    for (size_t i = 0; i < in->TransitiveTagKeys.n; i++)
        jv_push(a, transitive, jv_new_str(a, in->TransitiveTagKeys.v[i]));
    if (jv_len(tags) > STS_TAGS_MAX)
        return err_aws(400, "ValidationError", "A session may have at most %d tags.", STS_TAGS_MAX);
    *out_tags = jv_len(tags) > 0 ? tags : NULL;
    *out_transitive = jv_len(transitive) > 0 ? transitive : NULL;
    return NULL;
}

static void request_tag(struct call *c, struct str key, struct str value)
{
    if (key.p != NULL)
        call_key(c, arena_fmt(c->arena, "aws:RequestTag/%.*s", STR_ARG(key)).p, value);
}

/* Of the new session as it would be: what is asked for, and what the caller's session hands on. */
void sts_tag_keys(struct call *c, const struct sts_AssumeRoleRequest *in)
{
    const struct jv *handed = c->id.transitive_tags, *before = c->id.session_tags;
    size_t most = in->Tags.n + jv_len(handed), n = 0, n_transitive = 0;
    struct str *keys = ARENA_ARRAY(c->arena, most + 1, struct str);
    struct str *transitive =
        ARENA_ARRAY(c->arena, in->TransitiveTagKeys.n + jv_len(handed) + 1, struct str);
    for (size_t i = 0; i < in->Tags.n; i++) {
        keys[n++] = in->Tags.v[i].Key;
        request_tag(c, in->Tags.v[i].Key, in->Tags.v[i].Value);
    }
    for (size_t i = 0; i < in->TransitiveTagKeys.n; i++)
        transitive[n_transitive++] = in->TransitiveTagKeys.v[i];
    for (size_t i = 0; i < jv_len(handed); i++) {
        struct str key = jv_s(jv_at(handed, i));
        keys[n++] = key;
        transitive[n_transitive++] = key;
        request_tag(c, key, jv_s(jv_get_str(before, key)));
    }
    if (n > 0)
        call_key_list(c, "aws:TagKeys", keys, n);
    if (n_transitive > 0)
        call_key_list(c, "sts:TransitiveTagKeys", transitive, n_transitive);
}
