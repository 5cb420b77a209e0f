/* room.h: private to the CloudFormation room. */
#ifndef WARD_SVC_CLOUDFORMATION_ROOM_H
#define WARD_SVC_CLOUDFORMATION_ROOM_H

#include "cloudformation.h"
#include "cloudformation_model.h"
#include "template.h"
#include "types.h"

/* -- stack.c: rows ----------------------------------------------------------------------------- */

struct place { /* where a stack's rows are */
    struct str account, region, uuid;
};

struct skey stack_key(const struct place *p);
bool place_of_arn(struct str stack_arn, struct place *out);
/* NULL in *out: no such stack. */
struct err *stack_load(struct txn *t, struct arena *a, const struct place *p, struct jv **out)
    MUST_CHECK;
struct err *stack_save(struct txn *t, struct arena *a, const struct place *p,
                       const struct jv *stack) MUST_CHECK;
/* By name (of a stack that is there) or ARN (also of one that was deleted). */
struct err *stack_find(struct call *c, struct str name_or_arn, struct place *out_place,
                       struct jv **out) MUST_CHECK;
/* The same, or ValidationError "Stack with id X does not exist". */
struct err *stack_need(struct call *c, struct str name_or_arn, struct place *out_place,
                       struct jv **out) MUST_CHECK;
struct err *stack_name_put(struct txn *t, const struct place *p, struct str name) MUST_CHECK;
struct err *stack_name_del(struct txn *t, const struct place *p, struct str name) MUST_CHECK;

struct err *template_text_put(struct txn *t, const struct place *p, const char *which,
                              struct str text) MUST_CHECK;
struct err *template_text_get(struct txn *t, struct arena *a, const struct place *p,
                              const char *which, struct str *out) MUST_CHECK;
struct err *template_text_del(struct txn *t, const struct place *p, const char *which) MUST_CHECK;

struct err *resource_save(struct txn *t, struct arena *a, const struct place *p,
                          const struct jv *row) MUST_CHECK;
struct err *resource_drop(struct txn *t, const struct place *p, struct str logical) MUST_CHECK;
/* {logical id: row} */
struct err *resource_load_all(struct txn *t, struct arena *a, const struct place *p,
                              struct jv **out) MUST_CHECK;
bool resource_live(const struct jv *row); /* there, as far as the stack knows */

struct event {
    struct str logical, physical, type, status, reason, properties;
};
/* Numbers the event in the stack's row, which the caller saves. */
struct err *event_add(struct txn *t, struct arena *a, const struct place *p, struct jv *stack,
                      const struct event *e) MUST_CHECK;
/* The stack's own status, with its event. */
struct err *stack_status(struct txn *t, struct arena *a, const struct place *p, struct jv *stack,
                         const char *status, struct str reason) MUST_CHECK;
bool in_progress(struct str status);
/* "Stack:ARN is in STATE state and can not be updated." */
struct err *check_updatable(const struct jv *stack) MUST_CHECK;

/* -- request.c --------------------------------------------------------------------------------- */

struct request { /* what CreateStack, UpdateStack and CreateChangeSet have in common */
    struct str body, url;
    bool previous_template;
    const struct cloudformation_Parameters *parameters;
    const struct cloudformation_Capabilities *capabilities;
    const struct cloudformation_Tags *tags;
    const struct cloudformation_NotificationARNs *topics;
    const struct cloudformation_ResourceTypes *types; /* the only ones allowed; none: all */
    /* What is not built, refused when it is given. */
    const struct cloudformation_RollbackConfiguration *rollback;
    const struct cloudformation_DeploymentConfig *deployment;
    bool policy;
};
struct plan { /* …checked */
    struct str text;
    struct template t;
    struct jv *params, *tags, *capabilities, *topics;
};
/* The text of a template given by value or URL; STR_NONE: neither. */
struct err *request_template(struct call *c, struct str body, struct str url, struct str *out)
    MUST_CHECK;
/* `stack`, `former`: the stack that is there, or NULL. */
struct err *request_plan(struct call *c, const struct request *r, const struct place *p,
                         const struct jv *stack, struct str stack_name, struct str stack_id,
                         struct plan *out) MUST_CHECK;
struct err *check_stack_name(struct str name) MUST_CHECK;
/* Types that Ward does not have: "Unrecognized resource types: […]". */
struct err *check_types(struct call *c, const struct template *t) MUST_CHECK;
/* Names the stack's resources to which the template gives another type, which AWS refuses;
 * STR_NONE: none. */
struct err *changed_types(struct call *c, const struct place *p, const struct template *t,
                          struct str *out_reason) MUST_CHECK;
/* Capabilities that a template needs: 0, 1 CAPABILITY_IAM, 2 CAPABILITY_NAMED_IAM. */
int needed_capability(const struct template *t, struct arena *a, struct str *out_reason);
/* In whose name the stack's calls are made: kept in the row as "role" or "principal". */
struct err *set_actor(struct call *c, struct jv *stack, struct str role) MUST_CHECK;
void fill_scope(struct scope *s, struct arena *a, const struct template *t,
                const struct place *p, const struct jv *stack);
/* Has the job look at the stack's row again: its operation goes on. */
struct err *go_on(struct call *c, const struct place *p, struct jv *stack) MUST_CHECK;
/* Starts an operation: "create", "update", "delete". */
struct err *start_operation(struct call *c, const struct place *p, struct jv *stack,
                            const char *phase, struct str token) MUST_CHECK;
/* Keeps what the plan says in the row: "next" for an update. */
void plan_into(struct arena *a, struct jv *row, const struct plan *p);

/* create.c */
struct err *new_stack(struct call *c, struct str name, struct place *out_place, struct jv **out)
    MUST_CHECK;
