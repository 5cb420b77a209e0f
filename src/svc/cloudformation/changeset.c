/* Change sets: a plan, what it would change, and its execution. They are made at once: there is no
 * time in which one is pending. */
#include "room.h"

static struct skey change_set_key(const struct place *p, struct str name)
{
    struct skey k = stack_key(p);
    key_str(&k, name);
    return k;
}

/* -- what would change ------------------------------------------------------------------------- */

struct preview {
    struct call *c;
    struct place place;
    struct jv *rows;
    struct jv *replaced; /* {logical id: true}: what will be another thing */
    bool unknown;        /* a value was asked for that is not there yet */
};

/* What does not exist yet has no value: a mark that equals nothing that exists. */
static struct err *preview_get(void *ctx, struct str logical, struct str attr,
                               const struct jv **out)
{
    struct preview *v = ctx;
    struct jv *row = (struct jv *)(uintptr_t)jv_get_str(v->rows, logical);
    const struct rtype *type = type_find(jv_s(jv_get(row, "type")));
    bool stays = jv_get_str(v->replaced, logical) == NULL;
    if (type != NULL && stays && resource_live(row) && jv_get(row, "id") != NULL) {
        struct act x = {.arena = v->c->arena, .type = type, .account = v->place.account,
                        .region = v->place.region, .row = row, .props = jv_get(row, "props")};
        return act_value(&x, attr, out);
    }
    v->unknown = true;
    *out = jv_new_str(v->c->arena,
                      arena_fmt(v->c->arena, "{{%.*s.%.*s}}", STR_ARG(logical), STR_ARG(attr)));
    return NULL;
}

static struct err *preview_import(void *ctx, struct str name, const struct jv **out)
{
    struct preview *v = ctx;
    struct run r = {.ward = v->c->ward, .a = v->c->arena, .place = v->place};
    return scope_import(&r, name, out);
}

static struct jv *change_of(struct arena *a, const char *action, struct str logical,
                            struct str physical, struct str type, const char *replacement)
{
    struct jv *c = jv_new_obj(a);
    put_s(a, c, "action", str_c(action));
    put_s(a, c, "logical", logical);
    put_s(a, c, "physical", physical);
    put_s(a, c, "type", type);
    put_s(a, c, "replacement", str_c(replacement));
    return c;
}

/* NULL: stays as it is. "Conditional": it hangs on what is not known before. */
static struct err *replacement_of(struct scope *s, struct preview *v, const struct plan *plan,
                                  const struct jv *def, const struct jv *row, const char **out)
{
    struct arena *a = s->a;
    struct str name = jv_s(jv_get(def, "Type"));
    const struct rtype *type = type_find(name);
    const struct jv *given;
    struct jv *props = NULL;
    *out = "True";
    if (!str_eq(name, jv_s(jv_get(row, "type"))))
        return NULL;
    v->unknown = false;
    struct err *e = template_resolve(s, jv_get(def, "Properties"), &given);
    if (e == NULL)
        e = type_props(a, type, given, plan->tags, &props);
    if (e != NULL && err_has_code(e, "ValidationError") && v->unknown) {
        err_free(e); /* a part of a value that is not there yet: the execution will know */
        *out = "Conditional";
        return NULL;
    }
    TRY(e);
    enum type_change change = type_compare(type, jv_get(row, "props"), props);
    *out = change == CHANGE_NONE       ? NULL
           : change == CHANGE_IN_PLACE ? "False"
           : v->unknown                ? "Conditional"
                                       : "True";
    return NULL;
}

