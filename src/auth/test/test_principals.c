/* Principals of a resource's policy kept by id, against a store in memory. */
#include "../principals.h"

#include "../../core/clock.h"
#include "../../crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct bench {
    struct store *s;
    struct arena *a;
    struct first_account first;
    struct txn *t;
};

static void ok(struct err *e)
{
    if (e != NULL)
        fail_msg("%s: %s", e->code != NULL ? e->code : "error", e->message);
}

static int set_up(void **state)
{
    struct bench *b = test_calloc(1, sizeof *b);
    ok(crypto_init());
    b->a = arena_new(16 * 1024 * 1024);
    ok(store_open_memory(&b->s));
    ok(identity_first_account(b->s, b->a, &b->first));
    ok(store_begin(b->s, TXN_WRITE, &b->t));
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    txn_abort(&b->t);
    secret_free(b->first.secret_access_key);
    arena_free(b->a);
    store_close(b->s);
    test_free(b);
    return 0;
}

static struct str arn_of(struct bench *b, const char *what)
{
    return arena_fmt(b->a, "arn:aws:iam::%.*s:%s", STR_ARG(b->first.account), what);
}

/* A user or role of that resource part ("user/p/Name"), with that id. */
static void put(struct bench *b, const char *what, const char *id)
{
    struct str arn = arn_of(b, what);
    struct str name = str_skip(arn, (size_t)(str_rfind_char(arn, '/') + 1));
    struct jv *row = jv_new_obj(b->a);
    jv_set(b->a, row, STR("name"), jv_new_str(b->a, name));
    jv_set(b->a, row, STR("arn"), jv_new_str(b->a, arn));
    jv_set(b->a, row, STR("id"), jv_new_str(b->a, str_c(id)));
    ok(iam_row_put(b->t, b->a, strncmp(what, "user/", 5) == 0 ? "iam.user" : "iam.role",
                   b->first.account, name, row));
}

/* A trust policy whose second statement names the principals (JSON). */
static struct str policy_of(struct bench *b, struct str principals)
{
    return arena_fmt(b->a,
                     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
                     "\"Principal\":{\"Service\":\"lambda.amazonaws.com\"},"
                     "\"Action\":\"sts:AssumeRole\"},{\"Effect\":\"Allow\",\"Principal\":"
                     "{\"AWS\":%.*s},\"Action\":\"sts:AssumeRole\"}]}",
                     STR_ARG(principals));
}

static struct str quoted(struct bench *b, struct str s)
{
    return arena_fmt(b->a, "\"%.*s\"", STR_ARG(s));
}

static struct str bound_of(struct bench *b, struct str document)
{
    struct str bound;
    ok(principals_bind(b->t, b->a, document, &bound));
    return bound;
}

static struct str shown_of(struct bench *b, struct str document, struct str bound)
{
    struct str shown;
    ok(principals_shown(b->t, b->a, document, bound, &shown));
    return shown;
}

static void assert_text(struct str got, struct str want)
{
    if (!str_eq(got, want))
        fail_msg("%.*s\nis not\n%.*s", STR_ARG(got), STR_ARG(want));
}

static void test_ids_take_the_place_of_arns(void **state)
{
    struct bench *b = *state;
    put(b, "user/p/Ann", "AIDAANNANNANNANNANN01");
    put(b, "role/App", "AROAAPPAPPAPPAPPAPP01");
    struct str list = arena_fmt(b->a, "[\"%.*s\",\"%.*s\",\"%.*s\",\"arn:aws:iam::999999999999:"
                                      "user/x\",\"*\"]",
                                STR_ARG(arn_of(b, "user/p/Ann")), STR_ARG(arn_of(b, "role/App")),
                                STR_ARG(arn_of(b, "root")));
    struct str want = arena_fmt(b->a, "[\"AIDAANNANNANNANNANN01\",\"AROAAPPAPPAPPAPPAPP01\","
                                      "\"%.*s\",\"arn:aws:iam::999999999999:user/x\",\"*\"]",
                                STR_ARG(arn_of(b, "root")));
    struct str document = policy_of(b, list), bound = bound_of(b, document);
    assert_text(bound, policy_of(b, want));
    assert_text(shown_of(b, document, bound), document);
    struct policy *p;
    ok(policy_compile(bound, POLICY_TRUST, &p));
    policy_unref(p);
}

