/* What can be asked of stacks. */
#include "room.h"

static struct str some(struct str s)
{
    return s.p != NULL ? s : STR("");
}

static void describe_params(struct call *c, const struct jv *stack,
                            struct cloudformation_Parameters *out)
{
    const struct jv *params = jv_get(stack, "params"), *hidden = jv_get(stack, "hidden");
    size_t n = jv_len(params);
    out->v = ARENA_ARRAY(c->arena, n + 1, struct cloudformation_Parameter);
    out->set = n > 0;
    for (size_t i = 0; i < n; i++) {
        struct cloudformation_Parameter *p = &out->v[out->n++];
        p->ParameterKey = params->obj.v[i].key;
        p->ParameterValue = jv_get_str(hidden, p->ParameterKey) != NULL
                                ? STR("****")
                                : template_param_text(c->arena, &params->obj.v[i].value);
    }
}

static void describe_lists(struct call *c, const struct jv *s, struct cloudformation_Stack *out)
{
    struct arena *a = c->arena;
    const struct jv *tags = jv_get(s, "tags"), *outputs = jv_get(s, "outputs");
    const struct jv *caps = jv_get(s, "capabilities");
    out->Tags.v = ARENA_ARRAY(a, jv_len(tags) + 1, struct cloudformation_Tag);
    out->Tags.set = true;
    for (size_t i = 0; i < jv_len(tags); i++) {
        out->Tags.v[i].Key = jv_s(jv_get(jv_at(tags, i), "Key"));
        out->Tags.v[i].Value = jv_s(jv_get(jv_at(tags, i), "Value"));
        out->Tags.n++;
    }
    out->Outputs.v = ARENA_ARRAY(a, jv_len(outputs) + 1, struct cloudformation_Output);
    out->Outputs.set = jv_len(outputs) > 0;
    for (size_t i = 0; i < jv_len(outputs); i++) {
        struct cloudformation_Output *o = &out->Outputs.v[out->Outputs.n++];
        const struct jv *v = jv_at(outputs, i);
        o->OutputKey = jv_s(jv_get(v, "key"));
        o->OutputValue = jv_s(jv_get(v, "value"));
        o->Description = jv_s(jv_get(v, "description"));
        o->ExportName = jv_s(jv_get(v, "export"));
    }
    out->Capabilities.v = ARENA_ARRAY(a, jv_len(caps) + 1, struct str);
    out->Capabilities.set = jv_len(caps) > 0;
    for (size_t i = 0; i < jv_len(caps); i++)
        out->Capabilities.v[out->Capabilities.n++] = jv_s(jv_at(caps, i));
    out->NotificationARNs.v = ARENA_NEW(a, struct str);
    out->NotificationARNs.set = true;
}

static void describe(struct call *c, const struct jv *s, struct cloudformation_Stack *out)
{
    out->StackId = jv_s(jv_get(s, "arn"));
    out->StackName = jv_s(jv_get(s, "name"));
    out->ChangeSetId = jv_s(jv_get(s, "change_set"));
    out->Description = jv_s(jv_get(s, "description"));
    describe_params(c, s, &out->Parameters);
    out->CreationTime = some_int(jv_i(jv_get(s, "created_ms"), 0));
    if (jv_get(s, "deleted_ms") != NULL)
        out->DeletionTime = some_int(jv_i(jv_get(s, "deleted_ms"), 0));
    if (jv_get(s, "updated_ms") != NULL)
        out->LastUpdatedTime = some_int(jv_i(jv_get(s, "updated_ms"), 0));
    out->RollbackConfiguration =
        ARENA_NEW(c->arena, struct cloudformation_RollbackConfiguration);
    out->StackStatus = jv_s(jv_get(s, "status"));
    out->StackStatusReason = jv_s(jv_get(s, "reason"));
    out->DisableRollback = some_bool(str_is(jv_s(jv_get(s, "on_failure")), "DO_NOTHING"));
    if (jv_get(s, "timeout_min") != NULL)
        out->TimeoutInMinutes = some_int(jv_i(jv_get(s, "timeout_min"), 0));
    out->RoleARN = jv_s(jv_get(s, "role"));
    out->EnableTerminationProtection = some_bool(jv_b(jv_get(s, "protected"), false));
    out->DriftInformation = ARENA_NEW(c->arena, struct cloudformation_StackDriftInformation);
    out->DriftInformation->StackDriftStatus = STR("NOT_CHECKED");
    describe_lists(c, s, out);
}

