/* AWS::IAM::*: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_IAM.html */
#include "types.h"

/* -- what roles, users and groups share: policies, inline and attached ------------------------- */

#define GONE_CODES "NoSuchEntity"

#define POLICIES(kind)                                                                             \
    {.on = ON_GONE | ON_DELETE, .each = "ManagedPolicyArns", .room = "iam",                        \
     .op = "Detach" kind "Policy",                                                                 \
     .in = "{\"" kind "Name\":\"$id\",\"PolicyArn\":\"$e\"}", .ignore = GONE_CODES},               \
    {.on = ON_CREATE | ON_UPDATE, .each = "ManagedPolicyArns", .room = "iam",                      \
     .op = "Attach" kind "Policy",                                                                 \
     .in = "{\"" kind "Name\":\"$id\",\"PolicyArn\":\"$e\"}"},                                     \
    {.on = ON_GONE | ON_DELETE, .each = "Policies", .key = "PolicyName", .room = "iam",            \
     .op = "Delete" kind "Policy",                                                                 \
     .in = "{\"" kind "Name\":\"$id\",\"PolicyName\":\"$e.PolicyName\"}", .ignore = GONE_CODES},   \
    {.on = ON_CREATE | ON_UPDATE, .each = "Policies", .key = "PolicyName", .room = "iam",          \
     .op = "Put" kind "Policy",                                                                    \
     .in = "{\"" kind "Name\":\"$id\",\"PolicyName\":\"$e.PolicyName\","                           \
           "\"PolicyDocument\":\"%e.PolicyDocument\"}"}

#define BOUNDARY(kind)                                                                             \
    {.on = ON_UPDATE, .when = "PermissionsBoundary", .room = "iam",                                \
     .op = "Put" kind "PermissionsBoundary",                                                       \
     .in = "{\"" kind "Name\":\"$id\",\"PermissionsBoundary\":\"$p.PermissionsBoundary\"}"},       \
    {.on = ON_GONE, .when = "PermissionsBoundary", .room = "iam",                                  \
     .op = "Delete" kind "PermissionsBoundary", .in = "{\"" kind "Name\":\"$id\"}"}

#define TAGS(kind)                                                                                 \
    {.on = ON_GONE, .each = "Tags", .key = "Key", .room = "iam", .op = "Untag" kind,               \
     .in = "{\"" kind "Name\":\"$id\",\"TagKeys\":[\"$e.Key\"]}"},                                 \
    {.on = ON_UPDATE, .when = "Tags", .room = "iam", .op = "Tag" kind,                             \
     .in = "{\"" kind "Name\":\"$id\",\"Tags\":\"$p.Tags\"}"}

#define REMOVE(kind)                                                                               \
    {.on = ON_DELETE, .room = "iam", .op = "Delete" kind, .in = "{\"" kind "Name\":\"$id\"}",      \
     .ignore = GONE_CODES}

/* -- roles ------------------------------------------------------------------------------------- */

static const struct prop role_props[] = {
    {"AssumeRolePolicyDocument", P_JSON, P_REQUIRED, NULL},
    {"Description", P_STR, 0, NULL},
    {"ManagedPolicyArns", P_LIST, 0, NULL},
    {"MaxSessionDuration", P_INT, 0, NULL},
    {"Path", P_STR, P_REPLACE, NULL},
    {"PermissionsBoundary", P_STR, 0, NULL},
    {"Policies", P_LIST, 0, NULL, "PolicyDocument PolicyName"},
    {"RoleName", P_STR, P_REPLACE, NULL},
    {"Tags", P_TAGS, 0, NULL},
    {0},
};

static const struct step role_steps[] = {
    {.on = ON_PROBE, .room = "iam", .op = "GetRole", .in = "{\"RoleName\":\"$name\"}",
     .ignore = "*"},
    {.on = ON_CREATE, .room = "iam", .op = "CreateRole",
     .in = "{\"RoleName\":\"$name\",\"Path\":\"$p.Path\",\"Description\":\"$p.Description\","
           "\"AssumeRolePolicyDocument\":\"$p.AssumeRolePolicyDocument\","
           "\"MaxSessionDuration\":\"$p.MaxSessionDuration\","
           "\"PermissionsBoundary\":\"$p.PermissionsBoundary\",\"Tags\":\"$p.Tags\"}",
     .save = "Role.RoleId=RoleId;Role.Arn=Arn", .exists = "EntityAlreadyExists"},
    {.on = ON_ADOPT, .room = "iam", .op = "GetRole", .in = "{\"RoleName\":\"$name\"}",
     .save = "Role.RoleId=RoleId;Role.Arn=Arn"},
    {.on = ON_UPDATE, .when = "AssumeRolePolicyDocument", .room = "iam",
     .op = "UpdateAssumeRolePolicy",
     .in = "{\"RoleName\":\"$id\",\"PolicyDocument\":\"$p.AssumeRolePolicyDocument\"}"},
    {.on = ON_UPDATE | ON_GONE, .when = "Description MaxSessionDuration", .room = "iam",
     .op = "UpdateRole",
     .in = "{\"RoleName\":\"$id\",\"Description\":\"$p.Description|\","
           "\"MaxSessionDuration\":\"$p.MaxSessionDuration|3600\"}"},
    BOUNDARY("Role"),
    POLICIES("Role"),
    TAGS("Role"),
    REMOVE("Role"),
    {0},
};

