/* help.h: a server with a handler that tells what happened, and a client made of plain sockets. */
#ifndef WARD_HTTP_TEST_HELP_H
#define WARD_HTTP_TEST_HELP_H

#include "../server_int.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* What the handler does goes by the path:
 *   /echo     collects (body_max 1 MiB) and sends back         /none   204
 *   /count    streams; answers with the number of bytes        /refuse refuses at the head, 403
 *   /early    streams; answers 403 at the first piece          /park   answered by the test
 *   /down/N   N bytes drawn, with a length                     /chunks/N the same, chunked
 *   /cut/N    claims twice N bytes and fails after N           /hold   streams, waits in on_data
 *   /peer     peer, TLS version and SNI as text                /big    a body of 4 MiB at once */
struct fix {
    struct http_server *server;
    struct pool *pool;
    struct ca *ca;
    int port;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    int heads, datas, ends, dones, gones, body_errors, fills, sources_done;
    size_t bytes, piece_max;
    bool bytes_wrong;
    bool hold;
    struct http_exchange *parked;
};

void fix_start(struct fix *f, bool tls, const struct http_timeouts *t, int workers, size_t queue);
void fix_stop(struct fix *f);
void fix_wait(struct fix *f, const int *counter, int least); /* fails the test after 20 s */
void fix_release(struct fix *f);                             /* /hold goes on */
struct http_exchange *fix_parked(struct fix *f);             /* waits for one and takes it */

/* The byte at place i of every long body. */
char pattern(size_t i);

int dial(int port);
void put(int fd, struct str s);
void put_c(int fd, const char *text);

struct reply {
    int status;
    char *all; /* head and body as received, NUL-terminated; free it */
    size_t n, head_n;
    struct str body; /* not unchunked */
};
/* The next response; by Content-Length, or all until the end of a chunked body. */
struct reply get_reply(int fd, bool head_request);
void reply_free(struct reply *r);
bool reply_says(const struct reply *r, const char *text); /* in the head */

/* All until the other side closes; arena memory is not used: free .p. */
struct str read_to_end(int fd);
bool closed_by_peer(int fd); /* waits up to 20 s */
size_t rss_bytes(void);

#endif
