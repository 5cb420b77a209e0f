/* CreateStack, UpdateStack, DeleteStack: the request is checked and kept; the job does the work. */
#include "room.h"

static struct err *check_count(struct call *c)
{
    struct skey prefix = skey();
    key_str(&prefix, c->account);
    key_str(&prefix, c->region);
    struct scan sc = {.prefix = key_of(&prefix), .keys_only = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, CFN_T_NAME, &sc, &cur));
    for (int n = 0; n < STACKS_MAX; n++) {
        bool more;
        struct str key, value;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
    }
    return err_aws(400, "LimitExceededException", "Limit for stack has been exceeded: %d.",
                   STACKS_MAX);
}

struct err *new_stack(struct call *c, struct str name, struct place *out_place, struct jv **out)
{
    struct arena *a = c->arena;
    char id[37];
    TRY(check_count(c));
    rand_uuid(id);
    struct place p = {c->account, c->region, arena_str(a, str_c(id))};
    struct jv *s = jv_new_obj(a);
    put_s(a, s, "name", name);
    put_s(a, s, "uuid", p.uuid);
    put_s(a, s, "arn", call_arn(c, "cloudformation", "stack/%.*s/%s", STR_ARG(name), id));
    put_i(a, s, "created_ms", c->now_ms);
    put_s(a, s, "on_failure", STR("ROLLBACK"));
    TRY(stack_name_put(c->txn, &p, name));
    *out_place = p;
    *out = s;
    return NULL;
}


/* "ROLLBACK", "DO_NOTHING" or "DELETE". */
static struct err *on_failure(struct str given, struct opt_bool disable, struct str *out)
{
    if (given.p != NULL && disable.set)
        return template_error("You can specify either OnFailure or DisableRollback, but not both.");
    *out = given.p != NULL ? given : disable.v ? STR("DO_NOTHING") : STR("ROLLBACK");
    return NULL;
}

OP_HANDLER(cloudformation, CreateStack, CreateStackInput, CreateStackOutput)
{
    struct place p;
    struct jv *stack;
    struct str failure;
    TRY(check_stack_name(in->StackName));
    TRY(on_failure(in->OnFailure, in->DisableRollback, &failure));
    TRY(stack_find(c, in->StackName, &p, &stack));
    if (stack != NULL) {
        if (in->ClientRequestToken.n > 0 &&
            str_eq(in->ClientRequestToken, jv_s(jv_get(stack, "create_token")))) {
            out->StackId = jv_s(jv_get(stack, "arn")); /* the same request again */
            return NULL;
        }
        return err_aws(400, "AlreadyExistsException", "Stack [%.*s] already exists",
                       STR_ARG(in->StackName));
    }
    TRY(new_stack(c, in->StackName, &p, &stack));
    struct request r = {.body = in->TemplateBody, .url = in->TemplateURL,
                        .parameters = &in->Parameters, .capabilities = &in->Capabilities,
                        .tags = &in->Tags, .topics = &in->NotificationARNs,
                        .types = &in->ResourceTypes, .rollback = in->RollbackConfiguration,
                        .deployment = in->DeploymentConfig,
                        .policy = in->StackPolicyBody.p != NULL || in->StackPolicyURL.p != NULL};
    struct plan plan;
    TRY(request_plan(c, &r, &p, NULL, in->StackName, jv_s(jv_get(stack, "arn")), &plan));
    TRY(set_actor(c, stack, in->RoleARN));
    plan_into(c->arena, stack, &plan);
    put_s(c->arena, stack, "on_failure", failure);
    put_s(c->arena, stack, "create_token", in->ClientRequestToken);
    put_b(c->arena, stack, "protected", in->EnableTerminationProtection.v);
    put_b(c->arena, stack, "retain_except_on_create", in->RetainExceptOnCreate.v);
    if (in->TimeoutInMinutes.set)
        put_i(c->arena, stack, "timeout_min", in->TimeoutInMinutes.v);
    put_s(c->arena, stack, "token", in->ClientRequestToken);
    TRY(template_text_put(c->txn, &p, "current", plan.text));
    TRY(stack_status(c->txn, c->arena, &p, stack, "CREATE_IN_PROGRESS", STR("User Initiated")));
    TRY(start_operation(c, &p, stack, "create", in->ClientRequestToken));
    out->StackId = jv_s(jv_get(stack, "arn"));
    return NULL;
}

/* -- updates ----------------------------------------------------------------------------------- */


