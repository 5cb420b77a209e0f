/* Event notifications:
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventNotifications.html
 *
 * An event is a job in the transaction of what it tells of, and is delivered at least once, as the
 * service, to topics, queues and functions whose policies let s3.amazonaws.com in. */
#include "internal.h"

#include "../../core/enc.h"
#include "../../core/log.h"
#include "../../crypto/crypto.h"

#define S3_SERVICE "s3.amazonaws.com"

enum { EVENT_BASE_MS = 1000, EVENT_CAP_MS = 5 * 60 * 1000, EVENT_MAX = 64 * 1024 };

/* -- rules: rows of "notify" in the bucket ----------------------------------------------------- */

static bool event_matches(struct str rule, struct str event)
{
    rule = str_skip(rule, 3); /* "s3:" */
    if (str_ends_c(rule, ":*"))
        return str_starts(event, str_take(rule, rule.n - 1));
    return str_eq(rule, event);
}

static bool rule_matches(const struct jv *rule, struct str event, struct str key)
{
    struct str prefix = jv_s(jv_get(rule, "prefix")), suffix = jv_s(jv_get(rule, "suffix"));
    if (!str_starts(key, prefix) || !str_ends(key, suffix))
        return false;
    const struct jv *events = jv_get(rule, "events");
    for (size_t i = 0; i < jv_len(events); i++)
        if (event_matches(jv_s(jv_at(events, i)), event))
            return true;
    return false;
}

/* -- the event's document ---------------------------------------------------------------------- */

/* Keys come percent-encoded, with a plus for a blank. */
static struct str event_key(struct arena *a, struct str key)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(4 * S3_KEY_MAX);
    for (size_t i = 0; i < key.n; i++) {
        if (key.p[i] == ' ')
            buf_char(&b, '+');
        else
            enc_uri_into(&b, str_of(key.p + i, 1), true);
    }
    return arena_str(a, buf_view(&b));
}

static struct str principal_id(struct call *c)
{
    const struct principal *w = &c->id.who;
    if (w->kind == PRINCIPAL_ANONYMOUS)
        return STR("Anonymous");
    if (w->kind == PRINCIPAL_SERVICE)
        return w->service;
    return arena_concat(c->arena, STR("AWS:"), w->user_id);
}

static void write_parties(struct call *c, struct jw *w)
{
    struct str host = enc_base64(c->arena, STR("ward"));
    jw_key(w, "userIdentity");
    jw_obj(w);
    jw_ks(w, "principalId", principal_id(c));
    jw_end(w);
    jw_key(w, "requestParameters");
    jw_obj(w);
    jw_kc(w, "sourceIPAddress",
          c->wire != NULL && c->http != NULL ? c->http->peer
          : c->id.invoked_by.n > 0           ? "AWS Internal"
                                             : S3_SERVICE);
    jw_end(w);
    jw_key(w, "responseElements");
    jw_obj(w);
    jw_kc(w, "x-amz-request-id", c->request_id);
    jw_ks(w, "x-amz-id-2", host);
    jw_end(w);
}

static void write_record(struct call *c, struct jw *w, const struct s3_bucket *b,
                         struct str rule_id, const char *event, struct str key,
                         const struct s3_object *o)
{
    char when[TIME_TEXT_MAX], sequencer[24];
    bool removed = strncmp(event, "ObjectRemoved:", 14) == 0;
    time_iso8601_ms(c->now_ms, when);
    snprintf(sequencer, sizeof sequencer, "%016llX", (unsigned long long)o->seq);
    jw_obj(w);
    jw_kc(w, "eventVersion", strncmp(event, "ObjectTagging:", 14) == 0 ? "2.3" : "2.1");
    jw_kc(w, "eventSource", "aws:s3");
    jw_ks(w, "awsRegion", b->region);
    jw_kc(w, "eventTime", when);
    jw_kc(w, "eventName", event);
    write_parties(c, w);
    jw_key(w, "s3");
    jw_obj(w);
    jw_kc(w, "s3SchemaVersion", "1.0");
    jw_ks(w, "configurationId", rule_id);
    jw_key(w, "bucket");
    jw_obj(w);
    jw_ks(w, "name", b->name);
    jw_key(w, "ownerIdentity");
    jw_obj(w);
    jw_ks(w, "principalId", s3_canonical_id(c->arena, b->account));
    jw_end(w);
    jw_ks(w, "arn", b->arn);
    jw_end(w);
    jw_key(w, "object");
    jw_obj(w);
    jw_ks(w, "key", event_key(c->arena, key));
    if (!removed) {
        jw_ki(w, "size", (int64_t)o->size);
        jw_ks(w, "eTag", o->etag);
    }
    if (b->versioning != VERSIONING_OFF && o->version.n > 0)
        jw_ks(w, "versionId", o->version);
    jw_kc(w, "sequencer", sequencer);
    jw_end(w);
    jw_end(w);
    jw_end(w);
}

