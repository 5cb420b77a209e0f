/* From what a client names to a key's row, and from a call to its authorisation targets. */
#include "room.h"

struct skey key_row_key(struct str account, struct str region, struct str id)
{
    struct skey k = skey();
    key_str(&k, account);
    key_str(&k, region);
    key_str(&k, id);
    return k;
}

struct str key_owner(struct arena *a, const struct key *k)
{
    return arena_fmt(a, "%.*s/kms/%.*s", STR_ARG(k->account), STR_ARG(k->id));
}

static enum key_state state_of(struct str s)
{
    return str_is(s, "Enabled")    ? KEY_ENABLED
           : str_is(s, "Disabled") ? KEY_DISABLED
                                   : KEY_PENDING_DELETION;
}

bool key_from_row(struct arena *a UNUSED, struct str account, struct str region, struct jv *row,
                  struct key *out)
{
    *out = (struct key){
        .id = jv_s(jv_get(row, "id")),
        .arn = jv_s(jv_get(row, "arn")),
        .account = account,
        .region = region,
        .state = state_of(jv_s(jv_get(row, "state"))),
        .policy = jv_s(jv_get(row, "policy")),
        .policy_bound = jv_s(jv_get(row, "policy_bound")),
        .description = jv_s(jv_get(row, "description")),
        .created_ms = jv_i(jv_get(row, "created_ms"), 0),
        .deletion_ms = jv_i(jv_get(row, "deletion_ms"), 0),
        .version = jv_i(jv_get(row, "version"), 1),
        .managed = jv_b(jv_get(row, "managed"), false),
        .rotates = jv_b(jv_get(row, "rotates"), false),
        .rotation_days = jv_i(jv_get(row, "rotation_days"), KMS_ROTATION_DEFAULT_DAYS),
        .rotated_ms = jv_i(jv_get(row, "rotated_ms"), 0),
        .row = row,
    };
    return out->id.p != NULL && out->arn.p != NULL;
}

static struct err *read_alias(struct call *c, struct str account, struct str region,
                              struct str alias, struct str *out_id)
{
    struct skey k = key_row_key(account, region, alias);
    struct jv *row;
    TRY(row_get(c, KMS_T_ALIAS, key_of(&k), &row));
    *out_id = jv_s(jv_get(row, "target"));
    return NULL;
}

/* alias/aws/NAME is made for the service NAME alone, when it is that service that calls. */
static bool own_managed_alias(struct call *c, struct str account, struct str alias)
{
    struct str via = call_via_service(c);
    return via.p != NULL && str_eq(account, c->account) && str_starts_c(alias, "alias/aws/") &&
           str_eq(str_skip(alias, 10), str_cut(&via, '.'));
}

/* *out_alias: by which alias it was named, STR_NONE by none. */
static struct err *find(struct call *c, struct str key_id, struct key *out, bool *out_found,
                        struct str *out_alias)
{
    struct str account = c->account, region = c->region, id = key_id;
    struct arn arn;
    if (str_starts_c(key_id, "arn:")) {
        if (!arn_parse(key_id, &arn) || !str_is(arn.service, "kms"))
            return err_aws(400, "InvalidArnException", "The ARN is not that of a KMS resource.");
        /* A client reaches the keys of the Region that it calls: aws:RequestedRegion means what it
         * says. Services name the Region of what they keep. */
        if (!str_eq(arn.region, c->region) && !call_is_internal(c))
            return err_aws(400, "NotFoundException", "Invalid arn %.*s", STR_ARG(arn.region));
        account = arn.account;
        region = arn.region;
        id = str_starts_c(arn.resource, "key/") ? str_skip(arn.resource, 4) : arn.resource;
    }
    *out_alias = STR_NONE;
    if (str_starts_c(id, "alias/")) {
        struct str alias = id;
        *out_alias = alias;
        TRY(read_alias(c, account, region, alias, &id));
        if (id.p == NULL && own_managed_alias(c, account, alias))
            return key_managed(c, alias);
        if (id.p == NULL)
            id = alias;
    }
    *out = (struct key){.account = account, .region = region, .id = id};
    *out_found = false;
    out->arn = arena_fmt(c->arena, "arn:%s:kms:%.*s:%.*s:%s%.*s", IDENTITY_PARTITION,
                         STR_ARG(region), STR_ARG(account),
                         str_starts_c(id, "alias/") ? "" : "key/", STR_ARG(id));
    struct skey k = key_row_key(account, region, id);
    struct jv *row;
    TRY(row_get(c, KMS_T_KEY, key_of(&k), &row));
    if (row != NULL)
        *out_found = key_from_row(c->arena, account, region, row, out);
    return NULL;
}

