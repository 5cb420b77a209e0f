/* The jobs: one for each message and subscription, one for each confirmation, one for each message
 * to a single telephone or device.
 *
 * The scheduler's threads are few and everybody's. What may be slow (HTTP, mail, the webhook) runs
 * SLOW_MAX at a time, SLOW_EACH for one subscription, SICK_MAX for all those that were slow lately
 * together; what finds no slot comes back in a moment, so that endpoints that hang, however many,
 * hold up neither the queue of jobs nor other endpoints for long. */
#include "room.h"

#include "core/log.h"
#include "crypto/crypto.h"

#include <pthread.h>

enum {
    SLOW_MAX = 5,
    SLOW_EACH = 2,
    SICK_MAX = 2,
    SICK_KEPT = 64, /* names remembered, the newest */
    SICK_AFTER_MS = 2000, /* so long an attempt may take */
    SICK_MS = 60000,
    SLOT_NAME = 80,
    BUSY_MS = 100, /* and up to four times as long */
    STORE_RETRY_MS = 1000,
    COMMIT_TRIES = 40,
};

/* -- slots ------------------------------------------------------------------------------------- */

static struct {
    pthread_mutex_t lock; /* never held across I/O */
    struct {
        char name[SLOT_NAME]; /* "": free */
        bool sick;
        int64_t since_ms;
    } v[SLOW_MAX];
    struct {
        char name[SLOT_NAME];
        int64_t until_ms;
    } sick[SICK_KEPT];
    size_t next_sick;
} slots = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool is_sick(struct str name, int64_t now_ms)
{
    for (size_t i = 0; i < SICK_KEPT; i++)
        if (slots.sick[i].until_ms > now_ms && str_is(name, slots.sick[i].name))
            return true;
    return false;
}

/* The number of the slot; -1: none is free. */
static int slot_take(struct str name)
{
    int64_t now_ms = clock_mono_ms();
    int free_slot = -1, same = 0, sick = 0;
    name = str_take(name, SLOT_NAME - 1);
    pthread_mutex_lock(&slots.lock);
    bool slow = is_sick(name, now_ms);
    for (int i = 0; i < SLOW_MAX; i++) {
        if (slots.v[i].name[0] == '\0') {
            free_slot = i;
            continue;
        }
        same += str_is(name, slots.v[i].name);
        sick += slots.v[i].sick;
    }
    if (same >= SLOW_EACH || (slow && sick >= SICK_MAX))
        free_slot = -1;
    if (free_slot >= 0) {
        snprintf(slots.v[free_slot].name, SLOT_NAME, "%.*s", STR_ARG(name));
        slots.v[free_slot].sick = slow;
        slots.v[free_slot].since_ms = now_ms;
    }
    pthread_mutex_unlock(&slots.lock);
    return free_slot;
}

static void slot_give(int slot)
{
    int64_t now_ms = clock_mono_ms();
    pthread_mutex_lock(&slots.lock);
    if (now_ms - slots.v[slot].since_ms >= SICK_AFTER_MS) {
        size_t i = slots.next_sick++ % SICK_KEPT;
        memcpy(slots.sick[i].name, slots.v[slot].name, SLOT_NAME);
        slots.sick[i].until_ms = now_ms + SICK_MS;
    }
    slots.v[slot].name[0] = '\0';
    pthread_mutex_unlock(&slots.lock);
}

static enum job_next busy(int64_t *again_ms)
{
    *again_ms = clock_now_ms() + BUSY_MS + (int64_t)(rand_u64() % (3 * BUSY_MS));
    return JOB_AGAIN;
}

static bool is_slow(struct str protocol)
{
    return !str_is(protocol, "sqs") && !str_is(protocol, "lambda");
}

/* -- what all jobs share ----------------------------------------------------------------------- */

struct work {
    struct job *j;
    struct ward *ward;
    struct arena *a;
    struct jv *p; /* the payload */
    struct str owner;
    struct topic topic;
    struct sub sub;
    struct jv *message;
    int64_t retry; /* attempts so far */
    size_t index;
};

