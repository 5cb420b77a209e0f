/* The identity engine against a store in memory. */
#include "../identity.h"
#include "../managed_policies.h"
#include "../../core/clock.h"
#include "../../core/enc.h"
#include "../../crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const int64_t now = 1800000000000;

struct bench {
    struct store *s;
    struct arena *a;
    struct first_account first;
};

static void ok(struct err *e)
{
    if (e != NULL)
        fail_msg("%s: %s", e->code != NULL ? e->code : "error", e->message);
}

static void is_code(struct err *e, const char *code)
{
    assert_non_null(e);
    assert_string_equal(e->code != NULL ? e->code : "none", code);
    err_free(e);
}

static int set_up(void **state)
{
    struct bench *b = test_calloc(1, sizeof *b);
    ok(crypto_init());
    clock_set_fake(now);
    b->a = arena_new(64 * 1024 * 1024);
    ok(store_open_memory(&b->s));
    ok(identity_first_account(b->s, b->a, &b->first));
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    secret_free(b->first.secret_access_key);
    arena_free(b->a);
    store_close(b->s);
    test_free(b);
    return 0;
}

static struct jv *row_of(struct bench *b, const char *json)
{
    struct jv *row = NULL;
    ok(json_parse(b->a, str_c(json), 16, &row));
    return row;
}

static void put(struct bench *b, const char *table, const char *name, const char *json)
{
    struct txn *t = NULL;
    ok(store_begin(b->s, TXN_WRITE, &t));
    ok(iam_row_put(t, b->a, table, b->first.account, str_c(name), row_of(b, json)));
    ok(txn_commit(&t));
}

static void drop(struct bench *b, const char *table, const char *name)
{
    struct txn *t = NULL;
    ok(store_begin(b->s, TXN_WRITE, &t));
    ok(iam_row_del(t, table, b->first.account, str_c(name)));
    ok(txn_commit(&t));
}

static struct err *of_key(struct bench *b, struct str key, struct str token, int64_t at,
                          struct identity *out)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    ok(store_begin(b->s, TXN_READ, &t));
    return identity_of_key(b->s, t, b->a, key, token, at, out);
}

static struct err *policies(struct bench *b, const struct identity *id, struct policy_set *out)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    ok(store_begin(b->s, TXN_READ, &t));
    return identity_policies(t, b->a, id, out);
}

static bool allowed(struct bench *b, const struct identity *id, const char *action)
{
    struct policy_set set = {0};
    ok(policies(b, id, &set));
    struct authz_request r = {.who = id->who,
                              .action = str_c(action),
                              .resource = STR("*"),
                              .resource_account = id->who.account};
    return policy_evaluate(&set, &r).result == AUTHZ_ALLOW;
}

static void assert_str(struct str s, const char *want)
{
    assert_int_equal(s.n, strlen(want));
    assert_memory_equal(s.p, want, s.n);
}

/* -- ids ------------------------------------------------------------------------------------- */

static void ids(void **state)
{
    struct bench *b = *state;
    struct str id = identity_new_id(b->a, "AROA");
    assert_int_equal(id.n, 21);
    assert_true(str_starts_c(id, "AROA"));
    static const char *const accounts[] = {"000000000001", "123456789012", "999999999999"};
    for (size_t i = 0; i < ARRAY_LEN(accounts); i++) {
        struct str key = identity_new_key_id(b->a, "AKIA", str_c(accounts[i]));
        assert_int_equal(key.n, 20);
        assert_str(identity_key_account(b->a, key), accounts[i]);
    }
    assert_null(identity_key_account(b->a, STR("AKIAAAAAAAAAAAAAAAAA")).p);
    assert_null(identity_key_account(b->a, STR("AKIA0000000000000000")).p);
    assert_null(identity_key_account(b->a, STR("AKIA")).p);
    /* The account that published descriptions of the form use as their example. */
    assert_str(identity_key_account(b->a, STR("ASIAQNZGKIQY56JQ7WML")), "029608264753");
    assert_int_equal(identity_new_secret(b->a).n, 40);
}

