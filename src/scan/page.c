/* The report: one page, made to be mailed and kept. No script; nothing is fetched. */
#include <errno.h>

#include "../core/clock.h"
#include "output.h"
#include "safe.h"

enum { PAGE_LINE_MAX = 16 * 1024 * 1024, PAGE_DAYS = 120 };

struct page {
    FILE *f;
    const struct rules *rules;
    enum severity least;
    struct buf b;
    bool failed;
    int errnum;
};

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'\">\n<title>Ward scan report</title>\n<style>\n"
    ":root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#59636e;--line:#d1d9e0;"
    "--card:#f6f8fa;--bar:#0969da}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#0d1117;--fg:#e6edf3;--dim:#9198a1;"
    "--line:#3d444d;--card:#151b23;--bar:#4493f8}}\n"
    "body{margin:0 auto;padding:1rem;max-width:70rem;background:var(--bg);color:var(--fg);"
    "font:15px/1.5 system-ui,sans-serif}\n"
    "h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}\n"
    ".tops{display:grid;grid-template-columns:repeat(auto-fit,minmax(16rem,1fr));gap:1rem}\n"
    ".tops table,.counts{background:var(--card);border:1px solid var(--line);border-radius:6px;"
    "padding:.5rem;width:100%;table-layout:fixed}\n"
    "td{overflow-wrap:anywhere;vertical-align:top}td.n{width:5.5rem;text-align:right;"
    "padding-right:.75rem;font-variant-numeric:tabular-nums}\n"
    "details{border:1px solid var(--line);border-left:4px solid var(--dim);border-radius:6px;"
    "margin:.5rem 0;padding:.5rem .75rem}\n"
    "summary{cursor:pointer;overflow-wrap:anywhere}\n"
    ".critical{border-left-color:#cf222e}.high{border-left-color:#e16f24}"
    ".medium{border-left-color:#bf8700}.low{border-left-color:#1a7f37}\n"
    ".sev{font-size:.8rem;text-transform:uppercase;letter-spacing:.03em}\n"
    "time,.dim{color:var(--dim)}pre{white-space:pre-wrap;overflow-wrap:anywhere;"
    "background:var(--card);padding:.5rem;border-radius:6px;max-height:30rem;overflow:auto}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:0 1rem;margin:.5rem 0}"
    "dd{margin:0;overflow-wrap:anywhere}\n"
    "svg{width:100%;height:6rem;display:block}svg rect{fill:var(--bar)}\n"
    "@media(max-width:40rem){dl{grid-template-columns:1fr}dd{margin-bottom:.4rem}}\n"
    "</style></head><body>\n";

static void flush(struct page *p)
{
    if (!p->failed && (!buf_ok(&p->b) || fwrite(p->b.p, 1, p->b.n, p->f) != p->b.n)) {
        p->failed = true;
        p->errnum = errno;
    }
    buf_clear(&p->b);
    buf_init(&p->b, PAGE_LINE_MAX);
}

static void timeline(struct page *p, const struct summary *s)
{
    uint64_t days[PAGE_DAYS], most = 1;
    char from[16], to[16];
    size_t n = summary_days(s, days, PAGE_DAYS, from, to);
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        most = days[i] > most ? days[i] : most;
    buf_fmt(&p->b, "<h2>Timeline</h2>\n<svg viewBox=\"0 0 %zu 100\" preserveAspectRatio=\"none\" "
                   "role=\"img\" aria-label=\"Findings from %s to %s, at most %llu\">\n",
            n * 10, from, to, (unsigned long long)most);
    for (size_t i = 0; i < n; i++) {
        unsigned h = (unsigned)(days[i] * 96 / most);
        if (days[i] > 0)
            buf_fmt(&p->b, "<rect x=\"%zu\" y=\"%u\" width=\"8\" height=\"%u\"><title>%llu"
                           "</title></rect>\n",
                    i * 10 + 1, 98 - h, h + 2, (unsigned long long)days[i]);
    }
    buf_fmt(&p->b, "</svg>\n<p class=\"dim\">%s to %s, at most %llu</p>\n", from, to,
            (unsigned long long)most);
}

