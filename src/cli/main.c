/* The program: picks the command. */
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
    "  WARD_DATA  the data directory, instead of --data\n";

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

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], LAMBDA_INIT_COMMAND) == 0)
        return lambda_init_main(argc, argv);
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        fputs(help, argc < 2 ? stderr : stdout);
        return argc < 2 ? EXIT_USAGE : EXIT_OK;
    }
    if (strcmp(argv[1], "version") == 0 || strcmp(argv[1], "--version") == 0) {
        puts("ward " WARD_VERSION);
        return EXIT_OK;
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].with_name ? commands[i].run(argc - 1, argv + 1)
                                         : commands[i].run(argc - 2, argv + 2);
    fprintf(stderr, "ward: there is no command '%s'. See: ward --help\n", argv[1]);
    return EXIT_USAGE;
}
