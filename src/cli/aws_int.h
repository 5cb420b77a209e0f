/* aws_int.h: what the files of the AWS client share.
 *
 * aws_config.c reads the shared files, aws_chain.c says from them and the environment where keys
 * come from, aws_fetch.c asks there, aws_keys.c keeps the keys of the moment, aws_send.c signs.
 * Thread rule: as aws.h; a chain is made once and read by all. */
#ifndef WARD_CLI_AWS_INT_H
#define WARD_CLI_AWS_INT_H

#include "aws.h"

#include <pthread.h>

const char *aws_env(const char *name); /* NULL: not set, or empty */

/* -- aws_config.c -- */
struct aws_profile {
    struct str id, region, endpoint_url, ca_bundle;
    struct str role_arn, source_profile, credential_source, external_id, session_name, duration,
        mfa_serial, token_file, process;
    struct secret *secret, *token;
    const char *not_built; /* a member that asks for what is not built; NULL: none */
    bool found;
};

/* Both files. `by`: who named the profile, so that it must be there; NULL: no one. */
struct err *aws_profile_read(struct arena *a, const char *name, const char *by,
                             struct aws_profile *out) MUST_CHECK;
void aws_profile_clear(struct aws_profile *p);

/* -- aws_chain.c -- */
enum aws_from { AWS_FROM_KEYS, AWS_FROM_PROCESS, AWS_FROM_WEB, AWS_FROM_CONTAINER,
                AWS_FROM_INSTANCE, AWS_FROM_ROLE };

struct aws_link {
    enum aws_from from;
    const char *profile;
    struct str role_arn, session, external_id, duration; /* of AWS_FROM_ROLE and _WEB */
    struct str token_file, process;
};

/* Where keys come from: v[0], and the roles that are assumed with them, one upon the other. */
struct aws_chain {
    struct aws_link v[AWS_CHAIN_MAX];
    size_t n;
    struct aws_keys *keys; /* of AWS_FROM_KEYS; owned */
};

/* Takes the profile's secrets where it needs them. Errors: ERR_INVALID, ERR_UNSUPPORTED. */
struct err *aws_chain_read(struct arena *a, const char *name, struct aws_profile *p,
                           struct aws_chain *out) MUST_CHECK;

/* -- aws_fetch.c -- */
/* Asks along the chain; one reference. Blocks. */
struct err *aws_chain_fetch(struct aws *w, const struct aws_chain *c,
                            struct aws_keys **out) MUST_CHECK;

/* Runs a credential_process and answers with what it printed (to be wiped). Not through a shell.
 * aws_process.c. Errors: ERR_INVALID (the command), ERR_DENIED (it failed), ERR_TIMEOUT,
 * ERR_LIMIT. */
struct err *aws_process_run(struct aws *w, struct arena *a, struct str command,
                            struct str *out) MUST_CHECK;

/* -- aws_keys.c -- */
/* Copies. Errors: ERR_INVALID (one is missing, or too long). */
struct err *aws_keys_of(struct str id, struct str secret, struct str token, int64_t expires_ms,
                        struct aws_keys **out) MUST_CHECK;
/* A copy of the id; takes the secrets. */
struct aws_keys *aws_keys_new(struct str id, struct secret *secret, struct secret *token,
                              int64_t expires_ms);
void aws_keys_free(struct aws_keys *k); /* no one else's reference is left; NULL is fine */

/* Waits; false: told to stop. */
bool aws_wait(struct aws *w, int64_t ms);

/* -- aws_send.c -- */
/* As aws_send(), with these keys; NULL: not signed. */
struct err *aws_send_as(struct aws *w, struct arena *a, const struct aws_keys *k,
                        const struct aws_request *r, struct http_in *out) MUST_CHECK;

#endif
