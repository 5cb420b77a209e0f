#include "output.h"

#include "../core/clock.h"
#include "../core/map.h"
#include "safe.h"

enum { BARS_MAX = 72, TOP_KEY_BYTES = 256 };

struct day {
    int32_t day; /* since 1970 */
    uint64_t n[SEV_COUNT];
};

struct summary {
    const struct rules *rs;
    enum severity least;
    uint64_t findings, by_severity[SEV_COUNT];
    uint64_t *by_rule;
    struct map top[TOP_KINDS]; /* principals and addresses: count as a pointer */
    bool top_over[TOP_KINDS];
    struct day days[DAYS_MAX];
    size_t n_days;
    bool days_over;
    size_t width[6];
};

struct summary *summary_new(const struct rules *rs, enum severity least)
{
    struct summary *s = calloc(1, sizeof *s);
    CHECK(s != NULL);
    s->rs = rs;
    s->least = least;
    s->by_rule = calloc(rs->rules.n + 1, sizeof *s->by_rule);
    CHECK(s->by_rule != NULL);
    static const size_t heads[] = {20, 8, 9, 7, 6, 8};
    memcpy(s->width, heads, sizeof heads);
    return s;
}

void summary_free(struct summary *s)
{
    if (s == NULL)
        return;
    for (int i = 0; i < TOP_KINDS; i++)
        map_clear(&s->top[i]);
    free(s->by_rule);
    free(s);
}

static void count_key(struct summary *s, enum top_of of, struct str key)
{
    key = str_take(key, TOP_KEY_BYTES);
    if (key.n == 0)
        return;
    uintptr_t n = (uintptr_t)map_get(&s->top[of], key);
    if (n == 0 && s->top[of].n >= TOP_KEYS_MAX) {
        s->top_over[of] = true;
        return;
    }
    map_put(&s->top[of], key, (void *)(n + 1));
}

static void widen(size_t *w, struct str s, size_t most)
{
    size_t n = s.n > most ? most : safe_width(s);
    n = n > most ? most : n;
    if (n > *w)
        *w = n;
}

void summary_see(void *summary, const struct finding *f)
{
    struct summary *s = summary;
    const struct rule *r = &s->rs->rules.v[f->rule];
    if (r->severity < s->least)
        return;
    s->findings++;
    s->by_severity[r->severity]++;
    s->by_rule[f->rule]++;
    count_key(s, TOP_PRINCIPAL, f->text[F_PRINCIPAL]);
    count_key(s, TOP_ADDRESS, f->text[F_ADDRESS]);
    widen(&s->width[2], output_short(f->text[F_PRINCIPAL]), 44);
    widen(&s->width[3], f->text[F_ADDRESS], 24);
    widen(&s->width[4], f->text[F_ACTION], 40);
    widen(&s->width[5], output_short(f->text[F_RESOURCE]), 40);
    if (f->time_ms == INT64_MIN)
        return;
    /* Findings come in order: a new day is always the last. */
    int32_t day = (int32_t)(f->time_ms / 86400000 - (f->time_ms % 86400000 < 0));
    if (s->n_days == 0 || s->days[s->n_days - 1].day != day) {
        if (s->n_days == DAYS_MAX) {
            s->days_over = true;
            return;
        }
        s->days[s->n_days++] = (struct day){.day = day};
    }
    s->days[s->n_days - 1].n[r->severity]++;
}

uint64_t summary_findings(const struct summary *s)
{
    return s->findings;
}

uint64_t summary_by_severity(const struct summary *s, enum severity sev)
{
    return s->by_severity[sev];
}

void summary_widths(const struct summary *s, size_t width[6])
{
    memcpy(width, s->width, sizeof s->width);
}

/* The greatest first; of equals, by name. */
static void insert(struct top_row *rows, size_t *n, size_t max, struct top_row row)
{
    size_t i = *n;
    while (i > 0 && (rows[i - 1].n < row.n ||
                     (rows[i - 1].n == row.n && str_cmp(row.key, rows[i - 1].key) < 0)))
        i--;
    if (i >= max)
        return;
    if (*n < max)
        *n += 1;
    memmove(rows + i + 1, rows + i, (*n - i - 1) * sizeof *rows);
    rows[i] = row;
}

size_t summary_top(const struct summary *s, enum top_of of, struct top_row *out, size_t max)
{
    size_t n = 0;
    if (of == TOP_RULE) {
        for (size_t i = 0; i < s->rs->rules.n; i++) {
            if (s->by_rule[i] > 0)
                insert(out, &n, max, (struct top_row){s->rs->rules.v[i].id, s->by_rule[i]});
        }
        return n;
    }
    const struct map_slot *slot;
    for (size_t i = 0; (slot = map_each(&s->top[of], &i)) != NULL;)
        insert(out, &n, max,
               (struct top_row){str_of(slot->key, slot->key_n), (uintptr_t)slot->value});
    return n;
}

