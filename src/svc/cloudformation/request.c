/* What a request asks for: its template, parameters and capabilities, checked before anything is
 * made. */
#include "room.h"

/* -- the template ------------------------------------------------------------------------------ */

/* Whether the URL goes to Ward, by the address it prints or by localhost; *url is what follows. */
static bool after_endpoint(struct str endpoint, struct str *url)
{
    ptrdiff_t scheme = str_find(endpoint, STR("://")), port = str_rfind_char(endpoint, ':');
    struct str rest = *url;
    if (scheme < 0)
        return false;
    size_t head = (size_t)scheme + 3;
    if (str_starts(rest, endpoint))
        rest = str_skip(rest, endpoint.n);
    else if (str_starts(rest, str_take(endpoint, head)) && port > scheme &&
             str_starts_c(str_skip(rest, head), "localhost") &&
             str_starts(str_skip(rest, head + 9), str_skip(endpoint, (size_t)port)))
        rest = str_skip(rest, head + 9 + endpoint.n - (size_t)port);
    else
        return false;
    if (rest.n == 0 || rest.p[0] != '/')
        return false;
    *url = str_skip(rest, 1);
    return true;
}

/* Of our own S3 only: https://ENDPOINT/BUCKET/KEY, https://s3.REGION.amazonaws.com/BUCKET/KEY or
 * https://BUCKET.s3….amazonaws.com/KEY; read with the caller's permissions. */
static bool parse_url(struct call *c, struct str url, struct str *bucket, struct str *key,
                      struct str *version)
{
    struct str endpoint = str_c(c->ward->endpoint), rest = url;
    if (after_endpoint(endpoint, &rest)) {
        *bucket = str_cut(&rest, '/');
        *key = rest;
    } else if (str_starts_c(url, "https://")) {
        rest = str_skip(url, 8);
        struct str host = str_cut(&rest, '/');
        ptrdiff_t at = str_find(host, STR(".s3."));
        if (!str_ends_c(host, ".amazonaws.com"))
            return false;
        if (at < 0)
            at = str_find(host, STR(".s3-"));
        *bucket = at > 0 ? str_take(host, (size_t)at) : str_cut(&rest, '/');
        *key = rest;
    } else {
        return false;
    }
    struct str query = *key;
    *key = str_cut(&query, '?');
    *version = STR_NONE;
    while (query.p != NULL) {
        struct str value = str_cut(&query, '&'), name = str_cut(&value, '=');
        if (str_is(name, "versionId") && !dec_uri(c->arena, value, true, version))
            return false;
    }
    return bucket->n > 0 && key->n > 0 && dec_uri(c->arena, *key, false, key);
}

static struct err *fetch(struct call *c, struct str url, struct str *out)
{
    struct str bucket, key, version;
    if (!parse_url(c, url, &bucket, &key, &version))
        return template_error("TemplateURL must reference a valid S3 object to which you have "
                              "access.");
    struct jv *in = jv_new_obj(c->arena);
    put_s(c->arena, in, "Bucket", bucket);
    put_s(c->arena, in, "Key", key);
    put_s(c->arena, in, "VersionId", version.n > 0 ? version : STR_NONE);
    struct api_call o = {.from = c, .as = AS_CALLER, .service = CFN_SERVICE};
    struct err *e = api_call_body(&o, "s3", "GetObject", in, STR(""), NULL, TEMPLATE_URL_MAX, out);
    if (e == NULL || err_is(e, ERR_IO) || err_is(e, ERR_CONFLICT))
        return e;
    struct err *named =
        err_is(e, ERR_LIMIT)
            ? template_error("Template may not exceed %d bytes in size.", TEMPLATE_URL_MAX)
            : template_error("S3 error: %.300s For more information check "
                             "http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
                             e->message);
    err_free(e);
    return named;
}

struct err *request_template(struct call *c, struct str body, struct str url, struct str *out)
{
    *out = STR_NONE;
    if (body.p != NULL && url.p != NULL)
        return template_error("Either Template URL or Template Body must be specified, not both.");
    if (body.n > TEMPLATE_BODY_MAX)
        return template_error("1 validation error detected: Value at 'templateBody' failed to "
                              "satisfy constraint: Member must have length less than or equal to "
                              "%d", TEMPLATE_BODY_MAX);
    if (url.p != NULL)
        return fetch(c, url, out);
    *out = body;
    return NULL;
}

