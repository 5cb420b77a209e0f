#include "room.h"

/* Instance profiles hold at most one role; a role's row counts the profiles it is in. */

static struct err *profile_out(struct call *c, const struct jv *row, bool full,
                               struct iam_InstanceProfile *out)
{
    out->Path = row_s(row, "path");
    out->InstanceProfileName = row_s(row, "name");
    out->InstanceProfileId = row_s(row, "id");
    out->Arn = row_s(row, "arn");
    out->CreateDate = row_time(row, "created_ms");
    if (full)
        iam_tags_out(c, row, &out->Tags);
    const struct jv *roles = jv_get(row, "roles");
    out->Roles.set = true;
    out->Roles.v = ARENA_ARRAY(c->arena, jv_len(roles) + 1, struct iam_Role);
    for (size_t i = 0; i < jv_len(roles); i++) {
        struct jv *role = NULL;
        TRY(iam_entity(c, IAM_ROLE, jv_s(jv_at(roles, i)), &role));
        TRY(iam_role_out(c, role, false, &out->Roles.v[out->Roles.n++]));
    }
    return NULL;
}

OP_HANDLER(iam, CreateInstanceProfile, CreateInstanceProfileRequest, CreateInstanceProfileResponse)
{
    struct jv *row = NULL;
    TRY(iam_entity_new(c, IAM_PROFILE, in->InstanceProfileName, in->Path, &in->Tags, &row));
    TRY(iam_entity_put(c, IAM_PROFILE, row));
    out->InstanceProfile = ARENA_NEW(c->arena, struct iam_InstanceProfile);
    return profile_out(c, row, true, out->InstanceProfile);
}

OP_HANDLER(iam, GetInstanceProfile, GetInstanceProfileRequest, GetInstanceProfileResponse)
{
    struct jv *row = NULL;
    TRY(iam_entity(c, IAM_PROFILE, in->InstanceProfileName, &row));
    out->InstanceProfile = ARENA_NEW(c->arena, struct iam_InstanceProfile);
    return profile_out(c, row, true, out->InstanceProfile);
}

OP_HANDLER_NO_OUT(iam, DeleteInstanceProfile, DeleteInstanceProfileRequest)
{
    struct jv *row = NULL;
    TRY(iam_entity(c, IAM_PROFILE, in->InstanceProfileName, &row));
    if (jv_len(jv_get(row, "roles")) > 0)
        return err_aws(409, "DeleteConflict",
                       "Cannot delete entity, must remove roles from instance profile first.");
    return iam_entity_del(c, IAM_PROFILE, row);
}

static struct err *page_out(struct iam_page *p, struct iam_instanceProfileListType *out)
{
    TRY(iam_page_rows(p));
    out->set = true;
    out->n = p->rows.n;
    out->v = ARENA_ARRAY(p->c->arena, p->rows.n + 1, struct iam_InstanceProfile);
    for (size_t i = 0; i < p->rows.n; i++)
        TRY(profile_out(p->c, p->rows.v[i], false, &out->v[i]));
    return NULL;
}

OP_HANDLER(iam, ListInstanceProfiles, ListInstanceProfilesRequest, ListInstanceProfilesResponse)
{
    struct iam_page p = {.c = c,
                         .kind = IAM_PROFILE,
                         .marker = in->Marker,
                         .path_prefix = in->PathPrefix,
                         .max_items = in->MaxItems};
    TRY(page_out(&p, &out->InstanceProfiles));
    out->IsTruncated = some_bool(p.next_marker.p != NULL);
    out->Marker = p.next_marker;
    return NULL;
}

static bool has_role(void *role, const struct jv *profile)
{
    return jv_has_str(jv_get(profile, "roles"), row_s(role, "name"));
}

OP_HANDLER(iam, ListInstanceProfilesForRole, ListInstanceProfilesForRoleRequest,
       ListInstanceProfilesForRoleResponse)
{
    struct jv *role = NULL;
    TRY(iam_entity(c, IAM_ROLE, in->RoleName, &role));
    struct iam_page p = {.c = c,
                         .kind = IAM_PROFILE,
                         .marker = in->Marker,
                         .max_items = in->MaxItems,
                         .want = has_role,
                         .ctx = role};
    TRY(page_out(&p, &out->InstanceProfiles));
    out->IsTruncated = some_bool(p.next_marker.p != NULL);
    out->Marker = p.next_marker;
    return NULL;
}

static struct err *profile_count(struct call *c, struct jv *role, int64_t by)
{
    row_set_i(c, role, "profiles", jv_i(jv_get(role, "profiles"), 0) + by);
    return iam_entity_put(c, IAM_ROLE, role);
}

OP_HANDLER_NO_OUT(iam, AddRoleToInstanceProfile, AddRoleToInstanceProfileRequest)
{
    struct jv *profile = NULL, *role = NULL;
    TRY(iam_entity(c, IAM_PROFILE, in->InstanceProfileName, &profile));
    TRY(iam_entity(c, IAM_ROLE, in->RoleName, &role));
    struct jv *roles = row_arr(c, profile, "roles");
    if (jv_len(roles) > 0)
        return err_aws(409, "LimitExceeded",
                       "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1");
    jv_push(c->arena, roles, jv_new_str(c->arena, in->RoleName));
    jv_set(c->arena, profile, STR("roles"), roles);
    TRY(profile_count(c, role, 1));
    return iam_entity_put(c, IAM_PROFILE, profile);
}

OP_HANDLER_NO_OUT(iam, RemoveRoleFromInstanceProfile, RemoveRoleFromInstanceProfileRequest)
{
    struct jv *profile = NULL, *role = NULL;
    TRY(iam_entity(c, IAM_PROFILE, in->InstanceProfileName, &profile));
    TRY(iam_entity(c, IAM_ROLE, in->RoleName, &role));
    struct jv *roles = row_arr(c, profile, "roles");
    if (!jv_drop_str(roles, in->RoleName))
        return err_aws(404, "NoSuchEntity",
                       "The role with name %.*s is not in the instance profile %.*s.",
                       STR_ARG(in->RoleName), STR_ARG(in->InstanceProfileName));
    jv_set(c->arena, profile, STR("roles"), roles);
    TRY(profile_count(c, role, -1));
    return iam_entity_put(c, IAM_PROFILE, profile);
}
