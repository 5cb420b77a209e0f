/* Filter policies: what is refused when it is set, and what matches. */
#include "../filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { ARENA_BYTES = 16 * 1024 * 1024 };

struct refusal {
    enum filter_scope scope;
    const char *policy, *says;
};

static const struct refusal refusals[] = {
    {FILTER_ATTRIBUTES, "{", "parse JSON"},
    {FILTER_ATTRIBUTES, "", "parse JSON"},
    {FILTER_ATTRIBUTES, "[]", "not an object"},
    {FILTER_ATTRIBUTES, "{\"a\":\"x\"}", "object or an array"},
    {FILTER_ATTRIBUTES, "{\"a\":1}", "object or an array"},
    {FILTER_ATTRIBUTES, "{\"a\":[]}", "Empty arrays"},
    {FILTER_ATTRIBUTES, "{\"a\":{\"b\":[\"x\"]}}", "nested"},
    {FILTER_BODY, "{\"a\":{}}", "Empty objects"},
    {FILTER_BODY, "{\"a\":[[\"x\"]]}", "Match value"},
    {FILTER_BODY, "{\"a\":[{}]}", "Only one key"},
    {FILTER_BODY, "{\"a\":[{\"prefix\":\"x\",\"suffix\":\"y\"}]}", "Only one key"},
    {FILTER_BODY, "{\"a\":[{\"starts\":\"x\"}]}", "Unrecognized match type"},
    {FILTER_BODY, "{\"a\":[{\"prefix\":1}]}", "must be strings"},
    {FILTER_BODY, "{\"a\":[{\"prefix\":{\"wildcard\":\"x\"}}]}", "must be strings"},
    {FILTER_BODY, "{\"a\":[{\"exists\":\"true\"}]}", "either true or false"},
    {FILTER_BODY, "{\"a\":[{\"equals-ignore-case\":[\"x\"]}]}", "must be a string"},
    {FILTER_BODY, "{\"a\":[{\"cidr\":\"10.0.0.0/33\"}]}", "CIDR"},
    {FILTER_BODY, "{\"a\":[{\"cidr\":\"10.0.0/8\"}]}", "CIDR"},
    {FILTER_BODY, "{\"a\":[{\"cidr\":\"::1/129\"}]}", "CIDR"},
    {FILTER_BODY, "{\"a\":[{\"numeric\":\"=1\"}]}", "array"},
    {FILTER_BODY, "{\"a\":[{\"numeric\":[\"=\"]}]}", "array"},
    {FILTER_BODY, "{\"a\":[{\"numeric\":[\"=\",\"1\"]}]}", "must be a number"},
    {FILTER_BODY, "{\"a\":[{\"numeric\":[\"!=\",1]}]}", "operator"},
    {FILTER_BODY, "{\"a\":[{\"numeric\":[\"<\",1,\">\",0]}]}", "lower bound"},
    {FILTER_BODY, "{\"a\":[{\"numeric\":[\">\",1,\"<\",1]}]}", "Bottom"},
    {FILTER_BODY, "{\"a\":[{\"numeric\":[\"=\",1000000001]}]}", "1.0E9"},
    {FILTER_BODY, "{\"a\":[2e9]}", "1.0E9"},
    {FILTER_BODY, "{\"a\":[{\"anything-but\":[]}]}", "at least one"},
    {FILTER_BODY, "{\"a\":[{\"anything-but\":[true]}]}", "not supported"},
    {FILTER_BODY, "{\"a\":[{\"anything-but\":{\"prefix\":\"\"}}]}", "not empty"},
    {FILTER_BODY, "{\"a\":[{\"anything-but\":{\"cidr\":\"::/0\"}}]}", "Unsupported"},
    {FILTER_BODY, "{\"a\":[{\"wildcard\":\"a**\"}]}", "Consecutive"},
    {FILTER_BODY, "{\"a\":[{\"wildcard\":\"a\\\\b\"}]}", "escape"},
    {FILTER_BODY, "{\"a\":[{\"wildcard\":\"a\\\\\"}]}", "escape"},
    {FILTER_BODY, "{\"a\":[{\"wildcard\":\"*a*a*a*a*a*a*a*a*\"}]}", "too complex"},
    {FILTER_BODY, "{\"a\":[1],\"b\":[1],\"c\":[1],\"d\":[1],\"e\":[1],\"f\":[1]}", "5 keys"},
    {FILTER_ATTRIBUTES,
     "{\"a\":[1,2,3,4,5,6,7,8],\"b\":[1,2,3,4,5],\"c\":[1,2,3,4]}", "too complex"},
    {FILTER_BODY, "{\"a\":{\"b\":{\"c\":[1,2,3,4,5,6,7,8,9,10],\"d\":[1,2]}}}", "too complex"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct arena *a = arena_new(ARENA_BYTES);
        struct jv *policy = NULL;
        struct err *e = filter_parse(a, str_c(refusals[i].policy), refusals[i].scope, &policy);
        if (e == NULL || strstr(e->message, refusals[i].says) == NULL)
            fail_msg("%s: %s", refusals[i].policy, e == NULL ? "taken" : e->message);
        assert_int_equal(e->kind, ERR_INVALID);
        assert_null(policy);
        err_free(e);
        arena_free(a);
    }
}

