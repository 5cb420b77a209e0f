/* The job: one operation on one stack, from phase to phase.
 *
 *   create   -> done, or rollback               rollback: what was made is deleted
 *   update   -> cleanup, or unupdate            cleanup: what is no longer needed is deleted
 *   unupdate -> unclean                         unclean: what the failed update made is deleted
 *   delete   -> done
 *
 * The row's `op` names the operation. A run that finds another one there stops: DeleteStack may
 * overtake a creation. */
#include "room.h"

#include "core/log.h"

enum { RUN_RETRY_MS = 500, RUN_RETRY_CAP_MS = 30000 };

/* -- transactions ------------------------------------------------------------------------------ */

static struct err *write_once(struct run *r,
                              struct err *(*fn)(struct run *r, struct txn *t, struct jv *stack,
                                                void *ctx),
                              void *ctx)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    struct jv *stack;
    TRY(store_begin(r->ward->store, TXN_WRITE, &t));
    TRY(stack_load(t, r->a, &r->place, &stack));
    if (stack == NULL) {
        r->stopped = true;
        return NULL;
    }
    r->stopped = !str_eq(jv_s(jv_get(stack, "op")), r->op);
    TRY(fn(r, t, stack, ctx));
    TRY(stack_save(t, r->a, &r->place, stack));
    TRY(txn_commit(&t));
    r->stack = stack;
    return NULL;
}

struct err *run_write(struct run *r,
                      struct err *(*fn)(struct run *r, struct txn *t, struct jv *stack, void *ctx),
                      void *ctx)
{
    for (int i = 0; i < CALL_ATTEMPTS; i++) {
        struct err *e = write_once(r, fn, ctx);
        if (!err_is(e, ERR_CONFLICT))
            return e;
        err_free(e);
    }
    return err_new(ERR_CONFLICT, "The stack's row changes too often.");
}

static struct err *write_row(struct run *r, struct txn *t, struct jv *stack, const struct note *n)
{
    struct str logical = jv_s(jv_get(n->row, "logical"));
    if (n->status != NULL) {
        struct str properties = jv_s(jv_get(n->row, "shown"));
        struct event e = {.logical = logical,
                          .physical = n->physical.p != NULL ? n->physical
                                                            : jv_s(jv_get(n->row, "id")),
                          .type = n->type.p != NULL ? n->type : jv_s(jv_get(n->row, "type")),
                          .status = str_c(n->status),
                          .reason = n->reason,
                          .properties = properties};
        if (e.physical.p == NULL)
            e.physical = STR("");
        TRY(event_add(t, r->a, &r->place, stack, &e));
        if (!n->silent_status) {
            put_s(r->a, n->row, "status", str_c(n->status));
            put_s(r->a, n->row, "reason", n->reason.n > 0 ? n->reason : STR_NONE);
        }
        put_i(r->a, n->row, "updated_ms", jv_i(jv_get(stack, "event_ms"), 0));
    }
    return n->drop ? resource_drop(t, &r->place, logical)
                   : resource_save(t, r->a, &r->place, n->row);
}

/* The imports used so far besides those that the row knows. */
static struct err *write_imports(struct run *r, struct txn *t, struct jv *stack)
{
    const struct jv *known = jv_get(stack, "imports");
    struct jv *names = jv_new_obj(r->a);
    for (size_t i = 0; i < jv_len(known); i++)
        jv_set(r->a, names, jv_s(jv_at(known, i)), jv_new_bool(r->a, true));
    for (size_t i = 0; i < jv_len(r->imports); i++) {
        struct str name = r->imports->obj.v[i].key;
        if (jv_get_str(names, name) != NULL)
            continue;
        TRY(import_put(t, r->a, &r->place, stack, name));
        jv_set(r->a, names, name, jv_new_bool(r->a, true));
    }
    struct jv *list = jv_new_arr(r->a);
    for (size_t i = 0; i < jv_len(names); i++)
        jv_push(r->a, list, jv_new_str(r->a, names->obj.v[i].key));
    put_v(r->a, stack, "imports", list);
    return NULL;
}

