#include "output.h"

#include "../core/clock.h"
#include "safe.h"

enum { LINE_BYTES_MAX = 16 * 1024 * 1024 };
enum { COL_TIME, COL_SEVERITY, COL_PRINCIPAL, COL_ADDRESS, COL_ACTION, COL_RESOURCE, COLUMNS };
enum { RULE_WIDTH = 26 };

void time_of_finding(const struct finding *f, char out[40])
{
    if (f->time_ms == INT64_MIN)
        snprintf(out, 40, "-");
    else
        time_iso8601(f->time_ms, out);
}

struct str output_short(struct str arn)
{
    struct str s = arn;
    if (!str_starts_c(s, "arn:"))
        return arn;
    for (int i = 0; i < 4 && s.p != NULL; i++)
        str_cut(&s, ':');
    while (s.n > 0 && s.p[0] == ':')
        s = str_skip(s, 1);
    return s.n == 0 ? arn : s;
}

static size_t table_width(const struct output *o)
{
    size_t n = RULE_WIDTH;
    for (int i = 0; i < COLUMNS; i++)
        n += o->width[i] == 0 ? 0 : o->width[i] + 2;
    return n;
}

void output_fit(struct output *o, size_t columns)
{
    static const size_t least[COLUMNS] = {20, 8, 12, 15, 20, 16};
    if (columns > 0 && columns < 140)
        o->width[COL_RESOURCE] = 0;
    if (columns > 0 && columns < 100)
        o->width[COL_ADDRESS] = 0;
    while (columns > 0 && table_width(o) > columns) {
        int widest = -1;
        for (int i = COL_PRINCIPAL; i < COLUMNS; i++) {
            if (o->width[i] > least[i] && (widest < 0 || o->width[i] > o->width[widest]))
                widest = i;
        }
        if (widest < 0)
            return;
        o->width[widest]--;
    }
}

/* The account and the kind go before the name does. */
static struct str narrow(struct str arn, size_t width)
{
    struct str s = output_short(arn);
    for (int left = 2; left > 0 && safe_width(s) > width; left--) {
        size_t i = 0;
        while (i < s.n && s.p[i] != ':' && s.p[i] != '/')
            i++;
        if (i + 1 >= s.n || s.p == arn.p)
            break;
        s = str_skip(s, i + 1);
    }
    return s;
}

static void flush(struct output *o)
{
    if (!buf_ok(&o->line) ||
        (o->line.n > 0 && fwrite(o->line.p, 1, o->line.n, o->f) != o->line.n))
        o->failed = true;
    buf_clear(&o->line);
    buf_init(&o->line, LINE_BYTES_MAX);
}

const char *output_rule_color(const struct output *o, enum severity s)
{
    static const char *const colors[SEV_COUNT] = {"\x1b[2m", "\x1b[36m", "\x1b[33m", "\x1b[31m",
                                                  "\x1b[1;31m"};
    return o->color ? colors[s] : "";
}

static bool is_uri(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= 0x20 || s.p[i] >= 0x7f || strchr("\"<>\\^`{|}", s.p[i]) != NULL)
            return false;
    }
    return str_starts_c(s, "http://") || str_starts_c(s, "https://");
}

static void sarif_rules(struct output *o)
{
    struct buf *b = &o->line;
    const struct rules *rs = o->rules;
    bool first = true;
    for (size_t i = 0; i < rs->rules.n; i++) {
        const struct rule *r = &rs->rules.v[i];
        if (r->hidden)
            continue;
        buf_c(b, first ? "" : ",");
        first = false;
        buf_c(b, "{\"id\":");
        safe_json(b, r->id);
        buf_c(b, ",\"shortDescription\":{\"text\":");
        safe_json(b, r->title.n > 0 ? r->title : r->id);
        buf_c(b, "},\"fullDescription\":{\"text\":");
        safe_json(b, r->reason.n > 0 ? r->reason : r->id);
        buf_c(b, "}");
        if (is_uri(r->reference)) {
            buf_c(b, ",\"helpUri\":");
            safe_json(b, r->reference);
        }
        buf_c(b, "}");
        if (b->n > LINE_BYTES_MAX / 2)
            flush(o);
    }
}

