/* jsonshape.c: JSON to structs and back, for the JSON protocols and for internal callers. */
#include "../core/clock.h"
#include "../core/enc.h"
#include "codec_parts.h"

#include <math.h>

static const char serialization[] = "SerializationException";

/* Seconds that time_parse and the formats can hold: the year 9999. */
static const double seconds_max = 253402300799.0;

static struct err *decode_value(struct arena *a, const struct json_opts *o, const struct shape *s,
                                enum time_format time, const struct jv *j, void *out, int depth);

static struct err *mistyped(const struct shape *s, const struct jv *j)
{
    static const char *const wanted[] = {
        [SH_STRING] = "a String",  [SH_BLOB] = "a Blob",        [SH_BOOL] = "a Boolean",
        [SH_INT] = "an Integer",   [SH_LONG] = "a Long",        [SH_FLOAT] = "a Double",
        [SH_TIME] = "a Timestamp", [SH_STRUCT] = "a structure", [SH_LIST] = "a list",
        [SH_MAP] = "a map",        [SH_DOC] = "a document",     [SH_STREAM] = "a stream"};
    switch (j->type) {
    case JV_ARR:
        return err_aws(400, serialization, "Start of list found where not expected");
    case JV_OBJ:
        return err_aws(400, serialization, "Start of structure or map found where not expected.");
    case JV_NULL:
        return err_aws(400, serialization, "NULL_VALUE can not be converted to %s",
                       wanted[s->kind]);
    case JV_BOOL:
        return err_aws(400, serialization, "%s_VALUE can not be converted to %s",
                       j->b ? "TRUE" : "FALSE", wanted[s->kind]);
    case JV_STR:
        return err_aws(400, serialization, "STRING_VALUE can not be converted to %s",
                       wanted[s->kind]);
    default:
        return err_aws(400, serialization, "NUMBER_VALUE can not be converted to %s",
                       wanted[s->kind]);
    }
}

static struct err *decode_string(struct arena *a, const struct json_opts *o, const struct shape *s,
                                 const struct jv *j, struct str *out)
{
    if (j->type == JV_STR)
        *out = j->s.p != NULL ? j->s : STR("");
    else if (o->coerce && j->type == JV_INT)
        *out = arena_fmt(a, "%lld", (long long)j->i);
    else if (o->coerce && j->type == JV_BOOL)
        *out = j->b ? STR("true") : STR("false");
    else if (o->coerce && j->type == JV_NUM)
        *out = jv_text(a, j);
    else
        return mistyped(s, j);
    return NULL;
}

static struct err *decode_int(const struct json_opts *o, const struct shape *s, const struct jv *j,
                              struct opt_int *out)
{
    int64_t lo = s->kind == SH_INT ? INT32_MIN : INT64_MIN;
    int64_t hi = s->kind == SH_INT ? INT32_MAX : INT64_MAX;
    int64_t v = 0;
    bool ok = false;
    if (j->type == JV_INT) {
        v = j->i;
        ok = v >= lo && v <= hi;
    } else if (j->type == JV_NUM) { /* 5.0 is an integer too */
        ok = j->d == floor(j->d) && fabs(j->d) < 9007199254740992.0;
        v = ok ? (int64_t)j->d : 0;
        ok = ok && v >= lo && v <= hi;
    } else if (j->type == JV_STR && o->coerce) {
        ok = str_to_i64(j->s, lo, hi, &v);
    }
    if (!ok)
        return mistyped(s, j);
    *out = some_int(v);
    return NULL;
}

static struct err *decode_float(const struct json_opts *o, const struct shape *s,
                                const struct jv *j, struct opt_num *out)
{
    double v = 0;
    if (j->type == JV_INT)
        v = (double)j->i;
    else if (j->type == JV_NUM)
        v = j->d;
    else if (j->type == JV_STR && str_is(j->s, "NaN"))
        v = NAN;
    else if (j->type == JV_STR && str_is(j->s, "Infinity"))
        v = INFINITY;
    else if (j->type == JV_STR && str_is(j->s, "-Infinity"))
        v = -INFINITY;
    else if (j->type != JV_STR || !o->coerce || !str_to_double(j->s, &v))
        return mistyped(s, j);
    *out = some_num(v);
    return NULL;
}

