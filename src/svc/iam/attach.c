#include "room.h"

/* Managed policies on users, roles and groups: a list of ARNs in the entity's row, and a count of
 * uses beside the policy. */

static struct err *attach(struct call *c, enum iam_kind kind, struct str name, struct str arn)
{
    static const char *const quotas[] = {[IAM_USER] = "PoliciesPerUser",
                                         [IAM_ROLE] = "PoliciesPerRole",
                                         [IAM_GROUP] = "PoliciesPerGroup"};
    struct jv *row = NULL;
    TRY(iam_entity(c, kind, name, &row));
    TRY(iam_check_attachable(c, arn));
    struct jv *attached = row_arr(c, row, "attached");
    if (jv_has_str(attached, arn))
        return NULL;
    if (jv_len(attached) >= IAM_ATTACHED_MAX)
        return err_aws(409, "LimitExceeded", "Cannot exceed quota for %s: %d", quotas[kind],
                       IAM_ATTACHED_MAX);
    jv_push(c->arena, attached, jv_new_str(c->arena, arn));
    jv_set(c->arena, row, STR("attached"), attached);
    TRY(iam_uses_add(c, arn, "attachments", 1));
    return iam_entity_put(c, kind, row);
}

static struct err *detach(struct call *c, enum iam_kind kind, struct str name, struct str arn)
{
    struct jv *row = NULL;
    TRY(iam_entity(c, kind, name, &row));
    struct jv *attached = row_arr(c, row, "attached");
    if (!jv_drop_str(attached, arn))
        return iam_no_such(IAM_POLICY, arn);
    jv_set(c->arena, row, STR("attached"), attached);
    TRY(iam_uses_add(c, arn, "attachments", -1));
    return iam_entity_put(c, kind, row);
}

/* "/path/" of arn:aws:iam::ACCOUNT:policy/path/NAME */
static struct str policy_path(struct str arn, struct str *out_name)
{
    size_t slash = (size_t)str_rfind_char(arn, '/');
    ptrdiff_t first = str_find_char(arn, '/');
    *out_name = str_skip(arn, slash + 1);
    return str_skip(str_take(arn, slash + 1), (size_t)first);
}

static struct err *attached_list(struct call *c, enum iam_kind kind, struct str name,
                                 struct str prefix, struct str marker, struct opt_int max_items,
                                 struct iam_attachedPoliciesListType *out, struct str *out_marker)
{
    struct jv *row = NULL;
    TRY(iam_entity(c, kind, name, &row));
    const struct jv *attached = jv_get(row, "attached");
    VEC(struct iam_AttachedPolicy) all = {0};
    for (size_t i = 0; i < jv_len(attached); i++) {
        struct iam_AttachedPolicy p = {.PolicyArn = jv_s(jv_at(attached, i))};
        struct str path = policy_path(p.PolicyArn, &p.PolicyName);
        if (prefix.p == NULL || str_starts(path, prefix))
            VEC_PUSH(c->arena, &all, p);
    }
    struct iam_range r;
    TRY(iam_page_range(c, marker, max_items, all.n, &r));
    out->set = true;
    out->n = r.to - r.from;
    out->v = out->n == 0 ? NULL : all.v + r.from;
    *out_marker = r.next_marker;
    return NULL;
}

OP_HANDLER_NO_OUT(iam, AttachUserPolicy, AttachUserPolicyRequest)
{
    return attach(c, IAM_USER, in->UserName, in->PolicyArn);
}

OP_HANDLER_NO_OUT(iam, AttachRolePolicy, AttachRolePolicyRequest)
{
    return attach(c, IAM_ROLE, in->RoleName, in->PolicyArn);
}

OP_HANDLER_NO_OUT(iam, AttachGroupPolicy, AttachGroupPolicyRequest)
{
    return attach(c, IAM_GROUP, in->GroupName, in->PolicyArn);
}

OP_HANDLER_NO_OUT(iam, DetachUserPolicy, DetachUserPolicyRequest)
{
    return detach(c, IAM_USER, in->UserName, in->PolicyArn);
}

OP_HANDLER_NO_OUT(iam, DetachRolePolicy, DetachRolePolicyRequest)
{
    return detach(c, IAM_ROLE, in->RoleName, in->PolicyArn);
}

OP_HANDLER_NO_OUT(iam, DetachGroupPolicy, DetachGroupPolicyRequest)
{
    return detach(c, IAM_GROUP, in->GroupName, in->PolicyArn);
}

OP_HANDLER(iam, ListAttachedUserPolicies, ListAttachedUserPoliciesRequest,
           ListAttachedUserPoliciesResponse)
{
    TRY(attached_list(c, IAM_USER, in->UserName, in->PathPrefix, in->Marker, in->MaxItems,
                      &out->AttachedPolicies, &out->Marker));
    out->IsTruncated = some_bool(out->Marker.p != NULL);
    return NULL;
}

