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

struct err *key_find(struct call *c, struct str key_id, struct key *out, bool *out_found)
{
    struct str account = c->account, region = c->region, id = key_id;
    struct arn arn;
    if (str_starts_c(key_id, "arn:")) {
        if (!arn_parse(key_id, &arn) || !str_is(arn.service, "kms"))
            return err_aws(400, "InvalidArnException", "The ARN is not that of a KMS resource.");
        account = arn.account;
        region = arn.region;
        id = str_starts_c(arn.resource, "key/") ? str_skip(arn.resource, 4) : arn.resource;
    }
    if (str_starts_c(id, "alias/")) {
        struct str alias = id;
        call_key(c, "kms:RequestAlias", alias);
        TRY(read_alias(c, account, region, alias, &id));
        if (id.p == NULL && str_starts_c(alias, "alias/aws/") && call_via_service(c).p != NULL &&
            str_eq(account, c->account))
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

static void context_keys(struct call *c, const struct kms_EncryptionContextType *x)
{
    if (x == NULL || x->n == 0)
        return;
    struct str *names = ARENA_ARRAY(c->arena, x->n, struct str);
    for (size_t i = 0; i < x->n; i++) {
        names[i] = x->v[i].key;
        call_key(c, arena_fmt(c->arena, "kms:EncryptionContext:%.*s", STR_ARG(names[i])).p,
                 x->v[i].value);
    }
    call_key_list(c, "kms:EncryptionContextKeys", names, x->n);
}

static void key_keys(struct call *c, const struct key *k)
{
    call_key(c, "kms:CallerAccount", c->account);
    call_key(c, "kms:KeySpec", STR("SYMMETRIC_DEFAULT"));
    call_key(c, "kms:KeyUsage", STR("ENCRYPT_DECRYPT"));
    call_key(c, "kms:KeyOrigin", STR("AWS_KMS"));
    call_key(c, "kms:MultiRegion", STR("false"));
    const struct jv *tags = jv_get(k->row, "tags");
    for (size_t i = 0; i < jv_len(tags); i++) {
        struct str name = jv_s(jv_get(jv_at(tags, i), "key"));
        call_key(c, arena_fmt(c->arena, "aws:ResourceTag/%.*s", STR_ARG(name)).p,
                 jv_s(jv_get(jv_at(tags, i), "value")));
    }
    call_key(c, "kms:ViaService", call_via_service(c));
}

static struct err *target_of(struct call *c, struct str key_id, struct target *out)
{
    struct key k;
    bool found;
    TRY(key_find(c, key_id, &k, &found));
    out->arn = k.arn;
    out->account = k.account;
    out->type = "AWS::KMS::Key";
    if (found) {
        out->policy = k.policy;
        out->policy_required = true;
        key_keys(c, &k);
    }
    return NULL;
}

struct err *target_key(struct call *c, struct target *out)
{
    const struct shape *s = c->op->input;
    if (strcmp(c->op->name, "Encrypt") == 0)
        context_keys(c, &((const struct kms_EncryptRequest *)c->in)->EncryptionContext);
    else if (strcmp(c->op->name, "GenerateDataKey") == 0)
        context_keys(c, &((const struct kms_GenerateDataKeyRequest *)c->in)->EncryptionContext);
    else if (strcmp(c->op->name, "GenerateDataKeyWithoutPlaintext") == 0)
        context_keys(c, &((const struct kms_GenerateDataKeyWithoutPlaintextRequest *)c->in)
                             ->EncryptionContext);
    return target_of(c, shape_str_at(s, c->in, "KeyId"), out);
}

struct err *target_ciphertext_key(struct call *c, struct target *out)
{
    const struct kms_DecryptRequest *in = c->in;
    context_keys(c, &in->EncryptionContext);
    struct str arn;
    if (in->KeyId.p != NULL)
        arn = in->KeyId;
    else if (!cipher_key_arn(in->CiphertextBlob, &arn))
        return NULL; /* "*": the handler says what is wrong, to those who may decrypt anything */
    return target_of(c, arn, out);
}

struct err *target_source_key(struct call *c, struct target *out)
{
    const struct kms_ReEncryptRequest *in = c->in;
    context_keys(c, &in->SourceEncryptionContext);
    struct str arn;
    if (in->SourceKeyId.p != NULL)
        arn = in->SourceKeyId;
    else if (!cipher_key_arn(in->CiphertextBlob, &arn))
        return NULL;
    return target_of(c, arn, out);
}

struct err *target_destination_key(struct call *c, struct target *out)
{
    const struct kms_ReEncryptRequest *in = c->in;
    context_keys(c, &in->DestinationEncryptionContext);
    return target_of(c, in->DestinationKeyId, out);
}

struct err *target_new_key(struct call *c, struct target *out UNUSED)
{
    const struct kms_CreateKeyRequest *in = c->in;
    call_key(c, "kms:CallerAccount", c->account);
    call_key(c, "kms:BypassPolicyLockoutSafetyCheck",
             in->BypassPolicyLockoutSafetyCheck.v ? STR("true") : STR("false"));
    struct str *names = ARENA_ARRAY(c->arena, in->Tags.n + 1, struct str);
    for (size_t i = 0; i < in->Tags.n; i++) {
        names[i] = in->Tags.v[i].TagKey;
        call_key(c, arena_fmt(c->arena, "aws:RequestTag/%.*s", STR_ARG(names[i])).p,
                 in->Tags.v[i].TagValue);
    }
    if (in->Tags.n > 0)
        call_key_list(c, "aws:TagKeys", names, in->Tags.n);
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
