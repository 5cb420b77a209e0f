#include "jsonparse.h"

#include <math.h>

static struct err *too_deep(int max_depth)
{
    return err_new(ERR_LIMIT, "The JSON text nests deeper than %d levels.", max_depth);
}

static struct err *invalid(struct str text, int max_depth)
{
    size_t at = 0;
    const char *what = json_fault(text, max_depth, &at);
    if (what == NULL)
        return err_new(ERR_INVALID, "The text is not valid JSON.");
    if (what[0] == '\0')
        return too_deep(max_depth);
    size_t line = 1, start = 0;
    for (size_t i = 0; i < at; i++) {
        if (text.p[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    return err_new(ERR_INVALID, "The text is not valid JSON: %s at line %zu, column %zu.", what,
                   line, str_utf8_count(str_of(text.p + start, at - start)) + 1);
}

/* Whether simdjson has an integer type for these digits, the sign in front of them known. */
static bool is_wide(struct str digits, bool minus)
{
    struct str most = minus ? STR("9223372036854775808") : STR("18446744073709551615");
    return digits.n != most.n ? digits.n > most.n : str_cmp(digits, most) > 0;
}

/* Copies `text`, writing "e0" behind each integer that is too wide: so spelled, simdjson takes it
 * as a double. The text need not be valid. */
static struct str with_wide_integers(struct arena *a, struct str text)
{
    char *to = arena_alloc_raw(a, text.n + text.n / 19 * 2 + 2);
    size_t o = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.n;) {
        char c = text.p[i];
        to[o++] = text.p[i++];
        if (in_string && c == '\\' && i < text.n) {
            to[o++] = text.p[i++];
        } else if (c == '"') {
            in_string = !in_string;
        } else if (!in_string && c >= '0' && c <= '9') {
            size_t from = i - 1;
            while (i < text.n && text.p[i] >= '0' && text.p[i] <= '9')
                to[o++] = text.p[i++];
            if (i < text.n && memchr(".eE", text.p[i], 3) != NULL) {
                while (i < text.n && memchr("0123456789.eE+-", text.p[i], 15) != NULL)
                    to[o++] = text.p[i++];
            } else if (is_wide(str_of(text.p + from, i - from),
                               from > 0 && text.p[from - 1] == '-')) {
                to[o++] = 'e';
                to[o++] = '0';
            }
        }
    }
    return str_of(to, o);
}

struct err *json_parse(struct arena *a, struct str text, int max_depth, struct jv **out)
{
    if (max_depth > JSON_DEPTH_MAX)
        max_depth = JSON_DEPTH_MAX;
    if (text.n == 0)
        return err_new(ERR_INVALID, "The JSON text is empty.");
    enum json_dom rc = json_dom_parse(a, text, max_depth, out);
    if (rc == JSON_DOM_NUMBER && arena_fits(a, text.n * 2))
        rc = json_dom_parse(a, with_wide_integers(a, text), max_depth, out);
    switch (rc) {
    case JSON_DOM_OK:
        return arena_check(a);
    case JSON_DOM_DEEP:
        return too_deep(max_depth);
    case JSON_DOM_BIG:
        return err_new(ERR_LIMIT, "The JSON text is too large.");
    case JSON_DOM_MEMORY:
        return err_new(ERR_LIMIT, "The JSON text needs more memory than one request may use.");
    default:
        return invalid(text, max_depth);
    }
}

bool jv_is(const struct jv *v, enum jv_type t)
{
    return v != NULL && v->type == t;
}

const struct jv *jv_get_str(const struct jv *obj, struct str key)
{
    if (!jv_is(obj, JV_OBJ))
        return NULL;
    for (size_t i = 0; i < obj->obj.n; i++)
        if (str_eq(obj->obj.v[i].key, key))
            return &obj->obj.v[i].value;
    return NULL;
}

const struct jv *jv_get(const struct jv *obj, const char *key)
{
    return jv_get_str(obj, str_c(key));
}

struct str jv_s(const struct jv *v)
{
    return jv_is(v, JV_STR) ? v->s : STR_NONE;
}

int64_t jv_i(const struct jv *v, int64_t other)
{
    return jv_is(v, JV_INT) ? v->i : other;
}

double jv_d(const struct jv *v, double other)
{
    if (jv_is(v, JV_INT))
        return (double)v->i;
    return jv_is(v, JV_NUM) ? v->d : other;
}

bool jv_b(const struct jv *v, bool other)
{
    return jv_is(v, JV_BOOL) ? v->b : other;
}

size_t jv_len(const struct jv *v)
{
    if (jv_is(v, JV_ARR))
        return v->arr.n;
    return jv_is(v, JV_OBJ) ? v->obj.n : 0;
}

const struct jv *jv_at(const struct jv *arr, size_t i)
{
    return jv_is(arr, JV_ARR) && i < arr->arr.n ? &arr->arr.v[i] : NULL;
}

static struct jv *new_of(struct arena *a, enum jv_type type)
{
    struct jv *v = ARENA_NEW(a, struct jv);
    v->type = type;
    return v;
}

struct jv *jv_new_str(struct arena *a, struct str s)
{
    struct jv *v = new_of(a, s.p == NULL ? JV_NULL : JV_STR);
    v->s = arena_str(a, s);
    return v;
}

struct jv *jv_new_int(struct arena *a, int64_t i)
{
    struct jv *v = new_of(a, JV_INT);
    v->i = i;
    return v;
}

struct jv *jv_new_num(struct arena *a, double d)
{
    struct jv *v = new_of(a, JV_NUM);
    v->d = d;
    return v;
}

struct jv *jv_new_bool(struct arena *a, bool b)
{
    struct jv *v = new_of(a, JV_BOOL);
    v->b = b;
    return v;
}

struct jv *jv_new_obj(struct arena *a)
{
    return new_of(a, JV_OBJ);
}

struct jv *jv_new_arr(struct arena *a)
{
    return new_of(a, JV_ARR);
}

/* The array or object `v`, of `n` elements of `size` bytes at `old`, gets room for one more. */
static void *room_for_one(struct arena *a, struct jv *v, void *old, size_t n, size_t size)
{
    if (n < v->cap)
        return old;
    size_t cap = n == 0 ? 4 : n * 2;
    CHECK(cap <= UINT32_MAX);
    char *p = arena_alloc_raw(a, cap * size);
    if (n > 0)
        memcpy(p, old, n * size);
    v->cap = (uint32_t)cap;
    return p;
}

/* The copy must not grow into the room of the original, which may go on growing by itself. */
static struct jv without_room(const struct jv *v)
{
    struct jv copy = *v;
    copy.cap = 0;
    return copy;
}

void jv_set(struct arena *a, struct jv *obj, struct str key, const struct jv *value)
{
    CHECK(obj->type == JV_OBJ && value != NULL && key.p != NULL);
    struct jv copy = without_room(value);
    for (size_t i = 0; i < obj->obj.n; i++) {
        if (str_eq(obj->obj.v[i].key, key)) {
            obj->obj.v[i].value = copy;
            return;
        }
    }
    obj->obj.v = room_for_one(a, obj, obj->obj.v, obj->obj.n, sizeof *obj->obj.v);
    obj->obj.v[obj->obj.n++] = (struct jv_member){.key = arena_str(a, key), .value = copy};
}

void jv_push(struct arena *a, struct jv *arr, const struct jv *value)
{
    CHECK(arr->type == JV_ARR && value != NULL);
    struct jv copy = without_room(value);
    arr->arr.v = room_for_one(a, arr, arr->arr.v, arr->arr.n, sizeof *arr->arr.v);
    arr->arr.v[arr->arr.n++] = copy;
}

/* Equal keys keep their order, so that duplicates compare one by one. */
static int by_key(const void *x, const void *y)
{
    const struct jv_member *a = *(const struct jv_member *const *)x;
    const struct jv_member *b = *(const struct jv_member *const *)y;
    int d = str_cmp(a->key, b->key);
    return d != 0 ? d : (a > b) - (a < b);
}

static const struct jv_member **sorted(const struct jv *obj)
{
    const struct jv_member **list = malloc(obj->obj.n * sizeof *list);
    CHECK(list != NULL);
    for (size_t i = 0; i < obj->obj.n; i++)
        list[i] = &obj->obj.v[i];
    qsort(list, obj->obj.n, sizeof *list, by_key);
    return list;
}

static bool members_equal(const struct jv *a, const struct jv *b)
{
    size_t n = a->obj.n, i = 0;
    if (n != b->obj.n)
        return false;
    while (i < n && str_eq(a->obj.v[i].key, b->obj.v[i].key)) {
        if (!jv_equal(&a->obj.v[i].value, &b->obj.v[i].value))
            break; /* maybe one of several of the same key */
        i++;
    }
    if (i == n)
        return true;
    const struct jv_member **x = sorted(a), **y = sorted(b);
    for (i = 0; i < n; i++)
        if (!str_eq(x[i]->key, y[i]->key) || !jv_equal(&x[i]->value, &y[i]->value))
            break;
    free(x);
    free(y);
    return i == n;
}

static bool numbers_equal(const struct jv *a, const struct jv *b)
{
    if (a->type == JV_INT && b->type == JV_INT)
        return a->i == b->i;
    if (a->type == JV_NUM && b->type == JV_NUM)
        return a->d == b->d;
    double d = a->type == JV_NUM ? a->d : b->d;
    int64_t i = a->type == JV_INT ? a->i : b->i;
    /* 2^63 is exact as a double; below it the cast is defined. */
    return d >= -0x1p63 && d < 0x1p63 && trunc(d) == d && (int64_t)d == i;
}

bool jv_equal(const struct jv *a, const struct jv *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    if ((a->type == JV_INT || a->type == JV_NUM) && (b->type == JV_INT || b->type == JV_NUM))
        return numbers_equal(a, b);
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case JV_BOOL:
        return a->b == b->b;
    case JV_STR:
        return str_eq(a->s, b->s);
    case JV_OBJ:
        return members_equal(a, b);
    case JV_ARR:
        if (a->arr.n != b->arr.n)
            return false;
        for (size_t i = 0; i < a->arr.n; i++)
            if (!jv_equal(&a->arr.v[i], &b->arr.v[i]))
                return false;
        return true;
    default:
        return true;
    }
}