static struct err *changes_of(struct call *c, const struct place *p, const struct jv *stack,
                              const struct plan *plan, struct jv **out)
{
    struct arena *a = c->arena;
    struct preview v = {.c = c, .place = *p, .replaced = jv_new_obj(a)};
    struct scope s;
    struct order order;
    struct jv *view = jv_new_obj(a), *list = jv_new_arr(a);
    TRY(resource_load_all(c->txn, a, p, &v.rows));
    put_s(a, view, "name", jv_s(jv_get(stack, "name")));
    put_s(a, view, "arn", jv_s(jv_get(stack, "arn")));
    put_v(a, view, "params", plan->params);
    fill_scope(&s, a, &plan->t, p, view);
    s.get = preview_get;
    s.import = preview_import;
    s.ctx = &v;
    TRY(template_conditions(&s));
    TRY(template_order(&s, &order)); /* what is replaced changes who refers to it */
    for (size_t i = 0; i < order.n; i++) {
        struct str logical = order.names[i];
        const struct jv *def = jv_get_str(plan->t.resources, logical);
        const struct jv *row = jv_get_str(v.rows, logical);
        struct str name = jv_s(jv_get(def, "Type"));
        const char *replacement;
        if (!resource_live(row)) {
            jv_push(a, list, change_of(a, "Add", logical, STR_NONE, name, NULL));
            continue;
        }
        TRY(replacement_of(&s, &v, plan, def, row, &replacement));
        if (replacement == NULL)
            continue;
        if (strcmp(replacement, "False") != 0)
            jv_set(a, v.replaced, logical, jv_new_bool(a, true));
        jv_push(a, list, change_of(a, "Modify", logical, jv_s(jv_get(row, "id")), name,
                                   replacement));
    }
    for (size_t i = 0; i < jv_len(v.rows); i++) {
        const struct jv *row = &v.rows->obj.v[i].value;
        const struct jv *def = jv_get_str(plan->t.resources, v.rows->obj.v[i].key);
        if (resource_live(row) && (def == NULL || !template_active(&s, def)))
            jv_push(a, list, change_of(a, "Remove", v.rows->obj.v[i].key, jv_s(jv_get(row, "id")),
                                       jv_s(jv_get(row, "type")), NULL));
    }
    *out = list;
    return NULL;
}

/* -- creation ---------------------------------------------------------------------------------- */

static struct err *check_name(struct str name)
{
    struct err *e = str_starts_c(name, "arn:") ? template_error("A change set's name is needed.")
                                               : check_stack_name(name);
    if (e == NULL)
        return NULL;
    err_free(e);
    return template_error("1 validation error detected: Value at 'changeSetName' failed to satisfy "
                          "constraint: Member must satisfy regular expression pattern: "
                          "[a-zA-Z][-a-zA-Z0-9]*");
}

static struct err *target_of(struct call *c, const struct cloudformation_CreateChangeSetInput *in,
                             bool create, struct place *p, struct jv **stack)
{
    TRY(stack_find(c, in->StackName, p, stack));
    if (!create) {
        if (*stack == NULL)
            return template_error("Stack [%.*s] does not exist",
                                  STR_ARG(str_take(in->StackName, 300)));
        return check_updatable(*stack);
    }
    if (*stack != NULL && !str_is(jv_s(jv_get(*stack, "status")), "REVIEW_IN_PROGRESS"))
        return template_error("Stack [%.*s] already exists and cannot be created again with the "
                              "changeSet [%.*s].", STR_ARG(jv_s(jv_get(*stack, "name"))),
                              STR_ARG(in->ChangeSetName));
    if (*stack != NULL)
        return NULL;
    TRY(check_stack_name(in->StackName));
    TRY(new_stack(c, in->StackName, p, stack));
    TRY(stack_status(c->txn, c->arena, p, *stack, "REVIEW_IN_PROGRESS", STR("User Initiated")));
    return stack_save(c->txn, c->arena, p, *stack);
}

/* Parameters, tags and template as they would be: nothing at all to do is a failed change set. */
static struct err *nothing_changes(struct call *c, const struct place *p, const struct jv *stack,
                                   const struct plan *plan, const struct jv *changes, bool *out)
{
    struct str text;
    struct template now;
    *out = false;
    TRY(template_text_get(c->txn, c->arena, p, "current", &text));
    if (text.p == NULL || jv_len(changes) > 0)
        return NULL;
    TRY(template_parse(c->arena, text, &now));
    const struct jv *x = jv_get(now.root, "Outputs"), *y = jv_get(plan->t.root, "Outputs");
    *out = (x == y || (x != NULL && y != NULL && jv_equal(x, y))) &&
           jv_equal(jv_get(stack, "tags"), plan->tags);
    return NULL;
}

