/* ward rules check | explain */
#include "scan.h"

#include <errno.h>

#include "feed.h"
#include "safe.h"
#include "scan_int.h"
#include "unpack.h"

static const char usage[] =
    "usage: ward rules check FILE|DIR...\n"
    "       ward rules explain [--rules FILE|DIR]... ID RECORD\n"
    "check names each fault with its line and column. explain prints which conditions of a rule\n"
    "hold for a record; RECORD is a file whose first record is taken.\n"
    "Exit code: of check 0 without a fault, 2 with one; of explain 1 if the rule matches, 0 if\n"
    "not, 2 if something could not be read or compiled.\n";

static int check(int n, char **paths)
{
    struct rules *rs = rules_new();
    engine_paths(rs);
    for (int i = 0; i < n; i++)
        rules_load(rs, paths[i]);
    rules_finish(rs);
    scan_print_rule_faults(rs);
    struct matcher *m = NULL;
    struct err *e = matcher_new(rs, &m);
    int code = rs->faults.n > 0 || e != NULL ? 2 : 0;
    if (e != NULL) {
        fprintf(stderr, "ward rules: %s\n", e->message);
        err_free(e);
    } else {
        struct matcher_stats s = matcher_stats(m);
        printf(
            "%zu rules, %zu faults; found by eventName %zu, by eventSource %zu, by a literal %zu, "
            "asked of every kind of record %zu\n",
            rs->rules.n, rs->faults.n, s.by_name, s.by_source, s.gated, s.general);
        if (rs->skipped.n > 0)
            printf("%zu rules are not for CloudTrail, and were left out\n", rs->skipped.n);
        matcher_free(m);
    }
    rules_free(rs);
    return code;
}

/* -- explain -- */
struct explain {
    struct rules *rs;
    const struct rule *rule;
    struct match_worker *w;
    bool seen, holds;
    struct buf out;
};

static void values_of(struct explain *x, struct record *r, const struct test *t)
{
    const struct vals *v = record_get(r, t->path);
    if (t->op == OP_CONST || t->op == OP_KEYWORD || t->path == 0)
        return;
    buf_c(&x->out, " [");
    if (!v->present)
        buf_c(&x->out, "not there");
    for (uint32_t i = 0; i < v->n && i < 5; i++) {
        buf_c(&x->out, i > 0 ? ", " : "");
        safe_text(&x->out, str_take(v->v[i].s, 120));
    }
    buf_c(&x->out, v->n > 5 ? ", …]" : "]");
}

/* What the test asks for: its label, and the path in front if that does not say it. */
static void asked(struct explain *x, const struct test *t)
{
    struct str path = x->rs->paths.v[t->path].text, label = str_c(t->label);
    if (path.n > 0 && str_find(label, path) < 0) {
        safe_text(&x->out, path);
        buf_c(&x->out, " ");
    }
    buf_c(&x->out, t->negate ? "(any but): " : "");
    safe_text(&x->out, str_take(label, 300));
    bool said = t->n_texts == 0 || (t->n_texts == 1 && str_find(label, t->texts[0]) >= 0);
    for (size_t i = 0; !said && i < t->n_texts && i < 8; i++) {
        buf_c(&x->out, i == 0 ? " (" : ", ");
        safe_text(&x->out, str_take(t->texts[i], 80));
    }
    buf_c(&x->out, said ? "" : t->n_texts > 8 ? ", \u2026)" : ")");
    if (t->op == OP_NUMBER || t->op == OP_TIME)
        buf_fmt(&x->out, " (%s%g to %g%s)", t->lo_open ? "above " : "", t->lo, t->hi,
                t->hi_open ? ", not with it" : "");
    if (t->also != NULL) {
        buf_c(&x->out, "; and of the same value, ");
        asked(x, t->also);
    }
}

static const char *kind_name(const struct expr *e)
{
    switch (e->kind) {
    case EXPR_OR: return "any of";
    case EXPR_NOT: return "not";
    case EXPR_SAME: return "of each list of objects, one element has it all";
    default: return "all of";
    }
}

