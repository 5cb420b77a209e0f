/* The commands about a Ward that runs, or does not. */
#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <poll.h>
#include <unistd.h>

/* -- down -------------------------------------------------------------------------------------- */

/* Tells it to stop and waits for its end, without polling: a pidfd becomes readable then. It also
 * stays with the process that was looked at, whoever gets the number next. */
static struct err *stop_process(const struct running *r)
{
    int fd = (int)syscall(SYS_pidfd_open, (pid_t)r->pid, 0);
    struct err *e = NULL;
    if (fd < 0)
        return errno == ESRCH ? NULL : err_errno(errno, "pidfd_open");
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (!running_is(r)) {
        close(fd);
        return NULL;
    }
    if (syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) != 0 && errno != ESRCH)
        e = err_errno(errno, "kill");
    else if (poll(&p, 1, CLI_STOP_GRACE_MS * 2) != 1)
        e = err_new(ERR_TIMEOUT, "Ward (pid %lld) has not stopped yet; its log says why.",
                    (long long)r->pid);
    close(fd);
    return e;
}

int cmd_down(int argc, char **argv)
{
    struct options o;
    if (!options_parse(argc, argv, "data", &o))
        return EXIT_USAGE;
    if (o.help) {
        fputs("Usage: ward down [--data DIR]\n\n"
              "Stops Ward: requests under way end first.\n"
              "Exit code 0: it has stopped; 1: none ran, or it has not stopped within 20 s.\n\n"
              "Environment: WARD_DATA, the data directory, instead of --data\n",
              stdout);
        return EXIT_OK;
    }
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(1024 * 1024);
    struct running r;
    struct err *e = running_load(a, o.data, &r);
    if (e != NULL || !r.alive) {
        err_free(e);
        fprintf(stderr, "ward: no Ward runs on %s.\n", o.data);
        return EXIT_FAILED;
    }
    e = stop_process(&r);
    if (e != NULL)
        return fail(e);
    puts("Ward has stopped.");
    return EXIT_OK;
}

/* -- status ------------------------------------------------------------------------------------ */

/* Any answer at all means that it serves: the root path without a signature is refused with 403. */
static bool answers(struct arena *a, const struct running *r)
{
    struct http_out req = {.method = "GET", .url = r->endpoint, .timeout_ms = 2000,
                           .ca_file = r->ca_file.p};
    struct http_in in;
    struct err *e = http_send(a, &req, &in);
    err_free(e);
    return e == NULL;
}

int cmd_status(int argc, char **argv)
{
    struct options o;
    if (!options_parse(argc, argv, "data json", &o))
        return EXIT_USAGE;
    if (o.help) {
        fputs("Usage: ward status [--data DIR] [--json]\n\n"
              "Says whether Ward runs, where it answers, and for which account.\n"
              "Exit code 0: it runs and answers; 1: it does not.\n\n"
              "Environment: WARD_DATA, the data directory, instead of --data\n",
              stdout);
        return EXIT_OK;
    }
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(1024 * 1024);
    struct running r = {0};
    err_free(running_load(a, o.data, &r));
    bool up = r.alive && answers(a, &r);
    if (o.json) {
        struct buf b CLEANUP(buf_clear) = BUF_INIT(64 * 1024);
        struct jw w = jw_to(&b);
        jw_obj(&w);
        jw_kb(&w, "up", up);
        jw_kc(&w, "data", o.data);
        if (r.alive) {
            jw_ki(&w, "pid", r.pid);
            jw_ks(&w, "endpoint", r.endpoint);
            jw_ks(&w, "account", r.account);
            jw_ks(&w, "region", r.region);
            jw_ks(&w, "caFile", r.ca_file);
            jw_ks(&w, "started", r.started);
        }
        jw_end(&w);
        printf("%.*s\n", STR_ARG(buf_view(&b)));
        return up ? EXIT_OK : EXIT_FAILED;
    }
    printf("%-10s %s\n%-10s %s\n", "Ward", up ? "up" : r.alive ? "starting or stuck" : "down",
           "data", o.data);
    if (r.alive)
        printf("%-10s %.*s\n%-10s %.*s\n%-10s %.*s\n%-10s %lld, since %.*s\n", "endpoint",
               STR_ARG(r.endpoint), "account", STR_ARG(r.account), "region", STR_ARG(r.region),
               "pid", (long long)r.pid, STR_ARG(r.started));
    else
        printf("\nStart it with: %s up --detach%s\n", cli_program, cli_with_key(a, &o));
    return up ? EXIT_OK : EXIT_FAILED;
}

