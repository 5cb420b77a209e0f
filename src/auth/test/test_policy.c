/* Policies: the tables in policy_*.json, the cache, and the limits. */
#include "../policy_internal.h"

#include "../../core/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena *arena;

static const struct jv *table(const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/policy_%s.json", AUTH_TEST_DIR, name);
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        fail_msg("cannot open %s", path);
    char *p = arena_alloc(arena, 1 << 18);
    size_t n = fread(p, 1, 1 << 18, f);
    fclose(f);
    struct jv *doc;
    struct err *e = json_parse(arena, str_of(p, n), 32, &doc);
    if (e != NULL)
        fail_msg("%s: %s", path, e->message);
    return jv_get(doc, "cases");
}

static struct policy *compile(const char *label, struct str text, enum policy_kind kind)
{
    struct policy *p;
    struct err *e = policy_compile(text, kind, &p);
    if (e != NULL)
        fail_msg("%s: %s", label, e->message);
    return p;
}

/* NULL statements give NULL. version NULL: 2012-10-17; JSON null: none. */
static struct policy *compile_statements(const char *label, const struct jv *statements,
                                         const struct jv *version, enum policy_kind kind)
{
    if (statements == NULL)
        return NULL;
    struct jv *doc = jv_new_obj(arena);
    if (!jv_is(version, JV_NULL))
        jv_set(arena, doc, STR("Version"),
               version != NULL ? version : jv_new_str(arena, STR("2012-10-17")));
    jv_set(arena, doc, STR("Statement"), statements);
    return compile(label, jv_text(arena, doc), kind);
}

#define ACCOUNT "111122223333"

static const struct principal alice = {
    .kind = PRINCIPAL_USER,
    .account = {ACCOUNT, 12},
    .arn = {"arn:aws:iam::111122223333:user/alice", 36},
    .user_id = {"AIDAALICEALICEALICE0", 20},
    .name = {"alice", 5},
};

static struct principal principal_of(struct str who)
{
    if (who.p == NULL)
        return alice;
    if (str_is(who, "root"))
        return (struct principal){.kind = PRINCIPAL_ROOT, .account = STR(ACCOUNT),
                                  .arn = STR("arn:aws:iam::" ACCOUNT ":root"),
                                  .user_id = STR(ACCOUNT)};
    if (str_is(who, "role"))
        return (struct principal){
            .kind = PRINCIPAL_ROLE, .account = STR(ACCOUNT),
            .arn = STR("arn:aws:iam::" ACCOUNT ":role/app"),
            .session_arn = STR("arn:aws:sts::" ACCOUNT ":assumed-role/app/s1"),
            .user_id = STR("AROAAPPAPPAPPAPPAPP0:s1"), .name = STR("s1")};
    struct str name = who, kind = str_cut(&name, ':');
    if (str_is(kind, "service"))
        return (struct principal){.kind = PRINCIPAL_SERVICE, .service = name};
    if (str_is(kind, "federated"))
        return (struct principal){.kind = PRINCIPAL_FEDERATED, .arn = name};
    assert_true(str_is(who, "anonymous"));
    return (struct principal){.kind = PRINCIPAL_ANONYMOUS};
}

static struct ctx_key *context_of(const struct jv *ctx, size_t *n)
{
    *n = jv_len(ctx);
    struct ctx_key *keys = ARENA_ARRAY(arena, *n + 1, struct ctx_key);
    for (size_t i = 0; i < *n; i++) {
        const struct jv_member *m = &ctx->obj.v[i];
        bool multi = m->value.type == JV_ARR;
        size_t count = multi ? jv_len(&m->value) : 1;
        struct str *v = ARENA_ARRAY(arena, count + 1, struct str);
        for (size_t k = 0; k < count; k++)
            v[k] = jv_s(multi ? jv_at(&m->value, k) : &m->value);
        keys[i] = (struct ctx_key){.name = m->key, .values = v, .n = count, .multi = multi};
    }
    return keys;
}

