#include "room.h"

/* Inline policies of users, roles and groups: {name: document} in the entity's row. */

static struct err *no_such_policy(enum iam_kind kind, struct str name)
{
    return err_aws(404, "NoSuchEntity", "The %s policy with name %.*s cannot be found.",
                   iam_kinds[kind].label, STR_ARG(name));
}

static struct err *inline_put(struct call *c, enum iam_kind kind, struct str name,
                              struct str policy, struct str document)
{
    struct jv *row = NULL;
    TRY(iam_entity(c, kind, name, &row));
    TRY(iam_check_document(document, POLICY_IDENTITY));
    struct jv *docs = row_obj(c, row, "inline");
    jv_set(c->arena, docs, policy, jv_new_str(c->arena, document));
    int64_t chars = 0;
    for (size_t i = 0; i < jv_len(docs); i++)
        chars += iam_doc_chars(jv_s(&docs->obj.v[i].value));
    if (chars > iam_kinds[kind].inline_chars)
        return err_aws(409, "LimitExceeded", "Maximum policy size of %lld bytes exceeded for %s "
                                             "%.*s",
                       (long long)iam_kinds[kind].inline_chars, iam_kinds[kind].label,
                       STR_ARG(name));
    jv_set(c->arena, row, STR("inline"), docs);
    return iam_entity_put(c, kind, row);
}

static struct err *inline_get(struct call *c, enum iam_kind kind, struct str name,
                              struct str policy, struct str *out_document)
{
    struct jv *row = NULL;
    TRY(iam_entity(c, kind, name, &row));
    struct str document = jv_s(jv_get_str(jv_get(row, "inline"), policy));
    if (document.p == NULL)
        return no_such_policy(kind, policy);
    *out_document = iam_doc_out(c, document);
    return NULL;
}

static struct err *inline_delete(struct call *c, enum iam_kind kind, struct str name,
                                 struct str policy)
{
    struct jv *row = NULL;
    TRY(iam_entity(c, kind, name, &row));
    struct jv *docs = row_obj(c, row, "inline");
    if (!jv_drop_key(docs, policy))
        return no_such_policy(kind, policy);
    jv_set(c->arena, row, STR("inline"), docs);
    return iam_entity_put(c, kind, row);
}

static struct err *inline_list(struct call *c, enum iam_kind kind, struct str name,
                               struct str marker, struct opt_int max_items,
                               struct iam_policyNameListType *out, struct str *out_marker)
{
    struct jv *row = NULL;
    TRY(iam_entity(c, kind, name, &row));
    const struct jv *docs = jv_get(row, "inline");
    struct iam_range r;
    TRY(iam_page_range(c, marker, max_items, jv_len(docs), &r));
    out->set = true;
    out->v = ARENA_ARRAY(c->arena, r.to - r.from + 1, struct str);
    for (size_t i = r.from; i < r.to; i++)
        out->v[out->n++] = docs->obj.v[i].key;
    *out_marker = r.next_marker;
    return NULL;
}

OP_HANDLER_NO_OUT(iam, PutUserPolicy, PutUserPolicyRequest)
{
    return inline_put(c, IAM_USER, in->UserName, in->PolicyName, in->PolicyDocument);
}

OP_HANDLER_NO_OUT(iam, PutRolePolicy, PutRolePolicyRequest)
{
    return inline_put(c, IAM_ROLE, in->RoleName, in->PolicyName, in->PolicyDocument);
}

OP_HANDLER_NO_OUT(iam, PutGroupPolicy, PutGroupPolicyRequest)
{
    return inline_put(c, IAM_GROUP, in->GroupName, in->PolicyName, in->PolicyDocument);
}

OP_HANDLER(iam, GetUserPolicy, GetUserPolicyRequest, GetUserPolicyResponse)
{
    out->UserName = in->UserName;
    out->PolicyName = in->PolicyName;
    return inline_get(c, IAM_USER, in->UserName, in->PolicyName, &out->PolicyDocument);
}

OP_HANDLER(iam, GetRolePolicy, GetRolePolicyRequest, GetRolePolicyResponse)
{
    out->RoleName = in->RoleName;
    out->PolicyName = in->PolicyName;
    return inline_get(c, IAM_ROLE, in->RoleName, in->PolicyName, &out->PolicyDocument);
}

OP_HANDLER(iam, GetGroupPolicy, GetGroupPolicyRequest, GetGroupPolicyResponse)
{
    out->GroupName = in->GroupName;
    out->PolicyName = in->PolicyName;
    return inline_get(c, IAM_GROUP, in->GroupName, in->PolicyName, &out->PolicyDocument);
}

OP_HANDLER_NO_OUT(iam, DeleteUserPolicy, DeleteUserPolicyRequest)
{
    return inline_delete(c, IAM_USER, in->UserName, in->PolicyName);
}

OP_HANDLER_NO_OUT(iam, DeleteRolePolicy, DeleteRolePolicyRequest)
{
    return inline_delete(c, IAM_ROLE, in->RoleName, in->PolicyName);
}

OP_HANDLER_NO_OUT(iam, DeleteGroupPolicy, DeleteGroupPolicyRequest)
{
    return inline_delete(c, IAM_GROUP, in->GroupName, in->PolicyName);
}

OP_HANDLER(iam, ListUserPolicies, ListUserPoliciesRequest, ListUserPoliciesResponse)
{
    TRY(inline_list(c, IAM_USER, in->UserName, in->Marker, in->MaxItems, &out->PolicyNames,
                    &out->Marker));
    out->IsTruncated = some_bool(out->Marker.p != NULL);
    return NULL;
}

OP_HANDLER(iam, ListRolePolicies, ListRolePoliciesRequest, ListRolePoliciesResponse)
{
    TRY(inline_list(c, IAM_ROLE, in->RoleName, in->Marker, in->MaxItems, &out->PolicyNames,
                    &out->Marker));
    out->IsTruncated = some_bool(out->Marker.p != NULL);
    return NULL;
}

OP_HANDLER(iam, ListGroupPolicies, ListGroupPoliciesRequest, ListGroupPoliciesResponse)
{
    TRY(inline_list(c, IAM_GROUP, in->GroupName, in->Marker, in->MaxItems, &out->PolicyNames,
                    &out->Marker));
    out->IsTruncated = some_bool(out->Marker.p != NULL);
    return NULL;
}