struct err *check_stack_name(struct str name)
{
    bool ok = name.n > 0 && name.n <= STACK_NAME_MAX;
    for (size_t i = 0; ok && i < name.n; i++) {
        char ch = name.p[i];
        bool letter = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
        ok = letter || (i > 0 && ((ch >= '0' && ch <= '9') || ch == '-'));
    }
    if (ok)
        return NULL;
    return template_error("1 validation error detected: Value at 'stackName' failed to satisfy "
                          "constraint: Member must satisfy regular expression pattern: "
                          "[a-zA-Z][-a-zA-Z0-9]*, and have length less than or equal to %d",
                          STACK_NAME_MAX);
}

/* -- capabilities and types -------------------------------------------------------------------- */

int needed_capability(const struct template *t, struct arena *a, struct str *out_reason)
{
    int need = 0;
    struct buf b CLEANUP(buf_clear) = BUF_INIT(1024);
    for (size_t i = 0; i < jv_len(t->resources); i++) {
        const struct jv *r = &t->resources->obj.v[i].value;
        struct str name = jv_s(jv_get(r, "Type"));
        const struct rtype *type = type_find(name);
        if (type == NULL || !type->iam)
            continue;
        bool named = type->name_prop != NULL &&
                     jv_get(jv_get(r, "Properties"), type->name_prop) != NULL;
        need = named || need == 2 ? 2 : 1;
        if (str_find(buf_view(&b), name) < 0)
            buf_fmt(&b, "%s%.*s", b.n > 0 ? ", " : "", STR_ARG(name));
    }
    *out_reason = need == 0 ? STR_NONE
                            : arena_fmt(a, "The following resource(s) require capabilities: [%.*s]",
                                        STR_ARG(buf_view(&b)));
    return need;
}

static bool has_capability(const struct cloudformation_Capabilities *caps, const char *name)
{
    for (size_t i = 0; i < caps->n; i++)
        if (str_is(caps->v[i], name))
            return true;
    return false;
}

static struct err *check_capabilities(struct call *c, const struct plan *p,
                                      const struct cloudformation_Capabilities *caps)
{
    struct str reason;
    int need = needed_capability(&p->t, c->arena, &reason);
    bool named = has_capability(caps, "CAPABILITY_NAMED_IAM");
    bool any = named || has_capability(caps, "CAPABILITY_IAM");
    if (need == 0 || (need == 1 && any) || named)
        return NULL;
    return err_aws(400, "InsufficientCapabilitiesException", "Requires capabilities : [%s]",
                   need == 1 ? "CAPABILITY_IAM" : "CAPABILITY_NAMED_IAM");
}

/* What AWS has and Ward has not; none of it is passed over. */
static struct err *not_built(struct call *c, const struct request *r)
{
    if (r->rollback != NULL && (r->rollback->RollbackTriggers.n > 0 ||
                                r->rollback->MonitoringTimeInMinutes.v > 0))
        return err_not_implemented(c, "RollbackConfiguration");
    if (r->deployment != NULL)
        return err_not_implemented(c, "DeploymentConfig");
    if (r->policy)
        return err_not_implemented(c, "A stack policy");
    if (r->topics != NULL && r->topics->n > 0)
        return err_not_implemented(c, "Notification of topics about stack events");
    return NULL;
}

/* "AWS::*", "AWS::SQS::*" or a type's whole name. */
static bool names_type(struct str pattern, struct str type)
{
    if (str_ends_c(pattern, "*"))
        return str_starts(type, str_take(pattern, pattern.n - 1));
    return str_eq(pattern, type);
}

static struct err *check_allowed(const struct request *r, const struct template *t)
{
    for (size_t i = 0; r->types != NULL && r->types->n > 0 && i < jv_len(t->resources); i++) {
        struct str type = jv_s(jv_get(&t->resources->obj.v[i].value, "Type"));
        bool ok = false;
        for (size_t k = 0; !ok && k < r->types->n; k++)
            ok = names_type(r->types->v[k], type);
        if (!ok)
            return template_error("Resource type %.*s is not allowed by parameter ResourceTypes "
                                  "[%.*s]", STR_ARG(str_take(type, 200)),
                                  STR_ARG(str_take(r->types->v[0], 200)));
    }
    return NULL;
}

struct err *check_types(struct call *c, const struct template *t)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(400);
    for (size_t i = 0; i < jv_len(t->resources); i++) {
        struct str name = jv_s(jv_get(&t->resources->obj.v[i].value, "Type"));
        if (type_find(name) == NULL && str_find(buf_view(&b), name) < 0)
            buf_fmt(&b, "%s%.*s", b.n > 0 ? ", " : "", STR_ARG(name));
    }
    if (b.n == 0 && !b.over)
        return NULL;
    return template_error("Template format error: Unrecognized resource types: [%s]",
                          arena_cstr(c->arena, buf_view(&b)));
}

