/* One execution environment: started for its first invocation, kept warm for the next ones, ended
 * when idle too long, retired, timed out or dead. Everything here runs on its own thread. */
#include "exec.h"

#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ENV_ARENA = 256 * 1024,
    START_ARENA = LAMBDA_ZIP_MAX * 2 + 32 * 1024 * 1024,
    POLLS = 3 + EXEC_CONNS_MAX + 2 * EXEC_RELAYS_MAX,
    READ_BYTES = 64 * 1024,
    INIT_TEXT_MAX = 60 * 1024,
    ERROR_TEXT_MAX = 1024,
};

struct env {
    struct env_slot *slot;
    struct arena *arena;
    char id[33];
    struct sandbox box;
    bool started, ready; /* the sandbox stands; the bootstrap asked for its first invocation */
    bool served;         /* and has answered one */
    bool over;           /* the process is gone or must go */
    const char *code_dir;
    struct output log;
    struct rt_conn conns[EXEC_CONNS_MAX];
    struct relay relays[EXEC_RELAYS_MAX];

    struct function f; /* as it stood at the start; its text in the arena */
    int64_t born_ms, ready_ms;
    struct invocation *inv; /* in hand */
    bool sent;              /* the bootstrap has it */
    int64_t sent_us, deadline_ms, idle_since_ms;
    int exit_status, exec_errno;
    struct str init_error;
};

/* -- starting ---------------------------------------------------------------------------------- */

/* Short-lived credentials of the execution role, by way of STS: its trust policy is asked each
 * time, and the call is on record. */
static struct err *credentials(struct env *e, struct arena *a, const struct jv **out)
{
    const struct function *f = &e->f;
    struct api_call o = {.ward = e->slot->ward, .as = AS_SERVICE, .service = LAMBDA_SERVICE,
                         .account = f->account, .region = f->region, .source_arn = f->arn,
                         .arena = a};
    struct jv *in = jv_new_obj(a), *got;
    jv_put(a, in, "RoleArn", f->role);
    /* A session's name has two characters at least. */
    jv_put(a, in, "RoleSessionName", f->name.n > 1 ? f->name : arena_concat(a, f->name, STR("-")));
    struct err *err = api_call_json(&o, "sts", "AssumeRole", in, false, &got);
    if (err == NULL) {
        *out = jv_get(got, "Credentials");
        return NULL;
    }
    if (!err_has_code(err, "AccessDenied"))
        return err;
    err_free(err);
    return err_aws(403, "AccessDeniedException",
                   "The role defined for the function cannot be assumed by Lambda.");
}

