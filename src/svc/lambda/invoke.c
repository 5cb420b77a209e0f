/* Invoke: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
 *
 * A synchronous call parks until its invocation is done and holds no thread meanwhile. c->state
 * keeps the invocation, so that the transaction may run again. */
#include "exec.h"

enum { GRACE_MS = 15000 }; /* the environment ends what takes too long; this is for its own end */

static struct err *check_payload(struct call *c, struct str payload, size_t max)
{
    struct jv *parsed;
    if (payload.n > max)
        return err_aws(413, "RequestTooLargeException",
                       "Request must be smaller than %zu bytes for the InvokeFunction operation",
                       max);
    if (payload.n == 0)
        return NULL;
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(CALL_ARENA_MAX);
    struct err *e = json_parse(a, payload, JSON_DEPTH_MAX, &parsed);
    if (e == NULL)
        return NULL;
    err_free(e);
    return err_aws(400, "InvalidRequestContentException",
                   "Could not parse request body into json.");
}

static struct err *check_context(struct call *c, struct str text)
{
    struct str plain;
    struct jv *parsed = NULL;
    if (text.p == NULL)
        return NULL;
    if (text.n > LAMBDA_CONTEXT_MAX)
        return err_aws(413, "RequestTooLargeException",
                       "The client context must not be longer than %d bytes.", LAMBDA_CONTEXT_MAX);
    if (dec_base64(c->arena, text, &plain)) {
        struct err *e = json_parse(c->arena, plain, JSON_DEPTH_DEFAULT, &parsed);
        err_free(e);
    }
    return jv_is(parsed, JV_OBJ) ? NULL
                                 : err_aws(400, "InvalidRequestContentException",
                                           "Client context must be a valid Base64-encoded JSON "
                                           "object.");
}

static struct err *answer(struct call *c, const struct invocation *v, bool tail,
                          struct lambda_InvocationResponse *out)
{
    if (v->refused != NULL) {
        const struct err *e = v->refused;
        if (e->code == NULL)
            return err_aws(500, "ServiceException", "%s", e->message);
        return err_aws(err_http_status(e), e->code, "%s", e->message);
    }
    out->StatusCode = some_int(200);
    out->ExecutedVersion = STR("$LATEST");
    out->FunctionError = str_c(v->function_error);
    out->Payload = v->result;
    if (tail)
        out->LogResult = enc_base64(c->arena, str_of(v->tail, v->tail_n));
    return NULL;
}

static struct err *run_and_wait(struct call *c, const struct function *f,
                                const struct lambda_InvocationRequest *in,
                                struct lambda_InvocationResponse *out)
{
    struct invocation *v = c->state;
    char key[64];
    if (v == NULL) {
        v = invocation_new(c->ward, f, in->Payload, in->ClientContext);
        struct err *e = dispatch(v, f);
        if (e != NULL) {
            invocation_unref(v);
            return e;
        }
        c->state = v;
        arena_on_free(c->arena, invocation_unref, v);
        call_header(c, "x-amzn-RequestId", str_c(v->id));
    }
    if (atomic_load(&v->done))
        return answer(c, v, str_is(in->LogType, "Tail"), out);
    if (c->wait_over)
        return err_aws(504, "ServiceException", "The invocation did not end in time.");
    snprintf(key, sizeof key, "lambda/%s", v->id);
    return call_park(c, str_c(key), c->now_ms + f->timeout_s * 1000 + LAMBDA_INIT_MS + GRACE_MS);
}

OP_HANDLER(lambda, Invoke, InvocationRequest, InvocationResponse)
{
    struct function f;
    bool event = str_is(in->InvocationType, "Event"), dry = str_is(in->InvocationType, "DryRun");
    if (in->DurableExecutionName.p != NULL || in->TenantId.p != NULL)
        return err_not_implemented(c, "Durable executions and tenants");
    TRY(function_need(c, in->FunctionName, in->Qualifier, &f));
    if (dry) {
        out->StatusCode = some_int(204);
        return NULL;
    }
    if (c->state == NULL) {
        TRY(check_context(c, in->ClientContext));
        TRY(check_payload(c, in->Payload, event ? LAMBDA_EVENT_MAX : LAMBDA_PAYLOAD_MAX));
    }
    if (!event)
        return run_and_wait(c, &f, in, out);
    TRY(event_put(c, &f, in->Payload, in->ClientContext));
    out->StatusCode = some_int(202);
    return NULL;
}
