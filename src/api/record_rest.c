/* What a REST-XML call asked for, as CloudTrail writes it for S3: under the names of the wire, what
 * came as text as text, documents as objects of their elements.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-understanding-s3-entries.html
 * Which members are told is the row's decision (record_in, record_out). The ids of keys, which the
 * model calls sensitive, stand in clear there, and rules look at them. */
#include "codec_parts.h"
#include "line.h"

#include "../auth/policy.h"

static void element(struct jw *w, struct arena *a, const struct shape *s, enum time_format time,
                    const void *p, int depth);

/* One item stands for itself, several are an array. */
static void items(struct jw *w, struct arena *a, const struct shape *s, const struct any_list *l,
                  int depth)
{
    if (l->n != 1)
        jw_arr(w);
    for (size_t i = 0; i < l->n; i++)
        element(w, a, s->elem, s->time, list_item(s, l, i), depth + 1);
    if (l->n != 1)
        jw_end(w);
}

static void elements(struct jw *w, struct arena *a, const struct shape *s, const void *p,
                     const char *xml_ns, int depth)
{
    jw_obj(w);
    if (xml_ns != NULL)
        jw_kc(w, "xmlns", xml_ns);
    for (uint32_t i = 0; i < s->n_members; i++) {
        const struct shape_member *m = &s->members[i];
        const void *v = member_value(m, p);
        if (v == NULL)
            continue;
        jw_key(w, m->wire);
        if (m->shape->kind != SH_LIST) {
            element(w, a, m->shape, m->time, v, depth + 1);
            continue;
        }
        if (!m->flattened) { /* <TagSet><Tag>…</Tag></TagSet> */
            jw_obj(w);
            jw_key(w, m->shape->elem_wire != NULL ? m->shape->elem_wire : "member");
        }
        items(w, a, m->shape, v, depth + 1);
        if (!m->flattened)
            jw_end(w);
    }
    jw_end(w);
}

static void element(struct jw *w, struct arena *a, const struct shape *s, enum time_format time,
                    const void *p, int depth)
{
    if (depth >= CODEC_DEPTH_MAX || s->kind == SH_MAP || !value_present(s, p))
        jw_null(w);
    else if (s->kind == SH_STRUCT)
        elements(w, a, s, p, s->xml_ns, depth);
    else if (s->kind == SH_LIST)
        items(w, a, s, p, depth);
    else if (s->kind == SH_BOOL)
        jw_bool(w, ((const struct opt_bool *)p)->v);
    else if (s->kind == SH_INT || s->kind == SH_LONG)
        jw_i64(w, ((const struct opt_int *)p)->v);
    else
        jw_str(w, text_encode(a, s, time, p));
}

/* The document as it was meant; none if it is no JSON: the error says so. */
static void bucket_policy(struct jw *w, struct arena *a, struct str text)
{
    struct jv *j = NULL;
    struct err *e = json_parse(a, text, POLICY_DEPTH_MAX, &j);
    if (e == NULL) {
        jw_key(w, "bucketPolicy");
        jw_value(w, j);
    }
    err_free(e);
}

static void body_member(struct jw *w, struct arena *a, const struct shape_member *m, const void *v)
{
    if (m->shape->kind == SH_STRUCT) {
        jw_key(w, m->wire);
        elements(w, a, m->shape, v, m->xml_ns, 1);
    } else if (m->payload && m->shape->kind == SH_STRING) {
        bucket_policy(w, a, *(const struct str *)v);
    }
}

/* "uploadId" for a member of the answer's body. */
static struct str lower_camel(struct arena *a, const char *name)
{
    char *key = arena_cstr(a, str_c(name));
    if (key[0] >= 'A' && key[0] <= 'Z')
        key[0] = (char)(key[0] + ('a' - 'A'));
    return str_c(key);
}

static void text_member(struct jw *w, struct arena *a, const struct shape_member *m, const void *v,
                        bool request)
{
    if (m->loc == LOC_URI && strcmp(m->name, "Bucket") == 0)
        jw_key(w, "bucketName");
    else if (m->loc == LOC_URI || (m->loc == LOC_BODY && !request))
        jw_key_str(w, lower_camel(a, m->name));
    else
        jw_key(w, m->wire);
    jw_str(w, text_encode(a, m->shape, m->time, v));
}

static bool is_text(const struct shape *s)
{
    return s->kind != SH_STRUCT && s->kind != SH_LIST && s->kind != SH_MAP &&
           s->kind != SH_STREAM && s->kind != SH_BLOB;
}

/* The constants of the operation's own address: "policy" of "/{Bucket}?policy", list-type=2. */
static void address(struct jw *w, const char *http_uri)
{
    struct str query = str_c(http_uri);
    str_cut(&query, '?');
    while (query.p != NULL) {
        struct str value = str_cut(&query, '&');
        struct str name = str_cut(&value, '=');
        if (name.n == 0 || str_is(name, "x-id"))
            continue;
        jw_key_str(w, name);
        jw_str(w, value.p != NULL ? value : STR(""));
    }
}

/* A presigned address, without what would let a reader use it or know the key. */
static void presigned(struct jw *w, const struct wire_request *r)
{
    static const char *const names[] = {"X-Amz-Algorithm", "X-Amz-Date", "X-Amz-Expires",
                                        "X-Amz-SignedHeaders"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (wire_has_param(r, names[i]))
            jw_ks(w, names[i], wire_param(r, names[i]));
}

static void members(struct jw *w, const struct call *c, const struct shape *s, const void *value,
                    const char *only, bool request)
{
    struct arena *a = c->arena;
    for (uint32_t i = 0; i < s->n_members; i++) {
        const struct shape_member *m = &s->members[i];
        const void *v = member_value(m, value);
        if (v == NULL || !shape_listed(only, m->name))
            continue;
        if (request && m->loc == LOC_BODY)
            body_member(w, a, m, v);
        else if (is_text(m->shape))
            text_member(w, a, m, v, request);
        else if (request && m->loc == LOC_HEADER && c->wire != NULL) /* x-amz-object-attributes */
            jw_ks(w, m->wire, wire_req_header(c->wire, m->wire));
    }
}

void record_rest_request(struct jw *w, const struct call *c)
{
    jw_obj(w);
    members(w, c, c->op->input, c->in, c->row->record_in, true);
    address(w, c->op->http_uri);
    if (c->wire != NULL) {
        if (c->sig.presigned)
            presigned(w, c->wire);
        jw_ks(w, "Host", wire_req_header(c->wire, "Host"));
    }
    jw_end(w);
}

void record_rest_response(struct jw *w, const struct call *c)
{
    jw_obj(w);
    members(w, c, c->op->output, c->out, c->row->record_out, false);
    jw_end(w);
}
