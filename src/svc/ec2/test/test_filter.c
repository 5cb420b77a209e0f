/* Filters: wildcards, paths, tags, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "svc/ec2/filter.h"

static const struct filter_def defs[] = {
    {"id", "Id"},
    {"default", "IsDefault"},
    {"count", "Count"},
    {"route.state", "Routes.State"},
    {"deep", "Routes.Via.Names"},
    {0},
};

static const char text[] =
    "{\"Id\":\"vpc-1\",\"IsDefault\":false,\"Count\":251,"
    "\"Routes\":[{\"State\":\"active\",\"Via\":{\"Names\":[\"a\",\"b\"]}},"
    "{\"State\":\"blackhole\"}],"
    "\"Tags\":[{\"Key\":\"Name\",\"Value\":\"front\"},{\"Key\":\"a.b\",\"Value\":\"\"}]}";

static void wildcards(void **state UNUSED)
{
    static const struct {
        const char *pattern, *s;
        bool match;
    } cases[] = {
        {"", "", true},           {"", "a", false},         {"*", "", true},
        {"*", "abc", true},       {"a*c", "abbbc", true},   {"a*c", "abbb", false},
        {"?", "a", true},         {"?", "", false},         {"?", "\xc3\xa9", true},
        {"a?c", "abc", true},     {"**b", "aab", true},     {"A", "a", false},
        {"a\\*", "a*", true},     {"a\\*", "ab", false},    {"a\\?", "a?", true},
        {"a\\?", "ab", false},    {"a\\\\", "a\\", true},   {"*.internal", "x.internal", true},
        {"*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
        {"a*\\*c", "axx*c", true}, {"\\", "\\", true},       {"[ab]", "a", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(filter_wildcard(str_c(cases[i].pattern), str_c(cases[i].s)),
                         cases[i].match);
}

static bool match(const struct jv *item, const char *name, const char *value)
{
    struct str v = str_c(value);
    struct filter f = {str_c(name), &v, 1};
    struct err *e = filters_check(defs, &f, 1);
    assert_null(e);
    return filters_match(defs, &f, 1, item);
}

static void paths_and_tags(void **state UNUSED)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(1 << 20);
    struct jv *item;
    assert_null(json_parse(a, str_c(text), 64, &item));
    assert_true(match(item, "id", "vpc-?"));
    assert_false(match(item, "id", "subnet-?"));
    assert_true(match(item, "default", "false"));
    assert_true(match(item, "count", "251"));
    assert_false(match(item, "count", "25"));
    assert_true(match(item, "route.state", "blackhole"));
    assert_true(match(item, "deep", "b"));
    assert_false(match(item, "deep", "c"));
    assert_true(match(item, "tag:Name", "fr*"));
    assert_false(match(item, "tag:Na*", "fr*"));
    assert_true(match(item, "tag:a.b", ""));
    assert_true(match(item, "tag-key", "N*"));
    assert_false(match(item, "tag-key", "x"));
    assert_true(path_has(item, "Routes.Via.Names", STR("a")));
    assert_false(path_has(item, "Routes.Via.Names", STR("*")));
    assert_false(path_has(item, "Nothing.At.All", STR("a")));
    assert_false(path_has(NULL, "Id", STR("a")));
}

static void all_filters_any_value(void **state UNUSED)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(1 << 20);
    struct jv *item;
    assert_null(json_parse(a, str_c(text), 64, &item));
    const struct str ids[] = {STR("x"), STR("vpc-1")}, states[] = {STR("active")},
                     others[] = {STR("gone")};
    struct filter f[] = {{STR("id"), ids, 2}, {STR("route.state"), states, 1}};
    assert_true(filters_match(defs, f, 2, item));
    f[1].values = others;
    assert_false(filters_match(defs, f, 2, item));
    assert_true(filters_match(defs, f, 0, item));
}

static void refused(const struct filter *f, size_t n, const char *code)
{
    struct err *e = filters_check(defs, f, n);
    assert_non_null(e);
    assert_true(err_has_code(e, code));
    err_free(e);
}

static void refusals(void **state UNUSED)
{
    static struct str many[FILTER_VALUES_MAX + 1];
    static struct filter lots[FILTERS_MAX + 1];
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        many[i] = STR("v");
    for (size_t i = 0; i < ARRAY_LEN(lots); i++)
        lots[i] = (struct filter){STR("id"), many, 1};
    refused(&(struct filter){STR("colour"), many, 1}, 1, "InvalidParameterValue");
    refused(&(struct filter){STR("Id"), many, 1}, 1, "InvalidParameterValue");
    refused(&(struct filter){STR("id"), many, 0}, 1, "InvalidParameterValue");
    refused(&(struct filter){STR_NONE, many, 1}, 1, "MissingParameter");
    refused(&(struct filter){STR("id"), many, ARRAY_LEN(many)}, 1, "FilterLimitExceeded");
    refused(lots, ARRAY_LEN(lots), "FilterLimitExceeded");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wildcards),
        cmocka_unit_test(paths_and_tags),
        cmocka_unit_test(all_filters_any_value),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