static void put_string(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void put_string(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vfmt(b, fmt, ap);
    va_end(ap);
    buf_char(b, '\0');
}

static void put_var(struct buf *b, const char *key, struct str value)
{
    put_string(b, "%s=%.*s", key, STR_ARG(value));
}

/* The endpoint inside: the same port, on loopback. */
struct place {
    char host[64], port[8];
    bool six;
};

static void endpoint_inside(const char *endpoint, struct place *out)
{
    const char *host = strstr(endpoint, "://"), *port = strrchr(endpoint, ':');
    host = host == NULL ? endpoint : host + 3;
    out->six = strncmp(host, "[::1]", 5) == 0;
    bool loopback = strncmp(host, "127.", 4) == 0;
    size_t n = port != NULL && port > host ? (size_t)(port - host) : 0;
    snprintf(out->host, sizeof out->host, "%.*s", loopback ? (int)n : out->six ? 3 : 9,
             loopback ? host : out->six ? "::1" : "127.0.0.1");
    snprintf(out->port, sizeof out->port, "%s", port != NULL ? port + 1 : "0");
}

/* https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html */
static void put_environment(struct env *e, struct buf *b, const struct jv *creds,
                            const struct place *at)
{
    const struct function *f = &e->f;
    const struct ward *w = e->slot->ward;
    const struct jv *own = jv_get(f->row, "env");
    static const char *const defaults[][2] = {
        {"TZ", ":UTC"},
        {"LANG", "en_US.UTF-8"},
        {"PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin"},
        {"LD_LIBRARY_PATH", "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:"
                            "/var/task/lib:/opt/lib"}};
    for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
        if (jv_get(own, defaults[i][0]) == NULL)
            put_string(b, "%s=%s", defaults[i][0], defaults[i][1]);
    put_var(b, "_HANDLER", f->handler);
    put_var(b, "AWS_LAMBDA_FUNCTION_NAME", f->name);
    put_string(b, "AWS_LAMBDA_FUNCTION_VERSION=$LATEST");
    put_string(b, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=%lld", (long long)f->memory_mb);
    put_string(b, "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand");
    put_string(b, "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/%.*s", STR_ARG(f->name));
    put_var(b, "AWS_LAMBDA_LOG_STREAM_NAME", e->log.stream);
    put_string(b, "AWS_LAMBDA_RUNTIME_API=127.0.0.1:%d", EXEC_RUNTIME_PORT);
    put_string(b, "LAMBDA_TASK_ROOT=/var/task");
    put_string(b, "LAMBDA_RUNTIME_DIR=/var/runtime");
    put_var(b, "AWS_REGION", f->region);
    put_var(b, "AWS_DEFAULT_REGION", f->region);
    put_var(b, "AWS_ACCESS_KEY_ID", jv_s(jv_get(creds, "AccessKeyId")));
    put_var(b, "AWS_SECRET_ACCESS_KEY", jv_s(jv_get(creds, "SecretAccessKey")));
    put_var(b, "AWS_SESSION_TOKEN", jv_s(jv_get(creds, "SessionToken")));
    if (jv_get(own, "AWS_ENDPOINT_URL") == NULL)
        put_string(b, "AWS_ENDPOINT_URL=%s://%s%s%s:%s",
                   strncmp(w->endpoint, "https", 5) == 0 ? "https" : "http", at->six ? "[" : "",
                   at->host, at->six ? "]" : "", at->port);
    if (w->ca_file != NULL && jv_get(own, "AWS_CA_BUNDLE") == NULL)
        put_string(b, "AWS_CA_BUNDLE=/var/runtime/ca.pem");
    if (w->ca_file != NULL && jv_get(own, "SSL_CERT_FILE") == NULL)
        put_string(b, "SSL_CERT_FILE=/var/runtime/ca.pem");
    for (size_t i = 0; i < jv_len(own); i++)
        put_string(b, "%.*s=%.*s", STR_ARG(own->obj.v[i].key),
                   STR_ARG(jv_s(&own->obj.v[i].value)));
}

static struct err *init_text(struct env *e, const struct jv *creds, struct buf *b)
{
    const int64_t mb = 1024 * 1024;
    struct place at;
    endpoint_inside(e->slot->ward->endpoint, &at);
    put_string(b, "%d", EXEC_RUNTIME_PORT);
    put_string(b, "%s", at.host);
    put_string(b, "%s", at.port);
    put_string(b, "%lld", (long long)((e->f.memory_mb + EXEC_OVERHEAD_MB) * mb));
    put_string(b, "%d", EXEC_PROCESSES_MAX);
    put_string(b, "%d", EXEC_FILES_MAX);
    put_string(b, "%lld", (long long)(e->f.ephemeral_mb * mb));
    put_environment(e, b, creds, &at);
    return buf_check(b);
}

static void name_stream(struct env *e)
{
    struct time_parts t = time_parts_of(clock_now_ms());
    snprintf(e->id, sizeof e->id, "%016llx%016llx", (unsigned long long)rand_u64(),
             (unsigned long long)rand_u64());
    e->log = (struct output){.ward = e->slot->ward, .account = e->f.account,
                             .region = e->f.region, .name = e->f.name, .role = e->f.role,
                             .line = BUF_INIT(EXEC_LINE_MAX)};
    e->log.stream = arena_fmt(e->arena, "%04d/%02d/%02d/[$LATEST]%s", t.year, t.month, t.day,
                              e->id);
}

static struct err *load_function(struct env *e, struct arena *a)
{
    struct env_slot *s = e->slot;
    struct txn *t CLEANUP(txn_abort) = NULL;
    bool found;
    TRY(store_begin(s->ward->store, TXN_READ, &t));
    TRY(function_read(t, e->arena, s->account, s->region, s->name, &e->f, &found));
    if (!found)
        return err_aws(404, "ResourceNotFoundException", "Function not found: %.*s",
                       STR_ARG(s->arn));
    return unpacked_get(s->ward, &e->f, t, a, &e->code_dir);
}

static void wipe_text(struct buf *b)
{
    secret_wipe(b->p, b->cap);
    buf_clear(b);
}

static void wipe_credentials(const struct jv *creds)
{
    static const char *const names[] = {"SecretAccessKey", "SessionToken"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct str s = jv_s(jv_get(creds, names[i]));
        secret_wipe((void *)(uintptr_t)s.p, s.n);
    }
}

static struct err *start(struct env *e)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(START_ARENA);
    const struct jv *creds;
    struct buf text CLEANUP(wipe_text) = BUF_INIT(INIT_TEXT_MAX);
    buf_reserve(&text, INIT_TEXT_MAX); /* all at once: growing would leave copies behind */
    TRY(load_function(e, a));
    name_stream(e);
    TRY(credentials(e, a, &creds));
    struct err *err = init_text(e, creds, &text);
    wipe_credentials(creds);
    TRY(err);
    struct sandbox_spec spec = {.code_dir = e->code_dir, .ca_file = e->slot->ward->ca_file,
                                .init = buf_view(&text), .memory_mb = e->f.memory_mb,
                                .ephemeral_mb = e->f.ephemeral_mb, .id = e->id};
    TRY(sandbox_start(&spec, &e->box));
    e->started = true;
    output_line(&e->log, "INIT_START Runtime Version: %.*s", STR_ARG(e->f.runtime));
    return NULL;
}

/* -- invocations ------------------------------------------------------------------------------- */

/* What was printed until now, and no more: who never stops printing must not hold us here. */
static void drain_output(struct env *e)
{
    char bytes[READ_BYTES];
    int left = 0;
    if (ioctl(e->box.output, FIONREAD, &left) != 0)
        return;
    while (left > 0) {
        ssize_t n = read(e->box.output, bytes, left < READ_BYTES ? (size_t)left : READ_BYTES);
        if (n <= 0)
            return;
        output_add(&e->log, str_of(bytes, (size_t)n));
        left -= (int)n;
    }
}

static void log_start(struct env *e)
{
    output_line(&e->log, "START RequestId: %s Version: $LATEST", e->inv->id);
}

static void report(struct env *e, const char *status)
{
    const char *id = e->inv->id;
    int64_t us = e->sent ? clock_mono_us() - e->sent_us : 0;
    int64_t used = sandbox_memory_used(&e->box) / (1024 * 1024);
    char more[128] = "";
    if (used > 0)
        snprintf(more, sizeof more, "\tMax Memory Used: %lld MB", (long long)used);
    if (e->ready_ms > 0) {
        size_t n = strlen(more);
        snprintf(more + n, sizeof more - n, "\tInit Duration: %lld.00 ms",
                 (long long)(e->ready_ms - e->born_ms));
        e->ready_ms = 0; /* told once */
    }
    if (!e->sent)
        log_start(e);
    output_line(&e->log, "END RequestId: %s", id);
    output_line(&e->log,
                "REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %lld ms\t"
                "Memory Size: %lld MB%s%s",
                id, (double)us / 1000, (long long)(us + 999) / 1000, (long long)e->f.memory_mb,
                more, status);
}

/* Ends the invocation in hand, log first, so that its tail is whole. */
static void finish(struct env *e, const char *function_error, struct str result,
                   const char *status)
{
    struct invocation *v = e->inv;
    drain_output(e);
    report(e, status);
    v->tail_n = output_tail(&e->log, v->tail);
    output_flush(&e->log);
    e->inv = NULL;
    e->sent = false;
    e->idle_since_ms = clock_mono_ms();
    if (!e->over && clock_mono_ms() - e->born_ms <= LAMBDA_AGE_MAX_MS)
        e->over = !slot_idle(e->slot);
    else
        e->over = slot_leave(e->slot); /* always: nothing is given to the busy */
    invocation_finish(v, NULL, function_error, result);
}

static void fail(struct env *e, const char *type, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void fail(struct env *e, const char *type, const char *fmt, ...)
{
    char message[ERROR_TEXT_MAX], status[128] = "";
    struct buf b CLEANUP(buf_clear) = BUF_INIT(4096);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    struct jw w = jw_to(&b);
    jw_obj(&w);
    if (type != NULL)
        jw_kc(&w, "errorType", type);
    jw_kc(&w, "errorMessage", message);
    jw_end(&w);
    if (type != NULL)
        snprintf(status, sizeof status, "\tStatus: error\tError Type: %s", type);
    else
        snprintf(status, sizeof status, "\tStatus: timeout");
    e->over = true; /* the process is not used again */
    finish(e, "Unhandled", buf_view(&b), status);
}

static void begin(struct env *e, struct invocation *v)
{
    int64_t now = clock_mono_ms();
    e->inv = v;
    e->sent = false;
    e->deadline_ms = now + e->f.timeout_s * 1000 + (e->ready ? 0 : LAMBDA_INIT_MS);
    e->log.ring_n = 0;
}

static void send_invocation(struct env *e, struct rt_conn *k)
{
    struct invocation *v = e->inv;
    struct str context;
    struct buf h CLEANUP(buf_clear) = BUF_INIT(16384);
    int64_t now = clock_now_ms(), ms = e->f.timeout_s * 1000;
    log_start(e);
    e->sent = true;
    e->sent_us = clock_mono_us();
    e->deadline_ms = clock_mono_ms() + ms;
    buf_fmt(&h,
            "Lambda-Runtime-Aws-Request-Id: %s\r\nLambda-Runtime-Deadline-Ms: %lld\r\n"
            "Lambda-Runtime-Invoked-Function-Arn: %.*s\r\n"
            "Lambda-Runtime-Trace-Id: Root=1-%08llx-%.24s;Sampled=0\r\n",
            v->id, (long long)(now + ms), STR_ARG(v->arn), (long long)now / 1000, e->id);
    if (v->client_context.n > 0 && dec_base64(v->arena, v->client_context, &context) &&
        memchr(context.p, '\n', context.n) == NULL && memchr(context.p, '\r', context.n) == NULL)
        buf_fmt(&h, "Lambda-Runtime-Client-Context: %.*s\r\n", STR_ARG(context));
    buf_char(&h, '\0');
    rt_answer(k, 200, buf_ok(&h) ? h.p : "", v->payload);
}

void env_next(struct env *e, struct rt_conn *k)
{
    if (!e->ready) {
        e->ready = true;
        e->ready_ms = clock_mono_ms();
    }
    if (e->inv != NULL && !e->sent)
        send_invocation(e, k);
}

bool env_answered(struct env *e, struct str id, struct str body, bool is_error)
{
    if (e->inv == NULL || !e->sent || !str_is(id, e->inv->id))
        return false;
    e->served = true;
    finish(e, is_error ? "Unhandled" : NULL, body, "");
    return true;
}

void env_init_error(struct env *e, struct str body)
{
    if (!e->ready)
        e->init_error = arena_str(e->arena, str_take(body, ENV_ARENA / 4));
}

void env_too_large(struct env *e)
{
    if (e->inv != NULL && e->sent)
        fail(e, "Function.ResponseSizeTooLarge",
             "Response payload size exceeded maximum allowed payload size (%d bytes).",
             LAMBDA_PAYLOAD_MAX);
}

/* -- its end ----------------------------------------------------------------------------------- */

/* A runtime may end after an answer. What it was given meanwhile and never saw goes to another
 * environment; this one has left. */
static void hand_on(struct env *e, struct invocation *v)
{
    struct err *err = dispatch(v, &e->f);
    if (err != NULL)
        invocation_finish(v, err, NULL, STR_NONE);
    else
        invocation_unref(v);
}

static void died(struct env *e)
{
    struct invocation *v = e->inv;
    if (v == NULL)
        return;
    if (e->served && !e->sent) {
        e->inv = NULL;
        (void)slot_leave(e->slot); /* it is busy, so nothing more was given to it */
        hand_on(e, v);
        return;
    }
    drain_output(e);
    int st = e->exit_status;
    if (e->exec_errno != 0)
        fail(e, "Runtime.InvalidEntrypoint",
             e->exec_errno == ENOENT
                 ? "RequestId: %s Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap "
                   "/opt/bootstrap]"
                 : "RequestId: %s Error: fork/exec /var/task/bootstrap: it cannot be executed",
             v->id);
    else if (e->init_error.p != NULL)
        finish(e, "Unhandled", e->init_error, "\tStatus: error\tError Type: Runtime.InitError");
    else if (WIFSIGNALED(st))
        fail(e, "Runtime.ExitError", "RequestId: %s Error: Runtime exited with error: signal: %s",
             v->id, sigdescr_np(WTERMSIG(st)) != NULL ? sigdescr_np(WTERMSIG(st)) : "unknown");
    else if (WEXITSTATUS(st) != 0)
        fail(e, "Runtime.ExitError",
             "RequestId: %s Error: Runtime exited with error: exit status %d", v->id,
             WEXITSTATUS(st));
    else
        fail(e, "Runtime.ExitError",
             "RequestId: %s Error: Runtime exited without providing a reason", v->id);
}

static void timed_out(struct env *e)
{
    char when[TIME_TEXT_MAX];
    time_iso8601_ms(clock_now_ms(), when);
    drain_output(e);
    output_line(&e->log, "%s %s Task timed out after %lld.00 seconds", when, e->inv->id,
                (long long)e->f.timeout_s);
    fail(e, NULL, "%s %s Task timed out after %lld.00 seconds", when, e->inv->id,
         (long long)e->f.timeout_s);
}

/* The sandbox itself did not come up: what bubblewrap said is in the output. */
static void no_sandbox(struct env *e)
{
    struct invocation *v = e->inv;
    char said[256], tail[LAMBDA_TAIL_BYTES];
    drain_output(e);
    output_line(&e->log, "%s", "");
    size_t all = output_tail(&e->log, tail), n = all < sizeof said - 1 ? all : sizeof said - 1;
    struct str text = str_trim(str_of(tail + all - n, n));
    snprintf(said, sizeof said, "%.*s", STR_ARG(text));
    for (char *p = said; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20)
            *p = ' ';
    log_warn("a function's sandbox could not be made: %s", said);
    e->inv = NULL;
    e->over = true;
    if (v != NULL)
        invocation_finish(v, err_aws(500, "ServiceException",
                                     "There is no sandbox on this machine, so the function was not "
                                     "run. Ward's log says why."),
                          NULL, STR_NONE);
}

/* -- the loop ---------------------------------------------------------------------------------- */

static void take_connection(struct env *e, char what, int fd)
{
    for (int i = 0; what == SAY_RUNTIME && i < EXEC_CONNS_MAX; i++)
        if (e->conns[i].fd < 0) {
            rt_open(&e->conns[i], fd);
            return;
        }
    for (int i = 0; what == SAY_AWS && i < EXEC_RELAYS_MAX; i++)
        if (e->relays[i].fd[0] < 0) {
            struct err *err = relay_open(&e->relays[i], fd, e->slot->ward->endpoint);
            if (err == NULL)
                return;
            log_err(LOG_WARN, "a function could not be connected to the endpoint", err);
            break;
        }
    close(fd);
}

/* true: there may be more. */
static bool read_control(struct env *e)
{
    char packet[1 + sizeof(int)], space[CMSG_SPACE(4 * sizeof(int))];
    struct iovec iov = {packet, sizeof packet};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = space,
                       .msg_controllen = sizeof space};
    ssize_t n = recvmsg(e->box.control, &m, MSG_CMSG_CLOEXEC);
    if (n < 0)
        return false;
    int fd = -1, number = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) { /* one is right; others are not kept */
            int got;
            memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof got);
            if (fd >= 0)
                close(fd);
            fd = got;
        }
    }
    if (n == (ssize_t)sizeof packet)
        memcpy(&number, packet + 1, sizeof number);
    if (n == 0) { /* without a word of farewell: the sandbox was killed, or never stood */
        e->exit_status = e->over ? e->exit_status : e->born_ms > 0 ? SIGKILL : 0;
        e->over = true;
    } else if (packet[0] == SAY_EXIT || packet[0] == SAY_NO_EXEC) {
        e->exit_status = packet[0] == SAY_EXIT ? number : 0;
        e->exec_errno = packet[0] == SAY_NO_EXEC ? number : 0;
        e->over = true;
    } else if (packet[0] == SAY_READY) {
        e->born_ms = clock_mono_ms();
        e->log.begun_ms = e->born_ms;
        e->idle_since_ms = e->born_ms;
        e->exit_status = -1;
    }
    if (fd >= 0)
        take_connection(e, packet[0], fd);
    return n > 0;
}

