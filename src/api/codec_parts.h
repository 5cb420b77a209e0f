/* codec_parts.h: what the files of the codecs share; nobody else includes it.
 *
 * A value is handled in its inline form (shape.h): `void *p` points at the representation. A struct
 * member of kind SH_STRUCT holds a pointer; member_slot() and member_value() hide that. */
#ifndef WARD_API_CODEC_PARTS_H
#define WARD_API_CODEC_PARTS_H

#include "codec.h"

typedef void *__attribute__((may_alias)) any_ptr; /* a struct member's pointer to its struct */

/* Where to decode a member to: allocates the struct that the member points at. */
void *member_slot(struct arena *a, const struct shape_member *m, void *value);
/* The inline form of a member to encode, or NULL when absent. */
const void *member_value(const struct shape_member *m, const void *value);
/* Whether the inline form at p holds a value (a struct always does). */
bool value_present(const struct shape *s, const void *p);

/* The items of a list or map. */
static inline const void *list_item(const struct shape *s, const struct any_list *l, size_t i)
{
    return (const char *)l->v + i * s->item_size;
}
/* Makes a list of n items; ERR_LIMIT. */
struct err *list_make(struct arena *a, const struct shape *s, size_t n, const char *code,
                      struct any_list *out) MUST_CHECK;

/* Of the entries of a map with the same key the last one counts, as for AWS: a policy must not read
 * one of them and a handler another. */
void map_last_wins(const struct shape *s, struct any_list *map);

struct json_opts {
    bool wire;   /* names as on the wire, else the model's */
    bool coerce; /* strings to numbers and so on */
    bool strict; /* unknown members are errors */
    bool body;   /* only members that are bound to the body */
};

struct err *json_decode_struct(struct arena *a, const struct json_opts *o, const struct shape *s,
                               const struct jv *j, void *out) MUST_CHECK;
struct err *json_decode_any(struct arena *a, const struct json_opts *o,
                            const struct shape_member *m, const struct jv *j,
                            void *slot) MUST_CHECK;
void json_encode_struct(struct jw *w, const struct json_opts *o, const struct shape *s,
                        const void *p);

/* Text forms shared by headers, query, path and XML. */
struct err *text_decode(struct arena *a, const struct shape *s, enum time_format time,
                        struct str text, const char *code, void *out) MUST_CHECK;
struct str text_encode(struct arena *a, const struct shape *s, enum time_format time,
                       const void *p);

/* XML: bodies of rest-xml, responses of query and ec2. */
struct xml_opts {
    bool query_name; /* the query protocol: members go by their query name (SQS) */
};
struct err *xml_decode_struct(struct arena *a, const struct shape *s, const struct xml *x,
                              void *out, int depth) MUST_CHECK;
void xml_encode_members(struct arena *a, struct xw *w, const struct xml_opts *o,
                        const struct shape *s, const void *p);
void xml_encode_member(struct arena *a, struct xw *w, const struct xml_opts *o,
                       const struct shape_member *m, const void *value, int depth);

/* HTTP bindings of the REST protocols. */
struct err *rest_decode_bindings(struct arena *a, const struct shape *s,
                                 const struct wire_request *r, const char *code,
                                 void *out) MUST_CHECK;
struct err *rest_encode_bindings(struct arena *a, const struct shape *s, const void *output,
                                 struct wire_response *out) MUST_CHECK;
const struct shape_member *payload_member(const struct shape *s);

struct err *query_decode(struct arena *a, const struct shape *s, const struct wire_request *r,
                         bool ec2, void *out) MUST_CHECK;

#endif
