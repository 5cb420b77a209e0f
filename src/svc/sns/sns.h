/* sns.h: the Simple Notification Service room: standard topics, their subscriptions, deliveries.
 *
 * https://docs.aws.amazon.com/sns/latest/api/welcome.html
 *
 *   ops.c        rows, and what each is about
 *   topic.c      topics: made, found, listed, deleted         attr.c     their attributes
 *   permission.c AddPermission, RemovePermission              tags.c     tags of topics
 *   sub.c        rows of subscriptions, lists                 subattr.c  their attributes
 *   subscribe.c  Subscribe
 *   confirm.c    tokens, ConfirmSubscription, Unsubscribe
 *   filter.c     filter policies, by themselves               publish.c  Publish and its batch
 *   deliver.c    the jobs: one for each message and subscription, retries, dead letters
 *   transport.c  SQS, Lambda, HTTP, mail, the provider's webhook
 *   envelope.c   what is sent: JSON, mail text, Lambda's event
 *   sign.c       the signing key and its certificate          retry.c    delivery policies
 *   platform.c   platform applications and their endpoints (mobile push)
 *
 * Tables. A topic has a unique id, so that one made anew under an old name has nothing of the old
 * one. Owner of a topic's rows: "ACCOUNT/sns/UID"; of the others: the account.
 *   sns.topic    account, region, name        -> JSON
 *   sns.sub      topic uid, subscription id   -> JSON
 *   sns.sub_at   topic uid, protocol, hash of the endpoint -> subscription id
 *   sns.sub_of   owner, region, subscription id -> JSON: the topic
 *   sns.token    hash of a confirmation token -> JSON: what it confirms
 *   sns.message  message id                   -> JSON, until its last delivery has ended
 *   sns.left     message id                   -> bits: deliveries that have not ended
 *   sns.app      account, region, platform, name      -> JSON
 *   sns.endpoint account, region, platform, name, id  -> JSON
 *   sns.endpoint_at  the same and the hash of the token -> id
 *
 * A message is in the store from the commit of Publish until every subscription has got it or was
 * given up; neither it nor an endpoint that is a person's is ever logged or recorded.
 *
 * FIFO topics, SSE-KMS, archives and data protection are not built: NotImplemented. */
#ifndef WARD_SVC_SNS_H
#define WARD_SVC_SNS_H

#include "api/api.h"

enum {
    SNS_NAME_MAX = 256,
    SNS_MESSAGE_MAX = 262144, /* with its attributes */
    SNS_SUBJECT_MAX = 100,
    SNS_DISPLAY_NAME_MAX = 100,
    SNS_POLICY_MAX = POLICY_TEXT_MAX,
    SNS_ENDPOINT_MAX = 2048,
    SNS_PAGE = 100,
    SNS_BATCH_MAX = 10,
    SNS_TAGS_MAX = 50,
    SNS_SUBSCRIPTIONS_MAX = 2000, /* of one topic: they are looked at in one transaction */
    SNS_FILTERS_MAX = 200,        /* filter policies of one topic */
    SNS_RAW_ATTRIBUTES_MAX = 10,  /* SQS takes no more */
    SNS_TOKEN_DAYS = 2,           /* to confirm */
    SNS_DOCUMENT_MAX = 256 * 1024, /* a JSON attribute */
    SNS_ENDPOINT_ATTRIBUTES_MAX = 16,
    SNS_USER_DATA_MAX = 2048,
};

#define SNS_T_TOPIC "sns.topic"
#define SNS_T_SUB "sns.sub"
#define SNS_T_SUB_AT "sns.sub_at"
#define SNS_T_SUB_OF "sns.sub_of"
#define SNS_T_TOKEN "sns.token"
#define SNS_T_MESSAGE "sns.message"
#define SNS_T_LEFT "sns.left"
#define SNS_T_APP "sns.app"
#define SNS_T_ENDPOINT "sns.endpoint"
#define SNS_T_ENDPOINT_AT "sns.endpoint_at"

#define SNS_SERVICE "sns.amazonaws.com"
#define SNS_API_VERSION "2010-03-31"

extern const struct room sns_room;

#endif