static struct err *put_event(struct call *c, const struct s3_bucket *b, const struct jv *rule,
                             const char *event, struct str key, const struct s3_object *o)
{
    char id[37];
    struct buf job CLEANUP(buf_clear) = BUF_INIT(EVENT_MAX);
    struct buf message CLEANUP(buf_clear) = BUF_INIT(EVENT_MAX);
    struct jw m = jw_to(&message), w = jw_to(&job);
    jw_obj(&m);
    jw_key(&m, "Records");
    jw_arr(&m);
    write_record(c, &m, b, jv_s(jv_get(rule, "id")), event, key, o);
    jw_end(&m);
    jw_end(&m);
    TRY(buf_check(&message));
    jw_obj(&w);
    jw_ks(&w, "to", jv_s(jv_get(rule, "to")));
    jw_ks(&w, "arn", jv_s(jv_get(rule, "arn")));
    jw_ks(&w, "bucket", b->arn);
    jw_ks(&w, "account", b->account);
    jw_ks(&w, "message", buf_view(&message));
    jw_end(&w);
    TRY(buf_check(&job));
    rand_uuid(id);
    return job_put(c->txn, b->account, "s3.event", str_c(id), c->now_ms, buf_view(&job));
}

struct err *s3_notify(struct call *c, const struct s3_bucket *b, const char *event, struct str key,
                      const struct s3_object *o)
{
    const struct jv *rules = jv_get(b->row, "notify");
    for (size_t i = 0; i < jv_len(rules); i++)
        if (rule_matches(jv_at(rules, i), str_c(event), key))
            TRY(put_event(c, b, jv_at(rules, i), event, key, o));
    return NULL;
}

/* -- delivery ---------------------------------------------------------------------------------- */

static bool has_room(const struct ward *w, const char *name)
{
    for (size_t i = 0; i < w->n_rooms; i++)
        if (strcmp(w->rooms[i]->name, name) == 0)
            return true;
    return false;
}

static void set(struct arena *a, struct jv *o, const char *name, struct str v)
{
    jv_set(a, o, str_c(name), jv_new_str(a, v));
}

/* One message to one destination. `test`: what PutBucketNotificationConfiguration tries. */
static struct err *send(struct api_call *o, struct arena *a, struct str to, struct str arn_text,
                        struct str message, bool test)
{
    struct arn arn;
    struct jv *in = jv_new_obj(a);
    const char *room = str_is(to, "sns") ? "sns" : str_is(to, "sqs") ? "sqs" : "lambda";
    if (!arn_parse(arn_text, &arn))
        return err_new(ERR_INVALID, "The destination is not an ARN.");
    if (!has_room(o->ward, room))
        return err_new(ERR_UNSUPPORTED, "This version of Ward has no %s.", room);
    o->region = arn.region;
    if (str_is(to, "sns")) {
        set(a, in, "TopicArn", arn_text);
        set(a, in, "Subject", STR("Amazon S3 Notification"));
        set(a, in, "Message", message);
        return api_call_json(o, room, "Publish", in, false, NULL);
    }
    if (str_is(to, "sqs")) {
        set(a, in, "QueueUrl",
            arena_fmt(a, "%s/%.*s/%.*s", o->ward->endpoint, STR_ARG(arn.account),
                      STR_ARG(arn.resource)));
        set(a, in, "MessageBody", message);
        return api_call_json(o, room, "SendMessage", in, false, NULL);
    }
    set(a, in, "FunctionName", arn_text);
    set(a, in, "InvocationType", test ? STR("DryRun") : STR("Event"));
    if (!test)
        set(a, in, "Payload", enc_base64(a, message));
    return api_call_json(o, room, "Invoke", in, false, NULL);
}

