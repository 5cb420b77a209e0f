/* room.h: private to the CloudWatch Logs room. */
#ifndef WARD_SVC_LOGS_ROOM_H
#define WARD_SVC_LOGS_ROOM_H

#include "filter.h"
#include "logs.h"
#include "logs_model.h"

#define LOGS_DAY_MS ((int64_t)24 * 3600 * 1000)

struct group { /* a row, read */
    struct str account, region, name;
    uint64_t id;
    int64_t created_ms;
    int64_t retention; /* days; 0: for ever */
    struct jv *row;
};

struct stream {
    struct str name;
    uint64_t id;
    int64_t created_ms;
};

/* The place of an event: (time, batch, index), the same in both tables. */
struct place {
    uint64_t time, batch;
    uint32_t index;
};

struct event {
    struct place at;
    uint64_t stream;
    int64_t ingested_ms;
    struct str name, message;
};

/* group.c. What a client named: a name, or an ARN with or without ":*". */
struct err *group_place(struct call *c, struct str name_or_arn, struct group *out) MUST_CHECK;
struct err *group_find(struct call *c, struct str name_or_arn, struct group *out, bool *out_found)
    MUST_CHECK;
struct err *group_need(struct call *c, struct str name_or_arn, struct group *out) MUST_CHECK;
/* Exactly one of logGroupName and logGroupIdentifier. */
struct err *group_one_of(struct str name, struct str identifier, struct str *out) MUST_CHECK;
struct err *group_save(struct call *c, const struct group *g) MUST_CHECK;
struct skey group_key(struct str account, struct str region, struct str name);
struct str group_owner(struct arena *a, struct str account, uint64_t id);
bool group_from_row(struct jv *row, struct group *out);
struct str group_arn(struct arena *a, const struct group *g);
/* Events before this are past the group's retention. */
int64_t group_oldest_ms(const struct group *g, int64_t now_ms);

/* stream.c */
struct err *stream_find(struct call *c, const struct group *g, struct str name, struct stream *out,
                        bool *out_found) MUST_CHECK;
struct err *stream_need(struct call *c, const struct group *g, struct str name,
                        struct stream *out) MUST_CHECK;

/* put.c */
struct skey event_key(uint64_t owner_id, struct place at); /* of either table */
bool event_place(struct str key, struct place *out);
bool event_read(struct str value, struct event *out); /* views into value */

/* tags.c */
struct err *logs_set_tags(struct call *c, struct group *g, const struct logs_Tags *tags) MUST_CHECK;

/* expire.c */
extern const struct job_kind logs_jobs[];
struct err *logs_purge_later(struct call *c, const struct group *g, uint64_t stream_id) MUST_CHECK;
struct err *logs_expire_later(struct call *c, const struct group *g) MUST_CHECK;

OP_DECLARE(logs, CreateLogGroup);
OP_DECLARE(logs, DeleteLogGroup);
OP_DECLARE(logs, DescribeLogGroups);
OP_DECLARE(logs, PutRetentionPolicy);
OP_DECLARE(logs, DeleteRetentionPolicy);
OP_DECLARE(logs, CreateLogStream);
OP_DECLARE(logs, DeleteLogStream);
OP_DECLARE(logs, DescribeLogStreams);
OP_DECLARE(logs, PutLogEvents);
OP_DECLARE(logs, GetLogEvents);
OP_DECLARE(logs, FilterLogEvents);
OP_DECLARE(logs, TagLogGroup);
OP_DECLARE(logs, UntagLogGroup);
OP_DECLARE(logs, ListTagsLogGroup);
OP_DECLARE(logs, TagResource);
OP_DECLARE(logs, UntagResource);
OP_DECLARE(logs, ListTagsForResource);

#endif
