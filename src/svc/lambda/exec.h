/* exec.h: private to the Lambda room: how functions run.
 *
 * An invocation is what a caller waits for (or a job stands for). dispatch() gives it to an
 * execution environment: an idle one of the same version of the function, or a new one. Each
 * environment has a thread, which alone touches its process, sockets and buffers; what others may
 * touch is guarded by the dispatcher's lock (dispatch.c), which is never held across I/O.
 *
 * Inside the sandbox init.c listens for the function and hands each accepted connection up as a
 * descriptor over one inherited socket: connections to the Runtime API are answered by runtime.c,
 * those to Ward's endpoint are copied to it by relay.c. The function reaches nothing else. */
#ifndef WARD_SVC_LAMBDA_EXEC_H
#define WARD_SVC_LAMBDA_EXEC_H

#include "room.h"

#include "http/parser.h"
#include "logs_model.h"

#include <stdatomic.h>

enum {
    EXEC_CONNS_MAX = 8,    /* to the Runtime API */
    EXEC_RELAYS_MAX = 64,  /* to Ward's endpoint */
    EXEC_RELAY_BYTES = 64 * 1024,
    EXEC_RUNTIME_PORT = 9001,
    EXEC_PROCESSES_MAX = 1024,
    EXEC_FILES_MAX = 1024,
    EXEC_OVERHEAD_MB = 64, /* beside MemorySize: what the sandbox itself takes */
    EXEC_LINE_MAX = 64 * 1024,
    EXEC_BATCH_BYTES = 256 * 1024, /* of log lines and what each costs, before they are written */
    EXEC_BATCH_MS = 1000,
    EXEC_QUEUE_BYTES = 16 * 1024 * 1024,
};

/* What init.c says on the control socket, the first byte of a packet. */
enum { SAY_READY = 'H', SAY_RUNTIME = 'R', SAY_AWS = 'A', SAY_EXIT = 'X', SAY_NO_EXEC = 'E' };

/* -- invocations ------------------------------------------------------------------------------- */
struct invocation {
    _Atomic int refs;
    struct ward *ward;
    struct arena *arena; /* the caller's until dispatch(), then the environment's until done */
    char id[37];
    struct str account, region, name, arn, role;
    struct str payload, client_context;
    /* Called once when it is done, on the environment's thread; NULL: wakes "lambda/ID". */
    void (*finished)(struct invocation *v);
    void *ctx;

    _Atomic bool done; /* what follows is complete */
    struct err *refused;        /* nothing was run: throttled, no sandbox… */
    const char *function_error; /* "Unhandled", or NULL */
    struct str result;
    char tail[LAMBDA_TAIL_BYTES]; /* the end of its log */
    size_t tail_n;
};
struct invocation *invocation_new(struct ward *w, const struct function *f, struct str payload,
                                  struct str client_context);
void invocation_unref(void *v);
/* Takes over a reference; makes it done. `result` is copied. */
void invocation_finish(struct invocation *v, struct err *refused, const char *function_error,
                       struct str result);

/* Gives it to an environment, with a reference of its own. Errors: TooManyRequestsException 429. */
struct err *dispatch(struct invocation *v, const struct function *f) MUST_CHECK;
void dispatch_retire(void *arn); /* a C string: its environments take no more calls */

/* -- log lines --------------------------------------------------------------------------------- */
struct output {
    struct ward *ward;
    struct str account, region, name, role, stream; /* the environment's */
    struct arena *arena;                            /* of the batch; NULL: none begun */
    VEC(struct logs_InputLogEvent) events;
    size_t bytes, dropped;
    int64_t last_ms, begun_ms;
    bool made; /* the stream was asked for */
    struct buf line;
    char ring[LAMBDA_TAIL_BYTES]; /* the last bytes of what was printed */
    size_t ring_at, ring_n;       /* where the next byte goes; how many there are */
};
size_t output_tail(const struct output *o, char out[LAMBDA_TAIL_BYTES]);
void output_add(struct output *o, struct str bytes); /* as printed, in any pieces */
void output_line(struct output *o, const char *fmt, ...) PRINTF_LIKE(2, 3);
void output_flush(struct output *o);
void output_clear(struct output *o);
struct err *output_start(struct ward *w) MUST_CHECK; /* the thread that writes batches */
void output_stop(void);                              /* after what is queued was tried */

