/* Functions described and listed; their tags, reserved concurrency and policies; the account. */
#include "room.h"

OP_HANDLER(lambda, GetFunctionConfiguration, GetFunctionConfigurationRequest,
           FunctionConfiguration)
{
    struct function f;
    TRY(function_need(c, in->FunctionName, in->Qualifier, &f));
    *out = *function_out(c, &f);
    return NULL;
}

static void tags_out(struct call *c, const struct function *f, struct lambda_Tags *out)
{
    const struct jv *tags = jv_get(f->row, "tags");
    out->v = ARENA_ARRAY(c->arena, jv_len(tags) + 1, struct lambda_Tags_item);
    out->set = true;
    for (size_t i = 0; i < jv_len(tags); i++)
        out->v[out->n++] = (struct lambda_Tags_item){.key = tags->obj.v[i].key,
                                                     .value = jv_s(&tags->obj.v[i].value)};
}

/* A link to the code is not built: Code names where it is kept, and no Location. */
OP_HANDLER(lambda, GetFunction, GetFunctionRequest, GetFunctionResponse)
{
    struct function f;
    TRY(function_need(c, in->FunctionName, in->Qualifier, &f));
    out->Configuration = function_out(c, &f);
    out->Code = ARENA_NEW(c->arena, struct lambda_FunctionCodeLocation);
    out->Code->RepositoryType = STR("Ward");
    if (jv_len(jv_get(f.row, "tags")) > 0)
        tags_out(c, &f, &out->Tags);
    if (f.reserved >= 0) {
        out->Concurrency = ARENA_NEW(c->arena, struct lambda_Concurrency);
        out->Concurrency->ReservedConcurrentExecutions = some_int(f.reserved);
    }
    return NULL;
}

/* -- every function of an account and Region --------------------------------------------------- */

