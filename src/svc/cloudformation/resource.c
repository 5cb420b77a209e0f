/* One resource: made, changed, undone, deleted. Its row says at any time how far it is:
 *   logical, type, status, reason, deps, deletion, replace   from the template
 *   name, token    chosen before it is made       id, attrs    known once it is
 *   props          what it has been given          shown        the same for events, secrets hidden
 *   begun          the first call may have been made           step   how many steps are done
 *   made           the operation that made it      prev, trash  what an update replaced */
#include "room.h"

#include <ctype.h>

enum { NAME_RANDOM = 12, SHOWN_MAX = 64 * 1024, SECRET_LEAST = 4 };

/* -- what the template's functions ask for ----------------------------------------------------- */

static struct act act_of(struct run *r, const struct rtype *type, struct jv *row)
{
    return (struct act){.arena = r->a,
                        .as = {.ward = r->ward,
                               .service = CFN_SERVICE,
                               .account = r->place.account,
                               .region = r->place.region},
                        .type = type,
                        .account = r->place.account,
                        .region = r->place.region,
                        .stack_name = jv_s(jv_get(r->stack, "name")),
                        .row = row,
                        .props = jv_get(row, "props"),
                        .ctx = r};
}

/* On whose behalf: the stack's role, else whoever asked for the operation. */
static void set_caller(struct run *r, struct act *x)
{
    struct str role = jv_s(jv_get(r->stack, "role"));
    if (role.n > 0) {
        x->as.as = AS_ROLE;
        x->as.role_arn = role;
        x->as.session_name = STR("AWSCloudFormation");
        x->as.source_arn = jv_s(jv_get(r->stack, "arn"));
    } else {
        x->as.as = AS_PRINCIPAL;
        x->as.principal_arn = jv_s(jv_get(r->stack, "principal"));
        x->as.principal_id = jv_s(jv_get(r->stack, "principal_id"));
    }
}

struct err *scope_get(void *ctx, struct str logical, struct str attr, const struct jv **out)
{
    struct run *r = ctx;
    const struct jv *row = jv_get_str(r->rows, logical);
    const struct rtype *type = type_find(jv_s(jv_get(row, "type")));
    if (type == NULL || !resource_live(row) || jv_get(row, "id") == NULL)
        return template_error("Resource %.*s has not been made.", STR_ARG(logical));
    struct act x = act_of(r, type, (struct jv *)(uintptr_t)row);
    if (r->mask && str_is(attr, "SecretAccessKey")) {
        *out = jv_new_str(r->a, STR("****"));
        return NULL;
    }
    return act_value(&x, attr, out);
}

/* -- properties -------------------------------------------------------------------------------- */

/* The same properties with secret parameters hidden, for events. */
static struct str shown(struct run *r, const struct jv *def)
{
    struct scope s = r->scope;
    struct jv *params = jv_new_obj(r->a);
    const struct jv *v = NULL;
    for (size_t i = 0; i < jv_len(s.params); i++) {
        struct str name = s.params->obj.v[i].key;
        jv_set(r->a, params, name,
               template_no_echo(&r->t, name) ? jv_new_str(r->a, STR("****"))
                                             : &s.params->obj.v[i].value);
    }
    s.params = params;
    r->mask = true;
    struct err *e = template_resolve(&s, jv_get(def, "Properties"), &v);
    r->mask = false;
    err_free(e);
    struct str text = e != NULL || v == NULL ? STR("{}") : jv_text(r->a, v);
    return text.n > SHOWN_MAX ? STR("{}") : text;
}

static const struct jv *stack_tags(const struct run *r)
{
    const struct jv *next = jv_get(r->stack, "next");
    return jv_get(next != NULL ? next : r->stack, "tags");
}

