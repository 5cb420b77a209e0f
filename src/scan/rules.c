/* Rule files: which language a document is, what is wrong with it and where. */
#include "rules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/map.h"
#include "../core/yaml.h"
#include "builtin.h"

const char *const severity_names[SEV_COUNT] = {"info", "low", "medium", "high", "critical"};
enum { FAULTS_MAX = 1000, FOLDER_DEPTH_MAX = 64, PLACEHOLDERS_MAX = 1000,
       FIND_BYTES = 256 * 1024 };

bool severity_parse(struct str s, enum severity *out)
{
    for (int i = 0; i < SEV_COUNT; i++) {
        if (str_is_i(s, severity_names[i])) {
            *out = (enum severity)i;
            return true;
        }
    }
    return false;
}

struct rules *rules_new(void)
{
    struct arena *a = arena_new(RULES_ARENA_BYTES);
    struct rules *rs = ARENA_NEW(a, struct rules);
    rs->a = a;
    paths_init(&rs->paths, a);
    return rs;
}

void rules_free(struct rules *rs)
{
    if (rs != NULL)
        arena_free(rs->a);
}

struct str rules_stem(struct arena *a, struct str file)
{
    ptrdiff_t slash = str_rfind_char(file, '/');
    struct str s = str_skip(file, (size_t)(slash + 1));
    ptrdiff_t dot = str_find_char(s, '.');
    return arena_str(a, dot > 0 ? str_take(s, (size_t)dot) : s);
}

static bool name_char(struct str s, ptrdiff_t i)
{
    if (i < 0 || (size_t)i >= s.n)
        return false;
    unsigned char c = (unsigned char)s.p[i];
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           c == '-' || c == '.' || c >= 0x80;
}

/* As a whole word, or else as a part of one; within FIND_BYTES of `from`, so that a large file with
 * many faults stays linear. */
static size_t find_from(const struct rule_source *src, size_t from, struct str what)
{
    struct str in = str_take(str_skip(src->text, from), FIND_BYTES);
    size_t first = SIZE_MAX, at = 0;
    for (int tries = 0; what.n > 0 && tries < 1000; tries++) {
        ptrdiff_t found = str_find(str_skip(in, at), what);
        if (found < 0)
            break;
        at += (size_t)found;
        if (!name_char(in, (ptrdiff_t)at - 1) && !name_char(in, (ptrdiff_t)(at + what.n)))
            return from + at;
        if (first == SIZE_MAX)
            first = from + at;
        at++;
    }
    return first;
}

void rules_begin(struct rule_source *src, struct str text)
{
    size_t at = find_from(src, src->from + (src->from > 0), text);
    if (at != SIZE_MAX)
        src->from = at;
    src->hint = STR_NONE;
}

static void line_of(struct rule_source *src, size_t at, size_t *line, size_t *column)
{
    const char *p = src->text.p;
    size_t was = src->mark_line;
    for (; src->mark < at; src->mark++) {
        if (p[src->mark] == '\n') {
            src->mark_line++;
            src->mark_bol = src->mark + 1;
        }
    }
    for (; src->mark > at; src->mark--)
        src->mark_line -= p[src->mark - 1] == '\n';
    if (src->mark_line < was) {
        for (src->mark_bol = at; src->mark_bol > 0 && p[src->mark_bol - 1] != '\n';)
            src->mark_bol--;
    }
    *line = src->base_line + src->mark_line;
    *column = at - src->mark_bol + 1;
}

/* Trees of JSON and YAML know no places: the text is looked for behind the member that it stands
 * in, then anywhere in the rule. */
static void place(struct rule_source *src, struct str near, size_t *line, size_t *column)
{
    size_t hint = find_from(src, src->from, src->hint);
    size_t at = hint == SIZE_MAX ? SIZE_MAX : find_from(src, hint, near);
    if (at == SIZE_MAX)
        at = find_from(src, src->from, near);
    if (at == SIZE_MAX)
        at = hint != SIZE_MAX ? hint : src->from;
    if (at > src->text.n)
        at = 0;
    line_of(src, at, line, column);
}

