/* Mobile push: platform applications and the devices (endpoints) registered with them.
 *
 * https://docs.aws.amazon.com/sns/latest/dg/sns-mobile-application-as-subscriber.html
 * Ward hands messages to the provider behind the webhook, which has the platform's credentials;
 * those that a client gives here are neither needed nor kept. */
#include "room.h"

#include "core/log.h"
#include "crypto/crypto.h"

enum { SWEEP_BATCH = 200, SWEEP_RETRY_MS = 2000, TOKEN_MAX = 4096, APP_NAME_MAX = 256 };

struct err *provider_need(struct call *c, const char *what)
{
    return c->ward->webhook_url != NULL
               ? NULL
               : sns_invalid("%s needs a provider: start Ward with --webhook URL", what);
}

/* -- applications ------------------------------------------------------------------------------ */

struct app {
    struct str account, region, platform, name, arn, uid;
};

static bool platform_known(struct str s)
{
    static const char *const names[] = {"ADM",  "APNS",  "APNS_SANDBOX", "APNS_VOIP",
                                        "APNS_VOIP_SANDBOX", "BAIDU", "GCM", "MACOS",
                                        "MACOS_SANDBOX", "MPNS", "WNS"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_is(s, names[i]))
            return true;
    return false;
}

static bool app_name_valid(struct str n)
{
    bool ok = n.n >= 1 && n.n <= APP_NAME_MAX;
    for (size_t i = 0; ok && i < n.n; i++)
        ok = n.p[i] != '\0' && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789-_.", n.p[i]) != NULL;
    return ok;
}

/* "app/GCM/name" or "endpoint/GCM/name/id" */
static bool push_arn(struct str text, const char *kind, struct arn *out, struct str *platform,
                     struct str *name, struct str *id)
{
    if (text.n > 1024 || !arn_parse(text, out) || !str_is(out->service, "sns") ||
        !str_is(out->partition, IDENTITY_PARTITION) || out->account.n != 12)
        return false;
    struct str rest = out->resource;
    if (!str_is(str_cut(&rest, '/'), kind) || rest.p == NULL)
        return false;
    *platform = str_cut(&rest, '/');
    if (rest.p == NULL)
        return false;
    *name = str_cut(&rest, '/');
    *id = rest;
    return platform_known(*platform) && app_name_valid(*name);
}

static bool app_arn_parts(struct str text, struct app *out)
{
    struct arn arn;
    struct str id;
    *out = (struct app){0};
    if (!push_arn(text, "app", &arn, &out->platform, &out->name, &id) || id.p != NULL)
        return false;
    out->account = arn.account;
    out->region = arn.region;
    out->arn = text;
    return true;
}

static struct skey app_key(const struct app *p)
{
    struct skey k = skey();
    key_str(&k, p->account);
    key_str(&k, p->region);
    key_str(&k, p->platform);
    key_str(&k, p->name);
    return k;
}

static struct err *app_read(struct txn *t, struct arena *a, struct app *p, bool *out_found)
{
    struct skey k = app_key(p);
    struct str text;
    struct jv *row;
    TRY(txn_get(t, SNS_T_APP, key_of(&k), a, &text));
    *out_found = text.p != NULL;
    if (!*out_found)
        return NULL;
    TRY(json_parse(a, text, 8, &row));
    p->uid = jv_s(jv_get(row, "uid"));
    return NULL;
}

static struct err *app_need(struct call *c, struct str arn, struct app *out)
{
    bool found;
    if (!app_arn_parts(arn, out) || !str_eq(out->region, c->region) ||
        !str_eq(out->account, c->account))
        return sns_invalid("PlatformApplicationArn Reason: Wrong number of slashes in relative "
                           "portion of the ARN, or not one of this account and Region.");
    TRY(app_read(c->txn, c->arena, out, &found));
    return found ? NULL : err_aws(404, "NotFound", "PlatformApplication does not exist");
}

static struct err *check_app_attributes(struct call *c, const struct sns_MapStringToString *m)
{
    static const char *const names[] = {"PlatformCredential", "PlatformPrincipal",
                                        "ApplePlatformTeamID", "ApplePlatformBundleID"};
    for (size_t i = 0; i < m->n; i++) {
        bool known = str_is(m->v[i].key, "Enabled") && str_is_i(m->v[i].value, "true");
        for (size_t j = 0; j < ARRAY_LEN(names); j++)
            known |= str_is(m->v[i].key, names[j]);
        if (!known)
            return err_not_implemented(c, "This attribute of a platform application");
    }
    return NULL;
}