static struct err *resolve_props(struct run *r, const struct rtype *type, const struct jv *def,
                                 struct jv **out)
{
    const struct jv *given;
    struct jv *props;
    TRY(template_resolve(&r->scope, jv_get(def, "Properties"), &given));
    TRY(type_props(r->a, type, given, stack_tags(r), &props));
    struct str text = jv_text(r->a, props);
    if (text.p == NULL || text.n > RESOURCE_PROPS_MAX) /* the row keeps them, twice in an update */
        return template_error("Template error: the properties of a resource take more than %d "
                              "bytes.", RESOURCE_PROPS_MAX);
    *out = props;
    return NULL;
}

/* What was given in secret is not told by a service that names the value it refuses. Very short
 * values would garble the text, and are no secrets. */
static struct str without(struct arena *a, struct str text, struct str secret)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(2 * ERR_MESSAGE_MAX);
    if (secret.n < SECRET_LEAST)
        return text;
    for (ptrdiff_t at; (at = str_find(text, secret)) >= 0;) {
        buf_str(&b, str_take(text, (size_t)at));
        buf_c(&b, "****");
        text = str_skip(text, (size_t)at + secret.n);
    }
    buf_str(&b, text);
    return arena_str(a, buf_view(&b));
}

static struct str hide(struct run *r, struct str text)
{
    const struct jv *states[] = {r->stack, jv_get(r->stack, "next")};
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        const struct jv *hidden = jv_get(states[i], "hidden");
        for (size_t k = 0; k < jv_len(hidden); k++) {
            const struct jv *v =
                jv_get_str(jv_get(states[i], "params"), hidden->obj.v[k].key);
            text = without(r->a, text, template_param_text(r->a, v));
        }
    }
    return text;
}

/* Whether an error is one that AWS would show as the reason of a failure, kept in r->failure. */
static bool is_failure(struct run *r, struct err *e)
{
    if (e == NULL || err_is(e, ERR_CONFLICT) || err_is(e, ERR_IO) || err_is(e, ERR_FULL) ||
        err_is(e, ERR_CORRUPT))
        return false;
    struct str text = hide(r, str_c(e->message));
    snprintf(r->failure, sizeof r->failure, "%.*s", STR_ARG(text));
    err_free(e);
    return true;
}

/* -- names ------------------------------------------------------------------------------------- */

/* STACK-LOGICALID-RANDOM within the type's length, or what the template says. */
static struct str choose_name(struct run *r, const struct rtype *type, const struct jv *row,
                              bool *out_given)
{
    struct arena *a = r->a;
    const struct jv *props = jv_get(row, "props");
    struct str given =
        type->name_prop == NULL ? STR_NONE : jv_s(jv_get(props, type->name_prop));
    *out_given = given.n > 0;
    if (given.n > 0)
        return given;
    struct str suffix = STR("");
    if (type->name_suffix != NULL) {
        struct str value = str_c(type->name_suffix), test = str_cut(&value, '=');
        if (jv_b(jv_get_str(props, str_skip(test, 1)), false))
            suffix = value;
    }
    size_t room = (size_t)type->name_max - NAME_RANDOM - 1 - suffix.n;
    struct str stack = jv_s(jv_get(r->stack, "name")), logical = jv_s(jv_get(row, "logical"));
    /* Both parts stay recognisable: neither takes more than half while the other needs it. */
    size_t half = (room - 1) / 2;
    size_t of_logical = logical.n < half || stack.n + logical.n + 1 <= room ? logical.n : half;
    of_logical = of_logical > room - 2 ? room - 2 : of_logical;
    stack = str_take(stack, room - 1 - of_logical);
    bool lower = type->name_style == NAME_LOWER;
    struct str random = rand_text(a, NAME_RANDOM,
                                  lower ? "abcdefghijklmnopqrstuvwxyz0123456789"
                                        : "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    struct str name = arena_fmt(a, "%.*s-%.*s-%.*s%.*s", STR_ARG(stack),
                                STR_ARG(str_take(logical, of_logical)), STR_ARG(random),
                                STR_ARG(suffix));
    char *text = arena_cstr(a, name);
    for (size_t i = 0; lower && i < name.n; i++)
        text[i] = (char)tolower((unsigned char)text[i]);
    return str_of(text, name.n);
}