/* -- env --------------------------------------------------------------------------------------- */

/* In single quotes, so that a shell takes it as it stands. */
static void export_line(const char *name, struct str value)
{
    printf("export %s='", name);
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '\'')
            fputs("'\\''", stdout);
        else
            putchar(value.p[i]);
    }
    puts("'");
}

/* What would win over the lines above. */
static const char elsewhere[] =
    "unset AWS_SESSION_TOKEN AWS_SECURITY_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE"
    " AWS_IGNORE_CONFIGURED_ENDPOINT_URLS\n"
    "unset AWS_ENDPOINT_URL_KMS AWS_ENDPOINT_URL_STS AWS_ENDPOINT_URL_IAM AWS_ENDPOINT_URL_S3"
    " AWS_ENDPOINT_URL_SQS AWS_ENDPOINT_URL_SNS\n"
    "unset AWS_ENDPOINT_URL_LAMBDA AWS_ENDPOINT_URL_CLOUDTRAIL AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"
    " AWS_ENDPOINT_URL_CLOUDFORMATION AWS_ENDPOINT_URL_EC2\n";

/* Debian 12's aws (2.9) does not know AWS_ENDPOINT_URL, and `aws sqs` of version 1 does not obey
 * it: both would call AWS itself. An alias of that name would be read into the function's name. */
static const char aws_function[] =
    "unalias aws 2>/dev/null || :\n"
    "aws() { command aws ${AWS_ENDPOINT_URL:+--endpoint-url=\"$AWS_ENDPOINT_URL\"} \"$@\"; }\n";

int cmd_env(int argc, char **argv)
{
    struct options o;
    if (!options_parse(argc, argv, "data root-key account", &o))
        return EXIT_USAGE;
    if (o.help) {
        fputs("Usage: eval \"$(ward env [--data DIR] [--root-key FILE] [--account ID])\"\n\n"
              "Prints the environment that aws, the SDKs, CDK and Terraform read: the\n"
              "endpoint, the administrator's key, the region and the CA certificate of the\n"
              "running Ward. It takes back what would lead elsewhere (AWS_PROFILE,\n"
              "AWS_SESSION_TOKEN, AWS_ENDPOINT_URL_S3, …), and makes of aws a function that\n"
              "names the endpoint, because not every version of it reads AWS_ENDPOINT_URL.\n"
              "After `unset AWS_ENDPOINT_URL` it is the plain aws again.\n"
              "\n"
              "Environment: WARD_DATA, the data directory, instead of --data\n",
              stdout);
        return EXIT_OK;
    }
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(1024 * 1024);
    struct running r;
    struct secret *root CLEANUP(secret_free_ptr) = NULL;
    struct first_account f = {0};
    struct err *e = running_load(a, o.data, &r);
    if (e != NULL || !r.alive) {
        err_free(e);
        return fail(err_new(ERR_NOT_FOUND, "No Ward runs on %s. Start it: %s up --detach%s",
                            o.data, cli_program, cli_with_key(a, &o)));
    }
    e = crypto_init();
    if (e == NULL)
        e = root_key_load(o.root_key, o.data, false, &root);
    if (e == NULL)
        e = admin_load(a, o.data, root, &f);
    if (e == NULL && o.account != NULL && !str_is(f.account, o.account))
        e = err_new(ERR_NOT_FOUND, "This Ward has no account %s; its account is %.*s.", o.account,
                    STR_ARG(f.account));
    if (e != NULL)
        return fail(e);
    struct str secret =
        str_of(secret_bytes(f.secret_access_key), secret_size(f.secret_access_key));
    export_line("AWS_ENDPOINT_URL", r.endpoint);
    export_line("AWS_ACCESS_KEY_ID", f.access_key_id);
    export_line("AWS_SECRET_ACCESS_KEY", secret);
    export_line("AWS_DEFAULT_REGION", r.region);
    export_line("AWS_REGION", r.region);
    if (r.ca_file.p != NULL) {
        export_line("AWS_CA_BUNDLE", r.ca_file);
        export_line("NODE_EXTRA_CA_CERTS", r.ca_file);
    }
    fputs(elsewhere, stdout);
    fputs(aws_function, stdout);
    secret_free(f.secret_access_key);
    return fflush(stdout) == 0 ? EXIT_OK : fail(err_errno(errno, "writing"));
}

/* -- deploy ------------------------------------------------------------------------------------ */