/* Makes `plan` the stack's next state and starts the update. */
struct err *begin_update(struct call *c, const struct place *p, struct jv *stack,
                         const struct plan *plan, struct str token) MUST_CHECK;

/* -- run.c, resource.c, output.c: the job ------------------------------------------------------ */

struct run {
    struct ward *ward;
    struct arena *a;
    struct place place;
    struct jv *stack, *rows; /* as last read; rows: {logical id: row} */
    struct str op;           /* the operation's id: another one in the row means: stop */
    struct template t;
    struct scope scope;
    struct order order;
    struct jv *imports;      /* {export name: true} used so far */
    bool stopped, wait, mask;
    char failure[ERR_MESSAGE_MAX]; /* why a resource failed */
};

struct note { /* what one transaction of a run writes */
    struct jv *row;         /* a resource's row, or NULL */
    bool drop;              /* …to be removed */
    const char *status;     /* its event and new status; NULL: none */
    struct str reason, physical, type;
    bool silent_status;     /* the event only: the row keeps its status */
    const char *stack_status;
    struct str stack_reason;
    const char *phase;      /* the operation's next phase; "": it has ended */
};
struct err *run_note(struct run *r, const struct note *n) MUST_CHECK;
/* fn in the same kind of transaction: the stack's row is read, given, saved. */
struct err *run_write(struct run *r,
                      struct err *(*fn)(struct run *r, struct txn *t, struct jv *stack, void *ctx),
                      void *ctx) MUST_CHECK;

enum outcome { OUT_DONE = 1, OUT_FAILED, OUT_WAIT, OUT_STOPPED };
/* Errors are those of the store; what AWS would call a failure is OUT_FAILED with r->failure. */
struct err *resource_make(struct run *r, size_t at, enum outcome *out) MUST_CHECK;
struct err *resource_update(struct run *r, size_t at, enum outcome *out) MUST_CHECK;
struct err *resource_undo(struct run *r, struct jv *row, enum outcome *out) MUST_CHECK;
/* Of a rollback: REMOVE_ROLLBACK for what the operation itself made. */
enum remove_why { REMOVE_STACK, REMOVE_ROLLBACK, REMOVE_CLEANUP };
struct err *resource_remove(struct run *r, struct jv *row, enum remove_why why, enum outcome *out)
    MUST_CHECK;
/* The former physical resource of one that was replaced (member "prev" or "trash" of its row). */
struct err *resource_remove_part(struct run *r, struct jv *row, const char *part,
                                 enum outcome *out) MUST_CHECK;
struct err *scope_get(void *ctx, struct str logical, struct str attr, const struct jv **out)
    MUST_CHECK;
struct err *scope_import(void *ctx, struct str name, const struct jv **out) MUST_CHECK;
/* Values of all outputs. */
struct err *outputs_resolve(struct run *r, struct jv **out) MUST_CHECK;
/* Exports as the outputs say; errors: a name is taken, a former one is in use. */
struct err *exports_write(struct txn *t, struct arena *a, const struct place *p,
                          const struct jv *stack, const struct jv *outputs) MUST_CHECK;
struct err *import_put(struct txn *t, struct arena *a, const struct place *p,
                       const struct jv *stack, struct str name) MUST_CHECK;
struct err *imports_drop(struct txn *t, struct arena *a, const struct place *p,
                         const struct jv *stack) MUST_CHECK;
struct err *exports_in_use(struct txn *t, struct arena *a, const struct place *p,
                           const struct jv *outputs) MUST_CHECK;

/* changeset.c */
/* By its name and the stack's, or by its ARN: arn:…:changeSet/NAME/UUID. ChangeSetNotFound. */
struct err *change_set_need(struct call *c, struct str name, struct str stack_name, struct place *p,
                            struct jv **stack, struct jv **out) MUST_CHECK;
struct err *change_sets_drop(struct txn *t, struct arena *a, const struct place *p) MUST_CHECK;

extern const struct job_kind cloudformation_jobs[];

/* -- targets (ops.c) and handlers -------------------------------------------------------------- */
struct err *target_stack(struct call *c, struct target *out);
struct err *target_change_set(struct call *c, struct target *out);
struct err *target_role(struct call *c, struct target *out);
bool has_role(const struct call *c);

OP_DECLARE(cloudformation, CreateStack);
OP_DECLARE(cloudformation, UpdateStack);
OP_DECLARE(cloudformation, DeleteStack);
OP_DECLARE(cloudformation, CancelUpdateStack);
OP_DECLARE(cloudformation, ContinueUpdateRollback);
OP_DECLARE(cloudformation, UpdateTerminationProtection);
OP_DECLARE(cloudformation, DescribeStacks);
OP_DECLARE(cloudformation, DescribeStackEvents);
OP_DECLARE(cloudformation, DescribeStackResource);
OP_DECLARE(cloudformation, DescribeStackResources);
OP_DECLARE(cloudformation, ListStacks);
OP_DECLARE(cloudformation, ListStackResources);
OP_DECLARE(cloudformation, GetTemplate);
OP_DECLARE(cloudformation, ValidateTemplate);
OP_DECLARE(cloudformation, GetTemplateSummary);
OP_DECLARE(cloudformation, ListExports);
OP_DECLARE(cloudformation, ListImports);
OP_DECLARE(cloudformation, CreateChangeSet);
OP_DECLARE(cloudformation, DescribeChangeSet);
OP_DECLARE(cloudformation, ExecuteChangeSet);
OP_DECLARE(cloudformation, DeleteChangeSet);
OP_DECLARE(cloudformation, ListChangeSets);

#endif
