/* upload.h: private to the S3 room: a multipart upload under way. */
#ifndef WARD_S3_UPLOAD_H
#define WARD_S3_UPLOAD_H

#include "internal.h"

/* What policies may ask of the headers that began an upload. */
enum { S3_ASKED = 4 };
extern const struct s3_asked {
    const char *condition; /* "s3:x-amz-acl" */
    const char *member;    /* of CreateMultipartUpload's input, and in the row */
} s3_asked[S3_ASKED];

struct s3_upload {
    struct str id, key;
    int64_t started_ms;
    struct str initiator; /* ARN */
    struct str initiator_id;
    struct s3_object object; /* headers, tags, and how it is sealed */
    struct str asked[S3_ASKED];
    enum s3_alg alg;         /* of every part */
    bool composite;          /* else of the full object */
    bool alg_given;          /* by the client, not Ward's default */
};

struct s3_part {
    int number;
    uint64_t size;
    struct str etag, sum, blob, salt;
    int64_t modified_ms;
};

/* NoSuchUpload. `lock`: the row is conflict-checked by reading it with txn_get (always so). */
struct err *s3_upload_get(struct call *c, const struct s3_bucket *b, struct str key, struct str id,
                          struct s3_upload *out) MUST_CHECK;
void s3_upload_of_jv(struct arena *a, const struct jv *j, struct s3_upload *out);
void s3_key_upload(struct skey *k, uint64_t bucket, struct str key, struct str id);
void s3_key_part(struct skey *k, struct str upload, int number);
void s3_part_of_jv(struct arena *a, const struct jv *j, struct s3_part *out);
/* Names a part's bytes in the store, in place of what had the number before. */
struct err *s3_part_put(struct call *c, const struct s3_bucket *b, const struct s3_upload *u,
                        const struct s3_part *p, struct s3_reap *reap) MUST_CHECK;
struct err *s3_part_number_check(int64_t n) MUST_CHECK;

#endif
