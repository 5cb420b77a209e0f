/* api.h: what a room sees: its table rows, the call in hand, and the ways to call others.
 *
 * A room is a folder under src/svc. It hands one `const struct room` to the registry. Everything
 * that is common (authentication, policies, validation, records, transactions, encoding, paging,
 * jobs) happens outside it; a handler reads its typed input, works in c->txn, fills its typed
 * output, and returns NULL or an error with AWS's code.
 *
 * The line (pipeline.c): accept, parse, identify, authenticate, decode, authorise, validate,
 * handler, audit, commit, respond. From authorise to commit is one transaction, which runs again
 * after a conflict (CALL_ATTEMPTS times): until the commit, a handler has no effect but through
 * c->txn and internal calls that are safe to repeat.
 *
 * Thread rule: a call belongs to one thread at a time. Rows and models are immutable. */
#ifndef WARD_API_API_H
#define WARD_API_API_H

#include "../audit/ledger.h"
#include "../auth/identity.h"
#include "../auth/sigv4.h"
#include "../core/clock.h"
#include "../core/enc.h"
#include "../store/blob.h"
#include "codec.h"

enum {
    CALL_ARENA_MAX = 96 * 1024 * 1024,
    CALL_BODY_MAX = 8 * 1024 * 1024, /* a body that is not streamed, unless the row says other */
    CALL_ATTEMPTS = 40,
    CALL_DEPTH_MAX = 6, /* internal calls within internal calls */
    CALL_NEEDS_MAX = 6,
    CALL_KEYS_MAX = 64, /* condition keys */
    CALL_RESOURCES_MAX = 8,
};

/* Above the reserve that the blobs keep for the store (64 MiB).
 * Below this much free space in the data directory writes are refused, but for those that free
 * some; what is left is for the records of reads and refusals, which go on until the store's own,
 * smaller reserve (16 MiB) is reached: there every call fails, since none can be recorded. */
#define DISK_RESERVE_BYTES ((uint64_t)72 * 1024 * 1024)

struct call;
struct room;
struct job_kind;

/* -- the installation: one for each process, immutable after start but for what it points at --- */
struct ward {
    struct store *store;
    struct blobs *blobs;
    struct ledger *ledger;
    struct pool *pool;
    const struct room *const *rooms;
    size_t n_rooms;
    struct scheduler *scheduler;
    const char *data_dir;
    char region[32];        /* the default region: us-east-1 */
    char endpoint[128];     /* https://127.0.0.1:4566, set once listening */
    const char *ca_file;    /* PEM of the local CA; NULL when plain */
    const char *smtp_url;   /* NULL: none */
    const char *webhook_url; /* provider for SMS and mobile push; NULL: none */
    int64_t trail_interval_ms;
    int64_t digest_interval_ms;
};

/* -- authorisation needs ----------------------------------------------------------------------- */
struct target { /* what a need is about; filled by the room */
    struct str arn;             /* "*" when the action has no resource */
    struct str account;         /* owner; STR_NONE: the caller's */
    struct str policy;          /* the resource's policy, JSON; STR_NONE: it has none */
    bool policy_required;       /* as policy_set.resource_policy_required */
    const char *type;           /* "AWS::S3::Object", for the record's resources; NULL: none */
};

struct need {
    const char *action;                     /* "kms:Encrypt" */
    bool (*when)(const struct call *c);     /* NULL: always */
    /* NULL: the target is "*". May read through c->txn, may add condition keys with call_key(). A
     * missing resource is not an error here (build its ARN from the input): who may not call learns
     * nothing of what exists. */
    struct err *(*target)(struct call *c, struct target *out);
};

enum audit_class { AUDIT_MANAGEMENT = 1, AUDIT_DATA };
enum op_effect { OP_READ = 1, OP_WRITE }; /* the transaction, and the record's readOnly */

/* A streaming body (model->streaming_input): begin runs after authorise and validate, in a read
 * snapshot that has ended when data() comes; data() gets the payload piece by piece, decoded from
 * aws-chunked; the handler runs after the whole body was verified. abandon() undoes (always called
 * when the handler did not succeed; must accept being called without begin). State: c->state. */
struct body_hooks {
    struct err *(*begin)(struct call *c);
    struct err *(*data)(struct call *c, struct str piece);
    void (*abandon)(struct call *c);
};

