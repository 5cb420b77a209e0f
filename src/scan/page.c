/* The report: one page, made to be mailed and kept. No script; nothing is fetched. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/clock.h"
#include "output.h"
#include "safe.h"

enum { PAGE_LINE_MAX = 16 * 1024 * 1024, PAGE_DAYS = 120, CHART_HEIGHT = 100 };

struct page {
    FILE *f;
    char *path, *beside; /* beside NULL: the page is written to its place at once */
    const struct rules *rules;
    enum severity least;
    struct buf b;
    bool failed;
    int errnum;
};

/* The boxes above the findings hide a severity without a script: what is not ticked takes its
 * findings, which are siblings of the box, away. */
static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'\">\n<title>Ward scan report</title>\n<style>\n"
    ":root{color-scheme:light dark;--bg:#fbfbfa;--fg:#1d2329;--dim:#5f6a75;--line:#dfe3e8;"
    "--card:#fff;--soft:#f1f3f5;--critical:#b3261e;--high:#d9480f;--medium:#b58100;--low:#2b8a3e;"
    "--info:#66788a;--bar:#e7edf5}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#101418;--fg:#e4e8ec;--dim:#98a3ae;"
    "--line:#2c343c;--card:#171d23;--soft:#1f262d;--critical:#ff6b61;--high:#ff922b;"
    "--medium:#f2c037;--low:#5fcf7c;--info:#8fa1b3;--bar:#24303c}}\n"
    "*{box-sizing:border-box}body{margin:0 auto;padding:2rem 1.25rem 4rem;max-width:76rem;"
    "background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,-apple-system,'Segoe UI',"
    "sans-serif}\n"
    "h1{font-size:1.6rem;line-height:1.2;margin:0 0 .25rem}h2{font-size:1.05rem;margin:2.25rem 0 "
    ".75rem}p{margin:.25rem 0}.dim,time{color:var(--dim)}\n"
    ".card{background:var(--card);border:1px solid var(--line);border-radius:10px}\n"
    ".counts{display:grid;grid-template-columns:repeat(5,1fr);gap:.75rem;margin-top:1.25rem}\n"
    ".counts div{padding:.75rem 1rem;border-top:4px solid var(--c)}.counts b{display:block;"
    "font-size:1.6rem;line-height:1.2;font-variant-numeric:tabular-nums}.counts .zero{opacity:.5}\n"
    ".critical{--c:var(--critical)}.high{--c:var(--high)}.medium{--c:var(--medium)}"
    ".low{--c:var(--low)}.info{--c:var(--info)}\n"
    ".chart{padding:1rem 1rem .5rem}svg{width:100%;height:8rem;display:block;border-bottom:1px "
    "solid var(--line)}rect{fill:var(--c)}.axis{display:flex;justify-content:space-between;"
    "font-size:.85rem;padding-top:.25rem}\n"
    ".tops{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(20rem,100%),1fr));"
    "gap:1rem;align-items:start}"
    ".tops .card{padding:.75rem 1rem}.tops h3{font-size:.9rem;margin:0 0 .5rem}\n"
    ".tops ol{list-style:none;margin:0;padding:0}.tops li{display:grid;grid-template-columns:1fr "
    "auto;gap:1rem;padding:.3rem .5rem;margin:.2rem 0;border-radius:5px;overflow-wrap:anywhere;"
    "background:linear-gradient(var(--bar),var(--bar)) 0/var(--w) 100% no-repeat}.tops li "
    "b{font-weight:600;font-variant-numeric:tabular-nums}.tops small{display:block;"
    "color:var(--dim)}\n"
    ".list>input{position:absolute;opacity:0}.list>label{display:inline-block;margin:0 .4rem "
    ".75rem 0;padding:.15rem .7rem;border:1px solid var(--c);border-radius:1rem;color:var(--c);"
    "font-size:.85rem;cursor:pointer;opacity:.55}.list>input:checked+label{background:var(--c);"
    "color:var(--bg);opacity:1}.list>input:focus-visible+label{outline:2px solid var(--fg);"
    "outline-offset:2px}\n"
    "#critical:not(:checked)~details.critical,#high:not(:checked)~details.high,"
    "#medium:not(:checked)~details.medium,#low:not(:checked)~details.low,"
    "#info:not(:checked)~details.info{display:none}\n"
    "details{background:var(--card);border:1px solid var(--line);border-left:4px solid var(--c);"
    "border-radius:6px;margin:.35rem 0}summary{cursor:pointer;padding:.5rem .75rem;display:grid;"
    "grid-template-columns:5rem 10.5rem minmax(0,1.4fr) minmax(0,1fr);gap:.1rem .75rem;"
    "overflow-wrap:anywhere;list-style:none}summary::-webkit-details-marker{display:none}"
    "summary:hover{background:var(--soft)}details[open]>summary{border-bottom:1px solid "
    "var(--line)}\n"
    ".sev{font-size:.75rem;font-weight:600;text-transform:uppercase;letter-spacing:.04em;"
    "color:var(--c);padding-top:.15rem}time{font-variant-numeric:tabular-nums}summary b{"
    "font-weight:600}.what small,.who small{display:block;color:var(--dim)}\n"
    ".body{padding:.75rem}dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;"
    "margin:0}dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}pre{white-space:pre-wrap;"
    "overflow-wrap:anywhere;background:var(--soft);padding:.75rem;border-radius:6px;"
    "max-height:30rem;overflow:auto;font-size:.82rem;margin:.75rem 0 0}\n"
    ".faults{padding:.75rem 1rem .75rem 2rem;margin:0;border-left:4px solid var(--high)}"
    ".faults li{overflow-wrap:anywhere}.none{padding:1.5rem;text-align:center;color:var(--dim)}\n"
    "@media(max-width:52rem){body{padding:1.25rem .9rem 3rem}.counts{grid-template-columns:repeat("
    "auto-fit,minmax(6rem,1fr));gap:.5rem}.counts div{padding:.5rem .75rem}summary{"
    "grid-template-columns:1fr auto}.what,.who{grid-column:1/-1}dl{grid-template-columns:1fr}"
    "dd{margin-bottom:.4rem}}\n"
    "@media print{.list>label{display:none}details{break-inside:avoid}}\n"
    "</style></head><body>\n";

