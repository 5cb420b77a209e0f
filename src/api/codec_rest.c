/* codec_rest.c: members bound to the path, the query string and the headers. */
#include "codec_parts.h"

#include "../core/clock.h"

const struct shape_member *payload_member(const struct shape *s)
{
    return s->payload != NULL ? shape_member(s, str_c(s->payload)) : NULL;
}

static struct err *check_text(struct str text, const char *code)
{
    if (!str_utf8_valid(text))
        return err_aws(400, code, "A header or path is not valid UTF-8.");
    return NULL;
}

/* "a, b" of a header; elements may be quoted only in ways that no list here needs. */
static struct err *decode_header_list(struct arena *a, const struct shape_member *m,
                                      const struct wire_request *r, const char *code,
                                      struct any_list *out)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_headers; i++)
        if (str_is_i(r->headers[i].name, m->wire))
            for (struct str rest = r->headers[i].value; rest.p != NULL;)
                n += str_trim(str_cut(&rest, ',')).n > 0;
    struct any_list l;
    TRY(list_make(a, m->shape, n, code, &l));
    n = 0;
    for (size_t i = 0; i < r->n_headers; i++) {
        if (!str_is_i(r->headers[i].name, m->wire))
            continue;
        for (struct str rest = r->headers[i].value; rest.p != NULL;) {
            struct str piece = str_trim(str_cut(&rest, ','));
            TRY(check_text(piece, code));
            if (piece.n > 0)
                TRY(text_decode(a, m->shape->elem, m->shape->elem->time, piece, code,
                                (char *)l.v + n++ * m->shape->item_size));
        }
    }
    *out = l;
    return NULL;
}

static struct err *decode_prefix_headers(struct arena *a, const struct shape_member *m,
                                         const struct wire_request *r, const char *code,
                                         struct any_list *out)
{
    struct str prefix = str_c(m->wire);
    size_t n = 0;
    for (size_t i = 0; i < r->n_headers; i++)
        n += str_ieq(str_take(r->headers[i].name, prefix.n), prefix);
    if (n == 0)
        return NULL;
    struct any_list l;
    TRY(list_make(a, m->shape, n, code, &l));
    n = 0;
    for (size_t i = 0; i < r->n_headers; i++) {
        struct str name = r->headers[i].name;
        if (!str_ieq(str_take(name, prefix.n), prefix))
            continue;
        TRY(check_text(r->headers[i].value, code));
        char *key = arena_cstr(a, str_skip(name, prefix.n));
        for (char *c = key; *c != '\0'; c++)
            if (*c >= 'A' && *c <= 'Z')
                *c = (char)(*c + ('a' - 'A'));
        char *item = (char *)l.v + n++ * m->shape->item_size;
        *(struct str *)item = str_c(key);
        TRY(text_decode(a, m->shape->elem, TIME_DEFAULT, r->headers[i].value, code,
                        item + m->shape->value_offset));
    }
    *out = l;
    return NULL;
}

static struct err *decode_query_list(struct arena *a, const struct shape_member *m,
                                     const struct wire_request *r, const char *code,
                                     struct any_list *out)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_params; i++)
        n += str_is(r->params[i].name, m->wire);
    if (n == 0)
        return NULL;
    struct any_list l;
    TRY(list_make(a, m->shape, n, code, &l));
    n = 0;
    for (size_t i = 0; i < r->n_params; i++)
        if (str_is(r->params[i].name, m->wire))
            TRY(text_decode(a, m->shape->elem, m->shape->elem->time, r->params[i].value, code,
                            (char *)l.v + n++ * m->shape->item_size));
    *out = l;
    return NULL;
}

