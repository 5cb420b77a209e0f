/* Filter policies: checked once when they are set, then walked as trees. */
#include "filter.h"

#include <arpa/inet.h>

/* -- checking ---------------------------------------------------------------------------------- */

struct check {
    enum filter_scope scope;
    size_t keys;
    double combinations;
};

static struct err *bad(const char *what)
{
    return err_new(ERR_INVALID, "%s", what);
}

static bool is_scalar(const struct jv *v)
{
    return v->type != JV_ARR && v->type != JV_OBJ;
}

static bool is_number(const struct jv *v)
{
    return jv_is(v, JV_INT) || jv_is(v, JV_NUM);
}

static struct err *check_number(const struct jv *v)
{
    double d = jv_d(v, 0);
    return !is_number(v) || (d >= -1e9 && d <= 1e9)
               ? NULL
               : bad("Value must be between -1.0E9 and 1.0E9, inclusive");
}

static struct err *check_wildcard(const struct jv *v)
{
    size_t stars = 0;
    struct str s = jv_s(v);
    if (s.p == NULL)
        return bad("wildcard match pattern must be a string");
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\') {
            if (i + 1 == s.n || (s.p[i + 1] != '*' && s.p[i + 1] != '\\'))
                return bad("Invalid escape character in wildcard pattern");
            i++;
        } else if (s.p[i] == '*') {
            stars++;
            if (i + 1 < s.n && s.p[i + 1] == '*')
                return bad("Consecutive wildcard characters in wildcard pattern");
        }
    }
    return stars <= FILTER_WILDCARDS_MAX
               ? NULL
               : bad("Rule is too complex - try using fewer wildcard characters");
}

/* {"prefix": "a"} or {"prefix": {"equals-ignore-case": "a"}} */
static struct err *check_affix(const struct jv *v)
{
    if (jv_is(v, JV_OBJ) && jv_len(v) == 1 && jv_get(v, "equals-ignore-case") != NULL)
        v = jv_get(v, "equals-ignore-case");
    return jv_is(v, JV_STR) ? NULL : bad("prefix and suffix match patterns must be strings");
}

struct cidr {
    int bits, size; /* size: 4 or 16 bytes */
    unsigned char address[16];
};

static bool address_parse(struct str s, unsigned char out[16], int *out_size)
{
    char text[INET6_ADDRSTRLEN + 1];
    if (s.n == 0 || s.n >= sizeof text || memchr(s.p, 0, s.n) != NULL)
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    *out_size = strchr(text, ':') != NULL ? 16 : 4;
    return inet_pton(*out_size == 16 ? AF_INET6 : AF_INET, text, out) == 1;
}

static bool cidr_parse(struct str s, struct cidr *out)
{
    ptrdiff_t slash = str_find_char(s, '/');
    struct str head = slash < 0 ? s : str_take(s, (size_t)slash);
    int64_t bits = 0;
    if (!address_parse(head, out->address, &out->size))
        return false;
    bits = out->size * 8;
    if (slash >= 0 && !str_to_i64(str_skip(s, (size_t)slash + 1), 0, out->size * 8, &bits))
        return false;
    out->bits = (int)bits;
    return true;
}

static bool is_lower(struct str op)
{
    return str_is(op, ">") || str_is(op, ">=");
}

static bool is_upper(struct str op)
{
    return str_is(op, "<") || str_is(op, "<=");
}

/* ["=", n], [op, n] or a range: lower bound first. */
static struct err *check_numeric(const struct jv *v)
{
    size_t n = jv_len(v);
    if (!jv_is(v, JV_ARR) || (n != 2 && n != 4))
        return bad("Value of numeric must be an array of one or two operators with their numbers");
    for (size_t i = 0; i < n; i += 2) {
        struct str op = jv_s(jv_at(v, i));
        if (!str_is(op, "=") && !is_lower(op) && !is_upper(op))
            return bad("Unrecognized numeric range operator");
        if (!is_number(jv_at(v, i + 1)))
            return bad("Value of numeric operator must be a number");
        TRY(check_number(jv_at(v, i + 1)));
    }
    if (n == 2)
        return NULL;
    if (!is_lower(jv_s(jv_at(v, 0))) || !is_upper(jv_s(jv_at(v, 2))))
        return bad("Bad numeric range: a lower bound and then an upper bound are needed");
    return jv_d(jv_at(v, 1), 0) < jv_d(jv_at(v, 3), 0)
               ? NULL
               : bad("Bottom must be less than top");
}