void rules_fault(struct rule_source *src, struct str near, const char *fmt, ...)
{
    if (src->rs->faults.n >= FAULTS_MAX)
        return;
    struct rule_fault f = {.file = src->file};
    struct buf b = BUF_INIT(ERR_MESSAGE_MAX * 2);
    va_list ap;
    va_start(ap, fmt);
    buf_vfmt(&b, fmt, ap);
    va_end(ap);
    f.text = arena_str(src->rs->a, buf_view(&b));
    buf_clear(&b);
    place(src, near, &f.line, &f.column);
    VEC_PUSH(src->rs->a, &src->rs->faults, f);
}

struct rule *rules_add(struct rule_source *src, struct str id)
{
    struct rules *rs = src->rs;
    if (rs->rules.n >= RULES_MAX) {
        rules_fault(src, id, "more than %d rules", RULES_MAX);
        return NULL;
    }
    if (arena_over(rs->a)) {
        rules_fault(src, id, "the rules take more than 1 GiB of memory");
        return NULL;
    }
    struct rule r = {.id = arena_str(rs->a, id), .file = src->file, .severity = SEV_MEDIUM};
    size_t column;
    src->hint = STR_NONE;
    place(src, id, &r.line, &column);
    VEC_PUSH(rs->a, &rs->rules, r);
    return &rs->rules.v[rs->rules.n - 1];
}

/* The parser's "line L, column C" or "at line L, column C", moved to the document's place. */
static void syntax_fault(struct rule_source *src, struct err *e)
{
    struct rule_fault f = {.file = src->file, .line = src->base_line, .column = 1};
    const char *at = strstr(e->message, "line ");
    unsigned long line = 0, column = 0;
    if (at != NULL && sscanf(at, "line %lu, column %lu", &line, &column) >= 1) {
        f.line = src->base_line + (line > 0 ? line - 1 : 0);
        f.column = column > 0 ? column : 1;
    }
    f.text = arena_str(src->rs->a, str_c(e->message));
    err_free(e);
    if (src->rs->faults.n < FAULTS_MAX)
        VEC_PUSH(src->rs->a, &src->rs->faults, f);
}

/* -- placeholders -- */
const struct jv *rules_placeholder(const struct rules *rs, struct str name)
{
    for (size_t i = 0; i < rs->placeholders.n; i++) {
        if (str_eq(rs->placeholders.v[i].name, name))
            return rs->placeholders.v[i].value;
    }
    return NULL;
}

static bool is_value(const struct jv *v)
{
    return jv_is(v, JV_STR) || jv_is(v, JV_INT) || jv_is(v, JV_NUM) || jv_is(v, JV_BOOL);
}

static void load_placeholders(struct rule_source *src, const struct jv *v)
{
    for (size_t i = 0; i < jv_len(v) && jv_is(v, JV_OBJ); i++) {
        const struct jv_member *f = &v->obj.v[i];
        bool ok = is_value(&f->value) || (jv_is(&f->value, JV_ARR) && jv_len(&f->value) > 0);
        for (size_t k = 0; ok && jv_is(&f->value, JV_ARR) && k < jv_len(&f->value); k++)
            ok = is_value(jv_at(&f->value, k));
        if (!ok)
            rules_fault(src, f->key, "a placeholder stands for a value or a list of values");
        else if (rules_placeholder(src->rs, f->key) != NULL)
            rules_fault(src, f->key, "the placeholder %.*s is given twice",
                        STR_ARG(str_take(f->key, 64)));
        else if (src->rs->placeholders.n >= PLACEHOLDERS_MAX)
            rules_fault(src, f->key, "more than %d placeholders", PLACEHOLDERS_MAX);
        else
            VEC_PUSH(src->rs->a, &src->rs->placeholders,
                     ((struct placeholder){f->key, &f->value}));
    }
}

/* -- Ward's own form: a list of rules -- */
/* A detection or a correlation; with a pattern beside a detection, both must hold. */
static void both(struct rule_source *src, const struct jv *v, struct expr *pattern)
{
    struct rules *rs = src->rs;
    size_t was = rs->rules.n;
    sigma_load(src, v);
    if (pattern == NULL || rs->rules.n == was)
        return;
    struct rule *r = &rs->rules.v[was];
    if (r->expr == NULL) {
        rules_fault(src, STR("pattern"), "a pattern does not go with a correlation");
        return;
    }
    struct expr *all = expr_list(rs->a, EXPR_AND);
    expr_add(rs->a, all, pattern);
    expr_add(rs->a, all, r->expr);
    r->expr = all;
}

