/* line.h: private to src/api: a call on its way down the line. */
#ifndef WARD_API_LINE_H
#define WARD_API_LINE_H

#include "api.h"
#include "../auth/chunked.h"

#include <pthread.h>

struct extra { /* additionalEventData */
    const char *key;
    struct str value; /* STR_NONE: it is the number */
    int64_t number;
};

struct recorded_resource {
    struct str arn, account; /* account STR_NONE: not told */
    const char *type;
    bool prefix; /* the ARN is the beginning of many */
};

struct line {
    struct call c;            /* first: a call * is a line * */
    struct http_exchange *x;  /* NULL: internal */
    const struct api_call *internal;
    struct str source_arn; /* what a calling service acts for; passed on when it calls as caller */
    struct wire_request wire;
    struct arena *arena;

    /* authenticate */
    bool authenticated;
    unsigned char signing_key[32];
    struct hash *payload_hash; /* of a streamed body */
    uint64_t payload_bytes;
    struct chunked *chunked;

    /* authorise */
    VEC(struct ctx_key) keys;
    size_t global_keys;        /* how many of them every need sees */

    /* the record */
    VEC(struct extra) extras;
    VEC(struct recorded_resource) resources;
    enum audit_class audit;
    bool record_short;
    const char *event_name;    /* when the operation has no row */

    /* streamed bodies */
    bool body_began;
    struct err *body_err;

    /* parking */
    uint64_t park_count;
    char park_key[128];
    size_t park_key_n;
    int64_t park_until_ms;
    size_t heap_at;            /* in the timer's heap */
    struct line *bucket_next, **bucket_link;
    bool parked, resumed;      /* internal calls wait on `resume` */
    pthread_cond_t *resume;

    struct wire_response resp;
    bool answered;
};

static inline struct line *line_of(struct call *c)
{
    return (struct line *)c;
}

/* identify.c */
struct err *line_identify(struct line *l, struct str body) MUST_CHECK;
/* What the head alone tells of a request whose body never came whole: the room, as far as it can be
 * known, and the protocol to answer in. */
void line_identify_head(struct line *l);
const struct room *room_by_name(const struct ward *w, const char *name);
static inline const char *row_event_name(const struct op_row *row)
{
    return row->event_name != NULL ? row->event_name : row->name;
}
const struct op_row *room_row(const struct room *r, struct str op);

/* authenticate.c */
struct err *line_authenticate(struct line *l,
                              struct str body) MUST_CHECK; /* body p NULL: streamed */

/* A refusal of a signature under the name that it has in the call's protocol. */
struct err *line_in_family(const struct line *l, struct err *e) MUST_CHECK;

/* authorise.c */
struct err *line_authorise(struct line *l) MUST_CHECK;
void line_global_keys(struct line *l);

/* record.c: the CloudTrail event of the call as it ended, `e` NULL: success. The first is the
 * caller's account's; where something of another account was used, its owner gets a copy. Clear it
 * whatever the result. */
enum { LINE_COPIES_MAX = 3 };
struct line_records {
    struct buf json[LINE_COPIES_MAX];
    struct ledger_record v[LINE_COPIES_MAX];
    size_t n;
};
struct err *line_record(struct line *l, const struct err *e,
                        struct line_records *out) MUST_CHECK;
void line_records_clear(struct line_records *r);
/* record_rest.c: requestParameters and responseElements of S3's calls. */
void record_rest_request(struct jw *w, const struct call *c);
void record_rest_response(struct jw *w, const struct call *c);
struct str line_service_tag(const struct line *l); /* "kms.amazonaws.com" */

/* pipeline.c: from authorise to commit; the call's error, or the mark of is_park_signal(). */
struct err *line_transact(struct line *l) MUST_CHECK;
/* The streamed body's first half: authorise, validate, begin. */
struct err *line_begin_body(struct line *l) MUST_CHECK;
void line_record_refusal(struct line *l, const struct err *e);

/* disk.c: ServiceUnavailable for a write on a disk that is nearly full. */
struct err *line_check_disk(const struct line *l) MUST_CHECK;

/* park.c */
bool is_park_signal(const struct err *e);
void park_prepare(struct line *l); /* before the snapshot is taken */
/* true: parked, the line belongs to the registry now. false: woken meanwhile, run again at once. */
bool park_line(struct line *l);
struct err *park_start(struct ward *w, void (*resume)(struct line *l)) MUST_CHECK;
void park_stop(void);

/* entry.c */
uint64_t line_requests(void); /* since start: whether anybody calls */
void line_free(struct line *l);

/* internal.c */
void internal_resume(struct line *l);

/* job.c */
struct err *scheduler_start(struct ward *w) MUST_CHECK;
void scheduler_stop(struct ward *w);

#endif
