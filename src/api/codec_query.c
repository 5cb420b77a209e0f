/* codec_query.c: "A.member.1.B=c" to structs: the query protocol, and EC2's variant of it.
 *
 * The parameters are sorted and made into a tree of their dotted names, so that the cost does not
 * grow with parameters times members. */
#include "codec_parts.h"

struct node {
    struct str name;  /* one segment */
    struct str value; /* p == NULL: none of its own */
    struct node *first, *last, *next;
};

struct query {
    struct arena *arena;
    const char *code; /* for values that are not of their type */
    bool ec2;
};

static struct err *decode_value(const struct query *q, const struct shape *s, enum time_format time,
                                const struct node *n, void *out, int depth);

struct placed { /* a parameter and its place: qsort() need not leave equal ones in order */
    struct str name, value;
    size_t at;
};

/* '.' sorts before everything, so that the children of a name follow it directly. */
static int by_name(const void *x, const void *y)
{
    const struct placed *px = x, *py = y;
    struct str a = px->name, b = py->name;
    for (size_t i = 0; i < a.n && i < b.n; i++) {
        int ca = a.p[i] == '.' ? -1 : (unsigned char)a.p[i];
        int cb = b.p[i] == '.' ? -1 : (unsigned char)b.p[i];
        if (ca != cb)
            return ca < cb ? -1 : 1;
    }
    if (a.n == b.n)
        return px->at < py->at ? -1 : 1;
    return a.n < b.n ? -1 : 1;
}

static struct node *child_for(struct arena *a, struct node *parent, struct str name)
{
    if (parent->last != NULL && str_eq(parent->last->name, name))
        return parent->last;
    struct node *n = ARENA_NEW(a, struct node);
    n->name = name;
    if (parent->last == NULL)
        parent->first = n;
    else
        parent->last->next = n;
    parent->last = n;
    return n;
}

static struct err *build_tree(struct arena *a, const struct wire_param *params, size_t count,
                              struct node *root)
{
    struct placed *sorted = ARENA_ARRAY(a, count + 1, struct placed);
    for (size_t i = 0; i < count; i++)
        sorted[i] = (struct placed){params[i].name, params[i].value, i};
    qsort(sorted, count, sizeof *sorted, by_name);
    for (size_t i = 0; i < count; i++) {
        struct node *at = root;
        int depth = 0;
        for (struct str rest = sorted[i].name; rest.p != NULL;) {
            if (++depth > 2 * CODEC_DEPTH_MAX)
                return err_aws(400, "MalformedQueryString",
                               "A parameter's name has too many parts.");
            at = child_for(a, at, str_cut(&rest, '.'));
        }
        if (at->value.p == NULL)
            at->value = sorted[i].value;
    }
    return arena_check(a);
}

static const struct node *child(const struct node *n, const char *name)
{
    for (const struct node *c = n->first; c != NULL; c = c->next)
        if (str_is(c->name, name))
            return c;
    return NULL;
}

/* --- lists and maps: children with numbers */

struct numbered {
    int64_t index;
    const struct node *node;
};

static int by_index(const void *x, const void *y)
{
    const struct numbered *a = x, *b = y;
    if (a->index == b->index) /* "1" and "01" */
        return str_cmp(a->node->name, b->node->name);
    return a->index < b->index ? -1 : 1;
}

static size_t numbered_children(struct arena *a, const struct node *n, struct numbered **out)
{
    size_t count = 0;
    for (const struct node *c = n->first; c != NULL; c = c->next)
        count++;
    struct numbered *v = ARENA_ARRAY(a, count + 1, struct numbered);
    count = 0;
    for (const struct node *c = n->first; c != NULL; c = c->next)
        if (str_to_i64(c->name, 0, INT32_MAX, &v[count].index))
            v[count++].node = c;
    qsort(v, count, sizeof *v, by_index);
    *out = v;
    return count;
}

static struct err *decode_entry(const struct query *q, const struct shape *s, const struct node *n,
                                char *item, int depth)
{
    const struct node *key = child(n, s->key_wire != NULL ? s->key_wire : "key");
    const struct node *value = child(n, s->elem_wire != NULL ? s->elem_wire : "value");
    if (key == NULL || key->value.p == NULL || value == NULL)
        return err_aws(400, q->code, "An entry of %s lacks its key or its value.", s->name);
    *(struct str *)item = key->value;
    return decode_value(q, s->elem, s->elem->time, value, item + s->value_offset, depth);
}