static struct str or_default(const struct jv *v, struct str other)
{
    return v == NULL ? other : jv_s(v);
}

static void test_decisions(void **state)
{
    static const char *const names[] = {"", "allow", "implicit", "explicit"};
    const struct jv *cases = table("decisions");
    for (size_t i = 0; i < jv_len(cases); i++) {
        const struct jv *c = jv_at(cases, i), *version = jv_get(c, "version");
        const char *label = arena_cstr(arena, jv_s(jv_get(c, "name")));
        struct policy *identity =
            compile_statements(label, jv_get(c, "identity"), version, POLICY_IDENTITY);
        struct policy *session =
            compile_statements(label, jv_get(c, "session"), version, POLICY_IDENTITY);
        struct policy *boundary =
            compile_statements(label, jv_get(c, "boundary"), version, POLICY_IDENTITY);
        struct policy *resource =
            jv_get(c, "trust") != NULL
                ? compile_statements(label, jv_get(c, "trust"), version, POLICY_TRUST)
                : compile_statements(label, jv_get(c, "resource"), version, POLICY_RESOURCE);
        struct policy_set set = {.identity = &identity, .n_identity = identity != NULL,
                                 .session = &session, .n_session = session != NULL,
                                 .boundary = boundary, .resource = resource,
                                 .resource_policy_required = jv_b(jv_get(c, "required"), false)};
        struct authz_request r = {.who = principal_of(jv_s(jv_get(c, "who"))),
                                  .action = or_default(jv_get(c, "action"), STR("s3:GetObject")),
                                  .resource = or_default(jv_get(c, "on"), STR("arn:aws:s3:::b/k")),
                                  .resource_account = jv_s(jv_get(c, "of"))};
        r.keys = context_of(jv_get(c, "ctx"), &r.n_keys);
        struct authz_decision d = policy_evaluate(&set, &r);
        struct str because = jv_s(jv_get(c, "because"));
        if (!str_is(jv_s(jv_get(c, "want")), names[d.result]))
            fail_msg("%s: %s (%s)", label, names[d.result], d.because);
        if (because.n > 0 && !str_is(because, d.because))
            fail_msg("%s: because: %s", label, d.because);
        assert_int_equal(d.result == AUTHZ_ALLOW, d.because[0] == '\0');
        assert_non_null(strstr(d.because, d.policy_kind));
        policy_unref(identity);
        policy_unref(session);
        policy_unref(boundary);
        policy_unref(resource);
    }
    print_message("policy: %zu decisions checked\n", jv_len(cases));
    assert_true(jv_len(cases) >= 100);
}

static void test_conditions(void **state)
{
    const struct jv *cases = table("conditions");
    for (size_t i = 0; i < jv_len(cases); i++) {
        const struct jv *c = jv_at(cases, i);
        const char *label = arena_cstr(arena, jv_s(jv_at(c, 0)));
        struct jv *st = jv_new_obj(arena);
        jv_set(arena, st, STR("Effect"), jv_new_str(arena, STR("Allow")));
        jv_set(arena, st, STR("Action"), jv_new_str(arena, STR("*")));
        jv_set(arena, st, STR("Resource"), jv_new_str(arena, STR("*")));
        jv_set(arena, st, STR("Condition"), jv_at(c, 1));
        struct policy *p = compile_statements(label, st, NULL, POLICY_IDENTITY);
        struct authz_request r = {.who = alice, .action = STR("s3:Get"), .resource = STR("*")};
        r.keys = context_of(jv_at(c, 2), &r.n_keys);
        struct policy_verdict v = policy_match(p, &r);
        if (v.allow != jv_b(jv_at(c, 3), false))
            fail_msg("%s: %s", label, v.allow ? "holds" : "does not hold");
        assert_false(v.deny);
        policy_unref(p);
    }
    print_message("policy: %zu conditions checked\n", jv_len(cases));
    assert_true(jv_len(cases) >= 150);
}

