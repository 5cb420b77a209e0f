#include "test.h"

#include "core/yaml.h"

static struct arena *arena;

static int before(void **state)
{
    arena = arena_new(64 * 1024 * 1024);
    return 0;
}

static int after(void **state)
{
    arena_free(arena);
    return 0;
}

/* The YAML text reads as the JSON text; shows what it read as otherwise. */
#define READS(yaml, json) reads(STR(yaml), (json), __FILE__, __LINE__)
static void reads(struct str yaml, const char *json, const char *file, int line)
{
    struct jv *v = NULL;
    assert_ok_at(yaml_parse(arena, yaml, &v), file, line);
    assert_str_at(jv_text(arena, v), json, file, line);
}

static struct err *try_parse(struct str text)
{
    struct jv *v = NULL;
    struct err *e = yaml_parse(arena, text, &v);
    if (e != NULL)
        assert_null(v);
    return e;
}

#define REFUSE(text, part) assert_err(try_parse(STR(text)), ERR_INVALID, part)

static void collections_and_styles(void **state)
{
    READS("a: 1\nb:\n  - x\n  - 'y'\n  - \"z\\n\"\nc: {d: [1, 2], e: {}}\nf: []\n",
          "{\"a\":1,\"b\":[\"x\",\"y\",\"z\\n\"],\"c\":{\"d\":[1,2],\"e\":{}},\"f\":[]}");
    READS("a: |\n  one\n  two\nb: >-\n  three\n  four\n",
          "{\"a\":\"one\\ntwo\\n\",\"b\":\"three four\"}");
    READS("--- # comment\nplain text\n...\n", "\"plain text\"");
    READS("{\"json\": [true, null, 1.5, \"x\"]}", "{\"json\":[true,null,1.5,\"x\"]}");
    READS("a:\n- 1\n-\n- b:\n", "{\"a\":[1,null,{\"b\":null}]}");
    READS("\xef\xbb\xbf" "a: \xc3\xa9\r\nb: 2\r\n", "{\"a\":\"\xc3\xa9\",\"b\":2}");
    READS("a: \"nul\\0\\u20ac\"", "{\"a\":\"nul\\u0000\xe2\x82\xac\"}");
    READS("? a\n: b\n", "{\"a\":\"b\"}");
}

static void plain_scalars_without_loss(void **state)
{
    READS("[true, True, TRUE, yes, Yes, on, ON]", "[true,true,true,true,true,true,true]");
    READS("[false, no, NO, off, Off]", "[false,false,false,false,false]");
    READS("[tRUE, y, n, Y]", "[\"tRUE\",\"y\",\"n\",\"Y\"]");
    READS("[~, null, Null, NULL, nULL]", "[null,null,null,null,\"nULL\"]");
    READS("[0, -1, 9223372036854775807, -9223372036854775808]",
          "[0,-1,9223372036854775807,-9223372036854775808]");
    READS("[9223372036854775808, 012345678901, 007, -0, +1, 1_000, 0x10, 0o7, 1e3]",
          "[\"9223372036854775808\",\"012345678901\",\"007\",\"-0\",\"+1\",\"1_000\",\"0x10\","
          "\"0o7\",\"1e3\"]");
    READS("[1.5, -0.25, 1.0, 1.10, .5, 5., .inf, .NaN, 0.30000000000000004, 1e+20]",
          "[1.5,-0.25,\"1.0\",\"1.10\",\".5\",\"5.\",\".inf\",\".NaN\",0.30000000000000004,1e+20]");
    READS("[2012-10-17, 12:30:45, 190:20:30, 1.2.3.4, 10/8]",
          "[\"2012-10-17\",\"12:30:45\",\"190:20:30\",\"1.2.3.4\",\"10/8\"]");
    READS("['1', \"true\", 'null', '']", "[\"1\",\"true\",\"null\",\"\"]");
    READS("[-, '-']", "[\"-\",\"-\"]");
}

