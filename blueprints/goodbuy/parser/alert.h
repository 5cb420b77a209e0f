/* alert.h: one CloudTrail record as the parser sees it, and the text of its alert.
 *
 * The message, a line each:
 *     Event: DeleteTrail
 *     Source: cloudtrail.amazonaws.com
 *     Request parameters: {"name":"main"}
 *     Region: us-east-1
 * and behind these what is known of: Rule and Severity (from the configuration), Account,
 * Principal, Time, Event ID, Error (the code, when the call was refused). No value can add a line:
 * control characters become blanks, and the parameters stay JSON. Values longer than
 * ALERT_FIELD_MAX, and parameters that would not fit SNS's limit, are cut, and it says so.
 * Thread rule: pure functions. */
#ifndef GOODBUY_ALERT_H
#define GOODBUY_ALERT_H

#include "core/arena.h"
#include "core/buf.h"
#include "rules.h"

enum { ALERT_FIELD_MAX = 2048, ALERT_PARAMETERS_MAX = 220 * 1024 };

/* Views of a checked record: event_source, event_name and event_id are decoded, the rest is raw
 * JSON, STR_NONE where the member is missing. */
struct record_view {
    struct str event_source, event_name, event_id;
    struct str parameters, region, time, account, identity, error_code;
};
void record_view_read(struct arena *a, struct str raw, struct record_view *out);

/* Both append. The subject is at most SNS_SUBJECT_MAX characters of printable ASCII. */
void alert_message(struct arena *a, const struct record_view *rec, const struct rule *rule,
                   struct buf *out);
void alert_subject(const struct record_view *rec, const struct rule *rule, struct buf *out);

#endif
