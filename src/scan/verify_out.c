/* What `ward verify` says: findings with what they mean, and which hours are proven. */
#include <stdarg.h>

#include "../core/clock.h"
#include "safe.h"
#include "verify.h"

static const struct kind {
    const char *name, *means, *next;
} kinds[] = {
    {"unreadable", "it was not checked",
     "give this user access to it (s3:GetObject, kms:Decrypt), or copy it again"},
    {"double", "a copy that was not checked lies in the archive, and a scan would read it",
     "remove the copy, or verify the folders one by one"},
    {"foreign", "CloudTrail did not put it there, and nothing proves it",
     "find out who did, and take it out before searching the archive"},
    {"no-digests", "nothing proves these logs",
     "turn on log file validation for the trail, or name a PATH that has CloudTrail-Digest in it"},
    {"digest-missing", "nothing proves what was logged then; it was deleted, or not copied",
     "look for DeleteObject in the data events of the bucket; restore it from a version or copy"},
    {"digest-altered", "nothing that it says can be relied on",
     "restore it from a version or copy, and look for PutObject in the data events of the bucket"},
    {"digest-odd", "CloudTrail does not write digests like this",
     "restore it from a version or copy, and find out who wrote it"},
    {"digest-moved", "it was moved or copied, and stands for another file than its name says",
     "put it back, or verify the folder that it came from"},
    {"no-signature", "this digest and the log files that it names are not proven",
     "save its metadata beside it: aws s3api head-object --bucket B --key K > FILE.metadata.json"},
    {"no-key", "its signature was not checked",
     "give --keys with what `aws cloudtrail list-public-keys` prints for its region and time"},
    {"chain-restarts", "validation was off for a time, or the digests between were deleted",
     "look for UpdateTrail, StopLogging and DeleteTrail at that time"},
    {"chain-begins-late", "older digests were deleted, or not copied",
     "copy them, or give --since if they were meant to expire"},
    {"chain-forks", "two digests stand for the same time, and one of them is not CloudTrail's",
     "compare both with a version or copy of the bucket"},
    {"gap", "no digest is missing, but none stands for this time",
     "look for StopLogging and StartLogging at that time"},
    {"newest-missing", "the trail or validation was stopped, or the newest digests were deleted",
     "look for StopLogging, UpdateTrail and DeleteTrail, and for DeleteObject in the data events"},
    {"log-altered", "it is not the file that CloudTrail delivered",
     "restore it from a version or copy, and look for PutObject in the data events of the bucket"},
    {"log-missing", "what was logged in it is not in the archive",
     "restore it from a version or copy, and look for DeleteObject in the data events"},
    {"log-moved", "a file of that name stands where CloudTrail did not put it",
     "put it back, or verify the folder that it came from"},
    {"log-unnamed", "it was added by hand, or its digest is missing",
     "restore the digest of its hour; if that does not name it, find out who put it there"},
    {"log-claimed-twice", "CloudTrail names a file once: one of the digests is not its own",
     "compare both digests with a version or copy of the bucket"},
};

static const struct kind *kind_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    }
    CHECK(!"a kind of finding without a row");
    return NULL;
}

void verify_note(struct verify *v, struct str file, const char *kind, const char *fmt, ...)
{
    struct buf text = BUF_INIT(8192);
    va_list ap;
    va_start(ap, fmt);
    buf_vfmt(&text, fmt, ap);
    va_end(ap);
    kind_of(kind);
    pthread_mutex_lock(&v->lock);
    if (v->n_findings++ < VERIFY_FINDINGS_MAX) {
        struct finding_note n = {arena_str(v->a, file.p == NULL ? STR("") : file),
                                 arena_str(v->a, buf_view(&text)), kind};
        VEC_PUSH(v->a, &v->findings, n);
    }
    pthread_mutex_unlock(&v->lock);
    buf_clear(&text);
}

void verify_fault(void *verify, const char *name, const char *what)
{
    struct verify *v = verify;
    verify_note(v, str_c(name), "unreadable", "%s", what);
    pthread_mutex_lock(&v->lock);
    v->faults++;
    pthread_mutex_unlock(&v->lock);
}

