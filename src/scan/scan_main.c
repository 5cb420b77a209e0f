/* ward scan */
#include "scan.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/clock.h"
#include "../core/memory.h"
#include "baseline.h"
#include "correlate.h"
#include "output.h"
#include "safe.h"
#include "scan_int.h"

static const char usage[] =
    "usage: ward scan [options] PATH...\n"
    "Searches CloudTrail log files. A PATH is a file, a folder of any depth, or s3://B/PREFIX.\n"
    "  --rules FILE|DIR    rules: Sigma, EventBridge patterns, metric filters, keywords\n"
    "                      (may be given again; without it, the built-in rules)\n"
    "  --builtin           the built-in rules beside those of --rules\n"
    "  --list-rules        prints the rules and ends\n"
    "  --format FORM       table, jsonl, csv or sarif\n"
    "  --show              the records too\n"
    "  --report FILE.html  one page with everything\n"
    "  --since TIME        records from TIME on (2024-01-31, 2024-01-31T08:00:00Z)\n"
    "  --until TIME        records before TIME\n"
    "  --principal NAME    wildcards (* and ?) in this and the next three\n"
    "  --event NAME        eventName, or service:eventName\n"
    "  --account ID\n"
    "  --region NAME\n"
    "  --severity LEAST    info, low, medium, high or critical\n"
    "  --where PATTERN     an EventBridge pattern that the records must match too\n"
    "  --baseline FILE     learns what each principal does; if FILE is there, flags what is new\n"
    "  --strict            checks every record as JSON, not only those a rule is about\n"
    "  --threads N\n"
    "  --no-summary\n"
    "Environment for s3://: what the aws command line reads: AWS_ACCESS_KEY_ID and its like,\n"
    "AWS_PROFILE (keys, role_arn with mfa_serial, credential_process, web identity, SSO),\n"
    "AWS_REGION, AWS_ENDPOINT_URL (and _S3, _STS), AWS_CA_BUNDLE, containers and instances.\n"
    "Exit code: 0 nothing found, 1 findings, 2 something could not be read or compiled.\n";

enum { RULE_ARGS_MAX = 256, LANE_BYTES_TOTAL = 4 * 1024 * 1024, LANE_BYTES_MIN = 2 * 1024 * 1024 };

struct options {
    char **paths;
    size_t n_paths;
    const char *rules[RULE_ARGS_MAX];
    size_t n_rules;
    bool builtin, list, show, summary, strict;
    enum output_form form;
    const char *report, *baseline, *where;
    struct engine_filter filter;
    enum severity least;
    int threads;
};

static scan_bucket_open *bucket_open;

void scan_set_bucket_source(scan_bucket_open *open)
{
    bucket_open = open;
}

struct err *scan_source_of(char *const *paths, size_t n, bool digests, struct source_notes *notes,
                           struct scan_source *out)
{
    for (size_t i = 0; i < n; i++) {
        if (strncmp(paths[i], "s3://", 5) != 0)
            continue;
        if (bucket_open == NULL)
            return err_new(ERR_UNSUPPORTED, "Reading from buckets is not built in; copy the files "
                                            "first (aws s3 sync) and name the folder.");
        if (n > 1)
            return err_new(ERR_INVALID, "Name one bucket at a time, and nothing beside it.");
        return bucket_open(paths[i], digests, notes, out);
    }
    *out = source_files(paths, n, digests, notes);
    return NULL;
}

static bool bad_usage(const char *what, const char *arg)
{
    fprintf(stderr, "ward scan: %s%s%s\n%s", what, arg == NULL ? "" : ": ", arg == NULL ? "" : arg,
            usage);
    return false;
}

static bool option_time(const char *text, int64_t *out)
{
    return time_parse_iso8601(str_c(text), out) || bad_usage("not a time", text);
}

static bool option_form(const char *text, enum output_form *out)
{
    static const char *const names[] = {"table", "jsonl", "csv", "sarif"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum output_form)i;
            return true;
        }
    }
    return bad_usage("not a format", text);
}