static void test_who_names_nobody_is_not_bound(void **state)
{
    struct bench *b = *state;
    struct str document = policy_of(b, STR("\"*\""));
    assert_null(bound_of(b, document).p);
    assert_text(shown_of(b, document, STR_NONE), document);
    assert_null(bound_of(b, STR("{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\","
                                "\"Action\":\"sts:AssumeRole\"}}"))
                    .p);
}

static void test_who_is_not_there_is_refused(void **state)
{
    struct bench *b = *state;
    static const char *const absent[] = {"user/Bob", "role/Bob", "user/q/Ann", "user/ann"};
    put(b, "user/p/Ann", "AIDAANNANNANNANNANN01");
    for (size_t i = 0; i < ARRAY_LEN(absent); i++) {
        struct str bound;
        struct err *e = principals_bind(b->t, b->a, policy_of(b, quoted(b, arn_of(b, absent[i]))),
                                        &bound);
        assert_true(err_has_code(e, "MalformedPolicyDocument"));
        assert_non_null(strstr(e->message, absent[i]));
        err_free(e);
    }
}

/* Somebody else under the same name is not who was meant: the engine sees the id, and so does who
 * looks at the policy. */
static void test_made_again(void **state)
{
    struct bench *b = *state;
    put(b, "user/Ann", "AIDAANNANNANNANNANN01");
    struct str document = policy_of(b, quoted(b, arn_of(b, "user/Ann")));
    struct str bound = bound_of(b, document);
    put(b, "user/Ann", "AIDAANNANNANNANNANN02");
    struct policy *p;
    ok(policy_compile(bound, POLICY_TRUST, &p));
    struct authz_request r = {
        .who = {.kind = PRINCIPAL_USER, .account = b->first.account, .arn = arn_of(b, "user/Ann"),
                .name = STR("Ann"), .user_id = STR("AIDAANNANNANNANNANN02")},
        .action = STR("sts:AssumeRole"), .resource = arn_of(b, "role/App")};
    assert_false(policy_match(p, &r).allow);
    r.who.user_id = STR("AIDAANNANNANNANNANN01");
    assert_true(policy_match(p, &r).allow);
    policy_unref(p);
    assert_text(shown_of(b, document, bound), policy_of(b, STR("\"AIDAANNANNANNANNANN01\"")));
}

/* Who passes a role to a service gets what the role may only if the role trusts that service. */
static void test_services_and_roles(void **state)
{
    struct bench *b = *state;
    struct str arn = arn_of(b, "role/App"), account = b->first.account;
    struct jv *row = jv_new_obj(b->a);
    jv_set(b->a, row, STR("name"), jv_new_str(b->a, STR("App")));
    jv_set(b->a, row, STR("arn"), jv_new_str(b->a, arn));
    jv_set(b->a, row, STR("trust"),
           jv_new_str(b->a, STR("{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":"
                                "{\"Service\":\"lambda.amazonaws.com\"},"
                                "\"Action\":\"sts:AssumeRole\",\"Condition\":"
                                "{\"ArnLikeIfExists\":{\"aws:SourceArn\":"
                                "\"arn:aws:lambda:*:*:function:f\"}}}}")));
    ok(iam_row_put(b->t, b->a, "iam.role", account, STR("App"), row));
    ok(principals_check_trust(b->t, b->a, arn, STR("lambda.amazonaws.com"), account, STR_NONE));
    const struct {
        struct str role, service, source;
    } refused[] = {
        {arn, STR("cloudformation.amazonaws.com"), STR_NONE},
        {arn, STR("lambda.amazonaws.com"), STR("arn:aws:lambda:us-east-1:1:function:g")},
        {arn_of(b, "role/p/App"), STR("lambda.amazonaws.com"), STR_NONE},
        {arn_of(b, "role/None"), STR("lambda.amazonaws.com"), STR_NONE},
        {STR("no arn"), STR("lambda.amazonaws.com"), STR_NONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct err *e = principals_check_trust(b->t, b->a, refused[i].role, refused[i].service,
                                               account, refused[i].source);
        assert_true(err_has_code(e, "AccessDenied"));
        err_free(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ids_take_the_place_of_arns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_names_nobody_is_not_bound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_is_not_there_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_made_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_services_and_roles, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