enum job_next s3_event_run(struct job *j, int64_t *again_ms)
{
    struct jv *what = NULL;
    struct err *e = json_parse(j->arena, j->payload, JSON_DEPTH_DEFAULT, &what);
    if (e != NULL) {
        log_err(LOG_ERROR, "an event's row cannot be read", e);
        return JOB_DONE;
    }
    struct api_call o = {.ward = j->ward,
                         .as = AS_SERVICE,
                         .service = S3_SERVICE,
                         .account = jv_s(jv_get(what, "account")),
                         .source_arn = jv_s(jv_get(what, "bucket")),
                         .arena = j->arena};
    e = send(&o, j->arena, jv_s(jv_get(what, "to")), jv_s(jv_get(what, "arn")),
             jv_s(jv_get(what, "message")), false);
    if (e == NULL)
        return JOB_DONE;
    bool over = clock_now_ms() - j->created_ms > S3_EVENT_HOURS * 3600000LL;
    log_err(LOG_WARN, over ? "an S3 event was given up" : "an S3 event could not be delivered", e);
    *again_ms = clock_now_ms() + job_backoff_ms(j->attempt, EVENT_BASE_MS, EVENT_CAP_MS);
    return over ? JOB_DONE : JOB_AGAIN;
}

/* -- configuration ----------------------------------------------------------------------------- */

struct rule_in { /* one of the three kinds of configuration */
    const char *to, *service;
    struct str id, arn;
    const struct s3_EventList *events;
    const struct s3_NotificationConfigurationFilter *filter;
};

static struct err *bad_argument(const char *what)
{
    return err_aws(400, "InvalidArgument", "%s", what);
}

static bool event_built(struct str event)
{
    static const char *const names[] = {"s3:ObjectCreated:*",
                                        "s3:ObjectCreated:Put",
                                        "s3:ObjectCreated:Post",
                                        "s3:ObjectCreated:Copy",
                                        "s3:ObjectCreated:CompleteMultipartUpload",
                                        "s3:ObjectRemoved:*",
                                        "s3:ObjectRemoved:Delete",
                                        "s3:ObjectRemoved:DeleteMarkerCreated",
                                        "s3:ObjectTagging:*",
                                        "s3:ObjectTagging:Put",
                                        "s3:ObjectTagging:Delete"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_is(event, names[i]))
            return true;
    return false;
}

static struct err *rule_filter(struct arena *a, const struct rule_in *r, struct jv *rule)
{
    if (r->filter == NULL || r->filter->Key == NULL)
        return NULL;
    const struct s3_FilterRuleList *l = &r->filter->Key->FilterRules;
    for (size_t i = 0; i < l->n; i++) {
        bool prefix = str_is_i(l->v[i].Name, "prefix");
        const char *name = prefix ? "prefix" : "suffix";
        if (!prefix && !str_is_i(l->v[i].Name, "suffix"))
            return bad_argument("filter rule name must be either prefix or suffix");
        if (jv_get(rule, name) != NULL)
            return bad_argument("Cannot specify more than one prefix rule or suffix rule in a "
                                "filter.");
        if (l->v[i].Value.n > S3_KEY_MAX)
            return bad_argument("Size of filter rule value cannot exceed 1024 bytes in UTF-8 "
                                "representation");
        set(a, rule, name, l->v[i].Value.p != NULL ? l->v[i].Value : STR(""));
    }
    return NULL;
}

static struct err *make_rule(struct call *c, const struct rule_in *r, struct jv *out_rules)
{
    struct arena *a = c->arena;
    struct arn arn;
    char id[37];
    if (!arn_parse(r->arn, &arn) || !str_is(arn.service, r->service))
        return bad_argument("The ARN is not well formed");
    if (r->events->n == 0)
        return err_aws(400, "MalformedXML",
                       "The XML you provided was not well-formed or did not validate against our "
                       "published schema");
    struct jv *rule = jv_new_obj(a), *events = jv_new_arr(a);
    for (size_t i = 0; i < r->events->n; i++) {
        if (!event_built(r->events->v[i]))
            return err_not_implemented(c, "This type of event");
        jv_push(a, events, jv_new_str(a, r->events->v[i]));
    }
    rand_uuid(id);
    set(a, rule, "to", str_c(r->to));
    set(a, rule, "arn", r->arn);
    set(a, rule, "id", r->id.n > 0 ? r->id : arena_str(a, str_c(id)));
    TRY(rule_filter(a, r, rule));
    jv_set(a, rule, STR("events"), events);
    jv_push(a, out_rules, rule);
    return jv_len(out_rules) <= S3_RULES_MAX
               ? NULL
               : bad_argument("A bucket can have at most 100 notification configurations.");
}

