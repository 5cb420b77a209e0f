/* LookupEvents: the last ninety days of management events, newest first. */
#include "room.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000)

struct lookup {
    struct call *c;
    const struct cloudtrail_LookupEventsRequest *in;
    struct cloudtrail_LookupEventsResponse *out;
    size_t limit, scanned;
    bool skipping;                 /* until behind the position of the paging token */
    int64_t after_time;
    uint64_t after_shard, after_seq;
    struct str next;               /* where this page ended */
    struct err *error;
};

static struct str user_name(const struct jv *who)
{
    struct str name = jv_s(jv_get(who, "userName"));
    if (name.p != NULL)
        return name;
    if (str_is(jv_s(jv_get(who, "type")), "Root"))
        return STR("root");
    struct str arn = jv_s(jv_get(who, "arn")); /* …:assumed-role/role/session */
    ptrdiff_t slash = str_rfind_char(arn, '/');
    return slash < 0 ? STR_NONE : str_skip(arn, (size_t)slash + 1);
}

static bool resource_matches(const struct jv *event, const char *member, struct str value)
{
    const struct jv *resources = jv_get(event, "resources");
    for (size_t i = 0; i < jv_len(resources); i++) {
        struct str have = jv_s(jv_get(jv_at(resources, i), member));
        ptrdiff_t slash = str_rfind_char(have, '/');
        if (str_eq(have, value) ||
            (slash >= 0 && str_eq(str_skip(have, (size_t)slash + 1), value)))
            return true;
    }
    return false;
}

static bool attribute_matches(const struct jv *event, struct str key, struct str value)
{
    const struct jv *who = jv_get(event, "userIdentity");
    if (str_is(key, "EventId"))
        return str_eq(jv_s(jv_get(event, "eventID")), value);
    if (str_is(key, "EventName"))
        return str_eq(jv_s(jv_get(event, "eventName")), value);
    if (str_is(key, "EventSource"))
        return str_eq(jv_s(jv_get(event, "eventSource")), value);
    if (str_is(key, "ReadOnly"))
        return str_is(value, jv_b(jv_get(event, "readOnly"), false) ? "true" : "false");
    if (str_is(key, "Username"))
        return str_eq(user_name(who), value);
    if (str_is(key, "AccessKeyId"))
        return str_eq(jv_s(jv_get(who, "accessKeyId")), value);
    if (str_is(key, "ResourceType"))
        return resource_matches(event, "type", value);
    return resource_matches(event, "ARN", value); /* ResourceName */
}

static void fill(struct lookup *l, const struct jv *event, const struct ledger_entry *e)
{
    struct arena *a = l->c->arena;
    struct cloudtrail_Event *out = &l->out->Events.v[l->out->Events.n++];
    const struct jv *resources = jv_get(event, "resources");
    out->EventId = jv_s(jv_get(event, "eventID"));
    out->EventName = jv_s(jv_get(event, "eventName"));
    out->EventSource = jv_s(jv_get(event, "eventSource"));
    out->EventTime = some_int(e->rec.time_ms);
    out->ReadOnly = jv_b(jv_get(event, "readOnly"), false) ? STR("true") : STR("false");
    out->Username = user_name(jv_get(event, "userIdentity"));
    out->AccessKeyId = jv_s(jv_get(jv_get(event, "userIdentity"), "accessKeyId"));
    out->CloudTrailEvent = e->rec.json;
    out->Resources.v = ARENA_ARRAY(a, jv_len(resources) + 1, struct cloudtrail_Resource);
    out->Resources.set = true;
    for (size_t i = 0; i < jv_len(resources); i++) {
        struct cloudtrail_Resource *r = &out->Resources.v[out->Resources.n++];
        r->ResourceType = jv_s(jv_get(jv_at(resources, i), "type"));
        r->ResourceName = jv_s(jv_get(jv_at(resources, i), "ARN"));
    }
}

static void end_page(struct lookup *l, const struct ledger_entry *e)
{
    l->next = arena_fmt(l->c->arena, "%lld %u %llu", (long long)e->rec.time_ms, e->shard,
                        (unsigned long long)e->seq);
}

