/* Ward as a client of itself: signed requests through the front door. */
#include "aws.h"
#include "cli.h"

static struct err *send_signed(struct client *c, const char *service, const char *method,
                               struct str path, const char *content_type, struct str body,
                               int *out_status, struct str *out_body)
{
    /* The keys are the caller's; this struct only shows them. */
    struct aws_keys k = {.id = arena_cstr(c->arena, c->access_key_id),
                         .secret = (struct secret *)(uintptr_t)c->secret};
    struct aws_request r = {.service = service, .method = method, .region = c->region,
                            .endpoint = c->endpoint, .path = path, .query = STR_NONE,
                            .body = body, .timeout_ms = CLI_READY_TIMEOUT_MS};
    struct http_in in;
    if (content_type != NULL)
        r.headers[r.n_headers++] =
            (struct http_header){STR("content-type"), str_c(content_type)};
    TRY(aws_send_once(c->arena, &k, c->ca_file, &r, &in));
    *out_status = in.status;
    *out_body = in.body;
    return NULL;
}

struct err *client_query(struct client *c, const char *service, const char *version,
                         const char *action, const struct wire_param *params, size_t n,
                         int *out_status, struct str *out_body)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(4 * 1024 * 1024);
    buf_fmt(&b, "Action=%s&Version=%s", action, version);
    for (size_t i = 0; i < n; i++) {
        buf_char(&b, '&');
        enc_uri_into(&b, params[i].name, false);
        buf_char(&b, '=');
        enc_uri_into(&b, params[i].value, false);
    }
    TRY(buf_check(&b));
    return send_signed(c, service, "POST", STR("/"),
                       "application/x-www-form-urlencoded; charset=utf-8", buf_view(&b),
                       out_status, out_body);
}

struct err *client_s3(struct client *c, const char *method, struct str path, struct str body,
                      int *out_status, struct str *out_body)
{
    return send_signed(c, "s3", method, path, NULL, body, out_status, out_body);
}
