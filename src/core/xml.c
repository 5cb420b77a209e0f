#include "xml.h"

#include <expat.h>
#include <limits.h>

/* One open element while parsing. */
struct level {
    struct xml *x, *last_child;
    struct buf text; /* kept from element to element */
};

struct reader {
    struct arena *a;
    XML_Parser parser;
    struct xml *root;
    struct level levels[XML_DEPTH_MAX];
    int depth;
    size_t n_elements;
    struct err *err;
};

static void stop(struct reader *r, struct err *e)
{
    err_free(r->err);
    r->err = e;
    XML_StopParser(r->parser, XML_FALSE);
}

/* Without its prefix; a name that would be empty stays whole. */
static struct str local_name(struct arena *a, const char *name)
{
    const char *colon = strchr(name, ':');
    return arena_str(a, str_c(colon == NULL || colon[1] == '\0' ? name : colon + 1));
}

static bool read_attributes(struct reader *r, struct xml *x, const char **atts)
{
    size_t n = 0;
    while (atts[2 * n] != NULL)
        n++;
    if (n > XML_ATTRIBUTES_MAX) {
        stop(r, err_new(ERR_LIMIT, "An XML element has more than %d attributes.",
                        (int)XML_ATTRIBUTES_MAX));
        return false;
    }
    if (n == 0)
        return true;
    x->attrs = ARENA_ARRAY(r->a, n, struct xml_attr);
    for (size_t i = 0; i < n; i++) {
        if (strncmp(atts[2 * i], "xmlns:", 6) == 0)
            continue;
        struct xml_attr *attr = &x->attrs[x->n_attrs++];
        attr->name = local_name(r->a, atts[2 * i]);
        attr->value = arena_str(r->a, str_c(atts[2 * i + 1]));
    }
    return true;
}

static void XMLCALL on_start(void *data, const char *name, const char **atts)
{
    struct reader *r = data;
    if (r->err != NULL)
        return;
    if (r->depth == XML_DEPTH_MAX) {
        stop(r, err_new(ERR_LIMIT, "The XML nests deeper than %d levels.", (int)XML_DEPTH_MAX));
        return;
    }
    if (++r->n_elements > XML_ELEMENTS_MAX) {
        stop(r, err_new(ERR_LIMIT, "The XML has more than %d elements.", (int)XML_ELEMENTS_MAX));
        return;
    }
    struct xml *x = ARENA_NEW(r->a, struct xml);
    x->name = local_name(r->a, name);
    if (!read_attributes(r, x, atts))
        return;
    if (r->depth == 0) {
        r->root = x;
    } else {
        struct level *parent = &r->levels[r->depth - 1];
        if (parent->last_child == NULL)
            parent->x->first = x;
        else
            parent->last_child->next = x;
        parent->last_child = x;
        parent->x->n_children++;
    }
    struct level *level = &r->levels[r->depth++];
    level->x = x;
    level->last_child = NULL;
    buf_reset(&level->text);
    if (arena_over(r->a))
        stop(r, arena_check(r->a));
}

static void XMLCALL on_end(void *data, const char *name)
{
    struct reader *r = data;
    if (r->err != NULL)
        return;
    struct level *level = &r->levels[--r->depth];
    struct str text = buf_view(&level->text);
    if (text.n == 0 || (level->x->first != NULL && str_trim(text).n == 0))
        level->x->text = STR("");
    else
        level->x->text = arena_str(r->a, text);
}

static void XMLCALL on_text(void *data, const char *p, int n)
{
    struct reader *r = data;
    if (r->err == NULL && r->depth > 0)
        buf_add(&r->levels[r->depth - 1].text, p, (size_t)n);
}

static void XMLCALL on_doctype(void *data, const char *name, const char *sysid, const char *pubid,
                               int has_internal_subset)
{
    stop(data, err_new(ERR_INVALID, "The XML has a document type declaration (DOCTYPE); these are "
                                    "not accepted."));
}

/* Without a document type no entity can be declared; this holds even if expat thinks otherwise. */
static void XMLCALL on_entity(void *data, const char *name, int is_parameter, const char *value,
                              int value_n, const char *base, const char *sysid, const char *pubid,
                              const char *notation)
{
    stop(data, err_new(ERR_INVALID, "The XML declares an entity; this is not accepted."));
}

static void XMLCALL on_declaration(void *data, const char *version, const char *encoding,
                                   int standalone)
{
    if (encoding != NULL && !str_is_i(str_c(encoding), "UTF-8") &&
        !str_is_i(str_c(encoding), "US-ASCII"))
        stop(data, err_new(ERR_INVALID, "The XML is not in UTF-8; send it in that encoding."));
}

static struct err *run(struct reader *r, struct str text)
{
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    XML_SetEntityDeclHandler(r->parser, on_entity);
    XML_SetXmlDeclHandler(r->parser, on_declaration);
    enum XML_Status status = XML_Parse(r->parser, text.p, (int)text.n, 1);
    if (r->err != NULL)
        return r->err;
    if (status == XML_STATUS_OK)
        return arena_check(r->a);
    return err_new(ERR_INVALID, "The text is not well-formed XML: %s at line %lu, column %lu.",
                   XML_ErrorString(XML_GetErrorCode(r->parser)),
                   XML_GetCurrentLineNumber(r->parser), XML_GetCurrentColumnNumber(r->parser) + 1);
}

