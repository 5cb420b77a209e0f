/* Subscriptions: their rows and lists. */
#include "room.h"

#include "crypto/crypto.h"

static const char *const states[] = {
    [SUB_PENDING] = "pending", [SUB_CONFIRMED] = "confirmed", [SUB_DELETED] = "deleted"};

struct skey sub_key(struct str uid, struct str id)
{
    struct skey k = skey();
    key_str(&k, uid);
    key_str(&k, id);
    return k;
}

struct skey sub_at_key(const struct topic *t, struct str protocol, struct str endpoint)
{
    unsigned char digest[SHA256_SIZE];
    sha256(endpoint, digest);
    struct skey k = skey();
    key_str(&k, t->uid);
    key_str(&k, protocol);
    key_str(&k, str_of(digest, sizeof digest));
    return k;
}

static struct skey of_key(struct str owner, struct str region, struct str id)
{
    struct skey k = skey();
    key_str(&k, owner);
    key_str(&k, region);
    key_str(&k, id);
    return k;
}

bool sub_from_row(struct arena *a, const struct topic *t, struct str id, struct jv *row,
                  struct sub *out)
{
    *out = (struct sub){.id = arena_str(a, id),
                        .owner = jv_s(jv_get(row, "owner")),
                        .protocol = jv_s(jv_get(row, "protocol")),
                        .endpoint = jv_s(jv_get(row, "endpoint")),
                        .row = row,
                        .attrs = (struct jv *)jv_get(row, "attributes")};
    out->arn = arena_fmt(a, "%.*s:%.*s", STR_ARG(t->arn), STR_ARG(id));
    struct str state = jv_s(jv_get(row, "state"));
    for (size_t i = SUB_PENDING; i < ARRAY_LEN(states); i++)
        if (str_is(state, states[i]))
            out->state = (enum sub_state)i;
    return out->state != 0;
}

void sub_set_state(struct arena *a, struct sub *s, enum sub_state state)
{
    s->state = state;
    sns_set(a, s->row, "state", str_c(states[state]));
    s->attrs = (struct jv *)jv_get(s->row, "attributes"); /* the row may have grown */
}

struct err *sub_read(struct txn *t, struct arena *a, const struct topic *topic, struct str id,
                     bool watch, struct sub *out, bool *out_found)
{
    struct skey k = sub_key(topic->uid, id);
    struct str text;
    struct jv *row;
    TRY(watch ? txn_get(t, SNS_T_SUB, key_of(&k), a, &text)
              : txn_peek(t, SNS_T_SUB, key_of(&k), a, &text));
    *out_found = text.p != NULL;
    if (!*out_found)
        return NULL;
    TRY(json_parse(a, text, JSON_DEPTH_DEFAULT, &row));
    return sub_from_row(a, topic, id, row, out)
               ? NULL
               : err_new(ERR_CORRUPT, "A subscription's row cannot be read.");
}

struct err *sub_need(struct call *c, struct str arn, struct topic *out_topic, struct sub *out)
{
    struct arn at;
    struct str id;
    bool found = false;
    if (!sub_arn_parts(arn, &at, &id))
        return sns_invalid("SubscriptionArn");
    if (c->id.who.kind != PRINCIPAL_ANONYMOUS && !str_eq(at.region, c->region))
        return sns_invalid("SubscriptionArn Reason: the topic is of another Region");
    TRY(topic_read(c->txn, c->arena, &at, out_topic, &found));
    if (found)
        TRY(sub_read(c->txn, c->arena, out_topic, id, true, out, &found));
    return found ? NULL : err_aws(404, "NotFound", "Subscription does not exist");
}

static struct err *put_json(struct txn *t, struct arena *a, const char *table, struct str owner,
                            struct str key, const struct jv *v)
{
    return txn_put(t, table, owner, key, jv_text(a, v));
}

struct err *sub_write(struct txn *t, struct arena *a, const struct topic *topic,
                      const struct sub *s)
{
    struct str owner = topic_owner(a, topic);
    struct skey k = sub_key(topic->uid, s->id), of = of_key(s->owner, topic->region, s->id);
    struct skey at = sub_at_key(topic, s->protocol, s->endpoint);
    struct jv *where = jv_new_obj(a);
    sns_set(a, where, "account", topic->account);
    sns_set(a, where, "name", topic->name);
    TRY(put_json(t, a, SNS_T_SUB, owner, key_of(&k), s->row));
    TRY(put_json(t, a, SNS_T_SUB_OF, s->owner, key_of(&of), where));
    return txn_put(t, SNS_T_SUB_AT, owner, key_of(&at), s->id);
}

struct err *sub_delete(struct txn *t, const struct topic *topic, const struct sub *s)
{
    struct skey k = sub_key(topic->uid, s->id), of = of_key(s->owner, topic->region, s->id);
    struct skey at = sub_at_key(topic, s->protocol, s->endpoint);
    TRY(txn_del(t, SNS_T_SUB, key_of(&k)));
    TRY(txn_del(t, SNS_T_SUB_OF, key_of(&of)));
    return txn_del(t, SNS_T_SUB_AT, key_of(&at));
}

/* One row under the cursor; false in *out_ok: not one of ours. */
static struct err *row_under(struct arena *a, const struct topic *topic, struct str key,
                             struct str value, struct sub *out, bool *out_ok)
{
    struct str uid, id;
    struct jv *row;
    *out_ok = key_take_str(a, &key, &uid) && key_take_str(a, &key, &id);
    if (!*out_ok)
        return NULL;
    TRY(json_parse(a, value, JSON_DEPTH_DEFAULT, &row));
    *out_ok = sub_from_row(a, topic, id, row, out);
    return NULL;
}

