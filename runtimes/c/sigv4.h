/* sigv4.h: AWS Signature Version 4, the signer's side.
 *
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
 * The three stages are separate so that a test that fails names its stage. Thread rule: pure
 * functions of their input. */
#ifndef WARD_RT_SIGV4_H
#define WARD_RT_SIGV4_H

#include "http.h"

enum { SIGV4_TIME_CHARS = 16, SIGV4_HEADERS_MAX = 32, SIGV4_HEX = 64 };

struct sigv4_input {
    struct str access_key, secret_key;
    struct str region, service;
    struct str time;    /* 20261122T025000Z */
    const char *method;
    struct str path;    /* as sent: percent-encoded, begins with '/' */
    struct str query;   /* as sent, in canonical form: encoded, sorted by name */
    const struct http_header *headers; /* what is signed, Host included */
    size_t n_headers;                  /* at most SIGV4_HEADERS_MAX */
    struct str body_sha256;            /* SIGV4_HEX characters */
};

/* Each appends to `out`, which reports what does not fit (buf_check). Every service but S3 encodes
 * the path once more. */
void sigv4_canonical_request(const struct sigv4_input *in, struct buf *out);
void sigv4_string_to_sign(const struct sigv4_input *in, struct str canonical, struct buf *out);

/* The value of the Authorization header. */
struct err *sigv4_authorization(const struct sigv4_input *in, struct buf *out) MUST_CHECK;

/* SHA-256 in lower-case hex, NUL-terminated. */
void sigv4_sha256_hex(struct str bytes, char out[SIGV4_HEX + 1]);

#endif
