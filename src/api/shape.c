#include "shape.h"

#include "../core/clock.h"
#include "../core/map.h"
#include "codec_parts.h"

const struct op_model *model_op(const struct service_model *m, struct str name)
{
    size_t lo = 0, hi = m->n_ops;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = str_cmp(name, str_c(m->ops[mid].name));
        if (c == 0)
            return &m->ops[mid];
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

bool model_knows(const struct service_model *m, struct str name)
{
    for (const char *const *n = m->all_ops; *n != NULL; n++)
        if (str_is(name, *n))
            return true;
    return false;
}

const struct shape_member *shape_member(const struct shape *s, struct str name)
{
    for (uint32_t i = 0; i < s->n_members; i++)
        if (str_is(name, s->members[i].name))
            return &s->members[i];
    return NULL;
}

const void *shape_at(const struct shape_member *m, const void *value)
{
    return (const char *)value + m->offset;
}

bool value_present(const struct shape *s, const void *p)
{
    switch (s->kind) {
    case SH_STRING:
    case SH_BLOB:
    case SH_STREAM:
        return ((const struct str *)p)->p != NULL;
    case SH_BOOL:
        return ((const struct opt_bool *)p)->set;
    case SH_INT:
    case SH_LONG:
    case SH_TIME:
        return ((const struct opt_int *)p)->set;
    case SH_FLOAT:
        return ((const struct opt_num *)p)->set;
    case SH_LIST:
    case SH_MAP:
        return ((const struct any_list *)p)->set || ((const struct any_list *)p)->n > 0;
    case SH_DOC:
        return *(const any_ptr *)p != NULL;
    case SH_STRUCT:
        return true;
    }
    return false;
}

bool shape_present(const struct shape *s, const void *p)
{
    return s->kind == SH_STRUCT ? *(const any_ptr *)p != NULL : value_present(s, p);
}

void *member_slot(struct arena *a, const struct shape_member *m, void *value)
{
    void *at = (char *)value + m->offset;
    if (m->shape->kind != SH_STRUCT)
        return at;
    any_ptr *pointer = at;
    if (*pointer == NULL)
        *pointer = arena_alloc(a, m->shape->size);
    return *pointer;
}

const void *member_value(const struct shape_member *m, const void *value)
{
    const void *at = shape_at(m, value);
    if (!shape_present(m->shape, at))
        return NULL;
    return m->shape->kind == SH_STRUCT ? *(const any_ptr *)at : at;
}

struct err *list_make(struct arena *a, const struct shape *s, size_t n, const char *code,
                      struct any_list *out)
{
    if (n > CODEC_ITEMS_MAX || n * s->item_size > CODEC_LIST_BYTES_MAX)
        return err_aws(400, code, "A list or map has too many elements; send fewer.");
    out->v = arena_alloc_array(a, n > 0 ? n : 1, s->item_size);
    out->n = n;
    out->set = true;
    return arena_check(a);
}

/* Maps are small nearly always; only what is large gets an index. */
enum { MAP_SMALL = 16 };

static bool later_key(const struct map *index, const struct shape *s, const struct any_list *l,
                      size_t i)
{
    struct str key = *(const struct str *)list_item(s, l, i);
    if (l->n > MAP_SMALL)
        return map_get(index, key) != list_item(s, l, i);
    for (size_t k = i + 1; k < l->n; k++)
        if (str_eq(key, *(const struct str *)list_item(s, l, k)))
            return true;
    return false;
}

void map_last_wins(const struct shape *s, struct any_list *l)
{
    struct map index = MAP_INIT;
    size_t kept = 0, n = l->n;
    for (size_t i = 0; n > MAP_SMALL && i < n; i++)
        map_put(&index, *(const struct str *)list_item(s, l, i),
                (char *)l->v + i * s->item_size);
    for (size_t i = 0; n > 1 && i < n; i++) {
        if (later_key(&index, s, l, i))
            continue;
        if (kept < i) /* behind the place that it goes to: nobody looks there again */
            memcpy((char *)l->v + kept * s->item_size, list_item(s, l, i), s->item_size);
        kept++;
    }
    if (n > 1)
        l->n = kept;
    map_clear(&index);
}

struct str shape_str_at(const struct shape *s, const void *value, const char *path)
{
    struct str rest = str_c(path);
    while (rest.p != NULL && value != NULL && s->kind == SH_STRUCT) {
        const struct shape_member *m = shape_member(s, str_cut(&rest, '.'));
        if (m == NULL)
            return STR_NONE;
        value = member_value(m, value);
        s = m->shape;
    }
    if (value == NULL || rest.p != NULL || s->kind != SH_STRING)
        return STR_NONE;
    return *(const struct str *)value;
}

/* --- records for the audit trail */

static void record_value(struct jw *w, const struct shape *s, const void *p, int depth);

static void record_key(struct jw *w, const char *name)
{
    char key[128];
    size_t n = strlen(name);
    CHECK(n > 0 && n < sizeof key);
    memcpy(key, name, n + 1);
    if (key[0] >= 'A' && key[0] <= 'Z')
        key[0] = (char)(key[0] + ('a' - 'A'));
    jw_key(w, key);
}

static void record_member(struct jw *w, const struct shape_member *m, const void *value, int depth)
{
    const void *p = member_value(m, value);
    if (p == NULL || m->shape->kind == SH_STREAM || m->shape->kind == SH_BLOB)
        return;
    record_key(w, m->name);
    if (m->sensitive)
        jw_c(w, "HIDDEN_DUE_TO_SECURITY_REASONS");
    else
        record_value(w, m->shape, p, depth);
}

static void record_items(struct jw *w, const struct shape *s, const struct any_list *l, int depth)
{
    if (s->kind == SH_LIST)
        jw_arr(w);
    else
        jw_obj(w);
    for (size_t i = 0; i < l->n && s->elem->kind != SH_BLOB; i++) {
        const char *item = list_item(s, l, i);
        if (s->kind == SH_MAP)
            jw_key_str(w, *(const struct str *)item);
        record_value(w, s->elem, item + s->value_offset, depth);
    }
    jw_end(w);
}

static void record_time(struct jw *w, int64_t ms)
{
    char text[TIME_TEXT_MAX];
    time_iso8601(ms, text);
    jw_c(w, text);
}

static void record_value(struct jw *w, const struct shape *s, const void *p, int depth)
{
    if (depth >= CODEC_DEPTH_MAX || !value_present(s, p)) {
        jw_null(w);
        return;
    }
    if (s->sensitive) {
        jw_c(w, "HIDDEN_DUE_TO_SECURITY_REASONS");
        return;
    }
    switch (s->kind) {
    case SH_STRING:
        jw_str(w, *(const struct str *)p);
        break;
    case SH_BOOL:
        jw_bool(w, ((const struct opt_bool *)p)->v);
        break;
    case SH_INT:
    case SH_LONG:
        jw_i64(w, ((const struct opt_int *)p)->v);
        break;
    case SH_FLOAT:
        jw_double(w, ((const struct opt_num *)p)->v);
        break;
    case SH_TIME:
        record_time(w, ((const struct opt_int *)p)->v);
        break;
    case SH_LIST:
    case SH_MAP:
        record_items(w, s, p, depth + 1);
        break;
    case SH_STRUCT:
        jw_obj(w);
        for (uint32_t i = 0; i < s->n_members; i++)
            record_member(w, &s->members[i], p, depth + 1);
        jw_end(w);
        break;
    case SH_DOC:
        jw_value(w, *(const any_ptr *)p);
        break;
    case SH_BLOB:
    case SH_STREAM:
        jw_null(w);
        break;
    }
}

bool shape_listed(const char *only, const char *name)
{
    if (only == NULL)
        return false;
    struct str rest = str_c(only);
    while (rest.p != NULL) {
        struct str word = str_cut(&rest, ' ');
        if (str_is(word, "*") || str_is(word, name))
            return true;
    }
    return false;
}

void shape_record(struct jw *w, const struct shape *s, const void *value, const char *only)
{
    jw_obj(w);
    for (uint32_t i = 0; s != NULL && value != NULL && i < s->n_members; i++)
        if (member_value(&s->members[i], value) != NULL &&
            shape_listed(only, s->members[i].name))
            record_member(w, &s->members[i], value, 1);
    jw_end(w);
}
