/* TLS: what is spoken, and the leaf certificate for the name that a client asks for. Leaves are
 * issued on demand (a P-256 key and signature take well under a millisecond) and kept by name; the
 * name "" stands for the default certificate, which goes to everyone else. */
#include "server_int.h"

#include "../core/clock.h"

#include <openssl/err.h>
#include <openssl/pem.h>

enum { NAME_MAX_ = 253, DAY_MS = 86400000 };

struct leaf {
    char name[NAME_MAX_ + 1];
    X509 *cert; /* NULL: free */
    EVP_PKEY *key;
    int64_t issued_ms;
    uint64_t used;
};

struct certs {
    pthread_mutex_t lock; /* of leaves and uses; nothing is issued under it */
    const struct ca *ca;
    struct arena *arena;            /* of the names below */
    struct str names[CA_NAMES_MAX]; /* of the default certificate */
    size_t n_names, first_extra;
    uint64_t uses;
    struct leaf leaves[HTTP_CERTS_MAX];
};

static struct err *tls_err(const char *what)
{
    char text[160] = "";
    unsigned long code = ERR_get_error();
    if (code != 0)
        ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return err_detail(err_new(ERR_INTERNAL, "TLS could not be set up."), "%s: %s", what, text);
}

/* -- leaves ----------------------------------------------------------------------------------- */

static bool name_valid(struct str s)
{
    if (s.n == 0 || s.n > NAME_MAX_ || s.p[0] == '.' || s.p[s.n - 1] == '.')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                    (c == '.' && s.p[i - 1] != '.');
        if (!fine)
            return false;
    }
    return true;
}

static bool name_allowed(const struct certs *k, struct str s)
{
    if (!name_valid(s))
        return false;
    if (str_is(s, "localhost") || str_ends_c(s, ".localhost") || str_ends_c(s, ".amazonaws.com"))
        return true;
    for (size_t i = k->first_extra; i < k->n_names; i++)
        if (str_wildcard(k->names[i], s))
            return true;
    return false;
}

static struct err *leaf_issue(const struct certs *k, const char *name, X509 **out_cert,
                              EVP_PKEY **out_key)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(64 * 1024);
    struct secret *key_pem CLEANUP(secret_free_ptr) = NULL;
    struct str one = str_c(name), pem = STR_NONE;
    if (name[0] != '\0')
        TRY(ca_issue(a, k->ca, &one, 1, &pem, &key_pem));
    else
        TRY(ca_issue(a, k->ca, k->names, k->n_names, &pem, &key_pem));
    BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    X509 *cert = b == NULL ? NULL : PEM_read_bio_X509(b, NULL, NULL, NULL);
    BIO_free(b);
    b = BIO_new_mem_buf(secret_bytes(key_pem), (int)secret_size(key_pem));
    EVP_PKEY *key = b == NULL ? NULL : PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
    BIO_free(b);
    if (cert == NULL || key == NULL) {
        X509_free(cert);
        EVP_PKEY_free(key);
        return tls_err("leaf");
    }
    *out_cert = cert;
    *out_key = key;
    return NULL;
}

static void leaf_clear(struct leaf *l)
{
    X509_free(l->cert);
    EVP_PKEY_free(l->key);
    l->cert = NULL;
    l->key = NULL;
}

/* Under the lock. New references; false: not there, or too old. */
static bool leaf_find(struct certs *k, const char *name, X509 **out_cert, EVP_PKEY **out_key)
{
    int64_t oldest = clock_now_ms() - (int64_t)HTTP_CERT_RENEW_DAYS * DAY_MS;
    for (size_t i = 0; i < HTTP_CERTS_MAX; i++) {
        struct leaf *l = &k->leaves[i];
        if (l->cert == NULL || strcmp(l->name, name) != 0 || l->issued_ms < oldest)
            continue;
        l->used = ++k->uses;
        X509_up_ref(l->cert);
        EVP_PKEY_up_ref(l->key);
        *out_cert = l->cert;
        *out_key = l->key;
        return true;
    }
    return false;
}

/* Under the lock. Takes the place of the same name, of none, or of the one longest unused. */
static void leaf_keep(struct certs *k, const char *name, X509 *cert, EVP_PKEY *key)
{
    struct leaf *to = NULL;
    for (size_t i = 0; i < HTTP_CERTS_MAX; i++) {
        struct leaf *l = &k->leaves[i];
        if (l->cert != NULL && strcmp(l->name, name) == 0) {
            to = l;
            break;
        }
        uint64_t used = l->cert == NULL ? 0 : l->used;
        if (to == NULL || used < (to->cert == NULL ? 0 : to->used))
            to = l;
    }
    leaf_clear(to);
    snprintf(to->name, sizeof to->name, "%s", name);
    X509_up_ref(cert);
    EVP_PKEY_up_ref(key);
    to->cert = cert;
    to->key = key;
    to->issued_ms = clock_now_ms();
    to->used = ++k->uses;
}