static bool value_option(struct options *o, const char *name, const char *v)
{
    int64_t n;
    if (strcmp(name, "--rules") == 0) {
        if (o->n_rules == RULE_ARGS_MAX)
            return bad_usage("too many --rules", NULL);
        o->rules[o->n_rules++] = v;
        return true;
    }
    if (strcmp(name, "--format") == 0)
        return option_form(v, &o->form);
    if (strcmp(name, "--since") == 0)
        return option_time(v, &o->filter.since_ms);
    if (strcmp(name, "--until") == 0)
        return option_time(v, &o->filter.until_ms);
    if (strcmp(name, "--severity") == 0)
        return severity_parse(str_c(v), &o->least) || bad_usage("not a severity", v);
    if (strcmp(name, "--threads") == 0) {
        if (!str_to_i64(str_c(v), 1, ENGINE_THREADS_MAX, &n))
            return bad_usage("threads are 1 to 64", v);
        o->threads = (int)n;
        return true;
    }
    const struct {
        const char *name;
        const char **c;
        struct str *s;
    } texts[] = {{"--report", &o->report, NULL},       {"--baseline", &o->baseline, NULL},
                 {"--where", &o->where, NULL},         {"--principal", NULL, &o->filter.principal},
                 {"--event", NULL, &o->filter.event},  {"--account", NULL, &o->filter.account},
                 {"--region", NULL, &o->filter.region}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (strcmp(name, texts[i].name) != 0)
            continue;
        if (texts[i].c != NULL)
            *texts[i].c = v;
        else
            *texts[i].s = str_c(v);
        return true;
    }
    return bad_usage("unknown option", name);
}

static bool parse_options(struct options *o, int argc, char **argv)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    *o = (struct options){.summary = true, .threads = cpus < 1 ? 1 : cpus > 16 ? 16 : (int)cpus};
    o->filter.since_ms = INT64_MIN;
    o->filter.until_ms = INT64_MAX;
    o->paths = calloc((size_t)argc + 1, sizeof *o->paths);
    CHECK(o->paths != NULL);
    const struct {
        const char *name;
        bool *on;
    } flags[] = {{"--builtin", &o->builtin}, {"--list-rules", &o->list}, {"--show", &o->show},
                 {"--strict", &o->strict}};
    bool only_paths = false;
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        bool done = only_paths || strncmp(a, "--", 2) != 0;
        if (done)
            o->paths[o->n_paths++] = argv[i];
        else if (strcmp(a, "--") == 0)
            done = only_paths = true;
        else if (strcmp(a, "--no-summary") == 0)
            done = true, o->summary = false;
        for (size_t k = 0; !done && k < ARRAY_LEN(flags); k++) {
            if (strcmp(a, flags[k].name) == 0)
                done = *flags[k].on = true;
        }
        if (done)
            continue;
        if (i + 1 >= argc)
            return bad_usage("unknown option, or its value is missing", a);
        if (!value_option(o, a, argv[++i]))
            return false;
    }
    return o->n_paths > 0 || o->list || bad_usage("name a file or a folder", NULL);
}

void scan_print_rule_faults(const struct rules *rs)
{
    struct buf b = BUF_INIT(1 << 20);
    for (size_t i = 0; i < rs->faults.n; i++) {
        const struct rule_fault *f = &rs->faults.v[i];
        buf_reset(&b);
        safe_text(&b, f->file);
        if (f->line > 0)
            buf_fmt(&b, ":%zu:%zu", f->line, f->column);
        buf_c(&b, ": ");
        safe_text(&b, f->text);
        buf_char(&b, '\n');
        fwrite(b.p, 1, b.n, stderr);
    }
    buf_clear(&b);
}

static void list_rules(const struct rules *rs, enum output_form form)
{
    struct buf b = BUF_INIT(1 << 24);
    for (size_t i = 0; i < rs->rules.n; i++) {
        const struct rule *r = &rs->rules.v[i];
        if (form != OUT_JSONL) {
            safe_cell(&b, r->id, 40);
            buf_fmt(&b, "  %-8s  ", severity_names[r->severity]);
            safe_text(&b, r->title);
            buf_c(&b, r->hidden ? " (part of a correlation)\n" : "\n");
            continue;
        }
        const struct {
            const char *key;
            struct str v;
        } m[] = {{"id", r->id}, {"title", r->title}, {"reason", r->reason},
                 {"reference", r->reference}, {"language", r->language}, {"file", r->file}};
        buf_fmt(&b, "{\"severity\":\"%s\"", severity_names[r->severity]);
        for (size_t k = 0; k < ARRAY_LEN(m); k++) {
            buf_fmt(&b, ",\"%s\":", m[k].key);
            safe_json(&b, m[k].v);
        }
        buf_c(&b, "}\n");
    }
    if (b.n > 0)
        fwrite(b.p, 1, b.n, stdout);
    buf_clear(&b);
}

