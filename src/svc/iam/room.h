/* room.h: private to the IAM room. */
#ifndef WARD_SVC_IAM_ROOM_H
#define WARD_SVC_IAM_ROOM_H

#include "iam.h"
#include "iam_model.h"

/* -- what has a name, a path and an id (entity.c) ---------------------------------------------- */

enum iam_kind { IAM_USER, IAM_ROLE, IAM_GROUP, IAM_POLICY, IAM_PROFILE };

struct iam_kind_facts {
    const char *table;
    const char *word;      /* in ARNs: "user" */
    const char *prefix;    /* of ids: "AIDA" */
    const char *counter;   /* in the account's row */
    int64_t most;
    const char *quota;     /* AWS's name of the limit: "UsersPerAccount" */
    const char *name_member;
    int64_t inline_chars;  /* 0: no inline policies */
    const char *label;     /* in messages: "user" */
};
extern const struct iam_kind_facts iam_kinds[];

/* The row; NoSuchEntity when there is none. For IAM_POLICY the name is the ARN. */
struct err *iam_entity(struct call *c, enum iam_kind kind, struct str name, struct jv **out)
    MUST_CHECK;
struct err *iam_entity_put(struct call *c, enum iam_kind kind, const struct jv *row) MUST_CHECK;
struct err *iam_entity_del(struct call *c, enum iam_kind kind, const struct jv *row) MUST_CHECK;
struct err *iam_no_such(enum iam_kind kind, struct str name) MUST_CHECK;
struct err *iam_exists(enum iam_kind kind, struct str name) MUST_CHECK;

/* A new row with name, path, id, arn, created_ms and tags, counted against the account's limit.
 * EntityAlreadyExists, LimitExceeded. Not yet written. */
struct err *iam_entity_new(struct call *c, enum iam_kind kind, struct str name, struct str path,
                           const struct iam_tagListType *tags, struct jv **out) MUST_CHECK;

/* ARN of a kind with a path (STR_NONE: "/") and a name. */
struct str iam_arn(struct call *c, enum iam_kind kind, struct str path, struct str name);

/* The user meant by an absent UserName: the caller. ValidationError for roles. */
struct err *iam_user_name(struct call *c, struct str given, struct str *out) MUST_CHECK;

/* Adds `by` to a counter of the account's row. `quota` NULL: no limit. LimitExceeded. */
struct err *iam_account_count(struct call *c, const char *counter, int64_t by, int64_t most,
                              const char *quota) MUST_CHECK;

/* -- small things (parts.c) -------------------------------------------------------------------- */

void row_set(struct call *c, struct jv *row, const char *key, struct str v); /* STR_NONE: removes */
void row_set_i(struct call *c, struct jv *row, const char *key, int64_t v);
struct str row_s(const struct jv *row, const char *key);
struct opt_int row_time(const struct jv *row, const char *key);
/* The container under the key, made (and put into the row) as a copy that may be changed; put it
 * back with jv_set when done. */
struct jv *row_arr(struct call *c, const struct jv *row, const char *key);
struct jv *row_obj(struct call *c, const struct jv *row, const char *key);
bool jv_has_str(const struct jv *arr, struct str s);
bool jv_drop_str(struct jv *arr, struct str s);  /* true: was there */
bool jv_drop_key(struct jv *obj, struct str key);
int64_t iam_now(const struct call *c);           /* IAM's times are in whole seconds */
struct str iam_doc_out(struct call *c, struct str document); /* percent-encoded, as IAM answers */
int64_t iam_doc_chars(struct str document);      /* without white space */

/* Tags: rows keep {key: value}. */
struct err *iam_tags_add(struct call *c, struct jv *row, const struct iam_tagListType *tags)
    MUST_CHECK;
void iam_tags_out(struct call *c, const struct jv *row, struct iam_tagListType *out);

struct iam_AttachedPermissionsBoundary *iam_boundary_out(struct call *c, const struct jv *row);

/* -- pages (page.c) ---------------------------------------------------------------------------- */

