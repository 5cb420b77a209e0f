/* The record of a call: one CloudTrail event.
 *
 * https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html */
#include "line.h"

enum { RECORD_USER_AGENT_MAX = 1024, RECORD_USUAL = 2048 };

static void add_extra(struct line *l, struct extra x)
{
    for (size_t i = 0; i < l->extras.n; i++)
        if (strcmp(l->extras.v[i].key, x.key) == 0) {
            l->extras.v[i] = x;
            return;
        }
    VEC_PUSH(l->arena, &l->extras, x);
}

void call_record(struct call *c, const char *key, struct str value)
{
    add_extra(line_of(c), (struct extra){key, value.p != NULL ? value : STR(""), 0});
}

void call_record_number(struct call *c, const char *key, int64_t number)
{
    add_extra(line_of(c), (struct extra){key, STR_NONE, number});
}

static void add_resource(struct line *l, struct recorded_resource r)
{
    for (size_t i = 0; i < l->resources.n; i++)
        if (str_eq(l->resources.v[i].arn, r.arn) && l->resources.v[i].prefix == r.prefix)
            return;
    if (l->resources.n < CALL_RESOURCES_MAX)
        VEC_PUSH(l->arena, &l->resources, r);
}

void call_record_resource(struct call *c, struct str arn, struct str account, const char *type)
{
    add_resource(line_of(c), (struct recorded_resource){arn, account, type, false});
}

void call_record_prefix(struct call *c, struct str arn, const char *type)
{
    add_resource(line_of(c), (struct recorded_resource){arn, STR_NONE, type, true});
}

void call_record_as(struct call *c, enum audit_class cls)
{
    line_of(c)->audit = cls;
}

static void session_context(struct jw *w, const struct identity *id)
{
    jw_key(w, "sessionContext");
    jw_obj(w);
    if (id->role_arn.p != NULL) {
        jw_key(w, "sessionIssuer");
        jw_obj(w);
        jw_kc(w, "type", "Role");
        jw_ks(w, "principalId", id->role_id);
        jw_ks(w, "arn", id->role_arn);
        jw_ks(w, "accountId", id->who.account);
        jw_ks(w, "userName", id->role_name);
        jw_end(w);
    }
    char when[TIME_TEXT_MAX];
    time_iso8601(id->issued_ms, when);
    jw_key(w, "attributes");
    jw_obj(w);
    jw_kc(w, "creationDate", when);
    jw_kc(w, "mfaAuthenticated", id->mfa ? "true" : "false");
    jw_end(w);
    if (id->source_identity.n > 0)
        jw_ks(w, "sourceIdentity", id->source_identity);
    jw_end(w);
}

/* The owner of what was used learns who it was, not by which name or key: as CloudTrail has it. */
static void user_identity(struct jw *w, const struct line *l, bool for_owner)
{
    const struct identity *id = &l->c.id;
    static const char *const types[] = {[PRINCIPAL_ANONYMOUS] = "AWSAccount",
                                        [PRINCIPAL_ROOT] = "Root",
                                        [PRINCIPAL_USER] = "IAMUser",
                                        [PRINCIPAL_ROLE] = "AssumedRole",
                                        [PRINCIPAL_FEDERATED] = "FederatedUser",
                                        [PRINCIPAL_SERVICE] = "AWSService"};
    jw_obj(w);
    if (id->who.kind == 0) { /* nobody was established: what was claimed */
        jw_kc(w, "type", "Unknown");
        if (l->c.sig.access_key_id.n > 0 && l->c.sig.access_key_id.n <= 128)
            jw_ks(w, "accessKeyId", l->c.sig.access_key_id);
        jw_end(w);
        return;
    }
    bool is_foreign = for_owner && id->who.kind != PRINCIPAL_SERVICE &&
                      id->who.kind != PRINCIPAL_ANONYMOUS;
    jw_kc(w, "type", is_foreign ? "AWSAccount" : types[id->who.kind]);
    if (is_foreign) {
        jw_ks(w, "principalId", id->who.user_id);
        jw_ks(w, "accountId", id->who.account);
        if (l->internal != NULL)
            jw_kc(w, "invokedBy", l->internal->service);
    } else if (id->who.kind == PRINCIPAL_SERVICE) {
        jw_ks(w, "invokedBy", id->who.service);
    } else if (id->who.kind == PRINCIPAL_ANONYMOUS) {
        jw_kc(w, "principalId", "");
        jw_kc(w, "accountId", "anonymous");
    } else {
        jw_ks(w, "principalId", id->who.user_id);
        jw_ks(w, "arn", id->who.session_arn.p != NULL ? id->who.session_arn : id->who.arn);
        jw_ks(w, "accountId", id->who.account);
        if (id->access_key_id.n > 0)
            jw_ks(w, "accessKeyId", id->access_key_id);
        if (id->who.kind == PRINCIPAL_USER)
            jw_ks(w, "userName", id->who.name);
        if (id->is_session)
            session_context(w, id);
        if (l->internal != NULL)
            jw_kc(w, "invokedBy", l->internal->service);
    }
    jw_end(w);
}