static void own_rule(struct rule_source *src, const struct jv *v)
{
    static const char *const known[] = {"id", "title", "severity", "reason", "reference", "pattern",
                                        "filter", "source", "regexp", "detection", "correlation",
                                        "hidden", "name"};
    struct str id = jv_s(jv_get(v, "id"));
    rules_begin(src, id);
    for (size_t i = 0; i < jv_len(v); i++) {
        bool ok = false;
        for (size_t j = 0; j < ARRAY_LEN(known); j++)
            ok = ok || str_is(v->obj.v[i].key, known[j]);
        if (!ok)
            rules_fault(src, v->obj.v[i].key, "a rule has no member \"%.*s\"",
                        STR_ARG(str_take(v->obj.v[i].key, 64)));
    }
    if (id.n == 0) {
        rules_fault(src, STR("rules"), "a rule has no \"id\"");
        return;
    }
    const struct jv *pattern = jv_get(v, "pattern");
    struct expr *e = pattern == NULL ? NULL : pattern_compile(src, pattern);
    if (pattern != NULL && e == NULL)
        return;
    if (sigma_looks_like(v)) {
        both(src, v, e);
        return;
    }
    struct str filter = jv_s(jv_get(v, "filter"));
    struct str source = jv_s(jv_get(v, "source")), name = jv_s(jv_get(v, "regexp"));
    if (e == NULL && filter.p != NULL)
        e = metric_filter_compile(src, filter);
    else if (e == NULL && source.p != NULL && name.p != NULL)
        e = keyword_compile(src, source, name);
    else if (e == NULL)
        rules_fault(src, id, "the rule has no pattern, filter, detection, correlation, or source "
                             "with regexp");
    if (e == NULL)
        return;
    struct rule *r = rules_add(src, id);
    if (r == NULL)
        return;
    r->expr = e;
    r->language = pattern != NULL ? STR("pattern") : filter.p != NULL ? STR("filter")
                                                                      : STR("keywords");
    r->title = jv_s(jv_get(v, "title"));
    r->reason = jv_s(jv_get(v, "reason"));
    r->reference = jv_s(jv_get(v, "reference"));
    r->name = jv_s(jv_get(v, "name"));
    r->hidden = jv_b(jv_get(v, "hidden"), false);
    if (jv_get(v, "severity") != NULL && !severity_parse(jv_s(jv_get(v, "severity")), &r->severity))
        rules_fault(src, jv_s(jv_get(v, "severity")),
                    "severity is info, low, medium, high or critical");
}

/* A rule about events that are not made of CloudTrail's records: said so, and left out. */
static struct expr *pattern_or_skip(struct rule_source *src, const struct jv *pattern,
                                    struct str id)
{
    if (!pattern_is_elsewhere(pattern))
        return pattern_compile(src, pattern);
    VEC_PUSH(src->rs->a, &src->rs->skipped, arena_str(src->rs->a, id));
    return NULL;
}

/* What `aws events list-rules` (and describe-rule) and `aws logs describe-metric-filters` print. */
static void exported(struct rule_source *src, const struct jv *v, bool events)
{
    struct str id = jv_s(jv_get(v, events ? "Name" : "filterName"));
    const struct jv *of = jv_get(v, events ? "EventPattern" : "filterPattern");
    if (events && (of == NULL || jv_is(of, JV_NULL)))
        return; /* a schedule has no pattern */
    rules_begin(src, id);
    if (id.n == 0 || !(jv_is(of, JV_STR) || (events && jv_is(of, JV_OBJ)))) {
        rules_fault(src, id, events ? "a rule has a Name, and an EventPattern that is a text"
                                    : "a metric filter has a filterName and a filterPattern");
        return;
    }
    struct expr *e = NULL;
    if (jv_is(of, JV_OBJ)) {
        e = pattern_or_skip(src, of, id);
    } else if (events) {
        struct jv *p = NULL;
        struct err *err = json_parse(src->rs->a, of->s, RULE_DEPTH_MAX, &p);
        if (err != NULL) {
            rules_fault(src, id, "its EventPattern: %s", err->message);
            err_free(err);
            return;
        }
        e = pattern_or_skip(src, p, id);
    } else {
        e = metric_filter_compile(src, of->s);
    }
    struct rule *r = e == NULL ? NULL : rules_add(src, id);
    if (r == NULL)
        return;
    r->expr = e;
    r->language = events ? STR("pattern") : STR("filter");
    r->title = jv_s(jv_get(v, events ? "Description" : "filterName"));
}