struct err *subs_each(struct txn *t, struct arena *a, const struct topic *topic,
                      struct err *(*fn)(void *ctx, struct sub *s), void *ctx)
{
    struct skey prefix = skey();
    key_str(&prefix, topic->uid);
    struct scan sc = {.prefix = key_of(&prefix)};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(t, SNS_T_SUB, &sc, &cur));
    for (;;) {
        bool more, ok;
        struct str key, value;
        struct sub s;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        TRY(row_under(a, topic, key, value, &s, &ok));
        if (ok)
            TRY(fn(ctx, &s));
    }
}

/* https://user:password@host: shown with the password masked, as AWS does. */
struct str sub_endpoint_shown(struct arena *a, const struct sub *s)
{
    ptrdiff_t scheme = str_find(s->endpoint, STR("://"));
    if (scheme < 0 || !str_starts_c(s->protocol, "http"))
        return s->endpoint;
    struct str rest = str_skip(s->endpoint, (size_t)scheme + 3);
    ptrdiff_t slash = str_find_char(rest, '/');
    struct str authority = slash < 0 ? rest : str_take(rest, (size_t)slash);
    ptrdiff_t at = str_rfind_char(authority, '@'), colon = str_find_char(authority, ':');
    if (at < 0 || colon < 0 || colon > at)
        return s->endpoint;
    return arena_fmt(a, "%.*s%.*s:****%.*s", (int)(scheme + 3), s->endpoint.p, (int)colon, rest.p,
                     STR_ARG(str_skip(rest, (size_t)at)));
}

/* -- lists ------------------------------------------------------------------------------------- */

static void list_one(struct arena *a, struct sns_SubscriptionsList *l, const struct topic *t,
                     const struct sub *s)
{
    struct sns_Subscription *x = &l->v[l->n++];
    x->SubscriptionArn = s->state == SUB_CONFIRMED ? s->arn
                         : s->state == SUB_PENDING ? STR("PendingConfirmation")
                                                   : STR("Deleted");
    x->Owner = s->owner;
    x->Protocol = s->protocol;
    x->Endpoint = sub_endpoint_shown(a, s);
    x->TopicArn = t->arn;
}

static void list_begin(struct arena *a, struct sns_SubscriptionsList *l)
{
    l->v = ARENA_ARRAY(a, SNS_PAGE, struct sns_Subscription);
    l->set = true;
}

OP_HANDLER(sns, ListSubscriptionsByTopic, ListSubscriptionsByTopicInput,
           ListSubscriptionsByTopicResponse)
{
    struct topic t;
    struct str position, last = STR_NONE;
    TRY(page_position(c, in->NextToken, "InvalidParameter", &position));
    TRY(topic_need(c, in->TopicArn, false, &t));
    struct skey prefix = skey();
    key_str(&prefix, t.uid);
    struct scan sc = {.prefix = key_of(&prefix), .from = position, .after = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, SNS_T_SUB, &sc, &cur));
    list_begin(c->arena, &out->Subscriptions);
    for (;;) {
        bool more, ok;
        struct str key, value;
        struct sub s;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        if (out->Subscriptions.n == SNS_PAGE) {
            out->NextToken = page_token(c, last);
            return NULL;
        }
        last = arena_str(c->arena, key);
        TRY(row_under(c->arena, &t, key, value, &s, &ok));
        if (ok)
            list_one(c->arena, &out->Subscriptions, &t, &s);
    }
}

/* The row behind an entry of sns.sub_of; an entry of a deleted topic shows nothing. */
static struct err *list_of(struct call *c, struct str id, struct str value,
                           struct sns_SubscriptionsList *out)
{
    struct jv *where;
    struct topic t;
    struct sub s;
    bool found;
    TRY(json_parse(c->arena, value, 8, &where));
    struct arn at = {STR(IDENTITY_PARTITION), STR("sns"), c->region,
                     jv_s(jv_get(where, "account")), jv_s(jv_get(where, "name"))};
    TRY(topic_read(c->txn, c->arena, &at, &t, &found));
    if (!found)
        return NULL;
    TRY(sub_read(c->txn, c->arena, &t, id, false, &s, &found));
    if (found)
        list_one(c->arena, out, &t, &s);
    return NULL;
}

OP_HANDLER(sns, ListSubscriptions, ListSubscriptionsInput, ListSubscriptionsResponse)
{
    struct str position, last = STR_NONE;
    TRY(page_position(c, in->NextToken, "InvalidParameter", &position));
    struct skey prefix = skey();
    key_str(&prefix, c->account);
    key_str(&prefix, c->region);
    struct scan sc = {.prefix = key_of(&prefix), .from = position, .after = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, SNS_T_SUB_OF, &sc, &cur));
    list_begin(c->arena, &out->Subscriptions);
    for (;;) {
        bool more;
        struct str key, value, owner, region, id;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        if (out->Subscriptions.n == SNS_PAGE) {
            out->NextToken = page_token(c, last);
            return NULL;
        }
        last = arena_str(c->arena, key);
        struct str rest = last;
        if (key_take_str(c->arena, &rest, &owner) && key_take_str(c->arena, &rest, &region) &&
            key_take_str(c->arena, &rest, &id))
            TRY(list_of(c, id, value, &out->Subscriptions));
    }
}
