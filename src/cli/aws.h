/* aws.h: AWS as its own tools reach it: whose keys, which endpoint, signed requests, retries.
 *
 * Settings come from where the aws command line has them: the environment, the shared config and
 * credentials files (with roles that are assumed, with a person's MFA code where they ask for one,
 * and programs that are asked), a web identity, a sign-in to the IAM Identity Center, the
 * container's endpoint, the instance's metadata service (version 2). Values never reach a message;
 * names of files, profiles and variables do.
 * Thread rule: aws_open() and aws_close() once each; the rest from any thread. */
#ifndef WARD_CLI_AWS_H
#define WARD_CLI_AWS_H

#include "core/json.h"
#include "crypto/crypto.h"
#include "http/client.h"

enum {
    AWS_FILE_MAX = 1024 * 1024,  /* the config and the credentials file */
    AWS_VALUE_MAX = 8 * 1024,    /* of a member in them, or in an answer */
    AWS_ATTEMPTS = 5,
    AWS_BACKOFF_MS = 100,        /* doubled each time, and cut at random */
    AWS_BACKOFF_MAX_MS = 5000,
    AWS_TIMEOUT_MS = 60000,      /* of one request */
    AWS_KEYS_TIMEOUT_MS = 1000,  /* of one to the container's or the instance's endpoint */
    AWS_PROCESS_TIMEOUT_MS = 60000, /* of a credential_process: it may wait for a person */
    AWS_PROCESS_BYTES_MAX = 64 * 1024, /* of what it prints */
    AWS_PROCESS_WORDS_MAX = 256,
    AWS_REGION_MAX = 63,         /* it is part of a host's name */
    AWS_SSO_FILE_MAX = 64 * 1024, /* what `aws sso login` left */
    AWS_SSO_REFRESH_MS = 15 * 60 * 1000, /* a sign-in is renewed this long before it ends */
    AWS_SSO_SECONDS_MAX = 366 * 24 * 3600, /* that one lasts */
    AWS_MFA_TIMEOUT_MS = 5 * 60 * 1000, /* a person fetches the device */
    AWS_MFA_CODE_MIN = 6,
    AWS_MFA_CODE_MAX = 64,
    AWS_CHAIN_MAX = 8,           /* keys, and the roles assumed one upon the other */
    AWS_RENEW_MS = 5 * 60 * 1000, /* keys are renewed this long before they end */
    AWS_RENEW_PAUSE_MS = 30000,  /* and asked for no more often, as long as they are good */
};

struct aws_keys { /* immutable, counted */
    char *id;
    struct secret *secret, *token; /* token NULL: none */
    int64_t expires_ms;            /* INT64_MAX: never */
    int refs;
};

struct aws; /* what was set, and the keys of the moment */

/* Reads the environment and the files; asks no one yet. Errors: ERR_INVALID (a profile that is not
 * there, a file that cannot be read), ERR_UNSUPPORTED (a kind of credentials that is not built). */
struct err *aws_open(struct aws **out) MUST_CHECK;
void aws_close(struct aws *w); /* NULL is fine */

/* Where a person has to be asked for keys: now, before threads run and progress is shown. */
struct err *aws_ask_now(struct aws *w) MUST_CHECK;

/* Ends waiting between attempts: those under way fail. */
void aws_stop(struct aws *w);

const char *aws_ca_file(const struct aws *w);       /* NULL: the system's */
struct str aws_region(const struct aws *w);         /* STR_NONE: none is set */
/* The endpoint that was set for a service, without a '/' at its end; STR_NONE: AWS's own. */
struct str aws_endpoint(const struct aws *w, const char *service);
/* "amazonaws.com", or the domain of the partition that a region is of. */
const char *aws_domain(struct str region);

/* The keys of the moment, one reference. `old`: those that were refused as expired, or NULL. */
struct err *aws_keys_get(struct aws *w, const struct aws_keys *old,
                         struct aws_keys **out) MUST_CHECK;
void aws_keys_unref(struct aws *w, struct aws_keys *k); /* NULL is fine */

struct aws_request {
    const char *service, *method;
    struct str region;
    struct str endpoint; /* https://HOST[:PORT][/BASE] */
    struct str path;     /* percent-encoded, from its '/' on */
    struct str query;    /* STR_NONE: none */
    struct http_header headers[4]; /* more than those of signing */
    size_t n_headers;
    struct str body;
    int timeout_ms; /* 0: AWS_TIMEOUT_MS */
};

/* Signs (k NULL: does not) and sends once. An HTTP status of any kind is a success here. */
struct err *aws_send_once(struct arena *a, const struct aws_keys *k, const char *ca_file,
                          const struct aws_request *r, struct http_in *out) MUST_CHECK;

/* The same with the keys of the moment, and again after a lost connection, throttling, a fault of
 * the server (5xx) or expired keys, up to AWS_ATTEMPTS times. The last answer stands, whatever its
 * status is. */
struct err *aws_send(struct aws *w, struct arena *a, const struct aws_request *r,
                     struct http_in *out) MUST_CHECK;

/* What an answer with an error says, in XML or JSON; STR_NONE where it does not say. */
struct aws_fault {
    struct str code, message, region; /* region: where the bucket is, if the answer tells */
};
struct aws_fault aws_fault_of(struct arena *a, const struct http_in *in);
struct str http_in_header(const struct http_in *in, const char *name); /* STR_NONE: not there */

/* An answer as an error: "GetObject: AccessDenied (403): …". */
struct err *aws_refused(struct arena *a, const char *what, const struct http_in *in) MUST_CHECK;

#endif
