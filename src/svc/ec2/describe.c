/* Every Describe call: which things, in which order, how many at once, and how they are shown. */
#include "room.h"

struct err *thing_view(struct call *c, enum kind k, const struct jv *row, struct jv **out)
{
    struct jv *view = jv_new_obj(c->arena);
    for (size_t i = 0; i < row->obj.n; i++) {
        struct str key = row->obj.v[i].key;
        if (key.n > 0 && key.p[0] >= 'A' && key.p[0] <= 'Z')
            jv_set(c->arena, view, key, &row->obj.v[i].value);
    }
    if (ec2_kinds[k].derive != NULL)
        TRY(ec2_kinds[k].derive(c, row, view));
    *out = view;
    return NULL;
}

struct err *answer(struct call *c, void *out, const char *member, const struct jv *doc)
{
    const struct shape_member *m = shape_member(c->op->output, str_c(member));
    CHECK(m != NULL && m->shape->kind == SH_STRUCT);
    void *value;
    TRY(shape_from_json(c->arena, m->shape, doc, false, &value));
    memcpy((char *)out + m->offset, &value, sizeof value);
    return NULL;
}

struct err *answer_thing(struct call *c, void *out, const char *member, enum kind k,
                         const struct jv *row)
{
    struct jv *view;
    TRY(thing_view(c, k, row, &view));
    return answer(c, out, member, view);
}

struct err *answer_list(struct call *c, void *out, const char *member, const struct rows *docs)
{
    const struct shape_member *m = shape_member(c->op->output, str_c(member));
    CHECK(m != NULL && m->shape->kind == SH_LIST);
    struct any_list l = {.n = docs->n, .set = true};
    l.v = arena_alloc_array(c->arena, docs->n + 1, m->shape->item_size);
    for (size_t i = 0; i < docs->n; i++) {
        void *item;
        TRY(shape_from_json(c->arena, m->shape->elem, docs->v[i], false, &item));
        memcpy((char *)l.v + i * m->shape->item_size, item, m->shape->item_size);
    }
    memcpy((char *)out + m->offset, &l, sizeof l);
    return NULL;
}

void answer_next(struct call *c, void *out, struct str next)
{
    const struct shape_member *m = shape_member(c->op->output, STR("NextToken"));
    if (m != NULL)
        memcpy((char *)out + m->offset, &next, sizeof next);
}

/* -- what was asked for ------------------------------------------------------------------------ */

/* A member of the input, or NULL when the operation has none of the name. */
static const void *input_at(struct call *c, const char *name)
{
    const struct shape_member *m = shape_member(c->op->input, str_c(name));
    return m != NULL ? shape_at(m, c->in) : NULL;
}

struct err *call_filters(struct call *c, const struct filter_def *defs, struct filter **out,
                         size_t *out_n)
{
    const struct ec2_FilterList *l = input_at(c, "Filters");
    *out_n = l != NULL ? l->n : 0;
    *out = ARENA_ARRAY(c->arena, *out_n + 1, struct filter);
    for (size_t i = 0; i < *out_n; i++)
        (*out)[i] = (struct filter){.name = l->v[i].Name,
                                    .values = l->v[i].Values.v,
                                    .n = l->v[i].Values.n};
    return filters_check(defs, *out, *out_n);
}

/* How many at once, and behind which one. */
static struct err *page_asked(struct call *c, size_t *out_max, struct str *out_position)
{
    const struct opt_int *max = input_at(c, "MaxResults");
    const struct str *token = input_at(c, "NextToken");
    *out_max = EC2_PAGE_MAX;
    *out_position = STR_NONE;
    if (max != NULL && max->set && max->v > 0 && max->v < EC2_PAGE_MAX)
        *out_max = (size_t)max->v;
    if (token != NULL)
        return page_position(c, *token, "InvalidNextToken", out_position);
    return NULL;
}

/* The page is full, and there is one more. */
static bool page_full(struct call *c, struct selection *out, size_t max, struct str last)
{
    if (out->docs.n < max)
        return false;
    out->next = page_token(c, last);
    return true;
}