/* -- the first account ----------------------------------------------------------------------- */

static void first_account(void **state)
{
    struct bench *b = *state;
    assert_int_equal(b->first.account.n, 12);
    assert_true(b->first.account.p[0] != '0');
    assert_str(b->first.admin_user, "ward-admin");
    struct first_account again;
    ok(identity_first_account(b->s, b->a, &again));
    assert_true(str_eq(again.account, b->first.account));
    assert_true(str_eq(again.access_key_id, b->first.access_key_id));
    assert_int_equal(secret_size(again.secret_access_key), 40);
    assert_memory_equal(secret_bytes(again.secret_access_key),
                        secret_bytes(b->first.secret_access_key), 40);
    secret_free(again.secret_access_key);
    struct txn *t = NULL;
    ok(store_begin(b->s, TXN_READ, &t));
    assert_true(identity_account_exists(t, b->first.account));
    assert_false(identity_account_exists(t, STR("000000000000")));
    txn_abort(&t);
}

static void first_account_without_key(void **state)
{
    struct bench *b = *state;
    struct first_account again;
    struct txn *t = NULL;
    ok(store_begin(b->s, TXN_WRITE, &t));
    ok(iam_row_del(t, "iam.key", STR_NONE, b->first.access_key_id));
    ok(txn_commit(&t));
    ok(identity_first_account(b->s, b->a, &again));
    assert_true(str_eq(again.account, b->first.account));
    assert_null(again.access_key_id.p);
    assert_null(again.secret_access_key);
    struct err *e = identity_admin_key(b->s, b->a, b->first.account, &again);
    assert_true(err_is(e, ERR_NOT_FOUND));
    err_free(e);
}

/* -- long-term keys -------------------------------------------------------------------------- */

static void key_of_user(void **state)
{
    struct bench *b = *state;
    struct identity id;
    ok(of_key(b, b->first.access_key_id, STR_NONE, now, &id));
    assert_int_equal(id.who.kind, PRINCIPAL_USER);
    assert_true(str_eq(id.who.account, b->first.account));
    assert_str(id.who.name, "ward-admin");
    assert_true(str_starts_c(id.who.user_id, "AIDA"));
    assert_true(str_ends_c(id.who.arn, ":user/ward-admin"));
    assert_false(id.is_session);
    assert_memory_equal(secret_bytes(id.secret), secret_bytes(b->first.secret_access_key), 40);
    assert_true(allowed(b, &id, "s3:GetObject"));
}

static void key_unknown_disabled_or_with_token(void **state)
{
    struct bench *b = *state;
    struct identity id;
    is_code(of_key(b, STR("AKIAIOSFODNN7EXAMPLE"), STR_NONE, now, &id), "InvalidClientTokenId");
    is_code(of_key(b, STR(""), STR_NONE, now, &id), "InvalidClientTokenId");
    is_code(of_key(b, b->first.access_key_id, STR("token"), now, &id), "InvalidClientTokenId");
    is_code(of_key(b, STR("ASIAIOSFODNN7EXAMPLE"), STR_NONE, now, &id), "InvalidClientTokenId");
    struct txn *t = NULL;
    struct jv *key = NULL;
    ok(store_begin(b->s, TXN_WRITE, &t));
    ok(iam_row_get(t, b->a, "iam.key", STR_NONE, b->first.access_key_id, &key));
    jv_set(b->a, key, STR("status"), jv_new_str(b->a, STR("Inactive")));
    ok(iam_row_put(t, b->a, "iam.key", b->first.account, b->first.access_key_id, key));
    ok(txn_commit(&t));
    is_code(of_key(b, b->first.access_key_id, STR_NONE, now, &id), "InvalidClientTokenId");
}

