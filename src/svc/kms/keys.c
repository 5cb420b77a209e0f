/* Keys: made, described, listed, enabled, disabled, deleted, rotated. */
#include "room.h"

#include "core/log.h"

enum { DAY_MS = 24 * 3600 * 1000 };

static struct kms_KeyMetadata *metadata(struct call *c, const struct key *k)
{
    static const char *const states[] = {[KEY_ENABLED] = "Enabled",
                                         [KEY_DISABLED] = "Disabled",
                                         [KEY_PENDING_DELETION] = "PendingDeletion"};
    struct kms_KeyMetadata *m = ARENA_NEW(c->arena, struct kms_KeyMetadata);
    m->AWSAccountId = k->account;
    m->KeyId = k->id;
    m->Arn = k->arn;
    m->CreationDate = some_int(k->created_ms);
    m->Enabled = some_bool(k->state == KEY_ENABLED);
    m->Description = k->description.p != NULL ? k->description : STR("");
    m->KeyUsage = STR("ENCRYPT_DECRYPT");
    m->KeyState = str_c(states[k->state]);
    m->Origin = STR("AWS_KMS");
    m->KeyManager = k->managed ? STR("AWS") : STR("CUSTOMER");
    m->CustomerMasterKeySpec = STR("SYMMETRIC_DEFAULT");
    m->KeySpec = STR("SYMMETRIC_DEFAULT");
    m->EncryptionAlgorithms.v = ARENA_NEW(c->arena, struct str);
    m->EncryptionAlgorithms.v[0] = STR("SYMMETRIC_DEFAULT");
    m->EncryptionAlgorithms.n = 1;
    m->EncryptionAlgorithms.set = true;
    m->MultiRegion = some_bool(false);
    if (k->state == KEY_PENDING_DELETION)
        m->DeletionDate = some_int(k->deletion_ms);
    return m;
}

/* What this room does not build is refused by name, before anything is made. */
static struct err *check_kind(struct call *c, const struct kms_CreateKeyRequest *in)
{
    struct str spec = in->KeySpec.p != NULL ? in->KeySpec : in->CustomerMasterKeySpec;
    if (spec.p != NULL && !str_is(spec, "SYMMETRIC_DEFAULT"))
        return err_not_implemented(c, "A KeySpec other than SYMMETRIC_DEFAULT");
    if (in->KeyUsage.p != NULL && !str_is(in->KeyUsage, "ENCRYPT_DECRYPT"))
        return err_aws(400, "ValidationException",
                       "KeyUsage of a SYMMETRIC_DEFAULT key must be ENCRYPT_DECRYPT.");
    if (in->Origin.p != NULL && !str_is(in->Origin, "AWS_KMS"))
        return err_not_implemented(c, "An Origin other than AWS_KMS");
    if (in->MultiRegion.v)
        return err_not_implemented(c, "A multi-Region key");
    if (in->CustomKeyStoreId.p != NULL || in->XksKeyId.p != NULL)
        return err_not_implemented(c, "A custom key store");
    return NULL;
}

static struct str default_policy(struct call *c)
{
    return arena_fmt(c->arena,
                     "{\n  \"Version\" : \"2012-10-17\",\n  \"Id\" : \"key-default-1\",\n"
                     "  \"Statement\" : [ {\n    \"Sid\" : \"Enable IAM User Permissions\",\n"
                     "    \"Effect\" : \"Allow\",\n    \"Principal\" : {\n"
                     "      \"AWS\" : \"arn:%s:iam::%.*s:root\"\n    },\n"
                     "    \"Action\" : \"kms:*\",\n    \"Resource\" : \"*\"\n  } ]\n}",
                     IDENTITY_PARTITION, STR_ARG(c->account));
}

OP_HANDLER(kms, CreateKey, CreateKeyRequest, CreateKeyResponse)
{
    TRY(check_kind(c, in));
    TRY(kms_check_tags(&in->Tags));
    char id[37];
    rand_uuid(id);
    struct key k = {.id = arena_str(c->arena, str_c(id)),
                    .account = c->account,
                    .region = c->region,
                    .state = KEY_ENABLED,
                    .description = in->Description.p != NULL ? in->Description : STR(""),
                    .created_ms = c->now_ms,
                    .version = 1,
                    .rotation_days = KMS_ROTATION_DEFAULT_DAYS,
                    .rotated_ms = c->now_ms,
                    .row = jv_new_obj(c->arena)};
    k.arn = call_arn(c, "kms", "key/%s", id);
    TRY(kms_put_policy(c, &k, in->Policy.p != NULL ? in->Policy : default_policy(c),
                       in->BypassPolicyLockoutSafetyCheck.v));
    kms_set_tags(c, &k, &in->Tags);
    TRY(material_create(c, &k));
    TRY(key_save(c, &k));
    call_record_resource(c, k.arn, k.account, "AWS::KMS::Key");
    out->KeyMetadata = metadata(c, &k);
    return NULL;
}

