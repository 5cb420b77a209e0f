/* Asynchronous invocations: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
 *
 * An accepted event is a job. To run it the job starts an invocation and stays due as a lease, for
 * the longest that the invocation can take; when the invocation ends, the job is deleted or put
 * anew with its next try. After a crash the lease runs out and the event runs again: at least once.
 *
 * Function errors are tried LAMBDA_EVENT_RETRIES times more, after one and two minutes; what is
 * throttled or fails in Ward is tried for six hours, with growing pauses. Then the event goes to
 * the function's dead letter target, or is dropped. */
#include "exec.h"

#include "core/log.h"

enum {
    LEASE_MS = (LAMBDA_TIMEOUT_MAX_S + 60) * 1000,
    THROTTLE_MS = 1000,
    THROTTLE_CAP_MS = 300000,
    RETRY_MS = 60000, /* the first; the second after twice that */
    WORK_ARENA = 16 * 1024 * 1024,
    FAILURE_TEXT_MAX = 1024, /* of a function's own words in a dead letter */
};

static struct err *put(struct txn *t, struct arena *a, const struct jv *event, int64_t due_ms)
{
    return job_put(t, jv_s(jv_get(event, "account")), "lambda.event", jv_s(jv_get(event, "id")),
                   due_ms, jv_text(a, event));
}

struct err *event_put(struct call *c, const struct function *f, struct str payload,
                      struct str client_context)
{
    struct arena *a = c->arena;
    struct jv *e = jv_new_obj(a);
    jv_put(a, e, "id", str_c(c->request_id));
    jv_put(a, e, "account", f->account);
    jv_put(a, e, "region", f->region);
    jv_put(a, e, "name", f->name);
    jv_put(a, e, "function", f->id);
    jv_put(a, e, "context", client_context);
    jv_put(a, e, "payload", enc_base64(a, payload.n > 0 ? payload : STR("{}")));
    jv_set(a, e, STR("created_ms"), jv_new_int(a, c->now_ms));
    jv_set(a, e, STR("failures"), jv_new_int(a, 0));
    return put(c->txn, a, e, c->now_ms);
}

/* -- dead letters ------------------------------------------------------------------------------ */

static void attribute(struct arena *a, struct jv *all, const char *name, const char *type,
                      struct str value)
{
    struct jv *v = jv_new_obj(a);
    jv_put(a, v, "DataType", str_c(type));
    jv_put(a, v, "StringValue", value);
    jv_set(a, all, str_c(name), v);
}

static struct err *send_dead_letter(struct ward *w, struct arena *a, const struct function *f,
                                    const struct jv *event, const char *code, const char *message)
{
    struct arn to;
    struct str payload;
    if (f->dead_letter.n == 0 || !arn_parse(f->dead_letter, &to) ||
        !dec_base64(a, jv_s(jv_get(event, "payload")), &payload))
        return NULL;
    struct jv *in = jv_new_obj(a), *attributes = jv_new_obj(a);
    attribute(a, attributes, "RequestID", "String", jv_s(jv_get(event, "id")));
    attribute(a, attributes, "ErrorCode", "Number", str_c(code));
    attribute(a, attributes, "ErrorMessage", "String", str_c(message));
    jv_set(a, in, STR("MessageAttributes"), attributes);
    struct api_call o = {.ward = w, .as = AS_ROLE, .service = LAMBDA_SERVICE, .role_arn = f->role,
                         .session_name = f->name, .account = f->account, .region = to.region,
                         .source_arn = f->arn, .arena = a};
    if (str_is(to.service, "sns")) {
        jv_put(a, in, "TopicArn", f->dead_letter);
        jv_put(a, in, "Message", payload);
        return api_call_json(&o, "sns", "Publish", in, false, NULL);
    }
    jv_put(a, in, "QueueUrl", arena_fmt(a, "%s/%.*s/%.*s", w->endpoint, STR_ARG(to.account),
                                        STR_ARG(to.resource)));
    jv_put(a, in, "MessageBody", payload);
    return api_call_json(&o, "sqs", "SendMessage", in, false, NULL);
}