/* Rows of one account and region from a position on; STR_NONE in *out_last: the last page. */
static struct err *each_row(struct call *c, const char *table, struct str token, size_t max,
                            bool (*take)(struct call *c, const struct jv *row, void *ctx),
                            void *ctx, struct str *out_token)
{
    struct place p = {c->account, c->region, STR("")};
    struct skey prefix = skey();
    key_str(&prefix, p.account);
    key_str(&prefix, p.region);
    struct str position, last = STR_NONE;
    TRY(page_position(c, token, "ValidationError", &position));
    struct scan sc = {.prefix = key_of(&prefix), .from = position, .after = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, table, &sc, &cur));
    for (size_t n = 0;;) {
        bool more;
        struct str key, value;
        struct jv *row;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        if (n == max) {
            *out_token = page_token(c, last);
            return NULL;
        }
        last = arena_str(c->arena, key);
        TRY(json_parse(c->arena, value, JSON_DEPTH_MAX, &row));
        n += take(c, row, ctx);
    }
}

static bool take_stack(struct call *c, const struct jv *row, void *ctx)
{
    struct cloudformation_Stacks *out = ctx;
    if (str_is(jv_s(jv_get(row, "status")), "DELETE_COMPLETE"))
        return false;
    describe(c, row, &out->v[out->n++]);
    return true;
}

OP_HANDLER(cloudformation, DescribeStacks, DescribeStacksInput, DescribeStacksOutput)
{
    out->Stacks.v = ARENA_ARRAY(c->arena, STACK_LIST_PAGE, struct cloudformation_Stack);
    out->Stacks.set = true;
    if (in->StackName.n == 0)
        return each_row(c, CFN_T_STACK, in->NextToken, STACK_LIST_PAGE, take_stack, &out->Stacks,
                        &out->NextToken);
    struct place p;
    struct jv *stack;
    TRY(stack_need(c, in->StackName, &p, &stack));
    describe(c, stack, &out->Stacks.v[out->Stacks.n++]);
    return NULL;
}

struct summaries {
    const struct cloudformation_StackStatusFilter *filter;
    struct cloudformation_StackSummaries *out;
};

static bool take_summary(struct call *c, const struct jv *s, void *ctx)
{
    const struct summaries *x = ctx;
    struct str status = jv_s(jv_get(s, "status"));
    bool wanted = x->filter->n == 0;
    for (size_t i = 0; i < x->filter->n; i++)
        wanted = wanted || str_eq(x->filter->v[i], status);
    if (!wanted)
        return false;
    struct cloudformation_StackSummary *o = &x->out->v[x->out->n++];
    o->StackId = jv_s(jv_get(s, "arn"));
    o->StackName = jv_s(jv_get(s, "name"));
    o->TemplateDescription = jv_s(jv_get(s, "description"));
    o->CreationTime = some_int(jv_i(jv_get(s, "created_ms"), 0));
    if (jv_get(s, "updated_ms") != NULL)
        o->LastUpdatedTime = some_int(jv_i(jv_get(s, "updated_ms"), 0));
    if (jv_get(s, "deleted_ms") != NULL)
        o->DeletionTime = some_int(jv_i(jv_get(s, "deleted_ms"), 0));
    o->StackStatus = status;
    o->StackStatusReason = jv_s(jv_get(s, "reason"));
    o->DriftInformation =
        ARENA_NEW(c->arena, struct cloudformation_StackDriftInformationSummary);
    o->DriftInformation->StackDriftStatus = STR("NOT_CHECKED");
    return true;
}

OP_HANDLER(cloudformation, ListStacks, ListStacksInput, ListStacksOutput)
{
    struct summaries x = {&in->StackStatusFilter, &out->StackSummaries};
    out->StackSummaries.v =
        ARENA_ARRAY(c->arena, STACK_LIST_PAGE, struct cloudformation_StackSummary);
    out->StackSummaries.set = true;
    return each_row(c, CFN_T_STACK, in->NextToken, STACK_LIST_PAGE, take_summary, &x,
                    &out->NextToken);
}