OP_HANDLER(kms, DescribeKey, DescribeKeyRequest, DescribeKeyResponse)
{
    struct key k;
    TRY(key_need(c, in->KeyId, &k));
    out->KeyMetadata = metadata(c, &k);
    return NULL;
}

OP_HANDLER(kms, ListKeys, ListKeysRequest, ListKeysResponse)
{
    size_t limit = (size_t)(in->Limit.set ? in->Limit.v : KMS_LIST_DEFAULT);
    struct str position;
    TRY(page_position(c, in->Marker, "InvalidMarkerException", &position));
    struct skey prefix = skey();
    key_str(&prefix, c->account);
    key_str(&prefix, c->region);
    struct scan sc = {.prefix = key_of(&prefix), .from = position, .after = true,
                      .keys_only = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, KMS_T_KEY, &sc, &cur));
    out->Keys.v = ARENA_ARRAY(c->arena, limit, struct kms_KeyListEntry);
    out->Keys.set = true;
    out->Truncated = some_bool(false);
    struct str last = STR_NONE;
    for (;;) {
        bool more;
        struct str key, value, account, region, id;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        if (out->Keys.n == limit) {
            out->Truncated = some_bool(true);
            out->NextMarker = page_token(c, last);
            return NULL;
        }
        last = arena_str(c->arena, key);
        if (!key_take_str(c->arena, &key, &account) || !key_take_str(c->arena, &key, &region) ||
            !key_take_str(c->arena, &key, &id))
            continue;
        struct kms_KeyListEntry *e = &out->Keys.v[out->Keys.n++];
        e->KeyId = id;
        e->KeyArn = call_arn(c, "kms", "key/%.*s", STR_ARG(id));
    }
}

static struct err *not_managed(const struct key *k)
{
    if (!k->managed)
        return NULL;
    return err_aws(400, "AccessDeniedException",
                   "%.*s is an AWS managed key: its service keeps it as it is.", STR_ARG(k->arn));
}

static struct err *set_state(struct call *c, struct str key_id, enum key_state state)
{
    struct key k;
    TRY(key_need(c, key_id, &k));
    TRY(not_managed(&k));
    TRY(key_not_pending(&k));
    k.state = state;
    return key_save(c, &k);
}

OP_HANDLER_NO_OUT(kms, EnableKey, EnableKeyRequest)
{
    return set_state(c, in->KeyId, KEY_ENABLED);
}

OP_HANDLER_NO_OUT(kms, DisableKey, DisableKeyRequest)
{
    return set_state(c, in->KeyId, KEY_DISABLED);
}

OP_HANDLER_NO_OUT(kms, UpdateKeyDescription, UpdateKeyDescriptionRequest)
{
    struct key k;
    TRY(key_need(c, in->KeyId, &k));
    TRY(key_not_pending(&k));
    k.description = in->Description;
    return key_save(c, &k);
}

/* -- deletion ---------------------------------------------------------------------------------- */

OP_HANDLER(kms, ScheduleKeyDeletion, ScheduleKeyDeletionRequest, ScheduleKeyDeletionResponse)
{
    int64_t days = in->PendingWindowInDays.set ? in->PendingWindowInDays.v : KMS_WINDOW_MAX_DAYS;
    if (days < KMS_WINDOW_MIN_DAYS || days > KMS_WINDOW_MAX_DAYS)
        return err_aws(400, "ValidationException",
                       "PendingWindowInDays must be between %d and %d.", KMS_WINDOW_MIN_DAYS,
                       KMS_WINDOW_MAX_DAYS);
    struct key k;
    TRY(key_need(c, in->KeyId, &k));
    TRY(not_managed(&k));
    TRY(key_not_pending(&k));
    k.state = KEY_PENDING_DELETION;
    k.deletion_ms = c->now_ms + days * DAY_MS;
    TRY(key_save(c, &k));
    TRY(job_put(c->txn, c->account, "kms.delete", k.arn, k.deletion_ms, k.arn));
    out->KeyId = k.arn;
    out->DeletionDate = some_int(k.deletion_ms);
    out->KeyState = STR("PendingDeletion");
    out->PendingWindowInDays = some_int(days);
    return NULL;
}

