#include "room.h"

void iam_role_out(struct call *c, const struct jv *row, bool full, struct iam_Role *out)
{
    out->Path = row_s(row, "path");
    out->RoleName = row_s(row, "name");
    out->RoleId = row_s(row, "id");
    out->Arn = row_s(row, "arn");
    out->CreateDate = row_time(row, "created_ms");
    out->AssumeRolePolicyDocument = iam_doc_out(c, row_s(row, "trust"));
    out->Description = row_s(row, "description");
    out->MaxSessionDuration = some_int(jv_i(jv_get(row, "max_session_s"), IAM_SESSION_LEAST_S));
    if (!full)
        return;
    out->PermissionsBoundary = iam_boundary_out(c, row);
    iam_tags_out(c, row, &out->Tags);
}

/* -- trust ------------------------------------------------------------------------------------- */

/* A user or role of this account that a trust policy names must be there, as with AWS: else whoever
 * makes it later would be trusted without anybody having meant so. */
static struct err *check_principal(struct call *c, struct str principal)
{
    struct arn arn;
    if (!arn_parse(principal, &arn) || !str_is(arn.service, "iam") ||
        !str_eq(arn.account, c->account))
        return NULL;
    bool user = str_starts_c(arn.resource, "user/"), role = str_starts_c(arn.resource, "role/");
    if (!user && !role)
        return NULL;
    struct str name = str_skip(arn.resource, (size_t)(str_rfind_char(arn.resource, '/') + 1));
    struct jv *row = NULL;
    TRY(iam_row_get(c->txn, c->arena, user ? "iam.user" : "iam.role", c->account, name, &row));
    if (!str_eq(row_s(row, "arn"), principal))
        return err_aws(400, "MalformedPolicyDocument",
                       "Invalid principal in policy: \"AWS\":\"%.*s\"", STR_ARG(principal));
    return NULL;
}

static struct err *check_principals(struct call *c, const struct jv *statement)
{
    const struct jv *named = jv_get(jv_get(statement, "Principal"), "AWS");
    if (jv_is(named, JV_STR))
        return check_principal(c, jv_s(named));
    for (size_t i = 0; i < jv_len(named); i++)
        TRY(check_principal(c, jv_s(jv_at(named, i))));
    return NULL;
}

static struct err *check_trust(struct call *c, struct str document)
{
    struct jv *policy = NULL;
    TRY(iam_check_document(document, POLICY_TRUST));
    TRY(json_parse(c->arena, document, POLICY_DEPTH_MAX, &policy));
    const struct jv *statements = jv_get(policy, "Statement");
    if (jv_is(statements, JV_OBJ))
        TRY(check_principals(c, statements));
    else
        for (size_t i = 0; i < jv_len(statements); i++)
            TRY(check_principals(c, jv_at(statements, i)));
    if (iam_doc_chars(document) > IAM_TRUST_CHARS)
        return err_aws(409, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: %d",
                       IAM_TRUST_CHARS);
    return NULL;
}

/* -- roles ------------------------------------------------------------------------------------- */

OP_HANDLER(iam, CreateRole, CreateRoleRequest, CreateRoleResponse)
{
    struct jv *row = NULL;
    TRY(check_trust(c, in->AssumeRolePolicyDocument));
    TRY(iam_entity_new(c, IAM_ROLE, in->RoleName, in->Path, &in->Tags, &row));
    row_set(c, row, "trust", in->AssumeRolePolicyDocument);
    row_set(c, row, "description", in->Description);
    row_set_i(c, row, "max_session_s",
              in->MaxSessionDuration.set ? in->MaxSessionDuration.v : IAM_SESSION_LEAST_S);
    if (in->PermissionsBoundary.p != NULL) {
        TRY(iam_check_attachable(c, in->PermissionsBoundary));
        TRY(iam_uses_add(c, in->PermissionsBoundary, "boundaries", 1));
        row_set(c, row, "boundary", in->PermissionsBoundary);
    }
    TRY(iam_entity_put(c, IAM_ROLE, row));
    out->Role = ARENA_NEW(c->arena, struct iam_Role);
    iam_role_out(c, row, true, out->Role);
    return NULL;
}

OP_HANDLER(iam, GetRole, GetRoleRequest, GetRoleResponse)
{
    struct jv *row = NULL;
    TRY(iam_entity(c, IAM_ROLE, in->RoleName, &row));
    out->Role = ARENA_NEW(c->arena, struct iam_Role);
    iam_role_out(c, row, true, out->Role);
    return NULL;
}

OP_HANDLER(iam, ListRoles, ListRolesRequest, ListRolesResponse)
{
    struct iam_page p = {.c = c,
                         .kind = IAM_ROLE,
                         .marker = in->Marker,
                         .path_prefix = in->PathPrefix,
                         .max_items = in->MaxItems};
    TRY(iam_page_rows(&p));
    out->Roles.set = true;
    out->Roles.n = p.rows.n;
    out->Roles.v = ARENA_ARRAY(c->arena, p.rows.n + 1, struct iam_Role);
    for (size_t i = 0; i < p.rows.n; i++)
        iam_role_out(c, p.rows.v[i], false, &out->Roles.v[i]);
    out->IsTruncated = some_bool(p.next_marker.p != NULL);
    out->Marker = p.next_marker;
    return NULL;
}

OP_HANDLER_NO_OUT(iam, DeleteRole, DeleteRoleRequest)
{
    struct jv *row = NULL;
    TRY(iam_entity(c, IAM_ROLE, in->RoleName, &row));
    if (jv_i(jv_get(row, "profiles"), 0) > 0)
        return err_aws(409, "DeleteConflict",
                       "Cannot delete entity, must remove roles from instance profile first.");
    TRY(iam_check_no_policies(row));
    if (row_s(row, "boundary").p != NULL)
        TRY(iam_uses_add(c, row_s(row, "boundary"), "boundaries", -1));
    return iam_entity_del(c, IAM_ROLE, row);
}

static struct err *role_update(struct call *c, struct str name, struct str description,
                               struct opt_int max_session_s, struct jv **out)
{
    struct jv *row = NULL;
    TRY(iam_entity(c, IAM_ROLE, name, &row));
    if (description.p != NULL)
        row_set(c, row, "description", description);
    if (max_session_s.set)
        row_set_i(c, row, "max_session_s", max_session_s.v);
    TRY(iam_entity_put(c, IAM_ROLE, row));
    *out = row;
    return NULL;
}

OP_HANDLER(iam, UpdateRole, UpdateRoleRequest, UpdateRoleResponse)
{
    struct jv *row;
    return role_update(c, in->RoleName, in->Description, in->MaxSessionDuration, &row);
}

OP_HANDLER(iam, UpdateRoleDescription, UpdateRoleDescriptionRequest, UpdateRoleDescriptionResponse)
{
    struct jv *row = NULL;
    TRY(role_update(c, in->RoleName, in->Description, (struct opt_int){0}, &row));
    out->Role = ARENA_NEW(c->arena, struct iam_Role);
    iam_role_out(c, row, true, out->Role);
    return NULL;
}

OP_HANDLER_NO_OUT(iam, UpdateAssumeRolePolicy, UpdateAssumeRolePolicyRequest)
{
    struct jv *row = NULL;
    TRY(iam_entity(c, IAM_ROLE, in->RoleName, &row));
    TRY(check_trust(c, in->PolicyDocument));
    row_set(c, row, "trust", in->PolicyDocument);
    return iam_entity_put(c, IAM_ROLE, row);
}
