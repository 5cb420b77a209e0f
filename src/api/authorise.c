/* Whether this caller may do this: every need of the row, evaluated against the caller's policies
 * and the resource's own. */
#include "line.h"

static void add_key(struct line *l, const char *name, const struct str *values, size_t n,
                    bool multi)
{
    struct ctx_key k = {.name = str_c(name), .values = values, .n = n, .multi = multi};
    VEC_PUSH(l->arena, &l->keys, k);
}

void call_key(struct call *c, const char *name, struct str value)
{
    if (value.p == NULL)
        return;
    struct str *v = ARENA_NEW(c->arena, struct str);
    *v = value;
    add_key(line_of(c), name, v, 1, false);
}

void call_key_list(struct call *c, const char *name, const struct str *values, size_t n)
{
    add_key(line_of(c), name, values, n, true);
}

void call_keys_reset(struct call *c)
{
    struct line *l = line_of(c);
    l->keys.n = l->global_keys;
}

bool call_is_internal(const struct call *c)
{
    return ((const struct line *)c)->internal != NULL;
}

struct str call_via_service(struct call *c)
{
    const struct line *l = line_of(c);
    if (l->internal == NULL || l->internal->as != AS_CALLER)
        return STR_NONE;
    struct str service = str_c(l->internal->service), name = str_cut(&service, '.');
    return arena_fmt(c->arena, "%.*s.%.*s.%.*s", STR_ARG(name), STR_ARG(c->region),
                     STR_ARG(service));
}

static const char *principal_type(const struct identity *id)
{
    switch (id->who.kind) {
    case PRINCIPAL_ROOT:
        return "Account";
    case PRINCIPAL_USER:
        return "User";
    case PRINCIPAL_ROLE:
        return "AssumedRole";
    case PRINCIPAL_FEDERATED:
        return "FederatedUser";
    case PRINCIPAL_SERVICE:
        return "Service";
    default:
        return "Anonymous";
    }
}

/* A service that calls with the rights of whoever called it, not as a role of its own. */
static bool is_via(const struct line *l)
{
    return l->internal != NULL &&
           (l->internal->as == AS_CALLER || l->internal->as == AS_PRINCIPAL);
}

/* The services between the principal and this call, the first one first:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-calledvia */
static void called_via_keys(struct line *l)
{
    struct str *chain = ARENA_ARRAY(l->arena, CALL_DEPTH_MAX + 1, struct str);
    size_t at = CALL_DEPTH_MAX + 1; /* filled from its end */
    for (const struct line *up = l; is_via(up) && at > 0;) {
        chain[--at] = str_c(up->internal->service);
        if (up->internal->as != AS_CALLER)
            break; /* there the work was taken up for the principal */
        up = (const struct line *)up->internal->from;
    }
    chain += at;
    size_t n = CALL_DEPTH_MAX + 1 - at;
    call_key_list(&l->c, "aws:CalledVia", chain, n);
    call_key(&l->c, "aws:CalledViaFirst", chain[0]);
    call_key(&l->c, "aws:CalledViaLast", chain[n - 1]);
}

static void identity_keys(struct line *l)
{
    struct call *c = &l->c;
    const struct identity *id = &c->id;
    call_key(c, "aws:PrincipalType", str_c(principal_type(id)));
    bool service = id->who.kind == PRINCIPAL_SERVICE;
    call_key(c, "aws:PrincipalIsAWSService", service ? STR("true") : STR("false"));
    bool via = !service && is_via(l);
    call_key(c, "aws:ViaAWSService", via ? STR("true") : STR("false"));
    if (via)
        called_via_keys(l);
    if (service) {
        call_key(c, "aws:PrincipalServiceName", id->who.service);
        call_key(c, "aws:SourceAccount", c->account);
        call_key(c, "aws:SourceArn", l->source_arn);
        return;
    }
    if (id->who.kind == PRINCIPAL_ANONYMOUS) {
        call_key(c, "aws:userid", STR("anonymous"));
        return;
    }
    call_key(c, "aws:PrincipalArn", id->who.arn);
    call_key(c, "aws:PrincipalAccount", id->who.account);
    call_key(c, "aws:userid", id->who.user_id);
    if (id->who.kind == PRINCIPAL_USER)
        call_key(c, "aws:username", id->who.name);
    if (id->is_session) {
        call_key(c, "aws:MultiFactorAuthPresent", id->mfa ? STR("true") : STR("false"));
        call_key(c, "aws:TokenIssueTime", time_iso8601_str(c->arena, id->issued_ms));
        call_key(c, "aws:SourceIdentity", id->source_identity);
    }
    for (size_t i = 0; i < id->n_tags; i++)
        VEC_PUSH(l->arena, &l->keys, id->tags[i]);
}