static bool texts_overlap(struct str x, struct str y, bool ends)
{
    return ends ? str_ends(x, y) || str_ends(y, x) : str_starts(x, y) || str_starts(y, x);
}

static bool rules_overlap(const struct jv *x, const struct jv *y)
{
    if (!texts_overlap(jv_s(jv_get(x, "prefix")), jv_s(jv_get(y, "prefix")), false) ||
        !texts_overlap(jv_s(jv_get(x, "suffix")), jv_s(jv_get(y, "suffix")), true))
        return false;
    const struct jv *ex = jv_get(x, "events"), *ey = jv_get(y, "events");
    for (size_t i = 0; i < jv_len(ex); i++)
        for (size_t k = 0; k < jv_len(ey); k++) {
            struct str p = jv_s(jv_at(ex, i)), q = jv_s(jv_at(ey, k));
            if (event_matches(p, str_skip(q, 3)) || event_matches(q, str_skip(p, 3)))
                return true;
        }
    return false;
}

static struct err *check_overlaps(const struct jv *rules)
{
    for (size_t i = 0; i < jv_len(rules); i++)
        for (size_t k = 0; k < i; k++) {
            if (str_eq(jv_s(jv_get(jv_at(rules, i), "id")), jv_s(jv_get(jv_at(rules, k), "id"))))
                return bad_argument("Same ID used for multiple configurations. IDs must be unique");
            if (rules_overlap(jv_at(rules, i), jv_at(rules, k)))
                return bad_argument("Configuration is ambiguously defined. Cannot have overlapping "
                                    "suffixes in two rules if the prefixes are overlapping for the "
                                    "same event type.");
        }
    return NULL;
}

static struct err *rules_of(struct call *c, const struct s3_NotificationConfiguration *in,
                            struct jv *rules)
{
    for (size_t i = 0; i < in->TopicConfigurations.n; i++) {
        const struct s3_TopicConfiguration *t = &in->TopicConfigurations.v[i];
        struct rule_in r = {"sns", "sns", t->Id, t->TopicArn, &t->Events, t->Filter};
        TRY(make_rule(c, &r, rules));
    }
    for (size_t i = 0; i < in->QueueConfigurations.n; i++) {
        const struct s3_QueueConfiguration *q = &in->QueueConfigurations.v[i];
        struct rule_in r = {"sqs", "sqs", q->Id, q->QueueArn, &q->Events, q->Filter};
        TRY(make_rule(c, &r, rules));
    }
    for (size_t i = 0; i < in->LambdaFunctionConfigurations.n; i++) {
        const struct s3_LambdaFunctionConfiguration *f = &in->LambdaFunctionConfigurations.v[i];
        struct rule_in r = {"lambda", "lambda", f->Id, f->LambdaFunctionArn, &f->Events, f->Filter};
        TRY(make_rule(c, &r, rules));
    }
    return check_overlaps(rules);
}

static struct str test_event(struct call *c, const struct s3_bucket *b)
{
    char when[TIME_TEXT_MAX];
    struct buf out CLEANUP(buf_clear) = BUF_INIT(EVENT_MAX);
    struct jw w = jw_to(&out);
    time_iso8601_ms(c->now_ms, when);
    jw_obj(&w);
    jw_kc(&w, "Service", "Amazon S3");
    jw_kc(&w, "Event", "s3:TestEvent");
    jw_kc(&w, "Time", when);
    jw_ks(&w, "Bucket", b->name);
    jw_kc(&w, "RequestId", c->request_id);
    jw_ks(&w, "HostId", enc_base64(c->arena, STR("ward")));
    jw_end(&w);
    return arena_str(c->arena, buf_view(&out));
}

/* Once for the call, however often its transaction runs. */
static struct err *try_destinations(struct call *c, const struct s3_bucket *b,
                                    const struct jv *rules)
{
    static char tried;
    if (c->state == &tried)
        return NULL;
    struct str message = test_event(c, b);
    for (size_t i = 0; i < jv_len(rules); i++) {
        const struct jv *rule = jv_at(rules, i);
        struct api_call o = {.from = c,
                             .ward = c->ward,
                             .as = AS_SERVICE,
                             .service = S3_SERVICE,
                             .account = b->account,
                             .source_arn = b->arn,
                             .arena = c->arena};
        struct err *e =
            send(&o, c->arena, jv_s(jv_get(rule, "to")), jv_s(jv_get(rule, "arn")), message, true);
        if (e == NULL)
            continue;
        struct err *told = err_aws(400, "InvalidArgument",
                                   "Unable to validate the following destination configurations");
        told = err_detail(told, "%s", e->message);
        err_free(e);
        return told;
    }
    c->state = &tried;
    return NULL;
}