static void where_from(struct jw *w, const struct line *l)
{
    const struct http_exchange *x = l->c.http;
    if (x == NULL || l->internal != NULL) {
        const char *service = l->internal != NULL ? l->internal->service : "ward";
        jw_kc(w, "sourceIPAddress", service);
        jw_kc(w, "userAgent", service);
        return;
    }
    jw_kc(w, "sourceIPAddress", x->peer);
    jw_ks(w, "userAgent", str_take(http_header(x, "User-Agent"), RECORD_USER_AGENT_MAX));
}

/* CloudTrail's name of an error: KMS's AccessDeniedException is AccessDenied there, EC2's codes
 * carry their side. */
static void error_fields(struct jw *w, const struct line *l, const struct err *e)
{
    const char *code = e->code != NULL ? e->code : "InternalFailure";
    char text[96];
    if (strcmp(code, "AccessDeniedException") == 0)
        code = "AccessDenied";
    if (l->c.proto == PROTO_EC2) {
        snprintf(text, sizeof text, "%s.%s", err_http_status(e) >= 500 ? "Server" : "Client", code);
        code = text;
    }
    jw_kc(w, "errorCode", code);
    jw_kc(w, "errorMessage", e->message);
}

static void parameters(struct jw *w, const struct line *l, const struct err *e)
{
    const struct call *c = &l->c;
    jw_key(w, "requestParameters");
    if (l->record_short) { /* the whole would pass the limit of one record */
        jw_null(w);
        jw_key(w, "responseElements");
        jw_null(w);
        return;
    }
    bool rest = c->proto == PROTO_REST_XML;
    if (c->in == NULL || c->row == NULL || c->op->input == NULL || c->row->record_in == NULL)
        jw_null(w);
    else if (rest)
        record_rest_request(w, c);
    else
        shape_record(w, c->op->input, c->in, c->row->record_in);
    jw_key(w, "responseElements");
    if (e != NULL || c->out == NULL || c->row == NULL || c->op->output == NULL ||
        c->row->record_out == NULL)
        jw_null(w);
    else if (rest)
        record_rest_response(w, c);
    else
        shape_record(w, c->op->output, c->out, c->row->record_out);
}

static void extras_and_resources(struct jw *w, const struct line *l)
{
    if (l->extras.n > 0) {
        jw_key(w, "additionalEventData");
        jw_obj(w);
        for (size_t i = 0; i < l->extras.n; i++)
            if (l->extras.v[i].value.p != NULL)
                jw_ks(w, l->extras.v[i].key, l->extras.v[i].value);
            else
                jw_ki(w, l->extras.v[i].key, l->extras.v[i].number);
        jw_end(w);
    }
    if (l->resources.n == 0)
        return;
    jw_key(w, "resources");
    jw_arr(w);
    for (size_t i = 0; i < l->resources.n; i++) {
        const struct recorded_resource *r = &l->resources.v[i];
        jw_obj(w);
        if (r->account.n > 0)
            jw_ks(w, "accountId", r->account);
        jw_kc(w, "type", r->type);
        jw_ks(w, r->prefix ? "ARNPrefix" : "ARN", r->arn);
        jw_end(w);
    }
    jw_end(w);
}