/* Over rows: collects those that `want` accepts. */
struct iam_page {
    struct call *c;
    enum iam_kind kind;
    struct str marker, path_prefix; /* as the client gave them */
    struct opt_int max_items;
    bool (*want)(void *ctx, const struct jv *row); /* NULL: all */
    void *ctx;
    /* the result */
    VEC(const struct jv *) rows;
    struct str next_marker; /* STR_NONE: this was the last page */
};
struct err *iam_page_rows(struct iam_page *p) MUST_CHECK;

/* Over a list in a row: which elements of `total` this page shows. */
struct iam_range {
    size_t from, to;
    struct str next_marker;
};
struct err *iam_page_range(struct call *c, struct str marker, struct opt_int max_items,
                           size_t total, struct iam_range *out) MUST_CHECK;

/* -- shared by several files ------------------------------------------------------------------- */

/* policies.c */
struct err *iam_check_document(struct str document, enum policy_kind kind) MUST_CHECK;
struct err *iam_check_managed_document(struct str document) MUST_CHECK; /* and its size */
void iam_version_put(struct call *c, struct jv *row, struct str id, struct str document,
                     bool as_default);
/* The account's policy, to be changed. AccessDenied for AWS's. */
struct err *iam_own_policy(struct call *c, struct str arn, struct jv **out) MUST_CHECK;
/* The policy exists (AWS's or the account's); NoSuchEntity in the words for attaching. */
struct err *iam_check_attachable(struct call *c, struct str arn) MUST_CHECK;
/* How many entities a policy is attached to (or bounds): changes the number by `by`. */
struct err *iam_uses_add(struct call *c, struct str policy_arn, const char *what, int64_t by)
    MUST_CHECK;

/* users.c, roles.c, groups.c: rows as AWS shows them. `full`: with tags and boundary. */
void iam_user_out(struct call *c, const struct jv *row, bool full, struct iam_User *out);
struct err *iam_role_out(struct call *c, const struct jv *row, bool full, struct iam_Role *out)
    MUST_CHECK;
void iam_group_out(const struct jv *row, struct iam_Group *out);
/* For deletion: DeleteConflict while policies are left. */
struct err *iam_check_no_policies(const struct jv *row) MUST_CHECK;

/* targets.c: what the needs are about */
struct err *iam_target_user(struct call *c, struct target *out);
struct err *iam_target_user_renamed(struct call *c, struct target *out);
struct err *iam_target_users(struct call *c, struct target *out); /* lists: user/PREFIX */
struct err *iam_target_role(struct call *c, struct target *out);
struct err *iam_target_role_passed(struct call *c, struct target *out);
struct err *iam_target_roles(struct call *c, struct target *out);
struct err *iam_target_group(struct call *c, struct target *out);
struct err *iam_target_group_renamed(struct call *c, struct target *out);
struct err *iam_target_groups(struct call *c, struct target *out);
struct err *iam_target_policy(struct call *c, struct target *out);
struct err *iam_target_policies(struct call *c, struct target *out);
struct err *iam_target_profile(struct call *c, struct target *out);
struct err *iam_target_profiles(struct call *c, struct target *out);
struct err *iam_target_account(struct call *c, struct target *out);
bool iam_when_tags(const struct call *c);
bool iam_when_renamed(const struct call *c);

/* -- handlers, named as in the rows ------------------------------------------------------------ */

