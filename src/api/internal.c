/* Calls from one room to another. They join the line at authorise, in a transaction of their own,
 * and leave their own record. */
#include "line.h"

#include "../auth/principals.h"
struct internal_wait {
    pthread_mutex_t lock;
    pthread_cond_t cond;
};

/* A parked internal call waits on its caller's thread: the caller is a job or a handler whose own
 * client waits anyway. */
void internal_resume(struct line *l)
{
    struct internal_wait *w = (struct internal_wait *)l->c.priv;
    pthread_mutex_lock(&w->lock);
    l->resumed = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

static struct err *run_to_end(struct line *l)
{
    struct internal_wait w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER};
    l->c.priv = &w;
    l->resume = &w.cond;
    for (;;) {
        struct err *e = line_transact(l);
        if (!is_park_signal(e))
            return e;
        l->resumed = false;
        if (!park_line(l))
            continue;
        pthread_mutex_lock(&w.lock);
        while (!l->resumed)
            pthread_cond_wait(&w.cond, &w.lock);
        pthread_mutex_unlock(&w.lock);
    }
}

static struct err *who_calls(struct line *l, const struct api_call *o)
{
    struct call *c = &l->c;
    if (o->as == AS_CALLER) {
        CHECK(o->from != NULL);
        c->id = o->from->id;
        return NULL;
    }
    if (o->as == AS_SERVICE) {
        c->id = identity_of_service(l->arena, str_c(o->service), c->account);
        return NULL;
    }
    struct txn *t CLEANUP(txn_abort) = NULL;
    TRY(store_begin(c->ward->store, TXN_READ, &t));
    if (o->as == AS_PRINCIPAL) {
        TRY(identity_of_arn(t, l->arena, o->principal_arn, &c->id));
        if (str_eq(c->id.who.user_id, o->principal_id))
            return NULL;
        return err_aws(403, "AccessDenied", "%.*s is not the one who asked for the work: that one "
                       "was deleted.", STR_ARG(o->principal_arn));
    }
    /* Its trust may not be in this service, or no longer. */
    TRY(principals_check_trust(t, l->arena, o->role_arn, str_c(o->service), c->account,
                               o->source_arn));
    return identity_of_role(t, l->arena, o->role_arn, o->session_name, &c->id);
}

static struct err *set_up(struct line *l, const struct api_call *o, const char *room,
                          const char *op)
{
    struct call *c = &l->c;
    c->ward = o->from != NULL ? o->from->ward : o->ward;
    c->arena = l->arena;
    c->http = o->from != NULL ? o->from->http : NULL;
    c->now_ms = clock_now_ms();
    c->account = o->account.p != NULL ? o->account : o->from->account;
    c->region = o->region.p != NULL   ? o->region
                : o->from != NULL     ? o->from->region
                                      : str_c(c->ward->region);
    rand_uuid(c->request_id);
    l->source_arn = o->as == AS_ROLE ? STR_NONE : o->source_arn; /* a role's calls have none */
    if (o->as == AS_CALLER && l->source_arn.p == NULL)
        l->source_arn = ((const struct line *)o->from)->source_arn;
    int depth = 1;
    for (const struct call *up = o->from; up != NULL && depth <= CALL_DEPTH_MAX; depth++) {
        const struct line *ul = (const struct line *)up;
        up = ul->internal != NULL ? ul->internal->from : NULL;
    }
    if (depth > CALL_DEPTH_MAX)
        return err_new(ERR_INTERNAL, "Services called each other too deeply.");
    c->room = room_by_name(c->ward, room);
    if (c->room == NULL)
        return err_not_implemented(c, room);
    c->proto = c->room->model->protocols[0];
    c->op = model_op(c->room->model, str_c(op));
    if (c->op == NULL)
        return err_not_implemented(c, op);
    c->row = room_row(c->room, str_c(op));
    if (c->row == NULL)
        return err_not_implemented(c, op);
    l->audit = c->row->audit;
    l->event_name = row_event_name(c->row);
    return who_calls(l, o);
}

