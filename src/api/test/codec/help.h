/* help.h: what the codecs' tests share. The tables are made from models/, which are imports of a
 * few operations each, so that the tests do not follow the rooms' choices. */
#ifndef WARD_API_TEST_CODEC_HELP_H
#define WARD_API_TEST_CODEC_HELP_H

#include "api/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { TEST_ARENA_MAX = 64 * 1024 * 1024, TEST_BODY_MAX = 1024 * 1024, TEST_HEADERS_MAX = 140 };

extern const struct service_model kms_model, sqs_model, s3_model, lambda_model, ec2_model,
    iam_model;

/* A request under construction. */
struct test_request {
    struct arena *arena;
    struct wire_request wire;
    struct http_header headers[TEST_HEADERS_MAX];
};

static inline int new_arena(void **state)
{
    *state = arena_new(TEST_ARENA_MAX);
    return 0;
}

static inline int free_arena(void **state)
{
    arena_free(*state);
    return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, new_arena, free_arena)

/* "GET /b/k?acl" */
static inline struct test_request *request(struct arena *a, const char *line, const char *body)
{
    struct test_request *r = ARENA_NEW(a, struct test_request);
    r->arena = a;
    struct str rest = str_c(line);
    r->wire.method = str_cut(&rest, ' ');
    r->wire.path = str_cut(&rest, '?');
    r->wire.body = str_c(body);
    r->wire.headers = r->headers;
    struct err *e = wire_params(a, rest, &r->wire.params, &r->wire.n_params);
    assert_null(e);
    return r;
}

static inline struct test_request *header(struct test_request *r, const char *name,
                                          const char *value)
{
    r->headers[r->wire.n_headers++] = (struct http_header){str_c(name), str_c(value)};
    return r;
}

static inline const struct op_model *op_of(const struct service_model *m, const char *name)
{
    const struct op_model *op = model_op(m, str_c(name));
    assert_non_null(op);
    return op;
}

/* Decodes, and must succeed. */
static inline void *decode(struct test_request *r, const struct service_model *m, const char *op,
                           enum protocol proto)
{
    void *out = NULL;
    const struct op_model *o = op_of(m, op);
    if (m->n_routes > 0) {
        const struct op_model *routed = NULL;
        struct err *e = route_rest(r->arena, m, &r->wire, r->wire.path, &routed);
        assert_null(e);
        assert_non_null(routed);
        assert_string_equal(routed->name, op);
    }
    struct err *e = codec_decode(r->arena, m, o, proto, &r->wire, &out);
    if (e != NULL)
        print_message("%s: %s\n", e->code != NULL ? e->code : "?", e->message);
    assert_null(e);
    return out;
}

/* Decodes, and must fail with this code. */
static inline void decode_fails(struct test_request *r, const struct service_model *m,
                                const char *op, enum protocol proto, const char *code)
{
    void *out = NULL;
    struct err *e = codec_decode(r->arena, m, op_of(m, op), proto, &r->wire, &out);
    assert_non_null(e);
    assert_non_null(e->code);
    assert_string_equal(e->code, code);
    assert_int_equal(e->status, 400);
    assert_null(out);
    err_free(e);
}

static inline struct wire_response *encode(struct arena *a, const struct service_model *m,
                                           const char *op, enum protocol proto, const void *output)
{
    struct wire_response *r = ARENA_NEW(a, struct wire_response);
    buf_init(&r->body, TEST_BODY_MAX);
    arena_on_free(a, (void (*)(void *))buf_clear, &r->body);
    struct err *e = codec_encode(a, m, op_of(m, op), proto, output, "req-1", r);
    assert_null(e);
    return r;
}

static inline struct wire_response *encode_error(struct arena *a, const struct service_model *m,
                                                 const char *op, enum protocol proto, struct err *e)
{
    struct wire_response *r = ARENA_NEW(a, struct wire_response);
    buf_init(&r->body, TEST_BODY_MAX);
    arena_on_free(a, (void (*)(void *))buf_clear, &r->body);
    codec_encode_error(a, m, op != NULL ? op_of(m, op) : NULL, proto, e, "req-1", STR("/b/k"), r);
    err_free(e);
    return r;
}

static inline struct str response_header(const struct wire_response *r, const char *name)
{
    for (size_t i = 0; i < r->n_headers; i++)
        if (str_is_i(r->headers[i].name, name))
            return r->headers[i].value;
    return STR_NONE;
}

#define assert_str(s, c)                                                                           \
    do {                                                                                           \
        struct str str_ = (s);                                                                     \
        if (!str_is(str_, (c)))                                                                    \
            print_message("is:     %.*s\nwanted: %s\n", STR_ARG(str_), (c));                       \
        assert_true(str_is(str_, (c)));                                                            \
    } while (0)
#define assert_body(r, c) assert_str(buf_view(&(r)->body), c)

#endif
