/* lambda.h: the Lambda room: functions in native code, run in sandboxes of their own.
 *
 * https://docs.aws.amazon.com/lambda/latest/api/welcome.html
 *
 *   ops.c       rows and targets          function.c  a function's row; names, ARNs, outputs
 *   create.c    create, update, delete    describe.c  get, list, tags, account settings
 *   code.c      code in the store, and unpacked for running        zip.c  the strict zip reader
 *   permit.c    resource policies         concurrency.c  reserved concurrency
 *   invoke.c    Invoke                    event.c  asynchronous invocations, retries, dead letters
 *   dispatch.c  which environment takes an invocation; limits; start and stop
 *   env.c       one execution environment: its thread, its process, its life
 *   runtime.c   the Runtime API that it speaks            relay.c   its way to Ward's endpoint
 *   sandbox.c   bubblewrap, seccomp, limits               init.c    what runs first inside
 *   output.c    what it prints, into CloudWatch Logs
 *
 * Tables (owner "ACCOUNT/lambda/FUNCTION-ID", whose data key is destroyed with the function):
 *   lambda.function  account, region, name -> JSON, with environment values
 *   lambda.code      code id, chunk        -> at most LAMBDA_CHUNK bytes of the zip file
 *
 * Unpacked code lies in DATA/run/lambda (mode 0700) while an environment uses it, and nowhere else.
 * The limits are AWS's where it documents one. */
#ifndef WARD_SVC_LAMBDA_H
#define WARD_SVC_LAMBDA_H

#include "api/api.h"

enum {
    LAMBDA_TIMEOUT_MAX_S = 900,
    LAMBDA_MEMORY_MIN_MB = 128,
    LAMBDA_MEMORY_MAX_MB = 10240,
    LAMBDA_EPHEMERAL_MIN_MB = 512,
    LAMBDA_EPHEMERAL_MAX_MB = 10240,
    LAMBDA_ENV_BYTES_MAX = 4096,
    LAMBDA_ZIP_MAX = 50 * 1024 * 1024,
    LAMBDA_UNZIPPED_MAX = 250 * 1024 * 1024,
    LAMBDA_CHUNK = 1024 * 1024,
    LAMBDA_PAYLOAD_MAX = 6 * 1024 * 1024 + 100, /* 6291556, to and fro */
    LAMBDA_EVENT_MAX = 1024 * 1024,
    LAMBDA_CONTEXT_MAX = 3583, /* X-Amz-Client-Context, as base64 */
    LAMBDA_POLICY_MAX = 20480,
    LAMBDA_TAGS_MAX = 50,
    LAMBDA_LIST_MAX = 50,
    LAMBDA_CONCURRENCY = 1000,     /* of an account; what can be reserved leaves 100 */
    LAMBDA_UNRESERVED_MIN = 100,
    LAMBDA_TAIL_BYTES = 4096,      /* of X-Amz-Log-Result */
    LAMBDA_ENVS_MAX = 64,          /* execution environments at once, of all functions */
    LAMBDA_IDLE_MS = 5 * 60 * 1000,
    LAMBDA_AGE_MAX_MS = 40 * 60 * 1000, /* its credentials last an hour, a call 15 minutes */
    LAMBDA_INIT_MS = 10000,
    LAMBDA_EVENT_RETRIES = 2,
    LAMBDA_EVENT_AGE_MS = 6 * 3600 * 1000,
};

#define LAMBDA_T_FUNCTION "lambda.function"
#define LAMBDA_T_CODE "lambda.code"
#define LAMBDA_SERVICE "lambda.amazonaws.com"
#define LAMBDA_INIT_COMMAND "__lambda-init"

extern const struct room lambda_room;

/* The program again, as the first process inside a sandbox: main() hands over when argv[1] is
 * LAMBDA_INIT_COMMAND. Returns an exit code. */
int lambda_init_main(int argc, char **argv);

#endif