OP_HANDLER(sns, CreatePlatformApplication, CreatePlatformApplicationInput,
           CreatePlatformApplicationResponse)
{
    bool found;
    char uid[37];
    if (!platform_known(in->Platform))
        return sns_invalid("Platform Reason: it is not supported");
    if (!app_name_valid(in->Name))
        return sns_invalid("Name Reason: 1 to 256 letters, digits, hyphens, underscores, periods");
    TRY(check_app_attributes(c, &in->Attributes));
    struct app p = {c->account, c->region, in->Platform, in->Name, STR_NONE, STR_NONE};
    p.arn = call_arn(c, "sns", "app/%.*s/%.*s", STR_ARG(p.platform), STR_ARG(p.name));
    out->PlatformApplicationArn = p.arn;
    TRY(app_read(c->txn, c->arena, &p, &found));
    if (found)
        return NULL;
    rand_uuid(uid);
    struct jv *row = jv_new_obj(c->arena);
    sns_set(c->arena, row, "uid", str_c(uid));
    jv_set(c->arena, row, STR("created_ms"), jv_new_int(c->arena, c->now_ms));
    struct skey k = app_key(&p);
    return row_put(c, SNS_T_APP, c->account, key_of(&k), row);
}

static struct sns_MapStringToString app_attributes(struct arena *a)
{
    struct sns_MapStringToString m = {.set = true};
    m.v = ARENA_ARRAY(a, 1, struct sns_MapStringToString_item);
    m.v[m.n++] = (struct sns_MapStringToString_item){STR("Enabled"), STR("true")};
    return m;
}

OP_HANDLER(sns, GetPlatformApplicationAttributes, GetPlatformApplicationAttributesInput,
           GetPlatformApplicationAttributesResponse)
{
    struct app p;
    TRY(app_need(c, in->PlatformApplicationArn, &p));
    out->Attributes = app_attributes(c->arena);
    return NULL;
}

OP_HANDLER_NO_OUT(sns, SetPlatformApplicationAttributes, SetPlatformApplicationAttributesInput)
{
    struct app p;
    TRY(app_need(c, in->PlatformApplicationArn, &p));
    return check_app_attributes(c, &in->Attributes);
}

OP_HANDLER_NO_OUT(sns, DeletePlatformApplication, DeletePlatformApplicationInput)
{
    struct app p;
    struct err *e = app_need(c, in->PlatformApplicationArn, &p);
    if (err_has_code(e, "NotFound")) {
        err_free(e);
        return NULL;
    }
    TRY(e);
    struct skey k = app_key(&p);
    TRY(txn_del(c->txn, SNS_T_APP, key_of(&k)));
    return job_put(c->txn, c->account, "sns.sweep", p.uid, c->now_ms, p.uid);
}

/* A page of keys under a prefix, each handed to fn as its last text part. */
struct page_of {
    struct call *c;
    const char *table;
    struct skey prefix;
    int skip; /* parts of the key before the last */
};

static struct err *each_key(const struct page_of *p, struct str token, struct str *out_token,
                            struct err *(*fn)(void *ctx, struct str parts[4], struct str value),
                            void *ctx)
{
    struct call *c = p->c;
    struct str position, last = STR_NONE;
    TRY(page_position(c, token, "InvalidParameter", &position));
    struct scan sc = {.prefix = key_of(&p->prefix), .from = position, .after = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, p->table, &sc, &cur));
    for (size_t n = 0;; n++) {
        bool more, ok = true;
        struct str key, value, parts[4] = {{0}};
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        if (n == SNS_PAGE) {
            *out_token = page_token(c, last);
            return NULL;
        }
        last = arena_str(c->arena, key);
        struct str rest = last;
        for (int i = 0; ok && i <= p->skip; i++)
            ok = key_take_str(c->arena, &rest, &parts[i]);
        if (ok)
            TRY(fn(ctx, parts, value));
    }
}

struct app_list {
    struct call *c;
    struct sns_ListOfPlatformApplications *out;
};

static struct err *list_app(void *ctx, struct str parts[4], struct str value UNUSED)
{
    struct app_list *l = ctx;
    struct sns_PlatformApplication *x = &l->out->v[l->out->n++];
    x->PlatformApplicationArn =
        call_arn(l->c, "sns", "app/%.*s/%.*s", STR_ARG(parts[2]), STR_ARG(parts[3]));
    x->Attributes = app_attributes(l->c->arena);
    return NULL;
}

