/* room.h: private to the CloudTrail room. */
#ifndef WARD_SVC_CLOUDTRAIL_ROOM_H
#define WARD_SVC_CLOUDTRAIL_ROOM_H

#include "cloudtrail.h"
#include "cloudtrail_model.h"

struct trail { /* a row, read */
    struct str name, arn, account, region;
    struct str bucket, prefix, topic, kms_key;
    bool all_regions, global_events, validation, logging;
    int64_t created_ms, started_ms, stopped_ms;
    int64_t delivered_ms; /* last delivery; 0: none */
    struct str delivery_error;
    struct jv *selectors, *advanced, *tags; /* or NULL */
};

/* trail.c */
struct skey trail_key(struct str account, struct str region, struct str name);
struct err *trail_read(struct txn *t, struct arena *a, struct str account, struct str region,
                       struct str name, struct trail *out, bool *out_found) MUST_CHECK;
struct err *trail_write(struct txn *t, struct arena *a, const struct trail *tr) MUST_CHECK;
/* By name or ARN; TrailNotFoundException. */
struct err *trail_need(struct call *c, struct str name_or_arn, struct trail *out) MUST_CHECK;
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
/* PutObject's input for an object of the trail: where, as whom, under which key. */
struct jv *trail_put_input(struct arena *a, const struct trail *t, struct str key);
struct err *trail_cursor_now(struct call *c, const struct trail *t) MUST_CHECK;

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

#endif
