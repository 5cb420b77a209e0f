/* Rows: stacks, their resources and events. */
#include "room.h"

static const char *const text_none = "";

struct skey stack_key(const struct place *p)
{
    struct skey k = skey();
    key_str(&k, p->account);
    key_str(&k, p->region);
    key_str(&k, p->uuid);
    return k;
}

static struct skey part_key(const struct place *p, struct str part)
{
    struct skey k = stack_key(p);
    key_str(&k, part);
    return k;
}

static struct skey name_key(const struct place *p, struct str name)
{
    struct place n = *p;
    n.uuid = name;
    return stack_key(&n);
}

/* arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/UUID */
bool place_of_arn(struct str stack_arn, struct place *out)
{
    struct arn arn;
    if (!arn_parse(stack_arn, &arn) || !str_is(arn.service, "cloudformation"))
        return false;
    struct str rest = arn.resource;
    if (!str_is(str_cut(&rest, '/'), "stack") || rest.p == NULL)
        return false;
    str_cut(&rest, '/');
    if (rest.n == 0)
        return false;
    *out = (struct place){arn.account, arn.region, rest};
    return true;
}

static struct err *load(struct txn *t, struct arena *a, const char *table, struct str key,
                        struct jv **out)
{
    struct str text;
    *out = NULL;
    TRY(txn_get(t, table, key, a, &text));
    return text.p == NULL ? NULL : json_parse(a, text, JSON_DEPTH_MAX, out);
}

static struct err *save(struct txn *t, struct arena *a, const char *table, const struct place *p,
                        struct str key, const struct jv *row)
{
    struct str text = jv_text(a, row);
    if (text.p == NULL)
        return err_new(ERR_LIMIT, "A row of the stack is too large.");
    return txn_put(t, table, p->account, key, text);
}

struct err *stack_load(struct txn *t, struct arena *a, const struct place *p, struct jv **out)
{
    struct skey k = stack_key(p);
    return load(t, a, CFN_T_STACK, key_of(&k), out);
}

struct err *stack_save(struct txn *t, struct arena *a, const struct place *p,
                       const struct jv *stack)
{
    struct skey k = stack_key(p);
    return save(t, a, CFN_T_STACK, p, key_of(&k), stack);
}

struct err *stack_find(struct call *c, struct str name_or_arn, struct place *out_place,
                       struct jv **out)
{
    struct place p = {c->account, c->region, STR_NONE};
    *out = NULL;
    bool by_arn = str_starts_c(name_or_arn, "arn:");
    if (by_arn) {
        if (!place_of_arn(name_or_arn, &p) || !str_eq(p.account, c->account) ||
            !str_eq(p.region, c->region))
            return NULL;
    } else {
        struct skey k = name_key(&p, name_or_arn);
        TRY(txn_get(c->txn, CFN_T_NAME, key_of(&k), c->arena, &p.uuid));
        if (p.uuid.p == NULL)
            return NULL;
    }
    *out_place = p;
    TRY(stack_load(c->txn, c->arena, &p, out));
    /* Policies speak of the whole ARN: a true id behind another stack's name names nothing. */
    if (by_arn && !str_eq(jv_s(jv_get(*out, "arn")), name_or_arn))
        *out = NULL;
    return NULL;
}

struct err *stack_need(struct call *c, struct str name_or_arn, struct place *out_place,
                       struct jv **out)
{
    TRY(stack_find(c, name_or_arn, out_place, out));
    if (*out != NULL)
        return NULL;
    return template_error("Stack with id %.*s does not exist",
                          (int)(name_or_arn.n < 300 ? name_or_arn.n : 300),
                          name_or_arn.p == NULL ? text_none : name_or_arn.p);
}

struct err *stack_name_put(struct txn *t, const struct place *p, struct str name)
{
    struct skey k = name_key(p, name);
    return txn_put(t, CFN_T_NAME, p->account, key_of(&k), p->uuid);
}

struct err *stack_name_del(struct txn *t, const struct place *p, struct str name)
{
    struct skey k = name_key(p, name);
    return txn_del(t, CFN_T_NAME, key_of(&k));
}

/* -- templates --------------------------------------------------------------------------------- */

struct err *template_text_put(struct txn *t, const struct place *p, const char *which,
                              struct str text)
{
    struct skey k = part_key(p, str_c(which));
    return txn_put(t, CFN_T_TEMPLATE, p->account, key_of(&k), text);
}

struct err *template_text_get(struct txn *t, struct arena *a, const struct place *p,
                              const char *which, struct str *out)
{
    struct skey k = part_key(p, str_c(which));
    return txn_get(t, CFN_T_TEMPLATE, key_of(&k), a, out);
}