struct err *key_find(struct call *c, struct str key_id, struct key *out, bool *out_found)
{
    struct str alias;
    return find(c, key_id, out, out_found, &alias);
}

struct err *key_need(struct call *c, struct str key_id, struct key *out)
{
    bool found;
    TRY(key_find(c, key_id, out, &found));
    if (found)
        return NULL;
    const char *what = str_starts_c(key_id, "alias/") ? "Alias" : "Key";
    return err_aws(400, "NotFoundException", "%s '%.*s' does not exist", what, STR_ARG(out->arn));
}

struct err *key_not_pending(const struct key *k)
{
    if (k->state != KEY_PENDING_DELETION)
        return NULL;
    return err_aws(400, "KMSInvalidStateException", "%.*s is pending deletion.", STR_ARG(k->arn));
}

struct err *key_usable(struct call *c, struct str key_id, struct key *out)
{
    TRY(key_need(c, key_id, out));
    TRY(key_not_pending(out));
    if (out->state == KEY_DISABLED)
        return err_aws(400, "DisabledException", "%.*s is disabled.", STR_ARG(out->arn));
    return NULL;
}

struct err *key_save(struct call *c, const struct key *k)
{
    static const char *const states[] = {[KEY_ENABLED] = "Enabled",
                                         [KEY_DISABLED] = "Disabled",
                                         [KEY_PENDING_DELETION] = "PendingDeletion"};
    struct arena *a = c->arena;
    struct jv *r = k->row;
    jv_set(a, r, STR("id"), jv_new_str(a, k->id));
    jv_set(a, r, STR("arn"), jv_new_str(a, k->arn));
    jv_set(a, r, STR("state"), jv_new_str(a, str_c(states[k->state])));
    jv_set(a, r, STR("policy"), jv_new_str(a, k->policy));
    jv_set(a, r, STR("policy_bound"), jv_new_str(a, k->policy_bound));
    jv_set(a, r, STR("description"), jv_new_str(a, k->description));
    jv_set(a, r, STR("created_ms"), jv_new_int(a, k->created_ms));
    jv_set(a, r, STR("deletion_ms"), jv_new_int(a, k->deletion_ms));
    jv_set(a, r, STR("version"), jv_new_int(a, k->version));
    jv_set(a, r, STR("managed"), jv_new_bool(a, k->managed));
    jv_set(a, r, STR("rotates"), jv_new_bool(a, k->rotates));
    jv_set(a, r, STR("rotation_days"), jv_new_int(a, k->rotation_days));
    jv_set(a, r, STR("rotated_ms"), jv_new_int(a, k->rotated_ms));
    struct skey at = key_row_key(k->account, k->region, k->id);
    return row_put(c, KMS_T_KEY, key_owner(a, k), key_of(&at), r);
}

/* -- targets ----------------------------------------------------------------------------------- */

/* A key's name becomes part of a condition key's; one with a NUL in it would pass for another. */
static bool context_name_clear(struct str name)
{
    return name.n > 0 && memchr(name.p, '\0', name.n) == NULL;
}

static void context_keys(struct call *c, const struct kms_EncryptionContextType *x)
{
    if (x == NULL || x->n == 0)
        return;
    struct str *names = ARENA_ARRAY(c->arena, x->n, struct str);
    for (size_t i = 0; i < x->n; i++) {
        names[i] = x->v[i].key;
        if (context_name_clear(names[i]))
            call_key(c, arena_fmt(c->arena, "kms:EncryptionContext:%.*s", STR_ARG(names[i])).p,
                     x->v[i].value);
    }
    call_key_list(c, "kms:EncryptionContextKeys", names, x->n);
}

static struct str truth(bool b)
{
    return b ? STR("true") : STR("false");
}

