/* The keyword configuration: {"source": "re", "regexp": "re"}, a match of both. */
#include "rules.h"

struct expr *keyword_compile(struct rule_source *src, struct str source, struct str name)
{
    struct rules *rs = src->rs;
    struct expr *all = expr_list(rs->a, EXPR_AND);
    const struct {
        const char *key;
        struct str re;
    } part[] = {{"eventSource", source}, {"eventName", name}};
    for (size_t i = 0; i < ARRAY_LEN(part); i++) {
        struct test t = {.path = path_key(&rs->paths, 0, str_c(part[i].key), false)};
        if (t.path == UINT32_MAX) {
            rules_fault(src, part[i].re, "the rules name more paths than the limit");
            return NULL;
        }
        t.label = arena_fmt(rs->a, "%s matches %.*s", part[i].key, STR_ARG(part[i].re)).p;
        struct err *e = test_regex(rs->a, &t, part[i].re, false);
        if (e != NULL) {
            rules_fault(src, part[i].re, "%s", e->message);
            err_free(e);
            return NULL;
        }
        expr_add(rs->a, all, expr_test(rs->a, &t));
    }
    return all;
}

void keyword_load(struct rule_source *src, const struct jv *doc, size_t index)
{
    static const char *const known[] = {"source", "regexp", "sns", "name", "severity", "pattern",
                                        "topics", "description"};
    struct str source = jv_s(jv_get(doc, "source")), name = jv_s(jv_get(doc, "regexp"));
    rules_begin(src, jv_get(doc, "name") != NULL ? jv_s(jv_get(doc, "name")) : source);
    for (size_t i = 0; i < jv_len(doc); i++) {
        bool ok = false;
        for (size_t j = 0; j < ARRAY_LEN(known); j++)
            ok = ok || str_is(doc->obj.v[i].key, known[j]);
        if (!ok)
            rules_fault(src, doc->obj.v[i].key, "the keyword configuration has no member \"%.*s\"",
                        STR_ARG(str_take(doc->obj.v[i].key, 64)));
        bool object = str_is(doc->obj.v[i].key, "sns") || str_is(doc->obj.v[i].key, "pattern");
        if (ok && !str_is(doc->obj.v[i].key, "topics") &&
            !jv_is(&doc->obj.v[i].value, object ? JV_OBJ : JV_STR))
            rules_fault(src, doc->obj.v[i].key, "this member is %s",
                        object ? "an object" : "a text");
    }
    struct arena *a = src->rs->a;
    const struct jv *pattern = jv_get(doc, "pattern");
    struct expr *e;
    if (pattern != NULL) {
        e = pattern_compile(src, pattern);
    } else {
        if (source.p == NULL || name.p == NULL) {
            rules_fault(src, source.p == NULL ? STR("source") : STR("regexp"),
                        "\"source\" and \"regexp\" are both texts (regular expressions)");
            return;
        }
        e = keyword_compile(src, source, name);
    }
    if (e == NULL)
        return;
    struct str id = jv_s(jv_get(doc, "name"));
    if (id.p == NULL)
        id = index == 0 ? rules_stem(a, src->file)
                        : arena_fmt(a, "%.*s-%zu", STR_ARG(rules_stem(a, src->file)), index + 1);
    struct rule *r = rules_add(src, id);
    if (r == NULL)
        return;
    r->expr = e;
    r->language = STR("keywords");
    r->title = arena_fmt(a, "%.*s: %.*s", STR_ARG(jv_s(jv_get(doc, "source"))),
                         STR_ARG(jv_s(jv_get(doc, "regexp"))));
    r->reason = jv_s(jv_get(doc, "description"));
    if (jv_get(doc, "severity") != NULL &&
        !severity_parse(jv_s(jv_get(doc, "severity")), &r->severity))
        rules_fault(src, STR("severity"), "severity is info, low, medium, high or critical");
}