static const struct attribute role_attributes[] = {
    {"Arn", "$a.Arn"}, {"RoleId", "$a.RoleId"}, {0}};

static const struct rtype role = {.name = "AWS::IAM::Role", .props = role_props,
                                  .steps = role_steps, .attributes = role_attributes,
                                  .name_prop = "RoleName", .name_style = NAME_ANY,
                                  .name_max = 64, .iam = true};

/* -- users and groups -------------------------------------------------------------------------- */

static const struct prop user_props[] = {
    {"Groups", P_LIST, 0, NULL},
    {"ManagedPolicyArns", P_LIST, 0, NULL},
    {"Path", P_STR, P_REPLACE, NULL},
    {"PermissionsBoundary", P_STR, 0, NULL},
    {"Policies", P_LIST, 0, NULL, "PolicyDocument PolicyName"},
    {"Tags", P_TAGS, 0, NULL},
    {"UserName", P_STR, P_REPLACE, NULL},
    {0},
};

static const struct step user_steps[] = {
    {.on = ON_PROBE, .room = "iam", .op = "GetUser", .in = "{\"UserName\":\"$name\"}",
     .ignore = "*"},
    {.on = ON_CREATE, .room = "iam", .op = "CreateUser",
     .in = "{\"UserName\":\"$name\",\"Path\":\"$p.Path\",\"Tags\":\"$p.Tags\","
           "\"PermissionsBoundary\":\"$p.PermissionsBoundary\"}",
     .save = "User.Arn=Arn", .exists = "EntityAlreadyExists"},
    {.on = ON_ADOPT, .room = "iam", .op = "GetUser", .in = "{\"UserName\":\"$name\"}",
     .save = "User.Arn=Arn"},
    BOUNDARY("User"),
    {.on = ON_GONE | ON_DELETE, .each = "Groups", .room = "iam", .op = "RemoveUserFromGroup",
     .in = "{\"UserName\":\"$id\",\"GroupName\":\"$e\"}", .ignore = GONE_CODES},
    {.on = ON_CREATE | ON_UPDATE, .each = "Groups", .room = "iam", .op = "AddUserToGroup",
     .in = "{\"UserName\":\"$id\",\"GroupName\":\"$e\"}"},
    POLICIES("User"),
    TAGS("User"),
    REMOVE("User"),
    {0},
};

static const struct attribute arn_attribute[] = {{"Arn", "$a.Arn"}, {0}};

static const struct rtype user = {.name = "AWS::IAM::User", .props = user_props,
                                  .steps = user_steps, .attributes = arn_attribute,
                                  .name_prop = "UserName", .name_style = NAME_ANY, .name_max = 64,
                                  .iam = true};

static const struct prop group_props[] = {
    {"GroupName", P_STR, P_REPLACE, NULL},
    {"ManagedPolicyArns", P_LIST, 0, NULL},
    {"Path", P_STR, P_REPLACE, NULL},
    {"Policies", P_LIST, 0, NULL, "PolicyDocument PolicyName"},
    {0},
};

static const struct step group_steps[] = {
    {.on = ON_PROBE, .room = "iam", .op = "GetGroup", .in = "{\"GroupName\":\"$name\"}",
     .ignore = "*"},
    {.on = ON_CREATE, .room = "iam", .op = "CreateGroup",
     .in = "{\"GroupName\":\"$name\",\"Path\":\"$p.Path\"}", .save = "Group.Arn=Arn",
     .exists = "EntityAlreadyExists"},
    {.on = ON_ADOPT, .room = "iam", .op = "GetGroup", .in = "{\"GroupName\":\"$name\"}",
     .save = "Group.Arn=Arn"},
    POLICIES("Group"),
    REMOVE("Group"),
    {0},
};