static bool has_room(const struct ward *w, const char *name)
{
    for (size_t i = 0; i < w->n_rooms; i++)
        if (strcmp(w->rooms[i]->name, name) == 0)
            return true;
    return false;
}

static void give_up(struct ward *w, struct arena *a, const struct function *f,
                    const struct jv *event, const char *code, const char *message)
{
    struct arn to;
    if (arn_parse(f->dead_letter, &to) && !has_room(w, str_is(to.service, "sns") ? "sns" : "sqs"))
        log_warn("this version of Ward has no room for a function's dead letters");
    else
        log_err(LOG_WARN, "a dead letter could not be sent",
                send_dead_letter(w, a, f, event, code, message));
}

/* -- the end of an invocation ------------------------------------------------------------------ */

/* What the next step of an event is, in a transaction of its own. */
static struct err *settle(struct ward *w, struct arena *a, const struct jv *event, int64_t due_ms)
{
    struct err *e = NULL;
    for (int i = 0; i < CALL_ATTEMPTS; i++) {
        struct txn *t CLEANUP(txn_abort) = NULL;
        TRY(store_begin(w->store, TXN_WRITE, &t));
        e = due_ms == 0 ? job_cancel(t, "lambda.event", jv_s(jv_get(event, "id")))
                        : put(t, a, event, due_ms);
        if (e == NULL)
            e = txn_commit(&t);
        if (!err_is(e, ERR_CONFLICT))
            return e;
        err_free(e);
    }
    return err_new(ERR_CONFLICT, "The event's row changes too often.");
}

static struct err *find_function(struct ward *w, struct arena *a, const struct jv *event,
                                 struct function *out, bool *out_found)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    TRY(store_begin(w->store, TXN_READ, &t));
    TRY(function_read(t, a, jv_s(jv_get(event, "account")), jv_s(jv_get(event, "region")),
                      jv_s(jv_get(event, "name")), out, out_found));
    *out_found = *out_found && str_eq(out->id, jv_s(jv_get(event, "function")));
    return NULL;
}

static int64_t throttle_pause(struct arena *a, struct jv *event)
{
    int64_t n = jv_i(jv_get(event, "throttles"), 0);
    jv_set(a, event, STR("throttles"), jv_new_int(a, n + 1));
    return job_backoff_ms(n < 12 ? (int)n : 12, THROTTLE_MS, THROTTLE_CAP_MS);
}

/* What the function says of its failure, as a queue takes it: whole characters, no controls. */
static const char *failure_text(const struct invocation *v)
{
    struct jv *said = NULL;
    err_free(json_parse(v->arena, v->result, JSON_DEPTH_DEFAULT, &said));
    struct str text = jv_s(jv_get(said, "errorMessage"));
    if (text.n == 0)
        return "The function failed.";
    size_t n = text.n < FAILURE_TEXT_MAX ? text.n : FAILURE_TEXT_MAX;
    while (n > 0 && n < text.n && ((unsigned char)text.p[n] & 0xc0) == 0x80)
        n--;
    char *out = arena_cstr(v->arena, str_take(text, n));
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)out[i] < 0x20)
            out[i] = ' ';
    return out;
}

/* When the event is due again; 0: it is over. */
static int64_t next_try(struct arena *a, struct jv *event, const struct invocation *v,
                        const char **out_code, const char **out_message)
{
    int64_t now = clock_now_ms(), age = now - jv_i(jv_get(event, "created_ms"), now);
    *out_code = NULL;
    if (v->refused == NULL && v->function_error == NULL)
        return 0;
    if (v->refused != NULL) {
        *out_code = "500";
        *out_message = v->refused->message;
        return age > LAMBDA_EVENT_AGE_MS ? 0 : now + throttle_pause(a, event);
    }
    int64_t failures = jv_i(jv_get(event, "failures"), 0) + 1;
    jv_set(a, event, STR("failures"), jv_new_int(a, failures));
    *out_code = "200";
    *out_message = failure_text(v);
    return failures > LAMBDA_EVENT_RETRIES || age > LAMBDA_EVENT_AGE_MS
               ? 0
               : now + (RETRY_MS << (failures - 1));
}