static void flush(struct page *p)
{
    if (!p->failed && p->b.n > 0 &&
        (!buf_ok(&p->b) || fwrite(p->b.p, 1, p->b.n, p->f) != p->b.n)) {
        p->failed = true;
        p->errnum = errno;
    }
    buf_clear(&p->b);
    buf_init(&p->b, PAGE_LINE_MAX);
}

static void counts(struct page *p, const struct summary *s)
{
    buf_c(&p->b, "<div class=\"counts\">\n");
    for (int i = SEV_COUNT - 1; i >= 0; i--) {
        uint64_t n = summary_by_severity(s, (enum severity)i);
        buf_fmt(&p->b, "<div class=\"card %s%s\"><b>%llu</b>%s</div>\n", severity_names[i],
                n == 0 ? " zero" : "", (unsigned long long)n, severity_names[i]);
    }
    buf_c(&p->b, "</div>\n");
}

/* A bar for a day, or for some when there are many: the worst severity at the bottom. */
static void bar(struct page *p, size_t i, const uint64_t day[SEV_COUNT], uint64_t most)
{
    double y = CHART_HEIGHT;
    uint64_t all = 0;
    for (int k = 0; k < SEV_COUNT; k++)
        all += day[k];
    if (all == 0)
        return;
    buf_fmt(&p->b, "<g><title>%llu</title>", (unsigned long long)all);
    for (int k = SEV_COUNT - 1; k >= 0; k--) {
        double h = (double)day[k] * (CHART_HEIGHT - 2) / (double)most;
        if (day[k] == 0)
            continue;
        h = h < 1.5 ? 1.5 : h;
        y -= h;
        buf_fmt(&p->b, "<rect class=\"%s\" x=\"%zu.5\" y=\"%.1f\" width=\"9\" height=\"%.1f\"/>",
                severity_names[k], i * 10, y < 0 ? 0 : y, h);
    }
    buf_c(&p->b, "</g>\n");
}

static void timeline(struct page *p, const struct summary *s)
{
    uint64_t days[PAGE_DAYS][SEV_COUNT], most = 1;
    char from[16], to[16];
    size_t n = summary_days(s, days, PAGE_DAYS, from, to);
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        uint64_t all = 0;
        for (int k = 0; k < SEV_COUNT; k++)
            all += days[i][k];
        most = all > most ? all : most;
    }
    /* A few days are not drawn as wide as the page. */
    size_t shown = n < 30 ? 30 : n;
    buf_fmt(&p->b,
            "<h2>Timeline</h2>\n<div class=\"card chart\"><p class=\"dim\">at most %llu</p>"
            "<svg viewBox=\"0 0 %zu %d\" preserveAspectRatio=\"none\" role=\"img\" "
            "aria-label=\"Findings from %s to %s, at most %llu\">\n",
            (unsigned long long)most, shown * 10, CHART_HEIGHT, from, to,
            (unsigned long long)most);
    for (size_t i = 0; i < n; i++)
        bar(p, i, days[i], most);
    buf_fmt(&p->b, "</svg><p class=\"axis dim\"><span>%s</span><span>%s</span></p></div>\n", from,
            strcmp(from, to) == 0 || n < shown ? "" : to);
    if (strcmp(from, to) != 0 && n < shown)
        buf_fmt(&p->b, "<p class=\"dim\">%s to %s</p>\n", from, to);
}

