/* cli.h: the program `ward`: its commands and what they share. */
#ifndef WARD_CLI_CLI_H
#define WARD_CLI_CLI_H

#include "api/pipeline.h"
#include "crypto/ca.h"
#include "http/client.h"

enum {
    CLI_PORT_DEFAULT = 4566,
    CLI_TRAIL_INTERVAL_S = 300, /* as AWS delivers, about every five minutes */
    CLI_DIGEST_INTERVAL_S = 3600,
    CLI_READY_TIMEOUT_MS = 30000,
    CLI_STOP_GRACE_MS = 10000,
};

/* Exit codes of every command. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 64 };

struct options {
    const char *data;      /* absolute, without a trailing slash */
    const char *root_key;  /* path; default: DATA.root-key */
    const char *host;
    int port;
    const char *blueprint; /* NULL: none */
    const char *smtp_url, *webhook_url, *region, *account;
    int64_t trail_interval_s, digest_interval_s;
    bool detach, plain, json, help;
    bool data_given, key_given; /* by an option, and not by the environment or by default */
    const char **args;     /* what is not an option */
    size_t n_args;
};

/* Reads options that `allowed` names ("data listen json"; ARG: what is not an option is taken too).
 * Prints what is wrong and answers false. */
bool options_parse(int argc, char **argv, const char *allowed, struct options *out);

extern const char *cli_program; /* as it was called, for what a user is told to type */
/* " --data '…'" for such a command; "" if the data directory is the usual one. */
const char *cli_with_data(struct arena *a, const struct options *o);
const char *cli_with_key(struct arena *a, const struct options *o); /* and " --root-key '…'" */

/* files.c */
struct err *file_read(struct arena *a, const char *path, size_t max, struct str *out) MUST_CHECK;
/* Written beside, synced, renamed: whole or not at all. */
struct err *file_write(const char *path, struct str content, int mode) MUST_CHECK;
const char *cli_path(struct arena *a, const char *dir, const char *name);
/* A file that came with the program: beside the build tree, or under PREFIX/share/ward. */
struct err *share_path(struct arena *a, const char *relative, const char **out) MUST_CHECK;

/* setup.c: what stands in a data directory. */
struct err *root_key_load(const char *path, const char *data_dir, bool create,
                          struct secret **out) MUST_CHECK;
struct err *admin_save(struct arena *a, const char *data_dir, const struct secret *root,
                       const struct first_account *f) MUST_CHECK;
struct err *admin_load(struct arena *a, const char *data_dir, const struct secret *root,
                       struct first_account *out) MUST_CHECK;
struct err *ca_open(struct arena *a, struct store *s, const char *data_dir, struct ca **out,
                    const char **out_path) MUST_CHECK;

/* What a running Ward wrote about itself into DATA/ward.json. */
struct running {
    int64_t pid;
    int64_t ticks; /* when the process started, by the kernel's clock: a pid may be used again */
    struct str endpoint, account, region, ca_file, started;
    bool alive;
};
struct err *running_save(const char *data_dir, const struct ward *w, struct str account) MUST_CHECK;
struct err *running_load(struct arena *a, const char *data_dir, struct running *out) MUST_CHECK;
bool running_is(const struct running *r); /* still that process */

/* awsclient.c: Ward as a client of itself, signed like any other. */
struct client {
    struct arena *arena;
    struct str endpoint, region, access_key_id;
    const struct secret *secret;
    const char *ca_file;
};
struct err *client_query(struct client *c, const char *service, const char *version,
                         const char *action, const struct wire_param *params, size_t n,
                         int *out_status, struct str *out_body) MUST_CHECK;
struct err *client_s3(struct client *c, const char *method, struct str path, struct str body,
                      int *out_status, struct str *out_body) MUST_CHECK;

/* blueprint.c */
struct err *blueprint_deploy(struct client *c, const char *name_or_file, struct str account)
    MUST_CHECK;

/* the commands; each returns an exit code */
int cmd_up(int argc, char **argv);
int cmd_down(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_env(int argc, char **argv);
int cmd_deploy(int argc, char **argv);
int cmd_verify_ledger(int argc, char **argv);
int cmd_coverage(int argc, char **argv);

/* Prints "ward: …" with what to do next, frees the error, gives EXIT_FAILED. */
int fail(struct err *e);

/* rooms.c, made by the build from the folders under src/svc */
extern const struct room *const all_rooms[];
extern const size_t n_all_rooms;

#endif
