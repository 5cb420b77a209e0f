/* server_int.h: what the server's own files share. Nobody else includes this, but for the tests,
 * which shorten the time-outs.
 *
 * How a connection is owned. A struct conn belongs to exactly one thread at a time: its loop, or
 * the worker that runs its callbacks. Its `word` says which:
 *   CONN_BUSY      a worker has it, or it lies in the loop's inbox or queue. While this is set the
 *                  loop does not look into it and only notes events as bits beside it.
 *   CONN_ANSWERED  http_respond was called. If CONN_BUSY was set then, its holder will see the bit;
 *                  if not, the exchange was parked and the caller puts it into the loop's inbox.
 * A worker gives a connection back by changing the word from CONN_BUSY alone to 0; if other bits
 * came in the meantime that fails, and it goes on with them. So on the usual path (request, answer
 * at once) the worker writes the answer itself, and the loop is not woken at all.
 *
 * The sockets are watched edge-triggered, for everything, once: no system call to change that. */
#ifndef WARD_HTTP_SERVER_INT_H
#define WARD_HTTP_SERVER_INT_H

#include "parser.h"
#include "server.h"

#include <openssl/ssl.h>
#include <pthread.h>

enum {
    CONN_BUSY = 1,
    CONN_IN = 2,   /* something to read */
    CONN_OUT = 4,  /* room to write */
    CONN_HUP = 8,  /* the client closed its side */
    CONN_DEAD = 16, /* both sides are closed, or the connection failed */
    CONN_ANSWERED = 32,
    CONN_EVENTS = CONN_IN | CONN_OUT | CONN_HUP | CONN_DEAD,
};

enum {
    HTTP_LOOPS_MAX = 16,
    HTTP_IN_FIRST = 4 * 1024,     /* the first buffer for a head */
    HTTP_LINGER_MS = 2000,        /* waiting for a client to take a last answer */
    HTTP_LINGER_BYTES = 64 * 1024 * 1024,
    HTTP_RATE_WINDOW_MS = 60000,
    HTTP_CERTS_MAX = 256,         /* leaves kept */
    HTTP_CERT_RENEW_DAYS = 30,    /* a leaf that old is issued anew */
    HTTP_BUFFERED_MAX = 512 * 1024 * 1024, /* bodies in memory, all connections together */
    HTTP_STEPS_MAX = 64,          /* of one connection before others have their turn */
    HTTP_RETRY_MS = 5,            /* the pool's queue was full */
    HTTP_LEAN_MS = 1000,          /* a connection quiet for so long gives TLS's buffers back */
};

struct http_timeouts {
    int64_t head_ms, idle_ms, stall_ms, rate_window_ms, linger_ms;
    int64_t rate_min; /* bytes a second */
    int connections_max;
};
extern const struct http_timeouts http_timeouts_usual;

/* What a connection waits for, or what is to be done with it next. */
enum conn_state {
    CONN_HANDSHAKE,
    CONN_HEAD,
    CONN_ON_HEAD, /* worker */
    CONN_BODY,
    CONN_ON_END, /* worker */
    CONN_ON_FAULT, /* worker */
    CONN_WAIT,   /* parked */
    CONN_WRITE,
    CONN_DONE, /* worker */
    CONN_LINGER,
    CONN_CLOSED,
};

enum step { STEP_NEXT, STEP_BLOCKED, STEP_WORKER, STEP_YIELD, STEP_CLOSED };

struct exchange {
    struct http_exchange x; /* first: http_respond comes back from it */
    struct conn *conn;
    bool begun;    /* on_head was called, so on_done is owed */
    bool answered; /* http_respond was called */
    bool whole;    /* the body has come completely */
    enum http_body_mode mode;
    int64_t left; /* of a body with a length */
    struct http_chunks chunks;
    char *body; /* HTTP_BODY_BUFFER, unless it lies in conn->in */
    size_t body_n, body_cap;
    /* the response */
    char *out;
    size_t out_n, out_cap;
    bool close;
    int fault_status; /* what is wrong with the body, for on_fault */
    const char *fault_words;
    bool has_source, source_chunked, source_drawn, source_ended;
    int64_t source_left;
    struct http_source source;
    struct http_head head;
};

