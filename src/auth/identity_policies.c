#include "identity_int.h"

#include "managed_policies.h"

/* Every policy that bears on a principal, read at each call, so that a change takes effect at
 * once. What cannot be read or compiled fails the call: a missing policy could be a Deny. */

struct gather {
    struct txn *t;
    struct arena *a;
    struct str account;
    VEC(struct policy *) found;
};

static void unref(void *p)
{
    policy_unref(p);
}

static struct err *compile(struct arena *a, struct str document, struct policy **out)
{
    struct err *e = policy_compile_cached(document, POLICY_IDENTITY, out);
    if (e != NULL) { /* it was checked when it was stored */
        err_free(e);
        return err_new(ERR_CORRUPT, "A stored policy cannot be read.");
    }
    arena_on_free(a, unref, *out);
    return NULL;
}

static struct err *gather_document(struct gather *g, struct str document)
{
    struct policy *p;
    TRY(compile(g->a, document, &p));
    VEC_PUSH(g->a, &g->found, p);
    return NULL;
}

struct err *identity_managed_document(struct txn *t, struct arena *a, struct str account,
                                      struct str policy_arn, struct str *out)
{
    const struct managed_policy *aws = managed_policy_find(policy_arn);
    if (aws != NULL) {
        *out = str_c(aws->document);
        return NULL;
    }
    const struct jv *row = NULL;
    TRY(iam_row_look(t, a, "iam.policy", account, policy_arn, &row));
    struct str version = jv_s(jv_get(row, "default"));
    struct str doc = jv_s(jv_get(jv_get_str(jv_get(row, "versions"), version), "document"));
    if (doc.p == NULL)
        return err_aws(404, "NoSuchEntity", "Policy %.*s does not exist or is not attachable.",
                       STR_ARG(policy_arn));
    *out = doc;
    return NULL;
}

static struct err *gather_managed(struct gather *g, struct str arn)
{
    struct str document;
    TRY(identity_managed_document(g->t, g->a, g->account, arn, &document));
    return gather_document(g, document);
}

/* A user's, role's or group's own policies: inline and attached. */
static struct err *gather_row(struct gather *g, const struct jv *row)
{
    const struct jv *inline_docs = jv_get(row, "inline"), *attached = jv_get(row, "attached");
    for (size_t i = 0; i < jv_len(inline_docs); i++)
        TRY(gather_document(g, jv_s(&inline_docs->obj.v[i].value)));
    for (size_t i = 0; i < jv_len(attached); i++)
        TRY(gather_managed(g, jv_s(jv_at(attached, i))));
    return NULL;
}

static struct err *gather_groups(struct gather *g, const struct jv *user)
{
    const struct jv *groups = jv_get(user, "groups");
    for (size_t i = 0; i < jv_len(groups); i++) {
        const struct jv *group;
        TRY(iam_row_look(g->t, g->a, "iam.group", g->account, jv_s(jv_at(groups, i)), &group));
        if (group == NULL)
            return err_new(ERR_CORRUPT, "A user's group cannot be read.");
        TRY(gather_row(g, group));
    }
    return NULL;
}

static struct err *gather_session(struct gather *g, const struct identity *id)
{
    if (id->session_policy.p != NULL)
        TRY(gather_document(g, id->session_policy));
    for (size_t i = 0; i < id->n_session_policy_arns; i++)
        TRY(gather_managed(g, id->session_policy_arns[i]));
    return NULL;
}

/* The principal's row; InvalidClientTokenId when it went away (or came anew) since. */
static struct err *principal_row(struct txn *t, struct arena *a, const struct identity *id,
                                 const struct jv **out)
{
    bool role = id->who.kind == PRINCIPAL_ROLE;
    const struct jv *row = NULL;
    TRY(iam_row_look(t, a, role ? "iam.role" : "iam.user", id->who.account,
                     role ? id->role_name : id->who.name, &row));
    if (row == NULL || !str_eq(jv_s(jv_get(row, "id")), role ? id->role_id : id->who.user_id))
        return identity_bad_token();
    *out = row;
    return NULL;
}

struct err *identity_policies(struct txn *t, struct arena *a, const struct identity *id,
                              struct policy_set *out)
{
    struct policy_set set = {0};
    if (id->who.kind != PRINCIPAL_USER && id->who.kind != PRINCIPAL_ROLE) {
        *out = set;
        return NULL;
    }
    const struct jv *row = NULL;
    TRY(principal_row(t, a, id, &row));
    struct gather own = {.t = t, .a = a, .account = id->who.account};
    TRY(gather_row(&own, row));
    if (id->who.kind == PRINCIPAL_USER)
        TRY(gather_groups(&own, row));
    struct gather session = {.t = t, .a = a, .account = id->who.account};
    TRY(gather_session(&session, id));
    struct str boundary = jv_s(jv_get(row, "boundary"));
    if (boundary.p != NULL) {
        struct str document;
        TRY(identity_managed_document(t, a, id->who.account, boundary, &document));
        TRY(compile(a, document, &set.boundary));
    }
    set.identity = own.found.v;
    set.n_identity = own.found.n;
    set.session = session.found.v;
    set.n_session = session.found.n;
    *out = set;
    return NULL;
}
