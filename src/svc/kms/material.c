/* Key material, and the form of a ciphertext.
 *
 * Material is 32 random bytes, wrapped (AES-256-GCM) under the account's KMS key, which is derived
 * from a secret of the installation; the wrapping is bound to the key's ARN and version.
 *
 * A ciphertext blob: 01, length of the key's ARN (u16), the ARN, version (u32), then nonce,
 * ciphertext and tag. Associated data: everything before the nonce and the encryption context,
 * sorted by key, each text with its length before it. */
#include "room.h"

enum { BLOB_FORM = 1, BLOB_HEAD = 1 + 2, ARN_MAX = 2048, CONTEXT_MAX = 64 * 1024 };

static void wipe_str(void *p)
{
    struct str *s = p;
    secret_wipe((void *)(uintptr_t)s->p, s->n);
}

void wipe_with_arena(struct arena *a, struct str s)
{
    struct str *kept = ARENA_NEW(a, struct str);
    *kept = s;
    arena_on_free(a, wipe_str, kept);
}

static struct skey material_key(const struct key *k, int64_t version)
{
    struct skey at = key_row_key(k->account, k->region, k->id);
    key_u32(&at, (uint32_t)version);
    return at;
}

static struct err *account_kek(struct store *s, struct str account, struct secret **out)
{
    struct secret *root CLEANUP(secret_free_ptr) = NULL;
    TRY(store_secret(s, "kms.kek", AES_KEY_SIZE, &root));
    unsigned char kek[AES_KEY_SIZE];
    hkdf_sha256(root, account, STR("ward kms account key"), kek, sizeof kek);
    struct err *e = secret_new(str_of(kek, sizeof kek), out);
    secret_wipe(kek, sizeof kek);
    return e;
}

static struct str material_aad(struct arena *a, const struct key *k, int64_t version)
{
    return arena_fmt(a, "%.*s/%lld", STR_ARG(k->arn), (long long)version);
}

struct err *material_create(struct call *c, const struct key *k)
{
    struct secret *material CLEANUP(secret_free_ptr) = NULL;
    struct secret *kek CLEANUP(secret_free_ptr) = NULL;
    TRY(secret_random(MATERIAL_SIZE, &material));
    TRY(account_kek(c->ward->store, k->account, &kek));
    struct str wrapped =
        key_wrap(c->arena, kek, material_aad(c->arena, k, k->version), material);
    struct skey at = material_key(k, k->version);
    return txn_put(c->txn, KMS_T_MATERIAL, key_owner(c->arena, k), key_of(&at), wrapped);
}

struct err *material_delete(struct txn *t, const struct key *k)
{
    for (int64_t v = 1; v <= k->version; v++) {
        struct skey at = material_key(k, v);
        TRY(txn_del(t, KMS_T_MATERIAL, key_of(&at)));
    }
    return NULL;
}

static struct err *material_read(struct call *c, const struct key *k, int64_t version,
                                 struct secret **out)
{
    struct str wrapped;
    struct skey at = material_key(k, version);
    TRY(txn_get(c->txn, KMS_T_MATERIAL, key_of(&at), c->arena, &wrapped));
    if (wrapped.p == NULL)
        return err_detail(err_aws(500, "KMSInternalException", "The key's material is missing."),
                          "version %lld", (long long)version);
    struct secret *kek CLEANUP(secret_free_ptr) = NULL;
    TRY(account_kek(c->ward->store, k->account, &kek));
    return key_unwrap(kek, material_aad(c->arena, k, version), wrapped, out);
}

static int by_key(const void *x, const void *y)
{
    return str_cmp(((const struct context_pair *)x)->key, ((const struct context_pair *)y)->key);
}

void context_sort(struct context *x)
{
    if (x->n > 1)
        qsort(x->v, x->n, sizeof *x->v, by_key);
}

