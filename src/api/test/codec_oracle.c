/* codec_oracle.c: the codecs behind a pipe, for codec_oracle.py. One JSON object a line in, one
 * out.
 *
 *   {"cmd":"decode","service":"s3","op":"GetObject","proto":"rest-xml","method":"GET",
 *    "path":"/b/k","query":"a=b","headers":[["n","v"]],"body":"base64"}   op null: by route
 *       -> {"op":"GetObject","input":{…}}
 *   {"cmd":"encode","service":"s3","op":"ListBuckets","proto":"rest-xml","output":{…}}
 *       -> {"status":200,"headers":[["n","v"]],"body":"base64"}
 *   {"cmd":"error","service":…,"op":…,"proto":…,"code":"NoSuchKey","status":404,"message":"…"}
 *       -> as encode
 *   {"cmd":"validate","service":…,"op":…,"input":{…}} -> {}
 *   {"cmd":"pattern","service":…,"shape":"Name","values":["a","b"]} -> {"matches":[true,false]}
 * A failure answers {"error":"Code","message":"…"}. The services are those that it is built with:
 * ORACLE_SERVICES(X) in oracle_services.h, which the test writes. */
#include "api/codec.h"
#include "api/pattern.h"
#include "core/enc.h"

#include "oracle_services.h"

enum { LINE_MAX_BYTES = 64 * 1024 * 1024, ARENA_MAX_BYTES = 512 * 1024 * 1024 };

#define DECLARE(name) extern const struct service_model name##_model;
ORACLE_SERVICES(DECLARE)
#define ADDRESS(name) &name##_model,
static const struct service_model *const services[] = {ORACLE_SERVICES(ADDRESS) NULL};

static const struct service_model *find_service(struct str name)
{
    for (size_t i = 0; services[i] != NULL; i++)
        if (str_is(name, services[i]->name))
            return services[i];
    return NULL;
}

static enum protocol find_proto(struct str name)
{
    static const char *const names[] = {"json1.0",  "json1.1", "rest-json",
                                        "rest-xml", "query",   "ec2"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_is(name, names[i]))
            return (enum protocol)i;
    CHECK(false);
    return PROTO_JSON10;
}

static struct str blob(struct arena *a, const struct jv *j)
{
    struct str out = STR("");
    CHECK(dec_base64(a, jv_s(j), &out));
    return out;
}

static struct err *run_decode(struct arena *a, const struct service_model *m,
                              const struct op_model *op, const struct jv *in, struct jw *w)
{
    struct wire_request r = {.method = jv_s(jv_get(in, "method")),
                             .path = jv_s(jv_get(in, "path")),
                             .body = blob(a, jv_get(in, "body"))};
    const struct jv *headers = jv_get(in, "headers");
    struct http_header *h = ARENA_ARRAY(a, jv_len(headers) + 1, struct http_header);
    for (size_t i = 0; i < jv_len(headers); i++)
        h[i] = (struct http_header){jv_s(jv_at(jv_at(headers, i), 0)),
                                    jv_s(jv_at(jv_at(headers, i), 1))};
    r.headers = h;
    r.n_headers = jv_len(headers);
    TRY(wire_params(a, jv_s(jv_get(in, "query")), &r.params, &r.n_params));
    enum protocol proto = find_proto(jv_s(jv_get(in, "proto")));
    if (op == NULL) {
        TRY(route_rest(a, m, &r, r.path, &op));
        if (op == NULL)
            return err_aws(404, "NoRoute", "No operation matches.");
    }
    void *input;
    TRY(codec_decode(a, m, op, proto, &r, &input));
    jw_kc(w, "op", op->name);
    jw_key(w, "input");
    jw_value(w, shape_to_json(a, op->input, input));
    return NULL;
}

static void write_response(struct arena *a, struct jw *w, const struct wire_response *r)
{
    jw_ki(w, "status", r->status);
    jw_key(w, "headers");
    jw_arr(w);
    for (size_t i = 0; i < r->n_headers; i++) {
        jw_arr(w);
        jw_str(w, r->headers[i].name);
        jw_str(w, r->headers[i].value);
        jw_end(w);
    }
    jw_end(w);
    jw_ks(w, "body", enc_base64(a, buf_view(&r->body)));
}