static struct err *write_note(struct run *r, struct txn *t, struct jv *stack, void *ctx)
{
    const struct note *n = ctx;
    if (n->row != NULL)
        TRY(write_row(r, t, stack, n));
    if (r->stopped)
        return NULL;
    TRY(write_imports(r, t, stack));
    if (n->phase != NULL)
        put_s(r->a, stack, "phase", str_c(n->phase));
    if (n->stack_status != NULL)
        TRY(stack_status(t, r->a, &r->place, stack, n->stack_status, n->stack_reason));
    return NULL;
}

struct err *run_note(struct run *r, const struct note *n)
{
    TRY(run_write(r, write_note, (void *)(uintptr_t)n));
    if (n->row == NULL)
        return NULL;
    struct str logical = jv_s(jv_get(n->row, "logical"));
    if (n->drop)
        put_v(r->a, r->rows, arena_cstr(r->a, logical), NULL);
    else
        jv_set(r->a, r->rows, logical, n->row);
    return NULL;
}

/* -- loading ----------------------------------------------------------------------------------- */

static struct err *load_template(struct run *r, const char *which)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    struct str text;
    TRY(store_begin(r->ward->store, TXN_READ, &t));
    TRY(template_text_get(t, r->a, &r->place, which, &text));
    TRY(template_parse(r->a, text, &r->t));
    const struct jv *state =
        strcmp(which, "next") == 0 ? jv_get(r->stack, "next") : r->stack;
    struct jv *view = jv_new_obj(r->a);
    put_s(r->a, view, "name", jv_s(jv_get(r->stack, "name")));
    put_s(r->a, view, "arn", jv_s(jv_get(r->stack, "arn")));
    put_v(r->a, view, "params", jv_get(state, "params"));
    put_v(r->a, view, "topics", jv_get(state, "topics"));
    fill_scope(&r->scope, r->a, &r->t, &r->place, view);
    r->scope.get = scope_get;
    r->scope.import = scope_import;
    r->scope.ctx = r;
    TRY(template_conditions(&r->scope));
    return template_order(&r->scope, &r->order);
}

static struct err *load_stack(struct run *r)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    TRY(store_begin(r->ward->store, TXN_READ, &t));
    TRY(stack_load(t, r->a, &r->place, &r->stack));
    r->op = jv_s(jv_get(r->stack, "op"));
    return resource_load_all(t, r->a, &r->place, &r->rows);
}

/* -- phases ------------------------------------------------------------------------------------ */

/* A refusal that AWS would show, of a write that other stacks have their say in (exports). */
static bool is_refusal(struct run *r, struct err *e)
{
    if (e == NULL || (e->code == NULL && !err_is(e, ERR_INVALID) && !err_is(e, ERR_LIMIT)))
        return false;
    snprintf(r->failure, sizeof r->failure, "%.500s", e->message);
    err_free(e);
    return true;
}

/* What the whole template imports, now that everything in it has a value. A run sees but what it
 * resolves itself: resources that an earlier run has dealt with are not among that. */
static void gather_imports(struct run *r)
{
    const struct jv *v;
    r->imports = jv_new_obj(r->a);
    for (size_t i = 0; i < r->order.n; i++)
        err_free(template_resolve(
            &r->scope, jv_get(jv_get_str(r->t.resources, r->order.names[i]), "Properties"), &v));
    for (size_t i = 0; i < jv_len(r->t.outputs); i++)
        if (template_active(&r->scope, &r->t.outputs->obj.v[i].value))
            err_free(template_resolve(&r->scope, &r->t.outputs->obj.v[i].value, &v));
}

/* Live rows so that each comes before what it needs. */
static struct err *removal_order(struct run *r, struct order *out)
{
    struct jv *graph = jv_new_obj(r->a);
    for (size_t i = 0; i < jv_len(r->rows); i++) {
        const struct jv *row = &r->rows->obj.v[i].value;
        const struct jv *deps = jv_get(row, "deps");
        if (resource_live(row))
            jv_set(r->a, graph, r->rows->obj.v[i].key, deps != NULL ? deps : jv_new_arr(r->a));
    }
    struct err *e = order_of(r->a, graph, out);
    if (e != NULL) { /* an update that failed half-way can leave a circle: then as they stand */
        err_free(e);
        for (size_t i = 0; i < jv_len(graph); i++)
            jv_set(r->a, graph, graph->obj.v[i].key, jv_new_arr(r->a));
        TRY(order_of(r->a, graph, out));
    }
    for (size_t i = 0; i < out->n / 2; i++) {
        struct str s = out->names[i];
        out->names[i] = out->names[out->n - 1 - i];
        out->names[out->n - 1 - i] = s;
    }
    return NULL;
}