struct body_case {
    const char *policy, *body;
    bool matches;
};

static const struct body_case bodies[] = {
    {"{}", "{}", true},
    {"{}", "[]", false},
    {"{}", "text", false},
    {"{\"a\":[\"x\"]}", "{\"a\":\"x\"}", true},
    {"{\"a\":[\"x\"]}", "{\"a\":\"X\"}", false},
    {"{\"a\":[\"x\"]}", "{\"b\":\"x\"}", false},
    {"{\"a\":[\"x\"]}", "{\"a\":[\"y\",\"x\"]}", true},
    {"{\"a\":[\"x\"]}", "{\"a\":[[\"x\"]]}", true},
    {"{\"a\":[\"x\"]}", "{\"a\":{\"a\":\"x\"}}", false},
    {"{\"a\":[\"x\",\"y\"],\"b\":[1]}", "{\"a\":\"y\",\"b\":1.0}", true},
    {"{\"a\":[\"x\",\"y\"],\"b\":[1]}", "{\"a\":\"y\",\"b\":\"1\"}", false},
    {"{\"a\":[true]}", "{\"a\":true}", true},
    {"{\"a\":[true]}", "{\"a\":\"true\"}", false},
    {"{\"a\":[null]}", "{\"a\":null}", true},
    {"{\"a\":[null]}", "{}", false},
    {"{\"a\":[\"\"]}", "{\"a\":\"\"}", true},
    {"{\"a\":{\"b\":[\"x\"]}}", "{\"a\":{\"b\":\"x\"}}", true},
    {"{\"a\":{\"b\":[\"x\"]}}", "{\"a\":[{\"b\":\"y\"},{\"b\":\"x\"}]}", true},
    {"{\"a\":{\"b\":[\"x\"]}}", "{\"a\":\"x\"}", false},
    /* what a policy nests together is looked for in one element */
    {"{\"a\":{\"b\":[1],\"c\":[2]}}", "{\"a\":[{\"b\":1,\"c\":2}]}", true},
    {"{\"a\":{\"b\":[1],\"c\":[2]}}", "{\"a\":[{\"b\":1},{\"c\":2}]}", false},
    {"{\"a\":[{\"prefix\":\"ab\"}]}", "{\"a\":\"abc\"}", true},
    {"{\"a\":[{\"prefix\":\"ab\"}]}", "{\"a\":\"a\"}", false},
    {"{\"a\":[{\"prefix\":\"ab\"}]}", "{\"a\":12}", false},
    {"{\"a\":[{\"prefix\":{\"equals-ignore-case\":\"AB\"}}]}", "{\"a\":\"abc\"}", true},
    {"{\"a\":[{\"suffix\":\".png\"}]}", "{\"a\":\"x.png\"}", true},
    {"{\"a\":[{\"suffix\":\".png\"}]}", "{\"a\":\"x.PNG\"}", false},
    {"{\"a\":[{\"suffix\":{\"equals-ignore-case\":\".png\"}}]}", "{\"a\":\"x.PNG\"}", true},
    {"{\"a\":[{\"equals-ignore-case\":\"aLaRm\"}]}", "{\"a\":\"ALARM\"}", true},
    {"{\"a\":[{\"equals-ignore-case\":\"alarm\"}]}", "{\"a\":\"alarms\"}", false},
    {"{\"a\":[{\"wildcard\":\"*.exam*.com\"}]}", "{\"a\":\"www.example.com\"}", true},
    {"{\"a\":[{\"wildcard\":\"*.exam*.com\"}]}", "{\"a\":\"www.example.org\"}", false},
    {"{\"a\":[{\"wildcard\":\"a*\"}]}", "{\"a\":\"a\"}", true},
    {"{\"a\":[{\"wildcard\":\"a\\\\*b\"}]}", "{\"a\":\"a*b\"}", true},
    {"{\"a\":[{\"wildcard\":\"a\\\\*b\"}]}", "{\"a\":\"axb\"}", false},
    {"{\"a\":[{\"wildcard\":\"*ab\\\\\\\\\"}]}", "{\"a\":\"aab\\\\\"}", true},
    {"{\"a\":[{\"cidr\":\"10.0.0.0/24\"}]}", "{\"a\":\"10.0.0.255\"}", true},
    {"{\"a\":[{\"cidr\":\"10.0.0.0/24\"}]}", "{\"a\":\"10.0.1.0\"}", false},
    {"{\"a\":[{\"cidr\":\"10.0.0.0/23\"}]}", "{\"a\":\"10.0.1.0\"}", true},
    {"{\"a\":[{\"cidr\":\"0.0.0.0/0\"}]}", "{\"a\":\"::1\"}", false},
    {"{\"a\":[{\"cidr\":\"0.0.0.0/0\"}]}", "{\"a\":\"host\"}", false},
    {"{\"a\":[{\"cidr\":\"2001:db8::/33\"}]}", "{\"a\":\"2001:db8:7fff::1\"}", true},
    {"{\"a\":[{\"cidr\":\"2001:db8::/33\"}]}", "{\"a\":\"2001:db8:8000::1\"}", false},
    {"{\"a\":[{\"cidr\":\"10.1.2.3\"}]}", "{\"a\":\"10.1.2.3\"}", true},
    {"{\"a\":[{\"numeric\":[\"=\",0.3]}]}", "{\"a\":0.3}", true},
    {"{\"a\":[{\"numeric\":[\">\",0,\"<=\",5]}]}", "{\"a\":5}", true},
    {"{\"a\":[{\"numeric\":[\">\",0,\"<=\",5]}]}", "{\"a\":0}", false},
    {"{\"a\":[{\"numeric\":[\"<\",-1.5]}]}", "{\"a\":-2}", true},
    {"{\"a\":[{\"numeric\":[\">=\",1]}]}", "{\"a\":\"2\"}", false},
    {"{\"a\":[{\"exists\":true}]}", "{\"a\":null}", true},
    {"{\"a\":[{\"exists\":true}]}", "{\"b\":1}", false},
    {"{\"a\":[{\"exists\":true}]}", "{\"a\":{\"b\":1}}", false},
    {"{\"a\":[{\"exists\":false}]}", "{\"b\":1}", true},
    {"{\"a\":[{\"exists\":false}]}", "{\"a\":0}", false},
    {"{\"a\":{\"b\":[{\"exists\":false}]}}", "{}", true},
    {"{\"a\":[{\"anything-but\":\"x\"}]}", "{\"a\":\"y\"}", true},
    {"{\"a\":[{\"anything-but\":\"x\"}]}", "{\"a\":\"x\"}", false},
    {"{\"a\":[{\"anything-but\":\"x\"}]}", "{}", false},
    {"{\"a\":[{\"anything-but\":[\"x\",5]}]}", "{\"a\":5}", false},
    {"{\"a\":[{\"anything-but\":[\"x\",5]}]}", "{\"a\":[\"x\",\"y\"]}", true},
    {"{\"a\":[{\"anything-but\":{\"prefix\":\"ab\"}}]}", "{\"a\":\"abc\"}", false},
    {"{\"a\":[{\"anything-but\":{\"prefix\":[\"x\",\"ab\"]}}]}", "{\"a\":\"abc\"}", false},
    {"{\"a\":[{\"anything-but\":{\"suffix\":\"c\"}}]}", "{\"a\":\"abd\"}", true},
    {"{\"a\":[{\"anything-but\":{\"wildcard\":\"a*c\"}}]}", "{\"a\":\"abbc\"}", false},
    {"{\"a\":[{\"anything-but\":{\"equals-ignore-case\":[\"A\",\"B\"]}}]}", "{\"a\":\"b\"}", false},
    {"{\"$or\":[{\"a\":[1]},{\"b\":[2]}]}", "{\"b\":2}", true},
    {"{\"$or\":[{\"a\":[1]},{\"b\":[2]}]}", "{\"b\":3}", false},
    {"{\"c\":[3],\"$or\":[{\"a\":[1]},{\"b\":[2]}]}", "{\"a\":1}", false},
    {"{\"c\":[3],\"$or\":[{\"a\":[1]},{\"b\":[2]}]}", "{\"a\":1,\"c\":3}", true},
    {"{\"x\":{\"$or\":[{\"a\":[1]},{\"b\":[2]}]}}", "{\"x\":{\"b\":2}}", true},
    {"{\"$or\":[\"x\"]}", "{\"$or\":\"x\"}", true}, /* a key like others */
};

