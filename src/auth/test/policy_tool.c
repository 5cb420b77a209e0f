/* Answers policy decisions on standard output, one line for each line of JSON on standard input:
 * allow, implicit, explicit, or malformed. For policy_differential.py, which makes the questions
 * and compares the answers with its own.
 *
 * A question: {identity: [text], session: [text], boundary: text, resource: text, trust: bool,
 * required: bool, who: {kind, account, arn, session, id, name, service}, action, on, of,
 * ctx: {key: value or [value]}} */
#include "../policy.h"

enum { LINE_BYTES = 1 << 20, LISTS_MAX = 8 };

struct compiled {
    struct policy *v[LISTS_MAX];
    size_t n;
};

static bool compile_into(struct compiled *out, const struct jv *text, enum policy_kind kind)
{
    if (!jv_is(text, JV_STR))
        return true;
    CHECK(out->n < LISTS_MAX);
    struct err *e = policy_compile(jv_s(text), kind, &out->v[out->n]);
    if (e != NULL)
        CHECK(err_has_code(e, "MalformedPolicyDocument"));
    out->n += e == NULL;
    bool ok = e == NULL;
    err_free(e);
    return ok;
}

static bool compile_list(struct compiled *out, const struct jv *list)
{
    for (size_t i = 0; i < jv_len(list); i++)
        if (!compile_into(out, jv_at(list, i), POLICY_IDENTITY))
            return false;
    return true;
}

static void drop(struct compiled *c)
{
    for (size_t i = 0; i < c->n; i++)
        policy_unref(c->v[i]);
}

static struct principal principal_of(const struct jv *who)
{
    static const char *const kinds[] = {
        [PRINCIPAL_ANONYMOUS] = "anonymous", [PRINCIPAL_ROOT] = "root",
        [PRINCIPAL_USER] = "user",           [PRINCIPAL_ROLE] = "role",
        [PRINCIPAL_FEDERATED] = "federated", [PRINCIPAL_SERVICE] = "service"};
    struct principal p = {.account = jv_s(jv_get(who, "account")),
                          .arn = jv_s(jv_get(who, "arn")),
                          .session_arn = jv_s(jv_get(who, "session")),
                          .user_id = jv_s(jv_get(who, "id")),
                          .name = jv_s(jv_get(who, "name")),
                          .service = jv_s(jv_get(who, "service"))};
    for (size_t i = PRINCIPAL_ANONYMOUS; i < ARRAY_LEN(kinds); i++)
        if (str_is(jv_s(jv_get(who, "kind")), kinds[i]))
            p.kind = (enum principal_kind)i;
    CHECK(p.kind != 0);
    return p;
}

static struct ctx_key *context_of(struct arena *a, const struct jv *ctx)
{
    struct ctx_key *keys = ARENA_ARRAY(a, jv_len(ctx) + 1, struct ctx_key);
    for (size_t i = 0; i < jv_len(ctx); i++) {
        const struct jv_member *m = &ctx->obj.v[i];
        bool multi = m->value.type == JV_ARR;
        size_t n = multi ? jv_len(&m->value) : 1;
        struct str *v = ARENA_ARRAY(a, n + 1, struct str);
        for (size_t k = 0; k < n; k++)
            v[k] = jv_s(multi ? jv_at(&m->value, k) : &m->value);
        keys[i] = (struct ctx_key){.name = m->key, .values = v, .n = n, .multi = multi};
    }
    return keys;
}

static const char *answer(struct arena *a, const struct jv *q)
{
    static const char *const names[] = {[AUTHZ_ALLOW] = "allow",
                                        [AUTHZ_DENY_IMPLICIT] = "implicit",
                                        [AUTHZ_DENY_EXPLICIT] = "explicit"};
    struct compiled identity = {0}, session = {0}, boundary = {0}, resource = {0};
    bool trust = jv_b(jv_get(q, "trust"), false);
    const char *out = "malformed";
    if (compile_list(&identity, jv_get(q, "identity")) &&
        compile_list(&session, jv_get(q, "session")) &&
        compile_into(&boundary, jv_get(q, "boundary"), POLICY_IDENTITY) &&
        compile_into(&resource, jv_get(q, "resource"), trust ? POLICY_TRUST : POLICY_RESOURCE)) {
        struct policy_set set = {.identity = identity.v, .n_identity = identity.n,
                                 .session = session.v, .n_session = session.n,
                                 .boundary = boundary.v[0], .resource = resource.v[0],
                                 .resource_policy_required = jv_b(jv_get(q, "required"), false)};
        struct authz_request r = {.who = principal_of(jv_get(q, "who")),
                                  .action = jv_s(jv_get(q, "action")),
                                  .resource = jv_s(jv_get(q, "on")),
                                  .resource_account = jv_s(jv_get(q, "of")),
                                  .keys = context_of(a, jv_get(q, "ctx")),
                                  .n_keys = jv_len(jv_get(q, "ctx"))};
        out = names[policy_evaluate(&set, &r).result];
    }
    drop(&identity);
    drop(&session);
    drop(&boundary);
    drop(&resource);
    return out;
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    while ((n = getline(&line, &cap, stdin)) > 0) {
        struct arena *a CLEANUP(arena_free_ptr) = arena_new(8 * LINE_BYTES);
        struct jv *q;
        struct err *e = json_parse(a, str_trim(str_of(line, (size_t)n)), 32, &q);
        if (e != NULL) {
            fprintf(stderr, "a question is not JSON: %s\n", e->message);
            return 1;
        }
        puts(answer(a, q));
    }
    free(line);
    return 0;
}
