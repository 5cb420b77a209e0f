#include "room.h"

/* A user's row names its groups; a group's row counts its members, so that deleting a group and
 * adding to it cannot pass each other unseen. */

void iam_group_out(const struct jv *row, struct iam_Group *out)
{
    out->Path = row_s(row, "path");
    out->GroupName = row_s(row, "name");
    out->GroupId = row_s(row, "id");
    out->Arn = row_s(row, "arn");
    out->CreateDate = row_time(row, "created_ms");
}

OP_HANDLER(iam, CreateGroup, CreateGroupRequest, CreateGroupResponse)
{
    struct jv *row = NULL;
    TRY(iam_entity_new(c, IAM_GROUP, in->GroupName, in->Path, NULL, &row));
    TRY(iam_entity_put(c, IAM_GROUP, row));
    out->Group = ARENA_NEW(c->arena, struct iam_Group);
    iam_group_out(row, out->Group);
    return NULL;
}

static bool is_member(void *group, const struct jv *user)
{
    return jv_has_str(jv_get(user, "groups"), row_s(group, "name"));
}

OP_HANDLER(iam, GetGroup, GetGroupRequest, GetGroupResponse)
{
    struct jv *row = NULL;
    TRY(iam_entity(c, IAM_GROUP, in->GroupName, &row));
    struct iam_page p = {.c = c,
                         .kind = IAM_USER,
                         .marker = in->Marker,
                         .max_items = in->MaxItems,
                         .want = is_member,
                         .ctx = row};
    TRY(iam_page_rows(&p));
    out->Group = ARENA_NEW(c->arena, struct iam_Group);
    iam_group_out(row, out->Group);
    out->Users.set = true;
    out->Users.n = p.rows.n;
    out->Users.v = ARENA_ARRAY(c->arena, p.rows.n + 1, struct iam_User);
    for (size_t i = 0; i < p.rows.n; i++)
        iam_user_out(c, p.rows.v[i], false, &out->Users.v[i]);
    out->IsTruncated = some_bool(p.next_marker.p != NULL);
    out->Marker = p.next_marker;
    return NULL;
}

OP_HANDLER(iam, ListGroups, ListGroupsRequest, ListGroupsResponse)
{
    struct iam_page p = {.c = c,
                         .kind = IAM_GROUP,
                         .marker = in->Marker,
                         .path_prefix = in->PathPrefix,
                         .max_items = in->MaxItems};
    TRY(iam_page_rows(&p));
    out->Groups.set = true;
    out->Groups.n = p.rows.n;
    out->Groups.v = ARENA_ARRAY(c->arena, p.rows.n + 1, struct iam_Group);
    for (size_t i = 0; i < p.rows.n; i++)
        iam_group_out(p.rows.v[i], &out->Groups.v[i]);
    out->IsTruncated = some_bool(p.next_marker.p != NULL);
    out->Marker = p.next_marker;
    return NULL;
}

OP_HANDLER(iam, ListGroupsForUser, ListGroupsForUserRequest, ListGroupsForUserResponse)
{
    struct jv *user = NULL;
    TRY(iam_entity(c, IAM_USER, in->UserName, &user));
    const struct jv *groups = jv_get(user, "groups");
    struct iam_range r;
    TRY(iam_page_range(c, in->Marker, in->MaxItems, jv_len(groups), &r));
    out->Groups.set = true;
    out->Groups.v = ARENA_ARRAY(c->arena, r.to - r.from + 1, struct iam_Group);
    for (size_t i = r.from; i < r.to; i++) {
        struct jv *group = NULL;
        TRY(iam_entity(c, IAM_GROUP, jv_s(jv_at(groups, i)), &group));
        iam_group_out(group, &out->Groups.v[out->Groups.n++]);
    }
    out->IsTruncated = some_bool(r.next_marker.p != NULL);
    out->Marker = r.next_marker;
    return NULL;
}

OP_HANDLER_NO_OUT(iam, DeleteGroup, DeleteGroupRequest)
{
    struct jv *row = NULL;
    TRY(iam_entity(c, IAM_GROUP, in->GroupName, &row));
    if (jv_i(jv_get(row, "members"), 0) > 0)
        return err_aws(409, "DeleteConflict",
                       "Cannot delete entity, must remove users from group first.");
    TRY(iam_check_no_policies(row));
    return iam_entity_del(c, IAM_GROUP, row);
}

