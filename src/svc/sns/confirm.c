/* Confirmation tokens; ConfirmSubscription and Unsubscribe, which also come unsigned by a link.
 *
 * A token is kept as its hash, is good for SNS_TOKEN_DAYS, and stays good after its use (the link
 * may be opened twice). A subscription that nobody confirms goes with its token. One that is ended
 * by its unsigned link is "deleted": its endpoint is told so with a new token, by which it can take
 * it up again until that token lapses. */
#include "room.h"

#include "core/log.h"
#include "crypto/crypto.h"

enum { TOKEN_BYTES = 32, LAPSE_RETRY_MS = 5000 };

static struct str token_hash(struct arena *a, struct str token)
{
    return sha256_hex(a, token);
}

struct err *confirmation_ask(struct call *c, const struct topic *t, struct sub *s, const char *type)
{
    struct arena *a = c->arena;
    unsigned char bytes[TOKEN_BYTES];
    rand_bytes(bytes, sizeof bytes);
    struct str token = enc_hex(a, str_of(bytes, sizeof bytes)), hash = token_hash(a, token);
    int64_t expires_ms = c->now_ms + SNS_TOKEN_DAYS * 86400000LL;
    struct jv *what = jv_new_obj(a);
    sns_set(a, what, "account", t->account);
    sns_set(a, what, "region", t->region);
    sns_set(a, what, "name", t->name);
    sns_set(a, what, "sub", s->id);
    jv_set(a, what, STR("expires_ms"), jv_new_int(a, expires_ms));
    TRY(row_put(c, SNS_T_TOKEN, topic_owner(a, t), hash, what));
    sns_set(a, s->row, "token", hash);
    s->attrs = (struct jv *)jv_get(s->row, "attributes");
    TRY(sub_write(c->txn, a, t, s));
    sns_set(a, what, "uid", t->uid);
    sns_set(a, what, "token", token);
    sns_set(a, what, "type", str_c(type));
    TRY(job_put(c->txn, topic_owner(a, t), "sns.confirm", hash, c->now_ms, jv_text(a, what)));
    return job_put(c->txn, topic_owner(a, t), "sns.lapse", hash, expires_ms, hash);
}

/* -- ConfirmSubscription ----------------------------------------------------------------------- */

/* The subscription that the token is for; "Invalid token" whatever is wrong with it. */
static struct err *open_token(struct call *c, struct str token, const struct topic *t,
                              struct sub *out)
{
    struct jv *row = NULL;
    bool found = false;
    TRY(row_get(c, SNS_T_TOKEN, token_hash(c->arena, token), &row));
    if (row != NULL && jv_i(jv_get(row, "expires_ms"), 0) > c->now_ms &&
        str_eq(jv_s(jv_get(row, "account")), t->account) &&
        str_eq(jv_s(jv_get(row, "region")), t->region) &&
        str_eq(jv_s(jv_get(row, "name")), t->name))
        TRY(sub_read(c->txn, c->arena, t, jv_s(jv_get(row, "sub")), true, out, &found));
    return found ? NULL : sns_invalid("Token");
}

static bool anonymous(const struct call *c)
{
    return c->id.who.kind == PRINCIPAL_ANONYMOUS;
}

static struct err *needs_signature(void)
{
    return err_aws(403, "AuthorizationError", "This request must be signed.");
}

OP_HANDLER(sns, ConfirmSubscription, ConfirmSubscriptionInput, ConfirmSubscriptionResponse)
{
    struct topic t;
    struct sub s;
    struct arena *a = c->arena;
    bool guarded = str_is_i(in->AuthenticateOnUnsubscribe, "true");
    if (guarded && anonymous(c))
        return needs_signature();
    struct err *e = topic_need(c, in->TopicArn, true, &t);
    if (anonymous(c) && err_has_code(e, "NotFound")) { /* a stranger learns no topic's name */
        err_free(e);
        return sns_invalid("Token");
    }
    TRY(e);
    TRY(open_token(c, in->Token, &t, &s));
    /* Only now: a stranger's tries must not fill the records of the topic's account. */
    call_record_resource(c, t.arn, t.account, "AWS::SNS::Topic");
    out->SubscriptionArn = s.arn;
    if (s.state == SUB_CONFIRMED)
        return NULL;
    jv_set(a, s.row, STR("authenticated"), jv_new_bool(a, !anonymous(c)));
    jv_set(a, s.row, STR("guarded"), jv_new_bool(a, guarded));
    sub_set_state(a, &s, SUB_CONFIRMED);
    return sub_write(c->txn, a, &t, &s);
}

/* -- Unsubscribe ------------------------------------------------------------------------------- */

/* By the link of a notification: whoever has it got the notification. A subscription that an
 * authorised caller made for a queue, a function or a device is not ended by it: no link is needed
 * to protect them from mail they do not want. */
static struct err *unsubscribe_by_link(struct call *c, const struct topic *t, struct sub *s)
{
    call_record_resource(c, t->arn, t->account, "AWS::SNS::Topic");
    bool own = str_starts_c(s->protocol, "http") || str_starts_c(s->protocol, "email");
    if (!own || jv_b(jv_get(s->row, "guarded"), false))
        return needs_signature();
    if (s->state != SUB_CONFIRMED)
        return NULL;
    sub_set_state(c->arena, s, SUB_DELETED);
    return confirmation_ask(c, t, s, "UnsubscribeConfirmation");
}

OP_HANDLER_NO_OUT(sns, Unsubscribe, UnsubscribeInput)
{
    struct topic t;
    struct sub s;
    struct err *e = sub_need(c, in->SubscriptionArn, &t, &s);
    if (err_has_code(e, "NotFound")) { /* ended already */
        err_free(e);
        return NULL;
    }
    TRY(e);
    return anonymous(c) ? unsubscribe_by_link(c, &t, &s) : sub_delete(c->txn, &t, &s);
}

/* -- jobs -------------------------------------------------------------------------------------- */

static struct err *lapse(struct job *j)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    struct str text;
    TRY(store_begin(j->ward->store, TXN_WRITE, &t));
    TRY(txn_get(t, SNS_T_TOKEN, j->payload, j->arena, &text));
    if (text.p != NULL) {
        struct jv *row;
        struct topic topic;
        struct sub s;
        bool found;
        TRY(json_parse(j->arena, text, 8, &row));
        struct arn at = {STR(IDENTITY_PARTITION), STR("sns"), jv_s(jv_get(row, "region")),
                         jv_s(jv_get(row, "account")), jv_s(jv_get(row, "name"))};
        TRY(topic_read(t, j->arena, &at, &topic, &found));
        if (found)
            TRY(sub_read(t, j->arena, &topic, jv_s(jv_get(row, "sub")), true, &s, &found));
        if (found && s.state != SUB_CONFIRMED &&
            str_eq(jv_s(jv_get(s.row, "token")), j->payload))
            TRY(sub_delete(t, &topic, &s));
        TRY(txn_del(t, SNS_T_TOKEN, j->payload));
    }
    TRY(job_done_in(j, t));
    return txn_commit(&t);
}

enum job_next sns_lapse_run(struct job *j, int64_t *again_ms)
{
    struct err *e = lapse(j);
    if (e == NULL)
        return JOB_DONE;
    j->done = false;
    *again_ms = clock_now_ms() + LAPSE_RETRY_MS;
    if (err_is(e, ERR_CONFLICT))
        err_free(e);
    else
        log_err(LOG_WARN, "a confirmation token could not be ended; will try again", e);
    return JOB_AGAIN;
}
