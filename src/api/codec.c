#include "codec.h"

#include "codec_parts.h"

#include "../core/enc.h"

static const char *content_type(enum protocol proto)
{
    switch (proto) {
    case PROTO_JSON10:
        return "application/x-amz-json-1.0";
    case PROTO_JSON11:
        return "application/x-amz-json-1.1";
    case PROTO_REST_JSON:
        return "application/json";
    case PROTO_REST_XML:
        return "application/xml";
    case PROTO_QUERY:
        return "text/xml";
    case PROTO_EC2:
        return "text/xml;charset=UTF-8";
    case PROTO_CBOR:
        return "application/cbor";
    }
    return "";
}

/* Every answer, good or bad, says which request it belongs to, under its protocol's names. */
static void id_headers(struct arena *a, enum protocol proto, const char *request_id,
                       struct wire_response *out)
{
    struct str id = arena_str(a, str_c(request_id));
    if (proto == PROTO_REST_XML) {
        wire_header(out, STR("x-amz-request-id"), id);
        wire_header(out, STR("x-amz-id-2"), enc_base64(a, id));
    } else {
        wire_header(out, STR("x-amzn-RequestId"), id);
    }
}

/* --- JSON 1.0 and 1.1 */

static struct err *parse_json_body(struct arena *a, struct str body, const struct jv **out)
{
    struct jv *j = NULL;
    if (str_trim(body).n == 0) { /* no input is the empty structure */
        *out = jv_new_obj(a);
        return NULL;
    }
    struct err *e = json_parse(a, body, JSON_DEPTH_DEFAULT, &j);
    if (e != NULL) {
        e->status = 400;
        e->code = "SerializationException";
        return e;
    }
    *out = j;
    return NULL;
}

static struct err *decode_json(struct arena *a, const struct op_model *op,
                               const struct wire_request *r, void *value)
{
    const struct jv *j;
    TRY(parse_json_body(a, r->body, &j));
    struct json_opts o = {.wire = true};
    return json_decode_struct(a, &o, op->input, j, value);
}

static void encode_json(const struct shape *s, const void *output, bool body_only,
                        struct wire_response *out)
{
    struct jw w = jw_to(&out->body);
    json_encode_struct(&w, &(struct json_opts){.wire = true, .body = body_only}, s, output);
}

/* --- REST: bindings first, then the payload member or the rest as a document */

/* The document of a payload member goes by the member's name, or by its shape's. */
static bool is_root_of(const struct shape_member *m, struct str name)
{
    return str_is(name, m->wire) || str_is(name, m->name) || str_is(name, m->shape->name) ||
           (m->shape->xml_name != NULL && str_is(name, m->shape->xml_name));
}

static struct err *decode_payload(struct arena *a, enum protocol proto,
                                  const struct shape_member *m, struct str body, void *value)
{
    switch (m->shape->kind) {
    case SH_STREAM:
        return NULL;
    case SH_BLOB:
    case SH_STRING:
        if (body.n > 0)
            *(struct str *)member_slot(a, m, value) = body;
        if (m->shape->kind == SH_STRING && !str_utf8_valid(body))
            return err_aws(400, "SerializationException", "The body is not valid UTF-8.");
        return NULL;
    default:
        break;
    }
    if (body.n == 0)
        return NULL;
    if (proto == PROTO_REST_JSON) {
        const struct jv *j;
        TRY(parse_json_body(a, body, &j));
        return json_decode_any(a, &(struct json_opts){.wire = true}, m, j,
                               member_slot(a, m, value));
    }
    struct xml *x = NULL;
    struct err *e = xml_parse(a, body, &x);
    if (e != NULL || m->shape->kind != SH_STRUCT || !is_root_of(m, x->name)) {
        err_free(e);
        return err_aws(400, "MalformedXML",
                       "The XML you provided was not well-formed or did not validate against our "
                       "published schema");
    }
    return xml_decode_struct(a, m->shape, x, member_slot(a, m, value), 0);
}

static bool has_body_members(const struct shape *s)
{
    for (uint32_t i = 0; i < s->n_members; i++)
        if (s->members[i].loc == LOC_BODY)
            return true;
    return false;
}