OP_DECLARE(iam, AddRoleToInstanceProfile);
OP_DECLARE(iam, AddUserToGroup);
OP_DECLARE(iam, AttachGroupPolicy);
OP_DECLARE(iam, AttachRolePolicy);
OP_DECLARE(iam, AttachUserPolicy);
OP_DECLARE(iam, CreateAccessKey);
OP_DECLARE(iam, CreateAccountAlias);
OP_DECLARE(iam, CreateGroup);
OP_DECLARE(iam, CreateInstanceProfile);
OP_DECLARE(iam, CreatePolicy);
OP_DECLARE(iam, CreatePolicyVersion);
OP_DECLARE(iam, CreateRole);
OP_DECLARE(iam, CreateUser);
OP_DECLARE(iam, DeleteAccessKey);
OP_DECLARE(iam, DeleteAccountAlias);
OP_DECLARE(iam, DeleteGroup);
OP_DECLARE(iam, DeleteGroupPolicy);
OP_DECLARE(iam, DeleteInstanceProfile);
OP_DECLARE(iam, DeletePolicy);
OP_DECLARE(iam, DeletePolicyVersion);
OP_DECLARE(iam, DeleteRole);
OP_DECLARE(iam, DeleteRolePermissionsBoundary);
OP_DECLARE(iam, DeleteRolePolicy);
OP_DECLARE(iam, DeleteUser);
OP_DECLARE(iam, DeleteUserPermissionsBoundary);
OP_DECLARE(iam, DeleteUserPolicy);
OP_DECLARE(iam, DetachGroupPolicy);
OP_DECLARE(iam, DetachRolePolicy);
OP_DECLARE(iam, DetachUserPolicy);
OP_DECLARE(iam, GetAccountSummary);
OP_DECLARE(iam, GetGroup);
OP_DECLARE(iam, GetGroupPolicy);
OP_DECLARE(iam, GetInstanceProfile);
OP_DECLARE(iam, GetPolicy);
OP_DECLARE(iam, GetPolicyVersion);
OP_DECLARE(iam, GetRole);
OP_DECLARE(iam, GetRolePolicy);
OP_DECLARE(iam, GetUser);
OP_DECLARE(iam, GetUserPolicy);
OP_DECLARE(iam, ListAccessKeys);
OP_DECLARE(iam, ListAccountAliases);
OP_DECLARE(iam, ListAttachedGroupPolicies);
OP_DECLARE(iam, ListAttachedRolePolicies);
OP_DECLARE(iam, ListAttachedUserPolicies);
OP_DECLARE(iam, ListEntitiesForPolicy);
OP_DECLARE(iam, ListGroupPolicies);
OP_DECLARE(iam, ListGroups);
OP_DECLARE(iam, ListGroupsForUser);
OP_DECLARE(iam, ListInstanceProfileTags);
OP_DECLARE(iam, ListInstanceProfiles);
OP_DECLARE(iam, ListInstanceProfilesForRole);
OP_DECLARE(iam, ListPolicies);
OP_DECLARE(iam, ListPolicyTags);
OP_DECLARE(iam, ListPolicyVersions);
OP_DECLARE(iam, ListRolePolicies);
OP_DECLARE(iam, ListRoleTags);
OP_DECLARE(iam, ListRoles);
OP_DECLARE(iam, ListUserPolicies);
OP_DECLARE(iam, ListUserTags);
OP_DECLARE(iam, ListUsers);
OP_DECLARE(iam, PutGroupPolicy);
OP_DECLARE(iam, PutRolePermissionsBoundary);
OP_DECLARE(iam, PutRolePolicy);
OP_DECLARE(iam, PutUserPermissionsBoundary);
OP_DECLARE(iam, PutUserPolicy);
OP_DECLARE(iam, RemoveRoleFromInstanceProfile);
OP_DECLARE(iam, RemoveUserFromGroup);
OP_DECLARE(iam, SetDefaultPolicyVersion);
OP_DECLARE(iam, TagInstanceProfile);
OP_DECLARE(iam, TagPolicy);
OP_DECLARE(iam, TagRole);
OP_DECLARE(iam, TagUser);
OP_DECLARE(iam, UntagInstanceProfile);
OP_DECLARE(iam, UntagPolicy);
OP_DECLARE(iam, UntagRole);
OP_DECLARE(iam, UntagUser);
OP_DECLARE(iam, UpdateAccessKey);
OP_DECLARE(iam, UpdateAssumeRolePolicy);
OP_DECLARE(iam, UpdateGroup);
OP_DECLARE(iam, UpdateRole);
OP_DECLARE(iam, UpdateRoleDescription);
OP_DECLARE(iam, UpdateUser);

#endif
