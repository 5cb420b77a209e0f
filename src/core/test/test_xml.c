#include "test.h"

#include "core/xml.h"

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

static struct xml *parse(const char *text)
{
    struct xml *x = NULL;
    assert_ok(xml_parse(arena, str_c(text), &x));
    return x;
}

static struct err *try_parse(struct str text)
{
    struct xml *x = NULL;
    struct err *e = xml_parse(arena, text, &x);
    if (e != NULL)
        assert_null(x);
    return e;
}

#define REFUSE(text, part) assert_err(try_parse(STR(text)), ERR_INVALID, part)

static void reads_a_document(void **state)
{
    struct xml *x = parse("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- c -->\n"
                          "<s3:Delete xmlns:s3=\"u\" xmlns=\"v\" a='1' s3:b=\"2&quot;\">\n"
                          "  <Object><Key>a&amp;b</Key></Object>\n"
                          "  <Object><s3:Key><![CDATA[<c>]]>d&#233;</s3:Key><V/></Object>\n"
                          "  <Quiet> true </Quiet>\n</s3:Delete>\n<?pi?>");
    assert_str(x->name, "Delete");
    assert_str(x->text, "");
    assert_int_equal(x->n_children, 3);
    assert_int_equal(x->n_attrs, 3);
    assert_str(xml_attr(x, "xmlns"), "v");
    assert_str(xml_attr(x, "a"), "1");
    assert_str(xml_attr(x, "b"), "2\"");
    assert_null(xml_attr(x, "s3").p);
    assert_null(xml_attr(NULL, "a").p);
    const struct xml *o = xml_child(x, "Object");
    assert_str(xml_text(xml_child(o, "Key")), "a&b");
    o = xml_next(o);
    assert_str(xml_text(xml_child(o, "Key")), "<c>d\xc3\xa9");
    assert_str(xml_text(xml_child(o, "V")), "");
    assert_null(xml_next(o));
    assert_null(xml_next(NULL));
    assert_str(xml_text(xml_child(x, "Quiet")), " true ");
    assert_null(xml_child(x, "None"));
    assert_null(xml_text(xml_child(xml_child(NULL, "a"), "b")).p);
    assert_null(x->next);
}

static void joins_text_around_children(void **state)
{
    struct xml *x = parse("<a>one<b>inner</b> two<b/></a>");
    assert_str(x->text, "one two");
    assert_str(x->first->text, "inner");
    assert_str(parse("<a> </a>")->text, " ");
    assert_str(parse("<a>x\r\ny</a>")->text, "x\ny");
    assert_str(parse("\xef\xbb\xbf<a>\xe2\x82\xac</a>")->text, "\xe2\x82\xac");
}

static void refuses_document_types_and_entities(void **state)
{
    REFUSE("<!DOCTYPE a [<!ENTITY e \"x\">]><a>&e;</a>", "DOCTYPE");
    REFUSE("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>", "DOCTYPE");
    REFUSE("<!DOCTYPE a><a/>", "DOCTYPE");
    REFUSE("<a>&e;</a>", "undefined entity at line 1, column 4");
    REFUSE("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe9</a>", "UTF-8");
    REFUSE("<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>", "UTF-8");
}

static void refuses_what_is_not_well_formed(void **state)
{
    REFUSE("", "empty");
    REFUSE("   ", "no element");
    REFUSE("text", "line 1, column 1");
    REFUSE("<a>", "no element found at line 1, column 4");
    REFUSE("<a>\n  <b></c>\n</a>", "mismatched tag at line 2");
    REFUSE("<a/><b/>", "junk after document element");
    REFUSE("<a x='1' x='2'/>", "duplicate attribute");
    REFUSE("<a x=1/>", "not well-formed");
    REFUSE("<a>\x01</a>", "not well-formed");
    REFUSE("<a>&#1;</a>", "invalid character number");
    REFUSE("<a>\xff</a>", "not well-formed");
    REFUSE("<a>\xed\xa0\x80</a>", "not well-formed");
    REFUSE("<a>\0</a>", "not well-formed");
    REFUSE("<a>]]></a>", "not well-formed");
    REFUSE("<!ENTITY e \"x\"><a/>", "not well-formed");
}

static struct err *parse_repeated(const char *head, const char *open, const char *close, int times,
                                  const char *tail)
{
    struct buf b = BUF_INIT(8 * 1024 * 1024);
    buf_c(&b, head);
    for (int i = 0; i < times; i++)
        buf_c(&b, open);
    for (int i = 0; i < times; i++)
        buf_c(&b, close);
    buf_c(&b, tail);
    struct err *e = try_parse(buf_view(&b));
    buf_clear(&b);
    return e;
}