static bool is_keyword(const struct jv *v)
{
    if (jv_is(jv_get(v, "regexp"), JV_STR))
        return true;
    /* Beside an envelope's members, "source" is a pattern's that lacks its brackets. */
    return jv_is(jv_get(v, "source"), JV_STR) && jv_get(v, "detail") == NULL &&
           jv_get(v, "detail-type") == NULL;
}

static void load_document(struct rule_source *src, const struct jv *v)
{
    const struct jv *own = jv_get(v, "rules");
    const struct jv *events = jv_get(v, "Rules"), *filters = jv_get(v, "metricFilters");
    const struct jv *placeholders = jv_get(v, "placeholders");
    if (jv_is(placeholders, JV_OBJ) && jv_len(v) == 1) {
        load_placeholders(src, placeholders);
    } else if (sigma_looks_like(v)) {
        sigma_load(src, v);
    } else if (jv_is(own, JV_ARR) && jv_is(jv_at(own, 0), JV_OBJ)) {
        for (size_t i = 0; i < jv_len(own); i++)
            own_rule(src, jv_at(own, i));
    } else if (jv_is(events, JV_ARR) || jv_is(filters, JV_ARR)) {
        const struct jv *list = events != NULL ? events : filters;
        for (size_t i = 0; i < jv_len(list); i++)
            exported(src, jv_at(list, i), events != NULL);
    } else if (jv_get(v, "EventPattern") != NULL) {
        exported(src, v, true);
    } else if (is_keyword(v)) {
        keyword_load(src, v, 0);
    } else if (jv_is(v, JV_ARR) && is_keyword(jv_at(v, 0))) {
        for (size_t i = 0; i < jv_len(v); i++)
            keyword_load(src, jv_at(v, i), i);
    } else if (jv_is(jv_get(v, "action"), JV_STR)) {
        rules_fault(src, STR("action"),
                    "Sigma's \"action\" (global, reset, repeat) is of its first version: write "
                    "what the rules share into each of them");
    } else if (jv_is(v, JV_OBJ) && jv_len(v) > 0) {
        struct str id = rules_stem(src->rs->a, src->file);
        struct expr *e = pattern_or_skip(src, v, id);
        struct rule *r = e == NULL ? NULL : rules_add(src, id);
        if (r != NULL) {
            r->expr = e;
            r->language = STR("pattern");
        }
    } else {
        rules_fault(src, STR_NONE, "no rule language has such a document");
    }
}

/* -- files -- */
static bool is_marker(struct str s)
{
    return str_starts_c(s, "---") && (s.n == 3 || strchr(" \t\r\n", s.p[3]) != NULL);
}

static void load_yaml(struct rule_source *whole)
{
    struct str rest = whole->text;
    size_t line = 1;
    while (rest.n > 0) {
        /* A document ends at a line that begins with "---". */
        size_t n = 0, lines = 0, next = 0;
        while (n < rest.n) {
            const char *lf = memchr(rest.p + n, '\n', rest.n - n);
            n = lf == NULL ? rest.n : (size_t)(lf - rest.p) + 1;
            lines++;
            if (is_marker(str_skip(rest, n))) {
                const char *end = memchr(rest.p + n, '\n', rest.n - n);
                next = end == NULL ? rest.n - n : (size_t)(end - rest.p) + 1 - n;
                break;
            }
        }
        struct rule_source src = *whole;
        src.text = str_take(rest, n);
        if (is_marker(src.text)) {
            struct str cut = src.text;
            str_cut(&cut, '\n');
            src.text = cut.p == NULL ? STR("") : cut;
            src.base_line = line + 1;
        } else {
            src.base_line = line;
        }
        if (str_trim(src.text).n > 0) {
            struct jv *v = NULL;
            struct err *e = yaml_parse(whole->rs->a, src.text, &v);
            if (e != NULL)
                syntax_fault(&src, e);
            else if (!jv_is(v, JV_NULL))
                load_document(&src, v);
        }
        line += lines + (next > 0);
        rest = str_skip(rest, n + next);
    }
}

