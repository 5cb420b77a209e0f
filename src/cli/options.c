/* The options that commands share, read from one table. */
#include "cli.h"

#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <unistd.h>

/* What options point at lives as long as the program. */
static struct arena *kept;

enum option_kind { OPT_FLAG, OPT_TEXT, OPT_SECONDS, OPT_LISTEN, OPT_PATH };

struct option_row {
    const char *name;
    enum option_kind kind;
    size_t offset;
};

#define ROW(name, kind, member) {name, kind, offsetof(struct options, member)}
static const struct option_row rows[] = {
    ROW("data", OPT_PATH, data),
    ROW("root-key", OPT_PATH, root_key),
    ROW("listen", OPT_LISTEN, host),
    ROW("blueprint", OPT_TEXT, blueprint),
    ROW("smtp", OPT_TEXT, smtp_url),
    ROW("webhook", OPT_TEXT, webhook_url),
    ROW("region", OPT_TEXT, region),
    ROW("account", OPT_TEXT, account),
    ROW("trail-interval", OPT_SECONDS, trail_interval_s),
    ROW("digest-interval", OPT_SECONDS, digest_interval_s),
    ROW("detach", OPT_FLAG, detach),
    ROW("plain", OPT_FLAG, plain),
    ROW("json", OPT_FLAG, json),
    ROW("help", OPT_FLAG, help),
};

static bool complain(const char *what, const char *option)
{
    fprintf(stderr, "ward: %s: %s. See --help.\n", option, what);
    return false;
}

const char *cli_program = "ward";

const char *cli_with_data(struct arena *a, const struct options *o)
{
    return o->data_given ? arena_fmt(a, " --data '%s'", o->data).p : "";
}

const char *cli_with_key(struct arena *a, const struct options *o)
{
    const char *data = cli_with_data(a, o);
    return o->key_given ? arena_fmt(a, "%s --root-key '%s'", data, o->root_key).p : data;
}

static bool allowed_here(const char *allowed, const char *name)
{
    for (struct str rest = str_c(allowed); rest.p != NULL;)
        if (str_is(str_cut(&rest, ' '), name))
            return true;
    return strcmp(name, "help") == 0;
}

static const struct option_row *find_row(const char *name, size_t n)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strlen(rows[i].name) == n && strncmp(rows[i].name, name, n) == 0)
            return &rows[i];
    return NULL;
}

static bool set_listen(struct options *o, const char *value)
{
    struct str s = str_c(value);
    ptrdiff_t colon = str_rfind_char(s, ':');
    struct str host = str_take(s, colon < 0 ? s.n : (size_t)colon);
    int64_t port = CLI_PORT_DEFAULT;
    if (colon >= 0 && !str_to_i64(str_skip(s, (size_t)colon + 1), 0, 65535, &port))
        return complain("the port must be a number from 0 to 65535", "--listen");
    bool bracketed = host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    if (!bracketed && str_find_char(host, ':') >= 0)
        return complain("an IPv6 address stands in brackets: [::1]:4566", "--listen");
    if (bracketed)
        host = str_take(str_skip(host, 1), host.n - 2);
    o->port = (int)port;
    if (host.n > 0)
        o->host = arena_cstr(kept, host);
    return true;
}

/* Without a trailing slash, absolute. */
static const char *absolute(const char *path)
{
    char cwd[PATH_MAX];
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    if (path[0] == '/' || getcwd(cwd, sizeof cwd) == NULL)
        return arena_cstr(kept, str_of(path, n));
    return arena_fmt(kept, "%s/%.*s", cwd, (int)n, path).p;
}