static bool open_work(struct job *j, struct work *w)
{
    *w = (struct work){.j = j, .ward = j->ward, .a = j->arena};
    struct err *e = json_parse(j->arena, j->payload, JSON_DEPTH_DEFAULT, &w->p);
    if (e != NULL) {
        log_err(LOG_ERROR, "a delivery's row cannot be read", e);
        return false;
    }
    struct str account = jv_s(jv_get(w->p, "account")), uid = jv_s(jv_get(w->p, "uid"));
    w->owner = uid.p == NULL ? account
                             : arena_fmt(w->a, "%.*s/sns/%.*s", STR_ARG(account), STR_ARG(uid));
    w->retry = jv_i(jv_get(w->p, "retry"), 0);
    w->index = (size_t)jv_i(jv_get(w->p, "i"), 0);
    return true;
}

/* The topic and subscription as they are now; *out_found false: one of them is no more. */
static struct err *read_target(struct work *w, struct txn *t, bool *out_found)
{
    struct arn at = {STR(IDENTITY_PARTITION), STR("sns"), jv_s(jv_get(w->p, "region")),
                     jv_s(jv_get(w->p, "account")), jv_s(jv_get(w->p, "name"))};
    TRY(topic_read(t, w->a, &at, &w->topic, out_found));
    if (*out_found && !str_eq(w->topic.uid, jv_s(jv_get(w->p, "uid"))))
        *out_found = false;
    if (*out_found)
        TRY(sub_read(t, w->a, &w->topic, jv_s(jv_get(w->p, "sub")), false, &w->sub, out_found));
    return NULL;
}

/* The job again, with one more attempt to its name: its row is put anew, since a job that is only
 * run again keeps its payload. */
static struct err *put_again(struct work *w, int64_t due_ms)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    TRY(store_begin(w->ward->store, TXN_WRITE, &t));
    TRY(job_put(t, w->owner, arena_cstr(w->a, w->j->kind), w->j->id, due_ms, jv_text(w->a, w->p)));
    return txn_commit(&t);
}

static enum job_next try_again(struct work *w, int64_t delay_ms, int64_t *again_ms)
{
    int64_t due_ms = clock_now_ms() + delay_ms;
    jv_set(w->a, w->p, STR("retry"), jv_new_int(w->a, w->retry + 1));
    struct err *e = NULL;
    for (int i = 0; i < COMMIT_TRIES; i++) {
        e = put_again(w, due_ms);
        if (!err_is(e, ERR_CONFLICT))
            break;
        err_free(e);
        e = NULL;
    }
    if (e == NULL)
        return JOB_DONE;
    log_err(LOG_ERROR, "a delivery's next attempt could not be stored", e);
    *again_ms = due_ms + STORE_RETRY_MS;
    return JOB_AGAIN;
}

static void compose(struct work *w, const char *type, struct delivery *d)
{
    const struct jv *m = w->message;
    struct str version = jv_s(jv_get(w->topic.attrs, "SignatureVersion"));
    struct str topic_policy = jv_s(jv_get(w->topic.attrs, "DeliveryPolicy"));
    *d = (struct delivery){.topic = &w->topic,
                           .protocol = w->sub.protocol,
                           .endpoint = w->sub.endpoint,
                           .content_type = retry_content_type(
                               w->a, topic_policy, jv_s(jv_get(w->sub.attrs, "DeliveryPolicy")))};
    d->env = (struct envelope){.ward = w->ward,
                               .arena = w->a,
                               .type = type,
                               .message_id = jv_s(jv_get(m, "id")),
                               .topic_arn = w->topic.arn,
                               .subject = jv_s(jv_get(m, "subject")),
                               .timestamp = jv_s(jv_get(m, "timestamp")),
                               .subscription_arn = w->sub.arn,
                               .unsubscribe_url = link_unsubscribe(w->ward, w->a, w->sub.arn),
                               .attributes = jv_get(m, "attributes"),
                               .version2 = str_is(version, "2"),
                               .display_name = jv_s(jv_get(w->topic.attrs, "DisplayName"))};
}

static int64_t next_delay(struct work *w, struct str protocol)
{
    return retry_delay_ms(w->a, protocol, jv_s(jv_get(w->topic.attrs, "DeliveryPolicy")),
                          jv_s(jv_get(w->sub.attrs, "DeliveryPolicy")), w->retry);
}