static struct err *select_ids(struct call *c, enum kind k, const struct any_list *ids,
                              const struct filter *f, size_t n_f, struct selection *out)
{
    const struct str *id = ids->v;
    const struct opt_int *max = input_at(c, "MaxResults");
    if (max != NULL && max->set)
        return err_aws(400, "InvalidParameterCombination",
                       "The parameter MaxResults cannot be used with ids of resources.");
    if (ids->n > EC2_IDS_MAX)
        return err_aws(400, "InvalidParameterValue", "At most %d ids can be named in one call.",
                       EC2_IDS_MAX);
    for (size_t i = 0; i < ids->n; i++) {
        struct jv *row, *view;
        bool again = false;
        for (size_t j = 0; j < i && !again; j++)
            again = str_eq(id[i], id[j]);
        TRY(thing_need(c, k, id[i], &row));
        TRY(thing_view(c, k, row, &view));
        if (!again && filters_match(ec2_kinds[k].filters, f, n_f, view))
            VEC_PUSH(c->arena, &out->docs, view);
    }
    return NULL;
}

static struct err *select_scan(struct call *c, enum kind k, const struct filter *f, size_t n_f,
                               struct selection *out)
{
    size_t max;
    struct str position, last = STR_NONE;
    TRY(page_asked(c, &max, &position));
    struct skey prefix = skey();
    key_str(&prefix, c->account);
    key_str(&prefix, c->region);
    struct scan sc = {.prefix = key_of(&prefix), .from = position, .after = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, ec2_kinds[k].table, &sc, &cur));
    for (;;) {
        bool more;
        struct str key, value;
        struct jv *row, *view;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        TRY(json_parse(c->arena, value, JSON_DEPTH_DEFAULT, &row));
        TRY(thing_view(c, k, row, &view));
        TRY(arena_check(c->arena));
        if (!filters_match(ec2_kinds[k].filters, f, n_f, view))
            continue;
        if (page_full(c, out, max, last))
            return NULL;
        VEC_PUSH(c->arena, &out->docs, view);
        last = arena_str(c->arena, key);
    }
}

struct err *select_things(struct call *c, enum kind k, const char *ids_member,
                          struct selection *out)
{
    struct filter *f;
    size_t n_f;
    *out = (struct selection){0};
    TRY(call_filters(c, ec2_kinds[k].filters, &f, &n_f));
    const struct any_list *ids = ids_member != NULL ? input_at(c, ids_member) : NULL;
    if (ids != NULL && ids->n > 0)
        return select_ids(c, k, ids, f, n_f, out);
    return select_scan(c, k, f, n_f, out);
}

struct err *select_docs(struct call *c, const struct filter_def *defs, const struct rows *from,
                        struct selection *out)
{
    struct filter *f;
    size_t n_f, max;
    struct str position, last = STR_NONE;
    *out = (struct selection){0};
    TRY(call_filters(c, defs, &f, &n_f));
    TRY(page_asked(c, &max, &position));
    for (size_t i = 0; i < from->n; i++) {
        struct str at = get_s(from->v[i], "at");
        if ((position.p != NULL && str_cmp(at, position) <= 0) ||
            !filters_match(defs, f, n_f, from->v[i]))
            continue;
        if (page_full(c, out, max, last))
            return NULL;
        last = at;
        struct jv *doc;
        TRY(thing_view(c, K_NONE, from->v[i], &doc));
        VEC_PUSH(c->arena, &out->docs, doc);
    }
    return NULL;
}

/* -- the calls that are no more than this ------------------------------------------------------ */

static const struct describe {
    const char *op;
    enum kind kind;
    const char *ids, *list;
} describes[] = {
    {"DescribeVpcs", K_VPC, "VpcIds", "Vpcs"},
    {"DescribeSubnets", K_SUBNET, "SubnetIds", "Subnets"},
    {"DescribeInternetGateways", K_GATEWAY, "InternetGatewayIds", "InternetGateways"},
    {"DescribeRouteTables", K_ROUTES, "RouteTableIds", "RouteTables"},
    {"DescribeNetworkAcls", K_ACL, "NetworkAclIds", "NetworkAcls"},
    {"DescribeSecurityGroups", K_GROUP, "GroupIds", "SecurityGroups"},
    {"DescribeDhcpOptions", K_DHCP, "DhcpOptionsIds", "DhcpOptions"},
};

struct err *ec2_describe_op(struct call *c, const void *in, void *out)
{
    TRY(ec2_begin(c, in));
    const struct describe *d = NULL;
    for (size_t i = 0; i < ARRAY_LEN(describes); i++)
        if (strcmp(describes[i].op, c->op->name) == 0)
            d = &describes[i];
    CHECK(d != NULL);
    struct selection s;
    TRY(select_things(c, d->kind, d->ids, &s));
    TRY(answer_list(c, out, d->list, &s.docs));
    answer_next(c, out, s.next);
    return NULL;
}