/* A template that says the same in another order of words is the same. */
static struct err *unchanged(struct call *c, const struct place *p, const struct jv *stack,
                             const struct plan *plan, bool *out)
{
    struct str text;
    struct template now;
    *out = false;
    TRY(template_text_get(c->txn, c->arena, p, "current", &text));
    if (text.p == NULL)
        return NULL;
    TRY(template_parse(c->arena, text, &now));
    static const char *const parts[] = {"Resources", "Outputs", "Conditions", "Mappings"};
    bool same = jv_equal(jv_get(stack, "params"), plan->params) &&
                jv_equal(jv_get(stack, "tags"), plan->tags);
    for (size_t i = 0; same && i < ARRAY_LEN(parts); i++) {
        const struct jv *x = jv_get(now.root, parts[i]), *y = jv_get(plan->t.root, parts[i]);
        same = x == y || (x != NULL && y != NULL && jv_equal(x, y));
    }
    *out = same && !str_is(jv_s(jv_get(stack, "status")), "UPDATE_FAILED");
    return NULL;
}

struct err *begin_update(struct call *c, const struct place *p, struct jv *stack,
                         const struct plan *plan, struct str token)
{
    struct arena *a = c->arena;
    struct str reason;
    bool same;
    TRY(changed_types(c, p, &plan->t, &reason));
    if (reason.p != NULL)
        return template_error("%.*s", STR_ARG(reason));
    TRY(unchanged(c, p, stack, plan, &same));
    if (same)
        return template_error("No updates are to be performed.");
    struct jv *next = jv_new_obj(a);
    plan_into(a, next, plan);
    put_v(a, stack, "next", next);
    put_v(a, stack, "cancel", NULL);
    put_s(a, stack, "token", token);
    put_i(a, stack, "updated_ms", c->now_ms);
    TRY(template_text_put(c->txn, p, "next", plan->text));
    TRY(stack_status(c->txn, a, p, stack, "UPDATE_IN_PROGRESS", STR("User Initiated")));
    return start_operation(c, p, stack, "update", token);
}

OP_HANDLER(cloudformation, UpdateStack, UpdateStackInput, UpdateStackOutput)
{
    struct place p;
    struct jv *stack;
    TRY(stack_find(c, in->StackName, &p, &stack));
    if (stack == NULL)
        return template_error("Stack [%.*s] does not exist",
                              STR_ARG(str_take(in->StackName, 300)));
    if (in->ClientRequestToken.n > 0 &&
        str_eq(in->ClientRequestToken, jv_s(jv_get(stack, "update_token")))) {
        out->StackId = jv_s(jv_get(stack, "arn"));
        return NULL;
    }
    TRY(check_updatable(stack));
    struct request r = {.body = in->TemplateBody, .url = in->TemplateURL,
                        .previous_template = in->UsePreviousTemplate.v,
                        .parameters = &in->Parameters, .capabilities = &in->Capabilities,
                        .tags = &in->Tags, .topics = &in->NotificationARNs,
                        .types = &in->ResourceTypes, .rollback = in->RollbackConfiguration,
                        .deployment = in->DeploymentConfig,
                        .policy = in->StackPolicyBody.p != NULL || in->StackPolicyURL.p != NULL ||
                                  in->StackPolicyDuringUpdateBody.p != NULL ||
                                  in->StackPolicyDuringUpdateURL.p != NULL};
    struct plan plan;
    TRY(request_plan(c, &r, &p, stack, jv_s(jv_get(stack, "name")), jv_s(jv_get(stack, "arn")),
                     &plan));
    if (!in->Tags.set) /* tags that are not given stay as they are */
        plan.tags = (struct jv *)(uintptr_t)jv_get(stack, "tags");
    TRY(set_actor(c, stack, in->RoleARN));
    put_b(c->arena, stack, "keep_failed", in->DisableRollback.v);
    put_b(c->arena, stack, "retain_except_on_create", in->RetainExceptOnCreate.v);
    put_s(c->arena, stack, "update_token", in->ClientRequestToken);
    out->StackId = jv_s(jv_get(stack, "arn"));
    return begin_update(c, &p, stack, &plan, in->ClientRequestToken);
}

/* The job sees it before the next resource, and at the end. */
OP_HANDLER_NO_OUT(cloudformation, CancelUpdateStack, CancelUpdateStackInput)
{
    struct place p;
    struct jv *stack;
    TRY(stack_need(c, in->StackName, &p, &stack));
    if (!str_is(jv_s(jv_get(stack, "status")), "UPDATE_IN_PROGRESS"))
        return template_error("CancelUpdateStack cannot be called from current stack status");
    put_b(c->arena, stack, "cancel", true);
    return stack_save(c->txn, c->arena, &p, stack);
}

