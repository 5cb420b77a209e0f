/* The template language by itself: parsing, parameters, conditions, functions, order. */
#include "../template.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct bench {
    struct arena *a;
    struct template t;
    struct scope s;
};

static struct err *get(void *ctx, struct str logical, struct str attr, const struct jv **out)
{
    struct bench *b = ctx;
    *out = jv_new_str(b->a, attr.p == NULL ? arena_fmt(b->a, "id-of-%.*s", STR_ARG(logical))
                                           : arena_fmt(b->a, "%.*s of %.*s", STR_ARG(attr),
                                                       STR_ARG(logical)));
    return NULL;
}

static struct err *import(void *ctx, struct str name, const struct jv **out)
{
    struct bench *b = ctx;
    if (str_is(name, "none"))
        return template_error("No export named none found.");
    *out = jv_new_str(b->a, arena_fmt(b->a, "import-%.*s", STR_ARG(name)));
    return NULL;
}

static int set_up(void **state)
{
    static struct bench b;
    b = (struct bench){.a = arena_new(16 * 1024 * 1024)};
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    arena_free(b->a);
    return 0;
}

static void ok(struct err *e)
{
    if (e != NULL)
        fail_msg("%s", e->message);
}

static void refused(struct err *e, const char *words)
{
    assert_non_null(e);
    assert_true(err_has_code(e, "ValidationError") || err_has_code(e, "NotImplemented"));
    if (strstr(e->message, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", e->message, words);
    err_free(e);
}

/* A template, with parameters given as JSON. */
static struct err *load(struct bench *b, const char *text, const char *given)
{
    struct jv *params, *values = NULL;
    TRY(template_parse(b->a, str_c(text), &b->t));
    if (given != NULL)
        TRY(json_parse(b->a, str_c(given), 8, &values));
    TRY(template_params(b->a, &b->t, values, NULL, NULL, &params));
    b->s = (struct scope){.a = b->a, .t = &b->t, .params = params,
                          .account = STR("123456789012"), .region = STR("eu-west-1"),
                          .stack_name = STR("st"), .stack_id = STR("arn:st"),
                          .get = get, .import = import, .ctx = b};
    TRY(template_rules(&b->s));
    return template_conditions(&b->s);
}

#define BASE "{\"Mappings\":{\"M\":{\"a\":{\"x\":\"1\",\"l\":[\"p\",\"q\"]}}}," \
    "\"Parameters\":{\"P\":{\"Type\":\"String\",\"Default\":\"v\"}," \
    "\"L\":{\"Type\":\"CommaDelimitedList\",\"Default\":\"a, b,c\"}}," \
    "\"Conditions\":{\"Yes\":{\"Fn::Equals\":[{\"Ref\":\"P\"},\"v\"]}," \
    "\"No\":{\"Fn::Not\":[{\"Condition\":\"Yes\"}]}}," \
    "\"Resources\":{\"R\":{\"Type\":\"T\"},\"Off\":{\"Type\":\"T\",\"Condition\":\"No\"}}}"

/* A value, resolved, as JSON text. */
static struct err *value(struct bench *b, const char *json, const char **out)
{
    struct jv *v;
    const struct jv *r;
    TRY(json_parse(b->a, str_c(json), 64, &v));
    TRY(template_resolve(&b->s, v, &r));
    *out = r == NULL ? "nothing" : jv_text(b->a, r).p;
    return NULL;
}

static void test_functions(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"{\"Ref\":\"P\"}", "\"v\""},
        {"{\"Ref\":\"L\"}", "[\"a\",\"b\",\"c\"]"},
        {"{\"Ref\":\"R\"}", "\"id-of-R\""},
        {"{\"Ref\":\"AWS::AccountId\"}", "\"123456789012\""},
        {"{\"Ref\":\"AWS::NoValue\"}", "nothing"},
        {"{\"Ref\":\"AWS::Partition\"}", "\"aws\""},
        {"{\"Fn::GetAtt\":[\"R\",\"Arn\"]}", "\"Arn of R\""},
        {"{\"Fn::GetAtt\":\"R.A.B\"}", "\"A.B of R\""},
        {"{\"Fn::Sub\":\"a-${P}-${R}-${R.Arn}-${!P}-${AWS::Region}\"}",
         "\"a-v-id-of-R-Arn of R-${P}-eu-west-1\""},
        {"{\"Fn::Sub\":[\"${x}/${P}\",{\"x\":{\"Ref\":\"R\"}}]}", "\"id-of-R/v\""},
        {"{\"Fn::Join\":[\":\",[\"a\",1,true,{\"Ref\":\"AWS::NoValue\"},\"b\"]]}",
         "\"a:1:true:b\""},
        {"{\"Fn::Join\":[\"\",{\"Ref\":\"L\"}]}", "\"abc\""},
        {"{\"Fn::Select\":[\"1\",{\"Ref\":\"L\"}]}", "\"b\""},
        {"{\"Fn::Select\":[2,{\"Fn::Split\":[\"--\",\"a--b--c\"]}]}", "\"c\""},
        {"{\"Fn::If\":[\"Yes\",\"y\",\"n\"]}", "\"y\""},
        {"{\"a\":{\"Fn::If\":[\"No\",1,{\"Ref\":\"AWS::NoValue\"}]},\"b\":2}", "{\"b\":2}"},
        {"[1,{\"Ref\":\"AWS::NoValue\"},2]", "[1,2]"},
        {"{\"Fn::FindInMap\":[\"M\",\"a\",\"x\"]}", "\"1\""},
        {"{\"Fn::FindInMap\":[\"M\",\"a\",\"l\"]}", "[\"p\",\"q\"]"},
        {"{\"Fn::Base64\":\"hello\"}", "\"aGVsbG8=\""},
        {"{\"Fn::ImportValue\":{\"Fn::Sub\":\"${P}-x\"}}", "\"import-v-x\""},
        {"{\"Fn::GetAZs\":\"\"}", "[\"eu-west-1a\",\"eu-west-1b\",\"eu-west-1c\"]"},
        {"{\"Fn::Cidr\":[\"10.0.0.0/16\",2,\"8\"]}", "[\"10.0.0.0/24\",\"10.0.1.0/24\"]"},
        {"{\"Fn::Cidr\":[\"0.0.0.0/0\",2,31]}", "[\"0.0.0.0/1\",\"128.0.0.0/1\"]"},
    };
    struct bench *b = *state;
    ok(load(b, BASE, NULL));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *got = "";
        ok(value(b, cases[i].in, &got));
        assert_string_equal(got, cases[i].out);
    }
}

