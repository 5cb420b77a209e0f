/* The rows that nearly every request needs, kept decoded (txn_look): access keys with their secrets
 * in locked memory, users, roles, groups and policies as documents. */
#include "identity_int.h"

#include "../core/json.h"
#include "sigv4.h"

enum {
    KEY_ROW_MAX = 64 * 1024,
    KEY_DEPTH_MAX = 16,
    KEY_BYTES = 1024, /* about, with its secrets */
};

static void key_free(void *object)
{
    struct kept_key *k = object;
    sig_keys_free(k->signing);
    secret_free(k->secret);
    arena_free(k->arena);
}

static struct err *key_read(struct arena *scratch, struct str text, struct kept_key *k)
{
    struct jv *row = NULL;
    TRY(json_parse(scratch, text, KEY_DEPTH_MAX, &row));
    struct str secret = jv_s(jv_get(row, "secret"));
    arena_wipe_later(scratch, secret);
    k->account = arena_str(k->arena, jv_s(jv_get(row, "account")));
    k->user = arena_str(k->arena, jv_s(jv_get(row, "user")));
    k->active = str_is(jv_s(jv_get(row, "status")), "Active");
    return secret_new(secret, &k->secret);
}

static struct err *key_decode(struct str text, void **out, size_t *out_bytes)
{
    struct arena *scratch CLEANUP(arena_free_ptr) = arena_new(KEY_ROW_MAX);
    struct arena *a = arena_new(KEY_ROW_MAX);
    struct kept_key *k = ARENA_NEW(a, struct kept_key);
    k->arena = a;
    k->signing = sig_keys_new();
    struct err *e = key_read(scratch, text, k);
    if (e != NULL) {
        key_free(k);
        return err_detail(e, "table iam.key");
    }
    *out = k;
    *out_bytes = KEY_BYTES + arena_used(a);
    return NULL;
}

struct err *iam_key_look(struct txn *t, struct arena *a, struct str key_id,
                         const struct kept_key **out)
{
    static const struct row_form form = {key_decode, key_free};
    struct skey k = iam_row_key(a, "iam.key", STR_NONE, key_id);
    const void *object = NULL;
    if (!k.over)
        TRY(txn_look(t, "iam.key", &form, key_of(&k), a, &object));
    *out = object;
    return NULL;
}

struct err *iam_row_look(struct txn *t, struct arena *a, const char *table, struct str account,
                         struct str name, const struct jv **out)
{
    struct skey k = iam_row_key(a, table, account, name);
    const struct jv *row = NULL;
    if (!k.over)
        TRY(txn_look_json(t, table, key_of(&k), a, &row));
    *out = row != NULL && iam_row_is(table, row, name) ? row : NULL;
    return NULL;
}