/* The same operation goes on: what it has changed is known by its id. */
OP_HANDLER(cloudformation, ContinueUpdateRollback, ContinueUpdateRollbackInput,
           ContinueUpdateRollbackOutput)
{
    struct place p;
    struct jv *stack;
    TRY(stack_need(c, in->StackName, &p, &stack));
    if (in->ResourcesToSkip.n > 0 || in->ForceRollback.v)
        return err_not_implemented(c, "Rolling back without some of the resources");
    if (!str_is(jv_s(jv_get(stack, "status")), "UPDATE_ROLLBACK_FAILED"))
        return template_error("Stack:%.*s is in %.*s state and can not continue its rollback.",
                              STR_ARG(jv_s(jv_get(stack, "arn"))),
                              STR_ARG(jv_s(jv_get(stack, "status"))));
    TRY(set_actor(c, stack, in->RoleARN));
    put_s(c->arena, stack, "phase", STR("unupdate"));
    put_s(c->arena, stack, "token", in->ClientRequestToken);
    TRY(stack_status(c->txn, c->arena, &p, stack, "UPDATE_ROLLBACK_IN_PROGRESS",
                     STR("User Initiated")));
    return go_on(c, &p, stack);
}

/* -- deletion ---------------------------------------------------------------------------------- */

static struct err *check_retained(struct call *c, const struct place *p, const struct jv *stack,
                                  const struct cloudformation_RetainResources *list,
                                  struct jv **out)
{
    struct jv *rows;
    *out = jv_new_arr(c->arena);
    if (list->n == 0)
        return NULL;
    if (!str_is(jv_s(jv_get(stack, "status")), "DELETE_FAILED"))
        return template_error("Invalid operation on stack [%.*s]. RetainResources can be given "
                              "for a stack in DELETE_FAILED state only.",
                              STR_ARG(jv_s(jv_get(stack, "arn"))));
    TRY(resource_load_all(c->txn, c->arena, p, &rows));
    for (size_t i = 0; i < list->n; i++) {
        if (!resource_live(jv_get_str(rows, list->v[i])))
            return template_error("RetainResources names a resource that the stack does not have: "
                                  "%.*s", STR_ARG(str_take(list->v[i], 255)));
        jv_push(c->arena, *out, jv_new_str(c->arena, list->v[i]));
    }
    return NULL;
}

OP_HANDLER_NO_OUT(cloudformation, DeleteStack, DeleteStackInput)
{
    struct place p;
    struct jv *stack, *retain;
    TRY(stack_find(c, in->StackName, &p, &stack));
    if (stack == NULL) /* as on AWS: what is not there is deleted */
        return NULL;
    struct str status = jv_s(jv_get(stack, "status"));
    if (str_is(status, "DELETE_COMPLETE") || str_is(status, "DELETE_IN_PROGRESS"))
        return NULL;
    if (str_starts_c(in->DeletionMode, "FORCE"))
        return err_not_implemented(c, "DeletionMode FORCE_DELETE_STACK");
    if (in->DeploymentConfig != NULL)
        return err_not_implemented(c, "DeploymentConfig");
    if (jv_b(jv_get(stack, "protected"), false))
        return template_error("Stack [%.*s] cannot be deleted while TerminationProtection is "
                              "enabled", STR_ARG(jv_s(jv_get(stack, "name"))));
    if (str_starts_c(status, "UPDATE_") && in_progress(status))
        return template_error("Stack [%.*s] cannot be deleted while in status %.*s",
                              STR_ARG(jv_s(jv_get(stack, "arn"))), STR_ARG(status));
    TRY(check_retained(c, &p, stack, &in->RetainResources, &retain));
    TRY(exports_in_use(c->txn, c->arena, &p, jv_get(stack, "outputs")));
    TRY(set_actor(c, stack, in->RoleARN));
    put_v(c->arena, stack, "retain", retain);
    put_s(c->arena, stack, "token", in->ClientRequestToken);
    TRY(stack_status(c->txn, c->arena, &p, stack, "DELETE_IN_PROGRESS", STR("User Initiated")));
    return start_operation(c, &p, stack, "delete", in->ClientRequestToken);
}

OP_HANDLER(cloudformation, UpdateTerminationProtection, UpdateTerminationProtectionInput,
           UpdateTerminationProtectionOutput)
{
    struct place p;
    struct jv *stack;
    TRY(stack_need(c, in->StackName, &p, &stack));
    put_b(c->arena, stack, "protected", in->EnableTerminationProtection.v);
    out->StackId = jv_s(jv_get(stack, "arn"));
    return stack_save(c->txn, c->arena, &p, stack);
}
