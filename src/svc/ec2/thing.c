/* Rows: ids, counts, what holds a VPC still, and whose an association is. */
#include "room.h"

#include "crypto/crypto.h"

#define T_LOCK "ec2.lock"
#define T_COUNT "ec2.count"
#define T_ASSOC "ec2.assoc"

struct skey ec2_key(struct call *c, struct str id)
{
    struct skey k = skey();
    key_str(&k, c->account);
    key_str(&k, c->region);
    key_str(&k, id);
    return k;
}

struct str ec2_arn(struct call *c, enum kind k, struct str id)
{
    if (k == K_IMAGE) /* images have no account in their ARNs */
        return arena_fmt(c->arena, "arn:%s:ec2:%.*s::image/%.*s", IDENTITY_PARTITION,
                         STR_ARG(c->region), STR_ARG(id.p != NULL ? id : STR("*")));
    return call_arn(c, "ec2", "%s/%.*s", ec2_kinds[k].type,
                    STR_ARG(id.p != NULL ? str_take(id, EC2_ID_TEXT_MAX) : STR("*")));
}

struct str new_id(struct call *c, const char *prefix)
{
    struct str digits = rand_text(c->arena, 16, "0123456789abcdef");
    return arena_fmt(c->arena, "%s0%.*s", prefix, STR_ARG(digits));
}

struct str thing_id(enum kind k, const struct jv *row)
{
    return get_s(row, ec2_kinds[k].id_member);
}

struct err *err_missing(enum kind k, struct str id)
{
    const struct kind_facts *f = &ec2_kinds[k];
    id = str_take(id, EC2_ID_TEXT_MAX);
    if (f->malformed != NULL && kind_of_id(id) != k)
        return err_aws(400, f->malformed, "Invalid id: \"%.*s\" (expecting \"%s...\")",
                       STR_ARG(id), f->prefix);
    return err_aws(400, f->missing, f->missing_text, STR_ARG(id));
}

struct err *err_dependency(const char *noun, struct str id)
{
    return err_aws(400, "DependencyViolation",
                   "The %s '%.*s' has dependencies and cannot be deleted.", noun, STR_ARG(id));
}

/* -- counts ------------------------------------------------------------------------------------ */

static struct err *count_add(struct call *c, enum kind k, int64_t by)
{
    const struct kind_facts *f = &ec2_kinds[k];
    struct skey at = ec2_key(c, str_c(f->type));
    struct str text;
    TRY(txn_get(c->txn, T_COUNT, key_of(&at), c->arena, &text));
    uint64_t n = 0;
    if (text.p != NULL)
        (void)key_take_u64(&text, &n);
    if (by > 0 && (int64_t)n + by > f->most)
        return err_aws(400, f->over, "The maximum number of %s resources has been reached: %lld.",
                       f->type, (long long)f->most);
    struct skey v = skey();
    key_u64(&v, by < 0 && n == 0 ? 0 : (uint64_t)((int64_t)n + by));
    return txn_put(c->txn, T_COUNT, c->account, key_of(&at), key_of(&v));
}

/* -- things ------------------------------------------------------------------------------------ */

struct err *thing_new(struct call *c, enum kind k, struct jv **out)
{
    const struct kind_facts *f = &ec2_kinds[k];
    TRY(count_add(c, k, 1));
    struct jv *row = jv_new_obj(c->arena);
    set_s(c, row, f->id_member, new_id(c, f->prefix));
    if (k != K_ADDRESS && k != K_INSTANCE) /* their shapes do not have it */
        set_s(c, row, "OwnerId", c->account);
    set_v(c, row, "Tags", jv_new_arr(c->arena));
    *out = row;
    return NULL;
}

struct err *thing_get(struct call *c, enum kind k, struct str id, struct jv **out)
{
    *out = NULL;
    if (ec2_kinds[k].table == NULL || id.n == 0 || id.n > EC2_ID_TEXT_MAX)
        return NULL;
    struct skey at = ec2_key(c, id);
    return row_get(c, ec2_kinds[k].table, key_of(&at), out);
}