struct conn {
    struct conn *next, *prev; /* of the loop's connections */
    struct conn *queue_next;  /* in the inbox, or among those that wait for the pool */
    struct loop *loop;
    unsigned word; /* atomic */
    enum conn_state state;
    enum step step; /* how the last run of conn_drive ended */
    int fd;
    bool listed;
    bool readable; /* no EAGAIN seen since the last event */
    bool hup, dead, close, answered;
    SSL *ssl;
    char *in; /* head, and what came after it */
    size_t in_start, in_end, in_cap;
    char *piece; /* of a body, HTTP_PIECE bytes */
    size_t rest_start, rest_end; /* in piece, behind the body's end: the next request */
    char *out; /* what is being written */
    size_t out_n, out_at, out_cap;
    struct exchange *ex;
    int64_t since_ms;   /* state: idle, head, lingering */
    int64_t blocked_ms; /* since then nothing was read or written; 0: not blocked */
    int64_t waited_ms, window_bytes; /* for the rate of a body */
    int64_t lingered;
    char peer[48];
};

struct loop {
    struct http_server *server;
    int epoll, wake;
    pthread_t thread;
    pthread_mutex_t lock; /* of inbox; held for a few instructions and one eventfd write */
    struct conn *inbox;
    struct conn *conns; /* the rest is the loop's alone */
    struct conn *waiting;
    size_t n_conns;
    int64_t swept_ms;
};

enum server_phase { SERVER_RUNNING, SERVER_ENDING, SERVER_FORCED };

struct certs;

struct http_server {
    struct http_timeouts t;
    struct pool *pool;
    struct http_handler handler;
    struct certs *certs; /* NULL: plain */
    SSL_CTX *tls;
    int listen_fd, spare_fd, port;
    int phase;          /* atomic, enum server_phase */
    int connections;    /* atomic */
    int64_t buffered;   /* atomic */
    unsigned next_loop; /* the acceptor's */
    int64_t sweep_ms;
    pthread_mutex_t lock; /* of running */
    pthread_cond_t ended;
    int running;
    int n_loops;
    struct loop loops[HTTP_LOOPS_MAX];
};

struct err *http_server_start_with(const struct http_server_options *o,
                                   const struct http_timeouts *t,
                                   struct http_server **out) MUST_CHECK;

/* loop.c */
struct err *loop_init(struct loop *l, struct http_server *s) MUST_CHECK;
void loop_clear(struct loop *l);
void *loop_main(void *arg);
void loop_wake(struct loop *l);
void loop_inbox(struct loop *l, struct conn *c);
bool server_phase_is(const struct http_server *s, enum server_phase at_least);

/* conn.c: the life of a connection. Whoever owns it drives it until it blocks. */
enum step conn_drive(struct conn *c, bool worker);
void conn_take(struct conn *c, unsigned mask); /* moves bits of the word into the fields */
void conn_job(void *conn);                     /* conn_drive on a worker */
void conn_timed(struct conn *c, int64_t now_ms);
void conn_free(struct conn *c);
void conn_answer(struct conn *c);              /* begins to write what http_respond left */
/* The body failed: the handler may answer, else conn_refuse() does. */
void conn_fault(struct conn *c, int status, const char *words);
/* The server's own answer; closes after it. */
void conn_refuse(struct conn *c, int status, const char *words);

/* body.c: the request's body. */
enum step body_step(struct conn *c, bool worker);
void body_free(struct exchange *e);

/* sock.c: plain or TLS, never blocking. */
enum { SOCK_AGAIN = -1, SOCK_FAILED = -2 };
ptrdiff_t sock_recv(struct conn *c, void *p, size_t n); /* 0: the client's end */
ptrdiff_t sock_send(struct conn *c, const void *p, size_t n);
bool sock_pending(const struct conn *c); /* a read may give something */
void sock_lean(struct conn *c);          /* gives buffers back that hold nothing */
int sock_handshake(struct conn *c);      /* 1: done, or the above */
void sock_shutdown(struct conn *c);      /* our side: no more will be sent */
struct err *sock_tls(struct conn *c) MUST_CHECK;

/* tls.c */
struct err *tls_context(struct http_server *s, const struct http_server_options *o) MUST_CHECK;
void tls_free(struct http_server *s);

/* respond.c */
void respond_build(struct exchange *e, int status, const struct http_header *headers, size_t n,
                   struct str body, int64_t content_length);

#endif
