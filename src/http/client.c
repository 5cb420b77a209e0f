#include "client_int.h"

#include "../core/buf.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

enum {
    URL_MAX = 8 * 1024,
    CONNECT_TIMEOUT_MS = 5000,
    CONNECTIONS_KEPT = 4, /* for each thread */
    IN_HEADERS_MAX = 128,
    IN_HEADER_BYTES_MAX = 32 * 1024,
};

/* -- handles ------------------------------------------------------------------------------------
 */

static pthread_key_t key;

static void handle_free(void *h)
{
    curl_easy_cleanup(h);
}

static void client_init(void)
{
    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    CHECK(pthread_key_create(&key, handle_free) == 0);
}

CURL *client_handle(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, client_init);
    CURL *h = pthread_getspecific(key);
    if (h == NULL) {
        h = curl_easy_init();
        CHECK(h != NULL && pthread_setspecific(key, h) == 0);
    }
    curl_easy_reset(h);
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_PROXY, ""); /* not from the environment */
    curl_easy_setopt(h, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(h, CURLOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
    return h;
}

/* OpenSSL writes to sockets without MSG_NOSIGNAL: a SIGPIPE that the transfer raised is taken back
 * here, before the thread's mask lets it through. */
static CURLcode perform(CURL *h)
{
    sigset_t pipe, before, waiting;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&waiting);
    bool had = sigismember(&waiting, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    CURLcode rc = curl_easy_perform(h);
    struct timespec now = {0};
    if (!had)
        (void)sigtimedwait(&pipe, NULL, &now);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

/* In a callback, since libcurl takes one file only, which may be `ca_file`. One that is not there
 * is passed over, as OpenSSL itself does: nothing more is trusted then. */
static CURLcode add_trust(CURL *h UNUSED, void *tls, void *file)
{
    if (SSL_CTX_load_verify_file(tls, file) != 1)
        ERR_clear_error();
    return CURLE_OK;
}

struct err *client_perform(CURL *h)
{
    char *file = getenv("SSL_CERT_FILE");
    if (file != NULL && file[0] != '\0') {
        curl_easy_setopt(h, CURLOPT_SSL_CTX_FUNCTION, add_trust);
        curl_easy_setopt(h, CURLOPT_SSL_CTX_DATA, file);
    }
    CURLcode rc = perform(h);
    switch (rc) {
    case CURLE_OK:
        return NULL;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return err_new(ERR_INVALID, "The URL is not valid, or its scheme is not spoken here.");
    case CURLE_OPERATION_TIMEDOUT:
        return err_new(ERR_TIMEOUT, "The endpoint did not answer in time.");
    case CURLE_WRITE_ERROR:
        return err_new(ERR_LIMIT, "The endpoint's answer is too large.");
    default:
        return err_detail(err_new(ERR_IO, "The endpoint could not be reached."), "curl %d: %s",
                          (int)rc, curl_easy_strerror(rc));
    }
}

/* -- requests -------------------------------------------------------------------------------------
 */

struct reply {
    struct arena *a;
    struct buf body;
    size_t header_bytes;
    VEC(struct http_header) headers;
};

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct reply *r = arg;
    buf_add(&r->body, p, size * n);
    return buf_ok(&r->body) ? size * n : 0;
}

/* Each line of the head; an interim response (100) is followed by the real one. */
static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    struct reply *r = arg;
    struct str line = str_trim((struct str){p, size * n});
    if (str_starts_c(line, "HTTP/")) {
        r->headers.n = 0;
        r->header_bytes = 0;
    }
    r->header_bytes += size * n;
    if (r->header_bytes > IN_HEADER_BYTES_MAX || r->headers.n >= IN_HEADERS_MAX)
        return 0;
    ptrdiff_t colon = str_find_char(line, ':');
    if (colon > 0 && !str_starts_c(line, "HTTP/")) {
        struct http_header h = {
            arena_str(r->a, str_take(line, (size_t)colon)),
            arena_str(r->a, str_trim(str_skip(line, (size_t)colon + 1))),
        };
        VEC_PUSH(r->a, &r->headers, h);
    }
    return size * n;
}

static bool clean(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 127)
            return false;
    return true;
}

static void slist_free(struct curl_slist **l)
{
    curl_slist_free_all(*l);
}

