#include "wrap.h"

#include "record_int.h"

struct member {
    struct str name, text; /* text: of a string, without its quotes */
    char kind;             /* { [ " or 0 */
    size_t at, next;       /* of its value, and behind it, in split.at */
};

static bool member_at(const char *p, const struct split *sp, size_t i, struct member *m)
{
    const uint32_t *at = sp->at;
    if (i + 2 >= sp->n || p[at[i + 1]] != ':')
        return false;
    uint32_t kf = at[i] + 1, kt = at[i + 1], vf = at[i + 1] + 1, vt = at[i + 2];
    trim(p, &kf, &kt);
    trim(p, &vf, &vt);
    if (kt - kf < 2 || p[kf] != '"' || p[kt - 1] != '"')
        return false;
    *m = (struct member){.name = {p + kf + 1, kt - kf - 2}, .at = i + 2, .next = i + 2};
    if (p[at[i + 2]] == '{' || p[at[i + 2]] == '[') {
        m->kind = p[at[i + 2]];
        m->next = record_skip(p, sp, i + 2);
    } else if (vt - vf >= 2 && p[vf] == '"' && p[vt - 1] == '"') {
        m->kind = '"';
        m->text = (struct str){p + vf + 1, vt - vf - 2};
    }
    return true;
}

/* The next member; `i` begins as the index of the brace. false: no more of them, or not here. */
static bool member_next(const char *p, const struct split *sp, size_t *i, struct member *m)
{
    if (*i >= sp->n || (p[sp->at[*i]] != '{' && p[sp->at[*i]] != ',') || !member_at(p, sp, *i, m))
        return false;
    *i = m->next;
    return true;
}

static bool one_of(struct str s, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_is(s, names[i]))
            return true;
    }
    return false;
}

/* The names that only records have. */
static bool of_record(struct str name)
{
    static const char *const names[] = {"eventVersion", "eventName", "eventSource", "eventTime"};
    return one_of(name, names, ARRAY_LEN(names));
}

static bool is_record(const char *p, const struct split *sp, size_t i)
{
    struct member m;
    while (member_next(p, sp, &i, &m)) {
        if (of_record(m.name))
            return true;
    }
    return false;
}

static enum wrap find(const char *p, const struct split *sp, size_t i, int depth,
                      struct wrapped *out)
{
    /* EventBridge; lookup-events; Elasticsearch, and what its agents keep as event.original;
     * Splunk's collector and exports; CloudTrail Lake; CloudWatch Logs; S3 Select. */
    static const char *const names[] = {"detail",    "CloudTrailEvent", "_source", "event",
                                        "original",  "result",          "_raw",    "eventData",
                                        "message",   "Records"};
    struct member m;
    enum wrap found = WRAP_NONE;
    while (found == WRAP_NONE && member_next(p, sp, &i, &m)) {
        if (!one_of(m.name, names, ARRAY_LEN(names)))
            continue;
        if (m.kind == '{' && is_record(p, sp, m.at)) {
            out->at = m.at;
            found = WRAP_OBJECT;
        } else if (m.kind == '{' && depth < WRAP_DEPTH_MAX) {
            found = find(p, sp, m.at, depth + 1, out);
        } else if (m.kind == '"' && str_starts(m.text, STR("CWL CONTROL MESSAGE"))) {
            found = WRAP_NOTICE;
        } else if (m.kind == '"' && str_starts(str_trim(m.text), STR("{"))) {
            out->text = m.text;
            found = WRAP_TEXT;
        }
    }
    return found;
}

/* {"index":{...}}, which stands in front of each document that Elasticsearch is given in bulk. */
static bool bulk_line(const char *p, const struct split *sp, size_t i)
{
    struct member m;
    return member_next(p, sp, &i, &m) && m.kind == '{' && i < sp->n && p[sp->at[i]] == '}' &&
           (str_is(m.name, "index") || str_is(m.name, "create"));
}

