/* One attempt to hand a message over: to a queue, a function, an HTTP endpoint, a mail server, or
 * the provider's webhook. What comes back says whether another attempt is of use. */
#include "room.h"

#include "http/client.h"

enum { WEBHOOK_MAX = 2 * 1024 * 1024 };

#define AGENT "Amazon Simple Notification Service Agent"

bool sns_has_op(const struct ward *w, const char *room, const char *op)
{
    for (size_t i = 0; i < w->n_rooms; i++)
        for (size_t k = 0; strcmp(w->rooms[i]->name, room) == 0 && k < w->rooms[i]->n_ops; k++)
            if (strcmp(w->rooms[i]->ops[k].name, op) == 0)
                return true;
    return false;
}

static enum outcome refused(struct err **out_why, struct err *e)
{
    *out_why = e;
    return OUT_REFUSED;
}

/* A refusal by the other service stays one (its policy, a missing queue); its faults pass. */
static enum outcome judge(struct err *e, struct err **out_why)
{
    if (e == NULL)
        return OUT_SENT;
    *out_why = e;
    return err_http_status(e) < 500 && !err_is(e, ERR_CONFLICT) ? OUT_REFUSED : OUT_RETRY;
}

static struct api_call as_sns(const struct delivery *d, struct str region)
{
    return (struct api_call){.ward = d->env.ward,
                             .as = AS_SERVICE,
                             .service = SNS_SERVICE,
                             .account = d->topic->account,
                             .region = region,
                             .source_arn = d->topic->arn,
                             .arena = d->env.arena};
}

/* -- queues and functions ---------------------------------------------------------------------- */

static struct jv *queue_attributes(struct arena *a, const struct jv *from)
{
    struct jv *o = jv_new_obj(a);
    for (size_t i = 0; i < jv_len(from); i++) {
        const struct jv *x = &from->obj.v[i].value;
        struct jv *v = jv_new_obj(a);
        sns_set(a, v, "DataType", jv_s(jv_get(x, "t")));
        if (jv_get(x, "s") != NULL)
            sns_set(a, v, "StringValue", jv_s(jv_get(x, "s")));
        else
            sns_set(a, v, "BinaryValue", jv_s(jv_get(x, "b")));
        jv_set(a, o, from->obj.v[i].key, v);
    }
    return o;
}

static enum outcome to_queue(struct delivery *d, struct str queue_arn, struct err **out_why)
{
    struct arena *a = d->env.arena;
    struct arn arn;
    struct str body = d->env.message;
    if (!arn_parse(queue_arn, &arn) || !sns_has_op(d->env.ward, "sqs", "SendMessage"))
        return refused(out_why, err_new(ERR_INVALID, "There is no such queue."));
    if (!d->raw) {
        struct err *e = envelope_json(&d->env, &body);
        if (e != NULL)
            return judge(e, out_why);
    }
    if (d->raw && jv_len(d->env.attributes) > SNS_RAW_ATTRIBUTES_MAX)
        return refused(out_why, err_new(ERR_LIMIT, "A raw message to a queue carries at most %d "
                                                   "attributes.", SNS_RAW_ATTRIBUTES_MAX));
    struct jv *in = jv_new_obj(a);
    sns_set(a, in, "QueueUrl", arena_fmt(a, "%s/%.*s/%.*s", d->env.ward->endpoint,
                                         STR_ARG(arn.account), STR_ARG(arn.resource)));
    sns_set(a, in, "MessageBody", body);
    if (d->raw && jv_len(d->env.attributes) > 0)
        jv_set(a, in, STR("MessageAttributes"), queue_attributes(a, d->env.attributes));
    struct api_call o = as_sns(d, arn.region);
    return judge(api_call_json(&o, "sqs", "SendMessage", in, false, NULL), out_why);
}

