#include "alert.h"

#include "aws.h"
#include "jtext.h"

void record_view_read(struct arena *a, struct str raw, struct record_view *out)
{
    struct str source = STR_NONE, name = STR_NONE, id = STR_NONE;
    struct record_view v = {0};
    const struct {
        const char *name;
        struct str *to;
    } members[] = {
        {"eventSource", &source}, {"eventName", &name}, {"eventID", &id},
        {"requestParameters", &v.parameters}, {"awsRegion", &v.region}, {"eventTime", &v.time},
        {"recipientAccountId", &v.account}, {"userIdentity", &v.identity},
        {"errorCode", &v.error_code},
    };
    struct jtext_iter it = jtext_iter(raw);
    for (struct str key, value; jtext_next(&it, &key, &value);) {
        for (size_t i = 0; i < ARRAY_LEN(members); i++) {
            if (members[i].to->p == NULL && jtext_is(key, members[i].name)) {
                *members[i].to = value;
                break;
            }
        }
    }
    v.event_source = jtext_str(a, source);
    v.event_name = jtext_str(a, name);
    v.event_id = jtext_str(a, id);
    *out = v;
}

/* At most `max` bytes, whole characters. */
static struct str cut_text(struct str s, size_t max)
{
    if (s.n <= max)
        return s;
    while (max > 0 && ((unsigned char)s.p[max] & 0xC0) == 0x80)
        max--;
    return str_take(s, max);
}

static void add_line(struct buf *out, const char *label, struct str value)
{
    struct str shown = cut_text(value, ALERT_FIELD_MAX);
    buf_fmt(out, "\n%s: ", label);
    for (size_t i = 0; i < shown.n; i++) {
        unsigned char c = (unsigned char)shown.p[i];
        buf_char(out, c < 0x20 || c == 0x7F ? ' ' : (char)c);
    }
    if (shown.n < value.n)
        buf_c(out, " (cut)");
}

static void add_known(struct buf *out, const char *label, struct str value)
{
    if (value.n > 0)
        add_line(out, label, value);
}

static void add_parameters(struct buf *out, struct str raw)
{
    CLEANUP(buf_clear) struct buf compact = BUF_INIT(raw.n + 1);
    jtext_compact(&compact, raw);
    struct str all = buf_view(&compact), shown = cut_text(all, ALERT_PARAMETERS_MAX);
    buf_c(out, "\nRequest parameters: ");
    buf_str(out, shown.n == 0 ? STR("null") : shown);
    if (shown.n < all.n)
        buf_fmt(out, " (cut; %zu bytes in all)", all.n);
}

/* Who did it: the ARN, or what there is in its place. */
static struct str principal(struct arena *a, struct str identity)
{
    static const char *const members[] = {"arn", "principalId", "invokedBy", "userName", "type"};
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        struct str s = jtext_get_str(a, identity, members[i]);
        if (s.n > 0)
            return s;
    }
    return STR_NONE;
}

void alert_message(struct arena *a, const struct record_view *rec, const struct rule *rule,
                   struct buf *out)
{
    struct str account = jtext_str(a, rec->account);
    if (account.n == 0)
        account = jtext_get_str(a, rec->identity, "accountId");
    size_t start = out->n;
    add_line(out, "Event", rec->event_name);
    add_line(out, "Source", rec->event_source);
    add_parameters(out, rec->parameters);
    add_line(out, "Region", jtext_str(a, rec->region));
    add_known(out, "Rule", rule->name);
    add_known(out, "Severity", rule->severity);
    add_known(out, "Account", account);
    add_known(out, "Principal", principal(a, rec->identity));
    add_known(out, "Time", jtext_str(a, rec->time));
    add_known(out, "Event ID", rec->event_id);
    add_known(out, "Error", jtext_str(a, rec->error_code));
    /* Every line began with its feed; the first one needs none. */
    if (out->n > start) {
        memmove(out->p + start, out->p + start + 1, out->n - start - 1);
        buf_truncate(out, out->n - 1);
    }
}

void alert_subject(const struct record_view *rec, const struct rule *rule, struct buf *out)
{
    CLEANUP(buf_clear) struct buf all = BUF_INIT(8192);
    if (rule->severity.n > 0)
        buf_fmt(&all, "%.*s: ", STR_ARG(rule->severity));
    if (rule->name.n > 0)
        buf_fmt(&all, "%.*s: ", STR_ARG(rule->name));
    buf_fmt(&all, "%.*s (%.*s)", STR_ARG(str_take(rec->event_name, SNS_SUBJECT_MAX)),
            STR_ARG(str_take(rec->event_source, SNS_SUBJECT_MAX)));
    /* SNS: it must begin with a letter, a digit or punctuation. */
    struct str s = str_take(str_trim(buf_view(&all)), SNS_SUBJECT_MAX);
    for (size_t i = 0; i < s.n; i++)
        buf_char(out, s.p[i] >= 0x20 && s.p[i] < 0x7F ? s.p[i] : '?');
}
