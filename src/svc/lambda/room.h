/* room.h: private to the Lambda room: functions and what the API does with them. How they run is in
 * exec.h. */
#ifndef WARD_SVC_LAMBDA_ROOM_H
#define WARD_SVC_LAMBDA_ROOM_H

#include "lambda.h"
#include "lambda_model.h"

struct function { /* a row, read */
    struct str account, region, name;
    struct str id;              /* of this making of the name */
    struct str arn;
    struct str runtime, role, handler, description, arch;
    int64_t timeout_s, memory_mb, ephemeral_mb;
    struct str dead_letter;     /* ARN, or empty */
    int64_t reserved;           /* concurrency; -1: none */
    struct str revision;        /* changes with every update */
    int64_t modified_ms;
    uint64_t code_id;
    struct str code_sha256;     /* base64 */
    int64_t code_size;
    struct jv *row;             /* with "env", "tags", "policy" */
};

/* function.c */
struct function_name { /* what a client named */
    struct str account, region, name, qualifier, arn; /* arn without qualifier */
};
/* A name, a partial ARN or an ARN, each perhaps with a qualifier. */
struct err *function_place(struct call *c, struct str given, struct str qualifier,
                           struct function_name *out) MUST_CHECK;
struct skey function_key(struct str account, struct str region, struct str name);
struct err *function_read(struct txn *t, struct arena *a, struct str account, struct str region,
                          struct str name, struct function *out, bool *out_found) MUST_CHECK;
/* The function of the call, or ResourceNotFoundException; so is a qualifier other than $LATEST. */
struct err *function_need(struct call *c, struct str given, struct str qualifier,
                          struct function *out) MUST_CHECK;
/* Writes the row with a new revision id. */
struct err *function_save(struct call *c, struct function *f) MUST_CHECK;
struct str function_owner(struct arena *a, struct str account, struct str id);
struct lambda_FunctionConfiguration *function_out(struct call *c, const struct function *f);
struct str function_policy(struct arena *a, const struct function *f); /* JSON, or STR_NONE */
void jv_put(struct arena *a, struct jv *o, const char *key, struct str v);

/* code.c */
struct err *code_check(struct arena *a, struct str zip) MUST_CHECK;
struct err *code_store(struct call *c, struct function *f, struct str zip) MUST_CHECK;
struct err *code_delete(struct txn *t, uint64_t code_id) MUST_CHECK;
struct err *code_load(struct txn *t, struct arena *a, const struct function *f, struct str *out)
    MUST_CHECK;
struct err *code_unpack(struct str zip, const char *dir) MUST_CHECK;
struct err *dir_remove(const char *path) MUST_CHECK; /* with all in it; missing is fine */

/* create.c: whether Lambda may assume the role. */
struct err *role_check(struct call *c, struct str role_arn, struct str function_arn) MUST_CHECK;

/* event.c */
extern const struct job_kind lambda_jobs[];
struct err *event_put(struct call *c, const struct function *f, struct str payload,
                      struct str client_context) MUST_CHECK;
struct err *destroy_later(struct call *c, const struct function *f) MUST_CHECK;

/* dispatch.c */
struct err *lambda_start(struct ward *w) MUST_CHECK;
void lambda_stop(struct ward *w);

#define LAMBDA_OPS(X)                                                                              \
    X(CreateFunction) X(UpdateFunctionCode) X(UpdateFunctionConfiguration) X(DeleteFunction)       \
    X(GetFunction) X(GetFunctionConfiguration) X(ListFunctions) X(Invoke) X(AddPermission)         \
    X(RemovePermission) X(GetPolicy) X(TagResource) X(UntagResource) X(ListTags)                   \
    X(PutFunctionConcurrency) X(GetFunctionConcurrency) X(DeleteFunctionConcurrency)               \
    X(GetAccountSettings)
#define LAMBDA_DECLARE(op) OP_DECLARE(lambda, op);
LAMBDA_OPS(LAMBDA_DECLARE)
#undef LAMBDA_DECLARE

#endif