static struct err *check_but_pattern(struct str kind, const struct jv *v)
{
    bool wildcard = str_is(kind, "wildcard");
    if (!wildcard && !str_is(kind, "prefix") && !str_is(kind, "suffix") &&
        !str_is(kind, "equals-ignore-case"))
        return bad("Unsupported anything-but pattern");
    size_t n = jv_is(v, JV_ARR) ? jv_len(v) : 1;
    if (n == 0)
        return bad("anything-but needs at least one value");
    for (size_t i = 0; i < n; i++) {
        const struct jv *x = jv_is(v, JV_ARR) ? jv_at(v, i) : v;
        if (!jv_is(x, JV_STR) || (x->s.n == 0 && !str_is(kind, "equals-ignore-case")))
            return bad("anything-but patterns must be texts that are not empty");
        if (wildcard)
            TRY(check_wildcard(x));
    }
    return NULL;
}

static struct err *check_but(const struct jv *v)
{
    if (jv_is(v, JV_OBJ))
        return jv_len(v) == 1 ? check_but_pattern(v->obj.v[0].key, &v->obj.v[0].value)
                              : bad("anything-but takes exactly one pattern");
    size_t n = jv_is(v, JV_ARR) ? jv_len(v) : 1;
    if (n == 0)
        return bad("anything-but needs at least one value");
    for (size_t i = 0; i < n; i++) {
        const struct jv *x = jv_is(v, JV_ARR) ? jv_at(v, i) : v;
        if (!jv_is(x, JV_STR) && !is_number(x))
            return bad("Inside anything-but list, start|null|boolean is not supported.");
        TRY(check_number(x));
    }
    return NULL;
}

static struct err *check_condition(const struct jv *v)
{
    struct cidr cidr;
    if (is_scalar(v))
        return check_number(v);
    if (v->type != JV_OBJ)
        return bad("Match value must be String, number, true, false, or null");
    if (jv_len(v) != 1)
        return bad("Only one key allowed in match expression");
    struct str kind = v->obj.v[0].key;
    const struct jv *arg = &v->obj.v[0].value;
    if (str_is(kind, "prefix") || str_is(kind, "suffix"))
        return check_affix(arg);
    if (str_is(kind, "equals-ignore-case"))
        return jv_is(arg, JV_STR) ? NULL : bad("equals-ignore-case match pattern must be a string");
    if (str_is(kind, "wildcard"))
        return check_wildcard(arg);
    if (str_is(kind, "cidr"))
        return jv_is(arg, JV_STR) && cidr_parse(arg->s, &cidr) ? NULL : bad("Malformed CIDR");
    if (str_is(kind, "numeric"))
        return check_numeric(arg);
    if (str_is(kind, "exists"))
        return jv_is(arg, JV_BOOL) ? NULL
                                   : bad("exists match pattern must be either true or false.");
    if (str_is(kind, "anything-but"))
        return check_but(arg);
    return bad("Unrecognized match type");
}

static struct err *check_object(struct check *k, const struct jv *o, int depth);

/* "$or" is an operator when it lists at least two objects, else a key like others. */
static bool is_or(struct str key, const struct jv *v)
{
    if (!str_is(key, "$or") || !jv_is(v, JV_ARR) || jv_len(v) < 2)
        return false;
    for (size_t i = 0; i < jv_len(v); i++)
        if (!jv_is(jv_at(v, i), JV_OBJ))
            return false;
    return true;
}

