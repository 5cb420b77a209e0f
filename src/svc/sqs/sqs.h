/* sqs.h: the Simple Queue Service room: standard queues.
 *
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html
 *
 *   ops.c       rows and targets       queue.c    create, find, list, delete, purge, tags
 *   attr.c      queue attributes       send.c     SendMessage and its batch
 *   receive.c   ReceiveMessage with long poll, dead letters
 *   receipt.c   delete and visibility, by receipt handle
 *   md5.c       the digests that clients check
 *
 * Tables. A queue has a unique id, which its messages carry, so that a queue made anew under an old
 * name never shows the old one's messages. Owner of messages: "ACCOUNT/sqs/UID", whose data key is
 * destroyed with the queue.
 *   sqs.queue    account, region, name               -> JSON
 *   sqs.message  uid, sent_ms, message id            -> JSON (body and attributes), never rewritten
 *   sqs.ready    uid, visible_ms, sent_ms, message id -> receive count, first received, receipt
 *   sqs.moved    uid, message id -> visible_ms after ChangeMessageVisibility
 * The index sqs.ready is the queue: what is visible comes first. Receiving moves a row to a later
 * time under a new receipt; two receivers of one message conflict and one runs again.
 *
 * FIFO queues and SSE with a KMS key are not built: NotImplemented. */
#ifndef WARD_SVC_SQS_H
#define WARD_SVC_SQS_H

#include "api/api.h"

enum {
    SQS_NAME_MAX = 80,
    SQS_MESSAGE_MAX = 1048576,
    SQS_ATTRIBUTES_MAX = 10, /* of one message */
    SQS_ATTRIBUTE_NAME_MAX = 256, /* bytes of a name or a type */
    SQS_TRACE_MAX = 1024,    /* AWSTraceHeader */
    SQS_BATCH_MAX = 10,
    SQS_RECEIVE_MAX = 10,
    SQS_WAIT_MAX_S = 20,
    SQS_VISIBILITY_MAX_S = 43200,
    SQS_DELAY_MAX_S = 900,
    SQS_RETENTION_MIN_S = 60,
    SQS_RETENTION_MAX_S = 1209600,
    SQS_LOOK_MAX = 64,        /* candidates looked at for one receive */
    SQS_COUNT_MAX = 100000,   /* "Approximate" counts stop here */
    SQS_TAGS_MAX = 50,
    SQS_LIST_MAX = 1000,
    SQS_SWEEP_BATCH = 500,
};

#define SQS_T_QUEUE "sqs.queue"
#define SQS_T_MESSAGE "sqs.message"
#define SQS_T_READY "sqs.ready"
#define SQS_T_MOVED "sqs.moved"

extern const struct room sqs_room;

#endif