static void test_bodies(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct arena *a = arena_new(ARENA_BYTES);
        struct jv *policy = NULL;
        struct err *e = filter_parse(a, str_c(bodies[i].policy), FILTER_BODY, &policy);
        if (e != NULL)
            fail_msg("%s: %s", bodies[i].policy, e->message);
        if (filter_match_body(policy, filter_body(a, str_c(bodies[i].body))) !=
            bodies[i].matches)
            fail_msg("%s %s %s", bodies[i].policy, bodies[i].matches ? "misses" : "matches",
                     bodies[i].body);
        arena_free(a);
    }
}

/* The message of every case: text, number, list, binary. */
static const struct filter_attribute message[] = {
    {{"s", 1}, {"String", 6}, {"rugby", 5}},
    {{"n", 1}, {"Number.price", 12}, {"100.50", 6}},
    {{"l", 1}, {"String.Array", 12}, {"[\"a\",7,true,null]", 17}},
    {{"b", 1}, {"Binary", 6}, {"x", 1}},
    {{"ip", 2}, {"String.ip", 9}, {"10.0.0.9", 8}},
};

static const struct {
    const char *policy;
    bool matches;
} attributes[] = {
    {"{}", true},
    {"{\"s\":[\"rugby\"]}", true},
    {"{\"s\":[\"ruby\",{\"prefix\":\"rug\"}]}", true},
    {"{\"s\":[\"football\"]}", false},
    {"{\"n\":[100.5]}", true},
    {"{\"n\":[\"100.50\"]}", false},
    {"{\"n\":[{\"numeric\":[\">\",100]}]}", true},
    {"{\"n\":[{\"numeric\":[\">\",100.5]}]}", false},
    {"{\"n\":[{\"anything-but\":[1,2]}]}", true},
    {"{\"l\":[\"a\"]}", true},
    {"{\"l\":[7]}", true},
    {"{\"l\":[true]}", true},
    {"{\"l\":[null]}", true},
    {"{\"l\":[\"z\"]}", false},
    {"{\"l\":[{\"anything-but\":[\"a\"]}]}", true},
    {"{\"b\":[\"x\"]}", false},
    {"{\"b\":[{\"exists\":true}]}", true},
    {"{\"b\":[{\"exists\":false}]}", false},
    {"{\"missing\":[{\"exists\":false}]}", true},
    {"{\"missing\":[{\"anything-but\":\"x\"}]}", false},
    {"{\"ip\":[{\"cidr\":\"10.0.0.0/8\"}]}", true},
    {"{\"s\":[\"rugby\"],\"n\":[1]}", false},
    {"{\"$or\":[{\"s\":[\"x\"]},{\"n\":[100.5]}]}", true},
};