static void keys_are_spelled_as_they_stand(void **state)
{
    READS("on: 1\n12: 2\n1.0: 3\nnull: 4\n'': 5\n",
          "{\"on\":1,\"12\":2,\"1.0\":3,\"null\":4,\"\":5}");
    READS("Fn::Transform: {Name: AWS::Include}\nFn::ForEach::X: [a, [b], {c: d}]\n",
          "{\"Fn::Transform\":{\"Name\":\"AWS::Include\"},\"Fn::ForEach::X\":[\"a\",[\"b\"],"
          "{\"c\":\"d\"}]}");
    READS("!!str a: b", "{\"a\":\"b\"}");
    REFUSE("? [a]\n: b\n", "a key that is not a string at line 1, column 3");
    REFUSE("? {a: b}\n: b\n", "a key that is not a string");
    REFUSE("?\n: b\n", "an empty key");
    REFUSE("!Ref a: b\n", "a key with a tag");
}

static void standard_tags(void **state)
{
    READS("[!!str 1, !!int 007, !!float 1, !!bool yes, !!null ~, ! 5]",
          "[\"1\",7,1,true,null,\"5\"]");
    READS("!!map {a: !!seq [1]}", "{\"a\":[1]}");
    REFUSE("!!int x", "not of its tag's type at line 1, column 1");
    REFUSE("!!bool 1", "not of its tag's type");
    REFUSE("!!float x", "not of its tag's type");
    REFUSE("!!null x", "not of its tag's type");
    REFUSE("a: !!binary aGk=", "a tag that is not supported at line 1, column 4");
    REFUSE("!!timestamp 2001-01-01", "not supported");
    REFUSE("!!set {a, b}", "not supported");
    REFUSE("!!omap [a: b]", "not supported");
    REFUSE("!!python/object:os.system x", "not supported");
    REFUSE("!!seq {a: b}", "not supported");
    REFUSE("%TAG !e! tag:example.com,2000:\n---\n!e!x y", "not supported");
}

static void short_tags_become_long(void **state)
{
    READS("!Ref X", "{\"Ref\":\"X\"}");
    READS("!Ref 12", "{\"Ref\":\"12\"}");
    READS("!Condition C", "{\"Condition\":\"C\"}");
    READS("!GetAtt A.B", "{\"Fn::GetAtt\":[\"A\",\"B\"]}");
    READS("!GetAtt A.B.C", "{\"Fn::GetAtt\":[\"A\",\"B.C\"]}");
    READS("!GetAtt 'A.B'", "{\"Fn::GetAtt\":[\"A\",\"B\"]}");
    READS("!GetAtt [A, B.C]", "{\"Fn::GetAtt\":[\"A\",\"B.C\"]}");
    READS("!GetAtt [A, !Ref B]", "{\"Fn::GetAtt\":[\"A\",{\"Ref\":\"B\"}]}");
    READS("!Sub 'arn:${AWS::Region}'", "{\"Fn::Sub\":\"arn:${AWS::Region}\"}");
    READS("!Sub\n- '${A}'\n- A: !Ref B\n", "{\"Fn::Sub\":[\"${A}\",{\"A\":{\"Ref\":\"B\"}}]}");
    READS("!Base64 true", "{\"Fn::Base64\":\"true\"}");
    READS("!Base64\n  Fn::Sub: x\n", "{\"Fn::Base64\":{\"Fn::Sub\":\"x\"}}");
    READS("!Cidr [10.0.0.0/16, 6, 8]", "{\"Fn::Cidr\":[\"10.0.0.0/16\",6,8]}");
    READS("!FindInMap [M, !Ref R, K]", "{\"Fn::FindInMap\":[\"M\",{\"Ref\":\"R\"},\"K\"]}");
    READS("!GetAZs ''", "{\"Fn::GetAZs\":\"\"}");
    READS("!GetAZs", "{\"Fn::GetAZs\":\"\"}");
    READS("!ImportValue X", "{\"Fn::ImportValue\":\"X\"}");
    READS("!Join ['', [a, !Select [0, !Split [',', 'b,c']]]]",
          "{\"Fn::Join\":[\"\",[\"a\",{\"Fn::Select\":[0,{\"Fn::Split\":[\",\",\"b,c\"]}]}]]}");
    READS("!Transform {Name: M, Parameters: {A: 1}}",
          "{\"Fn::Transform\":{\"Name\":\"M\",\"Parameters\":{\"A\":1}}}");
    READS("!And [!Equals [a, b], !Not [!Condition C], !Or [!Condition D]]",
          "{\"Fn::And\":[{\"Fn::Equals\":[\"a\",\"b\"]},{\"Fn::Not\":[{\"Condition\":\"C\"}]},"
          "{\"Fn::Or\":[{\"Condition\":\"D\"}]}]}");
    READS("!If [C, 1, !Ref AWS::NoValue]", "{\"Fn::If\":[\"C\",1,{\"Ref\":\"AWS::NoValue\"}]}");
    REFUSE("a:\n  b: !Reff X\n", "a tag that CloudFormation does not have at line 2, column 6");
    REFUSE("!ref X", "does not have");
    REFUSE("!Nope [a]", "does not have");
    REFUSE("!Nope {a: b}", "does not have");
    REFUSE("!GetAtt A", "not of the form Name.Attribute");
    REFUSE("!GetAtt .A", "not of the form Name.Attribute");
    REFUSE("!GetAtt A.", "not of the form Name.Attribute");
    REFUSE("!Base64 !Sub x", "line 1");
}

