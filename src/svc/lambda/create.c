/* Functions made, changed and deleted. */
#include "room.h"

#include "exec.h"

static struct err *invalid(const char *what)
{
    return err_aws(400, "InvalidParameterValueException", "%s", what);
}

/* -- what is asked for ------------------------------------------------------------------------- */

static struct err *check_runtime(struct call *c, struct str runtime)
{
    static const char *const families[] = {"nodejs", "python", "java", "dotnet", "ruby", "go1",
                                           "provided"};
    if (str_is(runtime, "provided.al2023") || str_is(runtime, "provided.al2"))
        return NULL;
    if (runtime.p == NULL)
        return invalid("Runtime and Handler are mandatory parameters for functions created with "
                       "deployment packages.");
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        if (str_starts_c(runtime, families[i]))
            return err_not_implemented(c, "A runtime other than provided.al2023 and provided.al2 "
                                          "(with a native bootstrap)");
    return err_aws(400, "InvalidParameterValueException",
                   "Value %.*s at 'runtime' failed to satisfy constraint: Member must satisfy enum "
                   "value set: [provided.al2023, provided.al2]",
                   STR_ARG(str_take(runtime, 64)));
}

static struct err *check_arch(struct call *c, const struct lambda_ArchitecturesList *l,
                              struct str *out)
{
#if defined(__aarch64__)
    const char *native = "arm64";
#else
    const char *native = "x86_64";
#endif
    *out = l->n > 0 ? l->v[0] : str_c(native);
    if (str_is(*out, native))
        return NULL;
    return err_not_implemented(c, "An architecture other than that of this machine");
}

/* Role names come with a path; the last part is what rows go by. */
struct err *role_check(struct call *c, struct str role_arn, struct str function_arn)
{
    struct arn arn;
    struct jv *row = NULL;
    struct policy *trust = NULL;
    if (!arn_parse(role_arn, &arn) || !str_is(arn.service, "iam") ||
        !str_starts_c(arn.resource, "role/"))
        return invalid("The role is not the ARN of an IAM role.");
    if (!str_eq(arn.account, c->account))
        return err_aws(403, "AccessDeniedException", "Cross-account pass role is not allowed.");
    struct str name = str_skip(role_arn, (size_t)str_rfind_char(role_arn, '/') + 1);
    TRY(iam_row_get(c->txn, c->arena, "iam.role", arn.account, name, &row));
    struct policy_verdict v = {0};
    if (row != NULL && str_eq(jv_s(jv_get(row, "arn")), role_arn)) {
        TRY(policy_compile_cached(jv_s(jv_get(row, "trust")), POLICY_TRUST, &trust));
        struct identity service = identity_of_service(c->arena, STR(LAMBDA_SERVICE), c->account);
        struct str account = c->account, source = function_arn;
        struct ctx_key keys[] = {{STR("aws:SourceAccount"), &account, 1, false},
                                 {STR("aws:SourceArn"), &source, 1, false}};
        struct authz_request r = {.who = service.who, .action = STR("sts:AssumeRole"),
                                  .resource = role_arn, .resource_account = arn.account,
                                  .keys = keys, .n_keys = ARRAY_LEN(keys)};
        v = policy_match(trust, &r);
        policy_unref(trust);
    }
    return v.allow && !v.deny
               ? NULL
               : invalid("The role defined for the function cannot be assumed by Lambda.");
}