/* -- making ------------------------------------------------------------------------------------ */

static struct err *save_step(struct act *x)
{
    struct run *r = x->ctx;
    struct note n = {.row = x->row};
    if (jv_get(x->row, "id") != NULL && jv_get(x->row, "initiated") == NULL &&
        str_is(jv_s(jv_get(x->row, "status")), "CREATE_IN_PROGRESS")) {
        put_b(r->a, x->row, "initiated", true);
        n.status = "CREATE_IN_PROGRESS";
        n.reason = jv_b(jv_get(x->row, "twice"), false)
                       ? STR("Resource creation Initiated. Ward was interrupted while this was "
                             "being made: look whether there is another one.")
                       : STR("Resource creation Initiated");
    }
    return run_note(r, &n);
}

static struct err *failed(struct run *r, struct jv *row, const char *status, enum outcome *out)
{
    *out = OUT_FAILED;
    return run_note(r, &(struct note){.row = row, .status = status,
                                      .reason = arena_str(r->a, str_c(r->failure))});
}

static struct err *wait_more(struct run *r, struct jv *row, const char *status, enum outcome *out)
{
    int64_t waits = jv_i(jv_get(row, "waits"), 0) + 1;
    put_i(r->a, row, "waits", waits);
    if (waits > STACK_WAITS_MAX) {
        snprintf(r->failure, sizeof r->failure, "Resource did not stabilize.");
        return failed(r, row, status, out);
    }
    *out = OUT_WAIT;
    r->wait = true;
    return run_note(r, &(struct note){.row = row});
}

/* The steps of making, from where they are; `verb` is CREATE or UPDATE (a replacement). */
static struct err *build(struct run *r, const struct rtype *type, struct jv *row, const char *verb,
                         enum outcome *out)
{
    const char *fail = strcmp(verb, "CREATE") == 0 ? "CREATE_FAILED" : "UPDATE_FAILED";
    const char *done = strcmp(verb, "CREATE") == 0 ? "CREATE_COMPLETE" : "UPDATE_COMPLETE";
    struct act x = act_of(r, type, row);
    set_caller(r, &x);
    x.save = save_step;
    x.again = jv_b(jv_get(row, "begun"), false);
    if (!x.again) {
        bool there = false;
        if (jv_b(jv_get(row, "named"), false)) {
            struct err *e = act_probe(&x, &there);
            if (there)
                e = template_error("%.*s already exists", STR_ARG(jv_s(jv_get(row, "name"))));
            if (is_failure(r, e))
                return failed(r, row, fail, out);
            TRY(e);
        }
        put_b(r->a, row, "begun", true);
        TRY(run_note(r, &(struct note){.row = row}));
    } else if (type->name_style == NAME_NONE && jv_get(row, "id") == NULL &&
               type_token_step(type) == NULL) {
        put_b(r->a, row, "twice", true);
    }
    struct err *e = act_run(&x, ON_CREATE);
    if (is_failure(r, e))
        return failed(r, row, fail, out);
    TRY(e);
    if (x.wait)
        return wait_more(r, row, fail, out);
    put_i(r->a, row, "step", 0);
    put_i(r->a, row, "waits", 0);
    TRY(save_step(&x)); /* types without a call have not told that they began */
    *out = r->stopped ? OUT_STOPPED : OUT_DONE;
    return run_note(r, &(struct note){.row = row, .status = done});
}

static const char *policy_of(const struct jv *def, const char *member)
{
    struct str p = jv_s(jv_get(def, member));
    return str_is(p, "Retain")                ? "Retain"
           : str_is(p, "RetainExceptOnCreate") ? "RetainExceptOnCreate"
                                               : "Delete";
}

