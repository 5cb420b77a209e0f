/* room.h: private to the SNS room. */
#ifndef WARD_SVC_SNS_ROOM_H
#define WARD_SVC_SNS_ROOM_H

#include "sns.h"
#include "sns_model.h"

struct topic {
    struct str account, region, name, uid, arn;
    struct jv *row;   /* {uid,created_ms,attributes:{},tags:{}} */
    struct jv *attrs; /* within row; texts as set, defaults left out */
};

enum sub_state { SUB_PENDING = 1, SUB_CONFIRMED, SUB_DELETED };

struct sub {
    struct str id, arn, owner, protocol, endpoint;
    enum sub_state state;
    struct jv *row;   /* {owner,principal,protocol,endpoint,state,authenticated,guarded,token,
                          created_ms,attributes:{}}; guarded: AuthenticateOnUnsubscribe */
    struct jv *attrs;
};

/* topic.c */
bool topic_arn_parts(struct str arn, struct arn *out); /* resource: the name */
bool sub_arn_parts(struct str arn, struct arn *out, struct str *out_id);
struct err *topic_read(struct txn *t, struct arena *a, const struct arn *at, struct topic *out,
                       bool *out_found) MUST_CHECK;
/* By ARN: InvalidParameter, NotFound. Conflicts with a change of the topic when `watch`. */
struct err *topic_need(struct call *c, struct str arn, bool watch, struct topic *out) MUST_CHECK;
struct err *topic_write(struct call *c, const struct topic *t) MUST_CHECK;
struct str topic_owner(struct arena *a, const struct topic *t);
struct err *sns_invalid(const char *fmt, ...) PRINTF_LIKE(1, 2) MUST_CHECK; /* InvalidParameter */
void sns_set(struct arena *a, struct jv *o, const char *name, struct str v);

/* attr.c */
struct err *topic_set_attribute(struct call *c, struct topic *t, struct str name,
                                struct str value) MUST_CHECK;
struct str topic_default_policy(struct call *c, const struct topic *t);

/* tags.c: kept in a row as {key:value} */
struct err *tags_check(const struct sns_TagList *tags) MUST_CHECK;
struct jv *tags_json(struct arena *a, const struct sns_TagList *tags);
void tags_keys(struct call *c, const struct sns_TagList *tags); /* condition keys of a request */

/* sub.c */
struct skey sub_key(struct str uid, struct str id);
bool sub_from_row(struct arena *a, const struct topic *t, struct str id, struct jv *row,
                  struct sub *out);
struct err *sub_read(struct txn *t, struct arena *a, const struct topic *topic, struct str id,
                     bool watch, struct sub *out, bool *out_found) MUST_CHECK;
/* By ARN: InvalidParameter, NotFound. */
struct err *sub_need(struct call *c, struct str arn, struct topic *out_topic,
                     struct sub *out) MUST_CHECK;
void sub_set_state(struct arena *a, struct sub *s, enum sub_state state);
struct err *sub_write(struct txn *t, struct arena *a, const struct topic *topic,
                      const struct sub *s) MUST_CHECK;
struct err *sub_delete(struct txn *t, const struct topic *topic, const struct sub *s) MUST_CHECK;
struct skey sub_at_key(const struct topic *t, struct str protocol, struct str endpoint);
/* Each subscription of the topic in turn; fn's error ends it. The arena holds every row. */
struct err *subs_each(struct txn *t, struct arena *a, const struct topic *topic,
                      struct err *(*fn)(void *ctx, struct sub *s), void *ctx) MUST_CHECK;
struct str sub_endpoint_shown(struct arena *a, const struct sub *s); /* a password is masked */

/* subattr.c */
struct err *sub_set_attribute(struct call *c, const struct topic *t, struct sub *s,
                              struct str name, struct str value) MUST_CHECK;
/* How many subscriptions the topic has, and how many with a filter policy. */
struct err *subs_count(struct call *c, const struct topic *t, size_t *out_subs,
                       size_t *out_filters) MUST_CHECK;

/* confirm.c */
/* A new token for the subscription, and the job that sends it: "SubscriptionConfirmation" or
 * "UnsubscribeConfirmation". The subscription's row is written. */
struct err *confirmation_ask(struct call *c, const struct topic *t, struct sub *s,
                             const char *type) MUST_CHECK;

/* publish.c */
bool message_text_for(struct arena *a, const struct jv *message, struct str protocol,
                      struct str *out); /* by MessageStructure */

/* envelope.c */
struct envelope {
    struct ward *ward;
    struct arena *arena;
    const char *type; /* "Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation" */
    struct str message_id, topic_arn, subject, message, timestamp;
    struct str token, subscribe_url;       /* confirmations */
    struct str subscription_arn;
    struct str unsubscribe_url;            /* notifications */
    const struct jv *attributes;           /* of the message: {name:{t,s|b}}, or NULL */
    bool version2;                         /* SignatureVersion */
    struct str display_name;
};
struct err *envelope_json(const struct envelope *v, struct str *out) MUST_CHECK;
struct err *envelope_lambda(const struct envelope *v, struct str *out) MUST_CHECK;
struct str envelope_mail(const struct envelope *v);
struct str link_confirm(struct ward *w, struct arena *a, struct str topic_arn, struct str token);
struct str link_unsubscribe(struct ward *w, struct arena *a, struct str subscription_arn);

