/* A function for the test of the loop: it does what the event's member "do" says. */
#include "jtext.h"
#include "lambda.h"

enum { PROBE_ARENA = 1024 * 1024 };

static struct err *probe_init(void *ctx)
{
    if (getenv("PROBE_FAIL_INIT") != NULL)
        return err_aws(400, "ProbeInit", "told to fail at \"start\"");
    return NULL;
}

static void about(const struct lambda_event *event, struct buf *out)
{
    const char *trace = getenv("_X_AMZN_TRACE_ID");
    buf_c(out, "{\"id\":");
    jtext_quote(out, str_c(event->request_id));
    buf_c(out, ",\"arn\":");
    jtext_quote(out, str_c(event->function_arn));
    buf_c(out, ",\"trace\":");
    jtext_quote(out, str_c(trace == NULL ? "none" : trace));
    buf_fmt(out, ",\"left_ms\":%lld}", (long long)lambda_remaining_ms(event));
}

static struct err *probe(void *ctx, const struct lambda_event *event, struct buf *out)
{
    CLEANUP(arena_free_ptr) struct arena *a = arena_new(PROBE_ARENA);
    TRY(jtext_check(event->payload, JTEXT_DEPTH_MAX));
    struct str what = jtext_get_str(a, event->payload, "do");
    if (str_is(what, "echo"))
        buf_str(out, event->payload);
    else if (str_is(what, "about"))
        about(event, out);
    else if (str_is(what, "fail"))
        return err_aws(409, "ProbeSays", "no: \xE2\x9C\x97 \"quoted\"\n");
    else if (str_is(what, "kind"))
        return err_new(ERR_NOT_FOUND, "nothing there");
    else if (str_is(what, "big"))
        for (int i = 0; i < 1024; i++)
            buf_fmt(out, "%8192d", i);
    return NULL;
}

int main(void)
{
    return lambda_run(probe_init, probe, NULL);
}
