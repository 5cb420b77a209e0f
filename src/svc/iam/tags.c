#include "room.h"

static struct err *tag(struct call *c, enum iam_kind kind, struct str name,
                       const struct iam_tagListType *tags)
{
    struct jv *row = NULL;
    TRY(iam_entity(c, kind, name, &row));
    TRY(iam_tags_add(c, row, tags));
    return iam_entity_put(c, kind, row);
}

static struct err *untag(struct call *c, enum iam_kind kind, struct str name,
                         const struct iam_tagKeyListType *keys)
{
    struct jv *row = NULL;
    TRY(iam_entity(c, kind, name, &row));
    struct jv *tags = row_obj(c, row, "tags");
    for (size_t i = 0; i < keys->n; i++)
        for (size_t t = jv_len(tags); t-- > 0;)
            if (str_ieq(tags->obj.v[t].key, keys->v[i]))
                jv_drop_key(tags, tags->obj.v[t].key);
    jv_set(c->arena, row, STR("tags"), tags);
    return iam_entity_put(c, kind, row);
}

static struct err *list(struct call *c, enum iam_kind kind, struct str name, struct str marker,
                        struct opt_int max_items, struct iam_tagListType *out,
                        struct str *out_marker)
{
    struct jv *row = NULL;
    TRY(iam_entity(c, kind, name, &row));
    struct iam_tagListType all = {0};
    struct iam_range r;
    iam_tags_out(c, row, &all);
    TRY(iam_page_range(c, marker, max_items, all.n, &r));
    out->set = true;
    out->n = r.to - r.from;
    out->v = out->n == 0 ? NULL : all.v + r.from;
    *out_marker = r.next_marker;
    return NULL;
}

OP_HANDLER_NO_OUT(iam, TagUser, TagUserRequest)
{
    return tag(c, IAM_USER, in->UserName, &in->Tags);
}

OP_HANDLER_NO_OUT(iam, TagRole, TagRoleRequest)
{
    return tag(c, IAM_ROLE, in->RoleName, &in->Tags);
}

OP_HANDLER_NO_OUT(iam, TagPolicy, TagPolicyRequest)
{
    struct jv *row;
    TRY(iam_own_policy(c, in->PolicyArn, &row));
    return tag(c, IAM_POLICY, in->PolicyArn, &in->Tags);
}

OP_HANDLER_NO_OUT(iam, TagInstanceProfile, TagInstanceProfileRequest)
{
    return tag(c, IAM_PROFILE, in->InstanceProfileName, &in->Tags);
}

OP_HANDLER_NO_OUT(iam, UntagUser, UntagUserRequest)
{
    return untag(c, IAM_USER, in->UserName, &in->TagKeys);
}

OP_HANDLER_NO_OUT(iam, UntagRole, UntagRoleRequest)
{
    return untag(c, IAM_ROLE, in->RoleName, &in->TagKeys);
}

OP_HANDLER_NO_OUT(iam, UntagPolicy, UntagPolicyRequest)
{
    struct jv *row;
    TRY(iam_own_policy(c, in->PolicyArn, &row));
    return untag(c, IAM_POLICY, in->PolicyArn, &in->TagKeys);
}

OP_HANDLER_NO_OUT(iam, UntagInstanceProfile, UntagInstanceProfileRequest)
{
    return untag(c, IAM_PROFILE, in->InstanceProfileName, &in->TagKeys);
}

OP_HANDLER(iam, ListUserTags, ListUserTagsRequest, ListUserTagsResponse)
{
    TRY(list(c, IAM_USER, in->UserName, in->Marker, in->MaxItems, &out->Tags, &out->Marker));
    out->IsTruncated = some_bool(out->Marker.p != NULL);
    return NULL;
}

OP_HANDLER(iam, ListRoleTags, ListRoleTagsRequest, ListRoleTagsResponse)
{
    TRY(list(c, IAM_ROLE, in->RoleName, in->Marker, in->MaxItems, &out->Tags, &out->Marker));
    out->IsTruncated = some_bool(out->Marker.p != NULL);
    return NULL;
}

OP_HANDLER(iam, ListPolicyTags, ListPolicyTagsRequest, ListPolicyTagsResponse)
{
    TRY(list(c, IAM_POLICY, in->PolicyArn, in->Marker, in->MaxItems, &out->Tags, &out->Marker));
    out->IsTruncated = some_bool(out->Marker.p != NULL);
    return NULL;
}

OP_HANDLER(iam, ListInstanceProfileTags, ListInstanceProfileTagsRequest,
           ListInstanceProfileTagsResponse)
{
    TRY(list(c, IAM_PROFILE, in->InstanceProfileName, in->Marker, in->MaxItems, &out->Tags,
             &out->Marker));
    out->IsTruncated = some_bool(out->Marker.p != NULL);
    return NULL;
}