static void request_tag_keys(struct call *c, const struct kms_TagList *tags)
{
    struct str *names = ARENA_ARRAY(c->arena, tags->n + 1, struct str);
    for (size_t i = 0; i < tags->n; i++) {
        names[i] = tags->v[i].TagKey;
        call_key(c, arena_fmt(c->arena, "aws:RequestTag/%.*s", STR_ARG(names[i])).p,
                 tags->v[i].TagValue);
    }
    if (tags->n > 0)
        call_key_list(c, "aws:TagKeys", names, tags->n);
}

static void number_key(struct call *c, const char *name, int64_t v)
{
    call_key(c, name, arena_fmt(c->arena, "%lld", (long long)v));
}

static void key_keys(struct call *c, const struct key *k)
{
    call_key(c, "kms:CallerAccount", c->account);
    call_key(c, "kms:KeySpec", STR("SYMMETRIC_DEFAULT"));
    call_key(c, "kms:KeyUsage", STR("ENCRYPT_DECRYPT"));
    call_key(c, "kms:KeyOrigin", STR("AWS_KMS"));
    call_key(c, "kms:MultiRegion", STR("false"));
    const struct jv *tags = jv_get(k->row, "tags"), *aliases = jv_get(k->row, "aliases");
    for (size_t i = 0; i < jv_len(tags); i++) {
        struct str name = jv_s(jv_get(jv_at(tags, i), "key"));
        call_key(c, arena_fmt(c->arena, "aws:ResourceTag/%.*s", STR_ARG(name)).p,
                 jv_s(jv_get(jv_at(tags, i), "value")));
    }
    if (jv_len(aliases) > 0) {
        struct str *names = ARENA_ARRAY(c->arena, jv_len(aliases), struct str);
        for (size_t i = 0; i < jv_len(aliases); i++)
            names[i] = jv_s(jv_at(aliases, i));
        call_key_list(c, "kms:ResourceAliases", names, jv_len(aliases));
    }
    call_key(c, "kms:ViaService", call_via_service(c));
}

static struct err *target_of(struct call *c, struct str key_id, struct target *out)
{
    struct key k;
    struct str alias;
    bool found;
    TRY(find(c, key_id, &k, &found, &alias));
    call_key(c, "kms:RequestAlias", alias);
    out->arn = k.arn;
    out->account = k.account;
    out->type = "AWS::KMS::Key";
    if (found) {
        out->policy = k.policy_bound.n > 0 ? k.policy_bound : k.policy;
        out->policy_required = true;
        key_keys(c, &k);
    }
    return NULL;
}

/* -- each operation's own keys:
 * https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html */

struct err *target_key(struct call *c, struct target *out)
{
    return target_of(c, shape_str_at(c->op->input, c->in, "KeyId"), out);
}

static struct err *target_use(struct call *c, const struct kms_EncryptionContextType *x,
                              struct str key_id, struct target *out)
{
    context_keys(c, x);
    call_key(c, "kms:EncryptionAlgorithm", STR("SYMMETRIC_DEFAULT"));
    return target_of(c, key_id, out);
}

struct err *target_encrypt_key(struct call *c, struct target *out)
{
    const struct kms_EncryptRequest *in = c->in;
    return target_use(c, &in->EncryptionContext, in->KeyId, out);
}

struct err *target_data_key(struct call *c, struct target *out)
{
    const struct kms_GenerateDataKeyRequest *in = c->in;
    context_keys(c, &in->EncryptionContext);
    return target_of(c, in->KeyId, out);
}

struct err *target_data_key_alone(struct call *c, struct target *out)
{
    const struct kms_GenerateDataKeyWithoutPlaintextRequest *in = c->in;
    context_keys(c, &in->EncryptionContext);
    return target_of(c, in->KeyId, out);
}

struct err *target_deleted_key(struct call *c, struct target *out)
{
    const struct kms_ScheduleKeyDeletionRequest *in = c->in;
    number_key(c, "kms:ScheduleKeyDeletionPendingWindowInDays",
               in->PendingWindowInDays.set ? in->PendingWindowInDays.v : KMS_WINDOW_MAX_DAYS);
    return target_of(c, in->KeyId, out);
}

struct err *target_rotated_key(struct call *c, struct target *out)
{
    const struct kms_EnableKeyRotationRequest *in = c->in;
    number_key(c, "kms:RotationPeriodInDays",
               in->RotationPeriodInDays.set ? in->RotationPeriodInDays.v
                                            : KMS_ROTATION_DEFAULT_DAYS);
    return target_of(c, in->KeyId, out);
}