/* -- a message to a subscription --------------------------------------------------------------- */

static bool bit_set(struct str bits, size_t i)
{
    return i / 8 < bits.n && ((unsigned char)bits.p[i / 8] >> (i % 8) & 1) != 0;
}

static struct err *finish_once(struct work *w)
{
    struct str id = jv_s(jv_get(w->p, "message")), bits;
    struct txn *t CLEANUP(txn_abort) = NULL;
    TRY(store_begin(w->ward->store, TXN_WRITE, &t));
    TRY(txn_get(t, SNS_T_LEFT, id, w->a, &bits));
    if (bit_set(bits, w->index)) {
        char *left = arena_cstr(w->a, bits);
        bool any = false;
        left[w->index / 8] =
            (char)((unsigned char)left[w->index / 8] & ~(1u << (w->index % 8)));
        for (size_t i = 0; i < bits.n; i++)
            any |= left[i] != 0;
        if (any) {
            TRY(txn_put(t, SNS_T_LEFT, w->owner, id, str_of(left, bits.n)));
        } else {
            TRY(txn_del(t, SNS_T_LEFT, id));
            TRY(txn_del(t, SNS_T_MESSAGE, id));
        }
    }
    TRY(job_done_in(w->j, t));
    return txn_commit(&t);
}

static enum job_next finish(struct work *w, int64_t *again_ms)
{
    struct err *e = NULL;
    for (int i = 0; i < COMMIT_TRIES; i++) {
        e = finish_once(w);
        if (e == NULL)
            return JOB_DONE;
        w->j->done = false;
        if (!err_is(e, ERR_CONFLICT))
            break;
        err_free(e);
        e = NULL;
    }
    log_err(LOG_ERROR, "a delivery's end could not be stored; it will run again", e);
    *again_ms = clock_now_ms() + STORE_RETRY_MS;
    return JOB_AGAIN;
}

/* What there is to deliver; *out_found false: nothing any more. */
static struct err *read_work(struct work *w, bool *out_found)
{
    struct str id = jv_s(jv_get(w->p, "message")), bits, text;
    struct txn *t CLEANUP(txn_abort) = NULL;
    *out_found = false;
    TRY(store_begin(w->ward->store, TXN_READ, &t));
    TRY(txn_peek(t, SNS_T_LEFT, id, w->a, &bits));
    if (!bit_set(bits, w->index))
        return NULL;
    TRY(txn_peek(t, SNS_T_MESSAGE, id, w->a, &text));
    if (text.p == NULL)
        return NULL;
    TRY(json_parse(w->a, text, JSON_DEPTH_DEFAULT, &w->message));
    TRY(read_target(w, t, out_found));
    if (*out_found && w->sub.state != SUB_CONFIRMED)
        *out_found = false;
    return NULL;
}

static enum outcome to_device(struct work *w, struct str arn, struct err **out_why);
static enum outcome to_phone(struct work *w, struct str number, struct err **out_why);

static enum outcome send(struct work *w, struct delivery *d, struct err **out_why)
{
    if (str_is(d->protocol, "application"))
        return to_device(w, d->endpoint, out_why);
    if (str_is(d->protocol, "sms"))
        return to_phone(w, d->endpoint, out_why);
    return transport_send(d, out_why);
}

static struct str dead_letter_queue(struct work *w)
{
    struct str text = jv_s(jv_get(w->sub.attrs, "RedrivePolicy"));
    struct jv *v = NULL;
    if (text.n > 0)
        err_free(json_parse(w->a, text, 8, &v)); /* it was checked when it was set */
    return jv_s(jv_get(v, "deadLetterTargetArn"));
}

static enum job_next give_up(struct work *w, struct err *why, int64_t *again_ms)
{
    log_err(LOG_WARN, "a notification was given up", why);
    return finish(w, again_ms);
}

