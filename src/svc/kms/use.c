/* Keys in use: https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#enc_context */
#include "room.h"

enum { DATA_KEY_MAX = 1024 };

/* Each key once and without NULs: what the policies saw is what the ciphertext is bound to. */
static struct err *context_of(struct call *c, const struct kms_EncryptionContextType *x,
                              struct context *out)
{
    out->n = x->n;
    out->v = ARENA_ARRAY(c->arena, x->n + 1, struct context_pair);
    for (size_t i = 0; i < x->n; i++)
        out->v[i] = (struct context_pair){x->v[i].key, x->v[i].value};
    context_sort(out);
    for (size_t i = 0; i < out->n; i++) {
        struct str key = out->v[i].key;
        if (key.n == 0 || memchr(key.p, '\0', key.n) != NULL)
            return err_aws(400, "ValidationException",
                           "A key of the encryption context is empty or holds a NUL character.");
        if (i > 0 && str_eq(key, out->v[i - 1].key))
            return err_aws(400, "ValidationException",
                           "A key of the encryption context is given twice.");
    }
    return NULL;
}

static struct err *check_algorithm(struct str a)
{
    if (a.p == NULL || str_is(a, "SYMMETRIC_DEFAULT"))
        return NULL;
    return err_aws(400, "InvalidKeyUsageException",
                   "The algorithm is incompatible with key spec SYMMETRIC_DEFAULT.");
}

/* DryRun: everything was checked, nothing is to be done. */
static struct err *check_dry_run(struct opt_bool dry)
{
    return dry.v ? err_aws(400, "DryRunOperationException",
                           "The request would have succeeded, but the DryRun option is set.")
                 : NULL;
}

OP_HANDLER(kms, Encrypt, EncryptRequest, EncryptResponse)
{
    struct key k;
    struct context x;
    TRY(check_algorithm(in->EncryptionAlgorithm));
    TRY(key_usable(c, in->KeyId, &k));
    wipe_with_arena(c->arena, in->Plaintext);
    TRY(context_of(c, &in->EncryptionContext, &x));
    TRY(check_dry_run(in->DryRun));
    TRY(cipher_seal(c, &k, &x, in->Plaintext, &out->CiphertextBlob));
    out->KeyId = k.arn;
    out->EncryptionAlgorithm = STR("SYMMETRIC_DEFAULT");
    return NULL;
}

/* The key that made a ciphertext, checked against the one that the caller expects. */
static struct err *key_of_blob(struct call *c, struct str blob, struct str expected,
                               struct key *out)
{
    struct str arn;
    if (!cipher_key_arn(blob, &arn))
        return err_aws(400, "InvalidCiphertextException",
                       "The ciphertext is not one that KMS made.");
    if (expected.p == NULL)
        return key_usable(c, arn, out);
    TRY(key_usable(c, expected, out));
    if (!str_eq(out->arn, arn))
        return err_aws(400, "IncorrectKeyException",
                       "The key ID in the request does not identify a CMK that can perform this "
                       "operation.");
    return NULL;
}

OP_HANDLER(kms, Decrypt, DecryptRequest, DecryptResponse)
{
    struct key k;
    struct context x;
    TRY(check_algorithm(in->EncryptionAlgorithm));
    if (in->Recipient != NULL)
        return err_not_implemented(c, "Decrypt for a Nitro enclave (Recipient)");
    if (in->DryRunModifiers.n > 0)
        return err_not_implemented(c, "DryRunModifiers");
    TRY(key_of_blob(c, in->CiphertextBlob, in->KeyId, &k));
    TRY(context_of(c, &in->EncryptionContext, &x));
    TRY(cipher_open(c, &k, &x, in->CiphertextBlob, &out->Plaintext));
    TRY(check_dry_run(in->DryRun));
    out->KeyId = k.arn;
    out->EncryptionAlgorithm = STR("SYMMETRIC_DEFAULT");
    return NULL;
}

