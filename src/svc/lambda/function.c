/* A function's row, its names and what clients are told of it. */
#include "room.h"

static struct err *not_found(struct str arn)
{
    return err_aws(404, "ResourceNotFoundException", "Function not found: %.*s", STR_ARG(arn));
}

/* Cuts "NAME[:QUALIFIER]". */
static void cut_qualifier(struct str s, struct function_name *out)
{
    out->name = str_cut(&s, ':');
    if (s.p != NULL)
        out->qualifier = s;
}

struct err *function_place(struct call *c, struct str given, struct str qualifier,
                           struct function_name *out)
{
    struct arn arn;
    *out = (struct function_name){.account = c->account, .region = c->region};
    ptrdiff_t at = str_find(given, STR("function:"));
    if (str_starts_c(given, "arn:")) {
        if (!arn_parse(given, &arn) || !str_is(arn.service, "lambda") ||
            !str_starts_c(arn.resource, "function:"))
            return err_aws(400, "InvalidParameterValueException",
                           "The ARN is not that of a function.");
        out->account = arn.account;
        out->region = arn.region;
        cut_qualifier(str_skip(arn.resource, 9), out);
    } else if (at == 0 || (at == 13 && given.p[12] == ':')) { /* [ACCOUNT:]function:NAME */
        if (at == 13)
            out->account = str_take(given, 12);
        cut_qualifier(str_skip(given, (size_t)at + 9), out);
    } else {
        cut_qualifier(given, out);
    }
    if (qualifier.p != NULL && out->qualifier.p != NULL && !str_eq(qualifier, out->qualifier))
        return err_aws(400, "InvalidParameterValueException",
                       "The derived qualifier from the function name does not match the specified "
                       "qualifier.");
    if (qualifier.p != NULL)
        out->qualifier = qualifier;
    out->arn = arena_fmt(c->arena, "arn:%s:lambda:%.*s:%.*s:function:%.*s", IDENTITY_PARTITION,
                         STR_ARG(out->region), STR_ARG(out->account), STR_ARG(out->name));
    return NULL;
}

struct skey function_key(struct str account, struct str region, struct str name)
{
    struct skey k = skey();
    key_str(&k, account);
    key_str(&k, region);
    key_str(&k, name);
    return k;
}

struct str function_owner(struct arena *a, struct str account, struct str id)
{
    return arena_fmt(a, "%.*s/lambda/%.*s", STR_ARG(account), STR_ARG(id));
}

static bool from_row(struct arena *a, struct jv *row, struct function *out)
{
    const struct jv *code = jv_get(row, "code");
    out->id = jv_s(jv_get(row, "id"));
    out->arn = arena_fmt(a, "arn:%s:lambda:%.*s:%.*s:function:%.*s", IDENTITY_PARTITION,
                         STR_ARG(out->region), STR_ARG(out->account), STR_ARG(out->name));
    out->runtime = jv_s(jv_get(row, "runtime"));
    out->role = jv_s(jv_get(row, "role"));
    out->handler = jv_s(jv_get(row, "handler"));
    out->description = jv_s(jv_get(row, "description"));
    out->arch = jv_s(jv_get(row, "arch"));
    out->timeout_s = jv_i(jv_get(row, "timeout_s"), 3);
    out->memory_mb = jv_i(jv_get(row, "memory_mb"), LAMBDA_MEMORY_MIN_MB);
    out->ephemeral_mb = jv_i(jv_get(row, "ephemeral_mb"), LAMBDA_EPHEMERAL_MIN_MB);
    out->dead_letter = jv_s(jv_get(row, "dead_letter"));
    out->reserved = jv_i(jv_get(row, "reserved"), -1);
    out->revision = jv_s(jv_get(row, "revision"));
    out->modified_ms = jv_i(jv_get(row, "modified_ms"), 0);
    out->code_id = (uint64_t)jv_i(jv_get(code, "id"), 0);
    out->code_sha256 = jv_s(jv_get(code, "sha256"));
    out->code_size = jv_i(jv_get(code, "size"), 0);
    out->row = row;
    return out->id.p != NULL;
}

struct err *function_read(struct txn *t, struct arena *a, struct str account, struct str region,
                          struct str name, struct function *out, bool *out_found)
{
    struct skey k = function_key(account, region, name);
    struct str text;
    struct jv *row;
    *out = (struct function){.account = account, .region = region, .name = name};
    *out_found = false;
    TRY(txn_get(t, LAMBDA_T_FUNCTION, key_of(&k), a, &text));
    if (text.p == NULL)
        return NULL;
    TRY(json_parse(a, text, JSON_DEPTH_DEFAULT, &row));
    *out_found = from_row(a, row, out);
    return NULL;
}

struct err *function_need(struct call *c, struct str given, struct str qualifier,
                          struct function *out)
{
    struct function_name n;
    bool found;
    TRY(function_place(c, given, qualifier, &n));
    TRY(function_read(c->txn, c->arena, n.account, n.region, n.name, out, &found));
    if (!found)
        return not_found(n.arn);
    if (n.qualifier.p != NULL && !str_is(n.qualifier, "$LATEST"))
        return not_found(arena_fmt(c->arena, "%.*s:%.*s", STR_ARG(n.arn), STR_ARG(n.qualifier)));
    return NULL;
}

