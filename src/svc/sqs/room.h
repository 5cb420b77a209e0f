/* room.h: private to the SQS room. */
#ifndef WARD_SVC_SQS_ROOM_H
#define WARD_SVC_SQS_ROOM_H

#include "sqs.h"
#include "sqs_model.h"

struct queue {
    struct str account, region, name, uid, arn;
    struct jv *row;   /* {uid,created_ms,modified_ms,purged_ms,attributes:{},tags:{}} */
    struct jv *attrs; /* within row; the texts as set, defaults left out */
    int64_t purged_ms; /* what was sent until then is gone */
};

/* queue.c */
struct skey queue_key(struct str account, struct str region, struct str name);
struct err *queue_read(struct txn *t, struct arena *a, struct str account, struct str region,
                       struct str name, struct queue *out, bool *out_found) MUST_CHECK;
/* By URL: QueueDoesNotExist, InvalidAddress. */
struct err *queue_need(struct call *c, struct str url, struct queue *out) MUST_CHECK;
bool queue_url_parts(struct str url, struct str *account, struct str *name);
struct str queue_url_given(const struct call *c, struct str url);
bool name_char(char ch); /* of queues and batch entries */
struct str queue_url(struct ward *w, struct arena *a, const struct queue *q);
struct err *queue_write(struct call *c, const struct queue *q) MUST_CHECK;
struct str queue_owner(struct arena *a, const struct queue *q);
struct str queue_wake_key(struct arena *a, const struct queue *q);
extern const struct job_kind sqs_jobs[];

/* attr.c */
int64_t queue_number(const struct queue *q, const char *name); /* with AWS's default */
/* Whether the attribute stands at this value, be it by default. */
bool queue_has_value(const struct queue *q, struct str name, struct str value);
struct err *queue_set_attributes(struct call *c, struct queue *q,
                                 const struct sqs_QueueAttributeMap *set) MUST_CHECK;
/* The dead-letter queue's ARN and the count; false: none. */
bool queue_redrive(struct call *c, const struct queue *q, struct str *out_arn, int64_t *out_max);

/* A row of sqs.ready. */
struct entry {
    int64_t visible_ms, sent_ms;
    struct str id;
    int64_t received, first_ms;
    struct str receipt; /* 16 random bytes, hex; empty before the first receive */
};
struct skey ready_key(const struct queue *q, const struct entry *e);
struct skey message_key(const struct queue *q, int64_t sent_ms, struct str id);
struct skey moved_key(const struct queue *q, struct str id);
bool entry_read(struct arena *a, struct str key, struct str value, struct entry *out);
struct err *entry_put(struct txn *t, struct arena *a, const struct queue *q,
                      const struct entry *e) MUST_CHECK;

/* send.c */
struct outgoing {
    struct str body;
    struct opt_int delay;
    const struct sqs_MessageBodyAttributeMap *attributes;
    const struct sqs_MessageBodySystemAttributeMap *system;
    struct str group, dedup;
};
struct sent {
    struct str id, md5_body, md5_attributes, md5_system;
};
struct err *message_put(struct call *c, const struct queue *q, const struct outgoing *m,
                        struct sent *out) MUST_CHECK;

/* md5.c */
struct str md5_hex(struct arena *a, struct str s);
struct str md5_of_attributes(struct arena *a, const struct sqs_MessageBodyAttributeMap *m);
struct str md5_of_system(struct arena *a, const struct sqs_MessageBodySystemAttributeMap *m);

/* batches */
struct err *batch_check(const struct str *ids, size_t n) MUST_CHECK;
void batch_fail(struct call *c, struct sqs_BatchResultErrorEntryList *list, struct str id,
                struct err *e);

OP_DECLARE(sqs, CreateQueue);
OP_DECLARE(sqs, GetQueueUrl);
OP_DECLARE(sqs, ListQueues);
OP_DECLARE(sqs, DeleteQueue);
OP_DECLARE(sqs, SetQueueAttributes);
OP_DECLARE(sqs, GetQueueAttributes);
OP_DECLARE(sqs, SendMessage);
OP_DECLARE(sqs, SendMessageBatch);
OP_DECLARE(sqs, ReceiveMessage);
OP_DECLARE(sqs, DeleteMessage);
OP_DECLARE(sqs, DeleteMessageBatch);
OP_DECLARE(sqs, ChangeMessageVisibility);
OP_DECLARE(sqs, ChangeMessageVisibilityBatch);
OP_DECLARE(sqs, PurgeQueue);
OP_DECLARE(sqs, TagQueue);
OP_DECLARE(sqs, UntagQueue);
OP_DECLARE(sqs, ListQueueTags);
OP_DECLARE(sqs, ListDeadLetterSourceQueues);

#endif