static struct err *decode_rest(struct arena *a, enum protocol proto, const struct op_model *op,
                               const struct wire_request *r, void *value)
{
    bool json = proto == PROTO_REST_JSON;
    TRY(rest_decode_bindings(a, op->input, r, json ? "SerializationException" : "InvalidArgument",
                             value));
    const struct shape_member *payload = payload_member(op->input);
    if (payload != NULL)
        return decode_payload(a, proto, payload, r->body, value);
    if (!has_body_members(op->input))
        return NULL;
    if (json) {
        const struct jv *j;
        TRY(parse_json_body(a, r->body, &j));
        struct json_opts o = {.wire = true, .body = true};
        return json_decode_struct(a, &o, op->input, j, value);
    }
    if (r->body.n == 0)
        return NULL;
    struct xml *x;
    struct err *e = xml_parse(a, r->body, &x);
    if (e != NULL) {
        err_free(e);
        return err_aws(400, "MalformedXML", "The XML you provided was not well-formed.");
    }
    return xml_decode_struct(a, op->input, x, value, 0);
}

/* The namespace of S3's documents; other rest-xml services name theirs in the model. */
static const char *document_ns(const struct service_model *m, const struct shape *s)
{
    if (s->xml_ns != NULL && s->xml_prefix == NULL)
        return s->xml_ns;
    if (m->xml_ns != NULL)
        return m->xml_ns;
    return strcmp(m->name, "s3") == 0 ? "http://s3.amazonaws.com/doc/2006-03-01/" : NULL;
}

/* S3's GetBucketLocation answers <LocationConstraint>eu-west-1</LocationConstraint>, without the
 * wrapper that every other operation has. */
static bool is_unwrapped(const struct service_model *m, const struct op_model *op)
{
    return strcmp(m->name, "s3") == 0 && strcmp(op->name, "GetBucketLocation") == 0;
}

static void encode_xml_document(struct arena *a, const struct service_model *m,
                                const struct op_model *op, const void *output,
                                struct wire_response *out)
{
    const struct shape *s = op->output;
    struct xw w = xw_to(&out->body);
    xw_head(&w);
    if (is_unwrapped(m, op)) {
        struct str text = shape_str_at(s, output, "LocationConstraint");
        xw_open_ns(&w, "LocationConstraint", document_ns(m, s));
        xw_text(&w, text);
        xw_close(&w, "LocationConstraint");
        return;
    }
    const char *root = s->xml_name != NULL ? s->xml_name : s->name;
    xw_open_ns(&w, root, document_ns(m, s));
    xml_encode_members(a, &w, &(struct xml_opts){0}, s, output);
    xw_close(&w, root);
}

static void encode_payload(struct arena *a, const struct service_model *m, enum protocol proto,
                           const struct shape_member *payload, const void *output,
                           struct wire_response *out)
{
    const void *v = member_value(payload, output);
    if (v == NULL || payload->shape->kind == SH_STREAM)
        return;
    if (payload->shape->kind == SH_BLOB || payload->shape->kind == SH_STRING) {
        buf_str(&out->body, *(const struct str *)v);
        return;
    }
    if (proto == PROTO_REST_JSON) {
        encode_json(payload->shape, v, false, out);
        return;
    }
    struct xw w = xw_to(&out->body);
    xw_head(&w);
    const char *root = strcmp(payload->wire, payload->name) != 0 ? payload->wire
                       : payload->shape->xml_name != NULL        ? payload->shape->xml_name
                                                                 : payload->wire;
    xw_open_ns(&w, root,
               payload->xml_ns != NULL ? payload->xml_ns : document_ns(m, payload->shape));
    xml_encode_members(a, &w, &(struct xml_opts){0}, payload->shape, v);
    xw_close(&w, root);
}

static bool has_header(const struct wire_response *r, const char *name)
{
    for (size_t i = 0; i < r->n_headers; i++)
        if (str_is_i(r->headers[i].name, name))
            return true;
    return false;
}

