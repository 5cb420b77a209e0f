/* kms.h: the Key Management Service room: symmetric keys, their policies, aliases and use.
 *
 * https://docs.aws.amazon.com/kms/latest/APIReference/Welcome.html
 *
 * This room is the model for the others:
 *   kms.h      this page: the room's face, its limits, its tables
 *   ops.c      one row for each operation: every decision about it, as data
 *   access.c   from a key id, ARN or alias to a key's row; targets and condition keys
 *   keys.c     making, describing, enabling, deleting, rotating keys
 *   managed.c  AWS managed keys
 *   alias.c    aliases        policy.c  key policies        tags.c  tags
 *   use.c      Encrypt, Decrypt, ReEncrypt, GenerateDataKey…
 *   material.c key material: made, wrapped, unwrapped; the ciphertext's form
 *   test/      boto3 against a running Ward
 *
 * Tables (all rows sealed under the key's own data key, owner "ACCOUNT/kms/KEYID", but for aliases,
 * whose owner is the account):
 *   kms.key       account, region, key id          -> JSON
 *   kms.material  account, region, key id, version -> material wrapped under the account's KMS key
 *   kms.alias     account, region, alias name      -> JSON {target,created_ms,updated_ms}
 *   kms.alias_of  account, region, key id, alias   -> nothing
 *
 * Material is read and unwrapped into secret memory for each use and wiped after it; nothing is
 * cached, so a disabled key is closed to the very next call. */
#ifndef WARD_SVC_KMS_H
#define WARD_SVC_KMS_H

#include "api/api.h"

enum {
    KMS_PLAINTEXT_MAX = 4096,
    KMS_POLICY_MAX = 32768,
    KMS_ALIASES_PER_KEY_MAX = 50,
    KMS_TAGS_MAX = 50,
    KMS_WINDOW_MIN_DAYS = 7,
    KMS_WINDOW_MAX_DAYS = 30,
    KMS_ROTATION_DEFAULT_DAYS = 365,
    KMS_ON_DEMAND_MAX = 25, /* rotations on demand in the life of a key */
    KMS_LIST_DEFAULT = 100,
    KMS_VERSIONS_MAX = 1000,
};

#define KMS_T_KEY "kms.key"
#define KMS_T_MATERIAL "kms.material"
#define KMS_T_ALIAS "kms.alias"
#define KMS_T_ALIAS_OF "kms.alias_of"

extern const struct room kms_room;

#endif
