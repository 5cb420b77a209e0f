/* codec_xml.c: structs to XML and back, for rest-xml bodies and query and ec2 responses. */
#include "../core/clock.h"
#include "codec_parts.h"

static const char malformed[] = "MalformedXML";

static struct err *decode_value(struct arena *a, const struct shape *s, enum time_format time,
                                const struct xml *x, void *out, int depth);

/* A flattened list's elements are named by the list's element name, or by the member. */
static bool names_item(const struct shape_member *m, struct str name)
{
    return str_is(name, m->wire) || (m->shape->kind == SH_LIST && m->shape->elem_wire != NULL &&
                                     str_is(name, m->shape->elem_wire));
}

static struct err *decode_item(struct arena *a, const struct shape *s, const struct xml *x,
                               char *item, int depth)
{
    if (s->kind == SH_LIST)
        return decode_value(a, s->elem, s->elem->time, x, item, depth);
    const struct xml *key = xml_child(x, s->key_wire != NULL ? s->key_wire : "key");
    const struct xml *value = xml_child(x, s->elem_wire != NULL ? s->elem_wire : "value");
    if (key == NULL || value == NULL)
        return err_aws(400, malformed, "An entry of a map lacks its key or its value.");
    *(struct str *)item = xml_text(key);
    return decode_value(a, s->elem, s->elem->time, value, item + s->value_offset, depth);
}

/* The children of x that are items: for a flattened member those with its name. */
static bool is_item(const struct shape *s, const struct shape_member *flat, const struct xml *x)
{
    if (flat != NULL)
        return names_item(flat, x->name);
    if (s->kind == SH_MAP)
        return str_is(x->name, "entry");
    return str_is(x->name, s->elem_wire != NULL ? s->elem_wire : "member");
}

static struct err *decode_items(struct arena *a, const struct shape *s,
                                const struct shape_member *flat, const struct xml *x,
                                struct any_list *out, int depth)
{
    size_t n = 0;
    for (const struct xml *c = x->first; c != NULL; c = c->next)
        n += is_item(s, flat, c);
    if (n == 0 && flat != NULL)
        return NULL;
    struct any_list l;
    TRY(list_make(a, s, n, malformed, &l));
    n = 0;
    for (const struct xml *c = x->first; c != NULL; c = c->next)
        if (is_item(s, flat, c))
            TRY(decode_item(a, s, c, (char *)l.v + n++ * s->item_size, depth));
    if (s->kind == SH_MAP)
        map_last_wins(s, &l);
    *out = l;
    return NULL;
}

static struct err *decode_value(struct arena *a, const struct shape *s, enum time_format time,
                                const struct xml *x, void *out, int depth)
{
    if (depth >= CODEC_DEPTH_MAX)
        return err_aws(400, malformed, "The XML is nested too deeply.");
    if (s->kind == SH_STRUCT)
        return xml_decode_struct(a, s, x, out, depth + 1);
    if (s->kind == SH_LIST || s->kind == SH_MAP)
        return decode_items(a, s, NULL, x, out, depth + 1);
    if (x->n_children > 0)
        return err_aws(400, malformed, "An element has children where text was expected.");
    if (s->kind == SH_STRING)
        return text_decode(a, s, time, xml_text(x), malformed, out);
    return text_decode(a, s, time, str_trim(xml_text(x)), malformed, out);
}

/* "xsi:type" is read as "type": the reader drops prefixes. */
static const char *local_name(const char *name)
{
    const char *colon = strchr(name, ':');
    return colon != NULL ? colon + 1 : name;
}

struct err *xml_decode_struct(struct arena *a, const struct shape *s, const struct xml *x,
                              void *out, int depth)
{
    for (uint32_t i = 0; i < s->n_members; i++) {
        const struct shape_member *m = &s->members[i];
        if (m->loc != LOC_BODY || m->shape->kind == SH_STREAM)
            continue;
        void *at = (char *)out + m->offset;
        if (m->xml_attribute) {
            struct str text = xml_attr(x, local_name(m->wire));
            if (text.p != NULL)
                TRY(text_decode(a, m->shape, m->time, text, malformed, at));
        } else if (m->flattened && (m->shape->kind == SH_LIST || m->shape->kind == SH_MAP)) {
            TRY(decode_items(a, m->shape, m, x, at, depth + 1));
        } else {
            const struct xml *c = xml_child(x, m->wire);
            if (c != NULL)
                TRY(decode_value(a, m->shape, m->time, c, member_slot(a, m, out), depth));
        }
    }
    return arena_check(a);
}

/* --- writing */

static void encode_value(struct arena *a, struct xw *w, const struct xml_opts *o,
                         const struct shape *s, enum time_format time, const void *p,
                         const char *name, int depth);

