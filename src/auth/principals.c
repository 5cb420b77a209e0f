#include "principals.h"

#include "identity_int.h"

/* -- a walk over the principals of a document -------------------------------------------------- */

struct walk {
    struct txn *t;
    struct arena *a;
    /* Another name for the principal; STR_NONE: it stays. */
    struct err *(*rename)(struct walk *w, struct str principal, struct str *out);
    bool changed;
    VEC(struct str) seen; /* of a first walk, for a second one: in the document's order */
    size_t at;
};

static struct err *visit(struct walk *w, const struct jv *v)
{
    struct str other = STR_NONE;
    TRY(w->rename(w, jv_s(v), &other));
    if (other.p == NULL)
        return NULL;
    ((struct jv *)(uintptr_t)v)->s = other; /* the tree is ours: json_parse() has just made it */
    w->changed = true;
    return NULL;
}

static struct err *visit_statement(struct walk *w, const struct jv *statement)
{
    static const char *const elements[] = {"Principal", "NotPrincipal"};
    for (size_t i = 0; i < ARRAY_LEN(elements); i++) {
        const struct jv *named = jv_get(jv_get(statement, elements[i]), "AWS");
        if (jv_is(named, JV_STR))
            TRY(visit(w, named));
        for (size_t k = 0; jv_is(named, JV_ARR) && k < jv_len(named); k++)
            TRY(visit(w, jv_at(named, k)));
    }
    return NULL;
}

/* The document's text after the walk; STR_NONE when nothing got another name. */
static struct err *walk_document(struct walk *w, struct str document, struct str *out)
{
    struct jv *doc;
    TRY(json_parse(w->a, document, POLICY_DEPTH_MAX, &doc));
    const struct jv *statements = jv_get(doc, "Statement");
    if (jv_is(statements, JV_OBJ))
        TRY(visit_statement(w, statements));
    for (size_t i = 0; jv_is(statements, JV_ARR) && i < jv_len(statements); i++)
        TRY(visit_statement(w, jv_at(statements, i)));
    *out = w->changed ? jv_text(w->a, doc) : STR_NONE;
    return NULL;
}

/* -- ARNs and ids ------------------------------------------------------------------------------ */

/* arn:aws:iam::ACCOUNT:user/path/NAME or …:role/path/NAME */
static bool arn_of_entity(struct str arn, const char **out_table, struct str *out_account,
                          struct str *out_name)
{
    struct str rest = arn, part[5];
    for (size_t i = 0; i < ARRAY_LEN(part); i++)
        part[i] = str_cut(&rest, ':');
    bool user = str_starts_c(rest, "user/"), role = str_starts_c(rest, "role/");
    if (!str_is(part[0], "arn") || !str_is(part[2], "iam") || (!user && !role))
        return false;
    *out_table = user ? "iam.user" : "iam.role";
    *out_account = part[4];
    *out_name = str_skip(rest, (size_t)(str_rfind_char(rest, '/') + 1));
    return true;
}

/* The id of who has the ARN now; STR_NONE: nobody. *out_ours: the account is one of this
 * installation. The row is read so that a change of it beside this transaction is a conflict. */
static struct err *id_of(struct walk *w, struct str arn, bool *out_ours, struct str *out_id)
{
    const char *table;
    struct str account, name;
    struct jv *row = NULL;
    *out_id = STR_NONE;
    *out_ours = arn_of_entity(arn, &table, &account, &name) &&
                identity_account_exists(w->t, account);
    if (!*out_ours)
        return NULL;
    TRY(iam_row_get(w->t, w->a, table, account, name, &row));
    if (str_eq(jv_s(jv_get(row, "arn")), arn))
        *out_id = jv_s(jv_get(row, "id"));
    return NULL;
}

static struct err *to_id(struct walk *w, struct str principal, struct str *out)
{
    bool ours;
    TRY(id_of(w, principal, &ours, out));
    if (ours && out->p == NULL)
        return err_aws(400, "MalformedPolicyDocument",
                       "Invalid principal in policy: \"AWS\":\"%.*s\"", STR_ARG(principal));
    return NULL;
}

