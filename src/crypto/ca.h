/* ca.h: the local certificate authority.
 *
 * An ECDSA P-256 root made on first start, and leaf certificates for the names that clients ask
 * for. Leaves live for 90 days and are issued on demand (SNI), since clients differ on wildcards
 * under "localhost". PEM in and out. Thread rule: a struct ca is immutable after creation. */
#ifndef WARD_CRYPTO_CA_H
#define WARD_CRYPTO_CA_H

#include "crypto.h"

struct ca;

enum { CA_DAYS = 3650, CA_LEAF_DAYS = 90, CA_NAMES_MAX = 64 };

struct err *ca_create(const char *common_name, struct ca **out) MUST_CHECK;
struct err *ca_load(struct str cert_pem, const struct secret *key_pem, struct ca **out) MUST_CHECK;
void ca_free(struct ca *ca);

struct str ca_cert_pem(struct arena *a, const struct ca *ca);
struct err *ca_key_pem(const struct ca *ca, struct secret **out) MUST_CHECK;

/* A leaf for `names` (DNS names, or IP addresses in text form), server authentication only. */
struct err *ca_issue(struct arena *a, const struct ca *ca, const struct str *names, size_t n,
                     struct str *out_cert_pem, struct secret **out_key_pem) MUST_CHECK;

/* A self-signed signing certificate for an RSA key (SNS's SigningCertURL), PEM. */
struct err *ca_self_signed(struct arena *a, const struct secret *rsa_private, const char *cn,
                           struct str *out_pem) MUST_CHECK;

#endif
