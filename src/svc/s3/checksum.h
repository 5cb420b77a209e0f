/* checksum.h: the checksums of S3 objects: running, verified, combined.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
 * Thread rule: a struct s3_sums belongs to one thread at a time; the rest are pure functions. */
#ifndef WARD_S3_CHECKSUM_H
#define WARD_S3_CHECKSUM_H

#include "../../core/arena.h"

enum s3_alg {
    ALG_NONE,
    ALG_CRC32,
    ALG_CRC32C,
    ALG_CRC64NVME,
    ALG_SHA1,
    ALG_SHA256,
    ALG_SHA512,
    ALG_MD5,
    ALG_COUNT,
};

enum { ALG_SIZE_MAX = 64 };

const char *s3_alg_name(enum s3_alg alg);   /* "CRC32" */
const char *s3_alg_header(enum s3_alg alg); /* "x-amz-checksum-crc32" */
size_t s3_alg_size(enum s3_alg alg);
enum s3_alg s3_alg_of(struct str name); /* ALG_NONE: unknown or not built (XXHASH…) */
enum s3_alg s3_alg_of_header(struct str header);
bool s3_alg_is_crc(enum s3_alg alg);

/* MD5 (for the ETag) and the algorithms of the mask (1 << alg), over the same bytes. */
struct s3_sums;
struct s3_sums *s3_sums_new(unsigned mask);
void s3_sums_add(struct s3_sums *s, struct str piece);
void s3_sums_end(struct s3_sums *s);  /* the values are complete */
void s3_sums_free(struct s3_sums *s); /* NULL is fine */
/* After s3_sums_end: the raw value; the algorithm must be in the mask (MD5 always is). */
struct str s3_sums_value(const struct s3_sums *s, enum s3_alg alg);
struct str s3_sums_text(const struct s3_sums *s, struct arena *a, enum s3_alg alg); /* base64 */

/* The CRC of two runs of bytes joined, from the CRC of each and the length of the second; raw
 * big-endian values in and out (s3_alg_size bytes). */
void s3_crc_join(enum s3_alg alg, unsigned char *left, struct str right, uint64_t right_size);

/* What of `s` the client claims. */
struct s3_sum_texts {
    struct str v[ALG_COUNT]; /* base64 */
    bool unbuilt;            /* an algorithm that is not built was named */
};

#endif