static void user_policies_from_everywhere(void **state)
{
    struct bench *b = *state;
    struct identity id;
#define DOC(effect, action)                                                                        \
    "\"{\\\"Version\\\":\\\"2012-10-17\\\",\\\"Statement\\\":{\\\"Effect\\\":\\\"" effect \
    "\\\",\\\"Action\\\":\\\"" action "\\\",\\\"Resource\\\":\\\"*\\\"}}\""
    put(b, "iam.user", "ward-admin",
        "{\"name\":\"ward-admin\",\"id\":\"AIDAX\",\"arn\":\"arn:aws:iam::1:user/ward-admin\","
        "\"tags\":{\"Team\":\"blue\"},\"inline\":{\"a\":" DOC("Allow", "kms:Encrypt") "},"
        "\"attached\":[\"arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess\",\"arn:own/P\"],"
        "\"groups\":[\"G\"]}");
    put(b, "iam.group", "G",
        "{\"name\":\"G\",\"inline\":{\"g\":" DOC("Deny", "s3:GetBucketAcl") "}}");
    put(b, "iam.policy", "arn:own/P",
        "{\"name\":\"P\",\"arn\":\"arn:own/P\",\"default\":\"v2\","
        "\"versions\":{\"v1\":{\"document\":"
        DOC("Allow", "ec2:*") "},\"v2\":{\"document\":" DOC("Allow", "sqs:*") "}}}");
    ok(of_key(b, b->first.access_key_id, STR_NONE, now, &id));
    assert_int_equal(id.n_tags, 1);
    assert_str(id.tags[0].name, "aws:PrincipalTag/Team");
    assert_str(id.tags[0].values[0], "blue");
    assert_true(allowed(b, &id, "kms:Encrypt"));
    assert_true(allowed(b, &id, "s3:GetObject"));
    assert_true(allowed(b, &id, "sqs:SendMessage"));
    assert_false(allowed(b, &id, "ec2:RunInstances")); /* version 1 is not the default */
    assert_false(allowed(b, &id, "s3:GetBucketAcl"));  /* the group's deny */
    assert_false(allowed(b, &id, "s3:PutObject"));
    /* A policy that cannot be found could have been a deny: nothing goes. */
    struct policy_set set;
    drop(b, "iam.policy", "arn:own/P");
    is_code(policies(b, &id, &set), "NoSuchEntity");
    drop(b, "iam.user", "ward-admin");
    is_code(policies(b, &id, &set), "InvalidClientTokenId");
}

static void boundary(void **state)
{
    struct bench *b = *state;
    struct identity id;
    put(b, "iam.user", "ward-admin",
        "{\"name\":\"ward-admin\",\"id\":\"AIDAX\",\"arn\":\"arn:aws:iam::1:user/ward-admin\","
        "\"attached\":[\"arn:aws:iam::aws:policy/AdministratorAccess\"],"
        "\"boundary\":\"arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess\"}");
    ok(of_key(b, b->first.access_key_id, STR_NONE, now, &id));
    assert_true(allowed(b, &id, "s3:GetObject"));
    assert_false(allowed(b, &id, "s3:PutObject"));
}

/* -- sessions -------------------------------------------------------------------------------- */

static void put_role(struct bench *b, const char *id)
{
    put(b, "iam.role", "Role",
        arena_fmt(b->a,
                  "{\"name\":\"Role\",\"path\":\"/p/\",\"id\":\"%s\",\"arn\":"
                  "\"arn:aws:iam::%.*s:role/p/Role\",\"tags\":{\"Team\":\"blue\",\"Env\":\"x\"},"
                  "\"attached\":[\"arn:aws:iam::aws:policy/AmazonS3FullAccess\"]}",
                  id, STR_ARG(b->first.account))
            .p);
}

static struct session_request role_request(struct bench *b)
{
    return (struct session_request){
        .account = b->first.account,
        .role_name = STR("Role"),
        .role_arn = arena_fmt(b->a, "arn:aws:iam::%.*s:role/p/Role", STR_ARG(b->first.account)),
        .role_id = STR("AROA1"),
        .session_name = STR("me"),
        .issued_ms = now,
        .expires_ms = now + 1000};
}

