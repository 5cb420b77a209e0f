#include "ca.h"

#include "../core/clock.h"

#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

enum {
    BACKDATE_S = 3600, /* clients whose clock is a little slow */
    NAME_BYTES_MAX = 253,
    CN_MAX = 64, /* X.520 ub-common-name */
    SERIAL_BYTES = 16,
};

struct ca {
    X509 *cert;
    EVP_PKEY *key;
};

static struct err *ssl_err(const char *what)
{
    char text[160] = "";
    unsigned long code = ERR_get_error();
    if (code != 0)
        ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return err_detail(err_new(ERR_INTERNAL, "A certificate could not be made or read."), "%s: %s",
                      what, text);
}

static void x509_free(X509 **x)
{
    X509_free(*x);
}

static void pkey_free(EVP_PKEY **k)
{
    EVP_PKEY_free(*k);
}

static void bio_free(BIO **b)
{
    BIO_free(*b);
}

/* -- making certificates
 * --------------------------------------------------------------------------- */

/* RFC 5280 4.1.2.2: positive, at most 20 octets; random, so that two CAs of one name differ. */
static bool set_serial(X509 *x)
{
    unsigned char bytes[SERIAL_BYTES];
    rand_bytes(bytes, sizeof bytes);
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40);
    BIGNUM *n = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool ok = n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
    BN_free(n);
    return ok;
}

static bool set_times(X509 *x, int days)
{
    time_t now = (time_t)(clock_now_ms() / 1000);
    return X509_time_adj_ex(X509_getm_notBefore(x), 0, -BACKDATE_S, &now) != NULL &&
           X509_time_adj_ex(X509_getm_notAfter(x), days, 0, &now) != NULL;
}

static bool add_cn(X509_NAME *name, struct str cn)
{
    return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                      (const unsigned char *)cn.p, (int)cn.n, -1, 0) == 1;
}

/* Version 3, serial, times, subject, key; issuer is the caller's. */
static struct err *cert_new(struct str cn, EVP_PKEY *key, int days, X509 **out)
{
    X509 *x CLEANUP(x509_free) = X509_new();
    if (x == NULL || !X509_set_version(x, X509_VERSION_3) || !set_serial(x) ||
        !set_times(x, days) || !X509_set_pubkey(x, key) || !add_cn(X509_get_subject_name(x), cn))
        return ssl_err("certificate");
    *out = x;
    x = NULL;
    return NULL;
}