static struct err *run_encode(struct arena *a, const struct service_model *m,
                              const struct op_model *op, const struct jv *in, struct jw *w)
{
    void *output = NULL;
    struct wire_response r = {.body = BUF_INIT(LINE_MAX_BYTES)};
    if (op->output != NULL)
        TRY(shape_from_json(a, op->output, jv_get(in, "output"), false, &output));
    struct err *e = codec_encode(a, m, op, find_proto(jv_s(jv_get(in, "proto"))), output,
                                 "11111111-2222-3333-4444-555555555555", &r);
    if (e == NULL)
        write_response(a, w, &r);
    buf_clear(&r.body);
    return e;
}

static void run_error(struct arena *a, const struct service_model *m, const struct op_model *op,
                      const struct jv *in, struct jw *w)
{
    struct wire_response r = {.body = BUF_INIT(LINE_MAX_BYTES)};
    struct err *e =
        err_aws((int)jv_i(jv_get(in, "status"), 0), arena_cstr(a, jv_s(jv_get(in, "code"))), "%.*s",
                STR_ARG(jv_s(jv_get(in, "message"))));
    codec_encode_error(a, m, op, find_proto(jv_s(jv_get(in, "proto"))), e, "req-1", STR("/b/k"),
                       &r);
    err_free(e);
    write_response(a, w, &r);
    buf_clear(&r.body);
}

static const struct shape *find_shape(const struct shape *s, struct str name, int depth)
{
    if (s == NULL || depth > 12)
        return NULL;
    if (str_is(name, s->name))
        return s;
    const struct shape *found = find_shape(s->elem, name, depth + 1);
    if (found == NULL)
        found = find_shape(s->key, name, depth + 1);
    for (uint32_t i = 0; found == NULL && i < s->n_members; i++)
        found = find_shape(s->members[i].shape, name, depth + 1);
    return found;
}

static struct err *run_pattern(const struct op_model *op, const struct jv *in, struct jw *w)
{
    struct str name = jv_s(jv_get(in, "shape"));
    const struct shape *s = find_shape(op->input, name, 0);
    if (s == NULL)
        s = find_shape(op->output, name, 0);
    if (s == NULL || s->pattern_code == NULL)
        return err_aws(400, "NoPattern", "The shape has no pattern that is checked.");
    const struct jv *values = jv_get(in, "values");
    jw_key(w, "matches");
    jw_arr(w);
    for (size_t i = 0; i < jv_len(values); i++)
        jw_bool(w, pattern_match(s->pattern_code, jv_s(jv_at(values, i))));
    jw_end(w);
    return NULL;
}

static struct err *run(struct arena *a, const struct jv *in, struct jw *w)
{
    struct str cmd = jv_s(jv_get(in, "cmd"));
    const struct service_model *m = find_service(jv_s(jv_get(in, "service")));
    CHECK(m != NULL);
    const struct op_model *op = model_op(m, jv_s(jv_get(in, "op")));
    if (str_is(cmd, "decode"))
        return run_decode(a, m, op, in, w);
    if (str_is(cmd, "error")) {
        run_error(a, m, op, in, w);
        return NULL;
    }
    CHECK(op != NULL);
    if (str_is(cmd, "encode"))
        return run_encode(a, m, op, in, w);
    if (str_is(cmd, "pattern"))
        return run_pattern(op, in, w);
    CHECK(str_is(cmd, "validate"));
    void *input;
    TRY(shape_from_json(a, op->input, jv_get(in, "input"), false, &input));
    return shape_validate(a, op->input, input, "ValidationException");
}

static void answer(struct str line)
{
    struct arena *a = arena_new(ARENA_MAX_BYTES);
    struct buf out = BUF_INIT(LINE_MAX_BYTES);
    struct jv *in = NULL;
    struct err *e = json_parse(a, line, JSON_DEPTH_DEFAULT * 2, &in);
    struct jw w = jw_to(&out);
    jw_obj(&w);
    if (e == NULL)
        e = run(a, in, &w);
    if (e != NULL) {
        buf_reset(&out);
        w = jw_to(&out);
        jw_obj(&w);
        jw_kc(&w, "error", e->code != NULL ? e->code : "?");
        jw_kc(&w, "message", e->message);
        err_free(e);
    }
    jw_end(&w);
    buf_char(&out, '\n');
    CHECK(buf_ok(&out));
    CHECK(fwrite(out.p, 1, out.n, stdout) == out.n);
    fflush(stdout);
    buf_clear(&out);
    arena_free(a);
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    while ((n = getline(&line, &cap, stdin)) > 0)
        answer(str_of(line, (size_t)n));
    free(line);
    return 0;
}
