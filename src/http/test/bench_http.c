/* Requests a second of the server with a trivial handler, measured by wrk where that is installed.
 *     bench_http [seconds] [connections] [workers]
 * Measures plain HTTP, then TLS, on 127.0.0.1. Not part of the tests. */
#include "../server.h"

#include <unistd.h>

static enum http_body_mode on_head(void *ctx, struct http_exchange *x)
{
    x->body_max = 1024 * 1024;
    return HTTP_BODY_BUFFER;
}

static void on_data(void *ctx, struct http_exchange *x, struct str piece)
{
}

static void on_end(void *ctx, struct http_exchange *x)
{
    struct http_header headers[] = {
        {STR("Content-Type"), STR("application/x-amz-json-1.0")},
        {STR("x-amzn-RequestId"), STR("00000000-0000-4000-8000-000000000000")},
    };
    http_respond(x, 200, headers, ARRAY_LEN(headers), STR("{}"), -1);
}

static void on_done(void *ctx, struct http_exchange *x)
{
}

static struct err *measure(struct pool *pool, const struct ca *ca, int seconds, int connections)
{
    struct http_server_options o = {
        .host = "127.0.0.1",
        .ca = ca,
        .pool = pool,
        .handler = {NULL, on_head, on_data, on_end, NULL, on_done},
    };
    struct http_server *s = NULL;
    TRY(http_server_start(&o, &s));
    char command[256];
    snprintf(command, sizeof command, "wrk -t1 -c%d -d%ds --latency %s://127.0.0.1:%d/",
             connections, seconds, ca != NULL ? "https" : "http", http_server_port(s));
    printf("%s\n", command);
    fflush(stdout);
    if (system(command) != 0)
        printf("wrk could not be run (Debian: apt install wrk)\n");
    http_server_stop(s, 1000);
    return NULL;
}

static struct err *run(int seconds, int connections, int workers)
{
    TRY(crypto_init());
    struct ca *ca = NULL;
    TRY(ca_create("Ward bench", &ca));
    struct pool *pool = NULL;
    TRY(pool_new(workers, 4096, &pool));
    TRY(measure(pool, NULL, seconds, connections));
    TRY(measure(pool, ca, seconds, connections));
    pool_free(pool);
    ca_free(ca);
    return NULL;
}

static int number(int argc, char **argv, int i, int usual)
{
    int64_t v;
    return argc > i && str_to_i64(str_c(argv[i]), 1, 4096, &v) ? (int)v : usual;
}

int main(int argc, char **argv)
{
    struct err *e =
        run(number(argc, argv, 1, 5), number(argc, argv, 2, 64), number(argc, argv, 3, 4));
    if (e != NULL)
        fprintf(stderr, "%s (%s)\n", e->message, e->detail);
    return e != NULL;
}