struct err *xml_parse(struct arena *a, struct str text, struct xml **out)
{
    if (text.n == 0)
        return err_new(ERR_INVALID, "The XML text is empty.");
    if (text.n > INT_MAX)
        return err_new(ERR_LIMIT, "The XML text is too large.");
    struct reader *r = calloc(1, sizeof *r);
    CHECK(r != NULL);
    r->a = a;
    r->parser = XML_ParserCreate("UTF-8");
    CHECK(r->parser != NULL);
    for (int i = 0; i < XML_DEPTH_MAX; i++)
        buf_init(&r->levels[i].text, text.n);
    struct err *e = run(r, text);
    if (e == NULL)
        *out = r->root;
    for (int i = 0; i < XML_DEPTH_MAX; i++)
        buf_clear(&r->levels[i].text);
    XML_ParserFree(r->parser);
    free(r);
    return e;
}

const struct xml *xml_child(const struct xml *x, const char *name)
{
    for (const struct xml *c = x == NULL ? NULL : x->first; c != NULL; c = c->next)
        if (str_is(c->name, name))
            return c;
    return NULL;
}

const struct xml *xml_next(const struct xml *x)
{
    for (const struct xml *c = x == NULL ? NULL : x->next; c != NULL; c = c->next)
        if (str_eq(c->name, x->name))
            return c;
    return NULL;
}

struct str xml_text(const struct xml *x)
{
    return x == NULL ? STR_NONE : x->text;
}

struct str xml_attr(const struct xml *x, const char *name)
{
    for (size_t i = 0; x != NULL && i < x->n_attrs; i++)
        if (str_is(x->attrs[i].name, name))
            return x->attrs[i].value;
    return STR_NONE;
}

struct xw xw_to(struct buf *b)
{
    return (struct xw){.b = b};
}

void xw_head(struct xw *w)
{
    buf_str(w->b, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"));
}

void xw_open_ns(struct xw *w, const char *name, const char *xmlns)
{
    buf_char(w->b, '<');
    buf_c(w->b, name);
    if (xmlns != NULL) {
        buf_str(w->b, STR(" xmlns=\""));
        xw_text(w, str_c(xmlns));
        buf_char(w->b, '"');
    }
    buf_char(w->b, '>');
}

void xw_open(struct xw *w, const char *name)
{
    xw_open_ns(w, name, NULL);
}

void xw_close(struct xw *w, const char *name)
{
    buf_str(w->b, STR("</"));
    buf_c(w->b, name);
    buf_char(w->b, '>');
}

/* The length of the character at s[i] if it goes out as it is, else 0. (XML 1.0, section 2.2: of
 * the characters below U+0020 only tab, LF and CR are allowed, and U+FFFE and U+FFFF are not; CR
 * must be escaped, as a parser would make it LF.) */
static size_t clean_at(struct str s, size_t i)
{
    unsigned char c = (unsigned char)s.p[i];
    if (c < 0x80)
        return (c >= 0x20 && c != '&' && c != '<' && c != '>' && c != '"' && c != '\'') ||
               c == '\n' || c == '\t';
    struct str rest = str_skip(s, i);
    if (str_starts(rest, STR("\xef\xbf\xbe")) || str_starts(rest, STR("\xef\xbf\xbf")))
        return 0;
    return str_utf8_next(rest);
}

/* Writes what stands for the bytes at s[i]; answers how many they are. */
static size_t escape(struct buf *b, struct str s, size_t i)
{
    switch (s.p[i]) {
    case '&':
        buf_str(b, STR("&amp;"));
        return 1;
    case '<':
        buf_str(b, STR("&lt;"));
        return 1;
    case '>':
        buf_str(b, STR("&gt;"));
        return 1;
    case '"':
        buf_str(b, STR("&quot;"));
        return 1;
    case '\'':
        buf_str(b, STR("&#39;"));
        return 1;
    case '\r':
        buf_str(b, STR("&#13;"));
        return 1;
    default:
        buf_str(b, STR("\xef\xbf\xbd"));
        size_t len = str_utf8_next(str_skip(s, i));
        return len == 0 ? 1 : len;
    }
}

void xw_text(struct xw *w, struct str s)
{
    for (size_t i = 0; i < s.n;) {
        size_t from = i, len;
        while (i < s.n && (len = clean_at(s, i)) > 0)
            i += len;
        buf_add(w->b, s.p + from, i - from);
        if (i < s.n)
            i += escape(w->b, s, i);
    }
}

void xw_elem(struct xw *w, const char *name, struct str s)
{
    xw_open(w, name);
    xw_text(w, s);
    xw_close(w, name);
}

void xw_elem_c(struct xw *w, const char *name, const char *c)
{
    xw_elem(w, name, str_c(c));
}

void xw_elem_i64(struct xw *w, const char *name, int64_t v)
{
    xw_open(w, name);
    buf_i64(w->b, v);
    xw_close(w, name);
}

void xw_elem_bool(struct xw *w, const char *name, bool v)
{
    xw_elem(w, name, v ? STR("true") : STR("false"));
}