static void limits_hold(void **state)
{
    assert_ok(parse_repeated("", "<a>", "</a>", XML_DEPTH_MAX, ""));
    assert_err(parse_repeated("", "<a>", "</a>", XML_DEPTH_MAX + 1, ""), ERR_LIMIT,
               "deeper than 64");
    assert_err(parse_repeated("", "<a>", "</a>", 100000, ""), ERR_LIMIT, "deeper than 64");
    assert_ok(parse_repeated("<a>", "<b/>", "", XML_ELEMENTS_MAX - 1, "</a>"));
    assert_err(parse_repeated("<a>", "<b/>", "", XML_ELEMENTS_MAX, "</a>"), ERR_LIMIT,
               "more than 100000 elements");
    assert_ok(try_parse(STR("<a b1='' b2='' b3='' b4='' b5='' b6='' b7='' b8='' b9='' b10='' "
                            "b11='' b12='' b13='' b14='' b15='' b16=''/>")));
    assert_err(try_parse(STR("<a b1='' b2='' b3='' b4='' b5='' b6='' b7='' b8='' b9='' b10='' "
                             "b11='' b12='' b13='' b14='' b15='' b16='' b17=''/>")),
               ERR_LIMIT, "more than 16 attributes");

    struct arena *small = arena_new(4096);
    struct xml *x = NULL;
    struct buf b = BUF_INIT(64 * 1024);
    buf_c(&b, "<a>");
    for (int i = 0; i < 1000; i++)
        buf_c(&b, "<b>text</b>");
    buf_c(&b, "</a>");
    assert_err(xml_parse(small, buf_view(&b), &x), ERR_LIMIT, "memory");
    assert_true(arena_used(small) < 8192);
    buf_clear(&b);
    arena_free(small);
}

static void writes_and_escapes(void **state)
{
    struct buf b = BUF_INIT(4096);
    struct xw w = xw_to(&b);
    xw_head(&w);
    xw_open_ns(&w, "R", "http://a/?b&c");
    xw_open(&w, "E");
    xw_elem(&w, "K", STR("<a>&\"b'\r\n\t\xc3\xa9"));
    xw_elem(&w, "Bad", STR("\x01\xff\xef\xbf\xbf|\xed\xa0\x80"));
    xw_elem(&w, "None", STR_NONE);
    xw_elem_c(&w, "C", "text");
    xw_elem_i64(&w, "N", -5);
    xw_elem_bool(&w, "B", true);
    xw_close(&w, "E");
    xw_close(&w, "R");
    assert_str(buf_view(&b),
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<R xmlns=\"http://a/?b&amp;c\"><E>"
               "<K>&lt;a&gt;&amp;&quot;b&#39;&#13;\n\t\xc3\xa9</K>"
               "<Bad>\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|"
               "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd</Bad>"
               "<None></None><C>text</C><N>-5</N><B>true</B></E></R>");
    struct xml *x = NULL;
    assert_ok(xml_parse(arena, buf_view(&b), &x));
    assert_str(xml_text(xml_child(xml_child(x, "E"), "K")), "<a>&\"b'\r\n\t\xc3\xa9");
    assert_str(xml_attr(x, "xmlns"), "http://a/?b&c");
    buf_clear(&b);
}

/* Whatever the bytes, what is written parses; and valid text without control characters comes
 * back as it was. */
static void random_text_survives(void **state)
{
    uint64_t seed = 7;
    for (int round = 0; round < 2000; round++) {
        char text[24];
        size_t n = test_random(&seed) % sizeof text;
        bool ascii = round % 2 == 0;
        for (size_t i = 0; i < n; i++)
            text[i] = (char)(ascii ? 0x20 + test_random(&seed) % 0x5f : test_random(&seed));
        struct buf b = BUF_INIT(1024);
        struct xw w = xw_to(&b);
        xw_elem(&w, "a", str_of(text, n));
        struct xml *x = NULL;
        assert_ok(xml_parse(arena, buf_view(&b), &x));
        if (ascii)
            assert_true(str_eq(x->text, str_of(text, n)));
        buf_clear(&b);
        arena_reset(arena);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, before, after)
    const struct CMUnitTest tests[] = {
        T(reads_a_document),
        T(joins_text_around_children),
        T(refuses_document_types_and_entities),
        T(refuses_what_is_not_well_formed),
        T(limits_hold),
        T(writes_and_escapes),
        T(random_text_survives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
