/* Calls down the line to a room of the test's own, against a store in memory: their records when
 * something of another account is used, which no client can do while there is one account. */
#include "../line.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define OTHER "222222222222"
#define NOWHERE "333333333333"
#define USER_ARN "arn:aws:iam::" OTHER ":user/ann"
#define USER_ID "AIDAANNANNANNANNANN01"

static struct bench {
    struct ward ward;
    struct arena *a;
    struct first_account first;
    struct str owner, policy; /* of the thing */
} b;

static void ok(struct err *e)
{
    if (e != NULL)
        fail_msg("%s: %s", e->code != NULL ? e->code : "error", e->message);
}

/* -- the room ---------------------------------------------------------------------------------- */

static struct err *target_thing(struct call *c, struct target *out)
{
    out->arn = arena_fmt(c->arena, "arn:aws:test:us-east-1:%.*s:thing", STR_ARG(b.owner));
    out->account = b.owner;
    out->policy = b.policy;
    out->type = "AWS::Test::Thing";
    return NULL;
}

static struct err *use(struct call *c, const void *in UNUSED, void *out UNUSED)
{
    return txn_put(c->txn, "test", c->account, STR("used"), STR("yes"));
}

static const struct need needs[] = {{"test:Use", NULL, target_thing}, {0}};
static const struct op_row rows[] = {{.name = "Use", .handler = use, .effect = OP_WRITE,
                                      .audit = AUDIT_MANAGEMENT, .needs = needs,
                                      .record_in = ""}};
static const struct op_model ops[] = {{.name = "Use", .http_method = "POST", .http_uri = "/",
                                       .http_status = 200}};
static const char *const names[] = {"Use", NULL};
static const enum protocol protocols[] = {PROTO_JSON11};
static const struct service_model model = {.name = "test", .signing_name = "test", .ops = ops,
                                           .n_ops = 1, .all_ops = names, .protocols = protocols,
                                           .n_protocols = 1};
static const struct room room = {.name = "test", .model = &model,
                                 .event_source = "test.amazonaws.com", .ops = rows, .n_ops = 1,
                                 .validation_code = "ValidationException",
                                 .denied_code = "AccessDeniedException"};
static const struct room *const rooms[] = {&room};

/* -- set up ------------------------------------------------------------------------------------ */

static void put_user(void)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    struct jv *row = jv_new_obj(b.a), *inlined = jv_new_obj(b.a);
    jv_set(b.a, row, STR("name"), jv_new_str(b.a, STR("ann")));
    jv_set(b.a, row, STR("arn"), jv_new_str(b.a, STR(USER_ARN)));
    jv_set(b.a, row, STR("id"), jv_new_str(b.a, STR(USER_ID)));
    jv_set(b.a, inlined, STR("p"),
           jv_new_str(b.a, STR("{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\","
                               "\"Action\":\"*\",\"Resource\":\"*\"}}")));
    jv_set(b.a, row, STR("inline"), inlined);
    ok(store_begin(b.ward.store, TXN_WRITE, &t));
    ok(iam_row_put(t, b.a, "iam.user", STR(OTHER), STR("ann"), row));
    ok(txn_commit(&t));
}

static int set_up(void **state UNUSED)
{
    ok(crypto_init());
    memset(&b, 0, sizeof b);
    b.a = arena_new(16 * 1024 * 1024);
    b.ward = (struct ward){.rooms = rooms, .n_rooms = 1, .data_dir = "/", .region = "us-east-1"};
    ok(store_open_memory(&b.ward.store));
    ok(identity_first_account(b.ward.store, b.a, &b.first));
    ok(ledger_open(b.ward.store, &b.ward.ledger));
    put_user();
    b.owner = b.first.account;
    b.policy = STR("{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Principal\":"
                   "{\"AWS\":\"" OTHER "\"},\"Action\":\"test:*\",\"Resource\":\"*\"}}");
    return 0;
}

static int tear_down(void **state UNUSED)
{
    secret_free(b.first.secret_access_key);
    ledger_close(b.ward.ledger);
    store_close(b.ward.store);
    arena_free(b.a);
    return 0;
}

