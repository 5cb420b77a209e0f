/* parser.h: from S3's notification of a new log file to its alerts.
 *
 * For each object of the event: skip what is no log file, fetch it, inflate and read it record by
 * record, and publish one message for each match of a record, a rule and a topic.
 *
 * Memory is bounded: the compressed file (LOG_FILE_MAX), one window, one record, and the ids of the
 * records that matched (MATCHES_MAX), which is how an eventID that comes twice in a file raises its
 * alert once. Across invocations alerts arrive at least once: see README.md.
 *
 * A topic that refuses a message (4xx) does not keep the other alerts of the file back; the
 * invocation then fails at its end. When the network or SNS itself fails, it fails at once. What
 * was finished is remembered, so that Lambda's next try goes on from there.
 *
 * Thread rule: one thread. */
#ifndef GOODBUY_PARSER_H
#define GOODBUY_PARSER_H

#include "aws.h"
#include "lambda.h"
#include "recent.h"
#include "rules.h"

enum {
    LOG_FILE_MAX = 64 * 1024 * 1024,      /* compressed */
    LOG_INFLATED_MAX = 256 * 1024 * 1024,
    MATCHES_MAX = 65536,
    EVENT_OBJECTS_MAX = 1000,
    CONFIG_AGE_MAX_S = 60,
    REPORT_MARGIN_MS = 1000, /* kept of the function's time for reporting */
};

struct parser {
    struct aws *aws;
    struct str config_bucket, config_key; /* views of the environment */
    int64_t config_max_age_ms;
    struct rules *rules; /* NULL until the first event */
    char config_etag[AWS_ETAG_MAX];
    int64_t config_read_ms; /* wall clock: a frozen container's other clocks may stand still */
    struct recent recent;
};

/* Settings: CONFIG_BUCKET, CONFIG_KEY (default filter_config.json), CONFIG_MAX_AGE_SECONDS (for how
 * long the configuration is used without asking S3 whether it changed; 0 to CONFIG_AGE_MAX_S, which
 * is the default), and what aws.h names. */
struct err *parser_init(void *parser);
void parser_clear(struct parser *p);

/* A lambda_handler. The result: {"files":…,"skipped":…,"repeated":…,"records":…,"alerts":…}. */
struct err *parser_handle(void *parser, const struct lambda_event *event, struct buf *out_result);

#endif