static void test_malformed(void **state)
{
    const struct jv *cases = table("malformed");
    for (size_t i = 0; i < jv_len(cases); i++) {
        const struct jv *c = jv_at(cases, i), *doc = jv_at(c, 1);
        struct str kind = jv_s(jv_at(c, 0));
        struct str text = jv_is(doc, JV_STR) ? jv_s(doc) : jv_text(arena, doc);
        struct policy *p;
        struct err *e = policy_compile(text,
                                       str_is(kind, "identity") ? POLICY_IDENTITY
                                       : str_is(kind, "trust")  ? POLICY_TRUST
                                                                : POLICY_RESOURCE,
                                       &p);
        const char *want = arena_cstr(arena, jv_s(jv_at(c, 2)));
        if (!err_has_code(e, "MalformedPolicyDocument") || strstr(e->message, want) == NULL)
            fail_msg("%.*s: %s", STR_ARG(text), e == NULL ? "accepted" : e->message);
        assert_int_equal(e->status, 400);
        err_free(e);
    }
    print_message("policy: %zu malformed documents checked\n", jv_len(cases));
    assert_true(jv_len(cases) >= 60);
}

static void test_public(void **state)
{
    const struct jv *cases = table("public");
    for (size_t i = 0; i < jv_len(cases); i++) {
        const struct jv *c = jv_at(cases, i);
        struct jv *st = (struct jv *)jv_at(c, 0);
        jv_set(arena, st, STR("Action"), jv_new_str(arena, STR("s3:GetObject")));
        jv_set(arena, st, STR("Resource"), jv_new_str(arena, STR("arn:aws:s3:::b/*")));
        struct policy *p = compile_statements("public", st, NULL, POLICY_RESOURCE);
        if (policy_is_public(p) != jv_b(jv_at(c, 1), false))
            fail_msg("case %zu: %.*s", i, STR_ARG(jv_text(arena, st)));
        policy_unref(p);
    }
    print_message("policy: %zu public or private policies checked\n", jv_len(cases));
}

