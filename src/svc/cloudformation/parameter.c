/* Parameters: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html */
#include "template.h"

#include <stdarg.h>

enum param_kind { PARAM_STRING = 1, PARAM_NUMBER, PARAM_NUMBERS, PARAM_LIST };

/* AWS's own types. That what they name exists is not checked here: the resource will tell. */
static bool is_specific(struct str type, bool list)
{
    static const char *const types[] = {
        "AWS::EC2::AvailabilityZone::Name", "AWS::EC2::Image::Id",      "AWS::EC2::Instance::Id",
        "AWS::EC2::SecurityGroup::GroupName", "AWS::EC2::SecurityGroup::Id", "AWS::EC2::Subnet::Id",
        "AWS::EC2::VPC::Id", "AWS::EC2::Volume::Id", "AWS::Route53::HostedZone::Id"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_is(type, types[i]))
            return true;
    return !list && str_is(type, "AWS::EC2::KeyPair::KeyName");
}

static struct err *kind_of(struct str name, const struct jv *def, enum param_kind *out)
{
    struct str type = jv_s(jv_get(def, "Type"));
    if (type.p == NULL)
        return template_error("Template format error: Every Parameters object must contain a Type "
                              "member.");
    if (str_starts_c(type, "AWS::SSM::Parameter::"))
        return err_aws(501, "NotImplemented",
                       "The parameter type of %.*s (from Systems Manager) is not built in this "
                       "version of Ward.", STR_ARG(name));
    struct str inner = type;
    bool list = str_starts_c(type, "List<") && str_ends_c(type, ">");
    if (list)
        inner = str_take(str_skip(type, 5), type.n - 6);
    if (str_is(type, "String"))
        *out = PARAM_STRING;
    else if (str_is(type, "Number"))
        *out = PARAM_NUMBER;
    else if (str_is(type, "List<Number>"))
        *out = PARAM_NUMBERS;
    else if (str_is(type, "CommaDelimitedList"))
        *out = PARAM_LIST;
    else if (is_specific(inner, list))
        *out = list ? PARAM_LIST : PARAM_STRING;
    else
        return template_error("Template format error: Unrecognized parameter type: %.*s",
                              (int)(type.n < 100 ? type.n : 100), type.p);
    return NULL;
}

struct err *template_param_defs(const struct template *t)
{
    static const char *const known[] = {
        "Type",     "Default",  "AllowedValues", "AllowedPattern",        "MinLength", "MaxLength",
        "MinValue", "MaxValue", "Description",   "ConstraintDescription", "NoEcho"};
    for (size_t i = 0; i < jv_len(t->parameters); i++) {
        const struct jv_member *m = &t->parameters->obj.v[i];
        const struct jv *standard = jv_get(&m->value, "Default");
        enum param_kind kind;
        TRY(kind_of(m->key, &m->value, &kind));
        for (size_t k = 0; k < m->value.obj.n; k++) {
            struct str name = m->value.obj.v[k].key;
            bool ok = false;
            for (size_t j = 0; j < ARRAY_LEN(known); j++)
                ok = ok || str_is(name, known[j]);
            if (!ok)
                return template_error("Invalid template parameter property '%.*s'",
                                      (int)(name.n < 100 ? name.n : 100), name.p);
        }
        if (standard != NULL && (standard->type == JV_NULL || standard->type == JV_OBJ ||
                                 standard->type == JV_ARR))
            return template_error("Template format error: Every Default member must be a string.");
    }
    return NULL;
}

bool template_no_echo(const struct template *t, struct str parameter)
{
    const struct jv *v = jv_get(jv_get_str(t->parameters, parameter), "NoEcho");
    return jv_b(v, false) || str_is_i(jv_s(v), "true");
}

struct str template_param_text(struct arena *a, const struct jv *value)
{
    if (!jv_is(value, JV_ARR))
        return template_scalar(a, value);
    struct buf b CLEANUP(buf_clear) = BUF_INIT(TEMPLATE_STRING_MAX);
    for (size_t i = 0; i < value->arr.n; i++) {
        if (i > 0)
            buf_char(&b, ',');
        buf_str(&b, template_scalar(a, &value->arr.v[i]));
    }
    struct str s = arena_str(a, buf_view(&b));
    return s.p != NULL ? s : STR("");
}