static struct err *associated_data(struct buf *aad, struct str head, const struct context *x)
{
    buf_str(aad, head);
    for (size_t i = 0; i < x->n; i++) {
        buf_u32(aad, (uint32_t)x->v[i].key.n);
        buf_str(aad, x->v[i].key);
        buf_u32(aad, (uint32_t)x->v[i].value.n);
        buf_str(aad, x->v[i].value);
    }
    if (!buf_ok(aad))
        return err_aws(400, "ValidationException", "The encryption context is too large.");
    return NULL;
}

struct err *cipher_seal(struct call *c, const struct key *k, const struct context *x,
                        struct str plain, struct str *out_blob)
{
    struct secret *material CLEANUP(secret_free_ptr) = NULL;
    TRY(material_read(c, k, k->version, &material));
    struct buf head CLEANUP(buf_clear) = BUF_INIT(BLOB_HEAD + ARN_MAX + 4);
    buf_char(&head, BLOB_FORM);
    buf_u16(&head, (uint16_t)k->arn.n);
    buf_str(&head, k->arn);
    buf_u32(&head, (uint32_t)k->version);
    TRY(buf_check(&head));
    struct buf aad CLEANUP(buf_clear) = BUF_INIT(CONTEXT_MAX);
    TRY(associated_data(&aad, buf_view(&head), x));
    char *blob = arena_alloc(c->arena, head.n + plain.n + GCM_OVERHEAD);
    memcpy(blob, head.p, head.n);
    gcm_seal(secret_bytes(material), buf_view(&aad), plain, (unsigned char *)blob + head.n);
    *out_blob = str_of(blob, head.n + plain.n + GCM_OVERHEAD);
    return NULL;
}

/* The blob's parts: how long the head is, and the material's version. */
static bool blob_parts(struct str blob, struct str *arn, int64_t *version, size_t *head_n)
{
    if (blob.n < BLOB_HEAD || blob.p[0] != BLOB_FORM)
        return false;
    size_t arn_n = (size_t)(unsigned char)blob.p[1] << 8 | (unsigned char)blob.p[2];
    if (arn_n > ARN_MAX || blob.n < BLOB_HEAD + arn_n + 4 + GCM_OVERHEAD)
        return false;
    struct str rest = str_skip(blob, BLOB_HEAD + arn_n);
    uint32_t v;
    if (!key_take_u32(&rest, &v) || v == 0)
        return false;
    *arn = str_take(str_skip(blob, BLOB_HEAD), arn_n);
    *version = v;
    *head_n = BLOB_HEAD + arn_n + 4;
    return true;
}

bool cipher_key_arn(struct str blob, struct str *out_arn)
{
    int64_t version;
    size_t head_n;
    struct arn parsed;
    struct str arn;
    if (!blob_parts(blob, &arn, &version, &head_n) || !arn_parse(arn, &parsed))
        return false;
    *out_arn = arn;
    return true;
}

static struct err *invalid_ciphertext(void)
{
    return err_aws(400, "InvalidCiphertextException",
                   "The ciphertext is not one that this key made with this encryption context.");
}

struct err *cipher_open(struct call *c, const struct key *k, const struct context *x,
                        struct str blob, struct str *out_plain)
{
    struct str arn;
    int64_t version;
    size_t head_n;
    if (!blob_parts(blob, &arn, &version, &head_n) || version > k->version)
        return invalid_ciphertext();
    if (!str_eq(arn, k->arn))
        return err_aws(400, "IncorrectKeyException",
                       "The key ID in the request does not identify a CMK that can perform this "
                       "operation.");
    struct secret *material CLEANUP(secret_free_ptr) = NULL;
    TRY(material_read(c, k, version, &material));
    struct buf aad CLEANUP(buf_clear) = BUF_INIT(CONTEXT_MAX);
    TRY(associated_data(&aad, str_take(blob, head_n), x));
    struct str sealed = str_skip(blob, head_n);
    char *plain = arena_alloc(c->arena, sealed.n - GCM_OVERHEAD + 1);
    if (!gcm_open(secret_bytes(material), buf_view(&aad), sealed, (unsigned char *)plain))
        return invalid_ciphertext();
    *out_plain = str_of(plain, sealed.n - GCM_OVERHEAD);
    wipe_with_arena(c->arena, *out_plain);
    return NULL;
}