static struct curl_slist *slist_add(struct curl_slist *list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(list, line);
    CHECK(longer != NULL);
    return longer;
}

static struct err *set_headers(struct arena *a, const struct http_out *req,
                               struct curl_slist **list)
{
    for (size_t i = 0; i < req->n_headers; i++) {
        struct str name = req->headers[i].name, value = req->headers[i].value;
        if (name.n == 0 || !clean(name) || str_find_char(name, ':') >= 0 || !clean(value))
            return err_new(ERR_INVALID, "A header to be sent is malformed.");
        /* "name:" alone would mean to libcurl that the header is to be left out. */
        struct str line = value.n > 0 ? arena_fmt(a, "%.*s: %.*s", STR_ARG(name), STR_ARG(value))
                                      : arena_fmt(a, "%.*s;", STR_ARG(name));
        *list = slist_add(*list, line.p);
    }
    *list = slist_add(*list, "Expect:");
    return NULL;
}

/* 169.254.0.0/16, fe80::/10, and fd00:ec2::/32, where the first has no IPv4. */
static bool is_link_local(const struct sockaddr *sa)
{
    static const unsigned char metadata[4] = {0xfd, 0x00, 0x0e, 0xc2};
    const unsigned char *p;
    if (sa->sa_family == AF_INET) {
        p = (const void *)&((const struct sockaddr_in *)(const void *)sa)->sin_addr;
        return p[0] == 169 && p[1] == 254;
    }
    const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
    p = six->s6_addr;
    if (IN6_IS_ADDR_V4MAPPED(six))
        return p[12] == 169 && p[13] == 254;
    return IN6_IS_ADDR_LINKLOCAL(six) || memcmp(p, metadata, sizeof metadata) == 0;
}

/* Judges the address that is really called, whatever a name stood for when somebody looked. */
static curl_socket_t open_foreign(void *arg, curlsocktype purpose UNUSED, struct curl_sockaddr *a)
{
    bool *refused = arg;
    if (!is_link_local(&a->addr))
        return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
    *refused = true;
    return CURL_SOCKET_BAD;
}

static void set_body(CURL *h, const struct http_out *req)
{
    curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, req->method);
    if (strcmp(req->method, "HEAD") == 0) {
        curl_easy_setopt(h, CURLOPT_NOBODY, 1L);
    } else if (req->body.n > 0 || strcmp(req->method, "POST") == 0 ||
               strcmp(req->method, "PUT") == 0) {
        curl_easy_setopt(h, CURLOPT_POSTFIELDS, req->body.n > 0 ? req->body.p : "");
        curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body.n);
    }
}

static struct err *receive(CURL *h, struct reply *r, struct http_in *out)
{
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(h, CURLOPT_HEADERDATA, r);
    struct err *e = client_perform(h);
    if (e == NULL) {
        long status = 0;
        curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
        out->status = (int)status;
        struct str body = buf_view(&r->body);
        out->body = arena_str(r->a, body.n > 0 ? body : STR(""));
        out->headers = r->headers.v;
        out->n_headers = r->headers.n;
    }
    buf_clear(&r->body);
    return e;
}

struct err *http_send(struct arena *a, const struct http_out *req, struct http_in *out)
{
    if (req->url.n == 0 || req->url.n > URL_MAX || !clean(req->url))
        return err_new(ERR_INVALID, "The URL is not valid.");
    CURL *h = client_handle();
    struct curl_slist *list CLEANUP(slist_free) = NULL;
    TRY(set_headers(a, req, &list));
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_URL, arena_cstr(a, req->url));
    curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(h, CURLOPT_TIMEOUT_MS,
                     (long)(req->timeout_ms > 0 ? req->timeout_ms : HTTP_OUT_TIMEOUT_MS));
    if (req->ca_file != NULL)
        curl_easy_setopt(h, CURLOPT_CAINFO, req->ca_file);
    bool refused = false;
    if (req->foreign) {
        curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, open_foreign);
        curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, &refused);
    }
    set_body(h, req);
    struct reply r = {.a = a, .body = BUF_INIT(HTTP_OUT_BODY_MAX)};
    struct err *e = receive(h, &r, out);
    curl_easy_reset(h); /* it must not keep pointers to what is ours */
    if (e == NULL || !refused)
        return e;
    err_free(e);
    return err_new(ERR_INVALID, "The URL leads to a link-local address, which is not called.");
}
