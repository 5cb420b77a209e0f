#include "room.h"

/* What each need is about: the ARN of the thing, there or not, and the condition keys of
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html */

static struct str input_s(struct call *c, const char *member)
{
    return shape_str_at(c->op->input, c->in, member);
}

static const struct any_list *input_list(const struct call *c, const char *member)
{
    const struct shape_member *m =
        c->op->input == NULL ? NULL : shape_member(c->op->input, str_c(member));
    if (m == NULL || m->shape->kind != SH_LIST)
        return NULL;
    const struct any_list *l = shape_at(m, c->in);
    return l->n > 0 ? l : NULL;
}

bool iam_when_tags(const struct call *c)
{
    return input_list(c, "Tags") != NULL;
}

static bool given(const struct call *c, const char *member)
{
    return shape_str_at(c->op->input, c->in, member).p != NULL;
}

bool iam_when_renamed(const struct call *c)
{
    return given(c, "NewUserName") || given(c, "NewGroupName") || given(c, "NewPath");
}

/* Credentials of GetSessionToken may not call IAM, unless got with MFA.
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html */
static struct err *check_session(struct call *c)
{
    if (c->id.is_session && c->id.who.kind == PRINCIPAL_USER && !c->id.mfa)
        return err_aws(403, "InvalidClientTokenId",
                       "The security token included in the request is invalid");
    return NULL;
}

/* -- condition keys ---------------------------------------------------------------------------- */

static void key_named(struct call *c, const char *family, struct str key, struct str value)
{
    struct str name = arena_fmt(c->arena, "%s/%.*s", family, STR_ARG(key));
    call_key(c, name.p, value); /* arena text ends with a NUL */
}

static void request_tag_keys(struct call *c)
{
    const struct any_list *tags = input_list(c, "Tags"), *keys = input_list(c, "TagKeys");
    if (keys != NULL)
        call_key_list(c, "aws:TagKeys", keys->v, keys->n);
    if (tags == NULL)
        return;
    const struct iam_Tag *t = tags->v;
    struct str *names = ARENA_ARRAY(c->arena, tags->n, struct str);
    for (size_t i = 0; i < tags->n; i++) {
        names[i] = t[i].Key;
        if (t[i].Key.p != NULL)
            key_named(c, "aws:RequestTag", t[i].Key, t[i].Value);
    }
    call_key_list(c, "aws:TagKeys", names, tags->n);
}

static void resource_tag_keys(struct call *c, const struct jv *row)
{
    const struct jv *tags = jv_get(row, "tags");
    for (size_t i = 0; i < jv_len(tags); i++) {
        const struct jv_member *m = &tags->obj.v[i];
        key_named(c, "aws:ResourceTag", m->key, jv_s(&m->value));
        key_named(c, "iam:ResourceTag", m->key, jv_s(&m->value));
    }
}

static void request_keys(struct call *c, enum iam_kind kind, const struct jv *row)
{
    request_tag_keys(c);
    resource_tag_keys(c, row);
    if (kind != IAM_POLICY)
        call_key(c, "iam:PolicyARN", input_s(c, "PolicyArn"));
    struct str boundary = input_s(c, "PermissionsBoundary");
    call_key(c, "iam:PermissionsBoundary", boundary.p != NULL ? boundary : row_s(row, "boundary"));
}

/* -- targets ----------------------------------------------------------------------------------- */

static struct err *target_named(struct call *c, enum iam_kind kind, struct str name,
                                struct target *out)
{
    TRY(check_session(c));
    struct jv *row = NULL;
    if (name.p != NULL)
        TRY(iam_row_get(c->txn, c->arena, iam_kinds[kind].table, c->account, name, &row));
    request_keys(c, kind, row);
    out->arn = row != NULL ? row_s(row, "arn")
                           : iam_arn(c, kind, input_s(c, "Path"), name.p == NULL ? STR("") : name);
    return NULL;
}

/* Lists: "arn:aws:iam::ACCOUNT:user/PREFIX". */
static struct err *target_list(struct call *c, enum iam_kind kind, struct target *out)
{
    TRY(check_session(c));
    out->arn = iam_arn(c, kind, input_s(c, "PathPrefix"), STR(""));
    return NULL;
}

struct err *iam_target_user(struct call *c, struct target *out)
{
    struct str name = input_s(c, "UserName");
    if (name.p == NULL && c->id.who.kind == PRINCIPAL_USER)
        name = c->id.who.name;
    return target_named(c, IAM_USER, name, out);
}

/* Where a thing goes that gets another name or path: one must be allowed on both sides. */
static struct err *target_renamed(struct call *c, enum iam_kind kind, const char *new_name,
                                  struct target *out)
{
    struct jv *row = NULL;
    struct str name = input_s(c, iam_kinds[kind].name_member), to = input_s(c, new_name);
    struct str path = input_s(c, "NewPath");
    if (name.p != NULL)
        TRY(iam_row_get(c->txn, c->arena, iam_kinds[kind].table, c->account, name, &row));
    request_keys(c, kind, row);
    out->arn = iam_arn(c, kind, path.p != NULL ? path : row_s(row, "path"),
                       to.p != NULL ? to : name);
    return NULL;
}

struct err *iam_target_user_renamed(struct call *c, struct target *out)
{
    return target_renamed(c, IAM_USER, "NewUserName", out);
}

struct err *iam_target_group_renamed(struct call *c, struct target *out)
{
    return target_renamed(c, IAM_GROUP, "NewGroupName", out);
}

struct err *iam_target_users(struct call *c, struct target *out)
{
    return target_list(c, IAM_USER, out);
}

struct err *iam_target_role(struct call *c, struct target *out)
{
    return target_named(c, IAM_ROLE, input_s(c, "RoleName"), out);
}

/* iam:PassRole, when a role is given to an instance profile. */
struct err *iam_target_role_passed(struct call *c, struct target *out)
{
    TRY(iam_target_role(c, out));
    call_key(c, "iam:PassedToService", STR("ec2.amazonaws.com"));
    return NULL;
}

struct err *iam_target_roles(struct call *c, struct target *out)
{
    return target_list(c, IAM_ROLE, out);
}

struct err *iam_target_group(struct call *c, struct target *out)
{
    return target_named(c, IAM_GROUP, input_s(c, "GroupName"), out);
}

struct err *iam_target_groups(struct call *c, struct target *out)
{
    return target_list(c, IAM_GROUP, out);
}

/* By ARN, or by path and name when it is made. */
struct err *iam_target_policy(struct call *c, struct target *out)
{
    struct str arn = input_s(c, "PolicyArn");
    if (arn.p == NULL)
        return target_named(c, IAM_POLICY, input_s(c, "PolicyName"), out);
    TRY(target_named(c, IAM_POLICY, arn, out));
    out->arn = arn;
    return NULL;
}

struct err *iam_target_policies(struct call *c, struct target *out)
{
    return target_list(c, IAM_POLICY, out);
}

struct err *iam_target_profile(struct call *c, struct target *out)
{
    return target_named(c, IAM_PROFILE, input_s(c, "InstanceProfileName"), out);
}

struct err *iam_target_profiles(struct call *c, struct target *out)
{
    return target_list(c, IAM_PROFILE, out);
}

struct err *iam_target_account(struct call *c, struct target *out)
{
    TRY(check_session(c));
    out->arn = STR("*");
    return NULL;
}