struct err *principals_bind(struct txn *t, struct arena *a, struct str document,
                            struct str *out_bound)
{
    struct walk w = {.t = t, .a = a, .rename = to_id};
    return walk_document(&w, document, out_bound);
}

/* -- showing ----------------------------------------------------------------------------------- */

static struct err *remember(struct walk *w, struct str principal, struct str *out UNUSED)
{
    VEC_PUSH(w->a, &w->seen, principal);
    return NULL;
}

/* The principal at the same place of the bound text, unless the ARN still means it. */
static struct err *still_meant(struct walk *w, struct str principal, struct str *out)
{
    if (w->at >= w->seen.n)
        return err_new(ERR_CORRUPT, "A stored policy does not fit its bound form.");
    struct str bound = w->seen.v[w->at++], now;
    bool ours;
    if (str_eq(bound, principal))
        return NULL;
    TRY(id_of(w, principal, &ours, &now));
    if (!str_eq(now, bound))
        *out = bound;
    return NULL;
}

struct err *principals_shown(struct txn *t, struct arena *a, struct str document, struct str bound,
                             struct str *out)
{
    struct str shown = STR_NONE, same;
    if (bound.n > 0) {
        struct walk w = {.t = t, .a = a, .rename = remember};
        TRY(walk_document(&w, bound, &same));
        w.rename = still_meant;
        TRY(walk_document(&w, document, &shown));
    }
    *out = shown.p != NULL ? shown : document;
    return NULL;
}

/* -- rows that keep a policy ------------------------------------------------------------------- */

struct err *principals_keep(struct txn *t, struct arena *a, struct jv *row, struct str document,
                            bool *out_known)
{
    struct str bound = STR_NONE;
    struct err *e = principals_bind(t, a, document, &bound);
    if (err_has_code(e, "MalformedPolicyDocument")) {
        err_free(e);
        *out_known = false;
        return NULL;
    }
    TRY(e);
    jv_set(a, row, STR("policy_bound"), jv_new_str(a, bound.p != NULL ? bound : STR("")));
    *out_known = true;
    return NULL;
}

struct str principals_in_force(const struct jv *row, struct str document)
{
    struct str bound = jv_s(jv_get(row, "policy_bound"));
    return document.n > 0 && bound.n > 0 ? bound : document;
}

struct err *principals_shown_of(struct txn *t, struct arena *a, const struct jv *row,
                                struct str document, struct str *out)
{
    return principals_shown(t, a, document, jv_s(jv_get(row, "policy_bound")), out);
}

/* -- roles given to services ------------------------------------------------------------------- */

static struct err *not_trusted(struct str role_arn, struct str service)
{
    return err_aws(403, "AccessDenied", "%.*s is not authorized to perform: sts:AssumeRole on "
                                        "resource: %.*s",
                   STR_ARG(service), STR_ARG(role_arn));
}

struct err *principals_check_trust(struct txn *t, struct arena *a, struct str role_arn,
                                   struct str service, struct str account, struct str source_arn)
{
    const char *table;
    struct str owner, name;
    struct jv *row = NULL;
    struct policy *trust;
    if (arn_of_entity(role_arn, &table, &owner, &name))
        TRY(iam_row_get(t, a, table, owner, name, &row));
    if (!str_eq(jv_s(jv_get(row, "arn")), role_arn) || jv_get(row, "trust") == NULL)
        return not_trusted(role_arn, service);
    TRY(policy_compile_cached(jv_s(jv_get(row, "trust")), POLICY_TRUST, &trust));
    struct identity caller = identity_of_service(a, service, account);
    struct ctx_key keys[] = {{STR("aws:SourceAccount"), &account, account.n > 0, false},
                             {STR("aws:SourceArn"), &source_arn, source_arn.n > 0, false}};
    struct authz_request r = {.who = caller.who, .action = STR("sts:AssumeRole"),
                              .resource = role_arn, .resource_account = owner,
                              .keys = keys, .n_keys = ARRAY_LEN(keys)};
    struct policy_verdict v = policy_match(trust, &r);
    policy_unref(trust);
    return v.allow && !v.deny ? NULL : not_trusted(role_arn, service);
}
