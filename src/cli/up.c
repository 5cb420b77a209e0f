/* ward up: opens the data directory, starts the rooms, listens, and waits to be told to stop. */
#include "cli.h"
#include "core/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Workers wait in group commits, so there are many more of them than processors. */
enum { WORKERS = 64, WORK_QUEUE = 8192, MALLOC_ARENAS = 4, DIR_MODE = 0700,
       LOG_SHOWN_BYTES = 4096 };

static const char help[] =
    "Usage: ward up [OPTIONS]\n"
    "\n"
    "Starts Ward. The first start makes the account, its administrator (an IAM user with a random\n"
    "key), the root key and the local certificate authority.\n"
    "\n"
    "  --data DIR            where everything is kept       (default: ~/.local/share/ward)\n"
    "  --root-key FILE       the root key, outside DIR      (default: DIR.root-key)\n"
    "  --listen HOST:PORT    address                        (default: 127.0.0.1:4566)\n"
    "  --blueprint NAME|FILE deploy a blueprint once up     (goodbuy, or a template's path)\n"
    "  --detach              return once the server answers; its log is DIR/ward.log\n"
    "  --trail-interval S    seconds between log files of a trail   (default: 300)\n"
    "  --digest-interval S   seconds between digest files           (default: 3600)\n"
    "  --smtp URL            mail server for email subscriptions    (smtp://HOST:PORT)\n"
    "  --webhook URL         provider for SMS and mobile push\n"
    "  --region NAME         default region                 (default: us-east-1)\n"
    "  --plain               HTTP without TLS; loopback only\n"
    "\n"
    "Environment\n"
    "  WARD_DATA      the data directory, instead of --data\n"
    "  WARD_SMTP_URL  the mail server, instead of --smtp: what has a password in it does not\n"
    "                 belong on a command line\n";

struct up {
    struct options o;
    struct arena *arena;
    struct secret *root;
    struct first_account first;
    struct ca *ca;
    struct http_server *server;
    struct ward w;
};

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "::1") == 0;
}

static struct err *make_dir(const char *path)
{
    char *copy = strdup(path);
    CHECK(copy != NULL);
    struct err *e = NULL;
    for (char *p = copy + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char kept = *p;
        *p = '\0';
        if (mkdir(copy, DIR_MODE) != 0 && errno != EEXIST)
            e = err_new(ERR_IO, "The directory %s cannot be made: %s.", copy, strerror(errno));
        *p = kept;
        if (kept == '\0' || e != NULL)
            break;
    }
    free(copy);
    return e;
}

/* A port that is free now, for --listen HOST:0: what the rooms make names the address, so it must
 * be known before they start. */
static struct err *free_port(const char *host, int *out_port)
{
    struct sockaddr_storage at = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&at;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&at;
    bool six = strchr(host, ':') != NULL;
    socklen_t n = six ? sizeof *v6 : sizeof *v4;
    at.ss_family = six ? AF_INET6 : AF_INET;
    if (six)
        inet_pton(AF_INET6, host, &v6->sin6_addr);
    else
        inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &v4->sin_addr);
    int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&at, n) == 0 &&
              getsockname(fd, (struct sockaddr *)&at, &n) == 0;
    struct err *e = ok ? NULL : err_errno(errno, "bind");
    if (fd >= 0)
        close(fd);
    if (ok)
        *out_port = ntohs(six ? v6->sin6_port : v4->sin_port);
    return e;
}

static struct err *open_data(struct up *u)
{
    struct arena *a = u->arena;
    const char *dir = u->o.data;
    TRY(make_dir(dir));
    TRY(root_key_load(u->o.root_key, dir, true, &u->root));
    struct store_options so = {.dir = cli_path(a, dir, "store"), .root_key = u->root};
    TRY(store_open(&so, &u->w.store));
    TRY(blobs_open(cli_path(a, dir, "blobs"), &u->w.blobs));
    TRY(ledger_open(u->w.store, &u->w.ledger));
    TRY(identity_first_account(u->w.store, a, &u->first));
    if (access(cli_path(a, dir, "admin.sealed"), F_OK) != 0)
        TRY(admin_save(a, dir, u->root, &u->first));
    if (!u->o.plain)
        TRY(ca_open(a, u->w.store, dir, &u->ca, &u->w.ca_file));
    return NULL;
}