OP_HANDLER(kms, CancelKeyDeletion, CancelKeyDeletionRequest, CancelKeyDeletionResponse)
{
    struct key k;
    TRY(key_need(c, in->KeyId, &k));
    if (k.state != KEY_PENDING_DELETION)
        return err_aws(400, "KMSInvalidStateException", "%.*s is not pending deletion.",
                       STR_ARG(k.arn));
    k.state = KEY_DISABLED; /* AWS leaves it disabled */
    k.deletion_ms = 0;
    TRY(key_save(c, &k));
    TRY(job_cancel(c->txn, "kms.delete", k.arn));
    out->KeyId = k.arn;
    return NULL;
}

/* A key's row as a job sees it; false: gone. */
static struct err *job_key_row(struct job *j, struct txn *t, struct key *out, bool *out_found)
{
    struct arn arn;
    *out_found = false;
    if (!arn_parse(j->payload, &arn) || !str_starts_c(arn.resource, "key/"))
        return NULL;
    struct skey at = key_row_key(arn.account, arn.region, str_skip(arn.resource, 4));
    struct str text;
    struct jv *row;
    TRY(txn_get(t, KMS_T_KEY, key_of(&at), j->arena, &text));
    if (text.p == NULL)
        return NULL;
    TRY(json_parse(j->arena, text, JSON_DEPTH_DEFAULT, &row));
    *out_found = key_from_row(j->arena, arn.account, arn.region, row, out);
    return NULL;
}

static struct err *delete_aliases(struct job *j, struct txn *t, const struct key *k)
{
    struct skey prefix = key_row_key(k->account, k->region, k->id);
    struct scan sc = {.prefix = key_of(&prefix), .keys_only = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(t, KMS_T_ALIAS_OF, &sc, &cur));
    for (;;) {
        bool more;
        struct str key, value, account, region, id, alias;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        struct str whole = arena_str(j->arena, key);
        if (!key_take_str(j->arena, &key, &account) || !key_take_str(j->arena, &key, &region) ||
            !key_take_str(j->arena, &key, &id) || !key_take_str(j->arena, &key, &alias))
            continue;
        struct skey at = key_row_key(account, region, alias);
        TRY(txn_del(t, KMS_T_ALIAS, key_of(&at)));
        TRY(txn_del(t, KMS_T_ALIAS_OF, whole));
    }
}

/* The rows are gone; destroying the data key that sealed them reaches old copies as well. */
static struct err *destroy_data_key(struct job *j, bool *done)
{
    struct arn arn;
    if (arn_parse(j->payload, &arn) && str_starts_c(arn.resource, "key/")) {
        struct key k = {.account = arn.account, .id = str_skip(arn.resource, 4)};
        TRY(store_owner_destroy(j->ward->store, key_owner(j->arena, &k)));
    }
    *done = true;
    return NULL;
}

/* The job ends only when the data key is destroyed too: it may be run again between the two. */
static struct err *delete_due(struct job *j, int64_t *again_ms, bool *done)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    TRY(store_begin(j->ward->store, TXN_WRITE, &t));
    struct key k;
    bool found;
    TRY(job_key_row(j, t, &k, &found));
    if (!found)
        return destroy_data_key(j, done);
    *done = k.state != KEY_PENDING_DELETION;
    if (*done)
        return NULL;
    if (k.deletion_ms > clock_now_ms()) {
        *again_ms = k.deletion_ms;
        return NULL;
    }
    struct skey at = key_row_key(k.account, k.region, k.id);
    TRY(material_delete(t, &k));
    TRY(delete_aliases(j, t, &k));
    TRY(txn_del(t, KMS_T_KEY, key_of(&at)));
    struct service_event ev = {.account = k.account, .region = k.region,
                               .source = "kms.amazonaws.com", .name = "DeleteKey",
                               .resource_arn = k.arn, .resource_type = "AWS::KMS::Key"};
    TRY(service_event_commit(j->ward, &t, &ev));
    return destroy_data_key(j, done);
}

static enum job_next run_delete(struct job *j, int64_t *again_ms)
{
    bool done = false;
    *again_ms = clock_now_ms() + job_backoff_ms(j->attempt, 1000, 60000);
    struct err *e = delete_due(j, again_ms, &done);
    if (e != NULL && !err_is(e, ERR_CONFLICT))
        log_err(LOG_ERROR, "a key due for deletion could not be deleted; will try again", e);
    else
        err_free(e);
    return done ? JOB_DONE : JOB_AGAIN;
}