static void test_verdict_via_account(void **state)
{
    static const struct {
        const char *principal;
        bool allow, via_account;
    } cases[] = {
        {"{\"AWS\":\"" ACCOUNT "\"}", true, true},
        {"{\"AWS\":[\"" ACCOUNT "\",\"arn:aws:iam::" ACCOUNT ":user/alice\"]}", true, false},
        {"{\"AWS\":\"arn:aws:iam::" ACCOUNT ":user/alice\"}", true, false},
        {"\"*\"", true, false},
        {"{\"AWS\":\"444455556666\"}", false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str text = arena_fmt(arena,
                                    "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":%s,"
                                    "\"Action\":\"kms:*\",\"Resource\":\"*\"}}",
                                    cases[i].principal);
        struct policy *p = compile("verdict", text, POLICY_RESOURCE);
        struct authz_request r = {.who = alice, .action = STR("kms:Encrypt"), .resource = STR("*")};
        struct policy_verdict v = policy_match(p, &r);
        assert_int_equal(v.allow, cases[i].allow);
        assert_int_equal(v.allow_via_account, cases[i].via_account);
        policy_unref(p);
    }
}

static struct err *compile_only(struct str text)
{
    struct policy *p;
    TRY(policy_compile(text, POLICY_IDENTITY, &p));
    policy_unref(p);
    return NULL;
}

static void test_limits(void **state)
{
    struct buf b = BUF_INIT(1 << 20);
    /* just at the limit of bytes, and one more */
    buf_c(&b, "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}");
    while (b.n < POLICY_TEXT_MAX)
        buf_char(&b, ' ');
    assert_null(compile_only(buf_view(&b)));
    buf_char(&b, ' ');
    struct err *e = compile_only(buf_view(&b));
    assert_true(err_has_code(e, "MalformedPolicyDocument"));
    err_free(e);
    /* values */
    buf_reset(&b);
    buf_c(&b, "{\"Statement\":{\"Effect\":\"Allow\",\"Resource\":\"*\",\"Action\":[\"*\"");
    for (int i = 0; i < POLICY_VALUES_MAX; i++)
        buf_c(&b, ",\"*\"");
    buf_c(&b, "]}}");
    e = compile_only(buf_view(&b));
    assert_true(strstr(e->message, "more values than are allowed") != NULL);
    err_free(e);
    /* depth */
    buf_reset(&b);
    for (int i = 0; i < POLICY_DEPTH_MAX + 1; i++)
        buf_c(&b, "[");
    for (int i = 0; i < POLICY_DEPTH_MAX + 1; i++)
        buf_c(&b, "]");
    e = compile_only(buf_view(&b));
    assert_true(err_has_code(e, "MalformedPolicyDocument"));
    err_free(e);
    buf_clear(&b);
}

/* A pattern made to backtrack, against a text made to let it: still fast. */
static void test_hostile_pattern(void **state)
{
    struct buf b = BUF_INIT(1 << 20);
    buf_c(&b, "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"arn:aws:s3:::");
    for (int i = 0; i < 2000; i++)
        buf_c(&b, "*a");
    buf_c(&b, "*b\"}}");
    struct policy *p = compile("hostile", buf_view(&b), POLICY_IDENTITY);
    buf_reset(&b);
    buf_c(&b, "arn:aws:s3:::");
    for (int i = 0; i < 20000; i++)
        buf_char(&b, 'a');
    struct authz_request r = {.who = alice, .action = STR("s3:Get"), .resource = buf_view(&b)};
    int64_t start = clock_mono_ms();
    assert_false(policy_match(p, &r).allow);
    assert_true(clock_mono_ms() - start < 2000);
    policy_unref(p);
    buf_clear(&b);
}

/* -- the cache -------------------------------------------------------------------------------- */

static struct str numbered(int i, size_t padding)
{
    char *pad = arena_alloc(arena, padding + 1);
    memset(pad, ' ', padding);
    return arena_fmt(arena,
                     "{\"Id\":\"%d\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\","
                     "\"Resource\":\"*\"}}%s",
                     i, pad);
}

static struct policy *cached(struct str text)
{
    struct policy *p;
    struct err *e = policy_compile_cached(text, POLICY_IDENTITY, &p);
    if (e != NULL)
        fail_msg("%s", e->message);
    return p;
}

static void test_cache(void **state)
{
    policy_cache_clear();
    struct policy *first = cached(numbered(0, 0)), *again = cached(numbered(0, 0));
    assert_ptr_equal(first, again);
    policy_unref(again);
    /* kinds are apart, and errors are not kept */
    struct policy *p;
    for (int i = 0; i < 2; i++) {
        struct err *e = policy_compile_cached(numbered(0, 0), POLICY_RESOURCE, &p);
        assert_true(err_has_code(e, "MalformedPolicyDocument"));
        err_free(e);
        e = policy_compile_cached(STR(""), POLICY_RESOURCE, &p);
        assert_true(err_has_code(e, "MalformedPolicyDocument"));
        err_free(e);
    }
    assert_int_equal(policy_cache_stats().entries, 1);
    /* what is used stays, what is not goes */
    for (int i = 1; i < 3 * POLICY_CACHE_ENTRIES; i++) {
        policy_unref(cached(numbered(i, 0)));
        policy_unref(cached(numbered(0, 0)));
    }
    struct policy_cache_stats s = policy_cache_stats();
    assert_int_equal(s.entries, POLICY_CACHE_ENTRIES);
    again = cached(numbered(0, 0));
    assert_ptr_equal(first, again);
    policy_unref(again);
    uint64_t misses = policy_cache_stats().misses;
    policy_unref(cached(numbered(1, 0)));
    assert_int_equal(policy_cache_stats().misses, misses + 1);
    /* bytes are bounded too; a policy in use outlives its entry */
    for (int i = 0; i < 1100; i++) {
        policy_unref(cached(numbered(i, 20000)));
        arena_reset(arena);
    }
    s = policy_cache_stats();
    assert_true(s.bytes <= POLICY_CACHE_BYTES && s.entries < POLICY_CACHE_ENTRIES);
    struct authz_request r = {.who = alice, .action = STR("s3:Get"), .resource = STR("*")};
    assert_true(policy_match(first, &r).allow);
    policy_unref(first);
    policy_cache_clear();
    assert_int_equal(policy_cache_stats().entries, 0);
    assert_int_equal(policy_cache_stats().bytes, 0);
}

static void *hammer(void *arg)
{
    unsigned seed = *(unsigned *)arg;
    struct authz_request r = {.who = alice, .action = STR("s3:Get"), .resource = STR("*")};
    for (int i = 0; i < 4000; i++) {
        char text[128];
        seed = seed * 1103515245u + 12345u;
        int n = snprintf(text, sizeof text,
                         "{\"Id\":\"%u\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\","
                         "\"Resource\":\"*\"}}",
                         seed >> 16 & 2047);
        struct policy *p;
        struct err *e = policy_compile_cached(str_of(text, (size_t)n), POLICY_IDENTITY, &p);
        if (e != NULL || !policy_match(p, &r).allow)
            return arg;
        policy_unref(p);
    }
    return NULL;
}

static void test_cache_threads(void **state)
{
    pthread_t t[4];
    unsigned seeds[4] = {1, 2, 3, 4};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, hammer, &seeds[i]), 0);
    for (size_t i = 0; i < 4; i++) {
        void *result;
        assert_int_equal(pthread_join(t[i], &result), 0);
        assert_null(result);
    }
    struct policy_cache_stats s = policy_cache_stats();
    assert_true(s.entries <= POLICY_CACHE_ENTRIES && s.hits + s.misses == 16000);
    policy_cache_clear();
}