struct err *target_policy_key(struct call *c, struct target *out)
{
    const struct kms_PutKeyPolicyRequest *in = c->in;
    call_key(c, "kms:BypassPolicyLockoutSafetyCheck",
             truth(in->BypassPolicyLockoutSafetyCheck.v));
    return target_of(c, in->KeyId, out);
}

struct err *target_tagged_key(struct call *c, struct target *out)
{
    const struct kms_TagResourceRequest *in = c->in;
    request_tag_keys(c, &in->Tags);
    return target_of(c, in->KeyId, out);
}

struct err *target_untagged_key(struct call *c, struct target *out)
{
    const struct kms_UntagResourceRequest *in = c->in;
    if (in->TagKeys.n > 0)
        call_key_list(c, "aws:TagKeys", in->TagKeys.v, in->TagKeys.n);
    return target_of(c, in->KeyId, out);
}

struct err *target_ciphertext_key(struct call *c, struct target *out)
{
    const struct kms_DecryptRequest *in = c->in;
    struct str arn = in->KeyId;
    if (arn.p == NULL && !cipher_key_arn(in->CiphertextBlob, &arn))
        return NULL; /* "*": the handler says what is wrong, to those who may decrypt anything */
    return target_use(c, &in->EncryptionContext, arn, out);
}

/* Both sides of ReEncrypt learn whether they are the same key. */
static struct err *same_key_key(struct call *c, struct str source, struct str destination)
{
    struct key from, to;
    bool found;
    TRY(key_find(c, source, &from, &found));
    TRY(key_find(c, destination, &to, &found));
    call_key(c, "kms:ReEncryptOnSameKey", truth(str_eq(from.arn, to.arn)));
    return NULL;
}

struct err *target_source_key(struct call *c, struct target *out)
{
    const struct kms_ReEncryptRequest *in = c->in;
    struct str arn = in->SourceKeyId;
    if (arn.p == NULL && !cipher_key_arn(in->CiphertextBlob, &arn))
        return NULL;
    TRY(same_key_key(c, arn, in->DestinationKeyId));
    return target_use(c, &in->SourceEncryptionContext, arn, out);
}

struct err *target_destination_key(struct call *c, struct target *out)
{
    const struct kms_ReEncryptRequest *in = c->in;
    struct str arn = in->SourceKeyId;
    if (arn.p != NULL || cipher_key_arn(in->CiphertextBlob, &arn))
        TRY(same_key_key(c, arn, in->DestinationKeyId));
    return target_use(c, &in->DestinationEncryptionContext, in->DestinationKeyId, out);
}

struct err *target_new_key(struct call *c, struct target *out UNUSED)
{
    const struct kms_CreateKeyRequest *in = c->in;
    struct str spec = in->KeySpec.p != NULL ? in->KeySpec : in->CustomerMasterKeySpec;
    call_key(c, "kms:CallerAccount", c->account);
    call_key(c, "kms:KeySpec", spec.p != NULL ? spec : STR("SYMMETRIC_DEFAULT"));
    call_key(c, "kms:KeyUsage", in->KeyUsage.p != NULL ? in->KeyUsage : STR("ENCRYPT_DECRYPT"));
    call_key(c, "kms:KeyOrigin", in->Origin.p != NULL ? in->Origin : STR("AWS_KMS"));
    call_key(c, "kms:MultiRegion", truth(in->MultiRegion.v));
    call_key(c, "kms:BypassPolicyLockoutSafetyCheck",
             truth(in->BypassPolicyLockoutSafetyCheck.v));
    request_tag_keys(c, &in->Tags);
    call_key(c, "kms:ViaService", call_via_service(c));
    return NULL;
}

struct err *target_alias(struct call *c, struct target *out)
{
    struct str alias = shape_str_at(c->op->input, c->in, "AliasName");
    out->arn = call_arn(c, "kms", "%.*s", STR_ARG(alias));
    out->type = "AWS::KMS::Alias";
    return NULL;
}

struct err *target_alias_key(struct call *c, struct target *out)
{
    return target_of(c, shape_str_at(c->op->input, c->in, "TargetKeyId"), out);
}

struct err *target_alias_old_key(struct call *c, struct target *out)
{
    return target_of(c, shape_str_at(c->op->input, c->in, "AliasName"), out);
}
