/* codec.h: the wire protocols of AWS, one codec for each, driven by the tables of shape.h.
 *
 *   PROTO_JSON10/11   https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
 *   PROTO_REST_JSON   …/aws-restjson1-protocol.html
 *   PROTO_REST_XML    …/aws-restxml-protocol.html
 *   PROTO_QUERY, EC2  …/aws-query-protocol.html, …/aws-ec2-query-protocol.html
 *   PROTO_CBOR        https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html: errors
 *
 * Decoding is bounded and checks types only; constraints are checked later by shape_validate(), so
 * that who may not call learns nothing. Unknown members, parameters and headers are ignored, as AWS
 * does. Everything lives in the arena. Thread rule: pure functions over immutable tables. */
#ifndef WARD_API_CODEC_H
#define WARD_API_CODEC_H

#include "../core/xml.h"
#include "../http/server.h"
#include "shape.h"

enum {
    CODEC_DEPTH_MAX = 32,
    CODEC_PARAMS_MAX = 4096,   /* query parameters */
    CODEC_ITEMS_MAX = 100000,  /* elements of one list or map */
    CODEC_LIST_BYTES_MAX = 32 * 1024 * 1024, /* C representation of one list's elements */
    WIRE_HEADERS_MAX = 192,    /* of a response: all of S3's and the metadata's */
};

struct wire_param {
    struct str name, value; /* decoded */
    bool has_value;         /* "?acl" against "?acl=" */
};

struct wire_request {
    struct str method;
    struct str path;          /* raw, without the query */
    struct wire_param *params; /* of the URL's query, decoded, in order */
    size_t n_params;
    const struct http_header *headers;
    size_t n_headers;
    struct str body; /* complete; empty for streams */
    /* path labels, from the route */
    struct wire_param *labels;
    size_t n_labels;
};

struct wire_response {
    int status;
    struct http_header headers[WIRE_HEADERS_MAX];
    size_t n_headers;
    bool headers_over; /* more than fit: codec_encode() fails */
    struct buf body; /* initialised by the caller with a maximum */
};

void wire_header(struct wire_response *r, struct str name, struct str value);

/* Splits and decodes a raw query string (or form body). ERR_LIMIT, ERR_INVALID. */
struct err *wire_params(struct arena *a, struct str raw, struct wire_param **out, size_t *out_n)
    MUST_CHECK;
struct str wire_param(const struct wire_request *r, const char *name); /* STR_NONE: absent */
bool wire_has_param(const struct wire_request *r, const char *name);
struct str wire_req_header(const struct wire_request *r, const char *name);

/* Which operation a REST request means: method, path and query against the http_uri templates, the
 * most specific first; among equals the one whose required header and query members are present
 * (CopyObject against PutObject). Labels are percent-decoded. NULL in *out: no such operation.
 * `path` is given since S3's virtual-host style puts the bucket in front of it. */
struct err *route_rest(struct arena *a, const struct service_model *m, struct wire_request *r,
                       struct str path, const struct op_model **out) MUST_CHECK;

/* Fills *out (op->input_size bytes, in the arena). Errors carry the protocol's own code:
 * SerializationException, MalformedXML, MalformedQueryString, … */
struct err *codec_decode(struct arena *a, const struct service_model *m, const struct op_model *op,
                         enum protocol proto, const struct wire_request *r, void **out) MUST_CHECK;

/* Writes status, headers and body of a success. */
struct err *codec_encode(struct arena *a, const struct service_model *m, const struct op_model *op,
                         enum protocol proto, const void *output, const char *request_id,
                         struct wire_response *out) MUST_CHECK;

/* Writes an error in the protocol's own form, with its headers (x-amzn-ErrorType, …). `m` and `op`
 * may be NULL (the service or the operation was not known). `resource` is S3's <Resource>, or
 * STR_NONE. */
void codec_encode_error(struct arena *a, const struct service_model *m, const struct op_model *op,
                        enum protocol proto, const struct err *e, const char *request_id,
                        struct str resource, struct wire_response *out);

/* Checks every constraint of the model: required, length, range, pattern, enum. The message is
 * AWS's: "1 validation error detected: Value '…' at 'keyId' failed to satisfy constraint: Member
 * must …", without the value where the shape is sensitive. `code` is the service's
 * ("ValidationException", "ValidationError", "InvalidParameterValue"…). Patterns that a linear-time
 * engine cannot express are skipped at build time and listed by the generator. */
struct err *shape_validate(struct arena *a, const struct shape *s, const void *value,
                           const char *code) MUST_CHECK;

/* Fills an input struct from a JSON tree (names as in the model): CloudFormation and other internal
 * callers. Strings are coerced to numbers and booleans where `coerce`. Unknown members are errors.
 */
struct err *shape_from_json(struct arena *a, const struct shape *s, const struct jv *j, bool coerce,
                            void **out) MUST_CHECK;
/* The reverse: an output struct as a JSON tree with the model's names. */
struct jv *shape_to_json(struct arena *a, const struct shape *s, const void *value);

#endif