static void take_def(struct run *r, struct jv *row, const struct jv *def, const struct jv *deps)
{
    put_v(r->a, row, "deps", deps);
    put_s(r->a, row, "deletion", str_c(policy_of(def, "DeletionPolicy")));
    put_s(r->a, row, "replace", str_c(policy_of(def, "UpdateReplacePolicy")));
    put_v(r->a, row, "metadata", jv_get(def, "Metadata"));
    put_s(r->a, row, "description", jv_s(jv_get(def, "Description")));
}

static struct jv *copy_row(struct run *r, const struct jv *row)
{
    struct jv *copy = jv_new_obj(r->a);
    for (size_t i = 0; i < jv_len(row); i++)
        jv_set(r->a, copy, row->obj.v[i].key, &row->obj.v[i].value);
    return copy;
}

/* Its making failed and left something behind, or the removal of that is under way. */
static bool half_made(const struct jv *row)
{
    return resource_live(row) && (str_is(jv_s(jv_get(row, "status")), "CREATE_FAILED") ||
                                  jv_b(jv_get(row, "half"), false));
}

static void fresh_token(struct run *r, struct jv *row)
{
    char token[37];
    rand_uuid(token);
    put_s(r->a, row, "token", arena_str(r->a, str_c(token)));
}

static struct err *start_new(struct run *r, const struct rtype *type, const struct jv *def,
                             struct jv *row, enum outcome *out)
{
    bool named;
    struct jv *props;
    fresh_token(r, row);
    put_s(r->a, row, "made", r->op);
    struct err *e = resolve_props(r, type, def, &props);
    put_s(r->a, row, "shown", shown(r, def));
    if (e == NULL) {
        put_v(r->a, row, "props", props);
        struct str name = choose_name(r, type, row, &named);
        put_s(r->a, row, "name", type->name_style == NAME_NONE && !named ? STR_NONE : name);
        put_b(r->a, row, "named", named);
    }
    TRY(run_note(r, &(struct note){.row = row, .status = "CREATE_IN_PROGRESS"}));
    if (is_failure(r, e))
        return failed(r, row, "CREATE_FAILED", out);
    return e;
}

struct err *resource_make(struct run *r, size_t at, enum outcome *out)
{
    struct str logical = r->order.names[at];
    const struct jv *def = jv_get_str(r->t.resources, logical);
    const struct jv *known = jv_get_str(r->rows, logical);
    struct str status = jv_s(jv_get(known, "status"));
    const struct rtype *type = type_find(jv_s(jv_get(def, "Type")));
    *out = OUT_DONE;
    if (str_is(status, "CREATE_COMPLETE"))
        return NULL;
    struct jv *row = copy_row(r, known);
    if (jv_get(row, "id") != NULL && half_made(known)) { /* by an update that was not undone */
        put_b(r->a, row, "half", true);
        TRY(resource_remove(r, row, REMOVE_ROLLBACK, out));
        if (*out != OUT_DONE)
            return NULL;
    }
    if (!str_is(status, "CREATE_IN_PROGRESS")) {
        row = jv_new_obj(r->a);
        put_s(r->a, row, "logical", logical);
        put_s(r->a, row, "type", str_c(type->name));
        take_def(r, row, def, r->order.deps[at]);
        *out = OUT_WAIT;
        TRY(start_new(r, type, def, row, out));
        if (*out == OUT_FAILED)
            return NULL;
    }
    if (r->stopped) {
        *out = OUT_STOPPED;
        return NULL;
    }
    return build(r, type, row, "CREATE", out);
}

/* -- changing ---------------------------------------------------------------------------------- */

static struct err *save_row(struct act *x)
{
    return run_note(x->ctx, &(struct note){.row = x->row});
}