static void test_functions_refuse(void **state)
{
    static const struct {
        const char *in, *words;
    } cases[] = {
        {"{\"Fn::Select\":[3,{\"Ref\":\"L\"}]}", "nonexistent"},
        {"{\"Fn::Select\":[-1,[1]]}", "Fn::Select"},
        {"{\"Fn::Join\":[\"-\",\"x\"]}", "Fn::Join"},
        {"{\"Fn::Join\":[\"-\",[[1]]]}", "Fn::Join"},
        {"{\"Fn::FindInMap\":[\"M\",\"a\",\"none\"]}", "mapping"},
        {"{\"Fn::FindInMap\":[\"N\",\"a\",\"x\"]}", "Mapping"},
        {"{\"Fn::Sub\":\"${P\"}", "no }"},
        {"{\"Fn::Sub\":\"${L.x}\"}", "Unresolved"},
        {"{\"Ref\":\"Off\"}", "Unresolved"},
        {"{\"Ref\":[]}", "Ref"},
        {"{\"Fn::If\":[\"Maybe\",1,2]}", "condition"},
        {"{\"Fn::ImportValue\":\"none\"}", "No export"},
        {"{\"Fn::Cidr\":[\"10.0.0.0/24\",3,8]}", "Fn::Cidr"},
        {"{\"Fn::Cidr\":[\"10.0.0/24\",1,8]}", "Fn::Cidr"},
        {"{\"Fn::Equals\":[1,1]}", "Conditions only"},
        {"{\"Fn::Nothing\":1}", "unknown function"},
        {"\"{{resolve:ssm:x}}\"", "resolve"},
    };
    struct bench *b = *state;
    ok(load(b, BASE, NULL));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *got = "";
        refused(value(b, cases[i].in, &got), cases[i].words);
    }
}

