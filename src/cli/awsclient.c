/* Ward as a client of itself: signed requests through the front door. */
#include "cli.h"

static struct str host_of(struct str url)
{
    ptrdiff_t at = str_find(url, STR("://"));
    return at < 0 ? url : str_skip(url, (size_t)at + 3);
}

static struct err *send_signed(struct client *c, const char *service, const char *method,
                               struct str path, const char *content_type, struct str body,
                               int *out_status, struct str *out_body)
{
    struct arena *a = c->arena;
    char date[TIME_TEXT_MAX];
    time_basic(clock_now_ms(), date);
    struct str hash = sha256_hex(a, body), authorization;
    struct http_header h[6] = {{STR("host"), host_of(c->endpoint)},
                               {STR("x-amz-date"), str_c(date)},
                               {STR("x-amz-content-sha256"), hash}};
    size_t n = 3;
    if (content_type != NULL)
        h[n++] = (struct http_header){STR("content-type"), str_c(content_type)};
    struct sig_request r = {.method = str_c(method), .path = path, .query = STR_NONE,
                            .headers = h, .n_headers = n};
    TRY(sigv4_sign(a, &r, c->access_key_id, c->secret, c->region, str_c(service), str_c(date),
                   hash, &authorization));
    h[n++] = (struct http_header){STR("authorization"), authorization};
    struct http_out req = {.method = method,
                           .url = arena_concat(a, c->endpoint, path),
                           .headers = h,
                           .n_headers = n,
                           .body = body,
                           .timeout_ms = CLI_READY_TIMEOUT_MS,
                           .ca_file = c->ca_file};
    struct http_in in;
    TRY(http_send(a, &req, &in));
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