static int by_file(const void *x, const void *y)
{
    const struct finding_note *a = x, *b = y;
    int d = str_cmp(a->file, b->file);
    if (d == 0)
        d = strcmp(a->kind, b->kind);
    return d != 0 ? d : str_cmp(a->text, b->text);
}

static void flush(struct buf *b)
{
    if (b->n > 0)
        fwrite(b->p, 1, b->n, stdout);
    buf_reset(b);
}

/* -- coverage ---------------------------------------------------------------------------------- */
enum state { PROVEN, NOT_PROVEN, NO_DIGEST };
static const char *const state_names[] = {"proven", "not proven", "no digest"};
static const char state_marks[] = "#!.";

/* One chain, cut into spans of the same state. */
struct span {
    int64_t from, to;
    enum state state;
};

struct cover {
    const struct digest *first;
    size_t digests;
    int64_t proven_ms;
    VEC(struct span) spans;
};

static void add_span(struct arena *a, struct cover *c, int64_t from, int64_t to, enum state state)
{
    struct span *last = c->spans.n > 0 ? &c->spans.v[c->spans.n - 1] : NULL;
    if (last != NULL && from < last->to)
        from = last->to;
    if (from >= to)
        return;
    if (state == PROVEN)
        c->proven_ms += to - from;
    if (last != NULL && last->state == state && last->to == from) {
        last->to = to;
        return;
    }
    struct span s = {from, to, state};
    VEC_PUSH(a, &c->spans, s);
}

static void cover_chain(struct verify *v, size_t from, size_t to, struct cover *out)
{
    *out = (struct cover){.first = v->digests.v[from], .digests = to - from};
    for (size_t i = from; i < to; i++) {
        const struct digest *d = v->digests.v[i];
        const struct span *last = out->spans.n > 0 ? &out->spans.v[out->spans.n - 1] : NULL;
        if (last != NULL && last->to < d->start_ms)
            add_span(v->a, out, last->to, d->start_ms, NO_DIGEST);
        add_span(v->a, out, d->start_ms, d->end_ms,
                 d->good && d->logs_bad == 0 ? PROVEN : NOT_PROVEN);
    }
}

static double hours(int64_t ms)
{
    return (double)ms / HOUR_MS;
}

static int64_t cover_from(const struct cover *c)
{
    return c->spans.n > 0 ? c->spans.v[0].from : c->first->start_ms;
}

static int64_t cover_to(const struct cover *c)
{
    return c->spans.n > 0 ? c->spans.v[c->spans.n - 1].to : c->first->end_ms;
}

static void json_member(struct buf *b, const char *key, struct str value)
{
    buf_fmt(b, ",\"%s\":", key);
    safe_json(b, value);
}

static void cover_json(const struct cover *c, bool first, struct buf *b)
{
    char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];
    time_iso8601(cover_from(c), from);
    time_iso8601(cover_to(c), to);
    buf_c(b, first ? "\n  {\"account\":" : ",\n  {\"account\":");
    safe_json(b, c->first->account);
    json_member(b, "region", c->first->region);
    json_member(b, "trail", c->first->name.trail);
    json_member(b, "home_region", c->first->name.home);
    buf_fmt(b, ",\"backfill\":%s,\"from\":\"%s\",\"to\":\"%s\",\"hours\":%.2f,"
               "\"proven_hours\":%.2f,\"digests\":%zu,\"spans\":[",
            c->first->name.backfill ? "true" : "false", from, to,
            hours(cover_to(c) - cover_from(c)), hours(c->proven_ms), c->digests);
    for (size_t i = 0; i < c->spans.n; i++) {
        time_iso8601(c->spans.v[i].from, from);
        time_iso8601(c->spans.v[i].to, to);
        buf_fmt(b, "%s{\"from\":\"%s\",\"to\":\"%s\",\"state\":\"%s\"}", i > 0 ? "," : "", from, to,
                state_names[c->spans.v[i].state]);
        flush(b);
    }
    buf_c(b, "]}");
    flush(b);
}

/* -- the hours, day by day --------------------------------------------------------------------- */
enum { DAY_MS = 24 * HOUR_MS, DAYS_SHOWN = 60 };