/* From row.prev.props to row.props. */
static struct err *change(struct run *r, const struct rtype *type, struct jv *row,
                          enum outcome *out)
{
    struct act x = act_of(r, type, row);
    set_caller(r, &x);
    x.save = save_row;
    x.old = jv_get(jv_get(row, "prev"), "props");
    struct err *e = act_run(&x, ON_UPDATE | ON_GONE);
    if (is_failure(r, e))
        return failed(r, row, "UPDATE_FAILED", out);
    TRY(e);
    if (x.wait)
        return wait_more(r, row, "UPDATE_FAILED", out);
    put_i(r->a, row, "step", 0);
    put_i(r->a, row, "waits", 0);
    *out = r->stopped ? OUT_STOPPED : OUT_DONE;
    return run_note(r, &(struct note){.row = row, .status = "UPDATE_COMPLETE"});
}

static const char *const physical_parts[] = {"id", "name", "props", "attrs", "token", "type",
                                             "begun", "named", "shown", "replace", "lost"};

static struct jv *physical_of(struct run *r, const struct jv *row)
{
    struct jv *part = jv_new_obj(r->a);
    for (size_t i = 0; i < ARRAY_LEN(physical_parts); i++)
        put_v(r->a, part, physical_parts[i], jv_get(row, physical_parts[i]));
    return part;
}

static void take_physical(struct run *r, struct jv *row, const struct jv *part)
{
    for (size_t i = 0; i < ARRAY_LEN(physical_parts); i++)
        put_v(r->a, row, physical_parts[i], jv_get(part, physical_parts[i]));
}

static bool custom_name_stays(const struct rtype *type, const struct jv *old, const struct jv *now)
{
    if (type->name_prop == NULL)
        return false;
    struct str x = jv_s(jv_get(old, type->name_prop)), y = jv_s(jv_get(now, type->name_prop));
    return x.n > 0 && str_eq(x, y);
}

static struct err *begin_replacement(struct run *r, const struct rtype *type, struct jv *row,
                                     struct jv *props, struct str show, enum outcome *out)
{
    bool named, same_type = str_is(jv_s(jv_get(row, "type")), type->name);
    struct jv *prev = physical_of(r, row);
    if (same_type && custom_name_stays(type, jv_get(row, "props"), props)) {
        snprintf(r->failure, sizeof r->failure,
                 "CloudFormation cannot update a stack when a custom-named resource requires "
                 "replacing. Rename %.*s and update the stack again.",
                 STR_ARG(str_take(jv_s(jv_get(row, "name")), 200)));
        TRY(run_note(r, &(struct note){.row = row, .status = "UPDATE_IN_PROGRESS"}));
        return failed(r, row, "UPDATE_FAILED", out);
    }
    put_b(r->a, prev, "replaced", true);
    static const char *const drop[] = {"id",   "name",      "attrs", "begun",
                                       "step", "initiated", "waits"};
    for (size_t i = 0; i < ARRAY_LEN(drop); i++)
        put_v(r->a, row, drop[i], NULL);
    put_v(r->a, row, "prev", prev);
    put_s(r->a, row, "type", str_c(type->name));
    put_v(r->a, row, "props", props);
    put_s(r->a, row, "shown", show);
    fresh_token(r, row);
    struct str name = choose_name(r, type, row, &named);
    put_s(r->a, row, "name", type->name_style == NAME_NONE && !named ? STR_NONE : name);
    put_b(r->a, row, "named", named);
    return run_note(r, &(struct note){
                           .row = row, .status = "UPDATE_IN_PROGRESS",
                           .physical = jv_s(jv_get(prev, "id")),
                           .reason = STR("Requested update requires the creation of a new physical "
                                         "resource; hence creating one.")});
}