static struct err *check_count(struct call *c, const struct place *p, const struct jv *stack)
{
    struct skey prefix = stack_key(p);
    struct scan sc = {.prefix = key_of(&prefix), .keys_only = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, CFN_T_CHANGESET, &sc, &cur));
    for (int n = 0; n < CHANGE_SETS_MAX; n++) {
        bool more;
        struct str key, value;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
    }
    return err_aws(400, "LimitExceededException", "ChangeSet limit exceeded for stack [%.*s]: %d.",
                   STR_ARG(jv_s(jv_get(stack, "name"))), CHANGE_SETS_MAX);
}

OP_HANDLER(cloudformation, CreateChangeSet, CreateChangeSetInput, CreateChangeSetOutput)
{
    struct arena *a = c->arena;
    struct place p;
    struct jv *stack, *changes, *former;
    struct plan plan;
    bool create = str_is(in->ChangeSetType, "CREATE"), empty = false;
    struct str reason = STR_NONE;
    TRY(check_name(in->ChangeSetName));
    if (str_is(in->ChangeSetType, "IMPORT") || in->ResourcesToImport.n > 0 ||
        in->ImportExistingResources.v)
        return err_not_implemented(c, "Import of resources into a stack");
    if (in->DeploymentMode.p != NULL)
        return err_not_implemented(c, "DeploymentMode");
    TRY(target_of(c, in, create, &p, &stack));
    struct skey k = change_set_key(&p, in->ChangeSetName);
    TRY(row_get(c, CFN_T_CHANGESET, key_of(&k), &former));
    if (former != NULL && in->ClientToken.n > 0 &&
        str_eq(in->ClientToken, jv_s(jv_get(former, "token")))) { /* the same request again */
        out->Id = jv_s(jv_get(former, "arn"));
        out->StackId = jv_s(jv_get(stack, "arn"));
        return NULL;
    }
    if (former != NULL)
        return err_aws(400, "AlreadyExistsException", "ChangeSet %.*s already exists",
                       STR_ARG(in->ChangeSetName));
    TRY(check_count(c, &p, stack));
    struct request r = {.body = in->TemplateBody, .url = in->TemplateURL,
                        .previous_template = in->UsePreviousTemplate.v,
                        .parameters = &in->Parameters, .capabilities = &in->Capabilities,
                        .tags = &in->Tags, .topics = &in->NotificationARNs,
                        .types = &in->ResourceTypes, .rollback = in->RollbackConfiguration,
                        .deployment = in->DeploymentConfig};
    TRY(request_plan(c, &r, &p, create ? NULL : stack, jv_s(jv_get(stack, "name")),
                     jv_s(jv_get(stack, "arn")), &plan));
    if (!in->Tags.set && !create)
        plan.tags = (struct jv *)(uintptr_t)jv_get(stack, "tags");
    TRY(changes_of(c, &p, stack, &plan, &changes));
    if (!create)
        TRY(changed_types(c, &p, &plan.t, &reason));
    if (!create && reason.p == NULL)
        TRY(nothing_changes(c, &p, stack, &plan, changes, &empty));
    if (empty)
        reason = STR("The submitted information didn't contain changes. Submit different "
                     "information to create a change set.");
    char id[37];
    rand_uuid(id);
    struct jv *row = jv_new_obj(a);
    plan_into(a, row, &plan);
    TRY(set_actor(c, row, in->RoleARN));
    put_s(a, row, "name", in->ChangeSetName);
    put_s(a, row, "token", in->ClientToken);
    put_s(a, row, "arn", call_arn(c, "cloudformation", "changeSet/%.*s/%s",
                                  STR_ARG(in->ChangeSetName), id));
    put_s(a, row, "about", in->Description);
    put_s(a, row, "text", plan.text);
    put_v(a, row, "changes", changes);
    put_b(a, row, "create", create);
    put_s(a, row, "on_failure", in->OnStackFailure);
    put_i(a, row, "created_ms", c->now_ms);
    put_s(a, row, "status", reason.p != NULL ? STR("FAILED") : STR("CREATE_COMPLETE"));
    put_s(a, row, "reason", reason);
    out->Id = jv_s(jv_get(row, "arn"));
    out->StackId = jv_s(jv_get(stack, "arn"));
    return row_put(c, CFN_T_CHANGESET, c->account, key_of(&k), row);
}

