/* The program: picks the command. */
#include "bucket.h"
#include "cli.h"

#include "scan/scan.h"
#include "svc/lambda/lambda.h"

static const char help[] =
    "Ward: a HIPAA cloud in one binary.\n"
    "\n"
    "It speaks the AWS APIs that your tools already use. Every call is authenticated, authorised "
    "by\n"
    "IAM, encrypted under keys that you hold, and recorded in a tamper-evident trail.\n"
    "\n"
    "Usage: ward COMMAND [OPTIONS]\n"
    "\n"
    "Commands\n"
    "  up         start the server, in the foreground or with --detach\n"
    "  down       stop it\n"
    "  status     say whether it runs, and where\n"
    "  env        print the environment for aws, the SDKs and CDK:  eval \"$(ward env)\"\n"
    "  deploy     deploy a blueprint or a CloudFormation template:  ward deploy goodbuy\n"
    "  scan       search CloudTrail log files with rules; no server needed\n"
    "  rules      check and explain rules of scan\n"
    "  verify     prove a chain of CloudTrail digest files whole; no server needed\n"
    "  ledger     verify the audit ledger of a stopped Ward, hash by hash\n"
    "  coverage   list every operation that is built\n"
    "  version    print the version\n"
    "\n"
    "ward COMMAND --help tells more about each.\n"
    "\n"
    "A first session\n"
    "  ward up --detach --blueprint goodbuy\n"
    "  eval \"$(ward env)\"\n"
    "  aws sts get-caller-identity\n"
    "  aws kms create-key\n"
    "  ward down\n"
    "\n"
    "Environment\n"
    "  WARD_DATA      the data directory, instead of --data; without either it is\n"
    "                 $XDG_DATA_HOME/ward or ~/.local/share/ward\n"
    "  WARD_SMTP_URL  the mail server of up, instead of --smtp\n"
    "  NO_COLOR       scan prints no colours\n"
    "  For s3:// in scan and verify, what the aws command line reads: AWS_ACCESS_KEY_ID,\n"
    "  AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE, AWS_CONFIG_FILE,\n"
    "  AWS_SHARED_CREDENTIALS_FILE, AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN and\n"
    "  AWS_ROLE_SESSION_NAME, AWS_CONTAINER_CREDENTIALS_FULL_URI and _RELATIVE_URI,\n"
    "  AWS_EC2_METADATA_DISABLED, AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL,\n"
    "  AWS_ENDPOINT_URL_S3, _CLOUDTRAIL, _STS, _SSO and _SSO_OIDC, AWS_CA_BUNDLE\n";

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    bool with_name; /* takes its own name as argv[0] */
};

static const struct command commands[] = {
    {"up", cmd_up},         {"down", cmd_down},     {"status", cmd_status},
    {"env", cmd_env},       {"deploy", cmd_deploy}, {"ledger", cmd_verify_ledger},
    {"coverage", cmd_coverage}, {"scan", scan_main, true},
    {"rules", rules_main, true}, {"verify", verify_main, true},
};

int fail(struct err *e)
{
    fprintf(stderr, "ward: %s\n", e->message);
    if (e->detail[0] != '\0')
        fprintf(stderr, "      (%s)\n", e->detail);
    err_free(e);
    return EXIT_FAILED;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(name, commands[i].name) == 0)
            return &commands[i];
    return NULL;
}

static int run_command(const struct command *c, int argc, char **argv)
{
    return c->with_name ? c->run(argc, argv) : c->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], LAMBDA_INIT_COMMAND) == 0)
        return lambda_init_main(argc, argv);
    bool help_of = argc == 3 && strcmp(argv[1], "help") == 0;
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        (strcmp(argv[1], "help") == 0 && !help_of)) {
        fputs(help, argc < 2 ? stderr : stdout);
        return argc < 2 ? EXIT_USAGE : EXIT_OK;
    }
    if (strcmp(argv[1], "version") == 0 || strcmp(argv[1], "--version") == 0) {
        puts("ward " WARD_VERSION);
        return EXIT_OK;
    }
    if (strchr(argv[0], '/') != NULL)
        cli_program = argv[0];
    scan_set_bucket_source(bucket_source);
    scan_set_public_keys(bucket_public_keys);
    const struct command *c = find_command(argv[help_of ? 2 : 1]);
    if (c == NULL) {
        fprintf(stderr, "ward: there is no command '%s'. See: ward --help\n",
                argv[help_of ? 2 : 1]);
        return EXIT_USAGE;
    }
    char *ask[] = {argv[help_of ? 2 : 1], (char *)(uintptr_t)"--help", NULL};
    int rc = help_of ? run_command(c, 2, ask) : run_command(c, argc - 1, argv + 1);
    bucket_end();
    return rc;
}