/* -- rotation ---------------------------------------------------------------------------------- */

static int64_t next_rotation(const struct key *k)
{
    return k->rotated_ms + k->rotation_days * DAY_MS;
}

OP_HANDLER_NO_OUT(kms, EnableKeyRotation, EnableKeyRotationRequest)
{
    struct key k;
    TRY(key_usable(c, in->KeyId, &k));
    if (!k.rotates)
        k.rotated_ms = c->now_ms; /* the first rotation is a period after it was turned on */
    k.rotates = true;
    if (in->RotationPeriodInDays.set)
        k.rotation_days = in->RotationPeriodInDays.v;
    TRY(key_save(c, &k));
    return job_put(c->txn, c->account, "kms.rotate", k.arn, next_rotation(&k), k.arn);
}

OP_HANDLER_NO_OUT(kms, DisableKeyRotation, DisableKeyRotationRequest)
{
    struct key k;
    TRY(key_usable(c, in->KeyId, &k));
    k.rotates = false;
    TRY(key_save(c, &k));
    return job_cancel(c->txn, "kms.rotate", k.arn);
}

OP_HANDLER(kms, GetKeyRotationStatus, GetKeyRotationStatusRequest, GetKeyRotationStatusResponse)
{
    struct key k;
    TRY(key_need(c, in->KeyId, &k));
    TRY(key_not_pending(&k));
    out->KeyRotationEnabled = some_bool(k.rotates);
    out->KeyId = k.arn;
    if (k.rotates) {
        out->RotationPeriodInDays = some_int(k.rotation_days);
        out->NextRotationDate = some_int(next_rotation(&k));
    }
    return NULL;
}

/* New material becomes the newest version; the old ones stay, for what they encrypted. */
static struct err *rotate(struct call *c, struct key *k)
{
    k->version++;
    TRY(material_create(c, k));
    return key_save(c, k);
}

/* The schedule of automatic rotation stays as it is. */
OP_HANDLER(kms, RotateKeyOnDemand, RotateKeyOnDemandRequest, RotateKeyOnDemandResponse)
{
    struct key k;
    TRY(key_usable(c, in->KeyId, &k));
    TRY(not_managed(&k));
    int64_t before = jv_i(jv_get(k.row, "on_demand"), 0);
    if (before >= KMS_ON_DEMAND_MAX || k.version >= KMS_VERSIONS_MAX)
        return err_aws(400, "LimitExceededException",
                       "A key is rotated on demand at most %d times.", KMS_ON_DEMAND_MAX);
    jv_set(c->arena, k.row, STR("on_demand"), jv_new_int(c->arena, before + 1));
    TRY(rotate(c, &k));
    out->KeyId = k.id;
    return NULL;
}

static struct err *rotate_due(struct job *j, int64_t *again_ms, bool *done)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    TRY(store_begin(j->ward->store, TXN_WRITE, &t));
    struct key k;
    bool found;
    TRY(job_key_row(j, t, &k, &found));
    *done = !found || !k.rotates;
    if (*done)
        return NULL;
    int64_t now = clock_now_ms();
    if (next_rotation(&k) > now || k.state != KEY_ENABLED || k.version >= KMS_VERSIONS_MAX) {
        *again_ms = next_rotation(&k) > now ? next_rotation(&k) : now + DAY_MS;
        return NULL;
    }
    struct call c = {.ward = j->ward, .arena = j->arena, .txn = t, .account = k.account,
                     .region = k.region, .now_ms = now};
    k.rotated_ms = now;
    TRY(rotate(&c, &k));
    *again_ms = next_rotation(&k);
    struct service_event ev = {.account = k.account, .region = k.region,
                               .source = "kms.amazonaws.com", .name = "RotateKey",
                               .resource_arn = k.arn, .resource_type = "AWS::KMS::Key"};
    return service_event_commit(j->ward, &t, &ev);
}

static enum job_next run_rotate(struct job *j, int64_t *again_ms)
{
    bool done = false;
    *again_ms = clock_now_ms() + 60000;
    struct err *e = rotate_due(j, again_ms, &done);
    if (e != NULL && !err_is(e, ERR_CONFLICT))
        log_err(LOG_ERROR, "a key due for rotation could not be rotated; will try again", e);
    else
        err_free(e);
    return done ? JOB_DONE : JOB_AGAIN;
}

const struct job_kind kms_jobs[] = {
    {.name = "kms.delete", .run = run_delete, .parallel = 1},
    {.name = "kms.rotate", .run = run_rotate, .parallel = 1},
    {0},
};
