#include "help.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_S = 20, BIG = 4 * 1024 * 1024 };

char pattern(size_t i)
{
    return (char)('a' + (i ^ (i >> 9)) % 23);
}

static void count(struct fix *f, int *counter)
{
    pthread_mutex_lock(&f->lock);
    (*counter)++;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static bool timed_wait(struct fix *f, const struct timespec *until)
{
    return pthread_cond_timedwait(&f->changed, &f->lock, until) == 0;
}

static struct timespec patience(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += PATIENCE_S;
    return t;
}

void fix_wait(struct fix *f, const int *counter, int least)
{
    struct timespec until = patience();
    pthread_mutex_lock(&f->lock);
    bool in_time = true;
    while (*counter < least && in_time)
        in_time = timed_wait(f, &until);
    int value = *counter;
    pthread_mutex_unlock(&f->lock);
    assert_true(value >= least);
}

void fix_release(struct fix *f)
{
    pthread_mutex_lock(&f->lock);
    f->hold = false;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

struct http_exchange *fix_parked(struct fix *f)
{
    struct timespec until = patience();
    pthread_mutex_lock(&f->lock);
    while (f->parked == NULL && timed_wait(f, &until)) {
    }
    struct http_exchange *x = f->parked;
    f->parked = NULL;
    pthread_mutex_unlock(&f->lock);
    assert_non_null(x);
    return x;
}

/* -- the handler ------------------------------------------------------------------------------ */

struct drawing {
    struct fix *f;
    size_t at, end;
    bool fail;
};

static struct err *draw(void *arg, void *to, size_t n, size_t *out_n)
{
    struct drawing *d = arg;
    count(d->f, &d->f->fills);
    if (d->at == d->end && d->fail)
        return err_new(ERR_IO, "The test wants this to fail.");
    size_t take = n < d->end - d->at ? n : d->end - d->at;
    for (size_t i = 0; i < take; i++)
        ((char *)to)[i] = pattern(d->at + i);
    d->at += take;
    *out_n = take;
    return NULL;
}

static void draw_done(void *arg)
{
    struct drawing *d = arg;
    count(d->f, &d->f->sources_done);
    free(d);
}

static void answer(struct http_exchange *x, int status, struct str body)
{
    struct http_header h = {STR("X-Test"), STR("yes")};
    http_respond(x, status, &h, 1, body, -1);
}

static void answer_stream(struct fix *f, struct http_exchange *x)
{
    struct str number = str_skip(x->path, (size_t)str_rfind_char(x->path, '/') + 1);
    int64_t n = 0;
    CHECK(str_to_i64(number, 0, INT64_MAX, &n));
    struct drawing *d = calloc(1, sizeof *d);
    CHECK(d != NULL);
    d->f = f;
    d->end = (size_t)n;
    d->fail = str_starts_c(x->path, "/cut/");
    struct http_source source = {draw, draw_done, d};
    int64_t length = str_starts_c(x->path, "/chunks/") ? -1 : d->fail ? 2 * n : n;
    http_respond_stream(x, 200, NULL, 0, length, source);
}

static void answer_peer(struct http_exchange *x)
{
    char text[256];
    int n = snprintf(text, sizeof text, "%s %s %s", x->peer,
                     x->tls_version == NULL ? "-" : x->tls_version, x->sni == NULL ? "-" : x->sni);
    answer(x, 200, (struct str){text, (size_t)n});
}

static void answer_big(struct http_exchange *x)
{
    char *big = malloc(BIG);
    CHECK(big != NULL);
    for (size_t i = 0; i < BIG; i++)
        big[i] = pattern(i);
    answer(x, 200, (struct str){big, BIG});
    free(big);
}

static enum http_body_mode on_head(void *ctx, struct http_exchange *x)
{
    struct fix *f = ctx;
    count(f, &f->heads);
    CHECK(http_header(x, "hOST").p != NULL);
    x->body_max = 1024 * 1024;
    if (str_is(x->path, "/refuse")) {
        answer(x, 403, STR("no"));
        return HTTP_BODY_REFUSE;
    }
    bool stream =
        str_is(x->path, "/count") || str_is(x->path, "/early") || str_is(x->path, "/hold");
    return stream ? HTTP_BODY_STREAM : HTTP_BODY_BUFFER;
}

static void on_data(void *ctx, struct http_exchange *x, struct str piece)
{
    struct fix *f = ctx;
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < piece.n; i++)
        f->bytes_wrong = f->bytes_wrong || piece.p[i] != pattern(f->bytes + i);
    f->bytes += piece.n;
    f->piece_max = piece.n > f->piece_max ? piece.n : f->piece_max;
    f->datas++;
    pthread_cond_broadcast(&f->changed);
    while (f->hold && str_is(x->path, "/hold"))
        pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
    if (str_is(x->path, "/early"))
        answer(x, 403, STR("early"));
}

static void on_end(void *ctx, struct http_exchange *x)
{
    struct fix *f = ctx;
    char text[32];
    count(f, &f->ends);
    if (str_is(x->path, "/park")) {
        pthread_mutex_lock(&f->lock);
        f->parked = x;
        pthread_cond_broadcast(&f->changed);
        pthread_mutex_unlock(&f->lock);
    } else if (str_is(x->path, "/none")) {
        http_respond(x, 204, NULL, 0, STR(""), -1);
    } else if (str_is(x->path, "/peer")) {
        answer_peer(x);
    } else if (str_is(x->path, "/big")) {
        answer_big(x);
    } else if (str_rfind_char(x->path, '/') > 0) {
        answer_stream(f, x);
    } else if (str_is(x->path, "/count") || str_is(x->path, "/hold")) {
        int n = snprintf(text, sizeof text, "%zu", f->bytes);
        answer(x, 200, (struct str){text, (size_t)n});
    } else if (str_is(x->method, "HEAD")) {
        http_respond(x, 200, NULL, 0, STR(""), 12345);
    } else {
        answer(x, 200, x->body);
    }
}

/* "/own" answers what went wrong with its body itself. */
static void on_fault(void *ctx UNUSED, struct http_exchange *x, int status, const char *words)
{
    CHECK(status >= 400 && words[0] != '\0');
    if (str_is(x->path, "/own"))
        answer(x, 422, STR("own words"));
}

static void on_done(void *ctx, struct http_exchange *x)
{
    struct fix *f = ctx;
    if (x->gone)
        count(f, &f->gones);
    if (x->body_error)
        count(f, &f->body_errors);
    count(f, &f->dones);
}

void fix_start(struct fix *f, bool tls, const struct http_timeouts *t, int workers, size_t queue)
{
    memset(f, 0, sizeof *f);
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    assert_null(crypto_init());
    assert_null(pool_new(workers, queue, &f->pool));
    if (tls)
        assert_null(ca_create("Ward test", &f->ca));
    struct http_server_options o = {
        .host = "127.0.0.1",
        .ca = f->ca,
        .extra_names = "ward.example, *.apps.example",
        .loops = 2,
        .pool = f->pool,
        .handler = {f, on_head, on_data, on_end, on_fault, on_done},
    };
    assert_null(http_server_start_with(&o, t == NULL ? &http_timeouts_usual : t, &f->server));
    f->port = http_server_port(f->server);
}

void fix_stop(struct fix *f)
{
    http_server_stop(f->server, 2000);
    pool_free(f->pool);
    ca_free(f->ca);
    assert_int_equal(f->heads, f->dones);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
}

/* -- the client ---------------------------------------------------------------------------------
 */

int dial(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct timeval patient = {.tv_sec = PATIENCE_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patient, sizeof patient);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patient, sizeof patient);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

void put(int fd, struct str s)
{
    while (s.n > 0) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* refused and closed: what came back tells */
        s = str_skip(s, (size_t)n);
    }
}