static enum outcome to_function(struct delivery *d, struct err **out_why)
{
    struct arena *a = d->env.arena;
    struct arn arn;
    struct str event;
    if (!arn_parse(d->endpoint, &arn) || !sns_has_op(d->env.ward, "lambda", "Invoke"))
        return refused(out_why, err_new(ERR_UNSUPPORTED, "This version of Ward has no functions."));
    struct err *e = envelope_lambda(&d->env, &event);
    if (e != NULL)
        return judge(e, out_why);
    struct jv *in = jv_new_obj(a);
    sns_set(a, in, "FunctionName", d->endpoint);
    sns_set(a, in, "InvocationType", STR("Event"));
    sns_set(a, in, "Payload", enc_base64(a, event));
    struct api_call o = as_sns(d, arn.region);
    return judge(api_call_json(&o, "lambda", "Invoke", in, false, NULL), out_why);
}

enum outcome transport_dead_letter(struct delivery *d, struct str queue_arn, struct err **out_why)
{
    return to_queue(d, queue_arn, out_why);
}

/* -- HTTP -------------------------------------------------------------------------------------- */

/* 2xx is a success; 4xx but for 429 says that the message itself or its sender is not wanted. */
static enum outcome judge_status(int status, struct err **out_why)
{
    if (status >= 200 && status < 300)
        return OUT_SENT;
    *out_why = err_new(ERR_IO, "The endpoint answered %d.", status);
    return status >= 400 && status < 500 && status != 429 ? OUT_REFUSED : OUT_RETRY;
}

static enum outcome exchange(struct arena *a, const struct http_out *req, int *out_status,
                             struct err **out_why)
{
    struct http_in in = {0};
    struct err *e = http_send(a, req, &in);
    *out_status = in.status;
    if (e == NULL)
        return judge_status(in.status, out_why);
    *out_why = e;
    return err_is(e, ERR_INVALID) ? OUT_REFUSED : OUT_RETRY;
}

static enum outcome to_http(struct delivery *d, struct err **out_why)
{
    const struct envelope *v = &d->env;
    struct str body = v->message;
    int status;
    if (!d->raw) {
        struct err *e = envelope_json(v, &body);
        if (e != NULL)
            return judge(e, out_why);
    }
    struct http_header h[8] = {
        {STR("Content-Type"), d->content_type},
        {STR("User-Agent"), STR(AGENT)},
        {STR("x-amz-sns-message-type"), str_c(v->type)},
        {STR("x-amz-sns-message-id"), v->message_id},
        {STR("x-amz-sns-topic-arn"), v->topic_arn},
    };
    size_t n = 5;
    /* Before it is confirmed a subscription has no ARN for its endpoint. */
    if (strcmp(v->type, "SubscriptionConfirmation") != 0)
        h[n++] = (struct http_header){STR("x-amz-sns-subscription-arn"), v->subscription_arn};
    if (d->raw)
        h[n++] = (struct http_header){STR("x-amz-sns-rawdelivery"), STR("true")};
    struct http_out req = {.method = "POST", .url = d->endpoint, .headers = h, .n_headers = n,
                           .body = body, .ca_file = v->ward->ca_file, .foreign = true};
    return exchange(v->arena, &req, &status, out_why);
}

/* -- mail -------------------------------------------------------------------------------------- */

/* The relay's user when that is an address: relays refuse other senders. */
static struct str sender(struct arena *a, struct str url)
{
    ptrdiff_t scheme = str_find(url, STR("://")), at = str_rfind_char(url, '@');
    if (scheme < 0 || at < scheme)
        return STR("no-reply@ward.localdomain");
    struct str user = str_skip(str_take(url, (size_t)at), (size_t)scheme + 3), text;
    user = str_cut(&user, ':');
    if (!dec_uri(a, user, false, &text) || str_find_char(text, '@') <= 0)
        return STR("no-reply@ward.localdomain");
    return text;
}