/* sign.c */
struct err *sign_start(struct ward *w) MUST_CHECK;
void sign_stop(struct ward *w);
struct err *sign_text(struct arena *a, bool version2, struct str text, struct str *out_base64)
    MUST_CHECK;
struct str sign_cert_url(struct ward *w, struct arena *a);
extern const struct page sns_pages[];

/* retry.c */
struct err *retry_check_topic(struct call *c, struct str text) MUST_CHECK;
struct err *retry_check_sub(struct call *c, struct str text) MUST_CHECK;
/* The policy in force for an HTTP subscription, as text: EffectiveDeliveryPolicy. */
struct str retry_effective_topic(struct arena *a, struct str topic_policy);
struct str retry_effective_sub(struct arena *a, struct str topic_policy, struct str sub_policy);
/* How long to wait before retry number `retry` (from 0); -1: there is none. */
int64_t retry_delay_ms(struct arena *a, struct str protocol, struct str topic_policy,
                       struct str sub_policy, int64_t retry);
struct str retry_content_type(struct arena *a, struct str topic_policy, struct str sub_policy);

/* transport.c */
enum outcome { OUT_SENT = 1, OUT_RETRY, OUT_REFUSED /* trying again is of no use */ };
struct delivery {
    struct envelope env;
    struct topic *topic;
    struct str protocol, endpoint;
    bool raw;
    struct str content_type; /* HTTP */
    struct str error;        /* for the log: nothing of a customer */
};
enum outcome transport_send(struct delivery *d, struct err **out_why);
enum outcome transport_dead_letter(struct delivery *d, struct str queue_arn, struct err **out_why);
struct push { /* to one device or telephone */
    struct ward *ward;
    struct arena *arena;
    struct str kind; /* "sms", "push" */
    struct str message_id, message, subject, to, platform, application, endpoint;
    const struct jv *attributes;
};
enum outcome transport_webhook(const struct push *p, int *out_status, struct err **out_why);
bool sns_has_op(const struct ward *w, const char *room, const char *op);

/* platform.c */
struct device {
    struct str arn, account, region, platform, app, id, token;
    bool enabled;
    struct jv *row;
};
bool endpoint_arn_parts(struct str arn, struct device *out);
struct err *device_read(struct txn *t, struct arena *a, struct str arn, struct device *out,
                        bool *out_found) MUST_CHECK;
struct err *device_disable(struct ward *w, struct arena *a, const struct device *d) MUST_CHECK;
struct err *provider_need(struct call *c, const char *what) MUST_CHECK;
bool phone_valid(struct str s);

extern const struct job_kind sns_jobs[];
enum job_next sns_deliver_run(struct job *j, int64_t *again_ms);
enum job_next sns_direct_run(struct job *j, int64_t *again_ms);
enum job_next sns_confirm_run(struct job *j, int64_t *again_ms);
enum job_next sns_lapse_run(struct job *j, int64_t *again_ms);

OP_DECLARE(sns, CreateTopic);
OP_DECLARE(sns, DeleteTopic);
OP_DECLARE(sns, ListTopics);
OP_DECLARE(sns, GetTopicAttributes);
OP_DECLARE(sns, SetTopicAttributes);
OP_DECLARE(sns, AddPermission);
OP_DECLARE(sns, RemovePermission);
OP_DECLARE(sns, Subscribe);
OP_DECLARE(sns, ConfirmSubscription);
OP_DECLARE(sns, Unsubscribe);
OP_DECLARE(sns, ListSubscriptions);
OP_DECLARE(sns, ListSubscriptionsByTopic);
OP_DECLARE(sns, GetSubscriptionAttributes);
OP_DECLARE(sns, SetSubscriptionAttributes);
OP_DECLARE(sns, Publish);
OP_DECLARE(sns, PublishBatch);
OP_DECLARE(sns, TagResource);
OP_DECLARE(sns, UntagResource);
OP_DECLARE(sns, ListTagsForResource);
OP_DECLARE(sns, CreatePlatformApplication);
OP_DECLARE(sns, GetPlatformApplicationAttributes);
OP_DECLARE(sns, SetPlatformApplicationAttributes);
OP_DECLARE(sns, DeletePlatformApplication);
OP_DECLARE(sns, ListPlatformApplications);
OP_DECLARE(sns, CreatePlatformEndpoint);
OP_DECLARE(sns, GetEndpointAttributes);
OP_DECLARE(sns, SetEndpointAttributes);
OP_DECLARE(sns, DeleteEndpoint);
OP_DECLARE(sns, ListEndpointsByPlatformApplication);

#endif