static void anchors_aliases_and_merges(void **state)
{
    READS("a: &x [1, {b: 2}]\nc: *x\nd: &y !Ref Z\ne: *y\n",
          "{\"a\":[1,{\"b\":2}],\"c\":[1,{\"b\":2}],\"d\":{\"Ref\":\"Z\"},\"e\":{\"Ref\":\"Z\"}}");
    READS("a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}");
    READS("&k key: &v value\nother: *k\n*v : 1\n",
          "{\"key\":\"value\",\"other\":\"key\",\"value\":1}");
    READS("base: &b {x: 1, y: 2}\nnew:\n  <<: *b\n  y: 3\n  z: 4\n",
          "{\"base\":{\"x\":1,\"y\":2},\"new\":{\"y\":3,\"z\":4,\"x\":1}}");
    READS("a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b], z: 3}\n",
          "{\"a\":{\"x\":1},\"b\":{\"x\":2,\"y\":2},\"c\":{\"z\":3,\"x\":1,\"y\":2}}");
    READS("'<<': 1\n", "{\"<<\":1}");
    REFUSE("a: *x\nb: &x 1\n", "an alias without an anchor before it at line 1, column 4");
    REFUSE("&a [*a]", "an alias without an anchor");
    REFUSE("a: {<<: 5}", "a merge key whose value is not a mapping at line 1, column 5");
    REFUSE("a: {<<: [1]}", "a merge key whose value is not a mapping");
    REFUSE("a: &a {b: 1}\nc:\n  <<: *a\n  <<: *a\n", "a duplicate key at line 4, column 3");
    REFUSE("a: &a [1]\n*a : 2\n", "a key that is not a string");
}

static void duplicates_are_refused(void **state)
{
    REFUSE("a: 1\nb: 2\na: 3\n", "a duplicate key at line 3, column 1");
    REFUSE("x:\n  y: {k: 1, 'k': 2}\n", "a duplicate key at line 2, column 13");
    REFUSE("1: a\n'1': b\n", "a duplicate key");
}

static void faults_have_a_place(void **state)
{
    REFUSE("", "empty");
    REFUSE("# nothing\n", "empty");
    REFUSE("a: 1\n---\nb: 2\n", "a second document at line 2, column 1");
    REFUSE("a: [1, 2\n", "line 2, column 1");
    REFUSE("a: b: c\n", "line 1, column 5");
    REFUSE("a:\n\t- b\n", "line 2");
    REFUSE("a: 'x\n", "line 2");
    REFUSE("a: \x01\n", "control characters are not allowed at line 1, column 4");
    REFUSE("a: b\nc: \xff\n", "at line 2, column 4");
    REFUSE("a: \"\\ud800\"\n", "line 1");
    REFUSE("a\0b", "at line 1, column 2");
    REFUSE("\xff\xfe" "a\0", "line 1");
    REFUSE("%YAML 3.0\n--- a\n", "line 1");
    REFUSE("@a", "line 1");
}

static struct err *parse_repeated(const char *head, const char *item, int times, const char *tail)
{
    struct buf b = BUF_INIT(16 * 1024 * 1024);
    buf_c(&b, head);
    for (int i = 0; i < times; i++)
        buf_c(&b, item);
    buf_c(&b, tail);
    struct err *e = try_parse(buf_view(&b));
    buf_clear(&b);
    return e;
}

