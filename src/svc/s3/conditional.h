/* conditional.h: conditions and ranges of requests, RFC 9110 sections 13 and 14. Pure functions. */
#ifndef WARD_S3_CONDITIONAL_H
#define WARD_S3_CONDITIONAL_H

#include "../../core/str.h"

struct s3_conditions {
    struct str if_match, if_none_match; /* STR_NONE: not given */
    bool has_modified, has_unmodified;
    int64_t modified_since_ms, unmodified_since_ms;
};
#define S3_CONDITIONS(in, Prefix)                                                                  \
    ((struct s3_conditions){(in)->Prefix##IfMatch, (in)->Prefix##IfNoneMatch,                      \
                            (in)->Prefix##IfModifiedSince.set,                                     \
                            (in)->Prefix##IfUnmodifiedSince.set, (in)->Prefix##IfModifiedSince.v,  \
                            (in)->Prefix##IfUnmodifiedSince.v})

enum s3_verdict { VERDICT_GO = 1, VERDICT_NOT_MODIFIED, VERDICT_FAILED };

/* Whether a list of entity tags (or "*") names this one; tags may come without quotes. */
bool s3_etag_listed(struct str list, struct str etag);

/* For a read of what exists. */
enum s3_verdict s3_conditions_read(const struct s3_conditions *k, struct str etag,
                                   int64_t modified_ms);

enum s3_range { RANGE_NONE = 1, RANGE_OK, RANGE_UNSATISFIABLE };
/* One "bytes=" range against a size. What is no single valid range is as none, as AWS does. */
enum s3_range s3_range_parse(struct str header, uint64_t size, uint64_t *out_from, uint64_t *out_n);

#endif
