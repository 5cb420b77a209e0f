/* The installation's signing key, and the certificate that receivers check messages with.
 *
 * https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
 * One RSA key, made at first start; the certificate's name holds the hash of the public key. */
#include "room.h"

#include "crypto/ca.h"

#define SECRET_KEY "sns.signing"
#define SECRET_CERT "sns.certificate"
#define CERT_PREFIX "/SimpleNotificationService-"
#define CERT_NAME "sns.amazonaws.com"

enum { RSA_BITS = 2048, HASH_CHARS = 32, CERT_ARENA = 256 * 1024 };

/* Set at start, before the first call, and not changed until stop. */
static struct {
    struct secret *key, *cert;
    char path[128];
} mine;

static struct err *load_key(struct ward *w)
{
    TRY(store_secret_get(w->store, SECRET_KEY, &mine.key));
    if (mine.key != NULL)
        return NULL;
    struct secret *fresh CLEANUP(secret_free_ptr) = NULL;
    TRY(rsa_generate(RSA_BITS, &fresh));
    TRY(store_secret_put(w->store, SECRET_KEY, fresh));
    return secret_ref(fresh, &mine.key);
}

/* Kept, though anybody may read it: receivers compare and cache it. */
static struct err *load_cert(struct ward *w, struct arena *a)
{
    TRY(store_secret_get(w->store, SECRET_CERT, &mine.cert));
    if (mine.cert != NULL)
        return NULL;
    struct str pem;
    TRY(ca_self_signed(a, mine.key, CERT_NAME, &pem));
    TRY(secret_new(pem, &mine.cert));
    return store_secret_put(w->store, SECRET_CERT, mine.cert);
}

struct err *sign_start(struct ward *w)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(CERT_ARENA);
    struct str der;
    TRY(load_key(w));
    TRY(load_cert(w, a));
    TRY(rsa_public_pkcs1(a, mine.key, &der));
    snprintf(mine.path, sizeof mine.path, CERT_PREFIX "%.*s.pem", HASH_CHARS, sha256_hex(a, der).p);
    return NULL;
}

void sign_stop(struct ward *w UNUSED)
{
    secret_free(mine.key);
    secret_free(mine.cert);
    mine.key = mine.cert = NULL;
}

struct err *sign_text(struct arena *a, bool version2, struct str text, struct str *out_base64)
{
    struct str signature;
    TRY(rsa_sign(a, mine.key, version2 ? HASH_SHA256 : HASH_SHA1, text, &signature));
    *out_base64 = enc_base64(a, signature);
    return NULL;
}

struct str sign_cert_url(struct ward *w, struct arena *a)
{
    return arena_fmt(a, "%s%s", w->endpoint, mine.path);
}

static struct err *get_cert(struct ward *w UNUSED, struct arena *a, struct str path,
                            const char **out_type, struct str *out_body)
{
    if (!str_is(path, mine.path))
        return err_aws(404, "NotFound", "There is no such certificate.");
    *out_type = "application/x-pem-file";
    *out_body = arena_str(a, str_of(secret_bytes(mine.cert), secret_size(mine.cert)));
    return NULL;
}

const struct page sns_pages[] = {{.path_prefix = CERT_PREFIX, .get = get_cert}, {0}};
