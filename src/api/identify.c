/* Which room and operation a request means, by the service's scope, X-Amz-Target, Action, host and
 * path. Tables only: nothing here knows a service by name but S3, which owns every path that no one
 * else claims. */
#include "line.h"

enum { SERVICE_SHOWN_MAX = 40 };

const struct room *room_by_name(const struct ward *w, const char *name)
{
    for (size_t i = 0; i < w->n_rooms; i++)
        if (strcmp(w->rooms[i]->name, name) == 0)
            return w->rooms[i];
    return NULL;
}

const struct op_row *room_row(const struct room *r, struct str op)
{
    for (size_t i = 0; i < r->n_ops; i++)
        if (str_is(op, r->ops[i].name))
            return &r->ops[i];
    return NULL;
}

static bool speaks(const struct service_model *m, enum protocol p)
{
    for (uint32_t i = 0; i < m->n_protocols; i++)
        if (m->protocols[i] == p)
            return true;
    return false;
}

static const struct room *room_by_target(const struct ward *w, struct str prefix)
{
    for (size_t i = 0; i < w->n_rooms; i++) {
        const char *t = w->rooms[i]->model->target_prefix;
        if (t != NULL && str_is(prefix, t))
            return w->rooms[i];
    }
    return NULL;
}

static const struct room *room_by_scope(const struct ward *w, struct str service)
{
    for (size_t i = 0; i < w->n_rooms; i++)
        if (str_is(service, w->rooms[i]->model->signing_name))
            return w->rooms[i];
    return NULL;
}

/* Among the rooms of one signing name, the one whose API version a query request names. */
static const struct room *room_by_version(const struct ward *w, struct str service,
                                          struct str version)
{
    for (size_t i = 0; i < w->n_rooms; i++) {
        const struct service_model *m = w->rooms[i]->model;
        if (str_is(version, m->api_version) && (speaks(m, PROTO_QUERY) || speaks(m, PROTO_EC2)) &&
            (service.n == 0 || str_is(service, m->signing_name)))
            return w->rooms[i];
    }
    return NULL;
}

/* For a service of AWS's that Ward does not have: what is not built says so. STR_NONE's scope, and
 * that of a room, mean something else is wrong: `otherwise`. */
static struct err *no_service(const struct line *l, struct err *otherwise)
{
    struct str service = l->c.sig.service;
    if (service.n == 0 || room_by_scope(l->c.ward, service) != NULL)
        return otherwise;
    err_free(otherwise);
    return err_aws(501, "NotImplemented",
                   "This version of Ward has no service \"%.*s\". The README lists what it has.",
                   STR_ARG(str_take(service, SERVICE_SHOWN_MAX)));
}

/* POST /service/NAME/operation/OP: https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
 * No room speaks it; whoever tries is told so in the form that its client reads. */
static struct err *identify_cbor(struct line *l)
{
    struct str path = l->wire.path;
    struct str op = str_skip(path, (size_t)(str_rfind_char(path, '/') + 1));
    l->c.proto = PROTO_CBOR;
    l->c.room = room_by_scope(l->c.ward, l->c.sig.service);
    if (l->c.room == NULL || !model_knows(l->c.room->model, op))
        return no_service(
            l, err_aws(404, "UnknownOperationException", "The operation is not known."));
    l->event_name = arena_cstr(l->arena, op);
    return err_aws(501, "NotImplemented", "The protocol rpc-v2-cbor is not implemented.");
}

static struct err *set_op(struct line *l, struct str name)
{
    struct call *c = &l->c;
    if (name.n == 0 || name.n > 128)
        return err_aws(400, "UnknownOperationException", "The request names no operation.");
    c->op = model_op(c->room->model, name);
    c->row = c->op == NULL ? NULL : room_row(c->room, name);
    if (c->row != NULL) {
        l->audit = c->row->audit;
        l->event_name = row_event_name(c->row);
        return NULL;
    }
    if (!model_knows(c->room->model, name))
        return c->proto == PROTO_QUERY || c->proto == PROTO_EC2
                   ? err_aws(400, "InvalidAction", "The action is not valid for this endpoint.")
                   : err_aws(400, "UnknownOperationException", "The operation is not known.");
    struct str kept = arena_str(l->arena, name);
    l->event_name = kept.p;
    return err_not_implemented(c, kept.p);
}

static struct err *identify_target(struct line *l, struct str target)
{
    ptrdiff_t dot = str_rfind_char(target, '.');
    struct str prefix = str_take(target, dot < 0 ? 0 : (size_t)dot);
    const struct room *r = room_by_target(l->c.ward, prefix);
    struct str type = wire_req_header(&l->wire, "Content-Type");
    l->c.proto = str_starts_c(type, "application/x-amz-json-1.0") ? PROTO_JSON10 : PROTO_JSON11;
    if (r == NULL)
        return no_service(l, err_aws(400, "UnknownOperationException",
                                     "X-Amz-Target names no service that Ward has."));
    l->c.room = r;
    return set_op(l, str_skip(target, (size_t)dot + 1));
}

static struct err *identify_query(struct line *l, struct str action)
{
    struct str version = wire_param(&l->wire, "Version");
    const struct room *r = room_by_version(l->c.ward, l->c.sig.service, version);
    if (r == NULL && l->c.sig.service.n > 0)
        r = room_by_scope(l->c.ward, l->c.sig.service);
    l->c.proto = PROTO_QUERY;
    if (r == NULL || !(speaks(r->model, PROTO_QUERY) || speaks(r->model, PROTO_EC2)))
        return no_service(l, err_aws(400, "InvalidAction",
                                     "Action and Version name no operation that Ward has."));
    if (speaks(r->model, PROTO_EC2))
        l->c.proto = PROTO_EC2;
    l->c.room = r;
    return set_op(l, action);
}