static void add_baseline_rule(struct rules *rs, uint32_t *out)
{
    struct rule r = {.id = STR("baseline"), .file = STR("baseline"), .severity = SEV_MEDIUM,
                     .language = STR("baseline"), .title = STR("Behaviour never seen before"),
                     .reason = STR("The baseline of this principal does not have it."),
                     .reference = STR("docs/scan.md")};
    *out = (uint32_t)rs->rules.n;
    VEC_PUSH(rs->a, &rs->rules, r);
}

static struct err *load_baseline(struct options *o, struct engine *en, bool *out_learn)
{
    en->baseline = baseline_new(o->threads);
    struct err *e = baseline_load(en->baseline, o->baseline);
    *out_learn = err_is(e, ERR_NOT_FOUND);
    struct err *named = e == NULL || *out_learn
                            ? NULL : err_new(ERR_INVALID, "%s: %s", o->baseline, e->message);
    err_free(e);
    return named;
}

/* -- progress -- */
struct progress {
    int64_t start_ms;
    uint64_t files, bytes; /* of all, as counted before; 0: not known */
    bool shown;
};

static void show_progress(void *ctx, const struct engine_counts *c)
{
    struct progress *p = ctx;
    double s = (double)(clock_mono_ms() - p->start_ms) / 1000.0 + 0.001;
    fprintf(stderr, "\r%llu", (unsigned long long)c->files);
    if (p->files > 0)
        fprintf(stderr, "/%llu", (unsigned long long)p->files);
    fprintf(stderr, " files  %.0f MB/s  %.0f records/s", (double)c->bytes_out / 1e6 / s,
            (double)c->records / s);
    if (p->bytes > c->bytes_in && c->bytes_in > 0)
        fprintf(stderr, "  %.0f s left",
                s * (double)(p->bytes - c->bytes_in) / (double)c->bytes_in);
    fputs("\x1b[K", stderr);
    p->shown = true;
}

static void ignore_fault(void *ctx, const char *name, const char *what)
{
    (void)ctx, (void)name, (void)what;
}

static void count_files(struct options *o, struct progress *p)
{
    struct source_notes notes = {.fault = ignore_fault};
    struct scan_source s = source_files(o->paths, o->n_paths, false, &notes);
    struct scan_object obj = {0};
    buf_init(&obj.name, 65536);
    while (s.next(s.ctx, &obj)) {
        p->files++;
        p->bytes += obj.size;
    }
    buf_clear(&obj.name);
    s.clear(s.ctx);
}

/* -- results -- */
struct final {
    struct output *out;
    struct summary *summary;
    struct page *page;
    bool second; /* the pass that prints */
};

static void see_final(void *ctx, const struct finding *f)
{
    struct final *fin = ctx;
    if (!fin->second) {
        summary_see(fin->summary, f);
        return;
    }
    output_finding(fin->out, f);
    if (fin->page != NULL)
        page_finding(fin->page, f);
}

/* What could not be written beside the findings is named, and they are printed all the same. */
static void note_failure(struct engine *en, const char *file, struct err *e)
{
    char text[ERR_MESSAGE_MAX];
    if (e == NULL)
        return;
    /* The detail is the operator's: which file, and what the system says of it. */
    snprintf(text, sizeof text, "%s", e->detail[0] != '\0' ? e->detail : e->message);
    engine_fault(en, file, text);
    err_free(e);
}

struct joined { /* what correlations make of the findings, to be sorted again */
    struct findings *out;
    const struct engine *en;
    struct err *failed;
};

