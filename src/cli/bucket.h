/* bucket.h: s3://BUCKET/PREFIX as a source for `ward scan` and `ward verify`.
 *
 * ListObjectsV2 runs ahead, and for a scan the objects too: FETCHERS requests at a time, in pieces
 * of PIECE_BYTES, up to AHEAD_BYTES that nobody has taken yet. Each piece is tried again by itself;
 * an object that changes between two pieces is a fault (If-Match). On AWS the bucket is in the
 * host's name, at an endpoint that was set it is in the path; a bucket of another region is
 * followed there. Thread rule: that of scan/source.h. */
#ifndef WARD_CLI_BUCKET_H
#define WARD_CLI_BUCKET_H

#include "aws.h"
#include "scan/scan.h"

#include <pthread.h>

enum {
    BUCKET_NAME_MAX = 255,
    BUCKET_KEY_MAX = 1024,
    PIECE_BYTES = 512 * 1024, /* below HTTP_OUT_BODY_MAX */
    AHEAD_BYTES = 8 * 1024 * 1024,
    AHEAD_OBJECTS = 256,
    LISTED_AHEAD = 4096, /* names, when objects are not fetched ahead */
    FETCHERS = 16,
    VERIFY_READERS = 16,
    META_MAX = 8 * 1024,
    ETAG_MAX = 160,
};

/* scan_bucket_open: with `digests` nothing is fetched ahead, since verify has its own order. */
struct err *bucket_source(const char *url, bool digests, struct source_notes *notes,
                          struct scan_source *out) MUST_CHECK;

/* scan_public_keys: CloudTrail's ListPublicKeys. */
struct err *bucket_public_keys(struct str region, int64_t from_ms, int64_t to_ms,
                               scan_take_key *take, void *ctx) MUST_CHECK;

/* Both share one set of keys, so that a person is asked for a code once; this ends it. Last, when
 * no source is left. */
void bucket_end(void);

/* -- bucket_call.c, for bucket.c --------------------------------------------------------------- */
struct bucket_at { /* where a bucket is */
    struct aws *aws; /* bucket_end() closes it */
    char name[BUCKET_NAME_MAX + 1];
    struct str endpoint; /* STR_NONE: AWS's own */
    pthread_mutex_t lock;
    char region[64]; /* under the lock; changes when the bucket turns out to be elsewhere */
};

struct piece {
    char *p; /* malloc; NULL if n is 0 */
    size_t n;
    uint64_t total; /* of the object */
    char etag[ETAG_MAX];
    struct buf meta; /* "name\0value\0" of x-amz-meta-… */
};

struct err *bucket_at_init(struct bucket_at *b, struct str name) MUST_CHECK;
void bucket_at_clear(struct bucket_at *b);

/* One page of keys: `take` gets each key and its size. *token is that of this page, and of the next
 * one afterwards (empty: none). */
struct err *bucket_list_page(struct bucket_at *b, struct str prefix, struct buf *token,
                             void (*take)(void *ctx, struct str key, uint64_t size), void *ctx)
    MUST_CHECK;

/* The piece of an object from `off` on. etag "": any; else the object must still be that one. */
struct err *bucket_get_piece(struct bucket_at *b, const char *key, uint64_t off, const char *etag,
                             struct piece *out) MUST_CHECK;
void piece_clear(struct piece *p);

#endif