static struct err *check_or(struct check *k, const struct jv *v, int depth)
{
    double before = k->combinations, sum = 0;
    size_t keys = k->keys, most = keys;
    for (size_t i = 0; i < jv_len(v); i++) {
        k->combinations = before;
        k->keys = keys;
        TRY(check_object(k, jv_at(v, i), depth));
        sum += k->combinations;
        most = k->keys > most ? k->keys : most;
    }
    k->combinations = sum;
    k->keys = most;
    return NULL;
}

static struct err *check_leaf(struct check *k, const struct jv *v, int depth)
{
    if (jv_len(v) == 0)
        return bad("Empty arrays are not allowed");
    for (size_t i = 0; i < jv_len(v); i++)
        TRY(check_condition(jv_at(v, i)));
    k->keys++;
    k->combinations *= (double)jv_len(v) * (k->scope == FILTER_BODY ? depth : 1);
    return NULL;
}

static struct err *check_object(struct check *k, const struct jv *o, int depth)
{
    if (jv_len(o) == 0 && depth > 1)
        return bad("Empty objects are not allowed");
    if (depth > FILTER_DEPTH_MAX)
        return bad("The policy nests too deeply");
    for (size_t i = 0; i < jv_len(o); i++) {
        const struct jv *v = &o->obj.v[i].value;
        if (is_or(o->obj.v[i].key, v))
            TRY(check_or(k, v, depth));
        else if (v->type == JV_ARR)
            TRY(check_leaf(k, v, depth));
        else if (v->type != JV_OBJ)
            return bad("A key's value must be an object or an array");
        else if (k->scope == FILTER_ATTRIBUTES)
            return bad("Filter policy scope MessageAttributes does not support nested filter "
                       "policy");
        else
            TRY(check_object(k, v, depth + 1));
    }
    return NULL;
}

struct err *filter_parse(struct arena *a, struct str text, enum filter_scope scope, struct jv **out)
{
    struct jv *policy = NULL;
    struct check k = {.scope = scope, .combinations = 1};
    if (text.n > FILTER_TEXT_MAX)
        return bad("Filter policy is larger than 256 KB");
    struct err *e = json_parse(a, text, FILTER_DEPTH_MAX * 2, &policy);
    if (e != NULL) {
        err_free(e);
        return bad("failed to parse JSON.");
    }
    if (policy->type != JV_OBJ)
        return bad("Filter is not an object");
    TRY(check_object(&k, policy, 1));
    if (k.keys > FILTER_KEYS_MAX)
        return bad("Filter policy can not have more than 5 keys");
    if (k.combinations > FILTER_COMBINATIONS_MAX)
        return bad("Filter policy is too complex");
    *out = policy;
    return NULL;
}

/* -- conditions on one value ------------------------------------------------------------------- */

/* '*' stands for any text, "\*" for a star, "\\" for a backslash. Going back only to the last star
 * is enough, so the time is at most the product of the lengths. */
static bool wildcard_match(struct str p, struct str s)
{
    size_t i = 0, j = 0, star = SIZE_MAX, mark = 0;
    while (j < s.n) {
        if (i < p.n && p.p[i] == '*') {
            star = i++;
            mark = j;
            continue;
        }
        size_t width = i + 1 < p.n && p.p[i] == '\\' ? 2 : 1;
        if (i < p.n && p.p[i + width - 1] == s.p[j]) {
            i += width;
            j++;
        } else if (star != SIZE_MAX) {
            i = star + 1;
            j = ++mark;
        } else {
            return false;
        }
    }
    while (i < p.n && p.p[i] == '*')
        i++;
    return i == p.n;
}

static bool affix_match(struct str kind, const struct jv *arg, struct str s)
{
    bool fold = jv_is(arg, JV_OBJ);
    struct str x = fold ? jv_s(jv_get(arg, "equals-ignore-case")) : jv_s(arg);
    if (x.n > s.n)
        return false;
    struct str part = str_is(kind, "prefix") ? str_take(s, x.n) : str_skip(s, s.n - x.n);
    return fold ? str_ieq(part, x) : str_eq(part, x);
}

