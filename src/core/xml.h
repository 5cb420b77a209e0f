/* xml.h: XML 1.0 in and out, as the rest-xml and query protocols use it.
 *
 * Reading: expat parses; document types and entities beyond the five of XML are refused; depth,
 * element count and attribute count are limited. Names keep their prefix out ("s3:Key" -> "Key").
 * Writing: struct xw appends to a buf and escapes. Thread rule: one thread at a time. */
#ifndef WARD_CORE_XML_H
#define WARD_CORE_XML_H

#include "arena.h"
#include "buf.h"

enum { XML_DEPTH_MAX = 64, XML_ELEMENTS_MAX = 100000, XML_ATTRIBUTES_MAX = 16 };

struct xml_attr {
    struct str name, value; /* name without prefix */
};

struct xml {
    struct str name; /* local name */
    struct str text; /* the character data directly inside, joined; "" if none, or if it is only
                        white space between children */
    struct xml_attr *attrs; /* without declarations of prefixes (xmlns:x="…") */
    size_t n_attrs;
    struct xml *first, *next; /* first child; next sibling */
    size_t n_children;
};

/* UTF-8 only. Errors: ERR_INVALID with line and column, ERR_LIMIT. *out is the root element. */
struct err *xml_parse(struct arena *a, struct str text, struct xml **out) MUST_CHECK;

const struct xml *xml_child(const struct xml *x, const char *name); /* the first; NULL is fine */
const struct xml *xml_next(const struct xml *x);                    /* next of the same name */
struct str xml_text(const struct xml *x);                           /* STR_NONE for NULL */
struct str xml_attr(const struct xml *x, const char *name);

struct xw {
    struct buf *b;
};

struct xw xw_to(struct buf *b);
void xw_head(struct xw *w); /* <?xml version="1.0" encoding="UTF-8"?> and a line feed */
void xw_open(struct xw *w, const char *name);
void xw_open_ns(struct xw *w, const char *name, const char *xmlns); /* xmlns NULL: none */
void xw_close(struct xw *w, const char *name);

/* Escaped; what XML 1.0 cannot carry (control characters, invalid UTF-8) becomes U+FFFD. */
void xw_text(struct xw *w, struct str s);

/* STR_NONE gives an empty element: do not call to leave it out. */
void xw_elem(struct xw *w, const char *name, struct str s);  /* <name>s</name> */
void xw_elem_c(struct xw *w, const char *name, const char *c);
void xw_elem_i64(struct xw *w, const char *name, int64_t v);
void xw_elem_bool(struct xw *w, const char *name, bool v);

#endif