static struct jv *row_of(struct run *r, struct str logical)
{
    const struct jv *row = jv_get_str(r->rows, logical);
    if (row == NULL)
        return NULL;
    struct jv *copy = jv_new_obj(r->a); /* rows are changed, the map of them is not */
    for (size_t i = 0; i < jv_len(row); i++)
        jv_set(r->a, copy, row->obj.v[i].key, &row->obj.v[i].value);
    return copy;
}

static struct err *fail_create(struct run *r, struct str logical, const char *why)
{
    struct str mode = jv_s(jv_get(r->stack, "on_failure"));
    struct str what = logical.p != NULL
                          ? arena_fmt(r->a, "The following resource(s) failed to create: [%.*s]. ",
                                      STR_ARG(logical))
                          : arena_fmt(r->a, "%s ", why);
    if (str_is(mode, "DO_NOTHING"))
        return run_note(r, &(struct note){.stack_status = "CREATE_FAILED", .stack_reason = what,
                                          .phase = ""});
    if (str_is(mode, "DELETE"))
        return run_note(r, &(struct note){.stack_status = "DELETE_IN_PROGRESS",
                                          .stack_reason = arena_fmt(r->a, "%.*sDelete requested by "
                                                                    "user.", STR_ARG(what)),
                                          .phase = "delete"});
    return run_note(r, &(struct note){.stack_status = "ROLLBACK_IN_PROGRESS",
                                      .stack_reason = arena_fmt(r->a, "%.*sRollback requested by "
                                                                "user.", STR_ARG(what)),
                                      .phase = "rollback"});
}

static bool timed_out(const struct run *r)
{
    int64_t minutes = jv_i(jv_get(r->stack, "timeout_min"), 0);
    return minutes > 0 &&
           clock_now_ms() > jv_i(jv_get(r->stack, "started_ms"), 0) + minutes * 60000;
}

/* The end of a creation or update: outputs, exports, the next template becomes the current one. */
struct finish {
    struct jv *outputs;
    bool update;
};