static void limits_hold(void **state)
{
    assert_ok(parse_repeated("", "[", 0, "[]"));
    struct buf b = BUF_INIT(4096);
    for (int levels = 63; levels <= 66; levels++) {
        buf_reset(&b);
        for (int i = 0; i < levels; i++)
            buf_char(&b, '[');
        for (int i = 0; i < levels; i++)
            buf_char(&b, ']');
        if (levels <= YAML_DEPTH_MAX)
            assert_ok(try_parse(buf_view(&b)));
        else
            assert_err(try_parse(buf_view(&b)), ERR_LIMIT, "deeper than 64 levels");
    }
    buf_clear(&b);
    assert_err(parse_repeated("", "[", 50000, ""), ERR_LIMIT, "deeper than 64");
    assert_err(parse_repeated("", "- ", 50000, ""), ERR_LIMIT, "deeper than 64");
    assert_err(parse_repeated("", "[", YAML_DEPTH_MAX, "!Ref x"), ERR_LIMIT, "deeper than 64");
    assert_err(parse_repeated("", "- x\n", YAML_NODES_MAX, ""), ERR_LIMIT,
               "more than 200000 nodes");
    assert_ok(parse_repeated("a: &x 1\nb: [", "*x,", YAML_ALIASES_MAX, "]"));
    assert_err(parse_repeated("a: &x 1\nb: [", "*x,", YAML_ALIASES_MAX + 1, "]"), ERR_LIMIT,
               "aliases");
    /* Twenty levels of an alias to the former level, twice each. */
    struct buf laughs = BUF_INIT(4096);
    buf_c(&laughs, "a0: &a0 lol\n");
    for (int i = 1; i < 20; i++)
        buf_fmt(&laughs, "a%d: &a%d [*a%d, *a%d]\n", i, i, i - 1, i - 1);
    assert_err(try_parse(buf_view(&laughs)), ERR_LIMIT, "aliases");
    buf_clear(&laughs);
    /* Few aliases, but each to many nodes. */
    struct buf wide = BUF_INIT(64 * 1024);
    buf_c(&wide, "a: &a [");
    for (int i = 0; i < 1000; i++)
        buf_c(&wide, "x,");
    buf_c(&wide, "]\nb: [");
    for (int i = 0; i < 300; i++)
        buf_c(&wide, "*a,");
    buf_c(&wide, "]\n");
    assert_err(try_parse(buf_view(&wide)), ERR_LIMIT, "nodes");
    buf_clear(&wide);
}

static void aliases_do_not_hide_depth(void **state)
{
    struct buf b = BUF_INIT(4096);
    buf_c(&b, "a: &a ");
    for (int i = 0; i < 40; i++)
        buf_char(&b, '[');
    for (int i = 0; i < 40; i++)
        buf_char(&b, ']');
    buf_c(&b, "\nb: ");
    for (int i = 0; i < 40; i++)
        buf_char(&b, '[');
    buf_c(&b, "*a");
    for (int i = 0; i < 40; i++)
        buf_char(&b, ']');
    assert_err(try_parse(buf_view(&b)), ERR_LIMIT, "deeper than 64");
    buf_clear(&b);

    struct arena *small = arena_new(8 * 1024);
    struct jv *v = NULL;
    buf_c(&b, "a:\n");
    for (int i = 0; i < 3000; i++)
        buf_c(&b, "- x\n");
    assert_err(yaml_parse(small, buf_view(&b), &v), ERR_LIMIT, "memory");
    assert_true(arena_used(small) < 32 * 1024);
    buf_clear(&b);
    arena_free(small);
}

static void wide_mappings_stay_fast(void **state)
{
    struct buf b = BUF_INIT(4 * 1024 * 1024);
    for (int i = 0; i < 50000; i++)
        buf_fmt(&b, "key%d: %d\n", i, i);
    struct jv *v = NULL;
    assert_ok(yaml_parse(arena, buf_view(&b), &v));
    assert_int_equal(jv_len(v), 50000);
    assert_int_equal(jv_i(jv_get(v, "key49999"), 0), 49999);
    buf_c(&b, "key25000: again\n");
    assert_err(yaml_parse(arena, buf_view(&b), &v), ERR_INVALID,
               "a duplicate key at line 50001, column 1");
    buf_clear(&b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, before, after)
    const struct CMUnitTest tests[] = {
        T(collections_and_styles),
        T(plain_scalars_without_loss),
        T(keys_are_spelled_as_they_stand),
        T(standard_tags),
        T(short_tags_become_long),
        T(anchors_aliases_and_merges),
        T(duplicates_are_refused),
        T(faults_have_a_place),
        T(limits_hold),
        T(aliases_do_not_hide_depth),
        T(wide_mappings_stay_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
