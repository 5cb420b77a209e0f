#include "room.h"

#include "auth/principals.h"

struct err *iam_role_out(struct call *c, const struct jv *row, bool full, struct iam_Role *out)
{
    struct str trust;
    TRY(principals_shown(c->txn, c->arena, row_s(row, "trust"), row_s(row, "trust_bound"),
                         &trust));
    out->Path = row_s(row, "path");
    out->RoleName = row_s(row, "name");
    out->RoleId = row_s(row, "id");
    out->Arn = row_s(row, "arn");
    out->CreateDate = row_time(row, "created_ms");
    out->AssumeRolePolicyDocument = iam_doc_out(c, trust);
    out->Description = row_s(row, "description");
    out->MaxSessionDuration = some_int(jv_i(jv_get(row, "max_session_s"), IAM_SESSION_LEAST_S));
    if (!full)
        return NULL;
    out->PermissionsBoundary = iam_boundary_out(c, row);
    iam_tags_out(c, row, &out->Tags);
    return NULL;
}

/* -- trust ------------------------------------------------------------------------------------- */

/* Whom it names must be there, as with AWS: else whoever makes them later would be trusted without
 * anybody having meant so. For the same reason they are kept by their ids. */
static struct err *put_trust(struct call *c, struct jv *row, struct str document)
{
    struct str bound = STR_NONE;
    TRY(principals_bind(c->txn, c->arena, document, &bound));
    row_set(c, row, "trust", document);
    row_set(c, row, "trust_bound", bound);
    return NULL;
}

static struct err *check_trust(struct str document)
{
    TRY(iam_check_document(document, POLICY_TRUST));
    if (iam_doc_chars(document) > IAM_TRUST_CHARS)
        return err_aws(409, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: %d",
                       IAM_TRUST_CHARS);
    return NULL;
}

/* -- roles ------------------------------------------------------------------------------------- */

OP_HANDLER(iam, CreateRole, CreateRoleRequest, CreateRoleResponse)
{
    struct jv *row = NULL;
    TRY(check_trust(in->AssumeRolePolicyDocument));
    TRY(iam_entity_new(c, IAM_ROLE, in->RoleName, in->Path, &in->Tags, &row));
    TRY(put_trust(c, row, in->AssumeRolePolicyDocument));
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
    return iam_role_out(c, row, true, out->Role);
}

OP_HANDLER(iam, GetRole, GetRoleRequest, GetRoleResponse)
{
    struct jv *row = NULL;
    TRY(iam_entity(c, IAM_ROLE, in->RoleName, &row));
    out->Role = ARENA_NEW(c->arena, struct iam_Role);
    return iam_role_out(c, row, true, out->Role);
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
        TRY(iam_role_out(c, p.rows.v[i], false, &out->Roles.v[i]));
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
    return iam_role_out(c, row, true, out->Role);
}

OP_HANDLER_NO_OUT(iam, UpdateAssumeRolePolicy, UpdateAssumeRolePolicyRequest)
{
    struct jv *row = NULL;
    TRY(iam_entity(c, IAM_ROLE, in->RoleName, &row));
    TRY(check_trust(in->PolicyDocument));
    TRY(put_trust(c, row, in->PolicyDocument));
    return iam_entity_put(c, IAM_ROLE, row);
}