void line_global_keys(struct line *l)
{
    struct call *c = &l->c;
    l->keys.n = 0;
    call_key(c, "aws:CurrentTime", time_iso8601_str(c->arena, c->now_ms));
    call_key(c, "aws:EpochTime", arena_fmt(c->arena, "%lld", (long long)(c->now_ms / 1000)));
    call_key(c, "aws:RequestedRegion", c->region);
    if (c->http != NULL && l->internal == NULL) {
        call_key(c, "aws:SourceIp", str_c(c->http->peer));
        call_key(c, "aws:SecureTransport",
                 c->http->tls_version != NULL ? STR("true") : STR("false"));
        call_key(c, "aws:UserAgent", http_header(c->http, "User-Agent"));
        call_key(c, "aws:Referer", http_header(c->http, "Referer"));
    } else {
        /* A service's own call never leaves the process: as good as TLS. */
        call_key(c, "aws:SecureTransport", STR("true"));
    }
    identity_keys(l);
    l->global_keys = l->keys.n;
}

/* "because no identity-based policy allows the kms:Encrypt action", in AWS's words. */
static struct str reason(struct call *c, const char *action, const struct authz_decision *d)
{
    if (strncmp(d->because, "with ", 5) == 0)
        return str_c(d->because);
    if (d->policy_kind == NULL)
        return arena_fmt(c->arena, "because %s", d->because);
    return arena_fmt(c->arena, "because no %s allows the %s action", d->policy_kind, action);
}

static struct err *denial(struct call *c, const char *action, struct str arn,
                          const struct authz_decision *d)
{
    struct str why = reason(c, action, d);
    const struct principal *who = &c->id.who;
    struct str name = who->session_arn.p != NULL ? who->session_arn : who->arn;
    const char *code = c->room->denied_code;
    const char *begin = c->room->denied_words != NULL ? c->room->denied_words : "";
    int status = c->proto == PROTO_JSON10 || c->proto == PROTO_JSON11 ? 400 : 403;
    if (who->kind == PRINCIPAL_ANONYMOUS)
        return err_aws(status, code, "%sAccess Denied", begin);
    if (who->kind == PRINCIPAL_SERVICE)
        return err_aws(status, code,
                       "%sService: %.*s is not authorized to perform: %s on resource: %.*s %.*s",
                       begin, STR_ARG(who->service), action, STR_ARG(arn), STR_ARG(why));
    return err_aws(status, code,
                   "%sUser: %.*s is not authorized to perform: %s on resource: %.*s %.*s", begin,
                   STR_ARG(name), action, STR_ARG(arn), STR_ARG(why));
}

/* A denial whatever the protocol's status for it (JSON's is 400), for those who called inside. */
static struct err *denied(struct call *c, const char *action, struct str arn,
                          const struct authz_decision *d)
{
    struct err *e = denial(c, action, arn, d);
    e->kind = ERR_DENIED;
    return e;
}

static void drop_policy(void *p)
{
    policy_unref(p);
}

static struct err *resource_policy(struct call *c, const char *action, const struct target *t,
                                   struct policy **out)
{
    *out = NULL;
    if (t->policy.p == NULL)
        return NULL;
    enum policy_kind kind =
        strncmp(action, "sts:", 4) == 0 ? POLICY_TRUST : POLICY_RESOURCE;
    TRY(policy_compile_cached(t->policy, kind, out));
    arena_on_free(c->arena, drop_policy, *out);
    return NULL;
}

static struct err *evaluate(struct call *c, const char *action, const struct target *t)
{
    struct line *l = line_of(c);
    struct policy_set set = {0};
    TRY(identity_policies(c->txn, c->arena, &c->id, &set));
    TRY(resource_policy(c, action, t, &set.resource));
    set.resource_policy_required = t->policy_required;
    struct str owner = t->account.p != NULL ? t->account : c->account;
    call_key(c, "aws:ResourceAccount", owner);
    struct authz_request r = {.who = c->id.who,
                              .action = str_c(action),
                              .resource = t->arn.p != NULL ? t->arn : STR("*"),
                              .resource_account = owner,
                              .keys = l->keys.v,
                              .n_keys = l->keys.n};
    struct authz_decision d = policy_evaluate(&set, &r);
    return d.result == AUTHZ_ALLOW ? NULL : denied(c, action, r.resource, &d);
}

struct err *call_check(struct call *c, const char *action, const struct target *t)
{
    struct line *l = line_of(c);
    size_t before = l->keys.n;
    struct err *e = evaluate(c, action, t);
    l->keys.n = before;
    return e;
}

struct err *line_authorise(struct line *l)
{
    struct call *c = &l->c;
    l->resources.n = 0;
    line_global_keys(l);
    for (const struct need *n = c->row->needs; n->action != NULL; n++) {
        if (n->when != NULL && !n->when(c))
            continue;
        l->keys.n = l->global_keys;
        struct target t = {0};
        if (n->target != NULL)
            TRY(n->target(c, &t));
        if (t.type != NULL)
            call_record_resource(c, t.arn, t.account.p != NULL ? t.account : c->account, t.type);
        TRY(evaluate(c, n->action, &t));
    }
    l->keys.n = l->global_keys;
    return arena_check(c->arena);
}