/* Ten statements, of which the last allows: the time of one evaluation, printed, not judged. */
static void test_speed(void **state)
{
    struct buf b = BUF_INIT(1 << 20);
    buf_c(&b, "{\"Version\":\"2012-10-17\",\"Statement\":[");
    for (int i = 0; i < 9; i++)
        buf_fmt(&b, "{\"Effect\":\"Allow\",\"Action\":[\"s3:GetObject\",\"s3:PutObject\"],"
                    "\"Resource\":\"arn:aws:s3:::bucket-%d/*\",\"Condition\":{\"Bool\":"
                    "{\"aws:SecureTransport\":\"true\"}}},", i);
    buf_c(&b, "{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":"
              "\"arn:aws:s3:::b/${aws:username}/*\",\"Condition\":{\"IpAddress\":"
              "{\"aws:SourceIp\":\"127.0.0.0/8\"}}}]}");
    struct policy *p = compile("speed", buf_view(&b), POLICY_IDENTITY);
    struct policy_set set = {.identity = &p, .n_identity = 1};
    struct str ip = STR("127.0.0.1"), tls = STR("true");
    struct ctx_key keys[] = {{STR("aws:SecureTransport"), &tls, 1, false},
                             {STR("aws:SourceIp"), &ip, 1, false}};
    struct authz_request r = {.who = alice, .action = STR("s3:GetObject"),
                              .resource = STR("arn:aws:s3:::b/alice/report.txt"), .keys = keys,
                              .n_keys = 2};
    enum { ROUNDS = 20000 };
    int64_t start = clock_mono_us();
    for (int i = 0; i < ROUNDS; i++)
        assert_int_equal(policy_evaluate(&set, &r).result, AUTHZ_ALLOW);
    print_message("policy: %.0f ns for 10 statements\n",
                  (double)(clock_mono_us() - start) * 1000 / ROUNDS);
    policy_unref(p);
    buf_clear(&b);
}

static int setup(void **state)
{
    arena = arena_new(256 << 20);
    return 0;
}

static int teardown(void **state)
{
    arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decisions),      cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_malformed),      cmocka_unit_test(test_public),
        cmocka_unit_test(test_verdict_via_account), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_hostile_pattern), cmocka_unit_test(test_cache),
        cmocka_unit_test(test_cache_threads),  cmocka_unit_test(test_speed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
