/* Any bytes as a policy: the first says of which kind. Whatever compiles is evaluated. */
#include "policy_internal.h"

#include "../../fuzz/fuzz.h"

static const struct str one[] = {{"red", 3}}, none[] = {{"", 0}}, two[] = {{"a", 1}, {"b*", 2}},
                        ip[] = {{"203.0.113.7", 11}}, when[] = {{"2026-11-22T02:50:00Z", 20}},
                        arn[] = {{"arn:aws:sns:us-east-1:111122223333:t", 36}};

static const struct ctx_key keys[] = {
    {{"aws:PrincipalTag/team", 21}, one, 1, false}, {{"aws:TagKeys", 11}, two, 2, true},
    {{"aws:SourceIp", 12}, ip, 1, false},           {{"aws:CurrentTime", 15}, when, 1, false},
    {{"aws:SourceArn", 13}, arn, 1, false},         {{"s3:prefix", 9}, none, 1, false},
};

static struct authz_request request(enum principal_kind kind)
{
    struct authz_request r = {.action = STR("s3:GetObject"),
                              .resource = STR("arn:aws:s3:::b/alice/k"),
                              .keys = keys,
                              .n_keys = ARRAY_LEN(keys)};
    r.who = (struct principal){.kind = kind, .account = STR("111122223333"),
                               .arn = STR("arn:aws:iam::111122223333:user/alice"),
                               .user_id = STR("AIDAALICEALICEALICE0"), .name = STR("alice")};
    if (kind == PRINCIPAL_SERVICE || kind == PRINCIPAL_ANONYMOUS)
        r.who = (struct principal){.kind = kind, .service = STR("sns.amazonaws.com")};
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    struct policy *p, *again;
    struct str text = str_of(data + 1, n - 1);
    enum policy_kind kind = (enum policy_kind)(POLICY_IDENTITY + data[0] % 3);
    struct err *e = policy_compile(text, kind, &p);
    if (e != NULL) {
        CHECK(err_has_code(e, "MalformedPolicyDocument"));
        err_free(e);
        return 0;
    }
    CHECK(policy_compile_cached(text, kind, &again) == NULL);
    for (int k = PRINCIPAL_ANONYMOUS; k <= PRINCIPAL_SERVICE; k++) {
        struct authz_request r = request((enum principal_kind)k);
        struct policy_verdict v = policy_match(p, &r), w = policy_match(again, &r);
        CHECK(v.allow == w.allow && v.deny == w.deny);
        struct policy_set set = {.identity = &p, .n_identity = 1};
        if (kind != POLICY_IDENTITY)
            set = (struct policy_set){.resource = p};
        enum authz_result result = policy_evaluate(&set, &r).result;
        CHECK(!v.deny || result == AUTHZ_DENY_EXPLICIT);
        /* a policy alone cannot give more than it says (root needs no policy) */
        CHECK(result != AUTHZ_ALLOW || v.allow || k == PRINCIPAL_ROOT);
    }
    (void)policy_is_public(p);
    policy_unref(again);
    policy_unref(p);
    return 0;
}
