/* The rows of IAM:
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html */
#include "room.h"

#define ABOUT(op, target) static const struct need need_##op[] = {{"iam:" #op, NULL, target}, {0}}
ABOUT(AddUserToGroup, iam_target_group);
ABOUT(AttachGroupPolicy, iam_target_group);
ABOUT(AttachRolePolicy, iam_target_role);
ABOUT(AttachUserPolicy, iam_target_user);
ABOUT(CreateAccessKey, iam_target_user);
ABOUT(CreateAccountAlias, iam_target_account);
ABOUT(CreateGroup, iam_target_group);
ABOUT(CreatePolicyVersion, iam_target_policy);
ABOUT(DeleteAccessKey, iam_target_user);
ABOUT(DeleteAccountAlias, iam_target_account);
ABOUT(DeleteGroup, iam_target_group);
ABOUT(DeleteGroupPolicy, iam_target_group);
ABOUT(DeleteInstanceProfile, iam_target_profile);
ABOUT(DeletePolicy, iam_target_policy);
ABOUT(DeletePolicyVersion, iam_target_policy);
ABOUT(DeleteRole, iam_target_role);
ABOUT(DeleteRolePermissionsBoundary, iam_target_role);
ABOUT(DeleteRolePolicy, iam_target_role);
ABOUT(DeleteUser, iam_target_user);
ABOUT(DeleteUserPermissionsBoundary, iam_target_user);
ABOUT(DeleteUserPolicy, iam_target_user);
ABOUT(DetachGroupPolicy, iam_target_group);
ABOUT(DetachRolePolicy, iam_target_role);
ABOUT(DetachUserPolicy, iam_target_user);
ABOUT(GetAccountSummary, iam_target_account);
ABOUT(GetGroup, iam_target_group);
ABOUT(GetGroupPolicy, iam_target_group);
ABOUT(GetInstanceProfile, iam_target_profile);
ABOUT(GetPolicy, iam_target_policy);
ABOUT(GetPolicyVersion, iam_target_policy);
ABOUT(GetRole, iam_target_role);
ABOUT(GetRolePolicy, iam_target_role);
ABOUT(GetUser, iam_target_user);
ABOUT(GetUserPolicy, iam_target_user);
ABOUT(ListAccessKeys, iam_target_user);
ABOUT(ListAccountAliases, iam_target_account);
ABOUT(ListAttachedGroupPolicies, iam_target_group);
ABOUT(ListAttachedRolePolicies, iam_target_role);
ABOUT(ListAttachedUserPolicies, iam_target_user);
ABOUT(ListEntitiesForPolicy, iam_target_policy);
ABOUT(ListGroupPolicies, iam_target_group);
ABOUT(ListGroups, iam_target_groups);
ABOUT(ListGroupsForUser, iam_target_user);
ABOUT(ListInstanceProfileTags, iam_target_profile);
ABOUT(ListInstanceProfiles, iam_target_profiles);
ABOUT(ListInstanceProfilesForRole, iam_target_role);
ABOUT(ListPolicies, iam_target_policies);
ABOUT(ListPolicyTags, iam_target_policy);
ABOUT(ListPolicyVersions, iam_target_policy);
ABOUT(ListRolePolicies, iam_target_role);
ABOUT(ListRoleTags, iam_target_role);
ABOUT(ListRoles, iam_target_roles);
ABOUT(ListUserPolicies, iam_target_user);
ABOUT(ListUserTags, iam_target_user);
ABOUT(ListUsers, iam_target_users);
ABOUT(PutGroupPolicy, iam_target_group);
ABOUT(PutRolePermissionsBoundary, iam_target_role);
ABOUT(PutRolePolicy, iam_target_role);
ABOUT(PutUserPermissionsBoundary, iam_target_user);
ABOUT(PutUserPolicy, iam_target_user);
ABOUT(RemoveRoleFromInstanceProfile, iam_target_profile);
ABOUT(RemoveUserFromGroup, iam_target_group);
ABOUT(SetDefaultPolicyVersion, iam_target_policy);
ABOUT(TagInstanceProfile, iam_target_profile);
ABOUT(TagPolicy, iam_target_policy);
ABOUT(TagRole, iam_target_role);
ABOUT(TagUser, iam_target_user);
ABOUT(UntagInstanceProfile, iam_target_profile);
ABOUT(UntagPolicy, iam_target_policy);
ABOUT(UntagRole, iam_target_role);
ABOUT(UntagUser, iam_target_user);
ABOUT(UpdateAccessKey, iam_target_user);
ABOUT(UpdateAssumeRolePolicy, iam_target_role);
ABOUT(UpdateRole, iam_target_role);
ABOUT(UpdateRoleDescription, iam_target_role);

/* Tags at creation are a right of their own. */
static const struct need need_CreateUser[] = {
    {"iam:CreateUser", NULL, iam_target_user},
    {"iam:TagUser", iam_when_tags, iam_target_user},
    {0}};
static const struct need need_CreateRole[] = {
    {"iam:CreateRole", NULL, iam_target_role},
    {"iam:TagRole", iam_when_tags, iam_target_role},
    {0}};
static const struct need need_CreatePolicy[] = {
    {"iam:CreatePolicy", NULL, iam_target_policy},
    {"iam:TagPolicy", iam_when_tags, iam_target_policy},
    {0}};
