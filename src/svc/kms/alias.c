/* Aliases: other names of keys. */
#include "room.h"

static struct err *check_name(struct str name)
{
    if (!str_starts_c(name, "alias/") || name.n == 6)
        return err_aws(400, "ValidationException", "Alias must start with the prefix \"alias/\".");
    if (str_starts_c(name, "alias/aws/"))
        return err_aws(400, "NotAuthorizedException",
                       "Aliases that begin with alias/aws/ are reserved for AWS managed keys.");
    for (size_t i = 6; i < name.n; i++)
        if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_-",
                   name.p[i]) == NULL)
            return err_aws(400, "InvalidAliasNameException",
                           "Alias contains invalid characters.");
    return NULL;
}

static struct skey alias_key(struct call *c, struct str alias)
{
    return key_row_key(c->account, c->region, alias);
}

static struct skey alias_of_key(const struct key *k, struct str alias)
{
    struct skey at = key_row_key(k->account, k->region, k->id);
    key_str(&at, alias);
    return at;
}

struct err *kms_aliases_of(struct call *c, const struct key *k, struct str *out, size_t max,
                           size_t *out_n)
{
    struct skey prefix = key_row_key(k->account, k->region, k->id);
    struct scan sc = {.prefix = key_of(&prefix), .keys_only = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, KMS_T_ALIAS_OF, &sc, &cur));
    for (*out_n = 0; *out_n < max;) {
        bool more;
        struct str key, value, account, region, id;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            break;
        if (key_take_str(c->arena, &key, &account) && key_take_str(c->arena, &key, &region) &&
            key_take_str(c->arena, &key, &id) && key_take_str(c->arena, &key, &out[*out_n]))
            (*out_n)++;
    }
    return NULL;
}

/* The key that an alias may point at: the caller's own, in this region. */
static struct err *alias_target(struct call *c, struct str key_id, struct key *out)
{
    TRY(key_need(c, key_id, out));
    TRY(key_not_pending(out));
    if (!str_eq(out->account, c->account) || !str_eq(out->region, c->region))
        return err_aws(400, "ValidationException",
                       "The alias and its key must be in the same account and Region.");
    return NULL;
}

/* The key's row lists its aliases, for kms:ResourceAliases: read with the key at every call. */
static struct err *row_aliases(struct call *c, const struct key *k, struct str without,
                               struct str with)
{
    struct arena *a = c->arena;
    const struct jv *former = jv_get(k->row, "aliases");
    struct jv *left = jv_new_arr(a);
    for (size_t i = 0; i < jv_len(former); i++)
        if (!str_eq(jv_s(jv_at(former, i)), without) && !str_eq(jv_s(jv_at(former, i)), with))
            jv_push(a, left, jv_at(former, i));
    if (with.p != NULL)
        jv_push(a, left, jv_new_str(a, with));
    jv_set(a, k->row, STR("aliases"), left);
    return key_save(c, k);
}

/* Takes the alias from the key that it pointed at, if that is still there. */
static struct err *alias_leave(struct call *c, struct str alias, const struct key *former)
{
    struct key k;
    bool found;
    struct skey of = alias_of_key(former, alias);
    TRY(txn_del(c->txn, KMS_T_ALIAS_OF, key_of(&of)));
    TRY(key_find(c, former->id, &k, &found));
    return found ? row_aliases(c, &k, alias, STR_NONE) : NULL;
}

struct err *alias_write(struct call *c, struct str alias, const struct key *k, int64_t created_ms)
{
    struct arena *a = c->arena;
    TRY(row_aliases(c, k, STR_NONE, alias));
    struct jv *row = jv_new_obj(a);
    jv_set(a, row, STR("target"), jv_new_str(a, k->id));
    jv_set(a, row, STR("created_ms"), jv_new_int(a, created_ms));
    jv_set(a, row, STR("updated_ms"), jv_new_int(a, c->now_ms));
    struct skey at = alias_key(c, alias), of = alias_of_key(k, alias);
    TRY(row_put(c, KMS_T_ALIAS, c->account, key_of(&at), row));
    return txn_put(c->txn, KMS_T_ALIAS_OF, c->account, key_of(&of), STR(""));
}

