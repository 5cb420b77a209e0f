/* The rows of KMS: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html */
#include "room.h"

static const struct need need_create[] = {{"kms:CreateKey", NULL, target_new_key}, {0}};
static const struct need need_list_keys[] = {{"kms:ListKeys", NULL, NULL}, {0}};
static const struct need need_list_aliases[] = {{"kms:ListAliases", NULL, NULL}, {0}};
static const struct need need_random[] = {{"kms:GenerateRandom", NULL, NULL}, {0}};
#define ABOUT(op, target) static const struct need need_##op[] = {{"kms:" #op, NULL, target}, {0}}
#define ON_KEY(op) ABOUT(op, target_key)
ON_KEY(DescribeKey);
ON_KEY(EnableKey);
ON_KEY(DisableKey);
ABOUT(ScheduleKeyDeletion, target_deleted_key);
ON_KEY(CancelKeyDeletion);
ON_KEY(UpdateKeyDescription);
ABOUT(EnableKeyRotation, target_rotated_key);
ON_KEY(DisableKeyRotation);
ON_KEY(GetKeyRotationStatus);
ON_KEY(RotateKeyOnDemand);
ON_KEY(GetKeyPolicy);
ABOUT(PutKeyPolicy, target_policy_key);
ON_KEY(ListKeyPolicies);
ABOUT(TagResource, target_tagged_key);
ABOUT(UntagResource, target_untagged_key);
ON_KEY(ListResourceTags);
ABOUT(Encrypt, target_encrypt_key);
ABOUT(GenerateDataKey, target_data_key);
ABOUT(GenerateDataKeyWithoutPlaintext, target_data_key_alone);
static const struct need need_decrypt[] = {{"kms:Decrypt", NULL, target_ciphertext_key}, {0}};
static const struct need need_reencrypt[] = {{"kms:ReEncryptFrom", NULL, target_source_key},
                                             {"kms:ReEncryptTo", NULL, target_destination_key},
                                             {0}};
static const struct need need_create_alias[] = {{"kms:CreateAlias", NULL, target_alias},
                                                {"kms:CreateAlias", NULL, target_alias_key},
                                                {0}};
static const struct need need_update_alias[] = {{"kms:UpdateAlias", NULL, target_alias},
                                                {"kms:UpdateAlias", NULL, target_alias_key},
                                                {"kms:UpdateAlias", NULL, target_alias_old_key},
                                                {0}};
static const struct need need_delete_alias[] = {{"kms:DeleteAlias", NULL, target_alias},
                                                {"kms:DeleteAlias", NULL, target_alias_old_key},
                                                {0}};

/* Every KMS event is a management event. Use of a key changes nothing that is stored: OP_READ. */
#define READ(op, n, in) {OP_ROW(kms, op, OP_READ, AUDIT_MANAGEMENT, n, in, NULL)}
#define WRITE(op, n, in, result) {OP_ROW(kms, op, OP_WRITE, AUDIT_MANAGEMENT, n, in, result)}

static const struct op_row rows[] = {
    WRITE(CreateKey, need_create,
          "Policy Description KeyUsage KeySpec CustomerMasterKeySpec Origin "
          "BypassPolicyLockoutSafetyCheck Tags MultiRegion",
          "KeyMetadata"),
    READ(DescribeKey, need_DescribeKey, "KeyId"),
    READ(ListKeys, need_list_keys, "Limit"),
    WRITE(EnableKey, need_EnableKey, "KeyId", NULL),
    WRITE(DisableKey, need_DisableKey, "KeyId", NULL),
    WRITE(ScheduleKeyDeletion, need_ScheduleKeyDeletion, "KeyId PendingWindowInDays", "*"),
    WRITE(CancelKeyDeletion, need_CancelKeyDeletion, "KeyId", "*"),
    WRITE(UpdateKeyDescription, need_UpdateKeyDescription, "KeyId Description", NULL),
    WRITE(EnableKeyRotation, need_EnableKeyRotation, "KeyId RotationPeriodInDays", NULL),
    WRITE(DisableKeyRotation, need_DisableKeyRotation, "KeyId", NULL),
    READ(GetKeyRotationStatus, need_GetKeyRotationStatus, "KeyId"),
    WRITE(RotateKeyOnDemand, need_RotateKeyOnDemand, "KeyId", "*"),
    WRITE(CreateAlias, need_create_alias, "AliasName TargetKeyId", NULL),
    WRITE(UpdateAlias, need_update_alias, "AliasName TargetKeyId", NULL),
    WRITE(DeleteAlias, need_delete_alias, "AliasName", NULL),
    READ(ListAliases, need_list_aliases, "KeyId Limit"),
    READ(GetKeyPolicy, need_GetKeyPolicy, "KeyId PolicyName"),
    WRITE(PutKeyPolicy, need_PutKeyPolicy, "KeyId PolicyName Policy BypassPolicyLockoutSafetyCheck",
          NULL),
    READ(ListKeyPolicies, need_ListKeyPolicies, "KeyId Limit"),
    WRITE(TagResource, need_TagResource, "KeyId Tags", NULL),
    WRITE(UntagResource, need_UntagResource, "KeyId TagKeys", NULL),
    READ(ListResourceTags, need_ListResourceTags, "KeyId Limit"),
    READ(Encrypt, need_Encrypt, "KeyId EncryptionContext EncryptionAlgorithm"),
    READ(Decrypt, need_decrypt, "KeyId EncryptionContext EncryptionAlgorithm"),
    READ(ReEncrypt, need_reencrypt,
         "SourceKeyId SourceEncryptionContext DestinationKeyId "
         "DestinationEncryptionContext"),
    READ(GenerateDataKey, need_GenerateDataKey, "KeyId EncryptionContext NumberOfBytes KeySpec"),
    READ(GenerateDataKeyWithoutPlaintext, need_GenerateDataKeyWithoutPlaintext,
         "KeyId EncryptionContext NumberOfBytes KeySpec"),
    READ(GenerateRandom, need_random, "NumberOfBytes"),
};

const struct room kms_room = {
    .name = "kms",
    .model = &kms_model,
    .event_source = "kms.amazonaws.com",
    .ops = rows,
    .n_ops = ARRAY_LEN(rows),
    .validation_code = "ValidationException",
    .denied_code = "AccessDeniedException",
    .jobs = kms_jobs,
};
