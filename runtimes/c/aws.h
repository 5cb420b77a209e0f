/* aws.h: calls to AWS services, or to anything that speaks their protocols.
 *
 * Everything comes from the environment, under the names that the AWS SDKs use: AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION (or AWS_DEFAULT_REGION), AWS_CA_BUNDLE, and
 * AWS_ENDPOINT_URL_<SERVICE> or AWS_ENDPOINT_URL ("http[s]://host[:port]"). Without an endpoint a
 * call goes to https://SERVICE.REGION.amazonaws.com; S3 then has the bucket in the host name
 * (virtual-host style; path style with an endpoint, or when the bucket's name has a dot, which the
 * certificate would not cover).
 *
 *     struct aws *aws;
 *     TRY(aws_new(&aws));
 *     aws_begin(aws, lambda_remaining_ms(event) - 1000);
 *     TRY(sns_publish(aws, topic, STR("Subject"), STR("Text")));
 *
 * A call is signed (SigV4) and tried AWS_ATTEMPTS times: again after a lost connection, a time-out,
 * 429, 5xx or a throttling code, with a random wait that doubles, as long as the deadline leaves
 * room. A Publish may therefore arrive twice, as it may with any SDK.
 *
 * Errors: ERR_NOT_FOUND (404), ERR_DENIED (403), ERR_INVALID (other 4xx), ERR_IO (5xx, 429, the
 * network), ERR_TIMEOUT, ERR_LIMIT (larger than asked for). err->status is the HTTP status, 0 when
 * there was none. Thread rule: a client belongs to one thread at a time. */
#ifndef WARD_RT_AWS_H
#define WARD_RT_AWS_H

#include "http.h"

enum {
    AWS_ATTEMPTS = 3,
    AWS_BACKOFF_FIRST_MS = 200, /* the longest wait before the second try; then doubled */
    AWS_CALL_TIMEOUT_MS = 60000, /* of a call and its retries when aws_begin() set no deadline */
    AWS_HEADERS_MAX = 16,       /* of the caller's */
    AWS_REPLY_MAX = 1024 * 1024, /* of sns_publish() */
    AWS_ETAG_MAX = 128,
    SNS_MESSAGE_MAX = 256 * 1024, /* bytes; SNS's own limit */
    SNS_SUBJECT_MAX = 100,        /* characters; SNS's own limit */
};

struct aws;

/* ERR_INVALID: something is not set, or wrongly. */
struct err *aws_new(struct aws **out) MUST_CHECK;
void aws_free(struct aws *a); /* NULL is fine */

/* Call at the start of each invocation: all calls until the next aws_begin() must end within
 * `budget_ms`, and connections from before are not trusted. */
void aws_begin(struct aws *a, int64_t budget_ms);
int64_t aws_budget_left_ms(const struct aws *a);

/* Takes the body of an answer piece by piece. `restart` (may be NULL) is called when the transfer
 * broke and begins anew from the first byte; without it a broken transfer fails. */
struct aws_sink {
    struct err *(*piece)(void *ctx, struct str bytes);
    void (*restart)(void *ctx);
    void *ctx;
};

/* Gathers the body in `b`; the maximum is the call's, so give `b` at least that. */
struct aws_sink aws_sink_to_buf(struct buf *b);

/* Any call. */
struct aws_call {
    const char *service; /* "s3", "sns", "sqs", "kms", …: of the signature and the host name */
    struct str region;   /* STR_NONE: AWS_REGION */
    struct str bucket;   /* S3 only; STR_NONE otherwise */
    const char *method;
    struct str path;     /* percent-encoded (enc_uri), begins with '/'; without the bucket */
    struct str query;    /* encoded and sorted by name; STR_NONE for none */
    const struct http_header *headers; /* Content-Type, X-Amz-Target, …; all are signed */
    size_t n_headers;
    struct str body;
    size_t reply_max;
    const struct aws_sink *sink; /* NULL: the body is kept in the reply */
};

/* 2xx and 304 are successes. `reply` is overwritten; clear it with http_response_clear(). */
struct err *aws_call(struct aws *a, const struct aws_call *call,
                     struct http_response *reply) MUST_CHECK;

/* GetObject. Key and version are plain text, encoded here. */
struct s3_get {
    struct str bucket, key;
    struct str version_id;    /* STR_NONE: the newest */
    struct str if_none_match; /* STR_NONE, or an ETag as it came */
    struct str region;        /* STR_NONE: AWS_REGION */
    size_t max;               /* a larger object is ERR_LIMIT */
};
struct s3_got {
    bool not_modified; /* the ETag still fits: nothing was sent */
    char etag[AWS_ETAG_MAX]; /* "" when it is too long to keep */
};
struct err *s3_get_object(struct aws *a, const struct s3_get *get, const struct aws_sink *sink,
                          struct s3_got *out) MUST_CHECK;

/* Publish, in the region that the topic's ARN names. `subject` may be STR_NONE; both are cut by
 * nobody: what SNS does not take is ERR_INVALID. */
struct err *sns_publish(struct aws *a, struct str topic_arn, struct str subject,
                        struct str message) MUST_CHECK;

/* Where a call goes, by the rules above. `bucket` may be STR_NONE. *out_bucket_in_path: path
 * style. */
struct err *aws_endpoint(const char *service, struct str region, struct str bucket,
                         struct http_base *out_base, bool *out_bucket_in_path) MUST_CHECK;

/* The region in "arn:aws:service:REGION:account:…"; STR_NONE when it is no ARN or has none. */
struct str aws_arn_region(struct str arn);

#endif