static const struct rule *rule_of(const struct rules *rs, struct str id)
{
    for (size_t i = 0; i < rs->rules.n; i++) {
        if (str_eq(rs->rules.v[i].id, id))
            return &rs->rules.v[i];
    }
    return NULL;
}

static void top_row(struct page *p, enum top_of of, const struct top_row *row, uint64_t most)
{
    const struct rule *r = of == TOP_RULE ? rule_of(p->rules, row->key) : NULL;
    struct str name = of == TOP_PRINCIPAL ? output_short(row->key) : row->key;
    unsigned width = (unsigned)(row->n * 100 / (most == 0 ? 1 : most));
    buf_fmt(&p->b, "<li style=\"--w:%u%%\"><span>", width);
    safe_html(&p->b, r != NULL && r->title.n > 0 ? r->title : name);
    if (r != NULL && r->title.n > 0) {
        buf_c(&p->b, "<small>");
        safe_html(&p->b, r->id);
        buf_c(&p->b, "</small>");
    }
    buf_fmt(&p->b, "</span><b>%llu</b></li>\n", (unsigned long long)row->n);
}

static void tops(struct page *p, const struct summary *s)
{
    static const char *const titles[TOP_KINDS] = {"Rules", "Principals", "Addresses"};
    if (summary_findings(s) == 0)
        return;
    buf_c(&p->b, "<h2>Most findings</h2>\n<div class=\"tops\">\n");
    for (int k = 0; k < TOP_KINDS; k++) {
        struct top_row rows[TOP_SHOWN];
        size_t n = summary_top(s, (enum top_of)k, rows, TOP_SHOWN);
        buf_fmt(&p->b, "<div class=\"card\"><h3>%s</h3><ol>\n", titles[k]);
        for (size_t i = 0; i < n; i++)
            top_row(p, (enum top_of)k, &rows[i], rows[0].n);
        buf_c(&p->b, "</ol></div>\n");
    }
    buf_c(&p->b, "</div>\n");
}

static void faults(struct page *p, const struct engine *en)
{
    if (en->n_faults == 0)
        return;
    buf_c(&p->b, "<h2>What could not be read</h2>\n<ul class=\"card faults\">\n");
    for (size_t i = 0; i < en->n_faults; i++) {
        buf_c(&p->b, "<li>");
        safe_html(&p->b, str_c(en->fault_list[i].file));
        if (en->fault_list[i].offset > 0)
            buf_fmt(&p->b, ", byte %llu", (unsigned long long)en->fault_list[i].offset);
        buf_c(&p->b, ": ");
        safe_html(&p->b, str_c(en->fault_list[i].text));
        buf_c(&p->b, "</li>\n");
        if (p->b.n > 65536)
            flush(p);
    }
    if (en->counts.faults > en->n_faults)
        buf_fmt(&p->b, "<li>and %llu more</li>\n",
                (unsigned long long)(en->counts.faults - en->n_faults));
    buf_c(&p->b, "</ul>\n");
}

static void title(struct page *p, const struct summary *s, const struct engine *en)
{
    buf_c(&p->b, head);
    buf_fmt(&p->b,
            "<h1>Ward scan report</h1>\n<p>%llu findings in %llu records of %llu files</p>\n",
            (unsigned long long)summary_findings(s), (unsigned long long)en->counts.records,
            (unsigned long long)en->counts.files);
    if (en->counts.first[0] != '\0') {
        buf_c(&p->b, "<p class=\"dim\">");
        safe_html(&p->b, str_c(en->counts.first));
        buf_c(&p->b, " to ");
        safe_html(&p->b, str_c(en->counts.last));
        buf_c(&p->b, "</p>\n");
    }
}

/* A page takes the place of an older one only when it is whole: it is written beside it, to a file
 * that was not there. What is no plain file (a link, a device) is written to at once. */
static FILE *open_page(struct page *p)
{
    struct stat st;
    bool there = lstat(p->path, &st) == 0;
    if (there && !S_ISREG(st.st_mode))
        return fopen(p->path, "we");
    mode_t mask = umask(0);
    umask(mask);
    CHECK(asprintf(&p->beside, "%s.XXXXXX", p->path) >= 0);
    int fd = mkostemp(p->beside, O_CLOEXEC);
    FILE *f = fd < 0 || fchmod(fd, there ? st.st_mode & 0777 : 0666 & ~mask) != 0
                  ? NULL : fdopen(fd, "w");
    if (f == NULL && fd >= 0) {
        int was = errno;
        close(fd);
        unlink(p->beside);
        errno = was;
    }
    return f;
}