static const struct need need_CreateInstanceProfile[] = {
    {"iam:CreateInstanceProfile", NULL, iam_target_profile},
    {"iam:TagInstanceProfile", iam_when_tags, iam_target_profile},
    {0}};

/* Both the old and the new name. */
static const struct need need_UpdateUser[] = {
    {"iam:UpdateUser", NULL, iam_target_user},
    {"iam:UpdateUser", iam_when_renamed, iam_target_user_renamed},
    {0}};
static const struct need need_UpdateGroup[] = {
    {"iam:UpdateGroup", NULL, iam_target_group},
    {"iam:UpdateGroup", iam_when_renamed, iam_target_group_renamed},
    {0}};
static const struct need need_AddRoleToInstanceProfile[] = {
    {"iam:AddRoleToInstanceProfile", NULL, iam_target_profile},
    {"iam:PassRole", NULL, iam_target_role_passed},
    {0}};

/* Inputs are recorded whole, as CloudTrail does. The one secret, in CreateAccessKey's answer, is
 * marked sensitive in the model and hidden in the record. */
#define READ(op) {OP_ROW(iam, op, OP_READ, AUDIT_MANAGEMENT, need_##op, "*", NULL)}
#define WRITE(op, result) {OP_ROW(iam, op, OP_WRITE, AUDIT_MANAGEMENT, need_##op, "*", result)}

static const struct op_row rows[] = {
    WRITE(AddRoleToInstanceProfile, NULL),
    WRITE(AddUserToGroup, NULL),
    WRITE(AttachGroupPolicy, NULL),
    WRITE(AttachRolePolicy, NULL),
    WRITE(AttachUserPolicy, NULL),
    WRITE(CreateAccessKey, "*"),
    WRITE(CreateAccountAlias, NULL),
    WRITE(CreateGroup, "*"),
    WRITE(CreateInstanceProfile, "*"),
    WRITE(CreatePolicy, "*"),
    WRITE(CreatePolicyVersion, "*"),
    WRITE(CreateRole, "*"),
    WRITE(CreateUser, "*"),
    WRITE(DeleteAccessKey, NULL),
    WRITE(DeleteAccountAlias, NULL),
    WRITE(DeleteGroup, NULL),
    WRITE(DeleteGroupPolicy, NULL),
    WRITE(DeleteInstanceProfile, NULL),
    WRITE(DeletePolicy, NULL),
    WRITE(DeletePolicyVersion, NULL),
    WRITE(DeleteRole, NULL),
    WRITE(DeleteRolePermissionsBoundary, NULL),
    WRITE(DeleteRolePolicy, NULL),
    WRITE(DeleteUser, NULL),
    WRITE(DeleteUserPermissionsBoundary, NULL),
    WRITE(DeleteUserPolicy, NULL),
    WRITE(DetachGroupPolicy, NULL),
    WRITE(DetachRolePolicy, NULL),
    WRITE(DetachUserPolicy, NULL),
    READ(GetAccountSummary),
    READ(GetGroup),
    READ(GetGroupPolicy),
    READ(GetInstanceProfile),
    READ(GetPolicy),
    READ(GetPolicyVersion),
    READ(GetRole),
    READ(GetRolePolicy),
    READ(GetUser),
    READ(GetUserPolicy),
    READ(ListAccessKeys),
    READ(ListAccountAliases),
    READ(ListAttachedGroupPolicies),
    READ(ListAttachedRolePolicies),
    READ(ListAttachedUserPolicies),
    READ(ListEntitiesForPolicy),
    READ(ListGroupPolicies),
    READ(ListGroups),
    READ(ListGroupsForUser),
    READ(ListInstanceProfileTags),
    READ(ListInstanceProfiles),
    READ(ListInstanceProfilesForRole),
    READ(ListPolicies),
    READ(ListPolicyTags),
    READ(ListPolicyVersions),
    READ(ListRolePolicies),
    READ(ListRoleTags),
    READ(ListRoles),
    READ(ListUserPolicies),
    READ(ListUserTags),
    READ(ListUsers),
    WRITE(PutGroupPolicy, NULL),
    WRITE(PutRolePermissionsBoundary, NULL),
    WRITE(PutRolePolicy, NULL),
    WRITE(PutUserPermissionsBoundary, NULL),
    WRITE(PutUserPolicy, NULL),
    WRITE(RemoveRoleFromInstanceProfile, NULL),
    WRITE(RemoveUserFromGroup, NULL),
    WRITE(SetDefaultPolicyVersion, NULL),
    WRITE(TagInstanceProfile, NULL),
    WRITE(TagPolicy, NULL),
    WRITE(TagRole, NULL),
    WRITE(TagUser, NULL),
    WRITE(UntagInstanceProfile, NULL),
    WRITE(UntagPolicy, NULL),
    WRITE(UntagRole, NULL),
    WRITE(UntagUser, NULL),
    WRITE(UpdateAccessKey, NULL),
    WRITE(UpdateAssumeRolePolicy, NULL),
    WRITE(UpdateGroup, NULL),
    WRITE(UpdateRole, NULL),
    WRITE(UpdateRoleDescription, "*"),
    WRITE(UpdateUser, NULL),
};

const struct room iam_room = {
    .name = "iam",
    .model = &iam_model,
    .event_source = "iam.amazonaws.com",
    .ops = rows,
    .n_ops = ARRAY_LEN(rows),
    .validation_code = "ValidationError",
    .denied_code = "AccessDenied",
    .global = true,
};