static struct err *start(struct up *u)
{
    struct ward *w = &u->w;
    w->rooms = all_rooms;
    w->n_rooms = n_all_rooms;
    w->data_dir = u->o.data;
    w->smtp_url = u->o.smtp_url;
    w->webhook_url = u->o.webhook_url;
    w->trail_interval_ms = u->o.trail_interval_s * 1000;
    w->digest_interval_ms = u->o.digest_interval_s * 1000;
    snprintf(w->region, sizeof w->region, "%s", u->o.region);
    TRY(pool_new(WORKERS, WORK_QUEUE, &w->pool));
    if (u->o.port == 0)
        TRY(free_port(u->o.host, &u->o.port));
    snprintf(w->endpoint, sizeof w->endpoint, "%s://%s%s%s:%d", u->o.plain ? "http" : "https",
             strchr(u->o.host, ':') != NULL ? "[" : "", u->o.host,
             strchr(u->o.host, ':') != NULL ? "]" : "", u->o.port);
    TRY(api_start(w));
    struct http_server_options ho = {.host = u->o.host, .port = u->o.port, .ca = u->ca,
                                     .pool = w->pool, .handler = api_http_handler(w)};
    TRY(http_server_start(&ho, &u->server));
    return running_save(u->o.data, w, u->first.account);
}

static void stop(struct up *u)
{
    api_stop_parking();
    if (u->server != NULL)
        http_server_stop(u->server, CLI_STOP_GRACE_MS);
    if (u->w.pool != NULL)
        api_stop(&u->w);
    pool_free(u->w.pool);
    ledger_close(u->w.ledger);
    blobs_close(u->w.blobs);
    store_close(u->w.store);
    ca_free(u->ca);
    secret_free(u->root);
    secret_free(u->first.secret_access_key);
    if (u->server != NULL) {
        unlink(cli_path(u->arena, u->o.data, "ward.pid"));
        unlink(cli_path(u->arena, u->o.data, "ward.json"));
    }
    arena_free(u->arena);
}

static struct err *deploy_blueprint(struct up *u)
{
    if (u->o.blueprint == NULL)
        return NULL;
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(64 * 1024 * 1024);
    struct client c = {.arena = a, .endpoint = str_c(u->w.endpoint),
                       .region = str_c(u->w.region),
                       .access_key_id = u->first.access_key_id,
                       .secret = u->first.secret_access_key, .ca_file = u->w.ca_file};
    return blueprint_deploy(&c, u->o.blueprint, u->first.account);
}

static void greet(const struct up *u)
{
    log_info("Ward answers at %s (account %.*s, region %s)", u->w.endpoint,
             STR_ARG(u->first.account), u->w.region);
    if (u->w.ca_file != NULL)
        log_info("its CA certificate: %s", u->w.ca_file);
}

static void try_first(const struct up *u)
{
    printf("\nWard is up.\n\n"
           "  endpoint        %s\n"
           "  CA certificate  %s\n"
           "  root key        %s   (keep a copy elsewhere: without it nothing opens)\n\n"
           "In another terminal, try first:\n\n"
           "  eval \"$(%s env%s)\"\n"
           "  aws sts get-caller-identity\n"
           "  aws kms create-key --description 'my first key'\n\n"
           "Stop it with Ctrl-C or: %s down%s\n",
           u->w.endpoint, u->w.ca_file != NULL ? u->w.ca_file : "none (--plain)", u->o.root_key,
           cli_program, cli_with_key(u->arena, &u->o), cli_program,
           cli_with_data(u->arena, &u->o));
    fflush(stdout);
}

static int wait_for_signal(void)
{
    sigset_t set;
    int sig = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigwait(&set, &sig);
    return sig;
}