int cmd_deploy(int argc, char **argv)
{
    struct options o;
    if (!options_parse(argc, argv, "data root-key ARG", &o))
        return EXIT_USAGE;
    if (o.help || o.n_args != 1) {
        fputs("Usage: ward deploy NAME|FILE [--data DIR] [--root-key FILE]\n\n"
              "Deploys a blueprint (goodbuy) or a CloudFormation template on the running\n"
              "Ward. The stack has the blueprint's or the file's name; if it is there, it is\n"
              "brought up to date.\n\n"
              "Environment: WARD_DATA, the data directory, instead of --data\n",
              o.help ? stdout : stderr);
        return o.help ? EXIT_OK : EXIT_USAGE;
    }
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(64 * 1024 * 1024);
    struct running r;
    struct secret *root CLEANUP(secret_free_ptr) = NULL;
    struct first_account f = {0};
    struct err *e = running_load(a, o.data, &r);
    if (e == NULL)
        e = crypto_init();
    if (e == NULL)
        e = root_key_load(o.root_key, o.data, false, &root);
    if (e == NULL)
        e = admin_load(a, o.data, root, &f);
    if (e == NULL) {
        struct client c = {.arena = a, .endpoint = r.endpoint, .region = r.region,
                           .access_key_id = f.access_key_id, .secret = f.secret_access_key,
                           .ca_file = r.ca_file.p};
        e = blueprint_deploy(&c, o.args[0], f.account);
    }
    secret_free(f.secret_access_key);
    return e == NULL ? EXIT_OK : fail(e);
}

/* -- ledger, coverage -------------------------------------------------------------------------- */

static void show_progress(void *ctx, uint64_t done)
{
    if (*(bool *)ctx)
        fprintf(stderr, "\r%llu records checked", (unsigned long long)done);
}

static struct err *verify_at(const struct options *o, struct ledger_report *out)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(1024 * 1024);
    struct secret *root CLEANUP(secret_free_ptr) = NULL;
    struct store *s = NULL;
    struct ledger *l = NULL;
    bool tty = isatty(STDERR_FILENO);
    TRY(crypto_init());
    TRY(root_key_load(o->root_key, o->data, false, &root));
    struct store_options so = {.dir = cli_path(a, o->data, "store"), .root_key = root};
    TRY(store_open(&so, &s));
    struct err *e = ledger_open(s, &l);
    if (e == NULL)
        e = ledger_verify(l, out, show_progress, &tty);
    if (tty)
        fputc('\n', stderr);
    ledger_close(l);
    store_close(s);
    return e;
}

int cmd_verify_ledger(int argc, char **argv)
{
    struct options o;
    if (!options_parse(argc, argv, "data root-key json", &o))
        return EXIT_USAGE;
    if (o.help) {
        fputs("Usage: ward ledger [--data DIR] [--root-key FILE] [--json]\n\n"
              "Recomputes every hash of the audit ledger. Ward must be stopped.\n"
              "Exit code 0: the chain is whole; 1: it is not, or could not be read.\n\n"
              "Environment: WARD_DATA, the data directory, instead of --data\n",
              stdout);
        return EXIT_OK;
    }
    struct ledger_report r;
    struct err *e = verify_at(&o, &r);
    if (e != NULL)
        return fail(e);
    if (o.json)
        printf("{\"entries\":%llu,\"joins\":%llu,\"faults\":%llu}\n",
               (unsigned long long)r.entries, (unsigned long long)r.joins,
               (unsigned long long)r.faults);
    else
        printf("%llu records, %llu joins: %s%s\n", (unsigned long long)r.entries,
               (unsigned long long)r.joins,
               r.faults == 0 ? "the chain is whole" : "the chain is BROKEN: ", r.first_fault);
    return r.faults == 0 ? EXIT_OK : EXIT_FAILED;
}

int cmd_coverage(int argc, char **argv)
{
    struct options o;
    if (!options_parse(argc, argv, "", &o))
        return EXIT_USAGE;
    if (o.help) {
        fputs("Usage: ward coverage\n\n"
              "Lists every operation that is built, by service; the others answer "
              "NotImplemented.\n",
              stdout);
        return EXIT_OK;
    }
    struct ward w = {.rooms = all_rooms, .n_rooms = n_all_rooms};
    struct buf b CLEANUP(buf_clear) = BUF_INIT(1024 * 1024);
    api_print_coverage(&w, &b);
    printf("%.*s", STR_ARG(buf_view(&b)));
    return EXIT_OK;
}
