/* Carrying out the steps of a type: one call to another room each. */
#include "fill.h"
#include "template.h"

enum { STEP_ARENA_MAX = CALL_ARENA_MAX };

static bool same(const struct jv *x, const struct jv *y)
{
    return x == y || (x != NULL && y != NULL && jv_equal(x, y));
}

static bool among(const char *words, const char *word)
{
    for (struct str rest = str_c(words); rest.p != NULL;)
        if (str_is(str_cut(&rest, ' '), word))
            return true;
    return false;
}

/* -- whether a step is for now ----------------------------------------------------------------- */

static bool passes(struct arena *a, const struct act *x, const struct jv *element, const char *test)
{
    if (test == NULL)
        return true;
    if (test[0] == '@')
        return fill_lookup(a, x, element, arena_fmt(a, "a.%s", test + 1)) != NULL;
    const struct jv *v = fill_lookup(a, x, element, arena_fmt(a, "p.%s", test + 1));
    struct str text = template_scalar(a, v);
    return str_is_i(text, test[0] == '+' ? "true" : "false");
}

/* Of the properties that the step looks at: some are there; some changed; some went. */
static void look_at(const struct act *x, const char *when, bool *out_there, bool *out_changed,
                    bool *out_gone)
{
    *out_there = *out_changed = *out_gone = false;
    for (struct str rest = str_c(when); rest.p != NULL;) {
        struct str name = str_cut(&rest, ' ');
        const struct jv *now = jv_get_str(x->props, name), *old = jv_get_str(x->old, name);
        *out_there = *out_there || now != NULL;
        *out_changed = *out_changed || (now != NULL && !same(now, old));
        *out_gone = *out_gone || (now == NULL && old != NULL);
    }
}

static bool due(const struct act *x, const struct step *s, unsigned phase)
{
    bool there, changed, gone;
    if ((s->on & phase) == 0)
        return false;
    if (s->when == NULL)
        return true;
    look_at(x, s->when, &there, &changed, &gone);
    if ((phase & (ON_UPDATE | ON_GONE)) != 0)
        return ((s->on & ON_UPDATE) != 0 && changed) || ((s->on & ON_GONE) != 0 && gone);
    return there;
}

static const struct jv *find(const struct jv *list, const struct jv *element, const char *key)
{
    for (size_t i = 0; i < jv_len(list); i++) {
        const struct jv *e = jv_at(list, i);
        if (key != NULL ? same(jv_get(e, key), jv_get(element, key)) : same(e, element))
            return e;
    }
    return NULL;
}

/* The elements that a step is carried out for. */
static struct jv *elements(struct arena *a, const struct act *x, const struct step *s,
                           unsigned phase)
{
    struct jv *list = jv_new_arr(a);
    const struct jv *now = jv_get(x->props, s->each), *old = jv_get(x->old, s->each);
    bool updating = (phase & (ON_UPDATE | ON_GONE)) != 0, there, changed, gone;
    look_at(x, s->when, &there, &changed, &gone);
    for (size_t i = 0; i < jv_len(now); i++) {
        const struct jv *e = jv_at(now, i);
        if (!updating || ((s->on & ON_UPDATE) != 0 &&
                          ((s->when != NULL && changed) || !same(find(old, e, s->key), e))))
            jv_push(a, list, e);
    }
    for (size_t i = 0; updating && (s->on & ON_GONE) != 0 && i < jv_len(old); i++)
        if (find(now, jv_at(old, i), s->key) == NULL)
            jv_push(a, list, jv_at(old, i));
    return list;
}

/* -- the call ---------------------------------------------------------------------------------- */

/* Values that outlive the call, copied. */
static const struct jv *keep(struct arena *a, const struct jv *v)
{
    struct str text = template_scalar(a, v);
    return text.p == NULL ? NULL : jv_new_str(a, arena_str(a, text));
}

static void save_outputs(struct act *x, struct arena *a, const struct jv *element,
                         const struct step *s, const struct jv *out)
{
    for (struct str rest = str_c(s->save); rest.p != NULL;) {
        struct str entry = str_cut(&rest, ';');
        ptrdiff_t at = str_rfind_char(entry, '=');
        struct str from = str_take(entry, (size_t)at), to = str_skip(entry, (size_t)at + 1);
        const struct jv *v = from.n > 0 && (from.p[0] == '$' || from.p[0] == '=')
                                 ? fill_text(a, x, element, from)
                                 : fill_path(x, out, from);
        v = keep(x->arena, v);
        if (v == NULL)
            continue;
        if (str_is(to, "@id")) {
            put_v(x->arena, x->row, "id", v);
            continue;
        }
        struct str name = jv_s(fill_text(a, x, element, arena_fmt(a, "=%.*s", STR_ARG(to))));
        struct jv *attrs = jv_new_obj(x->arena);
        const struct jv *old = jv_get(x->row, "attrs");
        for (size_t i = 0; i < jv_len(old); i++)
            jv_set(x->arena, attrs, old->obj.v[i].key, &old->obj.v[i].value);
        jv_set(x->arena, attrs, arena_str(x->arena, name), v);
        put_v(x->arena, x->row, "attrs", attrs);
    }
}

