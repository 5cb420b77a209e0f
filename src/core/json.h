/* json.h: JSON (RFC 8259) in and out.
 *
 * Reading: simdjson behind a small C++ shim parses and validates; the result is a plain tree in the
 * arena. Text is UTF-8, valid, and copied into the arena. Duplicate keys are kept in order;
 * jv_get() returns the first. Integers that fit int64_t are JV_INT, other numbers JV_NUM; a number
 * beyond a double's range is an error.
 *
 * Writing: struct jw appends to a buf and places commas and quotes.
 *     struct jw w = jw_to(&buf);
 *     jw_obj(&w); jw_key(&w, "KeyId"); jw_str(&w, id); jw_end(&w);
 *
 * Thread rule: one thread at a time for each tree or writer. */
#ifndef WARD_CORE_JSON_H
#define WARD_CORE_JSON_H

#include "arena.h"
#include "buf.h"

enum jv_type { JV_NULL, JV_BOOL, JV_INT, JV_NUM, JV_STR, JV_ARR, JV_OBJ };

struct jv;
struct jv_member;

struct jv {
    enum jv_type type;
    uint32_t cap; /* room in the array or object, for jv_push and jv_set; 0: what `n` says */
    union {
        bool b;
        int64_t i;
        double d;
        struct str s;
        struct {
            struct jv *v;
            size_t n;
        } arr;
        struct {
            struct jv_member *v;
            size_t n;
        } obj;
    };
};

struct jv_member {
    struct str key;
    struct jv value;
};

/* Containers within containers; "[]" has depth 1. A max_depth above JSON_DEPTH_MAX means
 * JSON_DEPTH_MAX. */
enum { JSON_DEPTH_DEFAULT = 64, JSON_DEPTH_MAX = 128 };

/* Parses one document. Errors: ERR_INVALID (not JSON, with what and where), ERR_LIMIT (deeper than
 * max_depth, or the arena's cap). Integers beyond int64_t become JV_NUM. */
struct err *json_parse(struct arena *a, struct str text, int max_depth, struct jv **out) MUST_CHECK;

/* Reading the tree. Every function accepts NULL and a value of another type, and then answers
 * NULL, STR_NONE, or the default: chains need no checks in between. */
const struct jv *jv_get(const struct jv *obj, const char *key);
const struct jv *jv_get_str(const struct jv *obj, struct str key);
struct str jv_s(const struct jv *v); /* the string, or STR_NONE */
int64_t jv_i(const struct jv *v, int64_t other);
double jv_d(const struct jv *v, double other); /* JV_NUM or JV_INT */
bool jv_b(const struct jv *v, bool other);
bool jv_is(const struct jv *v, enum jv_type t); /* false for NULL */
size_t jv_len(const struct jv *v); /* elements of an array, members of an object, else 0 */
const struct jv *jv_at(const struct jv *arr, size_t i);

/* Building the tree, in an arena. jv_set and jv_push copy the value as it stands (not what hangs
 * below it): complete a container before you put it into another. */
struct jv *jv_new_str(struct arena *a, struct str s);
struct jv *jv_new_int(struct arena *a, int64_t i);
struct jv *jv_new_num(struct arena *a, double d); /* finite */
struct jv *jv_new_bool(struct arena *a, bool b);
struct jv *jv_new_obj(struct arena *a);
struct jv *jv_new_arr(struct arena *a);
void jv_set(struct arena *a, struct jv *obj, struct str key, const struct jv *value); /* or adds */
void jv_push(struct arena *a, struct jv *arr, const struct jv *value);
/* Objects are equal whatever the order of their members, numbers by value (1 and 1.0). */
bool jv_equal(const struct jv *a, const struct jv *b);

/* Deep enough for any tree that json_parse gives, and 64 levels around it. What is deeper marks
 * the buf as over. Using the writer out of order (a value in an object without a key, jw_end too
 * often) is a fault of ours and fails a CHECK. */
enum { JW_DEPTH_MAX = 192, JW_WORDS = JW_DEPTH_MAX / 64 };

struct jw {
    struct buf *b;
    int depth;                    /* open containers */
    uint64_t has_items[JW_WORDS]; /* bit i: the container at depth i + 1 has an item already */
    uint64_t is_obj[JW_WORDS];
    bool after_key;
};

struct jw jw_to(struct buf *b);
void jw_obj(struct jw *w);
void jw_arr(struct jw *w);
void jw_end(struct jw *w); /* ends the innermost container */
void jw_key(struct jw *w, const char *key);
void jw_key_str(struct jw *w, struct str key);
void jw_str(struct jw *w, struct str s); /* STR_NONE writes null; invalid UTF-8 becomes U+FFFD */
void jw_c(struct jw *w, const char *c);
void jw_i64(struct jw *w, int64_t v);

/* The shortest text that reads back the same. Infinities and NaN become the strings that AWS's
 * JSON protocols use: "Infinity", "-Infinity", "NaN". */
void jw_double(struct jw *w, double v);
void jw_bool(struct jw *w, bool v);
void jw_null(struct jw *w);
void jw_raw(struct jw *w, struct str json); /* one ready JSON value */
void jw_value(struct jw *w, const struct jv *v);

/* Compact JSON, NUL-terminated; STR_NONE if it is deeper than JW_DEPTH_MAX or longer than
 * JV_TEXT_MAX. */
enum { JV_TEXT_MAX = 64 * 1024 * 1024 };
struct str jv_text(struct arena *a, const struct jv *v);

/* Key and value at once. */
void jw_ks(struct jw *w, const char *key, struct str s);
void jw_kc(struct jw *w, const char *key, const char *c);
void jw_ki(struct jw *w, const char *key, int64_t v);
void jw_kb(struct jw *w, const char *key, bool v);

#endif