/* Numbers are seconds; texts are accepted in both spellings whatever the format, as SDKs differ. */
static struct err *decode_time(const struct json_opts *o, const struct shape *s, const struct jv *j,
                               struct opt_int *out)
{
    double seconds = 0;
    int64_t ms;
    if (j->type == JV_STR) {
        if (time_parse_iso8601(j->s, &ms) || time_parse_http(j->s, &ms)) {
            *out = some_int(ms);
            return NULL;
        }
        if (!o->coerce || !str_to_double(j->s, &seconds))
            return mistyped(s, j);
    } else if (j->type == JV_INT) {
        seconds = (double)j->i;
    } else if (j->type == JV_NUM) {
        seconds = j->d;
    } else {
        return mistyped(s, j);
    }
    if (!(fabs(seconds) <= seconds_max))
        return err_aws(400, serialization, "A timestamp is out of range; use seconds since 1970.");
    *out = some_int(llround(seconds * 1000.0));
    return NULL;
}

static struct err *decode_list(struct arena *a, const struct json_opts *o, const struct shape *s,
                               const struct jv *j, struct any_list *out, int depth)
{
    if (j->type != JV_ARR)
        return mistyped(s, j);
    struct any_list l = {0};
    TRY(list_make(a, s, j->arr.n, serialization, &l));
    for (size_t i = 0; i < l.n; i++) {
        const struct jv *item = &j->arr.v[i];
        if (item->type == JV_NULL && s->elem->kind != SH_STRUCT)
            continue; /* stays absent, which shape_validate() reports */
        TRY(decode_value(a, o, s->elem, s->elem->time, item, (char *)l.v + i * s->item_size,
                         depth));
    }
    *out = l;
    return NULL;
}

static struct err *decode_map(struct arena *a, const struct json_opts *o, const struct shape *s,
                              const struct jv *j, struct any_list *out, int depth)
{
    if (j->type != JV_OBJ)
        return mistyped(s, j);
    struct any_list l = {0};
    TRY(list_make(a, s, j->obj.n, serialization, &l));
    l.n = 0;
    for (size_t i = 0; i < j->obj.n; i++) {
        if (j->obj.v[i].value.type == JV_NULL)
            continue; /* as if it were not there: maps are not sparse */
        char *item = (char *)l.v + l.n++ * s->item_size;
        struct str key = j->obj.v[i].key;
        *(struct str *)item = key.p != NULL ? key : STR("");
        TRY(decode_value(a, o, s->elem, s->elem->time, &j->obj.v[i].value, item + s->value_offset,
                         depth));
    }
    map_last_wins(s, &l);
    *out = l;
    return NULL;
}

static const struct shape_member *find_member(const struct json_opts *o, const struct shape *s,
                                              struct str key)
{
    for (uint32_t i = 0; i < s->n_members; i++) {
        const struct shape_member *m = &s->members[i];
        if (o->body && m->loc != LOC_BODY)
            continue;
        if (str_is(key, o->wire ? m->wire : m->name))
            return m;
    }
    return NULL;
}

static struct err *decode_struct(struct arena *a, const struct json_opts *o, const struct shape *s,
                                 const struct jv *j, void *out, int depth)
{
    if (j->type != JV_OBJ)
        return mistyped(s, j);
    struct json_opts inner = *o;
    inner.body = false; /* bindings count at the top only */
    uint32_t found = 0;
    for (size_t i = 0; i < j->obj.n; i++) {
        const struct jv *v = &j->obj.v[i].value;
        const struct shape_member *m = find_member(o, s, j->obj.v[i].key);
        if (m == NULL && o->strict)
            return err_aws(400, "ValidationException", "%s has no member of the name \"%.60s\".",
                           s->name, arena_cstr(a, j->obj.v[i].key));
        if (m == NULL || v->type == JV_NULL || m->shape->kind == SH_STREAM)
            continue;
        found++;
        enum time_format time = m->time;
        TRY(decode_value(a, &inner, m->shape, time, v, member_slot(a, m, out), depth));
    }
    if (s->is_union && found > 1)
        return err_aws(400, serialization, "%s is a union; give one of its members only.", s->name);
    return arena_check(a);
}

