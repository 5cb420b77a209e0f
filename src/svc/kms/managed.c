/* AWS managed keys: one for each service and account, made at first use.
 * https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-cmk */
#include "room.h"

/* Everybody in the account may use it, but only through the service, and look at it. */
static struct str managed_policy(struct call *c, struct str service)
{
    return arena_fmt(
        c->arena,
        "{\"Version\":\"2012-10-17\",\"Id\":\"auto-%.*s-1\",\"Statement\":["
        "{\"Sid\":\"Use through the service\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"},"
        "\"Action\":[\"kms:Encrypt\",\"kms:Decrypt\",\"kms:ReEncrypt*\",\"kms:GenerateDataKey*\","
        "\"kms:DescribeKey\"],\"Resource\":\"*\",\"Condition\":{\"StringEquals\":{"
        "\"kms:CallerAccount\":\"%.*s\",\"kms:ViaService\":\"%.*s.%.*s.amazonaws.com\"}}},"
        "{\"Sid\":\"Look\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:%s:iam::%.*s:root\"},"
        "\"Action\":[\"kms:Describe*\",\"kms:Get*\",\"kms:List*\"],\"Resource\":\"*\"}]}",
        STR_ARG(service), STR_ARG(c->account), STR_ARG(service), STR_ARG(c->region),
        IDENTITY_PARTITION, STR_ARG(c->account));
}

/* In c->txn, which is this function's caller's. */
static struct err *make(struct call *c, struct str alias, struct key *k)
{
    char id[37];
    rand_uuid(id);
    *k = (struct key){.id = arena_str(c->arena, str_c(id)),
                      .account = c->account,
                      .region = c->region,
                      .state = KEY_ENABLED,
                      .description = STR("Default key of a service, when no other is named"),
                      .policy = managed_policy(c, str_skip(alias, 10)),
                      .created_ms = c->now_ms,
                      .version = 1,
                      .managed = true,
                      .rotates = true,
                      .rotation_days = KMS_ROTATION_DEFAULT_DAYS,
                      .rotated_ms = c->now_ms,
                      .row = jv_new_obj(c->arena)};
    k->arn = call_arn(c, "kms", "key/%s", id);
    TRY(material_create(c, k));
    TRY(key_save(c, k));
    TRY(alias_write(c, alias, k, c->now_ms));
    return job_put(c->txn, c->account, "kms.rotate", k->arn,
                   c->now_ms + (int64_t)KMS_ROTATION_DEFAULT_DAYS * 24 * 3600 * 1000, k->arn);
}

struct err *key_managed(struct call *c, struct str alias)
{
    struct txn *mine CLEANUP(txn_abort) = NULL, *kept = c->txn;
    struct jv *row;
    struct key k;
    TRY(store_begin(c->ward->store, TXN_WRITE, &mine));
    struct skey at = key_row_key(c->account, c->region, alias);
    c->txn = mine; /* the row functions work in the call's transaction */
    struct err *e = row_get(c, KMS_T_ALIAS, key_of(&at), &row);
    if (e == NULL && row == NULL)
        e = make(c, alias, &k);
    c->txn = kept;
    TRY(e);
    if (row == NULL) {
        struct service_event ev = {.account = c->account, .region = c->region,
                                   .source = "kms.amazonaws.com", .name = "CreateKey",
                                   .resource_arn = k.arn, .resource_type = "AWS::KMS::Key"};
        TRY(service_event_commit(c->ward, &mine, &ev));
    }
    /* This call's snapshot is older than the key. */
    return err_new(ERR_CONFLICT, "The key was just made.");
}
