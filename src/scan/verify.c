/* ward verify: the chain of digests, and every log file. */
#include <unistd.h>

#include "../core/clock.h"
#include "scan.h"
#include "scan_int.h"
#include "verify.h"

static const char usage[] =
    "usage: ward verify [options] PATH...\n"
    "Proves that the CloudTrail log files below PATH (folders, or s3://BUCKET/PREFIX) are those\n"
    "that CloudTrail delivered: all of them, unaltered. Needs the digest files beside them.\n"
    "  --keys FILE|DIR  public keys: what `aws cloudtrail list-public-keys` prints, PEM or DER\n"
    "                   (may be given again)\n"
    "  --keys api       asks CloudTrail for them; so does s3:// without --keys\n"
    "  --since TIME     only what is newer (2024-01-31, 2024-01-31T08:00:00Z); older digests may\n"
    "                   have expired\n"
    "  --until TIME     only what is older, and up to here the digests must reach; `now`: up to\n"
    "                   those that are due. Without it: up to the newest log file that no digest\n"
    "                   names, and to the digests of the same trail in other regions\n"
    "  --json           one JSON document\n"
    "  --threads N\n"
    "A digest's signature is metadata of its object, which a copy on disk loses. Each digest\n"
    "keeps that of the one before it; for the newest, keep what `aws s3api head-object` prints\n"
    "beside it as NAME.metadata.json.\n"
    "Environment for s3:// and --keys api: what the aws command line reads, AWS_PROFILE,\n"
    "AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT_URL and so on; ward --help has the list.\n"
    "Exit code: 0 a whole chain, 1 something is wrong or missing, 2 something could not be read.\n";

enum { ARENA_BYTES = 2000000000 };

struct verify_options {
    char **paths;
    const char **keys;
    size_t n_paths, n_keys;
    int64_t threads; /* 0: not given */
    bool json, api, help;
};

static struct err *bad_usage(const char *what, const char *arg)
{
    return err_new(ERR_INVALID, "%s: %.200s. See ward verify --help.", what, arg);
}

static struct err *value_option(struct verify *v, struct verify_options *o, const char *name,
                                const char *value)
{
    if (strcmp(name, "--keys") == 0) {
        if (strcmp(value, "api") == 0)
            o->api = true;
        else
            o->keys[o->n_keys++] = value;
    } else if (strcmp(name, "--until") == 0) {
        v->until_set = true;
        v->until_now = strcmp(value, "now") == 0;
        v->until_ms = clock_now_ms();
        if (!v->until_now && !time_parse_iso8601(str_c(value), &v->until_ms))
            return bad_usage("--until is not a time", value);
    } else if (strcmp(name, "--since") == 0) {
        if (!time_parse_iso8601(str_c(value), &v->since_ms))
            return bad_usage("--since is not a time", value);
    } else if (strcmp(name, "--threads") == 0) {
        if (!str_to_i64(str_c(value), 1, VERIFY_THREADS_MAX, &o->threads))
            return bad_usage("--threads is 1 to 64", value);
    } else {
        return bad_usage("there is no such option", name);
    }
    return NULL;
}

static struct err *parse(struct verify *v, struct verify_options *o, int argc, char **argv)
{
    bool only_paths = false;
    for (int i = 1; i < argc; i++) {
        if (only_paths || (strncmp(argv[i], "--", 2) != 0 && strcmp(argv[i], "-h") != 0)) {
            o->paths[o->n_paths++] = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            only_paths = true;
        } else if (strcmp(argv[i], "--json") == 0) {
            o->json = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            o->help = true;
        } else if (i + 1 == argc) {
            return bad_usage("there is no such option, or its value is missing", argv[i]);
        } else {
            TRY(value_option(v, o, argv[i], argv[i + 1]));
            i++;
        }
    }
    if (o->n_paths == 0 && !o->help)
        return err_new(ERR_INVALID, "Name a folder or a bucket. See ward verify --help.");
    return NULL;
}

static int threads_of(const struct verify *v, const struct verify_options *o)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    if (o->threads > 0)
        return (int)o->threads;
    n = n < v->source.readers ? v->source.readers : n;
    return n < 1 ? 1 : n > VERIFY_THREADS_MAX ? VERIFY_THREADS_MAX : (int)n;
}

static struct err *run(struct verify *v, struct verify_options *o, struct source_notes *notes)
{
    bool bucket = strncmp(o->paths[0], "s3://", 5) == 0;
    for (size_t i = 0; i < o->n_keys; i++)
        TRY(verify_keys(v, o->keys[i]));
    v->progress.on = isatty(STDERR_FILENO) != 0;
    notes->no_sizes = !v->progress.on;
    TRY(scan_source_of(o->paths, o->n_paths, true, notes, &v->source));
    v->threads = threads_of(v, o);
    v->progress.start_ms = clock_mono_ms();
    verify_list(v);
    v->progress.listed = true;
    if (o->api || (bucket && o->n_keys == 0))
        TRY(verify_keys_api(v));
    v->progress.start_ms = clock_mono_ms();
    verify_read_all(v);
    verify_chains(v);
    if (v->digests.n == 0)
        verify_note(v, str_c(o->paths[0]), "no-digests", "there is no digest file");
    return arena_check(v->a);
}

static int finish(struct verify *v, const struct verify_options *o, struct err *e)
{
    if (v->progress.on && v->progress.shown_ms > 0)
        fputs("\r\x1b[K", stderr);
    if (e != NULL) {
        fprintf(stderr, "ward verify: %s%s%s\n", e->message, e->detail[0] != '\0' ? ": " : "",
                e->detail);
        err_free(e);
        return 2;
    }
    verify_print(v, o->json);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("ward verify: the result could not be written\n", stderr);
        return 2;
    }
    return v->faults > 0 ? 2 : v->n_findings > 0 ? 1 : 0;
}

int verify_main(int argc, char **argv)
{
    struct verify v = {.a = arena_new(ARENA_BYTES), .lock = PTHREAD_MUTEX_INITIALIZER,
                       .since_ms = INT64_MIN, .until_ms = INT64_MAX};
    struct source_notes notes = {.ctx = &v, .fault = verify_fault};
    struct verify_options o = {.paths = calloc((size_t)argc + 1, sizeof *o.paths),
                               .keys = calloc((size_t)argc + 1, sizeof *o.keys)};
    CHECK(o.paths != NULL && o.keys != NULL);
    struct err *e = crypto_init();
    if (e == NULL)
        e = parse(&v, &o, argc, argv);
    int code = 0;
    if (e == NULL && o.help) {
        fputs(usage, stdout);
    } else {
        if (e == NULL)
            e = run(&v, &o, &notes);
        code = finish(&v, &o, e);
    }
    if (v.source.clear != NULL)
        v.source.clear(v.source.ctx);
    for (int i = 0; i < v.threads; i++)
        arena_free(v.worker_arenas[i]);
    free(v.files);
    free(o.paths);
    free(o.keys);
    arena_free(v.a);
    return code;
}