static void role_session(void **state)
{
    struct bench *b = *state;
    struct session_credentials k, other;
    struct identity id;
    put_role(b, "AROA1");
    struct session_request r = role_request(b);
    r.source_identity = STR("alice");
    r.tags = row_of(b, "{\"team\":\"red\"}");
    ok(session_create(b->s, b->a, &r, &k));
    ok(session_create(b->s, b->a, &r, &other));
    assert_true(str_starts_c(k.access_key_id, "ASIA"));
    ok(of_key(b, k.access_key_id, k.session_token, now, &id));
    assert_int_equal(id.who.kind, PRINCIPAL_ROLE);
    assert_true(id.is_session);
    assert_str(id.role_name, "Role");
    assert_str(id.role_path, "/p/");
    assert_true(str_eq(id.who.arn, r.role_arn));
    assert_true(str_ends_c(id.who.session_arn, ":assumed-role/Role/me"));
    assert_str(id.who.user_id, "AROA1:me");
    assert_str(id.source_identity, "alice");
    assert_int_equal(id.issued_ms, now);
    assert_int_equal(id.n_tags, 2); /* the session's team stands before the role's Team */
    assert_str(id.tags[0].values[0], "red");
    assert_memory_equal(secret_bytes(id.secret), k.secret_access_key.p, 40);
    assert_true(allowed(b, &id, "s3:PutObject"));
    /* a token belongs to one key id */
    is_code(of_key(b, other.access_key_id, k.session_token, now, &id), "InvalidClientTokenId");
    is_code(of_key(b, k.access_key_id, STR_NONE, now, &id), "InvalidClientTokenId");
}

static void session_ends(void **state)
{
    struct bench *b = *state;
    struct session_credentials k;
    struct identity id;
    put_role(b, "AROA1");
    struct session_request r = role_request(b);
    ok(session_create(b->s, b->a, &r, &k));
    ok(of_key(b, k.access_key_id, k.session_token, now + 999, &id));
    is_code(of_key(b, k.access_key_id, k.session_token, now + 1000, &id), "ExpiredToken");
    put_role(b, "AROA2"); /* deleted and made again: another role */
    struct policy_set set;
    is_code(policies(b, &id, &set), "InvalidClientTokenId");
    is_code(of_key(b, k.access_key_id, k.session_token, now, &id), "InvalidClientTokenId");
    drop(b, "iam.role", "Role");
    is_code(of_key(b, k.access_key_id, k.session_token, now, &id), "InvalidClientTokenId");
}

static void session_detached_at_once(void **state)
{
    struct bench *b = *state;
    struct session_credentials k;
    struct identity id;
    put_role(b, "AROA1");
    struct session_request r = role_request(b);
    ok(session_create(b->s, b->a, &r, &k));
    ok(of_key(b, k.access_key_id, k.session_token, now, &id));
    assert_true(allowed(b, &id, "s3:GetObject"));
    put(b, "iam.role", "Role",
        arena_fmt(b->a, "{\"name\":\"Role\",\"id\":\"AROA1\",\"arn\":\"%.*s\"}",
                  STR_ARG(r.role_arn))
            .p);
    assert_false(allowed(b, &id, "s3:GetObject"));
}

static void session_policies_cap(void **state)
{
    struct bench *b = *state;
    struct session_credentials k;
    struct identity id;
    put_role(b, "AROA1");
    struct session_request r = role_request(b);
    r.session_policy = STR("{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
                           "\"Action\":\"s3:PutObject\",\"Resource\":\"*\"}]}");
    ok(session_create(b->s, b->a, &r, &k));
    ok(of_key(b, k.access_key_id, k.session_token, now, &id));
    assert_true(allowed(b, &id, "s3:PutObject"));
    assert_false(allowed(b, &id, "s3:GetObject"));
    struct str arn = STR("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess");
    r.session_policy = STR_NONE;
    r.session_policy_arns = &arn;
    r.n_session_policy_arns = 1;
    ok(session_create(b->s, b->a, &r, &k));
    ok(of_key(b, k.access_key_id, k.session_token, now, &id));
    assert_false(allowed(b, &id, "s3:PutObject"));
    assert_true(allowed(b, &id, "s3:GetObject"));
}

