/* shape.h: the facts of a service's operations, as const tables made from its model.json.
 *
 * tools/gen_model.py writes, for each room, `NAME_model.h` (typed structs) and `NAME_model.c`
 * (these tables). A codec walks a table and fills the struct; a handler sees only the struct. One C
 * representation for each kind:
 *
 *   SH_STRING, SH_BLOB   struct str; absent: p == NULL. Blobs are decoded bytes.
 *   SH_BOOL              struct opt_bool
 *   SH_INT, SH_LONG      struct opt_int
 *   SH_FLOAT             struct opt_num
 *   SH_TIME              struct opt_int, milliseconds since 1970
 *   SH_STRUCT            member: pointer to the struct, NULL when absent; list element and map
 *                        value: the struct itself, inline. A union is a struct.
 *   SH_LIST              struct { size_t n; T *v; bool set; }
 *   SH_MAP               struct { size_t n; struct { struct str key; T value; } *v; bool set; }
 *   SH_DOC               const struct jv *
 *   SH_STREAM            struct str, always absent: the body goes through call_body (api.h)
 *
 * Everything decoded lives in the request's arena. Tables are immutable: any thread. */
#ifndef WARD_API_SHAPE_H
#define WARD_API_SHAPE_H

#include "../core/json.h"

struct opt_bool {
    bool set, v;
};
struct opt_int {
    bool set;
    int64_t v;
};
struct opt_num {
    bool set;
    double v;
};

/* To set an output in one line: out->Enabled = some_bool(true); */
static inline struct opt_bool some_bool(bool v)
{
    return (struct opt_bool){true, v};
}
static inline struct opt_int some_int(int64_t v)
{
    return (struct opt_int){true, v};
}
static inline struct opt_num some_num(double v)
{
    return (struct opt_num){true, v};
}

/* Any SH_LIST or SH_MAP seen through its shape. (May alias: the codecs use it for every list.) */
struct __attribute__((may_alias)) any_list {
    size_t n;
    void *v;
    bool set;
};

enum shape_kind {
    SH_STRING = 1,
    SH_BLOB,
    SH_BOOL,
    SH_INT,
    SH_LONG,
    SH_FLOAT,
    SH_TIME,
    SH_STRUCT,
    SH_LIST,
    SH_MAP,
    SH_DOC,
    SH_STREAM,
};

enum time_format { TIME_DEFAULT, TIME_ISO8601, TIME_RFC822, TIME_UNIX };

enum member_loc {
    LOC_BODY,
    LOC_URI,
    LOC_QUERY,
    LOC_HEADER,
    LOC_HEADERS, /* a map of every header with the prefix `wire` */
    LOC_STATUS,
};

struct shape;

struct shape_member {
    const char *name;       /* as in AWS's model and in the C struct */
    const char *wire;       /* locationName where it differs, else the same as name */
    const char *query_name; /* ec2: queryName; query: where JSON has another (SQS); or NULL */
    const struct shape *shape;
    const char *xml_ns, *xml_prefix; /* xmlNamespace of the member, or NULL */
    uint32_t offset; /* in the C struct */
    enum member_loc loc;
    enum time_format time;
    bool required;
    bool payload;           /* the HTTP body is this member alone */
    bool xml_attribute;
    bool flattened;
    bool idempotency_token;
    bool host_label;
    bool sensitive;
};

struct shape {
    const char *name;
    enum shape_kind kind;
    uint32_t size;                /* of the C representation (inline form) */
    const struct shape_member *members; /* SH_STRUCT */
    uint32_t n_members;
    const struct shape *elem;     /* SH_LIST: element; SH_MAP: value */
    const struct shape *key;      /* SH_MAP */
    uint32_t item_size;           /* SH_LIST, SH_MAP: size of one item of v */
    uint32_t value_offset;        /* SH_MAP: the value within an item */
    const char *elem_wire;        /* SH_LIST: XML/query element name ("member" by default);
                                     SH_MAP: the value's; NULL: default */
    const char *key_wire;         /* SH_MAP: the key's name ("key" by default) */
    const char *payload;          /* SH_STRUCT: the name of the payload member, or NULL */
    const char *xml_name;         /* SH_STRUCT: root element where given */
    const char *xml_ns, *xml_prefix; /* xmlNamespace uri and prefix, or NULL */
    bool flattened, is_union, is_error, sensitive, boxed_document;
    bool has_min, has_max;        /* string/blob: length; list/map: count; number: value */
    double min, max;
    const char *pattern;          /* as in the model (Java regex syntax), or NULL */
    const unsigned char *pattern_code; /* for pattern_match(), or NULL: not checked */
    const char *const *enums;     /* NULL-terminated, or NULL */
    enum time_format time;
    /* is_error */
    const char *error_code;       /* as sent: the model's error.code or the shape's name */
    int error_status;             /* 0: not given */
    bool sender_fault;
};