static const struct rtype group = {.name = "AWS::IAM::Group", .props = group_props,
                                   .steps = group_steps, .attributes = arn_attribute,
                                   .name_prop = "GroupName", .name_style = NAME_ANY,
                                   .name_max = 128, .iam = true};

static const struct prop access_key_props[] = {
    {"Serial", P_INT, P_REPLACE, NULL},
    {"Status", P_STR, 0, NULL},
    {"UserName", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {0},
};

static const struct step access_key_steps[] = {
    {.on = ON_CREATE, .room = "iam", .op = "CreateAccessKey",
     .in = "{\"UserName\":\"$p.UserName\"}",
     .save = "AccessKey.AccessKeyId=@id;AccessKey.SecretAccessKey=SecretAccessKey"},
    {.on = ON_CREATE | ON_UPDATE | ON_GONE, .when = "Status", .room = "iam",
     .op = "UpdateAccessKey",
     .in = "{\"UserName\":\"$p.UserName\",\"AccessKeyId\":\"$id\","
           "\"Status\":\"$p.Status|Active\"}"},
    {.on = ON_DELETE, .room = "iam", .op = "DeleteAccessKey",
     .in = "{\"UserName\":\"$p.UserName\",\"AccessKeyId\":\"$id\"}", .ignore = GONE_CODES},
    {0},
};

static const struct attribute access_key_attributes[] = {
    {"SecretAccessKey", "$a.SecretAccessKey"}, {0}};

static const struct rtype access_key = {.name = "AWS::IAM::AccessKey", .props = access_key_props,
                                        .steps = access_key_steps,
                                        .attributes = access_key_attributes, .iam = true};

/* -- policies ---------------------------------------------------------------------------------- */

static const struct prop policy_props[] = {
    {"Groups", P_LIST, 0, NULL},
    {"PolicyDocument", P_JSON, P_REQUIRED, NULL},
    {"PolicyName", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {"Roles", P_LIST, 0, NULL},
    {"Users", P_LIST, 0, NULL},
    {0},
};

#define INLINE_ON(list, kind)                                                                      \
    {.on = ON_GONE | ON_DELETE, .each = list, .room = "iam", .op = "Delete" kind "Policy",         \
     .in = "{\"" kind "Name\":\"$e\",\"PolicyName\":\"$p.PolicyName\"}", .ignore = GONE_CODES},    \
    {.on = ON_CREATE | ON_UPDATE, .each = list, .when = "PolicyDocument", .room = "iam",           \
     .op = "Put" kind "Policy",                                                                    \
     .in = "{\"" kind "Name\":\"$e\",\"PolicyName\":\"$p.PolicyName\","                            \
           "\"PolicyDocument\":\"$p.PolicyDocument\"}"}

static const struct step policy_steps[] = {
    INLINE_ON("Groups", "Group"), INLINE_ON("Roles", "Role"), INLINE_ON("Users", "User"), {0}};

static const struct rtype policy = {.name = "AWS::IAM::Policy", .props = policy_props,
                                    .steps = policy_steps, .name_style = NAME_ANY,
                                    .name_max = 128, .iam = true};

static const struct prop managed_props[] = {
    {"Description", P_STR, P_REPLACE, NULL},
    {"Groups", P_LIST, 0, NULL},
    {"ManagedPolicyName", P_STR, P_REPLACE, NULL},
    {"Path", P_STR, P_REPLACE, NULL},
    {"PolicyDocument", P_JSON, P_REQUIRED, NULL},
    {"Roles", P_LIST, 0, NULL},
    {"Users", P_LIST, 0, NULL},
    {0},
};

#define ATTACH_TO(list, kind)                                                                      \
    {.on = ON_GONE | ON_DELETE, .each = list, .room = "iam", .op = "Detach" kind "Policy",         \
     .in = "{\"" kind "Name\":\"$e\",\"PolicyArn\":\"$id\"}", .ignore = GONE_CODES},               \
    {.on = ON_CREATE | ON_UPDATE, .each = list, .room = "iam", .op = "Attach" kind "Policy",       \
     .in = "{\"" kind "Name\":\"$e\",\"PolicyArn\":\"$id\"}"}

/* A policy keeps five versions: the former default goes once the new one is in force. */
static const struct step managed_steps[] = {
    {.on = ON_PROBE, .room = "iam", .op = "GetPolicy",
     .in = "{\"PolicyArn\":\"=arn:aws:iam::<account>:policy<p.Path|/><name>\"}", .ignore = "*"},
    {.on = ON_CREATE, .room = "iam", .op = "CreatePolicy",
     .in = "{\"PolicyName\":\"$name\",\"Path\":\"$p.Path\",\"Description\":\"$p.Description\","
           "\"PolicyDocument\":\"$p.PolicyDocument\"}",
     .save = "Policy.Arn=@id;Policy.PolicyId=PolicyId;Policy.DefaultVersionId=Version",
     .exists = "EntityAlreadyExists"},
    {.on = ON_ADOPT, .room = "iam", .op = "GetPolicy",
     .in = "{\"PolicyArn\":\"=arn:aws:iam::<account>:policy<p.Path|/><name>\"}",
     .save = "Policy.Arn=@id;Policy.PolicyId=PolicyId;Policy.DefaultVersionId=Version"},
    {.on = ON_UPDATE, .when = "PolicyDocument", .room = "iam", .op = "CreatePolicyVersion",
     .in = "{\"PolicyArn\":\"$id\",\"PolicyDocument\":\"$p.PolicyDocument\",\"SetAsDefault\":true}",
     .save = "PolicyVersion.VersionId=NewVersion"},
    {.on = ON_UPDATE, .when = "PolicyDocument", .test = "@Version", .room = "iam",
     .op = "DeletePolicyVersion", .in = "{\"PolicyArn\":\"$id\",\"VersionId\":\"$a.Version\"}",
     .save = "$a.NewVersion=Version", .ignore = GONE_CODES},
    ATTACH_TO("Groups", "Group"),
    ATTACH_TO("Roles", "Role"),
    ATTACH_TO("Users", "User"),
    {.on = ON_DELETE, .room = "iam", .op = "DeletePolicy", .in = "{\"PolicyArn\":\"$id\"}",
     .ignore = GONE_CODES},
    {0},
};

static const struct attribute managed_attributes[] = {
    {"PolicyArn", "$id"}, {"PolicyId", "$a.PolicyId"}, {0}};

static const struct rtype managed = {.name = "AWS::IAM::ManagedPolicy", .props = managed_props,
                                     .steps = managed_steps, .attributes = managed_attributes,
                                     .name_prop = "ManagedPolicyName", .name_style = NAME_ANY,
                                     .name_max = 128, .iam = true};

static const struct prop profile_props[] = {
    {"InstanceProfileName", P_STR, P_REPLACE, NULL},
    {"Path", P_STR, P_REPLACE, NULL},
    {"Roles", P_LIST, P_REQUIRED, NULL},
    {0},
};

static const struct step profile_steps[] = {
    {.on = ON_PROBE, .room = "iam", .op = "GetInstanceProfile",
     .in = "{\"InstanceProfileName\":\"$name\"}", .ignore = "*"},
    {.on = ON_CREATE, .room = "iam", .op = "CreateInstanceProfile",
     .in = "{\"InstanceProfileName\":\"$name\",\"Path\":\"$p.Path\"}",
     .save = "InstanceProfile.Arn=Arn", .exists = "EntityAlreadyExists"},
    {.on = ON_ADOPT, .room = "iam", .op = "GetInstanceProfile",
     .in = "{\"InstanceProfileName\":\"$name\"}", .save = "InstanceProfile.Arn=Arn"},
    {.on = ON_GONE | ON_DELETE, .each = "Roles", .room = "iam",
     .op = "RemoveRoleFromInstanceProfile",
     .in = "{\"InstanceProfileName\":\"$id\",\"RoleName\":\"$e\"}", .ignore = GONE_CODES},
    {.on = ON_CREATE | ON_UPDATE, .each = "Roles", .room = "iam", .op = "AddRoleToInstanceProfile",
     .in = "{\"InstanceProfileName\":\"$id\",\"RoleName\":\"$e\"}"},
    {.on = ON_DELETE, .room = "iam", .op = "DeleteInstanceProfile",
     .in = "{\"InstanceProfileName\":\"$id\"}", .ignore = GONE_CODES},
    {0},
};

static const struct rtype profile = {.name = "AWS::IAM::InstanceProfile", .props = profile_props,
                                     .steps = profile_steps, .attributes = arn_attribute,
                                     .name_prop = "InstanceProfileName", .name_style = NAME_ANY,
                                     .name_max = 128, .iam = true};

const struct rtype *const types_iam[] = {&role,   &user,    &group,   &access_key,
                                         &policy, &managed, &profile, NULL};