static void forged_tokens(void **state)
{
    struct bench *b = *state;
    struct session_credentials k;
    struct identity id;
    put_role(b, "AROA1");
    struct session_request r = role_request(b);
    ok(session_create(b->s, b->a, &r, &k));
    struct str raw;
    assert_true(dec_base64(b->a, k.session_token, &raw));
    for (size_t i = 0; i < raw.n; i += 7) {
        char *bad = arena_cstr(b->a, raw);
        bad[i] ^= 1;
        struct str token = enc_base64(b->a, str_of(bad, raw.n));
        is_code(of_key(b, k.access_key_id, token, now, &id), "InvalidClientTokenId");
    }
    is_code(of_key(b, k.access_key_id, STR("!"), now, &id), "InvalidClientTokenId");
    is_code(of_key(b, k.access_key_id, STR("AAAA"), now, &id), "InvalidClientTokenId");
    struct store *elsewhere = NULL;
    ok(store_open_memory(&elsewhere));
    struct txn *t = NULL;
    ok(store_begin(elsewhere, TXN_READ, &t));
    is_code(identity_of_key(elsewhere, t, b->a, k.access_key_id, k.session_token, now, &id),
            "InvalidClientTokenId");
    txn_abort(&t);
    store_close(elsewhere);
}

static void too_much_in_a_token(void **state)
{
    struct bench *b = *state;
    struct session_credentials k;
    struct session_request r = role_request(b);
    char *big = arena_alloc(b->a, SESSION_PACKED_MAX + 1);
    memset(big, 'x', SESSION_PACKED_MAX);
    r.session_policy = str_of(big, SESSION_PACKED_MAX);
    is_code(session_create(b->s, b->a, &r, &k), "PackedPolicyTooLarge");
}

static void user_session(void **state)
{
    struct bench *b = *state;
    struct identity me, id;
    struct session_credentials k;
    ok(of_key(b, b->first.access_key_id, STR_NONE, now, &me));
    struct session_request r = {.account = b->first.account,
                                .user_name = me.who.name,
                                .user_id = me.who.user_id,
                                .user_key = me.access_key_id,
                                .issued_ms = now,
                                .expires_ms = now + 1000};
    ok(session_create(b->s, b->a, &r, &k));
    ok(of_key(b, k.access_key_id, k.session_token, now, &id));
    assert_int_equal(id.who.kind, PRINCIPAL_USER);
    assert_true(id.is_session);
    assert_true(str_eq(id.who.arn, me.who.arn));
    assert_true(allowed(b, &id, "s3:GetObject"));
    struct txn *t = NULL;
    ok(store_begin(b->s, TXN_WRITE, &t));
    ok(iam_row_del(t, "iam.key", STR_NONE, b->first.access_key_id));
    ok(txn_commit(&t));
    is_code(of_key(b, k.access_key_id, k.session_token, now, &id), "InvalidClientTokenId");
}

/* -- roles and services without credentials -------------------------------------------------- */

static void role_without_credentials(void **state)
{
    struct bench *b = *state;
    struct identity id;
    put_role(b, "AROA1");
    struct session_request r = role_request(b);
    struct txn *t = NULL;
    ok(store_begin(b->s, TXN_READ, &t));
    ok(identity_of_role(t, b->a, r.role_arn, STR("fn"), &id));
    assert_str(id.who.user_id, "AROA1:fn");
    assert_null(id.secret);
    /* the name alone, without the path, is another ARN */
    struct str wrong = arena_fmt(b->a, "arn:aws:iam::%.*s:role/Role", STR_ARG(b->first.account));
    is_code(identity_of_role(t, b->a, wrong, STR("fn"), &id), "NoSuchEntity");
    is_code(identity_of_role(t, b->a, STR("nonsense"), STR("fn"), &id), "NoSuchEntity");
    is_code(identity_of_role(t, b->a, STR(""), STR("fn"), &id), "NoSuchEntity");
    txn_abort(&t);
    id = identity_of_service(b->a, STR("s3.amazonaws.com"), b->first.account);
    assert_int_equal(id.who.kind, PRINCIPAL_SERVICE);
    struct policy_set set;
    ok(policies(b, &id, &set));
    assert_int_equal(set.n_identity, 0);
    id = identity_anonymous();
    assert_int_equal(id.who.kind, PRINCIPAL_ANONYMOUS);
}