static struct err *encode_rest(struct arena *a, const struct service_model *m,
                               const struct op_model *op, enum protocol proto, const void *output,
                               struct wire_response *out)
{
    if (op->output == NULL)
        return NULL;
    TRY(rest_encode_bindings(a, op->output, output, out));
    const struct shape_member *payload = payload_member(op->output);
    enum shape_kind kind = payload != NULL ? payload->shape->kind : SH_STRUCT;
    bool document = kind != SH_STREAM && kind != SH_BLOB && kind != SH_STRING;
    if (strcmp(op->http_method, "HEAD") == 0)
        return NULL;
    if (payload != NULL)
        encode_payload(a, m, proto, payload, output, out);
    else if (!has_body_members(op->output) && proto != PROTO_REST_JSON)
        return NULL;
    else if (proto == PROTO_REST_JSON && (has_body_members(op->output) || out->status != 204))
        encode_json(op->output, output, true, out);
    else if (proto == PROTO_REST_XML)
        encode_xml_document(a, m, op, output, out);
    if (document && out->body.n > 0 && !has_header(out, "Content-Type"))
        wire_header(out, STR("Content-Type"), str_c(content_type(proto)));
    return NULL;
}

/* --- query and ec2 */

static void encode_query(struct arena *a, const struct service_model *m, const struct op_model *op,
                         const void *output, const char *request_id, struct wire_response *out)
{
    struct xw w = xw_to(&out->body);
    struct xml_opts o = {.query_name = true};
    const char *root = arena_cstr(a, arena_fmt(a, "%sResponse", op->name));
    xw_open_ns(&w, root, m->xml_ns);
    if (op->output != NULL) {
        const char *wrapper = op->result_wrapper;
        if (wrapper != NULL)
            xw_open(&w, wrapper);
        xml_encode_members(a, &w, &o, op->output, output);
        if (wrapper != NULL)
            xw_close(&w, wrapper);
    }
    xw_open(&w, "ResponseMetadata");
    xw_elem_c(&w, "RequestId", request_id);
    xw_close(&w, "ResponseMetadata");
    xw_close(&w, root);
}

static void encode_ec2(struct arena *a, const struct service_model *m, const struct op_model *op,
                       const void *output, const char *request_id, struct wire_response *out)
{
    struct xw w = xw_to(&out->body);
    const char *root = arena_cstr(a, arena_fmt(a, "%sResponse", op->name));
    xw_head(&w);
    xw_open_ns(&w, root, m->xml_ns);
    xw_elem_c(&w, "requestId", request_id);
    if (op->output != NULL)
        xml_encode_members(a, &w, &(struct xml_opts){0}, op->output, output);
    else
        xw_elem_c(&w, "return", "true");
    xw_close(&w, root);
}

/* --- the door */

struct err *codec_decode(struct arena *a, const struct service_model *m, const struct op_model *op,
                         enum protocol proto, const struct wire_request *r, void **out)
{
    if (op->input == NULL) {
        *out = NULL;
        return NULL;
    }
    void *value = arena_alloc(a, op->input_size);
    struct err *e = NULL;
    switch (proto) {
    case PROTO_JSON10:
    case PROTO_JSON11:
        e = decode_json(a, op, r, value);
        break;
    case PROTO_REST_JSON:
    case PROTO_REST_XML:
        e = decode_rest(a, proto, op, r, value);
        break;
    case PROTO_QUERY:
    case PROTO_EC2:
        e = query_decode(a, op->input, r, proto == PROTO_EC2, value);
        break;
    case PROTO_CBOR:
        return err_new(ERR_UNSUPPORTED, "The protocol rpc-v2-cbor is not implemented.");
    }
    TRY(e);
    TRY(arena_check(a));
    *out = value;
    return NULL;
}

struct err *codec_encode(struct arena *a, const struct service_model *m, const struct op_model *op,
                         enum protocol proto, const void *output, const char *request_id,
                         struct wire_response *out)
{
    bool rest = proto == PROTO_REST_JSON || proto == PROTO_REST_XML;
    if (output == NULL && op->output != NULL) /* the handler had nothing to say */
        output = arena_alloc(a, op->output_size);
    out->status = op->http_status;
    id_headers(a, proto, request_id, out);
    if (!rest && proto != PROTO_EC2 && proto != PROTO_QUERY) {
        wire_header(out, STR("Content-Type"), str_c(content_type(proto)));
        if (op->output != NULL)
            encode_json(op->output, output, false, out);
    } else if (rest) {
        TRY(encode_rest(a, m, op, proto, output, out));
    } else {
        wire_header(out, STR("Content-Type"), str_c(content_type(proto)));
        if (proto == PROTO_QUERY)
            encode_query(a, m, op, output, request_id, out);
        else
            encode_ec2(a, m, op, output, request_id, out);
    }
    if (out->headers_over)
        return err_new(ERR_LIMIT, "The response has more headers than are allowed.");
    return buf_check(&out->body);
}