static void tops(struct page *p, const struct summary *s)
{
    static const char *const titles[TOP_KINDS] = {"Rules", "Principals", "Addresses"};
    buf_c(&p->b, "<h2>Most findings</h2>\n<div class=\"tops\">\n");
    for (int k = 0; k < TOP_KINDS; k++) {
        struct top_row rows[TOP_SHOWN];
        size_t n = summary_top(s, (enum top_of)k, rows, TOP_SHOWN);
        buf_fmt(&p->b, "<table><caption>%s</caption>\n", titles[k]);
        for (size_t i = 0; i < n; i++) {
            buf_fmt(&p->b, "<tr><td class=\"n\">%llu</td><td>", (unsigned long long)rows[i].n);
            safe_html(&p->b, rows[i].key);
            buf_c(&p->b, "</td></tr>\n");
        }
        buf_c(&p->b, "</table>\n");
    }
    buf_c(&p->b, "</div>\n");
}

static void faults(struct page *p, const struct engine *en)
{
    if (en->n_faults == 0)
        return;
    buf_c(&p->b, "<h2>What could not be read</h2>\n<ul>\n");
    for (size_t i = 0; i < en->n_faults; i++) {
        buf_c(&p->b, "<li>");
        safe_html(&p->b, str_c(en->fault_list[i].file));
        buf_fmt(&p->b, ", byte %llu: ", (unsigned long long)en->fault_list[i].offset);
        safe_html(&p->b, str_c(en->fault_list[i].text));
        buf_c(&p->b, "</li>\n");
        if (p->b.n > 65536)
            flush(p);
    }
    buf_c(&p->b, "</ul>\n");
}

struct err *page_open(const char *path, const struct rules *rs, const struct summary *s,
                      const struct engine *en, enum severity least, struct page **out)
{
    FILE *f = fopen(path, "we");
    if (f == NULL)
        return err_errno(errno, "writing the report");
    struct page *p = calloc(1, sizeof *p);
    CHECK(p != NULL);
    p->f = f;
    p->rules = rs;
    p->least = least;
    buf_init(&p->b, PAGE_LINE_MAX);
    buf_c(&p->b, head);
    buf_fmt(&p->b, "<h1>Ward scan report</h1>\n<p>%llu findings in %llu records of %llu files",
            (unsigned long long)summary_findings(s), (unsigned long long)en->counts.records,
            (unsigned long long)en->counts.files);
    if (en->counts.first[0] != '\0') {
        buf_c(&p->b, ", ");
        safe_html(&p->b, str_c(en->counts.first));
        buf_c(&p->b, " to ");
        safe_html(&p->b, str_c(en->counts.last));
    }
    buf_c(&p->b, "</p>\n<table class=\"counts\">\n");
    for (int i = SEV_COUNT - 1; i >= 0; i--)
        buf_fmt(&p->b, "<tr><td class=\"n\">%llu</td><td>%s</td></tr>\n",
                (unsigned long long)summary_by_severity(s, (enum severity)i), severity_names[i]);
    buf_c(&p->b, "</table>\n");
    timeline(p, s);
    tops(p, s);
    faults(p, en);
    buf_c(&p->b, "<h2>Findings</h2>\n");
    flush(p);
    *out = p;
    return NULL;
}

static void term(struct buf *b, const char *name, struct str value)
{
    if (value.n == 0)
        return;
    buf_fmt(b, "<dt class=\"dim\">%s</dt><dd>", name);
    safe_html(b, value);
    buf_c(b, "</dd>");
}

void page_finding(void *page, const struct finding *f)
{
    struct page *p = page;
    struct buf *b = &p->b;
    const struct rule *r = &p->rules->rules.v[f->rule];
    char time[40], offset[24];
    if (r->severity < p->least)
        return;
    time_of_finding(f, time);
    snprintf(offset, sizeof offset, "%llu", (unsigned long long)f->offset);
    buf_fmt(b, "<details class=\"%s\"><summary><span class=\"sev\">%s</span> <time>%s</time> <b>",
            severity_names[r->severity], severity_names[r->severity], time);
    safe_html(b, r->title.n > 0 ? r->title : r->id);
    buf_c(b, "</b> ");
    safe_html(b, f->text[F_ACTION]);
    buf_c(b, " <span class=\"dim\">");
    safe_html(b, f->text[F_PRINCIPAL]);
    buf_c(b, "</span></summary><dl>");
    term(b, "rule", r->id);
    term(b, "why", r->reason);
    term(b, "reference", r->reference);
    term(b, "note", f->text[F_NOTE]);
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
    buf_c(b, "</details>\n");
    if (b->n > 65536)
        flush(p);
}

struct err *page_close(struct page *p)
{
    buf_c(&p->b, "</body></html>\n");
    flush(p);
    bool failed = p->failed;
    int errnum = p->errnum;
    if (fclose(p->f) != 0) {
        failed = true;
        errnum = errno;
    }
    buf_clear(&p->b);
    free(p);
    return failed ? err_errno(errnum, "writing the report") : NULL;
}
