#include "room.h"

/* https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html */

/* -- the role -------------------------------------------------------------------------------- */

static struct str role_account(struct str role_arn)
{
    struct arn a;
    bool role = arn_parse(role_arn, &a) && str_is(a.service, "iam") &&
                str_starts(a.resource, STR("role/"));
    return role ? a.account : STR_NONE;
}

/* NULL in *out: there is no such role. */
static struct err *role_row(struct call *c, struct str role_arn, struct jv **out)
{
    struct str account = role_account(role_arn);
    struct jv *row = NULL;
    if (account.n > 0) {
        struct str name = str_skip(role_arn, (size_t)(str_rfind_char(role_arn, '/') + 1));
        TRY(iam_row_get(c->txn, c->arena, "iam.role", account, name, &row));
    }
    *out = str_eq(jv_s(jv_get(row, "arn")), role_arn) ? row : NULL;
    return NULL;
}

static void role_keys(struct call *c, const struct jv *row)
{
    const struct jv *tags = jv_get(row, "tags");
    for (size_t i = 0; i < jv_len(tags); i++) {
        const struct jv_member *m = &tags->obj.v[i];
        struct str value = jv_s(&m->value);
        call_key(c, arena_fmt(c->arena, "aws:ResourceTag/%.*s", STR_ARG(m->key)).p, value);
        call_key(c, arena_fmt(c->arena, "iam:ResourceTag/%.*s", STR_ARG(m->key)).p, value);
    }
}

/* A role that is not there has no trust policy, and so trusts nobody. */
struct err *sts_target_role(struct call *c, struct target *out)
{
    const struct sts_AssumeRoleRequest *in = c->in;
    struct jv *row = NULL;
    TRY(role_row(c, in->RoleArn, &row));
    role_keys(c, row);
    sts_tag_keys(c, in);
    call_key(c, "sts:ExternalId", in->ExternalId);
    call_key(c, "sts:RoleSessionName", in->RoleSessionName);
    call_key(c, "sts:SourceIdentity",
             in->SourceIdentity.p != NULL ? in->SourceIdentity : c->id.source_identity);
    out->arn = in->RoleArn.p != NULL ? in->RoleArn : STR("*");
    out->account = role_account(in->RoleArn);
    struct str bound = jv_s(jv_get(row, "trust_bound"));
    out->policy = bound.p != NULL ? bound : jv_s(jv_get(row, "trust"));
    out->policy_required = true;
    out->type = "AWS::IAM::Role";
    return NULL;
}

/* -- the request ----------------------------------------------------------------------------- */

static struct err *duration(struct call *c, const struct jv *role, struct opt_int given,
                            int64_t *out_s)
{
    int64_t s = given.set ? given.v : STS_ROLE_DEFAULT_S;
    if (s > jv_i(jv_get(role, "max_session_s"), STS_ROLE_DEFAULT_S))
        return err_aws(400, "ValidationError",
                       "The requested DurationSeconds exceeds the MaxSessionDuration set for this "
                       "role.");
    if (c->id.is_session && c->id.who.kind == PRINCIPAL_ROLE && s > STS_CHAINED_MAX_S)
        return err_aws(400, "ValidationError",
                       "The requested DurationSeconds exceeds the 1 hour session limit for roles "
                       "assumed by role chaining");
    *out_s = s;
    return NULL;
}

static struct err *session_policy(const struct sts_AssumeRoleRequest *in,
                                  struct session_request *r)
{
    if (in->Policy.p == NULL)
        return NULL;
    if (str_utf8_count(in->Policy) > STS_SESSION_POLICY_CHARS)
        return err_aws(400, "ValidationError", "The session policy may have at most %d characters.",
                       STS_SESSION_POLICY_CHARS);
    struct policy *p = NULL;
    TRY(policy_compile(in->Policy, POLICY_IDENTITY, &p));
    policy_unref(p);
    r->session_policy = in->Policy;
    return NULL;
}

