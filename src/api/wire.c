#include "codec.h"

#include "../core/enc.h"

void wire_header(struct wire_response *r, struct str name, struct str value)
{
    if (r->n_headers == WIRE_HEADERS_MAX) {
        r->headers_over = true;
        return;
    }
    r->headers[r->n_headers++] = (struct http_header){.name = name, .value = value};
}

static struct err *decode_part(struct arena *a, struct str raw, struct str *out)
{
    if (!dec_uri(a, raw, true, out) || !str_utf8_valid(*out))
        return err_aws(400, "MalformedQueryString",
                       "The query string contains a broken escape or is not UTF-8.");
    if (out->p == NULL)
        *out = STR("");
    return NULL;
}

struct err *wire_params(struct arena *a, struct str raw, struct wire_param **out, size_t *out_n)
{
    size_t count = 0;
    for (struct str rest = raw.n > 0 ? raw : STR_NONE; rest.p != NULL;)
        count += str_cut(&rest, '&').n > 0;
    if (count > CODEC_PARAMS_MAX)
        return err_aws(400, "MalformedQueryString",
                       "The request has more than %d parameters; send fewer.", CODEC_PARAMS_MAX);
    struct wire_param *params = ARENA_ARRAY(a, count + 1, struct wire_param);
    size_t n = 0;
    for (struct str rest = raw.n > 0 ? raw : STR_NONE; rest.p != NULL;) {
        struct str value = str_cut(&rest, '&');
        if (value.n == 0)
            continue;
        struct str name = str_cut(&value, '=');
        struct wire_param *p = &params[n++];
        p->has_value = value.p != NULL;
        TRY(decode_part(a, name, &p->name));
        TRY(decode_part(a, p->has_value ? value : STR(""), &p->value));
    }
    TRY(arena_check(a));
    *out = params;
    *out_n = n;
    return NULL;
}

struct str wire_param(const struct wire_request *r, const char *name)
{
    for (size_t i = 0; i < r->n_params; i++)
        if (str_is(r->params[i].name, name))
            return r->params[i].value;
    return STR_NONE;
}

bool wire_has_param(const struct wire_request *r, const char *name)
{
    return wire_param(r, name).p != NULL;
}

struct str wire_req_header(const struct wire_request *r, const char *name)
{
    struct str want = str_c(name);
    for (size_t i = 0; i < r->n_headers; i++)
        if (r->headers[i].name.n == want.n && str_ieq(r->headers[i].name, want))
            return r->headers[i].value;
    return STR_NONE;
}