/* A row that an update has not touched yet: what is to be done with it? */
static struct err *begin_change(struct run *r, size_t at, const struct rtype *type,
                                const struct jv *def, struct jv *row, bool *out_replace,
                                enum outcome *out)
{
    struct jv *props;
    struct err *e = resolve_props(r, type, def, &props);
    if (is_failure(r, e)) {
        TRY(run_note(r, &(struct note){.row = row, .status = "UPDATE_IN_PROGRESS"}));
        return failed(r, row, "UPDATE_FAILED", out);
    }
    TRY(e);
    bool same_type = str_is(jv_s(jv_get(row, "type")), type->name);
    enum type_change change =
        same_type ? type_compare(type, jv_get(row, "props"), props) : CHANGE_REPLACE;
    struct jv *before = copy_row(r, row);
    take_def(r, row, def, r->order.deps[at]);
    *out_replace = change == CHANGE_REPLACE;
    if (change == CHANGE_NONE) {
        *out = OUT_DONE;
        return jv_equal(before, row) ? NULL : run_note(r, &(struct note){.row = row});
    }
    *out = OUT_WAIT;
    put_s(r->a, row, "op", r->op);
    if (change == CHANGE_REPLACE)
        return begin_replacement(r, type, row, props, shown(r, def), out);
    put_v(r->a, row, "prev", physical_of(r, row));
    put_v(r->a, row, "props", props);
    put_s(r->a, row, "shown", shown(r, def));
    put_i(r->a, row, "step", 0);
    return run_note(r, &(struct note){.row = row, .status = "UPDATE_IN_PROGRESS"});
}

static struct err *undo(struct run *r, struct jv *row, enum outcome *out);

struct err *resource_update(struct run *r, size_t at, enum outcome *out)
{
    struct str logical = r->order.names[at];
    const struct jv *def = jv_get_str(r->t.resources, logical);
    const struct jv *known = jv_get_str(r->rows, logical);
    struct str status = jv_s(jv_get(known, "status"));
    const struct rtype *type = type_find(jv_s(jv_get(def, "Type")));
    if (!resource_live(known) || half_made(known) ||
        (str_starts_c(status, "CREATE_") && !str_is(status, "CREATE_COMPLETE")))
        return resource_make(r, at, out);
    struct jv *row = copy_row(r, known);
    if (jv_get(row, "prev") != NULL && (str_is(status, "UPDATE_FAILED") ||
                                        jv_b(jv_get(row, "undoing"), false))) {
        TRY(undo(r, row, out)); /* then it is known again what the resource has */
        if (*out != OUT_DONE)
            return NULL;
        status = jv_s(jv_get(row, "status"));
    }
    /* What an earlier update replaced before it failed is not gone back to any more. */
    if (!str_eq(jv_s(jv_get(row, "op")), r->op)) {
        TRY(resource_remove_part(r, row, "prev", out));
        if (*out != OUT_DONE)
            return NULL;
    }
    bool going = str_is(status, "UPDATE_IN_PROGRESS") && str_eq(jv_s(jv_get(row, "op")), r->op);
    bool replace = going && jv_b(jv_get(jv_get(row, "prev"), "replaced"), false);
    if (!going) {
        TRY(begin_change(r, at, type, def, row, &replace, out));
        if (*out != OUT_WAIT)
            return NULL;
    }
    if (r->stopped) {
        *out = OUT_STOPPED;
        return NULL;
    }
    return replace ? build(r, type, row, "UPDATE", out) : change(r, type, row, out);
}

/* -- undoing a failed update ------------------------------------------------------------------- */

static void mark_lost(struct run *r, struct jv *row);

