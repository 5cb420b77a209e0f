/* Where keys come from, by the environment and the shared files; in the order that the SDKs have.
 * https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-sso-credentials.html */
#include "aws_int.h"

static bool has_keys(const struct aws_profile *p)
{
    return p->id.n > 0 || p->secret != NULL;
}

static bool has_role(const struct aws_profile *p)
{
    return p->role_arn.n > 0 && p->token_file.n == 0;
}

static struct err *keys_of_profile(const char *name, struct aws_profile *p, struct aws_chain *c)
{
    if (p->id.n == 0 || p->secret == NULL)
        return err_new(ERR_INVALID, "The AWS access key of the profile %.100s is not whole: its id "
                       "or its secret is missing.", name);
    c->keys = aws_keys_new(p->id, p->secret, p->token, INT64_MAX);
    p->secret = p->token = NULL;
    return NULL;
}

static struct err *keys_of_env(struct aws_chain *c)
{
    return aws_keys_of(str_c(aws_env("AWS_ACCESS_KEY_ID")), str_c(aws_env("AWS_SECRET_ACCESS_KEY")),
                       str_c(aws_env("AWS_SESSION_TOKEN")), INT64_MAX, &c->keys);
}

/* -- the beginning of a chain -- */
static struct err *web_link(struct arena *a, const char *name, const struct aws_profile *p,
                            struct aws_link *l)
{
    const char *file = aws_env("AWS_WEB_IDENTITY_TOKEN_FILE"), *role = aws_env("AWS_ROLE_ARN");
    const char *session = aws_env("AWS_ROLE_SESSION_NAME");
    *l = (struct aws_link){.from = AWS_FROM_WEB, .profile = name,
                           .token_file = file != NULL ? arena_str(a, str_c(file)) : p->token_file,
                           .role_arn = role != NULL ? arena_str(a, str_c(role)) : p->role_arn,
                           .session = session != NULL ? arena_str(a, str_c(session))
                                                      : p->session_name};
    if (l->role_arn.n == 0)
        return err_new(ERR_INVALID, "A web identity (AWS_WEB_IDENTITY_TOKEN_FILE or "
                       "web_identity_token_file) needs a role: AWS_ROLE_ARN, or role_arn of the "
                       "profile %.100s.", name);
    return NULL;
}

/* An account or a role says that keys are to be had by the IAM Identity Center; a session alone may
 * be there for its tokens, beside other keys. */
static bool has_sso(const struct aws_profile *p)
{
    return p->sso.account.n > 0 || p->sso.role.n > 0 ||
           ((p->sso.session.n > 0 || p->sso.start_url.n > 0) && !has_keys(p) && p->process.n == 0);
}

/* It becomes part of a host's name, to which a token is sent. */
static bool is_region(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] < 'a' || s.p[i] > 'z') && (s.p[i] < '0' || s.p[i] > '9') && s.p[i] != '-')
            return false;
    return s.n > 0 && s.n <= AWS_REGION_MAX;
}

/* What the session says stands; the profile may repeat it, but not contradict. */
static struct err *join_session(struct arena *a, const char *name, struct aws_sso *s)
{
    struct aws_sso of = {0};
    bool found = false;
    TRY(aws_session_read(a, s->session.p, &of, &found));
    if (!found)
        return err_new(ERR_INVALID, "The profile %.100s names the sso_session %.100s, which the "
                       "AWS config file does not have: [sso-session %.100s]", name, s->session.p,
                       s->session.p);
    if ((s->region.n > 0 && of.region.n > 0 && !str_eq(s->region, of.region)) ||
        (s->start_url.n > 0 && of.start_url.n > 0 && !str_eq(s->start_url, of.start_url)))
        return err_new(ERR_INVALID, "The profile %.100s has another sso_region or sso_start_url "
                       "than its [sso-session %.100s]. Remove the profile's.", name, s->session.p);
    s->region = of.region;
    s->start_url = of.start_url;
    return NULL;
}

static struct err *sso_link(struct arena *a, const char *name, const struct aws_profile *p,
                            struct aws_link *l)
{
    *l = (struct aws_link){.from = AWS_FROM_SSO, .profile = name, .sso = p->sso};
    if (p->sso.session.n > 0)
        TRY(join_session(a, name, &l->sso));
    const char *missing = l->sso.account.n == 0     ? "sso_account_id"
                          : l->sso.role.n == 0      ? "sso_role_name"
                          : l->sso.region.n == 0    ? "sso_region"
                          : l->sso.start_url.n == 0 ? "sso_start_url"
                                                    : NULL;
    if (missing != NULL)
        return err_new(ERR_INVALID, "The profile %.100s asks the IAM Identity Center for "
                       "credentials, but %s is missing in it or in its sso-session. Set it: aws "
                       "configure sso", name, missing);
    if (!is_region(l->sso.region))
        return err_new(ERR_INVALID, "The sso_region of the profile %.100s is not the name of a "
                       "region.", name);
    return NULL;
}

