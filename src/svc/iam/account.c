#include "room.h"

/* The account's alias (one at most, unique in the installation) and its numbers. */

static struct err *account_row(struct call *c, struct jv **out)
{
    struct jv *row = NULL;
    TRY(iam_row_get(c->txn, c->arena, "iam.account", c->account, STR_NONE, &row));
    if (row == NULL)
        return err_new(ERR_CORRUPT, "The account's row cannot be read.");
    *out = row;
    return NULL;
}

static struct err *account_put(struct call *c, const struct jv *row)
{
    return iam_row_put(c->txn, c->arena, "iam.account", c->account, STR_NONE, row);
}

OP_HANDLER_NO_OUT(iam, CreateAccountAlias, CreateAccountAliasRequest)
{
    if (str_find(in->AccountAlias, STR("--")) >= 0) /* the model's pattern says so, looking ahead */
        return err_aws(400, "ValidationError",
                       "The account alias may not have two hyphens in a row.");
    struct jv *row = NULL;
    struct str owner;
    TRY(account_row(c, &row));
    TRY(txn_get(c->txn, "iam.alias", in->AccountAlias, c->arena, &owner));
    if (owner.p != NULL)
        return err_aws(409, "EntityAlreadyExists", "The account alias %.*s already exists.",
                       STR_ARG(in->AccountAlias));
    struct str old = row_s(row, "alias");
    if (old.p != NULL)
        TRY(txn_del(c->txn, "iam.alias", old));
    TRY(txn_put(c->txn, "iam.alias", c->account, in->AccountAlias, c->account));
    row_set(c, row, "alias", in->AccountAlias);
    return account_put(c, row);
}

OP_HANDLER(iam, ListAccountAliases, ListAccountAliasesRequest, ListAccountAliasesResponse)
{
    struct jv *row = NULL;
    TRY(account_row(c, &row));
    struct str alias = row_s(row, "alias");
    out->AccountAliases.set = true;
    out->AccountAliases.v = ARENA_NEW(c->arena, struct str);
    if (alias.p != NULL)
        out->AccountAliases.v[out->AccountAliases.n++] = alias;
    out->IsTruncated = some_bool(false);
    return NULL;
}

OP_HANDLER_NO_OUT(iam, DeleteAccountAlias, DeleteAccountAliasRequest)
{
    struct jv *row = NULL;
    TRY(account_row(c, &row));
    if (!str_eq(row_s(row, "alias"), in->AccountAlias))
        return err_aws(404, "NoSuchEntity", "The account alias %.*s cannot be found.",
                       STR_ARG(in->AccountAlias));
    TRY(txn_del(c->txn, "iam.alias", in->AccountAlias));
    row_set(c, row, "alias", STR_NONE);
    return account_put(c, row);
}

/* What AWS counts and Ward has; numbers of what Ward has not are truly zero. */
OP_HANDLER_NO_IN(iam, GetAccountSummary, GetAccountSummaryResponse)
{
    struct jv *row = NULL;
    TRY(account_row(c, &row));
    const struct {
        const char *key, *counter;
        int64_t number;
    } numbers[] = {
        {"AccessKeysPerUserQuota", NULL, IAM_KEYS_PER_USER},
        {"AccountAccessKeysPresent", NULL, 0},
        {"AccountMFAEnabled", NULL, 0},
        {"AssumeRolePolicySizeQuota", NULL, IAM_TRUST_CHARS},
        {"AttachedPoliciesPerGroupQuota", NULL, IAM_ATTACHED_MAX},
        {"AttachedPoliciesPerRoleQuota", NULL, IAM_ATTACHED_MAX},
        {"AttachedPoliciesPerUserQuota", NULL, IAM_ATTACHED_MAX},
        {"GroupPolicySizeQuota", NULL, IAM_GROUP_INLINE_CHARS},
        {"Groups", "groups", 0},
        {"GroupsPerUserQuota", NULL, IAM_GROUPS_PER_USER},
        {"GroupsQuota", NULL, IAM_GROUPS_MAX},
        {"InstanceProfiles", "profiles", 0},
        {"InstanceProfilesQuota", NULL, IAM_PROFILES_MAX},
        {"MFADevices", NULL, 0},
        {"MFADevicesInUse", NULL, 0},
        {"Policies", "policies", 0},
        {"PoliciesQuota", NULL, IAM_POLICIES_MAX},
        {"PolicySizeQuota", NULL, IAM_POLICY_CHARS},
        {"RolePolicySizeQuota", NULL, IAM_ROLE_INLINE_CHARS},
        {"Roles", "roles", 0},
        {"RolesQuota", NULL, IAM_ROLES_MAX},
        {"UserPolicySizeQuota", NULL, IAM_USER_INLINE_CHARS},
        {"Users", "users", 0},
        {"UsersQuota", NULL, IAM_USERS_MAX},
        {"VersionsPerPolicyQuota", NULL, IAM_VERSIONS_MAX},
    };
    size_t n = ARRAY_LEN(numbers);
    out->SummaryMap.set = true;
    out->SummaryMap.n = n;
    out->SummaryMap.v = arena_alloc_array(c->arena, n, sizeof out->SummaryMap.v[0]);
    for (size_t i = 0; i < n; i++) {
        out->SummaryMap.v[i].key = str_c(numbers[i].key);
        out->SummaryMap.v[i].value =
            some_int(numbers[i].counter == NULL ? numbers[i].number
                                                : jv_i(jv_get(row, numbers[i].counter), 0));
    }
    return NULL;
}