static void tls_details(struct jw *w, const struct line *l)
{
    const struct http_exchange *x = l->c.http;
    if (x == NULL || l->internal != NULL || x->tls_version == NULL)
        return;
    jw_key(w, "tlsDetails");
    jw_obj(w);
    jw_kc(w, "tlsVersion", x->tls_version);
    jw_kc(w, "cipherSuite", x->tls_cipher != NULL ? x->tls_cipher : "");
    jw_ks(w, "clientProvidedHostHeader", http_header(x, "Host"));
    jw_end(w);
}

static bool reads_only(const struct call *c)
{
    return c->row != NULL && (c->row->effect == OP_READ || c->row->read_only_record);
}

struct copy {
    struct str account;
    const char *shared_id; /* NULL: the only one */
    bool owner;            /* whose resource it was, not who called */
};

static struct err *write_event(struct line *l, const struct err *e, const struct copy *to,
                               struct buf *json)
{
    const struct call *c = &l->c;
    bool data = l->audit == AUDIT_DATA;
    char when[TIME_TEXT_MAX], event_id[37];
    time_iso8601(c->now_ms, when);
    rand_uuid(event_id);
    (void)buf_reserve(json, RECORD_USUAL); /* grown once */
    struct jw w = jw_to(json);
    jw_obj(&w);
    jw_kc(&w, "eventVersion", "1.11");
    jw_key(&w, "userIdentity");
    user_identity(&w, l, to->owner);
    jw_kc(&w, "eventTime", when);
    jw_kc(&w, "eventSource", c->room != NULL ? c->room->event_source : "ward.amazonaws.com");
    jw_kc(&w, "eventName", l->event_name != NULL ? l->event_name : "Unknown");
    jw_ks(&w, "awsRegion", c->region.n > 0 ? c->region : str_c(c->ward->region));
    where_from(&w, l);
    if (e != NULL)
        error_fields(&w, l, e);
    parameters(&w, l, e);
    extras_and_resources(&w, l);
    jw_kc(&w, "requestID", c->request_id);
    jw_kc(&w, "eventID", event_id);
    jw_kb(&w, "readOnly", reads_only(c));
    jw_kc(&w, "eventType", "AwsApiCall");
    jw_kb(&w, "managementEvent", !data);
    jw_ks(&w, "recipientAccountId", to->account);
    if (to->shared_id != NULL)
        jw_kc(&w, "sharedEventID", to->shared_id);
    jw_kc(&w, "eventCategory", data ? "Data" : "Management");
    tls_details(&w, l);
    jw_end(&w);
    if (buf_ok(json) || l->record_short)
        return buf_check(json);
    l->record_short = true;
    buf_reset(json);
    call_record(&l->c, "omitted", STR("requestParameters and responseElements: too large"));
    return write_event(l, e, to, json);
}

static bool is_among(struct str account, const struct copy *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(v[i].account, account))
            return true;
    return false;
}

/* Whose resources were used, besides v[0]'s own. An input can name any account: only those that
 * this installation has get a copy. */
static struct err *add_owners(struct line *l, struct copy *v, size_t *n)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    for (size_t i = 0; i < l->resources.n && *n < LINE_COPIES_MAX; i++) {
        struct str account = l->resources.v[i].account;
        if (account.n == 0 || is_among(account, v, *n))
            continue;
        if (t == NULL)
            TRY(store_begin(l->c.ward->store, TXN_LOOK, &t));
        if (identity_account_exists(t, account))
            v[(*n)++] = (struct copy){.account = account, .owner = true};
    }
    return NULL;
}

/* https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
 * (recipientAccountId, sharedEventID) */