static void read_output(struct env *e)
{
    char bytes[READ_BYTES];
    ssize_t n = read(e->box.output, bytes, sizeof bytes);
    if (n > 0)
        output_add(&e->log, str_of(bytes, (size_t)n));
}

static size_t fill_polls(struct env *e, struct pollfd *p)
{
    p[0] = (struct pollfd){.fd = e->slot->wake, .events = POLLIN};
    p[1] = (struct pollfd){.fd = e->box.control, .events = POLLIN};
    p[2] = (struct pollfd){.fd = e->box.output, .events = POLLIN};
    size_t n = 3;
    for (int i = 0; i < EXEC_CONNS_MAX; i++, n++) {
        p[n] = (struct pollfd){.fd = e->conns[i].fd};
        if (e->conns[i].fd >= 0)
            p[n].events = rt_events(&e->conns[i]);
    }
    for (int i = 0; i < EXEC_RELAYS_MAX; i++)
        for (int side = 0; side < 2; side++, n++) {
            const struct relay *r = &e->relays[i];
            p[n] = (struct pollfd){.fd = r->fd[side]};
            if (r->fd[side] < 0)
                continue;
            p[n].events = relay_events(r, side);
            if (p[n].events == 0)
                p[n].fd = -1; /* a hang-up would be told again and again until there is room */
        }
    return n;
}

