/* AddPermission and RemovePermission: statements of the topic's policy, by their label. */
#include "room.h"

#include "../../auth/principals.h"

static bool action_valid(struct str s)
{
    static const char *const names[] = {
        "Publish",         "Subscribe",     "GetTopicAttributes", "SetTopicAttributes",
        "AddPermission",   "RemovePermission", "DeleteTopic",     "ListSubscriptionsByTopic"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_is(s, names[i]))
            return true;
    return false;
}

static bool account_valid(struct str s)
{
    bool ok = s.n == 12;
    for (size_t i = 0; ok && i < s.n; i++)
        ok = s.p[i] >= '0' && s.p[i] <= '9';
    return ok;
}

static struct err *check_permission(const struct sns_AddPermissionInput *in)
{
    bool label = in->Label.n >= 1 && in->Label.n <= 80;
    for (size_t i = 0; label && i < in->Label.n; i++)
        label = in->Label.p[i] != '\0' &&
                strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_",
                       in->Label.p[i]) != NULL;
    if (!label)
        return sns_invalid("Label");
    if (in->AWSAccountId.n == 0 || in->ActionName.n == 0)
        return sns_invalid("AWSAccountId and ActionName are required");
    for (size_t i = 0; i < in->AWSAccountId.n; i++)
        if (!account_valid(in->AWSAccountId.v[i]))
            return sns_invalid("PrincipalId");
    for (size_t i = 0; i < in->ActionName.n; i++)
        if (!action_valid(in->ActionName.v[i]))
            return sns_invalid("Policy statement action out of service scope!");
    return NULL;
}

static struct jv *make_statement(struct arena *a, const struct topic *t,
                                 const struct sns_AddPermissionInput *in)
{
    struct jv *s = jv_new_obj(a), *who = jv_new_obj(a), *roots = jv_new_arr(a);
    struct jv *actions = jv_new_arr(a);
    for (size_t i = 0; i < in->AWSAccountId.n; i++)
        jv_push(a, roots,
                jv_new_str(a, arena_fmt(a, "arn:%s:iam::%.*s:root", IDENTITY_PARTITION,
                                        STR_ARG(in->AWSAccountId.v[i]))));
    for (size_t i = 0; i < in->ActionName.n; i++)
        jv_push(a, actions,
                jv_new_str(a, arena_concat(a, STR("SNS:"), in->ActionName.v[i])));
    sns_set(a, s, "Sid", in->Label);
    sns_set(a, s, "Effect", STR("Allow"));
    jv_set(a, who, STR("AWS"), jv_len(roots) == 1 ? jv_at(roots, 0) : roots);
    jv_set(a, s, STR("Principal"), who);
    jv_set(a, s, STR("Action"), jv_len(actions) == 1 ? jv_at(actions, 0) : actions);
    sns_set(a, s, "Resource", t->arn);
    return s;
}

/* The policy as a tree, its statements as a list of their own. */
static struct err *open_policy(struct call *c, const struct topic *t, struct jv **out_policy,
                               struct jv **out_statements)
{
    struct str text;
    struct jv *list = jv_new_arr(c->arena);
    TRY(principals_shown_of(c->txn, c->arena, t->row, jv_s(jv_get(t->attrs, "Policy")), &text));
    TRY(json_parse(c->arena, text, POLICY_DEPTH_MAX, out_policy));
    const struct jv *have = jv_get(*out_policy, "Statement");
    if (jv_is(have, JV_OBJ))
        jv_push(c->arena, list, have);
    for (size_t i = 0; jv_is(have, JV_ARR) && i < jv_len(have); i++)
        jv_push(c->arena, list, jv_at(have, i));
    *out_statements = list;
    return NULL;
}

static struct err *save_policy(struct call *c, struct topic *t, struct jv *policy,
                               struct jv *statements)
{
    jv_set(c->arena, policy, STR("Statement"), statements);
    TRY(topic_set_attribute(c, t, STR("Policy"), jv_text(c->arena, policy)));
    return topic_write(c, t);
}

OP_HANDLER_NO_OUT(sns, AddPermission, AddPermissionInput)
{
    struct topic t;
    struct jv *policy, *statements;
    TRY(check_permission(in));
    TRY(topic_need(c, in->TopicArn, true, &t));
    TRY(open_policy(c, &t, &policy, &statements));
    for (size_t i = 0; i < jv_len(statements); i++)
        if (str_eq(jv_s(jv_get(jv_at(statements, i), "Sid")), in->Label))
            return sns_invalid("Statement already exists");
    jv_push(c->arena, statements, make_statement(c->arena, &t, in));
    return save_policy(c, &t, policy, statements);
}

OP_HANDLER_NO_OUT(sns, RemovePermission, RemovePermissionInput)
{
    struct topic t;
    struct jv *policy, *statements, *left = jv_new_arr(c->arena);
    TRY(topic_need(c, in->TopicArn, true, &t));
    TRY(open_policy(c, &t, &policy, &statements));
    for (size_t i = 0; i < jv_len(statements); i++)
        if (!str_eq(jv_s(jv_get(jv_at(statements, i), "Sid")), in->Label))
            jv_push(c->arena, left, jv_at(statements, i));
    if (jv_len(left) == jv_len(statements))
        return sns_invalid("Statement does not exist");
    if (jv_len(left) == 0)
        return sns_invalid("Label Reason: a policy keeps at least one statement");
    return save_policy(c, &t, policy, left);
}