size_t summary_days(const struct summary *s, uint64_t (*out)[SEV_COUNT], size_t max, char from[16],
                    char to[16])
{
    char text[TIME_TEXT_MAX];
    from[0] = to[0] = '\0';
    if (s->n_days == 0)
        return 0;
    int64_t first = s->days[0].day, last = s->days[s->n_days - 1].day;
    time_iso8601(first * 86400000, text);
    snprintf(from, 16, "%.10s", text);
    time_iso8601(last * 86400000, text);
    snprintf(to, 16, "%.10s", text);
    size_t total = (size_t)(last - first + 1);
    size_t n = total < max ? total : max;
    memset(out, 0, n * sizeof *out);
    for (size_t i = 0; i < s->n_days; i++) {
        size_t at = (size_t)(s->days[i].day - first) * n / total;
        for (int k = 0; k < SEV_COUNT; k++)
            out[at][k] += s->days[i].n[k];
    }
    return n;
}

static void print_top(const struct summary *s, enum top_of of, const char *title, FILE *f)
{
    struct top_row rows[TOP_SHOWN];
    size_t n = summary_top(s, of, rows, TOP_SHOWN);
    struct buf b = BUF_INIT(65536);
    buf_fmt(&b, "  by %s\n", title);
    for (size_t i = 0; i < n; i++) {
        buf_fmt(&b, "  %10llu  ", (unsigned long long)rows[i].n);
        safe_text(&b, str_take(rows[i].key, 200));
        buf_c(&b, "\n");
    }
    if (s->top_over[of])
        buf_fmt(&b, "              and others, past %d different ones\n", TOP_KEYS_MAX);
    if (n > 0)
        fwrite(b.p, 1, b.n, f);
    buf_clear(&b);
}

static void print_days(const struct summary *s, FILE *f, size_t columns)
{
    static const char *const bars[] = {" ", "\u2581", "\u2582", "\u2583", "\u2584",
                                       "\u2585", "\u2586", "\u2587", "\u2588"};
    uint64_t days[BARS_MAX][SEV_COUNT], sums[BARS_MAX] = {0}, most = 0;
    char from[16], to[16];
    size_t room = BARS_MAX;
    if (columns > 0 && columns < BARS_MAX + 8)
        room = columns < 40 ? 32 : columns - 8;
    size_t n = summary_days(s, days, room, from, to);
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        for (int k = 0; k < SEV_COUNT; k++)
            sums[i] += days[i][k];
        most = sums[i] > most ? sums[i] : most;
    }
    fprintf(f, "  by day, at most %llu%s\n  |", (unsigned long long)most,
            s->days_over ? " (past 8192 days with findings not counted)" : "");
    for (size_t i = 0; i < n; i++)
        fputs(bars[sums[i] == 0 ? 0 : 1 + (sums[i] * 7) / most], f);
    fputs("|\n", f);
    if (strcmp(from, to) == 0)
        fprintf(f, "   %s\n", from);
    else if (n < 22)
        fprintf(f, "   %s to %s\n", from, to);
    else
        fprintf(f, "   %s%*s\n", from, (int)n - 10, to);
}

void summary_print(const struct summary *s, const struct engine *en, uint64_t doubles, FILE *f,
                   bool color, size_t columns)
{
    const struct engine_counts *c = &en->counts;
    fprintf(f, "%s%llu %s%s in %llu %s of %llu %s", color ? "\x1b[1m" : "",
            (unsigned long long)s->findings, s->findings == 1 ? "finding" : "findings",
            color ? "\x1b[0m" : "", (unsigned long long)c->records,
            c->records == 1 ? "record" : "records", (unsigned long long)c->files,
            c->files == 1 ? "file" : "files");
    if (c->first[0] != '\0') {
        struct buf b = BUF_INIT(256);
        buf_c(&b, ", ");
        safe_text(&b, str_c(c->first));
        buf_c(&b, " to ");
        safe_text(&b, str_c(c->last));
        fwrite(b.p, 1, b.n, f);
        buf_clear(&b);
    }
    fputs("\n", f);
    if (doubles > 0)
        fprintf(f, "  left out: %llu %s on records delivered twice\n",
                (unsigned long long)doubles, doubles == 1 ? "match" : "matches");
    if (c->skipped > 0)
        fprintf(f,
                "  not read: %llu %s not named like logs (.json .json.gz .jsonl .ndjson .gz), or "
                "digests\n",
                (unsigned long long)c->skipped, c->skipped == 1 ? "file" : "files");
    size_t elsewhere = s->rs->skipped.n;
    if (elsewhere > 0)
        fprintf(f, "  not asked: %zu %s about other events than CloudTrail's records\n", elsewhere,
                elsewhere == 1 ? "rule" : "rules");
    if (s->findings == 0)
        return;
    for (int i = SEV_COUNT - 1; i >= 0; i--) {
        if (s->by_severity[i] > 0)
            fprintf(f, "  %10llu  %s\n", (unsigned long long)s->by_severity[i], severity_names[i]);
    }
    print_top(s, TOP_RULE, "rule", f);
    print_top(s, TOP_PRINCIPAL, "principal", f);
    print_top(s, TOP_ADDRESS, "address", f);
    print_days(s, f, columns);
}