void rules_load_text(struct rules *rs, struct str file, struct str text)
{
    struct rule_source src = {.rs = rs, .file = arena_str(rs->a, file),
                              .text = arena_str(rs->a, text), .base_line = 1};
    if (!str_utf8_valid(src.text)) {
        rules_fault(&src, STR_NONE, "the file is not UTF-8 text");
        return;
    }
    if (str_starts_c(src.text, "\xef\xbb\xbf"))
        src.text = str_skip(src.text, 3);
    struct str lead = str_trim(src.text);
    if (str_ends_c(file, ".filter")) {
        struct expr *e = metric_filter_compile(&src, src.text);
        struct rule *r = e == NULL ? NULL : rules_add(&src, rules_stem(rs->a, src.file));
        if (r != NULL) {
            r->expr = e;
            r->language = STR("filter");
        }
        return;
    }
    bool braces = lead.n > 0 && (lead.p[0] == '{' || lead.p[0] == '[');
    if (!str_ends_c(file, ".json") && (!braces || str_find(lead, STR("\n---")) >= 0)) {
        load_yaml(&src);
        return;
    }
    struct jv *v = NULL;
    struct err *e = json_parse(rs->a, src.text, RULE_DEPTH_MAX * 2, &v);
    if (e != NULL)
        syntax_fault(&src, e);
    else
        load_document(&src, v);
}

static void io_fault(struct rules *rs, const char *path, const char *what)
{
    struct rule_source src = {.rs = rs, .file = arena_str(rs->a, str_c(path)), .base_line = 0};
    rules_fault(&src, STR_NONE, "%s", what);
}

static void load_file(struct rules *rs, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        char what[128];
        io_fault(rs, path, strerror_r(errno, what, sizeof what));
        return;
    }
    struct buf b = BUF_INIT(RULE_FILE_BYTES_MAX);
    ssize_t n = 0;
    do {
        char *room = buf_reserve(&b, 65536);
        n = room == NULL ? -1 : read(fd, room, 65536);
        if (n > 0)
            buf_advance(&b, (size_t)n);
    } while (n > 0);
    close(fd);
    if (n < 0)
        io_fault(rs, path, buf_ok(&b) ? "the file could not be read"
                                      : "the file is larger than 64 MiB");
    else
        rules_load_text(rs, str_c(path), b.p == NULL ? STR("") : buf_view(&b));
    buf_clear(&b);
}

static bool rule_name(const char *name)
{
    static const char *const ends[] = {".json", ".yml", ".yaml", ".filter"};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (str_ends_c(str_c(name), ends[i]))
            return name[0] != '.';
    }
    return false;
}

/* False: this folder was read before, by another name: links may lead back. */
static bool is_new(struct map *seen, const struct stat *st)
{
    struct {
        uint64_t dev, ino;
    } key = {st->st_dev, st->st_ino};
    return map_put(seen, str_of((const char *)&key, sizeof key), seen) == NULL;
}