/* --- errors */

struct error_facts {
    const char *code;          /* as sent in XML: "NoSuchEntity" */
    const char *type;          /* as sent in JSON: "NoSuchEntityException" */
    const struct shape *shape; /* NULL: not in the model */
    int status;
    bool client_fault;
};

/* AWS's names for what the kinds mean; the protocols' families spell them differently. */
static const char *kind_code(enum protocol proto, enum err_kind kind)
{
    bool json = proto == PROTO_JSON10 || proto == PROTO_JSON11 || proto == PROTO_REST_JSON ||
                proto == PROTO_CBOR;
    bool s3 = proto == PROTO_REST_XML;
    bool ec2 = proto == PROTO_EC2;
    switch (kind) {
    case ERR_INVALID:
        return json ? "ValidationException"
               : s3 ? "InvalidRequest"
                    : (ec2 ? "InvalidParameterValue" : "ValidationError");
    case ERR_NOT_FOUND:
        return json ? "ResourceNotFoundException" : (s3 ? "NoSuchKey" : "NoSuchEntity");
    case ERR_EXISTS:
        return json ? "ResourceInUseException" : (s3 ? "InvalidRequest" : "EntityAlreadyExists");
    case ERR_CONFLICT:
        return json ? "ConflictException" : (s3 ? "OperationAborted" : "ConcurrentModification");
    case ERR_DENIED:
        return json ? "AccessDeniedException" : (ec2 ? "UnauthorizedOperation" : "AccessDenied");
    case ERR_LIMIT:
        return json ? "LimitExceededException" : (s3 ? "InvalidRequest" : "LimitExceeded");
    case ERR_TIMEOUT:
        return "RequestTimeout";
    case ERR_UNSUPPORTED:
        return "NotImplemented";
    case ERR_FULL:
        return json ? "ServiceUnavailableException" : "ServiceUnavailable";
    default:
        return s3 || ec2 ? "InternalError" : "InternalFailure";
    }
}

static const struct shape *find_error(const struct op_model *op, const char *code)
{
    for (const struct shape *const *s = op != NULL ? op->errors : NULL; s != NULL && *s != NULL;
         s++)
        if (strcmp((*s)->name, code) == 0 || strcmp((*s)->error_code, code) == 0)
            return *s;
    return NULL;
}

static struct error_facts error_facts_of(const struct op_model *op, enum protocol proto,
                                         const struct err *e)
{
    struct error_facts f = {0};
    const char *code = e->code != NULL ? e->code : kind_code(proto, e->kind);
    f.shape = find_error(op, code);
    f.code = f.shape != NULL ? f.shape->error_code : code;
    f.type = f.shape != NULL ? f.shape->name : code;
    f.status = err_http_status(e);
    bool modelled = f.shape != NULL && f.shape->error_status != 0;
    if (modelled && e->status == 0)
        f.status = f.shape->error_status;
    else if ((proto == PROTO_JSON10 || proto == PROTO_JSON11) && !modelled &&
             (f.status == 403 || f.status == 404 || f.status == 409))
        f.status = 400; /* these protocols send 400 for every fault of the client */
    f.client_fault = f.status < 500;
    return f;
}

static const char *message_member(const struct shape *s)
{
    for (uint32_t i = 0; s != NULL && i < s->n_members; i++)
        if (strcmp(s->members[i].name, "Message") == 0)
            return "Message";
    return "message";
}

