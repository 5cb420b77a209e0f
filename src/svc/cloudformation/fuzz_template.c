/* Arbitrary bytes as a template: parsed, given default parameters, conditions evaluated, ordered,
 * every property and output resolved. It must end, within its memory, with a result or a named
 * error. */
#include "fuzz.h"

#include "template.h"

enum { ARENA_BYTES = 32 * 1024 * 1024, OVERRUN_BYTES = 16 * 1024 * 1024 };

static struct err *get(void *ctx, struct str logical, struct str attr, const struct jv **out)
{
    struct arena *a = ctx;
    *out = jv_new_str(a, attr.p == NULL ? logical : attr);
    return NULL;
}

static struct err *import(void *ctx, struct str name, const struct jv **out)
{
    *out = jv_new_str(ctx, name);
    return NULL;
}

static struct err *use(struct arena *a, struct str text)
{
    struct template t;
    struct jv *params;
    struct order order;
    const struct jv *v;
    TRY(template_parse(a, text, &t));
    TRY(template_params(a, &t, NULL, NULL, NULL, &params));
    struct scope s = {.a = a, .t = &t, .params = params, .account = STR("123456789012"),
                      .region = STR("us-east-1"), .stack_name = STR("s"), .stack_id = STR("id"),
                      .get = get, .import = import, .ctx = a};
    TRY(template_rules(&s));
    TRY(template_conditions(&s));
    TRY(template_order(&s, &order));
    CHECK(order.n <= jv_len(t.resources));
    for (size_t i = 0; i < order.n; i++)
        TRY(template_resolve(&s, jv_get(jv_get_str(t.resources, order.names[i]), "Properties"),
                             &v));
    for (size_t i = 0; i < jv_len(t.outputs); i++)
        TRY(template_resolve(&s, jv_get(&t.outputs->obj.v[i].value, "Value"), &v));
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(ARENA_BYTES);
    struct str text = str_of(size == 0 ? (const void *)"" : data, size);
    struct err *e = use(a, text);
    CHECK(e == NULL || e->kind == ERR_INVALID || e->kind == ERR_LIMIT || e->code != NULL);
    CHECK(arena_used(a) <= ARENA_BYTES + OVERRUN_BYTES);
    err_free(e);
    arena_free(a);
    return 0;
}