static bool cidr_match(struct str block, struct str s)
{
    struct cidr c;
    unsigned char at[16];
    int size;
    if (!cidr_parse(block, &c) || !address_parse(s, at, &size) || size != c.size)
        return false;
    size_t whole = (size_t)c.bits / 8;
    int rest = c.bits % 8;
    if (memcmp(at, c.address, whole) != 0)
        return false;
    unsigned mask = 0xffu << (8 - rest) & 0xffu;
    return rest == 0 || (at[whole] & mask) == (c.address[whole] & mask);
}

static bool compare(struct str op, double x, double y)
{
    return str_is(op, "=")    ? x == y
           : str_is(op, "<")  ? x < y
           : str_is(op, "<=") ? x <= y
           : str_is(op, ">")  ? x > y
                              : x >= y;
}

static bool numeric_match(const struct jv *ops, double v)
{
    for (size_t i = 0; i + 1 < jv_len(ops); i += 2)
        if (!compare(jv_s(jv_at(ops, i)), v, jv_d(jv_at(ops, i + 1), 0)))
            return false;
    return true;
}

static bool text_match(struct str kind, const struct jv *arg, struct str s)
{
    if (str_is(kind, "equals-ignore-case"))
        return str_ieq(jv_s(arg), s);
    if (str_is(kind, "wildcard"))
        return wildcard_match(jv_s(arg), s);
    if (str_is(kind, "cidr"))
        return cidr_match(jv_s(arg), s);
    return affix_match(kind, arg, s);
}

static bool but_match(const struct jv *arg, const struct jv *v)
{
    const struct jv *list = arg;
    struct str kind = STR_NONE;
    if (jv_is(arg, JV_OBJ)) {
        kind = arg->obj.v[0].key;
        list = &arg->obj.v[0].value;
    }
    size_t n = jv_is(list, JV_ARR) ? jv_len(list) : 1;
    for (size_t i = 0; i < n; i++) {
        const struct jv *x = jv_is(list, JV_ARR) ? jv_at(list, i) : list;
        if (kind.p != NULL ? v->type == JV_STR && text_match(kind, x, v->s) : jv_equal(x, v))
            return false;
    }
    return true;
}

/* v is a scalar. {"exists"} is judged by the caller, who knows of absent values. */
static bool condition_match(const struct jv *cond, const struct jv *v)
{
    if (is_scalar(cond))
        return jv_equal(cond, v);
    struct str kind = cond->obj.v[0].key;
    const struct jv *arg = &cond->obj.v[0].value;
    if (str_is(kind, "exists"))
        return false;
    if (str_is(kind, "anything-but"))
        return but_match(arg, v);
    if (str_is(kind, "numeric"))
        return is_number(v) && numeric_match(arg, jv_d(v, 0));
    return v->type == JV_STR && text_match(kind, arg, v->s);
}

/* Any scalar in v, arrays within arrays included, against one condition. */
static bool any_matches(const struct jv *cond, const struct jv *v)
{
    if (v->type == JV_OBJ)
        return false;
    if (v->type != JV_ARR)
        return condition_match(cond, v);
    for (size_t i = 0; i < jv_len(v); i++)
        if (any_matches(cond, jv_at(v, i)))
            return true;
    return false;
}

static bool has_leaf(const struct jv *v)
{
    if (v == NULL || v->type == JV_OBJ)
        return false;
    if (v->type != JV_ARR)
        return true;
    for (size_t i = 0; i < jv_len(v); i++)
        if (has_leaf(jv_at(v, i)))
            return true;
    return false;
}

/* A key's conditions against its value; NULL: the message has no such key. `there`: it has one,
 * though maybe not one that can be compared. */