OP_HANDLER(sns, ListPlatformApplications, ListPlatformApplicationsInput,
           ListPlatformApplicationsResponse)
{
    struct app_list l = {c, &out->PlatformApplications};
    struct page_of p = {c, SNS_T_APP, skey(), 3};
    key_str(&p.prefix, c->account);
    key_str(&p.prefix, c->region);
    l.out->v = ARENA_ARRAY(c->arena, SNS_PAGE, struct sns_PlatformApplication);
    l.out->set = true;
    return each_key(&p, in->NextToken, &out->NextToken, list_app, &l);
}

/* -- devices ----------------------------------------------------------------------------------- */

bool endpoint_arn_parts(struct str text, struct device *out)
{
    struct arn arn;
    *out = (struct device){0};
    if (!push_arn(text, "endpoint", &arn, &out->platform, &out->app, &out->id) ||
        out->id.n != 36)
        return false;
    out->account = arn.account;
    out->region = arn.region;
    out->arn = text;
    return true;
}

static struct skey device_key(struct str app_uid, struct str id)
{
    struct skey k = skey();
    key_str(&k, app_uid);
    key_str(&k, id);
    return k;
}

static struct skey device_at_key(struct arena *a, struct str app_uid, struct str token)
{
    struct skey k = skey();
    key_str(&k, app_uid);
    key_str(&k, sha256_hex(a, token));
    return k;
}

static struct err *read_device(struct txn *t, struct arena *a, struct str arn, struct device *out,
                               struct app *out_app, bool *out_found)
{
    struct str text = STR_NONE;
    *out_found = false;
    if (!endpoint_arn_parts(arena_str(a, arn), out))
        return NULL;
    *out_app = (struct app){out->account, out->region, out->platform, out->app, STR_NONE, STR_NONE};
    TRY(app_read(t, a, out_app, out_found));
    if (!*out_found)
        return NULL;
    struct skey k = device_key(out_app->uid, out->id);
    TRY(txn_get(t, SNS_T_ENDPOINT, key_of(&k), a, &text));
    *out_found = text.p != NULL;
    if (!*out_found)
        return NULL;
    TRY(json_parse(a, text, 8, &out->row));
    out->token = jv_s(jv_get(out->row, "Token"));
    out->enabled = str_is_i(jv_s(jv_get(out->row, "Enabled")), "true");
    return NULL;
}

struct err *device_read(struct txn *t, struct arena *a, struct str arn, struct device *out,
                        bool *out_found)
{
    struct app app;
    return read_device(t, a, arn, out, &app, out_found);
}

struct err *device_disable(struct ward *w, struct arena *a, const struct device *d)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    struct device now;
    struct app app;
    bool found;
    TRY(store_begin(w->store, TXN_WRITE, &t));
    TRY(read_device(t, a, d->arn, &now, &app, &found));
    if (!found)
        return NULL;
    sns_set(a, now.row, "Enabled", STR("false"));
    struct skey k = device_key(app.uid, now.id);
    TRY(txn_put(t, SNS_T_ENDPOINT, now.account, key_of(&k), jv_text(a, now.row)));
    return txn_commit(&t);
}

static struct err *device_need(struct call *c, struct str arn, struct device *out, struct app *app)
{
    bool found;
    if (!endpoint_arn_parts(arn, out) || !str_eq(out->account, c->account) ||
        !str_eq(out->region, c->region))
        return sns_invalid("EndpointArn");
    TRY(read_device(c->txn, c->arena, arn, out, app, &found));
    return found ? NULL : err_aws(404, "NotFound", "Endpoint does not exist");
}

static struct err *set_device_attribute(struct call *c, struct jv *row, struct str name,
                                        struct str value)
{
    if (str_is(name, "Enabled")) {
        if (!str_is_i(value, "true") && !str_is_i(value, "false"))
            return sns_invalid("Attributes Reason: Invalid value for attribute: Enabled");
        value = str_is_i(value, "true") ? STR("true") : STR("false");
    } else if (str_is(name, "CustomUserData")) {
        if (value.n > SNS_USER_DATA_MAX || !str_utf8_valid(value))
            return sns_invalid("CustomUserData Reason: at most %d bytes of UTF-8",
                               SNS_USER_DATA_MAX);
    } else if (str_is(name, "Token")) {
        if (value.n == 0 || value.n > TOKEN_MAX || !str_utf8_valid(value))
            return sns_invalid("Token");
    } else {
        return sns_invalid("Attributes Reason: Invalid attribute name");
    }
    sns_set(c->arena, row, arena_cstr(c->arena, name), value.p != NULL ? value : STR(""));
    return NULL;
}