/* The subscription's own way has ended: its dead-letter queue, with some hours to let us in. */
static enum job_next dead_letter(struct work *w, struct delivery *d, struct err *why,
                                 int64_t *again_ms)
{
    struct str queue = dead_letter_queue(w);
    if (queue.n == 0)
        return give_up(w, why, again_ms);
    err_free(why);
    if (!jv_b(jv_get(w->p, "dead"), false)) {
        jv_set(w->a, w->p, STR("dead"), jv_new_bool(w->a, true));
        w->retry = 0;
    }
    if (transport_dead_letter(d, queue, &why) == OUT_SENT)
        return finish(w, again_ms);
    int64_t delay = retry_delay_ms(w->a, STR("email"), STR_NONE, STR_NONE, w->retry);
    if (delay < 0)
        return give_up(w, why, again_ms);
    log_err(LOG_WARN, "a dead-letter queue did not take a notification; will try again", why);
    return try_again(w, delay, again_ms);
}

static enum job_next deliver(struct work *w, int64_t *again_ms)
{
    struct delivery d;
    struct err *why = NULL;
    compose(w, "Notification", &d);
    d.raw = str_is_i(jv_s(jv_get(w->sub.attrs, "RawMessageDelivery")), "true");
    if (!message_text_for(w->a, w->message, w->sub.protocol, &d.env.message))
        return finish(w, again_ms);
    if (jv_b(jv_get(w->p, "dead"), false))
        return dead_letter(w, &d, NULL, again_ms);
    int slot = is_slow(w->sub.protocol) ? slot_take(w->sub.id) : SLOW_MAX;
    if (slot < 0)
        return busy(again_ms);
    enum outcome o = send(w, &d, &why);
    if (slot < SLOW_MAX)
        slot_give(slot);
    if (o == OUT_SENT)
        return finish(w, again_ms);
    int64_t delay = o == OUT_RETRY ? next_delay(w, w->sub.protocol) : -1;
    if (delay < 0)
        return dead_letter(w, &d, why, again_ms);
    log_err(LOG_DEBUG, "a notification could not be delivered yet", why);
    return try_again(w, delay, again_ms);
}

enum job_next sns_deliver_run(struct job *j, int64_t *again_ms)
{
    struct work w;
    bool found;
    if (!open_work(j, &w))
        return JOB_DONE;
    struct err *e = read_work(&w, &found);
    if (e == NULL)
        return found ? deliver(&w, again_ms) : finish(&w, again_ms);
    log_err(LOG_ERROR, "a notification cannot be read; will try again", e);
    *again_ms = clock_now_ms() + STORE_RETRY_MS;
    return JOB_AGAIN;
}

/* -- telephones and devices -------------------------------------------------------------------- */

static enum outcome to_phone(struct work *w, struct str number, struct err **out_why)
{
    const struct jv *m = w->message;
    int status;
    struct push p = {.ward = w->ward,
                     .arena = w->a,
                     .kind = STR("sms"),
                     .message_id = jv_s(jv_get(m, "id")),
                     .to = number,
                     .attributes = jv_get(m, "attributes")};
    *out_why = NULL;
    if (!message_text_for(w->a, m, STR("sms"), &p.message))
        return OUT_SENT;
    return transport_webhook(&p, &status, out_why);
}

static struct err *read_device(struct work *w, struct str arn, struct device *out, bool *out_found)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    TRY(store_begin(w->ward->store, TXN_READ, &t));
    return device_read(t, w->a, arn, out, out_found);
}

static enum outcome to_device(struct work *w, struct str arn, struct err **out_why)
{
    const struct jv *m = w->message;
    struct device d;
    bool found = false;
    int status;
    *out_why = read_device(w, arn, &d, &found);
    if (*out_why != NULL)
        return OUT_RETRY;
    if (!found || !d.enabled) {
        *out_why = err_new(ERR_NOT_FOUND, "The device's endpoint is gone or disabled.");
        return OUT_REFUSED;
    }
    struct push p = {.ward = w->ward,
                     .arena = w->a,
                     .kind = STR("push"),
                     .message_id = jv_s(jv_get(m, "id")),
                     .subject = jv_s(jv_get(m, "subject")),
                     .to = d.token,
                     .platform = d.platform,
                     .endpoint = d.arn,
                     .attributes = jv_get(m, "attributes")};
    p.application = arena_fmt(w->a, "arn:%s:sns:%.*s:%.*s:app/%.*s/%.*s", IDENTITY_PARTITION,
                              STR_ARG(d.region), STR_ARG(d.account), STR_ARG(d.platform),
                              STR_ARG(d.app));
    if (!message_text_for(w->a, m, d.platform, &p.message))
        return OUT_SENT;
    enum outcome o = transport_webhook(&p, &status, out_why);
    if (status == 410) /* the provider says that the device is no more */
        log_err(LOG_WARN, "a device's endpoint could not be disabled",
                device_disable(w->ward, w->a, &d));
    return o;
}