void put_c(int fd, const char *text)
{
    put(fd, str_c(text));
}

struct str read_to_end(int fd)
{
    size_t cap = 64 * 1024, n = 0;
    char *p = malloc(cap + 1);
    CHECK(p != NULL);
    for (;;) {
        if (n == cap) {
            p = realloc(p, (cap *= 2) + 1);
            CHECK(p != NULL);
        }
        ssize_t got = recv(fd, p + n, cap - n, 0);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    p[n] = '\0';
    return (struct str){p, n};
}

bool closed_by_peer(int fd)
{
    char c;
    ssize_t n = recv(fd, &c, 1, 0);
    return n == 0 || (n < 0 && errno == ECONNRESET);
}

/* One byte at a time, so that nothing of the next response is taken. */
static void read_byte(int fd, struct reply *r)
{
    if (recv(fd, r->all + r->n, 1, 0) != 1)
        fail_msg("the response ended early, after %zu bytes: %.*s", r->n, (int)r->n, r->all);
    r->all[++r->n] = '\0';
}

struct reply get_reply(int fd, bool head_request)
{
    enum { MAX = 8 * 1024 * 1024 };
    struct reply r = {.all = malloc(MAX)};
    CHECK(r.all != NULL);
    while (r.n < 4 || memcmp(r.all + r.n - 4, "\r\n\r\n", 4) != 0)
        read_byte(fd, &r);
    r.head_n = r.n;
    assert_memory_equal(r.all, "HTTP/1.1 ", 9);
    r.status = (int)strtol(r.all + 9, NULL, 10);
    const char *length = strstr(r.all, "Content-Length: ");
    bool none = head_request || r.status == 204 || r.status == 304 || r.status < 200;
    size_t body_n = !none && length != NULL ? strtoul(length + 16, NULL, 10) : 0;
    if (!none && strstr(r.all, "chunked") != NULL)
        while (r.n < r.head_n + 4 || strcmp(r.all + r.n - 4, "\r\n\r\n") != 0)
            read_byte(fd, &r);
    assert_true(r.n + body_n < MAX);
    for (size_t got = 0; got < body_n;) {
        ssize_t n = recv(fd, r.all + r.n, body_n - got, 0);
        assert_true(n > 0);
        got += (size_t)n;
        r.n += (size_t)n;
    }
    r.all[r.n] = '\0';
    r.body = (struct str){r.all + r.head_n, r.n - r.head_n};
    return r;
}

void reply_free(struct reply *r)
{
    free(r->all);
    r->all = NULL;
}

bool reply_says(const struct reply *r, const char *text)
{
    return str_find((struct str){r->all, r->head_n}, str_c(text)) >= 0;
}

size_t rss_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long size = 0, resident = 0;
    CHECK(file != NULL && fscanf(file, "%lu %lu", &size, &resident) == 2);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}
