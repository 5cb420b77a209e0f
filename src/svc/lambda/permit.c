/* Resource policies: who but the account's own identities may call a function.
 * https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html */
#include "room.h"

#include "../../auth/principals.h"

static struct err *invalid(const char *what)
{
    return err_aws(400, "InvalidParameterValueException", "%s", what);
}

static struct err *check_revision(const struct function *f, struct str given)
{
    if (given.p == NULL || str_eq(given, f->revision))
        return NULL;
    return err_aws(412, "PreconditionFailedException",
                   "The RevisionId provided does not match the latest RevisionId. Call the "
                   "GetPolicy API to retrieve the latest RevisionId for your resource.");
}

static const struct jv *statement_at(const struct jv *all, struct str sid)
{
    for (size_t i = 0; i < jv_len(all); i++)
        if (str_eq(jv_s(jv_get(jv_at(all, i), "Sid")), sid))
            return jv_at(all, i);
    return NULL;
}

static bool is_account(struct str s)
{
    int64_t n;
    return s.n == 12 && str_to_i64(s, 0, 999999999999, &n);
}

static struct err *bad_principal(void)
{
    return invalid("The provided principal was invalid. Please check the principal and try again.");
}

/* A service, an account, an ARN of an identity, or everyone. */
static struct err *principal_of(struct call *c, struct str who, const struct jv **out)
{
    struct arena *a = c->arena;
    struct jv *p = jv_new_obj(a);
    struct arn arn;
    if (str_is(who, "*")) {
        *out = jv_new_str(a, who);
        return NULL;
    }
    if (str_ends_c(who, ".amazonaws.com"))
        jv_put(a, p, "Service", who);
    else if (is_account(who))
        jv_put(a, p, "AWS", arena_fmt(a, "arn:%s:iam::%.*s:root", IDENTITY_PARTITION,
                                      STR_ARG(who)));
    else if (arn_parse(who, &arn) && (str_is(arn.service, "iam") || str_is(arn.service, "sts")))
        jv_put(a, p, "AWS", who);
    else
        return bad_principal();
    *out = p;
    return NULL;
}

static void condition(struct arena *a, struct jv *all, const char *test, const char *key,
                      struct str value)
{
    struct jv *one = jv_new_obj(a);
    const struct jv *former = jv_get(all, test);
    for (size_t i = 0; i < jv_len(former); i++)
        jv_set(a, one, former->obj.v[i].key, &former->obj.v[i].value);
    jv_put(a, one, key, value);
    jv_set(a, all, str_c(test), one);
}

static struct err *make_statement(struct call *c, const struct function *f,
                                  const struct lambda_AddPermissionRequest *in,
                                  const struct jv **out)
{
    struct arena *a = c->arena;
    struct jv *s = jv_new_obj(a), *conditions = jv_new_obj(a);
    const struct jv *principal;
    TRY(principal_of(c, in->Principal, &principal));
    if (!str_starts_c(in->Action, "lambda:"))
        return invalid("The action must be one of Lambda's.");
    jv_put(a, s, "Sid", in->StatementId);
    jv_put(a, s, "Effect", STR("Allow"));
    jv_set(a, s, STR("Principal"), principal);
    jv_put(a, s, "Action", in->Action);
    jv_put(a, s, "Resource", f->arn);
    if (in->SourceAccount.p != NULL)
        condition(a, conditions, "StringEquals", "AWS:SourceAccount", in->SourceAccount);
    if (in->PrincipalOrgID.p != NULL)
        condition(a, conditions, "StringEquals", "aws:PrincipalOrgID", in->PrincipalOrgID);
    if (in->SourceArn.p != NULL)
        condition(a, conditions, "ArnLike", "AWS:SourceArn", in->SourceArn);
    if (jv_len(conditions) > 0)
        jv_set(a, s, STR("Condition"), conditions);
    *out = s;
    return NULL;
}