struct op_model {
    const char *name;        /* "Encrypt" */
    const char *http_method; /* "POST" */
    const char *http_uri;    /* "/" or "/{Bucket}/{Key+}?acl" */
    int http_status;         /* response code given by the model, or 200 */
    const struct shape *input;  /* NULL: none */
    const struct shape *output; /* NULL: none */
    const char *result_wrapper; /* query: "GetUserResult", or NULL */
    const char *input_xml_name; /* rest-xml: locationName of the input, or NULL */
    const char *input_xml_ns;
    const struct shape *const *errors; /* NULL-terminated */
    bool streaming_input, streaming_output;
    bool checksum_required;  /* httpChecksumRequired */
    const char *checksum_member; /* httpChecksum.requestAlgorithmMember, or NULL */
    uint32_t input_size, output_size; /* sizeof the C structs; 0: none */
};

enum protocol {
    PROTO_JSON10,
    PROTO_JSON11,
    PROTO_REST_JSON,
    PROTO_REST_XML,
    PROTO_QUERY,
    PROTO_EC2,
    PROTO_CBOR, /* understood as far as to refuse it in its own form */
};

/* REST: what leads to an operation, also for those that have no facts here, so that a sub-resource
 * that is not built is never taken for its parent (PUT /bucket?inventory for CreateBucket). */
struct op_need {
    enum member_loc loc; /* LOC_QUERY or LOC_HEADER */
    const char *wire;    /* NULL ends the list */
};
struct op_route {
    const char *name, *http_method, *http_uri;
    const struct op_model *op; /* NULL: no facts */
    const struct op_need *needs; /* required query and header members */
    bool deprecated;
};

struct service_model {
    const char *name;            /* the room: "kms" */
    const char *api_version;     /* "2014-11-01" */
    const char *signing_name;    /* scope of the signature: "kms" */
    const char *endpoint_prefix; /* "kms", "monitoring", … */
    const char *service_id;      /* "KMS" */
    const char *target_prefix;   /* "TrentService", or NULL */
    const char *xml_ns;          /* or NULL */
    const enum protocol *protocols; /* what it speaks, the preferred first */
    uint32_t n_protocols;
    const struct op_model *ops;  /* the operations that have facts, sorted by name */
    uint32_t n_ops;
    const char *const *all_ops;  /* every operation of the service, sorted, NULL-terminated */
    const struct op_route *routes; /* REST protocols: one for each of all_ops */
    uint32_t n_routes;
    bool query_compatible; /* JSON errors carry x-amzn-query-error */
};

const struct op_model *model_op(const struct service_model *m, struct str name); /* or NULL */
bool model_knows(const struct service_model *m, struct str name); /* among all_ops */
const struct shape_member *shape_member(const struct shape *s, struct str name); /* or NULL */

/* A struct member's value: where it is (a pointer into `value`), never NULL. */
const void *shape_at(const struct shape_member *m, const void *value);
/* Whether a value of this shape is present at p (for SH_STRUCT members p points at the pointer). */
bool shape_present(const struct shape *s, const void *p);

/* The value at a dotted path of struct members as a string ("Tagging.Key"); STR_NONE when absent or
 * of another kind. For audit records and conditions. */
struct str shape_str_at(const struct shape *s, const void *value, const char *path);

/* A struct as JSON with the members' names in lower camel case, as CloudTrail writes them; members
 * that are sensitive are written as "HIDDEN_DUE_TO_SECURITY_REASONS", streams and blobs are left
 * out. `only`: names of the top-level members to write, blank-separated; "*" writes all, NULL
 * nothing ({}). */
void shape_record(struct jw *w, const struct shape *s, const void *value, const char *only);
bool shape_listed(const char *only, const char *name); /* whether `only` names it */

#endif