static bool has_room(const struct ward *w, const char *name)
{
    for (size_t i = 0; i < w->n_rooms; i++)
        if (strcmp(w->rooms[i]->name, name) == 0)
            return true;
    return false;
}

static bool has_op(const struct ward *w, const char *room, const char *op)
{
    for (size_t i = 0; i < w->n_rooms; i++)
        for (size_t k = 0; strcmp(w->rooms[i]->name, room) == 0 && k < w->rooms[i]->n_ops; k++)
            if (strcmp(w->rooms[i]->ops[k].name, op) == 0)
                return true;
    return false;
}

static struct err *call(struct act *x, struct arena *a, const struct step *s,
                        const struct jv *element, struct jv **out)
{
    const struct jv *in;
    TRY(fill_input(a, x, element, s->in, &in));
    if (!has_room(x->as.ward, s->room) || !has_op(x->as.ward, s->room, s->op))
        return err_aws(501, "NotImplemented", "%s:%s is not built in this version of Ward.",
                       s->room, s->op);
    struct api_call o = x->as;
    o.arena = a;
    struct err *e = api_call_json(&o, s->room, s->op, in, true, out);
    if (e == NULL && arena_over(a)) /* the answer may be cut short: do not build on it */
        return err_new(ERR_LIMIT, "An answer of %s took too much memory.", s->room);
    return e;
}

/* Who was called and what it said, as status reasons have it. */
static struct err *explain(const struct step *s, struct err *e)
{
    if (err_is(e, ERR_CONFLICT) || err_is(e, ERR_IO) || err_is(e, ERR_FULL))
        return e;
    char message[ERR_MESSAGE_MAX];
    int n = snprintf(message, sizeof message, "%.480s", e->message);
    struct err *named = err_aws(err_http_status(e), e->code != NULL ? e->code : "InternalFailure",
                                "%.*s (Service: %s; Status Code: %d; Error Code: %s)", n, message,
                                s->room, err_http_status(e),
                                e->code != NULL ? e->code : "InternalFailure");
    named->kind = e->kind;
    err_free(e);
    return named;
}

static bool forgiven(const struct step *s, const struct err *e)
{
    if (s->ignore == NULL)
        return false;
    return strcmp(s->ignore, "*") == 0 || (e->code != NULL && among(s->ignore, e->code));
}

static struct err *adopt(struct act *x, struct arena *a)
{
    for (const struct step *s = x->type->steps; s->on != 0; s++) {
        struct jv *out = NULL;
        if ((s->on & ON_ADOPT) == 0)
            continue;
        if (s->op != NULL) {
            struct err *e = call(x, a, s, NULL, &out);
            if (e != NULL)
                return explain(s, e);
        }
        save_outputs(x, a, NULL, s, out);
    }
    return NULL;
}

/* The JSON protocols refuse with status 400: the code tells. */
static bool is_denied(const struct err *e)
{
    return err_is(e, ERR_DENIED) || err_http_status(e) == 403 ||
           (e->code != NULL && (strstr(e->code, "AccessDenied") != NULL ||
                                strcmp(e->code, "AuthorizationError") == 0 ||
                                strcmp(e->code, "UnauthorizedOperation") == 0));
}

static bool is_not_found(const struct err *e)
{
    int status = err_http_status(e);
    return !is_denied(e) && status >= 400 && status < 500;
}

struct err *act_find(struct act *x, bool *out_there)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(STEP_ARENA_MAX);
    struct err *e = NULL;
    *out_there = false;
    if (x->type->name_style == NAME_NONE) {
        const struct step *s = type_token_step(x->type);
        struct jv *out = NULL;
        if (s == NULL)
            return NULL;
        e = call(x, a, s, NULL, &out);
        if (e == NULL)
            save_outputs(x, a, NULL, s, out);
    } else {
        e = adopt(x, a);
        if (e == NULL && jv_get(x->row, "id") == NULL)
            put_v(x->arena, x->row, "id", jv_get(x->row, "name"));
    }
    if (e != NULL && is_not_found(e)) {
        err_free(e);
        return NULL;
    }
    *out_there = e == NULL && jv_get(x->row, "id") != NULL;
    return e;
}

