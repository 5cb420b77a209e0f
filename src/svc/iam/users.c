#include "room.h"

void iam_user_out(struct call *c, const struct jv *row, bool full, struct iam_User *out)
{
    out->Path = row_s(row, "path");
    out->UserName = row_s(row, "name");
    out->UserId = row_s(row, "id");
    out->Arn = row_s(row, "arn");
    out->CreateDate = row_time(row, "created_ms");
    if (!full)
        return;
    out->PermissionsBoundary = iam_boundary_out(c, row);
    iam_tags_out(c, row, &out->Tags);
}

OP_HANDLER(iam, CreateUser, CreateUserRequest, CreateUserResponse)
{
    struct jv *row = NULL;
    TRY(iam_entity_new(c, IAM_USER, in->UserName, in->Path, &in->Tags, &row));
    if (in->PermissionsBoundary.p != NULL) {
        TRY(iam_check_attachable(c, in->PermissionsBoundary));
        TRY(iam_uses_add(c, in->PermissionsBoundary, "boundaries", 1));
        row_set(c, row, "boundary", in->PermissionsBoundary);
    }
    TRY(iam_entity_put(c, IAM_USER, row));
    out->User = ARENA_NEW(c->arena, struct iam_User);
    iam_user_out(c, row, true, out->User);
    return NULL;
}

OP_HANDLER(iam, GetUser, GetUserRequest, GetUserResponse)
{
    struct str name;
    struct jv *row = NULL;
    TRY(iam_user_name(c, in->UserName, &name));
    TRY(iam_entity(c, IAM_USER, name, &row));
    out->User = ARENA_NEW(c->arena, struct iam_User);
    iam_user_out(c, row, true, out->User);
    return NULL;
}

OP_HANDLER(iam, ListUsers, ListUsersRequest, ListUsersResponse)
{
    struct iam_page p = {.c = c,
                         .kind = IAM_USER,
                         .marker = in->Marker,
                         .path_prefix = in->PathPrefix,
                         .max_items = in->MaxItems};
    TRY(iam_page_rows(&p));
    out->Users.set = true;
    out->Users.n = p.rows.n;
    out->Users.v = ARENA_ARRAY(c->arena, p.rows.n + 1, struct iam_User);
    for (size_t i = 0; i < p.rows.n; i++)
        iam_user_out(c, p.rows.v[i], false, &out->Users.v[i]);
    out->IsTruncated = some_bool(p.next_marker.p != NULL);
    out->Marker = p.next_marker;
    return NULL;
}

struct err *iam_check_no_policies(const struct jv *row)
{
    if (jv_len(jv_get(row, "attached")) > 0)
        return err_aws(409, "DeleteConflict",
                       "Cannot delete entity, must detach all policies first.");
    if (jv_len(jv_get(row, "inline")) > 0)
        return err_aws(409, "DeleteConflict", "Cannot delete entity, must delete policies first.");
    return NULL;
}

OP_HANDLER_NO_OUT(iam, DeleteUser, DeleteUserRequest)
{
    struct jv *row = NULL;
    TRY(iam_entity(c, IAM_USER, in->UserName, &row));
    if (jv_len(jv_get(row, "keys")) > 0)
        return err_aws(409, "DeleteConflict",
                       "Cannot delete entity, must delete access keys first.");
    if (jv_len(jv_get(row, "groups")) > 0)
        return err_aws(409, "DeleteConflict",
                       "Cannot delete entity, must remove user from all groups first.");
    TRY(iam_check_no_policies(row));
    if (row_s(row, "boundary").p != NULL)
        TRY(iam_uses_add(c, row_s(row, "boundary"), "boundaries", -1));
    return iam_entity_del(c, IAM_USER, row);
}

/* -- another name ------------------------------------------------------------------------------ */

static struct err *keys_follow(struct call *c, const struct jv *user, struct str new_name)
{
    const struct jv *keys = jv_get(user, "keys");
    for (size_t i = 0; i < jv_len(keys); i++) {
        struct str id = jv_s(jv_at(keys, i));
        struct jv *key = NULL;
        TRY(iam_row_get(c->txn, c->arena, "iam.key", c->account, id, &key));
        if (key == NULL)
            return err_new(ERR_CORRUPT, "A user's access key cannot be read.");
        row_set(c, key, "user", new_name);
        TRY(iam_row_put(c->txn, c->arena, "iam.key", c->account, id, key));
    }
    return NULL;
}

OP_HANDLER_NO_OUT(iam, UpdateUser, UpdateUserRequest)
{
    struct jv *row = NULL;
    TRY(iam_entity(c, IAM_USER, in->UserName, &row));
    struct str name = in->NewUserName.p != NULL ? in->NewUserName : in->UserName;
    if (!str_ieq(name, in->UserName)) { /* another case of the same name is always free */
        bool taken;
        TRY(iam_row_taken(c->txn, c->arena, "iam.user", c->account, name, &taken));
        if (taken)
            return iam_exists(IAM_USER, name);
    }
    TRY(iam_row_del(c->txn, "iam.user", c->account, in->UserName));
    if (in->NewPath.p != NULL)
        row_set(c, row, "path", in->NewPath);
    row_set(c, row, "name", name);
    row_set(c, row, "arn", iam_arn(c, IAM_USER, row_s(row, "path"), name));
    TRY(keys_follow(c, row, name));
    return iam_entity_put(c, IAM_USER, row);
}

/* -- permissions boundary ---------------------------------------------------------------------- */

static struct err *boundary_set(struct call *c, enum iam_kind kind, struct str name,
                                struct str arn)
{
    struct jv *row = NULL;
    TRY(iam_entity(c, kind, name, &row));
    struct str old = row_s(row, "boundary");
    if (arn.p != NULL)
        TRY(iam_check_attachable(c, arn));
    else if (old.p == NULL)
        return err_aws(404, "NoSuchEntity", "The %s with name %.*s has no permissions boundary.",
                       iam_kinds[kind].label, STR_ARG(name));
    if (old.p != NULL)
        TRY(iam_uses_add(c, old, "boundaries", -1));
    if (arn.p != NULL)
        TRY(iam_uses_add(c, arn, "boundaries", 1));
    row_set(c, row, "boundary", arn);
    return iam_entity_put(c, kind, row);
}

OP_HANDLER_NO_OUT(iam, PutUserPermissionsBoundary, PutUserPermissionsBoundaryRequest)
{
    return boundary_set(c, IAM_USER, in->UserName, in->PermissionsBoundary);
}

OP_HANDLER_NO_OUT(iam, DeleteUserPermissionsBoundary, DeleteUserPermissionsBoundaryRequest)
{
    return boundary_set(c, IAM_USER, in->UserName, STR_NONE);
}

OP_HANDLER_NO_OUT(iam, PutRolePermissionsBoundary, PutRolePermissionsBoundaryRequest)
{
    return boundary_set(c, IAM_ROLE, in->RoleName, in->PermissionsBoundary);
}

OP_HANDLER_NO_OUT(iam, DeleteRolePermissionsBoundary, DeleteRolePermissionsBoundaryRequest)
{
    return boundary_set(c, IAM_ROLE, in->RoleName, STR_NONE);
}