struct op_row {
    const char *name;       /* as in the model */
    struct err *(*handler)(struct call *c, const void *in, void *out);
    enum op_effect effect;
    enum audit_class audit;
    const struct need *needs; /* ends with a zero row; NO_NEEDS where AWS asks for none */
    const char *record_in;  /* top-level members for requestParameters: "KeyId GrantTokens", "*" */
    const char *record_out; /* for responseElements; NULL: null, as for reads */
    const char *event_name; /* CloudTrail's, where it differs: "CreateFunction20150331" */
    const struct body_hooks *body;
    size_t body_max;        /* 0: CALL_BODY_MAX */
    bool read_only_record;  /* a writing handler whose record says readOnly true (Decrypt…) */
    bool anonymous;         /* may come unsigned; then only a resource policy can allow it */
    bool frees;             /* takes things away: allowed on a full disk */
    bool unrecorded;        /* AWS keeps no record of it, and nothing of a customer is touched */
};
extern const struct need NO_NEEDS[1];

/* What every row says; more may follow it: {OP_ROW(…), .frees = true}. */
#define OP_ROW(room, op, what, class, needed, in, result)                                          \
    .name = #op, .handler = room##_##op##_op, .effect = what, .audit = class, .needs = needed,     \
    .record_in = in, .record_out = result

/* Typed handler to row, checked by the compiler:
 *     OP_HANDLER(kms, Encrypt, EncryptRequest, EncryptResponse)  { use c, in, out }
 *     … .handler = kms_Encrypt_op, declared in the room's private header with OP_DECLARE(). */
#define OP_DECLARE(room, op)                                                                       \
    struct err *room##_##op##_op(struct call *c, const void *in, void *out)
#define OP_HANDLER(room, op, In, Out)                                                              \
    static struct err *room##_##op(struct call *c, const struct room##_##In *in,                   \
                                   struct room##_##Out *out);                                      \
    struct err *room##_##op##_op(struct call *c, const void *in, void *out)                 \
    {                                                                                              \
        return room##_##op(c, in, out);                                                            \
    }                                                                                              \
    static struct err *room##_##op(UNUSED struct call *c, UNUSED const struct room##_##In *in,     \
                                   UNUSED struct room##_##Out *out)
/* No output (or no input: pass `void` structs room_none from the generated header). */
#define OP_HANDLER_NO_OUT(room, op, In)                                                            \
    static struct err *room##_##op(struct call *c, const struct room##_##In *in);                  \
    struct err *room##_##op##_op(struct call *c, const void *in, UNUSED void *out)          \
    {                                                                                              \
        return room##_##op(c, in);                                                                 \
    }                                                                                              \
    static struct err *room##_##op(UNUSED struct call *c, UNUSED const struct room##_##In *in)
#define OP_HANDLER_NO_IN(room, op, Out)                                                            \
    static struct err *room##_##op(struct call *c, struct room##_##Out *out);                      \
    struct err *room##_##op##_op(struct call *c, UNUSED const void *in, void *out)          \
    {                                                                                              \
        return room##_##op(c, out);                                                                \
    }                                                                                              \
    static struct err *room##_##op(UNUSED struct call *c, UNUSED struct room##_##Out *out)

/* A page without a signature that a peer must be able to fetch (SNS's signing certificate). */
struct page {
    const char *path_prefix;
    struct err *(*get)(struct ward *w, struct arena *a, struct str path, const char **out_type,
                       struct str *out_body);
};

struct room {
    const char *name;            /* "kms" */
    const struct service_model *model;
    const char *event_source;    /* "kms.amazonaws.com" */
    const struct op_row *ops;
    size_t n_ops;
    const char *validation_code; /* "ValidationException", "ValidationError", "InvalidParameter"…;
                                    NULL: the handlers check all themselves, where AWS's model says
                                    other than AWS does (SQS) */
    const char *denied_code;     /* "AccessDeniedException", "AccessDenied", "AuthorizationError",
                                    "UnauthorizedOperation" (EC2) */
    const char *denied_words;    /* what its refusals begin with; NULL: nothing of its own */
    bool global;                 /* IAM, STS's records…: region us-east-1 in records and ARNs */
    const struct job_kind *jobs; /* ends with a zero row; NULL: none */
    const struct page *pages;    /* ends with a zero row; NULL: none */
    /* What the room adds to each record by call_record(), or NULL. c->row may be NULL, and a
     * refused call may have come to no handler. */
    void (*record)(struct call *c, bool ok);
    /* Once at start, before the first call: create what must exist, sweep what a crash left. */
    struct err *(*start)(struct ward *w);
    void (*stop)(struct ward *w);
};