static bool ready(const struct act *x, const struct step *s, const struct jv *out)
{
    if (s->until == NULL)
        return true;
    struct str wanted = str_c(s->until), path = str_cut(&wanted, '=');
    struct str now = jv_s(fill_path(x, out, path));
    return str_eq(now, wanted) || now.p == NULL; /* a room that knows no such state is ready */
}

static struct err *run_once(struct act *x, const struct step *s, const struct jv *element)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(STEP_ARENA_MAX);
    struct jv *out = NULL;
    if (!passes(a, x, element, s->test))
        return NULL;
    struct err *e = call(x, a, s, element, &out);
    if (e != NULL && s->exists != NULL && x->again && err_has_code(e, s->exists)) {
        err_free(e);
        return adopt(x, a);
    }
    if (e != NULL && forgiven(s, e)) {
        err_free(e);
        return NULL;
    }
    if (e != NULL)
        return explain(s, e);
    save_outputs(x, a, element, s, out);
    struct str state = s->until == NULL ? STR_NONE : jv_s(jv_get(out, "State"));
    if (str_is(state, "Failed"))
        return template_error("The resource did not become ready: %.*s",
                              STR_ARG(str_take(jv_s(jv_get(out, "StateReason")), 300)));
    x->wait = !ready(x, s, out);
    return NULL;
}

static struct err *run_step(struct act *x, const struct step *s, unsigned phase)
{
    if (s->each == NULL)
        return run_once(x, s, NULL);
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(STEP_ARENA_MAX);
    struct jv *list = elements(a, x, s, phase);
    for (size_t i = 0; i < jv_len(list); i++)
        TRY(run_once(x, s, jv_at(list, i)));
    return NULL;
}

struct err *act_run(struct act *x, unsigned phase)
{
    int64_t done = jv_i(jv_get(x->row, "step"), 0), i = 0;
    bool named = x->type->name_style != NAME_NONE;
    x->wait = false;
    for (const struct step *s = x->type->steps; s->on != 0; s++, i++) {
        if (i < done || (s->each == NULL && !due(x, s, phase)) || (s->on & phase) == 0)
            continue;
        TRY(run_step(x, s, phase));
        if (x->wait)
            return x->save(x);
        if (named && phase == ON_CREATE && jv_get(x->row, "id") == NULL)
            put_v(x->arena, x->row, "id", jv_get(x->row, "name"));
        put_i(x->arena, x->row, "step", i + 1);
        TRY(x->save(x));
    }
    if (named && phase == ON_CREATE && jv_get(x->row, "id") == NULL)
        put_v(x->arena, x->row, "id", jv_get(x->row, "name"));
    return NULL;
}

struct err *act_probe(struct act *x, bool *out_there)
{
    *out_there = false;
    for (const struct step *s = x->type->steps; s->on != 0; s++) {
        if ((s->on & ON_PROBE) == 0)
            continue;
        struct arena *a CLEANUP(arena_free_ptr) = arena_new(STEP_ARENA_MAX);
        struct jv *out;
        struct err *e = call(x, a, s, NULL, &out);
        if (e == NULL) {
            struct str path = str_c(s->save);
            path = str_cut(&path, '=');
            *out_there = s->save == NULL || fill_path(x, out, path) != NULL;
            if (*out_there)
                return NULL;
            continue;
        }
        if (!is_not_found(e) && !(is_denied(e) && s->ignore != NULL))
            return explain(s, e);
        err_free(e);
    }
    return NULL;
}

struct err *act_value(struct act *x, struct str attr, const struct jv **out)
{
    const char *value = attr.p == NULL ? (x->type->ref != NULL ? x->type->ref : "$id") : NULL;
    for (const struct attribute *t = x->type->attributes;
         value == NULL && t != NULL && t->name != NULL; t++)
        if (str_is(attr, t->name))
            value = t->value;
    const struct jv *v = value == NULL ? NULL : fill_text(x->arena, x, NULL, str_c(value));
    if (v != NULL) {
        *out = v;
        return NULL;
    }
    if (attr.p == NULL)
        return template_error("Template error: resource %.*s has no physical id",
                              STR_ARG(jv_s(jv_get(x->row, "logical"))));
    return template_error("Template error: resource %.*s does not support attribute type %.*s in "
                          "Fn::GetAtt", STR_ARG(jv_s(jv_get(x->row, "logical"))),
                          (int)(attr.n < 100 ? attr.n : 100), attr.p);
}