/* The mark of an hour: the worst of what is known of it. ' ': outside the chain. */
static char hour_mark(const struct cover *c, int64_t hour, size_t *at)
{
    char mark = ' ';
    while (*at < c->spans.n && c->spans.v[*at].to <= hour)
        (*at)++;
    for (size_t i = *at; i < c->spans.n && c->spans.v[i].from < hour + HOUR_MS; i++) {
        char m = state_marks[c->spans.v[i].state];
        if (mark == ' ' || m == '.' || (m == '!' && mark == '#'))
            mark = m;
    }
    return mark;
}

static void day_row(int64_t from, int64_t days, const char *marks, struct buf *b)
{
    char text[TIME_TEXT_MAX], end[TIME_TEXT_MAX];
    time_iso8601(from, text);
    time_iso8601(from + (days - 1) * DAY_MS, end);
    buf_fmt(b, "    %.10s %s %.10s  %.6s %.6s %.6s %.6s\n", text, days > 1 ? "to" : "  ",
            days > 1 ? end : "          ", marks, marks + 6, marks + 12, marks + 18);
    flush(b);
}

/* Whole days from `day` on that look like `last`, as one span says; so that a span of years costs
 * no more than one of days. */
static int64_t same_days(const struct cover *c, size_t at, int64_t day, const char *last)
{
    const struct span *s = at < c->spans.n ? &c->spans.v[at] : NULL;
    if (s == NULL || s->from > day || s->to < day + DAY_MS)
        return 0;
    char one[2] = {state_marks[s->state], '\0'};
    return strspn(last, one) == 24 ? (s->to - day) / DAY_MS : 0;
}

/* Days that look the same are one row. */
static void day_rows(const struct cover *c, struct buf *b)
{
    char marks[25] = "", last[25] = "";
    int64_t day = cover_from(c) - ((cover_from(c) % DAY_MS) + DAY_MS) % DAY_MS, first = day;
    size_t at = 0, shown = 0;
    while (day < cover_to(c) && shown < DAYS_SHOWN) {
        int64_t skip = same_days(c, at, day, last);
        day += skip * DAY_MS;
        if (skip > 0)
            continue;
        for (int h = 0; h < 24; h++)
            marks[h] = hour_mark(c, day + h * (int64_t)HOUR_MS, &at);
        if (strcmp(marks, last) != 0 && last[0] != '\0') {
            day_row(first, (day - first) / DAY_MS, last, b);
            shown++;
        }
        if (strcmp(marks, last) != 0) {
            memcpy(last, marks, sizeof last);
            first = day;
        }
        day += DAY_MS;
    }
    if (shown == DAYS_SHOWN)
        buf_c(b, "    and more days; --json has them all\n");
    else if (last[0] != '\0')
        day_row(first, (day - first) / DAY_MS, last, b);
    flush(b);
}

static void cover_table(const struct cover *c, struct buf *b)
{
    char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];
    time_iso8601(cover_from(c), from);
    time_iso8601(cover_to(c), to);
    buf_c(b, "\n  ");
    safe_text(b, c->first->account);
    buf_c(b, "  ");
    safe_text(b, c->first->region);
    buf_c(b, "  trail ");
    safe_text(b, c->first->name.trail);
    buf_c(b, " of ");
    safe_text(b, c->first->name.home);
    buf_fmt(b, "%s\n    %s to %s: %.1f of %.1f hours proven by %zu digests\n",
            c->first->name.backfill ? ", backfill" : "", from, to, hours(c->proven_ms),
            hours(cover_to(c) - cover_from(c)), c->digests);
    if (!c->first->name.backfill)
        day_rows(c, b);
    flush(b);
}

static void coverage(struct verify *v, bool json, struct buf *b)
{
    struct cover c;
    for (size_t i = 0, to; i < v->digests.n; i = to) {
        to = verify_chain_end(v, i);
        cover_chain(v, i, to, &c);
        if (json)
            cover_json(&c, i == 0, b);
        else
            cover_table(&c, b);
    }
}

