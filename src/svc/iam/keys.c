#include "room.h"

/* Access keys: a row by key id with the secret, and the ids in the user's row. The secret leaves
 * once, in CreateAccessKey's answer; the record hides it (the model marks it sensitive). */

OP_HANDLER(iam, CreateAccessKey, CreateAccessKeyRequest, CreateAccessKeyResponse)
{
    struct str name;
    struct jv *user = NULL;
    TRY(iam_user_name(c, in->UserName, &name));
    TRY(iam_entity(c, IAM_USER, name, &user));
    struct jv *keys = row_arr(c, user, "keys");
    if (jv_len(keys) >= IAM_KEYS_PER_USER)
        return err_aws(409, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: %d",
                       IAM_KEYS_PER_USER);
    struct str id;
    bool taken;
    do {
        id = identity_new_key_id(c->arena, "AKIA", c->account);
        TRY(iam_row_taken(c->txn, c->arena, "iam.key", c->account, id, &taken));
    } while (taken);
    struct str secret = identity_new_secret(c->arena);
    struct jv *row = jv_new_obj(c->arena);
    row_set(c, row, "account", c->account);
    row_set(c, row, "user", name);
    row_set(c, row, "secret", secret);
    row_set(c, row, "status", STR("Active"));
    row_set_i(c, row, "created_ms", iam_now(c));
    TRY(iam_row_put(c->txn, c->arena, "iam.key", c->account, id, row));
    jv_push(c->arena, keys, jv_new_str(c->arena, id));
    jv_set(c->arena, user, STR("keys"), keys);
    TRY(iam_entity_put(c, IAM_USER, user));
    struct iam_AccessKey *k = ARENA_NEW(c->arena, struct iam_AccessKey);
    k->UserName = name;
    k->AccessKeyId = id;
    k->Status = STR("Active");
    k->SecretAccessKey = secret;
    k->CreateDate = some_int(iam_now(c));
    out->AccessKey = k;
    return NULL;
}

OP_HANDLER(iam, ListAccessKeys, ListAccessKeysRequest, ListAccessKeysResponse)
{
    struct str name;
    struct jv *user = NULL;
    TRY(iam_user_name(c, in->UserName, &name));
    TRY(iam_entity(c, IAM_USER, name, &user));
    const struct jv *keys = jv_get(user, "keys");
    struct iam_range r;
    TRY(iam_page_range(c, in->Marker, in->MaxItems, jv_len(keys), &r));
    out->AccessKeyMetadata.set = true;
    out->AccessKeyMetadata.v =
        ARENA_ARRAY(c->arena, r.to - r.from + 1, struct iam_AccessKeyMetadata);
    for (size_t i = r.from; i < r.to; i++) {
        struct iam_AccessKeyMetadata *m = &out->AccessKeyMetadata.v[out->AccessKeyMetadata.n++];
        struct jv *row = NULL;
        m->AccessKeyId = jv_s(jv_at(keys, i));
        TRY(iam_row_get(c->txn, c->arena, "iam.key", c->account, m->AccessKeyId, &row));
        m->UserName = name;
        m->Status = row_s(row, "status");
        m->CreateDate = row_time(row, "created_ms");
    }
    out->IsTruncated = some_bool(r.next_marker.p != NULL);
    out->Marker = r.next_marker;
    return NULL;
}

/* The key, if it is this user's. */
static struct err *user_key(struct call *c, struct str given, struct str id, struct jv **out_user,
                            struct jv **out_key)
{
    struct str name;
    struct jv *user = NULL, *key = NULL;
    TRY(iam_user_name(c, given, &name));
    TRY(iam_entity(c, IAM_USER, name, &user));
    if (jv_has_str(jv_get(user, "keys"), id))
        TRY(iam_row_get(c->txn, c->arena, "iam.key", c->account, id, &key));
    if (key == NULL)
        return err_aws(404, "NoSuchEntity", "The Access Key with id %.*s cannot be found.",
                       STR_ARG(id));
    *out_user = user;
    *out_key = key;
    return NULL;
}

OP_HANDLER_NO_OUT(iam, UpdateAccessKey, UpdateAccessKeyRequest)
{
    struct jv *user, *key;
    TRY(user_key(c, in->UserName, in->AccessKeyId, &user, &key));
    row_set(c, key, "status", in->Status);
    return iam_row_put(c->txn, c->arena, "iam.key", c->account, in->AccessKeyId, key);
}

OP_HANDLER_NO_OUT(iam, DeleteAccessKey, DeleteAccessKeyRequest)
{
    struct jv *user, *key;
    TRY(user_key(c, in->UserName, in->AccessKeyId, &user, &key));
    struct jv *keys = row_arr(c, user, "keys");
    jv_drop_str(keys, in->AccessKeyId);
    jv_set(c->arena, user, STR("keys"), keys);
    TRY(iam_row_del(c->txn, "iam.key", c->account, in->AccessKeyId));
    return iam_entity_put(c, IAM_USER, user);
}