S3_HANDLER_NO_OUT(PutBucketNotificationConfiguration, PutBucketNotificationConfigurationRequest)
{
    struct s3_bucket b;
    struct jv *rules = jv_new_arr(c->arena);
    const struct s3_NotificationConfiguration *k = in->NotificationConfiguration;
    TRY(s3_body_verify(c, c->wire == NULL ? STR_NONE : wire_req_header(c->wire, "Content-MD5"),
                       false));
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    if (k == NULL)
        return err_aws(400, "MalformedXML",
                       "The XML you provided was not well-formed or did not validate against our "
                       "published schema");
    if (k->EventBridgeConfiguration != NULL)
        return err_not_implemented(c, "EventBridgeConfiguration");
    TRY(rules_of(c, k, rules));
    if (!in->SkipDestinationValidation.v)
        TRY(try_destinations(c, &b, rules));
    return s3_bucket_set(c, &b, "notify", jv_len(rules) == 0 ? NULL : rules);
}

static struct s3_NotificationConfigurationFilter *told_filter(struct arena *a,
                                                              const struct jv *rule)
{
    static const char *const names[] = {"prefix", "suffix"};
    struct s3_NotificationConfigurationFilter *f = NULL;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct str v = jv_s(jv_get(rule, names[i]));
        if (v.p == NULL)
            continue;
        if (f == NULL) {
            f = ARENA_NEW(a, struct s3_NotificationConfigurationFilter);
            f->Key = ARENA_NEW(a, struct s3_S3KeyFilter);
            f->Key->FilterRules.v = ARENA_ARRAY(a, 2, struct s3_FilterRule);
            f->Key->FilterRules.set = true;
        }
        f->Key->FilterRules.v[f->Key->FilterRules.n++] = (struct s3_FilterRule){str_c(names[i]), v};
    }
    return f;
}

static struct s3_EventList told_events(struct arena *a, const struct jv *rule)
{
    const struct jv *events = jv_get(rule, "events");
    struct s3_EventList l = {.set = true};
    l.v = ARENA_ARRAY(a, jv_len(events) + 1, struct str);
    for (size_t i = 0; i < jv_len(events); i++)
        l.v[l.n++] = jv_s(jv_at(events, i));
    return l;
}

S3_HANDLER(GetBucketNotificationConfiguration, GetBucketNotificationConfigurationRequest,
           NotificationConfiguration)
{
    struct s3_bucket b;
    struct arena *a = c->arena;
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    const struct jv *rules = jv_get(b.row, "notify");
    size_t n = jv_len(rules);
    out->TopicConfigurations.v = ARENA_ARRAY(a, n + 1, struct s3_TopicConfiguration);
    out->QueueConfigurations.v = ARENA_ARRAY(a, n + 1, struct s3_QueueConfiguration);
    out->LambdaFunctionConfigurations.v =
        ARENA_ARRAY(a, n + 1, struct s3_LambdaFunctionConfiguration);
    for (size_t i = 0; i < n; i++) {
        const struct jv *r = jv_at(rules, i);
        struct str id = jv_s(jv_get(r, "id")), arn = jv_s(jv_get(r, "arn"));
        struct s3_EventList events = told_events(a, r);
        struct s3_NotificationConfigurationFilter *filter = told_filter(a, r);
        if (str_is(jv_s(jv_get(r, "to")), "sns"))
            out->TopicConfigurations.v[out->TopicConfigurations.n++] =
                (struct s3_TopicConfiguration){id, arn, events, filter};
        else if (str_is(jv_s(jv_get(r, "to")), "sqs"))
            out->QueueConfigurations.v[out->QueueConfigurations.n++] =
                (struct s3_QueueConfiguration){id, arn, events, filter};
        else
            out->LambdaFunctionConfigurations.v[out->LambdaFunctionConfigurations.n++] =
                (struct s3_LambdaFunctionConfiguration){id, arn, events, filter};
    }
    out->TopicConfigurations.set = out->TopicConfigurations.n > 0;
    out->QueueConfigurations.set = out->QueueConfigurations.n > 0;
    out->LambdaFunctionConfigurations.set = out->LambdaFunctionConfigurations.n > 0;
    return NULL;
}