/* -- sandboxes --------------------------------------------------------------------------------- */
struct sandbox_spec {
    const char *code_dir, *ca_file; /* ca_file NULL: none */
    struct str init;                /* what init.c reads: strings ended by NUL */
    int64_t memory_mb, ephemeral_mb;
    const char *id;
};
struct sandbox {
    int pid, control, output; /* descriptors do not block */
    char cgroup[64];          /* name, or "" */
};
struct err *sandbox_start(const struct sandbox_spec *s, struct sandbox *out) MUST_CHECK;
void sandbox_kill(struct sandbox *s); /* and waits for the end of all in it */
/* Bytes at most used, or 0 where the machine does not tell. */
int64_t sandbox_memory_used(const struct sandbox *s);
/* cgroup.c: where Ward may make them; *out_procs are descriptors to write "0" to, -1: none. */
enum { CGROUP_PROCS_MAX = 2 };
void cgroup_make(const char *env_id, int64_t memory_mb, int64_t ephemeral_mb, char name[64],
                 int out_procs[CGROUP_PROCS_MAX]);
void cgroup_remove(const char *name);
void cgroup_sweep(void); /* those of Wards that are no more */
int64_t cgroup_memory_peak(const char *name);

/* -- environments ------------------------------------------------------------------------------ */
struct env;
struct rt_conn { /* one connection to the Runtime API */
    int fd; /* -1: free */
    struct http_head head;
    struct http_chunks chunks;
    struct buf in, out;
    size_t out_at, decoded;
    bool in_body, waiting, closing;
    bool chunked;
    int64_t length;
    char method[8], path[160], error_type[64];
};
struct relay {
    int fd[2]; /* the function's side, Ward's side; -1: free */
    char *bytes[2];
    size_t at[2], n[2]; /* bytes[i] come from fd[i], for the other */
    bool ended[2], shut[2], connecting;
};

/* relay.c: a function's socket is answered at once, and what it sends is acknowledged at once: many
 * a runtime writes head and body apart, and would wait 40 ms between them (Nagle, delayed ACK). */
void socket_prompt(int fd, bool quickack_alone);

/* runtime.c */
void rt_open(struct rt_conn *k, int fd);
void rt_close(struct rt_conn *k);
short rt_events(const struct rt_conn *k);
void rt_ready(struct env *e, struct rt_conn *k, short events);
void rt_answer(struct rt_conn *k, int status, const char *extra_headers, struct str body);

/* relay.c */
struct err *relay_open(struct relay *r, int fd, const char *endpoint) MUST_CHECK;
void relay_close(struct relay *r);
short relay_events(const struct relay *r, int side);
void relay_ready(struct relay *r, int side, short events);

/* env.c: the thread's start, and what the Runtime API asks of it. */
struct env_slot { /* guarded by the dispatcher's lock */
    struct env_slot *next;
    struct str account, region, name, arn, id;
    uint64_t code_id;
    int64_t modified_ms, memory_mb, idle_since_ms;
    bool idle, busy, retired; /* busy: counts for the function's concurrency */
    struct invocation *given;
    int wake; /* eventfd */
    struct arena *arena;
    struct ward *ward;
};
void *env_main(void *slot); /* a thread */
void env_next(struct env *e, struct rt_conn *k);
/* `body` of the invocation in hand; false: another id than that. */
bool env_answered(struct env *e, struct str id, struct str body, bool is_error);
void env_init_error(struct env *e, struct str body);
void env_too_large(struct env *e);

/* dispatch.c, for env.c */
enum slot_wish { SLOT_STAY, SLOT_RETIRE, SLOT_STOP }; /* end when free; end at once */
struct invocation *slot_take(struct env_slot *s, enum slot_wish *out_wish);
/* Idle again; false: it is retired and must end. */
bool slot_idle(struct env_slot *s);
/* Retired by its own wish (idle too long, dead); false: an invocation was given to it meanwhile. */
bool slot_leave(struct env_slot *s);
void slot_gone(struct env_slot *s); /* the last word of its thread; frees it */
/* The unpacked code of a version, shared; released when the environment ends. */
struct err *unpacked_get(struct ward *w, const struct function *f, struct txn *t,
                         struct arena *a, const char **out_dir) MUST_CHECK;
void unpacked_put(const char *dir);

#endif