struct err *template_text_del(struct txn *t, const struct place *p, const char *which)
{
    struct skey k = part_key(p, str_c(which));
    return txn_del(t, CFN_T_TEMPLATE, key_of(&k));
}

/* -- resources --------------------------------------------------------------------------------- */

struct err *resource_save(struct txn *t, struct arena *a, const struct place *p,
                          const struct jv *row)
{
    struct skey k = part_key(p, jv_s(jv_get(row, "logical")));
    return save(t, a, CFN_T_RESOURCE, p, key_of(&k), row);
}

struct err *resource_drop(struct txn *t, const struct place *p, struct str logical)
{
    struct skey k = part_key(p, logical);
    return txn_del(t, CFN_T_RESOURCE, key_of(&k));
}

struct err *resource_load_all(struct txn *t, struct arena *a, const struct place *p,
                              struct jv **out)
{
    struct skey k = stack_key(p);
    struct scan sc = {.prefix = key_of(&k)};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    struct jv *all = jv_new_obj(a);
    TRY(txn_scan(t, CFN_T_RESOURCE, &sc, &cur));
    for (;;) {
        bool more;
        struct str key, value;
        struct jv *row;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            break;
        TRY(json_parse(a, value, JSON_DEPTH_MAX, &row));
        jv_set(a, all, jv_s(jv_get(row, "logical")), row);
    }
    *out = all;
    return NULL;
}

bool resource_live(const struct jv *row)
{
    struct str s = jv_s(jv_get(row, "status"));
    return row != NULL && !str_is(s, "DELETE_COMPLETE") && !str_is(s, "DELETE_SKIPPED");
}

/* -- events ------------------------------------------------------------------------------------ */

struct err *event_add(struct txn *t, struct arena *a, const struct place *p, struct jv *stack,
                      const struct event *e)
{
    int64_t n = jv_i(jv_get(stack, "events"), 0) + 1;
    int64_t last = jv_i(jv_get(stack, "event_ms"), 0), now = clock_now_ms();
    /* Times tell the order too: no two events of a stack have the same. */
    now = now > last ? now : last + 1;
    put_i(a, stack, "events", n);
    put_i(a, stack, "event_ms", now);
    struct jv *row = jv_new_obj(a);
    char uuid[37];
    rand_uuid(uuid);
    struct str id = str_is(e->type, "AWS::CloudFormation::Stack")
                        ? str_c(uuid)
                        : arena_fmt(a, "%.*s-%.*s-%s", STR_ARG(e->logical), STR_ARG(e->status),
                                    uuid);
    put_s(a, row, "id", arena_str(a, id));
    put_s(a, row, "logical", e->logical);
    put_s(a, row, "physical", e->physical);
    put_s(a, row, "type", e->type);
    put_s(a, row, "status", e->status);
    put_s(a, row, "reason", e->reason.n > 0 ? e->reason : STR_NONE);
    put_s(a, row, "properties", e->properties);
    put_s(a, row, "token", jv_s(jv_get(stack, "token")));
    put_i(a, row, "time_ms", now);
    struct skey k = stack_key(p);
    key_u64(&k, (uint64_t)n);
    return save(t, a, CFN_T_EVENT, p, key_of(&k), row);
}

struct err *stack_status(struct txn *t, struct arena *a, const struct place *p, struct jv *stack,
                         const char *status, struct str reason)
{
    put_s(a, stack, "status", str_c(status));
    put_s(a, stack, "reason", reason.n > 0 ? reason : STR_NONE);
    struct event e = {.logical = jv_s(jv_get(stack, "name")),
                      .physical = jv_s(jv_get(stack, "arn")),
                      .type = STR("AWS::CloudFormation::Stack"),
                      .status = str_c(status),
                      .reason = reason};
    return event_add(t, a, p, stack, &e);
}

struct err *check_updatable(const struct jv *stack)
{
    static const char *const states[] = {"CREATE_COMPLETE", "UPDATE_COMPLETE",
                                         "UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED"};
    struct str status = jv_s(jv_get(stack, "status"));
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (str_is(status, states[i]))
            return NULL;
    return template_error("Stack:%.*s is in %.*s state and can not be updated.",
                          STR_ARG(jv_s(jv_get(stack, "arn"))), STR_ARG(status));
}

bool in_progress(struct str status)
{
    return str_ends_c(status, "_IN_PROGRESS") && !str_is(status, "REVIEW_IN_PROGRESS");
}
