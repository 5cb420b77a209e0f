/* What signs digest files: an RSA key for each Region, replaced after TRAIL_KEY_DAYS, and
 * ListPublicKeys, which answers every key that signed in a span of time.
 *
 * https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_ListPublicKeys.html
 * The private key is a secret of the installation, wrapped under the root key; the one before it is
 * overwritten. Public keys are kept for good: digests must be provable as long as they are kept. */
#include "room.h"

#include "crypto/crypto.h"

enum { RSA_BITS = 2048, FINGERPRINT_CHARS = 32, SECRET_NAME_MAX = 96 };

#define OWNER_WARD STR("ward")
#define DAY_MS ((int64_t)24 * 3600 * 1000)

struct public_key {
    int64_t from_ms, to_ms;
    struct str der, fingerprint;
};

static struct skey key_row(struct str region, int64_t from_ms)
{
    struct skey k = skey();
    key_str(&k, region);
    key_u64(&k, (uint64_t)from_ms);
    return k;
}

static struct err *read_public(struct arena *a, struct str text, struct public_key *out)
{
    struct jv *row;
    TRY(json_parse(a, text, JSON_DEPTH_DEFAULT, &row));
    *out = (struct public_key){.from_ms = jv_i(jv_get(row, "from_ms"), 0),
                               .to_ms = jv_i(jv_get(row, "to_ms"), 0),
                               .fingerprint = jv_s(jv_get(row, "fingerprint"))};
    if (!dec_base64(a, jv_s(jv_get(row, "der")), &out->der))
        return err_new(ERR_CORRUPT, "A public key of the trails cannot be read.");
    return NULL;
}

/* The newest key of the Region; der STR_NONE: there is none. */
static struct err *newest(struct txn *t, struct arena *a, struct str region, struct public_key *out)
{
    struct skey prefix = skey();
    key_str(&prefix, region);
    struct scan sc = {.prefix = key_of(&prefix), .reverse = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    bool more;
    struct str key, value;
    *out = (struct public_key){0};
    TRY(txn_scan(t, TRAIL_T_KEY, &sc, &cur));
    TRY(cursor_next(cur, &more, &key, &value));
    return more ? read_public(a, value, out) : NULL;
}

static struct err *describe_key(struct arena *a, const struct secret *priv, struct public_key *out)
{
    TRY(rsa_public_pkcs1(a, priv, &out->der));
    out->fingerprint = str_take(sha256_hex(a, out->der), FINGERPRINT_CHARS);
    return NULL;
}

static struct err *keep_public(struct delivery *d, struct str region, const struct public_key *k)
{
    struct arena *a = d->arena;
    struct jv *row = jv_new_obj(a);
    jv_set(a, row, STR("from_ms"), jv_new_int(a, k->from_ms));
    jv_set(a, row, STR("to_ms"), jv_new_int(a, k->to_ms));
    jv_set(a, row, STR("der"), jv_new_str(a, enc_base64(a, k->der)));
    jv_set(a, row, STR("fingerprint"), jv_new_str(a, k->fingerprint));
    struct txn *t CLEANUP(txn_abort) = NULL;
    struct skey at = key_row(region, k->from_ms);
    TRY(store_begin(d->ward->store, TXN_WRITE, &t));
    TRY(txn_put(t, TRAIL_T_KEY, OWNER_WARD, key_of(&at), jv_text(a, row)));
    return txn_commit(&t);
}

/* The secret is kept first. If the public half is not (a crash in between), the secret is described
 * anew from itself at the next use: the two always belong together. */
struct err *digest_key_now(struct delivery *d, struct str region, struct digest_key *out)
{
    char name[SECRET_NAME_MAX];
    struct public_key last, mine = {.from_ms = d->now_ms,
                                    .to_ms = d->now_ms + TRAIL_KEY_DAYS * DAY_MS};
    struct secret *key CLEANUP(secret_free_ptr) = NULL;
    struct txn *t CLEANUP(txn_abort) = NULL;
    snprintf(name, sizeof name, "cloudtrail.digest.%.*s", STR_ARG(region));
    TRY(store_begin(d->ward->store, TXN_READ, &t));
    TRY(newest(t, d->arena, region, &last));
    txn_abort(&t);
    TRY(store_secret_get(d->ward->store, name, &key));
    if (key != NULL)
        TRY(describe_key(d->arena, key, &mine));
    bool known = key != NULL && str_eq(mine.fingerprint, last.fingerprint);
    if (key == NULL || (known && last.to_ms <= d->now_ms)) {
        secret_free(key);
        key = NULL;
        TRY(rsa_generate(RSA_BITS, &key));
        TRY(describe_key(d->arena, key, &mine));
        TRY(store_secret_put(d->ward->store, name, key));
        known = false;
    }
    if (!known)
        TRY(keep_public(d, region, &mine));
    out->fingerprint = mine.fingerprint;
    out->secret = key;
    key = NULL;
    return NULL;
}

OP_HANDLER(cloudtrail, ListPublicKeys, ListPublicKeysRequest, ListPublicKeysResponse)
{
    int64_t from = in->StartTime.set ? in->StartTime.v : c->now_ms;
    int64_t to = in->EndTime.set ? in->EndTime.v : c->now_ms;
    if (from > to)
        return err_aws(400, "InvalidTimeRangeException",
                       "Start time must be before or equal to end time.");
    struct skey prefix = skey();
    key_str(&prefix, c->region);
    struct scan sc = {.prefix = key_of(&prefix)};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    VEC(struct cloudtrail_PublicKey) found = {0};
    TRY(txn_scan(c->txn, TRAIL_T_KEY, &sc, &cur));
    for (;;) {
        bool more;
        struct str key, value;
        struct public_key k;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            break;
        TRY(read_public(c->arena, value, &k));
        if (k.from_ms > to || k.to_ms < from)
            continue;
        struct cloudtrail_PublicKey say = {.Value = k.der,
                                           .ValidityStartTime = some_int(k.from_ms),
                                           .ValidityEndTime = some_int(k.to_ms),
                                           .Fingerprint = k.fingerprint};
        VEC_PUSH(c->arena, &found, say);
    }
    out->PublicKeyList.v = found.v;
    out->PublicKeyList.n = found.n;
    out->PublicKeyList.set = true;
    return NULL;
}
