/* What xml_parse takes can be written with the writer and reads back the same; and whatever bytes
 * xw_text gets, it writes well-formed XML. */
#include "fuzz.h"

#include "core/xml.h"

/* Each element is written with up to three others, and with two for each attribute. */
enum { ARENA_BYTES = 64 * 1024 * 1024, BLOWN_UP = 3 + 2 * XML_ATTRIBUTES_MAX };

static size_t n_elements;

static int depth_of(const struct xml *x)
{
    int deepest = 0;
    n_elements++;
    for (const struct xml *c = x->first; c != NULL; c = c->next) {
        int depth = depth_of(c);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

/* Names travel as text, as what is behind a prefix need not be a name. */
static void write_tree(struct xw *w, const struct xml *x)
{
    xw_open(w, "e");
    xw_elem(w, "n", x->name);
    xw_elem(w, "t", x->text);
    for (size_t i = 0; i < x->n_attrs; i++) {
        xw_elem(w, "an", x->attrs[i].name);
        xw_elem(w, "av", x->attrs[i].value);
    }
    for (const struct xml *c = x->first; c != NULL; c = c->next)
        write_tree(w, c);
    xw_close(w, "e");
}

static void compare(const struct xml *x, const struct xml *copy)
{
    CHECK(str_utf8_valid(x->name) && str_utf8_valid(x->text) && x->name.n > 0);
    CHECK(str_eq(x->name, xml_text(xml_child(copy, "n"))));
    CHECK(str_eq(x->text, xml_text(xml_child(copy, "t"))));
    const struct xml *value = xml_child(copy, "av");
    for (size_t i = 0; i < x->n_attrs; i++, value = xml_next(value))
        CHECK(str_eq(x->attrs[i].value, xml_text(value)));
    size_t n = 0;
    const struct xml *c = xml_child(copy, "e");
    for (const struct xml *o = x->first; o != NULL; o = o->next, c = xml_next(c), n++) {
        CHECK(c != NULL);
        compare(o, c);
    }
    CHECK(c == NULL && n == x->n_children);
}

static void round_trip(struct arena *a, const struct xml *x)
{
    n_elements = 0;
    if (depth_of(x) >= XML_DEPTH_MAX || n_elements > XML_ELEMENTS_MAX / BLOWN_UP)
        return;
    struct buf b = BUF_INIT(ARENA_BYTES);
    struct xw w = xw_to(&b);
    xw_head(&w);
    write_tree(&w, x);
    CHECK(buf_ok(&b));
    struct xml *again = NULL;
    struct err *e = xml_parse(a, buf_view(&b), &again);
    CHECK(e == NULL);
    compare(x, again);
    buf_clear(&b);
}

static void write_text(struct arena *a, struct str s)
{
    struct buf b = BUF_INIT(s.n * 6 + 16);
    struct xw w = xw_to(&b);
    xw_elem(&w, "a", s);
    CHECK(buf_ok(&b));
    struct xml *x = NULL;
    struct err *e = xml_parse(a, buf_view(&b), &x);
    CHECK(e == NULL);
    CHECK(str_eq(x->text, s) || str_find(x->text, STR("\xef\xbf\xbd")) >= 0);
    buf_clear(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(ARENA_BYTES);
    struct str text = str_of(size == 0 ? (const void *)"" : data, size);
    struct xml *x = NULL;
    struct err *e = xml_parse(a, text, &x);
    if (e == NULL)
        round_trip(a, x);
    else
        CHECK(x == NULL && (e->kind == ERR_INVALID || e->kind == ERR_LIMIT));
    err_free(e);
    write_text(a, text);
    arena_free(a);
    return 0;
}