/* -- finding one ------------------------------------------------------------------------------- */

static struct err *not_found(struct str name)
{
    return err_aws(404, "ChangeSetNotFound", "ChangeSet [%.*s] does not exist",
                   STR_ARG(str_take(name, 300)));
}

struct err *change_set_need(struct call *c, struct str name, struct str stack_name, struct place *p,
                            struct jv **stack, struct jv **out)
{
    struct arn arn;
    struct str short_name = name;
    if (str_starts_c(name, "arn:") && arn_parse(name, &arn) &&
        str_starts_c(arn.resource, "changeSet/")) {
        short_name = str_skip(arn.resource, 10);
        struct str rest = short_name;
        short_name = str_cut(&rest, '/');
    }
    *out = NULL;
    if (stack_name.n > 0) {
        TRY(stack_need(c, stack_name, p, stack));
        struct skey k = change_set_key(p, short_name);
        TRY(row_get(c, CFN_T_CHANGESET, key_of(&k), out));
    } else if (str_starts_c(name, "arn:")) {
        struct skey prefix = skey();
        key_str(&prefix, c->account);
        key_str(&prefix, c->region);
        struct scan sc = {.prefix = key_of(&prefix)};
        struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
        TRY(txn_scan(c->txn, CFN_T_CHANGESET, &sc, &cur));
        for (bool more = true; more && *out == NULL;) {
            struct str key, value, account, region, uuid;
            TRY(cursor_next(cur, &more, &key, &value));
            if (!more || str_find(value, name) < 0 || !key_take_str(c->arena, &key, &account) ||
                !key_take_str(c->arena, &key, &region) || !key_take_str(c->arena, &key, &uuid))
                continue;
            *p = (struct place){account, region, uuid};
            TRY(json_parse(c->arena, value, JSON_DEPTH_MAX, out));
        }
        if (*out != NULL)
            TRY(stack_load(c->txn, c->arena, p, stack));
    } else {
        return template_error("StackName must be specified if ChangeSetName is not specified as "
                              "an ARN.");
    }
    if (*out == NULL || (str_starts_c(name, "arn:") && !str_eq(name, jv_s(jv_get(*out, "arn")))))
        return not_found(name);
    return NULL;
}

static void describe_changes(struct call *c, const struct jv *changes,
                             struct cloudformation_Changes *out)
{
    out->v = ARENA_ARRAY(c->arena, jv_len(changes) + 1, struct cloudformation_Change);
    out->set = true;
    for (size_t i = 0; i < jv_len(changes); i++) {
        const struct jv *v = jv_at(changes, i);
        struct cloudformation_ResourceChange *r =
            ARENA_NEW(c->arena, struct cloudformation_ResourceChange);
        r->Action = jv_s(jv_get(v, "action"));
        r->LogicalResourceId = jv_s(jv_get(v, "logical"));
        r->PhysicalResourceId = jv_s(jv_get(v, "physical"));
        r->ResourceType = jv_s(jv_get(v, "type"));
        r->Replacement = jv_s(jv_get(v, "replacement"));
        r->Scope.v = ARENA_NEW(c->arena, struct str);
        r->Scope.set = true;
        if (str_is(r->Action, "Modify"))
            r->Scope.v[r->Scope.n++] = STR("Properties");
        r->Details.v = ARENA_NEW(c->arena, struct cloudformation_ResourceChangeDetail);
        r->Details.set = true;
        out->v[out->n].Type = STR("Resource");
        out->v[out->n++].ResourceChange = r;
    }
}

