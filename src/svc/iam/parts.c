#include "room.h"

#include "core/enc.h"

void row_set(struct call *c, struct jv *row, const char *key, struct str v)
{
    if (v.p == NULL)
        jv_drop_key(row, str_c(key));
    else
        jv_set(c->arena, row, str_c(key), jv_new_str(c->arena, v));
}

void row_set_i(struct call *c, struct jv *row, const char *key, int64_t v)
{
    jv_set(c->arena, row, str_c(key), jv_new_int(c->arena, v));
}

struct str row_s(const struct jv *row, const char *key)
{
    return jv_s(jv_get(row, key));
}

struct opt_int row_time(const struct jv *row, const char *key)
{
    const struct jv *v = jv_get(row, key);
    return jv_is(v, JV_INT) ? some_int(jv_i(v, 0)) : (struct opt_int){0};
}

struct jv *row_arr(struct call *c, const struct jv *row, const char *key)
{
    const struct jv *old = jv_get(row, key);
    struct jv *copy = jv_new_arr(c->arena);
    for (size_t i = 0; i < jv_len(old); i++)
        jv_push(c->arena, copy, jv_at(old, i));
    return copy;
}

struct jv *row_obj(struct call *c, const struct jv *row, const char *key)
{
    const struct jv *old = jv_get(row, key);
    struct jv *copy = jv_new_obj(c->arena);
    for (size_t i = 0; i < jv_len(old); i++)
        jv_set(c->arena, copy, old->obj.v[i].key, &old->obj.v[i].value);
    return copy;
}

bool jv_has_str(const struct jv *arr, struct str s)
{
    for (size_t i = 0; i < jv_len(arr); i++)
        if (str_eq(jv_s(jv_at(arr, i)), s))
            return true;
    return false;
}

bool jv_drop_str(struct jv *arr, struct str s)
{
    for (size_t i = 0; i < jv_len(arr); i++)
        if (str_eq(jv_s(jv_at(arr, i)), s)) {
            arr->arr.n--;
            memmove(&arr->arr.v[i], &arr->arr.v[i + 1], (arr->arr.n - i) * sizeof arr->arr.v[0]);
            return true;
        }
    return false;
}

bool jv_drop_key(struct jv *obj, struct str key)
{
    for (size_t i = 0; i < jv_len(obj); i++)
        if (str_eq(obj->obj.v[i].key, key)) {
            obj->obj.n--;
            memmove(&obj->obj.v[i], &obj->obj.v[i + 1], (obj->obj.n - i) * sizeof obj->obj.v[0]);
            return true;
        }
    return false;
}

int64_t iam_now(const struct call *c)
{
    return c->now_ms / 1000 * 1000;
}

struct str iam_doc_out(struct call *c, struct str document)
{
    return enc_uri(c->arena, document, false);
}

int64_t iam_doc_chars(struct str document)
{
    int64_t n = 0;
    for (size_t i = 0; i < document.n; i++) {
        unsigned char ch = (unsigned char)document.p[i];
        bool blank = ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r';
        bool continues = (ch & 0xc0) == 0x80; /* UTF-8: counted at its first byte */
        n += !blank && !continues;
    }
    return n;
}

/* -- tags -------------------------------------------------------------------------------------- */

/* Keys are unique without regard to case: a new spelling replaces the old one. */
static void tag_set(struct call *c, struct jv *tags, struct str key, struct str value)
{
    for (size_t i = 0; i < jv_len(tags); i++)
        if (str_ieq(tags->obj.v[i].key, key)) {
            tags->obj.v[i].key = key;
            tags->obj.v[i].value = *jv_new_str(c->arena, value);
            return;
        }
    jv_set(c->arena, tags, key, jv_new_str(c->arena, value));
}

static struct err *tags_check(const struct iam_tagListType *tags)
{
    for (size_t i = 0; i < tags->n; i++) {
        if (str_starts(str_take(tags->v[i].Key, 4), STR("aws:")))
            return err_aws(400, "InvalidInput",
                           "Tag keys that begin with aws: are reserved and cannot be set.");
        for (size_t j = 0; j < i; j++)
            if (str_ieq(tags->v[i].Key, tags->v[j].Key))
                return err_aws(400, "InvalidInput",
                               "Duplicate tag keys found. Please note that Tag keys are case "
                               "insensitive.");
    }
    return NULL;
}

struct err *iam_tags_add(struct call *c, struct jv *row, const struct iam_tagListType *tags)
{
    if (tags == NULL || tags->n == 0)
        return NULL;
    TRY(tags_check(tags));
    struct jv *all = row_obj(c, row, "tags");
    for (size_t i = 0; i < tags->n; i++)
        tag_set(c, all, tags->v[i].Key, tags->v[i].Value);
    if (jv_len(all) > IAM_TAGS_MAX)
        return err_aws(409, "LimitExceeded", "Cannot exceed quota for TagsPerResource: %d",
                       IAM_TAGS_MAX);
    jv_set(c->arena, row, STR("tags"), all);
    return NULL;
}

void iam_tags_out(struct call *c, const struct jv *row, struct iam_tagListType *out)
{
    const struct jv *tags = jv_get(row, "tags");
    size_t n = jv_len(tags);
    if (n == 0)
        return;
    out->v = ARENA_ARRAY(c->arena, n, struct iam_Tag);
    out->n = n;
    out->set = true;
    for (size_t i = 0; i < n; i++) {
        out->v[i].Key = tags->obj.v[i].key;
        out->v[i].Value = jv_s(&tags->obj.v[i].value);
    }
}

struct iam_AttachedPermissionsBoundary *iam_boundary_out(struct call *c, const struct jv *row)
{
    struct str arn = row_s(row, "boundary");
    if (arn.p == NULL)
        return NULL;
    struct iam_AttachedPermissionsBoundary *b =
        ARENA_NEW(c->arena, struct iam_AttachedPermissionsBoundary);
    b->PermissionsBoundaryType = STR("Policy");
    b->PermissionsBoundaryArn = arn;
    return b;
}