OP_HANDLER(kms, ReEncrypt, ReEncryptRequest, ReEncryptResponse)
{
    struct key from, to;
    struct context source, destination;
    struct str plain;
    TRY(check_algorithm(in->SourceEncryptionAlgorithm));
    TRY(check_algorithm(in->DestinationEncryptionAlgorithm));
    TRY(key_of_blob(c, in->CiphertextBlob, in->SourceKeyId, &from));
    if (in->DryRunModifiers.n > 0)
        return err_not_implemented(c, "DryRunModifiers");
    TRY(key_usable(c, in->DestinationKeyId, &to));
    TRY(context_of(c, &in->SourceEncryptionContext, &source));
    TRY(context_of(c, &in->DestinationEncryptionContext, &destination));
    TRY(cipher_open(c, &from, &source, in->CiphertextBlob, &plain));
    TRY(check_dry_run(in->DryRun));
    TRY(cipher_seal(c, &to, &destination, plain, &out->CiphertextBlob));
    out->SourceKeyId = from.arn;
    out->KeyId = to.arn;
    out->SourceEncryptionAlgorithm = STR("SYMMETRIC_DEFAULT");
    out->DestinationEncryptionAlgorithm = STR("SYMMETRIC_DEFAULT");
    return NULL;
}

struct data_key_request {
    struct str key_id, key_spec;
    struct opt_int bytes;
    const struct kms_EncryptionContextType *context;
    struct opt_bool dry_run;
};

static struct err *data_key_size(const struct data_key_request *r, size_t *out)
{
    if ((r->key_spec.p != NULL) == r->bytes.set)
        return err_aws(400, "ValidationException",
                       "Please specify either number of bytes or key spec.");
    if (r->bytes.set && (r->bytes.v < 1 || r->bytes.v > DATA_KEY_MAX))
        return err_aws(400, "ValidationException", "NumberOfBytes must be between 1 and %d.",
                       DATA_KEY_MAX);
    *out = r->bytes.set ? (size_t)r->bytes.v : str_is(r->key_spec, "AES_128") ? 16 : 32;
    return NULL;
}

static struct err *data_key(struct call *c, const struct data_key_request *r, struct str *plain,
                            struct str *blob, struct str *key_arn)
{
    struct key k;
    struct context x;
    size_t n;
    TRY(data_key_size(r, &n));
    TRY(key_usable(c, r->key_id, &k));
    TRY(context_of(c, r->context, &x));
    TRY(check_dry_run(r->dry_run));
    char *bytes = arena_alloc(c->arena, n);
    rand_bytes(bytes, n);
    *plain = str_of(bytes, n);
    wipe_with_arena(c->arena, *plain);
    TRY(cipher_seal(c, &k, &x, *plain, blob));
    *key_arn = k.arn;
    return NULL;
}

OP_HANDLER(kms, GenerateDataKey, GenerateDataKeyRequest, GenerateDataKeyResponse)
{
    if (in->Recipient != NULL)
        return err_not_implemented(c, "GenerateDataKey for a Nitro enclave (Recipient)");
    struct data_key_request r = {in->KeyId, in->KeySpec, in->NumberOfBytes, &in->EncryptionContext,
                                 in->DryRun};
    return data_key(c, &r, &out->Plaintext, &out->CiphertextBlob, &out->KeyId);
}

OP_HANDLER(kms, GenerateDataKeyWithoutPlaintext, GenerateDataKeyWithoutPlaintextRequest,
           GenerateDataKeyWithoutPlaintextResponse)
{
    struct data_key_request r = {in->KeyId, in->KeySpec, in->NumberOfBytes, &in->EncryptionContext,
                                 in->DryRun};
    struct str plain;
    return data_key(c, &r, &plain, &out->CiphertextBlob, &out->KeyId);
}

OP_HANDLER(kms, GenerateRandom, GenerateRandomRequest, GenerateRandomResponse)
{
    if (!in->NumberOfBytes.set || in->NumberOfBytes.v < 1 || in->NumberOfBytes.v > DATA_KEY_MAX)
        return err_aws(400, "ValidationException", "NumberOfBytes must be between 1 and %d.",
                       DATA_KEY_MAX);
    if (in->CustomKeyStoreId.p != NULL || in->Recipient != NULL)
        return err_not_implemented(c, "GenerateRandom with a custom key store or an enclave");
    size_t n = (size_t)in->NumberOfBytes.v;
    char *bytes = arena_alloc(c->arena, n);
    rand_bytes(bytes, n);
    out->Plaintext = str_of(bytes, n);
    wipe_with_arena(c->arena, out->Plaintext);
    return NULL;
}