#define TAIL "\"Resources\":{\"R\":{\"Type\":\"T\"}}}"
#define R(more) "{\"Resources\":{\"R\":{\"Type\":\"T\"," more "}}}"

static void test_parse_refuses(void **state)
{
    static const struct {
        const char *in, *words;
    } cases[] = {
        {"", "not well-formed"},
        {"{", "not well-formed"},
        {"[1]", "unsupported structure"},
        {"{}", "At least one Resources"},
        {"{\"Resources\":{\"R\":{}}}", "Type"},
        {"{\"Resources\":{\"R-1\":{\"Type\":\"T\"}}}", "alphanumeric"},
        {"{\"Resources\":{\"R\":{\"Type\":\"T\"}},\"Other\":1}", "Invalid template property"},
        {"{\"Resources\":{\"R\":{\"Type\":\"T\"}},\"Hooks\":{}}", "not built"},
        {"Resources: {R: {Type: T}}\nOutputs: {O: {Value: x, Export: {Name: !Ref R}}}",
         "the name of an export must not depend"},
        {"Resources: {R: {Type: T}}\nOutputs: {O: {Value: {'Fn::ImportValue': !Sub '${R}-x'}}}",
         "the attribute in Fn::ImportValue must not depend"},
        {"Resources: {R: {Type: T}}\nOutputs: {O: {Value: {'Fn::ImportValue': !GetAtt R.A}}}",
         "the attribute in Fn::ImportValue must not depend"},
        {"Resources: {R: {Type: T}}\nOutputs: {O: {Value: {'Fn::ImportValue': !ImportValue a}}}",
         "the attribute in Fn::ImportValue must not depend"},
        {"{\"Resources\":{\"R\":{\"Type\":\"T\"}},\"Rules\":{\"X\":{}}}", "list of Assertions"},
        {"{\"Resources\":{\"R\":{\"Type\":\"T\",\"Color\":1}}}", "Invalid template resource"},
        {"{\"Resources\":{\"R\":{\"Type\":\"T\",\"DependsOn\":\"X\"}}}", "Unresolved"},
        {"{\"Resources\":{\"R\":{\"Type\":\"T\",\"Condition\":\"X\"}}}", "condition"},
        {"{\"Resources\":{\"R\":{\"Type\":\"T\",\"DeletionPolicy\":\"Keep\"}}}", "DeletionPolicy"},
        {"{\"Resources\":{\"R\":{\"Type\":\"T\",\"Properties\":{\"a\":{\"Ref\":\"X\"}}}}}",
         "Unresolved"},
        {"{\"Resources\":{\"R\":{\"Type\":\"T\",\"Properties\":{\"a\":{\"Fn::Sub\":\"${X.y}\"}}}}}",
         "Unresolved"},
        {"{\"Resources\":{\"R\":{\"Type\":\"T\",\"Properties\":{\"a\":{\"Fn::GetAtt\":[\"X\","
         "\"y\"]}}}}}", "undefined resource"},
        {"{\"AWSTemplateFormatVersion\":\"2011\",\"Resources\":{\"R\":{\"Type\":\"T\"}}}",
         "version"},
        {"{\"Resources\":{\"R\":{\"Type\":\"T\"}},\"Outputs\":{\"O\":{}}}", "Value"},
        {"{\"Resources\":{\"R\":{\"Type\":\"T\"}},\"Conditions\":{\"A\":{\"Condition\":\"B\"},"
         "\"B\":{\"Condition\":\"A\"}}}", "circular"},
        {"{\"Resources\":{\"R\":{\"Type\":\"T\"}},\"Conditions\":{\"A\":{\"Fn::Equals\":"
         "[{\"Ref\":\"R\"},1]}}}", "Unresolved"},
        {R("\"Properties\":{\"a\":1,\"a\":2}"), "the key \"a\" is there twice"},
        {R("\"Properties\":{\"a\":null}"), "[/Resources/R] 'null' values are not allowed"},
        {R("\"Properties\":{\"a\":{\"Fn::If\":[\"No\",1,2]}}"),
         "unresolved condition dependency No in the Resources block"},
        {R("\"Properties\":{\"a\":{\"Fn::FindInMap\":[\"No\",\"a\",\"b\"]}}"),
         "Mapping named 'No' is not present"},
        {R("\"Properties\":{\"a\":{\"Fn::Equals\":[1,2]}}"), "Conditions only"},
        {R("\"Properties\":{\"a\":{\"Fn::Sub\":\"x\",\"b\":1}}"), "must be the only member"},
        {R("\"Properties\":{\"a\":{\"Fn::Sub\":\"${a:-b}\"}}"), "alphanumeric"},
        {R("\"CreationPolicy\":{}"), "CreationPolicy (of R) is not built"},
        {R("\"DeletionPolicy\":{\"Ref\":\"AWS::Region\"}"), "DeletionPolicy"},
        {R("\"DeletionPolicy\":\"Snapshot\""), "Snapshot"},
        {"{\"Mappings\":{\"M\":{\"a\":{\"b\":{\"c\":1}}}}," TAIL,
         "String or a List"},
        {"{\"Mappings\":{\"M\":{\"a\":1}}," TAIL, "must be a map"},
        {"{\"Parameters\":{\"P\":{\"Type\":\"String\",\"Defualt\":\"x\"}}," TAIL,
         "Invalid template parameter property 'Defualt'"},
        {"{\"Parameters\":{\"P\":{\"Type\":\"AWS::EC2::Thing\"}}," TAIL,
         "Unrecognized parameter type"},
        {"{\"Parameters\":{\"P\":{\"Type\":\"String\",\"Default\":[1]}}," TAIL,
         "Every Default member"},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        refused(load(b, cases[i].in, NULL), cases[i].words);
}

#define PARAM(def) "{\"Parameters\":{\"P\":" def "},\"Resources\":{\"R\":{\"Type\":\"T\"}}}"

static void test_parameters(void **state)
{
    static const struct {
        const char *text, *given, *words; /* words NULL: accepted */
    } cases[] = {
        {PARAM("{\"Type\":\"String\"}"), NULL, "[P] must have values"},
        {PARAM("{\"Type\":\"String\"}"), "{\"P\":\"\"}", NULL},
        {PARAM("{\"Type\":\"String\"}"), "{\"P\":\"\",\"Q\":\"\"}", "[Q] do not exist"},
        {PARAM("{\"Type\":\"Number\"}"), "{\"P\":\"1.5\"}", NULL},
        {PARAM("{\"Type\":\"Number\"}"), "{\"P\":\"one\"}", "must be a number"},
        {PARAM("{\"Type\":\"Number\",\"MinValue\":\"2\"}"), "{\"P\":\"1\"}", "not less than"},
        {PARAM("{\"Type\":\"List<Number>\"}"), "{\"P\":\"1, 2\"}", NULL},
        {PARAM("{\"Type\":\"List<Number>\"}"), "{\"P\":\"1,b\"}", "must be a number"},
        {PARAM("{\"Type\":\"String\",\"MinLength\":2}"), "{\"P\":\"a\"}", "at least 2"},
        {PARAM("{\"Type\":\"String\",\"MaxLength\":\"2\"}"), "{\"P\":\"\xc3\xa4\xc3\xb6\"}", NULL},
        {PARAM("{\"Type\":\"String\",\"AllowedValues\":[\"a\",1]}"), "{\"P\":\"1\"}", NULL},
        {PARAM("{\"Type\":\"String\",\"AllowedValues\":[\"a\"],"
               "\"ConstraintDescription\":\"be a\"}"),
         "{\"P\":\"b\"}", "be a"},
        {PARAM("{\"Type\":\"AWS::EC2::VPC::Id\"}"), "{\"P\":\"vpc-1\"}", NULL},
        {PARAM("{\"Type\":\"AWS::SSM::Parameter::Value<String>\"}"), "{\"P\":\"x\"}", "not built"},
        {PARAM("{\"Type\":\"Strange\"}"), "{\"P\":\"x\"}", "Unrecognized"},
        {PARAM("{\"Type\":\"String\",\"AllowedPattern\":\"[a-z]+\"}"), "{\"P\":\"abc\"}", NULL},
        {PARAM("{\"Type\":\"String\",\"AllowedPattern\":\"[a-z]+\"}"), "{\"P\":\"abc1\"}", "match"},
        {PARAM("{\"Type\":\"String\",\"AllowedPattern\":\"a|bc\"}"), "{\"P\":\"ac\"}", "match"},
        {PARAM("{\"Type\":\"String\",\"AllowedPattern\":\"(a)\\\\1\"}"), "{\"P\":\"aa\"}",
         "not one that"},
        {PARAM("{\"Type\":\"String\",\"AllowedPattern\":\"((a{255}){255}){255}\"}"),
         "{\"P\":\"a\"}", "not one that"},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err *e = load(b, cases[i].text, cases[i].given);
        if (cases[i].words == NULL)
            ok(e);
        else
            refused(e, cases[i].words);
    }
}

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *value;
        bool fits;
    } cases[] = {
        {"\\d{1,3}\\.\\d+", "12.3", true},  {"\\d{1,3}\\.\\d+", "1234.3", false},
        {"(?:ab)+", "abab", true},          {"[\\w-]+", "a-b_1", true},
        {"\\S+", "a b", false},             {"^a$", "a", true},
        {"", "", true},                     {"", "x", false},
        {"[^]]+", "ab", true},              {".*", "anything", true},
        {".+?", "", false},                 {".+?", "abc", true},
        {"[a\\]b]+", "a]b", true},          {"[a\\]b]", "ab]", false},
        {"[\\[\\]]", "[", true},            {"[\\[\\]]", "]", true},
        {"[\\^a]", "^", true},              {"[\\^]", "^", true},
        {"[\\^]", "a", false},              {"[a\\-z]", "b", false},
        {"[a\\-z]", "-", true},             {"[a-c.-]+", "a.b-", true},
        {"[^\\w.]", "!", true},             {"[^\\w.]", ".", false},
        {"a\\nb", "a\nb", true},            {"a\\nb", "anb", false},
        {"[+=,.@-]+", "+-@", true},         {"[\\\\]", "\\", true},
        {"a{2,3}?", "aaa", true},           {"\\/x\\-\\_", "/x-_", true},
        {"[\\^\\-]+", "^-", true},          {"[\\[.]", ".", true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool bad;
        if (pattern_fits(str_c(cases[i].pattern), str_c(cases[i].value), &bad) != cases[i].fits)
            fail_msg("%s on %s", cases[i].pattern, cases[i].value);
        assert_false(bad);
    }
    /* What POSIX has no like of is said to be so, never taken for something else. */
    static const char *const refused_ones[] = {"a++",      "a*+",       "(?i)a", "(?=a)a", "\\p{L}",
                                               "[a&&[b]]", "[[a]b]",    "\\<a",  "\\ba",   "[\\D]",
                                               "a{2",      "[\\d",      "\\",    "[z-a]",  "a\\1"};
    for (size_t i = 0; i < ARRAY_LEN(refused_ones); i++) {
        bool bad;
        assert_false(pattern_fits(str_c(refused_ones[i]), STR("a"), &bad));
        if (!bad && strcmp(refused_ones[i], "\\<a") != 0) /* a '<' like any other, for Java */
            fail_msg("%s is taken for something", refused_ones[i]);
    }
}