static ptrdiff_t find_last(struct str s, struct str what)
{
    ptrdiff_t last = -1;
    for (size_t from = 0; from < s.n; from = (size_t)last + 1) {
        ptrdiff_t at = str_find(str_skip(s, from), what);
        if (at < 0)
            break;
        last = (ptrdiff_t)from + at;
    }
    return last;
}

/* The last one counts: a bucket's name may hold ".s3." itself.
 * "BUCKET.s3.amazonaws.com", "BUCKET.s3.REGION.…", "BUCKET.s3.localhost:4566", "BUCKET.localhost":
 * the bucket, or STR_NONE for path style. */
static struct str bucket_of_host(struct str host)
{
    ptrdiff_t colon = str_rfind_char(host, ':');
    if (colon >= 0 && (host.n == 0 || host.p[host.n - 1] != ']'))
        host = str_take(host, (size_t)colon);
    ptrdiff_t at = find_last(host, STR(".s3."));
    if (at < 0)
        at = find_last(host, STR(".s3-"));
    if (at > 0)
        return str_take(host, (size_t)at);
    if (str_ends_c(host, ".localhost") && host.n > 10) {
        struct str name = str_take(host, host.n - 10);
        return str_is(name, "s3") ? STR_NONE : name;
    }
    return STR_NONE;
}

/* https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html: the only operation of S3 that
 * its content type names. */
static bool is_form_upload(const struct line *l)
{
    struct str type = wire_req_header(&l->wire, "Content-Type");
    return l->c.proto == PROTO_REST_XML && str_is(l->wire.method, "POST") &&
           str_ieq(str_take(type, 19), STR("multipart/form-data"));
}

static struct err *identify_rest(struct line *l)
{
    struct call *c = &l->c;
    const struct room *r = NULL;
    const struct op_model *op = NULL;
    struct str path = l->wire.path;
    for (size_t i = 0; c->sig.service.n > 0 && i < c->ward->n_rooms && r == NULL; i++) {
        const struct service_model *m = c->ward->rooms[i]->model;
        if (str_is(c->sig.service, m->signing_name) &&
            (speaks(m, PROTO_REST_JSON) || speaks(m, PROTO_REST_XML)))
            r = c->ward->rooms[i];
    }
    if (r == NULL && c->sig.service.n == 0)
        r = room_by_name(c->ward, "s3"); /* unsigned: only S3 has objects for everybody */
    c->proto = r == NULL ? PROTO_REST_JSON : PROTO_REST_XML;
    if (r == NULL)
        return no_service(l, err_aws(400, "UnknownOperationException",
                                     "The signature's scope and the path name no service that Ward "
                                     "has."));
    c->room = r;
    c->proto = r->model->protocols[0];
    if (c->proto == PROTO_REST_XML) {
        struct str bucket = bucket_of_host(wire_req_header(&l->wire, "Host"));
        if (bucket.p != NULL)
            path = arena_fmt(l->arena, "/%.*s%.*s", STR_ARG(bucket), STR_ARG(path));
    }
    TRY(route_rest(l->arena, r->model, &l->wire, path, &op));
    if (op == NULL && is_form_upload(l)) {
        l->event_name = "PostObject";
        return err_not_implemented(c, "PostObject");
    }
    if (op == NULL)
        return c->proto == PROTO_REST_XML
                   ? err_aws(405, "MethodNotAllowed",
                             "The specified method is not allowed against this resource.")
                   : err_aws(404, "UnknownOperationException",
                             "The method and path name no operation.");
    return set_op(l, str_c(op->name));
}

struct err *line_identify(struct line *l, struct str body)
{
    struct str target = wire_req_header(&l->wire, "X-Amz-Target");
    if (target.p != NULL)
        return identify_target(l, target);
    if (str_is(wire_req_header(&l->wire, "smithy-protocol"), "rpc-v2-cbor"))
        return identify_cbor(l);
    struct str type = wire_req_header(&l->wire, "Content-Type");
    if (str_is(l->wire.method, "POST") &&
        str_starts_c(type, "application/x-www-form-urlencoded") && body.n > 0) {
        struct wire_param *params;
        size_t n;
        TRY(wire_params(l->arena, body, &params, &n));
        struct wire_param *all = ARENA_ARRAY(l->arena, n + l->wire.n_params + 1, struct wire_param);
        memcpy(all, params, n * sizeof *all);
        memcpy(all + n, l->wire.params, l->wire.n_params * sizeof *all);
        l->wire.params = all;
        l->wire.n_params += n;
    }
    struct str action = wire_param(&l->wire, "Action");
    if (action.p != NULL && wire_param(&l->wire, "Version").p != NULL)
        return identify_query(l, action);
    return identify_rest(l);
}

void line_identify_head(struct line *l)
{
    struct call *c = &l->c;
    const struct room *r =
        c->sig.service.n > 0 ? room_by_scope(c->ward, c->sig.service) : NULL;
    bool query = r != NULL && (speaks(r->model, PROTO_QUERY) || speaks(r->model, PROTO_EC2));
    struct str type = wire_req_header(&l->wire, "Content-Type");
    if (query && wire_req_header(&l->wire, "X-Amz-Target").p == NULL &&
        str_starts_c(type, "application/x-www-form-urlencoded")) {
        c->room = r; /* the Action is in the body */
        c->proto = speaks(r->model, PROTO_EC2) ? PROTO_EC2 : PROTO_QUERY;
        return;
    }
    err_free(line_identify(l, STR_NONE)); /* what it says of the body does not count any more */
}
