/* Small things that every room shares: ARNs, paging tokens, JSON rows, response headers. */
#include "line.h"

#include <stdarg.h>

enum { PAGE_TOKEN_MAX = 8192, EXTRA_HEADERS_MAX = 32 };

struct str line_service_tag(const struct line *l)
{
    return str_c(l->c.room != NULL ? l->c.room->event_source : "-");
}

bool arn_parse(struct str s, struct arn *out)
{
    struct str rest = s;
    struct arn a;
    if (!str_is(str_cut(&rest, ':'), "arn"))
        return false;
    a.partition = str_cut(&rest, ':');
    a.service = str_cut(&rest, ':');
    a.region = str_cut(&rest, ':');
    a.account = str_cut(&rest, ':');
    a.resource = rest;
    if (rest.p == NULL || rest.n == 0 || a.partition.n == 0 || a.service.n == 0)
        return false;
    *out = a;
    return true;
}

struct str call_arn(struct call *c, const char *service, const char *fmt, ...)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(8192);
    buf_fmt(&b, "arn:%s:%s:%.*s:%.*s:", IDENTITY_PARTITION, service, STR_ARG(c->region),
            STR_ARG(c->account));
    va_list ap;
    va_start(ap, fmt);
    buf_vfmt(&b, fmt, ap);
    va_end(ap);
    return arena_str(c->arena, buf_view(&b));
}

static struct str page_context(struct call *c)
{
    return arena_fmt(c->arena, "page/%s/%s/%.*s", c->room->name, c->row->name, STR_ARG(c->account));
}

struct str page_token(struct call *c, struct str position)
{
    if (position.n == 0)
        return STR_NONE;
    struct str sealed;
    struct err *e = store_seal(c->ward->store, c->arena, STR("ward"), page_context(c), position,
                               &sealed);
    if (e != NULL) { /* without a token the list ends here; the next call begins anew */
        err_free(e);
        return STR_NONE;
    }
    return enc_base64url(c->arena, sealed);
}

struct err *page_position(struct call *c, struct str token, const char *bad_code, struct str *out)
{
    if (token.n == 0) {
        *out = STR_NONE;
        return NULL;
    }
    struct str sealed;
    struct err *e = NULL;
    if (token.n > PAGE_TOKEN_MAX || !dec_base64url(c->arena, token, &sealed))
        return err_aws(400, bad_code, "The paging token is not valid.");
    e = store_unseal(c->ward->store, c->arena, page_context(c), sealed, out);
    if (e == NULL)
        return NULL;
    err_free(e);
    return err_aws(400, bad_code, "The paging token is not valid.");
}

static bool among(const struct str *keys, size_t n, struct str key)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(keys[i], key))
            return true;
    return false;
}

struct jv *tags_without(struct arena *a, const struct jv *tags, const struct str *keys, size_t n)
{
    struct jv *left = jv_new_obj(a);
    for (size_t i = 0; i < jv_len(tags); i++)
        if (!among(keys, n, tags->obj.v[i].key))
            jv_set(a, left, tags->obj.v[i].key, &tags->obj.v[i].value);
    return left;
}

static struct err *row_of_text(struct call *c, struct str text, struct jv **out)
{
    if (text.p == NULL) {
        *out = NULL;
        return NULL;
    }
    return json_parse(c->arena, text, JSON_DEPTH_DEFAULT, out);
}

struct err *row_get(struct call *c, const char *table, struct str key, struct jv **out)
{
    struct str text;
    TRY(txn_get(c->txn, table, key, c->arena, &text));
    return row_of_text(c, text, out);
}

struct err *row_peek(struct call *c, const char *table, struct str key, struct jv **out)
{
    const struct jv *kept;
    *out = NULL;
    TRY(txn_look_json(c->txn, table, key, c->arena, &kept));
    if (kept == NULL)
        return NULL;
    if (!jv_is(kept, JV_OBJ))
        return err_detail(err_new(ERR_CORRUPT, "Stored data failed its integrity check."),
                          "table %s: a row that is no object", table);
    /* Its top is the caller's own, so that members may be set; what hangs below is shared. */
    struct jv *row = jv_new_obj(c->arena);
    row->obj.n = kept->obj.n;
    row->obj.v = ARENA_ARRAY(c->arena, kept->obj.n + 1, struct jv_member);
    memcpy(row->obj.v, kept->obj.v, kept->obj.n * sizeof *row->obj.v);
    row->cap = (uint32_t)kept->obj.n;
    *out = row;
    return NULL;
}

struct err *row_put(struct call *c, const char *table, struct str owner, struct str key,
                    const struct jv *row)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(STORE_VALUE_MAX);
    struct jw w = jw_to(&b);
    jw_value(&w, row);
    TRY(buf_check(&b));
    return txn_put(c->txn, table, owner.p != NULL ? owner : c->account, key, buf_view(&b));
}

void call_header(struct call *c, const char *name, struct str value)
{
    if (c->extra_headers == NULL)
        c->extra_headers = ARENA_ARRAY(c->arena, EXTRA_HEADERS_MAX, struct wire_param);
    CHECK(c->n_extra_headers < EXTRA_HEADERS_MAX);
    c->extra_headers[c->n_extra_headers++] = (struct wire_param){str_c(name), value, true};
}

struct str call_trailer(const struct call *c, const char *lower_name)
{
    const struct line *l = (const struct line *)c;
    return l->chunked == NULL ? STR_NONE : chunked_trailer(l->chunked, lower_name);
}

struct err *err_not_implemented(struct call *c UNUSED, const char *what)
{
    return err_aws(501, "NotImplemented",
                   "%s is not built in this version of Ward. The README lists what is.", what);
}
