/* Deploying a template on a running Ward, as a user would with `aws cloudformation deploy`: the
 * function's code goes into a bucket, then the stack is made or brought up to date. */
#include "cli.h"
#include "core/log.h"

#include <poll.h>
#include <unistd.h>

enum { TEMPLATE_MAX = 1024 * 1024, CODE_MAX = 50 * 1024 * 1024, CONFIG_MAX = 1024 * 1024,
       POLL_MS = 200,
       DEPLOY_TIMEOUT_MS = 300000 };

#define CFN_VERSION "2010-05-15"

/* What failed, in the server's words. */
static struct err *refused(struct client *c, const char *what, int status, struct str body)
{
    struct xml *x = NULL;
    err_free(xml_parse(c->arena, body, &x));
    const struct xml *e = xml_child(x, "Error");
    struct str message = xml_text(xml_child(e != NULL ? e : x, "Message"));
    return err_new(ERR_INTERNAL, "%s was refused (%d): %.*s", what, status, STR_ARG(message));
}

/* S3 wants to be told the region of a new bucket, but for the first one of all. */
static struct str bucket_body(struct client *c)
{
    if (str_is(c->region, "us-east-1"))
        return STR("");
    return arena_fmt(c->arena, "<CreateBucketConfiguration><LocationConstraint>%.*s"
                     "</LocationConstraint></CreateBucketConfiguration>", STR_ARG(c->region));
}

static struct err *put_code(struct client *c, struct str bucket, struct str key, struct str code)
{
    struct str body;
    int status;
    struct str at = arena_fmt(c->arena, "/%.*s", STR_ARG(bucket));
    TRY(client_s3(c, "PUT", at, bucket_body(c), &status, &body));
    if (status != 200 && status != 409)
        return refused(c, "The bucket for code", status, body);
    at = arena_fmt(c->arena, "/%.*s/%.*s", STR_ARG(bucket), STR_ARG(key));
    TRY(client_s3(c, "PUT", at, code, &status, &body));
    return status == 200 ? NULL : refused(c, "The function's code", status, body);
}

static struct err *stack_call(struct client *c, const char *action, struct wire_param *params,
                              size_t n, int *status, struct str *body)
{
    return client_query(c, "cloudformation", CFN_VERSION, action, params, n, status, body);
}

/* The stack's state, and the reason that CloudFormation gives. */
static struct err *stack_status(struct client *c, struct str name, struct str *out_status,
                                struct str *out_reason)
{
    struct wire_param p = {STR("StackName"), name, true};
    int status;
    struct str body;
    struct xml *x;
    TRY(stack_call(c, "DescribeStacks", &p, 1, &status, &body));
    if (status != 200)
        return refused(c, "DescribeStacks", status, body);
    TRY(xml_parse(c->arena, body, &x));
    const struct xml *stack =
        xml_child(xml_child(xml_child(x, "DescribeStacksResult"), "Stacks"), "member");
    *out_status = xml_text(xml_child(stack, "StackStatus"));
    *out_reason = xml_text(xml_child(stack, "StackStatusReason"));
    return NULL;
}

/* Another process's state has no event to wait on here but its API: asked at intervals. */
static struct err *wait_stack(struct client *c, struct str name)
{
    int64_t until = clock_mono_ms() + DEPLOY_TIMEOUT_MS;
    struct str status, reason;
    do {
        TRY(stack_status(c, name, &status, &reason));
        if (str_is(status, "CREATE_COMPLETE") || str_is(status, "UPDATE_COMPLETE"))
            return NULL;
        if (!str_ends_c(status, "_IN_PROGRESS"))
            return err_new(ERR_INTERNAL, "The stack %.*s ended in %.*s. %.*s", STR_ARG(name),
                           STR_ARG(status), STR_ARG(reason));
        poll(NULL, 0, POLL_MS);
    } while (clock_mono_ms() < until);
    return err_new(ERR_TIMEOUT, "The stack %.*s is still %.*s after %d s.", STR_ARG(name),
                   STR_ARG(status), DEPLOY_TIMEOUT_MS / 1000);
}

static struct err *make_stack(struct client *c, struct wire_param *p, size_t n, struct str name)
{
    int status;
    struct str body;
    TRY(stack_call(c, "CreateStack", p, n, &status, &body));
    if (status == 400 && str_find(body, STR("AlreadyExistsException")) >= 0)
        TRY(stack_call(c, "UpdateStack", p, n, &status, &body));
    if (status == 400 && str_find(body, STR("No updates are to be performed")) >= 0)
        return NULL;
    if (status != 200)
        return refused(c, "The stack", status, body);
    return wait_stack(c, name);
}

