/* logs.h: the CloudWatch Logs room: log groups, streams, events, and the search in them.
 *
 * https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/Welcome.html
 *
 *   ops.c    rows and targets           group.c   groups, retention      stream.c  streams
 *   put.c    PutLogEvents               get.c     GetLogEvents           search.c  FilterLogEvents
 *   tags.c   tags, in both forms        expire.c  jobs: retention, and what deletions leave
 *   filter.c filter patterns
 *
 * Tables (owner of events: "ACCOUNT/logs/GROUP-ID"; of the others: the account):
 *   logs.group   account, region, name              -> JSON {name,id,created_ms,retention,tags}
 *   logs.stream  group id, name                     -> JSON {name,id,created_ms}
 *   logs.event   group id, time, batch, index       -> stream id, ingestion time, name, message
 *   logs.of      stream id, time, batch, index      -> nothing: the order within a stream
 *
 * Ids are random: a group or stream that is made again under its old name is a new one, and what
 * the former held is out of reach at once and removed by a job; of a group the data key as well.
 * One row for each event keeps writers apart (no two put calls conflict) and makes every event a
 * place that a paging token can name. */
#ifndef WARD_SVC_LOGS_H
#define WARD_SVC_LOGS_H

#include "api/api.h"

enum {
    LOGS_BATCH_BYTES_MAX = 1024 * 1024, /* messages and LOGS_EVENT_OVERHEAD each */
    LOGS_EVENT_OVERHEAD = 26,
    LOGS_BATCH_EVENTS_MAX = 10000,
    LOGS_OLD_DAYS = 14,
    LOGS_FUTURE_HOURS = 2,
    LOGS_SPAN_HOURS = 24,        /* of one batch */
    LOGS_PAGE_MAX = 50,          /* groups or streams */
    LOGS_EVENTS_PAGE_MAX = 10000,
    LOGS_PAGE_BYTES_MAX = 1024 * 1024,
    LOGS_SEARCH_MAX = 50000,     /* events looked at for one page */
    LOGS_SORT_MAX = 10000,       /* streams of a group that can be ordered by their last event */
    LOGS_TAGS_MAX = 50,
    LOGS_REMOVE_BATCH = 2000,    /* events that one transaction of a job removes */
};

#define LOGS_T_GROUP "logs.group"
#define LOGS_T_STREAM "logs.stream"
#define LOGS_T_EVENT "logs.event"
#define LOGS_T_OF "logs.of"

extern const struct room logs_room;

#endif