static void test_order(void **state)
{
    struct bench *b = *state;
    struct order o;
    ok(load(b, "{\"Resources\":{\"A\":{\"Type\":\"T\",\"DependsOn\":[\"C\"]},"
               "\"B\":{\"Type\":\"T\",\"Properties\":{\"x\":{\"Fn::Sub\":\"${A.Arn}\"}}},"
               "\"C\":{\"Type\":\"T\"}}}", NULL));
    ok(template_order(&b->s, &o));
    assert_int_equal(o.n, 3);
    assert_true(str_is(o.names[0], "C") && str_is(o.names[1], "A") && str_is(o.names[2], "B"));
    ok(load(b, "{\"Resources\":{\"A\":{\"Type\":\"T\",\"DependsOn\":\"B\"},"
               "\"B\":{\"Type\":\"T\",\"Properties\":{\"x\":{\"Ref\":\"A\"}}},"
               "\"C\":{\"Type\":\"T\"}}}", NULL));
    struct err *e = template_order(&b->s, &o);
    refused(e, "Circular dependency between resources: [A, B]");
}

/* A long chain is no circle. */
static void test_conditions_in_a_chain(void **state)
{
    struct bench *b = *state;
    struct buf t CLEANUP(buf_clear) = BUF_INIT(65536);
    buf_c(&t, "Resources: {R: {Type: T}}\nConditions:\n");
    for (int i = 0; i < 100; i++)
        buf_fmt(&t, "  C%d: !And [!Condition C%d, !Condition C%d]\n", i, i + 1, i + 1);
    size_t chain = t.n;
    buf_c(&t, "  C100: !Equals [a, a]\n");
    buf_char(&t, '\0');
    ok(load(b, t.p, NULL));
    assert_true(jv_b(jv_get(b->s.conditions, "C0"), false));
    buf_truncate(&t, chain);
    buf_c(&t, "  C100: !Not [!Condition C40]\n");
    buf_char(&t, '\0');
    refused(load(b, t.p, NULL), "circular condition dependency: C40");
}