/* -- rows ------------------------------------------------------------------------------------ */

static bool count_to_two(void *arg, const struct jv *row)
{
    int *n = arg;
    assert_true(jv_is(row, JV_OBJ));
    return (*n)++ < 2;
}

static void rows(void **state)
{
    struct bench *b = *state;
    put(b, "iam.group", "Alpha", "{\"name\":\"Alpha\"}");
    put(b, "iam.group", "beta", "{\"name\":\"beta\"}");
    put(b, "iam.group", "Gamma", "{\"name\":\"Gamma\"}");
    struct txn *t = NULL;
    struct jv *row;
    bool taken;
    ok(store_begin(b->s, TXN_READ, &t));
    ok(iam_row_get(t, b->a, "iam.group", b->first.account, STR("Alpha"), &row));
    assert_non_null(row);
    ok(iam_row_get(t, b->a, "iam.group", b->first.account, STR("alpha"), &row));
    assert_null(row); /* written differently */
    ok(iam_row_taken(t, b->a, "iam.group", b->first.account, STR("ALPHA"), &taken));
    assert_true(taken);
    ok(iam_row_get(t, b->a, "iam.group", STR("000000000000"), STR("Alpha"), &row));
    assert_null(row);
    int n = 0;
    struct str position;
    ok(iam_row_each(t, b->a, "iam.group", b->first.account, STR_NONE, count_to_two, &n, &position));
    assert_int_equal(n, 3);
    assert_str(position, "gamma");
    n = 0;
    ok(iam_row_each(t, b->a, "iam.group", b->first.account, position, count_to_two, &n, &position));
    assert_int_equal(n, 1);
    assert_null(position.p);
    char *endless = arena_alloc(b->a, 5000);
    memset(endless, 'a', 5000);
    ok(iam_row_get(t, b->a, "iam.group", b->first.account, str_of(endless, 5000), &row));
    assert_null(row);
    txn_abort(&t);
}

static void managed_policies(void **state)
{
    (void)state;
    const struct managed_policy *m;
    size_t n = 0;
    for (; (m = managed_policy_at(n)) != NULL; n++) {
        struct policy *p = NULL;
        int64_t ms;
        ok(policy_compile(str_c(m->document), POLICY_IDENTITY, &p));
        policy_unref(p);
        assert_ptr_equal(managed_policy_find(str_c(m->arn)), m);
        assert_true(str_ends_c(str_c(m->arn), m->name));
        assert_true(time_parse_iso8601(str_c(m->created), &ms));
        assert_true(time_parse_iso8601(str_c(m->updated), &ms));
    }
    assert_true(n >= 31);
    assert_null(managed_policy_find(STR("arn:aws:iam::aws:policy/Billing")));
}

int main(void)
{
#define EACH(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        EACH(ids),
        EACH(first_account),
        EACH(first_account_without_key),
        EACH(key_of_user),
        EACH(key_unknown_disabled_or_with_token),
        EACH(user_policies_from_everywhere),
        EACH(boundary),
        EACH(role_session),
        EACH(session_ends),
        EACH(session_detached_at_once),
        EACH(session_policies_cap),
        EACH(forged_tokens),
        EACH(too_much_in_a_token),
        EACH(user_session),
        EACH(role_without_credentials),
        EACH(rows),
        EACH(managed_policies),
    };
    return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