/* -- events ------------------------------------------------------------------------------------ */

static void describe_event(const struct jv *stack, const struct jv *e,
                           struct cloudformation_StackEvent *out)
{
    out->StackId = jv_s(jv_get(stack, "arn"));
    out->StackName = jv_s(jv_get(stack, "name"));
    out->EventId = jv_s(jv_get(e, "id"));
    out->LogicalResourceId = jv_s(jv_get(e, "logical"));
    out->PhysicalResourceId = some(jv_s(jv_get(e, "physical")));
    out->ResourceType = jv_s(jv_get(e, "type"));
    out->Timestamp = some_int(jv_i(jv_get(e, "time_ms"), 0));
    out->ResourceStatus = jv_s(jv_get(e, "status"));
    out->ResourceStatusReason = jv_s(jv_get(e, "reason"));
    out->ResourceProperties = jv_s(jv_get(e, "properties"));
    out->ClientRequestToken = jv_s(jv_get(e, "token"));
}

OP_HANDLER(cloudformation, DescribeStackEvents, DescribeStackEventsInput,
           DescribeStackEventsOutput)
{
    struct place p;
    struct jv *stack;
    struct str position, last = STR_NONE;
    TRY(stack_find(c, in->StackName, &p, &stack));
    if (stack == NULL) /* AWS has other words for it here */
        return template_error("Stack [%.*s] does not exist", STR_ARG(str_take(in->StackName, 300)));
    TRY(page_position(c, in->NextToken, "ValidationError", &position));
    struct skey prefix = stack_key(&p);
    struct scan sc = {.prefix = key_of(&prefix), .from = position, .after = true, .reverse = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, CFN_T_EVENT, &sc, &cur));
    out->StackEvents.v = ARENA_ARRAY(c->arena, STACK_EVENTS_PAGE, struct cloudformation_StackEvent);
    out->StackEvents.set = true;
    for (;;) {
        bool more;
        struct str key, value;
        struct jv *row;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        if (out->StackEvents.n == STACK_EVENTS_PAGE) {
            out->NextToken = page_token(c, last);
            return NULL;
        }
        last = arena_str(c->arena, key);
        TRY(json_parse(c->arena, value, JSON_DEPTH_DEFAULT, &row));
        describe_event(stack, row, &out->StackEvents.v[out->StackEvents.n++]);
    }
}

/* -- resources --------------------------------------------------------------------------------- */

/* A stack that was deleted is found by its id alone. */
static struct err *resources_of(struct call *c, struct str name, struct place *p, struct jv **stack,
                                struct jv **rows)
{
    TRY(stack_need(c, name, p, stack));
    return resource_load_all(c->txn, c->arena, p, rows);
}

OP_HANDLER(cloudformation, DescribeStackResource, DescribeStackResourceInput,
           DescribeStackResourceOutput)
{
    struct place p;
    struct jv *stack, *rows;
    TRY(stack_find(c, in->StackName, &p, &stack));
    if (stack == NULL)
        return template_error("Stack '%.*s' does not exist", STR_ARG(str_take(in->StackName, 300)));
    TRY(resource_load_all(c->txn, c->arena, &p, &rows));
    const struct jv *r = jv_get_str(rows, in->LogicalResourceId);
    if (r == NULL)
        return template_error("Resource %.*s does not exist for stack %.*s",
                              STR_ARG(str_take(in->LogicalResourceId, 255)),
                              STR_ARG(jv_s(jv_get(stack, "name"))));
    struct cloudformation_StackResourceDetail *d =
        ARENA_NEW(c->arena, struct cloudformation_StackResourceDetail);
    d->StackName = jv_s(jv_get(stack, "name"));
    d->StackId = jv_s(jv_get(stack, "arn"));
    d->LogicalResourceId = in->LogicalResourceId;
    d->PhysicalResourceId = jv_s(jv_get(r, "id"));
    d->ResourceType = jv_s(jv_get(r, "type"));
    d->LastUpdatedTimestamp = some_int(jv_i(jv_get(r, "updated_ms"), 0));
    d->ResourceStatus = jv_s(jv_get(r, "status"));
    d->ResourceStatusReason = jv_s(jv_get(r, "reason"));
    d->Description = jv_s(jv_get(r, "description"));
    const struct jv *metadata = jv_get(r, "metadata");
    d->Metadata = metadata != NULL ? jv_text(c->arena, metadata) : STR("{}");
    d->DriftInformation = ARENA_NEW(c->arena, struct cloudformation_StackResourceDriftInformation);
    d->DriftInformation->StackResourceDriftStatus = STR("NOT_CHECKED");
    out->StackResourceDetail = d;
    return NULL;
}