static void encode_error_json(struct arena *a, const struct service_model *m, enum protocol proto,
                              const struct error_facts *f, struct str message,
                              struct wire_response *out)
{
    struct jw w = jw_to(&out->body);
    jw_obj(&w);
    if (proto == PROTO_REST_JSON) {
        wire_header(out, STR("X-Amzn-ErrorType"), str_c(f->type));
        if (f->shape != NULL && shape_member(f->shape, STR("Type")) != NULL)
            jw_kc(&w, "Type", f->client_fault ? "User" : "Service");
    } else if (proto == PROTO_JSON10) {
        jw_key(&w, "__type");
        jw_str(&w, arena_fmt(a, "com.amazonaws.%s#%s", m != NULL ? m->name : "ward", f->type));
    } else {
        jw_kc(&w, "__type", f->type);
    }
    jw_ks(&w, message_member(f->shape), message);
    jw_end(&w);
    if (m != NULL && m->query_compatible)
        wire_header(out, STR("x-amzn-query-error"),
                    arena_fmt(a, "%s;%s", f->code, f->client_fault ? "Sender" : "Receiver"));
}

/* A text string of CBOR (RFC 8949 3.1). */
static void put_cbor_text(struct buf *b, struct str s)
{
    if (s.n < 24) {
        buf_char(b, (char)(0x60 | s.n));
    } else {
        buf_char(b, 0x79); /* two bytes of length follow: no message is longer */
        buf_u16(b, (uint16_t)s.n);
    }
    buf_str(b, s);
}

static void encode_error_cbor(const struct error_facts *f, struct str message,
                              struct wire_response *out)
{
    wire_header(out, STR("smithy-protocol"), STR("rpc-v2-cbor"));
    buf_char(&out->body, (char)0xa2); /* a map of two */
    put_cbor_text(&out->body, STR("__type"));
    put_cbor_text(&out->body, str_c(f->type));
    put_cbor_text(&out->body, STR("message"));
    put_cbor_text(&out->body, message);
}

static void encode_error_xml(const struct service_model *m, enum protocol proto,
                             const struct error_facts *f, struct str message,
                             const char *request_id, struct str resource, struct str host_id,
                             struct wire_response *out)
{
    struct xw w = xw_to(&out->body);
    if (proto != PROTO_QUERY)
        xw_head(&w);
    if (proto == PROTO_QUERY)
        xw_open_ns(&w, "ErrorResponse", m != NULL ? m->xml_ns : NULL);
    if (proto == PROTO_EC2) {
        xw_open(&w, "Response");
        xw_open(&w, "Errors");
    }
    xw_open(&w, "Error");
    if (proto == PROTO_QUERY)
        xw_elem_c(&w, "Type", f->client_fault ? "Sender" : "Receiver");
    xw_elem_c(&w, "Code", f->code);
    xw_elem(&w, "Message", message);
    if (proto == PROTO_REST_XML) {
        if (resource.p != NULL)
            xw_elem(&w, "Resource", resource);
        xw_elem_c(&w, "RequestId", request_id);
        xw_elem(&w, "HostId", host_id);
    }
    xw_close(&w, "Error");
    if (proto == PROTO_EC2) {
        xw_close(&w, "Errors");
        xw_elem_c(&w, "RequestID", request_id);
        xw_close(&w, "Response");
    } else if (proto == PROTO_QUERY) {
        xw_elem_c(&w, "RequestId", request_id);
        xw_close(&w, "ErrorResponse");
    }
}

void codec_encode_error(struct arena *a, const struct service_model *m, const struct op_model *op,
                        enum protocol proto, const struct err *e, const char *request_id,
                        struct str resource, struct wire_response *out)
{
    struct error_facts f = error_facts_of(op, proto, e);
    struct str message = arena_str(a, str_c(e->message));
    out->status = f.status;
    out->n_headers = 0;
    buf_reset(&out->body);
    id_headers(a, proto, request_id, out);
    /* RFC 9110: no content in the answer to HEAD, nor with 304. */
    if (f.status == 304 || (op != NULL && strcmp(op->http_method, "HEAD") == 0))
        return;
    wire_header(out, STR("Content-Type"), str_c(content_type(proto)));
    if (proto == PROTO_JSON10 || proto == PROTO_JSON11 || proto == PROTO_REST_JSON)
        encode_error_json(a, m, proto, &f, message, out);
    else if (proto == PROTO_CBOR)
        encode_error_cbor(&f, message, out);
    else
        encode_error_xml(m, proto, &f, message, request_id, resource,
                         enc_base64(a, str_c(request_id)), out);
}
