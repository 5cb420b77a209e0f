/* s3.h: the S3 room: buckets and objects.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html
 *
 * Tables. BID is the bucket's own number (u64, random, made with the bucket), so that a bucket made
 * again under a former name never meets what the former left behind.
 *
 *   s3.bucket   NAME                        JSON: account, region, id, created, and every setting
 *   s3.mine     ACCOUNT, NAME               nothing: the buckets of an account, in order
 *   s3.object   BID, KEY (raw)              JSON: the latest version of the key, a delete marker
 *                                           included. Present as long as the key has any version.
 *   s3.version  BID, KEY, ~SEQ              JSON: the versions that are not the latest, newest
 * first s3.data     ID                          small bodies, and the lists of parts of large ones
 *   s3.upload   BID, KEY, UPLOAD            JSON: a multipart upload under way
 *   s3.part     UPLOAD, NUMBER              JSON: a part of it
 *   s3.blob     blob id (hex)               nothing: this blob is in use (swept at start if not)
 *
 * Rows of a bucket and its objects are sealed under the owner "ACCOUNT/s3/NAME/BID", which is
 * destroyed with the bucket.
 *
 * Conflicts. Everything that changes a key's versions reads and writes its row in s3.object, which
 * therefore stands for the whole key. Everything that changes an object reads the bucket's row, and
 * writes it never: so writers of one bucket do not meet. DeleteBucket first marks the bucket's row
 * in a commit of its own (after it, no writer that saw the unmarked row can commit), looks for
 * objects in a later snapshot, and only then deletes it.
 *
 * Versions. SEQ grows with every version of a key (milliseconds, shifted, or one more than the
 * last), a version's id is the hex of ~SEQ and 64 random bits, the id of what was written without
 * versioning is "null". */
#ifndef WARD_S3_H
#define WARD_S3_H

#include "../../api/api.h"

enum {
    S3_KEY_MAX = 1024,
    S3_META_MAX = 2048, /* user metadata: names and values together */
    S3_TAGS_MAX = 10,   /* of an object */
    S3_BUCKET_TAGS_MAX = 50,
    S3_TAG_KEY_MAX = 128,
    S3_TAG_VALUE_MAX = 256,
    S3_INLINE_MAX = 16 * 1024, /* larger bodies are blobs */
    S3_PARTS_MAX = 10000,
    S3_LIST_MAX = 1000,
    S3_LIST_SCAN_MAX = 10000, /* rows that one page of a listing looks at */
    S3_DELETE_MAX = 1000,     /* keys of one DeleteObjects */
    S3_RECORD_ERRORS_MAX = 8192, /* of a DeleteObjects' errors in its record */
    S3_POLICY_MAX = 20480,
    S3_BUCKETS_MAX = 10000,       /* of an account */
    S3_RULES_MAX = 100,           /* notification configurations of a bucket */
    S3_HEADER_MAX = 8192,         /* a system header that is kept with an object */
    S3_BUCKET_KEY_MS = 1000,      /* KMS is asked again whether the key may be used */
    S3_BUCKET_KEY_USES = 10000,   /* objects that one bucket key wraps */
    S3_EVENT_HOURS = 4,           /* a notification is tried for so long */
    S3_REAP_DELAY_MS = 60 * 1000, /* parts stay for readers that are under way */
};

#define S3_PUT_MAX (5LL * 1024 * 1024 * 1024) /* one PutObject, one part */
#define S3_OBJECT_MAX (50LL * 1024 * 1024 * 1024 * 1024)
#define S3_PART_MIN (5LL * 1024 * 1024) /* but for the last */

extern const struct room s3_room;

#endif