/* -- the call ---------------------------------------------------------------------------------- */
struct call {
    struct ward *ward;
    struct arena *arena;
    struct txn *txn;                 /* during target, begin (read) and handler */
    const struct room *room;
    const struct op_row *row;
    const struct op_model *op;
    enum protocol proto;
    const struct wire_request *wire; /* NULL for internal calls */
    const struct http_exchange *http; /* NULL for internal calls */
    struct sig sig;
    struct identity id;              /* who calls */
    struct str account;              /* the caller's account: where new things are made */
    struct str region;
    int64_t now_ms;                  /* one time for the whole call */
    char request_id[37];
    const void *in;
    void *out;

    /* what the room may set */
    void *state;                     /* its own, in the arena; survives re-runs and parking */
    struct wire_param *extra_headers; /* added to the response: call_header() */
    size_t n_extra_headers;
    int status;                      /* 0: the model's */
    bool has_stream;                 /* the response's body is drawn from `stream` */
    struct http_source stream;
    int64_t stream_length;
    struct str resource_name;        /* S3: <Resource> of an error */

    /* parking */
    bool wait_over;                  /* the time of call_park() has passed: answer now */
    void *priv;                      /* the pipeline's */
};

/* Authorises one more action within a handler (each key of DeleteObjects): NULL is allowed, else
 * the room's denied_code with AWS's message. The refusal is the caller's to report and record. */
struct err *call_check(struct call *c, const char *action, const struct target *t) MUST_CHECK;

/* A condition key for the evaluation at hand, e.g. call_key(c, "kms:ViaService", v). */
void call_key(struct call *c, const char *name, struct str value);
void call_key_list(struct call *c, const char *name, const struct str *values, size_t n);
/* Forgets the keys of the resource at hand, for the next of several within one call. */
void call_keys_reset(struct call *c);
bool call_is_internal(const struct call *c); /* made by a service, not by a client */

/* "s3.us-east-1.amazonaws.com" when a service calls on the caller's behalf (kms:ViaService), else
 * STR_NONE. */
struct str call_via_service(struct call *c);

/* More for the record: additionalEventData (of several with one key the last counts), and the
 * resources list (account STR_NONE: not told). */
void call_record(struct call *c, const char *key, struct str value);
void call_record_number(struct call *c, const char *key, int64_t number);
void call_record_resource(struct call *c, struct str arn, struct str account, const char *type);
/* …what all begins so: its ARNPrefix. */
void call_record_prefix(struct call *c, struct str arn, const char *type);
/* The row's classification overruled for this call (an alias of an op that is data for some). */
void call_record_as(struct call *c, enum audit_class cls);

void call_header(struct call *c, const char *name, struct str value);
struct str call_trailer(const struct call *c, const char *lower_name); /* aws-chunked trailers */

/* Returned by a handler: "ask me again when `wake_key` is woken, or at until_ms at the latest". The
 * whole transaction runs again then. Only for operations with OP_READ or an untouched txn. */
struct err *call_park(struct call *c, struct str wake_key, int64_t until_ms) MUST_CHECK;
/* Wakes every call parked on the key; from any thread, after the commit that gives it reason. */
void call_wake(struct str wake_key);
/* …by way of the transaction: runs when it has committed. The arena outlives the transaction. */
void call_wake_on_commit(struct txn *t, struct arena *a, struct str wake_key);

/* Whether AWS has a Region of this name ("us-east-1"); "aws" partition. */
bool region_known(struct str name);