static void describe_resource(struct call *c, const struct jv *stack, const struct jv *r,
                              struct cloudformation_StackResource *o)
{
    o->StackName = jv_s(jv_get(stack, "name"));
    o->StackId = jv_s(jv_get(stack, "arn"));
    o->LogicalResourceId = jv_s(jv_get(r, "logical"));
    o->PhysicalResourceId = jv_s(jv_get(r, "id"));
    o->ResourceType = jv_s(jv_get(r, "type"));
    o->Timestamp = some_int(jv_i(jv_get(r, "updated_ms"), 0));
    o->ResourceStatus = jv_s(jv_get(r, "status"));
    o->ResourceStatusReason = jv_s(jv_get(r, "reason"));
    o->Description = jv_s(jv_get(r, "description"));
    o->DriftInformation = ARENA_NEW(c->arena, struct cloudformation_StackResourceDriftInformation);
    o->DriftInformation->StackResourceDriftStatus = STR("NOT_CHECKED");
}

struct search { /* the stack that a physical resource belongs to */
    struct str physical;
    struct str stack;
    struct err *failed;
};

static bool find_physical(struct call *c, const struct jv *row, void *ctx)
{
    struct search *s = ctx;
    struct place p = {c->account, c->region, jv_s(jv_get(row, "uuid"))};
    struct jv *rows;
    if (s->failed != NULL || s->stack.p != NULL ||
        str_is(jv_s(jv_get(row, "status")), "DELETE_COMPLETE"))
        return false;
    s->failed = resource_load_all(c->txn, c->arena, &p, &rows);
    for (size_t i = 0; s->failed == NULL && i < jv_len(rows); i++)
        if (resource_live(&rows->obj.v[i].value) &&
            str_eq(jv_s(jv_get(&rows->obj.v[i].value, "id")), s->physical))
            s->stack = jv_s(jv_get(row, "arn"));
    return false;
}

OP_HANDLER(cloudformation, DescribeStackResources, DescribeStackResourcesInput,
           DescribeStackResourcesOutput)
{
    struct place p;
    struct jv *stack, *rows;
    struct str name = in->StackName, none = STR_NONE;
    if ((name.n > 0) == (in->PhysicalResourceId.n > 0))
        return template_error("Either StackName or PhysicalResourceId must be specified.");
    if (name.n == 0) {
        struct search s = {.physical = in->PhysicalResourceId};
        TRY(each_row(c, CFN_T_STACK, STR_NONE, 1, find_physical, &s, &none));
        TRY(s.failed);
        if (s.stack.p == NULL)
            return template_error("Stack for %.*s does not exist",
                                  STR_ARG(str_take(in->PhysicalResourceId, 300)));
        name = s.stack;
    }
    TRY(resources_of(c, name, &p, &stack, &rows));
    out->StackResources.v =
        ARENA_ARRAY(c->arena, jv_len(rows) + 1, struct cloudformation_StackResource);
    out->StackResources.set = true;
    for (size_t i = 0; i < jv_len(rows); i++)
        if (in->LogicalResourceId.n == 0 ||
            str_eq(in->LogicalResourceId, rows->obj.v[i].key))
            describe_resource(c, stack, &rows->obj.v[i].value,
                              &out->StackResources.v[out->StackResources.n++]);
    if (in->LogicalResourceId.n > 0 && out->StackResources.n == 0)
        return template_error("Resource %.*s does not exist for stack %.*s",
                              STR_ARG(str_take(in->LogicalResourceId, 255)),
                              STR_ARG(jv_s(jv_get(stack, "name"))));
    return NULL;
}