OP_HANDLER(iam, ListAttachedRolePolicies, ListAttachedRolePoliciesRequest,
           ListAttachedRolePoliciesResponse)
{
    TRY(attached_list(c, IAM_ROLE, in->RoleName, in->PathPrefix, in->Marker, in->MaxItems,
                      &out->AttachedPolicies, &out->Marker));
    out->IsTruncated = some_bool(out->Marker.p != NULL);
    return NULL;
}

OP_HANDLER(iam, ListAttachedGroupPolicies, ListAttachedGroupPoliciesRequest,
       ListAttachedGroupPoliciesResponse)
{
    TRY(attached_list(c, IAM_GROUP, in->GroupName, in->PathPrefix, in->Marker, in->MaxItems,
                      &out->AttachedPolicies, &out->Marker));
    out->IsTruncated = some_bool(out->Marker.p != NULL);
    return NULL;
}

/* -- the other way round ----------------------------------------------------------------------- */

struct using {
    struct call *c;
    const struct iam_ListEntitiesForPolicyRequest *in;
    enum iam_kind kind;
    size_t n, most;
    VEC(struct iam_PolicyUser) users;
    VEC(struct iam_PolicyRole) roles;
    VEC(struct iam_PolicyGroup) groups;
};

static bool uses_policy(const struct using *u, const struct jv *row)
{
    struct str arn = u->in->PolicyArn, prefix = u->in->PathPrefix;
    if (prefix.p != NULL && !str_starts(row_s(row, "path"), prefix))
        return false;
    bool attached = jv_has_str(jv_get(row, "attached"), arn);
    bool bounds = str_eq(row_s(row, "boundary"), arn);
    if (str_is(u->in->PolicyUsageFilter, "PermissionsPolicy"))
        return attached;
    if (str_is(u->in->PolicyUsageFilter, "PermissionsBoundary"))
        return bounds;
    return attached || bounds;
}

static bool add_user_of_policy(void *arg, const struct jv *row)
{
    struct using *u = arg;
    if (!uses_policy(u, row))
        return true;
    if (u->n == u->most)
        return false;
    u->n++;
    struct str name = row_s(row, "name"), id = row_s(row, "id");
    if (u->kind == IAM_USER) {
        struct iam_PolicyUser x = {.UserName = name, .UserId = id};
        VEC_PUSH(u->c->arena, &u->users, x);
    } else if (u->kind == IAM_ROLE) {
        struct iam_PolicyRole x = {.RoleName = name, .RoleId = id};
        VEC_PUSH(u->c->arena, &u->roles, x);
    } else {
        struct iam_PolicyGroup x = {.GroupName = name, .GroupId = id};
        VEC_PUSH(u->c->arena, &u->groups, x);
    }
    return true;
}

static bool filter_takes(struct str filter, enum iam_kind kind)
{
    static const char *const names[] = {[IAM_USER] = "User", [IAM_ROLE] = "Role",
                                        [IAM_GROUP] = "Group"};
    bool any = !str_is(filter, "User") && !str_is(filter, "Role") && !str_is(filter, "Group");
    return any || str_is(filter, names[kind]);
}

/* Groups, then users, then roles; a position is the kind's letter and a key. */
static struct err *using_page(struct using *u, struct str position, struct str *out_next)
{
    static const enum iam_kind order[] = {IAM_GROUP, IAM_USER, IAM_ROLE};
    static const char letters[] = "gur";
    struct call *c = u->c;
    size_t i = 0;
    while (position.n > 0 && i < ARRAY_LEN(order) && letters[i] != position.p[0])
        i++;
    struct str from = position.p == NULL ? STR_NONE : str_skip(position, 1);
    for (; i < ARRAY_LEN(order); i++, from = STR_NONE) {
        if (!filter_takes(u->in->EntityFilter, order[i]))
            continue;
        struct str rest = STR_NONE;
        u->kind = order[i];
        TRY(iam_row_each(c->txn, c->arena, iam_kinds[order[i]].table, c->account, from,
                         add_user_of_policy, u, &rest));
        if (rest.p != NULL) {
            *out_next = arena_fmt(c->arena, "%c%.*s", letters[i], STR_ARG(rest));
            return NULL;
        }
    }
    *out_next = STR_NONE;
    return NULL;
}

OP_HANDLER(iam, ListEntitiesForPolicy, ListEntitiesForPolicyRequest, ListEntitiesForPolicyResponse)
{
    struct using u = {.c = c, .in = in};
    u.most = in->MaxItems.set ? (size_t)in->MaxItems.v : IAM_PAGE_DEFAULT;
    TRY(iam_check_attachable(c, in->PolicyArn));
    struct str position = STR_NONE, next = STR_NONE;
    TRY(page_position(c, in->Marker, "ValidationError", &position));
    TRY(using_page(&u, position, &next));
    out->PolicyUsers = (struct iam_PolicyUserListType){u.users.n, u.users.v, true};
    out->PolicyRoles = (struct iam_PolicyRoleListType){u.roles.n, u.roles.v, true};
    out->PolicyGroups = (struct iam_PolicyGroupListType){u.groups.n, u.groups.v, true};
    out->IsTruncated = some_bool(next.p != NULL);
    if (next.p != NULL)
        out->Marker = page_token(c, next);
    return NULL;
}
