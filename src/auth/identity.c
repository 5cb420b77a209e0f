#include "identity_int.h"

#include "../core/clock.h"

/* -- what every principal has ------------------------------------------------------------------ */

/* aws:PrincipalTag/KEY for the row's tags; a session's tag stands before the row's of that key. */
static void tag_keys(struct arena *a, const struct jv *row_tags, const struct jv *session_tags,
                     struct identity *out)
{
    VEC(struct ctx_key) keys = {0};
    const struct jv *from[] = {session_tags, row_tags};
    for (size_t s = 0; s < ARRAY_LEN(from); s++)
        for (size_t i = 0; i < jv_len(from[s]); i++) {
            const struct jv_member *m = &from[s]->obj.v[i];
            struct str name = arena_fmt(a, "aws:PrincipalTag/%.*s", STR_ARG(m->key));
            bool had = false;
            for (size_t k = 0; k < keys.n && !had; k++)
                had = str_ieq(keys.v[k].name, name);
            struct str *value = ARENA_NEW(a, struct str);
            *value = jv_s(&m->value);
            struct ctx_key key = {.name = name, .values = value, .n = 1};
            if (!had)
                VEC_PUSH(a, &keys, key);
        }
    out->tags = keys.v;
    out->n_tags = keys.n;
}

static void user_identity(struct arena *a, struct str account, const struct jv *user,
                          struct identity *out)
{
    out->who = (struct principal){
        .kind = PRINCIPAL_USER,
        .account = account,
        .arn = jv_s(jv_get(user, "arn")),
        .user_id = jv_s(jv_get(user, "id")),
        .name = jv_s(jv_get(user, "name")),
    };
    tag_keys(a, jv_get(user, "tags"), NULL, out);
}

static void role_identity(struct arena *a, struct str account, const struct jv *role,
                          struct str session_name, const struct jv *session_tags,
                          struct identity *out)
{
    struct str name = jv_s(jv_get(role, "name")), id = jv_s(jv_get(role, "id"));
    out->is_session = true;
    out->role_arn = jv_s(jv_get(role, "arn"));
    out->role_name = name;
    out->role_id = id;
    out->role_path = jv_s(jv_get(role, "path"));
    out->who = (struct principal){
        .kind = PRINCIPAL_ROLE,
        .account = account,
        .arn = out->role_arn,
        .session_arn = arena_fmt(a, "arn:" IDENTITY_PARTITION ":sts::%.*s:assumed-role/%.*s/%.*s",
                                 STR_ARG(account), STR_ARG(name), STR_ARG(session_name)),
        .user_id = arena_fmt(a, "%.*s:%.*s", STR_ARG(id), STR_ARG(session_name)),
        .name = arena_str(a, session_name),
    };
    out->session_tags = session_tags;
    tag_keys(a, jv_get(role, "tags"), session_tags, out);
}

/* -- long-term keys ---------------------------------------------------------------------------- */

/* The user behind an active key. */
static struct err *key_user(struct txn *t, struct arena *a, struct str key_id,
                            const struct kept_key **out_key, const struct jv **out_user)
{
    const struct kept_key *key;
    const struct jv *user;
    TRY(iam_key_look(t, a, key_id, &key));
    if (key == NULL || !key->active)
        return identity_bad_token();
    TRY(iam_row_look(t, a, "iam.user", key->account, key->user, &user));
    if (user == NULL)
        return identity_bad_token();
    *out_key = key;
    *out_user = user;
    return NULL;
}

static struct err *of_long_term_key(struct txn *t, struct arena *a, struct str key_id,
                                    struct identity *out)
{
    const struct kept_key *key;
    const struct jv *user;
    TRY(key_user(t, a, key_id, &key, &user));
    struct identity id = {.access_key_id = arena_str(a, key_id), .secret = key->secret,
                          .signing = key->signing};
    user_identity(a, key->account, user, &id);
    *out = id;
    return NULL;
}

/* -- sessions ---------------------------------------------------------------------------------- */

/* The role must still be the one that was assumed: same name and same id. */
static struct err *of_role_session(struct txn *t, struct arena *a, const struct session_token *k,
                                   struct identity *id)
{
    const struct jv *role;
    TRY(iam_row_look(t, a, "iam.role", k->account, k->role_name, &role));
    if (role == NULL || !str_eq(jv_s(jv_get(role, "id")), k->role_id))
        return identity_bad_token();
    role_identity(a, k->account, role, k->session_name, k->tags, id);
    return NULL;
}

static struct err *of_user_session(struct txn *t, struct arena *a, const struct session_token *k,
                                   struct identity *id)
{
    const struct kept_key *key;
    const struct jv *user;
    TRY(key_user(t, a, k->user_key, &key, &user));
    if (!str_eq(key->account, k->account) ||
        !str_eq(jv_s(jv_get(user, "id")), k->user_id))
        return identity_bad_token();
    id->is_session = true;
    user_identity(a, k->account, user, id);
    return NULL;
}