static void see_joined(void *ctx, const struct finding *f)
{
    struct joined *j = ctx;
    if (j->en->baseline != NULL && f->rule == j->en->baseline_rule &&
        !baseline_tell(j->en->baseline, f->text[F_NOTE]))
        return;
    if (j->failed == NULL)
        j->failed = findings_add(j->out, 0, f);
}

static bool has_correlations(const struct rules *rs)
{
    for (size_t i = 0; i < rs->rules.n; i++) {
        if (rs->rules.v[i].corr != NULL || rs->rules.v[i].hidden)
            return true;
    }
    return false;
}

/* Puts what is to be seen (nothing of hidden rules, but the correlations) in the place of the
 * findings. */
static struct err *correlate(struct engine *en, uint64_t *doubles)
{
    struct joined j = {.en = en};
    TRY(findings_new(1, LANE_BYTES_MIN, &j.out)); /* the others hold theirs meanwhile */
    struct correlator *c = correlator_new(en->rules, see_joined, &j);
    struct err *e = findings_merge(en->findings, correlator_see, c, doubles);
    if (e == NULL)
        correlator_end(c);
    if (correlator_over(c))
        engine_fault(en, "correlations", "more groups or events than are kept; counts may be low");
    correlator_free(c);
    if (e == NULL) {
        e = j.failed;
        j.failed = NULL;
    }
    err_free(j.failed);
    findings_free(en->findings);
    en->findings = j.out;
    return e;
}

void scan_print_faults(const struct engine *en)
{
    struct buf b = BUF_INIT(1 << 20);
    for (size_t i = 0; i < en->n_faults; i++) {
        buf_reset(&b);
        safe_text(&b, str_c(en->fault_list[i].file));
        if (en->fault_list[i].offset > 0)
            buf_fmt(&b, ", byte %llu", (unsigned long long)en->fault_list[i].offset);
        buf_c(&b, ": ");
        safe_text(&b, str_c(en->fault_list[i].text));
        buf_c(&b, "\n");
        fwrite(b.p, 1, b.n, stderr);
    }
    buf_clear(&b);
    if (en->counts.faults > en->n_faults)
        fprintf(stderr, "and %llu more faults\n",
                (unsigned long long)(en->counts.faults - en->n_faults));
}