static struct err *decode_value(struct arena *a, const struct json_opts *o, const struct shape *s,
                                enum time_format time, const struct jv *j, void *out, int depth)
{
    if (depth >= CODEC_DEPTH_MAX)
        return err_aws(400, serialization, "The input is nested too deeply.");
    switch (s->kind) {
    case SH_STRING:
        return decode_string(a, o, s, j, out);
    case SH_BLOB:
        if (j->type != JV_STR)
            return mistyped(s, j);
        struct str bytes;
        if (!dec_base64(a, j->s, &bytes))
            return err_aws(400, serialization, "A blob is not valid base64.");
        *(struct str *)out = bytes.p != NULL ? bytes : STR("");
        return NULL;
    case SH_BOOL:
        if (j->type == JV_BOOL)
            *(struct opt_bool *)out = some_bool(j->b);
        else if (o->coerce && j->type == JV_STR && (str_is_i(j->s, "true")))
            *(struct opt_bool *)out = some_bool(true);
        else if (o->coerce && j->type == JV_STR && (str_is_i(j->s, "false")))
            *(struct opt_bool *)out = some_bool(false);
        else
            return mistyped(s, j);
        return NULL;
    case SH_INT:
    case SH_LONG:
        return decode_int(o, s, j, out);
    case SH_FLOAT:
        return decode_float(o, s, j, out);
    case SH_TIME:
        return decode_time(o, s, j, out);
    case SH_LIST:
        return decode_list(a, o, s, j, out, depth + 1);
    case SH_MAP:
        return decode_map(a, o, s, j, out, depth + 1);
    case SH_STRUCT:
        return decode_struct(a, o, s, j, out, depth + 1);
    case SH_DOC:
        *(any_ptr *)out = (void *)(uintptr_t)j; /* held as const in the struct */
        return NULL;
    case SH_STREAM:
        return mistyped(s, j);
    }
    return NULL;
}

struct err *json_decode_struct(struct arena *a, const struct json_opts *o, const struct shape *s,
                               const struct jv *j, void *out)
{
    return decode_struct(a, o, s, j, out, 0);
}

struct err *json_decode_any(struct arena *a, const struct json_opts *o,
                            const struct shape_member *m, const struct jv *j, void *slot)
{
    return decode_value(a, o, m->shape, m->time, j, slot, 0);
}

/* --- writing */

static void encode_value(struct jw *w, const struct json_opts *o, const struct shape *s,
                         enum time_format time, const void *p, int depth);

static void encode_time(struct jw *w, enum time_format time, int64_t ms)
{
    char text[TIME_TEXT_MAX];
    if (time == TIME_ISO8601) {
        if (ms % 1000 != 0)
            time_iso8601_ms(ms, text);
        else
            time_iso8601(ms, text);
        jw_c(w, text);
    } else if (time == TIME_RFC822) {
        time_http(ms, text);
        jw_c(w, text);
    } else if (ms % 1000 == 0) {
        jw_i64(w, ms / 1000);
    } else {
        int64_t rest = ms % 1000;
        int n = snprintf(text, sizeof text, "%s%lld.%03d", ms < 0 && ms > -1000 ? "-" : "",
                         (long long)(ms / 1000), (int)(rest < 0 ? -rest : rest));
        jw_raw(w, str_of(text, (size_t)n));
    }
}

static void encode_float(struct jw *w, double v)
{
    if (isnan(v))
        jw_c(w, "NaN");
    else if (isinf(v))
        jw_c(w, v > 0 ? "Infinity" : "-Infinity");
    else
        jw_double(w, v);
}

