/* What is sent: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html */
#include "room.h"

enum { ENVELOPE_MAX = 4 * 1024 * 1024 };

static bool is_notification(const struct envelope *v)
{
    return strcmp(v->type, "Notification") == 0;
}

static void pair(struct buf *b, const char *name, struct str value)
{
    buf_c(b, name);
    buf_char(b, '\n');
    buf_str(b, value);
    buf_char(b, '\n');
}

/* Names and values in the order of their names, each with a line feed behind it. */
static struct err *signature_of(const struct envelope *v, struct str *out)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(ENVELOPE_MAX);
    pair(&b, "Message", v->message);
    pair(&b, "MessageId", v->message_id);
    if (is_notification(v) && v->subject.n > 0)
        pair(&b, "Subject", v->subject);
    if (!is_notification(v))
        pair(&b, "SubscribeURL", v->subscribe_url);
    pair(&b, "Timestamp", v->timestamp);
    if (!is_notification(v))
        pair(&b, "Token", v->token);
    pair(&b, "TopicArn", v->topic_arn);
    pair(&b, "Type", str_c(v->type));
    TRY(buf_check(&b));
    return sign_text(v->arena, v->version2, buf_view(&b), out);
}

static void write_attributes(struct jw *w, const struct jv *attributes)
{
    jw_obj(w);
    for (size_t i = 0; i < jv_len(attributes); i++) {
        const struct jv *x = &attributes->obj.v[i].value;
        struct str text = jv_s(jv_get(x, "s"));
        jw_key_str(w, attributes->obj.v[i].key);
        jw_obj(w);
        jw_ks(w, "Type", jv_s(jv_get(x, "t")));
        jw_ks(w, "Value", text.p != NULL ? text : jv_s(jv_get(x, "b")));
        jw_end(w);
    }
    jw_end(w);
}

/* Lambda spells two of the names in its own way, and has all of them always. */
static struct err *write_document(const struct envelope *v, struct jw *w, bool lambda)
{
    struct str signature;
    TRY(signature_of(v, &signature));
    jw_obj(w);
    jw_kc(w, "Type", v->type);
    jw_ks(w, "MessageId", v->message_id);
    if (!is_notification(v))
        jw_ks(w, "Token", v->token);
    jw_ks(w, "TopicArn", v->topic_arn);
    if (lambda || v->subject.n > 0)
        jw_ks(w, "Subject", v->subject.n > 0 ? v->subject : STR_NONE);
    jw_ks(w, "Message", v->message);
    if (!is_notification(v))
        jw_ks(w, "SubscribeURL", v->subscribe_url);
    jw_ks(w, "Timestamp", v->timestamp);
    jw_kc(w, "SignatureVersion", v->version2 ? "2" : "1");
    jw_ks(w, "Signature", signature);
    jw_ks(w, lambda ? "SigningCertUrl" : "SigningCertURL", sign_cert_url(v->ward, v->arena));
    if (is_notification(v))
        jw_ks(w, lambda ? "UnsubscribeUrl" : "UnsubscribeURL", v->unsubscribe_url);
    if (lambda || jv_len(v->attributes) > 0) {
        jw_key(w, "MessageAttributes");
        write_attributes(w, v->attributes);
    }
    jw_end(w);
    return NULL;
}

struct err *envelope_json(const struct envelope *v, struct str *out)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(ENVELOPE_MAX);
    struct jw w = jw_to(&b);
    TRY(write_document(v, &w, false));
    TRY(buf_check(&b));
    *out = arena_str(v->arena, buf_view(&b));
    return NULL;
}

struct err *envelope_lambda(const struct envelope *v, struct str *out)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(ENVELOPE_MAX);
    struct jw w = jw_to(&b);
    jw_obj(&w);
    jw_key(&w, "Records");
    jw_arr(&w);
    jw_obj(&w);
    jw_kc(&w, "EventSource", "aws:sns");
    jw_kc(&w, "EventVersion", "1.0");
    jw_ks(&w, "EventSubscriptionArn", v->subscription_arn);
    jw_key(&w, "Sns");
    TRY(write_document(v, &w, true));
    jw_end(&w);
    jw_end(&w);
    jw_end(&w);
    TRY(buf_check(&b));
    *out = arena_str(v->arena, buf_view(&b));
    return NULL;
}

struct str envelope_mail(const struct envelope *v)
{
    struct arena *a = v->arena;
    struct str name = v->display_name.n > 0 ? v->display_name : v->topic_arn;
    if (is_notification(v))
        return arena_fmt(a,
                         "%.*s\n\n--\nYou receive this because your address is subscribed to "
                         "%.*s.\nTo end the subscription, open this link:\n%.*s\n",
                         STR_ARG(v->message), STR_ARG(name), STR_ARG(v->unsubscribe_url));
    if (strcmp(v->type, "UnsubscribeConfirmation") == 0)
        return arena_fmt(a,
                         "The subscription of your address to\n%.*s\nhas ended.\n\nIf this was a "
                         "mistake, take it up again with this link:\n%.*s\n",
                         STR_ARG(v->topic_arn), STR_ARG(v->subscribe_url));
    return arena_fmt(a,
                     "Somebody asked to subscribe your address to\n%.*s\n\nTo confirm, open this "
                     "link:\n%.*s\n\nIf you do not want this, ignore this mail: without your "
                     "confirmation nothing is sent.\n",
                     STR_ARG(v->topic_arn), STR_ARG(v->subscribe_url));
}

/* -- links ------------------------------------------------------------------------------------- */

/* Version is what the line tells the service of an unsigned request by. */
struct str link_confirm(struct ward *w, struct arena *a, struct str topic_arn, struct str token)
{
    return arena_fmt(a, "%s/?Action=ConfirmSubscription&Version=" SNS_API_VERSION
                        "&TopicArn=%.*s&Token=%.*s",
                     w->endpoint, STR_ARG(topic_arn), STR_ARG(token));
}

struct str link_unsubscribe(struct ward *w, struct arena *a, struct str subscription_arn)
{
    return arena_fmt(a, "%s/?Action=Unsubscribe&Version=" SNS_API_VERSION "&SubscriptionArn=%.*s",
                     w->endpoint, STR_ARG(subscription_arn));
}