/* From what row.props says back to row.prev. */
static struct err *undo(struct run *r, struct jv *row, enum outcome *out)
{
    const struct jv *prev = jv_get(row, "prev");
    bool replaced = jv_b(jv_get(prev, "replaced"), false);
    const struct rtype *type = type_find(jv_s(jv_get(prev, "type")));
    *out = OUT_DONE;
    if (!jv_b(jv_get(row, "undoing"), false)) {
        mark_lost(r, row);
        struct jv *now = physical_of(r, row);
        take_physical(r, row, prev);
        put_b(r->a, row, "undoing", true);
        put_i(r->a, row, "step", 0);
        if (replaced) { /* the former one was not touched: it is the resource again */
            bool there = jv_get(now, "id") != NULL || jv_b(jv_get(now, "lost"), false);
            put_v(r->a, row, "trash", there ? now : NULL);
            put_v(r->a, row, "prev", NULL);
        } else { /* from what was wanted back to what was */
            put_v(r->a, row, "attrs", jv_get(now, "attrs"));
            put_v(r->a, row, "id", jv_get(now, "id")); /* an association's changes in place */
            put_v(r->a, row, "prev", now);
        }
        TRY(run_note(r, &(struct note){.row = row, .status = "UPDATE_IN_PROGRESS"}));
        if (replaced) {
            put_v(r->a, row, "undoing", NULL);
            return run_note(r, &(struct note){.row = row, .status = "UPDATE_COMPLETE"});
        }
    }
    TRY(change(r, type, row, out));
    if (*out != OUT_DONE)
        return NULL;
    put_v(r->a, row, "undoing", NULL);
    put_v(r->a, row, "prev", NULL);
    return run_note(r, &(struct note){.row = row});
}

struct err *resource_undo(struct run *r, struct jv *row, enum outcome *out)
{
    *out = OUT_DONE;
    if (jv_get(row, "prev") == NULL || !str_eq(jv_s(jv_get(row, "op")), r->op) ||
        str_eq(jv_s(jv_get(row, "made")), r->op))
        return NULL;
    return undo(r, row, out);
}

/* -- deleting ---------------------------------------------------------------------------------- */

/* A crash between the call that makes a thing and the note of its id: nobody knows whether it is
 * there. */
static void mark_lost(struct run *r, struct jv *row)
{
    if (jv_get(row, "id") == NULL && jv_b(jv_get(row, "begun"), false) &&
        str_ends_c(jv_s(jv_get(row, "status")), "_IN_PROGRESS"))
        put_b(r->a, row, "lost", true);
}

/* The steps of deletion, for a row or a part of one. */
static struct err *destroy(struct run *r, struct jv *row, struct err *(*save)(struct act *x),
                           enum outcome *out)
{
    const struct rtype *type = type_find(jv_s(jv_get(row, "type")));
    bool lost = jv_get(row, "id") == NULL && jv_b(jv_get(row, "lost"), false);
    *out = OUT_DONE;
    if (type == NULL || (jv_get(row, "id") == NULL && !lost))
        return NULL; /* it was never made */
    struct act x = act_of(r, type, row);
    set_caller(r, &x);
    x.save = save;
    bool there = true;
    struct err *e = lost ? act_find(&x, &there) : NULL;
    if (e == NULL && there)
        e = act_run(&x, ON_DELETE);
    if (is_failure(r, e)) {
        *out = OUT_FAILED;
        return NULL;
    }
    TRY(e);
    if (x.wait) {
        *out = OUT_WAIT;
        r->wait = true;
    }
    return NULL;
}

static bool kept(const struct run *r, const struct jv *row, enum remove_why why)
{
    struct str p = jv_s(jv_get(row, "deletion"));
    if (why == REMOVE_ROLLBACK && jv_b(jv_get(r->stack, "retain_except_on_create"), false))
        return false;
    return str_is(p, "Retain") || (str_is(p, "RetainExceptOnCreate") && why != REMOVE_ROLLBACK);
}

/* Of what is gone only what can be asked for stays: not what it was given, perhaps in secret. */
static void forget(struct run *r, struct jv *row)
{
    static const char *const members[] = {"attrs", "props", "token", "prev",
                                          "trash", "half",  "lost"};
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        put_v(r->a, row, members[i], NULL);
}

