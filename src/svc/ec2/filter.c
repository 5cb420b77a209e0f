/* Filters: from a name to a path, and from a path to an answer. */
#include "filter.h"

#include <string.h>

/* Linear in the text for each star: after a mismatch only the last star gives way. */
bool filter_wildcard(struct str pattern, struct str s)
{
    size_t p = 0, i = 0, star = SIZE_MAX, star_i = 0;
    while (i < s.n) {
        char c = p < pattern.n ? pattern.p[p] : '\0';
        size_t step = 1;
        bool literal = false;
        if (p < pattern.n && c == '\\' && p + 1 < pattern.n) {
            c = pattern.p[p + 1];
            step = 2;
            literal = true;
        }
        if (p < pattern.n && !literal && c == '*') {
            star = p++;
            star_i = i;
            continue;
        }
        if (p < pattern.n && !literal && c == '?') {
            size_t n = str_utf8_next(str_skip(s, i));
            i += n > 0 ? n : 1;
            p++;
            continue;
        }
        if (p < pattern.n && c == s.p[i]) {
            p += step;
            i++;
            continue;
        }
        if (star == SIZE_MAX)
            return false;
        p = star + 1;
        i = ++star_i;
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

static bool scalar_matches(const struct jv *v, struct str text, bool wild)
{
    char number[32];
    struct str s;
    if (v->type == JV_STR) {
        s = v->s;
    } else if (v->type == JV_BOOL) {
        s = v->b ? STR("true") : STR("false");
    } else if (v->type == JV_INT) {
        snprintf(number, sizeof number, "%lld", (long long)v->i);
        s = str_c(number);
    } else {
        return false;
    }
    return wild ? filter_wildcard(text, s) : str_eq(text, s);
}

static bool path_matches(const struct jv *v, const char *path, struct str text, bool wild)
{
    if (v == NULL)
        return false;
    if (v->type == JV_ARR) {
        for (size_t i = 0; i < v->arr.n; i++)
            if (path_matches(&v->arr.v[i], path, text, wild))
                return true;
        return false;
    }
    if (*path == '\0')
        return scalar_matches(v, text, wild);
    const char *dot = strchr(path, '.');
    struct str step = str_of(path, dot != NULL ? (size_t)(dot - path) : strlen(path));
    return path_matches(jv_get_str(v, step), dot != NULL ? dot + 1 : path + step.n, text, wild);
}

bool path_has(const struct jv *v, const char *path, struct str text)
{
    return path_matches(v, path, text, false);
}

static const struct filter_def *def_of(const struct filter_def *defs, struct str name)
{
    for (; defs != NULL && defs->name != NULL; defs++)
        if (str_is(name, defs->name))
            return defs;
    return NULL;
}

struct err *filters_check(const struct filter_def *defs, const struct filter *f, size_t n)
{
    size_t values = 0;
    if (n > FILTERS_MAX)
        return err_aws(400, "FilterLimitExceeded",
                       "The maximum number of filters specified on a single call is %d.",
                       FILTERS_MAX);
    for (size_t i = 0; i < n; i++) {
        values += f[i].n;
        if (f[i].name.n == 0)
            return err_aws(400, "MissingParameter",
                           "The request must contain the parameter Filter.Name");
        if (f[i].n == 0)
            return err_aws(400, "InvalidParameterValue", "The filter '%.*s' has no values.",
                           STR_ARG(str_take(f[i].name, 100)));
        if (def_of(defs, f[i].name) == NULL && !str_is(f[i].name, "tag-key") &&
            !str_starts_c(f[i].name, "tag:"))
            return err_aws(400, "InvalidParameterValue", "The filter '%.*s' is invalid",
                           STR_ARG(str_take(f[i].name, 100)));
    }
    if (values > FILTER_VALUES_MAX)
        return err_aws(400, "FilterLimitExceeded",
                       "The maximum number of filter values specified on a single call is %d.",
                       FILTER_VALUES_MAX);
    return NULL;
}

/* tag:KEY: the key is taken as it stands, the value is a pattern. */
static bool tag_matches(const struct jv *tags, struct str key, struct str pattern)
{
    for (size_t i = 0; i < jv_len(tags); i++)
        if (str_eq(jv_s(jv_get(jv_at(tags, i), "Key")), key) &&
            filter_wildcard(pattern, jv_s(jv_get(jv_at(tags, i), "Value"))))
            return true;
    return false;
}

/* What has a member Tags of another kind, or none, keeps its tags under "tags". */
static const struct jv *tags_of(const struct jv *item)
{
    const struct jv *tags = jv_get(item, "Tags");
    return tags != NULL ? tags : jv_get(item, "tags");
}

static bool one_matches(const struct filter_def *defs, const struct filter *f,
                        const struct jv *item)
{
    const struct filter_def *def = def_of(defs, f->name);
    for (size_t i = 0; i < f->n; i++) {
        bool hit;
        if (def != NULL)
            hit = path_matches(item, def->path, f->values[i], true);
        else if (str_starts_c(f->name, "tag:"))
            hit = tag_matches(tags_of(item), str_skip(f->name, 4), f->values[i]);
        else
            hit = path_matches(tags_of(item), "Key", f->values[i], true);
        if (hit)
            return true;
    }
    return false;
}

bool filters_match(const struct filter_def *defs, const struct filter *f, size_t n,
                   const struct jv *item)
{
    for (size_t i = 0; i < n; i++)
        if (!one_matches(defs, &f[i], item))
            return false;
    return true;
}
