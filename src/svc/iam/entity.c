#include "room.h"

/* Users, roles, groups, managed policies and instance profiles alike: a row with a name, a path, an
 * id and an ARN. */

const struct iam_kind_facts iam_kinds[] = {
    [IAM_USER] = {.table = "iam.user",
                  .word = "user",
                  .prefix = "AIDA",
                  .counter = "users",
                  .most = IAM_USERS_MAX,
                  .quota = "UsersPerAccount",
                  .name_member = "UserName",
                  .inline_chars = IAM_USER_INLINE_CHARS,
                  .label = "user"},
    [IAM_ROLE] = {.table = "iam.role",
                  .word = "role",
                  .prefix = "AROA",
                  .counter = "roles",
                  .most = IAM_ROLES_MAX,
                  .quota = "RolesPerAccount",
                  .name_member = "RoleName",
                  .inline_chars = IAM_ROLE_INLINE_CHARS,
                  .label = "role"},
    [IAM_GROUP] = {.table = "iam.group",
                   .word = "group",
                   .prefix = "AGPA",
                   .counter = "groups",
                   .most = IAM_GROUPS_MAX,
                   .quota = "GroupsPerAccount",
                   .name_member = "GroupName",
                   .inline_chars = IAM_GROUP_INLINE_CHARS,
                   .label = "group"},
    [IAM_POLICY] = {.table = "iam.policy",
                    .word = "policy",
                    .prefix = "ANPA",
                    .counter = "policies",
                    .most = IAM_POLICIES_MAX,
                    .quota = "PoliciesPerAccount",
                    .name_member = "PolicyName",
                    .label = "policy"},
    [IAM_PROFILE] = {.table = "iam.profile",
                     .word = "instance-profile",
                     .prefix = "AIPA",
                     .counter = "profiles",
                     .most = IAM_PROFILES_MAX,
                     .quota = "InstanceProfilesPerAccount",
                     .name_member = "InstanceProfileName",
                     .label = "instance profile"},
};

/* -- errors ------------------------------------------------------------------------------------ */

struct err *iam_no_such(enum iam_kind kind, struct str name)
{
    switch (kind) {
    case IAM_POLICY:
        return err_aws(404, "NoSuchEntity", "Policy %.*s was not found.", STR_ARG(name));
    case IAM_PROFILE:
        return err_aws(404, "NoSuchEntity", "Instance Profile %.*s cannot be found.",
                       STR_ARG(name));
    default:
        return err_aws(404, "NoSuchEntity", "The %s with name %.*s cannot be found.",
                       iam_kinds[kind].label, STR_ARG(name));
    }
}

struct err *iam_exists(enum iam_kind kind, struct str name)
{
    static const char *const labels[] = {[IAM_USER] = "User", [IAM_ROLE] = "Role",
                                         [IAM_GROUP] = "Group"};
    switch (kind) {
    case IAM_POLICY:
        return err_aws(409, "EntityAlreadyExists",
                       "A policy called %.*s already exists. Duplicate names are not allowed.",
                       STR_ARG(name));
    case IAM_PROFILE:
        return err_aws(409, "EntityAlreadyExists", "Instance Profile %.*s already exists.",
                       STR_ARG(name));
    default:
        return err_aws(409, "EntityAlreadyExists", "%s with name %.*s already exists.",
                       labels[kind], STR_ARG(name));
    }
}

/* -- rows -------------------------------------------------------------------------------------- */

struct str iam_arn(struct call *c, enum iam_kind kind, struct str path, struct str name)
{
    if (path.p == NULL)
        path = STR("/");
    return arena_fmt(c->arena, "arn:" IDENTITY_PARTITION ":iam::%.*s:%s%.*s%.*s",
                     STR_ARG(c->account), iam_kinds[kind].word, STR_ARG(path), STR_ARG(name));
}

struct err *iam_entity(struct call *c, enum iam_kind kind, struct str name, struct jv **out)
{
    struct jv *row = NULL;
    TRY(iam_row_get(c->txn, c->arena, iam_kinds[kind].table, c->account, name, &row));
    if (row == NULL)
        return iam_no_such(kind, name);
    *out = row;
    return NULL;
}

static struct str row_name(enum iam_kind kind, const struct jv *row)
{
    return row_s(row, kind == IAM_POLICY ? "arn" : "name");
}

struct err *iam_entity_put(struct call *c, enum iam_kind kind, const struct jv *row)
{
    return iam_row_put(c->txn, c->arena, iam_kinds[kind].table, c->account, row_name(kind, row),
                       row);
}

struct err *iam_entity_del(struct call *c, enum iam_kind kind, const struct jv *row)
{
    TRY(iam_account_count(c, iam_kinds[kind].counter, -1, 0, NULL));
    return iam_row_del(c->txn, iam_kinds[kind].table, c->account, row_name(kind, row));
}

struct err *iam_account_count(struct call *c, const char *counter, int64_t by, int64_t most,
                              const char *quota)
{
    struct jv *row = NULL;
    TRY(iam_row_get(c->txn, c->arena, "iam.account", c->account, STR_NONE, &row));
    if (row == NULL)
        return err_new(ERR_CORRUPT, "The account's row cannot be read.");
    int64_t n = jv_i(jv_get(row, counter), 0) + by;
    if (quota != NULL && by > 0 && n > most)
        return err_aws(409, "LimitExceeded", "Cannot exceed quota for %s: %lld", quota,
                       (long long)most);
    row_set_i(c, row, counter, n);
    return iam_row_put(c->txn, c->arena, "iam.account", c->account, STR_NONE, row);
}

struct err *iam_entity_new(struct call *c, enum iam_kind kind, struct str name, struct str path,
                           const struct iam_tagListType *tags, struct jv **out)
{
    const struct iam_kind_facts *k = &iam_kinds[kind];
    struct str arn = iam_arn(c, kind, path, name);
    bool taken;
    TRY(iam_row_taken(c->txn, c->arena, k->table, c->account, kind == IAM_POLICY ? arn : name,
                      &taken));
    if (taken)
        return iam_exists(kind, name);
    TRY(iam_account_count(c, k->counter, 1, k->most, k->quota));
    struct jv *row = jv_new_obj(c->arena);
    row_set(c, row, "name", name);
    row_set(c, row, "path", path.p == NULL ? STR("/") : path);
    row_set(c, row, "id", identity_new_id(c->arena, k->prefix));
    row_set(c, row, "arn", arn);
    row_set_i(c, row, "created_ms", iam_now(c));
    TRY(iam_tags_add(c, row, tags));
    *out = row;
    return NULL;
}

struct err *iam_user_name(struct call *c, struct str given, struct str *out)
{
    if (given.p == NULL && c->id.who.kind != PRINCIPAL_USER)
        return err_aws(400, "ValidationError",
                       "Must specify userName when calling with non-User credentials");
    *out = given.p == NULL ? c->id.who.name : given;
    return NULL;
}