static struct err *call(void)
{
    struct api_call o = {.ward = &b.ward, .as = AS_PRINCIPAL, .service = "job.amazonaws.com",
                         .principal_arn = STR(USER_ARN), .principal_id = STR(USER_ID),
                         .account = STR(OTHER), .region = STR("us-east-1"), .arena = b.a};
    return api_call(&o, "test", "Use", NULL, NULL);
}

/* The records of an account, as JSON; the nth from the newest. */
struct found {
    struct jv *v[8];
    size_t n;
};

static bool collect(void *ctx, const struct ledger_entry *e)
{
    struct found *f = ctx;
    assert_true(f->n < ARRAY_LEN(f->v));
    ok(json_parse(b.a, e->rec.json, JSON_DEPTH_MAX, &f->v[f->n++]));
    return true;
}

static struct found records_of(struct str account)
{
    struct found f = {0};
    struct txn *t CLEANUP(txn_abort) = NULL;
    ok(store_begin(b.ward.store, TXN_READ, &t));
    ok(ledger_scan(b.ward.ledger, t, b.a, account, 0, INT64_MAX, collect, &f));
    return f;
}

static struct str field(const struct jv *record, const char *name)
{
    return jv_s(jv_get(record, name));
}

static void assert_says(struct str got, const char *want)
{
    if (!str_is(got, want))
        fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(got), want);
}

/* -- tests ------------------------------------------------------------------------------------- */

static void test_both_accounts_are_told(void **state UNUSED)
{
    ok(call());
    struct found theirs = records_of(STR(OTHER)), ours = records_of(b.first.account);
    assert_int_equal(theirs.n, 1);
    assert_int_equal(ours.n, 1);
    struct str shared = field(theirs.v[0], "sharedEventID");
    assert_int_equal(shared.n, 36);
    assert_true(str_eq(shared, field(ours.v[0], "sharedEventID")));
    assert_true(str_eq(field(ours.v[0], "recipientAccountId"), b.first.account));
    assert_says(field(theirs.v[0], "recipientAccountId"), OTHER);
    assert_false(str_eq(field(theirs.v[0], "eventID"), field(ours.v[0], "eventID")));
    assert_true(str_eq(field(theirs.v[0], "requestID"), field(ours.v[0], "requestID")));
    const struct jv *who = jv_get(theirs.v[0], "userIdentity");
    assert_says(field(who, "type"), "IAMUser");
    assert_says(field(who, "userName"), "ann");
    who = jv_get(ours.v[0], "userIdentity"); /* who it was, not by which name */
    assert_says(field(who, "type"), "AWSAccount");
    assert_says(field(who, "principalId"), USER_ID);
    assert_says(field(who, "accountId"), OTHER);
    assert_null(jv_get(who, "userName"));
    assert_null(jv_get(who, "arn"));
}

static void test_a_refusal_as_well(void **state UNUSED)
{
    b.policy = STR_NONE;
    struct err *e = call();
    assert_true(err_has_code(e, "AccessDeniedException"));
    err_free(e);
    struct found theirs = records_of(STR(OTHER)), ours = records_of(b.first.account);
    assert_int_equal(theirs.n, 1);
    assert_int_equal(ours.n, 1);
    assert_says(field(ours.v[0], "errorCode"), "AccessDenied");
    assert_true(str_eq(field(ours.v[0], "sharedEventID"), field(theirs.v[0], "sharedEventID")));
}

/* An input can name any account; nobody would read its ledger. */
static void test_accounts_of_elsewhere_get_nothing(void **state UNUSED)
{
    b.owner = STR(NOWHERE);
    ok(call());
    assert_int_equal(records_of(STR(NOWHERE)).n, 0);
    struct found theirs = records_of(STR(OTHER));
    assert_int_equal(theirs.n, 1);
    assert_null(jv_get(theirs.v[0], "sharedEventID"));
}

static void test_within_an_account_one_record(void **state UNUSED)
{
    b.owner = STR(OTHER);
    ok(call());
    struct found theirs = records_of(STR(OTHER));
    assert_int_equal(theirs.n, 1);
    assert_null(jv_get(theirs.v[0], "sharedEventID"));
    assert_int_equal(records_of(b.first.account).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_both_accounts_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_refusal_as_well, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_accounts_of_elsewhere_get_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_within_an_account_one_record, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