OP_HANDLER(cloudformation, DescribeChangeSet, DescribeChangeSetInput, DescribeChangeSetOutput)
{
    struct place p;
    struct jv *stack, *row;
    TRY(change_set_need(c, in->ChangeSetName, in->StackName, &p, &stack, &row));
    const struct jv *params = jv_get(row, "params"), *tags = jv_get(row, "tags");
    out->ChangeSetName = jv_s(jv_get(row, "name"));
    out->ChangeSetId = jv_s(jv_get(row, "arn"));
    out->StackId = jv_s(jv_get(stack, "arn"));
    out->StackName = jv_s(jv_get(stack, "name"));
    out->Description = jv_s(jv_get(row, "about"));
    out->CreationTime = some_int(jv_i(jv_get(row, "created_ms"), 0));
    out->Status = jv_s(jv_get(row, "status"));
    out->StatusReason = jv_s(jv_get(row, "reason"));
    out->ExecutionStatus = str_is(out->Status, "FAILED") ? STR("UNAVAILABLE")
                           : jv_get(row, "executed") != NULL ? STR("EXECUTE_COMPLETE")
                                                             : STR("AVAILABLE");
    out->OnStackFailure = jv_s(jv_get(row, "on_failure"));
    out->Parameters.v =
        ARENA_ARRAY(c->arena, jv_len(params) + 1, struct cloudformation_Parameter);
    out->Parameters.set = jv_len(params) > 0;
    for (size_t i = 0; i < jv_len(params); i++) {
        struct cloudformation_Parameter *o = &out->Parameters.v[out->Parameters.n++];
        o->ParameterKey = params->obj.v[i].key;
        o->ParameterValue = jv_get_str(jv_get(row, "hidden"), o->ParameterKey) != NULL
                                ? STR("****")
                                : template_param_text(c->arena, &params->obj.v[i].value);
    }
    out->Tags.v = ARENA_ARRAY(c->arena, jv_len(tags) + 1, struct cloudformation_Tag);
    out->Tags.set = jv_len(tags) > 0;
    for (size_t i = 0; i < jv_len(tags); i++) {
        out->Tags.v[i].Key = jv_s(jv_get(jv_at(tags, i), "Key"));
        out->Tags.v[out->Tags.n++].Value = jv_s(jv_get(jv_at(tags, i), "Value"));
    }
    describe_changes(c, jv_get(row, "changes"), &out->Changes);
    return NULL;
}

/* -- execution --------------------------------------------------------------------------------- */

struct err *change_sets_drop(struct txn *t, struct arena *a, const struct place *p)
{
    struct skey prefix = stack_key(p);
    struct scan sc = {.prefix = key_of(&prefix), .keys_only = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(t, CFN_T_CHANGESET, &sc, &cur));
    for (;;) {
        bool more;
        struct str key, value;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        TRY(txn_del(t, CFN_T_CHANGESET, arena_str(a, key)));
    }
}

/* Whether the stack is still in the state that the change set was made for. */
static struct err *check_executable(const struct jv *stack, const struct jv *row)
{
    struct str status = jv_s(jv_get(stack, "status"));
    bool create = jv_b(jv_get(row, "create"), false);
    if (!str_is(jv_s(jv_get(row, "status")), "CREATE_COMPLETE") ||
        jv_get(row, "executed") != NULL || in_progress(status) ||
        (create && !str_is(status, "REVIEW_IN_PROGRESS")))
        return err_aws(400, "InvalidChangeSetStatus",
                       "ChangeSet [%.*s] cannot be executed in its current status",
                       STR_ARG(jv_s(jv_get(row, "arn"))));
    return create ? NULL : check_updatable(stack);
}