static void event_finished(struct invocation *v)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(WORK_ARENA);
    struct jv *event = v->ctx; /* in v's arena */
    struct function f;
    bool found;
    const char *code, *message;
    int64_t due_ms = next_try(v->arena, event, v, &code, &message);
    if (due_ms == 0 && code != NULL) {
        struct err *e = find_function(v->ward, a, event, &f, &found);
        if (e == NULL && found)
            give_up(v->ward, a, &f, event, code, message);
        log_err(LOG_ERROR, "a failed event's function could not be read", e);
    }
    log_err(LOG_ERROR, "an event's end could not be stored; it will run again",
            settle(v->ward, a, event, due_ms));
}

/* -- the job ----------------------------------------------------------------------------------- */

static struct err *start(struct job *j, int64_t *again_ms, bool *out_over)
{
    struct jv *event;
    struct function f;
    struct str payload;
    bool found;
    TRY(json_parse(j->arena, j->payload, JSON_DEPTH_DEFAULT, &event));
    TRY(find_function(j->ward, j->arena, event, &f, &found));
    *out_over = !found || !dec_base64(j->arena, jv_s(jv_get(event, "payload")), &payload);
    if (*out_over)
        return NULL;
    struct invocation *v = invocation_new(j->ward, &f, payload, jv_s(jv_get(event, "context")));
    struct jv *own;
    struct err *e = json_parse(v->arena, j->payload, JSON_DEPTH_DEFAULT, &own);
    if (e == NULL) {
        snprintf(v->id, sizeof v->id, "%.*s", STR_ARG(jv_s(jv_get(event, "id"))));
        v->ctx = own;
        v->finished = event_finished;
        e = dispatch(v, &f);
    }
    invocation_unref(v);
    *again_ms = clock_now_ms() + LEASE_MS;
    if (e == NULL || !err_has_code(e, "TooManyRequestsException"))
        return e;
    *out_over = clock_now_ms() - j->created_ms > LAMBDA_EVENT_AGE_MS;
    if (*out_over)
        give_up(j->ward, j->arena, &f, event, "429", e->message);
    err_free(e);
    *again_ms = clock_now_ms() +
                job_backoff_ms(j->attempt < 12 ? j->attempt : 12, THROTTLE_MS, THROTTLE_CAP_MS);
    return NULL;
}

static enum job_next run_event(struct job *j, int64_t *again_ms)
{
    bool over = false;
    struct err *e = start(j, again_ms, &over);
    if (e == NULL)
        return over ? JOB_DONE : JOB_AGAIN;
    log_err(LOG_WARN, "an event could not be started; will try again", e);
    *again_ms = clock_now_ms() + THROTTLE_CAP_MS;
    return JOB_AGAIN;
}

/* -- after a deletion -------------------------------------------------------------------------- */

struct err *destroy_later(struct call *c, const struct function *f)
{
    struct str owner = function_owner(c->arena, f->account, f->id);
    return job_put(c->txn, c->account, "lambda.destroy", f->id, c->now_ms, owner);
}

static enum job_next run_destroy(struct job *j, int64_t *again_ms)
{
    struct err *e = store_owner_destroy(j->ward->store, j->payload);
    if (e == NULL)
        return JOB_DONE;
    log_err(LOG_WARN, "a deleted function's data key could not be destroyed; will try again", e);
    *again_ms = clock_now_ms() + job_backoff_ms(j->attempt, 5000, 300000);
    return JOB_AGAIN;
}

const struct job_kind lambda_jobs[] = {
    {.name = "lambda.event", .run = run_event},
    {.name = "lambda.destroy", .run = run_destroy, .parallel = 1},
    {0},
};