static void encode_blob(struct jw *w, struct str bytes)
{
    struct buf text = BUF_INIT(bytes.n / 3 * 4 + 16);
    buf_char(&text, '"');
    enc_base64_into(&text, bytes);
    buf_char(&text, '"');
    jw_raw(w, buf_view(&text));
    buf_clear(&text);
}

static void encode_items(struct jw *w, const struct json_opts *o, const struct shape *s,
                         const struct any_list *l, int depth)
{
    if (s->kind == SH_LIST)
        jw_arr(w);
    else
        jw_obj(w);
    for (size_t i = 0; i < l->n; i++) {
        const char *item = list_item(s, l, i);
        if (s->kind == SH_MAP)
            jw_key_str(w, *(const struct str *)item);
        encode_value(w, o, s->elem, s->elem->time, item + s->value_offset, depth);
    }
    jw_end(w);
}

static void encode_struct(struct jw *w, const struct json_opts *o, const struct shape *s,
                          const void *p, int depth)
{
    struct json_opts inner = *o;
    inner.body = false;
    jw_obj(w);
    for (uint32_t i = 0; i < s->n_members; i++) {
        const struct shape_member *m = &s->members[i];
        const void *v = member_value(m, p);
        if (v == NULL || m->shape->kind == SH_STREAM || (o->body && m->loc != LOC_BODY))
            continue;
        jw_key(w, o->wire ? m->wire : m->name);
        encode_value(w, &inner, m->shape, m->time, v, depth);
    }
    jw_end(w);
}

static void encode_value(struct jw *w, const struct json_opts *o, const struct shape *s,
                         enum time_format time, const void *p, int depth)
{
    if (depth >= CODEC_DEPTH_MAX || !value_present(s, p)) {
        jw_null(w);
        return;
    }
    switch (s->kind) {
    case SH_STRING:
        jw_str(w, *(const struct str *)p);
        break;
    case SH_BLOB:
        encode_blob(w, *(const struct str *)p);
        break;
    case SH_BOOL:
        jw_bool(w, ((const struct opt_bool *)p)->v);
        break;
    case SH_INT:
    case SH_LONG:
        jw_i64(w, ((const struct opt_int *)p)->v);
        break;
    case SH_FLOAT:
        encode_float(w, ((const struct opt_num *)p)->v);
        break;
    case SH_TIME:
        encode_time(w, o->wire ? time : TIME_UNIX, ((const struct opt_int *)p)->v);
        break;
    case SH_LIST:
    case SH_MAP:
        encode_items(w, o, s, p, depth + 1);
        break;
    case SH_STRUCT:
        encode_struct(w, o, s, p, depth + 1);
        break;
    case SH_DOC:
        jw_value(w, *(const any_ptr *)p);
        break;
    case SH_STREAM:
        jw_null(w);
        break;
    }
}

void json_encode_struct(struct jw *w, const struct json_opts *o, const struct shape *s,
                        const void *p)
{
    encode_struct(w, o, s, p, 0);
}

/* --- internal callers */

struct err *shape_from_json(struct arena *a, const struct shape *s, const struct jv *j, bool coerce,
                            void **out)
{
    struct json_opts o = {.coerce = coerce, .strict = true};
    void *value = arena_alloc(a, s->size);
    TRY(decode_struct(a, &o, s, j, value, 0));
    *out = value;
    return NULL;
}

struct jv *shape_to_json(struct arena *a, const struct shape *s, const void *value)
{
    enum { TEXT_MAX = 64 * 1024 * 1024 };
    if (s == NULL || value == NULL)
        return jv_new_obj(a);
    struct buf text = BUF_INIT(TEXT_MAX);
    struct jw w = jw_to(&text);
    encode_struct(&w, &(struct json_opts){0}, s, value, 0);
    struct jv *out = jv_new_obj(a);
    if (buf_ok(&text)) {
        struct err *e = json_parse(a, buf_view(&text), JSON_DEPTH_DEFAULT, &out);
        err_free(e); /* past the arena's cap, which the pipeline sees: an empty object */
    }
    buf_clear(&text);
    return out;
}