static struct err *decode_binding(struct arena *a, const struct shape_member *m,
                                  const struct wire_request *r, const char *code, void *value)
{
    struct str text = STR_NONE;
    void *slot = member_slot(a, m, value);
    bool list = m->shape->kind == SH_LIST;
    if (m->loc == LOC_HEADERS)
        return decode_prefix_headers(a, m, r, code, slot);
    if (m->loc == LOC_QUERY && list)
        return decode_query_list(a, m, r, code, slot);
    if (m->loc == LOC_URI) {
        for (size_t i = 0; i < r->n_labels; i++)
            if (str_is(r->labels[i].name, m->wire))
                text = r->labels[i].value;
    } else if (m->loc == LOC_QUERY) {
        text = wire_param(r, m->wire);
    } else if (m->loc == LOC_HEADER) {
        text = wire_req_header(r, m->wire);
        if (list && text.p != NULL)
            return decode_header_list(a, m, r, code, slot);
    }
    if (text.p == NULL || (text.n == 0 && m->shape->kind != SH_STRING))
        return NULL; /* "?max-keys=" is as good as nothing */
    TRY(check_text(text, code));
    return text_decode(a, m->shape, m->time, text, code, slot);
}

struct err *rest_decode_bindings(struct arena *a, const struct shape *s,
                                 const struct wire_request *r, const char *code, void *out)
{
    for (uint32_t i = 0; i < s->n_members; i++)
        if (s->members[i].loc != LOC_BODY && s->members[i].loc != LOC_STATUS)
            TRY(decode_binding(a, &s->members[i], r, code, out));
    return NULL;
}

/* --- responses */

/* A value with a line end would be a second header; it never leaves (RFC 9110, 5.5). */
static struct err *add_header(struct wire_response *out, struct str name, struct str value)
{
    static const char special[] = "!#$%&'*+-.^_`|~";
    bool ok = name.n > 0;
    for (size_t i = 0; ok && i < name.n; i++) {
        char c = name.p[i];
        ok = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
             (c != '\0' && strchr(special, c) != NULL);
    }
    for (size_t i = 0; ok && i < value.n; i++)
        ok = ((unsigned char)value.p[i] >= 0x20 && value.p[i] != 0x7f) || value.p[i] == '\t';
    if (!ok)
        return err_aws(400, "InvalidArgument",
                       "A name or value of the answer cannot be sent as a header.");
    wire_header(out, name, value);
    return NULL;
}

static struct str join_list(struct arena *a, const struct shape *s, const struct any_list *l)
{
    struct str out = STR("");
    for (size_t i = 0; i < l->n; i++) {
        struct str one = text_encode(a, s->elem, TIME_RFC822, list_item(s, l, i));
        out = i == 0 ? one : arena_concat(a, arena_concat(a, out, STR(",")), one);
    }
    return out;
}

static struct err *encode_binding(struct arena *a, const struct shape_member *m, const void *output,
                                  struct wire_response *out)
{
    const void *v = member_value(m, output);
    if (v == NULL)
        return NULL;
    if (m->loc == LOC_STATUS) {
        out->status = (int)((const struct opt_int *)v)->v;
        return NULL;
    }
    if (m->loc == LOC_HEADERS) {
        const struct any_list *l = v;
        for (size_t i = 0; i < l->n; i++) {
            const char *item = list_item(m->shape, l, i);
            struct str name = arena_concat(a, str_c(m->wire), *(const struct str *)item);
            TRY(add_header(
                out, name,
                text_encode(a, m->shape->elem, TIME_RFC822, item + m->shape->value_offset)));
        }
        return NULL;
    }
    if (m->loc != LOC_HEADER)
        return NULL;
    enum time_format time = m->time != TIME_DEFAULT ? m->time : TIME_RFC822;
    struct str text =
        m->shape->kind == SH_LIST ? join_list(a, m->shape, v) : text_encode(a, m->shape, time, v);
    return add_header(out, str_c(m->wire), text);
}

struct err *rest_encode_bindings(struct arena *a, const struct shape *s, const void *output,
                                 struct wire_response *out)
{
    for (uint32_t i = 0; i < s->n_members; i++)
        if (s->members[i].loc != LOC_BODY)
            TRY(encode_binding(a, &s->members[i], output, out));
    return NULL;
}