OP_HANDLER_NO_OUT(kms, CreateAlias, CreateAliasRequest)
{
    TRY(check_name(in->AliasName));
    if (str_starts_c(in->TargetKeyId, "alias/"))
        return err_aws(400, "ValidationException", "Aliases must refer to keys. Not aliases");
    struct key k;
    TRY(alias_target(c, in->TargetKeyId, &k));
    struct skey at = alias_key(c, in->AliasName);
    struct jv *row;
    TRY(row_get(c, KMS_T_ALIAS, key_of(&at), &row));
    if (row != NULL)
        return err_aws(400, "AlreadyExistsException",
                       "An alias with the name %.*s already exists",
                       STR_ARG(call_arn(c, "kms", "%.*s", STR_ARG(in->AliasName))));
    struct str names[KMS_ALIASES_PER_KEY_MAX];
    size_t n;
    TRY(kms_aliases_of(c, &k, names, KMS_ALIASES_PER_KEY_MAX, &n));
    if (n == KMS_ALIASES_PER_KEY_MAX)
        return err_aws(400, "LimitExceededException", "The key has %d aliases already.",
                       KMS_ALIASES_PER_KEY_MAX);
    return alias_write(c, in->AliasName, &k, c->now_ms);
}

/* The alias's row, or NotFoundException. */
static struct err *need_alias(struct call *c, struct str name, struct jv **out_row,
                              struct key *out_key)
{
    struct skey at = alias_key(c, name);
    TRY(row_get(c, KMS_T_ALIAS, key_of(&at), out_row));
    if (*out_row == NULL)
        return err_aws(400, "NotFoundException", "Alias '%.*s' does not exist",
                       STR_ARG(call_arn(c, "kms", "%.*s", STR_ARG(name))));
    *out_key = (struct key){.account = c->account, .region = c->region,
                            .id = jv_s(jv_get(*out_row, "target"))};
    return NULL;
}

OP_HANDLER_NO_OUT(kms, UpdateAlias, UpdateAliasRequest)
{
    struct jv *row;
    struct key former, k;
    TRY(check_name(in->AliasName));
    TRY(need_alias(c, in->AliasName, &row, &former));
    TRY(alias_target(c, in->TargetKeyId, &k));
    if (!str_eq(former.id, k.id))
        TRY(alias_leave(c, in->AliasName, &former));
    return alias_write(c, in->AliasName, &k, jv_i(jv_get(row, "created_ms"), c->now_ms));
}

OP_HANDLER_NO_OUT(kms, DeleteAlias, DeleteAliasRequest)
{
    struct jv *row;
    struct key former;
    TRY(need_alias(c, in->AliasName, &row, &former));
    struct skey at = alias_key(c, in->AliasName);
    TRY(alias_leave(c, in->AliasName, &former));
    return txn_del(c->txn, KMS_T_ALIAS, key_of(&at));
}

static struct err *list_entry(struct call *c, struct str alias, struct str text,
                              struct str only_key, struct kms_ListAliasesResponse *out)
{
    struct jv *row;
    TRY(json_parse(c->arena, text, JSON_DEPTH_DEFAULT, &row));
    struct str target = jv_s(jv_get(row, "target"));
    if (only_key.p != NULL && !str_eq(target, only_key))
        return NULL;
    struct kms_AliasListEntry *e = &out->Aliases.v[out->Aliases.n++];
    e->AliasName = alias;
    e->AliasArn = call_arn(c, "kms", "%.*s", STR_ARG(alias));
    e->TargetKeyId = target;
    e->CreationDate = some_int(jv_i(jv_get(row, "created_ms"), 0));
    e->LastUpdatedDate = some_int(jv_i(jv_get(row, "updated_ms"), 0));
    return NULL;
}

OP_HANDLER(kms, ListAliases, ListAliasesRequest, ListAliasesResponse)
{
    size_t limit = (size_t)(in->Limit.set ? in->Limit.v : KMS_LIST_DEFAULT);
    struct str position, only = STR_NONE;
    TRY(page_position(c, in->Marker, "InvalidMarkerException", &position));
    if (in->KeyId.p != NULL) {
        struct key k;
        TRY(key_need(c, in->KeyId, &k));
        only = k.id;
    }
    struct skey prefix = skey();
    key_str(&prefix, c->account);
    key_str(&prefix, c->region);
    struct scan sc = {.prefix = key_of(&prefix), .from = position, .after = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, KMS_T_ALIAS, &sc, &cur));
    out->Aliases.v = ARENA_ARRAY(c->arena, limit, struct kms_AliasListEntry);
    out->Aliases.set = true;
    out->Truncated = some_bool(false);
    struct str last = STR_NONE;
    for (;;) {
        bool more;
        struct str key, value, account, region, alias;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        if (out->Aliases.n == limit) {
            out->Truncated = some_bool(true);
            out->NextMarker = page_token(c, last);
            return NULL;
        }
        last = arena_str(c->arena, key);
        if (key_take_str(c->arena, &key, &account) && key_take_str(c->arena, &key, &region) &&
            key_take_str(c->arena, &key, &alias))
            TRY(list_entry(c, alias, value, only, out));
    }
}