static void column(struct buf *b, struct str s, size_t width)
{
    if (width == 0)
        return;
    safe_cell(b, s, width);
    buf_c(b, "  ");
}

void output_begin(struct output *o)
{
    buf_init(&o->line, LINE_BYTES_MAX);
    o->first = true;
    if (o->form == OUT_CSV) {
        buf_c(&o->line, "severity,time,principal,address,action,resource,rule,note,account,region,"
                        "eventID,file,sha256,offset\r\n");
    } else if (o->form == OUT_SARIF) {
        buf_c(&o->line,
              "{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\","
              "\"version\":\"2.1.0\","
              "\"runs\":[{\"tool\":{\"driver\":{\"name\":\"ward scan\",\"rules\":[");
        sarif_rules(o);
        buf_c(&o->line, "]}},\"results\":[");
    } else if (o->form == OUT_TABLE && o->width[COL_TIME] > 0) {
        static const char *const heads[] = {"TIME", "SEVERITY", "PRINCIPAL", "ADDRESS", "ACTION",
                                            "RESOURCE"};
        buf_c(&o->line, o->color ? "\x1b[1m" : "");
        for (int i = 0; i < COLUMNS; i++)
            column(&o->line, str_c(heads[i]), o->width[i]);
        buf_c(&o->line, o->color ? "RULE\x1b[0m\n" : "RULE\n");
    }
    flush(o);
}

static void pair(struct buf *b, const char *key, struct str value)
{
    buf_fmt(b, ",\"%s\":", key);
    safe_json(b, value.n == 0 ? STR_NONE : value);
}

static void as_json(struct output *o, const struct finding *f, const struct rule *r)
{
    struct buf *b = &o->line;
    char time[40];
    time_of_finding(f, time);
    buf_fmt(b, "{\"severity\":\"%s\",\"time\":", severity_names[r->severity]);
    safe_json(b, f->time_ms == INT64_MIN ? STR_NONE : str_c(time));
    pair(b, "principal", f->text[F_PRINCIPAL]);
    pair(b, "address", f->text[F_ADDRESS]);
    pair(b, "action", f->text[F_ACTION]);
    pair(b, "resource", f->text[F_RESOURCE]);
    pair(b, "rule", r->id);
    pair(b, "title", r->title);
    pair(b, "note", f->text[F_NOTE]);
    pair(b, "account", f->text[F_ACCOUNT]);
    pair(b, "region", f->text[F_REGION]);
    pair(b, "eventID", f->text[F_EVENT_ID]);
    pair(b, "file", f->text[F_FILE]);
    pair(b, "sha256", f->text[F_SHA256]);
    buf_fmt(b, ",\"offset\":%llu", (unsigned long long)f->offset);
    if (o->show && f->text[F_RECORD].n > 0) {
        buf_c(b, ",\"record\":");
        safe_json_line(b, f->text[F_RECORD]);
    }
    buf_c(b, "}\n");
}

static void as_csv(struct output *o, const struct finding *f, const struct rule *r)
{
    struct buf *b = &o->line;
    char time[40], offset[24];
    time_of_finding(f, time);
    snprintf(offset, sizeof offset, "%llu", (unsigned long long)f->offset);
    const struct str cells[] = {str_c(severity_names[r->severity]),
                                f->time_ms == INT64_MIN ? STR("") : str_c(time),
                                f->text[F_PRINCIPAL], f->text[F_ADDRESS], f->text[F_ACTION],
                                f->text[F_RESOURCE], r->id, f->text[F_NOTE], f->text[F_ACCOUNT],
                                f->text[F_REGION], f->text[F_EVENT_ID], f->text[F_FILE],
                                f->text[F_SHA256], str_c(offset)};
    for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
        buf_c(b, i == 0 ? "" : ",");
        safe_csv(b, cells[i]);
    }
    buf_c(b, "\r\n");
}