/* Entries come newest first, and those of one moment by shard and seq, falling. */
static bool before_position(const struct lookup *l, const struct ledger_entry *e)
{
    if (e->rec.time_ms != l->after_time)
        return e->rec.time_ms > l->after_time;
    if (e->shard != l->after_shard)
        return e->shard > l->after_shard;
    return e->seq >= l->after_seq;
}

/* The history is the Region's; global services' events are us-east-1's, as their records say. */
static struct err *consider(struct lookup *l, const struct ledger_entry *e)
{
    struct jv *event;
    if ((e->rec.flags & LEDGER_DATA) != 0)
        return NULL;
    TRY(json_parse(l->c->arena, e->rec.json, JSON_DEPTH_DEFAULT, &event));
    if (!str_eq(jv_s(jv_get(event, "awsRegion")), l->c->region))
        return NULL;
    for (size_t i = 0; i < l->in->LookupAttributes.n; i++) {
        const struct cloudtrail_LookupAttribute *at = &l->in->LookupAttributes.v[i];
        if (!attribute_matches(event, at->AttributeKey, at->AttributeValue))
            return NULL;
    }
    fill(l, event, e);
    return NULL;
}

static bool see(void *ctx, const struct ledger_entry *e)
{
    struct lookup *l = ctx;
    if (l->skipping && before_position(l, e))
        return true;
    l->skipping = false;
    l->error = consider(l, e);
    if (l->error != NULL)
        return false;
    if (l->out->Events.n < l->limit && ++l->scanned < LOOKUP_SCAN_MAX &&
        arena_used(l->c->arena) < LOOKUP_ARENA_MAX)
        return true;
    end_page(l, e);
    return false;
}

static struct err *read_position(struct lookup *l, struct str token)
{
    struct str position;
    TRY(page_position(l->c, token, "InvalidNextTokenException", &position));
    if (position.p == NULL)
        return NULL;
    int64_t t, shard, seq;
    if (!str_to_i64(str_cut(&position, ' '), 0, INT64_MAX, &t) ||
        !str_to_i64(str_cut(&position, ' '), 0, INT64_MAX, &shard) ||
        !str_to_i64(position, 0, INT64_MAX, &seq))
        return err_aws(400, "InvalidNextTokenException", "The paging token is not valid.");
    l->skipping = true;
    l->after_time = t;
    l->after_shard = (uint64_t)shard;
    l->after_seq = (uint64_t)seq;
    return NULL;
}

OP_HANDLER(cloudtrail, LookupEvents, LookupEventsRequest, LookupEventsResponse)
{
    if (in->EventCategory.p != NULL)
        return err_not_implemented(c, "Insights events");
    if (in->LookupAttributes.n > 1)
        return err_aws(400, "InvalidLookupAttributesException",
                       "You can specify only one lookup attribute.");
    struct lookup l = {.c = c, .in = in, .out = out};
    l.limit = (size_t)(in->MaxResults.set ? in->MaxResults.v : LOOKUP_PAGE_MAX);
    int64_t from = in->StartTime.set ? in->StartTime.v : 0;
    int64_t to = in->EndTime.set ? in->EndTime.v : c->now_ms + DAY_MS;
    if (from > to)
        return err_aws(400, "InvalidTimeRangeException",
                       "The start time must not be later than the end time.");
    if (from < c->now_ms - LOOKUP_DAYS * DAY_MS)
        from = c->now_ms - LOOKUP_DAYS * DAY_MS;
    TRY(read_position(&l, in->NextToken));
    if (l.skipping && l.after_time < to)
        to = l.after_time;
    out->Events.v = ARENA_ARRAY(c->arena, l.limit, struct cloudtrail_Event);
    out->Events.set = true;
    TRY(ledger_scan(c->ward->ledger, c->txn, c->arena, c->account, from, to, see, &l));
    if (l.error != NULL)
        return l.error;
    if (l.next.p != NULL)
        out->NextToken = page_token(c, l.next);
    return NULL;
}