static struct err *session_policy_arns(struct call *c, const struct sts_AssumeRoleRequest *in,
                                       struct session_request *r)
{
    size_t n = in->PolicyArns.n;
    if (n > STS_POLICY_ARNS_MAX)
        return err_aws(400, "ValidationError", "A session may have at most %d managed policies.",
                       STS_POLICY_ARNS_MAX);
    struct str *arns = ARENA_ARRAY(c->arena, n + 1, struct str);
    for (size_t i = 0; i < n; i++) {
        struct str document;
        arns[i] = in->PolicyArns.v[i].arn;
        if (arns[i].p == NULL)
            return err_aws(400, "ValidationError", "An element of PolicyArns has no arn.");
        TRY(identity_managed_document(c->txn, c->arena, r->account, arns[i], &document));
    }
    r->session_policy_arns = arns;
    r->n_session_policy_arns = n;
    return NULL;
}

/* A source identity stays with a session and with those chained to it. */
static struct err *source_identity(struct call *c, const struct sts_AssumeRoleRequest *in,
                                   struct session_request *r)
{
    struct str before = c->id.source_identity, asked = in->SourceIdentity;
    if (before.n > 0 && asked.p != NULL && !str_eq(before, asked))
        return err_aws(403, "AccessDenied",
                       "The source identity of the calling session cannot be changed.");
    r->source_identity = before.n > 0 ? before : asked;
    return NULL;
}

OP_HANDLER(sts, AssumeRole, AssumeRoleRequest, AssumeRoleResponse)
{
    struct jv *role = NULL;
    int64_t seconds = 0;
    TRY(role_row(c, in->RoleArn, &role));
    if (role == NULL) /* nothing could have allowed it */
        return err_aws(403, "AccessDenied", "The role cannot be assumed.");
    TRY(sts_no_mfa(in->SerialNumber, in->TokenCode));
    TRY(sts_token_size(c, in->MinimumSessionTokenSize));
    if (in->ProvidedContexts.n > 0)
        return err_not_implemented(c, "ProvidedContexts");
    TRY(duration(c, role, in->DurationSeconds, &seconds));
    struct session_request r = {.account = role_account(in->RoleArn),
                                .role_name = jv_s(jv_get(role, "name")),
                                .role_arn = in->RoleArn,
                                .role_id = jv_s(jv_get(role, "id")),
                                .session_name = in->RoleSessionName,
                                .issued_ms = c->now_ms / 1000 * 1000,
                                .expires_ms = (c->now_ms / 1000 + seconds) * 1000};
    TRY(session_policy(in, &r));
    TRY(session_policy_arns(c, in, &r));
    TRY(source_identity(c, in, &r));
    TRY(sts_session_tags(c, in, &r.tags, &r.transitive_tags));
    struct session_credentials s;
    TRY(session_create(c->ward->store, c->arena, &r, &s));
    out->Credentials = sts_credentials_out(c, &s);
    out->AssumedRoleUser = ARENA_NEW(c->arena, struct sts_AssumedRoleUser);
    out->AssumedRoleUser->AssumedRoleId = arena_fmt(c->arena, "%.*s:%.*s", STR_ARG(r.role_id),
                                                    STR_ARG(r.session_name));
    out->AssumedRoleUser->Arn =
        arena_fmt(c->arena, "arn:" IDENTITY_PARTITION ":sts::%.*s:assumed-role/%.*s/%.*s",
                  STR_ARG(r.account), STR_ARG(r.role_name), STR_ARG(r.session_name));
    if (r.session_policy.p != NULL || r.n_session_policy_arns > 0 || r.tags != NULL)
        out->PackedPolicySize = some_int(session_packed_percent(&r));
    out->SourceIdentity = r.source_identity;
    out->SessionTokenSize = some_int((int64_t)s.session_token.n);
    return NULL;
}