static void forget(struct page *p)
{
    buf_clear(&p->b);
    free(p->path);
    free(p->beside);
    free(p);
}

struct err *page_open(const char *path, const struct rules *rs, const struct summary *s,
                      const struct engine *en, enum severity least, struct page **out)
{
    struct page *p = calloc(1, sizeof *p);
    CHECK(p != NULL);
    p->path = strdup(path);
    CHECK(p->path != NULL);
    p->f = open_page(p);
    if (p->f == NULL) {
        int was = errno;
        forget(p);
        return err_errno(was, "writing the report");
    }
    p->rules = rs;
    p->least = least;
    buf_init(&p->b, PAGE_LINE_MAX);
    title(p, s, en);
    counts(p, s);
    timeline(p, s);
    tops(p, s);
    faults(p, en);
    buf_c(&p->b, "<h2>Findings</h2>\n<div class=\"list\">\n");
    for (int i = SEV_COUNT - 1; i >= 0; i--) {
        if (summary_by_severity(s, (enum severity)i) > 0)
            buf_fmt(&p->b, "<input type=\"checkbox\" id=\"%s\" checked><label for=\"%s\" "
                           "class=\"%s\">%s</label>\n",
                    severity_names[i], severity_names[i], severity_names[i], severity_names[i]);
    }
    if (summary_findings(s) == 0)
        buf_c(&p->b, "<p class=\"card none\">Nothing was found.</p>\n");
    flush(p);
    *out = p;
    return NULL;
}

static void term(struct buf *b, const char *name, struct str value)
{
    if (value.n == 0)
        return;
    buf_fmt(b, "<dt>%s</dt><dd>", name);
    safe_html(b, value);
    buf_c(b, "</dd>");
}

static void finding_line(struct buf *b, const struct finding *f, const struct rule *r)
{
    char time[40];
    time_of_finding(f, time);
    if (strlen(time) == 20)
        time[10] = ' ', time[19] = '\0'; /* all are UTC: the head says so with its Z */
    buf_fmt(b, "<details class=\"%s\"><summary><span class=\"sev\">%s</span><time>%s</time>"
               "<span class=\"what\"><b>",
            severity_names[r->severity], severity_names[r->severity], time);
    safe_html(b, r->title.n > 0 ? r->title : r->id);
    buf_c(b, "</b><small>");
    safe_html(b, f->text[F_ACTION]);
    if (f->text[F_NOTE].n > 0) {
        buf_c(b, " \u00b7 ");
        safe_html(b, f->text[F_NOTE]);
    }
    buf_c(b, "</small></span><span class=\"who\">");
    safe_html(b, output_short(f->text[F_PRINCIPAL]));
    buf_c(b, "<small>");
    safe_html(b, f->text[F_ADDRESS]);
    buf_c(b, "</small></span></summary>");
}

void page_finding(void *page, const struct finding *f)
{
    struct page *p = page;
    struct buf *b = &p->b;
    const struct rule *r = &p->rules->rules.v[f->rule];
    char offset[24];
    if (r->severity < p->least)
        return;
    snprintf(offset, sizeof offset, "%llu", (unsigned long long)f->offset);
    finding_line(b, f, r);
    buf_c(b, "<div class=\"body\"><dl>");
    term(b, "rule", r->id);
    term(b, "why", r->reason);
    term(b, "reference", r->reference);
    term(b, "note", f->text[F_NOTE]);
    term(b, "principal", f->text[F_PRINCIPAL]);
    term(b, "address", f->text[F_ADDRESS]);
    term(b, "resource", f->text[F_RESOURCE]);
    term(b, "account", f->text[F_ACCOUNT]);
    term(b, "region", f->text[F_REGION]);
    term(b, "eventID", f->text[F_EVENT_ID]);
    term(b, "file", f->text[F_FILE]);
    term(b, "SHA-256", f->text[F_SHA256]);
    term(b, "offset", str_c(offset));
    buf_c(b, "</dl>");
    if (f->text[F_RECORD].n > 0) {
        buf_c(b, "<pre>");
        safe_html(b, f->text[F_RECORD]);
        buf_c(b, "</pre>");
    }
    buf_c(b, "</div></details>\n");
    if (b->n > 65536)
        flush(p);
}

struct err *page_close(struct page *p)
{
    buf_c(&p->b, "</div>\n</body></html>\n");
    flush(p);
    bool failed = p->failed;
    int errnum = p->errnum;
    if (fclose(p->f) != 0) {
        failed = true;
        errnum = errno;
    }
    if (!failed && p->beside != NULL && rename(p->beside, p->path) != 0) {
        failed = true;
        errnum = errno;
    }
    if (failed && p->beside != NULL)
        unlink(p->beside);
    forget(p);
    return failed ? err_errno(errnum, "writing the report") : NULL;
}