/* An output of the stack; STR_NONE: it has none of that name. */
static struct err *stack_output(struct client *c, struct str name, const char *key,
                                struct str *out)
{
    struct wire_param p = {STR("StackName"), name, true};
    int status;
    struct str body;
    struct xml *x;
    TRY(stack_call(c, "DescribeStacks", &p, 1, &status, &body));
    if (status != 200)
        return refused(c, "DescribeStacks", status, body);
    TRY(xml_parse(c->arena, body, &x));
    const struct xml *stack =
        xml_child(xml_child(xml_child(x, "DescribeStacksResult"), "Stacks"), "member");
    const struct xml *o = xml_child(xml_child(stack, "Outputs"), "member");
    for (*out = STR_NONE; o != NULL; o = xml_next(o))
        if (str_is(xml_text(xml_child(o, "OutputKey")), key))
            *out = xml_text(xml_child(o, "OutputValue"));
    return NULL;
}

/* "${Name}" in the text becomes the value. */
static struct str substitute(struct arena *a, struct str text, const char *name, struct str value)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(CONFIG_MAX);
    struct str mark = arena_fmt(a, "${%s}", name);
    for (ptrdiff_t at; (at = str_find(text, mark)) >= 0;
         text = str_skip(text, (size_t)at + mark.n)) {
        buf_str(&b, str_take(text, (size_t)at));
        buf_str(&b, value);
    }
    buf_str(&b, text);
    return arena_str(a, buf_view(&b));
}

/* A keyword configuration to begin with, unless the bucket has one: CloudFormation has no type for
 * an object, so this is the one step that a template cannot do. */
static struct err *put_config(struct client *c, const char *blueprint, struct str stack)
{
    struct str bucket, topic, text, body;
    const char *path;
    int status;
    struct err *none = share_path(
        c->arena, arena_fmt(c->arena, "blueprints/%s/filter_config.json", blueprint).p, &path);
    if (none != NULL) { /* a blueprint without one */
        err_free(none);
        return NULL;
    }
    TRY(stack_output(c, stack, "ConfigBucketName", &bucket));
    TRY(stack_output(c, stack, "AlertTopicArn", &topic));
    if (bucket.p == NULL || topic.p == NULL)
        return NULL;
    struct str at = arena_fmt(c->arena, "/%.*s/filter_config.json", STR_ARG(bucket));
    TRY(client_s3(c, "HEAD", at, STR(""), &status, &body));
    if (status == 200)
        return NULL;
    TRY(file_read(c->arena, path, CONFIG_MAX, &text));
    text = substitute(c->arena, text, "AlertTopicArn", topic);
    text = substitute(c->arena, text, "AWS::Region", c->region);
    TRY(client_s3(c, "PUT", at, text, &status, &body));
    return status == 200 ? NULL : refused(c, "The keyword configuration", status, body);
}

static struct str stack_name(struct arena *a, const char *name_or_file)
{
    struct str s = str_c(name_or_file);
    ptrdiff_t slash = str_rfind_char(s, '/');
    s = str_skip(s, (size_t)(slash + 1));
    ptrdiff_t dot = str_find_char(s, '.');
    return arena_str(a, dot > 0 ? str_take(s, (size_t)dot) : s);
}

struct err *blueprint_deploy(struct client *c, const char *name_or_file, struct str account)
{
    struct arena *a = c->arena;
    const char *template = name_or_file, *code = NULL;
    bool built_in = strchr(name_or_file, '/') == NULL && access(name_or_file, R_OK) != 0;
    struct str name = stack_name(a, name_or_file), text;
    if (built_in) {
        TRY(share_path(a, arena_fmt(a, "blueprints/%s/template.yaml", name_or_file).p, &template));
        TRY(share_path(a, arena_fmt(a, "blueprints/%s/parser/parser.zip", name_or_file).p, &code));
    }
    TRY(file_read(a, template, TEMPLATE_MAX, &text));
    struct wire_param p[8] = {{STR("StackName"), name, true},
                              {STR("TemplateBody"), text, true},
                              {STR("Capabilities.member.1"), STR("CAPABILITY_NAMED_IAM"), true}};
    size_t n = 3;
    if (code != NULL) {
        struct str bucket =
            arena_fmt(a, "ward-artifacts-%.*s-%.*s", STR_ARG(account), STR_ARG(c->region));
        struct str bytes;
        TRY(file_read(a, code, CODE_MAX, &bytes));
        struct str key =
            arena_fmt(a, "%s/parser-%.*s.zip", name_or_file, 16, sha256_hex(a, bytes).p);
        log_info("uploading the code of %s", name_or_file);
        TRY(put_code(c, bucket, key, bytes));
        const struct wire_param where[] = {
            {STR("Parameters.member.1.ParameterKey"), STR("CodeBucket"), true},
            {STR("Parameters.member.1.ParameterValue"), bucket, true},
            {STR("Parameters.member.2.ParameterKey"), STR("CodeKey"), true},
            {STR("Parameters.member.2.ParameterValue"), key, true}};
        memcpy(p + n, where, sizeof where);
        n += ARRAY_LEN(where);
    }
    log_info("deploying the stack %.*s", STR_ARG(name));
    TRY(make_stack(c, p, n, name));
    if (built_in)
        TRY(put_config(c, name_or_file, name));
    log_info("the stack %.*s is deployed", STR_ARG(name));
    return NULL;
}
