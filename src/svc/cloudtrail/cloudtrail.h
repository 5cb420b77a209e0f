/* cloudtrail.h: trails: what of the audit ledger is delivered where, and LookupEvents.
 *
 * https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/Welcome.html
 *
 * The ledger (src/audit) records every call, trail or not. A trail is a reader of it: a job of its
 * own takes, every trail interval, the records that its event selectors name and writes them as
 * gzip log files into the trail's bucket, through the S3 room, as the principal
 * cloudtrail.amazonaws.com, under the bucket's policy and the trail's KMS key. With log file
 * validation, every digest interval, a signed digest file names what was delivered since the one
 * before it:
 * https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
 *
 *   ops.c       rows and targets        trail.c     create, update, delete, describe
 *   status.c    start, stop, status     selector.c  event selectors, old and advanced
 *   deliver.c   the job                 outbox.c    files on their way into the bucket
 *   digest.c    digest files            keys.c      what signs them, and ListPublicKeys
 *   lookup.c    LookupEvents            tags.c      tags
 *
 * Tables (owner: the account):
 *   trail         account, region, name -> JSON
 *   trail.ended   account, id -> JSON: deleted, but its last files are not delivered yet
 *   trail.cursor  account, id -> how far into each of the ledger's shards it has come
 *   trail.outbox  account, id, n -> a file, until it is in the bucket
 *   trail.file    account, id, region, n -> a log file that no digest names yet
 *   trail.chain   account, id, region -> the newest digest
 *   trail.key     region, from (ms) -> a public key for digests (owner: ward)
 *
 * A file is a row of the outbox before it is an object, and the cursor moves in the transaction
 * that writes the row: after a crash the same bytes are put under the same key again, so that no
 * record comes twice and no object is there that no digest will name. */
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
    TRAIL_FILE_BYTES_MAX = 6 * 1024 * 1024, /* before compression; a row must hold it after */
    TRAIL_LAST_MS = 2000, /* after the trail ended: what was under way then is on record */
    TRAIL_GIVE_UP_DAYS = 30, /* a deleted trail whose bucket refuses its last files */
    TRAIL_KEY_DAYS = 365, /* a key signs for so long */
    LOOKUP_PAGE_MAX = 50,
    LOOKUP_DAYS = 90,
    LOOKUP_SCAN_MAX = 20000, /* records looked at for one page */
    LOOKUP_ARENA_MAX = 48 * 1024 * 1024, /* and the memory that it may take */
};

#define TRAIL_T "trail"
#define TRAIL_T_ENDED "trail.ended"
#define TRAIL_T_CURSOR "trail.cursor"
#define TRAIL_T_OUTBOX "trail.outbox"
#define TRAIL_T_FILE "trail.file"
#define TRAIL_T_CHAIN "trail.chain"
#define TRAIL_T_KEY "trail.key"
#define TRAIL_JOB "cloudtrail.deliver"
#define TRAIL_SERVICE "cloudtrail.amazonaws.com"

extern const struct room cloudtrail_room;

#endif