OP_HANDLER(cloudformation, ListStackResources, ListStackResourcesInput, ListStackResourcesOutput)
{
    struct place p;
    struct jv *stack, *rows;
    struct str position;
    TRY(resources_of(c, in->StackName, &p, &stack, &rows));
    TRY(page_position(c, in->NextToken, "ValidationError", &position));
    out->StackResourceSummaries.v =
        ARENA_ARRAY(c->arena, STACK_LIST_PAGE, struct cloudformation_StackResourceSummary);
    out->StackResourceSummaries.set = true;
    struct str last = STR_NONE;
    for (size_t i = 0; i < jv_len(rows); i++) {
        struct str key = rows->obj.v[i].key;
        const struct jv *r = &rows->obj.v[i].value;
        if (position.p != NULL && str_cmp(key, position) <= 0)
            continue;
        if (out->StackResourceSummaries.n == STACK_LIST_PAGE) {
            out->NextToken = page_token(c, last);
            return NULL;
        }
        struct cloudformation_StackResourceSummary *o =
            &out->StackResourceSummaries.v[out->StackResourceSummaries.n++];
        o->LogicalResourceId = last = key;
        o->PhysicalResourceId = jv_s(jv_get(r, "id"));
        o->ResourceType = jv_s(jv_get(r, "type"));
        o->LastUpdatedTimestamp = some_int(jv_i(jv_get(r, "updated_ms"), 0));
        o->ResourceStatus = jv_s(jv_get(r, "status"));
        o->ResourceStatusReason = jv_s(jv_get(r, "reason"));
        o->DriftInformation =
            ARENA_NEW(c->arena, struct cloudformation_StackResourceDriftInformationSummary);
        o->DriftInformation->StackResourceDriftStatus = STR("NOT_CHECKED");
    }
    return NULL;
}

/* -- exports ----------------------------------------------------------------------------------- */

OP_HANDLER(cloudformation, ListExports, ListExportsInput, ListExportsOutput)
{
    struct skey prefix = skey();
    struct str position, last = STR_NONE;
    key_str(&prefix, c->account);
    key_str(&prefix, c->region);
    TRY(page_position(c, in->NextToken, "ValidationError", &position));
    struct scan sc = {.prefix = key_of(&prefix), .from = position, .after = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, CFN_T_EXPORT, &sc, &cur));
    out->Exports.v = ARENA_ARRAY(c->arena, STACK_LIST_PAGE, struct cloudformation_Export);
    out->Exports.set = true;
    for (;;) {
        bool more;
        struct str key, value, account, region, name;
        struct jv *row;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        if (out->Exports.n == STACK_LIST_PAGE) {
            out->NextToken = page_token(c, last);
            return NULL;
        }
        last = arena_str(c->arena, key);
        if (!key_take_str(c->arena, &key, &account) || !key_take_str(c->arena, &key, &region) ||
            !key_take_str(c->arena, &key, &name))
            continue;
        TRY(json_parse(c->arena, value, JSON_DEPTH_DEFAULT, &row));
        struct cloudformation_Export *e = &out->Exports.v[out->Exports.n++];
        e->ExportingStackId = jv_s(jv_get(row, "stack"));
        e->Name = name;
        e->Value = jv_s(jv_get(row, "value"));
    }
}

OP_HANDLER(cloudformation, ListImports, ListImportsInput, ListImportsOutput)
{
    struct place p = {c->account, c->region, in->ExportName};
    struct skey prefix = stack_key(&p);
    struct scan sc = {.prefix = key_of(&prefix)};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, CFN_T_IMPORT, &sc, &cur));
    VEC(struct str) names = {0};
    for (;;) {
        bool more;
        struct str key, value;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            break;
        VEC_PUSH(c->arena, &names, arena_str(c->arena, value));
    }
    if (names.n == 0)
        return template_error("Export '%.*s' is not imported by any stack.",
                              STR_ARG(str_take(in->ExportName, 255)));
    out->Imports.v = names.v;
    out->Imports.n = names.n;
    out->Imports.set = true;
    return NULL;
}