/* fn answers false to stop; *out_position then leads to the function it stopped at. */
static struct err *each_function(struct call *c, struct str position,
                                 bool (*fn)(void *ctx, const struct function *f), void *ctx,
                                 struct str *out_position)
{
    struct skey prefix = skey();
    key_str(&prefix, c->account);
    key_str(&prefix, c->region);
    struct scan sc = {.prefix = key_of(&prefix), .from = position, .after = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    struct str last = position;
    TRY(txn_scan(c->txn, LAMBDA_T_FUNCTION, &sc, &cur));
    *out_position = STR_NONE;
    for (;;) {
        bool more, found;
        struct str key, value, account, region, name;
        struct function f;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        struct str whole = arena_str(c->arena, key);
        if (!key_take_str(c->arena, &key, &account) || !key_take_str(c->arena, &key, &region) ||
            !key_take_str(c->arena, &key, &name))
            continue;
        TRY(function_read(c->txn, c->arena, account, region, name, &f, &found));
        if (found && !fn(ctx, &f)) {
            *out_position = last;
            return NULL;
        }
        last = whole;
    }
}

struct list {
    struct call *c;
    struct lambda_ListFunctionsResponse *out;
    size_t limit;
};

static bool list_one(void *ctx, const struct function *f)
{
    struct list *l = ctx;
    if (l->out->Functions.n == l->limit)
        return false;
    l->out->Functions.v[l->out->Functions.n++] = *function_out(l->c, f);
    return true;
}

OP_HANDLER(lambda, ListFunctions, ListFunctionsRequest, ListFunctionsResponse)
{
    struct str position, next;
    if (in->MasterRegion.p != NULL)
        return err_not_implemented(c, "ListFunctions with a MasterRegion");
    struct list l = {.c = c, .out = out, .limit = LAMBDA_LIST_MAX};
    if (in->MaxItems.set && in->MaxItems.v < LAMBDA_LIST_MAX)
        l.limit = (size_t)in->MaxItems.v;
    TRY(page_position(c, in->Marker, "InvalidParameterValueException", &position));
    out->Functions.v = ARENA_ARRAY(c->arena, l.limit, struct lambda_FunctionConfiguration);
    out->Functions.set = true;
    TRY(each_function(c, position, list_one, &l, &next));
    out->NextMarker = page_token(c, next);
    return NULL;
}

struct sum {
    int64_t functions, bytes, reserved;
    struct str but; /* a function left out of `reserved` */
};

static bool sum_one(void *ctx, const struct function *f)
{
    struct sum *s = ctx;
    s->functions++;
    s->bytes += f->code_size;
    if (f->reserved > 0 && !str_eq(f->name, s->but))
        s->reserved += f->reserved;
    return true;
}

OP_HANDLER_NO_IN(lambda, GetAccountSettings, GetAccountSettingsResponse)
{
    struct sum s = {0};
    struct str next;
    TRY(each_function(c, STR_NONE, sum_one, &s, &next));
    out->AccountLimit = ARENA_NEW(c->arena, struct lambda_AccountLimit);
    out->AccountLimit->CodeSizeUnzipped = some_int(LAMBDA_UNZIPPED_MAX);
    out->AccountLimit->CodeSizeZipped = some_int(LAMBDA_ZIP_MAX);
    out->AccountLimit->ConcurrentExecutions = some_int(LAMBDA_CONCURRENCY);
    out->AccountLimit->UnreservedConcurrentExecutions = some_int(LAMBDA_CONCURRENCY - s.reserved);
    out->AccountUsage = ARENA_NEW(c->arena, struct lambda_AccountUsage);
    out->AccountUsage->TotalCodeSize = some_int(s.bytes);
    out->AccountUsage->FunctionCount = some_int(s.functions);
    return NULL;
}

/* -- reserved concurrency ---------------------------------------------------------------------- */

OP_HANDLER(lambda, PutFunctionConcurrency, PutFunctionConcurrencyRequest, Concurrency)
{
    struct function f;
    struct str next;
    int64_t n = in->ReservedConcurrentExecutions.v;
    TRY(function_need(c, in->FunctionName, STR_NONE, &f));
    struct sum s = {.but = f.name};
    TRY(each_function(c, STR_NONE, sum_one, &s, &next));
    if (s.reserved + n > LAMBDA_CONCURRENCY - LAMBDA_UNRESERVED_MIN)
        return err_aws(400, "InvalidParameterValueException",
                       "Specified ReservedConcurrentExecutions for function decreases account's "
                       "UnreservedConcurrentExecution below its minimum value of [%d].",
                       LAMBDA_UNRESERVED_MIN);
    f.reserved = n;
    TRY(function_save(c, &f));
    out->ReservedConcurrentExecutions = some_int(n);
    return NULL;
}

OP_HANDLER(lambda, GetFunctionConcurrency, GetFunctionConcurrencyRequest,
           GetFunctionConcurrencyResponse)
{
    struct function f;
    TRY(function_need(c, in->FunctionName, STR_NONE, &f));
    if (f.reserved >= 0)
        out->ReservedConcurrentExecutions = some_int(f.reserved);
    return NULL;
}

OP_HANDLER_NO_OUT(lambda, DeleteFunctionConcurrency, DeleteFunctionConcurrencyRequest)
{
    struct function f;
    TRY(function_need(c, in->FunctionName, STR_NONE, &f));
    f.reserved = -1;
    return function_save(c, &f);
}

/* -- tags -------------------------------------------------------------------------------------- */

OP_HANDLER_NO_OUT(lambda, TagResource, TagResourceRequest)
{
    struct function f;
    TRY(function_need(c, in->Resource, STR_NONE, &f));
    struct jv *all = jv_new_obj(c->arena);
    const struct jv *former = jv_get(f.row, "tags");
    for (size_t i = 0; i < jv_len(former); i++)
        jv_set(c->arena, all, former->obj.v[i].key, &former->obj.v[i].value);
    for (size_t i = 0; i < in->Tags.n; i++) {
        struct str value = in->Tags.v[i].value;
        if (str_starts_c(in->Tags.v[i].key, "aws:"))
            return err_aws(400, "InvalidParameterValueException",
                           "Tag keys that begin with aws: are reserved.");
        jv_set(c->arena, all, in->Tags.v[i].key,
               jv_new_str(c->arena, value.p != NULL ? value : STR("")));
    }
    if (jv_len(all) > LAMBDA_TAGS_MAX)
        return err_aws(400, "InvalidParameterValueException", "A function has at most %d tags.",
                       LAMBDA_TAGS_MAX);
    jv_set(c->arena, f.row, STR("tags"), all);
    return function_save(c, &f);
}

OP_HANDLER_NO_OUT(lambda, UntagResource, UntagResourceRequest)
{
    struct function f;
    TRY(function_need(c, in->Resource, STR_NONE, &f));
    struct jv *left = jv_new_obj(c->arena);
    const struct jv *former = jv_get(f.row, "tags");
    for (size_t i = 0; i < jv_len(former); i++) {
        bool listed = false;
        for (size_t k = 0; k < in->TagKeys.n; k++)
            listed |= str_eq(in->TagKeys.v[k], former->obj.v[i].key);
        if (!listed)
            jv_set(c->arena, left, former->obj.v[i].key, &former->obj.v[i].value);
    }
    jv_set(c->arena, f.row, STR("tags"), left);
    return function_save(c, &f);
}

OP_HANDLER(lambda, ListTags, ListTagsRequest, ListTagsResponse)
{
    struct function f;
    TRY(function_need(c, in->Resource, STR_NONE, &f));
    tags_out(c, &f, &out->Tags);
    return NULL;
}