void jv_put(struct arena *a, struct jv *o, const char *key, struct str v)
{
    jv_set(a, o, str_c(key), jv_new_str(a, v.p != NULL ? v : STR("")));
}

static void put_int(struct arena *a, struct jv *o, const char *key, int64_t v)
{
    jv_set(a, o, str_c(key), jv_new_int(a, v));
}

struct err *function_save(struct call *c, struct function *f)
{
    struct arena *a = c->arena;
    struct jv *r = f->row, *code = jv_new_obj(a);
    char revision[37];
    rand_uuid(revision);
    f->revision = arena_str(a, str_c(revision));
    jv_put(a, r, "name", f->name);
    jv_put(a, r, "id", f->id);
    jv_put(a, r, "runtime", f->runtime);
    jv_put(a, r, "role", f->role);
    jv_put(a, r, "handler", f->handler);
    jv_put(a, r, "description", f->description);
    jv_put(a, r, "arch", f->arch);
    put_int(a, r, "timeout_s", f->timeout_s);
    put_int(a, r, "memory_mb", f->memory_mb);
    put_int(a, r, "ephemeral_mb", f->ephemeral_mb);
    jv_put(a, r, "dead_letter", f->dead_letter);
    put_int(a, r, "reserved", f->reserved);
    jv_put(a, r, "revision", f->revision);
    put_int(a, r, "modified_ms", f->modified_ms);
    put_int(a, code, "id", (int64_t)f->code_id);
    jv_put(a, code, "sha256", f->code_sha256);
    put_int(a, code, "size", f->code_size);
    jv_set(a, r, STR("code"), code);
    struct skey k = function_key(f->account, f->region, f->name);
    return row_put(c, LAMBDA_T_FUNCTION, function_owner(a, f->account, f->id), key_of(&k), r);
}

struct str function_policy(struct arena *a, const struct function *f)
{
    const struct jv *statements = jv_get(f->row, "policy");
    if (jv_len(statements) == 0)
        return STR_NONE;
    struct jv *doc = jv_new_obj(a);
    jv_put(a, doc, "Version", STR("2012-10-17"));
    jv_put(a, doc, "Id", STR("default"));
    jv_set(a, doc, STR("Statement"), statements);
    return jv_text(a, doc);
}

static struct lambda_EnvironmentResponse *environment_out(struct call *c, const struct function *f)
{
    const struct jv *env = jv_get(f->row, "env");
    if (jv_len(env) == 0)
        return NULL;
    struct lambda_EnvironmentResponse *e = ARENA_NEW(c->arena, struct lambda_EnvironmentResponse);
    e->Variables.v = ARENA_ARRAY(c->arena, jv_len(env), struct lambda_EnvironmentVariables_item);
    e->Variables.set = true;
    for (size_t i = 0; i < jv_len(env); i++)
        e->Variables.v[e->Variables.n++] = (struct lambda_EnvironmentVariables_item){
            .key = env->obj.v[i].key, .value = jv_s(&env->obj.v[i].value)};
    return e;
}

struct lambda_FunctionConfiguration *function_out(struct call *c, const struct function *f)
{
    struct arena *a = c->arena;
    struct lambda_FunctionConfiguration *o = ARENA_NEW(a, struct lambda_FunctionConfiguration);
    struct time_parts t = time_parts_of(f->modified_ms);
    o->FunctionName = f->name;
    o->FunctionArn = f->arn;
    o->Runtime = f->runtime;
    o->Role = f->role;
    o->Handler = f->handler;
    o->CodeSize = some_int(f->code_size);
    o->Description = f->description;
    o->Timeout = some_int(f->timeout_s);
    o->MemorySize = some_int(f->memory_mb);
    o->LastModified = arena_fmt(a, "%04d-%02d-%02dT%02d:%02d:%02d.%03d+0000", t.year, t.month,
                                t.day, t.hour, t.minute, t.second, (int)(f->modified_ms % 1000));
    o->CodeSha256 = f->code_sha256;
    o->Version = STR("$LATEST");
    o->RevisionId = f->revision;
    o->State = STR("Active");
    o->LastUpdateStatus = STR("Successful");
    o->PackageType = STR("Zip");
    o->Environment = environment_out(c, f);
    o->TracingConfig = ARENA_NEW(a, struct lambda_TracingConfigResponse);
    o->TracingConfig->Mode = STR("PassThrough");
    o->Architectures.v = ARENA_NEW(a, struct str);
    o->Architectures.v[0] = f->arch;
    o->Architectures.n = 1;
    o->Architectures.set = true;
    o->EphemeralStorage = ARENA_NEW(a, struct lambda_EphemeralStorage);
    o->EphemeralStorage->Size = some_int(f->ephemeral_mb);
    o->LoggingConfig = ARENA_NEW(a, struct lambda_LoggingConfig);
    o->LoggingConfig->LogFormat = STR("Text");
    o->LoggingConfig->LogGroup = arena_fmt(a, "/aws/lambda/%.*s", STR_ARG(f->name));
    if (f->dead_letter.n > 0) {
        o->DeadLetterConfig = ARENA_NEW(a, struct lambda_DeadLetterConfig);
        o->DeadLetterConfig->TargetArn = f->dead_letter;
    }
    return o;
}