/* https://no-color.org: set, and not empty. */
static bool wants_color(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(1) != 0 && (no == NULL || no[0] == '\0') &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

/* Of the terminal; 0: it is none. */
static size_t columns_of(int fd)
{
    struct winsize w;
    if (isatty(fd) == 0)
        return 0;
    return ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

static struct err *print_findings(struct options *o, struct engine *en, struct final *fin,
                                  uint64_t *doubles)
{
    if (has_correlations(en->rules) || en->baseline != NULL)
        TRY(correlate(en, doubles));
    uint64_t more = 0;
    TRY(findings_merge(en->findings, see_final, fin, &more));
    *doubles += more;
    if (o->report != NULL)
        note_failure(en, o->report,
                     page_open(o->report, en->rules, fin->summary, en, o->least, &fin->page));
    summary_widths(fin->summary, fin->out->width);
    output_fit(fin->out, columns_of(1));
    if (summary_findings(fin->summary) == 0)
        memset(fin->out->width, 0, sizeof fin->out->width);
    output_begin(fin->out);
    fin->second = true;
    struct err *e = findings_merge(en->findings, see_final, fin, NULL);
    output_end(fin->out);
    if (e == NULL && fin->out->failed)
        e = err_new(ERR_IO, "The findings could not be written.");
    return e;
}

static struct err *print_all(struct options *o, struct engine *en, uint64_t *out_found)
{
    uint64_t doubles = 0;
    struct output out = {.f = stdout, .form = o->form, .rules = en->rules, .show = o->show,
                         .color = wants_color(), .least = o->least};
    struct final fin = {.out = &out, .summary = summary_new(en->rules, o->least)};
    struct err *e = print_findings(o, en, &fin, &doubles);
    *out_found = summary_findings(fin.summary);
    if (fin.page != NULL)
        note_failure(en, o->report, page_close(fin.page));
    scan_print_faults(en);
    if (o->summary && e == NULL)
        summary_print(fin.summary, en, doubles, o->form == OUT_TABLE ? stdout : stderr, out.color,
                      columns_of(o->form == OUT_TABLE ? 1 : 2));
    summary_free(fin.summary);
    return e;
}

static struct err *scan(struct options *o, struct engine *en, uint64_t *out_found)
{
    struct source_notes notes = {.ctx = en, .fault = engine_fault, .no_sizes = true};
    struct scan_source source;
    struct progress progress = {.start_ms = clock_mono_ms()};
    bool learn = false;
    if (o->baseline != NULL)
        TRY(load_baseline(o, en, &learn));
    size_t lane = LANE_BYTES_TOTAL / (size_t)o->threads;
    TRY(findings_new(o->threads, lane < LANE_BYTES_MIN ? LANE_BYTES_MIN : lane, &en->findings));
    TRY(scan_source_of(o->paths, o->n_paths, false, &notes, &source));
    if (isatty(2)) {
        if (strncmp(o->paths[0], "s3://", 5) != 0) /* the listing of a bucket is paid for */
            count_files(o, &progress);
        en->progress = show_progress;
        en->progress_ctx = &progress;
    }
    struct err *e = engine_run(en, source, &notes);
    source.clear(source.ctx);
    engine_matched(en);
    memory_give_back(); /* what the workers had: sorting needs as much again */
    if (progress.shown)
        fputs("\r\x1b[K", stderr);
    TRY(e);
    if (learn)
        note_failure(en, o->baseline, baseline_save(en->baseline, o->baseline));
    const char *over = en->baseline != NULL ? baseline_over(en->baseline) : NULL;
    if (over != NULL)
        engine_fault(en, o->baseline, over);
    return print_all(o, en, out_found);
}

static struct err *prepare(struct options *o, struct rules *rs, struct engine *en)
{
    engine_paths(rs); /* before rules can use up the paths */
    if (o->n_rules == 0 || o->builtin)
        rules_load_builtin(rs);
    for (size_t i = 0; i < o->n_rules; i++)
        rules_load(rs, o->rules[i]);
    rules_finish(rs);
    if (o->where != NULL) {
        struct jv *v = NULL;
        struct rule_source src = {.rs = rs, .file = STR("--where"), .text = str_c(o->where),
                                  .base_line = 1};
        TRY(json_parse(rs->a, str_c(o->where), RULE_DEPTH_MAX, &v));
        en->filter.where = pattern_compile(&src, v);
    }
    if (o->baseline != NULL)
        add_baseline_rule(rs, &en->baseline_rule);
    en->rules = rs;
    en->threads = o->threads;
    en->keep_records = o->show || o->report != NULL;
    en->strict = o->strict;
    return o->list ? NULL : matcher_new(rs, &en->matcher);
}

int scan_main(int argc, char **argv)
{
    struct options o;
    struct engine en = {0};
    uint64_t found = 0;
    int code = 2;
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(usage, stdout);
        return 0;
    }
    if (!parse_options(&o, argc, argv)) {
        free(o.paths);
        return 2;
    }
    memory_give_back(); /* what starting touched of libraries: most of them serve the server */
    struct rules *rs = rules_new();
    en.filter = o.filter;
    struct err *e = prepare(&o, rs, &en);
    memory_give_back(); /* what reading the rules took */
    bool bad_rules = rs->faults.n > 0;
    scan_print_rule_faults(rs);
    if (e == NULL && o.where != NULL && en.filter.where == NULL)
        e = err_new(ERR_INVALID, "--where is not a pattern.");
    if (e == NULL && o.list) {
        list_rules(rs, o.form);
        code = bad_rules ? 2 : 0;
    } else if (e == NULL) {
        e = scan(&o, &en, &found);
        code = en.counts.faults > 0 || bad_rules ? 2 : found > 0 ? 1 : 0;
    }
    if (e != NULL) {
        fprintf(stderr, "ward scan: %s%s%s\n", e->message, e->detail[0] != '\0' ? ": " : "",
                e->detail);
        err_free(e);
        code = 2;
    }
    engine_clear(&en);
    rules_free(rs);
    free(o.paths);
    return code;
}
