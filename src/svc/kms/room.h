/* room.h: private to the KMS room. */
#ifndef WARD_SVC_KMS_ROOM_H
#define WARD_SVC_KMS_ROOM_H

#include "kms.h"
#include "kms_model.h"

enum key_state { KEY_ENABLED = 1, KEY_DISABLED, KEY_PENDING_DELETION };

struct key { /* a row of kms.key, read */
    struct str id, arn, account, region;
    enum key_state state;
    struct str policy, description;
    struct str policy_bound;  /* the policy with ids for its principals; empty: it names none */
    int64_t created_ms, deletion_ms;
    int64_t version;          /* newest material */
    bool rotates, managed;    /* managed: AWS's own for a service, closed to policy changes */
    int64_t rotation_days, rotated_ms;
    struct jv *row;           /* the whole document */
};

/* access.c */
/* What a client named: key id, key ARN, alias name, alias ARN. *out_found false: no such key, and
 * then arn, account and region say what it would be. */
struct err *key_find(struct call *c, struct str key_id, struct key *out,
                     bool *out_found) MUST_CHECK;
/* The key of the call, or NotFoundException. */
struct err *key_need(struct call *c, struct str key_id, struct key *out) MUST_CHECK;
/* …and usable: DisabledException, KMSInvalidStateException. */
struct err *key_usable(struct call *c, struct str key_id, struct key *out) MUST_CHECK;
/* AWS managed keys (alias/aws/SERVICE) are made when a service first uses one for the account.
 * ERR_CONFLICT when it was just made: the call runs again and finds it. */
struct err *key_managed(struct call *c, struct str alias) MUST_CHECK;
struct err *key_not_pending(const struct key *k) MUST_CHECK;
struct err *key_save(struct call *c, const struct key *k) MUST_CHECK;
struct skey key_row_key(struct str account, struct str region, struct str id);
struct str key_owner(struct arena *a, const struct key *k);
bool key_from_row(struct arena *a, struct str account, struct str region, struct jv *row,
                  struct key *out);

struct err *target_key(struct call *c, struct target *out); /* input member KeyId; and below, with
                                                             * the operation's own condition keys */
struct err *target_encrypt_key(struct call *c, struct target *out);
struct err *target_data_key(struct call *c, struct target *out);
struct err *target_data_key_alone(struct call *c, struct target *out);
struct err *target_deleted_key(struct call *c, struct target *out);
struct err *target_rotated_key(struct call *c, struct target *out);
struct err *target_policy_key(struct call *c, struct target *out);
struct err *target_tagged_key(struct call *c, struct target *out);
struct err *target_untagged_key(struct call *c, struct target *out);
struct err *target_ciphertext_key(struct call *c, struct target *out); /* Decrypt */
struct err *target_source_key(struct call *c, struct target *out);  /* ReEncrypt */
struct err *target_destination_key(struct call *c, struct target *out);
struct err *target_new_key(struct call *c, struct target *out);
struct err *target_alias(struct call *c, struct target *out);
struct err *target_alias_key(struct call *c, struct target *out);   /* TargetKeyId */
struct err *target_alias_old_key(struct call *c, struct target *out);

/* alias.c */
struct err *alias_write(struct call *c, struct str alias, const struct key *k, int64_t created_ms)
    MUST_CHECK;

/* material.c */
enum { MATERIAL_SIZE = AES_KEY_SIZE };
struct err *material_create(struct call *c, const struct key *k) MUST_CHECK; /* k->version */
struct err *material_delete(struct txn *t, const struct key *k) MUST_CHECK;

struct context_pair {
    struct str key, value;
};
struct context { /* an encryption context, sorted by key */
    struct context_pair *v;
    size_t n;
};
void context_sort(struct context *x);

struct err *cipher_seal(struct call *c, const struct key *k, const struct context *x,
                        struct str plain, struct str *out_blob) MUST_CHECK;
/* The ARN of the key that made the blob; false: no ciphertext of ours. */
bool cipher_key_arn(struct str blob, struct str *out_arn);
/* The plaintext is in the arena and wiped with it. */
struct err *cipher_open(struct call *c, const struct key *k, const struct context *x,
                        struct str blob, struct str *out_plain) MUST_CHECK;
void wipe_with_arena(struct arena *a, struct str s);

/* handlers, named as in the rows */
OP_DECLARE(kms, CreateKey);
OP_DECLARE(kms, DescribeKey);
OP_DECLARE(kms, ListKeys);
OP_DECLARE(kms, EnableKey);
OP_DECLARE(kms, DisableKey);
OP_DECLARE(kms, ScheduleKeyDeletion);
OP_DECLARE(kms, CancelKeyDeletion);
OP_DECLARE(kms, UpdateKeyDescription);
OP_DECLARE(kms, EnableKeyRotation);
OP_DECLARE(kms, DisableKeyRotation);
OP_DECLARE(kms, GetKeyRotationStatus);
OP_DECLARE(kms, RotateKeyOnDemand);
OP_DECLARE(kms, CreateAlias);
OP_DECLARE(kms, UpdateAlias);
OP_DECLARE(kms, DeleteAlias);
OP_DECLARE(kms, ListAliases);
OP_DECLARE(kms, GetKeyPolicy);
OP_DECLARE(kms, PutKeyPolicy);
OP_DECLARE(kms, ListKeyPolicies);
OP_DECLARE(kms, TagResource);
OP_DECLARE(kms, UntagResource);
OP_DECLARE(kms, ListResourceTags);
OP_DECLARE(kms, Encrypt);
OP_DECLARE(kms, Decrypt);
OP_DECLARE(kms, ReEncrypt);
OP_DECLARE(kms, GenerateDataKey);
OP_DECLARE(kms, GenerateDataKeyWithoutPlaintext);
OP_DECLARE(kms, GenerateRandom);

/* Checks a policy and puts it into *k, with its principals' ids; the key is not yet saved. */
struct err *kms_put_policy(struct call *c, struct key *k, struct str text, bool bypass) MUST_CHECK;
struct err *kms_check_tags(const struct kms_TagList *tags) MUST_CHECK;
void kms_set_tags(struct call *c, struct key *k, const struct kms_TagList *tags);
struct err *kms_aliases_of(struct call *c, const struct key *k, struct str *out, size_t max,
                           size_t *out_n) MUST_CHECK;
extern const struct job_kind kms_jobs[];

#endif