static struct line *internal_line(const struct api_call *o)
{
    struct arena *a = o->arena != NULL ? o->arena : o->from->arena;
    struct line *l = ARENA_NEW(a, struct line);
    l->arena = a;
    l->internal = o;
    l->audit = AUDIT_MANAGEMENT;
    return l;
}

static void leave(struct line *l)
{
    if (l->body_began && l->c.row->body != NULL)
        l->c.row->body->abandon(&l->c);
    txn_abort(&l->c.txn);
}

static struct err *finish_internal(struct line *l, struct err *e)
{
    if (e == NULL)
        e = run_to_end(l);
    if (e == NULL)
        l->body_began = false;
    else
        line_record_refusal(l, e);
    leave(l);
    return e;
}

struct err *api_call(const struct api_call *o, const char *room, const char *op, const void *in,
                     void **out)
{
    struct line *l = internal_line(o);
    struct err *e = set_up(l, o, room, op);
    l->c.in = in;
    TRY(finish_internal(l, e));
    if (out != NULL)
        *out = l->c.out;
    return NULL;
}

struct err *api_call_json(const struct api_call *o, const char *room, const char *op,
                          const struct jv *in, bool coerce, struct jv **out)
{
    struct line *l = internal_line(o);
    void *input = NULL;
    struct err *e = set_up(l, o, room, op);
    if (e == NULL && l->c.op->input != NULL)
        e = shape_from_json(l->arena, l->c.op->input, in, coerce, &input);
    l->c.in = input;
    TRY(finish_internal(l, e));
    if (out != NULL)
        *out = l->c.op->output == NULL ? jv_new_obj(l->arena)
                                       : shape_to_json(l->arena, l->c.op->output, l->c.out);
    return NULL;
}

static struct err *read_stream(struct line *l, size_t max, struct str *out_body)
{
    struct call *c = &l->c;
    struct buf b CLEANUP(buf_clear) = BUF_INIT(max);
    struct err *e = NULL;
    while (e == NULL) {
        char *to = buf_reserve(&b, 1);
        size_t room = to == NULL ? 0 : b.cap - b.n, n = 0;
        if (to == NULL) {
            char probe;
            e = c->stream.fill(c->stream.arg, &probe, 1, &n);
            if (e == NULL && n > 0)
                e = err_new(ERR_LIMIT, "The object is larger than %zu bytes.", max);
            if (n == 0)
                break;
            continue;
        }
        e = c->stream.fill(c->stream.arg, to, room, &n);
        if (e != NULL || n == 0)
            break;
        buf_advance(&b, n);
    }
    c->stream.done(c->stream.arg);
    if (e == NULL)
        *out_body = arena_str(l->arena, buf_view(&b));
    return e;
}

struct err *api_call_body(const struct api_call *o, const char *room, const char *op,
                          const struct jv *in, struct str body, struct jv **out, size_t max,
                          struct str *out_body)
{
    struct line *l = internal_line(o);
    void *input = NULL;
    struct err *e = set_up(l, o, room, op);
    if (e == NULL)
        e = shape_from_json(l->arena, l->c.op->input, in, false, &input);
    l->c.in = input;
    if (e == NULL && l->c.row->body != NULL) {
        e = line_begin_body(l);
        for (struct str rest = body; e == NULL && rest.n > 0; rest = str_skip(rest, HTTP_PIECE))
            e = l->c.row->body->data(&l->c, str_take(rest, HTTP_PIECE));
    }
    TRY(finish_internal(l, e));
    if (out != NULL)
        *out = shape_to_json(l->arena, l->c.op->output, l->c.out);
    if (out_body == NULL)
        return NULL;
    *out_body = STR("");
    return l->c.has_stream ? read_stream(l, max, out_body) : NULL;
}