/* The same device again: its endpoint, if it is asked for with the attributes that it has. */
static struct err *same_device(const struct device *d,
                               const struct sns_CreatePlatformEndpointInput *in)
{
    bool same = in->CustomUserData.p == NULL ||
                str_eq(in->CustomUserData, jv_s(jv_get(d->row, "CustomUserData")));
    for (size_t i = 0; i < in->Attributes.n; i++)
        same &= str_ieq(in->Attributes.v[i].value,
                        jv_s(jv_get_str(d->row, in->Attributes.v[i].key)));
    return same ? NULL
                : sns_invalid("Token Reason: Endpoint %.*s already exists with the same Token, but "
                              "different attributes.", STR_ARG(d->arn));
}

static struct str device_arn(struct call *c, const struct app *p, struct str id)
{
    return call_arn(c, "sns", "endpoint/%.*s/%.*s/%.*s", STR_ARG(p->platform), STR_ARG(p->name),
                    STR_ARG(id));
}

OP_HANDLER(sns, CreatePlatformEndpoint, CreatePlatformEndpointInput, CreateEndpointResponse)
{
    struct app p, again;
    struct device d;
    struct str known;
    bool found = false;
    char id[37];
    struct arena *a = c->arena;
    TRY(app_need(c, in->PlatformApplicationArn, &p));
    struct skey at = device_at_key(a, p.uid, in->Token);
    TRY(txn_get(c->txn, SNS_T_ENDPOINT_AT, key_of(&at), a, &known));
    if (known.p != NULL)
        TRY(read_device(c->txn, a, device_arn(c, &p, known), &d, &again, &found));
    if (found) {
        out->EndpointArn = d.arn;
        return same_device(&d, in);
    }
    struct jv *row = jv_new_obj(a);
    TRY(set_device_attribute(c, row, STR("Token"), in->Token));
    TRY(set_device_attribute(c, row, STR("Enabled"), STR("true")));
    if (in->CustomUserData.p != NULL)
        TRY(set_device_attribute(c, row, STR("CustomUserData"), in->CustomUserData));
    for (size_t i = 0; i < in->Attributes.n; i++)
        TRY(set_device_attribute(c, row, in->Attributes.v[i].key, in->Attributes.v[i].value));
    rand_uuid(id);
    out->EndpointArn = device_arn(c, &p, str_c(id));
    struct skey k = device_key(p.uid, str_c(id));
    TRY(row_put(c, SNS_T_ENDPOINT, c->account, key_of(&k), row));
    return txn_put(c->txn, SNS_T_ENDPOINT_AT, c->account, key_of(&at), str_c(id));
}

static struct sns_MapStringToString device_attributes(struct arena *a, const struct jv *row)
{
    struct sns_MapStringToString m = {.set = true};
    m.v = ARENA_ARRAY(a, jv_len(row) + 1, struct sns_MapStringToString_item);
    for (size_t i = 0; i < jv_len(row); i++)
        m.v[m.n++] = (struct sns_MapStringToString_item){row->obj.v[i].key,
                                                         jv_s(&row->obj.v[i].value)};
    return m;
}

OP_HANDLER(sns, GetEndpointAttributes, GetEndpointAttributesInput, GetEndpointAttributesResponse)
{
    struct device d;
    struct app p;
    TRY(device_need(c, in->EndpointArn, &d, &p));
    out->Attributes = device_attributes(c->arena, d.row);
    return NULL;
}

OP_HANDLER_NO_OUT(sns, SetEndpointAttributes, SetEndpointAttributesInput)
{
    struct device d;
    struct app p;
    TRY(device_need(c, in->EndpointArn, &d, &p));
    struct skey at = device_at_key(c->arena, p.uid, d.token), k = device_key(p.uid, d.id);
    TRY(txn_del(c->txn, SNS_T_ENDPOINT_AT, key_of(&at)));
    for (size_t i = 0; i < in->Attributes.n; i++)
        TRY(set_device_attribute(c, d.row, in->Attributes.v[i].key, in->Attributes.v[i].value));
    at = device_at_key(c->arena, p.uid, jv_s(jv_get(d.row, "Token")));
    TRY(txn_put(c->txn, SNS_T_ENDPOINT_AT, c->account, key_of(&at), d.id));
    return row_put(c, SNS_T_ENDPOINT, c->account, key_of(&k), d.row);
}

