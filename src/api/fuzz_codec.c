/* Arbitrary bytes against the codecs: a few operations of each protocol. The first byte chooses the
 * operation, the second where the rest goes: body, query string, path or a header. What is decoded
 * is validated, recorded, and encoded as JSON, which then decodes to the same again. */
#include "fuzz.h"

#include "api/codec.h"

extern const struct service_model kms_model, sqs_model, s3_model, lambda_model, ec2_model,
    iam_model;

enum { ARENA_BYTES = 256 * 1024 * 1024, HEADERS_MAX = 16, TEXT_BYTES = 64 * 1024 * 1024 };

struct target {
    const struct service_model *model;
    const char *op;
    enum protocol proto;
};

static const struct target targets[] = {
    {&kms_model, "Encrypt", PROTO_JSON11},
    {&kms_model, "TagResource", PROTO_JSON11},
    {&sqs_model, "SendMessage", PROTO_JSON10},
    {&sqs_model, "SendMessage", PROTO_QUERY},
    {&sqs_model, "ReceiveMessage", PROTO_QUERY},
    {&sqs_model, "CreateQueue", PROTO_QUERY},
    {&iam_model, "SimulateCustomPolicy", PROTO_QUERY},
    {&ec2_model, "AuthorizeSecurityGroupIngress", PROTO_EC2},
    {&ec2_model, "DescribeSecurityGroups", PROTO_EC2},
    {&lambda_model, "CreateFunction", PROTO_REST_JSON},
    {&lambda_model, "Invoke", PROTO_REST_JSON},
    {&s3_model, "DeleteObjects", PROTO_REST_XML},
    {&s3_model, "PutBucketLifecycleConfiguration", PROTO_REST_XML},
    {&s3_model, "PutBucketAcl", PROTO_REST_XML},
    {&s3_model, "PutObject", PROTO_REST_XML},
    {&s3_model, "GetObjectAttributes", PROTO_REST_XML},
};

/* "name: value" lines. */
static size_t split_headers(struct str text, struct http_header *out)
{
    size_t n = 0;
    while (text.p != NULL && n < HEADERS_MAX) {
        struct str value = str_cut(&text, '\n');
        struct str name = str_cut(&value, ':');
        out[n++] = (struct http_header){name, value.p != NULL ? str_trim(value) : STR("")};
    }
    return n;
}

static void use(struct arena *a, const struct op_model *op, const void *input)
{
    err_free(shape_validate(a, op->input, input, "ValidationException"));
    struct buf b = BUF_INIT(TEXT_BYTES);
    struct jw w = jw_to(&b);
    shape_record(&w, op->input, input, "*");
    CHECK(b.n >= 2 && b.p[b.n - 1] == '}');
    buf_clear(&b);
    const struct jv *tree = shape_to_json(a, op->input, input);
    void *again = NULL;
    struct err *e = shape_from_json(a, op->input, tree, false, &again);
    if (e == NULL && !arena_over(a))
        CHECK(jv_equal(tree, shape_to_json(a, op->input, again)));
    err_free(e);
}

static void route(struct arena *a, const struct target *t, struct wire_request *r)
{
    static const char *const methods[] = {"GET", "PUT", "POST", "DELETE", "HEAD"};
    for (size_t i = 0; i < ARRAY_LEN(methods) && t->model->n_routes > 0; i++) {
        const struct op_model *op = NULL;
        r->method = str_c(methods[i]);
        struct err *e = route_rest(a, t->model, r, r->path, &op);
        CHECK(e == NULL || op == NULL);
        err_free(e);
    }
}

static void run(struct arena *a, const struct target *t, unsigned place, struct str text)
{
    struct http_header headers[HEADERS_MAX];
    struct wire_request r = {.method = STR("POST"), .path = STR("/b/k"), .headers = headers};
    struct err *e = NULL;
    if (place == 1)
        e = wire_params(a, text, &r.params, &r.n_params);
    else if (place == 2)
        r.path = text;
    else if (place == 3)
        r.n_headers = split_headers(text, headers);
    else
        r.body = text;
    if (e == NULL) {
        route(a, t, &r);
        const struct op_model *op = model_op(t->model, str_c(t->op));
        void *input = NULL;
        e = codec_decode(a, t->model, op, t->proto, &r, &input);
        if (e == NULL)
            use(a, op, input);
        else
            CHECK(e->code != NULL || arena_over(a) || e->kind == ERR_LIMIT);
    }
    err_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct arena *a = arena_new(ARENA_BYTES);
    run(a, &targets[data[0] % ARRAY_LEN(targets)], data[1] % 4, str_of(data + 2, size - 2));
    arena_free(a);
    return 0;
}