struct err *thing_need(struct call *c, enum kind k, struct str id, struct jv **out)
{
    TRY(thing_get(c, k, id, out));
    return *out != NULL ? NULL : err_missing(k, id);
}

struct err *thing_put(struct call *c, enum kind k, const struct jv *row)
{
    struct skey at = ec2_key(c, thing_id(k, row));
    return row_put(c, ec2_kinds[k].table, c->account, key_of(&at), row);
}

struct err *thing_drop(struct call *c, enum kind k, const struct jv *row)
{
    struct skey at = ec2_key(c, thing_id(k, row));
    TRY(count_add(c, k, -1));
    return txn_del(c->txn, ec2_kinds[k].table, key_of(&at));
}

struct err *thing_all(struct call *c, enum kind k, const char *path, struct str text,
                      struct rows *out)
{
    struct skey prefix = skey();
    key_str(&prefix, c->account);
    key_str(&prefix, c->region);
    struct scan sc = {.prefix = key_of(&prefix)};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, ec2_kinds[k].table, &sc, &cur));
    for (;;) {
        bool more;
        struct str key, value;
        struct jv *row;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        TRY(json_parse(c->arena, value, JSON_DEPTH_DEFAULT, &row));
        if (path == NULL || path_has(row, path, text))
            VEC_PUSH(c->arena, out, row);
        TRY(arena_check(c->arena));
    }
}

struct err *thing_any(struct call *c, enum kind k, const char *path, struct str text, bool *out)
{
    struct rows found = {0};
    TRY(thing_all(c, k, path, text, &found));
    *out = found.n > 0;
    return NULL;
}

/* -- a VPC held still -------------------------------------------------------------------------- */

struct err *vpc_hold(struct call *c, struct str vpc_id)
{
    struct skey at = ec2_key(c, vpc_id);
    struct str text;
    TRY(txn_get(c->txn, T_LOCK, key_of(&at), c->arena, &text));
    uint64_t n = 0;
    if (text.p != NULL)
        (void)key_take_u64(&text, &n);
    struct skey v = skey();
    key_u64(&v, n + 1);
    return txn_put(c->txn, T_LOCK, c->account, key_of(&at), key_of(&v));
}

/* -- associations ------------------------------------------------------------------------------ */

struct err *assoc_put(struct call *c, struct str assoc_id, enum kind k, struct str id)
{
    struct jv *row = jv_new_obj(c->arena);
    set_c(c, row, "kind", ec2_kinds[k].type);
    set_s(c, row, "id", id);
    struct skey at = ec2_key(c, assoc_id);
    return row_put(c, T_ASSOC, c->account, key_of(&at), row);
}

struct err *assoc_drop(struct call *c, struct str assoc_id)
{
    struct skey at = ec2_key(c, assoc_id);
    return txn_del(c->txn, T_ASSOC, key_of(&at));
}

struct err *assoc_get(struct call *c, struct str assoc_id, enum kind *out_kind, struct str *out_id)
{
    *out_kind = K_NONE;
    *out_id = STR_NONE;
    if (assoc_id.n == 0 || assoc_id.n > EC2_ID_TEXT_MAX)
        return NULL;
    struct skey at = ec2_key(c, assoc_id);
    struct jv *row;
    TRY(row_get(c, T_ASSOC, key_of(&at), &row));
    if (row == NULL)
        return NULL;
    *out_kind = kind_of_type(get_s(row, "kind"));
    *out_id = get_s(row, "id");
    return NULL;
}

struct err *assoc_need(struct call *c, struct str assoc_id, enum kind k, struct jv **out_row)
{
    enum kind found;
    struct str id;
    struct jv *row = NULL;
    TRY(assoc_get(c, assoc_id, &found, &id));
    if (found == k)
        TRY(thing_get(c, k, id, &row));
    if (row == NULL)
        return err_aws(400, "InvalidAssociationID.NotFound",
                       "The association ID '%.*s' does not exist",
                       STR_ARG(str_take(assoc_id, EC2_ID_TEXT_MAX)));
    *out_row = row;
    return NULL;
}