/* https://docs.oasis-open.org/sarif/sarif/v2.1.0/ */
static void as_sarif(struct output *o, const struct finding *f, const struct rule *r)
{
    static const char *const levels[SEV_COUNT] = {"note", "note", "warning", "error", "error"};
    struct buf *b = &o->line;
    struct buf text = BUF_INIT(1 << 20);
    char time[40];
    time_of_finding(f, time);
    buf_fmt(&text, "%.*s: %.*s by %.*s at %s", STR_ARG(r->title.n > 0 ? r->title : r->id),
            STR_ARG(f->text[F_ACTION]), STR_ARG(f->text[F_PRINCIPAL]), time);
    buf_c(b, o->first ? "{\"ruleId\":" : ",{\"ruleId\":");
    o->first = false;
    safe_json(b, r->id);
    buf_fmt(b, ",\"level\":\"%s\",\"message\":{\"text\":", levels[r->severity]);
    safe_json(b, buf_view(&text));
    buf_c(b, "},\"locations\":[{\"physicalLocation\":{\"artifactLocation\":{\"uri\":");
    buf_reset(&text);
    for (size_t i = 0; i < f->text[F_FILE].n; i++) {
        unsigned char c = (unsigned char)f->text[F_FILE].p[i];
        if (c <= 0x20 || c >= 0x7f || strchr("%\"<>\\^`{|}?#:", c) != NULL)
            buf_fmt(&text, "%%%02X", c);
        else
            buf_char(&text, (char)c);
    }
    safe_json(b, buf_view(&text));
    buf_fmt(b, "},\"region\":{\"byteOffset\":%llu}}}],\"properties\":{\"severity\":\"%s\"",
            (unsigned long long)f->offset, severity_names[r->severity]);
    pair(b, "time", str_c(time));
    pair(b, "principal", f->text[F_PRINCIPAL]);
    pair(b, "address", f->text[F_ADDRESS]);
    pair(b, "action", f->text[F_ACTION]);
    pair(b, "resource", f->text[F_RESOURCE]);
    pair(b, "note", f->text[F_NOTE]);
    pair(b, "account", f->text[F_ACCOUNT]);
    pair(b, "region", f->text[F_REGION]);
    pair(b, "eventID", f->text[F_EVENT_ID]);
    pair(b, "sha256", f->text[F_SHA256]);
    buf_c(b, "}}");
    buf_clear(&text);
}

static void as_row(struct output *o, const struct finding *f, const struct rule *r)
{
    struct buf *b = &o->line;
    char time[40];
    time_of_finding(f, time);
    column(b, str_c(time), o->width[COL_TIME]);
    buf_c(b, output_rule_color(o, r->severity));
    column(b, str_c(severity_names[r->severity]), o->width[COL_SEVERITY]);
    buf_c(b, o->color ? "\x1b[0m" : "");
    column(b, narrow(f->text[F_PRINCIPAL], o->width[COL_PRINCIPAL]), o->width[COL_PRINCIPAL]);
    column(b, f->text[F_ADDRESS], o->width[COL_ADDRESS]);
    column(b, f->text[F_ACTION], o->width[COL_ACTION]);
    column(b, narrow(f->text[F_RESOURCE], o->width[COL_RESOURCE]), o->width[COL_RESOURCE]);
    safe_text(b, r->id);
    if (f->text[F_NOTE].n > 0) {
        buf_c(b, " (");
        safe_text(b, f->text[F_NOTE]);
        buf_c(b, ")");
    }
    buf_c(b, "\n");
    if (o->show) {
        buf_c(b, "    ");
        safe_text(b, f->text[F_FILE]);
        buf_fmt(b, " at %llu, SHA-256 %.*s\n    ", (unsigned long long)f->offset,
                STR_ARG(f->text[F_SHA256]));
        safe_text(b, f->text[F_RECORD].n > 0 ? f->text[F_RECORD] : STR("(not valid JSON)"));
        buf_c(b, "\n");
    }
}

void output_finding(void *output, const struct finding *f)
{
    struct output *o = output;
    const struct rule *r = &o->rules->rules.v[f->rule];
    if (r->severity < o->least)
        return;
    switch (o->form) {
    case OUT_TABLE: as_row(o, f, r); break;
    case OUT_JSONL: as_json(o, f, r); break;
    case OUT_CSV: as_csv(o, f, r); break;
    case OUT_SARIF: as_sarif(o, f, r); break;
    }
    if (o->line.n > 65536)
        flush(o);
}

void output_end(struct output *o)
{
    if (o->form == OUT_SARIF)
        buf_c(&o->line, "]}]}\n");
    flush(o);
    if (fflush(o->f) != 0)
        o->failed = true;
    buf_clear(&o->line);
}