struct err *line_record(struct line *l, const struct err *e, struct line_records *out)
{
    const struct call *c = &l->c;
    char shared_id[37];
    size_t n = 1;
    if (c->room != NULL && c->room->record != NULL)
        c->room->record(&l->c, e == NULL);
    struct copy to[LINE_COPIES_MAX] = {{.account = c->account.n > 0 ? c->account : STR("ward")}};
    for (size_t i = 0; c->id.who.kind == PRINCIPAL_ANONYMOUS && i < l->resources.n; i++)
        if (l->resources.v[i].account.n > 0)
            to[0].account = l->resources.v[i].account; /* whose bucket it is */
    if (c->id.who.kind != 0)
        TRY(add_owners(l, to, &n));
    if (n > 1)
        rand_uuid(shared_id);
    for (size_t i = 0; i < n; i++) {
        buf_init(&out->json[i], LEDGER_RECORD_MAX);
        to[i].shared_id = n > 1 ? shared_id : NULL;
        TRY(write_event(l, e, &to[i], &out->json[i]));
        out->v[i] = (struct ledger_record){
            .account = to[i].account,
            .time_ms = c->now_ms,
            .flags = (l->audit == AUDIT_DATA ? LEDGER_DATA : 0u) |
                     (reads_only(c) ? LEDGER_READ_ONLY : 0u) | (e != NULL ? LEDGER_ERROR : 0u) |
                     (l->internal != NULL ? LEDGER_INTERNAL : 0u),
            .json = buf_view(&out->json[i])};
    }
    out->n = n;
    return NULL;
}

void line_records_clear(struct line_records *r)
{
    for (size_t i = 0; i < LINE_COPIES_MAX; i++)
        buf_clear(&r->json[i]);
}

struct err *service_event_commit(struct ward *w, struct txn **t, const struct service_event *ev)
{
    struct buf json CLEANUP(buf_clear) = BUF_INIT(LEDGER_RECORD_MAX);
    char when[TIME_TEXT_MAX], event_id[37];
    int64_t now_ms = clock_now_ms();
    time_iso8601(now_ms, when);
    rand_uuid(event_id);
    struct jw j = jw_to(&json);
    jw_obj(&j);
    jw_kc(&j, "eventVersion", "1.11");
    jw_key(&j, "userIdentity");
    jw_obj(&j);
    jw_ks(&j, "accountId", ev->account);
    jw_kc(&j, "invokedBy", ev->source);
    jw_end(&j);
    jw_kc(&j, "eventTime", when);
    jw_kc(&j, "eventSource", ev->source);
    jw_kc(&j, "eventName", ev->name);
    jw_ks(&j, "awsRegion", ev->region);
    jw_kc(&j, "sourceIPAddress", ev->source);
    jw_kc(&j, "userAgent", ev->source);
    jw_key(&j, "requestParameters");
    jw_null(&j);
    jw_key(&j, "responseElements");
    jw_null(&j);
    jw_kc(&j, "eventID", event_id);
    jw_kb(&j, "readOnly", false);
    if (ev->resource_type != NULL) {
        jw_key(&j, "resources");
        jw_arr(&j);
        jw_obj(&j);
        jw_ks(&j, "accountId", ev->account);
        jw_kc(&j, "type", ev->resource_type);
        jw_ks(&j, "ARN", ev->resource_arn);
        jw_end(&j);
        jw_end(&j);
    }
    jw_kc(&j, "eventType", "AwsServiceEvent");
    jw_kb(&j, "managementEvent", true);
    jw_ks(&j, "recipientAccountId", ev->account);
    if (ev->details != NULL) {
        jw_key(&j, "serviceEventDetails");
        jw_value(&j, ev->details);
    }
    jw_kc(&j, "eventCategory", "Management");
    jw_end(&j);
    TRY(buf_check(&json));
    struct ledger_record rec = {.account = ev->account, .time_ms = now_ms,
                                .flags = LEDGER_INTERNAL, .json = buf_view(&json)};
    return ledger_commit(w->ledger, t, &rec, 1);
}