static void load_folder(struct rules *rs, const char *path, struct map *seen, int depth)
{
    struct dirent **list = NULL;
    int n = depth >= FOLDER_DEPTH_MAX ? -1 : scandir(path, &list, NULL, alphasort);
    if (n < 0) {
        io_fault(rs, path, "the folder could not be read");
        return;
    }
    /* Placeholders first: the rules beside them and below may need them. */
    for (int i = 0; i < 2 * n; i++) {
        const char *name = list[i % n]->d_name;
        bool first = strcmp(name, "placeholders.yml") == 0 ||
                     strcmp(name, "placeholders.yaml") == 0;
        struct str full = arena_fmt(rs->a, "%s/%s", path, name);
        struct stat st;
        if (name[0] == '.' || first != (i < n))
            continue;
        if (stat(full.p, &st) != 0) {
            char what[128];
            if (rule_name(name)) /* a link that leads nowhere, or it is gone meanwhile */
                io_fault(rs, full.p, strerror_r(errno, what, sizeof what));
            continue;
        }
        if (S_ISDIR(st.st_mode) && is_new(seen, &st))
            load_folder(rs, full.p, seen, depth + 1);
        else if (S_ISREG(st.st_mode) && rule_name(name))
            load_file(rs, full.p);
        else if (!S_ISDIR(st.st_mode) && rule_name(name))
            io_fault(rs, full.p, "not a file (a pipe, a socket or a device)");
    }
    for (int i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

void rules_load(struct rules *rs, const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        load_file(rs, path);
        return;
    }
    struct map seen = MAP_INIT;
    is_new(&seen, &st);
    load_folder(rs, path, &seen, 0);
    map_clear(&seen);
}

void rules_load_builtin(struct rules *rs)
{
    for (size_t i = 0; i < builtin_count; i++)
        rules_load_text(rs, str_c(builtin_files[i].name),
                        str_of(builtin_files[i].text, builtin_files[i].n));
}

/* -- joining -- */
/* False: there is no room for more. */
static bool keep_path(struct rules *rs, struct rule *r, uint32_t path)
{
    for (size_t i = 0; i < r->n_keep; i++) {
        if (r->keep[i] == path)
            return true;
    }
    if (r->n_keep == RULE_KEEP_MAX)
        return false;
    if (r->n_keep == r->keep_cap)
        r->keep = vec_grow(rs->a, r->keep, r->n_keep, &r->keep_cap, sizeof *r->keep);
    r->keep[r->n_keep++] = path;
    return true;
}

/* What the correlation asks of its member k, and what others ask of it, the member keeps. */
static bool keep_for(struct rules *rs, const struct rule *r, size_t k)
{
    const struct correlation *c = r->corr;
    struct rule *member = &rs->rules.v[c->rules[k]];
    bool ok = true;
    for (size_t g = 0; g < c->n_group; g++) {
        uint32_t alias = c->alias[k * c->n_group + g];
        ok = keep_path(rs, member, alias != 0 ? alias : c->group[g]) && ok;
    }
    for (size_t i = 0; i < c->n_fields; i++)
        ok = keep_path(rs, member, c->fields[i]) && ok;
    for (size_t i = 0; i < r->n_keep; i++)
        ok = keep_path(rs, member, r->keep[i]) && ok;
    return ok;
}

/* A fault of a rule as a whole, when its file is no longer at hand. */
static void late_fault(struct rules *rs, const struct rule *r, const char *fmt, struct str what)
{
    struct rule_source src = {.rs = rs, .file = r->file, .base_line = r->line};
    char text[ERR_MESSAGE_MAX];
    snprintf(text, sizeof text, fmt, STR_ARG(str_take(r->id, 80)), STR_ARG(str_take(what, 80)));
    rules_fault(&src, STR_NONE, "%s", text);
}

static void switch_off(struct rule *r)
{
    for (size_t i = 0; i < r->corr->n_rules; i++)
        r->corr->rules[i] = UINT32_MAX;
}

/* The rule of a name: its index + 1; 0: there is none. */
static void resolve(struct rules *rs, const struct map *names, const struct map *skipped,
                    struct rule *r)
{
    struct correlation *c = r->corr;
    bool whole = true;
    c->rules = ARENA_ARRAY(rs->a, c->n_rules, uint32_t);
    for (size_t i = 0; i < c->n_rules; i++) {
        uintptr_t at = (uintptr_t)map_get(names, c->names[i]);
        c->rules[i] = at == 0 ? UINT32_MAX : (uint32_t)(at - 1);
        if (at == 0 && map_get(skipped, c->names[i]) != NULL) {
            whole = false;
        } else if (at == 0) {
            late_fault(rs, r, "the correlation %.*s names a rule that is not there: %.*s",
                       c->names[i]);
        } else if (!c->generate && !str_is(rs->rules.v[at - 1].file, "builtin")) {
            rs->rules.v[at - 1].hidden = true;
        }
    }
    if (!whole) {
        switch_off(r);
        r->hidden = true;
        VEC_PUSH(rs->a, &rs->skipped, r->id);
    }
}

/* Members before the correlations that name them (Kahn's order): what is left stands in a cycle. */
struct order {
    uint32_t *waits, *level; /* by rule: members not yet placed; how many lie below it */
    uint32_t *from, *users;  /* by rule: its users are users[from[i] .. from[i + 1]) */
    uint32_t *queue;
    size_t n;
};

static bool is_member(const struct rules *rs, const struct correlation *c, size_t k)
{
    return c->rules[k] != UINT32_MAX && rs->rules.v[c->rules[k]].corr != NULL;
}

static void order_init(struct rules *rs, struct order *o)
{
    size_t n = rs->rules.n;
    o->waits = ARENA_ARRAY(rs->a, n + 2, uint32_t);
    o->level = ARENA_ARRAY(rs->a, n + 2, uint32_t);
    o->from = ARENA_ARRAY(rs->a, n + 2, uint32_t);
    o->queue = ARENA_ARRAY(rs->a, n + 2, uint32_t);
    for (size_t i = 0; i < n; i++) {
        const struct correlation *c = rs->rules.v[i].corr;
        for (size_t k = 0; c != NULL && k < c->n_rules; k++) {
            if (is_member(rs, c, k))
                o->from[c->rules[k] + 1]++, o->waits[i]++;
        }
    }
    for (size_t i = 0; i < n; i++)
        o->from[i + 1] += o->from[i];
    o->users = ARENA_ARRAY(rs->a, (size_t)o->from[n] + 1, uint32_t);
    uint32_t *at = ARENA_ARRAY(rs->a, n + 2, uint32_t);
    for (size_t i = 0; i < n; i++) {
        const struct correlation *c = rs->rules.v[i].corr;
        for (size_t k = 0; c != NULL && k < c->n_rules; k++) {
            if (is_member(rs, c, k))
                o->users[o->from[c->rules[k]] + at[c->rules[k]]++] = (uint32_t)i;
        }
        if (c != NULL && o->waits[i] == 0)
            o->queue[o->n++] = (uint32_t)i;
    }
}

static void check_nesting(struct rules *rs, struct order *o)
{
    order_init(rs, o);
    for (size_t q = 0; q < o->n; q++) {
        uint32_t i = o->queue[q];
        for (uint32_t u = o->from[i]; u < o->from[i + 1]; u++) {
            uint32_t user = o->users[u];
            if (o->level[user] < o->level[i] + 1)
                o->level[user] = o->level[i] + 1;
            if (--o->waits[user] == 0)
                o->queue[o->n++] = user;
        }
    }
    for (size_t i = 0; i < rs->rules.n; i++) {
        struct rule *r = &rs->rules.v[i];
        if (r->corr == NULL || (o->waits[i] == 0 && o->level[i] < CORRELATION_NEST_MAX))
            continue;
        late_fault(rs, r, o->waits[i] > 0
                              ? "the correlation %.*s names itself through others, or others that "
                                "do%.*s"
                              : "the correlation %.*s stands on more than 16 others, one upon the "
                                "other%.*s", STR(""));
        switch_off(r);
    }
}

/* Users before their members, so that each hands on all that was asked of it. */
static void keep_all(struct rules *rs, const struct order *o)
{
    for (size_t q = o->n; q-- > 0;) {
        struct rule *r = &rs->rules.v[o->queue[q]];
        bool ok = true;
        for (size_t k = 0; k < r->corr->n_rules; k++) {
            if (r->corr->rules[k] != UINT32_MAX)
                ok = keep_for(rs, r, k) && ok;
        }
        if (ok)
            continue;
        late_fault(rs, r, "the correlation %.*s and others ask for more than 120 fields of one "
                          "rule%.*s", STR(""));
        switch_off(r);
    }
}

static void note_names(struct rules *rs, struct map *names)
{
    for (size_t i = 0; i < rs->rules.n; i++) {
        struct rule *r = &rs->rules.v[i];
        if (map_get(names, r->id) != NULL) {
            late_fault(rs, r, "the id %.*s is taken by another rule%.*s", STR(""));
            r->id = arena_fmt(rs->a, "%.*s#%zu", STR_ARG(r->id), i + 1);
        }
        map_put(names, r->id, (void *)(uintptr_t)(i + 1));
        if (r->name.n > 0 && map_get(names, r->name) == NULL)
            map_put(names, r->name, (void *)(uintptr_t)(i + 1));
    }
}

void rules_finish(struct rules *rs)
{
    struct map names = MAP_INIT, skipped = MAP_INIT;
    note_names(rs, &names);
    for (size_t i = 0; i < rs->skipped.n; i++)
        map_put(&skipped, rs->skipped.v[i], rs);
    for (size_t i = 0; i < rs->skipped_names.n; i++)
        map_put(&skipped, rs->skipped_names.v[i], rs);
    for (size_t i = 0; i < rs->rules.n; i++) {
        if (rs->rules.v[i].corr != NULL)
            resolve(rs, &names, &skipped, &rs->rules.v[i]);
    }
    struct order o = {0};
    check_nesting(rs, &o);
    keep_all(rs, &o);
    map_clear(&names);
    map_clear(&skipped);
}