static struct err *constraint(struct str name, const struct jv *def, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
static struct err *constraint(struct str name, const struct jv *def, const char *fmt, ...)
{
    char text[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct str said = jv_s(jv_get(def, "ConstraintDescription"));
    if (said.n > 0)
        return template_error("Parameter %.*s failed to satisfy constraint: %.*s", STR_ARG(name),
                              (int)(said.n < 300 ? said.n : 300), said.p);
    return template_error("Parameter '%.*s' %s", STR_ARG(name), text);
}

static struct err *check_allowed(struct arena *a, struct str name, const struct jv *def,
                                 struct str v)
{
    const struct jv *allowed = jv_get(def, "AllowedValues");
    if (allowed == NULL)
        return NULL;
    for (size_t i = 0; i < jv_len(allowed); i++)
        if (jv_is(allowed, JV_ARR) && str_eq(template_scalar(a, &allowed->arr.v[i]), v))
            return NULL;
    return constraint(name, def, "must be one of AllowedValues");
}

static struct err *check_text(struct arena *a, struct str name, const struct jv *def, struct str v)
{
    int64_t n, length = (int64_t)str_utf8_count(v);
    if (str_to_i64(template_scalar(a, jv_get(def, "MinLength")), 0, INT32_MAX, &n) && length < n)
        return constraint(name, def, "must contain at least %lld characters", (long long)n);
    if (str_to_i64(template_scalar(a, jv_get(def, "MaxLength")), 0, INT32_MAX, &n) && length > n)
        return constraint(name, def, "must contain at most %lld characters", (long long)n);
    struct str pattern = jv_s(jv_get(def, "AllowedPattern"));
    bool bad = false;
    if (pattern.p == NULL || pattern_fits(pattern, v, &bad))
        return NULL;
    if (bad)
        return template_error("Template format error: the AllowedPattern of %.*s is not one that "
                              "Ward can check (POSIX extended syntax, \\d \\w \\s, (?:…), of "
                              "moderate size).", STR_ARG(name));
    return constraint(name, def, "must match pattern %.*s",
                      (int)(pattern.n < 200 ? pattern.n : 200), pattern.p);
}

static struct err *check_number(struct arena *a, struct str name, const struct jv *def,
                                struct str v)
{
    double d, limit;
    if (!str_to_double(v, &d))
        return template_error("Parameter '%.*s' must be a number.", STR_ARG(name));
    if (str_to_double(template_scalar(a, jv_get(def, "MinValue")), &limit) && d < limit)
        return constraint(name, def, "must be a number not less than %g", limit);
    if (str_to_double(template_scalar(a, jv_get(def, "MaxValue")), &limit) && d > limit)
        return constraint(name, def, "must be a number not greater than %g", limit);
    return NULL;
}

static struct err *check_one(struct arena *a, struct str name, const struct jv *def,
                             enum param_kind kind, struct str v)
{
    TRY(check_allowed(a, name, def, v));
    if (kind == PARAM_NUMBER || kind == PARAM_NUMBERS)
        return check_number(a, name, def, v);
    return check_text(a, name, def, v);
}

static struct err *value_of(struct arena *a, struct str name, const struct jv *def, struct str text,
                            struct jv **out)
{
    enum param_kind kind;
    TRY(kind_of(name, def, &kind));
    if (text.n > PARAMETER_VALUE_MAX)
        return template_error("Parameter '%.*s' must be at most %d bytes long.", STR_ARG(name),
                              PARAMETER_VALUE_MAX);
    if (kind == PARAM_STRING || kind == PARAM_NUMBER) {
        TRY(check_one(a, name, def, kind, text));
        *out = jv_new_str(a, text);
        return NULL;
    }
    struct jv *list = jv_new_arr(a);
    for (struct str rest = text.n > 0 ? text : STR_NONE; rest.p != NULL;) {
        struct str item = str_trim(str_cut(&rest, ','));
        TRY(check_one(a, name, def, kind, item));
        jv_push(a, list, jv_new_str(a, item));
    }
    *out = list;
    return NULL;
}

static struct err *check_given(struct arena *a, const struct template *t, const struct jv *given)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(400);
    for (size_t i = 0; i < jv_len(given); i++)
        if (jv_get_str(t->parameters, given->obj.v[i].key) == NULL)
            buf_fmt(&b, "%s%.*s", b.n > 0 ? ", " : "", STR_ARG(given->obj.v[i].key));
    if (b.n == 0 && !b.over)
        return NULL;
    return template_error("Parameters: [%s] do not exist in the template",
                          arena_cstr(a, buf_view(&b)));
}

struct err *template_params(struct arena *a, const struct template *t, const struct jv *given,
                            const struct jv *former, const struct jv *keep, struct jv **out)
{
    TRY(check_given(a, t, given));
    TRY(check_given(a, t, keep));
    struct jv *made = jv_new_obj(a);
    struct buf missing CLEANUP(buf_clear) = BUF_INIT(400);
    for (size_t i = 0; i < jv_len(t->parameters); i++) {
        struct str name = t->parameters->obj.v[i].key;
        const struct jv *def = &t->parameters->obj.v[i].value, *old = jv_get_str(former, name);
        struct str text = jv_s(jv_get_str(given, name));
        if (text.p == NULL && old != NULL && jv_get_str(keep, name) != NULL)
            text = template_param_text(a, old);
        if (text.p == NULL)
            text = template_scalar(a, jv_get(def, "Default"));
        if (text.p == NULL) {
            buf_fmt(&missing, "%s%.*s", missing.n > 0 ? ", " : "", STR_ARG(name));
            continue;
        }
        struct jv *v;
        TRY(value_of(a, name, def, text, &v));
        jv_set(a, made, name, v);
    }
    if (missing.n > 0 || missing.over)
        return template_error("Parameters: [%s] must have values",
                              arena_cstr(a, buf_view(&missing)));
    *out = made;
    return NULL;
}
