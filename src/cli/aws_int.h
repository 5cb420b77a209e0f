/* aws_int.h: what the files of the AWS client share.
 *
 * aws_config.c reads the shared files, aws_chain.c says from them and the environment where keys
 * come from, aws_fetch.c asks there (aws_process.c a program, aws_sso.c the IAM Identity Center,
 * aws_mfa.c a person), aws_keys.c keeps the keys of the moment, aws_send.c signs.
 * Thread rule: as aws.h; a chain is made once and read by all. */
#ifndef WARD_CLI_AWS_INT_H
#define WARD_CLI_AWS_INT_H

#include "aws.h"

#include <pthread.h>

const char *aws_env(const char *name); /* NULL: not set, or empty */

static inline void aws_wipe(struct str s)
{
    secret_wipe((void *)(uintptr_t)s.p, s.n);
}

/* -- aws_config.c -- */
const char *aws_home_path(struct arena *a, const char *path); /* below the user's home */

struct aws_sso { /* as a profile has it, or an [sso-session …] */
    struct str session, start_url, region, account, role;
};

struct aws_profile {
    struct str id, region, endpoint_url, ca_bundle;
    struct str role_arn, source_profile, credential_source, external_id, session_name, duration,
        mfa_serial, token_file, process;
    struct aws_sso sso;
    struct secret *secret, *token;
    const char *not_built; /* a member that asks for what is not built; NULL: none */
    bool found;
};

/* Both files. `by`: who named the profile, so that it must be there; NULL: no one. */
struct err *aws_profile_read(struct arena *a, const char *name, const char *by,
                             struct aws_profile *out) MUST_CHECK;
void aws_profile_clear(struct aws_profile *p);
/* The section [sso-session NAME] of the config file. */
struct err *aws_session_read(struct arena *a, const char *name, struct aws_sso *out,
                             bool *out_found) MUST_CHECK;

/* -- aws_chain.c -- */
enum aws_from { AWS_FROM_KEYS, AWS_FROM_PROCESS, AWS_FROM_WEB, AWS_FROM_SSO, AWS_FROM_CONTAINER,
                AWS_FROM_INSTANCE, AWS_FROM_ROLE };

struct aws_link {
    enum aws_from from;
    const char *profile;
    struct str role_arn, session, external_id, duration; /* of AWS_FROM_ROLE and _WEB */
    struct str mfa_serial; /* of AWS_FROM_ROLE: a person is asked */
    struct str token_file, process;
    struct aws_sso sso; /* whole, but for the session, which the older form has not */
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

/* Whether what is sent there may be secret: https, or http to the machine itself and to the
 * containers' and pods' endpoints. */
bool aws_url_private(struct arena *a, struct str url);

/* -- aws_sso.c -- */
/* The role's keys, by the sign-in that `aws sso login` left; renews it where it can be. Errors:
 * ERR_DENIED (there is no sign-in, or it has ended: says how to sign in), ERR_INVALID and ERR_LIMIT
 * (a file or an answer that is none), those of aws_send(). */
struct err *aws_sso_fetch(struct aws *w, struct arena *a, const struct aws_link *l,
                          struct aws_keys **out) MUST_CHECK;

/* -- aws_mfa.c -- */
/* Asks on the terminal for the code of an MFA device (to be wiped). Holds back what others would
 * write to stderr meanwhile. Errors: ERR_DENIED (no terminal, no code), ERR_INVALID (not a code),
 * ERR_TIMEOUT. */
struct err *aws_mfa_ask(struct aws *w, struct arena *a, const struct aws_link *l,
                        struct str *out_code) MUST_CHECK;

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