static void attr_text(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        switch (s.p[i]) {
        case '&':
            buf_c(b, "&amp;");
            break;
        case '<':
            buf_c(b, "&lt;");
            break;
        case '"':
            buf_c(b, "&quot;");
            break;
        case '\t':
        case '\n':
        case '\r': /* bare, a reader makes blanks of them */
            buf_fmt(b, "&#%d;", s.p[i]);
            break;
        default:
            buf_char(b, s.p[i]);
        }
    }
}

/* <Grantee xmlns:xsi="…" xsi:type="CanonicalUser"> */
static void open_struct(struct arena *a, struct xw *w, const struct shape *s, const void *p,
                        const char *name)
{
    buf_char(w->b, '<');
    buf_c(w->b, name);
    if (s->xml_ns != NULL && s->xml_prefix != NULL)
        buf_fmt(w->b, " xmlns:%s=\"%s\"", s->xml_prefix, s->xml_ns);
    for (uint32_t i = 0; i < s->n_members; i++) {
        const struct shape_member *m = &s->members[i];
        const void *v = m->xml_attribute ? member_value(m, p) : NULL;
        if (v == NULL)
            continue;
        buf_fmt(w->b, " %s=\"", m->wire);
        attr_text(w->b, text_encode(a, m->shape, m->time, v));
        buf_char(w->b, '"');
    }
    buf_char(w->b, '>');
}

static void encode_entry(struct arena *a, struct xw *w, const struct xml_opts *o,
                         const struct shape *s, const char *item, const char *name, int depth)
{
    xw_open(w, name);
    xw_elem(w, s->key_wire != NULL ? s->key_wire : "key", *(const struct str *)item);
    encode_value(a, w, o, s->elem, s->elem->time, item + s->value_offset,
                 s->elem_wire != NULL ? s->elem_wire : "value", depth);
    xw_close(w, name);
}

static void encode_items(struct arena *a, struct xw *w, const struct xml_opts *o,
                         const struct shape *s, const struct any_list *l, const char *name,
                         int depth)
{
    for (size_t i = 0; i < l->n; i++) {
        const char *item = list_item(s, l, i);
        if (s->kind == SH_MAP)
            encode_entry(a, w, o, s, item, name, depth);
        else
            encode_value(a, w, o, s->elem, s->elem->time, item, name, depth);
    }
}

/* S3 and EC2 always write milliseconds, the query services only those there are. */
static struct str scalar_text(struct arena *a, const struct xml_opts *o, const struct shape *s,
                              enum time_format time, const void *p)
{
    char text[TIME_TEXT_MAX];
    if (s->kind != SH_TIME || o->query_name || (time != TIME_DEFAULT && time != TIME_ISO8601))
        return text_encode(a, s, time, p);
    time_iso8601_ms(((const struct opt_int *)p)->v, text);
    return arena_str(a, str_c(text));
}

static void encode_value(struct arena *a, struct xw *w, const struct xml_opts *o,
                         const struct shape *s, enum time_format time, const void *p,
                         const char *name, int depth)
{
    if (depth >= CODEC_DEPTH_MAX || !value_present(s, p))
        return;
    if (s->kind == SH_STRUCT) {
        open_struct(a, w, s, p, name);
        for (uint32_t i = 0; i < s->n_members; i++)
            if (!s->members[i].xml_attribute)
                xml_encode_member(a, w, o, &s->members[i], p, depth + 1);
        xw_close(w, name);
    } else if (s->kind == SH_LIST || s->kind == SH_MAP) {
        const char *item = s->kind == SH_MAP ? "entry" : "member";
        if (s->kind == SH_LIST && s->elem_wire != NULL)
            item = s->elem_wire;
        xw_open(w, name);
        encode_items(a, w, o, s, p, item, depth + 1);
        xw_close(w, name);
    } else {
        xw_elem(w, name, scalar_text(a, o, s, time, p));
    }
}

void xml_encode_member(struct arena *a, struct xw *w, const struct xml_opts *o,
                       const struct shape_member *m, const void *value, int depth)
{
    const void *v = member_value(m, value);
    if (v == NULL || m->loc != LOC_BODY || m->shape->kind == SH_STREAM)
        return;
    const char *name = o->query_name && m->query_name != NULL ? m->query_name : m->wire;
    bool items = m->shape->kind == SH_LIST || m->shape->kind == SH_MAP;
    if (m->flattened && items) {
        bool own = m->shape->kind == SH_LIST && m->shape->elem_wire != NULL;
        encode_items(a, w, o, m->shape, v, own ? m->shape->elem_wire : name, depth + 1);
    } else {
        encode_value(a, w, o, m->shape, m->time, v, name, depth);
    }
}

void xml_encode_members(struct arena *a, struct xw *w, const struct xml_opts *o,
                        const struct shape *s, const void *p)
{
    for (uint32_t i = 0; i < s->n_members; i++)
        xml_encode_member(a, w, o, &s->members[i], p, 0);
}