/* What hangs on the circle is not in it; what is not there has no value. */
static void test_order_names_what_is_wrong(void **state)
{
    struct bench *b = *state;
    struct order o;
    ok(load(b, "Resources:\n  X: {Type: T, DependsOn: A}\n  A: {Type: T, DependsOn: B}\n"
               "  B: {Type: T, DependsOn: A}\n  Y: {Type: T, DependsOn: X}\n", NULL));
    refused(template_order(&b->s, &o), "between resources: [A, B]");
    static const char off[] = "Conditions: {Never: !Equals [a, b]}\nResources:\n"
                              "  Gone: {Type: T, Condition: Never}\n  Here:\n    Type: T\n";
    static const struct {
        const char *more, *words; /* words NULL: accepted */
    } cases[] = {
        {"    DependsOn: Gone\n", NULL},
        {"    Properties: {a: !If [Never, !Ref Gone, b]}\n", NULL},
        {"    Properties: {a: !Sub '${Gone.Arn}'}\n", "[Gone] in the Resources block"},
        {"Outputs: {O: {Value: !GetAtt Gone.Arn}}\n", "[Gone] in the Outputs block"},
        {"Outputs: {O: {Condition: Never, Value: !GetAtt Gone.Arn}}\n", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ok(load(b, arena_fmt(b->a, "%s%s", off, cases[i].more).p, NULL));
        struct err *e = template_order(&b->s, &o);
        if (cases[i].words == NULL)
            ok(e);
        else
            refused(e, cases[i].words);
    }
}

static void test_rules(void **state)
{
    struct bench *b = *state;
    static const struct {
        const char *when, *assert, *words; /* words NULL: the parameters pass */
    } cases[] = {
        {"!Equals [!Ref P, v]", "!Contains [!Ref L, b]", NULL},
        {"!Equals [!Ref P, v]", "!Contains [!Ref L, d]", "Rule R failed to satisfy assertion: why"},
        {"!Equals [!Ref P, w]", "!Contains [!Ref L, d]", NULL},
        {"!EachMemberEquals [[v, v], !Ref P]", "!EachMemberIn [!Ref L, [c, b, a]]", NULL},
        {"!EachMemberEquals [!Ref L, a]", "!Not [!Equals [a, a]]", NULL},
        {"!EachMemberIn [[a, b], !Ref L]", "!EachMemberIn [!Ref L, [a, b]]", "assertion: why"},
        {"!Or [!Equals [a, b], !Contains [[v], !Ref P]]",
         "!And [!Equals [a, a], !Contains [[], a]]", "assertion: why"},
        {"!Equals [a, a]", "!Contains [x, x]", "requires a list of strings and a string"},
        {"!Equals [a, a]", "!EachMemberIn [[x], x]", "requires two lists of strings"},
        {"!Condition Yes", "!Equals [a, a]", "Condition cannot be used in Rules"},
        {"!Equals [!Ref R, a]", "!Equals [a, a]", "[R] in the Rules block"},
        {"!Equals [!Sub '${P}', a]", "!Equals [a, a]", "Fn::Sub cannot be used in Rules, in R"},
        {"!Equals [!RefAll 'AWS::EC2::VPC::Id', a]", "!Equals [a, a]", "Fn::RefAll is not built"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err *e = load(b, arena_fmt(b->a,
            "Parameters: {P: {Type: String, Default: v}, "
            "L: {Type: CommaDelimitedList, Default: 'a,b,c'}}\n"
            "Conditions: {Yes: !Equals [a, a]}\nResources: {R: {Type: T}}\n"
            "Rules:\n  R:\n    RuleCondition: %s\n    Assertions:\n"
            "      - {Assert: %s, AssertDescription: why}\n",
            cases[i].when, cases[i].assert).p, NULL);
        if (cases[i].words == NULL)
            ok(e);
        else
            refused(e, cases[i].words);
    }
}

static void test_branch_not_taken_is_no_need(void **state)
{
    struct bench *b = *state;
    struct order o;
    ok(load(b, "Conditions: {C: !Equals [a, b]}\n"
               "Resources:\n"
               "  A: {Type: T, Properties: {x: !If [C, !Ref B, none]}}\n"
               "  B: {Type: T, Properties: {x: !Ref A}}\n", NULL));
    ok(template_order(&b->s, &o));
    assert_true(str_is(o.names[0], "A"));
}

/* A text that doubles at every step must end at a limit, not at the machine's. */
static void test_growth_is_bounded(void **state)
{
    struct bench *b = *state;
    struct buf t CLEANUP(buf_clear) = BUF_INIT(65536);
    const struct jv *r;
    buf_c(&t, "x: &a [1,1,1,1,1,1,1,1]\n");
    struct buf y CLEANUP(buf_clear) = BUF_INIT(65536);
    buf_c(&y, "Resources:\n  R:\n    Type: T\n    Properties:\n      a0: &a0 "
              "[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n");
    for (int i = 1; i < 9; i++)
        buf_fmt(&y, "      a%d: &a%d [*a%d, *a%d, *a%d]\n", i, i, i - 1, i - 1, i - 1);
    buf_char(&y, '\0');
    struct err *e = load(b, y.p, NULL);
    if (e == NULL)
        e = template_resolve(&b->s, jv_get(jv_get(b->t.resources, "R"), "Properties"), &r);
    err_free(e); /* refused or done: either is an end */
    assert_true(arena_used(b->a) < 64 * 1024 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_functions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_functions_refuse, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_parse_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_parameters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_patterns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_conditions_in_a_chain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_order_names_what_is_wrong, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rules, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_branch_not_taken_is_no_need, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_growth_is_bounded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