static bool leaf_match(const struct jv *conds, const struct jv *v, bool there)
{
    for (size_t i = 0; i < jv_len(conds); i++) {
        const struct jv *cond = jv_at(conds, i);
        const struct jv *exists = jv_get(cond, "exists");
        if (exists != NULL ? exists->b == there : v != NULL && any_matches(cond, v))
            return true;
    }
    return false;
}

/* -- the body ---------------------------------------------------------------------------------- */

static bool object_match(const struct jv *policy, const struct jv *v)
{
    if (jv_is(v, JV_ARR)) {
        for (size_t i = 0; i < jv_len(v); i++)
            if (object_match(policy, jv_at(v, i)))
                return true;
        return false;
    }
    /* Not an object: nothing below it is there, which {"exists": false} may want. */
    for (size_t i = 0; i < jv_len(policy); i++) {
        struct str key = policy->obj.v[i].key;
        const struct jv *p = &policy->obj.v[i].value;
        bool ok = false;
        if (is_or(key, p)) {
            for (size_t j = 0; j < jv_len(p) && !ok; j++)
                ok = object_match(jv_at(p, j), v);
        } else {
            const struct jv *x = jv_get_str(v, key);
            ok = p->type == JV_OBJ ? object_match(p, x) : leaf_match(p, x, has_leaf(x));
        }
        if (!ok)
            return false;
    }
    return true;
}

const struct jv *filter_body(struct arena *a, struct str body)
{
    struct jv *v = NULL;
    struct err *e = json_parse(a, body, FILTER_BODY_DEPTH_MAX, &v);
    err_free(e);
    return e == NULL && v->type == JV_OBJ ? v : NULL;
}

bool filter_match_body(const struct jv *policy, const struct jv *body)
{
    return body != NULL && object_match(policy, body);
}

/* -- attributes -------------------------------------------------------------------------------- */

struct subject {
    struct arena *a;
    const struct filter_attribute *v;
    size_t n;
};

static bool base_is(struct str type, const char *base)
{
    size_t n = strlen(base);
    return str_starts_c(type, base) && (type.n == n || type.p[n] == '.');
}

/* The attribute's value as JSON; false: there is none that can be compared. */
static bool attribute_value(const struct subject *s, const struct filter_attribute *at,
                            struct jv *out)
{
    struct jv *list = NULL;
    double number;
    if (base_is(at->type, "String.Array")) {
        struct err *e = json_parse(s->a, at->value, 4, &list);
        if (e == NULL && list->type == JV_ARR) {
            *out = *list;
            return true;
        }
        err_free(e);
        return false;
    }
    if (base_is(at->type, "Number")) {
        if (!str_to_double(at->value, &number))
            return false;
        *out = (struct jv){.type = JV_NUM, .d = number};
        return true;
    }
    *out = (struct jv){.type = JV_STR, .s = at->value};
    return base_is(at->type, "String");
}

static bool attributes_match(const struct subject *s, const struct jv *policy);

static bool attribute_match(const struct subject *s, struct str key, const struct jv *conds)
{
    for (size_t i = 0; i < s->n; i++) {
        struct jv v;
        if (!str_eq(s->v[i].name, key))
            continue;
        return leaf_match(conds, attribute_value(s, &s->v[i], &v) ? &v : NULL, true);
    }
    return leaf_match(conds, NULL, false);
}

static bool attributes_match(const struct subject *s, const struct jv *policy)
{
    for (size_t i = 0; i < jv_len(policy); i++) {
        struct str key = policy->obj.v[i].key;
        const struct jv *p = &policy->obj.v[i].value;
        bool ok = false;
        if (is_or(key, p)) {
            for (size_t j = 0; j < jv_len(p) && !ok; j++)
                ok = attributes_match(s, jv_at(p, j));
        } else {
            ok = attribute_match(s, key, p);
        }
        if (!ok)
            return false;
    }
    return true;
}

bool filter_match_attributes(struct arena *a, const struct jv *policy,
                             const struct filter_attribute *v, size_t n)
{
    struct subject s = {a, v, n};
    return attributes_match(&s, policy);
}
