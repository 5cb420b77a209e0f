/* codec_text.c: scalars as text, for headers, query strings, paths and XML. */
#include "../core/clock.h"
#include "../core/enc.h"
#include "codec_parts.h"

#include <math.h>

static struct err *malformed(const struct shape *s, const char *code, const char *what)
{
    return err_aws(400, code, "A value of type %s is not %s.", s->name, what);
}

/* Every spelling is accepted whatever the format, as SDKs differ: ISO 8601, RFC 9110, seconds. */
static bool parse_time(struct str text, int64_t *out_ms)
{
    double seconds;
    if (time_parse_iso8601(text, out_ms) || time_parse_http(text, out_ms))
        return true;
    if (!str_to_double(text, &seconds) || !(fabs(seconds) < 253402300800.0))
        return false;
    *out_ms = llround(seconds * 1000.0);
    return true;
}

static bool parse_float(struct str text, double *out)
{
    if (str_is(text, "NaN"))
        *out = NAN;
    else if (str_is(text, "Infinity"))
        *out = INFINITY;
    else if (str_is(text, "-Infinity"))
        *out = -INFINITY;
    else
        return str_to_double(text, out);
    return true;
}

struct err *text_decode(struct arena *a, const struct shape *s, enum time_format time,
                        struct str text, const char *code, void *out)
{
    int64_t i;
    double d;
    struct str bytes;
    switch (s->kind) {
    case SH_STRING:
        *(struct str *)out = text.p != NULL ? text : STR("");
        return NULL;
    case SH_BLOB:
        if (!dec_base64(a, str_trim(text), &bytes))
            return malformed(s, code, "valid base64");
        *(struct str *)out = bytes.p != NULL ? bytes : STR("");
        return NULL;
    case SH_BOOL:
        if (!str_is_i(text, "true") && !str_is_i(text, "false"))
            return malformed(s, code, "a boolean; use true or false");
        *(struct opt_bool *)out = some_bool(str_is_i(text, "true"));
        return NULL;
    case SH_INT:
    case SH_LONG:
        if (!str_to_i64(text, s->kind == SH_INT ? INT32_MIN : INT64_MIN,
                        s->kind == SH_INT ? INT32_MAX : INT64_MAX, &i))
            return malformed(s, code, "a whole number in range");
        *(struct opt_int *)out = some_int(i);
        return NULL;
    case SH_FLOAT:
        if (!parse_float(text, &d))
            return malformed(s, code, "a number");
        *(struct opt_num *)out = some_num(d);
        return NULL;
    case SH_TIME:
        if (!parse_time(text, &i))
            return malformed(s, code, "a timestamp");
        *(struct opt_int *)out = some_int(i);
        return NULL;
    default:
        return malformed(s, code, "a simple value");
    }
}

static struct str time_text(struct arena *a, enum time_format time, int64_t ms)
{
    char text[TIME_TEXT_MAX];
    if (time == TIME_UNIX && ms % 1000 == 0)
        return arena_fmt(a, "%lld", (long long)(ms / 1000));
    if (time == TIME_UNIX)
        return arena_fmt(a, "%.3f", (double)ms / 1000.0);
    if (time == TIME_RFC822)
        time_http(ms, text);
    else if (ms % 1000 != 0)
        time_iso8601_ms(ms, text);
    else
        time_iso8601(ms, text);
    return arena_str(a, str_c(text));
}

static struct str float_text(struct arena *a, double v)
{
    if (isnan(v))
        return STR("NaN");
    if (isinf(v))
        return v > 0 ? STR("Infinity") : STR("-Infinity");
    return jv_text(a, &(struct jv){.type = JV_NUM, .d = v});
}

struct str text_encode(struct arena *a, const struct shape *s, enum time_format time, const void *p)
{
    switch (s->kind) {
    case SH_STRING:
        return *(const struct str *)p;
    case SH_BLOB:
        return enc_base64(a, *(const struct str *)p);
    case SH_BOOL:
        return ((const struct opt_bool *)p)->v ? STR("true") : STR("false");
    case SH_INT:
    case SH_LONG:
        return arena_fmt(a, "%lld", (long long)((const struct opt_int *)p)->v);
    case SH_FLOAT:
        return float_text(a, ((const struct opt_num *)p)->v);
    case SH_TIME:
        return time_text(a, time, ((const struct opt_int *)p)->v);
    default:
        return STR("");
    }
}