/* -- all of it --------------------------------------------------------------------------------- */
static void finding_line(const struct finding_note *n, bool json, bool first, struct buf *b)
{
    const struct kind *k = kind_of(n->kind);
    if (!json) {
        safe_text(b, n->file);
        buf_fmt(b, ": %s: ", k->name);
        safe_text(b, n->text);
        buf_fmt(b, ". It means: %s. Next: %s.\n", k->means, k->next);
        flush(b);
        return;
    }
    buf_fmt(b, "%s\n  {\"kind\":\"%s\"", first ? "" : ",", k->name);
    json_member(b, "file", n->file);
    json_member(b, "text", n->text);
    json_member(b, "means", str_c(k->means));
    json_member(b, "next", str_c(k->next));
    buf_c(b, "}");
    flush(b);
}

static void print_json(struct verify *v, struct buf *b)
{
    buf_fmt(b,
            "{\"whole\":%s,\"digests\":%zu,\"keys\":%zu,\"log_files_valid\":%zu,"
            "\"log_files_invalid\":%zu,\"log_files_not_due\":%zu,\"other_files\":%zu,"
            "\"unreadable\":%zu,\"coverage\":[",
            v->n_findings == 0 ? "true" : "false", v->digests.n, v->keys.n,
            (size_t)atomic_load(&v->logs_good), (size_t)atomic_load(&v->logs_bad), v->logs_pending,
            v->n_other + v->n_unnamed_other, v->faults);
    coverage(v, true, b);
    buf_fmt(b, "],\n\"findings_total\":%zu,\"findings\":[", v->n_findings);
    for (size_t i = 0; i < v->findings.n; i++)
        finding_line(&v->findings.v[i], true, i == 0, b);
    buf_c(b, "]}\n");
    flush(b);
}

static void print_table(struct verify *v, struct buf *b)
{
    for (size_t i = 0; i < v->findings.n; i++)
        finding_line(&v->findings.v[i], false, false, b);
    if (v->n_findings > v->findings.n)
        buf_fmt(b, "and %zu more findings\n", v->n_findings - v->findings.n);
    buf_fmt(b, "%s: %zu digests, %zu log files proven, %zu not, %zu findings\n",
            v->n_findings == 0 ? "The chain is whole" : "The chain is NOT whole", v->digests.n,
            (size_t)atomic_load(&v->logs_good), (size_t)atomic_load(&v->logs_bad), v->n_findings);
    if (v->logs_pending > 0)
        buf_fmt(b, "%zu log files are newer than the newest digest; the next one is not due yet\n",
                v->logs_pending);
    if (v->n_other > 0)
        buf_fmt(b, "%zu files are not of CloudTrail, and were not looked at\n", v->n_other);
    if (v->n_unnamed_other > 0)
        buf_fmt(b, "%zu files of Insights and the like are named by no digest\n",
                v->n_unnamed_other);
    if (v->digests.n > 0)
        buf_c(b, "\nHours in UTC: # proven, ! a digest that proves nothing, . no digest\n");
    coverage(v, false, b);
}

void verify_print(struct verify *v, bool json)
{
    struct buf b = BUF_INIT(4 * 1024 * 1024);
    if (v->findings.n > 0)
        qsort(v->findings.v, v->findings.n, sizeof *v->findings.v, by_file);
    if (json)
        print_json(v, &b);
    else
        print_table(v, &b);
    flush(&b);
    buf_clear(&b);
}

/* -- progress ---------------------------------------------------------------------------------- */
enum { SHOW_EVERY_MS = 200 };

void verify_show_progress(struct verify *v)
{
    struct verify_progress *p = &v->progress;
    int64_t now = p->on ? clock_mono_ms() : 0;
    if (!p->on || now - p->shown_ms < SHOW_EVERY_MS)
        return;
    p->shown_ms = now;
    double s = (double)(now - p->start_ms) / 1000.0 + 0.001;
    uint64_t done = atomic_load(&p->bytes_done);
    if (!p->listed) {
        fprintf(stderr, "\r%llu files found\x1b[K", (unsigned long long)p->files);
        return;
    }
    double left = done > 0 && p->bytes > done ? s * (double)(p->bytes - done) / (double)done : 0;
    fprintf(stderr, "\r%llu/%llu files  %.0f MB/s  %.0f s left\x1b[K",
            (unsigned long long)atomic_load(&p->files_done), (unsigned long long)p->files,
            (double)atomic_load(&p->bytes_out) / 1e6 / s, left);
}