struct err *changed_types(struct call *c, const struct place *p, const struct template *t,
                          struct str *out_reason)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(400);
    struct jv *rows;
    *out_reason = STR_NONE;
    TRY(resource_load_all(c->txn, c->arena, p, &rows));
    for (size_t i = 0; i < jv_len(t->resources); i++) {
        struct str name = t->resources->obj.v[i].key;
        const struct jv *row = jv_get_str(rows, name);
        if (resource_live(row) && jv_get(row, "id") != NULL &&
            !str_eq(jv_s(jv_get(row, "type")), jv_s(jv_get(&t->resources->obj.v[i].value, "Type"))))
            buf_fmt(&b, "%s%.*s", b.n > 0 ? ", " : "", STR_ARG(name));
    }
    if (b.n > 0 || b.over)
        *out_reason = arena_fmt(c->arena, "Update of resource type is not permitted. The new "
                                          "template modifies resource type of the following "
                                          "resources: [%.*s]", STR_ARG(buf_view(&b)));
    return NULL;
}

/* -- parameters, tags, topics ------------------------------------------------------------------ */

static struct err *given_params(struct call *c, const struct cloudformation_Parameters *list,
                                struct jv **given, struct jv **keep)
{
    *given = jv_new_obj(c->arena);
    *keep = jv_new_obj(c->arena);
    for (size_t i = 0; list != NULL && i < list->n; i++) {
        const struct cloudformation_Parameter *p = &list->v[i];
        if (p->ParameterKey.n == 0)
            return template_error("Parameters must have a ParameterKey.");
        if (p->UsePreviousValue.v && p->ParameterValue.p != NULL)
            return template_error("Invalid input for parameter key %.*s. Cannot specify "
                                  "usePreviousValue as true and non empty value for a parameter",
                                  STR_ARG(str_take(p->ParameterKey, 255)));
        if (jv_get_str(*given, p->ParameterKey) != NULL ||
            jv_get_str(*keep, p->ParameterKey) != NULL)
            return template_error("Parameters: [%.*s] are given more than once",
                                  STR_ARG(str_take(p->ParameterKey, 255)));
        if (p->UsePreviousValue.v)
            jv_set(c->arena, *keep, p->ParameterKey, jv_new_bool(c->arena, true));
        else
            jv_set(c->arena, *given, p->ParameterKey,
                   jv_new_str(c->arena, p->ParameterValue.p != NULL ? p->ParameterValue : STR("")));
    }
    return NULL;
}

static struct err *given_tags(struct call *c, const struct cloudformation_Tags *tags,
                              struct jv **out)
{
    *out = jv_new_arr(c->arena);
    if (tags == NULL)
        return NULL;
    if (tags->n > STACK_TAGS_MAX)
        return template_error("A stack has at most %d tags.", STACK_TAGS_MAX);
    for (size_t i = 0; i < tags->n; i++) {
        struct str key = tags->v[i].Key, value = tags->v[i].Value;
        if (key.n == 0 || key.n > 128 || value.n > 256 || str_starts_c(key, "aws:"))
            return template_error("A tag's key must have 1 to 128 characters and not begin with "
                                  "aws:, its value at most 256.");
        struct jv *tag = jv_new_obj(c->arena);
        put_s(c->arena, tag, "Key", key);
        put_s(c->arena, tag, "Value", value.p != NULL ? value : STR(""));
        jv_push(c->arena, *out, tag);
    }
    return NULL;
}

void fill_scope(struct scope *s, struct arena *a, const struct template *t,
                const struct place *p, const struct jv *stack)
{
    *s = (struct scope){.a = a,
                        .t = t,
                        .account = p->account,
                        .region = p->region,
                        .stack_name = jv_s(jv_get(stack, "name")),
                        .stack_id = jv_s(jv_get(stack, "arn")),
                        .params = jv_get(stack, "params"),
                        .topics = jv_get(stack, "topics")};
}

/* Conditions and the graph, so that what cannot work is refused at once. */
static struct err *check_plan(struct call *c, struct plan *p, const struct place *place,
                              struct str stack_name, struct str stack_id)
{
    struct order order;
    struct scope s = {.a = c->arena,
                      .t = &p->t,
                      .params = p->params,
                      .account = place->account,
                      .region = place->region,
                      .stack_name = stack_name,
                      .stack_id = stack_id,
                      .topics = p->topics};
    TRY(template_rules(&s));
    TRY(template_conditions(&s));
    TRY(template_order(&s, &order));
    if (order.n == 0)
        return template_error("Template format error: At least one Resources member must be "
                              "defined.");
    return NULL;
}