/* What a profile has beside a role. `top`: it is the one in use, so that the environment counts. */
static struct err *begin(struct arena *a, const char *name, struct aws_profile *p, bool top,
                         struct aws_chain *c)
{
    struct aws_link *l = &c->v[0];
    *l = (struct aws_link){.from = AWS_FROM_KEYS, .profile = name};
    if (p->token_file.n > 0 || (top && aws_env("AWS_WEB_IDENTITY_TOKEN_FILE") != NULL))
        return web_link(a, name, p, l);
    if (has_sso(p))
        return sso_link(a, name, p, l);
    if (p->not_built != NULL)
        return err_new(ERR_UNSUPPORTED, "The profile %.100s asks for credentials by %s, which is "
                       "not built. Export them: eval \"$(aws configure export-credentials "
                       "--format env)\"", name, p->not_built);
    if (has_keys(p))
        return keys_of_profile(name, p, c);
    if (p->process.n > 0) {
        l->from = AWS_FROM_PROCESS;
        l->process = p->process;
        return NULL;
    }
    if (!top)
        return err_new(ERR_INVALID, "The profile %.100s, which another names as its "
                       "source_profile, has no credentials.", name);
    l->from = aws_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != NULL ||
                      aws_env("AWS_CONTAINER_CREDENTIALS_FULL_URI") != NULL
                  ? AWS_FROM_CONTAINER : AWS_FROM_INSTANCE;
    return NULL;
}

static struct err *begin_at(const char *name, struct str source, struct aws_chain *c)
{
    struct aws_link *l = &c->v[0];
    *l = (struct aws_link){.from = AWS_FROM_KEYS, .profile = name};
    if (str_is(source, "Environment"))
        return keys_of_env(c);
    if (str_is(source, "EcsContainer"))
        l->from = AWS_FROM_CONTAINER;
    else if (str_is(source, "Ec2InstanceMetadata"))
        l->from = AWS_FROM_INSTANCE;
    else
        return err_new(ERR_INVALID, "The credential_source of the profile %.100s is not one of "
                       "Environment, EcsContainer and Ec2InstanceMetadata.", name);
    return NULL;
}

/* -- the roles -- */
static struct err *role_link(const char *name, const struct aws_profile *p, struct aws_link *l)
{
    int64_t seconds;
    *l = (struct aws_link){.from = AWS_FROM_ROLE, .profile = name, .role_arn = p->role_arn,
                           .session = p->session_name, .external_id = p->external_id,
                           .duration = p->duration, .mfa_serial = p->mfa_serial};
    if (p->duration.n > 0 && !str_to_i64(p->duration, 900, 43200, &seconds))
        return err_new(ERR_INVALID, "duration_seconds of the profile %.100s is not a number from "
                       "900 to 43200.", name);
    if ((p->source_profile.n > 0) == (p->credential_source.n > 0))
        return err_new(ERR_INVALID, "The profile %.100s has a role_arn, and so either a "
                       "source_profile or a credential_source.", name);
    return NULL;
}

/* Roles are found from the last one back; they are assumed from the first on. */
static void put_in_order(struct aws_chain *c)
{
    for (size_t i = 1, j = c->n - 1; i < j; i++, j--) {
        struct aws_link l = c->v[i];
        c->v[i] = c->v[j];
        c->v[j] = l;
    }
}

/* A profile may name itself: its keys, and the role to be assumed with them. */
static struct err *next_profile(struct arena *a, const char **name, struct aws_profile *p,
                                bool *out_keys)
{
    const char *source = p->source_profile.p;
    struct aws_profile next = {0};
    if (strcmp(source, *name) != 0) {
        char by[160];
        snprintf(by, sizeof by, "source_profile of %.100s", *name);
        TRY(aws_profile_read(a, source, by, &next));
        aws_profile_clear(p);
        *p = next;
        *name = source;
        *out_keys = has_keys(p);
        return NULL;
    }
    *out_keys = true;
    return has_keys(p) ? NULL
                       : err_new(ERR_INVALID, "The profile %.100s is its own source_profile, and "
                                 "has no access key.", *name);
}

static struct err *read_chain(struct arena *a, const char *name, struct aws_profile *p,
                              struct aws_chain *c)
{
    bool top = true, keys = false;
    c->n = 1;
    if (aws_env("AWS_ACCESS_KEY_ID") != NULL || aws_env("AWS_SECRET_ACCESS_KEY") != NULL) {
        c->v[0] = (struct aws_link){.from = AWS_FROM_KEYS, .profile = name};
        return keys_of_env(c);
    }
    for (; has_role(p) && !keys; top = false) {
        if (c->n == AWS_CHAIN_MAX)
            return err_new(ERR_INVALID, "More than %d profiles name each other as source_profile, "
                           "or they do in a circle.", AWS_CHAIN_MAX - 1);
        TRY(role_link(name, p, &c->v[c->n++]));
        if (p->credential_source.n > 0)
            return begin_at(name, p->credential_source, c);
        TRY(next_profile(a, &name, p, &keys));
    }
    return begin(a, name, p, top, c);
}

struct err *aws_chain_read(struct arena *a, const char *name, struct aws_profile *p,
                           struct aws_chain *out)
{
    struct aws_chain c = {0};
    struct err *e = read_chain(a, name, p, &c);
    if (e != NULL) {
        aws_keys_free(c.keys);
        return e;
    }
    put_in_order(&c);
    *out = c;
    return NULL;
}