static void prepare_process(void)
{
    signal(SIGPIPE, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* before any thread: only sigwait() takes them */
    mallopt(M_ARENA_MAX, MALLOC_ARENAS);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

/* `ready` is the pipe to the parent of a detached Ward, or -1. */
static int serve(struct up *u, int ready)
{
    prepare_process();
    u->arena = arena_new(1024 * 1024);
    struct err *e = crypto_init();
    if (e == NULL)
        e = open_data(u);
    if (e == NULL)
        e = start(u);
    if (e != NULL) {
        int code = fail(e);
        stop(u);
        return code;
    }
    greet(u);
    e = deploy_blueprint(u);
    if (e != NULL) {
        int code = fail(e);
        stop(u);
        return code;
    }
    if (ready >= 0) {
        ssize_t n = write(ready, "1", 1);
        (void)n;
        close(ready);
    } else {
        try_first(u);
    }
    int sig = wait_for_signal();
    log_info("stopping (%s)", sig == SIGINT ? "interrupt" : "told to");
    stop(u);
    return EXIT_OK;
}

/* What was added to the log since it was that long, as far as it fits: why the start failed. */
static void show_log(const struct up *u, off_t from)
{
    char text[LOG_SHOWN_BYTES];
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(64 * 1024);
    int fd = open(cli_path(a, u->o.data, "ward.log"), O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof text, from);
    if (n > 0)
        fwrite(text, 1, (size_t)n, stderr);
    if (fd >= 0)
        close(fd);
    fprintf(stderr, "ward: it did not start; its log is %s/ward.log\n", u->o.data);
}

static off_t log_length(const struct up *u)
{
    struct stat st;
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(64 * 1024);
    return stat(cli_path(a, u->o.data, "ward.log"), &st) == 0 ? st.st_size : 0;
}

/* The parent waits for the child's word, so that the next command of a script finds a server. */
static int detach(struct up *u)
{
    int fds[2];
    struct err *e = make_dir(u->o.data);
    if (e != NULL)
        return fail(e);
    if (pipe2(fds, O_CLOEXEC) != 0)
        return fail(err_errno(errno, "pipe"));
    off_t log_from = log_length(u);
    pid_t pid = fork();
    if (pid < 0)
        return fail(err_errno(errno, "fork"));
    if (pid == 0) {
        close(fds[0]);
        setsid();
        struct arena *a = arena_new(4096);
        int log = open(cli_path(a, u->o.data, "ward.log"),
                       O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(log >= 0 ? log : null, STDERR_FILENO);
        arena_free(a);
        _exit(serve(u, fds[1]));
    }
    close(fds[1]);
    char word;
    ssize_t n;
    do
        n = read(fds[0], &word, 1);
    while (n < 0 && errno == EINTR);
    close(fds[0]);
    if (n == 1) {
        struct arena *a CLEANUP(arena_free_ptr) = arena_new(64 * 1024);
        printf("Ward is up (pid %d). Its environment: eval \"$(%s env%s)\"\n", (int)pid,
               cli_program, cli_with_key(a, &u->o));
        return EXIT_OK;
    }
    int status;
    waitpid(pid, &status, 0);
    show_log(u, log_from);
    return EXIT_FAILED;
}

int cmd_up(int argc, char **argv)
{
    struct up u = {0};
    if (!options_parse(argc, argv,
                       "data root-key listen blueprint detach plain trail-interval "
                       "digest-interval smtp webhook region",
                       &u.o))
        return EXIT_USAGE;
    if (u.o.help) {
        fputs(help, stdout);
        return EXIT_OK;
    }
    if (u.o.plain && !is_loopback(u.o.host))
        return fail(err_new(ERR_INVALID,
                            "--plain serves without TLS and is for loopback addresses only."));
    if (!region_known(str_c(u.o.region)))
        return fail(err_new(ERR_INVALID, "%s is not a Region of AWS; --region us-east-1 is one.",
                            u.o.region));
    return u.o.detach ? detach(&u) : serve(&u, -1);
}