static void explain_node(struct explain *x, struct record *r, const struct expr *e, int depth)
{
    while ((e->kind == EXPR_AND || e->kind == EXPR_OR) && e->n == 1 && e->name == NULL)
        e = e->kids[0];
    bool yes = match_one(x->w, r, e);
    buf_fmt(&x->out, "%s %*s", yes ? "holds  " : "fails  ", depth * 2, "");
    if (e->kind == EXPR_TEST) {
        asked(x, e->test);
        values_of(x, r, e->test);
        buf_c(&x->out, "\n");
        return;
    }
    buf_c(&x->out, e->name != NULL ? e->name : kind_name(e));
    buf_c(&x->out, "\n");
    for (size_t i = 0; i < e->n; i++)
        explain_node(x, r, e->kids[i], depth + 1);
}

static void see_record(void *ctx, struct record *r, uint64_t offset)
{
    struct explain *x = ctx;
    (void)offset;
    if (x->seen)
        return;
    x->seen = true;
    record_next(r);
    x->holds = match_one(x->w, r, x->rule->expr);
    explain_node(x, r, x->rule->expr, 0);
}

static void see_fault(void *ctx, uint64_t offset, const char *what)
{
    (void)ctx;
    fprintf(stderr, "ward rules: byte %llu: %s\n", (unsigned long long)offset, what);
}

static void plain_fault(void *ctx, const char *what)
{
    see_fault(ctx, 0, what);
}

static size_t take(void *feed, const char *p, size_t n, bool last)
{
    return feed_take(feed, p, n, last);
}

static ptrdiff_t read_file(void *f, void *buf, size_t n)
{
    size_t got = fread(buf, 1, n, f);
    return got == 0 && ferror((FILE *)f) ? -EIO : (ptrdiff_t)got;
}

static int explain_file(struct explain *x, const char *path)
{
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        fprintf(stderr, "ward rules: %s: %s\n", path, strerror(errno));
        return 2;
    }
    struct feed feed;
    struct unpack u;
    struct feed_sink sink = {x, see_record, see_fault};
    feed_init(&feed, &x->rs->paths, sink);
    feed_start(&feed);
    unpack_init(&u, UNPACK_STREAM_BYTES);
    u.read = read_file;
    u.ctx = f;
    u.take = take;
    u.fault = plain_fault;
    u.sink = &feed;
    unpack_file(&u);
    fclose(f);
    unpack_clear(&u);
    feed_clear(&feed);
    if (!x->seen) {
        fprintf(stderr, "ward rules: %s: no record was found in it\n", path);
        return 2;
    }
    if (x->out.n > 0)
        fwrite(x->out.p, 1, x->out.n, stdout);
    printf("%.*s %s\n", STR_ARG(x->rule->id), x->holds ? "matches" : "does not match");
    return x->holds ? 1 : 0;
}

static int explain(int argc, char **argv)
{
    struct explain x = {.rs = rules_new()};
    int i = 0;
    buf_init(&x.out, 1 << 24);
    engine_paths(x.rs);
    rules_load_builtin(x.rs);
    for (; i + 1 < argc && strcmp(argv[i], "--rules") == 0; i += 2)
        rules_load(x.rs, argv[i + 1]);
    rules_finish(x.rs);
    scan_print_rule_faults(x.rs);
    int code = 2;
    struct matcher *m = NULL;
    struct err *e = matcher_new(x.rs, &m);
    for (size_t k = 0; i + 2 == argc && k < x.rs->rules.n; k++) {
        if (str_is(x.rs->rules.v[k].id, argv[i]) || str_is(x.rs->rules.v[k].name, argv[i]))
            x.rule = &x.rs->rules.v[k];
    }
    if (e != NULL || i + 2 != argc) {
        fprintf(stderr, "%s", e != NULL ? e->message : usage);
        err_free(e);
    } else if (x.rule == NULL) {
        fprintf(stderr, "ward rules: there is no rule %s\n", argv[i]);
    } else if (x.rule->expr == NULL) {
        fprintf(stderr, "ward rules: %s is a correlation: it holds over records, not for one\n",
                argv[i]);
    } else {
        x.w = match_worker_new(m);
        code = explain_file(&x, argv[i + 1]);
        match_worker_free(x.w);
    }
    matcher_free(m);
    buf_clear(&x.out);
    rules_free(x.rs);
    return code;
}

int rules_main(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "check") == 0)
        return check(argc - 2, argv + 2);
    if (argc >= 4 && strcmp(argv[1], "explain") == 0)
        return explain(argc - 2, argv + 2);
    bool help = argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    fputs(usage, help ? stdout : stderr);
    return help ? 0 : 2;
}