OP_HANDLER(cloudformation, ExecuteChangeSet, ExecuteChangeSetInput, ExecuteChangeSetOutput)
{
    struct arena *a = c->arena;
    struct place p;
    struct jv *stack, *row;
    struct plan plan;
    TRY(change_set_need(c, in->ChangeSetName, in->StackName, &p, &stack, &row));
    TRY(check_executable(stack, row));
    put_b(a, stack, "retain_except_on_create", in->RetainExceptOnCreate.v);
    put_v(a, stack, "role", jv_get(row, "role") != NULL ? jv_get(row, "role")
                                                        : jv_get(stack, "role"));
    TRY(set_actor(c, stack, STR_NONE));
    put_s(a, stack, "change_set", jv_s(jv_get(row, "arn")));
    plan = (struct plan){.text = jv_s(jv_get(row, "text")),
                         .params = (struct jv *)(uintptr_t)jv_get(row, "params"),
                         .tags = (struct jv *)(uintptr_t)jv_get(row, "tags"),
                         .capabilities = (struct jv *)(uintptr_t)jv_get(row, "capabilities"),
                         .topics = (struct jv *)(uintptr_t)jv_get(row, "topics")};
    TRY(template_parse(a, plan.text, &plan.t));
    bool create = jv_b(jv_get(row, "create"), false);
    struct str failure = jv_s(jv_get(row, "on_failure"));
    TRY(change_sets_drop(c->txn, a, &p)); /* the others spoke of a stack that is no longer so */
    put_b(a, row, "executed", true);
    struct skey k = change_set_key(&p, jv_s(jv_get(row, "name")));
    TRY(row_put(c, CFN_T_CHANGESET, c->account, key_of(&k), row));
    if (!create) {
        put_b(a, stack, "keep_failed", in->DisableRollback.v);
        return begin_update(c, &p, stack, &plan, in->ClientRequestToken);
    }
    plan_into(a, stack, &plan);
    put_s(a, stack, "on_failure", failure.p != NULL       ? failure
                                  : in->DisableRollback.v ? STR("DO_NOTHING")
                                                          : STR("ROLLBACK"));
    put_s(a, stack, "token", in->ClientRequestToken);
    TRY(template_text_put(c->txn, &p, "current", plan.text));
    TRY(stack_status(c->txn, a, &p, stack, "CREATE_IN_PROGRESS", STR("User Initiated")));
    return start_operation(c, &p, stack, "create", in->ClientRequestToken);
}

OP_HANDLER(cloudformation, DeleteChangeSet, DeleteChangeSetInput, DeleteChangeSetOutput)
{
    struct place p;
    struct jv *stack, *row;
    struct err *e = change_set_need(c, in->ChangeSetName, in->StackName, &p, &stack, &row);
    if (err_has_code(e, "ChangeSetNotFound")) { /* as on AWS: what is not there is deleted */
        err_free(e);
        return NULL;
    }
    TRY(e);
    struct skey k = change_set_key(&p, jv_s(jv_get(row, "name")));
    return txn_del(c->txn, CFN_T_CHANGESET, key_of(&k));
}

OP_HANDLER(cloudformation, ListChangeSets, ListChangeSetsInput, ListChangeSetsOutput)
{
    struct place p;
    struct jv *stack;
    TRY(stack_need(c, in->StackName, &p, &stack));
    struct skey prefix = stack_key(&p);
    struct scan sc = {.prefix = key_of(&prefix)};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, CFN_T_CHANGESET, &sc, &cur));
    out->Summaries.v =
        ARENA_ARRAY(c->arena, CHANGE_SETS_MAX, struct cloudformation_ChangeSetSummary);
    out->Summaries.set = true;
    while (out->Summaries.n < CHANGE_SETS_MAX) {
        bool more;
        struct str key, value;
        struct jv *row;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        TRY(json_parse(c->arena, value, JSON_DEPTH_MAX, &row));
        struct cloudformation_ChangeSetSummary *o = &out->Summaries.v[out->Summaries.n++];
        o->StackId = jv_s(jv_get(stack, "arn"));
        o->StackName = jv_s(jv_get(stack, "name"));
        o->ChangeSetId = jv_s(jv_get(row, "arn"));
        o->ChangeSetName = jv_s(jv_get(row, "name"));
        o->Description = jv_s(jv_get(row, "about"));
        o->CreationTime = some_int(jv_i(jv_get(row, "created_ms"), 0));
        o->Status = jv_s(jv_get(row, "status"));
        o->StatusReason = jv_s(jv_get(row, "reason"));
        o->ExecutionStatus = str_is(o->Status, "FAILED") ? STR("UNAVAILABLE")
                             : jv_get(row, "executed") != NULL ? STR("EXECUTE_COMPLETE")
                                                               : STR("AVAILABLE");
    }
    return NULL;
}