static struct str lost_reason(const struct jv *row)
{
    const struct rtype *type = type_find(jv_s(jv_get(row, "type")));
    if (!jv_b(jv_get(row, "lost"), false) || jv_get(row, "id") != NULL || type == NULL ||
        type->name_style != NAME_NONE || type_token_step(type) != NULL)
        return STR_NONE;
    return STR("Ward was interrupted while this was being made: look whether it is there.");
}

struct err *resource_remove(struct run *r, struct jv *row, enum remove_why why, enum outcome *out)
{
    bool begun = str_is(jv_s(jv_get(row, "status")), "DELETE_IN_PROGRESS");
    bool drop = why == REMOVE_CLEANUP;
    *out = OUT_DONE;
    if (kept(r, row, why) && jv_get(row, "id") != NULL) {
        forget(r, row);
        return run_note(r, &(struct note){.row = row, .status = "DELETE_SKIPPED", .drop = drop});
    }
    if (!begun) {
        mark_lost(r, row);
        put_i(r->a, row, "step", 0);
        put_i(r->a, row, "waits", 0);
        TRY(run_note(r, &(struct note){.row = row, .status = "DELETE_IN_PROGRESS"}));
    }
    TRY(destroy(r, row, save_row, out));
    if (r->stopped)
        *out = OUT_STOPPED;
    if (*out == OUT_FAILED)
        return failed(r, row, "DELETE_FAILED", out);
    if (*out == OUT_WAIT)
        return wait_more(r, row, "DELETE_FAILED", out);
    struct str reason = lost_reason(row);
    forget(r, row);
    return run_note(r, &(struct note){.row = row, .status = "DELETE_COMPLETE", .reason = reason,
                                      .drop = drop});
}

/* A part has no row of its own: its steps are repeated after a crash, which deletions bear. */
static struct err *save_nothing(struct act *x UNUSED)
{
    return NULL;
}

struct err *resource_remove_part(struct run *r, struct jv *row, const char *name,
                                 enum outcome *out)
{
    const struct jv *part = jv_get(row, name);
    *out = OUT_DONE;
    if (part == NULL)
        return NULL;
    bool physical = strcmp(name, "trash") == 0 || jv_b(jv_get(part, "replaced"), false);
    bool keep = strcmp(name, "prev") == 0 && str_is(jv_s(jv_get(row, "replace")), "Retain");
    struct note n = {.row = row, .physical = jv_s(jv_get(part, "id")),
                     .type = jv_s(jv_get(part, "type")), .silent_status = true};
    n.status = keep ? "DELETE_SKIPPED" : "DELETE_IN_PROGRESS";
    struct jv *copy = copy_row(r, part);
    if (physical && !jv_b(jv_get(part, "going"), false)) {
        put_b(r->a, copy, "going", true); /* it is told once, however often it has to wait */
        put_v(r->a, row, name, copy);
        TRY(run_note(r, &n));
        copy = copy_row(r, copy);
    }
    if (physical && !keep) {
        int64_t waits = jv_i(jv_get(copy, "waits"), 0) + 1;
        put_i(r->a, copy, "step", 0);
        put_i(r->a, copy, "waits", waits);
        TRY(destroy(r, copy, save_nothing, out));
        if (*out == OUT_WAIT && waits <= STACK_WAITS_MAX) {
            put_v(r->a, row, name, copy);
            return run_note(r, &(struct note){.row = row});
        }
        if (*out == OUT_WAIT) {
            snprintf(r->failure, sizeof r->failure, "Resource did not stabilize.");
            *out = OUT_FAILED;
            r->wait = false;
        }
        n.status = *out == OUT_FAILED ? "DELETE_FAILED" : "DELETE_COMPLETE";
        n.reason = *out == OUT_FAILED ? arena_str(r->a, str_c(r->failure)) : STR_NONE;
        *out = OUT_DONE;
        TRY(run_note(r, &n));
    }
    put_v(r->a, row, name, NULL);
    return run_note(r, &(struct note){.row = row});
}