static void test_attributes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
        struct arena *a = arena_new(ARENA_BYTES);
        struct jv *policy = NULL;
        struct err *e = filter_parse(a, str_c(attributes[i].policy), FILTER_ATTRIBUTES, &policy);
        if (e != NULL)
            fail_msg("%s: %s", attributes[i].policy, e->message);
        if (filter_match_attributes(a, policy, message, ARRAY_LEN(message)) !=
            attributes[i].matches)
            fail_msg("%s", attributes[i].policy);
        arena_free(a);
    }
}

/* A wildcard of many stars takes time in proportion to the lengths, not more. */
static void test_wildcard_time(void **state)
{
    (void)state;
    enum { N = 200000 };
    struct arena *a = arena_new(ARENA_BYTES);
    struct jv *policy = NULL;
    assert_null(filter_parse(a, STR("{\"a\":[{\"wildcard\":\"*a*a*a*a*a*a*a*b\"}]}"), FILTER_BODY,
                             &policy));
    char *body = arena_alloc(a, N + 16);
    int head = snprintf(body, 16, "{\"a\":\"");
    memset(body + head, 'a', N);
    memcpy(body + head + N, "\"}", 2);
    assert_false(filter_match_body(policy, filter_body(a, str_of(body, (size_t)head + N + 2))));
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_wildcard_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
