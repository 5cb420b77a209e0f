/* sigv4.h: AWS Signature Version 4, the server's side.
 *
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 * Header and presigned-query form, AWS4-HMAC-SHA256. First sigv4_parse() finds out who claims to
 * sign what (no secret needed), then the caller looks the secret up, then sigv4_check() recomputes
 * the signature over the request exactly as it came. S3 keeps the path as it is (single encoding,
 * no normalising); the others normalise and encode twice.
 *
 * Errors carry AWS's codes and statuses in the words of the service's family (`s3` or not):
 * IncompleteSignature / AuthorizationHeaderMalformed / AuthorizationQueryParametersError 400,
 * InvalidRequest 400 (SigV2, SigV4A, no content hash), SignatureDoesNotMatch 403, which covers the
 * time as well outside S3, RequestTimeTooSkewed 403 and AccessDenied 403 (an expired URL, unsigned
 * headers) for S3. Limits: those of http/server.h for the head, and the enum below (ERR_LIMIT).
 * Thread rule: pure functions. */
#ifndef WARD_AUTH_SIGV4_H
#define WARD_AUTH_SIGV4_H

#include "../core/arena.h"
#include "../crypto/secret.h"
#include "../http/server.h"

enum {
    SIG_SKEW_MS = 15 * 60 * 1000,
    SIG_PRESIGN_MAX_S = 7 * 24 * 3600,
    SIG_SIGNED_HEADERS_MAX = 64,
    SIG_QUERY_PARAMS_MAX = 1024,
    SIG_CANONICAL_MAX = 256 * 1024,
};

enum sig_payload {
    SIG_PAYLOAD_HASH = 1,         /* `payload_hash` is the SHA-256 of the body, hex */
    SIG_PAYLOAD_UNSIGNED,         /* UNSIGNED-PAYLOAD */
    SIG_PAYLOAD_CHUNKED,          /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD */
    SIG_PAYLOAD_CHUNKED_TRAILER,  /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER */
    SIG_PAYLOAD_UNSIGNED_TRAILER, /* STREAMING-UNSIGNED-PAYLOAD-TRAILER */
};

struct sig_request { /* exactly as it came in */
    struct str method, path, query; /* raw */
    const struct http_header *headers;
    size_t n_headers;
};

struct sig {
    bool present;        /* false: nothing claims to sign (anonymous) */
    bool presigned;
    struct str access_key_id;
    struct str date;     /* 20261122 */
    struct str region, service;
    struct str scope;    /* date/region/service/aws4_request */
    struct str signed_headers;
    struct str signature;     /* hex */
    struct str session_token; /* STR_NONE without */
    struct str amz_date;      /* 20261122T025000Z */
    int64_t time_ms;
    int64_t expires_s;        /* presigned */
    enum sig_payload payload;
    struct str payload_hash;  /* the literal that was signed; STR_NONE: see sigv4_parse() */
    bool s3;                  /* S3's family of errors */
    bool keep_path;           /* S3: the path is encoded once and not normalised */
};

/* Without any signature: out->present false and no error (other Authorization schemes, such as
 * Bearer, count as none). A half one is an error; so are two at once, SigV2 and SigV4A.
 *
 * What the caller still owes:
 *  - payload_hash STR_NONE (services other than S3, without x-amz-content-sha256): set it to the
 *    hex SHA-256 of the body before sigv4_check().
 *  - SIG_PAYLOAD_HASH with a payload_hash: compare it with the body's own SHA-256; the signature
 *    binds the literal, not the body.
 *  - region and service: compare them with those of the operation that the request is routed to. */
struct err *sigv4_parse(struct arena *a, const struct sig_request *r, struct sig *out) MUST_CHECK;

/* The signing keys derived from one secret, the last few. Any thread. */
struct sig_keys;
struct sig_keys *sig_keys_new(void);
void sig_keys_free(struct sig_keys *k); /* wipes; NULL is fine */

/* Checks that host and every x-amz-* header are signed, the time, and the signature. A wrong one is
 * SignatureDoesNotMatch 403 for all (JSON services call it InvalidSignatureException). `secret` is
 * the secret access key. On success out_signing_key[32] holds the derived key, which the chunk
 * verifier needs (wipe it when done). */
struct err *sigv4_check(struct arena *a, const struct sig_request *r, const struct sig *s,
                        const struct secret *secret, int64_t now_ms,
                        unsigned char out_signing_key[32]) MUST_CHECK;
/* The same with the secret's kept keys (NULL: none). */
struct err *sigv4_check_kept(struct arena *a, const struct sig_request *r, const struct sig *s,
                             const struct secret *secret, struct sig_keys *kept, int64_t now_ms,
                             unsigned char out_signing_key[32]) MUST_CHECK;

/* For tests and for the stages of an error message. Needs s->payload_hash. STR_NONE: the request is
 * larger than SIG_CANONICAL_MAX. */
struct str sigv4_canonical_request(struct arena *a, const struct sig_request *r,
                                   const struct sig *s);
struct str sigv4_string_to_sign(struct arena *a, const struct sig *s, struct str canonical);

/* Signs an outgoing request (SigV4 header form): gives the Authorization header's value in *out.
 * The caller sends x-amz-date, host, x-amz-content-sha256, x-amz-security-token itself, all named
 * in r->headers. */
struct err *sigv4_sign(struct arena *a, const struct sig_request *r, struct str access_key_id,
                       const struct secret *secret, struct str region, struct str service,
                       struct str amz_date, struct str payload_hash, struct str *out) MUST_CHECK;

#endif