/* The statements as they are shown: whom they name and who is gone is an id there. */
static struct err *statements_of(struct call *c, const struct function *f, const struct jv **out)
{
    struct jv *doc = NULL;
    struct str text = function_policy(c->arena, f);
    if (text.p != NULL) {
        TRY(principals_shown_of(c->txn, c->arena, f->row, text, &text));
        TRY(json_parse(c->arena, text, POLICY_DEPTH_MAX, &doc));
    }
    *out = jv_get(doc, "Statement");
    return NULL;
}

static struct err *save_statements(struct call *c, struct function *f, struct jv *all)
{
    jv_set(c->arena, f->row, STR("policy"), all);
    struct str text = function_policy(c->arena, f);
    bool known = true;
    if (text.p != NULL)
        TRY(principals_keep(c->txn, c->arena, f->row, text, &known));
    return known ? function_save(c, f) : bad_principal();
}

OP_HANDLER(lambda, AddPermission, AddPermissionRequest, AddPermissionResponse)
{
    struct function f;
    const struct jv *statement;
    struct policy *compiled;
    if (in->FunctionUrlAuthType.p != NULL || in->InvokedViaFunctionUrl.set ||
        in->EventSourceToken.p != NULL)
        return err_not_implemented(c, "Permissions for function URLs and event source tokens");
    TRY(function_need(c, in->FunctionName, in->Qualifier, &f));
    TRY(check_revision(&f, in->RevisionId));
    const struct jv *former;
    TRY(statements_of(c, &f, &former));
    if (statement_at(former, in->StatementId) != NULL)
        return err_aws(409, "ResourceConflictException",
                       "The statement id (%.*s) provided already exists. Please provide a new "
                       "statement id, or remove the existing statement.",
                       STR_ARG(in->StatementId));
    TRY(make_statement(c, &f, in, &statement));
    struct jv *all = jv_new_arr(c->arena);
    for (size_t i = 0; i < jv_len(former); i++)
        jv_push(c->arena, all, jv_at(former, i));
    jv_push(c->arena, all, statement);
    jv_set(c->arena, f.row, STR("policy"), all);
    struct str text = function_policy(c->arena, &f);
    if (text.n > LAMBDA_POLICY_MAX)
        return err_aws(400, "PolicyLengthExceededException",
                       "The final policy size is bigger than the limit (%d).", LAMBDA_POLICY_MAX);
    struct err *e = policy_compile(text, POLICY_RESOURCE, &compiled);
    if (e != NULL) {
        err_free(e);
        return invalid("The permission does not make a valid policy.");
    }
    policy_unref(compiled);
    TRY(save_statements(c, &f, all));
    out->Statement = jv_text(c->arena, statement);
    return NULL;
}

static struct err *no_policy(void)
{
    return err_aws(404, "ResourceNotFoundException", "No policy is associated with the given "
                                                     "resource.");
}

OP_HANDLER_NO_OUT(lambda, RemovePermission, RemovePermissionRequest)
{
    struct function f;
    TRY(function_need(c, in->FunctionName, in->Qualifier, &f));
    TRY(check_revision(&f, in->RevisionId));
    const struct jv *former;
    TRY(statements_of(c, &f, &former));
    if (statement_at(former, in->StatementId) == NULL)
        return jv_len(former) == 0 ? no_policy()
                                   : err_aws(404, "ResourceNotFoundException",
                                             "Statement %.*s is not found in resource policy.",
                                             STR_ARG(in->StatementId));
    struct jv *left = jv_new_arr(c->arena);
    for (size_t i = 0; i < jv_len(former); i++)
        if (!str_eq(jv_s(jv_get(jv_at(former, i), "Sid")), in->StatementId))
            jv_push(c->arena, left, jv_at(former, i));
    return save_statements(c, &f, left);
}

OP_HANDLER(lambda, GetPolicy, GetPolicyRequest, GetPolicyResponse)
{
    struct function f;
    TRY(function_need(c, in->FunctionName, in->Qualifier, &f));
    out->Policy = function_policy(c->arena, &f);
    if (out->Policy.p == NULL)
        return no_policy();
    out->RevisionId = f.revision;
    return principals_shown_of(c->txn, c->arena, f.row, out->Policy, &out->Policy);
}