/* -- members ----------------------------------------------------------------------------------- */

static struct err *member_count(struct call *c, struct jv *group, int64_t by)
{
    row_set_i(c, group, "members", jv_i(jv_get(group, "members"), 0) + by);
    return iam_entity_put(c, IAM_GROUP, group);
}

OP_HANDLER_NO_OUT(iam, AddUserToGroup, AddUserToGroupRequest)
{
    struct jv *group = NULL, *user = NULL;
    TRY(iam_entity(c, IAM_GROUP, in->GroupName, &group));
    TRY(iam_entity(c, IAM_USER, in->UserName, &user));
    if (jv_has_str(jv_get(user, "groups"), in->GroupName))
        return NULL;
    struct jv *groups = row_arr(c, user, "groups");
    if (jv_len(groups) >= IAM_GROUPS_PER_USER)
        return err_aws(409, "LimitExceeded", "Cannot exceed quota for GroupsPerUser: %d",
                       IAM_GROUPS_PER_USER);
    jv_push(c->arena, groups, jv_new_str(c->arena, in->GroupName));
    jv_set(c->arena, user, STR("groups"), groups);
    TRY(iam_entity_put(c, IAM_USER, user));
    return member_count(c, group, 1);
}

OP_HANDLER_NO_OUT(iam, RemoveUserFromGroup, RemoveUserFromGroupRequest)
{
    struct jv *group = NULL, *user = NULL;
    TRY(iam_entity(c, IAM_GROUP, in->GroupName, &group));
    TRY(iam_entity(c, IAM_USER, in->UserName, &user));
    struct jv *groups = row_arr(c, user, "groups");
    if (!jv_drop_str(groups, in->GroupName))
        return err_aws(404, "NoSuchEntity", "The user with name %.*s is not in the group %.*s.",
                       STR_ARG(in->UserName), STR_ARG(in->GroupName));
    jv_set(c->arena, user, STR("groups"), groups);
    TRY(iam_entity_put(c, IAM_USER, user));
    return member_count(c, group, -1);
}

/* -- another name ------------------------------------------------------------------------------ */

struct renaming {
    struct call *c;
    const struct jv *group;
    VEC(const struct jv *) members;
};

static bool gather_member(void *arg, const struct jv *user)
{
    struct renaming *r = arg;
    if (jv_has_str(jv_get(user, "groups"), row_s(r->group, "name")))
        VEC_PUSH(r->c->arena, &r->members, user);
    return true;
}

/* The members' rows carry the group's name. Each is read again by its key, so that a change beside
 * this one is noticed. */
static struct err *members_follow(struct call *c, const struct jv *group, struct str new_name)
{
    struct renaming r = {.c = c, .group = group};
    struct str end;
    TRY(iam_row_each(c->txn, c->arena, "iam.user", c->account, STR_NONE, gather_member, &r, &end));
    for (size_t i = 0; i < r.members.n; i++) {
        struct jv *user = NULL;
        TRY(iam_entity(c, IAM_USER, row_s(r.members.v[i], "name"), &user));
        struct jv *groups = row_arr(c, user, "groups");
        jv_drop_str(groups, row_s(group, "name"));
        jv_push(c->arena, groups, jv_new_str(c->arena, new_name));
        jv_set(c->arena, user, STR("groups"), groups);
        TRY(iam_entity_put(c, IAM_USER, user));
    }
    return NULL;
}

OP_HANDLER_NO_OUT(iam, UpdateGroup, UpdateGroupRequest)
{
    struct jv *row = NULL;
    TRY(iam_entity(c, IAM_GROUP, in->GroupName, &row));
    struct str name = in->NewGroupName.p != NULL ? in->NewGroupName : in->GroupName;
    if (!str_ieq(name, in->GroupName)) {
        bool taken;
        TRY(iam_row_taken(c->txn, c->arena, "iam.group", c->account, name, &taken));
        if (taken)
            return iam_exists(IAM_GROUP, name);
    }
    if (!str_eq(name, in->GroupName))
        TRY(members_follow(c, row, name));
    TRY(iam_row_del(c->txn, "iam.group", c->account, in->GroupName));
    if (in->NewPath.p != NULL)
        row_set(c, row, "path", in->NewPath);
    row_set(c, row, "name", name);
    row_set(c, row, "arn", iam_arn(c, IAM_GROUP, row_s(row, "path"), name));
    return iam_entity_put(c, IAM_GROUP, row);
}
