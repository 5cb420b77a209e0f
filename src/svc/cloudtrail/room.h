/* room.h: private to the CloudTrail room. */
#ifndef WARD_SVC_CLOUDTRAIL_ROOM_H
#define WARD_SVC_CLOUDTRAIL_ROOM_H

#include "cloudtrail.h"
#include "cloudtrail_model.h"

struct trail { /* a row, read */
    struct str id; /* 16 characters: tells a trail from a later one of the same name */
    struct str name, arn, account, region;
    struct str bucket, prefix, topic, kms_key;
    bool all_regions, global_events, validation, logging;
    bool running; /* its job is there: from the start of logging until the last file */
    bool ended;   /* from TRAIL_T_ENDED */
    int64_t created_ms, started_ms, stopped_ms;
    int64_t validated_ms; /* validation was turned on */
    int64_t delivered_ms, digested_ms, notified_ms; /* the last time; 0: none */
    struct str delivery_error, digest_error, notify_error;
    struct jv *selectors, *advanced, *tags; /* or NULL */
};

/* A trail, what delivers for it, and where its memory lives: common to deliver, outbox, digest. */
struct delivery {
    struct ward *ward;
    struct arena *arena;
    struct trail trail;
    int64_t now_ms;
};

/* trail.c */
struct skey trail_key(struct str account, struct str region, struct str name);
struct err *trail_read(struct txn *t, struct arena *a, struct str account, struct str region,
                       struct str name, struct trail *out, bool *out_found) MUST_CHECK;
/* The trail with this id, whether it stands or is ending. */
struct err *trail_read_id(struct txn *t, struct arena *a, struct str account, struct str region,
                          struct str name, struct str id, struct trail *out,
                          bool *out_found) MUST_CHECK;
struct err *trail_write(struct txn *t, struct arena *a, const struct trail *tr) MUST_CHECK;
struct skey trail_id_key(const struct trail *t); /* account, id */
/* All rows of the table whose keys begin with that. */
struct err *trail_rows_drop(struct txn *t, const struct trail *tr, const char *table) MUST_CHECK;
/* The job that delivers, due then: put, or put off. */
struct err *trail_job(struct txn *t, struct arena *a, const struct trail *tr,
                      int64_t due_ms) MUST_CHECK;
/* By name or ARN; TrailNotFoundException. */
struct err *trail_need(struct call *c, struct str name_or_arn, struct trail *out) MUST_CHECK;
/* The same for what changes it: InvalidHomeRegionException elsewhere than in its Region. */
struct err *trail_need_home(struct call *c, struct str name_or_arn, struct trail *out) MUST_CHECK;
/* Every trail of the caller's account that this region sees (its own and multi-region ones). */
struct trail_list {
    struct trail *v;
    size_t n;
};
struct err *trail_list(struct call *c, bool shadows, struct trail_list *out) MUST_CHECK;

/* selector.c */
struct event { /* a record, parsed as far as selection needs */
    const struct jv *json;
    bool data, read_only;
};
bool trail_selects(const struct trail *t, const struct event *e);

/* deliver.c */
extern const struct job_kind trail_jobs[];
struct err *trail_cursor_now(struct call *c, const struct trail *t) MUST_CHECK;
/* Changes the trail's row in a transaction of its own, unless the trail is gone. `change` may run
 * again after a conflict. */
struct err *delivery_change(struct delivery *d, void *ctx,
                            struct err *(*change)(struct delivery *d, struct txn *t,
                                                  struct trail *now, void *ctx)) MUST_CHECK;
struct api_call delivery_as(const struct delivery *d);

/* outbox.c: files from the row to the object. */
struct outgoing {
    bool digest;          /* else a log file */
    uint64_t n;           /* their order; unique for the trail */
    struct str region;
    struct str bucket;    /* digests: where it says that it is. A log file goes where the trail
                             delivers when it is put. */
    struct str tail;      /* the key, from "AWSLogs/" on; digests: the whole key */
    struct str sha256;    /* hexadecimal, of what is compressed */
    int64_t oldest_ms, newest_ms; /* log files: of the records; digests: the period */
    struct str signature; /* digests */
    uint64_t upto;        /* digests: the last file that it can name */
    struct str body;      /* gzip */
};
struct err *outbox_compress(struct arena *a, struct str text, struct str *out) MUST_CHECK;
struct err *outbox_add(struct txn *t, const struct delivery *d,
                       const struct outgoing *o) MUST_CHECK;
/* Puts all that is there, in order, and settles each. */
struct err *outbox_flush(struct delivery *d) MUST_CHECK;
/* PutObject's input for an object of the trail: where, as whom, under which key. */
struct jv *trail_put_input(struct arena *a, const struct trail *t, struct str key);
struct str trail_prefixed(struct arena *a, const struct trail *t, struct str tail);

/* digest.c */
/* When the next digest is due; INT64_MAX without validation. */
struct err *digest_due(struct delivery *d, int64_t *out_ms) MUST_CHECK;
/* Writes a digest for each Region into the outbox, which is empty; flush it. */
struct err *digest_write(struct delivery *d) MUST_CHECK;
/* In the transaction that settles a log file, or a digest. */
struct err *digest_add_file(struct txn *t, const struct delivery *d,
                            const struct outgoing *o, struct str key) MUST_CHECK;
struct err *digest_settle(struct txn *t, const struct delivery *d,
                          const struct outgoing *o) MUST_CHECK;
/* Ends the chains: the next digest starts a new one. */
struct err *digest_forget(struct txn *t, const struct trail *tr) MUST_CHECK;

/* keys.c */
struct digest_key {
    struct secret *secret;
    struct str fingerprint;
};
/* The Region's key for now; makes it at its first use and when the last has served its time. Free
 * the secret. */
struct err *digest_key_now(struct delivery *d, struct str region,
                           struct digest_key *out) MUST_CHECK;

OP_DECLARE(cloudtrail, CreateTrail);
OP_DECLARE(cloudtrail, UpdateTrail);
OP_DECLARE(cloudtrail, DeleteTrail);
OP_DECLARE(cloudtrail, DescribeTrails);
OP_DECLARE(cloudtrail, GetTrail);
OP_DECLARE(cloudtrail, ListTrails);
OP_DECLARE(cloudtrail, GetTrailStatus);
OP_DECLARE(cloudtrail, StartLogging);
OP_DECLARE(cloudtrail, StopLogging);
OP_DECLARE(cloudtrail, PutEventSelectors);
OP_DECLARE(cloudtrail, GetEventSelectors);
OP_DECLARE(cloudtrail, LookupEvents);
OP_DECLARE(cloudtrail, AddTags);
OP_DECLARE(cloudtrail, RemoveTags);
OP_DECLARE(cloudtrail, ListTags);
OP_DECLARE(cloudtrail, ListPublicKeys);

#endif