static bool set_row(struct options *o, const struct option_row *r, const char *value,
                    const char *shown)
{
    void *at = (char *)o + r->offset;
    switch (r->kind) {
    case OPT_FLAG:
        *(bool *)at = true;
        return true;
    case OPT_TEXT:
        *(const char **)at = value;
        return true;
    case OPT_PATH:
        *(const char **)at = absolute(value);
        return true;
    case OPT_LISTEN:
        return set_listen(o, value);
    case OPT_SECONDS:
        if (!str_to_i64(str_c(value), 1, 7 * 24 * 3600, at))
            return complain("the time must be whole seconds, from 1 to a week", shown);
        return true;
    }
    return false;
}

static const char *default_data(void)
{
    const char *env = getenv("WARD_DATA"), *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    struct passwd *pw = home == NULL ? getpwuid(getuid()) : NULL;
    if (env != NULL && env[0] != '\0')
        return absolute(env);
    if (xdg != NULL && xdg[0] == '/')
        return arena_fmt(kept, "%s/ward", xdg).p;
    if (pw != NULL)
        home = pw->pw_dir;
    return arena_fmt(kept, "%s/.local/share/ward", home != NULL ? home : "").p;
}

/* Whether a path lies in a folder, whatever links and dots are on the way; what is not there yet
 * is compared as it is spelled. */
static bool lies_in(const char *path, const char *folder)
{
    char parent[PATH_MAX], real_parent[PATH_MAX], real_folder[PATH_MAX];
    size_t n = strlen(folder);
    if (strncmp(path, folder, n) == 0 && path[n] == '/')
        return true;
    snprintf(parent, sizeof parent, "%s", path);
    if (realpath(dirname(parent), real_parent) == NULL || realpath(folder, real_folder) == NULL)
        return false;
    n = strlen(real_folder);
    return strncmp(real_parent, real_folder, n) == 0 &&
           (real_parent[n] == '/' || real_parent[n] == '\0');
}

static bool finish(struct options *o)
{
    o->data_given = o->data != NULL;
    o->key_given = o->root_key != NULL;
    if (o->smtp_url == NULL)
        o->smtp_url = getenv("WARD_SMTP_URL");
    if (o->data == NULL)
        o->data = default_data();
    if (o->root_key == NULL)
        o->root_key = arena_fmt(kept, "%s.root-key", o->data).p;
    if (lies_in(o->root_key, o->data))
        return complain("the root key must lie outside the data directory, or a copy of the "
                        "directory is a copy of everything",
                        "--root-key");
    return true;
}

bool options_parse(int argc, char **argv, const char *allowed, struct options *out)
{
    *out = (struct options){.host = "127.0.0.1",
                            .port = CLI_PORT_DEFAULT,
                            .region = "us-east-1",
                            .trail_interval_s = CLI_TRAIL_INTERVAL_S,
                            .digest_interval_s = CLI_DIGEST_INTERVAL_S};
    if (kept == NULL)
        kept = arena_new(1024 * 1024);
    out->args = ARENA_ARRAY(kept, (size_t)argc + 1, const char *);
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "-h") == 0) {
            out->help = true;
            continue;
        }
        if (argv[i][0] != '-') {
            if (!allowed_here(allowed, "ARG"))
                return complain("this command takes options only", argv[i]);
            out->args[out->n_args++] = argv[i];
            continue;
        }
        if (argv[i][1] != '-')
            return complain("this command does not have that option", argv[i]);
        const char *name = argv[i] + 2, *eq = strchr(name, '=');
        size_t n = eq != NULL ? (size_t)(eq - name) : strlen(name);
        const struct option_row *r = find_row(name, n);
        if (r == NULL || !allowed_here(allowed, r->name))
            return complain("this command does not have that option", argv[i]);
        const char *value = eq != NULL ? eq + 1 : NULL;
        if (r->kind == OPT_FLAG && value != NULL)
            return complain("the option takes no value", argv[i]);
        if (r->kind != OPT_FLAG && value == NULL) {
            if (i + 1 == argc)
                return complain("the option needs a value", argv[i]);
            value = argv[++i];
        }
        if (!set_row(out, r, value, argv[i]))
            return false;
    }
    return finish(out);
}