/* -- ARNs, ids, paging, tags ------------------------------------------------------------------- */
struct arn {
    struct str partition, service, region, account, resource;
};
bool arn_parse(struct str s, struct arn *out);
/* arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE with the call's region and account. */
struct str call_arn(struct call *c, const char *service, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Paging tokens: sealed, bound to the operation and the caller's account, so that they cannot be
 * read or forged. An empty or absent token gives STR_NONE. Errors: the code given. */
struct str page_token(struct call *c, struct str position);
struct err *page_position(struct call *c, struct str token, const char *bad_code, struct str *out)
    MUST_CHECK;

/* Tags kept as an object {key: value}: those whose key is not among `keys`, as a new object. */
struct jv *tags_without(struct arena *a, const struct jv *tags, const struct str *keys, size_t n);

/* Rows as JSON documents: most of what a room keeps. Owner: "ACCOUNT" unless given. */
struct err *row_get(struct call *c, const char *table, struct str key, struct jv **out) MUST_CHECK;
/* The same by txn_look: for rows that many only look at. Members of the row itself may be set, what
 * hangs below them is shared and may not be changed. */
struct err *row_peek(struct call *c, const char *table, struct str key, struct jv **out) MUST_CHECK;
struct err *row_put(struct call *c, const char *table, struct str owner, struct str key,
                    const struct jv *row) MUST_CHECK;

/* -- internal calls ---------------------------------------------------------------------------- */
enum call_as {
    AS_CALLER = 1, /* the principal of `from`, on whose behalf service `service` calls */
    AS_SERVICE,    /* the service principal itself, for `account` */
    AS_ROLE,       /* a role that the service was given (PassRole), session name = service's; its
                      trust policy must let the service assume it, each time */
    AS_PRINCIPAL,  /* who asked for the work, named by ARN and looked up anew for each call: what
                      was taken from them since is taken (CloudFormation without a role) */
};

struct api_call {
    struct call *from;     /* AS_CALLER: required; else may be NULL (jobs) */
    struct ward *ward;
    enum call_as as;
    const char *service;   /* "s3.amazonaws.com": invokedBy and, AS_SERVICE, the principal */
    struct str role_arn, session_name; /* AS_ROLE */
    /* AS_PRINCIPAL: user, role, or assumed-role session, and its unique id (user_id of struct
     * principal): another one of the same name is somebody else. */
    struct str principal_arn, principal_id;
    struct str account, region; /* where; STR_NONE: from's */
    struct str source_arn; /* aws:SourceArn for AS_SERVICE and for a role's trust, or STR_NONE */
    struct arena *arena;   /* where the output lives; NULL: from's */
    int depth;             /* set by the pipeline */
};

/* Runs an operation of another room from authorise on, in a transaction of its own, recorded with
 * invokedBy. Input and output are the generated structs. Do not call it while holding locks. */
struct err *api_call(const struct api_call *o, const char *room, const char *op, const void *in,
                     void **out) MUST_CHECK;
/* The same with JSON trees in the model's names. `out` may be NULL. */
struct err *api_call_json(const struct api_call *o, const char *room, const char *op,
                          const struct jv *in, bool coerce, struct jv **out) MUST_CHECK;
/* With a streamed body in or out (S3): body is given whole; *out_body is read whole, at most max.
 */
struct err *api_call_body(const struct api_call *o, const char *room, const char *op,
                          const struct jv *in, struct str body, struct jv **out, size_t max,
                          struct str *out_body) MUST_CHECK;

/* -- jobs: background work as rows with a due time ------------------------------------------------
 * A job row is written in a handler's transaction (the outbox) or by another job, and run at least
 * once, at or after its due time, by a worker; so run() must be safe to run twice. run() has no
 * transaction of its own: it may do I/O and internal calls, and then says what is next. To tie an
 * effect to the end of the job, begin a transaction, job_done_in() it, and commit. */
struct job {
    struct ward *ward;
    struct arena *arena;
    struct str kind, id, payload; /* id: unique for its kind; payload: as given */
    int attempt;                  /* from 0 */
    int64_t created_ms;
    bool done;                    /* set by job_done_in */
    uint64_t due_key;             /* the scheduler's */
    void *priv;
};
enum job_next { JOB_DONE = 1, JOB_AGAIN }; /* AGAIN: at *again_ms (absolute) */

struct job_kind {
    const char *name; /* "sns.deliver" */
    enum job_next (*run)(struct job *j, int64_t *again_ms);
    int parallel;     /* at most so many of this kind at once; 0: any */
};

/* In the transaction: replaces a job of the same kind and id. Owner as in txn_put. */
struct err *job_put(struct txn *t, struct str owner, const char *kind, struct str id,
                    int64_t due_ms, struct str payload) MUST_CHECK;
struct err *job_cancel(struct txn *t, const char *kind, struct str id) MUST_CHECK;
/* Deletes the job in the transaction; call it before the commit. */
struct err *job_done_in(struct job *j, struct txn *t) MUST_CHECK;
/* Delay of the nth retry: base * 2^n with full jitter, at most cap. */
int64_t job_backoff_ms(int attempt, int64_t base_ms, int64_t cap_ms);

/* -- what happens without a call ------------------------------------------------------------------
 * A service's own event (a scheduled deletion, a rotation): recorded as AwsServiceEvent in the same
 * transaction as its effect, which is committed here. *t is ended, whatever the result. */
struct service_event {
    struct str account, region;
    const char *source, *name;     /* "kms.amazonaws.com", "DeleteKey" */
    struct str resource_arn;
    const char *resource_type;
    const struct jv *details;      /* serviceEventDetails, or NULL */
};
struct err *service_event_commit(struct ward *w, struct txn **t, const struct service_event *ev)
    MUST_CHECK;

/* -- errors common to all ---------------------------------------------------------------------- */
struct err *err_not_implemented(struct call *c, const char *what) MUST_CHECK; /* 501 */

#endif