static struct err *decode_items(const struct query *q, const struct shape *s, const struct node *n,
                                bool flattened, struct any_list *out, int depth)
{
    const char *step = s->kind == SH_MAP ? "entry" : (s->elem_wire ? s->elem_wire : "member");
    const struct node *inner = flattened || q->ec2 ? NULL : child(n, step);
    if (inner == NULL && !flattened && !q->ec2 && s->kind == SH_LIST)
        inner = child(n, "member");
    struct numbered *v;
    size_t count = numbered_children(q->arena, inner != NULL ? inner : n, &v);
    struct any_list l;
    TRY(list_make(q->arena, s, count, q->code, &l));
    for (size_t i = 0; i < count; i++) {
        char *item = (char *)l.v + i * s->item_size;
        if (s->kind == SH_MAP)
            TRY(decode_entry(q, s, v[i].node, item, depth));
        else
            TRY(decode_value(q, s->elem, s->elem->time, v[i].node, item, depth));
    }
    if (s->kind == SH_MAP)
        map_last_wins(s, &l);
    *out = l;
    return NULL;
}

/* --- structs */

static const struct node *child_capital(struct arena *a, const struct node *n, const char *name)
{
    char *capital = arena_cstr(a, str_c(name));
    if (capital[0] >= 'a' && capital[0] <= 'z')
        capital[0] = (char)(capital[0] - ('a' - 'A'));
    return child(n, capital);
}

/* EC2 sends queryName, or the name with a capital. In the query protocol a flattened list goes by
 * its elements' name ("AttributeName.1"); members of SQS have a name of their own ("Attribute.1"),
 * and the model's name is accepted in any case. */
static const struct node *find_node(const struct query *q, const struct node *n,
                                    const struct shape_member *m)
{
    const struct node *c = NULL;
    if (q->ec2) {
        c = m->query_name != NULL ? child(n, m->query_name) : child_capital(q->arena, n, m->wire);
        return c != NULL ? c : child(n, m->name);
    }
    if (m->flattened && m->shape->kind == SH_LIST && m->shape->elem_wire != NULL)
        c = child(n, m->shape->elem_wire);
    if (c == NULL && m->query_name != NULL)
        c = child(n, m->query_name);
    return c != NULL ? c : child(n, m->wire);
}

static struct err *decode_struct(const struct query *q, const struct shape *s, const struct node *n,
                                 void *out, int depth)
{
    for (uint32_t i = 0; i < s->n_members; i++) {
        const struct shape_member *m = &s->members[i];
        const struct node *c = find_node(q, n, m);
        if (c == NULL || m->shape->kind == SH_STREAM)
            continue;
        void *slot = member_slot(q->arena, m, out);
        if (m->shape->kind == SH_LIST || m->shape->kind == SH_MAP)
            TRY(decode_items(q, m->shape, c, m->flattened, slot, depth + 1));
        else
            TRY(decode_value(q, m->shape, m->time, c, slot, depth));
    }
    return arena_check(q->arena);
}

static struct err *decode_value(const struct query *q, const struct shape *s, enum time_format time,
                                const struct node *n, void *out, int depth)
{
    if (depth >= CODEC_DEPTH_MAX)
        return err_aws(400, q->code, "The input is nested too deeply.");
    if (s->kind == SH_STRUCT)
        return decode_struct(q, s, n, out, depth + 1);
    if (s->kind == SH_LIST || s->kind == SH_MAP)
        return decode_items(q, s, n, s->flattened, out, depth + 1);
    if (n->value.p == NULL)
        return NULL;
    if (n->value.n == 0 && s->kind != SH_STRING && s->kind != SH_BLOB)
        return NULL; /* "MaxItems=" says nothing */
    return text_decode(q->arena, s, time, n->value, q->code, out);
}

struct err *query_decode(struct arena *a, const struct shape *s, const struct wire_request *r,
                         bool ec2, void *out)
{
    struct query q = {
        .arena = a, .code = ec2 ? "InvalidParameterValue" : "MalformedInput", .ec2 = ec2};
    struct wire_param *form = NULL;
    size_t n_form = 0;
    if (r->body.n > 0)
        TRY(wire_params(a, r->body, &form, &n_form));
    /* One list, the body's first: when a name is there twice, the body's counts. */
    struct wire_param *all = ARENA_ARRAY(a, n_form + r->n_params + 1, struct wire_param);
    if (n_form > 0)
        memcpy(all, form, n_form * sizeof *all);
    if (r->n_params > 0)
        memcpy(all + n_form, r->params, r->n_params * sizeof *all);
    struct node root = {0};
    TRY(build_tree(a, all, n_form + r->n_params, &root));
    return decode_struct(&q, s, &root, out, 0);
}