struct err *request_plan(struct call *c, const struct request *r, const struct place *p,
                         const struct jv *stack, struct str stack_name, struct str stack_id,
                         struct plan *out)
{
    struct plan plan = {0};
    struct jv *given, *keep;
    TRY(not_built(c, r));
    if (r->previous_template && (r->body.p != NULL || r->url.p != NULL))
        return template_error("Cannot specify both usePreviousTemplate and Template Body/URL");
    if (r->previous_template && stack != NULL)
        TRY(template_text_get(c->txn, c->arena, p, "current", &plan.text));
    else
        TRY(request_template(c, r->body, r->url, &plan.text));
    if (plan.text.n == 0)
        return template_error("Either Template URL or Template Body must be specified.");
    TRY(template_parse(c->arena, plan.text, &plan.t));
    TRY(check_types(c, &plan.t));
    TRY(check_allowed(r, &plan.t));
    TRY(given_params(c, r->parameters, &given, &keep));
    TRY(template_params(c->arena, &plan.t, given, jv_get(stack, "params"), keep, &plan.params));
    TRY(given_tags(c, r->tags, &plan.tags));
    plan.capabilities = jv_new_arr(c->arena);
    for (size_t i = 0; r->capabilities != NULL && i < r->capabilities->n; i++)
        jv_push(c->arena, plan.capabilities, jv_new_str(c->arena, r->capabilities->v[i]));
    plan.topics = jv_new_arr(c->arena);
    TRY(check_capabilities(c, &plan, r->capabilities));
    TRY(check_plan(c, &plan, p, stack_name, stack_id));
    *out = plan;
    return NULL;
}

void plan_into(struct arena *a, struct jv *row, const struct plan *p)
{
    put_v(a, row, "params", p->params);
    put_v(a, row, "tags", p->tags);
    put_v(a, row, "capabilities", p->capabilities);
    put_v(a, row, "topics", p->topics);
    put_s(a, row, "description", p->t.description);
    struct jv *hidden = jv_new_obj(a);
    for (size_t i = 0; i < jv_len(p->t.parameters); i++)
        if (template_no_echo(&p->t, p->t.parameters->obj.v[i].key))
            jv_set(a, hidden, p->t.parameters->obj.v[i].key, jv_new_bool(a, true));
    put_v(a, row, "hidden", hidden);
}

/* -- in whose name ----------------------------------------------------------------------------- */

struct err *set_actor(struct call *c, struct jv *stack, struct str role)
{
    struct arena *a = c->arena;
    if (role.n > 0) {
        struct arn arn;
        if (!arn_parse(role, &arn) || !str_is(arn.service, "iam") ||
            !str_starts_c(arn.resource, "role/") || !str_eq(arn.account, c->account))
            return template_error("RoleARN must be the ARN of a role of this account.");
        put_s(a, stack, "role", role);
        return NULL;
    }
    /* A role that was given once stays with the stack, as on AWS. */
    if (jv_get(stack, "role") != NULL)
        return NULL;
    /* What only a session's own policy or tags restrict would not hold for the job. */
    if (c->id.session_policy.n > 0 || c->id.n_session_policy_arns > 0)
        return err_aws(403, "AccessDenied",
                       "A session with a session policy cannot have a stack made in its name: "
                       "give a RoleARN.");
    struct str arn = c->id.who.session_arn.n > 0 ? c->id.who.session_arn : c->id.who.arn;
    put_s(a, stack, "principal", arn);
    put_s(a, stack, "principal_id", c->id.who.user_id);
    return NULL;
}

struct err *go_on(struct call *c, const struct place *p, struct jv *stack)
{
    struct str arn = jv_s(jv_get(stack, "arn"));
    TRY(stack_save(c->txn, c->arena, p, stack));
    return job_put(c->txn, c->account, "cloudformation.run", arn, c->now_ms, arn);
}

struct err *start_operation(struct call *c, const struct place *p, struct jv *stack,
                            const char *phase, struct str token)
{
    struct arena *a = c->arena;
    char id[37];
    rand_uuid(id);
    put_s(a, stack, "op", arena_str(a, str_c(id)));
    put_s(a, stack, "phase", str_c(phase));
    put_s(a, stack, "token", token);
    put_i(a, stack, "waits", 0);
    put_i(a, stack, "started_ms", c->now_ms);
    return go_on(c, p, stack);
}