enum job_next sns_direct_run(struct job *j, int64_t *again_ms)
{
    struct work w;
    struct err *why = NULL;
    if (!open_work(j, &w))
        return JOB_DONE;
    w.message = w.p;
    int slot = slot_take(STR("direct"));
    if (slot < 0)
        return busy(again_ms);
    struct str to = jv_s(jv_get(w.p, "to"));
    enum outcome o = str_is(jv_s(jv_get(w.p, "kind")), "sms") ? to_phone(&w, to, &why)
                                                             : to_device(&w, to, &why);
    slot_give(slot);
    if (o == OUT_SENT)
        return JOB_DONE;
    int64_t delay = o == OUT_RETRY
                        ? retry_delay_ms(w.a, STR("sms"), STR_NONE, STR_NONE, w.retry)
                        : -1;
    if (delay >= 0) {
        log_err(LOG_DEBUG, "the provider did not take a message yet", why);
        return try_again(&w, delay, again_ms);
    }
    log_err(LOG_WARN, "a message to a device was given up", why);
    return JOB_DONE;
}

/* -- confirmations ----------------------------------------------------------------------------- */

static struct err *read_confirmation(struct work *w, bool *out_found)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    TRY(store_begin(w->ward->store, TXN_READ, &t));
    TRY(read_target(w, t, out_found));
    if (*out_found && w->sub.state == SUB_CONFIRMED) /* confirmed meanwhile */
        *out_found = false;
    return NULL;
}

static void compose_confirmation(struct work *w, struct delivery *d)
{
    char id[37], when[TIME_TEXT_MAX];
    bool ended = str_is(jv_s(jv_get(w->p, "type")), "UnsubscribeConfirmation");
    rand_uuid(id);
    time_iso8601_ms(w->j->created_ms, when);
    compose(w, ended ? "UnsubscribeConfirmation" : "SubscriptionConfirmation", d);
    d->env.message_id = arena_str(w->a, str_c(id));
    d->env.timestamp = arena_str(w->a, str_c(when));
    d->env.token = jv_s(jv_get(w->p, "token"));
    d->env.subscribe_url = link_confirm(w->ward, w->a, w->topic.arn, d->env.token);
    d->env.message =
        arena_fmt(w->a,
                  ended ? "The subscription %.*s was ended by its unsubscribe link.\nTo take it up "
                          "again, visit the SubscribeURL included in this message."
                        : "A subscription to the topic %.*s was asked for.\nTo confirm it, visit "
                          "the SubscribeURL included in this message.",
                  STR_ARG(ended ? w->sub.arn : w->topic.arn));
}

enum job_next sns_confirm_run(struct job *j, int64_t *again_ms)
{
    struct work w;
    struct delivery d;
    struct err *why = NULL;
    bool found = false;
    if (!open_work(j, &w))
        return JOB_DONE;
    why = read_confirmation(&w, &found);
    if (why != NULL) {
        log_err(LOG_ERROR, "a confirmation cannot be read; will try again", why);
        *again_ms = clock_now_ms() + STORE_RETRY_MS;
        return JOB_AGAIN;
    }
    if (!found || jv_i(jv_get(w.p, "expires_ms"), 0) <= clock_now_ms())
        return JOB_DONE;
    int slot = slot_take(w.sub.id);
    if (slot < 0)
        return busy(again_ms);
    compose_confirmation(&w, &d);
    enum outcome o = transport_send(&d, &why);
    slot_give(slot);
    if (o == OUT_SENT)
        return JOB_DONE;
    int64_t delay = o == OUT_RETRY ? next_delay(&w, w.sub.protocol) : -1;
    if (delay >= 0) {
        log_err(LOG_DEBUG, "a confirmation could not be sent yet", why);
        return try_again(&w, delay, again_ms);
    }
    log_err(LOG_WARN, "a confirmation was given up", why);
    return JOB_DONE;
}