static void serve_polls(struct env *e, const struct pollfd *p)
{
    uint64_t count;
    if ((p[0].revents & POLLIN) != 0 && read(e->slot->wake, &count, sizeof count) < 0)
        CHECK(errno == EAGAIN || errno == EINTR);
    if (p[2].revents != 0)
        read_output(e);
    if (p[1].revents != 0)
        while (read_control(e))
            ;
    for (int i = 0; i < EXEC_CONNS_MAX; i++)
        if (p[3 + i].revents != 0 && e->conns[i].fd == p[3 + i].fd)
            rt_ready(e, &e->conns[i], p[3 + i].revents);
    const struct pollfd *q = p + 3 + EXEC_CONNS_MAX;
    for (int i = 0; i < EXEC_RELAYS_MAX; i++)
        for (int side = 0; side < 2; side++)
            if (q[2 * i + side].revents != 0 && e->relays[i].fd[side] == q[2 * i + side].fd)
                relay_ready(&e->relays[i], side, q[2 * i + side].revents);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Until the next thing that time brings about. */
static int wait_ms(const struct env *e)
{
    int64_t now = clock_mono_ms(), until;
    until = e->inv != NULL ? e->deadline_ms : e->idle_since_ms + LAMBDA_IDLE_MS;
    if (e->log.arena != NULL)
        until = least(until, e->log.begun_ms + EXEC_BATCH_MS);
    return until <= now ? 0 : (int)(until - now);
}

static void look_at_clock(struct env *e)
{
    int64_t now = clock_mono_ms();
    if (e->log.arena != NULL && now >= e->log.begun_ms + EXEC_BATCH_MS)
        output_flush(&e->log);
    if (e->inv != NULL && now >= e->deadline_ms)
        timed_out(e);
    else if (e->inv == NULL && now >= e->idle_since_ms + LAMBDA_IDLE_MS)
        e->over = e->over || slot_leave(e->slot);
}

/* Ward stops: what runs is broken off, and events run again after the next start. */
static void stop_now(struct env *e, struct invocation *given)
{
    struct invocation *both[] = {e->inv, given};
    e->inv = NULL;
    e->over = true;
    for (size_t i = 0; i < ARRAY_LEN(both); i++)
        if (both[i] != NULL)
            invocation_finish(both[i], err_aws(503, "ServiceException", "Ward is stopping."), NULL,
                              STR_NONE);
}

/* An invocation that was given meanwhile, to a bootstrap that waits for one. */
static void take_given(struct env *e)
{
    enum slot_wish wish;
    struct invocation *v = slot_take(e->slot, &wish);
    if (wish == SLOT_STOP) {
        stop_now(e, v);
    } else if (v != NULL) {
        begin(e, v);
        for (int i = 0; i < EXEC_CONNS_MAX; i++)
            if (e->conns[i].fd >= 0 && e->conns[i].waiting && !e->sent)
                send_invocation(e, &e->conns[i]);
    } else if (wish == SLOT_RETIRE && e->inv == NULL) {
        e->over = true;
    }
}

static void run(struct env *e)
{
    struct pollfd p[POLLS];
    while (!e->over) {
        take_given(e);
        if (e->over)
            break;
        size_t n = fill_polls(e, p);
        if (poll(p, n, wait_ms(e)) < 0 && errno != EINTR)
            break;
        serve_polls(e, p);
        if (!e->over)
            look_at_clock(e);
    }
    if (e->exit_status == 0 && e->born_ms == 0)
        no_sandbox(e);
    else
        died(e);
}

static void end(struct env *e)
{
    enum slot_wish wish;
    for (int i = 0; i < EXEC_CONNS_MAX; i++)
        if (e->conns[i].fd >= 0)
            rt_close(&e->conns[i]);
    for (int i = 0; i < EXEC_RELAYS_MAX; i++)
        if (e->relays[i].fd[0] >= 0)
            relay_close(&e->relays[i]);
    if (e->started)
        sandbox_kill(&e->box);
    output_clear(&e->log);
    if (e->code_dir != NULL)
        unpacked_put(e->code_dir);
    struct invocation *last = NULL;
    while (!slot_leave(e->slot)) /* given at the very last moment */
        last = slot_take(e->slot, &wish);
    if (last != NULL)
        hand_on(e, last);
}

void *env_main(void *arg)
{
    struct env_slot *slot = arg;
    struct arena *a = arena_new(ENV_ARENA);
    struct env *e = ARENA_NEW(a, struct env);
    enum slot_wish wish;
    e->slot = slot;
    e->arena = a;
    for (int i = 0; i < EXEC_CONNS_MAX; i++)
        e->conns[i].fd = -1;
    for (int i = 0; i < EXEC_RELAYS_MAX; i++)
        e->relays[i].fd[0] = e->relays[i].fd[1] = -1;
    struct err *err = start(e);
    if (err == NULL) {
        struct invocation *v = slot_take(slot, &wish);
        begin(e, v);
        run(e);
    } else {
        struct invocation *v = slot_take(slot, &wish);
        log_warn("a function's execution environment could not be started (%s): %s",
                 err->code != NULL ? err->code : "InternalError", err->message);
        invocation_finish(v, err, NULL, STR_NONE);
    }
    end(e);
    arena_free(a);
    slot_gone(slot);
    return NULL;
}