OP_HANDLER_NO_OUT(sns, DeleteEndpoint, DeleteEndpointInput)
{
    struct device d;
    struct app p;
    struct err *e = device_need(c, in->EndpointArn, &d, &p);
    if (err_has_code(e, "NotFound")) {
        err_free(e);
        return NULL;
    }
    TRY(e);
    struct skey at = device_at_key(c->arena, p.uid, d.token), k = device_key(p.uid, d.id);
    TRY(txn_del(c->txn, SNS_T_ENDPOINT_AT, key_of(&at)));
    return txn_del(c->txn, SNS_T_ENDPOINT, key_of(&k));
}

struct device_list {
    struct call *c;
    const struct app *app;
    struct sns_ListOfEndpoints *out;
};

static struct err *list_device(void *ctx, struct str parts[4], struct str value)
{
    struct device_list *l = ctx;
    struct jv *row;
    TRY(json_parse(l->c->arena, value, 8, &row));
    struct sns_Endpoint *x = &l->out->v[l->out->n++];
    x->EndpointArn = device_arn(l->c, l->app, parts[1]);
    x->Attributes = device_attributes(l->c->arena, row);
    return NULL;
}

OP_HANDLER(sns, ListEndpointsByPlatformApplication, ListEndpointsByPlatformApplicationInput,
           ListEndpointsByPlatformApplicationResponse)
{
    struct app app;
    TRY(app_need(c, in->PlatformApplicationArn, &app));
    struct device_list l = {c, &app, &out->Endpoints};
    struct page_of p = {c, SNS_T_ENDPOINT, skey(), 1};
    key_str(&p.prefix, app.uid);
    l.out->v = ARENA_ARRAY(c->arena, SNS_PAGE, struct sns_Endpoint);
    l.out->set = true;
    return each_key(&p, in->NextToken, &out->NextToken, list_device, &l);
}

/* -- what a deleted application leaves --------------------------------------------------------- */

static struct err *sweep_table(struct job *j, struct txn *t, const char *table, size_t *out_n)
{
    struct skey prefix = skey();
    struct str keys[SWEEP_BATCH];
    key_str(&prefix, j->payload);
    struct scan sc = {.prefix = key_of(&prefix), .keys_only = true};
    struct cursor *cur = NULL;
    TRY(txn_scan(t, table, &sc, &cur));
    struct err *e = NULL;
    size_t n = 0;
    while (n < SWEEP_BATCH) {
        bool more;
        struct str key, value;
        e = cursor_next(cur, &more, &key, &value);
        if (e != NULL || !more)
            break;
        keys[n++] = arena_str(j->arena, key);
    }
    cursor_free(cur);
    for (size_t i = 0; e == NULL && i < n; i++)
        e = txn_del(t, table, keys[i]);
    *out_n += n;
    return e;
}

static struct err *sweep_batch(struct job *j, size_t *out_n)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    *out_n = 0;
    TRY(store_begin(j->ward->store, TXN_WRITE, &t));
    TRY(sweep_table(j, t, SNS_T_ENDPOINT, out_n));
    TRY(sweep_table(j, t, SNS_T_ENDPOINT_AT, out_n));
    return txn_commit(&t);
}

static enum job_next run_sweep(struct job *j, int64_t *again_ms)
{
    size_t n = 1;
    struct err *e = NULL;
    while (e == NULL && n > 0)
        e = sweep_batch(j, &n);
    if (e == NULL)
        return JOB_DONE;
    *again_ms = clock_now_ms() + SWEEP_RETRY_MS;
    if (err_is(e, ERR_CONFLICT))
        err_free(e);
    else
        log_err(LOG_WARN, "the devices of a deleted application remain; will try again", e);
    return JOB_AGAIN;
}

const struct job_kind sns_jobs[] = {
    {.name = "sns.deliver", .run = sns_deliver_run},
    {.name = "sns.direct", .run = sns_direct_run},
    {.name = "sns.confirm", .run = sns_confirm_run},
    {.name = "sns.lapse", .run = sns_lapse_run},
    {.name = "sns.sweep", .run = run_sweep, .parallel = 1},
    {0},
};