static bool add_ext(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = ext != NULL && X509_add_ext(x, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

static EVP_PKEY *new_key(void)
{
    return EVP_EC_gen("P-256");
}

struct err *ca_create(const char *common_name, struct ca **out)
{
    struct str cn = str_c(common_name);
    if (cn.n == 0 || cn.n > CN_MAX)
        return err_new(ERR_INVALID, "A certificate's name has 1 to %d characters.", CN_MAX);
    EVP_PKEY *key CLEANUP(pkey_free) = new_key();
    if (key == NULL)
        return ssl_err("key");
    X509 *x CLEANUP(x509_free) = NULL;
    TRY(cert_new(cn, key, CA_DAYS, &x));
    /* The subject key identifier first: the authority's refers to it. */
    if (!X509_set_issuer_name(x, X509_get_subject_name(x)) ||
        !add_ext(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_ext(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_ext(x, x, NID_subject_key_identifier, "hash") ||
        !add_ext(x, x, NID_authority_key_identifier, "keyid:always") ||
        X509_sign(x, key, EVP_sha256()) == 0)
        return ssl_err("root");
    struct ca *ca = calloc(1, sizeof *ca);
    CHECK(ca != NULL);
    ca->cert = x;
    ca->key = key;
    x = NULL;
    key = NULL;
    *out = ca;
    return NULL;
}

static struct err *check_ca(X509 *x, EVP_PKEY *key)
{
    time_t now = (time_t)(clock_now_ms() / 1000);
    if (X509_check_private_key(x, key) != 1) {
        ERR_clear_error();
        return err_new(ERR_INVALID, "The authority's key does not belong to its certificate.");
    }
    if (X509_check_ca(x) != 1)
        return err_new(ERR_INVALID, "The certificate is not that of an authority.");
    if (X509_cmp_time(X509_get0_notAfter(x), &now) <= 0)
        return err_new(ERR_INVALID, "The authority's certificate has expired; make a new one.");
    return NULL;
}

struct err *ca_load(struct str cert_pem, const struct secret *key_pem, struct ca **out)
{
    BIO *b CLEANUP(bio_free) = BIO_new_mem_buf(cert_pem.p, (int)cert_pem.n);
    BIO *kb CLEANUP(bio_free) = BIO_new_mem_buf(secret_bytes(key_pem), (int)secret_size(key_pem));
    CHECK(b != NULL && kb != NULL);
    X509 *x CLEANUP(x509_free) = PEM_read_bio_X509(b, NULL, NULL, NULL);
    EVP_PKEY *key CLEANUP(pkey_free) = PEM_read_bio_PrivateKey(kb, NULL, NULL, (void *)"");
    if (x == NULL || key == NULL) {
        ERR_clear_error();
        return err_new(ERR_INVALID, "The authority's certificate or key is not valid PEM.");
    }
    TRY(check_ca(x, key));
    struct ca *ca = calloc(1, sizeof *ca);
    CHECK(ca != NULL);
    ca->cert = x;
    ca->key = key;
    x = NULL;
    key = NULL;
    *out = ca;
    return NULL;
}

void ca_free(struct ca *ca)
{
    if (ca == NULL)
        return;
    X509_free(ca->cert);
    EVP_PKEY_free(ca->key);
    free(ca);
}

/* -- PEM
 * -------------------------------------------------------------------------------------------- */

static struct str cert_pem(struct arena *a, X509 *x)
{
    BIO *b CLEANUP(bio_free) = BIO_new(BIO_s_mem());
    CHECK(b != NULL && PEM_write_bio_X509(b, x) == 1);
    char *p = NULL;
    long n = BIO_get_mem_data(b, &p);
    return arena_str(a, str_of(p, (size_t)n));
}

static struct err *key_to_pem(EVP_PKEY *key, struct secret **out)
{
    BIO *b CLEANUP(bio_free) = BIO_new(BIO_s_secmem());
    if (b == NULL || PEM_write_bio_PKCS8PrivateKey(b, key, NULL, NULL, 0, NULL, NULL) != 1)
        return ssl_err("key");
    char *p = NULL;
    long n = BIO_get_mem_data(b, &p);
    return secret_new(str_of(p, (size_t)n), out);
}

struct str ca_cert_pem(struct arena *a, const struct ca *ca)
{
    return cert_pem(a, ca->cert);
}

struct err *ca_key_pem(const struct ca *ca, struct secret **out)
{
    return key_to_pem(ca->key, out);
}

/* -- leaves
 * ------------------------------------------------------------------------------------------ */

/* 4 or 16 bytes; 0: not an address. */
static int ip_bytes(const char *text, unsigned char out[16])
{
    if (inet_pton(AF_INET, text, out) == 1)
        return 4;
    return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

static bool dns_valid(struct str s)
{
    struct str rest = str_starts_c(s, "*.") ? str_skip(s, 2) : s;
    while (rest.p != NULL) {
        struct str label = str_cut(&rest, '.');
        if (label.n == 0 || label.n > 63)
            return false;
        for (size_t i = 0; i < label.n; i++) {
            char c = label.p[i];
            if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_'))
                return false;
        }
    }
    return true;
}

static struct err *add_name(GENERAL_NAMES *names, struct str name)
{
    char text[NAME_BYTES_MAX + 1];
    unsigned char ip[16];
    if (name.n == 0 || name.n > NAME_BYTES_MAX || memchr(name.p, 0, name.n) != NULL)
        return err_new(ERR_INVALID, "A certificate cannot be made for a name of that length.");
    memcpy(text, name.p, name.n);
    text[name.n] = '\0';
    int ip_n = ip_bytes(text, ip);
    if (ip_n == 0 && !dns_valid(name))
        return err_new(ERR_INVALID, "A certificate's name is neither a DNS name nor an address.");
    GENERAL_NAME *g = GENERAL_NAME_new();
    ASN1_STRING *s = ASN1_STRING_type_new(ip_n > 0 ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
    CHECK(g != NULL && s != NULL &&
          ASN1_STRING_set(s, ip_n > 0 ? (const void *)ip : text, ip_n > 0 ? ip_n : (int)name.n));
    GENERAL_NAME_set0_value(g, ip_n > 0 ? GEN_IPADD : GEN_DNS, s);
    CHECK(sk_GENERAL_NAME_push(names, g) > 0);
    return NULL;
}

static void names_free(GENERAL_NAMES **names)
{
    GENERAL_NAMES_free(*names);
}

static struct err *add_names(X509 *x, const struct str *names, size_t n)
{
    if (n == 0 || n > CA_NAMES_MAX)
        return err_new(ERR_LIMIT, "A certificate has 1 to %d names.", CA_NAMES_MAX);
    GENERAL_NAMES *all CLEANUP(names_free) = GENERAL_NAMES_new();
    CHECK(all != NULL);
    for (size_t i = 0; i < n; i++)
        TRY(add_name(all, names[i]));
    if (X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, X509V3_ADD_APPEND) != 1)
        return ssl_err("names");
    return NULL;
}

struct err *ca_issue(struct arena *a, const struct ca *ca, const struct str *names, size_t n,
                     struct str *out_cert_pem, struct secret **out_key_pem)
{
    EVP_PKEY *key CLEANUP(pkey_free) = new_key();
    if (key == NULL)
        return ssl_err("key");
    X509 *x CLEANUP(x509_free) = NULL;
    struct str cn = n > 0 && names[0].n > 0 && names[0].n <= CN_MAX ? names[0] : STR("ward");
    TRY(cert_new(cn, key, CA_LEAF_DAYS, &x));
    TRY(add_names(x, names, n));
    if (!X509_set_issuer_name(x, X509_get_subject_name(ca->cert)) ||
        !add_ext(x, ca->cert, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_ext(x, ca->cert, NID_key_usage, "critical,digitalSignature") ||
        !add_ext(x, ca->cert, NID_ext_key_usage, "serverAuth") ||
        !add_ext(x, ca->cert, NID_subject_key_identifier, "hash") ||
        !add_ext(x, ca->cert, NID_authority_key_identifier, "keyid:always") ||
        X509_sign(x, ca->key, EVP_sha256()) == 0)
        return ssl_err("leaf");
    TRY(key_to_pem(key, out_key_pem));
    *out_cert_pem = cert_pem(a, x);
    return NULL;
}

struct err *ca_self_signed(struct arena *a, const struct secret *rsa_private, const char *cn,
                           struct str *out_pem)
{
    struct str name = str_c(cn);
    if (name.n == 0 || name.n > CN_MAX)
        return err_new(ERR_INVALID, "A certificate's name has 1 to %d characters.", CN_MAX);
    const unsigned char *der = secret_bytes(rsa_private);
    EVP_PKEY *key CLEANUP(pkey_free) =
        d2i_AutoPrivateKey(NULL, &der, (long)secret_size(rsa_private));
    if (key == NULL)
        return ssl_err("key");
    X509 *x CLEANUP(x509_free) = NULL;
    TRY(cert_new(name, key, CA_DAYS, &x));
    if (!X509_set_issuer_name(x, X509_get_subject_name(x)) ||
        !add_ext(x, x, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_ext(x, x, NID_key_usage, "critical,digitalSignature") ||
        !add_ext(x, x, NID_subject_key_identifier, "hash") || X509_sign(x, key, EVP_sha256()) == 0)
        return ssl_err("signing certificate");
    *out_pem = cert_pem(a, x);
    return NULL;
}