/* https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html */
static bool env_reserved(struct str key)
{
    static const char *const names[] = {
        "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
        "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_is(key, names[i]))
            return true;
    return str_starts_c(key, "AWS_LAMBDA_");
}

static struct err *set_env(struct call *c, struct function *f, const struct lambda_Environment *e)
{
    struct jv *env = jv_new_obj(c->arena);
    size_t bytes = 0;
    for (size_t i = 0; i < e->Variables.n; i++) {
        struct str key = e->Variables.v[i].key, value = e->Variables.v[i].value;
        if (env_reserved(key))
            return err_aws(400, "InvalidParameterValueException",
                           "Lambda was unable to configure your environment variables because the "
                           "environment variables you have provided contains reserved keys that "
                           "are currently not supported for modification. Reserved keys used in "
                           "this request: %.*s", STR_ARG(key));
        if (value.n > 0 && memchr(value.p, '\0', value.n) != NULL)
            return invalid("An environment variable has a NUL character.");
        bytes += key.n + value.n;
        jv_set(c->arena, env, key, jv_new_str(c->arena, value.p != NULL ? value : STR("")));
    }
    if (bytes > LAMBDA_ENV_BYTES_MAX)
        return invalid("Lambda was unable to configure your environment variables because the "
                       "environment variables you have provided exceeded the 4KB limit.");
    jv_set(c->arena, f->row, STR("env"), env);
    return NULL;
}

static struct err *set_dead_letter(struct function *f, const struct lambda_DeadLetterConfig *d)
{
    struct arn arn;
    f->dead_letter = d->TargetArn.p != NULL ? d->TargetArn : STR("");
    if (f->dead_letter.n == 0)
        return NULL;
    if (arn_parse(f->dead_letter, &arn) &&
        (str_is(arn.service, "sqs") || str_is(arn.service, "sns")))
        return NULL;
    return invalid("The dead letter target must be an SQS queue or an SNS topic.");
}

static struct err *set_sizes(struct function *f, struct opt_int timeout, struct opt_int memory,
                             const struct lambda_EphemeralStorage *ephemeral)
{
    if (timeout.set)
        f->timeout_s = timeout.v;
    if (memory.set)
        f->memory_mb = memory.v;
    if (ephemeral != NULL && ephemeral->Size.set)
        f->ephemeral_mb = ephemeral->Size.v;
    if (f->timeout_s < 1 || f->timeout_s > LAMBDA_TIMEOUT_MAX_S)
        return err_aws(400, "ValidationException", "Timeout must be between 1 and %d seconds.",
                       LAMBDA_TIMEOUT_MAX_S);
    if (f->memory_mb < LAMBDA_MEMORY_MIN_MB || f->memory_mb > LAMBDA_MEMORY_MAX_MB)
        return err_aws(400, "ValidationException", "MemorySize must be between %d and %d MB.",
                       LAMBDA_MEMORY_MIN_MB, LAMBDA_MEMORY_MAX_MB);
    if (f->ephemeral_mb < LAMBDA_EPHEMERAL_MIN_MB || f->ephemeral_mb > LAMBDA_EPHEMERAL_MAX_MB)
        return err_aws(400, "ValidationException", "EphemeralStorage must be between %d and %d MB.",
                       LAMBDA_EPHEMERAL_MIN_MB, LAMBDA_EPHEMERAL_MAX_MB);
    return NULL;
}

/* What both calls may name and this room does not build. */
struct extras {
    bool kms, vpc, layers, files, image, snap_start, tracing, logging, others;
};

static struct err *check_extras(struct call *c, const struct extras *x)
{
    const char *what = x->kms          ? "A customer key (KMSKeyArn)"
                       : x->vpc        ? "VpcConfig"
                       : x->layers     ? "Layers"
                       : x->files      ? "FileSystemConfigs"
                       : x->image      ? "A container image"
                       : x->snap_start ? "SnapStart"
                       : x->tracing    ? "TracingConfig with Mode Active"
                       : x->logging    ? "LoggingConfig"
                       : x->others     ? "Code signing, tenancy, capacity providers, durable "
                                         "functions or accelerators"
                                       : NULL;
    return what == NULL ? NULL : err_not_implemented(c, what);
}

static bool wants_vpc(const struct lambda_VpcConfig *v)
{
    return v != NULL && (v->SubnetIds.n > 0 || v->SecurityGroupIds.n > 0);
}

static bool wants_snap_start(const struct lambda_SnapStart *s)
{
    return s != NULL && s->ApplyOn.p != NULL && !str_is(s->ApplyOn, "None");
}

static bool wants_tracing(const struct lambda_TracingConfig *t)
{
    return t != NULL && t->Mode.p != NULL && !str_is(t->Mode, "PassThrough");
}

/* The default, said aloud, is no wish. */
static bool wants_logging(const struct lambda_LoggingConfig *l, struct str name)
{
    char group[128];
    if (l == NULL)
        return false;
    snprintf(group, sizeof group, "/aws/lambda/%.*s", STR_ARG(name));
    return (l->LogFormat.p != NULL && !str_is(l->LogFormat, "Text")) ||
           (l->LogGroup.p != NULL && !str_is(l->LogGroup, group)) ||
           l->ApplicationLogLevel.p != NULL || l->SystemLogLevel.p != NULL;
}

/* -- code -------------------------------------------------------------------------------------- */

struct code_source {
    struct str zip, bucket, key, version;
};

/* From the request, or from S3 as the caller. */
static struct err *fetch_code(struct call *c, const struct code_source *s, struct str *out)
{
    if ((s->zip.p != NULL) == (s->bucket.p != NULL))
        return invalid("Please provide a source for function code.");
    *out = s->zip;
    if (s->zip.p != NULL)
        return NULL;
    struct api_call o = {.from = c, .as = AS_CALLER, .service = LAMBDA_SERVICE};
    struct jv *in = jv_new_obj(c->arena);
    jv_put(c->arena, in, "Bucket", s->bucket);
    jv_put(c->arena, in, "Key", s->key);
    if (s->version.p != NULL)
        jv_put(c->arena, in, "VersionId", s->version);
    struct err *e = api_call_body(&o, "s3", "GetObject", in, STR_NONE, NULL, LAMBDA_ZIP_MAX, out);
    if (e == NULL)
        return NULL;
    struct err *named = err_aws(e->status == 403 ? 403 : 400,
                                e->status == 403 ? "AccessDeniedException"
                                                 : "InvalidParameterValueException",
                                "Error occurred while GetObject. S3 Error Code: %s. S3 Error "
                                "Message: %s",
                                e->code != NULL ? e->code : "InternalError", e->message);
    err_free(e);
    return named;
}

/* The package is fetched and checked once, however often the transaction runs. */
static struct err *code_once(struct call *c, const struct code_source *s, struct str *out)
{
    if (c->state == NULL) {
        struct str *zip = ARENA_NEW(c->arena, struct str);
        TRY(fetch_code(c, s, zip));
        TRY(code_check(c->arena, *zip));
        c->state = zip;
    }
    *out = *(struct str *)c->state;
    return NULL;
}

/* -- the calls --------------------------------------------------------------------------------- */

static struct err *check_create(struct call *c, const struct lambda_CreateFunctionRequest *in)
{
    struct extras x = {
        .kms = in->KMSKeyArn.n > 0 || in->Code->SourceKMSKeyArn.n > 0,
        .vpc = wants_vpc(in->VpcConfig),
        .layers = in->Layers.n > 0,
        .files = in->FileSystemConfigs.n > 0,
        .image = str_is(in->PackageType, "Image") || in->Code->ImageUri.p != NULL ||
                 in->ImageConfig != NULL,
        .snap_start = wants_snap_start(in->SnapStart),
        .tracing = wants_tracing(in->TracingConfig),
        .logging = wants_logging(in->LoggingConfig, in->FunctionName),
        .others = in->CodeSigningConfigArn.n > 0 || in->TenancyConfig != NULL ||
                  in->CapacityProviderConfig != NULL || in->DurableConfig != NULL ||
                  in->RuntimeConfig != NULL || in->AcceleratorConfig != NULL};
    TRY(check_extras(c, &x));
    if (in->Publish.v || in->PublishTo.p != NULL)
        return err_not_implemented(c, "Publishing versions");
    if (in->Handler.p == NULL)
        return invalid("Runtime and Handler are mandatory parameters for functions created with "
                       "deployment packages.");
    return check_runtime(c, in->Runtime);
}

static struct err *set_tags(struct call *c, struct function *f, const struct lambda_Tags *tags)
{
    struct jv *all = jv_new_obj(c->arena);
    if (tags->n > LAMBDA_TAGS_MAX)
        return invalid("A function has at most 50 tags.");
    for (size_t i = 0; i < tags->n; i++) {
        if (str_starts_c(tags->v[i].key, "aws:"))
            return invalid("Tag keys that begin with aws: are reserved.");
        jv_put(c->arena, all, arena_cstr(c->arena, tags->v[i].key), tags->v[i].value);
    }
    jv_set(c->arena, f->row, STR("tags"), all);
    return NULL;
}

OP_HANDLER(lambda, CreateFunction, CreateFunctionRequest, FunctionConfiguration)
{
    struct function_name n;
    struct function f;
    struct str zip;
    bool found;
    TRY(check_create(c, in));
    TRY(function_place(c, in->FunctionName, STR_NONE, &n));
    if (!str_eq(n.account, c->account) || !str_eq(n.region, c->region) || n.qualifier.p != NULL)
        return invalid("The function name must be in the account and Region of the call, without "
                       "a qualifier.");
    if (n.name.n > 64)
        return err_aws(400, "ValidationException", "A function's name has at most 64 characters.");
    TRY(function_read(c->txn, c->arena, n.account, n.region, n.name, &f, &found));
    if (found)
        return err_aws(409, "ResourceConflictException", "Function already exist: %.*s",
                       STR_ARG(n.name));
    TRY(role_check(c, in->Role, n.arn));
    char id[17];
    snprintf(id, sizeof id, "%016llx", (unsigned long long)rand_u64());
    f.id = arena_str(c->arena, str_c(id));
    f.arn = n.arn;
    f.runtime = in->Runtime;
    f.role = in->Role;
    f.handler = in->Handler;
    f.description = in->Description.p != NULL ? in->Description : STR("");
    f.timeout_s = 3;
    f.memory_mb = LAMBDA_MEMORY_MIN_MB;
    f.ephemeral_mb = LAMBDA_EPHEMERAL_MIN_MB;
    f.reserved = -1;
    f.modified_ms = c->now_ms;
    f.row = jv_new_obj(c->arena);
    TRY(check_arch(c, &in->Architectures, &f.arch));
    TRY(set_sizes(&f, in->Timeout, in->MemorySize, in->EphemeralStorage));
    TRY(set_tags(c, &f, &in->Tags));
    if (in->Environment != NULL)
        TRY(set_env(c, &f, in->Environment));
    if (in->DeadLetterConfig != NULL)
        TRY(set_dead_letter(&f, in->DeadLetterConfig));
    struct code_source source = {in->Code->ZipFile, in->Code->S3Bucket, in->Code->S3Key,
                                 in->Code->S3ObjectVersion};
    TRY(code_once(c, &source, &zip));
    TRY(code_store(c, &f, zip));
    TRY(function_save(c, &f));
    *out = *function_out(c, &f);
    return NULL;
}

static struct err *check_revision(const struct function *f, struct str given)
{
    if (given.p == NULL || str_eq(given, f->revision))
        return NULL;
    return err_aws(412, "PreconditionFailedException",
                   "The RevisionId provided does not match the latest RevisionId. Call the "
                   "GetFunction or the GetAlias API to retrieve the latest RevisionId for your "
                   "resource.");
}

/* After the commit, environments of the former state take no more calls. */
static void retire_on_commit(struct call *c, const struct function *f)
{
    txn_on_commit(c->txn, dispatch_retire, arena_cstr(c->arena, f->arn));
}

OP_HANDLER(lambda, UpdateFunctionCode, UpdateFunctionCodeRequest, FunctionConfiguration)
{
    struct function f;
    struct str zip, arch;
    struct extras x = {.image = in->ImageUri.p != NULL, .kms = in->SourceKMSKeyArn.n > 0};
    TRY(check_extras(c, &x));
    if (in->Publish.v || in->PublishTo.p != NULL)
        return err_not_implemented(c, "Publishing versions");
    TRY(function_need(c, in->FunctionName, STR_NONE, &f));
    TRY(check_revision(&f, in->RevisionId));
    TRY(check_arch(c, &in->Architectures, &arch));
    struct code_source source = {in->ZipFile, in->S3Bucket, in->S3Key, in->S3ObjectVersion};
    TRY(code_once(c, &source, &zip));
    uint64_t former = f.code_id;
    TRY(code_store(c, &f, zip));
    f.modified_ms = c->now_ms;
    if (in->DryRun.v) {
        *out = *function_out(c, &f);
        return code_delete(c->txn, f.code_id);
    }
    TRY(code_delete(c->txn, former));
    TRY(function_save(c, &f));
    retire_on_commit(c, &f);
    *out = *function_out(c, &f);
    return NULL;
}

OP_HANDLER(lambda, UpdateFunctionConfiguration, UpdateFunctionConfigurationRequest,
           FunctionConfiguration)
{
    struct function f;
    TRY(function_need(c, in->FunctionName, STR_NONE, &f));
    struct extras x = {
        .kms = in->KMSKeyArn.n > 0,
        .vpc = wants_vpc(in->VpcConfig),
        .layers = in->Layers.n > 0,
        .files = in->FileSystemConfigs.n > 0,
        .image = in->ImageConfig != NULL,
        .snap_start = wants_snap_start(in->SnapStart),
        .tracing = wants_tracing(in->TracingConfig),
        .logging = wants_logging(in->LoggingConfig, f.name),
        .others = in->CapacityProviderConfig != NULL || in->DurableConfig != NULL ||
                  in->RuntimeConfig != NULL || in->AcceleratorConfig != NULL};
    TRY(check_extras(c, &x));
    TRY(check_revision(&f, in->RevisionId));
    if (in->Runtime.p != NULL) {
        TRY(check_runtime(c, in->Runtime));
        f.runtime = in->Runtime;
    }
    if (in->Role.p != NULL) {
        TRY(role_check(c, in->Role, f.arn));
        f.role = in->Role;
    }
    if (in->Handler.p != NULL)
        f.handler = in->Handler;
    if (in->Description.p != NULL)
        f.description = in->Description;
    TRY(set_sizes(&f, in->Timeout, in->MemorySize, in->EphemeralStorage));
    if (in->Environment != NULL)
        TRY(set_env(c, &f, in->Environment));
    if (in->DeadLetterConfig != NULL)
        TRY(set_dead_letter(&f, in->DeadLetterConfig));
    f.modified_ms = c->now_ms;
    TRY(function_save(c, &f));
    retire_on_commit(c, &f);
    *out = *function_out(c, &f);
    return NULL;
}

OP_HANDLER(lambda, DeleteFunction, DeleteFunctionRequest, DeleteFunctionResponse)
{
    struct function f;
    TRY(function_need(c, in->FunctionName, in->Qualifier, &f));
    if (in->Qualifier.p != NULL)
        return invalid("$LATEST version cannot be deleted without deleting the function.");
    struct skey k = function_key(f.account, f.region, f.name);
    TRY(txn_del(c->txn, LAMBDA_T_FUNCTION, key_of(&k)));
    TRY(code_delete(c->txn, f.code_id));
    TRY(destroy_later(c, &f));
    retire_on_commit(c, &f);
    out->StatusCode = some_int(204);
    return NULL;
}
