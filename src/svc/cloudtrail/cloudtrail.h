/* cloudtrail.h: trails: what of the audit ledger is delivered where, and LookupEvents.
 *
 * https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/Welcome.html
 *
 * The ledger (src/audit) records every call, trail or not. A trail is a reader of it: a job of its
 * own takes, every trail interval, the records that its event selectors name and writes them as
 * gzip log files into the trail's bucket, through the S3 room, as the principal
 * cloudtrail.amazonaws.com, under the bucket's policy and the trail's KMS key.
 *
 *   ops.c       rows and targets        trail.c     create, update, delete, describe
 *   status.c    start, stop, status     selector.c  event selectors, old and advanced
 *   deliver.c   the job                 lookup.c    LookupEvents        tags.c  tags
 *
 * Tables (owner: the account):
 *   trail         account, region, name -> JSON
 *   trail.cursor  account, region, name -> how far into each of the ledger's shards it has come
 *
 * A file is written before the cursor moves: after a crash in between, records are delivered again
 * under another file name (as with AWS, readers de-duplicate by eventID); none is left out. */
#ifndef WARD_SVC_CLOUDTRAIL_H
#define WARD_SVC_CLOUDTRAIL_H

#include "api/api.h"

enum {
    TRAIL_PER_REGION_MAX = 5,
    TRAIL_NAME_MIN = 3,
    TRAIL_NAME_MAX = 128,
    TRAIL_PREFIX_MAX = 200,
    TRAIL_TAGS_MAX = 50,
    TRAIL_FILE_RECORDS_MAX = 10000, /* of one log file */
    TRAIL_FILE_BYTES_MAX = 32 * 1024 * 1024, /* before compression */
    LOOKUP_PAGE_MAX = 50,
    LOOKUP_DAYS = 90,
    LOOKUP_SCAN_MAX = 20000, /* records looked at for one page */
};

#define TRAIL_T "trail"
#define TRAIL_T_CURSOR "trail.cursor"
#define TRAIL_SERVICE "cloudtrail.amazonaws.com"

extern const struct room cloudtrail_room;

#endif
