#include "identity_int.h"

#include "../core/clock.h"
#include "../crypto/crypto.h"

#define ADMIN_NAME "ward-admin"
#define ADMIN_POLICY                                                                               \
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","                            \
    "\"Action\":\"*\",\"Resource\":\"*\"}]}"

enum { FIRST_ATTEMPTS = 20, ARENA_BYTES = 256 * 1024 };

bool identity_account_exists(struct txn *t, struct str account)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(ARENA_BYTES);
    struct jv *row = NULL;
    err_free(iam_row_peek(t, a, "iam.account", account, STR_NONE, &row));
    return row != NULL;
}

static void set_s(struct arena *a, struct jv *o, const char *key, struct str v)
{
    jv_set(a, o, str_c(key), jv_new_str(a, v));
}

/* -- the administrator's key ------------------------------------------------------------------- */

static struct err *admin_key(struct txn *t, struct arena *a, struct str account,
                             struct first_account *out)
{
    struct jv *user;
    TRY(iam_row_peek(t, a, "iam.user", account, STR(ADMIN_NAME), &user));
    const struct jv *keys = jv_get(user, "keys");
    for (size_t i = 0; i < jv_len(keys); i++) {
        struct str id = jv_s(jv_at(keys, i));
        struct jv *key;
        TRY(iam_row_peek(t, a, "iam.key", STR_NONE, id, &key));
        if (!str_is(jv_s(jv_get(key, "status")), "Active"))
            continue;
        struct secret *secret;
        TRY(secret_new(jv_s(jv_get(key, "secret")), &secret));
        *out = (struct first_account){.account = arena_str(a, account),
                                      .admin_user = STR(ADMIN_NAME),
                                      .access_key_id = id,
                                      .secret_access_key = secret};
        return NULL;
    }
    return err_new(ERR_NOT_FOUND, "The user " ADMIN_NAME
                                  " has no active access key in this account.");
}

struct err *identity_admin_key(struct store *s, struct arena *a, struct str account,
                               struct first_account *out)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    TRY(store_begin(s, TXN_READ, &t));
    return admin_key(t, a, account, out);
}

/* -- the first account ------------------------------------------------------------------------- */

static struct str random_account(struct arena *a)
{
    /* no leading zero, so that the id survives tools that take it for a number */
    return arena_concat(a, rand_text(a, 1, "123456789"), rand_text(a, 11, "0123456789"));
}

static struct err *put_account(struct txn *t, struct arena *a, struct str account, int64_t now)
{
    struct jv *row = jv_new_obj(a);
    set_s(a, row, "id", account);
    jv_set(a, row, STR("created_ms"), jv_new_int(a, now));
    jv_set(a, row, STR("users"), jv_new_int(a, 1)); /* the administrator */
    TRY(iam_row_put(t, a, "iam.account", account, STR_NONE, row));
    return txn_put(t, "iam.first", STR("ward"), STR("account"), account);
}

static struct err *put_admin(struct txn *t, struct arena *a, struct str account, struct str key_id,
                             int64_t now)
{
    struct jv *row = jv_new_obj(a), *docs = jv_new_obj(a), *keys = jv_new_arr(a);
    set_s(a, docs, "AdministratorAccess", STR(ADMIN_POLICY));
    jv_push(a, keys, jv_new_str(a, key_id));
    set_s(a, row, "name", STR(ADMIN_NAME));
    set_s(a, row, "path", STR("/"));
    set_s(a, row, "id", identity_new_id(a, "AIDA"));
    set_s(a, row, "arn",
          arena_fmt(a, "arn:" IDENTITY_PARTITION ":iam::%.*s:user/" ADMIN_NAME,
                    STR_ARG(account)));
    jv_set(a, row, STR("created_ms"), jv_new_int(a, now));
    jv_set(a, row, STR("inline"), docs);
    jv_set(a, row, STR("keys"), keys);
    return iam_row_put(t, a, "iam.user", account, STR(ADMIN_NAME), row);
}

static struct err *put_admin_key(struct txn *t, struct arena *a, struct str account,
                                 struct str key_id, int64_t now)
{
    struct jv *row = jv_new_obj(a);
    set_s(a, row, "account", account);
    set_s(a, row, "user", STR(ADMIN_NAME));
    set_s(a, row, "secret", identity_new_secret(a));
    set_s(a, row, "status", STR("Active"));
    jv_set(a, row, STR("created_ms"), jv_new_int(a, now));
    return iam_row_put(t, a, "iam.key", account, key_id, row);
}

/* Without a key, when the administrator has deleted it: that is no reason not to start. */
static struct err *there_already(struct txn *t, struct arena *a, struct str account,
                                 struct first_account *out)
{
    struct err *e = admin_key(t, a, account, out);
    if (!err_is(e, ERR_NOT_FOUND))
        return e;
    err_free(e);
    *out = (struct first_account){.account = account, .admin_user = STR(ADMIN_NAME)};
    return NULL;
}

static struct err *try_first(struct store *s, struct arena *a, struct first_account *out)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    TRY(store_begin(s, TXN_WRITE, &t));
    struct str account;
    TRY(txn_get(t, "iam.first", STR("account"), a, &account));
    if (account.p != NULL)
        return there_already(t, a, account, out);
    int64_t now = clock_now_ms();
    account = random_account(a);
    struct str key_id = identity_new_key_id(a, "AKIA", account);
    TRY(put_account(t, a, account, now));
    TRY(put_admin(t, a, account, key_id, now));
    TRY(put_admin_key(t, a, account, key_id, now));
    struct first_account made;
    TRY(admin_key(t, a, account, &made)); /* the transaction sees its own writes */
    struct err *e = txn_commit(&t);
    if (e != NULL) {
        secret_free(made.secret_access_key);
        return e;
    }
    *out = made;
    return NULL;
}

struct err *identity_first_account(struct store *s, struct arena *a, struct first_account *out)
{
    for (int i = 0;; i++) {
        struct err *e = try_first(s, a, out);
        if (!err_is(e, ERR_CONFLICT) || i == FIRST_ATTEMPTS)
            return e;
        err_free(e);
    }
}