static struct err *of_session(struct store *s, struct txn *t, struct arena *a, struct str key_id,
                              struct str token, int64_t now_ms, struct identity *out)
{
    struct session_token k;
    TRY(session_open(s, a, token, &k));
    if (!str_eq(k.access_key_id, key_id))
        return identity_bad_token();
    if (now_ms >= k.expires_ms)
        return err_aws(403, "ExpiredToken",
                       "The security token included in the request is expired");
    struct identity id = {
        .access_key_id = k.access_key_id,
        .issued_ms = k.issued_ms,
        .expires_ms = k.expires_ms,
        .mfa = k.mfa,
        .session_policy = k.session_policy,
        .source_identity = k.source_identity,
        .transitive_tags = k.transitive_tags,
        .n_session_policy_arns = jv_len(k.policy_arns),
    };
    struct str *arns = ARENA_ARRAY(a, id.n_session_policy_arns + 1, struct str);
    for (size_t i = 0; i < id.n_session_policy_arns; i++)
        arns[i] = jv_s(jv_at(k.policy_arns, i));
    id.session_policy_arns = arns;
    TRY(k.role_id.p != NULL ? of_role_session(t, a, &k, &id) : of_user_session(t, a, &k, &id));
    TRY(arena_secret(a, k.secret, &id.secret));
    *out = id;
    return NULL;
}

struct err *identity_of_key(struct store *s, struct txn *t, struct arena *a,
                            struct str access_key_id, struct str session_token, int64_t now_ms,
                            struct identity *out)
{
    bool session = str_starts_c(access_key_id, "ASIA");
    if (session != (session_token.p != NULL && session_token.n > 0))
        return identity_bad_token();
    if (session)
        return of_session(s, t, a, access_key_id, session_token, now_ms, out);
    return of_long_term_key(t, a, access_key_id, out);
}

/* -- without credentials ----------------------------------------------------------------------- */

/* arn:aws:iam::ACCOUNT:role/path/NAME */
static bool role_arn_split(struct str arn, struct str *out_account, struct str *out_name)
{
    struct str rest = arn, part[5];
    for (size_t i = 0; i < ARRAY_LEN(part); i++)
        part[i] = str_cut(&rest, ':');
    if (!str_is(part[0], "arn") || !str_is(part[2], "iam") || !str_starts_c(rest, "role/"))
        return false;
    *out_account = part[4];
    *out_name = str_skip(rest, (size_t)(str_rfind_char(rest, '/') + 1));
    return true;
}

struct err *identity_of_role(struct txn *t, struct arena *a, struct str role_arn,
                             struct str session_name, struct identity *out)
{
    struct str account, name;
    const struct jv *role = NULL;
    if (role_arn_split(role_arn, &account, &name))
        TRY(iam_row_look(t, a, "iam.role", account, name, &role));
    if (role == NULL || !str_eq(jv_s(jv_get(role, "arn")), role_arn))
        return err_aws(404, "NoSuchEntity", "The role %.*s cannot be found.", STR_ARG(role_arn));
    struct identity id = {.issued_ms = clock_now_ms()};
    role_identity(a, arena_str(a, account), role, session_name, NULL, &id);
    *out = id;
    return NULL;
}

/* arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION: the role must still be there. */
static struct err *of_session_arn(struct txn *t, struct arena *a, struct str account,
                                  struct str rest, struct identity *id)
{
    struct str role_name = str_cut(&rest, '/');
    const struct jv *role = NULL;
    if (rest.n > 0)
        TRY(iam_row_look(t, a, "iam.role", account, role_name, &role));
    if (role == NULL)
        return err_aws(404, "NoSuchEntity", "The role of the session cannot be found.");
    id->issued_ms = clock_now_ms();
    role_identity(a, arena_str(a, account), role, rest, NULL, id);
    return NULL;
}

struct err *identity_of_arn(struct txn *t, struct arena *a, struct str arn, struct identity *out)
{
    struct str rest = arn, part[5];
    struct identity id = {0};
    for (size_t i = 0; i < ARRAY_LEN(part); i++)
        part[i] = str_cut(&rest, ':');
    if (str_is(part[2], "sts") && str_starts_c(rest, "assumed-role/")) {
        TRY(of_session_arn(t, a, part[4], str_skip(rest, 13), &id));
    } else if (str_is(part[2], "iam") && str_starts_c(rest, "role/")) {
        return identity_of_role(t, a, arn, STR("ward"), out);
    } else {
        const struct jv *user = NULL;
        struct str name = str_skip(rest, (size_t)(str_rfind_char(rest, '/') + 1));
        if (str_is(part[2], "iam") && str_starts_c(rest, "user/"))
            TRY(iam_row_look(t, a, "iam.user", part[4], name, &user));
        if (user == NULL)
            return err_aws(404, "NoSuchEntity", "The user %.*s cannot be found.", STR_ARG(arn));
        user_identity(a, arena_str(a, part[4]), user, &id);
    }
    *out = id;
    return NULL;
}

struct identity identity_of_service(struct arena *a, struct str service, struct str account)
{
    struct str name = arena_str(a, service);
    struct identity id = {
        .who = {.kind = PRINCIPAL_SERVICE, .service = name, .name = name},
        .invoked_by = name,
    };
    if (account.n > 0) {
        struct str *value = ARENA_NEW(a, struct str);
        *value = arena_str(a, account);
        id.tags = ARENA_NEW(a, struct ctx_key);
        id.tags[0] = (struct ctx_key){.name = STR("aws:SourceAccount"), .values = value, .n = 1};
        id.n_tags = 1;
    }
    return id;
}

struct identity identity_anonymous(void)
{
    return (struct identity){.who = {.kind = PRINCIPAL_ANONYMOUS}};
}