enum wrap wrap_find(const char *p, const struct split *sp, size_t i, struct wrapped *out)
{
    return bulk_line(p, sp, i) ? WRAP_NOTICE : find(p, sp, i, 1, out);
}

static bool list(const char *p, const struct split *sp, size_t i, int level, size_t *at, int *depth)
{
    static const char *const names[] = {"Records", "Events", "events", "logEvents"};
    struct member m;
    while (member_next(p, sp, &i, &m)) {
        if (of_record(m.name))
            return false;
        bool hits = str_is(m.name, "hits");
        if (m.kind == '[' && (hits || one_of(m.name, names, ARRAY_LEN(names)))) {
            *at = m.at;
            *depth = level;
            return true;
        }
        if (m.kind == '{' && hits && level < 2 && list(p, sp, m.at, level + 1, at, depth))
            return true;
    }
    return false;
}

bool wrap_list(const char *p, const struct split *sp, size_t i, size_t *at, int *depth)
{
    return list(p, sp, i, 1, at, depth);
}

bool wrap_is_digest(const char *p, const struct split *sp, size_t i)
{
    struct member m;
    while (member_next(p, sp, &i, &m)) {
        if (str_is(m.name, "digestS3Object"))
            return true;
    }
    return false;
}

size_t wrap_stamp(const char *p, size_t n)
{
    static const char form[] = "0000-00-00T00:00:00";
    size_t i = 0;
    for (; i < sizeof form - 1; i++) {
        if (i >= n || (form[i] == '0' ? p[i] < '0' || p[i] > '9' : p[i] != form[i]))
            return 0;
    }
    while (i < n && i < WRAP_STAMP_MAX && (p[i] == '.' || (p[i] >= '0' && p[i] <= '9')))
        i++;
    if (i + 1 >= n || p[i] != 'Z' || (p[i + 1] != ' ' && p[i + 1] != '\t'))
        return 0;
    return i + 2;
}

bool wrap_is_table(const char *p, size_t n)
{
    struct str line = {p, n};
    const char *lf = memchr(p, '\n', n);
    if (lf != NULL)
        line.n = (size_t)(lf - p);
    if (line.n > WRAP_HEADING_MAX || memchr(p, '{', line.n) != NULL)
        return false;
    static const char *const names[] = {"eventname", "eventName", "event_name", "EventName",
                                        "Event name", "eventtime", "eventTime", "EventTime",
                                        "Event time", "_raw", "CloudTrailEvent"};
    bool cells = str_find_char(line, ',') >= 0 || str_find_char(line, '\t') >= 0;
    for (size_t i = 0; cells && i < ARRAY_LEN(names); i++) {
        if (str_find(line, str_c(names[i])) >= 0)
            return true;
    }
    return false;
}

const char *wrap_foreign(const char *p, size_t n)
{
    static const struct {
        const char *mark;
        size_t at, n;
        const char *what;
    } kinds[] = {
        {"PK\3\4", 0, 4, "a ZIP archive, which is not read: unpack it"},
        {"BZh", 0, 3, "compressed with bzip2, which is not read: unpack it"},
        {"\x28\xb5\x2f\xfd", 0, 4, "compressed with zstd, which is not read: unpack it"},
        {"\xfd" "7zXZ", 0, 5, "compressed with xz, which is not read: unpack it"},
        {"ustar", 257, 5, "a tar archive, which is not read: unpack it"},
        {"PAR1", 0, 4, "a Parquet file, which is not read: export the records as JSON"},
        {"Obj\1", 0, 4, "an Avro file, which is not read: export the records as JSON"},
        {"ORC", 0, 3, "an ORC file, which is not read: export the records as JSON"},
        {"\xff\xfe", 0, 2, "UTF-16, which is not read: convert it to UTF-8 (iconv)"},
        {"\xfe\xff", 0, 2, "UTF-16, which is not read: convert it to UTF-8 (iconv)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (n >= kinds[i].at + kinds[i].n &&
            memcmp(p + kinds[i].at, kinds[i].mark, kinds[i].n) == 0)
            return kinds[i].what;
    }
    return NULL;
}