static struct err *leaf_get(struct certs *k, const char *name, X509 **out_cert, EVP_PKEY **out_key)
{
    pthread_mutex_lock(&k->lock);
    bool found = leaf_find(k, name, out_cert, out_key);
    pthread_mutex_unlock(&k->lock);
    if (found)
        return NULL;
    TRY(leaf_issue(k, name, out_cert, out_key));
    pthread_mutex_lock(&k->lock);
    leaf_keep(k, name, *out_cert, *out_key);
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

static int on_cert(SSL *ssl, void *arg)
{
    struct certs *k = arg;
    char name[NAME_MAX_ + 1] = "";
    const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (asked != NULL && strlen(asked) <= NAME_MAX_) {
        size_t n = strlen(asked);
        for (size_t i = 0; i <= n; i++)
            name[i] = asked[i] >= 'A' && asked[i] <= 'Z' ? (char)(asked[i] + 32) : asked[i];
        if (!name_allowed(k, str_c(name)))
            name[0] = '\0';
    }
    X509 *cert = NULL;
    EVP_PKEY *key = NULL;
    struct err *e = leaf_get(k, name, &cert, &key);
    if (e != NULL) {
        err_free(e);
        return 0;
    }
    int ok = SSL_use_certificate(ssl, cert) == 1 && SSL_use_PrivateKey(ssl, key) == 1;
    X509_free(cert);
    EVP_PKEY_free(key);
    return ok;
}

/* -- the context --------------------------------------------------------------------------------
 */

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                   const unsigned char *in, unsigned in_n, void *arg)
{
    static const unsigned char spoken[] = "\x08http/1.1";
    unsigned char *chosen = NULL;
    int r = SSL_select_next_proto(&chosen, out_n, spoken, sizeof spoken - 1, in, in_n);
    *out = chosen;
    /* RFC 7301 3.2: no common protocol is fatal. */
    return r == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void names_add(struct certs *k, struct str name)
{
    name = str_trim(name);
    for (size_t i = 0; i < k->n_names; i++)
        if (str_eq(k->names[i], name))
            return;
    if (name.n > 0 && name.n <= NAME_MAX_ && k->n_names < CA_NAMES_MAX)
        k->names[k->n_names++] = arena_str(k->arena, name);
}

static struct certs *certs_new(const struct http_server_options *o)
{
    static const char *const usual[] = {"localhost",   "127.0.0.1",      "::1",
                                        "*.localhost", "*.s3.localhost", "*.execute-api.localhost"};
    struct certs *k = calloc(1, sizeof *k);
    CHECK(k != NULL);
    pthread_mutex_init(&k->lock, NULL);
    k->ca = o->ca;
    k->arena = arena_new(64 * 1024);
    for (size_t i = 0; i < ARRAY_LEN(usual); i++)
        names_add(k, str_c(usual[i]));
    k->first_extra = k->n_names;
    names_add(k, str_c(o->host));
    struct str rest = str_c(o->extra_names);
    while (rest.p != NULL)
        names_add(k, str_cut(&rest, ','));
    return k;
}

static bool context_set(SSL_CTX *tls, struct certs *k)
{
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_options(tls, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(tls, 1);
    SSL_CTX_set_alpn_select_cb(tls, on_alpn, NULL);
    SSL_CTX_set_cert_cb(tls, on_cert, k);
    /* Only AEAD with forward secrecy (RFC 9325 4.2). */
    return SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_num_tickets(tls, 0) == 1 &&
           SSL_CTX_set_cipher_list(tls, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
           SSL_CTX_set1_groups_list(tls, "X25519:P-256:P-384") == 1;
}

struct err *tls_context(struct http_server *s, const struct http_server_options *o)
{
    s->certs = certs_new(o);
    s->tls = SSL_CTX_new(TLS_server_method());
    if (s->tls == NULL || !context_set(s->tls, s->certs))
        return tls_err("context");
    X509 *cert = NULL;
    EVP_PKEY *key = NULL;
    TRY(leaf_get(s->certs, "", &cert, &key)); /* what cannot be issued should fail at start */
    X509_free(cert);
    EVP_PKEY_free(key);
    return NULL;
}

void tls_free(struct http_server *s)
{
    SSL_CTX_free(s->tls);
    if (s->certs == NULL)
        return;
    for (size_t i = 0; i < HTTP_CERTS_MAX; i++)
        leaf_clear(&s->certs->leaves[i]);
    pthread_mutex_destroy(&s->certs->lock);
    arena_free(s->certs->arena);
    free(s->certs);
}