static enum outcome to_mail(struct delivery *d, struct err **out_why)
{
    const struct envelope *v = &d->env;
    struct str text, subject = v->subject;
    if (v->ward->smtp_url == NULL) {
        *out_why = err_new(ERR_IO, "Mail needs a server: start Ward with --smtp URL.");
        return OUT_RETRY;
    }
    if (strcmp(v->type, "SubscriptionConfirmation") == 0)
        subject = STR("AWS Notification - Subscription Confirmation");
    else if (strcmp(v->type, "UnsubscribeConfirmation") == 0)
        subject = STR("AWS Notification - Unsubscribe Confirmation");
    else if (subject.n == 0)
        subject = STR("AWS Notification Message");
    if (str_is(d->protocol, "email-json")) {
        struct err *e = envelope_json(v, &text);
        if (e != NULL)
            return judge(e, out_why);
    } else {
        text = envelope_mail(v);
    }
    struct str server = str_c(v->ward->smtp_url);
    struct mail m = {.server = server, .from = sender(v->arena, server), .to = d->endpoint,
                     .subject = subject, .text = text};
    struct err *e = mail_send(&m);
    *out_why = e;
    return e == NULL ? OUT_SENT : err_is(e, ERR_INVALID) ? OUT_REFUSED : OUT_RETRY;
}

enum outcome transport_send(struct delivery *d, struct err **out_why)
{
    *out_why = NULL;
    if (str_is(d->protocol, "sqs"))
        return to_queue(d, d->endpoint, out_why);
    if (str_is(d->protocol, "lambda"))
        return to_function(d, out_why);
    if (str_starts_c(d->protocol, "http"))
        return to_http(d, out_why);
    if (str_starts_c(d->protocol, "email"))
        return to_mail(d, out_why);
    return refused(out_why, err_new(ERR_UNSUPPORTED, "This protocol is not spoken here."));
}

/* -- the provider's webhook -------------------------------------------------------------------- */

static void write_attributes(struct jw *w, const struct jv *from)
{
    jw_key(w, "MessageAttributes");
    jw_obj(w);
    for (size_t i = 0; i < jv_len(from); i++) {
        const struct jv *x = &from->obj.v[i].value;
        struct str text = jv_s(jv_get(x, "s"));
        jw_key_str(w, from->obj.v[i].key);
        jw_obj(w);
        jw_ks(w, "Type", jv_s(jv_get(x, "t")));
        jw_ks(w, "Value", text.p != NULL ? text : jv_s(jv_get(x, "b")));
        jw_end(w);
    }
    jw_end(w);
}

static void write_push(const struct push *p, struct jw *w)
{
    jw_obj(w);
    jw_ks(w, "Type", p->kind);
    jw_ks(w, "MessageId", p->message_id);
    if (str_is(p->kind, "sms")) {
        jw_ks(w, "PhoneNumber", p->to);
    } else {
        jw_ks(w, "Platform", p->platform);
        jw_ks(w, "PlatformApplicationArn", p->application);
        jw_ks(w, "EndpointArn", p->endpoint);
        jw_ks(w, "Token", p->to);
    }
    if (p->subject.n > 0)
        jw_ks(w, "Subject", p->subject);
    jw_ks(w, "Message", p->message);
    if (jv_len(p->attributes) > 0)
        write_attributes(w, p->attributes);
    jw_end(w);
}

enum outcome transport_webhook(const struct push *p, int *out_status, struct err **out_why)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(WEBHOOK_MAX);
    struct jw w = jw_to(&b);
    *out_status = 0;
    *out_why = NULL;
    if (p->ward->webhook_url == NULL) {
        *out_why = err_new(ERR_IO, "SMS and mobile push need a provider: start Ward with "
                                   "--webhook URL.");
        return OUT_RETRY;
    }
    write_push(p, &w);
    struct err *e = buf_check(&b);
    if (e != NULL)
        return refused(out_why, e);
    struct http_header h[] = {{STR("Content-Type"), STR("application/json")},
                              {STR("User-Agent"), STR(AGENT)}};
    struct http_out req = {.method = "POST", .url = str_c(p->ward->webhook_url), .headers = h,
                           .n_headers = ARRAY_LEN(h), .body = buf_view(&b),
                           .ca_file = p->ward->ca_file};
    return exchange(p->arena, &req, out_status, out_why);
}
