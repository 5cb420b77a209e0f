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
enum { FAULTS_MAX = 1000, FOLDER_DEPTH_MAX = 64 };
/* A correlation that asks for its members' own findings too. */
static const size_t generate_bit = (size_t)1 << 62;

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

static void place(const struct rule_source *src, struct str near, size_t *line, size_t *column)
{
    *line = src->base_line;
    *column = 1;
    ptrdiff_t at = near.n > 0 ? str_find(src->text, near) : -1;
    for (ptrdiff_t i = 0; i < at; i++) {
        if (src->text.p[i] == '\n') {
            *line += 1;
            *column = 1;
        } else {
            *column += 1;
        }
    }
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
    struct rule r = {.id = arena_str(rs->a, id), .file = src->file, .severity = SEV_MEDIUM};
    ptrdiff_t at = id.n > 0 ? str_find(str_skip(src->text, src->seen_at), id) : -1;
    for (ptrdiff_t i = 0; i < at; i++)
        src->seen_line += src->text.p[src->seen_at + (size_t)i] == '\n';
    if (at > 0)
        src->seen_at += (size_t)at;
    r.line = src->base_line + src->seen_line;
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

/* -- Ward's own form: a list of rules -- */
static void own_rule(struct rule_source *src, const struct jv *v)
{
    static const char *const known[] = {"id", "title", "severity", "reason", "reference", "pattern",
                                        "filter", "source", "regexp", "detection", "correlation",
                                        "hidden", "name"};
    for (size_t i = 0; i < jv_len(v); i++) {
        bool ok = false;
        for (size_t j = 0; j < ARRAY_LEN(known); j++)
            ok = ok || str_is(v->obj.v[i].key, known[j]);
        if (!ok)
            rules_fault(src, v->obj.v[i].key, "a rule has no member \"%.*s\"",
                        STR_ARG(str_take(v->obj.v[i].key, 64)));
    }
    struct str id = jv_s(jv_get(v, "id"));
    if (id.n == 0) {
        rules_fault(src, STR("rules"), "a rule has no \"id\"");
        return;
    }
    if (sigma_looks_like(v)) {
        sigma_load(src, v);
        return;
    }
    struct expr *e = NULL;
    const struct jv *pattern = jv_get(v, "pattern");
    struct str filter = jv_s(jv_get(v, "filter"));
    struct str source = jv_s(jv_get(v, "source")), name = jv_s(jv_get(v, "regexp"));
    if (pattern != NULL)
        e = pattern_compile(src, pattern);
    else if (filter.p != NULL)
        e = metric_filter_compile(src, filter);
    else if (source.p != NULL && name.p != NULL)
        e = keyword_compile(src, source, name);
    else
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

/* What `aws events list-rules` and `aws logs describe-metric-filters` print. */
static void exported(struct rule_source *src, const struct jv *v, bool events)
{
    struct str id = jv_s(jv_get(v, events ? "Name" : "filterName"));
    struct str text = jv_s(jv_get(v, events ? "EventPattern" : "filterPattern"));
    if (id.p == NULL || text.p == NULL)
        return; /* a schedule has no pattern */
    struct expr *e = NULL;
    if (events) {
        struct jv *p = NULL;
        struct err *err = json_parse(src->rs->a, text, RULE_DEPTH_MAX, &p);
        if (err != NULL) {
            rules_fault(src, id, "its EventPattern: %s", err->message);
            err_free(err);
            return;
        }
        e = pattern_compile(src, p);
    } else {
        e = metric_filter_compile(src, text);
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
    return jv_is(v, JV_OBJ) &&
           (jv_is(jv_get(v, "source"), JV_STR) || jv_is(jv_get(v, "regexp"), JV_STR));
}

static void load_document(struct rule_source *src, const struct jv *v)
{
    const struct jv *own = jv_get(v, "rules");
    const struct jv *events = jv_get(v, "Rules"), *filters = jv_get(v, "metricFilters");
    if (sigma_looks_like(v)) {
        sigma_load(src, v);
    } else if (jv_is(own, JV_ARR) && jv_is(jv_at(own, 0), JV_OBJ)) {
        for (size_t i = 0; i < jv_len(own); i++)
            own_rule(src, jv_at(own, i));
    } else if (jv_is(events, JV_ARR) || jv_is(filters, JV_ARR)) {
        const struct jv *list = events != NULL ? events : filters;
        for (size_t i = 0; i < jv_len(list); i++)
            exported(src, jv_at(list, i), events != NULL);
    } else if (is_keyword(v)) {
        keyword_load(src, v, 0);
    } else if (jv_is(v, JV_ARR) && is_keyword(jv_at(v, 0))) {
        for (size_t i = 0; i < jv_len(v); i++)
            keyword_load(src, jv_at(v, i), i);
    } else if (jv_is(v, JV_OBJ) && jv_len(v) > 0) {
        struct expr *e = pattern_compile(src, v);
        struct rule *r = e == NULL ? NULL : rules_add(src, rules_stem(src->rs->a, src->file));
        if (r != NULL) {
            r->expr = e;
            r->language = STR("pattern");
        }
    } else {
        rules_fault(src, STR_NONE, "no rule language has such a document");
    }
}

/* -- files -- */
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
            if (str_starts_c(str_skip(rest, n), "---")) {
                const char *end = memchr(rest.p + n, '\n', rest.n - n);
                next = end == NULL ? rest.n - n : (size_t)(end - rest.p) + 1 - n;
                break;
            }
        }
        struct rule_source src = *whole;
        src.text = str_take(rest, n);
        if (str_starts_c(src.text, "---")) {
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
    if (!str_ends_c(file, ".json") && !(lead.n > 0 && (lead.p[0] == '{' || lead.p[0] == '['))) {
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

static void load_folder(struct rules *rs, const char *path, int depth)
{
    struct dirent **list = NULL;
    int n = depth >= FOLDER_DEPTH_MAX ? -1 : scandir(path, &list, NULL, alphasort);
    if (n < 0) {
        io_fault(rs, path, "the folder could not be read");
        return;
    }
    for (int i = 0; i < n; i++) {
        const char *name = list[i]->d_name;
        struct str full = arena_fmt(rs->a, "%s/%s", path, name);
        struct stat st;
        if (name[0] != '.' && lstat(full.p, &st) == 0) {
            if (S_ISDIR(st.st_mode))
                load_folder(rs, full.p, depth + 1);
            else if (rule_name(name))
                load_file(rs, full.p);
        }
        free(list[i]);
    }
    free(list);
}

void rules_load(struct rules *rs, const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        load_folder(rs, path, 0);
    else
        load_file(rs, path);
}

void rules_load_builtin(struct rules *rs)
{
    for (size_t i = 0; i < builtin_count; i++)
        rules_load_text(rs, str_c(builtin_files[i].name),
                        str_of(builtin_files[i].text, builtin_files[i].n));
}

/* -- joining -- */
static void keep_path(struct rules *rs, struct rule *r, uint32_t path)
{
    for (size_t i = 0; i < r->n_keep; i++) {
        if (r->keep[i] == path)
            return;
    }
    uint32_t *v = ARENA_ARRAY(rs->a, r->n_keep + 1, uint32_t);
    if (r->n_keep > 0)
        memcpy(v, r->keep, r->n_keep * sizeof *v);
    v[r->n_keep++] = path;
    r->keep = v;
}

static void keep_below(struct rules *rs, uint32_t index, const struct correlation *c, size_t member,
                       int depth)
{
    struct rule *r = &rs->rules.v[index];
    if (depth > RULE_DEPTH_MAX)
        return;
    for (size_t g = 0; g < c->n_group; g++) {
        uint32_t alias = c->alias[member * c->n_group + g];
        keep_path(rs, r, alias != 0 ? alias : c->group[g]);
    }
    if (c->field != 0)
        keep_path(rs, r, c->field);
    /* A correlation over correlations: their members keep what the upper one asks for. */
    for (size_t i = 0; r->corr != NULL && i < r->corr->n_rules; i++) {
        if (r->corr->rules != NULL && r->corr->rules[i] != UINT32_MAX)
            keep_below(rs, r->corr->rules[i], c, member, depth + 1);
    }
}

static void resolve(struct rules *rs, struct map *names, struct rule *r)
{
    struct correlation *c = r->corr;
    struct rule_source src = {.rs = rs, .file = r->file, .base_line = r->line & ~generate_bit};
    c->rules = ARENA_ARRAY(rs->a, c->n_rules, uint32_t);
    for (size_t i = 0; i < c->n_rules; i++) {
        uintptr_t at = (uintptr_t)map_get(names, c->names[i]);
        c->rules[i] = at == 0 ? UINT32_MAX : (uint32_t)(at - 1);
        if (at == 0)
            rules_fault(&src, STR_NONE, "the correlation %.*s names a rule that is not there: %.*s",
                        STR_ARG(r->id), STR_ARG(str_take(c->names[i], 80)));
        else if (rs->rules.v[at - 1].corr == NULL && (r->line & generate_bit) == 0 &&
                 !str_is(rs->rules.v[at - 1].file, "builtin"))
            rs->rules.v[at - 1].hidden = true;
    }
}

/* 0 not seen, 1 on the way, 2 done */
static bool cyclic(struct rules *rs, uint32_t i, unsigned char *seen)
{
    struct correlation *c = rs->rules.v[i].corr;
    if (seen[i] == 1)
        return true;
    if (seen[i] == 2 || c == NULL)
        return false;
    seen[i] = 1;
    bool found = false;
    for (size_t k = 0; k < c->n_rules && !found; k++)
        found = c->rules[k] != UINT32_MAX && cyclic(rs, c->rules[k], seen);
    seen[i] = 2;
    return found;
}

void rules_finish(struct rules *rs)
{
    struct map names = MAP_INIT;
    for (size_t i = 0; i < rs->rules.n; i++) {
        struct rule *r = &rs->rules.v[i];
        struct rule_source src = {.rs = rs, .file = r->file, .base_line = r->line & ~generate_bit};
        if (map_get(&names, r->id) != NULL) {
            rules_fault(&src, STR_NONE, "the id %.*s is taken by another rule", STR_ARG(r->id));
            r->id = arena_fmt(rs->a, "%.*s#%zu", STR_ARG(r->id), i + 1);
        }
        map_put(&names, r->id, (void *)(uintptr_t)(i + 1));
        if (r->name.n > 0 && map_get(&names, r->name) == NULL)
            map_put(&names, r->name, (void *)(uintptr_t)(i + 1));
    }
    for (size_t i = 0; i < rs->rules.n; i++) {
        if (rs->rules.v[i].corr != NULL)
            resolve(rs, &names, &rs->rules.v[i]);
    }
    unsigned char *seen = ARENA_ARRAY(rs->a, rs->rules.n + 1, unsigned char);
    for (size_t i = 0; i < rs->rules.n; i++) {
        struct rule *r = &rs->rules.v[i];
        if (r->corr == NULL || !cyclic(rs, (uint32_t)i, seen))
            continue;
        struct rule_source src = {.rs = rs, .file = r->file, .base_line = r->line & ~generate_bit};
        rules_fault(&src, STR_NONE, "the correlation %.*s names itself through others",
                    STR_ARG(r->id));
        for (size_t k = 0; k < r->corr->n_rules; k++)
            r->corr->rules[k] = UINT32_MAX;
    }
    for (size_t i = 0; i < rs->rules.n; i++) {
        struct rule *r = &rs->rules.v[i];
        r->line &= ~generate_bit;
        for (size_t k = 0; r->corr != NULL && k < r->corr->n_rules; k++) {
            if (r->corr->rules[k] != UINT32_MAX)
                keep_below(rs, r->corr->rules[k], r->corr, k, 0);
        }
    }
    map_clear(&names);
}
