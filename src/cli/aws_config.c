/* The shared config and credentials files.
 * https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html */
#include "aws_int.h"
#include "cli.h"

#include <pwd.h>
#include <unistd.h>

const char *aws_env(const char *name)
{
    const char *v = getenv(name);
    return v == NULL || v[0] == '\0' ? NULL : v;
}

const char *aws_home_path(struct arena *a, const char *path)
{
    const char *home = aws_env("HOME");
    struct passwd *pw = home == NULL ? getpwuid(getuid()) : NULL;
    if (pw != NULL)
        home = pw->pw_dir;
    return arena_fmt(a, "%s/%s", home == NULL ? "" : home, path).p;
}

static const char *file_of(struct arena *a, const char *env, const char *other)
{
    const char *path = aws_env(env);
    if (path != NULL && path[0] == '~' && path[1] == '/')
        return aws_home_path(a, path + 2);
    return path != NULL ? path : aws_home_path(a, other);
}

/* "[default]", "[profile name]" and "[sso-session name]" (config), or "[name]" (credentials);
 * quotes may stand around the name. */
enum section { IN_CONFIG, IN_CREDENTIALS, IN_SESSION };

static bool is_section(struct str line, const char *name, enum section kind)
{
    struct str s = str_trim(str_take(str_skip(line, 1), line.n - 2));
    struct str word = kind == IN_SESSION ? STR("sso-session") : STR("profile");
    if (kind != IN_CREDENTIALS && str_starts(s, word) && s.n > word.n &&
        (s.p[word.n] == ' ' || s.p[word.n] == '\t'))
        s = str_trim(str_skip(s, word.n));
    else if (kind == IN_SESSION || (kind == IN_CONFIG && !str_is(s, "default")))
        return false;
    if (s.n >= 2 && (s.p[0] == '"' || s.p[0] == '\'') && s.p[s.n - 1] == s.p[0])
        s = str_take(str_skip(s, 1), s.n - 2);
    return str_is(s, name);
}

static struct err *set_secret(struct secret **at, struct str value)
{
    secret_free(*at);
    *at = NULL;
    return value.n == 0 ? NULL : secret_new(value, at);
}

static struct err *set_member(struct arena *a, struct aws_profile *p, struct str key,
                              struct str value)
{
    const struct {
        const char *key;
        struct str *to;
    } texts[] = {{"aws_access_key_id", &p->id}, {"region", &p->region},
                 {"endpoint_url", &p->endpoint_url}, {"ca_bundle", &p->ca_bundle},
                 {"role_arn", &p->role_arn}, {"source_profile", &p->source_profile},
                 {"credential_source", &p->credential_source}, {"external_id", &p->external_id},
                 {"role_session_name", &p->session_name}, {"duration_seconds", &p->duration},
                 {"mfa_serial", &p->mfa_serial}, {"web_identity_token_file", &p->token_file},
                 {"credential_process", &p->process}, {"sso_session", &p->sso.session},
                 {"sso_start_url", &p->sso.start_url}, {"sso_region", &p->sso.region},
                 {"sso_account_id", &p->sso.account}, {"sso_role_name", &p->sso.role}};
    if (value.n > AWS_VALUE_MAX)
        return err_new(ERR_LIMIT, "A value in the AWS configuration is too long.");
    if (str_is(key, "aws_secret_access_key"))
        return set_secret(&p->secret, value);
    if (str_is(key, "aws_session_token"))
        return set_secret(&p->token, value);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (str_is(key, texts[i].key))
            *texts[i].to = arena_str(a, value);
    if (str_is(key, "login_session"))
        p->not_built = "login_session";
    return NULL;
}

static struct err *take_lines(struct arena *a, struct str text, const char *name,
                              enum section kind, struct aws_profile *p)
{
    bool in = false;
    while (text.p != NULL) {
        struct str raw = str_cut(&text, '\n'), line = str_trim(raw);
        if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';')
            continue;
        if (line.p[0] == '[') {
            ptrdiff_t end = str_find_char(line, ']');
            in = end > 0 && is_section(str_take(line, (size_t)end + 1), name, kind);
            p->found |= in;
            continue;
        }
        /* What is indented belongs to the member above: settings of one service. */
        if (!in || raw.p[0] == ' ' || raw.p[0] == '\t')
            continue;
        struct str value = line, key = str_trim(str_cut(&value, '='));
        if (value.p != NULL)
            TRY(set_member(a, p, key, str_trim(value)));
    }
    return NULL;
}

static struct err *take_file(const char *path, const char *name, enum section kind,
                             struct arena *keep, struct aws_profile *p)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(2 * AWS_FILE_MAX);
    struct str text;
    struct err *e = file_read(a, path, AWS_FILE_MAX, &text);
    if (err_is(e, ERR_NOT_FOUND)) {
        err_free(e);
        return NULL;
    }
    if (e != NULL)
        return e;
    e = take_lines(keep, text, name, kind, p);
    secret_wipe((void *)(uintptr_t)text.p, text.n);
    return e;
}

struct err *aws_profile_read(struct arena *a, const char *name, const char *by,
                             struct aws_profile *out)
{
    struct aws_profile p = {0};
    struct err *e = take_file(file_of(a, "AWS_CONFIG_FILE", ".aws/config"), name, IN_CONFIG, a,
                              &p);
    /* The credentials file wins. */
    if (e == NULL)
        e = take_file(file_of(a, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"), name,
                      IN_CREDENTIALS, a, &p);
    if (e == NULL && by != NULL && !p.found)
        e = err_new(ERR_INVALID, "The profile %.100s (%s) is in neither of the AWS files, config "
                    "and credentials.", name, by);
    if (e != NULL) {
        aws_profile_clear(&p);
        return e;
    }
    *out = p;
    return NULL;
}

struct err *aws_session_read(struct arena *a, const char *name, struct aws_sso *out,
                             bool *out_found)
{
    struct aws_profile p = {0};
    struct err *e = take_file(file_of(a, "AWS_CONFIG_FILE", ".aws/config"), name, IN_SESSION, a,
                              &p);
    *out = p.sso;
    *out_found = p.found;
    aws_profile_clear(&p);
    return e;
}

void aws_profile_clear(struct aws_profile *p)
{
    secret_free(p->secret);
    secret_free(p->token);
    *p = (struct aws_profile){0};
}