static struct err *write_finish(struct run *r, struct txn *t, struct jv *stack, void *ctx)
{
    const struct finish *f = ctx;
    if (r->stopped)
        return NULL;
    if (f->update && jv_b(jv_get(stack, "cancel"), false)) {
        r->stack = stack;
        return template_error("The update was cancelled.");
    }
    TRY(exports_write(t, r->a, &r->place, stack, f->outputs));
    TRY(imports_drop(t, r->a, &r->place, stack));
    put_v(r->a, stack, "imports", NULL);
    TRY(write_imports(r, t, stack));
    put_v(r->a, stack, "outputs", f->outputs);
    if (!f->update) {
        put_s(r->a, stack, "phase", STR(""));
        return stack_status(t, r->a, &r->place, stack, "CREATE_COMPLETE", STR_NONE);
    }
    struct str text;
    TRY(template_text_get(t, r->a, &r->place, "next", &text));
    TRY(template_text_put(t, &r->place, "current", text));
    TRY(template_text_del(t, &r->place, "next"));
    const struct jv *next = jv_get(stack, "next");
    put_v(r->a, stack, "description", NULL);
    for (size_t i = 0; i < jv_len(next); i++)
        jv_set(r->a, stack, next->obj.v[i].key, &next->obj.v[i].value);
    put_v(r->a, stack, "next", NULL);
    put_s(r->a, stack, "phase", STR("cleanup"));
    return stack_status(t, r->a, &r->place, stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", STR_NONE);
}

static struct err *finish(struct run *r, bool update, bool *out_failed)
{
    struct finish f = {.update = update};
    struct err *e = outputs_resolve(r, &f.outputs);
    gather_imports(r);
    if (e == NULL)
        e = run_write(r, write_finish, &f);
    *out_failed = is_refusal(r, e);
    return *out_failed ? NULL : e;
}

static struct err *phase_create(struct run *r)
{
    TRY(load_template(r, "current"));
    for (size_t i = 0; i < r->order.n; i++) {
        enum outcome got;
        struct str name = r->order.names[i];
        if (timed_out(r))
            return fail_create(r, STR_NONE, "Stack creation time exceeded the specified timeout.");
        TRY(resource_make(r, i, &got));
        if (got == OUT_FAILED)
            return fail_create(r, name, NULL);
        if (got != OUT_DONE)
            return NULL;
    }
    bool failed;
    TRY(finish(r, false, &failed));
    return failed ? fail_create(r, STR_NONE, r->failure) : NULL;
}

static struct err *write_gone(struct run *r, struct txn *t, struct jv *stack, void *ctx UNUSED)
{
    if (r->stopped)
        return NULL;
    TRY(exports_write(t, r->a, &r->place, stack, NULL));
    TRY(imports_drop(t, r->a, &r->place, stack));
    TRY(change_sets_drop(t, r->a, &r->place));
    TRY(template_text_del(t, &r->place, "next"));
    TRY(stack_name_del(t, &r->place, jv_s(jv_get(stack, "name"))));
    put_i(r->a, stack, "deleted_ms", clock_now_ms());
    put_s(r->a, stack, "phase", STR(""));
    /* What was given in secret is not kept longer than the stack is. */
    put_v(r->a, stack, "params", NULL);
    put_v(r->a, stack, "next", NULL);
    return stack_status(t, r->a, &r->place, stack, "DELETE_COMPLETE", STR_NONE);
}

static struct err *write_rolled_back(struct run *r, struct txn *t, struct jv *stack,
                                     void *ctx UNUSED)
{
    if (r->stopped)
        return NULL;
    TRY(imports_drop(t, r->a, &r->place, stack));
    put_v(r->a, stack, "imports", NULL);
    put_s(r->a, stack, "phase", STR(""));
    return stack_status(t, r->a, &r->place, stack, "ROLLBACK_COMPLETE", STR_NONE);
}

static bool retained(const struct run *r, struct str logical)
{
    const struct jv *list = jv_get(r->stack, "retain");
    for (size_t i = 0; i < jv_len(list); i++)
        if (str_eq(jv_s(jv_at(list, i)), logical))
            return true;
    return false;
}

/* What a resource that stays needs stays as well. */
static void hold_needs(struct run *r, struct jv *held, struct str logical)
{
    const struct jv *deps = jv_get(jv_get_str(r->rows, logical), "deps");
    for (size_t i = 0; i < jv_len(deps); i++)
        jv_set(r->a, held, jv_s(jv_at(deps, i)), jv_new_bool(r->a, true));
}

static struct err *remove_one(struct run *r, struct str logical, bool rollback, enum outcome *out)
{
    struct jv *row = row_of(r, logical);
    *out = OUT_DONE;
    if (retained(r, logical))
        return run_note(r, &(struct note){.row = row, .status = "DELETE_SKIPPED"});
    TRY(resource_remove_part(r, row, "prev", out));
    if (*out == OUT_DONE)
        TRY(resource_remove_part(r, row, "trash", out));
    if (*out == OUT_DONE)
        TRY(resource_remove(r, row, rollback ? REMOVE_ROLLBACK : REMOVE_STACK, out));
    return NULL;
}

/* A failure does not stop the rest, but for what the resource that is still there needs. */
static struct err *phase_remove(struct run *r, bool rollback)
{
    struct order order;
    struct jv *held = jv_new_obj(r->a);
    struct buf failed CLEANUP(buf_clear) = BUF_INIT(400);
    const char *status = rollback ? "ROLLBACK_FAILED" : "DELETE_FAILED";
    TRY(removal_order(r, &order));
    for (size_t i = 0; i < order.n; i++) {
        enum outcome got = OUT_FAILED;
        bool stays = jv_get_str(held, order.names[i]) != NULL && !retained(r, order.names[i]);
        if (!stays)
            TRY(remove_one(r, order.names[i], rollback, &got));
        if (got != OUT_DONE && got != OUT_FAILED)
            return NULL;
        if (got == OUT_FAILED)
            hold_needs(r, held, order.names[i]);
        if (got == OUT_FAILED && !stays)
            buf_fmt(&failed, "%s%.*s", failed.n > 0 ? ", " : "", STR_ARG(order.names[i]));
    }
    if (failed.n > 0 || failed.over) {
        struct str why = arena_fmt(r->a, "The following resource(s) failed to delete: [%.*s]. ",
                                   STR_ARG(buf_view(&failed)));
        return run_note(r, &(struct note){.stack_status = status, .stack_reason = why,
                                          .phase = ""});
    }
    struct err *e = run_write(r, rollback ? write_rolled_back : write_gone, NULL);
    if (!is_refusal(r, e))
        return e;
    return run_note(r, &(struct note){.stack_status = status, .phase = "",
                                      .stack_reason = arena_str(r->a, str_c(r->failure))});
}

static struct err *fail_update(struct run *r, struct str logical)
{
    struct str why = logical.p != NULL
                         ? arena_fmt(r->a, "The following resource(s) failed to %s: [%.*s]. ",
                                     str_starts_c(jv_s(jv_get(jv_get_str(r->rows, logical),
                                                              "status")), "CREATE")
                                         ? "create" : "update",
                                     STR_ARG(logical))
                         : arena_fmt(r->a, "%s ", r->failure);
    if (jv_b(jv_get(r->stack, "keep_failed"), false))
        return run_note(r, &(struct note){.stack_status = "UPDATE_FAILED", .stack_reason = why,
                                          .phase = ""});
    return run_note(r, &(struct note){.stack_status = "UPDATE_ROLLBACK_IN_PROGRESS",
                                      .stack_reason = why, .phase = "unupdate"});
}

static struct err *cancel_update(struct run *r)
{
    return run_note(r, &(struct note){.stack_status = "UPDATE_ROLLBACK_IN_PROGRESS",
                                      .stack_reason = STR("User Initiated"),
                                      .phase = "unupdate"});
}

static struct err *phase_update(struct run *r)
{
    TRY(load_template(r, "next"));
    for (size_t i = 0; i < r->order.n; i++) {
        enum outcome got;
        if (jv_b(jv_get(r->stack, "cancel"), false))
            return cancel_update(r);
        TRY(resource_update(r, i, &got));
        if (got == OUT_FAILED)
            return fail_update(r, r->order.names[i]);
        if (got != OUT_DONE)
            return NULL;
    }
    bool failed;
    TRY(finish(r, true, &failed));
    if (failed && jv_b(jv_get(r->stack, "cancel"), false))
        return cancel_update(r);
    return failed ? fail_update(r, STR_NONE) : NULL;
}

/* Deletes what the stack no longer has; a failure is told and does not stop the rest. */
static struct err *phase_cleanup(struct run *r, bool undone)
{
    struct order order;
    if (!undone)
        TRY(load_template(r, "current"));
    TRY(removal_order(r, &order));
    for (size_t i = 0; i < order.n; i++) {
        enum outcome got = OUT_DONE;
        struct str name = order.names[i];
        struct jv *row = row_of(r, name);
        const struct jv *def = undone ? NULL : jv_get_str(r->t.resources, name);
        bool made = str_eq(jv_s(jv_get(row, "made")), r->op);
        bool gone = undone ? made : def == NULL || !template_active(&r->scope, def);
        TRY(resource_remove_part(r, row, "trash", &got));
        if (got == OUT_DONE && !undone)
            TRY(resource_remove_part(r, row, "prev", &got));
        if (got == OUT_DONE && gone)
            TRY(resource_remove(r, row, undone ? REMOVE_ROLLBACK : REMOVE_CLEANUP, &got));
        if (got == OUT_WAIT || got == OUT_STOPPED)
            return NULL;
    }
    return run_note(r, &(struct note){.stack_status = undone ? "UPDATE_ROLLBACK_COMPLETE"
                                                             : "UPDATE_COMPLETE",
                                      .phase = ""});
}

static struct err *write_undone(struct run *r, struct txn *t, struct jv *stack, void *ctx UNUSED)
{
    if (r->stopped)
        return NULL;
    TRY(template_text_del(t, &r->place, "next"));
    put_v(r->a, stack, "next", NULL);
    TRY(imports_drop(t, r->a, &r->place, stack));
    put_v(r->a, stack, "imports", NULL);
    TRY(write_imports(r, t, stack));
    put_s(r->a, stack, "phase", STR("unclean"));
    return stack_status(t, r->a, &r->place, stack, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
                        STR_NONE);
}

static struct err *phase_unupdate(struct run *r)
{
    struct order order;
    TRY(removal_order(r, &order));
    for (size_t i = order.n; i-- > 0;) { /* in the order of making */
        enum outcome got;
        TRY(resource_undo(r, row_of(r, order.names[i]), &got));
        if (got == OUT_FAILED)
            return run_note(r, &(struct note){
                                   .stack_status = "UPDATE_ROLLBACK_FAILED",
                                   .stack_reason = arena_fmt(r->a, "The following resource(s) "
                                                             "failed to update: [%.*s]. ",
                                                             STR_ARG(order.names[i])),
                                   .phase = ""});
        if (got != OUT_DONE)
            return NULL;
    }
    TRY(load_template(r, "current")); /* which exports it uses again */
    gather_imports(r);
    struct err *e = run_write(r, write_undone, NULL);
    if (!is_refusal(r, e))
        return e;
    r->imports = jv_new_obj(r->a); /* an export that is gone in spite of its use */
    return run_write(r, write_undone, NULL);
}

/* -- the job ----------------------------------------------------------------------------------- */

static struct err *run_phase(struct run *r, struct str phase)
{
    if (str_is(phase, "create"))
        return phase_create(r);
    if (str_is(phase, "update"))
        return phase_update(r);
    if (str_is(phase, "rollback"))
        return phase_remove(r, true);
    if (str_is(phase, "delete"))
        return phase_remove(r, false);
    if (str_is(phase, "cleanup"))
        return phase_cleanup(r, false);
    if (str_is(phase, "unupdate"))
        return phase_unupdate(r);
    return phase_cleanup(r, true);
}

/* Phases until the operation has ended, or must wait, or another one took its place. Each phase has
 * an arena of its own: a long operation must not gather what every step of it used. */
static struct err *run_all(struct ward *w, const struct place *p, bool *out_ended)
{
    for (;;) {
        struct arena *a CLEANUP(arena_free_ptr) = arena_new(4UL * CALL_ARENA_MAX);
        struct run r = {.ward = w, .a = a, .place = *p, .imports = jv_new_obj(a)};
        *out_ended = false;
        TRY(load_stack(&r));
        struct str phase = jv_s(jv_get(r.stack, "phase"));
        if (phase.n == 0) {
            *out_ended = true;
            return NULL;
        }
        TRY(run_phase(&r, phase));
        TRY(arena_check(a));
        if (r.wait)
            return NULL;
        *out_ended = r.stopped; /* the other operation has a job of its own */
        if (r.stopped)
            return NULL;
    }
}

static enum job_next run(struct job *j, int64_t *again_ms)
{
    struct place p;
    bool ended = false;
    *again_ms = clock_now_ms() + STACK_WAIT_MS;
    if (!place_of_arn(j->payload, &p))
        return JOB_DONE;
    struct err *e = run_all(j->ward, &p, &ended);
    if (e != NULL) {
        log_err(LOG_ERROR, "an operation on a stack was cut short; it will go on", e);
        int attempt = j->attempt < 8 ? j->attempt : 8;
        *again_ms = clock_now_ms() + job_backoff_ms(attempt, RUN_RETRY_MS, RUN_RETRY_CAP_MS);
        return JOB_AGAIN;
    }
    return ended ? JOB_DONE : JOB_AGAIN;
}

const struct job_kind cloudformation_jobs[] = {
    {.name = "cloudformation.run", .run = run, .parallel = STACK_PARALLEL},
    {0},
};
